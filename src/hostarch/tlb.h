/*
 * The TLB's shadow: what one stub has mapped, page by page, as the kernel knows
 * it. Pure data structure; mmu.c decides, stubs.c tells the stub.
 *
 * Chunks of 64 pages in a sorted array; sets of pages are bit masks. Host memory
 * of the machine's own, not guest frames: a cache is not part of the machine
 * that is simulated. Used by the one kernel thread only.
 */
#ifndef HOSTARCH_TLB_H
#define HOSTARCH_TLB_H

#include "lib/types.h"

#define TLB_CHUNK_PAGES 64u
#define TLB_CHUNK_SHIFT (PAGE_SHIFT + 6)
#define TLB_STALE_LISTED 32u

struct tlb_chunk {
	uint64_t index;       /* address >> TLB_CHUNK_SHIFT */
	uint64_t present;
	uint64_t write, exec; /* rights of the host mapping; reading goes without saying */
	uint64_t writable_fd; /* mapped through the writable descriptor: mprotect can add write */
	uint64_t stale;       /* flushed: to be compared with the page table before the stub runs again */
	uint64_t held;        /* the machine holds a reference on the frame (pooled stub) */
	unsigned nr_pages, nr_runs; /* as counted in struct tlb */
	uint32_t pfn[TLB_CHUNK_PAGES];
};

struct tlb {
	struct tlb_chunk **chunks; /* ascending index */
	unsigned nr_chunks, capacity;
	unsigned nr_pages;
	unsigned nr_runs;          /* upper bound of the host's VMAs: runs of pages mapped alike, per chunk */
	unsigned nr_stale_chunks;
	/* Chunks that became stale since none was; when more than fit, all chunks have to be looked at. */
	uint64_t stale_listed[TLB_STALE_LISTED];
	unsigned nr_stale_listed;
	unsigned hand;             /* eviction goes round from here */
};

#define TLB_BIT(va) ((uint64_t)1 << (((va) >> PAGE_SHIFT) % TLB_CHUNK_PAGES))
#define TLB_SLOT(va) (((va) >> PAGE_SHIFT) % TLB_CHUNK_PAGES)

void tlb_destroy(struct tlb *tlb); /* to all zeroes, which is the empty TLB */
struct tlb_chunk *tlb_find(const struct tlb *tlb, uint64_t va);
/* The chunk of va, made when missing; NULL: no memory. */
struct tlb_chunk *tlb_make(struct tlb *tlb, uint64_t va);
/* Position of the first chunk with this index or a higher one. */
unsigned tlb_lower_bound(const struct tlb *tlb, uint64_t index);
/* Notes that a chunk's masks or frames were changed: keeps the counts. */
void tlb_update_counts(struct tlb *tlb, struct tlb_chunk *chunk);
/* Forgets these pages of a chunk. */
void tlb_forget(struct tlb *tlb, struct tlb_chunk *chunk, uint64_t pages);
/* Marks the cached pages of [start, end) stale. True when there were any. */
bool tlb_mark_stale(struct tlb *tlb, uint64_t start, uint64_t end);
void tlb_clear_stale(struct tlb *tlb, struct tlb_chunk *chunk, uint64_t pages);
/* Frees chunks without pages. Positions change. */
void tlb_compact(struct tlb *tlb);

#endif
