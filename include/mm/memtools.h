/*
 * What Valgrind and AddressSanitizer are told about frames and heap objects.
 * The core calls these at every change of ownership. They cost one test of
 * memtools_on when no tool is there, and nothing without LEVITATE_MEMTOOLS (bare
 * metal). Implemented in src/hostarch/memtools.c.
 *
 * Pointers are kernel addresses of physical memory. "Open" and "close" bracket
 * the allocators' own access to memory that is free.
 */
#ifndef MM_MEMTOOLS_H
#define MM_MEMTOOLS_H

#include "lib/types.h"

#ifdef LEVITATE_MEMTOOLS
extern bool memtools_on; /* set before main() */
#define MEMTOOLS_CALL(call) (__builtin_expect(memtools_on, 0) ? (call) : (void)0)
void memtools_frame_adopt_(void *ptr, size_t size_bytes);
void memtools_frame_alloc_(void *ptr, size_t size_bytes);
void memtools_frame_free_(void *ptr, size_t size_bytes);
void memtools_frame_double_free_(void *ptr);
void memtools_slab_create_(void *ptr, size_t size_bytes);
void memtools_slab_destroy_(void *ptr, size_t size_bytes);
void memtools_slab_alloc_(void *ptr, size_t size_bytes);
void memtools_slab_free_(void *ptr, size_t usable_bytes);
void memtools_slab_resize_(void *ptr, size_t size_bytes, size_t usable_bytes);
void memtools_mark_defined_(const void *ptr, size_t size_bytes);
void memtools_check_defined_(const void *ptr, size_t size_bytes);
void memtools_open_(const void *ptr, size_t size_bytes);
void memtools_close_(const void *ptr, size_t size_bytes);
void memtools_end_(void);
#else
#define MEMTOOLS_CALL(call) ((void)0)
#endif

/* Free memory the frame allocator takes charge of: no access from now on. */
#define memtools_frame_adopt(ptr, size_bytes) MEMTOOLS_CALL(memtools_frame_adopt_(ptr, size_bytes))
/* A run of frames is handed out: undefined content. */
#define memtools_frame_alloc(ptr, size_bytes) MEMTOOLS_CALL(memtools_frame_alloc_(ptr, size_bytes))
/* The run that begins at ptr is free: no access until it is handed out again. */
#define memtools_frame_free(ptr, size_bytes) MEMTOOLS_CALL(memtools_frame_free_(ptr, size_bytes))
/* A frame that is free loses one more reference: Valgrind reports it. */
#define memtools_frame_double_free(ptr) MEMTOOLS_CALL(memtools_frame_double_free_(ptr))

/* Frames become a slab, whose objects the tool sees instead; and frames again, about to be freed. */
#define memtools_slab_create(ptr, size_bytes) MEMTOOLS_CALL(memtools_slab_create_(ptr, size_bytes))
#define memtools_slab_destroy(ptr, size_bytes) MEMTOOLS_CALL(memtools_slab_destroy_(ptr, size_bytes))
/* A heap object of size_bytes; the rest of its room stays closed. */
#define memtools_slab_alloc(ptr, size_bytes) MEMTOOLS_CALL(memtools_slab_alloc_(ptr, size_bytes))
#define memtools_slab_free(ptr, usable_bytes) MEMTOOLS_CALL(memtools_slab_free_(ptr, usable_bytes))
/* An object now uses size_bytes of its room. */
#define memtools_slab_resize(ptr, size_bytes, usable_bytes)                                                  \
	MEMTOOLS_CALL(memtools_slab_resize_(ptr, size_bytes, usable_bytes))

/* Someone the tools do not see (the guest) may have written: content counts as defined. */
#define memtools_mark_defined(ptr, size_bytes) MEMTOOLS_CALL(memtools_mark_defined_(ptr, size_bytes))
/* These bytes of the kernel's go to the user: Valgrind reports those nobody wrote. */
#define memtools_check_defined(ptr, size_bytes) MEMTOOLS_CALL(memtools_check_defined_(ptr, size_bytes))
/* The machine is about to end, after an audit: frames that something refers to are not lost. */
#define memtools_end() MEMTOOLS_CALL(memtools_end_())
#define memtools_open(ptr, size_bytes) MEMTOOLS_CALL(memtools_open_(ptr, size_bytes))
#define memtools_close(ptr, size_bytes) MEMTOOLS_CALL(memtools_close_(ptr, size_bytes))

#endif
