/*
 * The audit of what is counted by address, not by frame number: references of address spaces
 * (tasks, open /proc/PID/mem), of the nodes of VMA trees, of open files, and pins. Counts are
 * kept in a hash table of pointers whose room stays between runs.
 * Lock: none, as for the audit.
 */
#include "fs/vfs.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "mm/audit.h"
#include "mm/frame.h"
#include "mm/internal.h"
#include "mm/vma_node.h"
#include "sched/task.h"

/* ---- counts by address --------------------------------------------------- */

struct count {
	const void *object;
	uint32_t nr;
};

#define COUNTS_FIRST_ORDER 4

static struct count *counts;
static unsigned counts_order;
static uint32_t nr_counts; /* in use */

void audit_objects_forget(void) { counts = NULL; }

static uint32_t counts_room(void) { return (uint32_t)((PAGE_SIZE << counts_order) / sizeof(struct count)); }

static bool counts_alloc(unsigned order)
{
	pfn_t run = frame_alloc_order_unchecked(FRAME_KERNEL, order);

	if (pfn_is_none(run))
		return false;
	counts = pfn_to_ptr(run);
	counts_order = order;
	return true;
}

static bool counts_clear(void)
{
	if (counts == NULL && !counts_alloc(COUNTS_FIRST_ORDER))
		return false;
	memset(counts, 0, PAGE_SIZE << counts_order);
	nr_counts = 0;
	return true;
}

/* The entry of object, or the free one where it belongs. */
static struct count *counts_find(const void *object)
{
	uint32_t mask = counts_room() - 1;
	uint32_t i = (uint32_t)((uintptr_t)object * UINT64_C(0x9e3779b97f4a7c15) >> 32) & mask;

	while (counts[i].object != NULL && counts[i].object != object)
		i = (i + 1) & mask;
	return &counts[i];
}

static bool counts_grow(void)
{
	struct count *old = counts;
	uint32_t room = counts_room();

	if (counts_order == FRAME_ORDER_MAX || !counts_alloc(counts_order + 1))
		return false;
	memset(counts, 0, PAGE_SIZE << counts_order);
	for (uint32_t i = 0; i < room; i++)
		if (old[i].object != NULL)
			*counts_find(old[i].object) = old[i];
	frame_put(ptr_to_pfn(old));
	return true;
}

/* One more reference to object is found; returns how many. 0: no room, object is not counted. */
static uint32_t count_one(const void *object)
{
	struct count *c = counts_find(object);

	if (c->object == NULL) {
		if (nr_counts >= counts_room() / 4 * 3) {
			if (!counts_grow())
				return 0;
			c = counts_find(object);
		}
		nr_counts++;
		c->object = object;
	}
	return ++c->nr;
}

static uint32_t count_of(const void *object) { return counts_find(object)->nr; }

/* ---- tasks --------------------------------------------------------------- */

/* The process after p in the tree, parents first. */
static struct process *next_process(struct process *p)
{
	if (!list_is_empty(&p->children))
		return LIST_FIRST(&p->children, struct process, sibling);
	while (p != init_process && p->sibling.next == &p->parent->children)
		p = p->parent;
	return p == init_process ? NULL : LIST_ENTRY(p->sibling.next, struct process, sibling);
}

void audit_each_task(void (*fn)(struct task *t, void *arg), void *arg)
{
	struct task *t;

	for (struct process *p = init_process; p != NULL; p = next_process(p))
		LIST_FOR_EACH (t, &p->tasks, process_link)
			fn(t, arg);
}

/* Is the task in a system call, or starting the first program? */
static bool is_in_kernel(const struct task *t)
{
	return t->state < TASK_ZOMBIE && (t->in_syscall || (t->process == init_process && !t->process->has_execed));
}

/* May it hold a reference of its own to an address space? Whoever waits for an event does not. */
static bool may_hold_aspace(const struct task *t)
{
	return is_in_kernel(t) && t->state != TASK_SLEEPING && t->state != TASK_STOPPED;
}

