/*
 * Local sockets: messages. What is sent stands as packets in the receiver's queue,
 * accounted to the sender until it is read, which bounds both. Bytes are copied
 * between user memory and packets outside unix_lock.
 * Invariant: nr_sent_bytes is the sum of the packets of this sender in any queue.
 */
#include "fs/unix_socket.h"

#include "abi/errno.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "sched/task.h"
#include "syscall/syscall.h"

#define STREAM_PACKET_MAX (32u << 10)
#define MESSAGE_OVERHEAD 32u

/* ---- packets --------------------------------------------------------------- */

static size_t packet_cost(const struct unix_packet *p) { return sizeof(*p) + p->capacity; }

/* With the bytes from m's uio. -ENOMEM, -EFAULT. */
static int packet_create(struct unix_socket *sender, struct unix_message *m, size_t n,
			 struct unix_packet **out)
{
	/* Later small writes to a stream fill the packet up: see merge(). */
	size_t bytes = sender->type == SOCK_STREAM ? ALIGN_UP(sizeof(struct unix_packet) + n, 256)
						   : sizeof(struct unix_packet) + n;
	struct unix_packet *p = kmalloc(bytes);
	int err;

	if (p == NULL)
		return -ENOMEM;
	*p = (struct unix_packet){.sender = sender, .cred = m->cred, .len = n};
	p->capacity = bytes - sizeof(*p);
	err = uio_get(m->uio, p->data, n);
	if (err != 0) {
		kfree(p);
		return err;
	}
	list_init(&p->link);
	unix_socket_get(sender);
	sender->nr_sent_bytes += packet_cost(p);
	*out = p;
	return 0;
}

void unix_packet_free(struct unix_packet *p)
{
	struct unix_socket *sender = p->sender;

	ASSERT(sender->nr_sent_bytes >= packet_cost(p));
	sender->nr_sent_bytes -= packet_cost(p);
	waitq_wake_all(&sender->waitq);
	if (p->rights != NULL)
		unix_rights_account(p->rights, false);
	unix_rights_free(p->rights);
	unix_socket_put(sender);
	kfree(p);
}

void unix_queue_purge(struct unix_socket *s)
{
	while (!list_is_empty(&s->queue)) {
		struct unix_packet *p = LIST_FIRST(&s->queue, struct unix_packet, link);

		list_remove(&p->link);
		unix_packet_free(p);
	}
}

void unix_rights_free(struct unix_rights *rights)
{
	if (rights == NULL)
		return;
	for (unsigned i = 0; i < rights->nr; i++)
		file_put(rights->files[i]);
	kfree(rights);
}

static bool same_cred(const struct linux_ucred *a, const struct linux_ucred *b)
{
	return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid;
}

/* Small writes to a stream fill the last packet up. True: p was merged, and freed. */
static bool merge(struct unix_socket *to, struct unix_packet *p)
{
	struct unix_packet *last;

	if (to->type != SOCK_STREAM || list_is_empty(&to->queue) || p->rights != NULL)
		return false;
	last = LIST_ENTRY(to->queue.prev, struct unix_packet, link);
	if (last->sender != p->sender || last->rights != NULL || last->capacity - last->len < p->len ||
	    !same_cred(&last->cred, &p->cred))
		return false;
	memcpy(last->data + last->len, p->data, p->len);
	last->len += p->len;
	unix_packet_free(p);
	return true;
}

static void deliver(struct unix_socket *to, struct unix_packet *p, struct unix_message *m)
{
	p->rights = m->rights;
	m->rights = NULL;
	if (p->rights != NULL)
		unix_rights_account(p->rights, true);
	spin_lock(&unix_lock);
	if (!merge(to, p))
		list_add_tail(&to->queue, &p->link);
	spin_unlock(&unix_lock);
	waitq_wake_all(&to->waitq);
}

/* ---- sending --------------------------------------------------------------- */

bool unix_has_space(const struct unix_socket *s) { return s->nr_sent_bytes < s->send_limit; }

static bool may_wait(const struct file *file, const struct unix_message *m)
{
	return (file->flags & O_NONBLOCK) == 0 && (m->flags & MSG_DONTWAIT) == 0;
}

static int wait_space(struct file *file, struct unix_socket *s, const struct unix_message *m,
		      uint64_t deadline_ns)
{
	int err;

	if (unix_has_space(s))
		return 0;
	if (!may_wait(file, m))
		return -EAGAIN;
	WAIT_EVENT(err, &s->waitq, unix_has_space(s) || (s->shutdown & SHUT_SEND), true, deadline_ns);
	return err == -EINTR ? -ERESTARTSYS : err == -ETIMEDOUT ? -EAGAIN : 0;
}

