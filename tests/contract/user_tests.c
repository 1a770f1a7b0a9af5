/* User mode: registers in and out, every kind of trap, preemption, floating point, threads. */
#include "contract.h"

#include "lib/string.h"

static struct guest guest, second;

static void begin(void)
{
	guest_init(&guest, guest_aspace());
}

static void end(void)
{
	struct aspace *as = guest.task.aspace;

	guest_destroy(&guest);
	aspace_put(as);
}

static void test_syscall(void)
{
	begin();
	guest_go(&guest, USER_PLAIN);
	for (uint64_t i = 0; i < 200; i++) {
		guest.frame.rax = i;
		guest.frame.rdi = i * 3;
		guest.frame.r9 = i * 5;
		guest_run_to_call(&guest);
		EXPECT(frame_syscall_nr(&guest.frame) == i);
		EXPECT(frame_arg(&guest.frame, 0) == i * 3);
		EXPECT(frame_arg(&guest.frame, 5) == i * 5);
		frame_set_result(&guest.frame, -38);
	}
	end();
}

/* Each register has a value of its own; a trap and the way back change none. */
static void test_registers(void)
{
	struct trap_frame before;
	uint64_t *word = (uint64_t *)&guest.frame;

	begin();
	guest_go(&guest, USER_PLAIN);
	for (unsigned round = 1; round < 50; round++) {
		uint64_t sp = guest.frame.rsp;

		for (unsigned i = 0; i < 15; i++)
			word[i] = 0x0101010101010101u * (i + round);
		guest.frame.rsp = sp - 8;
		guest.frame.eflags = round % 2 != 0 ? 0x202 : 0xad7; /* none, all arithmetic ones */
		before = guest.frame;
		guest_run_to_call(&guest);
		EXPECT(guest.frame.rsp == before.rsp);
		EXPECT(guest.frame.rcx == guest.frame.rip);                        /* the instruction's own doing */
		EXPECT((guest.frame.r11 & 0xfff) == (before.eflags & 0xfff));
		before.rcx = guest.frame.rcx;
		before.r11 = guest.frame.r11;
		before.rax = guest.frame.rax;
		for (unsigned i = 0; i < 15; i++)
			EXPECT(word[i] == ((uint64_t *)&before)[i]);
		EXPECT((guest.frame.eflags & 0xad5) == (before.eflags & 0xad5));
	}
	end();
}

static void expect_exception(enum user_entry entry, enum trap_exception what)
{
	struct event e;

	guest_go(&guest, entry);
	e = guest_run(&guest);
	EXPECT(e.kind == EVENT_EXCEPTION);
	EXPECT(e.what == (unsigned)what);
}

static void test_exceptions(void)
{
	uint64_t pc;

	begin();
	expect_exception(USER_ILLEGAL, EXC_ILLEGAL);
	guest_go(&guest, USER_ILLEGAL);
	pc = frame_pc(&guest.frame);
	guest_run(&guest);
	EXPECT(frame_pc(&guest.frame) == pc); /* a fault: the instruction itself */
	expect_exception(USER_DIVIDE, EXC_DIVIDE);
	expect_exception(USER_BREAKPOINT, EXC_BREAKPOINT);
	expect_exception(USER_PROTECTION, EXC_PROTECTION);
	/* And the process can go on. */
	guest_go(&guest, USER_PLAIN);
	guest_run_to_call(&guest);
	end();
}

static void test_foreign_call(void)
{
	struct event e;

	begin();
	guest_go(&guest, USER_FOREIGN);
	e = guest_run(&guest);
	EXPECT(e.kind == EVENT_EXCEPTION && (e.what == EXC_BAD_SYSCALL || e.what == EXC_PROTECTION));
	end();
}

