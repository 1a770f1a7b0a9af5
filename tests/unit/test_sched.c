/* Tasks, processes, scheduling, timers, locks, futexes: order, counts, errors, failure of every allocation.
 */
/* Not <stdlib.h>: its W* constants are ours too. */
void abort(void) __attribute__((noreturn));

#include "fake_kernel.h"

#include "abi/errno.h"
#include "abi/futex.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "abi/time.h"
#include "abi/wait.h"
#include "mm/kmalloc.h"
#include "sched/cmdline.h"
#include "sched/futex.h"
#include "sched/upcall.h"
#include "syscall/syscall.h"

SYSCALL_DECLARE(fork);
SYSCALL_DECLARE(vfork);
SYSCALL_DECLARE(clone);
SYSCALL_DECLARE(clone3);
SYSCALL_DECLARE(wait4);
SYSCALL_DECLARE(setpgid);
SYSCALL_DECLARE(setsid);
SYSCALL_DECLARE(sched_yield);
SYSCALL_DECLARE(nanosleep);
SYSCALL_DECLARE(setitimer);
SYSCALL_DECLARE(timer_create);
SYSCALL_DECLARE(timer_settime);
SYSCALL_DECLARE(timer_getoverrun);
SYSCALL_DECLARE(timer_delete);
SYSCALL_DECLARE(prlimit64);
SYSCALL_DECLARE(getpriority);
SYSCALL_DECLARE(setpriority);

#define ARGS(...) ((const uint64_t[6]){__VA_ARGS__})
#define U(offset) (FAKE_USER + (offset))

/* What tasks did, in order. */
static char journal[512];
static void note(const char *what)
{
	str_copy(journal + strlen(journal), what, sizeof(journal) - strlen(journal));
}

/*
 * User mode of this machine: the program counter is a C function that plays the program. It
 * ends with task_exit(), or by returning.
 */
void arch_user_enter(void)
{
	((void (*)(void))(uintptr_t)frame_pc(current_task()->frame))();
	task_exit(0);
}

static void program(void (*fn)(void))
{
	frame_init_user(current_task()->frame, (uintptr_t)fn, U(0x10000));
	frame_set_result(current_task()->frame, 4711); /* no child shall see it */
	journal[0] = '\0';
}

static int64_t fork_program(void (*fn)(void))
{
	program(fn);
	return sys_fork(ARGS(0));
}

/* Waits for any child (or the one named); returns its status, asserting its pid. */
static int reap(int64_t pid)
{
	const struct wait_request request = {.which = P_ALL, .options = WEXITED | __WALL};
	struct wait_result result;

	assert_int_equal(process_wait(&request, &result), 0);
	if (pid > 0)
		assert_int_equal(result.pid, pid);
	return result.status;
}

static uint64_t nr_free_frames(void)
{
	struct frame_stats stats;

	frame_get_stats(&stats);
	return stats.nr_free;
}

/* ---- fork, exit, wait ----------------------------------------------------- */

static void exit_42(void) { task_exit(42); }

static void test_fork(void **state)
{
	struct task *me = current_task();
	uint64_t switches = arch_cpu()->nr_context_switches;
	int64_t pid = fork_program(exit_42);

	assert_true(pid > 1);
	assert_int_equal(arch_cpu()->nr_context_switches, switches); /* the parent goes on */
	assert_int_equal(process_count(), 2);
	assert_int_equal(reap(pid), 42 << 8);
	assert_int_equal(arch_cpu()->nr_context_switches, switches + 2);
	assert_int_equal(process_count(), 1);
	assert_ptr_equal(current_task(), me);
	assert_int_equal(mm_audit(), 0);
}

static uint32_t seen_in_child;
static void look_at_memory(void)
{
	uint32_t mine = 7;

	assert_int_equal(copy_from_user(&seen_in_child, uaddr(U(0)), 4), 0);
	assert_int_equal(copy_to_user(uaddr(U(0)), &mine, 4), 0);
	assert_int_equal(frame_result(current_task()->frame), 0);
}

static void test_fork_copies(void **state)
{
	uint32_t value = 5;

	fake_user_put(0, &value, 4);
	assert_true(fork_program(look_at_memory) > 0);
	assert_int_equal(reap(0), 0);
	assert_int_equal(seen_in_child, 5);
	fake_user_get(0, &value, 4);
	assert_int_equal(value, 5);
}

