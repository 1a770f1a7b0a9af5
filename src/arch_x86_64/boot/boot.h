/*
 * Private to the x86_64 machine: the layout of the kernel's half of the address space, selectors,
 * offsets of the saved registers (all also read by the assembler), the few instructions C has no
 * words for, and what the files of this folder offer each other.
 *
 *   0xffff800000000000  all memory (the direct map, arch_phys_base), never executable
 *   0xffffffff80000000  the kernel image at its physical address, pages with the rights of their sections
 *   0xffffffffc0000000  device registers
 *
 * There is one CPU, and what it needs at a trap has a fixed address. So the kernel never uses GS: user mode's
 * stays in the register, and there is no swapgs that could be missed.
 */
#ifndef BOOT_H
#define BOOT_H

#define DIRECT_BASE 0xffff800000000000
#define KERNEL_BASE 0xffffffff80000000
#define DEVICE_BASE 0xffffffffc0000000
#define IMAGE_TABLES 4 /* of 2 MiB each: as far as the image may reach above its start */

#define BOOT_STACK_BYTES 32768
#define TRAP_STACK_BYTES 8192

/* Selectors. SYSRET wants the user's at 0x20 + 8 and + 16; 0x20 itself, for 32-bit code, stays empty. */
#define SEL_KERNEL_CS 0x08
#define SEL_KERNEL_DS 0x10
#define SEL_SYSRET_BASE 0x23
#define SEL_USER_DS 0x2b
#define SEL_USER_CS 0x33
#define SEL_TSS 0x38

/* struct trap_frame (user_abi.h); traps.c checks them. */
#define FRAME_R15 0
#define FRAME_RAX 96
#define FRAME_RCX 104
#define FRAME_ORIG_RAX 120
#define FRAME_RIP 128
#define FRAME_CS 136
#define FRAME_EFLAGS 144
#define FRAME_RSP 152
#define FRAME_SS 160
#define FRAME_FS_BASE 168 /* the end of what hardware and the entry code save */
#define FRAME_BYTES 192   /* rounded up to the alignment of the stack */

#define FLAG_TF 0x100
#define FLAG_RF 0x10000

#define VECTOR_DEBUG 1
#define VECTOR_NMI 2
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_PAGE_FAULT 14
#define VECTOR_MACHINE_CHECK 18
#define VECTOR_FIRST_IRQ 32 /* to 47: the masked PIC's, spurious ones only */
#define VECTOR_TIMER 48
#define VECTOR_SERIAL 49
#define VECTOR_FOREIGN_CALL 0x80
#define VECTOR_SPURIOUS 0xff

#define BOOT_PVH 1
#define BOOT_MULTIBOOT2 2

#ifndef __ASSEMBLER__

#include "lib/types.h"
#include "metal/metal.h"

struct task;
struct trap_frame;

/* ---- instructions -------------------------------------------------------- */

#define MSR_APIC_BASE 0x1bu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_X2APIC 0x800u
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_SFMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	__asm__ volatile("inb %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline uint16_t inw(uint16_t port)
{
	uint16_t v;

	__asm__ volatile("inw %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	__asm__ volatile("inl %1, %0" : "=a"(v) : "Nd"(port));
	return v;
}
static inline void outb(uint16_t port, uint8_t v) { __asm__ volatile("outb %0, %1" : : "a"(v), "Nd"(port)); }
static inline void outw(uint16_t port, uint16_t v) { __asm__ volatile("outw %0, %1" : : "a"(v), "Nd"(port)); }

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t low, high;

	__asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
	return (uint64_t)high << 32 | low;
}
static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}
static inline uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("rdtsc" : "=a"(low), "=d"(high));
	return (uint64_t)high << 32 | low;
}

#define READ_CR(n)                                                      \
	({                                                              \
		uint64_t value_;                                        \
		__asm__ volatile("mov %%cr" #n ", %0" : "=r"(value_)); \
		value_;                                                 \
	})
#define WRITE_CR(n, value) __asm__ volatile("mov %0, %%cr" #n : : "r"((uint64_t)(value)) : "memory")

/* Interrupts stay masked for ever. */
static inline NORETURN void halt_for_ever(void)
{
	for (;;)
		__asm__ volatile("cli; hlt");
}

struct cpuid { uint32_t eax, ebx, ecx, edx; };
static inline struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}

/* ---- link.lds, start.S --------------------------------------------------- */

