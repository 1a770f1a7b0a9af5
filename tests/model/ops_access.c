/*
 * Operations that touch memory: the user's own accesses, the kernel's copies from and to
 * the user, and pages the kernel pins. a: first page, d: the value written.
 */
#include "world.h"

#define ACCESS_PAGES_MAX 40
#define COPY_BYTES_MAX (3 * PAGE_SIZE)

/* ---- the user ---- */

/* c: a bit for each probe to write, 0: all; b: pages - 1. */
void op_write(struct space *s)
{
	unsigned first = op_first(), nr = MIN(1u + w.op->b % ACCESS_PAGES_MAX, WINDOW - first);

	say("%u pages from %u, value %u", nr, first, w.op->d);
	for (unsigned page = first; page < first + nr; page++) {
		uint8_t *p = access_page(s, page, TRAP_WRITE);

		for (unsigned i = 0; i < PROBES && p != NULL; i++) {
			if (w.op->c % 16 != 0 && !(w.op->c >> i & 1))
				continue;
			p[probe_offset[i]] = w.op->d;
			store_byte(page_at(s, page), i, w.op->d);
		}
		if (p != NULL)
			check_bytes(s, page, p);
	}
}

void op_read(struct space *s)
{
	unsigned first = op_first(), nr = MIN(1u + w.op->b % ACCESS_PAGES_MAX, WINDOW - first);

	say("%u pages from %u", nr, first);
	for (unsigned page = first; page < first + nr; page++)
		access_page(s, page, TRAP_READ);
}

void op_execute(struct space *s)
{
	say("page %u", op_first());
	access_page(s, op_first(), TRAP_EXEC);
}

/* ---- the kernel's copies ---- */

/* The bytes [addr, addr + size) of the operation, within the window. */
static uint64_t copy_range(size_t *size)
{
	uint64_t addr = va_of(op_first()) + w.op->b % PAGE_SIZE;

	*size = 1 + w.op->e % COPY_BYTES_MAX;
	*size = MIN(*size, va_of(WINDOW) - addr);
	/*
	 * A failed allocation in the second page would leave the first one copied, and another thread might
	 * write to the first one then: within one page, in these cases.
	 */
	if (w.fail_at != 0 || w.race.is_armed)
		*size = MIN(*size, PAGE_SIZE - page_offset(addr));
	say("%zu bytes at page %u + %llu", *size, op_first(), (unsigned long long)page_offset(addr));
	return addr;
}

static bool is_in_range(unsigned page, unsigned probe, uint64_t addr, size_t size)
{
	uint64_t at = va_of(page) + probe_offset[probe];

	return at >= addr && at < addr + size;
}

/* What the kernel will meet, page by page; what it writes is written in the model. 0 or -EFAULT. */
static int model_copy_in(struct space *s, uint64_t addr, size_t size, bool is_forced, bool is_failed)
{
	unsigned last = (unsigned)((addr + size - 1 - w.base) >> PAGE_SHIFT);

	for (unsigned page = op_first(); page <= last; page++) {
		unsigned grown;

		if (is_failed || access_error(s, page, TRAP_WRITE, is_forced, &grown) != 0)
			return -EFAULT;
		grow_stack(s, page, grown);
		settle(s, page);
		/* The write made a private copy, even where it touched no probe. */
		for (unsigned i = 0; i < PROBES; i++)
			store_byte(page_at(s, page), i,
				   is_in_range(page, i, addr, size) ? w.op->d : expected_byte(page_at(s, page), i));
	}
	return 0;
}

static void settle_range(struct space *s, uint64_t addr, size_t size)
{
	unsigned last = (unsigned)((addr + size - 1 - w.base) >> PAGE_SHIFT);

	for (unsigned page = op_first(); page <= last; page++)
		settle(s, page);
}

static void copy_in(struct space *s, bool is_forced)
{
	uint8_t bytes[COPY_BYTES_MAX];
	size_t size;
	uint64_t addr = copy_range(&size);
	int err;

	memset(bytes, w.op->d, size);
	settle_range(s, addr, size);
	err = is_forced ? copy_to_user_forced(s->as, uaddr(addr), bytes, size)
			: copy_to_user_in(s->as, uaddr(addr), bytes, size);
	CHECK(err == model_copy_in(s, addr, size, is_forced, err != 0 && has_failed_alloc()),
	      "the copy's result is %d", err);
	/* A forced write to a page without write permission gives it a frame of its own. */
	if (is_forced)
		forget_pins(s, op_first(), 4);
}

