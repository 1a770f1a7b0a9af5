/*
 * The argument and environment strings of execve(2): copied from the caller's memory
 * into kernel pages, before anything is changed. Limits as on Linux: 128 KiB a string, a
 * quarter of RLIMIT_STACK in total (pointers included), between 128 KiB and 6 MiB.
 */
#include "abi/errno.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "mm/usercopy.h"
#include "sched/exec.h"

void exec_args_init(struct exec_args *args, uint64_t stack_limit_bytes)
{
	memset(args, 0, sizeof(*args));
	args->pages = args->inline_pages;
	args->capacity = EXEC_INLINE_PAGES;
	args->limit_bytes = (size_t)MAX(MIN(stack_limit_bytes / 4, (uint64_t)EXEC_STRINGS_MAX),
					(uint64_t)EXEC_STRINGS_MIN);
}

void exec_args_release(struct exec_args *args)
{
	for (unsigned i = 0; i < args->nr_pages; i++)
		frame_put(ptr_to_pfn(args->pages[i]));
	if (args->pages != args->inline_pages)
		kfree(args->pages);
	kfree(args->prefix);
	args->nr_pages = 0;
	args->pages = args->inline_pages;
	args->prefix = NULL;
}

/* ---- storage ------------------------------------------------------------- */

static int grow_page_list(struct exec_args *args)
{
	unsigned capacity = args->capacity * 4;
	char **pages = kmalloc(capacity * sizeof(*pages));

	if (pages == NULL)
		return -ENOMEM;
	memcpy(pages, args->pages, args->nr_pages * sizeof(*pages));
	if (args->pages != args->inline_pages)
		kfree(args->pages);
	args->pages = pages;
	args->capacity = capacity;
	return 0;
}

static int add_page(struct exec_args *args)
{
	pfn_t pfn;
	int r;

	if (args->nr_pages == args->capacity) {
		r = grow_page_list(args);
		if (r != 0)
			return r;
	}
	pfn = frame_alloc(FRAME_KERNEL);
	if (pfn_is_none(pfn))
		return -ENOMEM;
	args->pages[args->nr_pages++] = pfn_to_ptr(pfn);
	return 0;
}

static int check_total(const struct exec_args *args, size_t more_bytes)
{
	size_t total = args->used_bytes + args->prefix_bytes + more_bytes +
		       ((size_t)args->nr_args + args->nr_env + args->nr_prefix) * sizeof(uint64_t);

	return total > args->limit_bytes ? -E2BIG : 0;
}

static int append(struct exec_args *args, const char *bytes, size_t n)
{
	int r = check_total(args, n);

	while (r == 0 && n > 0) {
		size_t offset = page_offset(args->used_bytes);
		size_t chunk = MIN(n, (size_t)PAGE_SIZE - offset);

		if (offset == 0)
			r = add_page(args);
		if (r != 0)
			break;
		memcpy(args->pages[args->used_bytes / PAGE_SIZE] + offset, bytes, chunk);
		args->used_bytes += chunk;
		bytes += chunk;
		n -= chunk;
	}
	return r;
}

size_t exec_args_piece(const struct exec_args *args, size_t offset, const char **piece)
{
	ASSERT(offset < args->used_bytes);
	*piece = args->pages[offset / PAGE_SIZE] + page_offset(offset);
	return MIN((size_t)(PAGE_SIZE - page_offset(offset)), args->used_bytes - offset);
}

size_t exec_args_next(const struct exec_args *args, size_t offset)
{
	for (;;) {
		const char *piece, *nul;
		size_t n = exec_args_piece(args, offset, &piece);

		nul = memchr(piece, '\0', n);
		if (nul != NULL)
			return offset + (size_t)(nul - piece) + 1;
		offset += n;
	}
}

size_t exec_args_start(const struct exec_args *args)
{
	return args->skips_first ? exec_args_next(args, 0) : 0;
}

/* ---- from user memory ---------------------------------------------------- */

/* The user page read last stays pinned: strings mostly lie together. */
struct user_reader {
	struct aspace *aspace;
	uint64_t page; /* address of the pinned page, or 1: none */
	const char *base;
	pfn_t pin;
};

static void reader_release(struct user_reader *r)
{
	if (r->page != 1)
		user_page_unpin(r->pin);
	r->page = 1;
}

