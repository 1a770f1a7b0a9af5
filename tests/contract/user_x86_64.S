/*
 * Guest code for the contract tests: position-independent, copied into a page.
 * Each loop hands over with a system call and goes round again, so a test sets
 * registers, lets it run, and looks at what came out.
 */
	.section .rodata
	.globl user_code, user_code_end, user_code_symbols
	.balign 16
user_code:
load:	mov (%rdi), %rsi
	syscall
	jmp load
store:	mov %rsi, (%rdi)
	syscall
	jmp store
call:	call *%rdi
	syscall
	jmp call
plain:	syscall
	jmp plain
spin:	inc %rbx
	jmp spin
illegal: ud2
divide:	xor %edx, %edx
	mov $1, %eax
	xor %ecx, %ecx
	div %ecx
breakpoint: int3
	nop
protection: hlt
foreign: mov $20, %eax
	int $0x80
	syscall
tls:	mov %fs:0, %rsi
	syscall
	jmp tls
fpu:	movq %rdi, %xmm7
fpu_again: syscall
	movq %xmm7, %rsi
	jmp fpu_again
step:	pushf
	orq $0x100, (%rsp)
	popf
	nop
	nop
	syscall
user_code_end:
	.balign 8
user_code_symbols:
	.quad load - user_code, store - user_code, call - user_code, plain - user_code, spin - user_code
	.quad illegal - user_code, divide - user_code, breakpoint - user_code, protection - user_code
	.quad foreign - user_code, tls - user_code, fpu - user_code, step - user_code
	.section .note.GNU-stack, "", @progbits
