/*
 * Valgrind and AddressSanitizer seen from the machine's files: who runs on which
 * stack. Inline: nothing without the tool. (Memory: mm/memtools.h.)
 */
#ifndef HOSTARCH_TOOLS_H
#define HOSTARCH_TOOLS_H

#include "lib/types.h"

#if defined(__SANITIZE_ADDRESS__)
#define LEVITATE_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LEVITATE_ASAN 1
#endif
#endif

/* Of the sanitizer's run-time library (sanitizer/common_interface_defs.h). */
void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom_old, size_t *size_old);
void __asan_unpoison_memory_region(void const volatile *addr, size_t size);

/* host_tools.c: valgrind's client requests. */
unsigned tools_stack_register(const void *stack, size_t size_bytes);
void tools_stack_deregister(unsigned id, const void *stack, size_t size_bytes);

/* Around a switch: start on the old stack, finish as the first thing on the new one. */
static inline void tools_switch_start(void **save, const void *bottom, size_t size_bytes)
{
#ifdef LEVITATE_ASAN
	__sanitizer_start_switch_fiber(save, bottom, size_bytes);
#else
	(void)save, (void)bottom, (void)size_bytes;
#endif
}
static inline void tools_switch_finish(void *save, const void **old_bottom, size_t *old_size_bytes)
{
#ifdef LEVITATE_ASAN
	__sanitizer_finish_switch_fiber(save, old_bottom, old_size_bytes);
#else
	(void)save, (void)old_bottom, (void)old_size_bytes;
#endif
}

#endif
