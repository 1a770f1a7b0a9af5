/*
 * mm_audit() finds each kind of damage, and its report names the frame, its owners and (this test is linked
 * with the debug build of the allocators) the functions that allocated it. One damage at a time is planted into
 * a kernel with two processes, "parent" and "child", and taken back.
 */
#include <stdio.h>
#include <stdlib.h>

#include "fake_kernel.h"
#include "lib/printf.h"
#include "mm/commit.h"
#include "mm/internal.h"
#include "mm/memtools.h"
#include "mm/vma_node.h"

extern const struct pt_ops pt_ops_odd;

#define BASE UINT64_C(0x200000000)
#define PAGES(n) ((uint64_t)(n) << PAGE_SHIFT)
#define NR_PAGES 200u

static struct task *parent, *child;
static struct aspace *as; /* the parent's */
static uint32_t machine_refs;
static pfn_t machine_pfn;

uint32_t arch_mmu_frame_refs(pfn_t pfn) { return pfn_equal(pfn, machine_pfn) ? machine_refs : 0; }

/* ---- the scene ----------------------------------------------------------------------- */

static void poke(struct aspace *of, uint64_t addr)
{
	assert_int_equal(copy_to_user_in(of, uaddr(addr), "x", 1), 0);
}

static struct pt_entry entry_at(struct aspace *of, uint64_t addr)
{
	struct pt_entry e;

	of->pt.ops->lookup(&of->pt, addr, &e);
	return e;
}

static pte_t *leaf_slot(struct aspace *of, uint64_t va)
{
	const struct pt_ops *ops = of->pt.ops;
	pfn_t t = of->pt.root;

	for (unsigned level = ops->nr_levels;; level--) {
		pte_t *s = (pte_t *)pfn_to_ptr(t) + va / pt_slot_bytes(ops, level) % (1u << ops->index_bits);
		struct pte_fields f;

		if (level == 1)
			return s;
		ops->decode(*s, &f);
		t = phys_to_pfn(f.pa);
	}
}

static pfn_t leaf_table(struct aspace *of, uint64_t va) { return ptr_to_pfn(leaf_slot(of, va)); }

static void map(uint64_t addr, uint64_t nr_pages, uint32_t flags, struct file *file)
{
	struct mmap_args args = {.addr = addr, .length_bytes = PAGES(nr_pages), .prot = PROT_READ | PROT_WRITE,
				 .flags = MAP_FIXED | flags, .file = file};

	assert_int_equal(aspace_mmap(as, &args), addr);
}

/* `parent` with 200 private pages at BASE, in this page-table format. */
static void scene_begin(const struct pt_ops *ops)
{
	aspace_set_pt_ops(ops);
	aspace_set_fork_mode(FORK_COW);
	assert_int_equal(aspace_create(NULL, &as), 0);
	parent->aspace = as;
	map(BASE, NR_PAGES, MAP_PRIVATE | MAP_ANONYMOUS, NULL);
	for (unsigned i = 0; i < NR_PAGES; i++)
		poke(as, BASE + PAGES(i));
	assert_int_equal(mm_audit(), 0);
}

static void scene_fork(void) { assert_int_equal(aspace_fork(as, &child->aspace), 0); }

static void scene_end(void)
{
	assert_int_equal(mm_audit(), 0);
	if (child->aspace != NULL)
		aspace_put(child->aspace);
	child->aspace = NULL;
	parent->aspace = NULL;
	aspace_put(as);
	assert_int_equal(mm_audit(), 0);
}

/* Runs fn for every page-table format. */
static void for_each_format(void (*fn)(const struct pt_ops *ops))
{
	static const struct pt_ops *const formats[] = {&pt_ops_x86_64, &pt_ops_aarch64, &pt_ops_odd};

	for (unsigned i = 0; i < ARRAY_SIZE(formats); i++) {
		scene_begin(formats[i]);
		fn(formats[i]);
		scene_end();
	}
}

/* ---- what the report must say ---------------------------------------------------------- */

/* Audits; there must be nr violations. */
static void audit(unsigned nr)
{
	unsigned found;

	fake.is_quiet = true;
	fake.log_size = 0;
	memset(fake.log, 0, sizeof(fake.log));
	found = mm_audit();
	fake.is_quiet = false;
	if (found != nr)
		printf("the audit said:\n%s", fake.log);
	assert_int_equal(found, nr);
}

