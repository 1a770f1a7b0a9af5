/* Pipes and FIFOs, what can be told without sleeping: capacity, atomicity, ends, polling, sizes, memory. */
#include "fs_fixture.h"

#include "abi/poll.h"
#include "sched/signal.h"

static struct file *ends[2];

static int open_pipe(void **state)
{
	static bool is_initialised;

	if (!is_initialised) {
		/* SIGPIPE needs a task that can be told */
		signal_init();
		is_initialised = sighand_create(&fs_task->sig.hand) == 0;
		list_init(&fs_process.tasks);
		list_init(&fs_task->process_link);
		list_add_tail(&fs_process.tasks, &fs_task->process_link);
		signal_queue_init(&fs_task->sig.queue);
		signal_queue_init(&fs_process.signal.queue);
	}
	return pipe_create(O_NONBLOCK, ends);
}

static int close_pipe(void **state)
{
	file_put(ends[0]);
	file_put(ends[1]);
	ends[0] = ends[1] = NULL;
	return fs_check(state);
}

static int64_t put(const void *data, size_t n) { return vfs_write_kernel(ends[1], data, n, 0); }
static int64_t get(void *data, size_t n) { return vfs_read_kernel(ends[0], data, n, 0); }

static void test_bytes_come_in_order(void **state)
{
	char out[100];
	uint8_t data[256], back[256];
	struct fake_random r = {fake_seed(1)};
	uint8_t sent = 0, received = 0;
	uint64_t in_pipe = 0;

	assert_int_equal(put("hello ", 6), 6);
	assert_int_equal(put("world", 5), 5);
	assert_int_equal(get(out, 100), 11);
	assert_memory_equal(out, "hello world", 11);
	assert_int_equal(get(out, 1), -EAGAIN);
	for (int step = 0; step < 20000; step++) {
		uint64_t n = 1 + fake_random_below(&r, 256);
		int64_t moved;

		if (fake_random_below(&r, 2) == 0) {
			for (uint64_t i = 0; i < n; i++)
				data[i] = (uint8_t)(sent + i);
			moved = put(data, n);
			if (moved > 0)
				sent += (uint8_t)moved, in_pipe += (uint64_t)moved;
			else
				assert_true(moved == -EAGAIN && in_pipe > 60000);
		} else {
			moved = get(back, n);
			assert_int_equal(moved, in_pipe == 0 ? -EAGAIN : (int64_t)MIN(n, in_pipe));
			for (int64_t i = 0; i < moved; i++)
				assert_int_equal(back[i], received++);
			in_pipe -= moved > 0 ? (uint64_t)moved : 0;
		}
	}
}

static void test_capacity_and_atomicity(void **state)
{
	char *big = calloc(1, 100000), one;

	assert_int_equal(pipe_get_size(ends[1]), 65536);
	assert_int_equal(put(big, 100000), 65536);
	assert_int_equal(put(big, 1), -EAGAIN);
	assert_int_equal(vfs_poll(ends[1], NULL), 0);
	assert_int_equal(vfs_poll(ends[0], NULL), POLLIN | POLLRDNORM);
	/* one byte taken makes no room for a new page: an atomic write is refused whole */
	assert_int_equal(get(&one, 1), 1);
	assert_int_equal(put(big, 4096), -EAGAIN);
	assert_int_equal(get(big, 4095), 4095);
	assert_int_equal(vfs_poll(ends[1], NULL), POLLOUT | POLLWRNORM);
	assert_int_equal(put(big, 4096), 4096);
	assert_int_equal(put(big, 4096), -EAGAIN);
	/* more than PIPE_BUF: what fits */
	assert_int_equal(get(big, 8192), 8192);
	assert_int_equal(put(big, 10000), 8192);
	free(big);
}

static void test_small_writes_share_pages(void **state)
{
	for (int i = 0; i < 65536 / 16; i++)
		assert_int_equal(put("0123456789abcdef", 16), 16);
	assert_int_equal(put("x", 1), -EAGAIN);
}

static void test_end_of_file_and_broken_pipe(void **state)
{
	char buf[8];

	assert_int_equal(put("rest", 4), 4);
	file_put(ends[1]);
	ends[1] = NULL;
	assert_int_equal(vfs_poll(ends[0], NULL), POLLIN | POLLRDNORM | POLLHUP);
	assert_int_equal(get(buf, 8), 4);
	assert_int_equal(get(buf, 8), 0);
	assert_int_equal(vfs_poll(ends[0], NULL), POLLHUP);
	file_put(ends[0]);
	assert_int_equal(pipe_create(O_NONBLOCK, ends), 0);
	file_put(ends[0]);
	ends[0] = NULL;
	assert_int_equal(vfs_poll(ends[1], NULL) & POLLERR, POLLERR);
	assert_int_equal(put("x", 1), -EPIPE);
	assert_int_equal(put("x", 0), 0);
	assert_true((fs_task->sig.queue.pending & (1u << (SIGPIPE - 1))) != 0);
}

static void test_modes_and_names(void **state)
{
	struct linux_iovec iov;
	struct uio uio;
	char buf[64];
	uint64_t pos = 0;

	uio_kernel(&uio, &iov, buf, 1);
	assert_int_equal(vfs_read(ends[1], &uio, &pos), -EBADF);
	assert_int_equal(vfs_write(ends[0], &uio, &pos), -EBADF);
	assert_memory_equal(file_name(ends[0], buf, sizeof(buf)), "pipe:[", 6);
	assert_int_equal(pipe_get_size(ends[0]), 65536);
}

