/*
 * mmap, munmap, mprotect, brk: changes of the VMA tree together with the page
 * table. Each validates and reserves first; after its "point of no return"
 * nothing can fail (invariant 8).
 *
 * Lock: takes as->lock.
 */
#include "abi/errno.h"
#include "abi/mman.h"
#include "fs/vfs.h"
#include "lib/assert.h"
#include "mm/aspace.h"
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/internal.h"
#include "mm/points.h"

#define STACK_GUARD_BYTES (STACK_GUARD_PAGES * PAGE_SIZE)

/* ---- placement and limits ------------------------------------------------ */

bool aspace_range_is_free(const struct aspace *as, uint64_t start, uint64_t end)
{
	const struct vma *next = vma_find_from(&as->vmas, start);
	uint64_t limit;

	if (next == NULL)
		return true;
	limit = next->start;
	if (next->flags & VMA_GROWSDOWN)
		limit = limit > STACK_GUARD_BYTES ? limit - STACK_GUARD_BYTES : 0;
	return limit >= end;
}

/* A stack lies above [.., end): where its guard gap begins, or UINT64_MAX when it is far enough away. */
static uint64_t stack_gap_above(const struct aspace *as, uint64_t end)
{
	const struct vma *next = vma_find_from(&as->vmas, end);

	if (next == NULL || !(next->flags & VMA_GROWSDOWN) || next->start - end >= STACK_GUARD_BYTES)
		return UINT64_MAX;
	return next->start > STACK_GUARD_BYTES ? next->start - STACK_GUARD_BYTES : 0;
}

/* A gap of `length`, its address a multiple of `align`, below `high` if possible; UINT64_MAX. */
uint64_t aspace_find_free(const struct aspace *as, uint64_t length, uint64_t align, uint64_t high)
{
	uint64_t need = length + align - PAGE_SIZE, start, low = high;
	const struct vma *below;

	if (need < length)
		return UINT64_MAX;
	for (;;) {
		start = vma_find_gap(&as->vmas, ARCH_USER_MIN, high, need, true);
		if (start == UINT64_MAX)
			break;
		high = stack_gap_above(as, start + need);
		if (high == UINT64_MAX)
			return (start + align - 1) & ~(align - 1);
		below = vma_find_before(&as->vmas, start);
		if (below != NULL) /* the guard gap may reach down over others: below these is room again */
			high = MAX(high, below->end);
	}
	/* Nothing below: bottom-up above. */
	for (;;) {
		start = vma_find_gap(&as->vmas, low, as->user_end, need, false);
		if (start == UINT64_MAX)
			return UINT64_MAX;
		if (stack_gap_above(as, start + need) == UINT64_MAX)
			return (start + align - 1) & ~(align - 1);
		low = vma_find_from(&as->vmas, start + need)->end;
	}
}

/* Pages that RLIMIT_DATA counts: private and writable, not the stack. */
static uint64_t data_pages(const struct aspace *as)
{
	const struct vma *v;
	uint64_t nr = 0;

	for (v = vma_find_from(&as->vmas, 0); v != NULL; v = vma_find_from(&as->vmas, v->end))
		if (prot_has(v->prot, PROT_BIT_W) && !(v->flags & (VMA_SHARED | VMA_GROWSDOWN)))
			nr += (v->end - v->start) >> PAGE_SHIFT;
	return nr;
}

bool aspace_may_expand(const struct aspace *as, uint64_t nr_pages, bool is_data)
{
	if (as->vmas.nr_pages + nr_pages > as->as_limit_bytes >> PAGE_SHIFT)
		return false;
	if (!is_data || as->data_limit_bytes == UINT64_MAX)
		return true;
	return data_pages(as) + nr_pages <= as->data_limit_bytes >> PAGE_SHIFT;
}

/* Pages of [start, end) that are mapped by VMAs. */
static uint64_t mapped_pages(const struct aspace *as, uint64_t start, uint64_t end)
{
	const struct vma *v;
	uint64_t nr = 0;

	for (v = vma_find_from(&as->vmas, start); v != NULL && v->start < end;
	     v = vma_find_from(&as->vmas, v->end))
		nr += (MIN(v->end, end) - MAX(v->start, start)) >> PAGE_SHIFT;
	return nr;
}

