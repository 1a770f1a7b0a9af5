/*
 * The file system of host directories, between hostfs.c (inodes and names) and hostfs_file.c
 * (open files and directories).
 */
#ifndef HOSTARCH_HOSTFS_INTERNAL_H
#define HOSTARCH_HOSTFS_INTERNAL_H

#include "abi/errno.h"
#include "fs/vfs.h"

#include "host_fs.h"

#define HASH_BUCKETS 1024
#define SHRINK_STEP 64 /* names given up when descriptors run out */

struct hostfs {
	bool is_readonly;
	struct host_inode *buckets[HASH_BUCKETS];
};

struct host_inode {
	int fd;                  /* handle or data descriptor */
	bool is_data, is_data_writable;
	bool is_synthetic;       /* contents are made when read: no cache */
	uint64_t dev, ino;       /* of the host */
	uint64_t checked_ns;     /* when the host was last asked */
	struct timestamp mtime;  /* of the host, when the cache was filled */
	struct inode *inode;
	struct host_inode *hash_next;
};

static inline struct host_inode *host(const struct inode *inode) { return inode->private; }
static inline struct hostfs *host_sb(const struct inode *inode) { return inode->sb->private; }

static inline bool out_of_descriptors(int error) { return error == -EMFILE || error == -ENFILE; }

/* Then the cache has the newer contents, until they are written back. */
static inline bool has_own_changes(const struct inode *inode) { return inode->nr_writers > 0; }

/* Asks the host for the inode's attributes; the cache is dropped when the contents have changed. */
int hostfs_refresh(struct inode *inode);

extern const struct file_ops hostfs_file_ops, hostfs_dir_ops, hostfs_synthetic_ops;
extern const struct filemap_ops hostfs_map_ops;

#endif
