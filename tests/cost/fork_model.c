/*
 * Times fork's algorithm alone: the core over the fake machine, no traps, no user mode.
 * One run is one strategy and one thing to measure; tools/bench runs it between the
 * same measurements of whole systems (user/fork_bench.c has the same arguments).
 *
 *   fork_model MODE call MIB REPS            the fork call and the exit of an unmodified child
 *   fork_model MODE vmas NUMBER REPS         the same with so many VMAs of one page
 *   fork_model MODE rewrite MIB REPS         the parent writes every page after the child has gone
 *   fork_model - cycle MIB REPS [NAME]       fork, writes by parent, child or both, exit: every pattern,
 *                                            cow and share in turns
 *   fork_model - threshold 0 REPS            subtrees of 4 to 512 pages, copied or shared
 *   fork_model - memcpy MIB REPS             memcpy of so much memory
 *
 * MODE: eager, cow, share. Prints lines "NAME<tab>MEDIAN<tab>us<tab>MINIMUM<tab>REPS".
 * MIB is a number, or one of KiB ("256k"). "s" before it leaves the pages untouched, so that 16 GiB
 * fit anywhere. SHARE_ABOVE in the environment is the threshold of the strategy share.
 */
#include <time.h>

#include "sparse.h"
#include "write_patterns.h"

enum { MAX_REPS = 1000, WARM_UPS = 2, AGAIN = 101, AGAIN_US = 1000000, CYCLE_US = 100000 };

static const char *const mode_names[] = {[FORK_EAGER] = "eager", [FORK_COW] = "cow", [FORK_SHARE] = "share"};

static double samples[8][MAX_REPS];

static double now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void report(const char *name, double *values, unsigned nr)
{
	qsort(values, nr, sizeof(values[0]), compare);
	printf("%s\t%.6g\tus\t%.6g\t%u\n", name, (values[(nr - 1) / 2] + values[nr / 2]) / 2, values[0], nr);
	fflush(stdout);
}

static uint64_t parse_size(const char *text, bool *is_sparse)
{
	char *unit;
	uint64_t number;

	*is_sparse = text[0] == 's';
	number = strtoull(text + *is_sparse, &unit, 10);
	return *unit == 'k' ? number << 10 : number * MB;
}

static void write_page(struct aspace *as, uint64_t page, uint8_t value) { poke(as, BASE + PAGES(page), value); }

/* Memory as a program that has used all of it would have it. */
static void write_all(struct aspace *as, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes >> PAGE_SHIFT; i++)
		write_page(as, i, (uint8_t)i);
}

/* ---- fork and exit --------------------------------------------------------- */

static void call_once(struct aspace *parent, double *call, double *rest)
{
	double t0 = now_us(), t1;
	struct aspace *child = fork_aspace(parent);

	t1 = now_us();
	aspace_put(child);
	*call = t1 - t0;
	*rest = now_us() - t1;
}

/*
 * First after every page has been written, unless none is to be touched; then with nothing in between, AGAIN
 * times or for AGAIN_US.
 */
static void measure_call(uint64_t bytes, bool is_sparse, unsigned reps)
{
	struct aspace *parent = sparse_process(is_sparse ? bytes : 0);
	double cold, unused, start;
	unsigned nr = 0;

	if (is_sparse) {
		reps = 0;
	} else {
		map_fixed(parent, BASE, bytes, RW);
		write_all(parent, bytes);
	}
	call_once(parent, &cold, &unused); /* table memory nobody has touched */
	for (unsigned i = 0; i < reps; i++) {
		write_all(parent, bytes);
		call_once(parent, &samples[0][i], &samples[2][i]);
	}
	for (start = now_us(); nr < AGAIN && (nr < 3 || now_us() - start < AGAIN_US); nr++)
		call_once(parent, &samples[1][nr], &samples[3][nr]);
	report("cold call", &cold, 1);
	if (reps != 0) {
		report("call", samples[0], reps);
		report("exit", samples[2], reps);
	}
	report("call again", samples[1], nr);
	report("exit again", samples[3], nr);
}

