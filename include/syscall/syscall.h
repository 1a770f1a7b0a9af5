/*
 * System calls. src/syscall/table.def lists every call once with both
 * architectures' numbers:  SYSCALL(name, x86_64, aarch64, nr_args, format)
 * `NONE` where an architecture lacks it. A call is a function
 *     int64_t sys_NAME(const uint64_t args[6]);
 * that returns the result or a negative errno. Inside: check, then commit.
 */
#ifndef SYSCALL_SYSCALL_H
#define SYSCALL_SYSCALL_H

#include "lib/types.h"

#define SYSCALL_DECLARE(name) int64_t sys_##name(const uint64_t args[6])
/* Head of a definition: prototype and declarator in one. */
#define SYSCALL_DEFINE(name) SYSCALL_DECLARE(name); SYSCALL_DECLARE(name)

/* The kernel's internal results that never reach the user (src/sched/signal.c): */
#define ERESTARTSYS 512           /* restart if SA_RESTART, else EINTR */
#define ERESTARTNOINTR 513        /* always restart */
#define ERESTARTNOHAND 514        /* restart unless a handler ran */
#define ERESTART_RESTARTBLOCK 516 /* restart through task->restart_fn */

#endif
