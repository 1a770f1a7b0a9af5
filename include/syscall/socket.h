/* What src/syscall/socket.c and socket_msg.c share. */
#ifndef SYSCALL_SOCKET_H
#define SYSCALL_SOCKET_H

#include "fs/unix_socket.h"

/* The file of a socket's descriptor with a reference: -EBADF, -ENOTSOCK. */
MUST_CHECK int socket_get(int fd, struct file **out);
/* A user's sockaddr. -EINVAL -EFAULT. */
MUST_CHECK int socket_address_get(uint64_t user, uint64_t len, struct unix_address *out);
/* Copies an address out, cut to *user_len, which becomes the full length. user_len 0: nowhere to put it. */
MUST_CHECK int socket_address_put(const struct unix_address *a, uint64_t user, uint64_t user_len);

#endif
