/* The terminal line discipline: editing, signals, flow control, output processing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "abi/signal.h"
#include "fs/ldisc.h"
#include "lib/types.h"

static struct ldisc ld;
static char screen[16384];
static size_t screen_len, screen_room;
static int signals[8];
static unsigned nr_signals, nr_flushes, nr_flows;
static bool is_flow_stopped;

static size_t out(struct ldisc *l, const char *buf, size_t n)
{
	n = MIN(n, screen_room - screen_len);
	memcpy(screen + screen_len, buf, n);
	screen_len += n;
	return n;
}
static size_t room(struct ldisc *l) { return screen_room - screen_len; }
static void sig(struct ldisc *l, int s) { signals[nr_signals++] = s; }
static void flush(struct ldisc *l) { nr_flushes++; }
static void flow(struct ldisc *l, bool is_stopped)
{
	nr_flows++;
	is_flow_stopped = is_stopped;
}
static const struct ldisc_ops ops = {out, room, sig, flush, flow};

static int setup(void **state)
{
	screen_len = nr_signals = nr_flushes = nr_flows = 0;
	screen_room = sizeof(screen);
	ldisc_init(&ld, &ops);
	return 0;
}

static void type(const char *s) { ldisc_receive(&ld, s, strlen(s)); }

#define assert_screen(text)                                             \
	do {                                                            \
		assert_int_equal(screen_len, strlen(text));             \
		assert_memory_equal(screen, text, screen_len);          \
		screen_len = 0;                                         \
	} while (0)

/* One read of up to n bytes gives this text, and ended its line or not. */
#define assert_take(n, text, done)                                              \
	do {                                                                    \
		char got_[8192];                                                \
		bool done_;                                                     \
		size_t n_ = ldisc_take(&ld, got_, n, &done_);                   \
		assert_int_equal(n_, strlen(text));                             \
		assert_memory_equal(got_, text, n_);                            \
		assert_int_equal(done_, done);                                  \
	} while (0)

static void set_lflag(uint32_t set, uint32_t clear)
{
	struct linux_termios t = ld.termios;

	t.c_lflag = (t.c_lflag & ~clear) | set;
	ldisc_set_termios(&ld, &t);
}
static void set_iflag(uint32_t set, uint32_t clear)
{
	struct linux_termios t = ld.termios;

	t.c_iflag = (t.c_iflag & ~clear) | set;
	ldisc_set_termios(&ld, &t);
}
static void set_oflag(uint32_t set, uint32_t clear)
{
	struct linux_termios t = ld.termios;

	t.c_oflag = (t.c_oflag & ~clear) | set;
	ldisc_set_termios(&ld, &t);
}

static void test_line(void **state)
{
	type("ab");
	assert_false(ldisc_is_readable(&ld, false));
	type("c\r");
	assert_true(ldisc_is_readable(&ld, false));
	assert_screen("abc\r\n");
	type("second\n");
	assert_int_equal(ldisc_input_count(&ld), 11);
	/* A short read leaves the rest of the line; a long one stops at its end. */
	assert_take(2, "ab", false);
	assert_take(100, "c\n", true);
	assert_take(100, "second\n", true);
	assert_take(100, "", false);
}

static void test_eof(void **state)
{
	type("\004");
	assert_true(ldisc_is_readable(&ld, true));
	assert_int_equal(ldisc_input_count(&ld), 0);
	assert_take(10, "", true); /* end of file */
	assert_false(ldisc_is_readable(&ld, false));
	type("abc\004");
	assert_take(10, "abc", true);
	/* A read that ends exactly before the mark takes it along: no false end of file next. */
	type("abc\004def\n");
	assert_take(3, "abc", true);
	assert_take(10, "def\n", true);
	assert_screen("abcabcdef\r\n");
}

static void test_eol_characters(void **state)
{
	struct linux_termios t = ld.termios;

	t.c_cc[VEOL] = ';';
	t.c_cc[VEOL2] = '!';
	ldisc_set_termios(&ld, &t);
	type("a;b!c\n");
	assert_take(10, "a;", true);
	assert_take(10, "b!", true);
	assert_take(10, "c\n", true);
	assert_screen("a;b!c\r\n");
	set_lflag(0, IEXTEN);
	type("d!e;");
	assert_take(10, "d!e;", true);
}

