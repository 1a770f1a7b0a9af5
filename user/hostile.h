/*
 * hostile.h - the frame of the hostile guests: runs attacks one by one, each in
 * a child, and looks after each whether the world is still whole.
 *
 * The parent prints "survived: NAME" when, after the attack, it is alive itself,
 * a sibling process still answers with the right checksum of its own memory, and
 * fork, memory, pipes and time work. An attacker that sees that it reached what
 * it must not reach calls escaped(), which the caller of the program finds in
 * the output. What only the host can see (a victim process, a canary file) the
 * caller of the program checks.
 *
 * hostile [--list] [--verbose] [--tame] [--victim PID] [--canary PATH]
 *         [--forks N] [--eat MIB] [ATTACK...]
 *
 * --tame leaves out what would harm the machine if this were not a guest.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include "check.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>

struct attack {
	const char *name;
	void (*run)(void);
	int is_wild; /* left out with --tame */
};

static struct {
	int verbose, tame;
	pid_t victim;
	const char *canary;
	long forks, eat_mib;
} options = {.victim = 1 << 21, .canary = "/tmp/canary", .forks = 100000, .eat_mib = 4096};

#define PAGE 4096UL
#define TOP (1UL << 47)
static const unsigned long wild_addresses[] = {
	0,
	1,
	PAGE - 1,
	0x10000,
	TOP - PAGE,
	TOP - 1,
	TOP,
	TOP + PAGE,
	0x7ffb00000000,
	0x7ffb00200000,
	0x7ffb00200fff,
	0x7ff000000000,
	0x7fe000000000,
	1UL << 55,
	1UL << 62,
	0x8000000000000000,
	0xffff800000000000,
	0xffff888000000000,
	0xffffffff81000000,
	0xffffffffff600000,
	~0UL - PAGE + 1,
	~0UL - 7,
	~0UL,
};

/* An attacker reached what it must not reach. */
UNUSED static void escaped(const char *what, long value)
{
	say("ESCAPED: %s %ld (%lx)\n", what, value, (unsigned long)value);
}

/* Run part of an attack in a child of its own, killed after `ms`. Its status. */
UNUSED static int in_victimless_child(void (*fn)(unsigned long), unsigned long arg, long ms)
{
	pid_t pid = fork();

	if (pid < 0)
		return -1;
	if (pid == 0) {
		struct itimerval limit = {.it_value = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000}};
		signal(SIGALRM, SIG_DFL);
		setitimer(ITIMER_REAL, &limit, NULL);
		fn(arg);
		_exit(0);
	}
	for (long waited = 0;; waited++) {
		int status;
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		if (waited > ms / 2 + 500)
			kill(pid, SIGKILL);
		sleep_ms(waited < 3 ? 0 : 2);
	}
}

/* --- touching memory that may not be there --- */

static sigjmp_buf probe_escape;

static void probe_handler(int number)
{
	(void)number;
	siglongjmp(probe_escape, 1);
}

UNUSED static void catch_probes(void)
{
	struct sigaction action = {.sa_handler = probe_handler, .sa_flags = SA_NODEFER};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGILL, &action, NULL);
	sigaction(SIGTRAP, &action, NULL);
	sigaction(SIGFPE, &action, NULL);
	sigaction(SIGSYS, &action, NULL);
}

/* May one byte be read there? */
UNUSED static int can_read(unsigned long address)
{
	if (sigsetjmp(probe_escape, 0) != 0)
		return 0;
	(void)*(volatile unsigned char *)address;
	return 1;
}

/* --- the sibling --- */

static int sibling_to[2], sibling_from[2];
static pid_t sibling_pid;

static void sibling_body(void)
{
	static unsigned char memory[32 * 1024];
	unsigned int question;

	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	close(sibling_to[1]);
	close(sibling_from[0]);
	for (size_t i = 0; i < sizeof memory; i++)
		memory[i] = (unsigned char)(i * 31 + i / 4096);
	while (read(sibling_to[0], &question, sizeof question) == (ssize_t)sizeof question) {
		unsigned int answer = question;
		for (size_t i = 0; i < sizeof memory; i++)
			answer += memory[i] ^ (unsigned char)(i * 31 + i / 4096);
		if (write(sibling_from[1], &answer, sizeof answer) != (ssize_t)sizeof answer)
			break;
	}
	_exit(0);
}

static void start_sibling(void)
{
	if (pipe(sibling_to) != 0 || pipe(sibling_from) != 0)
		give_up("pipe");
	sibling_pid = fork();
	if (sibling_pid < 0)
		give_up("fork of the sibling");
	if (sibling_pid == 0)
		sibling_body();
	close(sibling_to[0]);
	close(sibling_from[1]);
}

