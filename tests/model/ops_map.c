/*
 * Operations on mappings. Each works out what should happen from the model's pages,
 * calls the kernel, and brings the pages up to date. Fields of struct op: a first
 * page, b number of pages - 1, the others as said at each function.
 */
#include "world.h"

static const uint8_t prots[] = {PROT_READ | PROT_WRITE,
				PROT_READ | PROT_WRITE,
				PROT_READ,
				PROT_NONE,
				PROT_READ | PROT_EXEC,
				PROT_READ | PROT_WRITE | PROT_EXEC,
				PROT_WRITE,
				PROT_EXEC};

#define LEAF_PAGES(ops) (1u << (ops)->index_bits)
#define SHARED_PAGES_MAX 64 /* of shared anonymous memory */

static bool is_mapped_anywhere(struct space *s, unsigned first, unsigned nr)
{
	return next_mapped(s, first) < first + nr;
}

static bool has_holes(struct space *s, unsigned first, unsigned nr)
{
	for (unsigned i = 0; i < nr; i++)
		if (page_at(s, first + i)->kind == PAGE_NONE)
			return true;
	return false;
}

/* Fills pages with one kind; the kind's index grows with them. */
static void set_pages(struct space *s, unsigned first, unsigned nr, const struct page *like)
{
	clear_pages(s, first, nr);
	for (unsigned i = 0; i < nr; i++) {
		struct page *p = page_at(s, first + i);

		*p = *like;
		p->index = (uint16_t)(like->index + (like->kind == PAGE_FILE ? i : 0));
		if (p->kind == PAGE_FILE && p->index < CONTENT_PAGES)
			p->nr_seen = content_of(p)->nr_changes[p->index];
	}
}

/* ---- mmap ---- */

/* Where a mapping without a fixed place may lie. */
static void check_place(struct space *s, int64_t result, unsigned nr, unsigned hint, bool has_hint)
{
	uint64_t offset = (uint64_t)result - w.base;
	unsigned first = (unsigned)(offset >> PAGE_SHIFT);

	if (result == -ENOMEM) {
		CHECK(!has_room(s, nr), "ENOMEM, though there is room");
		return;
	}
	CHECK(page_offset(offset) == 0 && offset < PAGES(WINDOW) && first + nr <= WINDOW && is_free(s, first, nr),
	      "placed at %llx, which is not free", (unsigned long long)result);
	CHECK(!has_hint || !is_free(s, hint, nr) || first == hint, "the free place asked for is not used");
}

/* d bits 0-1: 0, 1 MAP_FIXED, 2 a hint, 3 no hint; bit 2: MAP_FIXED_NOREPLACE instead of MAP_FIXED. */
static void map_pages(struct space *s, struct mmap_args *args, struct page *like, unsigned nr)
{
	unsigned first = op_first(), place = w.op->d & 3;
	bool keeps_old = (w.op->d & 4) != 0;
	int64_t result;

	args->addr = place == 3 ? 0 : va_of(first);
	args->length_bytes = PAGES(nr);
	args->prot = like->prot;
	if (place < 2)
		args->flags |= keeps_old ? MAP_FIXED_NOREPLACE : MAP_FIXED;
	say("%u pages at %u%s, prot %u, flags %x", nr, first, place < 2 ? "" : " (hint)", args->prot, args->flags);
	result = aspace_mmap(s->as, args);
	say(" = %lld", result < 0 ? (long long)result : (long long)(((uint64_t)result - w.base) >> PAGE_SHIFT));
	if (result == -ENOMEM && has_failed_alloc())
		return;
	if (place >= 2)
		check_place(s, result, nr, first, place == 2);
	else if (keeps_old && is_mapped_anywhere(s, first, nr))
		CHECK(result == -EEXIST, "result %lld, should be EEXIST", (long long)result);
	else
		CHECK((uint64_t)result == va_of(first), "result %lld, should be the address", (long long)result);
	if (result >= 0)
		set_pages(s, (unsigned)(((uint64_t)result - w.base) >> PAGE_SHIFT), nr, like);
}

/* What a private mapping counts as for the commit limit. */
static uint16_t account_flag(unsigned prot, unsigned flags)
{
	if (flags & MAP_NORESERVE)
		return VMA_NORESERVE;
	return !(flags & MAP_SHARED) && (prot & PROT_WRITE) ? VMA_ACCOUNT : 0;
}

