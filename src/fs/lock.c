/*
 * Advisory locks: flock(2), fcntl(2) record locks of processes and of open file
 * descriptions. An inode's locks hang in inode->flocks. Everything is done without
 * sleeping but the wait itself, so the lists need no lock of their own; one wait queue
 * serves all blocked requests (contention is rare, a wake-up is cheap to re-check).
 *
 * A process waiting for a record lock is on `blocked`: a wait that closes a circle is refused (EDEADLK).
 */
#include "internal.h"
#include "mm/kmalloc.h"
#include "syscall/syscall.h"

enum lock_class { CLASS_POSIX, CLASS_OFD, CLASS_FLOCK };

struct lock {
	struct list link;
	enum lock_class class;
	const void *owner; /* POSIX: the descriptor table; else the file */
	int pid;
	int type;	     /* F_RDLCK, F_WRLCK */
	uint64_t start, end; /* inclusive */
};

struct blocked {
	struct list link;
	const void *owner, *blocker;
};

static struct list blocked_list = LIST_INIT(blocked_list);
static struct waitq lock_wait = {SPINLOCK_INIT, LIST_INIT(lock_wait.waiters)};

static bool is_same_owner(const struct lock *a, const struct lock *b)
{
	return a->class == b->class && a->owner == b->owner;
}

static bool conflicts(const struct lock *held, const struct lock *wanted)
{
	if ((held->class == CLASS_FLOCK) != (wanted->class == CLASS_FLOCK) || is_same_owner(held, wanted))
		return false;
	if (held->type == F_RDLCK && wanted->type == F_RDLCK)
		return false;
	return held->start <= wanted->end && wanted->start <= held->end;
}

static struct lock *find_conflict(struct inode *inode, const struct lock *wanted)
{
	struct lock *held;

	LIST_FOR_EACH(held, &inode->flocks, link)
		if (conflicts(held, wanted))
			return held;
	return NULL;
}

static void drop(struct lock *lock)
{
	list_remove(&lock->link);
	kfree(lock);
}

static void wake_blocked(void)
{
	if (!waitq_is_empty(&lock_wait))
		waitq_wake_all(&lock_wait);
}

/* Cuts [start, end] out of what the owner of `range` holds. A lock that is split uses *spare (NULL then). */
static void cut(struct inode *inode, const struct lock *range, struct lock **spare)
{
	struct lock *held, *next;

	LIST_FOR_EACH_SAFE(held, next, &inode->flocks, link) {
		if (!is_same_owner(held, range) || held->start > range->end || range->start > held->end)
			continue;
		if (held->start < range->start && held->end > range->end) {
			struct lock *upper = *spare;

			*spare = NULL;
			*upper = *held;
			upper->start = range->end + 1;
			held->end = range->start - 1;
			list_add_head(&held->link, &upper->link);
			return;
		}
		if (held->start < range->start)
			held->end = range->start - 1;
		else if (held->end > range->end)
			held->start = range->end + 1;
		else
			drop(held);
	}
}

/* Joins the new lock with equal neighbours of its owner. */
static void merge(struct inode *inode, struct lock *lock)
{
	struct lock *held, *next;

	LIST_FOR_EACH_SAFE(held, next, &inode->flocks, link) {
		if (held == lock || !is_same_owner(held, lock) || held->type != lock->type)
			continue;
		if (held->end != UINT64_MAX && held->end + 1 == lock->start)
			lock->start = held->start;
		else if (lock->end != UINT64_MAX && lock->end + 1 == held->start)
			lock->end = held->end;
		else
			continue;
		drop(held);
	}
}

/* Would waiting for `blocker` wait for the waiter itself? */
static bool is_deadlock(const void *waiter, const void *blocker)
{
	for (unsigned depth = 0; depth < 64; depth++) {
		struct blocked *b;
		const void *next = NULL;

		if (blocker == waiter)
			return true;
		LIST_FOR_EACH(b, &blocked_list, link)
			if (b->owner == blocker)
				next = b->blocker;
		if (next == NULL)
			return false;
		blocker = next;
	}
	return false;
}

/* Sleeps until nothing conflicts with wanted. 0, -EDEADLK, -ERESTARTSYS. */
static int wait_for(struct inode *inode, const struct lock *wanted)
{
	struct lock *held;

	while ((held = find_conflict(inode, wanted)) != NULL) {
		struct blocked b = {.owner = wanted->owner, .blocker = held->owner};
		int error;

		if (wanted->class == CLASS_POSIX && held->class == CLASS_POSIX &&
		    is_deadlock(wanted->owner, held->owner))
			return -EDEADLK;
		list_add_tail(&blocked_list, &b.link);
		WAIT_EVENT(error, &lock_wait, find_conflict(inode, wanted) == NULL, true, WAIT_FOREVER);
		list_remove(&b.link);
		if (error != 0)
			return -ERESTARTSYS;
	}
	return 0;
}

