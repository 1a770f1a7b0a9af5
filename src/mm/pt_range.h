/*
 * Part of pt.c: changes of whole ranges. Each has a *_cost function that says
 * how many table frames it may need; with these in the reserve the change
 * itself cannot fail (invariant 8).
 */

static inline uint64_t slot_end(uint64_t va, unsigned level)
{
	return (va & ~(slot_span(level) - 1)) + slot_span(level);
}

/* ---- unmap --------------------------------------------------------------- */

static bool leaf_range_is_empty(pfn_t t, uint64_t start, uint64_t end)
{
	const pte_t *s = slot_at(t, start, 1), *stop = s + ((end - start) >> PAGE_SHIFT);

	while (s != stop && pte_is_absent(slot_load(s)))
		s++;
	return s == stop;
}

static bool range_is_empty(pfn_t t, unsigned level, uint64_t start, uint64_t end)
{
	if (level == 1)
		return leaf_range_is_empty(t, start, end);
	for (uint64_t va = start; va < end; va = slot_end(va, level)) {
		pte_t e = slot_load(slot_at(t, va, level));

		if (pte_is_absent(e) || frame_table_pages(pte_table(e)) == 0)
			continue;
		if (!range_is_empty(pte_table(e), level - 1, va, MIN(end, slot_end(va, level))))
			return false;
	}
	return true;
}

/* Tables at the ends of the range that are shared. Slots inside go as a whole. */
static uint64_t unmap_cost(pfn_t t, unsigned level, uint64_t start, uint64_t end, bool above)
{
	uint64_t nr = 0;

	for (uint64_t va = start; va < end; va = slot_end(va, level)) {
		pte_t e = slot_load(slot_at(t, va, level));
		uint64_t stop = MIN(end, slot_end(va, level));
		bool copy;

		if (pte_is_absent(e) || stop - va == slot_span(level))
			continue;
		copy = slot_needs_copy(e, above);
		nr += copy;
		if (level > 2)
			nr += unmap_cost(pte_pfn(e), level - 1, va, stop, copy);
	}
	return nr;
}

static uint64_t pt_unmap_cost(const struct pt *pt, uint64_t start, uint64_t end)
{
	return unmap_cost(pt->root, PTE_LEVELS, start, end, false);
}

static void unmap_table(pfn_t t, unsigned level, uint64_t start, uint64_t end, struct pt_reserve *r,
			struct pt_gather *g);

/* [va, stop) within the slot s of a private table; returns the number of pages that went. */
static uint32_t unmap_slot(pte_t *s, unsigned level, uint64_t va, uint64_t stop, struct pt_reserve *r,
			   struct pt_gather *g)
{
	pfn_t x = pte_pfn(slot_load(s));
	uint32_t nr = level == 1 ? 1 : frame_table_pages(x);

	if (stop - va != slot_span(level)) {
		if (range_is_empty(x, level - 1, va, stop))
			return 0;
		slot_own(g, r, s, level - 1, va);
		x = pte_pfn(slot_load(s));
		nr = frame_table_pages(x);
		unmap_table(x, level - 1, va, stop, r, g);
		nr -= frame_table_pages(x);
		if (frame_table_pages(x) != 0)
			return nr;
		stop = va + PAGE_SIZE; /* the pages are noted already */
	}
	slot_store(s, (pte_t){0});
	pt_gather_flush(g, va, stop);
	pt_gather_drop(g, x, level - 1);
	return nr;
}

static void unmap_table(pfn_t t, unsigned level, uint64_t start, uint64_t end, struct pt_reserve *r,
			struct pt_gather *g)
{
	uint32_t nr = 0;

	for (uint64_t va = start; va < end; va = slot_end(va, level)) {
		pte_t *s = slot_at(t, va, level);

		if (!pte_is_absent(slot_load(s)))
			nr += unmap_slot(s, level, va, MIN(end, slot_end(va, level)), r, g);
	}
	frame_table_set_pages(t, frame_table_pages(t) - nr);
}

static void pt_unmap(struct pt *pt, uint64_t start, uint64_t end, struct pt_reserve *r, struct pt_gather *g)
{
	unmap_table(pt->root, PTE_LEVELS, start, end, r, g);
	pt->nr_pages = frame_table_pages(pt->root);
}

/* ---- protect ------------------------------------------------------------- */

/* Only write may be taken away in a table that is shared. */
static inline bool page_needs_own(pte_t e, prot_t prot)
{
	return prot_without(pte_prot(e), PROT_BIT_W).raw != prot_without(prot, PROT_BIT_W).raw;
}

