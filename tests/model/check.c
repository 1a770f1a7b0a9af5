/*
 * Many runs in a child process; a failure is made small in further children, and
 * printed so that it can be repeated. A long job is cut into episodes, each with
 * fresh processes and a seed of its own.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fake_machine.h"
#include "model.h"

#define EPISODE_SECONDS 60 /* of the CPU: a run that takes longer hangs */
#define STATE_SECONDS 10

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static uint64_t episode_seed(const struct model_job *job, uint64_t episode)
{
	struct fake_random r = {job->seed ^ (uint64_t)job->setup.codec << 56 ^ (uint64_t)job->setup.mode << 48};

	r.state += episode * 0x9e3779b97f4a7c15;
	return fake_random(&r);
}

static size_t episode_make(const struct model_job *job, uint64_t episode, struct model_setup *setup, struct op *ops)
{
	uint64_t left = job->nr_ops - episode * EPISODE_OPS;
	size_t nr = left < EPISODE_OPS ? left : EPISODE_OPS;

	*setup = job->setup;
	model_random(episode_seed(job, episode), setup, ops, nr);
	if (job->keeps_setup) {
		setup->has_hot_pages = job->setup.has_hot_pages;
		setup->has_windows = job->setup.has_windows;
	}
	return nr;
}

/* ---- children ---- */

/* Failures of children are expected: no core files, no crash reports. */
static void child_begin(bool is_quiet)
{
	struct rlimit none = {0, 0};
	int null;

	setrlimit(RLIMIT_CORE, &none);
	signal(SIGABRT, SIG_DFL);
	signal(SIGSEGV, SIG_DFL);
	if (!is_quiet)
		return;
	null = open("/dev/null", O_WRONLY);
	dup2(null, STDOUT_FILENO);
	dup2(null, STDERR_FILENO);
}

