/* Path lookup, open, names: errors, symlinks, mounts, permissions, rename, and no leak when memory fails. */
#include "fs_fixture.h"

static void test_basic_lookup(void **state)
{
	struct kstat st;

	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/d", 0755), 0);
	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/d/e", 0755), 0);
	assert_int_equal(fs_make("/d/e/f", "hello"), 0);
	assert_int_equal(fs_stat("/d/e/f", 0, &st), 0);
	assert_int_equal(st.size_bytes, 5);
	assert_int_equal(st.mode, S_IFREG | 0644);
	assert_int_equal(fs_stat("//d///e/./../e//f", 0, &st), 0);
	assert_int_equal(fs_stat("/../../d/e/f", 0, &st), 0);
	assert_int_equal(fs_stat("/d/e/f/", 0, &st), -ENOTDIR);
	assert_int_equal(fs_stat("/d/e/f/g", 0, &st), -ENOTDIR);
	assert_int_equal(fs_stat("/d/e/f/..", 0, &st), -ENOTDIR);
	assert_int_equal(fs_stat("/d/x/f", 0, &st), -ENOENT);
	assert_int_equal(fs_stat("", 0, &st), -ENOENT);
	assert_int_equal(fs_chdir("/d"), 0);
	assert_int_equal(fs_stat("e/f", 0, &st), 0);
	assert_int_equal(fs_stat("../d/e", LOOKUP_DIRECTORY, &st), 0);
	assert_int_equal(fs_stat("e/f", LOOKUP_DIRECTORY, &st), -ENOTDIR);
	assert_int_equal(path_lookup(77, "x", 0, &(struct path){0}), -EBADF);
}

static void test_name_lengths(void **state)
{
	char name[400], path[2 * 400];

	memset(name, 'n', sizeof(name));
	name[255] = '\0';
	assert_int_equal(fs_make(name, ""), 0);
	assert_true(fs_exists(name));
	name[255] = 'n';
	name[256] = '\0';
	assert_int_equal(fs_make(name, ""), -ENAMETOOLONG);
	assert_int_equal(vfs_mkdirat(AT_FDCWD, name, 0755), -ENAMETOOLONG);
	name[255] = '\0';
	strcpy(path, "/tmp/../");
	strcat(path, name);
	assert_int_equal(vfs_renameat(AT_FDCWD, path, AT_FDCWD, "/short", 0), 0);
	assert_true(fs_exists("/short"));
	assert_int_equal(vfs_renameat(AT_FDCWD, "/short", AT_FDCWD, path, 0), 0);
	assert_false(fs_exists("/short"));
	assert_true(fs_exists(path));
	assert_int_equal(vfs_unlinkat(AT_FDCWD, path, false), 0);
}

static void test_symlinks(void **state)
{
	struct kstat st;
	char name[16], target[16], buf[64];
	struct path p;

	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/s", 0755), 0);
	assert_int_equal(fs_make("/s/file", "x"), 0);
	assert_int_equal(vfs_symlinkat("file", AT_FDCWD, "/s/rel"), 0);
	assert_int_equal(vfs_symlinkat("/s", AT_FDCWD, "/s/abs"), 0);
	assert_int_equal(vfs_symlinkat("loop", AT_FDCWD, "/s/loop"), 0);
	assert_int_equal(vfs_symlinkat("", AT_FDCWD, "/s/empty"), -ENOENT);
	assert_int_equal(fs_stat("/s/rel", LOOKUP_FOLLOW, &st), 0);
	assert_true(S_ISREG(st.mode));
	assert_int_equal(fs_stat("/s/rel", 0, &st), 0);
	assert_true(S_ISLNK(st.mode));
	assert_int_equal(st.size_bytes, 4);
	assert_int_equal(fs_stat("/s/abs/abs/abs/rel", LOOKUP_FOLLOW, &st), 0);
	assert_int_equal(fs_stat("/s/abs/", 0, &st), 0);
	assert_true(S_ISDIR(st.mode));
	assert_int_equal(fs_stat("/s/rel/", LOOKUP_FOLLOW, &st), -ENOTDIR);
	assert_int_equal(fs_stat("/s/loop", LOOKUP_FOLLOW, &st), -ELOOP);
	assert_int_equal(fs_stat("/s/loop/x", 0, &st), -ELOOP);
	assert_int_equal(fs_stat("/s/loop", 0, &st), 0);
	assert_int_equal(path_lookup(AT_FDCWD, "/s/rel", 0, &p), 0);
	assert_int_equal(vfs_readlink(&p, buf, sizeof(buf)), 4);
	assert_memory_equal(buf, "file", 4);
	assert_int_equal(vfs_readlink(&p, buf, 2), 2);
	path_put(&p);
	/* a chain of 40 is followed, one of 41 is not */
	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/chain", 0755), 0);
	assert_int_equal(fs_chdir("/chain"), 0);
	assert_int_equal(fs_make("0", ""), 0);
	for (int i = 1; i <= 41; i++) {
		snprintf(name, sizeof(name), "%d", i);
		snprintf(target, sizeof(target), "%d", i - 1);
		assert_int_equal(vfs_symlinkat(target, AT_FDCWD, name), 0);
	}
	assert_int_equal(fs_stat("40", LOOKUP_FOLLOW, &st), 0);
	assert_int_equal(fs_stat("41", LOOKUP_FOLLOW, &st), -ELOOP);
}

