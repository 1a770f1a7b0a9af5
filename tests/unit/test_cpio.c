/* The cpio unpacker: every kind of member, concatenated archives, and that no byte of a bad one does harm. */
#include "fs_fixture.h"

struct archive {
	uint8_t data[65536];
	size_t size;
};
static struct archive ar;

static void align(void)
{
	while (ar.size % 4 != 0)
		ar.data[ar.size++] = 0;
}

struct member {
	const char *name;
	uint32_t mode, ino, nlink, uid, mtime, rdev_major, rdev_minor;
	const char *body;
};

static void add(const struct member *m)
{
	size_t body_len = m->body != NULL ? strlen(m->body) : 0;

	ar.size += (size_t)sprintf((char *)ar.data + ar.size,
				   "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", m->ino,
				   m->mode, m->uid, 0, m->nlink, m->mtime, (uint32_t)body_len, 8, 1,
				   m->rdev_major, m->rdev_minor, (uint32_t)strlen(m->name) + 1, 0);
	memcpy(ar.data + ar.size, m->name, strlen(m->name) + 1);
	ar.size += strlen(m->name) + 1;
	align();
	if (body_len > 0)
		memcpy(ar.data + ar.size, m->body, body_len);
	ar.size += body_len;
	align();
}

static void add_trailer(void) { add(&(struct member){.name = "TRAILER!!!", .nlink = 1}); }

static int unpack(void) { return cpio_unpack("initrd", ar.data, ar.size, NULL); }

static void assert_content(const char *name, const char *content)
{
	struct file *f;
	char buf[256];

	assert_int_equal(fs_open(name, O_RDONLY, 0, &f), 0);
	assert_int_equal(vfs_read_kernel(f, buf, sizeof(buf), 0), strlen(content));
	assert_memory_equal(buf, content, strlen(content));
	file_put(f);
}

static int empty_archive(void **state)
{
	memset(&ar, 0, sizeof(ar));
	fake.log_size = 0;
	fake.is_quiet = true;
	return 0;
}

static void test_all_kinds(void **state)
{
	struct kstat st;
	struct path p;
	char buf[32];

	add(&(struct member){.name = ".", .mode = S_IFDIR | 0755, .nlink = 2});
	add(&(struct member){.name = "etc", .mode = S_IFDIR | 0711, .nlink = 2});
	add(&(struct member){.name = "./etc/motd",
			     .mode = S_IFREG | 0640,
			     .uid = 12,
			     .nlink = 1,
			     .mtime = 1234,
			     .body = "hi\n"});
	add(&(struct member){.name = "/bin/link", .mode = S_IFLNK | 0777, .nlink = 1, .body = "../etc/motd"});
	add(&(struct member){
		.name = "dev2/null", .mode = S_IFCHR | 0666, .nlink = 1, .rdev_major = 1, .rdev_minor = 3});
	add(&(struct member){.name = "fifo", .mode = S_IFIFO | 0600, .nlink = 1});
	add(&(struct member){.name = "suid", .mode = S_IFREG | 04755, .nlink = 1});
	/* two names of one file, the data with the last */
	add(&(struct member){.name = "h1", .mode = S_IFREG | 0644, .ino = 77, .nlink = 2});
	add(&(struct member){.name = "h2", .mode = S_IFREG | 0644, .ino = 77, .nlink = 2, .body = "linked"});
	add_trailer();
	ar.size += 512; /* padding */
	/* a second archive replaces and adds */
	add(&(struct member){.name = "etc/motd", .mode = S_IFREG | 0644, .nlink = 1, .body = "new"});
	add(&(struct member){.name = "etc", .mode = S_IFDIR | 0755, .nlink = 2});
	add_trailer();
	assert_int_equal(unpack(), 0);
	assert_content("/etc/motd", "new");
	assert_content("/bin/link", "new");
	assert_int_equal(fs_stat("/etc", 0, &st), 0);
	assert_int_equal(st.mode, S_IFDIR | 0755);
	assert_int_equal(fs_stat("/dev2/null", 0, &st), 0);
	assert_int_equal(st.mode, S_IFCHR | 0666);
	assert_int_equal(st.rdev, dev_make(1, 3));
	assert_int_equal(fs_stat("/fifo", 0, &st), 0);
	assert_true(S_ISFIFO(st.mode));
	assert_int_equal(fs_stat("/suid", 0, &st), 0);
	assert_int_equal(st.mode, S_IFREG | 04755);
	assert_content("/h1", "linked");
	assert_int_equal(fs_stat("/h2", 0, &st), 0);
	assert_int_equal(st.nlink, 2);
	assert_int_equal(path_lookup(AT_FDCWD, "/bin/link", 0, &p), 0);
	assert_int_equal(vfs_readlink(&p, buf, 32), 11);
	path_put(&p);
}

static void test_attributes(void **state)
{
	struct kstat st;

	add(&(struct member){
		.name = "attr", .mode = S_IFREG | 0604, .uid = 12, .nlink = 1, .mtime = 99, .body = "x"});
	add_trailer();
	assert_int_equal(unpack(), 0);
	assert_int_equal(fs_stat("/attr", 0, &st), 0);
	assert_int_equal(st.mode, S_IFREG | 0604);
	assert_int_equal(st.uid, 12);
	assert_int_equal(st.mtime.sec, 99);
}