static void says(const char *text)
{
	if (strstr(fake.log, text) == NULL)
		printf("'%s' is not in the report:\n%s", text, fake.log);
	assert_non_null(strstr(fake.log, text));
}

/* The report has a line about this frame that ends so. */
static void says_of_frame(pfn_t pfn, const char *kind, const char *text)
{
	char line[200];

	ksnprintf(line, sizeof(line), "audit: frame %#x (physical %#llx, %s): %s", pfn.raw,
		  (unsigned long long)pfn_to_phys(pfn).raw, kind, text);
	says(line);
}

static void says_slot(struct aspace *of, uint64_t va, const char *rest)
{
	char line[200];
	pte_t *slot = leaf_slot(of, va);

	ksnprintf(line, sizeof(line), "slot %u of table frame %#x, level 1: %#llx in %s",
		  (unsigned)(page_offset((uintptr_t)slot) / sizeof(*slot)), ptr_to_pfn(slot).raw,
		  (unsigned long long)va, rest);
	says(line);
}

#define PARENT "process 2 (parent)"
#define CHILD "process 3 (child)"

static void says_fault_allocated_it(void)
{
	says("audit:   allocated by\n");
	says("frame_alloc");
	says("aspace_fault");
}

/* ---- references of pages and tables: invariant 1 ------------------------------------------ */

static void check_references(const struct pt_ops *ops)
{
	pfn_t pfn = entry_at(as, BASE).pfn, table = leaf_table(as, BASE);
	pte_t *slot = leaf_slot(as, BASE), old = *slot;

	frame_get(pfn);
	audit(1);
	says_of_frame(pfn, "private page", "2 references, 1 found (1)\n");
	says_slot(as, BASE, PARENT ", write on\n");
	says_fault_allocated_it();
	assert_false(frame_unref(pfn));

	frame_get(table);
	audit(1);
	says_of_frame(table, "page table", "2 references, 1 found (1)\n");
	says("level 2: 0x200000000 in " PARENT ", write on\n");
	says_fault_allocated_it();
	assert_false(frame_unref(table));

	frame_get(as->pt.root);
	audit(1);
	says_of_frame(as->pt.root, "page table", "2 references, 1 found (1)\n");
	says("the root table of " PARENT "\n");
	assert_false(frame_unref(as->pt.root));

	*slot = (pte_t){0};
	audit(3); /* the frame, the table's count, the resident pages */
	says_of_frame(pfn, "private page", "1 references, 0 found: leaked (1)\n");
	says("nothing refers to it\n");
	says_fault_allocated_it();
	*slot = old;

	scene_fork();
	assert_false(frame_unref(pfn));
	audit(1);
	says_of_frame(pfn, "private page", "1 references, 2 found (1)\n");
	says_slot(as, BASE, PARENT ", write off\n");
	says_slot(child->aspace, BASE, CHILD ", write off\n");
	frame_get(pfn);

	machine_pfn = pfn;
	machine_refs = 3;
	audit(1);
	says_of_frame(pfn, "private page", "2 references, 5 found (1)\n");
	says("3 references of the machine\n");
	machine_refs = 0;
}

static void references_are_recounted(void **state) { for_each_format(check_references); }

__attribute__((noinline)) static pfn_t the_one_who_leaks(enum frame_kind kind)
{
	pfn_t pfn = frame_alloc(kind);

	__asm__ volatile(""); /* no tail call: it shall be in the trace */
	return pfn;
}

static void leaked_frames_are_named(void **state)
{
	static const struct {
		enum frame_kind kind;
		const char *name;
	} kinds[] = {{FRAME_ANON, "private page"}, {FRAME_CACHE, "page of a file"}, {FRAME_TABLE, "page table"}};

	for (unsigned i = 0; i < ARRAY_SIZE(kinds); i++) {
		pfn_t pfn = the_one_who_leaks(kinds[i].kind);

		audit(1);
		says_of_frame(pfn, kinds[i].name, "1 references, 0 found: leaked (1)\n");
		says("nothing refers to it\n");
		says(" the_one_who_leaks");
		frame_put(pfn);
		assert_int_equal(mm_audit(), 0);
	}
}

