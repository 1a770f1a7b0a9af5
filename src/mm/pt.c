/*
 * The generic page table, compiled once for each codec (PTE_CODEC_HEADER);
 * exports one struct pt_ops (PT_OPS). Owns the tables of address spaces.
 *
 * Lock: that of the address space. Invariants 1-6: a slot that grants write is
 * the only slot pointing at its target; slots are changed only where every
 * slot above grants write; in shared tables only W, A and D are ever cleared
 * or set; references are dropped through the gather, after the flush.
 *
 * A table that counts no page holds zeros only; so tables are born zero, and dropped as zeros.
 *
 * pt_slots.h holds what deals with single slots, pt_clone.h fork's copy, pt_range.h unmap, protect and move.
 */
#include "abi/errno.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/internal.h"
#include "mm/pt.h"
#include "user_abi.h"

#include PTE_CODEC_HEADER

#include "mm/pt_slots.h"

/* ---- tables -------------------------------------------------------------- */

/* Counts a table that has been allocated, zero. */
static pfn_t table_init(pfn_t t)
{
	if (!pfn_is_none(t)) {
		frame_table_set_pages(t, 0);
		pt_stats.nr_table_allocs++;
	}
	return t;
}

static pfn_t table_alloc(void) { return table_init(frame_alloc_zeroed(FRAME_TABLE)); }

/* What a leaf table points at, `left` pages, goes; its slots are zero afterwards. */
static __attribute__((noinline)) void leaf_drop_slots(pte_t *table, uint32_t left)
{
	pt_stats.nr_drops += left;
	FOR_EACH_USED_SLOT(s, e, table, TABLE_SLOTS, left) {
		struct frame *f = pte_frame(e);

		left--;
		*s = (pte_t){0};
		if (frame_unref_(f))
			frame_free(frame_pfn_(f));
	}
}

/* One slot stopped pointing at the table or page. What the last one leaves behind goes, too. */
static void node_drop(pfn_t x, unsigned level)
{
	uint32_t left;

	pt_stats.nr_drops++;
	if (level == 0) {
		frame_put(x);
		return;
	}
	if (!frame_unref(x))
		return;
	left = frame_table_pages(x);
	if (level == 1) {
		leaf_drop_slots(table_slots(x), left);
	} else {
		FOR_EACH_USED_SLOT(s, e, table_slots(x), level_slots(level), left) {
			left -= MIN(left, frame_table_pages(pte_table(e)));
			*s = (pte_t){0};
			node_drop(pte_table(e), level - 1);
		}
	}
	frame_free_zeroed(x);
}

static int pt_create(struct pt *pt)
{
	pt->root = table_alloc();
	if (pfn_is_none(pt->root))
		return -ENOMEM;
	pt->nr_pages = 0;
	pt->nr_hot_spans = 0;
	return 0;
}

static void pt_destroy(struct pt *pt)
{
	node_drop(pt->root, PTE_LEVELS);
	pt->root = PFN_NONE;
	pt->nr_pages = 0;
}

/* ---- looking ------------------------------------------------------------- */

/* The slot for va in its leaf table, or NULL. *writable: every table above grants write. */
static inline pte_t *leaf_find(const struct pt *pt, uint64_t va, bool *writable)
{
	pte_t *t = table_slots(pt->root);
	bool all = true;

	for (unsigned level = PTE_LEVELS; level > 1; level--) {
		pte_t e = slot_load(&t[slot_index(va, level)]);

		if (pte_is_absent(e)) {
			*writable = all;
			return NULL;
		}
		all = all && pte_is_writable(e);
		t = table_slots(pte_table(e));
	}
	*writable = all;
	return &t[slot_index(va, 1)];
}

/* The same where every table above is there and grants write: own() has prepared it. */
static inline pte_t *leaf_owned(const struct pt *pt, uint64_t va)
{
	bool writable;
	pte_t *s = leaf_find(pt, va, &writable);

	ASSERT(s != NULL && writable);
	return s;
}