/* The byte at addr in kernel memory, or NULL: -EFAULT. Valid up to the end of its page. */
static const char *reader_at(struct user_reader *r, uint64_t addr)
{
	uint64_t page = page_round_down(addr);
	size_t avail;

	if (r->page != page) {
		reader_release(r);
		r->base = user_page_pin(r->aspace, uaddr(page), false, &avail, &r->pin);
		if (r->base == NULL)
			return NULL;
		r->page = page;
	}
	return r->base + page_offset(addr);
}

static int read_pointer(struct user_reader *r, uint64_t addr, uint64_t *out)
{
	char bytes[sizeof(*out)];

	for (unsigned i = 0; i < sizeof(bytes);) {
		const char *p = reader_at(r, addr + i);
		size_t n = MIN(sizeof(bytes) - i, (size_t)(PAGE_SIZE - page_offset(addr + i)));

		if (p == NULL)
			return -EFAULT;
		memcpy(bytes + i, p, n);
		i += (unsigned)n;
	}
	memcpy(out, bytes, sizeof(bytes));
	return 0;
}

static int add_user_string(struct exec_args *args, struct user_reader *r, uint64_t addr)
{
	size_t length = 0;

	for (;;) {
		const char *p = reader_at(r, addr), *nul;
		size_t n = (size_t)(PAGE_SIZE - page_offset(addr));
		int err;

		if (p == NULL)
			return -EFAULT;
		nul = memchr(p, '\0', n);
		if (nul != NULL)
			n = (size_t)(nul - p) + 1;
		length += n;
		err = length > EXEC_STRING_MAX ? -E2BIG : append(args, p, n);
		if (err != 0 || nul != NULL)
			return err;
		addr += n;
	}
}

static int add_user_list(struct exec_args *args, struct aspace *as, uaddr_t list, unsigned *count)
{
	struct user_reader pointers = {.aspace = as, .page = 1}, strings = pointers;
	int r = 0;

	for (uint64_t addr = list.raw; addr != 0; addr += sizeof(uint64_t)) {
		uint64_t string;

		r = read_pointer(&pointers, addr, &string);
		if (r != 0 || string == 0)
			break;
		(*count)++;
		r = add_user_string(args, &strings, string);
		if (r != 0)
			break;
	}
	reader_release(&pointers);
	reader_release(&strings);
	return r;
}

/* A program may rely on argv[0] being there. */
static int ensure_argv0(struct exec_args *args)
{
	if (args->nr_args > 0)
		return 0;
	args->nr_args = 1;
	return append(args, "", 1);
}

int exec_args_from_user(struct exec_args *args, uaddr_t argv, uaddr_t envp)
{
	struct aspace *as = current_aspace();
	int r = add_user_list(args, as, argv, &args->nr_args);

	if (r == 0)
		r = ensure_argv0(args);
	if (r == 0)
		r = add_user_list(args, as, envp, &args->nr_env);
	return r;
}

/* ---- from the kernel ----------------------------------------------------- */

static int add_kernel_list(struct exec_args *args, const char *const list[], unsigned *count)
{
	int r = 0;

	for (; r == 0 && list != NULL && *list != NULL; list++) {
		(*count)++;
		r = append(args, *list, strlen(*list) + 1);
	}
	return r;
}

int exec_args_from_kernel(struct exec_args *args, const char *const argv[], const char *const envp[])
{
	int r = add_kernel_list(args, argv, &args->nr_args);

	if (r == 0)
		r = ensure_argv0(args);
	if (r == 0)
		r = add_kernel_list(args, envp, &args->nr_env);
	return r;
}

int exec_args_add_filename(struct exec_args *args, const char *name)
{
	return append(args, name, strlen(name) + 1);
}

/* Puts s in front of the prefix, whose strings stand at the end of its buffer. */
static void prepend(struct exec_args *args, const char *s)
{
	size_t n = strlen(s) + 1;

	ASSERT(args->prefix_bytes + n <= args->prefix_size);
	args->prefix_bytes += n;
	args->nr_prefix++;
	memcpy(args->prefix + args->prefix_size - args->prefix_bytes, s, n);
}

int exec_args_add_script(struct exec_args *args, const char *script, const char *interp,
			 const char *interp_arg)
{
	if (args->prefix == NULL) {
		args->prefix_size = strlen(script) + 1 + (EXEC_SCRIPT_DEPTH + 1) * EXEC_SCRIPT_HEAD;
		args->prefix = kmalloc(args->prefix_size);
		if (args->prefix == NULL)
			return -ENOMEM;
		args->skips_first = true;
		prepend(args, script);
	}
	if (interp_arg[0] != '\0')
		prepend(args, interp_arg);
	prepend(args, interp);
	return check_total(args, 0);
}
