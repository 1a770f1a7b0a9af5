/* The system-call table as the dispatcher and the trace see it. */
#ifndef SYSCALL_TABLE_H
#define SYSCALL_TABLE_H

#include "lib/types.h"

struct syscall_entry {
	int64_t (*call)(const uint64_t args[6]);
	const char *name;
	const char *format; /* one letter an argument */
};

/* The entry of a number of this architecture, or NULL when no such call exists. */
const struct syscall_entry *syscall_lookup(uint64_t nr);
/* System calls made since boot. */
uint64_t syscall_count(void);

#endif
