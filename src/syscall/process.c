/*
 * System calls on processes: creating, replacing, ending, waiting, and the ids of
 * processes, groups and sessions. Sources: the man page of each call.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/futex.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "abi/wait.h"
#include "fs/fdtable.h"
#include "fs/tty.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "sched/internal.h"
#include "sched/pidfd.h"
#include "syscall/timeconv.h"
#include "syscall/syscall.h"

/* ---- clone --------------------------------------------------------------- */

SYSCALL_DEFINE(fork)
{
	struct clone_args_k a = {.exit_signal = SIGCHLD};

	(void)args;
	return task_clone(&a);
}

SYSCALL_DEFINE(vfork)
{
	struct clone_args_k a = {.flags = CLONE_VM | CLONE_VFORK, .exit_signal = SIGCHLD};

	(void)args;
	return task_clone(&a);
}

SYSCALL_DEFINE(clone)
{
	struct clone_args_k a = {
		.flags = (uint32_t)args[0] & ~CSIGNAL,
		.exit_signal = (int)(args[0] & CSIGNAL),
		.stack = uaddr(args[1]),
		.parent_tid = uaddr(args[2]),
		.child_tid = uaddr(args[ABI_CLONE_ARG_CHILD_TID]),
		.tls = args[ABI_CLONE_ARG_TLS],
		.pidfd = uaddr(args[2]),
	};

	if (a.exit_signal > NR_SIGNALS)
		return -EINVAL;
	if ((a.flags & CLONE_PIDFD) != 0 && (a.flags & CLONE_PARENT_SETTID) != 0)
		return -EINVAL; /* one argument for two */
	if ((a.flags & CLONE_THREAD) != 0)
		a.exit_signal = 0;
	return task_clone(&a);
}

/* Bytes beyond what we know must be zero. */
static int check_rest_is_zero(uint64_t from, uint64_t to)
{
	for (; from < to; from++) {
		uint8_t byte;

		if (copy_from_user(&byte, uaddr(from), 1) != 0)
			return -EFAULT;
		if (byte != 0)
			return -E2BIG;
	}
	return 0;
}

static int read_clone_args(uint64_t addr, uint64_t size, struct linux_clone_args *out)
{
	int r;

	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size < CLONE_ARGS_SIZE_VER0)
		return -EINVAL;
	*out = (struct linux_clone_args){0};
	r = check_rest_is_zero(addr + sizeof(*out), addr + size);
	if (r != 0)
		return r;
	return copy_from_user(out, uaddr(addr), MIN(size, sizeof(*out)));
}

SYSCALL_DEFINE(clone3)
{
	struct linux_clone_args u;
	struct clone_args_k a;
	int set_tid = 0, r = read_clone_args(args[0], args[1], &u);

	if (r != 0)
		return r;
	if ((u.flags & (CSIGNAL | CLONE_DETACHED) & ~CLONE_NEWTIME) != 0 || u.exit_signal > NR_SIGNALS ||
	    u.flags >> 34 != 0 || (u.flags & CLONE_NEWTIME) != 0)
		return -EINVAL;
	if ((u.flags & (CLONE_THREAD | CLONE_PARENT)) != 0 && u.exit_signal != 0)
		return -EINVAL;
	if ((u.stack == 0) != (u.stack_size == 0))
		return -EINVAL;
	if ((u.set_tid == 0) != (u.set_tid_size == 0) || u.set_tid_size > 1)
		return -EINVAL; /* one level of ids */
	if (u.set_tid != 0) {
		if (copy_from_user(&set_tid, uaddr(u.set_tid), sizeof(set_tid)) != 0)
			return -EFAULT;
		if (set_tid <= 0 || set_tid >= PID_MAX)
			return -EINVAL;
	}
	a = (struct clone_args_k){
		.flags = u.flags,
		.exit_signal = (int)u.exit_signal,
		.stack = uaddr(u.stack != 0 ? u.stack + u.stack_size : 0),
		.parent_tid = uaddr(u.parent_tid),
		.child_tid = uaddr(u.child_tid),
		.tls = u.tls,
		.set_tid = set_tid,
		.pidfd = uaddr(u.pidfd),
	};
	return task_clone(&a);
}

