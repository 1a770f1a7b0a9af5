/*
 * The pages of a file: page cache of a disk or host file, and the memory of
 * tmpfs files, shared anonymous mappings and memfds (there the cache is the file).
 * A filemap belongs to an inode; VMAs hold the file, the file holds the inode.
 *
 * Each cached page is a FRAME_CACHE frame on which the cache holds one reference.
 *
 * Locks: the functions keep the map consistent by not sleeping while they change
 * it. Those that change the size want the inode's lock. truncate and punch take
 * the lock of each address space in turn: call them without holding any.
 */
#ifndef MM_FILEMAP_H
#define MM_FILEMAP_H

#include "lib/list.h"
#include "lib/types.h"

struct filemap;

#define FILEMAP_READ_MAX 32 /* pages asked of read_pages at once, at most */

struct filemap_ops {
	/*
	 * Fills nr_pages pages from `index` on (zeroes beyond the end of the file) from the
	 * backing store. Returns 0 or a negative errno. NULL: pages start as zeroes (tmpfs).
	 */
	int (*read_pages)(struct filemap *map, uint64_t index, void *const pages[], unsigned nr_pages);
	/* Writes one page's valid bytes back. NULL: never; without read_pages too, pages are not reclaimable. */
	int (*write_page)(struct filemap *map, uint64_t index, const void *page, size_t size_bytes);
};

struct filemap {
	const struct filemap_ops *ops;
	void *owner;	     /* the inode */
	uint64_t size_bytes; /* size of the file; maintained with filemap_truncate and writes */
	uint64_t nr_pages;   /* cached */
	uint64_t nr_dirty;   /* of them, to be written back */
	/* private to src/mm/filemap*.c: */
	uint64_t tree; /* radix tree of 64-way nodes: a node, or with height 0 the only entry */
	unsigned height;
	unsigned read_window; /* read-ahead: pages read last time, and where the next are expected */
	uint64_t read_next;
	uint64_t nr_promised; /* pages committed (mm/commit.h) from the start; 0: each when it comes */
	bool was_mapped; /* some address space maps it, or did */
	struct list all;
};

void filemap_init(struct filemap *map, const struct filemap_ops *ops, void *owner);
/* Drops all pages, dirty or not (the file is gone; nothing maps it). */
void filemap_destroy(struct filemap *map);

/* A new memory file counts with nr_pages against the commit limit as long as it lives. -ENOMEM. */
MUST_CHECK int filemap_promise(struct filemap *map, uint64_t nr_pages);

/*
 * The page at index, filled, with a reference for the caller; reads neighbours along
 * with it. for_write marks it dirty. Errors: -ENOMEM, -ENOSPC (commit limit), or what read_pages said.
 * Beyond the end of the file is the caller's business.
 */
MUST_CHECK int filemap_get_page(struct filemap *map, uint64_t index, bool for_write, pfn_t *out);
/* Makes pages [first, last] of a memory file exist. -ENOMEM, -ENOSPC (commit limit): those it made are gone again. */
MUST_CHECK int filemap_allocate(struct filemap *map, uint64_t first, uint64_t last);
bool filemap_is_cached(struct filemap *map, uint64_t index);
/* The page if it is cached, with a reference, else PFN_NONE. Never reads. */
pfn_t filemap_peek(struct filemap *map, uint64_t index);

/*
 * Byte access from the kernel. buf is kernel memory. Reads stop at size_bytes (short
 * count); writes extend size_bytes. Returns the count or a negative errno (a short count
 * when an error came after some bytes).
 */
int64_t filemap_read(struct filemap *map, uint64_t offset, void *buf, size_t size_bytes);
int64_t filemap_write(struct filemap *map, uint64_t offset, const void *buf, size_t size_bytes);
/*
 * Changes size_bytes; shrinking drops pages, unmaps them everywhere and zeroes the
 * tail. -ENOMEM: the size is unchanged.
 */
int filemap_truncate(struct filemap *map, uint64_t size_bytes);
/* Zeroes [offset, offset + size); where the cache is the file, drops whole pages. -ENOMEM, read errors. */
int filemap_punch(struct filemap *map, uint64_t offset, uint64_t size_bytes);
/*
 * Writes dirty pages back; the first error. A page that is mapped stays dirty, for it may
 * be written to without notice. May sleep in the backing store.
 */
int filemap_sync(struct filemap *map);
/* Forgets clean cached pages (the host's file changed). Mapped pages stay with their mappings. */
void filemap_invalidate(struct filemap *map);
/* Does any address space hold a shared mapping that may write? Takes the locks truncate takes. */
bool filemap_has_writers(struct filemap *map);
/* Pages cached by all maps, in files with a backing store and in memory files: for /proc/meminfo. */
void filemap_count(uint64_t *nr_cached, uint64_t *nr_memory);

#endif
