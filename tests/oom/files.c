/* The sweep over file systems: names, tmpfs, descriptors, locks, mounts, /proc. */
#include "oom.h"

#include "abi/stat.h"
#include "abi/uio.h"

#define AT ((uint64_t)AT_FDCWD)

static int64_t fd; /* of the operation under way */

/* ---- names ---------------------------------------------------------------- */

static int64_t run_open(void) { return CALL(openat, AT, S(0, "/tmp/data"), O_RDONLY); }
static int64_t run_create(void) { return CALL(openat, AT, S(0, "/tmp/new"), O_RDWR | O_CREAT | O_EXCL, 0644); }
static void undo_create(int64_t result)
{
	oom_close(result);
	MUST(unlinkat, AT, S(0, "/tmp/new"), 0);
}
static int64_t run_tmpfile_dir(void) { return CALL(openat, AT, S(0, "/tmp"), O_RDONLY | O_DIRECTORY); }
static int64_t run_mkdir(void) { return CALL(mkdirat, AT, S(0, "/tmp/dir"), 0755); }
static void undo_mkdir(int64_t result)
{
	(void)result;
	MUST(unlinkat, AT, S(0, "/tmp/dir"), AT_REMOVEDIR);
}
static void unlink_new(int64_t result)
{
	(void)result;
	MUST(unlinkat, AT, S(0, "/tmp/new"), 0);
}
static int64_t run_mknod(void) { return CALL(mknodat, AT, S(0, "/tmp/new"), S_IFIFO | 0644, 0); }
static int64_t run_symlink(void) { return CALL(symlinkat, S(0, "/tmp/data"), AT, S(1, "/tmp/new")); }
static int64_t run_link(void) { return CALL(linkat, AT, S(0, "/tmp/data"), AT, S(1, "/tmp/new"), 0); }
static void make_link(void) { MUST(linkat, AT, S(0, "/tmp/data"), AT, S(1, "/tmp/new"), 0); }
static int64_t run_unlink(void) { return CALL(unlinkat, AT, S(0, "/tmp/new"), 0); }
static void link_again(int64_t result)
{
	(void)result;
	make_link();
}
static int64_t run_rename(void) { return CALL(renameat2, AT, S(0, "/tmp/new"), AT, S(1, "/tmp/moved"), 0); }
static void undo_rename(int64_t result)
{
	(void)result;
	MUST(renameat2, AT, S(0, "/tmp/moved"), AT, S(1, "/tmp/new"), 0);
}
static void make_chain(void)
{
	if (CALL(symlinkat, S(0, "/tmp/chain2"), AT, S(1, "/tmp/chain1")) == 0)
		MUST(symlinkat, S(0, "/tmp/data"), AT, S(1, "/tmp/chain2"));
}
static int64_t run_open_chain(void) { return CALL(openat, AT, S(0, "/tmp/chain1"), O_RDONLY); }
static int64_t run_readlink(void) { return CALL(readlinkat, AT, S(0, "/tmp/chain1"), U(0x1000), 100); }
static int64_t run_stat(void) { return CALL(newfstatat, AT, S(0, "/tmp/data"), U(0x1000), 0); }
static int64_t run_stat_cold(void) { return CALL(newfstatat, AT, S(0, "/tmp/data"), P(1104), 0); }
static int64_t run_statx(void) { return CALL(statx, AT, S(0, "/tmp/data"), 0, 0x7ff, U(0x1000)); }
static int64_t run_chdir(void) { return CALL(chdir, S(0, "/tmp")); }
static void undo_chdir(int64_t result)
{
	(void)result;
	MUST(chdir, S(0, "/"));
}
static int64_t run_getcwd(void) { return CALL(getcwd, U(0x1000), 4096); }
static int64_t run_faccess(void) { return CALL(faccessat, AT, S(0, "/tmp/data"), 4); }
static int64_t run_chmod(void) { return CALL(fchmodat, AT, S(0, "/tmp/data"), 0644); }
static int64_t run_chroot(void) { return CALL(chroot, S(0, "/")); }

