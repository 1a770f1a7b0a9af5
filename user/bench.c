/*
 * bench: times what a program asks of its kernel.
 *
 * One static program that runs unchanged on Linux, User Mode Linux and
 * Levitate; tools/bench runs it on all three and compares.
 *
 *   bench [--list] [--reps N] [--rep-ms N] [--rows NAME[,NAME...]]
 *   bench child                  exits at once (what the fork-exec row executes)
 *   bench @exit                  exits at its very first instruction (fork-exec-only)
 *   bench init PROGRAM [ARG...]  as process 1: runs PROGRAM, powers the machine off;
 *                                tells first what the CPU's counter showed at its first instruction
 *
 * Each row is one line on standard output, fields separated by tabs:
 *   NAME  MEDIAN  UNIT  MINIMUM  REPETITIONS
 *   NAME  error   MESSAGE        the row failed; the others still run
 *   NAME  skip    MESSAGE        the kernel lacks what the row needs
 * For a row in MB/s, where more is better, the fourth field is the maximum.
 *
 * A clock read may be a slow system call here, so a row times a whole loop and
 * not its iterations; where a part of an iteration has to be timed (fork-call-*,
 * first-touch, ...) the measured price of a clock read is subtracted.
 *
 * Exit status: 0 every row gave a number or was skipped, 1 a row failed,
 * 2 bad usage.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	PAGE_BYTES = 4096,
	RANGE_PAGES = 4096,          /* first-touch, cow-fault: 16 MiB */
	PIPE_BLOCK_BYTES = 64 * 1024,
	NR_CHILDREN = 200,
	MAX_REPS = 1000,
	DEFAULT_REPS = 5,
	CLOCK_SAMPLES = 200,
};

static int64_t rep_ns;                                    /* one repetition lasts about this */
static const int64_t ROW_NS = INT64_C(3) * 1000 * 1000 * 1000; /* no new repetition after this */
static const long MAX_LOOPS = 10 * 1000 * 1000;

/* What a step of a row returns. Anything but ROW_OK has set row_message. */
enum outcome { ROW_OK, ROW_FAILED, ROW_SKIPPED };

struct row;

/*
 * Runs the row's operation `loops` times and adds the time to be charged, in
 * nanoseconds, to *ns. It may spend further time that is not charged.
 */
typedef enum outcome measure_fn(const struct row *row, long loops, int64_t *ns);

struct row {
	const char *name;
	const char *unit;        /* "us" (per operation) or "MB/s" */
	measure_fn *measure;
	long ops_per_loop;       /* operations, or bytes for MB/s, in one loop */
	size_t memory_bytes;     /* anonymous memory touched before the row starts */
	const char *what;
};

static char row_message[256];
uint64_t start_ticks;                     /* what the CPU's counter showed at the first instruction */
static const char *self_path;             /* how to execute this program again */
static int64_t clock_cost_ns;             /* what one read of the clock takes */
static unsigned char *memory;             /* the row's touched memory, or NULL */
static size_t memory_bytes;
static volatile sig_atomic_t nr_signals;

/* ---- helpers ---------------------------------------------------------- */

/* Sets the row's message; with an errno other than 0, its text follows. */
__attribute__((format(printf, 2, 3)))
static enum outcome fail(int error, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	int n = vsnprintf(row_message, sizeof row_message, format, args);
	va_end(args);
	if (error != 0 && n >= 0 && (size_t)n < sizeof row_message)
		snprintf(row_message + n, sizeof row_message - (size_t)n, ": %s", strerror(error));
	return ROW_FAILED;
}

static int64_t now_ns(void)
{
	struct timespec t;
	if (clock_gettime(CLOCK_MONOTONIC, &t) != 0) {
		perror("bench: clock_gettime");
		_exit(1);
	}
	return (int64_t)t.tv_sec * 1000 * 1000 * 1000 + t.tv_nsec;
}

/* Adds the time since `start` to *ns, less the clock's own price. */
static void charge_since(int64_t start, int64_t *ns)
{
	int64_t span = now_ns() - start - clock_cost_ns;
	*ns += span > 0 ? span : 0;
}

static void measure_clock_cost(void)
{
	int64_t start = now_ns();
	for (int i = 0; i < CLOCK_SAMPLES; i++)
		(void)now_ns();
	clock_cost_ns = (now_ns() - start) / (CLOCK_SAMPLES + 1);
}

