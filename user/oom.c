/*
 * A guest that runs out of memory: for tests/oom/guest.py. The first argument says how:
 *
 *   modes             vm.overcommit_memory: what each mode refuses, and with which errno
 *   innocent MIB FILE holds MIB of memory until FILE exists; 0 when it still holds what was written
 *   hog               wants more memory than there is
 *   bomb N            N children with 8 MiB each; counts how many were killed
 *   buffers           memory runs out in read(2): the largest process dies, the reader itself when it is that
 *   spared            a small process with oom_score_adj 1000 dies in the place of a large one with -1000
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "check.h"

#define MIB ((size_t)1 << 20)
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

/* What came of it: errno, or 0. */
static void tell(const char *what, int error) { say("%s: %s\n", what, error == 0 ? "done" : errno_name(error)); }

/* ---- /proc ---------------------------------------------------------------- */

/* Writes a file of /proc; 0 or errno. */
static int write_proc(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY), error = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		error = errno;
	close(fd);
	return error;
}

#define VM "/proc/sys/vm/"

static int set(const char *name, const char *text)
{
	char path[100];

	snprintf(path, sizeof(path), VM "%s", name);
	return write_proc(path, text);
}

static long number_in(const char *path, const char *name)
{
	char line[200];
	long value = -1;
	FILE *f = fopen(path, "r");

	while (f != NULL && value < 0 && fgets(line, sizeof(line), f) != NULL)
		if (strncmp(line, name, strlen(name)) == 0)
			value = atol(line + strlen(name));
	if (f != NULL)
		fclose(f);
	return value;
}

static long meminfo(const char *name) { return number_in("/proc/meminfo", name); }

static long setting(const char *name)
{
	char path[100];

	snprintf(path, sizeof(path), VM "%s", name);
	return number_in(path, "");
}

/* ---- modes ---------------------------------------------------------------- */

/* A mapping that is given back at once, or where it is wanted. */
static int try_map(size_t bytes, int prot, int flags)
{
	void *p = mmap(NULL, bytes, prot, flags, -1, 0);

	if (p == MAP_FAILED)
		return errno;
	munmap(p, bytes);
	return 0;
}

static char *map(size_t bytes, int prot)
{
	char *p = mmap(NULL, bytes, prot, ANON, -1, 0);

	if (p == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return p;
}

static int try_fork(void)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return errno;
	if (pid == 0)
		_exit(0);
	waitpid(pid, &status, 0);
	return status;
}

static void show_settings(const char *when)
{
	say("%s: memory %ld, ratio %ld, kbytes %ld\n", when, setting("overcommit_memory"),
	       setting("overcommit_ratio"), setting("overcommit_kbytes"));
}

static void settings(void)
{
	show_settings("at first");
	tell("memory 3", set("overcommit_memory", "3\n"));
	tell("memory -1", set("overcommit_memory", "-1\n"));
	tell("memory x", set("overcommit_memory", "x\n"));
	tell("memory nothing", set("overcommit_memory", "\n"));
	tell("memory ' 1 '", set("overcommit_memory", " 1 \n"));
	tell("kbytes 4000", set("overcommit_kbytes", "4000"));
	show_settings("kbytes clear the ratio");
	say("limit by kbytes: %ld kB\n", meminfo("CommitLimit:"));
	tell("ratio 60", set("overcommit_ratio", "60"));
	show_settings("the ratio clears kbytes");
	say("limit by ratio: %s\n",
	       labs(meminfo("CommitLimit:") - meminfo("MemTotal:") * 60 / 100) <= 4 ? "60 %" : "wrong");
	set("overcommit_ratio", "50");
	if (fork() == 0) {
		if (setresuid(65534, 65534, 65534) != 0)
			_exit(1);
		tell("as nobody", set("overcommit_memory", "0"));
		say("as nobody: reads %ld\n", setting("overcommit_memory"));
			_exit(0);
	}
	wait(NULL);
}

static void committed(void)
{
	long before = meminfo("Committed_AS:");
	char *p = map(4 * MIB, RW);

	say("4 MiB mapped: %+ld kB\n", meminfo("Committed_AS:") - before);
	mprotect(p, 4 * MIB, PROT_NONE);
	say("unwritable again: %+ld kB\n", meminfo("Committed_AS:") - before);
	munmap(p, 4 * MIB);
	say("unmapped: %+ld kB\n", meminfo("Committed_AS:") - before);
}

