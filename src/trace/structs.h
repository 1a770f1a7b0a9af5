/* Kinds of arguments that are structures. Private to src/trace. */
#ifndef TRACE_STRUCTS_H
#define TRACE_STRUCTS_H

#include "abi/time.h"
#include "show.h"

#define FLAG(name) {name, name, #name}
#define CHOICE(name) {~UINT64_C(0), (uint64_t)(int64_t)(name), #name}
#define END {0, 0, NULL}
#define SHOW(name) static void name(const struct argument *a, uint64_t value)
#define INPUT(name, show) {name, false, show, NULL}
#define OUTPUT(name, show) {name, true, show, NULL}
#define LAST_KIND {NULL, false, NULL, NULL}
typedef long long ll;
typedef unsigned long long ull;

/* The words of each file, the last without a name. */
extern const struct arg_kind file_kinds[], process_kinds[], poll_kinds[];
extern const struct flag_name clone_flag_names[];

/*
 * Copies a structure of the user's in; when there is none, or the call that should have written it failed, shows
 * the address instead and returns false.
 */
bool fetch(const struct argument *a, uint64_t addr, void *out, size_t size_bytes);

void add_timeval(struct line *line, const struct linux_timeval *tv);
void add_statx_mask(struct line *line, uint64_t mask);
void add_flock(struct line *line, uint64_t addr);
/* Records in what getdents64(2) wrote. */
unsigned count_dirents(uint64_t addr, size_t size_bytes);

#endif
