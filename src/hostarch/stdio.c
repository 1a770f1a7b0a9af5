/*
 * The first program's descriptors 0, 1, 2. A terminal becomes the guest's
 * console. Anything else (pipe, file, socket, device) is passed through as a
 * nameless file that shows the host's type, moves data to and from the host's
 * description where it stands, and lets only the calling guest task wait.
 */
#include "abi/errno.h"
#include "abi/statfs.h"
#include "abi/fcntl.h"
#include "abi/poll.h"
#include "arch/machine.h"
#include "fs/poll.h"
#include "fs/vfs.h"
#include "hostarch/console.h"
#include "hostarch/host.h"
#include "hostarch/irq.h"
#include "mm/kmalloc.h"
#include "sched/task.h"
#include "syscall/syscall.h"

#define PIECE_BYTES 4096u /* PIPE_BUF: the host moves that much or nothing, and at once when poll says so */

struct stream {
	struct irq_source source;
	struct waitq waitq;
	struct mutex write_lock;  /* keeps a write of up to PIECE_BYTES in one piece */
	struct host_stream host;
};

static const struct file_ops stream_ops, stream_file_ops;
static const struct inode_ops stream_inode_ops;

static void stream_event(struct irq_source *source, short events)
{
	(void)events;
	waitq_wake_all(&CONTAINER_OF(source, struct stream, source)->waitq);
}

static unsigned events_now(const struct stream *s, unsigned wanted)
{
	struct host_poll p = {.fd = s->source.fd, .events = (short)wanted};

	host_poll_now(&p, 1);
	return (unsigned)(unsigned short)p.revents;
}

/* Is one of the events there? If not, its coming will wake the queue. */
static bool is_ready(struct stream *s, unsigned wanted)
{
	if (events_now(s, wanted) != 0)
		return true;
	irq_source_wait(&s->source, (short)wanted);
	return false;
}

static int wait_ready(struct file *file, unsigned wanted)
{
	struct stream *s = file->private;
	int r;

	if ((file->flags & O_NONBLOCK) != 0)
		return -EAGAIN;
	WAIT_EVENT(r, &s->waitq, is_ready(s, wanted), true, WAIT_FOREVER);
	return r == -EINTR ? -ERESTARTSYS : r;
}

/* One transfer of at most a page into the reader's memory. */
static int64_t read_piece(struct stream *s, struct uio *uio)
{
	size_t avail;
	pfn_t pin;
	void *window = uio_window(uio, true, &avail, &pin);
	int64_t n;

	if (window == NULL)
		return -EFAULT;
	n = host_stream_read(s->source.fd, window, avail);
	uio_advance(uio, n > 0 ? (size_t)n : 0, pin);
	return n;
}

static int64_t stream_read(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct stream *s = file->private;
	int64_t done = 0, n = 0;

	(void)pos;
	while (uio->resid_bytes > 0) {
		const uint64_t before = uio->resid_bytes;

		n = read_piece(s, uio);
		if (n > 0) {
			done += n;
			if (!s->host.is_seekable && before > uio->resid_bytes && events_now(s, POLLIN) == 0)
				break;
			continue;
		}
		if (n != -EAGAIN || done > 0)
			break;
		n = wait_ready(file, POLLIN);
		if (n != 0)
			break;
	}
	return done > 0 ? done : n;
}

/* Writes all of a piece that is in kernel memory. */
static int write_piece(struct file *file, const char *buf, size_t size_bytes)
{
	struct stream *s = file->private;

	while (size_bytes > 0) {
		int64_t n = host_stream_write(s->source.fd, buf, size_bytes);

		if (n == -EAGAIN) {
			n = wait_ready(file, POLLOUT);
			if (n != 0)
				return (int)n;
			continue;
		}
		if (n < 0)
			return (int)n;
		buf += n;
		size_bytes -= (size_t)n;
	}
	return 0;
}