/* ---- mmap ---------------------------------------------------------------- */

/* Rights mprotect may give later, by how the file was opened. */
static uint32_t may_flags(const struct file *file, bool is_shared)
{
	uint32_t mode = file == NULL ? O_RDWR : file->flags & O_ACCMODE;
	uint32_t may = VMA_MAYEXEC;

	if (mode != O_WRONLY)
		may |= VMA_MAYREAD;
	if (!is_shared || mode == O_RDWR)
		may |= VMA_MAYWRITE;
	return may;
}

/* Who asks for no reservation gets none, unless nothing may be promised twice (proc(5)). */
static uint32_t reserve_flags(const struct mmap_args *args)
{
	bool is_shared = (args->flags & MAP_TYPE) != MAP_PRIVATE;

	if ((args->flags & MAP_NORESERVE) && commit_settings.mode != OVERCOMMIT_NEVER)
		return VMA_NORESERVE;
	return !is_shared && (args->prot & PROT_WRITE) ? VMA_ACCOUNT : 0;
}

static int mmap_check(const struct aspace *as, const struct mmap_args *args, uint64_t length)
{
	uint32_t type = args->flags & MAP_TYPE;
	bool is_fixed = (args->flags & (MAP_FIXED | MAP_FIXED_NOREPLACE)) != 0;

	if (args->length_bytes == 0)
		return -EINVAL;
	if (length == 0 || length > as->user_end - ARCH_USER_MIN)
		return -ENOMEM;
	if (type != MAP_SHARED && type != MAP_PRIVATE && type != MAP_SHARED_VALIDATE)
		return -EINVAL;
	if (type == MAP_SHARED_VALIDATE && (args->flags & MAP_SYNC))
		return -EOPNOTSUPP;
	if (page_offset(args->offset) != 0)
		return -EINVAL;
	if ((args->offset >> PAGE_SHIFT) + (length >> PAGE_SHIFT) > UINT64_MAX >> PAGE_SHIFT)
		return -EOVERFLOW;
	if (args->flags & MAP_HUGETLB)
		return args->file != NULL ? -EINVAL : -ENOMEM;
	if ((args->flags & MAP_GROWSDOWN) && (args->file != NULL || type != MAP_PRIVATE))
		return -EINVAL;
	if (!is_fixed)
		return 0;
	if (page_offset(args->addr) != 0)
		return -EINVAL;
	if (args->addr > as->user_end || length > as->user_end - args->addr)
		return -ENOMEM;
	return args->addr < ARCH_USER_MIN ? -EPERM : 0;
}

/* Where the mapping goes: an address, or -ENOMEM, -EEXIST. */
static int64_t mmap_place(const struct aspace *as, const struct mmap_args *args, uint64_t length)
{
	uint64_t hint = page_round_up(args->addr), start, high = as->mmap_top;

	if (args->flags & MAP_FIXED_NOREPLACE)
		return mapped_pages(as, args->addr, args->addr + length) == 0 ? (int64_t)args->addr : -EEXIST;
	if (args->flags & MAP_FIXED)
		return (int64_t)args->addr;
	if (args->flags & MAP_32BIT)
		high = MIN(high, (uint64_t)1 << 31);
	else if (args->addr != 0 && hint >= ARCH_USER_MIN && hint < as->user_end &&
		 length <= as->user_end - hint && aspace_range_is_free(as, hint, hint + length))
		return (int64_t)hint;
	start = aspace_find_free(as, length, PAGE_SIZE, high);
	if (start == UINT64_MAX || ((args->flags & MAP_32BIT) && start + length > (uint64_t)1 << 31))
		return -ENOMEM;
	return (int64_t)start;
}

