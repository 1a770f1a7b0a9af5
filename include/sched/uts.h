/* uname(2)'s strings: one set for the machine; sethostname(2) changes the node name. */
#ifndef SCHED_UTS_H
#define SCHED_UTS_H

#include "abi/resource.h"

extern struct linux_utsname kernel_uts;

#endif
