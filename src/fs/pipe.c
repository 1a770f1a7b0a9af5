/*
 * Pipes and FIFOs (pipe(7), fifo(7)). A pipe is a ring of page buffers; data is
 * copied once in and once out, straight between the user's pages and the ring's.
 *
 * pipe->lock (sleeping) guards everything but the counts of open ends, which change without
 * sleeping. A wake-up is sent only when somebody sleeps. The pipe belongs to its inode
 * and lives while an end is open (inode->pipe).
 */
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "abi/statfs.h"
#include "fs/poll.h"
#include "internal.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "syscall/syscall.h"

#define SLOTS_DEFAULT 16u
#define SLOTS_MAX 256u /* without privilege: 1 MiB */
#define PIPE_BUF PAGE_SIZE
#define NR_SPARE 2u

struct pipe_slot {
	char *page;
	uint16_t offset, len;
	bool is_packet; /* O_DIRECT: a read takes it whole */
};

struct pipe {
	struct mutex lock;
	/* lock guards these: */
	struct pipe_slot *slots;
	unsigned nr_slots, head, nr_used;
	char *spare[NR_SPARE];
	/* changed without sleeping: */
	unsigned nr_readers, nr_writers; /* open ends */
	uint64_t nr_reader_opens, nr_writer_opens;
	struct waitq read_wait, write_wait, open_wait;
};

static const struct file_ops pipe_ops;

bool file_is_pipe(const struct file *file) { return file->ops == &pipe_ops; }

static struct pipe *pipe_alloc(void)
{
	struct pipe *p = kzalloc(sizeof(*p));

	if (p == NULL)
		return NULL;
	p->slots = kzalloc(SLOTS_DEFAULT * sizeof(p->slots[0]));
	if (p->slots == NULL) {
		kfree(p);
		return NULL;
	}
	p->nr_slots = SLOTS_DEFAULT;
	mutex_init(&p->lock);
	waitq_init(&p->read_wait);
	waitq_init(&p->write_wait);
	waitq_init(&p->open_wait);
	return p;
}

static struct pipe_slot *slot_at(struct pipe *p, unsigned i)
{
	return &p->slots[(p->head + i) % p->nr_slots];
}

static void page_free(char *page) { frame_put(ptr_to_pfn(page)); }

static void pipe_free(struct pipe *p)
{
	for (unsigned i = 0; i < p->nr_used; i++)
		page_free(slot_at(p, i)->page);
	for (unsigned i = 0; i < NR_SPARE; i++)
		if (p->spare[i] != NULL)
			page_free(p->spare[i]);
	kfree(p->slots);
	kfree(p);
}

static char *page_get(struct pipe *p)
{
	pfn_t pfn;

	for (unsigned i = 0; i < NR_SPARE; i++) {
		char *page = p->spare[i];

		if (page != NULL) {
			p->spare[i] = NULL;
			return page;
		}
	}
	pfn = frame_alloc(FRAME_KERNEL);
	return pfn_is_none(pfn) ? NULL : pfn_to_ptr(pfn);
}

static void page_release(struct pipe *p, char *page)
{
	for (unsigned i = 0; i < NR_SPARE; i++)
		if (p->spare[i] == NULL) {
			p->spare[i] = page;
			return;
		}
	page_free(page);
}

static void wake(struct waitq *q)
{
	if (!waitq_is_empty(q))
		waitq_wake_all(q);
}

/* ---- reading ---- */

static void pop_slot(struct pipe *p)
{
	page_release(p, slot_at(p, 0)->page);
	p->head = (p->head + 1) % p->nr_slots;
	p->nr_used--;
}

