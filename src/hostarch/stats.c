/* --stats: one table of the core's and the machine's counters. See stats.h. */
#include "hostarch/stats.h"

#include "arch/machine.h"
#include "hostarch/host.h"
#include "hostarch/stubs.h"
#include "lib/printf.h"
#include "mm/aspace.h"
#include "mm/frame.h"
#include "mm/pt.h"
#include "sched/cpu.h"

#define ROWS_MAX 40u

struct row {
	const char *name;
	uint64_t value;
};

static unsigned collect(struct row *rows)
{
	struct frame_stats frames;
	const struct engine_stats *e = &engine_stats;
	unsigned n = 0;

	frame_get_stats(&frames);
#define ROW(text, number) (rows[n++] = (struct row){text, number})
	ROW("run_time_us", arch_time_ns() / 1000);
	ROW("context_switches", arch_cpu()->nr_context_switches);
	ROW("allocations", fail_alloc_count());
	ROW("frames_total", frames.nr_total);
	ROW("frames_free", frames.nr_free);
	ROW("frames_anon", frames.nr_kind[FRAME_ANON]);
	ROW("frames_cache", frames.nr_kind[FRAME_CACHE]);
	ROW("frames_table", frames.nr_kind[FRAME_TABLE]);
	ROW("frames_slab", frames.nr_kind[FRAME_SLAB]);
	ROW("pt_entry_writes", pt_stats.nr_entry_writes);
	ROW("pt_table_allocs", pt_stats.nr_table_allocs);
	ROW("pt_table_copies", pt_stats.nr_table_copies);
	ROW("pt_table_shares", pt_stats.nr_table_shares);
	ROW("pt_takeovers", pt_stats.nr_takeovers);
	ROW("pt_page_copies", pt_stats.nr_page_copies);
	ROW("pt_flushes", pt_stats.nr_flushes);
	ROW("audits", audit_nr_runs);
	ROW("handoffs", e->nr_handoffs);
	ROW("traps_syscall", e->nr_syscalls);
	ROW("traps_fault", e->nr_faults);
	ROW("tlb_misses", e->nr_tlb_misses);
	ROW("tlb_installs", e->nr_tlb_installs);
	ROW("tlb_evictions", e->nr_evictions);
	ROW("tlb_full_flushes", e->nr_full_flushes);
	ROW("map_batches", e->nr_batches);
	ROW("map_operations", e->nr_ops);
	ROW("stop_proofs", e->nr_proofs);
	ROW("kicks", e->nr_kicks);
	ROW("stubs_created", e->nr_stubs_created);
	ROW("stubs_reused", e->nr_stubs_reused);
	ROW("frames_recycled", e->nr_frames_recycled);
	ROW("pages_prefaulted", e->nr_prefaults);
#undef ROW
	return n;
}

void stats_write(int fd, bool as_json)
{
	struct row rows[ROWS_MAX];
	unsigned nr = collect(rows);
	char line[96];

	for (unsigned i = 0; i < nr; i++) {
		const unsigned long long value = rows[i].value;
		int n;

		if (as_json)
			n = ksnprintf(line, sizeof(line), "%s\"%s\": %llu%s", i == 0 ? "{\n  " : "  ",
				      rows[i].name, value, i + 1 < nr ? ",\n" : "\n}\n");
		else
			n = ksnprintf(line, sizeof(line), "%-20s %12llu\n", rows[i].name, value);

		host_write_all(fd, line, (size_t)n);
	}
}
