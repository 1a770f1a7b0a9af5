/*
 * From start.S to metal_start(): reads the device tree, maps memory, starts the devices. What the tree
 * lacks is said on the console; only memory, the interrupt controller and the timer are
 * indispensable.
 */
#include "boot.h"

#include "arch/machine.h"
#include "fdt.h"
#include "lib/assert.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "metal/metal.h"

#define FDT_BYTES_MAX (UINT64_C(2) << 20) /* of the boot protocol */
#define NS_PER_SECOND UINT64_C(1000000000)
/* Where QEMU's "virt" machine has its serial line: for the message that there is no usable tree. */
#define UART_OF_LAST_RESORT 0x09000000

enum { INTERRUPT_CELLS = 3, INTERRUPT_PRIVATE = 1, FIRST_PRIVATE = 16, FIRST_SHARED = 32 };

static struct fdt tree;
static struct metal_boot boot;
static struct memmap mapped; /* what the direct map has */
static uint8_t seed[64];
static size_t seed_bytes;

/* ---- console ----------------------------------------------------------------- */

/* Interrupt number i of a node, as the interrupt controller counts; 0: there is none. */
static unsigned interrupt_of(int node, unsigned i)
{
	uint32_t type = fdt_cell(&tree, node, "interrupts", i * INTERRUPT_CELLS, UINT32_MAX);
	uint32_t number = fdt_cell(&tree, node, "interrupts", i * INTERRUPT_CELLS + 1, UINT32_MAX);

	if (type > INTERRUPT_PRIVATE || number >= 988)
		return 0;
	return number + (type == INTERRUPT_PRIVATE ? FIRST_PRIVATE : FIRST_SHARED);
}

/* /chosen's stdout-path, without the options behind its colon; FDT_NONE. */
static int stdout_node(int chosen)
{
	const char *value = chosen != FDT_NONE ? fdt_string(&tree, chosen, "stdout-path") : NULL;
	char path[128];
	size_t n = 0;

	if (value == NULL)
		return FDT_NONE;
	while (value[n] != '\0' && value[n] != ':')
		n++;
	str_copy(path, value, MIN(n + 1, sizeof(path)));
	return fdt_find(&tree, path);
}

static void start_console(int chosen)
{
	static const char *const pl011[] = {"arm,pl011", NULL};
	int wanted = stdout_node(chosen), node = fdt_find_compatible(&tree, FDT_NONE, pl011), first = node;
	uint64_t base, size;

	while (node != FDT_NONE && node != wanted)
		node = fdt_find_compatible(&tree, node, pl011);
	node = node != FDT_NONE ? node : first;
	if (node != FDT_NONE && fdt_reg(&tree, node, 0, &base, &size))
		uart_init(base, interrupt_of(node, 0));
}

/* ---- memory -------------------------------------------------------------------- */

static void add_memory(void)
{
	int depth = 0, node = FDT_NONE;
	uint64_t start, size;

	while ((node = fdt_next(&tree, node, &depth)) != FDT_NONE) {
		const char *type = fdt_string(&tree, node, "device_type");

		if (depth != 1 || type == NULL || strcmp(type, "memory") != 0 || !fdt_is_okay(&tree, node))
			continue;
		for (unsigned i = 0; fdt_reg(&tree, node, i, &start, &size); i++)
			memmap_add(&boot.memory, start, size);
	}
	mapped = boot.memory;
}

static void remove_reserved(void)
{
	int parent = fdt_find(&tree, "/reserved-memory"), depth = 0, node = parent;
	uint64_t start, size;
	uint32_t bytes;

	for (unsigned i = 0; fdt_reservation(&tree, i, &start, &size); i++)
		memmap_remove(&boot.memory, start, size);
	if (parent == FDT_NONE)
		return;
	while ((node = fdt_next(&tree, node, &depth)) != FDT_NONE && depth > 0) {
		for (unsigned i = 0; depth == 1 && fdt_reg(&tree, node, i, &start, &size); i++) {
			memmap_remove(&boot.memory, start, size);
			if (fdt_property(&tree, node, "no-map", &bytes) != NULL)
				memmap_remove(&mapped, start, size);
		}
	}
}

static void map_memory(void)
{
	uint64_t image = machine_image_start().raw;

	add_memory();
	remove_reserved();
	memmap_remove(&mapped, image, machine_image_end().raw - image);
	if (boot.memory.nr == 0)
		panic("the device tree names no memory");
	if (!mmu_map_memory(&mapped))
		panic("the memory map has too many holes");
}

/* ---- /chosen --------------------------------------------------------------------- */

static void add_seed(int chosen, const char *property)
{
	uint32_t size;
	const void *value = fdt_property(&tree, chosen, property, &size);

	if (value == NULL)
		return;
	size = (uint32_t)MIN(size, sizeof(seed) - seed_bytes);
	memcpy(seed + seed_bytes, value, size);
	seed_bytes += size;
}

