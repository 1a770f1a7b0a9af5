/*
 * A machine for unit tests: physical memory is plain process memory, there is no
 * user mode, time is virtual. It counts what the core asks for and lets a test
 * step in. Every function is weak: a test may define its own instead.
 */
#ifndef FAKE_MACHINE_H
#define FAKE_MACHINE_H

#include <setjmp.h>

#include "arch/machine.h"
#include "lib/types.h"

struct fake_machine {
	/* counts */
	unsigned nr_attach, nr_detach, nr_switch, nr_flush_range, nr_flush_all, nr_warm, nr_panics;
	uint64_t flush_start, flush_end; /* the last range flushed */
	/* knobs; fake_machine_reset() restores the defaults */
	int attach_result;	     /* 0 */
	uint64_t user_end;	     /* 0x7ffffffff000 */
	unsigned fork_hot_pages;     /* 0 */
	unsigned fork_first_writes;  /* 0 */
	unsigned fault_window_pages; /* 1 */
	uint64_t now_ns, step_ns;    /* arch_time_ns() adds step_ns (100) a call */
	uint64_t timer_deadline_ns;
	bool is_quiet; /* kernel messages are kept in `log` but not printed */
	/* Called by arch_cpu_idle() once the clock stands at the timer's deadline; NULL: aborts. */
	void (*interrupt)(struct trap_frame *frame, unsigned what);
	/* Called on each flush (whole space: 0 to UINT64_MAX). */
	void (*on_flush)(struct aspace *as, uint64_t start, uint64_t end);
	/* what the kernel and the guest wrote; cut when full */
	char log[8192], console[8192];
	size_t log_size, console_size;
	bool expects_panic;
	jmp_buf panic_jump;
	struct fake_range {
		uint64_t start, end;
	} initrd; /* boot_info.initrd_pages of the next boot, relative to `base` */
};
extern struct fake_machine fake;

/* Counts to zero, knobs to their defaults, output forgotten. */
void fake_machine_reset(void);

/*
 * Boots the memory side of the kernel (frame_init, kmalloc_init) over fresh memory of
 * size_bytes at physical 0x40000000; may be called again. _ranges: with holes;
 * ranges are physical addresses relative to `base`.
 */
void fake_machine_boot(size_t size_bytes);
void fake_machine_boot_ranges(uint64_t base, const struct fake_range *ranges, unsigned nr);

/* Memory of current_task(): zeroed room for a struct task, larger than any. */
#define FAKE_TASK_BYTES 16384
void *fake_machine_task(void);

#if !defined(__clang__)
/* FAKE_PANICS does not use locals that the statement changes. */
#pragma GCC diagnostic ignored "-Wclobbered"
#endif
/* True when the statement panicked. Locks stay as they were: boot again afterwards. */
#define FAKE_PANICS(statement)                                                                               \
	(fake.expects_panic = true, setjmp(fake.panic_jump) != 0 ? (fake.expects_panic = false, true) : ({   \
		 statement;                                                                                  \
		 fake.expects_panic = false;                                                                 \
		 false;                                                                                      \
	 }))

/* A random number generator for model tests: the same numbers for the same seed. */
struct fake_random {
	uint64_t state;
};
uint64_t fake_random(struct fake_random *r);
/* 0 <= result < n. */
uint64_t fake_random_below(struct fake_random *r, uint64_t n);
/* The seed of a random test: LEVITATE_TEST_SEED from the environment, else `seed`; printed. */
uint64_t fake_seed(uint64_t seed);

#endif