static bool pt_walk(struct pt *pt, uint64_t va, unsigned access, pfn_t *pfn, prot_t *prot)
{
	bool writable;
	pte_t *s = leaf_find(pt, va, &writable), e;
	unsigned need = PT_ACCESSED | (access & TRAP_WRITE ? PT_DIRTY : 0);
	prot_t rights;

	if (s == NULL)
		return false;
	e = slot_load(s);
	if (pte_is_absent(e) || !(pte_attrs(e) & PT_USER))
		return false;
	rights = writable ? pte_prot(e) : prot_without(pte_prot(e), PROT_BIT_W);
	if (rights.raw == 0 || !prot_has(rights, access & (PROT_BIT_R | PROT_BIT_W | PROT_BIT_X)))
		return false;
	if ((pte_attrs(e) & need) != need)
		slot_add_attrs(s, need);
	*pfn = pte_pfn(e);
	*prot = rights;
	return true;
}

static void entry_decode(pte_t e, bool writable, struct pt_entry *out)
{
	unsigned attrs = pte_attrs(e);

	out->present = true;
	out->pfn = pte_pfn(e);
	out->prot = writable ? pte_prot(e) : prot_without(pte_prot(e), PROT_BIT_W);
	out->accessed = (attrs & PT_ACCESSED) != 0;
	out->dirty = (attrs & PT_DIRTY) != 0;
	out->shared = (attrs & PT_SHARED) != 0;
	out->is_private_path = writable;
}

static bool pt_lookup(const struct pt *pt, uint64_t va, struct pt_entry *out)
{
	bool writable;
	pte_t *s = leaf_find(pt, va, &writable), e = {0};

	if (s != NULL)
		e = slot_load(s);
	out->present = false;
	out->is_private_path = s != NULL && writable;
	if (!pte_is_absent(e))
		entry_decode(e, writable, out);
	return out->present;
}

static uint64_t pt_next(const struct pt *pt, uint64_t va, uint64_t end, struct pt_entry *out)
{
	while (va < end) {
		pfn_t t = pt->root;
		unsigned level = PTE_LEVELS;
		bool writable = true;

		for (;; level--) {
			pte_t e = slot_load(slot_at(t, va, level));

			if (pte_is_absent(e))
				break;
			if (level == 1) {
				entry_decode(e, writable, out);
				return va;
			}
			writable = writable && pte_is_writable(e);
			t = pte_pfn(e);
		}
		va = (va & ~(slot_span(level) - 1)) + slot_span(level);
	}
	return UINT64_MAX;
}

static unsigned pt_leaf_room(uint64_t va) { return TABLE_SLOTS - slot_index(va, 1); }

static unsigned pt_absent_run(const struct pt *pt, uint64_t va, unsigned max)
{
	bool writable;
	pte_t *s = leaf_find(pt, va, &writable);
	unsigned n = 0;

	max = MIN(max, pt_leaf_room(va));
	if (s == NULL)
		return max;
	while (n < max && pte_is_absent(slot_load(&s[n])))
		n++;
	return n;
}

/* ---- private paths ------------------------------------------------------- */

/* The tables above one address, by level. */
struct path {
	pfn_t table[PTE_LEVELS + 1];
};

/* Puts `e` where another valid entry stands; old translations are flushed by the caller's gather. */
static void slot_replace(struct pt_gather *g, pte_t *s, pte_t e, uint64_t va)
{
	uint64_t page = page_round_down(va);

	if (PTE_BREAK_BEFORE_MAKE) {
		slot_store(s, (pte_t){0});
		pt_stats.nr_flushes++;
		arch_tlb_flush_range(g->as, uaddr(page), uaddr(page + PAGE_SIZE));
	}
	slot_store(s, e);
}

/*
 * Fills dst, slots of a leaf table, with what src has, `left` pages: each gets one more reference, no one may write.
 * For fork, flush is not NULL: it gets what a processor may write through, from va, the first address, on; and slots of
 * dst that are in use have copies.
 */
