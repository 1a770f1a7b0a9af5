/* Floating-point state, inside the hosted machine. */
#ifndef HOSTARCH_FPU_H
#define HOSTARCH_FPU_H

struct stub;
struct task;

/* Before t runs in s: its state is in the shared area. */
void fpu_load(struct stub *s, struct task *t);
/* After t's trap. */
void fpu_trapped(struct task *t);

#endif
