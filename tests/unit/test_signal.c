/* Signals: queues and their order, what is ignored, masks, job control, handlers, restarting, init. */
/* Not <stdlib.h>: its W* constants are ours too. */
void abort(void) __attribute__((noreturn));

#include "fake_kernel.h"

#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/wait.h"
#include "syscall/syscall.h"

SYSCALL_DECLARE(fork);
SYSCALL_DECLARE(kill);
SYSCALL_DECLARE(tgkill);
SYSCALL_DECLARE(wait4);
SYSCALL_DECLARE(setsid);
SYSCALL_DECLARE(rt_sigaction);
SYSCALL_DECLARE(rt_sigprocmask);
SYSCALL_DECLARE(rt_sigqueueinfo);
SYSCALL_DECLARE(rt_sigreturn);
SYSCALL_DECLARE(rt_sigtimedwait);
SYSCALL_DECLARE(sigaltstack);
SYSCALL_DECLARE(sched_yield);

#define ARGS(...) ((const uint64_t[6]){__VA_ARGS__})
#define U(offset) (FAKE_USER + (offset))
#define PROGRAM UINT64_C(0x40000)
#define HANDLER UINT64_C(0x41000)
#define RESTORER UINT64_C(0x42000)
#define SOME_SYSCALL 35

static char journal[256];
static void note(const char *what)
{
	str_copy(journal + strlen(journal), what, sizeof(journal) - strlen(journal));
}

/* User mode: the program counter is a C function. */
void arch_user_enter(void)
{
	((void (*)(void))(uintptr_t)frame_pc(current_task()->frame))();
	task_exit(0);
}

static struct process *fork_program(void (*fn)(void))
{
	struct process *p;
	int64_t pid;

	frame_init_user(current_task()->frame, (uintptr_t)fn, U(0x10000));
	journal[0] = '\0';
	pid = sys_fork(ARGS(0));
	assert_true(pid > 0);
	p = process_find((int)pid);
	process_put(p); /* the tree holds it until it is reaped */
	return p;
}

static int reap(void)
{
	const struct wait_request request = {.which = P_ALL, .options = WEXITED | WSTOPPED | WCONTINUED};
	struct wait_result result;

	assert_int_equal(process_wait(&request, &result), 0);
	return result.status;
}

static void set_handler(int sig, uint64_t handler, uint64_t flags, uint64_t mask)
{
	const struct linux_sigaction action = {handler, flags | SA_RESTORER, RESTORER, mask};

	fake_user_put(0, &action, sizeof(action));
	assert_int_equal(sys_rt_sigaction(ARGS((unsigned)sig, U(0), 0, 8)), 0);
}

static void user_info(struct linux_siginfo *info, int sig, int code, uint64_t value)
{
	*info = (struct linux_siginfo){.signo = sig, .code = code};
	info->rt.pid = current_process()->pid;
	info->rt.value = value;
}

static int take(uint64_t set)
{
	struct linux_siginfo info;

	return signal_dequeue(set, &info);
}

/* ---- queues --------------------------------------------------------------- */

static void test_order(void **state)
{
	struct task *me = current_task();

	signal_set_blocked(~UINT64_C(0));
	assert_int_equal(signal_send_process(me->process, SIGUSR1, NULL), 0);
	assert_int_equal(signal_send_process(me->process, SIGHUP, NULL), 0);
	assert_int_equal(signal_send_task(me, SIGTERM, NULL), 0);
	assert_int_equal(signal_send_task(me, SIGSEGV, NULL), 0);
	assert_false(signal_is_pending(me));
	assert_int_equal(take(~UINT64_C(0)), SIGSEGV); /* faults first, then one's own, then the shared */
	assert_int_equal(take(~UINT64_C(0)), SIGTERM);
	assert_int_equal(take(SIGMASK(SIGUSR1)), SIGUSR1);
	assert_int_equal(take(~UINT64_C(0)), SIGHUP);
	assert_int_equal(take(~UINT64_C(0)), 0);
	assert_int_equal(me->process->signal.nr_infos, 0);
	signal_set_blocked(0);
}

