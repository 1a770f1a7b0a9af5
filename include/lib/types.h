/*
 * Basic types. Addresses, frame numbers, page-table entries and access rights
 * are one-member structs, so that the compiler refuses to mix them up.
 */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>


/* Physical address. Reach its bytes with phys_to_ptr() (mm/frame.h). */
typedef struct { uint64_t raw; } paddr_t;
/* User virtual address: never dereferenced, only walked or copied through. */
typedef struct { uint64_t raw; } uaddr_t;
/* Page frame number: physical address / PAGE_SIZE. 0 is never a valid frame. */
typedef struct { uint32_t raw; } pfn_t;
/* One page-table entry, in the format of a codec (arch_<name>/pte.h). */
typedef struct { uint64_t raw; } pte_t;
/* Access rights: a set of PROT_R, PROT_W, PROT_X bits (mm/prot.h). */
typedef struct { uint32_t raw; } prot_t;

#define PAGE_SHIFT 12
#define PAGE_SIZE ((uint64_t)1 << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

#define PFN_NONE ((pfn_t){0})

static inline bool pfn_is_none(pfn_t pfn) { return pfn.raw == 0; }
static inline bool pfn_equal(pfn_t a, pfn_t b) { return a.raw == b.raw; }
static inline paddr_t pfn_to_phys(pfn_t pfn) { return (paddr_t){(uint64_t)pfn.raw << PAGE_SHIFT}; }
static inline pfn_t phys_to_pfn(paddr_t pa) { return (pfn_t){(uint32_t)(pa.raw >> PAGE_SHIFT)}; }

static inline uaddr_t uaddr(uint64_t raw) { return (uaddr_t){raw}; }
static inline uaddr_t uaddr_add(uaddr_t a, uint64_t bytes) { return (uaddr_t){a.raw + bytes}; }
static inline uint64_t page_offset(uint64_t raw) { return raw & (PAGE_SIZE - 1); }
static inline uint64_t page_round_down(uint64_t raw) { return raw & PAGE_MASK; }
/* Wraps to 0 for the last page of the 64-bit space: check the range first. */
static inline uint64_t page_round_up(uint64_t raw) { return (raw + PAGE_SIZE - 1) & PAGE_MASK; }

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr) - offsetof(type, member)))
#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))
#define ALIGN_UP(x, a) (((x) + (a) - 1) & ~((__typeof__(x))(a) - 1))
#define NORETURN __attribute__((noreturn))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))
#define MUST_CHECK __attribute__((warn_unused_result))
#define ALWAYS_INLINE inline __attribute__((always_inline))
#define UNUSED __attribute__((unused))

#endif
