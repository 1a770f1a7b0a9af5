/*
 * Kinds of arguments that are structures in the user's memory, in strace's notation (its short form: the members it
 * leaves out are left out, and "..." says so). Here: files and time.
 */
#include "structs.h"

#include "abi/dirent.h"
#include "abi/fcntl.h"
#include "abi/stat.h"
#include "abi/uio.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "syscall/syscall.h"
#include "user_abi.h"

bool fetch(const struct argument *a, uint64_t addr, void *out, size_t size_bytes)
{
	bool is_there = addr != 0 && !(a->kind->is_output && a->result < 0);

	if (is_there && copy_from_user(out, uaddr(addr), size_bytes) == 0)
		return true;
	add_pointer(a->line, addr);
	return false;
}

/* ---- files ---------------------------------------------------------------- */

static const struct flag_name file_types[] = {
	CHOICE(S_IFSOCK), CHOICE(S_IFLNK), CHOICE(S_IFREG), CHOICE(S_IFBLK), CHOICE(S_IFDIR), CHOICE(S_IFCHR),
	CHOICE(S_IFIFO), END,
};

static void add_file_mode(struct line *line, uint32_t mode)
{
	if (!add_choice(line, mode & S_IFMT, file_types))
		add(line, "%#o", mode & S_IFMT);
	if ((mode & S_ISUID) != 0)
		add(line, "|S_ISUID");
	if ((mode & S_ISGID) != 0)
		add(line, "|S_ISGID");
	if ((mode & S_ISVTX) != 0)
		add(line, "|S_ISVTX");
	add(line, "|0%03o", mode & 0777);
}

SHOW(show_stat)
{
	struct linux_stat st;

	if (!fetch(a, value, &st, sizeof(st)))
		return;
	add(a->line, "{st_mode=");
	add_file_mode(a->line, st.st_mode);
	if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode))
		add(a->line, ", st_rdev=makedev(%#llx, %#llx), ...}",
		    (ull)((st.st_rdev >> 8 & 0xfff) | (st.st_rdev >> 32 & 0xfffff000)),
		    (ull)((st.st_rdev & 0xff) | (st.st_rdev >> 12 & 0xffffff00)));
	else
		add(a->line, ", st_size=%lld, ...}", (ll)st.st_size);
}

SHOW(show_statx)
{
	struct linux_statx st;

	if (!fetch(a, value, &st, sizeof(st)))
		return;
	add(a->line, "{stx_mask=");
	add_statx_mask(a->line, st.stx_mask);
	add(a->line, st.stx_attributes != 0 ? ", stx_attributes=%#llx" : ", stx_attributes=%llu",
	    (ull)st.stx_attributes);
	add(a->line, ", stx_mode=");
	add_file_mode(a->line, st.stx_mode);
	add(a->line, ", stx_size=%llu, ...}", (ull)st.stx_size);
}

unsigned count_dirents(uint64_t addr, size_t size_bytes)
{
	struct linux_dirent64 entry;
	unsigned n = 0;

	for (size_t at = 0; at + sizeof(entry) <= size_bytes; at += entry.d_reclen, n++)
		if (copy_from_user(&entry, uaddr(addr + at), sizeof(entry)) != 0 || entry.d_reclen == 0)
			break;
	return n;
}

void add_flock(struct line *line, uint64_t addr)
{
	static const struct flag_name types[] = {CHOICE(F_RDLCK), CHOICE(F_WRLCK), CHOICE(F_UNLCK), END};
	static const struct flag_name whences[] = {CHOICE(SEEK_SET), CHOICE(SEEK_CUR), CHOICE(SEEK_END), END};
	struct linux_flock lock;

	if (addr == 0 || copy_from_user(&lock, uaddr(addr), sizeof(lock)) != 0) {
		add_pointer(line, addr);
		return;
	}
	add(line, "{l_type=");
	(void)add_choice(line, (uint64_t)lock.l_type, types);
	add(line, ", l_whence=");
	(void)add_choice(line, (uint64_t)lock.l_whence, whences);
	add(line, ", l_start=%lld, l_len=%lld}", (ll)lock.l_start, (ll)lock.l_len);
}

static void add_iovecs(const struct argument *a, uint64_t value, uint64_t bytes)
{
	uint64_t count = a->args[a->i + 1];
	struct linux_iovec iov;

	add(a->line, "[");
	for (uint64_t n = 0; n < count; n++) {
		uint64_t shown;

		add(a->line, n != 0 ? ", " : "");
		if (n == STRING_SHOWN || copy_from_user(&iov, uaddr(value + n * sizeof(iov)), sizeof(iov)) != 0) {
			add(a->line, "...");
			break;
		}
		shown = MIN(bytes, iov.len);
		bytes -= shown;
		add(a->line, "{iov_base=");
		add_bytes(a->line, iov.base, shown);
		add(a->line, ", iov_len=%llu}", (ull)iov.len);
	}
	add(a->line, "]");
}

