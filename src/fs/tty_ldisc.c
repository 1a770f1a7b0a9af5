/*
 * The terminal line discipline: input editing, signals, flow control, echo and
 * output processing, with the behaviour of Linux's N_TTY (termios(3)).
 * Owns struct ldisc. Lock: the owner's (tty->lock). Called from interrupt context
 * for input, so nothing here sleeps, allocates, or loops over more than the buffer.
 * Invariant: tail <= canon_head <= head <= tail + LDISC_BUF_BYTES (free running).
 */
#include "fs/ldisc.h"

#include "abi/signal.h"
#include "lib/assert.h"
#include "lib/string.h"

#define CC_DISABLED 0 /* _POSIX_VDISABLE */
#define IXOFF_HIGH (LDISC_BUF_BYTES - 128)
#define IXOFF_LOW 128

static bool has_iflag(const struct ldisc *ld, uint32_t flag) { return (ld->termios.c_iflag & flag) != 0; }
static bool has_oflag(const struct ldisc *ld, uint32_t flag) { return (ld->termios.c_oflag & flag) != 0; }
static bool has_lflag(const struct ldisc *ld, uint32_t flag) { return (ld->termios.c_lflag & flag) != 0; }

static bool is_cc(const struct ldisc *ld, uint8_t c, unsigned index)
{
	return c == ld->termios.c_cc[index] && c != CC_DISABLED;
}

static bool is_control(uint8_t c) { return c < 0x20 || c == 0x7f; }
static bool is_continuation(const struct ldisc *ld, uint8_t c) { return has_iflag(ld, IUTF8) && (c & 0xc0) == 0x80; }
static bool is_word_char(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c >= 0x80;
}
static char to_lower(uint8_t c) { return (char)(c >= 'A' && c <= 'Z' ? c + 32 : c); }
static char to_upper(uint8_t c) { return (char)(c >= 'a' && c <= 'z' ? c - 32 : c); }

/* ---- the ring ------------------------------------------------------------ */

static uint8_t ring_get(const struct ldisc *ld, uint32_t pos) { return ld->buf[pos % LDISC_BUF_BYTES]; }

static bool ring_is_end(const struct ldisc *ld, uint32_t pos)
{
	uint32_t i = pos % LDISC_BUF_BYTES;

	return (ld->line_end[i / 64] >> (i % 64)) & 1;
}

static void ring_set_end(struct ldisc *ld, uint32_t pos, bool on)
{
	uint32_t i = pos % LDISC_BUF_BYTES;
	uint64_t bit = (uint64_t)1 << (i % 64);

	if (on)
		ld->line_end[i / 64] |= bit;
	else
		ld->line_end[i / 64] &= ~bit;
}

static uint32_t ring_count(const struct ldisc *ld) { return ld->head - ld->tail; }

/* One character to the other end, at once: flow control. */
static void send_control(struct ldisc *ld, unsigned cc_index)
{
	(void)ld->ops->output(ld, (const char *)&ld->termios.c_cc[cc_index], 1);
}

/* As much of the echo as may go out now. */
static void flush_echo(struct ldisc *ld)
{
	size_t n;

	if (ld->is_stopped || ld->nr_echo == 0)
		return;
	n = ld->ops->output(ld, ld->echo, ld->nr_echo);
	ld->nr_echo -= (uint32_t)n;
	memmove(ld->echo, ld->echo + n, ld->nr_echo);
}

/* Echo without processing. Lost when the terminal does not take it. */
static void emit(struct ldisc *ld, const char *s, size_t n)
{
	if (ld->nr_echo + n > LDISC_ECHO_BYTES)
		flush_echo(ld);
	if (ld->nr_echo + n > LDISC_ECHO_BYTES)
		return;
	memcpy(ld->echo + ld->nr_echo, s, n);
	ld->nr_echo += (uint32_t)n;
}

/* One slot stays free for the end of a line, so that a full line can still be ended. */
static bool ring_put(struct ldisc *ld, uint8_t c, bool is_end)
{
	if (ring_count(ld) >= LDISC_BUF_BYTES - (is_end ? 0 : 1)) {
		emit(ld, "\a", 1);
		return false;
	}
	ld->buf[ld->head % LDISC_BUF_BYTES] = c;
	ring_set_end(ld, ld->head, is_end);
	ld->head++;
	return true;
}

