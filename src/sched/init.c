/*
 * kernel_main: sets the parts of the kernel up in order, starts the first task, and becomes
 * the idle task. The first task finishes the boot (file systems need a task that can
 * sleep) and turns into the first program, pid 1.
 */
#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/sched.h"
#include "fs/fdtable.h"
#include "fs/tty.h"
#include "fs/vfs.h"
#include "lib/assert.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "sched/cmdline.h"
#include "sched/futex.h"
#include "sched/internal.h"
#include "sched/uts.h"

static const struct boot_info *boot_info;

struct linux_utsname kernel_uts = {
	.sysname = "Linux",
	.nodename = "levitate",
	.release = "6.1.0-levitate",
	.version = "#1 Levitate",
	.machine = ABI_NAME,
	.domainname = "(none)",
};

const struct boot_info *boot_info_get(void) { return boot_info; }

bool process_is_protected(const struct process *p)
{
	return process_is_init(p) && (boot_info == NULL || boot_info->init_path == NULL);
}

/* ---- the first program --------------------------------------------------- */

static const char *path_variable(const char *const envp[])
{
	for (; envp != NULL && *envp != NULL; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			return *envp + 5;
	return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
}

/* Looks name up as execvp(3) does. Returns a negative errno, or 0: running it from now on. */
static int exec_in_path(const char *name, const char *const argv[], const char *const envp[])
{
	const char *dir = path_variable(envp);
	char *candidate = kmalloc(PATH_MAX_BYTES);
	int r = -ENOENT;

	if (candidate == NULL)
		return -ENOMEM;
	while (dir != NULL) {
		const char *colon = strchr(dir, ':');
		size_t n = colon != NULL ? (size_t)(colon - dir) : strlen(dir);
		int tried = -ENAMETOOLONG;

		if (n + strlen(name) + 2 <= PATH_MAX_BYTES) {
			ksnprintf(candidate, PATH_MAX_BYTES, "%.*s/%s", (int)n, dir, name);
			tried = task_exec_init(n != 0 ? candidate : name, argv, envp);
		}
		if (tried == -EACCES) {
			r = tried; /* unless a later directory has it */
		} else if (tried != -ENOENT && tried != -ENOTDIR) {
			r = tried;
			break;
		}
		dir = colon != NULL ? colon + 1 : NULL;
	}
	kfree(candidate);
	return r;
}

static void run_given_program(void)
{
	const char *path = boot_info->init_path;
	int r;

	if (strchr(path, '/') != NULL)
		r = task_exec_init(path, boot_info->init_argv, boot_info->init_envp);
	else
		r = exec_in_path(path, boot_info->init_argv, boot_info->init_envp);
	if (r != 0)
		arch_init_failed(-r, path);
}

static bool has_variable(const struct cmdline *cmdline, const char *assignment)
{
	const size_t length = (size_t)(strchr(assignment, '=') - assignment) + 1;

	for (unsigned i = 0; i < cmdline->nr_envs; i++)
		if (strncmp(cmdline->envs[i], assignment, length) == 0)
			return true;
	return false;
}

static int run_init_at(const char *path, const struct cmdline *cmdline)
{
	static const char *const usual[] = {"HOME=/", "TERM=linux"};
	const char *argv[CMDLINE_ARGS_MAX + 2] = {path};
	const char *envp[CMDLINE_ENVS_MAX + ARRAY_SIZE(usual) + 1] = {NULL};
	unsigned nr = 0;

	memcpy(&argv[1], cmdline->args, cmdline->nr_args * sizeof(argv[0]));
	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		if (!has_variable(cmdline, usual[i]))
			envp[nr++] = usual[i];
	memcpy(&envp[nr], cmdline->envs, cmdline->nr_envs * sizeof(envp[0]));
	return task_exec_init(path, argv, envp);
}

/* As Linux: init= or nothing; without it the usual places. */
static void run_program_of_cmdline(void)
{
	static const char *const usual[] = {"/init", "/sbin/init", "/etc/init", "/bin/init", "/bin/sh"};
	const char *text = boot_info->cmdline != NULL ? boot_info->cmdline : "";
	struct cmdline cmdline;
	int r = cmdline_parse(text, &cmdline);

	if (r != 0)
		arch_init_failed(-r, "init");
	if (cmdline.init != NULL) {
		r = run_init_at(cmdline.init, &cmdline);
		if (r != 0)
			arch_init_failed(-r, cmdline.init);
	} else {
		r = -ENOENT;
		for (size_t i = 0; i < ARRAY_SIZE(usual) && r == -ENOENT; i++)
			r = run_init_at(usual[i], &cmdline);
		if (r != 0)
			arch_init_failed(-r, "/init");
	}
	cmdline_release(&cmdline);
}

/* ---- the first task ------------------------------------------------------ */

static bool is_console(const struct file *f)
{
	return f->inode != NULL && S_ISCHR(f->inode->mode) && f->inode->rdev == dev_make(5, 1);
}

/* *has_console: a terminal is among them, so that there is somebody to control the session. */
static int open_stdio(bool *has_console)
{
	struct file *files[3];
	int r = arch_open_stdio(files);

	*has_console = false;
	for (int i = 0; r == 0 && i < 3; i++) {
		int fd;

		*has_console |= is_console(files[i]);
		fd = fd_install(files[i], 0, false);

		if (fd != i)
			r = fd < 0 ? fd : -EMFILE;
	}
	return r;
}

static int set_working_directory(struct fs_context *fs)
{
	struct path cwd;
	int r;

	if (boot_info->init_cwd == NULL)
		return 0;
	r = path_lookup(AT_FDCWD, boot_info->init_cwd, LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &cwd);
	if (r != 0)
		return r;
	path_put(&fs->cwd);
	fs->cwd = cwd;
	return 0;
}

static void init_main(void *arg)
{
	struct task *me = arg;
	bool has_console;
	int r;

	sched_finish_switch();
	vfs_init(boot_info);
	r = fs_context_create(&me->fs);
	if (r == 0)
		r = fdtable_create(&me->files);
	if (r == 0)
		r = open_stdio(&has_console);
	if (r != 0)
		arch_boot_failed(-r, "the first process");
	if (has_console)
		tty_set_console_session(me->process);
	r = set_working_directory(me->fs);
	if (r != 0)
		arch_boot_failed(-r, boot_info->init_cwd);
	if (boot_info->fail_alloc != 0)
		fail_alloc_arm(boot_info->fail_alloc, boot_info->fail_alloc_is_persistent);
	if (boot_info->init_path != NULL)
		run_given_program();
	else
		run_program_of_cmdline();
	task_return_to_user(me->frame);
	arch_user_enter();
}

static void set_init_cred(struct cred *c)
{
	c->uid = c->euid = c->suid = c->fsuid = boot_info->uid;
	c->gid = c->egid = c->sgid = c->fsgid = boot_info->gid;
	c->cap_effective = c->cap_permitted = boot_info->uid == 0 ? LINUX_CAP_FULL : 0;
}

static void create_init_task(void)
{
	struct process *p;
	struct task *t;
	int r = process_alloc(NULL, &p);

	if (r == 0)
		r = task_alloc(1, init_main, &t);
	if (r == 0)
		r = sighand_create(&t->sig.hand);
	if (r != 0)
		arch_boot_failed(-r, "the first task");
	str_copy(t->name, "init", sizeof(t->name));
	set_init_cred(&t->cred);
	spin_lock(&task_lock);
	process_link_locked(p, t, NULL);
	process_set_session_locked(p, t->id);
	process_set_pgrp_locked(p, t->id);
	init_process = p;
	spin_unlock(&task_lock);
	sched_start(t);
}

NORETURN void kernel_main(const struct boot_info *boot)
{
	boot_info = boot;
	frame_init(boot);
	kmalloc_init();
	sched_init();
	realtime_set_offset(boot->realtime_ns);
	futex_init();
	aspace_init();
	create_init_task();
	sched_idle_loop();
}
