/*
 * Exception vectors, and the way into and out of user mode.
 *
 * While user mode runs, SP_EL1 is where arch_user_enter() left the task's kernel stack; the
 * word there is the address of the task's trap frame. Kernel code takes no interrupts:
 * an exception from EL1 is the kernel's own fault, and is reported from a stack of its own.
 * TPIDR_EL1 holds user mode's x0 for a moment.
 */
#include "boot.h"

	.text

/* Saves user mode's registers; x0 = the frame then, x1 = user mode's x0. */
.macro user_save
	msr tpidr_el1, x0
	ldr x0, [sp]
	stp x1, x2, [x0, #8]
	stp x3, x4, [x0, #24]
	stp x5, x6, [x0, #40]
	stp x7, x8, [x0, #56]
	stp x9, x10, [x0, #72]
	stp x11, x12, [x0, #88]
	stp x13, x14, [x0, #104]
	stp x15, x16, [x0, #120]
	stp x17, x18, [x0, #136]
	stp x19, x20, [x0, #152]
	stp x21, x22, [x0, #168]
	stp x23, x24, [x0, #184]
	stp x25, x26, [x0, #200]
	stp x27, x28, [x0, #216]
	stp x29, x30, [x0, #232]
	mrs x1, tpidr_el1
	mrs x2, sp_el0
	mrs x3, elr_el1
	mrs x4, spsr_el1
	mrs x5, tpidr_el0
	str x1, [x0]
	stp x2, x3, [x0, #FRAME_SP]
	stp x4, x1, [x0, #FRAME_PSTATE]
	str x5, [x0, #FRAME_TPIDR]
	mov x29, #0
.endm

user_sync:
	user_save
	mrs x1, esr_el1
	lsr w2, w1, #26
	cmp w2, #0x15           /* SVC */
	b.ne 1f
	mov w8, w8              /* the number has 32 bits */
	str x8, [x0, #FRAME_SYSCALL_NR]
	bl trap_syscall
	b user_return
1:	mrs x2, far_el1
	bl user_exception
	b user_return

user_irq:
	user_save
	bl user_interrupt

user_return:
	ldr x0, [sp]
	ldp x2, x3, [x0, #FRAME_SP]
	ldr x4, [x0, #FRAME_PSTATE]
	ldr x5, [x0, #FRAME_TPIDR]
	msr sp_el0, x2
	msr elr_el1, x3
	msr spsr_el1, x4
	msr tpidr_el0, x5
	ldp x1, x2, [x0, #8]
	ldp x3, x4, [x0, #24]
	ldp x5, x6, [x0, #40]
	ldp x7, x8, [x0, #56]
	ldp x9, x10, [x0, #72]
	ldp x11, x12, [x0, #88]
	ldp x13, x14, [x0, #104]
	ldp x15, x16, [x0, #120]
	ldp x17, x18, [x0, #136]
	ldp x19, x20, [x0, #152]
	ldp x21, x22, [x0, #168]
	ldp x23, x24, [x0, #184]
	ldp x25, x26, [x0, #200]
	ldp x27, x28, [x0, #216]
	ldp x29, x30, [x0, #232]
	ldr x0, [x0]
	eret
	dsb nsh                 /* nothing is executed speculatively behind eret */
	isb

	.globl user_enter
	.type user_enter, %function
user_enter:
	sub sp, sp, #16
	str x0, [sp]
	b user_return

/* What no user program can cause, and is no interrupt. */
.macro user_bad what
	user_save
	mov w1, #\what
	bl bad_trap
.endm

user_fiq:
	user_bad BAD_FIQ
user_serror:
	user_bad BAD_SERROR

/* From EL1 (or AArch32, which nothing runs): saves all it can and reports. */
.macro kernel_bad what
	msr tpidr_el1, x0
	mov x0, sp
	msr tpidrro_el0, x0
	adrp x0, crash_stack_top - FRAME_BYTES
	add x0, x0, :lo12:(crash_stack_top - FRAME_BYTES)
	mov sp, x0
	mov w0, #\what
	b kernel_crash
.endm

kernel_sync:
	kernel_bad BAD_SYNC
kernel_irq:
	kernel_bad BAD_IRQ
kernel_fiq:
	kernel_bad BAD_FIQ
kernel_serror:
	kernel_bad BAD_SERROR

/* w0: what; x0 itself is in TPIDR_EL1, sp in TPIDRRO_EL0, and sp points at a frame. */
kernel_crash:
	stp x1, x2, [sp, #8]
	stp x3, x4, [sp, #24]
	stp x5, x6, [sp, #40]
	stp x7, x8, [sp, #56]
	stp x9, x10, [sp, #72]
	stp x11, x12, [sp, #88]
	stp x13, x14, [sp, #104]
	stp x15, x16, [sp, #120]
	stp x17, x18, [sp, #136]
	stp x19, x20, [sp, #152]
	stp x21, x22, [sp, #168]
	stp x23, x24, [sp, #184]
	stp x25, x26, [sp, #200]
	stp x27, x28, [sp, #216]
	stp x29, x30, [sp, #232]
	mov w1, w0
	mrs x2, tpidr_el1
	str x2, [sp]
	mrs x2, tpidrro_el0
	mrs x3, elr_el1
	stp x2, x3, [sp, #FRAME_SP]
	mrs x2, spsr_el1
	stp x2, xzr, [sp, #FRAME_PSTATE]
	mrs x2, tpidr_el0
	str x2, [sp, #FRAME_TPIDR]
	mov x0, sp
	mov x29, #0
	bl bad_trap

/* ---- sigreturn ------------------------------------------------------------------- */

/*
 * What a signal handler returns to (ABI_SIGRETURN_CODE): a page of the image of its own, which
 * mmu.c also maps for user mode. Unwinders know these two instructions.
 */
	.section .rodata.sigreturn, "a"
	.balign 4096
	.globl sigreturn_code
sigreturn_code:
	mov x8, #139            /* rt_sigreturn */
	svc #0
	.balign 4096
	.text

/* ---- vectors ------------------------------------------------------------------- */

.macro vector target
	.balign 128
	b \target
.endm

	.balign 2048
	.globl exception_vectors
exception_vectors:
	vector kernel_sync      /* EL1 with SP_EL0: never chosen */
	vector kernel_irq
	vector kernel_fiq
	vector kernel_serror
	vector kernel_sync      /* EL1 */
	vector kernel_irq
	vector kernel_fiq
	vector kernel_serror
	vector user_sync        /* EL0 */
	vector user_irq
	vector user_fiq
	vector user_serror
	vector kernel_sync      /* AArch32 EL0: never entered */
	vector kernel_irq
	vector kernel_fiq
	vector kernel_serror

	.bss
	.balign 16
	.space 8192
crash_stack_top:
	.section .note.GNU-stack, "", %progbits
