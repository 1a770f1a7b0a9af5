/* Boot with an initrd that is half of the memory: its pages are memory again by the time they are needed. */
#include "fs_fixture.h"

#define MIB ((uint64_t)1 << 20)
#define BASE UINT64_C(0x40000000)
#define FILE_BYTES (31 * MIB)

static size_t put_member(char *at, const char *name, uint32_t mode, uint64_t size_bytes)
{
	size_t n = (size_t)sprintf(at, "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", 1, mode, 0,
				   0, 1, 0, (unsigned)size_bytes, 0, 0, 0, 0, (unsigned)strlen(name) + 1, 0);

	n += (size_t)sprintf(at + n, "%s", name) + 1;
	return (n + 3) / 4 * 4;
}

static uint8_t byte_at(uint64_t offset) { return (uint8_t)(offset * 7 + (offset >> 12)); }

/* 64 MiB, of which the second half is the archive: one file nearly as large, and one behind it. */
static size_t build_archive(char *to)
{
	size_t n = put_member(to, "large", S_IFREG | 0644, FILE_BYTES);

	for (uint64_t i = 0; i < FILE_BYTES; i++)
		to[n++] = (char)byte_at(i);
	n += put_member(to + n, "last", S_IFREG | 0644, 4);
	memcpy(to + n, "end\n", 4);
	n += 4;
	return n + put_member(to + n, "TRAILER!!!", 0, 0);
}

static void test_half_of_memory(void **state)
{
	static struct boot_info boot;
	struct frame_stats before, after;
	struct file *f;
	uint8_t page[4096];
	char *archive;

	(void)state;
	fake.initrd = (struct fake_range){32 * MIB, 64 * MIB};
	fake_machine_boot_ranges(BASE, &(struct fake_range){0, 32 * MIB}, 1);
	frame_get_stats(&before);
	archive = arch_phys_base + BASE + 32 * MIB;
	boot.initrd = archive;
	boot.initrd_size_bytes = build_archive(archive);
	boot.initrd_pages.start = (paddr_t){BASE + 32 * MIB};
	boot.initrd_pages.end = (paddr_t){BASE + 64 * MIB};
	fs_task = fake_machine_task();
	fs_process.pid = 1;
	fs_process.refs = 1;
	for (int i = 0; i < NR_RLIMITS; i++)
		fs_process.rlimits[i] = (struct rlimit_pair){RLIM_INFINITY, RLIM_INFINITY};
	fs_task->process = &fs_process;
	fs_process.leader = fs_task;
	vfs_init(&boot);
	assert_int_equal(fdtable_create(&fs_task->files) != 0 || fs_context_create(&fs_task->fs) != 0, 0);
	assert_int_equal(fs_open("/large", O_RDONLY, 0, &f), 0);
	for (uint64_t at = 0; at < FILE_BYTES; at += sizeof(page)) {
		assert_int_equal(vfs_read_kernel(f, page, sizeof(page), at), sizeof(page));
		for (unsigned i = 0; i < sizeof(page); i += 509)
			assert_int_equal(page[i], byte_at(at + i));
	}
	file_put(f);
	assert_int_equal(fs_open("/last", O_RDONLY, 0, &f), 0);
	assert_int_equal(vfs_read_kernel(f, page, sizeof(page), 0), 4);
	assert_memory_equal(page, "end\n", 4);
	file_put(f);
	frame_get_stats(&after);
	assert_int_equal(after.nr_total, before.nr_total);
	assert_int_equal(after.nr_kind[FRAME_CACHE], FILE_BYTES / PAGE_SIZE + 1);
	assert_true(after.nr_free > 32 * MIB / PAGE_SIZE - 1024);
	assert_int_equal(frame_audit(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_half_of_memory)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
