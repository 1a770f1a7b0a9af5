/* Mapping the segments of a checked ELF image into a new address space. */
#include "abi/errno.h"
#include "abi/mman.h"
#include "mm/aspace.h"
#include "mm/usercopy.h"
#include "sched/elf.h"

static uint32_t prot_of(const struct elf64_phdr *p)
{
	return ((p->flags & PF_R) != 0 ? PROT_READ : 0) | ((p->flags & PF_W) != 0 ? PROT_WRITE : 0) |
	       ((p->flags & PF_X) != 0 ? PROT_EXEC : 0);
}

static int map(struct aspace *as, uint64_t start, uint64_t end, uint32_t prot, struct file *file,
	       uint64_t offset)
{
	struct mmap_args args = {
		.addr = start,
		.length_bytes = end - start,
		.prot = prot,
		.flags = MAP_PRIVATE | MAP_FIXED | (file == NULL ? MAP_ANONYMOUS : 0),
		.file = file,
		.offset = offset,
	};
	int64_t r = aspace_mmap(as, &args);

	return r < 0 ? (int)r : 0;
}

/*
 * The rest of the last page of the file's part must read as zero, whatever the file has there.
 * The page has just been mapped: if it cannot be written, there was no memory for the copy.
 */
static int clear_tail(struct aspace *as, uint64_t start, uint64_t end, bool is_writable)
{
	static const char zeroes[PAGE_SIZE];
	int r = 0;

	if (start < end && is_writable)
		r = copy_to_user_in(as, uaddr(start), zeroes, end - start);
	else if (start < end)
		r = copy_to_user_forced(as, uaddr(start), zeroes, end - start);
	return r != 0 ? -ENOMEM : 0;
}

static int map_segment(struct aspace *as, const struct elf_image *image, const struct elf64_phdr *p)
{
	uint64_t vaddr = image->bias + p->vaddr;
	uint64_t start = page_round_down(vaddr);
	uint64_t file_end = p->filesz != 0 ? page_round_up(vaddr + p->filesz) : start;
	uint64_t mem_end = page_round_up(vaddr + p->memsz);
	uint32_t prot = prot_of(p);
	int r = 0;

	if (file_end > start)
		r = map(as, start, file_end, prot, image->file, p->offset - page_offset(p->vaddr));
	if (r == 0 && file_end > start && p->memsz > p->filesz)
		r = clear_tail(as, vaddr + p->filesz, file_end, (prot & PROT_WRITE) != 0);
	if (r == 0 && mem_end > file_end)
		r = map(as, file_end, mem_end, prot, NULL, 0);
	return r;
}

/* /proc/PID/stat's startcode, endcode and the data pair: the last segments of each kind. */
static void note_segment(struct aspace *as, const struct elf_image *image, const struct elf64_phdr *p)
{
	uint64_t start = image->bias + p->vaddr, end = start + p->filesz;

	if ((p->flags & PF_X) != 0) {
		if (as->code_start == 0)
			as->code_start = start;
		as->code_end = end;
	} else if ((p->flags & PF_W) != 0) {
		as->data_start = start;
		as->data_end = end;
	}
}

int elf_map(struct aspace *as, const struct elf_image *image)
{
	for (unsigned i = 0; i < image->nr_phdrs; i++) {
		const struct elf64_phdr *p = &image->phdrs[i];
		int r;

		if (p->type != PT_LOAD || p->memsz == 0)
			continue;
		r = map_segment(as, image, p);
		if (r != 0)
			return r;
		if (as->exe == NULL)
			note_segment(as, image, p);
	}
	return 0;
}
