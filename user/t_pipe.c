/*
 * t_pipe.c - pipes: ends, sizes, blocking and not, atomic writes, poll and
 * select, named pipes, and the errors.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <sys/uio.h>

static void make_pipe(int ends[2], int flags)
{
	if (pipe2(ends, flags) != 0)
		give_up("pipe");
}

static void close_pipe(int ends[2])
{
	close(ends[0]);
	close(ends[1]);
}

static void test_basic(void)
{
	int ends[2], waiting;
	char buffer[100];
	struct stat status;

	show("pipe to a bad place", pipe(bad_address));
	show("pipe2 with bad flags", pipe2(ends, 0x1234567));
	make_pipe(ends, 0);
	show("write", write(ends[1], "hello world", 11));
	show("bytes waiting", ioctl(ends[0], FIONREAD, &waiting) == 0 ? waiting : -1);
	show("read a part", read(ends[0], buffer, 5));
	show("read the rest", read(ends[0], buffer, 100));
	say("%.6s\n", buffer);
	show("read of the write end", read(ends[1], buffer, 1));
	show("write to the read end", write(ends[0], "x", 1));
	show("lseek", lseek(ends[0], 0, SEEK_SET));
	show("pread", pread(ends[0], buffer, 1, 0));
	show("pwrite", pwrite(ends[1], buffer, 1, 0));
	show("fsync", fsync(ends[1]));
	show("ftruncate", ftruncate(ends[1], 0));
	fstat(ends[0], &status);
	show("is a pipe", S_ISFIFO(status.st_mode));
	show("its size", status.st_size);
	show("write of nothing", write(ends[1], buffer, 0));
	show("flags of the read end", fcntl(ends[0], F_GETFL) & O_ACCMODE);
	show("flags of the write end", fcntl(ends[1], F_GETFL) & O_ACCMODE);
	show("write from a bad place", write(ends[1], bad_address, 1));
	show_true("write a byte", write(ends[1], "z", 1) == 1);
	show("read to a bad place", read(ends[0], bad_address, 1));
	show("write the last", write(ends[1], "last", 4));
	close(ends[1]);
	ssize_t n = read(ends[0], buffer, 100);
	show_true("what was written can be read after close", n >= 4);
	show("then end of file", read(ends[0], buffer, 100));
	close(ends[0]);
	make_pipe(ends, O_CLOEXEC | O_NONBLOCK);
	show("close on exec", fcntl(ends[0], F_GETFD));
	show("not blocking", (fcntl(ends[1], F_GETFL) & O_NONBLOCK) != 0);
	close_pipe(ends);
	struct iovec parts[3] = {{(char *)"ab", 2}, {(char *)"", 0}, {(char *)"cde", 3}};
	make_pipe(ends, 0);
	show("writev", writev(ends[1], parts, 3));
	char first[3], second[10];
	struct iovec into[2] = {{first, 3}, {second, 10}};
	show("readv", readv(ends[0], into, 2));
	say("%.3s %.2s\n", first, second);
	close_pipe(ends);
}

static void test_nonblocking(void)
{
	int ends[2];
	static char buffer[1 << 20];
	long total = 0, n;

	make_pipe(ends, O_NONBLOCK);
	show("read of an empty pipe", read(ends[0], buffer, 1));
	while ((n = write(ends[1], buffer, 4096)) > 0)
		total += n;
	show("full at", total);
	show("write to a full pipe", write(ends[1], buffer, 1));
	show("capacity", fcntl(ends[1], F_GETPIPE_SZ));
	show("read a page less one", read(ends[0], buffer, 4095));
	show("write of PIPE_BUF is all or nothing", write(ends[1], buffer, PIPE_BUF));
	show("read the odd byte", read(ends[0], buffer, 1));
	show("now it fits", write(ends[1], buffer, PIPE_BUF));
	while (read(ends[0], buffer, sizeof buffer) > 0)
		continue;
	show("a large write is cut", write(ends[1], buffer, sizeof buffer));
	while (read(ends[0], buffer, sizeof buffer) > 0)
		continue;
	close(ends[1]);
	show("end of file when not blocking", read(ends[0], buffer, 1));
	close(ends[0]);
	make_pipe(ends, O_NONBLOCK);
	show("set capacity", fcntl(ends[0], F_SETPIPE_SZ, 16384));
	total = 0;
	while ((n = write(ends[1], buffer, 1024)) > 0)
		total += n;
	show("smaller, full at", total);
	show("too small for what is in it", fcntl(ends[0], F_SETPIPE_SZ, 4096));
	close_pipe(ends);
}

static void test_broken(void)
{
	int ends[2];
	pid_t pid;

	make_pipe(ends, 0);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		(void)!write(ends[1], "x", 1);
		_exit(1);
	}
	show_status("reader is still there (the parent)", reap(pid));
	close(ends[0]);
	pid = fork();
	if (pid == 0) {
		(void)!write(ends[1], "x", 1);
		_exit(1);
	}
	show_status("no reader", reap(pid));
	signal(SIGPIPE, SIG_IGN);
	show("no reader, ignored", write(ends[1], "x", 1));
	show("no reader, nothing to write", write(ends[1], "x", 0));
	signal(SIGPIPE, SIG_DFL);
	close(ends[1]);

	/* A blocked writer is woken when the last reader goes. */
	make_pipe(ends, 0);
	pid = fork();
	if (pid == 0) {
		static char large[300000];
		close(ends[0]);
		signal(SIGPIPE, SIG_IGN);
		ssize_t n = write(ends[1], large, sizeof large);
		_exit(n == 65536 || (n < 0 && errno == EPIPE) ? 41 : 42);
	}
	close(ends[1]);
	sleep_ms(50);
	close(ends[0]);
	show_status("blocked writer", reap(pid));

	/* A blocked reader is woken when the last writer goes. */
	make_pipe(ends, 0);
	pid = fork();
	if (pid == 0) {
		char byte;
		close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 0 ? 43 : 44);
	}
	sleep_ms(30);
	close(ends[1]);
	show_status("blocked reader", reap(pid));
	close(ends[0]);
}