static bool range_needs_own(pfn_t t, unsigned level, uint64_t start, uint64_t end, prot_t prot)
{
	for (uint64_t va = start; va < end; va = slot_end(va, level)) {
		pte_t e = slot_load(slot_at(t, va, level));

		if (pte_is_absent(e))
			continue;
		if (level == 1
			    ? page_needs_own(e, prot)
			    : range_needs_own(pte_pfn(e), level - 1, va, MIN(end, slot_end(va, level)), prot))
			return true;
	}
	return false;
}

static uint64_t protect_cost(pfn_t t, unsigned level, uint64_t start, uint64_t end, prot_t prot, bool above)
{
	uint64_t nr = 0;

	for (uint64_t va = start; va < end; va = slot_end(va, level)) {
		pte_t e = slot_load(slot_at(t, va, level));
		uint64_t stop = MIN(end, slot_end(va, level));
		bool copy;

		if (pte_is_absent(e))
			continue;
		copy = slot_needs_copy(e, above);
		if (copy && !range_needs_own(pte_pfn(e), level - 1, va, stop, prot))
			continue;
		nr += copy;
		if (level > 2)
			nr += protect_cost(pte_pfn(e), level - 1, va, stop, prot, copy);
	}
	return nr;
}

static uint64_t pt_protect_cost(const struct pt *pt, uint64_t start, uint64_t end, prot_t prot)
{
	return protect_cost(pt->root, PTE_LEVELS, start, end, prot, false);
}

struct protect {
	prot_t prot;
	bool soft_write;
	struct pt_reserve *reserve;
	struct pt_gather *gather;
};

/* owned: every table above grants write, so the entry may be rewritten. */
static void protect_page(const struct protect *p, pte_t *s, uint64_t va, bool owned)
{
	pte_t e = slot_load(s);
	prot_t old = pte_prot(e), new = prot_without(p->prot, PROT_BIT_W);
	pfn_t x = pte_pfn(e);
	bool exclusive = owned && (pte_is_shared(e) ? !p->soft_write
						    : frame_refs(x) == 1 && frame_kind(x) == FRAME_ANON);

	if (prot_has(p->prot, PROT_BIT_W) && (prot_has(old, PROT_BIT_W) || exclusive))
		new = p->prot;
	if (prot_equal(old, new))
		return;
	if (owned) {
		bool adds_write = prot_has(new, PROT_BIT_W) && !prot_has(old, PROT_BIT_W);

		if (ABI_CODE_NEEDS_SYNC && !prot_has(old, PROT_BIT_X))
			frame_set_code_synced(x, false); /* who knows what was written meanwhile */
		slot_store(s, page_entry(x, new, pte_attrs(e) | (adds_write ? PT_DIRTY : 0)));
	} else {
		slot_clear_write(s);
		pt_stats.nr_entry_writes++;
	}
	if ((old.raw & ~new.raw) != 0)
		pt_gather_flush(p->gather, va, va + PAGE_SIZE);
}

static void protect_table(const struct protect *p, pfn_t t, unsigned level, uint64_t start, uint64_t end,
			  bool owned)
{
	for (uint64_t va = start; va < end; va = slot_end(va, level)) {
		pte_t *s = slot_at(t, va, level);
		uint64_t stop = MIN(end, slot_end(va, level));
		pte_t e = slot_load(s);

		if (pte_is_absent(e))
			continue;
		if (level == 1) {
			protect_page(p, s, va, owned);
			continue;
		}
		if (owned && !pte_is_writable(e) &&
		    range_needs_own(pte_pfn(e), level - 1, va, stop, p->prot)) {
			slot_own(p->gather, p->reserve, s, level - 1, va);
			e = slot_load(s);
		}
		protect_table(p, pte_pfn(e), level - 1, va, stop, owned && pte_is_writable(e));
	}
}

static void pt_protect(struct pt *pt, uint64_t start, uint64_t end, prot_t prot, bool soft_write,
		       struct pt_reserve *r, struct pt_gather *g)
{
	struct protect p = {prot, soft_write, r, g};

	protect_table(&p, pt->root, PTE_LEVELS, start, end, true);
}

/* ---- move ---------------------------------------------------------------- */

/* Tables with pages in the range, and how many of them are shared. */
static void count_tables(pfn_t t, unsigned level, uint64_t start, uint64_t end, bool above, uint64_t *nr,
			 uint64_t *nr_copies)
{
	for (uint64_t va = start; va < end; va = slot_end(va, level)) {
		pte_t e = slot_load(slot_at(t, va, level));
		bool copy;

		if (pte_is_absent(e) || frame_table_pages(pte_table(e)) == 0)
			continue;
		copy = slot_needs_copy(e, above);
		*nr += 1;
		*nr_copies += copy;
		if (level > 2)
			count_tables(pte_pfn(e), level - 1, va, MIN(end, slot_end(va, level)), copy, nr,
				     nr_copies);
	}
}

