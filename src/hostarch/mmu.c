/*
 * Translations: what of an address space's page table its stub has mapped.
 *
 * The host's mappings are a TLB. A miss (SIGSEGV the table does not ask for)
 * installs the page and its neighbours. A flush marks cached pages stale, after
 * proof that the stub stands still; before the guest runs again mmu_sync()
 * compares each stale page with the table and queues what has to change, so the
 * operations merge and travel with the hand-over. A page that was not flushed
 * is not looked at: a forgotten flush misbehaves as on metal.
 *
 * Rights in a stub never exceed the table's, and write waits for the dirty bit.
 */
#include "arch/machine.h"
#include "hostarch/host.h"
#include "hostarch/stubs.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/memtools.h"

#define WINDOW_PAGES 16u
#define HOT_PAGES_MAX 256u
#define POPULATE_NEIGHBOURS_MIN 4u /* a run of that many neighbours is faulted in by the host at once */
#define MAPPINGS_MAX 60000u
#define MAPPINGS_SPARE 512u        /* host mappings left for splits and the stub's own */
#define KEEP_PAGES_MAX 1024u       /* a pooled stub keeps that many translations */

/* Frames the machine holds for pooled stubs, by frame number from first_pfn on. */
static uint16_t *held_refs;
static uint32_t first_pfn, nr_pfns;
static unsigned runs_max;
static uint64_t next_lineage = 1;

void mmu_init(uint64_t memory_bytes)
{
	uint64_t mappings = host_max_mappings();

	runs_max = MAPPINGS_SPARE;
	if (mappings > 4 * MAPPINGS_SPARE)
		runs_max = (unsigned)MIN(mappings - MAPPINGS_SPARE, MAPPINGS_MAX);
	first_pfn = (uint32_t)(PHYS_START >> PAGE_SHIFT);
	nr_pfns = (uint32_t)(memory_bytes >> PAGE_SHIFT);
	held_refs = host_pages_alloc(ALIGN_UP(nr_pfns * sizeof(held_refs[0]), PAGE_SIZE));
}

uint64_t mmu_file_offset(pfn_t pfn) { return pfn_to_phys(pfn).raw - PHYS_START; }

/* Rights the stub may have to a page. */
static unsigned host_rights(const struct pt_entry *e)
{
	unsigned rights = e->prot.raw & (PROT_BIT_R | PROT_BIT_X);

	if (rights != 0 && e->dirty)
		rights |= e->prot.raw & PROT_BIT_W;
	return rights;
}

static unsigned cached_rights(const struct tlb_chunk *c, uint64_t bit)
{
	return PROT_BIT_R | ((c->write & bit) != 0 ? PROT_BIT_W : 0) |
	       ((c->exec & bit) != 0 ? PROT_BIT_X : 0);
}

static void put_mask(uint64_t *mask, uint64_t bit, bool on) { *mask = on ? *mask | bit : *mask & ~bit; }

static void note_cached(struct tlb_chunk *c, unsigned slot, pfn_t pfn, unsigned rights, bool is_writable_fd)
{
	const uint64_t bit = (uint64_t)1 << slot;

	c->present |= bit;
	c->pfn[slot] = pfn.raw;
	put_mask(&c->write, bit, (rights & PROT_BIT_W) != 0);
	put_mask(&c->exec, bit, (rights & PROT_BIT_X) != 0);
	put_mask(&c->writable_fd, bit, is_writable_fd);
	memtools_check_defined(pfn_to_ptr(pfn), PAGE_SIZE); /* from now on the guest may read it */
	if ((rights & PROT_BIT_W) != 0)
		memtools_mark_defined(pfn_to_ptr(pfn), PAGE_SIZE);
}

/* ---- references of pooled stubs ------------------------------------------ */

static void hold(struct tlb_chunk *c, uint64_t pages)
{
	for (uint64_t left = pages & ~c->held; left != 0; left &= left - 1) {
		uint32_t pfn = c->pfn[__builtin_ctzll(left)];

		frame_get((pfn_t){pfn});
		held_refs[pfn - first_pfn]++;
	}
	c->held |= pages;
}

/* Number of frames that became free. */
static size_t release(struct tlb_chunk *c, uint64_t pages)
{
	size_t freed = 0;

	for (uint64_t left = pages & c->held; left != 0; left &= left - 1) {
		pfn_t pfn = {c->pfn[__builtin_ctzll(left)]};

		held_refs[pfn.raw - first_pfn]--;
		freed += frame_refs(pfn) == 1;
		frame_put(pfn);
	}
	c->held &= ~pages;
	return freed;
}

