/* Timeouts and signal masks of poll, select, epoll_wait and their relatives: src/syscall/poll_time.c. */
#ifndef SYSCALL_POLL_TIME_H
#define SYSCALL_POLL_TIME_H

#include "lib/types.h"

/*
 * The moment (arch_time_ns) a relative timeout ends: 0 for a timeout of 0 (do not wait),
 * WAIT_FOREVER for a negative one or a NULL pointer. -EFAULT, -EINVAL.
 */
uint64_t poll_deadline_ms(int timeout_ms);
MUST_CHECK int poll_deadline_timespec(uint64_t user, uint64_t *deadline_ns);
MUST_CHECK int poll_deadline_timeval(uint64_t user, uint64_t *deadline_ns);
/* Linux writes back what is left; a bad address is no error by then. */
void poll_put_remaining_timespec(uint64_t user, uint64_t deadline_ns);
void poll_put_remaining_timeval(uint64_t user, uint64_t deadline_ns);

/* The temporary signal mask of ppoll and friends; user 0: none. -EINVAL (size), -EFAULT. */
MUST_CHECK int poll_sigmask_enter(uint64_t user, uint64_t size_bytes);
/* is_interrupted: the call ends with -EINTR, the mask is restored after the handler. */
void poll_sigmask_leave(uint64_t user, bool is_interrupted);

#endif
