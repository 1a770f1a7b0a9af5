/* Contract tests without user mode: boot information, time, timer, randomness, kernel contexts. */
#include "contract.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "sched/cpu.h"

#define MS UINT64_C(1000000)
#define FAR (60000 * MS)

/* ---- boot ---------------------------------------------------------------- */

static void test_boot_info(void)
{
	const struct boot_info *b = contract_boot_info();
	uint64_t end = 0;

	CHECK(b->nr_ranges >= 1 && b->nr_ranges <= BOOT_RANGES_MAX);
	for (unsigned i = 0; i < b->nr_ranges; i++) {
		CHECK(page_offset(b->ranges[i].start.raw) == 0 && page_offset(b->ranges[i].end.raw) == 0);
		CHECK(b->ranges[i].start.raw >= end && b->ranges[i].end.raw > b->ranges[i].start.raw);
		end = b->ranges[i].end.raw;
	}
	CHECK(b->cmdline != NULL);
	CHECK(b->realtime_ns > UINT64_C(1000000000000000000)); /* later than 2001 */
}

static void test_physical_memory(void)
{
	const struct boot_info *b = contract_boot_info();
	pfn_t pfn = frame_alloc(FRAME_ANON);
	uint64_t *words;

	REQUIRE(!pfn_is_none(pfn));
	words = pfn_to_ptr(pfn);
	CHECK((char *)words == arch_phys_base + pfn_to_phys(pfn).raw);
	CHECK(pfn_to_phys(pfn).raw >= b->ranges[0].start.raw &&
	      pfn_to_phys(pfn).raw < b->ranges[b->nr_ranges - 1].end.raw);
	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		words[i] = i * UINT64_C(0x9e3779b97f4a7c15);
	for (unsigned i = 0; i < PAGE_SIZE / 8; i++)
		CHECK(words[i] == i * UINT64_C(0x9e3779b97f4a7c15));
	frame_put(pfn);
}

static void test_cpu_block(void)
{
	CHECK(arch_cpu() != NULL);
	CHECK(arch_cpu() == arch_cpu());
	CHECK(arch_user_end() > ARCH_USER_MIN && page_offset(arch_user_end()) == 0);
	CHECK(arch_fault_window_pages() != 0 && (arch_fault_window_pages() & (arch_fault_window_pages() - 1)) == 0);
}

/* ---- time ---------------------------------------------------------------- */

static void test_time_monotonic(void)
{
	uint64_t before = arch_time_ns(), start = before, now;

	for (unsigned i = 0; i < 10000; i++) {
		now = arch_time_ns();
		CHECK(now >= before);
		before = now;
	}
	CHECK(now > start);
}

/* Idles until the timer's interrupt; returns the time then. */
static uint64_t wait_for_timer(void)
{
	interrupts_forget();
	while ((interrupts_seen() & IRQ_TIMER) == 0)
		arch_cpu_idle();
	return arch_time_ns();
}

static void test_timer_fires(void)
{
	const uint64_t deadline = arch_time_ns() + 5 * MS;

	arch_timer_set(deadline);
	CHECK(wait_for_timer() >= deadline);
	CHECK(arch_time_ns() < deadline + 5000 * MS);
}

static void test_timer_in_the_past(void)
{
	const uint64_t now = arch_time_ns();

	arch_timer_set(0);
	CHECK(wait_for_timer() < now + 5000 * MS);
	arch_timer_set(now);
	CHECK(wait_for_timer() < now + 5000 * MS);
}

static void test_timer_moves(void)
{
	const uint64_t now = arch_time_ns();

	arch_timer_set(now + 2 * MS);
	arch_timer_set(now + 30 * MS);
	CHECK(wait_for_timer() >= now + 30 * MS);
	arch_timer_set(arch_time_ns() + FAR);
	arch_timer_set(arch_time_ns() + 2 * MS);
	CHECK(wait_for_timer() < now + FAR);
}

static void test_timer_is_one_shot(void)
{
	struct guest g;
	struct aspace *as = contract_aspace();
	unsigned nr_timer = 0;
	uint64_t until;

	REQUIRE(as != NULL);
	REQUIRE(guest_create(&g, as));
	arch_timer_set(arch_time_ns() + 2 * MS);
	wait_for_timer();
	/* Nothing is set now: no second interrupt comes while the guest calls the kernel again and again. */
	until = arch_time_ns() + 20 * MS;
	while (arch_time_ns() < until) {
		struct event e;

		frame_init_user(&g.frame, GUEST_PC(guest_call), DATA_VA);
		e = guest_run(&g);
		if (e.kind == EVENT_FAULT) {
			REQUIRE(aspace_fault(as, uaddr(e.addr), e.what) == 0);
			continue;
		}
		nr_timer += e.kind == EVENT_INTERRUPT && (e.what & IRQ_TIMER) != 0;
	}
	CHECK(nr_timer == 0);
	guest_destroy(&g);
	aspace_put(as);
}

