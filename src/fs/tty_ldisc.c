/*
 * The terminal line discipline, input half: line editing, signals, flow control,
 * reading, with the behaviour of Linux's N_TTY (termios(3)). tty_ldisc_output.c has the rest.
 * Owns struct ldisc. Lock: the owner's (tty->lock). Called from interrupt context
 * for input, so nothing here sleeps, allocates, or loops over more than the buffer.
 * Invariant: tail <= canon_head <= head <= tail + LDISC_BUF_BYTES (free running).
 */
#include "fs/ldisc_internal.h"

#include "abi/signal.h"
#include "lib/assert.h"
#include "lib/string.h"

#define IXOFF_HIGH (LDISC_BUF_BYTES - 128)
#define IXOFF_LOW 128

/* ---- the ring: tail, canon_head, head ------------------------------------- */

/* One slot stays free for the end of a line, so that a full line can still be ended. */
static bool ring_put(struct ldisc *ld, uint8_t c, bool is_end)
{
	if (ring_count(ld) >= LDISC_BUF_BYTES - (is_end ? 0 : 1)) {
		ldisc_emit(ld, "\a", 1);
		return false;
	}
	ld->buf[ld->head % LDISC_BUF_BYTES] = c;
	ring_set_end(ld, ld->head, is_end);
	ld->head++;
	return true;
}

/* ---- input --------------------------------------------------------------- */

void ldisc_stop_output(struct ldisc *ld)
{
	if (ld->is_stopped)
		return;
	ld->is_stopped = true;
	if (ld->ops->flow != NULL)
		ld->ops->flow(ld, true);
}

void ldisc_start_output(struct ldisc *ld)
{
	if (!ld->is_stopped || ld->is_held)
		return;
	ld->is_stopped = false;
	ldisc_flush_echo(ld);
	if (ld->ops->flow != NULL)
		ld->ops->flow(ld, false);
}

void ldisc_hold_output(struct ldisc *ld, bool on)
{
	if (ld->is_held == on)
		return;
	ld->is_held = on;
	if (on)
		ldisc_stop_output(ld);
	else
		ldisc_start_output(ld);
}

void ldisc_flush_input(struct ldisc *ld)
{
	ld->tail = ld->canon_head = ld->head = 0;
	memset(ld->line_end, 0, sizeof(ld->line_end));
	ld->is_erasing = false;
	if (ld->is_throttled) {
		ld->is_throttled = false;
		ldisc_send_control(ld, VSTART);
	}
}

static void receive_signal(struct ldisc *ld, int sig, uint8_t c)
{
	if (!has_lflag(ld, NOFLSH)) {
		ldisc_flush_input(ld);
		ldisc_drop_echo(ld);
		if (ld->ops->flush_output != NULL)
			ld->ops->flush_output(ld);
	}
	ld->ops->signal(ld, sig);
	if (has_iflag(ld, IXON))
		ldisc_start_output(ld);
	if (has_lflag(ld, ECHO))
		ldisc_echo_char(ld, c);
}

/* Flow control and signal characters. True: c was one. */
static bool receive_special(struct ldisc *ld, uint8_t c)
{
	if (has_iflag(ld, IXON)) {
		if (is_cc(ld, c, VSTART)) {
			ldisc_start_output(ld);
			ldisc_flush_echo(ld);
			return true;
		}
		if (is_cc(ld, c, VSTOP)) {
			ldisc_stop_output(ld);
			return true;
		}
	}
	if (!has_lflag(ld, ISIG))
		return false;
	if (is_cc(ld, c, VINTR))
		receive_signal(ld, SIGINT, c);
	else if (is_cc(ld, c, VQUIT))
		receive_signal(ld, SIGQUIT, c);
	else if (is_cc(ld, c, VSUSP))
		receive_signal(ld, SIGTSTP, c);
	else
		return false;
	return true;
}

static void receive_line_end(struct ldisc *ld, uint8_t c)
{
	if (ring_put(ld, c, true))
		ld->canon_head = ld->head;
}

