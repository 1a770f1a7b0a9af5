/*
 * sendmsg(2), recvmsg(2) and the simpler forms: messages with names, several
 * buffers and ancillary data (cmsg(3): descriptors and credentials).
 */
#include "syscall/socket.h"

#include "abi/errno.h"
#include "file_io.h"
#include "fs/fdtable.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "syscall/poll_time.h"
#include "syscall/syscall.h"

SYSCALL_DECLARE(sendto);
SYSCALL_DECLARE(recvfrom);
SYSCALL_DECLARE(sendmsg);
SYSCALL_DECLARE(recvmsg);
SYSCALL_DECLARE(sendmmsg);
SYSCALL_DECLARE(recvmmsg);

#define CONTROL_MAX 20480u /* net.core.optmem_max */
#define CAP_SETGID 6
#define CAP_SETUID 7
#define CAP_SYS_ADMIN 21

/* ---- ancillary data in ------------------------------------------------------ */

/* The descriptors of one SCM_RIGHTS become references to files. */
static int rights_get(const uint8_t *data, size_t size_bytes, struct unix_rights **out)
{
	size_t nr = size_bytes / sizeof(int);
	struct unix_rights *r;

	if (*out != NULL || nr > SCM_MAX_FD)
		return -EINVAL;
	if (nr == 0)
		return 0;
	r = kmalloc(sizeof(*r) + nr * sizeof(r->files[0]));
	if (r == NULL)
		return -ENOMEM;
	for (r->nr = 0; r->nr < nr; r->nr++) {
		int fd;

		memcpy(&fd, data + r->nr * sizeof(fd), sizeof(fd));
		r->files[r->nr] = fd_get(fd);
		if (r->files[r->nr] == NULL) {
			unix_rights_free(r);
			return -EBADF;
		}
	}
	*out = r;
	return 0;
}

/* One may call oneself by any of one's ids; a privileged task by any. */
static int cred_get(const uint8_t *data, size_t size_bytes, struct linux_ucred *out)
{
	const struct cred *c = &current_task()->cred;
	struct linux_ucred u;

	if (size_bytes != sizeof(u))
		return -EINVAL;
	memcpy(&u, data, sizeof(u));
	if (u.pid != current_process()->pid && !((c->cap_effective >> CAP_SYS_ADMIN) & 1))
		return -EPERM;
	if (u.uid != c->uid && u.uid != c->euid && u.uid != c->suid &&
	    !((c->cap_effective >> CAP_SETUID) & 1))
		return -EPERM;
	if (u.gid != c->gid && u.gid != c->egid && u.gid != c->sgid &&
	    !((c->cap_effective >> CAP_SETGID) & 1))
		return -EPERM;
	*out = u;
	return 0;
}

static int control_parse(const uint8_t *buf, uint64_t size_bytes, struct unix_message *m)
{
	struct linux_cmsghdr h;

	for (uint64_t at = 0; at + sizeof(h) <= size_bytes; at += CMSG_ALIGNED(h.cmsg_len)) {
		const uint8_t *data = buf + at + sizeof(h);
		int err = 0;

		memcpy(&h, buf + at, sizeof(h));
		if (h.cmsg_len < sizeof(h) || h.cmsg_len > size_bytes - at)
			return -EINVAL;
		if (h.cmsg_level != SOL_SOCKET)
			continue;
		if (h.cmsg_type == SCM_RIGHTS)
			err = rights_get(data, h.cmsg_len - sizeof(h), &m->rights);
		else if (h.cmsg_type == SCM_CREDENTIALS)
			err = cred_get(data, h.cmsg_len - sizeof(h), &m->cred);
		else
			err = -EINVAL;
		if (err != 0)
			return err;
	}
	return 0;
}

static int control_get(const struct linux_msghdr *h, struct unix_message *m)
{
	uint8_t *buf;
	int err;

	if (h->msg_controllen == 0 || h->msg_control == 0)
		return 0;
	if (h->msg_controllen > CONTROL_MAX)
		return -ENOBUFS;
	buf = kmalloc(h->msg_controllen);
	if (buf == NULL)
		return -ENOMEM;
	err = copy_from_user(buf, uaddr(h->msg_control), h->msg_controllen);
	if (err == 0)
		err = control_parse(buf, h->msg_controllen, m);
	kfree(buf);
	return err;
}

/* ---- ancillary data out ----------------------------------------------------- */

struct control_out {
	uint64_t user, left, done;
	unsigned flags; /* MSG_CTRUNC */
};

