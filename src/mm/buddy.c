/*
 * Buddy lists over the boot ranges. Owns the layout of physical memory: the metadata
 * array covers everything from the first range to the last, holes included, and lies
 * at the end of a range.
 *
 * Memory is brought under the lists 4 MiB (one chunk) at a time and upwards, when the
 * lists run out: boot costs nothing, low addresses are used first, and on the hosted
 * machine memory that was never needed is never touched. The links of a free block lie
 * in its first frame.
 *
 * Lock: frame.c's.
 */
#include "mm/buddy.h"

#include "lib/assert.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/frame_trace.h"
#include "mm/memtools.h"

#define CHUNK_FRAMES (1u << FRAME_ORDER_MAX)

/* Stands at the start of the first frame of a free block. */
struct free_block {
	struct free_block *next, *prev;
};

struct range {
	uint32_t start, end; /* frame numbers */
};

struct frame *frame_table_;
uint32_t frame_table_base_;
uint32_t buddy_orders;

static struct range ranges[BOOT_RANGES_MAX];
static unsigned nr_ranges;
static struct range initrd, given; /* what buddy_give() will bring, and what it has brought of it */
static uint32_t next_chunk, end_of_memory;
static struct free_block *buddy[FRAME_ORDER_MAX + 1];

/* ---- lists ---------------------------------------------------------------------- */

static void links_set(struct free_block *b, struct free_block *next, struct free_block *prev)
{
	memtools_open(b, sizeof(*b));
	b->next = next;
	b->prev = prev;
	memtools_close(b, sizeof(*b));
}

static struct free_block links_get(const struct free_block *b)
{
	struct free_block copy;

	memtools_open(b, sizeof(*b));
	copy = *b;
	memtools_close(b, sizeof(*b));
	return copy;
}

static void next_set(struct free_block *b, struct free_block *next)
{
	memtools_open(b, sizeof(*b));
	b->next = next;
	memtools_close(b, sizeof(*b));
}

static void prev_set(struct free_block *b, struct free_block *prev)
{
	memtools_open(b, sizeof(*b));
	b->prev = prev;
	memtools_close(b, sizeof(*b));
}

/* Lists are circular. A block lower than the first one becomes the first. */
static void block_insert(uint32_t n, unsigned order)
{
	struct free_block *b = frame_address(n), *first = buddy[order];

	if (first == NULL) {
		links_set(b, b, b);
		buddy[order] = b;
		buddy_orders |= 1u << order;
	} else {
		struct free_block *last = links_get(first).prev;

		links_set(b, first, last);
		next_set(last, b);
		prev_set(first, b);
		if (b < first)
			buddy[order] = b;
	}
	frame_meta(n)->refs = 0;
	frame_meta(n)->info = frame_info(FRAME_FREE, order) | INFO_LISTED;
}

static void block_remove(uint32_t n, unsigned order)
{
	struct free_block *b = frame_address(n);
	struct free_block links = links_get(b);

	if (links.next == b) {
		buddy[order] = NULL;
		buddy_orders &= ~(1u << order);
	} else {
		next_set(links.prev, links.next);
		prev_set(links.next, links.prev);
		if (buddy[order] == b)
			buddy[order] = links.next;
	}
	frame_meta(n)->info = frame_info(FRAME_FREE, 0);
}

void buddy_free(uint32_t n, unsigned order)
{
	for (; order < FRAME_ORDER_MAX; order++) {
		uint32_t other = n ^ 1u << order;

		if (frame_meta(other)->info != (frame_info(FRAME_FREE, order) | INFO_LISTED))
			break;
		block_remove(other, order);
		n &= ~(1u << order);
	}
	block_insert(n, order);
}

void buddy_free_extent(uint32_t n, uint32_t end)
{
	while (n < end) {
		unsigned order = MIN((unsigned)__builtin_ctz(n | CHUNK_FRAMES), log2_floor(end - n));

		buddy_free(n, order);
		n += 1u << order;
	}
}

uint32_t buddy_take(unsigned order)
{
	uint32_t candidates = buddy_orders >> order << order;
	unsigned have;
	uint32_t n;

	if (candidates == 0)
		return 0;
	have = (unsigned)__builtin_ctz(candidates);
	n = ptr_to_pfn(buddy[have]).raw;
	block_remove(n, have);
	while (have > order) {
		have--;
		block_insert(n + (1u << have), have);
	}
	return n;
}

/* Frees what of r lies in [start, end), which have metadata. True: some did. */
static bool adopt(const struct range *r, uint32_t start, uint32_t end)
{
	uint32_t low = MAX(start, r->start), high = MIN(end, r->end), next;

	if (low >= high)
		return false;
	for (uint32_t n = low; n < high; n++)
		*frame_meta(n) = (struct frame){0, frame_info(FRAME_FREE, 0)};
	memtools_frame_adopt(frame_address(low), (size_t)(high - low) << PAGE_SHIFT);
	for (uint32_t n = low; n < high; n = next) {
		next = MIN((n | (CHUNK_FRAMES - 1)) + 1, high);
		buddy_free_extent(n, next);
	}
	return true;
}

