/*
 * clone(2): fork, vfork, threads, all in task_clone(). It reads as the list of what
 * the child gets. Everything that can fail happens to a child nobody can see yet;
 * then it is linked into the tree and started, which cannot fail.
 * Sources: clone(2), fork(2), vfork(2), and Linux's copy_process() for the order of checks.
 */
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "fs/fdtable.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/usercopy.h"
#include "sched/internal.h"
#include "sched/pidfd.h"
#include "syscall/syscall.h"
#include "trace/trace.h"

#define NEW_NAMESPACES                                                                                       \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |        \
	 CLONE_NEWNET)

static int check_flags(const struct clone_args_k *a)
{
	uint64_t flags = a->flags;

	if ((flags & NEW_NAMESPACES) != 0 || (flags & CLONE_INTO_CGROUP) != 0)
		return -EINVAL; /* this kernel has one of each */
	if ((flags & CLONE_PIDFD) != 0 && (flags & (CLONE_THREAD | CLONE_DETACHED)) != 0)
		return -EINVAL;
	if ((flags & CLONE_THREAD) != 0 && (flags & CLONE_SIGHAND) == 0)
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) != 0 && (flags & CLONE_VM) == 0)
		return -EINVAL;
	if ((flags & CLONE_SIGHAND) != 0 && (flags & CLONE_CLEAR_SIGHAND) != 0)
		return -EINVAL;
	if ((flags & CLONE_PARENT) != 0 && process_is_init(current_process()))
		return -EINVAL;
	if (a->set_tid < 0 || a->set_tid >= PID_MAX)
		return -EINVAL;
	return 0;
}

/* RLIMIT_NPROC binds everybody but root. */
static int check_nproc(const struct task *parent)
{
	uint64_t limit = parent->process->rlimits[RLIMIT_NPROC].cur;
	struct process *p;
	uint64_t nr = 0;

	if (parent->cred.uid == 0 || limit >= PID_MAX - 1)
		return 0;
	for (int pid = 0; (p = process_next(pid)) != NULL; process_put(p)) {
		pid = p->pid;
		if (p->leader->cred.uid == parent->cred.uid)
			nr += MAX(p->nr_tasks, 1);
	}
	return nr < limit ? 0 : -EAGAIN;
}

/* ---- what the child gets ------------------------------------------------- */

static int copy_aspace(struct task *parent, struct task *child, uint64_t flags)
{
	if ((flags & CLONE_VM) == 0)
		return aspace_fork(parent->aspace, &child->aspace);
	aspace_get(parent->aspace);
	child->aspace = parent->aspace;
	return 0;
}

static int copy_files(struct task *parent, struct task *child, uint64_t flags)
{
	if ((flags & CLONE_FILES) == 0)
		return fdtable_copy(parent->files, &child->files);
	fdtable_get(parent->files);
	child->files = parent->files;
	return 0;
}

static int copy_fs(struct task *parent, struct task *child, uint64_t flags)
{
	if ((flags & CLONE_FS) == 0)
		return fs_context_copy(parent->fs, &child->fs);
	fs_context_get(parent->fs);
	child->fs = parent->fs;
	return 0;
}

static int copy_sighand(struct task *parent, struct task *child, uint64_t flags)
{
	bool has_fresh_stack = (flags & (CLONE_VM | CLONE_VFORK)) != CLONE_VM;

	child->sig.blocked = parent->sig.blocked;
	if (has_fresh_stack) { /* another thread of the same space must not use the same one */
		child->sig.altstack_sp = parent->sig.altstack_sp;
		child->sig.altstack_size = parent->sig.altstack_size;
		child->sig.altstack_flags = parent->sig.altstack_flags;
	}
	if ((flags & CLONE_SIGHAND) == 0)
		return sighand_copy(parent->sig.hand, (flags & CLONE_CLEAR_SIGHAND) != 0, &child->sig.hand);
	parent->sig.hand->refs++;
	child->sig.hand = parent->sig.hand;
	return 0;
}

static void inherit_task(struct task *parent, struct task *child)
{
	memcpy(&child->cred, &parent->cred, offsetof(struct cred, groups));
	for (unsigned i = 0; i < parent->cred.nr_groups; i++)
		child->cred.groups[i] = parent->cred.groups[i];
	child->no_new_privs = parent->no_new_privs;
	child->keep_caps = parent->keep_caps;
	child->nice = parent->nice;
	child->policy = parent->policy;
	child->priority = parent->priority;
	child->timer_slack_ns = parent->timer_slack_ns;
	memcpy(child->name, parent->name, sizeof(child->name));
}

static void inherit_process(struct process *parent, struct process *child, int exit_signal)
{
	child->exit_signal = exit_signal;
	child->tty = parent->tty;
	child->personality = parent->personality;
	child->oom_score_adj = parent->oom_score_adj;
	child->is_dumpable = parent->is_dumpable;
	cputimer_update_flag(child);
}

/* Registers: the parent's, but 0 as the result, and the stack and TLS that were asked for. */
static void copy_registers(struct task *parent, struct task *child, const struct clone_args_k *a)
{
	arch_fpu_store(parent, child->fpu); /* brings the thread pointer up to date, too */
	*child->frame = *parent->frame;
	frame_set_result(child->frame, 0);
	if (a->stack.raw != 0)
		frame_set_sp(child->frame, a->stack.raw);
	if ((a->flags & CLONE_SETTLS) != 0)
		frame_set_tls(child->frame, a->tls);
	arch_fpu_changed(child);
}

