/*
 * The terminal line discipline (termios(3)): what stands between the characters
 * of a terminal and read(2)/write(2). Pure: it knows no task and no device, it
 * talks to the outside through struct ldisc_ops, and never sleeps or allocates.
 *
 * Lock: the owner's (tty->lock); every function needs it.
 */
#ifndef FS_LDISC_H
#define FS_LDISC_H

#include "abi/termios.h"
#include "lib/types.h"

#define LDISC_BUF_BYTES 4096u /* MAX_CANON: a line is 4095 bytes and its end */
#define LDISC_ECHO_BYTES 1024u

struct ldisc;

struct ldisc_ops {
	/* Sends bytes to the terminal; returns how many it took. */
	size_t (*output)(struct ldisc *ld, const char *buf, size_t n);
	/* How many bytes output() would take now. */
	size_t (*room)(struct ldisc *ld);
	/* A signal character was typed: to the foreground process group. */
	void (*signal)(struct ldisc *ld, int sig);
	/* A signal without NOFLSH, or TCOFLUSH: drop what output() took but nobody saw. May be NULL. */
	void (*flush_output)(struct ldisc *ld);
	/* Output was stopped or started (IXON characters, TCXONC). May be NULL. */
	void (*flow)(struct ldisc *ld, bool is_stopped);
};

struct ldisc {
	const struct ldisc_ops *ops;
	struct linux_termios termios;
	/* Ring of input: [tail, canon_head) complete lines, [canon_head, head) the line being edited. */
	uint32_t tail, canon_head, head; /* free running; index modulo LDISC_BUF_BYTES */
	uint8_t buf[LDISC_BUF_BYTES];
	uint64_t line_end[LDISC_BUF_BYTES / 64]; /* this character ends a line (a 0 one: is VEOF) */
	uint32_t column;                 /* where the cursor is, for tabs and ONOCR */
	uint32_t canon_column;           /* where the line being edited began */
	bool is_literal_next;            /* VLNEXT was typed */
	bool is_erasing;                 /* inside the \.../ of ECHOPRT */
	bool is_stopped;                 /* VSTOP: output waits */
	bool is_held;                    /* TCOOFF: and only TCOON lets it go on */
	bool is_throttled;               /* IXOFF: VSTOP was sent to the terminal */
	/* Echo, processed, that waits for the end of the input at hand, for VSTART, or for room. */
	uint32_t nr_echo;
	uint32_t shown_column, shown_canon_column; /* column and canon_column without that echo */
	char echo[LDISC_ECHO_BYTES];
};

/* Linux's initial attributes (tty_std_termios): cooked, echoing, with signals. */
void ldisc_init(struct ldisc *ld, const struct ldisc_ops *ops);

/* Characters from the terminal. Those that do not fit are dropped with a bell. */
void ldisc_receive(struct ldisc *ld, const char *buf, size_t n);
/* How many characters ldisc_receive() will surely keep (or drop as a terminal must). */
size_t ldisc_room(const struct ldisc *ld);

/* Is there something for read(2)? for_poll: count VMIN in, as poll(2) does. */
bool ldisc_is_readable(const struct ldisc *ld, bool for_poll);
/*
 * Takes up to n characters: in canonical mode at most the rest of one line.
 * *is_line_done: the line's end was taken (a VEOF is taken but not stored, so 0 with true is end of file).
 */
size_t ldisc_take(struct ldisc *ld, char *buf, size_t n, bool *is_line_done);
/* FIONREAD. */
size_t ldisc_input_count(const struct ldisc *ld);

/* Writes through output processing; returns how many of the n bytes were consumed. */
size_t ldisc_write(struct ldisc *ld, const char *buf, size_t n);

/* Takes new attributes over; a change of ICANON turns pending input into a line or loose bytes. */
void ldisc_set_termios(struct ldisc *ld, const struct linux_termios *new_termios);
void ldisc_flush_input(struct ldisc *ld);
void ldisc_stop_output(struct ldisc *ld);
void ldisc_start_output(struct ldisc *ld);
/* TCXONC's TCOOFF and TCOON. */
void ldisc_hold_output(struct ldisc *ld, bool on);

#endif
