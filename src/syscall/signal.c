/*
 * System calls on signals. Sources: sigaction(2), sigprocmask(2), sigsuspend(2),
 * sigwaitinfo(2), rt_sigqueueinfo(2), sigaltstack(2), kill(2), tkill(2).
 */
#include "abi/errno.h"
#include "abi/time.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "sched/cred.h"
#include "fs/fdtable.h"
#include "sched/internal.h"
#include "sched/pidfd.h"
#include "syscall/syscall.h"
#include "syscall/timeconv.h"

#define UNBLOCKABLE (SIGMASK(SIGKILL) | SIGMASK(SIGSTOP))
#define MINSIGSTKSZ 2048u

static bool is_signal(int sig) { return sig >= 1 && sig <= NR_SIGNALS; }

/* ---- actions and masks --------------------------------------------------- */

/* Setting a signal to be ignored discards what is pending (POSIX 3.3.1.3). */
static void set_action_locked(struct task *me, int sig, struct linux_sigaction *act)
{
	struct process *p = me->process;
	struct task *t;

	act->mask &= ~UNBLOCKABLE;
	sighand_set_action(me->sig.hand, sig, act);
	if (!signal_is_ignored(me, sig))
		return;
	signal_queue_flush_locked(&p->signal.queue, p, SIGMASK(sig));
	LIST_FOR_EACH (t, &p->tasks, process_link)
		signal_queue_flush_locked(&t->sig.queue, p, SIGMASK(sig));
}

SYSCALL_DEFINE(rt_sigaction)
{
	int sig = (int)args[0];
	struct task *me = current_task();
	struct linux_sigaction new, old;

	if (args[3] != sizeof(uint64_t) || !is_signal(sig))
		return -EINVAL;
	if (args[1] != 0) {
		if (sig == SIGKILL || sig == SIGSTOP)
			return -EINVAL;
		if (copy_from_user(&new, uaddr(args[1]), sizeof(new)) != 0)
			return -EFAULT;
	}
	old = *sighand_action(me->sig.hand, sig);
	if (args[1] != 0) {
		spin_lock(&task_lock);
		set_action_locked(me, sig, &new);
		spin_unlock(&task_lock);
	}
	return args[2] != 0 ? copy_to_user(uaddr(args[2]), &old, sizeof(old)) : 0;
}

SYSCALL_DEFINE(rt_sigprocmask)
{
	uint64_t old = current_task()->sig.blocked, set, mask;

	if (args[3] != sizeof(set))
		return -EINVAL;
	if (args[1] != 0) {
		if (copy_from_user(&set, uaddr(args[1]), sizeof(set)) != 0)
			return -EFAULT;
		switch ((int)args[0]) {
		case SIG_BLOCK: mask = old | set; break;
		case SIG_UNBLOCK: mask = old & ~set; break;
		case SIG_SETMASK: mask = set; break;
		default: return -EINVAL;
		}
		signal_set_blocked(mask);
	}
	return args[2] != 0 ? copy_to_user(uaddr(args[2]), &old, sizeof(old)) : 0;
}

SYSCALL_DEFINE(rt_sigpending)
{
	struct task *me = current_task();
	uint64_t pending = signal_pending_set(me) & me->sig.blocked;

	if (args[1] > sizeof(pending))
		return -EINVAL;
	return copy_to_user(uaddr(args[0]), &pending, args[1]);
}

static int64_t wait_for_handler(void)
{
	struct task *me = current_task();

	while (!signal_is_pending(me)) {
		me->state = TASK_SLEEPING;
		schedule();
	}
	return -ERESTARTNOHAND;
}

SYSCALL_DEFINE(rt_sigsuspend)
{
	uint64_t mask;

	if (args[1] != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, uaddr(args[0]), sizeof(mask)) != 0)
		return -EFAULT;
	signal_set_temporary_mask(mask);
	return wait_for_handler();
}

