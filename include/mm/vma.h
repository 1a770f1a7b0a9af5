/*
 * VMAs: ranges of user addresses with equal rights and backing, kept in a
 * copy-on-write B+tree: cloning a tree is O(1) (its nodes are reference-counted
 * and copied along the path of the first change), so that a fork of 10,000
 * VMAs costs what a fork of ten does.
 *
 * Guarded by the lock of the address space.
 */
#ifndef MM_VMA_H
#define MM_VMA_H

#include "lib/types.h"
#include "mm/prot.h"

struct file;
struct vma_node;

enum vma_flags {
	VMA_SHARED = 1u << 0,	 /* MAP_SHARED */
	VMA_GROWSDOWN = 1u << 1, /* stack */
	VMA_DONTFORK = 1u << 2,
	VMA_WIPEONFORK = 1u << 3,
	VMA_MAYWRITE = 1u << 4, /* mprotect may add write (file opened for writing, or private) */
	VMA_MAYREAD = 1u << 5,
	VMA_MAYEXEC = 1u << 6,
	VMA_NORESERVE = 1u << 7,
	VMA_HEAP = 1u << 8, /* brk area: for /proc/PID/maps */
	VMA_STACK = 1u << 9,
	VMA_LOCKED = 1u << 10, /* mlock: recorded, all memory is resident anyway */
	VMA_ACCOUNT = 1u << 11, /* counts against the commit limit (mm/commit.h) */
	/* those that a child of fork does not just take over */
	VMA_FORK_RULES = VMA_DONTFORK | VMA_WIPEONFORK | VMA_LOCKED,
};

/* By value in the tree's leaves; [start, end) page aligned. */
struct vma {
	uint64_t start, end;
	struct file *file; /* NULL: anonymous; the tree's leaf holds a reference */
	/*
	 * The first page's index in the file. Anonymous memory has no file offsets: the
	 * tree itself keeps its page_index at start >> PAGE_SHIFT wherever it is inserted
	 * or moved, so that it never prevents a merge.
	 */
	uint64_t page_index;
	uint32_t flags; /* enum vma_flags */
	prot_t prot;
};

struct vma_tree {
	struct vma_node *root;
	uint32_t nr_vmas;
	uint32_t nr_reserved; /* nodes set aside by vma_reserve(); never copied by a clone */
	uint64_t nr_pages;    /* sum of lengths */
	uint64_t nr_accounted; /* of them in VMAs with VMA_ACCOUNT */
};

/* What a VMA adds to nr_accounted. */
static inline uint64_t vma_accounted_pages(const struct vma *vma)
{
	return (vma->flags & VMA_ACCOUNT) != 0 ? (vma->end - vma->start) >> PAGE_SHIFT : 0;
}

void vma_tree_init(struct vma_tree *tree);
/* Shares src's nodes: O(1), cannot fail. */
void vma_tree_clone(struct vma_tree *dst, const struct vma_tree *src);
/* Drops everything, and the file references of nodes that were not shared. */
void vma_tree_destroy(struct vma_tree *tree);

/* The VMA that contains addr, or NULL. Valid until the next change of the tree. */
const struct vma *vma_find(const struct vma_tree *tree, uint64_t addr);
/* The first VMA with end > addr, or NULL. */
const struct vma *vma_find_from(const struct vma_tree *tree, uint64_t addr);
/* The last VMA with start < addr, or NULL. */
const struct vma *vma_find_before(const struct vma_tree *tree, uint64_t addr);

/*
 * Reserves memory so that the next `nr_changes` calls of vma_insert() and
 * vma_remove_range(), whatever their length, cannot fail: check, then commit. -ENOMEM.
 * vma_unreserve() gives back what was not used. Reservations of one tree add up.
 *
 * vma_update_range() may have to copy every leaf in its range: reserve for it with
 * vma_reserve_range(), which covers one such call and nr_changes of the others.
 * Both count as one allocation for fail_alloc().
 */
MUST_CHECK int vma_reserve(struct vma_tree *tree, unsigned nr_changes);
MUST_CHECK int vma_reserve_range(struct vma_tree *tree, uint64_t start, uint64_t end, unsigned nr_changes);
void vma_unreserve(struct vma_tree *tree);

/*
 * Changes. Each needs a reservation and cannot fail. [start, end) is page aligned
 * and not empty. vma_insert() wants a free range, merges with equal neighbours (same
 * flags, prot, file and contiguous page_index) and takes a reference of its own on
 * vma->file. vma_remove_range() and vma_update_range() split at the borders; update()
 * edits each piece's prot and flags, and pieces that are equal afterwards merge.
 * File references are dropped with file_put(), which may sleep.
 */
void vma_insert(struct vma_tree *tree, const struct vma *vma);
void vma_remove_range(struct vma_tree *tree, uint64_t start, uint64_t end);
void vma_update_range(struct vma_tree *tree, uint64_t start, uint64_t end,
		      void (*update)(struct vma *vma, void *arg), void *arg);

/*
 * Lowest (or highest, with top_down) gap of length bytes within [low, high); page-aligned
 * address or UINT64_MAX.
 */
uint64_t vma_find_gap(const struct vma_tree *tree, uint64_t low, uint64_t high, uint64_t length_bytes,
		      bool top_down);

/* Structure check for mm_audit(): number of violations, printed. */
unsigned vma_tree_audit(const struct vma_tree *tree);
/* Tree nodes in use by all trees (a shared node counts once): for leak checks. */
uint32_t vma_nr_nodes(void);

#endif
