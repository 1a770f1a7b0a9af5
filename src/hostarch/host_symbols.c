/*
 * Names of the kernel's functions on a Linux host, for reports (arch_symbolise()): from the symbol table
 * of this program, by libunwind; under AddressSanitizer with file, line and inlined functions, by its
 * run-time library. Also linked into the unit tests.
 */
#define UNW_LOCAL_ONLY
#include <libunwind.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "arch/machine.h"
#include "hostarch/tools.h"

#if LEVITATE_ASAN
#include <sanitizer/common_interface_defs.h>

/* The sanitizer writes one string for each function inlined at the address, innermost first, then an empty one. */
void arch_symbolise(uintptr_t address, char *buf, size_t size_bytes)
{
	char text[1024] = "";
	size_t n = 0;

	__sanitizer_symbolize_pc((void *)(address + 1), "%f %S", text, sizeof(text) - 1);
	buf[0] = '\0';
	for (const char *t = text; *t != '\0' && n < size_bytes; t += strlen(t) + 1)
		n += (size_t)snprintf(buf + n, size_bytes - n, "%s%s", t == text ? "" : " in ", t);
}

#else

void arch_symbolise(uintptr_t address, char *buf, size_t size_bytes)
{
	unw_context_t context;
	unw_cursor_t cursor;
	unw_word_t offset;
	char name[128];

	unw_getcontext(&context);
	if (unw_init_local(&cursor, &context) != 0 || unw_set_reg(&cursor, UNW_REG_IP, address) != 0 ||
	    unw_get_proc_name(&cursor, name, sizeof(name), &offset) != 0)
		snprintf(buf, size_bytes, "?");
	else
		snprintf(buf, size_bytes, "%s+%#lx", name, (unsigned long)offset);
}

#endif
