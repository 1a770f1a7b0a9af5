/*
 * t_fpu_x86_64.c - registers: general, SSE, AVX, x87, flags, segment bases. Kept
 * over system calls, time slices, signals and fork; changed by a handler where it
 * asks for it; and the processor's exceptions as signals. x86_64 only.
 */
#define _GNU_SOURCE
#include "check.h"

#include <asm/prctl.h>
#include <cpuid.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>

/* All vector registers as the widest that this processor has (0: SSE, 1: AVX). */
struct vectors {
	unsigned char bytes[16][32];
} __attribute__((aligned(64)));

static int has_avx;

static void find_avx(void)
{
	unsigned int a, b, c, d, low, high;

	if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_AVX))
		return;
	__asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
	has_avx = (low & 6) == 6;
}

static void fill(struct vectors *v, int seed)
{
	for (int i = 0; i < 16; i++)
		for (int j = 0; j < 32; j++)
			v->bytes[i][j] = (unsigned char)(seed * 37 + i * 16 + j);
}

static int same(const struct vectors *a, const struct vectors *b)
{
	int wrong = 0;

	for (int i = 0; i < 16; i++)
		wrong += memcmp(a->bytes[i], b->bytes[i], has_avx ? 32 : 16) != 0;
	return wrong == 0;
}

#define SSE_LIST(op)                                                                                         \
	op(0) op(1) op(2) op(3) op(4) op(5) op(6) op(7) op(8) op(9) op(10) op(11) op(12) op(13) op(14) op(15)
#define LOAD_SSE(n) "movdqu " #n "*32(%[in]), %%xmm" #n "\n"
#define STORE_SSE(n) "movdqu %%xmm" #n ", " #n "*32(%[out])\n"
#define LOAD_AVX(n) "vmovdqu " #n "*32(%[in]), %%ymm" #n "\n"
#define STORE_AVX(n) "vmovdqu %%ymm" #n ", " #n "*32(%[out])\n"
#define CLOBBERS                                                                                             \
	"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",    \
		"xmm12", "xmm13", "xmm14", "xmm15", "rcx", "r11", "memory", "cc"

/* Load all vector registers, make one system call, store them. Its result. */
static long call_with_vectors(long number, const struct vectors *in, struct vectors *out)
{
	long result = number;

	if (has_avx)
		__asm__ volatile(SSE_LIST(LOAD_AVX) "syscall\n" SSE_LIST(STORE_AVX) "vzeroupper\n"
				 : "+a"(result)
				 : [in] "r"(in), [out] "r"(out), "D"(0L), "S"(0L), "d"(0L)
				 : CLOBBERS);
	else
		__asm__ volatile(SSE_LIST(LOAD_SSE) "syscall\n" SSE_LIST(STORE_SSE)
				 : "+a"(result)
				 : [in] "r"(in), [out] "r"(out), "D"(0L), "S"(0L), "d"(0L)
				 : CLOBBERS);
	return result;
}

/* Load them, loop without a call until *stop is not zero, store them. */
static void spin_with_vectors(const struct vectors *in, struct vectors *out, volatile int *stop)
{
	if (has_avx)
		__asm__ volatile(SSE_LIST(LOAD_AVX) "1: pause\ncmpl $0, (%[stop])\nje 1b\n" SSE_LIST(
					 STORE_AVX) "vzeroupper\n"
				 :
				 : [in] "r"(in), [out] "r"(out), [stop] "r"(stop)
				 : CLOBBERS);
	else
		__asm__ volatile(
			SSE_LIST(LOAD_SSE) "1: pause\ncmpl $0, (%[stop])\nje 1b\n" SSE_LIST(STORE_SSE)
			:
			: [in] "r"(in), [out] "r"(out), [stop] "r"(stop)
			: CLOBBERS);
}

/* --- system calls --- */

struct registers {
	unsigned long rbx, rdx, rsi, rdi, r8, r9, r10, r12, r13, r14, r15;
};

static void call_with_registers(long number, struct registers *r)
{
	__asm__ volatile("push %%rbp\n"
			 "mov %[r], %%rbp\n"
			 "mov 0(%%rbp), %%rbx\n mov 8(%%rbp), %%rdx\n mov 16(%%rbp), %%rsi\n"
			 "mov 24(%%rbp), %%rdi\n mov 32(%%rbp), %%r8\n mov 40(%%rbp), %%r9\n"
			 "mov 48(%%rbp), %%r10\n mov 56(%%rbp), %%r12\n mov 64(%%rbp), %%r13\n"
			 "mov 72(%%rbp), %%r14\n mov 80(%%rbp), %%r15\n"
			 "syscall\n"
			 "mov %%rbx, 0(%%rbp)\n mov %%rdx, 8(%%rbp)\n mov %%rsi, 16(%%rbp)\n"
			 "mov %%rdi, 24(%%rbp)\n mov %%r8, 32(%%rbp)\n mov %%r9, 40(%%rbp)\n"
			 "mov %%r10, 48(%%rbp)\n mov %%r12, 56(%%rbp)\n mov %%r13, 64(%%rbp)\n"
			 "mov %%r14, 72(%%rbp)\n mov %%r15, 80(%%rbp)\n"
			 "pop %%rbp\n"
			 : "+a"(number), [r] "+c"(r)
			 :
			 : "rbx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
			   "memory", "cc");
}

