/* Times in the structures users see. */
#ifndef SYSCALL_TIMECONV_H
#define SYSCALL_TIMECONV_H

#include "abi/resource.h"
#include "abi/time.h"
#include "lib/types.h"

static inline struct linux_timeval timeval_from_ns(uint64_t ns)
{
	return (struct linux_timeval){(int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC / NSEC_PER_USEC)};
}

static inline struct linux_timespec timespec_from_ns(uint64_t ns)
{
	return (struct linux_timespec){(int64_t)(ns / NSEC_PER_SEC), (int64_t)(ns % NSEC_PER_SEC)};
}

/* Ticks of times(2) and /proc. */
static inline int64_t ticks_from_ns(uint64_t ns) { return (int64_t)(ns / (NSEC_PER_SEC / USER_HZ)); }

/* Saturating; the caller has checked that ts is valid. */
static inline uint64_t ns_from_timespec(const struct linux_timespec *ts)
{
	if ((uint64_t)ts->sec >= INT64_MAX / NSEC_PER_SEC)
		return INT64_MAX;
	return (uint64_t)ts->sec * NSEC_PER_SEC + (uint64_t)ts->nsec;
}

static inline uint64_t ns_from_timeval(const struct linux_timeval *tv)
{
	struct linux_timespec ts = {tv->sec, tv->usec * (int64_t)NSEC_PER_USEC};

	return ns_from_timespec(&ts);
}

static inline bool timespec_is_valid(const struct linux_timespec *ts)
{
	return ts->sec >= 0 && ts->nsec >= 0 && ts->nsec < (int64_t)NSEC_PER_SEC;
}

static inline bool timeval_is_valid(const struct linux_timeval *tv)
{
	return tv->sec >= 0 && tv->usec >= 0 && tv->usec < 1000000;
}

#endif