static void test_open_flags(void **state)
{
	struct file *f;

	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/o", 0755), 0);
	assert_int_equal(fs_chdir("/o"), 0);
	assert_int_equal(fs_open("a", O_RDONLY, 0, NULL), -ENOENT);
	assert_int_equal(fs_open("a", O_CREAT | O_EXCL | O_WRONLY, 0600, NULL), 0);
	assert_int_equal(fs_open("a", O_CREAT | O_EXCL | O_WRONLY, 0600, NULL), -EEXIST);
	assert_int_equal(fs_open("a/", O_RDONLY, 0, NULL), -ENOTDIR);
	assert_int_equal(fs_open("a", O_RDONLY | O_DIRECTORY, 0, NULL), -ENOTDIR);
	assert_int_equal(fs_open(".", O_WRONLY, 0, NULL), -EISDIR);
	assert_int_equal(fs_open(".", O_RDONLY | O_CREAT, 0, NULL), -EISDIR);
	assert_int_equal(fs_open("..", O_RDONLY | O_CREAT | O_EXCL, 0, NULL), -EISDIR);
	assert_int_equal(fs_open("new/", O_WRONLY | O_CREAT, 0600, NULL), -EISDIR);
	assert_int_equal(fs_open("nodir/new", O_WRONLY | O_CREAT, 0600, NULL), -ENOENT);
	assert_int_equal(vfs_symlinkat("dangling", AT_FDCWD, "ln"), 0);
	assert_int_equal(fs_open("ln", O_WRONLY | O_CREAT | O_EXCL, 0600, NULL), -EEXIST);
	assert_int_equal(fs_open("ln", O_WRONLY | O_CREAT | O_NOFOLLOW, 0600, NULL), -ELOOP);
	assert_int_equal(fs_open("ln", O_RDONLY, 0, NULL), -ENOENT);
	assert_int_equal(fs_open("ln", O_WRONLY | O_CREAT, 0600, NULL), 0);
	assert_true(fs_exists("dangling"));
	assert_int_equal(fs_open("ln", O_RDONLY | O_NOFOLLOW, 0, NULL), -ELOOP);
	assert_int_equal(fs_open("ln", O_PATH | O_NOFOLLOW, 0, &f), 0);
	assert_true(S_ISLNK(f->inode->mode));
	assert_int_equal(vfs_read_kernel(f, (char[4]){0}, 4, 0), -EINVAL);
	file_put(f);
	assert_int_equal(fs_make("t", "content"), 0);
	assert_int_equal(fs_open("t", O_WRONLY | O_TRUNC, 0, &f), 0);
	assert_int_equal(f->inode->map.size_bytes, 0);
	file_put(f);
	assert_int_equal(fs_open(".", O_TMPFILE | O_RDONLY, 0600, NULL), -EINVAL);
	assert_int_equal(fs_open(".", O_TMPFILE | O_RDWR, 0600, &f), 0);
	assert_int_equal(f->inode->nlink, 0);
	file_put(f);
}

