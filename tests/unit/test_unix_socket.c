/* Local sockets: streams, datagrams, names, connections, ancillary data, cycles. */
#include <stdlib.h>
#include <string.h>

#include "fake_kernel.h"

#include "abi/errno.h"
#include "abi/socket.h"
#include "fs/poll.h"
#include "fs/unix_socket.h"
#include "syscall/syscall.h"

SYSCALL_DECLARE(socket);
SYSCALL_DECLARE(socketpair);
SYSCALL_DECLARE(bind);
SYSCALL_DECLARE(listen);
SYSCALL_DECLARE(accept4);
SYSCALL_DECLARE(connect);
SYSCALL_DECLARE(getsockname);
SYSCALL_DECLARE(getpeername);
SYSCALL_DECLARE(shutdown);
SYSCALL_DECLARE(setsockopt);
SYSCALL_DECLARE(getsockopt);
SYSCALL_DECLARE(sendto);
SYSCALL_DECLARE(recvfrom);
SYSCALL_DECLARE(sendmsg);
SYSCALL_DECLARE(recvmsg);

#define ARGS(...) ((const uint64_t[6]){__VA_ARGS__})
#define U(offset) (FAKE_USER + (offset))
#define FD(fd) ((uint64_t)(int64_t)(fd))

static unsigned count_sockets(void)
{
	struct unix_socket *s;
	unsigned n = 0;

	LIST_FOR_EACH(s, &unix_all, all_link)
		n++;
	return n;
}

/* Every test closes what it opens: no socket is left. */
static int all_gone(void **state)
{
	return count_sockets() == 0 ? 0 : -1;
}

static void pair(int type, int fd[2])
{
	assert_int_equal(sys_socketpair(ARGS(AF_UNIX, (uint64_t)type | SOCK_NONBLOCK, 0, U(0))), 0);
	fake_user_get(0, fd, 8);
}

static int64_t put(int fd, const char *text)
{
	fake_user_put(4096, text, strlen(text));
	return sys_sendto(ARGS(FD(fd), U(4096), strlen(text), MSG_NOSIGNAL));
}

static char got[8192];
static int64_t get(int fd, size_t n, unsigned flags)
{
	int64_t r = sys_recvfrom(ARGS(FD(fd), U(8192), n, flags));

	memset(got, 0, sizeof(got));
	if (r > 0)
		fake_user_get(8192, got, MIN((size_t)r, n));
	return r;
}
#define assert_get(fd, n, text)                                 \
	do {                                                    \
		assert_int_equal(get(fd, n, 0), strlen(text));  \
		assert_string_equal(got, text);                 \
	} while (0)

static unsigned events(int fd)
{
	struct file *f = fd_get(fd);
	unsigned e = vfs_poll(f, NULL);

	file_put(f);
	return e;
}

/* ---- pairs ------------------------------------------------------------------ */

static void test_stream(void **state)
{
	int fd[2];

	pair(SOCK_STREAM, fd);
	assert_int_equal(get(fd[0], 10, 0), -EAGAIN);
	assert_int_equal(put(fd[0], "hello "), 6);
	assert_int_equal(put(fd[0], "world"), 5);
	assert_int_equal(events(fd[1]) & POLLIN, POLLIN);
	assert_int_equal(get(fd[1], 5, MSG_PEEK), 5);
	assert_get(fd[1], 8, "hello wo");
	assert_get(fd[1], 100, "rld");
	assert_int_equal(put(fd[1], "back"), 4);
	assert_get(fd[0], 100, "back");
	fd_close(fd[0]);
	assert_int_equal(get(fd[1], 10, 0), 0);
	assert_int_equal(put(fd[1], "x"), -EPIPE);
	assert_int_equal(events(fd[1]) & (POLLIN | POLLHUP | POLLRDHUP), POLLIN | POLLHUP | POLLRDHUP);
	fd_close(fd[1]);
}

static void test_stream_sigpipe(void **state)
{
	int fd[2];
	struct linux_siginfo info;

	pair(SOCK_STREAM, fd);
	fd_close(fd[0]);
	assert_int_equal(sys_sendto(ARGS(FD(fd[1]), U(0), 1, 0)), -EPIPE);
	assert_int_equal(signal_dequeue(SIGMASK(SIGPIPE), &info), SIGPIPE);
	assert_int_equal(sys_sendto(ARGS(FD(fd[1]), U(0), 1, MSG_NOSIGNAL)), -EPIPE);
	assert_int_equal(signal_dequeue(SIGMASK(SIGPIPE), &info), 0);
	fd_close(fd[1]);
}

