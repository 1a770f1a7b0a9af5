/* Guest code of the contract tests, and one kernel function, aarch64. See contract.h. */
#define GUEST_CALL 500

	.arch armv8-a+fp+simd
	.section .rodata
	.balign 16
	.globl guest_code, guest_code_end, guest_read, guest_write, guest_call, guest_args, guest_spin
	.globl guest_fpu_set, guest_fpu_get, guest_illegal, guest_breakpoint
guest_code:
guest_read:
	ldr x0, [sp]
guest_call:
	mov x8, #GUEST_CALL
	svc #0
	udf #0
guest_write:
	mov x0, sp
	str x0, [sp]
	mov x8, #GUEST_CALL
	svc #0
	udf #0
guest_args:
	mov x0, #11
	mov x1, #22
	mov x2, #33
	mov x3, #44
	mov x4, #55
	mov x5, #66
	mov x8, #GUEST_CALL
	svc #0
	mov x8, #GUEST_CALL
	svc #0
	udf #0
guest_spin:
	b guest_spin
guest_fpu_set:
	mov x0, sp
	fmov d5, x0
	mov x8, #GUEST_CALL
	svc #0
	udf #0
guest_fpu_get:
	fmov x0, d5
	mov x8, #GUEST_CALL
	svc #0
	udf #0
guest_illegal:
	udf #0
guest_breakpoint:
	brk #0
guest_code_end:

	.text
	.globl contract_switch_with_pattern
	.type contract_switch_with_pattern, %function
contract_switch_with_pattern:
	stp x29, x30, [sp, #-112]!
	stp x19, x20, [sp, #16]
	stp x21, x22, [sp, #32]
	stp x23, x24, [sp, #48]
	stp x25, x26, [sp, #64]
	stp x27, x28, [sp, #80]
	str x2, [sp, #96]
	mov x19, x2
	add x20, x2, #1
	add x21, x2, #2
	add x22, x2, #3
	add x23, x2, #4
	add x24, x2, #5
	add x25, x2, #6
	add x26, x2, #7
	add x27, x2, #8
	add x28, x2, #9
	bl arch_context_switch
	ldr x2, [sp, #96]
	mov w0, #0
	.irp reg, x19, x20, x21, x22, x23, x24, x25, x26, x27, x28
	cmp \reg, x2
	cinc w0, w0, ne
	add x2, x2, #1
	.endr
	ldp x19, x20, [sp, #16]
	ldp x21, x22, [sp, #32]
	ldp x23, x24, [sp, #48]
	ldp x25, x26, [sp, #64]
	ldp x27, x28, [sp, #80]
	ldp x29, x30, [sp], #112
	ret
	.size contract_switch_with_pattern, . - contract_switch_with_pattern
	.section .note.GNU-stack, "", %progbits
