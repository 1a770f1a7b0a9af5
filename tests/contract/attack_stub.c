/*
 * A guest program that attacks the hosted machine's stub by what it knows of it
 * (src/hostarch/stub/stub.h): forged hand-overs, stolen gates, a spoilt shared
 * area, loops made of the stub's own code. Each attack runs in a child; the
 * program passes when its own memory, its siblings and the kernel are unharmed
 * and no secret was seen.
 *
 * Knows nothing of the kernel's tests: prints "ok NAME" or "BROKEN NAME: why"; exit status 0 or 1.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "hostarch/stub/stub.h"

enum { STATUS_OK = 0, STATUS_BROKEN = 1 };
/* Places in the host's ucontext. */
enum { UC_GREGS = 40, GREG_RDI = 8, GREG_RSI = 9, GREG_RAX = 13, GREG_RIP = 16, GREG_ERR = 19,
       GREG_TRAPNO = 20, GREG_CR2 = 22 };
#define SPIN_CYCLES 5e7 /* about 20 ms */

static volatile struct stub_control *const ctl = (volatile struct stub_control *)STUB_SHARED;
static const struct stub_header *header;

static const struct stub_header *find_header(void)
{
	for (const char *p = (const char *)STUB_TEXT; p < (const char *)STUB_TEXT + 4096; p += 64) {
		const struct stub_header *h = (const struct stub_header *)p;

		if (h->magic == STUB_MAGIC)
			return h;
	}
	return NULL;
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Time without a system call. */
static double now_by_counter(void) { return (double)__builtin_ia32_rdtsc(); }

/* ---- attacks: run in a child; return STATUS_*, or die ---------------------- */

/*
 * Lays a trap of its own making where the kernel looks for it. The kernel looks when it gets the CPU back, a
 * time slice after it let this process run, for it yields before it sleeps: so spin that long, right after a
 * real call.
 */
static void forge_trap(uint32_t signal_number, const uint64_t gregs_at[][2])
{
	volatile uint64_t *gregs;

	getppid(); /* leaves a real frame, with a floating-point image, in the signal stack */
	gregs = (volatile uint64_t *)(ctl->ucontext + UC_GREGS);
	gregs[GREG_RIP] = (uint64_t)forge_trap;
	for (unsigned i = 0; gregs_at[i][0] != 0; i++)
		gregs[gregs_at[i][0]] = gregs_at[i][1];
	ctl->signal = signal_number;
	__atomic_store_n((uint32_t *)&ctl->turn, TURN_KERNEL, __ATOMIC_SEQ_CST);
}

/* Says "page fault" and goes on running, on the look-out for the secret of the batch that answers it. */
static int forge_fault(void)
{
	char *page = mmap(NULL, 4096 * 64, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (unsigned round = 0; round < 30; round++) {
		const uint64_t gregs[][2] = {
			{GREG_TRAPNO, 14}, {GREG_ERR, 6}, {GREG_CR2, (uint64_t)page + 4096 * round}, {0, 0}};

		forge_trap(SIGSEGV, gregs);
		for (double end = now_by_counter() + SPIN_CYCLES; now_by_counter() < end;)
			if (ctl->secret[0] != 0 || ctl->secret[1] != 0)
				return STATUS_BROKEN;
		ctl->turn = TURN_STUB;
	}
	return STATUS_OK;
}

/* Says "munmap" and goes on writing to the page, which another process is given meanwhile. */
static int forge_unmap(void)
{
	volatile char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const uint64_t gregs[][2] = {{GREG_RAX, 11}, {GREG_RDI, (uint64_t)page}, {GREG_RSI, 4096}, {0, 0}};

	*page = 1;
	forge_trap(SIGSYS, gregs);
	for (double end = now_by_counter() + 10 * SPIN_CYCLES; now_by_counter() < end;)
		*page = 66;
	return STATUS_OK; /* dies of SIGSEGV once the page is gone */
}

/* mmap of the kernel's memory at the gate, with words that are not the secret. */
static int map_without_secret(void)
{
	register uint64_t r10 __asm__("r10") = 0x11; /* MAP_SHARED | MAP_FIXED */
	register uint64_t r8 __asm__("r8") = STUB_FD_RW;
	register uint64_t r9 __asm__("r9") = 0;
	uint64_t address = header->gate_map - 2;
	uint64_t rax = 9;

	__asm__ volatile("jmp *%[gate]"
			 :
			 : [gate] "r"(address), "a"(rax), "D"(0x100000000), "S"(0x100000), "d"(3), "r"(r10), "r"(r8),
			   "r"(r9)
			 : "memory");
	return STATUS_BROKEN;
}

/* Forges a whole batch and runs the stub's own loop over it. */
static int run_own_batch(void)
{
	ctl->ops[0] = (struct stub_op){9, 0x100000000, 0x100000, 3, 0x11, STUB_FD_RW, 0};
	ctl->nr_ops = 1;
	ctl->op_error = 0;
	ctl->turn = TURN_STUB;
	__asm__ volatile("jmp *%0" : : "r"(header->gate_yield));
	return STATUS_BROKEN;
}

/* The way back to the guest, made to lead to itself: must not keep the kernel from its interrupts. */
static int loop_in_stub(void)
{
	ctl->flags = 0;
	ctl->eflags = 0x202;
	ctl->rip = header->resume_start;
	ctl->rsp = STUB_SHARED + C_EFLAGS;
	/* popfq; then mov (C_RSP), %rsp and jmp *(C_RIP): round and round. */
	__asm__ volatile("mov %0, %%rsp; jmp *%1"
			 :
			 : "r"(STUB_SHARED + C_EFLAGS), "r"(header->resume_start)
			 : "memory");
	return STATUS_OK;
}

/* Falls asleep at the gate with the turn forged and nobody told. */
static int sleep_at_gate(void)
{
	uint64_t rax = 202;

	ctl->linger = 0;
	ctl->asleep = 0;
	ctl->doorbell = 0;
	ctl->turn = TURN_KERNEL;
	__asm__ volatile("xor %%r10d, %%r10d; jmp *%[gate]"
			 :
			 : [gate] "r"(header->gate_futex - 2), "a"(rax), "D"(&ctl->turn), "S"(0),
			   "d"(TURN_KERNEL)
			 : "r10", "memory");
	return STATUS_BROKEN;
}

/* Random words all over the shared area, and calls in between. */
static int spoil_shared(void)
{
	uint64_t seed = (uint64_t)getpid();

	for (unsigned round = 0; round < 300; round++) {
		for (unsigned i = 0; i < 400; i++) {
			seed = seed * 6364136223846793005u + 1442695040888963407u;
			((volatile uint64_t *)STUB_SHARED)[(seed >> 33) % (STUB_SHARED_BYTES / 8)] =
				(seed >> 20 & 3) == 0 ? 0 : seed;
		}
		getppid();
	}
	return STATUS_OK;
}

static const struct attack {
	const char *name;
	int (*run)(void);
	unsigned times;
	bool may_go_astray; /* the answer is older registers: where they lead is the attacker's own affair */
} attacks[] = {
	{"forge-fault", forge_fault, 4, false},
	{"forge-unmap", forge_unmap, 4, false},
	{"map-without-secret", map_without_secret, 1, false},
	{"run-own-batch", run_own_batch, 1, false},
	{"loop-in-stub", loop_in_stub, 1, true},
	{"sleep-at-gate", sleep_at_gate, 1, true},
	{"spoil-shared", spoil_shared, 10, true},
};

/* ---- the parent ------------------------------------------------------------ */

static volatile char canary[16 * 4096];

static bool canary_is_whole(void)
{
	for (size_t i = 0; i < sizeof(canary); i++)
		if (canary[i] != (char)(i * 7))
			return false;
	return true;
}

/* A sibling that allocates and checks memory all the time: it is given the frames others lose. */
static int sibling(void)
{
	for (unsigned round = 1;; round++) {
		volatile char *p =
			mmap(NULL, 4096 * 8, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		for (size_t i = 0; i < 4096 * 8; i++) {
			if (p[i] != 0)
				return STATUS_BROKEN;
			if (i % 64 == 0)
				p[i] = (char)round;
		}
		usleep(1000);
		for (size_t i = 0; i < 4096 * 8; i += 64)
			if (p[i] != (char)round)
				return STATUS_BROKEN;
		munmap((void *)p, 4096 * 8);
	}
}

static bool wait_for_end(pid_t pid, double seconds, int *status)
{
	for (double end = now() + seconds; now() < end; usleep(2000))
		if (waitpid(pid, status, WNOHANG) == pid)
			return true;
	kill(pid, SIGKILL);
	waitpid(pid, status, 0);
	return false;
}

static bool run_attack(const struct attack *a)
{
	for (unsigned i = 0; i < a->times; i++) {
		pid_t neighbour = fork(), pid;
		int status;

		if (neighbour == 0)
			_exit(sibling());
		pid = fork();
		if (pid == 0)
			_exit(a->run());
		wait_for_end(pid, 2, &status); /* one that loops is killed: that it can be is the point */
		if (WIFEXITED(status) && WEXITSTATUS(status) != STATUS_OK && !a->may_go_astray) {
			printf("BROKEN %s: it succeeded\n", a->name);
			return false;
		}
		if (waitpid(neighbour, &status, WNOHANG) != 0) {
			printf("BROKEN %s: a sibling's memory was changed\n", a->name);
			return false;
		}
		kill(neighbour, SIGKILL);
		waitpid(neighbour, &status, 0);
		if (!canary_is_whole()) {
			printf("BROKEN %s: the parent's memory was changed\n", a->name);
			return false;
		}
	}
	printf("ok %s\n", a->name);
	return true;
}

int main(int argc, char **argv)
{
	bool is_ok = true;

	header = find_header();
	if (header == NULL) {
		printf("BROKEN: no stub here\n");
		return 1;
	}
	for (size_t i = 0; i < sizeof(canary); i++)
		canary[i] = (char)(i * 7);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++)
		if (argc < 2 || strcmp(argv[1], attacks[i].name) == 0)
			is_ok = run_attack(&attacks[i]) && is_ok;
	return is_ok ? 0 : 1;
}