static void count_task(struct task *t, void *arg)
{
	uint32_t *nr_holders = arg;

	if (t->aspace != NULL)
		(void)count_one(t->aspace);
	*nr_holders += may_hold_aspace(t);
}

/* A reference beyond those of tasks and open files is a system call's, at most one each. */
static void audit_tasks(void)
{
	uint32_t nr_holders = 0, nr_more = 0;
	struct aspace *as;

	if (init_process == NULL)
		return;
	audit_each_task(count_task, &nr_holders);
	LIST_FOR_EACH (as, &aspace_all, all_link) {
		uint32_t found = count_of(as) + as->nr_files;

		if (as->refs < found)
			VIOLATION("%s: %u references to its address space, %u tasks and %u files use it (1)\n",
				  audit_aspace_name(as), as->refs, count_of(as), as->nr_files);
		else if (as->refs > found && (nr_more += as->refs - found) > nr_holders)
			VIOLATION("%s: %u references to its address space, %u tasks and %u files use it%s (1)\n",
				  audit_aspace_name(as), as->refs, count_of(as), as->nr_files,
				  found == 0 ? ": leaked" : "");
	}
}

struct pin_search {
	int tid;
	bool is_held;
};

static void match_holder(struct task *t, void *arg)
{
	struct pin_search *s = arg;

	s->is_held |= t->tid == s->tid && is_in_kernel(t);
}

static void audit_pins(void)
{
	const struct user_pin *pin;

	for (unsigned i = 0; init_process != NULL && (pin = user_pin_get(i)) != NULL; i++) {
		struct pin_search s = {.tid = pin->tid};

		audit_each_task(match_holder, &s);
		if (!s.is_held)
			FRAME_VIOLATION(pin->pfn, "pinned by task %d, which is in no system call: leaked pin (1)\n",
					pin->tid);
	}
}

/* ---- VMA nodes and files ------------------------------------------------- */

static uint32_t nr_nodes;

/* Counts a reference to the node; the first time, those the node has. False: no room. */
static bool count_node(const struct vma_node *n)
{
	uint32_t nr = count_one(n);

	if (nr != 1)
		return nr != 0;
	nr_nodes++;
	for (unsigned i = 0; i < n->count; i++) {
		if (n->level > 0 && !count_node(n->child[i].node))
			return false;
		if (n->level == 0 && n->vma[i].file != NULL && count_one(n->vma[i].file) == 0)
			return false;
	}
	return true;
}

static void check_node(const struct vma_node *n)
{
	struct count *c = counts_find(n);

	if (c->nr == 0)
		return; /* seen already */
	if (n->refs != c->nr)
		VIOLATION("VMA node %p at %#llx: %u references, %u found (1)\n", (const void *)n,
			  audit_ull(node_entry_start(n, 0)), n->refs, c->nr);
	c->nr = 0;
	for (unsigned i = 0; i < n->count; i++) {
		const struct file *file = n->level == 0 ? n->vma[i].file : NULL;

		if (n->level > 0)
			check_node(n->child[i].node);
		else if (file != NULL && file->refs < count_of(file))
			VIOLATION("file mapped at %#llx: %u references, at least %u found (1)\n",
				  audit_ull(n->vma[i].start), file->refs, count_of(file));
	}
}

static void audit_vmas(void)
{
	struct aspace *as;

	nr_nodes = 0;
	LIST_FOR_EACH (as, &aspace_all, all_link) {
		if (as->exe != NULL && count_one(as->exe) == 0)
			return;
		if (as->vmas.root != NULL && !count_node(as->vmas.root))
			return;
	}
	LIST_FOR_EACH (as, &aspace_all, all_link)
		if (as->vmas.root != NULL)
			check_node(as->vmas.root);
	if (nr_nodes != vma_nr_nodes())
		VIOLATION("%u VMA nodes are in use, %u found: leaked (1)\n", vma_nr_nodes(), nr_nodes);
}

void audit_objects(void)
{
	if (!counts_clear())
		return;
	audit_tasks();
	audit_pins();
	audit_vmas();
}
