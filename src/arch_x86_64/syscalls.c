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

static int64_t set_base(struct task *t, uint64_t *base, uint64_t addr)
{
	if (addr >= arch_user_end())
		return -EPERM;
	arch_fpu_save(t);
	*base = addr;
	arch_fpu_changed(t);
	return 0;
}

static int64_t get_base(struct task *t, const uint64_t *base, uint64_t addr)
{
	arch_fpu_save(t);
	return copy_to_user(uaddr(addr), base, sizeof(*base));
}

SYSCALL_DEFINE(arch_prctl)
{
	struct task *me = current_task();

	switch (args[0]) {
	case ARCH_SET_FS:
		return set_base(me, &me->frame->fs_base, args[1]);
	case ARCH_SET_GS:
		return set_base(me, &me->frame->gs_base, args[1]);
	case ARCH_GET_FS:
		return get_base(me, &me->frame->fs_base, args[1]);
	case ARCH_GET_GS:
		return get_base(me, &me->frame->gs_base, args[1]);
	case ARCH_GET_CPUID:
		return 1;
	case ARCH_SET_CPUID:
		return -ENODEV;
	default:
		return -EINVAL;
	}
}