/* Sets or (type F_UNLCK) clears, and waits if asked to. */
static int apply(struct file *file, const struct lock *wanted, bool wait)
{
	struct inode *inode = file->inode;
	struct lock *fresh = kmalloc(sizeof(*fresh)), *spare = kmalloc(sizeof(*spare));
	int error = fresh == NULL || spare == NULL ? -ENOLCK : 0;

	if (error == 0 && wanted->type != F_UNLCK && find_conflict(inode, wanted) != NULL)
		error = wait ? wait_for(inode, wanted) : -EAGAIN;
	if (error == 0) {
		cut(inode, wanted, &spare);
		if (wanted->type != F_UNLCK) {
			*fresh = *wanted;
			list_add_tail(&inode->flocks, &fresh->link);
			merge(inode, fresh);
			fresh = NULL;
			file->has_locks = true;
		}
		wake_blocked();
	}
	kfree(spare);
	kfree(fresh);
	return error;
}

int lock_flock(struct file *file, int operation)
{
	struct lock wanted = {.class = CLASS_FLOCK, .owner = file, .end = UINT64_MAX};
	bool wait = (operation & LOCK_NB) == 0;

	switch (operation & ~LOCK_NB) {
	case LOCK_SH: wanted.type = F_RDLCK; break;
	case LOCK_EX: wanted.type = F_WRLCK; break;
	case LOCK_UN: wanted.type = F_UNLCK; break;
	default: return -EINVAL;
	}
	if (wanted.type != F_UNLCK && find_conflict(file->inode, &wanted) != NULL && wait) {
		/* A conversion gives the old lock up while it waits (flock(2)). */
		struct lock unlock = wanted;
		int error;

		unlock.type = F_UNLCK;
		error = apply(file, &unlock, false);
		if (error != 0)
			return error;
	}
	return apply(file, &wanted, wait);
}

/* fcntl's description of a range to ours. */
static int from_user(struct file *file, const struct linux_flock *request, bool is_ofd, struct lock *out)
{
	int64_t start = request->l_start;

	*out = (struct lock){
		.class = is_ofd ? CLASS_OFD : CLASS_POSIX,
		.owner = is_ofd ? (const void *)file : (const void *)current_task()->files,
		.pid = is_ofd ? -1 : current_process()->pid,
		.type = request->l_type,
	};
	if (is_ofd && request->l_pid != 0)
		return -EINVAL;
	if (request->l_type != F_RDLCK && request->l_type != F_WRLCK && request->l_type != F_UNLCK)
		return -EINVAL;
	if (request->l_whence == SEEK_CUR)
		start += (int64_t)file->pos;
	else if (request->l_whence == SEEK_END)
		start += (int64_t)file->inode->map.size_bytes;
	else if (request->l_whence != SEEK_SET)
		return -EINVAL;
	if (request->l_len < 0 && request->l_len != INT64_MIN)
		start += request->l_len;
	if (start < 0 || request->l_len == INT64_MIN)
		return -EINVAL;
	out->start = (uint64_t)start;
	if (request->l_len == 0)
		out->end = UINT64_MAX;
	else if (request->l_len < 0)
		out->end = out->start + (uint64_t)-request->l_len - 1;
	else if (request->l_len - 1 > INT64_MAX - start)
		return -EOVERFLOW;
	else
		out->end = out->start + (uint64_t)request->l_len - 1;
	return 0;
}

int lock_posix_get(struct file *file, struct linux_flock *request, bool is_ofd)
{
	struct lock wanted;
	const struct lock *held;
	int error = from_user(file, request, is_ofd, &wanted);

	if (error != 0 || wanted.type == F_UNLCK)
		return error != 0 ? error : -EINVAL;
	held = find_conflict(file->inode, &wanted);
	if (held == NULL) {
		request->l_type = F_UNLCK;
		return 0;
	}
	request->l_type = (int16_t)held->type;
	request->l_whence = SEEK_SET;
	request->l_start = (int64_t)held->start;
	request->l_len = held->end == UINT64_MAX ? 0 : (int64_t)(held->end - held->start + 1);
	request->l_pid = held->pid;
	return 0;
}

int lock_posix_set(struct file *file, const struct linux_flock *request, bool is_ofd, bool wait)
{
	struct lock wanted;
	int error = from_user(file, request, is_ofd, &wanted);

	if (error != 0)
		return error;
	if ((wanted.type == F_RDLCK && !file_can_read(file)) ||
	    (wanted.type == F_WRLCK && !file_can_write(file)))
		return -EBADF;
	return apply(file, &wanted, wait);
}

static void release(struct inode *inode, const void *owner)
{
	struct lock *held, *next;
	bool changed = false;

	LIST_FOR_EACH_SAFE(held, next, &inode->flocks, link)
		if (held->owner == owner) {
			drop(held);
			changed = true;
		}
	if (changed)
		wake_blocked();
}

void lock_release_posix(struct file *file, const void *table) { release(file->inode, table); }
void lock_release_file(struct file *file) { release(file->inode, file); }
