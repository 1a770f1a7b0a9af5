/*
 * Accesses as a processor makes them, and everything that is checked: the
 * software MMU, the kernel's own walk and the model must agree on each one.
 */
#include <stdarg.h>

#include "world.h"

#define TRIES 6 /* faults one access may take */
#define GUARD_PAGES 256

/* ---- messages ---- */

void violation(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fprintf(stderr, "model: violation in step %llu (", (unsigned long long)w.step);
	if (w.op != NULL)
		model_print_op(stderr, w.op);
	else
		fprintf(stderr, "the end");
	fprintf(stderr, "): ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\n");
	abort();
}

void say(const char *format, ...)
{
	va_list args;

	if (!model_is_verbose)
		return;
	va_start(args, format);
	vprintf(format, args);
	va_end(args);
}

bool has_failed_alloc(void) { return w.fail_at != 0 && fail_alloc_count() >= w.fail_at; }

void disarm(void)
{
	fail_alloc_arm(0, false);
	w.fail_at = 0;
}

bool result_is(int64_t result, int64_t expected)
{
	if (result == -ENOMEM && expected != -ENOMEM && has_failed_alloc())
		return false;
	CHECK(result == expected, "result %lld, should be %lld", (long long)result, (long long)expected);
	return result >= 0;
}

/* ---- the machine ---- */

void *mmu_memory(uint64_t pa, bool is_table, const char **why)
{
	pfn_t pfn = phys_to_pfn((paddr_t){pa});

	*why = is_table ? "a table outside memory" : "a page outside memory";
	if (!frame_is_valid(pfn))
		return NULL;
	*why = is_table ? "a table that has been freed" : "a page that has been freed";
	if (frame_refs(pfn) == 0 || frame_kind(pfn) == FRAME_FREE)
		return NULL;
	*why = is_table ? "a table that is none" : "a page that is not the user's";
	if (is_table ? frame_kind(pfn) != FRAME_TABLE
		     : frame_kind(pfn) != FRAME_ANON && frame_kind(pfn) != FRAME_CACHE)
		return NULL;
	return phys_to_ptr((paddr_t){pa});
}

static struct space *space_of(const struct aspace *as)
{
	for (unsigned i = 0; i < SPACES_MAX; i++)
		if (w.spaces[i] != NULL && w.spaces[i]->as == as)
			return w.spaces[i];
	return NULL;
}

/* A page from the wanted one on that the other thread has been writing to; WINDOW: there is none. */
static unsigned race_page(const struct space *s)
{
	for (unsigned i = 0; i < WINDOW; i++)
		if (s->mmu.tlb[(w.race.page + i) % WINDOW].rights & MMU_WRITE)
			return (w.race.page + i) % WINDOW;
	return WINDOW;
}

/* Does a private mapping show the same page of the file? The operation may be copying it, before or after any write. */
static bool has_private_view(struct space *s, const struct page *p)
{
	for (unsigned i = 0; i < WINDOW; i++) {
		const struct page *q = page_at(s, i);

		if (q->kind == PAGE_FILE && !is_shared(q) && !q->is_own && q->object == p->object &&
		    q->index == p->index)
			return true;
	}
	return false;
}

/*
 * Another thread of the process, on another processor, writes while an operation is under way. It uses what is
 * cached and walks no table anew: fork reads accessed bits before it flushes, which wants the process to stand
 * still, as on one processor it does.
 */
static void race(struct space *s)
{
	enum mmu_result result;
	struct page *p;
	uint64_t pa;

	w.race.is_armed = false;
	w.race.page = race_page(s);
	if (w.race.page == WINDOW)
		return;
	p = page_at(s, w.race.page);
	if (p->kind == PAGE_NONE || (p->kind == PAGE_FILE && (!is_shared(p) || has_private_view(s, p))))
		return;
	result = mmu_access(&s->mmu, va_of(w.race.page), MMU_WRITE, &pa);
	CHECK(result != MMU_BROKEN, "another thread's access to page %u: %s", w.race.page, s->mmu.why);
	if (result != MMU_OK)
		return;
	CHECK((page_rights(p) & PROT_WRITE) || w.op->code == OP_MPROTECT, "another thread can write to page %u",
	      w.race.page);
	((uint8_t *)phys_to_ptr((paddr_t){pa}))[probe_offset[w.race.probe]] = w.race.value;
	w.race.old = expected_byte(p, w.race.probe);
	store_byte(p, w.race.probe, w.race.value);
	w.race.is_done = true;
	model_counts.nr_races++;
}

