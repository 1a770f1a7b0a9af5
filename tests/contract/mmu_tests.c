/* Translations: rights are exact, a flush is needed and is enough, warm frames are accounted for. */
#include "contract.h"

#include "abi/mman.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/pt.h"
#include "mm/usercopy.h"

static struct guest guest;
static struct aspace *as;

static void begin(void)
{
	as = guest_aspace();
	guest_init(&guest, as);
}

static void end(void)
{
	guest_destroy(&guest);
	aspace_put(as);
	as = NULL;
}

static struct event access(enum user_entry entry, uint64_t addr, uint64_t value)
{
	guest_go(&guest, entry);
	guest.frame.rdi = addr;
	guest.frame.rsi = value;
	return guest_run(&guest);
}

static bool can(enum user_entry entry, uint64_t addr) { return access(entry, addr, 0).kind == EVENT_SYSCALL; }

static void expect_fault(enum user_entry entry, uint64_t addr, unsigned how)
{
	struct event e = access(entry, addr, 0);

	EXPECT(e.kind == EVENT_FAULT);
	EXPECT(e.addr.raw == addr);
	EXPECT(e.access == how);
}

static void test_fault_kinds(void)
{
	begin();
	expect_fault(USER_LOAD, DATA_ADDR + 8, TRAP_READ);
	expect_fault(USER_STORE, DATA_ADDR + 16, TRAP_WRITE);
	expect_fault(USER_CALL, DATA_ADDR + 24, TRAP_EXEC);
	expect_fault(USER_LOAD, 0, TRAP_READ);
	expect_fault(USER_LOAD, arch_user_end(), TRAP_READ);
	expect_fault(USER_STORE, arch_user_end() - PAGE_SIZE, TRAP_WRITE);
	EXPECT(aspace_fault(as, uaddr(DATA_ADDR), TRAP_WRITE) == 0);
	EXPECT(can(USER_STORE, DATA_ADDR));
	EXPECT(can(USER_LOAD, DATA_ADDR));
	expect_fault(USER_CALL, DATA_ADDR, TRAP_EXEC);
	expect_fault(USER_STORE, CODE_ADDR, TRAP_WRITE);
	end();
}

/* What the guest writes the kernel reads, and the other way round. */
static void test_shared_view(void)
{
	uint64_t value = 0;

	begin();
	EXPECT(aspace_fault(as, uaddr(DATA_ADDR), TRAP_WRITE) == 0);
	access(USER_STORE, DATA_ADDR + 64, 0x1122334455667788u);
	EXPECT(copy_from_user_in(as, &value, uaddr(DATA_ADDR + 64), 8) == 0 && value == 0x1122334455667788u);
	value = 99;
	EXPECT(copy_to_user_in(as, uaddr(DATA_ADDR + 64), &value, 8) == 0);
	access(USER_LOAD, DATA_ADDR + 64, 0);
	EXPECT(guest.frame.rsi == 99);
	end();
}

static void test_unmap(void)
{
	begin();
	for (unsigned i = 0; i < DATA_PAGES; i++)
		EXPECT(aspace_fault(as, uaddr(DATA_ADDR + i * PAGE_SIZE), TRAP_WRITE) == 0);
	for (unsigned i = 0; i < DATA_PAGES; i++)
		EXPECT(can(USER_STORE, DATA_ADDR + i * PAGE_SIZE));
	EXPECT(aspace_munmap(as, DATA_ADDR + 4 * PAGE_SIZE, 8 * PAGE_SIZE) == 0);
	for (unsigned i = 0; i < DATA_PAGES; i++)
		EXPECT(can(USER_LOAD, DATA_ADDR + i * PAGE_SIZE) == (i < 4 || i >= 12));
	end();
}

