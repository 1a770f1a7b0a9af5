/* The suite's frame: boot, guests, upcalls, report. See contract.h. */
#include "contract.h"

#include "abi/mman.h"
#include "lib/assert.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"

#define STACK_BYTES (32 * 1024)

extern const char user_code[], user_code_end[];
extern const uint64_t user_code_symbols[];

NORETURN void __wrap_kernel_main(const struct boot_info *boot);
void __wrap_trap_syscall(struct trap_frame *frame);
void __wrap_trap_page_fault(struct trap_frame *frame, uaddr_t addr, unsigned access);
void __wrap_trap_exception(struct trap_frame *frame, enum trap_exception what, uaddr_t addr);
void __wrap_trap_interrupt(struct trap_frame *frame, unsigned what);

static struct task main_task;
static struct arch_context main_context;
static struct guest *running;
static struct event event;
static unsigned idle_interrupts;
static unsigned nr_failures;

void contract_failed(const char *file, int line, const char *what)
{
	kprintf("%s:%d: not so: %s\n", file, line, what);
	nr_failures++;
}

/* ---- upcalls: each goes back to the test --------------------------------- */

static void report(struct trap_frame *frame, struct event e)
{
	struct guest *me = running;

	EXPECT(frame == &me->frame);
	event = e;
	arch_cpu()->current = &main_task;
	arch_context_switch(&me->context, &main_context);
}

void __wrap_trap_syscall(struct trap_frame *frame) { report(frame, (struct event){.kind = EVENT_SYSCALL}); }

void __wrap_trap_page_fault(struct trap_frame *frame, uaddr_t addr, unsigned access)
{
	report(frame, (struct event){.kind = EVENT_FAULT, .addr = addr, .access = access});
}

void __wrap_trap_exception(struct trap_frame *frame, enum trap_exception what, uaddr_t addr)
{
	report(frame, (struct event){.kind = EVENT_EXCEPTION, .what = what, .addr = addr});
}

void __wrap_trap_interrupt(struct trap_frame *frame, unsigned what)
{
	if (frame == NULL)
		idle_interrupts |= what;
	else
		report(frame, (struct event){.kind = EVENT_INTERRUPT, .what = what});
}

unsigned contract_take_idle_interrupts(void)
{
	unsigned taken = idle_interrupts;

	idle_interrupts = 0;
	return taken;
}

/* ---- guests -------------------------------------------------------------- */

static void map_pages(struct aspace *as, uint64_t addr, unsigned nr_pages, unsigned prot)
{
	const struct mmap_args args = {.addr = addr, .length_bytes = nr_pages * PAGE_SIZE, .prot = prot,
				       .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED};

	ASSERT(aspace_mmap(as, &args) == (int64_t)addr);
}

struct aspace *guest_aspace(void)
{
	struct aspace *as;

	ASSERT(aspace_create(NULL, &as) == 0);
	map_pages(as, CODE_ADDR, 1, PROT_READ | PROT_WRITE);
	ASSERT(copy_to_user_in(as, uaddr(CODE_ADDR), user_code, (size_t)(user_code_end - user_code)) == 0);
	ASSERT(aspace_mprotect(as, CODE_ADDR, PAGE_SIZE, PROT_READ | PROT_EXEC) == 0);
	map_pages(as, DATA_ADDR, DATA_PAGES, PROT_READ | PROT_WRITE);
	map_pages(as, STACK_ADDR, 1, PROT_READ | PROT_WRITE);
	ASSERT(aspace_fault(as, uaddr(CODE_ADDR), TRAP_EXEC) == 0);
	ASSERT(aspace_fault(as, uaddr(STACK_ADDR), TRAP_WRITE) == 0);
	return as;
}

static void guest_main(void *arg)
{
	(void)arg;
	arch_user_enter();
}

void guest_init(struct guest *g, struct aspace *as)
{
	memset(g, 0, sizeof(*g));
	g->task.aspace = as;
	g->task.frame = &g->frame;
	g->task.fpu = kmalloc(ALIGN_UP(arch_fpu_size(), PAGE_SIZE));
	g->stack = kmalloc(STACK_BYTES);
	ASSERT(g->task.fpu != NULL && g->stack != NULL);
	arch_fpu_init(g->task.fpu);
	arch_fpu_changed(&g->task);
	frame_init_user(&g->frame, CODE_ADDR, STACK_ADDR + PAGE_SIZE - 64);
	arch_context_init(&g->context, g->stack, STACK_BYTES, guest_main, g);
}

void guest_destroy(struct guest *g)
{
	arch_context_destroy(&g->context);
	kfree(g->stack);
	kfree(g->task.fpu);
}

void guest_go(struct guest *g, enum user_entry entry)
{
	frame_set_pc(&g->frame, CODE_ADDR + user_code_symbols[entry]);
}

struct event guest_run(struct guest *g)
{
	event.kind = EVENT_NONE;
	running = g;
	arch_mmu_switch(g->task.aspace);
	arch_cpu()->current = &g->task;
	arch_context_switch(&main_context, &g->context);
	return event;
}

void guest_run_to_call(struct guest *g)
{
	struct event e = guest_run(g);

	EXPECT(e.kind == EVENT_SYSCALL);
}

/* ---- the suite ----------------------------------------------------------- */

static void run_tests(const struct contract_test *tests)
{
	for (; tests->name != NULL; tests++) {
		unsigned before = nr_failures;

		tests->run();
		kprintf("%s %s\n", nr_failures == before ? "ok" : "FAILED", tests->name);
	}
}

NORETURN void __wrap_kernel_main(const struct boot_info *boot)
{
	EXPECT(boot->nr_ranges > 0 && boot->nr_ranges <= BOOT_RANGES_MAX);
	frame_init(boot);
	kmalloc_init();
	aspace_init();
	arch_cpu()->current = &main_task;
	run_tests(machine_tests);
	run_tests(user_tests);
	run_tests(mmu_tests);
	arch_power_off(nr_failures == 0 ? 0 : 1 << 8);
}
