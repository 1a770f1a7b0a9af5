/*
 * What the core asks of an architecture's user ABI beside the inline accessors of
 * its user_abi.h (which includes this): signal frames, and making registers that
 * came from the user safe. Implemented by src/arch_<name>/signal.c and cpuinfo.c.
 * All act on the current task; the frame functions may sleep (user copies).
 */
#ifndef ARCH_USER_H
#define ARCH_USER_H

#include "lib/types.h"

struct linux_siginfo;
struct linux_sigaction;
struct task;
struct trap_frame;

struct signal_delivery {
	int sig;
	const struct linux_siginfo *info;
	const struct linux_sigaction *action;
	uint64_t mask;         /* what rt_sigreturn restores */
	uint64_t altstack_top; /* 0: use the user stack */
	uint64_t altstack_sp, altstack_size;
	uint32_t altstack_flags;
	uint64_t fault_addr;
};

/*
 * Builds the signal frame of sigaction(2) below the stack pointer (or at the top of the alternate
 * stack) and points the registers at the handler. 0 or -EFAULT.
 */
int arch_signal_frame_push(struct task *task, struct trap_frame *frame, const struct signal_delivery *d);
/*
 * rt_sigreturn(2): restores registers and floating-point state from the frame at the stack pointer.
 * *mask and the altstack (sp, flags, size) are the caller's to install. 0 or -EFAULT (the task gets SIGSEGV).
 */
int arch_signal_frame_pop(struct task *task, struct trap_frame *frame, uint64_t *mask, uint64_t altstack[3]);

/* Makes user-supplied registers safe to return to: flags, segments, addresses. */
void arch_frame_sanitise(struct trap_frame *frame);

/* /proc/cpuinfo: fills buf with the text for one CPU; returns its length. Does not sleep. */
size_t arch_cpuinfo(char *buf, size_t size_bytes);

#endif