static void test_stream_limit(void **state)
{
	int fd[2];
	int64_t n, sent = 0, seen = 0;

	pair(SOCK_STREAM, fd);
	while ((n = sys_sendto(ARGS(FD(fd[0]), U(0), 60000, 0))) > 0)
		sent += n;
	assert_int_equal(n, -EAGAIN);
	assert_in_range(sent, 150000, 300000);
	assert_int_equal(events(fd[0]) & POLLOUT, 0);
	while ((n = get(fd[1], 8000, 0)) > 0)
		seen += n;
	assert_int_equal(seen, sent);
	assert_int_equal(events(fd[0]) & POLLOUT, POLLOUT);
	fd_close(fd[0]);
	fd_close(fd[1]);
}

static void test_reset(void **state)
{
	int fd[2];

	pair(SOCK_STREAM, fd);
	assert_int_equal(put(fd[0], "unread"), 6);
	assert_int_equal(put(fd[1], "answer"), 6);
	fd_close(fd[1]);
	assert_get(fd[0], 100, "answer");
	assert_int_equal(get(fd[0], 100, 0), -ECONNRESET);
	assert_int_equal(get(fd[0], 100, 0), 0);
	fd_close(fd[0]);
}

static int wake_fd;
static void send_later(void *arg) { put(wake_fd, arg); }

static void test_stream_blocks(void **state)
{
	int fd[2];

	assert_int_equal(sys_socketpair(ARGS(AF_UNIX, SOCK_STREAM, 0, U(0))), 0);
	fake_user_get(0, fd, 8);
	wake_fd = fd[0];
	fake_spawn(send_later, "late");
	assert_get(fd[1], 100, "late");
	assert_true(fake_reap() > 1);
	/* SO_RCVTIMEO */
	struct { int64_t sec, usec; } t = {0, 50000};
	uint64_t before = arch_time_ns();
	fake_user_put(0, &t, sizeof(t));
	assert_int_equal(sys_setsockopt(ARGS(FD(fd[1]), SOL_SOCKET, SO_RCVTIMEO, U(0), sizeof(t))), 0);
	assert_int_equal(get(fd[1], 1, 0), -EAGAIN);
	assert_in_range(arch_time_ns() - before, 50000000, 52000000);
	/* MSG_WAITALL */
	fake_spawn(send_later, "ab");
	fake_spawn(send_later, "cd");
	assert_int_equal(get(fd[1], 4, MSG_WAITALL), 4);
	assert_string_equal(got, "abcd");
	fake_reap();
	fake_reap();
	fd_close(fd[0]);
	fd_close(fd[1]);
}

static void test_shutdown(void **state)
{
	int fd[2];

	pair(SOCK_STREAM, fd);
	assert_int_equal(put(fd[0], "last"), 4);
	assert_int_equal(sys_shutdown(ARGS(FD(fd[0]), SHUT_WR)), 0);
	assert_int_equal(put(fd[0], "x"), -EPIPE);
	assert_get(fd[1], 100, "last");
	assert_int_equal(get(fd[1], 100, 0), 0);
	assert_int_equal(put(fd[1], "still"), 5);
	assert_get(fd[0], 100, "still");
	assert_int_equal(sys_shutdown(ARGS(FD(fd[0]), 3)), -EINVAL);
	fd_close(fd[0]);
	fd_close(fd[1]);
}

static void test_messages(void **state)
{
	const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};

	for (unsigned i = 0; i < 2; i++) {
		int fd[2];

		pair(types[i], fd);
		assert_int_equal(put(fd[0], "first"), 5);
		assert_int_equal(put(fd[0], "second"), 6);
		assert_get(fd[1], 3, "fir"); /* the rest of a message is lost */
		assert_int_equal(get(fd[1], 3, MSG_TRUNC | MSG_PEEK), 6);
		assert_get(fd[1], 100, "second");
		assert_int_equal(put(fd[0], ""), 0);
		assert_int_equal(get(fd[1], 100, 0), 0);
		assert_int_equal(get(fd[1], 100, 0), -EAGAIN);
		assert_int_equal(sys_sendto(ARGS(FD(fd[0]), U(0), 300000, 0)), -EMSGSIZE);
		fd_close(fd[0]);
		if (types[i] == SOCK_SEQPACKET) {
			assert_int_equal(get(fd[1], 100, 0), 0);
			assert_int_equal(put(fd[1], "x"), -EPIPE);
		} else {
			assert_int_equal(get(fd[1], 100, 0), -EAGAIN);
			assert_int_equal(put(fd[1], "x"), -ECONNREFUSED);
		}
		fd_close(fd[1]);
	}
}

