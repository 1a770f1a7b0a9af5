/*
 * The nodes of a VMA tree: private to vma.c (reading) and vma_edit.c
 * (changing). A leaf (level 0) holds VMAs in order, an inner node its children
 * with a summary of each.
 */
#ifndef MM_VMA_NODE_H
#define MM_VMA_NODE_H

#include "fs/vfs.h"
#include "lib/types.h"
#include "mm/vma.h"

#define NODE_VMAS 16u
#define NODE_CHILDREN 20u
#define TREE_HEIGHT_MAX 10u /* 8 * 10^9 VMAs with nodes half full */

struct vma_child {
	uint64_t start, end; /* of the first and the last VMA below */
	uint64_t max_gap;    /* widest hole between two VMAs below */
	struct vma_node *node;
};

struct vma_node {
	uint32_t refs; /* parents and roots */
	uint16_t level, count;
	union {
		struct vma vma[NODE_VMAS];
		struct vma_child child[NODE_CHILDREN];
		struct vma_node *next_free; /* in the pool */
	};
};

static inline uint64_t node_entry_start(const struct vma_node *n, unsigned i)
{
	return n->level > 0 ? n->child[i].start : n->vma[i].start;
}
static inline uint64_t node_entry_end(const struct vma_node *n, unsigned i)
{
	return n->level > 0 ? n->child[i].end : n->vma[i].end;
}

/* Fills start, end and max_gap of *out from a node that is not empty. */
static inline void node_summarize(const struct vma_node *n, struct vma_child *out)
{
	uint64_t max_gap = n->level > 0 ? n->child[0].max_gap : 0;

	for (unsigned i = 1; i < n->count; i++) {
		max_gap = MAX(max_gap, node_entry_start(n, i) - node_entry_end(n, i - 1));
		if (n->level > 0)
			max_gap = MAX(max_gap, n->child[i].max_gap);
	}
	out->start = node_entry_start(n, 0);
	out->end = node_entry_end(n, n->count - 1u);
	out->max_gap = max_gap;
}

/* May b, which follows a, be joined to it? */
static inline bool vma_can_merge(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->flags == b->flags && prot_equal(a->prot, b->prot) &&
	       a->file == b->file && a->page_index + ((a->end - a->start) >> PAGE_SHIFT) == b->page_index;
}

/* A node from the tree's reservation, empty, with one reference. */
struct vma_node *vma_node_create(struct vma_tree *tree, unsigned level);
/* Gives back a node nobody refers to, whose entries are gone. */
void vma_node_release(struct vma_node *node);
void vma_node_get(struct vma_node *node);
/* Drops a reference; the last one drops what is below. */
void vma_node_put(struct vma_node *node);

#endif