static void test_single_step(void)
{
	unsigned nr_steps = 0;
	struct event e;

	begin();
	guest_go(&guest, USER_STEP);
	while ((e = guest_run(&guest)).kind == EVENT_EXCEPTION && nr_steps < 10) {
		EXPECT(e.what == EXC_STEP);
		nr_steps++;
	}
	EXPECT(e.kind == EVENT_SYSCALL);
	EXPECT(nr_steps >= 2 && nr_steps <= 3);
	guest.frame.eflags &= ~(uint64_t)0x100;
	end();
}

/* A loop without traps is interrupted, keeps its registers, and runs on. */
static void test_preemption(void)
{
	uint64_t last = 0;

	begin();
	guest_go(&guest, USER_SPIN);
	guest.frame.rbx = 0;
	for (unsigned i = 0; i < 20; i++) {
		struct event e;

		arch_timer_set(arch_time_ns() + 2000000);
		e = guest_run(&guest);
		EXPECT(e.kind == EVENT_INTERRUPT);
		EXPECT((e.what & IRQ_TIMER) != 0);
		EXPECT(guest.frame.rbx > last || i == 0);
		last = guest.frame.rbx;
	}
	EXPECT(last > 1000);
	end();
}

/* A deadline that is over before user mode is entered is not lost. */
static void test_timer_before_entry(void)
{
	begin();
	guest_go(&guest, USER_SPIN);
	for (unsigned i = 0; i < 20; i++) {
		struct event e;

		arch_timer_set(arch_time_ns() + i * 10000);
		e = guest_run(&guest);
		EXPECT(e.kind == EVENT_INTERRUPT);
	}
	end();
}

static void test_thread_pointer(void)
{
	begin();
	EXPECT(aspace_fault(guest.task.aspace, uaddr(DATA_ADDR), TRAP_WRITE) == 0);
	for (uint64_t i = 0; i < 8; i++) {
		frame_set_tls(&guest.frame, DATA_ADDR + i * 8);
		guest_go(&guest, USER_STORE);
		guest.frame.rdi = DATA_ADDR + i * 8;
		guest.frame.rsi = 1000 + i;
		guest_run_to_call(&guest);
		guest_go(&guest, USER_TLS);
		guest_run_to_call(&guest);
		EXPECT(guest.frame.rsi == 1000 + i);
		EXPECT(frame_tls(&guest.frame) == DATA_ADDR + i * 8);
	}
	end();
}

/* Two threads of one address space take turns: each has its own registers of every kind. */
static void test_two_threads(void)
{
	begin();
	aspace_get(guest.task.aspace);
	guest_init(&second, guest.task.aspace);
	guest_go(&guest, USER_FPU);
	guest_go(&second, USER_FPU);
	guest.frame.rdi = 0x1111222233334444u;
	second.frame.rdi = 0x5555666677778888u;
	for (unsigned i = 0; i < 50; i++) {
		guest_run_to_call(&guest);
		EXPECT(i == 0 || guest.frame.rsi == 0x1111222233334444u);
		guest_run_to_call(&second);
		EXPECT(i == 0 || second.frame.rsi == 0x5555666677778888u);
	}
	/* An image that the kernel wrote is loaded. */
	arch_fpu_save(&guest.task);
	arch_fpu_save(&second.task);
	memcpy(guest.task.fpu, second.task.fpu, arch_fpu_size());
	arch_fpu_changed(&guest.task);
	guest_run_to_call(&guest);
	EXPECT(guest.frame.rsi == 0x5555666677778888u);
	arch_fpu_init(guest.task.fpu);
	arch_fpu_changed(&guest.task);
	guest_run_to_call(&guest);
	EXPECT(guest.frame.rsi == 0);
	guest_destroy(&second);
	aspace_put(guest.task.aspace);
	end();
}

const struct contract_test user_tests[] = {
	{"syscall", test_syscall},         {"registers", test_registers},
	{"exceptions", test_exceptions},   {"foreign-call", test_foreign_call},
	{"single-step", test_single_step}, {"preemption", test_preemption},
	{"timer-before-entry", test_timer_before_entry},
	{"thread-pointer", test_thread_pointer}, {"two-threads", test_two_threads},
	{NULL, NULL},
};
