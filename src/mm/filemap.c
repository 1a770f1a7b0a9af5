/*
 * Page cache and memory files: the radix tree of each filemap, reading with
 * neighbours, writing back, and the shrinker that gives clean pages up.
 *
 * Owns one reference on each cached frame. A tree entry is a frame number with
 * flags; entries and nodes are re-found after every allocation, because the
 * shrinker may have dropped pages (it frees no nodes).
 */
#include "mm/filemap.h"

#include "abi/errno.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/commit.h"
#include "mm/frame.h"
#include "mm/internal.h"
#include "mm/kmalloc.h"
#include "user_abi.h"

#define NODE_BITS 6
#define NODE_SLOTS (1u << NODE_BITS)
#define ENTRY_DIRTY ((uint64_t)1 << 32)
#define ENTRY_NEW ((uint64_t)1 << 33) /* of a filemap_allocate() under way */
/* Dirty pages of one file before a writer writes them back itself. */
#define DIRTY_MAX_PAGES 2048
/* Pages around a random miss that are read with it. */
#define READ_AROUND_PAGES 16

struct map_node {
	uint64_t slot[NODE_SLOTS];
};

struct list filemap_all = LIST_INIT(filemap_all);

/* The cache is the file. */
static bool is_memory(const struct filemap *map) { return map->ops->read_pages == NULL; }

static bool commits_each_page(const struct filemap *map) { return is_memory(map) && map->nr_promised == 0; }

static inline pfn_t entry_pfn(uint64_t entry) { return (pfn_t){(uint32_t)entry}; }

static inline struct map_node *entry_node(uint64_t entry) { return (struct map_node *)(uintptr_t)entry; }

/* ---- the tree ------------------------------------------------------------ */

static inline bool tree_covers(const struct filemap *map, uint64_t index)
{
	return map->height * NODE_BITS >= 64 || index >> (map->height * NODE_BITS) == 0;
}

/* The entry of index, or NULL when its node does not exist. */
static uint64_t *tree_find(struct filemap *map, uint64_t index)
{
	uint64_t *slot = &map->tree;

	if (!tree_covers(map, index))
		return NULL;
	for (unsigned h = map->height; h > 0; h--) {
		if (*slot == 0)
			return NULL;
		slot = &entry_node(*slot)->slot[(index >> ((h - 1) * NODE_BITS)) & (NODE_SLOTS - 1)];
	}
	return slot;
}

/* The same, making nodes as needed. NULL: out of memory, and the tree has at most grown empty nodes. */
static uint64_t *tree_make(struct filemap *map, uint64_t index)
{
	uint64_t *slot;

	while (!tree_covers(map, index)) {
		if (map->tree != 0) {
			struct map_node *top = kzalloc(sizeof(*top));

			if (top == NULL)
				return NULL;
			top->slot[0] = map->tree;
			map->tree = (uintptr_t)top;
		}
		map->height++;
	}
	slot = &map->tree;
	for (unsigned h = map->height; h > 0; h--) {
		if (*slot == 0)
			*slot = (uintptr_t)kzalloc(sizeof(struct map_node));
		if (*slot == 0)
			return NULL;
		slot = &entry_node(*slot)->slot[(index >> ((h - 1) * NODE_BITS)) & (NODE_SLOTS - 1)];
	}
	return slot;
}

typedef void (*entry_fn)(struct filemap *map, uint64_t index, uint64_t *entry, void *arg);

static void tree_walk_node(struct filemap *map, uint64_t *slot, unsigned height, uint64_t base,
			   uint64_t first, uint64_t last, entry_fn fn, void *arg)
{
	uint64_t span;

	if (*slot == 0)
		return;
	if (height == 0) {
		fn(map, base, slot, arg);
		return;
	}
	span = (uint64_t)1 << ((height - 1) * NODE_BITS);
	for (unsigned i = 0; i < NODE_SLOTS; i++) {
		uint64_t from = base + i * span;

		if (from > last)
			return;
		if (from + (span - 1) >= first)
			tree_walk_node(map, &entry_node(*slot)->slot[i], height - 1, from, first, last, fn,
				       arg);
	}
}

/* Calls fn for the entries in use of [first, last]. */
static void tree_walk(struct filemap *map, uint64_t first, uint64_t last, entry_fn fn, void *arg)
{
	if (map->height == 0 && first > 0)
		return;
	tree_walk_node(map, &map->tree, map->height, 0, first, last, fn, arg);
}

