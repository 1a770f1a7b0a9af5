/*
 * Local sockets, unix(7): life, connections, the file operations. Names are
 * unix_name.c's, the data goes through unix_transfer.c; unix_collect.c finds cycles.
 * Owns struct unix_socket and the list of all.
 * Lock: unix_lock. Invariant: the peers of a connection point at each other until
 * one is closed; then the other one's peer is NULL and both directions are shut.
 */
#include "fs/unix_socket.h"

#include "abi/errno.h"
#include "abi/ioctl.h"
#include "fs/poll.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "syscall/syscall.h"

#define BUFFER_DEFAULT 212992u

struct spinlock unix_lock = SPINLOCK_INIT;
struct list unix_all = LIST_INIT(unix_all);
static struct superblock *sockfs;

static const struct file_ops unix_fops;

struct unix_socket *unix_socket_of(struct file *file)
{
	return file->ops == &unix_fops ? file->private : NULL;
}

struct linux_ucred unix_current_cred(void)
{
	const struct cred *c = &current_task()->cred;

	return (struct linux_ucred){current_process()->pid, c->euid, c->egid};
}

uint64_t unix_deadline(uint64_t timeout_ns)
{
	return timeout_ns == 0 ? WAIT_FOREVER : arch_time_ns() + timeout_ns;
}

/* ---- life ------------------------------------------------------------------ */

static struct unix_socket *socket_alloc(int type)
{
	struct unix_socket *s = kzalloc(sizeof(*s));

	if (s == NULL)
		return NULL;
	s->refs = 1;
	s->type = type;
	s->cred = unix_current_cred();
	s->send_limit = s->receive_limit = BUFFER_DEFAULT;
	s->address.len = SUN_FAMILY_BYTES;
	s->address.un.sun_family = AF_UNIX;
	mutex_init(&s->read_lock);
	waitq_init(&s->waitq);
	list_init(&s->queue);
	list_init(&s->backlog);
	list_init(&s->backlog_link);
	list_init(&s->bound_link);
	list_init(&s->scan_link);
	spin_lock(&unix_lock);
	list_add_tail(&unix_all, &s->all_link);
	spin_unlock(&unix_lock);
	return s;
}

void unix_socket_put(struct unix_socket *s)
{
	ASSERT(s->refs > 0);
	if (--s->refs > 0)
		return;
	ASSERT(list_is_empty(&s->queue) && s->peer == NULL);
	spin_lock(&unix_lock);
	list_remove(&s->all_link);
	spin_unlock(&unix_lock);
	kfree(s);
}

static int sockfs_get(void)
{
	return sockfs != NULL ? 0 : superblock_create("sockfs", SOCKFS_MAGIC, &sockfs);
}

/* A file for s; takes over the caller's reference on success. */
static int socket_file(struct unix_socket *s, unsigned flags, struct file **out)
{
	struct inode *inode;
	int err = sockfs_get();

	if (err == 0)
		err = inode_create(sockfs, S_IFSOCK | 0777, &inode);
	if (err != 0)
		return err;
	inode->uid = current_task()->cred.fsuid;
	inode->gid = current_task()->cred.fsgid;
	err = file_create(&unix_fops, inode, O_RDWR | (flags & O_NONBLOCK), s, out);
	inode_put(inode);
	if (err == 0)
		s->file = *out;
	return err;
}

/* Both sides of a connection that s leaves. */
static void peer_gone(struct unix_socket *s, bool had_unread)
{
	struct unix_socket *peer = s->peer;

	s->peer = NULL;
	if (peer == NULL)
		return;
	if (s->type != SOCK_DGRAM && peer->peer == s) {
		peer->shutdown = SHUT_RECEIVE | SHUT_SEND;
		if (had_unread)
			peer->error = ECONNRESET;
		peer->peer = NULL;
		unix_socket_put(s);
	}
	waitq_wake_all(&peer->waitq);
	unix_socket_put(peer);
}

/* The end of a socket that nobody has open (any more). The caller's reference keeps it. */
static void socket_close(struct unix_socket *s)
{
	bool had_unread = !list_is_empty(&s->queue);

	s->is_dead = true;
	s->shutdown = SHUT_RECEIVE | SHUT_SEND;
	list_remove(&s->bound_link);
	while (!list_is_empty(&s->backlog)) {
		struct unix_socket *embryo = LIST_FIRST(&s->backlog, struct unix_socket, backlog_link);

		list_remove(&embryo->backlog_link);
		if (embryo->peer != NULL)
			embryo->peer->error = ECONNRESET;
		socket_close(embryo);
		unix_socket_put(embryo);
	}
	peer_gone(s, had_unread);
	unix_queue_purge(s);
	if (s->inode != NULL)
		inode_put(s->inode);
	s->inode = NULL;
	waitq_wake_all(&s->waitq);
}

