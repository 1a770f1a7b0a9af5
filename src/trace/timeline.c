/*
 * The timeline. Each task has two tracks: what it does (system calls, page faults, signals), and whether it runs,
 * waits for the CPU or sleeps. A fork is an arrow from the parent's call to the child's first moment. The format
 * is the "JSON array" of Chrome's Trace Event Format, which Perfetto reads too; times are microseconds since boot.
 */
#include "timeline.h"

#include "arch/machine.h"
#include "lib/printf.h"
#include "sched/task.h"
#include "show.h"
#include "syscall/table.h"
#include "trace/names.h"
#include "trace/trace.h"

#define EVENT_MAX_BYTES 512
#define STATE_TRACK 1000000 /* added to a task's number */

static void (*write_text)(const char *text, size_t size_bytes);
static bool has_events;
bool timeline_on;

static void PRINTF_LIKE(1, 2) event(const char *fmt, ...)
{
	char text[EVENT_MAX_BYTES];
	va_list args;
	int n;

	va_start(args, fmt);
	n = kvsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	write_text(has_events ? ",\n" : "[\n", 2);
	has_events = true;
	write_text(text, (size_t)MIN(n, EVENT_MAX_BYTES - 1));
}

#define TIME "%llu.%03llu"
#define TIME_OF(ns) (unsigned long long)((ns) / 1000), (unsigned long long)((ns) % 1000)
#define TRACK "\"pid\":%d,\"tid\":%d"
#define TRACK_OF(task) (task)->process->pid, (task)->tid
#define STATE_TRACK_OF(task) (task)->process->pid, (task)->tid + STATE_TRACK

/* A task's name, fit for a JSON string. */
static const char *json_name(const struct task *task, char out[TASK_NAME_MAX])
{
	size_t n = 0;

	for (; n < TASK_NAME_MAX - 1 && task->name[n] != '\0'; n++) {
		char c = task->name[n];

		out[n] = c < ' ' || c == '"' || c == '\\' || c == 127 ? '?' : c;
	}
	out[n] = '\0';
	return out;
}

void timeline_name(const struct task *task)
{
	char name[TASK_NAME_MAX];

	event("{\"ph\":\"M\",\"name\":\"thread_name\"," TRACK ",\"args\":{\"name\":\"%s\"}}", TRACK_OF(task),
	      json_name(task, name));
	event("{\"ph\":\"M\",\"name\":\"thread_name\"," TRACK ",\"args\":{\"name\":\"%s: state\"}}",
	      STATE_TRACK_OF(task), name);
	if (task == task->process->leader)
		event("{\"ph\":\"M\",\"name\":\"process_name\"," TRACK ",\"args\":{\"name\":\"%s\"}}",
		      TRACK_OF(task), name);
}

void timeline_call_begin(const struct task *task, const char *name)
{
	event("{\"ph\":\"B\",\"cat\":\"call\",\"name\":\"%s\",\"ts\":" TIME "," TRACK "}", name,
	      TIME_OF(arch_time_ns()), TRACK_OF(task));
}

void timeline_call_end(const struct task *task, int64_t result)
{
	const char *error = result < 0 && result >= -4095 ? errno_name((int)-result) : NULL;

	if (error != NULL)
		event("{\"ph\":\"E\",\"ts\":" TIME "," TRACK ",\"args\":{\"result\":\"%s\"}}", TIME_OF(arch_time_ns()),
		      TRACK_OF(task), error);
	else
		event("{\"ph\":\"E\",\"ts\":" TIME "," TRACK ",\"args\":{\"result\":%lld}}", TIME_OF(arch_time_ns()),
		      TRACK_OF(task), (long long)result);
}

void timeline_fault(const struct task *task, uint64_t addr, unsigned access, uint64_t start_ns)
{
	event("{\"ph\":\"X\",\"cat\":\"fault\",\"name\":\"%s fault\",\"ts\":" TIME ",\"dur\":" TIME "," TRACK
	      ",\"args\":{\"address\":\"%#llx\"}}",
	      (access & TRAP_WRITE) != 0 ? "write" : (access & TRAP_EXEC) != 0 ? "exec" : "read", TIME_OF(start_ns),
	      TIME_OF(arch_time_ns() - start_ns), TRACK_OF(task), (unsigned long long)addr);
}

void timeline_signal(const struct task *task, int sig)
{
	const char *name = signal_name(sig);

	event("{\"ph\":\"i\",\"s\":\"t\",\"cat\":\"signal\",\"name\":\"%s\",\"ts\":" TIME "," TRACK "}",
	      name != NULL ? name : "real-time signal", TIME_OF(arch_time_ns()), TRACK_OF(task));
}

static void state(const struct task *task, const char *name, const char *detail, uint64_t from_ns, uint64_t to_ns)
{
	event("{\"ph\":\"X\",\"cat\":\"state\",\"name\":\"%s\",\"ts\":" TIME ",\"dur\":" TIME "," TRACK
	      ",\"args\":{\"in\":\"%s\"}}",
	      name, TIME_OF(from_ns), TIME_OF(to_ns - from_ns), STATE_TRACK_OF(task), detail);
}

static const char *call_under_way(const struct task *task)
{
	const struct syscall_entry *e = task->in_syscall ? syscall_lookup(task->syscall_nr) : NULL;

	return e != NULL ? e->name : "user mode";
}

/* The scheduler is about to set from's end and to's start of running. */
void timeline_switch(const struct task *from, const struct task *to)
{
	uint64_t now = arch_time_ns();

	if (from->process != NULL && from->state != TASK_DEAD)
		state(from, "running", call_under_way(from), MIN(from->slice_start_ns, now), now);
	if (to->process != NULL) {
		uint64_t since = to->stopped_running_ns != 0 ? to->stopped_running_ns : to->start_time_ns;

		state(to, to->in_syscall ? "waiting" : "ready", call_under_way(to), MIN(since, now), now);
	}
}

void timeline_fork(const struct task *parent, const struct task *child)
{
	uint64_t now = arch_time_ns();

	timeline_name(child);
	event("{\"ph\":\"s\",\"cat\":\"fork\",\"name\":\"fork\",\"id\":%d,\"ts\":" TIME "," TRACK "}", child->tid,
	      TIME_OF(now), TRACK_OF(parent));
	event("{\"ph\":\"f\",\"bp\":\"e\",\"cat\":\"fork\",\"name\":\"fork\",\"id\":%d,\"ts\":" TIME "," TRACK "}",
	      child->tid, TIME_OF(now), STATE_TRACK_OF(child));
}

void timeline_start(void (*write)(const char *text, size_t size_bytes))
{
	write_text = write;
	timeline_on = trace_calls_on = trace_faults_on = trace_switches_on = true;
}

void timeline_finish(void)
{
	if (!timeline_on)
		return;
	timeline_on = false;
	write_text(has_events ? "\n]\n" : "[]\n", 3);
}
