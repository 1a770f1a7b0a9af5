/*
 * hostile.c - a guest that tries to harm its kernel, its siblings and the host:
 * every system call with odd arguments, the host's files and processes, memory
 * at and above the top of its own, memory without end, processes without end.
 * See hostile.h for what is checked. hostile_x86_64.c has the processor's tricks.
 */
#define _GNU_SOURCE
#include "hostile.h"

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>

/* --- system calls --- */

static const long never[] = {
	SYS_exit,  SYS_exit_group, SYS_kill, SYS_tkill, SYS_tgkill, SYS_rt_sigqueueinfo, SYS_reboot,
#ifdef SYS_fork
	SYS_fork,  SYS_vfork,
#endif
	SYS_clone,
};

static unsigned char scratch[65536];
static volatile long *progress; /* shared: the number being tried */

/* Try one call number with several sets of arguments. */
static void fuzz_number(long number)
{
	unsigned long buffer = (unsigned long)(uintptr_t)scratch;

	for (size_t i = 0; i < COUNT_OF(never); i++)
		if (number == never[i])
			return;
	syscall(number, 0UL, 0UL, 0UL, 0UL, 0UL, 0UL);
	syscall(number, ~0UL, ~0UL, ~0UL, ~0UL, ~0UL, ~0UL);
	syscall(number, buffer, buffer, buffer, buffer, buffer, buffer);
	syscall(number, 3UL, buffer, 4096UL, 0UL, 0UL, 0UL);
	syscall(number, buffer, 1UL, 1UL, 1UL, 1UL, 1UL);
	for (size_t i = 0; i < COUNT_OF(wild_addresses); i += 2) {
		unsigned long wild = wild_addresses[i];
		syscall(number, wild, wild, wild, wild, wild, wild);
		syscall(number, 0UL, wild, 64UL, wild, 64UL, wild);
		syscall(number, wild, 4096UL, 7UL, 0x32UL, ~0UL, 0UL);
	}
}

static void fuzz_from(unsigned long number)
{
	int null = open("/dev/null", O_RDWR);

	/* No call may find the parent's pipes or the terminal. */
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	syscall(SYS_close_range, 3U, ~0U, 0U);
	for (long n = (long)number; n < 700; n++) {
		struct itimerval limit = {.it_value.tv_usec = 50000};
		*progress = n;
		signal(SIGALRM, SIG_DFL);
		setitimer(ITIMER_REAL, &limit, NULL);
		fuzz_number(n);
	}
	*progress = 700;
}

static void attack_every_call(void)
{
	progress = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	for (long next = 0; next < 700; next = *progress + 1) {
		*progress = next;
		in_victimless_child(fuzz_from, (unsigned long)next, 1000);
	}
}

static void odd_numbers(unsigned long arg)
{
	(void)arg;
	for (int bit = 10; bit < 64; bit++)
		for (long n = 0; n < 450; n += 3)
			syscall((long)(1UL << bit) + n, ~0UL, scratch, 16UL, 0UL, 0UL, 0UL);
	for (long n = -1; n > -5000; n -= 7)
		syscall(n, 0UL, 0UL, 0UL, 0UL, 0UL, 0UL);
}

static void attack_odd_call_numbers(void) { in_victimless_child(odd_numbers, 0, 5000); }

/* --- the host's files and processes --- */

static void try_path(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0666);

	if (fd >= 0) {
		(void)!write(fd, "hostile", 7);
		close(fd);
	}
	fd = open(path, O_WRONLY | O_APPEND);
	if (fd >= 0) {
		(void)!write(fd, "hostile", 7);
		close(fd);
	}
	(void)!truncate(path, 0);
	chmod(path, 0777);
	(void)!chown(path, 12345, 12345);
	link(path, "/tmp/hostile-link");
	unlink("/tmp/hostile-link");
	rename(path, "/tmp/hostile-moved");
	unlink(path);
	mknod(path, S_IFCHR | 0666, 0x101);
	mkdir(path, 0777);
	symlink("/dev/null", path);
}

