/* poll, select, epoll, eventfd, timerfd, signalfd: readiness, time-outs, wake-ups, lifetimes. */
#include <stdlib.h>

#include "fake_kernel.h"

#include "abi/epoll.h"
#include "abi/errno.h"
#include "abi/time.h"
#include "fs/epoll.h"
#include "fs/eventfd.h"
#include "fs/poll.h"
#include "syscall/syscall.h"

SYSCALL_DECLARE(poll);
SYSCALL_DECLARE(ppoll);
SYSCALL_DECLARE(select);
SYSCALL_DECLARE(pselect6);
SYSCALL_DECLARE(epoll_create1);
SYSCALL_DECLARE(epoll_ctl);
SYSCALL_DECLARE(epoll_wait);
SYSCALL_DECLARE(epoll_pwait);
SYSCALL_DECLARE(eventfd2);
SYSCALL_DECLARE(timerfd_create);
SYSCALL_DECLARE(timerfd_settime);
SYSCALL_DECLARE(timerfd_gettime);
SYSCALL_DECLARE(signalfd4);
SYSCALL_DECLARE(ioctl);

#define ARGS(...) ((const uint64_t[6]){__VA_ARGS__})
#define U(offset) (FAKE_USER + (offset))

static int new_eventfd(unsigned count)
{
	int fd = (int)sys_eventfd2(ARGS(count, O_NONBLOCK));

	assert_true(fd >= 0);
	return fd;
}

static void add(int fd, uint64_t value)
{
	struct file *f = fd_get(fd);

	assert_int_equal(fake_write(f, &value, 8), 8);
	file_put(f);
}

static int64_t take(int fd)
{
	struct file *f = fd_get(fd);
	uint64_t value = 0;
	int64_t n = fake_read(f, &value, 8);

	file_put(f);
	return n == 8 ? (int64_t)value : n;
}

/* A second task that adds 1 to a descriptor when it first runs. */
static void add_one(void *arg) { add((int)(intptr_t)arg, 1); }

/* ---- poll ----------------------------------------------------------------- */

static int64_t poll2(int fd0, int events0, int fd1, int events1, int timeout_ms, int revents[2])
{
	struct linux_pollfd fds[2] = {{fd0, (int16_t)events0, 0x55}, {fd1, (int16_t)events1, 0x55}};
	int64_t r;

	fake_user_put(0, fds, sizeof(fds));
	r = sys_poll(ARGS(U(0), 2, (uint64_t)timeout_ms));
	fake_user_get(0, fds, sizeof(fds));
	revents[0] = fds[0].revents;
	revents[1] = fds[1].revents;
	return r;
}

static void test_poll_now(void **state)
{
	int a = new_eventfd(0), b = new_eventfd(1), re[2];

	assert_int_equal(poll2(a, POLLIN, b, POLLIN, 0, re), 1);
	assert_int_equal(re[0], 0);
	assert_int_equal(re[1], POLLIN);
	assert_int_equal(poll2(a, POLLIN | POLLOUT, b, POLLIN | POLLOUT, -1, re), 2);
	assert_int_equal(re[0], POLLOUT);
	assert_int_equal(re[1], POLLIN | POLLOUT);
	/* Closed: POLLNVAL; negative: ignored. */
	assert_int_equal(poll2(999, POLLIN, -1, POLLIN, -1, re), 1);
	assert_int_equal(re[0], POLLNVAL);
	assert_int_equal(re[1], 0);
	fd_close(a);
	fd_close(b);
}

static void test_poll_timeout(void **state)
{
	int a = new_eventfd(0), re[2];
	uint64_t before = arch_time_ns();

	assert_int_equal(poll2(a, POLLIN, -1, 0, 50, re), 0);
	assert_in_range(arch_time_ns() - before, 50000000, 51000000);
	assert_int_equal(re[0], 0);
	fd_close(a);
}

