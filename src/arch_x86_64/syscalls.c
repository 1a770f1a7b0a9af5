/* System calls that exist on x86_64 only: arch_prctl(2). */
#include "abi/errno.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "sched/task.h"
#include "syscall/syscall.h"

#define ARCH_SET_GS 0x1001
#define ARCH_SET_FS 0x1002
#define ARCH_GET_FS 0x1003
#define ARCH_GET_GS 0x1004
#define ARCH_GET_CPUID 0x1011
#define ARCH_SET_CPUID 0x1012

SYSCALL_DEFINE(arch_prctl)
{
	struct trap_frame *f = current_task()->frame;
	uint64_t addr = args[1];

	switch (args[0]) {
	case ARCH_SET_FS:
		if (addr >= arch_user_end())
			return -EPERM;
		f->fs_base = addr;
		return 0;
	case ARCH_SET_GS:
		if (addr >= arch_user_end())
			return -EPERM;
		f->gs_base = addr;
		return 0;
	case ARCH_GET_FS:
		return copy_to_user(uaddr(addr), &f->fs_base, sizeof(f->fs_base));
	case ARCH_GET_GS:
		return copy_to_user(uaddr(addr), &f->gs_base, sizeof(f->gs_base));
	case ARCH_GET_CPUID:
		return 1;
	case ARCH_SET_CPUID:
		return -ENODEV;
	default:
		return -EINVAL;
	}
}
