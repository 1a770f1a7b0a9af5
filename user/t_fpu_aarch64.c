/*
 * t_fpu_aarch64.c - registers across system calls, slices of time, threads,
 * signals and fork; what an exception tells its handler. aarch64 only.
 */
#define _GNU_SOURCE
#include "check.h"

#include <setjmp.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>

struct vectors {
	unsigned char v[32][16];
	unsigned long fpcr, fpsr;
};

#define ROUND_UP (1UL << 22)
#define FPSR_SATURATED (1UL << 27)

static void fill(struct vectors *v, int seed)
{
	for (size_t i = 0; i < sizeof v->v; i++)
		v->v[i / 16][i % 16] = (unsigned char)(seed * 37 + (int)i * 11);
	v->fpcr = seed % 2 ? ROUND_UP : 0;
	v->fpsr = seed % 3 ? FPSR_SATURATED : 0;
}

static int same(const struct vectors *a, const struct vectors *b) { return memcmp(a, b, sizeof *a) == 0; }

#define ALL(op, at)                                                                                          \
	op " q0, q1, [" at "]\n" op " q2, q3, [" at ", #32]\n" op " q4, q5, [" at ", #64]\n"                 \
	op " q6, q7, [" at ", #96]\n" op " q8, q9, [" at ", #128]\n" op " q10, q11, [" at ", #160]\n"        \
	op " q12, q13, [" at ", #192]\n" op " q14, q15, [" at ", #224]\n" op " q16, q17, [" at ", #256]\n"   \
	op " q18, q19, [" at ", #288]\n" op " q20, q21, [" at ", #320]\n" op " q22, q23, [" at ", #352]\n"   \
	op " q24, q25, [" at ", #384]\n" op " q26, q27, [" at ", #416]\n" op " q28, q29, [" at ", #448]\n"   \
	op " q30, q31, [" at ", #480]\n"
#define LOAD ALL("ldp", "%[in]") "ldr x9, [%[in], #512]\n ldr x10, [%[in], #520]\n msr fpcr, x9\n msr fpsr, x10\n"
#define STORE                                                                                                \
	ALL("stp", "%[out]") "mrs x9, fpcr\n mrs x10, fpsr\n"                                            \
				"str x9, [%[out], #512]\n str x10, [%[out], #520]\n msr fpcr, xzr\n"
#define CLOBBERS                                                                                             \
	"x9", "x10", "memory", "cc", "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v8", "v9", "v10",      \
		"v11", "v12", "v13", "v14", "v15", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23",   \
		"v24", "v25", "v26", "v27", "v28", "v29", "v30", "v31"

/* Load all vector registers, make one system call, store them. Its result. */
static long call_with_vectors(long number, const struct vectors *in, struct vectors *out)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = 0;
	register long x1 __asm__("x1") = 0;
	register long x2 __asm__("x2") = 0;

	__asm__ volatile(LOAD "svc #0\n" STORE
			 : "+r"(x0)
			 : [in] "r"(in), [out] "r"(out), "r"(x8), "r"(x1), "r"(x2)
			 : CLOBBERS);
	return x0;
}

/* Load them, loop without a call until *stop is not zero, store them. */
static void spin_with_vectors(const struct vectors *in, struct vectors *out, volatile int *stop)
{
	__asm__ volatile(LOAD "1: ldr w9, [%[stop]]\n cbz w9, 1b\n" STORE
			 :
			 : [in] "r"(in), [out] "r"(out), [stop] "r"(stop)
			 : CLOBBERS);
}

/* --- system calls --- */

/* x1 to x28, as far as the compiler lets go of them. */
static int registers_changed(long number)
{
	int changed;

	__asm__ volatile("mov x8, %[number]\n mov x0, #0\n mov x1, #101\n mov x2, #102\n mov x3, #103\n"
			 "mov x4, #104\n mov x5, #105\n mov x6, #106\n mov x7, #107\n mov x11, #111\n"
			 "mov x16, #116\n mov x17, #117\n mov x20, #120\n mov x28, #128\n"
			 "svc #0\n mov w9, #0\n"
			 "cmp x1, #101\n cinc w9, w9, ne\n cmp x2, #102\n cinc w9, w9, ne\n"
			 "cmp x3, #103\n cinc w9, w9, ne\n cmp x4, #104\n cinc w9, w9, ne\n"
			 "cmp x5, #105\n cinc w9, w9, ne\n cmp x6, #106\n cinc w9, w9, ne\n"
			 "cmp x7, #107\n cinc w9, w9, ne\n cmp x11, #111\n cinc w9, w9, ne\n"
			 "cmp x16, #116\n cinc w9, w9, ne\n cmp x17, #117\n cinc w9, w9, ne\n"
			 "cmp x20, #120\n cinc w9, w9, ne\n cmp x28, #128\n cinc w9, w9, ne\n"
			 "mov %w[changed], w9"
			 : [changed] "=r"(changed)
			 : [number] "r"(number)
			 : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x11", "x16", "x17", "x20",
			   "x28", "memory", "cc");
	return changed;
}