static void test_poll_wakes(void **state)
{
	int a = new_eventfd(0), b = new_eventfd(0), re[2];

	fake_spawn(add_one, (void *)(intptr_t)b);
	assert_int_equal(poll2(a, POLLIN, b, POLLIN, -1, re), 1);
	assert_int_equal(re[0], 0);
	assert_int_equal(re[1], POLLIN);
	assert_true(fake_reap() > 1);
	assert_int_equal(take(b), 1);
	fd_close(a);
	fd_close(b);
}

static void test_poll_errors(void **state)
{
	assert_int_equal(sys_poll(ARGS(8, 1, 0)), -EFAULT);
	assert_int_equal(sys_poll(ARGS(U(0), 2000, 0)), -EINVAL); /* RLIMIT_NOFILE is 1024 */
	assert_int_equal(sys_poll(ARGS(0, 0, 0)), 0);
}

static void send_signal(void *arg) { (void)signal_send_process(init_process, SIGUSR1, NULL); }

static void forget_signal(void)
{
	struct linux_siginfo info;

	assert_int_equal(signal_dequeue(SIGMASK(SIGUSR1), &info), SIGUSR1);
	assert_true(fake_reap() > 1);
}

static void test_poll_interrupted(void **state)
{
	struct task *me = current_task();
	int a = new_eventfd(0), re[2];
	uint64_t before = arch_time_ns();

	fake_spawn(send_signal, NULL);
	assert_int_equal(poll2(a, POLLIN, -1, 0, 80, re), -ERESTART_RESTARTBLOCK);
	assert_int_equal(re[0], 0x55); /* nothing was written */
	forget_signal();
	/* Continued after a stop: the same deadline. */
	assert_int_equal(me->restart_fn(me), 0);
	assert_in_range(arch_time_ns() - before, 80000000, 82000000);
	fd_close(a);
}

static void test_ppoll_mask(void **state)
{
	struct linux_timespec t = {0, 20000000};
	uint64_t mask = SIGMASK(SIGUSR1);

	fake_user_put(0, &t, sizeof(t));
	fake_user_put(16, &mask, 8);
	assert_int_equal(sys_ppoll(ARGS(0, 0, U(0), U(16), 4)), -EINVAL);
	fake_spawn(send_signal, NULL);
	/* Blocked during the call: it times out, and the old mask is back. */
	assert_int_equal(sys_ppoll(ARGS(0, 0, U(0), U(16), 8)), 0);
	assert_int_equal(current_task()->sig.blocked, 0);
	assert_false(current_task()->sig.has_saved_mask);
	fake_user_get(0, &t, sizeof(t));
	assert_int_equal(t.nsec, 0);
	forget_signal();
	t = (struct linux_timespec){1, 1000000000};
	fake_user_put(0, &t, sizeof(t));
	assert_int_equal(sys_ppoll(ARGS(0, 0, U(0))), -EINVAL);
}

static void test_ppoll_remaining(void **state)
{
	struct linux_timespec t = {100, 0};

	fake_user_put(0, &t, sizeof(t));
	fake_spawn(send_signal, NULL);
	assert_int_equal(sys_ppoll(ARGS(0, 0, U(0))), -ERESTARTNOHAND);
	forget_signal();
	fake_user_get(0, &t, sizeof(t));
	assert_int_equal(t.sec, 99);
}

