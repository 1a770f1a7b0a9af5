/*
 * The ways into the kernel and back to user mode. Interrupts are masked from the first instruction on, to the last.
 *
 * User registers go to user_frame, which is the current task's; then the kernel runs on that task's stack, from
 * user_kernel_sp down, in exactly one call. Both words stay as they are until user_work asks for
 * user_resume(). All through the call rbx is the frame.
 *
 * What the kernel itself trips over, and interrupts of arch_cpu_idle(), go to a frame on the stack in use. Double
 * fault, NMI, machine check and debug have stacks of their own: they may come while
 * rsp is the user's, before the first and after the last instructions here. Nothing else can.
 */
#include "boot.h"

	.bss
	.balign 8
	.globl user_frame, user_frame_end, user_kernel_sp, user_work
user_frame:
	.skip 8
user_frame_end: /* of what is pushed: frame + FRAME_FS_BASE */
	.skip 8
user_kernel_sp:
	.skip 8
user_sp:
	.skip 8
user_work:
	.skip 4

	.text

/* ---- system calls -------------------------------------------------------- */

	.balign 16
	.globl syscall_entry
	.type syscall_entry, @function
syscall_entry:
	mov %rsp, user_sp(%rip)
	mov user_frame_end(%rip), %rsp
	push $SEL_USER_DS
	push user_sp(%rip)
	push %r11
	push $SEL_USER_CS
	push %rcx
	push %rax
	push %r11
	push %rcx
	push $-38 /* ENOSYS */
	push %r9
	push %r8
	push %r10
	push %rdx
	push %rsi
	push %rdi
	push %rbx
	push %rbp
	push %r12
	push %r13
	push %r14
	push %r15
	mov %rsp, %rdi
	mov %rsp, %rbx
	mov user_kernel_sp(%rip), %rsp
	xor %ebp, %ebp
	call trap_syscall

/* ---- back to user mode; rbx: the frame ----------------------------------- */

return_to_user:
	cmpl $0, user_work(%rip)
	jne 3f
1:	cmpq $-1, FRAME_ORIG_RAX(%rbx)
	je 2f
	/*
	 * SYSRET takes rip and flags from rcx and r11, which a system call may change. rip came with the SYSCALL
	 * instruction: it is canonical, for the last page below 2^47 is nobody's. TF would trap in the kernel.
	 */
	testl $(FLAG_TF | FLAG_RF), FRAME_EFLAGS(%rbx)
	jnz 2f
	mov %rbx, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	pop %rdi
	pop %rsi
	pop %rdx
	pop %r10
	pop %r8
	pop %r9
	pop %rax
	mov (FRAME_RIP - FRAME_RCX)(%rsp), %rcx
	mov (FRAME_EFLAGS - FRAME_RCX)(%rsp), %r11
	mov (FRAME_RSP - FRAME_RCX)(%rsp), %rsp
	sysretq

	/* IRET traps in the kernel when rip is not canonical. */
2:	mov FRAME_RIP(%rbx), %rax
	mov %rax, %rcx
	shl $16, %rcx
	sar $16, %rcx
	cmp %rax, %rcx
	jne 4f
frame_return: /* the frame at rbx, the kernel's own too */
	mov %rbx, %rsp
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbp
	pop %rbx
	pop %rdi
	pop %rsi
	pop %rdx
	pop %r10
	pop %r8
	pop %r9
	pop %rax
	pop %rcx
	pop %r11
	add $8, %rsp
	iretq

3:	mov %rsp, user_kernel_sp(%rip)
	mov %rbx, %rdi
	call user_resume
	jmp 1b
4:	mov %rbx, %rdi
	call trap_bad_pc
	jmp return_to_user
	.size syscall_entry, . - syscall_entry

	.globl user_enter
	.type user_enter, @function
user_enter:
	mov %rdi, %rbx
	and $-16, %rsp
	movl $1, user_work(%rip)
	jmp return_to_user
	.size user_enter, . - user_enter

/* ---- exceptions and interrupts ------------------------------------------- */

/* Stack: vector, error code, rip, cs, flags, rsp, ss. */
	.type trap_common, @function
trap_common:
	cld
	.globl trap_clac
trap_clac: /* CLAC where there is SMAP: user mode chooses AC */
	.byte 0x0f, 0x1f, 0x00
	push %rax
	testb $3, 32(%rsp)
	mov user_frame(%rip), %rax
	jnz 1f
	lea -FRAME_BYTES(%rsp), %rax
	and $-16, %rax
1:	mov %r15, (%rax)
	mov %r14, 8(%rax)
	mov %r13, 16(%rax)
	mov %r12, 24(%rax)
	mov %rbp, 32(%rax)
	mov %rbx, 40(%rax)
	mov %rdi, 48(%rax)
	mov %rsi, 56(%rax)
	mov %rdx, 64(%rax)
	mov %r10, 72(%rax)
	mov %r8, 80(%rax)
	mov %r9, 88(%rax)
	pop FRAME_RAX(%rax)
	mov %rcx, FRAME_RCX(%rax)
	mov %r11, 112(%rax)
	movq $-1, FRAME_ORIG_RAX(%rax)
	pop %rsi
	pop %rdx
	pop FRAME_RIP(%rax)
	pop FRAME_CS(%rax)
	pop FRAME_EFLAGS(%rax)
	pop FRAME_RSP(%rax)
	pop FRAME_SS(%rax)
	mov %rax, %rdi
	mov %rax, %rbx
	testb $3, FRAME_CS(%rax)
	jz 2f
	mov user_kernel_sp(%rip), %rsp
	xor %ebp, %ebp
	call trap_from_user
	jmp return_to_user
2:	mov %rax, %rsp
	call trap_from_kernel
	jmp frame_return
	.size trap_common, . - trap_common

/* One entry of TRAP_VECTOR_BYTES for each vector; those without an error code push 0 for it. */
	.balign 16
	.globl trap_vectors
	.type trap_vectors, @function
trap_vectors:
	.set vector, 0
	.rept 256
	.balign 16
	.if vector != 8 && (vector < 10 || vector > 14) && vector != 17 && vector != 21 && vector != 29 && vector != 30
	push $0
	.endif
	push $vector
	jmp trap_common
	.set vector, vector + 1
	.endr
	.size trap_vectors, . - trap_vectors
	.section .note.GNU-stack, "", @progbits
