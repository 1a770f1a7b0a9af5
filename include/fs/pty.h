/* Pseudo-terminals, pty(7): what pty.c (the pairs) and devpts.c (their names) share. */
#ifndef FS_PTY_H
#define FS_PTY_H

#include "fs/tty.h"

#define PTY_MAX 256u
#define PTS_MAJOR 136u
#define PTMX_RDEV dev_make(5, 2)
#define PTY_RING_BYTES 8192u

/* A pair. Guarded by tty.lock but for the members a master's life fixes (index, inode). */
struct pty {
	struct tty tty;                /* the slave; its last reference frees the pair */
	unsigned index;
	struct inode *inode;           /* /dev/pts/N; a reference while the master is open; NULL: no devpts */
	bool is_locked;                /* TIOCSPTLCK: the slave cannot be opened */
	bool is_slave_closed;          /* it was open, and is no longer: the master reads EIO */
	bool is_packet_mode;           /* TIOCPKT */
	uint8_t packet_status;
	uint32_t head, tail;           /* free running */
	char ring[PTY_RING_BYTES];     /* what the slave wrote and the master has not read */
	struct waitq read_waitq, write_waitq; /* of the master */
};

/* The pair of a number whose master is open, or NULL. */
struct pty *pty_find(unsigned index);

/* devpts.c: creates and removes the slave's inode. -ENOMEM; 0 and *out == NULL when no devpts was made. */
MUST_CHECK int devpts_inode_create(unsigned index, struct inode **out);

extern const struct file_ops pts_fops;

#endif
