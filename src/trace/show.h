/*
 * Writing values into a trace line, in strace's notation. Private to src/trace.
 */
#ifndef TRACE_SHOW_H
#define TRACE_SHOW_H

#include "abi/signal.h"
#include "lib/printf.h"
#include "lib/types.h"

#define LINE_MAX_BYTES 1536
#define STRING_SHOWN 32 /* bytes of a buffer, as strace's default */

struct line {
	size_t len;
	unsigned nr_done; /* arguments printed */
	uint64_t start_ns;
	char text[LINE_MAX_BYTES];
};

/* One argument in its surroundings: the other arguments, and the result once it is known. */
struct argument {
	struct line *line;
	const uint64_t *args;
	unsigned i;
	int64_t result;
	const struct arg_kind *kind;
};

/* A flag is present when (value & mask) == value of the entry. A list ends with name NULL. */
struct flag_name {
	uint64_t mask, value;
	const char *name;
};

/* How arguments of one kind are shown. */
struct arg_kind {
	const char *name;
	bool is_output; /* the call writes it: shown when the call has ended */
	void (*show)(const struct argument *a, uint64_t value);
	const struct flag_name *names; /* for show_flags and show_choice */
};

/* The kind of the word at *format (table.def), and *format moved behind it; NULL at the end. */
const struct arg_kind *next_kind(const char **format);

void add(struct line *line, const char *fmt, ...) PRINTF_LIKE(2, 3);
void add_flags(struct line *line, uint64_t value, const struct flag_name *names);
/* False: no entry has the value; nothing was written. */
bool add_choice(struct line *line, uint64_t value, const struct flag_name *names);
/* A pointer that was not followed: NULL or its address. */
void add_pointer(struct line *line, uint64_t addr);
void add_signal(struct line *line, uint64_t sig);
/* len bytes in quotes. */
void add_quoted(struct line *line, const char *s, size_t len, bool is_cut);
/* A string of the user's, cut at max bytes. */
void add_string(struct line *line, uint64_t addr, size_t max);
/* count bytes of the user's, cut at STRING_SHOWN. */
void add_bytes(struct line *line, uint64_t addr, uint64_t count);
/* A set of signals: [INT CHLD], ~[RTMIN RT_1]. */
void add_signal_set(struct line *line, uint64_t set);
void add_siginfo(struct line *line, const struct linux_siginfo *info);
/* What follows the result of some calls: (flags O_RDWR), ([{fd=0, revents=POLLIN}]), (Timeout). */
void add_result_comment(struct line *line, const char *call, const uint64_t *args, int64_t result);

extern const struct flag_name open_flag_names[];

/* ---- filter.c ---- */

struct filter_events {
	bool calls, faults, switches;
};
/* Reads a filter (trace_start()). -EINVAL and *bad: at a word that means nothing. */
MUST_CHECK int filter_parse(const char *text, struct filter_events *out, const char **bad);
/* Does the filter want this call? */
bool filter_wants(uint64_t nr);
extern bool filter_has_times;

#endif
