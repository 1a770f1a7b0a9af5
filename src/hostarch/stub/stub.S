/*
 * The part of the stub that stands beside a running guest: signal entry,
 * hand-over to the kernel, batch of map operations, return to the guest.
 *
 * The guest may read this code, jump to any byte of it with any registers, and
 * write the shared area whenever it runs. Why that gives it nothing:
 *
 *  - Every system call but those made at the gates below is refused by the
 *    filter (SIGSYS, which comes to `entry`). There is no exit, no sigreturn.
 *  - gate_futex, gate_yield: the filter fixes the operation, address and value;
 *    the guest can put itself to sleep or to the end of the queue. Behind each
 *    gate stands the waiting loop, so a guest that jumps here has handed over.
 *  - gate_map: mmap, munmap, mprotect need two secret words in argument bits
 *    the host ignores. The kernel puts them in the shared area only after it
 *    has proved, by asking the host's futex queue, that this thread sleeps at
 *    gate_futex, that is, that what runs next is the batch loop and nothing
 *    else. They are gone from memory and registers before the guest runs
 *    again. The loop uses no stack and no pointer the guest could have set:
 *    absolute addresses only. Addresses at or above STUB_GUEST_END are refused by the
 *    filter even with the secret.
 *  - gate_bases: arch_prctl(ARCH_SET_FS/GS), which the guest may do to itself.
 *  - A forged hand-over (guest writes `turn`, goes on running) gets no secret
 *    and keeps no stale translation: the kernel demands the same proof before it
 *    lets a flush return.
 *  - xrstor, the loads of registers, iretq: unprivileged; a guest that runs
 *    them with its own values changes its own registers.
 *  - The kick (STUB_SIG_KICK) always ends in a hand-over: whatever code it
 *    interrupts is either guest code, or restartable, or straight-line up
 *    to the hand-over. So no loop made of stub code keeps the kernel waiting.
 *    Registers a kick saved in the middle of a batch hold the secret: they are wiped.
 *
 * The handlers run on the signal stack with no signal blocked (SA_NODEFER, empty mask), so that
 * nothing but registers has to be restored, and no rt_sigreturn is needed.
 */
#include "stub.h"

#define CTL(off) stub_shared + (off)(%rip)

/* The guest's, but for RSP and RFLAGS. */
.macro load_registers
	mov CTL(C_R15), %r15
	mov CTL(C_R14), %r14
	mov CTL(C_R13), %r13
	mov CTL(C_R12), %r12
	mov CTL(C_RBP), %rbp
	mov CTL(C_RBX), %rbx
	mov CTL(C_R11), %r11
	mov CTL(C_R10), %r10
	mov CTL(C_R9), %r9
	mov CTL(C_R8), %r8
	mov CTL(C_RAX), %rax
	mov CTL(C_RCX), %rcx
	mov CTL(C_RDX), %rdx
	mov CTL(C_RSI), %rsi
	mov CTL(C_RDI), %rdi
.endm
#define NR_MUNMAP 11
#define NR_YIELD 24
#define NR_GETPPID 110
#define NR_ARCH_PRCTL 158
#define NR_FUTEX 202
#define NR_SECCOMP 317
#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002

/* Offsets in struct ucontext (uc_mcontext.gregs begins at 40). */
#define UC_R8 40
#define UC_R10 56
#define UC_R14 88
#define UC_R15 96
#define UC_RDI 104
#define UC_RSI 112
#define UC_RDX 136
#define UC_RSP 160
#define UC_RIP 168

	.section .text.header, "ax"
	.globl stub_header
stub_header:
	.quad STUB_MAGIC
	.quad gate_futex, gate_yield, gate_map, gate_bases
	.quad probe
	.quad resume_start, resume_end
	.quad text_end

	.section .text.stub, "ax"
/* ---- entry: rdi = signal, rsi = siginfo, rdx = ucontext; all three are kept ---- */
	.globl stub_entry
	.balign 64
stub_entry:
	cmp $STUB_SIG_KICK, %edi
	je kick
