/*
 * The scheduler of one CPU: two queues, time slices, idling, accounting.
 *
 * A task has a slice of CPU time. While some of it is left the task waits in the
 * `fresh` queue; when it is used up the task gets a new one and waits in the `hogs`
 * queue, which is served when the other is empty, or has waited too long. A task that
 * slept for as long as a slice lasts starts afresh. So those that wake up come
 * before those that compute, and nobody starves. Waking never switches: the task
 * that wakes goes on until it sleeps, its slice ends or an interrupt comes.
 *
 * The timer is set only when something is to happen: another task waits, a
 * kernel timer is set, a CPU-time limit is near.
 *
 * Idling happens on the stack of the task that went to sleep: if it is the one
 * woken, no context switch is made at all.
 *
 * Lock: runq.lock, innermost of all.
 */
#include "lib/assert.h"
#include "lib/random.h"
#include "lib/string.h"
#include "sched/internal.h"
#include "trace/trace.h"

#define SLICE_NS UINT64_C(10000000)
#define SEEDED_SWITCH_IN 8u /* one trap in so many is a moment to switch */
#define STARVATION_NS UINT64_C(50000000)
#define LOAD_PERIOD_NS UINT64_C(5000000000)
#define LOAD_ONE 65536u

static struct {
	struct spinlock lock;
	struct list fresh, hogs;
	unsigned nr;		 /* in both */
	uint64_t hogs_served_ns; /* since when the head of hogs waits, at most */
} runq;

static struct task idle_task;
static struct process idle_process;
static struct sighand idle_sighand;
static uint64_t total_idle_ns;
static struct cpu_times total_times;  /* of all tasks, up to the last switch */
static struct cpu_times switch_times; /* the current task's at that time */
static uint32_t load_average[3];
static uint64_t load_next_ns;

void sched_init(void)
{
	struct cpu *cpu = arch_cpu();

	list_init(&runq.fresh);
	list_init(&runq.hogs);
	runq.nr = 0;
	list_init(&idle_process.tasks);
	list_init(&idle_process.children);
	idle_process.refs = idle_task.refs = 1;
	idle_task.process = &idle_process;
	idle_task.state = TASK_RUNNABLE;
	idle_task.sig.hand = &idle_sighand;
	idle_process.leader = &idle_task;
	idle_task.cred.cap_effective = idle_task.cred.cap_permitted = ~UINT64_C(0);
	list_init(&idle_task.run_link);
	signal_queue_init(&idle_task.sig.queue);
	signal_queue_init(&idle_process.signal.queue);
	str_copy(idle_task.name, "idle", sizeof(idle_task.name));
	cpu->idle = cpu->current = &idle_task;
	cpu->timer_ns = KTIMER_NONE;
	load_next_ns = arch_time_ns() + LOAD_PERIOD_NS;
	id_init();
	task_init();
	signal_init();
}

/* ---- accounting ---------------------------------------------------------- */

static void account_system(struct task *t, uint64_t now)
{
	t->times.system_ns += now - t->account_ns;
	t->account_ns = now;
}

void sched_account_now(void) { account_system(current_task(), arch_time_ns()); }

void sched_get_times(uint64_t *user_ns, uint64_t *system_ns, uint64_t *idle_ns, uint64_t *nr_switches)
{
	const struct cpu_times *times = &current_task()->times;

	*user_ns = total_times.user_ns + times->user_ns - switch_times.user_ns;
	*system_ns = total_times.system_ns + times->system_ns - switch_times.system_ns;
	*idle_ns = total_idle_ns;
	*nr_switches = arch_cpu()->nr_context_switches;
}

static unsigned nr_running(void)
{
	const struct task *me = current_task();

	return runq.nr + (me->state == TASK_RUNNABLE && me != arch_cpu()->idle ? 1 : 0);
}

/* getloadavg(3): exponentially damped, sampled each 5 s; late samples are made up for. */
static void update_load(uint64_t now)
{
	static const uint32_t decay[3] = {60288, 64448, 65184}; /* 65536 * exp(-5s / 1, 5, 15 min) */
	uint32_t running = nr_running() * LOAD_ONE;

	for (unsigned steps = 0; now >= load_next_ns; load_next_ns += LOAD_PERIOD_NS) {
		if (++steps > 1000) {
			load_next_ns = now + LOAD_PERIOD_NS;
			break;
		}
		for (unsigned i = 0; i < 3; i++)
			load_average[i] = (uint32_t)(((uint64_t)load_average[i] * decay[i] +
						      (uint64_t)running * (LOAD_ONE - decay[i])) /
						     LOAD_ONE);
	}
}

void sched_get_load(uint32_t load[3], unsigned *running, unsigned *nr_tasks, int *last_pid)
{
	update_load(arch_time_ns());
	memcpy(load, load_average, sizeof(load_average));
	*running = nr_running();
	*nr_tasks = task_count();
	*last_pid = id_last_allocated();
}

