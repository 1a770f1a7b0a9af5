/*
 * Segments, task state and vectors, and what each trap means: one upcall for what user mode did; what the
 * kernel did itself ends in metal_crash(). See traps.S for the way here.
 */
#include "arch/machine.h"
#include "boot.h"
#include "lib/printf.h"
#include "sched/task.h"

#define CHECK_OFFSET(name, field) _Static_assert(FRAME_##name == offsetof(struct trap_frame, field), #field)
CHECK_OFFSET(R15, r15);
CHECK_OFFSET(RAX, rax);
CHECK_OFFSET(RCX, rcx);
CHECK_OFFSET(ORIG_RAX, orig_rax);
CHECK_OFFSET(RIP, rip);
CHECK_OFFSET(CS, cs);
CHECK_OFFSET(EFLAGS, eflags);
CHECK_OFFSET(RSP, rsp);
CHECK_OFFSET(SS, ss);
CHECK_OFFSET(FS_BASE, fs_base);
_Static_assert(sizeof(struct trap_frame) <= FRAME_BYTES, "struct trap_frame");
_Static_assert(ABI_USER_CS == SEL_USER_CS && ABI_USER_SS == SEL_USER_DS, "selectors");

/* ---- tables (Intel SDM 3A, 3.4.5, 6.14, 7.7) ----------------------------- */

enum { IST_NONE, IST_DOUBLE_FAULT, IST_NMI, IST_MACHINE_CHECK, IST_DEBUG };

static struct {
	uint32_t reserved0;
	uint64_t rsp0, rsp1, rsp2, reserved1, ist[7], reserved2;
	uint16_t reserved3, io_map;
} __attribute__((packed)) task_state;

static uint64_t gdt[] = {
	0,
	0x00af9b000000ffff, /* SEL_KERNEL_CS: 64-bit code */
	0x00cf93000000ffff, /* SEL_KERNEL_DS */
	0, 0,
	0x00cff3000000ffff, /* SEL_USER_DS */
	0x00affb000000ffff, /* SEL_USER_CS: 64-bit code */
	0, 0,               /* SEL_TSS, of 16 bytes */
};

struct gate {
	uint16_t offset_low, selector;
	uint8_t ist, type;
	uint16_t offset_middle;
	uint32_t offset_high, reserved;
};
static struct gate idt[256] __attribute__((aligned(16)));

struct table_pointer {
	uint16_t limit;
	const void *base;
} __attribute__((packed));

/* rsp0's is only passed through; the others are stood on while a report is printed. */
static char trap_stacks[5][TRAP_STACK_BYTES] __attribute__((aligned(16)));

#define GATE_INTERRUPT 0x8e
#define GATE_USER 0x60 /* may be called by user mode */
#define TSS_PRESENT UINT64_C(0x89)
#define SFMASK_BITS 0x257fd5u /* what SYSCALL clears: TF, IF, DF, NT, AC and the rest */

static unsigned ist_of(unsigned vector)
{
	switch (vector) {
	case VECTOR_DOUBLE_FAULT: return IST_DOUBLE_FAULT;
	case VECTOR_NMI: return IST_NMI;
	case VECTOR_MACHINE_CHECK: return IST_MACHINE_CHECK;
	case VECTOR_DEBUG: return IST_DEBUG;
	default: return IST_NONE;
	}
}

static bool is_users(unsigned vector)
{
	return vector == 3 || vector == 4 || vector == VECTOR_FOREIGN_CALL;
}

static void idt_init(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint64_t entry = (uint64_t)trap_vectors + i * TRAP_VECTOR_BYTES;

		idt[i] = (struct gate){
			.offset_low = (uint16_t)entry, .offset_middle = (uint16_t)(entry >> 16),
			.offset_high = (uint32_t)(entry >> 32), .selector = SEL_KERNEL_CS,
			.ist = (uint8_t)ist_of(i),
			.type = (uint8_t)(GATE_INTERRUPT | (is_users(i) ? GATE_USER : 0)),
		};
	}
}

static void gdt_init(void)
{
	const uint64_t base = (uint64_t)&task_state, limit = sizeof(task_state) - 1;

	task_state.rsp0 = (uint64_t)trap_stacks[IST_NONE] + TRAP_STACK_BYTES;
	for (unsigned i = 1; i < ARRAY_SIZE(trap_stacks); i++)
		task_state.ist[i - 1] = (uint64_t)trap_stacks[i] + TRAP_STACK_BYTES;
	task_state.io_map = sizeof(task_state); /* beyond the end: user mode has no port */
	gdt[SEL_TSS / 8] = limit | (base & 0xffffff) << 16 | TSS_PRESENT << 40 | (base >> 24 & 0xff) << 56;
	gdt[SEL_TSS / 8 + 1] = base >> 32;
}

void traps_init(void)
{
	struct table_pointer gdt_pointer = {sizeof(gdt) - 1, gdt}, idt_pointer = {sizeof(idt) - 1, idt};

	gdt_init();
	idt_init();
	__asm__ volatile("lgdt %0; lidt %1; lldt %w2; ltr %w3; mov %w4, %%ss"
			 : : "m"(gdt_pointer), "m"(idt_pointer), "r"(0), "r"(SEL_TSS), "r"(SEL_KERNEL_DS) : "memory");
	/* 0x08 was 64-bit code in the boot code's table, too. */
	wrmsr(MSR_STAR, (uint64_t)SEL_SYSRET_BASE << 48 | (uint64_t)SEL_KERNEL_CS << 32);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	wrmsr(MSR_CSTAR, 0); /* there is no 32-bit user code */
	wrmsr(MSR_SFMASK, SFMASK_BITS);
}

