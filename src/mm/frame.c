/*
 * Physical frames: allocation, reference counts, statistics. The free blocks are
 * kept by buddy.c.
 *
 * Metadata is 8 bytes a frame (struct frame): refs, and info = kind (3 bits) | order (4)
 * | flags; for a page table, kind | number of pages beneath (29 bits). A run of
 * 2^order frames has its count in the first frame; the others carry INFO_TAIL and
 * no references. Single free frames wait in the front, a small array that makes
 * order 0 fast; they eat the smallest blocks, so that large ones stay whole for runs.
 * Frames known to hold zeros (page tables that were emptied) wait apart, for those who want zeros.
 *
 * Debug builds (LEVITATE_DEBUG) reuse single frames first in, first out, and fill
 * them with a pattern, so that a use after free shows.
 *
 * Lock: `lock` guards the lists, the statistics and `info` of free frames; refs are
 * atomic. Shrinkers run without it.
 */
#include "mm/frame.h"

#include "lib/assert.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/buddy.h"
#include "mm/frame_trace.h"
#include "mm/memtools.h"
#include "mm/points.h"
#include "sched/lock.h"

#ifdef LEVITATE_DEBUG
#define FRONT_MAX 1024u
#define POISON_BYTE 0xdf
#else
#define FRONT_MAX 128u
#define FRONT_REFILL_ORDER 5u
#endif
#define ZEROED_MAX 64u

_Static_assert(sizeof(struct frame) == 8, "metadata costs 8 bytes a frame");

static struct spinlock lock;
static uint32_t front[FRONT_MAX];
static unsigned front_head, front_count; /* a ring: the newest is at head + count - 1 */
static uint32_t zeroed[ZEROED_MAX];
static unsigned zeroed_count;
static struct frame_stats stats;
static size_t (*shrinkers[FRAME_SHRINKERS_MAX])(void);
static unsigned nr_shrinkers;
static bool is_shrinking;

/* ---- the front; lock held ------------------------------------------------------ */

/* Gives up to nr of the oldest frames to the buddy lists. */
static void front_drain(unsigned nr)
{
	for (; nr > 0 && front_count > 0; nr--) {
		buddy_free(front[front_head], 0);
		front_head = (front_head + 1) % FRONT_MAX;
		front_count--;
	}
}

/* There is always room for one more. */
static inline void front_push(uint32_t n)
{
	front[(front_head + front_count) % FRONT_MAX] = n;
	if (__builtin_expect(++front_count == FRONT_MAX, 0))
		front_drain(FRONT_MAX / 2);
}

/* Gives all single frames to the buddy lists. */
static void front_flush(void)
{
	front_drain(FRONT_MAX);
	while (zeroed_count > 0)
		buddy_free(zeroed[--zeroed_count], 0);
}

#ifdef LEVITATE_DEBUG

/* First in, first out: fresh memory first, then the frame that was freed longest ago. */
static uint32_t front_pop(void)
{
	uint32_t n = buddy_take(0);

	if (n == 0 && buddy_grow())
		n = buddy_take(0);
	if (n == 0 && front_count > 0) {
		n = front[front_head];
		front_head = (front_head + 1) % FRONT_MAX;
		front_count--;
	}
	return n;
}

static uint32_t front_pop_run(unsigned nr) { return 0; }

#else

/* Puts the smallest free block into the front, so that pops come out ascending. */
static __attribute__((noinline)) bool front_refill(void)
{
	unsigned order;
	uint32_t n;

	if (buddy_orders == 0 && !buddy_grow())
		return false;
	order = MIN((unsigned)__builtin_ctz(buddy_orders), FRONT_REFILL_ORDER);
	n = buddy_take(order);
	for (uint32_t i = 1u << order; i-- > 0;)
		front_push(n + i);
	return true;
}

