/*
 * t_signal.c - sending, blocking, catching: siginfo, alternate stack, masks,
 * SA_ flags, nesting, timers, waiting for signals, faults, and the errors.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>

static volatile sig_atomic_t count, last;
static siginfo_t last_info;

static void on_signal(int number)
{
	count++;
	last = number;
}

static void on_info(int number, siginfo_t *info, void *context)
{
	(void)context;
	count++;
	last = number;
	last_info = *info;
}

static void install(int number, void (*handler)(int), int flags)
{
	struct sigaction action = {.sa_handler = handler, .sa_flags = flags};

	if (sigaction(number, &action, NULL) != 0)
		give_up("sigaction");
}

static void install_info(int number, void (*handler)(int, siginfo_t *, void *), int flags)
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = flags | SA_SIGINFO};

	if (sigaction(number, &action, NULL) != 0)
		give_up("sigaction");
}

static sigset_t set_of(int number)
{
	sigset_t set;

	sigemptyset(&set);
	if (number != 0)
		sigaddset(&set, number);
	return set;
}

static void test_errors(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t set = set_of(SIGUSR1);
	stack_t stack = {.ss_sp = &stack, .ss_size = 10};

	show("kill with a bad signal", kill(getpid(), 65));
	show("kill with signal -1", kill(getpid(), -1));
	show("kill 0 of itself", kill(getpid(), 0));
	show("kill of a stranger", kill(1 << 22, SIGTERM));
	show("kill of an absent group", kill(-(1 << 22), SIGTERM));
	show("tgkill of a stranger", syscall(SYS_tgkill, 1 << 22, 1 << 22, SIGTERM));
	show("tgkill with a bad group", syscall(SYS_tgkill, -1, getpid(), SIGTERM));
	show("tkill with a bad id", syscall(SYS_tkill, 0, SIGTERM));
	show("sigaction of SIGKILL", sigaction(SIGKILL, &action, NULL));
	show("sigaction of SIGSTOP", sigaction(SIGSTOP, &action, NULL));
	show("sigaction of 0", sigaction(0, &action, NULL));
	show("sigaction of 65", sigaction(65, &action, NULL));
	show("asking for SIGKILL", sigaction(SIGKILL, NULL, &action));
	show("rt_sigaction with a bad set size", syscall(SYS_rt_sigaction, SIGUSR1, NULL, NULL, 4L));
	show("rt_sigprocmask with a bad set size", syscall(SYS_rt_sigprocmask, 0, &set, NULL, 4L));
	show("sigprocmask with a bad how", sigprocmask(77, &set, NULL));
	show("sigprocmask with a bad how but no set", sigprocmask(77, NULL, NULL));
	show("sigaltstack too small", sigaltstack(&stack, NULL));
	stack.ss_flags = 0x77;
	show("sigaltstack with bad flags", sigaltstack(&stack, NULL));
	sigfillset(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, NULL, &set);
	show("SIGKILL can be blocked", sigismember(&set, SIGKILL));
	show("SIGSTOP can be blocked", sigismember(&set, SIGSTOP));
	show("SIGTERM can be blocked", sigismember(&set, SIGTERM));
	set = set_of(0);
	sigprocmask(SIG_SETMASK, &set, NULL);
}

/* Bytes other than zero behind what the kernel knows of siginfo_t. */
static int used_beyond(const siginfo_t *info)
{
	const unsigned char *bytes = (const unsigned char *)info;
	int nr = 0;

	for (unsigned i = 48; i < sizeof(*info); i++)
		nr += bytes[i] != 0;
	return nr;
}

static void queue_info(const char *what, int code, int fill)
{
	sigset_t set = set_of(SIGUSR2);
	siginfo_t info;

	memset(&info, fill, sizeof(info));
	info.si_code = code;
	show(what, syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR2, &info));
	memset(&info, 0xff, sizeof(info));
	if (sigtimedwait(&set, &info, &(struct timespec){0, 0}) == SIGUSR2)
		say("  code %d, used beyond: %d\n", info.si_code, used_beyond(&info));
}

