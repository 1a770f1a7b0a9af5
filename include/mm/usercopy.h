/*
 * Copies between kernel and user memory, by walking the page table: a bad
 * pointer is -EFAULT, never a kernel fault. They fault pages in (may sleep).
 * They act on current_task()'s address space, the _in variants on a given one.
 * Partial copies: on -EFAULT some bytes may have been copied. When memory is short,
 * the out-of-memory killer finds some (oom_kill()), as in a page fault of user mode; a page that
 * cannot be had although frames are free (one in a row for a slab, --fail-alloc) is -EFAULT.
 */
#ifndef MM_USERCOPY_H
#define MM_USERCOPY_H

#include "lib/types.h"

struct aspace;

MUST_CHECK int copy_from_user(void *dst, uaddr_t src, size_t size_bytes);
MUST_CHECK int copy_to_user(uaddr_t dst, const void *src, size_t size_bytes);
MUST_CHECK int clear_user(uaddr_t dst, size_t size_bytes);
MUST_CHECK int copy_from_user_in(struct aspace *as, void *dst, uaddr_t src, size_t size_bytes);
MUST_CHECK int copy_to_user_in(struct aspace *as, uaddr_t dst, const void *src, size_t size_bytes);
/*
 * As the two above but ignores the page's own rights (needs only a VMA): for
 * exec's set-up and debuggers (ptrace, /proc/PID/mem). Kills nobody: without memory it is -EFAULT.
 */
MUST_CHECK int copy_to_user_forced(struct aspace *as, uaddr_t dst, const void *src, size_t size_bytes);

/*
 * Copies a NUL-terminated string of at most size_bytes - 1 characters. Returns its
 * length, -EFAULT, or -ENAMETOOLONG when no NUL was within size_bytes.
 */
MUST_CHECK int64_t strncpy_from_user(char *dst, uaddr_t src, size_t size_bytes);
MUST_CHECK int64_t strncpy_from_user_in(struct aspace *as, char *dst, uaddr_t src, size_t size_bytes);

/*
 * Direct access without a fault: the kernel's pointer to [addr, addr + size_bytes) of the current address space, or
 * NULL when that is not within one page, or the page is not there with the right to read (for_write: write) it; a
 * copy will then do, or say why not. The pointer is good until the caller sleeps. What was written in place is to be
 * told the tools, as copy_to_user() does: memtools_check_defined, memtools_mark_defined.
 */
void *user_window(uaddr_t addr, size_t size_bytes, bool for_write);

/*
 * Direct access, one page at a time: pins the page for [addr, addr + n) with n up to the page's end,
 * returns the kernel pointer and n in *avail. Lets read/write copy straight
 * into the page. NULL: -EFAULT. Release with user_page_unpin.
 */
void *user_page_pin(struct aspace *as, uaddr_t addr, bool for_write, size_t *avail, pfn_t *pinned);
void user_page_unpin(pfn_t pinned);

/* Atomic compare-and-swap / load of an aligned 32-bit user word (futex). */
MUST_CHECK int user_load_u32(uaddr_t addr, uint32_t *out);
MUST_CHECK int user_cmpxchg_u32(uaddr_t addr, uint32_t expected, uint32_t desired, uint32_t *seen);

#endif