/* ---- output -------------------------------------------------------------- */

/* Processes one byte into out (8 bytes at least); returns how many came of it. */
static size_t output_char(struct ldisc *ld, uint8_t c, char *out)
{
	unsigned spaces;

	switch (c) {
	case '\n':
		if (has_oflag(ld, ONLRET | ONLCR))
			ld->column = 0;
		if (!has_oflag(ld, ONLCR))
			break;
		out[0] = '\r';
		out[1] = '\n';
		return 2;
	case '\r':
		if (has_oflag(ld, ONOCR) && ld->column == 0)
			return 0;
		if (has_oflag(ld, OCRNL)) {
			c = '\n';
			if (has_oflag(ld, ONLRET))
				ld->column = 0;
			break;
		}
		ld->column = 0;
		break;
	case '\t':
		spaces = 8 - (ld->column & 7);
		ld->column += spaces;
		if ((ld->termios.c_oflag & TABDLY) != XTABS)
			break;
		memset(out, ' ', spaces);
		return spaces;
	case '\b':
		if (ld->column > 0)
			ld->column--;
		break;
	default:
		if (is_control(c))
			break;
		if (has_oflag(ld, OLCUC))
			c = (uint8_t)to_upper(c);
		if (!is_continuation(ld, c))
			ld->column++;
	}
	out[0] = (char)c;
	return 1;
}

size_t ldisc_write(struct ldisc *ld, const char *buf, size_t n)
{
	size_t consumed = 0;

	flush_echo(ld);
	if (ld->is_stopped || ld->nr_echo > 0)
		return 0;
	if (!has_oflag(ld, OPOST))
		return ld->ops->output(ld, buf, n);
	while (consumed < n) {
		char out[256];
		size_t room = MIN(ld->ops->room(ld), sizeof(out));
		size_t filled = 0;
		size_t start = consumed;

		while (consumed < n && room - filled >= 8)
			filled += output_char(ld, (uint8_t)buf[consumed++], out + filled);
		if (filled > 0)
			(void)ld->ops->output(ld, out, filled);
		if (consumed == start)
			break; /* no room for the longest expansion */
	}
	return consumed;
}

/* Echo of one byte with output processing (if it is on). */
static void echo_raw(struct ldisc *ld, uint8_t c)
{
	char out[8];
	size_t n = 1;

	out[0] = (char)c;
	if (has_oflag(ld, OPOST))
		n = output_char(ld, c, out);
	emit(ld, out, n);
}

/* Echo with ECHOCTL's ^X form. */
static void echo_char(struct ldisc *ld, uint8_t c)
{
	char caret[2] = {'^', (char)(c ^ 0100)};

	if (has_lflag(ld, ECHOCTL) && is_control(c) && c != '\t') {
		emit(ld, caret, 2);
		ld->column += 2;
	} else {
		echo_raw(ld, c);
	}
}

static void finish_erasing(struct ldisc *ld)
{
	if (ld->is_erasing) {
		emit(ld, "/", 1);
		ld->is_erasing = false;
	}
}

/* ---- erasing ------------------------------------------------------------- */

/* How far the cursor moves for the character at pos, for ERASE of a tab that follows it. */
static unsigned echo_width(const struct ldisc *ld, uint8_t c)
{
	if (is_control(c))
		return has_lflag(ld, ECHOCTL) ? 2 : 0;
	return is_continuation(ld, c) ? 0 : 1;
}

/* Moves the cursor back over a tab that stood at ld->head. */
static void erase_tab(struct ldisc *ld)
{
	unsigned width = 0, back;
	uint32_t pos = ld->head;
	bool after_tab = false;

	while (pos != ld->canon_head) {
		uint8_t c = ring_get(ld, --pos);

		if (c == '\t') {
			after_tab = true;
			break;
		}
		width += echo_width(ld, c);
	}
	if (!after_tab)
		width += ld->canon_column;
	for (back = 8 - (width & 7); back > 0; back--) {
		emit(ld, "\b", 1);
		if (ld->column > 0)
			ld->column--;
	}
}

