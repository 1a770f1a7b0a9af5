/*
 * Linux signal ABI: numbers, flags, siginfo codes and structures as the kernel
 * and 64-bit user programs exchange them. Sources: signal(7), sigaction(2),
 * include/uapi/asm-generic/{signal,siginfo}.h; x86_64 and aarch64 agree on all of it.
 */
#ifndef ABI_SIGNAL_H
#define ABI_SIGNAL_H

#include <stdint.h>

#define SIGHUP 1
#define SIGINT 2
#define SIGQUIT 3
#define SIGILL 4
#define SIGTRAP 5
#define SIGABRT 6
#define SIGBUS 7
#define SIGFPE 8
#define SIGKILL 9
#define SIGUSR1 10
#define SIGSEGV 11
#define SIGUSR2 12
#define SIGPIPE 13
#define SIGALRM 14
#define SIGTERM 15
#define SIGSTKFLT 16
#define SIGCHLD 17
#define SIGCONT 18
#define SIGSTOP 19
#define SIGTSTP 20
#define SIGTTIN 21
#define SIGTTOU 22
#define SIGURG 23
#define SIGXCPU 24
#define SIGXFSZ 25
#define SIGVTALRM 26
#define SIGPROF 27
#define SIGWINCH 28
#define SIGIO 29
#define SIGPOLL SIGIO
#define SIGPWR 30
#define SIGSYS 31
#define SIGRTMIN 32
#define SIGRTMAX 64
#define NR_SIGNALS 64

#define SA_NOCLDSTOP 0x00000001u
#define SA_NOCLDWAIT 0x00000002u
#define SA_SIGINFO 0x00000004u
#define SA_UNSUPPORTED 0x00000400u
#define SA_EXPOSE_TAGBITS 0x00000800u
#define SA_RESTORER 0x04000000u
#define SA_ONSTACK 0x08000000u
#define SA_RESTART 0x10000000u
#define SA_NODEFER 0x40000000u
#define SA_RESETHAND 0x80000000u

#define SIG_BLOCK 0
#define SIG_UNBLOCK 1
#define SIG_SETMASK 2

/* Values of linux_sigaction.handler. */
#define LINUX_SIG_DFL ((uint64_t)0)
#define LINUX_SIG_IGN ((uint64_t)1)

#define SS_ONSTACK 1u
#define SS_DISABLE 2u
#define SS_AUTODISARM 0x80000000u

/* si_code: positive is the kernel's, zero and below a user's. */
#define SI_USER 0
#define SI_KERNEL 0x80
#define SI_QUEUE (-1)
#define SI_TIMER (-2)
#define SI_MESGQ (-3)
#define SI_ASYNCIO (-4)
#define SI_SIGIO (-5)
#define SI_TKILL (-6)
#define SI_DETHREAD (-7)
#define SI_ASYNCNL (-60)

#define ILL_ILLOPC 1
#define ILL_ILLOPN 2
#define FPE_INTDIV 1
#define FPE_FLTDIV 3
#define FPE_FLTOVF 4
#define FPE_FLTUND 5
#define FPE_FLTRES 6
#define FPE_FLTINV 7
#define SEGV_MAPERR 1
#define SEGV_ACCERR 2
#define BUS_ADRALN 1
#define BUS_ADRERR 2
#define BUS_OBJERR 3
#define TRAP_BRKPT 1
#define TRAP_TRACE 2
#define CLD_EXITED 1
#define CLD_KILLED 2
#define CLD_DUMPED 3
#define CLD_TRAPPED 4
#define CLD_STOPPED 5
#define CLD_CONTINUED 6
#define SYS_SECCOMP 1

/* The kernel's struct sigaction of rt_sigaction(2). */
struct linux_sigaction {
	uint64_t handler;
	uint64_t flags;
	uint64_t restorer;
	uint64_t mask;
};

/*
 * siginfo_t up to the end of what any signal uses; which members count depends on signo and code. Zeros follow in
 * user memory, up to LINUX_SIGINFO_BYTES.
 */
#define LINUX_SIGINFO_BYTES 128u
struct linux_siginfo {
	int32_t signo, errno_value, code, pad0;
	union {
		uint64_t raw[4];
		struct { int32_t pid; uint32_t uid; } kill;
		struct { int32_t tid, overrun; uint64_t value; } timer;
		struct { int32_t pid; uint32_t uid; uint64_t value; } rt;
		struct { int32_t pid; uint32_t uid; int32_t status, pad; int64_t utime, stime; } chld;
		struct { uint64_t addr; int16_t addr_lsb; } fault;
		struct { int64_t band; int32_t fd; } poll;
		struct { uint64_t call_addr; int32_t syscall; uint32_t arch; } sys;
	};
};
_Static_assert(sizeof(struct linux_siginfo) == 48, "siginfo_t's used part");
#define LINUX_SIGINFO_REST (LINUX_SIGINFO_BYTES - sizeof(struct linux_siginfo))

/* stack_t of sigaltstack(2). */
struct linux_stack {
	uint64_t sp;
	int32_t flags, pad;
	uint64_t size;
};

/* struct sigevent of timer_create(2): 64 bytes. */
#define SIGEV_SIGNAL 0
#define SIGEV_NONE 1
#define SIGEV_THREAD 2
#define SIGEV_THREAD_ID 4
struct linux_sigevent {
	uint64_t value;
	int32_t signo, notify, tid, pad[11];
};
_Static_assert(sizeof(struct linux_sigevent) == 64, "struct sigevent is 64 bytes");

/* Bit of a signal (1..64) in a mask. */
#define SIGMASK(sig) (UINT64_C(1) << ((sig)-1))

#endif
