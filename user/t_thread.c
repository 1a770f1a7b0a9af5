/*
 * t_thread.c - threads: create, join, mutexes and conditions (futex), storage of
 * their own, many of them, signals to one, fork and exec from one, exit_group.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static __thread int own = 5;
static long counter;
static int turn;

static pthread_t start(void *(*body)(void *), void *arg)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, body, arg);

	if (error != 0) {
		errno = error;
		give_up("pthread_create");
	}
	return thread;
}

static long join(pthread_t thread)
{
	void *result;

	pthread_join(thread, &result);
	return (long)(intptr_t)result;
}

static void *identity(void *arg)
{
	pid_t *ids = arg;

	ids[0] = getpid();
	ids[1] = (pid_t)syscall(SYS_gettid);
	ids[2] = own;
	own = 77;
	ids[3] = own;
	return (void *)42;
}

static void test_basic(void)
{
	pid_t ids[4];

	own = 6;
	show("join gives the result", join(start(identity, ids)));
	show_true("same process", ids[0] == getpid());
	show_true("another thread id", ids[1] != getpid());
	say("thread storage: %d, written %d, mine %d\n", ids[2], ids[3], own);
}

static void *count_up(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		pthread_mutex_lock(&lock);
		long now = counter;
		if (i % 50 == (int)(intptr_t)arg)
			sched_yield();
		counter = now + 1;
		pthread_mutex_unlock(&lock);
	}
	return arg;
}

static void test_mutex(void)
{
	pthread_t threads[50];
	long sum = 0;

	for (int i = 0; i < 50; i++)
		threads[i] = start(count_up, (void *)(intptr_t)i);
	for (int i = 0; i < 50; i++)
		sum += join(threads[i]);
	say("50 threads counted to %ld, results add up to %ld\n", counter, sum);
}

static void *take_turns(void *arg)
{
	int me = (int)(intptr_t)arg;

	for (int i = 0; i < 200; i++) {
		pthread_mutex_lock(&lock);
		while (turn != me)
			pthread_cond_wait(&changed, &lock);
		turn = (turn + 1) % 4;
		counter++;
		pthread_cond_broadcast(&changed);
		pthread_mutex_unlock(&lock);
	}
	return NULL;
}

static void test_condition(void)
{
	pthread_t threads[4];
	struct timespec soon;

	counter = turn = 0;
	for (int i = 0; i < 4; i++)
		threads[i] = start(take_turns, (void *)(intptr_t)i);
	for (int i = 0; i < 4; i++)
		join(threads[i]);
	show("turns taken", counter);
	clock_gettime(CLOCK_REALTIME, &soon);
	soon.tv_nsec += 20000000;
	if (soon.tv_nsec >= 1000000000) {
		soon.tv_nsec -= 1000000000;
		soon.tv_sec++;
	}
	pthread_mutex_lock(&lock);
	show_true("timed wait times out", pthread_cond_timedwait(&changed, &lock, &soon) == ETIMEDOUT);
	pthread_mutex_unlock(&lock);
}

static sem_t items, spaces;
static int ring[8];

static void *produce(void *arg)
{
	for (int i = 1; i <= 1000; i++) {
		sem_wait(&spaces);
		ring[i % 8] = i;
		sem_post(&items);
	}
	return arg;
}

static void test_semaphore(void)
{
	long sum = 0;

	sem_init(&items, 0, 0);
	sem_init(&spaces, 0, 8);
	pthread_t producer = start(produce, NULL);
	for (int i = 1; i <= 1000; i++) {
		sem_wait(&items);
		sum += ring[i % 8];
		sem_post(&spaces);
	}
	join(producer);
	show("produced and consumed", sum);
}

/* --- futex itself --- */

static long futex(void *word, int operation, int value, void *timeout, void *other, int last)
{
	return syscall(SYS_futex, word, operation, value, timeout, other, last);
}

static void *wait_on_word(void *word)
{
	long result = futex(word, FUTEX_WAIT, 0, NULL, NULL, 0);

	return (void *)(intptr_t)(result == 0 ? 1 : errno == EAGAIN ? 2 : 3);
}

