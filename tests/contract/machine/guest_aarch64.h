/* Instructions that trap on aarch64, for the contract tests: code, upcall. */
#ifndef CONTRACT_GUEST_H
#define CONTRACT_GUEST_H

extern const char guest_illegal[], guest_breakpoint[];

#define GUEST_EXCEPTIONS {guest_illegal, EXC_ILLEGAL}, {guest_breakpoint, EXC_BREAKPOINT}

/* Words of struct trap_frame that guest_call leaves alone: x0 to x30 but x8. */
#define GUEST_KEPT_REGISTERS                                                                                 \
	0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, \
		29, 30

#endif
