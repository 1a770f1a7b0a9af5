/*
 * The kernel of the contract tests: kernel_main() and the upcalls, which the
 * linker's --wrap puts in place of the core's. Sets up frames, heap and address
 * spaces, runs every test, turns the machine off with status 0 or 1.
 *
 * A guest's kernel context stays inside arch_user_enter(): an upcall switches to
 * the test, guest_run() switches back. Locks: none, nothing here runs at the same time.
 */
#include "abi/errno.h"
#include "abi/mman.h"
#include "contract.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "sched/cpu.h"

NORETURN void __wrap_kernel_main(const struct boot_info *boot);
void __wrap_trap_syscall(struct trap_frame *frame);
void __wrap_trap_page_fault(struct trap_frame *frame, uaddr_t addr, unsigned access);
void __wrap_trap_exception(struct trap_frame *frame, enum trap_exception what, uaddr_t addr);
void __wrap_trap_interrupt(struct trap_frame *frame, unsigned what);

static const struct boot_info *boot_info;
static struct task kernel_task;          /* current_task() while a test runs */
static struct process kernel_process;
static struct arch_context test_context; /* the tests', while a guest runs */
static unsigned nr_failed_checks, idle_interrupts;

const struct boot_info *contract_boot_info(void) { return boot_info; }
unsigned interrupts_seen(void) { return idle_interrupts; }
void interrupts_forget(void) { idle_interrupts = 0; }

void say(const char *fmt, ...)
{
	char text[256];
	va_list args;
	int n;

	va_start(args, fmt);
	n = kvsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	arch_console_write(text, (size_t)MIN(n, (int)sizeof(text) - 1));
}

void check_failed(const char *file, int line, const char *what)
{
	nr_failed_checks++;
	say("# %s:%d: failed: %s\n", file, line, what);
}

/* ---- upcalls ------------------------------------------------------------- */

static void report(struct trap_frame *frame, struct event event)
{
	struct guest *g = CONTAINER_OF(current_task(), struct guest, task);

	ASSERT(current_task() != &kernel_task);
	CHECK(frame == &g->frame);
	CHECK(g->event.kind == EVENT_NONE); /* one upcall each time user mode is left */
	g->event = event;
	arch_context_switch(&g->kernel, &test_context);
}

void __wrap_trap_syscall(struct trap_frame *frame) { report(frame, (struct event){.kind = EVENT_SYSCALL}); }

void __wrap_trap_page_fault(struct trap_frame *frame, uaddr_t addr, unsigned access)
{
	report(frame, (struct event){EVENT_FAULT, addr.raw, access});
}

void __wrap_trap_exception(struct trap_frame *frame, enum trap_exception what, uaddr_t addr)
{
	report(frame, (struct event){EVENT_EXCEPTION, addr.raw, what});
}

void __wrap_trap_interrupt(struct trap_frame *frame, unsigned what)
{
	CHECK(what != 0 && (what & ~(unsigned)(IRQ_TIMER | IRQ_CONSOLE | IRQ_OTHER)) == 0);
	if (frame == NULL)
		idle_interrupts |= what;
	else
		report(frame, (struct event){EVENT_INTERRUPT, 0, what});
}

/* ---- guests -------------------------------------------------------------- */

static void guest_main(void *arg)
{
	(void)arg;
	arch_user_enter();
}

bool guest_create(struct guest *g, struct aspace *as)
{
	static int next_tid = 2;

	memset(g, 0, sizeof(*g));
	g->task.tid = next_tid++;
	g->task.process = &kernel_process;
	g->task.aspace = as;
	g->task.frame = &g->frame;
	g->task.kernel_stack = kmalloc(KERNEL_STACK_BYTES);
	g->task.fpu = kmalloc(arch_fpu_size());
	if (g->task.kernel_stack == NULL || g->task.fpu == NULL) {
		kfree(g->task.kernel_stack);
		kfree(g->task.fpu);
		return false;
	}
	arch_fpu_init(g->task.fpu);
	arch_context_init(&g->kernel, g->task.kernel_stack, KERNEL_STACK_BYTES, guest_main, g);
	return true;
}

void guest_destroy(struct guest *g)
{
	arch_fpu_save(&g->task);
	arch_fpu_changed(&g->task);
	arch_context_destroy(&g->kernel);
	kfree(g->task.kernel_stack);
	kfree(g->task.fpu);
}

