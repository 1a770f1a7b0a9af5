/*
 * Random numbers: ChaCha20 (RFC 8439) as a generator whose key changes with every
 * request, so that what was given out cannot be computed from what is kept. Seeded from the
 * hardware and the clocks at boot, and again every RESEED_NS.
 */
#include "arch/machine.h"
#include "lib/string.h"
#include "metal/internal.h"

#define KEY_WORDS 8u
#define BLOCK_BYTES 64u
#define KEY_BYTES (KEY_WORDS * 4u)
#define RESEED_NS UINT64_C(60000000000)

static uint32_t key[KEY_WORDS];
static uint64_t reseed_ns;

static uint32_t rotate(uint32_t x, unsigned n) { return x << n | x >> (32 - n); }

static inline __attribute__((always_inline)) void quarter(uint32_t *s, unsigned a, unsigned b, unsigned c, unsigned d)
{
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 16);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 12);
	s[a] += s[b];
	s[d] = rotate(s[d] ^ s[a], 8);
	s[c] += s[d];
	s[b] = rotate(s[b] ^ s[c], 7);
}

static void block(const uint32_t with[KEY_WORDS], uint64_t counter, uint8_t out[BLOCK_BYTES])
{
	uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574}, s[16];

	memcpy(&start[4], with, KEY_BYTES);
	start[12] = (uint32_t)counter;
	start[13] = (uint32_t)(counter >> 32);
	memcpy(s, start, sizeof(s));
	for (int round = 0; round < 10; round++) {
		for (unsigned i = 0; i < 4; i++)
			quarter(s, i, 4 + i, 8 + i, 12 + i);
		for (unsigned i = 0; i < 4; i++)
			quarter(s, i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4);
	}
	for (unsigned i = 0; i < 16; i++)
		s[i] += start[i];
	memcpy(out, s, BLOCK_BYTES);
}

/* Mixes 32 bytes into the key: the key becomes the output under itself and them. */
static void mix(const void *seed)
{
	uint8_t out[BLOCK_BYTES];
	uint32_t words[KEY_WORDS];

	memcpy(words, seed, KEY_BYTES);
	for (unsigned i = 0; i < KEY_WORDS; i++)
		words[i] ^= key[i];
	block(words, 0, out);
	memcpy(key, out, KEY_BYTES);
}

static void seed(uint64_t salt)
{
	uint64_t words[KEY_BYTES / 8] = {0};

	machine_entropy(words, sizeof(words));
	mix(words);
	words[0] = arch_time_ns();
	words[1] = salt;
	mix(words);
	reseed_ns = arch_time_ns() + RESEED_NS;
}

void random_init(uint64_t realtime_ns) { seed(realtime_ns); }

void arch_random(void *buf, size_t size_bytes)
{
	uint8_t out[BLOCK_BYTES], *to = buf;
	uint32_t with[KEY_WORDS];
	size_t used = KEY_BYTES;

	if (arch_time_ns() >= reseed_ns)
		seed(reseed_ns);
	memcpy(with, key, sizeof(with));
	block(with, 0, out);
	memcpy(key, out, KEY_BYTES); /* the first half of the first block is the next key, the other goes out */
	for (uint64_t counter = 1; size_bytes > 0; counter++) {
		size_t n = MIN(size_bytes, BLOCK_BYTES - used);

		memcpy(to, out + used, n);
		to += n;
		size_bytes -= n;
		if (size_bytes > 0)
			block(with, counter, out);
		used = 0;
	}
}
