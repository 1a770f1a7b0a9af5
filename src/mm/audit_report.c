/*
 * Who owns a frame: the second pass of the audit, made only for a frame that something is wrong
 * with. Walks all address spaces, the page cache, the kernel's pins and the machine.
 * Lock: none, as for the audit.
 */
#include "fs/vfs.h"
#include "mm/audit.h"
#include "mm/frame.h"
#include "mm/frame_trace.h"
#include "mm/internal.h"
#include "sched/task.h"

/* Owners beyond these are only counted. */
#define OWNERS_MAX 8

static const char *const kind_names[] = {
	[FRAME_FREE] = "free",		   [FRAME_RESERVED] = "reserved", [FRAME_ANON] = "private page",
	[FRAME_CACHE] = "page of a file", [FRAME_TABLE] = "page table",  [FRAME_SLAB] = "heap objects",
	[FRAME_KERNEL] = "kernel memory",
};

void audit_print_frame(pfn_t pfn)
{
	bool is_memory = pfn.raw - frame_first().raw < frame_span();

	kprintf("audit: frame %#x (physical %#llx, %s): ", pfn.raw, audit_ull(pfn_to_phys(pfn).raw),
		is_memory ? kind_names[MIN(frame_kind(pfn), FRAME_KERNEL)] : "no memory");
}

/* ---- names --------------------------------------------------------------- */

struct name_search {
	const struct aspace *as;
	int tid;
	const struct task *found;
};

static void match_task(struct task *t, void *arg)
{
	struct name_search *s = arg;

	if (s->found == NULL && (s->as != NULL ? t->aspace == s->as : t->tid == s->tid))
		s->found = t;
}

static const char *process_name(const struct name_search *s, const char *otherwise)
{
	static char text[TASK_NAME_MAX + 32];

	if (s->found == NULL)
		return otherwise;
	ksnprintf(text, sizeof(text), "process %d (%s)", s->found->process->pid, s->found->name);
	return text;
}

const char *audit_aspace_name(const struct aspace *as)
{
	struct name_search s = {.as = as};

	audit_each_task(match_task, &s);
	return process_name(&s, "an address space of no process");
}

static const char *task_name(int tid)
{
	struct name_search s = {.tid = tid};

	audit_each_task(match_task, &s);
	return process_name(&s, "a task that is gone");
}

/* ---- owners -------------------------------------------------------------- */

struct owners {
	pfn_t pfn;
	struct aspace *as;  /* the one being walked */
	struct filemap *map; /* likewise */
	unsigned nr;
};

#define OWNER(o, ...) ((o)->nr++ < OWNERS_MAX ? kprintf("audit:   " __VA_ARGS__) : (void)0)

static bool owner_slot(const struct pt_visit *v, void *arg)
{
	struct owners *o = arg;
	const struct pt_ops *ops = o->as->pt.ops;
	unsigned slot = (unsigned)(v->va / pt_slot_bytes(ops, v->level + 1)) & ((1u << ops->index_bits) - 1);

	if (pfn_equal(v->pfn, o->pfn))
		OWNER(o, "slot %u of table frame %#x, level %u: %#llx in %s, %s\n", slot, v->table.raw, v->level + 1,
		      audit_ull(v->va), audit_aspace_name(o->as), v->slot_writable ? "write on" : "write off");
	return v->level > 0 && v->pfn.raw - frame_first().raw < frame_span() && frame_kind(v->pfn) == FRAME_TABLE;
}

static void owner_aspace(struct owners *o, struct aspace *as)
{
	const struct pt_visitor visitor = {.fn = owner_slot, .arg = o};

	o->as = as;
	if (pfn_equal(as->pt.root, o->pfn))
		OWNER(o, "the root table of %s\n", audit_aspace_name(as));
	as->pt.ops->visit(&as->pt, &visitor);
}

static void owner_cached(uint64_t index, pfn_t pfn, void *arg)
{
	struct owners *o = arg;
	const struct inode *inode = CONTAINER_OF(o->map, struct inode, map);

	if (!pfn_equal(pfn, o->pfn))
		return;
	if (o->map->owner == inode)
		OWNER(o, "page %llu of inode %llu (%s)\n", audit_ull(index), audit_ull(inode->ino),
		      inode->sb != NULL ? inode->sb->fstype : "memory");
	else
		OWNER(o, "page %llu of a cached file\n", audit_ull(index));
}

static void owner_pins(struct owners *o)
{
	const struct user_pin *pin;

	for (unsigned i = 0; (pin = user_pin_get(i)) != NULL; i++)
		if (pfn_equal(pin->pfn, o->pfn))
			OWNER(o, "a kernel pin of %s\n", task_name(pin->tid));
}

void audit_print_owners(pfn_t pfn)
{
	struct owners o = {.pfn = pfn};
	struct aspace *as;

	LIST_FOR_EACH (as, &aspace_all, all_link)
		owner_aspace(&o, as);
	LIST_FOR_EACH (o.map, &filemap_all, all)
		filemap_visit(o.map, owner_cached, &o);
	owner_pins(&o);
	if (arch_mmu_frame_refs(pfn) != 0)
		OWNER(&o, "%u references of the machine\n", arch_mmu_frame_refs(pfn));
	if (o.nr == 0)
		kprintf("audit:   nothing refers to it\n");
	else if (o.nr > OWNERS_MAX)
		kprintf("audit:   %u owners in all\n", o.nr);
	frame_trace_print(pfn, FRAME_ALLOCATED, "audit:   ");
	if (pfn.raw - frame_first().raw < frame_span() && frame_kind(pfn) == FRAME_FREE)
		frame_trace_print(pfn, FRAME_FREED, "audit:   ");
}
