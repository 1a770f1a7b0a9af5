/* The kernel command line: what is for init (sched/cmdline.c), and the machine's options (metal/option.c). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "abi/errno.h"
#include "fake_machine.h"
#include "mm/frame.h"
#include "metal/option.c"
#include "sched/cmdline.h"

/* "program [args] {environment}" */
static const char *parsed(const char *text)
{
	static char out[512];
	struct cmdline c;
	size_t n;

	assert_int_equal(cmdline_parse(text, &c), 0);
	n = (size_t)snprintf(out, sizeof(out), "%s", c.init != NULL ? c.init : "none");
	for (unsigned i = 0; i < c.nr_args; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, " [%s]", c.args[i]);
	for (unsigned i = 0; i < c.nr_envs; i++)
		n += (size_t)snprintf(out + n, sizeof(out) - n, " {%s}", c.envs[i]);
	cmdline_release(&c);
	return out;
}

static void test_init(void **state)
{
	assert_string_equal(parsed(""), "none");
	assert_string_equal(parsed("  console=ttyS0\tinit=/x  "), "/x");
	assert_string_equal(parsed("init=/x init=/y"), "/y");
	assert_string_equal(parsed("init=/x rdinit=/y"), "/y");
	assert_string_equal(parsed("rdinit=/y init=/x"), "/y");
	assert_string_equal(parsed("init=/x -- a b=c -d -- init=/z"), "/x [a] [b=c] [-d] [--] [init=/z]");
	assert_string_equal(parsed("init=/bin/sh -- -c \"echo a  b\" 'x"), "/bin/sh [-c] [echo a  b] ['x]");
}

static void test_for_init(void **state)
{
	assert_string_equal(parsed("single A=1 B=\"two words\" -s"), "none [single] [-s] {A=1} {B=two words}");
	assert_string_equal(parsed("auto init=/x single A=1 A=2 AB=3"), "/x [single] {A=2} {AB=3}");
	assert_string_equal(parsed("quiet panic=-1 root=/dev/sda ro i8042.nopnp usb.x=1 fork=cow mem=64M x=y"),
			    "none {x=y}");
	assert_string_equal(parsed("quietly forks=1"), "none [quietly] {forks=1}");
}

static void test_too_many(void **state)
{
	char text[1024] = "init=/x --";
	struct cmdline c;
	size_t n = strlen(text);

	for (int i = 0; i < CMDLINE_ARGS_MAX; i++)
		n += (size_t)sprintf(text + n, " %d", i);
	assert_int_equal(cmdline_parse(text, &c), 0);
	assert_int_equal(c.nr_args, CMDLINE_ARGS_MAX);
	cmdline_release(&c);
	strcpy(text + n, " more");
	assert_int_equal(cmdline_parse(text, &c), -E2BIG);
	n = 0;
	for (int i = 0; i <= CMDLINE_ENVS_MAX; i++)
		n += (size_t)sprintf(text + n, "v%d=%d ", i, i);
	assert_int_equal(cmdline_parse(text, &c), -E2BIG);
	fail_alloc_arm(1, false);
	assert_int_equal(cmdline_parse("x", &c), -ENOMEM);
	fail_alloc_arm(0, false);
}

static void test_machine_options(void **state)
{
	char buf[16];

	option_set_cmdline("console=ttyS0 quiet panic=5 mem=1 mem=64M long=0123456789abcdefgh -- audit");
	assert_true(metal_option("console", buf, sizeof(buf)));
	assert_string_equal(buf, "ttyS0");
	assert_true(metal_option("quiet", buf, sizeof(buf)));
	assert_string_equal(buf, "");
	assert_true(metal_option("mem", buf, sizeof(buf)));
	assert_string_equal(buf, "64M");
	assert_true(metal_option("long", buf, sizeof(buf)));
	assert_string_equal(buf, "0123456789abcde");
	assert_false(metal_option("audit", buf, sizeof(buf)));
	assert_false(metal_option("pan", buf, sizeof(buf)));
	assert_false(metal_option("panics", buf, sizeof(buf)));
}

static void test_sizes(void **state)
{
	uint64_t n;

	assert_true(option_size("64M", &n) && n == 64 << 20);
	assert_true(option_size("4096", &n) && n == 4096);
	assert_true(option_size("3k", &n) && n == 3072);
	assert_true(option_size("2G", &n) && n == UINT64_C(2) << 30);
	assert_false(option_size("", &n));
	assert_false(option_size("M", &n));
	assert_false(option_size("64MB", &n));
	assert_false(option_size("64x", &n));
	assert_false(option_size("99999999999999999999", &n));
	assert_false(option_size("99999999999999T", &n));
}

static int boot(void **state)
{
	fake_machine_boot(16 << 20);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_init),	     cmocka_unit_test(test_for_init), cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_machine_options), cmocka_unit_test(test_sizes),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