static void test_standard_once(void **state)
{
	struct task *me = current_task();
	struct linux_siginfo info;

	signal_set_blocked(SIGMASK(SIGUSR1));
	user_info(&info, SIGUSR1, SI_QUEUE, 11);
	assert_int_equal(signal_send_process(me->process, SIGUSR1, &info), 0);
	info.rt.value = 22;
	assert_int_equal(signal_send_process(me->process, SIGUSR1, &info), 0);
	assert_int_equal(signal_dequeue(SIGMASK(SIGUSR1), &info), SIGUSR1);
	assert_int_equal(info.rt.value, 11);
	assert_int_equal(take(SIGMASK(SIGUSR1)), 0);
	signal_set_blocked(0);
}

static void test_real_time_queue(void **state)
{
	struct task *me = current_task();
	struct process *p = me->process;
	struct linux_siginfo info;
	uint64_t limit = p->rlimits[RLIMIT_SIGPENDING].cur;

	signal_set_blocked(~UINT64_C(0));
	p->rlimits[RLIMIT_SIGPENDING].cur = 3;
	for (uint64_t i = 0; i < 3; i++) {
		user_info(&info, SIGRTMIN + 2, SI_QUEUE, i);
		assert_int_equal(signal_send_process(p, SIGRTMIN + 2, &info), 0);
	}
	assert_int_equal(signal_send_process(p, SIGRTMIN + 2, &info), -EAGAIN);
	user_info(&info, SIGUSR1, SI_QUEUE, 0);
	assert_int_equal(signal_send_process(p, SIGUSR1, &info), 0); /* a standard one is never lost */
	assert_int_equal(take(SIGMASK(SIGUSR1)), SIGUSR1);
	for (uint64_t i = 0; i < 3; i++) {
		assert_int_equal(signal_dequeue(SIGMASK(SIGRTMIN + 2), &info), SIGRTMIN + 2);
		assert_int_equal(info.rt.value, i);
	}
	assert_int_equal(take(~UINT64_C(0)), 0);
	p->rlimits[RLIMIT_SIGPENDING].cur = limit;
	signal_set_blocked(0);
}

static void test_no_memory(void **state)
{
	struct task *me = current_task();
	struct linux_siginfo info;

	signal_set_blocked(~UINT64_C(0));
	user_info(&info, SIGRTMIN, SI_QUEUE, 5);
	fail_alloc_arm(1, true);
	assert_int_equal(signal_send_task(me, SIGRTMIN, &info), 0); /* one alone needs none */
	assert_int_equal(signal_send_task(me, SIGRTMIN, &info), -EAGAIN);
	assert_int_equal(signal_send_task(me, SIGTERM, NULL), 0);
	fail_alloc_arm(0, false);
	assert_int_equal(signal_dequeue(~UINT64_C(0), &info), SIGTERM);
	assert_int_equal(info.code, SI_USER);
	assert_int_equal(signal_dequeue(~UINT64_C(0), &info), SIGRTMIN);
	assert_int_equal(info.rt.value, 5);
	assert_int_equal(take(~UINT64_C(0)), 0);
	signal_set_blocked(0);
}

/* ---- ignored signals ------------------------------------------------------ */

static void test_ignored(void **state)
{
	struct task *me = current_task();

	assert_true(signal_is_ignored(me, SIGCHLD));
	assert_int_equal(signal_send_task(me, SIGCHLD, NULL), 0);
	assert_int_equal(signal_pending_set(me), 0);
	signal_set_blocked(SIGMASK(SIGCHLD)); /* blocked: kept, for somebody may wait for it */
	assert_int_equal(signal_send_task(me, SIGCHLD, NULL), 0);
	assert_int_equal(signal_pending_set(me), SIGMASK(SIGCHLD));
	set_handler(SIGCHLD, LINUX_SIG_IGN, 0, 0); /* discards what is pending */
	assert_int_equal(signal_pending_set(me), 0);
	set_handler(SIGCHLD, LINUX_SIG_DFL, 0, 0);
	signal_set_blocked(0);
}

