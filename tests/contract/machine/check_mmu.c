/*
 * Contract tests of the MMU: faults, the permission matrix, flushes, fork, and
 * what attaching and detaching cost in frames.
 */
#include "abi/errno.h"
#include "abi/mman.h"
#include "contract.h"
#include "mm/frame.h"
#include "mm/usercopy.h"

static struct guest g, h;
static struct aspace *as;

static bool begin(void)
{
	as = contract_aspace();
	if (as == NULL)
		return false;
	if (guest_create(&g, as))
		return true;
	aspace_put(as);
	return false;
}

static void end(void)
{
	guest_destroy(&g);
	aspace_put(as);
}

static uint64_t word_at(struct aspace *space, uint64_t va)
{
	uint64_t word = 0;

	CHECK(copy_from_user_in(space, &word, uaddr(va), sizeof(word)) == 0);
	return word;
}

static bool set_word(struct aspace *space, uint64_t va, uint64_t word)
{
	return copy_to_user_forced(space, uaddr(va), &word, sizeof(word)) == 0;
}

/* ---- faults -------------------------------------------------------------- */

static void test_fault_upcall(void)
{
	static const unsigned kinds[] = {TRAP_READ, TRAP_WRITE, TRAP_EXEC};

	REQUIRE(begin());
	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		unsigned nr_faults = 0;

		/* guest_access() checks address and access of each fault */
		CHECK(guest_access(&g, DATA_VA + 0x128, kinds[i], &nr_faults) == -EFAULT);
		CHECK(nr_faults == 1);
	}
	end();
}

static void test_fault_once(void)
{
	unsigned nr_faults = 0;

	REQUIRE(begin());
	REQUIRE(map_pages(as, DATA_VA, 1, PROT_READ | PROT_WRITE));
	CHECK(guest_access(&g, DATA_VA + 8, TRAP_WRITE, &nr_faults) == 0);
	CHECK(nr_faults == 1);
	/* Now the table allows both: a machine that misses its cache says nothing. */
	CHECK(guest_access(&g, DATA_VA + 8, TRAP_WRITE, &nr_faults) == 0);
	CHECK(guest_access(&g, DATA_VA + 8, TRAP_READ, &nr_faults) == 0);
	CHECK(nr_faults == 1);
	CHECK(frame_arg(&g.frame, 0) == DATA_VA + 8);
	CHECK(word_at(as, DATA_VA + 8) == DATA_VA + 8);
	end();
}

static void test_last_page(void)
{
	uint64_t va;

	REQUIRE(begin());
	CHECK(as->user_end <= arch_user_end());
	va = as->user_end - PAGE_SIZE;
	REQUIRE(map_pages(as, va, 1, PROT_READ | PROT_WRITE));
	REQUIRE(map_pages(as, ARCH_USER_MIN, 1, PROT_READ | PROT_WRITE));
	CHECK(guest_access(&g, va + PAGE_SIZE - 16, TRAP_WRITE, NULL) == 0);
	CHECK(guest_access(&g, ARCH_USER_MIN, TRAP_WRITE, NULL) == 0);
	CHECK(word_at(as, va + PAGE_SIZE - 16) == va + PAGE_SIZE - 16);
	CHECK(word_at(as, ARCH_USER_MIN) == ARCH_USER_MIN);
	end();
}

static void test_spread_pages(void)
{
	enum { NR = 600, STEP = 37 };

	REQUIRE(begin());
	REQUIRE(map_pages(as, DATA_VA, NR * STEP, PROT_READ | PROT_WRITE));
	for (unsigned i = 0; i < NR; i++)
		REQUIRE(guest_access(&g, DATA_VA + i * STEP * PAGE_SIZE, TRAP_WRITE, NULL) == 0);
	for (unsigned i = 0; i < NR; i++) {
		uint64_t va = DATA_VA + i * STEP * PAGE_SIZE;

		REQUIRE(guest_access(&g, va, TRAP_READ, NULL) == 0);
		CHECK(frame_arg(&g.frame, 0) == va);
	}
	end();
}

