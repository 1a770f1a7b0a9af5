/*
 * The machine contract: everything the core asks of a machine, and the upcalls
 * a machine makes into the core. Three machines implement it: src/hostarch,
 * src/arch_x86_64, src/arch_aarch64; tests/contract runs against each.
 *
 * Execution model. The kernel is not preemptible: interrupts are open only in
 * user mode and inside arch_cpu_idle(). Every task has a kernel stack of its
 * own; arch_context_switch() changes stacks. A machine enters user mode with
 * arch_user_enter(), and each time user mode is left it makes exactly one
 * upcall (trap_syscall, trap_page_fault, trap_exception, trap_interrupt) on the
 * task's kernel stack; when the upcall returns, the machine goes back to user
 * mode with current_task()->frame. An upcall may switch tasks inside, and may
 * never return (the task exited).
 *
 * All functions run on the calling CPU; none sleeps unless it says so.
 */
#ifndef ARCH_MACHINE_H
#define ARCH_MACHINE_H

#include "lib/types.h"

struct aspace;
struct cpu;
struct file;
struct inode;
struct task;
struct trap_frame;

/* ---- boot ---------------------------------------------------------------- */

#define BOOT_RANGES_MAX 16

struct boot_info {
	/* Usable physical memory, page aligned, ascending, not overlapping. */
	struct { paddr_t start, end; } ranges[BOOT_RANGES_MAX];
	unsigned nr_ranges;
	const char *cmdline;      /* bare metal: the kernel command line; hosted: "" */
	const void *initrd;       /* cpio archive, or NULL */
	size_t initrd_size_bytes;
	const char *initrd_name;  /* for messages; NULL: "initrd" */
	/* Bare metal: whole pages of the archive, in no range; the frame allocator gets them as it is unpacked. */
	struct { paddr_t start, end; } initrd_pages;
	uint64_t realtime_ns;     /* wall-clock time at arch_time_ns() == 0 */
	/*
	 * The first program. Hosted: all four are given; a path without '/' is looked up in PATH of
	 * init_envp inside the guest's root. Bare metal: NULL; the command line says it (sched/init.c).
	 */
	const char *init_path, *init_cwd;
	const char *const *init_argv, *const *init_envp;
	uint32_t uid, gid;        /* of the first process */
	/* fail_alloc_arm() from the first program on; 0: not at all. */
	uint64_t fail_alloc;
	bool fail_alloc_is_persistent;
};

/* Upcall: the machine is up; runs the kernel. Called once, on the boot stack. */
NORETURN void kernel_main(const struct boot_info *boot);

/* Kernel address through which physical memory is reached: pointer = base + pa.raw. */
extern char *arch_phys_base;

/* ---- CPU and contexts ---------------------------------------------------- */

/* This CPU's block (sched/cpu.h); there is one CPU. The machine defines it. */
extern struct cpu arch_boot_cpu;
static inline struct cpu *arch_cpu(void) { return &arch_boot_cpu; }

/* Saved kernel context of a task that is not running: its stack pointer. */
struct arch_context {
	void *sp;
	void *fiber;            /* for sanitizers on the hosted machine */
};

/*
 * Prepares ctx so that the first switch to it calls fn(arg) on the stack
 * [stack, stack + size_bytes). fn must not return.
 */
void arch_context_init(struct arch_context *ctx, void *stack, size_t size_bytes,
		       void (*fn)(void *arg), void *arg);
/* Releases what arch_context_init() registered (valgrind, sanitizers); not the stack. */
void arch_context_destroy(struct arch_context *ctx);
/* Saves the caller in *from and continues *to. Returns when someone switches back. */
void arch_context_switch(struct arch_context *from, struct arch_context *to);

/*
 * Sleeps until an interrupt is pending and delivers it: the upcall
 * trap_interrupt() has been made when it returns. Called by the idle loop only.
 */
void arch_cpu_idle(void);

/* ---- user mode ----------------------------------------------------------- */

/*
 * Runs current_task() in user mode from current_task()->frame, for ever: each
 * trap makes its upcall and is returned from. Called on the task's kernel stack
 * with the task's address space switched to (arch_mmu_switch).
 */
NORETURN void arch_user_enter(void);

