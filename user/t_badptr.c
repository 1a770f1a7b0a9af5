/*
 * t_badptr.c - bad pointers to every system call in common use: EFAULT, never a
 * crash, and never half a result in a page that may not be written.
 *
 * Four kinds: null page, unmapped, read-only (for results), the kernel's half;
 * and a buffer whose second half is unmapped.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>

static unsigned char *edge; /* two pages, the second is not mapped */
static unsigned char *read_only;
static int file_fd, dir_fd, pipe_fds[2];

/*
 * Every call gets `p` as its bad pointer. `kind` 'r': the call only reads there,
 * so a read-only page is no error and is not tried.
 */
struct call {
	const char *name;
	char kind;
	long (*make)(void *p);
};

#define READS(name, expression)                                                                              \
	static long name(void *p) { return (expression); }
#define WRITES(name, expression) READS(name, expression)

READS(c_open, syscall(SYS_openat, AT_FDCWD, p, O_RDONLY, 0))
READS(c_write, syscall(SYS_write, pipe_fds[1], p, 16UL))
WRITES(c_read, syscall(SYS_read, file_fd, p, 16UL))
WRITES(c_pread, syscall(SYS_pread64, file_fd, p, 16UL, 0L))
READS(c_pwrite, syscall(SYS_pwrite64, file_fd, p, 16UL, 0L))
READS(c_readv, syscall(SYS_readv, file_fd, p, 1L))
READS(c_writev, syscall(SYS_writev, file_fd, p, 1L))
WRITES(c_fstat, syscall(SYS_fstat, file_fd, p))
WRITES(c_newfstatat, syscall(SYS_newfstatat, AT_FDCWD, "file", p, 0L))
READS(c_newfstatat_name, syscall(SYS_newfstatat, AT_FDCWD, p, edge, 0L))
WRITES(c_statx, syscall(SYS_statx, AT_FDCWD, "file", 0L, 0x7ffL, p))
WRITES(c_statfs, syscall(SYS_statfs, ".", p))
READS(c_statfs_name, syscall(SYS_statfs, p, edge))
WRITES(c_fstatfs, syscall(SYS_fstatfs, file_fd, p))
WRITES(c_getdents64, (lseek(dir_fd, 0, SEEK_SET), syscall(SYS_getdents64, dir_fd, p, 1000UL)))
WRITES(c_getcwd, syscall(SYS_getcwd, p, 1000UL))
READS(c_chdir, syscall(SYS_chdir, p))
READS(c_mkdirat, syscall(SYS_mkdirat, AT_FDCWD, p, 0700L))
READS(c_mknodat, syscall(SYS_mknodat, AT_FDCWD, p, (long)S_IFREG | 0600, 0L))
READS(c_unlinkat, syscall(SYS_unlinkat, AT_FDCWD, p, 0L))
READS(c_linkat_from, syscall(SYS_linkat, AT_FDCWD, p, AT_FDCWD, "x", 0L))
READS(c_linkat_to, syscall(SYS_linkat, AT_FDCWD, "file", AT_FDCWD, p, 0L))
READS(c_symlinkat_from, syscall(SYS_symlinkat, p, AT_FDCWD, "x"))
READS(c_symlinkat_to, syscall(SYS_symlinkat, "x", AT_FDCWD, p))
READS(c_renameat_from, syscall(SYS_renameat2, AT_FDCWD, p, AT_FDCWD, "x", 0L))
READS(c_renameat_to, syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, p, 0L))
WRITES(c_readlinkat, syscall(SYS_readlinkat, AT_FDCWD, "link", p, 4L))
READS(c_readlinkat_name, syscall(SYS_readlinkat, AT_FDCWD, p, edge, 4L))
READS(c_faccessat, syscall(SYS_faccessat, AT_FDCWD, p, 0L))
READS(c_fchmodat, syscall(SYS_fchmodat, AT_FDCWD, p, 0600L))
READS(c_fchownat, syscall(SYS_fchownat, AT_FDCWD, p, -1L, -1L, 0L))
READS(c_truncate, syscall(SYS_truncate, p, 0L))
READS(c_utimensat, syscall(SYS_utimensat, AT_FDCWD, "file", p, 0L))
READS(c_utimensat_name, syscall(SYS_utimensat, AT_FDCWD, p, NULL, 0L))
READS(c_execve, syscall(SYS_execve, p, NULL, NULL))
READS(c_execve_argv, syscall(SYS_execve, "/proc/self/exe", p, NULL))
WRITES(c_pipe2, syscall(SYS_pipe2, p, 0L))
WRITES(c_uname, syscall(SYS_uname, p))
WRITES(c_gettimeofday, syscall(SYS_gettimeofday, p, NULL))
WRITES(c_clock_gettime, syscall(SYS_clock_gettime, (long)CLOCK_REALTIME, p))
WRITES(c_clock_getres, syscall(SYS_clock_getres, (long)CLOCK_REALTIME, p))
READS(c_nanosleep, syscall(SYS_nanosleep, p, NULL))
READS(c_clock_nanosleep, syscall(SYS_clock_nanosleep, (long)CLOCK_MONOTONIC, 0L, p, NULL))
WRITES(c_times, syscall(SYS_times, p))
WRITES(c_getrusage, syscall(SYS_getrusage, (long)RUSAGE_SELF, p))
WRITES(c_sysinfo, syscall(SYS_sysinfo, p))
WRITES(c_getitimer, syscall(SYS_getitimer, (long)ITIMER_REAL, p))
READS(c_setitimer, syscall(SYS_setitimer, (long)ITIMER_REAL, p, NULL))
WRITES(c_getrlimit, syscall(SYS_prlimit64, 0L, (long)RLIMIT_NOFILE, NULL, p))
READS(c_setrlimit, syscall(SYS_prlimit64, 0L, (long)RLIMIT_NOFILE, p, NULL))
WRITES(c_getresuid, syscall(SYS_getresuid, p, edge, edge))
WRITES(c_getgroups, getgroups(0, NULL) > 0 ? syscall(SYS_getgroups, 1000L, p) : (errno = EFAULT, -1L))
READS(c_rt_sigaction, syscall(SYS_rt_sigaction, (long)SIGUSR1, p, NULL, 8L))
WRITES(c_rt_sigaction_old, syscall(SYS_rt_sigaction, (long)SIGUSR1, NULL, p, 8L))
READS(c_rt_sigprocmask, syscall(SYS_rt_sigprocmask, 0L, p, NULL, 8L))
WRITES(c_rt_sigprocmask_old, syscall(SYS_rt_sigprocmask, 0L, NULL, p, 8L))
WRITES(c_rt_sigpending, syscall(SYS_rt_sigpending, p, 8L))
READS(c_rt_sigsuspend, syscall(SYS_rt_sigsuspend, p, 8L))
READS(c_rt_sigtimedwait, syscall(SYS_rt_sigtimedwait, p, NULL, NULL, 8L))
READS(c_sigaltstack, syscall(SYS_sigaltstack, p, NULL))
WRITES(c_sigaltstack_old, syscall(SYS_sigaltstack, NULL, p))
WRITES(c_ppoll, syscall(SYS_ppoll, p, 1L, &(struct timespec){0, 0}, NULL, 8L))
READS(c_ppoll_time, syscall(SYS_ppoll, NULL, 0L, p, NULL, 8L))
WRITES(c_pselect6, syscall(SYS_pselect6, 8L, p, NULL, NULL, &(struct timespec){0, 0}, NULL))
READS(c_futex, syscall(SYS_futex, p, 0L, 0L, &(struct timespec){0, 1000}, NULL, 0L))
WRITES(c_getrandom, syscall(SYS_getrandom, p, 16L, 0L))
WRITES(c_sched_getaffinity, syscall(SYS_sched_getaffinity, 0L, 128L, p))
READS(c_sched_setaffinity, syscall(SYS_sched_setaffinity, 0L, 128L, p))
WRITES(c_ioctl_fionread, syscall(SYS_ioctl, pipe_fds[0], FIONREAD, p))
READS(c_mincore, syscall(SYS_mincore, edge, 4096L, p))
WRITES(c_sendfile, syscall(SYS_sendfile, pipe_fds[1], file_fd, p, 1L))
READS(c_fcntl_lock, syscall(SYS_fcntl, file_fd, (long)F_SETLK, p))
WRITES(c_prctl_name, syscall(SYS_prctl, 16L /* PR_GET_NAME */, p, 0L, 0L, 0L))
READS(c_clone3, syscall(SYS_clone3, p, 88L))

