/*
 * The out-of-memory killer: whom it chooses, what it says, when it waits, and that it comes to an
 * end. Processes with as much memory as a test wants; faults that really find none.
 */
/* Not <stdlib.h>: its W* constants are ours too. */
void abort(void) __attribute__((noreturn));

#include <stdio.h>

#include "fake_kernel.h"

#include "abi/errno.h"
#include "abi/sched.h"
#include "abi/time.h"
#include "abi/wait.h"

#define SPACE UINT64_C(0x200000000)

static unsigned nr_pages_wanted;

/* User mode of this machine: the program counter is a C function that plays the program. */
void arch_user_enter(void)
{
	((void (*)(void))(uintptr_t)frame_pc(current_task()->frame))();
	task_exit(0);
}

static void sleep_for_ever(void)
{
	for (;;) {
		current_task()->state = TASK_SLEEPING;
		schedule();
		task_return_to_user(current_task()->frame);
	}
}

static int64_t map(uint64_t addr, uint64_t nr_pages)
{
	struct mmap_args args = {.addr = addr, .length_bytes = nr_pages << PAGE_SHIFT, .prot = PROT_READ | PROT_WRITE,
				 .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED};

	return aspace_mmap(current_aspace(), &args);
}

/* One access of user mode, tried again as hardware does: returns when it has succeeded. */
static void touch(uint64_t addr)
{
	prot_t prot;
	pfn_t pfn;

	while (!aspace_walk(current_aspace(), uaddr(addr), TRAP_WRITE, &pfn, &prot))
		trap_page_fault(current_task()->frame, uaddr(addr), TRAP_WRITE);
	*(uint64_t *)pfn_to_ptr(pfn) = addr;
}

static void hold(unsigned nr_pages)
{
	assert_int_equal(map(SPACE, nr_pages), SPACE);
	for (unsigned i = 0; i < nr_pages; i++)
		touch(SPACE + i * PAGE_SIZE);
}

static void holds_and_sleeps(void)
{
	hold(nr_pages_wanted);
	sleep_for_ever();
}

static struct process *run(const char *name, void (*fn)(void), uint64_t flags)
{
	const struct clone_args_k args = {.flags = flags, .exit_signal = SIGCHLD};
	struct process *p;
	int64_t pid;

	fake.now_ns += 1000;
	frame_init_user(current_task()->frame, (uintptr_t)fn, FAKE_USER);
	pid = task_clone(&args);
	assert_true(pid > 0);
	p = process_find((int)pid);
	str_copy(p->leader->name, name, sizeof(p->leader->name));
	process_put(p); /* the child list keeps it */
	return p;
}

static struct process *run_holder(const char *name, unsigned nr_pages)
{
	struct process *p;

	nr_pages_wanted = nr_pages;
	p = run(name, holds_and_sleeps, 0);
	sched_yield_cpu();
	return p;
}

static int reap(int pid)
{
	const struct wait_request request = {.which = pid != 0 ? P_PID : P_ALL, .id = pid, .options = WEXITED};
	struct wait_result result;

	assert_int_equal(process_wait(&request, &result), 0);
	return result.status;
}

static bool is_alive(const struct process *p) { return !p->is_exiting && !p->is_zombie; }

static void must_die(struct process *p)
{
	assert_true(p->is_exiting);
	assert_int_equal(reap(p->pid), SIGKILL);
}

static void end(struct process *p)
{
	assert_true(is_alive(p));
	signal_send_process(p, SIGKILL, NULL);
	reap(p->pid);
}

static unsigned nr_kills(void)
{
	unsigned nr = 0;

	for (const char *at = fake.log; (at = strstr(at, "; killed process ")) != NULL; at++)
		nr++;
	return nr;
}

static int setup(void **state)
{
	fake.log_size = 0;
	memset(fake.log, 0, sizeof(fake.log));
	fake.is_quiet = true;
	return 0;
}

/* Whatever was killed: the rest of the kernel is as it should be. */
static int teardown(void **state)
{
	fail_alloc_arm(0, false);
	return mm_audit() != 0 || process_count() != 1;
}

