/*
 * A main program for a fuzzer's target without a fuzzer: runs it over files, directories of
 * files, or standard input (AFL++ without its own driver). For every compiler, gdb and valgrind.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static unsigned nr_files;

/* A copy of the exact size, so that a sanitizer sees a read beyond it. */
static void run_stream(FILE *f)
{
	static uint8_t buffer[INPUT_MAX];
	size_t size = fread(buffer, 1, sizeof(buffer), f);
	uint8_t *bytes = malloc(size + (size == 0));

	memcpy(bytes, buffer, size);
	(void)LLVMFuzzerTestOneInput(bytes, size);
	free(bytes);
	nr_files++;
}

static int run_path(const char *path)
{
	struct dirent **entries;
	int nr = scandir(path, &entries, NULL, alphasort), failures = 0;
	FILE *f;

	for (int i = 0; i < nr; i++) {
		char name[4096];

		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		if (entries[i]->d_name[0] != '.')
			failures += run_path(name);
		free(entries[i]);
	}
	if (nr >= 0) {
		free(entries);
		return failures;
	}
	f = fopen(path, "rb");
	if (f == NULL) {
		perror(path);
		return 1;
	}
	run_stream(f);
	fclose(f);
	return 0;
}

int main(int argc, char **argv)
{
	int failures = 0;

	if (argc == 1)
		run_stream(stdin);
	for (int i = 1; i < argc; i++)
		failures += run_path(argv[i]);
	printf("%u inputs\n", nr_files);
	return failures != 0 || nr_files == 0;
}
