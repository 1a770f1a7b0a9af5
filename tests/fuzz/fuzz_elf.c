/*
 * Fuzzer: any bytes are a program file. What the check of the headers lets through can be
 * mapped, and stays within the addresses a program may have.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake_machine.h"
#include "fs/vfs.h"
#include "mm/aspace.h"
#include "mm/filemap.h"
#include "mm/kmalloc.h"
#include "sched/elf.h"

#define PHDRS_MAX 64

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct filemap map;
static const uint8_t *file_bytes;
static size_t file_size;

static int read_pages(struct filemap *m, uint64_t index, void *const pages[], unsigned nr_pages)
{
	(void)m;
	for (unsigned i = 0; i < nr_pages; i++) {
		uint64_t at = (index + i) << PAGE_SHIFT;

		memset(pages[i], 0, PAGE_SIZE);
		if (at < file_size)
			memcpy(pages[i], file_bytes + at, MIN(PAGE_SIZE, file_size - at));
	}
	return 0;
}

static struct filemap *file_mmap(struct file *file, unsigned vm_shared, int *err)
{
	(void)file;
	(void)vm_shared;
	*err = 0;
	return &map;
}

static const struct filemap_ops ops = {.read_pages = read_pages};
static const struct file_ops file_ops = {.mmap = file_mmap};
static struct file file = {.refs = 1000, .ops = &file_ops};

#define REQUIRE(condition)                                                                                   \
	do {                                                                                                 \
		if (!(condition)) {                                                                          \
			fprintf(stderr, "fuzz_elf: not true: %s\n", #condition);                             \
			abort();                                                                             \
		}                                                                                            \
	} while (0)

static void map_image(struct elf_image *image)
{
	struct aspace *as;

	REQUIRE(aspace_create(NULL, &as) == 0);
	image->file = &file;
	image->bias = image->is_relocatable ? 0x10000000 : 0;
	REQUIRE(elf_map(as, image) <= 0); /* may fail: memory, or a wild address with the bias */
	REQUIRE(mm_audit() == 0);
	aspace_put(as);
	REQUIRE(file.refs == 1000);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct elf64_phdr phdrs[PHDRS_MAX];
	struct elf64_ehdr header;
	struct elf_image image;
	static bool is_booted;

	if (!is_booted) {
		fake_machine_boot(32 << 20);
		aspace_init();
		aspace_set_pt_ops(&pt_ops_x86_64);
	}
	is_booted = true;
	if (size < sizeof(header))
		return 0;
	memcpy(&header, bytes, sizeof(header));
	/* As elf_read() does: the program headers lie within the file. */
	if (header.phnum > PHDRS_MAX || header.phoff > size ||
	    header.phnum * sizeof(phdrs[0]) > size - header.phoff)
		return 0;
	memcpy(phdrs, bytes + header.phoff, header.phnum * sizeof(phdrs[0]));
	if (elf_parse(&header, phdrs, size, &image) != 0)
		return 0;
	REQUIRE(image.low < image.high && image.high <= arch_user_end());
	REQUIRE(page_offset(image.low | image.high) == 0 && image.align >= PAGE_SIZE);
	file_bytes = bytes;
	file_size = size;
	filemap_init(&map, &ops, NULL);
	map.size_bytes = size;
	map_image(&image);
	filemap_destroy(&map);
	return 0;
}
