/*
 * t_mm.c - mmap, munmap, mprotect, mremap, brk, madvise, mincore, msync, mlock: their
 * errors, and what they do to anonymous and file memory.
 */
#define _GNU_SOURCE
#include "check.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define PAGE 4096UL
#define RW (PROT_READ | PROT_WRITE)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS)

static sigjmp_buf escape;
static volatile int fault_code, fault_signal;
static void *volatile fault_address;

static void on_fault(int number, siginfo_t *info, void *context)
{
	(void)context;
	fault_signal = number;
	fault_code = info->si_code;
	fault_address = info->si_addr;
	siglongjmp(escape, 1);
}

static void catch_faults(void)
{
	struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_NODEFER};

	sigaction(SIGSEGV, &action, NULL);
	sigaction(SIGBUS, &action, NULL);
}

/* Name what touching one byte does: "fine", or signal, code and place. */
static const char *touch(volatile unsigned char *p, int write)
{
	static char text[64];

	if (sigsetjmp(escape, 1) != 0) {
		snprintf(text, sizeof text, "signal %d code %d %s", fault_signal, fault_code,
			 fault_address == (void *)p ? "at the address" : "ELSEWHERE");
		return text;
	}
	if (write)
		*p = 1;
	else
		(void)*p;
	return "fine";
}

static void show_access(const char *what, void *p)
{
	say("%s: read %s", what, touch(p, 0));
	say(", write %s\n", touch(p, 1));
}

/* Like show_ok for calls that return an address. */
static void show_map(const char *what, void *p)
{
	if (p == MAP_FAILED)
		say("%s: %s\n", what, errno_name(errno));
	else
		say("%s: ok\n", what);
}

static unsigned char *map(size_t len)
{
	unsigned char *p = mmap(NULL, len, RW, ANON, -1, 0);

	if (p == MAP_FAILED)
		give_up("mmap");
	return p;
}

