/*
 * What the files of src/fs share and nobody else needs: reference counts, the
 * name cache, the path walker, the hooks between VFS, pipes and locks.
 */
#ifndef FS_INTERNAL_H
#define FS_INTERNAL_H

#include "abi/errno.h"
#include "fs/fdtable.h"
#include "fs/vfs.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "sched/task.h"

static inline void ref_get(uint32_t *refs)
{
	uint32_t old = __atomic_fetch_add(refs, 1, __ATOMIC_RELAXED);
	ASSERT(old < UINT32_MAX / 2);
}
/* True when that was the last reference. */
static inline bool ref_put(uint32_t *refs)
{
	uint32_t old = __atomic_fetch_sub(refs, 1, __ATOMIC_ACQ_REL);
	ASSERT(old > 0);
	return old == 1;
}

/* The task's credentials; those of root where there is no task yet (boot). */
const struct cred *vfs_cred(void);

/* ---- dentry.c ---- */

struct name {
	const char *text; /* not NUL-terminated */
	unsigned len;
	uint32_t hash;    /* name_hash() of the text */
};
uint32_t name_hash(const char *text, unsigned len);
struct name name_make(const char *text);

/* The cached child, positive or negative, with a reference, or NULL. */
struct dentry *dentry_find(struct dentry *parent, const struct name *name);
/* A new one below parent (which it references), not yet to be found. NULL: out of memory. */
struct dentry *dentry_alloc(struct dentry *parent, const struct name *name) MUST_CHECK;
/* Without a name: a file system's root, or a nameless file's. Takes over the inode reference on success. */
struct dentry *dentry_alloc_root(struct superblock *sb, struct inode *inode) MUST_CHECK;
/* Gives a new dentry its inode (reference taken over; NULL: negative); now it is found by its name. */
void dentry_publish(struct dentry *d, struct inode *inode);
/* Not found any more; freed when unused. unlinked: the name is gone from the file system. */
void dentry_drop(struct dentry *d, bool is_unlinked);
/* Renames. heap_name: room for a long name (dentry_name_room), used up or freed. */
int dentry_name_room(unsigned len, char **out) MUST_CHECK;
void dentry_move(struct dentry *d, struct dentry *parent, const struct name *name, char *heap_name);
void dentry_exchange(struct dentry *a, struct dentry *b);
/* Forgets the unused names below a directory that is gone. */
void dentry_prune_children(struct dentry *parent);
/* Releases every name of a superblock that is going away. */
void dentry_drop_tree(struct superblock *sb);
void dentry_init(void);
unsigned dentry_audit(struct superblock *sb);
struct spinlock *dentry_lock(void);

/* ---- namei.c ---- */

enum last_kind { LAST_NORMAL, LAST_DOT, LAST_DOTDOT, LAST_ROOT };

/* A walk along a path string. path is referenced between walk_begin and walk_end. */
struct walk {
	struct path path;      /* where it is */
	struct path root;      /* "/" and the top of ".." */
	unsigned flags;        /* enum lookup_flags */
	unsigned nr_links;
	const char *rest;      /* string still to walk */
	char *buffer;          /* owns rest after the first symlink */
	/* walk_parent: */
	enum last_kind last_kind;
	struct name last;
	bool has_trailing_slash;
};
MUST_CHECK int walk_begin(struct walk *w, int dirfd, const char *name, unsigned flags);
/* Walks all but the last component. */
MUST_CHECK int walk_parent(struct walk *w);
/* The child `last` of the walk's directory, mounts crossed, links not followed. With a reference. */
MUST_CHECK int walk_child(struct walk *w, struct path *out);
/*
 * Continues through a symlink that walk_child() returned. *is_done: it was a magic link and the walk stands
 * at its target; otherwise walk_parent() again.
 */
MUST_CHECK int walk_follow(struct walk *w, const struct path *link, bool *is_done);
void walk_end(struct walk *w);

/* The child of a directory whose lock is held: positive with a reference, or NULL and *error. */
struct dentry *lookup_locked(struct dentry *dir, const struct name *name, int *error);
/* Crosses mounts on p->dentry, topmost last. */
void path_cross_mounts(struct path *p);

