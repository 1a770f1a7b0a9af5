/*
 * The trace: see trace/trace.h. Inputs are read when a call begins (execve replaces the address space they live in),
 * outputs when it ends; the line is written at the end, whole, so that the lines of several tasks never mix. What is
 * under way for a task hangs on task->trace. Out of memory, a few lines lie ready.
 */
#include "trace/trace.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "sched/task.h"
#include "show.h"
#include "syscall/syscall.h"
#include "syscall/table.h"
#include "timeline.h"
#include "trace/names.h"
#include "trace/record.h"

#define RESULT_COLUMN 40 /* as strace's */

static void (*write_line)(const char *line, size_t size_bytes); /* NULL: there may be a timeline only */
static bool shows_calls, shows_faults, shows_switches;
bool trace_calls_on, trace_faults_on, trace_switches_on;

int trace_start(void (*write)(const char *line, size_t size_bytes), const char *filter, const char **bad)
{
	struct filter_events events;
	int r = filter_parse(filter != NULL ? filter : "", &events, bad);

	if (r != 0)
		return r;
	write_line = write;
	trace_calls_on |= shows_calls = events.calls;
	trace_faults_on |= shows_faults = events.faults;
	trace_switches_on |= shows_switches = events.switches;
	return 0;
}

/* ---- lines ---------------------------------------------------------------- */

/* For when memory is full: what happens then is what one wants to see. */
#define SPARE_LINES 4u
static struct line spare[SPARE_LINES];
static uint32_t spare_in_use; /* a bit each */

static struct line *line_alloc(void)
{
	struct line *line = kmalloc(sizeof(*line));

	for (unsigned i = 0; line == NULL && i < SPARE_LINES; i++) {
		if ((spare_in_use >> i & 1) == 0) {
			spare_in_use |= 1u << i;
			line = &spare[i];
		}
	}
	return line;
}

static void line_free(struct line *line)
{
	if (line >= spare && line < spare + SPARE_LINES)
		spare_in_use &= ~(1u << (line - spare));
	else
		kfree(line);
}

/* A line that begins with the task's number, and the time if asked for; NULL: no memory. */
static struct line *line_begin(const struct task *task)
{
	struct line *line = line_alloc();

	if (line == NULL)
		return NULL;
	line->len = 0;
	line->nr_done = 0;
	line->start_ns = arch_time_ns();
	add(line, "[%d] ", task->tid);
	if (filter_has_times)
		add(line, "%llu.%06llu ", (unsigned long long)(line->start_ns / 1000000000),
		    (unsigned long long)(line->start_ns / 1000 % 1000000));
	return line;
}

static void line_end(struct line *line)
{
	line->len = MIN(line->len, sizeof(line->text) - 2);
	line->text[line->len] = '\n';
	write_line(line->text, line->len + 1);
	line_free(line);
}

/* ---- system calls ------------------------------------------------------------ */

/* Prints arguments from nr_done on; stops before the first output while the call runs. */
static void add_arguments(struct line *line, const char *format, const uint64_t *args, bool is_done, int64_t result)
{
	struct argument a = {.line = line, .args = args, .result = result};
	const char *separator = "";
	bool is_open = false;

	for (; (a.kind = next_kind(&format)) != NULL; a.i++) {
		/* open's mode counts only when a file may be created, as strace shows it. */
		bool is_left_out = is_open && (args[a.i - 1] & (O_CREAT | O_TMPFILE_BIT)) == 0 &&
				   strcmp(a.kind->name, "mode") == 0;

		if (a.i >= line->nr_done) {
			if (a.kind->is_output && !is_done)
				return;
			if (!is_left_out) {
				add(line, "%s", separator);
				a.kind->show(&a, args[a.i]);
			}
			line->nr_done = a.i + 1;
		}
		is_open = strcmp(a.kind->name, "open") == 0;
		separator = ", ";
	}
}

void trace_enter(struct task *task, uint64_t nr, const uint64_t args[6])
{
	const struct syscall_entry *entry = syscall_lookup(nr);
	struct line *line = shows_calls && filter_wants(nr) ? line_begin(task) : NULL;

	if (timeline_on)
		timeline_call_begin(task, entry != NULL ? entry->name : "unknown call");
	task->trace = line;
	if (line == NULL)
		return;
	if (entry == NULL) {
		add(line, "syscall_%#llx(", (unsigned long long)nr);
		return;
	}
	add(line, "%s(", entry->name);
	add_arguments(line, entry->format, args, false, 0);
}

struct restart_text {
	int error;
	const char *text;
};

