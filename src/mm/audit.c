/*
 * mm_audit(): checks the invariants of docs/ARCHITECTURE.md by walking every
 * address space, table, cached page and frame. The expected reference counts
 * are recounted into an array of their own, 8 bytes a frame, kept between
 * runs, so that auditing changes nothing it looks at.
 *
 * Invariants 2, 4, 5 and 8 are about moments, not states; what a breach of them leaves
 * behind is a wrong count, a writable slot of a shared frame, or a frame nothing refers to.
 *
 * Lock: none; called where no operation on an address space is under way.
 */
#include "lib/assert.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/audit.h"
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/internal.h"
#include "mm/kmalloc.h"

/* Recount of one frame; chunks of a 2^AUDIT_ORDER run each. */
struct recount {
	uint32_t slots;		/* table slots pointing here, each table counted once */
	uint16_t others;	/* cache, roots */
	uint8_t pins;		/* with a holder */
	bool is_visited : 1;	    /* a table whose slots are counted */
	bool has_writable_slot : 1; /* private, write on */
};

#define AUDIT_ORDER 6
#define AUDIT_CHUNK_FRAMES ((uint32_t)(((uint64_t)PAGE_SIZE << AUDIT_ORDER) / sizeof(struct recount)))
#define AUDIT_CHUNKS_MAX 4096 /* for 512 GiB */
/* Reports beyond these are only counted. */
#define AUDIT_REPORTS_MAX 20

static struct recount *chunks[AUDIT_CHUNKS_MAX];
static unsigned nr_violations;
static bool audit_is_on;
uint64_t audit_nr_runs;

void aspace_set_audit(bool on) { audit_is_on = on; }

bool audit_violation(void) { return nr_violations++ < AUDIT_REPORTS_MAX; }

/* ---- the recount --------------------------------------------------------- */

/*
 * Room for every frame, cleared. Chunks are ordinary kernel memory and stay; the first run takes them for all
 * memory there will be, so that no later one is without.
 */
static bool recount_prepare(void)
{
	uint32_t nr_chunks = (frame_span_max() + AUDIT_CHUNK_FRAMES - 1) / AUDIT_CHUNK_FRAMES;

	if (nr_chunks > AUDIT_CHUNKS_MAX)
		return false;
	for (uint32_t i = 0; i < nr_chunks; i++) {
		if (chunks[i] == NULL) {
			pfn_t run = frame_alloc_order_unchecked(FRAME_KERNEL, AUDIT_ORDER);

			if (pfn_is_none(run))
				return false;
			chunks[i] = pfn_to_ptr(run);
		}
		if (i * AUDIT_CHUNK_FRAMES < frame_span())
			memset(chunks[i], 0, AUDIT_CHUNK_FRAMES * sizeof(struct recount));
	}
	return true;
}

void mm_audit_forget(void)
{
	memset(chunks, 0, sizeof(chunks));
	audit_objects_forget();
}

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
	const struct vma *vma; /* the last one found */
	uint64_t nr_pages;     /* pages seen, shared tables included */
};

static const char *rights_name(prot_t prot)
{
	static const char *const names[] = {"---", "r--", "-w-", "rw-", "--x", "r-x", "-wx", "rwx"};

	return names[prot.raw & (PROT_BIT_R | PROT_BIT_W | PROT_BIT_X)];
}

/* Is the frame of the right kind for its VMA, and for a shared mapping of memory the file's own page? */
static void audit_backing(const struct pt_visit *v, const struct vma *vma)
{
	bool is_shared = (vma->flags & VMA_SHARED) != 0;
	enum frame_kind kind = frame_kind(v->pfn);
	struct filemap *map;
	pfn_t cached;

	if (kind != FRAME_ANON && kind != FRAME_CACHE)
		FRAME_VIOLATION(v->pfn, "mapped at %#llx\n", audit_ull(v->va));
	else if (kind == FRAME_CACHE ? vma->file == NULL : is_shared)
		FRAME_VIOLATION(v->pfn, "mapped at %#llx, where the mapping is %s (7)\n", audit_ull(v->va),
				is_shared ? "shared" : "anonymous");
	if (kind != FRAME_CACHE || !is_shared || vma->file == NULL)
		return;
	map = vma_filemap(vma);
	if (map->ops->read_pages != NULL)
		return; /* the file may have been read anew since */
	cached = filemap_peek(map, vma_index(vma, v->va));
	if (!pfn_is_none(cached))
		frame_put(cached);
	if (!pfn_equal(cached, v->pfn))
		FRAME_VIOLATION(v->pfn, "mapped at %#llx, but page %llu of that file is frame %#x (7)\n",
				audit_ull(v->va), audit_ull(vma_index(vma, v->va)), cached.raw);
}