/* ---- mount.c ---- */

struct mount *mount_find(const struct mount *parent, const struct dentry *mountpoint); /* no reference */
void mount_get(struct mount *m);
void mount_put(struct mount *m);
static inline bool mount_is_readonly(const struct mount *m) { return m->is_readonly || m->sb->is_readonly; }
/* A mount for nameless files, in no tree. */
struct mount *mount_internal(struct superblock *sb) MUST_CHECK;
/* A kernel-only directory or file below parent. */
MUST_CHECK int synthetic_create(struct dentry *parent, const struct name *name, uint32_t mode);

/* ---- attr.c, open.c, file.c, inode.c ---- */

/* May the task remove or replace victim in dir? -EPERM -EACCES -EROFS -ENOTDIR -EISDIR -EBUSY. */
MUST_CHECK int may_delete(const struct path *dir, struct dentry *victim, bool is_dir);
MUST_CHECK int may_create(const struct path *dir);
/* Change of attributes that needs no permission: lock, operation, members. */
MUST_CHECK int inode_setattr(struct inode *inode, struct attr_change *change);
uint32_t vfs_apply_umask(uint32_t mode);
void file_touch_atime(struct file *file);
MUST_CHECK int file_alloc(unsigned flags, struct file **out);
/* RLIMIT_FSIZE: cuts *n to what fits at pos, or -EFBIG with SIGXFSZ. */
MUST_CHECK int file_limit_size(uint64_t pos, uint64_t *n);
/* The shared inode of nameless files. */
MUST_CHECK int anon_inode(struct inode **out);
void vfs_caches_init(void);
extern const struct inode_ops no_inode_ops;
extern const struct file_ops no_file_ops;
void *inode_cache_alloc(void);
void inode_cache_free(void *inode);

/* ---- pipe.c ---- */

extern const struct file_ops fifo_file_ops;
MUST_CHECK int pipe_create(unsigned flags, struct file *out[2]);
int64_t pipe_get_size(struct file *file);                 /* -EBADF: no pipe */
int64_t pipe_set_size(struct file *file, uint64_t bytes);
bool file_is_pipe(const struct file *file);

/* ---- lock.c ---- */

int lock_flock(struct file *file, int operation);
int lock_posix_get(struct file *file, struct linux_flock *request, bool is_ofd);
int lock_posix_set(struct file *file, const struct linux_flock *request, bool is_ofd, bool wait);
/* close(2) drops all record locks of the table on the inode; the last file_put those of the description. */
void lock_release_posix(struct file *file, const void *table);
void lock_release_file(struct file *file);

/* ---- shmem.c ---- */

MUST_CHECK int memfd_file_create(const char *name, unsigned flags, struct file **out);
int64_t shmem_get_seals(struct file *file);
int64_t shmem_add_seals(struct file *file, unsigned seals);

/* ---- tmpfs.c ---- */

struct tmpfs_inode {
	uint64_t nr_accounted;     /* pages of the map counted against the limit */
	uint32_t seals;            /* F_SEAL_* */
	bool is_memfd;
	char *memfd_name;          /* "/memfd:NAME (deleted)" */
	char *target;              /* symlink */
	struct list entries;       /* directory: struct tmpfs_entry, ascending position */
	uint64_t next_pos, nr_entries;
};
static inline struct tmpfs_inode *tmpfs_inode(const struct inode *inode) { return inode->private; }
MUST_CHECK int tmpfs_inode_create(struct superblock *sb, uint32_t mode, uint64_t rdev, struct inode **out);
bool inode_is_tmpfs(const struct inode *inode); /* a regular file of tmpfs */
void tmpfs_destroy_inode(struct inode *inode);
/* tmpfs_dir.c: frees a directory's entries, which it has only when its file system goes. */
void tmpfs_put_entries(struct tmpfs_inode *td);
extern const struct inode_ops tmpfs_dir_inode_ops;
extern const struct file_ops tmpfs_dir_file_ops;

#endif
