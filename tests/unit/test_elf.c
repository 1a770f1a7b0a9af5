/*
 * ELF headers (what is sound, what is not), and execve as a whole over files in memory: the new
 * stack, scripts, limits, failure of every allocation leaving the caller as it was.
 */
/* Not <stdlib.h>: its W* constants are ours too. */
void abort(void) __attribute__((noreturn));

#include "fake_kernel.h"

#include "abi/auxv.h"
#include "abi/errno.h"
#include "abi/resource.h"
#include "abi/sched.h"
#include "abi/wait.h"
#include "mm/vma.h"
#include "sched/elf.h"
#include "sched/exec.h"
#include "mm/internal.h"
#include "syscall/syscall.h"

SYSCALL_DECLARE(fork);
SYSCALL_DECLARE(vfork);
SYSCALL_DECLARE(execve);

#define ARGS(...) ((const uint64_t[6]){__VA_ARGS__})
#define U(offset) (FAKE_USER + (offset))
#define BASE UINT64_C(0x400000)

/* ---- a program file ------------------------------------------------------- */

/* Text page (headers, code), data of a page and a half with a page of bss behind it. */
struct image {
	struct elf64_ehdr h;
	struct elf64_phdr p[4];
	char rest[0x2000];
};
#define TEXT_BYTES 0x800
#define DATA_OFFSET 0x1000
#define DATA_BYTES 0x900
#define BSS_END 0x2800

static void make_image(struct image *i)
{
	memset(i, 0, sizeof(*i));
	memcpy(i->h.ident, "\177ELF", 4);
	i->h.ident[EI_CLASS] = ELFCLASS64;
	i->h.ident[EI_DATA] = ELFDATA2LSB;
	i->h.ident[EI_VERSION] = EV_CURRENT;
	i->h.type = ET_EXEC;
	i->h.machine = ELF_MACHINE_NATIVE;
	i->h.version = EV_CURRENT;
	i->h.entry = BASE + 0x200;
	i->h.phoff = sizeof(i->h);
	i->h.phentsize = sizeof(i->p[0]);
	i->h.phnum = 3;
	i->p[0] = (struct elf64_phdr){PT_LOAD, PF_R | PF_X, 0, BASE, BASE, TEXT_BYTES, TEXT_BYTES, 0x1000};
	i->p[1] = (struct elf64_phdr){PT_LOAD, PF_R | PF_W, DATA_OFFSET,	   BASE + DATA_OFFSET,
				      0,       DATA_BYTES,  BSS_END - DATA_OFFSET, 0x1000};
	i->p[2] = (struct elf64_phdr){.type = PT_GNU_STACK, .flags = PF_R | PF_W};
	memset((char *)i + DATA_OFFSET, 'D', DATA_BYTES + 0x100); /* more than the segment has */
}

static int parse(struct image *i, struct elf_image *out) { return elf_parse(&i->h, i->p, sizeof(*i), out); }

static void test_sound(void **state)
{
	struct image i;
	struct elf_image e;

	make_image(&i);
	assert_int_equal(parse(&i, &e), 0);
	assert_int_equal(e.low, BASE);
	assert_int_equal(e.high, BASE + 0x3000);
	assert_int_equal(e.phdr_vaddr, BASE + sizeof(i.h));
	assert_false(e.is_relocatable);
	assert_false(e.has_exec_stack);
	assert_null(e.interp);
	i.p[2].flags |= PF_X;
	assert_int_equal(parse(&i, &e), 0);
	assert_true(e.has_exec_stack);
}

/* Each line spoils a sound image in one way. */
#define SPOILED(change)                                                                                      \
	do {                                                                                                 \
		make_image(&i);                                                                              \
		change;                                                                                      \
		assert_int_equal(parse(&i, &e), -ENOEXEC);                                                   \
	} while (0)

