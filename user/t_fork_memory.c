/*
 * t_fork_memory.c - memory that is changed after fork, by either side.
 *
 * Regions of several MiB, so that whole page tables are shared: mprotect, munmap,
 * mremap, madvise, brk on one side must not show on the other; files shared by
 * processes that know nothing of each other; families that end in any order.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <sys/mman.h>

#define PAGE 4096UL
#define MIB (1024UL * 1024)
#define RW (PROT_READ | PROT_WRITE)

static unsigned char *map(size_t len, int flags)
{
	unsigned char *p = mmap(NULL, len, RW, flags | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		give_up("mmap");
	return p;
}

/* Page i of the range gets a value of its own; wrong() counts pages without it. */
static unsigned value(size_t i, unsigned seed) { return (unsigned)i * 2654435761u + seed; }

static void fill(unsigned char *p, size_t len, unsigned seed)
{
	for (size_t at = 0; at < len; at += PAGE)
		*(volatile unsigned *)(void *)(p + at) = value(at / PAGE, seed);
}

static unsigned long wrong_from(const unsigned char *p, size_t first, size_t len, unsigned seed)
{
	unsigned long nr = 0;

	for (size_t at = 0; at < len; at += PAGE)
		nr += *(const volatile unsigned *)(const void *)(p + at) != value(first + at / PAGE, seed);
	return nr;
}

static unsigned long wrong(const unsigned char *p, size_t len, unsigned seed)
{
	return wrong_from(p, 0, len, seed);
}

static unsigned long not_zero(const unsigned char *p, size_t len)
{
	unsigned long nr = 0;

	for (size_t at = 0; at < len; at += PAGE)
		nr += *(const volatile unsigned *)(const void *)(p + at) != 0;
	return nr;
}

/* --- what an access does --- */

static sigjmp_buf escape;
static volatile int fault_signal;

static void on_fault(int number)
{
	fault_signal = number;
	siglongjmp(escape, 1);
}

static const char *touch(volatile unsigned char *p, int write)
{
	static char text[32];

	if (sigsetjmp(escape, 1) != 0) {
		snprintf(text, sizeof text, "signal %d", fault_signal);
		return text;
	}
	if (write)
		*p = *p;
	else
		(void)*p;
	return "fine";
}

static void show_access(const char *what, unsigned char *p)
{
	say("%s: read %s", what, touch(p, 0));
	say(", write %s\n", touch(p, 1));
}

/*
 * Both ways round: change(region) in a child, the parent looks; then in the parent, a
 * child forked before looks. look(region, 1) is where the change was made, 0 the other side.
 */
static void both_ways(const char *what, void (*change)(unsigned char *),
		      void (*look)(unsigned char *, int), size_t len)
{
	unsigned char *p = map(len + 4 * MIB, MAP_PRIVATE);
	int gate[2];
	char c = 0;

	fill(p, len, 1);
	say("%s, by the child\n", what);
	pid_t pid = fork();
	if (pid == 0) {
		change(p);
		look(p, 1);
		_exit(0);
	}
	show_status("child", reap(pid));
	look(p, 0);
	say("%s, by the parent\n", what);
	if (pipe(gate) != 0)
		give_up("pipe");
	pid = fork();
	if (pid == 0) {
		if (read(gate[0], &c, 1) != 1)
			_exit(1);
		look(p, 0);
		fill(p, MIB, 9);
		_exit(0);
	}
	change(p);
	if (write(gate[1], &c, 1) != 1)
		give_up("write");
	show_status("child", reap(pid));
	look(p, 1);
	close(gate[0]);
	close(gate[1]);
	munmap(p, len + 4 * MIB);
}

/* --- mprotect --- */

static void take_write(unsigned char *p) { show("mprotect", mprotect(p + MIB, 4 * MIB, PROT_READ)); }

static void look_taken(unsigned char *p, int mine)
{
	show_access(mine ? "in the changed range" : "there, on the other side", p + 2 * MIB);
	show_access("before it", p + MIB - PAGE);
	show_access("behind it", p + 5 * MIB);
	say("%lu pages wrong\n", wrong_from(p + MIB, MIB / PAGE, 5 * MIB, 1));
}

