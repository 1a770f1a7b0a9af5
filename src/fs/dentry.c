/*
 * The cache of names: a hash table of dentries keyed by parent and name. A dentry
 * in use has references (paths, files, children); an unused one stays on a list,
 * oldest first, until memory is short or too many are unused.
 *
 * dcache_lock guards the table, the lists of children, the unused list, and the
 * lists of inodes of superblocks. It is never held over a sleep or an allocation.
 * Invariant: a dentry references its parent; what is hashed has a parent.
 */
#include "internal.h"
#include "lib/printf.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"

#define NR_BUCKETS 8192u
#define UNUSED_MAX 16384u
#define SHRINK_BATCH 64u

static struct spinlock dcache_lock = SPINLOCK_INIT;
static struct dentry *buckets[NR_BUCKETS];
static struct list unused = LIST_INIT(unused);
static size_t nr_unused;
static struct kmem_cache *dentry_cache;

struct spinlock *dentry_lock(void) { return &dcache_lock; }

uint32_t name_hash(const char *text, unsigned len)
{
	uint32_t hash = 2166136261u;

	for (unsigned i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)text[i]) * 16777619u;
	return hash;
}

struct name name_make(const char *text)
{
	unsigned len = (unsigned)strlen(text);

	return (struct name){text, len, name_hash(text, len)};
}

static uint32_t hash_below(const struct dentry *parent, uint32_t hash)
{
	uint64_t mix = ((uint64_t)(uintptr_t)parent >> 6 ^ hash) * 0x9e3779b97f4a7c15u;

	return (uint32_t)(mix >> 32);
}

static void hash_add(struct dentry *d)
{
	struct dentry **bucket = &buckets[d->hash % NR_BUCKETS];

	d->hash_next = *bucket;
	d->hash_pprev = bucket;
	if (*bucket != NULL)
		(*bucket)->hash_pprev = &d->hash_next;
	*bucket = d;
	d->is_hashed = true;
}

static void hash_remove(struct dentry *d)
{
	if (!d->is_hashed)
		return;
	*d->hash_pprev = d->hash_next;
	if (d->hash_next != NULL)
		d->hash_next->hash_pprev = d->hash_pprev;
	d->is_hashed = false;
}

static struct dentry *find_locked(struct dentry *parent, const struct name *name)
{
	uint32_t hash = hash_below(parent, name->hash);

	for (struct dentry *d = buckets[hash % NR_BUCKETS]; d != NULL; d = d->hash_next)
		if (d->hash == hash && d->parent == parent && d->name_len == name->len &&
		    memcmp(d->name, name->text, name->len) == 0)
			return d;
	return NULL;
}

struct dentry *dentry_find(struct dentry *parent, const struct name *name)
{
	struct dentry *d;

	spin_lock(&dcache_lock);
	d = find_locked(parent, name);
	if (d != NULL)
		ref_get(&d->refs);
	spin_unlock(&dcache_lock);
	return d;
}

static struct dentry *dentry_new(void)
{
	struct dentry *d = kmem_cache_alloc(dentry_cache);

	if (d == NULL)
		return NULL;
	memset(d, 0, sizeof(*d));
	d->refs = 1;
	d->name = d->short_name;
	list_init(&d->children);
	list_init(&d->sibling);
	list_init(&d->lru_link);
	return d;
}

int dentry_name_room(unsigned len, char **out)
{
	*out = NULL;
	if (len < DENTRY_SHORT_NAME)
		return 0;
	*out = kmalloc(len + 1);
	return *out != NULL ? 0 : -ENOMEM;
}

static void set_name(struct dentry *d, const struct name *name, char *heap_name)
{
	char *text = heap_name != NULL ? heap_name : d->short_name;

	memmove(text, name->text, name->len);
	text[name->len] = '\0';
	d->name = text;
	d->name_len = (uint16_t)name->len;
}

static void free_name(struct dentry *d)
{
	if (d->name != d->short_name)
		kfree((char *)(uintptr_t)d->name);
}

struct dentry *dentry_alloc(struct dentry *parent, const struct name *name)
{
	struct dentry *d = dentry_new();
	char *heap_name;

	if (d == NULL)
		return NULL;
	if (dentry_name_room(name->len, &heap_name) != 0) {
		kmem_cache_free(dentry_cache, d);
		return NULL;
	}
	set_name(d, name, heap_name);
	d->hash = hash_below(parent, name->hash);
	d->sb = parent->sb;
	ref_get(&parent->refs);
	d->parent = parent;
	spin_lock(&dcache_lock);
	list_add_tail(&parent->children, &d->sibling);
	spin_unlock(&dcache_lock);
	return d;
}

struct dentry *dentry_alloc_root(struct superblock *sb, struct inode *inode)
{
	struct dentry *d;

	vfs_caches_init();
	d = dentry_new();
	if (d == NULL)
		return NULL;
	d->sb = sb;
	d->inode = inode;
	return d;
}

