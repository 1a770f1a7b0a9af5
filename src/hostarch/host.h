/*
 * The host, in plain C types: the seam between the hosted machine's kernel code,
 * which must not see libc's headers, and host_*.c, the only code that calls
 * Linux. Results are 0 or a count, or a negative errno (the host's numbers are
 * Linux's). The files of the host's file systems have a header of their own,
 * host_fs.h.
 */
#ifndef HOSTARCH_HOST_H
#define HOSTARCH_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- memory: host_mem.c -------------------------------------------------- */

/* Creates physical memory (a sparse memfd at STUB_FD_RW and STUB_FD_RO) and maps it. */
int host_memory_create(uint64_t size_bytes, void **base);
/* Zeroed private memory of the machine's own, in whole pages; NULL: the host has no more. */
void *host_pages_alloc(size_t size_bytes);
void host_pages_free(void *pages, size_t size_bytes);
/* How many mappings a process may have (vm.max_map_count). */
uint64_t host_max_mappings(void);

/* ---- stubs: host_stub.c -------------------------------------------------- */

/* Creates the shared areas of all stubs, mapped at *base, and the memfd with the stub's program. */
int host_stub_setup(const void *program, size_t program_bytes, size_t shared_bytes, void **base);
/* Starts a stub whose shared area is at `offset`. Its process id, or a negative errno. */
int host_stub_spawn(uint64_t offset);
/* Kills it (when it still lives) and waits for its end. */
void host_stub_kill(int pid);
/* The next child that has ended, or 0. */
int host_stub_reap(void);
/* The stub that signals have to interrupt, and the doorbell the kernel may be sleeping on; 0, NULL: none. */
void host_stub_set_running(int pid, uint32_t *doorbell);
/* Makes the running stub hand over. */
void host_stub_kick(int pid);
void host_futex_wake(uint32_t *word);
void host_futex_wait(uint32_t *word, uint32_t value);
/* How many threads sleep on the word. They go on sleeping. */
int host_futex_sleepers(uint32_t *word);
void host_yield(void);
/* Fills p with the host's randomness. */
void host_random(void *p, size_t size_bytes);
int host_getpid(void);
uint32_t host_uid(void);
uint32_t host_gid(void);

/* ---- time and signals: host_signal.c ------------------------------------- */

/* What signal handlers have noted since host_pending_take(). */
enum host_pending {
	HOST_TIMER = 1,     /* the timer ran out */
	HOST_CHILD = 2,     /* a stub has ended */
	HOST_WINCH = 4,     /* the terminal's size has changed */
	HOST_INTERRUPT = 8, /* SIGINT: Ctrl-C, while the terminal is not raw */
	HOST_QUIT = 16,     /* SIGQUIT: Ctrl-\\, likewise */
	HOST_STOP = 32,     /* SIGTERM, SIGHUP, or SIGQUIT from a process: end in order */
	HOST_CONTINUED = 64,
};
extern volatile unsigned host_pending;
extern volatile int host_stop_signal; /* which one it was */
unsigned host_pending_take(unsigned which);

/* Pins the process to one CPU, installs the handlers. timeout_seconds: 0 none. */
int host_signal_init(double timeout_seconds);
uint64_t host_time_ns(void);          /* CLOCK_MONOTONIC */
uint64_t host_realtime_ns(void);
/* The timer signal comes in delay_ns; 0: never. */
void host_timer_set(uint64_t delay_ns);
/*
 * Sleeps until a signal is noted, a descriptor is ready or timeout_ns passes (UINT64_MAX: never). events:
 * what to wait for (POLLIN 1, POLLOUT 4); revents: what holds.
 */
struct host_poll { int fd; short events, revents; };
void host_idle(struct host_poll *fds, unsigned nr, uint64_t timeout_ns);
/* What holds now; does not sleep. Number of entries with events. */
int host_poll_now(struct host_poll *fds, unsigned nr);

/* ---- terminal and streams: host_tty.c ------------------------------------ */

bool host_is_tty(int fd);
/* Raw mode, until host_tty_restore(); every way out of the process restores. */
int host_tty_raw(int fd);
void host_tty_restore(void);
void host_tty_size(int fd, unsigned *rows, unsigned *columns);

/* What kind of thing a descriptor we were given is. */
struct host_stream {
	uint64_t dev, ino, rdev, size_bytes, blocks512;
	uint32_t mode, uid, gid;
	bool is_seekable, is_readable, is_writable, is_append, is_null;
};
int host_stream_info(int fd, struct host_stream *out);
/*
 * Moves data without ever sleeping and without changing the description's flags. -EAGAIN: not now.
 * offset UINT64_MAX: where the description stands.
 */
int64_t host_stream_read(int fd, void *buf, size_t size_bytes);
int64_t host_stream_write(int fd, const void *buf, size_t size_bytes);
int64_t host_stream_pread(int fd, void *buf, size_t size_bytes, uint64_t offset);
int64_t host_stream_pwrite(int fd, const void *buf, size_t size_bytes, uint64_t offset);
int64_t host_stream_seek(int fd, int64_t offset, int whence);
/* Another description of the same file, at its beginning. */
int host_stream_reopen(int fd, bool reads, bool writes, bool appends);
void host_stream_close(int fd);
int host_stream_truncate(int fd, uint64_t size_bytes);
/* The whole of buf to stderr or stdout, sleeping if need be. */
void host_write_all(int fd, const void *buf, size_t size_bytes);
/* Opens a file of the host for writing (--stats, --trace); a descriptor above the low ones. */
int host_create_file(const char *path);
/* Maps a whole file read-only (--initrd). */
int host_map_file(const char *path, const void **data, size_t *size_bytes);

/* ---- the end: host_signal.c ---------------------------------------------- */

/* Restores the terminal, ends all stubs, exits. */
void host_exit(int status) __attribute__((noreturn));
/* "levitate: text" on stderr, then host_exit(status). */
void host_fail(int status, const char *text) __attribute__((noreturn));
/* strerror(3). */
const char *host_error_text(int error);
/* Prints the kernel's call stack to stderr (libunwind). */
void host_backtrace(void);
/* A copy of the process aborts and leaves a core, if the host is set up for cores (ulimit -c). */
void host_leave_core(void);

#endif
