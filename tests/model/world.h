/*
 * What the files of the model test share: the processes, their pages as they
 * should be, the files, and the checks. The reference model keeps four bytes of
 * every page (at probe_offset[]): enough to see a lost, late or misplaced write.
 */
#ifndef MODEL_WORLD_H
#define MODEL_WORLD_H

#include <stdlib.h>
#include <string.h>

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "fake_machine.h"
#include "fs/vfs.h"
#include "mm/aspace.h"
#include "mm/filemap.h"
#include "mm/frame.h"
#include "mm/pt.h"
#include "mm/usercopy.h"
#include "mm/vma.h"
#include "mmu.h"
#include "model.h"

#define PAGES(n) ((uint64_t)(n) << PAGE_SHIFT)
#define WINDOW MMU_PAGES_MAX /* pages the operations act on; all other addresses are mapped with PROT_NONE */
#define SPACES_MAX 6
#define PINS_MAX 4
#define PIN_STEPS 16 /* then a pin is released: fork shares no tables as long as there are any */
#define PROBES 4
#define CONTENT_PAGES 128
#define FILES 4 /* memory, the same read-only, disk, the same read-only */
#define OBJECTS_MAX 48
#define HEAP_FIRST 200 /* page of the window where the heap begins */
#define HEAP_PAGES 300
#define STACK_LIMIT_PAGES 300

/* The bytes of a file, or of shared anonymous memory. */
struct content {
	struct file file[2]; /* of the two that have a filemap here: read-write, read-only */
	struct filemap map;
	struct filemap *filemap; /* map, or the kernel's own */
	uint8_t *store;		 /* the disk, or NULL */
	uint64_t size_bytes;
	uint8_t bytes[CONTENT_PAGES][PROBES];
	uint32_t nr_changes[CONTENT_PAGES];
};

/* An open file that can be mapped. */
struct object {
	struct file *file;
	struct content *content; /* NULL: free */
	bool is_readonly;
};

enum page_kind { PAGE_NONE, PAGE_ANON, PAGE_FILE };

/* One page as it should be. */
struct page {
	uint8_t kind, prot; /* enum page_kind; PROT_* */
	bool is_own;	    /* private file page: has a copy, whose bytes are below */
	uint8_t object;	    /* PAGE_FILE */
	uint16_t index;	    /* PAGE_FILE: page of the file */
	uint16_t flags;	    /* enum vma_flags without VMA_MAY* */
	uint32_t nr_seen;   /* private file page: the content's nr_changes when last known equal */
	uint8_t bytes[PROBES];
};

struct space {
	struct aspace *as;
	uint64_t brk;
	struct mmu mmu;
	struct page pages[WINDOW + 2]; /* with the neighbours outside the window */
};

struct pin {
	struct space *space; /* NULL: not in use */
	unsigned page;
	bool is_for_write, is_valid; /* valid: the process surely still maps the page it pinned */
	uint64_t step;
	pfn_t pfn;
	uint8_t *ptr;
	uint8_t bytes[PROBES]; /* when pinned */
};

struct world {
	struct model_setup setup;
	const struct pt_ops *ops;
	const struct mmu_format *format;
	uint64_t base;
	struct space *spaces[SPACES_MAX];
	struct object objects[OBJECTS_MAX];
	struct content contents[OBJECTS_MAX]; /* the first two: files; else by object */
	struct pin pins[PINS_MAX];
	const struct op *op;
	uint64_t step;
	/* The operation may fail with ENOMEM, because allocation number fail_at from its start fails. */
	uint64_t fail_at;
	/* Another thread writes at the next flush. */
	struct {
		bool is_armed, is_done; /* done: in this step */
		uint64_t last_step;
		struct space *space;
		unsigned page, probe;
		uint8_t value, old;
	} race;
};
extern struct world w;

extern const unsigned probe_offset[PROBES];

/* Prints the step and the message, then aborts. */
void violation(const char *format, ...) PRINTF_LIKE(1, 2) NORETURN;
/* With model_is_verbose: what the operation does. */
void say(const char *format, ...) PRINTF_LIKE(1, 2);
#define CHECK(condition, ...)                                                                                \
	do {                                                                                                 \
		if (!(condition))                                                                            \
			violation(__VA_ARGS__);                                                              \
	} while (0)