static int64_t broken_pipe(const struct unix_message *m)
{
	if ((m->flags & MSG_NOSIGNAL) == 0)
		(void)signal_send_task(current_task(), SIGPIPE, NULL);
	return -EPIPE;
}

static bool can_send(const struct unix_socket *s)
{
	return (s->shutdown & SHUT_SEND) == 0 && s->peer != NULL && (s->peer->shutdown & SHUT_RECEIVE) == 0;
}

static int64_t send_stream(struct file *file, struct unix_socket *s, struct unix_message *m)
{
	uint64_t deadline_ns = unix_deadline(s->send_timeout_ns);
	int64_t done = 0;
	int err = 0;

	if (s->state != UNIX_CONNECTED)
		return -ENOTCONN;
	if (m->to != NULL)
		return -EISCONN;
	while (m->uio->resid_bytes > 0 && err == 0) {
		size_t n = MIN(m->uio->resid_bytes, STREAM_PACKET_MAX);
		struct unix_packet *p;

		err = can_send(s) ? wait_space(file, s, m, deadline_ns) : -EPIPE;
		if (err == 0)
			err = packet_create(s, m, n, &p);
		if (err == 0 && !can_send(s)) {
			unix_packet_free(p);
			err = -EPIPE;
		}
		if (err == 0) {
			deliver(s->peer, p, m);
			done += (int64_t)n;
		}
	}
	if (done > 0)
		return done;
	return err == -EPIPE ? broken_pipe(m) : err;
}

/* The receiver of a datagram, with a reference. */
static int find_receiver(struct unix_socket *s, const struct unix_message *m, struct unix_socket **out)
{
	int err = 0;

	if (m->to != NULL) {
		err = unix_find(m->to, s->type, out);
	} else if (s->peer == NULL) {
		err = -ENOTCONN;
	} else {
		*out = s->peer;
		unix_socket_get(*out);
	}
	return err;
}

static int check_receiver(const struct unix_socket *s, const struct unix_socket *to)
{
	if (to->is_dead)
		return -ECONNREFUSED;
	if (s->type == SOCK_DGRAM && to->peer != NULL && to->peer != s)
		return -EPERM;
	if ((s->shutdown & SHUT_SEND) || (to->shutdown & SHUT_RECEIVE))
		return -EPIPE;
	return 0;
}

/* Datagrams and sequenced packets: one packet, whole. */
static int64_t send_message(struct file *file, struct unix_socket *s, struct unix_message *m)
{
	size_t n = m->uio->resid_bytes;
	struct unix_socket *to;
	struct unix_packet *p;
	int err;

	if (n > s->send_limit - MESSAGE_OVERHEAD)
		return -EMSGSIZE;
	err = find_receiver(s, m, &to);
	if (err != 0)
		return err;
	err = check_receiver(s, to);
	if (err == 0)
		err = wait_space(file, s, m, unix_deadline(s->send_timeout_ns));
	if (err == 0)
		err = packet_create(s, m, n, &p);
	if (err == 0) {
		err = check_receiver(s, to); /* it may have gone while we slept */
		if (err == 0)
			deliver(to, p, m);
		else
			unix_packet_free(p);
	}
	unix_socket_put(to);
	return err != 0 ? err : (int64_t)n;
}

int64_t unix_send(struct file *file, struct unix_message *m)
{
	struct unix_socket *s = unix_socket_of(file);
	int64_t n;

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	if (s->error != 0) {
		int err = s->error;

		s->error = 0;
		return -err;
	}
	if (s->type == SOCK_STREAM)
		return send_stream(file, s, m);
	if (s->type == SOCK_SEQPACKET) {
		if (s->state != UNIX_CONNECTED)
			return -ENOTCONN;
		if (s->peer == NULL)
			return broken_pipe(m);
		m->to = NULL;
	}
	n = send_message(file, s, m);
	return n == -EPIPE && s->type == SOCK_SEQPACKET ? broken_pipe(m) : n;
}

/* ---- receiving ------------------------------------------------------------- */

static bool has_news(const struct unix_socket *s)
{
	return !list_is_empty(&s->queue) || (s->shutdown & SHUT_RECEIVE) || s->error != 0;
}

/* 0: the queue is not empty; 1: end of file; or a negative errno. */
static int wait_packet(struct file *file, struct unix_socket *s, const struct unix_message *m,
		       uint64_t deadline_ns)
{
	int err = 0;

	while (list_is_empty(&s->queue)) {
		if (s->error != 0) {
			err = s->error;
			s->error = 0;
			return -err;
		}
		if (s->shutdown & SHUT_RECEIVE)
			return 1;
		if (!may_wait(file, m))
			return -EAGAIN;
		WAIT_EVENT(err, &s->waitq, has_news(s), true, deadline_ns);
		if (err != 0)
			return err == -EINTR ? -ERESTARTSYS : -EAGAIN;
	}
	return 0;
}