/* unshare(2) of what a task can share without namespaces. */
SYSCALL_DEFINE(unshare)
{
	struct task *me = current_task();
	struct fs_context *fs = NULL;
	struct fdtable *files = NULL;
	uint64_t flags = args[0];
	int r = 0;

	if ((flags & ~(uint64_t)(CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_THREAD | CLONE_SIGHAND |
				 CLONE_VM)) != 0)
		return -EINVAL;
	if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) != 0 && me->process->nr_tasks > 1)
		return -EINVAL;
	if ((flags & CLONE_FS) != 0 && me->fs->refs > 1)
		r = fs_context_copy(me->fs, &fs);
	if (r == 0 && (flags & CLONE_FILES) != 0 && fdtable_refs(me->files) > 1)
		r = fdtable_copy(me->files, &files);
	if (r != 0) {
		if (fs != NULL)
			fs_context_put(fs);
		return r;
	}
	if (fs != NULL) {
		fs_context_put(me->fs);
		me->fs = fs;
	}
	if (files != NULL) {
		struct fdtable *old = me->files;

		me->files = files;
		fdtable_put(old);
	}
	return 0;
}

/* ---- exec and exit ------------------------------------------------------- */

static int64_t exec(int dirfd, uint64_t path, uint64_t argv, uint64_t envp, int flags)
{
	char *name = kmalloc(PATH_MAX_BYTES);
	int64_t r;

	if (name == NULL)
		return -ENOMEM;
	r = strncpy_from_user(name, uaddr(path), PATH_MAX_BYTES);
	if (r == 0 && (flags & AT_EMPTY_PATH) == 0)
		r = -ENOENT;
	if (r >= 0)
		r = task_execve(dirfd, name, uaddr(argv), uaddr(envp), flags);
	kfree(name);
	return r;
}

SYSCALL_DEFINE(execve) { return exec(AT_FDCWD, args[0], args[1], args[2], 0); }
SYSCALL_DEFINE(execveat) { return exec((int)args[0], args[1], args[2], args[3], (int)args[4]); }
SYSCALL_DEFINE(exit) { task_exit((int)(args[0] & 0xff)); }
SYSCALL_DEFINE(exit_group) { task_exit_group(WAIT_STATUS_EXITED(args[0])); }

/* ---- wait ---------------------------------------------------------------- */

static void result_rusage(const struct wait_result *res, struct linux_rusage *ru)
{
	*ru = (struct linux_rusage){
		.utime = timeval_from_ns(res->times.user_ns),
		.stime = timeval_from_ns(res->times.system_ns),
		.maxrss = (int64_t)(res->max_rss_pages * (PAGE_SIZE / 1024)),
		.minflt = (int64_t)res->nr_minor_faults,
		.majflt = (int64_t)res->nr_major_faults,
		.nvcsw = (int64_t)res->nr_voluntary,
		.nivcsw = (int64_t)res->nr_involuntary,
	};
}

static int put_rusage(uint64_t addr, const struct wait_result *res)
{
	struct linux_rusage ru;

	if (addr == 0)
		return 0;
	result_rusage(res, &ru);
	return copy_to_user(uaddr(addr), &ru, sizeof(ru));
}

SYSCALL_DEFINE(wait4)
{
	int pid = (int)args[0], options = (int)args[2], r;
	struct wait_request req = {.options = options | WEXITED};
	struct wait_result res;

	if ((options & ~(WNOHANG | WUNTRACED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL)) != 0)
		return -EINVAL;
	if (pid == INT32_MIN)
		return -ESRCH;
	if (pid == -1) {
		req.which = P_ALL;
	} else if (pid > 0) {
		req.which = P_PID;
		req.id = pid;
	} else {
		req.which = P_PGID;
		req.id = pid == 0 ? current_process()->pgid : -pid;
	}
	r = process_wait(&req, &res);
	if (r != 0 || res.pid == 0)
		return r;
	if (args[1] != 0 && copy_to_user(uaddr(args[1]), &res.status, sizeof(res.status)) != 0)
		return -EFAULT;
	return put_rusage(args[3], &res) != 0 ? -EFAULT : res.pid;
}

