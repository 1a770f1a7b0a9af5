/*
 * Names of the image's functions, for back traces. The build appends the list to the image
 * (cmake/symbols.cmake); it is read from its beginning each time, for it is needed once.
 */
#include "arch/machine.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "metal/internal.h"

extern const struct {
	uint64_t first; /* address of the first function */
	uint8_t list[]; /* distance from the one before (ULEB128), name (NUL-terminated); an empty name: the end */
} metal_symbols;

static uint64_t read_uleb128(const uint8_t **at)
{
	uint64_t value = 0;
	uint8_t byte;

	for (unsigned shift = 0;; shift += 7) {
		byte = *(*at)++;
		value |= (uint64_t)(byte & 0x7f) << shift;
		if ((byte & 0x80) == 0)
			return value;
	}
}

bool symbol_find(uint64_t address, const char **name, uint64_t *offset)
{
	const uint8_t *at = metal_symbols.list;
	uint64_t start = metal_symbols.first, next;

	*name = NULL;
	if (address < (uint64_t)image_start || address >= (uint64_t)text_end)
		return false;
	for (;;) {
		next = start + read_uleb128(&at);
		if (next > address || *at == '\0')
			break;
		start = next;
		*name = (const char *)at;
		at += strlen((const char *)at) + 1;
	}
	*offset = address - start;
	return *name != NULL;
}

void arch_symbolise(uintptr_t address, char *buf, size_t size_bytes)
{
	const char *name;
	uint64_t offset;

	if (symbol_find(address, &name, &offset))
		ksnprintf(buf, size_bytes, "%s+%#llx", name, (unsigned long long)offset);
	else
		ksnprintf(buf, size_bytes, "?");
}
