/* The run of a sequence: the world's beginning and end, and each step. */
#include "world.h"

#define MEMORY_BYTES ((size_t)128 << 20)
#define RACE_STEPS 16 /* in which a flush must come */

struct world w;
struct model_counts model_counts;
bool model_is_verbose;
static struct model_progress own_progress;
struct model_progress *model_progress = &own_progress;

extern const struct pt_ops pt_ops_odd;

/* ---- files ---- */

static struct content *content_of_map(struct filemap *map) { return map->owner; }

static int disk_read(struct filemap *map, uint64_t index, void *const pages[], unsigned nr_pages)
{
	const struct content *c = content_of_map(map);

	for (unsigned i = 0; i < nr_pages; i++) {
		memset(pages[i], 0, PAGE_SIZE);
		if (index + i < CONTENT_PAGES)
			memcpy(pages[i], c->store + PAGES(index + i), PAGE_SIZE);
	}
	return 0;
}

static int disk_write(struct filemap *map, uint64_t index, const void *page, size_t size_bytes)
{
	CHECK(index < CONTENT_PAGES && size_bytes <= PAGE_SIZE, "write-back beyond the file");
	memcpy(content_of_map(map)->store + PAGES(index), page, size_bytes);
	return 0;
}

static struct filemap *file_mmap(struct file *file, unsigned vm_shared, int *err)
{
	(void)vm_shared;
	*err = 0;
	return file->private;
}

static const struct filemap_ops memory_ops = {0};
static const struct filemap_ops disk_ops = {.read_pages = disk_read, .write_page = disk_write};
static const struct file_ops file_ops = {.mmap = file_mmap};

static void content_create(unsigned i, const struct filemap_ops *ops)
{
	struct content *c = &w.contents[i];

	filemap_init(&c->map, ops, c);
	c->filemap = &c->map;
	c->map.size_bytes = c->size_bytes = PAGES(CONTENT_PAGES / 2);
	for (unsigned j = 0; j < 2; j++) {
		c->file[j] = (struct file){.refs = 1000000,
					   .ops = &file_ops,
					   .private = &c->map,
					   .flags = j == 0 ? O_RDWR : O_RDONLY};
		w.objects[2 * i + j] = (struct object){&c->file[j], c, j == 1};
	}
	if (ops->read_pages == NULL)
		return;
	c->store = calloc(CONTENT_PAGES, PAGE_SIZE);
	for (unsigned page = 0; page < content_pages(c); page++)
		for (unsigned probe = 0; probe < PROBES; probe++)
			c->store[PAGES(page) + probe_offset[probe]] = c->bytes[page][probe] =
				(uint8_t)(page * 3 + probe + 1);
}

static void content_destroy(unsigned i)
{
	struct content *c = &w.contents[i];

	CHECK(c->file[0].refs == 1000000 && c->file[1].refs == 1000000, "references of file %u are left", i);
	CHECK(filemap_sync(&c->map) == 0, "file %u cannot be written back", i);
	for (uint64_t page = 0; c->store != NULL && page < content_pages(c); page++)
		for (unsigned probe = 0; probe < PROBES; probe++)
			CHECK(c->store[PAGES(page) + probe_offset[probe]] == c->bytes[page][probe],
			      "page %llu was not written back", (unsigned long long)page);
	filemap_destroy(&c->map);
	free(c->store);
}

/* Ids that no page refers to any more are free again. */
static void collect_objects(void)
{
	bool is_used[OBJECTS_MAX] = {false};

	for (unsigned i = 0; i < SPACES_MAX; i++)
		for (unsigned page = 0; w.spaces[i] != NULL && page < WINDOW; page++)
			if (page_at(w.spaces[i], page)->kind == PAGE_FILE)
				is_used[page_at(w.spaces[i], page)->object] = true;
	for (unsigned i = FILES; i < OBJECTS_MAX; i++)
		if (!is_used[i])
			w.objects[i].content = NULL;
}

struct object *object_create_shared(unsigned nr_pages, uint8_t *id)
{
	for (unsigned tries = 0; tries < 2; tries++, collect_objects()) {
		for (unsigned i = FILES; i < OBJECTS_MAX; i++) {
			if (w.objects[i].content != NULL)
				continue;
			w.contents[i] = (struct content){.size_bytes = PAGES(nr_pages)};
			w.objects[i] = (struct object){.content = &w.contents[i]};
			*id = (uint8_t)i;
			return &w.objects[i];
		}
	}
	return NULL;
}

