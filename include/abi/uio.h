/* readv(2), writev(2), preadv2(2), vmsplice(2). */
#ifndef ABI_UIO_H
#define ABI_UIO_H

#include "lib/types.h"

struct linux_iovec {
	uint64_t base; /* user address; a kernel pointer inside the kernel's own iovecs */
	uint64_t len;
};

#define UIO_MAXIOV 1024

#define RWF_HIPRI 0x1
#define RWF_DSYNC 0x2
#define RWF_SYNC 0x4
#define RWF_NOWAIT 0x8
#define RWF_APPEND 0x10

#endif
