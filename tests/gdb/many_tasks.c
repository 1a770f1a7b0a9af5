/* A program for the tests of gdb: a thousand children that wait, then the parent too. */
#include <unistd.h>

int main(void)
{
	for (int i = 0; i < 1000; i++) {
		if (fork() == 0) {
			pause();
			return 0;
		}
	}
	pause();
	return 0;
}
