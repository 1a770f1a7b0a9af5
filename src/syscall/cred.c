/*
 * User and group ids and capabilities of the calling thread. Sources: credentials(7),
 * capabilities(7) ("Effect of user ID changes on capabilities"), the calls' man pages.
 */
#include "abi/errno.h"
#include "abi/sched.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "sched/cred.h"
#include "syscall/syscall.h"

#define NO_ID UINT32_MAX /* "leave unchanged" */

static struct cred *my_cred(void) { return &current_task()->cred; }

SYSCALL_DEFINE(getuid)
{
	(void)args;
	return my_cred()->uid;
}

SYSCALL_DEFINE(geteuid)
{
	(void)args;
	return my_cred()->euid;
}

SYSCALL_DEFINE(getgid)
{
	(void)args;
	return my_cred()->gid;
}

SYSCALL_DEFINE(getegid)
{
	(void)args;
	return my_cred()->egid;
}

/* Capabilities follow the user ids to and from 0. */
static void commit_uids(struct cred *c, const struct cred *old)
{
	bool had_root = old->uid == 0 || old->euid == 0 || old->suid == 0;
	bool has_root = c->uid == 0 || c->euid == 0 || c->suid == 0;

	c->fsuid = c->euid;
	if (had_root && !has_root && !current_task()->keep_caps)
		c->cap_permitted = c->cap_effective = 0;
	if (old->euid == 0 && c->euid != 0)
		c->cap_effective = 0;
	if (old->euid != 0 && c->euid == 0)
		c->cap_effective = c->cap_permitted;
	*my_cred() = *c;
}

static void commit_gids(struct cred *c)
{
	c->fsgid = c->egid;
	*my_cred() = *c;
}

SYSCALL_DEFINE(setuid)
{
	uint32_t uid = (uint32_t)args[0];
	struct cred c = *my_cred(), old = c;

	if (uid == NO_ID)
		return -EINVAL;
	if (cred_has_cap(&c, CAP_SETUID))
		c.uid = c.suid = uid;
	else if (uid != c.uid && uid != c.suid)
		return -EPERM;
	c.euid = uid;
	commit_uids(&c, &old);
	return 0;
}

SYSCALL_DEFINE(setgid)
{
	uint32_t gid = (uint32_t)args[0];
	struct cred c = *my_cred();

	if (gid == NO_ID)
		return -EINVAL;
	if (cred_has_cap(&c, CAP_SETGID))
		c.gid = c.sgid = gid;
	else if (gid != c.gid && gid != c.sgid)
		return -EPERM;
	c.egid = gid;
	commit_gids(&c);
	return 0;
}

static bool is_one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
	return id == NO_ID || id == a || id == b || id == c;
}

SYSCALL_DEFINE(setreuid)
{
	uint32_t ruid = (uint32_t)args[0], euid = (uint32_t)args[1];
	struct cred c = *my_cred(), old = c;

	if (!cred_has_cap(&c, CAP_SETUID) &&
	    (!is_one_of(ruid, c.uid, c.euid, c.euid) || !is_one_of(euid, c.uid, c.euid, c.suid)))
		return -EPERM;
	if (ruid != NO_ID)
		c.uid = ruid;
	if (euid != NO_ID)
		c.euid = euid;
	if (ruid != NO_ID || (euid != NO_ID && euid != old.uid))
		c.suid = c.euid;
	commit_uids(&c, &old);
	return 0;
}

SYSCALL_DEFINE(setregid)
{
	uint32_t rgid = (uint32_t)args[0], egid = (uint32_t)args[1];
	struct cred c = *my_cred(), old = c;

	if (!cred_has_cap(&c, CAP_SETGID) &&
	    (!is_one_of(rgid, c.gid, c.egid, c.egid) || !is_one_of(egid, c.gid, c.egid, c.sgid)))
		return -EPERM;
	if (rgid != NO_ID)
		c.gid = rgid;
	if (egid != NO_ID)
		c.egid = egid;
	if (rgid != NO_ID || (egid != NO_ID && egid != old.gid))
		c.sgid = c.egid;
	commit_gids(&c);
	return 0;
}

SYSCALL_DEFINE(setresuid)
{
	const uint32_t want[3] = {(uint32_t)args[0], (uint32_t)args[1], (uint32_t)args[2]};
	struct cred c = *my_cred(), old = c;

	for (unsigned i = 0; i < 3; i++)
		if (!cred_has_cap(&c, CAP_SETUID) && !is_one_of(want[i], c.uid, c.euid, c.suid))
			return -EPERM;
	if (want[0] != NO_ID)
		c.uid = want[0];
	if (want[1] != NO_ID)
		c.euid = want[1];
	if (want[2] != NO_ID)
		c.suid = want[2];
	commit_uids(&c, &old);
	return 0;
}

SYSCALL_DEFINE(setresgid)
{
	const uint32_t want[3] = {(uint32_t)args[0], (uint32_t)args[1], (uint32_t)args[2]};
	struct cred c = *my_cred();

	for (unsigned i = 0; i < 3; i++)
		if (!cred_has_cap(&c, CAP_SETGID) && !is_one_of(want[i], c.gid, c.egid, c.sgid))
			return -EPERM;
	if (want[0] != NO_ID)
		c.gid = want[0];
	if (want[1] != NO_ID)
		c.egid = want[1];
	if (want[2] != NO_ID)
		c.sgid = want[2];
	commit_gids(&c);
	return 0;
}

