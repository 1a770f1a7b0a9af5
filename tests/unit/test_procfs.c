/* procfs: what is there, the formats programs parse, offsets, processes that vanish. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_kernel.h"

#include "abi/dirent.h"
#include "abi/errno.h"
#include "fs/proc.h"
#include "fs/tty.h"

static char text[65536];

/* The whole content of a file. */
static const char *content(const char *name)
{
	struct file *f = fake_open(name, O_RDONLY);
	int64_t n, len = 0;

	while ((n = fake_read(f, text + len, sizeof(text) - 1 - (size_t)len)) > 0)
		len += n;
	assert_int_equal(n, 0);
	text[len] = '\0';
	file_put(f);
	return text;
}

static int open_error(const char *name, unsigned flags)
{
	struct file *f = NULL;
	int err = vfs_openat(AT_FDCWD, name, flags, 0, &f);

	if (err == 0)
		file_put(f);
	return err;
}

static const char *link_text(const char *name)
{
	static char buf[256];
	struct path p;
	int64_t n;

	assert_int_equal(path_lookup(AT_FDCWD, name, 0, &p), 0);
	n = vfs_readlink(&p, buf, sizeof(buf) - 1);
	path_put(&p);
	assert_true(n >= 0);
	buf[n] = '\0';
	return buf;
}

struct listing {
	char names[8192];
	unsigned nr, limit;
	uint64_t last_pos;
};
static bool collect(void *arg, const char *name, size_t len, uint64_t ino, unsigned type, uint64_t next_pos)
{
	struct listing *l = arg;

	if (l->limit != 0 && l->nr == l->limit)
		return false;
	assert_true(next_pos > l->last_pos);
	assert_true(ino != 0 && type != DT_UNKNOWN);
	l->last_pos = next_pos;
	strcat(l->names, " ");
	strncat(l->names, name, len);
	l->nr++;
	return true;
}
static const char *listing(const char *name, unsigned step)
{
	static struct listing l;
	struct file *f = fake_open(name, O_RDONLY | O_DIRECTORY);
	uint64_t pos = 0;

	memset(&l, 0, sizeof(l));
	l.limit = step;
	for (;;) {
		unsigned before = l.nr;

		assert_int_equal(vfs_readdir(f, &pos, collect, &l), 0);
		if (step == 0 || l.nr == before)
			break;
		l.limit = l.nr + step;
	}
	strcat(l.names, " ");
	file_put(f);
	return l.names;
}
#define assert_has(hay, needle) assert_non_null(strstr(hay, needle))

static void nothing(void *arg) {}

/* ---- global files ---------------------------------------------------------- */

static void test_global(void **state)
{
	unsigned long long total, available;
	unsigned a, b, c, d;
	int used;

	assert_int_equal(sscanf(content("/proc/meminfo"), "MemTotal: %llu kB", &total), 1);
	assert_in_range(total, 60000, 65536);
	assert_int_equal(sscanf(strstr(text, "MemAvailable:"), "MemAvailable: %llu kB", &available), 1);
	assert_true(available < total);
	assert_memory_equal(text + 15, " ", 1);
	assert_int_equal(sscanf(content("/proc/uptime"), "%u.%2u %u.%2u\n%n", &a, &b, &c, &d, &used), 4);
	assert_int_equal(sscanf(content("/proc/loadavg"), "%u.%2u %u.%2u %*u.%*u %*u/%*u %*u\n", &a, &b, &c, &d), 4);
	assert_has(content("/proc/version"), "Linux version ");
	assert_has(content("/proc/stat"), "\nbtime ");
	assert_memory_equal(text, "cpu  ", 5);
	assert_has(content("/proc/cpuinfo"), "processor\t: 0\n");
	assert_has(content("/proc/mounts"), "proc /proc proc rw,relatime 0 0\n");
	assert_has(text, "devpts /dev/pts devpts rw,relatime,gid=5,mode=620,ptmxmode=666 0 0\n");
	assert_has(content("/proc/self/mountinfo"), " / /proc rw,relatime - proc proc rw\n");
	assert_has(content("/proc/filesystems"), "nodev\tproc\n");
	assert_string_equal(content("/proc/swaps"), "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n");
	assert_has(content("/proc/levitate/stats"), "\nframes_total ");
	assert_string_equal(content("/proc/diskstats"), "");
}

