/*
 * Private to the files of the audit: audit.c (entry; frames, tables, pages), audit_objects.c (tasks,
 * VMA nodes, open files, pins: what is counted by address) and audit_report.c (who owns a frame).
 */
#ifndef MM_AUDIT_H
#define MM_AUDIT_H

#include "lib/printf.h"
#include "lib/types.h"

struct aspace;

/* Counts a violation. True: print it, for there were not too many before. */
bool audit_violation(void);

#define VIOLATION(...) (audit_violation() ? kprintf("audit: " __VA_ARGS__) : (void)0)
/* The same about one frame: says which, and after the text who owns it. */
#define FRAME_VIOLATION(pfn, ...)                                                                                \
	do {                                                                                                     \
		if (audit_violation()) {                                                                         \
			audit_print_frame(pfn);                                                                  \
			kprintf(__VA_ARGS__);                                                                    \
			audit_print_owners(pfn);                                                                 \
		}                                                                                                \
	} while (0)

static inline unsigned long long audit_ull(uint64_t value) { return value; }

/* ---- audit_report.c ---- */

/* "audit: frame 0x40123 (physical 0x40123000, private page): " */
void audit_print_frame(pfn_t pfn);
/* Everything that refers to the frame, by walking all there is, and in debug builds who allocated it. */
void audit_print_owners(pfn_t pfn);
/* "process 7 (sh)", by the first task that has the address space; valid until the next call. */
const char *audit_aspace_name(const struct aspace *as);

/* ---- audit_objects.c ---- */

struct task;
/* Calls fn for every task; takes no lock. */
void audit_each_task(void (*fn)(struct task *t, void *arg), void *arg);
/* Tasks against address spaces, VMA nodes and files against their references, pins against tasks. */
void audit_objects(void);
/* The table of counts is gone with the memory. */
void audit_objects_forget(void);

#endif
