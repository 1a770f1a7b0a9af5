/* Instructions that trap on aarch64, for the contract tests: code, upcall. */
#ifndef CONTRACT_GUEST_H
#define CONTRACT_GUEST_H

extern const char guest_illegal[], guest_breakpoint[];

#define GUEST_EXCEPTIONS {guest_illegal, EXC_ILLEGAL}, {guest_breakpoint, EXC_BREAKPOINT}

#endif
