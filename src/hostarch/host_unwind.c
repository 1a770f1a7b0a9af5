/*
 * User stacks in reports, the hosted machine's way: unwound with the program's own DWARF tables (libunwind,
 * remote), read from the guest's memory or files by report_read_user(); and the instructions around the program
 * counter where libcapstone is installed (it is loaded when it is needed). Falls back to frame pointers.
 */
#include <dlfcn.h>
#include <elf.h>
#include <libunwind-x86_64.h>
#include <stdio.h>
#include <string.h>

#include "hostarch/host.h"
#include "hostarch/host_internal.h"
#include "hostarch/unwind.h"

#if __has_include(<capstone/capstone.h>)
#include <capstone/capstone.h>
#define HAS_CAPSTONE 1
#else
#define HAS_CAPSTONE 0
#endif

#define DEPTH_MAX 48
#define CODE_BEFORE 24u
#define CODE_BYTES 64u

/* In libunwind, for users of its remote interface. */
int UNW_OBJ(dwarf_search_unwind_table)(unw_addr_space_t as, unw_word_t ip, unw_dyn_info_t *table, unw_proc_info_t *out,
				       int need_unwind_info, void *arg);

static void print(const char *text) { host_write_all(2, text, strlen(text)); }

/* ---- the guest, as libunwind asks for it ------------------------------------------ */

/* Any bytes of user memory. */
static int read_bytes(const struct unwind_guest *g, uint64_t addr, void *out, size_t size)
{
	for (char *p = out; size > 0;) {
		uint64_t word, at = addr & 7;
		size_t n = 8 - at < size ? 8 - at : size;

		if (!unwind_read_word(g, addr - at, &word))
			return -1;
		memcpy(p, (const char *)&word + at, n);
		p += n;
		addr += n;
		size -= n;
	}
	return 0;
}

/* The table of .eh_frame_hdr of the ELF image mapped at base. */
static int find_table(const struct unwind_guest *g, uint64_t base, unw_dyn_info_t *out)
{
	unsigned char head[12];
	uint64_t table = 0, bias = base, first = UINT64_MAX;
	Elf64_Ehdr elf;
	int32_t nr_entries;

	if (read_bytes(g, base, &elf, sizeof(elf)) != 0 || memcmp(elf.e_ident, ELFMAG, SELFMAG) != 0)
		return -1;
	for (unsigned i = 0; i < elf.e_phnum && i < 64; i++) {
		Elf64_Phdr ph;

		if (read_bytes(g, base + elf.e_phoff + i * sizeof(ph), &ph, sizeof(ph)) != 0)
			return -1;
		if (ph.p_type == PT_LOAD && ph.p_vaddr < first)
			first = ph.p_vaddr;
		if (ph.p_type == PT_GNU_EH_FRAME)
			table = ph.p_vaddr;
	}
	if (table == 0 || first == UINT64_MAX)
		return -1;
	bias -= first & ~UINT64_C(4095);
	table += bias;
	/* version 1; frame pointer pcrel sdata4; count udata4; table datarel sdata4: what linkers write */
	if (read_bytes(g, table, head, sizeof(head)) != 0 || head[0] != 1 || head[1] != 0x1b || head[2] != 0x03 ||
	    head[3] != 0x3b)
		return -1;
	memcpy(&nr_entries, head + 8, sizeof(nr_entries));
	out->format = UNW_INFO_FORMAT_REMOTE_TABLE;
	out->u.rti.name_ptr = 0;
	out->u.rti.segbase = table;
	out->u.rti.table_data = table + sizeof(head);
	out->u.rti.table_len = (unw_word_t)(nr_entries > 0 ? nr_entries : 0) * 8 / sizeof(unw_word_t);
	return 0;
}

static int find_proc_info(unw_addr_space_t as, unw_word_t ip, unw_proc_info_t *out, int need_info, void *arg)
{
	const struct unwind_guest *g = arg;
	unw_dyn_info_t table = {0};
	uint64_t base;

	if (!unwind_image(g, ip, &base, &table.start_ip, &table.end_ip) || find_table(g, base, &table) != 0)
		return -UNW_ENOINFO;
	return UNW_OBJ(dwarf_search_unwind_table)(as, ip, &table, out, need_info, arg);
}

static void put_unwind_info(unw_addr_space_t as, unw_proc_info_t *info, void *arg) { (void)as, (void)info, (void)arg; }

static int no_dynamic_info(unw_addr_space_t as, unw_word_t *list, void *arg)
{
	(void)as, (void)list, (void)arg;
	return -UNW_ENOINFO;
}

static int access_mem(unw_addr_space_t as, unw_word_t addr, unw_word_t *value, int write, void *arg)
{
	(void)as;
	if (write || read_bytes(arg, addr, value, sizeof(*value)) != 0)
		return -UNW_EINVAL;
	return 0;
}

