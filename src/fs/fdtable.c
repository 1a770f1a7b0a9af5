/*
 * Descriptor tables: an array of files with two bitmaps (in use, close-on-exec).
 * It grows by doubling up to RLIMIT_NOFILE; the lowest free number is found by words.
 * table->lock guards everything; files are put only after it is released.
 */
#include "fs/fdtable.h"
#include "abi/resource.h"
#include "internal.h"
#include "mm/kmalloc.h"

#define FDS_MIN 64u
#define FDS_MAX (1u << 20)

struct fdtable {
	uint32_t refs;
	struct spinlock lock;
	/* lock guards these: */
	unsigned capacity; /* a multiple of 64 */
	unsigned nr_used;
	unsigned first_free; /* no number below it is free */
	unsigned nr_slots;   /* files[] below it is NULL or in use; from it on undefined, never used so far */
	struct file **files;
	uint64_t *used, *cloexec; /* behind files, in the same allocation */
	struct file *first_files[FDS_MIN];
	uint64_t first_used, first_cloexec;
};

static bool bit_get(const uint64_t *map, unsigned i) { return (map[i / 64] >> (i % 64) & 1) != 0; }
static void bit_set(uint64_t *map, unsigned i) { map[i / 64] |= 1ull << (i % 64); }
static void bit_clear(uint64_t *map, unsigned i) { map[i / 64] &= ~(1ull << (i % 64)); }

static struct fdtable *my_table(void) { return current_task()->files; }

static unsigned limit_nofile(void)
{
	uint64_t limit = current_process()->rlimits[RLIMIT_NOFILE].cur;

	return (unsigned)MIN(limit, FDS_MAX);
}

static size_t arrays_bytes(unsigned capacity)
{
	return capacity * sizeof(struct file *) + 2 * (capacity / 8);
}

static void use_arrays(struct fdtable *t, void *memory, unsigned capacity)
{
	t->files = memory;
	t->used = (uint64_t *)((char *)memory + capacity * sizeof(struct file *));
	t->cloexec = t->used + capacity / 64;
	t->capacity = capacity;
}