static void tree_free(uint64_t entry, unsigned height)
{
	if (entry == 0 || height == 0)
		return;
	for (unsigned i = 0; i < NODE_SLOTS; i++)
		tree_free(entry_node(entry)->slot[i], height - 1);
	kfree(entry_node(entry));
}

/* ---- entries ------------------------------------------------------------- */

static void entry_mark_dirty(struct filemap *map, uint64_t *entry)
{
	if (map->ops->write_page == NULL || (*entry & ENTRY_DIRTY))
		return;
	*entry |= ENTRY_DIRTY;
	map->nr_dirty++;
}

static void entry_drop(struct filemap *map, uint64_t index, uint64_t *entry, void *arg)
{
	(void)index;
	(void)arg;
	if (*entry & ENTRY_DIRTY)
		map->nr_dirty--;
	map->nr_pages--;
	if (commits_each_page(map))
		commit_uncharge_file(1);
	frame_put(entry_pfn(*entry));
	*entry = 0;
}

static void entry_drop_clean(struct filemap *map, uint64_t index, uint64_t *entry, void *arg)
{
	if (!(*entry & ENTRY_DIRTY))
		entry_drop(map, index, entry, arg);
}

/* ---- life ---------------------------------------------------------------- */

void filemap_init(struct filemap *map, const struct filemap_ops *ops, void *owner)
{
	*map = (struct filemap){.ops = ops, .owner = owner};
	list_add_tail(&filemap_all, &map->all);
}

void filemap_destroy(struct filemap *map)
{
	if (map->ops == NULL)
		return;
	tree_walk(map, 0, UINT64_MAX, entry_drop, NULL);
	tree_free(map->tree, map->height);
	map->tree = 0;
	map->height = 0;
	list_remove(&map->all);
	commit_uncharge_file(map->nr_promised);
}

int filemap_promise(struct filemap *map, uint64_t nr_pages)
{
	int err = commit_charge_file(nr_pages);

	ASSERT(is_memory(map) && map->nr_pages == 0);
	if (err == 0)
		map->nr_promised = nr_pages;
	return err;
}

uint64_t filemap_committed_pages(const struct filemap *map)
{
	return commits_each_page(map) ? map->nr_pages : map->nr_promised;
}

/* ---- reading ------------------------------------------------------------- */

bool filemap_is_cached(struct filemap *map, uint64_t index)
{
	uint64_t *entry = tree_find(map, index);

	return entry != NULL && *entry != 0;
}

pfn_t filemap_peek(struct filemap *map, uint64_t index)
{
	uint64_t *entry = tree_find(map, index);

	if (entry == NULL || *entry == 0)
		return PFN_NONE;
	frame_get(entry_pfn(*entry));
	return entry_pfn(*entry);
}

/* Puts a filled frame (its reference is taken over) into the tree; another's page stays if there is one. */
static int map_insert(struct filemap *map, uint64_t index, pfn_t pfn)
{
	uint64_t *entry = tree_make(map, index);
	int err = entry == NULL ? -ENOMEM : 0;

	if (entry != NULL && *entry == 0 && commits_each_page(map) && commit_charge_file(1) != 0)
		err = -ENOSPC;
	if (err != 0 || *entry != 0) {
		frame_put(pfn);
		return err;
	}
	*entry = pfn.raw;
	map->nr_pages++;
	return 0;
}

