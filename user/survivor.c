/*
 * A guest that goes on whatever fails: for runs in which allocations fail (tests/oom/guest.py). It uses
 * memory, processes, threads, pipes, sockets, files and signals, takes every error as it comes, and never
 * waits for somebody who may be dead. It ends with 0 when all its memory is what it should be after all that,
 * and with 9 when a byte is wrong. What has worked is a line of output.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096
#define NR_PAGES 300
#define RW (PROT_READ | PROT_WRITE)

static unsigned char *memory; /* page i holds i & 0xff */

static void done(const char *what)
{
	char line[64];
	int n = snprintf(line, sizeof line, "%s\n", what);

	if (write(STDOUT_FILENO, line, (size_t)n) != n)
		return; /* even that takes memory */
}

/* Is it all there? For children as well, who have a copy. */
static void check_memory(void)
{
	for (unsigned i = 0; i < NR_PAGES; i++)
		if (memory[i * PAGE] != (unsigned char)i || memory[i * PAGE + PAGE - 1] != (unsigned char)i)
			_exit(9);
}

/* The status of a child; ends with it when the child saw something wrong. */
static bool ended_well(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return false;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 9)
		_exit(9);
	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* ---- what it does --------------------------------------------------------- */

/* The child rewrites its copy. */
static void copies(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		check_memory();
		memset(memory, 0xee, NR_PAGES * PAGE);
		_exit(0);
	}
	memory[5 * PAGE + 1] = 1;
	if (ended_well(pid))
		done("fork");
	check_memory();
}

static void executes(char *self)
{
	pid_t pid = vfork();

	if (pid == 0) {
		execl(self, self, "child", (char *)NULL);
		_exit(1);
	}
	if (ended_well(pid))
		done("exec");
}

static void talks(void)
{
	char text[2000];
	ssize_t n, total = 0;
	int fds[2];
	pid_t pid;

	if (pipe(fds) != 0)
		return;
	pid = fork();
	if (pid == 0) {
		close(fds[0]);
		_exit(write(fds[1], memory, 20 * PAGE) == 20 * PAGE ? 0 : 1);
	}
	close(fds[1]);
	while ((n = read(fds[0], text, sizeof text)) > 0) {
		for (ssize_t i = 0; i < n; i++, total++)
			if (text[i] != (char)(total / PAGE))
				_exit(9);
	}
	close(fds[0]);
	if (ended_well(pid) && total == 20 * PAGE)
		done("pipe");
}

static void passes_descriptors(void)
{
	struct pollfd polled;
	char byte;
	int fds[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0)
		return;
	if (send(fds[0], "x", 1, MSG_DONTWAIT) == 1) {
		polled = (struct pollfd){fds[1], POLLIN, 0};
		if (poll(&polled, 1, 100) == 1 && recv(fds[1], &byte, 1, MSG_DONTWAIT) == 1)
			done("socket");
	}
	close(fds[0]);
	close(fds[1]);
}

static void maps(void)
{
	char *p = mmap(NULL, 50 * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), *q;

	if (p == MAP_FAILED)
		return;
	memset(p, 7, 50 * PAGE);
	if (mprotect(p + 10 * PAGE, 5 * PAGE, PROT_READ) == 0 && munmap(p + 20 * PAGE, PAGE) == 0)
		done("mprotect and munmap");
	q = mremap(p, 10 * PAGE, 100 * PAGE, MREMAP_MAYMOVE);
	if (q != MAP_FAILED) {
		if (q[0] != 7 || q[10 * PAGE - 1] != 7)
			_exit(9);
		done("mremap");
		munmap(q, 100 * PAGE);
	}
	munmap(p, 50 * PAGE);
}

static void uses_files(void)
{
	int fd = open("/tmp/survivor", O_RDWR | O_CREAT | O_TRUNC, 0600);
	char *p, byte = 0;

	if (fd < 0)
		return;
	if (write(fd, memory, 8 * PAGE) == 8 * PAGE) {
		p = mmap(NULL, 8 * PAGE, RW, MAP_SHARED, fd, 0);
		if (p != MAP_FAILED) {
			if (p[3 * PAGE] != 3)
				_exit(9);
			p[3 * PAGE] = 77;
			if (pread(fd, &byte, 1, 3 * PAGE) == 1 && byte != 77)
				_exit(9);
			done("file");
			if (ftruncate(fd, PAGE) == 0)
				done("truncate");
			munmap(p, 8 * PAGE);
		}
	}
	close(fd);
	unlink("/tmp/survivor");
}

static volatile sig_atomic_t nr_signals;
static void on_signal(int number)
{
	(void)number;
	nr_signals++;
}

static void handles_signals(void)
{
	signal(SIGUSR1, on_signal);
	if (kill(getpid(), SIGUSR1) == 0 && nr_signals == 1)
		done("signal");
}

static void *thread_main(void *arg)
{
	check_memory();
	return arg;
}

static void runs_threads(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, thread_main, NULL) == 0 && pthread_join(thread, NULL) == 0)
		done("thread");
}

int main(int argc, char **argv)
{
	if (argc > 1)
		return 0; /* the program that was executed */
	memory = mmap(NULL, NR_PAGES * PAGE, RW, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return 1;
	for (unsigned i = 0; i < NR_PAGES; i++)
		memset(memory + i * PAGE, (int)i, PAGE);
	for (unsigned round = 0; round < 2; round++) {
		copies();
		memory[5 * PAGE + 1] = 5;
		executes(argv[0]);
		talks();
		passes_descriptors();
		maps();
		uses_files();
		nr_signals = 0;
		handles_signals();
		runs_threads();
		check_memory();
	}
	return 0;
}