static void test_poll_many(void **state)
{
	enum { N = 300 };
	static struct linux_pollfd fds[N];
	int fd[N];

	/* More queues than stand on the stack. */
	for (int i = 0; i < N; i++) {
		fd[i] = new_eventfd(0);
		fds[i] = (struct linux_pollfd){fd[i], POLLIN, 0};
	}
	fake_user_put(0, fds, sizeof(fds));
	fake_spawn(add_one, (void *)(intptr_t)fd[N - 1]);
	assert_int_equal(sys_poll(ARGS(U(0), N, (uint64_t)-1)), 1);
	fake_user_get(0, fds, sizeof(fds));
	for (int i = 0; i < N; i++)
		assert_int_equal(fds[i].revents, i == N - 1 ? POLLIN : 0);
	assert_true(fake_reap() > 1);
	/* Every allocation that can fail: ENOMEM, or success where it was not needed. */
	take(fd[N - 1]);
	for (unsigned n = 1; n <= 8; n++) {
		int64_t r;

		fail_alloc_arm(n, false);
		r = sys_poll(ARGS(U(0), N, 1));
		fail_alloc_arm(0, false);
		assert_true(r == -ENOMEM || r == 0);
		if (n == 1)
			assert_int_equal(r, -ENOMEM);
	}
	for (int i = 0; i < N; i++)
		fd_close(fd[i]);
}

/* ---- select --------------------------------------------------------------- */

static int64_t select_fds(int nfds, uint64_t in, uint64_t out, uint64_t ex, int64_t usec, uint64_t result[3])
{
	uint64_t sets[3] = {in, out, ex};
	struct linux_timeval t = {usec / 1000000, usec % 1000000};
	int64_t r;

	fake_user_put(0, sets, sizeof(sets));
	fake_user_put(64, &t, sizeof(t));
	r = sys_select(ARGS((uint64_t)nfds, U(0), U(8), U(16), usec < 0 ? 0 : U(64)));
	fake_user_get(0, result, sizeof(sets));
	return r;
}

static void test_select(void **state)
{
	int a = new_eventfd(0), b = new_eventfd(3);
	uint64_t bit_a = 1ull << a, bit_b = 1ull << b, set[3];

	assert_int_equal(select_fds(64, bit_a | bit_b, bit_a, bit_a, -1, set), 2);
	assert_int_equal(set[0], bit_b);
	assert_int_equal(set[1], bit_a);
	assert_int_equal(set[2], 0);
	assert_int_equal(select_fds(64, bit_a, 0, 0, 1000, set), 0);
	assert_int_equal(set[0], 0);
	/* Bits from nfds on do not count, not even of closed descriptors. */
	assert_int_equal(select_fds(a, bit_a | 1ull << 63, 0, 0, 0, set), 0);
	assert_int_equal(select_fds(64, 1ull << 63, 0, 0, 0, set), -EBADF);
	assert_int_equal(set[0], 1ull << 63);
	assert_int_equal(select_fds(-1, 0, 0, 0, 0, set), -EINVAL);
	assert_int_equal(sys_select(ARGS(64, 8, 0, 0, 0)), -EFAULT);
	fake_spawn(add_one, (void *)(intptr_t)a);
	assert_int_equal(select_fds(64, bit_a, 0, 0, -1, set), 1);
	assert_int_equal(set[0], bit_a);
	assert_true(fake_reap() > 1);
	fd_close(a);
	fd_close(b);
}

static void test_pselect_mask(void **state)
{
	uint64_t mask = SIGMASK(SIGUSR1), pair[2] = {U(32), 8};
	struct linux_timespec t = {0, 5000000};

	fake_user_put(0, &t, sizeof(t));
	fake_user_put(32, &mask, 8);
	fake_user_put(48, pair, sizeof(pair));
	fake_spawn(send_signal, NULL);
	assert_int_equal(sys_pselect6(ARGS(0, 0, 0, 0, U(0), U(48))), 0);
	assert_int_equal(current_task()->sig.blocked, 0);
	forget_signal();
}

/* ---- eventfd -------------------------------------------------------------- */

