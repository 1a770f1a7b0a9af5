/*
 * Running stubs: hand-over, batches of map operations, proof that a stub stands
 * still, what it reports. See stubs.h, and stub/stub.S for the other side and for what
 * protects the machine from a hostile guest.
 *
 * Everything read from the shared area after the guest has run is read once and
 * checked. What is written there is written while the stub is proved to sleep,
 * or is of no use to the guest (its own registers).
 */
#include "hostarch/stubs_internal.h"

#include "hostarch/host.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/prot.h"

#define PROOF_YIELDS 3 /* before the stub is kicked */
#define PROOF_LIMIT_NS 2000000000u

/* Linux's numbers, as the stub passes them on. */
enum { NR_MMAP = 9, NR_MPROTECT = 10, NR_MUNMAP = 11 };
enum { MAP_SHARED_FIXED = 0x11, MAP_POPULATE_BIT = 0x8000 };

struct engine_stats engine_stats;
struct stub_header stub_header;
struct list all_stubs = LIST_INIT(all_stubs);

/* ---- hand-over ----------------------------------------------------------- */

static uint32_t load_turn(struct stub *s) { return __atomic_load_n(&s->control->turn, __ATOMIC_ACQUIRE); }

void stubs_reap(void)
{
	int pid;

	host_pending_take(HOST_CHILD);
	while ((pid = host_stub_reap()) != 0) {
		struct stub *s;

		LIST_FOR_EACH(s, &all_stubs, all_link) {
			if (s->pid == pid) {
				s->is_dead = true;
				s->pid = 0;
			}
		}
	}
}

/*
 * On one CPU two yields move the CPU to the stub and back faster than futex wake-ups do, but only while
 * nobody else wants it: in company a yield gives away a whole time slice. So a slow one turns yielding off
 * for a while.
 */
#define YIELDS 2u
#define SLOW_YIELD_NS 300000u
#define FEWEST_QUIET 64u
#define MOST_QUIET 65536u
static unsigned nr_quiet;               /* hand-overs still to be made without yielding */
static unsigned next_quiet = FEWEST_QUIET;
static struct stub *last_run;

static void yield_until_turn(struct stub *s)
{
	const uint64_t start = host_time_ns();

	for (unsigned i = 0; i < YIELDS && load_turn(s) != TURN_KERNEL; i++)
		host_yield();
	if (host_time_ns() - start > SLOW_YIELD_NS) {
		nr_quiet = next_quiet;
		next_quiet = MIN(next_quiet * 2, MOST_QUIET);
	} else if (next_quiet > FEWEST_QUIET) {
		next_quiet--;
	}
}

void stub_wait_for_turn(struct stub *s)
{
	struct stub_control *c = s->control;

	while (!s->is_dead && load_turn(s) != TURN_KERNEL) {
		__atomic_store_n(&c->doorbell, 1, __ATOMIC_SEQ_CST);
		if ((__atomic_load_n(&host_pending, __ATOMIC_SEQ_CST) & HOST_CHILD) != 0)
			stubs_reap();
		else if (load_turn(s) != TURN_KERNEL)
			host_futex_wait(&c->doorbell, 1);
	}
	c->doorbell = 0;
}

void stub_forget(const struct stub *s)
{
	if (last_run == s)
		last_run = NULL;
}

/*
 * A stub that will be answered at once should yield while it waits; one that is not (a fault, whose answer
 * needs proof that the stub sleeps; a call that blocks) should sleep. Learned from what the last four
 * hand-overs were.
 */
static void predict(struct stub *s)
{
	const bool was_quick = !s->is_stopped && last_run == s;
	uint8_t *counter = &s->lingering[s->history & 15];

	if (was_quick && *counter < 3)
		++*counter;
	else if (!was_quick && *counter > 0)
		--*counter;
	s->history = (uint8_t)(s->history << 1 | was_quick);
	s->lingered = nr_quiet == 0 && s->lingering[s->history & 15] >= 2;
	s->control->linger = s->lingered ? YIELDS : 0;
}

