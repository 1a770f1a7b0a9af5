/*
 * The system-call trace: one line a call, as strace prints it. Inputs are read
 * when the call begins (execve replaces the address space they live in), outputs
 * when it ends; the line is written at the end, whole, so that the lines of
 * several tasks never mix. What is under way for a task hangs on task->trace.
 *
 * Letters of a format (table.def), one an argument:
 *   d int   u unsigned   x hex   z size   p address   o octal mode   f descriptor
 *   a directory descriptor   s string   B input bytes (next argument: count)
 *   b output bytes (the result is the count)   A string vector   e environment
 *   O open flags   P protection   M mmap flags   S signal   C clone flags
 *   w wait options   t timespec   I ioctl request   D milliseconds   h mask how
 */
#include "syscall/trace.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/sched.h"
#include "abi/signal.h"
#include "abi/wait.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "syscall/names.h"
#include "syscall/syscall.h"
#include "syscall/table.h"

#define LINE_MAX_BYTES 1024
#define STRING_SHOWN 32 /* bytes of a buffer, as strace's default */
#define VECTOR_SHOWN 16

static void (*write_line)(const char *line, size_t size_bytes);

struct line {
	size_t len;
	unsigned nr_done; /* arguments printed */
	char text[LINE_MAX_BYTES];
};

void trace_enable(void (*write)(const char *line, size_t size_bytes)) { write_line = write; }
bool trace_is_enabled(void) { return write_line != NULL; }

static void PRINTF_LIKE(2, 3) add(struct line *line, const char *fmt, ...)
{
	va_list args;
	size_t room = sizeof(line->text) - line->len;
	int n;

	va_start(args, fmt);
	n = kvsnprintf(line->text + line->len, room, fmt, args);
	va_end(args);
	line->len += MIN((size_t)n, room - 1);
}

static void add_quoted(struct line *line, const char *s, size_t len, bool is_cut)
{
	static const char letters[] = "\a\b\t\n\v\f\r", names[] = "abtnvfr";

	add(line, "\"");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		const char *special = c != 0 ? strchr(letters, c) : NULL;
		bool digit_follows = i + 1 < len && s[i + 1] >= '0' && s[i + 1] <= '9';

		if (c == '"' || c == '\\')
			add(line, "\\%c", c);
		else if (special != NULL && c >= '\t' && c <= '\r')
			add(line, "\\%c", names[special - letters]);
		else if (c >= ' ' && c < 127)
			add(line, "%c", c);
		else
			add(line, digit_follows ? "\\%03o" : "\\%o", c);
	}
	add(line, is_cut ? "\"..." : "\"");
}

static void add_string(struct line *line, uint64_t addr)
{
	char *s;
	int64_t len;

	if (addr == 0) {
		add(line, "NULL");
		return;
	}
	s = kmalloc(256);
	len = s != NULL ? strncpy_from_user(s, uaddr(addr), 256) : -EFAULT;
	if (len >= 0)
		add_quoted(line, s, (size_t)len, false);
	else if (len == -ENAMETOOLONG)
		add_quoted(line, s, 255, true);
	else
		add(line, "%#llx", (unsigned long long)addr);
	kfree(s);
}

static void add_bytes(struct line *line, uint64_t addr, uint64_t count)
{
	char buf[STRING_SHOWN];
	size_t n = MIN(count, sizeof(buf));

	if (copy_from_user(buf, uaddr(addr), n) != 0)
		add(line, "%#llx", (unsigned long long)addr);
	else
		add_quoted(line, buf, n, count > n);
}

static void add_vector(struct line *line, uint64_t addr, bool count_only)
{
	uint64_t p = 0;
	unsigned n = 0;

	if (addr == 0) {
		add(line, "NULL");
		return;
	}
	add(line, count_only ? "%#llx /* " : "[", (unsigned long long)addr);
	while (copy_from_user(&p, uaddr(addr + n * 8ull), sizeof(p)) == 0 && p != 0) {
		if (!count_only && n < VECTOR_SHOWN) {
			add(line, n != 0 ? ", " : "");
			add_string(line, p);
		}
		n++;
	}
	if (count_only)
		add(line, "%u vars */", n);
	else
		add(line, n > VECTOR_SHOWN ? ", ...]" : "]");
}

static void add_timespec(struct line *line, uint64_t addr)
{
	int64_t ts[2];

	if (addr == 0)
		add(line, "NULL");
	else if (copy_from_user(ts, uaddr(addr), sizeof(ts)) != 0)
		add(line, "%#llx", (unsigned long long)addr);
	else
		add(line, "{tv_sec=%lld, tv_nsec=%lld}", (long long)ts[0], (long long)ts[1]);
}

static void add_flags(struct line *line, uint64_t value, const struct flag_name *names)
{
	const char *separator = "";

	for (; names->name != NULL; names++) {
		if ((value & names->mask) != names->value)
			continue;
		add(line, "%s%s", separator, names->name);
		separator = "|";
		value &= ~(uint64_t)names->mask;
	}
	if (value != 0 || *separator == '\0')
		add(line, value != 0 ? "%s%#llx" : "%s%llu", separator, (unsigned long long)value);
}

static void add_signal(struct line *line, uint64_t sig)
{
	const char *name = signal_name((int)sig);

	if (name != NULL)
		add(line, "%s", name);
	else
		add(line, "%d", (int)sig);
}

