/* See fdt.h. No state but the caller's struct fdt. */
#include "fdt.h"

#include "lib/string.h"

enum { MAGIC = 0xd00dfeed, BEGIN_NODE = 1, END_NODE = 2, PROPERTY = 3, NOP = 4, HEADER_BYTES = 40 };
#define VERSION_LAST_COMPATIBLE 17
#define DEPTH_MAX 64

static uint32_t word_at(const struct fdt *f, uint32_t offset)
{
	uint32_t raw;

	memcpy(&raw, f->base + offset, sizeof(raw));
	return __builtin_bswap32(raw);
}

static uint64_t number_at(const char *cells, unsigned nr_cells)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < nr_cells * 4; i++)
		value = value << 8 | (unsigned char)cells[i];
	return value;
}

const char *fdt_open(struct fdt *f, const void *base, size_t max_bytes)
{
	uint32_t struct_bytes, strings_bytes;

	*f = (struct fdt){.base = base};
	if (max_bytes < HEADER_BYTES || word_at(f, 0) != MAGIC)
		return "there is no device tree";
	f->total_bytes = word_at(f, 4);
	if (f->total_bytes < HEADER_BYTES || f->total_bytes > max_bytes)
		return "the device tree's size is wrong";
	if (word_at(f, 24) > VERSION_LAST_COMPATIBLE || word_at(f, 20) < VERSION_LAST_COMPATIBLE)
		return "the device tree's version is not known";
	f->struct_start = word_at(f, 8);
	f->strings_start = word_at(f, 12);
	f->reserve_start = word_at(f, 16);
	strings_bytes = word_at(f, 32);
	struct_bytes = word_at(f, 36);
	if (f->struct_start % 4 != 0 || f->struct_start > f->total_bytes ||
	    struct_bytes > f->total_bytes - f->struct_start || f->strings_start > f->total_bytes ||
	    strings_bytes > f->total_bytes - f->strings_start || f->reserve_start > f->total_bytes)
		return "the device tree's parts lie outside of it";
	f->struct_end = f->struct_start + (struct_bytes & ~3u);
	f->strings_end = f->strings_start + strings_bytes;
	return fdt_next(f, FDT_NONE, &(int){0}) == FDT_NONE ? "the device tree is empty" : NULL;
}

/* ---- tokens ------------------------------------------------------------------ */

/* A NUL-terminated string at offset that ends before end, or NULL. */
static const char *string_at(const struct fdt *f, uint32_t offset, uint32_t end)
{
	const char *s = f->base + offset;

	return offset < end && memchr(s, '\0', end - offset) != NULL ? s : NULL;
}

/* The token after the one at offset; 0: the tree ends, or breaks off, here. */
static uint32_t token_after(const struct fdt *f, uint32_t offset)
{
	uint64_t next = (uint64_t)offset + 4;

	switch (word_at(f, offset)) {
	case BEGIN_NODE: {
		const char *name = string_at(f, offset + 4, f->struct_end);

		if (name == NULL)
			return 0;
		next += strlen(name) + 1;
		break;
	}
	case PROPERTY:
		if (f->struct_end - offset < 12)
			return 0;
		next += 8 + (uint64_t)word_at(f, offset + 4);
		break;
	case END_NODE:
	case NOP: break;
	default: return 0;
	}
	next = (next + 3) & ~UINT64_C(3);
	return next + 4 <= f->struct_end ? (uint32_t)next : 0;
}

int fdt_next(const struct fdt *f, int node, int *depth)
{
	uint32_t at = node == FDT_NONE ? f->struct_start : token_after(f, (uint32_t)node);

	if (node == FDT_NONE) {
		*depth = -1;
		if (f->struct_end - f->struct_start < 4)
			return FDT_NONE;
	}
	for (; at != 0; at = token_after(f, at)) {
		switch (word_at(f, at)) {
		case BEGIN_NODE:
			if (string_at(f, at + 4, f->struct_end) == NULL || ++*depth > DEPTH_MAX)
				return FDT_NONE;
			return (int)at;
		case END_NODE: --*depth; break;
		}
	}
	return FDT_NONE;
}

const char *fdt_name(const struct fdt *f, int node) { return f->base + node + 4; }

/* ---- properties ---------------------------------------------------------------- */

const void *fdt_property(const struct fdt *f, int node, const char *name, uint32_t *size_bytes)
{
	for (uint32_t at = token_after(f, (uint32_t)node); at != 0; at = token_after(f, at)) {
		uint32_t token = word_at(f, at), size, offset;
		const char *this_name;

		if (token == NOP)
			continue;
		if (token != PROPERTY || f->struct_end - at < 12)
			return NULL;
		size = word_at(f, at + 4);
		offset = word_at(f, at + 8);
		if (size > f->struct_end - at - 12 || offset > f->strings_end - f->strings_start)
			return NULL;
		this_name = string_at(f, f->strings_start + offset, f->strings_end);
		if (this_name != NULL && strcmp(this_name, name) == 0) {
			*size_bytes = size;
			return f->base + at + 12;
		}
	}
	return NULL;
}

