/*
 * C's memory and string functions for machines without libc; the hosted kernel
 * does not compile this file. Words of 8 bytes at any alignment, 4 at a time. The
 * memory functions are weak: a machine may have faster ones. No state.
 */
#include "lib/string.h"

#if defined(__GNUC__) && !defined(__clang__)
/* Else the compiler sees memcpy in the loop and makes memcpy call itself. */
#pragma GCC optimize("no-tree-loop-distribute-patterns")
#endif

#define WEAK __attribute__((weak))

typedef uint64_t word __attribute__((may_alias, aligned(1)));

void *memcpy(void *restrict dst, const void *restrict src, size_t n) WEAK;
void *memmove(void *dst, const void *src, size_t n) WEAK;
void *memset(void *dst, int byte, size_t n) WEAK;

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	unsigned char *d = dst;
	const unsigned char *s = src;

	for (; n >= 4 * sizeof(word); n -= 4 * sizeof(word)) {
		word a = ((const word *)s)[0], b = ((const word *)s)[1];
		word c = ((const word *)s)[2], e = ((const word *)s)[3];

		((word *)d)[0] = a;
		((word *)d)[1] = b;
		((word *)d)[2] = c;
		((word *)d)[3] = e;
		s += 4 * sizeof(word);
		d += 4 * sizeof(word);
	}
	for (; n >= sizeof(word); n -= sizeof(word)) {
		*(word *)d = *(const word *)s;
		s += sizeof(word);
		d += sizeof(word);
	}
	while (n-- > 0)
		*d++ = *s++;
	return dst;
}

/* Copies from the end, for destinations above an overlapping source. */
static void copy_backwards(unsigned char *d, const unsigned char *s, size_t n)
{
	for (; n >= sizeof(word); n -= sizeof(word)) {
		word w = *(const word *)(s + n - sizeof(word));

		*(word *)(d + n - sizeof(word)) = w;
	}
	while (n-- > 0)
		d[n] = s[n];
}

static void copy_forwards(unsigned char *d, const unsigned char *s, size_t n)
{
	for (; n >= sizeof(word); n -= sizeof(word)) {
		word w = *(const word *)s;

		*(word *)d = w;
		s += sizeof(word);
		d += sizeof(word);
	}
	while (n-- > 0)
		*d++ = *s++;
}

void *memmove(void *dst, const void *src, size_t n)
{
	if ((uintptr_t)dst - (uintptr_t)src >= n)
		copy_forwards(dst, src, n);
	else
		copy_backwards(dst, src, n);
	return dst;
}

void *memset(void *dst, int byte, size_t n)
{
	unsigned char *d = dst;
	word w = (unsigned char)byte * (uint64_t)0x0101010101010101;

	for (; n >= 4 * sizeof(word); n -= 4 * sizeof(word)) {
		((word *)d)[0] = w;
		((word *)d)[1] = w;
		((word *)d)[2] = w;
		((word *)d)[3] = w;
		d += 4 * sizeof(word);
	}
	while (n-- > 0)
		*d++ = (unsigned char)byte;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n >= sizeof(word) && *(const word *)x == *(const word *)y; n -= sizeof(word)) {
		x += sizeof(word);
		y += sizeof(word);
	}
	for (; n > 0; n--, x++, y++) {
		if (*x != *y)
			return *x - *y;
	}
	return 0;
}

void *memchr(const void *s, int byte, size_t n)
{
	const unsigned char *p = s;

	for (; n > 0; n--, p++) {
		if (*p == (unsigned char)byte)
			return (void *)(uintptr_t)p;
	}
	return NULL;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*p != '\0')
		p++;
	return (size_t)(p - s);
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n] != '\0')
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	for (; *a != '\0' && *a == *b; a++)
		b++;
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0; n--, a++, b++) {
		if (*a != *b || *a == '\0')
			return (unsigned char)*a - (unsigned char)*b;
	}
	return 0;
}

char *strchr(const char *s, int c)
{
	for (; *s != (char)c; s++) {
		if (*s == '\0')
			return NULL;
	}
	return (char *)(uintptr_t)s;
}

char *strrchr(const char *s, int c)
{
	const char *found = NULL;

	for (;; s++) {
		if (*s == (char)c)
			found = s;
		if (*s == '\0')
			return (char *)(uintptr_t)found;
	}
}

char *strstr(const char *hay, const char *needle)
{
	size_t n = strlen(needle);

	for (; strncmp(hay, needle, n) != 0; hay++) {
		if (*hay == '\0')
			return NULL;
	}
	return (char *)(uintptr_t)hay;
}

/* What gcc calls for __builtin_popcountll() on CPUs without the instruction. */
int __popcountdi2(unsigned long long x);

int __popcountdi2(unsigned long long x)
{
	int n = 0;

	for (; x != 0; x &= x - 1)
		n++;
	return n;
}