static void mode_0(void)
{
	set("overcommit_memory", "0");
	tell("mode 0, 2 GiB", try_map(2048 * MIB, RW, ANON));
	tell("mode 0, 2 GiB shared", try_map(2048 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS));
	tell("mode 0, 2 GiB unreserved", try_map(2048 * MIB, RW, ANON | MAP_NORESERVE));
	tell("mode 0, 2 GiB unreadable", try_map(2048 * MIB, PROT_NONE, ANON));
	for (int i = 0; i < 3; i++)
		mprotect(map(40 * MIB, RW), 4096, PROT_NONE); /* a border, or they would be one */
	tell("mode 0, three times 40 MiB", 0);
	tell("mode 0, fork of it", try_fork());
}

static void mode_1(void)
{
	set("overcommit_memory", "1");
	tell("mode 1, 2 GiB", try_map(2048 * MIB, RW, ANON));
}

/* The stack wants 7 MiB where there is no room for them. Returns how deep it got. */
__attribute__((noinline)) static int deep(int level)
{
	char room[4096];
	int below;

	memset(room, level, sizeof(room));
	below = level == 0 ? 0 : deep(level - 1);
	__asm__ volatile("" : : "r"(room) : "memory"); /* still in use: no loop can take the calls' place */
	return below + 1;
}

static void stack(void)
{
	int status = 0;
	pid_t pid = fork();

	if (pid == 0) {
		while (try_map(MIB / 4, RW, ANON) == 0)
			map(MIB / 8, RW);
		_exit(deep(1700) == 1701 ? 0 : 1);
	}
	waitpid(pid, &status, 0);
	say("mode 2, stack: %s\n", WIFSIGNALED(status) ? strsignal(WTERMSIG(status)) : "grew");
}

static void memory_file(void)
{
	static char block[MIB];
	int fd = open("/tmp/oom-file", O_RDWR | O_CREAT, 0600), error = 0;

	for (int i = 0; i < 40 && error == 0; i++)
		error = write(fd, block, MIB) < 0 ? errno : 0;
	tell("mode 2, file of memory", error);
	close(fd);
	unlink("/tmp/oom-file");
}

static void mode_2(void)
{
	long room_kib;
	char *p;

	set("overcommit_memory", "2");
	tell("mode 2, 60 MiB", try_map(60 * MIB, RW, ANON));
	tell("mode 2, 60 MiB unreserved", try_map(60 * MIB, RW, ANON | MAP_NORESERVE));
	tell("mode 2, 60 MiB shared", try_map(60 * MIB, RW, MAP_SHARED | MAP_ANONYMOUS));
	tell("mode 2, 60 MiB unreadable", try_map(60 * MIB, PROT_NONE, ANON));
	tell("mode 2, 60 MiB read-only", try_map(60 * MIB, PROT_READ, ANON));
	p = map(60 * MIB, PROT_READ);
	tell("mode 2, made writable", mprotect(p, 60 * MIB, RW) != 0 ? errno : 0);
	munmap(p, 60 * MIB);
	p = map(4 * MIB, RW);
	tell("mode 2, grown", mremap(p, 4 * MIB, 60 * MIB, MREMAP_MAYMOVE) == MAP_FAILED ? errno : 0);
	munmap(p, 4 * MIB);
	tell("mode 2, break", sbrk(60 * MIB) == (void *)-1 ? errno : 0);
	stack();
	memory_file();
	room_kib = meminfo("CommitLimit:") - meminfo("Committed_AS:");
	p = map((size_t)room_kib * 3 / 4 * 1024, RW);
	memset(p, 1, (size_t)room_kib * 3 / 4 * 1024);
	tell("mode 2, fork that cannot be backed", try_fork());
	say("nobody was killed for it: %s\n", p[MIB] == 1 ? "true" : "false");
	munmap(p, (size_t)room_kib * 3 / 4 * 1024);
	tell("mode 2, fork that can", try_fork());
	say("within the limit: %s\n", meminfo("Committed_AS:") <= meminfo("CommitLimit:") ? "true" : "false");
	set("overcommit_memory", "0");
}

static int modes(void)
{
	int status;

	settings();
	committed();
	if (fork() == 0) { /* what it maps goes with it */
		mode_0();
		_exit(0);
	}
	wait(&status);
	mode_1();
	mode_2();
	return status;
}

/* ---- hogs and innocents --------------------------------------------------- */

