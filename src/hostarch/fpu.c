/*
 * Floating-point state. The live state of the task that ran last in a stub lies
 * in the stub's signal frame, in the shared area, in the very layout of
 * task->fpu; it is copied only when someone asks, when another task runs in the
 * stub, and after each trap of a task that shares its address space (so that a
 * task that ends leaves nothing to be saved later).
 */
#include "hostarch/fpu.h"

#include "hostarch/stubs.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "sched/task.h"

/* The XSAVE image (Intel SDM 1, 13.4): legacy area, header, components. */
#define FX_MXCSR 24u
#define FX_MXCSR_MASK 28u
#define FX_SW_RESERVED 464u
#define FX_SW_BYTES 48u
#define XSAVE_HEADER 512u
#define MXCSR_MASK_DEFAULT 0xffbfu

size_t arch_fpu_size(void) { return xstate_bytes; }

void arch_fpu_init(void *fpu) { memcpy(fpu, xstate_initial, xstate_bytes); }

void arch_fpu_save(struct task *task)
{
	struct stub *s = (struct stub *)task->machine;

	if (s == NULL || s->fpu_owner != task || s->fpu_is_saved)
		return;
	memcpy(task->fpu, stub_shared(s, s->fpu_offset), xstate_bytes);
	s->fpu_is_saved = true;
}

void arch_fpu_store(struct task *task, void *fpu)
{
	struct stub *s = (struct stub *)task->machine;
	bool is_live = s != NULL && s->fpu_owner == task && !s->fpu_is_saved;

	memcpy(fpu, is_live ? stub_shared(s, s->fpu_offset) : task->fpu, xstate_bytes);
}

void arch_fpu_changed(struct task *task)
{
	struct stub *s = (struct stub *)task->machine;

	if (s != NULL && s->fpu_owner == task)
		s->fpu_owner = NULL;
	task->machine = 0;
	/* What a signal frame says of itself is the host's to say. */
	memcpy((char *)task->fpu + FX_SW_RESERVED, xstate_initial + FX_SW_RESERVED, FX_SW_BYTES);
	memcpy((char *)task->fpu + xstate_bytes - 4, xstate_initial + xstate_bytes - 4, 4);
}

bool arch_fpu_valid(const void *fpu)
{
	const char *image = fpu;
	uint32_t mxcsr, mask;
	uint64_t header[8];

	memcpy(&mxcsr, image + FX_MXCSR, sizeof(mxcsr));
	memcpy(&mask, xstate_initial + FX_MXCSR_MASK, sizeof(mask));
	memcpy(header, image + XSAVE_HEADER, sizeof(header));
	if ((mxcsr & ~(mask != 0 ? mask : MXCSR_MASK_DEFAULT)) != 0 || (header[0] & ~xstate_mask) != 0)
		return false;
	for (unsigned i = 1; i < 8; i++)
		if (header[i] != 0)
			return false;
	return true;
}

void fpu_load(struct stub *s, struct task *t)
{
	if (s->fpu_owner != t || t->machine != (uintptr_t)s) {
		memcpy(stub_shared(s, s->fpu_offset), t->fpu, xstate_bytes);
		s->fpu_owner = t;
		t->machine = (uintptr_t)s;
	}
	s->fpu_is_saved = false;
}

void fpu_trapped(struct task *t)
{
	if (t->aspace->refs > 1)
		arch_fpu_save(t);
}