static void reprint(struct ldisc *ld, uint8_t c)
{
	ldisc_finish_erasing(ld);
	ldisc_echo_char(ld, c);
	ldisc_echo_raw(ld, '\n');
	for (uint32_t pos = ld->canon_head; pos != ld->head; pos++)
		ldisc_echo_char(ld, ring_get(ld, pos));
}

/* Line editing and line ends of canonical mode. True: c was one. */
static bool receive_canonical(struct ldisc *ld, uint8_t c)
{
	bool is_extended = has_lflag(ld, IEXTEN);

	if (is_cc(ld, c, VERASE) || is_cc(ld, c, VKILL) || (is_cc(ld, c, VWERASE) && is_extended)) {
		ldisc_erase(ld, c);
	} else if (is_cc(ld, c, VLNEXT) && is_extended) {
		ld->is_literal_next = true;
		if (has_lflag(ld, ECHO)) {
			ldisc_finish_erasing(ld);
			if (has_lflag(ld, ECHOCTL))
				ldisc_emit(ld, "^\b", 2);
		}
	} else if (is_cc(ld, c, VREPRINT) && is_extended && has_lflag(ld, ECHO)) {
		reprint(ld, c);
	} else if (c == '\n') {
		if (has_lflag(ld, ECHO) || has_lflag(ld, ECHONL))
			ldisc_echo_raw(ld, '\n');
		receive_line_end(ld, c);
	} else if (is_cc(ld, c, VEOF)) {
		receive_line_end(ld, CC_DISABLED);
	} else if (is_cc(ld, c, VEOL) || (is_cc(ld, c, VEOL2) && is_extended)) {
		if (has_lflag(ld, ECHO))
			ldisc_echo_char(ld, c);
		receive_line_end(ld, c);
	} else {
		return false;
	}
	return true;
}

/* was_return: a newline that was typed as a carriage return shows as one; others as ^J. */
static void receive_plain(struct ldisc *ld, uint8_t c, bool was_return)
{
	if (ring_count(ld) >= LDISC_BUF_BYTES - 1) {
		ldisc_emit(ld, "\a", 1);
		return;
	}
	if (has_lflag(ld, ECHO)) {
		ldisc_finish_erasing(ld);
		if (ld->head == ld->canon_head)
			ld->canon_column = ld->column;
		if (was_return)
			ldisc_echo_raw(ld, c);
		else
			ldisc_echo_char(ld, c);
	}
	if (has_iflag(ld, PARMRK) && c == 0xff)
		(void)ring_put(ld, c, false);
	(void)ring_put(ld, c, false);
}

static void receive_char(struct ldisc *ld, uint8_t c)
{
	bool was_return = false;

	if (has_iflag(ld, ISTRIP))
		c &= 0x7f;
	if (has_iflag(ld, IUCLC) && has_lflag(ld, IEXTEN))
		c = to_lower(c);
	if (ld->is_literal_next) {
		ld->is_literal_next = false;
		receive_plain(ld, c, false);
		return;
	}
	if (receive_special(ld, c))
		return;
	if (ld->is_stopped && has_iflag(ld, IXON) && has_iflag(ld, IXANY))
		ldisc_start_output(ld);
	if (c == '\r') {
		if (has_iflag(ld, IGNCR))
			return;
		was_return = has_iflag(ld, ICRNL);
		if (was_return)
			c = '\n';
	} else if (c == '\n' && has_iflag(ld, INLCR)) {
		c = '\r';
	}
	if (has_lflag(ld, ICANON) && receive_canonical(ld, c))
		return;
	receive_plain(ld, c, was_return);
}

void ldisc_receive(struct ldisc *ld, const char *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		receive_char(ld, (uint8_t)buf[i]);
	if (!has_lflag(ld, ICANON))
		ld->canon_head = ld->head;
	if (has_iflag(ld, IXOFF) && !ld->is_throttled && ring_count(ld) > IXOFF_HIGH) {
		ld->is_throttled = true;
		ldisc_send_control(ld, VSTOP);
	}
	ldisc_flush_echo(ld);
}

size_t ldisc_room(const struct ldisc *ld)
{
	uint32_t count = ring_count(ld);

	/* A line too long is cut, not waited for: nobody can read before it ends. */
	if (has_lflag(ld, ICANON) && ld->canon_head == ld->tail)
		return LDISC_BUF_BYTES;
	return count >= LDISC_BUF_BYTES - 1 ? 0 : LDISC_BUF_BYTES - 1 - count;
}

