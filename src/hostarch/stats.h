/* --stats: the kernel's counters at exit. */
#ifndef HOSTARCH_STATS_H
#define HOSTARCH_STATS_H

#include "lib/types.h"

/* Writes them to a host descriptor, one "name value" a line or as one JSON object. */
void stats_write(int fd, bool as_json);

#endif
