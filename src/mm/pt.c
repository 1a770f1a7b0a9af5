/*
 * The generic page table, compiled once for each codec (PTE_CODEC_HEADER);
 * exports one struct pt_ops (PT_OPS). Owns the tables of address spaces.
 *
 * Lock: that of the address space. Invariants 1-6: a slot that grants write is
 * the only slot pointing at its target; slots are changed only where every
 * slot above grants write; in shared tables only W, A and D are ever cleared
 * or set; references are dropped through the gather, after the flush.
 *
 * pt_clone.h holds fork's copy, pt_range.h unmap, protect and move.
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

#define TABLE_SLOTS (1u << PTE_INDEX_BITS)

/* ---- slots --------------------------------------------------------------- */

static inline pte_t *table_slots(pfn_t table) { return pfn_to_ptr(table); }

static inline pfn_t pte_pfn(pte_t e) { return phys_to_pfn(pte_phys(e)); }

static inline uint64_t slot_span(unsigned level) { return PAGE_SIZE << ((level - 1) * PTE_INDEX_BITS); }

static inline unsigned slot_index(uint64_t va, unsigned level)
{
	return (unsigned)(va >> (PAGE_SHIFT + (level - 1) * PTE_INDEX_BITS)) & (TABLE_SLOTS - 1);
}

static inline pte_t *slot_at(pfn_t table, uint64_t va, unsigned level)
{
	return &table_slots(table)[slot_index(va, level)];
}

#define SLOT_GROUP 16u
_Static_assert(TABLE_SLOTS % SLOT_GROUP == 0, "tables are whole groups");

static inline bool slot_group_is_empty(const pte_t *s)
{
	return (s[0].raw | s[1].raw | s[2].raw | s[3].raw | s[4].raw | s[5].raw | s[6].raw | s[7].raw | s[8].raw |
		s[9].raw | s[10].raw | s[11].raw | s[12].raw | s[13].raw | s[14].raw | s[15].raw) == 0;
}

/*
 * The group to look at behind nr slots: from both ends of the table inwards by turns, for what is in use
 * lies mostly at one of them, programs at the lower, stacks at the upper.
 */
static inline unsigned slot_group_inwards(unsigned nr, unsigned nr_slots)
{
	unsigned k = nr / SLOT_GROUP, nr_groups = (nr_slots + SLOT_GROUP - 1) / SLOT_GROUP;

	return (k % 2 == 0 ? k / 2 : nr_groups - 1 - k / 2) * SLOT_GROUP;
}

/* The first slot in use from slot i on, or TABLE_SLOTS; empty ones are passed over a group at a time. */
static inline unsigned slot_next_used(const pte_t *s, unsigned i)
{
	while (i < TABLE_SLOTS && s[i].raw == 0)
		i += i % SLOT_GROUP == 0 && slot_group_is_empty(&s[i]) ? SLOT_GROUP : 1;
	return i;
}

static inline pte_t slot_load(const pte_t *s) { return (pte_t){__atomic_load_n(&s->raw, __ATOMIC_RELAXED)}; }

static inline void slot_store(pte_t *s, pte_t e)
{
	pt_stats.nr_entry_writes++;
	__atomic_store_n(&s->raw, e.raw, __ATOMIC_RELEASE);
}

/* Hardware, and walkers of other address spaces, may set A and D meanwhile. */
static inline void slot_clear_write(pte_t *s)
{
	pte_t e = slot_load(s);

	while (!__atomic_compare_exchange_n(&s->raw, &e.raw, pte_without_write(e).raw, true, __ATOMIC_RELAXED,
					    __ATOMIC_RELAXED))
		;
}

static inline void slot_add_attrs(pte_t *s, unsigned attrs)
{
	pte_t e = slot_load(s), n;

	do {
		if (pte_is_absent(e))
			return;
		n = pte_make_page(pte_phys(e), pte_prot(e), pte_attrs(e) | attrs);
	} while (!__atomic_compare_exchange_n(&s->raw, &e.raw, n.raw, true, __ATOMIC_RELAXED,
					      __ATOMIC_RELAXED));
}

/* A page entry for a frame that may have been no code before. */
static inline pte_t page_entry(pfn_t pfn, prot_t prot, unsigned attrs)
{
	if (ABI_CODE_NEEDS_SYNC && prot_has(prot, PROT_BIT_X) && !frame_code_is_synced(pfn)) {
		arch_code_sync(pfn);
		frame_set_code_synced(pfn, true);
	}
	return pte_make_page(pfn_to_phys(pfn), prot, attrs);
}

static inline bool pte_is_shared(pte_t e) { return (pte_attrs(e) & PT_SHARED) != 0; }

/* A private page that its table may write to. */
static inline bool pte_is_private_writable(pte_t e) { return pte_is_writable(e) && !pte_is_shared(e); }

/* The root's slots beyond the user's addresses are the machine's. */
static unsigned level_slots(unsigned level)
{
	uint64_t end;

	if (level != PTE_LEVELS)
		return TABLE_SLOTS;
	end = MIN(arch_user_end(), slot_span(PTE_LEVELS) * TABLE_SLOTS);
	return (unsigned)((end - 1) / slot_span(PTE_LEVELS)) + 1;
}

/* ---- tables -------------------------------------------------------------- */

static pfn_t table_init(pfn_t t)
{
	if (!pfn_is_none(t)) {
		frame_table_set_pages(t, 0);
		pt_stats.nr_table_allocs++;
	}
	return t;
}

