/*
 * The map of usable memory while it is put together: sorted ranges that do not touch
 * each other. Where a map is full, memory is left out of it, never taken into it.
 */
#include "lib/string.h"
#include "metal/metal.h"

static void delete_range(struct memmap *m, unsigned i)
{
	m->nr--;
	memmove(&m->range[i], &m->range[i + 1], (m->nr - i) * sizeof(m->range[0]));
}

static bool insert_range(struct memmap *m, unsigned i, uint64_t start, uint64_t end)
{
	if (m->nr == MEMMAP_MAX)
		return false;
	memmove(&m->range[i + 1], &m->range[i], (m->nr - i) * sizeof(m->range[0]));
	m->range[i].start = start;
	m->range[i].end = end;
	m->nr++;
	return true;
}

static uint64_t range_end(uint64_t start, uint64_t size_bytes)
{
	return size_bytes > UINT64_MAX - start ? UINT64_MAX : start + size_bytes;
}

void memmap_add(struct memmap *m, uint64_t start, uint64_t size_bytes)
{
	uint64_t end = range_end(start, size_bytes);
	unsigned i = 0;

	if (size_bytes == 0)
		return;
	while (i < m->nr && m->range[i].end < start)
		i++;
	/* Swallows whatever it overlaps or touches. */
	while (i < m->nr && m->range[i].start <= end) {
		start = MIN(start, m->range[i].start);
		end = MAX(end, m->range[i].end);
		delete_range(m, i);
	}
	insert_range(m, i, start, end);
}

void memmap_remove(struct memmap *m, uint64_t start, uint64_t size_bytes)
{
	const uint64_t end = range_end(start, size_bytes);

	if (size_bytes == 0)
		return;
	for (unsigned i = 0; i < m->nr; i++) {
		const uint64_t old_end = m->range[i].end;

		if (old_end <= start || m->range[i].start >= end)
			continue;
		if (m->range[i].start < start) {
			m->range[i].end = start;
			if (old_end > end)
				insert_range(m, i + 1, end, old_end);
		} else if (old_end > end) {
			m->range[i].start = end;
		} else {
			delete_range(m, i--);
		}
	}
}