static void test_tmpfile_can_be_linked(void **state)
{
	struct file *f;
	struct kstat st;

	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/tl", 0755), 0);
	assert_int_equal(fs_open("/tl", O_TMPFILE | O_RDWR, 0600, &f), 0);
	assert_int_equal(vfs_write_kernel(f, "abc", 3, 0), 3);
	assert_int_equal(fd_install(f, 5, false), 5);
	assert_int_equal(vfs_linkat(5, "", AT_FDCWD, "/tl/named", LOOKUP_EMPTY_OK), 0);
	assert_int_equal(fs_stat("/tl/named", 0, &st), 0);
	assert_int_equal(st.nlink, 1);
	assert_int_equal(st.size_bytes, 3);
	assert_int_equal(fd_close(5), 0);
	/* an unlinked file cannot come back */
	assert_int_equal(fs_open("/tl/named", O_RDWR, 0, &f), 0);
	assert_int_equal(fd_install(f, 5, false), 5);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/tl/named", false), 0);
	assert_int_equal(vfs_linkat(5, "", AT_FDCWD, "/tl/again", LOOKUP_EMPTY_OK), -ENOENT);
	assert_int_equal(fd_close(5), 0);
}

static void test_permissions(void **state)
{
	struct path p;
	struct kstat st;

	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/p", 0755), 0);
	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/p/locked", 0700), 0);
	assert_int_equal(fs_make("/p/locked/in", ""), 0);
	assert_int_equal(fs_make("/p/secret", "s"), 0);
	assert_int_equal(path_lookup(AT_FDCWD, "/p/secret", 0, &p), 0);
	assert_int_equal(vfs_chmod(&p, 0640), 0);
	assert_int_equal(vfs_chown(&p, 5, 50), 0);
	fs_become(7, 70);
	assert_int_equal(fs_open("/p/secret", O_RDONLY, 0, NULL), -EACCES);
	assert_int_equal(vfs_chmod(&p, 0777), -EPERM);
	assert_int_equal(vfs_chown(&p, 7, UINT32_MAX), -EPERM);
	assert_int_equal(vfs_utimes(&p, NULL), -EACCES);
	assert_int_equal(vfs_truncate(&p, 0), -EACCES);
	assert_int_equal(fs_open("/p/locked/in", O_RDONLY, 0, NULL), -EACCES);
	assert_int_equal(fs_make("/p/mine", ""), -EACCES);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/p/secret", false), -EACCES);
	fs_task->cred.nr_groups = 1;
	fs_task->cred.groups[0] = 50;
	assert_int_equal(fs_open("/p/secret", O_RDONLY, 0, NULL), 0);
	assert_int_equal(fs_open("/p/secret", O_WRONLY, 0, NULL), -EACCES);
	fs_become(5, 99);
	assert_int_equal(fs_open("/p/secret", O_RDWR, 0, NULL), 0);
	assert_int_equal(vfs_chmod(&p, 02755), 0);
	vfs_stat_inode(p.dentry->inode, &st);
	assert_int_equal(st.mode & 07777, 0755); /* not in the group: no setgid */
	path_put(&p);
	/* sticky: only the owner removes */
	fs_become(5, 5);
	assert_int_equal(fs_make("/tmp/five", ""), 0);
	fs_become(6, 6);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/tmp/five", false), -EPERM);
	assert_int_equal(vfs_renameat(AT_FDCWD, "/tmp/five", AT_FDCWD, "/tmp/six", 0), -EPERM);
	fs_become(5, 5);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/tmp/five", false), 0);
	/* execute needs an x bit even for root */
	fs_become(0, 0);
	assert_int_equal(vfs_open_exec(AT_FDCWD, "/p/locked/in", LOOKUP_FOLLOW, &(struct file *){NULL}),
			 -EACCES);
}

static void test_setgid_directory_and_umask(void **state)
{
	struct path p;
	struct kstat st;

	fs_task->fs->umask = 027;
	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/g", 0777), 0);
	assert_int_equal(path_lookup(AT_FDCWD, "/g", 0, &p), 0);
	vfs_stat_inode(p.dentry->inode, &st);
	assert_int_equal(st.mode, S_IFDIR | 0750);
	assert_int_equal(vfs_chown(&p, UINT32_MAX, 33), 0);
	assert_int_equal(vfs_chmod(&p, 02777), 0);
	path_put(&p);
	assert_int_equal(fs_make("/g/f", ""), 0);
	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/g/d", 0777), 0);
	assert_int_equal(fs_stat("/g/f", 0, &st), 0);
	assert_int_equal(st.gid, 33);
	assert_int_equal(fs_stat("/g/d", 0, &st), 0);
	assert_int_equal(st.gid, 33);
	assert_int_equal(st.mode, S_IFDIR | 02750);
	fs_task->fs->umask = 022;
}