static void test_fork_inherits(void **state)
{
	struct task *me = current_task(), *child;
	int64_t pid;

	me->nice = 3;
	me->sig.blocked = SIGMASK(SIGUSR1);
	fake_set_handler(SIGUSR2, 0x1234);
	assert_int_equal(signal_send_task(me, SIGUSR1, NULL), 0);
	program(exit_42);
	me->sig.blocked = SIGMASK(SIGUSR1);
	pid = sys_fork(ARGS(0));
	assert_true(pid > 0);
	child = task_find((int)pid);
	assert_int_equal(child->nice, 3);
	assert_int_equal(child->sig.blocked, SIGMASK(SIGUSR1));
	assert_int_equal(signal_pending_set(child), 0);
	assert_ptr_not_equal(child->sig.hand, me->sig.hand);
	assert_int_equal(sighand_action(child->sig.hand, SIGUSR2)->handler, 0x1234);
	assert_int_equal(child->process->pgid, me->process->pgid);
	assert_int_equal(child->process->sid, me->process->sid);
	task_put(child);
	assert_int_equal(reap(pid), 42 << 8);
	spin_lock(&task_lock);
	signal_queue_flush_locked(&me->sig.queue, me->process, ~UINT64_C(0));
	spin_unlock(&task_lock);
	me->sig.blocked = 0;
	me->nice = 0;
	fake_set_handler(SIGUSR2, LINUX_SIG_DFL);
}

/* CLONE_CHILD_SETTID is for the child's memory. */
static void look_for_own_tid(void)
{
	int tid;

	assert_int_equal(copy_from_user(&tid, uaddr(U(0)), sizeof(tid)), 0);
	assert_int_equal(tid, current_task()->tid);
	task_exit(42);
}

/* Every allocation fails, once or from there on: the right errno, nothing left behind. */
static void check_clone_without_memory(bool persistent)
{
	uint64_t args[6] = {CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | SIGCHLD}, baseline;
	unsigned nr_failures = 0;
	int tid = -1;
	int64_t r;

	args[ABI_CLONE_ARG_CHILD_TID] = U(0);
	fake_user_put(0, &tid, sizeof(tid));
	assert_true(fork_program(exit_42) > 0);
	reap(0);
	kmalloc_shrink();
	frame_shrink_all();
	baseline = nr_free_frames();
	for (unsigned n = 1;; n++) {
		program(look_for_own_tid);
		fail_alloc_arm(n, persistent);
		r = sys_clone(args);
		fail_alloc_arm(0, false);
		if (r > 0)
			break;
		assert_int_equal(r, -ENOMEM);
		assert_int_equal(process_count(), 1);
		assert_int_equal(task_count(), 1);
		assert_int_equal(mm_audit(), 0);
		kmalloc_shrink();
		frame_shrink_all();
		assert_true(nr_free_frames() >= baseline);
		nr_failures++;
	}
	assert_true(nr_failures >= 5);
	assert_int_equal(reap(r), 42 << 8);
	fake_user_get(0, &tid, sizeof(tid));
	assert_int_equal(tid, -1);
}

static void test_clone_without_memory(void **state)
{
	check_clone_without_memory(false);
	check_clone_without_memory(true);
}

static void test_clone_flags(void **state)
{
	program(exit_42);
	assert_int_equal(sys_clone(ARGS(CLONE_THREAD)), -EINVAL);
	assert_int_equal(sys_clone(ARGS(CLONE_SIGHAND)), -EINVAL);
	assert_int_equal(sys_clone(ARGS(CLONE_NEWPID)), -EINVAL);
	assert_int_equal(sys_clone(ARGS(CLONE_PARENT)), -EINVAL); /* by init */
	assert_int_equal(sys_clone(ARGS(100)), -EINVAL);	  /* exit signal */
	assert_int_equal(process_count(), 1);
}

static void test_clone3(void **state)
{
	struct linux_clone_args a = {.exit_signal = SIGCHLD};
	int tid = 4711;

	program(exit_42);
	fake_user_put(0, &a, sizeof(a));
	assert_int_equal(sys_clone3(ARGS(U(0), 63)), -EINVAL);
	assert_int_equal(sys_clone3(ARGS(U(0), PAGE_SIZE + 1)), -E2BIG);
	a.set_tid = U(256), a.set_tid_size = 1;
	fake_user_put(0, &a, sizeof(a));
	fake_user_put(256, &tid, sizeof(tid));
	assert_int_equal(sys_clone3(ARGS(U(0), sizeof(a))), 4711);
	assert_int_equal(sys_clone3(ARGS(U(0), sizeof(a))), -EEXIST);
	assert_int_equal(reap(4711), 42 << 8);
	a.stack = U(0x1000); /* without a size */
	fake_user_put(0, &a, sizeof(a));
	assert_int_equal(sys_clone3(ARGS(U(0), sizeof(a))), -EINVAL);
	memset(&a, 0xff, sizeof(a));
	fake_user_put(sizeof(a), &a, sizeof(a));
	memset(&a, 0, sizeof(a));
	fake_user_put(0, &a, sizeof(a));
	assert_int_equal(sys_clone3(ARGS(U(0), sizeof(a) + 8)), -E2BIG); /* unknown members in use */
}

/* ---- threads -------------------------------------------------------------- */

#define THREAD_FLAGS                                                                                         \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS |                   \
	 CLONE_PARENT_SETTID | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)

