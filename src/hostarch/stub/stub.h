/*
 * The stub: what the kernel and the helper process of one address space share.
 *
 * A stub is a host process whose address space is a guest's. Above the guest's
 * highest address lie its program (stub.S, start.c: read-only), and the shared
 * area: control block, operations, signal stack. The guest can write the shared
 * area at any time, so neither side believes a word of it without checking; what
 * protects the machine is in the comment at the top of stub.S.
 *
 * Included by C on both sides and by stub.S: constants first, C only below.
 */
#ifndef HOSTARCH_STUB_H
#define HOSTARCH_STUB_H

/* Below every address the host's randomised stack can take, so that exec never collides. */
#define STUB_GUEST_END 0x7ffb00000000
#define STUB_TEXT 0x7ffb00100000
#define STUB_SHARED 0x7ffb00200000
#define STUB_END 0x7ffb00210000
#define STUB_HOST_TOP 0x7ffffffff000

/* The shared area: control block and operations, then the signal stack. */
#define STUB_CONTROL_BYTES 0x2000
#define STUB_ALTSTACK (STUB_SHARED + STUB_CONTROL_BYTES)
#define STUB_ALTSTACK_BYTES 0x8000
#define STUB_FRAME_ROOM 0x4000 /* at the top of the signal stack: the guest's frame; below it: kicks' */
#define STUB_SHARED_BYTES (STUB_CONTROL_BYTES + STUB_ALTSTACK_BYTES)

/* Descriptors a stub inherits; the kernel keeps its own above these. */
#define STUB_FD_SHARED 40 /* all shared areas; closed once mapped */
#define STUB_FD_RW 41     /* physical memory */
#define STUB_FD_RO 42     /* the same, opened read-only: can never be mapped writable */
#define STUB_FD_PROGRAM 43

/* struct stub_control: offsets for stub.S, checked below. */
#define C_TURN 0x00
#define C_DOORBELL 0x04
#define C_SIGNAL 0x08
#define C_KICKED 0x0c
#define C_UCONTEXT 0x10
#define C_SIGINFO 0x18
#define C_OUT_FS 0x20
#define C_OUT_GS 0x28
#define C_NR_OPS 0x30
#define C_OP_ERROR 0x34
#define C_SECRET0 0x38
#define C_SECRET1 0x40
#define C_FPU 0x48
#define C_FPU_MASK 0x50
#define C_FLAGS 0x58
#define C_LINGER 0x5c
#define C_FS_BASE 0x60
#define C_GS_BASE 0x68
#define C_R15 0x70
#define C_R14 0x78
#define C_R13 0x80
#define C_R12 0x88
#define C_RBP 0x90
#define C_RBX 0x98
#define C_R11 0xa0
#define C_R10 0xa8
#define C_R9 0xb0
#define C_R8 0xb8
#define C_RAX 0xc0
#define C_RCX 0xc8
#define C_RDX 0xd0
#define C_RSI 0xd8
#define C_RDI 0xe0
#define C_RIP 0xe8
#define C_CS 0xf0
#define C_EFLAGS 0xf8
#define C_RSP 0x100
#define C_SS 0x108
#define C_ASLEEP 0x110
#define C_OPS 0x200

#define TURN_STUB 0
#define TURN_KERNEL 1

#define STUB_FLAG_IRET 1  /* return with iretq (single stepping) */
#define STUB_FLAG_BASES 2 /* load fs and gs base */
#define STUB_FLAG_NO_FSGSBASE 4

#define STUB_SIG_KICK 10 /* SIGUSR1: hand the registers over */

#define STUB_OP_BYTES 56
#define STUB_OPS_MAX 128

#define STUB_MAGIC 0x3262757473766c6c

#ifndef __ASSEMBLER__

#include <stddef.h>
#include <stdint.h>

/* One map operation, as system-call number and arguments; the stub adds the secret to a3 and a4. */
struct stub_op {
	uint64_t nr, a0, a1, a2, a3, a4, a5;
};

/* Prepared by the kernel, read once by start.c before the filter stands. */
struct stub_setup {
	uint32_t nr_filter;
	uint32_t traps_counter; /* reading the time counter traps (runs with a seed) */
	int32_t parent;         /* the kernel's process id: the stub ends if it is not its parent */
	int32_t seal_error;     /* out: mseal's result */
	int32_t error;          /* out: what failed (negative errno), and */
	int32_t error_step;     /*      where */
	struct { uint16_t code; uint8_t jt, jf; uint32_t k; } filter[128];
};