/* wait4 needs somebody to wait for; whatever it did, nobody is left after. */
static long c_wait4(void *p)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	long result = syscall(SYS_wait4, (long)pid, p, 0L, NULL);
	int error = errno;
	waitpid(pid, NULL, 0);
	errno = error;
	return result;
}

static const struct call calls[] = {
#define C(name, kind)                                                                                        \
	{                                                                                                    \
#name, kind, c_##name                                                                        \
	}
	C(open, 'r'),
	C(write, 'r'),
	C(read, 'w'),
	C(pread, 'w'),
	C(pwrite, 'r'),
	C(readv, 'r'),
	C(writev, 'r'),
	C(fstat, 'w'),
	C(newfstatat, 'w'),
	C(newfstatat_name, 'r'),
	C(statx, 'w'),
	C(statfs, 'w'),
	C(statfs_name, 'r'),
	C(fstatfs, 'w'),
	C(getdents64, 'w'),
	C(getcwd, 'w'),
	C(chdir, 'r'),
	C(mkdirat, 'r'),
	C(mknodat, 'r'),
	C(unlinkat, 'r'),
	C(linkat_from, 'r'),
	C(linkat_to, 'r'),
	C(symlinkat_from, 'r'),
	C(symlinkat_to, 'r'),
	C(renameat_from, 'r'),
	C(renameat_to, 'r'),
	C(readlinkat, 'w'),
	C(readlinkat_name, 'r'),
	C(faccessat, 'r'),
	C(fchmodat, 'r'),
	C(fchownat, 'r'),
	C(truncate, 'r'),
	C(utimensat, 'r'),
	C(utimensat_name, 'n'),
	C(execve, 'r'),
	C(execve_argv, 'r'),
	C(pipe2, 'w'),
	C(wait4, 'w'),
	C(uname, 'w'),
	C(gettimeofday, 'w'),
	C(clock_gettime, 'w'),
	C(clock_getres, 'w'),
	C(nanosleep, 'r'),
	C(clock_nanosleep, 'r'),
	C(times, 'w'),
	C(getrusage, 'w'),
	C(sysinfo, 'w'),
	C(getitimer, 'w'),
	C(setitimer, 'r'),
	C(getrlimit, 'w'),
	C(setrlimit, 'r'),
	C(getresuid, 'w'),
	C(getgroups, 'w'),
	C(rt_sigaction, 'r'),
	C(rt_sigaction_old, 'w'),
	C(rt_sigprocmask, 'r'),
	C(rt_sigprocmask_old, 'w'),
	C(rt_sigpending, 'w'),
	C(rt_sigsuspend, 'r'),
	C(rt_sigtimedwait, 'r'),
	C(sigaltstack, 'r'),
	C(sigaltstack_old, 'w'),
	C(ppoll, 'w'),
	C(ppoll_time, 'r'),
	C(pselect6, 'r'),
	C(futex, 'r'),
	C(getrandom, 'w'),
	C(sched_getaffinity, 'w'),
	C(sched_setaffinity, 'r'),
	C(ioctl_fionread, 'w'),
	C(mincore, 'w'),
	C(sendfile, 'w'),
	C(fcntl_lock, 'r'),
	C(prctl_name, 'w'),
	C(clone3, 'r'),
#undef C
};

