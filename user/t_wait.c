/*
 * t_wait.c - wait4 and waitid: whom they find, what they report, their errors;
 * stopped and continued children, groups, orphans, zombies, SIGCHLD.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

static pid_t spawn_exit(int status)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(status);
	return pid;
}

/* A child that sleeps until a signal ends it. */
static pid_t spawn_sleeper(void)
{
	pid_t pid = fork();

	if (pid == 0) {
		alarm(30);
		for (;;)
			pause();
	}
	return pid;
}

static void show_info(const char *what, long result, const siginfo_t *info, pid_t expected)
{
	if (result != 0) {
		show(what, result);
		return;
	}
	say("%s: signo %d code %d status %d pid %s uid %s\n", what, info->si_signo, info->si_code,
	    info->si_status,
	    info->si_pid == expected ? "right"
	    : info->si_pid == 0	     ? "0"
				     : "WRONG",
	    info->si_pid == 0 || info->si_uid == getuid() ? "right" : "WRONG");
}

static void test_errors(void)
{
	int status = 1234;
	siginfo_t info = {0};
	struct rusage usage;

	show("wait without children", wait(&status));
	show("waitpid of a stranger", waitpid(1 << 22, &status, 0));
	show("waitpid with bad options", waitpid(-1, &status, 0x12345678));
	show("waitpid of an absent group", waitpid(-(1 << 22), &status, 0));
	show("waitpid of LONG_MIN", waitpid(-2147483647 - 1, &status, 0));
	show("waitid without options", waitid(P_ALL, 0, &info, 0));
	show("waitid with bad options", waitid(P_ALL, 0, &info, 0x12345678 | WEXITED));
	show("waitid with a bad kind", waitid((idtype_t)77, 0, &info, WEXITED));
	show("waitid without children", waitid(P_ALL, 0, &info, WEXITED));
	show("waitid pid 0", waitid(P_PID, 0, &info, WEXITED));
	show("status is untouched", status);

	pid_t pid = spawn_exit(3);
	show("wait4 to a bad address", waitpid(pid, (int *)8, 0));
	show("child is gone all the same", waitpid(pid, &status, 0));
	pid = spawn_exit(4);
	show_true("wait4 with usage", wait4(pid, &status, 0, &usage) == pid);
	show_status("its status", status);
	show_true("usage is small", usage.ru_utime.tv_sec == 0 && usage.ru_stime.tv_sec < 2);
	pid = spawn_exit(5);
	show("wait4 with a bad usage", wait4(pid, &status, 0, (struct rusage *)8));
	pid = spawn_exit(6);
	show_true("status may be NULL", wait(NULL) == pid);
}

static void test_which(void)
{
	pid_t a = spawn_exit(1), b = spawn_exit(2), c = spawn_sleeper();
	int status;

	show_true("waitpid picks the one named", waitpid(b, &status, 0) == b);
	show_status("named", status);
	show("WNOHANG on one that runs", waitpid(c, &status, WNOHANG));
	show_true("any", waitpid(-1, &status, 0) == a);
	show("WNOHANG on any that runs", waitpid(-1, &status, WNOHANG));
	kill(c, SIGKILL);
	show_true("killed", wait(&status) == c);
	show_status("killed", status);

	pid_t group = spawn_sleeper();
	setpgid(group, group);
	pid_t member = spawn_sleeper();
	setpgid(member, group);
	pid_t outsider = spawn_exit(9);
	kill(-group, SIGTERM);
	int found = 0;
	for (int i = 0; i < 2; i++) {
		pid_t got = waitpid(-group, &status, 0);
		found += (got == group) + 2 * (got == member);
		show_status("of the group", status);
	}
	show("both of the group", found);
	show("none left in the group", waitpid(-group, &status, 0));
	show_true("pid 0 means the own group", waitpid(0, &status, 0) == outsider);
	show("nobody left", waitpid(0, &status, 0));

	pid_t order[5];
	for (int i = 0; i < 5; i++)
		order[i] = spawn_exit(10 + i);
	for (int i = 4; i >= 0; i--)
		show_status("in reverse", reap(order[i]));
}

static void test_statuses(void)
{
	static const int signals[] = {SIGHUP,  SIGINT,	SIGQUIT, SIGILL,  SIGABRT, SIGFPE, SIGKILL, SIGSEGV,
				      SIGPIPE, SIGALRM, SIGTERM, SIGUSR1, SIGBUS,  SIGSYS, SIGTRAP, SIGXCPU};
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	for (int i = 0; i < 4; i++)
		show_status("exit", reap(spawn_exit((int[]){0, 255, 256, -1}[i])));
	for (size_t i = 0; i < COUNT_OF(signals); i++) {
		pid_t pid = fork();
		if (pid == 0) {
			signal(signals[i], SIG_DFL);
			kill(getpid(), signals[i]);
			_exit(0);
		}
		int status = reap(pid);
		show_status("signal", status & ~0x80);
	}
	pid_t pid = fork();
	if (pid == 0) {
		syscall(SYS_exit, 0x1234);
		_exit(0);
	}
	show_status("raw exit", reap(pid));
}

