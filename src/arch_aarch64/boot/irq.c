/*
 * Arm's interrupt controllers: GICv2 (IHI 0048, registers of the CPU interface in memory) and GICv3
 * (IHI 0069, system registers, one redistributor a CPU). Interrupts are taken one after
 * the other, at one priority; two are known, the timer's and the serial line's.
 */
#include "boot.h"

#include "arch/machine.h"
#include "metal/metal.h"

/* Distributor, and the first frame of shared registers: both versions. */
enum { GICD_CTLR = 0x0, GICD_TYPER = 0x4, IGROUPR = 0x80, ISENABLER = 0x100, ICENABLER = 0x180, ICPENDR = 0x280,
       IPRIORITYR = 0x400, ITARGETSR = 0x800, IROUTER = 0x6000 };
enum { CTLR_GROUP0 = 1, CTLR_GROUP1 = 2, CTLR_ROUTING = 1 << 4 };
#define CTLR_PENDING (1u << 31)
/* GICv2 CPU interface. */
enum { GICC_CTLR = 0x0, GICC_PMR = 0x4, GICC_BPR = 0x8, GICC_IAR = 0xc, GICC_EOIR = 0x10 };
/* GICv3 redistributor: two frames of 64 KiB, or four with virtual interrupts of version 4. */
enum { GICR_TYPER = 0x8, GICR_WAKER = 0x14, GICR_SGI = 0x10000, GICR_FRAME = 0x20000 };
enum { TYPER_VIRTUAL = 1 << 1, TYPER_LAST = 1 << 4, WAKER_SLEEP = 1 << 1, WAKER_ASLEEP = 1 << 2 };

#define NR_PRIVATE 32 /* SGIs and PPIs: banked for each CPU */
#define FIRST_SPECIAL 1020
#define PRIORITY 0xa0a0a0a0u
#define PRIORITY_MASK 0xf0
#define WAIT_TRIES 1000000

static unsigned version;
static uint64_t distributor, cpu_interface, redistributor;

/* ---- GICv2 ----------------------------------------------------------------- */

static void gicv2_init(void)
{
	mmio_write32(distributor + GICD_CTLR, CTLR_GROUP0);
	mmio_write32(cpu_interface + GICC_PMR, PRIORITY_MASK);
	mmio_write32(cpu_interface + GICC_BPR, 0);
	mmio_write32(cpu_interface + GICC_CTLR, CTLR_GROUP0);
}

/* ---- GICv3 ----------------------------------------------------------------- */

static bool wait_clear32(uint64_t addr, uint32_t bits)
{
	for (unsigned i = 0; i < WAIT_TRIES; i++)
		if ((mmio_read32(addr) & bits) == 0)
			return true;
	return false;
}

/* Affinity of this CPU, as GICR_TYPER's upper half and IROUTER spell it. */
static uint64_t cpu_affinity(void)
{
	uint64_t mpidr = read_sysreg("mpidr_el1");

	return (mpidr & 0xffffff) | (mpidr >> 32 & 0xff) << 32;
}

/* The redistributor of this CPU, or 0. */
static uint64_t find_redistributor(uint64_t base, uint64_t size_bytes)
{
	uint64_t affinity = cpu_affinity(), wanted = (affinity >> 32 << 24) | (affinity & 0xffffff);

	for (uint64_t at = base, typer; at + GICR_FRAME <= base + size_bytes; at += GICR_FRAME) {
		typer = mmio_read64(at + GICR_TYPER);
		if (typer >> 32 == wanted)
			return at;
		if ((typer & TYPER_LAST) != 0)
			return 0;
		if ((typer & TYPER_VIRTUAL) != 0)
			at += GICR_FRAME;
	}
	return 0;
}

