/*
 * The generic timer: the virtual one, or the physical one where the device tree has no interrupt
 * for the former. Time counts from the counter's zero. Conversions multiply by fractions of 2^32.
 */
#include "boot.h"

#include "arch/machine.h"
#include "lib/assert.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define CTL_ENABLE 1

unsigned timer_intid;
static bool is_physical;
static uint64_t ns_per_tick, ticks_per_ns; /* x 2^32; the second rounded up, so that no timer is early */

static inline uint64_t read_counter(void)
{
	uint64_t ticks;

	/* The barrier keeps the read from being done ahead of its time. */
	__asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks) : : "memory");
	return ticks;
}

static inline uint64_t scale(uint64_t value, uint64_t factor)
{
	return (uint64_t)((unsigned __int128)value * factor >> 32);
}

uint64_t arch_time_ns(void) { return scale(read_counter(), ns_per_tick); }

static void set_control(uint64_t value)
{
	if (is_physical)
		write_sysreg("cntp_ctl_el0", value);
	else
		write_sysreg("cntv_ctl_el0", value);
}

void arch_timer_set(uint64_t deadline_ns)
{
	uint64_t now = read_counter(), now_ns = scale(now, ns_per_tick), at = now;

	if (deadline_ns == UINT64_MAX) {
		set_control(0);
		return;
	}
	if (deadline_ns > now_ns)
		at += scale(deadline_ns - now_ns, ticks_per_ns) + 1;
	if (at < now)
		at = UINT64_MAX;
	if (is_physical) /* both counters are the same: CNTVOFF_EL2 is 0 then */
		write_sysreg("cntp_cval_el0", at);
	else
		write_sysreg("cntv_cval_el0", at);
	set_control(CTL_ENABLE);
}

void timer_interrupt(void)
{
	set_control(0);
	isb();
}

void timer_init(unsigned intid, bool is_virtual, uint32_t frequency_hz)
{
	uint64_t hz = read_sysreg("cntfrq_el0") & UINT32_MAX;

	if (frequency_hz != 0)
		hz = frequency_hz; /* firmware that left CNTFRQ alone says so in the device tree */
	if (hz == 0)
		panic("the timer's frequency is not known");
	ns_per_tick = (NS_PER_SECOND << 32) / hz;
	ticks_per_ns = ((hz << 32) + NS_PER_SECOND - 1) / NS_PER_SECOND;
	is_physical = !is_virtual;
	timer_intid = intid;
	set_control(0);
}
