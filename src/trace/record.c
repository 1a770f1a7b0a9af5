/*
 * The record (--record): the memory history of a run as JSON lines, for tools/memory-view. The first line names the
 * page-table format. Each further line is one operation on an address space that is complete, with the mappings if
 * they changed, and every table reachable from it whose entries or count of references changed since it was
 * written last:
 *
 *   {"n":3,"t":812,"op":"fork","pid":1,"task":"sh","as":4,"from":2,"root":310,"pages":120,
 *    "vmas":[[4194304,4198400,"r--p","busybox"],...],
 *    "tables":[{"f":310,"l":4,"refs":1,"s":[[0,1,311,"w"]]},{"f":312,"l":1,"refs":2,"s":[[0,16,400,"r-x"]]},...]}
 *
 * An entry of "s" is [first slot, number of slots, first frame, rights]: a run of slots with ascending frames.
 * Rights of a table are "w" or "-"; of a page "rwx", with "s" behind it when it is MAP_SHARED. References of pages
 * are not written: they are the slots.
 *
 * What was written of a table is known by a hash beside its frame number. No lock: operations are recorded one at
 * a time.
 */
#include "trace/record.h"

#include "fs/vfs.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/internal.h"
#include "mm/kmalloc.h"
#include "mm/points.h"
#include "sched/task.h"
#include "trace/trace.h"

#define CHUNK_FRAMES 512u
#define CHUNKS_MAX 131072u /* 256 GiB */
#define BUFFER_BYTES 4096u

typedef unsigned long long ull;

struct seen {
	uint32_t hash, epoch;
};

static void (*write_text)(const char *text, size_t size_bytes);
static struct seen **chunks;
static uint32_t epoch; /* of the operation under way */
static unsigned nr_events;
static char buffer[BUFFER_BYTES];
static size_t nr_buffered;

/* ---- writing ---------------------------------------------------------------- */

static void flush(void)
{
	write_text(buffer, nr_buffered);
	nr_buffered = 0;
}

static void PRINTF_LIKE(1, 2) out(const char *fmt, ...)
{
	char text[320];
	va_list args;
	size_t n;

	va_start(args, fmt);
	n = (size_t)MIN(kvsnprintf(text, sizeof(text), fmt, args), (int)sizeof(text) - 1);
	va_end(args);
	if (nr_buffered + n > sizeof(buffer))
		flush();
	memcpy(buffer + nr_buffered, text, n);
	nr_buffered += n;
}

static void out_name(const char *name, size_t len)
{
	out("\"");
	for (size_t i = 0; i < len; i++)
		out("%c", name[i] < ' ' || name[i] == '"' || name[i] == '\\' || name[i] == 127 ? '?' : name[i]);
	out("\"");
}

/* ---- tables ------------------------------------------------------------------ */

/* NULL: no memory to remember it by; then the table is written each time. */
static struct seen *seen_of(pfn_t pfn)
{
	uint32_t chunk = pfn.raw / CHUNK_FRAMES;

	if (chunks == NULL)
		chunks = kzalloc(CHUNKS_MAX * sizeof(chunks[0]));
	if (chunks == NULL || chunk >= CHUNKS_MAX)
		return NULL;
	if (chunks[chunk] == NULL)
		chunks[chunk] = kzalloc(CHUNK_FRAMES * sizeof(struct seen));
	return chunks[chunk] != NULL ? &chunks[chunk][pfn.raw % CHUNK_FRAMES] : NULL;
}

/* What a slot says, accessed and dirty bits aside; 0: nothing. */
static uint64_t slot_meaning(const struct pt_ops *ops, uint64_t raw, struct pte_fields *f)
{
	if (raw == 0)
		return 0;
	ops->decode((pte_t){raw}, f);
	return f->pa.raw | 1u | (f->kind == PTE_TABLE ? (unsigned)f->writable << 1
						      : 0x100u | f->prot.raw << 2 | (f->attrs & PT_SHARED ? 0x80u : 0));
}

