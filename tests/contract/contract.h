/*
 * The contract suite: what every machine must do, told by a stand-in for the
 * core's kernel_main() and its upcalls. Linked with the machine and the real core
 * (--wrap for kernel_main and trap_*), booted as the kernel is.
 */
#ifndef CONTRACT_H
#define CONTRACT_H

#include "arch/machine.h"
#include "mm/aspace.h"
#include "sched/task.h"

/* One trap, as an upcall reported it. */
struct event {
	enum { EVENT_NONE, EVENT_SYSCALL, EVENT_FAULT, EVENT_EXCEPTION, EVENT_INTERRUPT } kind;
	uaddr_t addr;
	unsigned access;        /* fault */
	unsigned what;          /* exception, interrupt */
};

/* Entry points of user_<arch>.S, in the order of user_code_symbols. */
enum user_entry { USER_LOAD, USER_STORE, USER_CALL, USER_PLAIN, USER_SPIN, USER_ILLEGAL, USER_DIVIDE, USER_BREAKPOINT,
		  USER_PROTECTION, USER_FOREIGN, USER_TLS, USER_FPU, USER_STEP };

#define CODE_ADDR 0x400000u
#define DATA_ADDR 0x500000u
#define DATA_PAGES 64u
#define STACK_ADDR 0x600000u

/* A guest thread: a task that the scheduler does not know. */
struct guest {
	struct task task;
	struct trap_frame frame;
	struct arch_context context;
	void *stack;
};

#define EXPECT(cond) ((cond) ? (void)0 : contract_failed(__FILE__, __LINE__, #cond))
void contract_failed(const char *file, int line, const char *what);

/* An address space with the user code, DATA_PAGES of writable memory and a stack. */
struct aspace *guest_aspace(void);
void guest_init(struct guest *g, struct aspace *as);
void guest_destroy(struct guest *g);
/* Sets where it goes on. */
void guest_go(struct guest *g, enum user_entry entry);
/* Runs it up to its next trap that the core would see. */
struct event guest_run(struct guest *g);
/* ... and expects a system call. */
void guest_run_to_call(struct guest *g);

/* Interrupts outside user mode since the last call. */
unsigned contract_take_idle_interrupts(void);

/* One table of tests a file; NULL name at the end. */
struct contract_test { const char *name; void (*run)(void); };
extern const struct contract_test machine_tests[], user_tests[], mmu_tests[];

#endif