SYSCALL_DEFINE(pause)
{
	(void)args;
	return wait_for_handler();
}

/* Waits for one of `set`, whether blocked or not. */
static int wait_for_signal(uint64_t set, uint64_t deadline_ns, struct linux_siginfo *info)
{
	struct task *me = current_task();
	int sig, r = 0;

	me->sig.waiting_for = set;
	for (;;) {
		sig = signal_dequeue(set, info);
		if (sig != 0 || r != 0)
			break;
		me->state = TASK_SLEEPING;
		r = waitq_schedule(true, deadline_ns);
	}
	me->sig.waiting_for = 0;
	if (sig != 0)
		return sig;
	return r == -ETIMEDOUT ? -EAGAIN : r;
}

SYSCALL_DEFINE(rt_sigtimedwait)
{
	uint64_t set, deadline = WAIT_FOREVER;
	struct linux_timespec ts;
	struct linux_siginfo info;
	int sig;

	if (args[3] != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, uaddr(args[0]), sizeof(set)) != 0)
		return -EFAULT;
	if (args[2] != 0) {
		if (copy_from_user(&ts, uaddr(args[2]), sizeof(ts)) != 0)
			return -EFAULT;
		if (!timespec_is_valid(&ts))
			return -EINVAL;
		deadline = arch_time_ns() + ns_from_timespec(&ts);
	}
	sig = wait_for_signal(set & ~UNBLOCKABLE, deadline, &info);
	if (sig > 0 && args[1] != 0 &&
	    (copy_to_user(uaddr(args[1]), &info, sizeof(info)) != 0 ||
	     clear_user(uaddr(args[1] + sizeof(info)), LINUX_SIGINFO_REST) != 0))
		return -EFAULT;
	return sig;
}

/* ---- sending ------------------------------------------------------------- */

/* kill(2): same user, or CAP_KILL; SIGCONT within the session. */
static bool may_signal(struct process *p, int sig)
{
	const struct task *me = current_task();
	const struct cred *mine = &me->cred, *other;

	if (p == me->process || cred_has_cap(mine, CAP_KILL))
		return true;
	other = &p->leader->cred;
	if (mine->euid == other->suid || mine->euid == other->uid || mine->uid == other->suid ||
	    mine->uid == other->uid)
		return true;
	return sig == SIGCONT && p->sid == me->process->sid;
}

static void user_info(struct linux_siginfo *info, int sig, int code)
{
	memset(info, 0, sizeof(*info));
	info->signo = sig;
	info->code = code;
	info->kill.pid = current_process()->pid;
	info->kill.uid = current_task()->cred.uid;
}

static int send_to_process(struct process *p, int sig, const struct linux_siginfo *info)
{
	return may_signal(p, sig) ? signal_send_process_locked(p, sig, info) : -EPERM;
}

static int kill_pid(int pid, int sig, const struct linux_siginfo *info)
{
	struct id *id;
	struct task *t;
	int r = -ESRCH;

	spin_lock(&task_lock);
	id = id_find_locked(pid);
	t = id != NULL ? id->task : NULL; /* any thread's id stands for its process */
	if (t != NULL && t->process != NULL && t->process->leader != NULL)
		r = send_to_process(t->process, sig, info);
	spin_unlock(&task_lock);
	return r;
}

/* 0 when one could be signalled; else the last error. */
static int kill_pgrp(int pgid, int sig, const struct linux_siginfo *info)
{
	struct process *p;
	struct id *id;
	int r = -ESRCH;
	bool has_sent = false;

	spin_lock(&task_lock);
	id = id_find_locked(pgid);
	if (id != NULL)
		LIST_FOR_EACH (p, &id->pgrp, pgrp_link) {
			r = send_to_process(p, sig, info);
			has_sent = has_sent || r == 0;
		}
	spin_unlock(&task_lock);
	return has_sent ? 0 : r;
}