static void attack_host_files(void)
{
	static const char *const places[] = {
		"%s",
		"/proc/self/root%s",
		"/proc/1/root%s",
		"/proc/self/cwd/../../../..%s",
		"/tmp/../../../..%s",
		"/proc/self/task/1/root%s",
		"/dev/fd/../..%s",
		"/proc/thread-self/root%s",
	};
	static const char *const devices[] = {
		"/dev/mem",
		"/dev/kmem",
		"/dev/port",
		"/dev/sda",
		"/dev/vda",
		"/dev/nvme0n1",
		"/dev/kmsg",
		"/proc/sysrq-trigger",
		"/proc/kcore",
		"/proc/sys/kernel/hostname",
		"/proc/sys/kernel/panic",
		"/sys/power/state",
		"/dev/watchdog",
		"/dev/loop0",
		"/etc/lv-hostile-test",
		"/lv-hostile-test",
	};
	char path[4096];

	if (chroot("/proc/self/root") == 0 || chroot("/") == 0)
		(void)!chdir("../../../../..");
	for (size_t i = 0; i < COUNT_OF(places); i++) {
		snprintf(path, sizeof path, places[i], options.canary);
		try_path(path);
	}
	for (size_t i = 0; i < COUNT_OF(devices); i++) {
		int fd = open(devices[i], O_RDWR | (i > 13 ? O_CREAT : 0), 0600);
		if (fd >= 0) {
			if (i < 6)
				escaped(devices[i], fd);
			close(fd);
		}
	}
	snprintf(path, sizeof path, "/proc/%d/mem", (int)options.victim);
	if (open(path, O_RDWR) >= 0)
		escaped("the victim's memory", 0);
	snprintf(path, sizeof path, "/proc/%d/root/tmp/x", (int)options.victim);
	if (open(path, O_RDWR | O_CREAT, 0600) >= 0)
		escaped("the victim's root", 0);
	/* Descriptors that the guest was not given. */
	for (int fd = 3; fd < 2000; fd++) {
		if (write(fd, "x", 1) == 1 || mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0) != MAP_FAILED)
			escaped("a descriptor that is not mine", fd);
	}
	(void)!syscall(SYS_mount, "none", "/", "tmpfs", 0L, NULL);
	(void)!syscall(SYS_pivot_root, "/tmp", "/tmp");
}

static void attack_host_processes(void)
{
	char text[8] = "hostile";
	struct iovec local = {text, sizeof text}, remote = {(void *)0x400000, sizeof text};
	pid_t victim = options.victim;

	for (int number = 1; number <= 64; number++) {
		kill(victim, number);
		syscall(SYS_tkill, victim, number);
		syscall(SYS_tgkill, victim, victim, number);
		kill(-victim, number);
	}
	if (ptrace(PTRACE_ATTACH, victim, NULL, NULL) == 0)
		escaped("ptrace attach", victim);
	if (ptrace(PTRACE_SEIZE, victim, NULL, NULL) == 0)
		escaped("ptrace seize", victim);
	if (process_vm_readv(victim, &local, 1, &remote, 1, 0) > 0)
		escaped("process_vm_readv", victim);
	if (process_vm_writev(victim, &local, 1, &remote, 1, 0) > 0)
		escaped("process_vm_writev", victim);
	long fd = syscall(SYS_pidfd_open, victim, 0L);
	if (fd >= 0) {
		escaped("pidfd_open", fd);
		syscall(SYS_pidfd_send_signal, fd, SIGKILL, NULL, 0L);
	}
	setpriority(PRIO_PROCESS, (id_t)victim, 19);
	struct rlimit limit = {1, 1};
	syscall(SYS_prlimit64, victim, (long)RLIMIT_NOFILE, &limit, NULL);
	setpgid(victim, victim);
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET(0, &set);
	sched_setaffinity(victim, sizeof set, &set);
	(void)!syscall(SYS_unshare, 0x7e020000L);
	(void)!syscall(SYS_setns, 0L, 0L);
}

/* --- addresses at and above the top --- */

static void use_memory(void *p, size_t len)
{
	memset(p, 0xcc, len);
	if (getpid() <= 0)
		escaped("getpid", getpid());
}

