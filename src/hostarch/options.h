/* The command line, taken apart by main.c, for boot.c. Plain C types: both worlds include it. */
#ifndef HOSTARCH_OPTIONS_H
#define HOSTARCH_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#define OPTION_BINDS_MAX 32

struct option_bind {
	const char *source, *target;
	bool is_writable;
};

struct options {
	uint64_t memory_bytes;
	const char *root;            /* host directory */
	bool is_root_writable;
	struct option_bind binds[OPTION_BINDS_MAX];
	unsigned nr_binds;
	const char *initrd;          /* NULL: none */
	const char *cwd;
	unsigned fork_mode;          /* enum fork_mode */
	bool is_pte_aarch64;
	bool trace, stats, audit;
	const char *trace_file, *stats_file; /* NULL: stderr */
	const char *trace_filter;    /* NULL: every call */
	const char *record_file;     /* NULL: none */
	const char *timeline_file;   /* NULL: none */
	uint64_t fail_alloc;         /* 0: off */
	bool fail_alloc_persistent;
	bool is_seeded;
	uint64_t seed;
	double timeout_seconds;      /* 0: none */
	const char *const *argv;     /* the program's, NULL at the end */
	const char *const *envp;
};

/* Boots the machine and runs the program. */
void machine_boot(const struct options *options) __attribute__((noreturn));

#endif
