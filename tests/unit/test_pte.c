/* The laws of the page-table codecs: decode(encode(x)) = x for every property; zero is absent. */
#include "mm_test.h"

static const uint64_t addresses[] = {0x1000, 0x40000000, 0x123456000, 0xfffffff000, 0xffffffff000};

/* Bits the hardware looks at. */
#define X86_P 1ull
#define X86_RW 2ull
#define X86_US 4ull
#define X86_NX (1ull << 63)
#define ARM_VALID 1ull
#define ARM_AP_EL0 (1ull << 6)
#define ARM_AP_RO (1ull << 7)
#define ARM_AF (1ull << 10)
#define ARM_PXN (1ull << 53)
#define ARM_UXN (1ull << 54)
#define ARM_APTABLE_RO (1ull << 62)

static void for_each_page(void (*fn)(const struct pt_ops *, paddr_t, prot_t, unsigned))
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++)
		for (unsigned a = 0; a < ARRAY_SIZE(addresses); a++)
			for (unsigned prot = 0; prot < 8; prot++)
				for (unsigned attrs = 0; attrs < 16; attrs++)
					fn(all_codecs[c], (paddr_t){addresses[a]}, prot_make(prot), attrs);
}

static void check_page_law(const struct pt_ops *ops, paddr_t pa, prot_t prot, unsigned attrs)
{
	struct pte_fields f;
	pte_t e = ops->encode_page(pa, prot, attrs);

	assert_int_not_equal(e.raw, 0);
	ops->decode(e, &f);
	assert_int_equal(f.kind, PTE_PAGE);
	assert_int_equal(f.pa.raw, pa.raw);
	assert_int_equal(f.prot.raw, prot.raw);
	assert_int_equal(f.attrs, attrs);
}

static void page_entries_decode_to_what_was_encoded(void **state) { for_each_page(check_page_law); }

static void check_without_write(const struct pt_ops *ops, paddr_t pa, prot_t prot, unsigned attrs)
{
	struct pte_fields f;
	pte_t e = ops->encode_page(pa, prot, attrs);

	/* PROT_WRITE alone without write would be no right at all, which some formats store differently. */
	if (prot.raw == PROT_BIT_W)
		return;
	ops->decode(ops->without_write(e), &f);
	assert_int_equal(f.kind, PTE_PAGE);
	assert_int_equal(f.pa.raw, pa.raw);
	assert_int_equal(f.prot.raw, prot.raw & ~PROT_BIT_W);
	assert_int_equal(f.attrs, attrs);
}

static void without_write_changes_nothing_else(void **state) { for_each_page(check_without_write); }

static void check_aged(const struct pt_ops *ops, paddr_t pa, prot_t prot, unsigned attrs)
{
	pte_t e = ops->aged(ops->encode_page(pa, prot, attrs));

	assert_int_equal(e.raw, ops->encode_page(pa, prot, attrs & ~(unsigned)(PT_ACCESSED | PT_DIRTY)).raw);
}

static void ageing_clears_accessed_and_dirty(void **state) { for_each_page(check_aged); }

static void table_entries_decode_to_what_was_encoded(void **state)
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++) {
		const struct pt_ops *ops = all_codecs[c];

		for (unsigned a = 0; a < ARRAY_SIZE(addresses); a++) {
			for (int writable = 0; writable < 2; writable++) {
				struct pte_fields f;

				ops->decode(ops->encode_table((paddr_t){addresses[a]}, writable), &f);
				assert_int_equal(f.kind, PTE_TABLE);
				assert_int_equal(f.pa.raw, addresses[a]);
				assert_int_equal(f.writable, writable);
				ops->decode(ops->without_write(
						    ops->encode_table((paddr_t){addresses[a]}, writable)),
					    &f);
				assert_int_equal(f.kind, PTE_TABLE);
				assert_int_equal(f.pa.raw, addresses[a]);
				assert_false(f.writable);
			}
		}
	}
}

static void zero_is_absent(void **state)
{
	for (unsigned c = 0; c < ARRAY_SIZE(all_codecs); c++) {
		struct pte_fields f;

		all_codecs[c]->decode((pte_t){0}, &f);
		assert_int_equal(f.kind, PTE_ABSENT);
	}
}