static void thread_main(void)
{
	struct task *t = current_task();

	assert_int_equal(frame_sp(t->frame), U(0x8000));
	assert_int_equal(frame_tls(t->frame), 0x5000);
	assert_ptr_equal(t->process, init_process);
	note("thread ");
	task_exit(0);
}

static void test_thread(void **state)
{
	struct task *me = current_task();
	uint64_t args[6] = {THREAD_FLAGS, U(0x8000), U(16)};
	uint32_t tids[2] = {0};
	int64_t tid;

	program(thread_main);
	args[ABI_CLONE_ARG_CHILD_TID] = U(20);
	args[ABI_CLONE_ARG_TLS] = 0x5000;
	tid = sys_clone(args);
	assert_true(tid > 1);
	fake_user_get(16, tids, 8);
	assert_int_equal(tids[0], tid);
	assert_int_equal(tids[1], tid);
	assert_int_equal(me->process->nr_tasks, 2);
	assert_int_equal(me->aspace->refs, 2);
	assert_int_equal(futex_wait(uaddr(U(20)), false, (uint32_t)tid, WAIT_FOREVER, UINT32_MAX), 0);
	fake_user_get(16, tids, 8);
	assert_int_equal(tids[1], 0); /* CLONE_CHILD_CLEARTID */
	sys_sched_yield(ARGS(0));
	assert_string_equal(journal, "thread ");
	assert_int_equal(me->process->nr_tasks, 1);
	assert_int_equal(task_count(), 1);
	assert_int_equal(me->aspace->refs, 1);
	assert_null(task_find((int)tid));
}

static void sleep_for_ever(void)
{
	current_task()->state = TASK_SLEEPING;
	schedule();
	task_return_to_user(current_task()->frame);
	note("woke? ");
}

/* The child of test_group_exit: two threads sleep, the leader ends all. */
static void group_leader(void)
{
	uint64_t args[6] = {CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, U(0x8000)};

	frame_set_pc(current_task()->frame, (uintptr_t)sleep_for_ever);
	assert_true(sys_clone(args) > 0);
	assert_true(sys_clone(args) > 0);
	assert_int_equal(current_process()->nr_tasks, 3);
	sys_sched_yield(ARGS(0));
	task_exit_group(3 << 8);
}

static void test_group_exit(void **state)
{
	int64_t pid = fork_program(group_leader);

	assert_int_equal(reap(pid), 3 << 8);
	assert_string_equal(journal, "");
	assert_int_equal(task_count(), 1);
	assert_int_equal(mm_audit(), 0);
}

/* The leader goes first: the process lives on, and its status is the leader's. */
static void last_thread(void)
{
	sys_sched_yield(ARGS(0));
	note("last ");
	task_exit(9);
}

static void early_leader(void)
{
	uint64_t args[6] = {CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, U(0x8000)};

	frame_set_pc(current_task()->frame, (uintptr_t)last_thread);
	assert_true(sys_clone(args) > 0);
	note("leader ");
	task_exit(5);
}

static void test_leader_exits_first(void **state)
{
	int64_t pid = fork_program(early_leader);

	assert_int_equal(reap(pid), 5 << 8);
	assert_string_equal(journal, "leader last ");
	assert_int_equal(task_count(), 1);
}

/* exec of a thread: the others end, the caller becomes the leader. */
static void exec_thread(void)
{
	int pid = current_process()->pid;

	assert_int_not_equal(current_task()->tid, pid);
	assert_int_equal(task_kill_other_threads(), 0);
	assert_int_equal(current_task()->tid, pid);
	assert_ptr_equal(current_process()->leader, current_task());
	assert_int_equal(current_process()->nr_tasks, 1);
	note("alone ");
	task_exit(1);
}

static void exec_leader(void)
{
	uint64_t args[6] = {CLONE_VM | CLONE_SIGHAND | CLONE_THREAD, U(0x8000)};

	frame_set_pc(current_task()->frame, (uintptr_t)exec_thread);
	assert_true(sys_clone(args) > 0);
	sleep_for_ever();
}

static void test_de_thread(void **state)
{
	int64_t pid = fork_program(exec_leader);

	assert_int_equal(reap(pid), 1 << 8);
	assert_string_equal(journal, "alone ");
	assert_int_equal(task_count(), 1);
}

/* ---- vfork ---------------------------------------------------------------- */

static void vfork_child(void)
{
	note("child ");
	sys_sched_yield(ARGS(0));
	note("exits ");
}

static void test_vfork(void **state)
{
	int64_t pid;

	program(vfork_child);
	pid = sys_vfork(ARGS(0));
	note("parent ");
	assert_true(pid > 0);
	assert_string_equal(journal, "child exits parent ");
	assert_int_equal(reap(pid), 0);
}

/* ---- wait ----------------------------------------------------------------- */