static void a_frame_freed_under_its_mapping_is_named(void **state)
{
	pfn_t pfn;
	pte_t *slot, old;

	scene_begin(&pt_ops_x86_64);
	pfn = entry_at(as, BASE).pfn;
	slot = leaf_slot(as, BASE);
	old = *slot;
	frame_put(pfn); /* what a drop before the flush leads to */
	audit(2); /* and one page is missing in the count */
	says_of_frame(pfn, "free", "mapped at 0x200000000, but not in use (5)\n");
	says_slot(as, BASE, PARENT ", write on\n");
	says("freed last by\n");
	says(" a_frame_freed_under_its_mapping_is_named");
	*slot = as->pt.ops->encode_page(pfn_to_phys(frame_alloc(FRAME_ANON)), entry_at(as, BASE).prot,
					PT_USER | PT_DIRTY | PT_ACCESSED);
	assert_int_not_equal(old.raw, 0);
	scene_end();
}

/* ---- rights: invariants 3 and 7 -------------------------------------------------------------- */

static void check_rights(const struct pt_ops *ops)
{
	pte_t *slot = leaf_slot(as, BASE), old = *slot;
	pfn_t pfn = entry_at(as, BASE).pfn;
	struct pte_fields f;

	ops->decode(old, &f);
	*slot = ops->encode_page(f.pa, prot_make(PROT_BIT_R | PROT_BIT_W | PROT_BIT_X), f.attrs);
	audit(1);
	says_of_frame(pfn, "private page", "at 0x200000000 it has rights rwx, its VMA rw- (7)\n");
	says_slot(as, BASE, PARENT ", write on\n");
	says_fault_allocated_it();
	*slot = ops->encode_page(f.pa, prot_make(PROT_BIT_W), f.attrs);
	audit(1);
	says("it has rights -w-, its VMA rw- (7)\n");
	*slot = ops->encode_page(f.pa, f.prot, f.attrs & ~(unsigned)PT_USER);
	audit(1);
	says_of_frame(pfn, "private page", "at 0x200000000 it is no user page (7)\n");
	*slot = ops->encode_page(f.pa, f.prot, f.attrs | PT_SHARED);
	audit(1);
	says_of_frame(pfn, "private page", "at 0x200000000 its entry is shared, its VMA is not (7)\n");
	*slot = old;

	/* A write-protect forgotten at fork. */
	scene_fork();
	*slot = old;
	audit(1);
	says_of_frame(pfn, "private page", "has 2 users and may be written through one (3)\n");
	says_slot(as, BASE, PARENT ", write on\n");
	says_slot(child->aspace, BASE, CHILD ", write off\n");
	*slot = ops->without_write(old);
	assert_int_equal(mm_audit(), 0);
	aspace_put(child->aspace);
	child->aspace = NULL;

	/* A page that is left writable although its mapping is not. */
	assert_int_equal(aspace_mprotect(as, BASE, PAGES(NR_PAGES), PROT_READ), 0);
	*slot = old;
	audit(1);
	says_of_frame(pfn, "private page", "writable at 0x200000000, its VMA is not (3)\n");
	*slot = ops->without_write(old);
}

static void rights_are_exact(void **state) { for_each_format(check_rights); }

/* A table shared by fork whose slot in one parent still grants write. */
static void a_writable_slot_of_a_shared_table_is_named(void **state)
{
	const unsigned level = pt_ops_x86_64.nr_levels;
	pte_t *slot;
	pfn_t table;

	scene_begin(&pt_ops_x86_64);
	aspace_set_fork_mode(FORK_SHARE);
	scene_fork();
	slot = (pte_t *)pfn_to_ptr(as->pt.root) + BASE / pt_slot_bytes(&pt_ops_x86_64, level) % 512;
	table = phys_to_pfn((paddr_t){slot->raw & 0x000ffffffffff000});
	assert_int_equal(frame_refs(table), 2);
	*slot = pt_ops_x86_64.encode_table(pfn_to_phys(table), true);
	audit(1);
	says_of_frame(table, "page table", "has 2 users and may be written through one (3)\n");
	says("level 4: 0 in " PARENT ", write on\n");
	says("level 4: 0 in " CHILD ", write off\n");
	*slot = pt_ops_x86_64.encode_table(pfn_to_phys(table), false);
	scene_end();
}

