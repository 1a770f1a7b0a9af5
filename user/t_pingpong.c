/*
 * Pairs of processes that hand a token to and fro over pipes: many sleepers and wakers at once.
 * Arguments: number of processes (default 40), seconds to go on (default 0: a fixed number of rounds).
 */
#include <fcntl.h>

#include "check.h"

#define ROUNDS 50u

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The parent's end: sends a number, wants it back plus one. 0: all went well. */
static int ping(int to, int from, double end_s)
{
	unsigned sent, got;

	for (sent = 0; end_s > 0 ? now_s() < end_s : sent < ROUNDS; sent++) {
		if (write(to, &sent, sizeof(sent)) != sizeof(sent) || read(from, &got, sizeof(got)) != sizeof(got))
			return 1;
		if (got != sent + 1)
			return 2;
	}
	return 0;
}

/* The child's end, until the other one is closed. */
static int pong(int to, int from)
{
	unsigned n;

	while (read(from, &n, sizeof(n)) == sizeof(n)) {
		n++;
		if (write(to, &n, sizeof(n)) != sizeof(n))
			return 3;
	}
	return 0;
}

/* One pair; runs in a child of main. */
static int play(double end_s)
{
	int there[2], back[2], status, result;
	pid_t child;

	if (pipe(there) != 0 || pipe(back) != 0)
		return 4;
	child = fork();
	if (child < 0)
		return 5;
	if (child == 0) {
		close(there[1]);
		close(back[0]);
		_exit(pong(back[1], there[0]));
	}
	close(there[0]);
	close(back[1]);
	result = ping(there[1], back[0], end_s);
	close(there[1]);
	status = reap(child);
	return result != 0 ? result : WIFEXITED(status) ? WEXITSTATUS(status) : 6;
}

int main(int argc, char **argv)
{
	const int nr = argc > 1 ? atoi(argv[1]) : 40;
	const double seconds = argc > 2 ? atof(argv[2]) : 0;
	int nr_started = 0, nr_good = 0, status;

	for (int i = 0; i < nr / 2; i++) {
		pid_t pid = fork();

		if (pid < 0)
			break;
		if (pid == 0)
			_exit(play(seconds > 0 ? now_s() + seconds : 0));
		nr_started++;
	}
	say("pairs started: %d\n", nr_started);
	for (int i = 0; i < nr_started; i++) {
		if (wait(&status) < 0)
			give_up("wait");
		nr_good += WIFEXITED(status) && WEXITSTATUS(status) == 0;
	}
	say("pairs without an error: %d\n", nr_good);
	return nr_good == nr / 2 ? 0 : 1;
}