/* ---- processes ---- */

/* All that is not the window is mapped and cannot be used: new mappings find their place in the window. */
static void fill_around(struct aspace *as)
{
	uint64_t from[] = {ARCH_USER_MIN, va_of(WINDOW)}, to[] = {w.base, as->user_end};

	for (unsigned i = 0; i < 2; i++) {
		struct mmap_args args = {.addr = from[i],
					 .length_bytes = to[i] - from[i],
					 .flags = MAP_ANONYMOUS | MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE};

		CHECK((uint64_t)aspace_mmap(as, &args) == from[i], "no place for what lies around the window");
	}
}

struct space *space_create(void)
{
	struct page filler = {.kind = PAGE_ANON, .flags = VMA_NORESERVE};
	struct space *s;
	struct aspace *as;

	if (!result_is(aspace_create(NULL, &as), 0))
		return NULL;
	disarm();
	as->brk_start = as->brk = va_of(HEAP_FIRST);
	as->stack_limit_bytes = PAGES(STACK_LIMIT_PAGES);
	fill_around(as);
	s = calloc(1, sizeof(*s));
	s->as = as;
	s->brk = as->brk;
	s->pages[0] = s->pages[WINDOW + 1] = filler;
	mmu_init(&s->mmu, w.format, pfn_to_phys(as->pt.root).raw, w.base, WINDOW);
	s->mmu.memory = mmu_memory;
	s->mmu.keeps_tables = w.setup.plant == PLANT_NO_TABLE_FLUSH;
	return s;
}

void space_destroy(struct space *s)
{
	forget_pins(s, 0, WINDOW);
	w.race.is_armed = w.race.is_armed && w.race.space != s;
	for (unsigned i = 0; i < SPACES_MAX; i++)
		if (w.spaces[i] == s)
			w.spaces[i] = NULL;
	aspace_put(s->as);
	free(s);
}

/* ---- operations that concern the run itself ---- */

/* The next operation's allocation number a + 1 fails; c bit 0: and all after it. */
static void op_fail(struct space *s)
{
	(void)s;
	say("allocation %u%s of the next operation", w.op->a % 16 + 1, w.op->c & 1 ? " and later ones" : "");
}

/* Another thread of the process writes, from page a on, while an operation is under way: at the next flush. */
static void op_race(struct space *s)
{
	say("page %u, value %u", op_first(), w.op->d);
	w.race.is_armed = true;
	w.race.last_step = w.step + RACE_STEPS;
	w.race.space = s;
	w.race.page = op_first();
	w.race.probe = w.op->c % PROBES;
	w.race.value = w.op->d;
}

/* Caches may forget at any time. */
static void op_evict(struct space *s) { mmu_flush(&s->mmu, va_of(op_first()), va_of(op_first() + op_nr())); }

static void op_shrink(struct space *s)
{
	(void)s;
	(void)frame_shrink_all();
}

/* All processes look at their pages: every one, or every second, third ... */
static void op_check(struct space *s)
{
	(void)s;
	check_pages(1 + w.op->c % 8);
}

static const op_function functions[OP_CODES] = {
	[OP_MMAP_ANON] = op_mmap_anon, [OP_MMAP_FILE] = op_mmap_file, [OP_MUNMAP] = op_munmap,
	[OP_MPROTECT] = op_mprotect,   [OP_MREMAP] = op_mremap,	      [OP_MADVISE] = op_madvise,
	[OP_BRK] = op_brk,	       [OP_WRITE] = op_write,	      [OP_READ] = op_read,
	[OP_EXEC] = op_execute,	       [OP_COPY_IN] = op_copy_in,     [OP_COPY_OUT] = op_copy_out,
	[OP_FORCED] = op_forced,       [OP_FORK] = op_fork,	      [OP_EXIT] = op_exit,
	[OP_NEW] = op_new,	       [OP_TRUNCATE] = op_truncate,   [OP_FWRITE] = op_fwrite,
	[OP_FREAD] = op_fread,	       [OP_PIN] = op_pin,	      [OP_PIN_WRITE] = op_pin_write,
	[OP_UNPIN] = op_unpin,	       [OP_FAIL] = op_fail,	      [OP_RACE] = op_race,
	[OP_EVICT] = op_evict,	       [OP_SYNC] = op_sync,	      [OP_SHRINK] = op_shrink,
	[OP_CHECK] = op_check,
};

/* ---- the run ---- */

