/*
 * Tasks and processes. A task is a thread: a kernel stack, user registers, a
 * place in the scheduler. A process (thread group) is what its tasks share and
 * what wait4() reaps.
 *
 * Lifetime: both are reference-counted (task_get/task_put, process_get/process_put).
 * Lock: task_lock (spin) guards ids, the process tree, groups and sessions, job
 * control and everything in sched/signal.h. It is taken inside tty->lock and
 * outside the locks of wait queues.
 */
#ifndef SCHED_TASK_H
#define SCHED_TASK_H

#include "arch/machine.h"
#include "lib/list.h"
#include "lib/types.h"
#include "sched/cpu.h"
#include "sched/lock.h"
#include "sched/signal.h"
#include "sched/timer.h"
#include "sched/waitq.h"
#include "user_abi.h" /* of the architecture: struct trap_frame */

struct aspace;
struct fdtable;
struct fs_context;

extern struct spinlock task_lock;
extern struct process *init_process; /* NULL until the scheduler starts */

enum task_state {
	TASK_RUNNABLE, /* running or in the run queue */
	TASK_SLEEPING, /* interruptible (S) */
	TASK_BLOCKED,  /* not interruptible (D) */
	TASK_STOPPED,  /* job control (T) */
	TASK_ZOMBIE,   /* exited, not yet reaped (Z) */
	TASK_DEAD,
};

#define TASK_NAME_MAX 16
#define KERNEL_STACK_BYTES (32 * 1024)
#define PID_MAX 32768

/*
 * A number in use as a tid, a process group or a session: it is free again when
 * it is none of the three. src/sched/id.c.
 */
struct id {
	int nr;
	struct list hash_link;
	struct task *task;             /* NULL: the task is gone */
	struct list pgrp;              /* process.pgrp_link of the group's members */
	struct list session;           /* process.session_link */
};

#define NR_GROUPS_MAX 32
struct cred {
	uint32_t uid, euid, suid, fsuid;
	uint32_t gid, egid, sgid, fsgid;
	uint64_t cap_effective, cap_permitted, cap_inheritable;
	unsigned nr_groups;
	uint32_t groups[NR_GROUPS_MAX]; /* those from nr_groups on are undefined */
};

struct rlimit_pair { uint64_t cur, max; };
#define NR_RLIMITS 16

struct cpu_times { uint64_t user_ns, system_ns; };

/* Interval timers that count CPU time: see src/sched/cputimer.c. */
struct itimer_cpu { uint64_t expires_ns, interval_ns; }; /* expires_ns 0: off */

struct process {
	int pid;                       /* tgid */
	uint32_t refs;
	/* process tree: guarded by task_lock */
	struct process *parent;        /* real parent; never NULL but for init */
	int parent_tid;                /* the parent's thread that made it (__WNOTHREAD) */
	struct list children, sibling;
	struct list tasks;             /* task.process_link; the leader is first while it lives */
	unsigned nr_tasks;             /* not yet exited */
	struct task *leader;           /* stays until the process is reaped */
	int pgid, sid;
	struct id *pgrp, *session;
	struct list pgrp_link, session_link;
	struct tty *tty;               /* controlling terminal or NULL */
	bool has_execed;
	/* exit and job control: task_lock */
	bool is_exiting;               /* exit_group or a fatal signal is under way */
	int exit_status;               /* wait status, once dead or exiting */
	bool is_zombie;
	int stop_pending;              /* signal of a group stop under way or reached, else 0 */
	unsigned nr_stopped;           /* tasks in TASK_STOPPED */
	bool is_stopped, stop_reported, continue_pending; /* job control reporting */
	int stop_signal;
	int exit_signal;               /* sent to the parent, normally SIGCHLD; 0: none */
	struct waitq child_waitq;      /* parents sleep here */
	struct waitq threads_waitq;    /* exec waits here for the other threads to go */
	struct waitq pidfd_waitq;      /* woken when the process becomes a zombie */
	bool is_subreaper;
	struct task *exec_task;        /* execve of one of several threads is under way */
	/* signals: shared pending set */
	struct signal_shared signal;
	/* accounting: of tasks that have exited, and reaped children */
	struct cpu_times times, children_times;
	uint64_t start_time_ns;
	uint64_t nr_minor_faults, nr_major_faults, children_minor_faults, children_major_faults;
	uint64_t nr_voluntary, nr_involuntary, children_voluntary, children_involuntary;
	uint64_t max_rss_pages, children_max_rss_pages;
	/* timers */
	struct ktimer real_timer;      /* ITIMER_REAL, alarm(2) */
	uint64_t real_interval_ns;
	struct itimer_cpu virtual_timer, prof_timer;
	bool has_cpu_timers;           /* one of the two above, or RLIMIT_CPU, is set */
	uint64_t cpu_limit_signal_ns;  /* next SIGXCPU */
	struct list posix_timers;
	int next_timer_id;
	uint32_t personality;
	int oom_score_adj;
	uint64_t oom_waited_ns;        /* when the out-of-memory killer first found it dying, or 0 */
	bool is_dumpable;
	struct rlimit_pair rlimits[NR_RLIMITS]; /* last: process_alloc() copies them */
};