/* The process a descriptor stands for, as P_PID. O_NONBLOCK there means not to wait. */
static int parse_pidfd(int fd, struct wait_request *req)
{
	struct file *file = fd_get(fd);
	const struct process *p;

	if (file == NULL)
		return -EBADF;
	p = pidfd_process(file);
	if (p != NULL) {
		req->which = P_PID;
		req->id = p->leader != NULL ? p->pid : -1;
		req->is_nonblocking = (file->flags & O_NONBLOCK) != 0;
	}
	file_put(file);
	return p != NULL ? 0 : -EBADF;
}

static int parse_waitid(int which, int id, struct wait_request *req)
{
	req->which = which;
	req->id = id;
	switch (which) {
	case P_ALL: return 0;
	case P_PID: return id > 0 ? 0 : -EINVAL;
	case P_PIDFD: return parse_pidfd(id, req);
	case P_PGID:
		if (id == 0)
			req->id = current_process()->pgid;
		return id >= 0 ? 0 : -EINVAL;
	default: return -EINVAL;
	}
}

SYSCALL_DEFINE(waitid)
{
	int options = (int)args[3], r;
	struct wait_request req = {.options = options};
	struct linux_siginfo info;
	struct wait_result res;

	if ((options &
	     ~(WNOHANG | WNOWAIT | WEXITED | WSTOPPED | WCONTINUED | __WNOTHREAD | __WCLONE | __WALL)) != 0 ||
	    (options & (WEXITED | WSTOPPED | WCONTINUED)) == 0)
		return -EINVAL;
	r = parse_waitid((int)args[0], (int)args[1], &req);
	if (req.is_nonblocking)
		req.options |= WNOHANG;
	if (r == 0)
		r = process_wait(&req, &res);
	if (r == 0 && res.pid == 0 && (options & WNOHANG) == 0)
		r = -EAGAIN;
	if (r != 0)
		return r;
	memset(&info, 0, sizeof(info));
	if (res.pid != 0) {
		info.signo = SIGCHLD;
		info.code = res.code;
		info.chld.pid = res.pid;
		info.chld.uid = res.uid;
		info.chld.status = res.value;
	}
	/* Linux leaves everything behind si_status alone. */
	if (args[2] != 0 &&
	    copy_to_user(uaddr(args[2]), &info, offsetof(struct linux_siginfo, chld.pad)) != 0)
		return -EFAULT;
	return res.pid != 0 && put_rusage(args[4], &res) != 0 ? -EFAULT : 0;
}

SYSCALL_DEFINE(pidfd_open)
{
	int pid = (int)args[0], r;
	unsigned flags = (unsigned)args[1];
	struct process *p;
	struct file *file;

	if ((flags & ~(unsigned)O_NONBLOCK) != 0 || pid <= 0)
		return -EINVAL;
	p = process_find(pid);
	if (p == NULL) {
		struct task *t = task_find(pid);

		if (t == NULL)
			return -ESRCH;
		task_put(t);
		return -EINVAL; /* a thread, not a process */
	}
	r = pidfd_create_file(p, flags, &file);
	process_put(p);
	if (r != 0)
		return r;
	r = fd_install(file, 0, true);
	if (r < 0)
		file_put(file);
	return r;
}

/* ---- ids ----------------------------------------------------------------- */

SYSCALL_DEFINE(getpid)
{
	(void)args;
	return current_process()->pid;
}

SYSCALL_DEFINE(gettid)
{
	(void)args;
	return current_task()->tid;
}

