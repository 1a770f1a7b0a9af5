/* Fuzzer: any bytes are an initial RAM disk. Whatever it holds, names, counts and memory stay sound. */
#include "fs_fixture.h"

#define TREE_BYTES ((uint64_t)8 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* A fresh tree is the root of each archive. */
static void enter_tree(void)
{
	struct superblock *sb;
	struct path root;

	if (tmpfs_create_sized(0755, TREE_BYTES, &sb) != 0 || vfs_mount(sb, "/fuzz", "tmpfs", false) != 0 ||
	    path_lookup(AT_FDCWD, "/fuzz", LOOKUP_FOLLOW, &root) != 0)
		abort();
	path_put(&fs_task->fs->root);
	path_put(&fs_task->fs->cwd);
	fs_task->fs->root = fs_task->fs->cwd = root;
	path_get(&root);
}

static void leave_tree(void)
{
	struct path tree = fs_task->fs->root;

	path_put(&fs_task->fs->cwd);
	vfs_root(&fs_task->fs->root);
	vfs_root(&fs_task->fs->cwd);
	path_put(&tree);
	if (path_lookup(AT_FDCWD, "/fuzz", LOOKUP_FOLLOW, &tree) != 0 || vfs_umount(&tree, true) != 0)
		abort();
	path_put(&tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static uint64_t nr_used;
	static unsigned nr_runs;

	if (fs_task == NULL) {
		if (fs_boot_with(NULL, 0) != 0)
			abort();
		fake.is_quiet = true;
	}
	enter_tree();
	fake.log_size = 0;
	if (cpio_unpack("initrd", bytes, size, NULL) > 0 || vfs_audit() != 0)
		abort();
	leave_tree();
	/* The first runs fill caches. */
	if (++nr_runs == 16)
		nr_used = fs_frames_used();
	if (nr_runs % 64 == 0 && fs_frames_used() > nr_used + 64) {
		fprintf(stderr, "%llu frames in use, once %llu\n", (unsigned long long)fs_frames_used(),
			(unsigned long long)nr_used);
		abort();
	}
	return 0;
}
