/*
 * VMA trees: reading, sharing and finding gaps. Changes are in vma_edit.c.
 *
 * A tree is a B+tree of reference-counted nodes. A node is private to a tree when it
 * and every node above it has one reference; only private nodes are changed, others
 * are copied first, along the path of the change. vma_tree_clone() therefore only
 * counts the root up.
 *
 * Nodes come from a pool shared by all trees. Reserving is arithmetic in the common
 * case: the pool keeps as many nodes as all reservations add up to, and a few more.
 * Lock: `pool_lock` for the pool; trees are guarded by their address space's lock.
 */
#include "abi/errno.h"
#include "lib/assert.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/vma_node.h"
#include "sched/lock.h"

#define POOL_KEEP 64u /* nodes kept beyond the reservations */

static struct spinlock pool_lock;
static struct vma_node *pool;
static uint32_t nr_pool, nr_pool_reserved;
static uint32_t nr_in_use;
static struct kmem_cache *node_cache;

/* ---- nodes and the pool ------------------------------------------------------------ */

static void pool_push(struct vma_node *n)
{
	n->next_free = pool;
	pool = n;
	nr_pool++;
}

static struct vma_node *pool_pop(void)
{
	struct vma_node *n = pool;

	pool = n->next_free;
	nr_pool--;
	return n;
}

/* Frees the nodes beyond the reservations. A frame shrinker. */
static size_t pool_shrink(void)
{
	uint64_t before = frame_nr_free();

	spin_lock(&pool_lock);
	while (nr_pool > nr_pool_reserved)
		kmem_cache_free(node_cache, pool_pop());
	spin_unlock(&pool_lock);
	return (size_t)(frame_nr_free() - before);
}

/* Sets aside nr more nodes for the tree. */
static int pool_reserve(struct vma_tree *tree, uint32_t nr)
{
	struct vma_node *n;

	if (node_cache == NULL) {
		node_cache = kmem_cache_create("vma_node", sizeof(struct vma_node), 64);
		if (node_cache == NULL)
			return -ENOMEM;
		frame_register_shrinker(pool_shrink);
	}
	spin_lock(&pool_lock);
	nr_pool_reserved += nr; /* first: the shrinker leaves them alone */
	while (nr_pool < nr_pool_reserved) {
		spin_unlock(&pool_lock);
		n = kmem_cache_alloc(node_cache);
		spin_lock(&pool_lock);
		if (n == NULL) {
			nr_pool_reserved -= nr;
			spin_unlock(&pool_lock);
			return -ENOMEM;
		}
		pool_push(n);
	}
	spin_unlock(&pool_lock);
	tree->nr_reserved += nr;
	return 0;
}

struct vma_node *vma_node_create(struct vma_tree *tree, unsigned level)
{
	struct vma_node *n;

	ASSERT(tree->nr_reserved > 0);
	spin_lock(&pool_lock);
	tree->nr_reserved--;
	nr_pool_reserved--;
	nr_in_use++;
	n = pool_pop();
	spin_unlock(&pool_lock);
	n->refs = 1;
	n->level = (uint16_t)level;
	n->count = 0;
	return n;
}

void vma_node_release(struct vma_node *node)
{
	spin_lock(&pool_lock);
	nr_in_use--;
	if (nr_pool < nr_pool_reserved + POOL_KEEP) {
		pool_push(node);
		node = NULL;
	}
	spin_unlock(&pool_lock);
	if (node != NULL)
		kmem_cache_free(node_cache, node);
}

void vma_node_get(struct vma_node *node) { __atomic_fetch_add(&node->refs, 1, __ATOMIC_RELAXED); }

void vma_node_put(struct vma_node *node)
{
	if (__atomic_fetch_sub(&node->refs, 1, __ATOMIC_ACQ_REL) != 1)
		return;
	for (unsigned i = 0; i < node->count; i++) {
		if (node->level > 0)
			vma_node_put(node->child[i].node);
		else if (node->vma[i].file != NULL)
			file_put(node->vma[i].file);
	}
	vma_node_release(node);
}

uint32_t vma_nr_nodes(void) { return nr_in_use; }

/* ---- trees --------------------------------------------------------------------------- */

void vma_tree_init(struct vma_tree *tree) { *tree = (struct vma_tree){0}; }

void vma_tree_clone(struct vma_tree *dst, const struct vma_tree *src)
{
	*dst = *src;
	dst->nr_reserved = 0;
	if (dst->root != NULL)
		vma_node_get(dst->root);
}