/* Accessed and dirty are set by use, not before. */
static void test_accessed_and_dirty(void)
{
	pfn_t fresh = frame_alloc_zeroed(FRAME_ANON);
	struct pt_gather gather;
	struct pt_entry e;

	REQUIRE(!pfn_is_none(fresh));
	REQUIRE(begin());
	REQUIRE(map_pages(as, DATA_VA, 1, PROT_READ | PROT_WRITE));
	CHECK(guest_access(&g, DATA_VA, TRAP_WRITE, NULL) == 0);
	mutex_lock(&as->lock);
	pt_gather_init(&gather, as, false);
	as->pt.ops->replace(&as->pt, DATA_VA, fresh, prot_make(PROT_BIT_R | PROT_BIT_W), PT_USER, &gather);
	pt_gather_finish(&gather);
	mutex_unlock(&as->lock);
	CHECK(as->pt.ops->lookup(&as->pt, DATA_VA, &e) && !e.accessed && !e.dirty);
	CHECK(guest_access(&g, DATA_VA, TRAP_READ, NULL) == 0);
	CHECK(frame_arg(&g.frame, 0) == 0); /* the new frame, not the old one */
	CHECK(as->pt.ops->lookup(&as->pt, DATA_VA, &e) && e.accessed && !e.dirty);
	CHECK(guest_access(&g, DATA_VA, TRAP_WRITE, NULL) == 0);
	CHECK(as->pt.ops->lookup(&as->pt, DATA_VA, &e) && e.accessed && e.dirty);
	end();
}

/* ---- the permission matrix ----------------------------------------------- */

/* What the rights must give. Reading a page that may be written or executed is the format's choice. */
enum verdict { REFUSED, ALLOWED, EITHER };

static enum verdict expected(unsigned prot, unsigned access)
{
	if (access == TRAP_READ)
		return prot & PROT_READ ? ALLOWED : prot != PROT_NONE ? EITHER : REFUSED;
	if (access == TRAP_WRITE)
		return prot & PROT_WRITE ? ALLOWED : REFUSED;
	return prot & PROT_EXEC ? ALLOWED : REFUSED;
}

static void check_cell(unsigned prot, unsigned access, const char *how)
{
	enum verdict want = expected(prot, access);
	int r = guest_access(&g, DATA_VA, access, NULL);

	if (want == ALLOWED ? r != 0 : want == REFUSED ? r != -EACCES : r != 0 && r != -EACCES) {
		say("# %s prot %c%c%c, access %u: result %d\n", how, prot & PROT_READ ? 'r' : '-',
			prot & PROT_WRITE ? 'w' : '-', prot & PROT_EXEC ? 'x' : '-', access, r);
		CHECK(!"the permission matrix holds");
	}
}

static bool put_code(void)
{
	const size_t bytes = (size_t)(guest_code_end - guest_code);

	return copy_to_user_forced(as, uaddr(DATA_VA), guest_call, bytes - (size_t)(guest_call - guest_code)) == 0;
}

/* Every combination of rights, as they were mapped. */
static void test_matrix_mapped(void)
{
	static const unsigned kinds[] = {TRAP_READ, TRAP_EXEC, TRAP_WRITE};

	REQUIRE(begin());
	for (unsigned prot = 0; prot < 8; prot++) {
		for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
			REQUIRE(map_pages(as, DATA_VA, 1, prot));
			REQUIRE(put_code());
			check_cell(prot, kinds[i], "mapped with");
			check_cell(prot, kinds[i], "again, mapped with");
		}
	}
	end();
}

/* From every combination to every other: no right outlives mprotect, none is lost. */
static void test_matrix_changed(void)
{
	static const unsigned kinds[] = {TRAP_READ, TRAP_EXEC, TRAP_WRITE};

	REQUIRE(begin());
	for (unsigned before = 0; before < 8; before++) {
		for (unsigned after = 0; after < 8; after++) {
			REQUIRE(map_pages(as, DATA_VA, 1, before));
			REQUIRE(put_code());
			for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
				check_cell(before, kinds[i], "before mprotect:");
				REQUIRE(put_code());
			}
			REQUIRE(aspace_mprotect(as, DATA_VA, PAGE_SIZE, after) == 0);
			for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++)
				check_cell(after, kinds[i], "after mprotect:");
		}
	}
	end();
}

/* Code that is written again is what runs. */
static void test_code_changes(void)
{
	REQUIRE(begin());
	REQUIRE(map_pages(as, DATA_VA, 1, PROT_READ | PROT_WRITE | PROT_EXEC));
	REQUIRE(put_code());
	CHECK(guest_access(&g, DATA_VA, TRAP_EXEC, NULL) == 0);
	frame_init_user(&g.frame, DATA_VA, DATA_VA);
	REQUIRE(copy_to_user_forced(as, uaddr(DATA_VA), guest_args, (size_t)(guest_spin - guest_args)) == 0);
	CHECK(guest_run_past_interrupts(&g).kind == EVENT_SYSCALL);
	CHECK(frame_arg(&g.frame, 5) == 66);
	end();
}

