/*
 * Out of memory in a page fault: somebody must go. Of the processes with the most
 * resident pages the youngest is killed (with all that share its address space): it
 * has the least work to lose, and of a program that forks without end it is one of
 * the many and not the bystander that was there before. Nobody else is killed while
 * the victim is on its way out, unless it does not get there.
 *
 * Spared: who wrote -1000 to /proc/PID/oom_score_adj, and the init of a booted
 * system, unless the fault that found no memory was its own and nobody else is left.
 */
#include "abi/time.h"
#include "lib/printf.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "sched/internal.h"

/* How long a victim may take to die before another one is looked for. */
#define PATIENCE_NS NSEC_PER_SEC
#define ADJ_NEVER (-1000)

/* The address space of a live process, or NULL. task_lock. */
static struct aspace *aspace_of(struct process *p)
{
	struct task *t = process_live_task_locked(p);

	return t != NULL ? t->aspace : NULL;
}

/* May p be killed for the memory of as? A child of vfork uses its parent's: that one is asked. */
static bool is_candidate(struct process *p)
{
	struct task *t = process_live_task_locked(p);

	return t != NULL && t->aspace != NULL && t->vfork_done == NULL && p->oom_score_adj > ADJ_NEVER &&
	       !process_is_protected(p);
}

/* Resident pages, shifted by oom_score_adj thousandths of all memory (proc(5)). */
static int64_t badness(const struct process *p, const struct aspace *as)
{
	return MAX((int64_t)aspace_rss_pages(as) + (int64_t)frame_nr_total() * p->oom_score_adj / 1000,
		   (int64_t)0);
}

/*
 * Is p, of this score, a better victim than best? most: the highest score so far. Scores within a
 * quarter of it count as equal: the younger one goes.
 */
static bool is_better(const struct process *p, int64_t score, const struct process *best, int64_t most)
{
	if (best == NULL || score > most + most / 4)
		return true;
	return score >= most - most / 4 && p->start_time_ns >= best->start_time_ns;
}

/* p holds memory and is on its way out: is it worth waiting for? */
static bool is_expected(struct process *p)
{
	uint64_t now = arch_time_ns();

	if (p->oom_waited_ns == 0)
		p->oom_waited_ns = now;
	return now - p->oom_waited_ns < PATIENCE_NS;
}

/* Without a reference: nothing here sleeps. NULL: nobody, or (*is_dying) somebody dies already. */
static struct process *choose_victim(bool *is_dying)
{
	struct process *p, *best = NULL;
	int64_t most = -1;

	*is_dying = false;
	for (int pid = 0; (p = process_next(pid)) != NULL; process_put(p)) {
		struct aspace *as;
		bool is_in_question;
		int64_t score;

		pid = p->pid;
		spin_lock(&task_lock);
		as = aspace_of(p);
		is_in_question = is_candidate(p);
		spin_unlock(&task_lock);
		if (as == NULL)
			continue;
		if (p->is_exiting) {
			*is_dying = *is_dying || (p != current_process() && is_expected(p));
			continue;
		}
		if (!is_in_question)
			continue;
		score = badness(p, as);
		if (is_better(p, score, best, most))
			best = p;
		most = MAX(most, score);
	}
	return *is_dying ? NULL : best;
}

/* All that use the address space go, for it lives as long as one of them; but whoever is spared stays. */
static void kill_sharers(const struct process *victim, const struct aspace *as)
{
	struct process *p;

	for (int pid = 0; (p = process_next(pid)) != NULL; process_put(p)) {
		pid = p->pid;
		spin_lock(&task_lock);
		if (p == victim ||
		    (aspace_of(p) == as && p->oom_score_adj > ADJ_NEVER && !process_is_protected(p)))
			signal_send_process_locked(p, SIGKILL, NULL);
		spin_unlock(&task_lock);
	}
}

static unsigned long long kib(uint64_t pages) { return pages * (PAGE_SIZE / 1024); }

/* One line: what for, who, how much it holds, and where all the memory is. */
static void report(const struct process *victim, const struct aspace *as, uaddr_t fault_addr)
{
	struct frame_stats s;

	frame_get_stats(&s);
	kprintf("out of memory: page fault of %s (pid %d) at %#llx; killed process %d (%s), %llu KiB resident, "
		"oom_score_adj %d; of %llu KiB %llu are free, %llu anonymous, %llu cache, %llu page tables, "
		"%llu slab, %llu kernel\n",
		current_task()->name, current_process()->pid, (unsigned long long)fault_addr.raw, victim->pid,
		victim->leader->name, kib(aspace_rss_pages(as)), victim->oom_score_adj, kib(s.nr_total),
		kib(s.nr_free), kib(s.nr_kind[FRAME_ANON]), kib(s.nr_kind[FRAME_CACHE]),
		kib(s.nr_kind[FRAME_TABLE]), kib(s.nr_kind[FRAME_SLAB]), kib(s.nr_kind[FRAME_KERNEL]));
}

void oom_kill(uaddr_t fault_addr)
{
	bool is_dying;
	struct process *victim = choose_victim(&is_dying);
	struct aspace *as;

	if (!is_dying) {
		if (victim == NULL) /* all are spared: then whoever cannot go on */
			victim = current_process();
		spin_lock(&task_lock);
		as = aspace_of(victim);
		spin_unlock(&task_lock);
		report(victim, as, fault_addr);
		kill_sharers(victim, as);
	}
	sched_yield_cpu();
}
