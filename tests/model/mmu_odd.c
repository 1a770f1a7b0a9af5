/*
 * The unit-test format: 3 levels of 256 slots. Bits 1-0: 0 absent, 1 page, 2 table; 2, 3
 * and 4: no read, no write, no exec (of a table only bit 3 counts); 5 user, 6 accessed,
 * 7 dirty (both set by hardware), 8 software's; 9 zero; from bit 10 on the address.
 */
#include "mmu.h"

#define BIT(n) ((uint64_t)1 << (n))
#define USER BIT(5)
#define ACCESSED BIT(6)
#define DIRTY BIT(7)
#define MUST_BE_ZERO BIT(9)
#define TABLE_MUST_BE_ZERO (BIT(2) | BIT(4) | BIT(5) | BIT(6) | BIT(7) | BIT(8))

static struct mmu_entry malformed(const char *why) { return (struct mmu_entry){.kind = MMU_MALFORMED, .why = why}; }

static struct mmu_entry read_entry(uint64_t raw, unsigned level)
{
	struct mmu_entry e = {.pa = raw >> 10};
	unsigned denied = (unsigned)(raw >> 2) & MMU_ALL;

	if (raw == 0)
		return e;
	if ((raw & MUST_BE_ZERO) || e.pa % 4096 != 0)
		return malformed("a reserved bit is set");
	if ((raw & 3) == 2) {
		if (raw & TABLE_MUST_BE_ZERO)
			return malformed("a table entry with a page's bits");
		e.kind = MMU_TABLE;
		e.rights = MMU_ALL & ~denied;
		e.accessed = true;
		return e;
	}
	if ((raw & 3) != 1 || level != 1)
		return malformed("neither page nor table");
	e.kind = MMU_PAGE;
	e.rights = raw & USER ? MMU_ALL & ~denied : 0;
	e.accessed = (raw & ACCESSED) != 0;
	e.dirty = (raw & DIRTY) != 0;
	return e;
}

const struct mmu_format mmu_odd = {
	.name = "odd",
	.nr_levels = 3,
	.index_bits = 8,
	.read = read_entry,
	.accessed_bit = ACCESSED,
	.dirty_bit = DIRTY,
	.walks_again = true,
};
