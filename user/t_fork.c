/*
 * t_fork.c - what a child gets: fork, vfork, clone and clone3.
 *
 * Memory of every kind (data, heap, stack, private, shared, file, PROT_NONE,
 * MADV_DONTFORK, MADV_WIPEONFORK), descriptors, directory, signals, timers, and
 * the flags of clone one by one.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#define PAGE 4096UL
#define MIB (1024UL * 1024)

static int in_data = 1;
static int in_bss;
static const int in_rodata = 77;

/* Map private anonymous memory; never fails. */
static unsigned char *map(size_t len, int prot, int flags)
{
	unsigned char *p = mmap(NULL, len, prot, flags | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		give_up("mmap");
	return p;
}

static unsigned char *map_private(size_t len) { return map(len, PROT_READ | PROT_WRITE, MAP_PRIVATE); }

static unsigned char *map_shared(size_t len) { return map(len, PROT_READ | PROT_WRITE, MAP_SHARED); }

/* --- memory --- */

static void test_identity(void)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	if (pid == 0) {
		show_true("child's getppid is the parent", getppid() == parent);
		show_true("child's pid is new", getpid() != parent);
		show_true("child's tid is its pid", syscall(SYS_gettid) == getpid());
		_exit(42);
	}
	show_status("child", reap(pid));
	show_true("parent's pid is kept", getpid() == parent);
}

static void test_private_copies(void)
{
	int on_stack = 3, *on_heap = malloc(sizeof *on_heap);
	unsigned char *mapped = map_private(3 * PAGE);

	*on_heap = 4;
	mapped[PAGE] = 5;
	pid_t pid = fork();
	if (pid == 0) {
		say("child sees %d %d %d %d %d %d\n", in_data, in_bss, on_stack, *on_heap, mapped[PAGE],
		    in_rodata);
		in_data = in_bss = on_stack = *on_heap = 100;
		mapped[PAGE] = 100;
		mapped[0] = 1;
		say("child wrote %d %d %d %d %d\n", in_data, in_bss, on_stack, *on_heap, mapped[PAGE]);
		_exit(0);
	}
	reap(pid);
	say("parent sees %d %d %d %d %d %d\n", in_data, in_bss, on_stack, *on_heap, mapped[PAGE], mapped[0]);

	/* The other direction: what the parent writes after the fork. */
	int gate[2];
	if (pipe(gate) != 0)
		give_up("pipe");
	pid = fork();
	if (pid == 0) {
		char c;
		if (read(gate[0], &c, 1) != 1)
			_exit(1);
		say("child still sees %d %d\n", in_data, mapped[PAGE]);
		_exit(0);
	}
	in_data = 50;
	mapped[PAGE] = 60;
	if (write(gate[1], "x", 1) != 1)
		give_up("write");
	reap(pid);
	say("parent keeps %d %d\n", in_data, mapped[PAGE]);
	in_data = 1;
	close(gate[0]);
	close(gate[1]);
	munmap(mapped, 3 * PAGE);
	free(on_heap);
}

static int nested(int depth, unsigned char *page)
{
	page[depth] = (unsigned char)(depth + 1);
	if (depth == 6)
		return 60;
	pid_t pid = fork();
	if (pid == 0)
		_exit(nested(depth + 1, page));
	int status = reap(pid);
	int sum = 0;
	for (int i = 0; i < 10; i++)
		sum += page[i];
	say("depth %d sees sum %d\n", depth, sum);
	return WEXITSTATUS(status) + 1;
}