static void test_links_and_counts(void **state)
{
	struct kstat st;

	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/l", 0755), 0);
	assert_int_equal(fs_make("/l/a", "1"), 0);
	assert_int_equal(vfs_linkat(AT_FDCWD, "/l/a", AT_FDCWD, "/l/b", 0), 0);
	assert_int_equal(fs_stat("/l/b", 0, &st), 0);
	assert_int_equal(st.nlink, 2);
	assert_int_equal(vfs_linkat(AT_FDCWD, "/l/a", AT_FDCWD, "/l/b", 0), -EEXIST);
	assert_int_equal(vfs_linkat(AT_FDCWD, "/l", AT_FDCWD, "/l2", 0), -EPERM);
	assert_int_equal(vfs_linkat(AT_FDCWD, "/l/a", AT_FDCWD, "/tmp/b", 0), -EXDEV);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/l/a", false), 0);
	assert_int_equal(fs_stat("/l/b", 0, &st), 0);
	assert_int_equal(st.nlink, 1);
	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/l/sub", 0755), 0);
	assert_int_equal(fs_stat("/l", 0, &st), 0);
	assert_int_equal(st.nlink, 3);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/l", true), -ENOTEMPTY);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/l/sub", false), -EISDIR);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/l/b", true), -ENOTDIR);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/l/b/", false), -ENOTDIR);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/l/.", true), -EINVAL);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/l/..", true), -ENOTEMPTY);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/", true), -EBUSY);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/tmp", true), -EBUSY);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/l/sub/", true), 0);
	assert_int_equal(fs_stat("/l", 0, &st), 0);
	assert_int_equal(st.nlink, 2);
}

static void test_removed_directory_is_dead(void **state)
{
	char buf[64];

	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/dead", 0755), 0);
	assert_int_equal(fs_chdir("/dead"), 0);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/dead", true), 0);
	assert_int_equal(fs_make("x", ""), -ENOENT);
	assert_int_equal(vfs_mkdirat(AT_FDCWD, "x", 0755), -ENOENT);
	assert_int_equal(fs_open("x", O_RDONLY, 0, NULL), -ENOENT);
	assert_string_equal(path_name(&fs_task->fs->cwd, buf, sizeof(buf)), "/dead (deleted)");
	assert_true(fs_exists(".."));
}