/*
 * The child's id, into the child's memory. A bad address is the caller's own affair, as
 * on Linux; no memory for the page is a failure of the clone.
 */
static int write_child_tid(struct task *child, const struct clone_args_k *a)
{
	int tid = child->tid, r;

	if ((a->flags & CLONE_CHILD_SETTID) == 0)
		return 0;
	if (copy_to_user_in(child->aspace, a->child_tid, &tid, sizeof(tid)) == 0)
		return 0;
	r = aspace_fault(child->aspace, a->child_tid, TRAP_WRITE); /* why? */
	if (r == 0)
		r = copy_to_user_in(child->aspace, a->child_tid, &tid, sizeof(tid));
	return r == -ENOMEM ? r : 0;
}

/* As Linux: the child exists by then, a bad address is not reported. */
static void write_parent_tid(uaddr_t addr, int tid)
{
	if (copy_to_user(addr, &tid, sizeof(tid)) != 0)
		return;
}

static void release_child(struct task *child)
{
	if (child->sig.hand != NULL)
		sighand_put(child->sig.hand);
	if (child->fs != NULL)
		fs_context_put(child->fs);
	if (child->files != NULL)
		fdtable_put(child->files);
	if (child->aspace != NULL)
		aspace_put(child->aspace);
	task_free_unused(child);
}

static int create_child(struct task *parent, const struct clone_args_k *a, struct task **out)
{
	struct task *child;
	int r = task_alloc(a->set_tid, task_start_user, &child);

	if (r != 0)
		return r;
	inherit_task(parent, child);
	r = copy_sighand(parent, child, a->flags);
	if (r == 0)
		r = copy_fs(parent, child, a->flags);
	if (r == 0)
		r = copy_files(parent, child, a->flags);
	if (r == 0)
		r = copy_aspace(parent, child, a->flags);
	if (r == 0)
		r = write_child_tid(child, a);
	if (r != 0) {
		release_child(child);
		return r;
	}
	copy_registers(parent, child, a);
	if ((a->flags & CLONE_CHILD_CLEARTID) != 0)
		child->clear_child_tid = a->child_tid;
	*out = child;
	return 0;
}

/* CLONE_PIDFD: a descriptor for the new process, in the parent's table and memory. */
static int install_pidfd(struct process *process, uaddr_t addr)
{
	struct file *file;
	int fd, r = pidfd_create_file(process, 0, &file);

	if (r != 0)
		return r;
	fd = fd_install(file, 0, true);
	if (fd < 0) {
		file_put(file);
		return fd;
	}
	if (copy_to_user(addr, &fd, sizeof(fd)) == 0)
		return 0;
	fd_close(fd);
	return -EFAULT;
}

/* ---- commit -------------------------------------------------------------- */

/* Into the tree: a thread of the caller's process, or a process of its own. */
static void link_child_locked(struct task *parent, struct task *child, struct process *process,
			      const struct clone_args_k *a)
{
	struct process *mine = parent->process;
	bool is_sibling = (a->flags & CLONE_PARENT) != 0;

	if (process == NULL) {
		process_link_task_locked(mine, child);
		return;
	}
	inherit_process(mine, process, is_sibling ? mine->exit_signal : a->exit_signal);
	process->parent_tid = is_sibling ? mine->parent_tid : parent->tid;
	process_link_locked(process, child, is_sibling ? mine->parent : mine);
	process_set_session_locked(process, mine->session);
	process_set_pgrp_locked(process, mine->pgrp);
}

/* The parent of a vfork sleeps until the child has left its memory. */
static void wait_for_vfork(struct task *child, struct completion *done)
{
	if (completion_wait_killable(done) != 0)
		child->vfork_done = NULL;
}

int64_t task_clone(const struct clone_args_k *a)
{
	struct task *parent = current_task(), *child;
	struct process *process = NULL;
	struct completion vfork_done;
	bool is_vfork = (a->flags & CLONE_VFORK) != 0;
	int tid, r = check_flags(a);

	if (r == 0)
		r = check_nproc(parent);
	if (r == 0 && signal_is_pending(parent))
		r = -ERESTARTNOINTR; /* a signal to the group must not miss the child */
	if (r == 0 && (a->flags & CLONE_THREAD) == 0)
		r = process_alloc(parent->process, &process);
	if (r != 0)
		return r;
	r = create_child(parent, a, &child);
	if (r != 0)
		goto fail;
	if (signal_is_pending(parent)) /* it came while we slept for memory */
		r = -ERESTARTNOINTR;
	else if ((a->flags & CLONE_PIDFD) != 0)
		r = install_pidfd(process, a->pidfd);
	if (r != 0) {
		release_child(child);
		goto fail;
	}
	/* Nothing fails from here on. */
	tid = child->tid;
	if (is_vfork) {
		completion_init(&vfork_done);
		child->vfork_done = &vfork_done;
		task_get(child);
	}
	if ((a->flags & CLONE_PARENT_SETTID) != 0)
		write_parent_tid(a->parent_tid, tid);
	spin_lock(&task_lock);
	link_child_locked(parent, child, process, a);
	spin_unlock(&task_lock);
	if (trace_calls_on)
		trace_fork(parent, child);
	sched_start(child);
	if (is_vfork) {
		wait_for_vfork(child, &vfork_done);
		task_put(child);
	}
	return tid;
fail:
	if (process != NULL)
		process_put(process);
	return r;
}