/* ---- flushes ------------------------------------------------------------- */

/* Changes the rights of one present page behind the core's back. */
static void set_rights(uint64_t va, unsigned bits)
{
	mutex_lock(&as->lock);
	as->pt.ops->set_prot(&as->pt, va, prot_make(bits), 0);
	mutex_unlock(&as->lock);
}

/* The guest must fault at va now, and must not when the rights are back. */
static void check_flushed(uint64_t va)
{
	struct event e;

	frame_init_user(&g.frame, GUEST_PC(guest_read), va);
	e = guest_run_past_interrupts(&g);
	CHECK(e.kind == EVENT_FAULT && e.addr == va && e.what == TRAP_READ);
	set_rights(va, PROT_BIT_R | PROT_BIT_W);
	CHECK(guest_run_past_interrupts(&g).kind == EVENT_SYSCALL);
}

static void test_flush_range(void)
{
	const uint64_t va = DATA_VA + 3 * PAGE_SIZE;

	REQUIRE(begin());
	REQUIRE(map_pages(as, DATA_VA, 8, PROT_READ | PROT_WRITE));
	for (unsigned i = 0; i < 8; i++)
		REQUIRE(guest_access(&g, DATA_VA + i * PAGE_SIZE, TRAP_WRITE, NULL) == 0);
	set_rights(va, 0);
	mutex_lock(&as->lock);
	arch_tlb_flush_range(as, uaddr(va), uaddr(va + PAGE_SIZE));
	mutex_unlock(&as->lock);
	check_flushed(va);
	CHECK(guest_access(&g, DATA_VA + 2 * PAGE_SIZE, TRAP_READ, NULL) == 0);
	CHECK(frame_arg(&g.frame, 0) == DATA_VA + 2 * PAGE_SIZE);
	end();
}

static void test_flush_all(void)
{
	REQUIRE(begin());
	REQUIRE(map_pages(as, DATA_VA, 2, PROT_READ | PROT_WRITE));
	CHECK(guest_access(&g, DATA_VA, TRAP_WRITE, NULL) == 0);
	CHECK(guest_access(&g, DATA_VA + PAGE_SIZE, TRAP_WRITE, NULL) == 0);
	set_rights(DATA_VA, 0);
	set_rights(DATA_VA + PAGE_SIZE, 0);
	mutex_lock(&as->lock);
	arch_tlb_flush_all(as);
	mutex_unlock(&as->lock);
	check_flushed(DATA_VA);
	check_flushed(DATA_VA + PAGE_SIZE);
	end();
}

static void test_unmapped_page_is_gone(void)
{
	REQUIRE(begin());
	for (unsigned i = 0; i < 20; i++) {
		REQUIRE(map_pages(as, DATA_VA, 4, PROT_READ | PROT_WRITE));
		CHECK(guest_access(&g, DATA_VA + PAGE_SIZE, TRAP_WRITE, NULL) == 0);
		CHECK(aspace_munmap(as, DATA_VA, 4 * PAGE_SIZE) == 0);
		CHECK(guest_access(&g, DATA_VA + PAGE_SIZE, TRAP_READ, NULL) == -EFAULT);
		REQUIRE(map_pages(as, DATA_VA, 4, PROT_READ | PROT_WRITE));
		CHECK(guest_access(&g, DATA_VA + PAGE_SIZE, TRAP_READ, NULL) == 0);
		CHECK(frame_arg(&g.frame, 0) == 0); /* a new page, not the old frame */
	}
	end();
}

/* ---- address spaces ------------------------------------------------------ */

static void test_switch(void)
{
	struct aspace *other;

	REQUIRE(begin());
	other = contract_aspace();
	REQUIRE(other != NULL && guest_create(&h, other));
	REQUIRE(map_pages(as, DATA_VA, 1, PROT_READ | PROT_WRITE));
	REQUIRE(map_pages(other, DATA_VA, 1, PROT_READ | PROT_WRITE));
	REQUIRE(set_word(as, DATA_VA, 1111) && set_word(other, DATA_VA, 2222));
	for (unsigned i = 0; i < 20; i++) {
		CHECK(guest_access(&g, DATA_VA, TRAP_READ, NULL) == 0);
		CHECK(frame_arg(&g.frame, 0) == 1111);
		CHECK(guest_access(&h, DATA_VA, TRAP_READ, NULL) == 0);
		CHECK(frame_arg(&h.frame, 0) == 2222);
	}
	guest_destroy(&h);
	aspace_put(other);
	end();
}

