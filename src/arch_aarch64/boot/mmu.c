/*
 * Translation: the kernel's half, built once, and what user mode's tables (src/mm/pt.c) need: the base
 * register with its ASID, and TLB maintenance. One CPU: maintenance is local.
 *
 * The direct map uses blocks of 1 GiB and 2 MiB, pages at the edges; it leaves out what is no
 * memory and the kernel image, whose own mapping has the rights its sections want.
 */
#include "boot.h"

#include "arch/machine.h"
#include "lib/string.h"
#include "metal/metal.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "user_abi.h"

#define ENTRIES 512
#define NR_TABLES 40 /* one a GiB with edges, one a 2 MiB with edges, one each 512 GiB */
#define DEVICE_PAGES (ENTRIES - 1)
#define DEVICE_BLOCKS 64
#define BLOCK_2M (UINT64_C(2) << 20)

char *arch_phys_base = (char *)DIRECT_BASE;

static uint64_t image_pa;
static uint64_t tables[NR_TABLES][ENTRIES] __attribute__((aligned(4096)));
static unsigned nr_tables_used, nr_device_pages;

static uint64_t pa_of(const void *kernel_ptr) { return (uint64_t)kernel_ptr - KERNEL_BASE + image_pa; }

/* After new entries: the walker sees them, the code that follows uses them. */
static void publish(void) { __asm__ volatile("dsb nshst\n\tisb" : : : "memory"); }

void mmu_init(uint64_t image)
{
	_Static_assert(ABI_SIGRETURN_CODE == DEVICE_BASE + DEVICE_PAGES * PAGE_SIZE, "the last device page");
	image_pa = image;
	kernel_device_table[DEVICE_PAGES] = pa_of(sigreturn_code) | DESC_KERNEL_SIGRETURN | DESC_PAGE;
	publish();
	aspace_set_pt_ops(&pt_ops_aarch64);
}

paddr_t machine_image_start(void) { return (paddr_t){image_pa}; }
paddr_t machine_image_end(void) { return (paddr_t){pa_of(image_end)}; }

/* ---- the kernel's half ------------------------------------------------------- */

/* The table beneath an entry, made if there is none. NULL: there are no more. */
static uint64_t *table_beneath(uint64_t *entry)
{
	if (*entry == 0) {
		if (nr_tables_used == NR_TABLES)
			return NULL;
		*entry = pa_of(tables[nr_tables_used++]) | DESC_TABLE;
	}
	return (uint64_t *)((*entry & 0x0000fffffffff000) - image_pa + KERNEL_BASE);
}

/*
 * Maps one block of the direct map, as large as fits at pa, unless it is mapped. Returns how much
 * is mapped from pa on, 0: out of tables.
 */
static uint64_t map_block(uint64_t pa, uint64_t end)
{
	uint64_t *table = kernel_root, size = UINT64_C(1) << 39;

	for (;;) {
		uint64_t *entry = &table[pa / size % ENTRIES];

		if (*entry == 0 && size <= UINT64_C(1) << 30 && pa % size == 0 && end - pa >= size)
			*entry = pa | DESC_KERNEL_DATA | (size == PAGE_SIZE ? DESC_PAGE : DESC_BLOCK);
		if (*entry != 0 && (size == PAGE_SIZE || (*entry & DESC_TABLE) == DESC_BLOCK))
			return size - pa % size;
		table = table_beneath(entry);
		if (table == NULL)
			return 0;
		size /= ENTRIES;
	}
}

bool mmu_map_memory(const struct memmap *m)
{
	bool is_complete = true;

	for (unsigned i = 0; i < m->nr; i++) {
		uint64_t pa = page_round_up(m->range[i].start);
		uint64_t end = MIN(page_round_down(m->range[i].end), DIRECT_SIZE);

		while (pa < end) {
			uint64_t size = map_block(pa, end);

			is_complete = is_complete && size != 0;
			pa += size != 0 ? size : end - pa;
		}
	}
	publish();
	return is_complete;
}

const void *mmu_map_fdt(uint64_t pa)
{
	uint64_t block = pa & ~(BLOCK_2M - 1);

	for (unsigned i = 0; i < 2; i++)
		kernel_top_table[FDT_SLOT + i] = (block + i * BLOCK_2M) | DESC_KERNEL_RODATA | DESC_BLOCK;
	publish();
	return (const void *)(FDT_BASE + (pa - block));
}

