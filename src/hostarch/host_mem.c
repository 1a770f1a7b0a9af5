/* Physical memory of the hosted machine, and memory of its own. Contracts in host.h. */
#include "host.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "hostarch/host_internal.h"
#include "hostarch/stub/stub.h"

#ifndef MFD_EXEC
#define MFD_EXEC 0x10u
#endif

/* Puts a descriptor at a fixed number, close-on-exec. */
int host_fd_move(int fd, int to)
{
	if (fd == to)
		return 0;
	if (dup3(fd, to, O_CLOEXEC) < 0)
		return -errno;
	close(fd);
	return 0;
}

/* MFD_EXEC: asked for where the host knows it, since vm.memfd_noexec may refuse exec without it. */
int host_memfd(const char *name)
{
	long fd = syscall(SYS_memfd_create, name, MFD_CLOEXEC | MFD_EXEC);

	if (fd < 0 && errno == EINVAL)
		fd = syscall(SYS_memfd_create, name, MFD_CLOEXEC);
	return fd < 0 ? -errno : (int)fd;
}

int host_fd_reopen_readonly(int fd, int to)
{
	char name[32];
	int ro;

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	ro = open(name, O_RDONLY | O_CLOEXEC);
	if (ro < 0)
		return -errno;
	return host_fd_move(ro, to);
}

int host_memory_create(uint64_t size_bytes, void **base)
{
	int fd = host_memfd("levitate-memory");
	int error;
	void *map;

	if (fd < 0)
		return fd;
	if (ftruncate(fd, (off_t)size_bytes) != 0) {
		error = -errno;
		close(fd);
		return error;
	}
	error = host_fd_move(fd, STUB_FD_RW);
	if (error == 0)
		error = host_fd_reopen_readonly(STUB_FD_RW, STUB_FD_RO);
	if (error != 0)
		return error;
	map = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, STUB_FD_RW, 0);
	if (map == MAP_FAILED)
		return -errno;
	*base = map;
	return 0;
}

void *host_pages_alloc(size_t size_bytes)
{
	void *p = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1,
		       0);

	return p == MAP_FAILED ? NULL : p;
}

void host_pages_free(void *pages, size_t size_bytes) { munmap(pages, size_bytes); }

uint64_t host_max_mappings(void)
{
	unsigned long value = 65530;
	FILE *f = fopen("/proc/sys/vm/max_map_count", "re");

	if (f != NULL) {
		if (fscanf(f, "%lu", &value) != 1)
			value = 65530;
		fclose(f);
	}
	return value;
}

void host_random(void *p, size_t size_bytes)
{
	char *at = p;

	while (size_bytes > 0) {
		long n = syscall(SYS_getrandom, at, size_bytes, 0);

		if (n < 0 && errno != EINTR)
			host_fail(125, "the host gives no random bytes");
		if (n > 0) {
			at += n;
			size_bytes -= (size_t)n;
		}
	}
}
