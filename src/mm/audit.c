/*
 * mm_audit(): checks the invariants of docs/ARCHITECTURE.md by walking every
 * address space, table, cached page and frame. The expected reference counts
 * are recounted into an array of their own, one word a frame, kept between
 * runs, so that auditing changes nothing it looks at.
 *
 * Lock: none; called where no operation on an address space is under way.
 */
#include "lib/assert.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/internal.h"

/* Recount of one frame; chunks of a 2^AUDIT_ORDER run each. */
struct recount {
	uint32_t slots;		/* table slots pointing here, each table counted once */
	uint16_t others;	/* cache, machine, roots */
	bool is_visited;	/* a table whose slots are counted */
	bool has_writable_slot; /* private, write on */
};

#define AUDIT_ORDER 6
#define AUDIT_CHUNK_FRAMES ((uint32_t)(((uint64_t)PAGE_SIZE << AUDIT_ORDER) / sizeof(struct recount)))
#define AUDIT_CHUNKS_MAX 512
/* Reports beyond these are only counted. */
#define AUDIT_REPORTS_MAX 20

static struct recount *chunks[AUDIT_CHUNKS_MAX];
static unsigned nr_violations;
static bool audit_is_on;

void aspace_set_audit(bool on) { audit_is_on = on; }

#define VIOLATION(...)                                                                                       \
	do {                                                                                                 \
		if (nr_violations++ < AUDIT_REPORTS_MAX)                                                     \
			kprintf("audit: " __VA_ARGS__);                                                      \
	} while (0)

static unsigned long long ull(uint64_t value) { return value; }

/* ---- the recount --------------------------------------------------------- */

/* Room for every frame, cleared. Chunks are ordinary kernel memory and stay. */
static bool recount_prepare(void)
{
	uint32_t nr_chunks = (frame_span() + AUDIT_CHUNK_FRAMES - 1) / AUDIT_CHUNK_FRAMES;

	if (nr_chunks > AUDIT_CHUNKS_MAX)
		return false;
	for (uint32_t i = 0; i < nr_chunks; i++) {
		if (chunks[i] == NULL) {
			pfn_t run = frame_alloc_order_unchecked(FRAME_KERNEL, AUDIT_ORDER);

			if (pfn_is_none(run))
				return false;
			chunks[i] = pfn_to_ptr(run);
		}
		memset(chunks[i], 0, AUDIT_CHUNK_FRAMES * sizeof(struct recount));
	}
	return true;
}

void mm_audit_forget(void) { memset(chunks, 0, sizeof(chunks)); }

static struct recount *recount_of(pfn_t pfn)
{
	uint32_t index = pfn.raw - frame_first().raw;

	if (index >= frame_span())
		return NULL;
	return &chunks[index / AUDIT_CHUNK_FRAMES][index % AUDIT_CHUNK_FRAMES];
}

/* ---- address spaces ------------------------------------------------------ */

struct aspace_audit {
	struct aspace *as;
	uint64_t nr_pages; /* pages seen, shared tables included */
};

static void audit_page(struct aspace_audit *a, const struct pt_visit *v)
{
	const struct vma *vma = vma_find(&a->as->vmas, v->va);
	enum frame_kind kind = frame_kind(v->pfn);
	prot_t allowed;

	a->nr_pages++;
	if (kind != FRAME_ANON && kind != FRAME_CACHE)
		VIOLATION("frame %u of kind %d is mapped at %llx\n", v->pfn.raw, kind, ull(v->va));
	if (vma == NULL) {
		VIOLATION("frame %u is mapped at %llx outside any VMA\n", v->pfn.raw, ull(v->va));
		return;
	}
	allowed = vma_page_prot(vma);
	if (prot_without(v->prot, PROT_BIT_W).raw != prot_without(allowed, PROT_BIT_W).raw)
		VIOLATION("frame %u at %llx has rights %x, its VMA %x (7)\n", v->pfn.raw, ull(v->va),
			  v->prot.raw, allowed.raw);
	if (v->path_writable && !prot_has(allowed, PROT_BIT_W))
		VIOLATION("frame %u at %llx is writable, its VMA is not (3)\n", v->pfn.raw, ull(v->va));
	if (((v->attrs & PT_SHARED) != 0) != ((vma->flags & VMA_SHARED) != 0))
		VIOLATION("frame %u at %llx is shared or private, its VMA is not\n", v->pfn.raw, ull(v->va));
	if (!(v->attrs & PT_USER))
		VIOLATION("frame %u at %llx is not a user page\n", v->pfn.raw, ull(v->va));
}

