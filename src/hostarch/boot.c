/*
 * Boot and end of the hosted machine: physical memory, the first stub, the
 * options' effects on the core, kernel_main(); the root and the binds; exit
 * statuses.
 */
#include "abi/errno.h"
#include "abi/signal.h"
#include "arch/machine.h"
#include "fs/vfs.h"
#include "hostarch/console.h"
#include "hostarch/crash.h"
#include "hostarch/host.h"
#include "hostarch/hostfs.h"
#include "hostarch/options.h"
#include "hostarch/seeded.h"
#include "hostarch/stats.h"
#include "hostarch/stubs.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/memtools.h"
#include "sched/task.h"
#include "trace/record.h"
#include "trace/trace.h"

#define EXIT_OWN_ERROR 125
#define EXIT_NOT_EXECUTABLE 126
#define EXIT_NOT_FOUND 127
#define EXIT_PANIC 70
#define STDERR 2

char *arch_phys_base;

static const struct options *options;
static int trace_fd = STDERR, stats_fd = STDERR, timeline_fd, record_fd;

/* "levitate: what: reason", and the end. error: positive. */
static NORETURN void fail(int status, const char *what, int error)
{
	char text[PATH_MAX_BYTES + 128];

	ksnprintf(text, sizeof(text), "%s: %s", what, host_error_text(error));
	host_fail(status, text);
}

static void trace_line(const char *line, size_t size_bytes)
{
	if (trace_fd == STDERR)
		arch_log_write(line, size_bytes);
	else
		host_write_all(trace_fd, line, size_bytes);
}

static void record_text(const char *text, size_t size_bytes) { host_write_all(record_fd, text, size_bytes); }
static void timeline_text(const char *text, size_t size_bytes) { host_write_all(timeline_fd, text, size_bytes); }

static int open_report(const char *path)
{
	int fd = path == NULL ? STDERR : host_create_file(path);

	if (fd < 0)
		fail(EXIT_OWN_ERROR, path, -fd);
	return fd;
}

static void boot_memory(struct boot_info *boot)
{
	void *base;
	int r = host_memory_create(options->memory_bytes, &base);

	if (r != 0)
		fail(EXIT_OWN_ERROR, "cannot create the guest's memory", -r);
	arch_phys_base = (char *)base - PHYS_START;
	boot->ranges[0].start = (paddr_t){PHYS_START};
	boot->ranges[0].end = (paddr_t){PHYS_START + options->memory_bytes};
	boot->nr_ranges = 1;
	mmu_init(options->memory_bytes);
}

static void boot_initrd(struct boot_info *boot)
{
	int r = host_map_file(options->initrd, &boot->initrd, &boot->initrd_size_bytes);

	if (r != 0)
		fail(EXIT_OWN_ERROR, options->initrd, -r);
}

static void boot_core_options(void)
{
	const char *bad;
	char text[256];

	aspace_set_fork_mode((enum fork_mode)options->fork_mode);
	aspace_set_pt_ops(options->is_pte_aarch64 ? &pt_ops_aarch64 : &pt_ops_x86_64);
	aspace_set_audit(options->audit);
	if (options->trace) {
		trace_fd = open_report(options->trace_file);
		if (trace_start(trace_line, options->trace_filter, &bad) != 0) {
			ksnprintf(text, sizeof(text),
				  "--trace: '%s': not a system call, a class of them, fault, switch or %%time",
				  bad);
			host_fail(EXIT_OWN_ERROR, text);
		}
	}
	if (options->record_file != NULL) {
		record_fd = open_report(options->record_file);
		record_start(record_text, options->is_pte_aarch64 ? &pt_ops_aarch64 : &pt_ops_x86_64);
	}
	if (options->timeline_file != NULL) {
		timeline_fd = open_report(options->timeline_file);
		timeline_start(timeline_text);
	}
	if (options->stats)
		stats_fd = open_report(options->stats_file);
}

