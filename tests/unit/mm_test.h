/*
 * Common to the tests of address spaces: set-up with any codec and strategy,
 * access as the user would make it (walk, fault, retry), files made of bytes.
 */
#ifndef MM_TEST_H
#define MM_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "abi/errno.h"
#include "abi/mman.h"
#include "fake_machine.h"
#include "fs/vfs.h"
#include "mm/aspace.h"
#include "mm/filemap.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/pt.h"
#include "mm/usercopy.h"
#include "sched/task.h"

extern const struct pt_ops pt_ops_odd;

static const struct pt_ops *const all_codecs[] = {&pt_ops_x86_64, &pt_ops_aarch64, &pt_ops_odd};
static const enum fork_mode all_modes[] = {FORK_EAGER, FORK_COW, FORK_SHARE};

#define MB ((uint64_t)1 << 20)
#define PAGES(n) ((uint64_t)(n) << PAGE_SHIFT)
#define RW (PROT_READ | PROT_WRITE)
/* A place of its own, aligned to a leaf table of every codec. */
#define BASE ((uint64_t)0x200000000)

/* Boots the first time; afterwards audits what the last test left and restores the defaults. */
static inline void mm_test_boot(size_t bytes)
{
	static bool is_booted;

	fake_machine_reset();
	if (is_booted) {
		assert_int_equal(mm_audit(), 0);
	} else {
		fake_machine_boot(bytes);
		aspace_init();
	}
	is_booted = true;
	fail_alloc_arm(0, false);
	aspace_set_fork_mode(FORK_SHARE);
	aspace_set_pt_ops(&pt_ops_x86_64);
}

static inline struct aspace *new_aspace(void)
{
	struct aspace *as;

	assert_int_equal(aspace_create(NULL, &as), 0);
	return as;
}

static inline struct aspace *fork_aspace(struct aspace *parent)
{
	struct aspace *child;

	assert_int_equal(aspace_fork(parent, &child), 0);
	return child;
}

static inline int64_t map_anon(struct aspace *as, uint64_t addr, uint64_t bytes, uint32_t prot,
			       uint32_t flags)
{
	struct mmap_args args = {
		.addr = addr, .length_bytes = bytes, .prot = prot, .flags = flags | MAP_ANONYMOUS};

	return aspace_mmap(as, &args);
}

static inline void map_fixed(struct aspace *as, uint64_t addr, uint64_t bytes, uint32_t prot)
{
	assert_int_equal(map_anon(as, addr, bytes, prot, MAP_PRIVATE | MAP_FIXED), addr);
}

static inline int64_t map_file(struct aspace *as, struct file *f, uint64_t addr, uint64_t bytes,
			       uint32_t prot, uint32_t flags, uint64_t offset)
{
	struct mmap_args args = {.addr = addr,
				 .length_bytes = bytes,
				 .prot = prot,
				 .flags = flags,
				 .file = f,
				 .offset = offset};

	return aspace_mmap(as, &args);
}

/* The byte at addr for access, faulting as a machine would; NULL: *err says why. */
static inline uint8_t *user_byte(struct aspace *as, uint64_t addr, unsigned access, int *err)
{
	prot_t prot;
	pfn_t pfn;

	*err = 0;
	while (!aspace_walk(as, uaddr(addr), access, &pfn, &prot)) {
		*err = aspace_fault(as, uaddr(addr), access);
		if (*err != 0)
			return NULL;
	}
	return (uint8_t *)pfn_to_ptr(pfn) + page_offset(addr);
}

static inline void poke(struct aspace *as, uint64_t addr, uint8_t value)
{
	int err;
	uint8_t *p = user_byte(as, addr, TRAP_WRITE, &err);

	assert_int_equal(err, 0);
	*p = value;
}

static inline uint8_t peek(struct aspace *as, uint64_t addr)
{
	int err;
	uint8_t *p = user_byte(as, addr, TRAP_READ, &err);

	assert_int_equal(err, 0);
	return *p;
}

