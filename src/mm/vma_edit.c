/*
 * Changes of a VMA tree; see vma.c for its shape. Every change goes down to an entry
 * (struct vma_path), makes the path private (path_own), edits, and brings the summaries
 * above up to date. Nodes come from the tree's reservation, so nothing here fails.
 *
 * Guarded by the lock of the address space. Nodes split in two when full and take in
 * a sibling when a third full, at the ends of the tree unevenly: a row of mappings at
 * falling or rising addresses leaves full nodes behind.
 */
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/vma_node.h"

/* node[l] is the node at level l, index[l] the entry in it. */
struct vma_path {
	struct vma_node *node[TREE_HEIGHT_MAX];
	unsigned index[TREE_HEIGHT_MAX];
};

static unsigned node_capacity(const struct vma_node *n) { return n->level > 0 ? NODE_CHILDREN : NODE_VMAS; }

static size_t entry_bytes(const struct vma_node *n)
{
	return n->level > 0 ? sizeof(n->child[0]) : sizeof(n->vma[0]);
}

static char *entry_at(struct vma_node *n, unsigned i) { return (char *)n->vma + i * entry_bytes(n); }

static void count_pages(struct vma_tree *tree, const struct vma *v)
{
	tree->nr_pages += (v->end - v->start) >> PAGE_SHIFT;
	tree->nr_accounted += vma_accounted_pages(v);
}

static void uncount_pages(struct vma_tree *tree, const struct vma *v)
{
	tree->nr_pages -= (v->end - v->start) >> PAGE_SHIFT;
	tree->nr_accounted -= vma_accounted_pages(v);
}

/* ---- nodes ---------------------------------------------------------------------------- */

/* Counts up what the entries of a copied node refer to. */
static void entries_get(const struct vma_node *n)
{
	for (unsigned i = 0; i < n->count; i++) {
		if (n->level > 0)
			vma_node_get(n->child[i].node);
		else if (n->vma[i].file != NULL)
			file_get(n->vma[i].file);
	}
}

/* Makes the node at *slot, whose parents are private, private too. */
static struct vma_node *node_own(struct vma_tree *tree, struct vma_node **slot)
{
	struct vma_node *old = *slot, *n;

	if (__atomic_load_n(&old->refs, __ATOMIC_ACQUIRE) == 1)
		return old;
	n = vma_node_create(tree, old->level);
	n->count = old->count;
	memcpy(n->vma, old->vma, old->count * entry_bytes(old));
	entries_get(n);
	*slot = n;
	vma_node_put(old);
	return n;
}

static void node_insert(struct vma_node *n, unsigned i, const void *entry)
{
	size_t bytes = entry_bytes(n);

	memmove(entry_at(n, i + 1), entry_at(n, i), (n->count - i) * bytes);
	memcpy(entry_at(n, i), entry, bytes);
	n->count++;
}

static void node_remove(struct vma_node *n, unsigned i, unsigned nr)
{
	memmove(entry_at(n, i), entry_at(n, i + nr), (n->count - i - nr) * entry_bytes(n));
	n->count = (uint16_t)(n->count - nr);
}

/*
 * Child i of the private node n takes in a sibling if it is private, small, and
 * both fit in one node. Returns the entry of n that is now obsolete, or n->count.
 */
static unsigned child_absorb(struct vma_node *n, unsigned i)
{
	struct vma_node *c = n->child[i].node, *s;
	unsigned sibling = n->count, at = 0, capacity = node_capacity(c);

	if (c->count > capacity / 3 || __atomic_load_n(&c->refs, __ATOMIC_ACQUIRE) != 1)
		return n->count;
	if (i > 0 && n->child[i - 1].node->count + c->count <= capacity) {
		sibling = i - 1;
	} else if (i + 1 < n->count && n->child[i + 1].node->count + c->count <= capacity) {
		sibling = i + 1;
		at = c->count;
	} else {
		return n->count;
	}
	s = n->child[sibling].node;
	memmove(entry_at(c, at + s->count), entry_at(c, at), (c->count - at) * entry_bytes(c));
	memcpy(entry_at(c, at), s->vma, s->count * entry_bytes(c));
	c->count = (uint16_t)(c->count + s->count);
	if (__atomic_load_n(&s->refs, __ATOMIC_ACQUIRE) == 1) {
		vma_node_release(s); /* its references moved */
	} else {
		entries_get(s);
		vma_node_put(s);
	}
	node_summarize(c, &n->child[i]);
	return sibling;
}

