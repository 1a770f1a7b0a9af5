/*
 * Translations of the kernel's half, and the instructions that change and forget the user's (Intel SDM 3A, 4).
 *
 * kernel_root's upper half is the kernel: slot 256 the direct map, slot 511 the image and the devices. Both are
 * built once and never change at that level, so machine_mmu_load() copies the two slots into a user's root when it
 * first sees it. Kernel pages are global, user pages are not.
 */
#include "boot.h"
#include "arch/machine.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/frame.h"

#define P (UINT64_C(1) << 0)
#define RW (UINT64_C(1) << 1)
#define UNCACHED (UINT64_C(3) << 3) /* PWT PCD */
#define ACCESSED (UINT64_C(1) << 5)
#define DIRTY (UINT64_C(1) << 6)
#define LARGE (UINT64_C(1) << 7)
#define GLOBAL (UINT64_C(1) << 8)
#define NX (UINT64_C(1) << 63)
#define TEXT (P | ACCESSED | GLOBAL)
#define RODATA (TEXT | NX)
#define DATA (RODATA | RW | DIRTY)

#define SLOTS 512u
#define SIZE_2M (UINT64_C(1) << 21)
#define SIZE_1G (UINT64_C(1) << 30)
#define BOOT_MAPPED_END (4 * SIZE_1G)

#define DIRECT_SLOT 256u
#define TOP_SLOT 511u
#define TOP_IMAGE_SLOT 510u  /* KERNEL_BASE within the top slot */
#define TOP_DEVICE_SLOT 511u /* DEVICE_BASE */

#define ASID_BITS 12u
#define CR3_KEEP (UINT64_C(1) << 63)
#define CR4_PGE (UINT64_C(1) << 7)

#define TABLE(name) static uint64_t name[SLOTS] __attribute__((aligned(PAGE_SIZE)))
TABLE(kernel_root);
TABLE(direct_pdpt);
TABLE(direct_first_pd);
TABLE(top_pdpt);
TABLE(image_pd);
TABLE(device_pd);
TABLE(device_pt);
static uint64_t image_pt[IMAGE_TABLES][SLOTS] __attribute__((aligned(PAGE_SIZE)));

static uint64_t phys_of(const void *p) { return (uint64_t)p - KERNEL_BASE; }

/* ---- the kernel's half --------------------------------------------------- */

/* A page for a table, from the top of what is free below 4 GiB, taken out of both maps. */
static uint64_t *table_alloc(struct memmap *memory, struct memmap *free)
{
	for (unsigned i = free->nr; i-- > 0;) {
		uint64_t end = page_round_down(MIN(free->range[i].end, BOOT_MAPPED_END));
		uint64_t pa = end - PAGE_SIZE;

		if (end < PAGE_SIZE || pa < free->range[i].start)
			continue;
		memmap_remove(free, pa, PAGE_SIZE);
		memmap_remove(memory, pa, PAGE_SIZE);
		return memset(phys_to_ptr((paddr_t){pa}), 0, PAGE_SIZE);
	}
	boot_fail("no memory for page tables");
}

/* 2 MiB pages for [start, end) of one GiB. */
static void map_large_pages(uint64_t *pd, uint64_t start, uint64_t end)
{
	for (uint64_t pa = start; pa < end; pa += SIZE_2M)
		pd[pa / SIZE_2M % SLOTS] = pa | DATA | LARGE;
}

static void map_memory(struct memmap *memory, struct memmap *free)
{
	const struct memmap all = *memory;

	direct_pdpt[0] = phys_of(direct_first_pd) | P | RW;
	for (unsigned i = 0; i < all.nr; i++) {
		uint64_t start = all.range[i].start & ~(SIZE_2M - 1), end = ALIGN_UP(all.range[i].end, SIZE_2M);

		while (start < end) {
			uint64_t *slot = &direct_pdpt[start / SIZE_1G], next = (start & ~(SIZE_1G - 1)) + SIZE_1G;

			next = MIN(next, end);
			if (*slot == 0 && next - start == SIZE_1G && cpu_features.has_1gib_pages) {
				*slot = start | DATA | LARGE;
			} else {
				if (*slot == 0)
					*slot = ((uint64_t)((char *)table_alloc(memory, free) - arch_phys_base)) |
						P | RW;
				map_large_pages(*slot == (phys_of(direct_first_pd) | P | RW)
							? direct_first_pd
							: phys_to_ptr((paddr_t){*slot & PAGE_MASK}),
						start, next);
			}
			start = next;
		}
	}
}