static uint32_t table_hash(const struct pt_ops *ops, const uint64_t *slots, unsigned nr, uint32_t refs)
{
	uint64_t hash = 0xcbf29ce484222325 ^ refs;
	struct pte_fields f;

	for (unsigned i = 0; i < nr; i++)
		hash = (hash ^ slot_meaning(ops, slots[i], &f)) * 0x100000001b3;
	return (uint32_t)(hash ^ hash >> 32);
}

static void out_slots(const struct pt_ops *ops, const uint64_t *slots, unsigned nr)
{
	struct pte_fields f = {0}, g;
	const char *separator = "";

	for (unsigned i = 0, n; i < nr; i += n) {
		uint64_t meaning = slot_meaning(ops, slots[i], &f);

		n = 1;
		if (meaning == 0)
			continue;
		while (f.kind == PTE_PAGE && i + n < nr &&
		       slot_meaning(ops, slots[i + n], &g) == meaning + n * PAGE_SIZE)
			n++;
		out("%s[%u,%u,%u,\"", separator, i, n, phys_to_pfn(f.pa).raw);
		if (f.kind == PTE_TABLE)
			out("%s\"]", f.writable ? "w" : "-");
		else
			out("%c%c%c%s\"]", prot_has(f.prot, PROT_BIT_R) ? 'r' : '-',
			    prot_has(f.prot, PROT_BIT_W) ? 'w' : '-', prot_has(f.prot, PROT_BIT_X) ? 'x' : '-',
			    f.attrs & PT_SHARED ? "s" : "");
		separator = ",";
	}
}

static void out_table(const struct pt_ops *ops, pfn_t table, unsigned level, unsigned nr_slots, bool *has_tables)
{
	const uint64_t *slots = pfn_to_ptr(table);
	struct seen *seen = seen_of(table);
	uint32_t hash = table_hash(ops, slots, nr_slots, frame_refs(table));
	struct pte_fields f;

	if (seen != NULL && seen->epoch == epoch)
		return;
	for (unsigned i = 0; level > 1 && i < nr_slots; i++) {
		if (slots[i] == 0)
			continue;
		ops->decode((pte_t){slots[i]}, &f);
		if (f.kind == PTE_TABLE)
			out_table(ops, phys_to_pfn(f.pa), level - 1, 1u << ops->index_bits, has_tables);
	}
	if (seen != NULL) {
		bool is_known = seen->hash == hash && seen->epoch != 0;

		*seen = (struct seen){hash, epoch};
		if (is_known)
			return;
	}
	out("%s{\"f\":%u,\"l\":%u,\"refs\":%u,\"s\":[", *has_tables ? "," : "", table.raw, level, frame_refs(table));
	out_slots(ops, slots, nr_slots);
	out("]}");
	*has_tables = true;
}

static void out_tables(struct aspace *as, bool *has_tables)
{
	const struct pt_ops *ops = as->pt.ops;
	uint64_t span = pt_slot_bytes(ops, ops->nr_levels);

	out_table(ops, as->pt.root, ops->nr_levels, (unsigned)((as->user_end + span - 1) / span), has_tables);
}

/* ---- mappings ------------------------------------------------------------------ */

static uint64_t vmas_hash(const struct aspace *as)
{
	uint64_t hash = 0xcbf29ce484222325;

	for (const struct vma *v = vma_find_from(&as->vmas, 0); v != NULL; v = vma_find_from(&as->vmas, v->end))
		hash = (hash ^ v->start ^ v->end << 20 ^ (uint64_t)(uintptr_t)v->file ^ v->prot.raw ^
			(uint64_t)v->flags << 8) *
		       0x100000001b3;
	return hash | 1;
}

