/*
 * The parts of execve(2): strings (exec_args.c), the new stack (exec_stack.c), the
 * programs involved (exec.c). Nothing here changes the calling process before the commit.
 */
#ifndef SCHED_EXEC_H
#define SCHED_EXEC_H

#include "lib/types.h"
#include "sched/elf.h"
#include "sched/task.h"

#define EXEC_STRING_MAX (32 * PAGE_SIZE)   /* one string, NUL included */
#define EXEC_STRINGS_MIN (128 * 1024)	   /* always allowed in total */
#define EXEC_STRINGS_MAX (6 * 1024 * 1024) /* never allowed to exceed */
#define EXEC_SCRIPT_HEAD 256		   /* bytes of the #! line looked at */
#define EXEC_SCRIPT_DEPTH 5
#define EXEC_INLINE_PAGES 4

/*
 * All strings in the order they will have on the stack: prefix (what scripts put in
 * front), arguments, environment, the file name. Kept in single pages, as many as are needed.
 */
struct exec_args {
	char *inline_pages[EXEC_INLINE_PAGES];
	char **pages;
	unsigned nr_pages, capacity;
	size_t used_bytes;
	size_t limit_bytes;	  /* strings and the pointers to them */
	unsigned nr_args, nr_env; /* args: with what is to be skipped */
	char *prefix;		  /* NULL, or nr_prefix strings */
	size_t prefix_bytes, prefix_size;
	unsigned nr_prefix;
	bool skips_first; /* argv[0] gives way to the prefix */
};

/* limit: RLIMIT_STACK. */
void exec_args_init(struct exec_args *args, uint64_t stack_limit_bytes);
void exec_args_release(struct exec_args *args);
/* User arrays of pointers; 0: an empty list. -EFAULT, -E2BIG, -ENOMEM. */
MUST_CHECK int exec_args_from_user(struct exec_args *args, uaddr_t argv, uaddr_t envp);
MUST_CHECK int exec_args_from_kernel(struct exec_args *args, const char *const argv[],
				     const char *const envp[]);
/* The last string of all. */
MUST_CHECK int exec_args_add_filename(struct exec_args *args, const char *name);
/* A script: its own path takes argv[0]'s place, before it come the interpreter and, if there is one, its
 * argument. */
MUST_CHECK int exec_args_add_script(struct exec_args *args, const char *script, const char *interp,
				    const char *interp_arg);
/* Where the bytes of the strings from `offset` on are; returns how many lie together. */
size_t exec_args_piece(const struct exec_args *args, size_t offset, const char **piece);
/* Offset behind the string that starts at offset. */
size_t exec_args_next(const struct exec_args *args, size_t offset);
/* Offset of the first string that is used: behind argv[0] when that is skipped. */
size_t exec_args_start(const struct exec_args *args);

struct exec {
	struct file *file; /* the program that is run in the end */
	struct elf_image program, interp;
	struct file *interp_file; /* PT_INTERP's, or NULL */
	struct exec_args args;
	const char *filename;  /* as given: AT_EXECFN */
	const char *name;      /* for task.name */
	struct cred cred;      /* after the exec */
	bool is_secure;	       /* AT_SECURE: set-user-id */
	struct aspace *aspace; /* the new one */
	uint64_t stack_top, sp, entry;
};

/* Maps the stack into x->aspace and writes everything the program finds there; sets x->sp. */
MUST_CHECK int exec_build_stack(struct exec *x);

#endif
