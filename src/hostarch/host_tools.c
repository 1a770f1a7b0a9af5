/* Valgrind's requests about stacks; valgrind's header needs libc's. See tools.h. */
#include "hostarch/tools.h"

#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif

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
#if LEVITATE_ASAN
	/* Frames left for good (a task that ended) must not poison the memory's next use. */
	__asan_unpoison_memory_region(stack, size_bytes);
#else
	(void)stack, (void)size_bytes;
#endif
}