static void test_sys(void **state)
{
	struct file *f;

	assert_string_equal(content("/proc/sys/kernel/ostype"), "Linux\n");
	assert_string_equal(content("/proc/sys/kernel/pid_max"), "32768\n");
	f = fake_open("/proc/sys/kernel/hostname", O_WRONLY | O_TRUNC);
	assert_int_equal(fake_write(f, "box\n", 4), 4);
	file_put(f);
	assert_string_equal(content("/proc/sys/kernel/hostname"), "box\n");
	assert_int_equal(open_error("/proc/sys/vm/max_map_count", O_WRONLY), -EACCES);
	/* A UUID is new each time, the boot's stays. */
	char first[64];
	assert_int_equal(strlen(strcpy(first, content("/proc/sys/kernel/random/uuid"))), 37);
	assert_int_equal(first[14], '4');
	assert_string_not_equal(first, content("/proc/sys/kernel/random/uuid"));
	strcpy(first, content("/proc/sys/kernel/random/boot_id"));
	assert_string_equal(first, content("/proc/sys/kernel/random/boot_id"));
}

/* ---- directories ------------------------------------------------------------ */

static void test_listing(void **state)
{
	char all[8192];

	strcpy(all, listing("/proc", 0));
	assert_has(all, " . .. ");
	assert_has(all, " meminfo ");
	assert_has(all, " self ");
	assert_has(all, " 1 ");
	assert_string_equal(all, listing("/proc", 3)); /* in pieces: the same */
	assert_has(listing("/proc/1", 0), " cmdline ");
	assert_has(listing("/proc/1/task", 0), " . .. 1 ");
	assert_int_equal(open_error("/proc/2000", O_RDONLY), -ENOENT);
	assert_int_equal(open_error("/proc/01", O_RDONLY), -ENOENT);
	assert_int_equal(open_error("/proc/1x", O_RDONLY), -ENOENT);
	assert_int_equal(open_error("/proc/99999999999", O_RDONLY), -ENOENT);
	assert_int_equal(open_error("/proc/new", O_CREAT | O_WRONLY), -ENOENT);
}

static void test_self(void **state)
{
	assert_string_equal(link_text("/proc/self"), "1");
	assert_string_equal(link_text("/proc/thread-self"), "1/task/1");
	assert_string_equal(link_text("/proc/mounts"), "self/mounts");
	assert_string_equal(content("/proc/self/comm"), "test\n");
	assert_string_equal(content("/proc/thread-self/comm"), "test\n");
}

/* ---- a process -------------------------------------------------------------- */

static void test_stat(void **state)
{
	int pid, ppid, pgrp, session, tty, tpgid;
	char name[32], letter;
	const char *p;
	unsigned nr_fields = 0;

	assert_int_equal(sscanf(content("/proc/1/stat"), "%d (%31[^)]) %c %d %d %d %d %d", &pid, name,
				&letter, &ppid, &pgrp,
				&session, &tty, &tpgid), 8);
	assert_int_equal(pid, 1);
	assert_string_equal(name, "test");
	assert_int_equal(letter, 'R');
	assert_int_equal(ppid, 0);
	assert_int_equal(pgrp, 1);
	assert_int_equal(session, 1);
	assert_int_equal(tty, 0x501);
	assert_int_equal(tpgid, 1);
	for (p = text; *p != '\0'; p++)
		nr_fields += *p == ' ' || *p == '\n';
	assert_int_equal(nr_fields, 52);
	strcpy(current_task()->name, "a b) c");
	assert_has(content("/proc/1/stat"), "1 (a b) c) R ");
	strcpy(current_task()->name, "test");
	assert_int_equal(sscanf(content("/proc/1/statm"), "%*u %*u %*u %*u %*u %*u %*u\n"), 0);
	assert_int_equal(atoi(text), FAKE_USER_BYTES / PAGE_SIZE);
}

static void test_status(void **state)
{
	signal_set_blocked(SIGMASK(SIGUSR1));
	assert_has(content("/proc/1/status"), "Name:\ttest\nUmask:\t0022\nState:\tR (running)\nTgid:\t1\n");
	assert_has(text, "\nUid:\t0\t0\t0\t0\n");
	assert_has(text, "\nVmSize:\t    1024 kB\n");
	assert_has(text, "\nThreads:\t1\n");
	assert_has(text, "\nSigBlk:\t0000000000000200\n");
	signal_set_blocked(0);
}

static void test_maps(void **state)
{
	uint8_t byte = 1;

	assert_string_equal(content("/proc/1/maps"), "10000000-10100000 rw-p 00000000 00:00 0 \n");
	fake_user_put(5 * PAGE_SIZE, &byte, 1);
	assert_has(content("/proc/1/smaps"), "\nRss:            ");
	assert_has(text, "Size:               1024 kB\n");
	assert_has(content("/proc/1/smaps_rollup"), "[rollup]\nRss:  ");
}

