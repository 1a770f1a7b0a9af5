/* Instructions that trap on x86_64, for the contract tests: code, upcall. */
#ifndef CONTRACT_GUEST_H
#define CONTRACT_GUEST_H

extern const char guest_illegal[], guest_breakpoint[], guest_divide[], guest_foreign_call[], guest_privileged[],
	guest_step[];

#define GUEST_EXCEPTIONS                                                                              \
	{guest_illegal, EXC_ILLEGAL}, {guest_breakpoint, EXC_BREAKPOINT}, {guest_divide, EXC_DIVIDE}, \
		{guest_foreign_call, EXC_BAD_SYSCALL}, {guest_privileged, EXC_PROTECTION}, {guest_step, EXC_STEP}

/* Words of struct trap_frame that guest_call leaves alone: all general registers but rax, rcx, r11. */
#define GUEST_KEPT_REGISTERS 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11

#endif
