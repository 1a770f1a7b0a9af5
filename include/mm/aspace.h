/*
 * Address spaces: a tree of VMAs (vma.h) over a radix page table (pt.h).
 * Public operations, each complete or without effect: an error leaves the
 * address space as it was (invariant 8).
 *
 * Lock: as->lock (sleeping). aspace_* takes it itself unless it says "locked".
 */
#ifndef MM_ASPACE_H
#define MM_ASPACE_H

#include "lib/list.h"
#include "lib/types.h"
#include "mm/pt.h"
#include "mm/vma.h"
#include "sched/lock.h"

struct file;
struct inode;

enum fork_mode { FORK_EAGER, FORK_COW, FORK_SHARE };

/* Sequential faults of one kind of access: the next address expected, pages served last time. */
#define FAULT_STREAMS 4
struct fault_stream {
	uint64_t next;
	unsigned window;
};

struct aspace {
	struct mutex lock;
	/* lock guards these: */
	struct vma_tree vmas;
	struct pt pt; /* root table, codec, RSS */
	uint64_t brk_start, brk;
	uint64_t mmap_top;				 /* top-down search starts here */
	uint64_t stack_limit_bytes;			 /* RLIMIT_STACK at exec */
	uint64_t as_limit_bytes;			 /* RLIMIT_AS, UINT64_MAX: none */
	uint64_t data_limit_bytes;			 /* RLIMIT_DATA */
	uint64_t nr_charged;				 /* pages: its part of what is committed (mm/commit.h) */
	uint64_t arg_start, arg_end, env_start, env_end; /* /proc/PID/cmdline, environ */
	uint64_t code_start, code_end, data_start, data_end, stack_top;
	uint64_t auxv[44];				  /* /proc/PID/auxv: pairs, as exec laid them */
	unsigned nr_auxv;				  /* words in use */
	struct file *exe;				  /* /proc/PID/exe; a reference */
	struct fault_stream fault_streams[FAULT_STREAMS]; /* most recent first */
	struct first_writes *first_writes;		  /* src/mm/first_writes.c; may be NULL */
	unsigned nr_first_writes_left;			  /* faults still to be noted there */
	uint64_t nr_minor_faults, nr_major_faults;
	uint64_t user_end;     /* addresses end here: the machine's or the page-table format's limit */
	bool has_fork_rules;   /* some VMA has or had one of VMA_FORK_RULES */
	bool has_shared_files; /* some VMA is or was a shared file mapping */
	/* the machine's */
	uintptr_t machine; /* arch_mmu_attach */
	/* atomic: */
	uint32_t refs;	      /* tasks, open files, kernel users */
	uint32_t nr_files;    /* of them, open files of /proc/PID/mem */
	uint64_t id;	      /* never given twice: tells whether a task has called exec since */
	uint64_t record_hash; /* of the mappings, as the record has them (src/trace/record.c); 0: it has none */
	struct list all_link; /* all address spaces */
};

/* Counts since boot, for cost tests and --stats. */
struct aspace_stats {
	uint64_t nr_faults, nr_spurious;	  /* spurious: the tables allowed the access already */
	uint64_t nr_zero_pages, nr_file_pages;	  /* pages mapped by faults, windows included */
	uint64_t nr_cow_copies, nr_cow_takeovers; /* write faults on private pages, by what they cost */
	uint64_t nr_forks, nr_hot_pages, nr_recycled;
};
extern struct aspace_stats aspace_stats;

/* Fork strategy and codec of new address spaces: set once at boot. */
void aspace_set_fork_mode(enum fork_mode mode);
enum fork_mode aspace_fork_mode(void);
/* FORK_SHARE shares subtrees with more pages than this: to measure where it pays (tests/cost/fork_model.c). */
void aspace_set_share_above(uint32_t nr_pages);
void aspace_set_pt_ops(const struct pt_ops *ops);
/* --audit: run mm_audit() after each operation. */
void aspace_set_audit(bool on);

