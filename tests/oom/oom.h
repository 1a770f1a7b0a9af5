/*
 * The sweep: an operation is repeated with its 1st, 2nd, 3rd ... allocation failing, once
 * and from there on, until none fails any more. Operations are system calls through the
 * kernel's own dispatch, by process 1 or by a child of it, or page faults, on the fake machine.
 *
 * After each failure: the right errno, memory and file system audits clean, and everything as
 * before: both address spaces (the caller's, and a forked peer's that shares its tables),
 * descriptors, processes, signals, kernel objects and frames.
 */
#ifndef OOM_H
#define OOM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "arch/machine.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/usercopy.h"
#include "sched/internal.h"

/* NR_openat and so on, from the kernel's own table. */
enum oom_syscall_nr {
#define NONE SYSCALL_NR_MAX
#define SYSCALL(name, x86_64, aarch64, format) NR_##name = SYSCALL_NR(x86_64, aarch64),
#define NO_CALL(name, x86_64, aarch64)
#include "syscall/table.def"
#undef SYSCALL
#undef NO_CALL
#undef NONE
};

enum oom_flags {
	OOM_MEMORY = 1,	 /* touches page tables: with both real codecs and all ways to fork */
	OOM_TOUCHES = 2, /* user pages it faulted in before it failed may stay */
	OOM_FILLS = 4,	 /* pages of a file of memory that it made before it failed may stay */
	OOM_CHILD = 8,	 /* by a forked child, which is gone afterwards */
	/* Instead of ENOMEM: */
	OOM_EFAULT = 16, /* a copy to or from untouched user memory, as on Linux */
	OOM_EAGAIN = 32, /* the man page says so; likewise the next two */
	OOM_ENOBUFS = 64,
	OOM_ENOLCK = 128,
	OOM_SIGSEGV = 256, /* the child may be killed by it: no room for a signal's frame */
};

struct oom_op {
	const char *name;
	int64_t (*run)(void);	       /* the operation: a negative errno is a failure */
	void (*prepare)(void);	       /* before the first attempt in each new world; may be NULL */
	void (*undo)(int64_t result);  /* after success: as before. NULL: the next attempt gets a new world */
	unsigned flags;
};

struct oom_suite {
	const char *name;
	const struct oom_op *ops;
	unsigned nr_ops;
	uint64_t *failures; /* injected, by operation */
};
extern const struct oom_suite oom_suite_memory, oom_suite_process, oom_suite_files, oom_suite_ipc;

/* Defines oom_suite_NAME of NAME_ops[]. */
#define OOM_SUITE(suite)                                                                                     \
	static uint64_t suite##_failures[ARRAY_SIZE(suite##_ops)];                                           \
	const struct oom_suite oom_suite_##suite = {#suite, suite##_ops, ARRAY_SIZE(suite##_ops), suite##_failures}

/* A system call by the current task, through trap_syscall(). */
int64_t oom_call(unsigned nr, const uint64_t args[6]);
#define CALL(name, ...) oom_call(NR_##name, (const uint64_t[6]){__VA_ARGS__})
/* One that must succeed. */
#define MUST(name, ...) oom_must(#name, CALL(name, __VA_ARGS__))
int64_t oom_must(const char *name, int64_t result);

/* The caller's memory. The first 16 pages (OOM_ARGS) are always there: room for arguments. */
#define OOM_ARGS UINT64_C(0x10000000)
#define U(offset) (OOM_ARGS + (offset))
/* s, in memory of the caller's; slot: 0 to 7, each holds one string. */
uint64_t oom_string(unsigned slot, const char *s);
#define S(slot, text) oom_string(slot, text)
void oom_put(uint64_t addr, const void *data, size_t n);
void oom_get(uint64_t addr, void *data, size_t n);

/*
 * The world, by page from OOM_BASE on, all shared with the peer but what comes after it:
 * 0: data (900), 950: read-only (50, 20 of them touched), 1000: a private mapping of /tmp/data
 * (40; the second written), 1050: a shared one (8), 1060: shared anonymous (8), 1100: untouched (10),
 * 1400: a stack (4). The break starts at OOM_BRK.
 */
#define OOM_BASE UINT64_C(0x200000000)
#define OOM_BRK (OOM_BASE + (UINT64_C(512) << 20))
#define PAGES(n) ((uint64_t)(n) << PAGE_SHIFT)
#define P(n) (OOM_BASE + PAGES(n))
#define RW (PROT_READ | PROT_WRITE)

/* The access as user mode would make it: 0 or what aspace_fault() said. */
int64_t oom_touch(uint64_t addr, unsigned access);

/* The peer becomes a fork of the world as it is now. */
void oom_share_with_new_peer(void);

/* What the next child does: it plays the program at the child's program counter. */
void oom_program(void (*fn)(void));
/* Waits for a child (0: any); its wait status. */
int oom_reap(int64_t pid);
/* For undo: the result is a descriptor; a child that has ended. */
void oom_close(int64_t fd);
void oom_reap_child(int64_t pid);

#endif
