/*
 * The kinds of arguments: each word of a format in src/syscall/table.def, and how strace shows such an argument.
 * Structures are shown by structs.c. A word that is an output is shown when the call has ended; when
 * the call failed only its address is.
 */
#include "abi/fcntl.h"
#include "abi/futex.h"
#include "abi/ioctl.h"
#include "abi/mman.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "abi/socket.h"
#include "abi/wait.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "show.h"
#include "structs.h"

/* ---- constants ----------------------------------------------------------- */

const struct flag_name open_flag_names[] = {
	{O_ACCMODE, O_RDONLY, "O_RDONLY"}, {O_ACCMODE, O_WRONLY, "O_WRONLY"}, {O_ACCMODE, O_RDWR, "O_RDWR"},
	FLAG(O_CREAT), FLAG(O_EXCL), FLAG(O_NOCTTY), FLAG(O_TRUNC), FLAG(O_APPEND), FLAG(O_NONBLOCK), FLAG(O_SYNC),
	FLAG(O_DSYNC), FLAG(O_DIRECT), FLAG(O_LARGEFILE), FLAG(O_NOFOLLOW), FLAG(O_NOATIME), FLAG(O_CLOEXEC),
	FLAG(O_PATH), FLAG(O_TMPFILE), FLAG(O_DIRECTORY), END,
};
static const struct flag_name pipe_flags[] = {FLAG(O_CLOEXEC), FLAG(O_NONBLOCK), FLAG(O_DIRECT), END};
static const struct flag_name prot_names[] = {
	{7, 0, "PROT_NONE"}, FLAG(PROT_READ), FLAG(PROT_WRITE), FLAG(PROT_EXEC), FLAG(PROT_GROWSDOWN), END,
};
static const struct flag_name mmap_flags[] = {
	{MAP_TYPE, MAP_SHARED_VALIDATE, "MAP_SHARED_VALIDATE"}, FLAG(MAP_SHARED), FLAG(MAP_PRIVATE), FLAG(MAP_FIXED),
	FLAG(MAP_ANONYMOUS), FLAG(MAP_GROWSDOWN), FLAG(MAP_DENYWRITE), FLAG(MAP_EXECUTABLE), FLAG(MAP_LOCKED),
	FLAG(MAP_NORESERVE), FLAG(MAP_POPULATE), FLAG(MAP_NONBLOCK), FLAG(MAP_STACK), FLAG(MAP_HUGETLB), FLAG(MAP_SYNC),
	FLAG(MAP_FIXED_NOREPLACE), END,
};
static const struct flag_name mremap_flags[] = {FLAG(MREMAP_MAYMOVE), FLAG(MREMAP_FIXED), FLAG(MREMAP_DONTUNMAP), END};
static const struct flag_name msync_flags[] = {FLAG(MS_ASYNC), FLAG(MS_INVALIDATE), FLAG(MS_SYNC), END};
static const struct flag_name advices[] = {
	CHOICE(MADV_NORMAL), CHOICE(MADV_RANDOM), CHOICE(MADV_SEQUENTIAL), CHOICE(MADV_WILLNEED), CHOICE(MADV_DONTNEED),
	CHOICE(MADV_FREE), CHOICE(MADV_REMOVE), CHOICE(MADV_DONTFORK), CHOICE(MADV_DOFORK), CHOICE(MADV_MERGEABLE),
	CHOICE(MADV_UNMERGEABLE), CHOICE(MADV_HUGEPAGE), CHOICE(MADV_NOHUGEPAGE), CHOICE(MADV_DONTDUMP),
	CHOICE(MADV_DODUMP), CHOICE(MADV_WIPEONFORK), CHOICE(MADV_KEEPONFORK), CHOICE(MADV_COLD), CHOICE(MADV_PAGEOUT),
	CHOICE(MADV_POPULATE_READ), CHOICE(MADV_POPULATE_WRITE), END,
};
static const struct flag_name wait_flags[] = {
	FLAG(WNOHANG), FLAG(WSTOPPED), FLAG(WEXITED), FLAG(WCONTINUED), FLAG(WNOWAIT), FLAG(__WNOTHREAD), FLAG(__WALL),
	{0x80000000u, 0x80000000u, "__WCLONE"}, END,
};
static const struct flag_name wait_targets[] = {CHOICE(P_ALL), CHOICE(P_PID), CHOICE(P_PGID), CHOICE(P_PIDFD), END};
const struct flag_name clone_flag_names[] = {
	FLAG(CLONE_VM), FLAG(CLONE_FS), FLAG(CLONE_FILES), FLAG(CLONE_SIGHAND), FLAG(CLONE_PIDFD), FLAG(CLONE_PTRACE),
	FLAG(CLONE_VFORK), FLAG(CLONE_PARENT), FLAG(CLONE_THREAD), FLAG(CLONE_NEWNS), FLAG(CLONE_SYSVSEM),
	FLAG(CLONE_SETTLS), FLAG(CLONE_PARENT_SETTID), FLAG(CLONE_CHILD_CLEARTID), FLAG(CLONE_DETACHED),
	FLAG(CLONE_UNTRACED), FLAG(CLONE_CHILD_SETTID), FLAG(CLONE_NEWCGROUP), FLAG(CLONE_NEWUTS), FLAG(CLONE_NEWIPC),
	FLAG(CLONE_NEWUSER), FLAG(CLONE_NEWPID), FLAG(CLONE_NEWNET), FLAG(CLONE_IO), FLAG(CLONE_CLEAR_SIGHAND), END,
};
static const struct flag_name whences[] = {
	CHOICE(SEEK_SET), CHOICE(SEEK_CUR), CHOICE(SEEK_END), CHOICE(SEEK_DATA), CHOICE(SEEK_HOLE), END,
};
static const struct flag_name access_modes[] = {{7, 0, "F_OK"}, FLAG(R_OK), FLAG(W_OK), FLAG(X_OK), END};
static const struct flag_name at_flags[] = {
	FLAG(AT_SYMLINK_NOFOLLOW), FLAG(AT_SYMLINK_FOLLOW), FLAG(AT_NO_AUTOMOUNT), FLAG(AT_EMPTY_PATH), END,
};
static const struct flag_name unlink_flags[] = {FLAG(AT_REMOVEDIR), END};
static const struct flag_name access_flags[] = {
	FLAG(AT_EACCESS), FLAG(AT_SYMLINK_NOFOLLOW), FLAG(AT_EMPTY_PATH), END,
};
static const struct flag_name statx_flags[] = {
	{0x6000, 0, "AT_STATX_SYNC_AS_STAT"},
	{0x6000, 0x2000, "AT_STATX_FORCE_SYNC"},
	{0x6000, 0x4000, "AT_STATX_DONT_SYNC"},
	FLAG(AT_SYMLINK_NOFOLLOW),
	FLAG(AT_NO_AUTOMOUNT),
	FLAG(AT_EMPTY_PATH),
	END,
};
static const struct flag_name statx_masks[] = {
	{1, 1, "STATX_TYPE"}, {2, 2, "STATX_MODE"},
	{4, 4, "STATX_NLINK"}, {8, 8, "STATX_UID"}, {16, 16, "STATX_GID"}, {32, 32, "STATX_ATIME"},
	{64, 64, "STATX_MTIME"}, {128, 128, "STATX_CTIME"}, {256, 256, "STATX_INO"}, {512, 512, "STATX_SIZE"},
	{1024, 1024, "STATX_BLOCKS"}, {2048, 2048, "STATX_BTIME"}, {4096, 4096, "STATX_MNT_ID"}, END,
};
static const struct flag_name rename_flags[] = {
	FLAG(RENAME_NOREPLACE), FLAG(RENAME_EXCHANGE), FLAG(RENAME_WHITEOUT), END,
};
static const struct flag_name mask_hows[] = {CHOICE(SIG_BLOCK), CHOICE(SIG_UNBLOCK), CHOICE(SIG_SETMASK), END};
static const struct flag_name resources[] = {
	CHOICE(RLIMIT_CPU), CHOICE(RLIMIT_FSIZE), CHOICE(RLIMIT_DATA), CHOICE(RLIMIT_STACK), CHOICE(RLIMIT_CORE),
	CHOICE(RLIMIT_RSS), CHOICE(RLIMIT_NPROC), CHOICE(RLIMIT_NOFILE), CHOICE(RLIMIT_MEMLOCK), CHOICE(RLIMIT_AS),
	CHOICE(RLIMIT_LOCKS), CHOICE(RLIMIT_SIGPENDING), CHOICE(RLIMIT_MSGQUEUE), CHOICE(RLIMIT_NICE),
	CHOICE(RLIMIT_RTPRIO), CHOICE(RLIMIT_RTTIME), END,
};
static const struct flag_name usages[] = {CHOICE(RUSAGE_SELF), CHOICE(RUSAGE_CHILDREN), CHOICE(RUSAGE_THREAD), END};
static const struct flag_name priorities[] = {CHOICE(PRIO_PROCESS), CHOICE(PRIO_PGRP), CHOICE(PRIO_USER), END};
static const struct flag_name clocks[] = {
	CHOICE(CLOCK_REALTIME),		 CHOICE(CLOCK_MONOTONIC),     CHOICE(CLOCK_PROCESS_CPUTIME_ID),
	CHOICE(CLOCK_THREAD_CPUTIME_ID), CHOICE(CLOCK_MONOTONIC_RAW), CHOICE(CLOCK_REALTIME_COARSE),
	CHOICE(CLOCK_MONOTONIC_COARSE),	 CHOICE(CLOCK_BOOTTIME),      CHOICE(CLOCK_REALTIME_ALARM),
	CHOICE(CLOCK_BOOTTIME_ALARM),	 CHOICE(CLOCK_TAI),	      END,
};
static const struct flag_name timer_flags[] = {FLAG(TIMER_ABSTIME), END};
static const struct flag_name itimers[] = {CHOICE(ITIMER_REAL), CHOICE(ITIMER_VIRTUAL), CHOICE(ITIMER_PROF), END};
static const struct flag_name random_flags[] = {FLAG(GRND_NONBLOCK), FLAG(GRND_RANDOM), FLAG(GRND_INSECURE), END};
static const struct flag_name families[] = {
	CHOICE(AF_UNSPEC),	 CHOICE(AF_UNIX),	    {~0ull, 2, "AF_INET"},
	{~0ull, 10, "AF_INET6"}, {~0ull, 16, "AF_NETLINK"}, END,
};
static const struct flag_name socket_types[] = {
	{SOCK_TYPE_MASK, SOCK_STREAM, "SOCK_STREAM"}, {SOCK_TYPE_MASK, SOCK_DGRAM, "SOCK_DGRAM"},
	{SOCK_TYPE_MASK, SOCK_RAW, "SOCK_RAW"}, {SOCK_TYPE_MASK, SOCK_SEQPACKET, "SOCK_SEQPACKET"}, FLAG(SOCK_CLOEXEC),
	FLAG(SOCK_NONBLOCK), END,
};
static const struct flag_name message_flags[] = {
	FLAG(MSG_OOB), FLAG(MSG_PEEK), FLAG(MSG_TRUNC), FLAG(MSG_DONTWAIT), FLAG(MSG_EOR), FLAG(MSG_WAITALL),
	FLAG(MSG_NOSIGNAL), FLAG(MSG_CMSG_CLOEXEC), END,
};
static const struct flag_name shutdown_hows[] = {CHOICE(SHUT_RD), CHOICE(SHUT_WR), CHOICE(SHUT_RDWR), END};
static const struct flag_name lock_operations[] = {
	FLAG(LOCK_SH), FLAG(LOCK_EX), FLAG(LOCK_UN), FLAG(LOCK_NB), END,
};
static const struct flag_name allocate_modes[] = {
	FLAG(FALLOC_FL_KEEP_SIZE),  FLAG(FALLOC_FL_PUNCH_HOLE),	  FLAG(FALLOC_FL_COLLAPSE_RANGE),
	FLAG(FALLOC_FL_ZERO_RANGE), FLAG(FALLOC_FL_INSERT_RANGE), END,
};
static const struct flag_name file_advices[] = {
	{~0ull, 0, "POSIX_FADV_NORMAL"}, {~0ull, 1, "POSIX_FADV_RANDOM"}, {~0ull, 2, "POSIX_FADV_SEQUENTIAL"},
	{~0ull, 3, "POSIX_FADV_WILLNEED"}, {~0ull, 4, "POSIX_FADV_DONTNEED"}, {~0ull, 5, "POSIX_FADV_NOREUSE"}, END,
};
static const struct flag_name memfd_flags[] = {FLAG(MFD_CLOEXEC), FLAG(MFD_ALLOW_SEALING), FLAG(MFD_HUGETLB), END};
static const struct flag_name eventfd_flags[] = {{1, 1, "EFD_SEMAPHORE"}, {O_CLOEXEC, O_CLOEXEC, "EFD_CLOEXEC"},
						 {O_NONBLOCK, O_NONBLOCK, "EFD_NONBLOCK"}, END};
