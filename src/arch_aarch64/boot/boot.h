/*
 * Private to the aarch64 machine: the layout of the kernel's half of the address space (also
 * read by the assembler and, in link.lds, written out again), the saved registers' offsets,
 * and what the files of this folder offer each other.
 *
 *   0xffff000000000000  all memory (the direct map, arch_phys_base), never executable
 *   0xffffffffc0000000  the kernel image, pages with the rights of their sections
 *   0xffffffffc1000000  the device tree, while the machine boots
 *   0xffffffffc2000000  device registers; the last page of their 2 MiB is user mode's sigreturn (user_abi.h)
 */
#ifndef BOOT_H
#define BOOT_H

#define DIRECT_BASE 0xffff000000000000
#define DIRECT_SIZE 0x0000800000000000
#define KERNEL_BASE 0xffffffffc0000000
#define FDT_BASE 0xffffffffc1000000
#define DEVICE_BASE 0xffffffffc2000000

/* 2 MiB entries of the topmost table of level 2, for each of the regions above. */
#define KERNEL_TABLES 4
#define FDT_SLOT 8
#define DEVICE_SLOT 16

/* Descriptors (Arm ARM, D8.3): valid table; valid page or block; attributes. */
#ifdef __ASSEMBLER__
#define DESC_BIT(n) (1 << (n))
#else
#define DESC_BIT(n) (UINT64_C(1) << (n))
#endif
#define DESC_TABLE 3
#define DESC_PAGE 3
#define DESC_BLOCK 1
#define DESC_DEVICE DESC_BIT(2) /* MAIR index 1; 0 is normal memory */
#define DESC_USER DESC_BIT(6)
#define DESC_RO DESC_BIT(7)
#define DESC_INNER (3 << 8)
#define DESC_AF DESC_BIT(10)
#define DESC_PXN DESC_BIT(53)
#define DESC_UXN DESC_BIT(54)
#define DESC_KERNEL_TEXT (DESC_AF | DESC_INNER | DESC_RO | DESC_UXN)
#define DESC_KERNEL_RODATA (DESC_KERNEL_TEXT | DESC_PXN)
#define DESC_KERNEL_DATA (DESC_AF | DESC_INNER | DESC_UXN | DESC_PXN)
#define DESC_KERNEL_DEVICE (DESC_AF | DESC_DEVICE | DESC_UXN | DESC_PXN)
#define DESC_KERNEL_SIGRETURN (DESC_AF | DESC_INNER | DESC_RO | DESC_USER | DESC_PXN)

/* struct trap_frame (user_abi.h); traps.c checks them. */
#define FRAME_SP 248
#define FRAME_PSTATE 264
#define FRAME_SYSCALL_NR 280
#define FRAME_TPIDR 288
#define FRAME_BYTES 304 /* rounded up to the alignment of the stack */

/* Why the machine stops, for bad_trap(). */
#define BAD_SYNC 0
#define BAD_IRQ 1
#define BAD_FIQ 2
#define BAD_SERROR 3

#ifndef __ASSEMBLER__

#include "lib/types.h"

struct memmap;
struct task;
struct trap_frame;

#define read_sysreg(name)                                    \
	({                                                   \
		uint64_t value_;                             \
		__asm__ volatile("mrs %0, " name : "=r"(value_)); \
		value_;                                      \
	})
#define write_sysreg(name, value) __asm__ volatile("msr " name ", %0" : : "r"((uint64_t)(value)) : "memory")
#define isb() __asm__ volatile("isb" : : : "memory")

static inline uint32_t mmio_read32(uint64_t addr)
{
	uint32_t value;

	__asm__ volatile("ldr %w0, [%1]" : "=r"(value) : "r"(addr) : "memory");
	return value;
}

static inline void mmio_write32(uint64_t addr, uint32_t value)
{
	__asm__ volatile("str %w0, [%1]" : : "r"(value), "r"(addr) : "memory");
}

static inline uint64_t mmio_read64(uint64_t addr)
{
	uint64_t value;

	__asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(addr) : "memory");
	return value;
}

static inline void mmio_write64(uint64_t addr, uint64_t value)
{
	__asm__ volatile("str %0, [%1]" : : "r"(value), "r"(addr) : "memory");
}

/* ---- link.lds, start.S --------------------------------------------------- */

extern uint64_t kernel_root[], kernel_device_table[], kernel_top_table[], empty_root[];
extern char exception_vectors[], sigreturn_code[];

/* First C code: translation on, bss clear. Physical addresses of the device tree and of image_start. */
NORETURN void boot_main(uint64_t fdt, uint64_t image);

/* ---- mmu.c --------------------------------------------------------------- */

/* Says where the image was loaded: before anything else of this part is used. */
void mmu_init(uint64_t image);
/* Makes 2 MiB at least from pa on readable at the result: the device tree. */
const void *mmu_map_fdt(uint64_t pa);
/* Maps memory into the direct map. False: out of tables, some is missing. */
bool mmu_map_memory(const struct memmap *m);
/* Maps device registers, for good. 0: no room, or size 0. */
uint64_t mmu_map_device(uint64_t pa, uint64_t size_bytes);

/* ---- irq.c: the interrupt controller --------------------------------------- */

/* base[0], size[0]: distributor; [1]: CPU interface (GICv2) or redistributors (GICv3). */
struct gic_info {
	unsigned version; /* 2 or 3; 0: none */
	uint64_t base[2], size[2];
};
/* False: it does not answer as expected. */
bool irq_init(const struct gic_info *info);
void irq_enable(unsigned intid);
/* Handles what is pending; bits of enum trap_interrupt, 0: nothing was. */
unsigned irq_take(void);

/* ---- timer.c --------------------------------------------------------------- */

void timer_init(unsigned intid, bool is_virtual, uint32_t frequency_hz);
extern unsigned timer_intid;
/* The timer's interrupt: silences it. */
void timer_interrupt(void);

/* ---- uart.c ---------------------------------------------------------------- */

void uart_init(uint64_t pa, unsigned intid);
extern unsigned uart_intid;
/* The receive interrupt. */
void uart_interrupt(void);

/* ---- fpu.c ----------------------------------------------------------------- */

/* User mode used a vector register of whoever ran before: loads the current task's. */
void fpu_trap(void);
/* The current task has changed. */
void fpu_task_switched(void);

/* ---- traps.S, traps.c ------------------------------------------------------ */

void context_swap(void **save_sp, void *to_sp);
void context_start(void);
/* Runs user mode from frame; never comes back. */
NORETURN void user_enter(struct trap_frame *frame);
void user_exception(struct trap_frame *frame, uint64_t esr, uint64_t far);
void user_interrupt(struct trap_frame *frame);
NORETURN void bad_trap(struct trap_frame *frame, unsigned what);

/* ---- power.c --------------------------------------------------------------- */

enum psci_method { PSCI_NONE, PSCI_HVC, PSCI_SMC };
void power_init(enum psci_method method);

#endif
#endif
