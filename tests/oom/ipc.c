/* The sweep over pipes, sockets, event descriptors, polling and terminals. */
#include "oom.h"

#include "abi/epoll.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "abi/signal.h"
#include "abi/socket.h"
#include "abi/termios.h"
#include "abi/time.h"
#include "abi/uio.h"
#include "fs/fdtable.h"

static int fds[2]; /* of the pair under way */

static void nothing(int64_t result) { (void)result; }

/* Takes the pair of descriptors a call has written to U(0x100). */
static void take_pair(void) { oom_get(U(0x100), fds, sizeof(fds)); }
static void close_pair(int64_t result)
{
	(void)result;
	take_pair();
	oom_close(fds[0]);
	oom_close(fds[1]);
}

/* ---- pipes ---------------------------------------------------------------- */

static int64_t run_pipe(void) { return CALL(pipe2, U(0x100), O_NONBLOCK); }
static void make_pipe(void)
{
	MUST(pipe2, U(0x100), O_NONBLOCK);
	take_pair();
}
static int64_t run_pipe_write(void) { return CALL(write, (uint64_t)fds[1], U(0x1000), PAGES(2)); }
static int64_t run_pipe_size(void) { return CALL(fcntl, (uint64_t)fds[0], F_SETPIPE_SZ, 1 << 18); }
static void undo_pipe_size(int64_t result)
{
	(void)result;
	MUST(fcntl, (uint64_t)fds[0], F_SETPIPE_SZ, 1 << 16);
}
static void make_fifo(void) { MUST(mknodat, (uint64_t)AT_FDCWD, S(0, "/tmp/new"), 0010644, 0); }
static int64_t run_fifo(void) { return CALL(openat, (uint64_t)AT_FDCWD, S(0, "/tmp/new"), O_RDWR); }

/* ---- sockets -------------------------------------------------------------- */

static int64_t run_socketpair(void) { return CALL(socketpair, AF_UNIX, SOCK_STREAM, 0, U(0x100)); }
static void make_sockets(void)
{
	MUST(socketpair, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, U(0x100));
	take_pair();
}
static void make_datagram_sockets(void)
{
	MUST(socketpair, AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, U(0x100));
	take_pair();
}
static int64_t run_send(void) { return CALL(write, (uint64_t)fds[1], U(0x1000), PAGES(3)); }
static void receive(int64_t result)
{
	while (result > 0)
		result -= MUST(read, (uint64_t)fds[0], U(0x1000), (uint64_t)result);
}
static int64_t run_socket(void) { return CALL(socket, AF_UNIX, SOCK_STREAM, 0); }

