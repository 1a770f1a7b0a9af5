/*
 * Entry, as Linux's Documentation/arm64/booting.rst says: the image header; x0 = physical
 * address of the device tree; EL2 or EL1, translation and data cache off. The image runs from
 * any page: it is linked at KERNEL_BASE, and until translation is on all addresses here come
 * from the program counter. Drops to EL1, builds the tables of the kernel image, turns
 * translation on, clears bss, calls boot_main(device tree, image).
 *
 * Registers kept: x20 device tree, x21 physical address of image_start.
 */
#include "boot.h"

#define SCTLR_M (1 << 0)
#define SCTLR_C (1 << 2)
#define SCTLR_SA (1 << 3)
#define SCTLR_SA0 (1 << 4)
#define SCTLR_I (1 << 12)
#define SCTLR_DZE (1 << 14)
#define SCTLR_UCT (1 << 15)
#define SCTLR_NTWI (1 << 16)
#define SCTLR_NTWE (1 << 18)
#define SCTLR_UCI (1 << 26)
/* RES1 where the extension that gives them a meaning is absent: EOS, TSCXT, EIS, nTLSMD, LSMAOE. */
#define SCTLR_RES1 (1 << 11 | 1 << 20 | 1 << 22 | 1 << 28 | 1 << 29)
/* User mode may clean caches, zero lines and wait. SPAN is 0: PAN is set on each entry. */
#define SCTLR_VALUE                                                                                          \
	(SCTLR_RES1 | SCTLR_M | SCTLR_C | SCTLR_SA | SCTLR_SA0 | SCTLR_I | SCTLR_DZE | SCTLR_UCT | SCTLR_NTWI | \
	 SCTLR_NTWE | SCTLR_UCI)

/* Index 0: normal memory, write-back; index 1: Device-nGnRE. */
#define MAIR_VALUE 0x04ff

/*
 * 48-bit addresses, 4 KiB pages, inner shareable write-back walks on both sides; TBI0: user
 * mode's top byte is ignored (Linux's ABI). HPD0 and HPD1 are 0: APTable counts (pte.h).
 */
#define TCR_T0SZ 16
#define TCR_T1SZ (16 << 16)
#define TCR_WALKS0 (1 << 8 | 1 << 10 | 3 << 12)
#define TCR_WALKS1 (1 << 24 | 1 << 26 | 3 << 28)
#define TCR_TG1_4K (2 << 30)
#define TCR_AS16 (1 << 36)
#define TCR_TBI0 (1 << 37)
#define TCR_HA (1 << 39)
#define TCR_VALUE (TCR_T0SZ | TCR_T1SZ | TCR_WALKS0 | TCR_WALKS1 | TCR_TG1_4K | TCR_TBI0)

	.section .head, "ax"
	b start
	.long 0
	.quad 0                 /* text_offset */
	.quad image_bytes       /* link.lds */
	.quad 2 | 8             /* little endian, 4 KiB pages, anywhere in memory */
	.quad 0, 0, 0
	.ascii "ARM\x64"
	.long 0

/* \reg = what \name's bits from \shift say: a 4-bit field of an ID register. */
.macro id_field reg, name, shift
	mrs \reg, \name
	ubfx \reg, \reg, #\shift, #4
.endm

start:
	msr daifset, #15
	mov x20, x0
	adrp x21, image_start
	mrs x0, CurrentEL
	cmp x0, #(2 << 2)
	b.ne 1f
	bl leave_el2
1:	bl build_tables
	bl enable_translation
	ldr x0, =start_high
	br x0

/* ---- EL2 ------------------------------------------------------------------- */