static const struct flag_name epoll_flags[] = {{O_CLOEXEC, O_CLOEXEC, "EPOLL_CLOEXEC"}, END};
static const struct flag_name epoll_operations[] = {
	{~0ull, 1, "EPOLL_CTL_ADD"}, {~0ull, 2, "EPOLL_CTL_DEL"}, {~0ull, 3, "EPOLL_CTL_MOD"}, END,
};
static const struct flag_name ioctls[] = {
	CHOICE(TCGETS),	    CHOICE(TCSETS),
	CHOICE(TCSETSW),    CHOICE(TCSETSF),
	CHOICE(TCSBRK),	    CHOICE(TCXONC),
	CHOICE(TCFLSH),	    CHOICE(TIOCEXCL),
	CHOICE(TIOCNXCL),   CHOICE(TIOCSCTTY),
	CHOICE(TIOCGPGRP),  CHOICE(TIOCSPGRP),
	CHOICE(TIOCOUTQ),   CHOICE(TIOCGWINSZ),
	CHOICE(TIOCSWINSZ), CHOICE(FIONREAD),
	CHOICE(FIONBIO),    CHOICE(TIOCNOTTY),
	CHOICE(TIOCGSID),   CHOICE(TIOCGPTN),
	CHOICE(TIOCSPTLCK), CHOICE(TIOCGPTPEER),
	CHOICE(FIONCLEX),   CHOICE(FIOCLEX),
	CHOICE(FIOASYNC),   END,
};
static const struct flag_name fcntls[] = {
	CHOICE(F_DUPFD), CHOICE(F_GETFD), CHOICE(F_SETFD), CHOICE(F_GETFL), CHOICE(F_SETFL), CHOICE(F_GETLK),
	CHOICE(F_SETLK), CHOICE(F_SETLKW), CHOICE(F_SETOWN), CHOICE(F_GETOWN), CHOICE(F_SETSIG), CHOICE(F_GETSIG),
	CHOICE(F_SETOWN_EX), CHOICE(F_GETOWN_EX), CHOICE(F_OFD_GETLK), CHOICE(F_OFD_SETLK), CHOICE(F_OFD_SETLKW),
	CHOICE(F_SETLEASE), CHOICE(F_GETLEASE), CHOICE(F_NOTIFY), CHOICE(F_DUPFD_CLOEXEC), CHOICE(F_SETPIPE_SZ),
	CHOICE(F_GETPIPE_SZ), CHOICE(F_ADD_SEALS), CHOICE(F_GET_SEALS), END,
};
static const struct flag_name prctls[] = {
	CHOICE(PR_SET_PDEATHSIG),
	CHOICE(PR_GET_PDEATHSIG),
	CHOICE(PR_GET_DUMPABLE),
	CHOICE(PR_SET_DUMPABLE),
	CHOICE(PR_GET_KEEPCAPS),
	CHOICE(PR_SET_KEEPCAPS),
	CHOICE(PR_SET_NAME),
	CHOICE(PR_GET_NAME),
	CHOICE(PR_CAPBSET_READ),
	CHOICE(PR_CAPBSET_DROP),
	CHOICE(PR_GET_SECUREBITS),
	CHOICE(PR_SET_SECUREBITS),
	CHOICE(PR_SET_TIMERSLACK),
	CHOICE(PR_GET_TIMERSLACK),
	CHOICE(PR_SET_CHILD_SUBREAPER),
	CHOICE(PR_GET_CHILD_SUBREAPER),
	CHOICE(PR_SET_NO_NEW_PRIVS),
	CHOICE(PR_GET_NO_NEW_PRIVS),
	CHOICE(PR_GET_TID_ADDRESS),
	END,
};
static const struct flag_name arch_prctls[] = {
	{~0ull, 0x1001, "ARCH_SET_GS"}, {~0ull, 0x1002, "ARCH_SET_FS"}, {~0ull, 0x1003, "ARCH_GET_FS"},
	{~0ull, 0x1004, "ARCH_GET_GS"}, {~0ull, 0x3001, "0x3001 /* ARCH_??? */"}, END,
};
static const struct flag_name futex_operations[] = {
	CHOICE(FUTEX_WAIT), CHOICE(FUTEX_WAKE), CHOICE(FUTEX_FD), CHOICE(FUTEX_REQUEUE), CHOICE(FUTEX_CMP_REQUEUE),
	CHOICE(FUTEX_WAKE_OP), CHOICE(FUTEX_LOCK_PI), CHOICE(FUTEX_UNLOCK_PI), CHOICE(FUTEX_TRYLOCK_PI),
	CHOICE(FUTEX_WAIT_BITSET), CHOICE(FUTEX_WAKE_BITSET), END,
};
static const struct flag_name close_range_flags[] = {FLAG(CLOSE_RANGE_UNSHARE), FLAG(CLOSE_RANGE_CLOEXEC), END};

