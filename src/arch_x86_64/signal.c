/*
 * The signal frame of x86_64 Linux (arch/x86's rt_sigframe): return address,
 * ucontext, siginfo, and above them the XSAVE image, 64-byte aligned. glibc,
 * unwinders and debuggers know this layout, so it is the ABI's to the byte.
 */
#include "abi/errno.h"
#include "abi/signal.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "user_abi.h"

#define RED_ZONE_BYTES 128
#define UC_FP_XSTATE 1u
#define UC_SIGCONTEXT_SS 2u
#define UC_STRICT_RESTORE_SS 4u
#define USER_ADDRESS_BITS 47

#define EFLAGS_USER_MASK 0x00250dd5u /* CF PF AF ZF SF TF DF OF RF AC ID */
#define EFLAGS_ALWAYS 0x202u         /* IF and the reserved one */

struct sigcontext {
	uint64_t r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags;
	uint16_t cs, gs, fs, ss;
	uint64_t err, trapno, oldmask, cr2;
	uint64_t fpstate; /* user address of the XSAVE image */
	uint64_t reserved[8];
};

struct ucontext {
	uint64_t flags, link;
	struct { uint64_t sp; uint32_t flags, pad; uint64_t size; } stack;
	struct sigcontext mcontext;
	uint64_t sigmask;
};

struct rt_sigframe {
	uint64_t return_address;
	struct ucontext uc;
	struct linux_siginfo info;
};
_Static_assert(sizeof(struct ucontext) == 304, "x86_64 ucontext");
_Static_assert(sizeof(struct linux_siginfo) == 128, "siginfo");

static void context_from_frame(struct sigcontext *c, const struct trap_frame *f)
{
	*c = (struct sigcontext){
		.r8 = f->r8, .r9 = f->r9, .r10 = f->r10, .r11 = f->r11, .r12 = f->r12, .r13 = f->r13,
		.r14 = f->r14, .r15 = f->r15, .rdi = f->rdi, .rsi = f->rsi, .rbp = f->rbp, .rbx = f->rbx,
		.rdx = f->rdx, .rax = f->rax, .rcx = f->rcx, .rsp = f->rsp, .rip = f->rip,
		.eflags = f->eflags, .cs = (uint16_t)f->cs, .ss = (uint16_t)f->ss,
	};
}

static void frame_from_context(struct trap_frame *f, const struct sigcontext *c)
{
	f->r8 = c->r8, f->r9 = c->r9, f->r10 = c->r10, f->r11 = c->r11, f->r12 = c->r12, f->r13 = c->r13;
	f->r14 = c->r14, f->r15 = c->r15, f->rdi = c->rdi, f->rsi = c->rsi, f->rbp = c->rbp, f->rbx = c->rbx;
	f->rdx = c->rdx, f->rax = c->rax, f->rcx = c->rcx, f->rsp = c->rsp, f->rip = c->rip;
	f->eflags = c->eflags;
	frame_forget_syscall(f);
	arch_frame_sanitise(f);
}

static bool is_canonical_user(uint64_t addr) { return addr >> USER_ADDRESS_BITS == 0; }

void arch_frame_sanitise(struct trap_frame *f)
{
	f->eflags = (f->eflags & EFLAGS_USER_MASK) | EFLAGS_ALWAYS;
	f->cs = ABI_USER_CS;
	f->ss = ABI_USER_SS;
	if (!is_canonical_user(f->fs_base))
		f->fs_base = 0;
	if (!is_canonical_user(f->gs_base))
		f->gs_base = 0;
}

int arch_signal_frame_push(struct task *task, struct trap_frame *f, const struct signal_delivery *d)
{
	struct rt_sigframe sf;
	uint64_t sp = d->altstack_top != 0 ? d->altstack_top : f->rsp - RED_ZONE_BYTES;
	size_t fpu_size = arch_fpu_size();
	uint64_t fpu_addr = (sp - fpu_size) & ~63ull;
	uint64_t addr = ((fpu_addr - sizeof(sf)) & ~15ull) - 8;
	int r;

	memset(&sf, 0, sizeof(sf));
	sf.return_address = d->action->restorer;
	sf.uc.flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	sf.uc.stack.sp = d->altstack_sp;
	sf.uc.stack.flags = d->altstack_flags;
	sf.uc.stack.size = d->altstack_size;
	context_from_frame(&sf.uc.mcontext, f);
	sf.uc.mcontext.cr2 = d->fault_addr;
	sf.uc.mcontext.oldmask = d->mask;
	sf.uc.mcontext.fpstate = fpu_addr;
	sf.uc.sigmask = d->mask;
	sf.info = *d->info;

	arch_fpu_save(task);
	r = copy_to_user(uaddr(fpu_addr), task->fpu, fpu_size);
	if (r == 0)
		r = copy_to_user(uaddr(addr), &sf, sizeof(sf));
	if (r != 0)
		return r;
	f->rdi = (uint64_t)d->sig;
	f->rsi = addr + offsetof(struct rt_sigframe, info);
	f->rdx = addr + offsetof(struct rt_sigframe, uc);
	f->rax = 0;
	f->rsp = addr;
	f->rip = d->action->handler;
	f->eflags &= ~(uint64_t)(0x400 | 0x10000 | 0x100); /* DF RF TF */
	frame_forget_syscall(f);
	return 0;
}

/*
 * The image is read and checked where it will stand, in task->fpu, whatever that held: on failure the task starts
 * with a clean unit.
 */
static int restore_fpu(struct task *task, uint64_t addr)
{
	bool is_valid = addr != 0 && copy_from_user(task->fpu, uaddr(addr), arch_fpu_size()) == 0 &&
			arch_fpu_valid(task->fpu);

	if (!is_valid)
		arch_fpu_init(task->fpu);
	arch_fpu_changed(task);
	return is_valid || addr == 0 ? 0 : -EFAULT;
}

int arch_signal_frame_pop(struct task *task, struct trap_frame *f, uint64_t *mask, uint64_t altstack[3])
{
	struct ucontext uc;
	int r = copy_from_user(&uc, uaddr(f->rsp), sizeof(uc));

	if (r == 0)
		r = restore_fpu(task, uc.mcontext.fpstate);
	if (r != 0)
		return r;
	frame_from_context(f, &uc.mcontext);
	*mask = uc.sigmask;
	altstack[0] = uc.stack.sp;
	altstack[1] = uc.stack.flags;
	altstack[2] = uc.stack.size;
	return 0;
}