uint32_t arch_mmu_frame_refs(pfn_t pfn)
{
	return pfn.raw >= first_pfn && pfn.raw - first_pfn < nr_pfns ? held_refs[pfn.raw - first_pfn] : 0;
}

size_t mmu_drop_all(struct stub *s)
{
	size_t freed = 0;

	for (unsigned i = 0; i < s->tlb.nr_chunks; i++) {
		struct tlb_chunk *c = s->tlb.chunks[i];

		freed += release(c, c->held);
		tlb_forget(&s->tlb, c, c->present);
	}
	tlb_compact(&s->tlb);
	if (stub_is_stopped(s) && !s->is_dead) {
		/* What was queued is void. */
		s->nr_ops = 0;
		s->last.kind = OP_NONE;
		stub_op_unmap(s, ARCH_USER_MIN, STUB_GUEST_END);
		s->may_bridge = false;
	}
	engine_stats.nr_full_flushes++;
	return freed;
}

/* ---- stale translations -------------------------------------------------- */

/* One stale page: keep, take rights away, put another frame there, or unmap. */
static void sync_page(struct stub *s, struct tlb_chunk *c, unsigned slot)
{
	const uint64_t bit = (uint64_t)1 << slot, va = (c->index << TLB_CHUNK_SHIFT) + slot * PAGE_SIZE;
	const unsigned old = cached_rights(c, bit);
	struct pt *pt = &s->as->pt;
	struct pt_entry e;
	unsigned rights = pt->ops->lookup(pt, va, &e) ? host_rights(&e) : 0;

	/* Another frame that nobody has used yet: its first use must be seen. */
	if (rights != 0 && c->pfn[slot] != e.pfn.raw && !e.accessed)
		rights = 0;
	if (rights == 0) {
		stub_op_unmap(s, va, va + PAGE_SIZE);
		release(c, bit);
		c->present &= ~bit;
		c->write &= ~bit;
		c->exec &= ~bit;
		c->writable_fd &= ~bit;
		return;
	}
	s->may_bridge = false;
	if (c->pfn[slot] != e.pfn.raw) {
		bool is_writable_fd = (rights & PROT_BIT_W) != 0;

		stub_op_map(s, va, e.pfn, 1, rights, is_writable_fd, true);
		release(c, bit);
		note_cached(c, slot, e.pfn, rights, is_writable_fd);
		return;
	}
	if ((old & rights) != old) {
		stub_op_protect(s, va, va + PAGE_SIZE, old & rights);
		note_cached(c, slot, e.pfn, old & rights, (c->writable_fd & bit) != 0);
	}
}

/* The stale pages of one chunk; the others stay, so unmaps may not reach across them. */
static void sync_chunk(struct stub *s, struct tlb_chunk *c)
{
	const uint64_t stale = c->stale;

	for (uint64_t left = c->present; left != 0; left &= left - 1) {
		unsigned slot = (unsigned)__builtin_ctzll(left);

		if ((stale >> slot & 1) != 0)
			sync_page(s, c, slot);
		else
			s->may_bridge = false;
	}
	tlb_clear_stale(&s->tlb, c, stale);
	tlb_update_counts(&s->tlb, c);
}

static void sync_stale(struct stub *s)
{
	struct tlb *tlb = &s->tlb;
	const bool is_listed = tlb->nr_stale_listed <= TLB_STALE_LISTED;
	const unsigned nr = is_listed ? tlb->nr_stale_listed : tlb->nr_chunks;
	unsigned next = 0; /* position after the one looked at last */
	bool any_empty = false;

	s->may_bridge = false;
	for (unsigned i = 0; i < nr; i++) {
		unsigned at = is_listed ? tlb_lower_bound(tlb, tlb->stale_listed[i]) : i;
		struct tlb_chunk *c;

		if (at == tlb->nr_chunks)
			continue;
		c = tlb->chunks[at];
		s->may_bridge = s->may_bridge && at == next && (c->stale != 0 || c->present == 0);
		next = at + 1;
		if (c->stale == 0)
			continue;
		sync_chunk(s, c);
		any_empty = any_empty || c->present == 0;
	}
	s->may_bridge = false;
	if (any_empty)
		tlb_compact(tlb);
}

