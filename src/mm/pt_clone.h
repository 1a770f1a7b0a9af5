/*
 * Part of pt.c: fork's recursive clone. Each slot of the source is shared (one
 * more reference, write off on both sides) or cloned one level down; pt_clone
 * holds the knob.
 *
 * Hot pages: the leaf tables written to lately (pt.hot_spans) are looked through
 * for pages that are writable and dirty. If they fit the budget, most recent
 * table first, they are copied instead of shared: neither side faults on them, and
 * as the source keeps its write permission it needs no flush. What does not fit
 * is shared; when the source takes a shared table over again its pages are aged
 * (accessed and dirty cleared), so hot means "written since it was last shared".
 *
 * Flushes: no processor caches a writable translation of a page that is not
 * marked accessed, so only pages that are writable and accessed are flushed
 * when they lose write permission; and something in each leaf table with a writable page.
 */

/* Leaf tables looked through for writable pages, to flush no more than needed. */
#define CLONE_SCANS_MAX 8

static inline bool pte_is_hot(pte_t e) { return pte_is_private_writable(e) && (pte_attrs(e) & PT_DIRTY); }

static inline bool pte_may_be_cached_writable(pte_t e)
{
	return pte_is_writable(e) && (pte_attrs(e) & PT_ACCESSED);
}

/* Hot pages of a leaf table; stops counting above max. */
static unsigned table_count_hot(pfn_t t, unsigned max)
{
	const pte_t *s = table_slots(t);
	uint32_t left = frame_table_pages(t);
	unsigned nr = 0;

	for (unsigned i = 0; left != 0 && nr <= max; i++, left--) {
		i = slot_next_used(s, i);
		nr += pte_is_hot(slot_load(&s[i]));
	}
	return nr;
}

static void clone_choose_hot(struct pt_clone *c, const struct pt *src)
{
	c->nr_hot = 0;
	c->nr_hot_pages = 0;
	for (unsigned i = 0; i < src->nr_hot_spans && c->hot_pages_max != 0; i++) {
		bool writable;
		pte_t *s = leaf_find(src, src->hot_spans[i] * slot_span(2), &writable);
		unsigned nr;

		if (s == NULL || !writable)
			continue;
		nr = table_count_hot(ptr_to_pfn(s), c->hot_pages_max - c->nr_hot_pages);
		if (nr == 0 || c->nr_hot_pages + nr > c->hot_pages_max)
			continue;
		c->hot[c->nr_hot++] = src->hot_spans[i];
		c->nr_hot_pages += nr;
	}
}

/* Is a chosen leaf table beneath the slot of this level's table that covers va? */
static bool clone_is_hot(const struct pt_clone *c, uint64_t va, unsigned level)
{
	uint64_t ratio = slot_span(level) / slot_span(2);

	for (unsigned i = 0; i < c->nr_hot; i++)
		if (c->hot[i] / ratio == va / slot_span(level))
			return true;
	return false;
}

/*
 * Notes which translations beneath the table at va may grant write. Processors cache tables too: one
 * reached through some other page would let a page that is writable but cold be written to. One flush
 * in its span makes them forget the way to it.
 */
static void clone_note_writable(struct pt_clone *c, pfn_t t, unsigned level, uint64_t va, unsigned *nr_scans)
{
	const pte_t *s = table_slots(t);
	uint32_t left = frame_table_pages(t);
	uint64_t cold = UINT64_MAX;
	bool is_noted = false;

	if (level == 1 ? *nr_scans >= CLONE_SCANS_MAX
		       : frame_table_pages(t) > CLONE_SCANS_MAX * TABLE_SLOTS) {
		pt_ranges_add(&c->flush, va, va + slot_span(level + 1));
		return;
	}
	*nr_scans += level == 1;
	for (unsigned i = 0; left != 0; i++, va += slot_span(level)) {
		pte_t e = slot_load(&s[i]);

		if (pte_is_absent(e))
			continue;
		left -= slot_pages(e, level);
		if (!pte_is_writable(e))
			continue;
		if (level > 1) {
			clone_note_writable(c, pte_pfn(e), level - 1, va, nr_scans);
		} else if (pte_may_be_cached_writable(e)) {
			pt_ranges_add(&c->flush, va, va + PAGE_SIZE);
			is_noted = true;
		} else {
			cold = va;
		}
	}
	if (cold != UINT64_MAX && !is_noted)
		pt_ranges_add(&c->flush, cold, cold + PAGE_SIZE);
}

static int clone_copy_page(struct pt_clone *c, pte_t *d, pte_t e, uint64_t va)
{
	pfn_t n = c->new_page(c, va);

	if (pfn_is_none(n))
		return -ENOMEM;
	memcpy(pfn_to_ptr(n), pfn_to_ptr(pte_pfn(e)), PAGE_SIZE);
	*d = page_entry(n, pte_prot(e), pte_attrs(e));
	pt_stats.nr_page_copies++;
	return 0;
}

