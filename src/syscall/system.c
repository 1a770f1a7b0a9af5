/*
 * System calls about the machine as a whole and odds and ends of the caller: uname, sysinfo,
 * reboot, getrandom, prctl, personality, membarrier. Sources: their man pages.
 */
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/usercopy.h"
#include "sched/cred.h"
#include "sched/uts.h"
#include "syscall/syscall.h"
#include "syscall/timeconv.h"

SYSCALL_DEFINE(uname) { return copy_to_user(uaddr(args[0]), &kernel_uts, sizeof(kernel_uts)); }

static int64_t set_name(char field[UTS_FIELD_BYTES], uint64_t addr, uint64_t length)
{
	char name[UTS_FIELD_BYTES] = {0};

	if (!current_has_cap(CAP_SYS_ADMIN))
		return -EPERM;
	if (length >= sizeof(name))
		return -EINVAL;
	if (copy_from_user(name, uaddr(addr), length) != 0)
		return -EFAULT;
	memcpy(field, name, sizeof(name));
	return 0;
}

SYSCALL_DEFINE(sethostname) { return set_name(kernel_uts.nodename, args[0], args[1]); }
SYSCALL_DEFINE(setdomainname) { return set_name(kernel_uts.domainname, args[0], args[1]); }

SYSCALL_DEFINE(sysinfo)
{
	struct linux_sysinfo info = {.uptime = (int64_t)(arch_time_ns() / NSEC_PER_SEC), .mem_unit = 1};
	struct frame_stats frames;
	uint32_t load[3];
	unsigned running, nr_tasks;
	int last_pid;

	frame_get_stats(&frames);
	sched_get_load(load, &running, &nr_tasks, &last_pid);
	for (unsigned i = 0; i < 3; i++)
		info.loads[i] = load[i];
	info.totalram = frames.nr_total * PAGE_SIZE;
	info.freeram = frames.nr_free * PAGE_SIZE;
	info.procs = (uint16_t)nr_tasks;
	return copy_to_user(uaddr(args[0]), &info, sizeof(info));
}

SYSCALL_DEFINE(reboot)
{
	uint32_t magic2 = (uint32_t)args[1];

	if (!current_has_cap(CAP_SYS_BOOT))
		return -EPERM;
	if ((uint32_t)args[0] != LINUX_REBOOT_MAGIC1 ||
	    (magic2 != LINUX_REBOOT_MAGIC2 && magic2 != LINUX_REBOOT_MAGIC2A &&
	     magic2 != LINUX_REBOOT_MAGIC2B && magic2 != LINUX_REBOOT_MAGIC2C))
		return -EINVAL;
	switch ((uint32_t)args[2]) {
	case LINUX_REBOOT_CMD_POWER_OFF:
	case LINUX_REBOOT_CMD_HALT: vfs_sync_all(); arch_power_off(0);
	case LINUX_REBOOT_CMD_RESTART:
	case LINUX_REBOOT_CMD_RESTART2: vfs_sync_all(); arch_reboot();
	case LINUX_REBOOT_CMD_CAD_ON:
	case LINUX_REBOOT_CMD_CAD_OFF: return 0;
	default: return -EINVAL;
	}
}