static void test_errors(void **state)
{
	assert_int_equal(sys_kill(ARGS(1, 65)), -EINVAL);
	assert_int_equal(sys_kill(ARGS(1, (uint64_t)-1)), -EINVAL);
	assert_int_equal(sys_kill(ARGS(1, 0)), 0);
	assert_int_equal(sys_kill(ARGS(4711, 0)), -ESRCH);
	assert_int_equal(sys_kill(ARGS((uint64_t)-4711, SIGTERM)), -ESRCH);
	assert_int_equal(sys_tgkill(ARGS(2, 1, 0)), -ESRCH);
	assert_int_equal(sys_rt_sigaction(ARGS(SIGKILL, U(0), 0, 8)), -EINVAL);
	assert_int_equal(sys_rt_sigaction(ARGS(SIGTERM, U(0), 0, 4)), -EINVAL);
	assert_int_equal(sys_rt_sigprocmask(ARGS(9, U(0), 0, 8)), -EINVAL);
}

static void test_unblockable(void **state)
{
	uint64_t all = ~UINT64_C(0), old;

	fake_user_put(0, &all, 8);
	assert_int_equal(sys_rt_sigprocmask(ARGS(SIG_SETMASK, U(0), 0, 8)), 0);
	assert_int_equal(sys_rt_sigprocmask(ARGS(SIG_SETMASK, 0, U(8), 8)), 0);
	fake_user_get(8, &old, 8);
	assert_int_equal(old, ~(SIGMASK(SIGKILL) | SIGMASK(SIGSTOP)));
	signal_set_blocked(0);
}

/* ---- fatal signals and job control ---------------------------------------- */

static void sleeps(void)
{
	struct task *me = current_task();

	for (;;) {
		while (!signal_is_pending(me)) {
			me->state = TASK_SLEEPING;
			schedule();
		}
		frame_forget_syscall(me->frame);
		task_return_to_user(me->frame);
		note("on ");
	}
}

static void test_kill(void **state)
{
	struct process *p = fork_program(sleeps);

	sched_yield_cpu();
	assert_int_equal(sys_kill(ARGS((unsigned)p->pid, SIGTERM)), 0);
	assert_int_equal(reap(), SIGTERM);
	p = fork_program(sleeps); /* before it ever ran */
	assert_int_equal(sys_kill(ARGS((unsigned)p->pid, SIGKILL)), 0);
	assert_int_equal(reap(), SIGKILL);
	assert_string_equal(journal, "");
}

static void test_zombie_is_deaf(void **state)
{
	struct process *p = fork_program(sleeps);

	assert_int_equal(sys_kill(ARGS((unsigned)p->pid, SIGKILL)), 0);
	sched_yield_cpu();
	assert_true(p->is_zombie);
	assert_int_equal(sys_kill(ARGS((unsigned)p->pid, SIGTERM)), 0);
	assert_int_equal(reap(), SIGKILL);
}

static void test_stop_and_continue(void **state)
{
	struct process *p = fork_program(sleeps);
	unsigned pid = (unsigned)p->pid;

	sched_yield_cpu();
	assert_int_equal(sys_kill(ARGS(pid, SIGSTOP)), 0);
	assert_int_equal(reap(), SIGSTOP << 8 | 0x7f);
	assert_int_equal(p->leader->state, TASK_STOPPED);
	assert_int_equal(sys_wait4(ARGS(pid, 0, WNOHANG | WUNTRACED, 0)), 0); /* told once */
	assert_int_equal(sys_kill(ARGS(pid, SIGTERM)), 0);		      /* waits */
	sched_yield_cpu();
	assert_int_equal(p->leader->state, TASK_STOPPED);
	assert_int_equal(sys_kill(ARGS(pid, SIGCONT)), 0);
	assert_int_equal(reap(), WAIT_STATUS_CONTINUED);
	assert_int_equal(reap(), SIGTERM);
	assert_string_equal(journal, "");
}