static void test_protect(void)
{
	begin();
	for (unsigned i = 0; i < 20; i++)
		EXPECT(aspace_fault(as, uaddr(DATA_ADDR + i * PAGE_SIZE), TRAP_WRITE) == 0);
	for (unsigned i = 0; i < 20; i++)
		EXPECT(can(USER_STORE, DATA_ADDR + i * PAGE_SIZE));
	EXPECT(aspace_mprotect(as, DATA_ADDR + PAGE_SIZE, 5 * PAGE_SIZE, PROT_READ) == 0);
	EXPECT(aspace_mprotect(as, DATA_ADDR + 8 * PAGE_SIZE, PAGE_SIZE, PROT_NONE) == 0);
	for (unsigned i = 0; i < 20; i++) {
		EXPECT(can(USER_LOAD, DATA_ADDR + i * PAGE_SIZE) == (i != 8));
		EXPECT(can(USER_STORE, DATA_ADDR + i * PAGE_SIZE) == (i != 8 && (i < 1 || i > 5)));
	}
	EXPECT(aspace_mprotect(as, DATA_ADDR + PAGE_SIZE, 8 * PAGE_SIZE, PROT_READ | PROT_WRITE) == 0);
	for (unsigned i = 0; i < 20; i++) {
		EXPECT(aspace_fault(as, uaddr(DATA_ADDR + i * PAGE_SIZE), TRAP_WRITE) == 0);
		EXPECT(can(USER_STORE, DATA_ADDR + i * PAGE_SIZE));
	}
	end();
}

/* A page table changed without a flush: the old translation may go on, and after the flush it must not. */
static void test_flush(void)
{
	struct pt_gather g;
	struct pt_entry e;

	begin();
	EXPECT(aspace_fault(as, uaddr(DATA_ADDR), TRAP_WRITE) == 0);
	EXPECT(can(USER_STORE, DATA_ADDR));
	mutex_lock(&as->lock);
	pt_gather_init(&g, as, false);
	EXPECT(as->pt.ops->lookup(&as->pt, DATA_ADDR, &e));
	as->pt.ops->set_prot(&as->pt, DATA_ADDR, prot_make(PROT_BIT_R), 0);
	EXPECT(can(USER_STORE, DATA_ADDR)); /* what a forgotten flush does */
	arch_tlb_flush_range(as, uaddr(DATA_ADDR), uaddr(DATA_ADDR + PAGE_SIZE));
	EXPECT(!can(USER_STORE, DATA_ADDR));
	EXPECT(can(USER_LOAD, DATA_ADDR));
	arch_tlb_flush_all(as);
	EXPECT(can(USER_LOAD, DATA_ADDR));
	mutex_unlock(&as->lock);
	end();
}

/* Accessed and dirty are set by use, not before. */
static void test_dirty(void)
{
	struct pt_entry e;
	pfn_t frame = frame_alloc_zeroed(FRAME_ANON);
	struct pt_reserve reserve = {0};
	struct pt_gather g;
	bool is_shared;

	begin();
	mutex_lock(&as->lock);
	pt_gather_init(&g, as, false);
	EXPECT(pt_reserve_fill(&reserve, as->pt.ops->own_cost(&as->pt, DATA_ADDR, &is_shared)) == 0);
	as->pt.ops->own(&as->pt, DATA_ADDR, &reserve, &g);
	as->pt.ops->map(&as->pt, DATA_ADDR, &frame, 1, prot_make(PROT_BIT_R | PROT_BIT_W), PT_USER);
	pt_gather_finish(&g);
	EXPECT(can(USER_LOAD, DATA_ADDR));
	EXPECT(as->pt.ops->lookup(&as->pt, DATA_ADDR, &e) && e.accessed && !e.dirty);
	EXPECT(can(USER_STORE, DATA_ADDR));
	EXPECT(as->pt.ops->lookup(&as->pt, DATA_ADDR, &e) && e.dirty);
	mutex_unlock(&as->lock);
	end();
}

