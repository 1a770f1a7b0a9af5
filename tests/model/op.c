/* Operations as bytes, as text, and at random. */
#include <ctype.h>
#include <string.h>

#include "fake_machine.h"
#include "model.h"

static const char *const op_names[] = {
#define OP(id, name) name,
#include "ops.def"
#undef OP
};
const char *const model_codec_names[] = {"x86_64", "aarch64", "odd", NULL};
const char *const model_mode_names[] = {"eager", "cow", "share", NULL};
const char *const model_plant_names[] = {"none", "no_flush", "no_table_flush", "lost_write", NULL};

/* ---- bytes ---- */

static uint16_t get16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }

static void put16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

size_t model_decode(const uint8_t *bytes, size_t size, struct model_setup *setup, struct op *ops, size_t max)
{
	size_t nr = 0;

	*setup = (struct model_setup){.mode = MODEL_SHARE, .audit_every = 16, .is_brief = true};
	if (size >= OP_BYTES) {
		setup->codec = bytes[0] % MODEL_CODECS;
		setup->mode = bytes[1] % MODEL_MODES;
		setup->has_hot_pages = (bytes[2] & 1) != 0;
		setup->has_windows = (bytes[2] & 2) != 0;
		setup->border = bytes[3];
	}
	for (size_t at = OP_BYTES; at + OP_BYTES <= size && nr < max; at += OP_BYTES, nr++) {
		const uint8_t *p = bytes + at;

		ops[nr] = (struct op){p[0] % OP_CODES, p[1], p[2], p[3], get16(p + 4), get16(p + 6), get16(p + 8)};
	}
	return nr;
}

size_t model_encode(const struct model_setup *setup, const struct op *ops, size_t nr, uint8_t *bytes)
{
	memset(bytes, 0, OP_BYTES);
	bytes[0] = setup->codec;
	bytes[1] = setup->mode;
	bytes[2] = (uint8_t)(setup->has_hot_pages | setup->has_windows << 1);
	bytes[3] = setup->border;
	for (size_t i = 0; i < nr; i++) {
		uint8_t *p = bytes + (i + 1) * OP_BYTES;

		p[0] = ops[i].code;
		p[1] = ops[i].space;
		p[2] = ops[i].c;
		p[3] = ops[i].d;
		put16(p + 4, ops[i].a);
		put16(p + 6, ops[i].b);
		put16(p + 8, ops[i].e);
	}
	return (nr + 1) * OP_BYTES;
}

/* ---- text ---- */

void model_print_op(FILE *out, const struct op *op)
{
	fprintf(out, "%s space=%u a=%u b=%u c=%u d=%u e=%u", op_names[op->code], op->space, op->a, op->b, op->c,
		op->d, op->e);
}

void model_print_setup(FILE *out, const struct model_setup *s)
{
	fprintf(out, "setup codec=%s fork=%s hot=%u windows=%u border=%u plant=%s audit=%u\n",
		model_codec_names[s->codec], model_mode_names[s->mode], s->has_hot_pages, s->has_windows, s->border,
		model_plant_names[s->plant], s->audit_every);
}

