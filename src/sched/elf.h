/*
 * ELF files: reading and checking the headers (elf.c), mapping the segments
 * (elf_map.c). A struct elf_image owns its program headers; the file is the caller's.
 */
#ifndef SCHED_ELF_H
#define SCHED_ELF_H

#include "abi/elf.h"
#include "lib/types.h"

struct aspace;
struct file;

struct elf_image {
	struct file *file;
	struct elf64_ehdr header;
	struct elf64_phdr *phdrs;
	unsigned nr_phdrs;
	/* from the headers; addresses without bias: */
	uint64_t low, high;		 /* page-aligned span of all PT_LOAD segments */
	uint64_t align;			 /* largest p_align of a PT_LOAD, at least a page */
	uint64_t phdr_vaddr;		 /* where the program headers are in memory, 0: nowhere */
	bool is_relocatable;		 /* ET_DYN */
	bool has_exec_stack;		 /* PT_GNU_STACK says so */
	const struct elf64_phdr *interp; /* PT_INTERP, or NULL */
	/* set by the caller before elf_map(): */
	uint64_t bias;
};

/*
 * Reads and checks the headers of `file`, whose first head_bytes bytes are `head`. Everything the later
 * steps rely on is checked here: -ENOEXEC for what is not a sound ELF64 program of this
 * architecture, -ENOMEM, or a read error. elf_release() afterwards, also on error.
 */
MUST_CHECK int elf_read(struct file *file, const void *head, size_t head_bytes, struct elf_image *out);
/* As elf_read() without a file: headers from memory, the file's size given. For tests and fuzzing. */
MUST_CHECK int elf_parse(const struct elf64_ehdr *header, struct elf64_phdr *phdrs, uint64_t file_bytes,
			 struct elf_image *out);
void elf_release(struct elf_image *image);
/* The path in PT_INTERP into buf[size]: 0, -ENOEXEC (no proper string), or a read error. */
MUST_CHECK int elf_interp_path(const struct elf_image *image, char *buf, size_t size_bytes);
/*
 * Maps the segments at image->bias into `as`; *code/data: as /proc/PID/stat shows. An error may
 * leave some mapped: the address space is thrown away then.
 */
MUST_CHECK int elf_map(struct aspace *as, const struct elf_image *image);
/* end of the last segment in memory, page aligned: where the heap starts. */
static inline uint64_t elf_end(const struct elf_image *image) { return image->bias + image->high; }

#endif