static void map_high(unsigned long address)
{
	static const size_t sizes[] = {PAGE, 16 * PAGE, 2UL << 20};
	static const int flags[] = {MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS,
				    MAP_FIXED | MAP_SHARED | MAP_ANONYMOUS,
				    MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN,
				    MAP_FIXED_NOREPLACE | MAP_PRIVATE | MAP_ANONYMOUS};

	for (size_t i = 0; i < COUNT_OF(sizes); i++)
		for (size_t j = 0; j < COUNT_OF(flags); j++) {
			void *p = mmap((void *)address, sizes[i], PROT_READ | PROT_WRITE | PROT_EXEC,
				       flags[j], -1, 0);
			if (p != MAP_FAILED)
				use_memory(p, PAGE);
		}
	void *from = mmap(NULL, 16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (from != MAP_FAILED &&
	    mremap(from, 16 * PAGE, 16 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)address) != MAP_FAILED)
		use_memory((void *)address, PAGE);
	mremap((void *)address, 0, PAGE, MREMAP_MAYMOVE);
	mremap((void *)address, PAGE, 64 * PAGE, MREMAP_MAYMOVE);
	mprotect((void *)address, 512 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	madvise((void *)address, 512 * PAGE, MADV_DONTNEED);
	madvise((void *)address, 512 * PAGE, MADV_REMOVE);
	munmap((void *)address, 512 * PAGE);
	if (can_read(address))
		use_memory((void *)address, PAGE);
}

/* Places to look at: coarse over the top of user space, fine where it pays. */
static unsigned long next_place(unsigned long place)
{
	if (place >= TOP - (16UL << 20))
		return place + PAGE;
	if (place >= 0x7ffb00000000 && place < 0x7ffb00800000)
		return place + PAGE;
	return place + (2UL << 20);
}

static void map_range(unsigned long first)
{
	catch_probes();
	for (unsigned long a = first; a < TOP + (4UL << 20) && a < first + (4UL << 30); a += 37UL << 20)
		map_high(a);
}

static void map_one(unsigned long address)
{
	catch_probes();
	map_high(address & ~(PAGE - 1));
}

static void attack_map_over_the_top(void)
{
	for (size_t i = 0; i < COUNT_OF(wild_addresses); i++)
		in_victimless_child(map_one, wild_addresses[i], 1000);
	for (unsigned long a = 0x7ff000000000; a < TOP; a += 4UL << 30)
		in_victimless_child(map_range, a, 1000);
}

static void unmap_pieces(unsigned long step)
{
	for (unsigned long a = TOP - step; a >= step; a -= step)
		munmap((void *)a, step);
	munmap(NULL, step);
}

static void unmap_all(unsigned long arg) { munmap((void *)arg, TOP - arg - (arg == 0 ? PAGE : 0)); }

static void protect_pieces(unsigned long prot)
{
	for (unsigned long a = TOP - (64UL << 30); a > 0; a -= 64UL << 30)
		mprotect((void *)a, 64UL << 30, (int)prot);
	mprotect(NULL, 64UL << 30, (int)prot);
}

static void attack_unmap_everything(void)
{
	in_victimless_child(unmap_pieces, 1UL << 40, 3000);
	in_victimless_child(unmap_pieces, 1UL << 34, 3000);
	in_victimless_child(unmap_all, 0, 3000);
	in_victimless_child(unmap_all, TOP / 2, 3000);
	in_victimless_child(unmap_all, 0x7ff000000000, 3000);
}

static void attack_protect_everything(void)
{
	in_victimless_child(protect_pieces, PROT_NONE, 3000);
	in_victimless_child(protect_pieces, PROT_READ, 3000);
	in_victimless_child(protect_pieces, PROT_READ | PROT_WRITE | PROT_EXEC, 3000);
}

/* Overwrite from an address on until it faults, then call and fault some more. */
static void overwrite_from(unsigned long address)
{
	if (sigsetjmp(probe_escape, 0) == 0)
		for (unsigned long a = address; a < address + 64 * PAGE; a += 8)
			*(volatile unsigned long *)a = 0x4141414141414141;
	for (int i = 0; i < 10; i++) {
		getppid();
		if (can_read(8))
			escaped("the null page", 0);
	}
}

static void jump_to(unsigned long address)
{
	signal(SIGSEGV, SIG_DFL);
	((void (*)(unsigned long, unsigned long, unsigned long))address)(address, address, address);
}

/*
 * Find what can be read between two addresses, and spoil it: overwrite it, jump
 * into it. The guest's own memory may lie there, too; only children suffer.
 */
static void spoil_range(unsigned long first, unsigned long last, long *budget)
{
	catch_probes();
	for (unsigned long a = first; a<last && * budget> 0; a = next_place(a)) {
		if (!can_read(a))
			continue;
		--*budget;
		in_victimless_child(overwrite_from, a, 300);
		for (unsigned long offset = 0; offset < PAGE; offset += 333)
			in_victimless_child(jump_to, a + offset, 100);
	}
}

static void attack_spoil_the_top(void)
{
	long budget = 40;

	spoil_range(0x7ffb00000000, 0x7ffb00800000, &budget);
	budget += 10;
	spoil_range(TOP - (16UL << 20), TOP, &budget);
	budget += 10;
	spoil_range(0x7ff000000000, TOP, &budget);
}

static void attack_jump_to_wild_places(void)
{
	catch_probes();
	for (size_t i = 0; i < COUNT_OF(wild_addresses); i++) {
		in_victimless_child(jump_to, wild_addresses[i], 200);
		in_victimless_child(overwrite_from, wild_addresses[i], 200);
	}
}

/* The kernel must not write for the guest where the guest may not. */
static void attack_calls_into_the_top(void)
{
	int zero = open("/dev/zero", O_RDONLY), null = open("/dev/null", O_WRONLY);
	int ends[2];

	if (pipe2(ends, O_NONBLOCK) != 0)
		return;
	for (size_t i = 0; i < COUNT_OF(wild_addresses); i++) {
		void *p = (void *)wild_addresses[i];
		if (wild_addresses[i] == 0)
			continue;
		if (read(zero, p, 64) > 0 || syscall(SYS_getcwd, p, 100L) > 0 ||
		    syscall(SYS_clock_gettime, 1L, p) == 0 || syscall(SYS_pipe2, p, 0L) == 0 ||
		    syscall(SYS_getrandom, p, 16L, 0L) > 0)
			escaped("a call wrote to a wild place", (long)wild_addresses[i]);
		if (write(ends[1], p, 64) > 0)
			escaped("a call read a wild place", (long)wild_addresses[i]);
		(void)!write(null, p, 1UL << 40);
		syscall(SYS_futex, p, FUTEX_WAKE, 1L, NULL, NULL, 0L);
		syscall(SYS_set_robust_list, p, 24L);
		syscall(SYS_set_tid_address, p);
		struct iovec from = {scratch, 64}, to = {p, 64};
		if (process_vm_writev(getpid(), &from, 1, &to, 1, 0) > 0)
			escaped("process_vm_writev to a wild place", (long)wild_addresses[i]);
		int memory = open("/proc/self/mem", O_RDWR);
		if (memory >= 0 && pwrite(memory, scratch, 64, (off_t)wild_addresses[i]) > 0 &&
		    !can_read(wild_addresses[i]))
			escaped("/proc/self/mem to a wild place", (long)wild_addresses[i]);
		close(memory);
	}
}

static void exit_with_bad_lists(unsigned long address)
{
	static unsigned long list[3];

	list[0] = address;
	list[1] = address;
	list[2] = address;
	syscall(SYS_set_robust_list, list, 24L);
	syscall(SYS_set_tid_address, address);
}

static void exit_with_looping_list(unsigned long arg)
{
	static unsigned long list[3], entry[2];

	(void)arg;
	list[0] = (unsigned long)(uintptr_t)entry;
	entry[0] = (unsigned long)(uintptr_t)entry;
	syscall(SYS_set_robust_list, list, 24L);
}

static void attack_exit_writes(void)
{
	for (size_t i = 0; i < COUNT_OF(wild_addresses); i++)
		in_victimless_child(exit_with_bad_lists, wild_addresses[i], 500);
	in_victimless_child(exit_with_looping_list, 0, 2000);
}

/* --- without end --- */

static volatile long *forked;

static void fork_on(unsigned long arg)
{
	(void)arg;
	/* Every process forks until nobody can any more. */
	while (__atomic_fetch_add(forked, 1, __ATOMIC_RELAXED) < options.forks) {
		pid_t pid = fork();
		if (pid < 0) {
			sleep_ms(300);
			return;
		}
		if (pid == 0)
			scratch[*forked % (long)sizeof scratch]++;
	}
	sleep_ms(300);
}

static void attack_fork_without_end(void)
{
	struct rlimit limit = {(rlim_t)options.forks, (rlim_t)options.forks};

	if (options.tame)
		setrlimit(RLIMIT_NPROC, &limit);
	forked = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (forked != MAP_FAILED)
		fork_on(0);
}

static void attack_fork_a_chain(void)
{
	/* Each child forks one, and waits. */
	for (long depth = 0; depth < options.forks; depth++) {
		pid_t pid = fork();
		if (pid < 0)
			_exit(1);
		if (pid > 0) {
			waitpid(pid, NULL, 0);
			_exit(0);
		}
	}
}

static void *do_nothing(void *arg)
{
	sleep(20);
	return arg;
}

static void attack_threads_without_end(void)
{
	pthread_t thread;
	pthread_attr_t attributes;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, 65536);
	for (long i = 0; i < options.forks; i++)
		if (pthread_create(&thread, &attributes, do_nothing, NULL) != 0)
			break;
	sleep_ms(100);
}