static void test_rename(void **state)
{
	struct kstat a, b;

	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/r", 0755), 0);
	assert_int_equal(fs_chdir("/r"), 0);
	assert_int_equal(vfs_mkdirat(AT_FDCWD, "d1", 0755), 0);
	assert_int_equal(vfs_mkdirat(AT_FDCWD, "d1/d2", 0755), 0);
	assert_int_equal(vfs_mkdirat(AT_FDCWD, "other", 0755), 0);
	assert_int_equal(fs_make("f1", "1"), 0);
	assert_int_equal(fs_make("f2", "22"), 0);
	assert_int_equal(vfs_renameat(AT_FDCWD, "d1", AT_FDCWD, "d1/d2/x", 0), -EINVAL);
	assert_int_equal(vfs_renameat(AT_FDCWD, "d1/d2", AT_FDCWD, "d1", 0), -ENOTEMPTY);
	assert_int_equal(vfs_renameat(AT_FDCWD, "f1", AT_FDCWD, "d1", 0), -EISDIR);
	assert_int_equal(vfs_renameat(AT_FDCWD, "d1", AT_FDCWD, "f1", 0), -ENOTDIR);
	assert_int_equal(vfs_renameat(AT_FDCWD, "other", AT_FDCWD, "d1", 0), -ENOTEMPTY);
	assert_int_equal(vfs_renameat(AT_FDCWD, "f1", AT_FDCWD, "f2", RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(vfs_renameat(AT_FDCWD, "f1", AT_FDCWD, "no", RENAME_EXCHANGE), -ENOENT);
	assert_int_equal(vfs_renameat(AT_FDCWD, "f1", AT_FDCWD, "/tmp/f", 0), -EXDEV);
	assert_int_equal(vfs_renameat(AT_FDCWD, "nope", AT_FDCWD, "x", 0), -ENOENT);
	assert_int_equal(vfs_renameat(AT_FDCWD, "f1", AT_FDCWD, "x/", 0), -ENOTDIR);
	assert_int_equal(vfs_renameat(AT_FDCWD, ".", AT_FDCWD, "x", 0), -EBUSY);
	assert_int_equal(vfs_renameat(AT_FDCWD, "f1", AT_FDCWD, "f1", 0), 0);
	assert_int_equal(fs_stat("f1", 0, &a), 0);
	assert_int_equal(vfs_renameat(AT_FDCWD, "f1", AT_FDCWD, "f2", 0), 0);
	assert_false(fs_exists("f1"));
	assert_int_equal(fs_stat("f2", 0, &b), 0);
	assert_int_equal(a.ino, b.ino);
	/* a directory into another: the counts move */
	assert_int_equal(vfs_renameat(AT_FDCWD, "d1/d2", AT_FDCWD, "other/moved", 0), 0);
	assert_int_equal(fs_stat("d1", 0, &a), 0);
	assert_int_equal(a.nlink, 2);
	assert_int_equal(fs_stat("other", 0, &a), 0);
	assert_int_equal(a.nlink, 3);
	assert_int_equal(fs_stat("other/moved/../moved", 0, &b), 0);
	/* over an empty directory */
	assert_int_equal(vfs_renameat(AT_FDCWD, "other/moved", AT_FDCWD, "d1", 0), 0);
	assert_int_equal(fs_stat("d1", 0, &a), 0);
	assert_int_equal(a.ino, b.ino);
	/* exchange a file and a directory */
	assert_int_equal(vfs_renameat(AT_FDCWD, "f2", AT_FDCWD, "other", RENAME_EXCHANGE), 0);
	assert_int_equal(fs_stat("f2", LOOKUP_DIRECTORY, &a), 0);
	assert_int_equal(fs_stat("other", 0, &a), 0);
	assert_true(S_ISREG(a.mode));
}

/* Long and short names swapped: each dentry keeps its own text. */
static void test_exchange_names(void **state)
{
	char long_name[101];
	struct kstat a, b;

	memset(long_name, 'L', 100);
	long_name[100] = '\0';
	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/x", 0755), 0);
	assert_int_equal(fs_chdir("/x"), 0);
	assert_int_equal(fs_make(long_name, "long"), 0);
	assert_int_equal(fs_make("s", "s"), 0);
	assert_int_equal(vfs_renameat(AT_FDCWD, "s", AT_FDCWD, long_name, RENAME_EXCHANGE), 0);
	assert_int_equal(fs_stat("s", 0, &a), 0);
	assert_int_equal(a.size_bytes, 4);
	assert_int_equal(fs_stat(long_name, 0, &b), 0);
	assert_int_equal(b.size_bytes, 1);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "s", false), 0);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, long_name, false), 0);
}

static void test_resolve_flags(void **state)
{
	struct file *dir;

	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/jail", 0755), 0);
	assert_int_equal(fs_make("/jail/f", ""), 0);
	assert_int_equal(vfs_symlinkat("/jail/f", AT_FDCWD, "/jail/abs"), 0);
	assert_int_equal(vfs_symlinkat("../l", AT_FDCWD, "/jail/up"), 0);
	assert_int_equal(fs_open("/jail", O_PATH | O_DIRECTORY, 0, &dir), 0);
	assert_int_equal(fd_install(dir, 9, false), 9);
	assert_int_equal(path_lookup(9, "f", LOOKUP_BENEATH | LOOKUP_FOLLOW, &(struct path){0}) == 0, 1);
	assert_int_equal(path_lookup(9, "..", LOOKUP_BENEATH, &(struct path){0}), -EXDEV);
	assert_int_equal(path_lookup(9, "up", LOOKUP_BENEATH | LOOKUP_FOLLOW, &(struct path){0}), -EXDEV);
	assert_int_equal(path_lookup(9, "abs", LOOKUP_BENEATH | LOOKUP_FOLLOW, &(struct path){0}), -EXDEV);
	assert_int_equal(path_lookup(9, "abs", LOOKUP_IN_ROOT | LOOKUP_FOLLOW, &(struct path){0}), -ENOENT);
	assert_int_equal(path_lookup(9, "abs", LOOKUP_NO_SYMLINKS | LOOKUP_FOLLOW, &(struct path){0}),
			 -ELOOP);
	assert_int_equal(path_lookup(AT_FDCWD, "/tmp", LOOKUP_NO_XDEV, &(struct path){0}), -EXDEV);
	assert_int_equal(fd_close(9), 0);
}

