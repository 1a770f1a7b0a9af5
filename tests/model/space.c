/* The pages of a process as they should be: the reference model itself. No calls into the kernel but lookups. */
#include "world.h"

const unsigned probe_offset[PROBES] = {0, 1001, 2048, 4095};

#define GUARD_PAGES 256 /* free pages below a stack, as on Linux */

unsigned page_rights(const struct page *p)
{
	return p->prot & (PROT_WRITE | PROT_EXEC) ? p->prot | (unsigned)PROT_READ : p->prot;
}

bool is_same_vma(const struct page *a, const struct page *b)
{
	if (a->kind == PAGE_NONE || a->kind != b->kind || a->prot != b->prot || a->flags != b->flags)
		return false;
	return a->kind == PAGE_ANON || (a->object == b->object && a->index + 1 == b->index);
}

unsigned next_mapped(struct space *s, unsigned page)
{
	while (page_at(s, page)->kind == PAGE_NONE)
		page++; /* the page behind the window is mapped */
	return page;
}

int prev_mapped(struct space *s, unsigned page)
{
	int i = (int)page - 1;

	while (s->pages[i + 1].kind == PAGE_NONE)
		i--;
	return i;
}

bool is_free(struct space *s, unsigned first, unsigned nr)
{
	unsigned next = next_mapped(s, first);

	if (page_at(s, next)->flags & VMA_GROWSDOWN)
		return next >= first + nr + GUARD_PAGES;
	return next >= first + nr;
}

bool has_room(struct space *s, unsigned nr)
{
	for (unsigned first = 0; first + nr <= WINDOW; first++)
		if (is_free(s, first, nr))
			return true;
	return false;
}

void forget_pins(struct space *s, unsigned first, unsigned nr)
{
	for (unsigned i = 0; i < PINS_MAX; i++)
		if (w.pins[i].space == s && w.pins[i].page >= first && w.pins[i].page < first + nr)
			w.pins[i].is_valid = false;
}

void clear_pages(struct space *s, unsigned first, unsigned nr)
{
	memset(page_at(s, first), 0, nr * sizeof(struct page));
	forget_pins(s, first, nr);
}

uint8_t expected_byte(const struct page *p, unsigned probe)
{
	if (p->kind == PAGE_ANON || p->is_own)
		return p->bytes[probe];
	return content_of(p)->bytes[p->index][probe];
}

void store_byte(struct page *p, unsigned probe, uint8_t value)
{
	if (p->kind == PAGE_FILE && is_shared(p)) {
		content_of(p)->bytes[p->index][probe] = value;
		content_of(p)->nr_changes[p->index]++;
		return;
	}
	if (p->kind == PAGE_FILE && !p->is_own) {
		memcpy(p->bytes, content_of(p)->bytes[p->index], PROBES);
		p->is_own = true;
	}
	p->bytes[probe] = value;
}

/*
 * Whether a private file page that was not written to shows later changes of the file is
 * unspecified (mmap(2)). A copy that was made while the file stayed the same has the file's bytes;
 * if the file has changed meanwhile, the copy is taken as it is.
 */
void settle(struct space *s, unsigned page)
{
	struct page *p = page_at(s, page);
	struct content *c;
	struct pt_entry e;

	if (p->kind != PAGE_FILE || is_shared(p) || p->is_own)
		return;
	c = content_of(p);
	if (p->index >= content_pages(c))
		return;
	if (!w.ops->lookup(&s->as->pt, va_of(page), &e) || frame_kind(e.pfn) != FRAME_ANON) {
		p->nr_seen = c->nr_changes[p->index];
		return;
	}
	p->is_own = true;
	for (unsigned i = 0; i < PROBES; i++)
		p->bytes[i] = p->nr_seen == c->nr_changes[p->index]
				      ? c->bytes[p->index][i]
				      : ((uint8_t *)pfn_to_ptr(e.pfn))[probe_offset[i]];
}