/* ---- contents ------------------------------------------------------------- */

static void open_new(void) { fd = MUST(openat, AT, S(0, "/tmp/content"), O_RDWR | O_CREAT | O_TRUNC, 0644); }
static int64_t run_write(void) { return CALL(write, (uint64_t)fd, U(0x1000), 100); }
static int64_t run_write_pages(void) { return CALL(write, (uint64_t)fd, U(0x1000), PAGES(5)); }
static int64_t run_write_far(void) { return CALL(pwrite64, (uint64_t)fd, U(0x1000), 10, UINT64_C(1) << 36); }
static int64_t run_write_cold(void) { return CALL(write, (uint64_t)fd, P(1104), 100); }
static int64_t run_writev(void)
{
	struct linux_iovec iov[40];

	for (unsigned i = 0; i < ARRAY_SIZE(iov); i++)
		iov[i] = (struct linux_iovec){U(0x1000), 16};
	oom_put(U(0x3000), iov, sizeof(iov));
	return CALL(writev, (uint64_t)fd, U(0x3000), ARRAY_SIZE(iov));
}
static int64_t run_fallocate(void) { return CALL(fallocate, (uint64_t)fd, 0, 0, PAGES(6)); }
static void open_data(void) { fd = MUST(openat, AT, S(0, "/tmp/data"), O_RDWR); }
static int64_t run_read_cold(void) { return CALL(pread64, (uint64_t)fd, P(1100), PAGES(3), 0); }
/* The file is mapped by both address spaces: its pages must go from both or from none. */
static void open_mapped(void)
{
	fd = MUST(openat, AT, S(0, "/tmp/mapped"), O_RDWR | O_CREAT, 0644);
	MUST(ftruncate, (uint64_t)fd, PAGES(20));
	MUST(mmap, P(2000), PAGES(20), RW, MAP_SHARED | MAP_FIXED, (uint64_t)fd, 0);
	MUST(mmap, P(2030), PAGES(20), RW, MAP_PRIVATE | MAP_FIXED, (uint64_t)fd, 0);
	for (unsigned i = 0; i < 20; i += 3) {
		assert_int_equal(oom_touch(P(2000 + i), TRAP_WRITE), 0);
		assert_int_equal(oom_touch(P(2030 + i), TRAP_WRITE), 0);
	}
	oom_share_with_new_peer();
}
static int64_t run_truncate(void) { return CALL(ftruncate, (uint64_t)fd, PAGES(4)); }
static int64_t run_punch(void)
{
	return CALL(fallocate, (uint64_t)fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100, PAGES(7));
}
static int64_t out_fd;
static void open_two(void)
{
	open_new();
	out_fd = fd;
	open_data();
}
static int64_t run_sendfile(void) { return CALL(sendfile, (uint64_t)out_fd, (uint64_t)fd, 0, PAGES(3)); }
static int64_t run_copy_range(void)
{
	return CALL(copy_file_range, (uint64_t)fd, 0, (uint64_t)out_fd, 0, PAGES(3), 0);
}
static int64_t run_memfd(void) { return CALL(memfd_create, S(0, "name"), 0); }
static void open_dir(void) { fd = MUST(openat, AT, S(0, "/tmp"), O_RDONLY | O_DIRECTORY); }
static int64_t run_getdents(void) { return CALL(getdents64, (uint64_t)fd, P(1104), 4096); }
/* ---- descriptors, locks --------------------------------------------------- */

