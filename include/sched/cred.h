/* Credentials: capability questions (capabilities(7)) and permission to act on another process. */
#ifndef SCHED_CRED_H
#define SCHED_CRED_H

#include "sched/task.h"

#define CAP_KILL 5
#define CAP_SETGID 6
#define CAP_SETUID 7
#define CAP_SETPCAP 8
#define CAP_SYS_ADMIN 21
#define CAP_SYS_BOOT 22
#define CAP_SYS_NICE 23
#define CAP_SYS_RESOURCE 24
#define CAP_SYS_TIME 25

static inline bool cred_has_cap(const struct cred *c, unsigned cap) { return (c->cap_effective >> cap & 1) != 0; }
static inline bool current_has_cap(unsigned cap) { return cred_has_cap(&current_task()->cred, cap); }

#endif