static void test_unsound(void **state)
{
	struct image i;
	struct elf_image e;

	SPOILED(i.h.ident[1] = 'e');
	SPOILED(i.h.ident[EI_CLASS] = 1);
	SPOILED(i.h.ident[EI_DATA] = 2);
	SPOILED(i.h.version = 0);
	SPOILED(i.h.type = 1);
	SPOILED(i.h.type = 4);
	SPOILED(i.h.machine = ELF_MACHINE_NATIVE ^ 1);
	SPOILED(i.h.phentsize = 32);
	SPOILED(i.h.phnum = 0);
	SPOILED(i.h.phnum = 0xffff);
	SPOILED(i.h.entry = BASE - 1);
	SPOILED(i.h.entry = BASE + 0x3000);
	SPOILED(i.p[0].type = i.p[1].type = PT_DYNAMIC);	     /* nothing to load */
	SPOILED(i.p[0].filesz = TEXT_BYTES + 1);		     /* more than memsz */
	SPOILED(i.p[1].offset += 8);				     /* not congruent */
	SPOILED(i.p[1].offset = 0x10000);			     /* beyond the file */
	SPOILED(i.p[1].offset = UINT64_MAX - 0xfff);		     /* wraps */
	SPOILED(i.p[1].filesz = i.p[1].memsz = UINT64_MAX);	     /* wraps */
	SPOILED(i.p[1].memsz = UINT64_MAX - BASE);		     /* wraps in memory */
	SPOILED(i.p[1].memsz = arch_user_end());		     /* wild */
	SPOILED(i.p[1].vaddr = arch_user_end());		     /* wild */
	SPOILED(i.p[0].vaddr = 0x1000; i.h.entry = 0x1000);	     /* below the first mappable page */
	SPOILED(i.p[1].vaddr = BASE + 0x400; i.p[1].offset = 0x400); /* overlaps the text */
	SPOILED(i.p[1].vaddr = BASE - 0x3000);			     /* out of order */
}

/* Random damage never gets past the checks with something unsound. */
static void test_damage(void **state)
{
	struct fake_random r = {fake_seed(11)};
	unsigned nr_accepted = 0;

	for (unsigned round = 0; round < 20000; round++) {
		struct image i;
		struct elf_image e;

		make_image(&i);
		for (unsigned n = 0; n <= fake_random_below(&r, 3); n++) {
			size_t at = fake_random_below(&r, sizeof(i.h) + sizeof(i.p));

			((uint8_t *)&i)[at] ^= (uint8_t)(1 << fake_random_below(&r, 8));
		}
		i.h.phnum = (uint16_t)MIN(i.h.phnum, 4);
		if (parse(&i, &e) != 0)
			continue;
		nr_accepted++;
		assert_true(e.low < e.high && e.high <= arch_user_end());
		assert_true(i.h.entry >= e.low && i.h.entry < e.high);
		for (unsigned n = 0; n < e.nr_phdrs; n++) {
			const struct elf64_phdr *p = &e.phdrs[n];

			if (p->type != PT_LOAD || p->memsz == 0)
				continue;
			assert_true(p->vaddr >= e.low && p->vaddr + p->memsz <= e.high);
			assert_true(p->filesz <= p->memsz && p->offset + p->filesz <= sizeof(i));
			assert_int_equal(page_offset(p->vaddr), page_offset(p->offset));
		}
	}
	assert_true(nr_accepted > 1000);
}

/* ---- execve --------------------------------------------------------------- */

static void write_file(const char *name, const void *data, size_t n, uint32_t mode)
{
	struct file *f = NULL;

	assert_int_equal(vfs_openat(AT_FDCWD, name, O_WRONLY | O_CREAT | O_TRUNC, mode, &f), 0);
	assert_int_equal(fake_write(f, data, n), (int64_t)n);
	file_put(f);
}

static uint64_t user_strings;

static uint64_t put_string(const char *s)
{
	uint64_t at = user_strings;

	fake_user_put(at - FAKE_USER, s, strlen(s) + 1);
	user_strings += strlen(s) + 1;
	return at;
}

/* An array of pointers to strings in user memory, at `offset`. */
static uint64_t put_list(uint64_t offset, const char *const list[])
{
	uint64_t pointers[16] = {0};
	unsigned n = 0;

	while (list[n] != NULL) {
		pointers[n] = put_string(list[n]);
		n++;
	}
	fake_user_put(offset, pointers, (n + 1) * 8);
	return U(offset);
}

