/*
 * The short way into the kernel and back (sched/upcall.h): whose time it is, who asks for the long way,
 * and what the long way leaves to be done. The clock stands still unless a test moves it.
 */
/* Not <stdlib.h>: its W* constants are ours too. */
void abort(void) __attribute__((noreturn));

#include "fake_kernel.h"

#include "abi/errno.h"
#include "abi/time.h"
#include "sched/upcall.h"
#include "syscall/syscall.h"
#include "syscall/table.h"
#include "trace/report.h"

#define NR_GETPPID SYSCALL_NR(110, 173)
#define NR_RESTART_SYSCALL SYSCALL_NR(219, 128)

static struct trap_frame *frame(void) { return current_task()->frame; }
static bool has_work(void) { return arch_cpu()->has_work; }

/* The long way, behind which nothing is left to do. */
static void settle(void)
{
	task_return_to_user(frame());
	assert_false(has_work());
}

static int64_t trap(uint64_t nr)
{
	frame_set_syscall(frame(), nr);
	trap_syscall(frame());
	return frame_result(frame());
}

static void test_time(void **state)
{
	struct cpu_times before = current_task()->times, after;
	uint64_t user[2], system[2], rest;

	settle();
	before = current_task()->times;
	sched_get_times(&user[0], &system[0], &rest, &rest);
	fake.now_ns += 7;
	assert_ptr_equal(upcall_enter(), current_task());
	fake.now_ns += 5;
	upcall_leave(frame());
	fake.now_ns += 30;
	upcall_enter();
	fake.now_ns += 20;
	task_return_to_user(frame());
	after = current_task()->times;
	sched_get_times(&user[1], &system[1], &rest, &rest);
	assert_int_equal(after.user_ns - before.user_ns, 37);
	assert_int_equal(after.system_ns - before.system_ns, 25);
	assert_int_equal(user[1] - user[0], 37);
	assert_int_equal(system[1] - system[0], 25);
}

static uint64_t other_ran_ns;
static void other(void *arg)
{
	fake.now_ns += 1000;
	other_ran_ns += 1000;
}

/* Another task that wants to run: at the end of the slice it does, and its time is in the machine's. */
static void test_slice(void **state)
{
	uint64_t system[2], own = current_task()->times.system_ns, rest;

	fake_spawn(other, NULL);
	assert_true(fake_reap() > 0); /* a new slice */
	settle();
	other_ran_ns = 0;
	sched_get_times(&rest, &system[0], &rest, &rest);
	fake_spawn(other, NULL);
	assert_true(has_work());
	settle();
	assert_int_equal(other_ran_ns, 0);
	upcall_enter();
	upcall_leave(frame());
	assert_int_equal(other_ran_ns, 0);
	fake.now_ns = arch_cpu()->timer_ns;
	upcall_enter();
	upcall_leave(frame());
	assert_int_equal(other_ran_ns, 1000);
	sched_get_times(&rest, &system[1], &rest, &rest);
	assert_int_equal(system[1] - system[0], current_task()->times.system_ns - own + 1000);
	assert_true(fake_reap() > 0);
}

static unsigned nr_fired;
static void fire(struct ktimer *t) { nr_fired++; }

static void test_timer(void **state)
{
	struct ktimer t = {.fn = fire};

	settle();
	nr_fired = 0;
	ktimer_set(&t, fake.now_ns + 1000);
	assert_true(has_work());
	upcall_leave(frame());
	assert_false(has_work());
	assert_int_equal(arch_cpu()->timer_ns, fake.now_ns + 1000);
	fake.now_ns += 999;
	upcall_leave(frame());
	assert_int_equal(nr_fired, 0);
	fake.now_ns++;
	upcall_leave(frame());
	assert_int_equal(nr_fired, 1);
}

/* A signal asks once; while it is blocked, it does not keep asking. Unblocking it does. */
static void test_signals(void **state)
{
	const struct linux_sigaction ignore = {.handler = LINUX_SIG_IGN};
	struct task *me = current_task();

	settle();
	signal_set_blocked(SIGMASK(SIGUSR1) | SIGMASK(SIGUSR2));
	assert_false(has_work());
	assert_int_equal(signal_send_process(me->process, SIGUSR1, NULL), 0);
	assert_true(has_work());
	settle();
	assert_int_equal(signal_send_task(me, SIGUSR2, NULL), 0);
	assert_true(has_work());
	settle();
	assert_int_equal(signal_pending_set(me), SIGMASK(SIGUSR1) | SIGMASK(SIGUSR2));
	sighand_set_action(me->sig.hand, SIGUSR1, &ignore);
	sighand_set_action(me->sig.hand, SIGUSR2, &ignore);
	signal_set_blocked(0);
	assert_true(has_work());
	upcall_leave(frame());
	assert_int_equal(signal_pending_set(me), 0);
	assert_false(has_work());
}

