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

void signal_init(void)
{
	info_cache = kmem_cache_create("signal_info", sizeof(struct signal_info), 0);
	hand_cache = kmem_cache_create("sighand", sizeof(struct sighand), 0);
	ASSERT(info_cache != NULL && hand_cache != NULL);
}

/* ---- tables of actions --------------------------------------------------- */

int sighand_create(struct sighand **out)
{
	struct sighand *hand = kmem_cache_alloc(hand_cache);

	if (hand == NULL)
		return -ENOMEM;
	memset(hand, 0, sizeof(*hand));
	hand->refs = 1;
	waitq_init(&hand->waitq);
	*out = hand;
	return 0;
}

void sighand_reset_handlers(struct sighand *hand)
{
	for (unsigned i = 0; i < NR_SIGNALS; i++) {
		struct linux_sigaction *a = &hand->actions[i];
		uint64_t handler = a->handler == LINUX_SIG_IGN ? LINUX_SIG_IGN : LINUX_SIG_DFL;

		*a = (struct linux_sigaction){.handler = handler};
	}
}

int sighand_copy(const struct sighand *src, bool clear_handlers, struct sighand **out)
{
	struct sighand *hand = kmem_cache_alloc(hand_cache);

	if (hand == NULL)
		return -ENOMEM;
	memcpy(hand, src, sizeof(*hand));
	hand->refs = 1;
	waitq_init(&hand->waitq);
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

void signal_queue_init(struct signal_queue *q)
{
	q->pending = 0;
	list_init(&q->infos);
}

/* A timer's entry stays the timer's. */
static void info_release(struct signal_info *si, struct process *p)
{
	list_remove(&si->link);
	if (si->timer != NULL)
		return;
	p->signal.nr_infos--;
	kmem_cache_free(info_cache, si);
}

void signal_queue_flush_locked(struct signal_queue *q, struct process *p, uint64_t which)
{
	struct signal_info *si, *tmp;

	ASSERT(spin_is_held(&task_lock));
	if ((q->pending & which) == 0)
		return;
	LIST_FOR_EACH_SAFE (si, tmp, &q->infos, link)
		if ((which & SIGMASK(si->info.signo)) != 0)
			info_release(si, p);
	q->pending &= ~which;
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

	if (sig < SIGRTMIN && (q->pending & SIGMASK(sig)) != 0)
		return 0;
	si = over_limit && sig >= SIGRTMIN ? NULL : kmem_cache_alloc(info_cache);
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