static void add_argument(struct line *line, char letter, const uint64_t *args, unsigned i, int64_t result)
{
	unsigned long long value = args[i];

	switch (letter) {
	case 'd': case 'f': case 'D': case 'h': add(line, "%d", (int)value); break;
	case 'u': case 'z': add(line, "%llu", value); break;
	case 'x': case 'I': add(line, value != 0 ? "%#llx" : "%llu", value); break;
	case 'o': add(line, "%#03llo", value & 07777777); break;
	case 'a':
		if ((int)value == AT_FDCWD)
			add(line, "AT_FDCWD");
		else
			add(line, "%d", (int)value);
		break;
	case 's': add_string(line, value); break;
	case 'B': add_bytes(line, value, args[i + 1]); break;
	case 'b':
		if (result >= 0)
			add_bytes(line, value, (uint64_t)result);
		else
			add(line, "%#llx", value);
		break;
	case 'A': add_vector(line, value, false); break;
	case 'e': add_vector(line, value, true); break;
	case 't': add_timespec(line, value); break;
	case 'O': add_flags(line, value, open_flag_names); break;
	case 'P': add_flags(line, value, prot_names); break;
	case 'M': add_flags(line, value, mmap_flag_names); break;
	case 'w': add_flags(line, value, wait_flag_names); break;
	case 'S': add_signal(line, value); break;
	case 'C':
		add_flags(line, value & ~0xffull, clone_flag_names);
		if ((value & 0xff) != 0) {
			add(line, "|");
			add_signal(line, value & 0xff);
		}
		break;
	default:
		if (value == 0)
			add(line, "NULL");
		else
			add(line, "%#llx", value);
	}
}

/* Prints arguments from nr_done on; stops before the first output buffer while the call runs. */
static void add_arguments(struct line *line, const char *format, const uint64_t *args, bool is_done, int64_t result)
{
	for (unsigned i = line->nr_done; i < 6 && format[i] != '\0'; i++) {
		if (format[i] == 'b' && !is_done)
			return;
		/* open's mode counts only when a file may be created, as strace shows it. */
		if (format[i] == 'o' && i > 0 && format[i - 1] == 'O' && (args[i - 1] & O_CREAT) == 0) {
			line->nr_done = i + 1;
			continue;
		}
		add(line, "%s", i != 0 ? ", " : "");
		add_argument(line, format[i], args, i, result);
		line->nr_done = i + 1;
	}
}

static void finish(struct task *task, struct line *line)
{
	line->len = MIN(line->len, sizeof(line->text) - 2);
	line->text[line->len] = '\n';
	write_line(line->text, line->len + 1);
	task->trace = NULL;
	kfree(line);
}

void trace_enter(struct task *task, uint64_t nr, const uint64_t args[6])
{
	const struct syscall_entry *entry = syscall_lookup(nr);
	struct line *line = kmalloc(sizeof(*line));

	task->trace = line;
	if (line == NULL)
		return; /* out of memory: this call goes without its line */
	line->len = 0;
	line->nr_done = 0;
	add(line, "[%d] ", task->tid);
	if (entry == NULL) {
		add(line, "syscall_%llu(", (unsigned long long)nr);
		return;
	}
	add(line, "%s(", entry->name);
	add_arguments(line, entry->format, args, false, 0);
}

static void add_result(struct line *line, const char *name, int64_t result)
{
	const char *error = result < 0 && result >= -4095 ? errno_name((int)-result) : NULL;

	if (result == -ERESTARTSYS || result == -ERESTARTNOINTR || result == -ERESTARTNOHAND ||
	    result == -ERESTART_RESTARTBLOCK)
		add(line, ") = ? ERESTARTSYS (To be restarted if SA_RESTART is set)");
	else if (error != NULL)
		add(line, ") = -1 %s (%s)", error, errno_text((int)-result));
	else if (result >= 0 && (strcmp(name, "mmap") == 0 || strcmp(name, "brk") == 0 || strcmp(name, "mremap") == 0))
		add(line, ") = %#llx", (unsigned long long)result);
	else
		add(line, ") = %lld", (long long)result);
}

void trace_leave(struct task *task, uint64_t nr, const uint64_t args[6], int64_t result)
{
	const struct syscall_entry *entry = syscall_lookup(nr);
	struct line *line = task->trace;

	if (line == NULL || write_line == NULL)
		return;
	if (entry != NULL)
		add_arguments(line, entry->format, args, true, result);
	add_result(line, entry != NULL ? entry->name : "", result);
	finish(task, line);
}

void trace_exit(struct task *task, int wait_status)
{
	struct line *line = task->trace;

	if (write_line == NULL)
		return;
	if (line != NULL) {
		add(line, ") = ?");
		finish(task, line);
	}
	line = kmalloc(sizeof(*line));
	if (line == NULL)
		return;
	line->len = 0;
	add(line, "[%d] +++ ", task->tid);
	if ((wait_status & 0x7f) == 0)
		add(line, "exited with %d +++", wait_status >> 8 & 0xff);
	else {
		add(line, "killed by ");
		add_signal(line, wait_status & 0x7f);
		add(line, " +++");
	}
	finish(task, line);
}

void trace_signal(struct task *task, int sig)
{
	struct line *line;

	if (write_line == NULL)
		return;
	line = kmalloc(sizeof(*line));
	if (line == NULL)
		return;
	line->len = 0;
	add(line, "[%d] --- ", task->tid);
	add_signal(line, (uint64_t)sig);
	add(line, " ---");
	line->len = MIN(line->len, sizeof(line->text) - 2);
	line->text[line->len] = '\n';
	write_line(line->text, line->len + 1);
	kfree(line);
}