/* Waits for one child; anything but its exit with status 0 fails the row. */
static enum outcome reap(pid_t child)
{
	int status = 0;
	pid_t pid;
	do
		pid = waitpid(child, &status, 0);
	while (pid < 0 && errno == EINTR);
	if (pid != child)
		return fail(pid < 0 ? errno : 0, "waitpid(%d) returned %d", (int)child, (int)pid);
	if (WIFSIGNALED(status))
		return fail(0, "child killed by signal %d", WTERMSIG(status));
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return fail(0, "child ended with wait status %#x", (unsigned)status);
	return ROW_OK;
}

/* Reads or writes all `len` bytes. Returns false on an error or end of file. */
static bool read_all(int fd, void *buffer, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = read(fd, (char *)buffer + done, len - done);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static bool write_all(int fd, const void *buffer, size_t len)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = write(fd, (const char *)buffer + done, len - done);
		if (n <= 0)
			return false;
		done += (size_t)n;
	}
	return true;
}

static void close_pair(const int fds[2])
{
	close(fds[0]);
	close(fds[1]);
}

/* Maps anonymous memory in pages of 4 KiB, untouched. NULL, with the message set, on failure. */
static unsigned char *map_small_pages(size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		fail(errno, "mmap of %zu bytes", bytes);
		return NULL;
	}
	(void)madvise(p, bytes, MADV_NOHUGEPAGE); /* a kernel without huge pages may refuse it */
	return p;
}

/* Writes one byte in each page, lowest address first. */
static void touch_pages(volatile unsigned char *start, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += PAGE_BYTES)
		start[i] = 1;
}

static void drop_memory(void)
{
	if (memory != NULL)
		munmap(memory, memory_bytes);
	memory = NULL;
	memory_bytes = 0;
}

/* Gives the row exactly `bytes` of touched memory; keeps what the last row had if that fits. */
static enum outcome provide_memory(size_t bytes)
{
	if (bytes == memory_bytes)
		return ROW_OK;
	drop_memory();
	if (bytes == 0)
		return ROW_OK;
	memory = map_small_pages(bytes);
	if (memory == NULL)
		return ROW_FAILED;
	memory_bytes = bytes;
	touch_pages(memory, bytes);
	return ROW_OK;
}

/* ---- rows: calls and processes ---------------------------------------- */

static enum outcome null_call(const struct row *row, long loops, int64_t *ns)
{
	(void)row;
	int64_t start = now_ns();
	for (long i = 0; i < loops; i++)
		(void)syscall(SYS_getppid);
	charge_since(start, ns);
	return ROW_OK;
}

static enum outcome fork_exit(const struct row *row, long loops, int64_t *ns)
{
	(void)row;
	int64_t start = now_ns();
	for (long i = 0; i < loops; i++) {
		pid_t child = fork();
		if (child == 0)
			_exit(0);
		if (child < 0)
			return fail(errno, "fork");
		if (reap(child) != ROW_OK)
			return ROW_FAILED;
	}
	charge_since(start, ns);
	return ROW_OK;
}

/* In a function of its own, as the child runs on the parent's stack. */
__attribute__((noinline))
static pid_t vfork_child_that_exits(void)
{
	pid_t child = vfork();
	if (child == 0)
		_exit(0);
	return child;
}

static enum outcome vfork_exit(const struct row *row, long loops, int64_t *ns)
{
	(void)row;
	int64_t start = now_ns();
	for (long i = 0; i < loops; i++) {
		pid_t child = vfork_child_that_exits();
		if (child < 0)
			return fail(errno, "vfork");
		if (reap(child) != ROW_OK)
			return ROW_FAILED;
	}
	charge_since(start, ns);
	return ROW_OK;
}

/*
 * The program's entry point (-Wl,-e,bench_entry). "bench @exit" ends before any code of libc has
 * run: on a virtual machine the CPUID instructions of libc's start-up cost more than
 * the exec. Everything else goes on to libc's own entry, the CPU's counter noted in start_ticks.
 */