/* What a program says in siginfo_t beyond what the kernel knows. */
static void test_info(void)
{
	sigset_t set = set_of(SIGUSR2), old;

	sigprocmask(SIG_BLOCK, &set, &old);
	queue_info("queue with a clean rest", SI_QUEUE, 0);
	queue_info("queue with a rest that is used", SI_QUEUE, 0x55);
	queue_info("a private code with a clean rest", -100, 0);
	queue_info("a private code with a rest that is used", -100, 0x55);
	show("queue from nowhere", syscall(SYS_rt_sigqueueinfo, getpid(), SIGUSR2, 16L));
	install_info(SIGUSR2, on_info, 0);
	memset(&last_info, 0xff, sizeof(last_info));
	raise(SIGUSR2);
	sigprocmask(SIG_SETMASK, &old, NULL);
	say("in a handler: code %d, used beyond: %d\n", last_info.si_code, used_beyond(&last_info));
	count = 0;
}

static void test_delivery(void)
{
	sigset_t set = set_of(SIGUSR1), old, pending;
	union sigval value = {.sival_int = 4711};

	install(SIGUSR1, on_signal, 0);
	raise(SIGUSR1);
	show("caught before raise returns", count);
	sigprocmask(SIG_BLOCK, &set, &old);
	count = 0;
	raise(SIGUSR1);
	raise(SIGUSR1);
	raise(SIGUSR1);
	sigpending(&pending);
	say("blocked: caught %d, pending %d\n", (int)count, sigismember(&pending, SIGUSR1));
	sigprocmask(SIG_SETMASK, &old, NULL);
	show("three make one", count);
	sigpending(&pending);
	show("pending after", sigismember(&pending, SIGUSR1));

	install(SIGRTMIN, on_signal, 0);
	set = set_of(SIGRTMIN);
	sigprocmask(SIG_BLOCK, &set, NULL);
	count = 0;
	for (int i = 0; i < 5; i++)
		sigqueue(getpid(), SIGRTMIN, value);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	show("real-time signals queue", count);

	install_info(SIGUSR2, on_info, 0);
	kill(getpid(), SIGUSR2);
	say("kill: code %d signo %d pid %s uid %s\n", last_info.si_code, last_info.si_signo,
	    last_info.si_pid == getpid() ? "right" : "WRONG",
	    last_info.si_uid == getuid() ? "right" : "WRONG");
	sigqueue(getpid(), SIGUSR2, value);
	say("sigqueue: code %d value %d\n", last_info.si_code, last_info.si_value.sival_int);
	syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR2);
	say("tgkill: code %d\n", last_info.si_code);
	install(SIGUSR2, SIG_IGN, 0);
	count = 0;
	kill(getpid(), SIGUSR2);
	show("ignored", count);
	set = set_of(SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	install(SIGUSR2, on_signal, 0);
	kill(getpid(), SIGUSR2);
	install(SIGUSR2, SIG_IGN, 0);
	install(SIGUSR2, on_signal, 0);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	show("ignoring drops a pending one", count);
	install(SIGUSR1, SIG_DFL, 0);
	install(SIGUSR2, SIG_DFL, 0);
}

static void nested_usr1(int number)
{
	sigset_t set;

	(void)number;
	sigprocmask(SIG_BLOCK, NULL, &set);
	say("in SIGUSR1 %d: blocked USR1 %d USR2 %d\n", (int)++count, sigismember(&set, SIGUSR1),
	    sigismember(&set, SIGUSR2));
	if (count < 3)
		raise(SIGUSR1);
	raise(SIGUSR2);
	say("leaving SIGUSR1\n");
}

static void nested_usr2(int number)
{
	(void)number;
	say("in SIGUSR2\n");
}