/* Each table's pages land in at most two tables of the same level at the other end. */
static uint64_t pt_move_cost(const struct pt *pt, uint64_t from, uint64_t to, uint64_t size_bytes)
{
	uint64_t nr = 0, nr_copies = 0;

	(void)to;
	count_tables(pt->root, PTE_LEVELS, from, from + size_bytes, false, &nr, &nr_copies);
	return 2 * nr + nr_copies;
}

/* Bytes from va that surely hold no page: up to the end of the first table slot without any. */
static uint64_t move_skip(const struct pt *pt, uint64_t va)
{
	pfn_t t = pt->root;

	for (unsigned level = PTE_LEVELS; level > 1; level--) {
		pte_t e = slot_load(slot_at(t, va, level));

		if (pte_is_absent(e) || frame_table_pages(pte_table(e)) == 0)
			return slot_end(va, level) - va;
		t = pte_pfn(e);
	}
	return 0;
}

/* A whole leaf table changes its slot, shared or not. */
static void move_leaf_table(struct pt *pt, uint64_t from, uint64_t to, struct pt_reserve *r,
			    struct pt_gather *g)
{
	struct path src, dst;
	pte_t *s, *d, e, old;

	path_own(pt, from, 2, r, g, &src);
	path_own(pt, to, 2, r, g, &dst);
	s = slot_at(src.table[2], from, 2);
	d = slot_at(dst.table[2], to, 2);
	e = slot_load(s);
	old = slot_load(d);
	slot_store(s, (pte_t){0});
	pt_gather_flush(g, from, from + slot_span(2));
	if (!pte_is_absent(old)) {
		ASSERT(frame_table_pages(pte_pfn(old)) == 0);
		slot_replace(g, d, e, to);
		pt_gather_flush(g, to, to + PAGE_SIZE);
		pt_gather_drop(g, pte_pfn(old), 1);
	} else {
		slot_store(d, e);
	}
	path_add_pages(pt, &src, 2, -(int64_t)frame_table_pages(pte_table(e)));
	path_add_pages(pt, &dst, 2, frame_table_pages(pte_table(e)));
	path_prune(pt, from, g);
	pt_stats.nr_slots_moved++;
}

/* Pages one by one, up to the end of either leaf table or nr; returns how many slots were passed. */
static unsigned move_pages(struct pt *pt, uint64_t from, uint64_t to, uint64_t nr, struct pt_reserve *r,
			   struct pt_gather *g)
{
	struct path src, dst;
	pte_t *s, *d;
	unsigned moved = 0, max = MIN(pt_leaf_room(from), pt_leaf_room(to));

	max = (unsigned)MIN(max, nr);
	/* Tables made for nothing would be beyond what move_cost() counted. */
	if (range_is_empty(pt->root, PTE_LEVELS, from, from + max * PAGE_SIZE))
		return max;
	path_own(pt, from, 1, r, g, &src);
	path_own(pt, to, 1, r, g, &dst);
	s = slot_at(src.table[1], from, 1);
	d = slot_at(dst.table[1], to, 1);
	for (unsigned i = 0; i < max; i++) {
		pte_t e = slot_load(&s[i]);

		if (pte_is_absent(e))
			continue;
		ASSERT(pte_is_absent(slot_load(&d[i])));
		slot_store(&s[i], (pte_t){0});
		slot_store(&d[i], e);
		pt_gather_flush(g, from + i * PAGE_SIZE, from + (i + 1) * PAGE_SIZE);
		moved++;
	}
	path_add_pages(pt, &src, 1, -(int64_t)moved);
	path_add_pages(pt, &dst, 1, moved);
	path_prune(pt, from, g);
	return max;
}

static void pt_move(struct pt *pt, uint64_t from, uint64_t to, uint64_t size_bytes, struct pt_reserve *r,
		    struct pt_gather *g)
{
	uint64_t off = 0, leaf_bytes = slot_span(2);

	while (off < size_bytes) {
		uint64_t skip = move_skip(pt, from + off);

		if (skip != 0) {
			off += skip;
		} else if (((from + off) | (to + off)) % leaf_bytes == 0 && size_bytes - off >= leaf_bytes) {
			move_leaf_table(pt, from + off, to + off, r, g);
			off += leaf_bytes;
		} else {
			off += PAGE_SIZE *
			       move_pages(pt, from + off, to + off, (size_bytes - off) >> PAGE_SHIFT, r, g);
		}
	}
}