/* Large regions (GICv3's redistributors) get blocks behind the table of single pages. */
static uint64_t map_device_blocks(uint64_t pa, uint64_t end)
{
	static unsigned nr_used = 1;
	uint64_t first = pa & ~(BLOCK_2M - 1), va = DEVICE_BASE + nr_used * BLOCK_2M + (pa - first);

	if ((end - first + BLOCK_2M - 1) / BLOCK_2M > DEVICE_BLOCKS - nr_used)
		return 0;
	for (; first < end; first += BLOCK_2M)
		kernel_top_table[DEVICE_SLOT + nr_used++] = first | DESC_KERNEL_DEVICE | DESC_BLOCK;
	publish();
	return va;
}

uint64_t mmu_map_device(uint64_t pa, uint64_t size_bytes)
{
	uint64_t first = page_round_down(pa), end = page_round_up(pa + size_bytes), va;

	if (size_bytes == 0 || end <= first)
		return 0;
	if (end - first > DEVICE_PAGES / 4 * PAGE_SIZE)
		return map_device_blocks(pa, end);
	va = DEVICE_BASE + nr_device_pages * PAGE_SIZE + (pa - first);
	if ((end - first) / PAGE_SIZE > DEVICE_PAGES - nr_device_pages)
		return 0;
	for (; first < end; first += PAGE_SIZE)
		kernel_device_table[nr_device_pages++] = first | DESC_KERNEL_DEVICE | DESC_PAGE;
	publish();
	return va;
}

/* ---- instruction cache ----------------------------------------------------------- */

#define CTR_IDC 28 /* stores reach instruction fetches without a clean of the data cache */
#define CTR_DIC 29 /* ... and without an invalidation of the instruction cache */

static inline uint64_t line_bytes(uint64_t ctr, unsigned shift) { return UINT64_C(4) << (ctr >> shift & 15); }

/* Arm ARM, B2.7.4.2: clean to the point of unification, then invalidate. */
void arch_code_sync(pfn_t pfn)
{
	const uint64_t start = (uint64_t)pfn_to_ptr(pfn), ctr = read_sysreg("ctr_el0");

	if ((ctr >> CTR_IDC & 1) == 0)
		for (uint64_t at = start; at < start + PAGE_SIZE; at += line_bytes(ctr, 16))
			__asm__ volatile("dc cvau, %0" : : "r"(at) : "memory");
	__asm__ volatile("dsb ish" : : : "memory");
	if ((ctr >> CTR_DIC & 1) == 0)
		for (uint64_t at = start; at < start + PAGE_SIZE; at += line_bytes(ctr, 0))
			__asm__ volatile("ic ivau, %0" : : "r"(at) : "memory");
	__asm__ volatile("dsb ish\n\tisb" : : : "memory");
}

/* ---- user mode's half ---------------------------------------------------------- */

unsigned machine_asid_bits(void) { return (read_sysreg("id_aa64mmfr0_el1") >> 4 & 15) == 2 ? 16 : 8; }

#define TLB_FLUSH(operation, value)                                                                                    \
	__asm__ volatile("dsb nshst\n\ttlbi " operation ", %0\n\tdsb nsh\n\tisb" : : "r"(value) : "memory")

void machine_tlb_flush_page(unsigned asid, uint64_t va)
{
	TLB_FLUSH("vae1", (uint64_t)asid << 48 | (va >> PAGE_SHIFT & 0xfffffffffff));
}

void machine_tlb_flush_asid(unsigned asid) { TLB_FLUSH("aside1", (uint64_t)asid << 48); }

void machine_tlb_flush_everything(void)
{
	__asm__ volatile("dsb nshst\n\ttlbi vmalle1\n\tdsb nsh\n\tisb" : : : "memory");
}

void machine_mmu_load(paddr_t root, unsigned asid, bool forget)
{
	if (forget)
		machine_tlb_flush_asid(asid);
	/* The tables are written before the walker may look; nothing in the kernel uses this half. */
	__asm__ volatile("dsb nshst\n\tmsr ttbr0_el1, %0\n\tisb" : : "r"(root.raw | (uint64_t)asid << 48) : "memory");
}

void machine_mmu_forget(paddr_t root) { (void)root; }

void machine_mmu_unload(void)
{
	write_sysreg("ttbr0_el1", pa_of(empty_root));
	isb();
}