static void test_wait_options(void **state)
{
	int64_t pid;

	assert_int_equal(sys_wait4(ARGS((uint64_t)-1, 0, 0, 0)), -ECHILD);
	pid = fork_program(exit_42);
	assert_int_equal(sys_wait4(ARGS((uint64_t)-1, 0, WNOHANG, 0)), 0);
	assert_int_equal(sys_wait4(ARGS((uint64_t)pid + 1, 0, 0, 0)), -ECHILD);
	assert_int_equal(sys_wait4(ARGS((uint64_t)-77, 0, 0, 0)), -ECHILD);
	assert_int_equal(sys_wait4(ARGS((uint64_t)-1, 0, (unsigned)__WCLONE, 0)), -ECHILD);
	assert_int_equal(sys_wait4(ARGS((uint64_t)-1, 0, 0x100, 0)), -EINVAL);
	assert_int_equal(sys_wait4(ARGS((uint64_t)(int64_t)INT32_MIN, 0, 0, 0)), -ESRCH);
	assert_int_equal(sys_wait4(ARGS(0, 0, 0, 0)), pid); /* own group */
	assert_int_equal(sys_wait4(ARGS((uint64_t)pid, 0, 0, 0)), -ECHILD);
}

static void test_wait_nowait(void **state)
{
	const struct wait_request look = {.which = P_ALL, .options = WEXITED | WNOWAIT};
	struct wait_result result;
	int64_t pid = fork_program(exit_42);

	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(process_wait(&look, &result), 0);
		assert_int_equal(result.pid, pid);
		assert_int_equal(result.code, CLD_EXITED);
		assert_int_equal(result.value, 42);
	}
	assert_int_equal(reap(pid), 42 << 8);
}

/* Children are reaped in the order they were made. */
static void test_wait_order(void **state)
{
	int64_t first = fork_program(exit_42), second = fork_program(exit_42);

	sys_sched_yield(ARGS(0));
	sys_sched_yield(ARGS(0));
	reap(first);
	reap(second);
}

static void test_wait_usage(void **state)
{
	struct process *p = current_process();
	uint64_t before = p->children_times.system_ns;

	fork_program(exit_42);
	reap(0);
	assert_true(p->children_times.system_ns > before);
}

static void orphan(void)
{
	sys_sched_yield(ARGS(0));
	note(current_process()->parent == init_process ? "init " : "reaper ");
	task_exit(6);
}

static void dying_parent(void)
{
	frame_set_pc(current_task()->frame, (uintptr_t)orphan);
	assert_true(sys_fork(ARGS(0)) > 0);
	task_exit(1);
}

static void test_orphans(void **state)
{
	int64_t pid = fork_program(dying_parent);

	assert_int_equal(reap(pid), 1 << 8);
	assert_int_equal(reap(0), 6 << 8);
	assert_string_equal(journal, "init ");
}

static void subreaper(void)
{
	current_process()->is_subreaper = true;
	frame_set_pc(current_task()->frame, (uintptr_t)dying_parent);
	assert_true(sys_fork(ARGS(0)) > 0);
	assert_int_equal(reap(0), 1 << 8);
	assert_int_equal(reap(0), 6 << 8);
	task_exit(2);
}

static void test_subreaper(void **state)
{
	int64_t pid = fork_program(subreaper);

	assert_int_equal(reap(pid), 2 << 8);
	assert_string_equal(journal, "reaper ");
	assert_int_equal(process_count(), 1);
}

static void test_ignored_children(void **state)
{
	fake_set_handler(SIGCHLD, LINUX_SIG_IGN);
	assert_true(fork_program(exit_42) > 0);
	assert_int_equal(sys_wait4(ARGS((uint64_t)-1, 0, 0, 0)), -ECHILD);
	assert_int_equal(process_count(), 1);
	fake_set_handler(SIGCHLD, LINUX_SIG_DFL);
}

/* ---- groups and sessions -------------------------------------------------- */

static void test_groups(void **state)
{
	struct process *child;
	int64_t pid = fork_program(exit_42);

	assert_int_equal(sys_setpgid(ARGS(1, 0)), -EPERM); /* a session leader */
	assert_int_equal(sys_setpgid(ARGS((uint64_t)pid, 99)), -EPERM);
	assert_int_equal(sys_setpgid(ARGS((uint64_t)pid, (uint64_t)-1)), -EINVAL);
	assert_int_equal(sys_setpgid(ARGS(99, 0)), -ESRCH);
	assert_int_equal(sys_setsid(ARGS(0)), -EPERM);
	assert_int_equal(sys_setpgid(ARGS((uint64_t)pid, 0)), 0);
	child = process_find((int)pid);
	assert_int_equal(child->pgid, pid);
	child->has_execed = true;
	assert_int_equal(sys_setpgid(ARGS((uint64_t)pid, 1)), -EACCES);
	process_put(child);
	assert_int_equal(sys_wait4(ARGS(0, 0, 0, 0)), -ECHILD);
	assert_int_equal(sys_wait4(ARGS((uint64_t)-pid, 0, 0, 0)), pid);
}