/* A header and its data; what does not fit is cut, and said so. */
static int control_put(struct control_out *c, int type, const void *data, size_t size_bytes)
{
	struct linux_cmsghdr h = {.cmsg_level = SOL_SOCKET, .cmsg_type = type};

	if (c->left < sizeof(h)) {
		c->flags |= MSG_CTRUNC;
		return 0;
	}
	if (c->left < sizeof(h) + size_bytes) {
		size_bytes = c->left - sizeof(h);
		c->flags |= MSG_CTRUNC;
	}
	h.cmsg_len = sizeof(h) + size_bytes;
	if (copy_to_user(uaddr(c->user), &h, sizeof(h)) != 0 ||
	    copy_to_user(uaddr(c->user + sizeof(h)), data, size_bytes) != 0)
		return -EFAULT;
	c->done += MIN(CMSG_ALIGNED(h.cmsg_len), c->left);
	c->user += MIN(CMSG_ALIGNED(h.cmsg_len), c->left);
	c->left -= MIN(CMSG_ALIGNED(h.cmsg_len), c->left);
	return 0;
}

/* Installs as many of the files as there is room for descriptors to be told; the others are closed. */
static int rights_put(struct control_out *c, struct unix_rights *r, bool close_on_exec)
{
	uint64_t room = c->left < sizeof(struct linux_cmsghdr)
				? 0
				: (c->left - sizeof(struct linux_cmsghdr)) / sizeof(int);
	int fds[SCM_MAX_FD];
	unsigned nr = 0;

	while (nr < r->nr && nr < room) {
		file_get(r->files[nr]);
		fds[nr] = fd_install(r->files[nr], 0, close_on_exec);
		if (fds[nr] < 0) {
			file_put(r->files[nr]);
			break;
		}
		nr++;
	}
	if (nr < r->nr)
		c->flags |= MSG_CTRUNC;
	return nr > 0 ? control_put(c, SCM_RIGHTS, fds, nr * sizeof(int)) : 0;
}

/* ---- one message ------------------------------------------------------------ */

static int64_t send_one(struct file *file, const struct linux_msghdr *h, unsigned flags)
{
	struct unix_message m = {.flags = flags, .cred = unix_current_cred()};
	struct unix_address to;
	struct user_iovecs iovecs;
	int64_t result = iovecs_get(h->msg_iov, h->msg_iovlen, &iovecs);

	if (result != 0)
		return result;
	m.uio = &iovecs.uio;
	if (h->msg_name != 0 && h->msg_namelen > 0) {
		result = socket_address_get(h->msg_name, h->msg_namelen, &to);
		m.to = &to;
		if (result == 0 && to.un.sun_family != AF_UNIX)
			result = -EINVAL;
	}
	if (result == 0)
		result = control_get(h, &m);
	if (result == 0)
		result = unix_send(file, &m);
	unix_rights_free(m.rights);
	iovecs_put(&iovecs);
	return result;
}

/* The parts of the header that tell what came. */
static int put_header(struct linux_msghdr *h, struct unix_message *m)
{
	struct control_out c = {.user = h->msg_control, .left = h->msg_control != 0 ? h->msg_controllen : 0};
	int err = 0;

	if (h->msg_name != 0) {
		if (copy_to_user(uaddr(h->msg_name), &m->from.un, MIN(h->msg_namelen, m->from.len)) != 0)
			return -EFAULT;
		h->msg_namelen = m->from.len > sizeof(uint16_t) ? m->from.len : 0;
	}
	if (m->has_cred)
		err = control_put(&c, SCM_CREDENTIALS, &m->cred, sizeof(m->cred));
	if (err == 0 && m->rights != NULL)
		err = rights_put(&c, m->rights, (m->flags & MSG_CMSG_CLOEXEC) != 0);
	h->msg_controllen = c.done;
	h->msg_flags = m->out_flags | c.flags | (m->flags & MSG_CMSG_CLOEXEC);
	return err;
}

static int64_t receive_one(struct file *file, struct linux_msghdr *h, unsigned flags)
{
	struct unix_message m = {.flags = flags};
	struct user_iovecs iovecs;
	int64_t result = iovecs_get(h->msg_iov, h->msg_iovlen, &iovecs);
	int err;

	if (result != 0)
		return result;
	m.uio = &iovecs.uio;
	result = unix_receive(file, &m);
	if (result >= 0) {
		err = put_header(h, &m);
		if (err != 0)
			result = err;
	}
	unix_rights_free(m.rights);
	iovecs_put(&iovecs);
	return result;
}

