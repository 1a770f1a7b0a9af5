/*
 * What of user mode stays in the CPU while the kernel runs: floating-point and vector registers (the kernel has no
 * use for them), and the FS and GS bases, which user mode can change where there is FSGSBASE.
 *
 * `live` is the task whose registers the CPU holds. They are saved when another task enters user mode, or
 * when somebody asks (arch_fpu_save); loaded when a task enters user mode that is not live. So a
 * task that ends saves nothing, and the idle task in between costs nothing. All of it happens in user_resume(),
 * called on the way to user mode when user_work is set.
 *
 * The image is XSAVE's standard format with what Linux writes into signal frames around it: the words
 * at FX_SW_RESERVED, and a magic number after the image. Without XSAVE: FXSAVE's 512 bytes.
 */
#include "arch/machine.h"
#include "boot.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "sched/task.h"

#define STATE_X87_SSE UINT64_C(0x03)
#define STATE_AVX UINT64_C(0x04)
#define STATE_AVX512 UINT64_C(0xe0)
#define IMAGE_BYTES_MAX 4096u

#define FX_BYTES 512u
#define FX_CONTROL_INITIAL 0x37fu
#define FX_MXCSR 24u
#define FX_MXCSR_INITIAL 0x1f80u
#define FX_MXCSR_MASK 28u
#define FX_MXCSR_MASK_DEFAULT 0xffbfu
#define XSAVE_HEADER_BYTES 64u /* behind these: the components, then zeros */
#define FX_SW_RESERVED 464u
#define FX_SW_BYTES 48u
#define FX_SW_MAGIC1 0x46505853u
#define FX_SW_MAGIC2 0x46505845u

#define USER_ADDRESS_BITS 47

/* Linux's struct _fpx_sw_bytes. */
struct sw_bytes {
	uint32_t magic1, extended_size;
	uint64_t components;
	uint32_t xstate_size, padding[7];
};
_Static_assert(sizeof(struct sw_bytes) == FX_SW_BYTES, "XSAVE's software area");

static char initial[IMAGE_BYTES_MAX] __attribute__((aligned(64)));
static uint64_t components;   /* of XSAVE; 0: there is FXSAVE only */
static uint32_t xsave_bytes;  /* without the magic number after it */
static uint32_t image_bytes;

static struct task *live;
static bool live_is_saved;    /* task->fpu is as good as the registers, since user mode was left */

/* ---- instructions -------------------------------------------------------- */

/* All of them, whatever image holds, but for a header of zeros. */
static void registers_store(void *image)
{
	uint32_t low = (uint32_t)components, high = (uint32_t)(components >> 32);

	if (components != 0)
		__asm__ volatile("xsave64 (%0)" : : "r"(image), "a"(low), "d"(high) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(image) : "memory");
}

/* To where they were loaded from: what has not changed since may be left out. */
static void registers_save(void *image)
{
	uint32_t low = (uint32_t)components, high = (uint32_t)(components >> 32);

	if (cpu_features.has_xsaveopt)
		__asm__ volatile("xsaveopt64 (%0)" : : "r"(image), "a"(low), "d"(high) : "memory");
	else
		registers_store(image);
}

static void registers_load(const void *image)
{
	uint32_t low = (uint32_t)components, high = (uint32_t)(components >> 32);

	if (components != 0)
		__asm__ volatile("xrstor64 (%0)" : : "r"(image), "a"(low), "d"(high) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(image) : "memory");
}

static uint64_t user_base(uint64_t base) { return base >> USER_ADDRESS_BITS == 0 ? base : 0; }

static void bases_load(const struct trap_frame *f)
{
	uint64_t fs = user_base(f->fs_base), gs = user_base(f->gs_base);

	if (cpu_features.has_fsgsbase) {
		__asm__ volatile("wrfsbase %0; wrgsbase %1" : : "r"(fs), "r"(gs));
	} else {
		wrmsr(MSR_FS_BASE, fs);
		wrmsr(MSR_GS_BASE, gs);
	}
}

static void bases_save(struct trap_frame *f)
{
	if (cpu_features.has_fsgsbase) /* else only the kernel changes them */
		__asm__ volatile("rdfsbase %0; rdgsbase %1" : "=r"(f->fs_base), "=r"(f->gs_base));
}

/* ---- set-up -------------------------------------------------------------- */