static bool gicv3_init(void)
{
	mmio_write32(distributor + GICD_CTLR, CTLR_ROUTING);
	if (!wait_clear32(distributor + GICD_CTLR, CTLR_PENDING))
		return false;
	mmio_write32(distributor + GICD_CTLR, CTLR_ROUTING | CTLR_GROUP1 | CTLR_GROUP0);
	mmio_write32(redistributor + GICR_WAKER, mmio_read32(redistributor + GICR_WAKER) & ~(uint32_t)WAKER_SLEEP);
	if (!wait_clear32(redistributor + GICR_WAKER, WAKER_ASLEEP))
		return false;
	mmio_write32(redistributor + GICR_SGI + IGROUPR, UINT32_MAX);
	__asm__ volatile("msr s3_0_c12_c12_5, %0" : : "r"(read_sysreg("s3_0_c12_c12_5") | 1)); /* ICC_SRE_EL1 */
	isb();
	if ((read_sysreg("s3_0_c12_c12_5") & 1) == 0)
		return false;
	write_sysreg("s3_0_c4_c6_0", PRIORITY_MASK); /* ICC_PMR_EL1 */
	write_sysreg("s3_0_c12_c12_3", 0);           /* ICC_BPR1_EL1 */
	write_sysreg("s3_0_c12_c12_4", 0);           /* ICC_CTLR_EL1: EOI also deactivates */
	write_sysreg("s3_0_c12_c12_7", 1);           /* ICC_IGRPEN1_EL1 */
	isb();
	return true;
}

/* ---- both -------------------------------------------------------------------- */

/* Everything off, and at one priority. */
static void quiesce(uint64_t frame, unsigned first, unsigned nr)
{
	for (unsigned i = first; i < nr; i += 32) {
		mmio_write32(frame + ICENABLER + i / 8, UINT32_MAX);
		mmio_write32(frame + ICPENDR + i / 8, UINT32_MAX);
		if (version == 3)
			mmio_write32(frame + IGROUPR + i / 8, UINT32_MAX);
	}
	for (unsigned i = first; i < nr; i += 4)
		mmio_write32(frame + IPRIORITYR + i, PRIORITY);
}

bool irq_init(const struct gic_info *info)
{
	uint64_t second = mmu_map_device(info->base[1], info->size[1]);
	unsigned nr;

	distributor = mmu_map_device(info->base[0], info->size[0]);
	if (distributor == 0 || second == 0)
		return false;
	version = info->version;
	nr = MIN(((mmio_read32(distributor + GICD_TYPER) & 31) + 1) * 32, FIRST_SPECIAL);
	mmio_write32(distributor + GICD_CTLR, 0);
	if (version == 2) {
		cpu_interface = second;
		quiesce(distributor, 0, nr);
		gicv2_init();
		return true;
	}
	redistributor = find_redistributor(second, info->size[1]);
	if (redistributor == 0)
		return false;
	quiesce(distributor, NR_PRIVATE, nr);
	quiesce(redistributor + GICR_SGI, 0, NR_PRIVATE);
	return gicv3_init();
}

void irq_enable(unsigned intid)
{
	uint64_t frame = version == 3 && intid < NR_PRIVATE ? redistributor + GICR_SGI : distributor;

	if (version == 3 && intid >= NR_PRIVATE)
		mmio_write64(distributor + IROUTER + 8 * intid, cpu_affinity());
	if (version == 2 && intid >= NR_PRIVATE) {
		uint64_t at = distributor + ITARGETSR + (intid & ~3u);
		uint32_t me = mmio_read32(distributor + ITARGETSR) & 0xff; /* read-only: this CPU */
		unsigned shift = intid % 4 * 8;

		mmio_write32(at, (mmio_read32(at) & ~(0xffu << shift)) | (me != 0 ? me : 1) << shift);
	}
	mmio_write32(frame + ISENABLER + intid / 32 * 4, 1u << intid % 32);
}

static uint32_t acknowledge(void)
{
	uint64_t iar;

	if (version == 2)
		return mmio_read32(cpu_interface + GICC_IAR);
	iar = read_sysreg("s3_0_c12_c12_0"); /* ICC_IAR1_EL1 */
	__asm__ volatile("dsb sy" : : : "memory");
	return (uint32_t)iar;
}

static void end_of_interrupt(uint32_t iar)
{
	if (version == 2) {
		mmio_write32(cpu_interface + GICC_EOIR, iar);
		return;
	}
	write_sysreg("s3_0_c12_c12_1", iar); /* ICC_EOIR1_EL1 */
	isb();
}

unsigned irq_take(void)
{
	unsigned what = 0;

	for (;;) {
		uint32_t iar = acknowledge(), intid = version == 2 ? iar & 0x3ff : iar & 0xffffff;

		if (intid >= FIRST_SPECIAL)
			break;
		if (intid == timer_intid) {
			timer_interrupt();
			what |= IRQ_TIMER;
		} else if (intid == uart_intid) {
			uart_interrupt();
		} else {
			what |= IRQ_OTHER;
		}
		end_of_interrupt(iar);
	}
	return what | (metal_console_poll() ? IRQ_CONSOLE : 0);
}