/* ---- whom ----------------------------------------------------------------- */

static void kills_the_largest(void **state)
{
	struct process *small = run_holder("small", 10), *hog = run_holder("hog", 500);
	struct process *other = run_holder("other", 20);

	oom_kill(uaddr(0x1234));
	must_die(hog);
	assert_int_equal(nr_kills(), 1);
	end(small);
	end(other);
}

/* Of those about as large the youngest: it has the least to lose. */
static void kills_the_youngest_of_equals(void **state)
{
	struct process *a = run_holder("a", 100), *b = run_holder("b", 105), *c = run_holder("c", 95);

	oom_kill(uaddr(0));
	must_die(c);
	oom_kill(uaddr(0));
	must_die(b);
	end(a);
}

/* One line: for what, who, how much, where the memory is. */
static void says_why(void **state)
{
	struct process *hog = run_holder("hog", 300);
	unsigned nr_kib = (unsigned)aspace_rss_pages(hog->leader->aspace) * 4;
	char expected[128];

	oom_kill(uaddr(0xabc000));
	assert_non_null(strstr(fake.log, "out of memory: page fault of test (pid 1) at 0xabc000; "));
	snprintf(expected, sizeof(expected), "killed process %d (hog), %u KiB resident, oom_score_adj 0; of ", hog->pid,
		 nr_kib);
	assert_non_null(strstr(fake.log, expected));
	assert_non_null(strstr(fake.log, " KiB "));
	assert_non_null(strstr(fake.log, " free, "));
	assert_ptr_equal(strchr(fake.log, '\n') + 1, fake.log + strlen(fake.log));
	must_die(hog);
}

static void score_adj_shifts(void **state)
{
	struct process *small = run_holder("small", 10), *hog = run_holder("hog", 500);
	struct process *medium = run_holder("medium", 400);

	hog->oom_score_adj = -1000; /* never */
	small->oom_score_adj = 500; /* half of all memory more */
	oom_kill(uaddr(0));
	must_die(small);
	medium->oom_score_adj = -100; /* what is left of it is nothing, but nobody has more */
	oom_kill(uaddr(0));
	must_die(medium);
	hog->oom_score_adj = 0;
	end(hog);
}

/* ---- who shares ----------------------------------------------------------- */

static void kills_all_that_share(void **state)
{
	struct process *hog, *sharer;

	hold(0x200);
	sharer = run("sharer", sleep_for_ever, CLONE_VM);
	hog = run_holder("hog", 900);
	sched_yield_cpu();
	oom_kill(uaddr(0));
	must_die(hog);
	/* The memory is that of process 1, which is spared: killing the sharer alone frees nothing, but it is next. */
	oom_kill(uaddr(0));
	must_die(sharer);
	assert_true(is_alive(current_process()));
	assert_int_equal(aspace_munmap(current_aspace(), SPACE, 0x200 * PAGE_SIZE), 0);
}

static struct process *vfork_child;
static void vforks(void)
{
	hold(600);
	vfork_child = run("child", sleep_for_ever, CLONE_VM | CLONE_VFORK);
}

/* The child of a vfork is not the one to ask: its memory is its parent's. Both go. */
static void vfork_counts_as_the_parent(void **state)
{
	struct process *parent = run("parent", vforks, 0), *later;

	sched_yield_cpu();
	sched_yield_cpu();
	later = run_holder("later", 50);
	oom_kill(uaddr(0));
	must_die(parent);
	assert_non_null(strstr(fake.log, "(parent)"));
	assert_int_equal(nr_kills(), 1);
	reap(0);
	end(later);
}

/* ---- when the victim cannot go at once ------------------------------------ */

static bool may_go;
static void holds_uninterruptibly(void)
{
	hold(nr_pages_wanted);
	while (!may_go) {
		current_task()->state = TASK_BLOCKED;
		schedule();
	}
	task_return_to_user(current_task()->frame);
}