/* Takes what is there, up to the uio's size (a packet: one). Error only when nothing was taken. */
static int64_t take(struct pipe *p, struct uio *uio)
{
	uint64_t wanted = uio->resid_bytes;
	int error = 0;

	while (error == 0 && p->nr_used > 0 && uio->resid_bytes > 0) {
		struct pipe_slot *slot = slot_at(p, 0);
		uint64_t before = uio->resid_bytes;
		bool is_packet = slot->is_packet;

		error = uio_put(uio, slot->page + slot->offset, MIN(slot->len, before));
		slot->offset = (uint16_t)(slot->offset + (before - uio->resid_bytes));
		slot->len = (uint16_t)(slot->len - (before - uio->resid_bytes));
		if (slot->len == 0 || (is_packet && error == 0))
			pop_slot(p);
		if (is_packet)
			break;
	}
	return wanted > uio->resid_bytes ? (int64_t)(wanted - uio->resid_bytes) : error;
}

static int64_t pipe_read(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct pipe *p = file->private;
	int64_t n = 0;
	int error = 0;

	(void)pos;
	if (uio->resid_bytes == 0)
		return 0;
	for (;;) {
		mutex_lock(&p->lock);
		if (p->nr_used > 0)
			break;
		mutex_unlock(&p->lock);
		if (p->nr_writers == 0)
			return 0;
		if ((file->flags & O_NONBLOCK) != 0)
			return -EAGAIN;
		WAIT_EVENT(error, &p->read_wait, p->nr_used > 0 || p->nr_writers == 0, true, WAIT_FOREVER);
		if (error != 0)
			return -ERESTARTSYS;
	}
	n = take(p, uio);
	mutex_unlock(&p->lock);
	if (p->nr_used < p->nr_slots)
		wake(&p->write_wait);
	return n;
}

/* ---- writing ---- */

/* Bytes that fit behind the last data of the ring. */
static size_t tail_room(struct pipe *p, bool is_packet)
{
	const struct pipe_slot *last;

	if (p->nr_used == 0 || is_packet)
		return 0;
	last = slot_at(p, p->nr_used - 1);
	return last->is_packet ? 0 : PAGE_SIZE - last->offset - last->len;
}

/* Can a write of n bytes make progress, all at once if it must be atomic? */
static bool can_write(struct pipe *p, uint64_t n, bool is_packet)
{
	return p->nr_used < p->nr_slots || tail_room(p, is_packet) >= (n <= PIPE_BUF ? n : 1);
}

static int append_to_tail(struct pipe *p, struct uio *uio)
{
	struct pipe_slot *last = slot_at(p, p->nr_used - 1);
	uint64_t before = uio->resid_bytes;
	int error = uio_get(uio, last->page + last->offset + last->len,
			    MIN(before, tail_room(p, false)));

	last->len = (uint16_t)(last->len + (before - uio->resid_bytes));
	return error;
}

static int append_page(struct pipe *p, struct uio *uio, bool is_packet)
{
	uint64_t before = uio->resid_bytes, moved;
	char *page = page_get(p);
	int error;

	if (page == NULL)
		return -ENOMEM;
	error = uio_get(uio, page, MIN(before, PAGE_SIZE));
	moved = before - uio->resid_bytes;
	if (moved == 0) {
		page_release(p, page);
		return error;
	}
	*slot_at(p, p->nr_used) = (struct pipe_slot){page, 0, (uint16_t)moved, is_packet};
	p->nr_used++;
	return error;
}

/* Puts in what fits now. */
static int fill(struct pipe *p, struct uio *uio, bool is_packet)
{
	int error = 0;

	if (tail_room(p, is_packet) > 0)
		error = append_to_tail(p, uio);
	while (error == 0 && uio->resid_bytes > 0 && p->nr_used < p->nr_slots)
		error = append_page(p, uio, is_packet);
	return error;
}

static int no_reader(void)
{
	signal_send_task(current_task(), SIGPIPE, NULL);
	return -EPIPE;
}