/* Gives the turn to the stub and waits to get it back. */
static void hand_over(struct stub *s)
{
	struct stub_control *c = s->control;

	engine_stats.nr_handoffs++;
	if (last_run != s && last_run != NULL && last_run->lingered)
		last_run->control->linger = 0; /* it need not be ready any more */
	predict(s);
	last_run = s;
	s->is_stopped = false;
	host_stub_set_running(s->pid, &c->doorbell);
	/* A signal from here on kicks the stub; one that came before could not: the guest is not to run. */
	if ((__atomic_load_n(&host_pending, __ATOMIC_SEQ_CST) & ~(unsigned)HOST_CHILD) != 0)
		c->kicked = 1;
	__atomic_store_n(&c->turn, TURN_STUB, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&c->asleep, __ATOMIC_SEQ_CST) != 0)
		host_futex_wake(&c->turn);
	if (nr_quiet > 0)
		nr_quiet--;
	else
		yield_until_turn(s);
	if (load_turn(s) != TURN_KERNEL)
		stub_wait_for_turn(s);
	host_stub_set_running(0, NULL);
}

bool stub_is_stopped(struct stub *s)
{
	uint64_t limit;
	unsigned tries = 0;

	if (s->is_stopped || s->is_dead)
		return true;
	engine_stats.nr_proofs++;
	s->control->linger = 0;
	if (host_futex_sleepers(&s->control->turn) == 1) {
		s->is_stopped = true;
		return true;
	}
	for (limit = host_time_ns() + PROOF_LIMIT_NS; host_time_ns() < limit; tries++) {
		/*
		 * An honest stub only needs the CPU to fall asleep. One that forged its hand-over
		 * runs on: a kick makes it hand over for good.
		 */
		if (tries >= PROOF_YIELDS && tries % PROOF_YIELDS == 0) {
			engine_stats.nr_kicks++;
			host_stub_kick(s->pid);
		}
		host_yield();
		if (host_futex_sleepers(&s->control->turn) == 1) {
			s->is_stopped = true;
			return true;
		}
		if ((host_pending & HOST_CHILD) != 0)
			stubs_reap();
		if (s->is_dead)
			return true;
	}
	stub_condemn(s);
	return true;
}

void stub_condemn(struct stub *s)
{
	if (s->pid != 0)
		host_stub_kill(s->pid);
	s->pid = 0;
	s->is_dead = true;
}

/* ---- map operations ------------------------------------------------------ */

static bool run_batch(struct stub *s)
{
	struct stub_control *c = s->control;

	engine_stats.nr_batches++;
	engine_stats.nr_ops += s->nr_ops;
	c->op_error = 0;
	c->secret[0] = s->secret[0];
	c->secret[1] = s->secret[1];
	c->nr_ops = s->nr_ops;
	s->nr_ops = 0;
	s->last.kind = OP_NONE;
	return true;
}

bool stub_do_ops(struct stub *s)
{
	struct stub_control *c = s->control;

	if (s->nr_ops == 0 || s->is_dead)
		return true;
	ASSERT(s->is_stopped);
	run_batch(s);
	c->kicked = 1;
	hand_over(s);
	stub_is_stopped(s);
	return s->is_dead || c->op_error == 0;
}

static void write_op(struct stub *s)
{
	const struct pending_op *p = &s->last;
	struct stub_op *op = &s->control->ops[s->nr_ops - 1];

	*op = (struct stub_op){.a0 = p->start, .a1 = p->end - p->start};
	switch (p->kind) {
	case OP_MAP:
		op->nr = NR_MMAP;
		op->a2 = p->rights;
		op->a3 = MAP_SHARED_FIXED | (p->populate ? MAP_POPULATE_BIT : 0);
		op->a4 = p->is_writable_fd ? STUB_FD_RW : STUB_FD_RO;
		op->a5 = mmu_file_offset(p->pfn);
		break;
	case OP_UNMAP:
		op->nr = NR_MUNMAP;
		break;
	case OP_PROTECT:
		op->nr = NR_MPROTECT;
		op->a2 = p->rights;
		break;
	case OP_NONE:
		break;
	}
}

/* Begins an operation; with the queue full, what is queued is done first. */
static void new_op(struct stub *s, const struct pending_op *op)
{
	if (s->is_dead)
		return;
	ASSERT(s->is_stopped);
	if (s->nr_ops == STUB_OPS_MAX && !stub_do_ops(s))
		s->ops_failed = true;
	if (s->is_dead)
		return;
	s->last = *op;
	s->nr_ops++;
	write_op(s);
}

