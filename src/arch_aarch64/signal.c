/*
 * The signal frame of aarch64 Linux: siginfo, ucontext with the registers and
 * the records of extra state (here: FP/SIMD), and a frame record below which
 * unwinders continue. The layout is the ABI's to the byte.
 */
#include "abi/errno.h"
#include "abi/signal.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "user_abi.h"

#define FPSIMD_MAGIC 0x46508001u
#define FPSIMD_RECORD_BYTES 528u
#define PSTATE_FLAGS 0xf0000000u /* NZCV */

struct sigcontext {
	uint64_t fault_address, regs[31], sp, pc, pstate;
	uint8_t reserved[4096] __attribute__((aligned(16)));
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
	struct ucontext uc;
};
_Static_assert(offsetof(struct ucontext, mcontext) == 176, "aarch64 ucontext");

/* task->fpu: 32 vector registers, then FPSR and FPCR; the record has the two words first. */
struct fpsimd_record {
	uint32_t magic, size, fpsr, fpcr;
	uint8_t vregs[512];
};
struct fpu_image {
	uint8_t vregs[512];
	uint32_t fpsr, fpcr;
};

/* Written member by member: the reserved area is large and mostly zero. */
static int push_context(struct task *task, uint64_t addr, const struct trap_frame *f, const struct signal_delivery *d)
{
	struct { uint64_t fault_address, regs[31], sp, pc, pstate; } regs = {0};
	struct { uint64_t flags, link, stack_sp; uint32_t stack_flags, pad; uint64_t stack_size, sigmask; } head = {0};
	const struct fpu_image *fpu = task->fpu;
	struct fpsimd_record record = {.magic = FPSIMD_MAGIC, .size = FPSIMD_RECORD_BYTES};
	uint64_t uc = addr + offsetof(struct rt_sigframe, uc);
	uint64_t mc = uc + offsetof(struct ucontext, mcontext);
	uint64_t extra = mc + offsetof(struct sigcontext, reserved);

	head.stack_sp = d->altstack_sp;
	head.stack_flags = d->altstack_flags;
	head.stack_size = d->altstack_size;
	head.sigmask = d->mask;
	regs.fault_address = d->fault_addr;
	memcpy(regs.regs, f->x, sizeof(f->x));
	regs.sp = f->sp;
	regs.pc = f->pc;
	regs.pstate = f->pstate;
	memcpy(record.vregs, fpu->vregs, sizeof(record.vregs));
	record.fpsr = fpu->fpsr;
	record.fpcr = fpu->fpcr;
	if (copy_to_user(uaddr(addr), d->info, sizeof(*d->info)) != 0 ||
	    copy_to_user(uaddr(uc), &head, sizeof(head)) != 0 ||
	    copy_to_user(uaddr(mc), &regs, sizeof(regs)) != 0 ||
	    copy_to_user(uaddr(extra), &record, sizeof(record)) != 0 ||
	    clear_user(uaddr(extra + sizeof(record)), 16) != 0)
		return -EFAULT;
	return 0;
}

int arch_signal_frame_push(struct task *task, struct trap_frame *f, const struct signal_delivery *d)
{
	uint64_t sp = d->altstack_top != 0 ? d->altstack_top : f->sp;
	uint64_t record_addr = (sp - 16) & ~15ull;
	uint64_t addr = (record_addr - sizeof(struct rt_sigframe)) & ~15ull;
	uint64_t frame_record[2] = {f->x[29], f->x[30]};

	arch_fpu_save(task);
	if (copy_to_user(uaddr(record_addr), frame_record, sizeof(frame_record)) != 0 ||
	    push_context(task, addr, f, d) != 0)
		return -EFAULT;
	f->x[0] = (uint64_t)d->sig;
	f->x[1] = addr;
	f->x[2] = addr + offsetof(struct rt_sigframe, uc);
	f->x[29] = record_addr;
	f->x[30] = d->action->restorer;
	f->sp = addr;
	f->pc = d->action->handler;
	frame_forget_syscall(f);
	return 0;
}

static int restore_fpu(struct task *task, uint64_t extra)
{
	struct fpsimd_record record;
	struct fpu_image *fpu = task->fpu;

	if (copy_from_user(&record, uaddr(extra), sizeof(record)) != 0 || record.magic != FPSIMD_MAGIC ||
	    record.size != FPSIMD_RECORD_BYTES)
		return -EFAULT;
	memcpy(fpu->vregs, record.vregs, sizeof(fpu->vregs));
	fpu->fpsr = record.fpsr;
	fpu->fpcr = record.fpcr;
	arch_fpu_changed(task);
	return 0;
}

void arch_frame_sanitise(struct trap_frame *f) { f->pstate &= PSTATE_FLAGS; }

int arch_signal_frame_pop(struct task *task, struct trap_frame *f, uint64_t *mask, uint64_t altstack[3])
{
	struct { uint64_t fault_address, regs[31], sp, pc, pstate; } regs;
	struct { uint64_t flags, link, stack_sp; uint32_t stack_flags, pad; uint64_t stack_size, sigmask; } head;
	uint64_t uc = f->sp + offsetof(struct rt_sigframe, uc);
	uint64_t mc = uc + offsetof(struct ucontext, mcontext);

	if ((f->sp & 15) != 0 || copy_from_user(&head, uaddr(uc), sizeof(head)) != 0 ||
	    copy_from_user(&regs, uaddr(mc), sizeof(regs)) != 0 ||
	    restore_fpu(task, mc + offsetof(struct sigcontext, reserved)) != 0)
		return -EFAULT;
	memcpy(f->x, regs.regs, sizeof(f->x));
	f->sp = regs.sp;
	f->pc = regs.pc;
	f->pstate = regs.pstate;
	frame_forget_syscall(f);
	arch_frame_sanitise(f);
	*mask = head.sigmask;
	altstack[0] = head.stack_sp;
	altstack[1] = head.stack_flags;
	altstack[2] = head.stack_size;
	return 0;
}
