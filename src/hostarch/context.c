/*
 * Kernel contexts on the hosted machine: stacks in guest memory, switched by
 * arch_<arch>/context.S. The tools are told: Valgrind which memory is a stack,
 * AddressSanitizer which stack runs (its fiber interface).
 */
#include "arch/machine.h"
#include "hostarch/host.h"
#include "hostarch/tools.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "sched/cpu.h"

void context_swap(void **save_sp, void *to_sp);
void context_start(void);

/* What the tools need of one stack; hangs on arch_context.fiber. */
struct fiber {
	const void *bottom;
	size_t size_bytes;
	void (*fn)(void *arg);
	void *arg;
	unsigned valgrind_id;
	void *fake_stack;
	void *tsan_fiber;
	struct fiber *next_free;
};

static struct fiber *free_fibers;
static struct fiber boot_fiber;
static struct fiber *running = &boot_fiber;
struct cpu arch_boot_cpu;

static struct fiber *fiber_alloc(void)
{
	struct fiber *f = free_fibers;

	if (f == NULL) {
		const size_t bytes = 16 * PAGE_SIZE;

		f = host_pages_alloc(bytes);
		if (f == NULL)
			host_fail(125, "the host has no memory left");
		for (size_t i = 0; i < bytes / sizeof(*f); i++) {
			f[i].next_free = free_fibers;
			free_fibers = &f[i];
		}
		f = free_fibers;
	}
	free_fibers = f->next_free;
	*f = (struct fiber){0};
	return f;
}

/* First code on a new stack. */
static void fiber_main(void *arg)
{
	struct fiber *f = arg;

	tools_switch_finish(f->fake_stack, &boot_fiber.bottom, &boot_fiber.size_bytes);
	f->fn(f->arg);
	panic("a context function returned");
}

void arch_context_init(struct arch_context *ctx, void *stack, size_t size_bytes, void (*fn)(void *arg),
		       void *arg)
{
	struct fiber *f = fiber_alloc();
	uintptr_t top = ((uintptr_t)stack + size_bytes) & ~(uintptr_t)15;
	uint64_t *sp = (uint64_t *)top - 9; /* seven are popped: the stack is aligned in context_start */

	*f = (struct fiber){.bottom = stack, .size_bytes = size_bytes, .fn = fn, .arg = arg,
			    .valgrind_id = tools_stack_register(stack, size_bytes),
			    .tsan_fiber = tools_fiber_create()};
	memset(sp, 0, 9 * sizeof(*sp));
	sp[2] = (uintptr_t)f;          /* r13 */
	sp[3] = (uintptr_t)fiber_main; /* r12 */
	sp[6] = (uintptr_t)context_start;
	ctx->sp = sp;
	ctx->fiber = f;
}

void arch_context_destroy(struct arch_context *ctx)
{
	struct fiber *f = ctx->fiber;

	if (f == NULL)
		return;
	tools_stack_deregister(f->valgrind_id, f->bottom, f->size_bytes);
	tools_fiber_destroy(f->tsan_fiber);
	f->next_free = free_fibers;
	free_fibers = f;
	ctx->fiber = NULL;
}

/* ThreadSanitizer counts what stands behind tools_fiber_switch() as the next fiber's. */
__attribute__((no_sanitize_thread)) void arch_context_switch(struct arch_context *from, struct arch_context *to)
{
	struct fiber *me = running, *next = to->fiber != NULL ? to->fiber : &boot_fiber;

	running = next;
	if (me == &boot_fiber)
		boot_fiber.tsan_fiber = tools_fiber_current();
	tools_switch_start(&me->fake_stack, next->bottom, next->size_bytes);
	tools_fiber_switch(next->tsan_fiber);
	context_swap(&from->sp, to->sp);
	running = me;
	tools_switch_finish(me->fake_stack, NULL, NULL);
}
