/*
 * Tasks and processes as objects: allocation with everything a task needs (kernel
 * stack, FPU image, number), the process tree, look-up, reference counts.
 * Kernel stacks are frame runs; a few free ones are kept for the next task.
 * Lock: task_lock guards the tree; reference counts change under it or on one CPU.
 */
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/wait.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "sched/internal.h"

#define STACK_ORDER 3
#define STACK_POOL_MAX 16
#define STACK_CANARY UINT64_C(0x6b7a65735f70656b)
_Static_assert((PAGE_SIZE << STACK_ORDER) == KERNEL_STACK_BYTES, "order of a kernel stack");
#define TASK_FPU_OFFSET ALIGN_UP(sizeof(struct task), (size_t)64) /* the image lies behind the task */

struct spinlock task_lock = SPINLOCK_INIT;
struct process *init_process;

static struct kmem_cache *task_cache, *process_cache;
static void *stack_pool[STACK_POOL_MAX];
static unsigned nr_pooled;
static unsigned nr_processes, nr_tasks_total;

/* ---- kernel stacks ------------------------------------------------------- */

static void stack_free_frames(void *stack) { frame_put(ptr_to_pfn(stack)); }

static void *stack_alloc(void)
{
	pfn_t pfn;

	if (nr_pooled > 0)
		return stack_pool[--nr_pooled];
	pfn = frame_alloc_order(FRAME_KERNEL, STACK_ORDER);
	if (pfn_is_none(pfn))
		return NULL;
	*(uint64_t *)pfn_to_ptr(pfn) = STACK_CANARY;
	return pfn_to_ptr(pfn);
}

static void stack_free(void *stack)
{
	ASSERT(*(uint64_t *)stack == STACK_CANARY);
	if (nr_pooled < STACK_POOL_MAX)
		stack_pool[nr_pooled++] = stack;
	else
		stack_free_frames(stack);
}

bool task_stack_is_sound(const struct task *t)
{
	return t->kernel_stack == NULL || *(const uint64_t *)t->kernel_stack == STACK_CANARY;
}

static size_t shrink_stacks(void)
{
	size_t nr = (size_t)nr_pooled << STACK_ORDER;

	while (nr_pooled > 0)
		stack_free_frames(stack_pool[--nr_pooled]);
	return nr;
}

void task_init(void)
{
	nr_pooled = nr_processes = nr_tasks_total = 0;
	init_process = NULL;
	task_cache = kmem_cache_create("task", TASK_FPU_OFFSET + arch_fpu_size(), 64);
	process_cache = kmem_cache_create("process", sizeof(struct process), 0);
	ASSERT(task_cache != NULL && process_cache != NULL);
	frame_register_shrinker(shrink_stacks);
}

/* ---- allocation ---------------------------------------------------------- */

static int task_alloc_parts(struct task *t, int want_tid)
{
	int r = -ENOMEM;

	t->kernel_stack = stack_alloc();
	if (t->kernel_stack == NULL)
		return r;
	spin_lock(&task_lock);
	r = id_alloc_locked(want_tid, &t->id);
	spin_unlock(&task_lock);
	if (r != 0)
		stack_free(t->kernel_stack);
	return r;
}

int task_alloc(int want_tid, void (*fn)(void *task), struct task **out)
{
	struct task *t = kmem_cache_alloc(task_cache);
	char *top;
	size_t frame_bytes = ALIGN_UP(sizeof(struct trap_frame), 64);
	int r;

	if (t == NULL)
		return -ENOMEM;
	memset(t, 0, offsetof(struct task, cred.groups));
	r = task_alloc_parts(t, want_tid);
	if (r != 0) {
		kmem_cache_free(task_cache, t);
		return r;
	}
	t->fpu = (char *)t + TASK_FPU_OFFSET;
	t->id->task = t;
	t->tid = t->id->nr;
	t->refs = 2;
	t->state = TASK_BLOCKED;
	t->start_time_ns = t->stopped_running_ns = arch_time_ns();
	t->timer_slack_ns = 50000;
	list_init(&t->process_link);
	list_init(&t->run_link);
	signal_queue_init(&t->sig.queue);
	t->sig.altstack_flags = SS_DISABLE;
	top = (char *)t->kernel_stack + KERNEL_STACK_BYTES - frame_bytes;
	t->frame = (struct trap_frame *)(void *)top;
	arch_context_init(&t->context, t->kernel_stack, KERNEL_STACK_BYTES - frame_bytes, fn, t);
	nr_tasks_total++;
	*out = t;
	return 0;
}