__asm__(".globl bench_entry\n"
	"bench_entry:\n"
#if defined(__x86_64__)
	"	cmpq $2, (%rsp)\n"
	"	jne 1f\n"
	"	mov 16(%rsp), %rax\n"
	"	cmpb $'@', (%rax)\n"
	"	jne 1f\n"
	"	mov $231, %eax\n" /* exit_group */
	"	xor %edi, %edi\n"
	"	syscall\n"
	"1:	mov %rdx, %rcx\n" /* the kernel's word for _start */
	"	rdtsc\n"
	"	shl $32, %rdx\n"
	"	or %rdx, %rax\n"
	"	mov %rax, start_ticks(%rip)\n"
	"	mov %rcx, %rdx\n"
	"	jmp _start\n"
#elif defined(__aarch64__)
	"	ldr x9, [sp]\n"
	"	cmp x9, #2\n"
	"	b.ne 1f\n"
	"	ldr x9, [sp, #16]\n"
	"	ldrb w9, [x9]\n"
	"	cmp w9, #'@'\n"
	"	b.ne 1f\n"
	"	mov x8, #94\n" /* exit_group */
	"	mov x0, #0\n"
	"	svc #0\n"
	"1:	mrs x9, cntvct_el0\n"
	"	adrp x10, start_ticks\n"
	"	str x9, [x10, :lo12:start_ticks]\n"
	"	b _start\n"
#endif
);

static enum outcome fork_exec_mode(const char *mode, long loops, int64_t *ns)
{
	int64_t start = now_ns();
	for (long i = 0; i < loops; i++) {
		pid_t child = fork();
		if (child == 0) {
			execl(self_path, self_path, mode, (char *)NULL);
			_exit(127);
		}
		if (child < 0)
			return fail(errno, "fork");
		if (reap(child) != ROW_OK)
			return ROW_FAILED;
	}
	charge_since(start, ns);
	return ROW_OK;
}

static enum outcome fork_exec(const struct row *row, long loops, int64_t *ns)
{
	(void)row;
	return fork_exec_mode("child", loops, ns);
}

static enum outcome fork_exec_only(const struct row *row, long loops, int64_t *ns)
{
	(void)row;
	return fork_exec_mode("@exit", loops, ns);
}

/* Charges the fork call alone, as the parent sees it. */
static enum outcome fork_call(const struct row *row, long loops, int64_t *ns)
{
	(void)row;
	for (long i = 0; i < loops; i++) {
		int64_t start = now_ns();
		pid_t child = fork();
		if (child == 0)
			_exit(0);
		charge_since(start, ns);
		if (child < 0)
			return fail(errno, "fork");
		if (reap(child) != ROW_OK)
			return ROW_FAILED;
	}
	return ROW_OK;
}

/* A child that lives until the write end of `gate` is closed everywhere. */
static pid_t fork_waiting_child(const int gate[2])
{
	pid_t child = fork();
	if (child == 0) {
		char c;
		close(gate[1]);
		_exit(read(gate[0], &c, 1) == 0 ? 0 : 1);
	}
	return child;
}

static enum outcome children_once(int64_t *ns)
{
	static pid_t children[NR_CHILDREN];
	enum outcome result = ROW_OK;
	int gate[2];
	if (pipe(gate) != 0)
		return fail(errno, "pipe");

	int nr_started = 0;
	int64_t start = now_ns();
	while (nr_started < NR_CHILDREN) {
		pid_t child = fork_waiting_child(gate);
		if (child < 0) {
			result = fail(errno, "fork of child %d", nr_started + 1);
			break;
		}
		children[nr_started++] = child;
	}
	close_pair(gate);
	for (int i = 0; i < nr_started; i++) {
		/* Reap them all, but keep the first failure. */
		if (result == ROW_OK)
			result = reap(children[i]);
		else
			(void)waitpid(children[i], NULL, 0);
	}
	charge_since(start, ns);
	return result;
}

static enum outcome children(const struct row *row, long loops, int64_t *ns)
{
	(void)row;
	for (long i = 0; i < loops; i++) {
		if (children_once(ns) != ROW_OK)
			return ROW_FAILED;
	}
	return ROW_OK;
}

static void *thread_body(void *arg)
{
	return arg;
}

static enum outcome thread_join(const struct row *row, long loops, int64_t *ns)
{
	(void)row;
	int64_t start = now_ns();
	for (long i = 0; i < loops; i++) {
		pthread_t thread;
		int error = pthread_create(&thread, NULL, thread_body, NULL);
		if (error == 0)
			error = pthread_join(thread, NULL);
		if (error != 0) {
			(void)fail(error, "no threads here");
			return ROW_SKIPPED;
		}
	}
	charge_since(start, ns);
	return ROW_OK;
}

