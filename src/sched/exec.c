/*
 * execve(2). Everything that can fail is done first, beside the running program:
 * the strings are copied, the file and its interpreters are found and checked, a new
 * address space is built and filled, the other threads are ended. Then the commit, which
 * cannot fail: so a failed execve leaves the caller as it was.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "fs/fdtable.h"
#include "fs/vfs.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/kmalloc.h"
#include "mm/vma.h"
#include "sched/exec.h"
#include "sched/futex.h"
#include "sched/internal.h"
#include "trace/trace.h"

#define HEAD_BYTES 1024			    /* read at once: headers of nearly every program */
#define PIE_BASE UINT64_C(0x555555554000)   /* where Linux puts programs without randomisation */
#define MMAP_TOP_ALIGN (UINT64_C(1) << 30)
#define STACK_GAP_MIN (UINT64_C(128) << 20) /* between the stack's top and the mmap area, at least */

/* ---- files --------------------------------------------------------------- */

static int open_program(int dirfd, const char *name, int flags, struct file **out)
{
	unsigned lookup = (flags & AT_SYMLINK_NOFOLLOW) != 0 ? 0 : LOOKUP_FOLLOW;

	if ((flags & AT_EMPTY_PATH) != 0)
		lookup |= LOOKUP_EMPTY_OK;
	return vfs_open_exec(dirfd, name, lookup, out);
}

/* ---- scripts ------------------------------------------------------------- */

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

/*
 * Cuts "#! interpreter [argument]" in two, in place. line has size bytes, and one more that
 * may be written. -ENOEXEC when there is no interpreter, or its name does not end within size.
 */
static int split_script_line(char *line, size_t size, const char **interp, const char **interp_arg)
{
	char *end = memchr(line, '\n', size), *p = line + 2;
	bool is_cut = end == NULL && size == EXEC_SCRIPT_HEAD;

	if (end == NULL)
		end = line + size;
	while (p < end && is_blank(*p))
		p++;
	*interp = p;
	while (p < end && !is_blank(*p) && *p != '\0')
		p++;
	if (p == *interp) /* the empty name: Linux finds so only when the file ends here */
		return end == line + size && !is_cut ? -EACCES : -ENOEXEC;
	if (p == end && is_cut)
		return -ENOEXEC;
	while (end > p && is_blank(end[-1]))
		end--;
	*end = '\0';
	if (p < end)
		*p++ = '\0';
	while (p < end && is_blank(*p))
		p++;
	*interp_arg = p;
	return 0;
}

/* The program is a script: its interpreter takes its place. path: what the script was called. */
static int enter_script(struct exec *x, char *head, size_t head_bytes, char *path, size_t path_size)
{
	const char *interp, *interp_arg;
	struct file *file;
	int r = split_script_line(head, MIN(head_bytes, (size_t)EXEC_SCRIPT_HEAD), &interp, &interp_arg);

	if (r == 0)
		r = exec_args_add_script(&x->args, path, interp, interp_arg);
	if (r == 0)
		r = open_program(AT_FDCWD, interp, 0, &file);
	if (r != 0)
		return r;
	file_put(x->file);
	x->file = file;
	str_copy(path, interp, path_size);
	return 0;
}

/* Follows scripts to a program and reads its headers. head: HEAD_BYTES + 1 bytes of work space. */
static int find_program(struct exec *x, char *head, char *path, size_t path_size)
{
	str_copy(path, x->filename, path_size);
	for (unsigned depth = 0;; depth++) {
		int64_t n = vfs_read_kernel(x->file, head, HEAD_BYTES, 0);
		int r;

		if (n < 0)
			return (int)n;
		if (n < 2 || head[0] != '#' || head[1] != '!')
			return elf_read(x->file, head, (size_t)n, &x->program);
		if (depth >= EXEC_SCRIPT_DEPTH)
			return -ELOOP;
		r = enter_script(x, head, (size_t)n, path, path_size);
		if (r != 0)
			return r;
	}
}

/* The dynamic linker, if the program asks for one. */
static int find_interp(struct exec *x, char *head, char *path, size_t path_size)
{
	int64_t n;
	int r;

	if (x->program.interp == NULL)
		return 0;
	r = elf_interp_path(&x->program, path, path_size);
	if (r == 0)
		r = open_program(AT_FDCWD, path, 0, &x->interp_file);
	if (r != 0)
		return r;
	n = vfs_read_kernel(x->interp_file, head, HEAD_BYTES, 0);
	if (n < 0)
		return (int)n;
	r = elf_read(x->interp_file, head, (size_t)n, &x->interp);
	return r == -ENOEXEC ? -ELIBBAD : r;
}

static int find_files(struct exec *x)
{
	char *space = kmalloc(HEAD_BYTES + 1 + PATH_MAX_BYTES);
	char *path = space + HEAD_BYTES + 1;
	int r;

	if (space == NULL)
		return -ENOMEM;
	r = find_program(x, space, path, PATH_MAX_BYTES);
	if (r == 0)
		r = find_interp(x, space, path, PATH_MAX_BYTES);
	kfree(space);
	return r;
}

