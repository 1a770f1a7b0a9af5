/* Descriptor tables: lowest free number, growth, limits, close-on-exec, fork's copy, locks on close. */
#include "fs_fixture.h"

static int fresh_table(void **state)
{
	fdtable_put(fs_task->files);
	fs_process.rlimits[RLIMIT_NOFILE].cur = 1024;
	return fdtable_create(&fs_task->files);
}

static struct file *new_file(void)
{
	struct file *f;

	assert_int_equal(fs_open("/dev/null", O_RDWR, 0, &f), 0);
	return f;
}

static void test_lowest_free(void **state)
{
	for (int i = 0; i < 200; i++)
		assert_int_equal(fd_install(new_file(), 0, false), i);
	assert_int_equal(fd_close(130), 0);
	assert_int_equal(fd_close(3), 0);
	assert_int_equal(fd_close(64), 0);
	assert_int_equal(fd_close(64), -EBADF);
	assert_int_equal(fd_install(new_file(), 10, false), 64);
	assert_int_equal(fd_install(new_file(), 0, false), 3);
	assert_int_equal(fd_install(new_file(), 0, false), 130);
	assert_int_equal(fd_install(new_file(), 0, false), 200);
	assert_int_equal(fd_install(new_file(), 500, false), 500);
	assert_int_equal(fd_install(new_file(), 0, false), 201);
	assert_null(fd_get(400));
	assert_null(fd_get(-1));
	assert_null(fd_get(1 << 30));
	assert_int_equal(fd_close(-1), -EBADF);
	assert_int_equal(fdtable_next(fs_task->files, 202), 500);
	assert_int_equal(fdtable_next(fs_task->files, 501), -1);
}

static void test_limits(void **state)
{
	struct file *f = new_file();

	fs_process.rlimits[RLIMIT_NOFILE].cur = 3;
	for (int i = 0; i < 3; i++)
		assert_int_equal(fd_install(new_file(), 0, false), i);
	assert_int_equal(fd_install(f, 0, false), -EMFILE);
	assert_int_equal(fd_install(f, 3, false), -EINVAL);
	assert_int_equal(fd_install_at(f, 3, false), -EBADF);
	assert_int_equal(fd_install_at(f, -1, false), -EBADF);
	assert_int_equal(f->refs, 1);
	fs_process.rlimits[RLIMIT_NOFILE].cur = 0;
	assert_int_equal(fd_install(f, 0, false), -EMFILE);
	file_put(f);
}

static void test_install_at_replaces(void **state)
{
	struct file *a = new_file(), *b = new_file();

	file_get(a);
	assert_int_equal(fd_install_at(a, 7, true), 7);
	assert_int_equal(fd_get_cloexec(7), 1);
	assert_int_equal(fd_install_at(b, 7, false), 7);
	assert_int_equal(fd_get_cloexec(7), 0);
	assert_int_equal(a->refs, 1);
	file_put(a);
	assert_int_equal(fd_install(new_file(), 0, false), 0);
	assert_int_equal(fd_get_cloexec(1), -EBADF);
	assert_int_equal(fd_set_cloexec(1, true), -EBADF);
}

static void test_close_on_exec(void **state)
{
	for (int i = 0; i < 100; i++)
		assert_int_equal(fd_install(new_file(), 0, i % 3 == 0), i);
	fdtable_close_on_exec(fs_task->files);
	for (int i = 0; i < 100; i++)
		assert_int_equal(fd_get_cloexec(i), i % 3 == 0 ? -EBADF : 0);
	assert_int_equal(fd_install(new_file(), 0, false), 0);
	assert_int_equal(fd_install(new_file(), 0, false), 3);
}

/* Numbers that were never used are free, whatever the table's memory held before. */
static void test_unused_numbers(void **state)
{
	void *dirt[16];
	struct fdtable *copy;

	fdtable_put(fs_task->files);
	for (unsigned i = 0; i < ARRAY_SIZE(dirt); i++) {
		dirt[i] = kmalloc(576 << i % 4);
		memset(dirt[i], 0xa5, 576 << i % 4);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(dirt); i++)
		kfree(dirt[i]);
	assert_int_equal(fdtable_create(&fs_task->files), 0);
	for (int top = 3; top < 300; top *= 4) { /* within the first array, and grown twice */
		assert_int_equal(fd_install_at(new_file(), top, false), top);
		assert_int_equal(fdtable_copy(fs_task->files, &copy), 0);
		for (int fd = 0; fd < 600; fd++) {
			struct file *f = fdtable_file(copy, fd), *mine = fd_get(fd);

			assert_ptr_equal(f, mine);
			assert_int_equal(f != NULL, fd == 3 || (fd == 12 && top >= 12) || (fd == 48 && top >= 48) ||
							    (fd == 192 && top >= 192));
			if (f != NULL)
				file_put(f), file_put(mine);
		}
		fdtable_put(copy);
	}
}