static void audit_page(struct aspace_audit *a, const struct pt_visit *v)
{
	const struct vma *vma = a->vma;
	prot_t allowed;

	a->nr_pages++;
	if (vma == NULL || v->va < vma->start || v->va >= vma->end)
		vma = a->vma = vma_find(&a->as->vmas, v->va);
	if (vma == NULL) {
		FRAME_VIOLATION(v->pfn, "mapped at %#llx, outside any VMA (7)\n", audit_ull(v->va));
		return;
	}
	audit_backing(v, vma);
	allowed = vma_page_prot(vma);
	if (prot_without(v->prot, PROT_BIT_W).raw != prot_without(allowed, PROT_BIT_W).raw)
		FRAME_VIOLATION(v->pfn, "at %#llx it has rights %s, its VMA %s (7)\n", audit_ull(v->va),
				rights_name(v->prot), rights_name(allowed));
	if (v->path_writable && !prot_has(allowed, PROT_BIT_W))
		FRAME_VIOLATION(v->pfn, "writable at %#llx, its VMA is not (3)\n", audit_ull(v->va));
	if (((v->attrs & PT_SHARED) != 0) != ((vma->flags & VMA_SHARED) != 0))
		FRAME_VIOLATION(v->pfn, "at %#llx its entry is %s, its VMA is not (7)\n", audit_ull(v->va),
				v->attrs & PT_SHARED ? "shared" : "private");
	if (!(v->attrs & PT_USER))
		FRAME_VIOLATION(v->pfn, "at %#llx it is no user page (7)\n", audit_ull(v->va));
}

static bool audit_slot(const struct pt_visit *v, void *arg)
{
	struct aspace_audit *a = arg;
	struct recount *table = recount_of(v->table), *node = recount_of(v->pfn);

	if (node == NULL || frame_kind(v->pfn) <= FRAME_RESERVED) {
		FRAME_VIOLATION(v->pfn, "mapped at %#llx, but not in use (5)\n", audit_ull(v->va));
		return false;
	}
	if (!table->is_visited) {
		node->slots++;
		node->has_writable_slot |= v->slot_writable && !(v->attrs & PT_SHARED);
	}
	if (v->level == 0)
		audit_page(a, v);
	else if (frame_kind(v->pfn) != FRAME_TABLE)
		FRAME_VIOLATION(v->pfn, "a page table should be at %#llx\n", audit_ull(v->va));
	return v->level > 0 && frame_kind(v->pfn) == FRAME_TABLE;
}

static void audit_table_end(pfn_t table, unsigned level, uint64_t nr_pages, void *arg)
{
	(void)level;
	(void)arg;
	recount_of(table)->is_visited = true;
	if (frame_table_pages(table) != nr_pages)
		FRAME_VIOLATION(table, "says %u pages beneath, has %llu (6)\n", frame_table_pages(table),
				audit_ull(nr_pages));
}

static void audit_aspace(struct aspace *as)
{
	struct aspace_audit a = {.as = as};
	struct pt_visitor visitor = {.fn = audit_slot, .table_end = audit_table_end, .arg = &a};
	unsigned nr_vma_violations = vma_tree_audit(&as->vmas);

	nr_violations += nr_vma_violations;
	if (nr_vma_violations != 0)
		kprintf("audit:   in %s\n", audit_aspace_name(as));
	recount_of(as->pt.root)->others++;
	as->pt.ops->visit(&as->pt, &visitor);
	if (as->pt.nr_pages != a.nr_pages)
		VIOLATION("%s: %llu resident pages counted, %llu found (6)\n", audit_aspace_name(as),
			  audit_ull(as->pt.nr_pages), audit_ull(a.nr_pages));
}

/* ---- frames -------------------------------------------------------------- */

