/*
 * The virtual file system: inodes, the tree of names (dentries), mounts, open files.
 *
 * Reference counts: path_get/put, dentry_get/put, file_get/put, inode_get/put. A
 * function that returns one of these returns it with a reference for the caller.
 * Errors are negative errnos with Linux's meaning for the system call concerned.
 *
 * Locks: inode->lock (sleeping) guards an inode's attributes and directory
 * contents; file->pos_lock the offset. Order: docs/LOCKING.md. A page fault
 * holds the address space's lock, so neither file_ops.mmap nor filemap_ops
 * may take inode->lock.
 */
#ifndef FS_VFS_H
#define FS_VFS_H

#include "abi/fcntl.h"
#include "abi/stat.h"
#include "abi/uio.h"
#include "lib/list.h"
#include "lib/types.h"
#include "mm/filemap.h"
#include "sched/lock.h"
#include "sched/waitq.h"

struct boot_info;
struct dentry;
struct file;
struct inode;
struct mount;
struct path;
struct pipe;
struct poll_table;
struct superblock;
struct uio;

#define NAME_MAX_BYTES 255
#define PATH_MAX_BYTES 4096 /* with the terminating NUL */
#define SYMLINK_DEPTH_MAX 40

struct timestamp {
	int64_t sec;
	uint32_t nsec;
};
/* The wall clock now. */
struct timestamp vfs_now(void);

/* Device numbers in the form user programs see (makedev(3)). */
static inline uint64_t dev_make(uint32_t major, uint32_t minor)
{
	return (minor & 0xff) | (uint64_t)(major & 0xfff) << 8 | (uint64_t)(minor & ~0xffu) << 12;
}
static inline uint32_t dev_major(uint64_t dev) { return (uint32_t)(dev >> 8) & 0xfff; }
static inline uint32_t dev_minor(uint64_t dev) { return (uint32_t)((dev & 0xff) | (dev >> 12 & 0xffffff00)); }

/* What stat needs, in kernel form; src/syscall converts to the architecture's struct stat. */
struct kstat {
	uint64_t dev, ino, rdev, size_bytes, blocks512, blksize_bytes;
	uint32_t mode, nlink, uid, gid;
	struct timestamp atime, mtime, ctime, btime;
};

struct kstatfs {
	uint64_t type;             /* magic number */
	uint64_t block_bytes, nr_blocks, nr_free, nr_available;
	uint64_t nr_files, nr_files_free;
	uint64_t fsid;
	uint32_t name_max;
};

/* setattr request: which members count. */
enum { ATTR_MODE = 1, ATTR_UID = 2, ATTR_GID = 4, ATTR_SIZE = 8, ATTR_ATIME = 16, ATTR_MTIME = 32 };
struct attr_change {
	unsigned valid;
	uint32_t mode;             /* permission bits only (07777) */
	uint32_t uid, gid;
	uint64_t size_bytes;
	struct timestamp atime, mtime;
};

/*
 * What a file system does with its inodes. The VFS has checked permissions, read-only mounts,
 * types, name lengths and existence before it calls; names are NUL-terminated components,
 * never "", "." or "..". Unless said otherwise an operation that is NULL makes the call fail
 * with -EPERM (-ENOTDIR for lookup). All may sleep and allocate.
 *
 * Directory operations are called with the directory's lock (rename: both directories'); unlink, rmdir
 * and link also with that of the inode concerned. The file system keeps nlink and the directory's
 * mtime/ctime up to date (inode_touch()).
 */