static void test_continue_annuls_stop(void **state)
{
	struct process *p = fork_program(sleeps);
	unsigned pid = (unsigned)p->pid;

	sched_yield_cpu();
	assert_int_equal(sys_kill(ARGS(pid, SIGSTOP)), 0);
	assert_int_equal(sys_kill(ARGS(pid, SIGCONT)), 0);
	sched_yield_cpu();
	assert_int_equal(p->leader->state, TASK_SLEEPING);
	assert_int_equal(sys_wait4(ARGS(pid, 0, WNOHANG | WUNTRACED | WCONTINUED, 0)), 0);
	assert_int_equal(sys_kill(ARGS(pid, SIGSTOP)), 0);
	sched_yield_cpu();
	assert_int_equal(sys_kill(ARGS(pid, SIGKILL)), 0); /* ends the stop, too */
	assert_int_equal(reap(), SIGKILL);
}

/* Nobody could continue an orphaned group: terminal stops do nothing there. */
static void sleeps_in_new_session(void)
{
	assert_int_equal(sys_setsid(ARGS(0)), current_process()->pid);
	sleeps();
}

static void test_orphaned_group(void **state)
{
	struct process *p = fork_program(sleeps_in_new_session);

	sched_yield_cpu();
	assert_int_equal(sys_kill(ARGS((uint64_t)-p->pid, SIGTSTP)), 0);
	sched_yield_cpu();
	assert_false(p->is_stopped);
	assert_string_equal(journal, "on ");
	assert_int_equal(sys_kill(ARGS((uint64_t)-p->pid, SIGSTOP)), 0);
	assert_int_equal(reap(), SIGSTOP << 8 | 0x7f);
	assert_int_equal(sys_kill(ARGS((uint64_t)-p->pid, SIGKILL)), 0);
	assert_int_equal(reap(), SIGKILL);
}

static void kills_init(void)
{
	assert_int_equal(sys_kill(ARGS(1, SIGKILL)), 0);
	assert_int_equal(sys_kill(ARGS(1, SIGTERM)), 0);
	assert_int_equal(sys_kill(ARGS(1, SIGSTOP)), 0);
	note("tried");
}

static void test_init_is_safe(void **state)
{
	fork_program(kills_init);
	assert_int_equal(reap(), 0);
	assert_string_equal(journal, "tried");
	assert_false(signal_is_pending(current_task()));
	assert_false(current_process()->is_exiting);
}

static void test_broadcast(void **state)
{
	fork_program(sleeps);
	fork_program(sleeps);
	sched_yield_cpu();
	assert_int_equal(sys_kill(ARGS((uint64_t)-1, SIGKILL)), 0);
	assert_int_equal(reap(), SIGKILL);
	assert_int_equal(reap(), SIGKILL);
	assert_int_equal(sys_kill(ARGS((uint64_t)-1, SIGKILL)), -ESRCH);
	assert_int_equal(process_count(), 1);
}

static void faults(void)
{
	struct task *me = current_task();

	fake_set_handler(SIGSEGV, LINUX_SIG_IGN);
	trap_page_fault(me->frame, uaddr(0x10), TRAP_WRITE); /* cannot be ignored */
	note("survived");
}

static void test_fault(void **state)
{
	fork_program(faults);
	assert_int_equal(reap(), SIGSEGV);
	assert_string_equal(journal, "");
}

static void throws(void) { trap_exception(current_task()->frame, EXC_DIVIDE, uaddr(PROGRAM)); }

static void test_exception(void **state)
{
	fork_program(throws);
	assert_int_equal(reap(), SIGFPE);
}

/* ---- sigtimedwait --------------------------------------------------------- */

static void signals_parent(void) { assert_int_equal(sys_kill(ARGS(1, SIGUSR1)), 0); }

