/*
 * What user mode's exceptions mean (Arm ARM, D17.2.37, ESR_EL1): one upcall each, but for
 * those that are the machine's own: accessed and dirty of a page that the tables allow, and
 * the first use of a vector register. Also kernel contexts and idling. Runs on the current
 * task's kernel stack, interrupts masked.
 */
#include "boot.h"

#include "arch/machine.h"
#include "lib/assert.h"
#include "lib/printf.h"
#include "metal/metal.h"
#include "mm/aspace.h"
#include "sched/cpu.h"
#include "sched/task.h"

_Static_assert(offsetof(struct trap_frame, sp) == FRAME_SP, "boot.h");
_Static_assert(offsetof(struct trap_frame, pc) == FRAME_SP + 8, "traps.S");
_Static_assert(offsetof(struct trap_frame, pstate) == FRAME_PSTATE, "boot.h");
_Static_assert(offsetof(struct trap_frame, orig_x0) == FRAME_PSTATE + 8, "traps.S");
_Static_assert(offsetof(struct trap_frame, syscall_nr) == FRAME_SYSCALL_NR, "boot.h");
_Static_assert(offsetof(struct trap_frame, tpidr) == FRAME_TPIDR, "boot.h");
_Static_assert(sizeof(struct trap_frame) <= FRAME_BYTES, "boot.h");

/* Exception classes (ESR_EL1.EC). */
enum { EC_FP = 0x07, EC_FETCH_ABORT = 0x20, EC_PC_ALIGNMENT = 0x22, EC_DATA_ABORT = 0x24, EC_SP_ALIGNMENT = 0x26,
       EC_FLOAT = 0x2c, EC_BREAKPOINT = 0x30, EC_STEP = 0x32, EC_WATCHPOINT = 0x34, EC_BRK = 0x3c };

/* Fault status of an abort (ESR_EL1.ISS, DFSC), without the level. */
enum { FSC_ADDRESS_SIZE = 0x00, FSC_TRANSLATION = 0x04, FSC_ACCESS_FLAG = 0x08, FSC_PERMISSION = 0x0c,
       FSC_LEVEL = 0x03, FSC_MASK = 0x3f, FSC_ALIGNMENT = 0x21, FSC_TLB_CONFLICT = 0x30, FSC_ATOMIC = 0x35,
       FSC_TRANSLATION_OUTER = 0x2b };
#define ISS_WRITE (1u << 6)
#define ISS_CACHE (1u << 8) /* cache maintenance: says "write", needs read */

/* ISS of a floating-point exception. */
enum { FLOAT_INVALID = 1, FLOAT_DIVIDE = 2, FLOAT_OVERFLOW = 4, FLOAT_UNDERFLOW = 8, FLOAT_INEXACT = 16 };

/* ---- user exceptions ------------------------------------------------------- */

/* The top byte is not part of a user address (TCR_EL1.TBI0). */
static uint64_t untagged(uint64_t far) { return (uint64_t)((int64_t)(far << 8) >> 8); }

/*
 * A fault on a valid entry: accessed or dirty is to be set (pte.h), or a cached translation is
 * stricter than the tables. True: the access may be retried.
 */
static bool walk_allows(struct aspace *as, uint64_t addr, unsigned access)
{
	prot_t prot;
	pfn_t pfn;

	return addr < arch_user_end() && aspace_walk(as, uaddr(addr), access, &pfn, &prot);
}

static void page_fault(struct trap_frame *frame, uint64_t addr, unsigned access, bool is_cached)
{
	struct aspace *as = current_task()->aspace;
	uint64_t page = page_round_down(addr);

	if (!walk_allows(as, addr, access))
		trap_page_fault(frame, uaddr(addr), access);
	/* A translation that refuses may be cached. The access flag's absence is not (D8.4.6). */
	if (is_cached && addr < arch_user_end())
		arch_tlb_flush_range(as, uaddr(page), uaddr(page + PAGE_SIZE));
	__asm__ volatile("dsb nshst" : : : "memory");
}

static void memory_abort(struct trap_frame *frame, uint64_t esr, uint64_t far, unsigned access)
{
	unsigned status = esr & FSC_MASK;

	if ((status & ~(unsigned)FSC_LEVEL) == FSC_TRANSLATION || status == FSC_TRANSLATION_OUTER) {
		trap_page_fault(frame, uaddr(untagged(far)), access);
		__asm__ volatile("dsb nshst" : : : "memory");
		return;
	}
	switch (status & ~(unsigned)FSC_LEVEL) {
	case FSC_ACCESS_FLAG: page_fault(frame, untagged(far), access, false); return;
	case FSC_PERMISSION: page_fault(frame, untagged(far), access, true); return;
	}
	if (status == FSC_TLB_CONFLICT)
		machine_tlb_flush_everything();
	else if (status == FSC_ALIGNMENT || status == FSC_ATOMIC)
		trap_exception(frame, EXC_ALIGNMENT, uaddr(far));
	else
		trap_exception(frame, EXC_MACHINE, uaddr(0));
}

