/* ksnprintf against libc's snprintf, and kprintf and panic on the fake machine. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "fake_machine.h"
#include "lib/assert.h"
#include "lib/printf.h"

#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wformat" /* odd but defined combinations are the point */
#pragma GCC diagnostic ignored "-Wformat-truncation"
#pragma GCC diagnostic ignored "-Wformat-overflow"
#pragma GCC diagnostic ignored "-Wformat-zero-length"
#else
#pragma clang diagnostic ignored "-Wformat"
#endif

#define SAME(...)                                                                                            \
	do {                                                                                                 \
		char ours_[256], theirs_[256];                                                               \
		int n_ = ksnprintf(ours_, sizeof(ours_), __VA_ARGS__);                                       \
		int m_ = snprintf(theirs_, sizeof(theirs_), __VA_ARGS__);                                    \
		assert_string_equal(ours_, theirs_);                                                         \
		assert_int_equal(n_, m_);                                                                    \
	} while (0)

static void test_every_combination_as_libc(void **state)
{
	static const char *const flags[] = {"",	  "-",	"0",  "+",  " ",  "#",	"-0",
					    "+0", "-+", "0 ", "#0", "#-", "+ ", "-#0+ "};
	static const char *const widths[] = {"", "1", "5", "12", "30"};
	static const char *const precisions[] = {"", ".", ".0", ".1", ".4", ".20"};
	static const char *const lengths[] = {"hh", "h", "", "l", "ll", "z", "t", "j"};
	static const long long numbers[] = {0,
					    1,
					    -1,
					    7,
					    8,
					    127,
					    128,
					    -128,
					    255,
					    32768,
					    65535,
					    2147483647,
					    -2147483648LL,
					    4294967295,
					    0x123456789abcdef,
					    INT64_MIN,
					    INT64_MAX};
	unsigned nr = 0;

	for (size_t f = 0; f < ARRAY_SIZE(flags); f++)
		for (size_t w = 0; w < ARRAY_SIZE(widths); w++)
			for (size_t p = 0; p < ARRAY_SIZE(precisions); p++)
				for (size_t l = 0; l < ARRAY_SIZE(lengths); l++)
					for (const char *c = "diuxXo"; *c != '\0'; c++) {
						char fmt[32];

						snprintf(fmt, sizeof(fmt), "[%%%s%s%s%s%c]", flags[f],
							 widths[w], precisions[p], lengths[l], *c);
						for (size_t i = 0; i < ARRAY_SIZE(numbers); i++, nr++)
							SAME(fmt, numbers[i]);
					}
	assert_true(nr > 300000);
}

static void test_text(void **state)
{
	static const char unterminated[3] = {'a', 'b', 'c'};

	SAME("");
	SAME("plain");
	SAME("%%");
	SAME("[%s|%10s|%-10s|%.2s|%10.2s|%-10.2s|%.0s]", "abc", "abc", "abc", "abc", "abc", "abc", "abc");
	SAME("%.3s", unterminated);
	SAME("[%c|%5c|%-5c]", 'x', 'y', 'z');
	SAME("[%*d|%-*d|%.*d|%*.*s]", 5, 42, 5, 42, 5, 42, 8, 2, "abc");
	SAME("[%*d|%.*d]", -5, 42, -1, 42);
	SAME("%p", (void *)0x1234abcd);
	SAME("%d %s %u %lx %lld", 1, "two", 3u, 4ul, 5ll);
}

static void test_ours_only(void **state)
{
	char buf[64];

	ksnprintf(buf, sizeof(buf), "%s %p", (char *)NULL, NULL);
	assert_string_equal(buf, "(null) 0x0");
	ksnprintf(buf, sizeof(buf), "%y 100%");
	assert_string_equal(buf, "%y 100%");
}

static void test_truncation(void **state)
{
	char buf[8] = "zzzzzzz";

	assert_int_equal(ksnprintf(buf, 4, "%s", "abcdef"), 6);
	assert_string_equal(buf, "abc");
	assert_int_equal(buf[4], 'z');
	assert_int_equal(ksnprintf(buf, 1, "abc"), 3);
	assert_string_equal(buf, "");
	assert_int_equal(ksnprintf(NULL, 0, "%d", 12345), 5);
	assert_int_equal(ksnprintf(buf, 6, "%d", 12345), 5); /* just fits */
	assert_string_equal(buf, "12345");
}

static void test_kprintf(void **state)
{
	static char big[2000];

	fake_machine_reset();
	fake.is_quiet = true;
	kprintf("frame %u ", 3u);
	kprintf("of %s\n", "ten");
	klog("not shown\n");
	assert_string_equal(fake.log, "levitate: frame 3 of ten\n");
	memset(big, 'x', sizeof(big) - 1);
	fake_machine_reset();
	fake.is_quiet = true;
	kprintf("%s", big); /* cut, not overrun */
	kprintf("\n");
	assert_in_range(fake.log_size, 255, 1999);
	fake_machine_reset();
}

/* The ring keeps both kinds, without the prefix; the oldest bytes give way. */
static void test_klog(void **state)
{
	static char buf[KLOG_RING_BYTES];
	uint64_t pos = 0;
	size_t n;

	fake_machine_reset();
	fake.is_quiet = true;
	klog("first %d\n", 1);
	kprintf("second\n");
	n = klog_read(&pos, buf, sizeof(buf));
	assert_true(n >= 15);
	assert_memory_equal(buf + n - 15, "first 1\nsecond\n", 15);
	assert_int_equal(klog_read(&pos, buf, sizeof(buf)), 0);
	for (int i = 0; i < KLOG_RING_BYTES / 8; i++)
		klog("%09d\n", i);
	assert_int_equal(klog_read(&pos, buf, sizeof(buf)), KLOG_RING_BYTES);
	fake_machine_reset();
}

static int nr_evaluated;

static void test_panic_and_assert(void **state)
{
	fake_machine_reset();
	ASSERT(++nr_evaluated == 1);
	assert_true(FAKE_PANICS(ASSERT(nr_evaluated == 2)));
	assert_non_null(strstr(fake.log, "kernel panic: "));
	assert_non_null(strstr(fake.log, "test_printf.c"));
	assert_non_null(strstr(fake.log, "nr_evaluated == 2"));
	fake_machine_reset();
	assert_true(FAKE_PANICS(panic("again"))); /* a panic in a panic only stops */
	assert_string_equal(fake.log, "");
	assert_int_equal(fake.nr_panics, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_combination_as_libc),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_ours_only),
		cmocka_unit_test(test_truncation),
		cmocka_unit_test(test_kprintf),
		cmocka_unit_test(test_klog),
		cmocka_unit_test(test_panic_and_assert),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
