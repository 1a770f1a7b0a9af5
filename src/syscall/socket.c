/*
 * socket(2) and the calls that make connections; AF_UNIX is the only family. Arguments
 * are copied and checked here, the rest is src/fs/unix_socket.c.
 */
#include "syscall/socket.h"

#include "abi/errno.h"
#include "abi/time.h"
#include "fs/fdtable.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "syscall/syscall.h"

SYSCALL_DECLARE(socket);
SYSCALL_DECLARE(socketpair);
SYSCALL_DECLARE(bind);
SYSCALL_DECLARE(listen);
SYSCALL_DECLARE(accept);
SYSCALL_DECLARE(accept4);
SYSCALL_DECLARE(connect);
SYSCALL_DECLARE(getsockname);
SYSCALL_DECLARE(getpeername);
SYSCALL_DECLARE(shutdown);
SYSCALL_DECLARE(setsockopt);
SYSCALL_DECLARE(getsockopt);

#define FD_FLAGS ((unsigned)(SOCK_NONBLOCK | SOCK_CLOEXEC))
#define BUFFER_MIN 4608u
#define BUFFER_MAX 425984u
#define NSEC_MAX (UINT64_C(1) << 62)

/* ---- arguments ------------------------------------------------------------- */

int socket_get(int fd, struct file **out)
{
	*out = fd_get_io(fd);
	if (*out == NULL)
		return -EBADF;
	if (unix_socket_of(*out) == NULL) {
		file_put(*out);
		return -ENOTSOCK;
	}
	return 0;
}

int socket_address_get(uint64_t user, uint64_t len, struct unix_address *out)
{
	memset(out, 0, sizeof(*out));
	if (len < sizeof(out->un.sun_family) || len > sizeof(out->un))
		return -EINVAL;
	if (copy_from_user(&out->un, uaddr(user), len) != 0)
		return -EFAULT;
	out->len = (uint32_t)len;
	return 0;
}

int socket_address_put(const struct unix_address *a, uint64_t user, uint64_t user_len)
{
	uint32_t room;

	if (user == 0 || user_len == 0)
		return 0;
	if (copy_from_user(&room, uaddr(user_len), sizeof(room)) != 0)
		return -EFAULT;
	if ((int32_t)room < 0)
		return -EINVAL;
	if (copy_to_user(uaddr(user), &a->un, MIN(room, a->len)) != 0)
		return -EFAULT;
	return copy_to_user(uaddr(user_len), &a->len, sizeof(a->len));
}

/* The type of a new socket, or a negative errno. */
static int check_family(uint64_t family, uint64_t type_and_flags, uint64_t protocol)
{
	int type = (int)(type_and_flags & SOCK_TYPE_MASK);

	if ((type_and_flags & ~(uint64_t)(SOCK_TYPE_MASK | FD_FLAGS)) != 0)
		return -EINVAL;
	if (type >= SOCK_MAX)
		return -EINVAL;
	if ((int)family != AF_UNIX)
		return -EAFNOSUPPORT;
	if ((int)protocol != 0 && (int)protocol != AF_UNIX)
		return -EPROTONOSUPPORT;
	switch (type) {
	case SOCK_RAW: /* as Linux: believed to be a datagram socket */
		return SOCK_DGRAM;
	case SOCK_STREAM:
	case SOCK_DGRAM:
	case SOCK_SEQPACKET:
		return type;
	default:
		return -ESOCKTNOSUPPORT;
	}
}

/* A descriptor for a file whose reference it takes over. */
static int install(struct file *file, unsigned flags)
{
	int fd = fd_install(file, 0, (flags & SOCK_CLOEXEC) != 0);

	if (fd < 0)
		file_put(file);
	return fd;
}

/* ---- creation -------------------------------------------------------------- */

int64_t sys_socket(const uint64_t args[6])
{
	int type = check_family(args[0], (uint32_t)args[1], args[2]);
	struct file *file;
	int err;

	if (type < 0)
		return type;
	err = unix_socket_create(type, (unsigned)args[1], &file);
	return err != 0 ? err : install(file, (unsigned)args[1]);
}

int64_t sys_socketpair(const uint64_t args[6])
{
	int type = check_family(args[0], (uint32_t)args[1], args[2]);
	unsigned flags = (unsigned)args[1];
	struct file *files[2];
	int fds[2];
	int err;

	if (type < 0)
		return type;
	err = unix_socket_pair(type, flags, files);
	if (err != 0)
		return err;
	fds[0] = install(files[0], flags);
	if (fds[0] < 0) {
		file_put(files[1]);
		return fds[0];
	}
	fds[1] = install(files[1], flags);
	err = fds[1] < 0 ? fds[1] : copy_to_user(uaddr(args[3]), fds, sizeof(fds));
	if (err != 0) {
		fd_close(fds[0]);
		if (fds[1] >= 0)
			fd_close(fds[1]);
	}
	return err;
}