static void test_eventfd(void **state)
{
	int fd = new_eventfd(5);
	struct file *f = fd_get(fd);
	uint64_t value = UINT64_MAX;

	assert_int_equal(take(fd), 5);
	assert_int_equal(take(fd), -EAGAIN);
	add(fd, 2);
	add(fd, 3);
	assert_int_equal(take(fd), 5);
	assert_int_equal(fake_write(f, &value, 8), -EINVAL);
	assert_int_equal(fake_write(f, &value, 7), -EINVAL);
	assert_int_equal(fake_read(f, &value, 7), -EINVAL);
	value = UINT64_MAX - 1;
	assert_int_equal(fake_write(f, &value, 8), 8);
	value = 1;
	assert_int_equal(fake_write(f, &value, 8), -EAGAIN);
	assert_int_equal(vfs_poll(f, NULL), POLLIN);
	file_put(f);
	fd_close(fd);
	fd = (int)sys_eventfd2(ARGS(2, EFD_SEMAPHORE | O_NONBLOCK));
	assert_int_equal(take(fd), 1);
	assert_int_equal(take(fd), 1);
	assert_int_equal(take(fd), -EAGAIN);
	fd_close(fd);
	assert_int_equal(sys_eventfd2(ARGS(0, 0x100)), -EINVAL);
}

static void test_eventfd_blocks(void **state)
{
	int fd = (int)sys_eventfd2(ARGS(0, O_CLOEXEC));

	assert_int_equal(fd_get_cloexec(fd), 1);
	fake_spawn(add_one, (void *)(intptr_t)fd);
	assert_int_equal(take(fd), 1);
	assert_true(fake_reap() > 1);
	fake_spawn(send_signal, NULL);
	assert_int_equal(take(fd), -ERESTARTSYS);
	forget_signal();
	fd_close(fd);
}

/* ---- timerfd -------------------------------------------------------------- */

static void arm(int fd, uint64_t flags, int64_t value_ns, int64_t interval_ns)
{
	struct linux_itimerspec t = {.value = {value_ns / 1000000000, value_ns % 1000000000},
				     .interval = {interval_ns / 1000000000, interval_ns % 1000000000}};

	fake_user_put(0, &t, sizeof(t));
	assert_int_equal(sys_timerfd_settime(ARGS((uint64_t)fd, flags, U(0), 0)), 0);
}

static void test_timerfd(void **state)
{
	int fd = (int)sys_timerfd_create(ARGS(CLOCK_MONOTONIC, 0)), re[2];
	struct linux_itimerspec t;
	uint64_t before = arch_time_ns();
	struct file *f = fd_get(fd);

	assert_true(fd >= 0);
	arm(fd, 0, 10000000, 0);
	assert_int_equal(sys_timerfd_gettime(ARGS((uint64_t)fd, U(0))), 0);
	fake_user_get(0, &t, sizeof(t));
	assert_int_equal(t.value.sec, 0);
	assert_in_range(t.value.nsec, 9000000, 10000000);
	assert_int_equal(take(fd), 1);
	assert_in_range(arch_time_ns() - before, 10000000, 11000000);
	/* An interval: what was missed is counted. */
	arm(fd, 0, 1000000, 1000000);
	fake.now_ns += 5000000;
	assert_int_equal(poll2(fd, POLLIN, -1, 0, -1, re), 1);
	assert_in_range(take(fd), 5, 6);
	arm(fd, TFD_TIMER_ABSTIME, (int64_t)arch_time_ns() + 2000000, 0);
	f->flags |= O_NONBLOCK;
	assert_int_equal(take(fd), -EAGAIN);
	arm(fd, 0, 0, 0);
	assert_int_equal(poll2(fd, POLLIN, -1, 0, 20, re), 0); /* disarmed */
	t.value.nsec = 1000000000;
	fake_user_put(0, &t, sizeof(t));
	assert_int_equal(sys_timerfd_settime(ARGS((uint64_t)fd, 0, U(0), 0)), -EINVAL);
	file_put(f);
	arm(fd, 0, 1000000, 1000000);
	fd_close(fd); /* while armed */
	fake.now_ns += 5000000;
	ktimer_run(fake.now_ns);
	assert_int_equal(sys_timerfd_create(ARGS(77, 0)), -EINVAL);
	fd = new_eventfd(0);
	assert_int_equal(sys_timerfd_gettime(ARGS((uint64_t)fd, U(0))), -EINVAL);
	fd_close(fd);
}

