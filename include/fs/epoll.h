/* epoll(7), in the kernel's terms; src/syscall/epoll.c has the system calls. */
#ifndef FS_EPOLL_H
#define FS_EPOLL_H

#include "abi/epoll.h"
#include "fs/vfs.h"
#include "user_abi.h"

/* A new epoll file. -ENOMEM. */
MUST_CHECK int epoll_create_file(struct file **out);
bool file_is_epoll(const struct file *file);
/*
 * epoll_ctl(2) on descriptor fd, which is target. Errors as the man page:
 * -EEXIST -ENOENT -EPERM (no poll) -ELOOP -EINVAL -ENOMEM.
 */
MUST_CHECK int epoll_control(struct file *epoll, int op, int fd, struct file *target,
			     const struct linux_epoll_event *event);
/*
 * Waits until deadline_ns (0: do not wait) for events and copies up to max of them to the user's
 * array. The number, 0: timed out, -EINTR, -EFAULT.
 */
int64_t epoll_wait_events(struct file *epoll, uint64_t user_events, unsigned max, uint64_t deadline_ns);
/* The last reference of a watched file is gone: nobody watches it any more. May sleep. */
void epoll_file_release(struct file *file);

#endif
