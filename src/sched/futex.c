/*
 * futex(2): sleeping on a word of user memory. Waiters hang in a hash table under what
 * identifies the word: the address space and address, or, in a shared mapping of a file
 * (or of shared memory), the inode and offset. A waiter queues itself first and reads the
 * word then, so no wake-up is lost.
 * Lock: futex_lock (spin), around the table only.
 */
#include "sched/futex.h"

#include "abi/errno.h"
#include "abi/futex.h"
#include "fs/vfs.h"
#include "mm/aspace.h"
#include "mm/usercopy.h"
#include "sched/internal.h"

#define NR_BUCKETS 256u

struct futex_key {
	const void *object; /* struct aspace or struct inode: compared, never followed */
	uint64_t offset;
};

struct futex_waiter {
	struct list link;
	struct futex_key key;
	struct task *task;
	uint32_t bitset;
	bool is_woken;
};

static struct list buckets[NR_BUCKETS];
static struct spinlock futex_lock = SPINLOCK_INIT;

void futex_init(void)
{
	for (unsigned i = 0; i < NR_BUCKETS; i++)
		list_init(&buckets[i]);
}

static bool key_equal(const struct futex_key *a, const struct futex_key *b)
{
	return a->object == b->object && a->offset == b->offset;
}

static struct list *bucket_of(const struct futex_key *key)
{
	uint64_t h = ((uint64_t)(uintptr_t)key->object >> 4) + (key->offset >> 2);

	return &buckets[(h * UINT64_C(0x9e3779b97f4a7c15)) >> 56];
}

static int make_key(uaddr_t addr, bool is_private, struct futex_key *key)
{
	struct aspace *as = current_aspace();
	const struct vma *v;
	int r = 0;

	if ((addr.raw & 3) != 0)
		return -EINVAL;
	if (addr.raw >= arch_user_end())
		return -EFAULT;
	*key = (struct futex_key){as, addr.raw};
	if (is_private)
		return 0;
	mutex_lock(&as->lock);
	v = vma_find(&as->vmas, addr.raw);
	if (v == NULL)
		r = -EFAULT;
	else if ((v->flags & VMA_SHARED) != 0 && v->file != NULL)
		*key = (struct futex_key){v->file->inode, v->page_index * PAGE_SIZE + (addr.raw - v->start)};
	mutex_unlock(&as->lock);
	return r;
}

/* ---- waiting ------------------------------------------------------------- */

/* Kept out of line: the compiler cannot see that the entry leaves the list before its stack frame ends. */
static __attribute__((noinline)) void enqueue(struct futex_waiter *w)
{
	spin_lock(&futex_lock);
	list_add_tail(bucket_of(&w->key), &w->link);
	spin_unlock(&futex_lock);
}

static void dequeue(struct futex_waiter *w)
{
	spin_lock(&futex_lock);
	list_remove(&w->link);
	spin_unlock(&futex_lock);
}

static int sleep_until_woken(struct futex_waiter *w, uint64_t deadline_ns)
{
	int r = 0;

	w->task->wait_reason = "futex";
	while (!w->is_woken && r == 0) {
		w->task->state = TASK_SLEEPING;
		r = waitq_schedule(true, deadline_ns);
	}
	w->task->wait_reason = NULL;
	return w->is_woken ? 0 : r;
}

int futex_wait(uaddr_t addr, bool is_private, uint32_t expected, uint64_t deadline_ns, uint32_t bitset)
{
	struct futex_waiter w = {.task = current_task(), .bitset = bitset};
	uint32_t value;
	int r;

	if (bitset == 0)
		return -EINVAL;
	r = make_key(addr, is_private, &w.key);
	if (r != 0)
		return r;
	enqueue(&w);
	r = user_load_u32(addr, &value);
	if (r == 0 && value != expected)
		r = -EAGAIN;
	if (r == 0)
		r = sleep_until_woken(&w, deadline_ns);
	dequeue(&w);
	return r;
}

/* ---- waking -------------------------------------------------------------- */

static void wake_waiter(struct futex_waiter *w)
{
	list_remove(&w->link);
	w->is_woken = true;
	sched_wake(w->task);
}

static int wake_key(const struct futex_key *key, int nr, uint32_t bitset)
{
	struct futex_waiter *w, *tmp;
	int nr_woken = 0;

	spin_lock(&futex_lock);
	LIST_FOR_EACH_SAFE (w, tmp, bucket_of(key), link) {
		if (nr_woken >= nr)
			break;
		if (!key_equal(&w->key, key) || (w->bitset & bitset) == 0)
			continue;
		wake_waiter(w);
		nr_woken++;
	}
	spin_unlock(&futex_lock);
	return nr_woken;
}

int futex_wake(uaddr_t addr, bool is_private, int nr, uint32_t bitset)
{
	struct futex_key key;
	int r;

	if (bitset == 0)
		return -EINVAL;
	r = make_key(addr, is_private, &key);
	return r != 0 ? r : wake_key(&key, MAX(nr, 1), bitset);
}

/* Moves up to nr waiters from one word to another; they sleep on. */
static int requeue_key(const struct futex_key *from, const struct futex_key *to, int nr)
{
	struct futex_waiter *w, *tmp;
	int nr_moved = 0;

	spin_lock(&futex_lock);
	LIST_FOR_EACH_SAFE (w, tmp, bucket_of(from), link) {
		if (nr_moved >= nr)
			break;
		if (!key_equal(&w->key, from))
			continue;
		list_remove(&w->link);
		w->key = *to;
		list_add_tail(bucket_of(to), &w->link);
		nr_moved++;
	}
	spin_unlock(&futex_lock);
	return nr_moved;
}