static int64_t do_execve(const char *path, const char *const argv[], const char *const envp[])
{
	user_strings = U(0x4000);
	return sys_execve(ARGS(put_string(path), put_list(0, argv), put_list(256, envp)));
}

static const char *const two_args[] = {"prog", "one", NULL}, *const one_env[] = {"A=b", NULL};

/* What a new program finds on its stack. */
struct seen {
	uint64_t words[128];
	char strings[8][64];
	unsigned argc, envc;
	const uint64_t *auxv;
};

static void look_at_stack(struct seen *s)
{
	uint64_t sp = frame_sp(current_task()->frame);
	unsigned n = 0, w;

	assert_int_equal(sp % ABI_STACK_ALIGN, 0);
	assert_int_equal(
		copy_from_user(s->words, uaddr(sp), MIN(sizeof(s->words), current_aspace()->stack_top - sp)),
		0);
	s->argc = (unsigned)s->words[0];
	for (w = 1; s->words[w] != 0; w++)
		assert_true(strncpy_from_user(s->strings[n++], uaddr(s->words[w]), 64) >= 0);
	assert_int_equal(n, s->argc);
	for (w++; s->words[w] != 0; w++, s->envc++)
		assert_true(strncpy_from_user(s->strings[n++], uaddr(s->words[w]), 64) >= 0);
	s->auxv = &s->words[w + 1];
}

static uint64_t auxv_value(const struct seen *s, uint64_t type)
{
	for (const uint64_t *a = s->auxv; a[0] != AT_NULL; a += 2)
		if (a[0] == type)
			return a[1];
	fail_msg("auxv lacks %d", (int)type);
	return 0;
}

static struct image program;
static int64_t exec_result;
static struct seen seen;
static const char *exec_path;
static void (*in_new_program)(void);
static bool fails_quietly;

/* User mode: a function, until an execve succeeded; then in_new_program looks around. */
void arch_user_enter(void)
{
	uint64_t pc = frame_pc(current_task()->frame);

	if (!current_process()->has_execed)
		((void (*)(void))(uintptr_t)pc)();
	task_exit(0);
}

static void exec_it(void)
{
	exec_result = do_execve(exec_path, two_args, one_env);
	if (exec_result == 0 && in_new_program != NULL)
		in_new_program();
	task_exit(0);
}

static int reap(void)
{
	const struct wait_request request = {.which = P_ALL, .options = WEXITED | __WALL};
	struct wait_result result;

	assert_int_equal(process_wait(&request, &result), 0);
	return result.status;
}

static unsigned nr_spaces(void)
{
	struct aspace *as;
	unsigned nr = 0;

	LIST_FOR_EACH (as, &aspace_all, all_link)
		nr++;
	return nr;
}

static int64_t exec_in_child(const char *path, void (*look)(void))
{
	exec_path = path;
	in_new_program = look;
	exec_result = 1;
	memset(&seen, 0, sizeof(seen));
	frame_init_user(current_task()->frame, (uintptr_t)exec_it, U(0x20000));
	assert_true(sys_fork(ARGS(0)) > 0);
	assert_int_equal(reap(), 0);
	assert_int_equal(nr_spaces(), 1); /* neither the old one nor a half-made one is left */
	if (!fails_quietly)
		assert_int_equal(mm_audit(), 0);
	return exec_result;
}