static void assert_bad(const char *message)
{
	fake.log_size = 0;
	assert_int_equal(unpack(), -EINVAL);
	fake.log[MIN(fake.log_size, sizeof(fake.log) - 1)] = '\0';
	assert_non_null(strstr(fake.log, message));
}

static void test_bad_archives(void **state)
{
	size_t good;

	assert_int_equal(cpio_unpack("initrd", "", 0, NULL), 0);
	memcpy(ar.data, "\x1f\x8b garbage", 10);
	ar.size = 200;
	assert_bad("gzip data (unpack the archive first) at byte 0");
	empty_archive(NULL);
	memset(ar.data, 'x', 300);
	ar.size = 300;
	assert_bad("no cpio header (newc format) at byte 0");
	empty_archive(NULL);
	add(&(struct member){.name = "a", .mode = S_IFREG | 0644, .nlink = 1, .body = "body"});
	good = ar.size;
	ar.size = good - 4;
	assert_bad("truncated file in the cpio archive at byte 0");
	ar.size = 60;
	assert_bad("truncated cpio header at byte 0");
	ar.size = 111;
	assert_bad("truncated name");
	ar.size = good;
	memcpy(ar.data + 6 + 6 * 8, "FFFFFFFF", 8); /* size */
	assert_bad("truncated file");
	memcpy(ar.data + 6 + 6 * 8, "0000000G", 8);
	assert_bad("bad number");
	memcpy(ar.data + 6 + 6 * 8, "00000004", 8);
	memcpy(ar.data + 6 + 11 * 8, "00000000", 8); /* name length */
	assert_bad("bad name length");
	memcpy(ar.data + 6 + 11 * 8, "FFFFFFFF", 8);
	assert_bad("bad name length");
	memcpy(ar.data + 6 + 11 * 8, "00000001", 8);
	assert_bad("bad name");
	empty_archive(NULL);
	add(&(struct member){.name = "weird", .mode = 0170000 | 0644, .nlink = 1});
	assert_bad("bad member");
	empty_archive(NULL);
	add(&(struct member){.name = "emptylink", .mode = S_IFLNK | 0777, .nlink = 1});
	assert_bad("bad member");
}

/* ".." in a name does not leave the root; there is nothing above it. */
static void test_dotdot(void **state)
{
	add(&(struct member){.name = "../../escaped", .mode = S_IFREG | 0644, .nlink = 1, .body = "e"});
	add_trailer();
	assert_int_equal(unpack(), 0);
	assert_content("/escaped", "e");
}

/* Random damage: any result but a crash, a leak of structure, or a loop. */
static void test_random_damage(void **state)
{
	struct fake_random r = {fake_seed(7)};

	for (int round = 0; round < 3000; round++) {
		empty_archive(NULL);
		add(&(struct member){
			.name = "tmp/a", .mode = S_IFREG | 0644, .nlink = 1, .body = "some text"});
		add(&(struct member){.name = "tmp/l", .mode = S_IFLNK | 0777, .nlink = 1, .body = "a"});
		add(&(struct member){.name = "tmp/d", .mode = S_IFDIR | 0755, .nlink = 2});
		add_trailer();
		for (uint64_t n = 1 + fake_random_below(&r, 4); n > 0; n--)
			ar.data[fake_random_below(&r, ar.size)] = (uint8_t)fake_random(&r);
		int result = cpio_unpack(
			"initrd",
			ar.data, fake_random_below(&r, 4) == 0 ? fake_random_below(&r, ar.size) : ar.size, NULL);
		assert_true(result <= 0 && result > -200);
		fake.log_size = 0;
	}
}

static void test_out_of_memory(void **state)
{
	int error;

	add(&(struct member){.name = "oom/file-with-a-name-that-needs-room-of-its-own",
			     .mode = S_IFREG | 0644,
			     .nlink = 1,
			     .body = "x"});
	add(&(struct member){.name = "oom/link", .mode = S_IFLNK | 0777, .nlink = 1, .body = "target"});
	add_trailer();
	for (uint64_t n = 1;; n++) {
		fail_alloc_arm(n, false);
		error = unpack();
		fail_alloc_arm(0, false);
		if (error == 0)
			break;
		assert_int_equal(error, -ENOMEM);
		assert_int_equal(vfs_audit(), 0);
		assert_true(n < 500);
	}
	assert_content("/oom/file-with-a-name-that-needs-room-of-its-own", "x");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_all_kinds, empty_archive, fs_check),
		cmocka_unit_test_setup_teardown(test_attributes, empty_archive, fs_check),
		cmocka_unit_test_setup_teardown(test_bad_archives, empty_archive, fs_check),
		cmocka_unit_test_setup_teardown(test_dotdot, empty_archive, fs_check),
		cmocka_unit_test_setup_teardown(test_random_damage, empty_archive, fs_check),
		cmocka_unit_test_setup_teardown(test_out_of_memory, empty_archive, fs_check),
	};

	return cmocka_run_group_tests(tests, fs_boot, NULL);
}
