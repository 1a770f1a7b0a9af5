/*
 * Kernel timers: an intrusive pairing heap. Every node's deadline is not
 * before its parent's; siblings are linked by next, with prev pointing at the
 * elder sibling or, for the first child, at the parent.
 * Not reentrant: called with interrupts closed, as all kernel code is.
 */
#include "sched/timer.h"

#include "arch/machine.h"
#include "lib/assert.h"
#include "sched/cpu.h"

struct ktimer *ktimer_first_;
static uint64_t realtime_offset_ns;

/* Makes the later of two roots the first child of the earlier one. Equal deadlines: a stays ahead. */
static struct ktimer *meld(struct ktimer *a, struct ktimer *b)
{
	struct ktimer *tmp;

	if (a == NULL)
		return b;
	if (b == NULL)
		return a;
	if (b->deadline_ns < a->deadline_ns) {
		tmp = a;
		a = b;
		b = tmp;
	}
	b->next = a->child;
	if (b->next != NULL)
		b->next->prev = b;
	b->prev = a;
	a->child = b;
	a->next = a->prev = NULL;
	return a;
}

/* The two-pass merge of a list of siblings into one heap. */
static struct ktimer *meld_siblings(struct ktimer *list)
{
	struct ktimer *pairs = NULL, *result = NULL;

	while (list != NULL) {
		struct ktimer *a = list, *b = a->next, *rest = b != NULL ? b->next : NULL, *pair;

		a->next = a->prev = NULL;
		if (b != NULL)
			b->next = b->prev = NULL;
		pair = meld(a, b);
		pair->next = pairs;
		pairs = pair;
		list = rest;
	}
	while (pairs != NULL) {
		struct ktimer *rest = pairs->next;

		pairs->next = NULL;
		result = meld(pairs, result);
		pairs = rest;
	}
	return result;
}

static void unlink_from_siblings(struct ktimer *t)
{
	if (t->prev->child == t)
		t->prev->child = t->next;
	else
		t->prev->next = t->next;
	if (t->next != NULL)
		t->next->prev = t->prev;
}

void ktimer_cancel(struct ktimer *t)
{
	struct ktimer *children;

	if (!t->is_set)
		return;
	children = meld_siblings(t->child);
	if (t == ktimer_first_) {
		ktimer_first_ = children;
	} else {
		unlink_from_siblings(t);
		ktimer_first_ = meld(ktimer_first_, children);
	}
	t->is_set = false;
	t->child = t->next = t->prev = NULL;
}

void ktimer_set(struct ktimer *t, uint64_t deadline_ns)
{
	ASSERT(t->fn != NULL);
	ktimer_cancel(t);
	t->deadline_ns = deadline_ns;
	t->child = t->next = t->prev = NULL;
	t->is_set = true;
	ktimer_first_ = meld(ktimer_first_, t);
	cpu_note_work();
}

void ktimer_run(uint64_t now_ns)
{
	while (ktimer_first_ != NULL && ktimer_first_->deadline_ns <= now_ns) {
		struct ktimer *t = ktimer_first_;

		ktimer_cancel(t);
		t->fn(t);
	}
}

uint64_t realtime_ns(void) { return arch_time_ns() + realtime_offset_ns; }

uint64_t realtime_to_deadline(uint64_t real_ns)
{
	return real_ns > realtime_offset_ns ? real_ns - realtime_offset_ns : 0;
}

void realtime_set_offset(uint64_t offset_ns) { realtime_offset_ns = offset_ns; }