report:
	testl $STUB_FLAG_NO_FSGSBASE, CTL(C_FLAGS)
	jnz 1f
	rdfsbase %rax
	mov %rax, CTL(C_OUT_FS)
	rdgsbase %rax
	mov %rax, CTL(C_OUT_GS)
1:	mov %rdx, CTL(C_UCONTEXT)
	mov %rsi, CTL(C_SIGINFO)
	mov %edi, CTL(C_SIGNAL)
	jmp handover

/* A kick: what did it interrupt? */
kick:
	mov UC_RIP(%rdx), %rax
	lea stub_entry(%rip), %rcx
	cmp %rcx, %rax
	jb report                       /* the guest */
	lea resume_start(%rip), %rcx
	cmp %rcx, %rax
	jae report                      /* the guest, or the last steps back to it */
	/* The stub. What was saved may hold the secret, and nobody needs these. */
	movq $0, UC_R8(%rdx)
	movq $0, UC_R10(%rdx)
	movq $0, UC_R14(%rdx)
	movq $0, UC_R15(%rdx)
	lea rewait(%rip), %rcx
	cmp %rcx, %rax
	jae kick_waiting
	lea kick_reload(%rip), %rcx
	cmp %rcx, %rax
	jb kick_reload
	lea kick_reload_end(%rip), %rcx
	cmp %rcx, %rax
	jae kick_reload
	/* The reload below: go on with the context that was being reloaded. */
	mov UC_RDX(%rdx), %rdx
/* It interrupted the entry code, which has not reported yet: start that again. */
kick_reload:
	mov UC_RSP(%rdx), %rsp
	mov UC_RDI(%rdx), %rdi
	mov UC_RSI(%rdx), %rsi
	mov UC_RDX(%rdx), %rdx
kick_reload_end:
	jmp stub_entry

/* ---- hand-over ---- */
handover:
	mov $TURN_KERNEL, %eax
	xchg %eax, CTL(C_TURN)
/* From here to resume_start a kick means: remember it, and once more from rewait. */
rewait:
	/* Wherever the stack pointer was: below the frame just reported, room for a kick's beneath. */
	lea stub_shared + STUB_CONTROL_BYTES + STUB_ALTSTACK_BYTES - STUB_FRAME_ROOM(%rip), %rsp
	cmpl $0, CTL(C_DOORBELL)
	je wait
	movl $0, CTL(C_DOORBELL)
	mov $NR_FUTEX, %eax
	lea CTL(C_DOORBELL), %rdi
	mov $1, %esi                    /* FUTEX_WAKE */
	mov $1, %edx
call_futex:
	xor %r10d, %r10d
	syscall
gate_futex:
wait:
	cmpl $TURN_KERNEL, CTL(C_TURN)
	jne batch
	cmpl $0, CTL(C_LINGER)
	je sleep
	decl CTL(C_LINGER)
	mov $NR_YIELD, %eax
	syscall
gate_yield:
	jmp wait
sleep:
	movl $1, CTL(C_ASLEEP)
	mov $NR_FUTEX, %eax
	lea CTL(C_TURN), %rdi
	xor %esi, %esi                  /* FUTEX_WAIT */
	mov $TURN_KERNEL, %edx
	jmp call_futex

/* ---- batch ---- */
batch:
	movl $0, CTL(C_ASLEEP)
	mov CTL(C_NR_OPS), %r12d
	test %r12d, %r12d
	jz batch_none
	lea CTL(C_OPS), %rbx
	mov CTL(C_SECRET0), %r14
	mov CTL(C_SECRET1), %r15
	xor %ebp, %ebp
1:	mov 0(%rbx), %rax
	mov 8(%rbx), %rdi
	mov 16(%rbx), %rsi
	mov 24(%rbx), %rdx
	mov 32(%rbx), %r10
	mov 40(%rbx), %r8
	mov 48(%rbx), %r9
	or %r14, %r10
	or %r15, %r8
	syscall
gate_map:
	cmp $-4096, %rax
	cmova %eax, %ebp
	ja 2f                           /* an error: the rest of the batch is not done */
	add $STUB_OP_BYTES, %rbx
	dec %r12d
	jnz 1b
2:	mov %ebp, CTL(C_OP_ERROR)
	movl $0, CTL(C_NR_OPS)