static bool clone_wants_copy(const struct pt_clone *c, pte_t e, bool is_hot)
{
	if (pte_is_shared(e))
		return false;
	return c->copy_all || (is_hot && pte_is_hot(e)) || (c->has_pins && frame_is_maybe_pinned(pte_pfn(e)));
}

/*
 * Fills the fresh leaf table n from x; va: its first address; writable: every
 * slot above x grants write. On failure n holds a valid part.
 */
static int clone_leaf(struct pt_clone *c, pfn_t n, pfn_t x, uint64_t va, bool writable)
{
	pte_t *d = table_slots(n), *s = table_slots(x);
	bool may_copy = c->copy_all || c->has_pins, is_hot = writable && clone_is_hot(c, va, 2);
	uint32_t left = frame_table_pages(x);
	int err = 0;

	pt_stats.nr_entry_writes += left;
	frame_table_set_pages(n, left);
	memset(d, 0, PAGE_SIZE);
	for (unsigned i = 0; left != 0; i++) {
		bool is_writable;
		uint64_t page;
		pte_t e;

		i = slot_next_used(s, i);
		e = slot_load(&s[i]);
		page = va + i * PAGE_SIZE;
		is_writable = pte_is_private_writable(e);
		left--;
		if ((may_copy || (is_hot && is_writable)) && clone_wants_copy(c, e, is_hot)) {
			err = clone_copy_page(c, &d[i], e, page);
			if (err != 0)
				break;
			continue;
		}
		frame_get(pte_pfn(e));
		d[i] = e;
		if (!is_writable)
			continue;
		slot_clear_write(&s[i]);
		d[i] = pte_without_write(e);
		if (writable && pte_may_be_cached_writable(e))
			pt_ranges_add(&c->flush, page, page + PAGE_SIZE);
	}
	if (err != 0)
		frame_table_set_pages(n, frame_table_pages(x) - left - 1);
	return err;
}

static int clone_table(struct pt_clone *c, pfn_t n, pfn_t x, unsigned level, uint64_t va, bool writable,
		       unsigned *nr_scans);

/* The table at slot s, one level down, to slot d of the clone; va: its first address. */
static int clone_slot(struct pt_clone *c, pte_t *d, pte_t *s, unsigned level, uint64_t va, bool writable,
		      unsigned *nr_scans)
{
	pte_t e = slot_load(s);
	pfn_t x = pte_pfn(e), n;

	*d = (pte_t){0};
	if (frame_table_pages(x) == 0)
		return 0;
	writable = writable && pte_is_writable(e);
	if (frame_table_pages(x) > c->share_above_pages && !clone_is_hot(c, va, level + 1)) {
		if (writable)
			clone_note_writable(c, x, level, va, nr_scans);
		frame_get(x);
		if (pte_is_writable(e))
			slot_clear_write(s);
		*d = pte_without_write(e);
		pt_stats.nr_table_shares++;
		pt_stats.nr_entry_writes++;
		return 0;
	}
	n = table_alloc();
	if (pfn_is_none(n))
		return -ENOMEM;
	pt_stats.nr_table_copies++;
	*d = pte_make_table(pfn_to_phys(n), true);
	if (level == 1)
		return clone_leaf(c, n, x, va, writable);
	return clone_table(c, n, x, level, va, writable, nr_scans);
}

/* Fills the fresh table n from x. On failure n holds a valid part. */
static int clone_table(struct pt_clone *c, pfn_t n, pfn_t x, unsigned level, uint64_t va, bool writable,
		       unsigned *nr_scans)
{
	pte_t *d = table_slots(n), *s = table_slots(x);
	uint32_t left = frame_table_pages(x);
	int err = 0;

	if (level != PTE_LEVELS)
		memset(d, 0, PAGE_SIZE);
	for (unsigned i = 0; left != 0 && err == 0; i++) {
		pte_t e;

		i = slot_next_used(s, i);
		e = slot_load(&s[i]);
		left -= slot_pages(e, level);
		err = clone_slot(c, &d[i], &s[i], level - 1, va + i * slot_span(level), writable, nr_scans);
	}
	frame_table_set_pages(n, frame_table_pages(x));
	return err;
}

static int pt_clone_tree(struct pt *dst, struct pt *src, struct pt_clone *c)
{
	unsigned nr_scans = 0;
	int err;

	c->flush.nr = 0;
	clone_choose_hot(c, src);
	err = clone_table(c, dst->root, src->root, PTE_LEVELS, 0, true, &nr_scans);
	if (err != 0)
		return err;
	dst->nr_pages = src->nr_pages;
	dst->nr_hot_spans = src->nr_hot_spans;
	memcpy(dst->hot_spans, src->hot_spans, sizeof(src->hot_spans));
	return 0;
}