/* The translations of the stub's last address space: none is good unless the tables say so. */
static void forget_past(struct stub *s)
{
	for (unsigned i = 0; i < s->tlb.nr_chunks; i++)
		release(s->tlb.chunks[i], UINT64_MAX);
	tlb_mark_stale(&s->tlb, 0, UINT64_MAX);
	s->is_from_pool = false;
}

void mmu_sync(struct stub *s)
{
	if (s->is_from_pool)
		forget_past(s);
	if (s->ops_failed) {
		s->ops_failed = false;
		mmu_drop_all(s);
		if (!stub_do_ops(s) && !s->is_dead)
			stub_condemn(s);
	}
	if (s->tlb.nr_stale_chunks > 0 && stub_is_stopped(s))
		sync_stale(s);
}

static void flush(struct aspace *as, uint64_t start, uint64_t end)
{
	struct stub *s = (struct stub *)as->machine;

	/* On return the guest uses no stale translation, if it has to be stopped by force. */
	if (s != NULL && tlb_mark_stale(&s->tlb, start, end))
		stub_is_stopped(s);
}

void arch_tlb_flush_range(struct aspace *as, uaddr_t start, uaddr_t end) { flush(as, start.raw, end.raw); }
void arch_tlb_flush_all(struct aspace *as) { flush(as, 0, UINT64_MAX); }

/* ---- misses -------------------------------------------------------------- */

/* Makes room for a window more: whole chunks go, round robin. */
static void evict(struct stub *s)
{
	while (s->tlb.nr_runs > runs_max / 8 * 7 && s->tlb.nr_chunks > 0) {
		struct tlb_chunk *c;
		uint64_t start;

		s->tlb.hand = (s->tlb.hand + 1) % s->tlb.nr_chunks;
		c = s->tlb.chunks[s->tlb.hand];
		start = c->index << TLB_CHUNK_SHIFT;
		if (c->present != 0) {
			release(c, c->held);
			tlb_forget(&s->tlb, c, c->present);
			stub_op_unmap(s, start, start + ((uint64_t)TLB_CHUNK_PAGES << PAGE_SHIFT));
			s->may_bridge = false;
			engine_stats.nr_evictions++;
		}
	}
	tlb_compact(&s->tlb);
}

struct window {
	unsigned first, nr;                  /* slots of the chunk */
	pfn_t pfn[WINDOW_PAGES];
	unsigned rights[WINDOW_PAGES];       /* 0: leave this page alone */
};

/*
 * What the table allows for the uncached neighbours. A page cached now counts as read: hardware may, too.
 * When host mappings get scarce, only neighbours that do not need one of their own.
 */
static void look_around(struct stub *s, struct pt *pt, const struct tlb_chunk *c, struct window *w,
			unsigned wanted)
{
	const bool is_scarce = s->tlb.nr_runs > runs_max / 2;
	uint64_t base = (c->index << TLB_CHUNK_SHIFT) + w->first * PAGE_SIZE;
	uint64_t end = base + w->nr * PAGE_SIZE, va = base;
	struct pt_entry e;

	while ((va = pt->ops->next(pt, va, end, &e)) < end) {
		unsigned i = (unsigned)((va - base) >> PAGE_SHIFT);
		unsigned rights = host_rights(&e);

		if (is_scarce && e.pfn.raw - w->pfn[wanted].raw != i - wanted)
			rights = 0;
		if (w->rights[i] == 0 && rights != 0 && (c->present >> (w->first + i) & 1) == 0) {
			pfn_t pfn;
			prot_t prot;

			if (e.accessed || pt->ops->walk(pt, va, TRAP_READ, &pfn, &prot)) {
				w->pfn[i] = e.pfn;
				w->rights[i] = rights;
			}
		}
		va += PAGE_SIZE;
	}
}

/* Queues the window's pages as runs that are contiguous on both sides. */
static void map_window(struct stub *s, struct tlb_chunk *c, const struct window *w, unsigned wanted)
{
	for (unsigned i = 0, n; i < w->nr; i += n) {
		uint64_t va = (c->index << TLB_CHUNK_SHIFT) + (w->first + i) * PAGE_SIZE;
		const bool is_writable_fd = (w->rights[i] & PROT_BIT_W) != 0;

		n = 1;
		if (w->rights[i] == 0)
			continue;
		while (i + n < w->nr && w->rights[i + n] == w->rights[i] &&
		       w->pfn[i + n].raw == w->pfn[i].raw + n)
			n++;
		stub_op_map(s, va, w->pfn[i], n, w->rights[i], is_writable_fd,
			    n >= POPULATE_NEIGHBOURS_MIN || (wanted >= i && wanted < i + n));
		for (unsigned k = i; k < i + n; k++)
			note_cached(c, w->first + k, w->pfn[k], w->rights[k], is_writable_fd);
	}
	tlb_update_counts(&s->tlb, c);
}

