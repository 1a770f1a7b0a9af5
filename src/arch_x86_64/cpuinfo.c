/* What programs are told of the processor, from the CPUID instruction: /proc/cpuinfo's text, AT_HWCAP2. */
#include "lib/printf.h"
#include "lib/string.h"
#include "user_abi.h"

struct cpuid { uint32_t eax, ebx, ecx, edx; };

static struct cpuid cpuid(uint32_t leaf, uint32_t subleaf)
{
	struct cpuid r;

	__asm__ volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
	return r;
}

/* Names of the feature bits that programs look for, in Linux's order of words. */
static const char *const edx1[32] = {
	"fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", NULL, "sep", "mtrr", "pge", "mca", "cmov",
	"pat", "pse36", NULL, "clflush", NULL, NULL, NULL, "mmx", "fxsr", "sse", "sse2", NULL, "ht", NULL, NULL, NULL};
static const char *const ecx1[32] = {
	"pni", "pclmulqdq", NULL, NULL, NULL, NULL, NULL, NULL, NULL, "ssse3", NULL, NULL, "fma", "cx16", NULL, NULL,
	NULL, "pcid", NULL, "sse4_1", "sse4_2", NULL, "movbe", "popcnt", NULL, "aes", "xsave", NULL, "avx", "f16c",
	"rdrand", "hypervisor"};
static const char *const ebx7[32] = {
	"fsgsbase", NULL, NULL, "bmi1", NULL, "avx2", NULL, "smep", "bmi2", "erms", "invpcid", NULL, NULL, NULL, NULL,
	NULL, "avx512f", "avx512dq", "rdseed", "adx", "smap", NULL, NULL, "clflushopt", "clwb", NULL, NULL, NULL,
	"avx512cd", "sha_ni", "avx512bw", "avx512vl"};

struct text {
	char *buf;
	size_t size, len;
};

static void PRINTF_LIKE(2, 3) add(struct text *t, const char *fmt, ...)
{
	va_list args;
	int n;

	if (t->len >= t->size)
		return;
	va_start(args, fmt);
	n = kvsnprintf(t->buf + t->len, t->size - t->len, fmt, args);
	va_end(args);
	t->len = MIN(t->len + (size_t)n, t->size - 1);
}

static void add_bits(struct text *t, uint32_t word, const char *const names[32])
{
	for (unsigned i = 0; i < 32; i++)
		if ((word >> i & 1) != 0 && names[i] != NULL)
			add(t, " %s", names[i]);
}

/* Machines that have it turn it on; a Linux host does since 5.9. */
uint64_t arch_hwcap2(void)
{
	return cpuid(0, 0).eax >= 7 && (cpuid(7, 0).ebx & 1) != 0 ? 2 : 0;
}

size_t arch_cpuinfo(char *buf, size_t size_bytes)
{
	struct text t = {buf, size_bytes, 0};
	struct cpuid zero = cpuid(0, 0), one = cpuid(1, 0);
	uint32_t family = one.eax >> 8 & 15, model = one.eax >> 4 & 15;
	uint32_t vendor[4] = {zero.ebx, zero.edx, zero.ecx, 0};
	uint32_t brand[13] = {0};

	if (family == 15)
		family += one.eax >> 20 & 255;
	if (family >= 6)
		model |= (one.eax >> 16 & 15) << 4;
	if (cpuid(0x80000000u, 0).eax >= 0x80000004u) {
		for (uint32_t i = 0; i < 3; i++) {
			struct cpuid part = cpuid(0x80000002u + i, 0);

			memcpy(brand + i * 4, &part, sizeof(part));
		}
	}
	add(&t, "processor\t: 0\nvendor_id\t: %s\n", (const char *)vendor);
	add(&t, "cpu family\t: %u\nmodel\t\t: %u\n", family, model);
	add(&t, "model name\t: %s\nstepping\t: %u\n", (const char *)brand, one.eax & 15);
	add(&t, "physical id\t: 0\nsiblings\t: 1\ncore id\t\t: 0\ncpu cores\t: 1\nfpu\t\t: yes\nflags\t\t:");
	add_bits(&t, one.edx, edx1);
	add(&t, " syscall nx lm");
	add_bits(&t, one.ecx, ecx1);
	if (zero.eax >= 7)
		add_bits(&t, cpuid(7, 0).ebx, ebx7);
	add(&t, "\nclflush size\t: %u\n", (one.ebx >> 8 & 255) * 8);
	add(&t, "address sizes\t: 48 bits physical, 48 bits virtual\n\n");
	return t.len;
}