static void test_large_cow(void)
{
	size_t len = 16 * MIB;
	unsigned char *p = map_private(len);
	unsigned long wrong = 0;

	for (size_t i = 0; i < len; i += PAGE)
		*(size_t *)(p + i) = i;
	pid_t pid = fork();
	if (pid == 0) {
		for (size_t i = 0; i < len; i += 2 * PAGE)
			*(size_t *)(p + i) = ~i;
		for (size_t i = 0; i < len; i += PAGE)
			wrong += *(size_t *)(p + i) != (i / PAGE % 2 ? i : ~i);
		say("child finds %lu wrong pages\n", wrong);
		pid_t grandchild = fork();
		if (grandchild == 0) {
			for (size_t i = 0; i < len; i += PAGE)
				wrong += *(size_t *)(p + i) != (i / PAGE % 2 ? i : ~i);
			say("grandchild finds %lu wrong pages\n", wrong);
			memset(p, 0, len);
			_exit(0);
		}
		reap(grandchild);
		for (size_t i = 0; i < len; i += PAGE)
			wrong += *(size_t *)(p + i) != (i / PAGE % 2 ? i : ~i);
		say("child finds %lu wrong pages after its child wrote\n", wrong);
		_exit(0);
	}
	reap(pid);
	for (size_t i = 0; i < len; i += PAGE)
		wrong += *(size_t *)(p + i) != i;
	say("parent finds %lu wrong pages\n", wrong);
	munmap(p, len);
}

static void test_kernel_writes(void)
{
	/* read(2) into a page shared by fork must copy it first. */
	unsigned char *p = map_private(2 * PAGE);
	int fd = open("/dev/zero", O_RDONLY);

	memset(p, 7, 2 * PAGE);
	pid_t pid = fork();
	if (pid == 0) {
		show("child reads over a page border", read(fd, p + PAGE - 10, 20));
		say("child has %d %d %d %d\n", p[PAGE - 11], p[PAGE - 10], p[PAGE + 9], p[PAGE + 10]);
		_exit(0);
	}
	reap(pid);
	say("parent has %d %d\n", p[PAGE - 10], p[PAGE + 9]);
	close(fd);
	munmap(p, 2 * PAGE);
}

static void test_shared_mappings(void)
{
	unsigned char *anon = map_shared(2 * PAGE);
	unsigned char *untouched = map_shared(PAGE);
	pid_t pid = fork();

	if (pid == 0) {
		anon[0] = 10;
		pid_t grandchild = fork();
		if (grandchild == 0) {
			anon[PAGE] = 20;
			untouched[5] = 30;
			_exit(0);
		}
		reap(grandchild);
		_exit(anon[PAGE]);
	}
	show_status("child sees grandchild's write", reap(pid));
	say("parent sees shared %d %d %d\n", anon[0], anon[PAGE], untouched[5]);
	munmap(anon, 2 * PAGE);
	munmap(untouched, PAGE);

	int fd = open("shared", O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, 2 * PAGE) != 0)
		give_up("shared file");
	unsigned char *file = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	unsigned char *private = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED || private == MAP_FAILED)
		give_up("mmap of a file");
	private[0] = 1;
	pid = fork();
	if (pid == 0) {
		file[PAGE] = 40;
		private[PAGE + 1] = 50;
		private[0]++;
		_exit(private[0]);
	}
	show_status("child's private page of a file", reap(pid));
	unsigned char byte = 0;
	show("pread", pread(fd, &byte, 1, PAGE));
	say("file holds %d, mapping %d, private %d %d\n", byte, file[PAGE], private[0], private[PAGE + 1]);
	munmap(file, 2 * PAGE);
	munmap(private, 2 * PAGE);
	close(fd);
	unlink("shared");
}

static int touch_read(void *p) { return *(volatile unsigned char *)p; }

static int touch_write(void *p)
{
	*(volatile unsigned char *)p = 9;
	return 5;
}

static int touch_exec(void *p)
{
	((void (*)(void))(uintptr_t)p)();
	return 6;
}

static int open_and_read(void *p)
{
	if (mprotect(p, PAGE, PROT_READ) != 0)
		return 1;
	return *(unsigned char *)p;
}