static void pages_belong_to_their_mapping(void **state)
{
	struct vma v;
	pfn_t other, pfn;
	pte_t *slot, old;
	struct file *f;

	scene_begin(&pt_ops_x86_64);
	v = *vma_find(&as->vmas, BASE);
	assert_int_equal(vma_reserve(&as->vmas, 2), 0);
	vma_remove_range(&as->vmas, BASE + PAGES(199), BASE + PAGES(200));
	commit_settle(as);
	audit(1);
	says_of_frame(entry_at(as, BASE + PAGES(199)).pfn, "private page",
		      "mapped at 0x2000c7000, outside any VMA (7)\n");
	v.start = BASE + PAGES(199);
	v.page_index = v.start >> PAGE_SHIFT;
	vma_insert(&as->vmas, &v);
	vma_unreserve(&as->vmas);
	assert_int_equal(commit_charge(as, 1), 0);
	commit_settle(as);

	/* Memory of the kernel's, mapped to a user. */
	slot = leaf_slot(as, BASE);
	old = *slot;
	pfn = entry_at(as, BASE).pfn;
	other = frame_alloc(FRAME_KERNEL);
	*slot = pt_ops_x86_64.encode_page(pfn_to_phys(other), prot_make(3), PT_USER);
	audit(2); /* and the page is lost */
	says_of_frame(other, "kernel memory", "mapped at 0x200000000\n");
	frame_put(other);
	*slot = old;

	/* A private page where a shared mapping is, and another page of the file. */
	assert_int_equal(shmem_file_create(PAGES(2), &f), 0);
	map(BASE + PAGES(512), 2, MAP_SHARED, f);
	poke(as, BASE + PAGES(512));
	poke(as, BASE + PAGES(513));
	file_put(f);
	slot = leaf_slot(as, BASE + PAGES(512));
	old = slot[0];
	slot[0] = slot[1];
	audit(3);
	other = entry_at(as, BASE + PAGES(513)).pfn;
	says_of_frame(other, "page of a file", "mapped at 0x200200000, but page 0 of that file is frame ");
	says("page 1 of inode ");
	says_of_frame(other, "page of a file", "2 references, 3 found (1)\n");
	slot[0] = pt_ops_x86_64.encode_page(pfn_to_phys(pfn), prot_make(3), PT_USER | PT_SHARED);
	frame_get(pfn);
	audit(3); /* the page of the file has lost a slot, and the private one can be written through the other */
	says_of_frame(pfn, "private page", "mapped at 0x200200000, where the mapping is shared (7)\n");
	frame_put(pfn);
	slot[0] = old;
	scene_end();
}

/* ---- counts: invariant 6 ------------------------------------------------------------------------ */

static void check_counts(const struct pt_ops *ops)
{
	pfn_t table = leaf_table(as, BASE);

	as->pt.nr_pages++;
	audit(1);
	says(PARENT ": 201 resident pages counted, 200 found (6)\n");
	as->pt.nr_pages--;
	frame_table_set_pages(table, NR_PAGES - 1);
	audit(2); /* and the table above */
	says_of_frame(table, "page table", "says 199 pages beneath, has 200 (6)\n");
	says("level 2: 0x200000000 in " PARENT);
	says_fault_allocated_it();
	frame_table_set_pages(table, NR_PAGES);
	as->vmas.nr_vmas++;
	audit(1);
	says("in " PARENT);
	as->vmas.nr_vmas--;
	as->vmas.nr_pages--;
	audit(1);
	as->vmas.nr_pages++;
}

static void counts_are_recounted(void **state) { for_each_format(check_counts); }

/* ---- page cache, pins -------------------------------------------------------------------------- */

static void cached_pages_are_recounted(void **state)
{
	struct file *f;
	struct filemap *map_of_f;
	pfn_t pfn;

	assert_int_equal(shmem_file_create(PAGES(4), &f), 0);
	map_of_f = &f->inode->map;
	assert_int_equal(filemap_get_page(map_of_f, 2, false, &pfn), 0);
	audit(1); /* our reference */
	says_of_frame(pfn, "page of a file", "2 references, 1 found (1)\n");
	says("page 2 of inode ");
	says("filemap_get_page");
	frame_put(pfn);
	map_of_f->nr_pages++;
	audit(1 + 1); /* what is committed is counted by the same number */
	says("cached file: 2 pages and 0 dirty counted, 1 found (1)\n");
	map_of_f->nr_pages--;
	frame_set_kind(pfn, FRAME_ANON);
	audit(2);
	says_of_frame(pfn, "private page", "the page cache has it as page 2 of a file (1)\n");
	frame_set_kind(pfn, FRAME_CACHE);
	file_put(f);
	assert_int_equal(mm_audit(), 0);
}

