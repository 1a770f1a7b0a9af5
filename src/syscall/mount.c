/*
 * mount(2), umount2(2): the kernel's own file systems, bind mounts, and turning a
 * mount read-only or back. Only root may.
 */
#include "abi/statfs.h"
#include "fs/tty.h"
#include "mm/kmalloc.h"
#include "syscall/file_io.h"

#define OPTIONS_BYTES PAGE_SIZE

/* "123", "64k", "2M", "1G", octal for a leading 0 when base is 8. UINT64_MAX: bad. */
static uint64_t parse_number(const char *text, unsigned base)
{
	uint64_t n = 0;

	if (*text < '0' || *text > '9')
		return UINT64_MAX;
	for (; *text >= '0' && *text < (char)('0' + base); text++)
		if (__builtin_mul_overflow(n, base, &n) ||
		    __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n))
			return UINT64_MAX;
	switch (*text | 0x20) {
	case 'g': n = n > UINT64_MAX >> 30 ? UINT64_MAX : n << 30; break;
	case 'm': n = n > UINT64_MAX >> 20 ? UINT64_MAX : n << 20; break;
	case 'k': n = n > UINT64_MAX >> 10 ? UINT64_MAX : n << 10; break;
	default: return *text == '\0' || *text == ',' ? n : UINT64_MAX;
	}
	return text[1] == '\0' || text[1] == ',' ? n : UINT64_MAX;
}

/* The value after "name=" in a comma-separated list, or NULL. */
static const char *find_option(const char *options, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = options; p != NULL; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, name, len) == 0 && p[len] == '=')
			return p + len + 1;
	}
	return NULL;
}

static int create_tmpfs(const char *options, struct superblock **out)
{
	const char *size = find_option(options, "size"), *mode = find_option(options, "mode");
	uint64_t size_bytes = size != NULL ? parse_number(size, 10) : 0;
	uint64_t mode_bits = mode != NULL ? parse_number(mode, 8) : 01777;

	if (size_bytes == UINT64_MAX || mode_bits > 07777)
		return -EINVAL;
	return tmpfs_create_sized((uint32_t)mode_bits, size_bytes, out);
}

static int create_superblock(const char *type, const char *options, struct superblock **out)
{
	if (strcmp(type, "tmpfs") == 0 || strcmp(type, "ramfs") == 0)
		return create_tmpfs(options, out);
	if (strcmp(type, "proc") == 0)
		return procfs_create(out);
	if (strcmp(type, "devtmpfs") == 0)
		return devfs_create(out);
	if (strcmp(type, "devpts") == 0)
		return devpts_create(out);
	return -ENODEV;
}

static int mount_new(const char *source, const char *target, const char *type, const char *options,
		     bool is_readonly)
{
	struct superblock *sb;
	struct path p;
	int error = path_lookup(AT_FDCWD, target, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &p);

	if (error != 0)
		return error;
	path_put(&p);
	error = create_superblock(type, options, &sb);
	if (error != 0)
		return error;
	error = vfs_mount(sb, target, source, is_readonly);
	if (error != 0)
		superblock_put(sb);
	return error;
}

static int mount_bind(const char *source, const char *target, bool is_readonly)
{
	struct path from, to;
	int error = path_lookup(AT_FDCWD, source, LOOKUP_FOLLOW, &from);

	if (error != 0)
		return error;
	error = path_lookup(AT_FDCWD, target, LOOKUP_FOLLOW, &to);
	if (error == 0) {
		path_put(&to);
		error = vfs_bind(&from, target, is_readonly);
	}
	path_put(&from);
	return error;
}

static int remount(const char *target, bool is_readonly)
{
	struct path p;
	int error = path_lookup(AT_FDCWD, target, LOOKUP_FOLLOW, &p);

	if (error != 0)
		return error;
	if (p.dentry != p.mount->root)
		error = -EINVAL;
	else if (!is_readonly && p.mount->sb->is_readonly)
		error = -EROFS; /* as on a medium that cannot be written */
	else
		p.mount->is_readonly = is_readonly;
	path_put(&p);
	return error;
}

struct mount_strings {
	char *source, *target, *type, *options;
};

/* NULL pointers stand for "". */
static int get_string(uint64_t user, size_t size_bytes, char **out)
{
	int64_t len;

	*out = kzalloc(size_bytes);
	if (*out == NULL)
		return -ENOMEM;
	if (user == 0)
		return 0;
	len = strncpy_from_user(*out, uaddr(user), size_bytes);
	return len < 0 ? (int)len : 0;
}

static int do_mount(const struct mount_strings *s, uint64_t flags)
{
	bool is_readonly = (flags & MS_RDONLY) != 0;

	if ((flags & MS_MGC_MSK) == MS_MGC_VAL)
		flags &= ~(uint64_t)MS_MGC_MSK;
	if ((flags & (MS_SHARED | MS_PRIVATE | MS_SLAVE | MS_UNBINDABLE)) != 0)
		return 0; /* there is one mount name space: nothing propagates */
	if ((flags & MS_REMOUNT) != 0)
		return remount(s->target, is_readonly);
	if ((flags & MS_BIND) != 0)
		return mount_bind(s->source, s->target, is_readonly);
	if ((flags & MS_MOVE) != 0)
		return -EINVAL;
	return mount_new(s->source, s->target, s->type, s->options, is_readonly);
}

SYSCALL_DEFINE(mount)
{
	struct mount_strings s = {NULL, NULL, NULL, NULL};
	int error;

	if (vfs_cred()->fsuid != 0)
		return -EPERM;
	error = get_string(args[0], PATH_MAX_BYTES, &s.source);
	if (error == 0)
		error = get_string(args[1], PATH_MAX_BYTES, &s.target);
	if (error == 0)
		error = get_string(args[2], NAME_MAX_BYTES, &s.type);
	if (error == 0)
		error = get_string(args[4], OPTIONS_BYTES, &s.options);
	if (error == 0)
		error = do_mount(&s, args[3]);
	kfree(s.source);
	kfree(s.target);
	kfree(s.type);
	kfree(s.options);
	return error;
}

SYSCALL_DEFINE(umount2)
{
	unsigned flags = (unsigned)args[1];
	struct path p;
	int64_t error;

	if ((flags & ~(unsigned)(MNT_FORCE | MNT_DETACH | MNT_EXPIRE | UMOUNT_NOFOLLOW)) != 0)
		return -EINVAL;
	if (vfs_cred()->fsuid != 0)
		return -EPERM;
	error = user_path_lookup(AT_FDCWD, args[0], (flags & UMOUNT_NOFOLLOW) != 0 ? 0 : LOOKUP_FOLLOW, &p);
	if (error != 0)
		return error;
	error = (flags & MNT_EXPIRE) != 0 ? -EAGAIN : vfs_umount(&p, (flags & MNT_DETACH) != 0);
	path_put(&p);
	return error;
}
