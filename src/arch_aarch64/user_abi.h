/*
 * The aarch64 Linux user ABI: saved registers, system-call convention, and the
 * few constants and structures that differ between architectures. Used by the
 * bare-metal machine and by the hosted machine on an aarch64 host.
 * src/arch_x86_64/user_abi.h has the same names.
 */
#ifndef USER_ABI_H
#define USER_ABI_H

#include "arch/user.h"
#include "lib/types.h"

/* User registers: Linux's struct user_pt_regs, then what a system call needs to be restarted. */
struct trap_frame {
	uint64_t x[31], sp, pc, pstate;
	uint64_t orig_x0;
	uint64_t syscall_nr; /* or NO_SYSCALL */
	uint64_t tpidr;
};

#define ABI_NAME "aarch64"
#define ELF_MACHINE_NATIVE 183 /* EM_AARCH64 */
#define ABI_PLATFORM "aarch64"
#define ABI_HWCAP 0x3u /* FP, ASIMD */
#define ABI_HWCAP2 0x0u
#define ABI_MINSIGSTKSZ 4720u
#define ABI_STACK_ALIGN 16u
#define ABI_SIGRETURN_SP_OFFSET 0 /* the handler's return pops nothing */
/*
 * Code of the machine's that calls rt_sigreturn, for handlers without a restorer (glibc gives none: Linux has it
 * in the vDSO). Outside of the user's addresses, yet user mode may read and execute it.
 */
#define ABI_SIGRETURN_CODE UINT64_C(0xffffffffc21ff000)
#define ABI_ILLEGAL_CODE ILL_ILLOPC /* siginfo of EXC_ILLEGAL, EXC_BREAKPOINT (abi/signal.h) */
#define ABI_BREAKPOINT_CODE TRAP_BRKPT
#define ABI_CLONE_ARG_CHILD_TID 4 /* clone(2)'s order of arguments */
#define ABI_CLONE_ARG_TLS 3

/* The members of struct trap_frame, in order, for reports. */
#define FRAME_REGISTER_NAMES                                                                                     \
	"x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15",    \
		"x16", "x17", "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26", "x27", "x28", "x29", \
		"x30", "sp", "pc", "pstate", "orig_x0", "nr", "tpidr"
/* What context_swap() leaves on a sleeping task's stack, in words: context.S here and in boot/. */
#define CONTEXT_WORDS 12
#define CONTEXT_FP_WORD 10
#define CONTEXT_PC_WORD 11

#define NO_SYSCALL UINT64_MAX

static inline uint64_t frame_syscall_nr(const struct trap_frame *f) { return f->syscall_nr; }
/* The arguments of the system call under way, before its result is set. */
static inline const uint64_t *frame_args(const struct trap_frame *f) { return f->x; }
static inline uint64_t frame_arg(const struct trap_frame *f, unsigned i) { return i == 0 ? f->orig_x0 : f->x[i]; }
static inline int64_t frame_result(const struct trap_frame *f) { return (int64_t)f->x[0]; }
static inline void frame_set_result(struct trap_frame *f, int64_t value) { f->x[0] = (uint64_t)value; }
static inline uint64_t frame_pc(const struct trap_frame *f) { return f->pc; }
static inline void frame_set_pc(struct trap_frame *f, uint64_t pc) { f->pc = pc; }
static inline uint64_t frame_sp(const struct trap_frame *f) { return f->sp; }
static inline void frame_set_sp(struct trap_frame *f, uint64_t sp) { f->sp = sp; }
static inline uint64_t frame_fp(const struct trap_frame *f) { return f->x[29]; }
static inline uint64_t frame_tls(const struct trap_frame *f) { return f->tpidr; }
static inline void frame_set_tls(struct trap_frame *f, uint64_t tls) { f->tpidr = tls; }
static inline void frame_set_syscall(struct trap_frame *f, uint64_t nr) { f->syscall_nr = nr; }
/* The frame no longer belongs to a system call: no restart, no second look. */
static inline void frame_forget_syscall(struct trap_frame *f) { f->syscall_nr = NO_SYSCALL; }
/* Makes the return to user mode run the system-call instruction again, as number nr. */
static inline void frame_restart_syscall(struct trap_frame *f, uint64_t nr)
{
	f->x[0] = f->orig_x0;
	f->x[8] = nr;
	f->pc -= 4;
}
/* The registers a new program starts with (execve). */
static inline void frame_init_user(struct trap_frame *f, uint64_t pc, uint64_t sp)
{
	*f = (struct trap_frame){.pc = pc, .sp = sp, .syscall_nr = NO_SYSCALL};
}

/* open(2) flags with architecture values. */
#define O_DIRECTORY 040000
#define O_NOFOLLOW 0100000
#define O_DIRECT 0200000
#define O_LARGEFILE 0400000

/* stat(2). */
struct linux_stat {
	uint64_t st_dev, st_ino;
	uint32_t st_mode, st_nlink, st_uid, st_gid;
	uint64_t st_rdev, pad1;
	int64_t st_size;
	int32_t st_blksize, pad2;
	int64_t st_blocks;
	int64_t atime_sec, atime_nsec, mtime_sec, mtime_nsec, ctime_sec, ctime_nsec;
	uint32_t unused[2];
};
_Static_assert(sizeof(struct linux_stat) == 128, "aarch64 struct stat");

struct linux_epoll_event {
	uint32_t events;
	uint32_t pad;
	uint64_t data;
};

/* Instruction fetches see what was stored in a frame only after the machine has cleaned its caches. */
#define ABI_CODE_NEEDS_SYNC 1
void arch_code_sync(pfn_t pfn);

/* Which column of src/syscall/table.def is ours. */
#define SYSCALL_NR(x86_64, aarch64) aarch64
#define SYSCALL_NR_MAX 512

#endif
