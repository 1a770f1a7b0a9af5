/*
 * What the two halves of the line discipline share: tty_ldisc.c (input, reading,
 * attributes) and tty_ldisc_output.c (output, echo, erasing). Nobody else includes it.
 */
#ifndef FS_LDISC_INTERNAL_H
#define FS_LDISC_INTERNAL_H

#include "fs/ldisc.h"

#define CC_DISABLED 0 /* _POSIX_VDISABLE */

static inline bool has_iflag(const struct ldisc *ld, uint32_t flag)
{
	return (ld->termios.c_iflag & flag) != 0;
}
static inline bool has_oflag(const struct ldisc *ld, uint32_t flag)
{
	return (ld->termios.c_oflag & flag) != 0;
}
static inline bool has_lflag(const struct ldisc *ld, uint32_t flag)
{
	return (ld->termios.c_lflag & flag) != 0;
}

static inline bool is_cc(const struct ldisc *ld, uint8_t c, unsigned index)
{
	return c == ld->termios.c_cc[index] && c != CC_DISABLED;
}

static inline bool is_control(uint8_t c) { return c < 0x20 || c == 0x7f; }
static inline bool is_continuation(const struct ldisc *ld, uint8_t c)
{
	return has_iflag(ld, IUTF8) && (c & 0xc0) == 0x80;
}
/* Letters as Linux knows them: Latin-1, so that each UTF-8 character begins with one. */
static inline bool is_upper(uint8_t c)
{
	return (c >= 'A' && c <= 'Z') || (c >= 0xc0 && c <= 0xde && c != 0xd7);
}
static inline bool is_lower(uint8_t c) { return (c >= 'a' && c <= 'z') || (c >= 0xdf && c != 0xf7); }
static inline bool is_word_char(uint8_t c)
{
	return is_upper(c) || is_lower(c) || (c >= '0' && c <= '9') || c == '_';
}
static inline uint8_t to_lower(uint8_t c) { return (uint8_t)(is_upper(c) ? c + 32 : c); }
static inline uint8_t to_upper(uint8_t c) { return (uint8_t)(is_lower(c) ? c - 32 : c); }

/* ---- the ring ------------------------------------------------------------ */

static inline uint8_t ring_get(const struct ldisc *ld, uint32_t pos)
{
	return ld->buf[pos % LDISC_BUF_BYTES];
}

static inline bool ring_is_end(const struct ldisc *ld, uint32_t pos)
{
	uint32_t i = pos % LDISC_BUF_BYTES;

	return (ld->line_end[i / 64] >> (i % 64)) & 1;
}

static inline void ring_set_end(struct ldisc *ld, uint32_t pos, bool on)
{
	uint32_t i = pos % LDISC_BUF_BYTES;
	uint64_t bit = (uint64_t)1 << (i % 64);

	if (on)
		ld->line_end[i / 64] |= bit;
	else
		ld->line_end[i / 64] &= ~bit;
}

static inline uint32_t ring_count(const struct ldisc *ld) { return ld->head - ld->tail; }

/* ---- tty_ldisc_output.c --------------------------------------------------- */

/* One character to the other end, at once: flow control. */
void ldisc_send_control(struct ldisc *ld, unsigned cc_index);
/* As much of the echo as may go out now. */
void ldisc_flush_echo(struct ldisc *ld);
/* Forgets the echo nobody has seen, and that it would have moved the cursor. */
void ldisc_drop_echo(struct ldisc *ld);
/* Echo without processing. Lost when the terminal does not take it. */
void ldisc_emit(struct ldisc *ld, const char *s, size_t n);
/* Echo of one byte with output processing (if it is on). */
void ldisc_echo_raw(struct ldisc *ld, uint8_t c);
/* Echo with ECHOCTL's ^X form. */
void ldisc_echo_char(struct ldisc *ld, uint8_t c);
/* Ends the \.../ of ECHOPRT. */
void ldisc_finish_erasing(struct ldisc *ld);
/* VERASE, VWERASE or VKILL was typed. */
void ldisc_erase(struct ldisc *ld, uint8_t typed);

#endif