static void test_mounts(void **state)
{
	struct superblock *sb;
	struct path p, q;
	char buf[128];
	struct kstat st;

	/* the root of a mount: "..", names, st_dev */
	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/m", 0755), 0);
	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/m/under", 0755), 0);
	assert_int_equal(tmpfs_create(0700, &sb), 0);
	assert_int_equal(vfs_mount(sb, "/m", "tmpfs", false), 0);
	assert_false(fs_exists("/m/under"));
	assert_int_equal(fs_make("/m/f", "m"), 0);
	assert_int_equal(path_lookup(AT_FDCWD, "/m/f", 0, &p), 0);
	assert_string_equal(path_name(&p, buf, sizeof(buf)), "/m/f");
	assert_int_equal(vfs_umount(&p, false), -EINVAL);
	path_put(&p);
	assert_int_equal(path_lookup(AT_FDCWD, "/m/..", 0, &p), 0);
	assert_string_equal(path_name(&p, buf, sizeof(buf)), "/");
	path_put(&p);
	/* a bind shows the same inodes; read-only through the bind only */
	assert_int_equal(path_lookup(AT_FDCWD, "/m", 0, &p), 0);
	assert_int_equal(vfs_bind(&p, "/m-again", true), 0);
	path_put(&p);
	assert_int_equal(fs_stat("/m-again/f", 0, &st), 0);
	assert_int_equal(fs_make("/m-again/g", ""), -EROFS);
	assert_int_equal(fs_open("/m-again/f", O_WRONLY, 0, NULL), -EROFS);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/m-again/f", false), -EROFS);
	assert_int_equal(vfs_linkat(AT_FDCWD, "/m/f", AT_FDCWD, "/m-again/h", 0), -EROFS);
	assert_int_equal(path_lookup(AT_FDCWD, "/m-again/f", 0, &p), 0);
	assert_int_equal(vfs_chmod(&p, 0600), -EROFS);
	assert_int_equal(vfs_truncate(&p, 0), -EROFS);
	path_put(&p);
	assert_int_equal(fs_make("/m/g", ""), 0);
	assert_true(fs_exists("/m-again/g"));
	/* unmount: busy, then not; everything of it is freed */
	assert_int_equal(path_lookup(AT_FDCWD, "/m-again", 0, &p), 0);
	path_get(&p);
	q = p;
	assert_int_equal(vfs_umount(&p, false), -EBUSY);
	path_put(&q);
	assert_int_equal(vfs_umount(&p, false), 0);
	path_put(&p);
	assert_int_equal(path_lookup(AT_FDCWD, "/m", 0, &p), 0);
	assert_int_equal(vfs_umount(&p, false), 0);
	path_put(&p);
	assert_true(fs_exists("/m/under"));
	assert_int_equal(path_lookup(AT_FDCWD, "/", 0, &p), 0);
	assert_int_equal(vfs_umount(&p, false), -EBUSY);
	path_put(&p);
}

static bool remember(void *arg, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next_pos)
{
	char *text = arg;

	strncat(text, name, len);
	strcat(text, " ");
	return true;
}

/* Mount points below a read-only file system exist in the kernel only, and can be seen. */
static void test_synthetic_mountpoints(void **state)
{
	struct superblock *ro, *inner;
	struct file *dir;
	struct path p;
	char names[256] = "";
	uint64_t pos = 0;

	assert_int_equal(tmpfs_create(0755, &ro), 0);
	ro->is_readonly = true;
	assert_int_equal(vfs_mount(ro, "/ro", "tmpfs", true), 0);
	assert_int_equal(tmpfs_create(0755, &inner), 0);
	assert_int_equal(vfs_mount(inner, "/ro/new/deep", "tmpfs", false), 0);
	assert_int_equal(fs_make("/ro/new/deep/f", "x"), 0);
	assert_int_equal(fs_make("/ro/new/f", "x"), -EROFS);
	assert_false(fs_exists("/ro/new/other"));
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/ro/new", true), -EROFS);
	assert_int_equal(fs_open("/ro", O_RDONLY, 0, &dir), 0);
	assert_int_equal(vfs_readdir(dir, &pos, remember, names), 0);
	assert_string_equal(names, ". .. new ");
	assert_int_equal(vfs_readdir(dir, &pos, remember, names), 0);
	assert_string_equal(names, ". .. new ");
	file_put(dir);
	/* a file on a missing name */
	assert_int_equal(path_lookup(AT_FDCWD, "/ro/new/deep/f", 0, &p), 0);
	assert_int_equal(vfs_bind(&p, "/ro/file", false), 0);
	path_put(&p);
	assert_int_equal(fs_open("/ro/file", O_RDWR, 0, NULL), 0);
	assert_int_equal(dentry_shrink(NULL, SIZE_MAX) > 0, 1);
	assert_true(fs_exists("/ro/new/deep/f"));
}

