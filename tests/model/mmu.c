/* The walk, the TLB and the cache of tables, for every format; see mmu.h. */
#include "mmu.h"

#include <string.h>

#define PAGE_BITS 12
#define PAGE_BYTES ((uint64_t)1 << PAGE_BITS)

static unsigned span_shift(const struct mmu *m, unsigned level)
{
	return PAGE_BITS + (level - 1) * m->format->index_bits;
}

/* Which of the window's spans of that level va is in. */
static unsigned span_of(const struct mmu *m, uint64_t va, unsigned level)
{
	return (unsigned)((va >> span_shift(m, level)) - (m->base >> span_shift(m, level)));
}

static unsigned page_of(const struct mmu *m, uint64_t va) { return (unsigned)((va - m->base) >> PAGE_BITS); }

void mmu_init(struct mmu *m, const struct mmu_format *format, uint64_t root, uint64_t base, unsigned nr_pages)
{
	memset(m, 0, sizeof(*m));
	m->format = format;
	m->root = root;
	m->base = base;
	m->nr_pages = nr_pages;
}

static enum mmu_result broken(struct mmu *m, const char *why)
{
	m->why = why;
	return MMU_BROKEN;
}

/* The slot of va in a table; NULL: m->why. */
static uint64_t *slot_of(struct mmu *m, uint64_t table, uint64_t va, unsigned level)
{
	uint64_t *slots = m->memory(table, true, &m->why);
	uint64_t mask = ((uint64_t)1 << m->format->index_bits) - 1;

	return slots == NULL ? NULL : &slots[(va >> span_shift(m, level)) & mask];
}

/* What a walk does with the cache of tables: start from it and fill it, only start from it, neither. */
enum cache_use { FILL_CACHE, USE_CACHE, IGNORE_CACHE };

/* Where a walk stands: about to read the slot of `level` in the table. */
struct walk {
	uint64_t table;
	unsigned level, rights;
};

/* As far down as the cache of tables leads. */
static struct walk walk_start(const struct mmu *m, uint64_t va, enum cache_use use)
{
	for (unsigned level = 2; use != IGNORE_CACHE && level <= m->format->nr_levels; level++) {
		unsigned i = span_of(m, va, level);

		if (m->tables[level][i].is_valid)
			return (struct walk){m->tables[level][i].pa, level - 1, m->tables[level][i].rights};
	}
	return (struct walk){m->root, m->format->nr_levels, MMU_ALL};
}

/* Follows tables down to `lowest`. MMU_OK: w stands there. */
static enum mmu_result walk_down(struct mmu *m, uint64_t va, unsigned lowest, enum cache_use use, struct walk *w)
{
	while (w->level > lowest) {
		uint64_t *slot = slot_of(m, w->table, va, w->level);
		struct mmu_entry e;

		if (slot == NULL)
			return MMU_BROKEN;
		e = m->format->read(*slot, w->level);
		if (e.kind == MMU_MALFORMED)
			return broken(m, e.why);
		if (e.kind == MMU_ABSENT)
			return MMU_NOT_PRESENT;
		if (e.kind != MMU_TABLE)
			return broken(m, "a page above the last level");
		w->table = e.pa;
		w->rights &= e.rights;
		if (use == FILL_CACHE) {
			unsigned i = span_of(m, va, w->level);

			if (!e.accessed)
				*slot |= m->format->accessed_bit;
			m->tables[w->level][i].pa = w->table;
			m->tables[w->level][i].rights = (uint8_t)w->rights;
			m->tables[w->level][i].is_valid = true;
		}
		w->level--;
	}
	return MMU_OK;
}

/* The page's entry, with the rights of all levels. */
static enum mmu_result walk_page(struct mmu *m, uint64_t va, enum cache_use use, uint64_t **slot, struct mmu_entry *e)
{
	struct walk w = walk_start(m, va, use);
	enum mmu_result result = walk_down(m, va, 1, use, &w);

	if (result != MMU_OK)
		return result;
	*slot = slot_of(m, w.table, va, 1);
	if (*slot == NULL)
		return MMU_BROKEN;
	*e = m->format->read(**slot, 1);
	if (e->kind == MMU_MALFORMED)
		return broken(m, e->why);
	if (e->kind == MMU_ABSENT)
		return MMU_NOT_PRESENT;
	if (e->kind != MMU_PAGE)
		return broken(m, "a table at the last level");
	e->rights &= w.rights;
	return MMU_OK;
}

enum mmu_result mmu_access(struct mmu *m, uint64_t va, unsigned access, uint64_t *pa)
{
	const struct mmu_format *f = m->format;
	unsigned page = page_of(m, va);
	enum mmu_result result;
	struct mmu_entry e;
	uint64_t *slot;