struct inode_ops {
	/* 0 and *out with a reference (the same inode for the same file), or -ENOENT ... */
	int (*lookup)(struct inode *dir, const char *name, struct inode **out);
	/* Any type but directory and symlink; mode has type and permission, the umask applied. */
	int (*create)(struct inode *dir, const char *name, uint32_t mode, uint64_t rdev, struct inode **out);
	int (*mkdir)(struct inode *dir, const char *name, uint32_t mode, struct inode **out);
	int (*symlink)(struct inode *dir, const char *name, const char *target, struct inode **out);
	int (*link)(struct inode *dir, const char *name, struct inode *target);
	int (*unlink)(struct inode *dir, const char *name, struct inode *victim);
	/* -ENOTEMPTY is the file system's check. */
	int (*rmdir)(struct inode *dir, const char *name, struct inode *victim);
	/*
	 * flags: 0 (replaces new_name; a replaced directory must be empty: -ENOTEMPTY), RENAME_NOREPLACE
	 * (the VFS has checked) or RENAME_EXCHANGE. victim: what new_name names now, or NULL.
	 */
	int (*rename)(struct inode *old_dir, const char *old_name, struct inode *source,
		      struct inode *new_dir, const char *new_name, struct inode *victim, unsigned flags);
	/* O_TMPFILE: a regular file without a name, nlink 0. NULL: -EOPNOTSUPP. */
	int (*tmpfile)(struct inode *dir, uint32_t mode, struct inode **out);
	/* Link text into buf (no NUL); returns its length, cut to size_bytes. Without locks. */
	int64_t (*readlink)(struct inode *inode, char *buf, size_t size_bytes);
	/* Magic links (/proc/self/exe, fd/N): the path itself, followed instead of readlink's text. */
	int (*follow)(struct inode *inode, struct path *out);
	/* Changes what differs from the inode's members, which *out has. NULL: nothing. Without locks. */
	int (*getattr)(struct inode *inode, struct kstat *out);
	/*
	 * Brings the backing store up to date; with inode->lock. ATTR_SIZE: changes map.size_bytes too
	 * (filemap_truncate). The VFS sets the inode's other members after success. NULL: memory only, and
	 * -EINVAL for ATTR_SIZE.
	 */
	int (*setattr)(struct inode *inode, const struct attr_change *change);
	/*
	 * The store may have changed behind the cache: is `name` in dir still this inode (inode NULL: still
	 * absent)? May refresh the inode's members. 0, or -ESTALE to look the name up again. NULL: always
	 * valid. The directory's lock may or may not be held.
	 */
	int (*revalidate)(struct inode *dir, const char *name, struct inode *inode);
	/* Replaces the check of mode bits by vfs_permission() (want as there). NULL: mode bits. */
	int (*permission)(struct inode *inode, unsigned want);
	/*
	 * The last reference is gone; inode->private is to be freed, the inode is not. The VFS has
	 * called filemap_destroy() if map.owner was set. May run from a memory shrinker: must not allocate.
	 */
	void (*destroy)(struct inode *inode);
};

typedef bool (*readdir_emit_fn)(void *arg, const char *name, size_t len, uint64_t ino, unsigned type,
				uint64_t next_pos);

struct file_ops {
	/* file->inode, path, flags are set; may set file->private, replace file->ops. NULL: nothing to do. */
	int (*open)(struct file *file);
	void (*release)(struct file *file);
	/*
	 * Move up to uio->resid_bytes at *pos and advance *pos (streams ignore it). Count, or a
	 * negative errno when nothing was moved. NULL: -EINVAL. O_APPEND: the operation's own affair
	 * (under inode->lock). O_NONBLOCK is in file->flags.
	 */
	int64_t (*read)(struct file *file, struct uio *uio, uint64_t *pos);
	int64_t (*write)(struct file *file, struct uio *uio, uint64_t *pos);
	/* New offset, also stored in file->pos. NULL: a stream (-ESPIPE for lseek, pread). With pos_lock. */
	int64_t (*lseek)(struct file *file, int64_t offset, int whence);
	/*
	 * Calls emit for the entries from *pos on until it returns false (that entry was not taken) or the
	 * directory ends; *pos is left at the first entry not taken. The VFS emits "." (position 0) and ".."
	 * (1), so *pos is at least 2 here; positions stay below READDIR_POS_MAX. type: DT_*. next_pos:
	 * position after this entry; it must stay valid while entries are removed. Called with inode->lock.
	 */
	int (*readdir)(struct file *file, uint64_t *pos, readdir_emit_fn emit, void *arg);
	/* Current events (POLL*); registers on wait queues when table is not NULL. NULL: always ready. */
	unsigned (*poll)(struct file *file, struct poll_table *table);
	int64_t (*ioctl)(struct file *file, unsigned cmd, uint64_t arg); /* NULL: -ENOTTY */
	/* The pages a mapping shows, or NULL and *err. NULL: -ENODEV. With the address space's lock. */
	struct filemap *(*mmap)(struct file *file, unsigned vm_shared, int *err);
	int (*fsync)(struct file *file); /* NULL: 0 for files and directories, -EINVAL else */
	/* fallocate(2): mode is one of the FALLOC_FL_* sets the man page allows. NULL: -EOPNOTSUPP. */
	int (*fallocate)(struct file *file, int mode, uint64_t offset, uint64_t len);
	/* For /proc/PID/fdinfo: the lines after flags and mnt_id; length as snprintf. NULL: none. */
	int (*fdinfo)(struct file *file, char *buf, size_t size_bytes);
};
#define READDIR_POS_MAX ((uint64_t)1 << 62)

