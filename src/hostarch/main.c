/*
 * The command line: levitate run [OPTION]... [--] PROGRAM [ARG]...
 * Checks everything and fills struct options; machine_boot() does the rest.
 * Every error is one line on stderr and exit status 125.
 */
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "hostarch/host.h"
#include "hostarch/options.h"

#define OWN_ERROR 125
#define MEMORY_DEFAULT (512ull << 20)
#define MEMORY_MIN (4ull << 20)
#define MEMORY_MAX (1ull << 43) /* frame numbers have 31 bits to spare */
#define PAGE_BYTES 4096u
#define TIMEOUT_MAX 1e8

static const char usage[] =
	"Usage: levitate run [OPTION]... [--] PROGRAM [ARG]...\n"
	"       levitate --version | --help\n"
	"Runs PROGRAM, unchanged, on a kernel of its own inside this process.\n"
	"\n"
	"  -m, --memory SIZE      physical memory, e.g. 64M, 2G (default 512M)\n"
	"  -r, --root DIR         host directory that is the guest's root (default /, read-only)\n"
	"      --rw               let the guest write to the root directory\n"
	"  -b, --bind SRC:DST[:rw]  add a host directory; repeatable\n"
	"  -i, --initrd FILE      cpio (newc) archive as the root instead\n"
	"  -e, --env NAME=VALUE   repeatable; default environment is PATH, HOME, TERM, USER\n"
	"  -w, --cwd DIR          working directory (default /)\n"
	"  -f, --fork MODE        eager | cow | share (default share)\n"
	"  -p, --pte FORMAT       page tables: x86_64 | aarch64 (default x86_64)\n"
	"  -t, --trace[=FILE[:FILTER]]  one line a system call, as strace prints it\n"
	"      --timeline FILE    Chrome/Perfetto trace\n"
	"      --record FILE      memory history, for tools/memory-view\n"
	"      --audit            check every memory invariant after each operation on an address space\n"
	"      --fail-alloc N[+]  fail the Nth allocation (with +, and all after it)\n"
	"      --seed N           reproducible run: scheduling, clock and randomness follow from N\n"
	"      --timeout SECONDS  end everything after that time\n"
	"      --stats[=FILE]     counters at exit, as JSON with a FILE\n"
	"\n"
	"PROGRAM is looked up in PATH inside the guest's root. Exit status: the program's;\n"
	"128+n on signal n; 124 timeout, 125 error of levitate itself, 126 not executable,\n"
	"127 not found, 70 kernel panic or failed audit.\n";

enum { OPT_RW = 256, OPT_AUDIT, OPT_FAIL_ALLOC, OPT_TIMEOUT, OPT_STATS, OPT_TIMELINE, OPT_SEED, OPT_RECORD };

static const struct option long_options[] = {
	{"memory", required_argument, NULL, 'm'},
	{"root", required_argument, NULL, 'r'},
	{"rw", no_argument, NULL, OPT_RW},
	{"bind", required_argument, NULL, 'b'},
	{"initrd", required_argument, NULL, 'i'},
	{"env", required_argument, NULL, 'e'},
	{"cwd", required_argument, NULL, 'w'},
	{"fork", required_argument, NULL, 'f'},
	{"pte", required_argument, NULL, 'p'},
	{"trace", optional_argument, NULL, 't'},
	{"timeline", required_argument, NULL, OPT_TIMELINE},
	{"audit", no_argument, NULL, OPT_AUDIT},
	{"fail-alloc", required_argument, NULL, OPT_FAIL_ALLOC},
	{"record", required_argument, NULL, OPT_RECORD},
	{"seed", required_argument, NULL, OPT_SEED},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"stats", optional_argument, NULL, OPT_STATS},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

static __attribute__((noreturn, format(printf, 1, 2))) void bad(const char *fmt, ...)
{
	va_list args;

	fprintf(stderr, "levitate: ");
	va_start(args, fmt);
	vfprintf(stderr, fmt, args);
	va_end(args);
	fprintf(stderr, "\n");
	exit(OWN_ERROR);
}

