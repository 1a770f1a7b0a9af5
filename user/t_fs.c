/*
 * t_fs.c - files and directories: open's flags and errors, offsets, vectors,
 * truncation, links, renames, directories, descriptors, stat, times, locks.
 */
#define _GNU_SOURCE
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>

static char long_name[300], long_path[5000];

/* Show open's result and close what it opened. */
static void show_open(const char *what, const char *path, int flags, mode_t mode)
{
	int fd = open(path, flags, mode);

	show_ok(what, fd);
	if (fd >= 0)
		close(fd);
}

static void write_file(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0644);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		give_up(name);
	close(fd);
}

/* Print a small file's contents. */
static void show_file(const char *what, const char *name)
{
	char text[200];
	int fd = open(name, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

	if (n < 0)
		say("%s: %s\n", what, errno_name(errno));
	else
		say("%s: <%.*s>\n", what, (int)n, text);
	if (fd >= 0)
		close(fd);
}

static void test_open(void)
{
	show_open("missing", "missing", O_RDONLY, 0);
	show_open("create", "a", O_RDWR | O_CREAT, 0640);
	show_open("create again", "a", O_RDWR | O_CREAT, 0600);
	show_open("exclusive", "a", O_RDWR | O_CREAT | O_EXCL, 0600);
	show_open("empty name", "", O_RDONLY, 0);
	show_open("directory for writing", ".", O_RDWR, 0);
	show_open("directory for reading", ".", O_RDONLY, 0);
	show_open("O_DIRECTORY of a file", "a", O_RDONLY | O_DIRECTORY, 0);
	show_open("O_CREAT of a directory", ".", O_RDONLY | O_CREAT, 0600);
	show_open("file as a directory", "a/b", O_RDONLY, 0);
	show_open("slash after a file", "a/", O_RDONLY, 0);
	show_open("create with a slash", "new/", O_RDWR | O_CREAT, 0600);
	show_open("in a missing directory", "no/x", O_RDWR | O_CREAT, 0600);
	show_open("long name", long_name, O_RDWR | O_CREAT, 0600);
	show_open("long path", long_path, O_RDONLY, 0);
	show_open("bad address", bad_address, O_RDONLY, 0);
	show("symlink", symlink("loop2", "loop1"));
	show("symlink", symlink("loop1", "loop2"));
	show_open("loop", "loop1", O_RDONLY, 0);
	show("symlink", symlink("a", "link"));
	show_open("O_NOFOLLOW of a link", "link", O_RDONLY | O_NOFOLLOW, 0);
	show_open("O_PATH|O_NOFOLLOW of a link", "link", O_PATH | O_NOFOLLOW, 0);
	show("symlink", symlink("nowhere", "dangling"));
	show_open("exclusive through a dangling link", "dangling", O_RDWR | O_CREAT | O_EXCL, 0600);
	show_open("create through a dangling link", "dangling", O_RDWR | O_CREAT, 0600);
	show("it made the target", access("nowhere", F_OK));
	show_open("both modes at once", "a", 3, 0);
	int fd = open("a", O_PATH);
	char byte;
	show("read of O_PATH", read(fd, &byte, 1));
	struct stat status;
	show("fstat of O_PATH", fstat(fd, &status));
	say("mode %o\n", status.st_mode);
	close(fd);
	fd = open(".", O_TMPFILE | O_RDWR, 0600);
	show_ok("O_TMPFILE", fd);
	if (fd >= 0) {
		fstat(fd, &status);
		show("links of O_TMPFILE", (long)status.st_nlink);
		close(fd);
	}
	write_file("a", "contents");
	show_open("O_TRUNC", "a", O_WRONLY | O_TRUNC, 0);
	stat("a", &status);
	show("size after", status.st_size);
	umask(077);
	show_open("create under a mask", "masked", O_RDWR | O_CREAT, 0666);
	umask(022);
	stat("masked", &status);
	say("mode %o\n", status.st_mode & 07777);
	fd = open("readable", O_RDWR | O_CREAT, 0);
	show("creator may write whatever the mode", write(fd, "x", 1));
	close(fd);
	static const char *const names[] = {"a",	"loop1",   "loop2",  "link",
					    "dangling", "nowhere", "masked", "readable"};
	for (size_t i = 0; i < COUNT_OF(names); i++)
		show("unlink", unlink(names[i]));
}

static void test_offsets(void)
{
	char buffer[32] = "";
	int fd = open("f", O_RDWR | O_CREAT, 0600), append = open("f", O_WRONLY | O_APPEND);
	int reader = open("f", O_RDONLY);
	struct stat status;

	show("write", write(fd, "0123456789", 10));
	show("SEEK_SET", lseek(fd, 3, SEEK_SET));
	show("read", read(fd, buffer, 4));
	say("<%.4s>\n", buffer);
	show("SEEK_CUR", lseek(fd, -2, SEEK_CUR));
	show("SEEK_END", lseek(fd, -1, SEEK_END));
	show("before the start", lseek(fd, -1, SEEK_SET));
	show("bad whence", lseek(fd, 0, 99));
	show("closed", lseek(777, 0, SEEK_SET));
	show("beyond the end", lseek(fd, 100, SEEK_SET));
	show("read there", read(fd, buffer, 1));
	show("write there", write(fd, "x", 1));
	fstat(fd, &status);
	show("size", status.st_size);
	show("pread in the hole", pread(fd, buffer, 1, 50));
	show("is zero", buffer[0]);
	show("SEEK_DATA beyond the end", lseek(fd, 1000, SEEK_DATA));
	show("SEEK_HOLE at the end", lseek(fd, 0, SEEK_HOLE) > 0);
	show("pwrite", pwrite(fd, "PW", 2, 2));
	show("pwrite leaves the offset", lseek(fd, 0, SEEK_CUR));
	show("pread negative", pread(fd, buffer, 1, -1));
	show("pwrite negative", pwrite(fd, buffer, 1, -1));
	show("append", write(append, "end", 3));
	show("its offset", lseek(append, 0, SEEK_CUR));
	show("append after a seek", lseek(append, 0, SEEK_SET) | write(append, "E", 1));
	fstat(fd, &status);
	show("size", status.st_size);
	show("write of a reader", write(reader, "x", 1));
	show("read of a writer", read(append, buffer, 1));
	show("read of a directory", read(open(".", O_RDONLY), buffer, 1));
	show("read of length 0", read(fd, buffer, 0));
	show("read huge", syscall(SYS_read, reader, buffer, ~0UL / 2));
	lseek(reader, 0, SEEK_SET);
	struct iovec parts[3] = {{buffer, 4}, {buffer + 4, 4}, {NULL, 0}};
	show("readv", readv(reader, parts, 3));
	say("<%.8s>\n", buffer);
	show("readv of none", readv(reader, parts, 0));
	show("readv of too many", syscall(SYS_readv, reader, parts, 2000L));
	parts[0].iov_len = (size_t)-1;
	show("readv with a negative length", readv(reader, parts, 1));
	parts[0] = (struct iovec){(char *)"AB", 2};
	parts[1] = (struct iovec){(char *)"CD", 2};
	show("pwritev", pwritev(fd, parts, 2, 0));
	parts[0].iov_base = buffer;
	parts[1].iov_base = buffer + 2;
	show("preadv", preadv(reader, parts, 2, 0));
	say("<%.4s>\n", buffer);
	parts[1].iov_base = bad_address;
	lseek(reader, 0, SEEK_SET);
	long n = readv(reader, parts, 2);
	say("readv half bad: %s\n", n == 2 || (n == -1 && errno == EFAULT) ? "as allowed" : "WRONG");
	show("ftruncate shorter", ftruncate(fd, 5));
	show_file("after", "f");
	show("ftruncate longer", ftruncate(fd, 8));
	show("pread", pread(fd, buffer, 8, 0));
	say("%d %d\n", buffer[4], buffer[7]);
	show("ftruncate negative", ftruncate(fd, -1));
	show("ftruncate of a reader", ftruncate(reader, 1));
	show("truncate", truncate("f", 2));
	show("truncate missing", truncate("missing", 2));
	show("truncate a directory", truncate(".", 2));
	show_file("after", "f");
	struct rlimit limit = {1000, 1000}, old;
	getrlimit(RLIMIT_FSIZE, &old);
	limit.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_FSIZE, &limit);
	signal(SIGXFSZ, SIG_IGN);
	/* Nothing may be printed meanwhile: the output could be a file, too. */
	long beyond = pwrite(fd, "x", 1, 2000), error = errno, up_to = pwrite(fd, "abcdef", 6, 997);
	setrlimit(RLIMIT_FSIZE, &old);
	say("beyond RLIMIT_FSIZE: %ld %s\n", beyond, errno_name((int)error));
	say("up to RLIMIT_FSIZE: %ld\n", up_to);
	close(fd);
	close(append);
	close(reader);
	unlink("f");
	int from = open("from", O_RDWR | O_CREAT, 0600), to = open("to", O_RDWR | O_CREAT, 0600);
	show("fill", write(from, "sendfile moves this", 19));
	off_t offset = 9;
	show("sendfile", sendfile(to, from, &offset, 100));
	show("offset after", offset);
	show_file("sent", "to");
	show("fallocate", fallocate(to, 0, 0, 100));
	fstat(to, &status);
	show("size", status.st_size);
	show("fsync", fsync(to));
	show("fdatasync", fdatasync(to));
	show("fsync of closed", fsync(777));
	close(from);
	close(to);
	unlink("from");
	unlink("to");
}

