/*
 * Host files for hostfs.c, in plain C types: the seam between kernel code, which
 * must not see libc's headers, and host_fs.c, which must not see the kernel's.
 * Results are 0 or a count, or a negative errno. Descriptors are the kernel
 * process's own, close-on-exec.
 */
#ifndef HOSTARCH_HOST_FS_H
#define HOSTARCH_HOST_FS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct host_stat {
	uint64_t dev, ino, rdev, size_bytes, blocks512, blksize_bytes;
	uint32_t mode, nlink, uid, gid;
	int64_t atime_sec, mtime_sec, ctime_sec, btime_sec;
	uint32_t atime_nsec, mtime_nsec, ctime_nsec, btime_nsec;
};

struct host_statfs {
	uint64_t type, block_bytes, nr_blocks, nr_free, nr_available, nr_files, nr_files_free, fsid;
	uint32_t name_max;
};

/* A handle (O_PATH) on the directory or file that is the root of a mount; follows symlinks. */
int host_fs_open_root(const char *path, int *fd);
/* A handle on one component below dirfd, symlinks not followed. */
int host_fs_lookup(int dirfd, const char *name, int *fd);
void host_fs_close(int fd);
int host_fs_stat(int fd, struct host_stat *out);
int host_fs_stat_at(int dirfd, const char *name, struct host_stat *out);
int host_fs_statfs(int fd, struct host_statfs *out);
/* Is fd on a file system that makes its contents up when they are read (proc, sysfs ...)? */
bool host_fs_is_synthetic(int fd);

/* A descriptor for data from a handle: read-only, or read-write. */
int host_fs_open_data(int handle, bool for_write, int *fd);
/* Reads nr_pages pages from offset on; returns the bytes read (short at the end of the file). */
int64_t host_fs_read_pages(int fd, void *const pages[], unsigned nr_pages, size_t page_bytes, uint64_t offset);
int64_t host_fs_read(int fd, void *buf, size_t size_bytes, uint64_t offset);
int64_t host_fs_write(int fd, const void *buf, size_t size_bytes, uint64_t offset);
int host_fs_sync(int fd);
int64_t host_fs_readlink(int handle, char *buf, size_t size_bytes);

/* Names. */
int host_fs_create(int dirfd, const char *name, uint32_t mode, uint64_t rdev);
int host_fs_mkdir(int dirfd, const char *name, uint32_t mode);
int host_fs_symlink(int dirfd, const char *name, const char *target);
int host_fs_link(int handle, int dirfd, const char *name);
int host_fs_unlink(int dirfd, const char *name, bool is_directory);
int host_fs_rename(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name, unsigned flags);

/* Attributes, by handle. Times: NULL leaves one alone. */
int host_fs_chmod(int handle, uint32_t mode);
int host_fs_chown(int handle, uint32_t uid, uint32_t gid);
int host_fs_truncate(int handle, uint64_t size_bytes);
int host_fs_set_times(int handle, bool set_atime, int64_t atime_sec, uint32_t atime_nsec, bool set_mtime,
		      int64_t mtime_sec, uint32_t mtime_nsec);

/* A snapshot of a directory's entries, without "." and "..". */
struct host_dir;
int host_dir_read(int handle, struct host_dir **out);
/* Entry number index, or false behind the last one. type: DT_*. */
bool host_dir_entry(const struct host_dir *dir, uint64_t index, const char **name, size_t *len, uint64_t *ino,
		    unsigned *type);
void host_dir_free(struct host_dir *dir);

#endif
