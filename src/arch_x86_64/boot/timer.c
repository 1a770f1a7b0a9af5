/*
 * Time: the CPU's time-stamp counter. Its frequency, and that of the local APIC's timer, come from CPUID where it
 * says, else they are measured for MEASURE_NS against the ACPI power management timer or the PIT. The
 * one-shot timer is the APIC's, by TSC deadline where present. Wall-clock time is read once from the battery's clock.
 */
#include "arch/machine.h"
#include "boot.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define MEASURE_DIVISOR 500 /* of a second */
#define NEVER UINT64_MAX
#define DELTA_MAX_NS (60 * NS_PER_SECOND) /* later deadlines are approached in steps */

#define TIMER_MASKED 0x10000u
#define TIMER_DEADLINE 0x40000u
#define DIVIDE_BY_1 0x0bu

static uint64_t tsc_start;
static uint64_t ns_per_tick;       /* << 32 */
static uint64_t tsc_ticks_per_ns;  /* << 24, rounded up */
static uint64_t apic_ticks_per_ns; /* << 24 */
static uint64_t deadline = NEVER;

static uint64_t scale(uint64_t a, uint64_t b, unsigned shift) { return (uint64_t)((unsigned __int128)a * b >> shift); }

/* ---- clocks of known frequency ------------------------------------------- */

#define PM_TIMER_HZ 3579545u
#define PIT_HZ 1193182u
enum { PIT_CHANNEL2 = 0x42, PIT_MODE = 0x43, PIT_GATE = 0x61 };
#define PIT_CHANNEL2_ONCE 0xb0 /* counts down from a word, no repeat */
#define PIT_CHANNEL2_LATCH 0x80

struct reference {
	uint32_t (*read)(void); /* counts up */
	uint32_t mask, hz;
};

static uint32_t pm_timer_read(void) { return inl(acpi_info.pm_timer); }

static uint32_t pit_read(void)
{
	uint32_t low;

	outb(PIT_MODE, PIT_CHANNEL2_LATCH);
	low = inb(PIT_CHANNEL2);
	return ~(low | (uint32_t)inb(PIT_CHANNEL2) << 8);
}

static void pit_start(void)
{
	outb(PIT_GATE, (uint8_t)((inb(PIT_GATE) & ~2u) | 1)); /* gate open, speaker off */
	outb(PIT_MODE, PIT_CHANNEL2_ONCE);
	outb(PIT_CHANNEL2, 0xff);
	outb(PIT_CHANNEL2, 0xff);
}

/* Does it count? */
static bool is_ticking(const struct reference *r)
{
	uint32_t first = r->read() & r->mask;

	for (unsigned i = 0; i < 1000; i++)
		if ((r->read() & r->mask) != first)
			return true;
	return false;
}

/* ---- measuring ----------------------------------------------------------- */

struct sample {
	uint64_t tsc;
	uint32_t apic, reference;
};

/* All three counters at (nearly) one time: of a few tries the one that took least. */
static struct sample take_sample(const struct reference *r)
{
	struct sample best = {0};
	uint64_t least = UINT64_MAX;

	for (unsigned i = 0; i < 5; i++) {
		uint64_t before = rdtsc(), after;
		uint32_t apic = apic_read(APIC_TIMER_NOW), reference = r->read();

		after = rdtsc();
		if (after - before < least) {
			least = after - before;
			best = (struct sample){before, apic, reference & r->mask};
		}
	}
	return best;
}

static void measure(const struct reference *r, uint64_t *tsc_hz, uint64_t *apic_hz)
{
	const uint32_t wanted = r->hz / MEASURE_DIVISOR;
	struct sample first, last;
	uint32_t ticks;

	apic_write(APIC_TIMER, TIMER_MASKED);
	apic_write(APIC_TIMER_START, UINT32_MAX);
	first = take_sample(r);
	while (((r->read() - first.reference) & r->mask) < wanted)
		;
	last = take_sample(r);
	apic_write(APIC_TIMER_START, 0);
	ticks = (last.reference - first.reference) & r->mask;
	*tsc_hz = (last.tsc - first.tsc) * r->hz / ticks;
	*apic_hz = (uint64_t)(first.apic - last.apic) * r->hz / ticks;
}

/* What CPUID says, 0 if nothing: leaf 0x15, or that of hypervisors. */
static void read_frequencies(uint64_t *tsc_hz, uint64_t *apic_hz)
{
	const uint32_t hypervisor = 0x40000000u;

	if (cpuid(0, 0).eax >= 0x15) {
		struct cpuid c = cpuid(0x15, 0);

		if (c.eax != 0 && c.ebx != 0 && c.ecx != 0) {
			*tsc_hz = (uint64_t)c.ecx * c.ebx / c.eax;
			*apic_hz = c.ecx;
		}
	}
	if (*tsc_hz == 0 && (cpuid(1, 0).ecx >> 31) != 0 && cpuid(hypervisor, 0).eax >= hypervisor + 0x10) {
		struct cpuid c = cpuid(hypervisor + 0x10, 0);

		*tsc_hz = (uint64_t)c.eax * 1000;
		*apic_hz = (uint64_t)c.ebx * 1000;
	}
}