static void test_memory_texts(void **state)
{
	struct aspace *as = current_task()->aspace;

	fake_user_put(0, "prog\0arg\0A=1\0B=2\0", 17);
	as->arg_start = FAKE_USER;
	as->arg_end = as->env_start = FAKE_USER + 9;
	as->env_end = FAKE_USER + 17;
	content("/proc/1/cmdline");
	assert_memory_equal(text, "prog\0arg\0\0", 10);
	content("/proc/1/environ");
	assert_memory_equal(text, "A=1\0B=2\0\0", 9);
	/* A title written over the arguments, longer than they were. */
	fake_user_put(0, "a long title\0=2\0", 16);
	content("/proc/1/cmdline");
	assert_memory_equal(text, "a long title\0\0", 14);
	as->arg_end = as->arg_start;
	assert_string_equal(content("/proc/1/cmdline"), "");
}

static void test_mem(void **state)
{
	struct file *f = fake_open("/proc/self/mem", O_RDWR);
	char got[8] = "";

	fake_user_put(100, "memory", 6);
	assert_int_equal(f->ops->lseek(f, FAKE_USER + 100, SEEK_SET), FAKE_USER + 100);
	assert_int_equal(fake_read(f, got, 6), 6);
	assert_string_equal(got, "memory");
	assert_int_equal(f->ops->lseek(f, FAKE_USER + 100, SEEK_SET), FAKE_USER + 100);
	assert_int_equal(fake_write(f, "MEM", 3), 3);
	fake_user_get(100, got, 6);
	assert_string_equal(got, "MEMory");
	f->ops->lseek(f, 0x1000, SEEK_SET);
	assert_int_equal(fake_read(f, got, 6), -EIO);
	file_put(f);
}

static void test_fd(void **state)
{
	struct file *f = fake_open("/proc/loadavg", O_RDONLY), *again;
	int fd = fd_install(f, 7, false);
	struct path p;
	struct kstat st;

	assert_int_equal(fd, 7);
	assert_has(listing("/proc/self/fd", 0), " . .. 7 ");
	assert_string_equal(link_text("/proc/self/fd/7"), "/proc/loadavg");
	assert_int_equal(path_lookup(AT_FDCWD, "/proc/self/fd/7", 0, &p), 0);
	assert_int_equal(vfs_stat_inode(p.dentry->inode, &st), 0);
	assert_int_equal(st.mode, S_IFLNK | 0500);
	path_put(&p);
	again = fake_open("/proc/self/fd/7", O_RDONLY);
	assert_ptr_equal(again->inode, f->inode);
	file_put(again);
	assert_int_equal(fake_read(f, text, 4), 4);
	assert_has(content("/proc/self/fdinfo/7"), "pos:\t4\nflags:\t0100000\n");
	fd_close(7);
	assert_int_equal(open_error("/proc/self/fd/7", O_RDONLY), -ENOENT);
	assert_int_equal(open_error("/proc/self/fdinfo/7", O_RDONLY), -ENOENT);
	/* The same number, another file: the cached link does not linger. */
	assert_int_equal(fd_install(fake_open("/proc/uptime", O_RDONLY), 7, false), 7);
	assert_string_equal(link_text("/proc/self/fd/7"), "/proc/uptime");
	fd_close(7);
	assert_string_equal(link_text("/proc/self/cwd"), "/");
	assert_int_equal(open_error("/proc/self/exe", O_RDONLY), -ENOENT);
}

static void test_writable(void **state)
{
	struct file *f = fake_open("/proc/self/comm", O_WRONLY);

	assert_int_equal(fake_write(f, "a-name-that-is-too-long", 23), 23);
	file_put(f);
	assert_string_equal(content("/proc/self/comm"), "a-name-that-is-\n");
	strcpy(current_task()->name, "test");
	f = fake_open("/proc/self/oom_score_adj", O_RDWR);
	assert_int_equal(fake_write(f, "-17\n", 4), 4);
	assert_int_equal(fake_write(f, "1001", 4), -EINVAL);
	assert_int_equal(fake_write(f, "1x", 2), -EINVAL);
	assert_int_equal(current_process()->oom_score_adj, -17);
	file_put(f);
	assert_string_equal(content("/proc/self/oom_score_adj"), "-17\n");
	assert_has(content("/proc/self/limits"),
		   "Max open files            1024                 1048576              files     \n");
}

/* ---- reading ---------------------------------------------------------------- */

