/* The parts of a panic report: see trace/report.h. */
#include "trace/report.h"

#include "fs/vfs.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "sched/internal.h"
#include "syscall/table.h"
#include "trace/names.h"

#define STACK_DEPTH 24u
#define SLEEPING_SHOWN 64u

typedef unsigned long long ull;

struct history_event history_ring_[HISTORY_EVENTS];
uint32_t history_next_;

/* A part of the report: it stands behind a line with the kernel's name. */
static void PRINTF_LIKE(1, 2) say(const char *fmt, ...)
{
	char text[256];
	va_list args;
	int n;

	va_start(args, fmt);
	n = kvsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	arch_log_write(text, (size_t)MIN(n, (int)sizeof(text) - 1));
}

static const char *state_name(const struct task *t)
{
	static const char *const names[] = {"runnable", "sleeping", "blocked", "stopped", "a zombie", "dead"};

	return (unsigned)t->state < ARRAY_SIZE(names) ? names[t->state] : "in a state that is none";
}

static const char *call_name(const struct task *t)
{
	const struct syscall_entry *e = t->in_syscall ? syscall_lookup(t->syscall_nr) : NULL;

	return e != NULL ? e->name : "no system call";
}

/* ---- kernel stacks ---------------------------------------------------------- */

static void print_kernel_address(unsigned nr, uintptr_t pc)
{
	char name[96];

	arch_symbolise(pc - 1, name, sizeof(name));
	say("  #%-2u %#llx %s\n", nr, (ull)pc, name);
}

/* By frame pointers, upwards, within the stack. */
static void print_saved_stack(const struct task *t)
{
	const uintptr_t low = (uintptr_t)t->kernel_stack, high = low + KERNEL_STACK_BYTES;
	const uintptr_t *saved = t->context.sp;
	uintptr_t pc, fp;

	if ((uintptr_t)saved < low || (uintptr_t)(saved + CONTEXT_WORDS) > high) {
		say("  its saved stack pointer %#llx is not in its stack\n", (ull)(uintptr_t)saved);
		return;
	}
	pc = saved[CONTEXT_PC_WORD];
	fp = saved[CONTEXT_FP_WORD];
	for (unsigned i = 0; i < STACK_DEPTH && pc != 0; i++) {
		const uintptr_t *record = (const uintptr_t *)fp;

		print_kernel_address(i, pc);
		if (fp < low || fp > high - 2 * sizeof(fp) || fp % sizeof(fp) != 0)
			break;
		pc = record[1];
		if (record[0] <= fp)
			break;
		fp = record[0];
	}
}

static void report_one(const struct task *t)
{
	say("task %d (%s), %s in %s%s%s\n", t->tid, t->name, state_name(t), call_name(t),
		t->wait_reason != NULL ? ", waits for " : "", t->wait_reason != NULL ? t->wait_reason : "");
	if (t->kernel_stack != NULL && t->state != TASK_ZOMBIE && t->state != TASK_DEAD)
		print_saved_stack(t);
}

/* The process after p, parents before their children; without the lock, which may be held. */
static struct process *next_in_tree(struct process *p)
{
	if (!list_is_empty(&p->children))
		return LIST_FIRST(&p->children, struct process, sibling);
	for (; p->parent != NULL; p = p->parent)
		if (p->sibling.next != &p->parent->children)
			return LIST_ENTRY(p->sibling.next, struct process, sibling);
	return NULL;
}

void report_sleeping(void)
{
	unsigned nr = 0;

	for (struct process *p = init_process; p != NULL && nr < PID_MAX; p = next_in_tree(p)) {
		struct task *t;

		LIST_FOR_EACH (t, &p->tasks, process_link)
			if (t != current_task() && nr++ < SLEEPING_SHOWN)
				report_one(t);
	}
	if (nr > SLEEPING_SHOWN)
		say("and %u more tasks\n", nr - SLEEPING_SHOWN);
}

/* ---- the user's side ---------------------------------------------------------- */

void report_user_registers(const struct task *task)
{
	static const char *const names[] = {FRAME_REGISTER_NAMES};
	const uint64_t *values = (const uint64_t *)task->frame;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		say(" %8s %016llx%s", names[i], (ull)values[i], i % 4 == 3 || i + 1 == ARRAY_SIZE(names) ? "\n" : "");
}

void report_user_place(const struct task *task, uint64_t addr, char *buf, size_t size_bytes)
{
	const struct vma *v = task->aspace != NULL ? vma_find(&task->aspace->vmas, addr) : NULL;
	const struct dentry *d;

	if (v == NULL) {
		ksnprintf(buf, size_bytes, "not mapped");
		return;
	}
	d = v->file != NULL ? v->file->path.dentry : NULL;
	if (d != NULL && d->parent != NULL)
		ksnprintf(buf, size_bytes, "%.*s+%#llx", (int)d->name_len, d->name,
			  (ull)(addr - v->start + (v->page_index << PAGE_SHIFT)));
	else
		ksnprintf(buf, size_bytes, "%s+%#llx", v->file != NULL ? "nameless file" : "anonymous memory",
			  (ull)(addr - v->start));
}