static bool audit_slot(const struct pt_visit *v, void *arg)
{
	struct aspace_audit *a = arg;
	struct recount *table = recount_of(v->table), *node = recount_of(v->pfn);

	if (node == NULL || frame_kind(v->pfn) == FRAME_FREE) {
		VIOLATION("frame %u, no memory in use, is mapped at %llx\n", v->pfn.raw, ull(v->va));
		return false;
	}
	if (!table->is_visited) {
		node->slots++;
		node->has_writable_slot |= v->slot_writable && !(v->attrs & PT_SHARED);
	}
	if (v->level == 0)
		audit_page(a, v);
	else if (frame_kind(v->pfn) != FRAME_TABLE)
		VIOLATION("frame %u at %llx should be a page table\n", v->pfn.raw, ull(v->va));
	return v->level > 0 && frame_kind(v->pfn) == FRAME_TABLE;
}

static void audit_table_end(pfn_t table, unsigned level, uint64_t nr_pages, void *arg)
{
	(void)level;
	(void)arg;
	recount_of(table)->is_visited = true;
	if (frame_table_pages(table) != nr_pages)
		VIOLATION("table frame %u says %u pages, holds %llu (6)\n", table.raw,
			  frame_table_pages(table), ull(nr_pages));
}

static void audit_aspace(struct aspace *as)
{
	struct aspace_audit a = {.as = as};
	struct pt_visitor visitor = {.fn = audit_slot, .table_end = audit_table_end, .arg = &a};

	recount_of(as->pt.root)->others++;
	as->pt.ops->visit(&as->pt, &visitor);
	if (as->pt.nr_pages != a.nr_pages)
		VIOLATION("address space says %llu resident pages, has %llu (6)\n", ull(as->pt.nr_pages),
			  ull(a.nr_pages));
	nr_violations += vma_tree_audit(&as->vmas);
}

/* ---- frames -------------------------------------------------------------- */

static void count_cached(uint64_t index, pfn_t pfn, void *arg)
{
	(void)arg;
	if (recount_of(pfn) == NULL || frame_kind(pfn) != FRAME_CACHE)
		VIOLATION("cached page %llu has frame %u of another kind\n", ull(index), pfn.raw);
	else
		recount_of(pfn)->others++;
}

/* Kernel pins are known by bucket only: what is left over there must add up. */
static void audit_frame(pfn_t pfn, uint32_t left_over[PIN_BUCKETS])
{
	struct recount *r = recount_of(pfn);
	enum frame_kind kind = frame_kind(pfn);
	uint32_t expected = r->slots + r->others + arch_mmu_frame_refs(pfn), refs;

	if (kind != FRAME_ANON && kind != FRAME_CACHE && kind != FRAME_TABLE)
		return;
	refs = frame_refs(pfn);
	if (refs > expected && user_pins_in_bucket(pin_bucket(pfn)) >= refs - expected)
		left_over[pin_bucket(pfn)] += refs - expected;
	else if (refs != expected)
		VIOLATION("frame %u of kind %d: %u references, %u found%s (1)\n", pfn.raw, kind, refs,
			  expected, expected == 0 ? ": leaked" : "");
	if (r->has_writable_slot && r->slots + r->others > 1)
		VIOLATION("frame %u has %u users and may be written through one (3)\n", pfn.raw,
			  r->slots + r->others);
}

static void audit_frames(void)
{
	uint32_t left_over[PIN_BUCKETS] = {0};
	uint32_t first = frame_first().raw;

	for (uint32_t i = 0; i < frame_span(); i++)
		audit_frame((pfn_t){first + i}, left_over);
	for (unsigned i = 0; i < PIN_BUCKETS; i++)
		if (left_over[i] != user_pins_in_bucket(i))
			VIOLATION("bucket %u: %u kernel pins, %u references of frames unaccounted for (1)\n",
				  i, user_pins_in_bucket(i), left_over[i]);
}

/* ---- entry --------------------------------------------------------------- */

unsigned mm_audit(void)
{
	struct aspace *as;
	struct filemap *map;

	nr_violations = 0;
	if (!recount_prepare()) {
		kprintf("audit: no memory for the recount\n");
		return 0;
	}
	LIST_FOR_EACH (as, &aspace_all, all_link)
		audit_aspace(as);
	LIST_FOR_EACH (map, &filemap_all, all)
		filemap_visit(map, count_cached, NULL);
	audit_frames();
	if (nr_violations > AUDIT_REPORTS_MAX)
		kprintf("audit: %u violations in all\n", nr_violations);
	return nr_violations;
}

/* An operation that sleeps in another task holds frames nobody else knows yet. */
static bool is_quiet(void)
{
	struct aspace *as;

	LIST_FOR_EACH (as, &aspace_all, all_link)
		if (as->lock.owner != NULL)
			return false;
	return true;
}

void mm_audit_point(const char *operation)
{
	if (!audit_is_on || !is_quiet())
		return;
	if (mm_audit() != 0)
		panic("memory audit failed after %s", operation);
}
