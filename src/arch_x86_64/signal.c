/*
 * The signal frame of x86_64 Linux (arch/x86's rt_sigframe): return address,
 * ucontext, siginfo, and above them the XSAVE image, 64-byte aligned. glibc,
 * unwinders and debuggers know this layout, so it is the ABI's to the byte.
 */
#include "abi/errno.h"
#include "abi/signal.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/memtools.h"
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
	uint8_t info_rest[LINUX_SIGINFO_REST];
};
_Static_assert(sizeof(struct ucontext) == 304, "x86_64 ucontext");
_Static_assert(sizeof(struct rt_sigframe) == 8 + 304 + 128, "x86_64 rt_sigframe");

/* Each member is stored once: the frame is filled where it stands, over whatever was there. */
static void fill_context(struct sigcontext *c, const struct trap_frame *f, const struct signal_delivery *d,
			 uint64_t fpu_addr)
{
	c->r8 = f->r8, c->r9 = f->r9, c->r10 = f->r10, c->r11 = f->r11, c->r12 = f->r12, c->r13 = f->r13;
	c->r14 = f->r14, c->r15 = f->r15, c->rdi = f->rdi, c->rsi = f->rsi, c->rbp = f->rbp, c->rbx = f->rbx;
	c->rdx = f->rdx, c->rax = f->rax, c->rcx = f->rcx, c->rsp = f->rsp, c->rip = f->rip;
	c->eflags = f->eflags;
	c->cs = (uint16_t)f->cs, c->gs = c->fs = 0, c->ss = (uint16_t)f->ss;
	c->err = c->trapno = 0;
	c->oldmask = d->mask;
	c->cr2 = d->fault_addr;
	c->fpstate = fpu_addr;
	memset(c->reserved, 0, sizeof(c->reserved));
}

static void fill_frame(struct rt_sigframe *sf, const struct trap_frame *f, const struct signal_delivery *d,
		       uint64_t fpu_addr)
{
	sf->return_address = d->action->restorer;
	sf->uc.flags = UC_FP_XSTATE | UC_SIGCONTEXT_SS | UC_STRICT_RESTORE_SS;
	sf->uc.link = 0;
	sf->uc.stack.sp = d->altstack_sp;
	sf->uc.stack.flags = d->altstack_flags;
	sf->uc.stack.pad = 0;
	sf->uc.stack.size = d->altstack_size;
	fill_context(&sf->uc.mcontext, f, d, fpu_addr);
	sf->uc.sigmask = d->mask;
	sf->info = *d->info;
	memset(sf->info_rest, 0, sizeof(sf->info_rest));
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

/* Frame and image are built where they will stand when that is one page at hand; else on the side, and copied. */
static int put_frame(struct task *task, const struct trap_frame *f, uint64_t addr, uint64_t fpu_addr,
		     const struct signal_delivery *d)
{
	size_t fpu_size = arch_fpu_size(), size = fpu_addr + fpu_size - addr;
	char *in_place = user_window(uaddr(addr), size, true);
	struct rt_sigframe aside;

	if (in_place != NULL) {
		fill_frame((void *)in_place, f, d, fpu_addr);
		arch_fpu_store(task, in_place + (fpu_addr - addr));
		memtools_check_defined(in_place, size);
		memtools_mark_defined(in_place, size);
		return 0;
	}
	fill_frame(&aside, f, d, fpu_addr);
	arch_fpu_save(task);
	if (copy_to_user(uaddr(fpu_addr), task->fpu, fpu_size) != 0)
		return -EFAULT;
	return copy_to_user(uaddr(addr), &aside, sizeof(aside));
}

int arch_signal_frame_push(struct task *task, struct trap_frame *f, const struct signal_delivery *d)
{
	uint64_t sp = d->altstack_top != 0 ? d->altstack_top : f->rsp - RED_ZONE_BYTES;
	uint64_t fpu_addr = (sp - arch_fpu_size()) & ~63ull;
	uint64_t addr = ((fpu_addr - sizeof(struct rt_sigframe)) & ~15ull) - 8;
	int r = put_frame(task, f, addr, fpu_addr, d);

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
 * with a clean unit. at_hand: the kernel's pointer to it, or NULL.
 */
static int restore_fpu(struct task *task, uint64_t addr, const char *at_hand)
{
	bool is_valid = addr != 0;

	if (at_hand != NULL)
		memcpy(task->fpu, at_hand, arch_fpu_size());
	else if (is_valid)
		is_valid = copy_from_user(task->fpu, uaddr(addr), arch_fpu_size()) == 0;
	is_valid = is_valid && arch_fpu_valid(task->fpu);
	if (!is_valid)
		arch_fpu_init(task->fpu);
	arch_fpu_changed(task);
	return is_valid || addr == 0 ? 0 : -EFAULT;
}

int arch_signal_frame_pop(struct task *task, struct trap_frame *f, uint64_t *mask, uint64_t altstack[3])
{
	const uint64_t addr = f->rsp;
	const struct ucontext *uc = user_window(uaddr(addr), sizeof(*uc), false);
	const char *fpu = NULL;
	struct ucontext aside;
	uint64_t fpu_addr;

	if (uc != NULL) {
		fpu_addr = uc->mcontext.fpstate;
		if (fpu_addr - addr < PAGE_SIZE &&
		    page_offset(addr) + (fpu_addr - addr) + arch_fpu_size() <= PAGE_SIZE)
			fpu = (const char *)uc + (fpu_addr - addr);
	} else {
		int r = copy_from_user(&aside, uaddr(addr), sizeof(aside));

		if (r != 0)
			return r;
		uc = &aside;
		fpu_addr = uc->mcontext.fpstate;
	}
	frame_from_context(f, &uc->mcontext);
	*mask = uc->sigmask;
	altstack[0] = uc->stack.sp;
	altstack[1] = uc->stack.flags;
	altstack[2] = uc->stack.size;
	return restore_fpu(task, fpu_addr, fpu); /* last: it may sleep */
}
