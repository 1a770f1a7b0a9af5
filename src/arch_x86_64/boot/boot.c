/*
 * From the boot protocol to metal_start(): reads what PVH (Xen's public/arch-x86/hvm/start_info.h) or Multiboot2
 * (specification 3.6) says of memory, command line and initrd, and starts the parts of the
 * machine in order. Until mmu_init() the first 4 GiB are mapped at DIRECT_BASE.
 */
#include "boot.h"
#include "arch/machine.h"
#include "lib/printf.h"
#include "mm/frame.h"

#define RAM 1u                    /* of the BIOS's E820 call; the other kinds are not for us */
#define LOW_MEMORY_END 0x100000u  /* BIOS data, video memory, tables: left alone */
#define DIRECT_MAX (UINT64_C(512) << 30)
#define PVH_MAGIC 0x336ec578u

struct pvh_info {
	uint32_t magic, version, flags, nr_modules;
	uint64_t modules, cmdline, rsdp;
	/* version 1: */
	uint64_t memmap;
	uint32_t nr_memmap, reserved;
};
struct pvh_module { uint64_t start, size_bytes, cmdline, reserved; };
struct pvh_range {
	uint64_t start, size_bytes;
	uint32_t type, reserved;
};

enum { TAG_END, TAG_CMDLINE, TAG_MODULE = 3, TAG_MEMMAP = 6, TAG_RSDP_OLD = 14, TAG_RSDP = 15 };
struct mb2_tag { uint32_t type, size_bytes; };
struct mb2_module {
	struct mb2_tag tag;
	uint32_t start, end;
};
struct mb2_memmap {
	struct mb2_tag tag;
	uint32_t entry_bytes, version;
};
struct mb2_range {
	uint64_t start, size_bytes;
	uint32_t type, reserved;
};

char *arch_phys_base = (char *)DIRECT_BASE;
static struct metal_boot boot;

paddr_t machine_image_start(void) { return (paddr_t){(uint64_t)image_start - KERNEL_BASE}; }
paddr_t machine_image_end(void) { return (paddr_t){(uint64_t)image_end - KERNEL_BASE}; }

void boot_fail(const char *why)
{
	kprintf("cannot boot: %s\n", why);
	halt_for_ever();
}

static const void *at(uint64_t pa) { return phys_to_ptr((paddr_t){pa}); }

/* ---- the protocols; each returns the physical address of the RSDP, or 0 --- */

static uint64_t read_pvh(const struct pvh_info *info)
{
	const struct pvh_range *range = at(info->memmap);
	const struct pvh_module *module = at(info->modules);

	if (info->magic != PVH_MAGIC || info->version < 1)
		boot_fail("no PVH boot information");
	for (uint32_t i = 0; i < info->nr_memmap; i++)
		if (range[i].type == RAM)
			memmap_add(&boot.memory, range[i].start, range[i].size_bytes);
	if (info->cmdline != 0)
		boot.cmdline = at(info->cmdline);
	if (info->nr_modules != 0) {
		boot.initrd_start = (paddr_t){module->start};
		boot.initrd_end = (paddr_t){module->start + module->size_bytes};
	}
	return info->rsdp;
}

static void read_mb2_memmap(const struct mb2_memmap *m)
{
	const char *end = (const char *)m + m->tag.size_bytes;

	for (const char *p = (const char *)(m + 1); p < end; p += m->entry_bytes) {
		const struct mb2_range *range = (const void *)p;

		if (range->type == RAM)
			memmap_add(&boot.memory, range->start, range->size_bytes);
	}
}

static uint64_t read_multiboot2(const char *info, uint64_t pa)
{
	uint64_t rsdp = 0;
	const struct mb2_tag *tag;

	for (uint64_t offset = 8;; offset += ALIGN_UP(tag->size_bytes, 8)) {
		const struct mb2_module *module;

		tag = (const void *)(info + offset);
		switch (tag->type) {
		case TAG_END:
			return rsdp;
		case TAG_CMDLINE:
			boot.cmdline = (const char *)(tag + 1);
			break;
		case TAG_MODULE:
			module = (const void *)tag;
			if (boot.initrd_end.raw != 0)
				break; /* the first one is the initrd */
			boot.initrd_start = (paddr_t){module->start};
			boot.initrd_end = (paddr_t){module->end};
			break;
		case TAG_MEMMAP:
			read_mb2_memmap((const void *)tag);
			break;
		case TAG_RSDP_OLD:
			rsdp = rsdp != 0 ? rsdp : pa + offset + sizeof(*tag);
			break;
		case TAG_RSDP:
			rsdp = pa + offset + sizeof(*tag);
			break;
		}
	}
}

NORETURN void boot_main(unsigned protocol, uint64_t info)
{
	uint64_t rsdp;

	uart_init();
	cpu_init();
	traps_init();
	boot.cmdline = "";
	rsdp = protocol == BOOT_PVH ? read_pvh(at(info)) : read_multiboot2(at(info), info);
	memmap_remove(&boot.memory, 0, LOW_MEMORY_END);
	memmap_remove(&boot.memory, DIRECT_MAX, UINT64_MAX - DIRECT_MAX);
	acpi_init(rsdp);
	mmu_init(&boot);
	fpu_init();
	irq_init();
	timer_init();
	boot.realtime_ns = timer_wall_clock_ns() - arch_time_ns();
	metal_start(&boot);
}