/* ---- names and connections --------------------------------------------------- */

static int new_socket(int type)
{
	int fd = (int)sys_socket(ARGS(AF_UNIX, (uint64_t)type | SOCK_NONBLOCK, 0));

	assert_true(fd >= 0);
	return fd;
}

/* name[0] == '@': abstract. */
static uint64_t address(const char *name)
{
	struct linux_sockaddr_un un = {.sun_family = AF_UNIX};

	memcpy(un.sun_path, name, strlen(name));
	if (name[0] == '@')
		un.sun_path[0] = '\0';
	fake_user_put(2048, &un, sizeof(un));
	return 2 + strlen(name) + (name[0] == '@' ? 0 : 1);
}
static int64_t do_bind(int fd, const char *name)
{
	uint64_t len = address(name);

	return sys_bind(ARGS(FD(fd), U(2048), len));
}
static int64_t do_connect(int fd, const char *name)
{
	uint64_t len = address(name);

	return sys_connect(ARGS(FD(fd), U(2048), len));
}

static void connect_through(const char *name)
{
	int listener = new_socket(SOCK_STREAM), client = new_socket(SOCK_STREAM), server;
	struct linux_sockaddr_un un;
	uint32_t len = sizeof(un);

	assert_int_equal(do_connect(client, name), name[0] == '@' ? -ECONNREFUSED : -ENOENT);
	assert_int_equal(do_bind(listener, name), 0);
	assert_int_equal(do_connect(client, name), -ECONNREFUSED); /* not listening yet */
	assert_int_equal(sys_listen(ARGS(FD(listener), 5)), 0);
	assert_int_equal(sys_accept4(ARGS(FD(listener), 0, 0, 0)), -EAGAIN);
	assert_int_equal(do_connect(client, name), 0);
	assert_int_equal(do_connect(client, name), -EISCONN);
	assert_int_equal(put(client, "early"), 5); /* before it is accepted */
	assert_int_equal(events(listener) & POLLIN, POLLIN);
	server = (int)sys_accept4(ARGS(FD(listener), 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC));
	assert_true(server >= 0);
	assert_int_equal(fd_get_cloexec(server), 1);
	assert_get(server, 100, "early");
	assert_int_equal(put(server, "reply"), 5);
	assert_get(client, 100, "reply");
	fake_user_put(0, &len, 4);
	assert_int_equal(sys_getpeername(ARGS(FD(client), U(64), U(0))), 0);
	fake_user_get(0, &len, 4);
	fake_user_get(64, &un, sizeof(un));
	assert_int_equal(len, address(name));
	assert_memory_equal(un.sun_path + 1, name + 1, strlen(name) - 1);
	fd_close(server);
	fd_close(client);
	fd_close(listener);
}

static void test_connect(void **state)
{
	int fd = new_socket(SOCK_STREAM), other = new_socket(SOCK_STREAM);
	struct linux_sockaddr_un un;
	uint32_t len = sizeof(un);

	connect_through("@abstract");
	connect_through("/tmp/sock");
	assert_int_equal(do_connect(fd, "/tmp/sock"), -ECONNREFUSED); /* the name outlives the socket */
	assert_int_equal(do_bind(fd, "/tmp/sock"), -EADDRINUSE);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/tmp/sock", false), 0);
	assert_int_equal(do_bind(fd, "@x"), 0);
	assert_int_equal(do_bind(fd, "@y"), -EINVAL);
	assert_int_equal(do_bind(other, "@x"), -EADDRINUSE);
	assert_int_equal(sys_listen(ARGS(FD(other), 5)), -EINVAL);
	/* Binding to nothing: a name is made up. */
	address("@");
	assert_int_equal(sys_bind(ARGS(FD(other), U(2048), 2)), 0);
	fake_user_put(0, &len, 4);
	assert_int_equal(sys_getsockname(ARGS(FD(other), U(64), U(0))), 0);
	fake_user_get(0, &len, 4);
	assert_int_equal(len, 8);
	assert_int_equal(sys_getpeername(ARGS(FD(other), U(64), U(0))), -ENOTCONN);
	assert_int_equal(get(fd, 1, 0), -EINVAL);
	assert_int_equal(put(fd, "x"), -ENOTCONN);
	fd_close(fd);
	fd_close(other);
}