/* The sibling is dead or ill: say so once, and give the next attack a new one. */
static void replace_sibling(void)
{
	close(sibling_to[1]);
	close(sibling_from[0]);
	kill(sibling_pid, SIGKILL);
	waitpid(sibling_pid, NULL, 0);
	start_sibling();
}

/* Is everything still as it should be? Otherwise what is not. */
static const char *what_is_broken(void)
{
	static unsigned int question = 1000;
	unsigned int answer = 0;
	struct pollfd ready = {.fd = sibling_from[0], .events = POLLIN};
	int status;
	pid_t pid = -1;

	question += 17;
	if (write(sibling_to[1], &question, sizeof question) != (ssize_t)sizeof question ||
	    poll(&ready, 1, 20000) != 1 ||
	    read(sibling_from[0], &answer, sizeof answer) != (ssize_t)sizeof answer)
		return "the sibling does not answer";
	if (answer != question)
		return "the sibling's memory changed";
	/* Memory that a dead attacker held may take a moment to come back. */
	for (int i = 0; i < 100 && pid < 0; i++) {
		pid = fork();
		if (pid == 0)
			_exit(123);
		if (pid < 0)
			sleep_ms(20);
	}
	if (pid < 0)
		return "fork fails";
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status) != 123)
		return "a child ends wrongly";
	unsigned char *p = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return "mmap fails";
	for (size_t i = 0; i < 64 * PAGE; i += PAGE) {
		if (p[i] != 0)
			return "fresh memory is not zero";
		p[i] = 1;
	}
	munmap(p, 64 * PAGE);
	return NULL;
}

/* Run one attack in a child that gets its own group, at most 30 seconds. */
static int survive(const struct attack *attack)
{
	int status = 0;
	pid_t pid = fork();

	if (pid < 0)
		give_up("fork");
	if (pid == 0) {
		setpgid(0, 0);
		prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		close(sibling_to[1]);
		close(sibling_from[0]);
		attack->run();
		_exit(0);
	}
	setpgid(pid, pid);
	long waited_ms = 0;
	while (waitpid(pid, &status, WNOHANG) == 0) {
		if (waited_ms > 30000)
			kill(-pid, SIGKILL);
		sleep_ms(5);
		waited_ms += 5;
	}
	/* The group may have left members behind; none of them is our child. */
	for (int i = 0; i < 200 && kill(-pid, SIGKILL) == 0; i++)
		sleep_ms(5);
	/* If this process is the first one, the attack's orphans are its children now. */
	for (pid_t dead; (dead = waitpid(-1, NULL, WNOHANG)) > 0;)
		if (dead == sibling_pid)
			break;
	if (options.verbose)
		show_status(attack->name, status);
	const char *broken = what_is_broken();
	if (broken != NULL) {
		say("BROKEN after %s: %s\n", attack->name, broken);
		replace_sibling();
		return 0;
	}
	say("survived: %s\n", attack->name);
	return 1;
}

static int is_wanted(const char *name, char **names, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(names[i], name) == 0)
			return 1;
	return count == 0;
}

/* The whole program: parse the arguments, run the attacks. */
UNUSED static int hostile_main(int argc, char **argv, const struct attack *attacks, size_t nr_attacks)
{
	int i, list = 0, failed = 0;

	for (i = 1; i < argc && strncmp(argv[i], "--", 2) == 0; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "0";
		if (strcmp(argv[i], "--list") == 0)
			list = 1;
		else if (strcmp(argv[i], "--verbose") == 0)
			options.verbose = 1;
		else if (strcmp(argv[i], "--tame") == 0)
			options.tame = 1;
		else if (strcmp(argv[i], "--victim") == 0)
			options.victim = atoi(value), i++;
		else if (strcmp(argv[i], "--canary") == 0)
			options.canary = value, i++;
		else if (strcmp(argv[i], "--forks") == 0)
			options.forks = atol(value), i++;
		else if (strcmp(argv[i], "--eat") == 0)
			options.eat_mib = atol(value), i++;
		else
			return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (!list)
		start_sibling();
	for (size_t a = 0; a < nr_attacks; a++) {
		if (!is_wanted(attacks[a].name, argv + i, argc - i) || (options.tame && attacks[a].is_wild))
			continue;
		if (list)
			say("%s\n", attacks[a].name);
		else
			failed += !survive(&attacks[a]);
	}
	if (!list) {
		close(sibling_to[1]);
		reap(sibling_pid);
	}
	return failed != 0;
}

#endif
