/*
 * Kernel heap: slab caches over frames, the same on every machine. None of
 * these sleeps. Objects larger than a page come from frame runs.
 */
#ifndef MM_KMALLOC_H
#define MM_KMALLOC_H

#include "lib/types.h"

/* 16-byte aligned (64 from 64 bytes on, up to a page); NULL when out of memory. Up to 4 MiB. */
void *kmalloc(size_t size_bytes) MUST_CHECK;
void *kzalloc(size_t size_bytes) MUST_CHECK;
/* Copies; NULL when out of memory. */
void *kmemdup(const void *src, size_t size_bytes) MUST_CHECK;
char *kstrdup(const char *s) MUST_CHECK;
/* Grows or shrinks; keeps the old object when it returns NULL. p may be NULL. */
void *krealloc(void *p, size_t size_bytes) MUST_CHECK;
/* p may be NULL. */
void kfree(void *p);
size_t kmalloc_usable(const void *p);

/*
 * A cache of equal objects, for hot types. align_bytes: a power of two up to
 * PAGE_SIZE, 0 for the natural one; objects up to 16 KiB. `name` is kept, not copied.
 * NULL: too many caches.
 */
struct kmem_cache;
struct kmem_cache *kmem_cache_create(const char *name, size_t object_bytes, size_t align_bytes);
void *kmem_cache_alloc(struct kmem_cache *cache) MUST_CHECK;
/* object must come from this cache (kfree() works on it as well). */
void kmem_cache_free(struct kmem_cache *cache, void *object);

/* Frees the empty slabs kept in reserve; returns the number of frames. Is a shrinker. */
size_t kmalloc_shrink(void);

struct kmem_cache_stat {
	const char *name;
	size_t object_bytes;
	uint64_t nr_used, nr_objects; /* nr_objects: room in all slabs */
	uint32_t nr_slabs, slab_frames;
};
/* Fills *out with the index-th cache (0, 1, ...); false when there is none. */
bool kmem_cache_get_stat(unsigned index, struct kmem_cache_stat *out);
/* Checks every slab against its cache. Returns the number of violations, each printed. */
unsigned kmalloc_audit(void);
/* Objects in use in all caches plus large allocations: for leak checks. */
uint64_t kmalloc_nr_used(void);

void kmalloc_init(void);

#endif
