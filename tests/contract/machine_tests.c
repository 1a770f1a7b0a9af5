/* Contexts, time, interrupts outside user mode, randomness: the machine without user mode. */
#include "contract.h"

#include "lib/string.h"
#include "mm/kmalloc.h"

#define STACK_BYTES (16 * 1024)
#define MILLISECOND 1000000u

/* ---- contexts ------------------------------------------------------------ */

static struct arch_context main_context, other_context;
static unsigned nr_entries;
static void *seen_arg;
static uintptr_t seen_stack;

static void other_main(void *arg)
{
	volatile char local[64] __attribute__((aligned(16)));

	local[0] = 1;
	seen_arg = arg;
	seen_stack = (uintptr_t)local;
	for (;;) {
		nr_entries += (unsigned)local[0];
		arch_context_switch(&other_context, &main_context);
	}
}

static void test_context(void)
{
	char *stack = kmalloc(STACK_BYTES);

	arch_context_init(&other_context, stack, STACK_BYTES, other_main, &nr_entries);
	nr_entries = 0;
	for (unsigned i = 1; i <= 1000; i++) {
		arch_context_switch(&main_context, &other_context);
		EXPECT(nr_entries == i);
	}
	EXPECT(seen_arg == &nr_entries);
	EXPECT(seen_stack > (uintptr_t)stack && seen_stack < (uintptr_t)stack + STACK_BYTES);
	EXPECT(seen_stack % 16 == 0);
	arch_context_destroy(&other_context);
	kfree(stack);
}

/* ---- time ---------------------------------------------------------------- */

static void test_time(void)
{
	uint64_t last = arch_time_ns(), first = last;

	for (unsigned i = 0; i < 10000; i++) {
		uint64_t now = arch_time_ns();

		EXPECT(now >= last);
		last = now;
	}
	EXPECT(last > first);
}

static void test_timer(void)
{
	for (unsigned i = 0; i < 5; i++) {
		uint64_t deadline = arch_time_ns() + 3 * MILLISECOND;

		contract_take_idle_interrupts();
		arch_timer_set(deadline);
		arch_cpu_idle();
		EXPECT(contract_take_idle_interrupts() == IRQ_TIMER);
		EXPECT(arch_time_ns() >= deadline);
	}
}

/* The last deadline set is the one that counts, whether it is later or earlier. */
static void test_timer_moved(void)
{
	uint64_t start = arch_time_ns();

	arch_timer_set(start + 2 * MILLISECOND);
	arch_timer_set(start + 20 * MILLISECOND);
	arch_cpu_idle();
	EXPECT(arch_time_ns() >= start + 20 * MILLISECOND);
	start = arch_time_ns();
	arch_timer_set(start + 10000 * (uint64_t)MILLISECOND);
	arch_timer_set(start + 2 * MILLISECOND);
	arch_cpu_idle();
	EXPECT(arch_time_ns() < start + 5000 * (uint64_t)MILLISECOND);
	arch_timer_set(arch_time_ns() - 1); /* already over */
	arch_cpu_idle();
	EXPECT(contract_take_idle_interrupts() == IRQ_TIMER);
}

static void test_random(void)
{
	uint8_t a[64], b[64];

	memset(a, 0, sizeof(a));
	memset(b, 0, sizeof(b));
	arch_random(a, sizeof(a));
	arch_random(b, sizeof(b) - 1);
	EXPECT(memcmp(a, b, sizeof(a) - 1) != 0);
	EXPECT(b[sizeof(b) - 1] == 0);
}

static void test_constants(void)
{
	EXPECT(arch_user_end() % PAGE_SIZE == 0);
	EXPECT(arch_user_end() > (uint64_t)1 << 38);
	EXPECT(arch_fault_window_pages() > 0);
	EXPECT((arch_fault_window_pages() & (arch_fault_window_pages() - 1)) == 0);
	EXPECT(arch_fpu_size() >= 512);
}

static void test_fpu_image(void)
{
	uint8_t *image = kmalloc(ALIGN_UP(arch_fpu_size(), PAGE_SIZE));

	arch_fpu_init(image);
	EXPECT(arch_fpu_valid(image));
	image[27] = 0xff; /* reserved bits of MXCSR, resp. of the first component */
	EXPECT(!arch_fpu_valid(image));
	kfree(image);
}

const struct contract_test machine_tests[] = {
	{"context", test_context},       {"time", test_time},
	{"timer", test_timer},           {"timer-moved", test_timer_moved},
	{"random", test_random},         {"constants", test_constants},
	{"fpu-image", test_fpu_image},   {NULL, NULL},
};
