/*
 * Runs that repeat. Under a seed the clock is virtual: it counts traps, and where nobody can run it jumps to the next
 * timer, so a sleep takes no time. Randomness is a generator's (splitmix64), and so is the choice of who runs next
 * (sched_set_seed()). Guests are interrupted at traps only; one that computes on while others wait is
 * interrupted by the host's clock after WATCHDOG_NS (irq.c), which is said once, for such a run may not repeat.
 */
#include "hostarch/seeded.h"

#include "lib/random.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "user_abi.h"

#define TRAP_NS 1000u /* what a trap costs in virtual time */

bool seeded_on;
static uint64_t now_ns, random_state;

void seeded_init(uint64_t seed)
{
	seeded_on = true;
	random_state = seed;
}

uint64_t seeded_time_ns(void) { return now_ns; }
void seeded_trap(void) { now_ns += TRAP_NS; }

void seeded_skip_to(uint64_t time_ns)
{
	if (time_ns > now_ns)
		now_ns = time_ns;
}

void seeded_random(void *buf, size_t size_bytes)
{
	for (char *p = buf; size_bytes > 0;) {
		uint64_t word = random_next(&random_state);
		size_t n = MIN(size_bytes, sizeof(word));

		memcpy(p, &word, n);
		p += n;
		size_bytes -= n;
	}
}

/* rdtsc is 0f 31, rdtscp 0f 01 f9 (Intel SDM vol. 2). The counter runs at 1 GHz. */
bool seeded_emulate_counter(struct trap_frame *frame)
{
	uint8_t code[3] = {0};

	if (!seeded_on || copy_from_user(code, uaddr(frame_pc(frame)), 2) != 0 || code[0] != 0x0f)
		return false;
	if (code[1] == 0x31) {
		frame->rip += 2;
	} else if (code[1] == 0x01 && copy_from_user(code, uaddr(frame_pc(frame)), 3) == 0 && code[2] == 0xf9) {
		frame->rcx = 0; /* the CPU's number */
		frame->rip += 3;
	} else {
		return false;
	}
	seeded_trap();
	frame->rax = now_ns & UINT32_MAX;
	frame->rdx = now_ns >> 32;
	return true;
}
