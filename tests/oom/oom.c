/*
 * The sweep itself (oom.h): what is compared, the loop over failures, and the count.
 *
 *   test_oom [SUITE [OPERATION]]
 */
#include <stdio.h>

#include "oom_world.h"

#include "fs/fdtable.h"
#include "fs/vfs.h"
#include "mm/commit.h"
#include "mm/kmalloc.h"

#define OOM_FDS 512 /* descriptors compared */
#define ATTEMPTS_MAX 2000

static const struct pt_ops *const codecs[] = {&pt_ops_x86_64, &pt_ops_aarch64};


/* The operation under way, and the failure it meets. */
static const struct oom_op *op;
static unsigned fail_at;
static bool is_persistent;
static bool is_first; /* the first round: what is made once and lives on may stay */
static uint64_t nr_failures; /* injected so far */

/* ---- what must be as before ----------------------------------------------- */

/* One line each in the report of a difference. */
enum fact {
	MY_VMAS, MY_BYTES, MY_BRK, MY_PAGES, PEER_VMAS, PEER_BYTES, PEER_PAGES, DESCRIPTORS, PROCESSES, TASKS, SIGNALS,
	COMMITTED, OBJECTS, KERNEL_FRAMES, CACHE_FRAMES, TABLE_FRAMES, ANON_FRAMES, NR_FACTS
};
/* Sets of facts that may differ. */
#define FACT(fact) (1u << (fact))
#define TOUCHED (FACT(MY_PAGES) | FACT(TABLE_FRAMES) | FACT(ANON_FRAMES))
#define FILLED (FACT(CACHE_FRAMES) | FACT(COMMITTED) | FACT(OBJECTS))
/* A change and its undoing leave tables and VMA trees unshared. */
#define UNDONE (TOUCHED | FACT(OBJECTS))
/* Files are told apart by where they are. */
#define BY_ADDRESS (FACT(MY_VMAS) | FACT(PEER_VMAS) | FACT(DESCRIPTORS))
#define MADE_ONCE (FACT(OBJECTS) | FACT(KERNEL_FRAMES))

static const char *const fact_names[NR_FACTS] = {
	"mappings", "bytes", "break", "resident pages", "the peer's mappings", "the peer's bytes",
	"the peer's resident pages", "descriptors", "processes", "tasks", "signals", "committed pages",
	"kernel objects", "kernel frames", "cache frames", "table frames", "anonymous frames",
};

struct state {
	uint64_t fact[NR_FACTS];
	uint64_t cache_used[64]; /* for the report */
};

static void mix(uint64_t *hash, uint64_t value) { *hash = (*hash ^ value) * UINT64_C(0x100000001b3) + (*hash >> 29); }

/* What the process would read: a page that is not there yet is its file's, or zeroes. */
static uint64_t word_at(struct aspace *as, uint64_t va)
{
	struct pt_entry e;

	return as->pt.ops->lookup(&as->pt, va, &e) ? *(uint64_t *)pfn_to_ptr(e.pfn) : 0;
}

static void take_aspace(struct aspace *as, uint64_t *vmas, uint64_t *bytes)
{
	const struct vma *v;

	*vmas = *bytes = 0;
	for (v = vma_find_from(&as->vmas, 0); v != NULL; v = vma_find_from(&as->vmas, v->end)) {
		mix(vmas, v->start), mix(vmas, v->end), mix(vmas, v->flags), mix(vmas, v->prot.raw);
		mix(vmas, (uintptr_t)v->file);
		for (uint64_t va = v->start; va < v->end; va += PAGE_SIZE)
			if (va >= U(PAGES(16)) || va < OOM_ARGS)
				mix(bytes, word_at(as, va));
	}
}

static uint64_t take_files(void)
{
	uint64_t hash = 0;

	for (int fd = 0; fd < OOM_FDS; fd++) {
		struct file *f = fd_get(fd);

		if (f == NULL)
			continue;
		mix(&hash, (uint64_t)fd), mix(&hash, (uintptr_t)f), mix(&hash, f->refs), mix(&hash, f->pos);
		mix(&hash, f->flags), mix(&hash, (uint64_t)fd_get_cloexec(fd));
		file_put(f);
	}
	return hash;
}

static uint64_t take_signals(void)
{
	struct signal_private *s = &current_task()->sig;
	uint64_t hash = s->blocked;

	mix(&hash, s->queue.pending), mix(&hash, current_process()->signal.queue.pending), mix(&hash, s->hand->refs);
	for (int sig = 1; sig <= NR_SIGNALS; sig++)
		mix(&hash, sighand_action(s->hand, sig)->handler), mix(&hash, sighand_action(s->hand, sig)->flags);
	return hash;
}

