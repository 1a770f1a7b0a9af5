/*
 * Iterators over user or kernel buffers, and the byte access to filemaps made of
 * them. User bytes are copied once: straight between the caller's page and
 * the file's. An uio belongs to one task; nothing here takes a lock, but the
 * caller of filemap_write_uio holds the inode's.
 */
#include "internal.h"
#include "mm/frame.h"
#include "mm/memtools.h"
#include "mm/usercopy.h"

/* Bytes left in the first non-empty buffer, skipping empty ones. */
static uint64_t uio_chunk(struct uio *uio)
{
	while (uio->nr_iov > 0 && uio->iov_offset == uio->iov->len) {
		uio->iov++;
		uio->nr_iov--;
		uio->iov_offset = 0;
	}
	ASSERT(uio->nr_iov > 0);
	return uio->iov->len - uio->iov_offset;
}

static void uio_consume(struct uio *uio, uint64_t n)
{
	uio->iov_offset += n;
	uio->resid_bytes -= n;
}

enum direction { DIR_PUT, DIR_GET, DIR_ZERO };

static int move_user(uint64_t addr, char *buf, size_t n, enum direction dir)
{
	switch (dir) {
	case DIR_PUT: return copy_to_user(uaddr(addr), buf, n);
	case DIR_GET: return copy_from_user(buf, uaddr(addr), n);
	default: return clear_user(uaddr(addr), n);
	}
}

static void move_kernel(uint64_t addr, char *buf, size_t n, enum direction dir)
{
	void *mem = (void *)(uintptr_t)addr;

	if (dir == DIR_PUT)
		memcpy(mem, buf, n);
	else if (dir == DIR_GET)
		memcpy(buf, mem, n);
	else
		memset(mem, 0, n);
}

/* After a failed copy: page by page, so that what could be moved is accounted. */
static int move_user_slowly(struct uio *uio, char *buf, size_t n, enum direction dir)
{
	while (n > 0) {
		uint64_t addr = uio->iov->base + uio->iov_offset;
		size_t step = MIN(n, PAGE_SIZE - page_offset(addr));

		if (move_user(addr, buf, step, dir) != 0)
			return -EFAULT;
		uio_consume(uio, step);
		if (buf != NULL)
			buf += step;
		n -= step;
	}
	return 0;
}

static int uio_move(struct uio *uio, char *buf, size_t n, enum direction dir)
{
	ASSERT(n <= uio->resid_bytes);
	while (n > 0) {
		size_t step = MIN(n, uio_chunk(uio));
		uint64_t addr = uio->iov->base + uio->iov_offset;

		if (uio->is_kernel) {
			move_kernel(addr, buf, step, dir);
		} else if (move_user(addr, buf, step, dir) != 0) {
			int error = move_user_slowly(uio, buf, step, dir);

			return error != 0 ? error : -EFAULT;
		}
		uio_consume(uio, step);
		if (buf != NULL)
			buf += step;
		n -= step;
	}
	return 0;
}

int uio_put(struct uio *uio, const void *buf, size_t n)
{
	return uio_move(uio, (char *)(uintptr_t)buf, n, DIR_PUT);
}
int uio_get(struct uio *uio, void *buf, size_t n) { return uio_move(uio, buf, n, DIR_GET); }
int uio_zero(struct uio *uio, size_t n) { return uio_move(uio, NULL, n, DIR_ZERO); }

void *uio_window(struct uio *uio, bool for_put, size_t *avail, pfn_t *pin)
{
	uint64_t chunk, addr;
	void *ptr;

	*pin = PFN_NONE;
	*avail = 0;
	if (uio->resid_bytes == 0)
		return NULL;
	chunk = MIN(uio_chunk(uio), uio->resid_bytes);
	addr = uio->iov->base + uio->iov_offset;
	if (uio->is_kernel) {
		*avail = chunk;
		return (void *)(uintptr_t)addr;
	}
	ptr = user_page_pin(current_aspace(), uaddr(addr), for_put, avail, pin);
	if (ptr == NULL)
		return NULL;
	*avail = MIN(*avail, chunk);
	return ptr;
}

