/* Operations on processes and files: fork, exit, exec, truncate, read and write of files. */
#include "world.h"

/* ---- fork ---- */

/* What a child's page is made of its parent's. */
static void inherit_page(struct page *p)
{
	if (p->flags & VMA_DONTFORK)
		*p = (struct page){0};
	else if (p->flags & VMA_WIPEONFORK)
		memset(p->bytes, 0, PROBES);
	p->flags &= (uint16_t)~VMA_LOCKED;
}

/* Another thread wrote while the fork was under way: the child has the page as it was before or after. */
static void settle_race(struct space *child)
{
	struct page *p = page_at(child, w.race.page);
	struct pt_entry e;
	uint8_t value;

	if (p->kind != PAGE_ANON || (p->flags & VMA_WIPEONFORK))
		return;
	CHECK(w.ops->lookup(&child->as->pt, va_of(w.race.page), &e), "the child has lost page %u", w.race.page);
	value = ((uint8_t *)pfn_to_ptr(e.pfn))[probe_offset[w.race.probe]];
	CHECK(value == w.race.value || value == w.race.old, "the child's page %u has %u", w.race.page, value);
	p->bytes[w.race.probe] = value;
}

/* A planted bug: the first private page the parent may write to loses its bytes. */
static void lose_write(struct space *s)
{
	struct pt_entry e;

	for (unsigned i = 0; i < WINDOW; i++) {
		if (page_at(s, i)->kind == PAGE_ANON && w.ops->lookup(&s->as->pt, va_of(i), &e)) {
			((uint8_t *)pfn_to_ptr(e.pfn))[0] ^= 0x55;
			return;
		}
	}
}

void op_fork(struct space *s)
{
	struct space *child;
	struct aspace *as;
	unsigned slot = 0;
	int err;

	while (slot < SPACES_MAX && w.spaces[slot] != NULL)
		slot++;
	if (slot == SPACES_MAX)
		return;
	err = aspace_fork(s->as, &as);
	say("%s", err != 0 ? "fails" : "");
	if (!result_is(err, 0))
		return;
	model_counts.nr_forks++;
	child = malloc(sizeof(*child));
	memcpy(child, s, sizeof(*child));
	child->as = as;
	mmu_init(&child->mmu, w.format, pfn_to_phys(as->pt.root).raw, w.base, WINDOW);
	child->mmu.memory = mmu_memory;
	child->mmu.keeps_tables = s->mmu.keeps_tables;
	for (unsigned i = 0; i < WINDOW; i++)
		inherit_page(page_at(child, i));
	w.spaces[slot] = child;
	say("space %u", slot);
	if (w.race.is_done)
		settle_race(child);
	if (w.setup.plant == PLANT_LOST_WRITE)
		lose_write(s);
	check_vmas(child);
}

/* ---- exit, exec ---- */

void op_exit(struct space *s)
{
	unsigned nr = 0;

	for (unsigned i = 0; i < SPACES_MAX; i++)
		nr += w.spaces[i] != NULL;
	if (nr > 1)
		space_destroy(s);
}

/* A fresh address space takes the place of the old one. */
void op_new(struct space *s)
{
	unsigned slot = 0;
	struct space *fresh = space_create();

	if (fresh == NULL)
		return;
	while (w.spaces[slot] != s)
		slot++;
	space_destroy(s);
	w.spaces[slot] = fresh;
}

/* ---- files ---- */

static struct content *op_content(void) { return &w.contents[w.op->c & 1]; }

/* Private copies of pages behind the new end are lost too. */
static void lose_pages(struct content *c, uint64_t first)
{
	for (unsigned i = 0; i < SPACES_MAX; i++) {
		for (unsigned page = 0; w.spaces[i] != NULL && page < WINDOW; page++) {
			struct page *p = page_at(w.spaces[i], page);

			if (p->kind == PAGE_FILE && content_of(p) == c && p->index >= first)
				p->is_own = false;
		}
	}
	for (unsigned i = 0; i < PINS_MAX; i++)
		w.pins[i].is_valid = false;
}

