/*
 * The kernel's context switch, as in src/arch_aarch64/context.S but for the vector registers, which
 * the bare-metal kernel does not use: they hold user state (fpu.c). On the stack: x19 to x30.
 * A new context begins at context_start with x19 = function, x20 = its argument.
 */
	.text
	.globl context_swap
	.type context_swap, %function
context_swap:
	sub sp, sp, #96
	stp x19, x20, [sp]
	stp x21, x22, [sp, #16]
	stp x23, x24, [sp, #32]
	stp x25, x26, [sp, #48]
	stp x27, x28, [sp, #64]
	stp x29, x30, [sp, #80]
	mov x9, sp
	str x9, [x0]
	mov sp, x1
	ldp x19, x20, [sp]
	ldp x21, x22, [sp, #16]
	ldp x23, x24, [sp, #32]
	ldp x25, x26, [sp, #48]
	ldp x27, x28, [sp, #64]
	ldp x29, x30, [sp, #80]
	add sp, sp, #96
	ret

	.globl context_start
	.type context_start, %function
context_start:
	mov x0, x20
	blr x19
	brk #0

	.section .note.GNU-stack, "", %progbits