SHOW(show_iovecs_in)
{
	if (value == 0)
		add(a->line, "NULL");
	else
		add_iovecs(a, value, UINT64_MAX);
}

SHOW(show_iovecs_out)
{
	if (value == 0 || a->result < 0)
		add_pointer(a->line, value);
	else
		add_iovecs(a, value, (uint64_t)a->result);
}

SHOW(show_offset)
{
	int64_t offset;

	if (fetch(a, value, &offset, sizeof(offset)))
		add(a->line, "[%lld]", (ll)offset);
}

/* ---- time ----------------------------------------------------------------- */

static void add_timespec(struct line *line, const struct linux_timespec *ts)
{
	add(line, "{tv_sec=%lld, tv_nsec=", (ll)ts->sec);
	if (ts->nsec == UTIME_NOW)
		add(line, "UTIME_NOW}");
	else if (ts->nsec == UTIME_OMIT)
		add(line, "UTIME_OMIT}");
	else
		add(line, "%lld}", (ll)ts->nsec);
}

void add_timeval(struct line *line, const struct linux_timeval *tv)
{
	add(line, "{tv_sec=%lld, tv_usec=%lld}", (ll)tv->sec, (ll)tv->usec);
}

SHOW(show_timespec)
{
	struct linux_timespec ts;

	if (fetch(a, value, &ts, sizeof(ts)))
		add_timespec(a->line, &ts);
}

/* What is left of a sleep: written only when it was interrupted. */
SHOW(show_remaining)
{
	struct linux_timespec ts;

	if (a->result != -ERESTART_RESTARTBLOCK || value == 0 || copy_from_user(&ts, uaddr(value), sizeof(ts)) != 0)
		add_pointer(a->line, value);
	else
		add_timespec(a->line, &ts);
}

SHOW(show_timeval)
{
	struct linux_timeval tv;

	if (fetch(a, value, &tv, sizeof(tv)))
		add_timeval(a->line, &tv);
}

SHOW(show_file_times)
{
	struct linux_timespec ts[2];

	if (!fetch(a, value, ts, sizeof(ts)))
		return;
	add(a->line, "[");
	add_timespec(a->line, &ts[0]);
	if (ts[0].nsec == UTIME_NOW && ts[1].nsec == UTIME_NOW)
		add(a->line, ", {tv_sec=%lld, tv_nsec=UTIME_NOW}]", (ll)ts[1].sec);
	else {
		add(a->line, ", ");
		add_timespec(a->line, &ts[1]);
		add(a->line, "]");
	}
}

SHOW(show_itimerval)
{
	struct linux_itimerval it;

	if (!fetch(a, value, &it, sizeof(it)))
		return;
	add(a->line, "{it_interval=");
	add_timeval(a->line, &it.interval);
	add(a->line, ", it_value=");
	add_timeval(a->line, &it.value);
	add(a->line, "}");
}

SHOW(show_itimerspec)
{
	struct linux_itimerspec it;

	if (!fetch(a, value, &it, sizeof(it)))
		return;
	add(a->line, "{it_interval=");
	add_timespec(a->line, &it.interval);
	add(a->line, ", it_value=");
	add_timespec(a->line, &it.value);
	add(a->line, "}");
}

SHOW(show_times)
{
	struct linux_tms t;

	if (fetch(a, value, &t, sizeof(t)))
		add(a->line, "{tms_utime=%lld, tms_stime=%lld, tms_cutime=%lld, tms_cstime=%lld}", (ll)t.utime,
		    (ll)t.stime, (ll)t.cutime, (ll)t.cstime);
}

/* ---- the words ------------------------------------------------------------ */

const struct arg_kind file_kinds[] = {
	OUTPUT("stat", show_stat), OUTPUT("statx", show_statx), INPUT("iov", show_iovecs_in),
	OUTPUT("iov_out", show_iovecs_out), INPUT("offset", show_offset), INPUT("timespec", show_timespec),
	OUTPUT("timespec_out", show_timespec), OUTPUT("remaining", show_remaining),
	INPUT("timeval", show_timeval), OUTPUT("timeval_out", show_timeval),
	INPUT("filetimes", show_file_times), INPUT("itimerval", show_itimerval),
	OUTPUT("itimerval_out", show_itimerval), INPUT("itimerspec", show_itimerspec),
	OUTPUT("itimerspec_out", show_itimerspec), OUTPUT("tms", show_times), LAST_KIND,
};