static int64_t stream_write(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct stream *s = file->private;
	char *buf = kmalloc(PIECE_BYTES);
	int64_t done = 0;
	int r = 0;

	(void)pos;
	if (buf == NULL)
		return -ENOMEM;
	mutex_lock(&s->write_lock);
	while (uio->resid_bytes > 0 && r == 0) {
		size_t n = MIN(uio->resid_bytes, PIECE_BYTES);

		if (!s->host.is_seekable && !is_ready(s, POLLOUT)) {
			/* Others may write while this one waits. */
			mutex_unlock(&s->write_lock);
			r = wait_ready(file, POLLOUT);
			mutex_lock(&s->write_lock);
			if (r != 0)
				break;
		}
		r = uio_get(uio, buf, n);
		if (r == 0)
			r = write_piece(file, buf, n);
		if (r == 0)
			done += (int64_t)n;
	}
	mutex_unlock(&s->write_lock);
	kfree(buf);
	if (r == -EPIPE && done == 0)
		signal_send_task(current_task(), SIGPIPE, NULL);
	return done > 0 ? done : r;
}

static unsigned stream_poll(struct file *file, struct poll_table *table)
{
	struct stream *s = file->private;
	unsigned can = (file_can_read(file) ? POLLIN : 0) | (file_can_write(file) ? POLLOUT : 0);
	unsigned now = events_now(s, can);

	poll_wait(table, &s->waitq);
	if (table != NULL && (can & ~now) != 0)
		irq_source_wait(&s->source, (short)(can & ~now));
	return now | ((now & POLLIN) != 0 ? POLLRDNORM : 0) | ((now & POLLOUT) != 0 ? POLLWRNORM : 0);
}

static int64_t stream_lseek(struct file *file, int64_t offset, int whence)
{
	struct stream *s = file->private;
	int64_t at = host_stream_seek(s->source.fd, offset, whence);

	if (at >= 0)
		file->pos = (uint64_t)at;
	return at;
}

/* Files: reading and writing at the caller's offset when it is not the file's own (pread, pwrite). */
static int64_t file_transfer(struct file *file, struct uio *uio, uint64_t *pos, bool is_write)
{
	struct stream *s = file->private;
	const uint64_t at = pos == &file->pos ? UINT64_MAX : *pos;
	int64_t done = 0, n = 0;

	while (uio->resid_bytes > 0) {
		size_t avail;
		pfn_t pin;
		void *window = uio_window(uio, !is_write, &avail, &pin);
		uint64_t offset = at == UINT64_MAX ? at : at + (uint64_t)done;

		if (window == NULL) {
			n = -EFAULT;
			break;
		}
		n = is_write ? host_stream_pwrite(s->source.fd, window, avail, offset)
			     : host_stream_pread(s->source.fd, window, avail, offset);
		uio_advance(uio, n > 0 ? (size_t)n : 0, pin);
		if (n <= 0)
			break;
		done += n;
		if ((size_t)n < avail)
			break;
	}
	*pos += (uint64_t)done;
	return done > 0 ? done : n;
}

static int64_t file_read(struct file *file, struct uio *uio, uint64_t *pos)
{
	return file_transfer(file, uio, pos, false);
}

static int64_t file_write(struct file *file, struct uio *uio, uint64_t *pos)
{
	return file_transfer(file, uio, pos, true);
}

static bool stream_allows(const struct stream *s, const struct file *file)
{
	return (!file_can_read(file) || s->host.is_readable) &&
	       (!file_can_write(file) || s->host.is_writable);
}

/* By name, through /proc/PID/fd: another description for the guest, the same one on the host. */
static int stream_open(struct file *file)
{
	struct stream *s = file->inode->private;

	file->private = s;
	return stream_allows(s, file) ? 0 : -EACCES;
}

