/* A program for the tests of gdb: sleeps in a call four deep, with a child that shares its memory and a pipe
 * between them. */
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static volatile int depth_reached;

static __attribute__((noinline)) void innermost(void)
{
	depth_reached = 1;
	pause();
	depth_reached = 2;
}

static __attribute__((noinline)) void middle(void)
{
	innermost();
	depth_reached = 3;
}

int main(void)
{
	int ends[2];

	signal(SIGUSR1, SIG_IGN);
	if (pipe(ends) != 0)
		return 1;
	if (fork() == 0) {
		char byte;

		return (int)read(ends[0], &byte, 1);
	}
	middle();
	return 0;
}
