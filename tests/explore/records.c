/*
 * Two writers, one pipe, records of less than PIPE_BUF: POSIX says that they do not mix. Status 0: they did not; 1:
 * they did.
 */
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define RECORD 3000
#define RECORDS 24
#define PIECE 1000

static void write_records(int fd, char letter)
{
	char record[RECORD];

	memset(record, letter, sizeof(record));
	for (int i = 0; i < RECORDS; i++)
		if (write(fd, record, sizeof(record)) != sizeof(record))
			_exit(2);
	_exit(0);
}

int main(void)
{
	char piece[PIECE], current = 0;
	int ends[2], left = 0, nr_mixed = 0;

	if (pipe(ends) != 0)
		return 2;
	for (int i = 0; i < 2; i++)
		if (fork() == 0)
			write_records(ends[1], (char)('a' + i));
	close(ends[1]);
	for (ssize_t n; (n = read(ends[0], piece, sizeof(piece))) > 0;) {
		for (ssize_t i = 0; i < n; i++) {
			if (left == 0) {
				current = piece[i];
				left = RECORD;
			}
			nr_mixed += piece[i] != current;
			left--;
		}
	}
	while (wait(NULL) > 0)
		;
	return nr_mixed != 0;
}