/* ---- order by seed --------------------------------------------------------- */

static bool is_seeded;
static uint64_t seed_state;

void sched_set_seed(uint64_t seed)
{
	is_seeded = true;
	seed_state = seed;
}

/* A number below n. */
static unsigned seeded_below(unsigned n) { return (unsigned)(random_next(&seed_state) >> 16) % n; }

/* ---- run queue ----------------------------------------------------------- */

/* A nice task gets a shorter slice of the round: 0.5 ms at 19, 20 ms at -20. */
static int64_t slice_of(const struct task *t) { return (int64_t)SLICE_NS * (20 - t->nice) / 20; }

static void enqueue(struct task *t, bool at_head, uint64_t now)
{
	struct list *queue = t->is_hog ? &runq.hogs : &runq.fresh;

	ASSERT(!t->is_queued && t->state == TASK_RUNNABLE);
	spin_lock(&runq.lock);
	if (t->is_hog && list_is_empty(&runq.hogs))
		runq.hogs_served_ns = now;
	if (at_head)
		list_add_head(queue, &t->run_link);
	else
		list_add_tail(queue, &t->run_link);
	t->is_queued = true;
	runq.nr++;
	spin_unlock(&runq.lock);
	cpu_note_work();
}

static struct task *first_of(struct list *queue)
{
	struct task *t = LIST_FIRST(queue, struct task, run_link);

	if (is_seeded)
		for (unsigned steps = seeded_below(runq.nr); steps > 0; steps--)
			t = t->run_link.next == queue ? LIST_FIRST(queue, struct task, run_link)
						      : LIST_ENTRY(t->run_link.next, struct task, run_link);
	return t;
}

static struct task *pick(uint64_t now)
{
	struct task *t;
	bool hogs_first = !list_is_empty(&runq.hogs) &&
			  (list_is_empty(&runq.fresh) || now - runq.hogs_served_ns > STARVATION_NS);

	if (runq.nr == 0)
		return NULL;
	spin_lock(&runq.lock);
	if (hogs_first)
		runq.hogs_served_ns = now;
	t = first_of(hogs_first ? &runq.hogs : &runq.fresh);
	list_remove(&t->run_link);
	t->is_queued = false;
	runq.nr--;
	spin_unlock(&runq.lock);
	return t;
}

void sched_wake(struct task *t)
{
	uint64_t now;

	if (t->state == TASK_RUNNABLE || t->state == TASK_ZOMBIE || t->state == TASK_DEAD)
		return;
	t->state = TASK_RUNNABLE;
	if (t == current_task())
		return; /* about to sleep, or idling on its own stack: schedule() looks again */
	now = arch_time_ns();
	if (now - t->stopped_running_ns >= (uint64_t)slice_of(t)) {
		t->slice_left_ns = slice_of(t);
		t->is_hog = false;
	}
	enqueue(t, false, now);
}

void sched_start(struct task *child)
{
	struct task *me = current_task();

	child->slice_left_ns = MAX(me->slice_left_ns / 2, slice_of(child) / 4);
	child->state = TASK_RUNNABLE;
	enqueue(child, false, arch_time_ns());
}

/* Takes the time t has run from its slice. */
static void charge_slice(struct task *t, uint64_t now)
{
	t->slice_left_ns -= (int64_t)(now - t->slice_start_ns);
	t->slice_start_ns = now;
	if (t->slice_left_ns <= 0) {
		t->slice_left_ns = slice_of(t);
		t->is_hog = true;
	} else if (t->state != TASK_RUNNABLE) {
		t->is_hog = false;
	}
}

static bool slice_is_over(const struct task *t, uint64_t now)
{
	return now - t->slice_start_ns >= (uint64_t)t->slice_left_ns;
}

/* ---- timer and idling ---------------------------------------------------- */

/* An earlier timer than needed is left alone: it fires, and this runs again. */
static void program_timer(struct cpu *cpu, uint64_t deadline, uint64_t now)
{
	if (deadline == KTIMER_NONE || (cpu->timer_ns <= deadline && cpu->timer_ns > now))
		return;
	cpu->timer_ns = deadline;
	arch_timer_set(deadline);
}

void sched_timer_fired(void) { arch_cpu()->timer_ns = KTIMER_NONE; }

void sched_check_preempt(void)
{
	struct cpu *cpu = arch_cpu();

	if (cpu->current->is_hog && !list_is_empty(&runq.fresh))
		cpu->need_resched = true;
}