static void test_names(void)
{
	struct stat status;
	char text[64];

	write_file("a", "A");
	show("link", link("a", "b"));
	stat("a", &status);
	show("links", (long)status.st_nlink);
	show("link over", link("a", "b"));
	show("link missing", link("missing", "c"));
	show("link of a directory", link(".", "c"));
	show("unlink", unlink("a"));
	show_file("other name", "b");
	show("unlink again", unlink("a"));
	show("unlink a directory", mkdir("d", 0755) | unlink("d"));
	show("unlink of .", unlink("."));
	show("unlink with a slash", unlink("b/"));
	show("unlink empty", unlink(""));
	show("unlink long", unlink(long_name));
	show("mkdir over", mkdir("d", 0755));
	show("mkdir deep", mkdir("x/y", 0755));
	show("mkdir with a slash", mkdir("e/", 0755));
	show("mkdir .", mkdir(".", 0755));
	show("mkdir under a file", mkdir("b/x", 0755));
	show("mkdir long", mkdir(long_name, 0755));
	stat("d", &status);
	say("mode %o\n", status.st_mode);
	show("rmdir a file", rmdir("b"));
	show("rmdir missing", rmdir("missing"));
	show("rmdir .", rmdir("."));
	show("rmdir d/..", rmdir("d/.."));
	write_file("d/f", "x");
	show("rmdir full", rmdir("d"));
	show("rename to the same", rename("b", "b"));
	show("rename", rename("b", "c"));
	show_file("renamed", "c");
	show("rename missing", rename("b", "x"));
	write_file("over", "old");
	show("rename over", rename("c", "over"));
	show_file("over", "over");
	show("file over a directory", rename("over", "d"));
	show("directory over a file", rename("d", "over"));
	show("directory over a full one", rename("e", "d"));
	show("directory over an empty one", rename("d", "e"));
	show_file("moved", "e/f");
	show("directory into itself", rename("e", "e/sub"));
	show("rename to .", rename("over", "."));
	show("rename empty", rename("", "x"));
	show("link to the same file", link("over", "twin") | rename("over", "twin"));
	show("both stay", access("over", F_OK) | access("twin", F_OK));
	show("RENAME_NOREPLACE", (int)syscall(SYS_renameat2, AT_FDCWD, "over", AT_FDCWD, "twin", 1));
	write_file("other", "O");
	show("RENAME_EXCHANGE", (int)syscall(SYS_renameat2, AT_FDCWD, "over", AT_FDCWD, "other", 2));
	show_file("exchanged", "over");
	show("symlink over", symlink("x", "over"));
	show("symlink empty", symlink("", "s"));
	show("symlink", symlink("e/f", "s"));
	show("readlink", readlink("s", text, sizeof text));
	show("readlink, cut", readlink("s", text, 2));
	show("readlink of a file", readlink("over", text, sizeof text));
	show("readlink with no room", readlink("s", text, 0));
	lstat("s", &status);
	say("mode %o size %ld\n", status.st_mode, (long)status.st_size);
	stat("s", &status);
	show("through it", status.st_size);
	show("rename a link", rename("s", "t"));
	show("readlink", readlink("t", text, sizeof text));
	show("lstat missing", lstat("s", &status));
	show("unlink", unlink("t") | unlink("over") | unlink("twin") | unlink("other"));
	show("unlink", unlink("e/f") | rmdir("e"));
	show("access", access(".", R_OK | W_OK | X_OK));
	show("access missing", access("missing", F_OK));
	show("access with bad mode", access(".", 0x100));
	show("chdir missing", chdir("missing"));
	write_file("file", "");
	show("chdir to a file", chdir("file"));
	unlink("file");
	show("getcwd too small", getcwd(text, 2) == NULL ? -1 : 0);
	show("raw getcwd too small", syscall(SYS_getcwd, text, 2L));
	show("mknod of a file", mknod("n", S_IFREG | 0600, 0));
	show("mknod again", mknod("n", S_IFREG | 0600, 0));
	show("chmod", chmod("n", 0741));
	stat("n", &status);
	say("mode %o\n", status.st_mode);
	show("chmod missing", chmod("missing", 0600));
	show("fchmod closed", fchmod(777, 0600));
	show("chown to itself", chown("n", getuid(), getgid()));
	show("chown of nothing", chown("n", (uid_t)-1, (gid_t)-1));
	show("unlink", unlink("n"));
}

