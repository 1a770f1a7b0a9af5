/*
 * Kernel context switch, aarch64. See src/arch_x86_64/context.S for the contract.
 * Saved, from the stack pointer up: x19..x28, x29, x30 (where it goes on), d8..d15.
 * A new context begins at context_start with x19 = function, x20 = its argument.
 */
	.text
	.globl context_swap
	.type context_swap, %function
context_swap:
	sub sp, sp, #160
	stp x19, x20, [sp, #0]
	stp x21, x22, [sp, #16]
	stp x23, x24, [sp, #32]
	stp x25, x26, [sp, #48]
	stp x27, x28, [sp, #64]
	stp x29, x30, [sp, #80]
	stp d8, d9, [sp, #96]
	stp d10, d11, [sp, #112]
	stp d12, d13, [sp, #128]
	stp d14, d15, [sp, #144]
	mov x9, sp
	str x9, [x0]
	mov sp, x1
	ldp x19, x20, [sp, #0]
	ldp x21, x22, [sp, #16]
	ldp x23, x24, [sp, #32]
	ldp x25, x26, [sp, #48]
	ldp x27, x28, [sp, #64]
	ldp x29, x30, [sp, #80]
	ldp d8, d9, [sp, #96]
	ldp d10, d11, [sp, #112]
	ldp d12, d13, [sp, #128]
	ldp d14, d15, [sp, #144]
	add sp, sp, #160
	ret
	.size context_swap, . - context_swap

	.globl context_start
	.type context_start, %function
context_start:
	mov x29, #0
	mov x0, x20
	blr x19
	brk #0
	.size context_start, . - context_start
	.section .note.GNU-stack, "", %progbits
