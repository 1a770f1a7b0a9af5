/*
 * A guest's user stack and code for reports: between crash.c, which knows the kernel's structures, and
 * host_unwind.c, which knows libunwind and capstone. Plain C types: both worlds include it.
 */
#ifndef HOSTARCH_UNWIND_H
#define HOSTARCH_UNWIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of libunwind's numbers (and DWARF's). */
struct unwind_guest {
	const void *task;
	uint64_t registers[17]; /* rax rdx rcx rbx rsi rdi rbp rsp r8 ... r15 rip */
};

/* crash.c: the aligned word at addr; the image that holds addr: where it is mapped from its first byte, and its
 * code there. */
bool unwind_read_word(const struct unwind_guest *g, uint64_t addr, uint64_t *out);
bool unwind_image(const struct unwind_guest *g, uint64_t addr, uint64_t *base, uint64_t *start, uint64_t *end);
void unwind_place(const struct unwind_guest *g, uint64_t addr, char *buf, size_t size_bytes);

/* host_unwind.c: prints the stack to stderr; returns the number of its frames. */
int host_unwind_user(const struct unwind_guest *g);
/* Prints the instructions around pc, where capstone is installed. */
void host_disassemble(const struct unwind_guest *g, uint64_t pc);

#endif