void uio_advance(struct uio *uio, size_t n, pfn_t pin)
{
	if (!pfn_is_none(pin))
		user_page_unpin(pin);
	uio_consume(uio, n);
}

void uio_kernel(struct uio *uio, struct linux_iovec *iov, void *buf, size_t n)
{
	*iov = (struct linux_iovec){(uint64_t)(uintptr_t)buf, n};
	*uio = (struct uio){.iov = iov, .nr_iov = 1, .resid_bytes = n, .is_kernel = true};
}

void uio_user(struct uio *uio, struct linux_iovec *iov, uint64_t addr, size_t n)
{
	*iov = (struct linux_iovec){addr, n};
	*uio = (struct uio){.iov = iov, .nr_iov = 1, .resid_bytes = n};
}

/*
 * The page of a file that holds pos, or NULL for a hole of a file that is only memory, which a read does not
 * fill. *pfn: the reference to put. Error: a negative errno.
 */
static int page_for_read(struct filemap *map, uint64_t pos, pfn_t *pfn)
{
	bool has_store = map->ops != NULL && map->ops->read_pages != NULL;

	*pfn = PFN_NONE;
	if (has_store)
		return filemap_get_page(map, pos >> PAGE_SHIFT, false, pfn);
	*pfn = filemap_peek(map, pos >> PAGE_SHIFT);
	return 0;
}

static void read_to_window(void *window, const void *page, size_t n, bool is_kernel)
{
	if (!is_kernel)
		memtools_check_defined(page, n);
	memcpy(window, page, n);
}

/*
 * Reads and writes pin the user's page first and look the file's up then: nothing faults while a
 * page of the cache is held.
 */
static int read_step(struct filemap *map, struct uio *uio, uint64_t *pos)
{
	uint64_t n = MIN(PAGE_SIZE - page_offset(*pos), map->size_bytes - *pos);
	pfn_t pin, pfn;
	size_t avail;
	char *window = uio_window(uio, true, &avail, &pin);
	int error;

	if (window == NULL)
		return -EFAULT;
	n = MIN(n, avail);
	error = page_for_read(map, *pos, &pfn);
	if (error != 0)
		n = 0;
	else if (pfn_is_none(pfn))
		memset(window, 0, n);
	else
		read_to_window(window, (char *)pfn_to_ptr(pfn) + page_offset(*pos), n, uio->is_kernel);
	if (!pfn_is_none(pfn))
		frame_put(pfn);
	uio_advance(uio, n, pin);
	*pos += n;
	return error;
}

int64_t filemap_read_uio(struct filemap *map, struct uio *uio, uint64_t *pos)
{
	uint64_t start = *pos;
	int error = 0;

	while (error == 0 && uio->resid_bytes > 0 && *pos < map->size_bytes)
		error = read_step(map, uio, pos);
	return *pos > start ? (int64_t)(*pos - start) : error;
}

static int write_step(struct filemap *map, struct uio *uio, uint64_t *pos)
{
	pfn_t pin, pfn;
	size_t avail;
	char *window = uio_window(uio, false, &avail, &pin);
	uint64_t n = MIN(PAGE_SIZE - page_offset(*pos), avail);
	int error;

	if (window == NULL)
		return -EFAULT;
	error = filemap_get_page(map, *pos >> PAGE_SHIFT, true, &pfn);
	if (error != 0) {
		uio_advance(uio, 0, pin);
		return error;
	}
	memcpy((char *)pfn_to_ptr(pfn) + page_offset(*pos), window, n);
	frame_put(pfn);
	uio_advance(uio, n, pin);
	*pos += n;
	map->size_bytes = MAX(map->size_bytes, *pos);
	return 0;
}

int64_t filemap_write_uio(struct filemap *map, struct uio *uio, uint64_t *pos)
{
	uint64_t start = *pos;
	int error = 0;

	while (error == 0 && uio->resid_bytes > 0)
		error = write_step(map, uio, pos);
	return *pos > start ? (int64_t)(*pos - start) : error;
}