static void look_at_program(void)
{
	struct task *me = current_task();
	struct aspace *as = me->aspace;
	char data[0x1800], text[16], page[0x100];
	uint64_t sum = 0;

	look_at_stack(&seen);
	assert_int_equal(frame_pc(me->frame), BASE + 0x200);
	assert_int_equal(copy_from_user(text, uaddr(BASE), 16), 0);
	assert_memory_equal(text, &program, 16);
	assert_int_equal(copy_from_user(data, uaddr(BASE + DATA_OFFSET), sizeof(data)), 0);
	for (unsigned i = 0; i < DATA_BYTES; i++)
		assert_int_equal(data[i], 'D');
	for (unsigned i = DATA_BYTES; i < sizeof(data); i++)
		sum += (unsigned char)data[i];
	assert_int_equal(sum, 0); /* the file's bytes behind the segment do not show */
	assert_int_equal(copy_to_user(uaddr(BASE), "x", 1), -EFAULT);
	assert_int_equal(copy_from_user(page, uaddr(FAKE_USER), sizeof(page)), -EFAULT); /* the old space */
	assert_int_equal(as->brk, BASE + 0x3000);
	assert_int_equal(as->brk_start, as->brk);
	assert_string_equal(me->name, "prog");
	assert_int_equal(sighand_action(me->sig.hand, SIGUSR1)->handler, LINUX_SIG_DFL);
	assert_int_equal(sighand_action(me->sig.hand, SIGUSR2)->handler, LINUX_SIG_IGN);
	assert_int_equal(as->stack_top % PAGE_SIZE, 0);
	assert_true((vma_find(&as->vmas, as->stack_top - 1)->flags & VMA_GROWSDOWN) != 0);
	assert_int_equal(vma_find(&as->vmas, as->stack_top - 1)->prot.raw & PROT_BIT_X, 0);
}

static void test_exec(void **state)
{
	fake_set_handler(SIGUSR1, 0x1234);
	fake_set_handler(SIGUSR2, LINUX_SIG_IGN);
	assert_int_equal(exec_in_child("/tmp/prog", look_at_program), 0);
	fake_set_handler(SIGUSR1, LINUX_SIG_DFL);
	fake_set_handler(SIGUSR2, LINUX_SIG_DFL);
	assert_int_equal(seen.argc, 2);
	assert_int_equal(seen.envc, 1);
	assert_string_equal(seen.strings[0], "prog");
	assert_string_equal(seen.strings[1], "one");
	assert_string_equal(seen.strings[2], "A=b");
	assert_int_equal(auxv_value(&seen, AT_PAGESZ), PAGE_SIZE);
	assert_int_equal(auxv_value(&seen, AT_ENTRY), BASE + 0x200);
	assert_int_equal(auxv_value(&seen, AT_PHDR), BASE + sizeof(struct elf64_ehdr));
	assert_int_equal(auxv_value(&seen, AT_PHNUM), 3);
	assert_int_equal(auxv_value(&seen, AT_BASE), 0);
	assert_int_equal(auxv_value(&seen, AT_SECURE), 0);
	assert_true(auxv_value(&seen, AT_RANDOM) != 0);
	/* Strings lie in one piece, the file's name last. */
	assert_int_equal(seen.words[2], seen.words[1] + sizeof("prog"));
	assert_int_equal(auxv_value(&seen, AT_EXECFN), seen.words[4] + sizeof("A=b"));
}

static uint64_t pie_entry;
static void look_at_pie(void)
{
	pie_entry = frame_pc(current_task()->frame);
	look_at_stack(&seen);
}

static void test_exec_pie(void **state)
{
	struct image pie = program;

	pie.h.type = ET_DYN;
	pie.h.entry -= BASE;
	pie.p[0].vaddr -= BASE;
	pie.p[1].vaddr -= BASE;
	write_file("/tmp/pie", &pie, sizeof(pie), 0755);
	assert_int_equal(exec_in_child("/tmp/pie", look_at_pie), 0);
	assert_int_equal(pie_entry, 0x555555554200);
	assert_int_equal(auxv_value(&seen, AT_PHDR), 0x555555554000 + sizeof(struct elf64_ehdr));
}

