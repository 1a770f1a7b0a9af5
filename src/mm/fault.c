/*
 * Page faults: demand-zero, copy-on-write, file pages, stack growth.
 *
 * Windows: where faults run through memory in sequence, each serves twice as
 * many pages as the one before, up to what the machine asks for; random
 * faults get one page. A few streams are followed at a time, so that copying
 * from one place to another counts as two sequences.
 *
 * Lock: as->lock is held throughout, also while a file is read.
 */
#include "abi/errno.h"
#include "fs/vfs.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/internal.h"
#include "mm/points.h"

#define WINDOW_MAX 64
#define BULK_WINDOW 64
#define FAULT_AROUND_PAGES 16

/* One fault on its way: first planned, everything it needs allocated; then carried out. */
struct fault {
	struct aspace *as;
	const struct pt_ops *ops;
	struct pt *pt;
	struct vma vma;
	uint64_t va;	     /* page */
	unsigned access;     /* enum trap_access */
	unsigned flags;	     /* enum fault_flags */
	prot_t prot;	     /* the mapping's page rights */
	unsigned window;     /* pages to serve at most, within VMA and leaf table */
	uint64_t grown_end;  /* a stack grows: up to here it is new; else 0 */
	struct pt_entry old; /* what is at va before */
	bool is_shared_path; /* its leaf table will be copied */
	unsigned nr;	     /* pages served */
	/* Frames for the pages at va[], each with a reference. */
	unsigned nr_frames;
	uint64_t frame_va[WINDOW_MAX];
	pfn_t frame[WINDOW_MAX];
	struct pt_reserve tables;
	struct pt_gather gather;
};

static bool wants_write(const struct fault *f) { return (f->access & TRAP_WRITE) != 0; }

/* Attributes of a page this fault maps. The window of a write counts as written: it will be. */
static unsigned new_attrs(const struct fault *f)
{
	return PT_USER | PT_ACCESSED | (wants_write(f) && prot_has(f->prot, PROT_BIT_W) ? PT_DIRTY : 0);
}

/* Fresh memory read first will mostly be written next: dirty from the start, that needs no second trap. */
static unsigned zero_attrs(const struct fault *f)
{
	return PT_USER | PT_ACCESSED | (prot_has(f->prot, PROT_BIT_W) ? PT_DIRTY : 0);
}

/* ---- windows ------------------------------------------------------------- */

static unsigned stream_window(struct aspace *as, uint64_t va)
{
	unsigned max = MIN(arch_fault_window_pages(), WINDOW_MAX), i = 0, window = 1;

	if (max <= 1)
		return 1;
	while (i < FAULT_STREAMS && as->fault_streams[i].next != va)
		i++;
	if (i < FAULT_STREAMS)
		window = MIN(2 * as->fault_streams[i].window, max);
	else
		i--;
	memmove(&as->fault_streams[1], &as->fault_streams[0], i * sizeof(as->fault_streams[0]));
	as->fault_streams[0] = (struct fault_stream){.next = va + PAGE_SIZE, .window = window};
	return window;
}

/* ---- frames -------------------------------------------------------------- */

/*
 * Frames for the private pages at frame_va[0..nr): the machine's warm ones first, the
 * others side by side. Sets nr_frames to as many as there are, from the first on.
 */
static int plan_frames(struct fault *f, unsigned nr)
{
	pfn_t run[WINDOW_MAX];
	unsigned nr_missing = 0, nr_got = 0, nr_used = 0, i;

	for (i = 0; i < nr; i++) {
		f->frame[i] = arch_mmu_recycle(f->as, uaddr(f->frame_va[i]));
		nr_missing += pfn_is_none(f->frame[i]);
	}
	if (nr_missing != 0)
		nr_got = frame_alloc_run(FRAME_ANON, run, nr_missing);
	aspace_stats.nr_recycled += nr - nr_missing;
	for (i = 0; i < nr; i++) {
		if (!pfn_is_none(f->frame[i]))
			frame_set_kind(f->frame[i], FRAME_ANON);
		else if (nr_used < nr_got)
			f->frame[i] = run[nr_used++];
		else
			break;
	}
	f->nr_frames = i;
	for (; i < nr; i++)
		if (!pfn_is_none(f->frame[i]))
			frame_put(f->frame[i]);
	return f->nr_frames != 0 ? 0 : -ENOMEM;
}