static void rub_out(struct ldisc *ld)
{
	emit(ld, "\b \b", 3);
	if (ld->column > 0)
		ld->column--;
}

/* Echo of the removal of one (possibly multi-byte) character whose first byte c stood at ld->head. */
static void echo_erase(struct ldisc *ld, uint8_t c, uint8_t typed, unsigned nr_bytes, bool is_erase)
{
	if (has_lflag(ld, ECHOPRT)) {
		if (!ld->is_erasing) {
			emit(ld, "\\", 1);
			ld->column++;
			ld->is_erasing = true;
		}
		echo_char(ld, c);
		for (unsigned i = 1; i < nr_bytes; i++)
			echo_raw(ld, ring_get(ld, ld->head + i));
	} else if (is_erase && !has_lflag(ld, ECHOE)) {
		echo_char(ld, typed);
	} else if (c == '\t') {
		erase_tab(ld);
	} else {
		if (is_control(c) && has_lflag(ld, ECHOCTL))
			rub_out(ld);
		if (!is_control(c) || has_lflag(ld, ECHOCTL))
			rub_out(ld);
	}
}

/* KILL without the visual form: forget the line, echo the character and a newline. */
static bool kill_plainly(struct ldisc *ld, uint8_t c)
{
	if (has_lflag(ld, ECHO) && has_lflag(ld, ECHOK) && has_lflag(ld, ECHOKE) && has_lflag(ld, ECHOE))
		return false;
	ld->head = ld->canon_head;
	if (has_lflag(ld, ECHO)) {
		finish_erasing(ld);
		echo_char(ld, c);
		if (has_lflag(ld, ECHOK))
			echo_raw(ld, '\n');
	}
	return true;
}

/* VERASE, VWERASE or VKILL was typed. */
static void erase(struct ldisc *ld, uint8_t typed)
{
	bool is_erase = is_cc(ld, typed, VERASE);
	bool is_word = !is_erase && is_cc(ld, typed, VWERASE);
	bool seen_word = false;

	if (ld->head == ld->canon_head)
		return;
	if (!is_erase && !is_word && kill_plainly(ld, typed))
		return;
	while (ld->head != ld->canon_head) {
		uint32_t first = ld->head;
		uint8_t c;

		do {
			c = ring_get(ld, --first);
		} while (is_continuation(ld, c) && first != ld->canon_head);
		if (is_continuation(ld, c))
			break; /* no start byte: do not take half a character */
		if (is_word) {
			if (is_word_char(c))
				seen_word = true;
			else if (seen_word)
				break;
		}
		unsigned nr_bytes = ld->head - first;
		ld->head = first;
		if (has_lflag(ld, ECHO))
			echo_erase(ld, c, typed, nr_bytes, is_erase);
		if (is_erase)
			break;
	}
	if (ld->head == ld->canon_head && has_lflag(ld, ECHO))
		finish_erasing(ld);
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
	if (!ld->is_stopped)
		return;
	ld->is_stopped = false;
	flush_echo(ld);
	if (ld->ops->flow != NULL)
		ld->ops->flow(ld, false);
}

void ldisc_flush_input(struct ldisc *ld)
{
	ld->tail = ld->canon_head = ld->head = 0;
	memset(ld->line_end, 0, sizeof(ld->line_end));
	ld->is_literal_next = ld->is_erasing = false;
	if (ld->is_throttled) {
		ld->is_throttled = false;
		send_control(ld, VSTART);
	}
}

static void receive_signal(struct ldisc *ld, int sig, uint8_t c)
{
	if (!has_lflag(ld, NOFLSH)) {
		ldisc_flush_input(ld);
		ld->nr_echo = 0;
		if (ld->ops->flush_output != NULL)
			ld->ops->flush_output(ld);
	}
	ld->ops->signal(ld, sig);
	if (has_iflag(ld, IXON))
		ldisc_start_output(ld);
	if (has_lflag(ld, ECHO))
		echo_char(ld, c);
}

