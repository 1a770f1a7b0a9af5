/*
 * The terminal line discipline, output half: output processing, echo, and what is
 * seen of erasing (termios(3), as Linux's N_TTY). Echo gathers in ld->echo and goes
 * out when the input at hand is done, unless output is stopped.
 * Lock: the owner's (tty->lock). Nothing here sleeps or allocates.
 */
#include "fs/ldisc_internal.h"

#include "lib/string.h"

/* ---- echo that waits -------------------------------------------------------- */

void ldisc_send_control(struct ldisc *ld, unsigned cc_index)
{
	(void)ld->ops->output(ld, (const char *)&ld->termios.c_cc[cc_index], 1);
}

static void note_shown(struct ldisc *ld)
{
	ld->shown_column = ld->column;
	ld->shown_canon_column = ld->canon_column;
}

void ldisc_flush_echo(struct ldisc *ld)
{
	size_t n;

	if (ld->is_stopped || ld->nr_echo == 0)
		return;
	n = ld->ops->output(ld, ld->echo, ld->nr_echo);
	ld->nr_echo -= (uint32_t)n;
	memmove(ld->echo, ld->echo + n, ld->nr_echo);
	note_shown(ld);
}

void ldisc_drop_echo(struct ldisc *ld)
{
	ld->nr_echo = 0;
	ld->column = ld->shown_column;
	ld->canon_column = ld->shown_canon_column;
}

void ldisc_emit(struct ldisc *ld, const char *s, size_t n)
{
	if (ld->nr_echo + n > LDISC_ECHO_BYTES)
		ldisc_flush_echo(ld);
	if (ld->nr_echo + n > LDISC_ECHO_BYTES)
		return;
	memcpy(ld->echo + ld->nr_echo, s, n);
	ld->nr_echo += (uint32_t)n;
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
		ld->canon_column = ld->column;
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
				ld->column = ld->canon_column = 0;
			break;
		}
		ld->column = ld->canon_column = 0;
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
			c = to_upper(c);
		if (!is_continuation(ld, c))
			ld->column++;
	}
	out[0] = (char)c;
	return 1;
}

size_t ldisc_write(struct ldisc *ld, const char *buf, size_t n)
{
	size_t consumed = 0;

	ldisc_flush_echo(ld);
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
	note_shown(ld);
	return consumed;
}

void ldisc_echo_raw(struct ldisc *ld, uint8_t c)
{
	char out[8];
	size_t n = 1;

	out[0] = (char)c;
	if (has_oflag(ld, OPOST))
		n = output_char(ld, c, out);
	ldisc_emit(ld, out, n);
}

void ldisc_echo_char(struct ldisc *ld, uint8_t c)
{
	char caret[2] = {'^', (char)(c ^ 0100)};

	if (has_lflag(ld, ECHOCTL) && is_control(c) && c != '\t') {
		ldisc_emit(ld, caret, 2);
		ld->column += 2;
	} else {
		ldisc_echo_raw(ld, c);
	}
}

void ldisc_finish_erasing(struct ldisc *ld)
{
	if (ld->is_erasing) {
		ldisc_echo_raw(ld, '/');
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
		ldisc_emit(ld, "\b", 1);
		if (ld->column > 0)
			ld->column--;
	}
}

static void rub_out(struct ldisc *ld)
{
	ldisc_emit(ld, "\b \b", 3);
	if (has_oflag(ld, OPOST) && ld->column > 0)
		ld->column--;
}

/* Echo of the removal of one (possibly multi-byte) character whose first byte c stood at ld->head. */
static void echo_erase(struct ldisc *ld, uint8_t c, uint8_t typed, unsigned nr_bytes, bool is_erase)
{
	if (has_lflag(ld, ECHOPRT)) {
		if (!ld->is_erasing) {
			ldisc_echo_raw(ld, '\\');
			ld->is_erasing = true;
		}
		ldisc_echo_char(ld, c);
		for (unsigned i = 1; i < nr_bytes; i++)
			ldisc_echo_raw(ld, ring_get(ld, ld->head + i));
	} else if (is_erase && !has_lflag(ld, ECHOE)) {
		ldisc_echo_char(ld, typed);
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
		ldisc_finish_erasing(ld);
		ldisc_echo_char(ld, c);
		if (has_lflag(ld, ECHOK))
			ldisc_echo_raw(ld, '\n');
	}
	return true;
}

void ldisc_erase(struct ldisc *ld, uint8_t typed)
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
		ldisc_finish_erasing(ld);
}

