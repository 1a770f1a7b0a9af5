/*
 * x86_64: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 3A,
 * chapter 4.5 (4-level paging), 4.6 (access rights), 4.8 (accessed and dirty flags).
 * CR0.WP = 1, EFER.NXE = 1, CR4.PKE = 0, no 1 GiB or 2 MiB pages, MAXPHYADDR = 46.
 */
#include "mmu.h"

#define BIT(n) ((uint64_t)1 << (n))
#define P BIT(0)   /* present */
#define RW BIT(1)  /* writes allowed */
#define US BIT(2)  /* user accesses allowed */
#define PWT BIT(3) /* memory type */
#define PCD BIT(4)
#define A BIT(5)
#define D BIT(6)
#define PS BIT(7) /* page size; in a PTE: PAT, the memory type again; in a PML4E: reserved */
#define G BIT(8)  /* survives a change of CR3 */
#define XD BIT(63)
#define ADDRESS 0x000ffffffffff000ull
#define RESERVED (ADDRESS & ~(BIT(46) - 1)) /* address bits from MAXPHYADDR on */

static struct mmu_entry malformed(const char *why) { return (struct mmu_entry){.kind = MMU_MALFORMED, .why = why}; }

static struct mmu_entry read_entry(uint64_t raw, unsigned level)
{
	struct mmu_entry e = {.kind = level == 1 ? MMU_PAGE : MMU_TABLE, .pa = raw & ADDRESS};

	if (!(raw & P)) {
		/* Ignored by the walk, but a speculative load may use the address (L1TF): no real memory there. */
		if (raw != 0 && !(raw & RESERVED))
			return malformed("the address of an entry that is not present is one of real memory");
		return (struct mmu_entry){.kind = MMU_ABSENT};
	}
	if (raw & RESERVED)
		return malformed("a reserved address bit is set");
	if (raw & PS)
		return malformed(level == 1 ? "PAT is set" : "PS is set");
	if (raw & (PWT | PCD))
		return malformed("not ordinary cached memory");
	if (level == 1 && (raw & G))
		return malformed("a user's page is global");
	e.rights = raw & US ? MMU_READ | (raw & RW ? MMU_WRITE : 0) | (raw & XD ? 0 : MMU_EXEC) : 0;
	e.accessed = (raw & A) != 0;
	e.dirty = (raw & D) != 0;
	return e;
}

const struct mmu_format mmu_x86_64 = {
	.name = "x86_64",
	.nr_levels = 4,
	.index_bits = 9,
	.read = read_entry,
	.accessed_bit = A,
	.dirty_bit = D,
	.walks_again = true, /* 4.10.2.3: a fault invalidates the TLB entries of its address */
};