static int64_t pipe_write(struct file *file, struct uio *uio, uint64_t *pos)
{
	struct pipe *p = file->private;
	uint64_t wanted = uio->resid_bytes;
	bool is_packet = (file->flags & O_DIRECT) != 0;
	int error = 0;

	(void)pos;
	if (wanted == 0)
		return 0;
	for (;;) {
		mutex_lock(&p->lock);
		if (p->nr_readers == 0)
			error = no_reader();
		else if (can_write(p, uio->resid_bytes, is_packet))
			error = fill(p, uio, is_packet);
		mutex_unlock(&p->lock);
		if (p->nr_used > 0)
			wake(&p->read_wait);
		if (error != 0 || uio->resid_bytes == 0)
			break;
		if ((file->flags & O_NONBLOCK) != 0) {
			error = -EAGAIN;
			break;
		}
		WAIT_EVENT(error, &p->write_wait,
			   p->nr_readers == 0 || can_write(p, uio->resid_bytes, is_packet), true,
			   WAIT_FOREVER);
		if (error != 0) {
			error = -ERESTARTSYS;
			break;
		}
	}
	return wanted > uio->resid_bytes ? (int64_t)(wanted - uio->resid_bytes) : error;
}

/* ---- other operations ---- */

static unsigned pipe_poll(struct file *file, struct poll_table *table)
{
	struct pipe *p = file->private;
	unsigned events = 0;

	if (file_can_read(file)) {
		poll_wait(table, &p->read_wait);
		if (p->nr_used > 0)
			events |= POLLIN | POLLRDNORM;
		/* A FIFO's reader that no writer has met yet is not hung up. */
		if (p->nr_writers == 0 && file->pos != p->nr_writer_opens)
			events |= POLLHUP;
	}
	if (file_can_write(file)) {
		poll_wait(table, &p->write_wait);
		if (p->nr_used < p->nr_slots)
			events |= POLLOUT | POLLWRNORM;
		if (p->nr_readers == 0)
			events |= POLLERR;
	}
	return events;
}

static int64_t pipe_ioctl(struct file *file, unsigned cmd, uint64_t arg)
{
	struct pipe *p = file->private;
	uint32_t nr_bytes = 0;

	if (cmd != FIONREAD)
		return -ENOTTY;
	mutex_lock(&p->lock);
	for (unsigned i = 0; i < p->nr_used; i++)
		nr_bytes += slot_at(p, i)->len;
	mutex_unlock(&p->lock);
	return copy_to_user(uaddr(arg), &nr_bytes, sizeof(nr_bytes));
}

static void count_end(struct pipe *p, const struct file *file, bool is_open)
{
	unsigned one = is_open ? 1u : -1u;

	if (file_can_read(file)) {
		p->nr_readers += one;
		p->nr_reader_opens += is_open;
	}
	if (file_can_write(file)) {
		p->nr_writers += one;
		p->nr_writer_opens += is_open;
	}
}

static void pipe_release(struct file *file)
{
	struct pipe *p = file->private;

	count_end(p, file, false);
	if (p->nr_readers == 0 && p->nr_writers == 0) {
		file->inode->pipe = NULL;
		pipe_free(p);
		return;
	}
	if (p->nr_writers == 0)
		wake(&p->read_wait);
	if (p->nr_readers == 0)
		wake(&p->write_wait);
}

static const struct file_ops pipe_ops = {
	.read = pipe_read,
	.write = pipe_write,
	.poll = pipe_poll,
	.ioctl = pipe_ioctl,
	.release = pipe_release,
};

/* ---- sizes ---- */

int64_t pipe_get_size(struct file *file)
{
	const struct pipe *p = file->private;

	return file_is_pipe(file) ? (int64_t)(p->nr_slots * PAGE_SIZE) : -EBADF;
}

