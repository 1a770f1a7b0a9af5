/*
 * ELF headers: reading and checking, all of it before anything is changed. What
 * passes here has segments inside the address space, in order, not overlapping, backed by
 * the file, with congruent offsets. Source: elf(5), the System V ABI.
 */
#include "sched/elf.h"

#include "abi/errno.h"
#include "arch/machine.h"
#include "fs/vfs.h"
#include "lib/string.h"
#include "mm/kmalloc.h"
#include "user_abi.h"

#define PHDRS_BYTES_MAX 65536u

static int check_header(const struct elf64_ehdr *h)
{
	static const unsigned char magic[4] = {0x7f, 'E', 'L', 'F'};

	if (memcmp(h->ident, magic, sizeof(magic)) != 0)
		return -ENOEXEC;
	if (h->ident[EI_CLASS] != ELFCLASS64 || h->ident[EI_DATA] != ELFDATA2LSB ||
	    h->ident[EI_VERSION] != EV_CURRENT || h->version != EV_CURRENT)
		return -ENOEXEC;
	if (h->type != ET_EXEC && h->type != ET_DYN)
		return -ENOEXEC;
	if (h->machine != ELF_MACHINE_NATIVE)
		return -ENOEXEC;
	if (h->phentsize != sizeof(struct elf64_phdr) || h->phnum == 0 ||
	    h->phnum > PHDRS_BYTES_MAX / sizeof(struct elf64_phdr))
		return -ENOEXEC;
	return 0;
}

static bool add_overflows(uint64_t a, uint64_t b) { return a + b < a; }

/* One PT_LOAD alone: sizes, alignment, inside the file and inside user space. */
static bool is_sound_load(const struct elf64_phdr *p, bool is_relocatable, uint64_t file_bytes)
{
	uint64_t end = arch_user_end();

	if (p->filesz > p->memsz || add_overflows(p->offset, p->filesz) || p->offset + p->filesz > file_bytes)
		return false;
	if (page_offset(p->vaddr) != page_offset(p->offset))
		return false;
	if (add_overflows(p->vaddr, p->memsz) || p->vaddr + p->memsz > end - PAGE_SIZE)
		return false;
	return is_relocatable || p->vaddr >= ARCH_USER_MIN;
}

static int check_loads(struct elf_image *image, uint64_t file_bytes)
{
	uint64_t end = 0;
	bool has_load = false;

	image->align = PAGE_SIZE;
	for (unsigned i = 0; i < image->nr_phdrs; i++) {
		const struct elf64_phdr *p = &image->phdrs[i];

		if (p->type != PT_LOAD || p->memsz == 0)
			continue;
		if (!is_sound_load(p, image->is_relocatable, file_bytes))
			return -ENOEXEC;
		if (has_load && p->vaddr < end)
			return -ENOEXEC; /* overlapping, or not in ascending order */
		if (!has_load)
			image->low = page_round_down(p->vaddr);
		has_load = true;
		end = p->vaddr + p->memsz;
		if ((p->align & (p->align - 1)) == 0 && p->align > image->align)
			image->align = p->align;
	}
	image->high = page_round_up(end);
	return has_load ? 0 : -ENOEXEC;
}

static int check_entry(const struct elf_image *image)
{
	uint64_t entry = image->header.entry;

	return entry >= image->low && entry < image->high ? 0 : -ENOEXEC;
}

static void find_special(struct elf_image *image)
{
	uint64_t phoff = image->header.phoff;

	for (unsigned i = 0; i < image->nr_phdrs; i++) {
		const struct elf64_phdr *p = &image->phdrs[i];

		switch (p->type) {
		case PT_INTERP:
			if (image->interp == NULL)
				image->interp = p;
			break;
		case PT_GNU_STACK: image->has_exec_stack = (p->flags & PF_X) != 0; break;
		case PT_LOAD:
			if (image->phdr_vaddr == 0 && phoff >= p->offset && phoff - p->offset < p->filesz)
				image->phdr_vaddr = p->vaddr + (phoff - p->offset);
			break;
		}
	}
}

int elf_parse(const struct elf64_ehdr *header, struct elf64_phdr *phdrs, uint64_t file_bytes,
	      struct elf_image *out)
{
	int r;

	*out = (struct elf_image){.header = *header, .phdrs = phdrs};
	r = check_header(header);
	if (r != 0)
		return r;
	out->nr_phdrs = header->phnum;
	out->is_relocatable = header->type == ET_DYN;
	r = check_loads(out, file_bytes);
	if (r == 0)
		r = check_entry(out);
	if (r == 0)
		find_special(out);
	return r;
}

/* The table of program headers: mostly in the part of the file that has been read already. */
static int read_phdrs(struct file *file, const struct elf64_ehdr *h, const char *head, size_t head_bytes,
		      struct elf64_phdr **out)
{
	size_t size = (size_t)h->phnum * sizeof(struct elf64_phdr);
	struct elf64_phdr *phdrs = kmalloc(size);
	int64_t n = (int64_t)size;

	if (phdrs == NULL)
		return -ENOMEM;
	if (h->phoff <= head_bytes && size <= head_bytes - h->phoff)
		memcpy(phdrs, head + h->phoff, size);
	else
		n = h->phoff <= INT64_MAX ? vfs_read_kernel(file, phdrs, size, h->phoff) : 0;
	if (n != (int64_t)size) {
		kfree(phdrs);
		return n < 0 ? (int)n : -ENOEXEC;
	}
	*out = phdrs;
	return 0;
}

int elf_read(struct file *file, const void *head, size_t head_bytes, struct elf_image *out)
{
	struct elf64_ehdr header;
	struct elf64_phdr *phdrs = NULL;
	int r;

	*out = (struct elf_image){0};
	if (head_bytes < sizeof(header))
		return -ENOEXEC;
	memcpy(&header, head, sizeof(header));
	r = check_header(&header);
	if (r == 0)
		r = read_phdrs(file, &header, head, head_bytes, &phdrs);
	if (r == 0)
		r = elf_parse(&header, phdrs, file->inode->map.size_bytes, out);
	out->file = file;
	out->phdrs = phdrs;
	return r;
}

void elf_release(struct elf_image *image)
{
	kfree(image->phdrs);
	image->phdrs = NULL;
}

int elf_interp_path(const struct elf_image *image, char *buf, size_t size_bytes)
{
	const struct elf64_phdr *p = image->interp;
	int64_t n;

	if (p->filesz < 2 || p->filesz > size_bytes || p->offset > INT64_MAX)
		return -ENOEXEC;
	n = vfs_read_kernel(image->file, buf, (size_t)p->filesz, p->offset);
	if (n < 0)
		return (int)n;
	return n == (int64_t)p->filesz && buf[n - 1] == '\0' ? 0 : -ENOEXEC;
}