/* ---- scalars ------------------------------------------------------------- */

SHOW(show_int) { add(a->line, "%d", (int)value); }
SHOW(show_long) { add(a->line, "%lld", (long long)value); }
SHOW(show_unsigned) { add(a->line, "%llu", (unsigned long long)value); }
SHOW(show_hex) { add(a->line, value != 0 ? "%#llx" : "%llu", (unsigned long long)value); }
SHOW(show_mode) { add(a->line, (value & 07777777) != 0 ? "%#03llo" : "000", (unsigned long long)(value & 07777777)); }
SHOW(show_pointer) { add_pointer(a->line, value); }
SHOW(show_signal) { add_signal(a->line, value); }
SHOW(show_flags) { add_flags(a->line, value, a->kind->names); }
SHOW(show_path) { add_string(a->line, value, 4095); }
SHOW(show_string) { add_string(a->line, value, STRING_SHOWN); }
SHOW(show_input) { add_bytes(a->line, value, a->args[a->i + 1]); }

SHOW(show_choice)
{
	if (!add_choice(a->line, (uint64_t)(int64_t)(int32_t)value, a->kind->names) &&
	    !add_choice(a->line, value & UINT32_MAX, a->kind->names))
		add(a->line, "%#llx", (unsigned long long)value);
}

