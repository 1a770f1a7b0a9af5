/*
 * What AddressSanitizer or Valgrind is told about frames and heap objects. Without
 * either there is nothing to see: skipped.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <valgrind/memcheck.h>

#include "fake_machine.h"
#include "hostarch/tools.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/memtools.h"

#if LEVITATE_ASAN
#include <sanitizer/asan_interface.h>
#else
#define __asan_address_is_poisoned(ptr) ((void)(ptr), 0)
#endif

static bool is_closed(const void *ptr)
{
	unsigned char bits;

	if (LEVITATE_ASAN)
		return __asan_address_is_poisoned(ptr);
	return VALGRIND_GET_VBITS(ptr, &bits, 1) == 3;
}

static bool is_defined(const void *ptr)
{
	unsigned char bits = 0xff;

	return LEVITATE_ASAN || (VALGRIND_GET_VBITS(ptr, &bits, 1) == 1 && bits == 0);
}

static int boot(void **state)
{
	fake_machine_boot(16 << 20);
	return 0;
}

static void test_frames(void **state)
{
	pfn_t out[8], pfn = frame_alloc(FRAME_ANON);
	char *p = pfn_to_ptr(pfn);

	assert_false(is_closed(p));
	assert_false(is_closed(p + 4095));
	if (!LEVITATE_ASAN)
		assert_false(is_defined(p));
	memtools_mark_defined(p, PAGE_SIZE);
	assert_true(is_defined(p + 4095));
	frame_put(pfn);
	assert_true(is_closed(p));
	assert_true(is_closed(p + 4095));

	pfn = frame_alloc_zeroed(FRAME_ANON);
	assert_true(is_defined((char *)pfn_to_ptr(pfn) + 4095));
	frame_put(pfn);
	pfn = frame_alloc_order(FRAME_KERNEL, 3);
	p = pfn_to_ptr(pfn);
	assert_false(is_closed(p + 8 * 4096 - 1));
	frame_put(pfn);
	assert_true(is_closed(p)); /* though the free list's links lie there */
	assert_true(is_closed(p + 8 * 4096 - 1));
	assert_int_equal(frame_alloc_run(FRAME_ANON, out, 8), 8);
	for (int i = 0; i < 8; i++)
		assert_false(is_closed(pfn_to_ptr(out[i])));
}

static void test_heap_objects(void **state)
{
	char *p = kmalloc(100), *q;

	assert_false(is_closed(p));
	assert_false(is_closed(p + 99));
	assert_true(is_closed(p + 104)); /* the rest of its room */
	p[99] = 7;
	p = krealloc(p, 128); /* in place */
	assert_false(is_closed(p + 127));
	q = krealloc(p, 1000);
	assert_int_equal(q[99], 7);
	assert_true(is_closed(p));
	kfree(q);
	assert_true(is_closed(q));
	kmalloc_shrink();
	p = pfn_to_ptr(frame_alloc(FRAME_ANON)); /* a frame again */
	assert_false(is_closed(p + 4095));
}

__attribute__((noinline)) static void the_one_who_freed(pfn_t pfn)
{
	frame_put(pfn);
	__asm__ volatile(""); /* no tail call: it shall be in the trace */
}

static void test_report_tells_the_history(void **state)
{
	static char text[65536];
	size_t size = 0;
	ssize_t n;
	int fds[2], status;
	pid_t pid;

	if (!LEVITATE_ASAN)
		skip();
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		pfn_t pfn = frame_alloc(FRAME_ANON);
		volatile char *p = pfn_to_ptr(pfn);

		dup2(fds[1], 2);
		the_one_who_freed(pfn);
		_exit(p[10] == 0);
	}
	close(fds[1]);
	while ((n = read(fds[0], text + size, sizeof(text) - 1 - size)) > 0)
		size += (size_t)n;
	close(fds[0]);
	waitpid(pid, &status, 0);
	assert_false(WIFEXITED(status) && WEXITSTATUS(status) <= 1 && size == 0);
	assert_non_null(strstr(text, "use-after-poison"));
	assert_non_null(strstr(text, "in frame 0x40000"));
	assert_non_null(strstr(text, "allocated by"));
	assert_non_null(strstr(text, "freed last by"));
	assert_non_null(strstr(text, "the_one_who_freed"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_frames, boot),
		cmocka_unit_test_setup(test_heap_objects, boot),
		cmocka_unit_test_setup(test_report_tells_the_history, boot),
	};

	if (!memtools_on) {
		printf("skipped: neither AddressSanitizer nor Valgrind\n");
		return 77;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