static void boot_console(void)
{
	static const int input_order[] = {0, 2, 1}, output_order[] = {1, 2, 0};
	int in = -1, out = -1;

	for (unsigned i = 0; i < 3; i++) {
		if (in < 0 && host_is_tty(input_order[i]))
			in = input_order[i];
		if (out < 0 && host_is_tty(output_order[i]))
			out = output_order[i];
	}
	console_set_fd(in, out);
}

void machine_boot(const struct options *given)
{
	static struct boot_info boot;
	const char *what;
	int r;

	options = given;
	irq_init();
	if (options->is_seeded) {
		seeded_init(options->seed);
		sched_set_seed(options->seed);
	}
	r = host_signal_init(options->timeout_seconds);
	if (r != 0)
		fail(EXIT_OWN_ERROR, "cannot set up signals", -r);
	boot_memory(&boot);
	r = stubs_init(&what);
	if (r != 0)
		fail(EXIT_OWN_ERROR, what, -r);
	if (options->initrd != NULL)
		boot_initrd(&boot);
	boot_core_options();
	boot_console();
	boot.cmdline = "";
	boot.realtime_ns = seeded_on ? SEEDED_BOOT_NS : host_realtime_ns();
	boot.initrd_name = options->initrd;
	boot.init_path = options->argv[0];
	boot.init_argv = options->argv;
	boot.init_envp = options->envp;
	boot.init_cwd = options->cwd;
	boot.uid = host_uid();
	boot.gid = host_gid();
	boot.fail_alloc = options->fail_alloc;
	boot.fail_alloc_is_persistent = options->fail_alloc_persistent;
	kernel_main(&boot);
}

/* ---- mounts -------------------------------------------------------------- */

int arch_mount_root_host(void)
{
	struct superblock *sb;
	int r = hostfs_create(options->root, !options->is_root_writable, &sb);

	if (r == 0 && !S_ISDIR(sb->root->inode->mode))
		r = -ENOTDIR;
	if (r == 0)
		r = vfs_mount_root(sb, options->root, !options->is_root_writable);
	if (r != 0)
		fail(EXIT_OWN_ERROR, options->root, -r);
	return 0;
}

int arch_mount_binds(void)
{
	for (unsigned i = 0; i < options->nr_binds; i++) {
		const struct option_bind *b = &options->binds[i];
		struct superblock *sb;
		int r = hostfs_create(b->source, !b->is_writable, &sb);

		if (r != 0)
			fail(EXIT_OWN_ERROR, b->source, -r);
		r = vfs_mount(sb, b->target, b->source, !b->is_writable);
		if (r != 0)
			fail(EXIT_OWN_ERROR, b->target, -r);
	}
	return 0;
}

/* ---- the end ------------------------------------------------------------- */

static NORETURN void leave(int status)
{
	timeline_finish();
	if ((options->audit || memtools_on) && mm_audit_end() != 0)
		status = EXIT_PANIC;
	if (options->stats)
		stats_write(stats_fd, options->stats_file != NULL);
	memtools_end();
	host_exit(status);
}

void arch_power_off(int wait_status)
{
	int signal = wait_status & 0x7f;

	leave(signal != 0 ? 128 + signal : wait_status >> 8 & 0xff);
}

void arch_init_failed(int error, const char *path)
{
	if (error == ENOMEM || error == EAGAIN)
		fail(EXIT_OWN_ERROR, path, error);
	fail(error == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE, path, error);
}

void arch_boot_failed(int error, const char *what)
{
	if (what != NULL)
		fail(EXIT_OWN_ERROR, what, error);
	host_exit(EXIT_OWN_ERROR);
}

void arch_reboot(void) { leave(0); }

void arch_panic_stop(void)
{
	crash_stop(EXIT_PANIC);
}

void machine_stop(int signal)
{
	if (signal == SIGQUIT) {
		crash_look("SIGQUIT came");
		host_leave_core();
	}
	leave(128 + signal);
}

void machine_child_ended(void)
{
	/* Which one, and whose, is found out when its address space runs next. */
	stubs_reap();
}