static ALWAYS_INLINE void leaf_share_slots(pte_t *dst, pte_t *src, uint32_t left, struct pt_ranges *flush,
					   uint64_t va)
{
	const ptrdiff_t to_dst = dst - src;

	pt_stats.nr_entry_writes += left;
	FOR_EACH_USED_SLOT(s, e, src, TABLE_SLOTS, left) {
		pte_t *d = s + to_dst;

		left--;
		if (flush != NULL && !pte_is_absent(*d))
			continue;
		frame_ref_(pte_frame(e));
		if (pte_is_private_writable(e)) {
			slot_clear_write(s);
			if (flush != NULL && pte_may_be_cached_writable(e))
				pt_ranges_add_page(flush, va + (uint64_t)(s - src) * PAGE_SIZE);
			e = pte_without_write(e);
		}
		*d = e;
	}
}

/* Fills the zero table n with what x has: every target gets one more reference, no one may write. */
static void table_share_slots(pfn_t n, pfn_t x, unsigned level)
{
	pte_t *dst = table_slots(n), *src = table_slots(x);
	uint32_t left = frame_table_pages(x);

	frame_table_set_pages(n, left);
	pt_stats.nr_table_copies++;
	if (level == 1) {
		leaf_share_slots(dst, src, left, NULL, 0);
		return;
	}
	FOR_EACH_USED_SLOT(s, e, src, TABLE_SLOTS, left) {
		frame_ref_(pte_frame(e));
		left -= frame_table_pages(pte_table(e));
		pt_stats.nr_entry_writes++;
		if (pte_is_writable(e)) {
			slot_clear_write(s);
			e = pte_without_write(e);
		}
		dst[s - src] = e;
	}
}

/*
 * Nothing beneath this leaf table can be written through any cached translation
 * at present: its pages count as cold until they are used again.
 */
static void table_age(pfn_t t)
{
	uint32_t left = frame_table_pages(t);

	if (arch_fork_hot_pages() == 0)
		return;
	FOR_EACH_USED_SLOT(s, e, table_slots(t), TABLE_SLOTS, left) {
		pte_t aged = pte_aged(e);

		left--;
		if (!pte_is_shared(e) && aged.raw != e.raw)
			__atomic_store_n(&s->raw, aged.raw, __ATOMIC_RELAXED);
	}
}

/* The table x, just taken over, covers va: ages the leaf tables beneath that fork may look at. */
static void subtree_age(const struct pt *pt, pfn_t x, unsigned level, uint64_t va)
{
	if (level == 1) {
		table_age(x);
		return;
	}
	for (unsigned i = 0; i < pt->nr_hot_spans; i++) {
		uint64_t at = pt->hot_spans[i] * slot_span(2);
		unsigned l = level;
		pfn_t t = x;

		if (at / slot_span(level + 1) != va / slot_span(level + 1))
			continue;
		for (; l > 1; l--) {
			pte_t e = slot_load(slot_at(t, at, l));

			if (pte_is_absent(e) || !pte_is_writable(e))
				break;
			t = pte_pfn(e);
		}
		if (l == 1)
			table_age(t);
	}
}

/* Would the table at slot e have to be copied before a change? above: so would the one that holds e. */
static inline bool slot_needs_copy(pte_t e, bool above)
{
	return above || (!pte_is_writable(e) && frame_refs(pte_table(e)) != 1);
}

/*
 * Makes the table that slot s points at (of that level) exclusively ours. The
 * slots above grant write. A table with one reference is taken over in place;
 * stale translations are only stricter, so that needs no flush.
 */
static void slot_own(struct pt_gather *g, struct pt_reserve *r, pte_t *s, unsigned level, uint64_t va)
{
	pte_t e = slot_load(s);
	pfn_t x = pte_table(e), n;

	if (pte_is_writable(e))
		return;
	if (!slot_needs_copy(e, false)) {
		subtree_age(&g->as->pt, x, level, va);
		slot_store(s, pte_table_with_write(e));
		pt_stats.nr_takeovers++;
		return;
	}
	n = table_init(pt_reserve_take(r));
	table_share_slots(n, x, level);
	slot_replace(g, s, pte_make_table(pfn_to_phys(n), true), va);
	pt_gather_flush(g, page_round_down(va), page_round_down(va) + PAGE_SIZE);
	pt_gather_drop(g, x, level);
}

/* Private tables from the root down to `lowest`. */
static void path_own(struct pt *pt, uint64_t va, unsigned lowest, struct pt_reserve *r, struct pt_gather *g,
		     struct path *p)
{
	pfn_t t = pt->root;