static void test_backlog(void **state)
{
	int listener = new_socket(SOCK_STREAM), client[4];

	assert_int_equal(do_bind(listener, "@b"), 0);
	assert_int_equal(sys_listen(ARGS(FD(listener), 1)), 0);
	for (int i = 0; i < 4; i++)
		client[i] = new_socket(SOCK_STREAM);
	assert_int_equal(do_connect(client[0], "@b"), 0);
	assert_int_equal(do_connect(client[1], "@b"), 0);
	assert_int_equal(do_connect(client[2], "@b"), -EAGAIN);
	assert_int_equal(do_connect(client[3], "@other"), -ECONNREFUSED);
	fd_close(client[0]); /* before it is accepted */
	int server = (int)sys_accept4(ARGS(FD(listener), 0, 0, 0));
	assert_int_equal(get(server, 1, 0), 0);
	fd_close(server);
	assert_int_equal(do_connect(client[2], "@b"), 0);
	fd_close(listener); /* with connections nobody accepted */
	assert_int_equal(get(client[1], 1, 0), -ECONNRESET);
	for (int i = 1; i < 4; i++)
		fd_close(client[i]);
}

static void test_datagrams(void **state)
{
	int a = new_socket(SOCK_DGRAM), b = new_socket(SOCK_DGRAM), c = new_socket(SOCK_DGRAM);
	struct linux_sockaddr_un un;
	uint32_t len = sizeof(un);
	uint64_t n;

	assert_int_equal(do_bind(a, "@a"), 0);
	assert_int_equal(do_bind(b, "@b"), 0);
	assert_int_equal(put(b, "x"), -ENOTCONN);
	n = address("@a");
	fake_user_put(4096, "to a", 4);
	assert_int_equal(sys_sendto(ARGS(FD(b), U(4096), 4, 0, U(2048), n)), 4);
	fake_user_put(0, &len, 4);
	assert_int_equal(sys_recvfrom(ARGS(FD(a), U(8192), 100, 0, U(64), U(0))), 4);
	fake_user_get(64, &un, sizeof(un));
	assert_memory_equal(un.sun_path, "\0b", 2); /* from whom */
	assert_int_equal(do_connect(a, "@b"), 0);
	assert_int_equal(do_connect(c, "@a"), -EPERM); /* a talks to b only */
	n = address("@a");
	assert_int_equal(sys_sendto(ARGS(FD(c), U(4096), 4, 0, U(2048), n)), -EPERM);
	assert_int_equal(do_connect(c, "@nobody"), -ECONNREFUSED);
	int stream = new_socket(SOCK_STREAM);
	assert_int_equal(do_connect(stream, "@a"), -EPROTOTYPE);
	fd_close(stream);
	fd_close(a);
	fd_close(b);
	fd_close(c);
}

/* ---- ancillary data ------------------------------------------------------------ */

/* Sends one byte and these descriptors. */
static int64_t send_fds(int fd, const int *fds, unsigned nr)
{
	struct {
		struct linux_cmsghdr h;
		int fds[8];
	} control = {.h = {16 + 4 * nr, SOL_SOCKET, SCM_RIGHTS}};
	struct linux_iovec iov = {U(4096), 1};
	struct linux_msghdr h = {.msg_iov = U(512), .msg_iovlen = 1,
				 .msg_control = U(1024), .msg_controllen = control.h.cmsg_len};

	memcpy(control.fds, fds, 4 * nr);
	fake_user_put(512, &iov, sizeof(iov));
	fake_user_put(1024, &control, sizeof(control));
	fake_user_put(0, &h, sizeof(h));
	return sys_sendmsg(ARGS(FD(fd), U(0), MSG_NOSIGNAL));
}