	if (m->tlb[page].rights != 0) {
		*pa = m->tlb[page].pa + va % PAGE_BYTES;
		if (m->tlb[page].rights & access)
			return m->memory(*pa, false, &m->why) != NULL ? MMU_OK : MMU_BROKEN;
		if (!f->walks_again)
			return MMU_NO_RIGHT;
	}
	result = walk_page(m, va, FILL_CACHE, &slot, &e);
	if (result != MMU_OK)
		return result;
	if (!e.accessed && f->accessed_bit == 0)
		return MMU_NOT_ACCESSED;
	if (!(e.rights & access))
		return MMU_NO_RIGHT;
	*slot |= f->accessed_bit;
	if (access & MMU_WRITE) {
		*slot |= f->dirty_bit;
		e.dirty = true;
	}
	/* A write through a page that is not dirty has to come back to the table. */
	m->tlb[page].pa = e.pa;
	m->tlb[page].rights = (uint8_t)(e.dirty ? e.rights : e.rights & ~(unsigned)MMU_WRITE);
	*pa = e.pa + va % PAGE_BYTES;
	return m->memory(*pa, false, &m->why) != NULL ? MMU_OK : MMU_BROKEN;
}

enum mmu_result mmu_look(struct mmu *m, uint64_t va, struct mmu_entry *out)
{
	uint64_t *slot;
	enum mmu_result result = walk_page(m, va, IGNORE_CACHE, &slot, out);

	if (result != MMU_OK)
		*out = (struct mmu_entry){.kind = MMU_ABSENT};
	return result;
}

void mmu_flush(struct mmu *m, uint64_t start, uint64_t end)
{
	uint64_t window_end = m->base + m->nr_pages * PAGE_BYTES;

	start = start < m->base ? m->base : start;
	end = end > window_end ? window_end : end;
	if (start >= end)
		return;
	for (unsigned i = page_of(m, start); i <= page_of(m, end - 1); i++)
		m->tlb[i].rights = 0;
	for (unsigned level = 2; level <= m->format->nr_levels && !m->keeps_tables; level++)
		for (unsigned i = span_of(m, start, level); i <= span_of(m, end - 1, level); i++)
			m->tables[level][i].is_valid = false;
}

static const char *stale_page(struct mmu *m, uint64_t va, unsigned page)
{
	struct mmu_entry e;

	if (mmu_look(m, va, &e) != MMU_OK)
		return "a translation is cached, the page is not mapped";
	if (e.pa != m->tlb[page].pa)
		return "a translation is cached for another frame";
	if (m->tlb[page].rights & ~e.rights)
		return "a translation is cached with rights the page does not have";
	return NULL;
}

/* Is there a page beneath a cached table that the cache lets the user do more with than the tables do? */
static const char *stale_rights(struct mmu *m, uint64_t va, unsigned level)
{
	uint64_t window_end = m->base + m->nr_pages * PAGE_BYTES, end = va + ((uint64_t)1 << span_shift(m, level));

	for (va = va < m->base ? m->base : va; va < end && va < window_end; va += PAGE_BYTES) {
		struct mmu_entry cached, now;
		uint64_t *slot;

		if (walk_page(m, va, USE_CACHE, &slot, &cached) != MMU_OK)
			continue;
		if (mmu_look(m, va, &now) != MMU_OK || (cached.rights & ~now.rights))
			return "a table is cached with rights that its slot does not give";
	}
	return NULL;
}

static const char *stale_table(struct mmu *m, uint64_t va, unsigned level, unsigned span)
{
	struct walk w = {m->root, m->format->nr_levels, MMU_ALL};

	if (walk_down(m, va, level - 1, IGNORE_CACHE, &w) != MMU_OK)
		return "a table is cached that is no longer there";
	if (w.table != m->tables[level][span].pa)
		return "a table is cached where there is another one";
	if (m->tables[level][span].rights & ~w.rights)
		return stale_rights(m, va, level);
	return NULL;
}

const char *mmu_find_stale(struct mmu *m, uint64_t *va)
{
	const char *why = NULL;

	for (unsigned i = 0; i < m->nr_pages && why == NULL; i++) {
		if (m->tlb[i].rights == 0)
			continue;
		*va = m->base + i * PAGE_BYTES;
		why = stale_page(m, *va, i);
	}
	for (unsigned level = 2; level <= m->format->nr_levels && why == NULL; level++) {
		for (unsigned i = 0; i < MMU_SPANS_MAX && why == NULL; i++) {
			if (!m->tables[level][i].is_valid)
				continue;
			*va = ((m->base >> span_shift(m, level)) + i) << span_shift(m, level);
			why = stale_table(m, *va, level, i);
		}
	}
	return why;
}
