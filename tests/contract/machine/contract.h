/*
 * The contract tests: what every machine must do for the core (include/arch/machine.h),
 * asked of the machine itself. The image is the kernel with another kernel_main(),
 * and with upcalls that come to the tests (main_contract.c). No scheduler runs, no
 * program: a test maps a page of guest code, runs it, and sees the upcall it makes.
 *
 * Output is KTAP: "1..N", then "ok I - name" or "not ok I - name", each failed
 * check in a line "# ..." before it.
 */
#ifndef CONTRACT_H
#define CONTRACT_H

#include "arch/machine.h"
#include "lib/printf.h"
#include "lib/types.h"
#include "mm/aspace.h"
#include "sched/task.h"

/* ---- checks -------------------------------------------------------------- */

struct contract_test {
	const char *name;
	void (*run)(void);
};
extern const struct contract_test cpu_tests[], user_tests[], mmu_tests[]; /* the last has no name */

/* Prints on the console. */
void say(const char *fmt, ...) PRINTF_LIKE(1, 2);
void check_failed(const char *file, int line, const char *what);
#define CHECK(cond) ((cond) ? (void)0 : check_failed(__FILE__, __LINE__, #cond))
/* For what a test cannot go on without. */
#define REQUIRE(cond)                                            \
	do {                                                     \
		if (!(cond)) {                                   \
			check_failed(__FILE__, __LINE__, #cond); \
			return;                                  \
		}                                                \
	} while (0)

const struct boot_info *contract_boot_info(void);
/* crash.c: does what the command line's crash= says, if it says so. */
void contract_crash(const char *cmdline);

/* ---- upcalls ------------------------------------------------------------- */

enum event_kind { EVENT_NONE, EVENT_SYSCALL, EVENT_FAULT, EVENT_EXCEPTION, EVENT_INTERRUPT };

/* The upcall a run of the guest ended with. */
struct event {
	enum event_kind kind;
	uint64_t addr;   /* fault, exception */
	unsigned what;   /* access, enum trap_exception, or interrupt bits */
};

/* Interrupts taken outside user mode (arch_cpu_idle), since interrupts_forget(). */
unsigned interrupts_seen(void);
void interrupts_forget(void);

/* ---- guests -------------------------------------------------------------- */

/* A user task without a scheduler: registers, floating-point state, kernel stack. */
struct guest {
	struct task task;
	struct arch_context kernel;   /* inside arch_user_enter(), while the test runs */
	struct trap_frame frame;
	struct event event;
};

/* Makes a guest that runs in as. False: no memory. */
bool guest_create(struct guest *g, struct aspace *as);
void guest_destroy(struct guest *g);
/* Runs user mode from g->frame until the next upcall. The aspace is g->task.aspace. */
struct event guest_run(struct guest *g);
/* As guest_run(), but interrupts are taken on the way. */
struct event guest_run_past_interrupts(struct guest *g);

/*
 * One access by user code at va, page faults resolved as the kernel would. 0: it was made; a negative
 * errno: aspace_fault() refused; -1000: the upcalls made no sense (a check has failed).
 * nr_faults (may be NULL): upcalls of page faults it took.
 */
int guest_access(struct guest *g, uint64_t va, unsigned access, unsigned *nr_faults);
#define NO_SENSE (-1000)

/* An address space with the guest code at CODE_VA, or NULL. */
struct aspace *contract_aspace(void);
/* Private anonymous memory at va; false: it failed. */
bool map_pages(struct aspace *as, uint64_t va, unsigned nr_pages, unsigned prot);

#define CODE_VA UINT64_C(0x400000)
#define DATA_VA UINT64_C(0x10000000)

/* ---- guest code: guest_<arch>.S, copied to CODE_VA ------------------------- */

extern const char guest_code[], guest_code_end[];
/* Each ends in system call GUEST_CALL, unless it says otherwise. SP is the only register it needs. */
extern const char guest_read[];    /* argument 0 = the word at SP */
extern const char guest_write[];   /* the word at SP = SP */
extern const char guest_call[];    /* nothing: also what is executed at an address under test */
extern const char guest_args[];    /* arguments 0 to 5 = 11, 22 ... 66; then again, argument 0 = the result */
extern const char guest_spin[];    /* for ever */
extern const char guest_fpu_set[]; /* a vector register = SP */
extern const char guest_fpu_get[]; /* argument 0 = that register */
#define GUEST_CALL 500
#define GUEST_PC(label) (CODE_VA + (uint64_t)((label) - guest_code))

/* ---- also in guest_<arch>.S, run by the kernel ------------------------------ */

/*
 * arch_context_switch(from, to) with a pattern in every callee-saved register.
 * Returns the number of registers that came back changed.
 */
unsigned contract_switch_with_pattern(struct arch_context *from, struct arch_context *to, uint64_t pattern);

#endif