static void test_flags(void)
{
	struct sigaction action = {.sa_handler = nested_usr1}, got;

	install(SIGUSR2, nested_usr2, 0);
	count = 0;
	install(SIGUSR1, nested_usr1, 0);
	raise(SIGUSR1);
	say("plain: entered %d times\n", (int)count);
	count = 0;
	install(SIGUSR1, nested_usr1, SA_NODEFER);
	raise(SIGUSR1);
	say("NODEFER: entered %d times\n", (int)count);
	count = 2;
	sigaddset(&action.sa_mask, SIGUSR2);
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &got);
	say("got back: handler %d mask %d flags of ours %d\n", got.sa_handler == nested_usr1,
	    sigismember(&got.sa_mask, SIGUSR2), got.sa_flags & 0x0bffffff);
	count = 0;
	install(SIGUSR1, on_signal, SA_RESETHAND);
	raise(SIGUSR1);
	sigaction(SIGUSR1, NULL, &got);
	say("RESETHAND: caught %d, now default %d\n", (int)count, got.sa_handler == SIG_DFL);
	install(SIGUSR2, SIG_DFL, 0);
}

static unsigned char alternate[65536];
static volatile int on_alternate;

static void stack_handler(int number)
{
	unsigned char here;
	stack_t stack;

	(void)number;
	on_alternate = &here >= alternate && &here < alternate + sizeof alternate;
	sigaltstack(NULL, &stack);
	say("flags in the handler %d\n", stack.ss_flags);
	stack.ss_flags = SS_DISABLE;
	show("changing it in use", sigaltstack(&stack, NULL));
}

static int overflow(int depth)
{
	volatile char frame[8192];

	frame[0] = (char)depth;
	if (depth == 100000)
		return 1;
	return overflow(depth + 1) + frame[0];
}

static void overflow_handler(int number)
{
	unsigned char here;

	say("overflow caught: signal %d on the alternate stack %d\n", number,
	    &here >= alternate && &here < alternate + sizeof alternate);
	_exit(12);
}

static int overflow_child(void *arg)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};

	(void)arg;
	sigaltstack(&stack, NULL);
	install(SIGSEGV, overflow_handler, SA_ONSTACK);
	return overflow(0);
}

static int overflow_no_stack(void *arg)
{
	(void)arg;
	install(SIGSEGV, overflow_handler, 0);
	return overflow(0);
}

static void test_altstack(void)
{
	stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate}, old;

	show("sigaltstack", sigaltstack(&stack, &old));
	show("old one was disabled", old.ss_flags == SS_DISABLE);
	install(SIGUSR1, stack_handler, SA_ONSTACK);
	raise(SIGUSR1);
	show("ran on it", on_alternate);
	install(SIGUSR1, stack_handler, 0);
	stack.ss_flags = SS_DISABLE;
	raise(SIGUSR1);
	show("without SA_ONSTACK ran on it", on_alternate);
	show("disable", sigaltstack(&stack, NULL));
	in_child("overflow with a stack for it", overflow_child, NULL);
	in_child("overflow without", overflow_no_stack, NULL);
	install(SIGUSR1, SIG_DFL, 0);
}

