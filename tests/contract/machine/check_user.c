/* Contract tests of user mode: system calls, exceptions, interrupts, floating-point state. */
#include "abi/mman.h"
#include "contract.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include GUEST_HEADER

#define MS UINT64_C(1000000)

static struct guest g, h;
static struct aspace *as;

/* An address space with code and one page of data, and a guest in it. */
static bool begin(void)
{
	as = contract_aspace();
	if (as == NULL)
		return false;
	if (map_pages(as, DATA_VA, 2, PROT_READ | PROT_WRITE) && guest_create(&g, as)) {
		if (guest_access(&g, DATA_VA, TRAP_WRITE, NULL) == 0)
			return true;
		guest_destroy(&g);
	}
	aspace_put(as);
	return false;
}

static void end(void)
{
	guest_destroy(&g);
	aspace_put(as);
}

/* Runs the code with this stack pointer up to its system call. */
static bool run_to_call(struct guest *who, const char *code, uint64_t sp)
{
	struct event e;

	frame_init_user(&who->frame, GUEST_PC(code), sp);
	e = guest_run_past_interrupts(who);
	return e.kind == EVENT_SYSCALL && frame_syscall_nr(&who->frame) == GUEST_CALL;
}

/* ---- system calls -------------------------------------------------------- */

static void test_syscall_arguments(void)
{
	REQUIRE(begin());
	CHECK(run_to_call(&g, guest_args, DATA_VA));
	for (unsigned i = 0; i < 6; i++)
		CHECK(frame_arg(&g.frame, i) == 11 * (i + 1));
	CHECK(frame_sp(&g.frame) == DATA_VA);
	CHECK(frame_pc(&g.frame) > GUEST_PC(guest_args) && frame_pc(&g.frame) < GUEST_PC(guest_code_end));
	end();
}

static void test_syscall_result(void)
{
	REQUIRE(begin());
	CHECK(run_to_call(&g, guest_args, DATA_VA));
	frame_set_result(&g.frame, -12345678901);
	CHECK(guest_run_past_interrupts(&g).kind == EVENT_SYSCALL);
	CHECK((int64_t)frame_arg(&g.frame, 0) == -12345678901);
	CHECK(frame_arg(&g.frame, 1) == 22 && frame_arg(&g.frame, 5) == 66);
	end();
}

static void test_syscall_restart(void)
{
	uint64_t pc;

	REQUIRE(begin());
	CHECK(run_to_call(&g, guest_args, DATA_VA));
	pc = frame_pc(&g.frame);
	frame_restart_syscall(&g.frame, GUEST_CALL);
	CHECK(guest_run_past_interrupts(&g).kind == EVENT_SYSCALL);
	CHECK(frame_pc(&g.frame) == pc && frame_syscall_nr(&g.frame) == GUEST_CALL);
	CHECK(frame_arg(&g.frame, 1) == 22);
	end();
}

static void test_registers(void)
{
	static const unsigned char kept[] = {GUEST_KEPT_REGISTERS};
	uint64_t *words = (uint64_t *)&g.frame;

	REQUIRE(begin());
	for (unsigned round = 1; round < 20; round++) {
		frame_init_user(&g.frame, GUEST_PC(guest_call), DATA_VA);
		for (unsigned i = 0; i < sizeof(kept); i++)
			words[kept[i]] = UINT64_C(0x0101010101010101) * (i + round);
		CHECK(guest_run_past_interrupts(&g).kind == EVENT_SYSCALL);
		for (unsigned i = 0; i < sizeof(kept); i++)
			CHECK(words[kept[i]] == UINT64_C(0x0101010101010101) * (i + round));
		CHECK(frame_sp(&g.frame) == DATA_VA);
	}
	end();
}

static void test_thread_pointer(void)
{
	REQUIRE(begin());
	frame_init_user(&g.frame, GUEST_PC(guest_call), DATA_VA);
	frame_set_tls(&g.frame, DATA_VA + 64);
	CHECK(guest_run_past_interrupts(&g).kind == EVENT_SYSCALL);
	CHECK(frame_tls(&g.frame) == DATA_VA + 64);
	end();
}

static void test_many_calls(void)
{
	REQUIRE(begin());
	for (unsigned i = 0; i < 2000; i++)
		REQUIRE(run_to_call(&g, guest_call, DATA_VA));
	end();
}

/* ---- exceptions and interrupts ------------------------------------------- */

