/*
 * Kernel heap. A cache hands out equal objects from slabs: runs of 2^order frames
 * (FRAME_SLAB) with a header of 64 bytes and a bitmap of the free objects, so that
 * free objects hold no links and freeing twice is seen. kmalloc() has a cache for
 * each size class up to 2 KiB; larger objects are frame runs (FRAME_KERNEL).
 *
 * From an object to its slab: the frame metadata tells the run's order, and runs
 * are aligned to their size.
 *
 * Each cache keeps its slabs with room in a list, and one empty slab in reserve;
 * full slabs are in no list. Lock: one per cache. Debug builds hand the objects of
 * a slab out in turn, so that a freed one rests.
 */
#include "mm/kmalloc.h"

#include "lib/assert.h"
#include "lib/list.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/frame_trace.h"
#include "mm/memtools.h"
#include "sched/lock.h"

#define BITMAP_WORDS 4u
#define OBJECTS_MAX (BITMAP_WORDS * 64u)
#define SLAB_ORDER_MAX 3u
#define SMALL_MAX 2048u
#define NAMED_MAX 64u

struct slab {
	struct list link; /* in cache->partial; alone when full */
	struct kmem_cache *cache;
	uint16_t nr_free;
	uint16_t cursor; /* debug: the search for a free object starts here */
	uint32_t unused;
	uint64_t free[BITMAP_WORDS]; /* bit set: object is free */
};
_Static_assert(sizeof(struct slab) == 64, "objects begin 64 bytes into a slab");

struct kmem_cache {
	struct spinlock lock;
	uint32_t object_bytes; /* constant */
	/* lock guards these: */
	struct list partial; /* slabs with a free object; empty ones at the end */
	uint64_t nr_used;
	uint32_t nr_slabs, nr_empty;
	/* constant: */
	const char *name;
	uint32_t size, offset; /* of objects; of the first object */
	uint32_t reciprocal;   /* ceil(2^32 / size): division of an offset by size */
	uint16_t nr_objects, order;
};
_Static_assert(sizeof(struct kmem_cache) == 64, "caches[i] is a shift away");

/* Multiples of 64 from 64 on: what aligns the first object aligns all. */
static const uint16_t class_bytes[] = {16,  32,	 48,  64,  128,	 192,  256, 320,
				       384, 512, 640, 768, 1024, 1344, 2048};
#define NR_CLASSES ARRAY_SIZE(class_bytes)
static const char *const class_names[] = {
	"kmalloc-16",  "kmalloc-32",  "kmalloc-48",   "kmalloc-64",   "kmalloc-128",
	"kmalloc-192", "kmalloc-256", "kmalloc-320",  "kmalloc-384",  "kmalloc-512",
	"kmalloc-640", "kmalloc-768", "kmalloc-1024", "kmalloc-1344", "kmalloc-2048",
};
_Static_assert(ARRAY_SIZE(class_names) == NR_CLASSES, "a name for each class");

static struct kmem_cache caches[NR_CLASSES + NAMED_MAX];
static unsigned nr_caches;
static uint8_t class_of[SMALL_MAX / 16 + 1]; /* by size in units of 16 bytes, rounded up */
static uint64_t nr_large;		     /* large allocations in use */

/* ---- slabs; cache lock held ------------------------------------------------------ */

static inline struct slab *slab_of(const void *p)
{
	pfn_t pfn = ptr_to_pfn(p);

	ASSERT(frame_kind(pfn) == FRAME_SLAB);
	pfn.raw &= UINT32_MAX << frame_order(pfn);
	return pfn_to_ptr(pfn);
}

/* Number of the object of c that begins at p; panics when none does. */
static inline unsigned object_index(const struct kmem_cache *c, const struct slab *slab, const void *p)
{
	uint32_t offset = (uint32_t)((const char *)p - (const char *)slab) - c->offset;
	uint32_t i = (uint32_t)((uint64_t)offset * c->reciprocal >> 32);

	ASSERT(i < c->nr_objects && i * c->size == offset);
	return i;
}

static struct slab *slab_create(struct kmem_cache *c)
{
	pfn_t pfn = frame_alloc_order_unchecked(FRAME_SLAB, c->order);
	struct slab *slab;

	if (pfn_is_none(pfn))
		return NULL;
	slab = pfn_to_ptr(pfn);
	memtools_slab_create(slab, PAGE_SIZE << c->order);
	*slab = (struct slab){.cache = c, .nr_free = c->nr_objects};
	for (unsigned i = 0, left = c->nr_objects; left > 0; i++) {
		unsigned n = MIN(left, 64u);

		slab->free[i] = n == 64 ? UINT64_MAX : ((uint64_t)1 << n) - 1;
		left -= n;
	}
	memtools_close((char *)slab + sizeof(*slab), (PAGE_SIZE << c->order) - sizeof(*slab));
	return slab;
}

