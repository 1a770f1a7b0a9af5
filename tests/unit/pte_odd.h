/*
 * A page-table format no machine has: 3 levels of 256 entries, address in the
 * high bits, rights stored inverted in the low ones. It keeps "4 levels of
 * 512" and every assumption about bit positions out of src/mm.
 */
#ifndef PTE_CODEC_H
#define PTE_CODEC_H

#include "mm/prot.h"
#include "mm/pt.h"

#define PTE_NAME "odd"
#define PTE_LEVELS 3
#define PTE_INDEX_BITS 8
#define PTE_BREAK_BEFORE_MAKE 0

#define PTE_ODD_KIND 3ull /* 1 page, 2 table */
#define PTE_ODD_NO_R (1ull << 2)
#define PTE_ODD_NO_W (1ull << 3)
#define PTE_ODD_NO_X (1ull << 4)
#define PTE_ODD_ATTR_SHIFT 5
#define PTE_ODD_ADDR_SHIFT 10

static inline bool pte_is_absent(pte_t e) { return e.raw == 0; }

static inline bool pte_is_page(pte_t e) { return (e.raw & PTE_ODD_KIND) == 1; }

static inline pte_t pte_make_table(paddr_t pa, bool writable)
{
	return (pte_t){(pa.raw << PTE_ODD_ADDR_SHIFT) | 2 | (writable ? 0 : PTE_ODD_NO_W)};
}

static inline pte_t pte_make_page(paddr_t pa, prot_t prot, unsigned attrs)
{
	return (pte_t){(pa.raw << PTE_ODD_ADDR_SHIFT) | 1 | ((uint64_t)(~prot.raw & 7) << 2) |
		       ((uint64_t)attrs << PTE_ODD_ATTR_SHIFT)};
}

static inline paddr_t pte_phys(pte_t e) { return (paddr_t){(e.raw >> PTE_ODD_ADDR_SHIFT) & PAGE_MASK}; }

/* The same of a table entry only. */
static inline paddr_t pte_table_phys(pte_t e) { return pte_phys(e); }

static inline prot_t pte_prot(pte_t e) { return prot_make((uint32_t)(~e.raw >> 2) & 7); }

static inline unsigned pte_attrs(pte_t e) { return (unsigned)(e.raw >> PTE_ODD_ATTR_SHIFT) & 15; }

static inline bool pte_is_writable(pte_t e) { return (e.raw & PTE_ODD_NO_W) == 0; }

static inline pte_t pte_without_write(pte_t e) { return (pte_t){e.raw | PTE_ODD_NO_W}; }

static inline pte_t pte_aged(pte_t e)
{
	return (pte_t){e.raw & ~((uint64_t)(PT_ACCESSED | PT_DIRTY) << PTE_ODD_ATTR_SHIFT)};
}

static inline pte_t pte_table_with_write(pte_t e) { return (pte_t){e.raw & ~PTE_ODD_NO_W}; }

#endif
