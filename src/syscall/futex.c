/* futex(2): decoding of operations and timeouts; the work is in src/sched/futex.c. */
#include "sched/futex.h"

#include "abi/errno.h"
#include "abi/futex.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "syscall/syscall.h"
#include "syscall/timeconv.h"

/* An interrupted wait with a timeout goes on until the same deadline. restart_arg: as futex_wait()'s. */
static int64_t wait_restart(struct task *me)
{
	uint64_t *a = me->restart_arg;
	int r = futex_wait(uaddr(a[0]), a[1] != 0, (uint32_t)a[2], a[3], (uint32_t)a[4]);

	if (r != -EINTR)
		return r;
	if (a[3] == WAIT_FOREVER)
		return -ERESTARTSYS;
	me->restart_fn = wait_restart;
	return -ERESTART_RESTARTBLOCK;
}

/* FUTEX_WAIT's timeout is relative, FUTEX_WAIT_BITSET's a time of one of two clocks. */
static int get_deadline(uint64_t addr, int op, uint64_t *deadline)
{
	struct linux_timespec ts;
	uint64_t ns;

	*deadline = WAIT_FOREVER;
	if (addr == 0)
		return 0;
	if (copy_from_user(&ts, uaddr(addr), sizeof(ts)) != 0)
		return -EFAULT;
	if (!timespec_is_valid(&ts))
		return -EINVAL;
	ns = ns_from_timespec(&ts);
	if ((op & FUTEX_CMD_MASK) == FUTEX_WAIT)
		*deadline = arch_time_ns() + ns;
	else
		*deadline = (op & FUTEX_CLOCK_REALTIME) != 0 ? realtime_to_deadline(ns) : ns;
	return 0;
}

static int64_t wait(const uint64_t args[6], bool is_private, uint32_t bitset)
{
	struct task *me = current_task();
	uint64_t deadline;
	int r = get_deadline(args[3], (int)args[1], &deadline);

	if (r != 0)
		return r;
	me->restart_arg[0] = args[0];
	me->restart_arg[1] = is_private;
	me->restart_arg[2] = (uint32_t)args[2];
	me->restart_arg[3] = deadline;
	me->restart_arg[4] = bitset;
	return wait_restart(me);
}

SYSCALL_DEFINE(futex)
{
	int op = (int)args[1], nr = (int)args[2];
	bool is_private = (op & FUTEX_PRIVATE_FLAG) != 0;
	uaddr_t addr = uaddr(args[0]), addr2 = uaddr(args[4]);

	switch (op & FUTEX_CMD_MASK) {
	case FUTEX_WAIT: return wait(args, is_private, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAIT_BITSET: return wait(args, is_private, (uint32_t)args[5]);
	case FUTEX_WAKE: return futex_wake(addr, is_private, nr, FUTEX_BITSET_MATCH_ANY);
	case FUTEX_WAKE_BITSET: return futex_wake(addr, is_private, nr, (uint32_t)args[5]);
	case FUTEX_REQUEUE: return futex_requeue(addr, addr2, is_private, nr, (int)args[3], false, 0);
	case FUTEX_CMP_REQUEUE:
		return futex_requeue(addr, addr2, is_private, nr, (int)args[3], true, (uint32_t)args[5]);
	case FUTEX_WAKE_OP:
		return futex_wake_op(addr, addr2, is_private, nr, (int)args[3], (uint32_t)args[5]);
	default: return -ENOSYS;
	}
}