void vma_tree_destroy(struct vma_tree *tree)
{
	vma_unreserve(tree);
	if (tree->root != NULL)
		vma_node_put(tree->root);
	vma_tree_init(tree);
}

/* ---- reservations -------------------------------------------------------------------- */

/*
 * The most nodes one change can take: it edits entries on two paths at most, copying both,
 * and inserts two entries at most, splitting every node of a path and adding a root.
 * The tree may have grown by a level through the changes before.
 */
static uint32_t nodes_per_change(const struct vma_tree *tree)
{
	uint32_t height = tree->root == NULL ? 1 : tree->root->level + 1u;

	return 4 * (height + 2);
}

/* Nodes with a VMA in [start, end). */
static uint32_t count_nodes(const struct vma_node *node, uint64_t start, uint64_t end)
{
	uint32_t nr = 1;

	if (node->level == 1) { /* leaves are only counted */
		for (unsigned i = 0; i < node->count; i++)
			nr += node->child[i].start < end && node->child[i].end > start;
		return nr;
	}
	for (unsigned i = 0; node->level > 0 && i < node->count; i++) {
		if (node->child[i].start < end && node->child[i].end > start)
			nr += count_nodes(node->child[i].node, start, end);
	}
	return nr;
}

int vma_reserve(struct vma_tree *tree, unsigned nr_changes)
{
	if (fail_alloc())
		return -ENOMEM;
	return pool_reserve(tree, nr_changes * nodes_per_change(tree));
}

int vma_reserve_range(struct vma_tree *tree, uint64_t start, uint64_t end, unsigned nr_changes)
{
	uint32_t nr = (nr_changes + 2) * nodes_per_change(tree); /* 2: the borders and their neighbours */

	if (fail_alloc())
		return -ENOMEM;
	if (tree->root != NULL)
		nr += count_nodes(tree->root, start, end);
	return pool_reserve(tree, nr);
}

void vma_unreserve(struct vma_tree *tree)
{
	struct vma_node *surplus = NULL, *n;

	spin_lock(&pool_lock);
	nr_pool_reserved -= tree->nr_reserved;
	tree->nr_reserved = 0;
	while (nr_pool > nr_pool_reserved + POOL_KEEP) {
		n = pool_pop();
		n->next_free = surplus;
		surplus = n;
	}
	spin_unlock(&pool_lock);
	while ((n = surplus) != NULL) {
		surplus = n->next_free;
		kmem_cache_free(node_cache, n);
	}
}

/* ---- lookup -------------------------------------------------------------------------- */

const struct vma *vma_find_from(const struct vma_tree *tree, uint64_t addr)
{
	const struct vma_node *n = tree->root;
	unsigned i;

	if (n == NULL)
		return NULL;
	for (; n->level > 0; n = n->child[i].node) {
		for (i = 0; i < n->count && n->child[i].end <= addr; i++)
			;
		if (i == n->count)
			return NULL; /* only at the root: a child's end is its last VMA's */
	}
	for (const struct vma *vma = n->vma, *end = vma + n->count; vma != end; vma++)
		if (vma->end > addr)
			return vma;
	return NULL;
}

const struct vma *vma_find(const struct vma_tree *tree, uint64_t addr)
{
	const struct vma *vma = vma_find_from(tree, addr);

	return vma != NULL && vma->start <= addr ? vma : NULL;
}

const struct vma *vma_find_before(const struct vma_tree *tree, uint64_t addr)
{
	const struct vma_node *n = tree->root;
	unsigned i;

	if (n == NULL)
		return NULL;
	for (; n->level > 0; n = n->child[i - 1].node) {
		for (i = n->count; i > 0 && n->child[i - 1].start >= addr; i--)
			;
		if (i == 0)
			return NULL;
	}
	for (i = n->count; i > 0 && n->vma[i - 1].start >= addr; i--)
		;
	return i == 0 ? NULL : &n->vma[i - 1];
}

/* ---- gaps ---------------------------------------------------------------------------- */

struct gap_search {
	uint64_t low, high, length;
	bool top_down;
	uint64_t found;
};

/* Does [start, end), cut to [low, high), hold the length? Sets s->found. */
static bool gap_fits(struct gap_search *s, uint64_t start, uint64_t end)
{
	start = MAX(start, s->low);
	end = MIN(end, s->high);
	if (start >= end || end - start < s->length)
		return false;
	s->found = s->top_down ? end - s->length : start;
	return true;
}