static void try_pointer(const struct call *call, const char *what, void *p)
{
	lseek(file_fd, 0, SEEK_SET);
	long result = call->make(p);

	if (result == -1)
		say("  %s %s\n", what, errno_name(errno));
	else
		say("  %s %s\n", what, result > 0 ? "positive" : "0");
}

static int try_call(void *arg)
{
	const struct call *call = arg;

	say("%s\n", call->name);
	try_pointer(call, "null page", bad_address);
	try_pointer(call, "unmapped", edge + 4096);
	try_pointer(call, "kernel", (void *)0xffff888000000000UL);
	try_pointer(call, "last byte", (void *)~0UL);
	try_pointer(call, "last page", (void *)~0xfffUL);
	if (call->kind == 'w')
		try_pointer(call, "read-only", read_only);
	return 0;
}

/* A string and a structure that run into the unmapped page. */
static void test_edges(void)
{
	char *end = (char *)edge + 4096;
	char *name = end - 5;

	memcpy(name, "file", 5);
	show("name ends with the page", access(name, F_OK));
	memcpy(end - 4, "file", 4);
	show("name without its end", access(end - 4, F_OK));
	show("name of 1 character without its end", access(end - 1, F_OK));
	memset(edge, 'x', 4096);
	show("read up to the edge", pread(file_fd, end - 16, 16, 0));
	long beyond = pread(file_fd, end - 16, 32, 0);
	say("read beyond the edge: %s\n",
	    beyond == 16 || (beyond == -1 && errno == EFAULT) ? "as allowed" : "WRONG");
	memset(end - 16, 'y', 16);
	show("write up to the edge", pwrite(file_fd, end - 16, 16, 0));
	long n = pwrite(file_fd, end - 16, 32, 0);
	say("write beyond the edge: %s\n", n == 16 || (n == -1 && errno == EFAULT) ? "as allowed" : "WRONG");
	show("structure over the edge", syscall(SYS_fstat, file_fd, end - 16));
	show("structure up to the edge", syscall(SYS_fstat, file_fd, end - sizeof(struct stat)));
	struct iovec *parts = (struct iovec *)(void *)(end - sizeof *parts);
	parts->iov_base = edge;
	parts->iov_len = 4;
	show("vector up to the edge", readv(file_fd, parts, 1));
	show("vector over the edge", syscall(SYS_readv, file_fd, parts, 2L));
	long *argv = (long *)(void *)(end - 8);
	argv[0] = (long)(uintptr_t) "x";
	show("argv over the edge", syscall(SYS_execve, "/proc/self/exe", argv, NULL));
	mprotect(edge, 4096, PROT_NONE);
	show("PROT_NONE as a source", pwrite(file_fd, edge, 1, 0));
	show("PROT_NONE as a target", pread(file_fd, edge, 1, 0));
	show("PROT_NONE as a name", access((char *)edge, F_OK));
	mprotect(edge, 4096, PROT_READ | PROT_WRITE);
	show("opened again", pread(file_fd, edge, 1, 0));
	show("read-only as a source", pwrite(file_fd, read_only, 1, 0));
	show("program text as a target", pread(file_fd, (void *)(uintptr_t)&test_edges, 1, 0));
	show("constant as a target", pread(file_fd, (void *)(uintptr_t) "constant", 1, 0));
}