static void attack_eat_memory(void)
{
	for (long i = 0; i < options.eat_mib; i++) {
		unsigned char *p =
			mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			break;
		memset(p, (int)i, 1 << 20);
	}
}

static void attack_eat_memory_by_brk(void)
{
	for (long i = 0; i < options.eat_mib; i++) {
		char *p = sbrk(1 << 20);
		if (p == (void *)-1)
			break;
		memset(p, (int)i, 1 << 20);
	}
}

static void attack_eat_memory_shared(void)
{
	size_t len = (size_t)options.eat_mib << 20;
	unsigned char *p = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (int i = 0; i < 3; i++)
		if (fork() < 0)
			break;
	if (p != MAP_FAILED)
		for (size_t i = 0; i < len; i += PAGE)
			p[i] = 1;
}

static void attack_eat_page_tables(void)
{
	/* One page in every 2 MiB, then in every 1 GiB. */
	for (unsigned long step = 2UL << 20; step <= 1UL << 30; step <<= 9)
		for (long i = 0; i < options.eat_mib * 64 && i < 30000; i++) {
			unsigned char *p = mmap((void *)(0x100000000UL + (unsigned long)i * step), PAGE,
						PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
			if (p == MAP_FAILED)
				return;
			*p = 1;
		}
}

static void attack_eat_mappings(void)
{
	for (long i = 0; i < 100000; i++) {
		/* Neighbours with other rights do not merge. */
		void *p =
			mmap((void *)(0x200000000000UL + (unsigned long)i * PAGE), PAGE,
			     i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED)
			break;
	}
	if (fork() == 0)
		_exit(0);
}

static void attack_eat_files(void)
{
	char name[64];
	int fd;

	mkdir("/tmp/hostile-eats", 0700);
	if (chdir("/tmp/hostile-eats") != 0)
		return;
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof name, "empty-file-with-a-long-name-%d", i);
		fd = open(name, O_WRONLY | O_CREAT, 0600);
		if (fd < 0)
			break;
		close(fd);
	}
	fd = open("large", O_WRONLY | O_CREAT, 0600);
	for (long i = 0; fd >= 0 && i < options.eat_mib * 16; i++)
		if (write(fd, scratch, sizeof scratch) <= 0)
			break;
	/* The next attacks want the memory back. */
	(void)!ftruncate(fd, 0);
}