/* The program asks for an interpreter: that one is entered, and AT_BASE says where it is. */
static void test_exec_interp(void **state)
{
	struct image dynamic = program;

	dynamic.h.phnum = 4;
	dynamic.p[3] = (struct elf64_phdr){.type = PT_INTERP, .offset = 0x300, .filesz = 9};
	memcpy((char *)&dynamic + 0x300, "/tmp/pie", 9);
	write_file("/tmp/dynamic", &dynamic, sizeof(dynamic), 0755);
	assert_int_equal(exec_in_child("/tmp/dynamic", look_at_pie), 0);
	assert_int_equal(auxv_value(&seen, AT_ENTRY), BASE + 0x200);
	assert_int_equal(pie_entry, auxv_value(&seen, AT_BASE) + 0x200);
	assert_true(pie_entry > BASE + 0x100000);
	memcpy((char *)&dynamic + 0x300, "/tmp/nix", 9);
	write_file("/tmp/dynamic", &dynamic, sizeof(dynamic), 0755);
	assert_int_equal(exec_in_child("/tmp/dynamic", NULL), -ENOENT);
	memcpy((char *)&dynamic + 0x300, "/tmp/txt", 9);
	write_file("/tmp/dynamic", &dynamic, sizeof(dynamic), 0755);
	write_file("/tmp/txt", "hello, world", 12, 0755);
	assert_int_equal(exec_in_child("/tmp/dynamic", NULL), -ELIBBAD);
	((char *)&dynamic)[0x308] = 'x'; /* no NUL at the end */
	write_file("/tmp/dynamic", &dynamic, sizeof(dynamic), 0755);
	assert_int_equal(exec_in_child("/tmp/dynamic", NULL), -ENOEXEC);
}

static void test_exec_errors(void **state)
{
	write_file("/tmp/noexec", &program, sizeof(program), 0644);
	write_file("/tmp/short", &program, 40, 0755);
	write_file("/tmp/cut", &program, DATA_OFFSET + 0x100, 0755);
	write_file("/tmp/empty", "", 0, 0755);
	assert_int_equal(exec_in_child("/tmp/nothing", NULL), -ENOENT);
	assert_int_equal(exec_in_child("", NULL), -ENOENT);
	assert_int_equal(exec_in_child("/tmp", NULL), -EACCES);
	assert_int_equal(exec_in_child("/tmp/prog/x", NULL), -ENOTDIR);
	assert_int_equal(exec_in_child("/tmp/noexec", NULL), -EACCES);
	assert_int_equal(exec_in_child("/tmp/short", NULL), -ENOEXEC);
	assert_int_equal(exec_in_child("/tmp/cut", NULL), -ENOEXEC);
	assert_int_equal(exec_in_child("/tmp/empty", NULL), -ENOEXEC);
	assert_int_equal(sys_execve(ARGS(8, 0, 0)), -EFAULT);
}

static void look_at_args(void) { look_at_stack(&seen); }

static void test_scripts(void **state)
{
	static const char line[] = "#! /tmp/prog  an argument \nrest";

	write_file("/tmp/script", line, sizeof(line) - 1, 0755);
	assert_int_equal(exec_in_child("/tmp/script", look_at_args), 0);
	assert_int_equal(seen.argc, 4);
	assert_string_equal(seen.strings[0], "/tmp/prog");
	assert_string_equal(seen.strings[1], "an argument");
	assert_string_equal(seen.strings[2], "/tmp/script");
	assert_string_equal(seen.strings[3], "one");
	assert_string_equal(seen.strings[4], "A=b");
	write_file("/tmp/script2", "#!/tmp/script x", 15, 0755);
	assert_int_equal(exec_in_child("/tmp/script2", look_at_args), 0);
	assert_int_equal(seen.argc, 6);
	assert_string_equal(seen.strings[1], "an argument");
	assert_string_equal(seen.strings[2], "/tmp/script");
	assert_string_equal(seen.strings[3], "x");
	assert_string_equal(seen.strings[4], "/tmp/script2");
	write_file("/tmp/loop", "#!/tmp/loop\n", 12, 0755);
	assert_int_equal(exec_in_child("/tmp/loop", NULL), -ELOOP);
	write_file("/tmp/none", "#! \n", 4, 0755);
	assert_int_equal(exec_in_child("/tmp/none", NULL), -ENOEXEC);
	write_file("/tmp/none", "#!/nothing\n", 11, 0755);
	assert_int_equal(exec_in_child("/tmp/none", NULL), -ENOENT);
}

/* ---- limits --------------------------------------------------------------- */