SHOW(show_directory)
{
	if ((int)value == AT_FDCWD)
		add(a->line, "AT_FDCWD");
	else
		add(a->line, "%d", (int)value);
}

SHOW(show_output)
{
	if (a->result >= 0)
		add_bytes(a->line, value, (uint64_t)a->result);
	else
		add_pointer(a->line, value);
}

/* A text whose NUL counts. */
SHOW(show_output_text)
{
	if (a->result > 0)
		add_string(a->line, value, 4095);
	else
		add_pointer(a->line, value);
}

void add_statx_mask(struct line *line, uint64_t mask)
{
	if (mask == 0x7ff || mask == 0xfff)
		add(line, mask == 0x7ff ? "STATX_BASIC_STATS" : "STATX_ALL");
	else
		add_flags(line, mask, statx_masks);
}

SHOW(show_statx_mask) { add_statx_mask(a->line, value); }

/* Random bytes: all of them as numbers. */
SHOW(show_random)
{
	unsigned char bytes[STRING_SHOWN];
	size_t n = a->result < 0 ? 0 : MIN((size_t)a->result, sizeof(bytes));

	if (a->result < 0 || copy_from_user(bytes, uaddr(value), n) != 0) {
		add_pointer(a->line, value);
		return;
	}
	add(a->line, "\"");
	for (size_t i = 0; i < n; i++)
		add(a->line, "\\x%02x", bytes[i]);
	add(a->line, (size_t)a->result > n ? "\"..." : "\"");
}