/*
 * Floating-point and vector state. task->fpu points at arch_fpu_size() bytes
 * (64-byte aligned). The live state may be elsewhere (registers, stub page):
 * arch_fpu_save() brings task->fpu up to date; after writing task->fpu call
 * arch_fpu_changed(), so that the next entry of user mode loads it.
 * The thread pointer in task->frame is such state, too: save before reading it,
 * save before and say changed after writing it.
 * arch_fpu_store() is arch_fpu_save() to another place than task->fpu: a signal frame.
 * arch_fpu_init() writes the state a new program starts with.
 * arch_fpu_valid() checks an image that came from the user, so that loading it cannot fault.
 */
size_t arch_fpu_size(void);
void arch_fpu_init(void *fpu);
void arch_fpu_save(struct task *task);
void arch_fpu_store(struct task *task, void *fpu);
void arch_fpu_changed(struct task *task);
bool arch_fpu_valid(const void *fpu);

enum trap_access { TRAP_READ = 1, TRAP_WRITE = 2, TRAP_EXEC = 4 };

/* Exceptions other than page faults; the core turns each into its signal. */
enum trap_exception {
	EXC_ILLEGAL,      /* SIGILL  ILL_ILLOPN */
	EXC_DIVIDE,       /* SIGFPE  FPE_INTDIV */
	EXC_FLOAT,        /* SIGFPE  FPE_FLTINV */
	EXC_BREAKPOINT,   /* SIGTRAP SI_KERNEL */
	EXC_STEP,         /* SIGTRAP TRAP_TRACE */
	EXC_ALIGNMENT,    /* SIGBUS  BUS_ADRALN */
	EXC_PROTECTION,   /* SIGSEGV SI_KERNEL, address 0 (general protection) */
	EXC_BAD_SYSCALL,  /* SIGSYS: a system call of a foreign ABI (int 0x80) */
	EXC_MACHINE,      /* the user context itself is broken: the process is killed (SIGKILL) */
	EXC_FLOAT_DIVIDE, /* SIGFPE  FPE_FLTDIV, and the other floating-point exceptions told apart: */
	EXC_FLOAT_OVERFLOW, EXC_FLOAT_UNDERFLOW, EXC_FLOAT_INEXACT, /* FPE_FLTOVF, FPE_FLTUND, FPE_FLTRES */
	EXC_STACK,        /* SIGBUS  SI_KERNEL, address 0 (x86: an address relative to the stack is no address) */
};

enum trap_interrupt { IRQ_TIMER = 1, IRQ_CONSOLE = 2, IRQ_OTHER = 4 };

/* Upcalls, made on the current task's kernel stack. */
void trap_syscall(struct trap_frame *frame);
/* access: bits of enum trap_access; addr: faulting user address. */
void trap_page_fault(struct trap_frame *frame, uaddr_t addr, unsigned access);
void trap_exception(struct trap_frame *frame, enum trap_exception what, uaddr_t addr);
/* what: bits of enum trap_interrupt; frame is NULL when user mode was not interrupted. */
void trap_interrupt(struct trap_frame *frame, unsigned what);

/* ---- address spaces ------------------------------------------------------ */

/* Where user addresses end: [ARCH_USER_MIN, arch_user_end()). A constant after boot. */
#define ARCH_USER_MIN 0x10000u
uint64_t arch_user_end(void);

/*
 * Binds a new, empty address space to the machine before anything is mapped.
 * like: the parent of a fork, or NULL for exec; program: the executable's inode
 * or NULL; both are hints for re-using warm translations.
 * Errors: -ENOMEM, -EAGAIN.
 */
MUST_CHECK int arch_mmu_attach(struct aspace *as, struct aspace *like, const struct inode *program);
/* The address space is about to be destroyed; no CPU uses it. Its tables stand, less what the machine put into them. */
void arch_mmu_detach(struct aspace *as);
/* Makes `as` the address space user mode of this CPU runs in; NULL: none. */
void arch_mmu_switch(struct aspace *as);

/*
 * Forget cached translations of [start, end) (page aligned), or all, on every CPU that
 * may have them, table walks included. On return no user access uses one again.
 * The caller holds the lock of the address space.
 */
void arch_tlb_flush_range(struct aspace *as, uaddr_t start, uaddr_t end);
void arch_tlb_flush_all(struct aspace *as);

