/*
 * /proc/sys: the settings programs ask for. What has an effect can be written;
 * everything else is a constant and read-only. No lock: single words and strings.
 */
#include "fs/proc.h"

#include "abi/errno.h"
#include "lib/string.h"
#include "mm/commit.h"
#include "sched/task.h"
#include "sched/uts.h"

#define DIR(title, entries) {.name = title, .mode = S_IFDIR | 0555, .children = entries}
/* A constant: its text, newline included. */
#define CONSTANT(title, text)                                                                                \
	{                                                                                                    \
		.name = title, .mode = S_IFREG | 0444, .show = show_constant, .data = text "\n"              \
	}

static int show_constant(struct seqbuf *s, const struct proc_target *t);

/* ---- kernel --------------------------------------------------------------- */

static int show_hostname(struct seqbuf *s, const struct proc_target *t)
{
	(void)t;
	seq_printf(s, "%s\n", kernel_uts.nodename);
	return 0;
}

static int show_domainname(struct seqbuf *s, const struct proc_target *t)
{
	(void)t;
	seq_printf(s, "%s\n", kernel_uts.domainname);
	return 0;
}

static int write_hostname(const struct proc_target *t, const char *text)
{
	(void)t;
	(void)str_copy(kernel_uts.nodename, text, sizeof(kernel_uts.nodename));
	return 0;
}

static int write_domainname(const struct proc_target *t, const char *text)
{
	(void)t;
	(void)str_copy(kernel_uts.domainname, text, sizeof(kernel_uts.domainname));
	return 0;
}

static int show_ostype(struct seqbuf *s, const struct proc_target *t)
{
	(void)t;
	seq_printf(s, "%s\n", kernel_uts.sysname);
	return 0;
}

static int show_osrelease(struct seqbuf *s, const struct proc_target *t)
{
	(void)t;
	seq_printf(s, "%s\n", kernel_uts.release);
	return 0;
}

static int show_uts_version(struct seqbuf *s, const struct proc_target *t)
{
	(void)t;
	seq_printf(s, "%s\n", kernel_uts.version);
	return 0;
}

static int show_pid_max(struct seqbuf *s, const struct proc_target *t)
{
	(void)t;
	seq_printf(s, "%d\n", PID_MAX);
	return 0;
}

static int show_ngroups_max(struct seqbuf *s, const struct proc_target *t)
{
	(void)t;
	seq_printf(s, "%d\n", NR_GROUPS_MAX);
	return 0;
}

/* A random UUID of version 4 (RFC 4122). */
static void put_uuid(struct seqbuf *s, uint8_t b[16])
{
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	for (unsigned i = 0; i < 16; i++)
		seq_printf(s, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", b[i]);
	seq_puts(s, "\n");
}

static int show_uuid(struct seqbuf *s, const struct proc_target *t)
{
	uint8_t bytes[16];

	(void)t;
	arch_random(bytes, sizeof(bytes));
	put_uuid(s, bytes);
	return 0;
}

static int show_boot_id(struct seqbuf *s, const struct proc_target *t)
{
	static uint8_t bytes[16];
	static bool is_made;

	(void)t;
	if (!is_made)
		arch_random(bytes, sizeof(bytes));
	is_made = true;
	put_uuid(s, bytes);
	return 0;
}

static const struct proc_entry random_entries[] = {
	{.name = "boot_id", .mode = S_IFREG | 0444, .show = show_boot_id},
	CONSTANT("entropy_avail", "256"),
	CONSTANT("poolsize", "256"),
	{.name = "uuid", .mode = S_IFREG | 0444, .show = show_uuid},
	{0},
};

static const struct proc_entry kernel_entries[] = {
	CONSTANT("cap_last_cap", "40"),
	CONSTANT("core_pattern", "core"),
	CONSTANT("core_uses_pid", "0"),
	{.name = "domainname", .mode = S_IFREG | 0644, .show = show_domainname, .write = write_domainname},
	{.name = "hostname", .mode = S_IFREG | 0644, .show = show_hostname, .write = write_hostname},
	{.name = "ngroups_max", .mode = S_IFREG | 0444, .show = show_ngroups_max},
	{.name = "osrelease", .mode = S_IFREG | 0444, .show = show_osrelease},
	{.name = "ostype", .mode = S_IFREG | 0444, .show = show_ostype},
	CONSTANT("overflowgid", "65534"),
	CONSTANT("overflowuid", "65534"),
	CONSTANT("panic", "0"),
	{.name = "pid_max", .mode = S_IFREG | 0444, .show = show_pid_max},
	CONSTANT("printk", "4\t4\t1\t7"),
	DIR("random", random_entries),
	CONSTANT("randomize_va_space", "2"),
	CONSTANT("tainted", "0"),
	{.name = "threads-max", .mode = S_IFREG | 0444, .show = show_pid_max},
	{.name = "version", .mode = S_IFREG | 0444, .show = show_uts_version},
	{0},
};

/* ---- fs, vm --------------------------------------------------------------- */

static const struct proc_entry epoll_entries[] = {CONSTANT("max_user_watches", "1048576"), {0}};

static const struct proc_entry fs_entries[] = {
	DIR("epoll", epoll_entries),
	CONSTANT("file-max", "9223372036854775807"),
	CONSTANT("file-nr", "0\t0\t9223372036854775807"),
	CONSTANT("nr_open", "1048576"),
	CONSTANT("overflowgid", "65534"),
	CONSTANT("overflowuid", "65534"),
	CONSTANT("pipe-max-size", "1048576"),
	{0},
};

/* One of commit_settings: 0 to max. */
struct setting {
	int64_t *value, max;
	int64_t *clears; /* the two exclude each other: a write sets this one to 0 */
};

static int show_setting(struct seqbuf *s, const struct proc_target *t)
{
	const struct setting *setting = t->entry->data;

	seq_printf(s, "%lld\n", (long long)*setting->value);
	return 0;
}

static int write_setting(const struct proc_target *t, const char *text)
{
	const struct setting *setting = t->entry->data;
	int err = proc_parse_int(text, 0, setting->max, setting->value);

	if (err == 0 && setting->clears != NULL)
		*setting->clears = 0;
	return err;
}

#define SETTING(title, ...)                                                                                  \
	{                                                                                                    \
		.name = title, .mode = S_IFREG | 0644, .show = show_setting, .write = write_setting,         \
		.data = &(const struct setting){__VA_ARGS__}                                                 \
	}

static const struct proc_entry vm_entries[] = {
	SETTING("admin_reserve_kbytes", &commit_settings.admin_reserve_kib, INT64_MAX, NULL),
	CONSTANT("max_map_count", "65530"),
	CONSTANT("mmap_min_addr", "65536"),
	SETTING("overcommit_kbytes", &commit_settings.limit_kib, INT64_MAX, &commit_settings.ratio_percent),
	SETTING("overcommit_memory", &commit_settings.mode, OVERCOMMIT_NEVER, NULL),
	SETTING("overcommit_ratio", &commit_settings.ratio_percent, INT32_MAX, &commit_settings.limit_kib),
	CONSTANT("swappiness", "0"),
	SETTING("user_reserve_kbytes", &commit_settings.user_reserve_kib, INT64_MAX, NULL),
	{0},
};

const struct proc_entry proc_sys_entries[] = {
	DIR("fs", fs_entries),
	DIR("kernel", kernel_entries),
	DIR("vm", vm_entries),
	{0},
};

static int show_constant(struct seqbuf *s, const struct proc_target *t)
{
	seq_puts(s, t->entry->data);
	return 0;
}
