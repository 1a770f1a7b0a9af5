/* A program for the tests of reports: a child pauses; the parent says so and sleeps three calls deep, or with
 * "panic" calls getppid. */
#include <string.h>
#include <unistd.h>

static __attribute__((noinline)) int sleeper(int is_panic)
{
	if (is_panic)
		return (int)getppid() + 1;
	return (int)sleep(60) + 1;
}

static __attribute__((noinline)) int caller(int is_panic) { return sleeper(is_panic) + 1; }

int main(int argc, char **argv)
{
	if (fork() == 0) {
		pause();
		return 0;
	}
	usleep(100000);
	if (write(1, "asleep\n", 7) != 7)
		return 1;
	return caller(argc > 1 && strcmp(argv[1], "panic") == 0);
}