static void exec_long(void)
{
	static char chunk[PAGE_SIZE];
	uint64_t list[3] = {U(0x8000), 0, 0}, path = U(0x2000);

	memset(chunk, 'y', sizeof(chunk));
	fake_user_put(0x2000, "/tmp/prog", 10);
	for (uint64_t i = 0; i < 34; i++)
		fake_user_put(0x8000 + i * PAGE_SIZE, chunk, PAGE_SIZE);
	fake_user_put(0, list, sizeof(list));
	exec_result = sys_execve(ARGS(path, U(0), 0)); /* a string of more than 128 KiB */
	if (exec_result != -E2BIG)
		task_exit(1);
	fake_user_put(0x8000 + EXEC_STRING_MAX - 1, "", 1); /* now exactly as long as allowed */
	current_process()->rlimits[RLIMIT_STACK].cur = 1 << 20;
	exec_result = sys_execve(ARGS(path, U(0), 0));
	task_exit(exec_result == 0 && seen.argc == 0 ? 0 : 2);
}

static void test_limits(void **state)
{
	memset(&seen, 0, sizeof(seen));
	frame_init_user(current_task()->frame, (uintptr_t)exec_long, U(0x20000));
	assert_true(sys_fork(ARGS(0)) > 0);
	assert_int_equal(reap(), 0);
	assert_int_equal(exec_result, 0);
}

static void test_no_arguments(void **state)
{
	struct exec_args args;

	exec_args_init(&args, 8 << 20);
	assert_int_equal(exec_args_from_user(&args, uaddr(0), uaddr(0)), 0);
	assert_int_equal(args.nr_args, 1); /* an empty argv[0] */
	assert_int_equal(args.used_bytes, 1);
	exec_args_release(&args);
	exec_args_init(&args, 8 << 20);
	assert_int_equal(exec_args_from_user(&args, uaddr(0x10), uaddr(0)), -EFAULT);
	exec_args_release(&args);
}

/* ---- out of memory -------------------------------------------------------- */

static unsigned nr_failed;

/* The n-th allocation fails, for all n: the caller goes on as it was, in its own memory. */
static void exec_without_memory(void)
{
	struct aspace *as = current_aspace();
	uint64_t path, argv, envp;

	user_strings = U(0x4000);
	path = put_string("/tmp/dynamic");
	argv = put_list(0, two_args);
	envp = put_list(256, one_env);
	for (unsigned n = 1;; n++) {
		fail_alloc_arm(n, false);
		exec_result = sys_execve(ARGS(path, argv, envp));
		fail_alloc_arm(0, false);
		if (exec_result == 0)
			break;
		assert_int_equal(exec_result, -ENOMEM);
		assert_ptr_equal(current_aspace(), as);
		assert_false(current_process()->has_execed);
		assert_int_equal(mm_audit(), 0);
		nr_failed++;
	}
	task_exit(0);
}

static void test_exec_without_memory(void **state)
{
	struct frame_stats before, after;
	struct image dynamic = program;

	dynamic.h.phnum = 4;
	dynamic.p[3] = (struct elf64_phdr){.type = PT_INTERP, .offset = 0x300, .filesz = 9};
	memcpy((char *)&dynamic + 0x300, "/tmp/pie", 9);
	write_file("/tmp/dynamic", &dynamic, sizeof(dynamic), 0755);
	assert_int_equal(exec_in_child("/tmp/dynamic", NULL), 0);
	frame_get_stats(&before);
	frame_init_user(current_task()->frame, (uintptr_t)exec_without_memory, U(0x20000));
	assert_true(sys_fork(ARGS(0)) > 0);
	assert_int_equal(reap(), 0);
	assert_true(nr_failed > 10);
	frame_get_stats(&after);
	assert_true(after.nr_free + 8 >= before.nr_free); /* slabs may have grown by a few */
}

static int setup(void **state)
{
	fake_kernel_boot();
	make_image(&program);
	write_file("/tmp/prog", &program, sizeof(program), 0755);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_unsound),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_exec_pie),
		cmocka_unit_test(test_exec_interp),
		cmocka_unit_test(test_exec_errors),
		cmocka_unit_test(test_scripts),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_no_arguments),
		cmocka_unit_test(test_exec_without_memory),
	};

	return cmocka_run_group_tests(tests, setup, fake_kernel_end);
}