struct inode {
	uint32_t refs;
	const struct inode_ops *ops;
	const struct file_ops *fops; /* left alone: FIFOs and devices are routed by type */
	struct superblock *sb;
	uint64_t ino, rdev;
	/* lock guards these: */
	uint32_t mode, nlink, uid, gid;
	struct timestamp atime, mtime, ctime;
	struct mutex lock;
	struct filemap map;        /* regular files (map.owner set): map.size_bytes is the size */
	uint64_t size_hint;        /* st_size of what has no map */
	void *private;             /* the file system's */
	struct pipe *pipe;         /* FIFO in use: src/fs/pipe.c */
	struct list flocks;        /* advisory locks: src/fs/lock.c */
	int64_t nr_writers;        /* > 0: open for writing so often; < 0: so many running images (ETXTBSY) */
	bool is_linkable;          /* nlink 0, but made by O_TMPFILE: linkat may name it */
	struct list sb_link;       /* all inodes of a superblock */
};

#define DENTRY_SHORT_NAME 32
struct dentry {
	uint32_t refs;
	uint32_t hash;             /* of the parent and the name */
	struct dentry *parent;     /* a reference; NULL for the root of a file system */
	struct inode *inode;       /* a reference; NULL: negative */
	struct superblock *sb;
	const char *name;          /* short_name, or an allocation */
	uint16_t name_len;
	bool is_hashed;            /* can be found; false once unlinked or dropped */
	bool is_unlinked;          /* the name is gone (" (deleted)") */
	bool is_synthetic;         /* a mount point that exists in the kernel only: always valid, pinned */
	uint16_t nr_mounts;        /* mounts on this dentry, through any mount */
	struct dentry *hash_next, **hash_pprev;
	struct list children, sibling; /* dcache lock */
	struct list lru_link;      /* unused ones */
	char short_name[DENTRY_SHORT_NAME];
};

struct mount {
	uint32_t refs;             /* paths, child mounts, and one while it is in the tree */
	int id;
	struct superblock *sb;
	struct dentry *root;
	struct dentry *mountpoint; /* NULL for the root mount */
	struct mount *parent;      /* NULL for the root mount */
	struct list link;          /* all mounts, in order: vfs_mounts */
	bool is_readonly;
	bool is_detached;
	char *source;              /* for /proc/mounts; the target is path_name() of the root */
};
extern struct list vfs_mounts;

/*
 * refs: mounts and the creator; nr_inodes keeps it too. When refs is 0 the dentry tree is dropped,
 * and with the last inode destroy() is called and the superblock freed.
 */
struct superblock {
	uint32_t refs;
	uint32_t nr_inodes;
	const char *fstype;        /* static string */
	uint64_t dev, magic;
	bool is_readonly;
	bool caches_absence;       /* negative dentries are valid until the VFS itself creates the name */
	struct dentry *root;
	void *private;
	uint64_t next_ino;
	struct list inodes;
	int (*statfs)(struct superblock *sb, struct kstatfs *out); /* NULL: only the magic number */
	int (*sync)(struct superblock *sb);                        /* NULL: nothing to do */
	void (*destroy)(struct superblock *sb);                    /* frees private */
	/* /proc/mounts options after "rw", e.g. ",size=1024k"; length as snprintf. NULL: none. */
	int (*show_options)(struct superblock *sb, char *buf, size_t size_bytes);
};

struct path {
	struct mount *mount;
	struct dentry *dentry;
};