/* ---- from user mode ------------------------------------------------------ */

#define PF_PRESENT 1u
#define PF_WRITE 2u
#define PF_RESERVED 8u
#define PF_FETCH 16u

static void page_fault(struct trap_frame *f, uint64_t error)
{
	const uint64_t addr = READ_CR(2);

	if ((error & PF_RESERVED) != 0)
		metal_crash("a page table is broken", f);
	trap_page_fault(f, uaddr(addr),
			(error & PF_WRITE) != 0 ? TRAP_WRITE : (error & PF_FETCH) != 0 ? TRAP_EXEC : TRAP_READ);
}

/* Exception flags of the x87 status word and of MXCSR alike: invalid first, as Linux has it. */
static enum trap_exception float_exception(unsigned flags)
{
	static const struct { unsigned flag; enum trap_exception what; } order[] = {
		{0x01, EXC_FLOAT}, {0x04, EXC_FLOAT_DIVIDE}, {0x08, EXC_FLOAT_OVERFLOW},
		{0x12, EXC_FLOAT_UNDERFLOW}, {0x20, EXC_FLOAT_INEXACT},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(order); i++)
		if ((flags & order[i].flag) != 0)
			return order[i].what;
	return EXC_FLOAT;
}

static enum trap_exception x87_exception(void)
{
	uint16_t control, status;

	__asm__ volatile("fnstcw %0; fnstsw %1" : "=m"(control), "=m"(status));
	return float_exception(status & ~control);
}

static enum trap_exception sse_exception(void)
{
	uint32_t mxcsr;

	__asm__ volatile("stmxcsr %0" : "=m"(mxcsr));
	return float_exception(mxcsr & ~(mxcsr >> 7));
}

static void exception(struct trap_frame *f, unsigned vector)
{
	enum trap_exception what;
	uint64_t addr = f->rip;

	switch (vector) {
	case 0: what = EXC_DIVIDE; break;
	case VECTOR_DEBUG: what = EXC_STEP; break;
	case 3: what = EXC_BREAKPOINT, addr = 0; break;
	case 6: what = EXC_ILLEGAL; break;
	case 12: what = EXC_STACK, addr = 0; break;
	case 16: what = x87_exception(); break;
	case 17: what = EXC_ALIGNMENT, addr = 0; break;
	case 19: what = sse_exception(); break;
	case VECTOR_FOREIGN_CALL: what = EXC_BAD_SYSCALL; break;
	default: what = EXC_PROTECTION, addr = 0; break;
	}
	trap_exception(f, what, uaddr(addr));
}

static void interrupt(struct trap_frame *frame, unsigned what)
{
	what |= metal_console_poll() ? IRQ_CONSOLE : 0;
	trap_interrupt(frame, what);
}

void trap_from_user(struct trap_frame *f, unsigned vector, uint64_t error)
{
	if (vector == VECTOR_PAGE_FAULT)
		page_fault(f, error);
	else if (vector == VECTOR_NMI)
		; /* nobody asked for it */
	else if (vector == VECTOR_DOUBLE_FAULT || vector == VECTOR_MACHINE_CHECK)
		metal_crash(vector == VECTOR_MACHINE_CHECK ? "machine check" : "double fault", f);
	else if (vector < VECTOR_FIRST_IRQ || vector == VECTOR_FOREIGN_CALL)
		exception(f, vector);
	else
		interrupt(f, irq_handle(vector));
}

void trap_bad_pc(struct trap_frame *f) { trap_exception(f, EXC_PROTECTION, uaddr(0)); }

/* ---- from the kernel ----------------------------------------------------- */

static volatile unsigned idle_interrupts;

void trap_from_kernel(struct trap_frame *f, unsigned vector, uint64_t error)
{
	static const char *const names[] = {
		[0] = "divide error", [6] = "invalid instruction", [VECTOR_DOUBLE_FAULT] = "double fault",
		[12] = "stack fault", [13] = "general protection fault", [VECTOR_PAGE_FAULT] = "page fault",
		[VECTOR_MACHINE_CHECK] = "machine check",
	};
	char reason[96];

	if (vector >= VECTOR_FIRST_IRQ) {
		idle_interrupts |= irq_handle(vector);
		return;
	}
	if (vector == VECTOR_NMI)
		return;
	if (vector == VECTOR_DEBUG) { /* whatever user mode did to cause it: it shall not stop the kernel */
		f->eflags &= ~(uint64_t)FLAG_TF;
		return;
	}
	ksnprintf(reason, sizeof(reason), "%s in the kernel (exception %u, error code %#llx)",
		  vector < ARRAY_SIZE(names) && names[vector] != NULL ? names[vector] : "exception", vector,
		  (unsigned long long)error);
	metal_crash(reason, f);
}

void arch_cpu_idle(void)
{
	idle_interrupts = 0;
	/* STI takes effect after HLT has begun: an interrupt in between wakes it. */
	while (idle_interrupts == 0)
		__asm__ volatile("sti; hlt; cli" : : : "memory");
	interrupt(NULL, idle_interrupts);
}

void arch_user_enter(void) { user_enter(current_task()->frame); }