static void test_erase(void **state)
{
	type("abx\177c\n");
	assert_screen("abx\b \bc\r\n");
	assert_take(10, "abc\n", true);
	/* Nothing to erase: nothing happens, and never beyond the line's start. */
	type("\177\177one\nt\177\177\177wo\n");
	assert_take(10, "one\n", true);
	assert_take(10, "wo\n", true);
	screen_len = 0;
	set_lflag(0, ECHOE);
	type("ab\177\n");
	assert_screen("ab^?\r\n");
	assert_take(10, "a\n", true);
}

static void test_erase_wide(void **state)
{
	/* A control character shows as two; a UTF-8 one is one on screen and several bytes. */
	type("a\001\177\n");
	assert_screen("a^A\b \b\b \b\r\n");
	assert_take(10, "a\n", true);
	set_iflag(IUTF8, 0);
	type("a\xc3\xa9\177b\n");
	assert_screen("a\xc3\xa9\b \bb\r\n");
	assert_take(10, "ab\n", true);
	set_iflag(0, IUTF8);
	type("a\xc3\xa9\177b\n");
	assert_take(10, "a\xc3" "b\n", true);
}

static void test_erase_tab(void **state)
{
	/* After "ab" the tab went to column 8: six steps back. */
	type("ab\t\177\n");
	assert_screen("ab\t\b\b\b\b\b\b\r\n");
	assert_take(10, "ab\n", true);
	/* The line begins at column 2, after a prompt. */
	ldisc_write(&ld, "$ ", 2);
	screen_len = 0;
	type("a\t\177");
	assert_screen("a\t\b\b\b\b\b");
	type("\t\177\n");
	assert_screen("\t\b\b\b\b\b\r\n");
}

static void test_word_erase(void **state)
{
	type("one two  \027x\n");
	assert_take(20, "one x\n", true);
	type("one-two\027x\n");
	assert_take(20, "one-x\n", true);
	set_lflag(0, IEXTEN);
	type("a\027b\n");
	assert_take(20, "a\027b\n", true);
}

static void test_kill(void **state)
{
	type("abc\025d\n");
	assert_screen("abc\b \b\b \b\b \bd\r\n");
	assert_take(20, "d\n", true);
	set_lflag(0, ECHOKE);
	type("abc\025d\n");
	assert_screen("abc^U\r\nd\r\n");
	assert_take(20, "d\n", true);
	set_lflag(0, ECHO);
	type("abc\025d\n");
	assert_screen("");
	assert_take(20, "d\n", true);
}

static void test_echo_print(void **state)
{
	set_lflag(ECHOPRT, 0);
	type("abc\177\177d\n");
	assert_screen("abc\\cb/d\r\n");
	assert_take(20, "ad\n", true);
}

static void test_literal_next(void **state)
{
	type("a\026\003b\026\026\026\n\n");
	assert_int_equal(nr_signals, 0);
	assert_take(20, "a\003b\026\n\n", true);
	screen_len = 0;
	type("\026\003\n");
	assert_screen("^\b^C\r\n");
}

static void test_reprint(void **state)
{
	type("ab\022");
	assert_screen("ab^R\r\nab");
	type("c\n");
	assert_take(20, "abc\n", true);
}

static void test_signals(void **state)
{
	type("abc");
	type("\003");
	assert_int_equal(nr_signals, 1);
	assert_int_equal(signals[0], SIGINT);
	assert_int_equal(nr_flushes, 1);
	assert_screen("abc^C");
	type("\n");
	assert_take(10, "\n", true); /* abc was flushed */
	screen_len = 0;
	type("def\034"); /* in one piece: not even its echo is seen */
	assert_screen("^\\");
	type("\032");
	assert_int_equal(signals[1], SIGQUIT);
	assert_int_equal(signals[2], SIGTSTP);
	set_lflag(NOFLSH, 0);
	type("keep\003\n");
	assert_int_equal(nr_signals, 4);
	assert_int_equal(nr_flushes, 3);
	assert_take(10, "keep\n", true);
	set_lflag(0, ISIG);
	type("\003\n");
	assert_int_equal(nr_signals, 4);
	assert_take(10, "\003\n", true);
}

static void test_disabled_characters(void **state)
{
	struct linux_termios t = ld.termios;

	t.c_cc[VINTR] = 0;
	t.c_cc[VEOF] = 0;
	ldisc_set_termios(&ld, &t);
	ldisc_receive(&ld, "a\0b\003\004\n", 6);
	assert_int_equal(nr_signals, 0);
	assert_int_equal(ldisc_input_count(&ld), 6);
}