SYSCALL_DEFINE(getppid)
{
	const struct process *parent = current_process()->parent;

	(void)args;
	return parent != NULL ? parent->pid : 0;
}

SYSCALL_DEFINE(set_tid_address)
{
	current_task()->clear_child_tid = uaddr(args[0]);
	return current_task()->tid;
}

/* The process of a pid argument, where 0 is the caller; with a reference, or NULL. */
static struct process *process_of_arg(int pid)
{
	struct process *me = current_process();

	if (pid == 0 || pid == me->pid) {
		process_get(me);
		return me;
	}
	return process_find(pid);
}

static int64_t get_pgid(int pid)
{
	struct process *p = process_of_arg(pid);
	int pgid;

	if (p == NULL)
		return -ESRCH;
	pgid = p->pgid;
	process_put(p);
	return pgid;
}

SYSCALL_DEFINE(getpgid) { return get_pgid((int)args[0]); }

SYSCALL_DEFINE(getpgrp)
{
	(void)args;
	return get_pgid(0);
}

SYSCALL_DEFINE(getsid)
{
	struct process *p = process_of_arg((int)args[0]);
	int sid;

	if (p == NULL)
		return -ESRCH;
	sid = p->sid;
	process_put(p);
	return sid;
}

/* setpgid(2) in the order of Linux's checks. */
static int setpgid_locked(struct process *p, int pgid)
{
	struct process *me = current_process();
	struct id *group;

	if (p->parent == me) {
		if (p->sid != me->sid)
			return -EPERM;
		if (p->has_execed)
			return -EACCES;
	} else if (p != me) {
		return -ESRCH;
	}
	if (p->sid == p->pid)
		return -EPERM; /* a session leader stays in its group */
	group = id_find_locked(pgid);
	if (pgid != p->pid) {
		struct process *member;

		if (group == NULL || list_is_empty(&group->pgrp))
			return -EPERM;
		member = LIST_FIRST(&group->pgrp, struct process, pgrp_link);
		if (member->sid != me->sid)
			return -EPERM;
	}
	if (p->pgid != pgid)
		process_set_pgrp_locked(p, group);
	return 0;
}

SYSCALL_DEFINE(setpgid)
{
	int pgid = (int)args[1], r = -ESRCH;
	struct process *p = process_of_arg((int)args[0]);

	if (pgid < 0) {
		r = -EINVAL;
	} else if (p != NULL) {
		spin_lock(&task_lock);
		if (p->leader != NULL)
			r = setpgid_locked(p, pgid != 0 ? pgid : p->pid);
		spin_unlock(&task_lock);
	}
	if (p != NULL)
		process_put(p);
	return r;
}

SYSCALL_DEFINE(setsid)
{
	struct process *me = current_process();
	struct id *id = me->leader->id;
	int r = -EPERM;

	(void)args;
	spin_lock(&task_lock);
	if (list_is_empty(&id->pgrp) && me->sid != me->pid) {
		process_set_session_locked(me, id);
		process_set_pgrp_locked(me, id);
		r = me->pid;
	}
	spin_unlock(&task_lock);
	if (r > 0)
		tty_forget(me);
	return r;
}

/* ---- robust futexes ------------------------------------------------------ */

SYSCALL_DEFINE(set_robust_list)
{
	if (args[1] != sizeof(struct linux_robust_list_head))
		return -EINVAL;
	current_task()->robust_list = uaddr(args[0]);
	return 0;
}

SYSCALL_DEFINE(get_robust_list)
{
	uint64_t head, size = sizeof(struct linux_robust_list_head);
	struct task *t = current_task();

	if ((int)args[0] != 0)
		t = task_find((int)args[0]);
	else
		task_get(t);
	if (t == NULL)
		return -ESRCH;
	head = t->robust_list.raw;
	task_put(t);
	if (copy_to_user(uaddr(args[2]), &size, sizeof(size)) != 0 ||
	    copy_to_user(uaddr(args[1]), &head, sizeof(head)) != 0)
		return -EFAULT;
	return 0;
}
