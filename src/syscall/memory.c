/*
 * System calls on the address space: they check what the man pages ask and pass
 * on to aspace_*. Linux's mmap(2), munmap(2), mprotect(2), mremap(2), brk(2),
 * madvise(2), msync(2), mincore(2), mlock(2).
 */
#include "abi/errno.h"
#include "abi/mman.h"
#include "abi/resource.h"
#include "fs/fdtable.h"
#include "fs/vfs.h"
#include "mm/aspace.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "syscall/syscall.h"

/* Limits may have changed since exec. */
static struct aspace *aspace_with_limits(void)
{
	struct aspace *as = current_aspace();
	const struct rlimit_pair *limits = current_process()->rlimits;

	as->as_limit_bytes = limits[RLIMIT_AS].cur;
	as->data_limit_bytes = limits[RLIMIT_DATA].cur;
	as->stack_limit_bytes = limits[RLIMIT_STACK].cur;
	return as;
}

/* mmap(2): EACCES by how the file was opened. */
static int check_access(const struct file *file, uint32_t prot, uint32_t flags)
{
	uint32_t mode = file->flags & O_ACCMODE;
	bool is_shared = (flags & MAP_TYPE) != MAP_PRIVATE;

	if (file->flags & O_PATH)
		return -EBADF;
	if (mode == O_WRONLY)
		return -EACCES;
	if (is_shared && (prot & PROT_WRITE) && mode != O_RDWR)
		return -EACCES;
	return 0;
}

SYSCALL_DEFINE(mmap)
{
	struct mmap_args m = {
		.addr = args[0],
		.length_bytes = args[1],
		.prot = (uint32_t)args[2],
		.flags = (uint32_t)args[3],
		.offset = args[5],
	};
	struct aspace *as = aspace_with_limits();
	int64_t result = 0;

	if (page_offset(m.offset) != 0)
		return -EINVAL;
	if (!(m.flags & MAP_ANONYMOUS)) {
		m.file = fd_get((int)args[4]);
		if (m.file == NULL)
			return -EBADF;
		result = check_access(m.file, m.prot, m.flags);
	} else {
		m.offset = 0;
	}
	if (result == 0)
		result = aspace_mmap(as, &m);
	if (m.file != NULL)
		file_put(m.file);
	return result;
}

SYSCALL_DEFINE(munmap) { return aspace_munmap(current_aspace(), args[0], args[1]); }

SYSCALL_DEFINE(mprotect) { return aspace_mprotect(current_aspace(), args[0], args[1], (uint32_t)args[2]); }

SYSCALL_DEFINE(mremap)
{
	return aspace_mremap(aspace_with_limits(), args[0], args[1], args[2], (uint32_t)args[3], args[4]);
}

SYSCALL_DEFINE(brk) { return (int64_t)aspace_brk(aspace_with_limits(), args[0]); }

SYSCALL_DEFINE(madvise) { return aspace_madvise(current_aspace(), args[0], args[1], (int)args[2]); }

SYSCALL_DEFINE(msync) { return aspace_msync(current_aspace(), args[0], args[1], (int)args[2]); }

SYSCALL_DEFINE(mincore)
{
	enum { CHUNK = 256 };
	uint64_t at = args[0], nr = (args[1] + PAGE_SIZE - 1) >> PAGE_SHIFT;
	uint64_t to = args[2];
	uint8_t vec[CHUNK];

	if (page_offset(at) != 0)
		return -EINVAL;
	if (args[1] > UINT64_MAX - PAGE_SIZE || at + args[1] < at)
		return -ENOMEM;
	while (nr != 0) {
		uint64_t n = MIN(nr, CHUNK);
		int err = aspace_mincore(current_aspace(), at, n << PAGE_SHIFT, vec);

		if (err == 0)
			err = copy_to_user(uaddr(to), vec, n);
		if (err != 0)
			return err;
		nr -= n;
		at += n << PAGE_SHIFT;
		to += n;
	}
	return 0;
}

/* All memory is resident anyway: locking checks the range, brings the pages in and is noted. */
static int lock_range(uint64_t addr, uint64_t length, bool is_locked, bool populate)
{
	struct aspace *as = current_aspace();
	uint64_t start = page_round_down(addr), bytes = page_round_up(length + page_offset(addr));
	uint8_t resident;
	int err;

	if (addr + length < addr)
		return -EINVAL;
	if (populate) {
		err = aspace_madvise(as, start, bytes, MADV_POPULATE_READ);
		if (err != 0)
			return err == -EFAULT || err == -EINVAL ? -ENOMEM : err;
	}
	for (uint64_t at = start; at < start + bytes && !populate; at += PAGE_SIZE) {
		err = aspace_mincore(as, at, PAGE_SIZE, &resident);
		if (err != 0)
			return err;
	}
	return aspace_mlock(as, start, bytes, is_locked);
}

SYSCALL_DEFINE(mlock) { return lock_range(args[0], args[1], true, true); }

SYSCALL_DEFINE(mlock2)
{
	if (args[2] & ~(uint64_t)MLOCK_ONFAULT)
		return -EINVAL;
	return lock_range(args[0], args[1], true, args[2] == 0);
}

SYSCALL_DEFINE(munlock) { return lock_range(args[0], args[1], false, false); }

SYSCALL_DEFINE(mlockall)
{
	uint64_t flags = args[0];

	if (flags == 0 || (flags & ~(uint64_t)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)) ||
	    flags == MCL_ONFAULT)
		return -EINVAL;
	return flags & MCL_CURRENT ? aspace_mlock(current_aspace(), 0, current_aspace()->user_end, true) : 0;
}

SYSCALL_DEFINE(munlockall) { return aspace_mlock(current_aspace(), 0, current_aspace()->user_end, false); }