static void slab_destroy(struct slab *slab)
{
	slab->cache = NULL;
	memtools_slab_destroy(slab, PAGE_SIZE << frame_order(ptr_to_pfn(slab)));
	frame_put(ptr_to_pfn(slab));
}

static unsigned slab_find_free(struct slab *slab)
{
#ifdef LEVITATE_DEBUG
	unsigned i = slab->cursor;

	while ((slab->free[i / 64] >> i % 64 & 1) == 0)
		i = (i + 1) % OBJECTS_MAX;
	slab->cursor = (uint16_t)((i + 1) % OBJECTS_MAX);
	return i;
#else
	unsigned word = 0;

	while (slab->free[word] == 0)
		word++;
	return word * 64 + (unsigned)__builtin_ctzll(slab->free[word]);
#endif
}

static inline void *object_take(struct kmem_cache *c, struct slab *slab)
{
	unsigned i = slab_find_free(slab);

	slab->free[i / 64] &= ~((uint64_t)1 << i % 64);
	if (slab->nr_free == c->nr_objects)
		c->nr_empty--;
	if (--slab->nr_free == 0)
		list_remove(&slab->link);
	c->nr_used++;
	return (char *)slab + c->offset + (size_t)i * c->size;
}

/* Its last object came back: true when the caller is to destroy it, without the lock. */
static bool slab_retire(struct kmem_cache *c, struct slab *slab)
{
	list_remove(&slab->link);
	if (c->nr_empty > 0) {
		c->nr_slabs--;
		return true;
	}
	c->nr_empty++;
	list_add_tail(&c->partial, &slab->link);
	return false;
}

/* True: as slab_retire(). */
static inline bool object_give(struct kmem_cache *c, struct slab *slab, const void *p)
{
	unsigned i = object_index(c, slab, p);
	uint64_t bit = (uint64_t)1 << i % 64;

	if (slab->free[i / 64] & bit)
		panic("%s: object %p freed twice", c->name, p);
	slab->free[i / 64] |= bit;
	c->nr_used--;
	if (slab->nr_free++ == 0)
		list_add_head(&c->partial, &slab->link);
	return slab->nr_free == c->nr_objects && slab_retire(c, slab);
}

/* ---- caches ---------------------------------------------------------------------- */

static inline void *cache_take(struct kmem_cache *c)
{
	void *p = NULL;

	spin_lock(&c->lock);
	if (__builtin_expect(!list_is_empty(&c->partial), 1))
		p = object_take(c, LIST_FIRST(&c->partial, struct slab, link));
	spin_unlock(&c->lock);
	return p;
}

/* All slabs are full: with a new one, or what shrinkers freed meanwhile. */
static __attribute__((noinline)) void *cache_grow_and_take(struct kmem_cache *c)
{
	struct slab *slab = slab_create(c);

	if (slab != NULL) {
		spin_lock(&c->lock);
		list_add_head(&c->partial, &slab->link);
		c->nr_slabs++;
		c->nr_empty++;
		spin_unlock(&c->lock);
	}
	return cache_take(c);
}

/* usable_bytes: what the caller may use of the object. NULL: out of memory. */
static inline void *cache_alloc(struct kmem_cache *c, size_t usable_bytes)
{
	void *p = cache_take(c);

	if (__builtin_expect(p == NULL, 0))
		p = cache_grow_and_take(c);
	if (p != NULL)
		memtools_slab_alloc(p, usable_bytes);
	return p;
}

static inline __attribute__((always_inline)) void cache_free(struct kmem_cache *c, struct slab *slab, void *p)
{
	bool is_retired;

	spin_lock(&c->lock);
	is_retired = object_give(c, slab, p);
	spin_unlock(&c->lock);
	memtools_slab_free(p, c->size);
	if (__builtin_expect(is_retired, 0))
		slab_destroy(slab);
}

/* The smallest order that wastes at most an eighth of the slab. */
static unsigned order_for(size_t size, size_t offset)
{
	for (unsigned order = 0; order < SLAB_ORDER_MAX; order++) {
		size_t room = (size_t)(PAGE_SIZE << order);

		if (room > offset + size && (room - offset) % size + offset <= room / 8)
			return order;
	}
	return SLAB_ORDER_MAX;
}