/* Sleeps until there is a task to run. prev is the current one; it may be the answer. */
static struct task *idle_until_runnable(struct cpu *cpu, struct task *prev, uint64_t *now)
{
	for (;;) {
		struct task *next;
		uint64_t started = *now;

		ktimer_run(*now);
		if (prev->state == TASK_RUNNABLE && prev != cpu->idle) {
			prev->slice_left_ns = slice_of(prev); /* nobody else wanted the CPU */
			prev->is_hog = false;
			return prev;
		}
		next = pick(*now);
		if (next != NULL)
			return next;
		program_timer(cpu, ktimer_next(), *now);
		arch_cpu_idle();
		*now = arch_time_ns();
		total_idle_ns += *now - started;
	}
}

/* ---- switching ----------------------------------------------------------- */

void sched_switch_aspace(struct aspace *as)
{
	struct cpu *cpu = arch_cpu();

	if (cpu->active_aspace == as)
		return;
	cpu->active_aspace = as;
	arch_mmu_switch(as);
}

void sched_finish_switch(void)
{
	struct cpu *cpu = arch_cpu();
	struct task *prev = cpu->switched_from;

	cpu->switched_from = NULL;
	if (prev != NULL && (prev->state == TASK_ZOMBIE || prev->state == TASK_DEAD)) {
		task_release_stack(prev);
		task_put(prev);
	}
}

static void switch_to(struct cpu *cpu, struct task *prev, struct task *next, uint64_t now)
{
	if (next != prev && trace_switches_on)
		trace_switch(prev, next);
	next->slice_start_ns = next->account_ns = now;
	if (next == prev)
		return;
	ASSERT(task_stack_is_sound(prev));
	prev->stopped_running_ns = now;
	total_times.user_ns += prev->times.user_ns - switch_times.user_ns;
	total_times.system_ns += prev->times.system_ns - switch_times.system_ns;
	switch_times = next->times;
	cpu->current = next;
	cpu->switched_from = prev;
	cpu->nr_context_switches++;
	if (next->aspace != NULL)
		sched_switch_aspace(next->aspace);
	arch_context_switch(&prev->context, &next->context);
	sched_finish_switch();
}

static void do_schedule(bool is_yield)
{
	struct cpu *cpu = arch_cpu();
	struct task *prev = cpu->current, *next;
	uint64_t now = arch_time_ns();

	ASSERT(!spin_is_held(&task_lock) && !spin_is_held(&runq.lock));
	cpu->need_resched = false;
	cpu->has_work = true;
	account_system(prev, now);
	charge_slice(prev, now);
	if (now >= load_next_ns)
		update_load(now);
	if (prev->state == TASK_RUNNABLE && prev != cpu->idle) {
		bool has_slice_left = !is_yield && prev->slice_left_ns != slice_of(prev);

		prev->is_hog = prev->is_hog || is_yield;
		prev->nr_involuntary++;
		enqueue(prev, has_slice_left, now);
	} else {
		prev->nr_voluntary++;
	}
	next = pick(now);
	if (next == NULL)
		next = idle_until_runnable(cpu, prev, &now);
	switch_to(cpu, prev, next, now);
}

void schedule(void) { do_schedule(false); }

void sched_yield_cpu(void)
{
	if (runq.nr != 0)
		do_schedule(true);
}

NORETURN void sched_idle_loop(void)
{
	current_task()->state = TASK_BLOCKED;
	for (;;)
		schedule();
}

/* ---- back to user mode --------------------------------------------------- */

static bool has_signal_work(const struct task *t, const struct trap_frame *frame)
{
	int64_t result = frame_result(frame);

	if (signal_is_pending(t) || t->sig.has_saved_mask)
		return true;
	/* -ERESTART*: see signal.c */
	return result <= -512 && result >= -516 && frame_syscall_nr(frame) != NO_SYSCALL;
}

void task_return_to_user(struct trap_frame *frame)
{
	struct cpu *cpu = arch_cpu();
	struct task *me = cpu->current;
	uint64_t now, deadline;

	if (is_seeded && runq.nr != 0 && seeded_below(SEEDED_SWITCH_IN) == 0)
		cpu->need_resched = true;
	if (me->process->has_cpu_timers) {
		sched_account_now();
		cputimer_check(me);
	}
	for (;;) {
		now = arch_time_ns();
		if (now >= ktimer_next()) {
			ktimer_run(now);
			sched_check_preempt();
		}
		if (runq.nr != 0 && (cpu->need_resched || slice_is_over(me, now))) {
			schedule();
			continue;
		}
		if (!has_signal_work(me, frame))
			break;
		signal_deliver_all(frame);
	}
	cpu->need_resched = false;
	cpu->has_work = is_seeded;
	account_system(me, now);
	deadline = ktimer_next();
	if (runq.nr != 0)
		deadline = MIN(deadline, me->slice_start_ns + (uint64_t)me->slice_left_ns);
	if (me->process->has_cpu_timers)
		deadline = MIN(deadline, now + cputimer_next_ns(me->process));
	program_timer(cpu, deadline, now);
}
