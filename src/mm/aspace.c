/*
 * Address spaces: creation, fork, destruction, the list of all of them, and
 * what their operations share.
 *
 * Lock: as->lock for everything in an address space; the list aspace_all is
 * changed without sleeping. fork holds the parent's lock, then the child's,
 * which nobody else knows yet.
 */
#include "mm/aspace.h"

#include "abi/errno.h"
#include "abi/mman.h"
#include "fs/vfs.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/internal.h"
#include "mm/kmalloc.h"
#include "mm/points.h"

/*
 * fork shares subtrees with more pages than this. Smaller ones, mostly stacks, it copies, as both sides
 * will write to them (measured in docs/PERFORMANCE.md).
 */
#define FORK_SHARE_ABOVE_PAGES 48
#define FORK_STOCK_PAGES 64

struct list aspace_all = LIST_INIT(aspace_all);
struct aspace_stats aspace_stats;

static enum fork_mode fork_mode = FORK_SHARE;
static uint32_t share_above_pages = FORK_SHARE_ABOVE_PAGES;
static const struct pt_ops *default_pt_ops;

void aspace_set_fork_mode(enum fork_mode mode) { fork_mode = mode; }

void aspace_set_share_above(uint32_t nr_pages) { share_above_pages = nr_pages; }

enum fork_mode aspace_fork_mode(void) { return fork_mode; }

void aspace_set_pt_ops(const struct pt_ops *ops) { default_pt_ops = ops; }

void aspace_init(void)
{
	list_init(&aspace_all);
	mm_audit_forget();
	commit_init();
	frame_register_shrinker(arch_mmu_shrink);
	filemap_subsystem_init();
}

/* ---- create, destroy ----------------------------------------------------- */

/* Everything but the machine's part; the caller sets what a parent would give. */
static uint64_t last_id;

static int aspace_alloc(const struct pt_ops *ops, struct aspace **out)
{
	struct aspace *as = kzalloc(sizeof(*as));
	int err;

	if (as == NULL)
		return -ENOMEM;
	ASSERT(ops != NULL);
	mutex_init(&as->lock);
	vma_tree_init(&as->vmas);
	as->pt.ops = ops;
	err = ops->create(&as->pt);
	if (err != 0) {
		kfree(as);
		return err;
	}
	as->refs = 1;
	as->id = ++last_id;
	as->user_end = MIN(arch_user_end(), pt_va_end(ops));
	as->mmap_top = as->user_end;
	as->stack_limit_bytes = 8 << 20;
	as->as_limit_bytes = UINT64_MAX;
	as->data_limit_bytes = UINT64_MAX;
	list_init(&as->all_link);
	*out = as;
	return 0;
}

/* Pages of shared file mappings have gone: what was written through them goes to the files. */
static void sync_shared_files(struct aspace *as, uint64_t start, uint64_t end)
{
	const struct vma *v;

	if (!as->has_shared_files)
		return;
	for (v = vma_find_from(&as->vmas, start); v != NULL && v->start < end;
	     v = vma_find_from(&as->vmas, v->end))
		if (vma_has_soft_write(v))
			(void)filemap_sync(vma_filemap(v));
}

static void aspace_destroy(struct aspace *as)
{
	list_remove(&as->all_link);
	as->pt.ops->destroy(&as->pt);
	first_writes_put(as);
	sync_shared_files(as, 0, as->user_end);
	vma_tree_destroy(&as->vmas);
	commit_settle(as);
	if (as->exe != NULL)
		file_put(as->exe);
	kfree(as);
}

int aspace_create(const struct inode *program, struct aspace **out)
{
	struct aspace *as;
	int err = aspace_alloc(default_pt_ops, &as);

	if (err != 0)
		return err;
	err = arch_mmu_attach(as, NULL, program);
	if (err != 0) {
		aspace_destroy(as);
		return err;
	}
	list_add_tail(&aspace_all, &as->all_link);
	*out = as;
	memory_point("aspace_create", as, 0);
	return 0;
}

void aspace_get(struct aspace *as) { __atomic_fetch_add(&as->refs, 1, __ATOMIC_RELAXED); }

