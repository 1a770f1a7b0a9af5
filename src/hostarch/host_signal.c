/*
 * Signals, time, and the way out. Contracts in host.h.
 *
 * Handlers only note what happened (host_pending), interrupt the running stub
 * (kick) and undo the kernel's wish to sleep: the doorbell word and the idle
 * timeout are cleared by the handler, so a signal between the check and the
 * system call that sleeps is not lost. They run on a stack of their own.
 */
#define UNW_LOCAL_ONLY
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <libunwind.h>
#include <math.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hostarch/crash.h"
#include "hostarch/host_internal.h"
#include "hostarch/stub/stub.h"

#define HANDLER_STACK_BYTES (256 * 1024)
#define BACKTRACE_MAX 40
#define NS_PER_SECOND 1000000000u

volatile unsigned host_pending;
volatile int host_stop_signal;

static timer_t timer;
static volatile struct timespec idle_timeout;

_Static_assert(sizeof(struct host_poll) == sizeof(struct pollfd), "passed to ppoll as it is");
_Static_assert(offsetof(struct host_poll, revents) == offsetof(struct pollfd, revents), "");

unsigned host_pending_take(unsigned which)
{
	return __atomic_fetch_and(&host_pending, ~which, __ATOMIC_SEQ_CST) & which;
}

/* Not ThreadSanitizer's, like on_note(): we may have interrupted its library, which must not be called again then. */
static __attribute__((no_sanitize_thread)) void note(unsigned what, bool kick)
{
	uint32_t *doorbell = host_running_doorbell;
	int pid = host_running_pid;

	__atomic_fetch_or(&host_pending, what, __ATOMIC_SEQ_CST);
	idle_timeout.tv_sec = 0;
	idle_timeout.tv_nsec = 0;
	if (doorbell != NULL)
		__atomic_store_n(doorbell, 0, __ATOMIC_SEQ_CST);
	if (kick && pid != 0)
		syscall(SYS_kill, pid, STUB_SIG_KICK);
}

static __attribute__((no_sanitize_thread)) void on_note(int sig)
{
	int saved_errno = errno;

	if (sig == SIGCHLD)
		note(HOST_CHILD, false);
	else if (sig == SIGWINCH)
		note(HOST_WINCH, true);
	else if (sig == SIGINT)
		note(HOST_INTERRUPT, true);
	else if (sig == SIGCONT)
		note(HOST_CONTINUED, true);
	else
		note(HOST_TIMER, true);
	errno = saved_errno;
}

static void leave_at_once(int status)
{
	host_tty_restore();
	host_stub_kill_all();
	while (waitpid(-1, NULL, 0) > 0)
		;
	_exit(status);
}

/* SIGTERM, SIGHUP: once in order; a second one does not wait. */
static void on_stop(int sig)
{
	if ((host_pending & HOST_STOP) != 0)
		leave_at_once(128 + sig);
	host_stop_signal = sig;
	note(HOST_STOP, true);
}

/* From the terminal it is for the guest, from another process for us. */
static void on_quit(int sig, siginfo_t *info, void *context)
{
	(void)context;
	if (info->si_code > 0)
		note(HOST_QUIT, true);
	else
		on_stop(sig);
}

static void on_timeout(int sig)
{
	static const char text[] = "levitate: timeout\n";

	(void)sig;
	if (write(2, text, sizeof(text) - 1) < 0)
		errno = 0;
	leave_at_once(124);
}

/* SIGTSTP from outside: the terminal is the shell's while we are stopped. */
static void on_suspend(int sig)
{
	int saved_errno = errno;

	(void)sig;
	host_tty_restore();
	raise(SIGSTOP);
	note(HOST_CONTINUED, true);
	errno = saved_errno;
}

static const int crash_signals[] = {SIGBUS, SIGSEGV, SIGILL, SIGFPE, SIGABRT};

static void on_crash(int sig, siginfo_t *info, void *context)
{
	static bool is_reporting;
	char text[160];
	sigset_t set;
	int n;

	sigemptyset(&set);
	for (unsigned i = 0; i < sizeof(crash_signals) / sizeof(crash_signals[0]); i++)
		sigaddset(&set, crash_signals[i]);
	sigprocmask(SIG_UNBLOCK, &set, NULL); /* so that a crash of the report is seen */
	host_tty_restore();
	if (sig == SIGBUS && info->si_code == BUS_ADRERR) {
		host_write_all(2, "levitate: the host has no memory left for the guest's\n", 54);
		leave_at_once(125);
	}
	n = snprintf(text, sizeof(text), "levitate: the kernel crashed: %s at address %p\n", strsignal(sig),
		     info->si_addr);
	host_write_all(2, text, (size_t)n);
	(void)context;
	if (!is_reporting) { /* a crash of the report ends it */
		is_reporting = true;
		host_backtrace();
		crash_report();
		host_leave_core();
	}
	leave_at_once(70);
}

