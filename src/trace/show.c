/*
 * Values in strace's notation: see show.h. User memory is read with copy_from_user(); where it is missing its address
 * stands.
 */
#include "show.h"

#include "abi/errno.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "trace/names.h"

void add(struct line *line, const char *fmt, ...)
{
	va_list args;
	size_t room = sizeof(line->text) - line->len;
	int n;

	va_start(args, fmt);
	n = kvsnprintf(line->text + line->len, room, fmt, args);
	va_end(args);
	line->len += MIN((size_t)n, room - 1);
}

void add_pointer(struct line *line, uint64_t addr)
{
	add(line, addr == 0 ? "NULL" : "%#llx", (unsigned long long)addr);
}

void add_flags(struct line *line, uint64_t value, const struct flag_name *names)
{
	const char *separator = "";

	for (; names->name != NULL; names++) {
		if ((value & names->mask) != names->value)
			continue;
		add(line, "%s%s", separator, names->name);
		separator = "|";
		value &= ~names->mask;
	}
	if (value != 0 || *separator == '\0')
		add(line, value != 0 ? "%s%#llx" : "%s%llu", separator, (unsigned long long)value);
}

bool add_choice(struct line *line, uint64_t value, const struct flag_name *names)
{
	for (; names->name != NULL; names++) {
		if (value == names->value) {
			add(line, "%s", names->name);
			return true;
		}
	}
	return false;
}

void add_signal(struct line *line, uint64_t sig)
{
	const char *name = signal_name((int)sig);

	if (name != NULL)
		add(line, "%s", name);
	else if (sig == SIGRTMIN)
		add(line, "SIGRTMIN");
	else if (sig > SIGRTMIN && sig <= SIGRTMAX)
		add(line, "SIGRT_%d", (int)sig - SIGRTMIN);
	else
		add(line, "%d", (int)sig);
}

/* ---- text ---------------------------------------------------------------- */

void add_quoted(struct line *line, const char *s, size_t len, bool is_cut)
{
	static const char letters[] = "\t\n\v\f\r", names[] = "tnvfr";

	add(line, "\"");
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)s[i];
		const char *special = c != 0 ? strchr(letters, c) : NULL;
		bool digit_follows = i + 1 < len && s[i + 1] >= '0' && s[i + 1] <= '9';

		if (c == '"' || c == '\\')
			add(line, "\\%c", c);
		else if (special != NULL)
			add(line, "\\%c", names[special - letters]);
		else if (c >= ' ' && c < 127)
			add(line, "%c", c);
		else
			add(line, digit_follows ? "\\%03o" : "\\%o", c);
	}
	add(line, is_cut ? "\"..." : "\"");
}

void add_string(struct line *line, uint64_t addr, size_t max)
{
	char *s = addr != 0 ? kmalloc(max + 1) : NULL;
	int64_t len = s != NULL ? strncpy_from_user(s, uaddr(addr), max + 1) : -EFAULT;

	if (len >= 0)
		add_quoted(line, s, (size_t)len, false);
	else if (len == -ENAMETOOLONG)
		add_quoted(line, s, max, true);
	else
		add_pointer(line, addr);
	kfree(s);
}

void add_bytes(struct line *line, uint64_t addr, uint64_t count)
{
	char buf[STRING_SHOWN];
	size_t n = MIN(count, sizeof(buf));

	if (addr == 0 || copy_from_user(buf, uaddr(addr), n) != 0)
		add_pointer(line, addr);
	else
		add_quoted(line, buf, n, count > n);
}

/* ---- signals ------------------------------------------------------------- */

static void add_bare_signal(struct line *line, int sig)
{
	const char *name = signal_name(sig);

	if (name != NULL)
		add(line, "%s", name + 3);
	else if (sig == SIGRTMIN)
		add(line, "RTMIN");
	else
		add(line, "RT_%d", sig - SIGRTMIN);
}

