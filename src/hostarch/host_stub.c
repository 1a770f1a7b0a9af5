/*
 * Stub processes: starting, waking, interrupting, ending them. Contracts in host.h.
 *
 * A stub is started with clone(CLONE_VM | CLONE_VFORK) and execve of a memfd, so
 * that the cost does not grow with the kernel's memory, and by its name in
 * /proc, so that valgrind lets it go (execveat does not pass).
 */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "hostarch/host_internal.h"
#include "hostarch/stub/stub.h"

#define CHILD_STACK_BYTES (64 * 1024)
#define MAX_PIDS 16384

volatile int host_running_pid;
uint32_t *volatile host_running_doorbell;

/* Children alive, for the way out; the handlers read it. */
static volatile int live_pids[MAX_PIDS];
static volatile int nr_live;
static char *child_stack;

struct spawn {
	char argument[20];
	int error;
};

int host_stub_setup(const void *program, size_t program_bytes, size_t shared_bytes, void **base)
{
	int fd = host_memfd("levitate-stub");
	int error;
	void *map;

	if (fd < 0)
		return fd;
	if (write(fd, program, program_bytes) != (ssize_t)program_bytes)
		return -ENOSPC;
	/* Open for reading only: a file that is open for writing cannot be executed. */
	error = host_fd_reopen_readonly(fd, STUB_FD_PROGRAM);
	if (fd != STUB_FD_PROGRAM)
		close(fd);
	if (error != 0)
		return error;
	fd = host_memfd("levitate-shared");
	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)shared_bytes) != 0)
		return -errno;
	error = host_fd_move(fd, STUB_FD_SHARED);
	if (error != 0)
		return error;
	map = mmap(NULL, shared_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, STUB_FD_SHARED, 0);
	if (map == MAP_FAILED)
		return -errno;
	child_stack = mmap(NULL, CHILD_STACK_BYTES, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
	if (child_stack == MAP_FAILED)
		return -errno;
	*base = map;
	return 0;
}

/*
 * libc's clone() by its other name. That of ThreadSanitizer prepares the child for a copy of our memory, and would by
 * that make us, who share it, blind to synchronisation.
 */
int __clone(int (*fn)(void *arg), void *stack, int flags, void *arg, ...);

/* In the child, on its own small stack, the parent asleep: raw system calls only. */
static __attribute__((no_sanitize_thread)) int spawn_child(void *arg)
{
	struct spawn *spawn = arg;
	char *argv[] = {(char *)"levitate-guest", spawn->argument, NULL};
	char *envp[] = {NULL};
	char program[] = "/proc/self/fd/43";

	if (syscall(SYS_close_range, 0, STUB_FD_SHARED - 1, 0) != 0)
		for (int fd = 0; fd < STUB_FD_SHARED; fd++)
			close(fd);
	for (int fd = STUB_FD_SHARED; fd <= STUB_FD_PROGRAM; fd++)
		fcntl(fd, F_SETFD, 0);
	execve(program, argv, envp);
	spawn->error = errno;
	_exit(127);
}
_Static_assert(STUB_FD_PROGRAM == 43, "the name above");

int host_stub_spawn(uint64_t offset)
{
	struct spawn spawn = {.error = 0};
	sigset_t all, old;
	int pid, error;

	if (nr_live >= MAX_PIDS)
		return -EAGAIN;
	snprintf(spawn.argument, sizeof(spawn.argument), "%llx", (unsigned long long)offset);
	/* No handler of ours may run in the child: it shares our memory. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = __clone(spawn_child, child_stack + CHILD_STACK_BYTES, CLONE_VM | CLONE_VFORK | SIGCHLD, &spawn);
	error = errno;
	if (pid > 0 && spawn.error == 0)
		live_pids[nr_live++] = pid;
	sigprocmask(SIG_SETMASK, &old, NULL);
	if (pid < 0)
		return -error;
	if (spawn.error != 0) {
		waitpid(pid, NULL, 0);
		return -spawn.error;
	}
	return pid;
}

static void forget_pid(int pid)
{
	for (int i = 0; i < nr_live; i++) {
		if (live_pids[i] == pid) {
			live_pids[i] = live_pids[nr_live - 1];
			nr_live--;
			return;
		}
	}
}

void host_stub_kill(int pid)
{
	kill(pid, SIGKILL);
	forget_pid(pid);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}

int host_stub_reap(void)
{
	int pid = waitpid(-1, NULL, WNOHANG);

	if (pid <= 0)
		return 0;
	forget_pid(pid);
	return pid;
}

void host_stub_kill_all(void)
{
	for (int i = 0; i < nr_live; i++)
		kill(live_pids[i], SIGKILL);
}

void host_stub_set_running(int pid, uint32_t *doorbell)
{
	host_running_doorbell = doorbell;
	host_running_pid = pid;
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

void host_stub_kick(int pid) { kill(pid, STUB_SIG_KICK); }

void host_futex_wake(uint32_t *word) { syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0); }

void host_futex_wait(uint32_t *word, uint32_t value)
{
	syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0);
}

int host_futex_sleepers(uint32_t *word)
{
	/* Wakes none, moves up to one from the word to the word: counts without disturbing. */
	long n = syscall(SYS_futex, word, FUTEX_REQUEUE, 0, 1L, word, 0);

	return n > 0 ? (int)n : 0;
}

void host_yield(void) { sched_yield(); }

int host_getpid(void) { return getpid(); }
uint32_t host_uid(void) { return geteuid(); }
uint32_t host_gid(void) { return getegid(); }
