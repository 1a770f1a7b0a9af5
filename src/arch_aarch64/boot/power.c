/*
 * Off and reset by PSCI (DEN 0022), through the call the device tree names. With "semihosting" on
 * the command line the machine ends by a semihosting call instead, which hands the
 * status to the emulator (tests; without an emulator behind it the call is a fault).
 */
#include "boot.h"

#include "metal/metal.h"

#define PSCI_SYSTEM_OFF 0x84000008u
#define PSCI_SYSTEM_RESET 0x84000009u
#define SEMIHOSTING_EXIT 0x20 /* SYS_EXIT_EXTENDED */
#define APPLICATION_EXIT 0x20026

static enum psci_method psci;

void power_init(enum psci_method method) { psci = method; }

static void psci_call(uint32_t function)
{
	register uint64_t x0 __asm__("x0") = function;

	if (psci == PSCI_HVC)
		__asm__ volatile("hvc #0" : "+r"(x0) : : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10",
				 "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory");
	else if (psci == PSCI_SMC)
		__asm__ volatile("smc #0" : "+r"(x0) : : "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10",
				 "x11", "x12", "x13", "x14", "x15", "x16", "x17", "memory");
}

static void semihosting_exit(unsigned status)
{
	uint64_t block[2] = {APPLICATION_EXIT, status};
	register uint64_t x0 __asm__("x0") = SEMIHOSTING_EXIT;
	register uint64_t *x1 __asm__("x1") = block;

	__asm__ volatile("hlt #0xf000" : "+r"(x0) : "r"(x1) : "memory");
}

NORETURN void machine_power_off(unsigned status)
{
	char value[2];

	if (metal_option("semihosting", value, sizeof(value)))
		semihosting_exit(status);
	psci_call(PSCI_SYSTEM_OFF);
	machine_halt();
}

NORETURN void machine_reboot(void)
{
	psci_call(PSCI_SYSTEM_RESET);
	machine_halt();
}

NORETURN void machine_halt(void)
{
	__asm__ volatile("msr daifset, #15" : : : "memory");
	for (;;)
		__asm__ volatile("wfi");
}