static void test_interrupted_calls(void)
{
	int ends[2];
	char byte;
	struct itimerval soon = {.it_value.tv_usec = 30000};
	struct timespec delay = {.tv_sec = 5}, left = {0};

	if (pipe(ends) != 0)
		give_up("pipe");
	install(SIGALRM, on_signal, 0);
	setitimer(ITIMER_REAL, &soon, NULL);
	show("read, interrupted", read(ends[0], &byte, 1));
	setitimer(ITIMER_REAL, &soon, NULL);
	show("nanosleep, interrupted", nanosleep(&delay, &left));
	show_true("nanosleep tells what is left", left.tv_sec == 4);
	setitimer(ITIMER_REAL, &soon, NULL);
	show("pause", pause());
	struct pollfd poll_fd = {.fd = ends[0], .events = POLLIN};
	setitimer(ITIMER_REAL, &soon, NULL);
	show("poll, interrupted", poll(&poll_fd, 1, 5000));
	sigset_t none = set_of(0);
	setitimer(ITIMER_REAL, &soon, NULL);
	show("sigsuspend", sigsuspend(&none));

	install(SIGALRM, on_signal, SA_RESTART);
	pid_t pid = fork();
	if (pid == 0) {
		sleep_ms(150);
		if (write(ends[1], "x", 1) != 1)
			_exit(1);
		_exit(0);
	}
	count = 0;
	setitimer(ITIMER_REAL, &soon, NULL);
	show("read, restarted", read(ends[0], &byte, 1));
	show("handler ran", count);
	reap(pid);
	setitimer(ITIMER_REAL, &soon, NULL);
	show("poll is never restarted", poll(&poll_fd, 1, 5000));

	/* A stop and continue without a handler does not interrupt. */
	pid = fork();
	if (pid == 0) {
		ssize_t n = read(ends[0], &byte, 1);
		_exit(n == 1 ? 31 : 32);
	}
	kill(pid, SIGSTOP);
	int status;
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGCONT);
	sleep_ms(20);
	if (write(ends[1], "y", 1) != 1)
		give_up("write");
	show_status("read over a stop", reap(pid));
	close(ends[0]);
	install(SIGPIPE, on_signal, 0);
	count = 0;
	show("write to a closed pipe", write(ends[1], "x", 1));
	say("SIGPIPE caught %d\n", (int)count);
	install(SIGPIPE, SIG_IGN, 0);
	show("write with SIGPIPE ignored", write(ends[1], "x", 1));
	close(ends[1]);
	install(SIGPIPE, SIG_DFL, 0);
	install(SIGALRM, SIG_DFL, 0);
}

static void test_timers(void)
{
	struct itimerval timer = {.it_value.tv_usec = 10000, .it_interval.tv_usec = 10000}, got;

	install(SIGALRM, on_signal, SA_RESTART);
	count = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
	while (count < 5)
		pause();
	getitimer(ITIMER_REAL, &got);
	show("interval", got.it_interval.tv_usec);
	memset(&timer, 0, sizeof timer);
	setitimer(ITIMER_REAL, &timer, &got);
	show("old interval", got.it_interval.tv_usec);
	count = 0;
	sleep_ms(40);
	show("stopped", count);
	alarm(100);
	show("alarm tells what was left", alarm(0));
	show("no alarm", alarm(0));
	alarm(1);
	pause();
	show("alarm of a second", count);
	show("bad timer", setitimer((__itimer_which_t)9, &timer, NULL));
	timer.it_value.tv_usec = 1000000;
	show("bad microseconds", setitimer(ITIMER_REAL, &timer, NULL));

	/* Processor time: a loop must be interrupted. */
	timer = (struct itimerval){.it_value.tv_usec = 20000};
	install(SIGVTALRM, on_signal, 0);
	count = 0;
	setitimer(ITIMER_VIRTUAL, &timer, NULL);
	while (count == 0)
		continue;
	show_true("ITIMER_VIRTUAL interrupts a loop", last == SIGVTALRM);
	timer.it_value.tv_usec = 20000;
	install(SIGPROF, on_signal, 0);
	count = 0;
	setitimer(ITIMER_PROF, &timer, NULL);
	while (count == 0)
		continue;
	show_true("ITIMER_PROF interrupts a loop", last == SIGPROF);
	install(SIGALRM, SIG_DFL, 0);
}