/* Finds the file behind the mapping, with a reference of its own in *file (NULL: anonymous). */
static int mmap_file(const struct mmap_args *args, uint64_t length, struct file **file)
{
	bool is_shared = (args->flags & MAP_TYPE) != MAP_PRIVATE;
	int err = 0;

	*file = args->file;
	if (args->file != NULL) {
		if (args->file->ops->mmap == NULL)
			return -ENODEV;
		if (args->file->ops->mmap(args->file, is_shared, &err) != NULL) {
			file_get(args->file);
			return 0;
		}
		if (err != 0)
			return err;
		*file = NULL; /* /dev/zero: as anonymous memory */
	}
	if (!is_shared)
		return 0;
	return reserve_flags(args) & VMA_NORESERVE ? shmem_file_create(length, file)
						   : shmem_file_create_reserved(length, file);
}

/* What vma will take beyond what it replaces. */
static int charge_vma(struct aspace *as, const struct vma *vma)
{
	uint64_t more = vma_accounted_pages(vma);

	return more == 0 ? 0 : commit_charge(as, more - MIN(more, commit_pages_in(as, vma->start, vma->end)));
}

/* Reserves for and replaces whatever [start, start + length) holds by `vma`. */
static int mmap_commit(struct aspace *as, const struct vma *vma)
{
	struct pt_reserve reserve = {PFN_NONE, 0};
	uint64_t nr_old = mapped_pages(as, vma->start, vma->end);
	bool is_data = prot_has(vma->prot, PROT_BIT_W) && !(vma->flags & (VMA_SHARED | VMA_GROWSDOWN));
	int err;

	if (!aspace_may_expand(as, ((vma->end - vma->start) >> PAGE_SHIFT) - nr_old, is_data))
		return -ENOMEM;
	err = charge_vma(as, vma);
	if (err == 0)
		err = vma_reserve(&as->vmas, 2);
	if (err != 0)
		return err;
	if (nr_old != 0) {
		err = pt_reserve_fill(&reserve, as->pt.ops->unmap_cost(&as->pt, vma->start, vma->end));
		if (err != 0)
			goto out;
		/* point of no return */
		aspace_zap(as, vma->start, vma->end, &reserve);
		vma_remove_range(&as->vmas, vma->start, vma->end);
		pt_reserve_release(&reserve);
	}
	vma_insert(&as->vmas, vma);
	if (vma->file != NULL) {
		vma_filemap(vma)->was_mapped = true;
		as->has_shared_files |= vma_has_soft_write(vma);
	}
out:
	vma_unreserve(&as->vmas);
	return err;
}

static int64_t mmap_locked(struct aspace *as, const struct mmap_args *args)
{
	uint64_t length = page_round_up(args->length_bytes);
	bool is_shared = (args->flags & MAP_TYPE) != MAP_PRIVATE;
	struct vma vma;
	int64_t start;
	int err = mmap_check(as, args, length);

	if (err != 0)
		return err;
	start = mmap_place(as, args, length);
	if (start < 0)
		return start;
	vma = (struct vma){.start = (uint64_t)start, .end = (uint64_t)start + length};
	err = mmap_file(args, length, &vma.file);
	if (err != 0)
		return err;
	vma.page_index = vma.file == NULL	  ? vma.start >> PAGE_SHIFT
			 : vma.file == args->file ? args->offset >> PAGE_SHIFT
						  : 0;
	vma.prot = prot_make(args->prot & (PROT_READ | PROT_WRITE | PROT_EXEC));
	vma.flags = may_flags(args->file, is_shared) | (is_shared ? VMA_SHARED : 0) |
		    (args->flags & MAP_GROWSDOWN ? VMA_GROWSDOWN : 0) |
		    (args->flags & MAP_LOCKED ? VMA_LOCKED : 0) |
		    reserve_flags(args);
	err = mmap_commit(as, &vma);
	if (vma.file != NULL)
		file_put(vma.file);
	if (err != 0)
		return err;
	if (args->flags & MAP_LOCKED)
		as->has_fork_rules = true;
	if (args->flags & (MAP_POPULATE | MAP_LOCKED) && !(args->flags & MAP_NONBLOCK))
		aspace_populate(as, vma.start, vma.end);
	return start;
}