/* Last in, first out: the frame most likely to be in the cache. */
static inline uint32_t front_pop(void)
{
	if (__builtin_expect(front_count == 0, 0) && !front_refill())
		return zeroed_count > 0 ? zeroed[--zeroed_count] : 0;
	front_count--;
	return front[(front_head + front_count) % FRONT_MAX];
}

/*
 * The nr frames that were freed last, if they lie side by side, as those of a process that has ended: the number
 * of the first, or 0.
 */
static uint32_t front_pop_run(unsigned nr)
{
	uint32_t low = UINT32_MAX, high = 0;

	if (nr > front_count)
		return 0;
	for (unsigned i = 1; i <= nr; i++) {
		uint32_t n = front[(front_head + front_count - i) % FRONT_MAX];

		low = MIN(low, n);
		high = MAX(high, n);
		if (high - low >= nr)
			return 0;
	}
	front_count -= nr;
	return low;
}

#endif

/* ---- allocation ---------------------------------------------------------------- */

/* Marks [n, n + 2^order) as one run with one reference; lock held. */
static void run_commit(uint32_t n, enum frame_kind kind, unsigned order)
{
	struct frame *m = frame_meta(n);
	uint32_t nr = 1u << order;

	m->info = frame_info(kind, kind == FRAME_TABLE ? 0 : order);
	__atomic_store_n(&m->refs, 1, __ATOMIC_RELAXED);
	for (uint32_t i = 1; i < nr; i++)
		m[i] = (struct frame){0, frame_info(kind, order) | INFO_TAIL};
	stats.nr_kind[kind] += nr;
	stats.nr_free -= nr;
}

size_t frame_shrink_all(void)
{
	size_t released = 0;

	if (is_shrinking)
		return 0;
	is_shrinking = true;
	for (unsigned i = nr_shrinkers; i-- > 0;)
		released += shrinkers[i]();
	is_shrinking = false;
	return released;
}

static uint32_t order_take(unsigned order)
{
	uint32_t n;

	while ((n = buddy_take(order)) == 0 && buddy_grow())
		;
	if (n == 0) {
		front_flush();
		n = buddy_take(order);
	}
	return n;
}

/* 0: there is none. */
static inline uint32_t run_try_alloc(enum frame_kind kind, unsigned order)
{
	uint32_t n;

	spin_lock(&lock);
	n = order == 0 ? front_pop() : order_take(order);
	if (__builtin_expect(n != 0, 1))
		run_commit(n, kind, order);
	spin_unlock(&lock);
	return n;
}

static __attribute__((noinline)) uint32_t run_alloc_after_shrink(enum frame_kind kind, unsigned order)
{
	uint32_t n = frame_shrink_all() > 0 ? run_try_alloc(kind, order) : 0;

	if (n == 0)
		allocation_failed();
	return n;
}

/* Single frames are most of what is asked for: frame_alloc() has a copy of its own for order 0. */
static inline pfn_t run_alloc(enum frame_kind kind, unsigned order)
{
	uint32_t n = run_try_alloc(kind, order);

	if (__builtin_expect(n == 0, 0))
		n = run_alloc_after_shrink(kind, order);
	if (n != 0) {
		memtools_frame_alloc(frame_address(n), PAGE_SIZE << order);
		frame_trace_note((pfn_t){n}, 1u << order, FRAME_ALLOCATED);
	}
	return (pfn_t){n};
}

pfn_t frame_alloc_order_unchecked(enum frame_kind kind, unsigned order)
{
	return order <= FRAME_ORDER_MAX ? run_alloc(kind, order) : PFN_NONE;
}

pfn_t frame_alloc(enum frame_kind kind) { return fail_alloc() ? PFN_NONE : run_alloc(kind, 0); }

pfn_t frame_alloc_order(enum frame_kind kind, unsigned order)
{
	return fail_alloc() ? PFN_NONE : frame_alloc_order_unchecked(kind, order);
}