/* ---- the calls ---------------------------------------------------------------- */

int64_t sys_sendto(const uint64_t args[6])
{
	struct linux_iovec iov;
	struct uio uio;
	struct unix_message m = {.uio = &uio, .flags = (unsigned)args[3]};
	struct unix_address to;
	struct file *file;
	int64_t result;

	if (!user_range_ok(args[1], args[2]))
		return -EFAULT;
	result = socket_get((int)args[0], &file);
	if (result != 0)
		return result;
	m.cred = unix_current_cred();
	uio_user(&uio, &iov, args[1], MIN(args[2], RW_COUNT_MAX));
	if (args[4] != 0) {
		result = socket_address_get(args[4], (uint32_t)args[5], &to);
		m.to = &to;
		if (result == 0 && to.un.sun_family != AF_UNIX)
			result = -EINVAL;
	}
	if (result == 0)
		result = unix_send(file, &m);
	file_put(file);
	return result;
}

int64_t sys_recvfrom(const uint64_t args[6])
{
	struct linux_iovec iov;
	struct uio uio;
	struct unix_message m = {.uio = &uio, .flags = (unsigned)args[3]};
	struct file *file;
	int64_t result;
	int err;

	if (!user_range_ok(args[1], args[2]))
		return -EFAULT;
	result = socket_get((int)args[0], &file);
	if (result != 0)
		return result;
	uio_user(&uio, &iov, args[1], MIN(args[2], RW_COUNT_MAX));
	result = unix_receive(file, &m);
	unix_rights_free(m.rights);
	if (result >= 0) {
		if (m.from.len <= sizeof(uint16_t))
			m.from.len = 0;
		err = socket_address_put(&m.from, args[4], args[5]);
		if (err != 0)
			result = err;
	}
	file_put(file);
	return result;
}

static int64_t one(const uint64_t args[6], bool is_send)
{
	struct linux_msghdr h;
	struct file *file;
	int64_t result;

	if (copy_from_user(&h, uaddr(args[1]), sizeof(h)) != 0)
		return -EFAULT;
	result = socket_get((int)args[0], &file);
	if (result != 0)
		return result;
	result = is_send ? send_one(file, &h, (unsigned)args[2]) : receive_one(file, &h, (unsigned)args[2]);
	file_put(file);
	if (!is_send && result >= 0 && copy_to_user(uaddr(args[1]), &h, sizeof(h)) != 0)
		return -EFAULT;
	return result;
}

int64_t sys_sendmsg(const uint64_t args[6]) { return one(args, true); }

int64_t sys_recvmsg(const uint64_t args[6]) { return one(args, false); }

/* Entry i of a vector of messages: moved, and its count stored. */
static int64_t one_of_many(struct file *file, uint64_t user, unsigned flags, bool is_send)
{
	struct linux_mmsghdr h;
	int64_t result;

	if (copy_from_user(&h, uaddr(user), sizeof(h)) != 0)
		return -EFAULT;
	result = is_send ? send_one(file, &h.hdr, flags) : receive_one(file, &h.hdr, flags);
	if (result < 0)
		return result;
	h.len = (uint32_t)result;
	return copy_to_user(uaddr(user), &h, sizeof(h));
}

static int64_t many(const uint64_t args[6], bool is_send, uint64_t deadline_ns)
{
	unsigned nr = MIN((unsigned)args[2], UIO_MAXIOV), flags = (unsigned)args[3], done = 0;
	struct file *file;
	int64_t result = socket_get((int)args[0], &file);

	if (result != 0)
		return result;
	while (done < nr) {
		result = one_of_many(file, args[1] + done * sizeof(struct linux_mmsghdr), flags, is_send);
		if (result != 0)
			break;
		done++;
		if (flags & MSG_WAITFORONE)
			flags |= MSG_DONTWAIT;
		if (deadline_ns != WAIT_FOREVER && arch_time_ns() >= deadline_ns)
			break;
	}
	file_put(file);
	return done > 0 ? (int64_t)done : result;
}

int64_t sys_sendmmsg(const uint64_t args[6]) { return many(args, true, WAIT_FOREVER); }

int64_t sys_recvmmsg(const uint64_t args[6])
{
	uint64_t deadline_ns;
	int err = poll_deadline_timespec(args[4], &deadline_ns);

	return err != 0 ? err : many(args, false, deadline_ns);
}
