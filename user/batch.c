/*
 * batch.c - the first program of a machine that runs many test cases in one boot.
 *
 * /batch/env holds the environment, one NAME=value a line; T in it is the directory whose in/case.sh is
 * the script of the moment. /batch/list holds one case a line, fields apart by tabs:
 *
 *     seconds, uid, gid, file to put at $T/in/case.sh or -, file for standard input, program, arguments
 *
 * For each case one frame goes to standard output (the console, made raw):
 *
 *     "\n@@@ number status milliseconds bytes bytes\n", standard output, standard error
 *
 * status is a wait status, or -1 when the time was over. After each case every other process is killed and
 * everything it left in $T/w and /tmp removed. Exits with 0.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define FIELDS_MAX 32
#define ENVS_MAX 32
#define OUTPUT_MAX (4u << 20)

struct output {
	char *data;
	size_t size, room;
	int fd; /* -1: at its end */
};

struct test_case {
	double seconds;
	unsigned uid, gid;
	const char *script, *input;
	char **argv;
};

static char *environment[ENVS_MAX + 1];
static const char *top; /* $T */

__attribute__((noreturn)) static void give_up(const char *what)
{
	printf("batch: %s: %s\n", what, strerror(errno));
	fflush(stdout);
	_exit(98);
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static char *read_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat info;
	char *text;

	if (fd < 0 || fstat(fd, &info) != 0)
		give_up(path);
	text = malloc((size_t)info.st_size + 1);
	if (text == NULL || read(fd, text, (size_t)info.st_size) != info.st_size)
		give_up(path);
	text[info.st_size] = '\0';
	close(fd);
	return text;
}

static void write_all(const char *data, size_t size)
{
	while (size > 0) {
		ssize_t n = write(STDOUT_FILENO, data, size);

		if (n < 0)
			_exit(97);
		data += n;
		size -= (size_t)n;
	}
}

static char *in_top(const char *name)
{
	static char path[512];

	snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

/* ---- cleaning up --------------------------------------------------------- */

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *at)
{
	(void)info, (void)kind;
	if (at->level > 0)
		remove(path);
	return 0;
}

static void clean_up(void)
{
	static const char *const places[] = {"/tmp", "/run", "/dev/shm"};

	kill(-1, SIGKILL);
	while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
		;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		nftw(places[i], remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	nftw(in_top("w"), remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	rmdir(in_top("w"));
}

/* ---- one case ------------------------------------------------------------ */

__attribute__((noreturn)) static void become(const struct test_case *c, int out, int err)
{
	int in = open(c->input, O_RDONLY);

	setsid();
	if (in < 0 || dup2(in, 0) < 0 || dup2(out, 1) < 0 || dup2(err, 2) < 0)
		_exit(96);
	closefrom(3);
	if (chdir("/") != 0 || setgroups(0, NULL) != 0 || setresgid(c->gid, c->gid, c->gid) != 0 ||
	    setresuid(c->uid, c->uid, c->uid) != 0)
		_exit(95);
	umask(022);
	execve(c->argv[0], c->argv, environment);
	_exit(errno == ENOENT ? 127 : 126);
}

static void read_some(struct output *o)
{
	ssize_t n;

	if (o->room - o->size < 65536) {
		o->room = o->size + 131072;
		o->data = realloc(o->data, o->room);
		if (o->data == NULL)
			give_up("memory");
	}
	n = read(o->fd, o->data + o->size, 65536);
	if (n > 0)
		o->size += o->size < OUTPUT_MAX ? (size_t)n : 0;
	if (n <= 0) {
		close(o->fd);
		o->fd = -1;
	}
}

/* Reads both outputs until the child has ended and nothing is left, or the time is over. */
static int collect(pid_t child, struct output out[2], double seconds)
{
	int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
	double end = now_s() + seconds;
	int status = -1;

	for (;;) {
		struct pollfd p[3] = {{out[0].fd, POLLIN, 0}, {out[1].fd, POLLIN, 0}, {pidfd, POLLIN, 0}};
		int left_ms = (int)((end - now_s()) * 1000);

		if (left_ms <= 0 || poll(p, 3, left_ms) <= 0)
			break;
		for (int i = 0; i < 2; i++)
			if (p[i].revents != 0)
				read_some(&out[i]);
		if (p[2].revents != 0 && p[0].revents == 0 && p[1].revents == 0) {
			waitpid(child, &status, 0);
			break;
		}
	}
	close(pidfd);
	return status;
}

static void run(unsigned number, const struct test_case *c)
{
	struct output out[2] = {{.fd = -1}, {.fd = -1}};
	double start = now_s();
	char frame[128];
	int pipes[2][2], status;
	pid_t child;

	if (chown(top, c->uid, c->gid) != 0)
		give_up(top);
	if (strcmp(c->script, "-") != 0 && rename(c->script, in_top("in/case.sh")) != 0)
		give_up(c->script);
	if (pipe2(pipes[0], O_CLOEXEC) != 0 || pipe2(pipes[1], O_CLOEXEC) != 0)
		give_up("pipe");
	child = fork();
	if (child < 0)
		give_up("fork");
	if (child == 0)
		become(c, pipes[0][1], pipes[1][1]);
	for (int i = 0; i < 2; i++) {
		close(pipes[i][1]);
		out[i].fd = pipes[i][0];
	}
	status = collect(child, out, c->seconds);
	snprintf(frame, sizeof(frame), "\n@@@ %u %d %.0f %zu %zu\n", number, status, (now_s() - start) * 1000,
		 out[0].size, out[1].size);
	write_all(frame, strlen(frame));
	for (int i = 0; i < 2; i++) {
		write_all(out[i].data, out[i].size);
		free(out[i].data);
		if (out[i].fd >= 0)
			close(out[i].fd);
	}
	clean_up();
}

/* ---- the list ------------------------------------------------------------ */

static void read_environment(void)
{
	char *text = read_file("/batch/env"), *save = NULL;
	unsigned n = 0;

	for (char *line = strtok_r(text, "\n", &save); line != NULL; line = strtok_r(NULL, "\n", &save)) {
		if (n == ENVS_MAX)
			give_up("too many variables");
		environment[n++] = line;
		if (strncmp(line, "T=", 2) == 0)
			top = line + 2;
	}
	if (top == NULL)
		give_up("no T in /batch/env");
}

static void run_line(unsigned number, char *line)
{
	char *fields[FIELDS_MAX + 1] = {NULL}, *field;
	struct test_case c;
	unsigned n = 0;

	while ((field = strsep(&line, "\t")) != NULL && n < FIELDS_MAX)
		fields[n++] = field;
	if (n < 6)
		give_up("bad line in /batch/list");
	c = (struct test_case){atof(fields[0]), (unsigned)atoi(fields[1]), (unsigned)atoi(fields[2]), fields[3],
			       fields[4], &fields[5]};
	run(number, &c);
}

int main(void)
{
	struct termios tty;
	char *list, *line;
	unsigned number = 0;

	if (getpid() != 1) {
		fputs("batch: this is an init for a machine of its own: it kills everything else\n", stderr);
		return 98;
	}
	if (tcgetattr(0, &tty) == 0) {
		cfmakeraw(&tty);
		tcsetattr(0, TCSANOW, &tty);
	}
	umask(0);
	read_environment();
	list = read_file("/batch/list");
	while ((line = strsep(&list, "\n")) != NULL)
		if (*line != '\0')
			run_line(number++, line);
	return 0;
}
