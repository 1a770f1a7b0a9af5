/*
 * The stub's first steps: runs once, on the stack the host's exec made, before
 * the address space becomes a guest's. Maps the shared area, ties the process
 * to the kernel's life, installs the signal handlers and hands over to
 * stub_arm() (stub.S), which empties the address space and installs the filter.
 *
 * Freestanding; no data section; one argument: the offset of the shared area, in hexadecimal.
 */
#include <stdbool.h>

#include "stub.h"

enum {
	NR_MMAP = 9, NR_SIGACTION = 13, NR_SIGPROCMASK = 14, NR_CLOSE = 3, NR_GETPPID = 110, NR_SETPGID = 109,
	NR_SIGALTSTACK = 131, NR_PRCTL = 157, NR_EXIT = 60, NR_PRLIMIT = 302, NR_MSEAL = 462,
};
enum { PR_SET_PDEATHSIG = 1, PR_SET_NAME = 15, PR_SET_TSC = 26, PR_SET_NO_NEW_PRIVS = 38 };
enum { PR_TSC_SIGSEGV = 2 };
enum { PROT_READ_WRITE = 3, MAP_SHARED_FIXED = 0x11 };
enum { AT_NULL = 0, AT_HWCAP2 = 26, HWCAP2_FSGSBASE = 2 };
enum { SA_SIGINFO = 4, SA_RESTORER = 0x04000000, SA_ONSTACK = 0x08000000, SA_NODEFER = 0x40000000 };

struct host_sigaction {
	void (*handler)(void);
	uint64_t flags;
	void (*restorer)(void);
	uint64_t mask;
};
struct host_stack {
	uint64_t sp;
	int32_t flags, pad;
	uint64_t size;
};
struct host_fprog {
	uint64_t length;
	uint64_t filter;
};

void stub_main(uint64_t *stack) __attribute__((noreturn));
void stub_arm(void) __attribute__((noreturn));
void stub_entry(void);
void stub_restorer(void);

static int64_t call(uint64_t nr, uint64_t a, uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
	register uint64_t r10 __asm__("r10") = d;
	register uint64_t r8 __asm__("r8") = e;
	register uint64_t r9 __asm__("r9") = f;
	int64_t result;

	__asm__ volatile("syscall" : "=a"(result)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return result;
}

static uint64_t parse_hex(const char *text)
{
	uint64_t value = 0;

	for (; *text != '\0'; text++)
		value = value * 16 + (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
	return value;
}

static int64_t install_handlers(void)
{
	static const uint8_t signals[] = {31, 11, 7, 4, 8, 5, STUB_SIG_KICK}; /* SYS SEGV BUS ILL FPE TRAP */
	const struct host_sigaction action = {stub_entry, SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_NODEFER,
					      stub_restorer, 0};
	const struct host_stack stack = {STUB_ALTSTACK, 0, 0, STUB_ALTSTACK_BYTES};
	const uint64_t none = 0;
	int64_t error = call(NR_SIGALTSTACK, (uint64_t)(uintptr_t)&stack, 0, 0, 0, 0, 0);

	for (unsigned i = 0; i < sizeof(signals) && error == 0; i++)
		error = call(NR_SIGACTION, signals[i], (uint64_t)(uintptr_t)&action, 0, 8, 0, 0);
	if (error == 0)
		error = call(NR_SIGPROCMASK, 2, (uint64_t)(uintptr_t)&none, 0, 8, 0, 0);
	return error;
}

/* What makes this process live and die with the kernel, and leave no core. */
static int64_t tie_to_kernel(const struct stub_setup *setup)
{
	static const uint64_t no_core[2] = {0, 0};
	static const char name[16] = "levitate-guest";

	if (call(NR_PRCTL, PR_SET_PDEATHSIG, 9, 0, 0, 0, 0) != 0)
		return -1;
	if (call(NR_GETPPID, 0, 0, 0, 0, 0, 0) != setup->parent)
		call(NR_EXIT, 1, 0, 0, 0, 0, 0);
	/* A group of its own: the terminal's signals are the kernel's business. */
	call(NR_SETPGID, 0, 0, 0, 0, 0, 0);
	call(NR_PRLIMIT, 0, 4, (uint64_t)(uintptr_t)no_core, 0, 0, 0);
	call(NR_PRCTL, PR_SET_NAME, (uint64_t)(uintptr_t)name, 0, 0, 0, 0);
	/* Where the host cannot, a program that reads the counter does not repeat. */
	if (setup->traps_counter)
		call(NR_PRCTL, PR_SET_TSC, PR_TSC_SIGSEGV, 0, 0, 0, 0);
	return call(NR_PRCTL, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0);
}

/* From the host itself: what the kernel is told may be valgrind's idea of a processor. */
static bool has_fsgsbase(const uint64_t *stack)
{
	const uint64_t *at = stack + 1 + stack[0] + 1; /* argc, argv, NULL */

	while (*at != 0)
		at++; /* environment */
	for (at++; at[0] != AT_NULL; at += 2)
		if (at[0] == AT_HWCAP2)
			return (at[1] & HWCAP2_FSGSBASE) != 0;
	return false;
}

void stub_main(uint64_t *stack)
{
	struct stub_control *control = (struct stub_control *)STUB_SHARED; /* NOLINT: a fixed address */
	struct stub_setup *setup = &control->setup;
	const char *argument = (const char *)(uintptr_t)stack[2]; /* argc, argv[0], argv[1] */
	int64_t error;

	error = call(NR_MMAP, STUB_SHARED, STUB_SHARED_BYTES, PROT_READ_WRITE, MAP_SHARED_FIXED, STUB_FD_SHARED,
		     parse_hex(argument));
	if (error != STUB_SHARED)
		call(NR_EXIT, 2, 0, 0, 0, 0, 0);
	control->flags = has_fsgsbase(stack) ? 0 : STUB_FLAG_NO_FSGSBASE;
	setup->error_step = 1;
	error = tie_to_kernel(setup);
	if (error == 0) {
		setup->error_step = 2;
		error = install_handlers();
	}
	call(NR_CLOSE, STUB_FD_SHARED, 0, 0, 0, 0, 0);
	call(NR_CLOSE, STUB_FD_PROGRAM, 0, 0, 0, 0, 0);
	/* Hosts before 6.10 have no mseal; then only the filter protects these pages. */
	setup->seal_error = (int32_t)call(NR_MSEAL, STUB_TEXT, 0x1000, 0, 0, 0, 0);
	call(NR_MSEAL, STUB_SHARED, STUB_SHARED_BYTES, 0, 0, 0, 0);
	if (error != 0) {
		setup->error = (int32_t)error;
		call(NR_EXIT, 3, 0, 0, 0, 0, 0);
	}
	setup->error_step = 3;
	/* stub_arm() passes this to seccomp when the stack is gone; see C_R15 there. */
	*(struct host_fprog *)(uintptr_t)(STUB_SHARED + C_R15) =
		(struct host_fprog){setup->nr_filter, (uint64_t)(uintptr_t)setup->filter};
	stub_arm();
}

__asm__(".section .text.start, \"ax\"\n"
	".globl _start\n"
	"_start:\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call stub_main\n"
	"	ud2\n"
	".text\n");