static void test_futex(void)
{
	static int word, second;
	struct timespec brief = {.tv_nsec = 10000000}, bad = {.tv_nsec = -1};

	show("wait, other value", futex(&word, FUTEX_WAIT, 1, NULL, NULL, 0));
	show("wait, times out", futex(&word, FUTEX_WAIT, 0, &brief, NULL, 0));
	show("wait, bad time", futex(&word, FUTEX_WAIT, 0, &bad, NULL, 0));
	show("wait, unaligned", futex((char *)&word + 1, FUTEX_WAIT, 0, &brief, NULL, 0));
	show("wait, bad address", futex(bad_address, FUTEX_WAIT, 0, &brief, NULL, 0));
	show("wait, bad time address", futex(&word, FUTEX_WAIT, 0, bad_address, NULL, 0));
	show("wake nobody", futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
	show("bad operation", futex(&word, 99, 0, NULL, NULL, 0));
	pthread_t threads[5];
	for (int i = 0; i < 5; i++)
		threads[i] = start(wait_on_word, &word);
	sleep_ms(300);
	show("wake two", futex(&word, FUTEX_WAKE, 2, NULL, NULL, 0));
	show("move the others, waking one", futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)100, &second, 0));
	show("requeue, other value", futex(&word, FUTEX_CMP_REQUEUE, 1, (void *)100, &second, 9));
	show("none left at the first", futex(&word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0));
	show("two at the second", futex(&second, FUTEX_WAKE, INT_MAX, NULL, NULL, 0));
	long sum = 0;
	for (int i = 0; i < 5; i++)
		sum += join(threads[i]);
	show("all woken", sum);
	threads[0] = start(wait_on_word, &word);
	sleep_ms(50);
	show("bitset that does not match", futex(&word, FUTEX_WAKE_BITSET, 1, NULL, NULL, 0));
	show("wake", futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0));
	show("woken", join(threads[0]));

	/* Between processes, on shared memory. */
	int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();
	if (pid == 0) {
		while (*(volatile int *)shared == 0)
			futex(shared, FUTEX_WAIT, 0, NULL, NULL, 0);
		_exit(*(volatile int *)shared);
	}
	sleep_ms(50);
	*(volatile int *)shared = 9;
	futex(shared, FUTEX_WAKE, 1, NULL, NULL, 0);
	show_status("process woken", reap(pid));
	/* A private futex of a forked copy is another one. */
	pid = fork();
	if (pid == 0)
		_exit(futex(&word, FUTEX_WAIT, 0, &brief, NULL, 0) == -1 && errno == ETIMEDOUT ? 11 : 12);
	futex(&word, FUTEX_WAKE, 1, NULL, NULL, 0);
	show_status("copy not woken", reap(pid));
	munmap(shared, 4096);
}

/* --- threads and processes --- */

static void *sleep_long(void *arg)
{
	for (;;)
		sleep(100);
	return arg;
}

static void *spin(void *arg)
{
	for (;;)
		*(volatile long *)&counter += 1;
	return arg;
}

static void *leave(void *arg)
{
	sleep_ms(20);
	exit((int)(intptr_t)arg);
}

static void *leave_thread(void *arg) { pthread_exit(arg); }

static void *fault(void *arg)
{
	sleep_ms(20);
	*(volatile char *)bad_address = 1;
	return arg;
}

static int group_exit(void *arg)
{
	start(sleep_long, NULL);
	start(spin, NULL);
	start(leave, arg);
	sleep_long(NULL);
	return 1;
}

static int group_fault(void *arg)
{
	start(sleep_long, arg);
	start(spin, NULL);
	start(fault, NULL);
	sleep_long(NULL);
	return 1;
}

static void *finish_late(void *arg)
{
	sleep_ms(50);
	_exit((int)(intptr_t)arg);
}

static int main_leaves_first(void *arg)
{
	start(finish_late, arg);
	pthread_exit(NULL);
}

static int main_returns(void *arg)
{
	start(spin, NULL);
	return (int)(intptr_t)arg;
}

static int killed_whole(void *arg)
{
	start(spin, arg);
	start(sleep_long, NULL);
	sleep_ms(20);
	kill(getpid(), SIGKILL);
	return 1;
}

static char *self;

static void *exec_from_thread(void *arg)
{
	sleep_ms(20);
	execl(self, self, "exit", (char *)arg, (char *)NULL);
	return NULL;
}