/* More pages than any cache of translations keeps apart. */
static void test_capacity(void)
{
	const unsigned nr = 3000;
	const struct mmap_args args = {.length_bytes = nr * PAGE_SIZE, .prot = PROT_READ | PROT_WRITE,
				       .flags = MAP_PRIVATE | MAP_ANONYMOUS};
	uint64_t base;

	begin();
	base = (uint64_t)aspace_mmap(as, &args);
	for (unsigned i = 0; i < nr; i += 2)
		EXPECT(aspace_fault(as, uaddr(base + i * PAGE_SIZE), TRAP_WRITE) == 0);
	for (unsigned i = 0; i < nr; i += 2)
		EXPECT(access(USER_STORE, base + i * PAGE_SIZE, i).kind == EVENT_SYSCALL);
	for (unsigned i = 0; i < nr; i += 2) {
		EXPECT(can(USER_LOAD, base + i * PAGE_SIZE));
		EXPECT(guest.frame.rsi == i);
	}
	end();
}

/* fork: neither side sees what the other writes, whatever was cached. */
static void test_fork(void)
{
	static struct guest child;
	struct aspace *copy;

	begin();
	for (unsigned i = 0; i < 8; i++)
		EXPECT(aspace_fault(as, uaddr(DATA_ADDR + i * PAGE_SIZE), TRAP_WRITE) == 0 &&
		       access(USER_STORE, DATA_ADDR + i * PAGE_SIZE, 100 + i).kind == EVENT_SYSCALL);
	for (unsigned round = 0; round < 5; round++) {
		EXPECT(aspace_fork(as, &copy) == 0);
		guest_init(&child, copy);
		for (unsigned i = 0; i < 8; i++) {
			uint64_t addr = DATA_ADDR + i * PAGE_SIZE;

			guest_go(&child, USER_LOAD);
			child.frame.rdi = addr;
			EXPECT(guest_run(&child).kind == EVENT_SYSCALL && child.frame.rsi == 100 + i);
			EXPECT(aspace_fault(copy, uaddr(addr), TRAP_WRITE) == 0);
			guest_go(&child, USER_STORE);
			child.frame.rsi = 7;
			EXPECT(guest_run(&child).kind == EVENT_SYSCALL);
			EXPECT(can(USER_LOAD, addr) && guest.frame.rsi == 100 + i);
		}
		guest_destroy(&child);
		aspace_put(copy);
	}
	end();
}

/* A machine may keep frames warm for the next address space; it says how many, and gives them back when asked. */
static void test_warm_frames(void)
{
	struct frame_stats before, after;
	uint64_t held = 0;

	/* Once before, so that what the heap and the audit keep for themselves is there. */
	begin();
	EXPECT(mm_audit() == 0);
	end();
	arch_mmu_shrink();
	frame_get_stats(&before);
	begin();
	EXPECT(aspace_fault(as, uaddr(DATA_ADDR), TRAP_WRITE) == 0);
	EXPECT(can(USER_STORE, DATA_ADDR));
	EXPECT(mm_audit() == 0);
	end();
	for (uint32_t i = 0; i < frame_span(); i++)
		held += arch_mmu_frame_refs((pfn_t){frame_first().raw + i});
	frame_get_stats(&after);
	EXPECT(before.nr_free - after.nr_free <= held);
	EXPECT(mm_audit() == 0);
	arch_mmu_shrink();
	frame_get_stats(&after);
	EXPECT(before.nr_free == after.nr_free);
	for (uint32_t i = 0; i < frame_span(); i++)
		EXPECT(arch_mmu_frame_refs((pfn_t){frame_first().raw + i}) == 0);
}

const struct contract_test mmu_tests[] = {
	{"fault-kinds", test_fault_kinds}, {"shared-view", test_shared_view},
	{"unmap", test_unmap},             {"protect", test_protect},
	{"flush", test_flush},             {"dirty", test_dirty},
	{"capacity", test_capacity},       {"fork", test_fork},
	{"warm-frames", test_warm_frames}, {NULL, NULL},
};