static int access_reg(unw_addr_space_t as, unw_regnum_t reg, unw_word_t *value, int write, void *arg)
{
	const struct unwind_guest *g = arg;

	(void)as;
	if (write || reg < 0 || reg > UNW_X86_64_RIP)
		return -UNW_EBADREG;
	*value = g->registers[reg];
	return 0;
}

static int no_fpreg(unw_addr_space_t as, unw_regnum_t reg, unw_fpreg_t *value, int write, void *arg)
{
	(void)as, (void)reg, (void)value, (void)write, (void)arg;
	return -UNW_EBADREG;
}

static int no_resume(unw_addr_space_t as, unw_cursor_t *cursor, void *arg)
{
	(void)as, (void)cursor, (void)arg;
	return -UNW_EINVAL;
}

static int no_name(unw_addr_space_t as, unw_word_t ip, char *buf, size_t size, unw_word_t *offset, void *arg)
{
	(void)as, (void)ip, (void)buf, (void)size, (void)offset, (void)arg;
	return -UNW_ENOINFO;
}

int host_unwind_user(const struct unwind_guest *g)
{
	static unw_accessors_t accessors = {find_proc_info, put_unwind_info, no_dynamic_info, access_mem,
					    access_reg,     no_fpreg,        no_resume,       no_name};
	unw_addr_space_t as = unw_create_addr_space(&accessors, 0);
	unw_cursor_t cursor;
	int nr = 0;

	if (as == NULL)
		return 0;
	if (unw_init_remote(&cursor, as, (void *)(uintptr_t)g) == 0) {
		do {
			unw_word_t ip = 0;
			char place[128], line[192];

			unw_get_reg(&cursor, UNW_REG_IP, &ip);
			if (ip == 0)
				break;
			unwind_place(g, ip, place, sizeof(place));
			snprintf(line, sizeof(line), "  #%-2d %#lx %s\n", nr++, (unsigned long)ip, place);
			print(line);
		} while (nr < DEPTH_MAX && unw_step(&cursor) > 0);
	}
	unw_destroy_addr_space(as);
	return nr;
}

/* ---- instructions ------------------------------------------------------------------- */

#if HAS_CAPSTONE

static void print_instructions(cs_insn *code, size_t n, uint64_t pc)
{
	for (size_t i = 0; i < n; i++) {
		char line[256];

		snprintf(line, sizeof(line), "  %s %#lx  %s %s\n", code[i].address == pc ? "=>" : "  ",
			 (unsigned long)code[i].address, code[i].mnemonic, code[i].op_str);
		print(line);
	}
}

/* What is used of the library. */
struct capstone {
	cs_err (*open)(cs_arch, cs_mode, csh *);
	size_t (*disassemble)(csh, const uint8_t *, size_t, uint64_t, size_t, cs_insn **);
	void (*free)(cs_insn *, size_t);
	cs_err (*close)(csh *);
};

static bool load_capstone(struct capstone *c)
{
	void *library = dlopen("libcapstone.so.4", RTLD_NOW);

	if (library == NULL)
		return false;
	*(void **)&c->open = dlsym(library, "cs_open");
	*(void **)&c->disassemble = dlsym(library, "cs_disasm");
	*(void **)&c->free = dlsym(library, "cs_free");
	*(void **)&c->close = dlsym(library, "cs_close");
	return c->open != NULL && c->disassemble != NULL && c->free != NULL && c->close != NULL;
}

/* Prints when an instruction begins at pc, which lies CODE_BEFORE behind the start of bytes. */
static bool try_from(const struct capstone *c, csh handle, const uint8_t bytes[CODE_BYTES], unsigned skip, uint64_t pc)
{
	cs_insn *code = NULL;
	size_t n = c->disassemble(handle, bytes + skip, CODE_BYTES - skip, pc - CODE_BEFORE + skip, 0, &code), at = 0;

	while (at < n && code[at].address != pc)
		at++;
	if (at < n)
		print_instructions(code, at + 6 < n ? at + 6 : n, pc);
	if (n > 0)
		c->free(code, n);
	return at < n;
}

/* Instructions before pc can be found only by trying where one begins. */
void host_disassemble(const struct unwind_guest *g, uint64_t pc)
{
	uint8_t bytes[CODE_BYTES];
	struct capstone c;
	bool is_shown = false;
	csh handle;

	if (!load_capstone(&c) || c.open(CS_ARCH_X86, CS_MODE_64, &handle) != CS_ERR_OK)
		return;
	if (read_bytes(g, pc - CODE_BEFORE, bytes, sizeof(bytes)) == 0) {
		print("instructions around its program counter:\n");
		for (unsigned skip = 0; skip <= CODE_BEFORE && !is_shown; skip++)
			is_shown = try_from(&c, handle, bytes, skip, pc);
	}
	c.close(&handle);
}

#else
void host_disassemble(const struct unwind_guest *g, uint64_t pc) { (void)g, (void)pc; }
#endif