static void test_madvise(void)
{
	unsigned char *p = map_private(3 * PAGE);

	memset(p, 8, 3 * PAGE);
	show("DONTFORK", madvise(p + PAGE, PAGE, MADV_DONTFORK));
	in_child("page before DONTFORK", touch_read, p);
	in_child("DONTFORK page", touch_read, p + PAGE);
	in_child("page after DONTFORK", touch_read, p + 2 * PAGE);
	say("parent keeps %d\n", p[PAGE]);
	show("DOFORK", madvise(p + PAGE, PAGE, MADV_DOFORK));
	in_child("DOFORK page", touch_read, p + PAGE);
	show("WIPEONFORK", madvise(p + PAGE, PAGE, MADV_WIPEONFORK));
	in_child("WIPEONFORK page", touch_read, p + PAGE);
	in_child("WIPEONFORK page, written", touch_write, p + PAGE);
	say("parent keeps %d\n", p[PAGE]);
	show("KEEPONFORK", madvise(p + PAGE, PAGE, MADV_KEEPONFORK));
	in_child("KEEPONFORK page", touch_read, p + PAGE);
	munmap(p, 3 * PAGE);
	p = map_shared(PAGE);
	show("WIPEONFORK of a shared mapping", madvise(p, PAGE, MADV_WIPEONFORK));
	munmap(p, PAGE);
}

static void test_rights(void)
{
	unsigned char *p = map_private(4 * PAGE);

	memset(p, 11, 4 * PAGE);
	mprotect(p, PAGE, PROT_NONE);
	mprotect(p + PAGE, PAGE, PROT_READ);
	in_child("PROT_NONE read in the child", touch_read, p);
	in_child("PROT_NONE write in the child", touch_write, p);
	in_child("PROT_NONE opened by the child", open_and_read, p);
	in_child("PROT_READ read in the child", touch_read, p + PAGE);
	in_child("PROT_READ write in the child", touch_write, p + PAGE);
	in_child("read-write executed in the child", touch_exec, p + 2 * PAGE);
	in_child("constant data executed in the child", touch_exec, (void *)(uintptr_t)&in_rodata);
	in_child("constant data written in the child", touch_write, (void *)(uintptr_t)&in_rodata);
	in_child("program text written in the child", touch_write, (void *)(uintptr_t)&touch_write);
	in_child("null page read in the child", touch_read, NULL);
	munmap(p + 3 * PAGE, PAGE);
	in_child("unmapped page read in the child", touch_read, p + 3 * PAGE);
	mprotect(p, PAGE, PROT_READ | PROT_WRITE);
	say("parent finds %d %d\n", p[0], p[PAGE]);
	munmap(p, 3 * PAGE);
}

static int grow_heap(void *arg)
{
	(void)arg;
	char *old = sbrk(0);
	if (sbrk(MIB) == (void *)-1)
		return 1;
	memset(old, 1, MIB);
	return 2;
}

static int recurse(int depth)
{
	volatile char frame[4000];

	memset((char *)frame, depth, sizeof frame);
	if (depth == 0)
		return frame[17];
	return recurse(depth - 1) + frame[33] - (char)depth;
}

static int deep_stack(void *arg) { return recurse((int)(intptr_t)arg) + 1; }

static int endless_stack(void *arg)
{
	volatile char frame[4000];

	frame[0] = (char)(intptr_t)arg;
	if ((intptr_t)arg == 1000000)
		return 1;
	return endless_stack((char *)arg + 1) + frame[0];
}

static int overflow_stack(void *arg)
{
	struct rlimit limit;

	getrlimit(RLIMIT_STACK, &limit);
	limit.rlim_cur = 8 * MIB;
	setrlimit(RLIMIT_STACK, &limit);
	return endless_stack(arg);
}

static void test_heap_and_stack(void)
{
	char *before = sbrk(0);

	in_child("child grows the heap", grow_heap, NULL);
	show_true("parent's break is kept", sbrk(0) == before);
	in_child("child uses 2 MiB of stack", deep_stack, (void *)500);
	in_child("child overflows its stack", overflow_stack, NULL);
	say("parent's stack works: %d\n", recurse(300));
}

static void test_many_vmas(void)
{
	enum { NR = 1000 };
	unsigned char *p = map_private(2 * NR * PAGE);
	int wrong = 0;

	for (int i = 0; i < NR; i++) {
		p[2 * (size_t)i * PAGE] = (unsigned char)i;
		mprotect(p + (2 * (size_t)i + 1) * PAGE, PAGE, PROT_NONE);
	}
	pid_t pid = fork();
	if (pid == 0) {
		for (int i = 0; i < NR; i++) {
			wrong += p[2 * (size_t)i * PAGE] != (unsigned char)i;
			p[2 * (size_t)i * PAGE] = 1;
		}
		_exit(wrong != 0);
	}
	show_status("child of 2000 mappings", reap(pid));
	for (int i = 0; i < NR; i++)
		wrong += p[2 * (size_t)i * PAGE] != (unsigned char)i;
	say("parent finds %d wrong\n", wrong);
	munmap(p, 2 * NR * PAGE);
}