/* ---- signalfd ------------------------------------------------------------- */

static void test_signalfd(void **state)
{
	uint64_t mask = SIGMASK(SIGUSR1) | SIGMASK(SIGUSR2);
	struct linux_signalfd_siginfo info[2];
	struct file *f;
	int fd, re[2];

	fake_user_put(0, &mask, 8);
	fd = (int)sys_signalfd4(ARGS((uint64_t)-1, U(0), 8, O_NONBLOCK));
	assert_true(fd >= 0);
	f = fd_get(fd);
	signal_set_blocked(mask);
	assert_int_equal(fake_read(f, info, sizeof(info)), -EAGAIN);
	fake_spawn(send_signal, NULL);
	assert_int_equal(poll2(fd, POLLIN, -1, 0, -1, re), 1);
	assert_int_equal(re[0], POLLIN);
	assert_true(fake_reap() > 1);
	signal_send_task(current_task(), SIGUSR2, &(struct linux_siginfo){.signo = SIGUSR2, .code = SI_QUEUE,
			 .rt = {.pid = 7, .uid = 8, .value = 9}});
	assert_int_equal(fake_read(f, info, 127), -EINVAL);
	assert_int_equal(fake_read(f, info, sizeof(info)), sizeof(info));
	assert_int_equal(info[0].ssi_signo, SIGUSR2); /* the thread's own first */
	assert_int_equal(info[0].ssi_pid, 7);
	assert_int_equal(info[0].ssi_int, 9);
	assert_int_equal(info[1].ssi_signo, SIGUSR1);
	assert_int_equal(signal_pending_set(current_task()), 0);
	assert_int_equal(sys_signalfd4(ARGS((uint64_t)-1, U(0), 4, 0)), -EINVAL);
	signal_set_blocked(0);
	file_put(f);
	fd_close(fd);
}

/* ---- epoll ---------------------------------------------------------------- */

static int new_epoll(void)
{
	int fd = (int)sys_epoll_create1(ARGS(0));

	assert_true(fd >= 0);
	return fd;
}

static int64_t ctl(int ep, int op, int fd, uint32_t events, uint64_t data)
{
	struct linux_epoll_event e = {.events = events, .data = data};

	fake_user_put(0, &e, sizeof(e));
	return sys_epoll_ctl(ARGS((uint64_t)ep, (uint64_t)op, (uint64_t)fd, U(0)));
}

static struct linux_epoll_event events[8];

static int64_t ep_wait(int ep, int max, int timeout_ms)
{
	int64_t n = sys_epoll_wait(ARGS((uint64_t)ep, U(4096), (uint64_t)max, (uint64_t)timeout_ms));

	if (n > 0)
		fake_user_get(4096, events, (size_t)n * sizeof(events[0]));
	return n;
}

static void test_epoll_level(void **state)
{
	int ep = new_epoll(), a = new_eventfd(0), b = new_eventfd(1);

	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 10), 0);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, b, EPOLLIN, 20), 0);
	for (int i = 0; i < 3; i++) { /* level: as long as it holds */
		assert_int_equal(ep_wait(ep, 8, 0), 1);
		assert_int_equal(events[0].data, 20);
		assert_int_equal(events[0].events, EPOLLIN);
	}
	take(b);
	assert_int_equal(ep_wait(ep, 8, 0), 0);
	add(a, 1);
	add(b, 1);
	assert_int_equal(ep_wait(ep, 8, 0), 2);
	/* One at a time, in turn. */
	assert_int_equal(ep_wait(ep, 1, 0), 1);
	uint64_t first = events[0].data;
	assert_int_equal(ep_wait(ep, 1, 0), 1);
	assert_int_not_equal(events[0].data, first);
	assert_int_equal(ctl(ep, EPOLL_CTL_MOD, a, EPOLLOUT, 11), 0);
	assert_int_equal(ctl(ep, EPOLL_CTL_DEL, b, 0, 0), 0);
	assert_int_equal(ep_wait(ep, 8, 0), 1);
	assert_int_equal(events[0].data, 11);
	assert_int_equal(events[0].events, EPOLLOUT);
	fd_close(a);
	fd_close(b);
	fd_close(ep);
}