/* A long read into two pages, the second of which is gone: what was read stays. */
static void test_partial(void)
{
	unsigned char *p = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int ends[2];

	munmap(p + 4096, 4096);
	if (pipe(ends) != 0)
		give_up("pipe");
	show("fill", write(ends[1], "0123456789", 10));
	long n = read(ends[0], p + 4091, 10);
	say("read half bad: %s\n", n == 5 || (n == -1 && errno == EFAULT) ? "as allowed" : "WRONG");
	n = write(ends[1], p + 4091, 10);
	say("write half bad: %s\n", n == 5 || (n == -1 && errno == EFAULT) ? "as allowed" : "WRONG");
	close(ends[0]);
	close(ends[1]);
	munmap(p, 4096);
}

int main(void)
{
	enter_private_directory("badptr");
	edge = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	read_only = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(edge + 4096, 4096);
	file_fd = open("file", O_RDWR | O_CREAT, 0600);
	dir_fd = open(".", O_RDONLY);
	if (file_fd < 0 || dir_fd < 0 || pipe2(pipe_fds, O_NONBLOCK) != 0 || symlink("x", "link") != 0)
		give_up("files");
	if (write(file_fd, "0123456789012345678901234567890123456789", 40) != 40)
		give_up("write");
	for (size_t i = 0; i < COUNT_OF(calls); i++)
		in_child(calls[i].name, try_call, (void *)(uintptr_t)&calls[i]);
	test_edges();
	test_partial();
	unlink("file");
	unlink("link");
	unlink("x");
	leave_private_directory();
	return 0;
}