static void test_system_calls(void)
{
	static const long numbers[] = {SYS_getpid, SYS_gettid, SYS_sched_yield, SYS_getppid};
	struct vectors in, out;
	struct registers r;
	unsigned long values[11];
	int wrong = 0, wrong_vectors = 0;

	for (int round = 0; round < 100; round++) {
		for (size_t i = 0; i < COUNT_OF(values); i++)
			values[i] = 0x0123456789abcdefUL * (i + 1) + (unsigned long)round;
		memcpy(&r, values, sizeof r);
		call_with_registers(numbers[round % 4], &r);
		wrong += memcmp(&r, values, sizeof r) != 0;
		fill(&in, round);
		call_with_vectors(numbers[round % 4], &in, &out);
		wrong_vectors += !same(&in, &out);
	}
	show("general registers changed by a call", wrong);
	show("vector registers changed by a call", wrong_vectors);
	long number = SYS_getpid, unknown = 9999;
	unsigned char carry, overflow;
	__asm__ volatile("mov $0x7fffffff, %%edx\n addl $1, %%edx\n stc\n syscall\n setc %0\n seto %1"
			 : "=r"(carry), "=r"(overflow), "+a"(number)
			 :
			 : "rcx", "rdx", "r11", "cc", "memory");
	say("flags after a call: carry %d overflow %d\n", carry, overflow);
	__asm__ volatile("syscall" : "+a"(unknown) : : "rcx", "r11", "memory");
	show("unknown call", unknown);
	unknown = -1;
	__asm__ volatile("syscall" : "+a"(unknown) : : "rcx", "r11", "memory");
	show("call -1", unknown);
}

/* --- slices of time: test_preemption(), test_threads() --- */

#include "spin.h"

/* --- signals --- */

static volatile int stop, direction_in_handler, frame_holds, aligned;
static int change_frame;
static struct vectors expected;

static void clobber_vectors(int number, siginfo_t *info, void *context)
{
	struct vectors other, out;
	ucontext_t *uc = context;
	unsigned long flags, sp;

	(void)number;
	(void)info;
	__asm__ volatile("pushfq\n pop %0\n mov %%rsp, %1" : "=r"(flags), "=r"(sp));
	direction_in_handler = (flags >> 10) & 1;
	aligned = ((uintptr_t)__builtin_frame_address(0) & 15) == 0;
	frame_holds = uc->uc_mcontext.fpregs != NULL &&
		      memcmp(&uc->uc_mcontext.fpregs->_xmm[3], expected.bytes[3], 16) == 0;
	fill(&other, 200);
	call_with_vectors(SYS_getpid, &other, &out);
	if (change_frame)
		memset(&uc->uc_mcontext.fpregs->_xmm[3], 0x99, 16);
	stop = 1;
}

static void arm(int ms)
{
	struct itimerval timer = {.it_value.tv_usec = ms * 1000};

	setitimer(ITIMER_REAL, &timer, NULL);
}

static void test_signals(void)
{
	struct sigaction action = {.sa_sigaction = clobber_vectors, .sa_flags = SA_SIGINFO};
	struct vectors out;
	unsigned long below = 0, flags;

	sigaction(SIGALRM, &action, NULL);
	fill(&expected, 7);
	arm(30);
	spin_with_vectors(&expected, &out, &stop);
	show_true("vectors kept over a handler", same(&expected, &out));
	show_true("handler's frame holds them", frame_holds);
	show_true("handler's stack is aligned", aligned);
	stop = 0;
	change_frame = 1;
	arm(30);
	spin_with_vectors(&expected, &out, &stop);
	memset(expected.bytes[3], 0x99, 16);
	show_true("a handler may change them", memcmp(out.bytes[3], expected.bytes[3], 16) == 0 &&
						       memcmp(out.bytes[4], expected.bytes[4], 16) == 0);
	change_frame = 0;
	stop = 0;
	arm(30);
	__asm__ volatile("movq $0x1234, -8(%%rsp)\n movq $0x5678, -120(%%rsp)\n std\n"
			 "1: pause\n cmpl $0, (%2)\n je 1b\n"
			 "mov -8(%%rsp), %0\n add -120(%%rsp), %0\n"
			 "lea -128(%%rsp), %%rsp\n pushfq\n pop %1\n lea 128(%%rsp), %%rsp\n cld\n"
			 : "=&r"(below), "=&r"(flags)
			 : "r"(&stop)
			 : "memory", "cc");
	say("red zone %lx, direction flag kept %lu, clear in the handler %d\n", below, (flags >> 10) & 1,
	    !direction_in_handler);
	/* Many signals in a row while computing. */
	double sum = 0;
	action.sa_flags |= SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	struct itimerval often = {.it_value.tv_usec = 1000, .it_interval.tv_usec = 1000};
	setitimer(ITIMER_REAL, &often, NULL);
	for (int i = 1; i < 20000000; i++)
		sum += 1.0 / ((double)i * i);
	memset(&often, 0, sizeof often);
	setitimer(ITIMER_REAL, &often, NULL);
	say("sum under signals %.12f\n", sum);
	signal(SIGALRM, SIG_DFL);
}

