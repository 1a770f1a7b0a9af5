/*
 * Address spaces on hardware that walks the page tables itself: which identifier (PCID, ASID) tags
 * the cached translations of which address space, and what a flush costs.
 *
 * Identifiers are given out in ascending order. When they run out, everything cached is forgotten and a
 * new generation begins; an address space whose identifier is of an older generation gets another one
 * when it is switched to. as->machine is generation << ASID_SHIFT | identifier; 0: none.
 * So what a dead address space leaves in the TLB is never seen again, and a flush of one
 * that is not loaded takes its identifier away. One CPU: no lock.
 */
#include "abi/errno.h"
#include "arch/machine.h"
#include "metal/internal.h"
#include "mm/aspace.h"

#define ASID_SHIFT 16
#define FLUSH_PAGES_MAX 32u /* more pages than this: the whole identifier */

static uint64_t generation = 1, next_asid = 1;
static const struct aspace *loaded;

static unsigned asid_of(const struct aspace *as) { return (unsigned)(as->machine & ((1u << ASID_SHIFT) - 1)); }

static bool has_asid(const struct aspace *as) { return as->machine >> ASID_SHIFT == generation; }

static void give_asid(struct aspace *as)
{
	if (next_asid >> machine_asid_bits() != 0) {
		machine_tlb_flush_everything();
		generation++;
		next_asid = 1;
	}
	as->machine = generation << ASID_SHIFT | next_asid++;
}

int arch_mmu_attach(struct aspace *as, struct aspace *like, const struct inode *program)
{
	(void)like, (void)program;
	as->machine = 0;
	return 0;
}

void arch_mmu_detach(struct aspace *as)
{
	if (loaded == as)
		arch_mmu_switch(NULL);
	machine_mmu_forget(pfn_to_phys(as->pt.root));
}

void arch_mmu_switch(struct aspace *as)
{
	loaded = as;
	if (as == NULL) {
		machine_mmu_unload();
	} else if (machine_asid_bits() == 0) {
		machine_mmu_load(pfn_to_phys(as->pt.root), 0, true);
	} else {
		if (!has_asid(as))
			give_asid(as);
		machine_mmu_load(pfn_to_phys(as->pt.root), asid_of(as), false);
	}
}

void arch_tlb_flush_range(struct aspace *as, uaddr_t start, uaddr_t end)
{
	if (as != loaded) {
		as->machine = 0;
	} else if ((end.raw - start.raw) >> PAGE_SHIFT > FLUSH_PAGES_MAX) {
		machine_tlb_flush_asid(asid_of(as));
	} else {
		for (uint64_t va = start.raw; va < end.raw; va += PAGE_SIZE)
			machine_tlb_flush_page(asid_of(as), va);
	}
}

void arch_tlb_flush_all(struct aspace *as)
{
	if (as != loaded)
		as->machine = 0;
	else
		machine_tlb_flush_asid(asid_of(as));
}

/* Hardware keeps no frames of an address space that is gone. */
pfn_t arch_mmu_recycle(struct aspace *as, uaddr_t va)
{
	(void)as, (void)va;
	return PFN_NONE;
}
void arch_mmu_warm(struct aspace *as) { (void)as; }
size_t arch_mmu_shrink(void) { return 0; }
uint32_t arch_mmu_frame_refs(pfn_t pfn)
{
	(void)pfn;
	return 0;
}

/*
 * By instructions (user/bench.c under -icount, both architectures). First writes: fork, exit and wait of a static
 * program cost 16 % less than without, each of 200 children 22 %; four save less than six, eight no more. Pages the
 * parent wrote lately, copied as well, are more often than not ones nobody writes. Window: a first touch costs
 * a third of what it costs without; twice as much saves a tenth more, and takes memory that may never be used.
 */
unsigned arch_fork_hot_pages(void) { return 0; }
unsigned arch_fork_first_writes(void) { return 6; }
unsigned arch_fault_window_pages(void) { return 16; }