struct stub_control {
	uint32_t turn;          /* TURN_*: whose move it is; the stub sleeps on it */
	uint32_t doorbell;      /* 1: the kernel sleeps on it */
	uint32_t signal;        /* out: the host signal */
	uint32_t kicked;        /* a kick arrived before the guest was resumed */
	uint64_t ucontext;      /* out: where the saved registers are; 0: none, the guest did not run */
	uint64_t siginfo;       /* out */
	uint64_t out_fs_base, out_gs_base;
	uint32_t nr_ops;        /* in: operations to do before resuming; 0 when done */
	int32_t op_error;       /* out: the first error of a batch (negative errno) */
	uint64_t secret[2];     /* in: only while a batch runs */
	uint64_t fpu;           /* in: XSAVE image to load */
	uint64_t fpu_mask;      /* in: components of it */
	uint32_t flags;         /* in: STUB_FLAG_* */
	uint32_t linger;        /* in: how often to yield the CPU before sleeping */
	uint64_t fs_base, gs_base;
	uint64_t r15, r14, r13, r12, rbp, rbx, r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
	uint64_t rip, cs, eflags, rsp, ss; /* in the order iretq pops */
	uint32_t asleep;        /* the stub sleeps, or is about to: a hint that spares a wake-up */
	uint32_t pad;
	uint64_t reserved[(C_OPS - C_ASLEEP - 8) / 8];
	union {
		struct stub_op ops[STUB_OPS_MAX];
		struct stub_setup setup;
	};
};

_Static_assert(offsetof(struct stub_control, turn) == C_TURN, "");
_Static_assert(offsetof(struct stub_control, doorbell) == C_DOORBELL, "");
_Static_assert(offsetof(struct stub_control, signal) == C_SIGNAL, "");
_Static_assert(offsetof(struct stub_control, kicked) == C_KICKED, "");
_Static_assert(offsetof(struct stub_control, ucontext) == C_UCONTEXT, "");
_Static_assert(offsetof(struct stub_control, siginfo) == C_SIGINFO, "");
_Static_assert(offsetof(struct stub_control, out_fs_base) == C_OUT_FS, "");
_Static_assert(offsetof(struct stub_control, out_gs_base) == C_OUT_GS, "");
_Static_assert(offsetof(struct stub_control, nr_ops) == C_NR_OPS, "");
_Static_assert(offsetof(struct stub_control, op_error) == C_OP_ERROR, "");
_Static_assert(offsetof(struct stub_control, secret) == C_SECRET0, "");
_Static_assert(offsetof(struct stub_control, fpu) == C_FPU, "");
_Static_assert(offsetof(struct stub_control, fpu_mask) == C_FPU_MASK, "");
_Static_assert(offsetof(struct stub_control, flags) == C_FLAGS, "");
_Static_assert(offsetof(struct stub_control, linger) == C_LINGER, "");
_Static_assert(offsetof(struct stub_control, fs_base) == C_FS_BASE, "");
_Static_assert(offsetof(struct stub_control, gs_base) == C_GS_BASE, "");
_Static_assert(offsetof(struct stub_control, r15) == C_R15, "");
_Static_assert(offsetof(struct stub_control, rdi) == C_RDI, "");
_Static_assert(offsetof(struct stub_control, rip) == C_RIP, "");
_Static_assert(offsetof(struct stub_control, ss) == C_SS, "");
_Static_assert(offsetof(struct stub_control, asleep) == C_ASLEEP, "");
_Static_assert(offsetof(struct stub_control, ops) == C_OPS, "");
_Static_assert(sizeof(struct stub_op) == STUB_OP_BYTES, "");
_Static_assert(sizeof(struct stub_control) <= STUB_CONTROL_BYTES, "");

/* At the start of the stub's text: addresses the kernel needs. */
struct stub_header {
	uint64_t magic;
	uint64_t gate_futex, gate_yield, gate_map, gate_bases; /* the instruction after each syscall */
	uint64_t probe;                            /* after the call that must trap once the filter stands */
	uint64_t resume_start, resume_end;         /* floating point is the guest's, its code not yet running */
	uint64_t text_end;
};

#endif
#endif
