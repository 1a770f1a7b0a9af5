/*
 * Places for breakpoints: functions that do nothing, called where somebody who studies memory
 * wants to stop. They are never inlined and their arguments stay in registers.
 */
#ifndef MM_POINTS_H
#define MM_POINTS_H

#include "lib/types.h"

struct aspace;

/* fork(2) has made the copy; nobody runs in it yet. Both are locked. */
void fork_point(struct aspace *parent, struct aspace *child);
/* A page fault begins; access: enum trap_access. The address space is locked. */
void fault_point(struct aspace *as, uint64_t addr, unsigned access);
/* An allocation fails for the first time since boot, for want of memory or by --fail-alloc. */
void oom_first(void);
/* Called where an allocation fails: the first time it calls oom_first(). */
void allocation_failed(void);

/*
 * An operation on an address space is complete, successful or not, and its lock is released: the audit (--audit) and
 * the record (--record) look at it. addr: where it was; of a fork, whose as is the child, the id of the parent's; of an
 * exit, where as is NULL, the id of the one that is gone.
 */
void memory_point(const char *operation, struct aspace *as, uint64_t addr);
/* NULL: nobody records. */
extern void (*memory_recorder)(const char *operation, struct aspace *as, uint64_t addr);

#endif
