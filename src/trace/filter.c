/*
 * Which system calls a trace shows: one bit a call, set from the words of the filter. Without a word that names calls
 * all are shown, unless the filter asks for faults or switches only.
 */
#include "abi/errno.h"
#include "lib/string.h"
#include "show.h"
#include "syscall/table.h"
#include "trace/trace.h"
#include "user_abi.h"

struct call_class {
	const char *name, *calls; /* each name between blanks */
};

/* As strace(1) groups them. */
static const struct call_class classes[] = {
	{"fork",
	 " fork vfork clone clone3 "},
	{"%file",
	 " open openat openat2 creat stat lstat newfstatat statx access faccessat "
	 "faccessat2 execve execveat chdir rename renameat renameat2 mkdir mkdirat rmdir "
	 "link linkat unlink unlinkat symlink symlinkat readlink readlinkat chmod "
	 "fchmodat chown lchown fchownat mknod mknodat truncate statfs utime utimes "
	 "futimesat utimensat getcwd chroot mount umount2 setxattr lsetxattr getxattr "
	 "lgetxattr listxattr llistxattr removexattr lremovexattr name_to_handle_at "},
	{"%desc",
	 " read write open openat openat2 creat close fstat newfstatat statx poll ppoll "
	 "lseek mmap ioctl pread64 pwrite64 readv writev preadv pwritev preadv2 pwritev2 "
	 "pipe pipe2 select pselect6 dup dup2 dup3 sendfile fcntl flock fsync fdatasync "
	 "ftruncate getdents getdents64 fchdir fchmod fchown fstatfs epoll_create "
	 "epoll_create1 epoll_ctl epoll_wait epoll_pwait epoll_pwait2 eventfd eventfd2 "
	 "signalfd signalfd4 timerfd_create timerfd_settime timerfd_gettime "
	 "copy_file_range fallocate fadvise64 memfd_create close_range pidfd_open syncfs "
	 "readahead sync_file_range "},
	{"%process",
	 " fork vfork clone clone3 execve execveat exit exit_group wait4 waitid "
	 "arch_prctl kill tkill tgkill pidfd_open pidfd_send_signal rt_sigqueueinfo "
	 "rt_tgsigqueueinfo "},
	{"%memory",
	 " brk mmap munmap mprotect mremap madvise msync mincore mlock mlock2 munlock "
	 "mlockall munlockall "},
	{"%signal",
	 " rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait "
	 "rt_sigqueueinfo rt_tgsigqueueinfo rt_sigsuspend sigaltstack kill tkill tgkill "
	 "pause signalfd signalfd4 pidfd_send_signal "},
	{"%network",
	 " socket connect accept accept4 sendto recvfrom sendmsg recvmsg sendmmsg "
	 "recvmmsg shutdown bind listen getsockname getpeername socketpair setsockopt "
	 "getsockopt "},
};

#define NR_WORDS (SYSCALL_NR_MAX / 64 + 1)
static uint64_t wanted[NR_WORDS];
static bool wants_all;
bool filter_has_times;

static bool add_call(const char *name, size_t len)
{
	bool is_found = false;

	for (uint64_t nr = 0; nr < SYSCALL_NR_MAX; nr++) {
		const struct syscall_entry *e = syscall_lookup(nr);

		if (e != NULL && strlen(e->name) == len && memcmp(e->name, name, len) == 0) {
			wanted[nr / 64] |= UINT64_C(1) << (nr % 64);
			is_found = true;
		}
	}
	return is_found;
}

static void add_class(const char *calls)
{
	while (*calls == ' ' && calls[1] != '\0') {
		const char *end = strchr(calls + 1, ' ');

		(void)add_call(calls + 1, (size_t)(end - calls - 1)); /* some architectures lack some */
		calls = end;
	}
}

/* 1: calls were named; 0: something else was; -EINVAL. */
static int add_word(const char *word, size_t len, struct filter_events *out)
{
	static const char *const others[] = {"fault", "switch", "%time"};
	bool *const flags[] = {&out->faults, &out->switches, &filter_has_times};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		if (strlen(others[i]) == len && memcmp(others[i], word, len) == 0) {
			*flags[i] = true;
			return 0;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		if (strlen(classes[i].name) == len && memcmp(classes[i].name, word, len) == 0) {
			add_class(classes[i].calls);
			return 1;
		}
	}
	return add_call(word, len) ? 1 : -EINVAL;
}

bool filter_wants(uint64_t nr)
{
	return wants_all || (nr < SYSCALL_NR_MAX && (wanted[nr / 64] >> (nr % 64) & 1) != 0);
}

int filter_parse(const char *text, struct filter_events *out, const char **bad)
{
	bool names_calls = false;

	*out = (struct filter_events){0};
	while (*text != '\0') {
		const char *comma = strchr(text, ',');
		size_t len = comma != NULL ? (size_t)(comma - text) : strlen(text);
		int r = add_word(text, len, out);

		if (r < 0) {
			*bad = text;
			return r;
		}
		names_calls |= r == 1;
		text += len + (comma != NULL);
	}
	wants_all = !names_calls && !out->faults && !out->switches;
	out->calls = names_calls || wants_all;
	return 0;
}