static void unix_release(struct file *file)
{
	struct unix_socket *s = file->private;

	s->file = NULL;
	socket_close(s);
	unix_socket_put(s);
	unix_collect();
}

int unix_socket_create(int type, unsigned flags, struct file **out)
{
	struct unix_socket *s = socket_alloc(type);
	int err;

	if (s == NULL)
		return -ENOMEM;
	err = socket_file(s, flags, out);
	if (err != 0)
		unix_socket_put(s);
	return err;
}

static void make_peers(struct unix_socket *a, struct unix_socket *b)
{
	a->peer = b;
	b->peer = a;
	unix_socket_get(a);
	unix_socket_get(b);
	a->state = b->state = UNIX_CONNECTED;
}

int unix_socket_pair(int type, unsigned flags, struct file *out[2])
{
	int err = unix_socket_create(type, flags, &out[0]);

	if (err != 0)
		return err;
	err = unix_socket_create(type, flags, &out[1]);
	if (err != 0) {
		file_put(out[0]);
		return err;
	}
	make_peers(unix_socket_of(out[0]), unix_socket_of(out[1]));
	unix_socket_of(out[0])->peer_cred = unix_socket_of(out[1])->peer_cred = unix_current_cred();
	return 0;
}

/* ---- connections ----------------------------------------------------------- */

int unix_peer_address(struct unix_socket *s, struct unix_address *out)
{
	if (s->peer == NULL)
		return -ENOTCONN;
	*out = s->peer->address;
	return 0;
}

