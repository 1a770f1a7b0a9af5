/*
 * Valgrind and AddressSanitizer on the kernel's own allocators (mm/memtools.h).
 *
 * Valgrind: frames are chunks of one memory pool, but for those of the heap, whose objects
 * are blocks as malloc's. AddressSanitizer: what is free is
 * poisoned; its report on an address in physical memory ends with the history of the
 * frame (mm/frame_trace.h). No lock: one thread runs the kernel.
 */
#include "mm/memtools.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valgrind/memcheck.h>
#include <valgrind/valgrind.h>

#include "arch/machine.h"
#include "hostarch/tools.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/frame_trace.h"

bool memtools_on;
static bool on_valgrind, has_pool;
static char pool; /* its address names the pool */

__attribute__((constructor)) static void memtools_start(void)
{
	on_valgrind = RUNNING_ON_VALGRIND;
	memtools_on = on_valgrind || LEVITATE_ASAN;
}

#if LEVITATE_ASAN
#include <sanitizer/asan_interface.h>

/* Called by the sanitizer when it has an error to report. */
void __asan_on_error(void);
void __asan_on_error(void)
{
	char *address = __asan_get_report_address();
	pfn_t pfn = ptr_to_pfn(address);

	if (arch_phys_base == NULL || address < (char *)pfn_to_ptr(frame_first()) ||
	    pfn.raw - frame_first().raw >= frame_span())
		return;
	fprintf(stderr, "levitate: address %p is physical %#llx, in frame %#x\n", (void *)address,
		(unsigned long long)(address - arch_phys_base), pfn.raw);
	frame_trace_print(pfn, FRAME_ALLOCATED, "  ");
	frame_trace_print(pfn, FRAME_FREED, "  ");
}
#else
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

void memtools_check_defined_(const void *ptr, size_t size_bytes)
{
	(void)VALGRIND_CHECK_MEM_IS_DEFINED(ptr, size_bytes);
}

void memtools_frame_adopt_(void *ptr, size_t size_bytes)
{
	if (on_valgrind && !has_pool) {
		VALGRIND_CREATE_MEMPOOL(&pool, 0, 0);
		has_pool = true;
	}
	memtools_close_(ptr, size_bytes);
}

void memtools_frame_alloc_(void *ptr, size_t size_bytes)
{
	VALGRIND_MEMPOOL_ALLOC(&pool, ptr, size_bytes);
	__asan_unpoison_memory_region(ptr, size_bytes);
}

void memtools_frame_free_(void *ptr, size_t size_bytes)
{
	VALGRIND_MEMPOOL_FREE(&pool, ptr);
	__asan_poison_memory_region(ptr, size_bytes);
}

void memtools_frame_double_free_(void *ptr) { VALGRIND_MEMPOOL_FREE(&pool, ptr); }

void memtools_slab_create_(void *ptr, size_t size_bytes)
{
	VALGRIND_MEMPOOL_FREE(&pool, ptr);
	VALGRIND_MAKE_MEM_UNDEFINED(ptr, size_bytes);
}

void memtools_slab_destroy_(void *ptr, size_t size_bytes) { VALGRIND_MEMPOOL_ALLOC(&pool, ptr, size_bytes); }

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
 * The kernel ends with its objects in place. Heap objects and kernel stacks are known by pointers, which the leak check
 * finds. User pages and tables are known by number: it gets a pointer to each that something refers to. What it then
 * calls lost is lost.
 */
static const void **roots;
static size_t nr_roots;

static void add_root(pfn_t pfn) { roots[nr_roots++] = pfn_to_ptr(pfn); }

void memtools_end_(void)
{
	if (on_valgrind)
		roots = calloc(frame_span(), sizeof(roots[0]));
	if (roots != NULL)
		mm_audit_reached(add_root);
}