int64_t aspace_mmap(struct aspace *as, const struct mmap_args *args)
{
	int64_t result;

	mutex_lock(&as->lock);
	result = mmap_locked(as, args);
	commit_settle(as);
	mutex_unlock(&as->lock);
	memory_point("mmap", as, result > 0 ? (uint64_t)result : 0);
	return result;
}

/* ---- munmap -------------------------------------------------------------- */

static int munmap_locked(struct aspace *as, uint64_t start, uint64_t end)
{
	struct pt_reserve reserve = {PFN_NONE, 0};
	const struct vma *first = vma_find_from(&as->vmas, start);
	int err;

	if (first == NULL || first->start >= end)
		return 0;
	err = vma_reserve(&as->vmas, 1);
	if (err != 0)
		return err;
	err = pt_reserve_fill(&reserve, as->pt.ops->unmap_cost(&as->pt, start, end));
	if (err == 0) {
		/* point of no return */
		aspace_zap(as, start, end, &reserve);
		vma_remove_range(&as->vmas, start, end);
		pt_reserve_release(&reserve);
	}
	vma_unreserve(&as->vmas);
	return err;
}

int aspace_munmap(struct aspace *as, uint64_t addr, uint64_t length_bytes)
{
	uint64_t length = page_round_up(length_bytes);
	int err;

	if (page_offset(addr) != 0 || length == 0 || addr > as->user_end || length > as->user_end - addr)
		return -EINVAL;
	mutex_lock(&as->lock);
	err = munmap_locked(as, addr, addr + length);
	commit_settle(as);
	mutex_unlock(&as->lock);
	memory_point("munmap", as, addr);
	return err;
}

/* ---- mprotect ------------------------------------------------------------ */

/* A private mapping counts against the commit limit once it may be written, and from then on. */
static bool becomes_accounted(const struct vma *vma, prot_t prot)
{
	return prot_has(prot, PROT_BIT_W) && !prot_has(vma->prot, PROT_BIT_W) &&
	       !(vma->flags & (VMA_ACCOUNT | VMA_SHARED | VMA_NORESERVE));
}

static void update_prot(struct vma *vma, void *arg)
{
	prot_t prot = *(const prot_t *)arg;

	if (becomes_accounted(vma, prot))
		vma->flags |= VMA_ACCOUNT;
	vma->prot = prot;
}

/* What mprotect needs. */
struct mprotect_cost {
	uint64_t nr_tables;
	uint64_t nr_committed; /* pages */
};

/*
 * Is all of it mapped and may it have these rights? If not, *end becomes where that ends: up to
 * there Linux changes it all the same. Adds up what it needs.
 */
static int mprotect_check(struct aspace *as, uint64_t start, uint64_t *end, prot_t prot,
			  struct mprotect_cost *cost)
{
	uint64_t at = start;

	while (at < *end) {
		const struct vma *v = vma_find(&as->vmas, at);
		struct vma changed;

		if (v == NULL) {
			*end = at;
			return -ENOMEM;
		}
		if ((prot_has(prot, PROT_BIT_R) && !(v->flags & VMA_MAYREAD)) ||
		    (prot_has(prot, PROT_BIT_W) && !(v->flags & VMA_MAYWRITE)) ||
		    (prot_has(prot, PROT_BIT_X) && !(v->flags & VMA_MAYEXEC))) {
			*end = at;
			return -EACCES;
		}
		changed = *v;
		changed.prot = prot;
		cost->nr_tables +=
			as->pt.ops->protect_cost(&as->pt, at, MIN(*end, v->end), vma_page_prot(&changed));
		if (becomes_accounted(v, prot))
			cost->nr_committed += (MIN(*end, v->end) - at) >> PAGE_SHIFT;
		at = v->end;
	}
	return 0;
}

static void mprotect_commit(struct aspace *as, uint64_t start, uint64_t end, prot_t prot,
			    struct pt_reserve *reserve)
{
	struct pt_gather g;
	const struct vma *v;