/* ---- credentials --------------------------------------------------------- */

/* execve(2) and capabilities(7): set-user-id bits; root has all capabilities, others none. */
static void compute_cred(struct exec *x)
{
	struct task *me = current_task();
	const struct inode *inode = x->file->inode;
	struct cred *c = &x->cred;

	*c = me->cred;
	if (!me->no_new_privs) {
		if ((inode->mode & S_ISUID) != 0)
			c->euid = inode->uid;
		if ((inode->mode & (S_ISGID | 0010)) == (S_ISGID | 0010))
			c->egid = inode->gid;
	}
	x->is_secure = c->euid != c->uid || c->egid != c->gid;
	c->suid = c->fsuid = c->euid;
	c->sgid = c->fsgid = c->egid;
	c->cap_permitted = c->uid == 0 || c->euid == 0 ? LINUX_CAP_FULL : 0;
	c->cap_effective = c->euid == 0 ? LINUX_CAP_FULL : 0;
}

/* ---- the new address space ----------------------------------------------- */

/* Fixed numbers, no randomisation: runs can be repeated. */
static void choose_layout(struct exec *x)
{
	const struct rlimit_pair *limits = current_process()->rlimits;
	struct aspace *as = x->aspace;
	uint64_t end = arch_user_end(), gap;

	as->stack_limit_bytes = limits[RLIMIT_STACK].cur;
	as->as_limit_bytes = limits[RLIMIT_AS].cur;
	as->data_limit_bytes = limits[RLIMIT_DATA].cur;
	x->stack_top = page_round_down(end - PAGE_SIZE);
	gap = MAX(MIN(as->stack_limit_bytes, end), STACK_GAP_MIN);
	gap = MIN(gap, end / 6 * 5);
	/* Mappings and the stack share no page table of the lower levels: the stack is what forks write to. */
	as->mmap_top = (x->stack_top - gap) & ~(MMAP_TOP_ALIGN - 1);
}

static bool fits(const struct elf_image *image, uint64_t bias, uint64_t limit)
{
	return image->high <= limit && bias <= limit - image->high;
}

static int place_program(struct exec *x)
{
	struct elf_image *image = &x->program;
	uint64_t end = arch_user_end(), base = PIE_BASE;

	if (!image->is_relocatable)
		return fits(image, 0, x->aspace->mmap_top) ? 0 : -ENOEXEC;
	if (base > end / 4 * 3)
		base = end / 3 * 2;
	base &= ~(image->align - 1);
	image->bias = base - image->low;
	return fits(image, image->bias, x->aspace->mmap_top) ? 0 : -ENOMEM;
}

static int place_interp(struct exec *x)
{
	struct elf_image *image = &x->interp;
	struct aspace *as = x->aspace;
	uint64_t slack = image->align - PAGE_SIZE, addr;

	if (!image->is_relocatable)
		return fits(image, 0, as->mmap_top) ? 0 : -ELIBBAD;
	mutex_lock(&as->lock);
	addr = vma_find_gap(&as->vmas, ARCH_USER_MIN, as->mmap_top, image->high - image->low + slack, true);
	mutex_unlock(&as->lock);
	if (addr == UINT64_MAX)
		return -ENOMEM;
	image->bias = ((addr + slack) & ~(image->align - 1)) - image->low;
	return 0;
}

static int map_images(struct exec *x)
{
	int r = place_program(x);

	if (r == 0)
		r = elf_map(x->aspace, &x->program);
	if (r != 0)
		return r;
	x->aspace->brk_start = x->aspace->brk = elf_end(&x->program);
	x->aspace->exe = x->file;
	file_get(x->file);
	x->entry = x->program.bias + x->program.header.entry;
	if (x->interp_file == NULL)
		return 0;
	r = place_interp(x);
	if (r == 0)
		r = elf_map(x->aspace, &x->interp);
	x->entry = x->interp.bias + x->interp.header.entry;
	return r;
}

static int build_aspace(struct exec *x)
{
	int r = aspace_create(x->file->inode, &x->aspace);

	if (r != 0) {
		x->aspace = NULL;
		return r;
	}
	choose_layout(x);
	r = map_images(x);
	if (r == 0)
		r = exec_build_stack(x);
	if (r != 0)
		return r;
	mutex_lock(&x->aspace->lock);
	arch_mmu_warm(x->aspace);
	mutex_unlock(&x->aspace->lock);
	return 0;
}

/* ---- commit -------------------------------------------------------------- */

/* Private copies of what the program shared with other processes. Both NULL when not needed. */
struct unshared {
	struct sighand *hand;
	struct fdtable *files;
};