static int innocent(size_t nr_mib, const char *file)
{
	uint64_t nr = nr_mib * MIB / sizeof(uint64_t), mine = (uint64_t)getpid();
	uint64_t *p = (uint64_t *)(void *)map(nr * sizeof(uint64_t), RW);

	for (uint64_t i = 0; i < nr; i++)
		p[i] = i * 0x9e3779b97f4a7c15 + mine;
	say("ready\n");
	while (access(file, F_OK) != 0)
		usleep(2000);
	for (uint64_t i = 0; i < nr; i++)
		if (p[i] != i * 0x9e3779b97f4a7c15 + mine)
			return 1;
	return 0;
}

__attribute__((noreturn)) static void hog(void)
{
	for (;;) { /* by page faults: an mmap() that finds no memory would only fail */
		char *p = mmap(NULL, 256 * MIB, RW, ANON | MAP_NORESERVE, -1, 0);

		if (p == MAP_FAILED)
			exit(1);
		memset(p, 1, 256 * MIB);
	}
}

__attribute__((noreturn)) static void hold_and_wait(size_t nr_mib)
{
	memset(map(nr_mib * MIB, RW), 1, nr_mib * MIB);
	for (;;)
		pause();
}

static int bomb(int nr)
{
	pid_t pids[100];
	int nr_killed = 0, nr_forked = 0, status;

	for (int i = 0; i < nr; i++) {
		pid_t pid = fork();

		if (pid == 0)
			hold_and_wait(8);
		if (pid > 0)
			pids[nr_forked++] = pid;
		usleep(20000);
	}
	for (int i = 0; i < nr_forked; i++)
		if (waitpid(pids[i], &status, WNOHANG) == pids[i])
			nr_killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
		else if (kill(pids[i], SIGTERM) == 0)
			waitpid(pids[i], &status, 0);
	say("killed %s\n", nr_killed > 0 ? "some" : "none");
	return 0;
}

/* What read(2) into untouched memory makes of it when there is none: pages through a pipe, or all from /dev/zero. */
static int buffers(void)
{
	static char page[4096];
	int fds[2], error = 0, status, zero = open("/dev/zero", O_RDONLY);
	pid_t large = fork(), greedy;
	char *p = map(24 * MIB, RW);

	if (large == 0)
		hold_and_wait(40);
	usleep(300000);
	if (pipe(fds) != 0)
		return 1;
	for (size_t at = 0; at < 24 * MIB && error == 0; at += sizeof(page))
		if (write(fds[1], page, sizeof(page)) < 0 || read(fds[0], p + at, sizeof(page)) < 0)
			error = errno;
	tell("pages through a pipe", error);
	waitpid(large, &status, 0);
	say("large: signal %d\n", WTERMSIG(status));
	greedy = fork();
	while (greedy == 0)
		if (read(zero, map(MIB, RW), MIB) < 0) {
			tell("read", errno);
			_exit(1);
		}
	waitpid(greedy, &status, 0);
	say("greedy: signal %d\n", WTERMSIG(status));
	return 0;
}

static int spared(void)
{
	const char *adj = "/proc/self/oom_score_adj";
	int status;
	pid_t small = fork(), large;

	if (small == 0) {
		write_proc(adj, "1000");
		hold_and_wait(1);
	}
	large = fork();
	if (large == 0) {
		write_proc(adj, "-1000");
		hold_and_wait(20);
	}
	usleep(300000);
	write_proc(adj, "-999");
	for (int i = 0; i < 60 && waitpid(small, &status, WNOHANG) == 0; i++)
		memset(map(MIB, RW), 1, MIB);
	say("small: signal %d\n", WTERMSIG(status));
	say("large: %s\n", waitpid(large, &status, WNOHANG) == 0 ? "alive" : "dead");
	kill(large, SIGKILL);
	waitpid(large, &status, 0);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (strcmp(what, "modes") == 0)
		return modes();
	if (strcmp(what, "innocent") == 0 && argc == 4)
		return innocent((size_t)atoi(argv[2]), argv[3]);
	if (strcmp(what, "hog") == 0)
		hog();
	if (strcmp(what, "bomb") == 0 && argc == 3)
		return bomb(atoi(argv[2]));
	if (strcmp(what, "buffers") == 0)
		return buffers();
	if (strcmp(what, "spared") == 0)
		return spared();
	fprintf(stderr, "usage: oom modes | innocent MIB FILE | hog | bomb N | buffers | spared\n");
	return 2;
}