static void test_atomic(void)
{
	/* Eight writers of records of PIPE_BUF bytes; none may be torn. */
	enum { WRITERS = 8, RECORDS = 40 };
	int ends[2], torn = 0, records = 0;
	char record[PIPE_BUF];

	make_pipe(ends, 0);
	for (int i = 0; i < WRITERS; i++) {
		if (fork() == 0) {
			close(ends[0]);
			memset(record, 'a' + i, sizeof record);
			for (int j = 0; j < RECORDS; j++)
				if (write(ends[1], record, sizeof record) != (ssize_t)sizeof record)
					_exit(1);
			_exit(0);
		}
	}
	close(ends[1]);
	for (;;) {
		size_t have = 0;
		ssize_t n = 0;
		while (have < sizeof record && (n = read(ends[0], record + have, sizeof record - have)) > 0)
			have += (size_t)n;
		if (have == 0)
			break;
		records++;
		for (size_t i = 1; i < have; i++)
			if (record[i] != record[0]) {
				torn++;
				break;
			}
	}
	say("%d records, %d torn\n", records, torn);
	while (wait(NULL) > 0)
		continue;
	close(ends[0]);
}

static void test_bulk(void)
{
	int ends[2];
	unsigned long sum = 0, sent = 0;
	static unsigned char buffer[100003];

	make_pipe(ends, 0);
	for (size_t i = 0; i < sizeof buffer; i++)
		buffer[i] = (unsigned char)(i * 7 + i / 251);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		for (int i = 0; i < 100; i++)
			for (size_t done = 0; done < sizeof buffer;) {
				ssize_t n = write(ends[1], buffer + done, sizeof buffer - done);
				if (n <= 0)
					_exit(1);
				done += (size_t)n;
			}
		_exit(0);
	}
	close(ends[1]);
	unsigned char got[777];
	for (ssize_t n; (n = read(ends[0], got, sizeof got)) > 0;)
		for (ssize_t i = 0; i < n; i++) {
			if (got[i] != buffer[sent % sizeof buffer])
				sum++;
			sent++;
		}
	say("%lu bytes, %lu wrong\n", sent, sum);
	show_status("writer", reap(pid));
	close(ends[0]);

	/* Ping-pong. */
	int back[2], value = 0;
	make_pipe(ends, 0);
	make_pipe(back, 0);
	pid = fork();
	if (pid == 0) {
		while (read(ends[0], &value, sizeof value) == (ssize_t)sizeof value && value >= 0) {
			value++;
			if (write(back[1], &value, sizeof value) != (ssize_t)sizeof value)
				_exit(1);
		}
		_exit(0);
	}
	for (int i = 0; i < 1000; i++)
		if (write(ends[1], &value, sizeof value) != (ssize_t)sizeof value ||
		    read(back[0], &value, sizeof value) != (ssize_t)sizeof value)
			give_up("ping-pong");
	show("ping-pong", value);
	value = -1;
	(void)!write(ends[1], &value, sizeof value);
	show_status("partner", reap(pid));
	close_pipe(ends);
	close_pipe(back);
}

static int poll_one(int fd, short events, int timeout_ms)
{
	struct pollfd one = {.fd = fd, .events = events};
	int n = poll(&one, 1, timeout_ms);

	return n <= 0 ? n : one.revents;
}

