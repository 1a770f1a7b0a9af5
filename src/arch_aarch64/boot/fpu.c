/*
 * Floating-point and vector state: V0 to V31, FPSR, FPCR. The kernel is compiled without these
 * registers, so they hold user state at all times: that of fpu_owner, the task that used them
 * last. User mode may touch them (CPACR_EL1.FPEN) only while its task is the owner; another
 * task's first use traps and swaps. Tasks that use none cost nothing.
 */
#include "boot.h"

#include "arch/machine.h"
#include "lib/string.h"
#include "sched/task.h"

/* src/arch_aarch64/signal.c knows this layout. */
struct fpu_image {
	uint8_t vregs[512];
	uint32_t fpsr, fpcr;
};

#define CPACR_TRAP_USER (UINT64_C(1) << 20)
#define CPACR_OPEN (UINT64_C(3) << 20)

static struct task *fpu_owner; /* NULL: the registers hold nothing of use */
static bool is_open;           /* as CPACR_EL1 says */

static void set_open(bool open)
{
	if (open == is_open)
		return;
	is_open = open;
	write_sysreg("cpacr_el1", open ? CPACR_OPEN : CPACR_TRAP_USER);
	isb();
}

#define FOR_EACH_PAIR(op)                                                                                              \
	op " q0, q1, [%0]\n\t" op " q2, q3, [%0, #32]\n\t" op " q4, q5, [%0, #64]\n\t" op " q6, q7, [%0, #96]\n\t"     \
	op " q8, q9, [%0, #128]\n\t" op " q10, q11, [%0, #160]\n\t" op " q12, q13, [%0, #192]\n\t"                    \
	op " q14, q15, [%0, #224]\n\t" op " q16, q17, [%0, #256]\n\t" op " q18, q19, [%0, #288]\n\t"                  \
	op " q20, q21, [%0, #320]\n\t" op " q22, q23, [%0, #352]\n\t" op " q24, q25, [%0, #384]\n\t"                  \
	op " q26, q27, [%0, #416]\n\t" op " q28, q29, [%0, #448]\n\t" op " q30, q31, [%0, #480]\n\t"

static void save(struct fpu_image *to)
{
	uint64_t fpsr, fpcr;

	__asm__ volatile(".arch_extension fp\n\t.arch_extension simd\n\t" FOR_EACH_PAIR("stp")
			 "mrs %1, fpsr\n\tmrs %2, fpcr"
			 : "+r"(to), "=&r"(fpsr), "=&r"(fpcr) : : "memory");
	to->fpsr = (uint32_t)fpsr;
	to->fpcr = (uint32_t)fpcr;
}

static void load(const struct fpu_image *from)
{
	uint64_t fpsr = from->fpsr, fpcr = from->fpcr;

	__asm__ volatile(".arch_extension fp\n\t.arch_extension simd\n\t" FOR_EACH_PAIR("ldp")
			 "msr fpsr, %1\n\tmsr fpcr, %2"
			 : : "r"(from), "r"(fpsr), "r"(fpcr) : "memory");
}

void fpu_trap(void)
{
	struct task *me = current_task();

	if (fpu_owner != me) {
		if (fpu_owner != NULL)
			save(fpu_owner->fpu);
		load(me->fpu);
		fpu_owner = me;
	}
	set_open(true);
}

void fpu_task_switched(void) { set_open(fpu_owner != NULL && fpu_owner == current_task()); }

size_t arch_fpu_size(void) { return ALIGN_UP(sizeof(struct fpu_image), (size_t)16); }

void arch_fpu_init(void *fpu) { memset(fpu, 0, arch_fpu_size()); }

void arch_fpu_save(struct task *task)
{
	if (fpu_owner == task)
		save(task->fpu);
}

void arch_fpu_store(struct task *task, void *fpu)
{
	if (fpu_owner == task)
		save(fpu);
	else
		memcpy(fpu, task->fpu, sizeof(struct fpu_image));
}

void arch_fpu_changed(struct task *task)
{
	if (fpu_owner != task)
		return;
	fpu_owner = NULL;
	set_open(false);
}

/* Reserved bits of FPSR and FPCR have no effect. */
bool arch_fpu_valid(const void *fpu)
{
	(void)fpu;
	return true;
}

/* The task has ended: nobody will ask for what is left in the registers. */
void arch_context_destroy(struct arch_context *ctx)
{
	if (fpu_owner != NULL && ctx == &fpu_owner->context)
		arch_fpu_changed(fpu_owner);
}
