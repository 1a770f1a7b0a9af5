/*
 * The free blocks of the frame allocator: private to buddy.c, which keeps them, and
 * frame.c. Blocks are 2^order frames aligned to their size, named by the number of
 * their first frame. All of it needs frame.c's lock.
 */
#ifndef MM_BUDDY_H
#define MM_BUDDY_H

#include "lib/types.h"
#include "mm/frame.h"

/* Flags of struct frame's info, below the order. */
#define INFO_TAIL (1u << 24)   /* in use: not the first frame of its run */
#define INFO_LISTED (1u << 23) /* free: first frame of a block in a buddy list */

static inline struct frame *frame_meta(uint32_t n) { return &frame_table_[n]; }
static inline void *frame_address(uint32_t n) { return pfn_to_ptr((pfn_t){n}); }
static inline uint32_t frame_info(enum frame_kind kind, unsigned order)
{
	return (uint32_t)kind << FRAME_KIND_SHIFT_ | order << FRAME_ORDER_SHIFT_;
}
static inline unsigned log2_floor(uint32_t n) { return 31u - (unsigned)__builtin_clz(n); }
static inline unsigned log2_ceil(uint32_t n) { return n <= 1 ? 0 : log2_floor(n - 1) + 1; }

/*
 * Lays the metadata out over the boot ranges; panics when there is no memory for it.
 * Returns the number of frames to hand out; *nr_reserved: taken by the metadata; *nr_given_later: those
 * that buddy_give() will bring.
 */
uint32_t buddy_init(const struct boot_info *boot, uint32_t *nr_reserved, uint32_t *nr_given_later);
/* Adds [start, end), pages of boot->initrd_pages, to what is or will be under the lists: upwards, once. */
void buddy_give(uint32_t start, uint32_t end);
/* Brings the next untouched 4 MiB of memory, upwards, under the lists. False: there is none. */
bool buddy_grow(void);
/* Frame number up to which metadata stands. */
uint32_t buddy_end(void);
/* Number of frames the metadata has room for. */
uint32_t buddy_span(void);

/* Bit k: there is a free block of order k. */
extern uint32_t buddy_orders;
/*
 * Takes a block of exactly `order` from the smallest list that has one of at least
 * that, low addresses first; the upper remainder goes back. 0: none.
 */
uint32_t buddy_take(unsigned order);
/* Frees a block, joining it with its free buddies. */
void buddy_free(uint32_t n, unsigned order);
/* Frees the frames [n, end), which lie in one aligned 4 MiB, as the largest blocks. */
void buddy_free_extent(uint32_t n, uint32_t end);

/*
 * Checks the lists; returns the number of violations. *nr_listed: frames in the lists,
 * *nr_untouched: frames that buddy_grow() has yet to bring.
 */
unsigned buddy_audit(uint64_t *nr_listed, uint64_t *nr_untouched);

#endif