void dentry_publish(struct dentry *d, struct inode *inode)
{
	struct name name = {d->name, d->name_len, 0};
	struct dentry *old;

	spin_lock(&dcache_lock);
	for (old = buckets[d->hash % NR_BUCKETS]; old != NULL; old = old->hash_next)
		if (old->parent == d->parent && old->hash == d->hash && old->name_len == name.len &&
		    memcmp(old->name, name.text, name.len) == 0)
			break;
	if (old != NULL)
		hash_remove(old);
	d->inode = inode;
	hash_add(d);
	/* An old one on the unused list goes when the list is shrunk; a live one with its last reference. */
	spin_unlock(&dcache_lock);
}

/* Takes an unused dentry out of everything. */
static void detach_locked(struct dentry *d)
{
	ASSERT(d->refs == 0 && list_is_empty(&d->children));
	hash_remove(d);
	list_remove(&d->sibling);
	if (!list_is_empty(&d->lru_link)) {
		list_remove(&d->lru_link);
		nr_unused--;
	}
}

/* Frees a detached one; returns the parent, whose reference is now the caller's. */
static struct dentry *dentry_free(struct dentry *d)
{
	struct dentry *parent = d->parent;

	free_name(d);
	inode_put(d->inode);
	kmem_cache_free(dentry_cache, d);
	return parent;
}

void dentry_get(struct dentry *d) { ref_get(&d->refs); }

void dentry_put(struct dentry *d)
{
	while (d != NULL && ref_put(&d->refs)) {
		bool is_full = false;

		spin_lock(&dcache_lock);
		if (d->refs != 0) {
			spin_unlock(&dcache_lock);
			return;
		}
		if (d->is_hashed) {
			if (list_is_empty(&d->lru_link)) {
				list_add_tail(&unused, &d->lru_link);
				is_full = ++nr_unused > UNUSED_MAX;
			}
			spin_unlock(&dcache_lock);
			if (is_full)
				dentry_shrink(NULL, SHRINK_BATCH);
			return;
		}
		detach_locked(d);
		spin_unlock(&dcache_lock);
		d = dentry_free(d);
	}
}

/* Moves up to nr unused ones of sb (NULL: any) to `victims`, out of all lists of the cache. */
static size_t collect_locked(struct superblock *sb, size_t nr, struct list *victims)
{
	struct dentry *d, *next;
	size_t count = 0;

	LIST_FOR_EACH_SAFE(d, next, &unused, lru_link) {
		if (count == nr)
			break;
		if (d->refs == 0 && sb != NULL && d->sb != sb)
			continue;
		list_remove(&d->lru_link);
		nr_unused--;
		if (d->refs != 0)
			continue;
		hash_remove(d);
		list_remove(&d->sibling);
		list_add_tail(victims, &d->lru_link);
		count++;
	}
	return count;
}

static void free_victims(struct list *victims)
{
	while (!list_is_empty(victims)) {
		struct dentry *d = LIST_FIRST(victims, struct dentry, lru_link);

		list_remove(&d->lru_link);
		dentry_put(dentry_free(d));
	}
}

size_t dentry_shrink(struct superblock *sb, size_t nr)
{
	struct list victims = LIST_INIT(victims);
	size_t count;

	if (spin_is_held(&dcache_lock))
		return 0; /* the allocation that ran short is ours */
	spin_lock(&dcache_lock);
	count = collect_locked(sb, nr, &victims);
	spin_unlock(&dcache_lock);
	free_victims(&victims);
	return count;
}

void dentry_prune_children(struct dentry *parent)
{
	struct list victims = LIST_INIT(victims);
	struct dentry *d, *next;

	spin_lock(&dcache_lock);
	LIST_FOR_EACH_SAFE(d, next, &parent->children, sibling) {
		if (d->refs != 0)
			continue;
		detach_locked(d);
		list_add_tail(&victims, &d->lru_link);
	}
	spin_unlock(&dcache_lock);
	free_victims(&victims);
}

/* Memory is short: give back the older half, in frames as the allocator counts. */
static size_t shrink_for_memory(void)
{
	struct frame_stats before, after;

	if (nr_unused == 0)
		return 0;
	frame_get_stats(&before);
	dentry_shrink(NULL, nr_unused / 2 + 1);
	frame_get_stats(&after);
	return after.nr_free > before.nr_free ? after.nr_free - before.nr_free : 0;
}

void dentry_init(void)
{
	dentry_cache = kmem_cache_create("dentry", sizeof(struct dentry), 64);
	if (dentry_cache == NULL)
		panic("no memory for the dentry cache");
	frame_register_shrinker(shrink_for_memory);
}

void dentry_drop(struct dentry *d, bool is_unlinked)
{
	spin_lock(&dcache_lock);
	hash_remove(d);
	if (is_unlinked)
		d->is_unlinked = true;
	spin_unlock(&dcache_lock);
}

