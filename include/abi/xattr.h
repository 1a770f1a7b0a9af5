/* setxattr(2) and its family. */
#ifndef ABI_XATTR_H
#define ABI_XATTR_H

#define XATTR_CREATE 1
#define XATTR_REPLACE 2
#define XATTR_NAME_MAX 255
#define XATTR_SIZE_MAX 65536

#endif
