/* Clocks and time structures: clock_gettime(2), setitimer(2), timer_create(2). */
#ifndef ABI_TIME_H
#define ABI_TIME_H

#include <stdint.h>

#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
#define CLOCK_PROCESS_CPUTIME_ID 2
#define CLOCK_THREAD_CPUTIME_ID 3
#define CLOCK_MONOTONIC_RAW 4
#define CLOCK_REALTIME_COARSE 5
#define CLOCK_MONOTONIC_COARSE 6
#define CLOCK_BOOTTIME 7
#define CLOCK_REALTIME_ALARM 8
#define CLOCK_BOOTTIME_ALARM 9
#define CLOCK_TAI 11
#define TIMER_ABSTIME 1

#define ITIMER_REAL 0
#define ITIMER_VIRTUAL 1
#define ITIMER_PROF 2

#define NSEC_PER_SEC UINT64_C(1000000000)
#define NSEC_PER_USEC UINT64_C(1000)
#define NSEC_PER_MSEC UINT64_C(1000000)
/* Clock ticks a second as users see them (times(2), /proc, AT_CLKTCK). */
#define USER_HZ 100

struct linux_timespec { int64_t sec, nsec; };
struct linux_timeval { int64_t sec, usec; };
struct linux_itimerspec { struct linux_timespec interval, value; };
struct linux_itimerval { struct linux_timeval interval, value; };
struct linux_timezone { int32_t minuteswest, dsttime; };
struct linux_tms { int64_t utime, stime, cutime, cstime; };

/* struct timex of adjtimex(2). */
struct linux_timex {
	uint32_t modes, pad0;
	int64_t offset, freq, maxerror, esterror;
	int32_t status, pad1;
	int64_t constant, precision, tolerance;
	struct linux_timeval time;
	int64_t tick, ppsfreq, jitter;
	int32_t shift, pad2;
	int64_t stabil, jitcnt, calcnt, errcnt, stbcnt;
	int32_t tai, pad3[11];
};
_Static_assert(sizeof(struct linux_timex) == 208, "struct timex is 208 bytes");

#endif