/* An open file description. */
struct file {
	uint32_t refs;
	uint32_t flags;            /* O_* status flags and access mode: what F_GETFL tells */
	const struct file_ops *ops;
	struct inode *inode;       /* a reference; NULL only for file_create(ops, NULL, ...) */
	struct path path;          /* dentry NULL for pipes and other nameless files */
	uint64_t pos;
	struct mutex pos_lock;
	void *private;
	const char *anon_name;     /* nameless files: "anon_inode:[eventfd]"; static; NULL: by type */
	int owner_type, owner_pid, owner_sig; /* F_SETOWN: F_OWNER_*, F_SETSIG */
	bool has_write_access;     /* counted in inode->nr_writers */
	bool denies_write;         /* a running image */
	bool has_locks;            /* posix or flock locks were taken through it */
	bool is_noctty;            /* opened with O_NOCTTY */
	struct epoll_item *epoll_items; /* watched by epoll: epoll_file_release() before ops->release */
};
/* Opened for reading, for writing; access mode 3 and O_PATH are neither. */
static inline bool file_can_read(const struct file *f)
{
	unsigned mode = f->flags & (O_ACCMODE | O_PATH);

	return mode == O_RDONLY || mode == O_RDWR;
}
static inline bool file_can_write(const struct file *f)
{
	unsigned mode = f->flags & (O_ACCMODE | O_PATH);

	return mode == O_WRONLY || mode == O_RDWR;
}

/* ---- uio.c: data source or sink: user or kernel buffers, one or many ------ */

struct uio {
	struct linux_iovec *iov;   /* base: user address, or kernel pointer when is_kernel */
	unsigned nr_iov;
	uint64_t iov_offset;       /* into iov[0] */
	uint64_t resid_bytes;
	bool is_kernel;
};
/* Move n <= resid bytes; 0, or -EFAULT after a partial move (resid tells). May sleep. */
int uio_put(struct uio *uio, const void *buf, size_t n);   /* read(2) direction */
int uio_get(struct uio *uio, void *buf, size_t n);         /* write(2) direction */
int uio_zero(struct uio *uio, size_t n);                   /* puts zeroes */
/* A direct window on the next bytes (pinned user page): pointer and *avail <= resid, or NULL: -EFAULT. */
void *uio_window(struct uio *uio, bool for_put, size_t *avail, pfn_t *pin);
/* Consumes n bytes of the window and unpins it. n may be 0. */
void uio_advance(struct uio *uio, size_t n, pfn_t pin);
void uio_kernel(struct uio *uio, struct linux_iovec *iov, void *buf, size_t n);
void uio_user(struct uio *uio, struct linux_iovec *iov, uint64_t addr, size_t n);
/* read and write of a file that lives in a filemap; offset is checked and advanced. */
int64_t filemap_read_uio(struct filemap *map, struct uio *uio, uint64_t *pos);
int64_t filemap_write_uio(struct filemap *map, struct uio *uio, uint64_t *pos);

/* ---- namei.c: path lookup. dirfd as openat(2) (AT_FDCWD: cwd) -------------- */

enum lookup_flags {
	LOOKUP_FOLLOW = 1,         /* the last component too */
	LOOKUP_DIRECTORY = 2,
	LOOKUP_EMPTY_OK = 4,       /* "" names dirfd itself (AT_EMPTY_PATH) */
	LOOKUP_NO_MAGIC = 8,       /* RESOLVE_NO_MAGICLINKS */
	LOOKUP_BENEATH = 16,       /* RESOLVE_BENEATH: -EXDEV */
	LOOKUP_NO_SYMLINKS = 32,   /* RESOLVE_NO_SYMLINKS: -ELOOP */
	LOOKUP_NO_XDEV = 64,       /* RESOLVE_NO_XDEV: -EXDEV */
	LOOKUP_IN_ROOT = 128,      /* RESOLVE_IN_ROOT: dirfd is / */
};
/* name: kernel string. -ENOENT -ENOTDIR -EACCES -ELOOP -ENAMETOOLONG -EBADF -ENOMEM ... */
MUST_CHECK int path_lookup(int dirfd, const char *name, unsigned flags, struct path *out);
void path_get(const struct path *p);
void path_put(struct path *p);
/*
 * Absolute name as seen from the task's root, into buf; returns pointer into buf or NULL
 * (-ERANGE). " (deleted)" is appended to unlinked names, "(unreachable)" put before one outside the root.
 */
char *path_name(const struct path *p, char *buf, size_t size_bytes);
/* What /proc/PID/fd/N shows: path_name() or "pipe:[7]", "anon_inode:[eventfd]" ... NULL: does not fit. */
char *file_name(struct file *file, char *buf, size_t size_bytes);
/* A path to the file, for magic links; nameless files get one made for them. -ENOMEM. */
MUST_CHECK int file_get_path(struct file *file, struct path *out);

