/*
 * The system-call trace (--trace): one line a call, in strace's form, with the
 * task's id in front:  "[pid] openat(AT_FDCWD, "/etc/passwd", O_RDONLY) = 3".
 */
#ifndef SYSCALL_TRACE_H
#define SYSCALL_TRACE_H

#include "lib/types.h"

struct task;

/* write receives whole lines; NULL turns tracing off. */
void trace_enable(void (*write)(const char *line, size_t size_bytes));
bool trace_is_enabled(void);

/* A system call begins: its arguments that are inputs are read now, before the call changes them. */
void trace_enter(struct task *task, uint64_t nr, const uint64_t args[6]);
/* It ended with result; prints the line. */
void trace_leave(struct task *task, uint64_t nr, const uint64_t args[6], int64_t result);
/* The task ended inside the call (exit, a fatal signal), status as of wait4. */
void trace_exit(struct task *task, int wait_status);
/* A signal is delivered. */
void trace_signal(struct task *task, int sig);

#endif
