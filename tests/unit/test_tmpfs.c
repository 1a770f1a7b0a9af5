/* tmpfs, shared memory files, directories, times, locks: contents, limits, and memory given back. */
#include "fs_fixture.h"

#define MIB ((uint64_t)1 << 20)

static void test_read_write_offsets(void **state)
{
	struct file *f;
	char buf[16];
	char *big = malloc(3 * 4096);

	assert_int_equal(fs_open("/tmp/rw", O_CREAT | O_RDWR, 0644, &f), 0);
	assert_int_equal(vfs_write_kernel(f, "hello", 5, 0), 5);
	assert_int_equal(vfs_read_kernel(f, buf, 16, 0), 5);
	assert_memory_equal(buf, "hello", 5);
	assert_int_equal(vfs_read_kernel(f, buf, 16, 3), 2);
	assert_int_equal(vfs_read_kernel(f, buf, 16, 5), 0);
	assert_int_equal(vfs_read_kernel(f, buf, 16, 1 << 30), 0);
	/* a hole reads as zeroes and takes no memory, also after it was read */
	assert_int_equal(vfs_write_kernel(f, "end", 3, 10 * MIB), 3);
	assert_int_equal(f->inode->map.nr_pages, 2);
	memset(buf, 1, sizeof(buf));
	assert_int_equal(vfs_read_kernel(f, buf, 16, 5 * MIB), 16);
	assert_int_equal(buf[0] | buf[15], 0);
	assert_int_equal(f->inode->map.nr_pages, 2);
	/* across pages */
	for (int i = 0; i < 3 * 4096; i++)
		big[i] = (char)(i * 7);
	assert_int_equal(vfs_write_kernel(f, big, 3 * 4096, 1000), 3 * 4096);
	char *back = malloc(3 * 4096);
	assert_int_equal(vfs_read_kernel(f, back, 3 * 4096, 1000), 3 * 4096);
	assert_memory_equal(big, back, 3 * 4096);
	file_put(f);
	free(big);
	free(back);
	/* modes */
	assert_int_equal(fs_open("/tmp/rw", O_RDONLY, 0, &f), 0);
	assert_int_equal(vfs_write_kernel(f, "x", 1, 0), -EBADF);
	file_put(f);
}

static void test_append_and_truncate(void **state)
{
	struct file *f;
	char buf[32];
	struct kstat st;

	assert_int_equal(fs_make("/tmp/ap", "base"), 0);
	assert_int_equal(fs_open("/tmp/ap", O_RDWR | O_APPEND, 0, &f), 0);
	assert_int_equal(vfs_write_kernel(f, "+1", 2, 0), 2);
	assert_int_equal(vfs_read_kernel(f, buf, 32, 0), 6);
	assert_memory_equal(buf, "base+1", 6);
	assert_int_equal(vfs_ftruncate(f, 2), 0);
	assert_int_equal(vfs_ftruncate(f, 4), 0);
	assert_int_equal(vfs_read_kernel(f, buf, 32, 0), 4);
	assert_memory_equal(buf, "ba\0\0", 4);
	assert_int_equal(vfs_ftruncate(f, (uint64_t)1 << 63), -EFBIG);
	vfs_stat_inode(f->inode, &st);
	assert_int_equal(st.size_bytes, 4);
	file_put(f);
	assert_int_equal(fs_open("/tmp/ap", O_RDONLY, 0, &f), 0);
	assert_int_equal(vfs_ftruncate(f, 0), -EINVAL);
	file_put(f);
}

