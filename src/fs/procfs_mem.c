/*
 * The files of /proc/PID about its memory: maps, smaps, cmdline, environ, auxv,
 * mem. They look at another process's address space under its lock, or copy from it
 * as ptrace(2) would.
 */
#include "fs/proc.h"

#include "abi/errno.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "sched/task.h"

#define NAME_COLUMN 73
#define ARGS_MAX (2u << 20) /* more than execve(2) allows */
#define MEM_CHUNK 1024

/* ---- maps ----------------------------------------------------------------- */

static const char *special_name(const struct aspace *as, const struct vma *v)
{
	if (v->flags & VMA_HEAP)
		return "[heap]";
	if ((v->flags & VMA_STACK) || (v->start < as->stack_top && as->stack_top <= v->end))
		return "[stack]";
	return NULL;
}

static void maps_line(struct seqbuf *s, const struct aspace *as, const struct vma *v, char *page)
{
	const struct inode *inode = v->file != NULL ? v->file->inode : NULL;
	struct kstat st = {0};
	const char *name = special_name(as, v);
	size_t start = s->len;

	/* The numbers that stat(2) tells: lsof and fuser compare them. */
	if (inode != NULL)
		(void)vfs_stat_inode(v->file->inode, &st);
	seq_printf(s, "%08llx-%08llx %c%c%c%c %08llx %02x:%02x %llu ", (unsigned long long)v->start,
		   (unsigned long long)v->end, prot_has(v->prot, PROT_BIT_R) ? 'r' : '-',
		   prot_has(v->prot, PROT_BIT_W) ? 'w' : '-', prot_has(v->prot, PROT_BIT_X) ? 'x' : '-',
		   v->flags & VMA_SHARED ? 's' : 'p',
		   (unsigned long long)(inode != NULL ? v->page_index << PAGE_SHIFT : 0), dev_major(st.dev),
		   dev_minor(st.dev), (unsigned long long)st.ino);
	if (v->file != NULL)
		name = file_name(v->file, page, PATH_MAX_BYTES);
	if (name != NULL) {
		for (size_t column = s->len - start; column < NAME_COLUMN; column++)
			seq_puts(s, " ");
		seq_escape(s, name, "\n");
	}
	seq_puts(s, "\n");
}

/* What stands in memory of one mapping, in pages. */
struct residency {
	uint64_t end;              /* of the mapping */
	bool is_locked;
	uint64_t nr_total, nr_resident, nr_anonymous, nr_dirty, nr_locked;
};

/* Walks the page table once, beside the list of mappings: both ascend. */
struct residency_walk {
	struct residency *current;
};

static bool residency_visit(const struct pt_visit *v, void *arg)
{
	struct residency_walk *w = arg;

	if (v->level > 0)
		return true;
	while (w->current->end <= v->va)
		w->current++;
	w->current->nr_resident++;
	w->current->nr_anonymous += frame_kind(v->pfn) == FRAME_ANON;
	w->current->nr_dirty += (v->attrs & PT_DIRTY) != 0;
	w->current->nr_locked += w->current->is_locked;
	return false;
}

/* One for each VMA, ended by one that takes whatever is beyond; NULL: out of memory. With as->lock. */
static struct residency *residency_get(struct aspace *as)
{
	unsigned nr = as->vmas.nr_vmas;
	struct residency *all = kzalloc((nr + 1) * sizeof(*all)), *r = all;
	struct residency_walk walk = {all};
	const struct pt_visitor visitor = {.fn = residency_visit, .arg = &walk};
	const struct vma *v;

	if (all == NULL)
		return NULL;
	for (v = vma_find_from(&as->vmas, 0); v != NULL; v = vma_find_from(&as->vmas, v->end), r++) {
		r->end = v->end;
		r->nr_total = (v->end - v->start) >> PAGE_SHIFT;
		r->is_locked = (v->flags & VMA_LOCKED) != 0;
	}
	r->end = UINT64_MAX;
	as->pt.ops->visit(&as->pt, &visitor);
	return all;
}