SYSCALL_DEFINE(getrandom)
{
	uint8_t chunk[256];
	uint64_t done = 0, size = MIN(args[1], (uint64_t)INT32_MAX);
	unsigned flags = (unsigned)args[2];
	int r = 0;

	if ((flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE)) != 0 ||
	    (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
		return -EINVAL;
	while (done < size) {
		size_t n = MIN(size - done, sizeof(chunk));

		arch_random(chunk, n);
		r = copy_to_user(uaddr(args[0] + done), chunk, n);
		if (r != 0)
			break;
		done += n;
		if (signal_is_pending(current_task()))
			break;
	}
	memset(chunk, 0, sizeof(chunk));
	return done > 0 ? (int64_t)done : r;
}

SYSCALL_DEFINE(personality)
{
	struct process *p = current_process();
	uint32_t old = p->personality;

	if ((uint32_t)args[0] != UINT32_MAX)
		p->personality = (uint32_t)args[0];
	return old;
}

/* One CPU: every task sees memory in order already. */
SYSCALL_DEFINE(membarrier)
{
	const int known = MEMBARRIER_CMD_GLOBAL | MEMBARRIER_CMD_GLOBAL_EXPEDITED |
			  MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED | MEMBARRIER_CMD_PRIVATE_EXPEDITED |
			  MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
	int cmd = (int)args[0];

	if (args[1] != 0)
		return -EINVAL;
	if (cmd == MEMBARRIER_CMD_QUERY)
		return known;
	return (cmd & known) == cmd && (cmd & (cmd - 1)) == 0 ? 0 : -EINVAL;
}

/* ---- prctl --------------------------------------------------------------- */

static int64_t set_name_of_task(struct task *me, uint64_t addr)
{
	char name[TASK_NAME_MAX];
	int64_t n = strncpy_from_user(name, uaddr(addr), sizeof(name));

	if (n == -ENAMETOOLONG) { /* cut, as Linux does */
		if (copy_from_user(name, uaddr(addr), sizeof(name) - 1) != 0)
			return -EFAULT;
		name[sizeof(name) - 1] = '\0';
		n = 0;
	}
	if (n < 0)
		return n;
	str_copy(me->name, name, sizeof(me->name));
	return 0;
}

static int64_t put_int(uint64_t addr, int value) { return copy_to_user(uaddr(addr), &value, sizeof(value)); }

static bool rest_is_zero(const uint64_t args[6]) { return args[2] == 0 && args[3] == 0 && args[4] == 0; }

/* Calls about the process and its relatives. */
static int64_t prctl_process(struct task *me, const uint64_t args[6])
{
	struct process *p = me->process;

	switch ((int)args[0]) {
	case PR_SET_PDEATHSIG:
		if (args[1] > NR_SIGNALS)
			return -EINVAL;
		me->pdeath_signal = (int)args[1];
		return 0;
	case PR_GET_PDEATHSIG: return put_int(args[1], me->pdeath_signal);
	case PR_GET_DUMPABLE: return p->is_dumpable;
	case PR_SET_DUMPABLE:
		if (args[1] > 1)
			return -EINVAL;
		p->is_dumpable = args[1] != 0;
		return 0;
	case PR_SET_CHILD_SUBREAPER: p->is_subreaper = args[1] != 0; return 0;
	case PR_GET_CHILD_SUBREAPER: return put_int(args[1], p->is_subreaper);
	default: return -EINVAL;
	}
}

static int64_t prctl_thread(struct task *me, const uint64_t args[6])
{
	switch ((int)args[0]) {
	case PR_SET_NAME: return set_name_of_task(me, args[1]);
	case PR_GET_NAME: return copy_to_user(uaddr(args[1]), me->name, sizeof(me->name));
	case PR_GET_KEEPCAPS: return me->keep_caps;
	case PR_SET_KEEPCAPS:
		if (args[1] > 1)
			return -EINVAL;
		me->keep_caps = args[1] != 0;
		return 0;
	case PR_CAPBSET_READ: return args[1] <= LINUX_CAP_LAST ? 1 : -EINVAL;
	case PR_GET_SECUREBITS: return 0;
	case PR_SET_TIMERSLACK: me->timer_slack_ns = args[1] != 0 ? args[1] : 50000; return 0;
	case PR_GET_TIMERSLACK: return (int64_t)me->timer_slack_ns;
	case PR_SET_NO_NEW_PRIVS:
		if (args[1] != 1 || !rest_is_zero(args))
			return -EINVAL;
		me->no_new_privs = true;
		return 0;
	case PR_GET_NO_NEW_PRIVS: return args[1] == 0 && rest_is_zero(args) ? me->no_new_privs : -EINVAL;
	case PR_GET_TID_ADDRESS:
		return copy_to_user(uaddr(args[1]), &me->clear_child_tid.raw, sizeof(uint64_t));
	default: return prctl_process(me, args);
	}
}

SYSCALL_DEFINE(prctl) { return prctl_thread(current_task(), args); }
