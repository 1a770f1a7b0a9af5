/*
 * Common to the demonstrations: each is a small program over the core and the fake machine that makes one
 * mistake with physical memory on purpose, so that a tool can be seen reporting it. With the argument "fixed"
 * it makes none.
 */
#ifndef DEMO_H
#define DEMO_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if __has_include(<sanitizer/common_interface_defs.h>)
#include <sanitizer/common_interface_defs.h>
#endif

#include "abi/mman.h"
#include "fake_machine.h"
#include "hostarch/tools.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/memtools.h"
#include "mm/usercopy.h"

/* A function that stays one, to be seen in back traces. */
#ifdef __clang__
#define IN_TRACE __attribute__((noinline))
#else
#define IN_TRACE __attribute__((noipa))
#endif
#define USER_BASE UINT64_C(0x10000000)

static bool is_broken;

/* A kernel with one address space, whose first page is there. */
static inline struct aspace *demo_begin(int argc, char **argv)
{
	struct mmap_args args = {.addr = USER_BASE, .length_bytes = 1 << 20, .prot = PROT_READ | PROT_WRITE,
				 .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED};
	struct aspace *as;

	is_broken = argc < 2 || strcmp(argv[1], "fixed") != 0;
	setvbuf(stderr, NULL, _IONBF, 0);
	fake_machine_boot(16 << 20);
	aspace_init();
	aspace_set_pt_ops(&pt_ops_x86_64);
	if (aspace_create(NULL, &as) != 0 || aspace_mmap(as, &args) != (int64_t)USER_BASE ||
	    copy_to_user_in(as, uaddr(USER_BASE), "hello", 6) != 0)
		exit(2);
	return as;
}

/* The end of the kernel: audit, leak check. Returns the exit status. */
static inline int demo_end(struct aspace *as)
{
	unsigned nr_bad;

	aspace_put(as);
	nr_bad = mm_audit_end();
	memtools_end();
	return nr_bad != 0 ? 70 : 0;
}

/* As on the hosted machine, which prints a back trace. (The fake one aborts, which leaves a core file.) */
void arch_panic_stop(void)
{
#if LEVITATE_ASAN
	__sanitizer_print_stack_trace();
#endif
	exit(70);
}

#endif
