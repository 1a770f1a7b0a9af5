/* The stub's program, carried in the kernel's own. STUB_ELF: its file. */
	.section .rodata
	.globl stub_image, stub_image_end
	.balign 64
stub_image:
	.incbin STUB_ELF
stub_image_end:
	.section .note.GNU-stack, "", @progbits
