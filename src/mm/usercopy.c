/*
 * Copies between kernel and user memory: walk the page table as the hardware
 * would, copy page by page through the kernel's map of physical memory, and
 * run the fault handler where the walk says no.
 *
 * Lock: the walk and the copy of one page happen without sleeping in between,
 * so the translation cannot change under them; as->lock is taken by the fault
 * handler only. Pins are counted in buckets by frame number, which tells fork
 * what is certainly not pinned; for the audit the first of them have a holder.
 */
#include "mm/usercopy.h"

#include "abi/errno.h"
#include "arch/machine.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/internal.h"
#include "mm/memtools.h"
#include "mm/points.h"
#include "sched/signal.h"
#include "sched/task.h"

/* A page may be stolen again (madvise in another thread) between fault and walk; not for ever. */
#define FAULT_TRIES 8
/* With fewer free frames than this memory is short: a page, its tables, what a cache or a stack needs with it. */
#define SHORT_PAGES 32

/*
 * A page fault of a copy. When memory is short somebody is killed for it, as for a fault of user mode; the
 * locks the caller holds do not matter, for who is killed and waits for one is given up on after a while. When
 * it is the current task that is to die, the copy fails, and nobody will see how.
 */
static int fault_in(struct aspace *as, uint64_t addr, unsigned access)
{
	int err;

	while ((err = aspace_fault(as, uaddr(addr), access)) == -ENOMEM && frame_nr_free() < SHORT_PAGES &&
	       !signal_is_fatal_pending(current_task()))
		oom_kill(uaddr(addr));
	return err;
}

/* What is left of n within the page of addr. */
static inline size_t page_part(uint64_t addr, size_t n) { return MIN(n, PAGE_SIZE - page_offset(addr)); }

/* The kernel's pointer to the user byte at addr < as->user_end, if access needs no fault now; else NULL. */
static inline char *user_ptr_at_hand(struct aspace *as, uint64_t addr, unsigned access, pfn_t *pfn)
{
	prot_t prot;

	if (!as->pt.ops->walk(&as->pt, addr, access, pfn, &prot))
		return NULL;
	return (char *)pfn_to_ptr(*pfn) + page_offset(addr);
}

/* The same for size_bytes within one page, and any address: the usual case of all copies. */
static inline char *window(struct aspace *as, uint64_t addr, size_t size_bytes, unsigned access)
{
	pfn_t pfn;

	/* as->user_end is a page's end: what begins below it and lies in one page does not reach beyond. */
	if (as == NULL || addr >= as->user_end || size_bytes > PAGE_SIZE - page_offset(addr))
		return NULL;
	return user_ptr_at_hand(as, addr, access, &pfn);
}

/* The kernel's pointer to the user byte at addr < as->user_end, whatever that needs; NULL: -EFAULT. */
static char *user_ptr(struct aspace *as, uint64_t addr, unsigned access, pfn_t *pfn)
{
	char *ptr = user_ptr_at_hand(as, addr, access, pfn);

	for (unsigned tries = 1; ptr == NULL && tries < FAULT_TRIES; tries++) {
		if (fault_in(as, addr, access) != 0)
			break;
		ptr = user_ptr_at_hand(as, addr, access, pfn);
	}
	return ptr;
}

static inline bool range_is_user(const struct aspace *as, uint64_t addr, uint64_t size_bytes)
{
	return as != NULL && addr <= as->user_end && size_bytes <= as->user_end - addr;
}

/* Kernel bytes become the user's: the tools look whether all of them were ever written. */
static inline void user_write(char *to, const char *from, size_t n)
{
	memtools_check_defined(from, n);
	memcpy(to, from, n);
	memtools_mark_defined(to, n);
}

static __attribute__((noinline)) int copy_from_pages(struct aspace *as, char *to, uaddr_t src, size_t size_bytes)
{
	if (!range_is_user(as, src.raw, size_bytes))
		return -EFAULT;
	for (size_t n; size_bytes != 0; size_bytes -= n, src.raw += n, to += n) {
		pfn_t pfn;
		const char *from = user_ptr(as, src.raw, TRAP_READ, &pfn);

		if (from == NULL)
			return -EFAULT;
		n = page_part(src.raw, size_bytes);
		memcpy(to, from, n);
	}
	return 0;
}

