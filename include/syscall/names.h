/* Names of the ABI's constants, for traces and reports. */
#ifndef SYSCALL_NAMES_H
#define SYSCALL_NAMES_H

#include "lib/types.h"

/* A flag is present when (value & mask) == value of the entry. A list ends with name NULL. */
struct flag_name {
	uint32_t mask, value;
	const char *name;
};
extern const struct flag_name open_flag_names[], prot_names[], mmap_flag_names[], wait_flag_names[],
	clone_flag_names[];

/* "SIGINT", or NULL. */
const char *signal_name(int sig);
/* "ENOENT", or NULL. */
const char *errno_name(int error);
/* "No such file or directory", or NULL. */
const char *errno_text(int error);

#endif