/* Names, contents and inodes go when the last of name and file is gone. */
static void test_memory_is_given_back(void **state)
{
	uint64_t before = fs_frames_used();
	char *data = calloc(1, MIB);
	struct file *f;
	struct frame_stats stats;
	uint64_t with_file;

	memset(data, 7, MIB);
	assert_int_equal(fs_open("/tmp/big", O_CREAT | O_RDWR, 0644, &f), 0);
	assert_int_equal(vfs_write_kernel(f, data, MIB, 0), MIB);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/tmp/big", false), 0);
	frame_get_stats(&stats);
	with_file = stats.nr_total - stats.nr_free;
	assert_true(with_file >= before + 256);
	assert_int_equal(vfs_read_kernel(f, data, MIB, 0), MIB);
	assert_int_equal(data[MIB - 1], 7);
	file_put(f);
	assert_int_equal(fs_frames_used(), before);
	free(data);
}

static void test_limit(void **state)
{
	struct superblock *sb;
	struct kstatfs st;
	struct file *f;
	char *data = calloc(1, MIB);

	assert_int_equal(tmpfs_create_sized(0755, MIB, &sb), 0);
	assert_int_equal(vfs_mount(sb, "/lim", "tmpfs", false), 0);
	assert_int_equal(vfs_statfs(sb, &st), 0);
	assert_int_equal(st.nr_blocks, 256);
	assert_int_equal(st.nr_free, 256);
	assert_int_equal(fs_open("/lim/f", O_CREAT | O_RDWR, 0644, &f), 0);
	assert_int_equal(vfs_write_kernel(f, data, MIB, 0), MIB);
	assert_int_equal(vfs_write_kernel(f, "x", 1, MIB), -ENOSPC);
	assert_int_equal(vfs_write_kernel(f, data, MIB, 0), MIB); /* over what is there */
	assert_int_equal(vfs_statfs(sb, &st), 0);
	assert_int_equal(st.nr_free, 0);
	assert_int_equal(vfs_ftruncate(f, 4096), 0);
	assert_int_equal(vfs_statfs(sb, &st), 0);
	assert_int_equal(st.nr_free, 255);
	assert_int_equal(f->ops->fallocate(f, 0, 0, 2 * MIB), -ENOSPC);
	assert_int_equal(f->ops->fallocate(f, 0, 0, MIB / 2), 0);
	assert_int_equal(f->inode->map.size_bytes, MIB / 2);
	assert_int_equal(f->inode->map.nr_pages, 128);
	assert_int_equal(f->ops->fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, MIB), 0);
	assert_int_equal(f->inode->map.nr_pages, 0);
	assert_int_equal(f->inode->map.size_bytes, MIB / 2);
	file_put(f);
	free(data);
}

/* fallocate that fails part way takes back what it made, and nothing else. */
static void test_failed_fallocate(void **state)
{
	const int keep = FALLOC_FL_KEEP_SIZE;
	uint64_t cached;
	struct file *f;
	unsigned nth = 1;
	char byte;
	int error;

	assert_int_equal(fs_open("/tmp/f", O_CREAT | O_RDWR, 0644, &f), 0);
	assert_int_equal(f->ops->fallocate(f, keep, 2 * PAGE_SIZE, PAGE_SIZE), 0); /* never written */
	assert_int_equal(vfs_write_kernel(f, "x", 1, 70 * PAGE_SIZE), 1);
	cached = f->inode->map.nr_pages;
	assert_int_equal(cached, 2);
	do {
		fail_alloc_arm(nth++, false);
		error = f->ops->fallocate(f, 0, 0, 100 * PAGE_SIZE);
		fail_alloc_arm(0, false);
		if (error != 0) {
			assert_int_equal(error, -ENOMEM);
			assert_int_equal(f->inode->map.nr_pages, cached);
			assert_true(filemap_is_cached(&f->inode->map, 2));
			assert_int_equal(f->inode->map.size_bytes, 70 * PAGE_SIZE + 1);
		}
	} while (error != 0);
	assert_true(nth > 98);
	assert_int_equal(f->inode->map.nr_pages, 100);
	assert_int_equal(vfs_read_kernel(f, &byte, 1, 70 * PAGE_SIZE), 1);
	assert_int_equal(byte, 'x');
	file_put(f);
}