int copy_from_user_in(struct aspace *as, void *dst, uaddr_t src, size_t size_bytes)
{
	const char *from = window(as, src.raw, size_bytes, TRAP_READ);

	if (from == NULL)
		return copy_from_pages(as, dst, src, size_bytes);
	memcpy(dst, from, size_bytes);
	return 0;
}

static __attribute__((noinline)) int copy_to_pages(struct aspace *as, uaddr_t dst, const char *from, size_t size_bytes)
{
	if (!range_is_user(as, dst.raw, size_bytes))
		return -EFAULT;
	for (size_t n; size_bytes != 0; size_bytes -= n, dst.raw += n, from += n) {
		pfn_t pfn;
		char *to = user_ptr(as, dst.raw, TRAP_WRITE, &pfn);

		if (to == NULL)
			return -EFAULT;
		n = page_part(dst.raw, size_bytes);
		user_write(to, from, n);
	}
	return 0;
}

int copy_to_user_in(struct aspace *as, uaddr_t dst, const void *src, size_t size_bytes)
{
	char *to = window(as, dst.raw, size_bytes, TRAP_WRITE);

	if (to == NULL)
		return copy_to_pages(as, dst, src, size_bytes);
	user_write(to, src, size_bytes);
	return 0;
}

int copy_from_user(void *dst, uaddr_t src, size_t size_bytes)
{
	return copy_from_user_in(current_aspace(), dst, src, size_bytes);
}

int copy_to_user(uaddr_t dst, const void *src, size_t size_bytes)
{
	return copy_to_user_in(current_aspace(), dst, src, size_bytes);
}

int clear_user(uaddr_t dst, size_t size_bytes)
{
	struct aspace *as = current_aspace();

	if (!range_is_user(as, dst.raw, size_bytes))
		return -EFAULT;
	for (size_t n; size_bytes != 0; size_bytes -= n, dst.raw += n) {
		pfn_t pfn;
		char *to = user_ptr(as, dst.raw, TRAP_WRITE, &pfn);

		if (to == NULL)
			return -EFAULT;
		n = page_part(dst.raw, size_bytes);
		memset(to, 0, n);
	}
	return 0;
}

int copy_to_user_forced(struct aspace *as, uaddr_t dst, const void *src, size_t size_bytes)
{
	const char *from = src;
	int err = 0;

	if (!range_is_user(as, dst.raw, size_bytes))
		return -EFAULT;
	mutex_lock(&as->lock);
	for (size_t n; size_bytes != 0; size_bytes -= n, dst.raw += n, from += n) {
		struct pt_entry e;

		err = aspace_fault_locked(as, dst.raw, TRAP_WRITE | FAULT_FORCE);
		if (err != 0)
			break;
		ASSERT(as->pt.ops->lookup(&as->pt, page_round_down(dst.raw), &e));
		n = page_part(dst.raw, size_bytes);
		user_write((char *)pfn_to_ptr(e.pfn) + page_offset(dst.raw), from, n);
		if (prot_has(e.prot, PROT_BIT_X))
			arch_code_sync(e.pfn);
	}
	mutex_unlock(&as->lock);
	memory_point("copy_to_user_forced", as, dst.raw);
	return err == 0 ? 0 : -EFAULT;
}

int64_t strncpy_from_user_in(struct aspace *as, char *dst, uaddr_t src, size_t size_bytes)
{
	size_t done = 0;

	while (done < size_bytes) {
		size_t n = page_part(src.raw + done, size_bytes - done), length;
		const char *from;
		pfn_t pfn;

		if (!range_is_user(as, src.raw, done + 1))
			return -EFAULT;
		from = user_ptr(as, src.raw + done, TRAP_READ, &pfn);
		if (from == NULL)
			return -EFAULT;
		length = strnlen(from, n);
		memcpy(dst + done, from, length);
		done += length;
		if (length < n) {
			dst[done] = '\0';
			return (int64_t)done;
		}
	}
	return -ENAMETOOLONG;
}