static void plan_undo(struct fault *f)
{
	while (f->nr_frames != 0)
		frame_put(f->frame[--f->nr_frames]);
	pt_reserve_release(&f->tables);
}

/* ---- anonymous memory ---------------------------------------------------- */

static int plan_zero(struct fault *f)
{
	unsigned nr = f->ops->absent_run(f->pt, f->va, f->window);

	for (unsigned i = 0; i < nr; i++)
		f->frame_va[i] = f->va + i * PAGE_SIZE;
	return plan_frames(f, nr);
}

static void serve_zero(struct fault *f)
{
	for (unsigned i = 0; i < f->nr_frames; i++)
		memset(pfn_to_ptr(f->frame[i]), 0, PAGE_SIZE);
	f->ops->map(f->pt, f->va, f->frame, f->nr_frames, f->prot, zero_attrs(f));
	f->nr = f->nr_frames;
	aspace_stats.nr_zero_pages += f->nr;
}

/* ---- file pages ---------------------------------------------------------- */

static uint64_t map_nr_pages(const struct filemap *map)
{
	return (map->size_bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}

static bool is_private_copy(const struct fault *f) { return !(f->vma.flags & VMA_SHARED) && wants_write(f); }

/* First access to a private file page is a write: a copy at once. */
static int plan_file_copy(struct fault *f, struct filemap *map)
{
	pfn_t page;
	int err = filemap_get_page(map, vma_index(&f->vma, f->va), false, &page);

	if (err != 0)
		return err;
	f->frame_va[0] = f->va;
	err = plan_frames(f, 1);
	if (err == 0)
		memcpy(pfn_to_ptr(f->frame[0]), pfn_to_ptr(page), PAGE_SIZE);
	frame_put(page);
	return err;
}

static int plan_file(struct fault *f)
{
	struct filemap *map = vma_filemap(&f->vma);
	uint64_t index = vma_index(&f->vma, f->va), nr_file = map_nr_pages(map);
	bool for_write = (f->vma.flags & VMA_SHARED) && wants_write(f);
	unsigned nr;
	int err = 0;

	if (index >= nr_file)
		return -EIO;
	f->as->nr_major_faults += map->ops->read_pages != NULL && !filemap_is_cached(map, index);
	if (is_private_copy(f))
		return plan_file_copy(f, map);
	nr = f->vma.flags & VMA_SHARED ? f->ops->absent_run(f->pt, f->va, f->window) : 1;
	nr = (unsigned)MIN(nr, nr_file - index);
	while (f->nr_frames < nr && err == 0) {
		err = filemap_get_page(map, index + f->nr_frames, for_write, &f->frame[f->nr_frames]);
		f->nr_frames += err == 0;
	}
	return f->nr_frames != 0 ? 0 : err;
}

/* Up to nr pages of the file from index on that are cached, side by side, each with a reference more. */
static unsigned peek_run(struct filemap *map, uint64_t index, pfn_t *out, unsigned nr)
{
	unsigned i = 0;

	while (i < nr && !pfn_is_none(out[i] = filemap_peek(map, index + i)))
		i++;
	return i;
}

/* Maps neighbours that are cached already, without write: they cost no fault of their own then. */
static void fault_around(struct fault *f, struct filemap *map, prot_t prot, unsigned attrs)
{
	uint64_t bytes = FAULT_AROUND_PAGES * PAGE_SIZE, from = f->va & ~(bytes - 1), to = from + bytes;
	uint64_t file_end = f->va + ((map_nr_pages(map) - vma_index(&f->vma, f->va)) << PAGE_SHIFT);
	pfn_t run[FAULT_AROUND_PAGES];

	from = MAX(from, f->vma.start);
	to = MIN(MIN(to, f->vma.end), file_end);
	to = MIN(to, f->va + f->ops->leaf_room(f->va) * PAGE_SIZE);
	while (from < to) {
		unsigned nr = f->ops->absent_run(f->pt, from, (unsigned)((to - from) >> PAGE_SHIFT));

		nr = peek_run(map, vma_index(&f->vma, from), run, nr);
		if (nr != 0)
			f->ops->map(f->pt, from, run, nr, prot, attrs);
		aspace_stats.nr_file_pages += nr;
		from += MAX(nr, 1u) * PAGE_SIZE;
	}
}

/* Memory files are mapped with all rights; those with a backing store hear of the first write. */
static void serve_file(struct fault *f)
{
	struct filemap *map = vma_filemap(&f->vma);
	bool is_shared = (f->vma.flags & VMA_SHARED) != 0;
	unsigned shared = is_shared ? PT_SHARED : 0;
	prot_t prot = f->prot;

	if (is_shared ? map->ops->write_page != NULL && !wants_write(f) : !wants_write(f))
		prot = prot_without(prot, PROT_BIT_W);
	f->nr = f->nr_frames;
	f->ops->map(f->pt, f->va, f->frame, f->nr, prot, new_attrs(f) | shared);
	if (is_private_copy(f)) {
		aspace_stats.nr_cow_copies++;
		pt_stats.nr_page_copies++;
		return;
	}
	aspace_stats.nr_file_pages += f->nr;
	/* Private pages that will be written soon are better copied at their first access. */
	if (!wants_write(f) && f->nr == 1 && (is_shared || !prot_has(f->prot, PROT_BIT_W)))
		fault_around(f, map, prot, PT_USER | shared);
}

/* ---- copy-on-write ------------------------------------------------------- */

/*
 * Which pages of the window to serve, and frames for those that others use too. When
 * memory is short: those up to the first that lacks a frame.
 */
static int plan_cow(struct fault *f)
{
	struct pt_entry e = f->old;
	unsigned nr_copies = 0;
	int err;

	for (; f->nr < f->window; f->nr++) {
		uint64_t va = f->va + f->nr * PAGE_SIZE;

		if (f->nr != 0 && (!f->ops->lookup(f->pt, va, &e) || e.shared))
			break;
		if (f->is_shared_path || frame_refs(e.pfn) != 1)
			f->frame_va[nr_copies++] = va;
	}
	if (nr_copies == 0)
		return 0;
	err = plan_frames(f, nr_copies);
	if (f->nr_frames < nr_copies)
		f->nr = (unsigned)((f->frame_va[f->nr_frames] - f->va) >> PAGE_SHIFT);
	return f->nr != 0 ? 0 : err;
}

/* One page whose table is private; copy: a frame for it if others use the old one too, else none. */
static void cow_page(struct fault *f, uint64_t va, pfn_t copy)
{
	struct pt_entry e = f->old;

	if (va != f->va || !e.is_private_path)
		f->ops->lookup(f->pt, va, &e);
	if (prot_has(e.prot, PROT_BIT_W)) { /* only a table stood in the way */
		f->ops->set_prot(f->pt, va, e.prot, va == f->va ? new_attrs(f) : PT_USER);
		if (!pfn_is_none(copy)) /* the kernel has it pinned, nobody else uses it */
			frame_put(copy);
	} else if (pfn_is_none(copy)) {
		frame_set_kind(e.pfn, FRAME_ANON); /* a file's page may have left the cache */
		f->ops->set_prot(f->pt, va, f->prot, new_attrs(f));
		aspace_stats.nr_cow_takeovers++;
		pt_stats.nr_takeovers++;
	} else {
		memcpy(pfn_to_ptr(copy), pfn_to_ptr(e.pfn), PAGE_SIZE);
		f->ops->replace(f->pt, va, copy, f->prot, new_attrs(f), &f->gather);
		aspace_stats.nr_cow_copies++;
		pt_stats.nr_page_copies++;
	}
}

static void serve_cow(struct fault *f)
{
	unsigned nr = f->nr, used = 0;

	for (f->nr = 0; f->nr < nr; f->nr++) {
		uint64_t va = f->va + f->nr * PAGE_SIZE;
		bool is_copy = used < f->nr_frames && f->frame_va[used] == va;

		cow_page(f, va, is_copy ? f->frame[used++] : PFN_NONE);
	}
	ASSERT(used == f->nr_frames);
	if (f->as->nr_first_writes_left != 0)
		first_writes_note(f->as, f->va);
}

/* First write to a page of a shared mapping that is mapped read-only. */
static void serve_shared_write(struct fault *f)
{
	struct filemap *map = vma_filemap(&f->vma);

	if (map->ops->write_page != NULL)
		filemap_mark_dirty(map, vma_index(&f->vma, f->va));
	f->ops->set_prot(f->pt, f->va, f->prot, new_attrs(f));
	f->nr = 1;
}

/* ---- which mapping ------------------------------------------------------- */

/* May the stack above va grow down to it: within its limit and clear of what lies below? Reserves for it. */
static int plan_growth(struct fault *f, const struct vma *stack)
{
	const struct vma *below = vma_find_before(&f->as->vmas, f->va);

	if (f->va < ARCH_USER_MIN || stack->end - f->va > f->as->stack_limit_bytes)
		return -EFAULT;
	if (below != NULL && below->prot.raw != 0 && !(below->flags & VMA_GROWSDOWN) &&
	    f->va - below->end < STACK_GUARD_PAGES * PAGE_SIZE)
		return -EFAULT;
	if (!aspace_may_expand(f->as, (stack->start - f->va) >> PAGE_SHIFT, false))
		return -EFAULT;
	if ((stack->flags & VMA_ACCOUNT) && commit_charge(f->as, (stack->start - f->va) >> PAGE_SHIFT) != 0)
		return -EFAULT;
	if (vma_reserve(&f->as->vmas, 1) != 0) {
		commit_settle(f->as);
		return -ENOMEM;
	}
	f->vma = *stack;
	f->vma.start = f->va;
	f->vma.end = f->grown_end = stack->start;
	f->vma.page_index = f->vma.start >> PAGE_SHIFT;
	return 0;
}

static int fault_find_vma(struct fault *f)
{
	const struct vma *v = vma_find_from(&f->as->vmas, f->va);
	bool is_allowed;

	if (v == NULL || f->va >= f->as->user_end)
		return -EFAULT;
	f->prot = vma_page_prot(v);
	if (f->flags & FAULT_FORCE)
		is_allowed = !(v->flags & VMA_SHARED) || (v->flags & VMA_MAYWRITE);
	else
		is_allowed = prot_has(f->prot, f->access);
	if (v->start > f->va && (!(v->flags & VMA_GROWSDOWN) || (f->flags & FAULT_NO_GROW)))
		return -EFAULT;
	if (!is_allowed)
		return -EACCES;
	if (v->start > f->va)
		return plan_growth(f, v);
	f->vma = *v;
	return 0;
}

/* ---- the fault ----------------------------------------------------------- */

static void fault_set_window(struct fault *f)
{
	uint64_t room = MIN((f->vma.end - f->va) >> PAGE_SHIFT, f->ops->leaf_room(f->va));

	if (f->flags & FAULT_FORCE)
		f->window = 1;
	else if (f->flags & FAULT_BULK)
		f->window = BULK_WINDOW;
	else
		f->window = f->flags & FAULT_NO_GROW ? 1 : stream_window(f->as, f->va);
	f->window = (unsigned)MIN(f->window, room);
}

/* Everything that may fail; on success *serve carries the fault out. */
static int fault_plan(struct fault *f, void (**serve)(struct fault *f))
{
	unsigned nr_tables = 0;
	int err = 0;

	f->is_shared_path = false;
	if (!f->old.is_private_path)
		nr_tables = f->ops->own_cost(f->pt, f->va, &f->is_shared_path);
	fault_set_window(f);
	if (!f->old.present) {
		*serve = f->vma.file != NULL ? serve_file : serve_zero;
		err = f->vma.file != NULL ? plan_file(f) : plan_zero(f);
		if (err == -ENOSPC) /* no room in a file of memory: as on Linux, SIGBUS */
			err = -EIO;
	} else if (!wants_write(f)) {
		err = -EACCES;
	} else if (f->old.shared) {
		*serve = serve_shared_write;
	} else {
		*serve = serve_cow;
		err = plan_cow(f);
	}
	if (err == 0 && nr_tables != 0)
		err = pt_reserve_fill(&f->tables, nr_tables);
	if (err != 0)
		plan_undo(f);
	return err;
}

static int fault_serve(struct fault *f)
{
	struct fault_stream *stream = &f->as->fault_streams[0];
	void (*serve)(struct fault * f);
	int err = fault_plan(f, &serve);

	if (err == 0 && f->grown_end != 0)
		vma_insert(&f->as->vmas, &f->vma);
	if (f->grown_end != 0) {
		vma_unreserve(&f->as->vmas);
		commit_settle(f->as);
	}
	if (err != 0)
		return err;
	/* point of no return */
	pt_gather_init(&f->gather, f->as, false);
	if (!f->old.is_private_path)
		f->ops->own(f->pt, f->va, &f->tables, &f->gather);
	serve(f);
	pt_gather_finish(&f->gather);
	pt_reserve_release(&f->tables);
	if (!(f->vma.flags & VMA_SHARED) && prot_has(f->prot, PROT_BIT_W))
		f->ops->note_hot(f->pt, f->va);
	if (stream->next == f->va + PAGE_SIZE)
		stream->next = f->va + f->nr * PAGE_SIZE;
	return 0;
}

int aspace_fault_locked(struct aspace *as, uint64_t addr, unsigned access)
{
	struct fault f; /* large: only what is read before it is written gets initialised */
	prot_t prot;
	pfn_t pfn;
	int err;

	f.as = as;
	f.ops = as->pt.ops;
	f.pt = &as->pt;
	f.va = page_round_down(addr);
	f.access = access & (TRAP_READ | TRAP_WRITE | TRAP_EXEC);
	f.flags = access & (FAULT_FORCE | FAULT_NO_GROW | FAULT_BULK);
	f.grown_end = 0;
	f.nr = 0;
	f.nr_frames = 0;
	f.tables = (struct pt_reserve){PFN_NONE, 0};
	if (f.va < as->user_end && f.ops->lookup(f.pt, f.va, &f.old) && prot_has(f.old.prot, f.access) &&
	    f.ops->walk(f.pt, f.va, f.access, &pfn, &prot)) {
		aspace_stats.nr_spurious++;
		return 0;
	}
	err = fault_find_vma(&f);
	return err != 0 ? err : fault_serve(&f);
}

int aspace_fault(struct aspace *as, uaddr_t addr, unsigned access)
{
	uint64_t page = page_round_down(addr.raw), nr_spurious = aspace_stats.nr_spurious;
	int err;

	mutex_lock(&as->lock);
	aspace_stats.nr_faults++;
	fault_point(as, addr.raw, access);
	err = aspace_fault_locked(as, addr.raw, access);
	if (aspace_stats.nr_spurious != nr_spurious) {
		/* A stale translation, stricter than the tables, may linger: on to the next walk. */
		arch_tlb_flush_range(as, uaddr(page), uaddr(page + PAGE_SIZE));
	}
	as->nr_minor_faults += err == 0;
	mutex_unlock(&as->lock);
	memory_point("fault", as, addr.raw);
	return err;
}

void aspace_prefault(struct aspace *as, uaddr_t addr, unsigned access)
{
	(void)aspace_fault_locked(as, addr.raw, access | FAULT_NO_GROW);
}

void aspace_populate(struct aspace *as, uint64_t start, uint64_t end)
{
	while (start < end) {
		const struct vma *v = vma_find_from(&as->vmas, start);
		unsigned access;

		if (v == NULL || v->start >= end)
			return;
		if (v->start > start)
			start = v->start;
		access = prot_has(v->prot, PROT_BIT_W) && !((v->flags & VMA_SHARED) && vma_has_soft_write(v))
				 ? TRAP_WRITE
				 : TRAP_READ;
		if (aspace_fault_locked(as, start, access | FAULT_NO_GROW | FAULT_BULK) != 0)
			return;
		start += PAGE_SIZE;
	}
}
