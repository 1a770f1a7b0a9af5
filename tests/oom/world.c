/*
 * The world an operation runs in (oom.h): process 1 with its memory, and a forked peer that shares all
 * of it; system calls, accesses and children as user mode would make them.
 */
/* Not <stdlib.h>: its W* constants are ours too. */
void abort(void) __attribute__((noreturn));

#include "fake_kernel.h"
#include "oom_world.h"

#include "abi/sched.h"
#include "abi/wait.h"
#include "sched/futex.h"

static int64_t peer;

/* ---- system calls --------------------------------------------------------- */

static void set_args(struct trap_frame *f, unsigned nr, const uint64_t a[6])
{
#ifdef __x86_64__
	f->rdi = a[0], f->rsi = a[1], f->rdx = a[2], f->r10 = a[3], f->r8 = a[4], f->r9 = a[5];
#else
	memcpy(f->x, a, 6 * sizeof(a[0]));
	f->orig_x0 = a[0];
#endif
	frame_set_syscall(f, nr);
}

int64_t oom_call(unsigned nr, const uint64_t args[6])
{
	struct trap_frame *f = current_task()->frame;
	int64_t result;

	set_args(f, nr, args);
	trap_syscall(f);
	result = frame_result(f);
	frame_forget_syscall(f);
	return result;
}

int64_t oom_must(const char *name, int64_t result)
{
	if (result < 0)
		print_error("%s: %lld\n", name, (long long)result);
	assert_true(result >= 0);
	return result;
}

void oom_put(uint64_t addr, const void *data, size_t n)
{
	assert_int_equal(copy_to_user(uaddr(addr), data, n), 0);
}

void oom_get(uint64_t addr, void *data, size_t n) { assert_int_equal(copy_from_user(data, uaddr(addr), n), 0); }

uint64_t oom_string(unsigned slot, const char *s)
{
	uint64_t addr = U(0x8000 + slot * 0x1000);

	oom_put(addr, s, strlen(s) + 1);
	return addr;
}

static int64_t make_present(uint64_t addr, unsigned access, pfn_t *pfn)
{
	prot_t prot;

	while (!aspace_walk(current_aspace(), uaddr(addr), access, pfn, &prot)) {
		int err = aspace_fault(current_aspace(), uaddr(addr), access);

		if (err != 0)
			return err;
	}
	return 0;
}

int64_t oom_touch(uint64_t addr, unsigned access)
{
	pfn_t pfn;
	int64_t err = make_present(addr, access, &pfn);

	if (err == 0 && (access & TRAP_WRITE))
		*(uint64_t *)pfn_to_ptr(pfn) = addr;
	return err;
}

/* ---- children ------------------------------------------------------------- */

/* User mode of this machine: the program counter is a C function that plays the program. */
void arch_user_enter(void)
{
	((void (*)(void))(uintptr_t)frame_pc(current_task()->frame))();
	task_exit(0);
}

void oom_program(void (*fn)(void)) { frame_init_user(current_task()->frame, (uintptr_t)fn, P(1403)); }

int oom_reap(int64_t pid)
{
	const struct wait_request request = {.which = pid != 0 ? P_PID : P_ALL, .id = (int)pid, .options = WEXITED};
	struct wait_result result;

	assert_int_equal(process_wait(&request, &result), 0);
	return result.status;
}

void oom_close(int64_t fd) { assert_int_equal(fd_close((int)fd), 0); }

void oom_reap_child(int64_t pid) { oom_reap(pid); }

static void sleep_for_ever(void)
{
	for (;;) {
		current_task()->state = TASK_SLEEPING;
		schedule();
		task_return_to_user(current_task()->frame);
	}
}

/* ---- the world ------------------------------------------------------------ */

/* Process 1 gets an empty address space and no descriptors; what it had goes. */
static void renew_process(void)
{
	struct task *me = current_task();
	struct aspace *as, *old = me->aspace;
	struct fdtable *files, *old_files = me->files;

	assert_int_equal(aspace_create(NULL, &as), 0);
	assert_int_equal(fdtable_create(&files), 0);
	as->brk_start = as->brk = OOM_BRK;
	me->aspace = as;
	sched_switch_aspace(as);
	aspace_put(old);
	me->files = files;
	fdtable_put(old_files);
}

