/*
 * The stack a new program starts on, as Linux lays it out, from the stack pointer up:
 * argc, argv[], NULL, envp[], NULL, the auxiliary vector, 16 random bytes, the platform's
 * name, the strings, the file name, 8 zero bytes. Written front to back in one pass.
 */
#include "abi/auxv.h"
#include "abi/errno.h"
#include "abi/mman.h"
#include "abi/resource.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/usercopy.h"
#include "sched/exec.h"

#define STACK_SLACK_BYTES (128 * 1024)
#define END_BYTES 8
#define RANDOM_BYTES 16

/* Where things go; all addresses are the program's. */
struct layout {
	unsigned nr_args, nr_env, nr_auxv_words;
	uint64_t strings, strings_bytes; /* prefix, arguments, environment, file name */
	uint64_t first_env, filename;
	uint64_t platform, random, sp;
};

/* ---- the stream of bytes into the new address space ---------------------- */

struct writer {
	struct aspace *aspace;
	uint64_t addr;
	char *window; /* pinned page's part from addr on, avail bytes */
	size_t avail;
	pfn_t pin;
	int error;
};

static void writer_close_window(struct writer *w)
{
	if (w->window != NULL)
		user_page_unpin(w->pin);
	w->window = NULL;
	w->avail = 0;
}

static void put(struct writer *w, const void *bytes, size_t n)
{
	const char *from = bytes;

	while (n > 0 && w->error == 0) {
		size_t chunk;

		if (w->avail == 0) {
			writer_close_window(w);
			w->window = user_page_pin(w->aspace, uaddr(w->addr), true, &w->avail, &w->pin);
			if (w->window == NULL) {
				w->error = -ENOMEM;
				return;
			}
		}
		chunk = MIN(n, w->avail);
		memcpy(w->window, from, chunk);
		w->avail -= chunk;
		w->window += chunk;
		w->addr += chunk;
		from += chunk;
		n -= chunk;
	}
}

static void put_u64(struct writer *w, uint64_t value) { put(w, &value, sizeof(value)); }

static void put_zeroes_up_to(struct writer *w, uint64_t addr)
{
	static const char zeroes[64];

	while (w->addr < addr && w->error == 0)
		put(w, zeroes, MIN(addr - w->addr, sizeof(zeroes)));
}

/* ---- contents ------------------------------------------------------------ */

/* Reads the string lengths: pointers to `count` strings that lie one after the other from *addr, *offset on.
 */
static void put_pointers(struct writer *w, const struct exec_args *args, size_t *offset, uint64_t *addr,
			 unsigned count)
{
	while (count-- > 0) {
		size_t next = exec_args_next(args, *offset);

		put_u64(w, *addr);
		*addr += next - *offset;
		*offset = next;
	}
}

static const char *prefix_start(const struct exec_args *args)
{
	return args->prefix + args->prefix_size - args->prefix_bytes;
}

static void put_prefix_pointers(struct writer *w, const struct exec_args *args, uint64_t *addr)
{
	const char *s = args->nr_prefix > 0 ? prefix_start(args) : NULL;

	for (unsigned i = 0; i < args->nr_prefix; i++) {
		size_t n = strlen(s) + 1;

		put_u64(w, *addr);
		*addr += n;
		s += n;
	}
}

static void put_vectors(struct writer *w, const struct exec *x, struct layout *l)
{
	const struct exec_args *args = &x->args;
	size_t offset = exec_args_start(args);
	uint64_t addr = l->strings;

	put_u64(w, l->nr_args);
	put_prefix_pointers(w, args, &addr);
	put_pointers(w, args, &offset, &addr, l->nr_args - args->nr_prefix);
	put_u64(w, 0);
	l->first_env = addr;
	put_pointers(w, args, &offset, &addr, l->nr_env);
	put_u64(w, 0);
	ASSERT(addr == l->filename);
	put(w, x->aspace->auxv, l->nr_auxv_words * sizeof(uint64_t));
}

static void put_strings(struct writer *w, const struct exec_args *args)
{
	size_t offset = exec_args_start(args);

	if (args->nr_prefix > 0)
		put(w, prefix_start(args), args->prefix_bytes);
	while (offset < args->used_bytes) {
		const char *piece;
		size_t n = exec_args_piece(args, offset, &piece);

		put(w, piece, n);
		offset += n;
	}
}

/* ---- layout -------------------------------------------------------------- */

static void auxv_add(struct aspace *as, uint64_t type, uint64_t value)
{
	ASSERT(as->nr_auxv + 2 <= ARRAY_SIZE(as->auxv));
	as->auxv[as->nr_auxv++] = type;
	as->auxv[as->nr_auxv++] = value;
}