struct event guest_run(struct guest *g)
{
	g->event = (struct event){0};
	arch_cpu()->current = &g->task;
	arch_mmu_switch(g->task.aspace);
	arch_context_switch(&test_context, &g->kernel);
	arch_cpu()->current = &kernel_task;
	return g->event;
}

struct event guest_run_past_interrupts(struct guest *g)
{
	struct event e;

	do
		e = guest_run(g);
	while (e.kind == EVENT_INTERRUPT);
	return e;
}

int guest_access(struct guest *g, uint64_t va, unsigned access, unsigned *nr_faults)
{
	const char *code = access == TRAP_READ ? guest_read : guest_write;

	frame_init_user(&g->frame, access == TRAP_EXEC ? va : GUEST_PC(code), access == TRAP_EXEC ? DATA_VA : va);
	for (unsigned i = 0; i < 16; i++) {
		struct event e = guest_run_past_interrupts(g);
		int r;

		if (e.kind == EVENT_SYSCALL) {
			CHECK(frame_syscall_nr(&g->frame) == GUEST_CALL);
			return 0;
		}
		if (e.kind != EVENT_FAULT)
			break;
		if (e.addr != va && page_round_down(e.addr) == CODE_VA) {
			/* The code page itself: any machine may miss there. */
			if (aspace_fault(g->task.aspace, uaddr(e.addr), e.what) != 0)
				break;
			continue;
		}
		CHECK(e.addr == va);
		CHECK(e.what == access);
		if (nr_faults != NULL)
			++*nr_faults;
		r = aspace_fault(g->task.aspace, uaddr(e.addr), e.what);
		if (r != 0)
			return r;
	}
	CHECK(!"the upcalls of one access make sense");
	return NO_SENSE;
}

/* ---- memory -------------------------------------------------------------- */

bool map_pages(struct aspace *as, uint64_t va, unsigned nr_pages, unsigned prot)
{
	struct mmap_args args = {.addr = va, .length_bytes = nr_pages * PAGE_SIZE, .prot = prot,
				 .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE};

	return aspace_mmap(as, &args) == (int64_t)va;
}

struct aspace *contract_aspace(void)
{
	struct aspace *as;

	if (aspace_create(NULL, &as) != 0)
		return NULL;
	if (!map_pages(as, CODE_VA, 1, PROT_READ | PROT_EXEC) ||
	    copy_to_user_forced(as, uaddr(CODE_VA), guest_code, (size_t)(guest_code_end - guest_code)) != 0) {
		aspace_put(as);
		return NULL;
	}
	return as;
}

/* ---- the run ------------------------------------------------------------- */

static unsigned count(const struct contract_test *tests)
{
	unsigned nr = 0;

	while (tests[nr].name != NULL)
		nr++;
	return nr;
}

static void set_up(const struct boot_info *boot)
{
	boot_info = boot;
	frame_init(boot);
	kmalloc_init();
	kernel_task.tid = 1;
	str_copy(kernel_task.name, "contract", sizeof(kernel_task.name));
	kernel_task.process = &kernel_process;
	arch_cpu()->current = arch_cpu()->idle = &kernel_task;
	aspace_init();
}

void __wrap_kernel_main(const struct boot_info *boot)
{
	const struct contract_test *const suites[] = {cpu_tests, user_tests, mmu_tests};
	unsigned nr = 0, nr_failed = 0;

	set_up(boot);
	contract_crash(boot->cmdline);
	for (unsigned s = 0; s < ARRAY_SIZE(suites); s++)
		nr += count(suites[s]);
	say("KTAP version 1\n1..%u\n", nr);
	nr = 0;
	for (unsigned s = 0; s < ARRAY_SIZE(suites); s++) {
		for (const struct contract_test *t = suites[s]; t->name != NULL; t++) {
			unsigned before = nr_failed_checks;

			t->run();
			nr_failed += nr_failed_checks != before;
			say("%sok %u - %s\n", nr_failed_checks != before ? "not " : "", ++nr, t->name);
		}
	}
	say("# %u tests, %u failed\n", nr, nr_failed);
	arch_power_off(nr_failed != 0 ? 1 << 8 : 0);
}
