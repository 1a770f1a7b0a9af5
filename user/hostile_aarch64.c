/*
 * hostile_aarch64.c - the processor's tricks against the kernel: system registers,
 * privileged instructions, the kernel's half of the address space, odd stacks and spoiled
 * signal frames. See hostile.h for what is checked. aarch64 only.
 */
#define _GNU_SOURCE
#include "hostile.h"

#include <ucontext.h>

#define DIRECT_MAP 0xffff000000000000UL
#define KERNEL_IMAGE 0xffffffffc0000000UL
#define DEVICES 0xffffffffc2000000UL
#define SIGRETURN_CODE 0xffffffffc21ff000UL /* user mode may read it, and nothing else */

/* --- privileged instructions --- */

/* Pairs of an instruction that must trap, and a return. */
__asm__(".text\n.balign 8\n"
	".macro must_trap op:vararg\n \\op\n ret\n.endm\n"
	".globl privileged_start, privileged_end\nprivileged_start:\n"
	"must_trap msr sctlr_el1, x0\n must_trap mrs x0, sctlr_el1\n must_trap msr ttbr0_el1, x0\n"
	"must_trap msr ttbr1_el1, x0\n must_trap mrs x0, ttbr1_el1\n must_trap msr tcr_el1, x0\n"
	"must_trap msr mair_el1, x0\n must_trap msr vbar_el1, x0\n must_trap msr elr_el1, x0\n"
	"must_trap msr spsr_el1, x0\n must_trap msr sp_el0, x0\n must_trap mrs x0, sp_el0\n"
	"must_trap msr cpacr_el1, x0\n must_trap msr tpidr_el1, x0\n must_trap mrs x0, tpidr_el1\n"
	"must_trap msr tpidrro_el0, x0\n must_trap msr contextidr_el1, x0\n must_trap mrs x0, far_el1\n"
	"must_trap mrs x0, esr_el1\n must_trap mrs x0, currentel\n must_trap msr spsel, #1\n"
	"must_trap msr daifset, #15\n must_trap msr daifclr, #15\n must_trap mrs x0, daif\n"
	"must_trap msr cntkctl_el1, x0\n must_trap msr cntv_ctl_el0, x0\n must_trap msr cntv_cval_el0, x0\n"
	"must_trap msr cntp_ctl_el0, x0\n must_trap msr cntfrq_el0, x0\n must_trap mrs x0, pmcr_el0\n"
	"must_trap msr pmuserenr_el0, x0\n must_trap msr mdscr_el1, x0\n must_trap msr oslar_el1, x0\n"
	"must_trap msr hcr_el2, x0\n must_trap msr vbar_el2, x0\n must_trap msr elr_el2, x0\n"
	"must_trap msr scr_el3, x0\n must_trap tlbi vmalle1\n must_trap tlbi aside1, x0\n must_trap ic iallu\n"
	"must_trap dc isw, x0\n must_trap dc cisw, x0\n must_trap dc ivac, x0\n must_trap at s1e1r, x0\n"
	"must_trap eret\n must_trap hvc #0\n must_trap smc #0\n must_trap hlt #0xf000\n"
	"must_trap mrs x0, s3_0_c12_c12_0\n must_trap msr s3_0_c12_c12_1, x0\n must_trap msr s3_0_c4_c6_0, x0\n"
	"must_trap .inst 0xd500409f\n must_trap udf #0\n"
	"privileged_end:\n");
extern char privileged_start[], privileged_end[];

static void attack_privileged_instructions(void)
{
	catch_probes();
	for (char *volatile at = privileged_start; at < privileged_end; at += 8) {
		unsigned long (*code)(unsigned long) = (unsigned long (*)(unsigned long))at;

		for (volatile unsigned long x0 = 0; x0 != 3; x0++)
			if (sigsetjmp(probe_escape, 0) == 0) {
				code(x0 == 2 ? ~0UL : x0);
				escaped("instruction", (at - privileged_start) / 8);
			}
	}
}

static void run_random_code(unsigned long seed)
{
	unsigned int *code = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < PAGE / 4; i++) {
		seed = seed * 6364136223846793005UL + 1442695040888963407UL;
		code[i] = (unsigned int)(seed >> 33);
		if (i % 3 == 0) /* system instructions */
			code[i] = (code[i] & 0x3fffff) | 0xd5000000;
	}
	__builtin___clear_cache((char *)code, (char *)code + PAGE);
	for (unsigned int *volatile start = code; start < code + PAGE / 4; start++) {
		catch_probes();
		if (sigsetjmp(probe_escape, 0) == 0)
			((void (*)(void))start)();
	}
}