void task_release_stack(struct task *t)
{
	arch_context_destroy(&t->context);
	stack_free(t->kernel_stack);
	t->kernel_stack = NULL;
	t->fpu = NULL;
	t->frame = NULL;
}

void task_free_unused(struct task *t)
{
	spin_lock(&task_lock);
	t->id->task = NULL;
	id_release_locked(t->id);
	spin_unlock(&task_lock);
	task_release_stack(t);
	nr_tasks_total--;
	kmem_cache_free(task_cache, t);
}

void task_start_user(void *arg)
{
	struct task *t = arg;

	sched_finish_switch();
	task_return_to_user(t->frame);
	arch_user_enter();
}

void task_put(struct task *t)
{
	ASSERT(t->refs > 0);
	if (--t->refs > 0)
		return;
	ASSERT(t->kernel_stack == NULL && t->id == NULL);
	process_put(t->process);
	kmem_cache_free(task_cache, t);
}

static void set_default_limits(struct process *p)
{
	for (unsigned i = 0; i < NR_RLIMITS; i++)
		p->rlimits[i] = (struct rlimit_pair){RLIM_INFINITY, RLIM_INFINITY};
	p->rlimits[RLIMIT_STACK].cur = 8 << 20;
	p->rlimits[RLIMIT_CORE].cur = 0;
	p->rlimits[RLIMIT_NPROC] = (struct rlimit_pair){PID_MAX - 1, PID_MAX - 1};
	p->rlimits[RLIMIT_NOFILE] = (struct rlimit_pair){1024, 1024 * 1024};
	p->rlimits[RLIMIT_MEMLOCK] = (struct rlimit_pair){8 << 20, 8 << 20};
	p->rlimits[RLIMIT_SIGPENDING] = (struct rlimit_pair){4096, 4096};
	p->rlimits[RLIMIT_MSGQUEUE] = (struct rlimit_pair){819200, 819200};
	p->rlimits[RLIMIT_NICE] = (struct rlimit_pair){0, 0};
	p->rlimits[RLIMIT_RTPRIO] = (struct rlimit_pair){0, 0};
}

int process_alloc(const struct process *parent, struct process **out)
{
	struct process *p = kmem_cache_alloc(process_cache);

	if (p == NULL)
		return -ENOMEM;
	memset(p, 0, offsetof(struct process, rlimits));
	if (parent != NULL)
		memcpy(p->rlimits, parent->rlimits, sizeof(p->rlimits));
	else
		set_default_limits(p);
	p->refs = 1;
	list_init(&p->children);
	list_init(&p->sibling);
	list_init(&p->tasks);
	list_init(&p->pgrp_link);
	list_init(&p->session_link);
	list_init(&p->posix_timers);
	waitq_init(&p->child_waitq);
	waitq_init(&p->threads_waitq);
	waitq_init(&p->pidfd_waitq);
	signal_queue_init(&p->signal.queue);
	p->exit_signal = SIGCHLD;
	p->is_dumpable = true;
	*out = p;
	return 0;
}

void process_put(struct process *p)
{
	ASSERT(p->refs > 0);
	if (--p->refs == 0)
		kmem_cache_free(process_cache, p);
}

/* ---- the tree ------------------------------------------------------------ */

void process_set_pgrp_locked(struct process *p, struct id *pgrp)
{
	struct id *old = p->pgrp;

	list_remove(&p->pgrp_link);
	p->pgrp = pgrp;
	p->pgid = pgrp != NULL ? pgrp->nr : 0;
	if (pgrp != NULL)
		list_add_tail(&pgrp->pgrp, &p->pgrp_link);
	if (old != NULL)
		id_release_locked(old);
}

