/* Kernel contexts: stacks, switched by src/arch_x86_64/context.S. The CPU's block. */
#include "arch/machine.h"
#include "boot.h"
#include "lib/string.h"
#include "sched/cpu.h"

#define SAVED_WORDS 7 /* popped by context_swap(): six registers and the address it returns to */
enum { SAVED_R13 = 2, SAVED_R12 = 3, SAVED_PC = 6 };

struct cpu arch_boot_cpu;

void arch_context_init(struct arch_context *ctx, void *stack, size_t size_bytes, void (*fn)(void *arg), void *arg)
{
	uint64_t top = ((uint64_t)stack + size_bytes) & ~UINT64_C(15);
	uint64_t *sp = (uint64_t *)top - SAVED_WORDS - 2; /* context_start wants rsp divisible by 16 */

	memset(sp, 0, (SAVED_WORDS + 2) * sizeof(*sp));
	sp[SAVED_R13] = (uint64_t)arg;
	sp[SAVED_R12] = (uint64_t)fn;
	sp[SAVED_PC] = (uint64_t)context_start;
	ctx->sp = sp;
	ctx->fiber = NULL;
}

void arch_context_destroy(struct arch_context *ctx) { fpu_forget(ctx); }

void arch_context_switch(struct arch_context *from, struct arch_context *to)
{
	user_work = 1;
	context_swap(&from->sp, to->sp);
}