void stub_op_map(struct stub *s, uint64_t va, pfn_t pfn, unsigned nr_pages, unsigned rights,
		 bool is_writable_fd, bool populate)
{
	const uint64_t end = va + nr_pages * PAGE_SIZE;
	struct pending_op *last = &s->last;

	engine_stats.nr_tlb_installs += nr_pages;
	if (last->kind == OP_MAP && last->end == va && last->rights == rights && last->populate == populate &&
	    last->is_writable_fd == is_writable_fd &&
	    last->pfn.raw + ((last->end - last->start) >> PAGE_SHIFT) == pfn.raw) {
		last->end = end;
		write_op(s);
		return;
	}
	new_op(s, &(struct pending_op){OP_MAP, va, end, pfn, rights, is_writable_fd, populate});
}

void stub_op_unmap(struct stub *s, uint64_t start, uint64_t end)
{
	struct pending_op *last = &s->last;

	if (last->kind == OP_UNMAP && (last->end == start || (s->may_bridge && last->end < start))) {
		last->end = end;
		write_op(s);
	} else {
		new_op(s, &(struct pending_op){.kind = OP_UNMAP, .start = start, .end = end});
	}
	s->may_bridge = true;
}

void stub_op_protect(struct stub *s, uint64_t start, uint64_t end, unsigned rights)
{
	struct pending_op *last = &s->last;

	if (last->kind == OP_PROTECT && last->end == start && last->rights == rights) {
		last->end = end;
		write_op(s);
		return;
	}
	new_op(s, &(struct pending_op){.kind = OP_PROTECT, .start = start, .end = end, .rights = rights});
}

/* ---- running the guest --------------------------------------------------- */

bool altstack_offset(uint64_t address, uint64_t size_bytes, uint64_t align, uint32_t *offset)
{
	if (address < STUB_ALTSTACK || address > STUB_ALTSTACK + STUB_ALTSTACK_BYTES - size_bytes ||
	    address % align != 0)
		return false;
	*offset = (uint32_t)(address - STUB_SHARED);
	return true;
}

static bool is_in_stub(uint64_t pc) { return pc >= STUB_TEXT && pc < STUB_END; }

/* Reads what the stub reports. False: it makes no sense. */
static bool read_trap(struct stub *s, struct stub_trap *trap)
{
	const volatile struct stub_control *c = s->control;
	const uint64_t ucontext = c->ucontext, siginfo = c->siginfo;
	uint32_t at, info, fpu;
	uint64_t fpstate;

	trap->signal = c->signal;
	trap->is_guest = false;
	trap->is_resume_fault = false;
	if (ucontext == 0) {
		/* Whether the bases were loaded nobody knows: no guest's are these. */
		s->fs_base = s->gs_base = UINT64_MAX;
		return trap->signal == STUB_SIG_KICK;
	}
	if (!altstack_offset(ucontext, UC_BYTES, 8, &at) || !altstack_offset(siginfo, INFO_BYTES, 8, &info))
		return false;
	memcpy(&trap->regs, stub_shared(s, at + UC_GREGS), sizeof(trap->regs));
	memcpy(&fpstate, stub_shared(s, at + UC_FPSTATE), sizeof(fpstate));
	memcpy(&trap->syscall_arch, stub_shared(s, info + INFO_ARCH), sizeof(trap->syscall_arch));
	memcpy(&trap->code, stub_shared(s, info + INFO_CODE), sizeof(trap->code));
	if (!altstack_offset(fpstate, xstate_bytes, 64, &fpu))
		return false;
	if (s->has_fsgsbase) {
		s->fs_base = c->out_fs_base;
		s->gs_base = c->out_gs_base;
	}
	trap->is_guest = !is_in_stub(trap->regs.rip);
	if (!trap->is_guest) {
		/* The last steps back to the guest: floating-point state complete, registers as given. */
		if (trap->regs.rip < stub_header.resume_start || trap->regs.rip >= stub_header.resume_end)
			return false;
		trap->is_resume_fault = trap->signal != STUB_SIG_KICK;
	}
	s->fpu_offset = fpu;
	return true;
}

void stub_run(struct stub *s, struct stub_trap *trap)
{
	struct stub_control *c = s->control;

	if (s->nr_ops > 0) {
		ASSERT(s->is_stopped || s->is_dead);
		run_batch(s);
	} else {
		c->nr_ops = 0;
		c->op_error = 0;
	}
	c->kicked = 0;
	if (!s->is_dead)
		hand_over(s);
	if (s->is_dead || !read_trap(s, trap)) {
		stub_condemn(s);
		trap->signal = 0;
		return;
	}
	if (!trap->is_guest && c->op_error != 0)
		s->ops_failed = true;
}