static void test_mmap_errors(int fd, int read_only, int write_only)
{
	int dir = open(".", O_RDONLY);
	int ends[2];

	if (pipe(ends) != 0)
		give_up("pipe");
	show_map("length 0", mmap(NULL, 0, RW, ANON, -1, 0));
	show_map("huge length", mmap(NULL, 1UL << 62, RW, ANON, -1, 0));
	show_map("length that wraps", mmap(NULL, ~0UL, RW, ANON, -1, 0));
	show_map("neither private nor shared", mmap(NULL, PAGE, RW, MAP_ANONYMOUS, -1, 0));
	show_map("fixed, unaligned", mmap((void *)0x10000123, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	show_map("fixed, beyond user space", mmap((void *)(1UL << 56), PAGE, RW, ANON | MAP_FIXED, -1, 0));
	show_map("fixed, last page of all", mmap((void *)~0xfffUL, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	show_map("fixed, kernel half", mmap((void *)0xffff800000000000UL, PAGE, RW, ANON | MAP_FIXED, -1, 0));
	show_map("hint beyond user space", mmap((void *)(1UL << 60), PAGE, RW, ANON, -1, 0));
	show_map("unaligned hint", mmap((void *)0x20000123, PAGE, RW, ANON, -1, 0));
	show_map("bad descriptor", mmap(NULL, PAGE, RW, MAP_PRIVATE, -1, 0));
	show_map("closed descriptor", mmap(NULL, PAGE, RW, MAP_PRIVATE, 777, 0));
	show_map("unaligned offset", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 100));
	show_map("directory", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, dir, 0));
	show_map("pipe", mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, ends[0], 0));
	show_map("shared writable of a read-only file", mmap(NULL, PAGE, RW, MAP_SHARED, read_only, 0));
	show_map("private writable of a read-only file", mmap(NULL, PAGE, RW, MAP_PRIVATE, read_only, 0));
	show_map("write-only file", mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, write_only, 0));
	show_map("fixed_noreplace over a mapping", mmap((void *)((uintptr_t)&test_mmap_errors & ~(PAGE - 1)),
							PAGE, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
	close(dir);
	close(ends[0]);
	close(ends[1]);
}

static void test_anonymous(void)
{
	unsigned char *p = map(8 * PAGE);
	size_t nonzero = 0;

	for (size_t i = 0; i < 8 * PAGE; i++)
		nonzero += p[i] != 0;
	say("fresh memory: %zu bytes are not zero\n", nonzero);
	memset(p, 5, 8 * PAGE);
	show("munmap in the middle", munmap(p + 2 * PAGE, 2 * PAGE));
	show_access("first page", p);
	show_access("hole", p + 2 * PAGE);
	show_access("after the hole", p + 4 * PAGE);
	show("munmap over the hole", munmap(p, 4 * PAGE));
	show("munmap again", munmap(p, 4 * PAGE));
	show("munmap of length 0", munmap(p, 0));
	show("munmap unaligned", munmap(p + 4 * PAGE + 1, PAGE));
	show("munmap odd length", munmap(p + 4 * PAGE, 1));
	show_access("page unmapped by a byte", p + 4 * PAGE);
	show_map("fixed over the old place", mmap(p + 4 * PAGE, 2 * PAGE, RW, ANON | MAP_FIXED, -1, 0));
	say("replaced pages hold %d %d, kept page %d\n", p[4 * PAGE], p[5 * PAGE], p[6 * PAGE]);
	show("munmap kernel half", munmap((void *)0xffff800000000000UL, PAGE));
	munmap(p, 8 * PAGE);
}

static void test_mprotect(void)
{
	unsigned char *p = map(5 * PAGE);

	memset(p, 6, 5 * PAGE);
	show("none", mprotect(p, PAGE, PROT_NONE));
	show_access("none", p);
	show("read", mprotect(p + PAGE, PAGE, PROT_READ));
	show_access("read", p + PAGE);
	show("write alone", mprotect(p + 2 * PAGE, PAGE, PROT_WRITE));
	show_access("write alone", p + 2 * PAGE);
	show("all", mprotect(p, 5 * PAGE, RW));
	show_access("none, opened again", p);
	say("contents %d %d %d\n", p[0], p[PAGE + 1], p[2 * PAGE + 1]);
	show("unaligned", mprotect(p + 1, PAGE, RW));
	show("length 0", mprotect(p, 0, PROT_NONE));
	show_access("after length 0", p);
	munmap(p + 3 * PAGE, PAGE);
	show("over a hole", mprotect(p, 5 * PAGE, PROT_READ));
	show_access("before the hole", p);
	show_access("after the hole", p + 4 * PAGE);
	show("of a hole", mprotect(p + 3 * PAGE, PAGE, PROT_READ));
	show("kernel half", mprotect((void *)0xffff800000000000UL, PAGE, PROT_READ));
	show("bad bits", mprotect(p, PAGE, 0x800));
	munmap(p, 5 * PAGE);

	/* Instructions: "return 42" needs this architecture's bytes. */
#if defined(__x86_64__)
	static const unsigned char code[] = {0xb8, 42, 0, 0, 0, 0xc3};
#elif defined(__aarch64__)
	static const unsigned char code[] = {0x40, 5, 0x80, 0x52, 0xc0, 3, 0x5f, 0xd6};
#endif
	p = map(PAGE);
	memcpy(p, code, sizeof code);
	show("make it executable", mprotect(p, PAGE, PROT_READ | PROT_EXEC));
	__builtin___clear_cache((char *)p, (char *)p + sizeof code);
	show("run it", ((int (*)(void))(uintptr_t)p)());
	mprotect(p, PAGE, RW);
	p[0]++;
	p[0]--;
	if (sigsetjmp(escape, 1) == 0)
		show("ran without the right", ((int (*)(void))(uintptr_t)p)());
	else
		say("not executable again: signal %d code %d\n", fault_signal, fault_code);
	munmap(p, PAGE);
}

static void test_mremap(void)
{
	unsigned char *p = map(4 * PAGE), *q;

	for (int i = 0; i < 4; i++)
		p[i * PAGE] = (unsigned char)(i + 1);
	show_map("shrink", mremap(p, 4 * PAGE, 2 * PAGE, 0));
	show_access("cut off", p + 3 * PAGE);
	q = mremap(p, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	show_map("grow", q);
	say("contents %d %d %d\n", q[0], q[PAGE], q[63 * PAGE]);
	p = map(64 * PAGE);
	show_map("move to a fixed place", mremap(q, 64 * PAGE, 32 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p));
	say("contents %d %d\n", p[0], p[PAGE]);
	show_access("old place", q);
	show_map("fixed without maymove", mremap(p, PAGE, PAGE, MREMAP_FIXED, q));
	show_map("overlapping", mremap(p, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p + PAGE));
	show_map("unaligned", mremap(p + 1, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	show_map("new length 0", mremap(p, PAGE, 0, MREMAP_MAYMOVE));
	show_map("bad flags", mremap(p, PAGE, 2 * PAGE, 0x100));
	show_map("not mapped", mremap(q, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	show_map("grow in place into a mapping", mremap(p, PAGE, 2 * PAGE, 0));
	mprotect(p, PAGE, PROT_READ);
	q = mremap(p, PAGE, 3 * PAGE, MREMAP_MAYMOVE);
	show_map("part with its own rights", q);
	show_access("moved part", q + PAGE);
	munmap(q, 3 * PAGE);
	munmap(p, 64 * PAGE);
}

static void test_brk(void)
{
	char *start = sbrk(0);

	show_true("brk grows", sbrk(10 * (long)PAGE) == start);
	memset(start, 3, 10 * PAGE);
	show_true("brk shrinks", brk(start + PAGE) == 0 && sbrk(0) == start + PAGE);
	char *top = (char *)(((uintptr_t)start + 2 * PAGE) & ~(PAGE - 1));
	show_access("beyond the break", top + 2 * PAGE);
	sbrk(9 * (long)PAGE);
	say("grown again it is zero: %d\n", top[2 * PAGE]);
	show_true("odd sizes", sbrk(1) == start + 10 * PAGE && sbrk(0) == start + 10 * PAGE + 1);
	unsigned long now = (unsigned long)syscall(SYS_brk, 0);
	show_true("brk(0) answers the break", now == (unsigned long)(uintptr_t)sbrk(0));
	show_true("brk too low is refused", (unsigned long)syscall(SYS_brk, 4096) == now);
	show_true("brk too high is refused", (unsigned long)syscall(SYS_brk, 1UL << 60) == now);
	brk(start);
}

static void test_madvise(void)
{
	unsigned char *p = map(4 * PAGE), in_core[4];

	memset(p, 9, 4 * PAGE);
	show("DONTNEED", madvise(p + PAGE, PAGE, MADV_DONTNEED));
	say("after DONTNEED %d %d %d\n", p[0], p[PAGE], p[2 * PAGE]);
	show("WILLNEED", madvise(p, PAGE, MADV_WILLNEED));
	show("NORMAL", madvise(p, PAGE, MADV_NORMAL));
	show("SEQUENTIAL", madvise(p, PAGE, MADV_SEQUENTIAL));
	show("unaligned", madvise(p + 1, PAGE, MADV_DONTNEED));
	show("unknown", madvise(p, PAGE, 12345));
	show("length 0", madvise(p, 0, MADV_DONTNEED));
	munmap(p + 2 * PAGE, PAGE);
	show("over a hole", madvise(p, 4 * PAGE, MADV_DONTNEED));
	say("after it %d %d\n", p[0], p[3 * PAGE]);
	p[0] = 1;
	show("mincore", mincore(p, PAGE, in_core));
	show("page is in core", in_core[0] & 1);
	show("mincore of a hole", mincore(p + 2 * PAGE, PAGE, in_core));
	show("mincore unaligned", mincore(p + 1, PAGE, in_core));
	show("mincore to a bad place", mincore(p, PAGE, (unsigned char *)16));
	show("msync", msync(p, PAGE, MS_SYNC));
	show("msync of a hole", msync(p + 2 * PAGE, PAGE, MS_SYNC));
	show("msync unaligned", msync(p + 1, PAGE, MS_SYNC));
	show("msync with both", msync(p, PAGE, MS_SYNC | MS_ASYNC));
	show("mlock", mlock(p, PAGE));
	show("munlock", munlock(p, PAGE));
	show("mlock of a hole", mlock(p + 2 * PAGE, PAGE));
	munmap(p, 4 * PAGE);
}

/* VmLck of /proc/self/status, in KiB. */
static unsigned long locked_kib(void)
{
	FILE *f = fopen("/proc/self/status", "r");
	unsigned long kib = 12345;
	char line[256];

	while (f != NULL && fgets(line, sizeof line, f) != NULL)
		sscanf(line, "VmLck: %lu", &kib);
	if (f != NULL)
		fclose(f);
	return kib;
}

/* Whether p is locked: then DONTNEED is refused. */
static void show_locked(const char *who, unsigned char *p)
{
	say("%s has %lu KiB locked\n", who, locked_kib());
	show("its DONTNEED", madvise(p, PAGE, MADV_DONTNEED));
}

static void test_mlock(void)
{
	unsigned char *p = mmap(NULL, 4 * PAGE, RW, ANON | MAP_LOCKED, -1, 0), *q = map(16 * PAGE);

	show_map("MAP_LOCKED", p);
	show("mlock in the middle", mlock(q + PAGE + 1, 2 * PAGE));
	show_locked("the parent", q + PAGE);
	show("the page beside", madvise(q, PAGE, MADV_DONTNEED));
	q[PAGE] = 7;
	if (fork() == 0) {
		show_locked("a child", q + 2 * PAGE);
		show("what was MAP_LOCKED", madvise(p, PAGE, MADV_DONTNEED));
		say("its copy of a locked page %d\n", q[PAGE]);
		show("its own mlock", mlock(q, 2 * PAGE));
		show_locked("the child then", q);
		_exit(0);
	}
	wait(NULL);
	show_locked("the parent still", p);
	show("munlock", munlock(q, 16 * PAGE));
	show("munlock of what is not locked", munlock(q, 16 * PAGE));
	show_locked("after munlock", q + PAGE);
	munmap(p, 4 * PAGE);
	show("mlockall", mlockall(MCL_CURRENT));
	show("DONTNEED after mlockall", madvise(q, PAGE, MADV_DONTNEED));
	show("munlockall", munlockall());
	show_locked("after munlockall", q);
	munmap(q, 16 * PAGE);
}

static void test_files(int fd)
{
	unsigned char byte = 0, *shared, *private, *late;

	if (ftruncate(fd, 0) != 0 || ftruncate(fd, 3 * PAGE - 100) != 0)
		give_up("ftruncate");
	shared = mmap(NULL, 4 * PAGE, RW, MAP_SHARED, fd, 0);
	private = mmap(NULL, 4 * PAGE, RW, MAP_PRIVATE, fd, 0);
	show_map("shared", shared);
	show_map("private", private);
	shared[10] = 1;
	pread(fd, &byte, 1, 10) == 1 ? say("file sees the mapping's write: %d\n", byte) : (void)0;
	byte = 2;
	show("pwrite", pwrite(fd, &byte, 1, 11));
	say("mappings see the file's write: %d %d\n", shared[11], private[11]);
	private[12] = 3;
	byte = 4;
	show("pwrite", pwrite(fd, &byte, 1, 12));
	say("private page is its own: shared %d private %d\n", shared[12], private[12]);
	byte = 5;
	show("pwrite", pwrite(fd, &byte, 1, PAGE));
	say("untouched private page follows: %d\n", private[PAGE]);
	say("beyond the end in the last page: %d\n", shared[3 * PAGE - 1]);
	show_access("page beyond the end, shared", shared + 3 * PAGE);
	show_access("page beyond the end, private", private + 3 * PAGE);
	late = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)(2 * PAGE));
	show_map("with an offset", late);
	shared[2 * PAGE + 5] = 6;
	say("both see it: %d\n", late[5]);
	if (ftruncate(fd, PAGE) != 0)
		give_up("ftruncate");
	show_access("cut off", shared + 2 * PAGE);
	if (ftruncate(fd, 4 * PAGE) != 0)
		give_up("ftruncate");
	say("grown again: %d\n", shared[2 * PAGE + 5]);
	show_access("grown again", shared + 3 * PAGE);
	close(fd);
	shared[20] = 7;
	say("mapping outlives the descriptor: %d\n", shared[20]);
	show("msync", msync(shared, 4 * PAGE, MS_SYNC));
	unlink("file");
	say("and the name: %d\n", shared[20]);
	show_map("mremap of a shared file", shared = mremap(shared, 4 * PAGE, PAGE, MREMAP_MAYMOVE));
	munmap(shared, PAGE);
	munmap(private, 4 * PAGE);
	munmap(late, PAGE);
	fd = open("/dev/zero", O_RDWR);
	private = mmap(NULL, PAGE, RW, MAP_PRIVATE, fd, 0);
	show_map("/dev/zero", private);
	say("it is zero: %d\n", private[7]);
	show_access("/dev/zero", private);
	munmap(private, PAGE);
	close(fd);
}

static int limited(void *arg)
{
	struct rlimit limit = {.rlim_cur = 64 << 20, .rlim_max = 64 << 20};

	(void)arg;
	setrlimit(RLIMIT_AS, &limit);
	show_map("under RLIMIT_AS: too much", mmap(NULL, 128 << 20, RW, ANON, -1, 0));
	show_map("under RLIMIT_AS: little", mmap(NULL, 1 << 20, RW, ANON, -1, 0));
	show_true("under RLIMIT_AS: sbrk fails", sbrk(100 << 20) == (void *)-1);
	return 0;
}

static void test_stack_growth(void)
{
	/* A write far below the stack pointer, within the limit, grows the stack;
	 * an alloca-like skip of pages must not end in a fault. */
	volatile unsigned char near = 1, *base = &near;

	__asm__("" : "+r"(base)); /* the compiler shall not know where it points */
	say("write 1 MiB below the stack pointer: %s\n", touch(base - 1024 * 1024, 1));
	say("read between: %s\n", touch(base - 512 * 1024, 0));
	say("value between: %d\n", *(base - 512 * 1024));
}

static void test_null_and_kernel(void)
{
	show_access("null", NULL);
	show_access("null + 8", (void *)8);
	say("kernel half: read signal %s\n", touch((unsigned char *)0xffff800000001000UL, 0) ? "came" : "");
}

int main(void)
{
	enter_private_directory("mm");
	catch_faults();
	int fd = open("file", O_RDWR | O_CREAT, 0600);
	int read_only = open("file", O_RDONLY), write_only = open("file", O_WRONLY);
	if (fd < 0 || read_only < 0 || write_only < 0)
		give_up("open");
	test_mmap_errors(fd, read_only, write_only);
	test_anonymous();
	test_mprotect();
	test_mremap();
	test_brk();
	test_madvise();
	test_mlock();
	test_files(fd);
	in_child("limited", limited, NULL);
	test_stack_growth();
	test_null_and_kernel();
	leave_private_directory();
	return 0;
}
