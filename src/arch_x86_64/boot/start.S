/*
 * Entry from the boot protocols: both come in 32-bit protected mode without paging, ebx pointing at what they have
 * to say. Builds translations of the first 4 GiB, at 0, at DIRECT_BASE and (1 GiB) at KERNEL_BASE,
 * turns 64-bit mode on and calls boot_main() on the boot stack, which stays the idle loop's.
 *
 * Multiboot2 specification 3.1; Xen's PVH boot ABI (an ELF note names the entry).
 */
#include "boot.h"

#define MULTIBOOT2_HEADER 0xe85250d6
#define MULTIBOOT2_LOADER 0x36d76289
#define PHYS(symbol) (symbol - KERNEL_BASE)

#define PAGE_RW 3
#define PAGE_LARGE 0x80
#define CR0_BITS 0x80050033 /* PG AM WP NE ET MP PE */
#define CR4_PAE 0x20
#define EFER_BITS 0x901 /* NXE LME SCE */
#define COM1 0x3f8

	.section .boot.header, "a"
	.balign 8
header:
	.long MULTIBOOT2_HEADER, 0, header_end - header
	.long 0x100000000 - MULTIBOOT2_HEADER - (header_end - header)
	.short 6, 0 /* modules on pages of their own */
	.long 8
	.short 0, 0
	.long 8
header_end:

	.section .note.Xen, "a", @note
	.balign 4
	.long 4, 8, 18 /* XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz "Xen"
	.quad pvh_entry

	.section .boot.text, "ax"
	.code32
	.globl multiboot_entry, pvh_entry
multiboot_entry:
	mov $BOOT_MULTIBOOT2, %edi
	cmp $MULTIBOOT2_LOADER, %eax
	je 1f
	mov $unknown_loader, %esi
	jmp fail
pvh_entry:
	mov $BOOT_PVH, %edi
1:	cli
	cld
	mov $PHYS(boot_stack_top), %esp
	push %ebx

	/* 64-bit mode and no-execute pages, or nothing. */
	mov $0x80000000, %eax
	cpuid
	mov $too_old, %esi
	cmp $0x80000001, %eax
	jb fail
	mov $0x80000001, %eax
	cpuid
	and $0x20100000, %edx
	cmp $0x20100000, %edx
	jne fail

	/* 2048 pages of 2 MiB. */
	xor %ecx, %ecx
1:	mov %ecx, %eax
	shl $21, %eax
	or $(PAGE_LARGE | PAGE_RW), %eax
	mov %eax, PHYS(boot_pd)(, %ecx, 8)
	inc %ecx
	cmp $2048, %ecx
	jb 1b
	movl $PHYS(boot_pd + PAGE_RW), PHYS(boot_pdpt)
	movl $PHYS(boot_pd + 4096 + PAGE_RW), PHYS(boot_pdpt + 8)
	movl $PHYS(boot_pd + 8192 + PAGE_RW), PHYS(boot_pdpt + 16)
	movl $PHYS(boot_pd + 12288 + PAGE_RW), PHYS(boot_pdpt + 24)
	movl $PHYS(boot_pd + PAGE_RW), PHYS(boot_kernel_pdpt + 510 * 8)
	movl $PHYS(boot_pdpt + PAGE_RW), PHYS(boot_root)
	movl $PHYS(boot_pdpt + PAGE_RW), PHYS(boot_root + 256 * 8)
	movl $PHYS(boot_kernel_pdpt + PAGE_RW), PHYS(boot_root + 511 * 8)

	pop %ebx
	mov $CR4_PAE, %eax
	mov %eax, %cr4
	mov $PHYS(boot_root), %eax
	mov %eax, %cr3
	mov $0xc0000080, %ecx /* EFER */
	rdmsr
	or $EFER_BITS, %eax
	wrmsr
	mov $CR0_BITS, %eax
	mov %eax, %cr0
	lgdt boot_gdt_pointer
	ljmp $SEL_KERNEL_CS, $1f
	.code64
1:	movabs $start_high, %rax
	jmp *%rax

	/* Says the text at esi on the serial line, as it was set up. */
	.code32
fail:	lodsb
	test %al, %al
	jz 2f
	mov %al, %cl
	mov $(COM1 + 5), %dx
1:	in %dx, %al
	test $0x20, %al
	jz 1b
	mov $COM1, %dx
	mov %cl, %al
	out %al, %dx
	jmp fail
2:	cli
	hlt
	jmp 2b

unknown_loader:
	.asciz "levitate: the boot loader speaks neither Multiboot2 nor PVH\r\n"
too_old:
	.asciz "levitate: this processor has no 64-bit mode or no NX\r\n"

	.balign 8
boot_gdt:
	.quad 0, 0x00af9b000000ffff
boot_gdt_pointer:
	.short 15
	.long boot_gdt

	.text
	.code64
start_high:
	lea boot_stack_top(%rip), %rsp
	xor %eax, %eax
	mov %eax, %ds
	mov %eax, %es
	mov %eax, %fs
	mov %eax, %gs
	mov %eax, %ss
	xor %ebp, %ebp
	push %rbp /* the end of back traces */
	push %rbp
	mov %ebx, %esi
	call boot_main
	ud2

	.bss
	.balign 4096
boot_root:
	.skip 4096
boot_pdpt:
	.skip 4096
boot_kernel_pdpt:
	.skip 4096
boot_pd:
	.skip 4 * 4096
	.globl boot_stack_guard
boot_stack_guard:
	.skip 4096	/* not mapped once mmu_init() has run */
	.skip BOOT_STACK_BYTES
boot_stack_top:
	.section .note.GNU-stack, "", @progbits