/* What an x86_64 processor would make of an entry (SDM 4.6). */
static void check_x86(const struct pt_ops *ops, paddr_t pa, prot_t prot, unsigned attrs)
{
	uint64_t raw = ops->encode_page(pa, prot, attrs).raw;

	if (ops != &pt_ops_x86_64)
		return;
	assert_int_equal((raw & X86_P) != 0, prot.raw != 0);
	assert_int_equal((raw & X86_RW) != 0, prot_has(prot, PROT_BIT_W));
	assert_int_equal((raw & X86_NX) == 0, prot_has(prot, PROT_BIT_X));
	assert_int_equal((raw & X86_US) != 0, (attrs & PT_USER) != 0);
	assert_int_equal((raw >> 5) & 1, (attrs & PT_ACCESSED) != 0);
	assert_int_equal((raw >> 6) & 1, (attrs & PT_DIRTY) != 0);
	assert_int_equal((raw >> 7) & 3, 0); /* PAT, G */
	if (prot.raw == 0) /* L1TF: no address of real memory in an entry that is not present */
		assert_int_not_equal(raw & 0x000ffffffffff000, pa.raw);
	else
		assert_int_equal(raw & 0x000ffffffffff000, pa.raw);
}

/* What an aarch64 processor would make of it (Arm ARM D8.4); the kernel never executes user code. */
static void check_aarch64(const struct pt_ops *ops, paddr_t pa, prot_t prot, unsigned attrs)
{
	uint64_t raw = ops->encode_page(pa, prot, attrs).raw;
	bool user = attrs & PT_USER, el0 = user && (raw & ARM_AP_EL0);

	if (ops != &pt_ops_aarch64)
		return;
	assert_int_equal(raw & 0x0000fffffffff000, pa.raw);
	assert_int_equal((raw & ARM_VALID) != 0, prot.raw != 0);
	assert_int_equal((raw & ARM_AF) != 0, (attrs & PT_ACCESSED) != 0);
	if (prot.raw == 0)
		return;
	/* Writable to the hardware only once dirty: the first write must trap. */
	assert_int_equal((raw & ARM_AP_RO) == 0, prot_has(prot, PROT_BIT_W) && (attrs & PT_DIRTY));
	if (!user) {
		assert_int_equal(raw & ARM_AP_EL0, 0);
		assert_true(raw & ARM_UXN);
		assert_int_equal((raw & ARM_PXN) == 0, prot_has(prot, PROT_BIT_X));
		return;
	}
	assert_true(raw & ARM_PXN);
	assert_int_equal((raw & ARM_UXN) == 0, prot_has(prot, PROT_BIT_X));
	assert_int_equal(el0, prot.raw != PROT_BIT_X);
}

static void hardware_sees_the_rights(void **state)
{
	for_each_page(check_x86);
	for_each_page(check_aarch64);
	/* Table entries: write permission of the subtree, nothing else withheld. */
	assert_int_equal(pt_ops_x86_64.encode_table((paddr_t){0x5000}, true).raw &
				 (X86_P | X86_RW | X86_US | X86_NX),
			 X86_P | X86_RW | X86_US);
	assert_int_equal(pt_ops_x86_64.encode_table((paddr_t){0x5000}, false).raw & X86_RW, 0);
	assert_int_equal(pt_ops_aarch64.encode_table((paddr_t){0x5000}, true).raw >> 59, 0);
	assert_int_equal(pt_ops_aarch64.encode_table((paddr_t){0x5000}, false).raw >> 59,
			 ARM_APTABLE_RO >> 59);
	assert_int_equal(pt_ops_aarch64.encode_table((paddr_t){0x5000}, true).raw & 3, 3);
}

static void geometry(void **state)
{
	assert_int_equal(pt_va_end(&pt_ops_x86_64), 1ull << 48);
	assert_int_equal(pt_va_end(&pt_ops_aarch64), 1ull << 48);
	assert_int_equal(pt_va_end(&pt_ops_odd), 1ull << 36);
	assert_int_equal(pt_slot_bytes(&pt_ops_x86_64, 1), PAGE_SIZE);
	assert_int_equal(pt_slot_bytes(&pt_ops_x86_64, 2), 2 * MB);
	assert_int_equal(pt_slot_bytes(&pt_ops_odd, 2), MB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(page_entries_decode_to_what_was_encoded),
		cmocka_unit_test(without_write_changes_nothing_else),
		cmocka_unit_test(ageing_clears_accessed_and_dirty),
		cmocka_unit_test(table_entries_decode_to_what_was_encoded),
		cmocka_unit_test(zero_is_absent),
		cmocka_unit_test(hardware_sees_the_rights),
		cmocka_unit_test(geometry),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