static void test_timedwait(void **state)
{
	const uint64_t set = SIGMASK(SIGUSR1);
	const int64_t soon[2] = {0, 1000};
	struct linux_siginfo info;

	signal_set_blocked(set);
	fake_user_put(512, &set, 8);
	fake_user_put(520, soon, 16);
	assert_int_equal(sys_rt_sigtimedwait(ARGS(U(512), U(600), U(520), 8)), -EAGAIN);
	fork_program(signals_parent);
	assert_int_equal(sys_rt_sigtimedwait(ARGS(U(512), U(600), 0, 8)), SIGUSR1);
	fake_user_get(600, &info, sizeof(info));
	assert_int_equal(info.signo, SIGUSR1);
	assert_int_equal(info.code, SI_USER);
	assert_int_not_equal(info.kill.pid, 1);
	assert_int_equal(reap(), 0);
	signal_set_blocked(0);
}

static void test_queueinfo(void **state)
{
	struct linux_siginfo info;

	user_info(&info, 0, SI_USER, 0);
	fake_user_put(0, &info, sizeof(info));
	assert_int_equal(sys_rt_sigqueueinfo(ARGS(4711, SIGUSR1, U(0))), -EPERM); /* posing as kill(2) */
	user_info(&info, 0, SI_QUEUE, 0x1234);
	fake_user_put(0, &info, sizeof(info));
	signal_set_blocked(SIGMASK(SIGUSR1));
	assert_int_equal(sys_rt_sigqueueinfo(ARGS(1, SIGUSR1, U(0))), 0);
	assert_int_equal(signal_dequeue(SIGMASK(SIGUSR1), &info), SIGUSR1);
	assert_int_equal(info.rt.value, 0x1234);
	signal_set_blocked(0);
}

/* ---- handlers ------------------------------------------------------------- */

/* A system call has just ended with result; its number is still in the frame. */
static struct trap_frame *after_syscall(int64_t result)
{
	struct trap_frame *f = current_task()->frame;

	frame_init_user(f, PROGRAM, U(0x20000));
	frame_set_syscall(f, SOME_SYSCALL);
	frame_set_result(f, result);
	return f;
}

static void test_handler(void **state)
{
	struct task *me = current_task();
	struct trap_frame *f = after_syscall(77);
	const uint64_t during = SIGMASK(SIGUSR1) | SIGMASK(SIGHUP);

	set_handler(SIGUSR1, HANDLER, SA_SIGINFO, SIGMASK(SIGHUP));
	signal_send_task(me, SIGUSR1, NULL);
	task_return_to_user(f);
	assert_int_equal(frame_pc(f), HANDLER);
	assert_true(frame_sp(f) < U(0x20000));
	assert_int_equal(me->sig.blocked, during);
	/* What the handler's return does. */
	frame_set_sp(f, frame_sp(f) + ABI_SIGRETURN_SP_OFFSET);
	assert_int_equal(sys_rt_sigreturn(ARGS(0)), 77);
	assert_int_equal(frame_pc(f), PROGRAM);
	assert_int_equal(frame_sp(f), U(0x20000));
	assert_int_equal(frame_result(f), 77);
	assert_int_equal(me->sig.blocked, 0);
	set_handler(SIGUSR1, LINUX_SIG_DFL, 0, 0);
}

static void test_reset_and_nodefer(void **state)
{
	struct task *me = current_task();
	struct trap_frame *f = after_syscall(0);

	set_handler(SIGUSR1, HANDLER, SA_RESETHAND | SA_NODEFER, 0);
	signal_send_task(me, SIGUSR1, NULL);
	task_return_to_user(f);
	assert_int_equal(frame_pc(f), HANDLER);
	assert_int_equal(me->sig.blocked, 0);
	assert_int_equal(sighand_action(me->sig.hand, SIGUSR1)->handler, LINUX_SIG_DFL);
}