static void a_pin_names_its_holder(void **state)
{
	struct task *me = current_task();
	pfn_t pfn;
	size_t avail;

	assert_non_null(user_page_pin(me->aspace, uaddr(FAKE_USER), true, &avail, &pfn));
	me->in_syscall = true;
	audit(0);
	frame_get(pfn);
	audit(1);
	says_of_frame(pfn, "private page", "3 references, 2 found (1)\n");
	says("a kernel pin of process 1 (test)\n");
	frame_put(pfn);
	me->in_syscall = false;
	audit(1);
	says_of_frame(pfn, "private page", "pinned by task 1, which is in no system call: leaked pin (1)\n");
	says_fault_allocated_it();
	user_page_unpin(pfn);
	assert_int_equal(mm_audit(), 0);
}

/* ---- address spaces, VMA nodes, files ----------------------------------------------------------- */

static void address_spaces_belong_to_tasks(void **state)
{
	struct aspace *lost;

	scene_begin(&pt_ops_x86_64);
	as->refs++;
	audit(1);
	says(PARENT ": 2 references to its address space, 1 tasks and 0 files use it (1)\n");
	parent->in_syscall = true; /* it may be its own */
	audit(0);
	parent->state = TASK_SLEEPING;
	audit(1);
	parent->state = TASK_BLOCKED;
	parent->in_syscall = false;
	as->nr_files++;
	audit(0);
	as->nr_files--;
	as->refs--;
	child->aspace = as; /* a thread that took no reference */
	audit(1);
	says(": 1 references to its address space, 2 tasks and 0 files use it (1)\n");
	child->aspace = NULL;
	assert_int_equal(aspace_create(NULL, &lost), 0);
	audit(1);
	says("an address space of no process: 1 references to its address space, "
	     "0 tasks and 0 files use it: leaked (1)\n");
	aspace_put(lost);
	scene_end();
}

static void vma_nodes_and_files_are_recounted(void **state)
{
	struct vma_node *node;
	struct file *f;

	scene_begin(&pt_ops_x86_64);
	node = as->vmas.root;
	node->refs++;
	audit(1);
	says("at 0x200000000: 2 references, 1 found (1)\n");
	node->refs--;
	scene_fork();
	as->vmas.root->refs--; /* shared without a reference */
	audit(1);
	says("at 0x200000000: 1 references, 2 found (1)\n");
	as->vmas.root->refs++;
	assert_int_equal(shmem_file_create(PAGES(2), &f), 0);
	map(BASE + PAGES(512), 2, MAP_SHARED, f);
	file_put(f);
	f->refs = 0;
	audit(1);
	says("file mapped at 0x200200000: 0 references, at least 1 found (1)\n");
	f->refs = 1;
	assert_int_equal(vma_reserve(&as->vmas, 1), 0);
	node = vma_node_create(&as->vmas, 0);
	audit(1);
	says("VMA nodes are in use, ");
	vma_node_release(node);
	vma_unreserve(&as->vmas);
	scene_end();
}

/* More objects than the first table of counts holds. */
static void many_nodes_are_counted(void **state)
{
	const unsigned nr = 60000;

	scene_begin(&pt_ops_x86_64);
	for (unsigned i = 0; i < nr; i++)
		map(2 * BASE + PAGES(2 * i), 1, MAP_PRIVATE | MAP_ANONYMOUS, NULL);
	assert_true(vma_nr_nodes() > 4096 / 4 * 3);
	audit(0);
	as->vmas.root->refs++;
	audit(1);
	as->vmas.root->refs--;
	scene_end();
}

/* ---- heap and free lists --------------------------------------------------------------------------- */

static void heap_and_free_lists_are_checked(void **state)
{
	char *object = kmalloc(64);
	/* The slab's header: a list link, its cache, the number of free objects. */
	uint16_t *nr_free = (uint16_t *)(page_round_down((uintptr_t)object) + 24);
	void **cache = (void **)(nr_free - 4), *old = *cache;
	pfn_t pfn = frame_alloc(FRAME_KERNEL);

	++*nr_free;
	audit(1);
	says("a slab of no cache, or its count of free objects is wrong\n");
	says("audit:   allocated by\n");
	says("kmalloc");
	--*nr_free;
	*cache = &old;
	audit(2);
	says("audit: heap: kmalloc-64: ");
	*cache = old;
	kfree(object);
	frame_put(pfn);
	frame_meta_(pfn)->refs = 1;
	audit(1);
	says("reference count 1 and kind disagree");
	frame_meta_(pfn)->refs = 0;
	assert_int_equal(mm_audit(), 0);
}

