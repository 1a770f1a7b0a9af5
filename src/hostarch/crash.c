/*
 * The report of a kernel that has panicked or crashed, or was asked for one (SIGQUIT from outside): the running
 * stack, the task that ran with its user side, all other tasks, the last events, memory. After a panic a copy of
 * the process leaves a core, if the host is set up for cores.
 *
 * A crash while the report is made ends it: the second one stops at once.
 */
#include "hostarch/crash.h"

#include "arch/machine.h"
#include "fs/vfs.h"
#include "hostarch/host.h"
#include "hostarch/unwind.h"
#include "lib/printf.h"
#include "mm/aspace.h"
#include "sched/task.h"
#include "trace/report.h"

/* ---- what unwinding asks ----------------------------------------------------------- */

bool unwind_read_word(const struct unwind_guest *g, uint64_t addr, uint64_t *out)
{
	return report_read_user(g->task, addr, out);
}

/* The mappings of a file around addr: the lowest is its first page. */
bool unwind_image(const struct unwind_guest *g, uint64_t addr, uint64_t *base, uint64_t *start, uint64_t *end)
{
	const struct task *t = g->task;
	const struct vma_tree *vmas = &t->aspace->vmas;
	const struct vma *v = vma_find(vmas, addr), *lower;

	if (v == NULL || v->file == NULL)
		return false;
	*start = v->start;
	*end = v->end;
	for (;;) {
		lower = vma_find_before(vmas, v->start);
		if (lower == NULL || lower->file != v->file)
			break;
		v = lower;
	}
	*base = v->start - (v->page_index << PAGE_SHIFT);
	return true;
}

void unwind_place(const struct unwind_guest *g, uint64_t addr, char *buf, size_t size_bytes)
{
	report_user_place(g->task, addr, buf, size_bytes);
}

/* ---- the report ----------------------------------------------------------------------- */

static void report_user_side(const struct task *t)
{
	const struct trap_frame *f = t->frame;
	const struct unwind_guest g = {t, {f->rax, f->rdx, f->rcx, f->rbx, f->rsi, f->rdi, f->rbp, f->rsp, f->r8, f->r9,
					   f->r10, f->r11, f->r12, f->r13, f->r14, f->r15, f->rip}};
	static const char title[] = "its user stack:\n";

	host_disassemble(&g, f->rip);
	arch_log_write(title, sizeof(title) - 1);
	if (host_unwind_user(&g) < 2)
		report_user_stack(t);
}

void crash_report(void)
{
	const struct task *t = current_task();

	report_current();
	if (t != NULL && t->process != NULL && t->frame != NULL && t->aspace != NULL)
		report_user_side(t);
	report_sleeping();
	report_history();
	report_memory();
}

void crash_look(const char *why)
{
	kprintf("report: %s\n", why);
	host_backtrace();
	crash_report();
}

void crash_stop(int status)
{
	static bool is_reporting;

	if (!is_reporting) {
		is_reporting = true;
		host_tty_restore();
		host_backtrace();
		crash_report();
		host_leave_core();
	}
	host_exit(status);
}
