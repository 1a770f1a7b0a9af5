/*
 * The model test as a command: runs of any length for each codec and strategy, the
 * repetition of a failure from its file, and the seed corpus of the fuzzers.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "fake_machine.h"
#include "model.h"

#define SHRUNK_OPS_MAX 15

static const char *const usage =
	"usage: model [OPTION]...\n"
	"  --codec NAME       x86_64, aarch64, odd; default all\n"
	"  --fork NAME        eager, cow, share; default all\n"
	"  --ops N            operations for each combination (200000)\n"
	"  --seed N           default LEVITATE_TEST_SEED, else 1\n"
	"  --audit N          audit and look for stale translations every N operations (16)\n"
	"  --shrink SECONDS   at most, to make a failing sequence smaller (120)\n"
	"  --progress SECONDS a line now and then\n"
	"  --state FILE       go on where an interrupted run of this seed stopped (one combination)\n"
	"  --replay FILE      run the operations of a file, saying what each does\n"
	"  --corpus DIR       write short sequences as seeds for fuzzers\n"
	"  --self-test        planted bugs must be found and shrunk\n";

static long index_of(const char *const *names, const char *name)
{
	for (long i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	fprintf(stderr, "model: '%s' is none of the names\n%s", name, usage);
	exit(2);
}

static int replay(const char *path)
{
	static struct op ops[1000000];
	struct model_setup setup = {.mode = MODEL_SHARE, .audit_every = 1};
	long nr = model_read_file(path, &setup, ops, sizeof(ops) / sizeof(ops[0]));

	if (nr < 0)
		return 2;
	model_is_verbose = true;
	model_run(&setup, ops, (size_t)nr);
	printf("model: %ld operations, no violation\n", nr);
	return 0;
}

/* A few short sequences for each combination, from fixed seeds. */
static int write_corpus(const char *dir)
{
	struct op ops[200];
	uint8_t bytes[sizeof(ops) + OP_BYTES];

	for (unsigned i = 0; i < 36; i++) {
		struct model_setup setup = {.codec = (uint8_t)(i % MODEL_CODECS),
					    .mode = (uint8_t)(i / MODEL_CODECS % MODEL_MODES)};
		size_t nr = 40 + i * 4, size;
		char path[512];
		FILE *f;

		model_random(i, &setup, ops, nr);
		size = model_encode(&setup, ops, nr, bytes);
		snprintf(path, sizeof(path), "%s/%s-%s-%u", dir, model_codec_names[setup.codec],
			 model_mode_names[setup.mode], i / (MODEL_CODECS * MODEL_MODES));
		f = fopen(path, "w");
		if (f == NULL || fwrite(bytes, 1, size, f) != size || fclose(f) != 0) {
			perror(path);
			return 1;
		}
	}
	return 0;
}

/* Does the test find broken kernels, and say it shortly? */
static int self_test(uint64_t seed)
{
	int failures = 0;

	for (uint8_t codec = 0; codec < MODEL_CODECS; codec++) {
		for (uint8_t plant = PLANT_NO_FLUSH; plant < MODEL_PLANTS; plant++) {
			struct model_job job = {
				.setup = {.codec = codec, .mode = MODEL_SHARE, .plant = plant, .audit_every = 1},
				.seed = seed,
				.nr_ops = 20 * EPISODE_OPS,
				.shrink_seconds = 60,
				.failure_file = "model-self-test.ops",
			};
			size_t nr;
			bool is_found = model_check(&job, &nr) != 0;

			printf("model: planted bug %s, %s: %s, %zu operations\n\n", model_plant_names[plant],
			       model_codec_names[codec], is_found ? "found" : "NOT FOUND", nr);
			failures += !is_found || nr == 0 || nr > SHRUNK_OPS_MAX;
		}
	}
	return failures != 0;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"codec", required_argument, NULL, 'c'},   {"fork", required_argument, NULL, 'f'},
		{"ops", required_argument, NULL, 'n'},	   {"seed", required_argument, NULL, 's'},
		{"audit", required_argument, NULL, 'a'},   {"shrink", required_argument, NULL, 'k'},
		{"progress", required_argument, NULL, 'p'}, {"state", required_argument, NULL, 't'},
		{"replay", required_argument, NULL, 'r'},  {"corpus", required_argument, NULL, 'o'},
		{"self-test", no_argument, NULL, 'S'},	   {NULL, 0, NULL, 0}};
	struct model_job job = {
		.setup = {.audit_every = 16}, .nr_ops = 200000, .shrink_seconds = 120, .program = argv[0]};
	const char *seed = getenv("LEVITATE_TEST_SEED");
	long codec = -1, mode = -1;
	bool is_self_test = false;
	int failures = 0, c;

	job.seed = seed != NULL ? strtoull(seed, NULL, 0) : 1;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'c': codec = index_of(model_codec_names, optarg); break;
		case 'f': mode = index_of(model_mode_names, optarg); break;
		case 'n': job.nr_ops = strtoull(optarg, NULL, 0); break;
		case 's': job.seed = strtoull(optarg, NULL, 0); break;
		case 'a': job.setup.audit_every = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'k': job.shrink_seconds = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'p': job.progress_seconds = (unsigned)strtoul(optarg, NULL, 0); break;
		case 't': job.state_file = optarg; break;
		case 'r': return replay(optarg);
		case 'o': return write_corpus(optarg);
		case 'S': is_self_test = true; break;
		default: fprintf(stderr, "%s", usage); return 2;
		}
	}
	if (optind != argc) {
		fprintf(stderr, "%s", usage);
		return 2;
	}
	if (is_self_test)
		return self_test(job.seed);
	for (uint8_t i = 0; i < MODEL_CODECS; i++) {
		for (uint8_t j = 0; j < MODEL_MODES; j++) {
			job.setup.codec = i;
			job.setup.mode = j;
			if ((codec < 0 || codec == i) && (mode < 0 || mode == j))
				failures += model_check(&job, NULL);
		}
	}
	return failures != 0;
}