/* Everybody but init and the caller. */
static int kill_all(int sig, const struct linux_siginfo *info)
{
	struct process *p;
	int r = -ESRCH;

	for (int pid = 1; (p = process_next(pid)) != NULL; process_put(p)) {
		int sent;

		pid = p->pid;
		if (p == current_process())
			continue;
		spin_lock(&task_lock);
		sent = p->leader != NULL ? send_to_process(p, sig, info) : -ESRCH;
		spin_unlock(&task_lock);
		if (r != 0 && sent != -EPERM)
			r = sent;
		else if (r == -ESRCH)
			r = sent;
	}
	return r;
}

SYSCALL_DEFINE(kill)
{
	int pid = (int)args[0], sig = (int)args[1];
	struct linux_siginfo info;

	user_info(&info, sig, SI_USER);
	if (sig != 0 && !is_signal(sig))
		return -EINVAL;
	if (pid > 0)
		return kill_pid(pid, sig, &info);
	if (pid == 0)
		return kill_pgrp(current_process()->pgid, sig, &info);
	if (pid == -1)
		return kill_all(sig, &info);
	return pid == INT32_MIN ? -ESRCH : kill_pgrp(-pid, sig, &info);
}

/* tgid 0: any process's thread. */
static int64_t kill_thread(int tgid, int tid, int sig, const struct linux_siginfo *info)
{
	struct task *t;
	int r = -ESRCH;

	if (sig != 0 && !is_signal(sig))
		return -EINVAL;
	t = task_find(tid);
	if (t == NULL)
		return r;
	spin_lock(&task_lock);
	if (t->id != NULL && (tgid == 0 || t->process->pid == tgid))
		r = may_signal(t->process, sig) ? signal_send_task_locked(t, sig, info) : -EPERM;
	spin_unlock(&task_lock);
	task_put(t);
	return r;
}

SYSCALL_DEFINE(tkill)
{
	struct linux_siginfo info;

	user_info(&info, (int)args[1], SI_TKILL);
	return (int)args[0] <= 0 ? -EINVAL : kill_thread(0, (int)args[0], (int)args[1], &info);
}

SYSCALL_DEFINE(tgkill)
{
	struct linux_siginfo info;

	user_info(&info, (int)args[2], SI_TKILL);
	if ((int)args[0] <= 0 || (int)args[1] <= 0)
		return -EINVAL;
	return kill_thread((int)args[0], (int)args[1], (int)args[2], &info);
}

/* A code of the program's own, which may mean that it uses more of siginfo_t than the kernel knows. */
static bool is_private_code(int code) { return code < SI_DETHREAD && code != SI_ASYNCNL; }

/* Nobody may pretend to be the kernel, or kill(2), towards another process. */
static int get_info(uint64_t addr, int sig, int target, struct linux_siginfo *info)
{
	uint64_t rest[LINUX_SIGINFO_REST / sizeof(uint64_t)], used = 0;

	if (copy_from_user(info, uaddr(addr), sizeof(*info)) != 0)
		return -EFAULT;
	if (is_private_code(info->code)) {
		if (copy_from_user(rest, uaddr(addr + sizeof(*info)), sizeof(rest)) != 0)
			return -EFAULT;
		for (unsigned i = 0; i < ARRAY_SIZE(rest); i++)
			used |= rest[i];
		if (used != 0)
			return -E2BIG;
	}
	info->signo = sig;
	if ((info->code >= 0 || info->code == SI_TKILL) && target != current_process()->pid)
		return -EPERM;
	return 0;
}

SYSCALL_DEFINE(rt_sigqueueinfo)
{
	int pid = (int)args[0], sig = (int)args[1];
	struct linux_siginfo info;
	int r = get_info(args[2], sig, pid, &info);

	if (r != 0)
		return r;
	if (sig != 0 && !is_signal(sig))
		return -EINVAL;
	return kill_pid(pid, sig, &info);
}