static enum trap_exception float_exception(uint64_t esr)
{
	if ((esr & FLOAT_INVALID) != 0)
		return EXC_FLOAT;
	if ((esr & FLOAT_DIVIDE) != 0)
		return EXC_FLOAT_DIVIDE;
	if ((esr & FLOAT_OVERFLOW) != 0)
		return EXC_FLOAT_OVERFLOW;
	if ((esr & FLOAT_UNDERFLOW) != 0)
		return EXC_FLOAT_UNDERFLOW;
	return (esr & FLOAT_INEXACT) != 0 ? EXC_FLOAT_INEXACT : EXC_FLOAT;
}

void user_exception(struct trap_frame *frame, uint64_t esr, uint64_t far)
{
	uaddr_t pc = uaddr(frame->pc);

	switch (esr >> 26 & 63) {
	case EC_DATA_ABORT:
		memory_abort(frame, esr, far, (esr & (ISS_WRITE | ISS_CACHE)) == ISS_WRITE ? TRAP_WRITE : TRAP_READ);
		break;
	case EC_FETCH_ABORT: memory_abort(frame, esr, far, TRAP_EXEC); break;
	case EC_FP: fpu_trap(); break;
	case EC_PC_ALIGNMENT: trap_exception(frame, EXC_ALIGNMENT, pc); break;
	case EC_SP_ALIGNMENT: trap_exception(frame, EXC_ALIGNMENT, uaddr(frame->sp)); break;
	case EC_FLOAT: trap_exception(frame, float_exception(esr), pc); break;
	case EC_BRK: trap_exception(frame, EXC_BREAKPOINT, pc); break;
	case EC_BREAKPOINT:
	case EC_STEP:
	case EC_WATCHPOINT: trap_exception(frame, EXC_STEP, pc); break;
	default: /* undefined, trapped system registers, illegal state, AArch32's */
		trap_exception(frame, EXC_ILLEGAL, pc);
		break;
	}
}

void user_interrupt(struct trap_frame *frame)
{
	unsigned what = irq_take();

	if (what != 0)
		trap_interrupt(frame, what);
}

/* ---- the kernel's own ------------------------------------------------------ */

void bad_trap(struct trap_frame *frame, unsigned what)
{
	static const char *const names[] = {"exception", "interrupt", "fast interrupt", "system error"};
	char reason[96];

	ksnprintf(reason, sizeof(reason), "%s in the kernel: ESR %#010llx, FAR %#018llx", names[what],
		  (unsigned long long)read_sysreg("esr_el1"), (unsigned long long)read_sysreg("far_el1"));
	metal_crash(reason, frame);
}

uint64_t machine_return_address(const struct trap_frame *f) { return f->x[30]; }

void machine_print_registers(const struct trap_frame *f)
{
	for (unsigned i = 0; i < 31; i++)
		kprintf("%sx%u%s %016llx%s", i % 4 == 0 ? "  " : " ", i, i < 10 ? " " : "",
			(unsigned long long)f->x[i], i % 4 == 3 ? "\n" : "");
	kprintf(" sp  %016llx\n", (unsigned long long)f->sp);
	kprintf("  pc  %016llx pstate %08llx\n", (unsigned long long)f->pc, (unsigned long long)f->pstate);
}

/* ---- contexts, the CPU ----------------------------------------------------- */

struct cpu arch_boot_cpu;

void arch_context_init(struct arch_context *ctx, void *stack, size_t size_bytes, void (*fn)(void *arg), void *arg)
{
	uint64_t *sp = (uint64_t *)(((uintptr_t)stack + size_bytes) & ~(uintptr_t)15) - 12;

	sp[0] = (uintptr_t)fn;  /* x19 */
	sp[1] = (uintptr_t)arg; /* x20 */
	sp[10] = 0;             /* x29: back traces end here */
	sp[11] = (uintptr_t)context_start;
	ctx->sp = sp;
	ctx->fiber = NULL;
}

void arch_context_switch(struct arch_context *from, struct arch_context *to)
{
	fpu_task_switched();
	context_swap(&from->sp, to->sp);
}

void arch_cpu_idle(void)
{
	unsigned what;

	do {
		/* A pending interrupt ends the wait though it is masked. */
		__asm__ volatile("dsb sy\n\twfi" : : : "memory");
		what = irq_take();
	} while (what == 0);
	trap_interrupt(NULL, what);
}

void arch_user_enter(void) { user_enter(current_task()->frame); }

uint64_t arch_user_end(void) { return UINT64_C(1) << 48; }