static void measure_vmas(unsigned nr_vmas, unsigned reps)
{
	struct aspace *parent = sparse_process(0), *child;

	for (unsigned i = 0; i < nr_vmas; i++) {
		map_fixed(parent, BASE + PAGES(i), PAGE_SIZE, i % 2 ? RW : RW | PROT_EXEC);
		poke(parent, BASE + PAGES(i), 1);
	}
	for (unsigned i = 0; i < reps; i++) {
		double t0 = now_us(), t1;

		child = fork_aspace(parent);
		t1 = now_us();
		aspace_put(child);
		samples[0][i] = t1 - t0;
		samples[1][i] = now_us() - t1;
	}
	report("vmas call", samples[0], reps);
	report("vmas exit", samples[1], reps);
}

static void measure_rewrite(uint64_t bytes, unsigned reps)
{
	struct aspace *parent = sparse_process(0);

	map_fixed(parent, BASE, bytes, RW);
	write_all(parent, bytes);
	for (unsigned i = 0; i < reps; i++) {
		double t0;

		aspace_put(fork_aspace(parent));
		t0 = now_us();
		write_all(parent, bytes);
		samples[0][i] = now_us() - t0;
	}
	report("rewrite", samples[0], reps);
}

/* ---- whole cycles ------------------------------------------------------------ */

enum { BY_PARENT = 1, BY_CHILD = 2 };

/* Both always write to two pages of their stack: no process gets far without that. */
static double one_cycle(struct aspace *parent, const struct write_pattern *p, unsigned writers, uint64_t nr_pages)
{
	uint64_t nr = pattern_count(p, nr_pages);
	double start = now_us();
	struct aspace *child = fork_aspace(parent);

	poke_pages(parent, sparse_stack(parent), 2, 1);
	poke_pages(child, sparse_stack(child), 2, 2);
	for (uint64_t i = 0; i < nr && (writers & BY_PARENT); i++)
		write_page(parent, pattern_page(p, i, nr_pages), 1);
	for (uint64_t i = 0; i < nr && (writers & BY_CHILD); i++)
		write_page(child, pattern_page(p, i, nr_pages), 2);
	aspace_put(child);
	return now_us() - start;
}

struct cycle_bench {
	struct aspace *parents[2]; /* one for cow, one for share */
	uint64_t nr_pages;
	unsigned reps;
};

/*
 * cow and share take turns, at least `reps` times each and for CYCLE_US. Reports both, and the median of
 * share / cow of the turns: what slows the machine down for a while slows down both halves of a turn.
 */
static void measure_cycle(const struct cycle_bench *b, const struct write_pattern *p, unsigned writers,
			  const char *name)
{
	static const enum fork_mode turn_modes[] = {FORK_COW, FORK_SHARE};
	double spent = 0;
	unsigned nr = 0;
	char line[96];

	for (unsigned i = 0; nr < b->reps || (spent < CYCLE_US && nr < MAX_REPS); i++) {
		for (unsigned m = 0; m < ARRAY_SIZE(turn_modes); m++) {
			aspace_set_fork_mode(turn_modes[m]);
			samples[m][nr] = one_cycle(b->parents[m], p, writers, b->nr_pages);
			spent += samples[m][nr];
		}
		samples[2][nr] = samples[1][nr] / samples[0][nr];
		nr += i >= WARM_UPS;
	}
	for (unsigned m = 0; m < 3; m++) {
		snprintf(line, sizeof(line), "%s %s", m == 2 ? "ratio" : mode_names[turn_modes[m]], name);
		report(line, samples[m], nr);
	}
}

static void measure_cycles(uint64_t bytes, unsigned reps, const char *only)
{
	static const char *const writer_names[] = {[BY_PARENT] = "parent", [BY_CHILD] = "child", [3] = "both"};
	struct cycle_bench b = {{sparse_process(0), sparse_process(0)}, bytes >> PAGE_SHIFT, reps};

	for (unsigned m = 0; m < ARRAY_SIZE(b.parents); m++) {
		map_fixed(b.parents[m], BASE, bytes, RW);
		write_all(b.parents[m], bytes);
	}
	for (unsigned k = 0; k < NR_WRITE_PATTERNS; k++) {
		for (unsigned writers = BY_PARENT; writers <= (BY_PARENT | BY_CHILD); writers++) {
			char name[64];

			snprintf(name, sizeof(name), "%s by %s", write_patterns[k].name, writer_names[writers]);
			if ((k != 0 || writers == BY_PARENT) && (only == NULL || strcmp(only, name) == 0))
				measure_cycle(&b, &write_patterns[k], writers, name);
		}
	}
}