/* Returns at EL1 with nothing trapped to EL2. */
leave_el2:
	mov x0, #(1 << 31)              /* RW: EL1 is AArch64 */
	movk x0, #(3 << 8), lsl #32     /* API, APK: pointer authentication is EL1's affair */
	msr hcr_el2, x0
	isb
	mov x0, #3
	msr cnthctl_el2, x0             /* EL1 may use the physical counter and timer */
	msr cntvoff_el2, xzr
	mov x0, #0x33ff                 /* RES1; floating point is not trapped */
	msr cptr_el2, x0
	msr hstr_el2, xzr
	mrs x0, pmcr_el0
	ubfx x0, x0, #11, #5
	msr mdcr_el2, x0                /* all performance counters belong to EL1 */
	msr vttbr_el2, xzr
	mrs x0, midr_el1
	msr vpidr_el2, x0
	mrs x0, mpidr_el1
	msr vmpidr_el2, x0
	id_field x0, id_aa64mmfr0_el1, 56
	cbz x0, 1f
	msr s3_4_c1_c1_4, xzr           /* HFGRTR, HFGWTR, HFGITR, HDFGRTR, HDFGWTR: no fine-grained traps */
	msr s3_4_c1_c1_5, xzr
	msr s3_4_c1_c1_6, xzr
	msr s3_4_c3_c1_4, xzr
	msr s3_4_c3_c1_5, xzr
1:	id_field x0, id_aa64pfr0_el1, 24
	cbz x0, 2f
	mrs x0, s3_4_c12_c9_5           /* ICC_SRE_EL2: EL1 has the GICv3 registers, and may say so */
	orr x0, x0, #1
	orr x0, x0, #(1 << 3)
	msr s3_4_c12_c9_5, x0
	isb
	msr s3_4_c12_c11_0, xzr         /* ICH_HCR_EL2 */
2:	ldr x0, =SCTLR_RES1
	msr sctlr_el1, x0
	mov x0, #0x3c5                  /* EL1h, everything masked */
	msr spsr_el2, x0
	msr elr_el2, x30
	eret

/* ---- tables ---------------------------------------------------------------- */

/* Maps the pages of the image from \first up to \last (symbols) with the attributes \attrs. */
.macro map_part first, last, attrs
	adrp x1, \first
	adrp x2, \last
	ldr x3, =(\attrs | DESC_PAGE)
	sub x4, x1, x21
	add x4, x0, x4, lsr #9          /* 8 bytes for each 4096 */
1:	cmp x1, x2
	b.hs 2f
	orr x5, x1, x3
	str x5, [x4], #8
	add x1, x1, #4096
	b 1b
2:
.endm

/* Invalidates the data cache over the tables: they are written with the cache off. x9 is the return address. */
invalidate_tables:
	mrs x0, ctr_el0
	ubfx x0, x0, #16, #4
	mov x1, #4
	lsl x1, x1, x0
	adrp x2, early_start
	adrp x3, early_end
	dmb sy
1:	dc ivac, x2
	add x2, x2, x1
	cmp x2, x3
	b.lo 1b
	dsb sy
	ret

build_tables:
	mov x9, x30
	bl invalidate_tables
	adrp x0, early_start
	adrp x1, early_end
