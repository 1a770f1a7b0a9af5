/* The kernel command line of the bare-metal machines: which program is first, with what arguments. */
#ifndef SCHED_CMDLINE_H
#define SCHED_CMDLINE_H

#include "lib/types.h"

#define CMDLINE_ARGS_MAX 64

struct cmdline {
	char *text;			    /* owns the strings below */
	const char *init;		    /* init=, or NULL */
	const char *args[CMDLINE_ARGS_MAX]; /* what follows "--" */
	unsigned nr_args;
};

/*
 * Words are separated by blanks; double quotes keep blanks in a word. Parameters other than init= are
 * for other readers and ignored. -ENOMEM; -E2BIG: too many arguments.
 */
MUST_CHECK int cmdline_parse(const char *text, struct cmdline *out);
void cmdline_release(struct cmdline *cmdline);

#endif
