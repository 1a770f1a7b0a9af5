/*
 * Making stubs: the process, its filter and secret, and at boot what all of
 * them have in common: the host's signal frame, and whether the secret works. See
 * stubs.h, and stub/start.c for the other side.
 */
#include "abi/errno.h"
#include "hostarch/filter.h"
#include "hostarch/host.h"
#include "hostarch/seeded.h"
#include "hostarch/stubs_internal.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/prot.h"

#define MAX_STUBS 8192u
#define STRUCT_SLAB_BYTES (64 * 1024u)
#define ALTSTACK_OFFSET (STUB_ALTSTACK - STUB_SHARED)
#define UC_RIP (UC_GREGS + 16 * 8)

/* In the XSAVE image: what the host says of it. */
#define FX_SW_RESERVED 464u
#define FX_MAGIC1 0x46505853u

enum { NR_MMAP = 9, NR_MUNMAP = 11, MAP_SHARED_FIXED = 0x11 };

extern const char stub_image[], stub_image_end[]; /* stub_image.S */

uint32_t xstate_bytes;
uint64_t xstate_mask;
const char *xstate_initial;

static char *shared_base;
static uint16_t free_slots[MAX_STUBS];
static unsigned nr_free_slots;
static struct stub *free_structs;
static uint32_t first_fpu_offset;

static struct stub *struct_alloc(void)
{
	struct stub *s = free_structs;

	if (s == NULL) {
		char *pages = host_pages_alloc(STRUCT_SLAB_BYTES);

		if (pages == NULL)
			return NULL;
		for (size_t at = 0; at + sizeof(*s) <= STRUCT_SLAB_BYTES; at += sizeof(*s)) {
			s = (struct stub *)(pages + at);
			s->control = (struct stub_control *)free_structs;
			free_structs = s;
		}
	}
	free_structs = (struct stub *)s->control;
	memset(s, 0, sizeof(*s));
	return s;
}

static void struct_free(struct stub *s)
{
	s->control = (struct stub_control *)free_structs;
	free_structs = s;
}

static void prepare(struct stub *s)
{
	uint32_t secret[2];

	memset(s->control, 0, STUB_CONTROL_BYTES);
	host_random(secret, sizeof(secret));
	s->secret[0] = (uint64_t)secret[0] << 32;
	s->secret[1] = (uint64_t)secret[1] << 32;
	s->control->setup.traps_counter = seeded_on;
	s->control->setup.parent = host_getpid();
	filter_build(&s->control->setup, &stub_header, secret);
}

/* The stub has answered for the first time: did its filter trap the probe? */
static bool filter_stands(struct stub *s)
{
	struct stub_control *c = s->control;
	uint32_t at;
	uint64_t rip;

	if (c->signal != HOST_SIGSYS || !altstack_offset(c->ucontext, UC_BYTES, 8, &at))
		return false;
	memcpy(&rip, stub_shared(s, at + UC_RIP), sizeof(rip));
	return rip == stub_header.probe;
}

struct stub *stub_create(int *error)
{
	struct stub *s = nr_free_slots == 0 ? NULL : struct_alloc();

	*error = -EAGAIN;
	if (s == NULL)
		return NULL;
	list_init(&s->pool_link);
	s->slot = free_slots[--nr_free_slots];
	s->control = (struct stub_control *)(shared_base + (size_t)s->slot * STUB_SHARED_BYTES);
	prepare(s);
	s->pid = host_stub_spawn((uint64_t)s->slot * STUB_SHARED_BYTES);
	list_add_tail(&all_stubs, &s->all_link);
	if (s->pid < 0) {
		*error = s->pid == -ENOMEM ? -ENOMEM : -EAGAIN;
		s->pid = 0;
		s->is_dead = true;
		stub_destroy(s);
		return NULL;
	}
	host_stub_set_running(0, &s->control->doorbell);
	stub_wait_for_turn(s);
	host_stub_set_running(0, NULL);
	stub_is_stopped(s);
	if (s->is_dead || !filter_stands(s)) {
		if (s->control->op_error < 0)
			*error = s->control->op_error; /* what seccomp said */
		else if (s->control->setup.error < 0)
			*error = s->control->setup.error;
		stub_destroy(s);
		return NULL;
	}
	s->has_fsgsbase = (s->control->flags & STUB_FLAG_NO_FSGSBASE) == 0;
	memset(&s->control->setup, 0, sizeof(s->control->setup));
	s->fpu_offset = first_fpu_offset;
	engine_stats.nr_stubs_created++;
	return s;
}

