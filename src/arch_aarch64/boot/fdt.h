/*
 * The flattened device tree (Devicetree Specification 0.4, chapter 5), read-only. A node is
 * the offset of its token in the structure block. Every access is checked against the
 * tree's bounds: what a broken tree does not have is not found.
 */
#ifndef FDT_H
#define FDT_H

#include "lib/types.h"

struct fdt {
	const char *base;
	uint32_t total_bytes;
	uint32_t struct_start, struct_end;   /* offsets in base */
	uint32_t strings_start, strings_end;
	uint32_t reserve_start;
};

#define FDT_NONE (-1)

/* NULL, or what is wrong with the tree at base, of which max_bytes can be read. */
const char *fdt_open(struct fdt *f, const void *base, size_t max_bytes);

/* The node after this one in the order of the tree (FDT_NONE: the root). *depth counts along; the root's is 0. */
int fdt_next(const struct fdt *f, int node, int *depth);
/* The node's name, with its unit address. */
const char *fdt_name(const struct fdt *f, int node);
/* A property's value, or NULL. */
const void *fdt_property(const struct fdt *f, int node, const char *name, uint32_t *size_bytes);
/* A property that is a string with its NUL, or NULL. */
const char *fdt_string(const struct fdt *f, int node, const char *name);
/* Cell number i of a property, or otherwise. */
uint32_t fdt_cell(const struct fdt *f, int node, const char *name, unsigned i, uint32_t otherwise);
/* A property of one or two cells as a number. False: there is none. */
bool fdt_number(const struct fdt *f, int node, const char *name, uint64_t *value);

/* Node by absolute path, unit addresses included or not; FDT_NONE. Aliases are followed. */
int fdt_find(const struct fdt *f, const char *path);
/* The parent, FDT_NONE of the root. */
int fdt_parent(const struct fdt *f, int node);
/* First node after `after` (FDT_NONE: of all) that is compatible with one of the names (NULL at the end). */
int fdt_find_compatible(const struct fdt *f, int after, const char *const names[]);
/* Is the node in use: no status, or "okay"? */
bool fdt_is_okay(const struct fdt *f, int node);

/* Entry i of reg: an address range of the parent's bus, which is taken for the CPU's. False: there is none. */
bool fdt_reg(const struct fdt *f, int node, unsigned i, uint64_t *start, uint64_t *size_bytes);
/* Entry i of the memory reservation block. False: the end. */
bool fdt_reservation(const struct fdt *f, unsigned i, uint64_t *start, uint64_t *size_bytes);

#endif