static int64_t run_dup_far(void) { return CALL(dup3, (uint64_t)fd, 400, 0); }
static int64_t run_dupfd(void) { return CALL(fcntl, (uint64_t)fd, F_DUPFD, 300); }
static int64_t lock_part(unsigned type, int64_t start, int64_t len)
{
	const struct linux_flock lock = {.l_type = (int16_t)type, .l_start = start, .l_len = len};

	oom_put(U(0), &lock, sizeof(lock));
	return CALL(fcntl, (uint64_t)fd, F_SETLK, U(0));
}
static int64_t run_setlk(void) { return lock_part(F_WRLCK, 0, 100); }
static void unlock_all(int64_t result)
{
	(void)result;
	assert_int_equal(lock_part(F_UNLCK, 0, 0), 0);
}
static void prepare_split(void)
{
	open_data();
	assert_int_equal(lock_part(F_WRLCK, 0, 100), 0);
}
static int64_t run_split_lock(void) { return lock_part(F_UNLCK, 40, 20); }
static void undo_split(int64_t result)
{
	(void)result;
	assert_int_equal(lock_part(F_WRLCK, 0, 100), 0);
}
static int64_t run_flock(void) { return CALL(flock, (uint64_t)fd, 2 /* LOCK_EX */); }
static void undo_flock(int64_t result)
{
	(void)result;
	MUST(flock, (uint64_t)fd, 8 /* LOCK_UN */);
}

/* ---- mounts, /proc -------------------------------------------------------- */

static void make_mount_point(void) { (void)CALL(mkdirat, AT, S(0, "/tmp/mnt"), 0755); }
static int64_t run_mount(void)
{
	return CALL(mount, S(0, "none"), S(1, "/tmp/mnt"), S(2, "tmpfs"), 0, S(3, "size=64k"));
}
static int64_t run_bind(void) { return CALL(mount, S(0, "/dev"), S(1, "/tmp/mnt"), 0, 4096 /* MS_BIND */, 0); }
static void undo_mount(int64_t result)
{
	(void)result;
	MUST(umount2, S(0, "/tmp/mnt"), 0);
}
static void make_mount(void)
{
	make_mount_point();
	assert_int_equal(run_mount(), 0);
}
static int64_t run_umount(void) { return CALL(umount2, S(0, "/tmp/mnt"), 0); }
static void mount_again(int64_t result)
{
	(void)result;
	assert_int_equal(run_mount(), 0);
}

/* Opens, reads and closes a file of /proc. */
static int64_t read_proc(const char *name)
{
	int64_t f = CALL(openat, AT, S(0, name), O_RDONLY), r;

	if (f < 0)
		return f;
	r = CALL(read, (uint64_t)f, U(0x1000), 0x2000);
	oom_close(f);
	return r;
}
static void nothing(int64_t result) { (void)result; }

#define PROC(id, path)                                                                                       \
	static int64_t run_proc_##id(void) { return read_proc("/proc/" path); }
PROC(maps, "self/maps")
PROC(smaps, "self/smaps")
PROC(status, "self/status")
PROC(stat, "self/stat")
PROC(cmdline, "self/cmdline")
PROC(mounts, "self/mounts")
PROC(mountinfo, "self/mountinfo")
PROC(limits, "self/limits")
PROC(meminfo, "meminfo")
PROC(cpu, "stat")
PROC(cpuinfo, "cpuinfo")
PROC(overcommit, "sys/vm/overcommit_memory")
PROC(fdinfo, "self/fdinfo/0")
#undef PROC
static int64_t run_proc_link(void) { return CALL(readlinkat, AT, S(0, "/proc/self/fd/0"), U(0x1000), 100); }
static int64_t run_proc_write(void)
{
	int64_t f = CALL(openat, AT, S(0, "/proc/self/oom_score_adj"), O_WRONLY), r;

	if (f < 0)
		return f;
	r = CALL(write, (uint64_t)f, S(1, "0"), 1);
	oom_close(f);
	return r;
}

