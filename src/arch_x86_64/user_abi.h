/*
 * The x86_64 Linux user ABI: saved registers, system-call convention, and the
 * few constants and structures that differ between architectures. Used by the
 * bare-metal machine and by the hosted machine on an x86_64 host.
 * src/arch_aarch64/user_abi.h has the same names.
 */
#ifndef USER_ABI_H
#define USER_ABI_H

#include "arch/user.h"
#include "lib/types.h"

/* User registers; the arguments of a system call in their order. */
struct trap_frame {
	uint64_t r15, r14, r13, r12, rbp, rbx;
	union {
		struct { uint64_t rdi, rsi, rdx, r10, r8, r9; };
		uint64_t args[6];
	};
	uint64_t rax, rcx, r11;
	uint64_t orig_rax; /* system-call number, or -1 when the trap was none */
	uint64_t rip, cs, eflags, rsp, ss;
	uint64_t fs_base, gs_base;
};

#define ABI_NAME "x86_64"
#define ELF_MACHINE_NATIVE 62 /* EM_X86_64 */
#define ABI_PLATFORM "x86_64"
#define ABI_HWCAP 0x078bfbffu /* CPUID.1:EDX of every x86_64: what glibc and busybox expect */
#define ABI_HWCAP2 arch_hwcap2()
#define ABI_MINSIGSTKSZ 3632u /* largest frame: AVX-512 XSAVE image and the rest */
#define ABI_USER_CS 0x33u
#define ABI_USER_SS 0x2bu
#define ABI_STACK_ALIGN 16u
#define ABI_SIGRETURN_SP_OFFSET 8 /* the handler's `ret` has popped its return address */
#define ABI_ILLEGAL_CODE ILL_ILLOPN /* siginfo of EXC_ILLEGAL, EXC_BREAKPOINT (abi/signal.h) */
#define ABI_BREAKPOINT_CODE SI_KERNEL
#define ABI_CLONE_ARG_CHILD_TID 3 /* clone(2)'s order of arguments */
#define ABI_CLONE_ARG_TLS 4

/* AT_HWCAP2: bit 1 says that user mode may use FSGSBASE (cpuinfo.c). */
uint64_t arch_hwcap2(void);

/* The members of struct trap_frame, in order, for reports. */
#define FRAME_REGISTER_NAMES                                                                                     \
	"r15", "r14", "r13", "r12", "rbp", "rbx", "rdi", "rsi", "rdx", "r10", "r8", "r9", "rax", "rcx", "r11",   \
		"orig_rax", "rip", "cs", "eflags", "rsp", "ss", "fs_base", "gs_base"
/* What context_swap() leaves on a sleeping task's stack, in words: src/arch_x86_64/context.S. */
#define CONTEXT_WORDS 7
#define CONTEXT_FP_WORD 5
#define CONTEXT_PC_WORD 6

#define NO_SYSCALL UINT64_MAX

static inline uint64_t frame_syscall_nr(const struct trap_frame *f) { return f->orig_rax; }
static inline const uint64_t *frame_args(const struct trap_frame *f) { return f->args; }
static inline uint64_t frame_arg(const struct trap_frame *f, unsigned i) { return f->args[i]; }
static inline int64_t frame_result(const struct trap_frame *f) { return (int64_t)f->rax; }
static inline void frame_set_result(struct trap_frame *f, int64_t value) { f->rax = (uint64_t)value; }
static inline uint64_t frame_pc(const struct trap_frame *f) { return f->rip; }
static inline void frame_set_pc(struct trap_frame *f, uint64_t pc) { f->rip = pc; }
static inline uint64_t frame_sp(const struct trap_frame *f) { return f->rsp; }
static inline void frame_set_sp(struct trap_frame *f, uint64_t sp) { f->rsp = sp; }
static inline uint64_t frame_fp(const struct trap_frame *f) { return f->rbp; }
static inline uint64_t frame_tls(const struct trap_frame *f) { return f->fs_base; }
static inline void frame_set_tls(struct trap_frame *f, uint64_t tls) { f->fs_base = tls; }
static inline void frame_set_syscall(struct trap_frame *f, uint64_t nr) { f->orig_rax = nr; }
/* The frame no longer belongs to a system call: no restart, no second look. */
static inline void frame_forget_syscall(struct trap_frame *f) { f->orig_rax = NO_SYSCALL; }
/* Makes the return to user mode run the system-call instruction again, as number nr. */
static inline void frame_restart_syscall(struct trap_frame *f, uint64_t nr)
{
	f->rax = nr;
	f->rip -= 2;
}
/* The registers a new program starts with (execve). */
static inline void frame_init_user(struct trap_frame *f, uint64_t pc, uint64_t sp)
{
	*f = (struct trap_frame){.rip = pc, .rsp = sp, .cs = ABI_USER_CS, .ss = ABI_USER_SS,
				 .eflags = 0x202, .orig_rax = NO_SYSCALL};
}

/* open(2) flags with architecture values. */
#define O_DIRECT 040000
#define O_LARGEFILE 0100000
#define O_DIRECTORY 0200000
#define O_NOFOLLOW 0400000

/* stat(2). */
struct linux_stat {
	uint64_t st_dev, st_ino, st_nlink;
	uint32_t st_mode, st_uid, st_gid, pad0;
	uint64_t st_rdev;
	int64_t st_size, st_blksize, st_blocks;
	int64_t atime_sec, atime_nsec, mtime_sec, mtime_nsec, ctime_sec, ctime_nsec;
	int64_t unused[3];
};
_Static_assert(sizeof(struct linux_stat) == 144, "x86_64 struct stat");

/* epoll_event is packed on x86_64 only. */
struct linux_epoll_event {
	uint32_t events;
	uint64_t data;
} __attribute__((packed));

/* arch_prctl(2) and friends: ABI calls that exist on this architecture only live in src/arch_x86_64/syscalls.c. */

/* Instruction fetches see what was stored: the processor sees to it. */
#define ABI_CODE_NEEDS_SYNC 0
static inline void arch_code_sync(pfn_t pfn) { (void)pfn; }

/* Which column of src/syscall/table.def is ours. */
#define SYSCALL_NR(x86_64, aarch64) x86_64
#define SYSCALL_NR_MAX 512

#endif
