/* Private to src/metal: what its files share. */
#ifndef METAL_INTERNAL_H
#define METAL_INTERNAL_H

#include "metal/metal.h"

/* ---- option.c ------------------------------------------------------------ */

/* Copies the command line (cut at 4 KiB) to where it stays, and returns it. */
const char *option_set_cmdline(const char *text);
/* Reads a decimal number and moves *at past it. False: there is none, or it is too large. */
bool option_number(const char **at, uint64_t *out);
/* A number with K, M, G or T after it. False: text is no size. */
bool option_size(const char *text, uint64_t *out);

/* ---- symbols.c ----------------------------------------------------------- */

/* The function that address lies in, and how far in. False: it is in none that is known. */
bool symbol_find(uint64_t address, const char **name, uint64_t *offset);

/* ---- random.c ------------------------------------------------------------ */

void random_init(uint64_t realtime_ns);

#endif