extern char text_start[];
extern char boot_stack_guard[];

/* First C code. protocol: BOOT_*; info: physical address of what it says. */
NORETURN void boot_main(unsigned protocol, uint64_t info);

/* ---- boot.c: PVH and Multiboot2 ------------------------------------------- */

/* Says why and stops: before metal_start() only. */
NORETURN void boot_fail(const char *why);

/* ---- cpu.c --------------------------------------------------------------- */

struct cpu_features {
	bool has_pcid, has_invpcid, has_fsgsbase, has_smap, has_1gib_pages;
	bool has_xsave, has_xsaveopt, has_x2apic, has_tsc_deadline, has_rdrand, has_rdseed;
};
extern struct cpu_features cpu_features;
/* Finds the features and turns on those that are the kernel's own protection. */
void cpu_init(void);

/* ---- acpi.c -------------------------------------------------------------- */

/* What the firmware's tables say; zero: they do not say. */
struct acpi_info {
	uint16_t pm1a_control, pm1b_control, smi_command, pm_timer;
	uint8_t acpi_enable, s5_type_a, s5_type_b;
	bool has_s5;
	uint16_t reset_port;
	uint8_t reset_value;
	uint64_t ioapic;          /* physical address */
	uint32_t ioapic_first_gsi;
	uint32_t serial_gsi;      /* of ISA interrupt 4 */
	bool serial_is_low, serial_is_level;
};
extern struct acpi_info acpi_info;
/* rsdp: physical address, 0: look for it where the BIOS puts it. While all of the first 4 GiB are mapped. */
void acpi_init(uint64_t rsdp);

/* ---- mmu.c --------------------------------------------------------------- */

/*
 * The kernel's final translations. Takes memory for tables out of the map, but not where the initrd or the
 * command line lie.
 */
void mmu_init(struct metal_boot *boot);
/* Maps a page of device registers, for good. */
volatile void *mmu_map_device(uint64_t pa);

/* ---- traps.S, traps.c ------------------------------------------------------ */

/* Segments, task state, interrupt vectors, system calls. */
void traps_init(void);

extern char syscall_entry[], trap_vectors[], trap_clac[];
#define TRAP_VECTOR_BYTES 16

/* Where user mode is entered from and left to: the frame its registers go to, the kernel stack below. */
extern uint64_t user_frame, user_frame_end, user_kernel_sp;
/* Not 0: user_resume() has something to do before user mode goes on. */
extern uint32_t user_work;

void context_swap(void **save_sp, void *to_sp);
void context_start(void);
/* Runs user mode from frame; never comes back. */
NORETURN void user_enter(struct trap_frame *frame);
/* From traps.S. */
void trap_from_user(struct trap_frame *frame, unsigned vector, uint64_t error);
void trap_from_kernel(struct trap_frame *frame, unsigned vector, uint64_t error);
void trap_bad_pc(struct trap_frame *frame);

/* ---- fpu.c: what of user mode stays in the CPU while the kernel runs ---------- */

void fpu_init(void);
/* Makes the CPU hold the current task's registers; called when user_work is set. */
void user_resume(struct trap_frame *frame);
/* A task's context is destroyed: nothing is saved for it any more. */
void fpu_forget(const void *context);

/* ---- irq.c: local APIC and I/O APIC -------------------------------------------- */

void irq_init(void);
/* An interrupt came. Returns bits of enum trap_interrupt, IRQ_OTHER at least. */
unsigned irq_handle(unsigned vector);
void irq_enable_serial(void);
#define APIC_TIMER 0x32
#define APIC_TIMER_START 0x38
#define APIC_TIMER_NOW 0x39
#define APIC_TIMER_DIVIDE 0x3e
/* Registers by number: the memory-mapped offset / 16. */
uint32_t apic_read(unsigned reg);
void apic_write(unsigned reg, uint32_t v);

/* ---- timer.c ------------------------------------------------------------- */

void timer_init(void);
/* Seconds since 1970 of the battery's clock, as nanoseconds. */
uint64_t timer_wall_clock_ns(void);
/* The timer's interrupt. False: it came early, and is set again. */
bool timer_interrupt(void);

/* ---- uart.c -------------------------------------------------------------- */

void uart_init(void);
/* The receive interrupt. */
void uart_interrupt(void);
/* Waits until all that was written has been sent. */
void uart_drain(void);

#endif
#endif
