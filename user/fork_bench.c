/*
 * fork_bench: times fork as a program sees it, unchanged on Linux and on Levitate.
 * tools/bench fork runs it on both, between runs of tests/cost/fork_model.c, which
 * has the same arguments and output.
 *
 *   fork_bench - call MIB REPS      the fork call, and the exit of an unmodified child with the wait for it
 *   fork_bench - vmas NUMBER REPS   the same with so many VMAs of one page
 *   fork_bench - rewrite MIB REPS   the parent writes every page after the child has gone
 *   fork_bench - cycle MIB REPS [NAME]
 *                                   fork, writes by parent, child or both, exit, wait: every pattern
 *   fork_bench - memcpy MIB REPS    memcpy of so much memory
 *
 * Lines: "NAME<tab>MEDIAN<tab>us<tab>MINIMUM<tab>REPS". Pages are 4 KiB. The price of
 * reading the clock is subtracted. Exit status: 0, 1 something failed, 2 bad usage.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "write_patterns.h"

enum { PAGE_BYTES = 4096, MAX_REPS = 1000, AGAIN = 101, AGAIN_US = 1000000, CLOCK_SAMPLES = 20 };

static double samples[4][MAX_REPS];
static double clock_cost_us;

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double span_us(double from, double to)
{
	double span = to - from - clock_cost_us;

	return span > 0 ? span : 0;
}

/* The least of several averages: other programs only ever add to it. */
static void measure_clock_cost(void)
{
	clock_cost_us = 1e9;
	for (int k = 0; k < CLOCK_SAMPLES; k++) {
		double start = now_us(), cost;

		for (int i = 0; i < CLOCK_SAMPLES; i++)
			(void)now_us();
		cost = (now_us() - start) / (CLOCK_SAMPLES + 1);
		if (cost < clock_cost_us)
			clock_cost_us = cost;
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(const char *name, double *values, unsigned nr)
{
	qsort(values, nr, sizeof values[0], compare);
	printf("%s\t%.6g\tus\t%.6g\t%u\n", name, (values[(nr - 1) / 2] + values[nr / 2]) / 2, values[0], nr);
	fflush(stdout);
}

static void die(const char *what)
{
	fprintf(stderr, "fork_bench: ");
	perror(what);
	exit(1);
}

static volatile unsigned char *map_pages(uint64_t nr)
{
	void *p = mmap(NULL, nr * PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
		       -1, 0);

	if (p == MAP_FAILED)
		die("mmap");
	(void)madvise(p, nr * PAGE_BYTES, MADV_NOHUGEPAGE);
	return p;
}

static void write_all(volatile unsigned char *memory, uint64_t nr)
{
	for (uint64_t i = 0; i < nr; i++)
		memory[i * PAGE_BYTES]++;
}

static pid_t fork_or_die(void)
{
	pid_t pid = fork();

	if (pid < 0)
		die("fork");
	return pid;
}

static void reap(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid)
		die("waitpid");
	if (status != 0) {
		fprintf(stderr, "fork_bench: a child ended with status %#x\n", (unsigned)status);
		exit(1);
	}
}

/* One fork of a child that exits at once: the call, then exit and wait. */
static void call_once(double *call, double *rest)
{
	double t0 = now_us(), t1;
	pid_t pid = fork_or_die();

	if (pid == 0)
		_exit(0);
	t1 = now_us();
	reap(pid);
	*call = span_us(t0, t1);
	*rest = span_us(t1, now_us());
}

/* First after every page has been written, then with nothing in between: AGAIN times, or for AGAIN_US. */
static void measure_call(uint64_t nr_pages, unsigned reps)
{
	volatile unsigned char *memory = map_pages(nr_pages);
	double cold, unused, start;
	unsigned nr = 0;

	write_all(memory, nr_pages);
	call_once(&cold, &unused); /* table memory nobody has touched */
	for (unsigned i = 0; i < reps; i++) {
		write_all(memory, nr_pages);
		call_once(&samples[0][i], &samples[2][i]);
	}
	for (start = now_us(); nr < AGAIN && (nr < reps || now_us() - start < AGAIN_US); nr++)
		call_once(&samples[1][nr], &samples[3][nr]);
	report("cold call", &cold, 1);
	report("call", samples[0], reps);
	report("call again", samples[1], nr);
	report("exit", samples[2], reps);
	report("exit again", samples[3], nr);
}

static void measure_vmas(uint64_t nr, unsigned reps)
{
	volatile unsigned char *memory = map_pages(nr);

	for (uint64_t i = 1; i < nr; i += 2)
		if (mprotect((void *)(memory + i * PAGE_BYTES), PAGE_BYTES, PROT_READ | PROT_WRITE | PROT_EXEC) != 0)
			die("mprotect");
	write_all(memory, nr);
	for (unsigned i = 0; i < reps; i++)
		call_once(&samples[0][i], &samples[1][i]);
	report("vmas call", samples[0], reps);
	report("vmas exit", samples[1], reps);
}

static void measure_rewrite(uint64_t nr_pages, unsigned reps)
{
	volatile unsigned char *memory = map_pages(nr_pages);
	double unused, t0;

	write_all(memory, nr_pages);
	for (unsigned i = 0; i < reps; i++) {
		call_once(&unused, &unused);
		t0 = now_us();
		write_all(memory, nr_pages);
		samples[0][i] = span_us(t0, now_us());
	}
	report("rewrite", samples[0], reps);
}

/* ---- whole cycles ------------------------------------------------------------ */

enum { BY_PARENT = 1, BY_CHILD = 2 };

static void write_pattern_pages(volatile unsigned char *memory, const struct write_pattern *p, uint64_t nr_pages)
{
	uint64_t nr = pattern_count(p, nr_pages);

	for (uint64_t i = 0; i < nr; i++)
		memory[pattern_page(p, i, nr_pages) * PAGE_BYTES]++;
}

/* The parent writes first, on the one CPU there is; then the child runs. */
static double one_cycle(volatile unsigned char *memory, const struct write_pattern *p, unsigned writers,
			uint64_t nr_pages)
{
	double t0 = now_us();
	pid_t pid = fork_or_die();

	if (pid == 0) {
		if (writers & BY_CHILD)
			write_pattern_pages(memory, p, nr_pages);
		_exit(0);
	}
	if (writers & BY_PARENT)
		write_pattern_pages(memory, p, nr_pages);
	reap(pid);
	return span_us(t0, now_us());
}

static void measure_cycles(uint64_t nr_pages, unsigned reps, const char *only)
{
	static const char *const names[] = {[BY_PARENT] = "parent", [BY_CHILD] = "child", [3] = "both"};
	volatile unsigned char *memory = map_pages(nr_pages);

	write_all(memory, nr_pages);
	for (unsigned k = 0; k < NR_WRITE_PATTERNS; k++) {
		for (unsigned writers = BY_PARENT; writers <= (BY_PARENT | BY_CHILD); writers++) {
			const struct write_pattern *p = &write_patterns[k];
			char name[64];

			snprintf(name, sizeof name, "%s by %s", p->name, names[writers]);
			if ((k == 0 && writers != BY_PARENT) || (only != NULL && strcmp(only, name) != 0))
				continue;
			(void)one_cycle(memory, p, writers, nr_pages); /* warms up */
			for (unsigned i = 0; i < reps; i++)
				samples[0][i] = one_cycle(memory, p, writers, nr_pages);
			report(name, samples[0], reps);
		}
	}
}

static void measure_memcpy(uint64_t nr_pages, unsigned reps)
{
	uint64_t bytes = nr_pages * PAGE_BYTES;
	volatile unsigned char *from = map_pages(nr_pages), *to = map_pages(nr_pages);

	write_all(from, nr_pages);
	write_all(to, nr_pages);
	for (unsigned i = 0; i < reps; i++) {
		double t0 = now_us();

		memcpy((void *)to, (const void *)from, bytes);
		__asm__ volatile("" : : "r"(to) : "memory");
		samples[0][i] = span_us(t0, now_us());
	}
	report("memcpy", samples[0], reps);
}

int main(int argc, char **argv)
{
	uint64_t number = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
	uint64_t nr_pages = number << 8;
	unsigned reps = argc > 4 ? (unsigned)atoi(argv[4]) : 0;

	if (number == 0 || reps < 1 || reps > MAX_REPS) {
		fprintf(stderr, "usage: fork_bench - call|vmas|rewrite|cycle|memcpy NUMBER REPS [NAME]\n");
		return 2;
	}
	measure_clock_cost();
	if (strcmp(argv[2], "call") == 0)
		measure_call(nr_pages, reps);
	else if (strcmp(argv[2], "vmas") == 0)
		measure_vmas(number, reps);
	else if (strcmp(argv[2], "rewrite") == 0)
		measure_rewrite(nr_pages, reps);
	else if (strcmp(argv[2], "cycle") == 0)
		measure_cycles(nr_pages, reps, argc > 5 ? argv[5] : NULL);
	else
		measure_memcpy(nr_pages, reps);
	return 0;
}