static uint64_t put_name(void)
{
	const struct linux_sockaddr_un name = {AF_UNIX, "/tmp/socket"};

	oom_put(U(0x200), &name, sizeof(name));
	return U(0x200);
}
static void make_socket(void) { fds[0] = (int)MUST(socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0); }
static int64_t run_bind(void) { return CALL(bind, (uint64_t)fds[0], put_name(), sizeof(struct linux_sockaddr_un)); }
/* Linux takes the name only once: another world. */
static void make_listener(void)
{
	make_socket();
	assert_int_equal(run_bind(), 0);
	MUST(listen, (uint64_t)fds[0], 5);
	fds[1] = (int)MUST(socket, AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
}
static int64_t run_connect(void)
{
	return CALL(connect, (uint64_t)fds[1], put_name(), sizeof(struct linux_sockaddr_un));
}
static void make_connected(void)
{
	make_listener();
	assert_int_equal(run_connect(), 0);
}
static int64_t run_accept(void) { return CALL(accept4, (uint64_t)fds[0], 0, 0, SOCK_NONBLOCK); }

/* A message with one byte and nr descriptors (the socket's own). */
#define NR_PASSED 20
static void put_message(unsigned nr)
{
	struct {
		struct linux_cmsghdr h;
		int fd[NR_PASSED];
	} control = {{sizeof(struct linux_cmsghdr) + nr * sizeof(int), SOL_SOCKET, SCM_RIGHTS}, {0}};
	const struct linux_iovec iov = {U(0x1000), 1};
	const struct linux_msghdr m = {.msg_iov = U(0x300),
				       .msg_iovlen = 1,
				       .msg_control = U(0x400),
				       .msg_controllen = CMSG_ALIGNED(control.h.cmsg_len)};

	for (unsigned i = 0; i < nr; i++)
		control.fd[i] = fds[1];
	oom_put(U(0x300), &iov, sizeof(iov));
	oom_put(U(0x400), &control, sizeof(control));
	oom_put(U(0x500), &m, sizeof(m));
}
static int64_t run_sendmsg(void)
{
	put_message(NR_PASSED);
	return CALL(sendmsg, (uint64_t)fds[1], U(0x500), MSG_DONTWAIT);
}
static int64_t run_recvmsg(void) { return CALL(recvmsg, (uint64_t)fds[0], U(0x500), MSG_DONTWAIT); }
static void receive_message(int64_t result)
{
	(void)result;
	assert_int_equal(run_recvmsg(), 1);
	fd_close_range(2, UINT32_MAX, false);
}
/* So many that the descriptor table must grow to take them. */
static void queue_messages(void)
{
	make_sockets();
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(run_sendmsg(), 1);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(run_recvmsg(), 1);
}

/* ---- event descriptors ---------------------------------------------------- */

static int64_t run_eventfd(void) { return CALL(eventfd2, 0, 0); }
static int64_t run_timerfd(void) { return CALL(timerfd_create, CLOCK_MONOTONIC, 0); }
static int64_t run_signalfd(void)
{
	const uint64_t mask = SIGMASK(SIGUSR1);

	oom_put(U(0), &mask, sizeof(mask));
	return CALL(signalfd4, (uint64_t)-1, U(0), 8, 0);
}
static int64_t run_epoll_create(void) { return CALL(epoll_create1, 0); }
static void make_epoll(void)
{
	make_pipe();
	fds[1] = (int)MUST(epoll_create1, 0);
}
static int64_t run_epoll_add(void)
{
	const struct linux_epoll_event event = {EPOLLIN, 1};

	oom_put(U(0), &event, sizeof(event));
	return CALL(epoll_ctl, (uint64_t)fds[1], EPOLL_CTL_ADD, (uint64_t)fds[0], U(0));
}
static void epoll_delete(int64_t result)
{
	(void)result;
	MUST(epoll_ctl, (uint64_t)fds[1], EPOLL_CTL_DEL, (uint64_t)fds[0], U(0));
}

/* ---- polling many descriptors --------------------------------------------- */

#define NR_POLLED 400
static void put_poll(void)
{
	static struct linux_pollfd polled[NR_POLLED];

	make_pipe();
	for (unsigned i = 0; i < NR_POLLED; i++)
		polled[i] = (struct linux_pollfd){fds[0], POLLIN, 0};
	oom_put(U(0x2000), polled, sizeof(polled));
	oom_put(U(0x1000), (const int64_t[2]){0, 1000}, 16);
	MUST(dup3, (uint64_t)fds[0], 900, 0);
}
static int64_t run_ppoll(void) { return CALL(ppoll, U(0x2000), NR_POLLED, U(0x1000), 0, 8); }
/* ---- terminals ------------------------------------------------------------ */

static int64_t run_ptmx(void) { return CALL(openat, (uint64_t)AT_FDCWD, S(0, "/dev/ptmx"), O_RDWR | O_NOCTTY); }
static void make_pty(void)
{
	const int unlocked = 0;

	fds[0] = (int)MUST(openat, (uint64_t)AT_FDCWD, S(0, "/dev/ptmx"), O_RDWR | O_NOCTTY | O_NONBLOCK);
	oom_put(U(0), &unlocked, sizeof(unlocked));
	MUST(ioctl, (uint64_t)fds[0], TIOCSPTLCK, U(0));
	MUST(ioctl, (uint64_t)fds[0], TIOCGPTN, U(0));
}
static int64_t run_pty(void)
{
	char name[] = "/dev/pts/0";
	int number;

	oom_get(U(0), &number, sizeof(number));
	name[sizeof(name) - 2] = (char)('0' + number);
	return CALL(openat, (uint64_t)AT_FDCWD, S(0, name), O_RDWR | O_NOCTTY | O_NONBLOCK);
}

static const struct oom_op ipc_ops[] = {
	{"pipe2", run_pipe, NULL, close_pair, 0},
	{"pipe, write", run_pipe_write, make_pipe, NULL, 0},
	{"pipe, F_SETPIPE_SZ", run_pipe_size, make_pipe, undo_pipe_size, 0},
	{"fifo, open", run_fifo, make_fifo, oom_close, 0},
	{"socket", run_socket, NULL, oom_close, OOM_ENOBUFS},
	{"socketpair", run_socketpair, NULL, close_pair, OOM_ENOBUFS},
	{"bind", run_bind, make_socket, NULL, 0},
	{"connect", run_connect, make_listener, NULL, OOM_ENOBUFS},
	{"accept4", run_accept, make_connected, NULL, OOM_ENOBUFS},
	{"send, stream", run_send, make_sockets, receive, OOM_ENOBUFS},
	{"send, datagram", run_send, make_datagram_sockets, receive, OOM_ENOBUFS},
	{"sendmsg, descriptors", run_sendmsg, make_sockets, receive_message, OOM_ENOBUFS},
	{"recvmsg, descriptors", run_recvmsg, queue_messages, NULL, 0},
	{"eventfd2", run_eventfd, NULL, oom_close, 0},
	{"timerfd_create", run_timerfd, NULL, oom_close, 0},
	{"signalfd4", run_signalfd, NULL, oom_close, 0},
	{"epoll_create1", run_epoll_create, NULL, oom_close, 0},
	{"epoll_ctl", run_epoll_add, make_epoll, epoll_delete, 0},
	{"ppoll", run_ppoll, put_poll, nothing, 0},
	{"ptmx, open", run_ptmx, NULL, oom_close, 0},
	{"pts, open", run_pty, make_pty, oom_close, 0},
};
OOM_SUITE(ipc);
