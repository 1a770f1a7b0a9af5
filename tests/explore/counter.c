/*
 * A program with a race, planted: children add to a number in a file, each by reading and writing it. With "locked"
 * as its argument they lock it meanwhile. Status 0: nothing was lost; 1: something was.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>
#include <fcntl.h>

#define CHILDREN 3
#define ROUNDS 4

static void add_one(int fd, int is_locked)
{
	char text[16] = "";

	if (is_locked)
		flock(fd, LOCK_EX);
	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		_exit(2);
	snprintf(text, sizeof(text), "%d", atoi(text) + 1);
	if (pwrite(fd, text, strlen(text), 0) < 0)
		_exit(2);
	if (is_locked)
		flock(fd, LOCK_UN);
}

int main(int argc, char **argv)
{
	int is_locked = argc > 1 && strcmp(argv[1], "locked") == 0;
	char text[16] = "";
	int fd = open("/tmp/counter", O_RDWR | O_CREAT, 0600);

	for (int i = 0; i < CHILDREN; i++) {
		if (fork() == 0) {
			int own = open("/tmp/counter", O_RDWR);

			for (int n = 0; n < ROUNDS; n++)
				add_one(own, is_locked);
			_exit(0);
		}
	}
	for (int i = 0; i < CHILDREN; i++)
		wait(NULL);
	if (pread(fd, text, sizeof(text) - 1, 0) < 0)
		return 2;
	return atoi(text) == CHILDREN * ROUNDS ? 0 : 1;
}