/* A number is not given out again while a group bears it. */
static void test_id_of_a_group(void **state)
{
	int64_t leader = fork_program(exit_42), member;
	struct clone_args_k same = {.exit_signal = SIGCHLD, .set_tid = (int)leader};

	assert_int_equal(sys_setpgid(ARGS((uint64_t)leader, 0)), 0);
	member = fork_program(exit_42);
	assert_int_equal(sys_setpgid(ARGS((uint64_t)member, (uint64_t)leader)), 0);
	assert_int_equal(sys_wait4(ARGS((uint64_t)leader, 0, 0, 0)), leader);
	program(exit_42);
	assert_int_equal(task_clone(&same), -EEXIST);
	assert_int_equal(sys_wait4(ARGS((uint64_t)member, 0, 0, 0)), member);
	assert_int_equal(task_clone(&same), leader);
	reap(leader);
}

static void test_ids(void **state)
{
	static struct id *ids[PID_MAX];
	struct id *extra;
	unsigned nr = 0;

	spin_lock(&task_lock);
	while (id_alloc_locked(0, &ids[nr]) == 0)
		nr++;
	assert_int_equal(nr, PID_MAX - 2); /* 0 is nobody's, 1 is us */
	assert_int_equal(id_alloc_locked(0, &extra), -EAGAIN);
	assert_ptr_equal(id_find_locked(ids[500]->nr), ids[500]);
	assert_null(id_find_locked(0));
	assert_null(id_find_locked(PID_MAX));
	assert_null(id_find_locked(-5));
	for (unsigned i = 0; i < nr; i++)
		id_release_locked(ids[i]);
	assert_null(id_next_locked(1));
	spin_unlock(&task_lock);
}

/* ---- scheduling ----------------------------------------------------------- */

/* Computes for a while, with the machine's timer ticking as it was set; ends with a trap. */
static void burn(uint64_t ns)
{
	for (uint64_t done = 0; done < ns; done += NSEC_PER_MSEC) {
		fake.now_ns += NSEC_PER_MSEC;
		if (fake.now_ns < fake.timer_deadline_ns)
			continue;
		fake.timer_deadline_ns = UINT64_MAX;
		trap_interrupt(current_task()->frame, IRQ_TIMER);
	}
	upcall_enter();
}

static void hog_a(void)
{
	for (unsigned i = 0; i < 4; i++) {
		note("a");
		burn(10 * NSEC_PER_MSEC);
	}
}

static void hog_b(void)
{
	for (unsigned i = 0; i < 4; i++) {
		note("b");
		burn(10 * NSEC_PER_MSEC);
	}
}

static void test_time_slices(void **state)
{
	char order[16] = "";

	assert_true(fork_program(hog_a) > 0);
	assert_true(fork_program(hog_b) > 0);
	reap(0);
	reap(0);
	memcpy(order, journal, 8);
	/* Neither runs twice as far as the other before both are done. */
	for (unsigned i = 1, a = 0, b = 0; i <= 8; i++) {
		if (order[i - 1] == 'a')
			a++;
		else
			b++;
		assert_true(a <= b + 3 && b <= a + 3);
	}
	assert_non_null(strstr(order, "ab"));
	assert_non_null(strstr(order, "ba"));
}

static void sleeper(void)
{
	for (unsigned i = 0; i < 3; i++) {
		uint64_t deadline = arch_time_ns() + 25 * NSEC_PER_MSEC, late;

		assert_int_equal(sleep_until(deadline), -ETIMEDOUT);
		late = arch_time_ns() - deadline;
		note(late < 11 * NSEC_PER_MSEC ? "s" : "L");
	}
}

/* Who slept comes before those that compute: within a slice. */
static void test_sleepers_first(void **state)
{
	int64_t pid;

	assert_true(fork_program(hog_a) > 0);
	assert_true(fork_program(hog_b) > 0);
	pid = fork_program(sleeper);
	assert_int_equal(sys_wait4(ARGS((uint64_t)pid, 0, 0, 0)), pid);
	reap(0);
	reap(0);
	assert_null(strchr(journal, 'L'));
}

/* Nothing to do: no timer is set for a task that is alone. */
static void test_no_useless_timer(void **state)
{
	fake.timer_deadline_ns = UINT64_MAX;
	arch_cpu()->timer_ns = UINT64_MAX;
	task_return_to_user(current_task()->frame);
	assert_int_equal(fake.timer_deadline_ns, UINT64_MAX);
	assert_true(fork_program(exit_42) > 0);
	task_return_to_user(current_task()->frame);
	assert_true(fake.timer_deadline_ns != UINT64_MAX);
	reap(0);
}

