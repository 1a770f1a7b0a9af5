/* Runs that repeat (--seed): time and randomness as functions of the seed. */
#ifndef HOSTARCH_SEEDED_H
#define HOSTARCH_SEEDED_H

#include "lib/types.h"

/* Is this a run with a seed? Set before the machine starts. */
extern bool seeded_on;

void seeded_init(uint64_t seed);
/* Virtual time since boot: it goes on by a step with each trap, and skips idle waits. */
uint64_t seeded_time_ns(void);
/* A guest has trapped into the kernel. */
void seeded_trap(void);
/* Nobody can run before then. */
void seeded_skip_to(uint64_t time_ns);
void seeded_random(void *buf, size_t size_bytes);

/* What the wall clock says at boot: 2024-01-01. */
#define SEEDED_BOOT_NS UINT64_C(1704067200000000000)

struct trap_frame;
/* If the guest stopped at an instruction that reads the CPU's time counter: does it, with virtual time. */
bool seeded_emulate_counter(struct trap_frame *frame);

#endif
