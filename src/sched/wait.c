/*
 * wait4(2) and waitid(2): finding a child that has something to tell, reporting it
 * once, reaping the dead. Lock: task_lock; sleepers are on their process's child_waitq.
 */
#include "abi/errno.h"
#include "abi/sched.h"
#include "abi/wait.h"
#include "lib/assert.h"
#include "sched/internal.h"
#include "syscall/syscall.h"

static bool is_kind_wanted(const struct process *child, int options, int my_tid)
{
	bool is_clone = child->exit_signal != SIGCHLD;

	if ((options & __WNOTHREAD) != 0 && child->parent_tid != my_tid)
		return false;
	return (options & __WALL) != 0 || is_clone == ((options & __WCLONE) != 0);
}

static void fill(struct wait_result *res, struct process *child, int status, int code, int value)
{
	*res = (struct wait_result){
		.pid = child->pid,
		.uid = child->leader->cred.uid,
		.status = status,
		.code = code,
		.value = value,
		.times = process_times(child),
		.nr_minor_faults = child->nr_minor_faults + child->leader->nr_minor_faults,
		.nr_major_faults = child->nr_major_faults + child->leader->nr_major_faults,
		.nr_voluntary = child->nr_voluntary + child->leader->nr_voluntary,
		.nr_involuntary = child->nr_involuntary + child->leader->nr_involuntary,
		.max_rss_pages = child->max_rss_pages,
	};
	/* As getrusage(2) has it: with the child's own waited-for children. */
	res->times.user_ns += child->children_times.user_ns;
	res->times.system_ns += child->children_times.system_ns;
	res->nr_minor_faults += child->children_minor_faults;
	res->nr_major_faults += child->children_major_faults;
	res->nr_voluntary += child->children_voluntary;
	res->nr_involuntary += child->children_involuntary;
	res->max_rss_pages = MAX(res->max_rss_pages, child->children_max_rss_pages);
}

static void reap(struct process *parent, struct process *child, const struct wait_result *res)
{
	parent->children_times.user_ns += res->times.user_ns;
	parent->children_times.system_ns += res->times.system_ns;
	parent->children_minor_faults += res->nr_minor_faults;
	parent->children_major_faults += res->nr_major_faults;
	parent->children_voluntary += res->nr_voluntary;
	parent->children_involuntary += res->nr_involuntary;
	parent->children_max_rss_pages = MAX(parent->children_max_rss_pages, res->max_rss_pages);
	process_unlink_locked(child);
}

/* Has child something to tell? Then it is told, and (without WNOWAIT) done with. */
static bool report(struct process *child, int options, struct wait_result *res)
{
	bool is_final = (options & WNOWAIT) == 0;
	int status = child->exit_status;

	if (child->is_zombie) {
		if ((options & WEXITED) == 0)
			return false;
		if ((status & 0x7f) == 0)
			fill(res, child, status, CLD_EXITED, status >> 8 & 0xff);
		else
			fill(res, child, status, CLD_KILLED, status & 0x7f);
		if (is_final)
			reap(child->parent, child, res);
		return true;
	}
	if (child->is_stopped && !child->stop_reported && (options & WSTOPPED) != 0) {
		fill(res, child, WAIT_STATUS_STOPPED(child->stop_signal), CLD_STOPPED, child->stop_signal);
		child->stop_reported = is_final;
		return true;
	}
	if (child->continue_pending && (options & WCONTINUED) != 0) {
		fill(res, child, WAIT_STATUS_CONTINUED, CLD_CONTINUED, SIGCONT);
		child->continue_pending = !is_final;
		return true;
	}
	return false;
}

/* 1: reported; 0: there are such children; -ECHILD: there are none. */
static int look_locked(const struct wait_request *req, struct wait_result *res)
{
	struct task *me = current_task();
	struct process *parent = me->process, *child, *tmp;
	int r = -ECHILD;

	if (req->which == P_PID) {
		struct id *id = id_find_locked(req->id);

		child = id != NULL && id->task != NULL ? id->task->process : NULL;
		if (child == NULL || child->parent != parent || child->pid != req->id ||
		    !is_kind_wanted(child, req->options, me->tid))
			return -ECHILD;
		return report(child, req->options, res) ? 1 : 0;
	}
	LIST_FOR_EACH_SAFE (child, tmp, &parent->children, sibling) {
		if (req->which == P_PGID && child->pgid != req->id)
			continue;
		if (!is_kind_wanted(child, req->options, me->tid))
			continue;
		if (report(child, req->options, res))
			return 1;
		r = 0;
	}
	return r;
}

int process_wait(const struct wait_request *req, struct wait_result *res)
{
	struct process *p = current_process();
	struct waiter w = {0};
	int r;

	for (;;) {
		waitq_prepare(&p->child_waitq, &w, true);
		spin_lock(&task_lock);
		r = look_locked(req, res);
		spin_unlock(&task_lock);
		if (r != 0)
			break;
		if ((req->options & WNOHANG) != 0) {
			res->pid = 0;
			break;
		}
		r = waitq_schedule(true, WAIT_FOREVER);
		if (r == -EINTR) {
			r = -ERESTARTSYS;
			break;
		}
	}
	waitq_finish(&p->child_waitq, &w);
	return MIN(r, 0);
}
