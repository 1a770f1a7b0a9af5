/* Parsing the kernel command line: see cmdline.h. Source: Linux's kernel-parameters document. */
#include "sched/cmdline.h"

#include "abi/errno.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n'; }

/* Takes the next word off *pos, without its quotes; NULL at the end. */
static char *next_word(char **pos)
{
	char *from = *pos, *start, *to;
	bool is_quoted = false;

	while (is_space(*from))
		from++;
	if (*from == '\0')
		return NULL;
	start = to = from;
	for (; *from != '\0' && (is_quoted || !is_space(*from)); from++) {
		if (*from == '"')
			is_quoted = !is_quoted;
		else
			*to++ = *from;
	}
	*pos = *from != '\0' ? from + 1 : from;
	*to = '\0';
	return start;
}

int cmdline_parse(const char *text, struct cmdline *out)
{
	bool is_after_dashes = false;
	char *pos, *word;

	*out = (struct cmdline){.text = kstrdup(text)};
	if (out->text == NULL)
		return -ENOMEM;
	pos = out->text;
	while ((word = next_word(&pos)) != NULL) {
		if (is_after_dashes) {
			if (out->nr_args == CMDLINE_ARGS_MAX) {
				cmdline_release(out);
				return -E2BIG;
			}
			out->args[out->nr_args++] = word;
		} else if (strcmp(word, "--") == 0) {
			is_after_dashes = true;
		} else if (strncmp(word, "init=", 5) == 0) {
			out->init = word + 5;
		}
	}
	return 0;
}

void cmdline_release(struct cmdline *cmdline)
{
	kfree(cmdline->text);
	cmdline->text = NULL;
}