/* ---- rows: memory ------------------------------------------------------ */

static enum outcome first_touch(const struct row *row, long loops, int64_t *ns)
{
	(void)row;
	const size_t bytes = (size_t)RANGE_PAGES * PAGE_BYTES;
	for (long i = 0; i < loops; i++) {
		unsigned char *range = map_small_pages(bytes);
		if (range == NULL)
			return ROW_FAILED;
		int64_t start = now_ns();
		touch_pages(range, bytes);
		charge_since(start, ns);
		if (munmap(range, bytes) != 0)
			return fail(errno, "munmap");
	}
	return ROW_OK;
}

/* The parent writes each page of its memory while a child shares it. */
static enum outcome cow_fault(const struct row *row, long loops, int64_t *ns)
{
	(void)row;
	for (long i = 0; i < loops; i++) {
		int gate[2];
		if (pipe(gate) != 0)
			return fail(errno, "pipe");
		pid_t child = fork_waiting_child(gate);
		if (child < 0) {
			int error = errno;
			close_pair(gate);
			return fail(error, "fork");
		}
		int64_t start = now_ns();
		touch_pages(memory, memory_bytes);
		charge_since(start, ns);
		close_pair(gate);
		if (reap(child) != ROW_OK)
			return ROW_FAILED;
	}
	return ROW_OK;
}

static enum outcome mmap_touch_unmap(const struct row *row, long loops, int64_t *ns)
{
	(void)row;
	int64_t start = now_ns();
	for (long i = 0; i < loops; i++) {
		volatile unsigned char *page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE,
						    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (page == MAP_FAILED)
			return fail(errno, "mmap");
		*page = 1;
		if (munmap((void *)(uintptr_t)page, PAGE_BYTES) != 0)
			return fail(errno, "munmap");
	}
	charge_since(start, ns);
	return ROW_OK;
}

/* ---- rows: pipes and signals ------------------------------------------- */

/*
 * A process at the far end of two pipes: `to` carries bytes to it, `from` back.
 * Its first byte says that it runs, so that its birth is not timed.
 */
struct peer {
	pid_t pid;
	int to;
	int from;
};

/* What the peer does with its ends; returns its exit status. */
typedef int peer_fn(int in, int out, long loops);

static enum outcome peer_start(struct peer *peer, peer_fn *body, long loops)
{
	int to[2], from[2];
	if (pipe(to) != 0)
		return fail(errno, "pipe");
	if (pipe(from) != 0) {
		int error = errno;
		close_pair(to);
		return fail(error, "pipe");
	}
	peer->pid = fork();
	if (peer->pid == 0) {
		close(to[1]);
		close(from[0]);
		_exit(write_all(from[1], "r", 1) ? body(to[0], from[1], loops) : 1);
	}
	int error = errno;
	close(to[0]);
	close(from[1]);
	peer->to = to[1];
	peer->from = from[0];
	char ready;
	if (peer->pid > 0 && read_all(peer->from, &ready, 1))
		return ROW_OK;
	close(peer->to);
	close(peer->from);
	if (peer->pid < 0)
		return fail(error, "fork");
	return reap(peer->pid) != ROW_OK ? ROW_FAILED : fail(0, "the peer process said nothing");
}

/* Ends the conversation; `ok` tells whether every read and write of ours succeeded. */
static enum outcome peer_finish(const struct peer *peer, bool ok, int error)
{
	close(peer->to);
	close(peer->from);
	if (!ok) {
		(void)waitpid(peer->pid, NULL, 0);
		return fail(error, "pipe transfer stopped early");
	}
	return reap(peer->pid);
}

static int echo_bytes(int in, int out, long loops)
{
	char c;
	for (long i = 0; i < loops; i++) {
		if (!read_all(in, &c, 1) || !write_all(out, &c, 1))
			return 1;
	}
	return 0;
}

static enum outcome pipe_round_trip(const struct row *row, long loops, int64_t *ns)
{
	(void)row;
	struct peer peer;
	if (peer_start(&peer, echo_bytes, loops) != ROW_OK)
		return ROW_FAILED;
	bool ok = true;
	char c = 'x';
	errno = 0;
	int64_t start = now_ns();
	for (long i = 0; i < loops && ok; i++)
		ok = write_all(peer.to, &c, 1) && read_all(peer.from, &c, 1);
	int error = errno;
	charge_since(start, ns);
	return peer_finish(&peer, ok, error);
}