/* Flow control and signal characters. True: c was one. */
static bool receive_special(struct ldisc *ld, uint8_t c)
{
	if (has_iflag(ld, IXON)) {
		if (is_cc(ld, c, VSTART)) {
			ldisc_start_output(ld);
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
	finish_erasing(ld);
	echo_char(ld, c);
	echo_raw(ld, '\n');
	ld->canon_column = ld->column;
	for (uint32_t pos = ld->canon_head; pos != ld->head; pos++)
		echo_char(ld, ring_get(ld, pos));
}

/* Line editing and line ends of canonical mode. True: c was one. */
static bool receive_canonical(struct ldisc *ld, uint8_t c)
{
	bool is_extended = has_lflag(ld, IEXTEN);

	if (is_cc(ld, c, VERASE) || is_cc(ld, c, VKILL) || (is_cc(ld, c, VWERASE) && is_extended)) {
		erase(ld, c);
	} else if (is_cc(ld, c, VLNEXT) && is_extended) {
		ld->is_literal_next = true;
		if (has_lflag(ld, ECHO)) {
			finish_erasing(ld);
			if (has_lflag(ld, ECHOCTL))
				emit(ld, "^\b", 2);
		}
	} else if (is_cc(ld, c, VREPRINT) && is_extended && has_lflag(ld, ECHO)) {
		reprint(ld, c);
	} else if (c == '\n') {
		if (has_lflag(ld, ECHO) || has_lflag(ld, ECHONL)) {
			finish_erasing(ld);
			echo_raw(ld, '\n');
		}
		receive_line_end(ld, c);
	} else if (is_cc(ld, c, VEOF)) {
		receive_line_end(ld, CC_DISABLED);
	} else if (is_cc(ld, c, VEOL) || (is_cc(ld, c, VEOL2) && is_extended)) {
		if (has_lflag(ld, ECHO))
			echo_char(ld, c);
		receive_line_end(ld, c);
	} else {
		return false;
	}
	return true;
}

static void receive_plain(struct ldisc *ld, uint8_t c)
{
	if (ring_count(ld) >= LDISC_BUF_BYTES - 1) {
		emit(ld, "\a", 1);
		return;
	}
	if (has_lflag(ld, ECHO)) {
		finish_erasing(ld);
		if (ld->head == ld->canon_head)
			ld->canon_column = ld->column;
		if (c == '\n')
			echo_raw(ld, c);
		else
			echo_char(ld, c);
	}
	if (has_iflag(ld, PARMRK) && c == 0xff)
		(void)ring_put(ld, c, false);
	(void)ring_put(ld, c, false);
}

static void receive_char(struct ldisc *ld, uint8_t c)
{
	if (has_iflag(ld, ISTRIP))
		c &= 0x7f;
	if (has_iflag(ld, IUCLC) && has_lflag(ld, IEXTEN))
		c = (uint8_t)to_lower(c);
	if (ld->is_literal_next) {
		ld->is_literal_next = false;
		receive_plain(ld, c);
		return;
	}
	if (receive_special(ld, c))
		return;
	if (ld->is_stopped && has_iflag(ld, IXON) && has_iflag(ld, IXANY))
		ldisc_start_output(ld);
	if (c == '\r') {
		if (has_iflag(ld, IGNCR))
			return;
		if (has_iflag(ld, ICRNL))
			c = '\n';
	} else if (c == '\n' && has_iflag(ld, INLCR)) {
		c = '\r';
	}
	if (has_lflag(ld, ICANON) && receive_canonical(ld, c))
		return;
	receive_plain(ld, c);
}

void ldisc_receive(struct ldisc *ld, const char *buf, size_t n)
{
	for (size_t i = 0; i < n; i++)
		receive_char(ld, (uint8_t)buf[i]);
	if (!has_lflag(ld, ICANON))
		ld->canon_head = ld->head;
	if (has_iflag(ld, IXOFF) && !ld->is_throttled && ring_count(ld) > IXOFF_HIGH) {
		ld->is_throttled = true;
		send_control(ld, VSTOP);
	}
	flush_echo(ld);
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
		send_control(ld, VSTART);
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