static int unshare(struct task *me, struct unshared *u)
{
	int r;

	*u = (struct unshared){0};
	if (me->sig.hand->refs > 1) {
		r = sighand_copy(me->sig.hand, true, &u->hand);
		if (r != 0)
			return r;
	}
	if (fdtable_refs(me->files) == 1)
		return 0;
	r = fdtable_copy(me->files, &u->files);
	if (r != 0 && u->hand != NULL)
		sighand_put(u->hand);
	return r;
}

static void unshare_undo(struct unshared *u)
{
	if (u->files != NULL)
		fdtable_put(u->files);
	if (u->hand != NULL)
		sighand_put(u->hand);
}

static void commit_signals(struct task *me, struct unshared *u)
{
	struct sighand *old = me->sig.hand;

	if (u->hand != NULL) {
		me->sig.hand = u->hand;
		sighand_put(old);
	} else {
		sighand_reset_handlers(old);
	}
	me->sig.altstack_sp = uaddr(0);
	me->sig.altstack_size = 0;
	me->sig.altstack_flags = SS_DISABLE;
	me->restart_fn = NULL;
}

static void commit_aspace(struct task *me, struct exec *x)
{
	struct process *p = me->process;
	struct aspace *old = me->aspace;

	if (old != NULL) {
		p->max_rss_pages = MAX(p->max_rss_pages, aspace_rss_pages(old));
		task_leave_aspace(me);
	}
	me->aspace = x->aspace;
	x->aspace = NULL;
	sched_switch_aspace(me->aspace);
	if (old != NULL)
		aspace_put(old);
}

static void commit_files(struct task *me, struct unshared *u)
{
	struct fdtable *old = me->files;

	if (u->files != NULL) {
		me->files = u->files;
		fdtable_put(old);
	}
	fdtable_close_on_exec(me->files);
}

static void commit(struct exec *x, struct unshared *u)
{
	struct task *me = current_task();
	struct process *p = me->process;

	commit_aspace(me, x);
	commit_signals(me, u);
	posix_timers_delete_all(p);
	if (me->cred.euid != x->cred.euid || me->cred.egid != x->cred.egid)
		me->pdeath_signal = 0;
	p->is_dumpable = !x->is_secure;
	me->cred = x->cred;
	me->keep_caps = false;
	p->has_execed = true;
	p->exit_signal = SIGCHLD;
	str_copy(me->name, x->name, sizeof(me->name));
	if (trace_calls_on)
		trace_name(me);
	arch_fpu_init(me->fpu);
	arch_fpu_changed(me);
	frame_init_user(me->frame, x->entry, x->sp);
	commit_files(me, u);
}

/* x->file, x->args, x->filename and x->name are set. */
static int do_exec(struct exec *x)
{
	struct unshared u = {0};
	int r = exec_args_add_filename(&x->args, x->filename);

	if (r == 0)
		r = find_files(x);
	if (r != 0)
		return r;
	compute_cred(x);
	r = build_aspace(x);
	if (r == 0)
		r = unshare(current_task(), &u);
	if (r != 0)
		return r;
	r = task_kill_other_threads();
	if (r != 0) {
		unshare_undo(&u);
		return r;
	}
	/* Nothing fails from here on. */
	commit(x, &u);
	return 0;
}

static void exec_release(struct exec *x)
{
	exec_args_release(&x->args);
	elf_release(&x->program);
	elf_release(&x->interp);
	if (x->aspace != NULL)
		aspace_put(x->aspace);
	if (x->interp_file != NULL)
		file_put(x->interp_file);
	if (x->file != NULL)
		file_put(x->file);
}

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash != NULL ? slash + 1 : path;
}

/* The arguments' source is the one difference between the first program and the others. */
static int exec_with(struct exec *x, int dirfd, const char *path, int flags)
{
	int r = open_program(dirfd, path, flags, &x->file);

	if (r != 0) {
		x->file = NULL;
		return r;
	}
	x->filename = path;
	x->name = path[0] != '\0' ? last_component(path) : x->file->path.dentry->name;
	return 0;
}

int64_t task_execve(int dirfd, const char *path, uaddr_t argv, uaddr_t envp, int flags)
{
	struct exec x = {0};
	int r;

	if ((flags & ~(AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW)) != 0)
		return -EINVAL;
	exec_args_init(&x.args, current_process()->rlimits[RLIMIT_STACK].cur);
	r = exec_with(&x, dirfd, path, flags);
	if (r == 0)
		r = exec_args_from_user(&x.args, argv, envp);
	if (r == 0)
		r = do_exec(&x);
	exec_release(&x);
	return r;
}

int task_exec_init(const char *path, const char *const argv[], const char *const envp[])
{
	struct exec x = {0};
	int r;

	exec_args_init(&x.args, current_process()->rlimits[RLIMIT_STACK].cur);
	r = exec_with(&x, AT_FDCWD, path, 0);
	if (r == 0)
		r = exec_args_from_kernel(&x.args, argv, envp);
	if (r == 0)
		r = do_exec(&x);
	exec_release(&x);
	return r;
}