static void test_stop(void)
{
	siginfo_t info;
	int status;
	pid_t pid = spawn_sleeper();

	kill(pid, SIGSTOP);
	show_true("WUNTRACED", waitpid(pid, &status, WUNTRACED) == pid);
	show_status("stopped", status);
	show("a stop is reported once", waitpid(pid, &status, WUNTRACED | WNOHANG));
	kill(pid, SIGUSR2);
	show("a stopped one takes no signal", waitpid(pid, &status, WNOHANG));
	kill(pid, SIGSTOP);
	show("stopping the stopped is silent", waitpid(pid, &status, WUNTRACED | WNOHANG));
	signal(SIGUSR2, SIG_DFL);
	kill(pid, SIGKILL);
	show_status("a stopped one can be killed", reap(pid));

	pid = spawn_sleeper();
	kill(pid, SIGTSTP);
	sleep_ms(50);
	kill(pid, SIGCONT);
	show_true("SIGTSTP of an orphaned group or not", waitpid(pid, &status, WNOHANG | WUNTRACED) >= 0);
	kill(pid, SIGKILL);
	reap(pid);

	pid = spawn_sleeper();
	kill(pid, SIGSTOP);
	memset(&info, 0, sizeof info);
	show_info("waitid, not taking", waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOWAIT), &info, pid);
	show_info("waitid, taking", waitid(P_PID, (id_t)pid, &info, WSTOPPED), &info, pid);
	kill(pid, SIGCONT);
	show_true("WCONTINUED", waitpid(pid, &status, WCONTINUED) == pid);
	show_status("continued", status);
	show("a continue is reported once", waitpid(pid, &status, WCONTINUED | WNOHANG));
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	kill(pid, SIGCONT);
	show_info("waitid continued", waitid(P_ALL, 0, &info, WCONTINUED), &info, pid);
	kill(pid, SIGTERM);
	show_info("waitid killed, not taking", waitid(P_ALL, 0, &info, WEXITED | WNOWAIT), &info, pid);
	show_info("waitid killed", waitid(P_PID, (id_t)pid, &info, WEXITED), &info, pid);
	show_info("waitid again", waitid(P_PID, (id_t)pid, &info, WEXITED), &info, pid);

	pid = spawn_exit(8);
	show_info("waitid exited", waitid(P_PID, (id_t)pid, &info, WEXITED), &info, pid);
	pid = spawn_sleeper();
	memset(&info, 0x55, sizeof info);
	show_info("waitid WNOHANG", waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG), &info, pid);
	show("WSTOPPED alone does not see exits", waitid(P_PID, (id_t)pid, &info, WSTOPPED | WNOHANG));
	kill(pid, SIGKILL);
	show("waitid without info", waitid(P_PID, (id_t)pid, NULL, WEXITED));
}

static volatile sig_atomic_t nr_sigchld, chld_code, chld_status;

static void on_child(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	nr_sigchld++;
	chld_code = info->si_code;
	chld_status = info->si_status;
}

static void on_alarm(int number) { (void)number; }

static void test_sigchld(void)
{
	struct sigaction action = {.sa_sigaction = on_child, .sa_flags = SA_SIGINFO};
	int status;

	sigaction(SIGCHLD, &action, NULL);
	pid_t pid = spawn_exit(21);
	while (nr_sigchld == 0)
		sleep_ms(1);
	say("SIGCHLD: code %d status %d\n", (int)chld_code, (int)chld_status);
	reap(pid);
	pid = spawn_sleeper();
	nr_sigchld = 0;
	kill(pid, SIGSTOP);
	while (nr_sigchld == 0)
		sleep_ms(1);
	say("SIGCHLD of a stop: code %d status %d\n", (int)chld_code, (int)chld_status);
	nr_sigchld = 0;
	kill(pid, SIGCONT);
	while (nr_sigchld == 0)
		sleep_ms(1);
	say("SIGCHLD of a continue: code %d status %d\n", (int)chld_code, (int)chld_status);
	action.sa_flags |= SA_NOCLDSTOP;
	sigaction(SIGCHLD, &action, NULL);
	nr_sigchld = 0;
	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	show("SA_NOCLDSTOP", nr_sigchld);
	kill(pid, SIGKILL);
	while (nr_sigchld == 0)
		sleep_ms(1);
	say("SIGCHLD of a kill: code %d status %d\n", (int)chld_code, (int)chld_status);
	reap(pid);

	signal(SIGCHLD, SIG_IGN);
	pid = spawn_exit(1);
	show("ignored SIGCHLD: wait waits, then", waitpid(pid, &status, 0));
	signal(SIGCHLD, SIG_DFL);
	action.sa_flags = SA_SIGINFO | SA_NOCLDWAIT;
	sigaction(SIGCHLD, &action, NULL);
	pid = spawn_exit(1);
	long result;
	do {
		result = waitpid(pid, &status, 0);
	} while (result < 0 && errno == EINTR);
	show("SA_NOCLDWAIT: wait waits, then", result);
	signal(SIGCHLD, SIG_DFL);

	/* A wait is interrupted by a handler without SA_RESTART. */
	struct sigaction alarm_action = {.sa_handler = on_alarm};
	struct itimerval soon = {.it_value.tv_usec = 50000};
	sigaction(SIGALRM, &alarm_action, NULL);
	pid = spawn_sleeper();
	setitimer(ITIMER_REAL, &soon, NULL);
	show("interrupted", waitpid(pid, &status, 0));
	alarm_action.sa_flags = SA_RESTART;
	sigaction(SIGALRM, &alarm_action, NULL);
	pid_t killer = fork();
	if (killer == 0) {
		sleep_ms(200);
		kill(pid, SIGTERM);
		_exit(0);
	}
	setitimer(ITIMER_REAL, &soon, NULL);
	show_true("restarted", waitpid(pid, &status, 0) == pid);
	reap(killer);
	signal(SIGALRM, SIG_DFL);
}

