/*
 * Memory and string functions with C's names and meaning. The hosted kernel
 * takes them from libc, the bare-metal ones from src/lib/string.c.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include "lib/types.h"

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int byte, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *hay, const char *needle);

/*
 * Copies src to dst[size], always NUL-terminated when size > 0.
 * Returns strlen(src); a result >= size means the copy was cut.
 */
size_t str_copy(char *dst, const char *src, size_t size);

#endif
