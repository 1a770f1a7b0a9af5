/*
 * src/lib/string.c, which the hosted kernel does not use, against libc: the file is
 * compiled here under other names. Also str_copy().
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "fake_machine.h"

#define memcpy lv_memcpy
#define memmove lv_memmove
#define memset lv_memset
#define memcmp lv_memcmp
#define memchr lv_memchr
#define strlen lv_strlen
#define strnlen lv_strnlen
#define strcmp lv_strcmp
#define strncmp lv_strncmp
#define strchr lv_strchr
#define strrchr lv_strrchr
#define strstr lv_strstr
#include "lib/string.c"
#undef memcpy
#undef memmove
#undef memset
#undef memcmp
#undef memchr
#undef strlen
#undef strnlen
#undef strcmp
#undef strncmp
#undef strchr
#undef strrchr
#undef strstr

#define ROOM 256

static int sign(int n) { return (n > 0) - (n < 0); }

static void fill(struct fake_random *r, unsigned char *p, size_t n, unsigned letters)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (unsigned char)(fake_random_below(r, letters) + (letters < 256));
}

/* Every length and alignment up to some, with guard bytes around. */
static void test_copy_and_set(void **state)
{
	unsigned char src[ROOM], a[ROOM], b[ROOM];
	struct fake_random r = {1};

	fill(&r, src, ROOM, 256);
	for (size_t n = 0; n < 150; n++)
		for (size_t d = 0; d < 16; d++)
			for (size_t s = 0; s < 16; s++) {
				memset(a, 0xee, ROOM);
				memset(b, 0xee, ROOM);
				assert_ptr_equal(lv_memcpy(a + d, src + s, n), a + d);
				memcpy(b + d, src + s, n);
				assert_memory_equal(a, b, ROOM);
				assert_ptr_equal(lv_memset(a + d, (int)(s + 250), n), a + d);
				memset(b + d, (int)(s + 250), n);
				assert_memory_equal(a, b, ROOM);
			}
}

static void test_overlapping_move(void **state)
{
	unsigned char a[ROOM], b[ROOM];
	struct fake_random r = {2};

	for (size_t n = 0; n < 100; n++)
		for (size_t d = 0; d < 60; d++)
			for (size_t s = 0; s < 60; s += 7) {
				fill(&r, a, 200, 256);
				memcpy(b, a, 200);
				assert_ptr_equal(lv_memmove(a + d, a + s, n), a + d);
				memmove(b + d, b + s, n);
				assert_memory_equal(a, b, 200);
			}
}

static void test_compare(void **state)
{
	unsigned char a[64], b[64];
	struct fake_random r = {3};

	for (int i = 0; i < 200000; i++) {
		size_t n = fake_random_below(&r, 40), at = fake_random_below(&r, 8);

		fill(&r, a, 64, 256);
		memcpy(b, a, 64);
		if (n > 0 && fake_random_below(&r, 3) > 0)
			b[at + fake_random_below(&r, n)] ^= (unsigned char)fake_random_below(&r, 256);
		assert_int_equal(sign(lv_memcmp(a + at, b + at, n)), sign(memcmp(a + at, b + at, n)));
	}
}

static void test_strings(void **state)
{
	char a[33], b[33];
	struct fake_random r = {4};

	for (int i = 0; i < 200000; i++) {
		size_t n = fake_random_below(&r, 40);
		int c = (int)fake_random_below(&r, 4) + (i % 9 == 0 ? 0x181 : 0);

		fill(&r, (unsigned char *)a, 32, 4); /* few letters: long common parts */
		fill(&r, (unsigned char *)b, 32, 4);
		a[fake_random_below(&r, 33)] = '\0';
		b[fake_random_below(&r, i % 2 ? 4 : 33)] = '\0';
		a[32] = b[32] = '\0';
		assert_int_equal(lv_strlen(a), strlen(a));
		assert_int_equal(lv_strnlen(a, n), strnlen(a, n));
		assert_int_equal(sign(lv_strcmp(a, b)), sign(strcmp(a, b)));
		assert_int_equal(sign(lv_strncmp(a, b, n)), sign(strncmp(a, b, n)));
		assert_ptr_equal(lv_strchr(a, c), strchr(a, c));
		assert_ptr_equal(lv_strrchr(a, c), strrchr(a, c));
		assert_ptr_equal(lv_strstr(a, b), strstr(a, b));
		assert_ptr_equal(lv_memchr(a, c, 32), memchr(a, c, 32));
	}
	assert_true(lv_strcmp("\x80", "\x7f") > 0); /* unsigned */
	assert_true(lv_memcmp("\x80", "\x7f", 1) > 0);
}

static void test_str_copy(void **state)
{
	char buf[8] = "zzzzzzz";

	assert_int_equal(str_copy(buf, "abc", sizeof(buf)), 3);
	assert_string_equal(buf, "abc");
	assert_int_equal(str_copy(buf, "abcdefghij", 5), 10);
	assert_string_equal(buf, "abcd");
	assert_int_equal(str_copy(buf, "abc", 0), 3); /* nothing written */
	assert_string_equal(buf, "abcd");
	assert_int_equal(str_copy(buf, "abc", 1), 3);
	assert_string_equal(buf, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy_and_set), cmocka_unit_test(test_overlapping_move),
		cmocka_unit_test(test_compare),	     cmocka_unit_test(test_strings),
		cmocka_unit_test(test_str_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