/* The result of an operation must be this, or -ENOMEM where an allocation did fail. True: it succeeded. */
bool result_is(int64_t result, int64_t expected);
/* Did the allocation that was to fail come up? */
bool has_failed_alloc(void);
/* This operation cannot be told from a failed one, or may do a part: all allocations succeed. */
void disarm(void);

/* ---- pages (space.c) ---- */

static inline uint64_t va_of(unsigned page) { return w.base + PAGES(page); }
static inline struct page *page_at(struct space *s, unsigned page) { return &s->pages[page + 1]; }
static inline unsigned op_first(void) { return w.op->a % WINDOW; }
/* Number of pages of the operation's range. */
static inline unsigned op_nr(void) { return MIN(1u + w.op->b % WINDOW, WINDOW - op_first()); }
static inline bool is_shared(const struct page *p) { return (p->flags & VMA_SHARED) != 0; }
static inline uint64_t content_pages(const struct content *c)
{
	return (c->size_bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
}
static inline struct content *content_of(const struct page *p) { return w.objects[p->object].content; }
/* Rights of the page: write and exec imply read. */
unsigned page_rights(const struct page *p);
/* Are a and its successor b in one mapping? */
bool is_same_vma(const struct page *a, const struct page *b);
/* First page from `page` on that is mapped, WINDOW + 1 at most; last before `page`, -1 at least. */
unsigned next_mapped(struct space *s, unsigned page);
int prev_mapped(struct space *s, unsigned page);
/* Is the range free, and no stack above needs its gap there? */
bool is_free(struct space *s, unsigned first, unsigned nr);
/* Is there any place for nr pages? */
bool has_room(struct space *s, unsigned nr);
/* The pages are gone, or became something else: pins of them mean nothing any more. */
void forget_pins(struct space *s, unsigned first, unsigned nr);
void clear_pages(struct space *s, unsigned first, unsigned nr);

/* Bytes as the process should see them. */
uint8_t expected_byte(const struct page *p, unsigned probe);
/* What a write changes. */
void store_byte(struct page *p, unsigned probe, uint8_t value);
/* A private file page may have been copied early: finds out before its bytes matter. */
void settle(struct space *s, unsigned page);

/* ---- accesses (access.c) ---- */

/* 0, or the error of an access to the page by the user; *grown: pages a stack grows by. */
int access_error(struct space *s, unsigned page, unsigned access, bool is_forced, unsigned *grown);
/* The stack grows down to the page. */
void grow_stack(struct space *s, unsigned page, unsigned nr);
/* As a CPU: MMU, fault handler, again. NULL: *err. */
uint8_t *touch(struct space *s, unsigned page, unsigned access, int *err);
/* The access with everything checked; NULL when it is refused, rightly. */
uint8_t *access_page(struct space *s, unsigned page, unsigned access);
void check_page(struct space *s, unsigned page);
void check_bytes(struct space *s, unsigned page, const uint8_t *p);
/* The kernel's VMAs against the pages of the model. */
void check_vmas(struct space *s);
/* Audit, caches. */
void check_all(void);
/* Every n-th page of every space is read. */
void check_pages(unsigned n);
void on_flush(struct aspace *as, uint64_t start, uint64_t end);
void *mmu_memory(uint64_t pa, bool is_table, const char **why);

/* ---- life (model.c) ---- */

struct space *space_create(void);
void space_destroy(struct space *s);
struct object *object_create_shared(unsigned nr_pages, uint8_t *id);

/* ---- operations (ops_*.c) ---- */

typedef void (*op_function)(struct space *s);
void op_mmap_anon(struct space *s);
void op_mmap_file(struct space *s);
void op_munmap(struct space *s);
void op_mprotect(struct space *s);
void op_mremap(struct space *s);
void op_madvise(struct space *s);
void op_brk(struct space *s);
void op_sync(struct space *s);
void op_write(struct space *s);
void op_read(struct space *s);
void op_execute(struct space *s);
void op_copy_in(struct space *s);
void op_copy_out(struct space *s);
void op_forced(struct space *s);
void op_pin(struct space *s);
void op_pin_write(struct space *s);
void op_unpin(struct space *s);
void pin_release(struct pin *pin);
void op_fork(struct space *s);
void op_exit(struct space *s);
void op_new(struct space *s);
void op_truncate(struct space *s);
void op_fwrite(struct space *s);
void op_fread(struct space *s);

#endif