static void test_flow_control(void **state)
{
	type("\023");
	assert_true(is_flow_stopped);
	assert_int_equal(ldisc_write(&ld, "x", 1), 0);
	type("\021");
	assert_false(is_flow_stopped);
	assert_int_equal(ldisc_write(&ld, "x", 1), 1);
	assert_screen("x"); /* neither character is echoed or read */
	assert_int_equal(ld.head, 0);
	/* IXANY: any character starts again; an interrupt does in any case. */
	set_iflag(IXANY, 0);
	type("\023a");
	assert_false(ld.is_stopped);
	set_iflag(0, IXANY);
	type("\023a");
	assert_true(ld.is_stopped);
	type("\003");
	assert_false(ld.is_stopped);
	/* Turning IXON off lets stopped output go. */
	type("\023");
	assert_true(ld.is_stopped);
	set_iflag(0, IXON);
	assert_false(ld.is_stopped);
	type("\023\n");
	assert_take(10, "\023\n", true);
}

static void test_input_flags(void **state)
{
	set_iflag(INLCR, ICRNL);
	type("a\n");
	assert_false(ldisc_is_readable(&ld, false));
	set_iflag(IGNCR, INLCR);
	type("b\rc\n");
	assert_take(10, "a\rbc\n", true);
	set_iflag(ISTRIP, 0);
	type("\xe1\n");
	assert_take(10, "a\n", true);
	set_iflag(IUCLC, ISTRIP);
	type("XyZ\n");
	assert_take(10, "xyz\n", true);
}

static void test_output_flags(void **state)
{
	ldisc_write(&ld, "a\nb", 3);
	assert_screen("a\r\nb");
	set_oflag(0, ONLCR);
	ldisc_write(&ld, "a\n", 2);
	assert_screen("a\n");
	set_oflag(OCRNL, 0);
	ldisc_write(&ld, "a\r", 2);
	assert_screen("a\n");
	set_oflag(ONOCR | ONLCR | ONLRET, OCRNL);
	ldisc_write(&ld, "\n\rx\r\r", 5);
	assert_screen("\r\nx\r");
	set_oflag(XTABS, 0);
	ldisc_write(&ld, "ab\tc\t", 5);
	assert_screen("ab      c       ");
	set_oflag(OLCUC, 0);
	ldisc_write(&ld, "Abc1", 4);
	assert_screen("ABC1");
	set_oflag(0, OPOST);
	ldisc_write(&ld, "a\n\r\t", 4);
	assert_screen("a\n\r\t");
}

static void test_output_room(void **state)
{
	/* Nothing is lost or torn when the device takes little at a time. */
	const char text[] = "one\ntwo\nthree\nfour\nfive\nsix\n";
	char seen[64];
	size_t done = 0, len = 0;

	while (done < strlen(text)) {
		size_t n;

		screen_len = 0;
		screen_room = 12;
		n = ldisc_write(&ld, text + done, strlen(text) - done);
		assert_true(n > 0);
		done += n;
		memcpy(seen + len, screen, screen_len);
		len += screen_len;
	}
	assert_int_equal(len, 34);
	assert_memory_equal(seen, "one\r\ntwo\r\nthree\r\nfour\r\nfive\r\nsix\r\n", len);
	screen_len = screen_room = 7;
	assert_int_equal(ldisc_write(&ld, "x", 1), 0);
}

static void test_raw(void **state)
{
	struct linux_termios t = ld.termios;

	t.c_lflag &= ~(ICANON | ECHO | ISIG | IEXTEN);
	t.c_iflag &= ~(IXON | ICRNL);
	t.c_cc[VMIN] = 3;
	ldisc_set_termios(&ld, &t);
	type("a\r");
	assert_true(ldisc_is_readable(&ld, false));
	assert_false(ldisc_is_readable(&ld, true)); /* poll waits for VMIN */
	type("\003");
	assert_true(ldisc_is_readable(&ld, true));
	assert_int_equal(ldisc_input_count(&ld), 3);
	assert_take(2, "a\r", false);
	assert_take(10, "\003", false);
	assert_int_equal(nr_signals, 0);
	assert_screen("");
	t.c_cc[VTIME] = 1;
	ldisc_set_termios(&ld, &t);
	type("x");
	assert_true(ldisc_is_readable(&ld, true));
}