static void cache_init(struct kmem_cache *c, const char *name, size_t object_bytes, size_t align)
{
	size_t size = ALIGN_UP(MAX(object_bytes, (size_t)1), align);
	size_t offset = MAX(align, sizeof(struct slab));
	unsigned order = order_for(size, offset);
	size_t nr = ((size_t)(PAGE_SIZE << order) - offset) / size;

	*c = (struct kmem_cache){.name = name, .object_bytes = (uint32_t)object_bytes};
	list_init(&c->partial);
	c->size = (uint32_t)size;
	c->offset = (uint32_t)offset;
	c->reciprocal = (uint32_t)((((uint64_t)1 << 32) + size - 1) / size);
	c->order = (uint16_t)order;
	c->nr_objects = (uint16_t)MIN(nr, (size_t)OBJECTS_MAX);
	ASSERT(nr > 0);
}

struct kmem_cache *kmem_cache_create(const char *name, size_t object_bytes, size_t align_bytes)
{
	struct kmem_cache *c = &caches[nr_caches];

	ASSERT((align_bytes & (align_bytes - 1)) == 0 && align_bytes <= PAGE_SIZE);
	if (nr_caches == ARRAY_SIZE(caches))
		return NULL;
	if (align_bytes == 0)
		align_bytes = object_bytes >= 64 ? 64 : 16;
	cache_init(c, name, object_bytes, MAX(align_bytes, (size_t)16));
	nr_caches++;
	return c;
}

void *kmem_cache_alloc(struct kmem_cache *cache)
{
	return fail_alloc() ? NULL : cache_alloc(cache, cache->object_bytes);
}

void kmem_cache_free(struct kmem_cache *cache, void *object)
{
	struct slab *slab = slab_of(object);

	ASSERT(slab->cache == cache);
	cache_free(cache, slab, object);
}

/* ---- kmalloc --------------------------------------------------------------------- */