static const char *restart_text(int64_t result)
{
	static const struct restart_text texts[] = {
		{ERESTARTSYS, "ERESTARTSYS (To be restarted if SA_RESTART is set)"},
		{ERESTARTNOINTR, "ERESTARTNOINTR (To be restarted)"},
		{ERESTARTNOHAND, "ERESTARTNOHAND (To be restarted if no handler)"},
		{ERESTART_RESTARTBLOCK, "ERESTART_RESTARTBLOCK (Interrupted by signal)"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		if (result == -texts[i].error)
			return texts[i].text;
	return NULL;
}

static bool is_one_of(const char *name, const char *list)
{
	const char *at = strstr(list, name);
	size_t len = strlen(name);

	return at != NULL && at > list && at[-1] == ' ' && at[len] == ' ';
}

static void pad_to_result(struct line *line)
{
	add(line, ") ");
	while (line->len < RESULT_COLUMN)
		add(line, " ");
	add(line, "= ");
}

static void add_result(struct line *line, const char *name, const uint64_t *args, int64_t result)
{
	const char *error = result < 0 && result >= -4095 ? errno_name((int)-result) : NULL;
	bool is_getfl = strcmp(name, "fcntl") == 0 && (int)args[1] == F_GETFL;

	pad_to_result(line);
	if (restart_text(result) != NULL)
		add(line, "? %s", restart_text(result));
	else if (error != NULL)
		add(line, "-1 %s (%s)", error, errno_text((int)-result));
	else if (result >= 0 && (is_getfl || is_one_of(name, " mmap brk mremap shmat ")))
		add(line, "%#llx", (unsigned long long)result);
	else if (strcmp(name, "umask") == 0)
		add(line, "%#03llo", (unsigned long long)result);
	else
		add(line, "%lld", (long long)result);
	add_result_comment(line, name, args, result);
}

void trace_leave(struct task *task, uint64_t nr, const uint64_t args[6], int64_t result)
{
	const struct syscall_entry *entry = syscall_lookup(nr);
	struct line *line = task->trace;
	uint64_t ns;

	if (timeline_on)
		timeline_call_end(task, result);
	if (line == NULL)
		return;
	task->trace = NULL;
	if (entry != NULL)
		add_arguments(line, entry->format, args, true, result);
	add_result(line, entry != NULL ? entry->name : "", args, result);
	ns = arch_time_ns() - line->start_ns;
	if (filter_has_times)
		add(line, " <%llu.%06llu>", (unsigned long long)(ns / 1000000000),
		    (unsigned long long)(ns / 1000 % 1000000));
	line_end(line);
}

void trace_exit(struct task *task, int wait_status)
{
	struct line *line = task->trace;

	if (timeline_on && task->in_syscall)
		timeline_call_end(task, 0);
	if (line != NULL) {
		task->trace = NULL;
		pad_to_result(line);
		add(line, "?");
		line_end(line);
	}
	line = shows_calls ? line_begin(task) : NULL;
	if (line == NULL)
		return;
	if ((wait_status & 0x7f) == 0)
		add(line, "+++ exited with %d +++", wait_status >> 8 & 0xff);
	else {
		add(line, "+++ killed by ");
		add_signal(line, wait_status & 0x7f);
		add(line, " +++");
	}
	line_end(line);
}

/* ---- the rest --------------------------------------------------------------- */

void trace_signal(struct task *task, int sig, const struct linux_siginfo *info)
{
	struct line *line = shows_calls ? line_begin(task) : NULL;

	if (timeline_on)
		timeline_signal(task, sig);
	if (line == NULL)
		return;
	add(line, "--- ");
	add_signal(line, (uint64_t)sig);
	add(line, " ");
	add_siginfo(line, info);
	add(line, " ---");
	line_end(line);
}

void trace_fault(struct task *task, uint64_t addr, unsigned access, int result, uint64_t start_ns)
{
	struct line *line = shows_faults ? line_begin(task) : NULL;

	if (timeline_on)
		timeline_fault(task, addr, access, start_ns);
	if (line == NULL)
		return;
	add(line, "~~~ fault %s at %#llx",
	    (access & TRAP_WRITE) != 0	? "write"
	    : (access & TRAP_EXEC) != 0 ? "exec"
					: "read",
	    (unsigned long long)addr);
	if (result != 0)
		add(line, ": %s", errno_name(-result) != NULL ? errno_name(-result) : "?");
	line_end(line);
}

void trace_switch(const struct task *from, const struct task *to)
{
	struct line *line = shows_switches ? line_begin(from) : NULL;

	if (timeline_on)
		timeline_switch(from, to);
	if (line == NULL)
		return;
	add(line, "~~~ switch to %d (%s)", to->tid, to->name);
	line_end(line);
}

void trace_fork(const struct task *parent, const struct task *child)
{
	record_task(child);
	if (timeline_on)
		timeline_fork(parent, child);
}

void trace_name(const struct task *task)
{
	record_task(task);
	if (timeline_on)
		timeline_name(task);
}