static int by_name(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void test_directories(void)
{
	enum { NR = 300 };
	char name[32], *seen[NR + 10], buffer[512];
	int nr_seen = 0;
	struct stat status;

	mkdir("dir", 0755);
	for (int i = 0; i < NR; i++) {
		snprintf(name, sizeof name, "dir/file%03d", i);
		write_file(name, "");
	}
	mkdir("dir/sub", 0755);
	symlink("x", "dir/link");
	DIR *dir = opendir("dir");
	int types = 0;
	for (struct dirent *e; (e = readdir(dir)) != NULL;) {
		seen[nr_seen++] = strdup(e->d_name);
		if (strcmp(e->d_name, "sub") == 0)
			types |= e->d_type == DT_DIR || e->d_type == DT_UNKNOWN ? 1 : 0;
		if (strcmp(e->d_name, "link") == 0)
			types |= e->d_type == DT_LNK || e->d_type == DT_UNKNOWN ? 2 : 0;
		if (strcmp(e->d_name, "file000") == 0) {
			stat("dir/file000", &status);
			types |= e->d_ino == status.st_ino ? 4 : 0;
		}
		if (nr_seen == 100) {
			long place = telldir(dir);
			struct dirent *next = readdir(dir);
			char copy[256];
			snprintf(copy, sizeof copy, "%s", next->d_name);
			seekdir(dir, place);
			next = readdir(dir);
			show("seekdir finds the place again", strcmp(copy, next->d_name));
			seen[nr_seen++] = strdup(next->d_name);
		}
	}
	show("entries", nr_seen);
	show("kinds and inode", types);
	qsort(seen, (size_t)nr_seen, sizeof *seen, by_name);
	int doubled = 0;
	for (int i = 1; i < nr_seen; i++)
		doubled += strcmp(seen[i - 1], seen[i]) == 0;
	show("seen twice", doubled);
	say("%s %s %s %s\n", seen[0], seen[1], seen[2], seen[nr_seen - 1]);
	rewinddir(dir);
	int again = 0;
	while (readdir(dir) != NULL)
		again++;
	show("after rewind", again);
	closedir(dir);

	/* Remove while reading: each entry comes once. */
	dir = opendir("dir");
	int removed = 0;
	for (struct dirent *e; (e = readdir(dir)) != NULL;)
		if (strncmp(e->d_name, "file", 4) == 0)
			removed += unlinkat(dirfd(dir), e->d_name, 0) == 0;
	show("removed while reading", removed);
	closedir(dir);
	show("rest", unlink("dir/link") | rmdir("dir/sub"));
	int fd = open("dir", O_RDONLY);
	show("getdents64 with a tiny buffer", syscall(SYS_getdents64, fd, buffer, 8L));
	show("getdents64 of a file",
	     syscall(SYS_getdents64, 0L + open("dir/x", O_CREAT | O_RDWR, 0600), buffer, sizeof buffer));
	show("getdents64 of closed", syscall(SYS_getdents64, 777L, buffer, sizeof buffer));
	unlink("dir/x");
	show("lseek of a directory", lseek(fd, 0, SEEK_SET));
	show("rmdir while open", rmdir("dir"));
	show("getdents64 of a removed one", syscall(SYS_getdents64, fd, buffer, sizeof buffer));
	show("create in a removed one", openat(fd, "x", O_CREAT | O_RDWR, 0600));
	close(fd);
}

static void test_at_calls(void)
{
	struct stat status;
	char text[16] = "";

	mkdir("d", 0755);
	int dir = open("d", O_RDONLY | O_DIRECTORY), file = openat(dir, "f", O_RDWR | O_CREAT, 0600);
	show_ok("openat", file);
	show("openat at a file", openat(file, "x", O_RDONLY));
	show("openat at closed", openat(777, "x", O_RDONLY));
	int other = openat(777, "/dev/null", O_RDONLY);
	show_ok("openat of an absolute name", other);
	close(other);
	show("mkdirat", mkdirat(dir, "sub", 0755));
	show("fstatat", fstatat(dir, "sub", &status, 0));
	show("fstatat empty", fstatat(dir, "", &status, 0));
	show("fstatat AT_EMPTY_PATH", fstatat(file, "", &status, AT_EMPTY_PATH));
	show("fstatat bad flags", fstatat(dir, "sub", &status, 0x8000000));
	show("symlinkat", symlinkat("f", dir, "l"));
	show("readlinkat", readlinkat(dir, "l", text, sizeof text));
	show("fstatat of a link", fstatat(dir, "l", &status, AT_SYMLINK_NOFOLLOW) | S_ISLNK(status.st_mode));
	show("linkat", linkat(dir, "f", AT_FDCWD, "hard", 0));
	show("renameat", renameat(AT_FDCWD, "hard", dir, "hard"));
	show("faccessat", faccessat(dir, "hard", R_OK, 0));
	show("fchmodat", fchmodat(dir, "hard", 0640, 0));
	show("fchownat", fchownat(dir, "hard", getuid(), (gid_t)-1, 0));
	show("unlinkat", unlinkat(dir, "hard", 0) | unlinkat(dir, "l", 0));
	show("unlinkat of a directory", unlinkat(dir, "sub", 0));
	show("unlinkat AT_REMOVEDIR", unlinkat(dir, "sub", AT_REMOVEDIR));
	show("unlinkat AT_REMOVEDIR of a file", unlinkat(dir, "f", AT_REMOVEDIR));
	show("unlinkat bad flags", unlinkat(dir, "f", 0x77));
	show("fchdir to a file", fchdir(file));
	int home = open(".", O_RDONLY);
	show("fchdir", fchdir(dir));
	show("found there", access("f", F_OK));
	show("back", fchdir(home));
	show("unlink while open", unlink("d/f"));
	show("write goes on", write(file, "x", 1));
	fstat(file, &status);
	show("links", (long)status.st_nlink);
	show("rmdir", rmdir("d"));
	close(file);
	close(dir);
	close(home);
}

static void test_descriptors(void)
{
	int fd = open("f", O_RDWR | O_CREAT, 0600), copy;
	struct rlimit limit, old;

	show("dup", (copy = dup(fd)) > fd);
	show("shared offset", write(fd, "abc", 3) == 3 ? lseek(copy, 0, SEEK_CUR) : -1);
	show("dup of closed", dup(777));
	show("dup2 to itself", dup2(fd, fd) == fd);
	show("dup2 of closed to itself", dup2(777, 777));
	show("dup2 to a high one", dup2(fd, 200));
	show("dup2 to a negative one", dup2(fd, -1));
	show("dup3 to itself", dup3(fd, fd, 0));
	show("dup3 with bad flags", dup3(fd, 201, 0x7));
	show("dup3 close on exec", dup3(fd, 201, O_CLOEXEC));
	show("its flag", fcntl(201, F_GETFD));
	show("F_DUPFD", fcntl(fd, F_DUPFD, 150));
	show("F_DUPFD_CLOEXEC", fcntl(fd, F_DUPFD_CLOEXEC, 150));
	show("F_DUPFD negative", fcntl(fd, F_DUPFD, -1));
	show("F_SETFD", fcntl(fd, F_SETFD, FD_CLOEXEC));
	show("F_GETFD", fcntl(fd, F_GETFD));
	show("copy's own flag", fcntl(copy, F_GETFD));
	show("F_SETFL append", fcntl(fd, F_SETFL, O_APPEND));
	show("shared by the copy", (fcntl(copy, F_GETFL) & O_APPEND) != 0);
	show("mode is kept", fcntl(fd, F_GETFL) & O_ACCMODE);
	show("bad command", fcntl(fd, 9999, 0));
	show("fcntl of closed", fcntl(777, F_GETFD));
	show("close", close(copy));
	show("close again", close(copy));
	show("close negative", close(-1));
	close(200);
	close(201);
	close(150);
	close(151);
	show("close_range", (int)syscall(SYS_close_range, 100U, 300U, 0U));
	getrlimit(RLIMIT_NOFILE, &old);
	limit = old;
	limit.rlim_cur = 20;
	setrlimit(RLIMIT_NOFILE, &limit);
	int opened = 0, last = -1;
	for (int one; (one = open("/dev/null", O_RDONLY)) >= 0; opened++)
		last = one;
	show("too many", -1);
	show("last one", last);
	show("dup2 beyond the limit", dup2(fd, 25));
	show("F_DUPFD beyond the limit", fcntl(fd, F_DUPFD, 25));
	for (; opened > 0; opened--)
		close(last--);
	setrlimit(RLIMIT_NOFILE, &old);
	show("lowest free is taken", close(0) | open("/dev/null", O_RDONLY));
	int reader = open("f", O_RDONLY);
	show("flock", flock(fd, LOCK_EX));
	show("flock of another", flock(reader, LOCK_EX | LOCK_NB));
	show("unlock", flock(fd, LOCK_UN));
	show("flock of another", flock(reader, LOCK_SH | LOCK_NB));
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_len = 10};
	show("F_SETLK", fcntl(fd, F_SETLK, &lock));
	pid_t pid = fork();
	if (pid == 0) {
		show("F_SETLK in a child", fcntl(fd, F_SETLK, &lock));
		show("F_GETLK in a child", fcntl(fd, F_GETLK, &lock));
		show_true("names the holder", lock.l_pid == getppid());
		_exit(0);
	}
	reap(pid);
	show("ioctl unknown", ioctl(fd, 0x12345678, 0));
	show("TCGETS of a file", ioctl(fd, 0x5401, long_path));
	show("TIOCGWINSZ of a file", ioctl(fd, TIOCGWINSZ, long_path));
	close(reader);
	close(fd);
	unlink("f");
}

