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
#ifndef LEVITATE_ASAN
#define LEVITATE_ASAN 0
#endif

#if defined(__SANITIZE_THREAD__)
#define LEVITATE_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define LEVITATE_TSAN 1
#endif
#endif
#ifndef LEVITATE_TSAN
#define LEVITATE_TSAN 0
#endif

/* Of ThreadSanitizer's run-time library (sanitizer/tsan_interface.h): each kernel stack is a fiber. */
void *__tsan_get_current_fiber(void);
void *__tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void *fiber);
void __tsan_switch_to_fiber(void *fiber, unsigned flags);

/* Of the sanitizer's run-time library (sanitizer/common_interface_defs.h). */
void __sanitizer_start_switch_fiber(void **fake_stack_save, const void *bottom, size_t size);
void __sanitizer_finish_switch_fiber(void *fake_stack_save, const void **bottom_old, size_t *size_old);
void __asan_unpoison_memory_region(void const volatile *addr, size_t size);

/* host_tools.c: valgrind's client requests. */
unsigned tools_stack_register(const void *stack, size_t size_bytes);
void tools_stack_deregister(unsigned id, const void *stack, size_t size_bytes);

/* What ThreadSanitizer knows of a new stack; of the one we run on; NULL without it. */
static inline void *tools_fiber_create(void)
{
#if LEVITATE_TSAN
	return __tsan_create_fiber(0);
#else
	return NULL;
#endif
}
static inline __attribute__((no_sanitize_thread)) void *tools_fiber_current(void)
{
#if LEVITATE_TSAN
	return __tsan_get_current_fiber();
#else
	return NULL;
#endif
}
static inline void tools_fiber_destroy(void *fiber)
{
#if LEVITATE_TSAN
	__tsan_destroy_fiber(fiber);
#else
	(void)fiber;
#endif
}
/* Directly before the switch: what ran before it happened before what runs after it. */
static inline __attribute__((no_sanitize_thread)) void tools_fiber_switch(void *fiber)
{
#if LEVITATE_TSAN
	__tsan_switch_to_fiber(fiber, 0);
#else
	(void)fiber;
#endif
}

/* Around a switch: start on the old stack, finish as the first thing on the new one. */
static inline void tools_switch_start(void **save, const void *bottom, size_t size_bytes)
{
#if LEVITATE_ASAN
	__sanitizer_start_switch_fiber(save, bottom, size_bytes);
#else
	(void)save, (void)bottom, (void)size_bytes;
#endif
}
static inline void tools_switch_finish(void *save, const void **old_bottom, size_t *old_size_bytes)
{
#if LEVITATE_ASAN
	__sanitizer_finish_switch_fiber(save, old_bottom, old_size_bytes);
#else
	(void)save, (void)old_bottom, (void)old_size_bytes;
#endif
}

#endif