/* Receives one message; the descriptors it brought. */
static int64_t receive_fds(int fd, unsigned room, int *fds, unsigned *nr, unsigned *flags)
{
	struct linux_iovec iov = {U(4096), 100};
	struct linux_msghdr h = {.msg_iov = U(512), .msg_iovlen = 1, .msg_control = U(1024), .msg_controllen = room};
	struct linux_cmsghdr c;
	int64_t r;

	fake_user_put(512, &iov, sizeof(iov));
	fake_user_put(0, &h, sizeof(h));
	r = sys_recvmsg(ARGS(FD(fd), U(0), 0));
	fake_user_get(0, &h, sizeof(h));
	*flags = h.msg_flags;
	*nr = 0;
	if (r >= 0 && h.msg_controllen >= sizeof(c)) {
		fake_user_get(1024, &c, sizeof(c));
		assert_int_equal(c.cmsg_type, SCM_RIGHTS);
		*nr = (unsigned)(c.cmsg_len - sizeof(c)) / 4;
		fake_user_get(1024 + sizeof(c), fds, *nr * 4);
	}
	return r;
}

static void test_rights(void **state)
{
	int fd[2], other[2], fds[8];
	unsigned nr, flags;

	pair(SOCK_STREAM, fd);
	pair(SOCK_STREAM, other);
	assert_int_equal(send_fds(fd[0], other, 2), 1);
	fd_close(other[0]);
	assert_int_equal(put(fd[0], "plain"), 5);
	/* Bytes with descriptors and bytes without do not come in one read. */
	assert_int_equal(receive_fds(fd[1], 100, fds, &nr, &flags), 1);
	assert_int_equal(nr, 2);
	assert_get(fd[1], 100, "plain");
	assert_int_equal(put(fds[0], "through"), 7);
	assert_get(other[1], 100, "through");
	fd_close(fds[0]);
	fd_close(fds[1]);
	/* No room: they are closed, and it is said. */
	assert_int_equal(send_fds(fd[0], &other[1], 1), 1);
	assert_int_equal(receive_fds(fd[1], 0, fds, &nr, &flags), 1);
	assert_int_equal(nr, 0);
	assert_int_equal(flags & MSG_CTRUNC, MSG_CTRUNC);
	assert_int_equal(send_fds(fd[0], (const int[]){999}, 1), -EBADF);
	/* Read by read(2): closed too. */
	assert_int_equal(send_fds(fd[0], &other[1], 1), 1);
	assert_int_equal(get(fd[1], 10, 0), 1);
	fd_close(other[1]);
	fd_close(fd[0]);
	fd_close(fd[1]);
}

static void test_credentials(void **state)
{
	int fd[2], on = 1;
	struct linux_ucred cred;
	struct linux_iovec iov = {U(4096), 100};
	struct linux_msghdr h = {.msg_iov = U(512), .msg_iovlen = 1, .msg_control = U(1024), .msg_controllen = 64};
	uint32_t len = sizeof(cred);

	pair(SOCK_STREAM, fd);
	fake_user_put(0, &len, 4);
	assert_int_equal(sys_getsockopt(ARGS(FD(fd[0]), SOL_SOCKET, SO_PEERCRED, U(64), U(0))), 0);
	fake_user_get(64, &cred, sizeof(cred));
	assert_int_equal(cred.pid, 1);
	fake_user_put(0, &on, 4);
	assert_int_equal(sys_setsockopt(ARGS(FD(fd[1]), SOL_SOCKET, SO_PASSCRED, U(0), 4)), 0);
	assert_int_equal(put(fd[0], "x"), 1);
	fake_user_put(512, &iov, sizeof(iov));
	fake_user_put(0, &h, sizeof(h));
	assert_int_equal(sys_recvmsg(ARGS(FD(fd[1]), U(0), 0)), 1);
	fake_user_get(0, &h, sizeof(h));
	assert_int_equal(h.msg_controllen, 32);
	fake_user_get(1024 + 16, &cred, sizeof(cred));
	assert_int_equal(cred.pid, 1);
	fd_close(fd[0]);
	fd_close(fd[1]);
}

/* Closing any socket finds what the last close(2) could not. */
static void collect(void)
{
	fd_close(new_socket(SOCK_DGRAM));
}