/* The object of a new shared anonymous mapping is known by the file of its VMA. */
static void learn_file(struct space *s, uint8_t id)
{
	for (unsigned i = 0; i < WINDOW; i++) {
		const struct page *p = page_at(s, i);

		if (p->kind != PAGE_FILE || p->object != id)
			continue;
		w.objects[id].file = vma_find(&s->as->vmas, va_of(i))->file;
		w.objects[id].content->filemap = &w.objects[id].file->inode->map;
		return;
	}
	w.objects[id].content = NULL; /* the mapping was refused */
}

/* c bits 0-2: rights; 3 MAP_POPULATE, 4 MAP_GROWSDOWN, 5 MAP_LOCKED, 6 MAP_NORESERVE, 7 MAP_SHARED. */
void op_mmap_anon(struct space *s)
{
	unsigned c = w.op->c, nr = op_nr();
	bool is_shared = (c & 0x80) != 0;
	struct page like = {.kind = PAGE_ANON, .prot = prots[c & 7]};
	struct mmap_args args = {.flags = MAP_ANONYMOUS | (is_shared ? MAP_SHARED : MAP_PRIVATE)};

	args.flags |= c & 0x08 ? MAP_POPULATE : 0;
	args.flags |= (c & 0x10) && !is_shared ? MAP_GROWSDOWN : 0;
	args.flags |= c & 0x20 ? MAP_LOCKED : 0;
	args.flags |= c & 0x40 ? MAP_NORESERVE : 0;
	if (is_shared) {
		nr = MIN(nr, SHARED_PAGES_MAX);
		if (object_create_shared(nr, &like.object) == NULL)
			return;
		like.kind = PAGE_FILE;
	}
	like.flags = (uint16_t)((is_shared ? VMA_SHARED : 0) | (args.flags & MAP_GROWSDOWN ? VMA_GROWSDOWN : 0) |
				(args.flags & MAP_LOCKED ? VMA_LOCKED : 0) | account_flag(like.prot, args.flags));
	map_pages(s, &args, &like, nr);
	if (is_shared)
		learn_file(s, like.object);
}

/* c as above without GROWSDOWN; d bits 3-4: the file; e: page of the file. */
void op_mmap_file(struct space *s)
{
	unsigned c = w.op->c, nr = MIN(op_nr(), CONTENT_PAGES / 2), id = w.op->d >> 3 & 3;
	bool is_shared = (c & 0x80) != 0;
	struct page like = {.kind = PAGE_FILE, .prot = prots[c & 7], .object = (uint8_t)id};
	struct mmap_args args = {.file = w.objects[id].file, .flags = is_shared ? MAP_SHARED : MAP_PRIVATE};

	like.index = (uint16_t)(w.op->e % (CONTENT_PAGES / 2));
	args.offset = PAGES(like.index);
	if (is_shared && w.objects[id].is_readonly)
		like.prot &= ~PROT_WRITE; /* what the system call sees to */
	args.flags |= c & 0x08 ? MAP_POPULATE : 0;
	args.flags |= c & 0x20 ? MAP_LOCKED : 0;
	args.flags |= c & 0x40 ? MAP_NORESERVE : 0;
	like.flags = (uint16_t)((is_shared ? VMA_SHARED : 0) | (args.flags & MAP_LOCKED ? VMA_LOCKED : 0) |
				account_flag(like.prot, args.flags));
	say("file %u from page %u, ", id, like.index);
	map_pages(s, &args, &like, nr);
}

/* ---- munmap, mprotect ---- */

void op_munmap(struct space *s)
{
	say("pages %u-%u", op_first(), op_first() + op_nr() - 1);
	if (result_is(aspace_munmap(s->as, va_of(op_first()), PAGES(op_nr())), 0))
		clear_pages(s, op_first(), op_nr());
}

/* May mprotect give these rights? */
static bool may_have(const struct page *p, unsigned prot)
{
	return p->kind != PAGE_FILE || !is_shared(p) || !w.objects[p->object].is_readonly || !(prot & PROT_WRITE);
}

/* c: rights. Up to the first hole, or page that may not have them, they change even then, as on Linux. */
void op_mprotect(struct space *s)
{
	unsigned first = op_first(), nr = op_nr(), prot = prots[w.op->c & 7], n = 0;
	int expected = 0;

	while (n < nr && page_at(s, first + n)->kind != PAGE_NONE && may_have(page_at(s, first + n), prot))
		n++;
	if (n != nr) {
		expected = page_at(s, first + n)->kind == PAGE_NONE ? -ENOMEM : -EACCES;
		disarm();
	}
	say("pages %u-%u, prot %u", first, first + nr - 1, prot);
	if (!result_is(aspace_mprotect(s->as, va_of(first), PAGES(nr), prot), expected) && expected == 0)
		return;
	for (unsigned i = first; i < first + n; i++) {
		struct page *p = page_at(s, i);

		if ((prot & PROT_WRITE) && !(p->prot & PROT_WRITE) && !(p->flags & (VMA_SHARED | VMA_NORESERVE)))
			p->flags |= VMA_ACCOUNT;
		p->prot = (uint8_t)prot;
	}
	forget_pins(s, first, n);
}

