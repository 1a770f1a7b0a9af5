/*
 * memcpy and memset by the string instructions, in place of src/lib/string.c's: for pages, the most of what the kernel
 * moves, nothing is shorter. Small sizes go by words, the last of which may overlap the one before.
 */
#include "lib/string.h"

#define STRING_MIN 192u /* below, the start of REP costs more than it saves */

typedef uint64_t word __attribute__((may_alias, aligned(1)));

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	char *d = dst;
	const char *s = src;

	if (n < sizeof(word)) {
		for (; n > 0; n--) {
			*d++ = *s++;
			__asm__ volatile("" : "+r"(d)); /* or the compiler would call memcpy here */
		}
		return dst;
	}
	if (n >= STRING_MIN) {
		size_t words = n / sizeof(word);

		__asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words) : : "memory");
		n %= sizeof(word);
	}
	for (; n > sizeof(word); n -= sizeof(word)) {
		*(word *)d = *(const word *)s;
		d += sizeof(word);
		s += sizeof(word);
		__asm__ volatile("" : "+r"(d));
	}
	if (n > 0)
		*(word *)(d + n - sizeof(word)) = *(const word *)(s + n - sizeof(word));
	return dst;
}

void *memset(void *dst, int byte, size_t n)
{
	const word pattern = (uint8_t)byte * UINT64_C(0x0101010101010101);
	char *d = dst;

	if (n < sizeof(word)) {
		for (; n > 0; n--) {
			*d++ = (char)byte;
			__asm__ volatile("" : "+r"(d));
		}
		return dst;
	}
	if (n >= STRING_MIN) {
		size_t words = n / sizeof(word);

		__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
		n %= sizeof(word);
	}
	for (; n > sizeof(word); n -= sizeof(word)) {
		*(word *)d = pattern;
		d += sizeof(word);
		__asm__ volatile("" : "+r"(d));
	}
	if (n > 0)
		*(word *)(d + n - sizeof(word)) = pattern;
	return dst;
}