static void test_waiting(void)
{
	sigset_t set = set_of(SIGUSR1), old;
	siginfo_t info;
	struct timespec zero = {0}, brief = {.tv_nsec = 20000000}, bad = {.tv_nsec = -1};
	union sigval value = {.sival_int = 7};

	sigaddset(&set, SIGRTMIN + 1);
	sigprocmask(SIG_BLOCK, &set, &old);
	show("sigtimedwait, none", sigtimedwait(&set, &info, &zero));
	show("sigtimedwait, a while", sigtimedwait(&set, &info, &brief));
	show("sigtimedwait, bad time", sigtimedwait(&set, &info, &bad));
	kill(getpid(), SIGUSR1);
	sigqueue(getpid(), SIGRTMIN + 1, value);
	show("sigwaitinfo takes the lower first", sigwaitinfo(&set, &info));
	say("code %d\n", info.si_code);
	show_true("then the other", sigwaitinfo(&set, &info) == SIGRTMIN + 1);
	say("value %d\n", info.si_value.sival_int);
	show("no more", sigtimedwait(&set, NULL, &zero));
	pid_t pid = fork();
	if (pid == 0) {
		sleep_ms(50);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	show("sigwaitinfo waits", sigwaitinfo(&set, &info));
	show_true("and says who", info.si_pid == pid);
	reap(pid);
	install(SIGUSR1, on_signal, 0);
	kill(getpid(), SIGUSR1);
	count = 0;
	sigset_t none = set_of(0);
	show("sigsuspend with one pending", sigsuspend(&none));
	show("caught", count);
	sigprocmask(SIG_BLOCK, NULL, &set);
	show("mask is back", sigismember(&set, SIGUSR1));
	sigprocmask(SIG_SETMASK, &old, NULL);
	install(SIGUSR1, SIG_DFL, 0);
}

static sigjmp_buf escape;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	last_info = *info;
	siglongjmp(escape, 1);
}

static unsigned char *page;
static int fd_of_empty_file;

static void fault_null(void) { *(volatile char *)0 = 1; }
static void fault_unmapped(void) { (void)*(volatile char *)(page + 4096 + 7); }
static void fault_read_only(void) { *(volatile char *)(page + 5) = 1; }
static void fault_jump(void) { ((void (*)(void))(uintptr_t)(page + 16))(); }
static void fault_beyond_file(void)
{
	volatile char *p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd_of_empty_file, 0);
	(void)*p;
}

static void try_fault(const char *what, void (*fault)(void), void *address)
{
	if (sigsetjmp(escape, 1) == 0) {
		fault();
		say("%s: no fault\n", what);
	} else {
		say("%s: signal %d code %d address %s\n", what, last_info.si_signo, last_info.si_code,
		    address == (void *)-1 || last_info.si_addr == address ? "right" : "WRONG");
	}
}