/* ---- mremap ---- */

/* Pages of one VMA from `first` on; the VMA may go on behind the window. */
static unsigned vma_run(struct space *s, unsigned first, bool *ends_in_window)
{
	unsigned end = first;

	while (end < WINDOW && is_same_vma(page_at(s, end), page_at(s, end + 1)))
		end++;
	*ends_in_window = end < WINDOW;
	return MIN(end, WINDOW - 1) + 1 - first;
}

struct remap {
	unsigned old, old_nr, new, new_nr, flags;
	bool ends_vma; /* the old range reaches to the end of its VMA */
};

/* What mremap(2) says of the arguments, with the place free to choose or given. 1: goes ahead and moves. */
static int remap_expected(struct space *s, const struct remap *m)
{
	bool is_fixed = (m->flags & MREMAP_FIXED) != 0, keeps_old = (m->flags & MREMAP_DONTUNMAP) != 0;
	const struct page *p = page_at(s, m->old);

	if ((is_fixed || keeps_old) && !(m->flags & MREMAP_MAYMOVE))
		return -EINVAL;
	if (keeps_old && m->old_nr != m->new_nr)
		return -EINVAL;
	if (is_fixed && m->new < m->old + m->old_nr && m->old < m->new + m->new_nr)
		return -EINVAL;
	if (p->kind == PAGE_NONE)
		return -EFAULT;
	if (m->old_nr == 0 && !is_shared(p))
		return -EINVAL;
	if (!is_fixed && !keeps_old && m->old_nr != 0) {
		if (m->new_nr <= m->old_nr)
			return 0;
		if (m->ends_vma && is_free(s, m->old + m->old_nr, m->new_nr - m->old_nr) &&
		    m->old + m->new_nr <= WINDOW)
			return 0;
	}
	if (!(m->flags & MREMAP_MAYMOVE))
		return -ENOMEM;
	return 1;
}

/* The pages of a mapping that grew: as the last one, which stands at `first` + kept - 1. */
static void extend_pages(struct space *s, unsigned first, unsigned kept, unsigned nr, const struct page *last)
{
	struct page more = *last;

	if (nr <= kept)
		return;
	more.index = (uint16_t)(last->index + (last->kind == PAGE_FILE ? 1 : 0));
	more.is_own = false;
	memset(more.bytes, 0, sizeof(more.bytes));
	set_pages(s, first + kept, nr - kept, &more);
}

static void remap_move(struct space *s, const struct remap *m, unsigned to)
{
	unsigned kept = MIN(m->old_nr, m->new_nr);
	struct page moved[WINDOW], like = *page_at(s, m->old);

	memcpy(moved, page_at(s, m->old), m->old_nr * sizeof(moved[0]));
	clear_pages(s, m->old, m->old_nr);
	clear_pages(s, to, m->new_nr);
	if (m->flags & MREMAP_DONTUNMAP) {
		struct page left = like;

		left.is_own = false;
		memset(left.bytes, 0, sizeof(left.bytes));
		set_pages(s, m->old, m->old_nr, &left);
		for (unsigned i = 0; i < kept; i++)
			moved[i].flags &= (uint16_t)~VMA_LOCKED;
	}
	memcpy(page_at(s, to), moved, kept * sizeof(moved[0]));
	if (m->old_nr != 0) {
		extend_pages(s, to, kept, m->new_nr, &moved[kept - 1]);
		return;
	}
	set_pages(s, to, m->new_nr, &like); /* a second mapping of the same pages */
}

static void remap_in_place(struct space *s, const struct remap *m)
{
	struct page last = *page_at(s, m->old + m->old_nr - 1);

	if (m->new_nr < m->old_nr)
		clear_pages(s, m->old + m->new_nr, m->old_nr - m->new_nr);
	else
		extend_pages(s, m->old, m->old_nr, m->new_nr, &last);
}

