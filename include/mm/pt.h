/*
 * The radix page table: one generic implementation (src/mm/pt.c), compiled once
 * for each codec (arch_<name>/pte.h). Nodes and leaves are reference-counted;
 * see the invariants in docs/ARCHITECTURE.md (they are numbered there and here).
 *
 * Levels count upwards: level 0 is a page, level 1 a leaf table, ops->nr_levels
 * the root. A slot that grants write is the only one that points at its target
 * (MAP_SHARED pages excepted), so "write on" reads as "exclusively mine" all the
 * way down from the root, whatever the VMA allows; "write off" is always soft.
 *
 * All functions need the lock of the address space. "gather": frames whose
 * references are dropped only after the TLB flush (invariant 5). "reserve":
 * table frames set aside, so that a change that has begun cannot fail (invariant 8).
 */
#ifndef MM_PT_H
#define MM_PT_H

#include "lib/types.h"
#include "mm/prot.h"

struct aspace;
struct pt;
struct pt_ops;
struct pt_visitor;

/* Properties of a page entry beside its rights. */
enum pt_attr { PT_USER = 1, PT_ACCESSED = 2, PT_DIRTY = 4, PT_SHARED = 8 };

#define PT_LEVELS_MAX 5
#define PT_HOT_SPANS 16
#define FIRST_WRITES_MAX 8u

struct pt {
	const struct pt_ops *ops;
	pfn_t root;
	uint64_t nr_pages; /* pages mapped (RSS), O(1) */
	/* Leaf tables written to by faults lately, most recent first, as va / span: fork looks there. */
	uint64_t hot_spans[PT_HOT_SPANS];
	unsigned nr_hot_spans;
};

/* What stands at an address. */
struct pt_entry {
	bool present;
	pfn_t pfn;
	prot_t prot; /* effective rights over all levels */
	bool accessed, dirty, shared;
	bool is_private_path; /* every table above is there and grants write: own() would change nothing */
};

/* One entry taken apart, for tests of the codecs. */
struct pte_fields {
	enum { PTE_ABSENT, PTE_TABLE, PTE_PAGE } kind;
	paddr_t pa;
	bool writable;	/* table */
	prot_t prot;	/* page */
	unsigned attrs; /* page: enum pt_attr */
};

/* ---- gather: flush, then drop ------------------------------------------- */

#define PT_GATHER_RANGES 8
#define PT_GATHER_ITEMS 256

struct pt_range {
	uint64_t start, end;
};

/* Ascending or not, at most PT_GATHER_RANGES; when full, the one that has to grow least covers more. */
struct pt_ranges {
	unsigned nr;
	struct pt_range range[PT_GATHER_RANGES];
};

struct pt_gather {
	struct aspace *as;
	bool is_covering; /* one range over all: everything in between goes away too */
	struct pt_ranges flush;
	unsigned nr_items;
	pfn_t pfn[PT_GATHER_ITEMS];
	uint8_t level[PT_GATHER_ITEMS];
};

void pt_gather_init(struct pt_gather *g, struct aspace *as, bool is_covering);
/* Translations of [start, end) may be stale. */
void pt_gather_flush(struct pt_gather *g, uint64_t start, uint64_t end);
/* A slot no longer points at pfn, a node of that level: the slot is written, its range noted, already. */
void pt_gather_drop(struct pt_gather *g, pfn_t pfn, unsigned level);
/* Flushes, then drops. The gather is empty afterwards. */
void pt_gather_finish(struct pt_gather *g);

void pt_ranges_add(struct pt_ranges *r, uint64_t start, uint64_t end);
void pt_ranges_add_page(struct pt_ranges *r, uint64_t page);

/* ---- reserve ------------------------------------------------------------- */

struct pt_reserve {
	pfn_t head; /* chained through the frames themselves */
	unsigned nr;
};

/* Adds nr table frames. -ENOMEM: none was added. */
MUST_CHECK int pt_reserve_fill(struct pt_reserve *r, uint64_t nr);
pfn_t pt_reserve_take(struct pt_reserve *r); /* never fails: asserts */
void pt_reserve_release(struct pt_reserve *r);

/* ---- fork ---------------------------------------------------------------- */

/* One clone of a whole tree: the knob, and what came of it. */
struct pt_clone {
	/* Subtrees with more pages than this are shared as a whole; UINT32_MAX: none is. */
	uint32_t share_above_pages;
	bool copy_all;		/* eager: copy every private page */
	bool has_pins;		/* frames that are perhaps pinned are copied */
	unsigned hot_pages_max; /* copy the hot pages if that many at most */
	/* Pages of private, writable mappings that the child will write first: it gets writable copies. */
	uint64_t first_writes[FIRST_WRITES_MAX];
	unsigned nr_first_writes;
	/* A frame for the copy of the page at va, with one reference, or PFN_NONE. */
	pfn_t (*new_page)(struct pt_clone *c, uint64_t va);
	/* out: translations of the source that lost write permission; copies to be made at least */
	struct pt_ranges flush;
	unsigned nr_hot_pages;
	/* private: accepted hot leaf spans */
	uint64_t hot[PT_HOT_SPANS];
	unsigned nr_hot;
};

/* ---- operations ---------------------------------------------------------- */

struct pt_ops {
	const char *name;
	unsigned nr_levels, index_bits;

	/* The codec itself: pure functions. */
	pte_t (*encode_table)(paddr_t pa, bool writable);
	pte_t (*encode_page)(paddr_t pa, prot_t prot, unsigned attrs);
	pte_t (*without_write)(pte_t e);
	pte_t (*aged)(pte_t e);
	void (*decode)(pte_t e, struct pte_fields *out);

