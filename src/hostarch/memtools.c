/*
 * Valgrind and AddressSanitizer on the kernel's own allocators (mm/memtools.h).
 *
 * Valgrind: frames are chunks of one memory pool, marked METAPOOL because slab objects
 * are malloc-like blocks inside some of them. AddressSanitizer: what is free is
 * poisoned; its report on an address in physical memory ends with the history of the
 * frame: who allocated and who freed it last. No lock: one thread runs the kernel.
 */
#include "mm/memtools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>

#include "arch/machine.h"
#include "mm/frame.h"

#define OBJECT_ALIGN 16u

#if defined(__SANITIZE_ADDRESS__)
#define HAS_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define HAS_ASAN 1
#endif
#endif
#ifndef HAS_ASAN
#define HAS_ASAN 0
#endif

bool memtools_on;
static bool on_valgrind, has_pool;
static char pool; /* its address names the pool */

__attribute__((constructor)) static void memtools_start(void)
{
	on_valgrind = RUNNING_ON_VALGRIND;
	memtools_on = on_valgrind || HAS_ASAN;
}

#if HAS_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>

#define TRACE_DEPTH 8
#define HISTORY_SLOTS 16384u /* a newer frame replaces another with the same low bits */

struct history {
	uint64_t frame;
	void *allocated[TRACE_DEPTH], *freed[TRACE_DEPTH];
};
static struct history histories[HISTORY_SLOTS];

static uint64_t frame_of(const void *ptr)
{
	return (uint64_t)((const char *)ptr - arch_phys_base) >> PAGE_SHIFT;
}

/* Return addresses up the stack, by frame pointers, without this file's two functions. */
__attribute__((no_sanitize_address, noinline)) static void trace_take(void **out)
{
	void **fp = __builtin_frame_address(0);

	memset(out, 0, TRACE_DEPTH * sizeof(out[0]));
	for (int i = -2; i < TRACE_DEPTH; i++) {
		void **up = fp[0];

		if (i >= 0)
			out[i] = fp[1];
		if (up <= fp || (char *)up - (char *)fp > 32768 || ((uintptr_t)up & 7) != 0)
			break;
		fp = up;
	}
}

__attribute__((noinline)) static void history_add(const void *ptr, size_t size_bytes, bool is_alloc)
{
	void *trace[TRACE_DEPTH];

	trace_take(trace);
	for (uint64_t n = frame_of(ptr), end = n + (size_bytes >> PAGE_SHIFT); n < end; n++) {
		struct history *h = &histories[n % HISTORY_SLOTS];

		if (h->frame != n)
			memset(h, 0, sizeof(*h));
		h->frame = n;
		memcpy(is_alloc ? h->allocated : h->freed, trace, sizeof(trace));
	}
}

static void trace_print(const char *title, void *const *trace)
{
	char text[1024] = "";

	if (trace[0] == NULL)
		return;
	fprintf(stderr, "%s:\n", title);
	for (int i = 0; i < TRACE_DEPTH && trace[i] != NULL; i++) {
		/* One string for each function inlined at this address, then an empty one. */
		__sanitizer_symbolize_pc((char *)trace[i] - 1, "%f %s:%l", text, sizeof(text) - 1);
		for (const char *t = text; *t != '\0'; t += strlen(t) + 1)
			fprintf(stderr, "    #%d %p %s\n", i, trace[i], t);
	}
}

/* Called by the sanitizer when it has an error to report. */
void __asan_on_error(void);
void __asan_on_error(void)
{
	void *address = __asan_get_report_address();
	uint64_t n = frame_of(address);
	const struct history *h = &histories[n % HISTORY_SLOTS];

	if (arch_phys_base == NULL || address == NULL || h->frame != n)
		return;
	fprintf(stderr, "levitate: address %p is physical %#llx, in frame %#llx\n", address,
		(unsigned long long)((char *)address - arch_phys_base), (unsigned long long)n);
	trace_print("levitate: the frame was last allocated by", h->allocated);
	trace_print("levitate: the frame was last freed by", h->freed);
}
#else
static void history_add(const void *ptr, size_t size_bytes, bool is_alloc)
{
	(void)ptr, (void)size_bytes, (void)is_alloc;
}
#define __asan_poison_memory_region(ptr, size) ((void)(ptr), (void)(size))
#define __asan_unpoison_memory_region(ptr, size) ((void)(ptr), (void)(size))
#endif

