/*
 * Formatted output into a buffer, as C's snprintf without floats. No state, no
 * locks, no allocation: usable in panic().
 */
#include "lib/printf.h"

#include "lib/string.h"

struct out {
	char *buf;
	size_t size, length; /* length: of the whole text; may pass size */
};

enum length_modifier {
	LEN_INT,
	LEN_CHAR,
	LEN_SHORT,
	LEN_LONG,
	LEN_LONG_LONG,
	LEN_SIZE,
	LEN_PTRDIFF,
	LEN_MAX
};

struct spec {
	bool left, zero, plus, space, alternate;
	int width, precision; /* precision < 0: none given */
	enum length_modifier length;
};

static void put(struct out *o, char c)
{
	if (o->length + 1 < o->size)
		o->buf[o->length] = c;
	o->length++;
}

static void put_repeated(struct out *o, char c, int n)
{
	while (n-- > 0)
		put(o, c);
}

static void put_bytes(struct out *o, const char *s, size_t n)
{
	while (n-- > 0)
		put(o, *s++);
}

static const char *parse_flags(const char *p, struct spec *s)
{
	for (;; p++) {
		switch (*p) {
		case '-': s->left = true; break;
		case '0': s->zero = true; break;
		case '+': s->plus = true; break;
		case ' ': s->space = true; break;
		case '#': s->alternate = true; break;
		default: return p;
		}
	}
}

/* A width or precision: digits, or the next argument for '*'. */
static const char *parse_number(const char *p, int *out, va_list *args)
{
	if (*p == '*') {
		*out = va_arg(*args, int);
		return p + 1;
	}
	for (*out = 0; *p >= '0' && *p <= '9'; p++) {
		if (*out < 100000)
			*out = *out * 10 + (*p - '0');
	}
	return p;
}

static const char *parse_length(const char *p, enum length_modifier *out)
{
	switch (*p) {
	case 'h': *out = p[1] == 'h' ? LEN_CHAR : LEN_SHORT; return p + (p[1] == 'h' ? 2 : 1);
	case 'l': *out = p[1] == 'l' ? LEN_LONG_LONG : LEN_LONG; return p + (p[1] == 'l' ? 2 : 1);
	case 'z': *out = LEN_SIZE; return p + 1;
	case 't': *out = LEN_PTRDIFF; return p + 1;
	case 'j': *out = LEN_MAX; return p + 1;
	default: *out = LEN_INT; return p;
	}
}

static const char *parse_spec(const char *p, struct spec *s, va_list *args)
{
	p = parse_flags(p, s);
	p = parse_number(p, &s->width, args);
	if (s->width < 0) {
		s->left = true;
		s->width = -s->width;
	}
	s->precision = -1;
	if (*p == '.')
		p = parse_number(p + 1, &s->precision, args);
	return parse_length(p, &s->length);
}

static int64_t arg_signed(enum length_modifier length, va_list *args)
{
	switch (length) {
	case LEN_CHAR: return (signed char)va_arg(*args, int);
	case LEN_SHORT: return (short)va_arg(*args, int);
	case LEN_LONG: return va_arg(*args, long);
	case LEN_LONG_LONG: return va_arg(*args, long long);
	case LEN_SIZE: return (int64_t)va_arg(*args, size_t);
	case LEN_PTRDIFF: return va_arg(*args, ptrdiff_t);
	case LEN_MAX: return va_arg(*args, intmax_t);
	default: return va_arg(*args, int);
	}
}

static uint64_t arg_unsigned(enum length_modifier length, va_list *args)
{
	switch (length) {
	case LEN_CHAR: return (unsigned char)va_arg(*args, unsigned);
	case LEN_SHORT: return (unsigned short)va_arg(*args, unsigned);
	case LEN_LONG: return va_arg(*args, unsigned long);
	case LEN_LONG_LONG: return va_arg(*args, unsigned long long);
	case LEN_SIZE: return va_arg(*args, size_t);
	case LEN_PTRDIFF: return (uint64_t)va_arg(*args, ptrdiff_t);
	case LEN_MAX: return va_arg(*args, uintmax_t);
	default: return va_arg(*args, unsigned);
	}
}