/* Caches give up all they can: the names' gives half each time, and one may hold what another has. */
static void settle(void)
{
	for (unsigned i = 0; i < 12; i++)
		frame_shrink_all();
}

static void take(struct state *s)
{
	struct task *other = oom_peer();
	struct aspace *as = current_aspace();
	struct kmem_cache_stat cache;
	struct frame_stats stats;
	uint64_t *f = s->fact;

	settle();
	frame_get_stats(&stats);
	take_aspace(as, &f[MY_VMAS], &f[MY_BYTES]);
	f[MY_BRK] = as->brk;
	f[MY_PAGES] = aspace_rss_pages(as);
	take_aspace(other->aspace, &f[PEER_VMAS], &f[PEER_BYTES]);
	f[PEER_PAGES] = aspace_rss_pages(other->aspace);
	task_put(other);
	f[DESCRIPTORS] = take_files();
	f[PROCESSES] = process_count();
	f[TASKS] = task_count();
	f[SIGNALS] = take_signals();
	f[COMMITTED] = commit_used_pages();
	f[OBJECTS] = kmalloc_nr_used();
	f[KERNEL_FRAMES] = stats.nr_kind[FRAME_KERNEL];
	f[CACHE_FRAMES] = stats.nr_kind[FRAME_CACHE];
	f[TABLE_FRAMES] = stats.nr_kind[FRAME_TABLE];
	f[ANON_FRAMES] = stats.nr_kind[FRAME_ANON];
	for (unsigned i = 0; i < ARRAY_SIZE(s->cache_used) && kmem_cache_get_stat(i, &cache); i++)
		s->cache_used[i] = cache.nr_used;
}

/* For the report: which objects. */
static void report_caches(const struct state *before)
{
	struct kmem_cache_stat stat;

	for (unsigned i = 0; i < ARRAY_SIZE(before->cache_used) && kmem_cache_get_stat(i, &stat); i++)
		if (stat.nr_used != before->cache_used[i])
			print_error("    %s: %llu, before %llu\n", stat.name, (unsigned long long)stat.nr_used,
				    (unsigned long long)before->cache_used[i]);
}

/* but for the facts of the set `except` */
static void must_be_as_before(const struct state *before, uint32_t except)
{
	struct state after;
	unsigned nr_bad = 0;

	take(&after);
	except |= is_first ? MADE_ONCE : 0;
	for (unsigned i = 0; i < NR_FACTS; i++) {
		if (before->fact[i] == after.fact[i] || (except & FACT(i)) != 0)
			continue;
		nr_bad++;
		print_error("  %s: %#llx, before %#llx\n", fact_names[i], (unsigned long long)after.fact[i],
			    (unsigned long long)before->fact[i]);
		if (i == OBJECTS)
			report_caches(before);
	}
	assert_int_equal(nr_bad, 0);
	assert_int_equal(mm_audit(), 0);
	assert_int_equal(vfs_audit(), 0);
}

/* ---- the sweep ------------------------------------------------------------ */

/* Of one attempt; by a child or by process 1. */
static int64_t result;
static bool was_hit, has_ended;

static bool is_explained(int64_t r)
{
	switch (r) {
	case -ENOMEM: return true;
	case -EFAULT: return (op->flags & OOM_EFAULT) != 0;
	case -EAGAIN: return (op->flags & OOM_EAGAIN) != 0;
	case -ENOBUFS: return (op->flags & OOM_ENOBUFS) != 0;
	case -ENOLCK: return (op->flags & OOM_ENOLCK) != 0;
	default: return false;
	}
}

/* The operation with the failure; where it failed, everything must be as before. */
static void attempt(void)
{
	struct state before;

	oom_touch_args(); /* a fork shared them */
	take(&before);
	has_ended = false;
	was_hit = true; /* if it never comes back, it has died of it */
	fail_alloc_arm(fail_at, is_persistent);
	result = op->run();
	was_hit = fail_alloc_count() >= fail_at;
	fail_alloc_arm(0, false);
	has_ended = true;
	if (result >= 0)
		return;
	if (!was_hit || !is_explained(result))
		print_error("%s: failure %u%s: result %lld\n", op->name, fail_at, is_persistent ? "+" : "",
			    (long long)result);
	assert_true(was_hit && is_explained(result));
	must_be_as_before(&before, (op->flags & OOM_TOUCHES ? TOUCHED : 0) | (op->flags & OOM_FILLS ? FILLED : 0));
}

static void attempt_in_child(void)
{
	int status;

	oom_program(attempt);
	assert_true(CALL(clone, SIGCHLD) > 0);
	status = oom_reap(0);
	fail_alloc_arm(0, false);
	if (has_ended) {
		assert_int_equal(status, 0);
		return;
	}
	assert_int_equal(status, SIGSEGV);
	assert_true((op->flags & OOM_SIGSEGV) != 0);
	result = 0;
}