#define VECTOR_SHOWN 32

/* argv of execve: strings; envp: how many there are. */
static unsigned vector_walk(const struct argument *a, uint64_t addr, bool is_shown)
{
	uint64_t p = 0;
	unsigned n = 0;

	while (copy_from_user(&p, uaddr(addr + n * 8ull), sizeof(p)) == 0 && p != 0) {
		if (is_shown && n < VECTOR_SHOWN) {
			add(a->line, n != 0 ? ", " : "");
			add_string(a->line, p, STRING_SHOWN);
		}
		n++;
	}
	return n;
}

SHOW(show_argv)
{
	if (value == 0) {
		add(a->line, "NULL");
		return;
	}
	add(a->line, "[");
	add(a->line, vector_walk(a, value, true) > VECTOR_SHOWN ? ", ...]" : "]");
}

SHOW(show_envp)
{
	unsigned n;

	add_pointer(a->line, value);
	if (value == 0)
		return;
	n = vector_walk(a, value, false);
	add(a->line, n == 1 ? " /* %u var */" : " /* %u vars */", n);
}

/* ---- arguments whose meaning another one gives ---------------------------- */

SHOW(show_fcntl_argument)
{
	switch ((int)a->args[1]) {
	case F_SETFD:
		if ((value & FD_CLOEXEC) != 0)
			add(a->line, "FD_CLOEXEC");
		else
			add(a->line, "%#llx", (unsigned long long)value);
		break;
	case F_SETFL: add_flags(a->line, value, open_flag_names); break;
	case F_GETLK: case F_SETLK: case F_SETLKW: case F_OFD_GETLK: case F_OFD_SETLK: case F_OFD_SETLKW:
		add_flock(a->line, value);
		break;
	default: add(a->line, "%d", (int)value);
	}
}