int64_t pipe_set_size(struct file *file, uint64_t bytes)
{
	struct pipe *p = file->private;
	struct pipe_slot *slots;
	unsigned wanted = 1;

	if (!file_is_pipe(file))
		return -EBADF;
	if (bytes == 0 || bytes > (1u << 31))
		return -EINVAL;
	while (wanted * PAGE_SIZE < bytes)
		wanted *= 2;
	if (wanted > SLOTS_MAX && vfs_cred()->fsuid != 0)
		return -EPERM;
	slots = kzalloc(wanted * sizeof(slots[0]));
	if (slots == NULL)
		return -ENOMEM;
	mutex_lock(&p->lock);
	if (p->nr_used > wanted) {
		mutex_unlock(&p->lock);
		kfree(slots);
		return -EBUSY;
	}
	for (unsigned i = 0; i < p->nr_used; i++)
		slots[i] = *slot_at(p, i);
	kfree(p->slots);
	p->slots = slots;
	p->nr_slots = wanted;
	p->head = 0;
	mutex_unlock(&p->lock);
	wake(&p->write_wait);
	return (int64_t)(wanted * PAGE_SIZE);
}

/* ---- opening ---- */

static int pipefs(struct superblock **out)
{
	static struct superblock *sb;
	int error = 0;

	if (sb == NULL)
		error = superblock_create("pipefs", PIPEFS_MAGIC, &sb);
	*out = sb;
	return error;
}

static int open_end(struct inode *inode, unsigned flags, struct file **out)
{
	int error = file_create(&pipe_ops, inode, flags, inode->pipe, out);

	if (error == 0)
		count_end(inode->pipe, *out, true);
	return error;
}

int pipe_create(unsigned flags, struct file *out[2])
{
	struct superblock *sb;
	struct inode *inode;
	int error = pipefs(&sb);

	if (error == 0)
		error = inode_create(sb, S_IFIFO | 0600, &inode);
	if (error != 0)
		return error;
	inode_init_owner(inode, NULL);
	inode->pipe = pipe_alloc();
	if (inode->pipe == NULL) {
		inode_put(inode);
		return -ENOMEM;
	}
	flags &= O_NONBLOCK | O_DIRECT;
	error = open_end(inode, flags | O_RDONLY, &out[0]);
	if (error != 0) {
		pipe_free(inode->pipe);
		inode->pipe = NULL;
		inode_put(inode);
		return error;
	}
	error = open_end(inode, flags | O_WRONLY, &out[1]);
	if (error != 0)
		file_put(out[0]);
	inode_put(inode); /* the files have theirs */
	return error;
}

/* Sleeps until the other end has been opened once more. */
static int wait_for_partner(struct pipe *p, const uint64_t *nr_opens, const unsigned *nr_open)
{
	uint64_t before = *nr_opens;
	int error;

	WAIT_EVENT(error, &p->open_wait, *nr_opens != before || *nr_open > 0, true, WAIT_FOREVER);
	return error != 0 ? -ERESTARTSYS : 0;
}

static int fifo_open(struct file *file)
{
	struct inode *inode = file->inode;
	bool is_nonblocking = (file->flags & O_NONBLOCK) != 0;
	bool is_anonymous = inode->sb->magic == PIPEFS_MAGIC; /* through /proc/PID/fd: nobody is waited for */
	struct pipe *p;
	int error = 0;

	if (inode->pipe == NULL)
		inode->pipe = pipe_alloc();
	p = inode->pipe;
	if (p == NULL)
		return -ENOMEM;
	file->private = p;
	if ((file->flags & O_ACCMODE) == O_WRONLY && is_nonblocking && p->nr_readers == 0)
		error = -ENXIO;
	count_end(p, file, true);
	if (error == 0)
		wake(&p->open_wait);
	file->pos = UINT64_MAX;
	if (error == 0 && (file->flags & O_ACCMODE) == O_RDONLY && p->nr_writers == 0) {
		file->pos = p->nr_writer_opens;
		if (!is_nonblocking && !is_anonymous)
			error = wait_for_partner(p, &p->nr_writer_opens, &p->nr_writers);
	} else if (error == 0 && !is_anonymous && (file->flags & O_ACCMODE) == O_WRONLY && p->nr_readers == 0) {
		error = wait_for_partner(p, &p->nr_reader_opens, &p->nr_readers);
	}
	if (error != 0)
		pipe_release(file);
	else
		file->ops = &pipe_ops;
	return error;
}

const struct file_ops fifo_file_ops = {.open = fifo_open};