void stub_destroy(struct stub *s)
{
	stub_forget(s);
	if (s->pid != 0)
		host_stub_kill(s->pid);
	list_remove(&s->all_link);
	list_remove(&s->pool_link);
	tlb_destroy(&s->tlb);
	free_slots[nr_free_slots++] = (uint16_t)s->slot;
	struct_free(s);
}

/* ---- boot ---------------------------------------------------------------- */

static bool find_header(void)
{
	for (const char *p = stub_image; p + sizeof(stub_header) <= stub_image_end; p += 64) {
		memcpy(&stub_header, p, sizeof(stub_header));
		if (stub_header.magic == STUB_MAGIC)
			return true;
	}
	return false;
}

/* Learns from the probe's signal frame what the host saves, and keeps it as the state of a new program. */
static bool learn_frame(struct stub *s)
{
	uint32_t at, magic, bytes;
	uint64_t fpstate;
	char *initial;

	if (!altstack_offset(s->control->ucontext, UC_BYTES, 8, &at))
		return false;
	memcpy(&fpstate, stub_shared(s, at + UC_FPSTATE), sizeof(fpstate));
	if (!altstack_offset(fpstate, 512, 64, &first_fpu_offset))
		return false;
	memcpy(&magic, stub_shared(s, first_fpu_offset + FX_SW_RESERVED), sizeof(magic));
	memcpy(&bytes, stub_shared(s, first_fpu_offset + FX_SW_RESERVED + 4), sizeof(bytes));
	memcpy(&xstate_mask, stub_shared(s, first_fpu_offset + FX_SW_RESERVED + 8), sizeof(xstate_mask));
	if (magic != FX_MAGIC1 || !altstack_offset(fpstate, bytes, 64, &first_fpu_offset))
		return false;
	if (at < ALTSTACK_OFFSET + STUB_ALTSTACK_BYTES - STUB_FRAME_ROOM + INFO_BYTES)
		return false; /* the frame is larger than its room */
	initial = host_pages_alloc(ALIGN_UP(bytes, PAGE_SIZE));
	if (initial == NULL)
		return false;
	xstate_bytes = bytes;
	memcpy(initial, stub_shared(s, first_fpu_offset), bytes);
	xstate_initial = initial;
	s->fpu_offset = first_fpu_offset;
	return true;
}

/* A map operation with the wrong secret must trap, with the right one must work. */
static bool secret_works(struct stub *s)
{
	const struct stub_op op = {NR_MMAP, 0x10000, PAGE_SIZE, PROT_BIT_R, MAP_SHARED_FIXED, STUB_FD_RO, 0};
	struct stub_control *c = s->control;
	const uint64_t right = s->secret[1];
	uint32_t at;
	uint64_t rip;

	c->ops[0] = op;
	s->nr_ops = 1;
	s->secret[1] ^= (uint64_t)1 << 32;
	stub_do_ops(s);
	s->secret[1] = right;
	if (s->is_dead || c->signal != HOST_SIGSYS || !altstack_offset(c->ucontext, UC_BYTES, 8, &at))
		return false;
	memcpy(&rip, stub_shared(s, at + UC_RIP), sizeof(rip));
	if (rip != stub_header.gate_map)
		return false;
	c->ops[0] = op;
	c->ops[1] = (struct stub_op){NR_MUNMAP, 0x10000, PAGE_SIZE, 0, 0, 0, 0};
	s->nr_ops = 2;
	return stub_do_ops(s) && !s->is_dead && c->ucontext == 0;
}

int stubs_init(const char **what_failed)
{
	const size_t shared_bytes = (size_t)MAX_STUBS * STUB_SHARED_BYTES;
	struct stub *s;
	void *base;
	int error;

	*what_failed = "cannot set up guest processes";
	if (!find_header())
		return -ENOEXEC;
	error = host_stub_setup(stub_image, (size_t)(stub_image_end - stub_image), shared_bytes, &base);
	if (error != 0)
		return error;
	shared_base = base;
	for (unsigned i = 0; i < MAX_STUBS; i++)
		free_slots[nr_free_slots++] = (uint16_t)(MAX_STUBS - 1 - i);
	*what_failed = "cannot start a guest process (seccomp and memfd are needed)";
	s = stub_create(&error);
	if (s == NULL)
		return error;
	*what_failed = "the host's signal frames are not understood (XSAVE is needed)";
	if (!learn_frame(s))
		return -ENOSYS;
	*what_failed = "the host's mmap does not ignore the high halves of its arguments";
	if (!secret_works(s))
		return -ENOSYS;
	pool_add(s);
	return 0;
}
