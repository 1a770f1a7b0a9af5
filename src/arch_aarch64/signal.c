/*
 * The signal frame of aarch64 Linux: siginfo, ucontext with the registers and
 * the records of extra state (here: FP/SIMD), and a frame record below which
 * unwinders continue. The layout is the ABI's to the byte.
 */
#include "abi/errno.h"
#include "abi/signal.h"
#include "lib/string.h"
#include "mm/memtools.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "user_abi.h"

#define FPSIMD_MAGIC 0x46508001u
#define FPSIMD_RECORD_BYTES 528u
#define PSTATE_FLAGS 0xf0000000u /* NZCV */

/* task->fpu: 32 vector registers, then FPSR and FPCR; the record has the two words first. */
struct fpsimd_record {
	uint32_t magic, size, fpsr, fpcr;
	uint8_t vregs[512];
};
struct fpu_image {
	uint8_t vregs[512];
	uint32_t fpsr, fpcr;
};

/* Up to the record that ends the extra state; the rest of the 4096 bytes for it is not touched. */
struct sigcontext {
	uint64_t fault_address, regs[31], sp, pc, pstate, pad;
	struct fpsimd_record fpsimd;
	uint64_t end[2];
};

struct ucontext {
	uint64_t flags, link;
	struct { uint64_t sp; uint32_t flags, pad; uint64_t size; } stack;
	uint64_t sigmask;
	uint8_t unused[120];
	struct sigcontext mcontext __attribute__((aligned(16)));
};

struct rt_sigframe {
	struct linux_siginfo info;
	uint8_t info_rest[LINUX_SIGINFO_REST];
	struct ucontext uc;
};
#define RT_SIGFRAME_BYTES (LINUX_SIGINFO_BYTES + 176 + 288 + 4096)
_Static_assert(offsetof(struct rt_sigframe, uc) == LINUX_SIGINFO_BYTES, "aarch64 rt_sigframe");
_Static_assert(offsetof(struct ucontext, mcontext) == 176, "aarch64 ucontext");
_Static_assert(offsetof(struct sigcontext, fpsimd) == 288, "aarch64 sigcontext");
_Static_assert(sizeof(struct fpsimd_record) == FPSIMD_RECORD_BYTES, "aarch64 fpsimd_context");

/* Each member is stored once: the frame is filled where it stands, over whatever was there. */
static void fill_frame(struct rt_sigframe *sf, struct task *task, const struct trap_frame *f,
		       const struct signal_delivery *d)
{
	struct ucontext *uc = &sf->uc;
	struct sigcontext *mc = &uc->mcontext;
	struct fpu_image *fpu = (void *)mc->fpsimd.vregs; /* the last words of which lie where mc->end is */

	sf->info = *d->info;
	memset(sf->info_rest, 0, sizeof(sf->info_rest));
	memset(uc, 0, offsetof(struct ucontext, mcontext));
	uc->stack.sp = d->altstack_sp;
	uc->stack.flags = d->altstack_flags;
	uc->stack.size = d->altstack_size;
	uc->sigmask = d->mask;
	mc->fault_address = d->fault_addr;
	memcpy(mc->regs, f->x, sizeof(f->x));
	mc->sp = f->sp;
	mc->pc = f->pc;
	mc->pstate = f->pstate;
	mc->pad = 0;
	mc->fpsimd.magic = FPSIMD_MAGIC;
	mc->fpsimd.size = FPSIMD_RECORD_BYTES;
	arch_fpu_store(task, fpu);
	mc->fpsimd.fpsr = fpu->fpsr;
	mc->fpsimd.fpcr = fpu->fpcr;
	mc->end[0] = mc->end[1] = 0;
}

/* The frame is built where it will stand when that is one page at hand; else on the side, and copied. */
static int put_frame(struct task *task, const struct trap_frame *f, uint64_t addr, const struct signal_delivery *d)
{
	struct rt_sigframe aside, *in_place = user_window(uaddr(addr), sizeof(*in_place), true);

	if (in_place == NULL) {
		fill_frame(&aside, task, f, d);
		return copy_to_user(uaddr(addr), &aside, sizeof(aside));
	}
	fill_frame(in_place, task, f, d);
	memtools_check_defined(in_place, sizeof(*in_place));
	memtools_mark_defined(in_place, sizeof(*in_place));
	return 0;
}

int arch_signal_frame_push(struct task *task, struct trap_frame *f, const struct signal_delivery *d)
{
	uint64_t sp = d->altstack_top != 0 ? d->altstack_top : f->sp;
	uint64_t record_addr = (sp - 16) & ~15ull;
	uint64_t addr = (record_addr - RT_SIGFRAME_BYTES) & ~15ull;
	uint64_t frame_record[2] = {f->x[29], f->x[30]};

	if (copy_to_user(uaddr(record_addr), frame_record, sizeof(frame_record)) != 0 ||
	    put_frame(task, f, addr, d) != 0)
		return -EFAULT;
	f->x[0] = (uint64_t)d->sig;
	f->x[1] = addr;
	f->x[2] = addr + offsetof(struct rt_sigframe, uc);
	f->x[29] = record_addr;
	f->x[30] = (d->action->flags & SA_RESTORER) != 0 ? d->action->restorer : ABI_SIGRETURN_CODE;
	f->sp = addr;
	f->pc = d->action->handler;
	frame_forget_syscall(f);
	return 0;
}

static void restore_fpu(struct task *task, const struct fpsimd_record *record)
{
	struct fpu_image *fpu = task->fpu;

	memcpy(fpu->vregs, record->vregs, sizeof(fpu->vregs));
	fpu->fpsr = record->fpsr;
	fpu->fpcr = record->fpcr;
	arch_fpu_changed(task);
}

void arch_frame_sanitise(struct trap_frame *f) { f->pstate &= PSTATE_FLAGS; }

int arch_signal_frame_pop(struct task *task, struct trap_frame *f, uint64_t *mask, uint64_t altstack[3])
{
	const uint64_t addr = f->sp + offsetof(struct rt_sigframe, uc);
	const struct ucontext *uc = user_window(uaddr(addr), sizeof(*uc), false);
	const struct sigcontext *mc;
	struct ucontext aside;

	if (uc == NULL) {
		if (copy_from_user(&aside, uaddr(addr), sizeof(aside)) != 0)
			return -EFAULT;
		uc = &aside;
	}
	mc = &uc->mcontext;
	if ((f->sp & 15) != 0 || mc->fpsimd.magic != FPSIMD_MAGIC || mc->fpsimd.size != FPSIMD_RECORD_BYTES)
		return -EFAULT;
	restore_fpu(task, &mc->fpsimd);
	memcpy(f->x, mc->regs, sizeof(f->x));
	f->sp = mc->sp;
	f->pc = mc->pc;
	f->pstate = mc->pstate;
	frame_forget_syscall(f);
	arch_frame_sanitise(f);
	*mask = uc->sigmask;
	altstack[0] = uc->stack.sp;
	altstack[1] = uc->stack.flags;
	altstack[2] = uc->stack.size;
	return 0;
}
