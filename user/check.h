/*
 * check.h - what the guest test programs share.
 *
 * A test program prints one line a fact ("what: value").  It holds no expected
 * values: the same program runs on the host's Linux, and its output there is
 * what the output here must be.  So a line must not contain an address, a
 * process id or a time.  Everything goes out by write(2), unbuffered, so that
 * fork does not print anything twice.
 */
#ifndef CHECK_H
#define CHECK_H

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))
#define UNUSED __attribute__((unused))

/* An address where nothing is mapped, which the compiler does not know to be so. */
UNUSED static void *volatile bad_address = (void *)8;

/* Write one formatted line fragment to standard output. */
UNUSED __attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
	char line[1024];
	va_list args;

	va_start(args, format);
	int len = vsnprintf(line, sizeof line, format, args);
	va_end(args);
	if (len > (int)sizeof line - 1)
		len = sizeof line - 1;
	for (int done = 0; done < len;) {
		ssize_t n = write(STDOUT_FILENO, line + done, (size_t)(len - done));
		if (n < 0)
			_exit(99);
		done += (int)n;
	}
}

/* The name of an errno value, as in errno.h. */
UNUSED static const char *errno_name(int error)
{
	static const struct {
		int error;
		const char *name;
	} names[] = {
#define E(name) {name, #name}
		E(EPERM),	 E(ENOENT),  E(ESRCH),	   E(EINTR),  E(EIO),	    E(ENXIO),	E(E2BIG),
		E(ENOEXEC),	 E(EBADF),   E(ECHILD),	   E(EAGAIN), E(ENOMEM),    E(EACCES),	E(EFAULT),
		E(ENOTBLK),	 E(EBUSY),   E(EEXIST),	   E(EXDEV),  E(ENODEV),    E(ENOTDIR), E(EISDIR),
		E(EINVAL),	 E(ENFILE),  E(EMFILE),	   E(ENOTTY), E(ETXTBSY),   E(EFBIG),	E(ENOSPC),
		E(ESPIPE),	 E(EROFS),   E(EMLINK),	   E(EPIPE),  E(EDOM),	    E(ERANGE),	E(EDEADLK),
		E(ENAMETOOLONG), E(ENOSYS),  E(ENOTEMPTY), E(ELOOP),  E(EOVERFLOW), E(ENOTSUP), E(ENOTSOCK),
		E(ETIMEDOUT),	 E(ENODATA),
#undef E
	};
	static char other[16];

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (names[i].error == error)
			return names[i].name;
	snprintf(other, sizeof other, "errno %d", error);
	return other;
}

/* Print a result: the errno's name for -1, else the number. */
UNUSED static void show(const char *what, long result)
{
	if (result == -1)
		say("%s: %s\n", what, errno_name(errno));
	else
		say("%s: %ld\n", what, result);
}

/* Print only whether a call that returns an arbitrary value succeeded. */
UNUSED static void show_ok(const char *what, long result)
{
	if (result == -1)
		say("%s: %s\n", what, errno_name(errno));
	else
		say("%s: ok\n", what);
}

/* Print a truth. */
UNUSED static void show_true(const char *what, int truth) { say("%s: %s\n", what, truth ? "yes" : "NO"); }

/* Print what a wait status means. */
UNUSED static void show_status(const char *what, int status)
{
	if (WIFEXITED(status))
		say("%s: exit %d\n", what, WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		say("%s: signal %d\n", what, WTERMSIG(status));
	else if (WIFSTOPPED(status))
		say("%s: stopped %d\n", what, WSTOPSIG(status));
	else if (WIFCONTINUED(status))
		say("%s: continued\n", what);
	else
		say("%s: odd status %x\n", what, status);
}

/* Leave with a message when the test itself cannot go on. */
UNUSED __attribute__((noreturn)) static void give_up(const char *what)
{
	say("cannot go on: %s: %s\n", what, errno_name(errno));
	_exit(98);
}

/* waitpid that must work; returns the status. */
UNUSED static int reap(pid_t pid)
{
	int status = -1;
	pid_t got;

	do {
		got = waitpid(pid, &status, 0);
	} while (got < 0 && errno == EINTR);
	if (got != pid)
		give_up("waitpid");
	return status;
}

/*
 * Run fn(arg) in a forked child, wait for it and print how it ended.  fn's
 * result is the child's exit status.  A child that hangs is killed after 20 s.
 */
UNUSED static void in_child(const char *what, int (*fn)(void *), void *arg)
{
	pid_t pid = fork();

	if (pid < 0)
		give_up("fork");
	if (pid == 0) {
		alarm(20);
		_exit(fn(arg));
	}
	show_status(what, reap(pid));
}

/* Sleep for some milliseconds, whatever signals arrive. */
UNUSED static void sleep_ms(long ms)
{
	struct timespec left = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	while (nanosleep(&left, &left) != 0 && errno == EINTR)
		continue;
}

/* A directory of our own to work in; the current directory afterwards. */
UNUSED static void enter_private_directory(const char *name)
{
	static char path[64];

	snprintf(path, sizeof path, "/tmp/lvt.%s.XXXXXX", name);
	if (mkdtemp(path) == NULL || chdir(path) != 0)
		give_up("private directory");
}

/* Remove it; it must be empty by now. */
UNUSED static void leave_private_directory(void)
{
	char path[256];

	if (getcwd(path, sizeof path) == NULL || chdir("/") != 0 || rmdir(path) != 0)
		say("private directory is left: %s\n", errno_name(errno));
}

#endif