/* ---- names and connections ------------------------------------------------- */

static int64_t with_address(const uint64_t args[6], bool is_bind)
{
	struct unix_address address;
	struct file *file;
	int err = socket_get((int)args[0], &file);

	if (err != 0)
		return err;
	err = socket_address_get(args[1], (uint32_t)args[2], &address);
	if (err == 0)
		err = is_bind ? unix_bind(unix_socket_of(file), &address) : unix_connect(file, &address);
	file_put(file);
	return err;
}

int64_t sys_bind(const uint64_t args[6]) { return with_address(args, true); }

int64_t sys_connect(const uint64_t args[6]) { return with_address(args, false); }

int64_t sys_listen(const uint64_t args[6])
{
	struct file *file;
	int err = socket_get((int)args[0], &file);

	if (err != 0)
		return err;
	err = unix_listen(unix_socket_of(file), (int)args[1]);
	file_put(file);
	return err;
}

static int64_t do_accept(int fd, uint64_t user_address, uint64_t user_len, unsigned flags)
{
	struct unix_address address;
	struct file *file, *accepted = NULL;
	int64_t result;

	if ((flags & ~FD_FLAGS) != 0)
		return -EINVAL;
	result = socket_get(fd, &file);
	if (result != 0)
		return result;
	result = unix_accept(file, flags, &accepted);
	file_put(file);
	if (result != 0)
		return result;
	/* A client that has gone again has no name any more. */
	if (unix_peer_address(unix_socket_of(accepted), &address) != 0)
		address = (struct unix_address){.len = sizeof(uint16_t), .un.sun_family = AF_UNIX};
	result = socket_address_put(&address, user_address, user_len);
	if (result != 0) {
		file_put(accepted);
		return result;
	}
	return install(accepted, flags);
}

int64_t sys_accept(const uint64_t args[6]) { return do_accept((int)args[0], args[1], args[2], 0); }
int64_t sys_accept4(const uint64_t args[6])
{
	return do_accept((int)args[0], args[1], args[2], (unsigned)args[3]);
}

static int64_t get_name(const uint64_t args[6], bool of_peer)
{
	struct unix_address address;
	struct file *file;
	int err = socket_get((int)args[0], &file);

	if (err != 0)
		return err;
	if (of_peer)
		err = unix_peer_address(unix_socket_of(file), &address);
	else
		address = unix_socket_of(file)->address;
	if (err == 0)
		err = args[1] == 0 || args[2] == 0 ? -EFAULT : socket_address_put(&address, args[1], args[2]);
	file_put(file);
	return err;
}

int64_t sys_getsockname(const uint64_t args[6]) { return get_name(args, false); }
int64_t sys_getpeername(const uint64_t args[6]) { return get_name(args, true); }

int64_t sys_shutdown(const uint64_t args[6])
{
	struct file *file;
	int err = socket_get((int)args[0], &file);

	if (err != 0)
		return err;
	err = unix_shutdown(unix_socket_of(file), (int)args[1]);
	file_put(file);
	return err;
}

/* ---- options --------------------------------------------------------------- */

static int set_timeout(uint64_t user, uint64_t len, uint64_t *timeout_ns)
{
	struct linux_timeval t;

	if (len < sizeof(t))
		return -EINVAL;
	if (copy_from_user(&t, uaddr(user), sizeof(t)) != 0)
		return -EFAULT;
	if (t.usec < 0 || t.usec >= 1000000)
		return -EDOM;
	if (t.sec < 0 || (uint64_t)t.sec >= NSEC_MAX / NSEC_PER_SEC)
		*timeout_ns = 0;
	else
		*timeout_ns = (uint64_t)t.sec * NSEC_PER_SEC + (uint64_t)t.usec * NSEC_PER_USEC;
	return 0;
}

/* As Linux: twice what was asked for, within limits. */
static uint32_t buffer_size(int value)
{
	return MIN(MAX(2 * (uint64_t)MAX(value, 0), BUFFER_MIN), BUFFER_MAX);
}