static void test_file_size_limit(void **state)
{
	struct file *f;

	fs_process.rlimits[RLIMIT_FSIZE].cur = 100;
	assert_int_equal(fs_open("/tmp/fs", O_CREAT | O_RDWR, 0644, &f), 0);
	assert_int_equal(vfs_write_kernel(f, (char[200]){0}, 200, 0), 100);
	fs_process.rlimits[RLIMIT_FSIZE].cur = RLIM_INFINITY;
	assert_int_equal(vfs_write_kernel(f, "x", 1, INT64_MAX), -EFBIG);
	file_put(f);
}

struct listing {
	unsigned nr, stop_after;
	char names[64][16];
	uint64_t next[64];
	unsigned types[64];
};

static bool collect(void *arg, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next_pos)
{
	struct listing *l = arg;

	if (l->nr == l->stop_after)
		return false;
	memcpy(l->names[l->nr], name, len);
	l->names[l->nr][len] = '\0';
	l->types[l->nr] = type;
	l->next[l->nr++] = next_pos;
	return true;
}

/* Reading goes on where it stopped, whatever is removed or added meanwhile. */
static void test_readdir_while_changing(void **state)
{
	struct listing l = {.stop_after = 5};
	struct file *dir;
	char name[32];
	uint64_t pos = 0;

	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/tmp/dir", 0755), 0);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof(name), "/tmp/dir/%02d", i);
		assert_int_equal(fs_make(name, ""), 0);
	}
	assert_int_equal(fs_open("/tmp/dir", O_RDONLY, 0, &dir), 0);
	assert_int_equal(vfs_readdir(dir, &pos, collect, &l), 0);
	assert_int_equal(l.nr, 5);
	assert_string_equal(l.names[0], ".");
	assert_string_equal(l.names[1], "..");
	assert_string_equal(l.names[4], "02");
	for (int i = 0; i < 6; i++) {
		snprintf(name, sizeof(name), "/tmp/dir/%02d", i);
		assert_int_equal(vfs_unlinkat(AT_FDCWD, name, false), 0);
	}
	assert_int_equal(fs_make("/tmp/dir/late", ""), 0);
	l.stop_after = 64;
	assert_int_equal(vfs_readdir(dir, &pos, collect, &l), 0);
	assert_int_equal(l.nr, 5 + 14 + 1);
	assert_string_equal(l.names[5], "06");
	assert_string_equal(l.names[19], "late");
	/* seekdir(telldir()) */
	pos = l.next[10];
	l.nr = 11;
	assert_int_equal(vfs_readdir(dir, &pos, collect, &l), 0);
	assert_int_equal(l.nr, 20);
	file_put(dir);
}

static void test_times(void **state)
{
	struct kstat a, b;
	struct file *f;
	struct path p;
	struct timestamp t[2] = {{100, 5}, {200, 6}};

	assert_int_equal(fs_make("/tmp/tm", "x"), 0);
	assert_int_equal(path_lookup(AT_FDCWD, "/tmp/tm", 0, &p), 0);
	assert_int_equal(vfs_utimes(&p, t), 0);
	vfs_stat_inode(p.dentry->inode, &a);
	assert_int_equal(a.atime.sec, 100);
	assert_int_equal(a.mtime.nsec, 6);
	t[0].nsec = UTIME_OMIT;
	t[1].sec = 300;
	assert_int_equal(vfs_utimes(&p, t), 0);
	vfs_stat_inode(p.dentry->inode, &a);
	assert_int_equal(a.atime.sec, 100);
	assert_int_equal(a.mtime.sec, 300);
	/* relatime: a read after a write moves atime */
	assert_int_equal(fs_open("/tmp/tm", O_RDWR, 0, &f), 0);
	struct linux_iovec iov;
	struct uio uio;
	char c;
	uint64_t pos = 0;
	uio_kernel(&uio, &iov, &c, 1);
	assert_int_equal(vfs_read(f, &uio, &pos), 1);
	vfs_stat_inode(p.dentry->inode, &b);
	assert_true(b.atime.sec != 100);
	assert_int_equal(vfs_write_kernel(f, "y", 1, 0), 1);
	vfs_stat_inode(p.dentry->inode, &b);
	assert_true(b.mtime.sec != 300);
	file_put(f);
	path_put(&p);
}