/* ---- paths ---------------------------------------------------------------------------- */

/* Goes to the first VMA with end > addr; false when there is none: then to where it would be. */
static bool path_to(const struct vma_tree *tree, uint64_t addr, struct vma_path *p)
{
	struct vma_node *n = tree->root;
	unsigned i;

	for (;; n = n->child[i].node) {
		for (i = 0; i < n->count && node_entry_end(n, i) <= addr; i++)
			;
		if (n->level > 0 && i == n->count)
			i--;
		p->node[n->level] = n;
		p->index[n->level] = i;
		if (n->level == 0)
			return i < n->count;
	}
}

static void path_own(struct vma_tree *tree, struct vma_path *p)
{
	unsigned level = tree->root->level;

	p->node[level] = node_own(tree, &tree->root);
	while (level-- > 0)
		p->node[level] = node_own(tree, &p->node[level + 1]->child[p->index[level + 1]].node);
}

static struct vma *path_vma(const struct vma_path *p) { return &p->node[0]->vma[p->index[0]]; }

/* Brings the summaries of the node at `level` up to date, upwards as far as they change. */
static void path_summarize(const struct vma_tree *tree, const struct vma_path *p, unsigned level)
{
	for (; level < tree->root->level; level++) {
		struct vma_child *c = &p->node[level + 1]->child[p->index[level + 1]];
		struct vma_child old = *c;

		node_summarize(p->node[level], c);
		if (old.start == c->start && old.end == c->end && old.max_gap == c->max_gap)
			return;
	}
}

/* Puts a root with one child above the node at `level`, which is the root so far. */
static void root_grow(struct vma_tree *tree, struct vma_path *p, unsigned level)
{
	struct vma_node *root;

	ASSERT(level + 1 < TREE_HEIGHT_MAX);
	root = vma_node_create(tree, level + 1);
	root->count = 1;
	root->child[0].node = tree->root;
	tree->root = root;
	p->node[level + 1] = root;
	p->index[level + 1] = 0;
}

/* Takes away roots with nothing to choose from. */
static void root_shrink(struct vma_tree *tree)
{
	struct vma_node *root = tree->root;

	while (root->level > 0 && root->count == 1) {
		tree->root = root->child[0].node;
		if (__atomic_load_n(&root->refs, __ATOMIC_ACQUIRE) == 1) {
			vma_node_release(root);
		} else {
			vma_node_get(tree->root);
			vma_node_put(root);
		}
		root = tree->root;
	}
	if (root->count == 0) {
		vma_node_release(root);
		tree->root = NULL;
	}
}

/* Inserts an entry at the (private) path's place on `level`. The path is stale afterwards. */
static void path_insert(struct vma_tree *tree, struct vma_path *p, unsigned level, const void *entry)
{
	struct vma_node *n = p->node[level], *right;
	unsigned i = p->index[level], at;
	struct vma_child c;

	if (n->count < node_capacity(n)) {
		node_insert(n, i, entry);
		path_summarize(tree, p, level);
		return;
	}
	at = i == n->count || i == 0 ? i : n->count / 2u;
	right = vma_node_create(tree, level);
	right->count = (uint16_t)(n->count - at);
	memcpy(right->vma, entry_at(n, at), right->count * entry_bytes(n));
	n->count = (uint16_t)at;
	if (i > at || right->count == 0)
		node_insert(right, i - at, entry);
	else
		node_insert(n, i, entry);
	if (tree->root->level == level)
		root_grow(tree, p, level);
	node_summarize(n, &p->node[level + 1]->child[p->index[level + 1]]);
	node_summarize(right, &c);
	c.node = right;
	p->index[level + 1]++;
	path_insert(tree, p, level + 1, &c);
}