int futex_requeue(uaddr_t addr, uaddr_t addr2, bool is_private, int nr_wake, int nr_requeue, bool check,
		  uint32_t expected)
{
	struct futex_key key, key2;
	uint32_t value;
	int r, nr_woken;

	if (nr_wake < 0 || nr_requeue < 0)
		return -EINVAL;
	r = make_key(addr, is_private, &key);
	if (r == 0)
		r = make_key(addr2, is_private, &key2);
	if (r == 0 && check) {
		r = user_load_u32(addr, &value);
		if (r == 0 && value != expected)
			r = -EAGAIN;
	}
	if (r != 0)
		return r;
	nr_woken = nr_wake > 0 ? wake_key(&key, nr_wake, FUTEX_BITSET_MATCH_ANY) : 0;
	if (key_equal(&key, &key2))
		return nr_woken;
	return nr_woken + requeue_key(&key, &key2, nr_requeue);
}

/* ---- FUTEX_WAKE_OP ------------------------------------------------------- */

static int apply_op(uint32_t op, uint32_t arg, uint32_t old, uint32_t *out)
{
	switch (op) {
	case FUTEX_OP_SET: *out = arg; return 0;
	case FUTEX_OP_ADD: *out = old + arg; return 0;
	case FUTEX_OP_OR: *out = old | arg; return 0;
	case FUTEX_OP_ANDN: *out = old & ~arg; return 0;
	case FUTEX_OP_XOR: *out = old ^ arg; return 0;
	default: return -ENOSYS;
	}
}

static int compare(uint32_t cmp, int32_t old, int32_t arg)
{
	switch (cmp) {
	case FUTEX_OP_CMP_EQ: return old == arg;
	case FUTEX_OP_CMP_NE: return old != arg;
	case FUTEX_OP_CMP_LT: return old < arg;
	case FUTEX_OP_CMP_LE: return old <= arg;
	case FUTEX_OP_CMP_GT: return old > arg;
	case FUTEX_OP_CMP_GE: return old >= arg;
	default: return -ENOSYS;
	}
}

/* A 12-bit field as a signed number. */
static int32_t sign_extend12(uint32_t field) { return (int32_t)(field << 20) >> 20; }

/* Changes *addr as `op` says; returns whether the old value satisfies its comparison, or an errno. */
static int atomic_op(uaddr_t addr, uint32_t op)
{
	uint32_t operation = op >> 28 & 7, arg = (uint32_t)sign_extend12(op >> 12 & 0xfff);
	uint32_t old, desired, seen;
	int r = user_load_u32(addr, &old);

	if ((op >> 28 & FUTEX_OP_OPARG_SHIFT) != 0)
		arg = 1u << (arg & 31);
	while (r == 0) {
		r = apply_op(operation, arg, old, &desired);
		if (r == 0)
			r = user_cmpxchg_u32(addr, old, desired, &seen);
		if (r == 0 && seen == old)
			return compare(op >> 24 & 0xf, (int32_t)old, sign_extend12(op & 0xfff));
		old = seen;
	}
	return r;
}

int futex_wake_op(uaddr_t addr, uaddr_t addr2, bool is_private, int nr_wake, int nr_wake2, uint32_t op)
{
	struct futex_key key, key2;
	int nr_woken, r = make_key(addr, is_private, &key);

	if (r == 0)
		r = make_key(addr2, is_private, &key2);
	if (r == 0)
		r = atomic_op(addr2, op);
	if (r < 0)
		return r;
	nr_woken = wake_key(&key, MAX(nr_wake, 1), FUTEX_BITSET_MATCH_ANY);
	if (r > 0)
		nr_woken += wake_key(&key2, MAX(nr_wake2, 1), FUTEX_BITSET_MATCH_ANY);
	return nr_woken;
}

/* ---- robust futexes: get_robust_list(2) ---------------------------------- */

/* The owner is gone: says so in the word, and wakes one that waits for it. */
static void mark_owner_dead(struct task *t, uint64_t addr, bool is_pending)
{
	uint32_t value, desired, seen;

	if ((addr & 3) != 0 || user_load_u32(uaddr(addr), &value) != 0)
		return;
	/* It was about to be unlocked, or its wake-up was under way: somebody may wait in vain. */
	if (is_pending && value == 0) {
		futex_wake(uaddr(addr), false, 1, FUTEX_BITSET_MATCH_ANY);
		return;
	}
	for (;;) {
		if ((value & FUTEX_TID_MASK) != (uint32_t)t->tid)
			return;
		desired = (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
		if (user_cmpxchg_u32(uaddr(addr), value, desired, &seen) != 0)
			return;
		if (seen == value)
			break;
		value = seen;
	}
	if ((value & FUTEX_WAITERS) != 0)
		futex_wake(uaddr(addr), false, 1, FUTEX_BITSET_MATCH_ANY);
}

/* Bit 0 of an entry marks a PI futex, which this kernel has none of. */
static uint64_t entry_address(uint64_t entry) { return entry & ~UINT64_C(1); }

void futex_exit_robust_list(struct task *t)
{
	struct linux_robust_list_head head;
	uint64_t pending, entry;

	if (copy_from_user(&head, t->robust_list, sizeof(head)) != 0)
		return;
	pending = entry_address(head.list_op_pending);
	entry = entry_address(head.list);
	for (unsigned i = 0; entry != t->robust_list.raw && i < ROBUST_LIST_LIMIT; i++) {
		uint64_t next;
		bool has_next = copy_from_user(&next, uaddr(entry), sizeof(next)) == 0;

		if (entry != pending)
			mark_owner_dead(t, entry + (uint64_t)head.futex_offset, false);
		if (!has_next)
			break;
		entry = entry_address(next);
	}
	if (pending != 0)
		mark_owner_dead(t, pending + (uint64_t)head.futex_offset, true);
}