static const struct oom_op files_ops[] = {
	{"open", run_open, NULL, oom_close, 0},
	{"open, symbolic links", run_open_chain, make_chain, oom_close, 0},
	{"open, directory", run_tmpfile_dir, NULL, oom_close, 0},
	{"create", run_create, NULL, undo_create, 0},
	{"mkdir", run_mkdir, NULL, undo_mkdir, 0},
	{"mknod", run_mknod, NULL, unlink_new, 0},
	{"symlink", run_symlink, NULL, unlink_new, 0},
	{"link", run_link, NULL, unlink_new, 0},
	{"unlink", run_unlink, make_link, link_again, 0},
	{"rename", run_rename, make_link, undo_rename, 0},
	{"readlink", run_readlink, make_chain, nothing, 0},
	{"stat", run_stat, NULL, nothing, 0},
	{"stat, untouched buffer", run_stat_cold, NULL, NULL, OOM_TOUCHES | OOM_EFAULT},
	{"statx", run_statx, NULL, nothing, 0},
	{"chdir", run_chdir, NULL, undo_chdir, 0},
	{"chroot", run_chroot, NULL, nothing, 0},
	{"getcwd", run_getcwd, NULL, nothing, 0},
	{"faccessat", run_faccess, NULL, nothing, 0},
	{"chmod", run_chmod, NULL, nothing, 0},
	{"write", run_write, open_new, NULL, OOM_FILLS},
	{"write, pages", run_write_pages, open_new, NULL, OOM_FILLS},
	{"write, far away", run_write_far, open_new, NULL, OOM_FILLS},
	{"write, untouched buffer", run_write_cold, open_new, NULL, OOM_TOUCHES | OOM_EFAULT},
	{"writev", run_writev, open_new, NULL, OOM_FILLS},
	{"fallocate", run_fallocate, open_new, NULL, OOM_FILLS},
	{"read, untouched buffer", run_read_cold, open_data, NULL, OOM_MEMORY | OOM_TOUCHES | OOM_EFAULT},
	{"truncate, mapped", run_truncate, open_mapped, NULL, OOM_MEMORY},
	{"punch, mapped", run_punch, open_mapped, NULL, OOM_MEMORY},
	{"sendfile", run_sendfile, open_two, NULL, OOM_FILLS},
	{"copy_file_range", run_copy_range, open_two, NULL, OOM_FILLS},
	{"memfd_create", run_memfd, NULL, oom_close, 0},
	{"getdents64, untouched buffer", run_getdents, open_dir, NULL, OOM_TOUCHES | OOM_EFAULT},
	{"dup3", run_dup_far, open_data, NULL, 0},
	{"F_DUPFD", run_dupfd, open_data, NULL, 0},
	{"F_SETLK", run_setlk, open_data, unlock_all, OOM_ENOLCK},
	{"F_SETLK, split", run_split_lock, prepare_split, undo_split, OOM_ENOLCK},
	{"flock", run_flock, open_data, undo_flock, OOM_ENOLCK},
	{"mount", run_mount, make_mount_point, undo_mount, 0},
	{"mount, bind", run_bind, make_mount_point, undo_mount, 0},
	{"umount", run_umount, make_mount, mount_again, 0},
	{"/proc/self/maps", run_proc_maps, NULL, nothing, 0},
	{"/proc/self/smaps", run_proc_smaps, NULL, nothing, 0},
	{"/proc/self/status", run_proc_status, NULL, nothing, 0},
	{"/proc/self/stat", run_proc_stat, NULL, nothing, 0},
	{"/proc/self/cmdline", run_proc_cmdline, NULL, nothing, 0},
	{"/proc/self/mounts", run_proc_mounts, NULL, nothing, 0},
	{"/proc/self/mountinfo", run_proc_mountinfo, NULL, nothing, 0},
	{"/proc/self/limits", run_proc_limits, NULL, nothing, 0},
	{"/proc/meminfo", run_proc_meminfo, NULL, nothing, 0},
	{"/proc/stat", run_proc_cpu, NULL, nothing, 0},
	{"/proc/cpuinfo", run_proc_cpuinfo, NULL, nothing, 0},
	{"/proc/sys/vm/overcommit_memory", run_proc_overcommit, NULL, nothing, 0},
	{"/proc/self/fdinfo/0", run_proc_fdinfo, open_data, nothing, 0},
	{"/proc/self/fd/0", run_proc_link, open_data, nothing, 0},
	{"/proc/self/oom_score_adj", run_proc_write, NULL, nothing, 0},
};
OOM_SUITE(files);