/* A file opened by name has an offset of its own on the host, too. */
static int file_open(struct file *file)
{
	const struct stream *original = file->inode->private;
	struct stream *s;
	int fd;

	if (!stream_allows(original, file))
		return -EACCES;
	s = kzalloc(sizeof(*s));
	if (s == NULL)
		return -ENOMEM;
	fd = host_stream_reopen(original->source.fd, file_can_read(file), file_can_write(file),
				(file->flags & O_APPEND) != 0);
	if (fd < 0) {
		kfree(s);
		return fd;
	}
	s->source.fd = fd;
	s->host = original->host;
	file->private = s;
	return 0;
}

static void file_release(struct file *file)
{
	struct stream *s = file->private;

	if (s != file->inode->private) {
		host_stream_close(s->source.fd);
		kfree(s);
	}
}

static int stream_getattr(struct inode *inode, struct kstat *out)
{
	const struct stream *s = inode->private;
	struct host_stream now;

	if (host_stream_info(s->source.fd, &now) != 0)
		return 0;
	out->dev = now.dev;
	out->ino = now.ino;
	out->rdev = now.rdev;
	out->size_bytes = now.size_bytes;
	out->blocks512 = now.blocks512;
	return 0;
}

static int stream_setattr(struct inode *inode, const struct attr_change *change)
{
	const struct stream *s = inode->private;

	if ((change->valid & ATTR_SIZE) == 0)
		return -EPERM;
	return host_stream_truncate(s->source.fd, change->size_bytes);
}

static void stream_destroy(struct inode *inode) { (void)inode; } /* streams are three, and static */

static const struct inode_ops stream_inode_ops = {
	.getattr = stream_getattr,
	.setattr = stream_setattr,
	.destroy = stream_destroy,
};
static const struct file_ops stream_ops = {
	.open = stream_open,
	.read = stream_read,
	.write = stream_write,
	.poll = stream_poll,
};
static const struct file_ops stream_file_ops = {
	.open = file_open,
	.release = file_release,
	.read = file_read,
	.write = file_write,
	.lseek = stream_lseek,
};

static int open_stream(int fd, struct superblock *sb, struct file **out)
{
	static struct stream streams[3];
	struct stream *s = &streams[fd];
	struct inode *inode;
	unsigned flags;
	int r;

	r = host_stream_info(fd, &s->host);
	if (r != 0)
		return r;
	s->source = (struct irq_source){.fd = fd, .ready = stream_event};
	waitq_init(&s->waitq);
	mutex_init(&s->write_lock);
	r = inode_create(sb, s->host.mode, &inode);
	if (r != 0)
		return r;
	inode->ops = &stream_inode_ops;
	inode->fops = s->host.is_seekable ? &stream_file_ops : &stream_ops;
	inode->private = s;
	inode->uid = s->host.uid;
	inode->gid = s->host.gid;
	inode->rdev = s->host.rdev;
	flags = !s->host.is_writable ? O_RDONLY : !s->host.is_readable ? O_WRONLY : O_RDWR;
	r = file_create(inode->fops, inode, flags | (s->host.is_append ? O_APPEND : 0), s, out);
	inode_put(inode);
	if (r == 0 && s->host.is_seekable)
		(*out)->pos = (uint64_t)MAX(host_stream_seek(fd, 0, 1), 0);
	return r;
}

int arch_open_stdio(struct file *out[3])
{
	struct superblock *sb = NULL;
	int r = superblock_create("pipefs", PIPEFS_MAGIC, &sb);

	for (int fd = 0; r == 0 && fd < 3; fd++) {
		struct host_stream info;

		if (host_is_tty(fd))
			r = vfs_openat(AT_FDCWD, "/dev/console", O_RDWR, 0, &out[fd]);
		else if (host_stream_info(fd, &info) != 0 || info.is_null)
			r = vfs_openat(AT_FDCWD, "/dev/null", O_RDWR, 0, &out[fd]);
		else
			r = open_stream(fd, sb, &out[fd]);
	}
	if (sb != NULL)
		superblock_put(sb);
	return r;
}
