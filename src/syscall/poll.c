/*
 * poll(2), ppoll, select(2), pselect6. Arguments are copied and checked here; the
 * waiting is poll_many()'s (src/fs/poll.c).
 */
#include "abi/poll.h"

#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/time.h"
#include "fs/fdtable.h"
#include "fs/poll.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "syscall/poll_time.h"
#include "syscall/syscall.h"

SYSCALL_DECLARE(poll);
SYSCALL_DECLARE(ppoll);
SYSCALL_DECLARE(select);
SYSCALL_DECLARE(pselect6);

#define NR_ON_STACK 16
#define FDS_BITS 64

/* ---- poll ---------------------------------------------------------------- */

static void targets_put(struct poll_target *targets, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		if (targets[i].file != NULL)
			file_put(targets[i].file);
}

static void targets_get(struct poll_target *targets, const struct linux_pollfd *fds, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		struct poll_target *t = &targets[i];

		*t = (struct poll_target){.want = (uint16_t)fds[i].events};
		if (fds[i].fd < 0)
			continue;
		t->file = fd_get_io(fds[i].fd);
		if (t->file == NULL)
			t->got = POLLNVAL;
	}
}

static int put_revents(uint64_t user, struct linux_pollfd *fds, const struct poll_target *targets,
		       unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		fds[i].revents = (int16_t)targets[i].got;
	return copy_to_user(uaddr(user), fds, nr * sizeof(*fds));
}

static int64_t poll_with(uint64_t user, unsigned nr, uint64_t deadline_ns, struct linux_pollfd *fds,
			 struct poll_target *targets)
{
	int result;

	if (copy_from_user(fds, uaddr(user), nr * sizeof(*fds)) != 0)
		return -EFAULT;
	targets_get(targets, fds, nr);
	result = poll_many(targets, nr, deadline_ns);
	targets_put(targets, nr);
	if (result >= 0 && put_revents(user, fds, targets, nr) != 0)
		return -EFAULT;
	return result;
}

static int64_t do_poll(uint64_t user, uint64_t nr, uint64_t deadline_ns)
{
	struct linux_pollfd fds[NR_ON_STACK], *many_fds;
	struct poll_target targets[NR_ON_STACK], *many_targets;
	int64_t result = -ENOMEM;

	if (nr > current_process()->rlimits[RLIMIT_NOFILE].cur)
		return -EINVAL;
	if (nr <= NR_ON_STACK)
		return poll_with(user, (unsigned)nr, deadline_ns, fds, targets);
	many_fds = kmalloc(nr * sizeof(*many_fds));
	many_targets = kmalloc(nr * sizeof(*many_targets));
	if (many_fds != NULL && many_targets != NULL)
		result = poll_with(user, (unsigned)nr, deadline_ns, many_fds, many_targets);
	kfree(many_fds);
	kfree(many_targets);
	return result;
}

/* A stop and continue (no handler) goes on waiting until the same moment. */
static int64_t poll_interrupted(int64_t result, uint64_t user, uint64_t nr, uint64_t deadline_ns);

static int64_t poll_restart(struct task *task)
{
	uint64_t user = task->restart_arg[0], nr = task->restart_arg[1], deadline_ns = task->restart_arg[2];

	return poll_interrupted(do_poll(user, nr, deadline_ns), user, nr, deadline_ns);
}

static int64_t poll_interrupted(int64_t result, uint64_t user, uint64_t nr, uint64_t deadline_ns)
{
	struct task *task = current_task();

	if (result != -EINTR)
		return result;
	task->restart_arg[0] = user;
	task->restart_arg[1] = nr;
	task->restart_arg[2] = deadline_ns;
	task->restart_fn = poll_restart;
	return -ERESTART_RESTARTBLOCK;
}

int64_t sys_poll(const uint64_t args[6])
{
	uint64_t deadline_ns = poll_deadline_ms((int)args[2]);
	uint64_t nr = (uint32_t)args[1];

	return poll_interrupted(do_poll(args[0], nr, deadline_ns), args[0], nr, deadline_ns);
}

int64_t sys_ppoll(const uint64_t args[6])
{
	uint64_t deadline_ns;
	int64_t result;
	int err = poll_deadline_timespec(args[2], &deadline_ns);

	if (err == 0)
		err = poll_sigmask_enter(args[3], args[4]);
	if (err != 0)
		return err;
	result = do_poll(args[0], (uint32_t)args[1], deadline_ns);
	poll_sigmask_leave(args[3], result == -EINTR);
	poll_put_remaining_timespec(args[2], deadline_ns);
	return result == -EINTR ? -ERESTARTNOHAND : result;
}

/* ---- select -------------------------------------------------------------- */

#define SELECT_IN (POLLRDNORM | POLLRDBAND | POLLIN | POLLHUP | POLLERR)
#define SELECT_OUT (POLLWRBAND | POLLWRNORM | POLLOUT | POLLERR)
#define SELECT_EX POLLPRI

/* The three sets, as words; asked for and result. */
struct select_sets {
	unsigned nr_fds, nr_words;
	uint64_t user[3];
	uint64_t *ask[3], *result[3];
};

static const unsigned select_events[3] = {SELECT_IN, SELECT_OUT, SELECT_EX};

static int sets_fetch(struct select_sets *s)
{
	for (unsigned k = 0; k < 3; k++) {
		if (s->user[k] == 0)
			memset(s->ask[k], 0, s->nr_words * 8);
		else if (copy_from_user(s->ask[k], uaddr(s->user[k]), s->nr_words * 8) != 0)
			return -EFAULT;
		/* Bits from nr_fds on do not count. */
		if (s->nr_words > 0 && s->nr_fds % FDS_BITS != 0)
			s->ask[k][s->nr_words - 1] &= (UINT64_C(1) << (s->nr_fds % FDS_BITS)) - 1;
		memset(s->result[k], 0, s->nr_words * 8);
	}
	return 0;
}