void dentry_move(struct dentry *d, struct dentry *parent, const struct name *name, char *heap_name)
{
	struct dentry *old_parent = d->parent;

	ref_get(&parent->refs);
	spin_lock(&dcache_lock);
	hash_remove(d);
	free_name(d);
	set_name(d, name, heap_name);
	d->hash = hash_below(parent, name->hash);
	d->parent = parent;
	list_remove(&d->sibling);
	list_add_tail(&parent->children, &d->sibling);
	spin_unlock(&dcache_lock);
	dentry_publish(d, d->inode);
	dentry_put(old_parent);
}

/* Swaps the names: text by text, since a short one lives inside its dentry. */
static void swap_names(struct dentry *a, struct dentry *b)
{
	bool a_short = a->name == a->short_name, b_short = b->name == b->short_name;
	char text[DENTRY_SHORT_NAME];
	const char *name = a->name;
	uint16_t len = a->name_len;

	memcpy(text, a->short_name, sizeof(text));
	memcpy(a->short_name, b->short_name, sizeof(text));
	memcpy(b->short_name, text, sizeof(text));
	a->name = b_short ? a->short_name : b->name;
	b->name = a_short ? b->short_name : name;
	a->name_len = b->name_len;
	b->name_len = len;
}

void dentry_exchange(struct dentry *a, struct dentry *b)
{
	struct dentry *a_parent = a->parent;
	uint32_t hash = a->hash;

	spin_lock(&dcache_lock);
	hash_remove(a);
	hash_remove(b);
	swap_names(a, b);
	a->parent = b->parent;
	b->parent = a_parent;
	a->hash = b->hash;
	b->hash = hash;
	list_remove(&a->sibling);
	list_remove(&b->sibling);
	list_add_tail(&a->parent->children, &a->sibling);
	list_add_tail(&b->parent->children, &b->sibling);
	hash_add(a);
	hash_add(b);
	spin_unlock(&dcache_lock);
}

/* The first kernel-only name anywhere below root, unpinned; or NULL. */
static struct dentry *unpin_one_locked(struct dentry *root)
{
	struct dentry *d = root;

	for (;;) {
		if (d->is_synthetic) {
			d->is_synthetic = false;
			return d;
		}
		if (!list_is_empty(&d->children)) {
			d = LIST_FIRST(&d->children, struct dentry, sibling);
			continue;
		}
		while (d != root && d->sibling.next == &d->parent->children)
			d = d->parent;
		if (d == root)
			return NULL;
		d = LIST_FIRST(&d->sibling, struct dentry, sibling);
	}
}

void dentry_drop_tree(struct superblock *sb)
{
	struct dentry *root = sb->root, *pinned;

	do {
		spin_lock(&dcache_lock);
		pinned = unpin_one_locked(root);
		spin_unlock(&dcache_lock);
		dentry_put(pinned);
	} while (pinned != NULL);
	while (dentry_shrink(sb, SIZE_MAX) > 0)
		;
	sb->root = NULL;
	dentry_put(root);
}

/* One name's own invariants. */
static unsigned audit_one(const struct dentry *d, uint32_t nr_children)
{
	unsigned bad = 0;

	if (d->refs < nr_children + d->nr_mounts) {
		kprintf("audit: dentry '%s' has %u references, %u children, %u mounts\n", d->name, d->refs,
			nr_children, d->nr_mounts);
		bad++;
	}
	if (d->is_hashed && (d->parent == NULL || d->is_unlinked || *d->hash_pprev != d)) {
		kprintf("audit: dentry '%s' is in the table, but unlinked, rootless or misplaced\n", d->name);
		bad++;
	}
	if (d->refs == 0 && list_is_empty(&d->lru_link)) {
		kprintf("audit: unused dentry '%s' is on no list\n", d->name);
		bad++;
	}
	if (d->inode != NULL && (d->inode->refs == 0 || d->inode->sb != d->sb) && !d->is_synthetic) {
		kprintf("audit: dentry '%s' has a dead or foreign inode\n", d->name);
		bad++;
	}
	return bad;
}

unsigned dentry_audit(struct superblock *sb)
{
	struct dentry *d = sb->root;
	unsigned bad = 0;

	for (;;) {
		struct dentry *child;
		uint32_t nr_children = 0;

		LIST_FOR_EACH(child, &d->children, sibling) {
			nr_children++;
			if (child->parent != d) {
				kprintf("audit: dentry '%s' is in the list of another parent\n", child->name);
				bad++;
			}
		}
		bad += audit_one(d, nr_children);
		if (nr_children > 0) {
			d = LIST_FIRST(&d->children, struct dentry, sibling);
			continue;
		}
		while (d != sb->root && d->sibling.next == &d->parent->children)
			d = d->parent;
		if (d == sb->root)
			return bad;
		d = LIST_FIRST(&d->sibling, struct dentry, sibling);
	}
}
