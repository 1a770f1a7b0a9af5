/* Valgrind's requests about stacks; valgrind's header needs libc's. See tools.h. */
#include "hostarch/tools.h"

#include "hostarch/host.h"
#include "mm/frame.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

#define OBJECT_ALIGN 16u

unsigned tools_stack_register(const void *stack, size_t size_bytes)
{
#ifdef VALGRIND_STACK_REGISTER
	return VALGRIND_STACK_REGISTER(stack, (const char *)stack + size_bytes);
#else
	(void)stack, (void)size_bytes;
	return 0;
#endif
}

void tools_stack_deregister(unsigned id, const void *stack, size_t size_bytes)
{
#ifdef VALGRIND_STACK_DEREGISTER
	VALGRIND_STACK_DEREGISTER(id);
#else
	(void)id;
#endif
#ifdef LEVITATE_ASAN
	/* Frames left for good (a task that ended) must not poison the memory's next use. */
	__asan_unpoison_memory_region(stack, size_bytes);
#else
	(void)stack, (void)size_bytes;
#endif
}

/*
 * The kernel ends with its objects in place, and knows its frames by number: the leak check would call them lost.
 * So it gets a pointer to each frame, and to each place in the heap's frames where an object may begin.
 */
void tools_memory_ends(void)
{
#ifdef RUNNING_ON_VALGRIND
	const size_t per_page = PAGE_SIZE / OBJECT_ALIGN;
	const char **roots;
	size_t n = 0;

	if (!RUNNING_ON_VALGRIND)
		return;
	roots = host_pages_alloc(frame_span() * per_page * sizeof(roots[0]));
	for (uint32_t i = 0; roots != NULL && i < frame_span(); i++) {
		const pfn_t pfn = {frame_first().raw + i};
		const size_t step = frame_kind(pfn) == FRAME_SLAB ? OBJECT_ALIGN : PAGE_SIZE;

		for (size_t at = 0; frame_kind(pfn) != FRAME_FREE && at < PAGE_SIZE; at += step)
			roots[n++] = (const char *)pfn_to_ptr(pfn) + at;
	}
#endif
}