static void test_offsets(void **state)
{
	struct file *f = fake_open("/proc/self/status", O_RDONLY);
	static char whole[8192], piecewise[8192];
	int64_t n, len = fake_read(f, whole, sizeof(whole)), at = 0;

	assert_true(len > 500);
	assert_int_equal(f->ops->lseek(f, 0, SEEK_SET), 0);
	while ((n = fake_read(f, piecewise + at, 7)) > 0)
		at += n;
	/* One text, although times went on while it was read. */
	assert_int_equal(at, len);
	assert_memory_equal(whole, piecewise, 100);
	assert_int_equal(vfs_read_kernel(f, piecewise, 10, 100), 10);
	assert_memory_equal(piecewise, whole + 100, 10);
	assert_int_equal(vfs_read_kernel(f, piecewise, 10, 1000000), 0);
	assert_int_equal(f->ops->lseek(f, -1, SEEK_SET), -EINVAL);
	assert_int_equal(f->ops->lseek(f, 0, SEEK_END), -EINVAL);
	file_put(f);
	/* Rewinding looks again. */
	f = fake_open("/proc/self/comm", O_RDONLY);
	assert_int_equal(fake_read(f, whole, 100), 5);
	strcpy(current_task()->name, "changed");
	f->pos = 0;
	assert_int_equal(fake_read(f, whole, 100), 8);
	strcpy(current_task()->name, "test");
	file_put(f);
}

static void test_vanishing(void **state)
{
	struct task *t = fake_spawn(nothing, NULL);
	struct file *stat, *dir, *fd_dir;
	char name[64];
	int pid = t->tid;
	struct listing l = {0};
	uint64_t pos = 0;

	snprintf(name, sizeof(name), "/proc/%d/stat", pid);
	assert_has(content(name), " (test) ");
	stat = fake_open(name, O_RDONLY);
	snprintf(name, sizeof(name), "/proc/%d", pid);
	dir = fake_open(name, O_RDONLY | O_DIRECTORY);
	snprintf(name, sizeof(name), "/proc/%d/fd", pid);
	fd_dir = fake_open(name, O_RDONLY | O_DIRECTORY);
	assert_int_equal(fake_reap(), pid);
	assert_int_equal(fake_read(stat, text, 100), -ESRCH);
	assert_int_equal(vfs_readdir(fd_dir, &pos, collect, &l), -ENOENT);
	file_put(stat);
	file_put(dir);
	file_put(fd_dir);
	assert_int_equal(open_error(name, O_RDONLY), -ENOENT);
	/* The number in another life is another process. */
	stat = fake_open("/proc/1/stat", O_RDONLY);
	current_process()->start_time_ns++;
	assert_int_equal(fake_read(stat, text, 100), -ESRCH);
	file_put(stat);
	assert_has(content("/proc/1/stat"), "1 (test) ");
	current_process()->start_time_ns--;
}

static void test_no_memory(void **state)
{
	struct file *f = NULL;
	unsigned nr_failed = 0;

	for (unsigned n = 1; n <= 12; n++) {
		int64_t r;

		fail_alloc_arm(n, false);
		r = vfs_openat(AT_FDCWD, "/proc/self/maps", O_RDONLY, 0, &f);
		if (r == 0) {
			r = fake_read(f, text, 100);
			file_put(f);
		}
		fail_alloc_arm(0, false);
		assert_true(r == -ENOMEM || r > 0);
		nr_failed += r < 0;
	}
	assert_true(nr_failed > 1);
}

static void test_others(void **state)
{
	struct task *t = fake_spawn(nothing, NULL);
	char name[64];

	/* What another user may not see. */
	t->cred.uid = t->cred.euid = t->cred.suid = 1000;
	current_task()->cred.fsuid = 500;
	current_task()->cred.cap_effective = 0;
	snprintf(name, sizeof(name), "/proc/%d/status", t->tid);
	assert_has(content(name), "\nUid:\t1000\t1000\t1000\t0\n");
	snprintf(name, sizeof(name), "/proc/%d/environ", t->tid);
	assert_int_equal(open_error(name, O_RDONLY), -EACCES);
	snprintf(name, sizeof(name), "/proc/%d/fd", t->tid);
	assert_int_equal(open_error(name, O_RDONLY), -EACCES);
	snprintf(name, sizeof(name), "/proc/%d/mem", t->tid);
	assert_int_equal(open_error(name, O_RDONLY), -EACCES);
	current_task()->cred.fsuid = 0;
	current_task()->cred.cap_effective = ~UINT64_C(0);
	assert_true(fake_reap() > 1);
}

static int setup(void **state)
{
	fake_kernel_boot();
	tty_set_console_session(current_process());
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_global), cmocka_unit_test(test_sys), cmocka_unit_test(test_listing),
		cmocka_unit_test(test_self), cmocka_unit_test(test_stat), cmocka_unit_test(test_status),
		cmocka_unit_test(test_maps), cmocka_unit_test(test_memory_texts), cmocka_unit_test(test_mem),
		cmocka_unit_test(test_fd), cmocka_unit_test(test_writable), cmocka_unit_test(test_offsets),
		cmocka_unit_test(test_vanishing), cmocka_unit_test(test_no_memory), cmocka_unit_test(test_others),
	};

	return cmocka_run_group_tests(tests, setup, fake_kernel_end);
}