/* Which pages to read for a miss at index: the missing ones around it, or ahead in a sequence. */
static void choose_read(struct filemap *map, uint64_t index, uint64_t *first, unsigned *nr)
{
	uint64_t nr_file = (map->size_bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
	uint64_t low = index & ~(uint64_t)(READ_AROUND_PAGES - 1), high = low + READ_AROUND_PAGES;

	if (index == map->read_next && index != 0) {
		map->read_window = MIN(MAX(2 * map->read_window, READ_AROUND_PAGES), FILEMAP_READ_MAX);
		low = index;
		high = index + map->read_window;
	} else {
		map->read_window = READ_AROUND_PAGES;
	}
	high = MAX(MIN(high, nr_file), index + 1);
	*first = index;
	while (*first > low && !filemap_is_cached(map, *first - 1))
		(*first)--;
	*nr = (unsigned)(index - *first) + 1;
	while (*first + *nr < high && !filemap_is_cached(map, *first + *nr))
		(*nr)++;
	map->read_next = *first + *nr;
}

/* Reads nr pages into fresh frames. Returns how many frames are filled, or a negative errno. */
static int read_frames(struct filemap *map, uint64_t first, unsigned nr, pfn_t *pfns)
{
	void *pages[FILEMAP_READ_MAX];
	int err;

	nr = frame_alloc_run(FRAME_CACHE, pfns, nr);
	if (nr == 0)
		return -ENOMEM;
	for (unsigned i = 0; i < nr; i++)
		pages[i] = pfn_to_ptr(pfns[i]);
	err = map->ops->read_pages(map, first, pages, nr);
	if (err == 0)
		return (int)nr;
	for (unsigned i = 0; i < nr; i++)
		frame_put(pfns[i]);
	return err;
}

static int fill_from_store(struct filemap *map, uint64_t index)
{
	pfn_t pfns[FILEMAP_READ_MAX];
	uint64_t first;
	unsigned nr;
	int got, err = 0;

	choose_read(map, index, &first, &nr);
	got = read_frames(map, first, nr, pfns);
	if (nr != 1 && (got < 0 || first + (unsigned)got <= index)) { /* less, then */
		for (int i = 0; i < got; i++)
			frame_put(pfns[i]);
		first = index;
		got = read_frames(map, index, 1, pfns);
	}
	if (got < 0)
		return got;
	/* The page asked for first, for the others are a bonus. */
	err = map_insert(map, index, pfns[index - first]);
	for (int i = 0; i < got; i++)
		if (first + (unsigned)i != index) {
			if (err == 0)
				(void)map_insert(map, first + (unsigned)i, pfns[i]);
			else
				frame_put(pfns[i]);
		}
	return err;
}

static int fill_zero(struct filemap *map, uint64_t index)
{
	pfn_t pfn = frame_alloc_zeroed(FRAME_CACHE);

	return pfn_is_none(pfn) ? -ENOMEM : map_insert(map, index, pfn);
}

static int fill_page(struct filemap *map, uint64_t index)
{
	uint64_t nr_file = (map->size_bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;

	if (!is_memory(map) && index < nr_file)
		return fill_from_store(map, index);
	return fill_zero(map, index);
}

int filemap_get_page(struct filemap *map, uint64_t index, bool for_write, pfn_t *out)
{
	uint64_t *entry = tree_find(map, index);

	if (for_write && map->nr_dirty >= DIRTY_MAX_PAGES && !map->was_mapped) {
		int err = filemap_sync(map);

		if (err != 0)
			return err;
	}
	/* A shrinker may take the page again while its neighbours are inserted. */
	for (unsigned tries = 0; entry == NULL || *entry == 0; tries++) {
		int err = tries < 3 ? fill_page(map, index) : -ENOMEM;

		if (err != 0)
			return err;
		entry = tree_find(map, index);
	}
	if (for_write)
		entry_mark_dirty(map, entry);
	*out = entry_pfn(*entry);
	if (ABI_CODE_NEEDS_SYNC && for_write)
		frame_set_code_synced(*out, false);
	frame_get(*out);
	return 0;
}

void filemap_mark_dirty(struct filemap *map, uint64_t index)
{
	uint64_t *entry = tree_find(map, index);

	if (entry != NULL && *entry != 0)
		entry_mark_dirty(map, entry);
}

/* New pages stay, or, after an error (*arg), go but for those that somebody has got hold of. */
static void entry_settle(struct filemap *map, uint64_t index, uint64_t *entry, void *arg)
{
	const int *err = arg;

	if ((*entry & ENTRY_NEW) && *err != 0 && frame_refs(entry_pfn(*entry)) == 1)
		entry_drop(map, index, entry, NULL);
	else
		*entry &= ~ENTRY_NEW;
}

int filemap_allocate(struct filemap *map, uint64_t first, uint64_t last)
{
	int err = 0;

	ASSERT(is_memory(map));
	for (uint64_t i = first; err == 0 && i <= last; i++) {
		if (filemap_is_cached(map, i))
			continue;
		err = fill_zero(map, i);
		if (err == 0)
			*tree_find(map, i) |= ENTRY_NEW;
	}
	tree_walk(map, first, last, entry_settle, &err);
	return err;
}

/* ---- bytes --------------------------------------------------------------- */

int64_t filemap_read(struct filemap *map, uint64_t offset, void *buf, size_t size_bytes)
{
	size_t done = 0;
	int err = 0;

	while (err == 0 && done < size_bytes && offset + done < map->size_bytes) {
		uint64_t at = offset + done;
		size_t n = MIN(PAGE_SIZE - page_offset(at), size_bytes - done);
		pfn_t pfn;

		n = MIN(n, map->size_bytes - at);
		if (is_memory(map) && !filemap_is_cached(map, at >> PAGE_SHIFT)) {
			memset((char *)buf + done, 0, n); /* a hole stays one */
			done += n;
			continue;
		}
		err = filemap_get_page(map, at >> PAGE_SHIFT, false, &pfn);
		if (err != 0)
			break;
		memcpy((char *)buf + done, (char *)pfn_to_ptr(pfn) + page_offset(at), n);
		frame_put(pfn);
		done += n;
	}
	return done != 0 ? (int64_t)done : err;
}

int64_t filemap_write(struct filemap *map, uint64_t offset, const void *buf, size_t size_bytes)
{
	size_t done = 0;
	int err = 0;

	while (err == 0 && done < size_bytes) {
		uint64_t at = offset + done;
		size_t n = MIN(PAGE_SIZE - page_offset(at), size_bytes - done);
		pfn_t pfn;

		err = filemap_get_page(map, at >> PAGE_SHIFT, true, &pfn);
		if (err != 0)
			break;
		memcpy((char *)pfn_to_ptr(pfn) + page_offset(at), (const char *)buf + done, n);
		frame_put(pfn);
		done += n;
		map->size_bytes = MAX(map->size_bytes, at + n);
	}
	return done != 0 ? (int64_t)done : err;
}

/* ---- writing back, giving up --------------------------------------------- */

struct sync_state {
	int err;
};

static void sync_entry(struct filemap *map, uint64_t index, uint64_t *entry, void *arg)
{
	struct sync_state *state = arg;
	uint64_t start = index << PAGE_SHIFT;
	pfn_t pfn = entry_pfn(*entry);
	int err = 0;

	if (!(*entry & ENTRY_DIRTY))
		return;
	if (start < map->size_bytes)
		err = map->ops->write_page(map, index, pfn_to_ptr(pfn),
					   MIN(PAGE_SIZE, map->size_bytes - start));
	if (err != 0) {
		state->err = state->err != 0 ? state->err : err;
	} else if (frame_refs(pfn) == 1) {
		*entry &= ~ENTRY_DIRTY;
		map->nr_dirty--;
	}
}

int filemap_sync(struct filemap *map)
{
	struct sync_state state = {0};

	if (map->nr_dirty != 0)
		tree_walk(map, 0, UINT64_MAX, sync_entry, &state);
	return state.err;
}

void filemap_invalidate(struct filemap *map) { tree_walk(map, 0, UINT64_MAX, entry_drop_clean, NULL); }

static void shrink_entry(struct filemap *map, uint64_t index, uint64_t *entry, void *arg)
{
	if ((*entry & ENTRY_DIRTY) || frame_refs(entry_pfn(*entry)) != 1)
		return;
	entry_drop(map, index, entry, NULL);
	++*(size_t *)arg;
}

/* Memory is short: clean pages that nothing maps and the backing store has too. */
static size_t filemap_shrink(void)
{
	struct filemap *map;
	size_t nr = 0;

	LIST_FOR_EACH (map, &filemap_all, all)
		if (!is_memory(map) && map->nr_pages != 0)
			tree_walk(map, 0, UINT64_MAX, shrink_entry, &nr);
	return nr;
}

void filemap_subsystem_init(void)
{
	list_init(&filemap_all);
	frame_register_shrinker(filemap_shrink);
}

void filemap_count(uint64_t *nr_cached, uint64_t *nr_memory)
{
	struct filemap *map;

	*nr_cached = 0;
	*nr_memory = 0;
	LIST_FOR_EACH (map, &filemap_all, all)
		*(is_memory(map) ? nr_memory : nr_cached) += map->nr_pages;
}

/* ---- for truncate and the audit ------------------------------------------ */

void filemap_drop_range(struct filemap *map, uint64_t first, uint64_t last)
{
	tree_walk(map, first, last, entry_drop, NULL);
}

struct visit_state {
	void (*fn)(uint64_t index, pfn_t pfn, void *arg);
	void *arg;
};

static void visit_entry(struct filemap *map, uint64_t index, uint64_t *entry, void *arg)
{
	const struct visit_state *state = arg;

	(void)map;
	state->fn(index, entry_pfn(*entry), state->arg);
}

void filemap_visit(struct filemap *map, void (*fn)(uint64_t index, pfn_t pfn, void *arg), void *arg)
{
	struct visit_state state = {fn, arg};

	tree_walk(map, 0, UINT64_MAX, visit_entry, &state);
}
