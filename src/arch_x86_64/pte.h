/*
 * x86_64 page-table entry codec: 4 levels of 512 entries, 4 KiB pages (Intel
 * SDM vol. 3A, 4.5). Pure C, no privileged state: it compiles everywhere.
 *
 * Effective write permission is the AND of R/W over all levels, so R/W of a
 * table entry is the write permission of the whole subtree. The format cannot
 * say "not readable": such pages carry a software bit. A page without any right
 * is not present to the hardware; its address is stored inverted, so that no
 * speculative access can hit real memory through it (L1TF).
 */
#ifndef PTE_CODEC_H
#define PTE_CODEC_H

#include "mm/prot.h"
#include "mm/pt.h"

#define PTE_NAME "x86_64"
#define PTE_LEVELS 4
#define PTE_INDEX_BITS 9
/* May a valid entry be replaced by another valid one before the flush? */
#define PTE_BREAK_BEFORE_MAKE 0

#define PTE_X86_P ((uint64_t)1 << 0)
#define PTE_X86_RW ((uint64_t)1 << 1)
#define PTE_X86_US ((uint64_t)1 << 2)
#define PTE_X86_A ((uint64_t)1 << 5)
#define PTE_X86_D ((uint64_t)1 << 6)
#define PTE_X86_SW_SHARED ((uint64_t)1 << 9)
#define PTE_X86_SW_NOREAD ((uint64_t)1 << 10)
#define PTE_X86_SW_PAGE ((uint64_t)1 << 11) /* a page, not a table; keeps the entry non-zero */
#define PTE_X86_NX ((uint64_t)1 << 63)
#define PTE_X86_ADDR 0x000ffffffffff000ull

static inline bool pte_is_absent(pte_t e) { return e.raw == 0; }

static inline bool pte_is_page(pte_t e) { return (e.raw & PTE_X86_SW_PAGE) != 0; }

static inline pte_t pte_make_table(paddr_t pa, bool writable)
{
	return (pte_t){pa.raw | PTE_X86_P | PTE_X86_US | PTE_X86_A | (writable ? PTE_X86_RW : 0)};
}

static inline pte_t pte_make_page(paddr_t pa, prot_t prot, unsigned attrs)
{
	uint64_t raw = PTE_X86_SW_PAGE;

	raw |= prot.raw == 0 ? ~pa.raw & PTE_X86_ADDR : pa.raw | PTE_X86_P;
	raw |= prot_has(prot, PROT_BIT_R) ? 0 : PTE_X86_SW_NOREAD;
	raw |= prot_has(prot, PROT_BIT_W) ? PTE_X86_RW : 0;
	raw |= prot_has(prot, PROT_BIT_X) ? 0 : PTE_X86_NX;
	raw |= attrs & PT_USER ? PTE_X86_US : 0;
	raw |= attrs & PT_ACCESSED ? PTE_X86_A : 0;
	raw |= attrs & PT_DIRTY ? PTE_X86_D : 0;
	raw |= attrs & PT_SHARED ? PTE_X86_SW_SHARED : 0;
	return (pte_t){raw};
}

static inline paddr_t pte_phys(pte_t e)
{
	return (paddr_t){(e.raw & PTE_X86_P ? e.raw : ~e.raw) & PTE_X86_ADDR};
}

/* The same of a table entry only. */
static inline paddr_t pte_table_phys(pte_t e) { return (paddr_t){e.raw & PTE_X86_ADDR}; }

/* Of a page: its rights in this entry alone. */
static inline prot_t pte_prot(pte_t e)
{
	return prot_make((e.raw & PTE_X86_SW_NOREAD ? 0 : PROT_BIT_R) |
			 (e.raw & PTE_X86_RW ? PROT_BIT_W : 0) | (e.raw & PTE_X86_NX ? 0 : PROT_BIT_X));
}

static inline unsigned pte_attrs(pte_t e)
{
	return (e.raw & PTE_X86_US ? PT_USER : 0) | (e.raw & PTE_X86_A ? PT_ACCESSED : 0) |
	       (e.raw & PTE_X86_D ? PT_DIRTY : 0) | (e.raw & PTE_X86_SW_SHARED ? PT_SHARED : 0);
}

/* Write permission of a table or page entry. */
static inline bool pte_is_writable(pte_t e) { return (e.raw & PTE_X86_RW) != 0; }

static inline pte_t pte_without_write(pte_t e) { return (pte_t){e.raw & ~PTE_X86_RW}; }

/* A page entry nobody has used since: neither accessed nor dirty. */
static inline pte_t pte_aged(pte_t e) { return (pte_t){e.raw & ~(PTE_X86_A | PTE_X86_D)}; }

/* Of a table entry only; pages are re-made. */
static inline pte_t pte_table_with_write(pte_t e) { return (pte_t){e.raw | PTE_X86_RW}; }

#endif