static uint32_t zeroed_take(enum frame_kind kind)
{
	uint32_t n = 0;

	spin_lock(&lock);
	if (zeroed_count > 0) {
		n = zeroed[--zeroed_count];
		run_commit(n, kind, 0);
	}
	spin_unlock(&lock);
	if (n != 0) {
		memtools_frame_alloc(frame_address(n), PAGE_SIZE);
		memtools_mark_defined(frame_address(n), PAGE_SIZE);
		frame_trace_note((pfn_t){n}, 1, FRAME_ALLOCATED);
	}
	return n;
}

pfn_t frame_alloc_zeroed(enum frame_kind kind)
{
	pfn_t pfn;

	if (fail_alloc())
		return PFN_NONE;
	pfn = (pfn_t){zeroed_take(kind)};
	if (pfn_is_none(pfn)) {
		pfn = run_alloc(kind, 0);
		if (!pfn_is_none(pfn))
			memset(pfn_to_ptr(pfn), 0, PAGE_SIZE);
	}
	return pfn;
}

/*
 * A block for a run of nr frames: the smallest that holds them all, else one of at
 * least a quarter of that, else fresh memory, else the largest there is. Lock held.
 */
static uint32_t run_take(unsigned nr, unsigned *order)
{
	unsigned want = MIN(log2_ceil(nr), (unsigned)FRAME_ORDER_MAX);
	unsigned least = want < 2 ? 0 : want - 2;

	if (buddy_orders >> least == 0 && !buddy_grow() && buddy_orders == 0)
		front_flush();
	if (buddy_orders == 0)
		return 0;
	*order = MIN(want, log2_floor(buddy_orders));
	return buddy_take(*order);
}

/* Hands [n, n + nr) out as single frames; lock held. Returns nr. */
static inline unsigned singles_commit(enum frame_kind kind, pfn_t *out, uint32_t n, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		run_commit(n + i, kind, 0);
		out[i] = (pfn_t){n + i};
	}
	return nr;
}

/* Lock held. */
static unsigned run_fill(enum frame_kind kind, pfn_t *out, unsigned nr)
{
	unsigned got = 0;
	uint32_t n = front_pop_run(nr);

	if (n != 0)
		return singles_commit(kind, out, n, nr);
	while (got < nr) {
		unsigned order, take;

		n = run_take(nr - got, &order);
		if (n == 0)
			break;
		take = MIN(nr - got, 1u << order);
		got += singles_commit(kind, out + got, n, take);
		buddy_free_extent(n + take, n + (1u << order));
	}
	return got;
}

/* nr > 1. */
static __attribute__((noinline)) unsigned run_alloc_singles(enum frame_kind kind, pfn_t *out, unsigned nr)
{
	unsigned got;

	if (fail_alloc())
		return 0;
	spin_lock(&lock);
	got = run_fill(kind, out, nr);
	spin_unlock(&lock);
	if (got == 0 && frame_shrink_all() > 0) {
		spin_lock(&lock);
		got = run_fill(kind, out, nr);
		spin_unlock(&lock);
	}
	for (unsigned i = 0; i < got; i++) {
		memtools_frame_alloc(pfn_to_ptr(out[i]), PAGE_SIZE);
		frame_trace_note(out[i], 1, FRAME_ALLOCATED);
	}
	return got;
}

unsigned frame_alloc_run(enum frame_kind kind, pfn_t *out, unsigned nr)
{
	if (nr > 1)
		return run_alloc_singles(kind, out, nr);
	if (nr == 0)
		return 0;
	*out = frame_alloc(kind);
	return pfn_is_none(*out) ? 0 : 1;
}

/* A frame in use is free, and the caller puts it where free ones are kept; lock held. */
static inline void single_uncount(struct frame *m, enum frame_kind kind)
{
	m->info = frame_info(FRAME_FREE, 0);
	stats.nr_kind[kind]--;
	stats.nr_free++;
}

/* Lock held. */
static __attribute__((noinline)) void run_free(uint32_t n, enum frame_kind kind, unsigned order)
{
	for (uint32_t i = 0; i < 1u << order; i++)
		single_uncount(frame_meta(n + i), kind);
	buddy_free(n, order);
}