struct task {
	int tid;
	uint32_t refs;
	enum task_state state;
	struct process *process;
	struct list process_link;
	struct id *id;
	/* the machine's */
	struct arch_context context;
	void *kernel_stack;            /* KERNEL_STACK_BYTES */
	struct trap_frame *frame;      /* user registers while in the kernel */
	void *fpu;                     /* arch_fpu_size() bytes */
	uintptr_t machine;             /* the machine's own word */
	/* resources; each shared or private as clone's flags say */
	struct aspace *aspace;         /* NULL: none (boot, exited) */
	struct fdtable *files;
	struct fs_context *fs;         /* cwd, root, umask */
	bool no_new_privs, keep_caps;
	/* signals of this thread: task_lock */
	struct signal_private sig;
	bool must_exit;                /* group exit, or exec of another thread */
	int pdeath_signal;
	int exit_code;                 /* wait status of this thread alone */
	/* clone details */
	uaddr_t clear_child_tid;
	uaddr_t robust_list;
	struct completion *vfork_done; /* the parent's, or NULL */
	/* scheduling: src/sched/sched.c */
	struct list run_link;
	bool is_queued;
	bool is_killable;              /* TASK_BLOCKED, but a fatal signal ends it */
	bool is_hog;                   /* used its last slice up: behind those that did not */
	int nice;
	int policy, priority;          /* sched_setscheduler(2): recorded */
	int64_t slice_left_ns;
	uint64_t slice_start_ns;       /* when it got the CPU */
	uint64_t stopped_running_ns;   /* when it lost it */
	uint64_t timer_slack_ns;
	/* accounting */
	uint64_t account_ns;           /* up to when times is true */
	struct cpu_times times;
	uint64_t start_time_ns;
	uint64_t nr_minor_faults, nr_major_faults;
	uint64_t nr_voluntary, nr_involuntary;
	const char *wait_reason;       /* what it sleeps on: for ps, back traces; NULL: not known */
	char name[TASK_NAME_MAX];
	/* system call under way */
	uint64_t syscall_nr;
	bool in_syscall;
	void *trace;                   /* line of --trace under way (syscall/trace.c) */
	int64_t (*restart_fn)(struct task *task); /* ERESTART_RESTARTBLOCK */
	uint64_t restart_arg[6];
	struct cred cred;              /* last: task_alloc() leaves its groups as they are */
};

static inline struct process *current_process(void) { return current_task()->process; }
static inline struct aspace *current_aspace(void) { return current_task()->aspace; }
static inline bool process_is_init(const struct process *p) { return p->pid == 1; }
/*
 * Is p beyond the reach of other processes' signals, as Linux's init is? Only where the machine boots a system
 * (init= or the usual places); a program that was asked for by name dies as it would anywhere.
 */
bool process_is_protected(const struct process *p);

/* Is there a signal to deliver (not blocked)? Ends interruptible sleeps. */
static inline bool signal_is_pending(const struct task *t)
{
	const struct process *p = t->process;

	return ((t->sig.queue.pending | p->signal.queue.pending) & ~t->sig.blocked) != 0 || t->must_exit ||
	       p->stop_pending != 0;
}

static inline void task_get(struct task *t) { t->refs++; }
void task_put(struct task *t);
static inline void process_get(struct process *p) { p->refs++; }
void process_put(struct process *p);