static void test_shared_memory_files(void **state)
{
	uint64_t before = fs_frames_used(), after;
	struct file *f;
	char buf[64];

	assert_int_equal(shmem_file_create(5 * 4096, &f), 0);
	assert_int_equal(f->inode->map.size_bytes, 5 * 4096);
	assert_string_equal(file_name(f, buf, sizeof(buf)), "/dev/zero (deleted)");
	assert_int_equal(shmem_get_seals(f), -EINVAL);
	file_put(f);
	assert_int_equal(memfd_file_create("m", MFD_ALLOW_SEALING, &f), 0);
	assert_string_equal(file_name(f, buf, sizeof(buf)), "/memfd:m (deleted)");
	assert_int_equal(vfs_write_kernel(f, "data", 4, 0), 4);
	assert_int_equal(shmem_add_seals(f, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	assert_int_equal(vfs_ftruncate(f, 3), -EPERM);
	assert_int_equal(vfs_write_kernel(f, "12345", 5, 0), -EPERM);
	assert_int_equal(vfs_write_kernel(f, "DATA", 4, 0), 4);
	assert_int_equal(shmem_add_seals(f, F_SEAL_WRITE | F_SEAL_SEAL), 0);
	assert_int_equal(vfs_write_kernel(f, "D", 1, 0), -EPERM);
	assert_int_equal(shmem_add_seals(f, F_SEAL_GROW), -EPERM);
	assert_int_equal(shmem_get_seals(f), F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL);
	file_put(f);
	assert_int_equal(memfd_file_create("m", 0, &f), 0);
	assert_int_equal(shmem_add_seals(f, F_SEAL_GROW), -EPERM);
	file_put(f);
	assert_int_equal(memfd_file_create("m", 0x8000, &f), -EINVAL);
	after = fs_frames_used();
	assert_true(after <= before + 8); /* the file system itself, once */
}

/* A deep tree goes with its file system, without recursion; so does what it held. */
static void test_unmount_frees_everything(void **state)
{
	struct superblock *sb;
	uint64_t before;
	struct path p;

	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/deep", 0755), 0);
	before = fs_frames_used();
	assert_int_equal(tmpfs_create(0755, &sb), 0);
	assert_int_equal(vfs_mount(sb, "/deep", "tmpfs", false), 0);
	assert_int_equal(fs_chdir("/deep"), 0);
	for (int i = 0; i < 3000; i++) {
		assert_int_equal(fs_make("file", "content"), 0);
		assert_int_equal(vfs_mkdirat(AT_FDCWD, "d", 0755), 0);
		assert_int_equal(fs_chdir("d"), 0);
	}
	assert_int_equal(fs_chdir("/"), 0);
	assert_int_equal(path_lookup(AT_FDCWD, "/deep", 0, &p), 0);
	assert_int_equal(vfs_umount(&p, false), 0);
	path_put(&p);
	assert_int_equal(fs_frames_used(), before);
}

static void test_record_locks(void **state)
{
	struct fdtable *mine = fs_task->files, *other;
	struct file *f;
	struct linux_flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 20};

	assert_int_equal(fdtable_create(&other), 0);
	assert_int_equal(fs_make("/tmp/lock", "0123456789"), 0);
	assert_int_equal(fs_open("/tmp/lock", O_RDWR, 0, &f), 0);
	assert_int_equal(lock_posix_set(f, &l, false, false), 0);
	fs_task->files = other;
	assert_int_equal(lock_posix_get(f, &l, false), 0);
	assert_int_equal(l.l_type, F_WRLCK);
	assert_int_equal(l.l_start, 10);
	assert_int_equal(l.l_len, 20);
	l = (struct linux_flock){.l_type = F_RDLCK, .l_start = 29, .l_len = 5};
	assert_int_equal(lock_posix_set(f, &l, false, false), -EAGAIN);
	l.l_start = 30;
	assert_int_equal(lock_posix_set(f, &l, false, false), 0);
	/* the first owner unlocks the middle: a split */
	fs_task->files = mine;
	l = (struct linux_flock){.l_type = F_UNLCK, .l_start = 15, .l_len = 5};
	assert_int_equal(lock_posix_set(f, &l, false, false), 0);
	fs_task->files = other;
	l = (struct linux_flock){.l_type = F_WRLCK, .l_start = 15, .l_len = 5};
	assert_int_equal(lock_posix_set(f, &l, false, false), 0);
	l = (struct linux_flock){.l_type = F_WRLCK, .l_start = 0, .l_len = 0};
	assert_int_equal(lock_posix_set(f, &l, false, false), -EAGAIN);
	fs_task->files = mine;
	lock_release_posix(f, mine);
	fs_task->files = other;
	assert_int_equal(lock_posix_set(f, &l, false, false), 0);
	l = (struct linux_flock){.l_type = F_RDLCK, .l_start = -1, .l_len = 1};
	assert_int_equal(lock_posix_set(f, &l, false, false), -EINVAL);
	l = (struct linux_flock){.l_type = F_RDLCK, .l_start = INT64_MAX, .l_len = 2};
	assert_int_equal(lock_posix_set(f, &l, false, false), -EOVERFLOW);
	lock_release_posix(f, other);
	assert_true(list_is_empty(&f->inode->flocks));
	file_put(f);
	fs_task->files = mine;
	fdtable_put(other);
}

static void test_flock(void **state)
{
	struct file *a, *b;

	assert_int_equal(fs_make("/tmp/fl", ""), 0);
	assert_int_equal(fs_open("/tmp/fl", O_RDWR, 0, &a), 0);
	assert_int_equal(fs_open("/tmp/fl", O_RDWR, 0, &b), 0);
	assert_int_equal(lock_flock(a, LOCK_SH), 0);
	assert_int_equal(lock_flock(b, LOCK_SH), 0);
	assert_int_equal(lock_flock(a, LOCK_EX | LOCK_NB), -EAGAIN);
	assert_int_equal(lock_flock(b, LOCK_UN), 0);
	assert_int_equal(lock_flock(a, LOCK_EX | LOCK_NB), 0);
	assert_int_equal(lock_flock(b, LOCK_SH | LOCK_NB), -EAGAIN);
	assert_int_equal(lock_flock(b, 99), -EINVAL);
	file_put(a);
	assert_int_equal(lock_flock(b, LOCK_EX | LOCK_NB), 0);
	file_put(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_read_write_offsets, fs_check),
		cmocka_unit_test_teardown(test_append_and_truncate, fs_check),
		cmocka_unit_test_teardown(test_memory_is_given_back, fs_check),
		cmocka_unit_test_teardown(test_limit, fs_check),
		cmocka_unit_test_teardown(test_failed_fallocate, fs_check),
		cmocka_unit_test_teardown(test_file_size_limit, fs_check),
		cmocka_unit_test_teardown(test_readdir_while_changing, fs_check),
		cmocka_unit_test_teardown(test_times, fs_check),
		cmocka_unit_test_teardown(test_shared_memory_files, fs_check),
		cmocka_unit_test_teardown(test_unmount_frees_everything, fs_check),
		cmocka_unit_test_teardown(test_record_locks, fs_check),
		cmocka_unit_test_teardown(test_flock, fs_check),
	};

	return cmocka_run_group_tests(tests, fs_boot, NULL);
}