bool buddy_grow(void)
{
	bool found = false;

	while (!found && next_chunk < end_of_memory) {
		uint32_t start = next_chunk, end = next_chunk + CHUNK_FRAMES;

		next_chunk = end;
		for (uint32_t n = start; n < end; n++)
			*frame_meta(n) = (struct frame){0, frame_info(FRAME_RESERVED, 0)};
		frame_trace_clear(start, CHUNK_FRAMES);
		for (unsigned i = 0; i < nr_ranges; i++)
			found |= adopt(&ranges[i], start, end);
		found |= adopt(&given, start, end);
	}
	return found;
}

void buddy_give(uint32_t start, uint32_t end)
{
	ASSERT(start == given.end && end <= initrd.end);
	given.end = end;
	adopt(&given, start, next_chunk);
}

/* As frame numbers, without frame 0 and what a pfn_t cannot name; empty: start == end. */
static struct range range_read(paddr_t from, paddr_t to)
{
	uint64_t start = MAX(from.raw >> PAGE_SHIFT, 1u);
	uint64_t end = MIN(to.raw >> PAGE_SHIFT, UINT32_MAX - CHUNK_FRAMES);

	return start < end ? (struct range){(uint32_t)start, (uint32_t)end} : (struct range){0, 0};
}

static void ranges_read(const struct boot_info *boot)
{
	nr_ranges = 0;
	for (unsigned i = 0; i < boot->nr_ranges; i++) {
		struct range r = range_read(boot->ranges[i].start, boot->ranges[i].end);

		if (r.start < r.end)
			ranges[nr_ranges++] = r;
	}
	initrd = range_read(boot->initrd_pages.start, boot->initrd_pages.end);
	given = (struct range){initrd.start, initrd.start};
}

uint32_t buddy_span(void)
{
	return (end_of_memory - frame_table_base_ + CHUNK_FRAMES - 1) & ~(CHUNK_FRAMES - 1);
}

static uint32_t metadata_frames(void)
{
	frame_table_base_ = ranges[0].start;
	if (initrd.start < initrd.end)
		frame_table_base_ = MIN(frame_table_base_, initrd.start);
	frame_table_base_ &= ~(CHUNK_FRAMES - 1);
	end_of_memory = MAX(ranges[nr_ranges - 1].end, initrd.end);
	return (uint32_t)((buddy_span() * (sizeof(struct frame) + FRAME_TRACE_BYTES) + PAGE_SIZE - 1) >> PAGE_SHIFT);
}

/*
 * Cuts room for the metadata off the end of the last range that has it, and leaves at
 * least half of that range. A range far above the others, whose hole would cost
 * more metadata than that, is given up.
 */
static uint32_t metadata_place(void)
{
	for (; nr_ranges > 0; nr_ranges--) {
		uint32_t need = metadata_frames();

		for (unsigned i = nr_ranges; i-- > 0;) {
			if ((ranges[i].end - ranges[i].start) / 2 < need)
				continue;
			ranges[i].end -= need;
			frame_table_ = (struct frame *)((uintptr_t)frame_address(ranges[i].end) -
							frame_table_base_ * sizeof(struct frame));
			return need;
		}
		kprintf("memory: range %#x-%#x (pages) is not used: too sparse\n",
			ranges[nr_ranges - 1].start, ranges[nr_ranges - 1].end);
	}
	panic("no usable memory");
}

uint32_t buddy_init(const struct boot_info *boot, uint32_t *nr_reserved, uint32_t *nr_given_later)
{
	uint32_t nr = 0;

	memset(buddy, 0, sizeof(buddy));
	buddy_orders = 0;
	ranges_read(boot);
	*nr_reserved = metadata_place();
	*nr_given_later = initrd.end - initrd.start;
	next_chunk = frame_table_base_;
	for (unsigned i = 0; i < nr_ranges; i++)
		nr += ranges[i].end - ranges[i].start;
	return nr;
}

uint32_t buddy_end(void) { return next_chunk; }

/* ---- audit ---------------------------------------------------------------------- */

static uint32_t untouched(const struct range *r)
{
	return r->end > next_chunk ? r->end - MAX(r->start, next_chunk) : 0;
}

/* Walks one list; returns the frames in it, and counts violations in *nr_bad. */
static uint64_t audit_list(unsigned order, unsigned *nr_bad)
{
	const struct free_block *b = buddy[order];
	uint64_t nr = 0;

	if ((b != NULL) != (buddy_orders >> order & 1)) {
		++*nr_bad;
		kprintf("audit: free list %u: wrong summary\n", order);
	}
	while (b != NULL) {
		uint32_t n = ptr_to_pfn(b).raw;

		if (frame_meta(n)->info != (frame_info(FRAME_FREE, order) | INFO_LISTED)) {
			++*nr_bad;
			kprintf("audit: frame %#x: in a free list but not marked so\n", n);
			return nr;
		}
		nr += 1u << order;
		b = links_get(b).next;
		if (b == buddy[order] || nr > next_chunk)
			return nr;
	}
	return nr;
}

unsigned buddy_audit(uint64_t *nr_listed, uint64_t *nr_untouched)
{
	unsigned nr_bad = 0;

	*nr_listed = 0;
	for (unsigned order = 0; order <= FRAME_ORDER_MAX; order++)
		*nr_listed += audit_list(order, &nr_bad);
	*nr_untouched = untouched(&given);
	for (unsigned i = 0; i < nr_ranges; i++)
		*nr_untouched += untouched(&ranges[i]);
	return nr_bad;
}