int64_t strncpy_from_user(char *dst, uaddr_t src, size_t size_bytes)
{
	return strncpy_from_user_in(current_aspace(), dst, src, size_bytes);
}

void *user_window(uaddr_t addr, size_t size_bytes, bool for_write)
{
	return window(current_aspace(), addr.raw, size_bytes, for_write ? TRAP_WRITE : TRAP_READ);
}

/* ---- pins ---------------------------------------------------------------- */

/* Pins beyond these have no holder's name. */
#define NAMED_PINS_MAX 64u

uint32_t user_pins_total;
static uint32_t pins[PIN_BUCKETS];
static struct user_pin named_pins[NAMED_PINS_MAX];
static unsigned nr_named_pins;

bool frame_is_maybe_pinned(pfn_t pfn) { return pins[pin_bucket(pfn)] != 0; }

uint32_t user_pins_in_bucket(unsigned bucket) { return pins[bucket]; }

const struct user_pin *user_pin_get(unsigned index) { return index < nr_named_pins ? &named_pins[index] : NULL; }

static void pin_note(pfn_t pfn)
{
	pins[pin_bucket(pfn)]++;
	user_pins_total++;
	if (nr_named_pins < NAMED_PINS_MAX)
		named_pins[nr_named_pins++] = (struct user_pin){pfn, current_task()->tid};
}

static void pin_forget(pfn_t pfn)
{
	unsigned i = nr_named_pins;

	ASSERT(pins[pin_bucket(pfn)] != 0);
	pins[pin_bucket(pfn)]--;
	user_pins_total--;
	while (i > 0 && !pfn_equal(named_pins[i - 1].pfn, pfn))
		i--;
	if (i > 0)
		named_pins[i - 1] = named_pins[--nr_named_pins];
}

void *user_page_pin(struct aspace *as, uaddr_t addr, bool for_write, size_t *avail, pfn_t *pinned)
{
	char *ptr;

	if (!range_is_user(as, addr.raw, 1))
		return NULL;
	ptr = user_ptr(as, addr.raw, for_write ? TRAP_WRITE : TRAP_READ, pinned);
	if (ptr == NULL)
		return NULL;
	frame_get(*pinned);
	pin_note(*pinned);
	*avail = PAGE_SIZE - page_offset(addr.raw);
	return ptr;
}

void user_page_unpin(pfn_t pinned)
{
	pin_forget(pinned);
	frame_put(pinned);
}

/* ---- futex words --------------------------------------------------------- */

int user_load_u32(uaddr_t addr, uint32_t *out)
{
	struct aspace *as = current_aspace();
	pfn_t pfn;
	char *ptr;

	if (page_offset(addr.raw) % sizeof(*out) != 0)
		return -EINVAL;
	if (!range_is_user(as, addr.raw, sizeof(*out)))
		return -EFAULT;
	ptr = user_ptr(as, addr.raw, TRAP_READ, &pfn);
	if (ptr == NULL)
		return -EFAULT;
	*out = __atomic_load_n((uint32_t *)(void *)ptr, __ATOMIC_SEQ_CST);
	return 0;
}

int user_cmpxchg_u32(uaddr_t addr, uint32_t expected, uint32_t desired, uint32_t *seen)
{
	struct aspace *as = current_aspace();
	pfn_t pfn;
	char *ptr;

	if (page_offset(addr.raw) % sizeof(*seen) != 0)
		return -EINVAL;
	if (!range_is_user(as, addr.raw, sizeof(*seen)))
		return -EFAULT;
	ptr = user_ptr(as, addr.raw, TRAP_WRITE, &pfn);
	if (ptr == NULL)
		return -EFAULT;
	*seen = expected;
	__atomic_compare_exchange_n((uint32_t *)(void *)ptr, seen, desired, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	return 0;
}