batch_none:
	xor %eax, %eax
	xor %r14d, %r14d
	xor %r15d, %r15d
	xor %r10d, %r10d
	xor %r8d, %r8d
	mov %rax, CTL(C_SECRET0)
	mov %rax, CTL(C_SECRET1)
	cmpl $0, CTL(C_OP_ERROR)
	jne not_resumed
	cmpl $0, CTL(C_KICKED)
	je resume
/* The guest has not run since the kernel's last word: its registers are as the kernel knows them. */
not_resumed:
	movl $0, CTL(C_KICKED)
	movq $0, CTL(C_UCONTEXT)
	movl $STUB_SIG_KICK, CTL(C_SIGNAL)
	mov $TURN_KERNEL, %eax
	xchg %eax, CTL(C_TURN)
	jmp rewait

/* A kick interrupted something between rewait and resume_start. */
kick_waiting:
	movl $1, CTL(C_KICKED)
	jmp rewait

/* ---- back to the guest ---- */
resume:
	testl $STUB_FLAG_BASES, CTL(C_FLAGS)
	jz 4f
	testl $STUB_FLAG_NO_FSGSBASE, CTL(C_FLAGS)
	jnz 3f
	mov CTL(C_FS_BASE), %rax
	wrfsbase %rax
	mov CTL(C_GS_BASE), %rax
	wrgsbase %rax
	jmp 4f
3:	mov $ARCH_SET_FS, %edi
	mov CTL(C_FS_BASE), %rsi
5:	mov $NR_ARCH_PRCTL, %eax
	syscall
gate_bases:
	cmp $ARCH_SET_GS, %edi
	je 4f
	mov $ARCH_SET_GS, %edi
	mov CTL(C_GS_BASE), %rsi
	jmp 5b
4:	mov CTL(C_FPU), %rdi
	mov CTL(C_FPU_MASK), %eax
	mov CTL(C_FPU_MASK + 4), %edx
	xrstor64 (%rdi)
/*
 * From here on a signal finds the guest's floating-point state in the registers and, once rsp has left
 * the signal stack, its frame at the stack's top, as it does for the guest itself.
 */
	lea CTL(C_EFLAGS), %rsp
resume_start:
	testl $STUB_FLAG_IRET, CTL(C_FLAGS)
	jnz resume_iret
	popfq
	load_registers
	mov CTL(C_RSP), %rsp
	jmp *CTL(C_RIP)
resume_iret:
	load_registers
	lea CTL(C_RIP), %rsp
	iretq
resume_end:

/*
 * Called once by start.c, the filter program laid down in the shared area. Empties the address
 * space around the stub (that takes the stack away), installs the filter, and makes a system call that
 * must trap: its SIGSYS is the stub's first hand-over.
 */
	.globl stub_arm
stub_arm:
	mov $NR_MUNMAP, %eax
	xor %edi, %edi
	mov $STUB_TEXT, %rsi
	syscall
	test %rax, %rax
	jnz arm_failed
	mov $NR_MUNMAP, %eax
	mov $STUB_END, %rdi
	mov $(STUB_HOST_TOP - STUB_END), %rsi
	syscall
	test %rax, %rax
	jnz arm_failed
	mov $NR_SECCOMP, %eax
	mov $1, %edi                    /* SECCOMP_SET_MODE_FILTER */
	mov $4, %esi                    /* SECCOMP_FILTER_FLAG_SPEC_ALLOW, or old hosts slow us down */
	lea CTL(C_R15), %rdx            /* struct sock_fprog */
	syscall
	test %rax, %rax
	jnz arm_failed
	mov $NR_GETPPID, %eax
	syscall
probe:
	mov $-38, %eax
arm_failed:
	/* No filter: say so. The kernel ends this process. */
	mov %eax, CTL(C_OP_ERROR)
	movl $0, CTL(C_SIGNAL)
	mov $TURN_KERNEL, %eax
	xchg %eax, CTL(C_TURN)
	jmp rewait

/* The host insists on a restorer; no handler returns to it. */
	.globl stub_restorer
stub_restorer:
	ud2
text_end:
	.section .note.GNU-stack, "", @progbits
