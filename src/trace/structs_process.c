/* Structures of processes and signals: see structs.c. */
#include "abi/resource.h"
#include "abi/sched.h"
#include "abi/wait.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "structs.h"

/* ---- processes ------------------------------------------------------------ */

static void add_clone_flags(struct line *line, uint64_t flags, uint64_t exit_signal)
{
	if (flags != 0 || exit_signal == 0)
		add_flags(line, flags, clone_flag_names);
	if (exit_signal != 0) {
		add(line, flags != 0 ? "|" : "");
		add_signal(line, exit_signal);
	}
}

/* The whole of clone(2), whose arguments strace names and orders anew. */
SHOW(show_clone)
{
	const uint64_t *args = a->args;
	uint64_t child_tid = args[ABI_CLONE_ARG_CHILD_TID];
	int32_t tid;

	add(a->line, args[1] != 0 ? "child_stack=%#llx, flags=" : "child_stack=NULL, flags=", (ull)args[1]);
	add_clone_flags(a->line, value & ~(uint64_t)CSIGNAL, value & CSIGNAL);
	if ((value & (CLONE_PARENT_SETTID | CLONE_PIDFD)) != 0) {
		add(a->line, ", parent_tid=");
		if (a->result > 0 && copy_from_user(&tid, uaddr(args[2]), sizeof(tid)) == 0)
			add(a->line, "[%d]", tid);
		else
			add_pointer(a->line, args[2]);
	}
	if ((value & CLONE_SETTLS) != 0)
		add(a->line, ", tls=%#llx", (ull)args[ABI_CLONE_ARG_TLS]);
	if ((value & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)) != 0) {
		add(a->line, ", child_tidptr=");
		add_pointer(a->line, child_tid);
	}
}

SHOW(show_clone_args)
{
	struct linux_clone_args c = {0};

	if (!fetch(a, value, &c, MIN(a->args[1], sizeof(c))))
		return;
	add(a->line, "{flags=");
	add_flags(a->line, c.flags, clone_flag_names);
	if ((c.flags & (CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID)) != 0)
		add(a->line, ", child_tid=%#llx", (ull)c.child_tid);
	if ((c.flags & CLONE_PARENT_SETTID) != 0)
		add(a->line, ", parent_tid=%#llx", (ull)c.parent_tid);
	add(a->line, ", exit_signal=");
	add_signal(a->line, c.exit_signal);
	add(a->line, ", stack=");
	add_pointer(a->line, c.stack);
	add(a->line, c.stack_size != 0 ? ", stack_size=%#llx" : ", stack_size=%llu", (ull)c.stack_size);
	if ((c.flags & CLONE_SETTLS) != 0)
		add(a->line, ", tls=%#llx", (ull)c.tls);
	add(a->line, "}");
}

SHOW(show_wait_status)
{
	int32_t status;

	/* Nothing was waited for: nothing was written. */
	if (a->result <= 0 || value == 0 || copy_from_user(&status, uaddr(value), sizeof(status)) != 0) {
		add_pointer(a->line, value);
		return;
	}
	add(a->line, "[{");
	if (status == WAIT_STATUS_CONTINUED)
		add(a->line, "WIFCONTINUED(s)");
	else if ((status & 0xff) == 0x7f) {
		add(a->line, "WIFSTOPPED(s) && WSTOPSIG(s) == ");
		add_signal(a->line, (uint64_t)(status >> 8 & 0xff));
	} else if ((status & 0x7f) == 0)
		add(a->line, "WIFEXITED(s) && WEXITSTATUS(s) == %d", status >> 8 & 0xff);
	else {
		add(a->line, "WIFSIGNALED(s) && WTERMSIG(s) == ");
		add_signal(a->line, (uint64_t)(status & 0x7f));
		add(a->line, (status & 0x80) != 0 ? " && WCOREDUMP(s)" : "");
	}
	add(a->line, "}]");
}

SHOW(show_rusage)
{
	struct linux_rusage r;

	if (!fetch(a, value, &r, sizeof(r)))
		return;
	add(a->line, "{ru_utime=");
	add_timeval(a->line, &r.utime);
	add(a->line, ", ru_stime=");
	add_timeval(a->line, &r.stime);
	add(a->line, ", ...}");
}

