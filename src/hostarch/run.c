/*
 * User mode: registers in, run, registers out, one upcall for each trap. A TLB
 * miss, like hardware's, is no trap.
 */
#include "arch/machine.h"
#include "hostarch/fpu.h"
#include "hostarch/irq.h"
#include "hostarch/seeded.h"
#include "hostarch/stubs.h"
#include "lib/assert.h"
#include "lib/printf.h"
#include "mm/aspace.h"
#include "sched/task.h"

/* The host's signals, by its numbers. */
enum { SIG_ILL = 4, SIG_TRAP = 5, SIG_BUS = 7, SIG_FPE = 8, SIG_KICK = STUB_SIG_KICK, SIG_SEGV = 11,
       SIG_SYS = 31 };

/* x86 exception numbers as the host reports them (Intel SDM 3, 6.3.1). */
enum { VECTOR_DIVIDE = 0, VECTOR_DEBUG = 1, VECTOR_STACK = 12, VECTOR_PROTECTION = 13,
       VECTOR_PAGE_FAULT = 14, VECTOR_ALIGNMENT = 17 };
enum { FAULT_WRITE = 2, FAULT_FETCH = 16 };

#define AUDIT_ARCH_X86_64 0xc000003eu
#define EFLAGS_USER 0x00240dd5u /* CF PF AF ZF SF TF DF OF AC ID */
#define EFLAGS_ALWAYS 0x202u
#define EFLAGS_TF 0x100u
#define ENOSYS_RESULT ((uint64_t)-38)

static void registers_in(struct stub *s, const struct trap_frame *f)
{
	struct stub_control *c = s->control;
	uint32_t flags = s->has_fsgsbase ? 0 : STUB_FLAG_NO_FSGSBASE;
	const uint64_t end = STUB_GUEST_END;

	c->r15 = f->r15, c->r14 = f->r14, c->r13 = f->r13, c->r12 = f->r12;
	c->rbp = f->rbp, c->rbx = f->rbx, c->r11 = f->r11, c->r10 = f->r10;
	c->r9 = f->r9, c->r8 = f->r8, c->rax = f->rax, c->rcx = f->rcx;
	c->rdx = f->rdx, c->rsi = f->rsi, c->rdi = f->rdi;
	c->rip = f->rip;
	c->rsp = f->rsp;
	c->cs = ABI_USER_CS;
	c->ss = ABI_USER_SS;
	c->eflags = (f->eflags & EFLAGS_USER) | EFLAGS_ALWAYS;
	if ((c->eflags & EFLAGS_TF) != 0)
		flags |= STUB_FLAG_IRET;
	if (f->fs_base != s->fs_base || f->gs_base != s->gs_base) {
		s->fs_base = c->fs_base = f->fs_base < end ? f->fs_base : 0;
		s->gs_base = c->gs_base = f->gs_base < end ? f->gs_base : 0;
		flags |= STUB_FLAG_BASES;
	}
	c->flags = flags;
	c->fpu = STUB_SHARED + s->fpu_offset;
	c->fpu_mask = xstate_mask;
}

static void registers_out(struct stub *s, const struct stub_trap *t, struct trap_frame *f)
{
	f->r15 = t->regs.r15, f->r14 = t->regs.r14, f->r13 = t->regs.r13, f->r12 = t->regs.r12;
	f->rbp = t->regs.rbp, f->rbx = t->regs.rbx, f->r11 = t->regs.r11, f->r10 = t->regs.r10;
	f->r9 = t->regs.r9, f->r8 = t->regs.r8, f->rax = t->regs.rax, f->rcx = t->regs.rcx;
	f->rdx = t->regs.rdx, f->rsi = t->regs.rsi, f->rdi = t->regs.rdi;
	f->rip = t->regs.rip;
	f->rsp = t->regs.rsp;
	f->cs = ABI_USER_CS;
	f->ss = ABI_USER_SS;
	f->eflags = (t->regs.eflags & EFLAGS_USER) | EFLAGS_ALWAYS;
	f->fs_base = s->fs_base;
	f->gs_base = s->gs_base;
	f->orig_rax = NO_SYSCALL;
}