static void residency_show(struct seqbuf *s, const struct residency *r, bool has_size)
{
	const uint64_t kib = PAGE_SIZE / 1024;
	uint64_t resident = r->nr_resident * kib, dirty = r->nr_dirty * kib;
	struct { const char *name; uint64_t value;
	} lines[] = {
		{"Rss:", resident},
		{"Pss:", resident},
		{"Pss_Dirty:", dirty},
		{"Shared_Clean:", 0},
		{"Shared_Dirty:", 0},
		{"Private_Clean:", resident - dirty},
		{"Private_Dirty:", dirty},
		{"Referenced:", resident},
		{"Anonymous:", r->nr_anonymous * kib},
		{"LazyFree:", 0},
		{"AnonHugePages:", 0},
		{"ShmemPmdMapped:", 0},
		{"FilePmdMapped:", 0},
		{"Shared_Hugetlb:", 0},
		{"Private_Hugetlb:", 0},
		{"Swap:", 0},
		{"SwapPss:", 0},
		{"Locked:", r->nr_locked * kib},
	};

	if (has_size)
		seq_printf(s, "Size:           %8llu kB\nKernelPageSize: %8u kB\nMMUPageSize:    %8u kB\n",
			   (unsigned long long)(r->nr_total * kib), (unsigned)kib, (unsigned)kib);
	for (unsigned i = 0; i < ARRAY_SIZE(lines); i++)
		seq_printf(s, "%-15s %8llu kB\n", lines[i].name, (unsigned long long)lines[i].value);
}

static void vm_flags(struct seqbuf *s, const struct vma *v)
{
	static const struct { uint32_t flag; const char *name; } names[] = {
		{VMA_SHARED, " sh"}, {VMA_MAYREAD, " mr"}, {VMA_MAYWRITE, " mw"}, {VMA_MAYEXEC, " me"},
		{VMA_GROWSDOWN, " gd"}, {VMA_LOCKED, " lo"}, {VMA_DONTFORK, " dc"}, {VMA_ACCOUNT, " ac"},
		{VMA_NORESERVE, " nr"}, {VMA_WIPEONFORK, " wf"},
	};

	seq_puts(s, "VmFlags:");
	seq_puts(s, prot_has(v->prot, PROT_BIT_R) ? " rd" : "");
	seq_puts(s, prot_has(v->prot, PROT_BIT_W) ? " wr" : "");
	seq_puts(s, prot_has(v->prot, PROT_BIT_X) ? " ex" : "");
	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (v->flags & names[i].flag)
			seq_puts(s, names[i].name);
	seq_puts(s, " \n");
}

static void smaps_locked(struct seqbuf *s, struct aspace *as, const struct residency *r, char *page)
{
	const struct vma *v;

	for (v = vma_find_from(&as->vmas, 0); v != NULL; v = vma_find_from(&as->vmas, v->end), r++) {
		maps_line(s, as, v, page);
		residency_show(s, r, true);
		seq_puts(s, "THPeligible:           0\n");
		vm_flags(s, v);
	}
}

static void rollup_locked(struct seqbuf *s, const struct aspace *as, const struct residency *r)
{
	const struct vma *first = vma_find_from(&as->vmas, 0);
	struct residency sum = {0};

	for (; r->end != UINT64_MAX; r++) {
		sum.end = r->end;
		sum.nr_resident += r->nr_resident;
		sum.nr_anonymous += r->nr_anonymous;
		sum.nr_dirty += r->nr_dirty;
		sum.nr_locked += r->nr_locked;
	}
	seq_printf(s, "%08llx-%08llx ---p 00000000 00:00 0 %*s[rollup]\n",
		   (unsigned long long)(first != NULL ? first->start : 0), (unsigned long long)sum.end,
		   (int)sizeof(void *) * 3 - 1, "");
	residency_show(s, &sum, false);
}

enum maps_form { MAPS_PLAIN, MAPS_SMAPS, MAPS_ROLLUP };

