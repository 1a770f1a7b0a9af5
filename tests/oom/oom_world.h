/* Between world.c and oom.c: worlds come and go. */
#ifndef OOM_WORLD_H
#define OOM_WORLD_H

#include "oom.h"

/* A kernel up to its file systems; /tmp/data has 40 pages. Once. */
int oom_boot(void **state);
int oom_end(void **state);

/* Process 1 gets the memory oom.h describes, in this format, and a forked peer. */
void world_open(const struct pt_ops *codec, enum fork_mode mode);
/* Both are gone, with descriptors, leftover files and mounts; process 1 has nothing. */
void world_close(void);
/* With a reference. */
struct task *oom_peer(void);
/* Makes room for arguments that is there and the caller's own, whatever it holds. */
void oom_touch_args(void);

#endif