/* A page of a file that no page table has: read aside, the last one is kept. */
static const char *file_page(const struct task *t, uint64_t addr)
{
	static char page[PAGE_SIZE];
	static const struct filemap *page_map;
	static uint64_t page_index;
	const struct vma *v = vma_find(&t->aspace->vmas, addr);
	void *const pages[] = {page};
	struct filemap *map;
	uint64_t index;

	if (v == NULL || v->file == NULL || v->file->inode == NULL)
		return NULL;
	map = &v->file->inode->map;
	index = v->page_index + ((addr - v->start) >> PAGE_SHIFT);
	if (map == page_map && index == page_index)
		return page;
	if (map->ops == NULL || map->ops->read_pages == NULL || map->ops->read_pages(map, index, pages, 1) != 0)
		return NULL;
	page_map = map;
	page_index = index;
	return page;
}

bool report_read_user(const struct task *task, uint64_t addr, uint64_t *out)
{
	struct pt_entry e;
	const char *page;

	if (task->aspace == NULL || addr % sizeof(*out) != 0 || addr >= task->aspace->user_end)
		return false;
	if (task->aspace->pt.ops->lookup(&task->aspace->pt, addr, &e))
		page = pfn_to_ptr(e.pfn);
	else
		page = file_page(task, addr);
	if (page == NULL)
		return false;
	memcpy(out, page + page_offset(addr), sizeof(*out));
	return true;
}

void report_user_stack(const struct task *task)
{
	uint64_t pc = frame_pc(task->frame), fp = frame_fp(task->frame), up;
	char place[96];

	for (unsigned i = 0; i < STACK_DEPTH; i++) {
		report_user_place(task, pc, place, sizeof(place));
		say("  #%-2u %#llx %s\n", i, (ull)pc, place);
		if (fp < frame_sp(task->frame) || !report_read_user(task, fp, &up) ||
		    !report_read_user(task, fp + sizeof(up), &pc) || up <= fp || pc == 0)
			break;
		fp = up;
	}
}

void report_current(void)
{
	const struct task *t = current_task();

	if (t == NULL || t->process == NULL || t->frame == NULL) {
		say("no task was running\n");
		return;
	}
	say("running: task %d (%s) of process %d, in %s; its user registers:\n", t->tid, t->name, t->process->pid,
		call_name(t));
	report_user_registers(t);
}

/* ---- history, memory ------------------------------------------------------------- */

static const char *access_name(unsigned access)
{
	return (access & TRAP_WRITE) != 0 ? "write" : (access & TRAP_EXEC) != 0 ? "exec" : "read";
}

static void print_event(const struct history_event *e)
{
	const struct syscall_entry *call = e->nr != HISTORY_FAULT ? syscall_lookup(e->nr) : NULL;
	const char *error = e->result < 0 && e->result >= -4095 ? errno_name((int)-e->result) : NULL;

	if (e->nr == HISTORY_FAULT)
		say("  [%d] %s fault at %#llx = ", e->tid, access_name((unsigned)e->args[1]), (ull)e->args[0]);
	else
		say("  [%d] %s(%#llx, %#llx, %#llx, ...) = ", e->tid, call != NULL ? call->name : "?", (ull)e->args[0],
			(ull)e->args[1], (ull)e->args[2]);
	if (e->result == HISTORY_PENDING)
		say("?\n");
	else if (error != NULL)
		say("-%s\n", error);
	else
		say("%lld\n", (long long)e->result);
}

void report_history(void)
{
	uint32_t first = history_next_ > HISTORY_EVENTS ? history_next_ - HISTORY_EVENTS : 0;

	say("the last %u system calls and faults:\n", history_next_ - first);
	for (uint32_t i = first; i != history_next_; i++)
		print_event(&history_ring_[i % HISTORY_EVENTS]);
}

void report_memory(void)
{
	struct frame_stats s;

	frame_get_stats(&s);
	say("memory: %llu frames, %llu free, %llu anonymous, %llu cached, %llu tables, %llu heap, %llu kernel\n",
		(ull)s.nr_total, (ull)s.nr_free, (ull)s.nr_kind[FRAME_ANON], (ull)s.nr_kind[FRAME_CACHE],
		(ull)s.nr_kind[FRAME_TABLE], (ull)s.nr_kind[FRAME_SLAB], (ull)s.nr_kind[FRAME_KERNEL]);
}