static void remap_finish(struct space *s, const struct remap *m, int64_t result)
{
	int expected = remap_expected(s, m);
	unsigned to = (unsigned)(((uint64_t)result - w.base) >> PAGE_SHIFT);

	if (expected <= 0) {
		if (result_is(result, expected == 0 ? (int64_t)va_of(m->old) : expected))
			remap_in_place(s, m);
		return;
	}
	if (result == -ENOMEM && has_failed_alloc())
		return;
	/* Large mappings keep their place within a leaf table: there may be no such place. */
	if (result == -ENOMEM && !(m->flags & MREMAP_FIXED) && m->new_nr >= LEAF_PAGES(w.ops))
		return;
	if (m->flags & MREMAP_FIXED)
		CHECK((uint64_t)result == va_of(m->new), "result %lld, should be the address", (long long)result);
	else
		check_place(s, result, m->new_nr, 0, false);
	if (result >= 0)
		remap_move(s, m, to);
}

/*
 * a: near the old range, which begins at the first mapped page; d: its pages, 0 for all of the VMA;
 * b: new pages - 1; e: the new place; c bit 0 MREMAP_MAYMOVE, 1 MREMAP_FIXED, 2 MREMAP_DONTUNMAP,
 * 3: same size, 4: the place agrees within a leaf table, 5: old size 0.
 */
void op_mremap(struct space *s)
{
	unsigned c = w.op->c, first = next_mapped(s, op_first()), run;
	struct remap m = {.old = first < WINDOW ? first : op_first(), .flags = c & 7};
	bool ends_in_window;
	int64_t result;

	run = vma_run(s, m.old, &ends_in_window);
	m.old_nr = w.op->d == 0 ? run : MIN(run, w.op->d);
	m.ends_vma = m.old_nr == run && ends_in_window;
	if (c & 0x20)
		m.old_nr = 0;
	m.new_nr = (c & 0x08) && m.old_nr != 0 ? m.old_nr : 1u + w.op->b % (WINDOW / 2);
	m.new = w.op->e % WINDOW;
	if (c & 0x10) {
		unsigned leaf = LEAF_PAGES(w.ops), base = (unsigned)(w.base >> PAGE_SHIFT);

		m.new = m.new - (m.new + base) % leaf + (m.old + base) % leaf;
	}
	if (m.new >= WINDOW || m.new + m.new_nr > WINDOW)
		m.new = WINDOW - m.new_nr;
	say("pages %u-%u to %u pages at %u, flags %x", m.old, m.old + m.old_nr - 1, m.new_nr, m.new, m.flags);
	result = aspace_mremap(s->as, va_of(m.old), PAGES(m.old_nr), PAGES(m.new_nr), m.flags,
			       m.flags & MREMAP_FIXED ? va_of(m.new) : 0);
	say(" = %lld", result < 0 ? (long long)result : (long long)(((uint64_t)result - w.base) >> PAGE_SHIFT));
	remap_finish(s, &m, result);
}

/* ---- brk ---- */

/* a: pages of the heap; c: bytes beyond. */
void op_brk(struct space *s)
{
	uint64_t start = va_of(HEAP_FIRST), wanted = start + PAGES(w.op->a % HEAP_PAGES) + w.op->c, result;
	uint64_t old = page_round_up(s->brk), new = page_round_up(wanted);
	unsigned first = (unsigned)((old - w.base) >> PAGE_SHIFT), last = (unsigned)((new - w.base) >> PAGE_SHIFT);
	struct page heap = {.kind = PAGE_ANON, .prot = PROT_READ | PROT_WRITE, .flags = VMA_HEAP | VMA_ACCOUNT};
	bool is_possible = new <= old || is_free(s, first, last - first + 1);

	say("%llu bytes", (unsigned long long)(wanted - start));
	result = aspace_brk(s->as, wanted);
	if (result == s->brk && result != wanted && (!is_possible || has_failed_alloc()))
		return;
	CHECK(is_possible && result == wanted, "the break is %llx", (unsigned long long)(result - start));
	s->brk = wanted;
	if (new < old)
		clear_pages(s, last, first - last);
	else if (new > old)
		set_pages(s, first, last - first, &heap);
}

/* ---- madvise, msync ---- */

static const int advices[] = {MADV_DONTNEED,   MADV_DONTFORK,	   MADV_DOFORK,	       MADV_WIPEONFORK,
			      MADV_KEEPONFORK, MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_REMOVE,
			      MADV_FREE,       MADV_DONTNEED};

static int advise_dontneed(struct space *s, unsigned first, unsigned nr, bool applies)
{
	for (unsigned i = first; i < first + nr && !applies; i++)
		if (page_at(s, i)->flags & VMA_LOCKED)
			return -EINVAL;
	for (unsigned i = first; i < first + nr && applies; i++) {
		struct page *p = page_at(s, i);

		p->is_own = false;
		memset(p->bytes, 0, PROBES);
		if (p->kind == PAGE_FILE && p->index < CONTENT_PAGES)
			p->nr_seen = content_of(p)->nr_changes[p->index];
	}
	if (applies)
		forget_pins(s, first, nr);
	return 0;
}