static uint64_t parse_size(const char *text)
{
	static const char units[] = "KMGT";
	unsigned long long value;
	const char *unit;
	unsigned shift = 0;
	char *end;

	errno = 0;
	value = strtoull(text, &end, 10);
	if (*end != '\0') {
		unit = strchr(units, *end >= 'a' ? *end - 'a' + 'A' : *end);
		shift = unit != NULL ? 10 * (unsigned)(unit - units + 1) : 0;
		end += unit != NULL;
	}
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || value > (UINT64_MAX >> shift))
		bad("'%s' is not a size; a number with K, M or G behind it is one", text);
	value <<= shift;
	if (value < MEMORY_MIN)
		bad("%s of memory is too little: the kernel needs %lluM at least", text, MEMORY_MIN >> 20);
	if (value > MEMORY_MAX)
		bad("%s of memory is more than the kernel can manage", text);
	return value & ~(uint64_t)(PAGE_BYTES - 1);
}

/* FILE, FILE:FILTER or :FILTER (to standard error). A colon in a file's name is none when a slash follows it. */
static void parse_trace(struct options *o, char *text)
{
	char *colon = text != NULL ? strrchr(text, ':') : NULL;

	o->trace = true;
	if (colon != NULL && strchr(colon, '/') == NULL) {
		*colon = '\0';
		o->trace_filter = colon + 1;
	}
	o->trace_file = text != NULL && *text != '\0' ? text : NULL;
}

static void parse_bind(struct options *o, char *text)
{
	struct option_bind *b = &o->binds[o->nr_binds];
	char *target = strchr(text, ':'), *mode = NULL;

	if (o->nr_binds == OPTION_BINDS_MAX)
		bad("more than %d binds", OPTION_BINDS_MAX);
	if (target != NULL) {
		*target++ = '\0';
		mode = strchr(target, ':');
		if (mode != NULL)
			*mode++ = '\0';
	}
	if (target == NULL || text[0] == '\0' || target[0] != '/')
		bad("--bind wants SRC:DST or SRC:DST:rw, DST beginning with '/'");
	if (mode != NULL && strcmp(mode, "rw") != 0 && strcmp(mode, "ro") != 0)
		bad("--bind: '%s' is neither rw nor ro", mode);
	*b = (struct option_bind){text, target, mode != NULL && strcmp(mode, "rw") == 0};
	o->nr_binds++;
}

static unsigned parse_choice(const char *option, const char *text, const char *const *choices)
{
	for (unsigned i = 0; choices[i] != NULL; i++)
		if (strcmp(text, choices[i]) == 0)
			return i;
	bad("%s does not know '%s'", option, text);
}

static uint64_t parse_seed(const char *text)
{
	char *end;
	uint64_t seed;

	errno = 0;
	seed = strtoull(text, &end, 0);
	if (*text < '0' || *text > '9' || *end != '\0' || errno != 0)
		bad("--seed: '%s': not a number from 0 to 2^64 - 1", text);
	return seed;
}

static void parse_fail_alloc(struct options *o, const char *text)
{
	char *end;

	errno = 0;
	o->fail_alloc = strtoull(text, &end, 10);
	o->fail_alloc_persistent = *end == '+';
	if (*end == '+')
		end++;
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || errno != 0 || o->fail_alloc == 0)
		bad("--fail-alloc wants N or N+, not '%s'", text);
}

static void parse_timeout(struct options *o, const char *text)
{
	char *end;

	errno = 0;
	o->timeout_seconds = strtod(text, &end);
	if (end == text || *end != '\0' || errno != 0 ||
	    !(o->timeout_seconds > 0 && o->timeout_seconds <= TIMEOUT_MAX))
		bad("--timeout wants a number of seconds, not '%s'", text);
}

/* The guest's environment: PATH, HOME, TERM, USER as they are here, then what --env says. */
struct environment {
	char **strings;
	unsigned nr;
};

/* Where the variable of text[0..len), '=' included, stands, or where it would be added. */
static unsigned environment_find(const struct environment *e, const char *text, size_t len)
{
	unsigned i = 0;

	while (i < e->nr && strncmp(e->strings[i], text, len) != 0)
		i++;
	return i;
}

static void environment_set(struct environment *e, char *text)
{
	const char *equals = strchr(text, '=');
	size_t len = equals == NULL ? 0 : (size_t)(equals - text) + 1;
	unsigned i;

	if (len < 2)
		bad("--env wants NAME=VALUE, not '%s'", text);
	i = environment_find(e, text, len);
	e->strings[i] = text;
	e->nr += i == e->nr;
}