SHOW(show_prctl_argument)
{
	switch ((int)a->args[0]) {
	case PR_SET_NAME: case PR_GET_NAME: add_string(a->line, value, 16); break;
	case PR_SET_PDEATHSIG: add_signal(a->line, value); break;
	default: add(a->line, value < 4096 ? "%llu" : "%#llx", (unsigned long long)value);
	}
}

SHOW(show_futex_operation)
{
	if (!add_choice(a->line, value & 127, futex_operations))
		add(a->line, "%#llx", (unsigned long long)(value & 127));
	if ((value & FUTEX_PRIVATE_FLAG) != 0)
		add(a->line, "_PRIVATE");
	if ((value & FUTEX_CLOCK_REALTIME) != 0)
		add(a->line, "|FUTEX_CLOCK_REALTIME");
}

SHOW(show_fds)
{
	int32_t fds[2];

	if (a->result != 0 || copy_from_user(fds, uaddr(value), sizeof(fds)) != 0)
		add_pointer(a->line, value);
	else
		add(a->line, "[%d, %d]", fds[0], fds[1]);
}

SHOW(show_entries)
{
	add_pointer(a->line, value);
	if (a->result >= 0)
		add(a->line, " /* %u entries */", count_dirents(value, (size_t)a->result));
}

/* ---- the words ------------------------------------------------------------ */