/* libc's sigaction() by its other name: the handlers of ThreadSanitizer's wait for the next call of libc. */
int __sigaction(int sig, const struct sigaction *action, struct sigaction *old);

static int install(int sig, void (*handler)(int))
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK | SA_RESTART};

	sigfillset(&action.sa_mask);
	return __sigaction(sig, &action, NULL) == 0 ? 0 : -errno;
}

/* nohup, or a background job of a shell: what we were started to ignore stays ignored. */
static bool is_ignored(int sig)
{
	struct sigaction old;

	if (sigaction(sig, NULL, &old) != 0)
		return false;
	return (old.sa_flags & SA_SIGINFO) == 0 && old.sa_handler == SIG_IGN;
}

static int install_polite(int sig, void (*handler)(int))
{
	return is_ignored(sig) ? 0 : install(sig, handler);
}

static int install_quit_handler(void)
{
	struct sigaction action = {.sa_sigaction = on_quit, .sa_flags = SA_ONSTACK | SA_RESTART | SA_SIGINFO};

	sigfillset(&action.sa_mask);
	return is_ignored(SIGQUIT) || sigaction(SIGQUIT, &action, NULL) == 0 ? 0 : -errno;
}

static int install_crash_handlers(void)
{
#if !defined(__SANITIZE_ADDRESS__)
	const unsigned nr = sizeof(crash_signals) / sizeof(crash_signals[0]);
#else
	const unsigned nr = 1; /* the sanitizer reports the others better */
#endif

	for (unsigned i = 0; i < nr; i++) {
		struct sigaction action = {.sa_sigaction = on_crash, .sa_flags = SA_ONSTACK | SA_SIGINFO};

		sigfillset(&action.sa_mask);
		if (sigaction(crash_signals[i], &action, NULL) != 0)
			return -errno;
	}
	return 0;
}

static void pin_to_this_cpu(void)
{
	int cpu = sched_getcpu();
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu % CPU_SETSIZE, &set);
	/* Where the host does not let us, hand-offs are slower, no more. */
	sched_setaffinity(0, sizeof(set), &set);
}

/*
 * libc registers restartable sequences (rseq(2)) for its sched_getcpu(). We do not need them any more, and
 * the host would look after them at each of our hand-offs: 3 % of a null call.
 */
static void leave_rseq(void)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (__rseq_size != 0)
		syscall(SYS_rseq, area, sizeof(struct rseq), RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}

/* Each file of the host that the guest has in use costs a descriptor. */
static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static int timers_init(double timeout_seconds)
{
	struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN};

	if (timer_create(CLOCK_MONOTONIC, &event, &timer) != 0)
		return -errno;
	if (timeout_seconds > 0) {
		double whole = floor(timeout_seconds);
		struct itimerval value = {.it_value = {(time_t)whole,
						       (suseconds_t)((timeout_seconds - whole) * 1e6)}};

		if (value.it_value.tv_sec == 0 && value.it_value.tv_usec == 0)
			value.it_value.tv_usec = 1;
		if (setitimer(ITIMER_REAL, &value, NULL) != 0)
			return -errno;
	}
	return 0;
}

int host_signal_init(double timeout_seconds)
{
	static const int noted[] = {SIGCHLD, SIGWINCH, SIGCONT};
	stack_t stack = {.ss_size = HANDLER_STACK_BYTES};
	int error;

	pin_to_this_cpu();
	leave_rseq();
	raise_descriptor_limit();
	stack.ss_sp = host_pages_alloc(HANDLER_STACK_BYTES);
	if (stack.ss_sp == NULL || sigaltstack(&stack, NULL) != 0)
		return -errno;
	for (unsigned i = 0; i < sizeof(noted) / sizeof(noted[0]); i++) {
		error = install(noted[i], on_note);
		if (error != 0)
			return error;
	}
	if ((error = install(SIGRTMIN, on_note)) != 0 || (error = install(SIGTERM, on_stop)) != 0 ||
	    (error = install(SIGALRM, on_timeout)) != 0 || (error = install(SIGPIPE, SIG_IGN)) != 0 ||
	    (error = install(SIGXFSZ, SIG_IGN)) != 0 || (error = install_polite(SIGINT, on_note)) != 0 ||
	    (error = install_polite(SIGHUP, on_stop)) != 0 ||
	    (error = install_polite(SIGTSTP, on_suspend)) != 0 ||
	    (error = install_quit_handler()) != 0 || (error = install_crash_handlers()) != 0)
		return error;
	return timers_init(timeout_seconds);
}