static void test_copy(void **state)
{
	struct fdtable *copy, *mine = fs_task->files;
	struct file *f = new_file();

	file_get(f);
	assert_int_equal(fd_install(f, 300, true), 300);
	assert_int_equal(fd_install(new_file(), 0, false), 0);
	assert_int_equal(fdtable_copy(mine, &copy), 0);
	assert_int_equal(f->refs, 3);
	assert_ptr_equal(fdtable_file(copy, 300), f);
	file_put(f);
	fs_task->files = copy;
	assert_int_equal(fd_get_cloexec(300), 1);
	assert_int_equal(fd_close(300), 0);
	assert_int_equal(fd_install(new_file(), 0, false), 1);
	fs_task->files = mine;
	assert_int_equal(fd_get_cloexec(300), 1);
	fdtable_put(copy);
	assert_int_equal(f->refs, 2);
	file_put(f);
}

static void test_close_range(void **state)
{
	for (int i = 0; i < 150; i++)
		assert_int_equal(fd_install(new_file(), 0, false), i);
	assert_int_equal(fd_close_range(5, 4, false), -EINVAL);
	assert_int_equal(fd_close_range(10, 99, false), 0);
	assert_int_equal(fdtable_next(fs_task->files, 10), 100);
	assert_int_equal(fd_close_range(140, UINT32_MAX, true), 0);
	assert_int_equal(fd_get_cloexec(139), 0);
	assert_int_equal(fd_get_cloexec(149), 1);
	assert_int_equal(fd_close_range(3, UINT32_MAX, false), 0);
	assert_int_equal(fdtable_next(fs_task->files, 3), -1);
	assert_int_equal(fd_install(new_file(), 0, false), 3);
}

static void test_close_drops_record_locks(void **state)
{
	struct linux_flock l = {.l_type = F_WRLCK};
	struct file *a, *b;

	assert_int_equal(fs_make("/tmp/locked", ""), 0);
	assert_int_equal(fs_open("/tmp/locked", O_RDWR, 0, &a), 0);
	assert_int_equal(fs_open("/tmp/locked", O_RDWR, 0, &b), 0);
	file_get(a);
	assert_int_equal(fd_install(a, 0, false), 0);
	assert_int_equal(fd_install(b, 0, false), 1);
	assert_int_equal(lock_posix_set(a, &l, false, false), 0);
	assert_false(list_is_empty(&a->inode->flocks));
	assert_int_equal(fd_close(1), 0); /* any descriptor of the file will do */
	assert_true(list_is_empty(&a->inode->flocks));
	file_put(a);
}

static void test_out_of_memory(void **state)
{
	struct fdtable *copy;
	struct file *f = new_file();
	int result;

	for (uint64_t n = 1;; n++) {
		uint64_t before = fs_frames_used();

		fail_alloc_arm(n, false);
		result = fd_install(f, 900, false);
		fail_alloc_arm(0, false);
		if (result == 900)
			break;
		assert_int_equal(result, -ENOMEM);
		assert_int_equal(f->refs, 1);
		assert_int_equal(fs_frames_used(), before);
	}
	for (uint64_t n = 1;; n++) {
		uint64_t before = fs_frames_used();

		fail_alloc_arm(n, false);
		result = fdtable_copy(fs_task->files, &copy);
		fail_alloc_arm(0, false);
		if (result == 0)
			break;
		assert_int_equal(result, -ENOMEM);
		assert_int_equal(fs_frames_used(), before);
	}
	fdtable_put(copy);
}

static void test_fs_context(void **state)
{
	struct fs_context *copy, *mine = fs_task->fs;
	char buf[64];

	assert_int_equal(fs_chdir("/tmp"), 0);
	assert_int_equal(fs_context_copy(mine, &copy), 0);
	fs_task->fs = copy;
	copy->umask = 077;
	assert_int_equal(fs_chdir("/dev"), 0);
	fs_task->fs = mine;
	assert_string_equal(path_name(&mine->cwd, buf, sizeof(buf)), "/tmp");
	assert_int_equal(mine->umask, 022);
	fs_context_put(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_lowest_free, fresh_table, fs_check),
		cmocka_unit_test_setup_teardown(test_limits, fresh_table, fs_check),
		cmocka_unit_test_setup_teardown(test_install_at_replaces, fresh_table, fs_check),
		cmocka_unit_test_setup_teardown(test_close_on_exec, fresh_table, fs_check),
		cmocka_unit_test_setup_teardown(test_unused_numbers, fresh_table, fs_check),
		cmocka_unit_test_setup_teardown(test_copy, fresh_table, fs_check),
		cmocka_unit_test_setup_teardown(test_close_range, fresh_table, fs_check),
		cmocka_unit_test_setup_teardown(test_close_drops_record_locks, fresh_table, fs_check),
		cmocka_unit_test_setup_teardown(test_out_of_memory, fresh_table, fs_check),
		cmocka_unit_test_setup_teardown(test_fs_context, fresh_table, fs_check),
	};

	return cmocka_run_group_tests(tests, fs_boot, NULL);
}
