/* Copies between kernel and user: bad pointers, page borders, forced writes, pins, futex words. */
#include "mm_test.h"
#include "mm/internal.h"

static struct aspace *as;

static int setup(void **state)
{
	mm_test_boot(64 * MB);
	as = new_aspace();
	current_task()->aspace = as;
	return 0;
}

static int teardown(void **state)
{
	int audit = mm_audit();

	current_task()->aspace = NULL;
	aspace_put(as);
	return audit != 0 || frames_of_kind(FRAME_ANON) != 0;
}

static void copies_cross_pages(void **state)
{
	static uint8_t out[3 * 4096], in[3 * 4096];

	map_fixed(as, BASE, PAGES(4), RW);
	for (unsigned i = 0; i < sizeof(out); i++)
		out[i] = (uint8_t)(i * 7 + i / 256);
	assert_int_equal(copy_to_user(uaddr(BASE + 100), out, sizeof(out)), 0);
	assert_int_equal(copy_from_user(in, uaddr(BASE + 100), sizeof(in)), 0);
	assert_memory_equal(in, out, sizeof(in));
	assert_int_equal(clear_user(uaddr(BASE + 4000), 300), 0);
	assert_int_equal(copy_from_user(in, uaddr(BASE + 100), sizeof(in)), 0);
	for (unsigned i = 0; i < sizeof(in); i++)
		assert_int_equal(in[i], i + 100 >= 4000 && i + 100 < 4300 ? 0 : out[i]);
	assert_int_equal(copy_from_user(in, uaddr(1), 0), 0); /* nothing asked, nothing wrong */
}

/* A window is the page itself where no fault is due, and nothing else. */
static void windows_are_pages_at_hand(void **state)
{
	char buf[8] = "abcdefg", *window;

	map_fixed(as, BASE, PAGES(2), RW);
	assert_null(user_window(uaddr(BASE), 8, false)); /* not there yet */
	assert_int_equal(copy_to_user(uaddr(BASE + 4088), buf, 8), 0);
	window = user_window(uaddr(BASE + 4088), 8, true);
	assert_non_null(window);
	assert_memory_equal(window, buf, 8);
	memcpy(window, "1234567", 8);
	assert_int_equal(copy_from_user(buf, uaddr(BASE + 4088), 8), 0);
	assert_string_equal(buf, "1234567");
	assert_int_equal(copy_to_user(uaddr(BASE + 4096), buf, 8), 0);
	assert_null(user_window(uaddr(BASE + 4089), 8, false)); /* two pages */
	assert_int_equal(aspace_mprotect(as, BASE, PAGES(1), PROT_READ), 0);
	assert_null(user_window(uaddr(BASE), 8, true));
	assert_ptr_equal(user_window(uaddr(BASE + 4088), 8, false), window);
	assert_null(user_window(uaddr(0), 8, false));
	assert_null(user_window(uaddr(UINT64_MAX - 7), 8, false));
	assert_null(user_window(uaddr(BASE), SIZE_MAX, false));
	assert_null(user_window(uaddr(as->user_end - 4), 8, false));
	assert_null(user_window(uaddr(as->user_end), 8, true));
}

static void bad_pointers_are_efault(void **state)
{
	static const uint64_t bad[] = {0,
				       1,
				       BASE - 1,
				       BASE + PAGES(2),
				       0x7ffffffff000 - 4,
				       0x7ffffffff000,
				       0x800000000000,
				       UINT64_MAX - 3,
				       UINT64_MAX,
				       (uint64_t)1 << 63};
	char buf[8];
	uint32_t word;
	size_t avail;
	pfn_t pin;

	map_fixed(as, BASE, PAGES(2), RW);
	for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(copy_from_user(buf, uaddr(bad[i]), 8), -EFAULT);
		assert_int_equal(copy_to_user(uaddr(bad[i]), buf, 8), -EFAULT);
		assert_int_equal(clear_user(uaddr(bad[i]), 8), -EFAULT);
		assert_int_equal(strncpy_from_user(buf, uaddr(bad[i]), 8), -EFAULT);
		assert_int_equal(copy_to_user_forced(as, uaddr(bad[i]), buf, 8), -EFAULT);
		assert_int_equal(user_load_u32(uaddr(bad[i] & ~3ull), &word), -EFAULT);
		assert_int_equal(user_cmpxchg_u32(uaddr(bad[i] & ~3ull), 0, 1, &word), -EFAULT);
		if (bad[i] != BASE - 1)
			assert_null(user_page_pin(as, uaddr(bad[i]), false, &avail, &pin));
	}
	/* Lengths that wrap. */
	assert_int_equal(copy_from_user(buf, uaddr(BASE), SIZE_MAX), -EFAULT);
	assert_int_equal(copy_to_user(uaddr(BASE), buf, SIZE_MAX - BASE), -EFAULT);
	/* Part of it good. */
	assert_int_equal(copy_to_user(uaddr(BASE + PAGES(2) - 4), buf, 8), -EFAULT);
}

