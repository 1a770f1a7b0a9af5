/*
 * Out of memory in a page fault: somebody must go. Of the processes with the most
 * resident pages the youngest is killed (with all that share its address space): it
 * has the least work to lose, and of a program that forks without end it is one of
 * the many and not the bystander that was there before. Init only when there is
 * nobody else.
 */
#include "lib/printf.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "sched/internal.h"

/* The address space of a live process, or NULL. task_lock. */
static struct aspace *aspace_of(struct process *p)
{
	struct task *t = process_live_task_locked(p);

	return t != NULL ? t->aspace : NULL;
}

/* Resident pages, shifted by oom_score_adj thousandths of all memory; below 0: never (proc(5)). */
static int64_t badness(const struct process *p, const struct aspace *as)
{
	struct frame_stats stats;

	if (p->oom_score_adj <= -1000)
		return -1;
	frame_get_stats(&stats);
	return MAX((int64_t)aspace_rss_pages(as) + (int64_t)stats.nr_total * p->oom_score_adj / 1000,
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

/* Without a reference: nothing here sleeps. dying: somebody with memory is on the way out already. */
static struct process *choose_victim(bool *dying)
{
	struct process *p, *best = NULL, *last_resort = NULL;
	int64_t most = -1;

	*dying = false;
	for (int pid = 0; (p = process_next(pid)) != NULL; process_put(p)) {
		struct aspace *as;
		int64_t score;

		pid = p->pid;
		spin_lock(&task_lock);
		as = aspace_of(p);
		spin_unlock(&task_lock);
		if (as == NULL)
			continue;
		if (p->is_exiting) {
			*dying = p != current_process();
			if (*dying) {
				process_put(p);
				return NULL;
			}
			continue;
		}
		score = badness(p, as);
		if (score < 0)
			continue;
		if (process_is_init(p)) {
			last_resort = p;
			continue;
		}
		if (is_better(p, score, best, most))
			best = p;
		most = MAX(most, score);
	}
	return best != NULL ? best : last_resort;
}

static void kill_sharers(struct aspace *as)
{
	struct process *p;

	for (int pid = 0; (p = process_next(pid)) != NULL; process_put(p)) {
		pid = p->pid;
		spin_lock(&task_lock);
		if (aspace_of(p) == as)
			signal_send_process_locked(p, SIGKILL, NULL);
		spin_unlock(&task_lock);
	}
}

void oom_kill(void)
{
	bool is_somebody_dying;
	struct process *victim = choose_victim(&is_somebody_dying);
	struct aspace *as;

	if (!is_somebody_dying && victim != NULL) {
		spin_lock(&task_lock);
		as = aspace_of(victim);
		spin_unlock(&task_lock);
		kprintf("out of memory: killed process %d (%s), %llu KiB resident\n", victim->pid,
			victim->leader->name, (unsigned long long)aspace_rss_pages(as) * (PAGE_SIZE / 1024));
		kill_sharers(as);
	}
	sched_yield_cpu();
}