/* ---- the threshold ------------------------------------------------------------ */

/*
 * A process with one subtree of so many pages: is it cheaper to copy its tables at fork or to share
 * it? Both sides then write to two of the pages; "idle": neither does.
 */
static void measure_threshold(unsigned reps)
{
	static const unsigned sizes[] = {4, 8, 16, 32, 48, 64, 96, 128, 192, 256, 512};
	static const uint32_t thresholds[] = {UINT32_MAX, 0};
	static const char *const how[] = {"copy", "share"};

	aspace_set_fork_mode(FORK_SHARE);
	for (unsigned k = 0; k < 2 * ARRAY_SIZE(sizes); k++) {
		unsigned nr_pages = sizes[k / 2], idle = k % 2;
		struct aspace *parents[] = {new_aspace(), new_aspace()};

		for (unsigned m = 0; m < ARRAY_SIZE(parents); m++) {
			map_fixed(parents[m], BASE, PAGES(nr_pages), RW);
			poke_pages(parents[m], BASE, nr_pages, 1);
		}
		for (unsigned i = 0; i < reps + WARM_UPS; i++) {
			for (unsigned m = 0; m < ARRAY_SIZE(parents); m++) {
				double start;
				struct aspace *child;

				aspace_set_share_above(thresholds[m]);
				start = now_us();
				child = fork_aspace(parents[m]);
				if (!idle) {
					poke_pages(parents[m], BASE, 2, 1);
					poke_pages(child, BASE, 2, 2);
				}
				aspace_put(child);
				samples[m][i < WARM_UPS ? 0 : i - WARM_UPS] = now_us() - start;
			}
		}
		for (unsigned m = 0; m < ARRAY_SIZE(parents); m++) {
			char line[64];

			snprintf(line, sizeof(line), "%s %u%s", how[m], nr_pages, idle ? " idle" : "");
			report(line, samples[m], reps);
			aspace_put(parents[m]);
		}
	}
}

/* ---- memcpy -------------------------------------------------------------------- */

static void measure_memcpy(uint64_t bytes, unsigned reps)
{
	char *from = malloc(bytes), *to = malloc(bytes);

	memset(from, 1, bytes);
	memset(to, 2, bytes);
	for (unsigned i = 0; i < reps; i++) {
		double t0 = now_us();

		memcpy(to, from, bytes);
		__asm__ volatile("" : : "r"(to) : "memory");
		samples[0][i] = now_us() - t0;
	}
	report("memcpy", samples[0], reps);
	free(from);
	free(to);
}

int main(int argc, char **argv)
{
	unsigned reps = argc > 4 ? (unsigned)atoi(argv[4]) : 0;
	const char *share_above = getenv("SHARE_ABOVE");
	bool is_sparse;
	uint64_t bytes;

	if (reps < 1 || reps > MAX_REPS) {
		fprintf(stderr, "usage: fork_model MODE call|vmas|rewrite|cycle|threshold|memcpy SIZE REPS\n");
		return 2;
	}
	bytes = parse_size(argv[3], &is_sparse);
	mm_test_boot((size_t)48 << 30);
	if (share_above != NULL)
		aspace_set_share_above((uint32_t)atoi(share_above));
	aspace_set_pt_ops(&LEVITATE_NATIVE_PT_OPS);
	for (unsigned m = 0; m < ARRAY_SIZE(mode_names); m++)
		if (strcmp(argv[1], mode_names[m]) == 0)
			aspace_set_fork_mode((enum fork_mode)m);
	if (strcmp(argv[2], "call") == 0)
		measure_call(bytes, is_sparse, reps);
	else if (strcmp(argv[2], "vmas") == 0)
		measure_vmas((unsigned)(bytes / MB), reps);
	else if (strcmp(argv[2], "rewrite") == 0)
		measure_rewrite(bytes, reps);
	else if (strcmp(argv[2], "cycle") == 0)
		measure_cycles(bytes, reps, argc > 5 ? argv[5] : NULL);
	else if (strcmp(argv[2], "threshold") == 0)
		measure_threshold(reps);
	else
		measure_memcpy(bytes, reps);
	return 0;
}
