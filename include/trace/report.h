/*
 * What a panic report says behind the reason and the running stack: tasks, user registers and stacks, the last
 * system calls, memory. Each part prints to the machine's log, allocates nothing, takes no lock, and trusts no
 * pointer more than it must: the kernel may be broken. Also for a report of a kernel that is well.
 */
#ifndef TRACE_REPORT_H
#define TRACE_REPORT_H

#include "lib/types.h"
#include "sched/task.h"

/* Who runs, in which system call, and its registers in user mode. */
void report_current(void);
/* Of a task: its registers in user mode; its user stack by frame pointers, as "file+offset". */
void report_user_registers(const struct task *task);
void report_user_stack(const struct task *task);
/* Where in which mapping a user address is: "/bin/busybox+0x1234". */
void report_user_place(const struct task *task, uint64_t addr, char *buf, size_t size_bytes);
/* The aligned word at a user address: from memory, or the file that would be there. False: nothing is mapped. */
bool report_read_user(const struct task *task, uint64_t addr, uint64_t *out);
/* The kernel stacks of all tasks but the running one. */
void report_sleeping(void);
/* The last system calls and faults, oldest first. */
void report_history(void);
/* Frames by kind, address spaces. */
void report_memory(void);

/* ---- history: kept always, a few stores an event ---------------------------- */

#define HISTORY_EVENTS 32

struct history_event {
	int32_t tid;
	uint32_t nr; /* system call, or HISTORY_FAULT */
	uint64_t args[3];
	int64_t result; /* HISTORY_PENDING: not yet known */
	const struct task *task; /* whose result it is */
} __attribute__((aligned(64))); /* found by a shift */
#define HISTORY_FAULT UINT32_MAX
#define HISTORY_PENDING INT32_MIN /* no call's result; a constant of one instruction */

extern struct history_event history_ring_[HISTORY_EVENTS];
extern uint32_t history_next_;

/* An event of task's begins; the entry is the caller's to complete with history_end(). */
static inline struct history_event *history_begin(const struct task *task, uint32_t nr, uint64_t a, uint64_t b,
						  uint64_t c)
{
	struct history_event *e = &history_ring_[history_next_++ % HISTORY_EVENTS];

	*e = (struct history_event){task->tid, nr, {a, b, c}, HISTORY_PENDING, task};
	return e;
}

/* Forgotten if the ring has gone round meanwhile: a task has one event at a time. */
static inline void history_end(struct history_event *e, const struct task *task, int64_t result)
{
	if (e->task == task)
		e->result = result;
}

#endif
