/*
 * System-call dispatch: the upcall trap_syscall(), and the table made from
 * table.def for the architecture we are compiled for. Numbers we do not
 * implement return ENOSYS and are logged once each.
 */
#include "abi/errno.h"
#include "lib/printf.h"
#include "sched/upcall.h"
#include "syscall/syscall.h"
#include "syscall/table.h"
#include "trace/report.h"
#include "trace/trace.h"

#define NONE SYSCALL_NR_MAX /* falls into the spare last slot */

#define SYSCALL(name, x86_64, aarch64, format) SYSCALL_DECLARE(name);
#define NO_CALL(name, x86_64, aarch64)
#include "table.def"
#include "arch_calls.def"
#undef SYSCALL
#undef NO_CALL

static int64_t not_implemented(const uint64_t args[6]) __attribute__((cold));

/* The spare slot collects the calls of the other architecture: last one wins, none is used. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Woverride-init"
static const struct syscall_entry syscall_table[SYSCALL_NR_MAX + 1] = {
	[0 ... SYSCALL_NR_MAX] = {not_implemented, NULL, ""},
#define SYSCALL(name, x86_64, aarch64, format) [SYSCALL_NR(x86_64, aarch64)] = {sys_##name, #name, format},
#define NO_CALL(name, x86_64, aarch64) [SYSCALL_NR(x86_64, aarch64)] = {not_implemented, #name, ""},
#include "table.def"
#include "arch_calls.def"
#undef SYSCALL
#undef NO_CALL
};
#pragma GCC diagnostic pop

static uint64_t logged[(SYSCALL_NR_MAX + 63) / 64];
static uint64_t nr_calls;

uint64_t syscall_count(void) { return nr_calls; }

const struct syscall_entry *syscall_lookup(uint64_t nr)
{
	return nr < SYSCALL_NR_MAX && syscall_table[nr].name != NULL ? &syscall_table[nr] : NULL;
}

static int64_t not_implemented(const uint64_t args[6])
{
	uint64_t nr = current_task()->syscall_nr;
	const struct syscall_entry *entry = syscall_lookup(nr);

	(void)args;
	if (nr < SYSCALL_NR_MAX && (logged[nr / 64] >> (nr % 64) & 1) == 0) {
		logged[nr / 64] |= 1ull << (nr % 64);
		klog("system call %s (%llu) is not implemented, first used by %s (pid %d)\n",
		     entry != NULL ? entry->name : "?", (unsigned long long)nr, current_task()->name,
		     current_process()->pid);
	}
	return -ENOSYS;
}

static inline int64_t call(uint64_t nr, const uint64_t args[6])
{
	return nr < SYSCALL_NR_MAX ? syscall_table[nr].call(args) : not_implemented(args);
}

static __attribute__((cold, noinline)) int64_t traced_call(uint64_t nr, const uint64_t args[6])
{
	const uint64_t kept[6] = {args[0], args[1], args[2], args[3], args[4], args[5]};
	struct task *task = current_task();
	int64_t result;

	trace_enter(task, nr, kept);
	result = call(nr, kept);
	trace_leave(task, nr, kept, result);
	return result;
}

static inline bool is_restart(int64_t result) { return result >= -ERESTART_RESTARTBLOCK && result <= -ERESTARTSYS; }

/* The shortest way there is into the kernel and back: each instruction is in every call. */
void trap_syscall(struct trap_frame *frame)
{
	struct task *task = upcall_enter();
	const uint64_t *args = frame_args(frame);
	uint64_t nr = frame_syscall_nr(frame);
	struct history_event *event;
	int64_t result;

	nr_calls++;
	task->syscall_nr = nr;
	task->in_syscall = true;
	event = history_begin(task, (uint32_t)nr, args[0], args[1], args[2]);
	result = trace_calls_on ? traced_call(nr, args) : call(nr, args);
	task = current_task();
	history_end(event, task, result);
	task->in_syscall = false;
	frame_set_result(frame, result);
	if (is_restart(result))
		task_return_to_user(frame);
	else
		upcall_leave(frame);
}