static void test_exec_denies_writing(void **state)
{
	struct file *exe, *w;
	struct path p;

	assert_int_equal(fs_make("/tmp/prog", "#!"), 0);
	assert_int_equal(path_lookup(AT_FDCWD, "/tmp/prog", 0, &p), 0);
	assert_int_equal(vfs_chmod(&p, 0755), 0);
	assert_int_equal(fs_open("/tmp/prog", O_WRONLY, 0, &w), 0);
	assert_int_equal(vfs_open_exec(AT_FDCWD, "/tmp/prog", LOOKUP_FOLLOW, &exe), -ETXTBSY);
	file_put(w);
	assert_int_equal(vfs_open_exec(AT_FDCWD, "/tmp/prog", LOOKUP_FOLLOW, &exe), 0);
	assert_int_equal(fs_open("/tmp/prog", O_WRONLY, 0, NULL), -ETXTBSY);
	assert_int_equal(vfs_truncate(&p, 0), -ETXTBSY);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/tmp/prog", false), 0);
	file_put(exe);
	assert_int_equal(p.dentry->inode->nr_writers, 0);
	path_put(&p);
	assert_int_equal(vfs_open_exec(AT_FDCWD, "/tmp", LOOKUP_FOLLOW, &exe), -EACCES);
}

static void test_devices(void **state)
{
	struct file *f;
	char buf[64];

	assert_int_equal(fs_open("/dev/null", O_RDWR, 0, &f), 0);
	assert_int_equal(vfs_write_kernel(f, "abc", 3, 0), 3);
	assert_int_equal(vfs_read_kernel(f, buf, 3, 0), 0);
	file_put(f);
	memset(buf, 1, sizeof(buf));
	assert_int_equal(fs_open("/dev/zero", O_RDWR, 0, &f), 0);
	assert_int_equal(vfs_read_kernel(f, buf, 64, 0), 64);
	assert_int_equal(buf[0] | buf[63], 0);
	file_put(f);
	assert_int_equal(fs_open("/dev/full", O_RDWR, 0, &f), 0);
	assert_int_equal(vfs_write_kernel(f, "abc", 3, 0), -ENOSPC);
	file_put(f);
	assert_int_equal(fs_open("/dev/urandom", O_RDONLY, 0, &f), 0);
	assert_int_equal(vfs_read_kernel(f, buf, 64, 0), 64);
	file_put(f);
	assert_int_equal(vfs_mknodat(AT_FDCWD, "/tmp/nodev", S_IFCHR | 0600, dev_make(99, 1)), 0);
	assert_int_equal(fs_open("/tmp/nodev", O_RDONLY, 0, NULL), -ENXIO);
	assert_int_equal(vfs_mknodat(AT_FDCWD, "/tmp/blk", S_IFBLK | 0600, dev_make(8, 1)), 0);
	assert_int_equal(fs_open("/tmp/blk", O_RDONLY, 0, NULL), -ENXIO);
	fs_become(1, 1);
	assert_int_equal(vfs_mknodat(AT_FDCWD, "/tmp/n2", S_IFCHR | 0600, 0), -EPERM);
	assert_int_equal(vfs_mknodat(AT_FDCWD, "/tmp/fifo", S_IFIFO | 0600, 0), 0);
	assert_int_equal(vfs_mknodat(AT_FDCWD, "/tmp/d", S_IFDIR | 0600, 0), -EPERM);
}

/* Its 1st, 2nd, 3rd ... allocation failing until it succeeds: nothing lost, nothing half done. */
static void fail_each(int (*operation)(void), int (*undo)(void))
{
	assert_int_equal(operation(), 0); /* warm the caches */
	assert_int_equal(undo(), 0);
	for (uint64_t n = 1;; n++) {
		uint64_t before = fs_frames_used();
		int error;

		fail_alloc_arm(n, false);
		error = operation();
		fail_alloc_arm(0, false);
		if (error == 0)
			break;
		assert_int_equal(error, -ENOMEM);
		assert_int_equal(fs_frames_used(), before);
		assert_int_equal(vfs_audit(), 0);
		assert_true(n < 100);
	}
	assert_int_equal(undo(), 0);
}