static void rights_are_checked(void **state)
{
	char buf[8] = "abcdefg";

	map_fixed(as, BASE, PAGE_SIZE, PROT_READ);
	assert_int_equal(copy_to_user(uaddr(BASE), buf, 8), -EFAULT);
	assert_int_equal(copy_from_user(buf, uaddr(BASE), 8), 0);
	assert_int_equal(buf[0], 0);
	map_fixed(as, BASE, PAGE_SIZE, PROT_NONE);
	assert_int_equal(copy_from_user(buf, uaddr(BASE), 8), -EFAULT);
	map_fixed(as, BASE, PAGE_SIZE, RW);
	poke(as, BASE, 5);
	assert_int_equal(aspace_mprotect(as, BASE, PAGE_SIZE, PROT_READ), 0);
	assert_int_equal(copy_to_user(uaddr(BASE), buf, 8), -EFAULT);
	assert_int_equal(peek(as, BASE), 5);
}

static void copies_break_sharing(void **state)
{
	struct aspace *child;
	char word[] = "new";

	map_fixed(as, BASE, PAGES(100), RW);
	assert_int_equal(copy_to_user(uaddr(BASE + 5), "old", 4), 0);
	poke_pages(as, BASE + PAGES(1), 99, 1);
	child = fork_aspace(as);
	assert_int_equal(copy_to_user_in(child, uaddr(BASE + 5), word, 4), 0);
	assert_int_equal(copy_from_user(word, uaddr(BASE + 5), 4), 0);
	assert_string_equal(word, "old");
	assert_int_equal(copy_from_user_in(child, word, uaddr(BASE + 5), 4), 0);
	assert_string_equal(word, "new");
	aspace_put(child);
}

static void forced_writes_reach_read_only_pages(void **state)
{
	struct test_file *f = test_file_create(&test_store_ops, PAGES(4), O_RDONLY);
	struct aspace *child;
	uint8_t old = f->store[PAGES(1)];

	map_fixed(as, BASE, PAGES(4), PROT_READ);
	assert_int_equal(map_file(as, &f->file, BASE + PAGES(4), PAGES(4), PROT_READ | PROT_EXEC,
				  MAP_PRIVATE | MAP_FIXED, 0),
			 BASE + PAGES(4));
	peek(as, BASE + PAGES(5));
	child = fork_aspace(as);
	assert_int_equal(copy_to_user_forced(as, uaddr(BASE), "x", 1), 0);
	assert_int_equal(copy_to_user_forced(as, uaddr(BASE + PAGES(6) - 2), "breakpoint", 10), 0);
	assert_int_equal(peek(as, BASE), 'x');
	assert_int_equal(peek(as, BASE + PAGES(6) - 1), 'r');
	assert_int_equal(peek(as, BASE + PAGES(6)), 'e');
	assert_int_equal(peek(child, BASE), 0);
	assert_int_equal(peek(child, BASE + PAGES(6) - 1), f->store[PAGES(2) - 1]);
	assert_int_equal(f->store[PAGES(1)], old);
	assert_int_equal(access_result(as, BASE, TRAP_WRITE), -EACCES);
	assert_int_equal(access_result(as, BASE + PAGES(5), TRAP_EXEC), 0);
	/* Without a mapping, or where the file may not be written, not even so. */
	assert_int_equal(copy_to_user_forced(as, uaddr(BASE + PAGES(8)), "x", 1), -EFAULT);
	assert_int_equal(map_file(as, &f->file, BASE, PAGES(4), PROT_READ, MAP_SHARED | MAP_FIXED, 0), BASE);
	assert_int_equal(copy_to_user_forced(as, uaddr(BASE), "x", 1), -EFAULT);
	aspace_put(child);
	aspace_put(as);
	test_file_destroy(f);
	as = new_aspace();
	current_task()->aspace = as;
}