void on_flush(struct aspace *as, uint64_t start, uint64_t end)
{
	struct space *s = space_of(as);

	if (s == NULL)
		return;
	if (w.race.is_armed && w.race.space == s)
		race(s);
	if (w.setup.plant != PLANT_NO_FLUSH)
		mmu_flush(&s->mmu, start, end);
}

/* ---- what the model expects of an access ---- */

/* May the stack `next` grow down to the page? As plan_growth() and Linux: limit, and a gap to what lies below. */
static int growth_error(struct space *s, unsigned page, unsigned next)
{
	int below = prev_mapped(s, page);
	unsigned end = next;

	while (end < WINDOW && is_same_vma(page_at(s, end), page_at(s, end + 1)))
		end++;
	if (end + 1 - page > STACK_LIMIT_PAGES)
		return -EFAULT;
	if (s->pages[below + 1].prot != 0 && !(s->pages[below + 1].flags & VMA_GROWSDOWN) &&
	    (int)page - below - 1 < GUARD_PAGES)
		return -EFAULT;
	return 0;
}

int access_error(struct space *s, unsigned page, unsigned access, bool is_forced, unsigned *grown)
{
	unsigned next = next_mapped(s, page);
	const struct page *p = page_at(s, next);

	*grown = 0;
	if (next != page && !(p->flags & VMA_GROWSDOWN))
		return -EFAULT;
	if (is_forced ? is_shared(p) && w.objects[p->object].is_readonly : (page_rights(p) & access) != access)
		return -EACCES;
	if (next != page) {
		*grown = next - page;
		return growth_error(s, page, next);
	}
	return p->kind == PAGE_FILE && p->index >= content_pages(content_of(p)) ? -EIO : 0;
}

void grow_stack(struct space *s, unsigned page, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++) {
		*page_at(s, page + i) = *page_at(s, page + nr);
		memset(page_at(s, page + i)->bytes, 0, PROBES);
	}
}

/* ---- the access ---- */

/* The raw tables and the kernel's reading of them. */
static void check_agreement(struct space *s, unsigned page)
{
	struct mmu_entry raw;
	enum mmu_result result = mmu_look(&s->mmu, va_of(page), &raw);
	struct pt_entry e;
	unsigned rights;

	CHECK(result != MMU_BROKEN, "page %u: %s", page, s->mmu.why);
	rights = w.ops->lookup(&s->as->pt, va_of(page), &e) ? e.prot.raw : 0;
	if (rights != 0 && w.format->dirty_bit == 0 && !e.dirty)
		rights &= ~(unsigned)PROT_WRITE; /* software's dirty bit: the first write faults */
	CHECK(raw.rights == rights, "page %u: the MMU reads rights %u, the kernel %u", page, raw.rights, rights);
	if (rights == 0)
		return;
	CHECK(raw.pa == pfn_to_phys(e.pfn).raw, "page %u: the MMU finds another frame than the kernel", page);
	CHECK(raw.accessed == e.accessed, "page %u: accessed differs", page);
	CHECK(w.format->dirty_bit == 0 || raw.dirty == e.dirty, "page %u: dirty differs", page);
}