/* Does the table grant these rights, write among them, on the frame at va? Then it is marked written. */
static bool may_add_write(struct pt *pt, uint64_t va, uint32_t frame, unsigned rights)
{
	struct pt_entry e;
	prot_t prot;
	pfn_t pfn;

	return pt->ops->lookup(pt, va, &e) && e.pfn.raw == frame && e.prot.raw == (rights | PROT_BIT_R) &&
	       pt->ops->walk(pt, va, TRAP_WRITE, &pfn, &prot);
}

/* Writable pages right before the slot, in its chunk or at the end of the one before: twice as many follow. */
static unsigned write_stream(const struct tlb *tlb, const struct tlb_chunk *c, unsigned slot)
{
	uint64_t before = ~(c->write << (TLB_CHUNK_PAGES - slot) % TLB_CHUNK_PAGES);
	const struct tlb_chunk *last;

	if (slot != 0)
		return (unsigned)__builtin_clzll(before | 1);
	last = tlb_find(tlb, (c->index - 1) << TLB_CHUNK_SHIFT);
	return last != NULL && last->write >> (TLB_CHUNK_PAGES - 1) != 0 ? WINDOW_PAGES : 0;
}

/*
 * The host may give a page it maps already more rights. Its neighbours above get the same where they are
 * in the same state; a run of writes is expected to go on, so they count as written.
 */
static void add_rights(struct stub *s, struct pt *pt, struct tlb_chunk *c, unsigned slot, unsigned rights)
{
	const uint64_t start = c->index << TLB_CHUNK_SHIFT;
	const unsigned max = (rights & PROT_BIT_W) != 0 ? slot + write_stream(&s->tlb, c, slot) : slot;
	const uint64_t candidates = c->present & c->writable_fd & ~c->write & ~c->stale;
	unsigned end = slot;

	do {
		note_cached(c, end, (pfn_t){c->pfn[end]}, rights, true);
		end++;
	} while (end < MIN(max, TLB_CHUNK_PAGES) && (candidates >> end & 1) != 0 &&
		 may_add_write(pt, start + end * PAGE_SIZE, c->pfn[end], rights));
	stub_op_protect(s, start + slot * PAGE_SIZE, start + end * PAGE_SIZE, rights);
	tlb_update_counts(&s->tlb, c);
}

bool mmu_install(struct stub *s, struct aspace *as, uint64_t va, unsigned access)
{
	const uint64_t page = page_round_down(va), bit = TLB_BIT(va);
	struct pt *pt = &as->pt;
	struct window w = {.first = TLB_SLOT(va) / WINDOW_PAGES * WINDOW_PAGES, .nr = WINDOW_PAGES};
	const unsigned wanted = TLB_SLOT(va) - w.first;
	struct tlb_chunk *c;
	struct pt_entry e;
	pfn_t pfn;
	prot_t prot;

	if (!aspace_walk(as, uaddr(va), access, &pfn, &prot) || !pt->ops->lookup(pt, page, &e))
		return false;
	if (!stub_is_stopped(s) || s->is_dead)
		return true;
	if (s->tlb.nr_runs + WINDOW_PAGES > runs_max)
		evict(s);
	c = tlb_make(&s->tlb, va);
	if (c == NULL) {
		mmu_drop_all(s);
		c = tlb_make(&s->tlb, va);
		if (c == NULL)
			return true; /* the host has no memory at all: try again, for ever if need be */
	}
	if ((c->stale & bit) != 0)
		tlb_clear_stale(&s->tlb, c, bit);
	engine_stats.nr_tlb_misses++;
	if ((c->present & bit) != 0 && c->pfn[TLB_SLOT(va)] == pfn.raw && (c->writable_fd & bit) != 0) {
		add_rights(s, pt, c, TLB_SLOT(va), host_rights(&e));
		return true;
	}
	w.pfn[wanted] = pfn;
	w.rights[wanted] = host_rights(&e);
	look_around(s, pt, c, &w, wanted);
	map_window(s, c, &w, wanted);
	return true;
}

/* ---- address spaces ------------------------------------------------------ */

