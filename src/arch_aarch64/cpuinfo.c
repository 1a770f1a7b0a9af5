/* /proc/cpuinfo's text for aarch64. */
#include "lib/printf.h"
#include "user_abi.h"

size_t arch_cpuinfo(char *buf, size_t size_bytes)
{
	uint64_t midr;
	int n;

	__asm__("mrs %0, midr_el1" : "=r"(midr));
	n = ksnprintf(buf, size_bytes,
		      "processor\t: 0\nFeatures\t: fp asimd\nCPU implementer\t: 0x%02x\nCPU architecture: 8\n"
		      "CPU variant\t: 0x%x\nCPU part\t: 0x%03x\nCPU revision\t: %u\n\n",
		      (unsigned)(midr >> 24 & 255), (unsigned)(midr >> 20 & 15), (unsigned)(midr >> 4 & 0xfff),
		      (unsigned)(midr & 15));
	return MIN((size_t)n, size_bytes - 1);
}
