/*
 * Stubs as the machine's files see them: a stub is the user half of one address
 * space. stubs.c runs them, mmu.c keeps their translations, pool.c their lives,
 * run.c and fpu.c the registers.
 *
 * One kernel thread uses all this; a stub is stopped whenever the kernel runs,
 * if it is honest. What must hold even if it is not is asked for with
 * stub_is_stopped().
 */
#ifndef HOSTARCH_STUBS_H
#define HOSTARCH_STUBS_H

#include "hostarch/stub/stub.h"
#include "hostarch/tlb.h"
#include "lib/list.h"
#include "lib/types.h"

struct aspace;
struct inode;
struct task;
struct trap_frame;

/* One map operation being built, for merging. */
struct pending_op {
	enum { OP_NONE, OP_MAP, OP_UNMAP, OP_PROTECT } kind;
	uint64_t start, end;
	pfn_t pfn;
	unsigned rights;
	bool is_writable_fd, populate;
};

struct stub {
	struct list pool_link;        /* pool, most recently used first; or itself */
	struct list all_link;
	int pid;
	unsigned slot;
	struct stub_control *control; /* its shared area as we see it: hostile, whenever the guest has run */
	bool is_dead;                 /* the process is gone, or not to be trusted any more */
	bool is_stopped;              /* proved since it last ran: see stub_is_stopped() */
	uint64_t secret[2];           /* in the high halves */
	/* will the next hand-over be answered at once? see predict() */
	uint8_t history, lingering[16];
	bool lingered;                /* it was told to, this time */
	/* operations written to control->ops, done before the guest runs again */
	unsigned nr_ops;
	struct pending_op last;
	bool ops_failed;              /* the host refused one; mmu_sync() starts from nothing */
	bool may_bridge;              /* nothing mapped lies between the last unmap and the next one */
	/* translations */
	struct tlb tlb;
	struct aspace *as;            /* NULL: in the pool */
	bool is_from_pool;            /* its translations are those of its last address space */
	/* registers */
	struct task *fpu_owner;       /* whose floating-point state is in the shared area, or NULL */
	bool fpu_is_saved;            /* ... and task->fpu agrees with it */
	uint32_t fpu_offset;          /* where, from the start of the shared area */
	bool has_fsgsbase;            /* the guest can change its bases itself, and the stub reports them */
	uint64_t fs_base, gs_base;    /* as they were at the last trap; UINT64_MAX: unknown */
	/* what it is good for when pooled */
	const struct inode *program;
	uint64_t lineage, parent_lineage;
	bool is_fork;
};

/* What made the stub hand over; a copy, checked. */
struct stub_trap {
	unsigned signal;              /* 0: the stub died or lied; the address space cannot go on */
	bool is_guest;                /* regs are the guest's; false: the guest did not get to run */
	bool is_resume_fault;         /* the registers given could not be loaded */
	struct {
		uint64_t r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip,
			eflags, csgsfs, err, trapno, oldmask, cr2;
	} regs;
	uint32_t syscall_arch;        /* SIGSYS: AUDIT_ARCH_* */
	int32_t code;                 /* the host's si_code */
};

/* Counters for --stats. */
struct engine_stats {
	uint64_t nr_handoffs, nr_syscalls, nr_faults, nr_batches, nr_ops, nr_proofs, nr_kicks;
	uint64_t nr_tlb_misses, nr_tlb_installs, nr_evictions, nr_full_flushes;
	uint64_t nr_stubs_created, nr_stubs_reused, nr_frames_recycled, nr_prefaults;
};
extern struct engine_stats engine_stats;

/* ---- stubs.c ------------------------------------------------------------- */

/* Once at boot: makes the first stub (for the pool) and learns the host's signal frame. 0 or negative errno. */
int stubs_init(const char **what_failed);
/* A new stub process, stopped, with an empty address space. NULL and *error. */
struct stub *stub_create(int *error);
void stub_destroy(struct stub *s);
/*
 * Proves that the stub's thread sleeps at its gate, so that it uses no translation and sees no secret until
 * it is resumed. When it cannot be brought there it is killed (is_dead) and the answer is true as well.
 */
bool stub_is_stopped(struct stub *s);
/* Map operations; they need stub_is_stopped(). Queued; done when the queue is full or the guest goes on. */
void stub_op_map(struct stub *s, uint64_t va, pfn_t pfn, unsigned nr_pages, unsigned rights,
		 bool is_writable_fd, bool populate);
void stub_op_unmap(struct stub *s, uint64_t start, uint64_t end);
void stub_op_protect(struct stub *s, uint64_t start, uint64_t end, unsigned rights);
/* Does what is queued, without running the guest. False: the host refused an operation. */
bool stub_do_ops(struct stub *s);
/* Runs the guest with control's registers until its next trap. */
void stub_run(struct stub *s, struct stub_trap *trap);
/* Ends the process of a stub that cannot be used any more. */
void stub_condemn(struct stub *s);
/* Some stubs may have ended (HOST_CHILD): marks them dead. */
void stubs_reap(void);
/* Address of an offset in the shared area, for the kernel. */
static inline char *stub_shared(struct stub *s, uint32_t offset) { return (char *)s->control + offset; }

/* The host's signal frame, the same in all stubs. */
extern uint32_t xstate_bytes;      /* FPU image, its software bytes included */
extern uint64_t xstate_mask;       /* components to restore */
extern const char *xstate_initial; /* of a new program */

/* ---- mmu.c --------------------------------------------------------------- */

/* Caches the translation, and its neighbours', if the page table allows the access. False: it does not. */
bool mmu_install(struct stub *s, struct aspace *as, uint64_t va, unsigned access);
/* Brings the stub's translations up to date; before the guest runs. */
void mmu_sync(struct stub *s);
/* Drops all translations, and the references on frames a pooled stub holds. Number of frames freed. */
size_t mmu_drop_all(struct stub *s);
/* Physical memory begins here: not at 0, so that nothing relies on it. */
#define PHYS_START 0x100000u
void mmu_init(uint64_t memory_bytes);
/* Where a frame is in the memory file. */
uint64_t mmu_file_offset(pfn_t pfn);

/* ---- pool.c -------------------------------------------------------------- */

void pool_add(struct stub *s);
struct stub *pool_take(const struct stub *like, const struct inode *program, int *error);
/* Drops every frame pooled stubs hold. Number of frames freed. */
size_t pool_shrink(void);

#endif