1:	stp xzr, xzr, [x0], #16
	cmp x0, x1
	b.lo 1b
	adrp x0, kernel_top_l1
	orr x1, x0, #DESC_TABLE
	adrp x2, kernel_root
	str x1, [x2, #(511 * 8)]
	adrp x2, kernel_top_table
	orr x1, x2, #DESC_TABLE
	str x1, [x0, #(511 * 8)]
	adrp x0, kernel_device_table
	orr x1, x0, #DESC_TABLE
	str x1, [x2, #(DEVICE_SLOT * 8)]
	adrp x0, kernel_image_tables
	orr x1, x0, #DESC_TABLE
	mov x3, #KERNEL_TABLES
1:	str x1, [x2], #8
	add x1, x1, #4096
	subs x3, x3, #1
	b.ne 1b
	map_part image_start, text_end, DESC_KERNEL_TEXT
	map_part text_end, rodata_end, DESC_KERNEL_RODATA
	map_part rodata_end, image_end, DESC_KERNEL_DATA
	adrp x1, boot_stack_guard
	sub x1, x1, x21
	add x1, x0, x1, lsr #9
	str xzr, [x1]
	/* This page at its physical address, for the moment translation comes on. */
	adrp x0, identity_root
	adrp x1, identity_l1
	adrp x2, identity_l2
	orr x3, x1, #DESC_TABLE
	ubfx x4, x21, #39, #9
	str x3, [x0, x4, lsl #3]
	orr x3, x2, #DESC_TABLE
	ubfx x4, x21, #30, #9
	str x3, [x1, x4, lsl #3]
	and x3, x21, #~0x1fffff
	ldr x4, =(DESC_AF | DESC_INNER | DESC_RO | DESC_BLOCK)
	orr x3, x3, x4
	ubfx x4, x21, #21, #9
	str x3, [x2, x4, lsl #3]
	bl invalidate_tables
	ret x9

/* ---- translation ------------------------------------------------------------- */

enable_translation:
	ic iallu
	tlbi vmalle1
	dsb nsh
	isb
	ldr x0, =MAIR_VALUE
	msr mair_el1, x0
	ldr x0, =TCR_VALUE
	id_field x1, id_aa64mmfr0_el1, 0        /* physical addresses: up to the 48 bits of pte.h */
	mov x2, #5
	cmp x1, x2
	csel x1, x1, x2, lo
	orr x0, x0, x1, lsl #32
	id_field x1, id_aa64mmfr0_el1, 4
	cmp x1, #2
	orr x2, x0, #TCR_AS16
	csel x0, x2, x0, eq
	id_field x1, id_aa64mmfr1_el1, 0
	orr x2, x0, #TCR_HA
	cmp x1, #0
	csel x0, x2, x0, ne
	msr tcr_el1, x0
	adrp x0, identity_root
	msr ttbr0_el1, x0
	adrp x0, kernel_root
	msr ttbr1_el1, x0
	isb
	ldr x0, =SCTLR_VALUE
	msr sctlr_el1, x0
	isb
	ret

	.text
start_high:
	adrp x0, empty_root
	ldr x1, =KERNEL_BASE
	sub x0, x0, x1
	add x0, x0, x21
	msr ttbr0_el1, x0
	isb
	tlbi vmalle1
	dsb nsh
	isb
	ldr x0, =exception_vectors
	msr vbar_el1, x0
	mov x0, #(1 << 20)              /* FPEN: user mode's floating point traps (fpu.c) */
	msr cpacr_el1, x0
	mov x0, #2
	msr cntkctl_el1, x0             /* user mode reads the virtual counter */
	msr mdscr_el1, xzr
	msr tpidr_el0, xzr
	msr tpidrro_el0, xzr
	id_field x0, id_aa64dfr0_el1, 8
	sub x0, x0, #1
	cmp x0, #14
	b.hs 1f                         /* no performance counters, or not Arm's */
	msr pmuserenr_el0, xzr
1:	id_field x0, id_aa64mmfr1_el1, 20
	cbz x0, 2f
	.inst 0xd500419f                /* msr pan, #1 */
2:	isb
	adrp x0, bss_start
	add x0, x0, :lo12:bss_start
	adrp x1, image_end
3:	stp xzr, xzr, [x0], #16
	cmp x0, x1
	b.lo 3b
	adrp x0, boot_stack_top
	mov sp, x0
	mov x29, #0
	mov x30, #0
	mov x0, x20
	mov x1, x21
	b boot_main

/* ---- memory the loader does not fill ------------------------------------------- */

	.section .early, "aw", %nobits
	.balign 4096
	.globl kernel_root, kernel_top_table, kernel_device_table, empty_root
early_start:
kernel_root: .space 4096
kernel_top_l1: .space 4096
kernel_top_table: .space 4096
kernel_device_table: .space 4096
kernel_image_tables: .space 4096 * KERNEL_TABLES
identity_root: .space 4096
identity_l1: .space 4096
identity_l2: .space 4096
empty_root: .space 4096
early_end:
boot_stack_guard: .space 4096   /* not mapped */
	.space 32768
boot_stack_top:
	.section .note.GNU-stack, "", %progbits
