/*
 * What tasks do, for people: the trace (--trace), and the timeline (--timeline) that Chrome and Perfetto draw. The
 * trace has one line a system call in strace's form, with the task's id in front:
 *     [2] openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3
 * and, when asked for, lines for page faults and context switches. All of it is off until a start function has
 * been called; a hook costs one test of its flag then. No lock: one CPU, and a line is written whole.
 */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include "lib/types.h"

struct linux_siginfo;
struct task;

/*
 * Turns tracing on. write receives whole lines. filter: a comma-separated list, NULL or "" for every system call:
 * names of calls (fork means all four of its kind), classes (%file %desc %process %memory %signal %network), the
 * words fault and switch, and %time for times in front of lines and behind results. -EINVAL and *bad: a word that
 * is none of these.
 */
MUST_CHECK int trace_start(void (*write)(const char *line, size_t size_bytes), const char *filter, const char **bad);

/* Turns the timeline on. write receives pieces of a JSON text, which timeline_finish() ends. */
void timeline_start(void (*write)(const char *text, size_t size_bytes));
void timeline_finish(void);

/* Which hooks have work to do: test the flag, then call. */
extern bool trace_calls_on, trace_faults_on, trace_switches_on;

/* A system call begins (these four: trace_calls_on): arguments that are inputs are read now, before the call
 * changes them. */
void trace_enter(struct task *task, uint64_t nr, const uint64_t args[6]);
/* It ended with result; prints the line. */
void trace_leave(struct task *task, uint64_t nr, const uint64_t args[6], int64_t result);
/* The task ended inside the call (exit, a fatal signal), status as of wait4. */
void trace_exit(struct task *task, int wait_status);
/* A signal is delivered. */
void trace_signal(struct task *task, int sig, const struct linux_siginfo *info);
/* A page fault that began at start_ns was served: result as of aspace_fault(). (trace_faults_on) */
void trace_fault(struct task *task, uint64_t addr, unsigned access, int result, uint64_t start_ns);
/* The CPU goes from one task to another; neither knows it yet. (trace_switches_on) */
void trace_switch(const struct task *from, const struct task *to);
/* A task was made and is about to run for the first time; has a new name. (trace_calls_on) */
void trace_fork(const struct task *parent, const struct task *child);
void trace_name(const struct task *task);

#endif