static void test_poll(void)
{
	int ends[2];
	char buffer[70000];
	fd_set readable, writable;
	struct timeval zero = {0, 0};
	struct pollfd several[3];

	make_pipe(ends, O_NONBLOCK);
	show("empty, read end", poll_one(ends[0], POLLIN, 0));
	show("empty, read end, a while", poll_one(ends[0], POLLIN, 20));
	show("empty, write end", poll_one(ends[1], POLLOUT, 0));
	(void)!write(ends[1], "x", 1);
	show("a byte, read end", poll_one(ends[0], POLLIN, -1));
	while (write(ends[1], buffer, 4096) > 0)
		continue;
	show("full, write end", poll_one(ends[1], POLLOUT, 0));
	show("closed descriptor", poll_one(777, POLLIN, 0));
	show("negative descriptor", poll_one(-1, POLLIN, 0));
	several[0] = (struct pollfd){.fd = ends[0], .events = POLLIN};
	several[1] = (struct pollfd){.fd = ends[1], .events = POLLOUT};
	several[2] = (struct pollfd){.fd = -5, .events = POLLOUT, .revents = 99};
	show("three", poll(several, 3, 100));
	say("%d %d %d\n", several[0].revents, several[1].revents, several[2].revents);
	show("poll at a bad place", poll(bad_address, 1, 0));
	show("poll of nothing", poll(NULL, 0, 10));
	FD_ZERO(&readable);
	FD_ZERO(&writable);
	FD_SET(ends[0], &readable);
	FD_SET(ends[1], &writable);
	show("select", select(64, &readable, &writable, NULL, &zero));
	say("%d %d\n", FD_ISSET(ends[0], &readable), FD_ISSET(ends[1], &writable));
	FD_SET(63, &readable);
	show("select of a closed descriptor", select(64, &readable, NULL, NULL, &zero));
	show("select with a negative count", select(-1, NULL, NULL, NULL, &zero));
	zero.tv_usec = -5;
	show("select with a bad time", select(0, NULL, NULL, NULL, &zero));
	close(ends[1]);
	show("no writer, data left", poll_one(ends[0], POLLIN, 0));
	while (read(ends[0], buffer, sizeof buffer) > 0)
		continue;
	show("no writer, empty", poll_one(ends[0], POLLIN, 0));
	close(ends[0]);
	make_pipe(ends, 0);
	close(ends[0]);
	show("no reader", poll_one(ends[1], POLLOUT, 0));
	close(ends[1]);

	make_pipe(ends, 0);
	pid_t pid = fork();
	if (pid == 0) {
		sleep_ms(50);
		(void)!write(ends[1], "x", 1);
		_exit(0);
	}
	show("poll wakes", poll_one(ends[0], POLLIN, 10000));
	reap(pid);
	(void)!read(ends[0], buffer, 1);
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		sleep_ms(50);
		_exit(0);
	}
	close(ends[1]);
	show("poll wakes as the writer dies", poll_one(ends[0], POLLIN, 10000));
	reap(pid);
	close(ends[0]);
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	show("a file is always ready", poll_one(fd, POLLIN | POLLOUT, 0));
	close(fd);
	unlink("file");
}

static void test_named(void)
{
	char byte;

	show("mkfifo", mkfifo("fifo", 0600));
	show("mkfifo again", mkfifo("fifo", 0600));
	show("write end without a reader", open("fifo", O_WRONLY | O_NONBLOCK));
	int reader = open("fifo", O_RDONLY | O_NONBLOCK);
	show_ok("read end without a writer", reader);
	show("read without a writer", read(reader, &byte, 1));
	int writer = open("fifo", O_WRONLY);
	show_ok("write end", writer);
	show("read with a writer", read(reader, &byte, 1));
	show("write", write(writer, "q", 1));
	show("read", read(reader, &byte, 1));
	close(writer);
	show("end of file", read(reader, &byte, 1));
	close(reader);
	int both = open("fifo", O_RDWR);
	show("both ways", write(both, "x", 1));
	show("and back", read(both, &byte, 1));
	close(both);
	pid_t pid = fork();
	if (pid == 0) {
		sleep_ms(30);
		int fd = open("fifo", O_WRONLY);
		(void)!write(fd, "met", 3);
		_exit(0);
	}
	reader = open("fifo", O_RDONLY);
	char met[4] = "";
	show("open waits for the other", read(reader, met, 3));
	say("%s\n", met);
	reap(pid);
	close(reader);
	unlink("fifo");
}

int main(void)
{
	enter_private_directory("pipe");
	test_basic();
	test_nonblocking();
	test_broken();
	test_atomic();
	test_bulk();
	test_poll();
	test_named();
	leave_private_directory();
	return 0;
}
