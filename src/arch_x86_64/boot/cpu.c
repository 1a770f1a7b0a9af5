/*
 * Processor features (Intel SDM 2A, CPUID; 3A, 2.5): found once, and the kernel's own protections
 * turned on. The hardware's random numbers.
 */
#include "boot.h"
#include "lib/string.h"

#define CR4_DE (1u << 3)
#define CR4_PAE (1u << 5)
#define CR4_MCE (1u << 6)
#define CR4_PGE (1u << 7)
#define CR4_OSFXSR (1u << 9)
#define CR4_OSXMMEXCPT (1u << 10)
#define CR4_UMIP (1u << 11)
#define CR4_FSGSBASE (1u << 16)
#define CR4_PCIDE (1u << 17)
#define CR4_OSXSAVE (1u << 18)
#define CR4_SMEP (1u << 20)
#define CR4_SMAP (1u << 21)

#define RANDOM_TRIES 10

struct cpu_features cpu_features;

static bool bit(uint32_t word, unsigned n) { return (word >> n & 1) != 0; }

/* Returns what CR4 shall be. */
static uint64_t find_features(struct cpu_features *f)
{
	struct cpuid one = cpuid(1, 0), seven = {0}, state = {0};
	uint32_t nr_leaves = cpuid(0, 0).eax;
	uint64_t cr4 = CR4_DE | CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (nr_leaves >= 7)
		seven = cpuid(7, 0);
	if (nr_leaves >= 13)
		state = cpuid(13, 1);
	f->has_pcid = bit(one.ecx, 17);
	f->has_x2apic = bit(one.ecx, 21);
	f->has_tsc_deadline = bit(one.ecx, 24);
	f->has_xsave = bit(one.ecx, 26);
	f->has_rdrand = bit(one.ecx, 30);
	f->has_fsgsbase = bit(seven.ebx, 0);
	f->has_invpcid = bit(seven.ebx, 10);
	f->has_rdseed = bit(seven.ebx, 18);
	f->has_smap = bit(seven.ebx, 20);
	f->has_xsaveopt = f->has_xsave && bit(state.eax, 0);
	f->has_1gib_pages = bit(cpuid(0x80000001u, 0).edx, 26);
	cr4 |= bit(one.edx, 7) ? CR4_MCE : 0;
	cr4 |= f->has_pcid ? CR4_PCIDE : 0;
	cr4 |= f->has_xsave ? CR4_OSXSAVE : 0;
	cr4 |= f->has_fsgsbase ? CR4_FSGSBASE : 0;
	cr4 |= f->has_smap ? CR4_SMAP : 0;
	cr4 |= bit(seven.ebx, 7) ? CR4_SMEP : 0;
	cr4 |= bit(seven.ecx, 2) ? CR4_UMIP : 0;
	return cr4;
}

void cpu_init(void)
{
	static const uint8_t clac[] = {0x0f, 0x01, 0xca};
	uint64_t cr4 = find_features(&cpu_features);

	WRITE_CR(4, cr4);
	if (cpu_features.has_smap)
		memcpy(trap_clac, clac, sizeof(clac)); /* text is writable until mmu_init() */
}

/* ---- randomness ---------------------------------------------------------- */

#define RANDOM_WORD(instruction, out, ok) \
	__asm__ volatile(instruction " %0; setc %1" : "=r"(out), "=qm"(ok) : : "cc")

static bool random_word(uint64_t *out)
{
	bool ok = false;

	for (unsigned i = 0; i < RANDOM_TRIES && !ok && cpu_features.has_rdseed; i++)
		RANDOM_WORD("rdseed", *out, ok);
	for (unsigned i = 0; i < RANDOM_TRIES && !ok && cpu_features.has_rdrand; i++)
		RANDOM_WORD("rdrand", *out, ok);
	return ok;
}

size_t machine_entropy(void *buf, size_t size_bytes)
{
	size_t done = 0;
	uint64_t word;

	while (done < size_bytes && random_word(&word)) {
		size_t n = MIN(size_bytes - done, sizeof(word));

		memcpy((char *)buf + done, &word, n);
		done += n;
	}
	return done;
}