void memtools_close_(const void *ptr, size_t size_bytes)
{
	VALGRIND_MAKE_MEM_NOACCESS(ptr, size_bytes);
	__asan_poison_memory_region((void *)(uintptr_t)ptr, size_bytes);
}

void memtools_open_(const void *ptr, size_t size_bytes)
{
	VALGRIND_MAKE_MEM_DEFINED(ptr, size_bytes);
	__asan_unpoison_memory_region((void *)(uintptr_t)ptr, size_bytes);
}

void memtools_mark_defined_(const void *ptr, size_t size_bytes)
{
	VALGRIND_MAKE_MEM_DEFINED(ptr, size_bytes);
}

void memtools_frame_adopt_(void *ptr, size_t size_bytes)
{
	if (on_valgrind && !has_pool) {
		VALGRIND_CREATE_MEMPOOL_EXT(&pool, 0, 0, VALGRIND_MEMPOOL_METAPOOL);
		has_pool = true;
	}
	memtools_close_(ptr, size_bytes);
}

void memtools_frame_alloc_(void *ptr, size_t size_bytes)
{
	VALGRIND_MEMPOOL_ALLOC(&pool, ptr, size_bytes);
	__asan_unpoison_memory_region(ptr, size_bytes);
	history_add(ptr, size_bytes, true);
}

void memtools_frame_free_(void *ptr, size_t size_bytes)
{
	VALGRIND_MEMPOOL_FREE(&pool, ptr);
	__asan_poison_memory_region(ptr, size_bytes);
	history_add(ptr, size_bytes, false);
}

void memtools_slab_alloc_(void *ptr, size_t size_bytes)
{
	VALGRIND_MALLOCLIKE_BLOCK(ptr, size_bytes, 0, 0);
	__asan_unpoison_memory_region(ptr, size_bytes);
}

void memtools_slab_free_(void *ptr, size_t usable_bytes)
{
	VALGRIND_FREELIKE_BLOCK(ptr, 0);
	memtools_close_(ptr, usable_bytes);
}

void memtools_slab_resize_(void *ptr, size_t size_bytes, size_t usable_bytes)
{
	/* The tail may have been open or closed before: growing leaves it defined. */
	memtools_open_(ptr, size_bytes);
	memtools_close_((char *)ptr + size_bytes, usable_bytes - size_bytes);
}

/*
 * The kernel ends with its objects in place, and knows its frames by number: the leak check would call them lost. So
 * it gets a pointer to each frame, and to each place where a heap object may begin. (Frames of the heap stop being
 * chunks first, or the check takes a pointer to an object for one to its frame.)
 */
void memtools_end_(void)
{
	static const char **roots;
	size_t n = 0;

	if (!on_valgrind)
		return;
	for (uint32_t i = 0; i < frame_span(); i++) {
		const pfn_t pfn = {frame_first().raw + i};

		if (frame_kind(pfn) != FRAME_FREE)
			n += frame_kind(pfn) == FRAME_SLAB ? PAGE_SIZE / OBJECT_ALIGN : 1;
		if (frame_kind(pfn) == FRAME_SLAB && frame_refs(pfn) != 0)
			VALGRIND_MEMPOOL_FREE(&pool, pfn_to_ptr(pfn));
	}
	roots = calloc(n, sizeof(roots[0]));
	n = 0;
	for (uint32_t i = 0; roots != NULL && i < frame_span(); i++) {
		const pfn_t pfn = {frame_first().raw + i};
		const size_t step = frame_kind(pfn) == FRAME_SLAB ? OBJECT_ALIGN : PAGE_SIZE;

		for (size_t at = 0; frame_kind(pfn) != FRAME_FREE && at < PAGE_SIZE; at += step)
			roots[n++] = (const char *)pfn_to_ptr(pfn) + at;
	}
}
