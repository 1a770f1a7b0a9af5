/*
 * Builds the tree of mounts at boot: the root (initial RAM disk, the machine's own
 * file system, or nothing but memory), the kernel's file systems on it, then the
 * machine's further mounts.
 */
#include "arch/machine.h"
#include "fs/tty.h"
#include "internal.h"
#include "lib/printf.h"
#include "mm/frame.h"

static int create_tmp(struct superblock **out) { return tmpfs_create(01777, out); }
static int create_run(struct superblock **out) { return tmpfs_create(0755, out); }

static const struct standard_mount {
	const char *target, *source;
	int (*create)(struct superblock **out);
	uint32_t mode; /* of the mount point, where it is made */
} standard_mounts[] = {
	{"/dev", "devtmpfs", devfs_create, 0755}, {"/dev/pts", "devpts", devpts_create, 0755},
	{"/dev/shm", "tmpfs", create_tmp, 01777}, {"/proc", "proc", procfs_create, 0555},
	{"/tmp", "tmpfs", create_tmp, 01777},	  {"/run", "tmpfs", create_run, 0755},
};

/* The initrd's own pages are memory again as it is unpacked, so that it can be half of all there is. */
static const struct boot_info *initrd_boot;
static paddr_t initrd_given; /* up to here */

static void give_initrd(size_t have_read)
{
	const uint64_t at = page_round_down((uint64_t)((const char *)initrd_boot->initrd - arch_phys_base) + have_read);
	const paddr_t end = {MIN(at, initrd_boot->initrd_pages.end.raw)};

	if (end.raw > initrd_given.raw) {
		frame_give(initrd_given, end);
		initrd_given = end;
	}
}

static int unpack_initrd(const struct boot_info *boot)
{
	const char *name = boot->initrd_name != NULL ? boot->initrd_name : "initrd";
	bool has_pages = boot->initrd_pages.start.raw < boot->initrd_pages.end.raw;
	int error;

	initrd_boot = boot;
	initrd_given = boot->initrd_pages.start;
	error = cpio_unpack(name, boot->initrd, boot->initrd_size_bytes, has_pages ? give_initrd : NULL);
	frame_give(initrd_given, boot->initrd_pages.end);
	return error;
}

/* It may fill the memory, as Linux's does. */
static int mount_memory_root(const struct boot_info *boot)
{
	struct frame_stats stats;
	struct superblock *sb;
	int error;

	frame_get_stats(&stats);
	error = tmpfs_create_sized(0755, stats.nr_total * PAGE_SIZE, &sb);
	if (error == 0)
		error = vfs_mount_root(sb, "rootfs", false);
	if (error == 0 && boot->initrd != NULL)
		error = unpack_initrd(boot);
	return error;
}

static int mount_root(const struct boot_info *boot)
{
	int error = boot->initrd != NULL ? -ENODEV : arch_mount_root_host();

	return error == -ENODEV ? mount_memory_root(boot) : error;
}

/* Where the directory is missing: made on a root in memory, left out on any other. */
static int mount_standard(const struct standard_mount *m)
{
	struct superblock *sb;
	struct path p;
	int error = path_lookup(AT_FDCWD, m->target, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (error == 0) {
		path_put(&p);
	} else {
		error = vfs_mkdirat(AT_FDCWD, m->target, m->mode);
		if (error != 0)
			return error == -ENOMEM ? error : 0;
	}
	error = m->create(&sb);
	if (error != 0)
		return error;
	error = vfs_mount(sb, m->target, m->source, false);
	if (error != 0)
		superblock_put(sb);
	return error;
}

void vfs_init(const struct boot_info *boot)
{
	int error = mount_root(boot);

	if (error != 0)
		arch_boot_failed(-error, boot->initrd != NULL && error == -EINVAL ? NULL : "the root file system");
	for (size_t i = 0; i < ARRAY_SIZE(standard_mounts); i++) {
		error = mount_standard(&standard_mounts[i]);
		if (error != 0)
			arch_boot_failed(-error, standard_mounts[i].target);
	}
	error = arch_mount_binds();
	if (error != 0)
		arch_boot_failed(-error, "the machine's mounts");
}