static void read_chosen(int chosen)
{
	uint64_t start, end;

	boot.cmdline = "";
	if (chosen == FDT_NONE)
		return;
	if (fdt_string(&tree, chosen, "bootargs") != NULL)
		boot.cmdline = fdt_string(&tree, chosen, "bootargs");
	add_seed(chosen, "kaslr-seed");
	add_seed(chosen, "rng-seed");
	if (!fdt_number(&tree, chosen, "linux,initrd-start", &start) ||
	    !fdt_number(&tree, chosen, "linux,initrd-end", &end) || end <= start)
		return;
	for (unsigned i = 0; i < mapped.nr; i++) {
		if (start >= mapped.range[i].start && end <= mapped.range[i].end) {
			boot.initrd_start = (paddr_t){start};
			boot.initrd_end = (paddr_t){end};
			return;
		}
	}
	kprintf("the initrd at %#llx lies outside of memory\n", (unsigned long long)start);
}

size_t machine_entropy(void *buf, size_t size_bytes)
{
	uint8_t *to = buf;
	size_t done = MIN(size_bytes, seed_bytes);

	seed_bytes -= done;
	memcpy(to, seed + seed_bytes, done);
	memset(seed + seed_bytes, 0, done); /* each byte is given once */
	if ((read_sysreg("id_aa64isar0_el1") >> 60) == 0)
		return done;
	while (done < size_bytes) {
		uint64_t word, has_failed;

		/* RNDR */
		__asm__ volatile("mrs %0, s3_3_c2_c4_0\n\tcset %1, eq" : "=r"(word), "=r"(has_failed) : : "cc");
		if (has_failed)
			break;
		memcpy(to + done, &word, MIN(sizeof(word), size_bytes - done));
		done += MIN(sizeof(word), size_bytes - done);
	}
	return done;
}

/* ---- devices ----------------------------------------------------------------------- */

static void start_interrupts(void)
{
	static const char *const v3[] = {"arm,gic-v3", NULL};
	static const char *const v2[] = {"arm,gic-400", "arm,cortex-a15-gic", "arm,cortex-a9-gic",
					 "arm,cortex-a7-gic", NULL};
	struct gic_info info = {.version = 3};
	int node = fdt_find_compatible(&tree, FDT_NONE, v3);

	if (node == FDT_NONE) {
		info.version = 2;
		node = fdt_find_compatible(&tree, FDT_NONE, v2);
	}
	if (node == FDT_NONE)
		panic("the device tree names no interrupt controller that is known (GICv2, GICv3)");
	for (unsigned i = 0; i < 2; i++)
		if (!fdt_reg(&tree, node, i, &info.base[i], &info.size[i]))
			panic("the device tree does not say where the interrupt controller is");
	if (!irq_init(&info))
		panic("the interrupt controller (GICv%u) does not start", info.version);
}

static void start_timer(void)
{
	static const char *const names[] = {"arm,armv8-timer", "arm,armv7-timer", NULL};
	enum { PHYSICAL = 1, VIRTUAL = 2 };
	int node = fdt_find_compatible(&tree, FDT_NONE, names);
	unsigned intid;
	bool is_virtual;

	if (node == FDT_NONE)
		panic("the device tree names no timer");
	intid = interrupt_of(node, VIRTUAL);
	is_virtual = intid != 0;
	if (!is_virtual)
		intid = interrupt_of(node, PHYSICAL);
	if (intid == 0)
		panic("the device tree names no interrupt of the timer");
	timer_init(intid, is_virtual, fdt_cell(&tree, node, "clock-frequency", 0, 0));
	irq_enable(intid);
}

/* The wall clock: Arm's PL031, which counts seconds. */
static void read_clock(void)
{
	static const char *const names[] = {"arm,pl031", NULL};
	int node = fdt_find_compatible(&tree, FDT_NONE, names);
	uint64_t base, size;

	if (node == FDT_NONE || !fdt_reg(&tree, node, 0, &base, &size))
		return;
	base = mmu_map_device(base, size);
	if (base != 0)
		boot.realtime_ns = mmio_read32(base) * NS_PER_SECOND - arch_time_ns();
}

static void find_power(void)
{
	static const char *const names[] = {"arm,psci-1.0", "arm,psci-0.2", NULL};
	int node = fdt_find_compatible(&tree, FDT_NONE, names);
	const char *method = node != FDT_NONE ? fdt_string(&tree, node, "method") : NULL;

	if (method != NULL && strcmp(method, "hvc") == 0)
		power_init(PSCI_HVC);
	else if (method != NULL && strcmp(method, "smc") == 0)
		power_init(PSCI_SMC);
	else
		kprintf("the device tree has no PSCI: the machine can only be stopped, not turned off\n");
}

/* ---- in order ------------------------------------------------------------------------ */

NORETURN void boot_main(uint64_t fdt, uint64_t image)
{
	const char *error = "the device tree's address is not a multiple of 8";
	int chosen;

	mmu_init(image);
	if (fdt % 8 == 0)
		error = fdt_open(&tree, mmu_map_fdt(fdt), FDT_BYTES_MAX);
	if (error != NULL) {
		uart_init(UART_OF_LAST_RESORT, 0);
		panic("%s", error);
	}
	chosen = fdt_find(&tree, "/chosen");
	start_console(chosen);
	find_power();
	map_memory();
	start_interrupts();
	start_timer();
	read_clock();
	read_chosen(chosen);
	metal_start(&boot);
}
