/*
 * t_time.c - clocks go forward, sleeps last, processor time counts, and the
 * errors. Only bounds are printed, never a time.
 */
#define _GNU_SOURCE
#include "check.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/times.h>

static double seconds(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) != 0)
		give_up("clock_gettime");
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Use the processor until the clock has gone on by `amount` seconds. */
static void burn(clockid_t clock, double amount)
{
	double start = seconds(clock);

	while (seconds(clock) - start < amount)
		for (int i = 0; i < 10000; i++)
			__asm__ volatile("" : : "r"(i));
}

static void test_clocks(void)
{
	static const clockid_t clocks[] = {
		CLOCK_REALTIME,		CLOCK_MONOTONIC, CLOCK_MONOTONIC_RAW,	   CLOCK_REALTIME_COARSE,
		CLOCK_MONOTONIC_COARSE, CLOCK_BOOTTIME,	 CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID};
	struct timespec now, resolution;

	for (size_t i = 0; i < COUNT_OF(clocks); i++) {
		say("clock %d: ", (int)clocks[i]);
		show("gettime", clock_gettime(clocks[i], &now));
		show("getres", clock_getres(clocks[i], &resolution));
		show_true("resolution is fine enough",
			  resolution.tv_sec == 0 && resolution.tv_nsec <= 10000000);
	}
	show("bad clock", clock_gettime(1234, &now));
	show("bad clock's resolution", clock_getres(1234, NULL));
	show("raw, bad address", syscall(SYS_clock_gettime, CLOCK_MONOTONIC, bad_address));
	int backwards = 0;
	double last = seconds(CLOCK_MONOTONIC);
	for (int i = 0; i < 10000; i++) {
		double next = seconds(CLOCK_MONOTONIC);
		backwards += next < last;
		last = next;
	}
	show("monotonic went backwards", backwards);
	struct timeval day;
	gettimeofday(&day, NULL);
	double difference = (double)time(NULL) - seconds(CLOCK_REALTIME);
	show_true("time agrees with the clock", difference > -2 && difference < 2);
	difference = (double)day.tv_sec - seconds(CLOCK_REALTIME);
	show_true("gettimeofday agrees", difference > -2 && difference < 2);
	show_true("it is past 2020", time(NULL) > 1577836800);
	show("clock_settime of monotonic", clock_settime(CLOCK_MONOTONIC, &now));
}

static void test_sleeps(void)
{
	struct timespec delay = {.tv_nsec = 50000000}, left, at;
	double start = seconds(CLOCK_MONOTONIC), took;

	show("nanosleep", nanosleep(&delay, NULL));
	took = seconds(CLOCK_MONOTONIC) - start;
	show_true("50 ms took 50 ms at least", took >= 0.05);
	show_true("and not seconds", took < 5);
	show("zero", nanosleep(&(struct timespec){0, 0}, NULL));
	show("negative", nanosleep(&(struct timespec){-1, 0}, NULL));
	show("too many nanoseconds", nanosleep(&(struct timespec){0, 1000000000}, NULL));
	show("bad address", nanosleep(bad_address, &left));
	clock_gettime(CLOCK_MONOTONIC, &at);
	at.tv_nsec += 30000000;
	if (at.tv_nsec >= 1000000000) {
		at.tv_nsec -= 1000000000;
		at.tv_sec++;
	}
	errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	show("absolute sleep", errno == 0 ? 0 : -1);
	show_true("was long enough",
		  seconds(CLOCK_MONOTONIC) >= (double)at.tv_sec + (double)at.tv_nsec / 1e9 - 1e-6);
	at = (struct timespec){.tv_nsec = 1};
	start = seconds(CLOCK_MONOTONIC);
	errno = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL);
	show_true("a past time returns at once", errno == 0 && seconds(CLOCK_MONOTONIC) - start < 1);
	errno = clock_nanosleep(CLOCK_THREAD_CPUTIME_ID, 0, &delay, NULL);
	show("sleep on the thread's processor time", -1);
	start = seconds(CLOCK_MONOTONIC);
	show("usleep", usleep(20000));
	show_true("usleep was long enough", seconds(CLOCK_MONOTONIC) - start >= 0.02);

	/* Sleepers end in the order of their delays. */
	int ends[2];
	char order[4] = "";
	if (pipe(ends) != 0)
		give_up("pipe");
	for (int i = 3; i > 0; i--)
		if (fork() == 0) {
			sleep_ms(150 * i);
			(void)!write(ends[1], &"0123"[i], 1);
			_exit(0);
		}
	while (wait(NULL) > 0)
		continue;
	(void)!read(ends[0], order, 3);
	say("order of three sleepers: %s\n", order);
	close(ends[0]);
	close(ends[1]);
}

static void test_processor_time(void)
{
	struct tms before, after;
	struct rusage usage;
	double start = seconds(CLOCK_PROCESS_CPUTIME_ID);

	show_true("times", times(&before) != (clock_t)-1);
	burn(CLOCK_PROCESS_CPUTIME_ID, 0.1);
	times(&after);
	show_true("user time grew",
		  after.tms_utime + after.tms_stime - before.tms_utime - before.tms_stime >= 8);
	sleep_ms(100);
	show_true("sleeping costs little", seconds(CLOCK_PROCESS_CPUTIME_ID) - start < 3);
	getrusage(RUSAGE_SELF, &usage);
	show_true("getrusage agrees", (double)usage.ru_utime.tv_sec + (double)usage.ru_stime.tv_sec +
						      (double)usage.ru_utime.tv_usec / 1e6 +
						      (double)usage.ru_stime.tv_usec / 1e6 >=
					      0.08);
	show_true("maximum size is known", usage.ru_maxrss > 0);
	pid_t pid = fork();
	if (pid == 0) {
		times(&before);
		burn(CLOCK_PROCESS_CPUTIME_ID, 0.1);
		_exit(before.tms_utime + before.tms_stime > 3);
	}
	show_status("a child starts from zero", reap(pid));
	times(&after);
	show_true("children's time is added by wait", after.tms_cutime + after.tms_cstime >= 8);
	getrusage(RUSAGE_CHILDREN, &usage);
	show_true("RUSAGE_CHILDREN",
		  (double)usage.ru_utime.tv_usec + (double)usage.ru_stime.tv_usec >= 80000 ||
			  usage.ru_utime.tv_sec > 0);
	show("getrusage of nobody", getrusage((__rusage_who_t)77, &usage));
	show("ticks in a second", sysconf(_SC_CLK_TCK));
}

int main(void)
{
	test_clocks();
	test_sleeps();
	test_processor_time();
	return 0;
}
