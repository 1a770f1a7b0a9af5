/*
 * hostile_x86_64.c - the processor's tricks against the kernel: the 32-bit ways
 * into Linux, software interrupts, odd segments, flags, stacks and signal frames,
 * privileged instructions, and system-call instructions that somebody else left
 * in the address space. See hostile.h for what is checked. x86_64 only.
 */
#define _GNU_SOURCE
#include "hostile.h"

#include <asm/prctl.h>
#include <sys/auxv.h>
#include <ucontext.h>

static unsigned char *code;	 /* a writable, executable page below 4 GiB */
static char *low_path;		 /* the canary's path, below 4 GiB */
static unsigned char *low_stack; /* the end of a stack below 4 GiB */

static void prepare(void)
{
	unsigned char *p = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	if (p == MAP_FAILED)
		give_up("memory for code");
	code = p;
	low_path = (char *)p + 4 * PAGE;
	snprintf(low_path, PAGE, "%s", options.canary);
	low_stack = p + 15 * PAGE;
	catch_probes();
}

static void put(const void *bytes, size_t len)
{
	memset(code, 0xcc, PAGE);
	memcpy(code, bytes, len);
	__builtin___clear_cache((char *)code, (char *)code + PAGE);
}

/* Call what was put, with registers set as for a system call. The result. */
static long run_code(long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long result = a;
	void *target = code;

	__asm__ volatile("push %%rbp\n push %%rbx\n sub $256, %%rsp\n mov %%rdi, %%rbx\n mov %%rdx, %%rcx\n"
			 "call *%[target]\n add $256, %%rsp\n pop %%rbx\n pop %%rbp\n cld"
			 : "+a"(result), "+r"(r10), "+r"(r8), "+r"(r9)
			 : [target] "r"(target), "D"(b), "S"(c), "d"(d)
			 : "rcx", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
	return result;
}

/* Fault with no handler: the end of a child. */
__attribute__((noreturn)) static void die_of_a_fault(void)
{
	signal(SIGSEGV, SIG_DFL);
	*(volatile char *)bad_address = 1;
	_exit(1);
}

/* --- the 32-bit system calls --- */

struct call32 {
	int number, b, c, d;
};

static void run_call32(unsigned long which)
{
	int path = (int)(uintptr_t)low_path;
	int victim = options.victim;
	const struct call32 calls[] = {
		{20, 0, 0, 0},				     /* getpid */
		{5, path, 01 | 01000, 0},		     /* open for writing, truncating */
		{10, path, 0, 0},			     /* unlink */
		{15, path, 0777, 0},			     /* chmod */
		{37, victim, 9, 0},			     /* kill */
		{26, 16, victim, 0},			     /* ptrace attach */
		{11, path, 0, 0},			     /* execve */
		{90, path, 0, 0},			     /* old mmap */
		{125, 0x10000, 0x1000, 7},		     /* mprotect */
		{91, 0, 0x7fffffff, 0},			     /* munmap */
		{4, 1, path, 4},			     /* write */
		{102, 1, path, 0},			     /* socketcall */
		{295, -100, path, 01 | 01000},		     /* openat */
		{1, 33, 0, 0},				     /* exit */
		{2, 0, 0, 0},				     /* fork */
	};
	if (which >= COUNT_OF(calls))
		return;
	const struct call32 *call = &calls[which];
	long result = call->number;

	register long rbx __asm__("rbx") = call->b;
	__asm__ volatile("call *%[code]"
			 : "+a"(result), "+r"(rbx)
			 : [code] "r"(code), "c"((long)call->c), "d"((long)call->d), "S"(0L), "D"(0L)
			 : "r8", "r9", "r10", "r11", "memory", "cc");
	if (which == 0 && (int)result > 0 && (int)result != getpid())
		escaped("32-bit getpid", result);
	if ((which == 1 || which == 12) && (int)result >= 0)
		escaped("32-bit open of the canary", result);
	if (which == 4 && (int)result == 0)
		escaped("32-bit kill of the victim", result);
}

enum { NR_CALLS32 = 15 };

static void attack_int80(void)
{
	static const unsigned char int80[] = {0xcd, 0x80, 0xc3};

	prepare();
	put(int80, sizeof int80);
	for (unsigned long i = 0; i < NR_CALLS32; i++)
		in_victimless_child(run_call32, i, 300);
}

static void attack_sysenter(void)
{
	static const unsigned char sysenter[] = {0x0f, 0x34, 0xc3};

	prepare();
	put(sysenter, sizeof sysenter);
	for (unsigned long i = 0; i < NR_CALLS32; i++)
		in_victimless_child(run_call32, i, 300);
}

/* Go to 32-bit mode by a far jump, and enter the kernel from there. */
static void run_in_32_bit_mode(unsigned long variant)
{
	static const unsigned char entries[4][2] = {{0xcd, 0x80}, {0x0f, 0x34}, {0x0f, 0x05}, {0xcd, 0x03}};
	int path = (int)(uintptr_t)low_path;
	const int calls[3][4] = {{37, options.victim, 9, 0}, {5, path, 01001, 0}, {20, 0, 0, 0}};
	const int *call = calls[variant / 4 % 3];
	unsigned char text[64];
	size_t n = 0;

	for (int reg = 0; reg < 4; reg++) {
		static const unsigned char mov[] = {0xb8, 0xbb, 0xb9, 0xba}; /* eax ebx ecx edx */
		text[n++] = mov[reg];
		memcpy(text + n, &call[reg], 4);
		n += 4;
	}
	memcpy(text + n, entries[variant % 4], 2);
	n += 2;
	text[n++] = 0xeb; /* loop */
	text[n++] = 0xfe;
	put(text, n);
	struct {
		unsigned int offset;
		unsigned short selector;
	} __attribute__((packed)) far = {(unsigned int)(uintptr_t)code, 0x23};
	for (int i = 0; i < 16; i++)
		signal(i == SIGKILL ? SIGHUP : i, SIG_DFL);
	__asm__ volatile("mov %0, %%rsp\n ljmp *(%1)" : : "r"(low_stack), "r"(&far) : "memory");
	__builtin_unreachable();
}

static void attack_32_bit_mode(void)
{
	prepare();
	for (unsigned long variant = 0; variant < 12; variant++)
		in_victimless_child(run_in_32_bit_mode, variant, 200);
}

/* --- instructions --- */

static void run_put_code(unsigned long arg)
{
	if (sigsetjmp(probe_escape, 0) == 0)
		run_code((long)arg, 0, 0, 0, 0, 0);
	getppid();
	/* Again with the default action, to die of it. */
	for (int number = 1; number < 32; number++)
		if (number != SIGALRM)
			signal(number, SIG_DFL);
	run_code((long)arg, -1, -1, -1, -1, -1);
}

static void attack_software_interrupts(void)
{
	prepare();
	for (int vector = 0; vector < 256; vector++) {
		unsigned char text[] = {0xcd, (unsigned char)vector, 0xc3};
		put(text, sizeof text);
		in_victimless_child(run_put_code, 20, 100);
	}
}

static void attack_privileged_instructions(void)
{
	static const char *const instructions[] = {
		"\xf4", /* hlt */
		"\xfa",
		"\xfb",		/* cli, sti */
		"\x0f\x07",	/* sysret */
		"\x48\x0f\x07", /* sysretq */
		"\x0f\x35",	/* sysexit */
		"\x0f\x01\xf8", /* swapgs */
		"\x0f\x30",
		"\x0f\x32",	/* wrmsr, rdmsr */
		"\x0f\x33",	/* rdpmc */
		"\x0f\x01\x38", /* invlpg */
		"\x0f\x01\x10",
		"\x0f\x01\x18", /* lgdt, lidt */
		"\x0f\x00\xd8",
		"\x0f\x00\xd0", /* ltr, lldt */
		"\x0f\x01\x04\x24",
		"\x0f\x01\x0c\x24", /* sgdt, sidt */
		"\x0f\x01\xe0",
		"\x0f\x01\xf0", /* smsw, lmsw */
		"\x0f\x20\xc0",
		"\x0f\x22\xc0",
		"\x0f\x20\xd8",
		"\x0f\x22\xd8", /* control registers */
		"\x0f\x21\xc0",
		"\x0f\x23\xf8", /* debug registers */
		"\x0f\x06",
		"\x0f\x08",
		"\x0f\x09", /* clts, invd, wbinvd */
		"\xe4\x60",
		"\xe6\x64",
		"\xec",
		"\xee",
		"\x6c",
		"\x6e", /* in, out */
		"\x0f\x01\xd1",
		"\x0f\x01\xd0", /* xsetbv, xgetbv */
		"\x0f\x01\xc8",
		"\x0f\x01\xc9", /* monitor, mwait */
		"\x0f\x01\xc2",
		"\x0f\x01\xd8", /* vmlaunch, vmrun */
		"\x0f\xaa",
		"\x0f\x37", /* rsm, getsec */
		"\xf1",
		"\xcc",
		"\xce",
		"\x0f\x0b",
		"\x0f\xb9\xc0", /* icebp, int3, into, ud2, ud1 */
		"\xf0\x90",
		"\xf0\x0f\x05",
		"\x66\x0f\x05",
		"\xf3\x0f\x05",
		"\x48\x0f\x05",							    /* prefixes */
		"\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x90", /* too long */
		"\x48\xcf",
		"\xcf",
		"\x48\xcb",
		"\xca\xff\xff", /* iretq, iret, lretq, lret */
		"\xff\x1c\x24",
		"\xff\x2c\x24",
		"\x48\xff\x2c\x24", /* far call and jump by the stack */
		"\x0f\xa2",
		"\x0f\x31",
		"\x0f\x01\xf9", /* cpuid, rdtsc, rdtscp */
		"\xc7\xf8\x00\x00\x00\x00",
		"\x0f\x01\xd5", /* xbegin, xend */
		"\x8e\xd0",
		"\x8e\xd8",
		"\x8e\xc0",
		"\x8e\xe0",
		"\x8e\xe8", /* segment loads */
		"\x0f\xae\x2c\x24",
		"\x48\x0f\xae\x2c\x24",
		"\x0f\xae\x0c\x24", /* xrstor, fxrstor */
		"\x0f\xc7\x1c\x24", /* xrstors */
		"\x9d",
		"\x48\x9d",		/* popf of what is there */
		"\x5c\xc3",		/* pop rsp, ret */
		"\x48\x31\xe4\xc3",	/* rsp = 0, ret */
		"\x48\x31\xe4\x0f\x05", /* rsp = 0, system call */
	};

	prepare();
	for (size_t i = 0; i < COUNT_OF(instructions); i++) {
		unsigned char text[32];
		size_t len = strlen(instructions[i]);
		memcpy(text, instructions[i], len);
		text[len] = 0xc3;
		put(text, len + 1);
		in_victimless_child(run_put_code, 39, 100);
		in_victimless_child(run_put_code, -1UL, 100);
	}
}

static void attack_random_code(void)
{
	unsigned long random = 88172645463325252UL;

	prepare();
	for (int i = 0; i < 400; i++) {
		unsigned long text[64];
		for (size_t j = 0; j < COUNT_OF(text); j++) {
			random ^= random << 13;
			random ^= random >> 7;
			random ^= random << 17;
			text[j] = random;
		}
		put(text, sizeof text);
		in_victimless_child(run_put_code, random, 100);
	}
}

/* --- segments and flags --- */

static void load_selector(unsigned long selector)
{
	static const unsigned char loads[] = {0xd8, 0xc0, 0xe0, 0xe8, 0xd0}; /* ds es fs gs ss from ax */

	for (size_t i = 0; i < COUNT_OF(loads); i++) {
		unsigned char text[] = {0x8e, loads[i], 0xc3};
		put(text, sizeof text);
		if (sigsetjmp(probe_escape, 0) == 0)
			run_code((long)selector, 0, 0, 0, 0, 0);
	}
	for (int i = 0; i < 3; i++)
		syscall(SYS_getppid);
	can_read(8);
}

static void attack_selectors(void)
{
	prepare();
	for (unsigned long selector = 0; selector < 0x200; selector += selector < 0x80 ? 1 : 7)
		in_victimless_child(load_selector, selector, 100);
	in_victimless_child(load_selector, 0xffff, 100);
}

/* System calls that do not touch thread storage, whatever the bases are. */
static long bare_call(long number, long a, long b, long c)
{
	long result = number;

	__asm__ volatile("syscall" : "+a"(result) : "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
	return result;
}

static void set_bases(unsigned long base)
{
	signal(SIGSEGV, SIG_DFL);
	for (int i = 0; i < 3; i++) {
		bare_call(SYS_arch_prctl, ARCH_SET_GS, (long)base, 0);
		bare_call(SYS_arch_prctl, ARCH_SET_FS, (long)base, 0);
		for (int j = 0; j < 5; j++)
			bare_call(SYS_getppid, 0, 0, 0);
		if (getauxval(AT_HWCAP2) & 2)
			__asm__ volatile("wrgsbase %0\n wrfsbase %0" : : "r"(base));
		for (int j = 0; j < 5; j++)
			bare_call(SYS_sched_yield, 0, 0, 0);
	}
	long pid = bare_call(SYS_fork, 0, 0, 0);
	if (pid == 0)
		bare_call(SYS_exit_group, 0, 0, 0);
	*(volatile char *)bad_address = 1;
}

static void attack_segment_bases(void)
{
	prepare();
	for (size_t i = 0; i < COUNT_OF(wild_addresses); i++)
		in_victimless_child(set_bases, wild_addresses[i], 200);
}

static void set_flags(unsigned long flags)
{
	signal(SIGTRAP, SIG_IGN);
	if (flags & 1)
		signal(SIGTRAP, probe_handler);
	if (sigsetjmp(probe_escape, 0) != 0)
		return;
	long result = SYS_getppid;
	__asm__ volatile("lea -128(%%rsp), %%rsp\n push %1\n popfq\n syscall\n syscall\n cld\n"
			 "pushfq\n andl $~0x40500, (%%rsp)\n popfq\n lea 128(%%rsp), %%rsp"
			 : "+a"(result)
			 : "r"(flags)
			 : "rcx", "r11", "memory", "cc");
	__asm__ volatile("lea -128(%%rsp), %%rsp\n push %0\n popfq\n movb $1, 8\n" : : "r"(flags) : "memory");
}

static void attack_flags(void)
{
	static const unsigned long bits[] = {0x100,    0x400,	0x4000, 0x40000,
					     0x200000, 0x10000, 0x3000, 0x180000};

	prepare();
	for (unsigned long mask = 0; mask < 256; mask++) {
		unsigned long flags = 0x202 | (mask & 1);
		for (size_t i = 0; i < COUNT_OF(bits); i++)
			if (mask & (1UL << i))
				flags |= bits[i];
		in_victimless_child(set_flags, flags, 50);
	}
}

/* --- stacks and frames --- */

static void wild_stack(unsigned long sp)
{
	int variant = (int)(sp & 3);
	long result = SYS_getppid;

	sp &= ~3UL;
	struct itimerval soon = {.it_value.tv_usec = 10000};
	if (variant == 2)
		setitimer(ITIMER_REAL, &soon, NULL);
	if (variant == 2)
		signal(SIGALRM, probe_handler);
	switch (variant) {
	case 0: /* call, then fault with a handler that has no stack */
		__asm__ volatile("mov %1, %%rsp\n syscall\n movb $1, 8" : "+a"(result) : "r"(sp) : "memory");
		break;
	case 1: /* push there */
		__asm__ volatile("mov %1, %%rsp\n push %%rax\n syscall\n ret"
				 : "+a"(result)
				 : "r"(sp)
				 : "memory");
		break;
	case 2: /* a signal comes */
		__asm__ volatile("mov %0, %%rsp\n 1: pause\n jmp 1b" : : "r"(sp) : "memory");
		break;
	default: /* fork there */
		result = SYS_fork;
		__asm__ volatile("mov %1, %%rsp\n syscall\n mov $39, %%eax\n syscall\n ud2"
				 : "+a"(result)
				 : "r"(sp)
				 : "memory");
	}
	__builtin_unreachable();
}

static void attack_stacks(void)
{
	prepare();
	for (size_t i = 0; i < COUNT_OF(wild_addresses); i++)
		for (unsigned long variant = 0; variant < 4; variant++)
			in_victimless_child(wild_stack, (wild_addresses[i] & ~3UL) + variant, 100);
}

static void wild_alternate_stack(unsigned long sp)
{
	stack_t stack = {.ss_sp = (void *)sp, .ss_size = 65536};
	struct sigaction action = {.sa_handler = probe_handler, .sa_flags = SA_ONSTACK | SA_NODEFER};

	sigaltstack(&stack, NULL);
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	if (sigsetjmp(probe_escape, 0) == 0)
		raise(SIGUSR1);
	/* First with the handler, which may have no stack to run on. */
	if (sigsetjmp(probe_escape, 0) == 0)
		*(volatile char *)bad_address = 1;
	die_of_a_fault();
}

static void attack_alternate_stacks(void)
{
	for (size_t i = 0; i < COUNT_OF(wild_addresses); i++) {
		in_victimless_child(wild_alternate_stack, wild_addresses[i], 100);
		in_victimless_child(wild_alternate_stack, wild_addresses[i] - 65536, 100);
	}
}

static unsigned long frame_variant;

/* Change the frame that the return from this handler loads. */
static void spoil_frame(int number, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	greg_t *regs = uc->uc_mcontext.gregs;
	unsigned char *fp = (unsigned char *)uc->uc_mcontext.fpregs;
	unsigned long wild = wild_addresses[frame_variant / 32 % COUNT_OF(wild_addresses)];

	(void)number;
	(void)info;
	switch (frame_variant % 32) {
	case 0: regs[REG_RIP] = (greg_t)wild; break;
	case 1: regs[REG_RSP] = (greg_t)wild; break;
	case 2: regs[REG_EFL] = (greg_t)wild; break;
	case 3: regs[REG_EFL] = 0x3fffff; break;
	case 4: regs[REG_CSGSFS] = (greg_t)wild; break;
	case 5: regs[REG_CSGSFS] = 0x10; break;
	case 6: regs[REG_CSGSFS] = 0x23; break;
	case 7: regs[REG_CSGSFS] = (greg_t)(0x10UL << 48 | 0x10); break;
	case 8: uc->uc_mcontext.fpregs = (void *)wild; break;
	case 9: uc->uc_mcontext.fpregs = (void *)(fp + 1); break;
	case 10: uc->uc_mcontext.fpregs = NULL; break;
	case 11: uc->uc_mcontext.fpregs = (void *)(code + 16 * PAGE - 64); break;
	case 12: memset(fp, 0xff, 512); break;
	case 13: memset(fp, 0, 512); break;
	case 14: memset(fp + 24, 0xff, 4); break;   /* control word: reserved bits */
	case 15: memset(fp + 464, 0xff, 48); break; /* Linux's own words: sizes, features */
	case 16: memset(fp + 464, 0, 48); break;
	case 17: memset(fp + 468, 0xff, 4); break;  /* extended size */
	case 18: memset(fp + 472, 0xff, 8); break;  /* features */
	case 19: memset(fp + 480, 0xff, 4); break;  /* size */
	case 20: memset(fp + 512, 0xff, 64); break; /* header of the extended area */
	case 21: memset(fp + 512, 0xff, 8); break;
	case 22: memset(fp + 520, 0xff, 8); break; /* compacted format */
	case 23: memset(fp + 528, 0xff, 48); break;
	case 24: memset(fp + 512, 0, 64); break;
	case 25: *(unsigned long *)(fp + 512) = 1UL << 63; break;
	case 26: *(unsigned long *)(fp + 512) = 1UL << 9 | 7; break; /* protection keys */
	case 27: memset(&uc->uc_sigmask, 0xff, 8); break;
	case 28:
		uc->uc_stack.ss_sp = (void *)wild;
		uc->uc_stack.ss_flags = 0x7f;
		break;
	case 29: uc->uc_flags = ~0UL; break;
	case 30: uc->uc_link = (void *)wild; break;
	default: memset(uc, (int)wild, sizeof *uc); break;
	}
}

static void return_by_spoiled_frame(unsigned long variant)
{
	struct sigaction action = {.sa_sigaction = spoil_frame, .sa_flags = SA_SIGINFO};

	frame_variant = variant;
	sigaction(SIGUSR1, &action, NULL);
	if (sigsetjmp(probe_escape, 0) == 0)
		raise(SIGUSR1);
	for (int i = 0; i < 3; i++)
		syscall(SYS_getppid);
	die_of_a_fault();
}

static void attack_signal_frames(void)
{
	prepare();
	for (unsigned long variant = 0; variant < 32 * COUNT_OF(wild_addresses); variant++) {
		/* Only some of them use the wild address. */
		unsigned long kind = variant % 32;
		if (variant >= 32 && kind != 0 && kind != 1 && kind != 2 && kind != 4 && kind != 8 &&
		    kind != 28)
			continue;
		in_victimless_child(return_by_spoiled_frame, variant, 100);
	}
}

/* --- somebody else's instructions --- */

/* Jump there with registers as for calls that matter if the host sees them. */
static void jump_with_call(unsigned long address)
{
	unsigned long place = address & 0x0000ffffffffffff;
	long path = (long)(uintptr_t)low_path, victim = options.victim;
	const long calls[][7] = {
		{SYS_kill, victim, 9, 0, 0, 0, 0},
		{SYS_openat, AT_FDCWD, path, O_WRONLY | O_TRUNC, 0, 0, 0},
		{SYS_unlink, path, 0, 0, 0, 0, 0},
		{SYS_mmap, 0x10000000, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 3, 0},
		{SYS_mmap, 0x10000000, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 4, 0},
		{SYS_mmap, 0x10000000, 1 << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, 0, 0},
		{SYS_mprotect, (long)(place & ~(PAGE - 1)), PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, 0, 0,
		 0},
		{SYS_munmap, (long)(place & ~(PAGE - 1)), PAGE, 0, 0, 0, 0},
		{SYS_munmap, 0x10000, (long)(TOP - 0x20000), 0, 0, 0, 0},
		{SYS_rt_sigaction, SIGSEGV, 0, 0, 8, 0, 0},
		{SYS_exit_group, 0, 0, 0, 0, 0, 0},
		{SYS_ptrace, 16, victim, 0, 0, 0, 0},
		{SYS_execve, path, 0, 0, 0, 0, 0},
		{SYS_fork, 0, 0, 0, 0, 0, 0},
		{SYS_futex, (long)(place & ~(PAGE - 1)), 0, 0, 0, 0, 0},
		{SYS_rt_sigreturn, 0, 0, 0, 0, 0, 0},
	};
	const long *call = calls[address >> 48];

	if (sigsetjmp(probe_escape, 0) == 0) {
		register long r10 __asm__("r10") = call[4];
		register long r8 __asm__("r8") = call[5];
		register long r9 __asm__("r9") = call[6];
		long result = call[0];
		__asm__ volatile("sub $1024, %%rsp\n call *%[place]\n add $1024, %%rsp"
				 : "+a"(result)
				 : [place] "b"(place), "D"(call[1]), "S"(call[2]), "d"(call[3]), "r"(r10),
				   "r"(r8), "r"(r9)
				 : "rcx", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
	}
	if (can_read(0x10000000))
		escaped("memory was mapped by an instruction that is not mine", (long)place);
}

enum { NR_JUMP_CALLS = 16 };

static void try_page(unsigned long page, int *budget)
{
	for (unsigned long a = page; a < page + PAGE - 1 && *budget > 0; a++) {
		if (((unsigned char *)a)[0] != 0x0f || ((unsigned char *)a)[1] != 0x05)
			continue;
		--*budget;
		for (unsigned long call = 0; call < NR_JUMP_CALLS; call++)
			in_victimless_child(jump_with_call, a | call << 48, 100);
	}
}

static void attack_foreign_system_calls(void)
{
	int budget = 20;

	prepare();
	for (unsigned long a = 0x7ffb00000000; a < 0x7ffb00800000; a += PAGE)
		if (can_read(a))
			try_page(a, &budget);
	for (unsigned long a = 0x7ff000000000; a < TOP; a += a < TOP - (32UL << 20) ? 2UL << 20 : PAGE)
		if (can_read(a))
			try_page(a, &budget);
	for (unsigned long a = 0x7ffb00000000; a < 0x7ffb00010000; a += 0x80)
		for (unsigned long call = 0; call < 5; call++)
			in_victimless_child(jump_with_call, a | call << 48, 50);
}

/* Registers and the stack after a trap may tell where the kernel's helper lives. */
static void attack_leaks(void)
{
	unsigned long found[64];
	size_t nr_found = 0;
	int budget = 20;

	prepare();
	for (int round = 0; round < 4; round++) {
		unsigned long rcx, r11, gs = 0, area[64];
		long result = SYS_getppid;
		__asm__ volatile("syscall\n mov %%rcx, %1\n mov %%r11, %2"
				 : "+a"(result), "=r"(rcx), "=r"(r11)
				 :
				 : "rcx", "r11", "memory");
		if (getauxval(AT_HWCAP2) & 2)
			__asm__ volatile("rdgsbase %0" : "=r"(gs));
		can_read(8);
		/* Below the stack pointer, where a trap on this stack would leave things. */
		__asm__ volatile("lea -4096(%%rsp), %%rsi\n mov %0, %%rdi\n mov $64, %%ecx\n rep movsq"
				 :
				 : "r"(area)
				 : "rsi", "rdi", "rcx", "memory");
		for (size_t i = 0; i < COUNT_OF(area) + 3 && nr_found < COUNT_OF(found); i++) {
			unsigned long value = i < COUNT_OF(area)
						      ? area[i]
						      : (unsigned long[]){rcx, r11, gs}[i - COUNT_OF(area)];
			if (value >= 0x7ff000000000 && value < TOP)
				found[nr_found++] = value;
		}
	}
	for (size_t i = 0; i < nr_found; i++)
		if (can_read(found[i] & ~(PAGE - 1)))
			try_page(found[i] & ~(PAGE - 1), &budget);
}

static void call_vsyscall(unsigned long address)
{
	signal(SIGSEGV, SIG_DFL);
	((long (*)(void *, void *))address)(code + PAGE, NULL);
	((long (*)(void *, void *))address)((void *)0x7ffb00200000, (void *)0x7ffb00200000);
}

static void attack_vsyscall(void)
{
	prepare();
	for (unsigned long offset = 0; offset <= 0xc00; offset += 0x400)
		in_victimless_child(call_vsyscall, 0xffffffffff600000 + offset, 100);
}

static void loop_forever(unsigned long flags)
{
	__asm__ volatile("push %0\n popfq\n 1: jmp 1b" : : "r"(flags) : "memory");
}

static void attack_loops(void)
{
	/* Loops that never call, one with the direction flag set. */
	for (int i = 0; i < 6; i++)
		if (fork() == 0)
			loop_forever(i % 2 ? 0x602 : 0x202);
	sleep_ms(300);
}

static const struct attack attacks[] = {
	{"int80", attack_int80, 1},
	{"sysenter", attack_sysenter, 1},
	{"32-bit-mode", attack_32_bit_mode, 1},
	{"software-interrupts", attack_software_interrupts, 1},
	{"privileged-instructions", attack_privileged_instructions, 0},
	{"random-code", attack_random_code, 1},
	{"selectors", attack_selectors, 0},
	{"segment-bases", attack_segment_bases, 0},
	{"flags", attack_flags, 0},
	{"stacks", attack_stacks, 0},
	{"alternate-stacks", attack_alternate_stacks, 0},
	{"signal-frames", attack_signal_frames, 0},
	{"foreign-system-calls", attack_foreign_system_calls, 1},
	{"leaks", attack_leaks, 1},
	{"vsyscall", attack_vsyscall, 0},
	{"loops", attack_loops, 0},
};

int main(int argc, char **argv) { return hostile_main(argc, argv, attacks, COUNT_OF(attacks)); }
