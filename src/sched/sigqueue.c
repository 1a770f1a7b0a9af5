/*
 * Tables of actions and queues of pending signals. A standard signal is pending once,
 * real-time ones queue; a POSIX timer brings the entry it queues. Who is woken is
 * signal.c's business. Lock: task_lock. Source: signal(7).
 */
#include "abi/errno.h"
#include "abi/resource.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "sched/internal.h"

/* Taken first: they belong to the instruction just executed. */
#define SYNCHRONOUS                                                                                          \
	(SIGMASK(SIGSEGV) | SIGMASK(SIGBUS) | SIGMASK(SIGILL) | SIGMASK(SIGTRAP) | SIGMASK(SIGFPE) |         \
	 SIGMASK(SIGSYS))

static struct kmem_cache *info_cache, *hand_cache;
const struct linux_sigaction sigaction_default;

/* The entry of the usual case, one signal under way in the whole system: it needs no allocation. */
static struct signal_info usual;
static bool usual_is_used;

void signal_init(void)
{
	info_cache = kmem_cache_create("signal_info", sizeof(struct signal_info), 0);
	hand_cache = kmem_cache_create("sighand", sizeof(struct sighand), 0);
	ASSERT(info_cache != NULL && hand_cache != NULL);
	usual_is_used = false;
}

/* ---- tables of actions --------------------------------------------------- */

int sighand_create(struct sighand **out)
{
	struct sighand *hand = kmem_cache_alloc(hand_cache);

	if (hand == NULL)
		return -ENOMEM;
	hand->refs = 1;
	waitq_init(&hand->waitq);
	hand->is_set = 0;
	*out = hand;
	return 0;
}

void sighand_reset_handlers(struct sighand *hand)
{
	for (uint64_t set = hand->is_set; set != 0; set &= set - 1) {
		struct linux_sigaction *a = &hand->actions[__builtin_ctzll(set)];

		if (a->handler == LINUX_SIG_IGN)
			*a = (struct linux_sigaction){.handler = LINUX_SIG_IGN};
		else
			hand->is_set &= ~(set & -set);
	}
}

int sighand_copy(const struct sighand *src, bool clear_handlers, struct sighand **out)
{
	struct sighand *hand;
	int r = sighand_create(&hand);

	if (r != 0)
		return r;
	hand->is_set = src->is_set;
	for (uint64_t set = src->is_set; set != 0; set &= set - 1)
		hand->actions[__builtin_ctzll(set)] = src->actions[__builtin_ctzll(set)];
	if (clear_handlers)
		sighand_reset_handlers(hand);
	*out = hand;
	return 0;
}

void sighand_put(struct sighand *hand)
{
	ASSERT(hand->refs > 0);
	if (--hand->refs == 0) {
		waitq_detach_all(&hand->waitq); /* signalfds watched by an epoll that lives on */
		kmem_cache_free(hand_cache, hand);
	}
}

/* ---- queues -------------------------------------------------------------- */

static struct signal_info *info_alloc(void)
{
	if (usual_is_used)
		return kmem_cache_alloc(info_cache);
	usual_is_used = true;
	return &usual;
}

/* A timer's entry stays the timer's. */
static void info_release(struct signal_info *si, struct process *p)
{
	list_remove(&si->link);
	if (si->timer != NULL)
		return;
	p->signal.nr_infos--;
	if (si == &usual)
		usual_is_used = false;
	else
		kmem_cache_free(info_cache, si);
}

static __attribute__((noinline)) void queue_drop(struct signal_queue *q, struct process *p, uint64_t which)
{
	struct signal_info *si, *tmp;

	LIST_FOR_EACH_SAFE (si, tmp, &q->infos, link)
		if ((which & SIGMASK(si->info.signo)) != 0)
			info_release(si, p);
	q->pending &= ~which;
}

void signal_queue_flush_locked(struct signal_queue *q, struct process *p, uint64_t which)
{
	ASSERT(spin_is_held(&task_lock));
	if ((q->pending & which) != 0)
		queue_drop(q, p, which);
}

void signal_timer_unqueue_locked(struct signal_info *si, struct task *t, struct process *p)
{
	struct signal_queue *q = t != NULL ? &t->sig.queue : &p->signal.queue;
	struct signal_info *other;

	if (list_is_empty(&si->link))
		return;
	list_remove(&si->link);
	LIST_FOR_EACH (other, &q->infos, link)
		if (other->info.signo == si->info.signo)
			return;
	q->pending &= ~SIGMASK(si->info.signo);
}

int signal_queue_add_locked(struct signal_queue *q, struct process *p, int sig,
			    const struct linux_siginfo *info)
{
	struct signal_info *si;
	bool over_limit = p->signal.nr_infos >= p->rlimits[RLIMIT_SIGPENDING].cur;

	cpu_note_work();
	if (sig < SIGRTMIN && (q->pending & SIGMASK(sig)) != 0)
		return 0;
	si = over_limit && sig >= SIGRTMIN ? NULL : info_alloc();
	if (si == NULL) {
		if (sig >= SIGRTMIN && info != NULL && info->code != SI_USER)
			return -EAGAIN;
		q->pending |= SIGMASK(sig);
		return 0;
	}
	si->timer = NULL;
	if (info != NULL) {
		si->info = *info;
	} else {
		memset(&si->info, 0, sizeof(si->info));
		si->info.code = SI_KERNEL;
	}
	si->info.signo = sig;
	p->signal.nr_infos++;
	list_add_tail(&q->infos, &si->link);
	q->pending |= SIGMASK(sig);
	return 0;
}

static int queue_take(struct signal_queue *q, struct process *p, int sig, struct linux_siginfo *info)
{
	struct signal_info *si, *found = NULL;
	bool is_more = false;

	LIST_FOR_EACH (si, &q->infos, link) {
		if (si->info.signo != sig)
			continue;
		if (found != NULL) {
			is_more = true;
			break;
		}
		found = si;
	}
	if (!is_more)
		q->pending &= ~SIGMASK(sig);
	if (found == NULL) {
		memset(info, 0, sizeof(*info));
		info->signo = sig;
		return sig;
	}
	*info = found->info;
	if (found->timer != NULL)
		posix_timer_signal_taken(found->timer, info);
	info_release(found, p);
	return sig;
}

int signal_dequeue_locked(uint64_t set, struct linux_siginfo *info)
{
	struct task *me = current_task();
	struct signal_queue *q = &me->sig.queue;
	uint64_t candidates = q->pending & set;

	ASSERT(spin_is_held(&task_lock));
	if (candidates == 0) {
		q = &me->process->signal.queue;
		candidates = q->pending & set;
	}
	if (candidates == 0)
		return 0;
	if ((candidates & SYNCHRONOUS) != 0)
		candidates &= SYNCHRONOUS;
	return queue_take(q, me->process, __builtin_ctzll(candidates) + 1, info);
}

int signal_dequeue(uint64_t set, struct linux_siginfo *info)
{
	int sig;

	if ((signal_pending_set(current_task()) & set) == 0)
		return 0;
	spin_lock(&task_lock);
	sig = signal_dequeue_locked(set, info);
	spin_unlock(&task_lock);
	return sig;
}