static int exec_in_thread(void *arg)
{
	start(spin, NULL);
	start(exec_from_thread, arg);
	sleep_long(NULL);
	return 1;
}

static void *fork_from_thread(void *arg)
{
	own = 30;
	pid_t pid = fork();
	if (pid == 0) {
		/* One thread only, with this one's storage; a lock can be used. */
		pthread_t thread = start(leave_thread, (void *)4);
		_exit(own + (int)join(thread) + (int)(intptr_t)arg);
	}
	return (void *)(intptr_t)WEXITSTATUS(reap(pid));
}

static void test_processes(void)
{
	in_child("exit from a thread", group_exit, (void *)21);
	in_child("fault in a thread", group_fault, NULL);
	in_child("main thread leaves first", main_leaves_first, (void *)22);
	in_child("main returns", main_returns, (void *)23);
	in_child("killed", killed_whole, NULL);
	in_child("exec from a thread", exec_in_thread, (char *)"24");
	show("fork from a thread", join(start(fork_from_thread, (void *)1)));
	pthread_t others[10];
	for (int i = 0; i < 10; i++)
		others[i] = start(fork_from_thread, (void *)(intptr_t)i);
	long sum = 0;
	for (int i = 0; i < 10; i++)
		sum += join(others[i]);
	show("ten threads fork at once", sum);
}

/* --- signals --- */

static volatile sig_atomic_t caught_by_other;
static pthread_t target;

static void on_signal(int number)
{
	(void)number;
	caught_by_other = pthread_equal(pthread_self(), target);
}

static void *wait_for_signal(void *arg)
{
	sigset_t set;
	int number;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	sigwait(&set, &number);
	return (void *)(intptr_t)(number + (arg != NULL));
}

static void *interrupted_sleep(void *arg)
{
	struct timespec delay = {.tv_sec = 20};

	(void)arg;
	return (void *)(intptr_t)(nanosleep(&delay, NULL) == -1 && errno == EINTR);
}

static void test_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t set, old;

	sigaction(SIGUSR1, &action, NULL);
	target = start(interrupted_sleep, NULL);
	sleep_ms(50);
	pthread_kill(target, SIGUSR1);
	show("sleep interrupted", join(target));
	show("in the thread it was sent to", caught_by_other);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR2);
	pthread_sigmask(SIG_BLOCK, &set, &old);
	target = start(wait_for_signal, NULL);
	sleep_ms(20);
	kill(getpid(), SIGUSR2);
	show("process signal taken by the one that waits", join(target));
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	caught_by_other = 0;
	pthread_t inherits = start(wait_for_signal, &set);
	pthread_kill(inherits, SIGUSR1);
	pthread_kill(inherits, SIGUSR2);
	show("mask is inherited", join(inherits));
	pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static int stop_process(void *arg)
{
	(void)arg;
	start(spin, NULL);
	kill(getpid(), SIGSTOP);
	return 31;
}

static void test_stop(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(stop_process(NULL));
	waitpid(pid, &status, WUNTRACED);
	show_status("whole process stops", status);
	kill(pid, SIGCONT);
	show_status("and goes on", reap(pid));
}

static void *touch_stack(void *arg)
{
	volatile char deep[200000];

	memset((char *)deep, (int)(intptr_t)arg, sizeof deep);
	return (void *)(intptr_t)(deep[0] == deep[199999]);
}

static void test_many(void)
{
	long sum = 0;
	pthread_t threads[100];

	for (int i = 0; i < 500; i++)
		sum += join(start(leave_thread, (void *)(intptr_t)i));
	show("500 in turn", sum);
	sum = 0;
	for (int i = 0; i < 100; i++)
		threads[i] = start(touch_stack, (void *)(intptr_t)i);
	for (int i = 99; i >= 0; i--)
		sum += join(threads[i]);
	show("100 at once with stacks", sum);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "exit") == 0)
		return atoi(argv[2]);
	self = realpath("/proc/self/exe", NULL);
	if (self == NULL)
		give_up("/proc/self/exe");
	test_basic();
	test_mutex();
	test_condition();
	test_semaphore();
	test_futex();
	test_processes();
	test_signals();
	test_stop();
	test_many();
	return 0;
}