/* Two at once: two frames, the later signal's handler runs first. */
static void test_nested(void **state)
{
	struct task *me = current_task();
	struct trap_frame *f = after_syscall(5);

	set_handler(SIGUSR1, HANDLER, 0, 0);
	set_handler(SIGUSR2, HANDLER + 8, 0, 0);
	signal_send_task(me, SIGUSR2, NULL);
	signal_send_task(me, SIGUSR1, NULL);
	task_return_to_user(f);
	assert_int_equal(frame_pc(f), HANDLER + 8);
	frame_set_sp(f, frame_sp(f) + ABI_SIGRETURN_SP_OFFSET);
	sys_rt_sigreturn(ARGS(0));
	assert_int_equal(frame_pc(f), HANDLER);
	assert_int_equal(me->sig.blocked, SIGMASK(SIGUSR1));
	frame_set_sp(f, frame_sp(f) + ABI_SIGRETURN_SP_OFFSET);
	assert_int_equal(sys_rt_sigreturn(ARGS(0)), 5);
	assert_int_equal(frame_pc(f), PROGRAM);
	assert_int_equal(me->sig.blocked, 0);
	set_handler(SIGUSR1, LINUX_SIG_DFL, 0, 0);
	set_handler(SIGUSR2, LINUX_SIG_DFL, 0, 0);
}

/* signal(7): what becomes of a call when a handler with these flags runs (0: none runs). */
static void check_restart(int64_t result, bool has_handler, uint64_t flags, bool restarts)
{
	struct task *me = current_task();
	struct trap_frame *f = after_syscall(result);
	uint64_t pc;

	if (has_handler) {
		set_handler(SIGUSR1, HANDLER, flags, 0);
		signal_send_task(me, SIGUSR1, NULL);
	}
	task_return_to_user(f);
	if (has_handler) {
		assert_int_equal(frame_pc(f), HANDLER);
		frame_set_sp(f, frame_sp(f) + ABI_SIGRETURN_SP_OFFSET);
		sys_rt_sigreturn(ARGS(0));
	}
	pc = frame_pc(f);
	if (restarts) {
		assert_true(pc < PROGRAM && pc >= PROGRAM - 4);
	} else {
		assert_int_equal(pc, PROGRAM);
		assert_int_equal(frame_result(f), -EINTR);
	}
	set_handler(SIGUSR1, LINUX_SIG_DFL, 0, 0);
}

static void test_restart(void **state)
{
	check_restart(-ERESTARTSYS, true, 0, false);
	check_restart(-ERESTARTSYS, true, SA_RESTART, true);
	check_restart(-ERESTARTSYS, false, 0, true);
	check_restart(-ERESTARTNOHAND, true, SA_RESTART, false);
	check_restart(-ERESTARTNOHAND, false, 0, true);
	check_restart(-ERESTARTNOINTR, true, 0, true);
	check_restart(-ERESTARTNOINTR, false, 0, true);
	check_restart(-ERESTART_RESTARTBLOCK, true, SA_RESTART, false);
}

static int64_t restart_block(struct task *t) { return (int64_t)t->restart_arg[0]; }

static void test_restart_block(void **state)
{
	struct task *me = current_task();
	struct trap_frame *f = after_syscall(-ERESTART_RESTARTBLOCK);

	me->restart_fn = restart_block;
	me->restart_arg[0] = 99;
	task_return_to_user(f);
	assert_int_equal(frame_pc(f), PROGRAM);
	assert_int_equal(frame_result(f), 99);
}

/* A number that looks like -ERESTARTSYS, but no system call: a register's value is left alone. */
static void test_no_syscall_no_restart(void **state)
{
	struct trap_frame *f = after_syscall(-ERESTARTSYS);

	frame_forget_syscall(f);
	task_return_to_user(f);
	assert_int_equal(frame_pc(f), PROGRAM);
	assert_int_equal(frame_result(f), -ERESTARTSYS);
}

static void test_temporary_mask(void **state)
{
	struct task *me = current_task();
	struct trap_frame *f = after_syscall(-ERESTARTNOHAND);

	signal_set_blocked(SIGMASK(SIGUSR1));
	set_handler(SIGUSR1, HANDLER, 0, 0);
	signal_send_task(me, SIGUSR1, NULL);
	signal_set_temporary_mask(SIGMASK(SIGHUP));
	task_return_to_user(f);
	assert_int_equal(frame_pc(f), HANDLER);
	assert_int_equal(me->sig.blocked, SIGMASK(SIGUSR1) | SIGMASK(SIGHUP));
	frame_set_sp(f, frame_sp(f) + ABI_SIGRETURN_SP_OFFSET);
	assert_int_equal(sys_rt_sigreturn(ARGS(0)), -EINTR);
	assert_int_equal(me->sig.blocked, SIGMASK(SIGUSR1));
	f = after_syscall(0); /* no handler: it comes back by itself */
	signal_set_temporary_mask(SIGMASK(SIGHUP));
	task_return_to_user(f);
	assert_int_equal(me->sig.blocked, SIGMASK(SIGUSR1));
	signal_set_blocked(0);
	set_handler(SIGUSR1, LINUX_SIG_DFL, 0, 0);
}