static unsigned char pipe_block[PIPE_BLOCK_BYTES];

static int drain_blocks(int in, int out, long loops)
{
	for (long i = 0; i < loops; i++) {
		if (!read_all(in, pipe_block, sizeof pipe_block))
			return 1;
	}
	return write_all(out, "d", 1) ? 0 : 1;
}

/* The time ends when the peer has said that it read the last byte. */
static enum outcome pipe_throughput(const struct row *row, long loops, int64_t *ns)
{
	(void)row;
	struct peer peer;
	memset(pipe_block, 'x', sizeof pipe_block);
	if (peer_start(&peer, drain_blocks, loops) != ROW_OK)
		return ROW_FAILED;
	bool ok = true;
	char c;
	errno = 0;
	int64_t start = now_ns();
	for (long i = 0; i < loops && ok; i++)
		ok = write_all(peer.to, pipe_block, sizeof pipe_block);
	ok = ok && read_all(peer.from, &c, 1);
	int error = errno;
	charge_since(start, ns);
	return peer_finish(&peer, ok, error);
}

static void count_signal(int sig)
{
	(void)sig;
	nr_signals++;
}

static enum outcome signal_self(const struct row *row, long loops, int64_t *ns)
{
	(void)row;
	struct sigaction action = { .sa_handler = count_signal };
	if (sigaction(SIGUSR1, &action, NULL) != 0)
		return fail(errno, "sigaction");
	pid_t self = getpid();
	nr_signals = 0;
	int64_t start = now_ns();
	for (long i = 0; i < loops; i++) {
		if (kill(self, SIGUSR1) != 0)
			return fail(errno, "kill");
	}
	charge_since(start, ns);
	if (nr_signals != loops)
		return fail(0, "%ld signals sent, %ld handled", loops, (long)nr_signals);
	return ROW_OK;
}

/* ---- the table ---------------------------------------------------------- */

#define MIB_BYTES(n) ((size_t)(n) * 1024 * 1024)

/* Rows with much memory stand together, the thread row (the newest calls) last. */
static const struct row rows[] = {
	{ "null-call", "us", null_call, 1, 0, "a system call that does nothing: getppid" },
	{ "fork-exit", "us", fork_exit, 1, 0, "fork, exit of the child, wait" },
	{ "vfork-exit", "us", vfork_exit, 1, 0, "vfork, exit of the child, wait" },
	{ "fork-exec", "us", fork_exec, 1, 0, "fork, exec of this program, its exit, wait" },
	{ "fork-exec-only", "us", fork_exec_only, 1, 0, "the same, but exit before libc starts up" },
	{ "first-touch", "us", first_touch, RANGE_PAGES, 0,
	  "first write to an anonymous page, 4096 pages in sequence; per page" },
	{ "cow-fault", "us", cow_fault, RANGE_PAGES, MIB_BYTES(16),
	  "parent's write to a page shared by fork, 4096 pages in sequence; per page" },
	{ "mmap-touch-unmap", "us", mmap_touch_unmap, 1, 0, "mmap of a page, write to it, munmap" },
	{ "pipe-round-trip", "us", pipe_round_trip, 1, 0,
	  "one byte to another process and back" },
	{ "pipe-throughput", "MB/s", pipe_throughput, PIPE_BLOCK_BYTES, 0,
	  "64 KiB writes to another process; more is better" },
	{ "signal-self", "us", signal_self, 1, 0, "kill of oneself, handler, return" },
	{ "children-200", "us", children, NR_CHILDREN, 0,
	  "200 children alive at once, then all reaped; per child" },
	{ "fork-call-1m", "us", fork_call, 1, MIB_BYTES(1),
	  "the fork call alone, 1 MiB of touched memory" },
	{ "fork-call-4m", "us", fork_call, 1, MIB_BYTES(4), "the same, 4 MiB" },
	{ "fork-call-16m", "us", fork_call, 1, MIB_BYTES(16), "the same, 16 MiB" },
	{ "fork-call-64m", "us", fork_call, 1, MIB_BYTES(64), "the same, 64 MiB" },
	{ "fork-call-256m", "us", fork_call, 1, MIB_BYTES(256), "the same, 256 MiB" },
	{ "fork-exit-1m", "us", fork_exit, 1, MIB_BYTES(1),
	  "fork, exit of the child, wait, 1 MiB of touched memory" },
	{ "fork-exit-256m", "us", fork_exit, 1, MIB_BYTES(256),
	  "fork, exit of the child, wait, 256 MiB of touched memory" },
	{ "thread-join", "us", thread_join, 1, 0, "a thread created and joined" },
};