/* A path string from user memory: -EFAULT, -ENAMETOOLONG, -ENOMEM. Free with pathname_put. */
MUST_CHECK int pathname_get(uint64_t user_string, char **out);
void pathname_put(char *name);

/* ---- open.c, ops.c: operations on names (kernel strings, the task's credentials) ---- */

/* open(2): flags O_*, mode before the umask. */
MUST_CHECK int vfs_openat(int dirfd, const char *name, unsigned flags, uint32_t mode, struct file **out);
MUST_CHECK int vfs_openat2(int dirfd, const char *name, unsigned flags, uint32_t mode, unsigned lookup_flags,
			   struct file **out);
MUST_CHECK int vfs_open_path(const struct path *p, unsigned flags, struct file **out);
/*
 * A program or script to execute: regular, executable by the task, not open for writing (-ETXTBSY); nobody
 * can open it for writing until the last reference to the file is gone. lookup_flags: LOOKUP_FOLLOW,
 * LOOKUP_EMPTY_OK.
 */
MUST_CHECK int vfs_open_exec(int dirfd, const char *name, unsigned lookup_flags, struct file **out);
MUST_CHECK int vfs_mknodat(int dirfd, const char *name, uint32_t mode, uint64_t rdev); /* before the umask */
MUST_CHECK int vfs_mkdirat(int dirfd, const char *name, uint32_t mode);
MUST_CHECK int vfs_symlinkat(const char *target, int dirfd, const char *name);
MUST_CHECK int vfs_linkat(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name,
			  unsigned lookup_flags);
MUST_CHECK int vfs_unlinkat(int dirfd, const char *name, bool is_rmdir);
MUST_CHECK int vfs_renameat(int old_dirfd, const char *old_name, int new_dirfd, const char *new_name,
			    unsigned flags);
MUST_CHECK int64_t vfs_readlink(const struct path *p, char *buf, size_t size_bytes);
/* chmod, chown, utimes, truncate: ids of UINT32_MAX mean unchanged. Checks what the man pages say. */
MUST_CHECK int vfs_chmod(const struct path *p, uint32_t mode);
MUST_CHECK int vfs_chown(const struct path *p, uint32_t uid, uint32_t gid);
/* NULL: now. nsec may be UTIME_NOW or UTIME_OMIT. */
MUST_CHECK int vfs_utimes(const struct path *p, const struct timestamp times[2]);
MUST_CHECK int vfs_truncate(const struct path *p, uint64_t size_bytes);
MUST_CHECK int vfs_ftruncate(struct file *file, uint64_t size_bytes);

/* Bytes through kernel memory (exec, tests): count or negative errno. */
int64_t vfs_read_kernel(struct file *file, void *buf, size_t n, uint64_t offset);
int64_t vfs_write_kernel(struct file *file, const void *buf, size_t n, uint64_t offset);
/* Check the access mode, call the operation, update times. pos: &file->pos with pos_lock, or the caller's. */
int64_t vfs_read(struct file *file, struct uio *uio, uint64_t *pos);
int64_t vfs_write(struct file *file, struct uio *uio, uint64_t *pos);
/* lseek(2) over a size; for file_ops.lseek of regular files. */
int64_t vfs_lseek_size(struct file *file, int64_t offset, int whence);
/* readdir with "." and "..", mount points of the kernel's own, locks and atime; pos as getdents64(2). */
int vfs_readdir(struct file *file, uint64_t *pos, readdir_emit_fn emit, void *arg);
unsigned vfs_poll(struct file *file, struct poll_table *table);
int vfs_stat_inode(struct inode *inode, struct kstat *out);
int vfs_statfs(struct superblock *sb, struct kstatfs *out);
/* want: MAY_*; as the task's fsuid. 0, -EACCES, or -EROFS (read-only superblock). */
enum { MAY_EXEC = 1, MAY_WRITE = 2, MAY_READ = 4 };
int vfs_permission(struct inode *inode, unsigned want);
/* Is the task the owner of the inode or allowed everything? */
bool vfs_is_owner(const struct inode *inode);
/* Is the gid the task's fsgid or one of its groups? */
bool vfs_in_group(uint32_t gid);

/* ---- file.c ------------------------------------------------------------- */

void file_get(struct file *f);
void file_put(struct file *f); /* the last one releases: may sleep */
/*
 * A nameless file (pipe ends, eventfd...). Takes its own reference on inode (NULL: a shared anonymous one).
 * flags: O_*.
 */
