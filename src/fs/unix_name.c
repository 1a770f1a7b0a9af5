/*
 * Local sockets: names, in the file system or abstract (unix(7)). Owns the list of
 * bound sockets. Lock: unix_lock.
 */
#include "fs/unix_socket.h"

#include "abi/errno.h"
#include "lib/printf.h"
#include "lib/string.h"

static struct list bound = LIST_INIT(bound);

static bool is_abstract(const struct unix_address *a)
{
	return a->len > SUN_FAMILY_BYTES && a->un.sun_path[0] == '\0';
}

static struct unix_socket *find_abstract(const struct unix_address *a)
{
	struct unix_socket *s;

	LIST_FOR_EACH(s, &bound, bound_link)
		if (s->inode == NULL && s->address.len == a->len &&
		    memcmp(&s->address.un, &a->un, a->len) == 0)
			return s;
	return NULL;
}

static struct unix_socket *find_inode(const struct inode *inode)
{
	struct unix_socket *s;

	LIST_FOR_EACH(s, &bound, bound_link)
		if (s->inode == inode)
			return s;
	return NULL;
}

/* By a name in the file system, which one must be allowed to write to. */
static int find_path(const struct unix_address *a, struct unix_socket **out)
{
	struct path path;
	int err = path_lookup(AT_FDCWD, a->un.sun_path, LOOKUP_FOLLOW, &path);

	if (err != 0)
		return err;
	err = vfs_permission(path.dentry->inode, MAY_WRITE);
	if (err == 0) {
		*out = find_inode(path.dentry->inode);
		if (*out == NULL)
			err = -ECONNREFUSED;
		else
			unix_socket_get(*out);
	}
	path_put(&path);
	return err;
}

int unix_find(const struct unix_address *address, int type, struct unix_socket **out)
{
	int err = 0;

	if (is_abstract(address)) {
		*out = find_abstract(address);
		if (*out == NULL)
			return -ECONNREFUSED;
		unix_socket_get(*out);
	} else {
		err = find_path(address, out);
	}
	if (err == 0 && (*out)->type != type) {
		unix_socket_put(*out);
		err = -EPROTOTYPE;
	}
	return err;
}

static void bind_to(struct unix_socket *s, const struct unix_address *address, struct inode *inode)
{
	spin_lock(&unix_lock);
	s->address = *address;
	s->inode = inode;
	list_add_tail(&bound, &s->bound_link);
	spin_unlock(&unix_lock);
}

/* A free abstract name of five hexadecimal digits. */
static int autobind(struct unix_socket *s)
{
	static uint32_t next;
	struct unix_address a = {.un.sun_family = AF_UNIX, .len = SUN_FAMILY_BYTES + 6};

	for (uint32_t tries = 0; tries < 0x100000; tries++) {
		ksnprintf(a.un.sun_path + 1, 6, "%05x", next++ & 0xfffff);
		if (find_abstract(&a) == NULL) {
			bind_to(s, &a, NULL);
			return 0;
		}
	}
	return -ENOSPC;
}

static int bind_path(struct unix_socket *s, const struct unix_address *address)
{
	struct unix_address full = *address;
	struct path path;
	int err;

	full.len = (uint32_t)(SUN_FAMILY_BYTES + strlen(full.un.sun_path) + 1);
	err = vfs_mknodat(AT_FDCWD, full.un.sun_path, S_IFSOCK | 0777, 0);
	if (err != 0)
		return err == -EEXIST ? -EADDRINUSE : err;
	err = path_lookup(AT_FDCWD, full.un.sun_path, 0, &path);
	if (err != 0)
		return err;
	inode_get(path.dentry->inode);
	bind_to(s, &full, path.dentry->inode);
	path_put(&path);
	return 0;
}

int unix_bind(struct unix_socket *s, const struct unix_address *address)
{
	if (address->un.sun_family != AF_UNIX || address->len < SUN_FAMILY_BYTES)
		return -EINVAL;
	if (s->address.len > SUN_FAMILY_BYTES)
		return -EINVAL;
	if (address->len == SUN_FAMILY_BYTES)
		return autobind(s);
	if (!is_abstract(address))
		return bind_path(s, address);
	if (find_abstract(address) != NULL)
		return -EADDRINUSE;
	bind_to(s, address, NULL);
	return 0;
}
