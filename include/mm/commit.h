/*
 * The commit limit, proc(5) vm.overcommit_memory: how much memory is promised to
 * processes, and when a promise is refused. Counted are the pages of VMAs with
 * VMA_ACCOUNT (private and writable, or once so), shared anonymous mappings in full,
 * and the pages of other memory files.
 *
 * Lock: none; the total is changed without sleeping. An address space's part of it is
 * guarded by its lock.
 */
#ifndef MM_COMMIT_H
#define MM_COMMIT_H

#include "lib/types.h"

struct aspace;

enum overcommit_mode {
	OVERCOMMIT_GUESS,  /* refuse a single request for more than all memory */
	OVERCOMMIT_ALWAYS, /* refuse nothing */
	OVERCOMMIT_NEVER,  /* refuse what goes beyond the limit */
};

/* /proc/sys/vm: each may be changed at any time. */
struct commit_settings {
	int64_t mode;		   /* overcommit_memory: enum overcommit_mode */
	int64_t ratio_percent;	   /* overcommit_ratio: of all memory; used while limit_kib is 0 */
	int64_t limit_kib;	   /* overcommit_kbytes */
	int64_t admin_reserve_kib; /* admin_reserve_kbytes: of the limit, for CAP_SYS_ADMIN only */
	int64_t user_reserve_kib;  /* user_reserve_kbytes: a process leaves a 32nd of its size, at most this */
};
extern struct commit_settings commit_settings;

/* Once at boot, after frame_init: nothing is promised, settings as Linux has them. */
void commit_init(void);

/* CommitLimit and Committed_AS of /proc/meminfo. */
uint64_t commit_limit_pages(void);
uint64_t commit_used_pages(void);

/*
 * A change of an address space that may take more: charge first, then change the VMAs (or
 * fail), then settle. as->lock held.
 * charge: nr_pages more of as are promised. -ENOMEM by the mode; nothing changed.
 * settle: what as's VMAs do not hold (after a failure: what was charged) is given back.
 */
MUST_CHECK int commit_charge(struct aspace *as, uint64_t nr_pages);
void commit_settle(struct aspace *as);
/* charge for what child will get of parent. Both locks held, or nobody else knows the child. */
MUST_CHECK int commit_charge_fork(struct aspace *child, const struct aspace *parent);
/* Accounted pages of [start, end). */
uint64_t commit_pages_in(const struct aspace *as, uint64_t start, uint64_t end);

/* The same for memory files. */
MUST_CHECK int commit_charge_file(uint64_t nr_pages);
void commit_uncharge_file(uint64_t nr_pages);

/* Recounts by walking VMAs and memory files. The number of violations, each printed. */
unsigned commit_audit(void);

#endif
