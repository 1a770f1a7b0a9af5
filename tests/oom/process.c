/* The sweep over processes: fork, threads, exec, signals, timers. */
#include "oom.h"

#include "abi/sched.h"
#include "abi/signal.h"
#include "abi/time.h"
#include "sched/elf.h"

/* ---- fork and threads ----------------------------------------------------- */

static void exits(void) { task_exit(0); }

static int64_t clone_with(uint64_t flags, uint64_t child_tid)
{
	uint64_t args[6] = {flags, 0, U(0x100)};

	args[ABI_CLONE_ARG_CHILD_TID] = child_tid;
	oom_program(exits);
	return oom_call(NR_clone, args);
}

static int64_t run_fork(void) { return clone_with(SIGCHLD, 0); }
static int64_t run_fork_settid(void)
{
	return clone_with(SIGCHLD | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID, P(700));
}
static void dontfork(void)
{
	MUST(madvise, P(100), PAGES(300), MADV_DONTFORK);
	MUST(madvise, P(500), PAGES(100), MADV_WIPEONFORK);
}
static int64_t run_vfork(void) { return clone_with(SIGCHLD | CLONE_VM | CLONE_VFORK, 0); }
static int64_t run_clone_files(void) { return clone_with(SIGCHLD | CLONE_FILES | CLONE_FS, 0); }
static int64_t run_thread(void)
{
	return clone_with(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_PARENT_SETTID |
				  CLONE_CHILD_CLEARTID,
			  U(0x108));
}
static void undo_thread(int64_t tid)
{
	(void)tid;
	while (current_process()->nr_tasks > 1)
		sched_yield_cpu();
}
static int64_t run_clone3_pidfd(void)
{
	struct linux_clone_args a = {.flags = CLONE_PIDFD, .pidfd = U(0x100), .exit_signal = SIGCHLD};

	oom_program(exits);
	oom_put(U(0), &a, sizeof(a));
	return CALL(clone3, U(0), sizeof(a));
}
static void undo_clone3(int64_t pid)
{
	int fd;

	oom_reap(pid);
	oom_get(U(0x100), &fd, sizeof(fd));
	oom_close(fd);
}
static void open_many(void)
{
	int64_t fd = MUST(openat, (uint64_t)AT_FDCWD, S(0, "/tmp/data"), O_RDONLY);

	MUST(dup3, (uint64_t)fd, 300, 0);
	oom_close(fd);
}

/* ---- exec ----------------------------------------------------------------- */

#define TEXT UINT64_C(0x400000)
#define BSS_END 0x2800

/* Text, data of a page and a half, bss behind it. */
static void make_program(const char *name)
{
	static struct {
		struct elf64_ehdr h;
		struct elf64_phdr p[2];
		char rest[0x1c00];
	} image;
	int64_t fd;

	memset(&image, 0, sizeof(image));
	memcpy(image.h.ident, "\177ELF\2\1\1", 7);
	image.h.type = ET_EXEC;
	image.h.machine = ELF_MACHINE_NATIVE;
	image.h.version = 1;
	image.h.entry = TEXT + 0x200;
	image.h.phoff = sizeof(image.h);
	image.h.phentsize = sizeof(image.p[0]);
	image.h.phnum = 2;
	image.p[0] = (struct elf64_phdr){PT_LOAD, PF_R | PF_X, 0, TEXT, TEXT, 0x800, 0x800, 0x1000};
	image.p[1] = (struct elf64_phdr){PT_LOAD, PF_R | PF_W, 0x1000, TEXT + 0x1000, TEXT + 0x1000, 0x900,
					 BSS_END - 0x1000, 0x1000};
	oom_put(U(0), &image, sizeof(image));
	fd = MUST(openat, (uint64_t)AT_FDCWD, S(0, name), O_RDWR | O_CREAT | O_TRUNC, 0755);
	MUST(write, (uint64_t)fd, U(0), sizeof(image));
	oom_close(fd);
}

static void make_script(void)
{
	static const char text[] = "#!/tmp/program with arguments\n";
	int64_t fd;

	make_program("/tmp/program");
	fd = MUST(openat, (uint64_t)AT_FDCWD, S(0, "/tmp/script"), O_RDWR | O_CREAT | O_TRUNC, 0755);
	oom_put(U(0), text, sizeof(text) - 1);
	MUST(write, (uint64_t)fd, U(0), sizeof(text) - 1);
	oom_close(fd);
}

static void prepare_exec(void) { make_program("/tmp/program"); }

static int64_t exec(const char *name)
{
	const uint64_t strings[3] = {S(1, "argument"), S(2, "another"), 0};

	oom_put(U(0x3000), strings, sizeof(strings));
	return CALL(execve, S(0, name), U(0x3000), U(0x3000));
}

static int64_t run_exec(void) { return exec("/tmp/program"); }
static int64_t run_exec_script(void) { return exec("/tmp/script"); }
/* 40 pages of strings: more than the list of pages holds at first. */
static void prepare_long_exec(void)
{
	static char text[PAGE_SIZE];
	uint64_t list[41] = {0};

	prepare_exec();
	memset(text, 'a', PAGE_SIZE - 1);
	for (unsigned i = 0; i < 40; i++) {
		list[i] = U(PAGES(16 + i));
		oom_put(list[i], text, PAGE_SIZE);
	}
	oom_put(U(0x3000), list, sizeof(list));
}
static int64_t run_exec_long(void) { return CALL(execve, S(0, "/tmp/program"), U(0x3000), 0); }