static void test_exceptions(void)
{
	static const struct {
		const char *code;
		enum trap_exception what;
	} cases[] = {GUEST_EXCEPTIONS};

	REQUIRE(begin());
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct event e;

		frame_init_user(&g.frame, GUEST_PC(cases[i].code), DATA_VA + 64);
		e = guest_run_past_interrupts(&g);
		CHECK(e.kind == EVENT_EXCEPTION);
		CHECK(e.what == cases[i].what);
		CHECK(run_to_call(&g, guest_call, DATA_VA)); /* and user mode goes on */
	}
	end();
}

static void test_timer_interrupts_a_loop(void)
{
	struct event e;

	REQUIRE(begin());
	for (unsigned i = 0; i < 5; i++) {
		uint64_t deadline = arch_time_ns() + 2 * MS;

		frame_init_user(&g.frame, GUEST_PC(guest_spin), DATA_VA);
		arch_timer_set(deadline);
		do
			e = guest_run(&g);
		while (e.kind == EVENT_INTERRUPT && (e.what & IRQ_TIMER) == 0);
		CHECK(e.kind == EVENT_INTERRUPT);
		CHECK(arch_time_ns() >= deadline);
		CHECK(frame_pc(&g.frame) == GUEST_PC(guest_spin));
		CHECK(frame_sp(&g.frame) == DATA_VA);
	}
	end();
}

/* A timer that is due before, while and after user mode is entered is never lost. */
static void test_timer_around_entry(void)
{
	REQUIRE(begin());
	for (unsigned i = 0; i < 4000; i++) {
		frame_init_user(&g.frame, GUEST_PC(guest_spin), DATA_VA);
		arch_timer_set(arch_time_ns() + i % 97 * 300);
		CHECK(guest_run(&g).kind == EVENT_INTERRUPT);
	}
	end();
}

/* A wild program counter or stack pointer is the guest's trouble alone. */
static void test_wild_registers(void)
{
	const uint64_t wild[] = {0, 1, arch_user_end(), arch_user_end() - 1, UINT64_C(0x0000800000000000),
				 UINT64_C(0x0008000000000000), UINT64_C(0xffff800000000000), UINT64_MAX};

	REQUIRE(begin());
	for (unsigned i = 0; i < ARRAY_SIZE(wild); i++) {
		struct event e;

		frame_init_user(&g.frame, wild[i], DATA_VA);
		e = guest_run_past_interrupts(&g);
		CHECK(e.kind == EVENT_FAULT || e.kind == EVENT_EXCEPTION);
		if (e.kind == EVENT_FAULT)
			CHECK(aspace_fault(as, uaddr(e.addr), e.what) != 0);
		frame_init_user(&g.frame, GUEST_PC(guest_read), wild[i]);
		e = guest_run_past_interrupts(&g);
		CHECK(e.kind == EVENT_FAULT || e.kind == EVENT_EXCEPTION);
		CHECK(run_to_call(&g, guest_call, DATA_VA));
	}
	end();
}

/* ---- floating point ------------------------------------------------------ */

static void test_fpu_image(void)
{
	void *image;

	REQUIRE(arch_fpu_size() > 0);
	image = kmalloc(arch_fpu_size());
	REQUIRE(image != NULL);
	arch_fpu_init(image);
	CHECK(arch_fpu_valid(image));
	kfree(image);
}

static void test_fpu_survives(void)
{
	REQUIRE(begin());
	CHECK(run_to_call(&g, guest_fpu_get, DATA_VA));
	CHECK(frame_arg(&g.frame, 0) == 0); /* as arch_fpu_init() says */
	CHECK(run_to_call(&g, guest_fpu_set, DATA_VA + 0x80));
	CHECK(run_to_call(&g, guest_call, DATA_VA));
	CHECK(run_to_call(&g, guest_fpu_get, DATA_VA));
	CHECK(frame_arg(&g.frame, 0) == DATA_VA + 0x80);
	end();
}

static void test_fpu_save_and_change(void)
{
	void *image;

	REQUIRE(begin());
	image = kmalloc(arch_fpu_size());
	REQUIRE(image != NULL);
	CHECK(run_to_call(&g, guest_fpu_set, DATA_VA + 0x80));
	arch_fpu_save(&g.task);
	memcpy(image, g.task.fpu, arch_fpu_size());
	CHECK(arch_fpu_valid(image));
	CHECK(run_to_call(&g, guest_fpu_set, DATA_VA + 0x90));
	memcpy(g.task.fpu, image, arch_fpu_size());
	arch_fpu_changed(&g.task);
	CHECK(run_to_call(&g, guest_fpu_get, DATA_VA));
	CHECK(frame_arg(&g.frame, 0) == DATA_VA + 0x80);
	kfree(image);
	end();
}

