/* Shared between the files of src/mm only. */
#ifndef MM_INTERNAL_H
#define MM_INTERNAL_H

#include "lib/list.h"
#include "lib/types.h"
#include "mm/aspace.h"
#include "mm/filemap.h"
#include "mm/pt.h"
#include "mm/vma.h"

/* ---- aspace.c ---- */

/* All address spaces (aspace.all_link); changed only without sleeping. */
extern struct list aspace_all;

/* The rights a page of a mapping gets: as on Linux, write and exec imply read. */
static inline prot_t vma_page_prot(const struct vma *vma)
{
	return vma->prot.raw & (PROT_BIT_W | PROT_BIT_X) ? prot_with(vma->prot, PROT_BIT_R) : vma->prot;
}
/* The pages behind a file mapping; never NULL for one that mmap accepted. */
struct filemap *vma_filemap(const struct vma *vma);
/* Index in the file of the page at va. */
static inline uint64_t vma_index(const struct vma *vma, uint64_t va)
{
	return vma->page_index + ((va - vma->start) >> PAGE_SHIFT);
}
/* A mapping whose file must hear of the first write to each page. */
static inline bool vma_has_soft_write(const struct vma *vma)
{
	return (vma->flags & VMA_SHARED) && vma_filemap(vma)->ops->write_page != NULL;
}

/*
 * Takes all pages of [start, end) out and flushes; tables come from the reserve
 * (filled with unmap_cost). Shared file pages that are dirty are written back.
 * The VMAs are the caller's business. as->lock held.
 */
void aspace_zap(struct aspace *as, uint64_t start, uint64_t end, struct pt_reserve *reserve);
/* zap with its own reserve; -ENOMEM without effect. */
MUST_CHECK int aspace_zap_checked(struct aspace *as, uint64_t start, uint64_t end);

/* ---- audit.c ---- */

/* New memory (unit tests boot again): the recount's room is gone. */
void mm_audit_forget(void);

/* ---- fault.c ---- */

enum fault_flags {
	FAULT_FORCE = 8,    /* ignore the page's own rights: a private copy for the kernel to write */
	FAULT_NO_GROW = 16, /* do not grow stacks */
	FAULT_BULK = 32,    /* serve as many pages as possible */
};
/* aspace_fault() with as->lock held; access: enum trap_access and fault_flags. */
int aspace_fault_locked(struct aspace *as, uint64_t addr, unsigned access);
/* Makes [start, end) present as far as possible; errors are ignored. as->lock held. */
void aspace_populate(struct aspace *as, uint64_t start, uint64_t end);

/* ---- first_writes.c ---- */

/* At fork: child and parent have one list; without memory for it, or where the machine wants none, none. */
void first_writes_inherit(struct aspace *child, struct aspace *parent);
/* The address space goes. */
void first_writes_put(struct aspace *as);
/* A copy-on-write fault was served at the page va. Only while as->nr_first_writes_left is not 0. as->lock held. */
void first_writes_note(struct aspace *as, uint64_t va);
/*
 * Pages of parent that a child will write first, as far as can be foretold; each is in a private mapping that may be
 * written to. Returns how many. parent->lock held.
 */
unsigned first_writes_choose(struct aspace *parent, uint64_t va[FIRST_WRITES_MAX]);

/* ---- madvise.c ---- */

/* Sets and clears flags of the VMAs in the range, holes or not; -ENOMEM without effect. as->lock held. */
int aspace_change_flags(struct aspace *as, uint64_t start, uint64_t end, uint32_t set, uint32_t clear);

/* ---- mmap.c ---- */

#define STACK_GUARD_PAGES 256
/* Is [start, end) free, and no stack just above it needs its guard gap there? */
bool aspace_range_is_free(const struct aspace *as, uint64_t start, uint64_t end);
/* RLIMIT_AS, RLIMIT_DATA for nr_pages more. */
bool aspace_may_expand(const struct aspace *as, uint64_t nr_pages, bool is_data);
uint64_t aspace_find_free(const struct aspace *as, uint64_t length, uint64_t align, uint64_t high);

/* ---- usercopy.c ---- */

/* Kernel pins are counted per bucket: false is certain, true means perhaps. */
bool frame_is_maybe_pinned(pfn_t pfn);
extern uint32_t user_pins_total;
/* For the audit: pins in the bucket of pfn, and the number of buckets. */
#define PIN_BUCKETS 256
uint32_t user_pins_in_bucket(unsigned bucket);
static inline unsigned pin_bucket(pfn_t pfn) { return pfn.raw % PIN_BUCKETS; }
/* Pins whose holder is known, in no order: NULL beyond the last. */
struct user_pin {
	pfn_t pfn;
	int tid;
};
const struct user_pin *user_pin_get(unsigned index);

/* ---- filemap.c ---- */

extern struct list filemap_all;
void filemap_subsystem_init(void);
/* The page at index will be written through a mapping. */
void filemap_mark_dirty(struct filemap *map, uint64_t index);
/* Drops the cached pages [first, last], dirty or not; nothing maps them any more. */
void filemap_drop_range(struct filemap *map, uint64_t first, uint64_t last);
/* What the file adds to what is committed. */
uint64_t filemap_committed_pages(const struct filemap *map);
/* For the audit: calls fn for every cached page. */
void filemap_visit(struct filemap *map, void (*fn)(uint64_t index, pfn_t pfn, void *arg), void *arg);

#endif
