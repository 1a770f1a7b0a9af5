/*
 * memcpy and memset in place of src/lib/string.c's: 128 bytes a round, and whole cache lines of zeroes
 * where that is asked for. General registers only: the vector registers are user mode's.
 */
	.text

/* void *memcpy(x0: dst, x1: src, x2: n) */
	.globl memcpy
	.type memcpy, %function
	.balign 16
memcpy:
	mov x3, x0
	subs x2, x2, #128
	b.lo 2f
1:	ldp x4, x5, [x1]
	ldp x6, x7, [x1, #16]
	ldp x8, x9, [x1, #32]
	ldp x10, x11, [x1, #48]
	ldp x12, x13, [x1, #64]
	ldp x14, x15, [x1, #80]
	ldp x16, x17, [x1, #96]
	stp x4, x5, [x3]
	ldp x4, x5, [x1, #112]
	stp x6, x7, [x3, #16]
	stp x8, x9, [x3, #32]
	stp x10, x11, [x3, #48]
	stp x12, x13, [x3, #64]
	stp x14, x15, [x3, #80]
	stp x16, x17, [x3, #96]
	stp x4, x5, [x3, #112]
	add x1, x1, #128
	add x3, x3, #128
	subs x2, x2, #128
	b.hs 1b
2:	tst x2, #127            /* n modulo 128, bit by bit */
	b.eq 9f
	tbz x2, #6, 3f
	ldp x4, x5, [x1]
	ldp x6, x7, [x1, #16]
	ldp x8, x9, [x1, #32]
	ldp x10, x11, [x1, #48]
	add x1, x1, #64
	stp x4, x5, [x3]
	stp x6, x7, [x3, #16]
	stp x8, x9, [x3, #32]
	stp x10, x11, [x3, #48]
	add x3, x3, #64
3:	tbz x2, #5, 4f
	ldp x4, x5, [x1], #16
	ldp x6, x7, [x1], #16
	stp x4, x5, [x3], #16
	stp x6, x7, [x3], #16
4:	tbz x2, #4, 5f
	ldp x4, x5, [x1], #16
	stp x4, x5, [x3], #16
5:	tst x2, #15
	b.eq 9f
	tbz x2, #3, 6f
	ldr x4, [x1], #8
	str x4, [x3], #8
6:	tbz x2, #2, 7f
	ldr w4, [x1], #4
	str w4, [x3], #4
7:	tbz x2, #1, 8f
	ldrh w4, [x1], #2
	strh w4, [x3], #2
8:	tbz x2, #0, 9f
	ldrb w4, [x1]
	strb w4, [x3]
9:	ret
	.size memcpy, . - memcpy

/* void *memset(x0: dst, w1: byte, x2: n) */
	.globl memset
	.type memset, %function
	.balign 16
memset:
	and x1, x1, #255
	mov x3, x0
	orr x1, x1, x1, lsl #8
	orr x1, x1, x1, lsl #16
	orr x1, x1, x1, lsl #32
	cmp x2, #256
	b.hs 4f
1:	subs x2, x2, #64
	b.lo 3f
2:	stp x1, x1, [x3]
	stp x1, x1, [x3, #16]
	stp x1, x1, [x3, #32]
	stp x1, x1, [x3, #48]
	add x3, x3, #64
	subs x2, x2, #64
	b.hs 2b
3:	tbz x2, #5, 31f
	stp x1, x1, [x3], #16
	stp x1, x1, [x3], #16
31:	tbz x2, #4, 32f
	stp x1, x1, [x3], #16
32:	tbz x2, #3, 33f
	str x1, [x3], #8
33:	tbz x2, #2, 34f
	str w1, [x3], #4
34:	tbz x2, #1, 35f
	strh w1, [x3], #2
35:	tbz x2, #0, 36f
	strb w1, [x3]
36:	ret
	/* Zeroes by the line, if lines have 64 bytes and this begins with one. */
4:	cbnz x1, 1b
	mrs x4, dczid_el0
	cmp x4, #4
	b.ne 1b
	tst x3, #63
	b.ne 1b
	sub x2, x2, #256
5:	dc zva, x3
	add x4, x3, #64
	dc zva, x4
	add x4, x3, #128
	dc zva, x4
	add x4, x3, #192
	dc zva, x4
	add x3, x3, #256
	subs x2, x2, #256
	b.hs 5b
	add x2, x2, #256
	b 1b
	.size memset, . - memset
	.section .note.GNU-stack, "", %progbits