/* A new, empty address space for exec of `program` (may be NULL); refs == 1. -ENOMEM. */
MUST_CHECK int aspace_create(const struct inode *program, struct aspace **out);
/* fork(2)'s copy of parent; refs == 1. Errors: -ENOMEM (nothing changed). */
MUST_CHECK int aspace_fork(struct aspace *parent, struct aspace **out);
void aspace_get(struct aspace *as);
/* Last put unmaps everything, releases files, detaches from the machine. May sleep. */
void aspace_put(struct aspace *as);

struct mmap_args {
	uint64_t addr; /* hint, or the address with MAP_FIXED */
	uint64_t length_bytes;
	uint32_t prot;	   /* PROT_READ | ... as of mmap(2) */
	uint32_t flags;	   /* MAP_* */
	struct file *file; /* NULL: anonymous. The VMA takes a reference of its own. */
	uint64_t offset;
};
/* mmap(2): the address or a negative errno as the man page says (access modes are the caller's to check). */
int64_t aspace_mmap(struct aspace *as, const struct mmap_args *args);
int aspace_munmap(struct aspace *as, uint64_t addr, uint64_t length_bytes);
int aspace_mprotect(struct aspace *as, uint64_t addr, uint64_t length_bytes, uint32_t prot);
int64_t aspace_mremap(struct aspace *as, uint64_t old_addr, uint64_t old_len, uint64_t new_len,
		      uint32_t flags, uint64_t new_addr);
/* brk(2): the new break, or the old one when it cannot be moved. */
uint64_t aspace_brk(struct aspace *as, uint64_t brk);
int aspace_madvise(struct aspace *as, uint64_t addr, uint64_t length_bytes, int advice);
/* mlock(2) and munlock(2): notes it in the VMAs of the range, holes or not; 0, -EINVAL, -ENOMEM. */
int aspace_mlock(struct aspace *as, uint64_t addr, uint64_t length_bytes, bool is_locked);
int aspace_msync(struct aspace *as, uint64_t addr, uint64_t length_bytes, int flags);
/* mincore(2): one byte a page into vec (kernel memory). */
int aspace_mincore(struct aspace *as, uint64_t addr, uint64_t length_bytes, uint8_t *vec);

/*
 * A page fault. access: enum trap_access bits. Returns 0 (access may be retried),
 * -EFAULT (SIGSEGV SEGV_MAPERR), -EACCES (SIGSEGV SEGV_ACCERR),
 * -EIO (SIGBUS BUS_ADRERR: file page beyond the end), -ENOMEM. May sleep.
 */
int aspace_fault(struct aspace *as, uaddr_t addr, unsigned access);
/* Best effort, for arch_mmu_warm(): makes the page present for access, without growing stacks. Locked. */
void aspace_prefault(struct aspace *as, uaddr_t addr, unsigned access);

/*
 * Reads the translation the way hardware would, setting accessed (and dirty
 * for a write): the software walker. Returns false when the access is not allowed.
 * *prot: the effective rights (all levels). Locked, or called where nothing else can run.
 */
bool aspace_walk(struct aspace *as, uaddr_t addr, unsigned access, pfn_t *pfn, prot_t *prot);

/* Pages resident, virtual pages mapped: for /proc and rlimits. */
uint64_t aspace_rss_pages(const struct aspace *as);
uint64_t aspace_virtual_pages(const struct aspace *as);

/*
 * Invariant check of everything: all address spaces, tables, VMAs, cached pages, pins.
 * Returns the number of violations, each printed with kprintf.
 */
unsigned mm_audit(void);
extern uint64_t audit_nr_runs; /* since boot, for --stats */
/* The same at the machine's end, wherever other tasks stand: 0 while one is amid an operation. */
unsigned mm_audit_end(void);
/* After mm_audit(): calls fn for each user page and page table that something refers to. */
void mm_audit_reached(void (*fn)(pfn_t pfn));
/* Calls audit when --audit asked for it; panics (status 70) on a violation. */
void mm_audit_point(const char *operation);

/* Called once at boot after frame_init and kmalloc_init. */
void aspace_init(void);

#endif