static void test_stat(void)
{
	struct stat status, other;
	struct statx extended;
	struct timespec times[2] = {{1000000000, 123456789}, {1100000000, 987654321}};
	struct statfs system;
	struct utsname names;

	write_file("f", "12345");
	show("stat", stat("f", &status));
	say("mode %o links %ld size %ld block size %s\n", status.st_mode, (long)status.st_nlink,
	    (long)status.st_size, status.st_blksize > 0 ? "some" : "NONE");
	show_true("owner", status.st_uid == geteuid() && status.st_gid == getegid());
	show_true("time is now", labs(status.st_mtime - time(NULL)) < 100);
	int fd = open("f", O_RDWR);
	show("fstat", fstat(fd, &other));
	show_true("same file", status.st_ino == other.st_ino && status.st_dev == other.st_dev);
	show("fstat of closed", fstat(777, &other));
	show("stat to a bad place", (int)syscall(SYS_newfstatat, AT_FDCWD, "f", bad_address, 0));
	show("utimensat", utimensat(AT_FDCWD, "f", times, 0));
	stat("f", &status);
	say("times %ld.%09ld %ld.%09ld\n", (long)status.st_atim.tv_sec, status.st_atim.tv_nsec,
	    (long)status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
	times[0].tv_nsec = UTIME_OMIT;
	times[1].tv_nsec = UTIME_NOW;
	show("futimens", futimens(fd, times));
	stat("f", &status);
	say("kept %ld, now %d\n", (long)status.st_atim.tv_sec, labs(status.st_mtime - time(NULL)) < 100);
	times[0].tv_nsec = 1000000000;
	show("bad nanoseconds", utimensat(AT_FDCWD, "f", times, 0));
	show("utimensat missing", utimensat(AT_FDCWD, "missing", NULL, 0));
	show("statx", (int)syscall(SYS_statx, AT_FDCWD, "f", 0, 0x7ffU, &extended));
	say("mode %o size %ld links %u\n", extended.stx_mode, (long)extended.stx_size, extended.stx_nlink);
	show_true("statx agrees", extended.stx_ino == status.st_ino);
	show("statx bad flags", (int)syscall(SYS_statx, AT_FDCWD, "f", 0x10000000, 0x7ffU, &extended));
	show("statx of a descriptor", (int)syscall(SYS_statx, fd, "", AT_EMPTY_PATH, 0x7ffU, &extended));
	show("statfs", statfs(".", &system));
	show_true("it has a block size", system.f_bsize > 0);
	show("fstatfs", fstatfs(fd, &system));
	show("statfs missing", statfs("missing", &system));
	show("uname", uname(&names));
	say("%s\n", names.sysname);
	static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full", "/dev/urandom"};
	for (size_t i = 0; i < COUNT_OF(devices); i++) {
		show(devices[i], stat(devices[i], &status));
		say("mode %o device %lx\n", status.st_mode, (unsigned long)status.st_rdev);
	}
	close(fd);
	unlink("f");
}

int main(void)
{
	memset(long_name, 'n', sizeof long_name - 1);
	memset(long_path, 'p', sizeof long_path - 1);
	for (size_t i = 100; i < sizeof long_path; i += 100)
		long_path[i] = '/';
	long_path[sizeof long_path - 1] = 0;
	enter_private_directory("fs");
	test_open();
	test_offsets();
	test_names();
	test_directories();
	test_at_calls();
	test_descriptors();
	test_stat();
	leave_private_directory();
	return 0;
}
