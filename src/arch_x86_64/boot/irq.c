/*
 * Interrupts: the CPU's own APIC (Intel SDM 3A, 11; x2APIC where present) and, for the serial port, the I/O APIC. The
 * old interrupt controllers are masked; their vectors stay reserved, for they may still fire spuriously.
 */
#include "arch/machine.h"
#include "boot.h"
#include "mm/frame.h"

enum { APIC_ID = 0x02, APIC_TASK_PRIORITY = 0x08, APIC_EOI = 0x0b, APIC_SPURIOUS = 0x0f, APIC_LINT0 = 0x35,
       APIC_LINT1 = 0x36, APIC_ERROR = 0x37 };
#define APIC_ON 0x100u
#define APIC_MASKED 0x10000u
#define APIC_NMI 0x400u
#define APIC_BASE_ON 0x800u
#define APIC_BASE_X2 0x400u
#define APIC_BASE_ADDRESS 0xffffff000ull

#define IOAPIC_DEFAULT 0xfec00000u
#define IOAPIC_ENTRY(n) (0x10u + 2 * (n))
#define IOAPIC_LOW 0x2000u
#define IOAPIC_LEVEL 0x8000u

enum { PIC1_COMMAND = 0x20, PIC1_DATA = 0x21, PIC2_COMMAND = 0xa0, PIC2_DATA = 0xa1 };

static volatile uint32_t *apic; /* NULL: x2APIC, by MSR */
static volatile uint32_t *ioapic;

uint32_t apic_read(unsigned reg) { return apic != NULL ? apic[reg * 4] : (uint32_t)rdmsr(MSR_X2APIC + reg); }

void apic_write(unsigned reg, uint32_t v)
{
	if (apic != NULL)
		apic[reg * 4] = v;
	else
		wrmsr(MSR_X2APIC + reg, v);
}

static void ioapic_write(unsigned reg, uint32_t v)
{
	ioapic[0] = reg;
	ioapic[4] = v;
}

/* Both 8259: vectors 32 to 47, everything masked. */
static void pic_init(void)
{
	outb(PIC1_COMMAND, 0x11);
	outb(PIC2_COMMAND, 0x11);
	outb(PIC1_DATA, VECTOR_FIRST_IRQ);
	outb(PIC2_DATA, VECTOR_FIRST_IRQ + 8);
	outb(PIC1_DATA, 4);
	outb(PIC2_DATA, 2);
	outb(PIC1_DATA, 1);
	outb(PIC2_DATA, 1);
	outb(PIC1_DATA, 0xff);
	outb(PIC2_DATA, 0xff);
}

static void apic_init(void)
{
	uint64_t base = rdmsr(MSR_APIC_BASE);

	wrmsr(MSR_APIC_BASE, base | APIC_BASE_ON);
	if (cpu_features.has_x2apic)
		wrmsr(MSR_APIC_BASE, base | APIC_BASE_ON | APIC_BASE_X2);
	else
		apic = mmu_map_device(base & APIC_BASE_ADDRESS);
	apic_write(APIC_TASK_PRIORITY, 0);
	apic_write(APIC_TIMER, APIC_MASKED);
	apic_write(APIC_LINT0, APIC_MASKED);
	apic_write(APIC_LINT1, APIC_NMI);
	apic_write(APIC_ERROR, APIC_MASKED);
	apic_write(APIC_SPURIOUS, APIC_ON | VECTOR_SPURIOUS);
}

void irq_init(void)
{
	pic_init();
	apic_init();
	ioapic = mmu_map_device(acpi_info.ioapic != 0 ? acpi_info.ioapic : IOAPIC_DEFAULT);
}

void irq_enable_serial(void)
{
	unsigned entry = IOAPIC_ENTRY(acpi_info.serial_gsi - acpi_info.ioapic_first_gsi);
	uint32_t id = apic != NULL ? apic_read(APIC_ID) : apic_read(APIC_ID) << 24;

	ioapic_write(entry + 1, id);
	ioapic_write(entry, VECTOR_SERIAL | (acpi_info.serial_is_low ? IOAPIC_LOW : 0) |
				    (acpi_info.serial_is_level ? IOAPIC_LEVEL : 0));
}

unsigned irq_handle(unsigned vector)
{
	unsigned what = IRQ_OTHER;

	if (vector < VECTOR_TIMER || vector == VECTOR_SPURIOUS)
		return what; /* no end of interrupt for a spurious one */
	if (vector == VECTOR_TIMER && timer_interrupt())
		what |= IRQ_TIMER;
	if (vector == VECTOR_SERIAL)
		uart_interrupt();
	apic_write(APIC_EOI, 0);
	return what;
}
