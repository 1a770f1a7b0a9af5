/* The trace's notation: the words of table.def, strings, flags, sets of signals, the filter. Whole lines:
 * tests/guest/strace.py. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/signal.h"
#include "fake_machine.h"
#include "mm/kmalloc.h"
#include "syscall/table.h"
#include "trace/show.h"
#include "user_abi.h"

static struct line line;

static const char *shown(void)
{
	line.text[line.len] = '\0';
	line.len = 0;
	return line.text;
}

/* next_kind() panics at a word it does not know. */
static void test_words(void **state)
{
	unsigned nr_calls = 0;

	for (uint64_t nr = 0; nr < SYSCALL_NR_MAX; nr++) {
		const struct syscall_entry *e = syscall_lookup(nr);
		unsigned n = 0;

		if (e == NULL || e->call == NULL)
			continue;
		for (const char *format = e->format; next_kind(&format) != NULL;)
			n++;
		assert_true(n <= 6);
		nr_calls++;
	}
	assert_true(nr_calls > 200);
}

static void test_quoted(void **state)
{
	static const char bytes[] = {'a', '"', '\\', '\n', '\t', 0, '7', 1, 'x', (char)0xff};

	add_quoted(&line, bytes, sizeof(bytes), false);
	assert_string_equal(shown(), "\"a\\\"\\\\\\n\\t\\0007\\1x\\377\"");
	add_quoted(&line, "cut", 3, true);
	assert_string_equal(shown(), "\"cut\"...");
}

static void test_flags(void **state)
{
	add_flags(&line, 0, open_flag_names);
	assert_string_equal(shown(), "O_RDONLY");
	add_flags(&line, 01 | 0100 | 02000, open_flag_names);
	assert_string_equal(shown(), "O_WRONLY|O_CREAT|O_APPEND");
	add_flags(&line, 1ull << 40, open_flag_names);
	assert_string_equal(shown(), "O_RDONLY|0x10000000000");
	add_pointer(&line, 0);
	assert_string_equal(shown(), "NULL");
}

static void test_signals(void **state)
{
	const uint64_t two = UINT64_C(1) << (SIGINT - 1) | UINT64_C(1) << (SIGCHLD - 1);

	add_signal_set(&line, two);
	assert_string_equal(shown(), "[INT CHLD]");
	add_signal_set(&line, ~two);
	assert_string_equal(shown(), "~[INT CHLD]");
	add_signal_set(&line, 0);
	assert_string_equal(shown(), "[]");
	add_signal_set(&line, UINT64_C(3) << 31);
	assert_string_equal(shown(), "[RTMIN RT_1]");
	add_signal(&line, SIGKILL);
	assert_string_equal(shown(), "SIGKILL");
	add_signal(&line, 34);
	assert_string_equal(shown(), "SIGRT_2");
}

static void test_siginfo(void **state)
{
	struct linux_siginfo info = {.signo = SIGSEGV, .code = SEGV_MAPERR, .fault.addr = 0x1000};

	add_siginfo(&line, &info);
	assert_string_equal(shown(), "{si_signo=SIGSEGV, si_code=SEGV_MAPERR, si_addr=0x1000}");
	info = (struct linux_siginfo){.signo = SIGUSR1, .code = SI_USER, .kill = {.pid = 7, .uid = 8}};
	add_siginfo(&line, &info);
	assert_string_equal(shown(), "{si_signo=SIGUSR1, si_code=SI_USER, si_pid=7, si_uid=8}");
}

/* A line that is full is cut, not overrun. */
static void test_full_line(void **state)
{
	for (unsigned i = 0; i < LINE_MAX_BYTES; i++)
		add(&line, "%s", "xy");
	assert_int_equal(line.len, LINE_MAX_BYTES - 1);
	line.len = 0;
}

static void test_filter(void **state)
{
	struct filter_events events;
	const char *bad = NULL;

	assert_int_equal(filter_parse("", &events, &bad), 0);
	assert_true(events.calls && !events.faults && !events.switches);
	assert_true(filter_wants(0) && filter_wants(SYSCALL_NR_MAX - 1));
	assert_int_equal(filter_parse("fault,switch", &events, &bad), 0);
	assert_true(!events.calls && events.faults && events.switches);
	assert_int_equal(filter_parse("getpid,fault", &events, &bad), 0);
	assert_true(events.calls && events.faults && !events.switches);
	assert_true(filter_wants(SYSCALL_NR(39, 172)));
	assert_false(filter_wants(SYSCALL_NR(110, 173)));
	assert_int_equal(filter_parse("getpid,nonsense,fault", &events, &bad), -EINVAL);
	assert_int_equal(strncmp(bad, "nonsense", 8), 0);
	assert_int_equal(filter_parse("getpi", &events, &bad), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words), cmocka_unit_test(test_quoted), cmocka_unit_test(test_flags),
		cmocka_unit_test(test_signals), cmocka_unit_test(test_siginfo), cmocka_unit_test(test_full_line),
		cmocka_unit_test(test_filter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