static void test_random(void)
{
	uint8_t a[67], b[67];
	unsigned nr_equal = 0;

	memset(a, 0, sizeof(a));
	memset(b, 0, sizeof(b));
	arch_random(a + 1, 65);
	arch_random(b + 1, 65);
	CHECK(a[0] == 0 && a[66] == 0 && b[0] == 0 && b[66] == 0);
	for (unsigned i = 1; i < 66; i++)
		nr_equal += a[i] == b[i];
	CHECK(nr_equal < 20);
	arch_random(a, 0);
	CHECK(a[0] == 0);
}

/* ---- contexts ------------------------------------------------------------ */

static struct {
	struct arch_context test, other;
	char *stack;
	void *seen_arg;
	uintptr_t seen_sp;
	unsigned nr_rounds, nr_changed;
} ctx;

/* Passes the turn back for ever, with other values in the registers. */
static void other_main(void *arg)
{
	volatile char here = 0;

	(void)here;
	ctx.seen_arg = arg;
	ctx.seen_sp = (uintptr_t)&here;
	for (;;) {
		ctx.nr_rounds++;
		ctx.nr_changed += contract_switch_with_pattern(&ctx.other, &ctx.test, 0xaaaa0000u + ctx.nr_rounds);
	}
}

static void context_start(void)
{
	ctx.nr_rounds = ctx.nr_changed = 0;
	arch_context_init(&ctx.other, ctx.stack, KERNEL_STACK_BYTES, other_main, &ctx);
}

static void test_context_starts(void)
{
	ctx.stack = kmalloc(KERNEL_STACK_BYTES);
	REQUIRE(ctx.stack != NULL);
	context_start();
	arch_context_switch(&ctx.test, &ctx.other);
	CHECK(ctx.seen_arg == &ctx);
	CHECK(ctx.nr_rounds == 1);
#if !defined(__SANITIZE_ADDRESS__) /* its locals may live elsewhere */
	CHECK(ctx.seen_sp >= (uintptr_t)ctx.stack && ctx.seen_sp < (uintptr_t)ctx.stack + KERNEL_STACK_BYTES);
#endif
	arch_context_destroy(&ctx.other);
	kfree(ctx.stack);
}

static void test_context_keeps_registers(void)
{
	unsigned nr_changed = 0;

	ctx.stack = kmalloc(KERNEL_STACK_BYTES);
	REQUIRE(ctx.stack != NULL);
	context_start();
	for (unsigned i = 0; i < 1000; i++)
		nr_changed += contract_switch_with_pattern(&ctx.test, &ctx.other, UINT64_C(0x5555000000000000) + i);
	CHECK(nr_changed == 0);
	CHECK(ctx.nr_changed == 0);
	CHECK(ctx.nr_rounds == 1000);
	arch_context_destroy(&ctx.other);
	kfree(ctx.stack);
}

static void test_context_stack_again(void)
{
	ctx.stack = kmalloc(KERNEL_STACK_BYTES);
	REQUIRE(ctx.stack != NULL);
	for (unsigned i = 0; i < 20; i++) {
		context_start();
		arch_context_switch(&ctx.test, &ctx.other);
		CHECK(ctx.nr_rounds == 1);
		arch_context_switch(&ctx.test, &ctx.other);
		CHECK(ctx.nr_rounds == 2);
		arch_context_destroy(&ctx.other);
	}
	kfree(ctx.stack);
}

const struct contract_test cpu_tests[] = {
	{"boot: memory ranges and the clock", test_boot_info},
	{"boot: physical memory is reached at arch_phys_base", test_physical_memory},
	{"cpu: the per-CPU block and the constants", test_cpu_block},
	{"time: never goes backwards", test_time_monotonic},
	{"timer: fires through arch_cpu_idle, not early", test_timer_fires},
	{"timer: a deadline in the past fires at once", test_timer_in_the_past},
	{"timer: can be set later and earlier", test_timer_moves},
	{"timer: fires once", test_timer_is_one_shot},
	{"random: fills just the buffer", test_random},
	{"context: starts on its stack with its argument", test_context_starts},
	{"context: callee-saved registers survive a switch", test_context_keeps_registers},
	{"context: a stack is used again", test_context_stack_again},
	{NULL, NULL},
};