static void choose_components(void)
{
	uint64_t supported = cpuid(13, 0).eax;

	components = STATE_X87_SSE | (supported & STATE_AVX);
	if ((components & STATE_AVX) != 0 && (supported & STATE_AVX512) == STATE_AVX512)
		components |= STATE_AVX512;
	__asm__ volatile("xsetbv" : : "c"(0), "a"((uint32_t)components), "d"((uint32_t)(components >> 32)));
	xsave_bytes = cpuid(13, 0).ebx;
	if (xsave_bytes + sizeof(uint32_t) > IMAGE_BYTES_MAX)
		boot_fail("the vector registers need too much memory");
}

void fpu_init(void)
{
	uint32_t magic2 = FX_SW_MAGIC2, mxcsr = FX_MXCSR_INITIAL;
	uint16_t control = FX_CONTROL_INITIAL;

	__asm__ volatile("fninit; fxsave64 %0" : "=m"(initial));
	memset(initial + FX_MXCSR_MASK + sizeof(uint32_t), 0, IMAGE_BYTES_MAX - FX_MXCSR_MASK - sizeof(uint32_t));
	memcpy(initial, &control, sizeof(control));
	memcpy(initial + FX_MXCSR, &mxcsr, sizeof(mxcsr));
	image_bytes = FX_BYTES;
	if (cpu_features.has_xsave) {
		choose_components();
		image_bytes = xsave_bytes + sizeof(magic2);
		memcpy(initial + FX_SW_RESERVED,
		       &(struct sw_bytes){FX_SW_MAGIC1, image_bytes, components, xsave_bytes, {0}}, FX_SW_BYTES);
		memcpy(initial + FX_BYTES, &(uint64_t){STATE_X87_SSE}, sizeof(uint64_t));
		memcpy(initial + xsave_bytes, &magic2, sizeof(magic2));
	}
	registers_load(initial);
}

/* ---- the contract -------------------------------------------------------- */

size_t arch_fpu_size(void) { return image_bytes; }

void arch_fpu_init(void *fpu) { memcpy(fpu, initial, image_bytes); }

void arch_fpu_save(struct task *task)
{
	if (task != live || live_is_saved)
		return;
	registers_save(task->fpu);
	bases_save(task->frame);
	live_is_saved = true;
	user_work = 1;
}

/* What a signal frame says of itself. */
static void describe(char *image)
{
	memcpy(image + FX_SW_RESERVED, initial + FX_SW_RESERVED, FX_SW_BYTES);
	if (components != 0)
		memcpy(image + xsave_bytes, initial + xsave_bytes, sizeof(uint32_t));
}

void arch_fpu_store(struct task *task, void *fpu)
{
	char *image = fpu;

	if (task != live || live_is_saved) {
		memcpy(image, task->fpu, image_bytes);
		return;
	}
	if (components != 0)
		memset(image + FX_BYTES, 0, XSAVE_HEADER_BYTES);
	registers_store(image);
	describe(image);
	bases_save(task->frame);
}

void arch_fpu_changed(struct task *task)
{
	if (live == task) {
		live = NULL;
		user_work = 1;
	}
	describe(task->fpu); /* the kernel's to say, not the user's */
}

bool arch_fpu_valid(const void *fpu)
{
	const char *image = fpu;
	const uint64_t *header = (const void *)(image + FX_BYTES);
	uint32_t mxcsr, mask;

	memcpy(&mxcsr, image + FX_MXCSR, sizeof(mxcsr));
	memcpy(&mask, initial + FX_MXCSR_MASK, sizeof(mask));
	if ((mxcsr & ~(mask != 0 ? mask : FX_MXCSR_MASK_DEFAULT)) != 0)
		return false;
	return components == 0 || ((header[0] & ~components) | header[1] | header[2] | header[3] | header[4] |
				   header[5] | header[6] | header[7]) == 0;
}

/* ---- on the way to user mode --------------------------------------------- */

void user_resume(struct trap_frame *frame)
{
	struct task *t = current_task();

	if (live != t) {
		if (live != NULL)
			arch_fpu_save(live);
		registers_load(t->fpu);
		bases_load(frame);
		live = t;
	}
	live_is_saved = false;
	user_frame = (uint64_t)frame;
	user_frame_end = (uint64_t)frame + FRAME_FS_BASE;
	user_work = 0;
}

void fpu_forget(const void *context)
{
	if (live != NULL && &live->context == context)
		live = NULL;
}