void add_signal_set(struct line *line, uint64_t set)
{
	/* The shorter form; strace counts the same way. */
	bool is_inverted = __builtin_popcountll(set) > 64 * 2 / 3;
	const char *separator = "";

	if (is_inverted)
		set = ~set;
	add(line, is_inverted ? "~[" : "[");
	for (int sig = 1; sig <= 64; sig++) {
		if ((set >> (sig - 1) & 1) == 0)
			continue;
		add(line, "%s", separator);
		add_bare_signal(line, sig);
		separator = " ";
	}
	add(line, "]");
}

#define CHOICE(name) {~UINT64_C(0), (uint64_t)(int64_t)(name), #name}
#define END {0, 0, NULL}

static const struct flag_name user_codes[] = {
	CHOICE(SI_USER), CHOICE(SI_KERNEL), CHOICE(SI_QUEUE), CHOICE(SI_TIMER), CHOICE(SI_MESGQ), CHOICE(SI_ASYNCIO),
	CHOICE(SI_SIGIO), CHOICE(SI_TKILL), END,
};
static const struct flag_name child_codes[] = {
	CHOICE(CLD_EXITED), CHOICE(CLD_KILLED), CHOICE(CLD_DUMPED), CHOICE(CLD_TRAPPED), CHOICE(CLD_STOPPED),
	CHOICE(CLD_CONTINUED), END,
};
static const struct flag_name segv_codes[] = {CHOICE(SEGV_MAPERR), CHOICE(SEGV_ACCERR), END};
static const struct flag_name bus_codes[] = {CHOICE(BUS_ADRALN), CHOICE(BUS_ADRERR), CHOICE(BUS_OBJERR), END};
static const struct flag_name fpe_codes[] = {
	CHOICE(FPE_INTDIV), CHOICE(FPE_FLTDIV), CHOICE(FPE_FLTOVF), CHOICE(FPE_FLTUND), CHOICE(FPE_FLTRES),
	CHOICE(FPE_FLTINV), END,
};
static const struct flag_name ill_codes[] = {CHOICE(ILL_ILLOPC), CHOICE(ILL_ILLOPN), END};

static const struct flag_name *codes_of(const struct linux_siginfo *info)
{
	switch (info->code <= 0 || info->code == SI_KERNEL ? 0 : info->signo) {
	case SIGCHLD: return child_codes;
	case SIGSEGV: return segv_codes;
	case SIGBUS: return bus_codes;
	case SIGFPE: return fpe_codes;
	case SIGILL: return ill_codes;
	default: return user_codes;
	}
}

static void add_child(struct line *line, const struct linux_siginfo *info)
{
	add(line, ", si_pid=%d, si_uid=%u, si_status=", info->chld.pid, info->chld.uid);
	if (info->code == CLD_EXITED)
		add(line, "%d", info->chld.status);
	else
		add_signal(line, (uint64_t)info->chld.status);
	add(line, ", si_utime=%lld, si_stime=%lld", (long long)info->chld.utime, (long long)info->chld.stime);
}

void add_siginfo(struct line *line, const struct linux_siginfo *info)
{
	const struct flag_name *codes = codes_of(info);

	add(line, "{si_signo=");
	add_signal(line, (uint64_t)info->signo);
	add(line, ", si_code=");
	if (!add_choice(line, (uint64_t)(int64_t)info->code, codes))
		add(line, "%d", info->code);
	if (codes == child_codes)
		add_child(line, info);
	else if (codes == segv_codes || codes == bus_codes || codes == fpe_codes || codes == ill_codes)
		add(line, info->fault.addr != 0 ? ", si_addr=%#llx" : ", si_addr=NULL",
		    (unsigned long long)info->fault.addr);
	else if (info->code == SI_TIMER)
		add(line, ", si_timerid=%d, si_overrun=%d", info->timer.tid, info->timer.overrun);
	else if (info->code == SI_USER || info->code == SI_TKILL || info->code == SI_QUEUE)
		add(line, ", si_pid=%d, si_uid=%u", info->kill.pid, info->kill.uid);
	add(line, "}");
}