static void measure_frequencies(uint64_t *tsc_hz, uint64_t *apic_hz)
{
	const struct reference pm_timer = {pm_timer_read, 0xffffff, PM_TIMER_HZ}, pit = {pit_read, 0xffff, PIT_HZ};

	if (acpi_info.pm_timer != 0 && is_ticking(&pm_timer)) {
		measure(&pm_timer, tsc_hz, apic_hz);
		return;
	}
	pit_start();
	if (!is_ticking(&pit))
		boot_fail("no clock to measure the processor's by");
	measure(&pit, tsc_hz, apic_hz);
}

void timer_init(void)
{
	uint64_t tsc_hz = 0, apic_hz = 0;

	apic_write(APIC_TIMER_DIVIDE, DIVIDE_BY_1);
	read_frequencies(&tsc_hz, &apic_hz);
	if (tsc_hz == 0 || (apic_hz == 0 && !cpu_features.has_tsc_deadline))
		measure_frequencies(&tsc_hz, &apic_hz);
	ns_per_tick = (NS_PER_SECOND << 32) / tsc_hz;
	tsc_ticks_per_ns = (tsc_hz << 24) / NS_PER_SECOND + 1;
	apic_ticks_per_ns = (apic_hz << 24) / NS_PER_SECOND + 1;
	tsc_start = rdtsc();
	apic_write(APIC_TIMER, VECTOR_TIMER | (cpu_features.has_tsc_deadline ? TIMER_DEADLINE : 0));
}

/* ---- the contract -------------------------------------------------------- */

uint64_t arch_time_ns(void) { return scale(rdtsc() - tsc_start, ns_per_tick, 32); }

void arch_timer_set(uint64_t deadline_ns)
{
	const uint64_t tsc = rdtsc(), now = scale(tsc - tsc_start, ns_per_tick, 32);
	uint64_t delta = deadline_ns > now ? MIN(deadline_ns - now, DELTA_MAX_NS) : 0;

	deadline = deadline_ns;
	if (cpu_features.has_tsc_deadline) {
		wrmsr(MSR_TSC_DEADLINE, deadline_ns == NEVER ? 0 : tsc + scale(delta, tsc_ticks_per_ns, 24));
	} else {
		uint64_t ticks = scale(delta, apic_ticks_per_ns, 24);

		apic_write(APIC_TIMER_START, deadline_ns == NEVER ? 0 : (uint32_t)MIN(ticks + 1, UINT32_MAX));
	}
}

bool timer_interrupt(void)
{
	if (deadline == NEVER)
		return false;
	if (arch_time_ns() < deadline) {
		arch_timer_set(deadline);
		return false;
	}
	deadline = NEVER;
	return true;
}

/* ---- the battery's clock (MC146818) -------------------------------------- */

enum { CMOS_INDEX = 0x70, CMOS_DATA = 0x71 };
enum { RTC_SECOND = 0, RTC_MINUTE = 2, RTC_HOUR = 4, RTC_DAY = 7, RTC_MONTH = 8, RTC_YEAR = 9, RTC_STATUS_A = 10,
       RTC_STATUS_B = 11 };
#define RTC_UPDATING 0x80u
#define RTC_BINARY 0x04u
#define RTC_24_HOURS 0x02u
#define RTC_PM 0x80u
#define RTC_SPINS_MAX 100000u

struct rtc { unsigned second, minute, hour, day, month, year; };

static unsigned cmos_read(unsigned reg)
{
	outb(CMOS_INDEX, (uint8_t)reg);
	return inb(CMOS_DATA);
}

static struct rtc rtc_read_raw(void)
{
	for (unsigned i = 0; i < RTC_SPINS_MAX && (cmos_read(RTC_STATUS_A) & RTC_UPDATING) != 0; i++)
		;
	return (struct rtc){cmos_read(RTC_SECOND), cmos_read(RTC_MINUTE), cmos_read(RTC_HOUR),
			    cmos_read(RTC_DAY), cmos_read(RTC_MONTH), cmos_read(RTC_YEAR)};
}

static unsigned from_bcd(unsigned v) { return (v >> 4) * 10 + (v & 15); }

static struct rtc rtc_read(void)
{
	struct rtc t = rtc_read_raw(), again;
	unsigned status = cmos_read(RTC_STATUS_B), pm;

	/* Twice the same: no update came in between. */
	while ((again = rtc_read_raw()).second != t.second || again.minute != t.minute || again.hour != t.hour)
		t = again;
	pm = (status & RTC_24_HOURS) == 0 ? t.hour & RTC_PM : 0;
	t.hour &= ~pm;
	if ((status & RTC_BINARY) == 0)
		t = (struct rtc){from_bcd(t.second), from_bcd(t.minute), from_bcd(t.hour),
				 from_bcd(t.day), from_bcd(t.month), from_bcd(t.year)};
	if ((status & RTC_24_HOURS) == 0)
		t.hour = t.hour % 12 + (pm != 0 ? 12 : 0);
	t.year += 2000;
	return t;
}

uint64_t timer_wall_clock_ns(void)
{
	const struct rtc t = rtc_read();
	/* Days since 1970, with years that begin in March. */
	const uint64_t y = t.month > 2 ? t.year : t.year - 1, m = t.month > 2 ? t.month - 3 : t.month + 9;
	const uint64_t days = y * 365 + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + t.day - 1 - 719468;

	return (((days * 24 + t.hour) * 60 + t.minute) * 60 + t.second) * NS_PER_SECOND;
}