static void attack_random_code(void)
{
	for (unsigned long seed = 1; seed < 40; seed++)
		in_victimless_child(run_random_code, seed, 100);
}

/* --- the kernel's memory --- */

/* Each way of touching memory at x0. */
__asm__(".balign 8\n"
	".globl touch_start, touch_end\ntouch_start:\n"
	"ldr x1, [x0]\n ret\n str x1, [x0]\n ret\n ldxr x1, [x0]\n ret\n ldtr x1, [x0]\n ret\n sttr x1, [x0]\n ret\n"
	"dc zva, x0\n ret\n br x0\n ret\n"
	"touch_end:\n");
extern char touch_start[], touch_end[];

static void touch(unsigned long address)
{
	if (sigsetjmp(probe_escape, 0) == 0) /* QEMU lets these pass, and does nothing */
		__asm__ volatile("dc civac, %0\n dc cvau, %0\n ic ivau, %0" : : "r"(address) : "memory");
	for (char *volatile at = touch_start; at < touch_end; at += 8) {
		void (*code)(unsigned long) = (void (*)(unsigned long))at;

		if (sigsetjmp(probe_escape, 0) != 0)
			continue;
		code(address);
		escaped("kernel memory touched", (at - touch_start) / 8);
	}
}

static void attack_kernel_memory(void)
{
	static const unsigned long bases[] = {DIRECT_MAP, DIRECT_MAP + 0x08000000, DIRECT_MAP + 0x40000000,
					      DIRECT_MAP + 0x40200000, DIRECT_MAP + 0x48000000, KERNEL_IMAGE,
					      KERNEL_IMAGE + 0x40000, KERNEL_IMAGE + 0x80000, DEVICES, DEVICES + PAGE,
					      0xffffffffc1000000UL, 0xff55000000000000UL, 0x0001000000000000UL};

	catch_probes();
	for (size_t i = 0; i < COUNT_OF(bases); i++)
		for (unsigned long offset = 0; offset < 16 * PAGE; offset += PAGE + 8)
			touch(bases[i] + offset);
	for (size_t i = 0; i < COUNT_OF(wild_addresses); i++)
		if (wild_addresses[i] > 1UL << 48)
			touch(wild_addresses[i] & ~7UL);
	if (sigsetjmp(probe_escape, 0) == 0) {
		*(volatile int *)(SIGRETURN_CODE + 64) = 1;
		escaped("code of the kernel written", 0);
	}
}

