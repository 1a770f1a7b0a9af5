/*
 * Back traces of frame allocations in debug builds (mm/frame_trace.h): a table beside the
 * frame metadata, which buddy.c places. A trace is taken by frame pointers, some 35 ns.
 *
 * Bounds of the walk: the current task's kernel stack; on any other stack (boot) steps of a
 * plausible size, upwards. A return address outside the kernel's own code ends it.
 * Lock: none; who hands a frame out or takes it back writes its entry.
 */
#include "mm/frame_trace.h"

#include "arch/machine.h"
#include "lib/assert.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "sched/task.h"

#ifdef LEVITATE_DEBUG

#define STEP_BYTES_MAX 16384u

/* The table begins where the metadata of the last possible frame ends. */
static struct frame_trace *trace_of(uint32_t n)
{
	return (struct frame_trace *)(void *)&frame_table_[frame_table_base_ + frame_span_max()] +
	       (n - frame_table_base_);
}

static uintptr_t kernel_code(void) { return (uintptr_t)&frame_trace_note; }

/* Where the stack that fp lies in ends, as far as that is known. */
static uintptr_t stack_end(uintptr_t fp)
{
	const struct task *t = current_task();
	uintptr_t bottom = t != NULL ? (uintptr_t)t->kernel_stack : 0;

	return bottom != 0 && fp - bottom < KERNEL_STACK_BYTES ? bottom + KERNEL_STACK_BYTES : UINTPTR_MAX;
}

__attribute__((noinline, no_sanitize_address)) void frame_trace_note(pfn_t first, uint32_t nr,
								       enum frame_event event)
{
	const uintptr_t *fp = __builtin_frame_address(0);
	uintptr_t end = stack_end((uintptr_t)fp);
	int32_t caller[FRAME_TRACE_DEPTH] = {0};

	for (unsigned i = 0; i < FRAME_TRACE_DEPTH; i++) {
		int64_t distance = (int64_t)(fp[1] - kernel_code());
		uintptr_t up = fp[0];

		if (distance != (int32_t)distance)
			break;
		caller[i] = (int32_t)distance;
		if (up <= (uintptr_t)fp || up - (uintptr_t)fp > STEP_BYTES_MAX || up >= end || up % sizeof(*fp) != 0)
			break;
		fp = (const uintptr_t *)up;
	}
	for (uint32_t i = 0; i < nr; i++)
		memcpy(trace_of(first.raw + i)->caller[event], caller, sizeof(caller));
}

void frame_trace_clear(uint32_t first, uint32_t nr) { memset(trace_of(first), 0, nr * sizeof(struct frame_trace)); }

void frame_trace_print(pfn_t pfn, enum frame_event event, const char *prefix)
{
	const int32_t *caller;
	char text[256];

	if (pfn.raw - frame_table_base_ >= frame_span())
		return;
	caller = trace_of(pfn.raw)->caller[event];
	if (caller[0] == 0)
		return;
	kprintf("%s%s by\n", prefix, event == FRAME_FREED ? "freed last" : "allocated");
	for (unsigned i = 0; i < FRAME_TRACE_DEPTH && caller[i] != 0; i++) {
		uintptr_t address = kernel_code() + (uintptr_t)(intptr_t)caller[i];

		/* The call stands before the address it returns to. */
		arch_symbolise(address - 1, text, sizeof(text));
		kprintf("%s  #%u %#lx %s\n", prefix, i, (unsigned long)address, text);
	}
}

#else

void frame_trace_print(pfn_t pfn, enum frame_event event, const char *prefix)
{
	(void)pfn, (void)event, (void)prefix;
}

#endif
