/*
 * What the tests of src/fs share: a booted kernel with a root in memory and the
 * standard mounts, one task (root, umask 022), and short forms of common calls.
 */
#ifndef FS_FIXTURE_H
#define FS_FIXTURE_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "abi/resource.h"
#include "fake_machine.h"
#include "fs/internal.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"

static struct process fs_process;
static struct task *fs_task;

/* Once for each test program: the caches of the VFS live as long as the memory they came from. */
static int fs_boot_with(const void *initrd, size_t initrd_bytes)
{
	static struct boot_info boot;

	fake_machine_boot(64 << 20);
	boot.initrd = initrd;
	boot.initrd_size_bytes = initrd_bytes;
	fs_task = fake_machine_task();
	fs_process.pid = 1;
	fs_process.refs = 1;
	for (int i = 0; i < NR_RLIMITS; i++)
		fs_process.rlimits[i] = (struct rlimit_pair){RLIM_INFINITY, RLIM_INFINITY};
	fs_process.rlimits[RLIMIT_NOFILE] = (struct rlimit_pair){1024, 4096};
	fs_task->process = &fs_process;
	fs_process.leader = fs_task;
	vfs_init(&boot);
	return fdtable_create(&fs_task->files) != 0 || fs_context_create(&fs_task->fs) != 0;
}

static UNUSED int fs_boot(void **state)
{
	(void)state;
	return fs_boot_with(NULL, 0);
}

static UNUSED void fs_become(uint32_t uid, uint32_t gid)
{
	fs_task->cred = (struct cred){.uid = uid, .euid = uid, .suid = uid, .fsuid = uid,
				      .gid = gid, .egid = gid, .sgid = gid, .fsgid = gid};
}

/* open(2); the file is put at once when only the result matters. */
static UNUSED int fs_open(const char *name, unsigned flags, uint32_t mode, struct file **out)
{
	struct file *file = NULL;
	int error = vfs_openat(AT_FDCWD, name, flags, mode, &file);

	if (out != NULL)
		*out = file;
	else if (error == 0)
		file_put(file);
	return error;
}

static UNUSED int fs_make(const char *name, const char *content)
{
	struct file *file;
	int error = fs_open(name, O_CREAT | O_RDWR | O_TRUNC, 0644, &file);

	if (error != 0)
		return error;
	if (vfs_write_kernel(file, content, strlen(content), 0) != (int64_t)strlen(content))
		error = -EIO;
	file_put(file);
	return error;
}

static UNUSED int fs_stat(const char *name, unsigned lookup_flags, struct kstat *out)
{
	struct path p;
	int error = path_lookup(AT_FDCWD, name, lookup_flags, &p);

	if (error != 0)
		return error;
	error = vfs_stat_inode(p.dentry->inode, out);
	path_put(&p);
	return error;
}

static UNUSED bool fs_exists(const char *name)
{
	struct kstat st;

	return fs_stat(name, 0, &st) == 0;
}

static UNUSED int fs_chdir(const char *name)
{
	struct path p;
	int error = path_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &p);

	if (error != 0)
		return error;
	path_put(&fs_task->fs->cwd);
	fs_task->fs->cwd = p;
	return 0;
}

/* Frames in use, with the caches that may be given back given back. */
static UNUSED uint64_t fs_frames_used(void)
{
	struct frame_stats stats;

	while (dentry_shrink(NULL, SIZE_MAX) > 0)
		;
	kmalloc_shrink();
	frame_get_stats(&stats);
	return stats.nr_total - stats.nr_free;
}

/* Runs after each test. */
static UNUSED int fs_check(void **state)
{
	(void)state;
	fail_alloc_arm(0, false);
	fs_become(0, 0);
	assert_int_equal(fs_chdir("/"), 0);
	assert_int_equal(vfs_audit(), 0);
	assert_int_equal(mm_audit(), 0);
	return 0;
}

#endif