static void test_packets(void **state)
{
	struct file *p[2];
	char buf[16];

	assert_int_equal(pipe_create(O_NONBLOCK | O_DIRECT, p), 0);
	assert_int_equal(vfs_write_kernel(p[1], "first", 5, 0), 5);
	assert_int_equal(vfs_write_kernel(p[1], "second", 6, 0), 6);
	assert_int_equal(vfs_read_kernel(p[0], buf, 3, 0), 3);
	assert_int_equal(vfs_read_kernel(p[0], buf, 16, 0), 6);
	assert_memory_equal(buf, "second", 6);
	file_put(p[0]);
	file_put(p[1]);
}

static void test_resize(void **state)
{
	char *data = malloc(70000), *back = malloc(70000);

	for (int i = 0; i < 70000; i++)
		data[i] = (char)(i * 13);
	assert_int_equal(put(data, 60000), 60000);
	assert_int_equal(pipe_set_size(ends[0], 4096), -EBUSY);
	assert_int_equal(pipe_set_size(ends[0], 0), -EINVAL);
	assert_int_equal(pipe_set_size(ends[0], 70000), 131072);
	assert_int_equal(put(data + 60000, 10000), 10000);
	assert_int_equal(get(back, 70000), 70000);
	assert_memory_equal(data, back, 70000);
	assert_int_equal(pipe_set_size(ends[0], 1), 4096);
	assert_int_equal(put(data, 5000), 4096);
	fs_become(1, 1);
	assert_int_equal(pipe_set_size(ends[0], 2 << 20), -EPERM);
	free(data);
	free(back);
}

static void test_fifo_opens(void **state)
{
	struct file *r, *w;
	char buf[8];

	assert_int_equal(vfs_mknodat(AT_FDCWD, "/tmp/fifo", S_IFIFO | 0600, 0), 0);
	assert_int_equal(fs_open("/tmp/fifo", O_WRONLY | O_NONBLOCK, 0, NULL), -ENXIO);
	assert_int_equal(fs_open("/tmp/fifo", O_RDONLY | O_NONBLOCK, 0, &r), 0);
	assert_int_equal(vfs_poll(r, NULL), 0); /* nobody has come yet: not hung up */
	assert_int_equal(vfs_read_kernel(r, buf, 8, 0), 0);
	assert_int_equal(fs_open("/tmp/fifo", O_WRONLY | O_NONBLOCK, 0, &w), 0);
	assert_int_equal(vfs_read_kernel(r, buf, 8, 0), -EAGAIN);
	assert_int_equal(vfs_write_kernel(w, "abc", 3, 0), 3);
	file_put(w);
	assert_int_equal(vfs_poll(r, NULL), POLLIN | POLLRDNORM | POLLHUP);
	assert_int_equal(vfs_read_kernel(r, buf, 8, 0), 3);
	assert_int_equal(vfs_unlinkat(AT_FDCWD, "/tmp/fifo", false), 0);
	assert_ptr_not_equal(r->inode->pipe, NULL);
	file_put(r);
	/* both ends in one file never wait */
	assert_int_equal(vfs_mknodat(AT_FDCWD, "/tmp/fifo", S_IFIFO | 0600, 0), 0);
	assert_int_equal(fs_open("/tmp/fifo", O_RDWR, 0, &r), 0);
	assert_int_equal(vfs_write_kernel(r, "abc", 3, 0), 3);
	assert_int_equal(vfs_read_kernel(r, buf, 8, 0), 3);
	file_put(r);
}

static void test_memory(void **state)
{
	uint64_t before = fs_frames_used();
	struct file *p[2];
	char *data = calloc(1, 65536);
	int error;

	for (int i = 0; i < 100; i++) {
		assert_int_equal(pipe_create(O_NONBLOCK, p), 0);
		assert_int_equal(vfs_write_kernel(p[1], data, 65536, 0), 65536);
		file_put(p[0]);
		file_put(p[1]);
	}
	assert_int_equal(fs_frames_used(), before);
	for (uint64_t n = 1;; n++) {
		fail_alloc_arm(n, false);
		error = pipe_create(O_NONBLOCK, p);
		fail_alloc_arm(0, false);
		if (error == 0)
			break;
		assert_int_equal(error, -ENOMEM);
		assert_int_equal(fs_frames_used(), before);
	}
	/* a write that finds no page says so, or how much went in */
	fail_alloc_arm(1, true);
	assert_int_equal(vfs_write_kernel(p[1], data, 10, 0), -ENOMEM);
	fail_alloc_arm(3, true);
	assert_int_equal(vfs_write_kernel(p[1], data, 65536, 0), 8192);
	fail_alloc_arm(0, false);
	file_put(p[0]);
	file_put(p[1]);
	assert_int_equal(fs_frames_used(), before);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_bytes_come_in_order, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(test_capacity_and_atomicity, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(test_small_writes_share_pages, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(test_end_of_file_and_broken_pipe, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(test_modes_and_names, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(test_packets, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(test_resize, open_pipe, close_pipe),
		cmocka_unit_test_setup_teardown(test_fifo_opens, open_pipe, close_pipe),
		cmocka_unit_test_teardown(test_memory, fs_check),
	};

	return cmocka_run_group_tests(tests, fs_boot, NULL);
}
