/*
 * Which pages of a range a benchmark writes to, and in which order: the same for
 * the guest program (fork_bench.c) and for the algorithm alone (tests/cost).
 * Everything is a function of its arguments.
 */
#ifndef WRITE_PATTERNS_H
#define WRITE_PATTERNS_H

#include <stdint.h>
#include <string.h>

struct write_pattern {
	const char *name;
	uint64_t nr_pages;   /* written, at most the whole range */
	unsigned percent;    /* ... or this share of the range, when nr_pages is 0 */
	int is_random;
};

static const struct write_pattern write_patterns[] = {
	{"none", 0, 0, 0},
	{"1 page", 1, 0, 1},
	{"16 random", 16, 0, 1},
	{"256 sequential", 256, 0, 0},
	{"10 % random", 0, 10, 1},
	{"all sequential", 0, 100, 0},
	{"all random", 0, 100, 1},
};

enum { NR_WRITE_PATTERNS = sizeof write_patterns / sizeof write_patterns[0] };

static inline uint64_t pattern_count(const struct write_pattern *p, uint64_t range_pages)
{
	uint64_t nr = p->nr_pages != 0 ? p->nr_pages : range_pages * p->percent / 100;

	return nr < range_pages ? nr : range_pages;
}

/* The i-th page written; no page twice. range_pages is a power of two. */
static inline uint64_t pattern_page(const struct write_pattern *p, uint64_t i, uint64_t range_pages)
{
	uint64_t x = i;

	if (!p->is_random)
		return i + (p->percent == 100 ? 0 : range_pages / 4 <= range_pages - p->nr_pages ? range_pages / 4 : 0);
	/* Odd multipliers and a shift permute the numbers below a power of two. */
	x = (x * 0x9e3779b1u + 0x7f4a7c15u) & (range_pages - 1);
	x ^= x >> 7;
	return (x * 0x85ebca6bu + 0x1234567u) & (range_pages - 1);
}

static inline const struct write_pattern *pattern_find(const char *name)
{
	for (int i = 0; i < NR_WRITE_PATTERNS; i++)
		if (strcmp(write_patterns[i].name, name) == 0)
			return &write_patterns[i];
	return NULL;
}

#endif