/* Skip over the faulting instruction by way of the saved context. */
static void on_fault_open_page(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	last_info = *info;
	mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void test_faults(void)
{
	page = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(page + 4096, 4096);
	fd_of_empty_file = open("empty", O_RDWR | O_CREAT, 0600);
	unlink("empty");
	install_info(SIGSEGV, on_fault, 0);
	install_info(SIGBUS, on_fault, 0);
	try_fault("null", fault_null, NULL);
	try_fault("unmapped", fault_unmapped, page + 4096 + 7);
	try_fault("read-only", fault_read_only, page + 5);
	try_fault("not executable", fault_jump, page + 16);
	try_fault("beyond the file", fault_beyond_file, (void *)-1);
	try_fault("null again", fault_null, NULL);
	install_info(SIGSEGV, on_fault_open_page, 0);
	*(volatile char *)(page + 9) = 77;
	say("handler opened the page and the store was done again: %d\n", page[9]);
	install(SIGSEGV, SIG_DFL, 0);
	install(SIGBUS, SIG_DFL, 0);
	close(fd_of_empty_file);
	munmap(page, 4096);
}

static int fault_while_blocked(void *arg)
{
	sigset_t set = set_of(SIGSEGV);

	(void)arg;
	install(SIGSEGV, on_signal, 0);
	sigprocmask(SIG_BLOCK, &set, NULL);
	fault_null();
	return 0;
}

static int fault_while_ignored(void *arg)
{
	(void)arg;
	install(SIGSEGV, SIG_IGN, 0);
	fault_null();
	return 0;
}

static void fault_in_handler(int number)
{
	(void)number;
	fault_null();
}

static int fault_twice(void *arg)
{
	(void)arg;
	install(SIGSEGV, fault_in_handler, 0);
	fault_null();
	return 0;
}

static int sent_while_blocked(void *arg)
{
	sigset_t set = set_of(SIGSEGV);

	(void)arg;
	sigprocmask(SIG_BLOCK, &set, NULL);
	kill(getpid(), SIGSEGV);
	return 13;
}

static int aborts(void *arg)
{
	(void)arg;
	abort();
}

static void wild_handler_return(int number) { (void)number; }

static int bad_handler(void *arg)
{
	(void)arg;
	install(SIGUSR1, (void (*)(int))(uintptr_t)0x1000, 0);
	raise(SIGUSR1);
	return 0;
}

static int raw_sigreturn(void *arg)
{
	/* sigreturn with no frame there: whatever is loaded, it must end in SIGSEGV. */
	(void)arg;
	install(SIGUSR1, wild_handler_return, 0);
	raise(SIGUSR1);
	char *low = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memset(low, 0x5a, 8192);
#if defined(__x86_64__)
	__asm__ volatile("mov %0, %%rsp; mov $15, %%eax; syscall" : : "r"(low + 4096) : "memory");
#else
	__asm__ volatile("mov sp, %0; mov x8, #139; svc #0" : : "r"(low + 4096) : "memory");
#endif
	__builtin_unreachable();
}

static int bad_stack(void *arg)
{
	(void)arg;
	install(SIGALRM, on_signal, 0);
	struct itimerval soon = {.it_value.tv_usec = 20000};
	setitimer(ITIMER_REAL, &soon, NULL);
#if defined(__x86_64__)
	__asm__ volatile("mov $64, %%rsp; 1: jmp 1b" : : : "memory");
#else
	__asm__ volatile("mov x0, #64; mov sp, x0; 1: b 1b" : : : "x0", "memory");
#endif
	__builtin_unreachable();
}

static void test_deaths(void)
{
	in_child("fault while blocked", fault_while_blocked, NULL);
	in_child("fault while ignored", fault_while_ignored, NULL);
	in_child("fault in the handler of faults", fault_twice, NULL);
	in_child("SIGSEGV sent while blocked", sent_while_blocked, NULL);
	in_child("abort", aborts, NULL);
	in_child("handler nowhere", bad_handler, NULL);
	in_child("sigreturn without a frame", raw_sigreturn, NULL);
	in_child("signal on a bad stack", bad_stack, NULL);
}

static void test_many(void)
{
	/* A child and its parent throw signals at each other. */
	pid_t parent = getpid();

	install(SIGUSR1, on_signal, SA_RESTART);
	sigset_t set = set_of(SIGUSR1), old;
	sigprocmask(SIG_BLOCK, &set, &old);
	pid_t pid = fork();
	if (pid == 0) {
		siginfo_t info;
		for (int i = 0; i < 500; i++) {
			kill(parent, SIGUSR1);
			sigwaitinfo(&set, &info);
		}
		_exit(0);
	}
	siginfo_t info;
	for (int i = 0; i < 500; i++) {
		sigwaitinfo(&set, &info);
		kill(pid, SIGUSR1);
	}
	show_status("500 signals each way", reap(pid));
	sigprocmask(SIG_SETMASK, &old, NULL);
	count = 0;
	for (int i = 0; i < 10000; i++)
		raise(SIGUSR1);
	show("10000 to itself", count);
	install(SIGUSR1, SIG_DFL, 0);
}

int main(void)
{
	enter_private_directory("signal");
	test_errors();
	test_info();
	test_delivery();
	test_flags();
	test_altstack();
	test_interrupted_calls();
	test_timers();
	test_waiting();
	test_faults();
	test_deaths();
	test_many();
	leave_private_directory();
	return 0;
}
