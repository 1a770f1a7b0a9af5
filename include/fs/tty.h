/*
 * Terminals: the console and pseudo-terminals, each a device (driver) under a
 * line discipline (ldisc.h), with job control (ioctl_tty(2), credentials(7)).
 *
 * Lock: tty->lock (spin) guards everything in struct tty but refs and the wait queues;
 * it is taken from interrupt context, and the signal locks are taken inside it.
 */
#ifndef FS_TTY_H
#define FS_TTY_H

#include "fs/ldisc.h"
#include "fs/vfs.h"
#include "lib/types.h"
#include "sched/lock.h"
#include "sched/waitq.h"

struct process;
struct tty;

/* The device beneath a terminal. Every function is called with tty->lock unless it says otherwise. */
struct tty_driver {
	size_t (*output)(struct tty *tty, const char *buf, size_t n);
	size_t (*room)(struct tty *tty);
	/* May be NULL: */
	void (*flush_output)(struct tty *tty);
	size_t (*pending_output)(struct tty *tty);      /* TIOCOUTQ */
	void (*input_wanted)(struct tty *tty);          /* someone reads, polls, sets attributes; no lock */
	void (*input_taken)(struct tty *tty);           /* a read made room; no lock */
	void (*flow)(struct tty *tty, bool is_stopped);
	void (*closed)(struct tty *tty);                /* the last file on it was closed; no lock */
	void (*release)(struct tty *tty);               /* the last reference is gone; no lock */
};

struct tty {
	struct ldisc ld;
	struct spinlock lock;
	const struct tty_driver *driver;
	uint32_t refs;                 /* open files, and the driver's own */
	uint32_t nr_open;              /* files, dead ones included */
	uint32_t hangup_count;         /* files opened before the last one are dead */
	bool is_dead;                  /* hung up for good: no opening, no session */
	bool is_exclusive;             /* TIOCEXCL */
	uint64_t rdev;                 /* for stat's tty_nr */
	struct linux_winsize winsize;
	int session, pgrp;             /* session it controls, foreground group; 0: none */
	struct waitq read_waitq, write_waitq;
	void *private;                 /* the driver's */
};

/* For the drivers: a terminal with one reference, the caller's. */
void tty_init(struct tty *tty, const struct tty_driver *driver, uint64_t rdev);
void tty_put(struct tty *tty);
/* Characters from the terminal, in interrupt context or not. Takes the lock. */
void tty_receive(struct tty *tty, const char *buf, size_t n);
/* Everything open on it is dead (reads 0, writes EIO); the session is told (SIGHUP, SIGCONT) and loses it. */
void tty_hangup(struct tty *tty, bool for_good);
/* Sets the size; tells the foreground group (SIGWINCH) when it changed. */
void tty_set_winsize(struct tty *tty, const struct linux_winsize *ws);
/* Gives file a terminal of its own to act on (open of a device). -ENOMEM, -EIO (dead), -EBUSY (exclusive). */
MUST_CHECK int tty_attach_file(struct tty *tty, struct file *file);
/* The terminal of a file opened by tty_attach_file, or NULL: any other file. No reference. */
struct tty *tty_of_file(struct file *file);
/* ioctl_tty(2) on tty; also for the master side of a pty. */
int64_t tty_ioctl(struct tty *tty, unsigned cmd, uint64_t arg, bool is_master);
/*
 * May the caller's process group use its controlling terminal? 0; -ERESTARTSYS: it got sig
 * (SIGTTIN or SIGTTOU) and stops; -EIO: it cannot be stopped (orphaned, or for SIGTTIN ignoring it).
 */
int tty_check_foreground(struct tty *tty, int sig);

/* The console terminal; set up at first use. */
struct tty *tty_console(void);
/* Makes the console the controlling terminal of p (the first process), its group the foreground one. */
void tty_set_console_session(struct process *p);
/*
 * p is exiting (called by exit without locks). A session leader with a controlling terminal: SIGHUP to the
 * foreground group; the session loses the terminal.
 */
void tty_session_leader_exit(struct process *p);
/* setsid(2): the caller has no controlling terminal any more. */
void tty_forget(struct process *p);
/* /proc/PID/stat: tty_nr (0: none) and tpgid (-1: none). */
void tty_process_info(struct process *p, uint32_t *tty_nr, int *tpgid);
/* How many characters console_input() will keep; after a 0 arch_console_open_input() is called when there is room. */
size_t console_input_room(void);

/* Device files: /dev/console (5,1), /dev/tty (5,0), /dev/ptmx (5,2). */
extern const struct file_ops tty_console_fops, tty_current_fops, ptmx_fops;
/* The slaves, mounted at /dev/pts. -ENOMEM. */
MUST_CHECK int devpts_create(struct superblock **out);

#endif