/* What the attack above left, whether it ended well or was killed. */
static void attack_clean_up_files(void)
{
	char name[64];

	if (chdir("/tmp/hostile-eats") != 0)
		return;
	unlink("large");
	for (int i = 0; i < 20000; i++) {
		snprintf(name, sizeof name, "empty-file-with-a-long-name-%d", i);
		unlink(name);
	}
	rmdir("/tmp/hostile-eats");
}

static void attack_eat_descriptors_and_pipes(void)
{
	struct rlimit limit;
	int ends[2];

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	for (int i = 0; i < 20000 && pipe2(ends, O_NONBLOCK) == 0; i++) {
		if (!options.tame)
			fcntl(ends[1], F_SETPIPE_SZ, 1 << 20);
		while (write(ends[1], scratch, sizeof scratch) > 0)
			continue;
		if (options.tame && i > 200)
			break;
	}
	for (int i = 0; i < 200; i++)
		socketpair(AF_UNIX, SOCK_STREAM, 0, ends);
}

static void attack_eat_signals(void)
{
	sigset_t set;
	union sigval value = {.sival_int = 1};

	sigfillset(&set);
	sigprocmask(SIG_SETMASK, &set, NULL);
	for (long i = 0; i < 300000; i++)
		if (sigqueue(getpid(), SIGRTMIN + (int)(i % 20), value) != 0)
			break;
}