/* A task that sleeps alone is woken where it is: no context switch. */
static void test_idle_without_switch(void **state)
{
	uint64_t switches = arch_cpu()->nr_context_switches, start = arch_time_ns(), idle[2], rest;

	sched_get_times(&rest, &rest, &idle[0], &rest);
	assert_int_equal(sleep_until(start + 50 * NSEC_PER_MSEC), -ETIMEDOUT);
	sched_get_times(&rest, &rest, &idle[1], &rest);
	assert_true(arch_time_ns() >= start + 50 * NSEC_PER_MSEC);
	assert_true(idle[1] - idle[0] >= 49 * NSEC_PER_MSEC);
	assert_int_equal(arch_cpu()->nr_context_switches, switches);
}

static void user_second(void) { burn(NSEC_PER_SEC); }

static void test_accounting(void **state)
{
	struct wait_request request = {.which = P_ALL, .options = WEXITED};
	struct wait_result result;

	assert_true(fork_program(user_second) > 0);
	assert_int_equal(process_wait(&request, &result), 0);
	assert_true(result.times.user_ns >= NSEC_PER_SEC);
	assert_true(result.times.user_ns < NSEC_PER_SEC + NSEC_PER_SEC / 10);
	assert_true(result.times.system_ns < NSEC_PER_SEC / 10);
}

static void test_nice(void **state)
{
	assert_int_equal(sys_getpriority(ARGS(PRIO_PROCESS, 0)), 20);
	assert_int_equal(sys_setpriority(ARGS(PRIO_PROCESS, 0, 100)), 0);
	assert_int_equal(sys_getpriority(ARGS(PRIO_PROCESS, 0)), 1);
	assert_int_equal(sys_setpriority(ARGS(PRIO_USER, 0, 0)), 0);
	assert_int_equal(sys_getpriority(ARGS(PRIO_PGRP, 0)), 20);
	assert_int_equal(sys_setpriority(ARGS(PRIO_PROCESS, 12345, 0)), -ESRCH);
	assert_int_equal(sys_setpriority(ARGS(3, 0, 0)), -EINVAL);
}

/* ---- CPU-time limits and timers ------------------------------------------- */

static void limited(void)
{
	const uint64_t limit[2] = {1, 2};

	fake_user_put(0, limit, sizeof(limit));
	assert_int_equal(sys_prlimit64(ARGS(0, RLIMIT_CPU, U(0), 0)), 0);
	task_return_to_user(current_task()->frame);
	burn(10 * NSEC_PER_SEC);
	note("survived");
}

static void test_cpu_limit(void **state)
{
	assert_true(fork_program(limited) > 0);
	assert_int_equal(reap(0), SIGXCPU);
	assert_string_equal(journal, "");
}

static void profiled(void)
{
	const struct linux_itimerval value = {{0, 0}, {0, 300000}};

	fake_user_put(0, &value, sizeof(value));
	assert_int_equal(sys_setitimer(ARGS(ITIMER_VIRTUAL, U(0), 0)), 0);
	task_return_to_user(current_task()->frame);
	burn(200 * NSEC_PER_MSEC);
	note("before ");
	burn(200 * NSEC_PER_MSEC);
	note("after");
}

static void test_virtual_timer(void **state)
{
	assert_true(fork_program(profiled) > 0);
	assert_int_equal(reap(0), SIGVTALRM);
	assert_string_equal(journal, "before ");
}

static void test_posix_timer(void **state)
{
	struct linux_itimerspec spec = {{0, 1000000}, {0, 1000000}};
	struct linux_siginfo info;
	int id;

	signal_set_blocked(SIGMASK(SIGALRM));
	assert_int_equal(sys_timer_create(ARGS(CLOCK_MONOTONIC, 0, U(64))), 0);
	fake_user_get(64, &id, sizeof(id));
	fake_user_put(0, &spec, sizeof(spec));
	assert_int_equal(sys_timer_settime(ARGS((uint64_t)id, 0, U(0), 0)), 0);
	fake.now_ns += 10500000;
	ktimer_run(arch_time_ns());
	assert_int_equal(signal_dequeue(SIGMASK(SIGALRM), &info), SIGALRM);
	assert_int_equal(info.code, SI_TIMER);
	assert_int_equal(info.timer.overrun, 9); /* ten periods, one signal */
	assert_int_equal(sys_timer_getoverrun(ARGS((uint64_t)id)), 9);
	assert_int_equal(signal_dequeue(SIGMASK(SIGALRM), &info), 0);
	fake.now_ns += NSEC_PER_MSEC;
	ktimer_run(arch_time_ns());
	assert_true((signal_pending_set(current_task()) & SIGMASK(SIGALRM)) != 0);
	assert_int_equal(sys_timer_delete(ARGS((uint64_t)id)), 0); /* takes its signal along */
	assert_int_equal(signal_pending_set(current_task()), 0);
	assert_int_equal(sys_timer_delete(ARGS((uint64_t)id)), -EINVAL);
	assert_int_equal(ktimer_next(), KTIMER_NONE);
	signal_set_blocked(0);
}

/* ---- kernel timers -------------------------------------------------------- */

