/*
 * The kernel command line of the bare-metal machines: which program is first, with what arguments and
 * environment. Source: Linux's kernel-parameters document.
 */
#ifndef SCHED_CMDLINE_H
#define SCHED_CMDLINE_H

#include "lib/types.h"

/*
 * Copies the next word of *at to buf, cut to its size, and moves *at past it. False: there is none. Words are
 * separated by blanks; double quotes keep blanks in a word.
 */
bool cmdline_word(const char **at, char *buf, size_t size_bytes);

#define CMDLINE_ARGS_MAX 64
#define CMDLINE_ENVS_MAX 32

struct cmdline {
	char *text;			    /* owns the strings below */
	const char *init;		    /* rdinit=, else init=, else NULL */
	const char *args[CMDLINE_ARGS_MAX]; /* for init */
	unsigned nr_args;
	const char *envs[CMDLINE_ENVS_MAX]; /* NAME=value, each name once */
	unsigned nr_envs;
};

/*
 * What follows "--" is for init. Before it, a word that is no parameter of Levitate's or Linux's is init's too:
 * NAME=value for its environment, another as an argument unless init= comes later. A name with a dot is a
 * module's, and ignored. -ENOMEM; -E2BIG: too many arguments or variables.
 */
MUST_CHECK int cmdline_parse(const char *text, struct cmdline *out);
void cmdline_release(struct cmdline *cmdline);

#endif