static int sets_store(const struct select_sets *s)
{
	for (unsigned k = 0; k < 3; k++)
		if (s->user[k] != 0 && copy_to_user(uaddr(s->user[k]), s->result[k], s->nr_words * 8) != 0)
			return -EFAULT;
	return 0;
}

static bool bit_get(const uint64_t *set, unsigned fd) { return (set[fd / FDS_BITS] >> (fd % FDS_BITS)) & 1; }

static unsigned sets_want(const struct select_sets *s, unsigned fd)
{
	unsigned want = 0;

	for (unsigned k = 0; k < 3; k++)
		if (bit_get(s->ask[k], fd))
			want |= select_events[k];
	return want;
}

static unsigned sets_count(const struct select_sets *s)
{
	unsigned count = 0;

	for (unsigned w = 0; w < s->nr_words; w++)
		count += (unsigned)__builtin_popcountll(s->ask[0][w] | s->ask[1][w] | s->ask[2][w]);
	return count;
}

/* One target a descriptor in any set; targets[i].want == 0 never happens. -EBADF. */
static int sets_targets(const struct select_sets *s, struct poll_target *targets, unsigned *nr)
{
	*nr = 0;
	for (unsigned fd = 0; fd < s->nr_fds; fd++) {
		unsigned want = sets_want(s, fd);
		struct file *file;

		if (want == 0)
			continue;
		file = fd_get_io((int)fd);
		if (file == NULL)
			return -EBADF;
		targets[(*nr)++] = (struct poll_target){.file = file, .want = want};
	}
	return 0;
}

static int sets_result(struct select_sets *s, const struct poll_target *targets)
{
	unsigned i = 0;
	int count = 0;

	for (unsigned fd = 0; fd < s->nr_fds; fd++) {
		if (sets_want(s, fd) == 0)
			continue;
		for (unsigned k = 0; k < 3; k++)
			if (bit_get(s->ask[k], fd) && (targets[i].got & select_events[k]) != 0) {
				s->result[k][fd / FDS_BITS] |= UINT64_C(1) << (fd % FDS_BITS);
				count++;
			}
		i++;
	}
	return count;
}

static int64_t select_wait(struct select_sets *s, struct poll_target *targets, uint64_t deadline_ns)
{
	unsigned nr;
	int result = sets_targets(s, targets, &nr);

	if (result == 0)
		result = poll_many(targets, nr, deadline_ns);
	targets_put(targets, nr);
	if (result < 0)
		return result;
	result = sets_result(s, targets);
	return sets_store(s) != 0 ? -EFAULT : result;
}

static int64_t select_with(struct select_sets *s, uint64_t *words, uint64_t deadline_ns)
{
	struct poll_target targets[NR_ON_STACK], *many;
	int64_t result;
	unsigned nr;

	for (unsigned k = 0; k < 3; k++) {
		s->ask[k] = words + k * s->nr_words;
		s->result[k] = words + (3 + k) * s->nr_words;
	}
	if (sets_fetch(s) != 0)
		return -EFAULT;
	nr = sets_count(s);
	if (nr <= NR_ON_STACK)
		return select_wait(s, targets, deadline_ns);
	many = kmalloc(nr * sizeof(*many));
	if (many == NULL)
		return -ENOMEM;
	result = select_wait(s, many, deadline_ns);
	kfree(many);
	return result;
}

static int64_t do_select(const uint64_t args[6], uint64_t deadline_ns)
{
	struct select_sets s = {.user = {args[1], args[2], args[3]}};
	uint64_t words[6 * 1024 / FDS_BITS], *many;
	unsigned capacity = fdtable_capacity(current_task()->files);
	int64_t result;

	if ((int)args[0] < 0)
		return -EINVAL;
	s.nr_fds = MIN((unsigned)args[0], capacity);
	s.nr_words = (s.nr_fds + FDS_BITS - 1) / FDS_BITS;
	if (6 * s.nr_words <= ARRAY_SIZE(words))
		return select_with(&s, words, deadline_ns);
	many = kmalloc(6 * 8 * (size_t)s.nr_words);
	if (many == NULL)
		return -ENOMEM;
	result = select_with(&s, many, deadline_ns);
	kfree(many);
	return result;
}

int64_t sys_select(const uint64_t args[6])
{
	uint64_t deadline_ns;
	int64_t result;
	int err = poll_deadline_timeval(args[4], &deadline_ns);

	if (err != 0)
		return err;
	result = do_select(args, deadline_ns);
	poll_put_remaining_timeval(args[4], deadline_ns);
	return result == -EINTR ? -ERESTARTNOHAND : result;
}

int64_t sys_pselect6(const uint64_t args[6])
{
	uint64_t deadline_ns, mask[2] = {0, 0}; /* address, size */
	int64_t result;
	int err = poll_deadline_timespec(args[4], &deadline_ns);

	if (err == 0 && args[5] != 0)
		err = copy_from_user(mask, uaddr(args[5]), sizeof(mask));
	if (err == 0)
		err = poll_sigmask_enter(mask[0], mask[1]);
	if (err != 0)
		return err;
	result = do_select(args, deadline_ns);
	poll_sigmask_leave(mask[0], result == -EINTR);
	poll_put_remaining_timespec(args[4], deadline_ns);
	return result == -EINTR ? -ERESTARTNOHAND : result;
}