/* The result of an access: 0 or what aspace_fault said. */
static inline int access_result(struct aspace *as, uint64_t addr, unsigned access)
{
	int err;

	user_byte(as, addr, access, &err);
	return err;
}

static inline void poke_pages(struct aspace *as, uint64_t addr, unsigned nr, uint8_t value)
{
	for (unsigned i = 0; i < nr; i++)
		poke(as, addr + PAGES(i), (uint8_t)(value + i));
}

static inline struct pt_entry entry_at(struct aspace *as, uint64_t addr)
{
	struct pt_entry e;

	as->pt.ops->lookup(&as->pt, addr, &e);
	return e;
}

static inline uint64_t frames_free(void)
{
	struct frame_stats s;

	frame_get_stats(&s);
	return s.nr_free;
}

static inline uint64_t frames_of_kind(enum frame_kind kind)
{
	struct frame_stats s;

	frame_get_stats(&s);
	return s.nr_kind[kind];
}

/* ---- files ---------------------------------------------------------------- */

/* A file with bytes behind it: `store` is the disk. Lives as long as the test. */
struct test_file {
	struct file file;
	struct filemap map;
	uint8_t *store;
	size_t capacity;
	unsigned nr_reads, nr_pages_read, nr_writes;
	int read_error, write_error;
};

static inline struct test_file *test_file_of(struct filemap *map)
{
	return CONTAINER_OF(map, struct test_file, map);
}

static inline int test_file_read(struct filemap *map, uint64_t index, void *const pages[], unsigned nr_pages)
{
	struct test_file *t = test_file_of(map);

	t->nr_reads++;
	t->nr_pages_read += nr_pages;
	if (t->read_error != 0)
		return t->read_error;
	for (unsigned i = 0; i < nr_pages; i++) {
		uint64_t at = PAGES(index + i);

		memset(pages[i], 0, PAGE_SIZE);
		if (at < map->size_bytes)
			memcpy(pages[i], t->store + at, MIN(PAGE_SIZE, map->size_bytes - at));
	}
	return 0;
}

static inline int test_file_write(struct filemap *map, uint64_t index, const void *page, size_t size_bytes)
{
	struct test_file *t = test_file_of(map);

	t->nr_writes++;
	if (t->write_error != 0)
		return t->write_error;
	assert_true(PAGES(index) + size_bytes <= t->capacity);
	memcpy(t->store + PAGES(index), page, size_bytes);
	return 0;
}

static inline struct filemap *test_file_mmap(struct file *file, unsigned vm_shared, int *err)
{
	(void)vm_shared;
	*err = 0;
	return &CONTAINER_OF(file, struct test_file, file)->map;
}

static const struct filemap_ops test_store_ops = {.read_pages = test_file_read,
						  .write_page = test_file_write};
static const struct filemap_ops test_memory_ops = {0};
static const struct file_ops test_file_ops = {.mmap = test_file_mmap};

/* size_bytes of a pattern: byte i is i / PAGE_SIZE + 1 + i % 7. ops: one of the two above. */
static inline struct test_file *test_file_create(const struct filemap_ops *ops, uint64_t size_bytes,
						 unsigned flags)
{
	struct test_file *t = calloc(1, sizeof(*t));

	t->capacity = size_bytes + PAGES(64);
	t->store = calloc(1, t->capacity);
	for (uint64_t i = 0; i < size_bytes; i++)
		t->store[i] = (uint8_t)(i / PAGE_SIZE + 1 + i % 7);
	t->file = (struct file){.refs = 1000000, .ops = &test_file_ops, .flags = flags};
	filemap_init(&t->map, ops, t);
	t->map.size_bytes = size_bytes;
	return t;
}

static inline void test_file_destroy(struct test_file *t)
{
	assert_int_equal(t->file.refs, 1000000);
	filemap_destroy(&t->map);
	free(t->store);
	free(t);
}

#endif