/* ---- reading ------------------------------------------------------------- */

bool ldisc_is_readable(const struct ldisc *ld, bool for_poll)
{
	const uint8_t *cc = ld->termios.c_cc;

	if (has_lflag(ld, ICANON))
		return ld->canon_head != ld->tail;
	return ring_count(ld) >= (for_poll && cc[VTIME] == 0 && cc[VMIN] > 0 ? cc[VMIN] : 1u);
}

static size_t take_line(struct ldisc *ld, char *buf, size_t n, bool *is_line_done)
{
	size_t taken = 0;

	while (ld->tail != ld->canon_head) {
		uint8_t c = ring_get(ld, ld->tail);
		bool is_end = ring_is_end(ld, ld->tail);
		bool is_eof = is_end && c == CC_DISABLED;

		if (!is_eof && taken == n)
			break;
		ld->tail++;
		if (!is_eof)
			buf[taken++] = (char)c;
		if (is_end) {
			*is_line_done = true;
			break;
		}
	}
	return taken;
}

size_t ldisc_take(struct ldisc *ld, char *buf, size_t n, bool *is_line_done)
{
	size_t taken = 0;

	*is_line_done = false;
	if (has_lflag(ld, ICANON)) {
		taken = take_line(ld, buf, n, is_line_done);
	} else {
		while (taken < n && ld->tail != ld->head)
			buf[taken++] = (char)ring_get(ld, ld->tail++);
		ld->canon_head = ld->head;
	}
	ASSERT(ring_count(ld) <= LDISC_BUF_BYTES);
	if (ld->is_throttled && ring_count(ld) < IXOFF_LOW) {
		ld->is_throttled = false;
		ldisc_send_control(ld, VSTART);
	}
	return taken;
}

size_t ldisc_input_count(const struct ldisc *ld)
{
	size_t count = 0;

	if (!has_lflag(ld, ICANON))
		return ring_count(ld);
	for (uint32_t pos = ld->tail; pos != ld->canon_head; pos++)
		count += !(ring_is_end(ld, pos) && ring_get(ld, pos) == CC_DISABLED);
	return count;
}

/* ---- attributes ---------------------------------------------------------- */

void ldisc_set_termios(struct ldisc *ld, const struct linux_termios *new_termios)
{
	bool was_canonical = has_lflag(ld, ICANON);
	bool had_ixon = has_iflag(ld, IXON);

	ld->termios = *new_termios;
	if (was_canonical != has_lflag(ld, ICANON)) {
		memset(ld->line_end, 0, sizeof(ld->line_end));
		ld->is_erasing = ld->is_literal_next = false;
		/* Loose bytes become a line of their own; a half-edited line becomes loose bytes. */
		ld->canon_head = ld->head;
		if (!was_canonical && ld->head != ld->tail)
			ring_set_end(ld, ld->head - 1, true);
	}
	if (had_ixon && !has_iflag(ld, IXON))
		ldisc_start_output(ld);
	if (ld->is_throttled && !has_iflag(ld, IXOFF))
		ld->is_throttled = false;
}

void ldisc_init(struct ldisc *ld, const struct ldisc_ops *ops)
{
	static const struct linux_termios standard = {
		.c_iflag = ICRNL | IXON,
		.c_oflag = OPOST | ONLCR,
		.c_cflag = B38400 | CS8 | CREAD | HUPCL,
		.c_lflag = ISIG | ICANON | ECHO | ECHOE | ECHOK | ECHOCTL | ECHOKE | IEXTEN,
		.c_cc = {
			[VINTR] = 003, [VQUIT] = 034, [VERASE] = 0177, [VKILL] = 025, [VEOF] = 004,
			[VMIN] = 1, [VSTART] = 021, [VSTOP] = 023, [VSUSP] = 032, [VREPRINT] = 022,
			[VDISCARD] = 017, [VWERASE] = 027, [VLNEXT] = 026,
		},
	};

	memset(ld, 0, sizeof(*ld));
	ld->ops = ops;
	ld->termios = standard;
}