static void attack_eat_by_exec(void)
{
	/* Arguments up to the limit, from several processes at once. */
	static char *argv[2001];
	static char text[60000];

	memset(text, 'a', sizeof text - 1);
	for (int i = 0; i < 2000; i++)
		argv[i] = text;
	for (int i = 0; i < 4; i++)
		if (fork() == 0)
			break;
	for (int n = 2000; n > 1; n /= 2) {
		argv[n] = NULL;
		pid_t pid = vfork();
		if (pid == 0) {
			execv("/proc/self/exe", argv);
			_exit(1);
		}
		if (pid > 0)
			waitpid(pid, NULL, 0);
	}
}

static void grow_stack(unsigned long arg)
{
	struct rlimit limit = {RLIM_INFINITY, RLIM_INFINITY};

	(void)arg;
	setrlimit(RLIMIT_STACK, &limit);
	volatile char *p = __builtin_frame_address(0);
	for (long i = 0; i < options.eat_mib * 256; i++)
		*(p -= PAGE) = 1;
}

static void attack_eat_stack(void) { in_victimless_child(grow_stack, 0, 10000); }

/* --- everything at once, and odd clones --- */

static void attack_odd_clones(void)
{
	unsigned long random = 12345;

	for (int i = 0; i < 400; i++) {
		random = random * 6364136223846793005UL + 1442695040888963407UL;
		unsigned long flags = random >> 24 & 0xffffff00UL;
		/* No memory shared without a stack of its own: that is self-harm only. */
		flags &= ~(unsigned long)(CLONE_VM | CLONE_VFORK);
		if (options.tame)
			flags &= 0xffff00UL;
		long pid = syscall(SYS_clone, flags | (i % 3 ? SIGCHLD : 0UL), 0UL,
				   wild_addresses[(size_t)i % COUNT_OF(wild_addresses)],
				   wild_addresses[(size_t)(i + 3) % COUNT_OF(wild_addresses)],
				   wild_addresses[(size_t)(i + 7) % COUNT_OF(wild_addresses)]);
		if (pid == 0)
			syscall(SYS_exit, 0L);
	}
	sleep_ms(50);
	while (waitpid(-1, NULL, WNOHANG | __WALL) > 0)
		continue;
}

static const struct attack attacks[] = {
	{"every-call", attack_every_call, 1},
	{"odd-call-numbers", attack_odd_call_numbers, 1},
	{"host-files", attack_host_files, 1},
	{"host-processes", attack_host_processes, 1},
	{"map-over-the-top", attack_map_over_the_top, 0},
	{"unmap-everything", attack_unmap_everything, 0},
	{"protect-everything", attack_protect_everything, 0},
	{"spoil-the-top", attack_spoil_the_top, 0},
	{"jump-to-wild-places", attack_jump_to_wild_places, 0},
	{"calls-into-the-top", attack_calls_into_the_top, 0},
	{"exit-writes", attack_exit_writes, 0},
	{"odd-clones", attack_odd_clones, 0},
	{"fork-without-end", attack_fork_without_end, 0},
	{"fork-a-chain", attack_fork_a_chain, 0},
	{"threads-without-end", attack_threads_without_end, 0},
	{"eat-memory", attack_eat_memory, 0},
	{"eat-memory-by-brk", attack_eat_memory_by_brk, 0},
	{"eat-memory-shared", attack_eat_memory_shared, 0},
	{"eat-page-tables", attack_eat_page_tables, 0},
	{"eat-mappings", attack_eat_mappings, 0},
	{"eat-files", attack_eat_files, 0},
	{"clean-up-files", attack_clean_up_files, 0},
	{"eat-descriptors-and-pipes", attack_eat_descriptors_and_pipes, 0},
	{"eat-signals", attack_eat_signals, 0},
	{"eat-by-exec", attack_eat_by_exec, 0},
	{"eat-stack", attack_eat_stack, 0},
};

int main(int argc, char **argv)
{
	/* A copy that eat-by-exec made. */
	if (argc > 0 && argv[0][0] == 'a')
		return 0;
	return hostile_main(argc, argv, attacks, COUNT_OF(attacks));
}