/* True: the child ended well. */
static bool child_wait(pid_t child)
{
	int status;

	return waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static pid_t child_start(void)
{
	pid_t child;

	fflush(stdout);
	fflush(stderr);
	child = fork();
	if (child < 0) {
		perror("fork");
		exit(1);
	}
	return child;
}

/* SIGPROF ends what takes longer; of the CPU's time, so that a busy machine, or one that slept, is no hang. */
static void limit_time(unsigned nr_seconds)
{
	const struct itimerval limit = {.it_value = {.tv_sec = (time_t)nr_seconds}};

	setitimer(ITIMER_PROF, &limit, NULL);
}

/* Runs a sequence in a child; true: without a violation. */
static bool try_ops(const struct model_setup *setup, const struct op *ops, size_t nr, bool is_quiet, bool is_verbose)
{
	pid_t child = child_start();

	if (child == 0) {
		child_begin(is_quiet);
		limit_time(EPISODE_SECONDS);
		setlinebuf(stdout);
		model_is_verbose = is_verbose;
		model_run(setup, ops, nr);
		fflush(stdout);
		_exit(0);
	}
	return child_wait(child);
}

/* ---- smaller ---- */

struct shrink {
	struct model_setup setup;
	struct op *ops;
	size_t nr;
	time_t deadline;
};

/* Without ops[at, at + nr)? */
static bool shrink_without(struct shrink *s, size_t at, size_t nr)
{
	struct op *rest = malloc((s->nr + 1) * sizeof(*rest));
	bool fails;

	memcpy(rest, s->ops, at * sizeof(*rest));
	memcpy(rest + at, s->ops + at + nr, (s->nr - at - nr) * sizeof(*rest));
	fails = !try_ops(&s->setup, rest, s->nr - nr, true, false);
	if (fails) {
		s->nr -= nr;
		memcpy(s->ops, rest, s->nr * sizeof(*rest));
		/* It may fail earlier now. */
		if (model_progress->step + 1 < s->nr)
			s->nr = model_progress->step + 1;
	}
	free(rest);
	return fails;
}

static void shrink_removing(struct shrink *s)
{
	for (size_t chunk = s->nr / 2; chunk > 0; chunk = chunk == 1 ? 0 : (chunk + 1) / 2) {
		for (size_t end = s->nr; end > 0 && seconds() < s->deadline;) {
			size_t n = chunk < end ? chunk : end;

			end -= n;
			if (end < s->nr)
				(void)shrink_without(s, end, n < s->nr - end ? n : s->nr - end);
			end = end < s->nr ? end : s->nr;
		}
	}
}

/* Smaller numbers, where it fails all the same. */
static void shrink_numbers(struct shrink *s)
{
	for (size_t i = 0; i < s->nr && seconds() < s->deadline; i++) {
		for (unsigned field = 0; field < 6; field++) {
			struct op old = s->ops[i], *op = &s->ops[i];

			switch (field) {
			case 0: op->b = 0; break;
			case 1: op->b /= 2; break;
			case 2: op->c = 0; break;
			case 3: op->d = 0; break;
			case 4: op->e = 0; break;
			default: op->space = 0; break;
			}
			if (memcmp(&old, op, sizeof(old)) != 0 && try_ops(&s->setup, s->ops, s->nr, true, false))
				*op = old;
		}
	}
}

static void shrink(struct shrink *s, unsigned max_seconds)
{
	size_t before;

	s->deadline = seconds() + max_seconds;
	/* Checked after each step it fails as early as it can. */
	s->setup.audit_every = 1;
	if (try_ops(&s->setup, s->ops, s->nr, true, false))
		return;
	if (model_progress->step + 1 < s->nr)
		s->nr = model_progress->step + 1;
	/* What the checks found after its last step they mostly find at the end as well, and faster. */
	s->setup.audit_every = 0;
	if (try_ops(&s->setup, s->ops, s->nr, true, false))
		s->setup.audit_every = 1;
	do {
		before = s->nr;
		shrink_removing(s);
	} while (s->nr < before && seconds() < s->deadline);
	shrink_numbers(s);
	shrink_removing(s);
	s->setup.audit_every = 1;
}

/* ---- failure ---- */

static void failure_write(const char *path, const struct model_setup *setup, const struct op *ops, size_t nr)
{
	FILE *f = fopen(path, "w");

	if (f == NULL) {
		perror(path);
		return;
	}
	model_print_setup(f, setup);
	for (size_t i = 0; i < nr; i++) {
		model_print_op(f, &ops[i]);
		fputc('\n', f);
	}
	fclose(f);
}

static void failure_report(const struct model_job *job, uint64_t episode, size_t *nr_shrunk)
{
	static struct op ops[EPISODE_OPS + 1];
	struct shrink s = {.ops = ops};
	char path[128];

	s.nr = episode_make(job, episode, &s.setup, ops);
	printf("model: %s %s fails: seed %" PRIu64 ", episode %" PRIu64 ", step %" PRIu64 "\n",
	       model_codec_names[s.setup.codec], model_mode_names[s.setup.mode], job->seed, episode,
	       model_progress->step);
	if (try_ops(&s.setup, ops, s.nr, true, false)) {
		printf("model: not by itself, but after the episodes before it: LEVITATE_TEST_SEED=%" PRIu64 "\n",
		       job->seed);
		return;
	}
	if (job->shrink_seconds != 0)
		shrink(&s, job->shrink_seconds);
	if (nr_shrunk != NULL)
		*nr_shrunk = s.nr;
	printf("model: %zu operations are left; what they do:\n", s.nr);
	model_print_setup(stdout, &s.setup);
	(void)try_ops(&s.setup, ops, s.nr, false, true);
	snprintf(path, sizeof(path), "model-%s-%s-%" PRIu64 ".ops", model_codec_names[s.setup.codec],
		 model_mode_names[s.setup.mode], job->seed);
	failure_write(job->failure_file != NULL ? job->failure_file : path, &s.setup, ops, s.nr);
	printf("\nmodel: to repeat these:    %s --replay %s\n",
	       job->program != NULL ? job->program : "build/host/tests/model/model",
	       job->failure_file != NULL ? job->failure_file : path);
	printf("model: to repeat the run:  LEVITATE_TEST_SEED=%" PRIu64 "\n", job->seed);
}

/* ---- the job ---- */

static uint64_t state_read(const struct model_job *job)
{
	FILE *f = job->state_file != NULL ? fopen(job->state_file, "r") : NULL;
	uint64_t seed, episode, result = 0;

	if (f == NULL)
		return 0;
	if (fscanf(f, "seed %" SCNu64 " episodes %" SCNu64, &seed, &episode) == 2 && seed == job->seed)
		result = episode;
	fclose(f);
	return result;
}

/* Renamed into place, so that an interruption leaves the old state or the new one. */
static void state_write(const struct model_job *job, uint64_t nr_episodes)
{
	char path[512];
	FILE *f;

	if (job->state_file == NULL)
		return;
	snprintf(path, sizeof(path), "%s.new", job->state_file);
	f = fopen(path, "w");
	if (f == NULL) {
		perror(path);
		exit(1);
	}
	fprintf(f, "seed %" PRIu64 " episodes %" PRIu64 "\n", job->seed, nr_episodes);
	if (fclose(f) != 0 || rename(path, job->state_file) != 0) {
		perror(job->state_file);
		exit(1);
	}
}

static void progress_print(const struct model_job *job, uint64_t nr_done, time_t begin)
{
	time_t took = seconds() - begin;

	printf("model %s %s: %" PRIu64 " of %" PRIu64 " operations, %" PRIu64 " a second here, seed %" PRIu64 "\n",
	       model_codec_names[job->setup.codec], model_mode_names[job->setup.mode],
	       nr_done < job->nr_ops ? nr_done : job->nr_ops, job->nr_ops,
	       model_counts.nr_ops / (uint64_t)(took > 0 ? took : 1), job->seed);
	fflush(stdout);
}

static void run_episodes(const struct model_job *job, uint64_t first, uint64_t nr_episodes)
{
	static struct op ops[EPISODE_OPS];
	time_t begin = seconds(), printed = begin, saved = begin;

	for (uint64_t i = first; i < nr_episodes; i++) {
		struct model_setup setup;
		size_t nr = episode_make(job, i, &setup, ops);

		model_progress->episode = i;
		limit_time(EPISODE_SECONDS);
		model_run(&setup, ops, nr);
		limit_time(0);
		if (job->progress_seconds != 0 && seconds() - printed >= job->progress_seconds) {
			printed = seconds();
			progress_print(job, (i + 1) * EPISODE_OPS, begin);
		}
		if (seconds() - saved >= STATE_SECONDS) {
			saved = seconds();
			state_write(job, i + 1);
		}
	}
	state_write(job, nr_episodes);
}

static void counts_print(const struct model_job *job)
{
	const struct model_counts *c = &model_counts;

	printf("model %s %s: %" PRIu64 " operations, %" PRIu64 " accesses, %" PRIu64 " faults, %" PRIu64
	       " forks, %" PRIu64 " failed allocations, %" PRIu64 " races, %" PRIu64 " audits; seed %" PRIu64 "\n",
	       model_codec_names[job->setup.codec], model_mode_names[job->setup.mode], c->nr_ops, c->nr_accesses,
	       c->nr_faults, c->nr_forks, c->nr_failed_allocs, c->nr_races, c->nr_audits, job->seed);
	fflush(stdout);
}

int model_check(const struct model_job *job, size_t *nr_shrunk)
{
	uint64_t nr_episodes = (job->nr_ops + EPISODE_OPS - 1) / EPISODE_OPS;
	pid_t child;

	if (nr_shrunk != NULL)
		*nr_shrunk = 0;
	model_progress = mmap(NULL, sizeof(*model_progress), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (model_progress == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	child = child_start();
	if (child == 0) {
		child_begin(job->setup.plant != PLANT_NONE);
		run_episodes(job, state_read(job), nr_episodes);
		counts_print(job);
		_exit(0);
	}
	if (child_wait(child))
		return 0;
	failure_report(job, model_progress->episode, nr_shrunk);
	return 1;
}