uint8_t *touch(struct space *s, unsigned page, unsigned access, int *err)
{
	uint64_t va = va_of(page), pa;
	prot_t prot;
	pfn_t pfn;

	*err = 0;
	model_counts.nr_accesses++;
	for (unsigned tries = 0; tries < TRIES; tries++) {
		enum mmu_result result = mmu_access(&s->mmu, va, access, &pa);

		CHECK(result != MMU_BROKEN, "access to page %u: %s", page, s->mmu.why);
		check_agreement(s, page);
		if (result == MMU_OK) {
			CHECK(aspace_walk(s->as, uaddr(va), access, &pfn, &prot),
			      "page %u: the MMU allows the access, the kernel's walk does not", page);
			CHECK(pfn_to_phys(pfn).raw == pa, "page %u: another frame than in the kernel's walk", page);
			return phys_to_ptr((paddr_t){pa});
		}
		model_counts.nr_faults++;
		*err = aspace_fault(s->as, uaddr(va), access);
		if (*err != 0) {
			CHECK(!aspace_walk(s->as, uaddr(va), access, &pfn, &prot),
			      "page %u: the fault is refused, the kernel's walk allows the access", page);
			return NULL;
		}
	}
	violation("page %u faults again and again", page);
}

void check_bytes(struct space *s, unsigned page, const uint8_t *p)
{
	for (unsigned i = 0; i < PROBES; i++) {
		uint8_t expected = expected_byte(page_at(s, page), i);

		CHECK(p[probe_offset[i]] == expected, "page %u, byte %u: %u, should be %u", page, probe_offset[i],
		      p[probe_offset[i]], expected);
	}
}

uint8_t *access_page(struct space *s, unsigned page, unsigned access)
{
	unsigned grown;
	int expected, err;
	uint8_t *p;

	settle(s, page);
	expected = access_error(s, page, access, false, &grown);
	p = touch(s, page, access, &err);
	if (err == -ENOMEM && has_failed_alloc())
		return NULL;
	CHECK(err == expected, "access %u to page %u: result %d, should be %d", access, page, err, expected);
	if (err != 0)
		return NULL;
	grow_stack(s, page, grown);
	check_bytes(s, page, p);
	return p;
}

void check_page(struct space *s, unsigned page)
{
	/* Growing a stack is an operation of its own, not for a check. */
	if (page_at(s, page)->kind != PAGE_NONE)
		access_page(s, page, TRAP_READ);
}

/* ---- checks of everything ---- */

void check_vmas(struct space *s)
{
	const uint32_t ignored = VMA_MAYWRITE | VMA_MAYREAD | VMA_MAYEXEC;
	const struct vma *v = vma_find_from(&s->as->vmas, va_of(0));

	for (unsigned i = 0; i < WINDOW; i++) {
		const struct page *p = page_at(s, i);
		uint64_t va = va_of(i);

		while (v != NULL && v->end <= va)
			v = vma_find_from(&s->as->vmas, va);
		if (v == NULL || v->start > va) {
			CHECK(p->kind == PAGE_NONE, "page %u should be mapped", i);
			continue;
		}
		CHECK(p->kind != PAGE_NONE, "page %u should not be mapped", i);
		CHECK(p->prot == v->prot.raw, "page %u: rights %x, should be %x", i, v->prot.raw, p->prot);
		CHECK(p->flags == (v->flags & ~ignored), "page %u: flags %x, should be %x", i,
		      v->flags & ~ignored, p->flags);
		CHECK(v->file == (p->kind == PAGE_FILE ? w.objects[p->object].file : NULL),
		      "page %u maps another file", i);
		CHECK(p->kind == PAGE_ANON || v->page_index + ((va - v->start) >> PAGE_SHIFT) == p->index,
		      "page %u maps another page of its file", i);
	}
}

void check_all(void)
{
	CHECK(mm_audit() == 0, "the audit fails");
	model_counts.nr_audits++;
	for (unsigned i = 0; i < SPACES_MAX; i++) {
		const char *why;
		uint64_t va;

		if (w.spaces[i] == NULL)
			continue;
		why = mmu_find_stale(&w.spaces[i]->mmu, &va);
		CHECK(why == NULL, "space %u, page %lld: %s", i, (long long)(va - w.base) >> PAGE_SHIFT, why);
		check_vmas(w.spaces[i]);
	}
}

void check_pages(unsigned n)
{
	for (unsigned i = 0; i < SPACES_MAX; i++)
		for (unsigned page = 0; w.spaces[i] != NULL && page < WINDOW; page += n)
			check_page(w.spaces[i], page);
}