#define NR_TIMERS 300
static struct ktimer timers[NR_TIMERS];
static uint64_t last_fired;
static unsigned nr_fired;

static void fired(struct ktimer *t)
{
	assert_true(t->deadline_ns >= last_fired);
	last_fired = t->deadline_ns;
	nr_fired++;
}

static void test_ktimers(void **state)
{
	struct fake_random r = {fake_seed(7)};
	unsigned nr_set = 0, expected = 0;

	for (unsigned round = 0; round < 5000; round++) {
		struct ktimer *t = &timers[fake_random_below(&r, NR_TIMERS)];

		t->fn = fired;
		if (fake_random_below(&r, 3) == 0)
			ktimer_cancel(t);
		else
			ktimer_set(t, fake_random_below(&r, 1000000));
	}
	for (unsigned i = 0; i < NR_TIMERS; i++) {
		nr_set += ktimer_is_set(&timers[i]);
		expected += ktimer_is_set(&timers[i]) && timers[i].deadline_ns <= 500000;
	}
	assert_true(nr_set > 100);
	ktimer_run(500000);
	assert_int_equal(nr_fired, expected);
	ktimer_run(1000000);
	assert_int_equal(nr_fired, nr_set);
	assert_int_equal(ktimer_next(), KTIMER_NONE);
}

/* ---- locks and wait queues ------------------------------------------------ */

static struct mutex mutex;
static struct waitq waitq;
static bool may_go;

static void take_mutex(void *arg)
{
	mutex_lock(&mutex);
	note(arg);
	mutex_unlock(&mutex);
}

static void test_mutex(void **state)
{
	mutex_init(&mutex);
	journal[0] = '\0';
	mutex_lock(&mutex);
	assert_true(mutex_is_mine(&mutex));
	assert_false(mutex_trylock(&mutex));
	fake_spawn(take_mutex, "1");
	fake_spawn(take_mutex, "2");
	sched_yield_cpu();
	assert_string_equal(journal, "");
	mutex_unlock(&mutex);
	assert_false(mutex_is_mine(&mutex)); /* handed on */
	mutex_lock(&mutex);
	assert_string_equal(journal, "12");
	mutex_unlock(&mutex);
	fake_reap();
	fake_reap();
}

static void wait_to_go(void *arg)
{
	int r;

	WAIT_EVENT(r, &waitq, may_go, true, WAIT_FOREVER);
	assert_int_equal(r, 0);
	note(arg);
}

static void test_wake_one(void **state)
{
	waitq_init(&waitq);
	journal[0] = '\0';
	fake_spawn(wait_to_go, "1");
	fake_spawn(wait_to_go, "2");
	sched_yield_cpu();
	may_go = true;
	waitq_wake_one(&waitq);
	sched_yield_cpu();
	assert_string_equal(journal, "1");
	waitq_wake_one(&waitq);
	fake_reap();
	fake_reap();
	assert_string_equal(journal, "12");
	assert_true(waitq_is_empty(&waitq));
}

static void test_wait_event_timeout(void **state)
{
	uint64_t start = arch_time_ns();
	int r;

	waitq_init(&waitq);
	may_go = false;
	WAIT_EVENT(r, &waitq, may_go, true, start + NSEC_PER_MSEC);
	assert_int_equal(r, -ETIMEDOUT);
	assert_true(arch_time_ns() >= start + NSEC_PER_MSEC);
	WAIT_EVENT(r, &waitq, true, true, start); /* held at the last look */
	assert_int_equal(r, 0);
	assert_int_equal(ktimer_next(), KTIMER_NONE);
}

/* ---- futex ---------------------------------------------------------------- */

static void futex_waiter(void *arg)
{
	uint32_t bitset = (uint32_t)(uintptr_t)arg;

	assert_int_equal(futex_wait(uaddr(U(0)), true, 1, WAIT_FOREVER, bitset), 0);
	note(bitset == 1 ? "1" : bitset == 2 ? "2" : "?");
}

static void test_futex(void **state)
{
	uint32_t one = 1;

	journal[0] = '\0';
	fake_user_put(0, &one, 4);
	assert_int_equal(futex_wait(uaddr(U(0)), true, 2, WAIT_FOREVER, ~0u), -EAGAIN);
	assert_int_equal(futex_wait(uaddr(U(1)), true, 1, WAIT_FOREVER, ~0u), -EINVAL);
	assert_int_equal(futex_wait(uaddr(8), true, 1, WAIT_FOREVER, ~0u), -EFAULT);
	assert_int_equal(futex_wait(uaddr(U(0)), true, 1, WAIT_FOREVER, 0), -EINVAL);
	assert_int_equal(futex_wait(uaddr(U(0)), true, 1, arch_time_ns() + 1000, ~0u), -ETIMEDOUT);
	fake_spawn(futex_waiter, (void *)1);
	fake_spawn(futex_waiter, (void *)2);
	sched_yield_cpu();
	assert_int_equal(futex_wake(uaddr(U(4)), true, 10, ~0u), 0);
	assert_int_equal(futex_wake(uaddr(U(0)), true, 10, 2), 1);
	sched_yield_cpu();
	assert_string_equal(journal, "2");
	assert_int_equal(futex_requeue(uaddr(U(0)), uaddr(U(4)), true, 0, 10, true, 9), -EAGAIN);
	assert_int_equal(futex_requeue(uaddr(U(0)), uaddr(U(4)), true, 0, 10, true, 1), 1);
	assert_int_equal(futex_wake(uaddr(U(0)), true, 10, ~0u), 0);
	assert_int_equal(futex_wake(uaddr(U(4)), true, 10, ~0u), 1);
	fake_reap();
	fake_reap();
	assert_string_equal(journal, "21");
}

