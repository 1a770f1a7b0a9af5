/* Guest code of the contract tests, and one kernel function, x86_64. See contract.h. */
#define GUEST_CALL 500

	.section .rodata
	.balign 16
	.globl guest_code, guest_code_end, guest_read, guest_write, guest_call, guest_args, guest_spin
	.globl guest_fpu_set, guest_fpu_get
	.globl guest_illegal, guest_breakpoint, guest_divide, guest_foreign_call, guest_privileged, guest_step
guest_code:
guest_read:
	mov (%rsp), %rdi
guest_call:
	mov $GUEST_CALL, %eax
	syscall
	hlt
guest_write:
	mov %rsp, (%rsp)
	mov $GUEST_CALL, %eax
	syscall
	hlt
guest_args:
	mov $11, %edi
	mov $22, %esi
	mov $33, %edx
	mov $44, %r10d
	mov $55, %r8d
	mov $66, %r9d
	mov $GUEST_CALL, %eax
	syscall
	mov %rax, %rdi
	mov $GUEST_CALL, %eax
	syscall
	hlt
guest_spin:
	jmp guest_spin
guest_fpu_set:
	movq %rsp, %xmm5
	mov $GUEST_CALL, %eax
	syscall
	hlt
guest_fpu_get:
	movq %xmm5, %rdi
	mov $GUEST_CALL, %eax
	syscall
	hlt
guest_illegal:
	ud2
guest_breakpoint:
	int3
guest_divide:
	xor %ecx, %ecx
	xor %edx, %edx
	div %ecx
guest_foreign_call:
	mov $20, %eax
	int $0x80
	hlt
guest_privileged:
	hlt
guest_step:
	pushfq
	orl $0x100, (%rsp)
	popfq
	nop
	nop
	hlt
guest_code_end:

	.text
	.globl contract_switch_with_pattern
	.type contract_switch_with_pattern, @function
contract_switch_with_pattern:
	push %rbp
	push %rbx
	push %r12
	push %r13
	push %r14
	push %r15
	push %rdx
	mov %rdx, %rbx
	lea 1(%rdx), %rbp
	lea 2(%rdx), %r12
	lea 3(%rdx), %r13
	lea 4(%rdx), %r14
	lea 5(%rdx), %r15
	call arch_context_switch
	pop %rdx
	xor %eax, %eax
	xor %ecx, %ecx
	cmp %rdx, %rbx
	setne %cl
	add %ecx, %eax
	inc %rdx
	cmp %rdx, %rbp
	setne %cl
	add %ecx, %eax
	inc %rdx
	cmp %rdx, %r12
	setne %cl
	add %ecx, %eax
	inc %rdx
	cmp %rdx, %r13
	setne %cl
	add %ecx, %eax
	inc %rdx
	cmp %rdx, %r14
	setne %cl
	add %ecx, %eax
	inc %rdx
	cmp %rdx, %r15
	setne %cl
	add %ecx, %eax
	pop %r15
	pop %r14
	pop %r13
	pop %r12
	pop %rbx
	pop %rbp
	ret
	.size contract_switch_with_pattern, . - contract_switch_with_pattern
	.section .note.GNU-stack, "", @progbits