void process_set_session_locked(struct process *p, struct id *session)
{
	struct id *old = p->session;

	list_remove(&p->session_link);
	p->session = session;
	p->sid = session != NULL ? session->nr : 0;
	if (session != NULL)
		list_add_tail(&session->session, &p->session_link);
	if (old != NULL)
		id_release_locked(old);
}

void process_link_task_locked(struct process *p, struct task *t)
{
	t->process = p;
	process_get(p);
	list_add_tail(&p->tasks, &t->process_link);
	p->nr_tasks++;
}

void process_link_locked(struct process *p, struct task *leader, struct process *parent)
{
	p->pid = leader->tid;
	p->leader = leader;
	p->start_time_ns = leader->start_time_ns;
	p->parent = parent;
	process_link_task_locked(p, leader);
	if (parent != NULL)
		list_add_tail(&parent->children, &p->sibling);
	nr_processes++;
}

static void forget_id_locked(struct task *t)
{
	t->id->task = NULL;
	id_release_locked(t->id);
	t->id = NULL;
	nr_tasks_total--;
}

void task_unlink_locked(struct task *t)
{
	list_remove(&t->process_link);
	forget_id_locked(t);
	t->state = TASK_DEAD;
	task_put(t);
}

void process_unlink_locked(struct process *p)
{
	list_remove(&p->sibling);
	p->parent = NULL;
	process_set_pgrp_locked(p, NULL);
	process_set_session_locked(p, NULL);
	nr_processes--;
	task_unlink_locked(p->leader);
	p->leader = NULL;
	process_put(p);
}

/* ---- look-up ------------------------------------------------------------- */

struct task *task_find(int tid)
{
	struct id *id;
	struct task *t;

	spin_lock(&task_lock);
	id = id_find_locked(tid);
	t = id != NULL ? id->task : NULL;
	if (t != NULL && t->process != NULL)
		task_get(t);
	else
		t = NULL; /* no such task, or one still being made */
	spin_unlock(&task_lock);
	return t;
}

/* The process whose leader has this id, or NULL. */
static struct process *process_of_id(const struct id *id)
{
	struct task *t = id->task;

	return t != NULL && t->process != NULL && t->process->leader == t ? t->process : NULL;
}

struct process *process_find(int pid)
{
	struct id *id;
	struct process *p = NULL;

	spin_lock(&task_lock);
	id = id_find_locked(pid);
	if (id != NULL)
		p = process_of_id(id);
	if (p != NULL)
		process_get(p);
	spin_unlock(&task_lock);
	return p;
}

struct process *process_next(int pid)
{
	struct id *id;
	struct process *p = NULL;

	spin_lock(&task_lock);
	for (id = id_next_locked(pid); id != NULL; id = id_next_locked(id->nr)) {
		p = process_of_id(id);
		if (p != NULL) {
			process_get(p);
			break;
		}
	}
	spin_unlock(&task_lock);
	return p;
}

struct task *process_next_task(struct process *p, int tid)
{
	struct task *t, *best = NULL;

	spin_lock(&task_lock);
	LIST_FOR_EACH (t, &p->tasks, process_link)
		if (t->tid > tid && (best == NULL || t->tid < best->tid))
			best = t;
	if (best != NULL)
		task_get(best);
	spin_unlock(&task_lock);
	return best;
}

unsigned process_count(void) { return nr_processes; }
unsigned task_count(void) { return nr_tasks_total; }

struct task *process_live_task_locked(struct process *p)
{
	struct task *t;

	LIST_FOR_EACH (t, &p->tasks, process_link)
		if (t->state != TASK_ZOMBIE && t->state != TASK_DEAD)
			return t;
	return NULL;
}

struct cpu_times process_times(struct process *p)
{
	struct cpu_times sum = p->times;
	struct task *t;

	LIST_FOR_EACH (t, &p->tasks, process_link) {
		sum.user_ns += t->times.user_ns;
		sum.system_ns += t->times.system_ns;
	}
	return sum;
}