/* prefix: sign or "0x"; value is written in base with at least `precision` digits. */
static void put_number(struct out *o, const struct spec *s, const char *prefix, uint64_t value, unsigned base,
		       bool upper)
{
	const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	int nr_prefix = (int)strlen(prefix), nr_zeroes, pad;
	char text[24];
	int n = 0;

	for (; value != 0; value /= base)
		text[n++] = digits[value % base];
	nr_zeroes = (s->precision < 0 ? 1 : s->precision) - n;
	if (s->alternate && base == 8 && nr_zeroes <= 0 && n > 0)
		nr_zeroes = 1;
	if (s->alternate && base == 8 && s->precision == 0 && n == 0)
		nr_zeroes = 1;
	nr_zeroes = MAX(nr_zeroes, 0);
	pad = MAX(s->width - nr_prefix - nr_zeroes - n, 0);
	if (s->zero && !s->left && s->precision < 0) {
		nr_zeroes += pad;
		pad = 0;
	}
	if (!s->left)
		put_repeated(o, ' ', pad);
	put_bytes(o, prefix, (size_t)nr_prefix);
	put_repeated(o, '0', nr_zeroes);
	while (n > 0)
		put(o, text[--n]);
	if (s->left)
		put_repeated(o, ' ', pad);
}

static void put_signed(struct out *o, const struct spec *s, int64_t value)
{
	const char *prefix = value < 0 ? "-" : s->plus ? "+" : s->space ? " " : "";

	put_number(o, s, prefix, value < 0 ? -(uint64_t)value : (uint64_t)value, 10, false);
}

static void put_string(struct out *o, const struct spec *s, const char *text)
{
	size_t n;
	int pad;

	if (text == NULL)
		text = "(null)";
	n = s->precision < 0 ? strlen(text) : strnlen(text, (size_t)s->precision);
	pad = n < (size_t)s->width ? s->width - (int)n : 0;
	if (!s->left)
		put_repeated(o, ' ', pad);
	put_bytes(o, text, n);
	if (s->left)
		put_repeated(o, ' ', pad);
}

static void put_char(struct out *o, const struct spec *s, char c)
{
	if (!s->left)
		put_repeated(o, ' ', s->width - 1);
	put(o, c);
	if (s->left)
		put_repeated(o, ' ', s->width - 1);
}

static void put_hex(struct out *o, const struct spec *s, uint64_t value, bool upper)
{
	put_number(o, s, s->alternate && value != 0 ? (upper ? "0X" : "0x") : "", value, 16, upper);
}

/* False: not a conversion of ours. */
static bool put_conversion(struct out *o, char conversion, struct spec *s, va_list *args)
{
	switch (conversion) {
	case 'd':
	case 'i': put_signed(o, s, arg_signed(s->length, args)); return true;
	case 'u': put_number(o, s, "", arg_unsigned(s->length, args), 10, false); return true;
	case 'x':
	case 'X': put_hex(o, s, arg_unsigned(s->length, args), conversion == 'X'); return true;
	case 'o': put_number(o, s, "", arg_unsigned(s->length, args), 8, false); return true;
	case 'c': put_char(o, s, (char)va_arg(*args, int)); return true;
	case 's': put_string(o, s, va_arg(*args, const char *)); return true;
	case 'p': put_number(o, s, "0x", (uintptr_t)va_arg(*args, void *), 16, false); return true;
	case '%': put(o, '%'); return true;
	default: return false;
	}
}

int kvsnprintf(char *buf, size_t size, const char *fmt, va_list args)
{
	struct out o = {buf, size, 0};
	va_list copy;

	va_copy(copy, args); /* &args of a parameter is not a va_list * on every ABI */
	for (const char *p = fmt; *p != '\0'; p++) {
		struct spec s = {0};
		const char *end;

		if (*p != '%') {
			put(&o, *p);
			continue;
		}
		end = parse_spec(p + 1, &s, &copy);
		if (put_conversion(&o, *end, &s, &copy))
			p = end;
		else
			put(&o, '%'); /* shown as it stands */
	}
	va_end(copy);
	if (size > 0)
		buf[MIN(o.length, size - 1)] = '\0';
	return (int)o.length;
}

int ksnprintf(char *buf, size_t size, const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = kvsnprintf(buf, size, fmt, args);
	va_end(args);
	return n;
}