/* Looks at the gaps between the VMAs of one node, nearest to the wanted end first. */
static bool gap_search_node(struct gap_search *s, const struct vma_node *n)
{
	for (unsigned step = 0; step < n->count; step++) {
		unsigned i = s->top_down ? n->count - 1 - step : step;
		uint64_t start = node_entry_start(n, i), end = node_entry_end(n, i);
		bool descend =
			n->level > 0 && n->child[i].max_gap >= s->length && start < s->high && end > s->low;

		if (s->top_down) {
			if (i + 1u < n->count && gap_fits(s, end, node_entry_start(n, i + 1)))
				return true;
			if (end <= s->low)
				return false;
		} else {
			if (i > 0 && gap_fits(s, node_entry_end(n, i - 1), start))
				return true;
			if (start >= s->high)
				return false;
		}
		if (descend && gap_search_node(s, n->child[i].node))
			return true;
	}
	return false;
}

uint64_t vma_find_gap(const struct vma_tree *tree, uint64_t low, uint64_t high, uint64_t length_bytes,
		      bool top_down)
{
	struct gap_search s = {.length = length_bytes, .top_down = top_down};
	const struct vma_node *n = tree->root;
	uint64_t first, last;

	s.low = page_round_down(low) == low ? low : page_round_down(low) + PAGE_SIZE;
	s.high = page_round_down(high);
	if (length_bytes == 0 || s.low < low || s.low >= s.high)
		return UINT64_MAX;
	first = n == NULL ? UINT64_MAX : node_entry_start(n, 0);
	last = n == NULL ? UINT64_MAX : node_entry_end(n, n->count - 1u);
	if (top_down ? gap_fits(&s, last, UINT64_MAX) : gap_fits(&s, 0, first))
		return s.found;
	if (n != NULL && gap_search_node(&s, n))
		return s.found;
	if (top_down ? gap_fits(&s, 0, first) : gap_fits(&s, last, UINT64_MAX))
		return s.found;
	return UINT64_MAX;
}

/* ---- audit --------------------------------------------------------------------------- */

struct tree_audit {
	unsigned nr_bad;
	uint32_t nr_vmas;
	uint64_t nr_pages;
	struct vma last;
};

static void audit_bad(struct tree_audit *a, const char *what, uint64_t at)
{
	a->nr_bad++;
	kprintf("audit: VMA tree at %#llx: %s\n", (unsigned long long)at, what);
}

static void audit_vma(struct tree_audit *a, const struct vma *v)
{
	if (v->start >= v->end || page_offset(v->start | v->end) != 0)
		audit_bad(a, "VMA is empty or not page aligned", v->start);
	if (v->start < a->last.end)
		audit_bad(a, "VMA overlaps the one before or is out of order", v->start);
	if (v->file == NULL && v->page_index != v->start >> PAGE_SHIFT)
		audit_bad(a, "anonymous VMA with a page index of its own", v->start);
	if (a->nr_vmas > 0 && vma_can_merge(&a->last, v))
		audit_bad(a, "VMA should be one with the one before", v->start);
	a->nr_vmas++;
	a->nr_pages += (v->end - v->start) >> PAGE_SHIFT;
	a->last = *v;
}

/* False when the node's own entries cannot be relied on. */
static bool audit_node(struct tree_audit *a, const struct vma_node *n)
{
	unsigned max = n->level > 0 ? NODE_CHILDREN : NODE_VMAS;

	if (n->refs == 0 || n->count == 0 || n->count > max) {
		audit_bad(a, "node with a wrong count", 0);
		return false;
	}
	for (unsigned i = 0; i < n->count; i++) {
		const struct vma_child *c = &n->child[i];
		struct vma_child now;

		if (n->level == 0) {
			audit_vma(a, &n->vma[i]);
			continue;
		}
		if (c->node->level + 1u != n->level) {
			audit_bad(a, "node at a wrong level", c->start);
			continue;
		}
		if (!audit_node(a, c->node))
			continue;
		node_summarize(c->node, &now);
		if (now.start != c->start || now.end != c->end || now.max_gap != c->max_gap)
			audit_bad(a, "wrong summary of a node", c->start);
	}
	return true;
}

unsigned vma_tree_audit(const struct vma_tree *tree)
{
	struct tree_audit a = {0};

	if (tree->root != NULL)
		audit_node(&a, tree->root);
	if (a.nr_vmas != tree->nr_vmas || a.nr_pages != tree->nr_pages) {
		a.nr_bad++;
		kprintf("audit: VMA tree: %u VMAs, %llu pages found, %u and %llu counted\n", a.nr_vmas,
			(unsigned long long)a.nr_pages, tree->nr_vmas, (unsigned long long)tree->nr_pages);
	}
	return a.nr_bad;
}