/* Where the window lies: over a border of the root's slots, of a middle table's, or of leaf tables only. */
static uint64_t window_base(const struct model_setup *setup, const struct pt_ops *ops)
{
	uint64_t borders[] = {pt_slot_bytes(ops, ops->nr_levels), pt_slot_bytes(ops, 3) * 3,
			      pt_slot_bytes(ops, 3) * 3 + pt_slot_bytes(ops, 2) * 11};
	unsigned before = 40 + setup->border / 3 * 16;

	return borders[setup->border % 3] - PAGES(before);
}

static void world_begin(const struct model_setup *setup)
{
	static const struct pt_ops *const codecs[] = {&pt_ops_x86_64, &pt_ops_aarch64, &pt_ops_odd};
	static const struct mmu_format *const formats[] = {&mmu_x86_64, &mmu_aarch64, &mmu_odd};
	static const enum fork_mode modes[] = {FORK_EAGER, FORK_COW, FORK_SHARE};
	static bool is_booted;

	memset(&w, 0, sizeof(w));
	fake_machine_reset();
	if (!is_booted) {
		fake_machine_boot(MEMORY_BYTES);
		aspace_init();
	}
	is_booted = true;
	disarm();
	w.setup = *setup;
	w.ops = codecs[setup->codec];
	w.format = formats[setup->codec];
	w.base = window_base(setup, w.ops);
	aspace_set_fork_mode(modes[setup->mode]);
	aspace_set_pt_ops(w.ops);
	fake.fork_hot_pages = setup->has_hot_pages ? 256 : 0;
	fake.fork_first_writes = setup->has_hot_pages ? 6 : 0;
	fake.fault_window_pages = setup->has_windows ? 16 : 1;
	fake.on_flush = on_flush;
	content_create(0, &memory_ops);
	content_create(1, &disk_ops);
	w.spaces[0] = space_create();
}

static uint64_t frames_in_use(void)
{
	struct frame_stats s;

	frame_get_stats(&s);
	return s.nr_kind[FRAME_TABLE] + s.nr_kind[FRAME_ANON] + s.nr_kind[FRAME_CACHE];
}

static void world_end(void)
{
	w.op = NULL;
	check_all();
	check_pages(w.setup.is_brief ? 7 : 1);
	check_all();
	for (unsigned i = 0; i < PINS_MAX; i++)
		if (w.pins[i].space != NULL)
			pin_release(&w.pins[i]);
	for (unsigned i = 0; i < SPACES_MAX; i++)
		if (w.spaces[i] != NULL)
			space_destroy(w.spaces[i]);
	CHECK(mm_audit() == 0, "the audit fails");
	content_destroy(0);
	content_destroy(1);
	CHECK(frames_in_use() == 0, "%llu frames are lost", (unsigned long long)frames_in_use());
}

/* The process the operation names; there is always one. */
static struct space *op_space(void)
{
	for (unsigned i = w.op->space;; i++)
		if (w.spaces[i % SPACES_MAX] != NULL)
			return w.spaces[i % SPACES_MAX];
}

static void step(const struct op *op, const struct op *before)
{
	struct space *s;

	w.op = op;
	s = op_space();
	if (model_is_verbose) {
		model_print_op(stdout, op);
		printf("  # ");
	}
	for (unsigned i = 0; i < PINS_MAX; i++)
		if (w.pins[i].space != NULL && w.step > w.pins[i].step + PIN_STEPS)
			pin_release(&w.pins[i]);
	w.race.is_done = false;
	if (before != NULL && before->code == OP_FAIL && op->code != OP_FAIL) {
		w.fail_at = before->a % 16 + 1u;
		fail_alloc_arm(w.fail_at, (before->c & 1) != 0);
	}
	functions[op->code](s);
	model_counts.nr_failed_allocs += has_failed_alloc();
	disarm();
	if (w.step == w.race.last_step)
		w.race.is_armed = false;
	for (unsigned i = 0; i < SPACES_MAX; i++)
		if (w.spaces[i] == s)
			check_vmas(s);
	if (model_is_verbose)
		printf("\n");
}

void model_run(const struct model_setup *setup, const struct op *ops, size_t nr)
{
	world_begin(setup);
	for (w.step = 0; w.step < nr; w.step++) {
		model_progress->step = w.step;
		step(&ops[w.step], w.step != 0 ? &ops[w.step - 1] : NULL);
		if (setup->audit_every != 0 && (w.step + 1) % setup->audit_every == 0)
			check_all();
	}
	model_progress->step = nr;
	model_counts.nr_ops += nr;
	world_end();
}
