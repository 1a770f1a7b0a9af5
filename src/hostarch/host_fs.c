/*
 * Host files for hostfs.c: thin calls of Linux, see host_fs.h for the contracts.
 * A handle is an O_PATH descriptor; it is turned into a data descriptor, and
 * changed, through its name in /proc/self/fd, so that no path is ever walked
 * twice and a symlink is never followed by the host.
 */
#include "host_fs.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PAGES_AT_ONCE 64
#define FD_MIN 40 /* low numbers stay free for what the user gave us */

#ifndef CGROUP2_SUPER_MAGIC
#define CGROUP2_SUPER_MAGIC 0x63677270
#endif

static int status(long result) { return result < 0 ? -errno : 0; }

static void fd_name(char name[32], int fd) { snprintf(name, 32, "/proc/self/fd/%d", fd); }

/* Moves a new descriptor out of the low numbers. */
static int keep(int fd, int *out)
{
	int moved;

	if (fd < 0)
		return -errno;
	if (fd >= FD_MIN) {
		*out = fd;
		return 0;
	}
	moved = fcntl(fd, F_DUPFD_CLOEXEC, FD_MIN);
	if (moved < 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	close(fd);
	*out = moved;
	return 0;
}

int host_fs_open_root(const char *path, int *fd) { return keep(open(path, O_PATH | O_CLOEXEC), fd); }

int host_fs_lookup(int dirfd, const char *name, int *fd)
{
	return keep(openat(dirfd, name, O_PATH | O_NOFOLLOW | O_CLOEXEC), fd);
}

void host_fs_close(int fd) { close(fd); }

static int stat_at(int dirfd, const char *name, int flags, struct host_stat *out)
{
	struct statx st;

	flags |= AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT;
	if (statx(dirfd, name, flags, STATX_BASIC_STATS | STATX_BTIME, &st) != 0)
		return -errno;
	*out = (struct host_stat){
		.dev = makedev(st.stx_dev_major, st.stx_dev_minor), .ino = st.stx_ino,
		.rdev = makedev(st.stx_rdev_major, st.stx_rdev_minor), .size_bytes = st.stx_size,
		.blocks512 = st.stx_blocks, .blksize_bytes = st.stx_blksize, .mode = st.stx_mode,
		.nlink = st.stx_nlink, .uid = st.stx_uid, .gid = st.stx_gid,
		.atime_sec = st.stx_atime.tv_sec, .atime_nsec = st.stx_atime.tv_nsec,
		.mtime_sec = st.stx_mtime.tv_sec, .mtime_nsec = st.stx_mtime.tv_nsec,
		.ctime_sec = st.stx_ctime.tv_sec, .ctime_nsec = st.stx_ctime.tv_nsec,
		.btime_sec = st.stx_btime.tv_sec, .btime_nsec = st.stx_btime.tv_nsec,
	};
	return 0;
}

int host_fs_stat(int fd, struct host_stat *out) { return stat_at(fd, "", AT_EMPTY_PATH, out); }
int host_fs_stat_at(int dirfd, const char *name, struct host_stat *out) { return stat_at(dirfd, name, 0, out); }

int host_fs_statfs(int fd, struct host_statfs *out)
{
	struct statfs st;
	uint64_t fsid = 0;

	if (fstatfs(fd, &st) != 0)
		return -errno;
	memcpy(&fsid, &st.f_fsid, sizeof(fsid));
	*out = (struct host_statfs){
		.type = (uint64_t)st.f_type, .block_bytes = (uint64_t)st.f_bsize, .nr_blocks = st.f_blocks,
		.nr_free = st.f_bfree, .nr_available = st.f_bavail, .nr_files = st.f_files,
		.nr_files_free = st.f_ffree, .fsid = fsid, .name_max = (uint32_t)st.f_namelen,
	};
	return 0;
}

bool host_fs_is_synthetic(int fd)
{
	struct statfs st;

	if (fstatfs(fd, &st) != 0)
		return false;
	switch ((unsigned long)st.f_type) {
	case PROC_SUPER_MAGIC: case SYSFS_MAGIC: case CGROUP_SUPER_MAGIC: case CGROUP2_SUPER_MAGIC:
	case DEBUGFS_MAGIC: case TRACEFS_MAGIC: case SECURITYFS_MAGIC: case BPF_FS_MAGIC:
		return true;
	default:
		return false;
	}
}

int host_fs_open_data(int handle, bool for_write, int *fd)
{
	char name[32];

	fd_name(name, handle);
	return keep(open(name, (for_write ? O_RDWR : O_RDONLY) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), fd);
}

int64_t host_fs_read_pages(int fd, void *const pages[], unsigned nr_pages, size_t page_bytes, uint64_t offset)
{
	int64_t total = 0;

	while (nr_pages != 0) {
		struct iovec iov[PAGES_AT_ONCE];
		unsigned n = nr_pages < PAGES_AT_ONCE ? nr_pages : PAGES_AT_ONCE;
		ssize_t got;

		for (unsigned i = 0; i < n; i++)
			iov[i] = (struct iovec){pages[i], page_bytes};
		got = preadv(fd, iov, (int)n, (off_t)offset);
		if (got < 0)
			return total != 0 ? total : -errno;
		total += got;
		if ((size_t)got < n * page_bytes)
			break;
		offset += (uint64_t)got;
		pages += n;
		nr_pages -= n;
	}
	return total;
}

int64_t host_fs_read(int fd, void *buf, size_t size_bytes, uint64_t offset)
{
	ssize_t n = pread(fd, buf, size_bytes, (off_t)offset);

	return n < 0 ? -errno : n;
}

int64_t host_fs_write(int fd, const void *buf, size_t size_bytes, uint64_t offset)
{
	ssize_t n = pwrite(fd, buf, size_bytes, (off_t)offset);

	return n < 0 ? -errno : n;
}

int host_fs_sync(int fd) { return status(fsync(fd)); }

int64_t host_fs_readlink(int handle, char *buf, size_t size_bytes)
{
	ssize_t n = readlinkat(handle, "", buf, size_bytes);

	return n < 0 ? -errno : n;
}

int host_fs_create(int dirfd, const char *name, uint32_t mode, uint64_t rdev)
{
	int fd;

	if (!S_ISREG(mode))
		return status(mknodat(dirfd, name, mode, rdev));
	fd = openat(dirfd, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, mode & 07777);
	if (fd < 0)
		return -errno;
	close(fd);
	return 0;
}

int host_fs_mkdir(int dirfd, const char *name, uint32_t mode) { return status(mkdirat(dirfd, name, mode & 07777)); }
int host_fs_symlink(int dirfd, const char *name, const char *target) { return status(symlinkat(target, dirfd, name)); }

int host_fs_link(int handle, int dirfd, const char *name)
{
	char source[32];

	fd_name(source, handle);
	return status(linkat(AT_FDCWD, source, dirfd, name, AT_SYMLINK_FOLLOW));
}

int host_fs_unlink(int dirfd, const char *name, bool is_directory)
{
	return status(unlinkat(dirfd, name, is_directory ? AT_REMOVEDIR : 0));
}

int host_fs_rename(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name, unsigned flags)
{
	return status(renameat2(old_dirfd, old_name, new_dirfd, new_name, flags));
}

int host_fs_chmod(int handle, uint32_t mode)
{
	char name[32];

	fd_name(name, handle);
	return status(chmod(name, mode & 07777));
}

int host_fs_chown(int handle, uint32_t uid, uint32_t gid)
{
	return status(fchownat(handle, "", uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW));
}

int host_fs_truncate(int handle, uint64_t size_bytes)
{
	char name[32];

	fd_name(name, handle);
	return status(truncate(name, (off_t)size_bytes));
}

int host_fs_set_times(int handle, bool set_atime, int64_t atime_sec, uint32_t atime_nsec, bool set_mtime,
		      int64_t mtime_sec, uint32_t mtime_nsec)
{
	struct timespec times[2] = {{atime_sec, set_atime ? (long)atime_nsec : UTIME_OMIT},
				    {mtime_sec, set_mtime ? (long)mtime_nsec : UTIME_OMIT}};
	char name[32];

	fd_name(name, handle);
	return status(utimensat(AT_FDCWD, name, times, 0));
}

/* Directory snapshots: entries packed in one growing buffer, found through a table of offsets. */
struct host_dir {
	size_t nr, nr_room, used, room;
	size_t *offsets;
	char *bytes;
};

struct packed_entry {
	uint64_t ino;
	unsigned type;
	size_t len;
};

static bool grow(void **array, size_t *room, size_t needed, size_t unit)
{
	size_t n = *room;
	void *p;

	if (needed <= n)
		return true;
	n = n * 2 > needed ? n * 2 : needed + 64;
	p = realloc(*array, n * unit);
	if (p == NULL)
		return false;
	*array = p;
	*room = n;
	return true;
}

static bool dir_add(struct host_dir *dir, const struct dirent *entry)
{
	struct packed_entry packed = {entry->d_ino, entry->d_type, strlen(entry->d_name)};
	size_t bytes = (sizeof(packed) + packed.len + 1 + 7) & ~(size_t)7;

	if (!grow((void **)&dir->offsets, &dir->nr_room, dir->nr + 1, sizeof(size_t)) ||
	    !grow((void **)&dir->bytes, &dir->room, dir->used + bytes, 1))
		return false;
	memcpy(dir->bytes + dir->used, &packed, sizeof(packed));
	memcpy(dir->bytes + dir->used + sizeof(packed), entry->d_name, packed.len + 1);
	dir->offsets[dir->nr++] = dir->used;
	dir->used += bytes;
	return true;
}

static int dir_fill(struct host_dir *dir, DIR *stream)
{
	struct dirent *entry;

	while (errno = 0, (entry = readdir(stream)) != NULL) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		if (!dir_add(dir, entry))
			return -ENOMEM;
	}
	return -errno;
}

int host_dir_read(int handle, struct host_dir **out)
{
	int fd = openat(handle, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r;
	struct host_dir *dir;
	DIR *stream;

	if (fd < 0)
		return -errno;
	stream = fdopendir(fd);
	if (stream == NULL) {
		r = -errno;
		close(fd);
		return r;
	}
	dir = calloc(1, sizeof(*dir));
	r = dir != NULL ? dir_fill(dir, stream) : -ENOMEM;
	closedir(stream);
	if (r != 0)
		host_dir_free(dir);
	else
		*out = dir;
	return r;
}

bool host_dir_entry(const struct host_dir *dir, uint64_t index, const char **name, size_t *len, uint64_t *ino,
		    unsigned *type)
{
	struct packed_entry packed;

	if (index >= dir->nr)
		return false;
	memcpy(&packed, dir->bytes + dir->offsets[index], sizeof(packed));
	*name = dir->bytes + dir->offsets[index] + sizeof(packed);
	*len = packed.len;
	*ino = packed.ino;
	*type = packed.type;
	return true;
}

void host_dir_free(struct host_dir *dir)
{
	if (dir == NULL)
		return;
	free(dir->offsets);
	free(dir->bytes);
	free(dir);
}