/* Removes the entry the (private) path points at on `level`. The path is stale afterwards. */
static void path_remove(struct vma_tree *tree, struct vma_path *p, unsigned level)
{
	struct vma_node *n = p->node[level], *parent;
	unsigned obsolete;

	node_remove(n, p->index[level], 1);
	if (tree->root->level == level) {
		root_shrink(tree);
		return;
	}
	if (n->count == 0) {
		vma_node_release(n);
		path_remove(tree, p, level + 1);
		return;
	}
	parent = p->node[level + 1];
	obsolete = child_absorb(parent, p->index[level + 1]);
	if (obsolete == parent->count) {
		path_summarize(tree, p, level);
		return;
	}
	p->index[level + 1] = obsolete;
	path_remove(tree, p, level + 1);
}

/* ---- single VMAs ------------------------------------------------------------------------ */

/* Inserts v, which takes over a file reference, without looking for a merge. */
static void entry_add(struct vma_tree *tree, struct vma_path *p, const struct vma *v)
{
	path_insert(tree, p, 0, v);
	tree->nr_vmas++;
}

/* Joins the VMAs that meet at addr, if they are equal. */
static void merge_at(struct vma_tree *tree, uint64_t addr)
{
	const struct vma *left, *right;
	struct vma_path p;
	uint64_t end;

	if (addr == 0 || (right = vma_find_from(tree, addr)) == NULL || right->start != addr)
		return;
	left = vma_find(tree, addr - 1);
	if (left == NULL || !vma_can_merge(left, right))
		return;
	end = right->end;
	path_to(tree, addr, &p);
	path_own(tree, &p);
	right = path_vma(&p);
	if (right->file != NULL)
		file_put(right->file); /* not the last: the left one has another */
	path_remove(tree, &p, 0);
	tree->nr_vmas--;
	path_to(tree, addr - 1, &p);
	path_own(tree, &p);
	path_vma(&p)->end = end;
	path_summarize(tree, &p, 0);
}

/* Makes addr a border between two VMAs, if it lies within one. */
static void split_at(struct vma_tree *tree, uint64_t addr)
{
	struct vma right, *left;
	struct vma_path p;

	if (tree->root == NULL || !path_to(tree, addr, &p) || path_vma(&p)->start >= addr)
		return;
	path_own(tree, &p);
	left = path_vma(&p);
	right = *left;
	right.page_index += (addr - left->start) >> PAGE_SHIFT;
	right.start = addr;
	left->end = addr;
	if (right.file != NULL)
		file_get(right.file);
	path_summarize(tree, &p, 0);
	p.index[0]++;
	entry_add(tree, &p, &right);
}

void vma_insert(struct vma_tree *tree, const struct vma *vma)
{
	struct vma v = *vma, *right = NULL;
	const struct vma *left;
	struct vma_path p;

	ASSERT(v.start < v.end && page_offset(v.start | v.end) == 0);
	if (v.file == NULL)
		v.page_index = v.start >> PAGE_SHIFT;
	if (tree->root == NULL)
		tree->root = vma_node_create(tree, 0);
	if (path_to(tree, v.start, &p)) {
		right = path_vma(&p);
		ASSERT(right->start >= v.end);
	}
	count_pages(tree, &v);
	left = p.index[0] > 0 ? path_vma(&p) - 1 : vma_find_before(tree, v.start);
	if (left != NULL && vma_can_merge(left, &v)) {
		path_to(tree, v.start - 1, &p);
		path_own(tree, &p);
		path_vma(&p)->end = v.end;
		path_summarize(tree, &p, 0);
		merge_at(tree, v.end);
		return;
	}
	path_own(tree, &p);
	if (right != NULL && vma_can_merge(&v, right)) {
		right = path_vma(&p);
		right->start = v.start;
		right->page_index = v.page_index;
		path_summarize(tree, &p, 0);
		return;
	}
	if (v.file != NULL)
		file_get(v.file);
	entry_add(tree, &p, &v);
}

/* ---- ranges ------------------------------------------------------------------------------ */

/* Takes the VMAs below n off the tree's counts. */
static void uncount(struct vma_tree *tree, const struct vma_node *n)
{
	for (unsigned i = 0; i < n->count; i++) {
		if (n->level > 0) {
			uncount(tree, n->child[i].node);
		} else {
			tree->nr_vmas--;
			uncount_pages(tree, &n->vma[i]);
		}
	}
}