/* b: offset in the page, e: bytes - 1. */
void op_copy_in(struct space *s) { copy_in(s, false); }

/* As a debugger: rights of the page do not count. */
void op_forced(struct space *s) { copy_in(s, true); }

void op_copy_out(struct space *s)
{
	uint8_t bytes[COPY_BYTES_MAX];
	size_t size;
	uint64_t addr = copy_range(&size);
	unsigned last = (unsigned)((addr + size - 1 - w.base) >> PAGE_SHIFT);
	int err, expected = 0;

	settle_range(s, addr, size);
	err = copy_from_user_in(s->as, bytes, uaddr(addr), size);
	if (err != 0 && has_failed_alloc())
		return;
	for (unsigned page = op_first(); page <= last && expected == 0; page++) {
		unsigned grown;

		expected = access_error(s, page, TRAP_READ, false, &grown) != 0 ? -EFAULT : 0;
		if (expected != 0)
			break;
		grow_stack(s, page, grown);
		for (unsigned i = 0; i < PROBES; i++) {
			if (!is_in_range(page, i, addr, size))
				continue;
			CHECK(bytes[va_of(page) + probe_offset[i] - addr] == expected_byte(page_at(s, page), i),
			      "the copy of page %u has %u, should be %u", page,
			      bytes[va_of(page) + probe_offset[i] - addr], expected_byte(page_at(s, page), i));
		}
	}
	CHECK(err == expected, "the copy's result is %d, should be %d", err, expected);
}

/* ---- pins ---- */

static struct pin *pin_free(void)
{
	for (unsigned i = 0; i < PINS_MAX; i++)
		if (w.pins[i].space == NULL)
			return &w.pins[i];
	return NULL;
}

/* The one the operation names. */
static struct pin *pin_used(void)
{
	for (unsigned i = 0; i < PINS_MAX; i++) {
		struct pin *pin = &w.pins[(w.op->a + i) % PINS_MAX];

		if (pin->space != NULL)
			return pin;
	}
	return NULL;
}

/* c bit 0: for writing. */
void op_pin(struct space *s)
{
	unsigned page = op_first(), access = w.op->c & 1 ? TRAP_WRITE : TRAP_READ, grown;
	struct pin *pin = pin_free();
	size_t avail;
	int err;

	say("page %u%s", page, w.op->c & 1 ? " for writing" : "");
	if (pin == NULL)
		return;
	settle(s, page);
	err = access_error(s, page, access, false, &grown);
	pin->ptr = user_page_pin(s->as, uaddr(va_of(page)), access == TRAP_WRITE, &avail, &pin->pfn);
	if (pin->ptr == NULL && has_failed_alloc())
		return;
	CHECK((pin->ptr != NULL) == (err == 0), "the pin's result is wrong");
	if (pin->ptr == NULL)
		return;
	grow_stack(s, page, grown);
	settle(s, page);
	check_bytes(s, page, pin->ptr);
	pin->space = s;
	pin->page = page;
	pin->is_for_write = access == TRAP_WRITE;
	pin->is_valid = true;
	pin->step = w.step;
	for (unsigned i = 0; i < PROBES; i++)
		pin->bytes[i] = pin->ptr[probe_offset[i]];
	if (access == TRAP_WRITE) /* a private file page now has a copy */
		store_byte(page_at(s, page), 0, pin->bytes[0]);
}

/* Data arrives in the pinned page: the process sees it, its relatives do not. */
void op_pin_write(struct space *s)
{
	struct pin *pin = pin_used();
	unsigned probe = w.op->c % PROBES;

	(void)s;
	if (pin == NULL || !pin->is_for_write || !pin->is_valid)
		return;
	say("page %u, value %u", pin->page, w.op->d);
	pin->ptr[probe_offset[probe]] = w.op->d;
	store_byte(page_at(pin->space, pin->page), probe, w.op->d);
}

void pin_release(struct pin *pin)
{
	for (unsigned i = 0; i < PROBES && pin->is_valid; i++) {
		uint8_t now = expected_byte(page_at(pin->space, pin->page), i), found = pin->ptr[probe_offset[i]];

		CHECK(found == now || (!pin->is_for_write && found == pin->bytes[i]),
		      "pinned page %u, byte %u: %u, should be %u", pin->page, probe_offset[i], found, now);
	}
	user_page_unpin(pin->pfn);
	pin->space = NULL;
}

void op_unpin(struct space *s)
{
	struct pin *pin = pin_used();

	(void)s;
	if (pin != NULL)
		pin_release(pin);
}