static void test_many_children(void)
{
	pid_t children[100];
	int sum = 0;

	for (int i = 0; i < 300; i++) {
		pid_t pid = fork();
		if (pid == 0)
			_exit(i % 7);
		sum += WEXITSTATUS(reap(pid));
	}
	say("300 in turn: %d\n", sum);
	for (int i = 0; i < 100; i++) {
		children[i] = fork();
		if (children[i] == 0) {
			in_data += i;
			sleep_ms(20);
			_exit(in_data);
		}
	}
	sum = 0;
	for (int i = 99; i >= 0; i--)
		sum += WEXITSTATUS(reap(children[i]));
	say("100 at once: %d\n", sum);
}

/* --- everything else a child gets --- */

static volatile sig_atomic_t caught;

static void catch_signal(int number) { caught = number; }

static void test_descriptors(void)
{
	int fd = open("offsets", O_RDWR | O_CREAT | O_TRUNC, 0600);
	int close_on_exec = open("offsets", O_RDONLY | O_CLOEXEC);

	if (write(fd, "0123456789", 10) != 10)
		give_up("write");
	lseek(fd, 2, SEEK_SET);
	pid_t pid = fork();
	if (pid == 0) {
		show("child's offset", lseek(fd, 0, SEEK_CUR));
		lseek(fd, 7, SEEK_SET);
		show("child has the close-on-exec file", fcntl(close_on_exec, F_GETFD));
		show("child closes", close(fd));
		_exit(0);
	}
	reap(pid);
	show("parent's offset moved along", lseek(fd, 0, SEEK_CUR));
	close(fd);
	close(close_on_exec);
	unlink("offsets");
}

