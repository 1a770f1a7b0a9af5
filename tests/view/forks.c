/* A program for the tests of the record: 4 MiB of memory, a child that writes to one page of it, then the parent
 * does. */
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define BYTES (4u << 20)

int main(void)
{
	char *p = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	memset(p, 1, BYTES);
	if (fork() == 0) {
		p[BYTES / 2] = 2;
		_exit(0);
	}
	wait(NULL);
	p[BYTES / 2] = 3;
	return 0;
}
