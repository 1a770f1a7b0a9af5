/*
 * The boot that both machines share: from what the boot protocol said to kernel_main(). Reads the
 * kernel's own options from the command line, leaves the image and the initrd out of usable memory.
 */
#include "abi/errno.h"
#include "arch/machine.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "metal/internal.h"
#include "mm/aspace.h"
#include "mm/frame.h"

#define LOGLEVEL_INFO 6u /* of printk(9): what is neither a warning nor worse */
#define LOGLEVEL_DEFAULT 7u

static struct boot_info boot_info;

/* ---- memory -------------------------------------------------------------- */

static void remove_pages(struct memmap *m, paddr_t start, paddr_t end)
{
	uint64_t first = page_round_down(start.raw);

	memmap_remove(m, first, page_round_up(end.raw) - first);
}

/* mem=SIZE: no more than that, from the top. */
static void limit_memory(struct memmap *m)
{
	char text[32];
	uint64_t left;

	if (!metal_option("mem", text, sizeof(text)) || !option_size(text, &left))
		return;
	left -= MIN(left, boot_info.initrd_size_bytes);
	for (unsigned i = 0; i < m->nr; i++) {
		uint64_t size = MIN(m->range[i].end - m->range[i].start, left);

		m->range[i].end = m->range[i].start + size;
		left -= size;
	}
}

/* The largest ranges, whole pages only, in ascending order. */
static void pass_memory(const struct memmap *m)
{
	bool is_taken[MEMMAP_MAX] = {false};

	for (unsigned n = 0; n < BOOT_RANGES_MAX; n++) {
		uint64_t largest = 0;
		unsigned best = 0;

		for (unsigned i = 0; i < m->nr; i++) {
			uint64_t size = m->range[i].end - m->range[i].start;

			if (!is_taken[i] && size > largest) {
				largest = size;
				best = i;
			}
		}
		if (largest < PAGE_SIZE)
			break;
		is_taken[best] = true;
	}
	for (unsigned i = 0; i < m->nr; i++) {
		uint64_t start = page_round_up(m->range[i].start), end = page_round_down(m->range[i].end);

		if (!is_taken[i] || start >= end)
			continue;
		boot_info.ranges[boot_info.nr_ranges].start = (paddr_t){start};
		boot_info.ranges[boot_info.nr_ranges++].end = (paddr_t){end};
	}
}

static void set_up_memory(struct metal_boot *boot)
{
	struct memmap *m = &boot->memory;

	remove_pages(m, (paddr_t){0}, (paddr_t){PAGE_SIZE});
	remove_pages(m, machine_image_start(), machine_image_end());
	if (boot->initrd_end.raw > boot->initrd_start.raw) {
		remove_pages(m, boot->initrd_start, boot->initrd_end);
		boot_info.initrd = phys_to_ptr(boot->initrd_start);
		boot_info.initrd_size_bytes = boot->initrd_end.raw - boot->initrd_start.raw;
		boot_info.initrd_pages.start = (paddr_t){page_round_up(boot->initrd_start.raw)};
		boot_info.initrd_pages.end = (paddr_t){page_round_down(boot->initrd_end.raw)};
	}
	limit_memory(m);
	pass_memory(m);
}

/* ---- options ------------------------------------------------------------- */

static void set_fork_mode(void)
{
	static const char *const names[] = {[FORK_EAGER] = "eager", [FORK_COW] = "cow", [FORK_SHARE] = "share"};
	char text[16];

	if (!metal_option("fork", text, sizeof(text)))
		return;
	for (unsigned mode = 0; mode < ARRAY_SIZE(names); mode++) {
		if (strcmp(text, names[mode]) == 0) {
			aspace_set_fork_mode((enum fork_mode)mode);
			return;
		}
	}
	kprintf("fork=%s: there is eager, cow and share\n", text);
}

/* fail_alloc=N[+], as the hosted machine's --fail-alloc. */
static void set_fail_alloc(void)
{
	char text[32];
	const char *at = text;

	if (metal_option("fail_alloc", text, sizeof(text)) && option_number(&at, &boot_info.fail_alloc))
		boot_info.fail_alloc_is_persistent = *at == '+';
}

/* audit: after each operation; audit=end: when the machine is turned off, no more. */
static void set_audit(void)
{
	char text[8];

	aspace_set_audit(metal_option("audit", text, sizeof(text)) && text[0] == '\0');
}

static unsigned loglevel(void)
{
	char text[8];
	const char *at = text;
	uint64_t level;

	if (metal_option("loglevel", text, sizeof(text)) && option_number(&at, &level))
		return (unsigned)MIN(level, LOGLEVEL_DEFAULT);
	return metal_option("quiet", text, sizeof(text)) ? LOGLEVEL_INFO - 2 : LOGLEVEL_DEFAULT;
}

static void greet(void)
{
	uint64_t memory_bytes = boot_info.initrd_size_bytes;
	void (*print)(const char *fmt, ...) = loglevel() > LOGLEVEL_INFO ? kprintf : klog;

	for (unsigned i = 0; i < boot_info.nr_ranges; i++)
		memory_bytes += boot_info.ranges[i].end.raw - boot_info.ranges[i].start.raw;
	print("version %s, %llu MiB of memory, command line: %s\n", LEVITATE_VERSION,
	      (unsigned long long)(memory_bytes >> 20), boot_info.cmdline);
}

NORETURN void metal_start(struct metal_boot *boot)
{
	boot_info.cmdline = option_set_cmdline(boot->cmdline != NULL ? boot->cmdline : "");
	boot_info.realtime_ns = boot->realtime_ns;
	random_init(boot->realtime_ns);
	set_up_memory(boot);
	greet();
	set_fork_mode();
	set_fail_alloc();
	set_audit();
	kernel_main(&boot_info);
}

/* ---- mounts -------------------------------------------------------------- */

int arch_mount_root_host(void) { return -ENODEV; }
int arch_mount_binds(void) { return 0; }