static void out_vma(const struct aspace *as, const struct vma *v)
{
	const struct dentry *d = v->file != NULL ? v->file->path.dentry : NULL;

	out("[%llu,%llu,\"%c%c%c%c\",", (ull)v->start, (ull)v->end, prot_has(v->prot, PROT_BIT_R) ? 'r' : '-',
	    prot_has(v->prot, PROT_BIT_W) ? 'w' : '-', prot_has(v->prot, PROT_BIT_X) ? 'x' : '-',
	    v->flags & VMA_SHARED ? 's' : 'p');
	if (d != NULL)
		out_name(d->name, d->name_len);
	else if (v->flags & VMA_HEAP)
		out("\"[heap]\"");
	else if (v->flags & VMA_STACK || (v->start < as->stack_top && as->stack_top <= v->end))
		out("\"[stack]\"");
	else
		out("\"\"");
	out("]");
}

static void out_vmas(struct aspace *as)
{
	uint64_t hash = vmas_hash(as);
	const char *separator = "";

	if (as->record_hash == hash)
		return;
	as->record_hash = hash;
	out(",\"vmas\":[");
	for (const struct vma *v = vma_find_from(&as->vmas, 0); v != NULL; v = vma_find_from(&as->vmas, v->end)) {
		out("%s", separator);
		out_vma(as, v);
		separator = ",";
	}
	out("]");
}

/* ---- operations ------------------------------------------------------------------ */

static void event_begin(const char *operation, uint64_t aspace_id)
{
	const struct task *me = current_task();

	epoch++;
	out("{\"n\":%u,\"t\":%llu,\"op\":\"%s\",\"pid\":%d,\"task\":", nr_events++, (ull)(arch_time_ns() / 1000),
	    operation, me->process != NULL ? me->process->pid : 0);
	out_name(me->name, strnlen(me->name, TASK_NAME_MAX));
	out(",\"as\":%llu", (ull)aspace_id);
}

/*
 * Tables that were shared may now have fewer references, and be reachable from other address spaces only: then all of
 * them are looked at. Each table is, once.
 */
static void out_all_tables(const char *operation, struct aspace *as, bool *has_tables)
{
	static const char *const droppers[] = {"fork", "exit", "munmap", "mremap", "mmap", "madvise"};
	static uint64_t nr_copies;
	bool is_dropper = pt_stats.nr_table_copies != nr_copies;
	struct aspace *other;

	for (size_t i = 0; i < ARRAY_SIZE(droppers); i++)
		is_dropper |= strcmp(operation, droppers[i]) == 0;
	nr_copies = pt_stats.nr_table_copies;
	if (as != NULL)
		out_tables(as, has_tables);
	LIST_FOR_EACH (other, &aspace_all, all_link)
		if (is_dropper && other != as)
			out_tables(other, has_tables);
}

/* addr: of a fork, the id of the parent's address space; of an exit (as is NULL), that of the one that is gone. */
static void record_operation(const char *operation, struct aspace *as, uint64_t addr)
{
	bool has_tables = false, is_fork = strcmp(operation, "fork") == 0;

	event_begin(operation, as != NULL ? as->id : addr);
	if (as != NULL) {
		out(is_fork ? ",\"from\":%llu" : ",\"addr\":%llu", (ull)addr);
		out(",\"root\":%u,\"pages\":%llu", as->pt.root.raw, (ull)as->pt.nr_pages);
		out_vmas(as);
	}
	out(",\"tables\":[");
	out_all_tables(operation, as, &has_tables);
	out("]}\n");
	flush();
}

void record_task(const struct task *task)
{
	if (write_text == NULL || task->aspace == NULL)
		return;
	event_begin("task", task->aspace->id);
	out(",\"new_pid\":%d,\"new_task\":", task->process->pid);
	out_name(task->name, strnlen(task->name, TASK_NAME_MAX));
	out("}\n");
	flush();
}

void record_start(void (*write)(const char *text, size_t size_bytes), const struct pt_ops *ops)
{
	trace_calls_on = true;
	write_text = write;
	memory_recorder = record_operation;
	out("{\"levitate\":\"memory record\",\"format\":\"%s\",\"levels\":%u,\"bits\":%u,\"page\":%u}\n", ops->name,
	    ops->nr_levels, ops->index_bits, (unsigned)PAGE_SIZE);
	flush();
}