static void erase_in_leaf(struct vma_tree *tree, struct vma_node *n, uint64_t start, uint64_t end)
{
	struct file *files[NODE_VMAS];
	unsigned first, nr = 0;

	for (first = 0; first < n->count && n->vma[first].end <= start; first++)
		;
	for (; first + nr < n->count && n->vma[first + nr].start < end; nr++) {
		files[nr] = n->vma[first + nr].file;
		tree->nr_vmas--;
		uncount_pages(tree, &n->vma[first + nr]);
	}
	node_remove(n, first, nr);
	for (unsigned i = 0; i < nr; i++) {
		if (files[i] != NULL)
			file_put(files[i]);
	}
}

/*
 * Removes the VMAs in [start, end), whose borders cut none, from the private node n, which
 * may be empty afterwards. Subtrees that lie within the range are dropped as a whole.
 */
static void erase_below(struct vma_tree *tree, struct vma_node *n, uint64_t start, uint64_t end)
{
	unsigned i, kept, obsolete;

	if (n->level == 0) {
		erase_in_leaf(tree, n, start, end);
		return;
	}
	for (i = 0; i < n->count && n->child[i].end <= start; i++)
		;
	kept = i;
	for (; i < n->count && n->child[i].start < end; i++) {
		struct vma_child c = n->child[i];

		if (c.start >= start && c.end <= end) {
			uncount(tree, c.node);
			vma_node_put(c.node);
			continue;
		}
		erase_below(tree, node_own(tree, &c.node), start, end);
		if (c.node->count == 0) {
			vma_node_release(c.node);
			continue;
		}
		node_summarize(c.node, &c);
		n->child[kept++] = c;
	}
	node_remove(n, kept, i - kept);
	for (i = MIN(kept + 1u, n->count); i-- > 0 && i + 2 >= kept;) {
		obsolete = child_absorb(n, i);
		if (obsolete < n->count) {
			node_remove(n, obsolete, 1);
			i = MIN(i + 1, n->count); /* look at this place again */
		}
	}
}

/* Moves the near border of the VMA that a removal cuts at its start or end. */
static void clip(struct vma_tree *tree, uint64_t addr, uint64_t new_start, uint64_t new_end)
{
	struct vma_path p;
	struct vma *v;

	path_to(tree, addr, &p);
	path_own(tree, &p);
	v = path_vma(&p);
	uncount_pages(tree, v);
	v->page_index += (new_start - v->start) >> PAGE_SHIFT;
	v->start = new_start;
	v->end = new_end;
	count_pages(tree, v);
	path_summarize(tree, &p, 0);
}

void vma_remove_range(struct vma_tree *tree, uint64_t start, uint64_t end)
{
	const struct vma *v = vma_find_from(tree, start);

	ASSERT(start < end && page_offset(start | end) == 0);
	if (v == NULL || v->start >= end)
		return;
	if (v->start < start) {
		if (v->end > end) {
			split_at(tree, end);
			clip(tree, start, vma_find(tree, start)->start, start);
			return;
		}
		clip(tree, start, v->start, start);
	}
	v = vma_find(tree, end);
	if (v != NULL && v->start < end)
		clip(tree, end, end, v->end);
	v = vma_find_from(tree, start);
	if (v == NULL || v->start >= end)
		return;
	erase_below(tree, node_own(tree, &tree->root), start, end);
	root_shrink(tree);
}

void vma_update_range(struct vma_tree *tree, uint64_t start, uint64_t end,
		      void (*update)(struct vma *vma, void *arg), void *arg)
{
	const struct vma *v;
	struct vma_path p;
	uint64_t addr = start;

	ASSERT(start < end && page_offset(start | end) == 0);
	split_at(tree, start);
	split_at(tree, end);
	while (tree->root != NULL && path_to(tree, addr, &p) && path_vma(&p)->start < end) {
		path_own(tree, &p);
		for (; p.index[0] < p.node[0]->count && path_vma(&p)->start < end; p.index[0]++) {
			addr = path_vma(&p)->end;
			uncount_pages(tree, path_vma(&p));
			update(path_vma(&p), arg);
			count_pages(tree, path_vma(&p));
		}
	}
	for (addr = start; addr <= end; addr = v->end) {
		merge_at(tree, addr);
		v = vma_find_from(tree, addr);
		if (v == NULL)
			break;
	}
}
