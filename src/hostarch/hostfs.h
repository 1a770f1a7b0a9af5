/* Host directories as a file system of the guest. */
#ifndef HOSTARCH_HOSTFS_H
#define HOSTARCH_HOSTFS_H

#include "fs/vfs.h"

/*
 * A file system whose root is the host's directory (or file) host_path. is_readonly: no operation that
 * changes the host is let through, whatever the mount says. -ENOENT, -EACCES ... of the host, -ENOMEM.
 */
MUST_CHECK int hostfs_create(const char *host_path, bool is_readonly, struct superblock **out);

#endif