static void test_orphans(void)
{
	int ends[2];
	char said[3] = "";

	if (pipe(ends) != 0)
		give_up("pipe");
	show("become a subreaper", prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0));
	pid_t me = getpid(), pid = fork();
	if (pid == 0) {
		pid_t orphan = fork();
		if (orphan == 0) {
			while (getppid() == pid || getppid() != me)
				sleep_ms(1);
			if (write(ends[1], "ok", 2) != 2)
				_exit(1);
			_exit(66);
		}
		_exit(55);
	}
	show_status("middle", reap(pid));
	if (read(ends[0], said, 2) != 2)
		give_up("read");
	say("orphan found its new parent: %s\n", said);
	int status;
	show_true("orphan can be waited for", wait(&status) > 0);
	show_status("orphan", status);
	show("stop being one", prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0));

	/* Parent-death signal. */
	pid = fork();
	if (pid == 0) {
		pid_t grandchild = fork();
		if (grandchild == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
			if (write(ends[1], "r", 1) != 1)
				_exit(1);
			close(ends[1]);
			sleep(30);
			_exit(0);
		}
		char c;
		if (read(ends[0], &c, 1) != 1)
			_exit(1);
		_exit(0);
	}
	reap(pid);
	close(ends[1]);
	show("pipe ends as the grandchild dies", read(ends[0], said, 1));
	close(ends[0]);
}

static void test_zombies(void)
{
	siginfo_t info;
	pid_t pid = spawn_exit(1);

	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	show("signal to a zombie", kill(pid, SIGTERM));
	show("its group can be asked", getpgid(pid) == getpgrp());
	show("its session can be asked", getsid(pid) == getsid(0));
	show_ok("its group cannot be set", setpgid(pid, pid));
	reap(pid);
	show("after the wait", kill(pid, 0));
	show("getpgid after the wait", getpgid(pid));
}

static void test_groups(void)
{
	show("setpgid of a stranger", setpgid(1 << 22, 0));
	show("setpgid to a negative group", setpgid(0, -1));
	show("getpgid of a stranger", getpgid(1 << 22));
	show("getsid of a stranger", getsid(1 << 22));
	pid_t pid = fork();
	if (pid == 0) {
		show_true("setsid", setsid() == getpid());
		show_true("session, group", getsid(0) == getpid() && getpgrp() == getpid());
		show("setsid again", setsid());
		show("a session leader cannot change group", setpgid(0, 0));
		pid_t child = spawn_sleeper();
		show("setpgid to an absent group", setpgid(child, 1 << 21));
		show("a child may get its own group", setpgid(child, child));
		kill(child, SIGKILL);
		reap(child);
		show("no terminal", open("/dev/tty", O_RDWR) >= 0);
		_exit(0);
	}
	reap(pid);
	pid = spawn_sleeper();
	kill(pid, SIGKILL);
	reap(pid);
	int ends[2], go[2];
	char c;
	if (pipe(ends) != 0 || pipe(go) != 0)
		give_up("pipe");
	pid = fork();
	if (pid == 0) {
		setsid();
		if (write(ends[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(1);
		_exit(0);
	}
	if (read(ends[0], &c, 1) != 1)
		give_up("read");
	show("a child in another session keeps its group", setpgid(pid, getpgrp()));
	show("and is a session leader of its own", getsid(pid) == pid);
	if (write(go[1], "x", 1) != 1)
		give_up("write");
	show_status("it ends", reap(pid));
}

int main(void)
{
	test_errors();
	test_which();
	test_statuses();
	test_stop();
	test_sigchld();
	test_orphans();
	test_zombies();
	test_groups();
	return 0;
}