/* A thread that sleeps must go before the exec; descriptors and handlers shared with a process are copied. */
static void shares_and_execs(void) { task_exit((int)(run_exec() != 0)); }
static int64_t run_exec_shared(void)
{
	oom_program(shares_and_execs);
	return CALL(clone, SIGCHLD | CLONE_VM | CLONE_FILES | CLONE_SIGHAND | CLONE_VFORK, P(1403), 0, 0, 0);
}

/* ---- signals -------------------------------------------------------------- */

#define HANDLER UINT64_C(0x400800)

static void set_handler(int sig, uint64_t flags)
{
	const struct linux_sigaction action = {
		.handler = HANDLER, .flags = flags | SA_RESTORER, .restorer = HANDLER + 64};

	oom_put(U(0), &action, sizeof(action));
	MUST(rt_sigaction, (uint64_t)sig, U(0), 0, 8);
}

/* The frame goes to a page that is not there yet. */
static int64_t deliver(uint64_t sp)
{
	frame_init_user(current_task()->frame, TEXT, sp);
	return CALL(kill, (uint64_t)current_process()->pid, SIGUSR1);
}
static int64_t run_handler(void)
{
	set_handler(SIGUSR1, 0);
	return deliver(P(1109));
}
static int64_t run_handler_grows(void)
{
	set_handler(SIGUSR1, 0);
	return deliver(P(1395));
}
static int64_t run_handler_altstack(void)
{
	const struct linux_stack stack = {.sp = P(1101), .size = PAGES(8)};

	oom_put(U(0), &stack, sizeof(stack));
	MUST(sigaltstack, U(0), 0);
	set_handler(SIGUSR1, SA_ONSTACK);
	return deliver(P(1403));
}
/* kill(2) of a standard signal never needs memory; a queued one does, unless no other signal is under way. */
static int64_t run_sigqueue(void)
{
	struct linux_siginfo info = {.signo = SIGRTMIN, .code = SI_QUEUE};

	info.rt.pid = 1;
	oom_put(U(0), &info, sizeof(info));
	return CALL(rt_sigqueueinfo, 1, SIGRTMIN, U(0));
}
static void block_rt(void)
{
	const uint64_t mask = SIGMASK(SIGRTMIN) | SIGMASK(SIGURG);

	oom_put(U(0), &mask, 8);
	MUST(rt_sigprocmask, 0, U(0), 0, 8);
	MUST(kill, 1, SIGURG); /* needs none, and stays under way */
}
static void take_rt(int64_t result)
{
	const uint64_t mask = SIGMASK(SIGRTMIN);

	(void)result;
	oom_put(U(0), &mask, 8);
	assert_int_equal(MUST(rt_sigtimedwait, U(0), 0, 0, 8), SIGRTMIN);
}

/* ---- timers, pids, futexes ------------------------------------------------ */

static int64_t run_timer_create(void) { return CALL(timer_create, CLOCK_MONOTONIC, 0, U(0x100)); }
static void undo_timer(int64_t result)
{
	int id;

	(void)result;
	oom_get(U(0x100), &id, sizeof(id));
	MUST(timer_delete, (uint64_t)id);
}
static int64_t run_pidfd_open(void) { return CALL(pidfd_open, 1, 0); }
/* The word lies in a page that is not there yet. */
static int64_t run_futex_wait(void)
{
	int64_t r = CALL(futex, P(1104), 0 /* FUTEX_WAIT */, 1, 0, 0, 0);

	return r == -EAGAIN ? 0 : r;
}
static int64_t run_clock_gettime(void) { return CALL(clock_gettime, CLOCK_MONOTONIC, P(1104)); }

static const struct oom_op process_ops[] = {
	{"fork", run_fork, NULL, oom_reap_child, OOM_MEMORY},
	{"fork, tid in both", run_fork_settid, NULL, oom_reap_child, OOM_MEMORY},
	{"fork, madvise rules", run_fork, dontfork, oom_reap_child, OOM_MEMORY},
	{"fork, many descriptors", run_fork, open_many, oom_reap_child, 0},
	{"fork, shared files", run_clone_files, NULL, oom_reap_child, 0},
	{"vfork", run_vfork, NULL, oom_reap_child, OOM_MEMORY},
	{"thread", run_thread, NULL, undo_thread, OOM_MEMORY},
	{"clone3 with pidfd", run_clone3_pidfd, NULL, undo_clone3, OOM_EFAULT},
	{"exec", run_exec, prepare_exec, NULL, OOM_MEMORY | OOM_CHILD},
	{"exec of a script", run_exec_script, make_script, NULL, OOM_MEMORY | OOM_CHILD},
	{"exec, long arguments", run_exec_long, prepare_long_exec, NULL, OOM_MEMORY | OOM_CHILD},
	{"exec, shared tables", run_exec_shared, prepare_exec, oom_reap_child, 0},
	{"signal frame", run_handler, NULL, NULL, OOM_MEMORY | OOM_CHILD | OOM_SIGSEGV},
	{"signal frame, stack grows", run_handler_grows, NULL, NULL, OOM_MEMORY | OOM_CHILD | OOM_SIGSEGV},
	{"signal frame, other stack", run_handler_altstack, NULL, NULL, OOM_MEMORY | OOM_CHILD | OOM_SIGSEGV},
	{"rt_sigqueueinfo", run_sigqueue, block_rt, take_rt, OOM_EAGAIN},
	{"timer_create", run_timer_create, NULL, undo_timer, OOM_EAGAIN},
	{"pidfd_open", run_pidfd_open, NULL, oom_close, 0},
	{"futex", run_futex_wait, NULL, NULL, OOM_TOUCHES | OOM_EFAULT},
	{"clock_gettime", run_clock_gettime, NULL, NULL, OOM_TOUCHES | OOM_EFAULT},
};
OOM_SUITE(process);