static void test_signals_and_timers(void)
{
	sigset_t set, old, pending;
	struct itimerval timer = {.it_value.tv_sec = 100};
	struct rlimit limit = {.rlim_cur = 100, .rlim_max = 1000}, got;

	signal(SIGUSR1, catch_signal);
	signal(SIGUSR2, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, &old);
	raise(SIGUSR1);
	setitimer(ITIMER_REAL, &timer, NULL);
	pid_t pid = fork();
	if (pid == 0) {
		sigpending(&pending);
		show("child: SIGUSR1 pending", sigismember(&pending, SIGUSR1));
		sigprocmask(SIG_BLOCK, NULL, &set);
		show("child: SIGUSR1 blocked", sigismember(&set, SIGUSR1));
		getitimer(ITIMER_REAL, &timer);
		show("child: timer seconds left", timer.it_value.tv_sec);
		raise(SIGUSR2);
		sigprocmask(SIG_SETMASK, &old, NULL);
		show("child: caught before", caught);
		raise(SIGUSR1);
		show_true("child: caught its own", caught == SIGUSR1);
		_exit(0);
	}
	show_status("child", reap(pid));
	getitimer(ITIMER_REAL, &timer);
	show_true("parent's timer runs", timer.it_value.tv_sec > 0);
	timer.it_value.tv_sec = 0;
	setitimer(ITIMER_REAL, &timer, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	show_true("parent: pending one is caught", caught == SIGUSR1);
	signal(SIGUSR1, SIG_DFL);
	signal(SIGUSR2, SIG_DFL);

	umask(027);
	getrlimit(RLIMIT_NOFILE, &got);
	limit.rlim_max = got.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	pid_t group = getpgrp(), session = getsid(0);
	pid = fork();
	if (pid == 0) {
		say("child's umask %03o\n", umask(0));
		getrlimit(RLIMIT_NOFILE, &limit);
		show("child's limit", (long)limit.rlim_cur);
		show_true("child's group", getpgrp() == group);
		show_true("child's session", getsid(0) == session);
		setpgid(0, 0);
		show_true("child makes its own group", getpgrp() == getpid());
		show_ok("child leads a group: setsid", setsid());
		if (chdir("/") != 0)
			_exit(1);
		_exit(0);
	}
	show_status("child", reap(pid));
	say("parent's umask %03o\n", umask(022));
	setrlimit(RLIMIT_NOFILE, &got);
	show_true("parent's group", getpgrp() == group);
	show("parent's directory is kept", access("/tmp", F_OK) == 0 && access("tmp", F_OK) != 0);
}

/* --- vfork --- */

static void test_vfork(const char *self)
{
	volatile int shared = 0;
	pid_t pid = vfork();

	if (pid == 0) {
		shared = 5;
		_exit(3);
	}
	say("vfork shares memory: %d\n", shared);
	show_status("vfork child", reap(pid));
	pid = vfork();
	if (pid == 0) {
		execl(self, self, "exit", "17", (char *)NULL);
		_exit(1);
	}
	show_status("vfork and exec", reap(pid));
	pid = vfork();
	if (pid == 0) {
		execl("/nonexistent", "x", (char *)NULL);
		shared = errno;
		_exit(4);
	}
	say("vfork child's exec failed with %s\n", errno_name(shared));
	show_status("vfork child", reap(pid));
	pid = vfork();
	if (pid == 0) {
		kill(getpid(), SIGKILL);
		_exit(1);
	}
	show_status("vfork child is killed", reap(pid));
}

/* --- clone --- */

struct cloned {
	int fd;
	int value;
};

static int clone_body(void *arg)
{
	struct cloned *shared = arg;

	shared->value++;
	close(shared->fd);
	if (chdir("/") != 0)
		return 1;
	return 21;
}

/* One clone with a stack of its own; prints what the parent sees after. */
static void try_clone(const char *what, int flags)
{
	static char stack[65536] __attribute__((aligned(16)));
	struct cloned shared = {.fd = open("/dev/null", O_RDONLY)};
	int home = open(".", O_RDONLY);
	int pid = clone(clone_body, stack + sizeof stack, flags, &shared);

	if (pid < 0) {
		say("clone %s: %s\n", what, errno_name(errno));
	} else {
		int status = -1;
		show_true(what, waitpid(pid, &status, flags & 0xff ? 0 : __WCLONE) == pid);
		show_status(what, status);
		say("clone %s: memory %s, descriptors %s, directory %s\n", what,
		    shared.value ? "shared" : "copied", fcntl(shared.fd, F_GETFD) < 0 ? "shared" : "copied",
		    access("tmp", F_OK) == 0 ? "shared" : "copied");
	}
	if (fchdir(home) != 0)
		give_up("fchdir");
	close(home);
	close(shared.fd);
}

/* The raw call in the order of this architecture's arguments. */
static long raw_clone(unsigned long flags, void *stack, int *parent_tid, int *child_tid)
{
#if defined(__x86_64__)
	return syscall(SYS_clone, flags, stack, parent_tid, child_tid, 0UL);
#else
	return syscall(SYS_clone, flags, stack, parent_tid, 0UL, child_tid);
#endif
}

static void test_clone_ids(void)
{
	int *tids = (int *)map_shared(PAGE);
	int parent_tid = 0, child_tid = 0;
	long pid =
		raw_clone(SIGCHLD | CLONE_PARENT_SETTID | CLONE_CHILD_SETTID, NULL, &parent_tid, &child_tid);

	if (pid == 0) {
		show_true("CHILD_SETTID in the child", child_tid == getpid());
		_exit(0);
	}
	show_status("clone with ids", reap((pid_t)pid));
	show_true("PARENT_SETTID in the parent", parent_tid == pid);
	show("CHILD_SETTID leaves the parent's copy", child_tid);

	tids[0] = 1234;
	pid = raw_clone(SIGCHLD | CLONE_CHILD_CLEARTID, NULL, NULL, tids);
	if (pid == 0)
		_exit(0);
	reap((pid_t)pid);
	show("CHILD_CLEARTID in memory nobody else shares", tids[0] == 0 || tids[0] == 1234);
	pid = raw_clone(SIGCHLD | CLONE_PARENT_SETTID, NULL, (int *)8, NULL);
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		reap((pid_t)pid);
	show_ok("PARENT_SETTID to a bad address", pid);
	munmap(tids, PAGE);
}

static void test_clone_parent(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		pid_t grandparent = getppid();
		long sibling = raw_clone(SIGCHLD | CLONE_PARENT, NULL, NULL, NULL);
		if (sibling == 0)
			_exit(getppid() == grandparent ? 33 : 34);
		int status;
		show("CLONE_PARENT: creator cannot wait", waitpid((pid_t)sibling, &status, 0));
		_exit(32);
	}
	show_status("creator", reap(pid));
	int status;
	show_true("its sibling is my child", wait(&status) > 0);
	show_status("sibling", status);
}