static void test_altstack(void **state)
{
	struct linux_stack stack = {.sp = U(0x30000), .size = 1024};
	struct trap_frame *f = after_syscall(1);

	fake_user_put(512, &stack, sizeof(stack));
	assert_int_equal(sys_sigaltstack(ARGS(U(512), 0)), -ENOMEM);
	stack.size = 0x8000;
	fake_user_put(512, &stack, sizeof(stack));
	assert_int_equal(sys_sigaltstack(ARGS(U(512), 0)), 0);
	set_handler(SIGUSR1, HANDLER, SA_ONSTACK, 0);
	signal_send_task(current_task(), SIGUSR1, NULL);
	task_return_to_user(f);
	assert_true(frame_sp(f) > U(0x30000) && frame_sp(f) < U(0x38000));
	assert_int_equal(sys_sigaltstack(ARGS(U(512), 0)), -EPERM); /* in use */
	assert_int_equal(sys_sigaltstack(ARGS(0, U(600))), 0);
	fake_user_get(600, &stack, sizeof(stack));
	assert_int_equal(stack.flags, SS_ONSTACK);
	frame_set_sp(f, frame_sp(f) + ABI_SIGRETURN_SP_OFFSET);
	assert_int_equal(sys_rt_sigreturn(ARGS(0)), 1);
	assert_int_equal(frame_sp(f), U(0x20000));
	stack = (struct linux_stack){.flags = SS_DISABLE};
	fake_user_put(512, &stack, sizeof(stack));
	assert_int_equal(sys_sigaltstack(ARGS(U(512), 0)), 0);
	set_handler(SIGUSR1, LINUX_SIG_DFL, 0, 0);
}

/* No room for the frame: SIGSEGV instead; with a handler for it that cannot run either, the end. */
static void overflows(void)
{
	struct task *me = current_task();

	set_handler(SIGUSR1, HANDLER, 0, 0);
	set_handler(SIGSEGV, HANDLER, 0, 0);
	frame_init_user(me->frame, PROGRAM, 0x10);
	signal_send_task(me, SIGUSR1, NULL);
	task_return_to_user(me->frame);
	note("survived");
}

static void test_stack_overflow(void **state)
{
	fork_program(overflows);
	assert_int_equal(reap(), SIGSEGV);
	assert_string_equal(journal, "");
}

static int setup(void **state)
{
	fake_kernel_boot();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_standard_once),
		cmocka_unit_test(test_real_time_queue),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_unblockable),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_zombie_is_deaf),
		cmocka_unit_test(test_stop_and_continue),
		cmocka_unit_test(test_continue_annuls_stop),
		cmocka_unit_test(test_orphaned_group),
		cmocka_unit_test(test_init_is_safe),
		cmocka_unit_test(test_broadcast),
		cmocka_unit_test(test_fault),
		cmocka_unit_test(test_exception),
		cmocka_unit_test(test_timedwait),
		cmocka_unit_test(test_queueinfo),
		cmocka_unit_test(test_handler),
		cmocka_unit_test(test_reset_and_nodefer),
		cmocka_unit_test(test_nested),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_restart_block),
		cmocka_unit_test(test_no_syscall_no_restart),
		cmocka_unit_test(test_temporary_mask),
		cmocka_unit_test(test_altstack),
		cmocka_unit_test(test_stack_overflow),
	};

	return cmocka_run_group_tests(tests, setup, fake_kernel_end);
}
