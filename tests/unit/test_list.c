/* The intrusive list, and the small arithmetic of lib/types.h. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "lib/list.h"
#include "lib/types.h"

struct item {
	int value;
	struct list link;
};

static int values(struct list *head, int *out)
{
	struct item *item;
	int n = 0;

	LIST_FOR_EACH(item, head, link)
	out[n++] = item->value;
	return n;
}

static void test_order(void **state)
{
	struct list head = LIST_INIT(head);
	struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
	int out[4];

	assert_true(list_is_empty(&head));
	assert_int_equal(values(&head, out), 0);
	list_add_tail(&head, &b.link);
	list_add_tail(&head, &c.link);
	list_add_head(&head, &a.link);
	assert_false(list_is_empty(&head));
	assert_int_equal(values(&head, out), 3);
	for (int i = 0; i < 3; i++)
		assert_int_equal(out[i], i + 1);
	assert_ptr_equal(LIST_FIRST(&head, struct item, link), &a);
	assert_ptr_equal(LIST_ENTRY(head.prev, struct item, link), &c);
}

static void test_remove(void **state)
{
	struct list head;
	struct item a = {.value = 1}, b = {.value = 2}, c = {.value = 3};
	int out[4];

	list_init(&head);
	list_add_tail(&head, &a.link);
	list_add_tail(&head, &b.link);
	list_add_tail(&head, &c.link);
	list_remove(&b.link);
	assert_true(list_is_empty(&b.link));
	list_remove(&b.link); /* twice is harmless */
	assert_int_equal(values(&head, out), 2);
	assert_int_equal(out[0], 1);
	assert_int_equal(out[1], 3);
	list_remove(&a.link);
	list_remove(&c.link);
	assert_true(list_is_empty(&head));
}

static void test_remove_while_walking(void **state)
{
	struct list head = LIST_INIT(head), other = LIST_INIT(other);
	struct item items[10], *item, *tmp;
	int out[10];

	for (int i = 0; i < 10; i++) {
		items[i].value = i;
		list_add_tail(&head, &items[i].link);
	}
	LIST_FOR_EACH_SAFE(item, tmp, &head, link)
	{
		if (item->value % 2 == 0) {
			list_remove(&item->link);
			list_add_tail(&other, &item->link);
		}
	}
	assert_int_equal(values(&head, out), 5);
	assert_int_equal(out[4], 9);
	assert_int_equal(values(&other, out), 5);
	assert_int_equal(out[4], 8);
}

static void test_page_arithmetic(void **state)
{
	assert_int_equal(page_round_down(0x1fff), 0x1000);
	assert_int_equal(page_round_up(0x1001), 0x2000);
	assert_int_equal(page_round_up(0x1000), 0x1000);
	assert_int_equal(page_round_up(UINT64_MAX), 0); /* wraps, as documented */
	assert_int_equal(page_offset(0x12345), 0x345);
	assert_true(pfn_equal(phys_to_pfn((paddr_t){0x123456789000}), (pfn_t){0x23456789}));
	assert_int_equal(pfn_to_phys((pfn_t){0xffffffff}).raw, 0xffffffff000);
	assert_int_equal(ALIGN_UP(17u, 16), 32);
	assert_int_equal(ARRAY_SIZE(((int[]){1, 2, 3})), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_remove_while_walking),
		cmocka_unit_test(test_page_arithmetic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