static int advise_flag(struct space *s, unsigned first, unsigned nr, bool applies, unsigned set, unsigned clear)
{
	for (unsigned i = first; i < first + nr; i++) {
		struct page *p = page_at(s, i);

		if (!applies && (set & VMA_WIPEONFORK) && p->kind == PAGE_FILE)
			return -EINVAL;
		if (applies && p->kind != PAGE_NONE)
			p->flags = (uint16_t)((p->flags & ~clear) | set);
	}
	return 0;
}

/* Page by page, as far as it goes. */
static int advise_populate(struct space *s, unsigned first, unsigned nr, unsigned access)
{
	for (unsigned i = first; i < first + nr; i++) {
		unsigned grown;
		int err = page_at(s, i)->kind == PAGE_NONE ? -ENOMEM : access_error(s, i, access, false, &grown);

		if (err != 0)
			return err == -EACCES ? -EINVAL : err == -EIO ? -EFAULT : err;
	}
	return 0;
}

/* Mapping by mapping: the first error ends it. */
static int advise_remove(struct space *s, unsigned first, unsigned nr, bool applies)
{
	for (unsigned i = first; i < first + nr; i++) {
		struct page *p = page_at(s, i);

		if (p->kind == PAGE_NONE)
			continue;
		if (!is_shared(p) || w.objects[p->object].is_readonly)
			return p->kind == PAGE_ANON ? -EINVAL : -EACCES;
		if (content_of(p)->store != NULL)
			return -EOPNOTSUPP;
		if (applies && p->index < CONTENT_PAGES) {
			memset(content_of(p)->bytes[p->index], 0, PROBES);
			content_of(p)->nr_changes[p->index]++;
		}
	}
	return 0;
}

static int advise(struct space *s, unsigned first, unsigned nr, int advice, bool applies)
{
	switch (advice) {
	case MADV_DONTNEED: return advise_dontneed(s, first, nr, applies);
	case MADV_DONTFORK: return advise_flag(s, first, nr, applies, VMA_DONTFORK, 0);
	case MADV_DOFORK: return advise_flag(s, first, nr, applies, 0, VMA_DONTFORK);
	case MADV_WIPEONFORK: return advise_flag(s, first, nr, applies, VMA_WIPEONFORK, 0);
	case MADV_KEEPONFORK: return advise_flag(s, first, nr, applies, 0, VMA_WIPEONFORK);
	case MADV_POPULATE_READ: return advise_populate(s, first, nr, PROT_READ);
	case MADV_POPULATE_WRITE: return advise_populate(s, first, nr, PROT_WRITE);
	case MADV_REMOVE: return advise_remove(s, first, nr, applies);
	default: return 0;
	}
}

static bool has_file_pages(struct space *s, unsigned first, unsigned nr)
{
	for (unsigned i = first; i < first + nr; i++)
		if (page_at(s, i)->kind == PAGE_FILE)
			return true;
	return false;
}

/* c: the advice. */
void op_madvise(struct space *s)
{
	unsigned first = op_first(), nr = op_nr();
	int advice = advices[w.op->c % ARRAY_SIZE(advices)], expected;
	bool is_partial = advice == MADV_REMOVE || advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
	bool is_done;

	if (is_partial || has_holes(s, first, nr))
		disarm();
	say("pages %u-%u, advice %d", first, first + nr - 1, advice);
	for (unsigned i = first; i < first + nr && advice == MADV_REMOVE; i++)
		settle(s, i);
	expected = advise(s, first, nr, advice, false);
	if (advice == MADV_FREE && has_file_pages(s, first, nr))
		expected = -EINVAL;
	is_done = expected == 0 || is_partial;
	if (expected == 0 && has_holes(s, first, nr))
		expected = -ENOMEM;
	if (!result_is(aspace_madvise(s->as, va_of(first), PAGES(nr), advice), expected) && expected == 0)
		return;
	if (is_done)
		(void)advise(s, first, nr, advice, true);
	if (advice == MADV_REMOVE)
		for (unsigned i = 0; i < PINS_MAX; i++)
			w.pins[i].is_valid = false;
}

/* Write back: nothing may change for anybody. */
void op_sync(struct space *s)
{
	unsigned first = op_first(), nr = op_nr();
	int expected = has_holes(s, first, nr) ? -ENOMEM : 0;

	disarm();
	say("pages %u-%u", first, first + nr - 1);
	(void)result_is(aspace_msync(s->as, va_of(first), PAGES(nr), MS_SYNC), expected);
}