void aspace_put(struct aspace *as)
{
	uint32_t old = __atomic_fetch_sub(&as->refs, 1, __ATOMIC_ACQ_REL);
	uint64_t id = as->id;

	ASSERT(old != 0);
	if (old != 1)
		return;
	arch_mmu_detach(as);
	aspace_destroy(as);
	memory_point("exit", NULL, id);
}

/* ---- fork ---------------------------------------------------------------- */

struct fork_copy {
	struct pt_clone clone;
	struct aspace *child;
	unsigned nr_copied;
	unsigned nr_stock, next; /* frames bought ahead, so that copies lie side by side */
	pfn_t stock[FORK_STOCK_PAGES];
};

static pfn_t fork_new_page(struct pt_clone *clone, uint64_t va)
{
	struct fork_copy *f = CONTAINER_OF(clone, struct fork_copy, clone);
	pfn_t pfn = arch_mmu_recycle(f->child, uaddr(va));
	unsigned want = FORK_STOCK_PAGES;

	f->nr_copied++;
	if (!pfn_is_none(pfn)) {
		frame_set_kind(pfn, FRAME_ANON);
		aspace_stats.nr_recycled++;
		return pfn;
	}
	if (f->next == f->nr_stock) {
		if (!clone->copy_all && clone->nr_hot_pages + 1 > f->nr_copied)
			want = MIN(want, clone->nr_hot_pages + 1 - f->nr_copied);
		f->next = 0;
		f->nr_stock =
			frame_alloc_run(FRAME_ANON, f->stock, clone->copy_all || !clone->has_pins ? want : 1);
		if (f->nr_stock == 0)
			return PFN_NONE;
	}
	return f->stock[f->next++];
}

/* Copies the page table of parent; also on failure flushes what lost write permission. */
static int fork_clone_tables(struct aspace *parent, struct aspace *child)
{
	struct fork_copy f = {
		.clone =
			{
				.share_above_pages = fork_mode == FORK_SHARE && user_pins_total == 0
							     ? share_above_pages
							     : UINT32_MAX,
				.copy_all = fork_mode == FORK_EAGER,
				.has_pins = user_pins_total != 0,
				.hot_pages_max = fork_mode == FORK_SHARE ? arch_fork_hot_pages() : 0,
				.new_page = fork_new_page,
			},
		.child = child,
	};
	int err;

	if (fork_mode == FORK_SHARE) {
		first_writes_inherit(child, parent);
		f.clone.nr_first_writes = first_writes_choose(parent, f.clone.first_writes);
	}
	err = parent->pt.ops->clone(&child->pt, &parent->pt, &f.clone);

	for (unsigned i = 0; i < f.clone.flush.nr; i++) {
		const struct pt_range *r = &f.clone.flush.range[i];

		pt_stats.nr_flushes++;
		arch_tlb_flush_range(parent, uaddr(r->start), uaddr(r->end));
	}
	while (f.next < f.nr_stock)
		frame_put(f.stock[f.next++]);
	aspace_stats.nr_hot_pages += f.nr_copied;
	return err;
}

/* MADV_DONTFORK, MADV_WIPEONFORK, and mlock(2), which is not inherited: in the child before it runs. */
static int fork_apply_rules(struct aspace *child)
{
	const struct vma *found;
	int err = 0;

	for (uint64_t at = 0; err == 0 && (found = vma_find_from(&child->vmas, at)) != NULL;) {
		struct vma v = *found;

		at = v.end;
		if (v.flags & VMA_DONTFORK) {
			err = vma_reserve(&child->vmas, 1);
			if (err == 0)
				err = aspace_zap_checked(child, v.start, v.end);
			if (err == 0)
				vma_remove_range(&child->vmas, v.start, v.end);
			vma_unreserve(&child->vmas);
			continue;
		}
		if (v.flags & VMA_WIPEONFORK)
			err = aspace_zap_checked(child, v.start, v.end);
		if (err == 0 && (v.flags & VMA_LOCKED))
			err = aspace_change_flags(child, v.start, v.end, 0, VMA_LOCKED);
	}
	return err;
}

