/*
 * Timeouts and temporary signal masks of the calls that wait for files. Pure
 * conversions of user arguments; owns nothing.
 */
#include "syscall/poll_time.h"

#include "abi/errno.h"
#include "abi/time.h"
#include "mm/usercopy.h"
#include "sched/task.h"

/* now + delay, saturating below WAIT_FOREVER; 0 stays 0: do not wait. */
static uint64_t deadline_after(uint64_t delay_ns)
{
	uint64_t now = arch_time_ns();

	if (delay_ns == 0)
		return 0;
	return delay_ns >= WAIT_FOREVER - 1 - now ? WAIT_FOREVER - 1 : now + delay_ns;
}

static uint64_t saturating_ns(uint64_t sec, uint64_t nsec)
{
	return sec > UINT64_MAX / NSEC_PER_SEC - 1 ? UINT64_MAX : sec * NSEC_PER_SEC + nsec;
}

uint64_t poll_deadline_ms(int timeout_ms)
{
	return timeout_ms < 0 ? WAIT_FOREVER : deadline_after((uint64_t)timeout_ms * NSEC_PER_MSEC);
}

int poll_deadline_timespec(uint64_t user, uint64_t *deadline_ns)
{
	struct linux_timespec t;

	*deadline_ns = WAIT_FOREVER;
	if (user == 0)
		return 0;
	if (copy_from_user(&t, uaddr(user), sizeof(t)) != 0)
		return -EFAULT;
	if (t.sec < 0 || t.nsec < 0 || (uint64_t)t.nsec >= NSEC_PER_SEC)
		return -EINVAL;
	*deadline_ns = deadline_after(saturating_ns((uint64_t)t.sec, (uint64_t)t.nsec));
	return 0;
}

int poll_deadline_timeval(uint64_t user, uint64_t *deadline_ns)
{
	struct linux_timeval t;

	*deadline_ns = WAIT_FOREVER;
	if (user == 0)
		return 0;
	if (copy_from_user(&t, uaddr(user), sizeof(t)) != 0)
		return -EFAULT;
	if (t.sec < 0 || t.usec < 0)
		return -EINVAL;
	/* As Linux: a microsecond count of a second and more is carried. */
	*deadline_ns = deadline_after(saturating_ns((uint64_t)t.sec + (uint64_t)t.usec / 1000000u,
						    (uint64_t)t.usec % 1000000u * NSEC_PER_USEC));
	return 0;
}

static uint64_t remaining_ns(uint64_t deadline_ns)
{
	uint64_t now = arch_time_ns();

	return deadline_ns > now ? deadline_ns - now : 0;
}

void poll_put_remaining_timespec(uint64_t user, uint64_t deadline_ns)
{
	uint64_t left = remaining_ns(deadline_ns);
	struct linux_timespec t = {(int64_t)(left / NSEC_PER_SEC), (int64_t)(left % NSEC_PER_SEC)};

	if (user != 0)
		(void)!copy_to_user(uaddr(user), &t, sizeof(t));
}

void poll_put_remaining_timeval(uint64_t user, uint64_t deadline_ns)
{
	uint64_t left = remaining_ns(deadline_ns);
	struct linux_timeval t = {(int64_t)(left / NSEC_PER_SEC),
				  (int64_t)(left % NSEC_PER_SEC / NSEC_PER_USEC)};

	if (user != 0)
		(void)!copy_to_user(uaddr(user), &t, sizeof(t));
}

int poll_sigmask_enter(uint64_t user, uint64_t size_bytes)
{
	uint64_t mask;

	if (user == 0)
		return 0;
	if (size_bytes != sizeof(mask))
		return -EINVAL;
	if (copy_from_user(&mask, uaddr(user), sizeof(mask)) != 0)
		return -EFAULT;
	signal_set_temporary_mask(mask);
	return 0;
}

void poll_sigmask_leave(uint64_t user, bool is_interrupted)
{
	if (user != 0 && !is_interrupted)
		signal_restore_saved_mask();
}