void frame_free(pfn_t pfn)
{
	struct frame *m = frame_meta_(pfn);
	enum frame_kind kind = frame_kind(pfn);
	unsigned order = kind == FRAME_TABLE ? 0 : frame_order(pfn);

	ASSERT(m->refs == 0 && kind > FRAME_RESERVED);
	ASSERT(kind == FRAME_TABLE || (m->info & INFO_TAIL) == 0);
#ifdef LEVITATE_DEBUG
	memtools_open(pfn_to_ptr(pfn), PAGE_SIZE << order); /* a slab's room is closed */
	memset(pfn_to_ptr(pfn), POISON_BYTE, PAGE_SIZE << order);
#endif
	memtools_frame_free(pfn_to_ptr(pfn), PAGE_SIZE << order);
	frame_trace_note(pfn, 1u << order, FRAME_FREED);
	spin_lock(&lock);
	if (order > 0) {
		run_free(pfn.raw, kind, order);
	} else {
		single_uncount(m, kind);
		front_push(pfn.raw);
	}
	spin_unlock(&lock);
}

#ifdef LEVITATE_DEBUG

void frame_free_zeroed(pfn_t pfn)
{
	const uint64_t *word = pfn_to_ptr(pfn);

	for (unsigned i = 0; i < PAGE_SIZE / sizeof(*word); i++)
		ASSERT(word[i] == 0);
	frame_free(pfn);
}

#else

void frame_free_zeroed(pfn_t pfn)
{
	struct frame *m = frame_meta_(pfn);

	ASSERT(m->refs == 0 && frame_kind(pfn) == FRAME_TABLE);
	if (zeroed_count == ZEROED_MAX) {
		frame_free(pfn);
		return;
	}
	memtools_frame_free(pfn_to_ptr(pfn), PAGE_SIZE);
	frame_trace_note(pfn, 1, FRAME_FREED);
	spin_lock(&lock);
	single_uncount(m, FRAME_TABLE);
	zeroed[zeroed_count++] = pfn.raw;
	spin_unlock(&lock);
}

#endif

/* ---- metadata ------------------------------------------------------------------ */

void frame_refs_broken_(struct frame *f)
{
	const pfn_t pfn = frame_pfn_(f);
	uint32_t now = __atomic_load_n(&f->refs, __ATOMIC_RELAXED);

	if (now <= 1 || now == UINT32_MAX) {
		memtools_frame_double_free(pfn_to_ptr(pfn));
		frame_trace_print(pfn, FRAME_ALLOCATED, "  ");
		frame_trace_print(pfn, FRAME_FREED, "  ");
		panic("frame %#x: reference count used after it reached zero", pfn.raw);
	}
	__atomic_store_n(&f->refs, FRAME_REFS_STICKY + FRAME_REFS_STICKY / 2, __ATOMIC_RELAXED);
}

void frame_set_kind(pfn_t pfn, enum frame_kind kind)
{
	struct frame *m = frame_meta_(pfn);
	enum frame_kind old = frame_kind(pfn);

	ASSERT(frame_refs(pfn) > 0 && kind > FRAME_RESERVED);
	ASSERT(old == FRAME_TABLE || frame_order(pfn) == 0);
	spin_lock(&lock);
	m->info = frame_info(kind, 0);
	stats.nr_kind[old]--;
	stats.nr_kind[kind]++;
	spin_unlock(&lock);
}

void frame_table_pages_broken_(pfn_t pfn)
{
	panic("frame %#x, of kind %u, is given a count of pages beneath it", pfn.raw, frame_kind(pfn));
}

bool frame_is_valid(pfn_t pfn)
{
	return pfn.raw >= frame_table_base_ && pfn.raw < buddy_end() && frame_kind(pfn) != FRAME_RESERVED;
}

pfn_t frame_first(void) { return (pfn_t){frame_table_base_}; }

