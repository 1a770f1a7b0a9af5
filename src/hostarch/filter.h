/* The seccomp filter of a stub; the policy is explained at the top of stub/stub.S. */
#ifndef HOSTARCH_FILTER_H
#define HOSTARCH_FILTER_H

#include "hostarch/stub/stub.h"

/* Writes the program into setup->filter. header: addresses of the gates; secret: 32 bits each. */
void filter_build(struct stub_setup *setup, const struct stub_header *header, const uint32_t secret[2]);

#endif