static void test_temporary_mask(void **state)
{
	settle();
	signal_set_temporary_mask(SIGMASK(SIGUSR1));
	assert_true(has_work());
	upcall_leave(frame());
	assert_int_equal(current_task()->sig.blocked, 0);
	assert_false(current_task()->sig.has_saved_mask || has_work());
}

static void test_kill(void **state)
{
	settle();
	spin_lock(&task_lock);
	signal_kill_tasks_locked(current_process(), NULL);
	spin_unlock(&task_lock);
	assert_true(has_work() && current_task()->must_exit);
	current_task()->must_exit = false;
}

static void test_cpu_timer(void **state)
{
	struct process *p = current_process();
	struct linux_siginfo info;

	settle();
	signal_set_blocked(SIGMASK(SIGPROF));
	sched_account_now();
	p->prof_timer.expires_ns = process_times(p).user_ns + process_times(p).system_ns + NSEC_PER_MSEC;
	cputimer_update_flag(p);
	assert_true(has_work());
	settle();
	assert_int_equal(arch_cpu()->timer_ns, fake.now_ns + NSEC_PER_MSEC);
	fake.now_ns += NSEC_PER_MSEC - 1;
	upcall_enter();
	upcall_leave(frame());
	assert_int_equal(signal_pending_set(current_task()), 0);
	fake.now_ns++;
	upcall_enter();
	upcall_leave(frame());
	assert_int_equal(signal_dequeue(SIGMASK(SIGPROF), &info), SIGPROF);
	assert_false(p->has_cpu_timers);
	signal_set_blocked(0);
}

static int64_t restart_again(struct task *task) { return -ERESTARTNOINTR; }

/* A call that is to be made again is, though nobody asked for the long way. */
static void test_restart(void **state)
{
	const uint64_t pc = FAKE_USER;

	settle();
	frame_set_pc(frame(), pc);
	current_task()->restart_fn = restart_again;
	trap(NR_RESTART_SYSCALL);
	assert_true(frame_pc(frame()) < pc);
	assert_int_equal(frame_syscall_nr(frame()), NO_SYSCALL);
}

static void test_numbers(void **state)
{
	uint64_t nr_calls = syscall_count();

	assert_int_equal(trap(NR_GETPPID), 0);
	assert_int_equal(trap(SYSCALL_NR_MAX - 1), -ENOSYS);
	assert_int_equal(trap(SYSCALL_NR_MAX), -ENOSYS);
	assert_int_equal(trap(UINT64_MAX - 1), -ENOSYS);
	assert_int_equal(syscall_count() - nr_calls, 4);
	assert_false(current_task()->in_syscall);
	frame_forget_syscall(frame());
}

/* The ring goes round: the result of an event that is no more goes nowhere. */
static void test_history(void **state)
{
	struct task *me = current_task(), *another = arch_cpu()->idle;
	struct history_event *e = history_begin(me, 1, 2, 3, 4);

	assert_int_equal(e->tid, me->tid);
	assert_int_equal(e->result, HISTORY_PENDING);
	history_end(e, me, 5);
	assert_int_equal(e->result, 5);
	e = history_begin(me, 1, 2, 3, 4);
	for (unsigned i = 0; i < HISTORY_EVENTS; i++)
		history_begin(another, 6, 7, 8, 9);
	history_end(e, me, 5);
	assert_int_equal(e->result, HISTORY_PENDING);
	assert_int_equal(e->nr, 6);
}

static int setup(void **state)
{
	fake_kernel_boot();
	fake.step_ns = 0;
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_slice),
		cmocka_unit_test(test_timer),
		cmocka_unit_test(test_signals),
		cmocka_unit_test(test_temporary_mask),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_cpu_timer),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_history),
	};

	return cmocka_run_group_tests(tests, setup, fake_kernel_end);
}
