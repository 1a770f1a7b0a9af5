/*
 * The machine's own options on the kernel command line. Owns the copy of the command line,
 * which the core reads too (sched/cmdline.c: init= and what is for init).
 */
#include "lib/string.h"
#include "metal/internal.h"
#include "sched/cmdline.h"

#define CMDLINE_BYTES 4096u

static char cmdline[CMDLINE_BYTES];

const char *option_set_cmdline(const char *text)
{
	str_copy(cmdline, text, sizeof(cmdline));
	return cmdline;
}

bool metal_option(const char *name, char *buf, size_t size_bytes)
{
	const size_t length = strlen(name);
	const char *at = cmdline;
	char word[128];
	bool found = false;

	while (cmdline_word(&at, word, sizeof(word)) && strcmp(word, "--") != 0) {
		if (strncmp(word, name, length) != 0 || (word[length] != '=' && word[length] != '\0'))
			continue;
		str_copy(buf, word[length] == '=' ? word + length + 1 : "", size_bytes);
		found = true; /* the last one counts */
	}
	return found;
}

bool option_number(const char **at, uint64_t *out)
{
	const char *p = *at;

	if (*p < '0' || *p > '9')
		return false;
	for (*out = 0; *p >= '0' && *p <= '9'; p++) {
		if (*out > (UINT64_MAX - 9) / 10)
			return false;
		*out = *out * 10 + (uint64_t)(*p - '0');
	}
	*at = p;
	return true;
}

bool option_size(const char *text, uint64_t *out)
{
	static const char units[] = "kKmMgGtT";
	const char *unit;
	unsigned shift;

	if (!option_number(&text, out))
		return false;
	if (*text == '\0')
		return true;
	unit = strchr(units, *text);
	if (unit == NULL || text[1] != '\0')
		return false;
	shift = ((unsigned)(unit - units) / 2 + 1) * 10;
	if (*out > UINT64_MAX >> shift)
		return false;
	*out <<= shift;
	return true;
}