static void add_limit(struct line *line, uint64_t limit)
{
	if (limit == RLIM_INFINITY)
		add(line, "RLIM64_INFINITY");
	else if (limit > 1024 && limit % 1024 == 0)
		add(line, "%llu*1024", (ull)(limit / 1024));
	else
		add(line, "%llu", (ull)limit);
}

SHOW(show_rlimit)
{
	struct linux_rlimit r;

	if (!fetch(a, value, &r, sizeof(r)))
		return;
	add(a->line, "{rlim_cur=");
	add_limit(a->line, r.cur);
	add(a->line, ", rlim_max=");
	add_limit(a->line, r.max);
	add(a->line, "}");
}

SHOW(show_utsname)
{
	struct linux_utsname *u = kmalloc(sizeof(*u));

	if (u == NULL) {
		add_pointer(a->line, value);
		return;
	}
	if (fetch(a, value, u, sizeof(*u)))
		add(a->line, "{sysname=\"%s\", nodename=\"%s\", ...}", u->sysname, u->nodename);
	kfree(u);
}

SHOW(show_affinity)
{
	uint64_t mask;
	const char *separator = "";

	if (a->args[1] < sizeof(mask)) {
		add_pointer(a->line, value);
		return;
	}
	if (!fetch(a, value, &mask, sizeof(mask)))
		return;
	add(a->line, "[");
	for (unsigned i = 0; i < 64; i++) {
		if ((mask >> i & 1) == 0)
			continue;
		add(a->line, "%s%u", separator, i);
		separator = " ";
	}
	add(a->line, "]");
}

/* ---- signals -------------------------------------------------------------- */

SHOW(show_signal_set)
{
	uint64_t set;

	if (fetch(a, value, &set, sizeof(set)))
		add_signal_set(a->line, set);
}

/* rt_sigreturn(2) has no argument: what it restores is in the frame, and in force when it has ended. */
SHOW(show_restored_mask)
{
	(void)value;
	add(a->line, "{mask=");
	add_signal_set(a->line, current_task()->sig.blocked);
	add(a->line, "}");
}

SHOW(show_sigaction)
{
	static const struct flag_name flags[] = {
		FLAG(SA_RESTORER), FLAG(SA_ONSTACK), FLAG(SA_RESTART), FLAG(SA_NODEFER), FLAG(SA_RESETHAND),
		FLAG(SA_NOCLDSTOP), FLAG(SA_NOCLDWAIT), FLAG(SA_SIGINFO), END,
	};
	struct linux_sigaction s;

	if (!fetch(a, value, &s, sizeof(s)))
		return;
	add(a->line, (s.flags & SA_SIGINFO) != 0 ? "{sa_sigaction=" : "{sa_handler=");
	if (s.handler <= 1)
		add(a->line, s.handler == 0 ? "SIG_DFL" : "SIG_IGN");
	else
		add(a->line, "%#llx", (ull)s.handler);
	add(a->line, ", sa_mask=");
	add_signal_set(a->line, s.mask);
	add(a->line, ", sa_flags=");
	add_flags(a->line, s.flags, flags);
	if ((s.flags & SA_RESTORER) != 0)
		add(a->line, ", sa_restorer=%#llx", (ull)s.restorer);
	add(a->line, "}");
}

SHOW(show_sigaltstack)
{
	struct linux_stack s;

	if (!fetch(a, value, &s, sizeof(s)))
		return;
	add(a->line, "{ss_sp=");
	add_pointer(a->line, s.sp);
	add(a->line, ", ss_flags=%s, ss_size=%llu}",
	    s.flags == 0 ? "0" : (s.flags & SS_DISABLE) != 0 ? "SS_DISABLE" : "SS_ONSTACK", (ull)s.size);
}

/* ---- the words ------------------------------------------------------------ */

const struct arg_kind process_kinds[] = {
	OUTPUT("clone", show_clone), INPUT("clone_args", show_clone_args), OUTPUT("status", show_wait_status),
	OUTPUT("rusage", show_rusage), INPUT("rlimit", show_rlimit), OUTPUT("rlimit_out", show_rlimit),
	OUTPUT("utsname", show_utsname), OUTPUT("affinity", show_affinity), INPUT("sigset", show_signal_set),
	OUTPUT("sigset_out", show_signal_set), INPUT("sigaction", show_sigaction),
	OUTPUT("sigaction_out", show_sigaction), INPUT("sigstack", show_sigaltstack),
	OUTPUT("sigstack_out", show_sigaltstack), OUTPUT("restored", show_restored_mask), LAST_KIND,
};