static void test_epoll_edge(void **state)
{
	int ep = new_epoll(), a = new_eventfd(0);

	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN | EPOLLET, 1), 0);
	assert_int_equal(ep_wait(ep, 8, 0), 0);
	add(a, 1);
	assert_int_equal(ep_wait(ep, 8, 0), 1);
	assert_int_equal(ep_wait(ep, 8, 0), 0);
	add(a, 1);
	assert_int_equal(ep_wait(ep, 8, 0), 1);
	assert_int_equal(ctl(ep, EPOLL_CTL_MOD, a, EPOLLIN | EPOLLET, 2), 0); /* looks again */
	assert_int_equal(ep_wait(ep, 8, 0), 1);
	assert_int_equal(ep_wait(ep, 8, 0), 0);
	fd_close(a);
	fd_close(ep);
}

static void test_epoll_oneshot(void **state)
{
	int ep = new_epoll(), a = new_eventfd(1);

	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN | EPOLLONESHOT, 1), 0);
	assert_int_equal(ep_wait(ep, 8, 0), 1);
	add(a, 1);
	assert_int_equal(ep_wait(ep, 8, 0), 0);
	assert_int_equal(ctl(ep, EPOLL_CTL_MOD, a, EPOLLIN | EPOLLONESHOT, 1), 0);
	assert_int_equal(ep_wait(ep, 8, 0), 1);
	assert_int_equal(ep_wait(ep, 8, 0), 0);
	fd_close(a);
	fd_close(ep);
}

static void test_epoll_sleeps(void **state)
{
	int ep = new_epoll(), a = new_eventfd(0);
	uint64_t before = arch_time_ns();

	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1), 0);
	assert_int_equal(ep_wait(ep, 8, 30), 0);
	assert_in_range(arch_time_ns() - before, 30000000, 31000000);
	fake_spawn(add_one, (void *)(intptr_t)a);
	assert_int_equal(ep_wait(ep, 8, -1), 1);
	assert_true(fake_reap() > 1);
	take(a);
	fake_spawn(send_signal, NULL);
	assert_int_equal(ep_wait(ep, 8, -1), -EINTR);
	forget_signal();
	fd_close(a);
	fd_close(ep);
}

static void test_epoll_close(void **state)
{
	int ep = new_epoll(), a = new_eventfd(1), b;

	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1), 0);
	b = fd_install(fd_get(a), 0, false); /* dup */
	fd_close(a);
	assert_int_equal(ep_wait(ep, 8, 0), 1); /* the description is still open */
	fd_close(b);
	assert_int_equal(ep_wait(ep, 8, 0), 0);
	/* The other way round: the epoll goes first. */
	a = new_eventfd(1);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1), 0);
	fd_close(ep);
	add(a, 1);
	fd_close(a);
}