static void map(unsigned page, unsigned nr, uint32_t prot, uint32_t flags, int64_t fd)
{
	assert_int_equal(MUST(mmap, P(page), PAGES(nr), prot, flags | MAP_FIXED, (uint64_t)fd, 0), P(page));
}

static void touch(unsigned page, unsigned nr, unsigned access)
{
	for (unsigned i = 0; i < nr; i++)
		assert_int_equal(oom_touch(P(page + i), access), 0);
}


void oom_touch_args(void)
{
	pfn_t pfn;

	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(make_present(U(PAGES(i)), TRAP_WRITE, &pfn), 0);
}

static void world_fill(void)
{
	const uint32_t private_anon = MAP_PRIVATE | MAP_ANONYMOUS;
	int64_t fd;

	MUST(mmap, OOM_ARGS, FAKE_USER_BYTES, RW, private_anon | MAP_FIXED, 0, 0);
	oom_touch_args();
	map(0, 900, RW, private_anon, 0);
	touch(0, 900, TRAP_WRITE);
	map(950, 50, PROT_READ, private_anon, 0);
	touch(950, 20, TRAP_READ);
	fd = MUST(openat, (uint64_t)AT_FDCWD, S(0, "/tmp/data"), O_RDWR);
	map(1000, 40, RW, MAP_PRIVATE, fd);
	touch(1001, 1, TRAP_WRITE);
	map(1050, 8, RW, MAP_SHARED, fd);
	touch(1051, 1, TRAP_WRITE);
	oom_close(fd);
	map(1060, 8, RW, MAP_SHARED | MAP_ANONYMOUS, 0);
	touch(1061, 1, TRAP_WRITE);
	map(1100, 10, RW, private_anon, 0);
	map(1400, 4, RW, private_anon | MAP_GROWSDOWN, 0);
	touch(1403, 1, TRAP_WRITE);
}

static void end_peer(void)
{
	MUST(kill, (uint64_t)peer, SIGKILL);
	assert_int_equal(oom_reap(peer), SIGKILL);
}

static void fork_peer(void)
{
	oom_program(sleep_for_ever);
	peer = CALL(clone, SIGCHLD);
	assert_true(peer > 0);
	sched_yield_cpu();
	oom_touch_args();
}

void oom_share_with_new_peer(void)
{
	end_peer();
	fork_peer();
}

/* What operations may leave in /tmp. */
static void remove_leftovers(void)
{
	static const char *const names[] = {"/tmp/new",	   "/tmp/moved",   "/tmp/content", "/tmp/mapped", "/tmp/chain1",
					    "/tmp/chain2", "/tmp/program", "/tmp/script",  "/tmp/socket"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		(void)CALL(unlinkat, (uint64_t)AT_FDCWD, S(0, names[i]), 0);
	(void)CALL(umount2, S(0, "/tmp/mnt"), 0);
	(void)CALL(unlinkat, (uint64_t)AT_FDCWD, S(0, "/tmp/mnt"), AT_REMOVEDIR);
}

void world_open(const struct pt_ops *codec, enum fork_mode mode)
{
	aspace_set_pt_ops(codec);
	aspace_set_fork_mode(mode);
	renew_process();
	world_fill();
	fork_peer();
}

void world_close(void)
{
	end_peer();
	remove_leftovers();
	renew_process();
}

struct task *oom_peer(void) { return task_find((int)peer); }

/* ---- boot ----------------------------------------------------------------- */

int oom_boot(void **state)
{
	static const char page[PAGE_SIZE] = "data";
	struct file *f;

	(void)state;
	fake_kernel_boot();
	futex_init();
	assert_int_equal(vfs_openat(AT_FDCWD, "/tmp/data", O_CREAT | O_RDWR, 0644, &f), 0);
	for (unsigned i = 0; i < 40; i++)
		assert_int_equal(fake_write(f, page, sizeof(page)), sizeof(page));
	file_put(f);
	return mm_audit() != 0;
}

int oom_end(void **state) { return fake_kernel_end(state); }
