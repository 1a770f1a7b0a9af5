/*
 * The report of a panic: registers, back trace by frame pointers, the current task; and what comes
 * after it. Everything it reads may be broken: a frame pointer is followed only inside the stacks that
 * are known, and a crash of the report itself ends it.
 */
#include "arch/machine.h"
#include "lib/printf.h"
#include "metal/internal.h"
#include "sched/task.h"

#define DEPTH_MAX 32u
#define NS_PER_SECOND UINT64_C(1000000000)
#define STATUS_PANIC 70

static unsigned nr_reports;

static bool is_within(uint64_t address, uint64_t start, uint64_t size_bytes)
{
	return address >= start && address - start <= size_bytes - 2 * sizeof(uint64_t);
}

bool metal_is_on_stack(uint64_t address)
{
	const struct task *t = current_task();

	if (address % sizeof(uint64_t) != 0)
		return false;
	return is_within(address, (uint64_t)rodata_end, (uint64_t)(image_end - rodata_end)) ||
	       (t != NULL && t->kernel_stack != NULL &&
		is_within(address, (uint64_t)t->kernel_stack, KERNEL_STACK_BYTES));
}

/* is_return: the call is before it, and may be the last instruction of its function. */
static void print_address(uint64_t pc, bool is_return)
{
	const char *name;
	uint64_t offset;

	if (symbol_find(pc - is_return, &name, &offset))
		kprintf("  %#llx %s+%#llx\n", (unsigned long long)pc, name, (unsigned long long)offset + is_return);
	else
		kprintf("  %#llx\n", (unsigned long long)pc);
}

static void print_callers(uint64_t fp)
{
	for (unsigned i = 0; i < DEPTH_MAX && metal_is_on_stack(fp); i++) {
		const uint64_t *frame = (const uint64_t *)fp;

		if (frame[1] == 0)
			break;
		print_address(frame[1], true);
		if (frame[0] <= fp)
			break; /* callers are further up */
		fp = frame[0];
	}
}

static void print_task(void)
{
	const struct task *t = current_task();

	if (t == NULL)
		kprintf("task: none, the kernel is starting\n");
	else
		kprintf("task: %.*s, pid %d, tid %d\n", TASK_NAME_MAX, t->name,
			t->process != NULL ? t->process->pid : 0, t->tid);
}

/* ---- and then ------------------------------------------------------------ */

static NORETURN void restart_after(uint64_t seconds)
{
	const uint64_t start_ns = arch_time_ns();

	kprintf("restarting in %llu s\n", (unsigned long long)seconds);
	while (arch_time_ns() - start_ns < seconds * NS_PER_SECOND)
		;
	machine_reboot();
}

/* Stops, waits and restarts, or powers off: as panic= says. */
static NORETURN void crash_stop(void)
{
	char text[16];
	const char *at = text;
	uint64_t seconds;

	if (!metal_option("panic", text, sizeof(text)))
		machine_halt();
	if (text[0] == '-')
		machine_reboot();
	if (text[0] == 'p') /* poweroff */
		machine_power_off(STATUS_PANIC);
	if (option_number(&at, &seconds) && seconds != 0)
		restart_after(seconds);
	machine_halt();
}

/* ---- the report ---------------------------------------------------------- */

/* A jump to nowhere has left its function without a frame: then the return address is shown too. */
static void print_frame(const struct trap_frame *frame)
{
	const char *name;
	uint64_t offset, back;

	print_address(frame_pc(frame), false);
	if (symbol_find(frame_pc(frame), &name, &offset))
		return;
	back = machine_return_address(frame);
	if (back != 0)
		print_address(back, true);
}

void metal_crash(const char *reason, const struct trap_frame *frame)
{
	if (nr_reports++ == 0) {
		kprintf("kernel panic: %s\n", reason);
		machine_print_registers(frame);
		kprintf("back trace:\n");
		print_frame(frame);
		print_callers(frame_fp(frame));
		print_task();
	} else if (nr_reports < 4) {
		kprintf("%s during the report\n", reason);
	}
	crash_stop();
}

/* panic() has printed its message. */
void arch_panic_stop(void)
{
	if (nr_reports++ == 0) {
		kprintf("back trace:\n");
		print_callers((uint64_t)__builtin_frame_address(0));
		print_task();
	}
	crash_stop();
}
