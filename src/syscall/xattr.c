/*
 * Extended attributes and file handles: no file system here has them. The calls
 * check their arguments as Linux does and then say so: EOPNOTSUPP, and an empty list.
 */
#include "abi/xattr.h"
#include "syscall/file_io.h"

enum xattr_op { XATTR_SET, XATTR_GET, XATTR_LIST, XATTR_REMOVE };

/* "user.comment": a name with a name space. */
static int64_t check_name(uint64_t user_name)
{
	char name[XATTR_NAME_MAX + 2];
	int64_t len = strncpy_from_user(name, uaddr(user_name), sizeof(name));

	if (len == -ENAMETOOLONG || len == 0)
		return -ERANGE;
	return len < 0 ? len : 0;
}

static int64_t answer(enum xattr_op op, const struct mount *mount, const uint64_t args[6])
{
	int64_t error = op == XATTR_LIST ? 0 : check_name(args[1]);

	if (error != 0 || op == XATTR_LIST)
		return error;
	if (op == XATTR_SET && (args[4] & ~(uint64_t)(XATTR_CREATE | XATTR_REPLACE)) != 0)
		return -EINVAL;
	if (op == XATTR_SET && args[3] > XATTR_SIZE_MAX)
		return -E2BIG;
	if ((op == XATTR_SET || op == XATTR_REMOVE) && mount != NULL && mount_is_readonly(mount))
		return -EROFS;
	return -EOPNOTSUPP;
}

static int64_t by_name(enum xattr_op op, const uint64_t args[6], unsigned lookup_flags)
{
	struct path p;
	int64_t error = user_path_lookup(AT_FDCWD, args[0], lookup_flags, &p);

	if (error != 0)
		return error;
	error = answer(op, p.mount, args);
	path_put(&p);
	return error;
}

static int64_t by_fd(enum xattr_op op, const uint64_t args[6])
{
	struct file *file = fd_get_io((int)args[0]);
	int64_t error;

	if (file == NULL)
		return -EBADF;
	error = answer(op, file->path.mount, args);
	file_put(file);
	return error;
}

SYSCALL_DEFINE(setxattr) { return by_name(XATTR_SET, args, LOOKUP_FOLLOW); }
SYSCALL_DEFINE(lsetxattr) { return by_name(XATTR_SET, args, 0); }
SYSCALL_DEFINE(fsetxattr) { return by_fd(XATTR_SET, args); }
SYSCALL_DEFINE(getxattr) { return by_name(XATTR_GET, args, LOOKUP_FOLLOW); }
SYSCALL_DEFINE(lgetxattr) { return by_name(XATTR_GET, args, 0); }
SYSCALL_DEFINE(fgetxattr) { return by_fd(XATTR_GET, args); }
SYSCALL_DEFINE(listxattr) { return by_name(XATTR_LIST, args, LOOKUP_FOLLOW); }
SYSCALL_DEFINE(llistxattr) { return by_name(XATTR_LIST, args, 0); }
SYSCALL_DEFINE(flistxattr) { return by_fd(XATTR_LIST, args); }
SYSCALL_DEFINE(removexattr) { return by_name(XATTR_REMOVE, args, LOOKUP_FOLLOW); }
SYSCALL_DEFINE(lremovexattr) { return by_name(XATTR_REMOVE, args, 0); }
SYSCALL_DEFINE(fremovexattr) { return by_fd(XATTR_REMOVE, args); }

SYSCALL_DEFINE(name_to_handle_at)
{
	unsigned flags = (unsigned)args[4];
	struct path p;
	int64_t error;

	if ((flags & ~(unsigned)(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH)) != 0)
		return -EINVAL;
	error = user_path_lookup((int)args[0], args[1],
				 ((flags & AT_SYMLINK_FOLLOW) != 0 ? LOOKUP_FOLLOW : 0) |
					 ((flags & AT_EMPTY_PATH) != 0 ? LOOKUP_EMPTY_OK : 0),
				 &p);
	if (error != 0)
		return error;
	path_put(&p);
	return -EOPNOTSUPP;
}