uint32_t frame_span(void) { return buddy_end() - frame_table_base_; }

uint32_t frame_span_max(void) { return buddy_span(); }

void frame_get_stats(struct frame_stats *out)
{
	spin_lock(&lock);
	*out = stats;
	out->nr_kind[FRAME_FREE] = stats.nr_free;
	spin_unlock(&lock);
}

uint64_t frame_nr_free(void) { return stats.nr_free; }

uint64_t frame_nr_total(void) { return stats.nr_total; }

void frame_register_shrinker(size_t (*shrink)(void))
{
	for (unsigned i = 0; i < nr_shrinkers; i++) {
		if (shrinkers[i] == shrink)
			return;
	}
	ASSERT(nr_shrinkers < FRAME_SHRINKERS_MAX);
	shrinkers[nr_shrinkers++] = shrink;
}

/* ---- boot ---------------------------------------------------------------------- */

void frame_init(const struct boot_info *boot)
{
	uint32_t nr_reserved, nr_given_later;

	lock = (struct spinlock)SPINLOCK_INIT;
	is_shrinking = false;
	front_head = front_count = zeroed_count = 0;
	nr_shrinkers = 0;
	stats = (struct frame_stats){0};
	stats.nr_free = buddy_init(boot, &nr_reserved, &nr_given_later);
	stats.nr_total = stats.nr_free + nr_given_later;
	stats.nr_kind[FRAME_RESERVED] = nr_reserved + nr_given_later;
}

void frame_give(paddr_t start, paddr_t end)
{
	const uint32_t nr = (uint32_t)((end.raw - start.raw) >> PAGE_SHIFT);

	if (nr == 0)
		return;
	spin_lock(&lock);
	buddy_give(phys_to_pfn(start).raw, phys_to_pfn(end).raw);
	stats.nr_kind[FRAME_RESERVED] -= nr;
	stats.nr_free += nr;
	spin_unlock(&lock);
}

/* ---- audit --------------------------------------------------------------------- */

/* Compares a frame's count with its kind; true when it is well. */
static bool audit_frame(uint32_t n)
{
	const struct frame *m = frame_meta(n);
	enum frame_kind kind = frame_kind((pfn_t){n});
	bool is_tail = kind > FRAME_RESERVED && kind != FRAME_TABLE && (m->info & INFO_TAIL) != 0;

	if ((m->refs != 0) == (kind > FRAME_RESERVED && !is_tail))
		return true;
	kprintf("audit: frame %#x: reference count %u and kind disagree (info %#x)\n", n, m->refs, m->info);
	return false;
}

unsigned frame_audit(void)
{
	uint64_t nr_kind[FRAME_KERNEL + 1] = {0}, nr_listed, nr_untouched;
	unsigned nr_bad = buddy_audit(&nr_listed, &nr_untouched);

	for (uint32_t n = frame_table_base_; n < buddy_end(); n++) {
		nr_kind[MIN(frame_kind((pfn_t){n}), FRAME_KERNEL)]++;
		nr_bad += !audit_frame(n);
	}
	nr_kind[FRAME_FREE] += nr_untouched;
	if (nr_listed + front_count + zeroed_count + nr_untouched != stats.nr_free) {
		nr_bad++;
		kprintf("audit: %llu frames in free lists, %llu counted\n",
			(unsigned long long)(nr_listed + front_count + zeroed_count + nr_untouched),
			(unsigned long long)stats.nr_free);
	}
	stats.nr_kind[FRAME_FREE] = stats.nr_free;
	for (unsigned kind = FRAME_FREE; kind <= FRAME_KERNEL; kind++) {
		if (kind == FRAME_RESERVED || nr_kind[kind] == stats.nr_kind[kind])
			continue;
		nr_bad++;
		kprintf("audit: %llu frames of kind %u, %llu counted\n", (unsigned long long)nr_kind[kind],
			kind, (unsigned long long)stats.nr_kind[kind]);
	}
	return nr_bad;
}