static int set_option(struct unix_socket *s, int name, uint64_t user, uint64_t len)
{
	int value;

	if (name == SO_RCVTIMEO)
		return set_timeout(user, len, &s->receive_timeout_ns);
	if (name == SO_SNDTIMEO)
		return set_timeout(user, len, &s->send_timeout_ns);
	if (len < sizeof(value))
		return -EINVAL;
	if (copy_from_user(&value, uaddr(user), sizeof(value)) != 0)
		return -EFAULT;
	switch (name) {
	case SO_PASSCRED:
		s->passes_cred = value != 0;
		return 0;
	case SO_SNDBUF:
	case SO_SNDBUFFORCE:
		s->send_limit = buffer_size(value);
		waitq_wake_all(&s->waitq);
		return 0;
	case SO_RCVBUF:
	case SO_RCVBUFFORCE:
		s->receive_limit = buffer_size(value);
		return 0;
	case SO_REUSEADDR:
	case SO_KEEPALIVE:
	case SO_BROADCAST:
	case SO_DONTROUTE:
	case SO_LINGER:
	case SO_OOBINLINE:
		return 0; /* they change nothing for local sockets, on Linux neither */
	default:
		return -ENOPROTOOPT;
	}
}

int64_t sys_setsockopt(const uint64_t args[6])
{
	struct file *file;
	int err = socket_get((int)args[0], &file);

	if (err != 0)
		return err;
	if ((int)args[4] < 0)
		err = -EINVAL;
	else if ((int)args[1] != SOL_SOCKET)
		err = -EOPNOTSUPP;
	else
		err = set_option(unix_socket_of(file), (int)args[2], args[3], (uint32_t)args[4]);
	file_put(file);
	return err;
}

/* The value of an int option, or -ENOPROTOOPT. */
static int get_int_option(struct unix_socket *s, int name, int *value)
{
	*value = 0;
	switch (name) {
	case SO_TYPE:
		*value = s->type;
		return 0;
	case SO_DOMAIN:
		*value = AF_UNIX;
		return 0;
	case SO_ERROR:
		*value = s->error;
		s->error = 0;
		return 0;
	case SO_SNDBUF:
		*value = (int)s->send_limit;
		return 0;
	case SO_RCVBUF:
		*value = (int)s->receive_limit;
		return 0;
	case SO_PASSCRED:
		*value = s->passes_cred;
		return 0;
	case SO_ACCEPTCONN:
		*value = s->state == UNIX_LISTENING;
		return 0;
	case SO_RCVLOWAT:
		*value = 1;
		return 0;
	case SO_PROTOCOL:
	case SO_REUSEADDR:
	case SO_KEEPALIVE:
	case SO_BROADCAST:
	case SO_DONTROUTE:
	case SO_OOBINLINE:
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int get_option(struct unix_socket *s, int name, uint64_t user, uint64_t user_len)
{
	union {
		int value;
		struct linux_ucred cred;
		struct linux_timeval time;
		int linger[2];
	} v = {.time = {0, 0}};
	size_t size = sizeof(v.value);
	uint64_t timeout_ns = name == SO_RCVTIMEO ? s->receive_timeout_ns : s->send_timeout_ns;
	uint32_t room;
	int err = 0;

	if (copy_from_user(&room, uaddr(user_len), sizeof(room)) != 0)
		return -EFAULT;
	if ((int32_t)room < 0)
		return -EINVAL;
	if (name == SO_PEERCRED) {
		v.cred = s->peer_cred;
		size = sizeof(v.cred);
	} else if (name == SO_RCVTIMEO || name == SO_SNDTIMEO) {
		v.time = (struct linux_timeval){(int64_t)(timeout_ns / NSEC_PER_SEC),
						(int64_t)(timeout_ns % NSEC_PER_SEC / NSEC_PER_USEC)};
		size = sizeof(v.time);
	} else if (name == SO_LINGER) {
		size = sizeof(v.linger);
	} else {
		err = get_int_option(s, name, &v.value);
	}
	if (err != 0)
		return err;
	room = (uint32_t)MIN(room, size);
	if (copy_to_user(uaddr(user), &v, room) != 0)
		return -EFAULT;
	return copy_to_user(uaddr(user_len), &room, sizeof(room));
}

int64_t sys_getsockopt(const uint64_t args[6])
{
	struct file *file;
	int err = socket_get((int)args[0], &file);

	if (err != 0)
		return err;
	if ((int)args[1] != SOL_SOCKET)
		err = -EOPNOTSUPP;
	else
		err = get_option(unix_socket_of(file), (int)args[2], args[3], args[4]);
	file_put(file);
	return err;
}