static void build_auxv(const struct exec *x, const struct layout *l)
{
	struct aspace *as = x->aspace;
	const struct elf_image *program = &x->program;

	as->nr_auxv = 0;
	auxv_add(as, AT_MINSIGSTKSZ, ABI_MINSIGSTKSZ);
	auxv_add(as, AT_HWCAP, ABI_HWCAP);
	auxv_add(as, AT_PAGESZ, PAGE_SIZE);
	auxv_add(as, AT_CLKTCK, USER_HZ);
	auxv_add(as, AT_PHDR, program->phdr_vaddr != 0 ? program->bias + program->phdr_vaddr : 0);
	auxv_add(as, AT_PHENT, sizeof(struct elf64_phdr));
	auxv_add(as, AT_PHNUM, program->nr_phdrs);
	auxv_add(as, AT_BASE, x->interp_file != NULL ? x->interp.bias : 0);
	auxv_add(as, AT_FLAGS, 0);
	auxv_add(as, AT_ENTRY, program->bias + program->header.entry);
	auxv_add(as, AT_UID, x->cred.uid);
	auxv_add(as, AT_EUID, x->cred.euid);
	auxv_add(as, AT_GID, x->cred.gid);
	auxv_add(as, AT_EGID, x->cred.egid);
	auxv_add(as, AT_SECURE, x->is_secure);
	auxv_add(as, AT_RANDOM, l->random);
	auxv_add(as, AT_HWCAP2, ABI_HWCAP2);
	auxv_add(as, AT_EXECFN, l->filename);
	auxv_add(as, AT_PLATFORM, l->platform);
	auxv_add(as, AT_NULL, 0);
}

#define NR_AUXV_WORDS 40u

static void compute_layout(const struct exec *x, struct layout *l)
{
	const struct exec_args *args = &x->args;
	uint64_t filename_bytes = strlen(x->filename) + 1, vectors_bytes;

	l->nr_args = args->nr_args + args->nr_prefix - (args->skips_first ? 1 : 0);
	l->nr_env = args->nr_env;
	l->nr_auxv_words = NR_AUXV_WORDS;
	l->strings_bytes = args->prefix_bytes + args->used_bytes - exec_args_start(args);
	l->strings = x->stack_top - END_BYTES - l->strings_bytes;
	l->filename = x->stack_top - END_BYTES - filename_bytes;
	l->platform = l->strings - sizeof(ABI_PLATFORM);
	l->random = (l->platform - RANDOM_BYTES) & ~UINT64_C(15);
	vectors_bytes = (1 + (uint64_t)l->nr_args + 1 + l->nr_env + 1 + l->nr_auxv_words) * sizeof(uint64_t);
	l->sp = (l->random - vectors_bytes) & ~(uint64_t)(ABI_STACK_ALIGN - 1);
}

/* Room for what is written and some more; the rest comes by growing. */
static int map_stack(const struct exec *x, const struct layout *l)
{
	uint64_t size = page_round_up(x->stack_top - l->sp) + STACK_SLACK_BYTES;
	uint64_t limit =
		MAX(page_round_down(x->aspace->stack_limit_bytes), page_round_up(x->stack_top - l->sp));
	struct mmap_args args = {
		.length_bytes = MIN(size, limit),
		.prot = PROT_READ | PROT_WRITE | (x->program.has_exec_stack ? PROT_EXEC : 0),
		.flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN | MAP_STACK,
	};
	int64_t r;

	args.addr = x->stack_top - args.length_bytes;
	r = aspace_mmap(x->aspace, &args);
	return r < 0 ? (int)r : 0;
}

int exec_build_stack(struct exec *x)
{
	struct aspace *as = x->aspace;
	struct layout l;
	struct writer w = {.aspace = as};
	uint8_t random[RANDOM_BYTES];
	int r;

	compute_layout(x, &l);
	as->stack_top = x->stack_top;
	r = map_stack(x, &l);
	if (r != 0)
		return r;
	build_auxv(x, &l);
	ASSERT(as->nr_auxv == l.nr_auxv_words);
	arch_random(random, sizeof(random));
	w.addr = l.sp;
	put_vectors(&w, x, &l);
	put_zeroes_up_to(&w, l.random);
	put(&w, random, sizeof(random));
	put_zeroes_up_to(&w, l.platform);
	put(&w, ABI_PLATFORM, sizeof(ABI_PLATFORM));
	put_strings(&w, &x->args);
	put_zeroes_up_to(&w, x->stack_top);
	writer_close_window(&w);
	as->arg_start = l.strings;
	as->arg_end = as->env_start = l.first_env;
	as->env_end = l.filename;
	x->sp = l.sp;
	return w.error;
}