SYSCALL_DEFINE(pidfd_send_signal)
{
	struct file *file = fd_get((int)args[0]);
	struct linux_siginfo info;
	struct process *p;
	int sig = (int)args[1], r = 0;

	user_info(&info, sig, SI_USER);
	if (file == NULL)
		return -EBADF;
	p = pidfd_process(file);
	if (p == NULL)
		r = -EBADF;
	else if (args[3] != 0 || (sig != 0 && !is_signal(sig)))
		r = -EINVAL;
	else if (args[2] != 0)
		r = get_info(args[2], sig, p->pid, &info);
	if (r == 0) {
		spin_lock(&task_lock);
		r = p->leader != NULL ? send_to_process(p, sig, &info) : -ESRCH;
		spin_unlock(&task_lock);
	}
	file_put(file);
	return r;
}

SYSCALL_DEFINE(rt_tgsigqueueinfo)
{
	int tgid = (int)args[0], tid = (int)args[1];
	struct linux_siginfo info;
	int r = get_info(args[3], (int)args[2], tgid, &info);

	if (r != 0)
		return r;
	return tgid <= 0 || tid <= 0 ? -EINVAL : kill_thread(tgid, tid, (int)args[2], &info);
}

/* ---- stacks and frames --------------------------------------------------- */

static bool is_on_altstack(const struct task *t)
{
	uint64_t sp = frame_sp(t->frame), base = t->sig.altstack_sp.raw;

	return (t->sig.altstack_flags & SS_AUTODISARM) == 0 && t->sig.altstack_size != 0 && sp > base &&
	       sp - base <= t->sig.altstack_size;
}

static int set_altstack(struct task *me, uint64_t sp, uint32_t flags, uint64_t size)
{
	uint32_t mode = flags & ~SS_AUTODISARM;

	if (is_on_altstack(me))
		return -EPERM;
	if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE)
		return -EINVAL;
	if (mode == SS_DISABLE) {
		sp = size = 0;
	} else if (size < MINSIGSTKSZ) {
		return -ENOMEM;
	}
	me->sig.altstack_sp = uaddr(sp);
	me->sig.altstack_size = size;
	me->sig.altstack_flags = flags;
	return 0;
}

SYSCALL_DEFINE(sigaltstack)
{
	struct task *me = current_task();
	struct linux_stack new, old;
	int r;

	memset(&old, 0, sizeof(old));
	old.sp = me->sig.altstack_sp.raw;
	old.size = me->sig.altstack_size;
	old.flags = (int32_t)((me->sig.altstack_flags & SS_AUTODISARM) | (old.size == 0	       ? SS_DISABLE
									  : is_on_altstack(me) ? SS_ONSTACK
											       : 0));
	if (args[0] != 0) {
		if (copy_from_user(&new, uaddr(args[0]), sizeof(new)) != 0)
			return -EFAULT;
		r = set_altstack(me, new.sp, (uint32_t) new.flags, new.size);
		if (r != 0)
			return r;
	}
	return args[1] != 0 ? copy_to_user(uaddr(args[1]), &old, sizeof(old)) : 0;
}

SYSCALL_DEFINE(rt_sigreturn)
{
	struct task *me = current_task();
	uint64_t mask, altstack[3];

	(void)args;
	me->restart_fn = NULL;
	if (arch_signal_frame_pop(me, me->frame, &mask, altstack) != 0) {
		signal_force(SIGSEGV, NULL);
		frame_forget_syscall(me->frame);
		return frame_result(me->frame);
	}
	signal_set_blocked(mask);
	/* The handler's frame says which alternate stack was in use; an error here is nobody's. */
	if (set_altstack(me, altstack[0], (uint32_t)altstack[1], altstack[2]) != 0)
		return frame_result(me->frame);
	return frame_result(me->frame);
}

SYSCALL_DEFINE(restart_syscall)
{
	struct task *me = current_task();
	int64_t (*fn)(struct task *) = me->restart_fn;

	(void)args;
	me->restart_fn = NULL;
	return fn != NULL ? fn(me) : -EINTR;
}
