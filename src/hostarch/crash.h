/* Reports of crashes and of what goes on: crash.c. Plain C: both worlds include it. */
#ifndef HOSTARCH_CRASH_H
#define HOSTARCH_CRASH_H

/* Everything but the reason and the running stack. */
void crash_report(void);
/* A report of a kernel that is well and goes on. */
void crash_look(const char *why);
/* The reason has been printed: stack, report, core; leaves with status. */
void crash_stop(int status) __attribute__((noreturn));

#endif
