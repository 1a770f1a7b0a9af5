/*
 * Part of pt.c: entries and slots, and the slots of one table. A slot is one entry in its place; it is
 * loaded and stored whole, for hardware and walkers of other address spaces look at it meanwhile.
 */

#define TABLE_SLOTS (1u << PTE_INDEX_BITS)

/* ---- slots --------------------------------------------------------------- */

static inline pte_t *table_slots(pfn_t table) { return pfn_to_ptr(table); }

static inline pfn_t pte_pfn(pte_t e) { return phys_to_pfn(pte_phys(e)); }

static inline struct frame *pte_frame(pte_t e) { return frame_meta_at_(pte_phys(e)); }

static inline pfn_t pte_table(pte_t e) { return phys_to_pfn(pte_table_phys(e)); }

static inline uint64_t slot_span(unsigned level) { return PAGE_SIZE << ((level - 1) * PTE_INDEX_BITS); }

static inline unsigned slot_index(uint64_t va, unsigned level)
{
	return (unsigned)(va >> (PAGE_SHIFT + (level - 1) * PTE_INDEX_BITS)) & (TABLE_SLOTS - 1);
}

static inline pte_t *slot_at(pfn_t table, uint64_t va, unsigned level)
{
	return &table_slots(table)[slot_index(va, level)];
}

#define SLOT_GROUP 8u
_Static_assert(TABLE_SLOTS % SLOT_GROUP == 0, "tables are whole groups");

static inline bool slot_group_is_empty(const pte_t *s)
{
	return (s[0].raw | s[1].raw | s[2].raw | s[3].raw | s[4].raw | s[5].raw | s[6].raw | s[7].raw) == 0;
}

/*
 * The next group with a slot in use: upwards from *lo and, where that one is empty, downwards from *hi; for what is in
 * use lies mostly at one end of a table, programs at the lower, stacks at the upper. NULL: both are empty.
 */
static inline pte_t *slot_group_next(pte_t **lo, pte_t **hi)
{
	pte_t *s = *lo;

	*lo += SLOT_GROUP;
	if (!slot_group_is_empty(s))
		return s;
	*hi -= SLOT_GROUP;
	return *hi >= *lo && !slot_group_is_empty(*hi) ? *hi : NULL;
}

/*
 * For the slots s in use, with entry e, among the first nr_slots of a table, whole groups, until the loop's body has
 * counted `left` down to zero: the pages that the table counts are found then. Not in ascending order, but a group is.
 */
#define FOR_EACH_USED_SLOT(s, e, table, nr_slots, left)                                                              \
	for (pte_t *lo_ = (table), *hi_ = lo_ + (nr_slots), *s; (left) != 0 && lo_ < hi_;)                           \
		if ((s = slot_group_next(&lo_, &hi_)) != NULL)                                                       \
			for (pte_t *const end_ = s + SLOT_GROUP; s != end_; s++)                                     \
				for (pte_t e = slot_load(s); !pte_is_absent(e); e = (pte_t){0})

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

/* Hardware has not looked at a page that is not accessed. */
static inline bool pte_may_be_cached_writable(pte_t e)
{
	return pte_is_writable(e) && (pte_attrs(e) & PT_ACCESSED);
}

/* A private page that its table may write to. */
static inline bool pte_is_private_writable(pte_t e) { return pte_is_writable(e) && !pte_is_shared(e); }

/* The root's slots beyond the user's addresses are the machine's, from the next whole group on. */
static unsigned level_slots(unsigned level)
{
	uint64_t end;

	if (level != PTE_LEVELS)
		return TABLE_SLOTS;
	end = MIN(arch_user_end(), slot_span(PTE_LEVELS) * TABLE_SLOTS);
	return ((unsigned)((end - 1) / slot_span(PTE_LEVELS)) | (SLOT_GROUP - 1)) + 1;
}

/* Pages beneath a used slot of a table of that level. */
static inline uint32_t slot_pages(pte_t e, unsigned level)
{
	return level == 1 ? 1 : frame_table_pages(pte_table(e));
}