static void test_epoll_errors(void **state)
{
	int ep = new_epoll(), a = new_eventfd(0), file;

	assert_int_equal(vfs_mkdirat(AT_FDCWD, "/tmp/d", 0755), 0);
	file = fd_install(fake_open("/tmp/d", O_DIRECTORY), 0, false);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, file, EPOLLIN, 0), -EPERM);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 0), -EINVAL);
	assert_int_equal(ctl(a, EPOLL_CTL_ADD, ep, EPOLLIN, 0), -EINVAL);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, 999, EPOLLIN, 0), -EBADF);
	assert_int_equal(ctl(999, EPOLL_CTL_ADD, a, EPOLLIN, 0), -EBADF);
	assert_int_equal(ctl(ep, EPOLL_CTL_MOD, a, EPOLLIN, 0), -ENOENT);
	assert_int_equal(ctl(ep, EPOLL_CTL_DEL, a, EPOLLIN, 0), -ENOENT);
	assert_int_equal(ctl(ep, 9, a, EPOLLIN, 0), -EINVAL);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 0), 0);
	assert_int_equal(ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 0), -EEXIST);
	assert_int_equal(ctl(ep, EPOLL_CTL_MOD, a, EPOLLIN | EPOLLEXCLUSIVE, 0), -EINVAL);
	assert_int_equal(ep_wait(ep, 0, 0), -EINVAL);
	assert_int_equal(ep_wait(a, 1, 0), -EINVAL);
	assert_int_equal(sys_epoll_create1(ARGS(1)), -EINVAL);
	/* A bad array: nothing is lost. */
	add(a, 1);
	assert_int_equal(sys_epoll_wait(ARGS((uint64_t)ep, 8, 8, 0)), -EFAULT);
	assert_int_equal(ep_wait(ep, 8, 0), 1);
	fd_close(file);
	fd_close(a);
	fd_close(ep);
}

static void test_epoll_nested(void **state)
{
	int outer = new_epoll(), inner = new_epoll(), a = new_eventfd(0), deep[8];

	assert_int_equal(ctl(inner, EPOLL_CTL_ADD, a, EPOLLIN, 1), 0);
	assert_int_equal(ctl(outer, EPOLL_CTL_ADD, inner, EPOLLIN, 2), 0);
	assert_int_equal(ctl(inner, EPOLL_CTL_ADD, outer, EPOLLIN, 2), -ELOOP);
	assert_int_equal(ep_wait(outer, 8, 0), 0);
	fake_spawn(add_one, (void *)(intptr_t)a);
	assert_int_equal(ep_wait(outer, 8, -1), 1);
	assert_int_equal(events[0].data, 2);
	assert_true(fake_reap() > 1);
	assert_int_equal(ep_wait(inner, 8, 0), 1);
	take(a);
	assert_int_equal(ep_wait(outer, 8, 0), 0);
	/* A chain has an end. */
	for (int i = 0; i < 8; i++)
		deep[i] = new_epoll();
	for (int i = 1; i < 6; i++)
		assert_int_equal(ctl(deep[i], EPOLL_CTL_ADD, deep[i - 1], EPOLLIN, 0), 0);
	assert_int_equal(ctl(deep[6], EPOLL_CTL_ADD, deep[5], EPOLLIN, 0), -ELOOP);
	for (int i = 0; i < 8; i++)
		fd_close(deep[i]);
	fd_close(a);
	fd_close(inner);
	fd_close(outer);
}

static void test_epoll_many(void **state)
{
	enum { N = 200 };
	int ep = new_epoll(), fd[N];
	int64_t n;

	for (int i = 0; i < N; i++) {
		fd[i] = new_eventfd((unsigned)i & 1);
		assert_int_equal(ctl(ep, EPOLL_CTL_ADD, fd[i], EPOLLIN | EPOLLET, (uint64_t)i), 0);
	}
	for (int seen = 0; seen < N / 2; seen += (int)n) {
		n = ep_wait(ep, 8, 0);
		assert_true(n > 0);
		for (int k = 0; k < n; k++)
			assert_int_equal(events[k].data & 1, 1);
	}
	assert_int_equal(ep_wait(ep, 8, 0), 0);
	for (int i = 0; i < N; i += 2)
		assert_int_equal(ctl(ep, EPOLL_CTL_DEL, fd[i], 0, 0), 0);
	for (int i = 0; i < N; i++) {
		add(fd[i], 1);
		fd_close(fd[i]);
	}
	assert_int_equal(ep_wait(ep, 8, 0), 0);
	fd_close(ep);
}

