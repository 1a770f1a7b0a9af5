/*
 * The kernel up to its file systems on the fake machine, for tests of src/fs: the test
 * runs as process 1; fake_spawn() makes more tasks that run a C function and sleep, wake and exit
 * for real. Include it once, from the test's only file.
 */
#ifndef FAKE_KERNEL_H
#define FAKE_KERNEL_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "abi/mman.h"
#include "fake_machine.h"
#include "fs/fdtable.h"
#include "fs/vfs.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "sched/internal.h"

/* User memory of process 1: FAKE_USER_BYTES at FAKE_USER. */
#define FAKE_USER UINT64_C(0x10000000)
#define FAKE_USER_BYTES UINT64_C(0x100000)

static struct boot_info fake_boot = {.cmdline = "console=fake"};

static void fake_interrupt(struct trap_frame *frame, unsigned what)
{
	trap_interrupt(frame, what);
}

static void fake_never(void *arg)
{
	abort();
}

/* A task of a new process (parent: 1), not yet running, with descriptors and directories of its own. */
static struct task *fake_task(int want_tid, void (*fn)(void *task), struct process *parent)
{
	struct process *p;
	struct task *t;

	assert_int_equal(process_alloc(NULL, &p), 0);
	assert_int_equal(task_alloc(want_tid, fn, &t), 0);
	assert_int_equal(sighand_create(&t->sig.hand), 0);
	str_copy(t->name, "test", sizeof(t->name));
	t->cred.cap_effective = t->cred.cap_permitted = ~UINT64_C(0);
	spin_lock(&task_lock);
	process_link_locked(p, t, parent);
	process_set_session_locked(p, parent != NULL ? parent->session : t->id);
	process_set_pgrp_locked(p, parent != NULL ? parent->pgrp : t->id);
	spin_unlock(&task_lock);
	return t;
}

/* Of the current task's process; no flags, no mask. */
static void fake_set_handler(int sig, uint64_t handler)
{
	sighand_set_action(current_task()->sig.hand, sig, &(struct linux_sigaction){.handler = handler});
}

/* Boots; the caller's stack becomes process 1. Once in a program. */
static void fake_kernel_boot(void)
{
	struct mmap_args args = {.addr = FAKE_USER, .length_bytes = FAKE_USER_BYTES, .prot = PROT_READ | PROT_WRITE,
				 .flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED};
	struct task *t;

	fake_machine_reset();
	fake.interrupt = fake_interrupt;
	fake_machine_boot(64 << 20);
	sched_init();
	aspace_init();
	aspace_set_pt_ops(&pt_ops_x86_64);
	t = fake_task(1, fake_never, NULL);
	init_process = t->process;
	t->state = TASK_RUNNABLE;
	arch_cpu()->current = t;
	assert_int_equal(aspace_create(NULL, &t->aspace), 0);
	assert_int_equal(aspace_mmap(t->aspace, &args), FAKE_USER);
	vfs_init(&fake_boot);
	assert_int_equal(fs_context_create(&t->fs), 0);
	assert_int_equal(fdtable_create(&t->files), 0);
}

/* The end of the tests: the audit of all they left, and what the host's heap holds for process 1. */
static int fake_kernel_end(void **state)
{
	arch_context_destroy(&current_task()->context);
	return mm_audit() != 0;
}

struct fake_start {
	void (*fn)(void *arg);
	void *arg;
};

static void fake_task_main(void *arg)
{
	struct task *t = arg;
	struct fake_start *start = (void *)(uintptr_t)t->restart_arg[0];

	sched_finish_switch();
	start->fn(start->arg);
	kfree(start);
	task_exit_group(0);
}

/*
 * A child process of process 1 that runs fn(arg) when the test sleeps, sharing its descriptors. Its
 * address space is process 1's too. It ends when fn returns; reap it with fake_reap().
 */
static struct task *fake_spawn(void (*fn)(void *arg), void *arg)
{
	struct task *me = current_task(), *t = fake_task(0, fake_task_main, me->process);
	struct fake_start *start = kmalloc(sizeof(*start));

	assert_non_null(start);
	*start = (struct fake_start){fn, arg};
	t->restart_arg[0] = (uintptr_t)start;
	aspace_get(me->aspace);
	t->aspace = me->aspace;
	fdtable_get(me->files);
	t->files = me->files;
	fs_context_get(me->fs);
	t->fs = me->fs;
	t->process->tty = me->process->tty;
	sched_start(t);
	return t;
}

/* Waits for one child to end; returns its pid or a negative errno. */
static int fake_reap(void)
{
	const struct wait_request request = {.which = 0 /* P_ALL */, .options = 4 /* WEXITED */};
	struct wait_result result;
	int err = process_wait(&request, &result);

	return err != 0 ? err : result.pid;
}

static void fake_user_put(uint64_t offset, const void *data, size_t n)
{
	assert_int_equal(copy_to_user(uaddr(FAKE_USER + offset), data, n), 0);
}

static void fake_user_get(uint64_t offset, void *data, size_t n)
{
	assert_int_equal(copy_from_user(data, uaddr(FAKE_USER + offset), n), 0);
}

/* read(2) and write(2) with kernel buffers. */
static int64_t fake_read(struct file *f, void *buf, size_t n)
{
	struct linux_iovec iov;
	struct uio uio;

	uio_kernel(&uio, &iov, buf, n);
	return vfs_read(f, &uio, &f->pos);
}

static int64_t fake_write(struct file *f, const void *buf, size_t n)
{
	struct linux_iovec iov;
	struct uio uio;

	uio_kernel(&uio, &iov, (void *)(uintptr_t)buf, n);
	return vfs_write(f, &uio, &f->pos);
}

static struct file *fake_open(const char *name, unsigned flags)
{
	struct file *f = NULL;

	assert_int_equal(vfs_openat(AT_FDCWD, name, flags, 0, &f), 0);
	return f;
}

/* Functions a test does not use are no mistake. */
static void fake_kernel_uses(void) __attribute__((unused));
static void fake_kernel_uses(void)
{
	(void)fake_spawn, (void)fake_reap, (void)fake_user_put, (void)fake_user_get;
	(void)fake_read, (void)fake_write, (void)fake_open, (void)fake_set_handler;
}

#endif