static void environment_default(struct environment *e, const char *name, const char *otherwise)
{
	const char *value = getenv(name);
	char *text;

	if (value == NULL)
		value = otherwise;
	if (asprintf(&text, "%s=%s", name, value) < 0)
		bad("out of memory");
	if (environment_find(e, text, strlen(name) + 1) == e->nr)
		e->strings[e->nr++] = text;
	else
		free(text); /* --env said otherwise */
}

static void environment_init(struct environment *e, unsigned room)
{
	e->strings = calloc(room + 5, sizeof(e->strings[0]));
	if (e->strings == NULL)
		bad("out of memory");
}

static void environment_defaults(struct environment *e)
{
	environment_default(e, "PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	environment_default(e, "HOME", "/");
	environment_default(e, "TERM", "dumb");
	environment_default(e, "USER", geteuid() == 0 ? "root" : "user");
}

static void parse_option(struct options *o, struct environment *env, int option)
{
	static const char *const fork_modes[] = {"eager", "cow", "share", NULL}; /* enum fork_mode */
	static const char *const formats[] = {"x86_64", "aarch64", NULL};

	switch (option) {
	case 'm': o->memory_bytes = parse_size(optarg); break;
	case 'r': o->root = optarg; break;
	case OPT_RW: o->is_root_writable = true; break;
	case 'b': parse_bind(o, optarg); break;
	case 'i': o->initrd = optarg; break;
	case 'e': environment_set(env, optarg); break;
	case 'w': o->cwd = optarg; break;
	case 'f': o->fork_mode = parse_choice("--fork", optarg, fork_modes); break;
	case 'p': o->is_pte_aarch64 = parse_choice("--pte", optarg, formats) == 1; break;
	case 't': parse_trace(o, optarg); break;
	case OPT_TIMELINE: o->timeline_file = optarg; break;
	case OPT_AUDIT: o->audit = true; break;
	case OPT_FAIL_ALLOC: parse_fail_alloc(o, optarg); break;
	case OPT_RECORD: o->record_file = optarg; break;
	case OPT_SEED:
		o->is_seeded = true;
		o->seed = parse_seed(optarg);
		break;
	case OPT_TIMEOUT: parse_timeout(o, optarg); break;
	case OPT_STATS:
		o->stats = true;
		o->stats_file = optarg;
		break;
	case 'h':
		fputs(usage, stdout);
		exit(0);
	default:
		bad("try 'levitate --help'");
	}
}

/* getopt's own messages name the program by argv[0]: these do not. */
static __attribute__((noreturn)) void bad_option(char **argv, int option)
{
	const char *text = argv[optind - 1]; /* an option that wants an argument has just been read */
	char letter[3] = {'-', (char)optopt, '\0'};

	if (option != ':' && optopt != 0 && optopt < 256)
		text = letter;
	if (option == ':')
		bad("option %s wants an argument; try 'levitate --help'", text);
	bad("unknown option %s; try 'levitate --help'", text);
}

static int run(int argc, char **argv)
{
	static struct options o;
	struct environment env = {NULL, 0};
	int option;

	o = (struct options){.memory_bytes = MEMORY_DEFAULT, .root = "/", .cwd = "/", .fork_mode = 2};
	environment_init(&env, (unsigned)argc);
	opterr = 0;
	while ((option = getopt_long(argc, argv, "+:m:r:b:i:e:w:f:p:th", long_options, NULL)) != -1) {
		if (option == '?' || option == ':')
			bad_option(argv, option);
		parse_option(&o, &env, option);
	}
	if (optind == argc)
		bad("no program given; try 'levitate --help'");
	if (argv[optind][0] == '\0')
		bad("the program's name is empty");
	if (o.initrd != NULL && o.is_root_writable)
		bad("--rw is for --root, not for --initrd");
	o.argv = (const char *const *)&argv[optind];
	environment_defaults(&env);
	o.envp = (const char *const *)env.strings;
	machine_boot(&o);
}

int main(int argc, char **argv)
{
	if (argc >= 2 && strcmp(argv[1], "run") == 0)
		return run(argc - 1, argv + 1);
	if (argc == 2 && strcmp(argv[1], "--version") == 0) {
		printf("levitate %s\n", LEVITATE_VERSION);
		return fflush(stdout) == 0 ? 0 : OWN_ERROR;
	}
	if (argc == 2 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
		fputs(usage, stdout);
		return fflush(stdout) == 0 ? 0 : OWN_ERROR;
	}
	if (argc < 2)
		bad("no command given; try 'levitate --help'");
	bad("unknown command '%s'; try 'levitate --help'", argv[1]);
}