#define KIND(name, show) {name, false, show, NULL}
#define FLAGS(name, names) {name, false, show_flags, names}
#define ONE_OF(name, names) {name, false, show_choice, names}

static const struct arg_kind kinds[] = {
	KIND("int", show_int),
	KIND("long", show_long),
	KIND("uint", show_unsigned),
	KIND("hex", show_hex),
	KIND("size", show_unsigned),
	KIND("ptr", show_pointer),
	KIND("mode", show_mode),
	KIND("fd", show_int),
	KIND("dirfd", show_directory),
	KIND("signal", show_signal),
	KIND("path", show_path),
	KIND("str", show_string),
	KIND("in", show_input),
	KIND("argv", show_argv),
	KIND("envp", show_envp),
	OUTPUT("out", show_output),
	OUTPUT("out_text", show_output_text),
	OUTPUT("random", show_random),
	OUTPUT("fds", show_fds),
	OUTPUT("entries", show_entries),
	FLAGS("open", open_flag_names),
	FLAGS("pipeflags", pipe_flags),
	FLAGS("prot", prot_names),
	FLAGS("mapflags", mmap_flags),
	FLAGS("mremap", mremap_flags),
	FLAGS("msync", msync_flags),
	ONE_OF("advice", advices),
	FLAGS("wait", wait_flags),
	ONE_OF("waitwho", wait_targets),
	ONE_OF("whence", whences),
	FLAGS("access", access_modes),
	FLAGS("at", at_flags),
	FLAGS("unlink", unlink_flags),
	FLAGS("accessat", access_flags),
	FLAGS("statxflags", statx_flags),
	KIND("statxmask", show_statx_mask),
	FLAGS("rename", rename_flags),
	ONE_OF("how", mask_hows),
	ONE_OF("resource", resources),
	ONE_OF("usage", usages),
	ONE_OF("priority", priorities),
	ONE_OF("clock", clocks),
	FLAGS("abstime", timer_flags),
	ONE_OF("itimer", itimers),
	FLAGS("grnd", random_flags),
	ONE_OF("family", families),
	FLAGS("socktype", socket_types),
	FLAGS("msgflags", message_flags),
	ONE_OF("shut", shutdown_hows),
	FLAGS("lock", lock_operations),
	FLAGS("fallocate", allocate_modes),
	ONE_OF("fadvice", file_advices),
	FLAGS("memfd", memfd_flags),
	FLAGS("eventfd", eventfd_flags),
	FLAGS("epoll", epoll_flags),
	ONE_OF("epollop", epoll_operations),
	ONE_OF("ioctl", ioctls),
	ONE_OF("fcntl", fcntls),
	ONE_OF("prctl", prctls),
	ONE_OF("archprctl", arch_prctls),
	FLAGS("closerange", close_range_flags),
	KIND("fcntlarg", show_fcntl_argument),
	OUTPUT("prctlarg", show_prctl_argument),
	KIND("futex", show_futex_operation),
	LAST_KIND,
};

const struct arg_kind *next_kind(const char **format)
{
	static const struct arg_kind *const tables[] = {kinds, file_kinds, process_kinds, poll_kinds};
	const char *word = *format;
	size_t len = 0;

	while (word[len] != '\0' && word[len] != ' ')
		len++;
	if (len == 0)
		return NULL;
	*format = word + len + (word[len] == ' ');
	for (size_t t = 0; t < ARRAY_SIZE(tables); t++)
		for (const struct arg_kind *k = tables[t]; k->name != NULL; k++)
			if (strlen(k->name) == len && memcmp(k->name, word, len) == 0)
				return k;
	panic("no kind of argument is called %s", word); /* a word in table.def that nobody knows */
}