	/* An empty root; slots beyond the user's part are the machine's. -ENOMEM. */
	int (*create)(struct pt *pt);
	/* Drops everything, the root too. Translations must be gone. */
	void (*destroy)(struct pt *pt);
	/* One slot stopped pointing at the node; the flush is done. */
	void (*drop)(pfn_t node, unsigned level);

	/* Hardware's walk: checks rights at every level; sets accessed, and dirty for a write. */
	bool (*walk)(struct pt *pt, uint64_t va, unsigned access, pfn_t *pfn, prot_t *prot);
	/* Looks without side effects. Returns out->present. */
	bool (*lookup)(const struct pt *pt, uint64_t va, struct pt_entry *out);
	/* First page in [va, end): its address, or UINT64_MAX. */
	uint64_t (*next)(const struct pt *pt, uint64_t va, uint64_t end, struct pt_entry *out);
	/* Number of absent slots from va on, at most max, within one leaf table. */
	unsigned (*absent_run)(const struct pt *pt, uint64_t va, unsigned max);
	/* Slots from va to the end of its leaf table. */
	unsigned (*leaf_room)(uint64_t va);

	/*
	 * Makes every table above va exist and private, by copying shared ones or taking
	 * them over; cannot fail: the reserve holds what own_cost() asked for.
	 * *is_shared: the leaf table is among those to be copied.
	 */
	unsigned (*own_cost)(const struct pt *pt, uint64_t va, bool *is_shared);
	void (*own)(struct pt *pt, uint64_t va, struct pt_reserve *r, struct pt_gather *g);
	/* The next three need a path that own() has made private. */
	/* Fills nr absent slots of one leaf table; takes over a reference of each frame. */
	void (*map)(struct pt *pt, uint64_t va, const pfn_t *pfns, unsigned nr, prot_t prot, unsigned attrs);
	/* Puts another frame, whose reference it takes over, where a page is; the old one goes to the gather. */
	void (*replace)(struct pt *pt, uint64_t va, pfn_t pfn, prot_t prot, unsigned attrs,
			struct pt_gather *g);
	/* Changes rights and adds attributes of a page in place. */
	void (*set_prot)(struct pt *pt, uint64_t va, prot_t prot, unsigned add_attrs);
	/* Notes that va's leaf table is being written to. */
	void (*note_hot)(struct pt *pt, uint64_t va);

	/* Table frames that unmap() of the range may need. */
	uint64_t (*unmap_cost)(const struct pt *pt, uint64_t start, uint64_t end);
	void (*unmap)(struct pt *pt, uint64_t start, uint64_t end, struct pt_reserve *r, struct pt_gather *g);
	/*
	 * Gives the pages of the range these rights. Write is only ever removed from a page
	 * that is shared: the next write fault adds it. soft_write: not even exclusive pages
	 * get it at once (their file needs to know of the first write).
	 */
	uint64_t (*protect_cost)(const struct pt *pt, uint64_t start, uint64_t end, prot_t prot);
	void (*protect)(struct pt *pt, uint64_t start, uint64_t end, prot_t prot, bool soft_write,
			struct pt_reserve *r, struct pt_gather *g);
	/* Moves pages to an empty, not overlapping range; whole tables where both ends agree. */
	uint64_t (*move_cost)(const struct pt *pt, uint64_t from, uint64_t to, uint64_t size_bytes);
	void (*move)(struct pt *pt, uint64_t from, uint64_t to, uint64_t size_bytes, struct pt_reserve *r,
		     struct pt_gather *g);

	/* fork: fills the empty dst. -ENOMEM: destroy dst; the flush ranges count all the same. */
	int (*clone)(struct pt *dst, struct pt *src, struct pt_clone *how);

	/*
	 * For audits: calls fn for every used slot, tables first; writable: over all levels.
	 * A table is descended into when fn says true. Returns nothing.
	 */
	void (*visit)(const struct pt *pt, const struct pt_visitor *visitor);
};

struct pt_visit {
	uint64_t va;
	unsigned level;			   /* of the node pointed at: 0 for a page */
	pfn_t pfn, table;		   /* the node, and the table that holds the slot */
	bool slot_writable, path_writable; /* path: this slot and all above */
	prot_t prot;			   /* page */
	unsigned attrs;
};
struct pt_visitor {
	bool (*fn)(const struct pt_visit *v, void *arg);
	/* May be NULL. After a table's slots: the sum of the pages beneath them. */
	void (*table_end)(pfn_t table, unsigned level, uint64_t nr_pages, void *arg);
	void *arg;
};

extern const struct pt_ops pt_ops_x86_64, pt_ops_aarch64;

/* Span of addresses one slot of a table of this level covers. */
static inline uint64_t pt_slot_bytes(const struct pt_ops *ops, unsigned level)
{
	return PAGE_SIZE << ((level - 1) * ops->index_bits);
}
/* End of the addresses the format can express; may be below arch_user_end(). */
static inline uint64_t pt_va_end(const struct pt_ops *ops)
{
	return pt_slot_bytes(ops, ops->nr_levels) << ops->index_bits;
}

/* Counts since boot, for cost tests and --stats. */
struct pt_stats {
	uint64_t nr_entry_writes, nr_table_allocs, nr_table_copies, nr_table_shares, nr_takeovers,
		nr_page_copies;
	uint64_t nr_flushes, nr_slots_moved, nr_drops; /* drops: references that slots gave up as trees went away */
};
extern struct pt_stats pt_stats;

#endif
