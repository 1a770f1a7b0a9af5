/*
 * t_fork_threads.c - one thread forks while others write.
 *
 * Each writer goes through its own region again and again: page i gets the number
 * of the round. So at any moment the pages up to some place hold round r and the
 * rest r - 1, and that is what every child must find: neither a page of later than
 * the fork, nor an older one. What a child writes must not reach the writers.
 */
#define _GNU_SOURCE
#include "check.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define WRITERS 3
#define PAGES 600UL /* more than a page table's worth */
#define FORKS 8

static unsigned char *region[WRITERS];
static volatile int is_over;
static unsigned long nr_corrupt[WRITERS];
static volatile unsigned long nr_rounds[WRITERS];

static unsigned long *word(int writer, unsigned long page)
{
	return (unsigned long *)(void *)(region[writer] + page * PAGE);
}

static void *write_rounds(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (unsigned long round = 1; !is_over; round++) {
		for (unsigned long page = 0; page < PAGES; page++) {
			if (__atomic_load_n(word(me, page), __ATOMIC_RELAXED) != round - 1)
				nr_corrupt[me]++;
			__atomic_store_n(word(me, page), round, __ATOMIC_RELEASE);
		}
		nr_rounds[me] = round;
	}
	return NULL;
}

/* Pages that do not fit a single moment. */
static unsigned long torn(int writer)
{
	unsigned long first = *word(writer, 0), last = first, nr = 0;

	for (unsigned long page = 1; page < PAGES; page++) {
		unsigned long now = *word(writer, page);

		nr += now > last || now + 1 < first;
		last = now;
	}
	return nr;
}

/* Bit 0: a region is torn; 1: something changed by itself; 2: own writes did not stay. */
static int look_around(void)
{
	static unsigned long seen[WRITERS][PAGES];
	int bad = 0;

	for (int w = 0; w < WRITERS; w++) {
		bad |= torn(w) != 0;
		for (unsigned long page = 0; page < PAGES; page++)
			seen[w][page] = *word(w, page);
	}
	sleep_ms(2); /* the parent's writers run on */
	for (int w = 0; w < WRITERS; w++)
		for (unsigned long page = 0; page < PAGES; page++) {
			bad |= (*word(w, page) != seen[w][page]) << 1;
			*word(w, page) = ~0UL;
		}
	sched_yield();
	for (int w = 0; w < WRITERS; w++)
		for (unsigned long page = 0; page < PAGES; page++)
			bad |= (*word(w, page) != ~0UL) << 2;
	return bad;
}

/* Forks FORKS times; returns what was bad in any child, and counts in the shared word. */
static int fork_often(unsigned *counter)
{
	int bad = 0;

	for (int i = 0; i < FORKS; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			__atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
			_exit(look_around());
		}
		if (pid < 0)
			give_up("fork");
		bad |= reap(pid);
	}
	return bad;
}

static void *fork_from_thread(void *arg) { return (void *)(intptr_t)fork_often(arg); }

int main(void)
{
	unsigned *counter = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pthread_t writers[WRITERS], other;
	unsigned long sum = 0;
	void *bad;

	for (int w = 0; w < WRITERS; w++) {
		region[w] = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (region[w] == MAP_FAILED || counter == MAP_FAILED)
			give_up("mmap");
	}
	for (int w = 0; w < WRITERS; w++)
		if (pthread_create(&writers[w], NULL, write_rounds, (void *)(intptr_t)w) != 0)
			give_up("pthread_create");
	say("the main thread forks: bad %d\n", fork_often(counter));
	if (pthread_create(&other, NULL, fork_from_thread, counter) != 0)
		give_up("pthread_create");
	say("two threads fork: bad %d", fork_often(counter));
	pthread_join(other, &bad);
	say(" and %d\n", (int)(intptr_t)bad);
	is_over = 1;
	for (int w = 0; w < WRITERS; w++) {
		pthread_join(writers[w], NULL);
		sum += nr_corrupt[w];
		show_true("the writer went round", nr_rounds[w] > 0);
	}
	say("children counted: %u\n", *counter);
	say("pages that others changed: %lu\n", sum);
	return 0;
}