static void test_cycles(void **state)
{
	int a[2], b[2];

	/* A socket inside itself, and two pairs inside each other. */
	pair(SOCK_STREAM, a);
	assert_int_equal(send_fds(a[0], &a[1], 1), 1);
	fd_close(a[0]);
	fd_close(a[1]);
	collect();
	assert_int_equal(count_sockets(), 0);
	pair(SOCK_STREAM, a);
	pair(SOCK_STREAM, b);
	assert_int_equal(send_fds(a[0], b, 2), 1);
	assert_int_equal(send_fds(b[0], a, 2), 1);
	fd_close(a[0]);
	fd_close(a[1]);
	fd_close(b[0]);
	collect();
	assert_int_equal(count_sockets(), 4); /* still to be had, through b[1] */
	fd_close(b[1]);
	collect();
	assert_int_equal(count_sockets(), 0);
}

static void test_errors(void **state)
{
	int fd = new_socket(SOCK_STREAM), value;
	uint32_t len = 4;

	assert_int_equal(sys_socket(ARGS(2, SOCK_STREAM, 0)), -EAFNOSUPPORT);
	assert_int_equal(sys_socket(ARGS(16, SOCK_RAW, 0)), -EAFNOSUPPORT);
	assert_int_equal(sys_socket(ARGS(AF_UNIX, 4, 0)), -ESOCKTNOSUPPORT);
	assert_int_equal(sys_socket(ARGS(AF_UNIX, SOCK_STREAM | 0x100, 0)), -EINVAL);
	assert_int_equal(sys_socket(ARGS(AF_UNIX, SOCK_STREAM, 99)), -EPROTONOSUPPORT);
	assert_int_equal(sys_bind(ARGS(FD(fd), U(2048), 1)), -EINVAL);
	assert_int_equal(sys_bind(ARGS(FD(fd), U(2048), 200)), -EINVAL);
	assert_int_equal(sys_bind(ARGS(FD(fd), 8, 10)), -EFAULT);
	assert_int_equal(sys_bind(ARGS(999, U(2048), 10)), -EBADF);
	assert_int_equal(sys_getsockopt(ARGS(FD(fd), 6, 1, U(0), U(8))), -EOPNOTSUPP);
	fake_user_put(0, &len, 4);
	assert_int_equal(sys_getsockopt(ARGS(FD(fd), SOL_SOCKET, SO_TYPE, U(64), U(0))), 0);
	fake_user_get(64, &value, 4);
	assert_int_equal(value, SOCK_STREAM);
	fd_close(fd);
	fd = fd_install(fake_open("/dev/null", O_RDWR), 0, false);
	assert_int_equal(sys_listen(ARGS(FD(fd), 1)), -ENOTSOCK);
	assert_int_equal(sys_sendto(ARGS(FD(fd), U(0), 1, 0)), -ENOTSOCK);
	fd_close(fd);
}

static void test_no_memory(void **state)
{
	int64_t r;
	unsigned n = 0;

	do {
		fail_alloc_arm(++n, false);
		r = sys_socketpair(ARGS(AF_UNIX, SOCK_STREAM, 0, U(0)));
		fail_alloc_arm(0, false);
		if (r != 0) {
			assert_int_equal(r, -ENOMEM);
			assert_int_equal(count_sockets(), 0);
		}
	} while (r != 0);
	assert_true(n > 4);
	int fd[2];
	fake_user_get(0, fd, 8);
	fd_close(fd[0]);
	fd_close(fd[1]);
}

static int setup(void **state)
{
	fake_kernel_boot();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_stream, all_gone),
		cmocka_unit_test_teardown(test_stream_sigpipe, all_gone),
		cmocka_unit_test_teardown(test_stream_limit, all_gone), cmocka_unit_test_teardown(test_reset, all_gone),
		cmocka_unit_test_teardown(test_stream_blocks, all_gone),
		cmocka_unit_test_teardown(test_shutdown, all_gone),
		cmocka_unit_test_teardown(test_messages, all_gone), cmocka_unit_test_teardown(test_connect, all_gone),
		cmocka_unit_test_teardown(test_backlog, all_gone), cmocka_unit_test_teardown(test_datagrams, all_gone),
		cmocka_unit_test_teardown(test_rights, all_gone), cmocka_unit_test_teardown(test_credentials, all_gone),
		cmocka_unit_test_teardown(test_cycles, all_gone), cmocka_unit_test_teardown(test_errors, all_gone),
		cmocka_unit_test_teardown(test_no_memory, all_gone),
	};

	return cmocka_run_group_tests(tests, setup, fake_kernel_end);
}