static int maps_locked(struct seqbuf *s, struct aspace *as, enum maps_form form, char *page)
{
	const struct vma *v;
	struct residency *all;

	if (form == MAPS_PLAIN) {
		for (v = vma_find_from(&as->vmas, 0); v != NULL; v = vma_find_from(&as->vmas, v->end))
			maps_line(s, as, v, page);
		return 0;
	}
	all = residency_get(as);
	if (all == NULL)
		return -ENOMEM;
	if (form == MAPS_SMAPS)
		smaps_locked(s, as, all, page);
	else
		rollup_locked(s, as, all);
	kfree(all);
	return 0;
}

static int show_maps(struct seqbuf *s, const struct proc_target *t, enum maps_form form)
{
	struct aspace *as;
	int err = -ENOMEM;
	char *page;

	if (!proc_may_inspect(t->task))
		return -EACCES;
	as = proc_aspace_get(t);
	if (as == NULL)
		return 0;
	page = kmalloc(PATH_MAX_BYTES);
	if (page != NULL) {
		mutex_lock(&as->lock);
		err = maps_locked(s, as, form, page);
		mutex_unlock(&as->lock);
		kfree(page);
	}
	aspace_put(as);
	return err;
}

int proc_show_maps(struct seqbuf *s, const struct proc_target *t) { return show_maps(s, t, MAPS_PLAIN); }
int proc_show_smaps(struct seqbuf *s, const struct proc_target *t) { return show_maps(s, t, MAPS_SMAPS); }
int proc_show_smaps_rollup(struct seqbuf *s, const struct proc_target *t)
{
	return show_maps(s, t, MAPS_ROLLUP);
}

void proc_mem_sizes(struct aspace *as, struct proc_mem_sizes *out)
{
	const struct vma *v;

	*out = (struct proc_mem_sizes){0};
	mutex_lock(&as->lock);
	for (v = vma_find_from(&as->vmas, 0); v != NULL; v = vma_find_from(&as->vmas, v->end)) {
		uint64_t pages = (v->end - v->start) >> PAGE_SHIFT;

		if ((v->flags & VMA_STACK) || (v->flags & VMA_GROWSDOWN))
			out->stack += pages;
		else if (prot_has(v->prot, PROT_BIT_W) && !(v->flags & VMA_SHARED))
			out->data += pages;
		else if (prot_has(v->prot, PROT_BIT_X))
			out->library += pages;
		if (v->flags & VMA_LOCKED)
			out->locked += pages;
	}
	out->total = aspace_virtual_pages(as);
	out->resident = aspace_rss_pages(as);
	out->code = (page_round_up(as->code_end) - page_round_down(as->code_start)) >> PAGE_SHIFT;
	out->library -= MIN(out->library, out->code);
	mutex_unlock(&as->lock);
}

/* ---- strings of the process itself ---------------------------------------- */

/* Appends user memory [start, end); stops quietly where it is not readable. */
static void copy_range(struct seqbuf *s, struct aspace *as, uint64_t start, uint64_t end)
{
	if (end - start > ARGS_MAX)
		end = start + ARGS_MAX;
	while (start < end) {
		size_t n = MIN(end - start, PAGE_SIZE - page_offset(start));
		char *room = seq_reserve(s, n);

		if (room == NULL || copy_from_user_in(as, room, uaddr(start), n) != 0)
			return;
		s->len += n;
		start += n;
	}
}

/*
 * A program may write its title over argv: when the last byte of the arguments is no NUL, the
 * text goes on to the first NUL, into the environment if need be (as get_mm_cmdline() of Linux).
 */
