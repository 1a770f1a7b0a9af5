/*
 * Job control: sessions, process groups and their terminal (credentials(7),
 * ioctl_tty(2), POSIX.1 chapter 11). Owns tty->session, tty->pgrp and process->tty.
 * Lock: tty->lock for the first two; process->tty changes only here, in fork (copied) and setsid.
 * Invariant: process->tty != NULL implies tty->session == process->sid.
 */
#include "fs/tty_internal.h"

#include "abi/errno.h"
#include "lib/assert.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "syscall/syscall.h"

#define CAP_SYS_ADMIN 21

bool tty_may_admin(void) { return (current_task()->cred.cap_effective >> CAP_SYS_ADMIN) & 1; }

static bool is_session_leader(const struct process *p) { return p->pid == p->sid; }

static bool is_orphaned(int pgid)
{
	bool result;

	spin_lock(&task_lock);
	result = pgrp_is_orphaned_locked(pgid, NULL);
	spin_unlock(&task_lock);
	return result;
}

/* The session of a process group, or 0: no such group. */
static int pgrp_session(int pgid)
{
	struct process *p;

	for (int pid = 0; (p = process_next(pid)) != NULL;) {
		int sid = p->pgid == pgid ? p->sid : 0;

		pid = p->pid;
		process_put(p);
		if (sid != 0)
			return sid;
	}
	return 0;
}

int tty_check_foreground(struct tty *tty, int sig)
{
	struct task *t = current_task();
	struct process *p = t->process;

	if (p->tty != tty || tty->pgrp == 0 || tty->pgrp == p->pgid)
		return 0;
	if (signal_is_blocked(t, sig) || signal_is_ignored(t, sig))
		return sig == SIGTTIN ? -EIO : 0;
	if (is_orphaned(p->pgid))
		return -EIO;
	(void)signal_send_pgrp(p->pgid, sig, NULL);
	return -ERESTARTSYS;
}

/* No member of the session has this terminal any more. */
static void session_clear(struct tty *tty, int session, bool hang_up_leader)
{
	struct process *p;

	for (int pid = 0; (p = process_next(pid)) != NULL;) {
		pid = p->pid;
		if (p->sid == session && p->tty == tty) {
			p->tty = NULL;
			if (hang_up_leader && is_session_leader(p)) {
				(void)signal_send_process(p, SIGHUP, NULL);
				(void)signal_send_process(p, SIGCONT, NULL);
			}
		}
		process_put(p);
	}
	spin_lock(&tty->lock);
	tty->session = tty->pgrp = 0;
	spin_unlock(&tty->lock);
}

void tty_session_hangup(struct tty *tty, int session) { session_clear(tty, session, true); }

/* The leader gives the terminal up (TIOCNOTTY, or it exits): what runs in the foreground is told. */
static void leader_gives_up(struct process *leader, bool is_exit)
{
	struct tty *tty = leader->tty;
	int pgrp = tty->pgrp;

	session_clear(tty, leader->sid, false);
	if (pgrp > 0) {
		(void)signal_send_pgrp(pgrp, SIGHUP, NULL);
		if (!is_exit)
			(void)signal_send_pgrp(pgrp, SIGCONT, NULL);
	}
}

void tty_session_leader_exit(struct process *p)
{
	if (p->tty != NULL && is_session_leader(p))
		leader_gives_up(p, true);
	p->tty = NULL;
}

void tty_forget(struct process *p) { p->tty = NULL; }

void tty_make_controlling(struct tty *tty)
{
	struct process *p = current_process();

	ASSERT(is_session_leader(p) && p->tty == NULL);
	spin_lock(&tty->lock);
	tty->session = p->sid;
	tty->pgrp = p->pgid;
	spin_unlock(&tty->lock);
	p->tty = tty;
}

void tty_open_controlling(struct tty *tty, const struct file *file)
{
	struct process *p = current_process();

	if (file->is_noctty || (file->flags & O_ACCMODE) == O_WRONLY)
		return;
	if (is_session_leader(p) && p->tty == NULL && tty->session == 0)
		tty_make_controlling(tty);
}

void tty_set_console_session(struct process *p)
{
	struct tty *tty = tty_console();

	spin_lock(&tty->lock);
	tty->session = p->sid;
	tty->pgrp = p->pgid;
	spin_unlock(&tty->lock);
	p->tty = tty;
}

void tty_process_info(struct process *p, uint32_t *tty_nr, int *tpgid)
{
	struct tty *tty = p->tty;

	*tty_nr = 0;
	*tpgid = -1;
	if (tty == NULL)
		return;
	/* new_encode_dev(): minor bits 19..8 stand above the major. */
	*tty_nr = (uint32_t)tty->rdev;
	*tpgid = tty->pgrp > 0 ? tty->pgrp : -1;
}

/* ---- ioctls -------------------------------------------------------------- */

static int64_t put_int(uint64_t arg, int value) { return copy_to_user(uaddr(arg), &value, sizeof(value)); }

int64_t tty_ioctl_sctty(struct tty *tty, uint64_t arg)
{
	struct process *p = current_process();

	if (is_session_leader(p) && p->tty == tty && tty->session == p->sid)
		return 0;
	if (!is_session_leader(p) || p->tty != NULL)
		return -EPERM;
	if (tty->session != 0) {
		/* Stealing it from another session. */
		if (arg != 1 || !tty_may_admin())
			return -EPERM;
		session_clear(tty, tty->session, false);
	}
	tty_make_controlling(tty);
	return 0;
}

int64_t tty_ioctl_notty(struct tty *tty)
{
	struct process *p = current_process();

	if (p->tty != tty)
		return -ENOTTY;
	if (is_session_leader(p))
		leader_gives_up(p, false);
	p->tty = NULL;
	return 0;
}

int64_t tty_ioctl_gpgrp(struct tty *tty, uint64_t arg, bool is_master)
{
	if (!is_master && current_process()->tty != tty)
		return -ENOTTY;
	return put_int(arg, tty->pgrp);
}

int64_t tty_ioctl_spgrp(struct tty *tty, uint64_t arg)
{
	struct process *p = current_process();
	int pgid, session;
	int err = tty_check_foreground(tty, SIGTTOU);

	if (err == -EIO)
		return -ENOTTY;
	if (err != 0)
		return err;
	if (p->tty != tty || tty->session != p->sid)
		return -ENOTTY;
	if (copy_from_user(&pgid, uaddr(arg), sizeof(pgid)) != 0)
		return -EFAULT;
	if (pgid < 0)
		return -EINVAL;
	session = pgrp_session(pgid);
	if (session == 0)
		return -ESRCH;
	if (session != p->sid)
		return -EPERM;
	spin_lock(&tty->lock);
	tty->pgrp = pgid;
	spin_unlock(&tty->lock);
	return 0;
}

int64_t tty_ioctl_gsid(struct tty *tty, uint64_t arg, bool is_master)
{
	if ((!is_master && current_process()->tty != tty) || tty->session == 0)
		return -ENOTTY;
	return put_int(arg, tty->session);
}
