/* What the file system calls share: user paths, iovecs, reading and writing with a file's own offset. */
#ifndef SYSCALL_FILE_IO_H
#define SYSCALL_FILE_IO_H

#include "abi/errno.h"
#include "fs/fdtable.h"
#include "fs/internal.h"
#include "fs/vfs.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "syscall/syscall.h"

#define RW_COUNT_MAX 0x7ffff000u
#define IOV_ON_STACK 8

/* [addr, addr + n) is in the user's half (access_ok): the checks that come before any copy. */
static inline bool user_range_ok(uint64_t addr, uint64_t n)
{
	return n <= arch_user_end() && addr <= arch_user_end() - n;
}

/* path_lookup() of a user string. */
MUST_CHECK int user_path_lookup(int dirfd, uint64_t name, unsigned flags, struct path *out);
/* The path of an open descriptor (any that allows I/O). */
MUST_CHECK int fd_path(int fd, struct path *out);

struct user_iovecs {
	struct uio uio;
	struct linux_iovec *heap;
	struct linux_iovec stack[IOV_ON_STACK];
};
/* Copies and checks an array of iovecs. -EINVAL -EFAULT -ENOMEM. Free with iovecs_put(). */
MUST_CHECK int iovecs_get(uint64_t user_iov, uint64_t nr, struct user_iovecs *out);
void iovecs_put(struct user_iovecs *v);

/* Reads (or writes) with the file's own offset. */
int64_t file_transfer(struct file *file, struct uio *uio, bool is_write);

#endif
