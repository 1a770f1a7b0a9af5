/* wait4(2), waitid(2): options and the encoding of a wait status. */
#ifndef ABI_WAIT_H
#define ABI_WAIT_H

#define WNOHANG 0x00000001
#define WUNTRACED 0x00000002
#define WSTOPPED WUNTRACED
#define WEXITED 0x00000004
#define WCONTINUED 0x00000008
#define WNOWAIT 0x01000000
#define __WNOTHREAD 0x20000000
#define __WALL 0x40000000
#define __WCLONE ((int)0x80000000u)

#define P_ALL 0
#define P_PID 1
#define P_PGID 2
#define P_PIDFD 3

#define WAIT_STATUS_EXITED(code) (((code)&0xff) << 8)
#define WAIT_STATUS_SIGNALED(sig) ((sig)&0x7f)
#define WAIT_STATUS_STOPPED(sig) ((((sig)&0xff) << 8) | 0x7f)
#define WAIT_STATUS_CONTINUED 0xffff
#define WAIT_STATUS_CORE_FLAG 0x80

#endif
