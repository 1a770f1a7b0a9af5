/*
 * Physical frames: buddy allocator and 8 bytes of metadata a frame.
 * A frame is reference-counted; the last frame_put() frees it (and its run, if
 * it was allocated with an order). Guarded by an internal spinlock.
 */
#ifndef MM_FRAME_H
#define MM_FRAME_H

#include "arch/machine.h"
#include "lib/types.h"

#define FRAME_ORDER_MAX 10 /* runs up to 4 MiB */

enum frame_kind {
	FRAME_FREE,
	FRAME_RESERVED, /* no memory, or the kernel's own (metadata) */
	FRAME_ANON,	/* user page without a file */
	FRAME_CACHE,	/* page of a filemap (page cache, shared memory) */
	FRAME_TABLE,	/* page table; the word beside the count is the number of pages beneath */
	FRAME_SLAB,
	FRAME_KERNEL, /* stacks and large kernel buffers */
};

/* Metadata of one frame: 8 bytes. See src/mm/frame.c for the layout of `info`. */
struct frame {
	uint32_t refs;
	uint32_t info;
};

struct frame_stats {
	uint64_t nr_total, nr_free;
	uint64_t nr_kind[FRAME_KERNEL + 1];
};

static inline void *phys_to_ptr(paddr_t pa) { return arch_phys_base + pa.raw; }
static inline void *pfn_to_ptr(pfn_t pfn) { return phys_to_ptr(pfn_to_phys(pfn)); }
static inline pfn_t ptr_to_pfn(const void *ptr)
{
	return phys_to_pfn((paddr_t){(uint64_t)((const char *)ptr - arch_phys_base)});
}

/*
 * Builds the allocator over the boot ranges; places the metadata inside them. Once, at
 * boot (unit tests: again over other memory). Costs the same for any amount of memory:
 * metadata is set up piece by piece as memory is first needed.
 */
void frame_init(const struct boot_info *boot);

/*
 * The allocator gets [start, end), whole pages of boot->initrd_pages, which it had been kept from. Once
 * for each page and upwards: start is where the last call ended.
 */
void frame_give(paddr_t start, paddr_t end);

/*
 * One frame with refs == 1, content undefined. PFN_NONE when memory (after
 * shrinking caches) or --fail-alloc says no.
 */
pfn_t frame_alloc(enum frame_kind kind);
pfn_t frame_alloc_zeroed(enum frame_kind kind);
/* 2^order contiguous frames, aligned to their size; refs of the first counts for all. */
pfn_t frame_alloc_order(enum frame_kind kind, unsigned order);
/* The same without asking fail_alloc(): for allocators on top, which have asked. */
pfn_t frame_alloc_order_unchecked(enum frame_kind kind, unsigned order);
/*
 * Up to nr single frames, contiguous ascending if possible, each refs == 1. Returns how
 * many (0 when out of memory); out[] receives them. Counts as one allocation.
 */
unsigned frame_alloc_run(enum frame_kind kind, pfn_t *out, unsigned nr);

/* Private to src/mm/frame.c and the inline functions below. */
extern struct frame *frame_table_; /* of frame number 0, as if it had any: metadata begins at frame_table_base_ */
extern uint32_t frame_table_base_;
#define FRAME_KIND_SHIFT_ 29
#define FRAME_ORDER_SHIFT_ 25
/* A count this high sticks: the frame is never freed, which is a leak and not a hole. */
#define FRAME_REFS_STICKY 0x80000000u
void frame_refs_broken_(struct frame *f);

static inline struct frame *frame_meta_(pfn_t pfn) { return &frame_table_[pfn.raw]; }

/* The same for what a page-table entry holds. */
static inline struct frame *frame_meta_at_(paddr_t pa) { return &frame_table_[pa.raw >> PAGE_SHIFT]; }

static inline pfn_t frame_pfn_(const struct frame *f) { return (pfn_t){(uint32_t)(f - frame_table_)}; }

static inline void frame_ref_(struct frame *f)
{
	uint32_t old = __atomic_fetch_add(&f->refs, 1, __ATOMIC_RELAXED);

	if (__builtin_expect(old - 1 >= FRAME_REFS_STICKY - 1, 0))
		frame_refs_broken_(f);
}
/* Adds a reference to a frame that has one. */
static inline void frame_get(pfn_t pfn) { frame_ref_(frame_meta_(pfn)); }

/*
 * Drops a reference without freeing. True: it was the last, and the caller, who
 * disposes of what the frame holds (the slots of a page table), calls frame_free().
 */