static void take_and_give(unsigned char *p)
{
	mprotect(p, 6 * MIB, PROT_NONE);
	mprotect(p, 6 * MIB, PROT_READ);
	show("mprotect", mprotect(p, 6 * MIB, RW));
	fill(p + MIB, MIB, 77);
}

static void look_given(unsigned char *p, int mine)
{
	say("%lu pages wrong\n", mine ? wrong(p + MIB, MIB, 77) : wrong_from(p + MIB, MIB / PAGE, MIB, 1));
	say("%lu pages wrong behind\n", wrong_from(p + 2 * MIB, 2 * MIB / PAGE, 4 * MIB, 1));
}

/* --- munmap, DONTNEED --- */

static void cut(unsigned char *p) { show("munmap", munmap(p + MIB, 4 * MIB)); }

static void look_cut(unsigned char *p, int mine)
{
	if (mine) {
		show_access("first page cut", p + MIB);
		show_access("last page cut", p + 5 * MIB - PAGE);
	} else {
		say("%lu pages wrong where it was cut\n", wrong_from(p + MIB, MIB / PAGE, 4 * MIB, 1));
	}
	say("%lu pages wrong behind\n", wrong_from(p + 5 * MIB, 5 * MIB / PAGE, MIB, 1));
}

static void drop(unsigned char *p) { show("DONTNEED", madvise(p + MIB, 4 * MIB, MADV_DONTNEED)); }

static void look_dropped(unsigned char *p, int mine)
{
	if (mine)
		say("%lu pages not zero\n", not_zero(p + MIB, 4 * MIB));
	else
		say("%lu pages wrong where they were dropped\n",
		    wrong_from(p + MIB, MIB / PAGE, 4 * MIB, 1));
	say("%lu pages wrong behind\n", wrong_from(p + 5 * MIB, 5 * MIB / PAGE, MIB, 1));
}

/* --- mremap --- */

static unsigned char *moved;

/* The middle of the region, from no special address, to somewhere else. */
static void move(unsigned char *p)
{
	moved = map(4 * MIB, MAP_PRIVATE);
	fill(moved, 4 * MIB, 5);
	show_true("moved to the fixed place",
		  mremap(p + MIB + 3 * PAGE, 3 * MIB, 3 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED, moved) == moved);
}

static void look_moved(unsigned char *p, int mine)
{
	if (mine) {
		say("%lu pages wrong at the new place\n", wrong_from(moved, MIB / PAGE + 3, 3 * MIB, 1));
		say("%lu pages wrong behind it\n", wrong_from(moved + 3 * MIB, 3 * MIB / PAGE, MIB, 5));
		show_access("old place", p + 2 * MIB);
		munmap(moved, 4 * MIB);
	} else {
		say("%lu pages wrong\n", wrong(p, 6 * MIB, 1));
	}
}

static void grow(unsigned char *p)
{
	moved = mremap(p, 6 * MIB, 24 * MIB, MREMAP_MAYMOVE);
	if (moved == MAP_FAILED)
		give_up("mremap");
}

static void look_grown(unsigned char *p, int mine)
{
	if (mine) {
		say("%lu pages wrong, %lu not zero\n", wrong(moved, 6 * MIB, 1),
		    not_zero(moved + 6 * MIB, 18 * MIB));
		munmap(moved, 24 * MIB);
	} else {
		say("%lu pages wrong\n", wrong(p, 6 * MIB, 1));
	}
}

static void shrink(unsigned char *p)
{
	show_true("shrunk in place", mremap(p, 6 * MIB, MIB + PAGE, 0) == p);
}

static void look_shrunk(unsigned char *p, int mine)
{
	if (mine)
		show_access("cut off", p + MIB + PAGE);
	else
		say("%lu pages wrong where it was cut off\n", wrong_from(p + MIB, MIB / PAGE, 5 * MIB, 1));
	say("%lu pages wrong\n", wrong(p, MIB + PAGE, 1));
}

