/*
 * A text buffer that grows, for the files of /proc. Out of memory is sticky and
 * reported once, by whoever reads the text. No lock: one user at a time.
 */
#include "fs/proc.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/kmalloc.h"

#define CAPACITY_MIN 1024u

void seq_init(struct seqbuf *s) { *s = (struct seqbuf){0}; }

void seq_destroy(struct seqbuf *s)
{
	kfree(s->data);
	seq_init(s);
}

char *seq_reserve(struct seqbuf *s, size_t n)
{
	size_t capacity = MAX(s->capacity, CAPACITY_MIN);
	char *bigger;

	if (s->is_out_of_memory)
		return NULL;
	if (s->capacity - s->len >= n && s->data != NULL)
		return s->data + s->len;
	while (capacity - s->len < n)
		capacity *= 2;
	bigger = krealloc(s->data, capacity);
	if (bigger == NULL) {
		s->is_out_of_memory = true;
		return NULL;
	}
	s->data = bigger;
	s->capacity = capacity;
	return s->data + s->len;
}

void seq_write(struct seqbuf *s, const void *bytes, size_t n)
{
	char *room = seq_reserve(s, n);

	if (room != NULL) {
		memcpy(room, bytes, n);
		s->len += n;
	}
}

void seq_puts(struct seqbuf *s, const char *text) { seq_write(s, text, strlen(text)); }

void seq_printf(struct seqbuf *s, const char *fmt, ...)
{
	char text[512];
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = (size_t)kvsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (len < sizeof(text)) {
		seq_write(s, text, len);
		return;
	}
	if (seq_reserve(s, len + 1) == NULL)
		return;
	va_start(args, fmt);
	s->len += (size_t)kvsnprintf(s->data + s->len, len + 1, fmt, args);
	va_end(args);
}

void seq_escape(struct seqbuf *s, const char *text, const char *special)
{
	for (; *text != '\0'; text++) {
		if (*text == '\\' || strchr(special, *text) != NULL)
			seq_printf(s, "\\%03o", (unsigned char)*text);
		else
			seq_write(s, text, 1);
	}
}