static void page_fault(struct stub *s, struct task *t, const struct stub_trap *trap)
{
	const uint64_t addr = trap->regs.cr2;
	unsigned access = (trap->regs.err & FAULT_WRITE) != 0   ? TRAP_WRITE
			  : (trap->regs.err & FAULT_FETCH) != 0 ? TRAP_EXEC
								: TRAP_READ;
	struct aspace *as = t->aspace;

	if (addr < STUB_GUEST_END && mmu_install(s, as, addr, access))
		return;
	engine_stats.nr_faults++;
	seeded_trap();
	trap_page_fault(t->frame, uaddr(addr), access);
	/* Mostly it was resolved: do not wait for the guest to miss again. */
	if (t->aspace == as && addr < STUB_GUEST_END)
		mmu_install(s, as, addr, access);
}

static void system_call(struct task *t, const struct stub_trap *trap)
{
	if (trap->syscall_arch != AUDIT_ARCH_X86_64) {
		trap_exception(t->frame, EXC_BAD_SYSCALL, uaddr(t->frame->rip));
		return;
	}
	engine_stats.nr_syscalls++;
	seeded_trap();
	t->frame->orig_rax = t->frame->rax;
	t->frame->rax = ENOSYS_RESULT;
	trap_syscall(t->frame);
}

/* The host has worked out which floating-point exception it was (FPE_*). */
static enum trap_exception float_exception(int code)
{
	switch (code) {
	case FPE_FLTDIV:
		return EXC_FLOAT_DIVIDE;
	case FPE_FLTOVF:
		return EXC_FLOAT_OVERFLOW;
	case FPE_FLTUND:
		return EXC_FLOAT_UNDERFLOW;
	case FPE_FLTRES:
		return EXC_FLOAT_INEXACT;
	default:
		return EXC_FLOAT;
	}
}

static enum trap_exception exception_of(const struct stub_trap *trap)
{
	switch (trap->signal) {
	case SIG_ILL:
		return EXC_ILLEGAL;
	case SIG_FPE:
		return trap->regs.trapno == VECTOR_DIVIDE ? EXC_DIVIDE : float_exception(trap->code);
	case SIG_TRAP:
		return trap->regs.trapno == VECTOR_DEBUG ? EXC_STEP : EXC_BREAKPOINT;
	case SIG_BUS:
		return trap->regs.trapno == VECTOR_ALIGNMENT ? EXC_ALIGNMENT
		       : trap->regs.trapno == VECTOR_STACK   ? EXC_STACK
							     : EXC_MACHINE;
	case SIG_SEGV:
		return EXC_PROTECTION;
	default:
		return EXC_MACHINE;
	}
}

static void exception(struct task *t, const struct stub_trap *trap)
{
	enum trap_exception what = exception_of(trap);

	seeded_trap();
	trap_exception(t->frame, what, uaddr(what == EXC_BREAKPOINT || what == EXC_STACK ? 0 : trap->regs.rip));
}

/* One upcall for what the guest did, or none. */
static void deliver(struct stub *s, struct task *t, const struct stub_trap *trap)
{
	if (trap->signal == 0) {
		kprintf("process %d: its host process died or was tampered with\n", t->tid);
		trap_exception(t->frame, EXC_MACHINE, uaddr(0));
		return;
	}
	if (!trap->is_guest) {
		if (trap->is_resume_fault)
			trap_exception(t->frame, EXC_PROTECTION, uaddr(0));
		return;
	}
	registers_out(s, trap, t->frame);
	fpu_trapped(t);
	if (trap->signal == SIG_SEGV && trap->regs.trapno == VECTOR_PROTECTION && seeded_emulate_counter(t->frame))
		return;
	if (trap->signal == SIG_SYS)
		system_call(t, trap);
	else if (trap->signal == SIG_SEGV && trap->regs.trapno == VECTOR_PAGE_FAULT)
		page_fault(s, t, trap);
	else if (trap->signal != SIG_KICK)
		exception(t, trap);
	if (trap->signal == SIG_BUS && trap->regs.trapno == VECTOR_PAGE_FAULT)
		kprintf("the host has no memory left for the guest's\n");
}

void arch_user_enter(void)
{
	struct task *t = current_task();

	for (;;) {
		struct stub_trap trap;
		struct stub *s;

		if (irq_is_pending()) {
			unsigned what = irq_take();

			if (what != 0) {
				trap_interrupt(t->frame, what);
				continue;
			}
		}
		s = (struct stub *)t->aspace->machine;
		ASSERT(s != NULL);
		mmu_sync(s);
		fpu_load(s, t);
		registers_in(s, t->frame);
		stub_run(s, &trap);
		deliver(s, t, &trap);
	}
}