static void strings_end_at_nul_or_limit(void **state)
{
	char buf[32];

	map_fixed(as, BASE, PAGES(2), RW);
	assert_int_equal(copy_to_user(uaddr(BASE + PAGES(1) - 3), "hello", 6), 0);
	assert_int_equal(strncpy_from_user(buf, uaddr(BASE + PAGES(1) - 3), sizeof(buf)), 5);
	assert_string_equal(buf, "hello");
	assert_int_equal(strncpy_from_user(buf, uaddr(BASE + PAGES(1) - 3), 6), 5);
	assert_int_equal(strncpy_from_user(buf, uaddr(BASE + PAGES(1) - 3), 5), -ENAMETOOLONG);
	assert_int_equal(strncpy_from_user(buf, uaddr(BASE), 0), -ENAMETOOLONG);
	assert_int_equal(strncpy_from_user(buf, uaddr(BASE), 1), 0);
	assert_int_equal(copy_to_user(uaddr(BASE + PAGES(2) - 4), "tail", 4),
			 0); /* no NUL before the mapping ends */
	assert_int_equal(strncpy_from_user(buf, uaddr(BASE + PAGES(2) - 4), sizeof(buf)), -EFAULT);
	assert_int_equal(strncpy_from_user(buf, uaddr(BASE + PAGES(2) - 4), 4), -ENAMETOOLONG);
}

static void pins_count(void **state)
{
	size_t avail;
	pfn_t a, b;
	uint8_t *p;

	map_fixed(as, BASE, PAGES(2), RW);
	p = user_page_pin(as, uaddr(BASE + 10), true, &avail, &a);
	assert_non_null(p);
	assert_int_equal(avail, PAGE_SIZE - 10);
	*p = 42;
	assert_non_null(user_page_pin(as, uaddr(BASE), false, &avail, &b));
	assert_int_equal(user_pins_total, 2);
	assert_true(frame_is_maybe_pinned(a));
	assert_int_equal(mm_audit(), 0);
	/* The page outlives its mapping while it is pinned. */
	assert_int_equal(aspace_munmap(as, BASE, PAGES(2)), 0);
	assert_int_equal(mm_audit(), 0);
	assert_int_equal(*p, 42);
	user_page_unpin(a);
	user_page_unpin(b);
	assert_int_equal(user_pins_total, 0);
	assert_int_equal(frames_of_kind(FRAME_ANON), 0);
	map_fixed(as, BASE, PAGES(2), PROT_READ);
	assert_null(user_page_pin(as, uaddr(BASE), true, &avail, &a));
}

static void a_lost_pin_is_found(void **state)
{
	pfn_t pfn;

	map_fixed(as, BASE, PAGE_SIZE, RW);
	poke(as, BASE, 1);
	pfn = entry_at(as, BASE).pfn;
	fake.is_quiet = true;
	frame_get(pfn); /* a reference nobody answers for */
	assert_int_not_equal(mm_audit(), 0);
	frame_put(pfn);
	fake.is_quiet = false;
	assert_int_equal(mm_audit(), 0);
}

static void futex_words(void **state)
{
	uint32_t word = 7, seen;

	map_fixed(as, BASE, PAGE_SIZE, RW);
	assert_int_equal(copy_to_user(uaddr(BASE + 8), &word, 4), 0);
	assert_int_equal(user_load_u32(uaddr(BASE + 8), &seen), 0);
	assert_int_equal(seen, 7);
	assert_int_equal(user_load_u32(uaddr(BASE + 9), &seen), -EINVAL);
	assert_int_equal(user_cmpxchg_u32(uaddr(BASE + 9), 6, 9, &seen), -EINVAL);
	assert_int_equal(user_cmpxchg_u32(uaddr(BASE + 8), 6, 9, &seen), 0);
	assert_int_equal(seen, 7);
	assert_int_equal(user_cmpxchg_u32(uaddr(BASE + 8), 7, 9, &seen), 0);
	assert_int_equal(seen, 7);
	assert_int_equal(user_load_u32(uaddr(BASE + 8), &seen), 0);
	assert_int_equal(seen, 9);
	map_fixed(as, BASE, PAGE_SIZE, PROT_READ);
	assert_int_equal(user_cmpxchg_u32(uaddr(BASE), 0, 9, &seen), -EFAULT);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(copies_cross_pages),
		TEST(windows_are_pages_at_hand),
		TEST(bad_pointers_are_efault),
		TEST(rights_are_checked),
		TEST(copies_break_sharing),
		TEST(forced_writes_reach_read_only_pages),
		TEST(strings_end_at_nul_or_limit),
		TEST(pins_count),
		TEST(a_lost_pin_is_found),
		TEST(futex_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
