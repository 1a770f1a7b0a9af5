/*
 * The end: each way says in one line why the machine turns off. The statuses are those of the hosted
 * machine (docs/levitate.1); a test device passes them on where the emulator has one.
 */
#include "abi/errno.h"
#include "arch/machine.h"
#include "lib/assert.h"
#include "lib/printf.h"
#include "metal/internal.h"
#include "mm/aspace.h"
#include "sched/task.h"
#include "trace/names.h"

#define STATUS_OWN_ERROR 125
#define STATUS_NOT_EXECUTABLE 126
#define STATUS_NOT_FOUND 127

static const char *text_of(int error)
{
	const char *text = errno_text(error);

	return text != NULL ? text : "unknown error";
}

/* By its own reboot(2) a program turns the machine off without an end of init. */
static bool has_init_ended(void)
{
	const struct task *t = current_task();

	return t->process != NULL && t->process->nr_tasks == 0;
}

/* audit, audit=end: the last one, when everything but init is gone. */
static void audit(void)
{
	char text[8];
	unsigned nr_bad = metal_option("audit", text, sizeof(text)) ? mm_audit() : 0;

	if (nr_bad != 0)
		panic("audit at the end: %u violations", nr_bad);
}

void arch_power_off(int wait_status)
{
	const unsigned signal = (unsigned)wait_status & 0x7f, status = (unsigned)wait_status >> 8 & 0xff;

	audit();
	if (!has_init_ended())
		kprintf("power off\n");
	else if (signal != 0)
		kprintf("init was killed by signal %u\n", signal);
	else
		kprintf("init exited with status %u\n", status);
	machine_power_off(signal != 0 ? 128 + signal : status);
}

void arch_init_failed(int error, const char *path)
{
	unsigned status = error == ENOENT ? STATUS_NOT_FOUND : STATUS_NOT_EXECUTABLE;

	if (error == ENOMEM || error == EAGAIN)
		status = STATUS_OWN_ERROR;
	kprintf("cannot start init: %s: %s\n", path, text_of(error));
	machine_power_off(status);
}

void arch_boot_failed(int error, const char *what)
{
	if (what != NULL)
		kprintf("cannot start: %s: %s\n", what, text_of(error));
	machine_power_off(STATUS_OWN_ERROR);
}

void arch_reboot(void)
{
	kprintf("restart\n");
	machine_reboot();
}