/* By id; with a reference for the caller, or NULL. Zombies included. */
struct task *task_find(int tid);
struct process *process_find(int pid);
/* Next process with pid > `pid` (start with 0), with a reference, or NULL: for /proc. */
struct process *process_next(int pid);
/* Next task of p with tid > `tid`, with a reference, or NULL. */
struct task *process_next_task(struct process *p, int tid);
/* Processes, zombies included. */
unsigned process_count(void);
/* A task of p that has not exited, or NULL. task_lock. */
struct task *process_live_task_locked(struct process *p);
/* CPU time of p's live and exited tasks. */
struct cpu_times process_times(struct process *p);

/* clone(2), clone3(2), fork(2), vfork(2): all of them. */
struct clone_args_k {
	uint64_t flags;            /* CLONE_*, without the exit signal */
	int exit_signal;
	uaddr_t stack;             /* new stack pointer, 0: the parent's */
	uaddr_t parent_tid, child_tid;
	uint64_t tls;
	int set_tid;               /* the id the child shall have, 0: any */
	uaddr_t pidfd;
};
/* Returns the new tid or a negative errno; the child runs only when everything has succeeded. */
int64_t task_clone(const struct clone_args_k *args);

/* execve(2): strings are user pointers. Returns a negative errno, or 0: the frame is the new program's. */
int64_t task_execve(int dirfd, const char *path, uaddr_t argv, uaddr_t envp, int flags);
/* The first program, called by kernel_main on the init task: kernel strings. */
int task_exec_init(const char *path, const char *const argv[], const char *const envp[]);

NORETURN void task_exit(int code);         /* exit(2): this thread; code is 0..255 */
NORETURN void task_exit_group(int wait_status); /* whole process: wait status as of wait4 */
/*
 * Memory ran out in a page fault of the current task, in user mode or in a copy to or from user memory: kills the
 * largest process, unless one is dying already, and gives up the CPU. The access is tried again, or the current
 * task is the one to go. The caller holds no spinlock; it may hold mutexes.
 */
void oom_kill(uaddr_t fault_addr);

/* wait4(2), waitid(2): src/sched/wait.c. */
struct linux_rusage;
struct wait_request {
	int which;                 /* P_ALL, P_PID, P_PGID */
	int id;
	int options;               /* W*; WEXITED given for wait4 */
	bool is_nonblocking;       /* waitid's own: the pidfd is O_NONBLOCK */
};
struct wait_result {
	int pid;                   /* 0: WNOHANG and nothing yet */
	uint32_t uid;
	int status;                /* wait4's */
	int code, value;           /* CLD_*, exit code or signal */
	struct cpu_times times;
	uint64_t nr_minor_faults, nr_major_faults, nr_voluntary, nr_involuntary, max_rss_pages;
};
/* 0, -ECHILD, or -ERESTARTSYS. May sleep. */
int process_wait(const struct wait_request *request, struct wait_result *result);

/* Is no member's parent in another group of the same session (if `ignored`, or NULL, were not there)? task_lock. */
bool pgrp_is_orphaned_locked(int pgid, const struct process *ignored);

/* Scheduler */
void sched_init(void);
/*
 * From now on the choice of who runs next, and whether the end of a trap is a moment to switch, are a function of the
 * seed: runs repeat, and different seeds try different orders. Before the first task runs.
 */
void sched_set_seed(uint64_t seed);
void schedule(void);                       /* gives up the CPU; returns when run again */
void sched_wake(struct task *t);           /* makes it runnable */
void sched_yield_cpu(void);
NORETURN void sched_idle_loop(void);
/* All that may be to be done before user mode: timers, reschedule, signals. See sched/upcall.h for when. */
void task_return_to_user(struct trap_frame *frame);
/* Brings the current task's times up to date. */
void sched_account_now(void);

/* The number of runnable tasks and load averages (x 65536) for /proc/loadavg. */
void sched_get_load(uint32_t load[3], unsigned *nr_running, unsigned *nr_tasks, int *last_pid);
void sched_get_times(uint64_t *user_ns, uint64_t *system_ns, uint64_t *idle_ns, uint64_t *nr_switches);

/* The boot_info kernel_main() was given. */
const struct boot_info *boot_info_get(void);

#endif