static inline bool MUST_CHECK frame_unref_(struct frame *f)
{
	uint32_t old = __atomic_fetch_sub(&f->refs, 1, __ATOMIC_ACQ_REL);

	if (__builtin_expect(old - 1 >= FRAME_REFS_STICKY - 1, 0))
		frame_refs_broken_(f);
	return old == 1;
}
static inline bool MUST_CHECK frame_unref(pfn_t pfn) { return frame_unref_(frame_meta_(pfn)); }
/* Frees a frame, and its run, whose count frame_unref() brought to zero. */
void frame_free(pfn_t pfn);
/* The same for an emptied page table: all its bytes are zero, and frame_alloc_zeroed() need not clear them. */
void frame_free_zeroed(pfn_t pfn);

/* Drops a reference; frees at zero. Page tables are dropped by pt code, not here. */
static inline void frame_put(pfn_t pfn)
{
	if (frame_unref(pfn))
		frame_free(pfn);
}

static inline uint32_t frame_refs(pfn_t pfn)
{
	return __atomic_load_n(&frame_meta_(pfn)->refs, __ATOMIC_ACQUIRE);
}
static inline enum frame_kind frame_kind(pfn_t pfn)
{
	return (enum frame_kind)(frame_meta_(pfn)->info >> FRAME_KIND_SHIFT_);
}
/* log2 of the number of frames allocated together (not for FRAME_TABLE). */
static inline unsigned frame_order(pfn_t pfn) { return frame_meta_(pfn)->info >> FRAME_ORDER_SHIFT_ & 15u; }
void frame_set_kind(pfn_t pfn, enum frame_kind kind);
/* Number of pages mapped beneath a page table (FRAME_TABLE only); up to FRAME_TABLE_PAGES_MAX. */
#define FRAME_TABLE_PAGES_MAX ((1u << FRAME_KIND_SHIFT_) - 1)
static inline uint32_t frame_table_pages(pfn_t pfn) { return frame_meta_(pfn)->info & FRAME_TABLE_PAGES_MAX; }
void frame_table_pages_broken_(pfn_t pfn);
static inline void frame_table_set_pages(pfn_t pfn, uint32_t nr_pages)
{
	struct frame *f = frame_meta_(pfn);

	if (__builtin_expect(f->info >> FRAME_KIND_SHIFT_ != FRAME_TABLE || nr_pages > FRAME_TABLE_PAGES_MAX, 0))
		frame_table_pages_broken_(pfn);
	f->info = (uint32_t)FRAME_TABLE << FRAME_KIND_SHIFT_ | nr_pages;
}

/*
 * Instruction fetches see what the frame holds now: set when arch_code_sync() was called for it, cleared
 * by the kernel's own writes to a cached page, and by frame_set_kind(). Not for FRAME_TABLE.
 */
#define FRAME_CODE_SYNCED_ (1u << 22)
static inline bool frame_code_is_synced(pfn_t pfn) { return (frame_meta_(pfn)->info & FRAME_CODE_SYNCED_) != 0; }
static inline void frame_set_code_synced(pfn_t pfn, bool is_synced)
{
	uint32_t info = frame_meta_(pfn)->info & ~FRAME_CODE_SYNCED_;

	frame_meta_(pfn)->info = info | (is_synced ? FRAME_CODE_SYNCED_ : 0);
}

/* Is this a frame of memory that has been handed out at least once, or could be next? */
bool frame_is_valid(pfn_t pfn);
/*
 * First frame number and number of frames covered by metadata so far, for audits.
 * Every frame in use is among them; the others were never touched.
 */
pfn_t frame_first(void);
uint32_t frame_span(void);
/* The same when all memory has been touched. */
uint32_t frame_span_max(void);

/*
 * nr_total: frames under the allocator's care, the sum of all kinds but FRAME_RESERVED; and those that
 * frame_give() has yet to bring.
 */
void frame_get_stats(struct frame_stats *out);
uint64_t frame_nr_free(void);
uint64_t frame_nr_total(void);

/*
 * Registers a function that frees caches when memory runs out. It returns the number
 * of frames it released; it must not allocate. Called without locks of this module,
 * the latest registered first (the heap's is the first one).
 */
#define FRAME_SHRINKERS_MAX 8
void frame_register_shrinker(size_t (*shrink)(void));
/* Calls every shrinker now; tests do before they compare nr_free with an earlier value. */
size_t frame_shrink_all(void);

/*
 * Checks the free lists and the metadata of every frame against the statistics.
 * Returns the number of violations, each printed with kprintf.
 */
unsigned frame_audit(void);

/*
 * Allocation failure injection (--fail-alloc, oom tests): every frame, slab and kernel
 * allocation first asks fail_alloc(). n: fail the n-th from now (1 = the next);
 * persistent: and all after it. n = 0 turns it off.
 */
void fail_alloc_arm(uint64_t n, bool persistent);
uint64_t fail_alloc_count(void); /* allocations asked for since the last arm */
extern uint64_t fail_alloc_seen_, fail_alloc_at_;
bool fail_alloc_hit(void);
static inline bool fail_alloc(void)
{
	return __builtin_expect(++fail_alloc_seen_ >= fail_alloc_at_, 0) && fail_alloc_hit();
}

#endif
