/* Parsing the kernel command line: see cmdline.h. No state. */
#include "sched/cmdline.h"

#include "abi/errno.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

/* Parameters of the machine's (src/metal), and those of Linux's that command lines often have. */
static const char *const known[] = {
	"audit", "console", "fail_alloc", "fork", "loglevel", "mem", "panic", "quiet",
	"acpi", "apparmor", "clocksource", "cma", "crashkernel", "debug", "earlycon", "earlyprintk", "hugepages",
	"ignore_loglevel", "initrd", "iommu", "isolcpus", "kaslr", "lapic", "lsm", "maxcpus", "mitigations",
	"net", "nmi_watchdog", "noacpi", "noapic", "nokaslr", "nolapic", "nomodeset", "nopti", "norandmaps", "nosmp",
	"nosplash", "notsc", "nr_cpus", "oops", "pci", "printk", "pti", "reboot", "resume", "ro", "root", "rootdelay",
	"rootflags", "rootfstype", "rootwait", "rw", "security", "selinux", "slub_debug", "spectre_v2",
	"transparent_hugepage", "tsc", "vga", "video",
};

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }

bool cmdline_word(const char **at, char *buf, size_t size_bytes)
{
	const char *p = *at;
	bool is_quoted = false;
	size_t n = 0;

	while (is_space(*p))
		p++;
	if (*p == '\0')
		return false;
	for (; *p != '\0' && (is_quoted || !is_space(*p)); p++) {
		if (*p == '"')
			is_quoted = !is_quoted;
		else if (n + 1 < size_bytes)
			buf[n++] = *p;
	}
	buf[n] = '\0';
	*at = p;
	return true;
}

static size_t name_length(const char *word)
{
	const char *equals = strchr(word, '=');

	return equals != NULL ? (size_t)(equals - word) : strlen(word);
}

static bool is_for_the_kernel(const char *word)
{
	const size_t length = name_length(word);

	if (memchr(word, '.', length) != NULL)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strncmp(known[i], word, length) == 0 && known[i][length] == '\0')
			return true;
	return false;
}

static int add_argument(struct cmdline *c, const char *word)
{
	if (c->nr_args == CMDLINE_ARGS_MAX)
		return -E2BIG;
	c->args[c->nr_args++] = word;
	return 0;
}

/* A later value of the same name replaces the earlier one. */
static int add_variable(struct cmdline *c, const char *word)
{
	const size_t length = name_length(word) + 1;
	unsigned i = 0;

	while (i < c->nr_envs && strncmp(c->envs[i], word, length) != 0)
		i++;
	if (i == CMDLINE_ENVS_MAX)
		return -E2BIG;
	c->envs[i] = word;
	c->nr_envs = MAX(c->nr_envs, i + 1);
	return 0;
}

/* As Linux: arguments before init= are not for the program it names (boot loaders put some there). */
static int take_parameter(struct cmdline *c, const char *word, bool *is_rdinit)
{
	if (strncmp(word, "rdinit=", 7) == 0 || strncmp(word, "init=", 5) == 0) {
		c->nr_args = 0;
		if (word[0] == 'r' || !*is_rdinit)
			c->init = strchr(word, '=') + 1;
		*is_rdinit |= word[0] == 'r';
		return 0;
	}
	if (is_for_the_kernel(word))
		return 0;
	return strchr(word, '=') != NULL ? add_variable(c, word) : add_argument(c, word);
}

int cmdline_parse(const char *text, struct cmdline *out)
{
	bool is_after_dashes = false, is_rdinit = false;
	char *word;
	int r = 0;

	*out = (struct cmdline){.text = kstrdup(text)};
	if (out->text == NULL)
		return -ENOMEM;
	/* The words fit into a copy of the text, for between two of them there was a blank. */
	for (word = out->text; r == 0 && cmdline_word(&text, word, strlen(text) + 1); word += strlen(word) + 1) {
		if (is_after_dashes)
			r = add_argument(out, word);
		else if (strcmp(word, "--") == 0)
			is_after_dashes = true;
		else
			r = take_parameter(out, word, &is_rdinit);
	}
	if (r != 0)
		cmdline_release(out);
	return r;
}

void cmdline_release(struct cmdline *cmdline)
{
	kfree(cmdline->text);
	cmdline->text = NULL;
}