MUST_CHECK int file_create(const struct file_ops *ops, struct inode *inode, unsigned flags, void *private,
			   struct file **out);

/* ---- inode.c ------------------------------------------------------------ */

/* refs 1, nlink 1, owner 0:0, times now, a new ino; ops and the rest zero. For a file system's own use. */
MUST_CHECK int inode_create(struct superblock *sb, uint32_t mode, struct inode **out);
void inode_get(struct inode *i);
void inode_put(struct inode *i);
/* Owner, group and setgid bit of a new inode in dir, by the task's fsuid and fsgid. */
void inode_init_owner(struct inode *inode, const struct inode *dir);
/* mtime and ctime (or only ctime) = now. */
void inode_touch(struct inode *inode, bool content);
/* A new anonymous device number; refs 1; no root yet. */
MUST_CHECK int superblock_create(const char *fstype, uint64_t magic, struct superblock **out);
/* Gives it its root; takes over the caller's reference on the inode. -ENOMEM: the reference is put. */
MUST_CHECK int superblock_set_root(struct superblock *sb, struct inode *root);
void superblock_get(struct superblock *sb);
void superblock_put(struct superblock *sb);

/* ---- dentry.c ----------------------------------------------------------- */

/* Names are a cache: an unused one stays until memory is short or too many are unused. */
void dentry_get(struct dentry *d);
void dentry_put(struct dentry *d);
/* Frees up to nr unused names (sb NULL: of any), for a file system short of handles; returns how many. */
size_t dentry_shrink(struct superblock *sb, size_t nr);

/* ---- character devices: chrdev.c ------------------------------------------ */

/* Routes char devices major:first .. first+nr-1 to ops. Boot time; panics when the table is full. */
void chrdev_register(unsigned major, unsigned first, unsigned nr, const struct file_ops *ops);
const struct file_ops *chrdev_find(uint64_t rdev); /* or NULL: -ENXIO */

/* ---- mount.c ------------------------------------------------------------ */

/*
 * Boot: builds the root from the initrd or the machine's root file system (arch_mount_root_host); mounts
 * /dev /proc /tmp ..., then the machine's binds. Call on a task (any), once.
 */
void vfs_init(const struct boot_info *boot);
/*
 * Mounts sb at an absolute path; takes over the caller's reference on success. A mount point that does not
 * exist is created (in the kernel only when its file system is read-only). source: for /proc/mounts.
 * -ENOTDIR -ENOMEM ...
 */
MUST_CHECK int vfs_mount(struct superblock *sb, const char *target, const char *source, bool is_readonly);
MUST_CHECK int vfs_mount_root(struct superblock *sb, const char *source, bool is_readonly);
MUST_CHECK int vfs_bind(const struct path *source, const char *target, bool is_readonly);
MUST_CHECK int vfs_umount(const struct path *p, bool is_lazy);
/* The root of the first mount, with a reference. */
void vfs_root(struct path *out);

/* size_limit_bytes 0: half of the memory. */
MUST_CHECK int tmpfs_create(uint32_t root_mode, struct superblock **out);
MUST_CHECK int tmpfs_create_sized(uint32_t root_mode, uint64_t size_limit_bytes, struct superblock **out);
MUST_CHECK int devfs_create(struct superblock **out);
MUST_CHECK int procfs_create(struct superblock **out);
/*
 * A nameless file of memory, size_bytes long, read-write: MAP_SHARED|MAP_ANONYMOUS, memfd.
 * reserved: all of it counts against the commit limit from the start, not each page when it comes.
 */
MUST_CHECK int shmem_file_create(uint64_t size_bytes, struct file **out);
MUST_CHECK int shmem_file_create_reserved(uint64_t size_bytes, struct file **out);
/*
 * Unpacks a newc cpio archive below the root. -EINVAL names the bad place with kprintf. have_read (may be
 * NULL) is told how much of the archive, from its start, is not read again; ever more.
 */
MUST_CHECK int cpio_unpack(const char *archive_name, const void *archive, size_t size_bytes,
			   void (*have_read)(size_t size_bytes));

/* Writes everything back, on every file system: sync(2), power off. */
void vfs_sync_all(void);

/* Checks the whole tree of names, counts and mounts; number of violations, each printed. */
unsigned vfs_audit(void);

#endif