static pfn_t table_alloc(void) { return table_init(frame_alloc(FRAME_TABLE)); }

static void node_drop(pfn_t x, unsigned level);

/* Drops what the group of slots from `first` on points at, up to `left` pages; returns how many. */
static uint32_t group_drop(const pte_t *s, unsigned first, unsigned nr_slots, unsigned level, uint32_t left)
{
	const unsigned end = MIN(first + SLOT_GROUP, nr_slots);
	const uint32_t before = left;

	if (slot_group_is_empty(&s[first]))
		return 0;
	for (unsigned i = first; i < end && left != 0; i++) {
		pfn_t child = pte_pfn(s[i]);

		if (pte_is_absent(s[i]))
			continue;
		if (level == 1) {
			left--;
			frame_put(child);
		} else {
			left -= MIN(left, frame_table_pages(child));
			node_drop(child, level - 1);
		}
	}
	return before - left;
}

/* Stops looking when the pages the table counts are found: tables without any do not stay in a tree. */
static void node_drop(pfn_t x, unsigned level)
{
	const pte_t *s = table_slots(x);
	const unsigned nr_slots = level != 0 ? level_slots(level) : 0;
	uint32_t left;

	pt_stats.nr_drops++;
	if (!frame_unref(x))
		return;
	left = level != 0 ? frame_table_pages(x) : 0;
	pt_stats.nr_drops += level == 1 ? left : 0;
	for (unsigned nr = 0; left != 0 && nr < nr_slots; nr += SLOT_GROUP)
		left -= group_drop(s, slot_group_inwards(nr, nr_slots), nr_slots, level, left);
	frame_free(x);
}

static int pt_create(struct pt *pt)
{
	pt->root = table_alloc();
	if (pfn_is_none(pt->root))
		return -ENOMEM;
	memset(table_slots(pt->root), 0, PAGE_SIZE);
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
static pte_t *leaf_find(const struct pt *pt, uint64_t va, bool *writable)
{
	pfn_t t = pt->root;

	*writable = true;
	for (unsigned level = PTE_LEVELS; level > 1; level--) {
		pte_t e = slot_load(slot_at(t, va, level));

		if (pte_is_absent(e))
			return NULL;
		*writable = *writable && pte_is_writable(e);
		t = pte_pfn(e);
	}
	return slot_at(t, va, 1);
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
	out->is_private_path = writable;
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

/* Pages beneath a used slot of a table of that level. */
static inline uint32_t slot_pages(pte_t e, unsigned level)
{
	return level == 1 ? 1 : frame_table_pages(pte_pfn(e));
}

/*
 * Fills the fresh table n with what x has: every target gets one more reference, no one may write.
 * Stops when the pages that x counts are found, as node_drop() does.
 */
static void table_share_slots(pfn_t n, pfn_t x, unsigned level)
{
	pte_t *d = table_slots(n), *s = table_slots(x);
	uint32_t left = frame_table_pages(x);

	frame_table_set_pages(n, left);
	pt_stats.nr_table_copies++;
	memset(d, 0, PAGE_SIZE);
	for (unsigned i = 0; left != 0; i++) {
		pte_t e;

		i = slot_next_used(s, i);
		e = slot_load(&s[i]);
		frame_get(pte_pfn(e));
		left -= slot_pages(e, level);
		pt_stats.nr_entry_writes++;
		if (pte_is_writable(e) && !(level == 1 && pte_is_shared(e))) {
			slot_clear_write(&s[i]);
			e = pte_without_write(e);
		}
		d[i] = e;
	}
}

/*
 * Nothing beneath this leaf table can be written through any cached translation
 * at present: its pages count as cold until they are used again.
 */
static void table_age(pfn_t t)
{
	pte_t *s = table_slots(t);
	uint32_t left = frame_table_pages(t);

	for (unsigned i = 0; left != 0; i++, left--) {
		pte_t e, aged;

		i = slot_next_used(s, i);
		e = slot_load(&s[i]);
		aged = pte_aged(e);
		if (!pte_is_shared(e) && aged.raw != e.raw)
			__atomic_store_n(&s[i].raw, aged.raw, __ATOMIC_RELAXED);
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
	return above || (!pte_is_writable(e) && frame_refs(pte_pfn(e)) != 1);
}

/*
 * Makes the table that slot s points at (of that level) exclusively ours. The
 * slots above grant write. A table with one reference is taken over in place;
 * stale translations are only stricter, so that needs no flush.
 */
static void slot_own(struct pt_gather *g, struct pt_reserve *r, pte_t *s, unsigned level, uint64_t va)
{
	pte_t e = slot_load(s);
	pfn_t x = pte_pfn(e), n;

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

			memset(table_slots(n), 0, PAGE_SIZE);
			slot_store(s, pte_make_table(pfn_to_phys(n), true));
		}
		t = pte_pfn(slot_load(s));
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
		t = pte_pfn(e);
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
		t = pte_pfn(e);
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
	struct path p;
	pte_t *s, old;

	path_get(pt, va, &p);
	s = slot_at(p.table[1], va, 1);
	old = slot_load(s);
	slot_replace(g, s, page_entry(pfn, prot, attrs), va);
	pt_gather_flush(g, va, va + PAGE_SIZE);
	pt_gather_drop(g, pte_pfn(old), 0);
}

static void pt_set_prot(struct pt *pt, uint64_t va, prot_t prot, unsigned add_attrs)
{
	struct path p;
	pte_t *s, e;

	path_get(pt, va, &p);
	s = slot_at(p.table[1], va, 1);
	e = slot_load(s);
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