/* --- fork, and control words --- */

static void test_fork(void)
{
	struct vectors in, out;
	unsigned int control = 0x1f80 | 0x6000, got = 0;
	unsigned short x87 = 0x0f7f, x87_got = 0;

	fill(&in, 3);
	long pid = call_with_vectors(SYS_fork, &in, &out);
	if (pid == 0)
		_exit(same(&in, &out) ? 71 : 72);
	show_true("parent's vectors after fork", same(&in, &out));
	show_status("child's vectors", reap((pid_t)pid));
	__asm__ volatile("ldmxcsr %0\n fldcw %1" : : "m"(control), "m"(x87));
	pid = fork();
	__asm__ volatile("stmxcsr %0\n fnstcw %1" : "=m"(got), "=m"(x87_got));
	if (pid == 0)
		_exit(got == control && x87_got == x87 ? 73 : 74);
	show_status("child's control words", reap((pid_t)pid));
	getppid();
	__asm__ volatile("stmxcsr %0\n fnstcw %1" : "=m"(got), "=m"(x87_got));
	say("control words %x %x\n", got, x87_got);
	control = 0x1f80;
	x87 = 0x37f;
	__asm__ volatile("ldmxcsr %0\n fldcw %1" : : "m"(control), "m"(x87));
}

static int program_start_state(void)
{
	unsigned int control = 0;
	unsigned short x87 = 0;

	__asm__ volatile("stmxcsr %0\n fnstcw %1" : "=m"(control), "=m"(x87));
	say("after exec: control words %x %x\n", control, x87);
	return 0;
}

/* --- segment bases --- */

static void test_bases(void)
{
	unsigned long base = 0, fs = 0;
	static unsigned long there[2] = {0x1111, 0x2222};

	show("ARCH_GET_FS", syscall(SYS_arch_prctl, ARCH_GET_FS, &fs));
	unsigned long self;
	__asm__ volatile("mov %%fs:0, %0" : "=r"(self));
	show_true("it is the one in use", self == fs);
	show("ARCH_SET_GS", syscall(SYS_arch_prctl, ARCH_SET_GS, there));
	__asm__ volatile("mov %%gs:8, %0" : "=r"(base));
	say("through gs: %lx\n", base);
	pid_t pid = fork();
	if (pid == 0) {
		__asm__ volatile("mov %%gs:8, %0" : "=r"(base));
		syscall(SYS_arch_prctl, ARCH_SET_GS, 0L);
		_exit(base == 0x2222 ? 81 : 82);
	}
	show_status("child's gs", reap(pid));
	sleep_ms(5);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(base));
	say("parent's gs after it: %lx\n", base);
	show("ARCH_GET_GS", syscall(SYS_arch_prctl, ARCH_GET_GS, &base));
	show_true("it is what was set", base == (unsigned long)(uintptr_t)there);
	show("ARCH_SET_GS to the kernel's half", syscall(SYS_arch_prctl, ARCH_SET_GS, 0xffff888000000000UL));
	show("ARCH_SET_FS to the kernel's half", syscall(SYS_arch_prctl, ARCH_SET_FS, 0xffff888000000000UL));
	show("bad code", syscall(SYS_arch_prctl, 0x7777, 0L));
	show("ARCH_GET_FS to a bad place", syscall(SYS_arch_prctl, ARCH_GET_FS, bad_address));
	if (getauxval(AT_HWCAP2) & 2) {
		__asm__ volatile("wrgsbase %0" : : "r"((unsigned long)(uintptr_t)&there[1]));
		sleep_ms(5);
		__asm__ volatile("rdgsbase %0" : "=r"(base));
		if (base != (unsigned long)(uintptr_t)&there[1])
			say("gs base written by instruction is lost\n");
	}
	syscall(SYS_arch_prctl, ARCH_SET_GS, 0L);
}

/* --- exceptions --- */

static volatile int steps, last_code;
static void *volatile last_address;
static volatile long skip_to;