	pt_gather_init(&g, as, false);
	for (v = vma_find(&as->vmas, start); v != NULL && v->start < end;
	     v = vma_find_from(&as->vmas, v->end)) {
		struct vma changed = *v;

		changed.prot = prot;
		as->pt.ops->protect(&as->pt, MAX(start, v->start), MIN(end, v->end), vma_page_prot(&changed),
				    vma_has_soft_write(v), reserve, &g);
	}
	vma_update_range(&as->vmas, start, end, update_prot, &prot);
	pt_gather_finish(&g);
}

static int mprotect_locked(struct aspace *as, uint64_t start, uint64_t end, uint32_t prot)
{
	struct pt_reserve reserve = {PFN_NONE, 0};
	const struct vma *v = vma_find(&as->vmas, start);
	prot_t rights = prot_make(prot & (PROT_READ | PROT_WRITE | PROT_EXEC));
	struct mprotect_cost cost = {0};
	int refused, err;

	if (prot & PROT_GROWSDOWN) {
		if (v == NULL)
			return -ENOMEM;
		if (!(v->flags & VMA_GROWSDOWN))
			return -EINVAL;
		start = v->start;
	}
	refused = mprotect_check(as, start, &end, rights, &cost);
	if (start == end)
		return refused;
	err = commit_charge(as, cost.nr_committed);
	if (err == 0)
		err = vma_reserve_range(&as->vmas, start, end, 0);
	if (err != 0)
		return err;
	err = pt_reserve_fill(&reserve, cost.nr_tables);
	if (err == 0) {
		/* point of no return */
		mprotect_commit(as, start, end, rights, &reserve);
		pt_reserve_release(&reserve);
		err = refused;
	}
	vma_unreserve(&as->vmas);
	return err;
}

int aspace_mprotect(struct aspace *as, uint64_t addr, uint64_t length_bytes, uint32_t prot)
{
	uint64_t length = page_round_up(length_bytes);
	int err;

	if (page_offset(addr) != 0)
		return -EINVAL;
	if (prot & ~(PROT_READ | PROT_WRITE | PROT_EXEC | PROT_GROWSDOWN))
		return -EINVAL;
	if (length_bytes == 0)
		return 0;
	if (length == 0 || addr > as->user_end || length > as->user_end - addr)
		return -ENOMEM;
	mutex_lock(&as->lock);
	err = mprotect_locked(as, addr, addr + length, prot);
	commit_settle(as);
	mutex_unlock(&as->lock);
	memory_point("mprotect", as, addr);
	return err;
}

/* ---- brk ----------------------------------------------------------------- */

/* [old, new) joins the heap. */
static int brk_grow(struct aspace *as, uint64_t old, uint64_t new)
{
	struct vma vma = {
		.start = old,
		.end = new,
		.page_index = old >> PAGE_SHIFT,
		.flags = VMA_HEAP | VMA_ACCOUNT | VMA_MAYREAD | VMA_MAYWRITE | VMA_MAYEXEC,
		.prot = prot_make(PROT_BIT_R | PROT_BIT_W),
	};

	if (!aspace_range_is_free(as, old, new + PAGE_SIZE))
		return -ENOMEM;
	return mmap_commit(as, &vma);
}

static int brk_locked(struct aspace *as, uint64_t brk)
{
	uint64_t old = page_round_up(as->brk), new = page_round_up(brk);
	uint64_t data = as->data_end - as->data_start;

	if (as->brk_start == 0 || brk < as->brk_start || brk > as->user_end - PAGE_SIZE)
		return -EINVAL;
	if (as->data_limit_bytes != UINT64_MAX && brk - as->brk_start + data > as->data_limit_bytes)
		return -ENOMEM;
	if (new < old)
		return munmap_locked(as, new, old);
	return new > old ? brk_grow(as, old, new) : 0;
}

uint64_t aspace_brk(struct aspace *as, uint64_t brk)
{
	uint64_t result;

	mutex_lock(&as->lock);
	if (brk_locked(as, brk) == 0)
		as->brk = brk;
	commit_settle(as);
	result = as->brk;
	mutex_unlock(&as->lock);
	memory_point("brk", as, result);
	return result;
}
