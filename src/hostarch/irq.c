/*
 * Time and interrupts of the hosted machine. The host's signals are noted by
 * handlers (host_signal.c); here they become the core's interrupts, at trap
 * boundaries and in arch_cpu_idle().
 *
 * Input (terminal, streams someone waits for) is polled: at once when the CPU
 * is idle, every POLL_NS while guests compute.
 */
#include "hostarch/irq.h"

#include "arch/machine.h"
#include "hostarch/console.h"
#include "hostarch/crash.h"
#include "hostarch/host.h"
#include "hostarch/seeded.h"
#include "lib/printf.h"

#define POLL_NS 10000000u
#define WATCHDOG_NS 1000000000u /* of a run with a seed */
#define MAX_SOURCES 8u
#define NEVER UINT64_MAX

static uint64_t boot_ns;
static uint64_t deadline_ns = NEVER;      /* of the core */
static uint64_t armed_ns = NEVER;         /* of the host's timer */
static struct irq_source *sources;
static bool is_watching;                  /* some source waits */

void irq_init(void) { boot_ns = host_time_ns(); }

/* Time as the host's timer counts it. */
static uint64_t real_time_ns(void) { return host_time_ns() - boot_ns; }

uint64_t arch_time_ns(void) { return seeded_on ? seeded_time_ns() : real_time_ns(); }

void arch_random(void *buf, size_t size_bytes)
{
	if (seeded_on)
		seeded_random(buf, size_bytes);
	else
		host_random(buf, size_bytes);
}

/*
 * The host's timer is only ever moved to an earlier time; when it comes before the core's deadline, it is set
 * again. So a deadline that moves on with each trap costs no system call.
 */
static void arm(void)
{
	uint64_t now, want = deadline_ns;

	if (seeded_on && want != NEVER)
		want = armed_ns != NEVER ? armed_ns : real_time_ns() + WATCHDOG_NS;
	if (is_watching || want < armed_ns) {
		now = real_time_ns();
		if (is_watching && want > now + POLL_NS)
			want = now + POLL_NS;
		if (want >= armed_ns && armed_ns > now)
			return;
		armed_ns = want;
		host_timer_set(want > now ? want - now : 1);
	}
}

void arch_timer_set(uint64_t deadline)
{
	deadline_ns = deadline;
	arm();
}

void irq_source_wait(struct irq_source *source, short events)
{
	if (!source->is_registered) {
		source->is_registered = true;
		source->next = sources;
		sources = source;
	}
	source->events |= events;
	is_watching = true;
	arm();
}

static unsigned collect(struct host_poll *fds, struct irq_source **of)
{
	unsigned nr = 0;

	for (struct irq_source *s = sources; s != NULL && nr < MAX_SOURCES; s = s->next) {
		if (s->events != 0) {
			of[nr] = s;
			fds[nr++] = (struct host_poll){.fd = s->fd, .events = s->events};
		}
	}
	return nr;
}

/* Calls the sources that are ready. They are not waited for any more, until somebody asks again. */
static bool dispatch(const struct host_poll *fds, struct irq_source *const *of, unsigned nr)
{
	bool any = false;

	for (unsigned i = 0; i < nr; i++) {
		if (fds[i].revents != 0) {
			of[i]->events = 0;
			of[i]->ready(of[i], fds[i].revents);
			any = true;
		}
	}
	is_watching = false;
	for (struct irq_source *s = sources; s != NULL; s = s->next)
		is_watching = is_watching || s->events != 0;
	return any;
}

bool irq_is_pending(void) { return host_pending != 0; }

/*
 * A run with a seed takes its interrupts at traps. If for a whole period there was none, the guest that computes
 * has to make way for those who wait.
 */
static unsigned watchdog(void)
{
	static uint64_t trap_seen_ns;
	static bool is_said;

	if (deadline_ns == NEVER || seeded_time_ns() != trap_seen_ns) {
		trap_seen_ns = seeded_time_ns();
		return 0;
	}
	if (!is_said)
		kprintf("a program computes without a system call while others wait: this run may not repeat\n");
	is_said = true;
	seeded_skip_to(deadline_ns);
	return IRQ_TIMER;
}

unsigned irq_take(void)
{
	unsigned pending = host_pending_take(~(unsigned)HOST_CHILD), what = 0;

	if ((pending & (HOST_WINCH | HOST_INTERRUPT | HOST_QUIT | HOST_CONTINUED)) != 0) {
		if ((pending & HOST_QUIT) != 0)
			crash_look("the terminal's quit key");
		console_signals(pending);
		what |= IRQ_CONSOLE;
	}
	if ((pending & HOST_STOP) != 0)
		machine_stop(host_stop_signal);
	if ((pending & HOST_TIMER) != 0) {
		struct host_poll fds[MAX_SOURCES];
		struct irq_source *of[MAX_SOURCES];
		unsigned nr = is_watching ? collect(fds, of) : 0;

		armed_ns = NEVER;
		if (nr > 0 && host_poll_now(fds, nr) > 0 && dispatch(fds, of, nr))
			what |= IRQ_CONSOLE;
		if (seeded_on)
			what |= watchdog();
		else if (arch_time_ns() >= deadline_ns)
			what |= IRQ_TIMER;
		if ((what & IRQ_TIMER) != 0)
			deadline_ns = NEVER;
		arm();
	}
	if ((host_pending & HOST_CHILD) != 0)
		machine_child_ended();
	return what;
}

void arch_cpu_idle(void)
{
	for (;;) {
		struct host_poll fds[MAX_SOURCES];
		struct irq_source *of[MAX_SOURCES];
		unsigned nr, what = 0;
		uint64_t now = arch_time_ns();

		if (now >= deadline_ns) {
			deadline_ns = NEVER;
			what = IRQ_TIMER;
		} else {
			bool skips = seeded_on && deadline_ns != NEVER;

			nr = collect(fds, of);
			host_idle(fds, nr, deadline_ns == NEVER ? NEVER : skips ? 0 : deadline_ns - now);
			if (nr > 0 && dispatch(fds, of, nr))
				what |= IRQ_CONSOLE;
			else if (skips)
				seeded_skip_to(deadline_ns);
		}
		if (irq_is_pending())
			what |= irq_take();
		if (what != 0) {
			trap_interrupt(NULL, what);
			return;
		}
	}
}