enum { NR_ROWS = sizeof rows / sizeof rows[0] };

static const struct row *row_find(const char *name, size_t len)
{
	for (size_t i = 0; i < NR_ROWS; i++) {
		if (strlen(rows[i].name) == len && memcmp(rows[i].name, name, len) == 0)
			return &rows[i];
	}
	return NULL;
}

static void rows_list(void)
{
	for (size_t i = 0; i < NR_ROWS; i++)
		printf("%s\t%s\t%s\n", rows[i].name, rows[i].unit, rows[i].what);
}

/* ---- measuring ----------------------------------------------------------- */

/* Finds how many loops fill one repetition; this also warms up what the row uses. */
static enum outcome calibrate(const struct row *row, long *loops)
{
	*loops = 1;
	for (;;) {
		int64_t charged = 0;
		int64_t start = now_ns();
		enum outcome result = row->measure(row, *loops, &charged);
		if (result != ROW_OK)
			return result;
		/* By the time that passes, not the time charged, so that a row stays short. */
		int64_t passed = now_ns() - start;
		if (passed >= rep_ns / 2 || *loops >= MAX_LOOPS)
			return ROW_OK;
		int64_t factor = passed > 0 ? rep_ns / passed : 10;
		*loops *= (long)(factor < 2 ? 2 : factor > 10 ? 10 : factor);
		if (*loops > MAX_LOOPS)
			*loops = MAX_LOOPS;
	}
}

static int compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static bool more_is_better(const struct row *row)
{
	return strcmp(row->unit, "MB/s") == 0;
}

static double to_unit(const struct row *row, long loops, int64_t ns)
{
	double ops = (double)loops * (double)row->ops_per_loop;
	if (more_is_better(row))
		return ops * 1e3 / (double)(ns > 0 ? ns : 1); /* bytes a ns = 1000 MB/s */
	return (double)ns / 1e3 / ops;
}

/* Takes up to `reps` repetitions within the row's time. *nr_values is how many it took. */
static enum outcome repeat(const struct row *row, int reps, double *values, int *nr_values)
{
	long loops;
	int64_t start = now_ns();
	enum outcome result = calibrate(row, &loops);
	*nr_values = 0;
	while (result == ROW_OK && *nr_values < reps) {
		int64_t ns = 0;
		result = row->measure(row, loops, &ns);
		values[(*nr_values)++] = to_unit(row, loops, ns);
		if (now_ns() - start > ROW_NS)
			break;
	}
	return result;
}

/* Measures one row and prints its line. Returns whether it did not fail. */
static bool row_run(const struct row *row, int reps)
{
	static double values[MAX_REPS];
	int n = 0;
	enum outcome result = provide_memory(row->memory_bytes);
	if (result == ROW_OK)
		result = repeat(row, reps, values, &n);

	if (result == ROW_OK) {
		qsort(values, (size_t)n, sizeof values[0], compare_doubles);
		double median = (values[(n - 1) / 2] + values[n / 2]) / 2;
		printf("%s\t%.6g\t%s\t%.6g\t%d\n", row->name, median, row->unit,
		       more_is_better(row) ? values[n - 1] : values[0], n);
	} else {
		printf("%s\t%s\t%s\n", row->name, result == ROW_SKIPPED ? "skip" : "error",
		       row_message);
	}
	fflush(stdout); /* children must not inherit unwritten output */
	return result != ROW_FAILED;
}

/* Runs the rows named in the comma-separated list, or all for NULL. Returns the exit status. */
static int rows_run(const char *list, int reps)
{
	bool selected[NR_ROWS];
	memset(selected, list == NULL, sizeof selected);
	while (list != NULL && *list != '\0') {
		size_t len = strcspn(list, ",");
		const struct row *row = row_find(list, len);
		if (row == NULL) {
			fprintf(stderr, "bench: no row is called \"%.*s\"; see bench --list\n",
				(int)len, list);
			return 2;
		}
		selected[row - rows] = true;
		list += len + (list[len] == ',');
	}

	bool ok = true;
	measure_clock_cost();
	for (size_t i = 0; i < NR_ROWS; i++) {
		if (selected[i])
			ok &= row_run(&rows[i], reps);
	}
	drop_memory();
	return ok ? 0 : 1;
}