static unsigned order_of_bytes(size_t size_bytes)
{
	size_t nr = (size_bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;

	return nr <= 1 ? 0 : 64u - (unsigned)__builtin_clzll(nr - 1);
}

static void *large_alloc(size_t size_bytes)
{
	pfn_t pfn;

	if (size_bytes > PAGE_SIZE << FRAME_ORDER_MAX)
		return NULL;
	pfn = frame_alloc_order_unchecked(FRAME_KERNEL, order_of_bytes(size_bytes));
	if (pfn_is_none(pfn))
		return NULL;
	__atomic_fetch_add(&nr_large, 1, __ATOMIC_RELAXED);
	return pfn_to_ptr(pfn);
}

static void large_free(void *p)
{
	ASSERT(frame_kind(ptr_to_pfn(p)) == FRAME_KERNEL && page_offset((uintptr_t)p) == 0);
	__atomic_fetch_sub(&nr_large, 1, __ATOMIC_RELAXED);
	frame_put(ptr_to_pfn(p));
}

void *kmalloc(size_t size_bytes)
{
	if (fail_alloc())
		return NULL;
	if (size_bytes > SMALL_MAX)
		return large_alloc(size_bytes);
	return cache_alloc(&caches[class_of[(size_bytes + 15) / 16]], size_bytes);
}

void *kzalloc(size_t size_bytes)
{
	void *p = kmalloc(size_bytes);

	if (p != NULL)
		memset(p, 0, size_bytes);
	return p;
}

void *kmemdup(const void *src, size_t size_bytes)
{
	void *p = kmalloc(size_bytes);

	if (p != NULL)
		memcpy(p, src, size_bytes);
	return p;
}

char *kstrdup(const char *s) { return kmemdup(s, strlen(s) + 1); }

size_t kmalloc_usable(const void *p)
{
	pfn_t pfn = ptr_to_pfn(p);

	if (frame_kind(pfn) == FRAME_SLAB)
		return slab_of(p)->cache->size;
	return (size_t)(PAGE_SIZE << frame_order(pfn));
}

void *krealloc(void *p, size_t size_bytes)
{
	bool is_small;
	size_t usable;
	void *bigger;

	if (p == NULL)
		return kmalloc(size_bytes);
	usable = kmalloc_usable(p);
	is_small = frame_kind(ptr_to_pfn(p)) == FRAME_SLAB;
	if (size_bytes <= usable) {
		if (is_small)
			memtools_slab_resize(p, size_bytes, usable);
		return p;
	}
	bigger = kmalloc(size_bytes);
	if (bigger == NULL)
		return NULL;
	if (is_small)
		memtools_open(p, usable);
	memcpy(bigger, p, usable);
	kfree(p);
	return bigger;
}

void kfree(void *p)
{
	if (p == NULL)
		return;
	if (frame_kind(ptr_to_pfn(p)) == FRAME_SLAB) {
		struct slab *slab = slab_of(p);

		cache_free(slab->cache, slab, p);
	} else {
		large_free(p);
	}
}

/* ---- reserve, statistics, boot ------------------------------------------------------ */

static size_t cache_shrink(struct kmem_cache *c)
{
	struct slab *slab = NULL;

	spin_lock(&c->lock);
	if (c->nr_empty > 0) { /* the empty one is the last in the list, or newer than it */
		LIST_FOR_EACH(slab, &c->partial, link)
		{
			if (slab->nr_free == c->nr_objects)
				break;
		}
		list_remove(&slab->link);
		c->nr_empty--;
		c->nr_slabs--;
	}
	spin_unlock(&c->lock);
	if (slab == NULL)
		return 0;
	slab_destroy(slab);
	return (size_t)1 << c->order;
}

size_t kmalloc_shrink(void)
{
	size_t released = 0;

	for (unsigned i = 0; i < nr_caches; i++) {
		size_t frames;

		while ((frames = cache_shrink(&caches[i])) > 0)
			released += frames;
	}
	return released;
}

bool kmem_cache_get_stat(unsigned index, struct kmem_cache_stat *out)
{
	struct kmem_cache *c = &caches[index];

	if (index >= nr_caches)
		return false;
	spin_lock(&c->lock);
	*out = (struct kmem_cache_stat){
		.name = c->name,
		.object_bytes = c->object_bytes,
		.nr_used = c->nr_used,
		.nr_objects = (uint64_t)c->nr_slabs * c->nr_objects,
		.nr_slabs = c->nr_slabs,
		.slab_frames = 1u << c->order,
	};
	spin_unlock(&c->lock);
	return true;
}

uint64_t kmalloc_nr_used(void)
{
	uint64_t n = __atomic_load_n(&nr_large, __ATOMIC_RELAXED);

	for (unsigned i = 0; i < nr_caches; i++)
		n += caches[i].nr_used;
	return n;
}

/* ---- audit ---------------------------------------------------------------------------- */

struct cache_recount {
	uint64_t nr_used;
	uint32_t nr_slabs, nr_empty;
};

/* Counts the slab; false: it contradicts itself. */
static bool slab_recount(const struct slab *slab, struct cache_recount found[])
{
	const struct kmem_cache *c = slab->cache;
	size_t i = (size_t)(c - caches);
	unsigned nr_free = 0;

	if (c < caches || i >= nr_caches || frame_order(ptr_to_pfn(slab)) != c->order)
		return false;
	for (unsigned w = 0; w < BITMAP_WORDS; w++)
		nr_free += (unsigned)__builtin_popcountll(slab->free[w]);
	found[i].nr_slabs++;
	found[i].nr_used += c->nr_objects - nr_free;
	found[i].nr_empty += nr_free == c->nr_objects;
	return nr_free == slab->nr_free && nr_free <= c->nr_objects;
}

unsigned kmalloc_audit(void)
{
	struct cache_recount found[ARRAY_SIZE(caches)] = {0};
	unsigned nr_bad = 0;

	for (uint32_t n = frame_first().raw, end = n + frame_span(); n < end; n++) {
		const pfn_t pfn = {n};

		if (frame_kind(pfn) != FRAME_SLAB || frame_refs(pfn) == 0 || slab_recount(pfn_to_ptr(pfn), found))
			continue;
		nr_bad++;
		kprintf("audit: heap: frame %#x: a slab of no cache, or its count of free objects is wrong\n", n);
		frame_trace_print(pfn, FRAME_ALLOCATED, "audit:   ");
	}
	for (unsigned i = 0; i < nr_caches; i++) {
		const struct kmem_cache *c = &caches[i];
		const struct cache_recount *f = &found[i];

		if (c->nr_used == f->nr_used && c->nr_slabs == f->nr_slabs && c->nr_empty == f->nr_empty)
			continue;
		nr_bad++;
		kprintf("audit: heap: %s: counts %llu objects, %u slabs, %u of them empty; found %llu, %u, %u\n",
			c->name, (unsigned long long)c->nr_used, c->nr_slabs, c->nr_empty,
			(unsigned long long)f->nr_used, f->nr_slabs, f->nr_empty);
	}
	return nr_bad;
}

void kmalloc_init(void)
{
	unsigned class = 0;

	nr_large = 0;
	for (unsigned i = 0; i < NR_CLASSES; i++)
		cache_init(&caches[i], class_names[i], class_bytes[i], class_bytes[i] < 64 ? 16 : 64);
	nr_caches = NR_CLASSES;
	for (unsigned i = 0; i < ARRAY_SIZE(class_of); i++) {
		if (i * 16 > class_bytes[class])
			class ++;
		class_of[i] = (uint8_t) class;
	}
	frame_register_shrinker(kmalloc_shrink);
}