static int name_index(const char *const *names, const char *name)
{
	for (int i = 0; names[i] != NULL; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

static bool parse_setup(const char *line, struct model_setup *s)
{
	char codec[16], mode[16], plant[24];
	unsigned hot, windows, border, audit;
	int c, m, p;

	if (sscanf(line, "setup codec=%15s fork=%15s hot=%u windows=%u border=%u plant=%23s audit=%u", codec, mode,
		   &hot, &windows, &border, plant, &audit) != 7)
		return false;
	c = name_index(model_codec_names, codec);
	m = name_index(model_mode_names, mode);
	p = name_index(model_plant_names, plant);
	*s = (struct model_setup){.codec = (uint8_t)c,
				  .mode = (uint8_t)m,
				  .has_hot_pages = hot != 0,
				  .has_windows = windows != 0,
				  .border = (uint8_t)border,
				  .plant = (uint8_t)p,
				  .audit_every = audit};
	return c >= 0 && m >= 0 && p >= 0;
}

static bool parse_op(const char *line, struct op *op)
{
	unsigned space, a, b, c, d, e;
	char name[24];

	if (sscanf(line, "%23s space=%u a=%u b=%u c=%u d=%u e=%u", name, &space, &a, &b, &c, &d, &e) != 7)
		return false;
	for (unsigned i = 0; i < OP_CODES; i++) {
		if (strcmp(op_names[i], name) != 0)
			continue;
		*op = (struct op){(uint8_t)i,  (uint8_t)space, (uint8_t)c, (uint8_t)d,
				  (uint16_t)a, (uint16_t)b,    (uint16_t)e};
		return true;
	}
	return false;
}

long model_read_file(const char *path, struct model_setup *setup, struct op *ops, size_t max)
{
	FILE *f = fopen(path, "r");
	char line[256];
	long nr = 0;

	if (f == NULL) {
		perror(path);
		return -1;
	}
	while (fgets(line, sizeof(line), f) != NULL) {
		line[strcspn(line, "#\n")] = '\0';
		if (line[strspn(line, " \t")] == '\0' || parse_setup(line, setup))
			continue;
		if ((size_t)nr == max || !parse_op(line, &ops[nr])) {
			fprintf(stderr, "%s: not an operation, or too many: %s\n", path, line);
			nr = -1;
			break;
		}
		nr++;
	}
	fclose(f);
	return nr;
}

/* ---- random ---- */

/* How often each operation is wanted. */
static const struct {
	uint8_t code, weight;
} weights[] = {
	{OP_MMAP_ANON, 7}, {OP_MMAP_FILE, 6}, {OP_MUNMAP, 5},	 {OP_MPROTECT, 9}, {OP_MREMAP, 8},
	{OP_MADVISE, 8},   {OP_BRK, 3},	      {OP_WRITE, 40},	 {OP_READ, 22},	   {OP_EXEC, 4},
	{OP_COPY_IN, 4},   {OP_COPY_OUT, 3},  {OP_FORCED, 3},	 {OP_FORK, 12},	   {OP_EXIT, 7},
	{OP_NEW, 1},	   {OP_TRUNCATE, 2},  {OP_FWRITE, 2},	 {OP_FREAD, 1},	   {OP_PIN, 2},
	{OP_PIN_WRITE, 2}, {OP_UNPIN, 2},     {OP_FAIL, 8},	 {OP_RACE, 8},	   {OP_EVICT, 2},
	{OP_SYNC, 1},	   {OP_SHRINK, 1},    {OP_CHECK, 1},
};

/* Ranges are mostly short; some begin where a table does. */
static void random_range(struct fake_random *r, struct op *op)
{
	static const uint16_t sizes[] = {1, 2, 5, 17, 60, 300, 600};

	op->b = (uint16_t)fake_random_below(r, sizes[fake_random_below(r, sizeof(sizes) / sizeof(sizes[0]))]);
	if (op->code >= OP_WRITE && op->code <= OP_EXEC && fake_random_below(r, 3) != 0)
		op->b = 0;
	/* Most accesses go to few pages, so that the processes of a family meet on them. */
	if (fake_random_below(r, 4) != 0)
		op->a = (uint16_t)(fake_random_below(r, 24) * 67 % 1600);
	if (fake_random_below(r, 8) == 0)
		op->a &= (uint16_t)~255u;
}

static void random_op(struct fake_random *r, struct op *op)
{
	uint64_t numbers = fake_random(r), more = fake_random(r);
	unsigned total = 0, pick;

	for (unsigned i = 0; i < sizeof(weights) / sizeof(weights[0]); i++)
		total += weights[i].weight;
	pick = (unsigned)fake_random_below(r, total);
	for (unsigned i = 0;; i++) {
		op->code = weights[i].code;
		if (pick < weights[i].weight)
			break;
		pick -= weights[i].weight;
	}
	op->space = (uint8_t)numbers;
	op->c = (uint8_t)(numbers >> 8);
	op->d = (uint8_t)(numbers >> 16);
	op->a = (uint16_t)(numbers >> 24);
	op->e = (uint16_t)(numbers >> 40);
	random_range(r, op);
	switch (op->code) {
	case OP_MMAP_ANON: /* few stacks, few locks; mostly fixed */
		op->c &= (uint8_t)~((more & 3 ? 0x10 : 0) | (more & 0x1c ? 0x20 : 0) | (more & 0x60 ? 0x40 : 0) |
				    (more & 0x180 ? 0x80 : 0));
		op->d &= (uint8_t)(more & 0x600 ? 0xf8 : 0xff);
		break;
	case OP_MMAP_FILE:
		op->c &= (uint8_t)~((more & 0x1c ? 0x20 : 0) | 0x40);
		op->d &= (uint8_t)(more & 0x600 ? 0xf8 : 0xff);
		break;
	case OP_MREMAP:
		op->c |= (uint8_t)(more & 7 ? 1 : 0);
		op->c &= (uint8_t)~((more & 0x18 ? 4 : 0) | (more & 0x60 ? 0x20 : 0));
		op->d = (uint8_t)(more & 0x80 ? 0 : op->d);
		break;
	case OP_FAIL: op->a = (uint16_t)(more & 3 ? more >> 2 & 1 : more % 8); break; /* mostly the first two */
	case OP_TRUNCATE: op->a = (uint16_t)(more % 128); break;
	default: break;
	}
}

void model_random(uint64_t seed, struct model_setup *setup, struct op *ops, size_t nr)
{
	struct fake_random r = {seed};
	uint64_t choice = fake_random(&r);

	setup->has_hot_pages = (choice & 3) == 0;
	setup->has_windows = (choice & 4) != 0;
	setup->border = (uint8_t)(choice >> 8);
	for (size_t i = 0; i < nr; i++)
		random_op(&r, &ops[i]);
}