static void waits_for_the_first_victim(void **state)
{
	struct process *hog, *second = run_holder("second", 300);

	may_go = false;
	nr_pages_wanted = 500;
	hog = run("hog", holds_uninterruptibly, 0);
	sched_yield_cpu();
	for (unsigned i = 0; i < 50; i++)
		oom_kill(uaddr(0));
	assert_int_equal(nr_kills(), 1);
	assert_true(hog->is_exiting && !hog->is_zombie);
	assert_true(is_alive(second));
	may_go = true;
	sched_wake(hog->leader);
	must_die(hog);
	end(second);
}

/* But not for ever: after a second, another one. */
static void gives_up_waiting(void **state)
{
	struct process *hog, *second = run_holder("second", 300), *third = run_holder("third", 200);

	may_go = false;
	nr_pages_wanted = 500;
	hog = run("hog", holds_uninterruptibly, 0);
	sched_yield_cpu();
	oom_kill(uaddr(0));
	oom_kill(uaddr(0));
	assert_int_equal(nr_kills(), 1);
	fake.now_ns += 2 * NSEC_PER_SEC;
	oom_kill(uaddr(0));
	assert_int_equal(nr_kills(), 2);
	must_die(second);
	assert_true(is_alive(third));
	end(third);
	may_go = true;
	sched_wake(hog->leader);
	must_die(hog);
}

/* ---- it comes to an end --------------------------------------------------- */

static void faults_without_memory(void)
{
	assert_int_equal(map(SPACE, 10), SPACE);
	fail_alloc_arm(1, true);
	touch(SPACE);
	abort(); /* there never was any */
}

static void everybody_is_spared(void **state)
{
	struct process *innocent = run_holder("innocent", 50), *p;

	innocent->oom_score_adj = -1000;
	p = run("stuck", faults_without_memory, 0);
	p->oom_score_adj = -1000;
	assert_int_equal(reap(p->pid), SIGKILL); /* who cannot go on goes */
	assert_int_equal(nr_kills(), 1);
	end(innocent);
}

/* With no memory ever again: one after the other, down to who asks for it. */
static void no_memory_ever_again(void **state)
{
	struct process *a = run_holder("a", 50), *b = run_holder("b", 100);
	struct process *p = run("stuck", faults_without_memory, 0);

	assert_int_equal(reap(p->pid), SIGKILL);
	fail_alloc_arm(0, false);
	must_die(a);
	must_die(b);
	assert_int_equal(nr_kills(), 3);
}

static void wants_all(void)
{
	uint64_t nr = frame_nr_total() * 2 / 3;

	for (unsigned part = 0; part < 2; part++) {
		assert_int_equal(map(SPACE + part * nr * PAGE_SIZE, nr), SPACE + part * nr * PAGE_SIZE);
		for (uint64_t i = 0; i < nr; i++)
			touch(SPACE + (part * nr + i) * PAGE_SIZE);
	}
	abort(); /* more than there is */
}

static uint64_t checksum(struct process *p, unsigned nr_pages)
{
	struct aspace *as = p->leader->aspace;
	uint64_t sum = 0;
	struct pt_entry e;

	for (unsigned i = 0; i < nr_pages; i++)
		if (as->pt.ops->lookup(&as->pt, SPACE + i * PAGE_SIZE, &e))
			sum += *(uint64_t *)pfn_to_ptr(e.pfn) * (i + 1);
	return sum;
}

/* For real: a program that wants more than there is, among others. */
static void innocents_keep_their_memory(void **state)
{
	struct process *innocent = run_holder("innocent", 200), *other = run_holder("other", 100);
	struct process *hog = run("hog", wants_all, 0);
	uint64_t sum = checksum(innocent, 200);

	assert_int_equal(reap(hog->pid), SIGKILL);
	assert_int_equal(nr_kills(), 1);
	assert_true(sum != 0 && checksum(innocent, 200) == sum);
	end(innocent);
	end(other);
}

/* ---- copies to user memory ------------------------------------------------- */

