/*
 * aarch64: Arm Architecture Reference Manual for A-profile, D8.2 and D8.3 (stage 1,
 * 4 KiB granule, 48-bit addresses), D8.4 (permissions), D8.5 (access flag).
 * EL1&0, TTBR0. TCR_EL1.HPD0 = 0 (hierarchical permissions count), HA = HD = 0 (software
 * sets the access flag), SCTLR_EL1.WXN = 0, no BTI. MAIR_EL1 attribute 0 is normal memory.
 */
#include "mmu.h"

#define BIT(n) ((uint64_t)1 << (n))
#define VALID BIT(0)
#define TABLE_OR_PAGE BIT(1)
#define ATTR_INDEX (BIT(2) | BIT(3) | BIT(4))
#define NS BIT(5)
#define AP1 BIT(6) /* EL0 may access */
#define AP2 BIT(7) /* read-only */
#define SH (BIT(8) | BIT(9))
#define SH_INNER SH
#define AF BIT(10)
#define NG BIT(11)
#define ADDRESS 0x0000fffffffff000ull
#define RES0_ADDRESS (BIT(48) | BIT(49) | BIT(50) | BIT(51)) /* a table's; a page's: address, GP, DBM */
#define CONTIGUOUS BIT(52)
#define PXN BIT(53)
#define UXN BIT(54)
#define HIGH_ATTRIBUTES (BIT(59) | BIT(60) | BIT(61) | BIT(62) | BIT(63))
#define PXN_TABLE BIT(59)
#define UXN_TABLE BIT(60)
#define AP_TABLE0 BIT(61) /* no access from EL0 beneath */
#define AP_TABLE1 BIT(62) /* no writes beneath */
#define NS_TABLE BIT(63)

static struct mmu_entry malformed(const char *why) { return (struct mmu_entry){.kind = MMU_MALFORMED, .why = why}; }

static struct mmu_entry read_table(uint64_t raw)
{
	struct mmu_entry e = {.kind = MMU_TABLE, .pa = raw & ADDRESS, .rights = MMU_ALL, .accessed = true};

	if (!(raw & TABLE_OR_PAGE))
		return malformed("a block descriptor");
	if (raw & RES0_ADDRESS)
		return malformed("a table descriptor with reserved bits");
	if (raw & NS_TABLE)
		return malformed("NSTable is set");
	if (raw & AP_TABLE0)
		e.rights = raw & UXN_TABLE ? 0 : MMU_EXEC;
	if (raw & AP_TABLE1)
		e.rights &= ~(unsigned)MMU_WRITE;
	if (raw & UXN_TABLE)
		e.rights &= ~(unsigned)MMU_EXEC;
	return e;
}

static struct mmu_entry read_page(uint64_t raw)
{
	struct mmu_entry e = {.kind = MMU_PAGE, .pa = raw & ADDRESS, .dirty = true};

	if (!(raw & TABLE_OR_PAGE))
		return malformed("a reserved descriptor at level 3");
	if (raw & RES0_ADDRESS)
		return malformed("a page descriptor with reserved bits, GP or DBM");
	if (raw & ATTR_INDEX)
		return malformed("AttrIndx is not that of normal memory");
	if ((raw & SH) != SH_INNER)
		return malformed("not inner shareable");
	if (raw & NS)
		return malformed("NS is set");
	if (raw & CONTIGUOUS)
		return malformed("the contiguous bit is set");
	if (!(raw & NG))
		return malformed("a user's page is global");
	if (!(raw & PXN))
		return malformed("the kernel may execute a user's page");
	if (raw & HIGH_ATTRIBUTES)
		return malformed("bits 63 to 59 are set");
	if (raw & AP1)
		e.rights = MMU_READ | (raw & AP2 ? 0 : MMU_WRITE);
	if (!(raw & UXN))
		e.rights |= MMU_EXEC;
	e.accessed = (raw & AF) != 0;
	return e;
}

static struct mmu_entry read_entry(uint64_t raw, unsigned level)
{
	if (!(raw & VALID))
		return (struct mmu_entry){.kind = MMU_ABSENT};
	return level == 1 ? read_page(raw) : read_table(raw);
}

/* Bits of faults stay in the TLB until they are flushed: a stricter entry is not looked up again. */
const struct mmu_format mmu_aarch64 = {
	.name = "aarch64", .nr_levels = 4, .index_bits = 9, .read = read_entry, .walks_again = false};
