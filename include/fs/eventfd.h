/* eventfd(2), timerfd_create(2), signalfd(2) in the kernel's terms. */
#ifndef FS_EVENTFD_H
#define FS_EVENTFD_H

#include "abi/time.h"
#include "fs/vfs.h"

/* flags: O_NONBLOCK. -ENOMEM. */
MUST_CHECK int eventfd_create_file(uint64_t count, bool is_semaphore, unsigned flags, struct file **out);

/* clock: CLOCK_REALTIME, MONOTONIC or BOOTTIME (the caller checked). */
MUST_CHECK int timerfd_create_file(int clock, unsigned flags, struct file **out);
/* The functions below: -EINVAL when the file is no timerfd, signalfd. */
/* new_value was validated (nsec < 1e9, sec >= 0). old: what was left, as timerfd_gettime. */
MUST_CHECK int timerfd_set(struct file *file, bool is_absolute, const struct linux_itimerspec *new_value,
			   struct linux_itimerspec *old);
MUST_CHECK int timerfd_get(struct file *file, struct linux_itimerspec *out);

MUST_CHECK int signalfd_create_file(uint64_t mask, unsigned flags, struct file **out);
MUST_CHECK int signalfd_set_mask(struct file *file, uint64_t mask);

#endif