/*
 * Warm frames. A machine whose translation cache outlives an address space may
 * offer, for a private page of a new one, the very frame its cache maps there.
 * arch_mmu_recycle() returns a frame with one reference that is now the
 * caller's (content undefined), or PFN_NONE.
 * arch_mmu_warm(), called by fork (after the clone) and exec (after the
 * segments are mapped), lets the machine pre-fault what it has cached through
 * aspace_prefault(), and makes it drop every translation the tables do not back.
 */
pfn_t arch_mmu_recycle(struct aspace *as, uaddr_t va);
void arch_mmu_warm(struct aspace *as);
/* Memory is short: drop every frame held for warmth. Returns the number of frames released. */
size_t arch_mmu_shrink(void);
/* Is this frame referenced by the machine itself? Number of references, for mm_audit(). */
uint32_t arch_mmu_frame_refs(pfn_t pfn);

/* How many recently written pages are cheaper to copy at fork than to fault on later. */
unsigned arch_fork_hot_pages(void);
/* How many pages that earlier children wrote first fork copies; 0: the machine foretells them (arch_mmu_warm). */
unsigned arch_fork_first_writes(void);
/* How many pages a sequential run of faults should be served at a time (a power of 2). */
unsigned arch_fault_window_pages(void);

/* ---- time, console, power ------------------------------------------------ */

/* Monotonic time since boot. */
uint64_t arch_time_ns(void);
/* One-shot timer: trap_interrupt(IRQ_TIMER) at or soon after deadline_ns; UINT64_MAX: none. */
void arch_timer_set(uint64_t deadline_ns);
/* CPU cycle or host-entropy seed; fills buf with random bytes (deterministic under a seed). */
void arch_random(void *buf, size_t size_bytes);

/* Writes to the console (may be slow, never sleeps). */
void arch_console_write(const char *buf, size_t size_bytes);
/*
 * The guest reads from the console from now on: input arrives through the
 * upcall console_input(). Hosted: puts the terminal into raw mode, for the
 * line discipline is the kernel's (src/fs/tty.c).
 */
void arch_console_open_input(void);
void arch_console_size(unsigned *rows, unsigned *columns);
/* Upcalls of the console driver (implemented by src/fs/tty.c). */
void console_input(const char *buf, size_t size_bytes);
void console_hangup(void);
void console_resized(void);

/* Kernel messages (kprintf, panic): to stderr on the hosted machine. */
void arch_log_write(const char *buf, size_t size_bytes);

/*
 * The files init starts with as descriptors 0, 1, 2, each with a reference that is
 * the caller's. Bare metal: the console. Returns 0 or a negative errno.
 */
MUST_CHECK int arch_open_stdio(struct file *out[3]);

/*
 * Called by vfs_init() on a task, before and after the kernel's own mounts (/dev, /proc, /tmp ...).
 * arch_mount_root_host: mounts the machine's own root file system with vfs_mount_root(); -ENODEV when it
 * has none (bare metal), another negative errno when it cannot: the kernel panics with it.
 * arch_mount_binds: further mounts (--bind) with vfs_mount(); a negative errno likewise.
 */
MUST_CHECK int arch_mount_root_host(void);
MUST_CHECK int arch_mount_binds(void);

/* Turns the machine off. status: a wait status as of wait4 (what init ended with). */
NORETURN void arch_power_off(int wait_status);
/*
 * The first program cannot be started; error: positive errno. One line says so (hosted: exit 127
 * for ENOENT, 126 for any other error of the file); the machine turns off.
 */
NORETURN void arch_init_failed(int error, const char *path);
/*
 * The system cannot be set up for a reason of the user's or the machine's, not the kernel's: a broken
 * archive, no memory. One line names it (hosted: exit 125); the machine turns off. error: positive errno.
 * what NULL: the reason has been printed.
 */
NORETURN void arch_boot_failed(int error, const char *what);
NORETURN void arch_reboot(void);
/*
 * For reports: the function that holds the kernel code at `address`, as the machine knows it ("name+0x12",
 * perhaps with file and line); "?" when it does not. Cut at size_bytes, NUL included. No allocation.
 */
void arch_symbolise(uintptr_t address, char *buf, size_t size_bytes);
/* After the panic report: stop (hosted: exit 70, core as configured). */
NORETURN void arch_panic_stop(void);

#endif