/* System calls with pointers into the kernel's half, plain and through the top byte. */
static void attack_kernel_pointers(void)
{
	static const unsigned long pointers[] = {DIRECT_MAP + 0x40200000, KERNEL_IMAGE, DEVICES, SIGRETURN_CODE,
						 0x00ff000040200000UL, ~0UL - 7};
	int fds[2];

	if (pipe(fds) != 0)
		return;
	for (size_t i = 0; i < COUNT_OF(pointers); i++) {
		if (write(fds[1], (void *)pointers[i], 8) > 0)
			escaped("kernel memory written to a pipe", (long)i);
		if (write(fds[1], "12345678", 8) == 8 && read(fds[0], (void *)pointers[i], 8) > 0)
			escaped("kernel memory read into", (long)i);
		mmap((void *)pointers[i], PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		munmap((void *)pointers[i], PAGE);
		mprotect((void *)(pointers[i] & ~(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE);
	}
}

/* --- stacks --- */

static void wild_stack(unsigned long sp)
{
	__asm__ volatile("mov sp, %0\n mov x8, #172\n svc #0\n mov x0, #0\n mov x1, #10\n mov x8, #129\n svc #0\n"
			 "str x0, [sp, #-16]!\n 1: b 1b" : : "r"(sp) : "memory", "x0", "x1", "x8");
}

static void attack_stacks(void)
{
	for (size_t i = 0; i < COUNT_OF(wild_addresses); i++)
		in_victimless_child(wild_stack, wild_addresses[i], 50);
	in_victimless_child(wild_stack, DIRECT_MAP + 0x40200000, 50);
	in_victimless_child(wild_stack, KERNEL_IMAGE + 0x1000, 50);
}

/* --- signal frames --- */

static unsigned long spoil;

static void spoil_frame(int number, siginfo_t *info, void *context)
{
	mcontext_t *mc = &((ucontext_t *)context)->uc_mcontext;
	struct fpsimd_context *fp = (void *)mc->__reserved;

	(void)number, (void)info;
	if (spoil < 32)
		mc->pstate |= 1UL << spoil;
	else if (spoil < 64)
		mc->pstate ^= spoil - 32;
	else if (spoil == 64)
		mc->pstate = ~0UL;
	else if (spoil == 65)
		mc->pc = KERNEL_IMAGE;
	else if (spoil == 66)
		mc->sp = DIRECT_MAP + 0x40200000;
	else if (spoil == 67)
		fp->fpcr = fp->fpsr = ~0u;
	else if (spoil == 68)
		fp->head.magic = 0;
	else if (spoil == 69)
		fp->head.size = ~0u;
	else if (spoil == 70)
		memset(mc, 0xff, sizeof *mc);
	else if (spoil == 71)
		memset(context, 0xff, sizeof(ucontext_t));
}

static void return_by_spoiled_frame(unsigned long variant)
{
	struct sigaction action = {.sa_sigaction = spoil_frame, .sa_flags = SA_SIGINFO};
	unsigned long level = 0;

	spoil = variant;
	sigaction(SIGUSR1, &action, NULL);
	raise(SIGUSR1);
	catch_probes();
	if (sigsetjmp(probe_escape, 0) == 0) {
		__asm__ volatile("mrs %0, currentel" : "=r"(level));
		escaped("exception level", (long)level);
	}
	if (sigsetjmp(probe_escape, 0) == 0) {
		__asm__ volatile("mrs %0, daif" : "=r"(level));
		escaped("interrupt masks", (long)level);
	}
	for (volatile long i = 0; i < 3000000; i++)
		; /* time is to be taken from us */
}

static void attack_signal_frames(void)
{
	for (unsigned long variant = 0; variant < 72; variant++)
		in_victimless_child(return_by_spoiled_frame, variant, 200);
}

/* rt_sigreturn with whatever lies on the stack, also by way of the kernel's own code. */
static void return_without_frame(unsigned long from_kernel_page)
{
	void (*code)(void) = (void (*)(void))SIGRETURN_CODE;

	if (from_kernel_page)
		code();
	__asm__ volatile("mov x8, #139\n svc #0" : : : "x8", "x0", "memory");
}

static void attack_sigreturn(void)
{
	in_victimless_child(return_without_frame, 0, 100);
	in_victimless_child(return_without_frame, 1, 100);
}

static void wild_thread_pointer(unsigned long tp)
{
	__asm__ volatile("msr tpidr_el0, %0\n mov x8, #172\n svc #0\n 1: b 1b" : : "r"(tp) : "memory", "x0", "x8");
}

static void attack_thread_pointer(void)
{
	for (size_t i = 0; i < COUNT_OF(wild_addresses); i++)
		in_victimless_child(wild_thread_pointer, wild_addresses[i], 20);
}

static void attack_loops(void)
{
	/* Loops that never call: plain, with exclusives, waiting for events. */
	for (int i = 0; i < 6; i++)
		if (fork() == 0) {
			if (i % 3 == 0)
				__asm__ volatile("1: b 1b");
			if (i % 3 == 1)
				__asm__ volatile("1: ldxr x0, [sp]\n b 1b" : : : "x0");
			__asm__ volatile("1: wfe\n wfi\n b 1b");
		}
	sleep_ms(300);
}

static const struct attack attacks[] = {
	{"privileged-instructions", attack_privileged_instructions, 0},
	{"random-code", attack_random_code, 1},
	{"kernel-memory", attack_kernel_memory, 0},
	{"kernel-pointers", attack_kernel_pointers, 0},
	{"stacks", attack_stacks, 0},
	{"signal-frames", attack_signal_frames, 0},
	{"sigreturn", attack_sigreturn, 0},
	{"thread-pointer", attack_thread_pointer, 0},
	{"loops", attack_loops, 0},
};

int main(int argc, char **argv) { return hostile_main(argc, argv, attacks, COUNT_OF(attacks)); }