static void test_clone_exit_signal(void)
{
	int status;

	caught = 0;
	signal(SIGUSR1, catch_signal);
	long pid = raw_clone(SIGUSR1, NULL, NULL, NULL);
	if (pid == 0)
		_exit(7);
	show("plain wait ignores a clone child", waitpid((pid_t)pid, &status, WNOHANG));
	show_true("__WALL finds it", waitpid((pid_t)pid, &status, __WALL) == pid);
	show_status("clone child", status);
	show_true("exit signal is the one asked for", caught == SIGUSR1);
	signal(SIGUSR1, SIG_DFL);
}

static void test_clone(void)
{
	try_clone("SIGCHLD", SIGCHLD);
	try_clone("VM", SIGCHLD | CLONE_VM);
	try_clone("VM|FILES", SIGCHLD | CLONE_VM | CLONE_FILES);
	try_clone("FILES", SIGCHLD | CLONE_FILES);
	try_clone("FS", SIGCHLD | CLONE_FS);
	try_clone("VM|FS|FILES|SIGHAND", SIGCHLD | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND);
	try_clone("VM|VFORK", SIGCHLD | CLONE_VM | CLONE_VFORK);
	try_clone("no signal", 0);
	try_clone("SIGHAND without VM", SIGCHLD | CLONE_SIGHAND);
	try_clone("THREAD without SIGHAND", CLONE_VM | CLONE_THREAD);
	test_clone_ids();
	test_clone_parent();
	test_clone_exit_signal();
}

static void test_clone3(void)
{
	struct clone_args args = {.exit_signal = SIGCHLD};
	int tid = 0;

	if (syscall(SYS_clone3, NULL, sizeof args) == -1 && errno == ENOSYS) {
		say("no clone3\n");
		return;
	}
	show("clone3 at NULL", syscall(SYS_clone3, NULL, sizeof args));
	show("clone3 too short", syscall(SYS_clone3, &args, 8));
	args.exit_signal = 100;
	show("clone3 with a bad signal", syscall(SYS_clone3, &args, sizeof args));
	args.exit_signal = SIGCHLD;
	args.stack_size = 4096;
	show("clone3 with a size and no stack", syscall(SYS_clone3, &args, sizeof args));
	args.stack_size = 0;
	args.flags = CLONE_PARENT_SETTID;
	args.parent_tid = (uintptr_t)&tid;
	long pid = syscall(SYS_clone3, &args, sizeof args);
	if (pid == 0)
		_exit(44);
	show_status("clone3 child", reap((pid_t)pid));
	show_true("clone3 PARENT_SETTID", tid == pid);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "exit") == 0)
		return atoi(argv[2]);
	char *self = realpath("/proc/self/exe", NULL);
	if (self == NULL)
		give_up("/proc/self/exe");
	enter_private_directory("fork");
	test_identity();
	test_private_copies();
	unsigned char *page = map_private(PAGE);
	say("nested: %d\n", nested(0, page));
	test_large_cow();
	test_kernel_writes();
	test_shared_mappings();
	test_madvise();
	test_rights();
	test_heap_and_stack();
	test_many_vmas();
	test_many_children();
	test_descriptors();
	test_signals_and_timers();
	test_vfork(self);
	test_clone();
	test_clone3();
	leave_private_directory();
	return 0;
}
