/* The machine contract over plain process memory; see fake_machine.h. */
#include "fake_machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "mm/frame.h"
#include "mm/kmalloc.h"
#include "sched/cpu.h"

#define WEAK __attribute__((weak))
#define CHUNK_BYTES ((uint64_t)4 << 20)

struct fake_machine fake;
char *arch_phys_base;

static _Alignas(64) char boot_task[FAKE_TASK_BYTES];
WEAK struct cpu arch_boot_cpu = {.current = (struct task *)(void *)boot_task};

/* ---- set-up ----------------------------------------------------------------------- */

__attribute__((constructor)) void fake_machine_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.user_end = 0x7ffffffff000;
	fake.fault_window_pages = 1;
	fake.step_ns = 100;
	fake.timer_deadline_ns = UINT64_MAX;
}

void *fake_machine_task(void) { return boot_task; }

/* Memory is never given back: the tools remember what was where. */
void fake_machine_boot_ranges(uint64_t base, const struct fake_range *ranges, unsigned nr)
{
	struct boot_info boot = {.nr_ranges = nr, .cmdline = ""};
	uint64_t span = MAX(ranges[nr - 1].end, fake.initrd.end);
	char *memory = mmap(NULL, span + CHUNK_BYTES, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	arch_phys_base = (char *)(((uintptr_t)memory + CHUNK_BYTES - 1) / CHUNK_BYTES * CHUNK_BYTES - base);
	for (unsigned i = 0; i < nr; i++) {
		boot.ranges[i].start.raw = base + ranges[i].start;
		boot.ranges[i].end.raw = base + ranges[i].end;
	}
	if (fake.initrd.end > fake.initrd.start) {
		boot.initrd_pages.start.raw = base + fake.initrd.start;
		boot.initrd_pages.end.raw = base + fake.initrd.end;
	}
	frame_init(&boot);
	kmalloc_init();
	fail_alloc_arm(0, false);
}

void fake_machine_boot(size_t size_bytes)
{
	fake_machine_boot_ranges(0x40000000, &(struct fake_range){0, size_bytes}, 1);
}

uint64_t fake_random(struct fake_random *r)
{
	uint64_t z = r->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

uint64_t fake_random_below(struct fake_random *r, uint64_t n) { return fake_random(r) % n; }

uint64_t fake_seed(uint64_t seed)
{
	const char *text = getenv("LEVITATE_TEST_SEED");

	if (text != NULL)
		seed = strtoull(text, NULL, 0);
	printf("seed %llu (set LEVITATE_TEST_SEED for another)\n", (unsigned long long)seed);
	return seed;
}

/* ---- CPU and contexts --------------------------------------------------------------- */

struct fiber {
	ucontext_t uc;
	void (*fn)(void *);
	void *arg;
};

static struct fiber *fiber_of(struct arch_context *ctx)
{
	if (ctx->fiber == NULL)
		ctx->fiber = calloc(1, sizeof(struct fiber));
	return ctx->fiber;
}

static void fiber_start(unsigned high, unsigned low)
{
	struct fiber *f = (struct fiber *)((uintptr_t)high << 32 | low);

	f->fn(f->arg);
	abort(); /* fn must not return */
}

WEAK void arch_context_init(struct arch_context *ctx, void *stack, size_t size_bytes, void (*fn)(void *),
			    void *arg)
{
	struct fiber *f;

	ctx->fiber = NULL;
	f = fiber_of(ctx);
	f->fn = fn;
	f->arg = arg;
	getcontext(&f->uc);
	f->uc.uc_stack.ss_sp = stack;
	f->uc.uc_stack.ss_size = size_bytes;
	makecontext(&f->uc, (void (*)(void))fiber_start, 2, (unsigned)((uintptr_t)f >> 32),
		    (unsigned)(uintptr_t)f);
}

WEAK void arch_context_destroy(struct arch_context *ctx)
{
	free(ctx->fiber);
	ctx->fiber = NULL;
}

WEAK void arch_context_switch(struct arch_context *from, struct arch_context *to)
{
	swapcontext(&fiber_of(from)->uc, &fiber_of(to)->uc);
}

WEAK void arch_cpu_idle(void)
{
	if (fake.interrupt == NULL || fake.timer_deadline_ns == UINT64_MAX) {
		fprintf(stderr, "fake machine: idle for ever\n");
		abort();
	}
	fake.now_ns = MAX(fake.now_ns, fake.timer_deadline_ns);
	fake.timer_deadline_ns = UINT64_MAX;
	fake.interrupt(NULL, IRQ_TIMER);
}

/* ---- user mode: none ------------------------------------------------------------------ */

WEAK void arch_user_enter(void)
{
	fprintf(stderr, "fake machine: there is no user mode\n");
	abort();
}

WEAK size_t arch_fpu_size(void) { return 512; }
WEAK void arch_fpu_init(void *fpu) { memset(fpu, 0, 512); }
WEAK void arch_fpu_save(struct task *task) { (void)task; }
WEAK void arch_fpu_store(struct task *task, void *fpu) { (void)task, memset(fpu, 0, 512); }
WEAK void arch_fpu_changed(struct task *task) { (void)task; }
WEAK bool arch_fpu_valid(const void *fpu) { return fpu != NULL; }

/* ---- address spaces ------------------------------------------------------------------- */

WEAK uint64_t arch_user_end(void) { return fake.user_end; }

WEAK int arch_mmu_attach(struct aspace *as, struct aspace *like, const struct inode *program)
{
	(void)as, (void)like, (void)program;
	if (fake.attach_result == 0)
		fake.nr_attach++;
	return fake.attach_result;
}

WEAK void arch_mmu_detach(struct aspace *as)
{
	(void)as;
	fake.nr_detach++;
}

WEAK void arch_mmu_switch(struct aspace *as)
{
	(void)as;
	fake.nr_switch++;
}

WEAK void arch_tlb_flush_range(struct aspace *as, uaddr_t start, uaddr_t end)
{
	fake.nr_flush_range++;
	fake.flush_start = start.raw;
	fake.flush_end = end.raw;
	if (fake.on_flush != NULL)
		fake.on_flush(as, start.raw, end.raw);
}

WEAK void arch_tlb_flush_all(struct aspace *as)
{
	fake.nr_flush_all++;
	if (fake.on_flush != NULL)
		fake.on_flush(as, 0, UINT64_MAX);
}

WEAK pfn_t arch_mmu_recycle(struct aspace *as, uaddr_t va)
{
	(void)as, (void)va;
	return PFN_NONE;
}

WEAK void arch_mmu_warm(struct aspace *as)
{
	(void)as;
	fake.nr_warm++;
}

WEAK size_t arch_mmu_shrink(void) { return 0; }

WEAK uint32_t arch_mmu_frame_refs(pfn_t pfn)
{
	(void)pfn;
	return 0;
}

WEAK unsigned arch_fork_hot_pages(void) { return fake.fork_hot_pages; }
WEAK unsigned arch_fork_first_writes(void) { return fake.fork_first_writes; }
WEAK unsigned arch_fault_window_pages(void) { return fake.fault_window_pages; }

/* ---- time, console, power --------------------------------------------------------------- */

WEAK uint64_t arch_time_ns(void) { return fake.now_ns += fake.step_ns; }
WEAK void arch_timer_set(uint64_t deadline_ns) { fake.timer_deadline_ns = deadline_ns; }

WEAK void arch_random(void *buf, size_t size_bytes)
{
	static struct fake_random r = {42};

	for (size_t i = 0; i < size_bytes; i++)
		((unsigned char *)buf)[i] = (unsigned char)fake_random(&r);
}

static void capture(char *buf, size_t room, size_t *size, const char *text, size_t n)
{
	n = MIN(n, room - 1 - *size);
	memcpy(buf + *size, text, n);
	*size += n;
	buf[*size] = '\0';
}

WEAK void arch_console_write(const char *buf, size_t size_bytes)
{
	capture(fake.console, sizeof(fake.console), &fake.console_size, buf, size_bytes);
}

WEAK void arch_log_write(const char *buf, size_t size_bytes)
{
	capture(fake.log, sizeof(fake.log), &fake.log_size, buf, size_bytes);
	if (!fake.is_quiet && !fake.expects_panic)
		fwrite(buf, 1, size_bytes, stderr);
}

WEAK void arch_console_open_input(void) {}

WEAK void arch_console_size(unsigned *rows, unsigned *columns)
{
	*rows = 24;
	*columns = 80;
}

WEAK int arch_open_stdio(struct file *out[3])
{
	(void)out;
	return -19; /* ENODEV */
}

WEAK int arch_mount_root_host(void) { return -19; }
WEAK int arch_mount_binds(void) { return 0; }

WEAK void arch_power_off(int wait_status) { exit(wait_status >> 8 & 255); }
WEAK void arch_reboot(void) { exit(0); }

WEAK void arch_init_failed(int error, const char *path)
{
	fprintf(stderr, "fake machine: cannot start %s: error %d\n", path, error);
	exit(125);
}

WEAK void arch_boot_failed(int error, const char *what)
{
	fprintf(stderr, "fake machine: %s: error %d\n", what, error);
	exit(125);
}

WEAK void arch_panic_stop(void)
{
	fake.nr_panics++;
	if (fake.expects_panic)
		longjmp(fake.panic_jump, 1);
	abort();
}
