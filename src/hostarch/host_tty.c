/*
 * The host's terminal, and the descriptors we were started with. Contracts in host.h.
 *
 * Descriptors 0, 1 and 2 are shared with whoever started us: their flags are
 * never changed (no O_NONBLOCK), so a transfer first asks poll.
 */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <termios.h>
#include <unistd.h>

#include "hostarch/host_internal.h"

#define FD_MIN 44

static struct termios original;
static volatile sig_atomic_t is_raw;
static int raw_fd = -1;

bool host_is_tty(int fd) { return isatty(fd) == 1; }

int host_tty_raw(int fd)
{
	struct termios raw;

	if (is_raw)
		return 0;
	if (tcgetattr(fd, &original) != 0)
		return -errno;
	raw = original;
	cfmakeraw(&raw);
	raw_fd = fd;
	is_raw = 1;
	while (tcsetattr(fd, TCSANOW, &raw) != 0) {
		if (errno != EINTR) {
			is_raw = 0;
			return -errno;
		}
	}
	return 0;
}

void host_tty_restore(void)
{
	if (is_raw) {
		/* When we are in the background by now, this must not stop us. */
		void (*old)(int) = signal(SIGTTOU, SIG_IGN);

		tcsetattr(raw_fd, TCSADRAIN, &original);
		signal(SIGTTOU, old);
		is_raw = 0;
	}
}

void host_tty_size(int fd, unsigned *rows, unsigned *columns)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row != 0) {
		*rows = size.ws_row;
		*columns = size.ws_col;
	} else {
		*rows = 24;
		*columns = 80;
	}
}

int host_stream_info(int fd, struct host_stream *out)
{
	struct stat st;
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0 || fstat(fd, &st) != 0)
		return -errno;
	*out = (struct host_stream){
		.dev = st.st_dev, .ino = st.st_ino, .rdev = st.st_rdev, .size_bytes = (uint64_t)st.st_size,
		.blocks512 = (uint64_t)st.st_blocks, .mode = st.st_mode, .uid = st.st_uid, .gid = st.st_gid,
		.is_seekable = S_ISREG(st.st_mode) || S_ISBLK(st.st_mode),
		.is_readable = (flags & O_ACCMODE) != O_WRONLY,
		.is_writable = (flags & O_ACCMODE) != O_RDONLY,
		.is_append = (flags & O_APPEND) != 0,
		.is_null = S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3),
	};
	return 0;
}

static bool is_ready(int fd, short events)
{
	struct pollfd p = {.fd = fd, .events = events};

	return poll(&p, 1, 0) > 0;
}

int64_t host_stream_read(int fd, void *buf, size_t size_bytes)
{
	ssize_t n;

	if (!is_ready(fd, POLLIN))
		return -EAGAIN;
	n = read(fd, buf, size_bytes);
	return n < 0 ? (errno == EINTR ? -EAGAIN : -errno) : n;
}

/*
 * A pipe that poll calls writable takes at least PIPE_BUF bytes without sleeping, a terminal or socket may
 * take less than asked and sleep for the rest: so pipes and sockets get small pieces.
 */
int64_t host_stream_write(int fd, const void *buf, size_t size_bytes)
{
	size_t done = 0;

	while (done < size_bytes) {
		size_t piece = size_bytes - done < 4096 ? size_bytes - done : 4096;
		ssize_t n;

		if (!is_ready(fd, POLLOUT))
			break;
		n = write(fd, (const char *)buf + done, piece);
		if (n < 0) {
			if (done > 0 || errno == EINTR)
				break;
			return -errno;
		}
		done += (size_t)n;
		if ((size_t)n < piece)
			break;
	}
	return done == 0 && size_bytes > 0 ? -EAGAIN : (int64_t)done;
}

int64_t host_stream_pread(int fd, void *buf, size_t size_bytes, uint64_t offset)
{
	ssize_t n = offset == UINT64_MAX ? read(fd, buf, size_bytes)
					 : pread(fd, buf, size_bytes, (off_t)offset);

	return n < 0 ? -errno : n;
}

int64_t host_stream_pwrite(int fd, const void *buf, size_t size_bytes, uint64_t offset)
{
	ssize_t n = offset == UINT64_MAX ? write(fd, buf, size_bytes)
					 : pwrite(fd, buf, size_bytes, (off_t)offset);

	return n < 0 ? -errno : n;
}

int64_t host_stream_seek(int fd, int64_t offset, int whence)
{
	off_t at = lseek(fd, offset, whence);

	return at < 0 ? -errno : at;
}

/* Moves a new descriptor out of the low numbers. */
static int keep_high(int fd)
{
	int high;

	if (fd < 0)
		return -errno;
	high = fcntl(fd, F_DUPFD_CLOEXEC, FD_MIN);
	if (high < 0)
		high = -errno;
	close(fd);
	return high;
}

int host_stream_reopen(int fd, bool reads, bool writes, bool appends)
{
	const int mode = writes ? (reads ? O_RDWR : O_WRONLY) : O_RDONLY;
	char name[32];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	return keep_high(open(name, mode | (appends ? O_APPEND : 0) | O_CLOEXEC | O_NOCTTY));
}

void host_stream_close(int fd) { close(fd); }

int host_stream_truncate(int fd, uint64_t size_bytes)
{
	return ftruncate(fd, (off_t)size_bytes) == 0 ? 0 : -errno;
}

void host_write_all(int fd, const void *buf, size_t size_bytes)
{
	const char *at = buf;

	while (size_bytes > 0) {
		ssize_t n = write(fd, at, size_bytes);

		if (n < 0 && errno == EAGAIN) {
			struct pollfd p = {.fd = fd, .events = POLLOUT};

			poll(&p, 1, -1);
		} else if (n < 0 && errno != EINTR) {
			return; /* nobody reads it any more */
		}
		if (n > 0) {
			at += n;
			size_bytes -= (size_t)n;
		}
	}
}

int host_create_file(const char *path)
{
	return keep_high(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
}

int host_map_file(const char *path, const void **data, size_t *size_bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *map = MAP_FAILED;
	int error = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) != 0)
		error = -errno;
	else if (!S_ISREG(st.st_mode))
		error = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
	else if (st.st_size == 0)
		error = -ENODATA;
	if (error == 0) {
		map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
		if (map == MAP_FAILED)
			error = -errno;
	}
	close(fd);
	if (error == 0) {
		*data = map;
		*size_bytes = (size_t)st.st_size;
	}
	return error;
}
