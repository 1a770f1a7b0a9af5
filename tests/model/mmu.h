/*
 * A processor's memory management unit in software, for tests: it walks the raw
 * bytes of a page table as the manuals of each format describe it, and knows
 * nothing of src/mm. In front of the walk stand a TLB and a cache of the tables
 * on the way (paging-structure cache, walk cache). Both keep everything until they
 * are told to forget, so a forgotten flush, or a table freed before the flush, shows.
 */
#ifndef MODEL_MMU_H
#define MODEL_MMU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the user wants to do, what an entry allows. */
enum mmu_right { MMU_READ = 1, MMU_WRITE = 2, MMU_EXEC = 4, MMU_ALL = 7 };

enum mmu_result {
	MMU_OK,
	MMU_NOT_PRESENT,  /* translation fault */
	MMU_NO_RIGHT,	  /* permission fault */
	MMU_NOT_ACCESSED, /* access flag fault: the format wants software to set the flag */
	MMU_BROKEN,	  /* an entry as no kernel may write it; why says what */
};

/* One entry, read as hardware does. */
struct mmu_entry {
	enum { MMU_ABSENT, MMU_TABLE, MMU_PAGE, MMU_MALFORMED } kind;
	uint64_t pa;
	unsigned rights; /* of the user; table: the most that anything beneath it has */
	bool accessed, dirty;
	const char *why; /* MMU_MALFORMED */
};

struct mmu_format {
	const char *name;
	unsigned nr_levels, index_bits;
	/* level 1 holds pages. */
	struct mmu_entry (*read)(uint64_t raw, unsigned level);
	/* Bits hardware sets by itself; 0: it faults, or knows no such bit. */
	uint64_t accessed_bit, dirty_bit;
	/* When the TLB says no, is the table asked once more before the fault? */
	bool walks_again;
};
extern const struct mmu_format mmu_x86_64, mmu_aarch64, mmu_odd;

#define MMU_LEVELS_MAX 4
#define MMU_SPANS_MAX 16
#define MMU_PAGES_MAX 1600

/* One address space as a processor sees it, for the window [base, base + nr_pages). */
struct mmu {
	const struct mmu_format *format;
	uint64_t root, base;
	unsigned nr_pages;
	/* The bytes of physical memory, for a table or a page; NULL, with *why: there is none in use. */
	void *(*memory)(uint64_t pa, bool is_table, const char **why);
	const char *why; /* the last MMU_BROKEN */
	bool keeps_tables; /* planted bug of a test: flushes forget translations, but not tables */
	struct {
		uint64_t pa;
		uint8_t rights; /* 0: nothing is cached */
	} tlb[MMU_PAGES_MAX];
	/* By level of the slot: the table it points at, and what all slots down to it allow. */
	struct {
		uint64_t pa;
		uint8_t rights;
		bool is_valid;
	} tables[MMU_LEVELS_MAX + 1][MMU_SPANS_MAX];
};

void mmu_init(struct mmu *m, const struct mmu_format *format, uint64_t root, uint64_t base, unsigned nr_pages);

/* An access of the user to va, access: one enum mmu_right. On MMU_OK *pa is the physical address. */
enum mmu_result mmu_access(struct mmu *m, uint64_t va, unsigned access, uint64_t *pa);
/* What the tables say, without caches and without setting bits. rights 0: not present. */
enum mmu_result mmu_look(struct mmu *m, uint64_t va, struct mmu_entry *out);
/* Forgets [start, end), the tables on the way included. */
void mmu_flush(struct mmu *m, uint64_t start, uint64_t end);

/* Does any cache say more than the tables do? NULL, or what it is, and *va. */
const char *mmu_find_stale(struct mmu *m, uint64_t *va);

#endif