/* Zeroes from the byte `at` to the end of the page. */
static void zero_tail(struct content *c, uint64_t at)
{
	uint64_t page = at >> PAGE_SHIFT;

	for (unsigned i = 0; i < PROBES && page < CONTENT_PAGES; i++)
		if (probe_offset[i] >= page_offset(at))
			c->bytes[page][i] = 0;
	if (page < CONTENT_PAGES)
		c->nr_changes[page]++;
}

/* c bit 0: the file; a: its pages; b: bytes beyond (not on the disk). */
void op_truncate(struct space *s)
{
	struct content *c = op_content();
	uint64_t size = PAGES(w.op->a % CONTENT_PAGES), old = c->size_bytes;

	(void)s;
	if (c->store == NULL)
		size += w.op->b % PAGE_SIZE;
	say("file %u: %llu bytes", w.op->c & 1, (unsigned long long)size);
	if (!result_is(filemap_truncate(c->filemap, size), 0))
		return;
	c->size_bytes = size;
	if (page_offset(MIN(old, size)) != 0)
		zero_tail(c, MIN(old, size));
	if (size >= old)
		return;
	for (uint64_t page = content_pages(c); page < CONTENT_PAGES; page++)
		zero_tail(c, PAGES(page));
	lose_pages(c, content_pages(c));
	if (c->store != NULL)
		memset(c->store + size, 0, PAGES(CONTENT_PAGES) - size);
}

/* As write(2): whole pages. c bit 0: the file; a: first page; b: pages - 1; d: the value. */
void op_fwrite(struct space *s)
{
	static uint8_t bytes[CONTENT_PAGES * PAGE_SIZE];
	struct content *c = op_content();
	/* From the end on a file grows only by whole pages: what lies behind an odd end stays unspecified. */
	uint64_t end = page_offset(c->size_bytes) != 0 ? content_pages(c) : CONTENT_PAGES;
	uint64_t first = w.op->a % CONTENT_PAGES, nr = MIN(1u + w.op->b % 8, CONTENT_PAGES - first);
	int64_t done;

	(void)s;
	say("file %u: %llu pages from %llu, value %u", w.op->c & 1, (unsigned long long)nr,
	    (unsigned long long)first, w.op->d);
	if (first + nr > end)
		return;
	memset(bytes, w.op->d, PAGES(nr));
	done = filemap_write(c->filemap, PAGES(first), bytes, PAGES(nr));
	if (done < (int64_t)PAGES(nr))
		CHECK(has_failed_alloc() && (done == -ENOMEM || (done > 0 && page_offset((uint64_t)done) == 0)),
		      "the write's result is %lld", (long long)done);
	for (uint64_t i = 0; done > 0 && i < (uint64_t)done >> PAGE_SHIFT; i++) {
		memset(c->bytes[first + i], w.op->d, PROBES);
		c->nr_changes[first + i]++;
		c->size_bytes = MAX(c->size_bytes, PAGES(first + i + 1));
	}
}

/* As read(2): the whole file. */
void op_fread(struct space *s)
{
	static uint8_t bytes[CONTENT_PAGES * PAGE_SIZE];
	struct content *c = op_content();
	int64_t done = filemap_read(c->filemap, 0, bytes, sizeof(bytes));

	(void)s;
	if (has_failed_alloc())
		return;
	CHECK(done == (int64_t)c->size_bytes, "the read's result is %lld", (long long)done);
	for (uint64_t page = 0; page < content_pages(c); page++)
		for (unsigned i = 0; i < PROBES; i++)
			if (PAGES(page) + probe_offset[i] < c->size_bytes)
				CHECK(bytes[PAGES(page) + probe_offset[i]] == c->bytes[page][i],
				      "file page %llu has %u, should be %u", (unsigned long long)page,
				      bytes[PAGES(page) + probe_offset[i]], c->bytes[page][i]);
}
