/* The console and the machine's end, inside the hosted machine. */
#ifndef HOSTARCH_CONSOLE_H
#define HOSTARCH_CONSOLE_H

#include "lib/types.h"

/* HOST_WINCH, HOST_INTERRUPT ... have come. */
void console_signals(unsigned pending);
/* The host asks us to end (SIGTERM, SIGHUP): in order, with status 128 + signal. */
NORETURN void machine_stop(int signal);
void machine_child_ended(void);
void irq_init(void);
/* fd: the terminal, -1: none. */
void console_set_fd(int input_fd, int output_fd);

#endif
