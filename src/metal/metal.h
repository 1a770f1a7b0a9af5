/*
 * The seam inside the bare-metal machines: what x86_64 and aarch64 share lives in
 * src/metal (functions named metal_*, and the parts of include/arch/machine.h that need no
 * instruction of their own); what each architecture gives it lives in src/arch_<name>/boot
 * (functions named machine_*, and the rest of include/arch/machine.h).
 *
 * Everything here runs on one CPU with interrupts masked unless it says otherwise.
 */
#ifndef METAL_H
#define METAL_H

#include "lib/types.h"

struct trap_frame;

/* ---- boot ---------------------------------------------------------------- */

/* Usable physical memory: each call adds to what the ones before made, or removes from it. Any alignment. */
#define MEMMAP_MAX 128
struct memmap {
	struct { uint64_t start, end; } range[MEMMAP_MAX]; /* ascending, apart from each other */
	unsigned nr;
};
void memmap_add(struct memmap *m, uint64_t start, uint64_t size_bytes);
void memmap_remove(struct memmap *m, uint64_t start, uint64_t size_bytes);

/* What the boot protocol said. The kernel image and the initrd need not be removed from memory: metal_start() does. */
struct metal_boot {
	struct memmap memory;
	const char *cmdline;                /* "" for none; may lie in memory that is usable */
	paddr_t initrd_start, initrd_end;   /* equal: none */
	uint64_t realtime_ns;               /* wall-clock time at arch_time_ns() == 0 */
};

/*
 * Called by the architecture, once, on the boot stack, when the direct map (arch_phys_base), the trap
 * vectors, the console, the interrupt controller and the clock work. Copies the command line, carves up
 * memory, and calls kernel_main().
 */
NORETURN void metal_start(struct metal_boot *boot);

/* Value of NAME=value (or "" for a bare NAME) on the command line, up to the blank, copied to buf. False: not there. */
bool metal_option(const char *name, char *buf, size_t size_bytes);

/* The linker script's: code up to text_end, constants up to rodata_end, then data and the boot stack. */
extern char image_start[], text_end[], rodata_end[], image_end[];

/* Physical bounds of the loaded image, its boot stack and bss included (from the linker script). */
paddr_t machine_image_start(void);
paddr_t machine_image_end(void);

/* ---- console ------------------------------------------------------------- */

/* Sends bytes to the serial line, busily. Works from the first C code on, also during a panic. */
void machine_console_write(const char *buf, size_t size_bytes);
/* From now on received bytes raise an interrupt, whose handler calls metal_console_received(). */
void machine_console_enable_input(void);
/* Called by the serial interrupt's handler; the bytes reach console_input() with the next trap_interrupt(). */
void metal_console_received(const char *buf, size_t size_bytes);
/* Hands received bytes to the core. True: there were some (trap_interrupt() gets IRQ_CONSOLE). */
bool metal_console_poll(void);

/* ---- address spaces ------------------------------------------------------ */

/*
 * Address-space identifiers (PCID, ASID): numbers 1 to 2^bits - 1 are given to address spaces, 0 is the
 * machine's own. bits 0: the machine has none, and every load forgets.
 */
unsigned machine_asid_bits(void);
/* Makes root the user half of this CPU's translations under asid; forget: what is cached under asid is stale. */
void machine_mmu_load(paddr_t root, unsigned asid, bool forget);
/* Takes what machine_mmu_load() has put into a user's root out again; it is not loaded. */
void machine_mmu_forget(paddr_t root);
/* No user half: user addresses fault. */
void machine_mmu_unload(void);
/* Forgets what is cached under asid, table walks included: of one page, or all. */
void machine_tlb_flush_page(unsigned asid, uint64_t va);
void machine_tlb_flush_asid(unsigned asid);
/* Forgets every user translation of every asid. */
void machine_tlb_flush_everything(void);

/* ---- power, panic -------------------------------------------------------- */

/* Turns the machine off. status: what a test device passes on to whoever started the emulator (0 to 255). */
NORETURN void machine_power_off(unsigned status);
NORETURN void machine_reboot(void);
/* Masks interrupts and waits for ever. */
NORETURN void machine_halt(void);
/* Prints the registers of a trap taken from kernel or user mode with kprintf. */
void machine_print_registers(const struct trap_frame *frame);

/*
 * Where a function that has only just been entered, with this frame, returns to: the link register, or the
 * word at the stack pointer if metal_is_on_stack(); 0: it cannot be read.
 */
uint64_t machine_return_address(const struct trap_frame *frame);
/* Is this pair of words on the boot stack or the current task's kernel stack? */
bool metal_is_on_stack(uint64_t address);

/*
 * An exception the kernel itself raised: prints the reason, registers, back trace from the frame's pc and
 * frame pointer, and the current task; then stops as `panic=` says.
 */
NORETURN void metal_crash(const char *reason, const struct trap_frame *frame);

/* ---- randomness ---------------------------------------------------------- */

/* Up to size_bytes of hardware randomness (RDSEED, RNDR, the boot protocol's seed). Returns how many there were. */
size_t machine_entropy(void *buf, size_t size_bytes);

#endif