	for (unsigned level = PTE_LEVELS;; level--) {
		pte_t *s = slot_at(t, va, level);

		p->table[level] = t;
		if (level == lowest)
			return;
		if (!pte_is_absent(slot_load(s))) {
			slot_own(g, r, s, level - 1, va);
		} else {
			pfn_t n = table_init(pt_reserve_take(r));

			slot_store(s, pte_make_table(pfn_to_phys(n), true));
		}
		t = pte_table(slot_load(s));
	}
}

/* Removes empty private tables above va, lowest first. */
static void path_prune(struct pt *pt, uint64_t va, struct pt_gather *g)
{
	pte_t *slot[PTE_LEVELS + 1];
	unsigned level = PTE_LEVELS;
	pfn_t t = pt->root;

	for (; level > 1; level--) {
		pte_t e = slot_load(slot_at(t, va, level));

		if (pte_is_absent(e) || !pte_is_writable(e))
			break;
		slot[level] = slot_at(t, va, level);
		t = pte_pfn(e);
	}
	for (level++; level <= PTE_LEVELS; level++) {
		t = pte_pfn(slot_load(slot[level]));
		if (frame_table_pages(t) != 0)
			return;
		slot_store(slot[level], (pte_t){0});
		pt_gather_flush(g, page_round_down(va), page_round_down(va) + PAGE_SIZE);
		pt_gather_drop(g, t, level - 1);
	}
}

/* The path own() has prepared. */
static void path_get(const struct pt *pt, uint64_t va, struct path *p)
{
	pfn_t t = pt->root;

	for (unsigned level = PTE_LEVELS; level > 1; level--) {
		pte_t e = slot_load(slot_at(t, va, level));

		ASSERT(!pte_is_absent(e) && pte_is_writable(e));
		p->table[level] = t;
		t = pte_table(e);
	}
	p->table[1] = t;
}

/* delta pages more beneath each table of the path from level `lowest` up. */
static void path_add_pages(struct pt *pt, const struct path *p, unsigned lowest, int64_t delta)
{
	for (unsigned level = lowest; level <= PTE_LEVELS; level++)
		frame_table_set_pages(p->table[level],
				      (uint32_t)(frame_table_pages(p->table[level]) + delta));
	pt->nr_pages = frame_table_pages(pt->root);
}

static unsigned pt_own_cost(const struct pt *pt, uint64_t va, bool *is_shared)
{
	pfn_t t = pt->root;
	unsigned nr = 0;

	*is_shared = false;
	for (unsigned level = PTE_LEVELS; level > 1; level--) {
		pte_t e = slot_load(slot_at(t, va, level));

		if (pte_is_absent(e))
			return nr + level - 1;
		*is_shared = slot_needs_copy(e, *is_shared);
		nr += *is_shared;
		t = pte_table(e);
	}
	return nr;
}

static void pt_own(struct pt *pt, uint64_t va, struct pt_reserve *r, struct pt_gather *g)
{
	struct path p;

	path_own(pt, va, 1, r, g, &p);
}

static void pt_map(struct pt *pt, uint64_t va, const pfn_t *pfns, unsigned nr, prot_t prot, unsigned attrs)
{
	struct path p;
	pte_t *s;

	ASSERT(nr <= pt_leaf_room(va));
	path_get(pt, va, &p);
	s = slot_at(p.table[1], va, 1);
	for (unsigned i = 0; i < nr; i++) {
		ASSERT(pte_is_absent(slot_load(&s[i])));
		slot_store(&s[i], page_entry(pfns[i], prot, attrs));
	}
	path_add_pages(pt, &p, 1, nr);
}

static void pt_replace(struct pt *pt, uint64_t va, pfn_t pfn, prot_t prot, unsigned attrs,
		       struct pt_gather *g)
{
	pte_t *s = leaf_owned(pt, va), old = slot_load(s);

	slot_replace(g, s, page_entry(pfn, prot, attrs), va);
	pt_gather_flush(g, va, va + PAGE_SIZE);
	pt_gather_drop(g, pte_pfn(old), 0);
}