#define LONG_NAME "/tmp/a-name-that-is-longer-than-what-fits-into-a-dentry-itself"
static int op_create(void) { return fs_open(LONG_NAME, O_CREAT | O_EXCL | O_WRONLY, 0644, NULL); }
static int op_mkdir(void) { return vfs_mkdirat(AT_FDCWD, LONG_NAME, 0755); }
static int op_symlink(void) { return vfs_symlinkat("target", AT_FDCWD, LONG_NAME); }
static int op_rename(void) { return vfs_renameat(AT_FDCWD, "/tmp/src", AT_FDCWD, LONG_NAME, 0); }
static int op_link(void) { return vfs_linkat(AT_FDCWD, "/tmp/src", AT_FDCWD, LONG_NAME, 0); }
static int op_through_link(void) { return fs_open("/tmp/ln/x", O_RDONLY, 0, NULL); }
static int undo_unlink(void) { return vfs_unlinkat(AT_FDCWD, LONG_NAME, false); }
static int undo_rmdir(void) { return vfs_unlinkat(AT_FDCWD, LONG_NAME, true); }
static int undo_rename(void) { return vfs_renameat(AT_FDCWD, LONG_NAME, AT_FDCWD, "/tmp/src", 0); }
static int undo_nothing(void) { return 0; }

static void test_out_of_memory(void **state)
{
	fail_each(op_create, undo_unlink);
	fail_each(op_mkdir, undo_rmdir);
	fail_each(op_symlink, undo_unlink);
	assert_int_equal(fs_make("/tmp/src", "s"), 0);
	fail_each(op_rename, undo_rename);
	fail_each(op_link, undo_unlink);
	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/tmp/real", 0755), 0);
	assert_int_equal(fs_make("/tmp/real/x", ""), 0);
	assert_int_equal(vfs_symlinkat("real", AT_FDCWD, "/tmp/ln"), 0);
	fail_each(op_through_link, undo_nothing);
}

/* A million look-ups of a cached name ask for no memory but the file itself, and no frames. */
static void test_cached_lookups_allocate_nothing(void **state)
{
	struct path p;
	uint64_t before;

	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/c", 0755), 0);
	assert_int_equal(fs_make("/c/f", ""), 0);
	fail_alloc_arm(0, false);
	before = fail_alloc_count();
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(path_lookup(AT_FDCWD, "/c/f", 0, &p), 0);
		path_put(&p);
		assert_int_equal(path_lookup(AT_FDCWD, "/c/absent", 0, &p), -ENOENT);
	}
	assert_true(fail_alloc_count() - before <= 1); /* the negative name, once */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_basic_lookup, fs_check),
		cmocka_unit_test_teardown(test_name_lengths, fs_check),
		cmocka_unit_test_teardown(test_symlinks, fs_check),
		cmocka_unit_test_teardown(test_open_flags, fs_check),
		cmocka_unit_test_teardown(test_tmpfile_can_be_linked, fs_check),
		cmocka_unit_test_teardown(test_permissions, fs_check),
		cmocka_unit_test_teardown(test_setgid_directory_and_umask, fs_check),
		cmocka_unit_test_teardown(test_links_and_counts, fs_check),
		cmocka_unit_test_teardown(test_removed_directory_is_dead, fs_check),
		cmocka_unit_test_teardown(test_rename, fs_check),
		cmocka_unit_test_teardown(test_exchange_names, fs_check),
		cmocka_unit_test_teardown(test_resolve_flags, fs_check),
		cmocka_unit_test_teardown(test_mounts, fs_check),
		cmocka_unit_test_teardown(test_synthetic_mountpoints, fs_check),
		cmocka_unit_test_teardown(test_exec_denies_writing, fs_check),
		cmocka_unit_test_teardown(test_devices, fs_check),
		cmocka_unit_test_teardown(test_out_of_memory, fs_check),
		cmocka_unit_test_teardown(test_cached_lookups_allocate_nothing, fs_check),
	};

	return cmocka_run_group_tests(tests, fs_boot, NULL);
}