static void test_mode_change(void **state)
{
	/* A half-edited line becomes loose bytes; loose bytes become a line. */
	type("abc");
	set_lflag(0, ICANON);
	assert_true(ldisc_is_readable(&ld, false));
	assert_take(1, "a", false);
	set_lflag(ICANON, 0);
	assert_true(ldisc_is_readable(&ld, false));
	type("d\n");
	assert_take(10, "bc", true);
	assert_take(10, "d\n", true);
	set_lflag(0, ICANON);
	set_lflag(ICANON, 0);
	assert_false(ldisc_is_readable(&ld, false));
}

static void test_overflow(void **state)
{
	char got[8192];
	bool done;

	set_lflag(0, ECHO);
	for (unsigned i = 0; i < 5000; i++)
		type("x");
	assert_int_equal(screen_len, 5000 - 4095); /* a bell for each that was lost */
	assert_int_equal(screen[0], '\a');
	type("\n");
	assert_int_equal(ldisc_take(&ld, got, sizeof(got), &done), 4096);
	assert_int_equal(got[4095], '\n');
	assert_true(done);
	/* A complete line waits: no room for more than the ring holds. */
	assert_int_equal(ldisc_room(&ld), 4096);
	type("line\n");
	assert_int_equal(ldisc_room(&ld), 4090);
	for (unsigned i = 0; i < 5000; i++)
		type("y");
	assert_int_equal(ldisc_room(&ld), 0);
	assert_take(10, "line\n", true);
	type("\n");
	assert_int_equal(ldisc_take(&ld, got, sizeof(got), &done), 4091);
	assert_true(done);
}

static void test_signals_when_full(void **state)
{
	for (unsigned i = 0; i < 5000; i++)
		type("x");
	type("\003");
	assert_int_equal(nr_signals, 1);
	assert_int_equal(ldisc_room(&ld), 4096);
}

static void test_ixoff(void **state)
{
	char got[8192];
	bool done;

	set_lflag(0, ICANON | ECHO);
	set_iflag(IXOFF, 0);
	for (unsigned i = 0; i < 3968; i++)
		type("x");
	assert_screen("");
	type("x");
	assert_screen("\023");
	type("x");
	assert_screen("");
	assert_int_equal(ldisc_take(&ld, got, sizeof(got), &done), 3970);
	assert_screen("\021");
}

static void test_ring_wraps(void **state)
{
	char line[64];

	set_lflag(0, ECHO);
	for (unsigned i = 0; i < 3000; i++) {
		memset(line, 'a' + (int)(i % 26), 20);
		memcpy(line + 20, "\n", 2);
		type(line);
		assert_take(64, line, true);
	}
	assert_int_equal(ldisc_input_count(&ld), 0);
}

static void test_flush_input(void **state)
{
	type("line\nhalf");
	ldisc_flush_input(&ld);
	assert_false(ldisc_is_readable(&ld, false));
	type("new\n");
	assert_take(10, "new\n", true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_line, setup),
		cmocka_unit_test_setup(test_eof, setup),
		cmocka_unit_test_setup(test_eol_characters, setup),
		cmocka_unit_test_setup(test_erase, setup),
		cmocka_unit_test_setup(test_erase_wide, setup),
		cmocka_unit_test_setup(test_erase_tab, setup),
		cmocka_unit_test_setup(test_word_erase, setup),
		cmocka_unit_test_setup(test_kill, setup),
		cmocka_unit_test_setup(test_echo_print, setup),
		cmocka_unit_test_setup(test_literal_next, setup),
		cmocka_unit_test_setup(test_reprint, setup),
		cmocka_unit_test_setup(test_signals, setup),
		cmocka_unit_test_setup(test_disabled_characters, setup),
		cmocka_unit_test_setup(test_flow_control, setup),
		cmocka_unit_test_setup(test_input_flags, setup),
		cmocka_unit_test_setup(test_output_flags, setup),
		cmocka_unit_test_setup(test_output_room, setup),
		cmocka_unit_test_setup(test_raw, setup),
		cmocka_unit_test_setup(test_mode_change, setup),
		cmocka_unit_test_setup(test_overflow, setup),
		cmocka_unit_test_setup(test_signals_when_full, setup),
		cmocka_unit_test_setup(test_ixoff, setup),
		cmocka_unit_test_setup(test_ring_wraps, setup),
		cmocka_unit_test_setup(test_flush_input, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