static void pt_set_prot(struct pt *pt, uint64_t va, prot_t prot, unsigned add_attrs)
{
	pte_t *s = leaf_owned(pt, va), e = slot_load(s);

	slot_store(s, page_entry(pte_pfn(e), prot, pte_attrs(e) | add_attrs));
}

static void pt_note_hot(struct pt *pt, uint64_t va)
{
	uint64_t span = va / slot_span(2);
	unsigned i = 0;

	while (i < pt->nr_hot_spans && pt->hot_spans[i] != span)
		i++;
	if (i == pt->nr_hot_spans && i < PT_HOT_SPANS)
		pt->nr_hot_spans++;
	if (i == PT_HOT_SPANS)
		i--;
	memmove(&pt->hot_spans[1], &pt->hot_spans[0], i * sizeof(pt->hot_spans[0]));
	pt->hot_spans[0] = span;
}

#include "mm/pt_clone.h"
#include "mm/pt_range.h"

/* ---- audit, codec tests -------------------------------------------------- */

static uint64_t visit_table(pfn_t t, unsigned level, uint64_t va, bool writable, const struct pt_visitor *v)
{
	uint64_t nr_pages = 0;

	for (unsigned i = 0; i < level_slots(level); i++) {
		pte_t e = slot_load(&table_slots(t)[i]);
		struct pt_visit visit = {.va = va + i * slot_span(level), .level = level - 1, .table = t};

		if (pte_is_absent(e))
			continue;
		visit.pfn = pte_pfn(e);
		visit.slot_writable = pte_is_writable(e);
		visit.path_writable = writable && visit.slot_writable;
		visit.prot = level == 1 ? pte_prot(e) : prot_make(0);
		visit.attrs = level == 1 ? pte_attrs(e) : 0;
		if (v->fn(&visit, v->arg) && level > 1)
			visit_table(visit.pfn, level - 1, visit.va, visit.path_writable, v);
		nr_pages += level == 1 ? 1 : frame_table_pages(visit.pfn);
	}
	if (v->table_end != NULL)
		v->table_end(t, level, nr_pages, v->arg);
	return nr_pages;
}

static void pt_visit(const struct pt *pt, const struct pt_visitor *visitor)
{
	visit_table(pt->root, PTE_LEVELS, 0, true, visitor);
}

static pte_t codec_table(paddr_t pa, bool writable) { return pte_make_table(pa, writable); }

static pte_t codec_page(paddr_t pa, prot_t prot, unsigned attrs) { return pte_make_page(pa, prot, attrs); }

static pte_t codec_without_write(pte_t e) { return pte_without_write(e); }

static pte_t codec_aged(pte_t e) { return pte_aged(e); }

static void codec_decode(pte_t e, struct pte_fields *out)
{
	*out = (struct pte_fields){.kind = PTE_ABSENT};
	if (pte_is_absent(e))
		return;
	out->pa = pte_phys(e);
	if (!pte_is_page(e)) {
		out->kind = PTE_TABLE;
		out->writable = pte_is_writable(e);
		return;
	}
	out->kind = PTE_PAGE;
	out->prot = pte_prot(e);
	out->attrs = pte_attrs(e);
}

const struct pt_ops PT_OPS = {
	.name = PTE_NAME,
	.nr_levels = PTE_LEVELS,
	.index_bits = PTE_INDEX_BITS,
	.encode_table = codec_table,
	.encode_page = codec_page,
	.without_write = codec_without_write,
	.aged = codec_aged,
	.decode = codec_decode,
	.create = pt_create,
	.destroy = pt_destroy,
	.drop = node_drop,
	.walk = pt_walk,
	.lookup = pt_lookup,
	.next = pt_next,
	.absent_run = pt_absent_run,
	.leaf_room = pt_leaf_room,
	.own_cost = pt_own_cost,
	.own = pt_own,
	.map = pt_map,
	.replace = pt_replace,
	.set_prot = pt_set_prot,
	.note_hot = pt_note_hot,
	.unmap_cost = pt_unmap_cost,
	.unmap = pt_unmap,
	.protect_cost = pt_protect_cost,
	.protect = pt_protect,
	.move_cost = pt_move_cost,
	.move = pt_move,
	.clone = pt_clone_tree,
	.visit = pt_visit,
};