static void test_futex_op(void **state)
{
	const uint32_t add_5_if_eq_1 =
		(uint32_t)FUTEX_OP_ADD << 28 | (uint32_t)FUTEX_OP_CMP_EQ << 24 | 5 << 12 | 1;
	uint32_t words[2] = {0, 1};

	fake_user_put(0, words, 8);
	assert_int_equal(futex_wake_op(uaddr(U(0)), uaddr(U(4)), true, 1, 1, add_5_if_eq_1), 0);
	fake_user_get(0, words, 8);
	assert_int_equal(words[1], 6);
	assert_int_equal(futex_wake_op(uaddr(U(0)), uaddr(U(4)), true, 1, 1, 7u << 28), -ENOSYS);
}

static void test_robust_list(void **state)
{
	struct task *me = current_task();
	struct linux_robust_list_head head = {.list = U(256), .futex_offset = 8};
	uint64_t entry[2] = {U(0), 0};
	uint32_t word = (uint32_t)me->tid | FUTEX_WAITERS;

	fake_user_put(0, &head, sizeof(head));
	fake_user_put(256, entry, sizeof(entry));
	fake_user_put(264, &word, 4);
	me->robust_list = uaddr(U(0));
	futex_exit_robust_list(me);
	fake_user_get(264, &word, 4);
	assert_int_equal(word, FUTEX_WAITERS | FUTEX_OWNER_DIED);
	me->robust_list = uaddr(0);
	futex_exit_robust_list(me); /* a bad address is nobody's error */
}

/* ---- command line --------------------------------------------------------- */

static void test_cmdline(void **state)
{
	struct cmdline c;

	assert_int_equal(cmdline_parse("console=ttyS0 init=/sbin/x  quiet -- a \"b c\" init=/no", &c), 0);
	assert_string_equal(c.init, "/sbin/x");
	assert_int_equal(c.nr_args, 3);
	assert_string_equal(c.args[0], "a");
	assert_string_equal(c.args[1], "b c");
	assert_string_equal(c.args[2], "init=/no");
	cmdline_release(&c);
	assert_int_equal(cmdline_parse("  ", &c), 0);
	assert_null(c.init);
	assert_int_equal(c.nr_args, 0);
	cmdline_release(&c);
}

static int setup(void **state)
{
	fake_kernel_boot();
	futex_init();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fork),
		cmocka_unit_test(test_fork_copies),
		cmocka_unit_test(test_fork_inherits),
		cmocka_unit_test(test_clone_without_memory),
		cmocka_unit_test(test_clone_flags),
		cmocka_unit_test(test_clone3),
		cmocka_unit_test(test_thread),
		cmocka_unit_test(test_group_exit),
		cmocka_unit_test(test_leader_exits_first),
		cmocka_unit_test(test_de_thread),
		cmocka_unit_test(test_vfork),
		cmocka_unit_test(test_wait_options),
		cmocka_unit_test(test_wait_nowait),
		cmocka_unit_test(test_wait_order),
		cmocka_unit_test(test_wait_usage),
		cmocka_unit_test(test_orphans),
		cmocka_unit_test(test_subreaper),
		cmocka_unit_test(test_ignored_children),
		cmocka_unit_test(test_groups),
		cmocka_unit_test(test_id_of_a_group),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_time_slices),
		cmocka_unit_test(test_sleepers_first),
		cmocka_unit_test(test_no_useless_timer),
		cmocka_unit_test(test_idle_without_switch),
		cmocka_unit_test(test_accounting),
		cmocka_unit_test(test_nice),
		cmocka_unit_test(test_cpu_limit),
		cmocka_unit_test(test_virtual_timer),
		cmocka_unit_test(test_posix_timer),
		cmocka_unit_test(test_ktimers),
		cmocka_unit_test(test_mutex),
		cmocka_unit_test(test_wake_one),
		cmocka_unit_test(test_wait_event_timeout),
		cmocka_unit_test(test_futex),
		cmocka_unit_test(test_futex_op),
		cmocka_unit_test(test_robust_list),
		cmocka_unit_test(test_cmdline),
	};

	return cmocka_run_group_tests(tests, setup, fake_kernel_end);
}