static void prepare_world(const struct pt_ops *codec, enum fork_mode mode)
{
	world_open(codec, mode);
	if (op->prepare != NULL)
		op->prepare();
}

static void undo_or_begin_again(const struct state *before, const struct pt_ops *codec, enum fork_mode mode)
{
	if (op->flags & OOM_CHILD) {
		must_be_as_before(before, 0);
	} else if (op->undo != NULL) {
		op->undo(result);
		must_be_as_before(before, op->flags & (OOM_MEMORY | OOM_TOUCHES) ? UNDONE : 0);
	} else {
		world_close();
		prepare_world(codec, mode);
	}
}

static void sweep_one(const struct pt_ops *codec, enum fork_mode mode)
{
	struct state before;

	prepare_world(codec, mode);
	for (fail_at = 1;; fail_at++) {
		oom_touch_args();
		take(&before);
		if (op->flags & OOM_CHILD)
			attempt_in_child();
		else
			attempt();
		nr_failures += was_hit;
		if (result >= 0 || (op->flags & OOM_CHILD))
			undo_or_begin_again(&before, codec, mode);
		if (result >= 0 && !was_hit)
			break;
		assert_true(fail_at < ATTEMPTS_MAX);
	}
	world_close();
}

static const struct oom_suite *const suites[] = {&oom_suite_memory, &oom_suite_process, &oom_suite_files,
						 &oom_suite_ipc};

static void count_failures(void)
{
	for (unsigned s = 0; s < ARRAY_SIZE(suites); s++)
		if (op >= suites[s]->ops && op < suites[s]->ops + suites[s]->nr_ops)
			suites[s]->failures[op - suites[s]->ops] = nr_failures;
}

/* Worlds come and go without a trace. */
static void sweep_with(const struct pt_ops *codec, enum fork_mode mode)
{
	struct state before;

	world_open(codec, mode);
	take(&before);
	world_close();
	sweep_one(codec, mode);
	world_open(codec, mode);
	must_be_as_before(&before, BY_ADDRESS);
	world_close();
}

static void sweep(void **state)
{
	op = *state;
	nr_failures = 0;
	is_persistent = false;
	is_first = true;
	sweep_one(codecs[0], FORK_SHARE);
	is_first = false;
	for (unsigned i = 0; i < 2; i++) {
		is_persistent = i != 0;
		for (unsigned c = 0; c < ARRAY_SIZE(codecs) && (op->flags & OOM_MEMORY); c++) {
			sweep_with(codecs[c], FORK_EAGER);
			sweep_with(codecs[c], FORK_COW);
			sweep_with(codecs[c], FORK_SHARE);
		}
		if ((op->flags & OOM_MEMORY) == 0)
			sweep_with(codecs[0], FORK_SHARE);
	}
	count_failures();
	assert_true(nr_failures > 0);
}

/* ---- main ----------------------------------------------------------------- */

#define OPS_MAX 256

/* The operations that were asked for, as tests. */
static unsigned choose(struct CMUnitTest tests[OPS_MAX], const char *suite, const char *name)
{
	unsigned nr = 0;

	for (unsigned s = 0; s < ARRAY_SIZE(suites); s++) {
		if (suite != NULL && strcmp(suite, suites[s]->name) != 0)
			continue;
		for (unsigned i = 0; i < suites[s]->nr_ops; i++) {
			const struct oom_op *o = &suites[s]->ops[i];

			assert_true(nr < OPS_MAX);
			if (name == NULL || strcmp(name, o->name) == 0)
				tests[nr++] = (struct CMUnitTest){
					.name = o->name, .test_func = sweep, .initial_state = (void *)(uintptr_t)o};
		}
	}
	return nr;
}

static void report(void)
{
	uint64_t total = 0;

	for (unsigned s = 0; s < ARRAY_SIZE(suites); s++) {
		unsigned nr_ops = 0;
		uint64_t nr = 0;

		for (unsigned i = 0; i < suites[s]->nr_ops; i++) {
			nr_ops += suites[s]->failures[i] != 0;
			nr += suites[s]->failures[i];
		}
		if (nr == 0)
			continue;
		printf("%s: %u operations, %llu failures injected\n", suites[s]->name, nr_ops,
		       (unsigned long long)nr);
		total += nr;
	}
	printf("total: %llu failures injected\n", (unsigned long long)total);
}

int main(int argc, char **argv)
{
	static struct CMUnitTest tests[OPS_MAX];
	unsigned nr = choose(tests, argc > 1 ? argv[1] : NULL, argc > 2 ? argv[2] : NULL);
	int nr_failed = _cmocka_run_group_tests("oom", tests, nr, oom_boot, oom_end);

	report();
	return nr_failed != 0;
}