int proc_show_cmdline(struct seqbuf *s, const struct proc_target *t)
{
	struct aspace *as = proc_aspace_get(t);
	size_t args;
	char *nul;

	if (as == NULL)
		return 0;
	if (as->arg_start < as->arg_end) {
		copy_range(s, as, as->arg_start, as->arg_end);
		args = s->len;
		if (args == as->arg_end - as->arg_start && args > 0 && s->data[args - 1] != '\0') {
			if (as->env_start == as->arg_end)
				copy_range(s, as, as->env_start, as->env_end);
			nul = memchr(s->data, '\0', s->len);
			if (nul != NULL)
				s->len = (size_t)(nul - s->data) + 1;
		}
	}
	aspace_put(as);
	return 0;
}

int proc_show_environ(struct seqbuf *s, const struct proc_target *t)
{
	struct aspace *as;

	if (!proc_may_inspect(t->task))
		return -EACCES;
	as = proc_aspace_get(t);
	if (as == NULL)
		return 0;
	if (as->env_start < as->env_end)
		copy_range(s, as, as->env_start, as->env_end);
	aspace_put(as);
	return 0;
}

int proc_show_auxv(struct seqbuf *s, const struct proc_target *t)
{
	struct aspace *as;

	if (!proc_may_inspect(t->task))
		return -EACCES;
	as = proc_aspace_get(t);
	if (as == NULL)
		return 0;
	seq_write(s, as->auxv, as->nr_auxv * sizeof(as->auxv[0]));
	aspace_put(as);
	return 0;
}

/* ---- mem ------------------------------------------------------------------ */

/* The address space is that of the opening, as on Linux: it outlives an exec of the process. */
static int mem_open(struct file *file)
{
	struct proc_target t;
	struct aspace *as = NULL;
	int err = proc_target_get(file->inode, &t);

	if (err != 0)
		return err;
	if (!proc_may_inspect(t.task))
		err = -EACCES;
	else
		file->private = as = proc_aspace_get(&t);
	if (as != NULL)
		as->nr_files++;
	proc_target_put(&t);
	return err;
}

static void mem_release(struct file *file)
{
	struct aspace *as = file->private;

	if (as == NULL)
		return;
	as->nr_files--;
	aspace_put(as);
}

/* One chunk; it does not cross a page, so that it moves whole or not at all. */
static int mem_move(struct aspace *as, struct uio *uio, uint64_t addr, size_t n, bool is_write)
{
	char chunk[MEM_CHUNK];
	int err;

	if (is_write) {
		err = uio_get(uio, chunk, n);
		if (err == 0 && copy_to_user_forced(as, uaddr(addr), chunk, n) != 0)
			err = -EIO;
		return err;
	}
	if (copy_from_user_in(as, chunk, uaddr(addr), n) != 0)
		return -EIO;
	return uio_put(uio, chunk, n);
}

static int64_t mem_rw(struct file *file, struct uio *uio, uint64_t *pos, bool is_write)
{
	struct aspace *as = file->private;
	int64_t done = 0;
	int err = 0;

	if (as == NULL)
		return 0;
	while (uio->resid_bytes > 0 && err == 0) {
		size_t n = MIN(MIN(uio->resid_bytes, (size_t)MEM_CHUNK), PAGE_SIZE - page_offset(*pos));

		err = mem_move(as, uio, *pos, n, is_write);
		if (err == 0) {
			*pos += n;
			done += (int64_t)n;
		}
	}
	return done > 0 ? done : err;
}

static int64_t mem_read(struct file *file, struct uio *uio, uint64_t *pos)
{
	return mem_rw(file, uio, pos, false);
}
static int64_t mem_write(struct file *file, struct uio *uio, uint64_t *pos)
{
	return mem_rw(file, uio, pos, true);
}

/* Offsets are addresses: all 64 bits of them. */
static int64_t mem_lseek(struct file *file, int64_t offset, int whence)
{
	if (whence != SEEK_SET && whence != SEEK_CUR)
		return -EINVAL;
	file->pos = whence == SEEK_SET ? (uint64_t)offset : file->pos + (uint64_t)offset;
	return (int64_t)file->pos;
}

const struct file_ops proc_mem_fops = {
	.open = mem_open,
	.release = mem_release,
	.read = mem_read,
	.write = mem_write,
	.lseek = mem_lseek,
};