static uint64_t clock_ns(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (uint64_t)t.tv_sec * NS_PER_SECOND + (uint64_t)t.tv_nsec;
}

uint64_t host_time_ns(void) { return clock_ns(CLOCK_MONOTONIC); }
uint64_t host_realtime_ns(void) { return clock_ns(CLOCK_REALTIME); }

void host_timer_set(uint64_t delay_ns)
{
	struct itimerspec value = {
		.it_value = {(time_t)(delay_ns / NS_PER_SECOND), (long)(delay_ns % NS_PER_SECOND)}};

	timer_settime(timer, 0, &value, NULL);
}

void host_idle(struct host_poll *fds, unsigned nr, uint64_t timeout_ns)
{
	const bool forever = timeout_ns == UINT64_MAX;

	/* For ever is a long time here: a handler must be able to make it none. */
	idle_timeout.tv_sec = forever ? 1000000 : (time_t)(timeout_ns / NS_PER_SECOND);
	idle_timeout.tv_nsec = forever ? 0 : (long)(timeout_ns % NS_PER_SECOND);
	if (__atomic_load_n(&host_pending, __ATOMIC_SEQ_CST) != 0)
		return;
	for (unsigned i = 0; i < nr; i++)
		fds[i].revents = 0;
	/* The raw call: libc's copies the timeout first, and a handler would change the original in vain. */
	if (syscall(SYS_ppoll, fds, nr, &idle_timeout, NULL, 8) < 0)
		for (unsigned i = 0; i < nr; i++)
			fds[i].revents = 0;
}

int host_poll_now(struct host_poll *fds, unsigned nr)
{
	int n = poll((struct pollfd *)fds, nr, 0);

	if (n < 0)
		for (unsigned i = 0; i < nr; i++)
			fds[i].revents = 0;
	return n < 0 ? 0 : n;
}

void host_backtrace(void)
{
	unw_context_t context;
	unw_cursor_t cursor;
	char name[96], line[192];

	unw_getcontext(&context);
	if (unw_init_local(&cursor, &context) != 0)
		return;
	for (int i = 0; i < BACKTRACE_MAX && unw_step(&cursor) > 0; i++) {
		unw_word_t ip = 0, offset = 0;
		int n;

		unw_get_reg(&cursor, UNW_REG_IP, &ip);
		if (unw_get_proc_name(&cursor, name, sizeof(name), &offset) != 0)
			snprintf(name, sizeof(name), "?");
		n = snprintf(line, sizeof(line), "  #%-2d %#lx %s+%#lx\n", i, (unsigned long)ip, name,
			     (unsigned long)offset);
		host_write_all(2, line, (size_t)n);
	}
}

/*
 * As fork(2), but the parent waits until the child has ended: the stack we run on may be a kernel stack, which
 * lies in memory that both share. So no call may come between: a return address of the parent's would be
 * overwritten.
 */
static inline __attribute__((always_inline)) long fork_and_wait(void)
{
	register long r10 __asm__("r10") = 0;
	register long r8 __asm__("r8") = 0;
	long result;

	__asm__ volatile("syscall" : "=a"(result)
			 : "0"((long)SYS_clone), "D"((long)(CLONE_VFORK | SIGCHLD)), "S"(0L), "d"(0L), "r"(r10), "r"(r8)
			 : "rcx", "r11", "memory");
	return result;
}

static __attribute__((noinline, noreturn)) void abort_now(void)
{
	sigset_t set;

	signal(SIGABRT, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, SIGABRT);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	kill(getpid(), SIGABRT); /* not raise(3): libc does not know that it is another process */
	_exit(1);
}

void host_leave_core(void)
{
	struct rlimit limit;
	int status = 0;
	long pid;

	if (getrlimit(RLIMIT_CORE, &limit) != 0 || limit.rlim_cur == 0)
		return;
	pid = fork_and_wait();
	if (pid == 0)
		abort_now();
	if (pid > 0 && waitpid((pid_t)pid, &status, 0) == pid && WIFSIGNALED(status) && WCOREDUMP(status))
		host_write_all(2, "levitate: core dumped\n", 22);
}

void host_exit(int status)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	host_tty_restore();
	host_stub_kill_all();
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	exit(status);
}

const char *host_error_text(int error) { return strerror(error); }

void host_fail(int status, const char *text)
{
	char line[512];
	int n = snprintf(line, sizeof(line), "levitate: %s\n", text);

	host_tty_restore();
	host_write_all(2, line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1);
	host_exit(status);
}
