/* Iterators over kernel and user buffers: order, partial moves at a bad page, windows, filemaps. */
#include "fs_fixture.h"

#include "abi/mman.h"
#include "mm/aspace.h"
#include "mm/pt.h"
#include "mm/usercopy.h"

#define BASE 0x10000000u

static int boot(void **state)
{
	struct mmap_args args = {.addr = BASE,
				 .length_bytes = 4 * PAGE_SIZE,
				 .prot = PROT_READ | PROT_WRITE,
				 .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED};

	if (fs_boot(state) != 0)
		return -1;
	aspace_init();
	aspace_set_pt_ops(&pt_ops_x86_64);
	if (aspace_create(NULL, &fs_task->aspace) != 0)
		return -1;
	return aspace_mmap(fs_task->aspace, &args) == BASE ? 0 : -1;
}

static void test_kernel_vectors(void **state)
{
	char a[3], b[5], text[16] = "abcdefgh";
	struct linux_iovec iov[3] = {{(uintptr_t)a, 3}, {0, 0}, {(uintptr_t)b, 5}};
	struct uio uio = {.iov = iov, .nr_iov = 3, .resid_bytes = 8, .is_kernel = true};

	assert_int_equal(uio_put(&uio, text, 2), 0);
	assert_int_equal(uio_put(&uio, text + 2, 6), 0);
	assert_int_equal(uio.resid_bytes, 0);
	assert_memory_equal(a, "abc", 3);
	assert_memory_equal(b, "defgh", 5);
	uio = (struct uio){.iov = iov, .nr_iov = 3, .resid_bytes = 8, .is_kernel = true};
	memset(text, 0, sizeof(text));
	assert_int_equal(uio_get(&uio, text, 8), 0);
	assert_string_equal(text, "abcdefgh");
	uio = (struct uio){.iov = iov, .nr_iov = 3, .resid_bytes = 8, .is_kernel = true};
	assert_int_equal(uio_zero(&uio, 5), 0);
	assert_memory_equal(a, "\0\0\0", 3);
	assert_memory_equal(b, "\0\0fgh", 5);
}

static void test_user_buffers(void **state)
{
	struct linux_iovec iov[2] = {{BASE + 100, 5000}, {BASE + 3 * PAGE_SIZE - 10, 20}};
	struct uio uio = {.iov = iov, .nr_iov = 2, .resid_bytes = 5020};
	char data[5020], back[5020];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)(i * 31);
	assert_int_equal(uio_put(&uio, data, sizeof(data)), 0);
	assert_int_equal(copy_from_user(back, uaddr(BASE + 100), 5000), 0);
	assert_memory_equal(data, back, 5000);
	uio = (struct uio){.iov = iov, .nr_iov = 2, .resid_bytes = 5020};
	assert_int_equal(uio_get(&uio, back, sizeof(back)), 0);
	assert_memory_equal(data, back, 5020);
}

/* Up to the bad page everything is moved and accounted. */
static void test_partial_move(void **state)
{
	struct linux_iovec iov;
	struct uio uio;
	char data[3 * 4096];
	struct file *f;
	uint64_t pos = 0;

	memset(data, 'z', sizeof(data));
	uio_user(&uio, &iov, BASE + 3 * PAGE_SIZE - 50, sizeof(data));
	assert_int_equal(uio_put(&uio, data, sizeof(data)), -EFAULT);
	assert_int_equal(sizeof(data) - uio.resid_bytes, 4096 + 50);
	uio_user(&uio, &iov, 0x50, 10);
	assert_int_equal(uio_get(&uio, data, 10), -EFAULT);
	assert_int_equal(uio.resid_bytes, 10);
	/* a write(2) whose buffer ends in the void writes what there is */
	assert_int_equal(fs_open("/tmp/part", O_CREAT | O_RDWR, 0644, &f), 0);
	uio_user(&uio, &iov, BASE + 3 * PAGE_SIZE - 50, sizeof(data));
	assert_int_equal(vfs_write(f, &uio, &pos), 4096 + 50);
	assert_int_equal(f->inode->map.size_bytes, 4096 + 50);
	assert_int_equal(pos, 4096 + 50);
	/* and what lies behind the end reads as zero when the file grows over it */
	assert_int_equal(vfs_ftruncate(f, 3 * 4096), 0);
	assert_int_equal(vfs_read_kernel(f, data, sizeof(data), 0), sizeof(data));
	for (size_t i = 4096 + 50; i < sizeof(data); i++)
		assert_int_equal(data[i], 0);
	/* read(2) into a bad buffer */
	pos = 0;
	uio_user(&uio, &iov, 0x50, 10);
	assert_int_equal(vfs_read(f, &uio, &pos), -EFAULT);
	assert_int_equal(pos, 0);
	file_put(f);
}

static void test_windows(void **state)
{
	struct linux_iovec iov;
	struct uio uio;
	size_t avail, total = 0;
	pfn_t pin;
	char back[5000];

	uio_user(&uio, &iov, BASE + 1000, 5000);
	while (uio.resid_bytes > 0) {
		char *w = uio_window(&uio, true, &avail, &pin);

		assert_non_null(w);
		assert_true(avail > 0 && avail <= uio.resid_bytes);
		memset(w, 'w', avail);
		total += avail;
		uio_advance(&uio, avail, pin);
	}
	assert_int_equal(total, 5000);
	assert_null(uio_window(&uio, true, &avail, &pin));
	assert_int_equal(copy_from_user(back, uaddr(BASE + 1000), 5000), 0);
	assert_int_equal(back[0], 'w');
	assert_int_equal(back[4999], 'w');
	uio_user(&uio, &iov, 0x50, 10);
	assert_null(uio_window(&uio, false, &avail, &pin));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_kernel_vectors, fs_check),
		cmocka_unit_test_teardown(test_user_buffers, fs_check),
		cmocka_unit_test_teardown(test_partial_move, fs_check),
		cmocka_unit_test_teardown(test_windows, fs_check),
	};

	return cmocka_run_group_tests(tests, boot, NULL);
}
