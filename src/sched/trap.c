/*
 * The upcalls from user mode other than system calls: page faults, exceptions,
 * interrupts. A fault that cannot be resolved becomes the current task's signal.
 */
#include "abi/errno.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "sched/internal.h"
#include "sched/upcall.h"
#include "trace/report.h"
#include "trace/trace.h"

static void force_fault_signal(int sig, int code, uaddr_t addr)
{
	struct linux_siginfo info;

	memset(&info, 0, sizeof(info));
	info.signo = sig;
	info.code = code;
	info.fault.addr = addr.raw;
	signal_force(sig, &info);
}

void trap_page_fault(struct trap_frame *frame, uaddr_t addr, unsigned access)
{
	struct task *me = current_task();
	uint64_t nr_major = me->aspace->nr_major_faults;
	uint64_t start_ns = trace_faults_on ? arch_time_ns() : 0;
	struct history_event *event;
	int r;

	upcall_enter();
	frame_forget_syscall(frame);
	event = history_begin(me, HISTORY_FAULT, addr.raw, access, 0);
	r = aspace_fault(me->aspace, addr, access);
	history_end(event, me, r);
	if (trace_faults_on)
		trace_fault(me, addr.raw, access, r, start_ns);
	switch (r) {
	case 0:
		if (me->aspace->nr_major_faults != nr_major)
			me->nr_major_faults++;
		else
			me->nr_minor_faults++;
		break;
	case -ENOMEM: oom_kill(addr); break;
	case -EACCES: force_fault_signal(SIGSEGV, SEGV_ACCERR, addr); break;
	case -EIO: force_fault_signal(SIGBUS, BUS_ADRERR, addr); break;
	default: force_fault_signal(SIGSEGV, SEGV_MAPERR, addr); break;
	}
	upcall_leave(frame);
}

void trap_exception(struct trap_frame *frame, enum trap_exception what, uaddr_t addr)
{
	static const struct {
		int sig, code;
	} signals[] = {
		[EXC_ILLEGAL] = {SIGILL, ABI_ILLEGAL_CODE},    [EXC_DIVIDE] = {SIGFPE, FPE_INTDIV},
		[EXC_FLOAT] = {SIGFPE, FPE_FLTINV},	     [EXC_BREAKPOINT] = {SIGTRAP, ABI_BREAKPOINT_CODE},
		[EXC_STEP] = {SIGTRAP, TRAP_TRACE},	     [EXC_ALIGNMENT] = {SIGBUS, BUS_ADRALN},
		[EXC_PROTECTION] = {SIGSEGV, SI_KERNEL},     [EXC_BAD_SYSCALL] = {SIGSYS, SYS_SECCOMP},
		[EXC_MACHINE] = {SIGKILL, SI_KERNEL},	     [EXC_FLOAT_DIVIDE] = {SIGFPE, FPE_FLTDIV},
		[EXC_FLOAT_OVERFLOW] = {SIGFPE, FPE_FLTOVF}, [EXC_FLOAT_UNDERFLOW] = {SIGFPE, FPE_FLTUND},
		[EXC_FLOAT_INEXACT] = {SIGFPE, FPE_FLTRES},  [EXC_STACK] = {SIGBUS, SI_KERNEL},
	};

	ASSERT((size_t)what < ARRAY_SIZE(signals));
	upcall_enter();
	frame_forget_syscall(frame);
	force_fault_signal(signals[what].sig, signals[what].code, what == EXC_PROTECTION ? uaddr(0) : addr);
	task_return_to_user(frame);
}

void trap_interrupt(struct trap_frame *frame, unsigned what)
{
	if (frame != NULL) {
		upcall_enter();
		frame_forget_syscall(frame);
	}
	if ((what & IRQ_TIMER) != 0)
		sched_timer_fired();
	ktimer_run(arch_time_ns());
	if (frame == NULL)
		return;
	sched_check_preempt();
	task_return_to_user(frame);
}
