/* futex(2) as the rest of the kernel uses it; src/sched/futex.c. */
#ifndef SCHED_FUTEX_H
#define SCHED_FUTEX_H

#include "lib/types.h"

struct task;

void futex_init(void);
/*
 * The current task leaves its address space (exit, exec): marks the robust futexes it holds
 * as ownerless and wakes a waiter of each.
 */
void futex_exit_robust_list(struct task *t);
/* Wakes up to nr waiters on the word, private or shared: clear_child_tid. Returns how many. */
int futex_wake(uaddr_t addr, bool is_private, int nr, uint32_t bitset);
/* Waits while *addr == expected. 0, -EAGAIN, -EINTR, -ETIMEDOUT, -EFAULT, -EINVAL. */
int futex_wait(uaddr_t addr, bool is_private, uint32_t expected, uint64_t deadline_ns, uint32_t bitset);
/* Wakes nr_wake, moves up to nr_requeue to addr2; check: only while *addr == expected (-EAGAIN). Sum, or errno. */
int futex_requeue(uaddr_t addr, uaddr_t addr2, bool is_private, int nr_wake, int nr_requeue, bool check,
		  uint32_t expected);
/* FUTEX_WAKE_OP. */
int futex_wake_op(uaddr_t addr, uaddr_t addr2, bool is_private, int nr_wake, int nr_wake2, uint32_t op);

#endif
