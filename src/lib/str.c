/* String functions that C does not have. Compiled for every machine; no state. */
#include "lib/string.h"

size_t str_copy(char *dst, const char *src, size_t size)
{
	size_t length = strlen(src);

	if (size > 0) {
		size_t n = MIN(length, size - 1);

		memcpy(dst, src, n);
		dst[n] = '\0';
	}
	return length;
}
