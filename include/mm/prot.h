/* Access rights as a set (prot_t). They are the page's exact rights: W does not imply R. */
#ifndef MM_PROT_H
#define MM_PROT_H

#include "lib/types.h"

#define PROT_BIT_R 1u
#define PROT_BIT_W 2u
#define PROT_BIT_X 4u

static inline prot_t prot_make(uint32_t bits) { return (prot_t){bits}; }
static inline bool prot_has(prot_t p, uint32_t bits) { return (p.raw & bits) == bits; }
static inline prot_t prot_without(prot_t p, uint32_t bits) { return (prot_t){p.raw & ~bits}; }
static inline prot_t prot_with(prot_t p, uint32_t bits) { return (prot_t){p.raw | bits}; }
static inline bool prot_equal(prot_t a, prot_t b) { return a.raw == b.raw; }

#endif
