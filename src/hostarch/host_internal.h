/* What the host_*.c files share among themselves. */
#ifndef HOSTARCH_HOST_INTERNAL_H
#define HOSTARCH_HOST_INTERNAL_H

#include <stdint.h>

int host_fd_move(int fd, int to);
int host_memfd(const char *name);
/* Opens fd's file once more, for reading only, as descriptor `to`; a negative errno. */
int host_fd_reopen_readonly(int fd, int to);
/* SIGKILL to every stub, as far as they are known. Async-signal-safe. */
void host_stub_kill_all(void);
/* For the handlers. */
extern volatile int host_running_pid;
extern uint32_t *volatile host_running_doorbell;

#endif
