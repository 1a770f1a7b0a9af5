/*
 * The end: power off and restart, by what the firmware's tables say (ACPI 6.4, 4.8.3.2, 7.4.2), else by the
 * ports of QEMU and of every PC. QEMU's isa-debug-exit, at its usual port, gets the status first.
 */
#include "arch/machine.h"
#include "boot.h"
#include "lib/printf.h"
#include "user_abi.h"

#define DEBUG_EXIT 0xf4
#define PM1_SCI_ENABLED 1u
#define PM1_SLEEP (1u << 13)
#define PM1_TYPE_SHIFT 10
#define QEMU_PM1A 0x604
#define BOCHS_PM1A 0xb004
#define RESET_CONTROL 0xcf9
#define KEYBOARD 0x64
#define KEYBOARD_RESET 0xfe
#define SPINS_MAX 100000u

static void enter_acpi_mode(void)
{
	if (acpi_info.smi_command == 0 || acpi_info.acpi_enable == 0)
		return;
	if ((inw(acpi_info.pm1a_control) & PM1_SCI_ENABLED) != 0)
		return;
	outb(acpi_info.smi_command, acpi_info.acpi_enable);
	for (unsigned i = 0; i < SPINS_MAX && (inw(acpi_info.pm1a_control) & PM1_SCI_ENABLED) == 0; i++)
		;
}

static void sleep(uint16_t port, uint8_t type)
{
	if (port != 0)
		outw(port, (uint16_t)((unsigned)type << PM1_TYPE_SHIFT | PM1_SLEEP));
}

void machine_power_off(unsigned status)
{
	uart_drain();
	outb(DEBUG_EXIT, (uint8_t)status);
	if (acpi_info.has_s5 && acpi_info.pm1a_control != 0) {
		enter_acpi_mode();
		sleep(acpi_info.pm1a_control, acpi_info.s5_type_a);
		sleep(acpi_info.pm1b_control, acpi_info.s5_type_b);
	}
	sleep(QEMU_PM1A, 0);
	sleep(BOCHS_PM1A, 0);
	halt_for_ever();
}

void machine_reboot(void)
{
	static const struct { uint16_t limit; uint64_t base; } __attribute__((packed)) no_vectors;

	uart_drain();
	if (acpi_info.reset_port != 0)
		outb(acpi_info.reset_port, acpi_info.reset_value);
	outb(RESET_CONTROL, 0x02);
	outb(RESET_CONTROL, 0x06);
	outb(KEYBOARD, KEYBOARD_RESET);
	/* A trap without vectors resets the processor. */
	__asm__ volatile("lidt %0; int3" : : "m"(no_vectors));
	halt_for_ever();
}

void machine_halt(void) { halt_for_ever(); }

uint64_t machine_return_address(const struct trap_frame *f)
{
	return metal_is_on_stack(f->rsp) ? *(const uint64_t *)f->rsp : 0;
}

void machine_print_registers(const struct trap_frame *f)
{
	const struct { const char *name; uint64_t value; } registers[] = {
		{"rip", f->rip}, {"rsp", f->rsp}, {"flags", f->eflags}, {"cs", f->cs},
		{"rax", f->rax}, {"rbx", f->rbx}, {"rcx", f->rcx}, {"rdx", f->rdx},
		{"rsi", f->rsi}, {"rdi", f->rdi}, {"rbp", f->rbp}, {"r8", f->r8},
		{"r9", f->r9}, {"r10", f->r10}, {"r11", f->r11}, {"r12", f->r12},
		{"r13", f->r13}, {"r14", f->r14}, {"r15", f->r15}, {"cr0", READ_CR(0)},
		{"cr2", READ_CR(2)}, {"cr3", READ_CR(3)}, {"cr4", READ_CR(4)},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(registers); i++)
		kprintf(" %5s %016llx%s", registers[i].name, (unsigned long long)registers[i].value,
			i % 4 == 3 || i + 1 == ARRAY_SIZE(registers) ? "\n" : "");
}