/* Debug builds use a freed frame again as late as they can, and fill it. */
static void freed_frames_rest(void **state)
{
	pfn_t pfn = frame_alloc(FRAME_ANON);
	const unsigned char *bytes = pfn_to_ptr(pfn);

	memset(pfn_to_ptr(pfn), 1, PAGE_SIZE);
	frame_put(pfn);
	memtools_open(bytes, PAGE_SIZE);
	assert_int_not_equal(bytes[100], 1);
	memtools_close(bytes, PAGE_SIZE);
	for (unsigned i = 0; i < 100; i++) {
		pfn_t other = frame_alloc(FRAME_ANON);

		assert_false(pfn_equal(other, pfn));
		frame_put(other);
	}
}

/* ---- the run itself ---------------------------------------------------------------------------------- */

static void reports_are_limited(void **state)
{
	unsigned nr = 0;

	scene_begin(&pt_ops_x86_64);
	for (unsigned i = 0; i < 50; i++)
		frame_get(entry_at(as, BASE + PAGES(i)).pfn);
	audit(50);
	for (const char *at = fake.log; (at = strstr(at, "references, 1 found (1)")) != NULL; at++)
		nr++;
	assert_in_range(nr, 5, 20);
	for (unsigned i = 0; i < 50; i++)
		assert_false(frame_unref(entry_at(as, BASE + PAGES(i)).pfn));
	scene_end();
}

static void audit_points_panic(void **state)
{
	pfn_t pfn;

	scene_begin(&pt_ops_x86_64);
	pfn = entry_at(as, BASE).pfn;
	aspace_set_audit(true);
	frame_get(pfn);
	fake.is_quiet = true;
	mutex_lock(&as->lock); /* an operation is under way: nothing is checked */
	mm_audit_point("a test");
	assert_int_equal(mm_audit_end(), 0);
	mutex_unlock(&as->lock);
	assert_int_equal(mm_audit_end(), 1);
	assert_true(FAKE_PANICS(mm_audit_point("a test")));
	assert_int_equal(fake.nr_panics, 1);
	aspace_set_audit(false);
	fake.is_quiet = false;
	frame_put(pfn);
	mm_audit_point("nothing");
	scene_end();
}

static unsigned nr_reached;
static void count_reached(pfn_t pfn) { nr_reached++; }

static void it_tells_what_is_reached(void **state)
{
	pfn_t lost = frame_alloc(FRAME_ANON);
	struct frame_stats s;

	audit(1);
	mm_audit_reached(count_reached);
	frame_get_stats(&s);
	assert_int_equal(nr_reached + 1, s.nr_kind[FRAME_ANON] + s.nr_kind[FRAME_CACHE] + s.nr_kind[FRAME_TABLE]);
	frame_put(lost);
}

static int boot(void **state)
{
	fake_kernel_boot();
	init_process->has_execed = true;
	parent = fake_task(0, fake_never, init_process);
	str_copy(parent->name, "parent", sizeof(parent->name));
	child = fake_task(0, fake_never, init_process);
	str_copy(child->name, "child", sizeof(child->name));
	return mm_audit() != 0;
}

static int end(void **state)
{
	arch_context_destroy(&parent->context);
	arch_context_destroy(&child->context);
	return fake_kernel_end(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(references_are_recounted),
		cmocka_unit_test(leaked_frames_are_named),
		cmocka_unit_test(a_frame_freed_under_its_mapping_is_named),
		cmocka_unit_test(rights_are_exact),
		cmocka_unit_test(a_writable_slot_of_a_shared_table_is_named),
		cmocka_unit_test(pages_belong_to_their_mapping),
		cmocka_unit_test(counts_are_recounted),
		cmocka_unit_test(cached_pages_are_recounted),
		cmocka_unit_test(a_pin_names_its_holder),
		cmocka_unit_test(address_spaces_belong_to_tasks),
		cmocka_unit_test(vma_nodes_and_files_are_recounted),
		cmocka_unit_test(many_nodes_are_counted),
		cmocka_unit_test(heap_and_free_lists_are_checked),
		cmocka_unit_test(freed_frames_rest),
		cmocka_unit_test(reports_are_limited),
		cmocka_unit_test(audit_points_panic),
		cmocka_unit_test(it_tells_what_is_reached),
	};

	return cmocka_run_group_tests(tests, boot, end);
}