/* To another place, over whatever is there, whether the state is in registers or saved already. */
static void check_fpu_store(char *image, uint64_t value)
{
	const size_t size = arch_fpu_size();

	memset(image, 0xff, size);
	arch_fpu_store(&g.task, image);
	CHECK(arch_fpu_valid(image));
	CHECK(run_to_call(&g, guest_fpu_set, DATA_VA + 0x90));
	memcpy(g.task.fpu, image, size);
	arch_fpu_changed(&g.task);
	CHECK(run_to_call(&g, guest_fpu_get, DATA_VA));
	CHECK(frame_arg(&g.frame, 0) == value);
}

static void test_fpu_store(void)
{
	char *room, *image, *before;

	REQUIRE(begin());
	room = kmalloc(arch_fpu_size() + 63);
	before = kmalloc(arch_fpu_size());
	REQUIRE(room != NULL && before != NULL);
	image = room + (-(uintptr_t)room & 63);
	CHECK(run_to_call(&g, guest_fpu_set, DATA_VA + 0x80));
	memcpy(before, g.task.fpu, arch_fpu_size());
	arch_fpu_store(&g.task, image);
	CHECK(memcmp(before, g.task.fpu, arch_fpu_size()) == 0);
	check_fpu_store(image, DATA_VA + 0x80);
	CHECK(run_to_call(&g, guest_fpu_set, DATA_VA + 0xa0));
	arch_fpu_save(&g.task);
	check_fpu_store(image, DATA_VA + 0xa0);
	kfree(before);
	kfree(room);
	end();
}

/* Two threads of one address space have each their own registers. */
static void test_fpu_threads(void)
{
	REQUIRE(begin());
	REQUIRE(guest_create(&h, as));
	aspace_get(as);
	for (unsigned i = 1; i < 20; i++) {
		CHECK(run_to_call(&g, guest_fpu_set, DATA_VA + 16 * i));
		CHECK(run_to_call(&h, guest_fpu_set, DATA_VA + 16 * i + 8 * 64));
		CHECK(run_to_call(&g, guest_fpu_get, DATA_VA));
		CHECK(frame_arg(&g.frame, 0) == DATA_VA + 16 * i);
		CHECK(run_to_call(&h, guest_fpu_get, DATA_VA));
		CHECK(frame_arg(&h.frame, 0) == DATA_VA + 16 * i + 8 * 64);
	}
	guest_destroy(&h);
	aspace_put(as);
	end();
}

/* An image full of ones: either it is refused, or it can be loaded without harm. */
static void test_fpu_hostile_image(void)
{
	REQUIRE(begin());
	memset(g.task.fpu, 0xff, arch_fpu_size());
	if (!arch_fpu_valid(g.task.fpu))
		arch_fpu_init(g.task.fpu);
	arch_fpu_changed(&g.task);
	CHECK(run_to_call(&g, guest_fpu_get, DATA_VA));
	end();
}

const struct contract_test user_tests[] = {
	{"syscall: number, arguments, registers", test_syscall_arguments},
	{"syscall: the result arrives, the rest is kept", test_syscall_result},
	{"syscall: is made again after a restart", test_syscall_restart},
	{"syscall: two thousand in a row", test_many_calls},
	{"user: general registers go in and come out", test_registers},
	{"user: the thread pointer is kept", test_thread_pointer},
	{"user: each exception has its upcall", test_exceptions},
	{"user: the timer interrupts a loop", test_timer_interrupts_a_loop},
	{"user: a timer due while user mode is entered", test_timer_around_entry},
	{"user: wild registers trap, and no more", test_wild_registers},
	{"fpu: the first image is valid", test_fpu_image},
	{"fpu: state survives traps", test_fpu_survives},
	{"fpu: an image saved and put back is loaded", test_fpu_save_and_change},
	{"fpu: state is stored elsewhere", test_fpu_store},
	{"fpu: threads do not share it", test_fpu_threads},
	{"fpu: a hostile image does no harm", test_fpu_hostile_image},
	{NULL, NULL},
};