/* The image's pages, where it is linked and, without the right to execute, in the direct map. */
static void map_image(void)
{
	const uint64_t start = machine_image_start().raw;

	for (unsigned i = 0; i < IMAGE_TABLES * SLOTS; i++) {
		uint64_t pa = start + i * PAGE_SIZE, va = pa + KERNEL_BASE, rights = DATA;

		if (va < (uint64_t)rodata_end)
			rights = va >= (uint64_t)text_start && va < (uint64_t)text_end ? TEXT : RODATA;
		if (va != (uint64_t)boot_stack_guard)
			image_pt[i / SLOTS][i % SLOTS] = pa | rights;
	}
	for (unsigned i = 0; i < IMAGE_TABLES; i++) {
		unsigned slot = (unsigned)(start / SIZE_2M) + i;

		image_pd[slot] = phys_of(image_pt[i]) | P | RW;
		if (start + i * SIZE_2M < machine_image_end().raw)
			direct_first_pd[slot] = phys_of(image_pt[i]) | P | RW | NX;
	}
	top_pdpt[TOP_IMAGE_SLOT] = phys_of(image_pd) | P | RW;
}

void mmu_init(struct metal_boot *boot)
{
	struct memmap free = boot->memory;
	uint64_t image = machine_image_start().raw;

	memmap_remove(&free, image, machine_image_end().raw - image);
	memmap_remove(&free, boot->initrd_start.raw, boot->initrd_end.raw - boot->initrd_start.raw);
	if ((uint64_t)boot->cmdline < KERNEL_BASE)
		memmap_remove(&free, (uint64_t)(boot->cmdline - arch_phys_base), strlen(boot->cmdline) + 1);
	map_memory(&boot->memory, &free);
	map_image();
	device_pd[0] = phys_of(device_pt) | P | RW;
	top_pdpt[TOP_DEVICE_SLOT] = phys_of(device_pd) | P | RW;
	kernel_root[DIRECT_SLOT] = phys_of(direct_pdpt) | P | RW | NX;
	kernel_root[TOP_SLOT] = phys_of(top_pdpt) | P | RW;
	WRITE_CR(3, phys_of(kernel_root));
	aspace_set_pt_ops(&pt_ops_x86_64);
	machine_tlb_flush_everything();
}

volatile void *mmu_map_device(uint64_t pa)
{
	static unsigned nr;

	ASSERT(nr < SLOTS);
	device_pt[nr] = page_round_down(pa) | DATA | UNCACHED;
	return (volatile char *)DEVICE_BASE + nr++ * PAGE_SIZE + page_offset(pa);
}

/* ---- the user's half ----------------------------------------------------- */

uint64_t arch_user_end(void) { return UINT64_C(0x7ffffffff000); }

unsigned machine_asid_bits(void) { return cpu_features.has_pcid ? ASID_BITS : 0; }

void machine_mmu_load(paddr_t root, unsigned asid, bool forget)
{
	uint64_t *slots = phys_to_ptr(root);

	if (slots[TOP_SLOT] == 0) {
		slots[DIRECT_SLOT] = kernel_root[DIRECT_SLOT];
		slots[TOP_SLOT] = kernel_root[TOP_SLOT];
	}
	WRITE_CR(3, root.raw | asid | (cpu_features.has_pcid && !forget ? CR3_KEEP : 0));
}

void machine_mmu_forget(paddr_t root)
{
	uint64_t *slots = phys_to_ptr(root);

	slots[DIRECT_SLOT] = slots[TOP_SLOT] = 0;
}

void machine_mmu_unload(void) { WRITE_CR(3, phys_of(kernel_root) | (cpu_features.has_pcid ? CR3_KEEP : 0)); }

enum { INVPCID_ADDRESS, INVPCID_ASID, INVPCID_ALL, INVPCID_ALL_NOT_GLOBAL };

static void invpcid(uint64_t kind, uint64_t asid, uint64_t va)
{
	const struct { uint64_t asid, va; } what = {asid, va};

	__asm__ volatile("invpcid %0, %1" : : "m"(what), "r"(kind) : "memory");
}

void machine_tlb_flush_page(unsigned asid, uint64_t va)
{
	if (asid == (READ_CR(3) & (PAGE_SIZE - 1)))
		__asm__ volatile("invlpg (%0)" : : "r"(va) : "memory");
	else
		machine_tlb_flush_asid(asid);
}

void machine_tlb_flush_asid(unsigned asid)
{
	const uint64_t cr3 = READ_CR(3);

	if (asid == (cr3 & (PAGE_SIZE - 1))) {
		WRITE_CR(3, cr3);
	} else if (cpu_features.has_invpcid) {
		invpcid(INVPCID_ASID, asid, 0);
	} else {
		WRITE_CR(3, phys_of(kernel_root) | asid);
		WRITE_CR(3, cr3 | CR3_KEEP);
	}
}

void machine_tlb_flush_everything(void)
{
	const uint64_t cr4 = READ_CR(4);

	if (cpu_features.has_invpcid) {
		invpcid(INVPCID_ALL, 0, 0);
	} else {
		WRITE_CR(4, cr4 & ~CR4_PGE);
		WRITE_CR(4, cr4);
	}
}