#ifndef MREMAP_DONTUNMAP
#define MREMAP_DONTUNMAP 4
#endif

static void leave_behind(unsigned char *p)
{
	moved = mremap(p, 6 * MIB, 6 * MIB, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	if (moved == MAP_FAILED)
		give_up("mremap");
}

static void look_left(unsigned char *p, int mine)
{
	if (mine) {
		say("%lu pages wrong, %lu left behind are not zero\n", wrong(moved, 6 * MIB, 1),
		    not_zero(p, 6 * MIB));
		munmap(moved, 6 * MIB);
	} else {
		say("%lu pages wrong\n", wrong(p, 6 * MIB, 1));
	}
}

/* --- rules that are inherited --- */

static void test_wipe_of_grandchildren(void)
{
	unsigned char *p = map(4 * MIB, MAP_PRIVATE);

	fill(p, 4 * MIB, 1);
	madvise(p + MIB, 2 * MIB, MADV_WIPEONFORK);
	madvise(p + 3 * MIB, MIB / 2, MADV_DONTFORK);
	pid_t pid = fork();
	if (pid == 0) {
		say("child: %lu not zero\n", not_zero(p + MIB, 2 * MIB));
		show_access("child: not forked", p + 3 * MIB);
		fill(p + MIB, 2 * MIB, 2);
		pid = fork();
		if (pid == 0) {
			say("grandchild: %lu not zero, %lu wrong before\n", not_zero(p + MIB, 2 * MIB),
			    wrong(p, MIB, 1));
			show_access("grandchild: not forked", p + 3 * MIB);
			_exit(0);
		}
		reap(pid);
		say("child: %lu wrong\n", wrong(p + MIB, 2 * MIB, 2));
		_exit(0);
	}
	reap(pid);
	say("parent: %lu wrong\n", wrong(p, 4 * MIB, 1));
	munmap(p, 4 * MIB);
}

static void test_heap_of_generations(void)
{
	char *start = sbrk(0);

	if (sbrk(4 * (long)MIB) == (void *)-1)
		give_up("sbrk");
	fill((unsigned char *)start, 4 * MIB, 1);
	pid_t pid = fork();
	if (pid == 0) {
		show_true("child shrinks", brk(start + MIB) == 0);
		pid = fork();
		if (pid == 0) {
			show_true("grandchild grows", brk(start + 3 * MIB) == 0);
			say("grandchild: %lu wrong, %lu not zero\n", wrong((unsigned char *)start, MIB, 1),
			    not_zero((unsigned char *)start + 2 * MIB, MIB));
			_exit(0);
		}
		reap(pid);
		show_access("child: given back", (unsigned char *)start + 2 * MIB);
		_exit(0);
	}
	reap(pid);
	say("parent: %lu wrong\n", wrong((unsigned char *)start, 4 * MIB, 1));
	brk(start);
}

/* --- a file between processes that know nothing of each other --- */

static void user_of_file(int nr)
{
	int fd = open("file", O_RDWR);
	unsigned char *p = mmap(NULL, 4 * MIB, RW, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		give_up("mmap of the file");
	close(fd);
	fill(p + (size_t)nr * MIB, MIB / 2, (unsigned)nr);
	pid_t pid = fork();
	if (pid == 0) {
		fill(p + (size_t)nr * MIB + MIB / 2, MIB / 2, (unsigned)nr + 10);
		_exit(0);
	}
	reap(pid);
	_exit((int)wrong(p + (size_t)nr * MIB + MIB / 2, MIB / 2, (unsigned)nr + 10));
}

static void test_unrelated(void)
{
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	static unsigned char page[PAGE];
	unsigned long nr_wrong = 0;
	pid_t pids[4];

	if (fd < 0 || ftruncate(fd, 4 * MIB) != 0)
		give_up("file");
	for (int i = 0; i < 4; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			user_of_file(i);
	}
	for (int i = 0; i < 4; i++)
		show_status("user of the file", reap(pids[i]));
	unsigned char *p = mmap(NULL, 4 * MIB, PROT_READ, MAP_SHARED, fd, 0);
	for (size_t i = 0; i < 4; i++)
		nr_wrong += wrong(p + i * MIB, MIB / 2, (unsigned)i) +
			    wrong(p + i * MIB + MIB / 2, MIB / 2, (unsigned)i + 10);
	say("%lu pages wrong in a new mapping\n", nr_wrong);
	show("pread", pread(fd, page, PAGE, 3 * MIB));
	say("%lu wrong by pread\n", wrong(page, PAGE, 3));
	munmap(p, 4 * MIB);
	close(fd);
	unlink("file");
}

/* --- a family that ends in any order --- */

#define FAMILY 4

struct stage {
	volatile int go[FAMILY], gone[FAMILY], is_up[FAMILY];
	volatile unsigned long wrong[FAMILY];
};

static void wait_for(volatile int *flag)
{
	while (!*flag)
		sleep_ms(1);
}

/* Each member writes its part, brings up the next one, writes once more, checks when told to, ends. */
static void be_family(struct stage *s, unsigned char *p)
{
	int i = 0;

	for (;; i++) {
		fill(p + (size_t)i * MIB, MIB, 100 + (unsigned)i);
		if (i + 1 == FAMILY)
			break;
		if (fork() != 0) {
			wait_for(&s->is_up[i + 1]);
			break;
		}
	}
	fill(p + 4 * MIB, MIB, 200 + (unsigned)i);
	s->is_up[i] = 1;
	wait_for(&s->go[i]);
	for (int k = 0; k < FAMILY; k++)
		s->wrong[i] += k <= i ? wrong(p + (size_t)k * MIB, MIB, 100 + (unsigned)k)
				      : wrong_from(p + (size_t)k * MIB, (size_t)k * MIB / PAGE, MIB, 1);
	s->wrong[i] += wrong(p + 4 * MIB, MIB, 200 + (unsigned)i);
	s->gone[i] = 1;
	_exit(0);
}

static void test_family(void)
{
	static const int orders[][FAMILY] = {{0, 1, 2, 3}, {3, 2, 1, 0}, {1, 3, 0, 2}, {2, 0, 3, 1}};
	unsigned char *p = map(5 * MIB, MAP_PRIVATE);

	for (size_t o = 0; o < COUNT_OF(orders); o++) {
		struct stage *s = (struct stage *)map(PAGE, MAP_SHARED);
		unsigned long sum = 0;

		fill(p, 5 * MIB, 1);
		pid_t pid = fork();
		if (pid == 0)
			be_family(s, p);
		wait_for(&s->is_up[0]);
		for (int i = 0; i < FAMILY; i++) {
			s->go[orders[o][i]] = 1;
			wait_for(&s->gone[orders[o][i]]);
			sleep_ms(5); /* it ends */
			sum += s->wrong[orders[o][i]];
		}
		show_status("eldest", reap(pid));
		say("order %zu: the family finds %lu pages wrong, its ancestor %lu\n", o, sum,
		    wrong(p, 5 * MIB, 1));
		munmap(s, PAGE);
	}
	munmap(p, 5 * MIB);
}

int main(void)
{
	struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};

	enter_private_directory("fork_memory");
	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	both_ways("write taken away", take_write, look_taken, 6 * MIB);
	both_ways("all taken away and given back", take_and_give, look_given, 6 * MIB);
	both_ways("cut out", cut, look_cut, 6 * MIB);
	both_ways("dropped", drop, look_dropped, 6 * MIB);
	both_ways("moved", move, look_moved, 6 * MIB);
	both_ways("grown", grow, look_grown, 6 * MIB);
	both_ways("shrunk", shrink, look_shrunk, 6 * MIB);
	both_ways("moved, leaving the mapping", leave_behind, look_left, 6 * MIB);
	test_wipe_of_grandchildren();
	test_heap_of_generations();
	test_unrelated();
	test_family();
	leave_private_directory();
	return 0;
}