static void test_fork(void)
{
	struct aspace *child;

	REQUIRE(begin());
	REQUIRE(map_pages(as, DATA_VA, 3, PROT_READ | PROT_WRITE));
	for (unsigned i = 0; i < 2; i++)
		CHECK(guest_access(&g, DATA_VA + i * PAGE_SIZE, TRAP_WRITE, NULL) == 0);
	REQUIRE(set_word(as, DATA_VA, 1111));
	REQUIRE(aspace_fork(as, &child) == 0);
	REQUIRE(guest_create(&h, child));
	CHECK(guest_access(&h, DATA_VA, TRAP_READ, NULL) == 0);
	CHECK(frame_arg(&h.frame, 0) == 1111);
	CHECK(guest_access(&h, DATA_VA, TRAP_WRITE, NULL) == 0);
	CHECK(word_at(as, DATA_VA) == 1111 && word_at(child, DATA_VA) == DATA_VA);
	CHECK(guest_access(&g, DATA_VA + PAGE_SIZE + 64, TRAP_WRITE, NULL) == 0);
	CHECK(word_at(child, DATA_VA + PAGE_SIZE + 64) == 0);
	CHECK(guest_access(&g, DATA_VA, TRAP_READ, NULL) == 0);
	CHECK(frame_arg(&g.frame, 0) == 1111);
	guest_destroy(&h);
	aspace_put(child);
	CHECK(guest_access(&g, DATA_VA, TRAP_WRITE, NULL) == 0);
	end();
}

static void test_attach_costs_nothing(void)
{
	struct aspace *some;
	uint64_t before, after;

	/* Once to warm up: caches of the core and of the machine fill. */
	for (unsigned round = 0; round < 2; round++) {
		arch_mmu_shrink();
		frame_shrink_all();
		before = frame_nr_free();
		for (unsigned i = 0; i < 10; i++) {
			REQUIRE(aspace_create(NULL, &some) == 0);
			aspace_put(some);
		}
		arch_mmu_shrink();
		frame_shrink_all();
		after = frame_nr_free();
	}
	CHECK(after == before);
}

/* Fork, run, exit, again and again: the machine may keep frames warm, and gives all of them back. */
static void test_warm_frames(void)
{
	uint64_t before = 0, after;

	REQUIRE(begin());
	REQUIRE(map_pages(as, DATA_VA, 8, PROT_READ | PROT_WRITE));
	for (unsigned i = 0; i < 8; i++)
		CHECK(guest_access(&g, DATA_VA + i * PAGE_SIZE, TRAP_WRITE, NULL) == 0);
	for (unsigned round = 0; round < 20; round++) {
		struct aspace *child;

		if (round == 2) {
			frame_shrink_all();
			before = frame_nr_free();
		}
		REQUIRE(aspace_fork(as, &child) == 0);
		REQUIRE(guest_create(&h, child));
		CHECK(guest_access(&h, DATA_VA, TRAP_WRITE, NULL) == 0);
		CHECK(guest_access(&h, DATA_VA + PAGE_SIZE, TRAP_READ, NULL) == 0);
		CHECK(frame_arg(&h.frame, 0) == DATA_VA + PAGE_SIZE);
		guest_destroy(&h);
		aspace_put(child);
		CHECK(mm_audit() == 0); /* counts arch_mmu_frame_refs() too */
	}
	frame_shrink_all();
	after = frame_nr_free();
	CHECK(after == before);
	end();
	frame_shrink_all();
	for (uint32_t i = 0; i < frame_span(); i++)
		REQUIRE(arch_mmu_frame_refs((pfn_t){frame_first().raw + i}) == 0);
	CHECK(mm_audit() == 0);
}

const struct contract_test mmu_tests[] = {
	{"fault: address and access are the guest's", test_fault_upcall},
	{"fault: none where the table allows the access", test_fault_once},
	{"fault: the first and the last page", test_last_page},
	{"fault: many pages far apart", test_spread_pages},
	{"fault: accessed and dirty are set by use", test_accessed_and_dirty},
	{"rights: as mapped, every combination", test_matrix_mapped},
	{"rights: after mprotect, from every combination to every other", test_matrix_changed},
	{"code: what is written again is what runs", test_code_changes},
	{"flush: a range", test_flush_range},
	{"flush: everything", test_flush_all},
	{"flush: an unmapped page is gone", test_unmapped_page_is_gone},
	{"aspace: two do not mix", test_switch},
	{"aspace: fork gives a copy", test_fork},
	{"aspace: attach and detach cost no frame", test_attach_costs_nothing},
	{"aspace: frames kept warm are counted and come back", test_warm_frames},
	{NULL, NULL},
};