static int put_three(const uint64_t args[6], uint32_t a, uint32_t b, uint32_t c)
{
	const uint32_t values[3] = {a, b, c};

	for (unsigned i = 0; i < 3; i++)
		if (copy_to_user(uaddr(args[i]), &values[i], sizeof(values[i])) != 0)
			return -EFAULT;
	return 0;
}

SYSCALL_DEFINE(getresuid)
{
	const struct cred *c = my_cred();

	return put_three(args, c->uid, c->euid, c->suid);
}

SYSCALL_DEFINE(getresgid)
{
	const struct cred *c = my_cred();

	return put_three(args, c->gid, c->egid, c->sgid);
}

/* Return the previous id, whether or not it was changed. */
SYSCALL_DEFINE(setfsuid)
{
	struct cred *c = my_cred();
	uint32_t uid = (uint32_t)args[0], old = c->fsuid;

	if (uid != NO_ID &&
	    (cred_has_cap(c, CAP_SETUID) || is_one_of(uid, c->uid, c->euid, c->suid) || uid == old))
		c->fsuid = uid;
	return old;
}

SYSCALL_DEFINE(setfsgid)
{
	struct cred *c = my_cred();
	uint32_t gid = (uint32_t)args[0], old = c->fsgid;

	if (gid != NO_ID &&
	    (cred_has_cap(c, CAP_SETGID) || is_one_of(gid, c->gid, c->egid, c->sgid) || gid == old))
		c->fsgid = gid;
	return old;
}

SYSCALL_DEFINE(getgroups)
{
	const struct cred *c = my_cred();
	int size = (int)args[0];

	if (size < 0)
		return -EINVAL;
	if (size == 0)
		return c->nr_groups;
	if ((unsigned)size < c->nr_groups)
		return -EINVAL;
	if (copy_to_user(uaddr(args[1]), c->groups, c->nr_groups * sizeof(c->groups[0])) != 0)
		return -EFAULT;
	return c->nr_groups;
}

SYSCALL_DEFINE(setgroups)
{
	struct cred *c = my_cred();
	uint32_t groups[NR_GROUPS_MAX];
	uint64_t nr = args[0];

	if (!cred_has_cap(c, CAP_SETGID))
		return -EPERM;
	if (nr > NR_GROUPS_MAX)
		return -EINVAL;
	if (copy_from_user(groups, uaddr(args[1]), nr * sizeof(groups[0])) != 0)
		return -EFAULT;
	memcpy(c->groups, groups, nr * sizeof(groups[0]));
	c->nr_groups = (unsigned)nr;
	return 0;
}

/* ---- capget(2), capset(2) ------------------------------------------------ */

/* The number of 32-bit halves of a version; 0: the version was not known, and ours is told. */
static int header_halves(uint64_t addr, struct linux_cap_header *h, unsigned *halves)
{
	if (copy_from_user(h, uaddr(addr), sizeof(*h)) != 0)
		return -EFAULT;
	switch (h->version) {
	case LINUX_CAPABILITY_VERSION_1: *halves = 1; return 0;
	case LINUX_CAPABILITY_VERSION_2:
	case LINUX_CAPABILITY_VERSION_3: *halves = 2; return 0;
	default:
		*halves = 0;
		h->version = LINUX_CAPABILITY_VERSION_3;
		return copy_to_user(uaddr(addr), &h->version, sizeof(h->version));
	}
}

SYSCALL_DEFINE(capget)
{
	struct linux_cap_header h;
	struct linux_cap_data data[2];
	struct task *t;
	unsigned halves;
	int r = header_halves(args[0], &h, &halves);

	if (r != 0)
		return r;
	if (halves == 0)
		return args[1] == 0 ? 0 : -EINVAL;
	if (h.pid < 0)
		return -EINVAL;
	t = task_find(h.pid != 0 ? h.pid : current_task()->tid);
	if (t == NULL)
		return -ESRCH;
	for (unsigned i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(t->cred.cap_effective >> (32 * i));
		data[i].permitted = (uint32_t)(t->cred.cap_permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(t->cred.cap_inheritable >> (32 * i));
	}
	task_put(t);
	return args[1] != 0 ? copy_to_user(uaddr(args[1]), data, halves * sizeof(data[0])) : 0;
}

static uint64_t join(uint32_t low, uint32_t high) { return (low | (uint64_t)high << 32) & LINUX_CAP_FULL; }

SYSCALL_DEFINE(capset)
{
	struct cred *c = my_cred();
	struct linux_cap_header h;
	struct linux_cap_data data[2] = {{0}};
	uint64_t effective, permitted, inheritable;
	unsigned halves;
	int r = header_halves(args[0], &h, &halves);

	if (r != 0 || halves == 0)
		return r != 0 ? r : -EINVAL;
	if (h.pid != 0 && h.pid != current_task()->tid)
		return -EPERM;
	if (copy_from_user(data, uaddr(args[1]), halves * sizeof(data[0])) != 0)
		return -EFAULT;
	effective = join(data[0].effective, data[1].effective);
	permitted = join(data[0].permitted, data[1].permitted);
	inheritable = join(data[0].inheritable, data[1].inheritable);
	if ((permitted & ~c->cap_permitted) != 0 || (effective & ~permitted) != 0)
		return -EPERM;
	if (!cred_has_cap(c, CAP_SETPCAP) && (inheritable & ~(c->cap_inheritable | c->cap_permitted)) != 0)
		return -EPERM;
	c->cap_effective = effective;
	c->cap_permitted = permitted;
	c->cap_inheritable = inheritable;
	return 0;
}
