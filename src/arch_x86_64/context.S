/*
 * Kernel context switch, x86_64. Used by the hosted and the bare-metal machine; the
 * C side (arch_context_*) is each machine's.
 *
 *   void context_swap(void **save_sp, void *to_sp)
 *       Saves the callee-saved registers on the current stack and its pointer in
 *       *save_sp, continues the context whose stack pointer is to_sp.
 *   context_start
 *       Where a new context begins. Its stack, from the pointer up: six words
 *       popped into r15 r14 r13 r12 rbx rbp, then the address context_start; the
 *       word above is at an address divisible by 16. Calls r12(r13), which must not return.
 */
	.text
	.globl context_swap
	.type context_swap, @function
context_swap:
	.cfi_startproc
	push %rbp
	.cfi_adjust_cfa_offset 8
	.cfi_rel_offset %rbp, 0
	push %rbx
	.cfi_adjust_cfa_offset 8
	push %r12
	.cfi_adjust_cfa_offset 8
	push %r13
	.cfi_adjust_cfa_offset 8
	push %r14
	.cfi_adjust_cfa_offset 8
	push %r15
	.cfi_adjust_cfa_offset 8
	mov %rsp, (%rdi)
	mov %rsi, %rsp
	pop %r15
	.cfi_adjust_cfa_offset -8
	pop %r14
	.cfi_adjust_cfa_offset -8
	pop %r13
	.cfi_adjust_cfa_offset -8
	pop %r12
	.cfi_adjust_cfa_offset -8
	pop %rbx
	.cfi_adjust_cfa_offset -8
	pop %rbp
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_endproc
	.size context_swap, . - context_swap

	.globl context_start
	.type context_start, @function
context_start:
	.cfi_startproc
	.cfi_undefined %rip
	xor %ebp, %ebp
	mov %r13, %rdi
	call *%r12
	ud2
	.cfi_endproc
	.size context_start, . - context_start
	.section .note.GNU-stack, "", @progbits