static void fork_copy_facts(struct aspace *child, const struct aspace *parent)
{
	child->brk_start = parent->brk_start;
	child->brk = parent->brk;
	child->mmap_top = parent->mmap_top;
	child->stack_limit_bytes = parent->stack_limit_bytes;
	child->as_limit_bytes = parent->as_limit_bytes;
	child->data_limit_bytes = parent->data_limit_bytes;
	child->arg_start = parent->arg_start;
	child->arg_end = parent->arg_end;
	child->env_start = parent->env_start;
	child->env_end = parent->env_end;
	child->code_start = parent->code_start;
	child->code_end = parent->code_end;
	child->data_start = parent->data_start;
	child->data_end = parent->data_end;
	child->stack_top = parent->stack_top;
	memcpy(child->auxv, parent->auxv, sizeof(parent->auxv));
	child->nr_auxv = parent->nr_auxv;
	child->has_fork_rules = parent->has_fork_rules;
	child->has_shared_files = parent->has_shared_files;
	child->exe = parent->exe;
	if (child->exe != NULL)
		file_get(child->exe);
}

static int fork_locked(struct aspace *parent, struct aspace *child)
{
	int err = fork_clone_tables(parent, child);

	if (err != 0)
		return err;
	vma_tree_clone(&child->vmas, &parent->vmas);
	fork_copy_facts(child, parent);
	if (child->has_fork_rules) {
		err = fork_apply_rules(child);
		if (err != 0)
			return err;
	}
	arch_mmu_warm(child);
	return 0;
}

int aspace_fork(struct aspace *parent, struct aspace **out)
{
	struct aspace *child;
	int err;

	mutex_lock(&parent->lock);
	err = aspace_alloc(parent->pt.ops, &child);
	if (err != 0)
		goto out_unlock;
	err = commit_charge_fork(child, parent);
	if (err != 0)
		goto out_destroy;
	err = arch_mmu_attach(child, parent, parent->exe != NULL ? parent->exe->inode : NULL);
	if (err != 0)
		goto out_destroy;
	mutex_lock(&child->lock);
	err = fork_locked(parent, child);
	mutex_unlock(&child->lock);
	if (err != 0) {
		arch_mmu_detach(child);
		goto out_destroy;
	}
	aspace_stats.nr_forks++;
	list_add_tail(&aspace_all, &child->all_link);
	fork_point(parent, child);
	mutex_unlock(&parent->lock);
	*out = child;
	memory_point("fork", child, parent->id);
	return 0;

out_destroy:
	aspace_destroy(child);
out_unlock:
	mutex_unlock(&parent->lock);
	memory_point("failed fork", parent, 0);
	return err;
}

/* ---- shared by the operations -------------------------------------------- */

struct filemap *vma_filemap(const struct vma *vma)
{
	int err = 0;
	/* As if private: what a new shared mapping may do was checked when it was made. */
	struct filemap *map = vma->file->ops->mmap(vma->file, false, &err);

	ASSERT(map != NULL);
	return map;
}

void aspace_zap(struct aspace *as, uint64_t start, uint64_t end, struct pt_reserve *reserve)
{
	struct pt_gather g;

	pt_gather_init(&g, as, true);
	as->pt.ops->unmap(&as->pt, start, end, reserve, &g);
	pt_gather_finish(&g);
	sync_shared_files(as, start, end);
}

int aspace_zap_checked(struct aspace *as, uint64_t start, uint64_t end)
{
	struct pt_reserve reserve = {PFN_NONE, 0};
	int err = pt_reserve_fill(&reserve, as->pt.ops->unmap_cost(&as->pt, start, end));

	if (err != 0)
		return err;
	aspace_zap(as, start, end, &reserve);
	pt_reserve_release(&reserve);
	return 0;
}

bool aspace_walk(struct aspace *as, uaddr_t addr, unsigned access, pfn_t *pfn, prot_t *prot)
{
	return addr.raw < as->user_end && as->pt.ops->walk(&as->pt, addr.raw, access, pfn, prot);
}

uint64_t aspace_rss_pages(const struct aspace *as) { return as->pt.nr_pages; }

uint64_t aspace_virtual_pages(const struct aspace *as) { return as->vmas.nr_pages; }