int fdtable_create(struct fdtable **out)
{
	struct fdtable *t = kmalloc(sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	t->refs = 1;
	t->lock = (struct spinlock)SPINLOCK_INIT;
	t->nr_used = t->first_free = t->nr_slots = 0;
	t->first_used = t->first_cloexec = 0;
	t->capacity = FDS_MIN;
	t->files = t->first_files;
	t->used = &t->first_used;
	t->cloexec = &t->first_cloexec;
	*out = t;
	return 0;
}

/* Room for number fd. */
static int grow(struct fdtable *t, unsigned fd)
{
	unsigned capacity = t->capacity, old = t->capacity;
	struct fdtable before = {.files = t->files, .used = t->used, .cloexec = t->cloexec};
	void *memory;

	if (fd < old)
		return 0;
	while (capacity <= fd)
		capacity *= 2;
	memory = kmalloc(arrays_bytes(capacity));
	if (memory == NULL)
		return -ENOMEM;
	use_arrays(t, memory, capacity);
	memcpy(t->files, before.files, t->nr_slots * sizeof(struct file *));
	memset(t->used, 0, 2 * (capacity / 8));
	memcpy(t->used, before.used, old / 8);
	memcpy(t->cloexec, before.cloexec, old / 8);
	if (before.files != t->first_files)
		kfree(before.files);
	return 0;
}

/* The highest number in use plus one. */
static unsigned top(const struct fdtable *t)
{
	for (unsigned word = t->capacity / 64; word-- > 0;)
		if (t->used[word] != 0)
			return word * 64 + 64 - (unsigned)__builtin_clzll(t->used[word]);
	return 0;
}

int fdtable_copy(struct fdtable *src, struct fdtable **out)
{
	struct fdtable *t = NULL;
	unsigned nr = top(src);
	int error = fdtable_create(&t);

	if (error == 0 && nr > t->capacity)
		error = grow(t, nr - 1);
	if (error != 0) {
		kfree(t);
		return error;
	}
	spin_lock(&src->lock);
	for (unsigned word = 0; word < (nr + 63) / 64; word++) {
		t->used[word] = src->used[word];
		t->cloexec[word] = src->cloexec[word];
	}
	for (unsigned fd = 0; fd < nr; fd++) {
		t->files[fd] = src->files[fd];
		if (t->files[fd] != NULL)
			file_get(t->files[fd]);
	}
	t->nr_slots = nr;
	t->nr_used = src->nr_used;
	t->first_free = src->first_free;
	spin_unlock(&src->lock);
	*out = t;
	return 0;
}

void fdtable_get(struct fdtable *t) { ref_get(&t->refs); }
uint32_t fdtable_refs(const struct fdtable *t) { return t->refs; }
unsigned fdtable_capacity(const struct fdtable *t) { return t->capacity; }

/* What close(2) does to a file: record locks of the table go, then the reference. */
static void close_file(struct fdtable *t, struct file *file)
{
	if (file->inode != NULL && !list_is_empty(&file->inode->flocks))
		lock_release_posix(file, t);
	file_put(file);
}

/* Takes fd out of the table; the file's reference is the caller's. NULL: not in use. */
static struct file *remove_locked(struct fdtable *t, unsigned fd)
{
	struct file *file;

	if (fd >= t->capacity || !bit_get(t->used, fd))
		return NULL;
	file = t->files[fd];
	t->files[fd] = NULL;
	bit_clear(t->used, fd);
	bit_clear(t->cloexec, fd);
	t->nr_used--;
	t->first_free = MIN(t->first_free, fd);
	return file;
}

void fdtable_put(struct fdtable *t)
{
	if (t == NULL || !ref_put(&t->refs))
		return;
	for (unsigned fd = 0; fd < t->nr_slots; fd++)
		if (t->files[fd] != NULL)
			close_file(t, t->files[fd]);
	if (t->files != t->first_files)
		kfree(t->files);
	kfree(t);
}

void fdtable_close_on_exec(struct fdtable *t)
{
	for (unsigned word = 0; word < t->capacity / 64; word++)
		while (t->cloexec[word] != 0) {
			struct file *file;

			spin_lock(&t->lock);
			file = remove_locked(t, word * 64 + (unsigned)__builtin_ctzll(t->cloexec[word]));
			spin_unlock(&t->lock);
			close_file(t, file);
		}
}

struct file *fdtable_file(struct fdtable *t, int fd)
{
	struct file *file = NULL;

	spin_lock(&t->lock);
	if (fd >= 0 && (unsigned)fd < t->nr_slots)
		file = t->files[fd];
	if (file != NULL)
		file_get(file);
	spin_unlock(&t->lock);
	return file;
}

int fdtable_next(struct fdtable *t, int fd)
{
	for (unsigned i = fd < 0 ? 0 : (unsigned)fd; i < t->capacity; i++)
		if (bit_get(t->used, i))
			return (int)i;
	return -1;
}

struct file *fd_get(int fd) { return fdtable_file(my_table(), fd); }

struct file *fd_get_io(int fd)
{
	struct file *file = fd_get(fd);

	if (file != NULL && (file->flags & O_PATH) != 0) {
		file_put(file);
		return NULL;
	}
	return file;
}

/* Lowest free number >= min; may be beyond the capacity. */
static unsigned find_free(struct fdtable *t, unsigned min)
{
	unsigned i = MAX(min, t->first_free);

	while (i < t->capacity) {
		uint64_t free_bits = ~t->used[i / 64] >> (i % 64);

		if (free_bits != 0)
			return i + (unsigned)__builtin_ctzll(free_bits);
		i = (i / 64 + 1) * 64;
	}
	return i;
}

static void put_locked(struct fdtable *t, unsigned fd, struct file *file, bool close_on_exec)
{
	while (t->nr_slots <= fd)
		t->files[t->nr_slots++] = NULL;
	t->files[fd] = file;
	bit_set(t->used, fd);
	if (close_on_exec)
		bit_set(t->cloexec, fd);
	else
		bit_clear(t->cloexec, fd);
	t->nr_used++;
}

int fd_install(struct file *f, int min, bool close_on_exec)
{
	struct fdtable *t = my_table();
	unsigned limit = limit_nofile(), fd;
	int error = 0;

	if (min < 0 || ((unsigned)min >= limit && min > 0))
		return -EINVAL; /* F_DUPFD's; any other caller's minimum is 0 */
	spin_lock(&t->lock);
	fd = find_free(t, (unsigned)min);
	if (fd >= limit)
		error = -EMFILE;
	else
		error = grow(t, fd);
	if (error == 0) {
		put_locked(t, fd, f, close_on_exec);
		if (fd == t->first_free)
			t->first_free = fd + 1;
	}
	spin_unlock(&t->lock);
	return error != 0 ? error : (int)fd;
}

int fd_install_at(struct file *f, int fd, bool close_on_exec)
{
	struct fdtable *t = my_table();
	struct file *old;
	int error;

	if (fd < 0 || (unsigned)fd >= limit_nofile())
		return -EBADF;
	spin_lock(&t->lock);
	error = grow(t, (unsigned)fd);
	if (error != 0) {
		spin_unlock(&t->lock);
		return error;
	}
	old = remove_locked(t, (unsigned)fd);
	put_locked(t, (unsigned)fd, f, close_on_exec);
	spin_unlock(&t->lock);
	if (old != NULL)
		close_file(t, old);
	return fd;
}

int fd_close(int fd)
{
	struct fdtable *t = my_table();
	struct file *file;

	if (fd < 0)
		return -EBADF;
	spin_lock(&t->lock);
	file = remove_locked(t, (unsigned)fd);
	spin_unlock(&t->lock);
	if (file == NULL)
		return -EBADF;
	close_file(t, file);
	return 0;
}

int fd_close_range(unsigned first, unsigned last, bool cloexec_only)
{
	struct fdtable *t = my_table();

	if (first > last)
		return -EINVAL;
	for (int fd = fdtable_next(t, (int)MIN(first, (unsigned)INT32_MAX)); fd >= 0 && (unsigned)fd <= last;
	     fd = fdtable_next(t, fd + 1)) {
		if (cloexec_only)
			(void)fd_set_cloexec(fd, true);
		else
			(void)fd_close(fd);
	}
	return 0;
}

int fd_get_cloexec(int fd)
{
	struct fdtable *t = my_table();
	int result = -EBADF;

	spin_lock(&t->lock);
	if (fd >= 0 && (unsigned)fd < t->capacity && bit_get(t->used, (unsigned)fd))
		result = bit_get(t->cloexec, (unsigned)fd);
	spin_unlock(&t->lock);
	return result;
}

int fd_set_cloexec(int fd, bool on)
{
	struct fdtable *t = my_table();
	int result = -EBADF;

	spin_lock(&t->lock);
	if (fd >= 0 && (unsigned)fd < t->capacity && bit_get(t->used, (unsigned)fd)) {
		if (on)
			bit_set(t->cloexec, (unsigned)fd);
		else
			bit_clear(t->cloexec, (unsigned)fd);
		result = 0;
	}
	spin_unlock(&t->lock);
	return result;
}

/* ---- root, working directory, umask ---- */

int fs_context_create(struct fs_context **out)
{
	struct fs_context *c = kzalloc(sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->refs = 1;
	c->umask = 022;
	vfs_root(&c->root);
	c->cwd = c->root;
	path_get(&c->cwd);
	*out = c;
	return 0;
}

int fs_context_copy(struct fs_context *src, struct fs_context **out)
{
	struct fs_context *c = kmalloc(sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	*c = *src;
	c->refs = 1;
	path_get(&c->root);
	path_get(&c->cwd);
	*out = c;
	return 0;
}

void fs_context_get(struct fs_context *c) { ref_get(&c->refs); }

void fs_context_put(struct fs_context *c)
{
	if (c == NULL || !ref_put(&c->refs))
		return;
	path_put(&c->cwd);
	path_put(&c->root);
	kfree(c);
}