static uint64_t nr_copied_to;
static void copies(void)
{
	int r = 0;

	assert_int_equal(map(SPACE, nr_copied_to), SPACE);
	for (uint64_t i = 0; i < nr_copied_to && r == 0; i++)
		r = copy_to_user(uaddr(SPACE + i * PAGE_SIZE), &i, sizeof(i));
	if (r != 0) {
		assert_int_equal(r, -EFAULT);
		assert_true(signal_is_fatal_pending(current_task()));
	}
	task_return_to_user(current_task()->frame);
	task_exit(0);
}

/* A system call goes on in the memory of whoever was larger, whatever locks it holds. */
static void a_copy_makes_room(void **state)
{
	struct process *large = run_holder("large", (unsigned)(frame_nr_total() * 2 / 3)), *p;

	nr_copied_to = frame_nr_total() / 2;
	p = run("reader", copies, 0);
	assert_int_equal(reap(p->pid), 0);
	assert_int_equal(nr_kills(), 1);
	must_die(large);
}

static void a_copy_is_the_callers_end(void **state)
{
	struct process *innocent = run_holder("innocent", 200), *p;
	uint64_t sum = checksum(innocent, 200);

	nr_copied_to = frame_nr_total() * 2 / 3;
	p = run("reader", copies, 0);
	assert_int_equal(reap(p->pid), 0);
	assert_int_equal(nr_kills(), 0);
	nr_copied_to = frame_nr_total();
	p = run("reader", copies, 0);
	assert_int_equal(reap(p->pid), SIGKILL);
	assert_int_equal(nr_kills(), 1);
	assert_int_equal(checksum(innocent, 200), sum);
	end(innocent);
}

static void copies_without_memory(void)
{
	uint64_t value = 0;

	assert_int_equal(map(SPACE, 10), SPACE);
	fail_alloc_arm(1, true);
	assert_int_equal(copy_to_user(uaddr(SPACE), &value, sizeof(value)), -EFAULT);
	fail_alloc_arm(0, false);
	task_exit(7);
}

/* Nobody is killed when there are frames, and an allocation failed all the same. */
static void an_injected_failure_kills_nobody(void **state)
{
	struct process *p = run("reader", copies_without_memory, 0);

	assert_int_equal(reap(p->pid), 7 << 8);
	assert_int_equal(nr_kills(), 0);
}

static void hogs_a_quarter(void)
{
	uint64_t nr = frame_nr_total() / 4;

	hold((unsigned)nr);
	task_exit(0);
}

/* Many at once: some are killed, the others end by themselves, and nobody else dies. */
static void many_hogs(void **state)
{
	struct process *innocent = run_holder("innocent", 100);
	unsigned nr_killed = 0, nr_ended = 0;

	for (unsigned i = 0; i < 12; i++)
		run("hog", hogs_a_quarter, 0);
	for (unsigned i = 0; i < 12; i++) {
		const struct wait_request request = {.which = P_ALL, .options = WEXITED};
		struct wait_result result;

		assert_int_equal(process_wait(&request, &result), 0);
		assert_int_not_equal(result.pid, innocent->pid);
		nr_killed += result.status == SIGKILL;
		nr_ended += result.status == 0;
	}
	assert_int_equal(nr_killed + nr_ended, 12);
	assert_int_equal(nr_kills(), nr_killed);
	assert_true(nr_ended >= 2);
	end(innocent);
}

static int boot(void **state)
{
	fake_kernel_boot();
	fake.is_quiet = true;
	str_copy(current_task()->name, "test", sizeof(current_task()->name));
	return 0;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(kills_the_largest),
		TEST(kills_the_youngest_of_equals),
		TEST(says_why),
		TEST(score_adj_shifts),
		TEST(kills_all_that_share),
		TEST(vfork_counts_as_the_parent),
		TEST(waits_for_the_first_victim),
		TEST(gives_up_waiting),
		TEST(everybody_is_spared),
		TEST(no_memory_ever_again),
		TEST(innocents_keep_their_memory),
		TEST(many_hogs),
		TEST(a_copy_makes_room),
		TEST(a_copy_is_the_callers_end),
		TEST(an_injected_failure_kills_nobody),
	};

	return cmocka_run_group_tests(tests, boot, fake_kernel_end);
}