int unix_listen(struct unix_socket *s, int backlog)
{
	if (s->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	if (s->address.len <= SUN_FAMILY_BYTES || s->state == UNIX_CONNECTED)
		return -EINVAL;
	s->state = UNIX_LISTENING;
	s->backlog_max = (unsigned)backlog > SOMAXCONN ? SOMAXCONN : (unsigned)backlog;
	s->cred = unix_current_cred();
	waitq_wake_all(&s->waitq);
	return 0;
}

static int connect_datagram(struct unix_socket *s, const struct unix_address *address)
{
	struct unix_socket *other = NULL, *old = s->peer;
	int err = 0;

	if (address->un.sun_family != AF_UNSPEC) {
		err = unix_find(address, s->type, &other);
		if (err == 0 && other->peer != NULL && other->peer != s) {
			unix_socket_put(other);
			err = -EPERM;
		}
	}
	if (err != 0)
		return err;
	s->peer = other;
	s->state = other != NULL ? UNIX_CONNECTED : UNIX_UNCONNECTED;
	if (old != NULL)
		unix_socket_put(old);
	return 0;
}

static bool listener_has_room(const struct unix_socket *l)
{
	return l->nr_backlog <= l->backlog_max || l->is_dead || (l->shutdown & SHUT_RECEIVE);
}

/* Waits until the listener takes another connection. */
static int wait_backlog(struct file *file, struct unix_socket *listener)
{
	int err;

	if (listener->state != UNIX_LISTENING || listener->is_dead || (listener->shutdown & SHUT_RECEIVE))
		return -ECONNREFUSED;
	if (listener_has_room(listener))
		return 0;
	if (file->flags & O_NONBLOCK)
		return -EAGAIN;
	WAIT_EVENT(err, &listener->waitq, listener_has_room(listener), true,
		   unix_deadline(unix_socket_of(file)->send_timeout_ns));
	if (err != 0)
		return err == -EINTR ? -ERESTARTSYS : -EAGAIN;
	return listener->is_dead || (listener->shutdown & SHUT_RECEIVE) ? -ECONNREFUSED : 0;
}

static int connect_stream(struct file *file, struct unix_socket *s, struct unix_socket *listener)
{
	struct unix_socket *embryo;
	int err = wait_backlog(file, listener);

	if (err != 0)
		return err;
	if (s->state != UNIX_UNCONNECTED)
		return s->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	embryo = socket_alloc(s->type);
	if (embryo == NULL)
		return -ENOMEM;
	embryo->address = listener->address;
	embryo->peer_cred = unix_current_cred();
	embryo->passes_cred = listener->passes_cred;
	s->peer_cred = listener->cred;
	make_peers(s, embryo);
	list_add_tail(&listener->backlog, &embryo->backlog_link);
	listener->nr_backlog++;
	waitq_wake_all(&listener->waitq);
	return 0;
}

int unix_connect(struct file *file, const struct unix_address *address)
{
	struct unix_socket *s = unix_socket_of(file), *listener;
	int err;

	if (address->un.sun_family == AF_UNSPEC && s->type == SOCK_DGRAM)
		return connect_datagram(s, address);
	if (address->un.sun_family != AF_UNIX || address->len <= SUN_FAMILY_BYTES)
		return -EINVAL;
	if (s->type == SOCK_DGRAM)
		return connect_datagram(s, address);
	if (s->state != UNIX_UNCONNECTED)
		return s->state == UNIX_CONNECTED ? -EISCONN : -EINVAL;
	err = unix_find(address, s->type, &listener);
	if (err != 0)
		return err;
	err = connect_stream(file, s, listener);
	unix_socket_put(listener);
	return err;
}

int unix_accept(struct file *file, unsigned flags, struct file **out)
{
	struct unix_socket *s = unix_socket_of(file), *embryo;
	int err;

	if (s->type == SOCK_DGRAM)
		return -EOPNOTSUPP;
	while (list_is_empty(&s->backlog)) {
		if (s->state != UNIX_LISTENING || (s->shutdown & SHUT_RECEIVE))
			return -EINVAL;
		if (file->flags & O_NONBLOCK)
			return -EAGAIN;
		WAIT_EVENT(err, &s->waitq, !list_is_empty(&s->backlog) || (s->shutdown & SHUT_RECEIVE), true,
			   unix_deadline(s->receive_timeout_ns));
		if (err != 0)
			return err == -EINTR ? -ERESTARTSYS : -EAGAIN;
	}
	embryo = LIST_FIRST(&s->backlog, struct unix_socket, backlog_link);
	err = socket_file(embryo, flags, out);
	if (err != 0)
		return err;
	list_remove(&embryo->backlog_link);
	s->nr_backlog--;
	waitq_wake_all(&s->waitq);
	return 0;
}

int unix_shutdown(struct unix_socket *s, int how)
{
	static const unsigned masks[] = {SHUT_RECEIVE, SHUT_SEND, SHUT_RECEIVE | SHUT_SEND};
	unsigned mask;

	if (how < SHUT_RD || how > SHUT_RDWR)
		return -EINVAL;
	mask = masks[how];
	s->shutdown |= mask;
	if (s->peer != NULL && s->type != SOCK_DGRAM) {
		if (mask & SHUT_RECEIVE)
			s->peer->shutdown |= SHUT_SEND;
		if (mask & SHUT_SEND)
			s->peer->shutdown |= SHUT_RECEIVE;
		waitq_wake_all(&s->peer->waitq);
	}
	waitq_wake_all(&s->waitq);
	return 0;
}

/* ---- file operations -------------------------------------------------------- */

static int64_t unix_read(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct unix_message m = {.uio = uio};
	int64_t n;

	(void)pos;
	if (uio->resid_bytes == 0)
		return 0;
	n = unix_receive(file, &m);
	unix_rights_free(m.rights);
	return n;
}

static int64_t unix_write(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct unix_message m = {.uio = uio, .cred = unix_current_cred()};

	(void)pos;
	return unix_send(file, &m);
}

static unsigned unix_poll(struct file *file, struct poll_table *table)
{
	struct unix_socket *s = file->private;
	unsigned events = 0;

	poll_wait(table, &s->waitq);
	if (s->error != 0)
		events |= POLLERR;
	if (s->shutdown == (SHUT_RECEIVE | SHUT_SEND))
		events |= POLLHUP;
	if (s->shutdown & SHUT_RECEIVE)
		events |= POLLRDHUP | POLLIN | POLLRDNORM;
	if (!list_is_empty(&s->queue) || !list_is_empty(&s->backlog))
		events |= POLLIN | POLLRDNORM;
	if (s->type != SOCK_DGRAM && s->state == UNIX_UNCONNECTED)
		events |= POLLHUP;
	/* As Linux: not before a quarter of the space is left free. */
	if (s->state != UNIX_LISTENING && s->nr_sent_bytes * 4 <= s->send_limit)
		events |= POLLOUT | POLLWRNORM | POLLWRBAND;
	return events;
}

static int64_t unix_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
	struct unix_socket *s = file->private;
	struct unix_packet *p;
	int value = 0;

	if (cmd == FIONREAD) {
		if (s->state == UNIX_LISTENING)
			return -EINVAL;
		LIST_FOR_EACH(p, &s->queue, link) {
			value += (int)(p->len - p->offset);
			if (s->type != SOCK_STREAM)
				break; /* the next message's length */
		}
	} else if (cmd == TIOCOUTQ) {
		value = (int)s->nr_sent_bytes;
	} else {
		return -ENOTTY;
	}
	return copy_to_user(uaddr(arg), &value, sizeof(value));
}

static const struct file_ops unix_fops = {
	.release = unix_release,
	.read = unix_read,
	.write = unix_write,
	.poll = unix_poll,
	.ioctl = unix_ioctl,
};