/* What comes with the data. Peeking leaves it: files are duplicated. */
static int take_ancillary(const struct unix_socket *s, struct unix_packet *p, struct unix_message *m)
{
	m->from = p->sender->address;
	m->cred = p->cred;
	m->has_cred = s->passes_cred;
	if (p->rights == NULL)
		return 0;
	if (m->flags & MSG_PEEK) {
		m->rights = kmemdup(p->rights, sizeof(*p->rights) + p->rights->nr * sizeof(struct file *));
		if (m->rights == NULL)
			return -ENOMEM;
		for (unsigned i = 0; i < m->rights->nr; i++)
			file_get(m->rights->files[i]);
		return 0;
	}
	unix_rights_account(p->rights, false);
	m->rights = p->rights;
	p->rights = NULL;
	return 0;
}

/* Bytes of one packet with other ancillary data are not mixed into one read. */
static bool may_continue(const struct unix_socket *s, const struct unix_packet *p,
			 const struct unix_message *m)
{
	return m->rights == NULL && p->rights == NULL && (!s->passes_cred || same_cred(&p->cred, &m->cred));
}

/* One packet's bytes, with read_lock. The count, 0 when it must not be mixed in, or a negative errno. */
static int64_t take_bytes(struct unix_socket *s, struct unix_message *m, bool is_first)
{
	struct unix_packet *p = LIST_FIRST(&s->queue, struct unix_packet, link);
	size_t n = MIN(m->uio->resid_bytes, p->len - p->offset);
	int err;

	if (!is_first && !may_continue(s, p, m))
		return 0;
	err = uio_put(m->uio, p->data + p->offset, n);
	if (err == 0 && (is_first || p->rights != NULL))
		err = take_ancillary(s, p, m);
	if (err != 0)
		return err;
	if (m->flags & MSG_PEEK)
		return (int64_t)n;
	p->offset += n;
	if (p->offset == p->len) {
		spin_lock(&unix_lock);
		list_remove(&p->link);
		spin_unlock(&unix_lock);
		unix_packet_free(p);
	}
	return (int64_t)n;
}

static int64_t receive_stream(struct file *file, struct unix_socket *s, struct unix_message *m)
{
	uint64_t deadline_ns = unix_deadline(s->receive_timeout_ns);
	int64_t done = 0, n = 0;

	if (s->state != UNIX_CONNECTED)
		return -EINVAL;
	while (m->uio->resid_bytes > 0) {
		if (done == 0 || (m->flags & MSG_WAITALL)) {
			n = wait_packet(file, s, m, deadline_ns);
			if (n != 0)
				break;
		}
		mutex_lock(&s->read_lock);
		n = list_is_empty(&s->queue) ? 0 : take_bytes(s, m, done == 0);
		mutex_unlock(&s->read_lock);
		if (n > 0)
			done += n;
		else if (n < 0 || done > 0)
			break;
		if (m->flags & MSG_PEEK)
			break;
	}
	return done > 0 || n == 1 ? done : n;
}

static int64_t receive_message(struct file *file, struct unix_socket *s, struct unix_message *m)
{
	struct unix_packet *p;
	size_t n, len;
	int err;

	if (s->type == SOCK_SEQPACKET && s->state != UNIX_CONNECTED)
		return -ENOTCONN;
	mutex_lock(&s->read_lock);
	while (list_is_empty(&s->queue)) {
		mutex_unlock(&s->read_lock);
		err = wait_packet(file, s, m, unix_deadline(s->receive_timeout_ns));
		if (err != 0)
			return err == 1 ? 0 : err;
		mutex_lock(&s->read_lock);
	}
	p = LIST_FIRST(&s->queue, struct unix_packet, link);
	len = p->len;
	n = MIN(m->uio->resid_bytes, len);
	if ((m->flags & MSG_PEEK) == 0)
		list_remove(&p->link);
	err = take_ancillary(s, p, m);
	if (err == 0)
		err = uio_put(m->uio, p->data, n);
	if ((m->flags & MSG_PEEK) == 0)
		unix_packet_free(p);
	mutex_unlock(&s->read_lock);
	if (err != 0)
		return err;
	if (n < len)
		m->out_flags |= MSG_TRUNC;
	return (int64_t)((m->flags & MSG_TRUNC) ? len : n);
}

int64_t unix_receive(struct file *file, struct unix_message *m)
{
	struct unix_socket *s = unix_socket_of(file);

	if (m->flags & MSG_OOB)
		return -EOPNOTSUPP;
	m->from = (struct unix_address){0};
	return s->type == SOCK_STREAM ? receive_stream(file, s, m) : receive_message(file, s, m);
}
