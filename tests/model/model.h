/*
 * The model test of address spaces: random operations on a family of processes,
 * each checked against a simple model of what mmap(2), fork(2) and the others promise.
 * Accesses go through a software MMU (mmu.h) that reads the raw page tables.
 *
 * A run is a setup and a sequence of operations, so it can be repeated, shortened
 * and written to a file; any bytes are a valid sequence (fuzzers).
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum model_codec { MODEL_X86_64, MODEL_AARCH64, MODEL_ODD, MODEL_CODECS };
enum model_mode { MODEL_EAGER, MODEL_COW, MODEL_SHARE, MODEL_MODES };
/* Broken kernels, to test the test. */
enum model_plant {
	PLANT_NONE,
	PLANT_NO_FLUSH,	       /* flushes are forgotten */
	PLANT_NO_TABLE_FLUSH,  /* flushes leave cached tables */
	PLANT_LOST_WRITE,      /* fork loses the parent's last write */
	MODEL_PLANTS
};

struct model_setup {
	uint8_t codec, mode;
	bool has_hot_pages, has_windows; /* what the machine asks for: copies at fork, faults in sequence */
	uint8_t border;			 /* where the window lies over the borders of tables */
	uint8_t plant;
	unsigned audit_every; /* steps; at the end in any case */
	bool is_brief;	      /* at the end some pages are read, not all: for fuzzers */
};

/* Codes of operations: OP_MMAP_ANON ... with the names of ops.def. */
enum op_code {
#define OP(id, name) OP_##id,
#include "ops.def"
#undef OP
	OP_CODES
};

/* One operation. Every value of every field has a meaning: numbers wrap. */
struct op {
	uint8_t code, space, c, d;
	uint16_t a, b, e;
};
#define OP_BYTES 10

/* ---- encoding (op.c) ---- */

/* A sequence from the bytes of a fuzzer or corpus file; returns the number of operations. */
size_t model_decode(const uint8_t *bytes, size_t size, struct model_setup *setup, struct op *ops, size_t max);
/* The reverse; returns the number of bytes, at most OP_BYTES * (nr + 1). */
size_t model_encode(const struct model_setup *setup, const struct op *ops, size_t nr, uint8_t *bytes);
/* The sequence of a seed, and where the seed decides, the setup. */
void model_random(uint64_t seed, struct model_setup *setup, struct op *ops, size_t nr);
/* A text form, one operation a line; '#' begins a comment. */
void model_print_op(FILE *out, const struct op *op);
void model_print_setup(FILE *out, const struct model_setup *setup);
/* Reads it; returns the number of operations, or -1 after a message. */
long model_read_file(const char *path, struct model_setup *setup, struct op *ops, size_t max);
extern const char *const model_codec_names[], *const model_mode_names[], *const model_plant_names[];

/* ---- running (model.c) ---- */

/* What happened so far. */
struct model_counts {
	uint64_t nr_ops, nr_audits, nr_accesses, nr_faults, nr_forks, nr_failed_allocs, nr_races;
};
extern struct model_counts model_counts;
/* Where a run stands; may be moved to memory shared with the parent process. */
struct model_progress {
	uint64_t episode, step;
};
extern struct model_progress *model_progress;

/* Runs a sequence from fresh address spaces until they are gone again. A violation is printed and aborts. */
void model_run(const struct model_setup *setup, const struct op *ops, size_t nr);
/* Say on stdout what each operation does. */
extern bool model_is_verbose;

/* ---- many runs, each in a child process (check.c) ---- */

#define EPISODE_OPS 2000

struct model_job {
	struct model_setup setup;
	bool keeps_setup;	  /* has_hot_pages and has_windows are as in setup, else the seed decides */
	uint64_t seed, nr_ops;	  /* in episodes of EPISODE_OPS */
	unsigned shrink_seconds;  /* at most, for a shorter sequence of a failure; 0: none */
	unsigned progress_seconds; /* a line now and then; 0: never */
	const char *state_file;	  /* remembers finished episodes, to go on after an interruption; or NULL */
	const char *failure_file; /* the shrunk sequence; NULL: model-CODEC-MODE-SEED.ops */
	const char *program;	  /* that repeats a file of operations, for the message */
};

/* 0: no violation. Else everything is printed; *nr_shrunk: the operations left (may be NULL). */
int model_check(const struct model_job *job, size_t *nr_shrunk);

#endif