const char *fdt_string(const struct fdt *f, int node, const char *name)
{
	uint32_t size;
	const char *value = fdt_property(f, node, name, &size);

	return value != NULL && memchr(value, '\0', size) != NULL ? value : NULL;
}

uint32_t fdt_cell(const struct fdt *f, int node, const char *name, unsigned i, uint32_t otherwise)
{
	uint32_t size;
	const char *value = fdt_property(f, node, name, &size);

	return value != NULL && size / 4 > i ? (uint32_t)number_at(value + 4 * i, 1) : otherwise;
}

bool fdt_number(const struct fdt *f, int node, const char *name, uint64_t *value)
{
	uint32_t size;
	const char *cells = fdt_property(f, node, name, &size);

	if (cells == NULL || (size != 4 && size != 8))
		return false;
	*value = number_at(cells, size / 4);
	return true;
}

bool fdt_is_okay(const struct fdt *f, int node)
{
	const char *status = fdt_string(f, node, "status");

	return status == NULL || strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0;
}

/* ---- finding --------------------------------------------------------------------- */

/* Is the part of a path at `part` the name of this node? The unit address may be left out. */
static bool is_name(const char *name, const char *part, size_t length)
{
	return strncmp(name, part, length) == 0 && (name[length] == '\0' || name[length] == '@');
}

static int find_child(const struct fdt *f, int parent, const char *part, size_t length)
{
	int depth = 0, node = parent;

	while ((node = fdt_next(f, node, &depth)) != FDT_NONE && depth > 0)
		if (depth == 1 && is_name(fdt_name(f, node), part, length))
			return node;
	return FDT_NONE;
}

int fdt_find(const struct fdt *f, const char *path)
{
	int node = fdt_next(f, FDT_NONE, &(int){0});

	if (*path != '/') {
		int aliases = fdt_find(f, "/aliases");
		const char *target = aliases != FDT_NONE ? fdt_string(f, aliases, path) : NULL;

		return target != NULL && *target == '/' ? fdt_find(f, target) : FDT_NONE;
	}
	while (*path != '\0' && node != FDT_NONE) {
		size_t length = 0;

		while (*path == '/')
			path++;
		while (path[length] != '\0' && path[length] != '/')
			length++;
		if (length != 0)
			node = find_child(f, node, path, length);
		path += length;
	}
	return node;
}

int fdt_parent(const struct fdt *f, int node)
{
	int path[DEPTH_MAX + 1], depth, at = FDT_NONE;

	while ((at = fdt_next(f, at, &depth)) != FDT_NONE && depth >= 0) {
		if (at == node)
			return depth == 0 ? FDT_NONE : path[depth - 1];
		path[depth] = at;
	}
	return FDT_NONE;
}

static bool is_compatible(const struct fdt *f, int node, const char *const names[])
{
	uint32_t size;
	const char *list = fdt_property(f, node, "compatible", &size), *end = list + size;

	while (list != NULL && list < end && memchr(list, '\0', (size_t)(end - list)) != NULL) {
		for (unsigned i = 0; names[i] != NULL; i++)
			if (strcmp(list, names[i]) == 0)
				return true;
		list += strlen(list) + 1;
	}
	return false;
}

int fdt_find_compatible(const struct fdt *f, int after, const char *const names[])
{
	int depth = 0;

	do
		after = fdt_next(f, after, &depth);
	while (after != FDT_NONE && !(is_compatible(f, after, names) && fdt_is_okay(f, after)));
	return after;
}

/* ---- addresses --------------------------------------------------------------------- */

bool fdt_reg(const struct fdt *f, int node, unsigned i, uint64_t *start, uint64_t *size_bytes)
{
	int parent = fdt_parent(f, node);
	uint32_t address_cells, size_cells, bytes;
	const char *value = fdt_property(f, node, "reg", &bytes);

	if (parent == FDT_NONE || value == NULL)
		return false;
	address_cells = fdt_cell(f, parent, "#address-cells", 0, 2);
	size_cells = fdt_cell(f, parent, "#size-cells", 0, 1);
	if (address_cells == 0 || address_cells > 2 || size_cells > 2 ||
	    bytes / 4 / (address_cells + size_cells) <= i)
		return false;
	value += 4 * i * (address_cells + size_cells);
	*start = number_at(value, address_cells);
	*size_bytes = number_at(value + 4 * address_cells, size_cells);
	return *start + *size_bytes >= *start;
}

bool fdt_reservation(const struct fdt *f, unsigned i, uint64_t *start, uint64_t *size_bytes)
{
	uint32_t left = f->total_bytes - f->reserve_start;
	const char *entry = f->base + f->reserve_start + (size_t)i * 16;

	if (left / 16 <= i)
		return false;
	*start = number_at(entry, 2);
	*size_bytes = number_at(entry + 8, 2);
	return *size_bytes != 0 && *start + *size_bytes >= *start;
}