int arch_mmu_attach(struct aspace *as, struct aspace *like, const struct inode *program)
{
	const struct stub *parent = like != NULL ? (const struct stub *)like->machine : NULL;
	int error;
	struct stub *s = pool_take(parent, program, &error);

	as->machine = 0;
	if (s == NULL)
		return error;
	s->as = as;
	s->is_from_pool = true;
	s->is_fork = like != NULL;
	s->program = parent != NULL ? parent->program : program;
	s->parent_lineage = parent != NULL ? parent->lineage : 0;
	s->lineage = next_lineage++;
	as->machine = (uintptr_t)s;
	return 0;
}

/* Keeps what the next user may want; the rest is unmapped. */
static void trim(struct stub *s)
{
	unsigned kept = 0;

	for (unsigned i = 0; i < s->tlb.nr_chunks; i++) {
		struct tlb_chunk *c = s->tlb.chunks[i];

		kept += c->nr_pages;
		if (kept > KEEP_PAGES_MAX) {
			uint64_t start = c->index << TLB_CHUNK_SHIFT;

			release(c, c->held);
			tlb_forget(&s->tlb, c, c->present);
			stub_op_unmap(s, start, start + ((uint64_t)TLB_CHUNK_PAGES << PAGE_SHIFT));
		}
	}
	s->may_bridge = false;
	tlb_compact(&s->tlb);
}

void arch_mmu_detach(struct aspace *as)
{
	struct stub *s = (struct stub *)as->machine;

	if (s == NULL)
		return;
	as->machine = 0;
	if (!stub_is_stopped(s) || s->is_dead || s->ops_failed) {
		mmu_drop_all(s);
		stub_destroy(s);
		return;
	}
	mmu_sync(s);
	if (s->tlb.nr_pages > KEEP_PAGES_MAX)
		trim(s);
	for (unsigned i = 0; i < s->tlb.nr_chunks; i++)
		hold(s->tlb.chunks[i], s->tlb.chunks[i]->present);
	s->as = NULL;
	s->fpu_owner = NULL;
	pool_add(s);
}

void arch_mmu_switch(struct aspace *as) { (void)as; }

/* ---- warm frames --------------------------------------------------------- */

pfn_t arch_mmu_recycle(struct aspace *as, uaddr_t va)
{
	struct stub *s = (struct stub *)as->machine;
	struct tlb_chunk *c = s == NULL ? NULL : tlb_find(&s->tlb, va.raw);
	const uint64_t bit = TLB_BIT(va.raw);
	pfn_t pfn;

	if (c == NULL || (c->held & c->write & bit) == 0)
		return PFN_NONE;
	pfn = (pfn_t){c->pfn[TLB_SLOT(va.raw)]};
	if (frame_refs(pfn) != 1 || frame_kind(pfn) != FRAME_ANON)
		return PFN_NONE;
	/* The reference changes hands. */
	c->held &= ~bit;
	held_refs[pfn.raw - first_pfn]--;
	engine_stats.nr_frames_recycled++;
	return pfn;
}

/* Offers the core what this stub has used before, so that it is there before the first fault. */
static void prefault(struct stub *s, struct aspace *as)
{
	for (unsigned i = 0; i < s->tlb.nr_chunks; i++) {
		const struct tlb_chunk *c = s->tlb.chunks[i];

		for (uint64_t left = c->present & c->held; left != 0; left &= left - 1) {
			unsigned slot = (unsigned)__builtin_ctzll(left);
			uint64_t bit = (uint64_t)1 << slot;
			struct pt_entry e;
			uint64_t va = (c->index << TLB_CHUNK_SHIFT) + slot * PAGE_SIZE;
			unsigned access = (c->write & bit) != 0  ? TRAP_WRITE
					  : (c->exec & bit) != 0 ? TRAP_EXEC
								 : TRAP_READ;

			if (as->pt.ops->lookup(&as->pt, va, &e) && e.pfn.raw == c->pfn[slot])
				continue;
			engine_stats.nr_prefaults++;
			aspace_prefault(as, uaddr(va), access);
		}
	}
}

void arch_mmu_warm(struct aspace *as)
{
	struct stub *s = (struct stub *)as->machine;

	if (s == NULL)
		return;
	prefault(s, as);
	forget_past(s);
}

size_t arch_mmu_shrink(void) { return pool_shrink(); }
unsigned arch_fork_hot_pages(void) { return HOT_PAGES_MAX; }
unsigned arch_fork_first_writes(void) { return 0; }
unsigned arch_fault_window_pages(void) { return WINDOW_PAGES; }
uint64_t arch_user_end(void) { return STUB_GUEST_END; }