static void count_cached(uint64_t index, pfn_t pfn, void *arg)
{
	++*(uint64_t *)arg;
	if (recount_of(pfn) == NULL || frame_kind(pfn) != FRAME_CACHE)
		FRAME_VIOLATION(pfn, "the page cache has it as page %llu of a file (1)\n", audit_ull(index));
	else
		recount_of(pfn)->others++;
}

static void audit_cache(void)
{
	struct filemap *map;
	uint64_t nr_pages;

	LIST_FOR_EACH (map, &filemap_all, all) {
		nr_pages = 0;
		filemap_visit(map, count_cached, &nr_pages);
		if (nr_pages != map->nr_pages || map->nr_dirty > nr_pages)
			VIOLATION("cached file: %llu pages and %llu dirty counted, %llu found (1)\n",
				  audit_ull(map->nr_pages), audit_ull(map->nr_dirty), audit_ull(nr_pages));
	}
}

/* Pins with a holder count as found; unnamed[]: the others, which are known by bucket only. */
static void count_pins(uint32_t unnamed[PIN_BUCKETS])
{
	const struct user_pin *pin;

	for (unsigned i = 0; i < PIN_BUCKETS; i++)
		unnamed[i] = user_pins_in_bucket(i);
	for (unsigned i = 0; (pin = user_pin_get(i)) != NULL; i++) {
		unnamed[pin_bucket(pin->pfn)]--;
		recount_of(pin->pfn)->pins++;
	}
}

static uint32_t expected_refs(pfn_t pfn)
{
	const struct recount *r = recount_of(pfn);

	return r->slots + r->others + r->pins + arch_mmu_frame_refs(pfn);
}

static bool is_user_kind(enum frame_kind kind)
{
	return kind == FRAME_ANON || kind == FRAME_CACHE || kind == FRAME_TABLE;
}

static void audit_frame(pfn_t pfn, uint32_t unnamed[PIN_BUCKETS])
{
	const struct recount *r = recount_of(pfn);
	uint32_t expected = expected_refs(pfn), refs = frame_refs(pfn), more = refs - expected;

	if (!is_user_kind(frame_kind(pfn)))
		return;
	if (refs > expected && unnamed[pin_bucket(pfn)] >= more)
		unnamed[pin_bucket(pfn)] -= more;
	else if (refs != expected)
		FRAME_VIOLATION(pfn, "%u references, %u found%s (1)\n", refs, expected,
				expected == 0 ? ": leaked" : "");
	if (r->has_writable_slot && r->slots + r->others > 1)
		FRAME_VIOLATION(pfn, "has %u users and may be written through one (3)\n", r->slots + r->others);
}

static void audit_frames(void)
{
	uint32_t unnamed[PIN_BUCKETS];

	count_pins(unnamed);
	for (uint32_t i = 0; i < frame_span(); i++)
		audit_frame((pfn_t){frame_first().raw + i}, unnamed);
	for (unsigned i = 0; i < PIN_BUCKETS; i++)
		if (unnamed[i] != 0)
			VIOLATION("bucket %u: %u kernel pins without a reference (1)\n", i, unnamed[i]);
}

/* ---- entry --------------------------------------------------------------- */

unsigned mm_audit(void)
{
	struct aspace *as;

	nr_violations = 0;
	audit_nr_runs++;
	if (!recount_prepare()) {
		kprintf("audit: no memory for the recount\n");
		return 1;
	}
	LIST_FOR_EACH (as, &aspace_all, all_link)
		audit_aspace(as);
	audit_cache();
	audit_frames();
	audit_objects();
	nr_violations += frame_audit() + kmalloc_audit() + commit_audit();
	if (nr_violations > AUDIT_REPORTS_MAX)
		kprintf("audit: %u violations in all\n", nr_violations);
	return nr_violations;
}

void mm_audit_reached(void (*fn)(pfn_t pfn))
{
	for (uint32_t i = 0; i < frame_span(); i++) {
		const pfn_t pfn = {frame_first().raw + i};

		if (is_user_kind(frame_kind(pfn)) && expected_refs(pfn) != 0)
			fn(pfn);
	}
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

unsigned mm_audit_end(void)
{
	unsigned nr = mm_audit();

	return is_quiet() ? nr : 0;
}

void mm_audit_point(const char *operation)
{
	if (!audit_is_on || !is_quiet())
		return;
	if (mm_audit() != 0)
		panic("memory audit failed after %s", operation);
}
