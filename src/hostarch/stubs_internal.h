/* What stubs.c and stub_create.c share: the host's signal frame, and waiting. */
#ifndef HOSTARCH_STUBS_INTERNAL_H
#define HOSTARCH_STUBS_INTERNAL_H

#include "hostarch/stubs.h"

/* Offsets in the host's ucontext and siginfo. */
#define UC_GREGS 40u
#define UC_FPSTATE 224u
#define UC_BYTES 304u
#define INFO_CODE 8u
#define INFO_ARCH 28u
#define INFO_BYTES 128u

enum { HOST_SIGSYS = 31 };

extern struct stub_header stub_header; /* addresses in the stub's program */
extern struct list all_stubs;

/* Sleeps until the stub has handed over, or is dead. */
void stub_wait_for_turn(struct stub *s);
/* Nobody remembers this stub as the last one that ran. */
void stub_forget(const struct stub *s);

/* An offset from an address the stub gave, if [address, address + size) lies in the signal stack. */
bool altstack_offset(uint64_t address, uint64_t size_bytes, uint64_t align, uint32_t *offset);

#endif
