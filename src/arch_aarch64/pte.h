/*
 * aarch64 page-table entry codec: stage 1, 4 levels of 512 entries, 4 KiB
 * granule (Arm ARM, D8.3). Pure C, no privileged state: it compiles everywhere.
 *
 * APTable[1] of a table descriptor removes write permission from the whole
 * subtree (TCR_EL1.HPD0 must be 0). Dirty is a software bit: a page is
 * writable to the hardware only when it is dirty too, so the first write
 * traps and the walker sets the bit (no FEAT_HAFDBS needed). Likewise AF is
 * set by software. A page that may be executed but not read has no EL0
 * access (AP[1] = 0, UXN = 0), as the architecture offers; a page without any
 * right is invalid to the hardware. Memory type: MAIR index 0, inner shareable.
 */
#ifndef PTE_CODEC_H
#define PTE_CODEC_H

#include "mm/prot.h"
#include "mm/pt.h"

#define PTE_NAME "aarch64"
#define PTE_LEVELS 4
#define PTE_INDEX_BITS 9
/* Changing a table or frame address needs an invalid entry and a flush in between. */
#define PTE_BREAK_BEFORE_MAKE 1

#define PTE_ARM_VALID ((uint64_t)1 << 0)
#define PTE_ARM_TYPE ((uint64_t)1 << 1) /* table, or page at the last level */
#define PTE_ARM_AP_EL0 ((uint64_t)1 << 6)
#define PTE_ARM_AP_RO ((uint64_t)1 << 7)
#define PTE_ARM_SH_INNER ((uint64_t)3 << 8)
#define PTE_ARM_AF ((uint64_t)1 << 10)
#define PTE_ARM_NG ((uint64_t)1 << 11)
#define PTE_ARM_SW_TABLE                                                                                     \
	((uint64_t)1 << 52) /* ignored in table descriptors; "contiguous" of a page, never set */
#define PTE_ARM_PXN ((uint64_t)1 << 53)
#define PTE_ARM_UXN ((uint64_t)1 << 54)
#define PTE_ARM_SW_DIRTY ((uint64_t)1 << 55)
#define PTE_ARM_SW_WRITE ((uint64_t)1 << 56)
#define PTE_ARM_SW_SHARED ((uint64_t)1 << 57)
#define PTE_ARM_SW_NOREAD ((uint64_t)1 << 58)
#define PTE_ARM_APTABLE_RO ((uint64_t)1 << 62)
#define PTE_ARM_ADDR 0x0000fffffffff000ull

static inline bool pte_is_absent(pte_t e) { return e.raw == 0; }

static inline bool pte_is_page(pte_t e)
{
	return (e.raw & PTE_ARM_TYPE) != 0 && (e.raw & PTE_ARM_SW_TABLE) == 0;
}

static inline pte_t pte_make_table(paddr_t pa, bool writable)
{
	return (pte_t){pa.raw | PTE_ARM_VALID | PTE_ARM_TYPE | PTE_ARM_SW_TABLE |
		       (writable ? 0 : PTE_ARM_APTABLE_RO)};
}

static inline uint64_t pte_arm_execute_never(prot_t prot, bool is_user)
{
	bool exec = prot_has(prot, PROT_BIT_X);

	if (is_user)
		return PTE_ARM_PXN | (exec ? 0 : PTE_ARM_UXN);
	return PTE_ARM_UXN | (exec ? 0 : PTE_ARM_PXN);
}

static inline pte_t pte_make_page(paddr_t pa, prot_t prot, unsigned attrs)
{
	bool is_user = (attrs & PT_USER) != 0;
	bool write = prot_has(prot, PROT_BIT_W);
	uint64_t raw = pa.raw | PTE_ARM_TYPE | PTE_ARM_SH_INNER | pte_arm_execute_never(prot, is_user);

	raw |= prot.raw == 0 ? 0 : PTE_ARM_VALID;
	raw |= is_user ? PTE_ARM_NG : 0;
	raw |= is_user && prot.raw != PROT_BIT_X ? PTE_ARM_AP_EL0 : 0;
	raw |= write && (attrs & PT_DIRTY) ? 0 : PTE_ARM_AP_RO;
	raw |= write ? PTE_ARM_SW_WRITE : 0;
	raw |= prot_has(prot, PROT_BIT_R) ? 0 : PTE_ARM_SW_NOREAD;
	raw |= attrs & PT_ACCESSED ? PTE_ARM_AF : 0;
	raw |= attrs & PT_DIRTY ? PTE_ARM_SW_DIRTY : 0;
	raw |= attrs & PT_SHARED ? PTE_ARM_SW_SHARED : 0;
	return (pte_t){raw};
}

static inline paddr_t pte_phys(pte_t e) { return (paddr_t){e.raw & PTE_ARM_ADDR}; }

/* The same of a table entry only. */
static inline paddr_t pte_table_phys(pte_t e) { return pte_phys(e); }

static inline prot_t pte_prot(pte_t e)
{
	uint64_t never = e.raw & PTE_ARM_NG ? PTE_ARM_UXN : PTE_ARM_PXN;

	return prot_make((e.raw & PTE_ARM_SW_NOREAD ? 0 : PROT_BIT_R) |
			 (e.raw & PTE_ARM_SW_WRITE ? PROT_BIT_W : 0) | (e.raw & never ? 0 : PROT_BIT_X));
}

static inline unsigned pte_attrs(pte_t e)
{
	return (e.raw & PTE_ARM_NG ? PT_USER : 0) | (e.raw & PTE_ARM_AF ? PT_ACCESSED : 0) |
	       (e.raw & PTE_ARM_SW_DIRTY ? PT_DIRTY : 0) | (e.raw & PTE_ARM_SW_SHARED ? PT_SHARED : 0);
}

/* Write permission of a table or page entry. */
static inline bool pte_is_writable(pte_t e)
{
	return e.raw & PTE_ARM_SW_TABLE ? (e.raw & PTE_ARM_APTABLE_RO) == 0 : (e.raw & PTE_ARM_SW_WRITE) != 0;
}

static inline pte_t pte_without_write(pte_t e)
{
	if (e.raw & PTE_ARM_SW_TABLE)
		return (pte_t){e.raw | PTE_ARM_APTABLE_RO};
	return (pte_t){(e.raw & ~PTE_ARM_SW_WRITE) | PTE_ARM_AP_RO};
}

/* A page entry nobody has used since: neither accessed nor dirty. */
static inline pte_t pte_aged(pte_t e)
{
	return (pte_t){(e.raw & ~(PTE_ARM_AF | PTE_ARM_SW_DIRTY)) | PTE_ARM_AP_RO};
}

/* Of a table entry only; pages are re-made. */
static inline pte_t pte_table_with_write(pte_t e) { return (pte_t){e.raw & ~PTE_ARM_APTABLE_RO}; }

#endif