static void test_epoll_no_memory(void **state)
{
	int ep = new_epoll(), a = new_eventfd(1);
	int64_t r;
	unsigned n = 0;

	do {
		fail_alloc_arm(++n, false);
		r = ctl(ep, EPOLL_CTL_ADD, a, EPOLLIN, 1);
		fail_alloc_arm(0, false);
		if (r != 0) {
			assert_int_equal(r, -ENOMEM);
			assert_int_equal(ep_wait(ep, 8, 0), 0);
		}
	} while (r != 0);
	assert_true(n > 1);
	assert_int_equal(ep_wait(ep, 8, 0), 1);
	fd_close(a);
	fd_close(ep);
}

/* A signalfd watched by an epoll that outlives the watched task's signal table. */
static int shared_epoll;
static void watch_signals(void *arg)
{
	struct file *f, *ep = fd_get(shared_epoll);
	struct linux_epoll_event e = {.events = EPOLLIN, .data = 5};

	assert_int_equal(signalfd_create_file(SIGMASK(SIGUSR1), 0, &f), 0);
	assert_int_equal(fd_install(f, 50, false), 50);
	assert_int_equal(epoll_control(ep, EPOLL_CTL_ADD, 50, f, &e), 0);
	file_put(ep);
}

static void test_epoll_signalfd(void **state)
{
	shared_epoll = new_epoll();
	fake_spawn(watch_signals, NULL);
	assert_true(fake_reap() > 1);
	assert_int_equal(ep_wait(shared_epoll, 8, 0), 0);
	assert_int_equal(fd_close(50), 0);
	fd_close(shared_epoll);
}

/* ---- ioctl ---------------------------------------------------------------- */

static void test_generic_ioctl(void **state)
{
	int fd = (int)sys_eventfd2(ARGS(0, 0)), on = 1;

	assert_int_equal(sys_ioctl(ARGS((uint64_t)fd, 0x5451)), 0); /* FIOCLEX */
	assert_int_equal(fd_get_cloexec(fd), 1);
	assert_int_equal(sys_ioctl(ARGS((uint64_t)fd, 0x5450)), 0); /* FIONCLEX */
	assert_int_equal(fd_get_cloexec(fd), 0);
	fake_user_put(0, &on, sizeof(on));
	assert_int_equal(sys_ioctl(ARGS((uint64_t)fd, 0x5421, U(0))), 0); /* FIONBIO */
	assert_int_equal(take(fd), -EAGAIN);
	assert_int_equal(sys_ioctl(ARGS((uint64_t)fd, 0x5421, 8)), -EFAULT);
	assert_int_equal(sys_ioctl(ARGS((uint64_t)fd, 0x5401, U(0))), -ENOTTY); /* TCGETS */
	assert_int_equal(sys_ioctl(ARGS(999, 0x5401, U(0))), -EBADF);
	fd_close(fd);
}

static int setup(void **state)
{
	fake_kernel_boot();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_poll_now), cmocka_unit_test(test_poll_timeout),
		cmocka_unit_test(test_poll_wakes), cmocka_unit_test(test_poll_errors),
		cmocka_unit_test(test_poll_interrupted), cmocka_unit_test(test_ppoll_mask),
		cmocka_unit_test(test_ppoll_remaining), cmocka_unit_test(test_poll_many),
		cmocka_unit_test(test_select), cmocka_unit_test(test_pselect_mask),
		cmocka_unit_test(test_eventfd), cmocka_unit_test(test_eventfd_blocks),
		cmocka_unit_test(test_timerfd), cmocka_unit_test(test_signalfd),
		cmocka_unit_test(test_epoll_level), cmocka_unit_test(test_epoll_edge),
		cmocka_unit_test(test_epoll_oneshot), cmocka_unit_test(test_epoll_sleeps),
		cmocka_unit_test(test_epoll_close), cmocka_unit_test(test_epoll_errors),
		cmocka_unit_test(test_epoll_nested), cmocka_unit_test(test_epoll_many),
		cmocka_unit_test(test_epoll_no_memory), cmocka_unit_test(test_epoll_signalfd),
		cmocka_unit_test(test_generic_ioctl),
	};

	return cmocka_run_group_tests(tests, setup, fake_kernel_end);
}
