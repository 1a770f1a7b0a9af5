/* The TLB's shadow: see tlb.h. Chunks come from a free list over pages of the host. */
#include "hostarch/tlb.h"

#include "hostarch/host.h"
#include "lib/string.h"

#define SLAB_BYTES (64 * 1024)
#define FIRST_CAPACITY 64u

static struct tlb_chunk *free_chunks; /* chained through `index` */

static struct tlb_chunk *chunk_alloc(uint64_t index)
{
	struct tlb_chunk *chunk;

	if (free_chunks == NULL) {
		chunk = host_pages_alloc(SLAB_BYTES);
		if (chunk == NULL)
			return NULL;
		for (unsigned i = 0; i < SLAB_BYTES / sizeof(*chunk); i++) {
			chunk[i].index = (uintptr_t)free_chunks;
			free_chunks = &chunk[i];
		}
	}
	chunk = free_chunks;
	free_chunks = (struct tlb_chunk *)(uintptr_t)chunk->index;
	memset(chunk, 0, offsetof(struct tlb_chunk, pfn));
	chunk->index = index;
	return chunk;
}

static void chunk_free(struct tlb_chunk *chunk)
{
	chunk->index = (uintptr_t)free_chunks;
	free_chunks = chunk;
}

void tlb_destroy(struct tlb *tlb)
{
	for (unsigned i = 0; i < tlb->nr_chunks; i++)
		chunk_free(tlb->chunks[i]);
	if (tlb->chunks != NULL)
		host_pages_free(tlb->chunks, tlb->capacity * sizeof(tlb->chunks[0]));
	*tlb = (struct tlb){0};
}

unsigned tlb_lower_bound(const struct tlb *tlb, uint64_t index)
{
	unsigned low = 0, high = tlb->nr_chunks;

	while (low < high) {
		unsigned middle = (low + high) / 2;

		if (tlb->chunks[middle]->index < index)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct tlb_chunk *tlb_find(const struct tlb *tlb, uint64_t va)
{
	const uint64_t index = va >> TLB_CHUNK_SHIFT;
	unsigned at = tlb_lower_bound(tlb, index);

	return at < tlb->nr_chunks && tlb->chunks[at]->index == index ? tlb->chunks[at] : NULL;
}

static bool grow(struct tlb *tlb)
{
	unsigned capacity = tlb->capacity == 0 ? FIRST_CAPACITY * 8 : tlb->capacity * 2;
	struct tlb_chunk **chunks = host_pages_alloc(capacity * sizeof(chunks[0]));

	if (chunks == NULL)
		return false;
	if (tlb->chunks != NULL) {
		memcpy(chunks, tlb->chunks, tlb->nr_chunks * sizeof(chunks[0]));
		host_pages_free(tlb->chunks, tlb->capacity * sizeof(chunks[0]));
	}
	tlb->chunks = chunks;
	tlb->capacity = capacity;
	return true;
}

struct tlb_chunk *tlb_make(struct tlb *tlb, uint64_t va)
{
	const uint64_t index = va >> TLB_CHUNK_SHIFT;
	unsigned at = tlb_lower_bound(tlb, index);
	struct tlb_chunk *chunk;

	if (at < tlb->nr_chunks && tlb->chunks[at]->index == index)
		return tlb->chunks[at];
	if (tlb->nr_chunks == tlb->capacity && !grow(tlb))
		return NULL;
	chunk = chunk_alloc(index);
	if (chunk == NULL)
		return NULL;
	memmove(&tlb->chunks[at + 1], &tlb->chunks[at], (tlb->nr_chunks - at) * sizeof(tlb->chunks[0]));
	tlb->chunks[at] = chunk;
	tlb->nr_chunks++;
	return chunk;
}

/* Runs: a page that does not continue the one before it begins a new one. */
static unsigned count_runs(const struct tlb_chunk *c)
{
	uint64_t left = c->present;
	unsigned runs = 0;

	while (left != 0) {
		unsigned i = (unsigned)__builtin_ctzll(left);
		uint64_t bit = (uint64_t)1 << i, before = bit >> 1;

		left &= left - 1;
		if (i == 0 || (c->present & before) == 0 || c->pfn[i - 1] + 1 != c->pfn[i] ||
		    ((c->write & bit) != 0) != ((c->write & before) != 0) ||
		    ((c->exec & bit) != 0) != ((c->exec & before) != 0) ||
		    ((c->writable_fd & bit) != 0) != ((c->writable_fd & before) != 0))
			runs++;
	}
	return runs;
}

void tlb_update_counts(struct tlb *tlb, struct tlb_chunk *chunk)
{
	unsigned pages = (unsigned)__builtin_popcountll(chunk->present);
	unsigned runs = count_runs(chunk);

	tlb->nr_pages += pages - chunk->nr_pages;
	tlb->nr_runs += runs - chunk->nr_runs;
	chunk->nr_pages = pages;
	chunk->nr_runs = runs;
}

void tlb_clear_stale(struct tlb *tlb, struct tlb_chunk *chunk, uint64_t pages)
{
	if (chunk->stale != 0) {
		chunk->stale &= ~pages;
		if (chunk->stale == 0 && --tlb->nr_stale_chunks == 0)
			tlb->nr_stale_listed = 0;
	}
}

void tlb_forget(struct tlb *tlb, struct tlb_chunk *chunk, uint64_t pages)
{
	tlb_clear_stale(tlb, chunk, pages);
	chunk->present &= ~pages;
	chunk->write &= ~pages;
	chunk->exec &= ~pages;
	chunk->writable_fd &= ~pages;
	tlb_update_counts(tlb, chunk);
}

bool tlb_mark_stale(struct tlb *tlb, uint64_t start, uint64_t end)
{
	bool any = false;

	for (unsigned i = tlb_lower_bound(tlb, start >> TLB_CHUNK_SHIFT); i < tlb->nr_chunks; i++) {
		struct tlb_chunk *c = tlb->chunks[i];
		uint64_t first = c->index << TLB_CHUNK_SHIFT, mask = UINT64_MAX;

		if (first >= end)
			break;
		if (start > first)
			mask &= UINT64_MAX << TLB_SLOT(start);
		if (end - first < (uint64_t)TLB_CHUNK_PAGES << PAGE_SHIFT)
			mask &= ~(UINT64_MAX << TLB_SLOT(end));
		mask &= c->present;
		if (mask == 0)
			continue;
		if (c->stale == 0) {
			tlb->nr_stale_chunks++;
			if (tlb->nr_stale_listed < TLB_STALE_LISTED)
				tlb->stale_listed[tlb->nr_stale_listed] = c->index;
			tlb->nr_stale_listed++;
		}
		c->stale |= mask;
		any = true;
	}
	return any;
}

void tlb_compact(struct tlb *tlb)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < tlb->nr_chunks; i++) {
		struct tlb_chunk *c = tlb->chunks[i];

		if (c->present != 0)
			tlb->chunks[kept++] = c;
		else
			chunk_free(c);
	}
	tlb->nr_chunks = kept;
}