/* ---- command line -------------------------------------------------------- */

/*
 * Standard output of process 1 where the root has no usable /dev/console: the
 * kernel's own device tree has one. Failure leaves a silent run.
 */
static void open_console(void)
{
	if (fcntl(STDOUT_FILENO, F_GETFD) >= 0)
		return;
	(void)mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
	int fd = open("/dev/console", O_RDWR);
	while (fd >= 0 && fd < STDERR_FILENO)
		fd = dup(fd);
}

/*
 * The first process of a machine: runs a program, then powers the machine off,
 * since the exit of process 1 would be a panic. Returns only on an error.
 */
static int init_main(char **command)
{
	if (getpid() != 1 || command[0] == NULL) {
		fprintf(stderr, "bench: init is for process 1 and needs a PROGRAM\n");
		return 2;
	}
	open_console();
	printf("#start: %llu\n", (unsigned long long)start_ticks);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		execv(command[0], command);
		fprintf(stderr, "bench: cannot execute %s: %s\n", command[0], strerror(errno));
		_exit(127);
	}
	if (child < 0) {
		perror("bench: fork");
	} else {
		int status = 0;
		while (waitpid(child, &status, 0) < 0 && errno == EINTR)
			;
		/* The machine has no exit status of its own to give to its starter. */
		if (WIFSIGNALED(status))
			printf("#init: signal %d\n", WTERMSIG(status));
		else
			printf("#init: exit %d\n", WEXITSTATUS(status));
		fflush(stdout);
	}
	reboot(RB_POWER_OFF);
	perror("bench: power off");
	return 1;
}

static int usage(FILE *out)
{
	fputs("usage: bench [--list] [--reps N] [--rep-ms N] [--rows NAME[,NAME...]]\n"
	      "       bench init PROGRAM [ARG...]     (as process 1)\n"
	      "  --list   print every row's name, unit and meaning\n"
	      "  --reps   repetitions of each row, 1 to 1000 (default 5)\n"
	      "  --rep-ms how long one repetition lasts, at least half of it (default 20)\n"
	      "  --rows   measure only these rows\n",
	      out);
	return out == stdout ? 0 : 2;
}

/* Puts the number into *out; false, with a complaint, if the text is not one from 1 to MAX_REPS. */
static bool parse_number(const char *option, const char *text, int *out)
{
	char *end;
	long n = strtol(text, &end, 10);
	if (*text == '\0' || *end != '\0' || n < 1 || n > MAX_REPS) {
		fprintf(stderr, "bench: bad number \"%s\" for %s\n", text, option);
		return false;
	}
	*out = (int)n;
	return true;
}

static int bench_main(int argc, char **argv)
{
	int reps = DEFAULT_REPS, rep_ms = 20;
	const char *list = NULL;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--help") == 0) {
			return usage(stdout);
		} else if (strcmp(argv[i], "--list") == 0) {
			rows_list();
			return 0;
		} else if (strcmp(argv[i], "--rows") == 0 && i + 1 < argc) {
			list = argv[++i];
		} else if (strcmp(argv[i], "--reps") == 0 && i + 1 < argc) {
			if (!parse_number("--reps", argv[++i], &reps))
				return 2;
		} else if (strcmp(argv[i], "--rep-ms") == 0 && i + 1 < argc) {
			if (!parse_number("--rep-ms", argv[++i], &rep_ms))
				return 2;
		} else {
			fprintf(stderr, "bench: unknown or incomplete argument \"%s\"\n", argv[i]);
			return usage(stderr);
		}
	}
	rep_ns = (int64_t)rep_ms * 1000 * 1000;
	return rows_run(list, reps);
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "child") == 0)
		_exit(0);
	if (argc >= 2 && strcmp(argv[1], "init") == 0)
		return init_main(argv + 2);

	/* The path execve was given: /proc need not be mounted. */
	unsigned long execfn = getauxval(AT_EXECFN);
	self_path = execfn != 0 ? (const char *)(uintptr_t)execfn : argv[0];
	signal(SIGPIPE, SIG_IGN); /* a peer that died is an error of its row */
	return bench_main(argc, argv);
}
