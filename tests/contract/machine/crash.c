/*
 * Breaks the kernel on purpose when the command line says crash=HOW, so that what it prints then can
 * be tested (tests/qemu). Only the contract image has this.
 */
#include "contract.h"
#include "lib/assert.h"
#include "lib/string.h"

#define NOT_MAPPED UINT64_C(0xffffff0000000000) /* of no machine's use */

static NORETURN void crash_panic(void) { panic("asked for"); }

static void crash_assert(void)
{
	volatile bool asked = false;

	ASSERT(asked);
}

static void crash_read(void) { (void)*(volatile char *)NOT_MAPPED; }

static void crash_write_code(void) { *(volatile char *)(uintptr_t)crash_panic = 0; }

static void crash_jump(void)
{
	void (*volatile nowhere)(void) = (void (*)(void))NOT_MAPPED;

	nowhere();
	say("back from nowhere\n"); /* the call is no tail call */
}

static void crash_illegal(void)
{
	__builtin_trap();
}

/* Uses the stack up; by a pointer, for the compiler would see that there is no end. */
static int crash_stack(int depth);
static int (*volatile crash_deeper)(int depth) = crash_stack;

static int crash_stack(int depth)
{
	volatile char room[512];

	room[depth % 512] = (char)depth;
	return crash_deeper(depth + 1) + room[depth % 512];
}

static void crash_stack_start(void) { say("%d\n", crash_stack(0)); }

void contract_crash(const char *cmdline)
{
	static const struct {
		const char *how;
		void (*crash)(void);
	} ways[] = {
		{"crash=panic", crash_panic}, {"crash=assert", crash_assert}, {"crash=read", crash_read},
		{"crash=write-code", crash_write_code}, {"crash=jump", crash_jump}, {"crash=illegal", crash_illegal},
		{"crash=stack", crash_stack_start},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (strstr(cmdline, ways[i].how) != NULL)
			ways[i].crash();
}
