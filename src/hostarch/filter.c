/*
 * The seccomp filter of a stub, as classic BPF. Straight-line code: each check
 * either goes on or returns TRAP, so there is nothing to get wrong in jumps.
 */
#include "hostarch/filter.h"

#include "lib/assert.h"
#include "lib/types.h"

/* BPF and seccomp constants (linux/bpf_common.h, linux/seccomp.h, linux/audit.h). */
enum { LOAD_WORD = 0x20, JUMP_EQ = 0x15, JUMP_GT = 0x25, JUMP_GE = 0x35, RETURN = 0x06 };
#define RET_TRAP 0x00030000u
#define RET_ALLOW 0x7fff0000u
#define ARCH_X86_64 0xc000003eu
enum { DATA_NR = 0, DATA_ARCH = 4, DATA_IP = 8 };
#define DATA_ARG(i) (16u + 8u * (i))
#define HIGH 4u /* little endian */

enum { NR_MMAP = 9, NR_MUNMAP = 11, NR_YIELD = 24, NR_ARCH_PRCTL = 158, NR_FUTEX = 202 };
enum { ARCH_SET_GS = 0x1001, ARCH_SET_FS = 0x1002 };

static unsigned emit(struct stub_setup *s, unsigned code, unsigned jt, unsigned jf, uint32_t k)
{
	unsigned at = s->nr_filter;

	ASSERT(at < ARRAY_SIZE(s->filter));
	s->filter[at].code = (uint16_t)code;
	s->filter[at].jt = (uint8_t)jt;
	s->filter[at].jf = (uint8_t)jf;
	s->filter[at].k = k;
	s->nr_filter = at + 1;
	return at;
}

static void load(struct stub_setup *s, uint32_t offset) { emit(s, LOAD_WORD, 0, 0, offset); }
static void allow(struct stub_setup *s) { emit(s, RETURN, 0, 0, RET_ALLOW); }

/* Goes on when the loaded word equals k, is at least k, or is at most k. */
static void require_equal(struct stub_setup *s, uint32_t k)
{
	emit(s, JUMP_EQ, 1, 0, k);
	emit(s, RETURN, 0, 0, RET_TRAP);
}
static void require_at_least(struct stub_setup *s, uint32_t k)
{
	emit(s, JUMP_GE, 1, 0, k);
	emit(s, RETURN, 0, 0, RET_TRAP);
}
static void require_at_most(struct stub_setup *s, uint32_t k)
{
	emit(s, JUMP_GT, 0, 1, k);
	emit(s, RETURN, 0, 0, RET_TRAP);
}

/* The instructions up to end_block() are for a loaded word that equals k. */
static unsigned begin_block(struct stub_setup *s, uint32_t k) { return emit(s, JUMP_EQ, 0, 0, k); }
static void end_block(struct stub_setup *s, unsigned block)
{
	s->filter[block].jf = (uint8_t)(s->nr_filter - block - 1);
}

static void block_map(struct stub_setup *s, const uint32_t secret[2])
{
	load(s, DATA_NR);
	require_at_least(s, NR_MMAP); /* mmap, mprotect, munmap are neighbours */
	require_at_most(s, NR_MUNMAP);
	load(s, DATA_ARG(0) + HIGH);
	require_at_most(s, (uint32_t)(STUB_GUEST_END >> 32) - 1);
	load(s, DATA_ARG(3) + HIGH);
	require_equal(s, secret[0]);
	load(s, DATA_ARG(4) + HIGH);
	require_equal(s, secret[1]);
	allow(s);
}

static void block_futex(struct stub_setup *s)
{
	unsigned block;

	load(s, DATA_NR);
	require_equal(s, NR_FUTEX);
	load(s, DATA_ARG(2));
	require_equal(s, 1); /* FUTEX_WAIT: TURN_KERNEL; FUTEX_WAKE: one thread */
	load(s, DATA_ARG(0) + HIGH);
	require_equal(s, (uint32_t)(STUB_SHARED >> 32));
	load(s, DATA_ARG(0));
	block = begin_block(s, (uint32_t)(STUB_SHARED + C_TURN));
	load(s, DATA_ARG(1));
	require_equal(s, 0); /* FUTEX_WAIT */
	allow(s);
	end_block(s, block);
	require_equal(s, (uint32_t)(STUB_SHARED + C_DOORBELL));
	load(s, DATA_ARG(1));
	require_equal(s, 1); /* FUTEX_WAKE */
	allow(s);
}

static void block_bases(struct stub_setup *s)
{
	load(s, DATA_NR);
	require_equal(s, NR_ARCH_PRCTL);
	load(s, DATA_ARG(0));
	require_at_least(s, ARCH_SET_GS);
	require_at_most(s, ARCH_SET_FS);
	allow(s);
}

void filter_build(struct stub_setup *s, const struct stub_header *header, const uint32_t secret[2])
{
	unsigned block;

	s->nr_filter = 0;
	load(s, DATA_ARCH);
	require_equal(s, ARCH_X86_64);
	load(s, DATA_IP + HIGH);
	require_equal(s, (uint32_t)(STUB_TEXT >> 32));
	load(s, DATA_IP);
	block = begin_block(s, (uint32_t)header->gate_futex);
	block_futex(s);
	end_block(s, block);
	block = begin_block(s, (uint32_t)header->gate_map);
	block_map(s, secret);
	end_block(s, block);
	block = begin_block(s, (uint32_t)header->gate_yield);
	load(s, DATA_NR);
	require_equal(s, NR_YIELD);
	allow(s);
	end_block(s, block);
	block = begin_block(s, (uint32_t)header->gate_bases);
	block_bases(s);
	end_block(s, block);
	emit(s, RETURN, 0, 0, RET_TRAP);
}