static void test_system_calls(void)
{
	static const long numbers[] = {SYS_getpid, SYS_gettid, SYS_sched_yield, SYS_getppid};
	struct vectors in, out;
	int wrong = 0, wrong_vectors = 0;

	for (int round = 0; round < 100; round++) {
		wrong += registers_changed(numbers[round % 4]);
		fill(&in, round);
		call_with_vectors(numbers[round % 4], &in, &out);
		wrong_vectors += !same(&in, &out);
	}
	show("general registers changed by a call", wrong);
	show("calls that changed vector registers", wrong_vectors);
	show("unknown call", call_with_vectors(9999, &in, &out));
	show("call -1", call_with_vectors(-1, &in, &out));
}

/* --- slices of time: test_preemption(), test_threads() --- */

#include "spin.h"

/* --- signals --- */

static volatile int signal_stop;
static int wants_edit;

static struct fpsimd_context *fpsimd_of(void *context)
{
	struct _aarch64_ctx *head = (void *)((ucontext_t *)context)->uc_mcontext.__reserved;

	return head->magic == FPSIMD_MAGIC && head->size == sizeof(struct fpsimd_context) ? (void *)head : NULL;
}

static void clobber_vectors(int number, siginfo_t *info, void *context)
{
	struct vectors other, out;
	struct fpsimd_context *fp = fpsimd_of(context);

	(void)number, (void)info;
	fill(&other, 201);
	call_with_vectors(SYS_getpid, &other, &out);
	if (fp == NULL)
		say("no vector registers in the frame\n");
	else if (wants_edit)
		memset(&fp->vregs[7], 0x77, 16);
	signal_stop = 1;
}

static void test_signals(void)
{
	struct sigaction action = {.sa_sigaction = clobber_vectors, .sa_flags = SA_SIGINFO};
	struct itimerval in_20_ms = {.it_value = {.tv_usec = 20000}};
	struct vectors in, out;

	sigaction(SIGALRM, &action, NULL);
	for (wants_edit = 0; wants_edit < 2; wants_edit++) {
		fill(&in, 91 + wants_edit);
		signal_stop = 0;
		setitimer(ITIMER_REAL, &in_20_ms, NULL);
		spin_with_vectors(&in, &out, &signal_stop);
		if (!wants_edit) {
			show_true("vectors survive a handler", same(&in, &out));
			continue;
		}
		memset(in.v[7], 0x77, 16);
		show_true("a handler's edit of the frame arrives", same(&in, &out));
	}
}

/* --- fork --- */

/* Not the C library's: it would use the vectors itself. */
static long fork_with_vectors(const struct vectors *in, struct vectors *out)
{
	register long x8 __asm__("x8") = SYS_clone;
	register long x0 __asm__("x0") = SIGCHLD;
	register long x1 __asm__("x1") = 0;
	register long x2 __asm__("x2") = 0;
	register long x3 __asm__("x3") = 0;
	register long x4 __asm__("x4") = 0;

	__asm__ volatile(LOAD "svc #0\n" STORE
			 : "+r"(x0)
			 : [in] "r"(in), [out] "r"(out), "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4)
			 : CLOBBERS);
	return x0;
}

static void test_fork(void)
{
	struct vectors in, out;
	long pid;

	fill(&in, 7);
	pid = fork_with_vectors(&in, &out);
	if (pid == 0)
		_exit(same(&in, &out) ? 0 : 1);
	show_true("the parent of a fork keeps its vectors", same(&in, &out));
	show_status("the child has them too", reap((pid_t)pid));
}

/* --- exceptions --- */

static sigjmp_buf escape;
static void *volatile expected_address;

static void on_exception(int number, siginfo_t *info, void *context)
{
	(void)context;
	say("signal %d code %d address %s\n", number, info->si_code,
	    info->si_addr == expected_address ? "as expected" : "WRONG");
	siglongjmp(escape, 1);
}

/* Calls code at an address; expected: the address that the signal must name. */
static void try_code(const char *what, void (*code)(void), void *expected)
{
	expected_address = expected;
	say("%s: ", what);
	if (sigsetjmp(escape, 1) == 0) {
		code();
		say("nothing\n");
	}
}

__asm__(".text\n.balign 4\n.globl undefined, breakpoint, privileged\n"
	"undefined: udf #1\nbreakpoint: brk #3\nprivileged: mrs x0, sctlr_el1\n");
extern void undefined(void), breakpoint(void), privileged(void);

static void test_exceptions(void)
{
	struct sigaction action = {.sa_sigaction = on_exception, .sa_flags = SA_SIGINFO};
	void (*odd)(void);
	uintptr_t address = (uintptr_t)undefined + 2;
	int numbers[] = {SIGILL, SIGTRAP, SIGBUS, SIGSEGV};

	for (size_t i = 0; i < COUNT_OF(numbers); i++)
		sigaction(numbers[i], &action, NULL);
	memcpy(&odd, &address, sizeof odd);
	try_code("undefined instruction", undefined, (void *)undefined);
	try_code("breakpoint", breakpoint, (void *)breakpoint);
	try_code("privileged instruction", privileged, (void *)privileged);
	try_code("odd program counter", odd, (void *)address);
	address = (uintptr_t)bad_address;
	memcpy(&odd, &address, sizeof odd);
	try_code("jump to nowhere", odd, bad_address);
}

int main(void)
{
	test_system_calls();
	test_preemption();
	test_threads();
	test_signals();
	test_fork();
	test_exceptions();
	return 0;
}
