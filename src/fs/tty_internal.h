/* What the parts of the terminal (src/fs/tty*.c, pty.c) share; nobody else includes it. */
#ifndef FS_TTY_INTERNAL_H
#define FS_TTY_INTERNAL_H

#include "fs/tty.h"

/* One open file on a terminal. */
struct tty_file {
	struct tty *tty;
	uint32_t hangup_count; /* tty's when it was opened */
};

/* Someone wants input from this terminal: the device starts to deliver it. */
void tty_want_input(struct tty *tty);
/* Does the current task have CAP_SYS_ADMIN? */
bool tty_may_admin(void);

/* tty_job.c */
/* Tells the session that its terminal is gone (SIGHUP, SIGCONT to the leader) and takes it from them. */
void tty_session_hangup(struct tty *tty, int session);
/* Makes tty the controlling terminal of the current process, a session leader without one. */
void tty_make_controlling(struct tty *tty);
/* Opening tty without O_NOCTTY: the same, if it may. */
void tty_open_controlling(struct tty *tty, const struct file *file);
int64_t tty_ioctl_sctty(struct tty *tty, uint64_t arg);
int64_t tty_ioctl_notty(struct tty *tty);
int64_t tty_ioctl_gpgrp(struct tty *tty, uint64_t arg, bool is_master);
int64_t tty_ioctl_spgrp(struct tty *tty, uint64_t arg);
int64_t tty_ioctl_gsid(struct tty *tty, uint64_t arg, bool is_master);

#endif
