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

/* Hot pages of a leaf table; stops counting above max. */
static unsigned table_count_hot(pfn_t t, unsigned max)
{
	uint32_t left = frame_table_pages(t);
	unsigned nr = 0;

	FOR_EACH_USED_SLOT(s, e, table_slots(t), TABLE_SLOTS, left) {
		left--;
		nr += pte_is_hot(e);
		if (nr > max)
			return nr;
	}
	return nr;
}

/* Keeps of the pages that the child writes first those that are there. */
static void clone_choose_first_writes(struct pt_clone *c, const struct pt *src)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < c->nr_first_writes; i++) {
		bool writable;
		const pte_t *s = leaf_find(src, c->first_writes[i], &writable);

		if (s != NULL && !pte_is_absent(slot_load(s)))
			c->first_writes[nr++] = c->first_writes[i];
	}
	c->nr_first_writes = nr;
	c->nr_hot_pages += nr;
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

static bool clone_has_first_writes(const struct pt_clone *c, uint64_t va, unsigned level)
{
	for (unsigned i = 0; i < c->nr_first_writes; i++)
		if (c->first_writes[i] / slot_span(level) == va / slot_span(level))
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
	pte_t *table = table_slots(t);
	uint32_t left = frame_table_pages(t);
	uint64_t cold = UINT64_MAX;
	bool is_noted = false;

	if (level == 1 ? *nr_scans >= CLONE_SCANS_MAX
		       : frame_table_pages(t) > CLONE_SCANS_MAX * TABLE_SLOTS) {
		pt_ranges_add(&c->flush, va, va + slot_span(level + 1));
		return;
	}
	*nr_scans += level == 1;
	FOR_EACH_USED_SLOT(s, e, table, TABLE_SLOTS, left) {
		uint64_t at = va + (uint64_t)(s - table) * slot_span(level);

		left -= slot_pages(e, level);
		if (!pte_is_writable(e))
			continue;
		if (level > 1) {
			clone_note_writable(c, pte_table(e), level - 1, at, nr_scans);
		} else if (pte_may_be_cached_writable(e)) {
			pt_ranges_add_page(&c->flush, at);
			is_noted = true;
		} else {
			cold = at;
		}
	}
	if (cold != UINT64_MAX && !is_noted)
		pt_ranges_add_page(&c->flush, cold);
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

/*
 * The pages beneath the leaf table n, for va from its first address on, that the child will write first: it gets
 * writable copies. What the parent has stays as it is. Without memory they are shared like the others.
 */
static void clone_copy_first_writes(struct pt_clone *c, pfn_t n, pfn_t x, uint64_t va)
{
	for (unsigned i = 0; i < c->nr_first_writes; i++) {
		uint64_t page = c->first_writes[i];
		pte_t e;

		if (page / slot_span(2) != va / slot_span(2))
			continue;
		e = slot_load(slot_at(x, page, 1));
		e = pte_make_page(pte_phys(e), prot_with(pte_prot(e), PROT_BIT_R | PROT_BIT_W),
				  pte_attrs(e) | PT_ACCESSED | PT_DIRTY);
		if (clone_copy_page(c, slot_at(n, page, 1), e, page) != 0)
			return;
	}
}

static bool clone_wants_copy(const struct pt_clone *c, pte_t e, bool is_hot)
{
	if (pte_is_shared(e))
		return false;
	return c->copy_all || (is_hot && pte_is_hot(e)) || (c->has_pins && frame_is_maybe_pinned(pte_pfn(e)));
}

/* Counts the pages of a leaf table that was left half filled. */
static void table_count_pages(pfn_t n)
{
	uint32_t nr = 0;

	for (unsigned i = 0; i < TABLE_SLOTS; i++)
		nr += !pte_is_absent(table_slots(n)[i]);
	frame_table_set_pages(n, nr);
}

/* Apart from clone_leaf(), for the registers: this is where fork's time goes. */
static __attribute__((noinline)) void clone_share_slots(pte_t *dst, pte_t *src, uint32_t left,
							struct pt_ranges *flush, uint64_t va)
{
	leaf_share_slots(dst, src, left, flush, va);
}

/*
 * Fills the zero leaf table n from x; va: its first address; writable: every
 * slot above x grants write. On failure n holds a valid part.
 */
static int clone_leaf(struct pt_clone *c, pfn_t n, pfn_t x, uint64_t va, bool writable)
{
	pte_t *dst = table_slots(n), *src = table_slots(x);
	bool may_copy = c->copy_all || c->has_pins, is_hot = writable && clone_is_hot(c, va, 2);
	uint32_t left = frame_table_pages(x);

	frame_table_set_pages(n, left);
	if (clone_has_first_writes(c, va, 2))
		clone_copy_first_writes(c, n, x, va);
	if (!may_copy && !is_hot) {
		struct pt_ranges none = {0};

		clone_share_slots(dst, src, left, writable ? &c->flush : &none, va);
		return 0;
	}
	pt_stats.nr_entry_writes += left;
	FOR_EACH_USED_SLOT(s, e, src, TABLE_SLOTS, left) {
		pte_t *d = dst + (s - src);
		uint64_t page = va + (uint64_t)(s - src) * PAGE_SIZE;
		bool is_writable = pte_is_private_writable(e);

		left--;
		if (!pte_is_absent(*d))
			continue;
		if ((may_copy || is_writable) && clone_wants_copy(c, e, is_hot)) {
			int err = clone_copy_page(c, d, e, page);

			if (err != 0) {
				table_count_pages(n);
				return err;
			}
			continue;
		}
		frame_get(pte_pfn(e));
		*d = e;
		if (!is_writable)
			continue;
		slot_clear_write(s);
		*d = pte_without_write(e);
		if (writable && pte_may_be_cached_writable(e))
			pt_ranges_add_page(&c->flush, page);
	}
	return 0;
}

static int clone_table(struct pt_clone *c, pfn_t n, pfn_t x, unsigned level, uint64_t va, bool writable,
		       unsigned *nr_scans);

/* The table that slot s of src, a table of `level`, points at, to that slot of dst. va: of the first slot. */
static __attribute__((noinline)) int clone_slot(struct pt_clone *c, pte_t *dst, pte_t *src, pte_t *s, unsigned level,
						uint64_t va, bool writable, unsigned *nr_scans)
{
	pte_t e = slot_load(s), *d = dst + (s - src);
	pfn_t x = pte_table(e), n;

	va += (uint64_t)(s - src) * slot_span(level);
	level--;
	if (frame_table_pages(x) == 0)
		return 0;
	writable = writable && pte_is_writable(e);
	if (frame_table_pages(x) > c->share_above_pages && !clone_is_hot(c, va, level + 1) &&
	    !clone_has_first_writes(c, va, level + 1)) {
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

/* Fills the zero table n from x. On failure n holds a valid part. */
static int clone_table(struct pt_clone *c, pfn_t n, pfn_t x, unsigned level, uint64_t va, bool writable,
		       unsigned *nr_scans)
{
	pte_t *dst = table_slots(n), *src = table_slots(x);
	uint32_t left = frame_table_pages(x);

	frame_table_set_pages(n, left);
	FOR_EACH_USED_SLOT(s, e, src, level_slots(level), left) {
		int err;

		left -= slot_pages(e, level);
		err = clone_slot(c, dst, src, s, level, va, writable, nr_scans);
		if (err != 0)
			return err;
	}
	return 0;
}

static int pt_clone_tree(struct pt *dst, struct pt *src, struct pt_clone *c)
{
	unsigned nr_scans = 0;
	int err;

	c->flush.nr = 0;
	clone_choose_hot(c, src);
	clone_choose_first_writes(c, src);
	err = clone_table(c, dst->root, src->root, PTE_LEVELS, 0, true, &nr_scans);
	if (err != 0)
		return err;
	dst->nr_pages = src->nr_pages;
	dst->nr_hot_spans = src->nr_hot_spans;
	memcpy(dst->hot_spans, src->hot_spans, sizeof(src->hot_spans));
	return 0;
}