/* Report the exception, and go on behind it. */
static void on_exception(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	last_code = info->si_code;
	last_address = info->si_addr;
	say("  signal %d code %d, address is the instruction %d\n", number, info->si_code,
	    (uintptr_t)info->si_addr == (uintptr_t)uc->uc_mcontext.gregs[REG_RIP]);
	uc->uc_mcontext.gregs[REG_RIP] = skip_to;
}

static void on_step(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	steps++;
	last_code = info->si_code;
}

static void install(int number, void (*handler)(int, siginfo_t *, void *))
{
	struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};

	sigaction(number, &action, NULL);
}

/* Run an instruction that traps; the handler continues at label 9. */
#define TRAPS(name, instructions, ...)                                                                       \
	do {                                                                                                 \
		say("%s\n", name);                                                                           \
		__asm__ volatile("lea 9f(%%rip), %%rax\n mov %%rax, %[to]\n" instructions "\n9:\n"           \
				 : [to] "=m"(skip_to)                                                        \
				 : __VA_ARGS__                                                               \
				 : "rax", "rcx", "rdx", "memory", "cc");                                     \
	} while (0)

static void test_exceptions(void)
{
	static const unsigned int divide_unmasked = 0x1f80 & ~0x200U, plain = 0x1f80;
	static const unsigned short x87_divide_unmasked = 0x37f & ~4;
	static char odd[16] __attribute__((aligned(16)));

	install(SIGFPE, on_exception);
	install(SIGILL, on_exception);
	install(SIGSEGV, on_exception);
	install(SIGBUS, on_exception);
	install(SIGTRAP, on_exception);
	TRAPS("divide by zero", "xor %%ecx, %%ecx\n mov $1, %%eax\n cltd\n idivl %%ecx", "i"(0));
	TRAPS("divide overflow", "mov $-1, %%ecx\n mov $0x80000000, %%eax\n cltd\n idivl %%ecx", "i"(0));
	TRAPS("ud2", "ud2", "i"(0));
	TRAPS("privileged", "hlt", "i"(0));
	TRAPS("port", "inb $0x80, %%al", "i"(0));
	TRAPS("control register", "mov %%cr3, %%rax", "i"(0));
	TRAPS("interrupts off", "cli", "i"(0));
	TRAPS("non-canonical address", "movabs $0x8000000000000000, %%rcx\n mov (%%rcx), %%al", "i"(0));
	TRAPS("breakpoint", "int3", "i"(0));
	TRAPS("unaligned vector", "movaps 1(%[odd]), %%xmm0", [odd] "r"(odd));
	TRAPS("vector divide",
	      "ldmxcsr %[mask]\n mov $1, %%eax\n cvtsi2sd %%eax, %%xmm0\n"
	      "xorpd %%xmm1, %%xmm1\n divsd %%xmm1, %%xmm0",
	      [mask] "m"(divide_unmasked));
	__asm__ volatile("ldmxcsr %0" : : "m"(plain));
	TRAPS("x87 divide", "fldcw %[mask]\n fld1\n fldz\n fdivrp\n fwait", [mask] "m"(x87_divide_unmasked));
	__asm__ volatile("fninit");
	install(SIGTRAP, on_step);
	__asm__ volatile("lea -128(%%rsp), %%rsp\n pushfq\n orl $0x100, (%%rsp)\n popfq\n nop\n nop\n nop\n"
			 "pushfq\n andl $~0x100, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp\n"
			 :
			 :
			 : "memory", "cc");
	say("single steps %d code %d\n", steps, last_code);
	signal(SIGTRAP, SIG_DFL);
	signal(SIGFPE, SIG_DFL);
	signal(SIGILL, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	signal(SIGBUS, SIG_DFL);
}

/* With the alignment flag set, nothing but this load may run. */
static int alignment_check(void *arg)
{
	signal(SIGBUS, SIG_DFL);
	__asm__ volatile("pushfq\n orl $0x40000, (%%rsp)\n popfq\n mov 1(%0), %%eax\n"
			 "pushfq\n andl $~0x40000, (%%rsp)\n popfq"
			 :
			 : "r"(arg)
			 : "rax", "memory", "cc");
	return 91;
}

int main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "state") == 0)
		return program_start_state();
	char *self = realpath("/proc/self/exe", NULL);
	find_avx();
	test_system_calls();
	test_preemption();
	test_threads();
	test_signals();
	test_fork();
	test_bases();
	test_exceptions();
	in_child("alignment check", alignment_check, (void *)(uintptr_t)&expected);
	unsigned int control = 0x1f80 | 0x6000;
	__asm__ volatile("ldmxcsr %0" : : "m"(control));
	pid_t pid = fork();
	if (pid == 0) {
		execl(self, self, "state", (char *)NULL);
		_exit(1);
	}
	show_status("start state", reap(pid));
	return 0;
}
