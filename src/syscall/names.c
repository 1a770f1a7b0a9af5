/* Names of the ABI's constants: see syscall/names.h. */
#include "syscall/names.h"

#include "abi/errno.h"
#include "abi/fcntl.h"
#include "abi/mman.h"
#include "abi/sched.h"
#include "abi/signal.h"
#include "abi/wait.h"
#include "user_abi.h"

#define FLAG(name) {name, name, #name}
#define END {0, 0, NULL}

const struct flag_name open_flag_names[] = {
	{O_ACCMODE, O_RDONLY, "O_RDONLY"}, {O_ACCMODE, O_WRONLY, "O_WRONLY"}, {O_ACCMODE, O_RDWR, "O_RDWR"},
	FLAG(O_CREAT), FLAG(O_EXCL), FLAG(O_NOCTTY), FLAG(O_TRUNC), FLAG(O_APPEND), FLAG(O_NONBLOCK),
	FLAG(O_TMPFILE), FLAG(O_DIRECTORY), FLAG(O_NOFOLLOW), FLAG(O_CLOEXEC), FLAG(O_PATH), FLAG(O_DIRECT),
	FLAG(O_LARGEFILE), FLAG(O_SYNC), FLAG(O_DSYNC), FLAG(O_NOATIME), END,
};
const struct flag_name prot_names[] = {
	{7, 0, "PROT_NONE"}, FLAG(PROT_READ), FLAG(PROT_WRITE), FLAG(PROT_EXEC), FLAG(PROT_GROWSDOWN), END,
};
const struct flag_name mmap_flag_names[] = {
	FLAG(MAP_SHARED), FLAG(MAP_PRIVATE), FLAG(MAP_FIXED), FLAG(MAP_ANONYMOUS), FLAG(MAP_GROWSDOWN),
	FLAG(MAP_DENYWRITE), FLAG(MAP_EXECUTABLE), FLAG(MAP_LOCKED), FLAG(MAP_NORESERVE), FLAG(MAP_POPULATE),
	FLAG(MAP_NONBLOCK), FLAG(MAP_STACK), FLAG(MAP_HUGETLB), FLAG(MAP_FIXED_NOREPLACE), END,
};
const struct flag_name wait_flag_names[] = {
	FLAG(WNOHANG), FLAG(WSTOPPED), FLAG(WEXITED), FLAG(WCONTINUED), FLAG(WNOWAIT), FLAG(__WNOTHREAD),
	FLAG(__WALL), FLAG(__WCLONE), END,
};
const struct flag_name clone_flag_names[] = {
	FLAG(CLONE_VM), FLAG(CLONE_FS), FLAG(CLONE_FILES), FLAG(CLONE_SIGHAND), FLAG(CLONE_PIDFD),
	FLAG(CLONE_PTRACE), FLAG(CLONE_VFORK), FLAG(CLONE_PARENT), FLAG(CLONE_THREAD), FLAG(CLONE_NEWNS),
	FLAG(CLONE_SYSVSEM), FLAG(CLONE_SETTLS), FLAG(CLONE_PARENT_SETTID), FLAG(CLONE_CHILD_CLEARTID),
	FLAG(CLONE_DETACHED), FLAG(CLONE_UNTRACED), FLAG(CLONE_CHILD_SETTID), FLAG(CLONE_NEWCGROUP),
	FLAG(CLONE_NEWUTS), FLAG(CLONE_NEWIPC), FLAG(CLONE_NEWUSER), FLAG(CLONE_NEWPID), FLAG(CLONE_NEWNET),
	FLAG(CLONE_IO), END,
};

const char *signal_name(int sig)
{
	static const char *const names[] = {
		[SIGHUP] = "SIGHUP", [SIGINT] = "SIGINT", [SIGQUIT] = "SIGQUIT", [SIGILL] = "SIGILL",
		[SIGTRAP] = "SIGTRAP", [SIGABRT] = "SIGABRT", [SIGBUS] = "SIGBUS", [SIGFPE] = "SIGFPE",
		[SIGKILL] = "SIGKILL", [SIGUSR1] = "SIGUSR1", [SIGSEGV] = "SIGSEGV", [SIGUSR2] = "SIGUSR2",
		[SIGPIPE] = "SIGPIPE", [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM", [SIGSTKFLT] = "SIGSTKFLT",
		[SIGCHLD] = "SIGCHLD", [SIGCONT] = "SIGCONT", [SIGSTOP] = "SIGSTOP", [SIGTSTP] = "SIGTSTP",
		[SIGTTIN] = "SIGTTIN", [SIGTTOU] = "SIGTTOU", [SIGURG] = "SIGURG", [SIGXCPU] = "SIGXCPU",
		[SIGXFSZ] = "SIGXFSZ", [SIGVTALRM] = "SIGVTALRM", [SIGPROF] = "SIGPROF", [SIGWINCH] = "SIGWINCH",
		[SIGIO] = "SIGIO", [SIGPWR] = "SIGPWR", [SIGSYS] = "SIGSYS",
	};

	return sig > 0 && (size_t)sig < ARRAY_SIZE(names) ? names[sig] : NULL;
}

const char *errno_name(int error)
{
	static const char *const names[] = {
		[EPERM] = "EPERM", [ENOENT] = "ENOENT", [ESRCH] = "ESRCH",
		[EINTR] = "EINTR", [EIO] = "EIO", [ENXIO] = "ENXIO",
		[E2BIG] = "E2BIG", [ENOEXEC] = "ENOEXEC", [EBADF] = "EBADF",
		[ECHILD] = "ECHILD", [EAGAIN] = "EAGAIN", [ENOMEM] = "ENOMEM",
		[EACCES] = "EACCES", [EFAULT] = "EFAULT", [ENOTBLK] = "ENOTBLK",
		[EBUSY] = "EBUSY", [EEXIST] = "EEXIST", [EXDEV] = "EXDEV",
		[ENODEV] = "ENODEV", [ENOTDIR] = "ENOTDIR", [EISDIR] = "EISDIR",
		[EINVAL] = "EINVAL", [ENFILE] = "ENFILE", [EMFILE] = "EMFILE",
		[ENOTTY] = "ENOTTY", [ETXTBSY] = "ETXTBSY", [EFBIG] = "EFBIG",
		[ENOSPC] = "ENOSPC", [ESPIPE] = "ESPIPE", [EROFS] = "EROFS",
		[EMLINK] = "EMLINK", [EPIPE] = "EPIPE", [EDOM] = "EDOM",
		[ERANGE] = "ERANGE", [EDEADLK] = "EDEADLK", [ENAMETOOLONG] = "ENAMETOOLONG",
		[ENOLCK] = "ENOLCK", [ENOSYS] = "ENOSYS", [ENOTEMPTY] = "ENOTEMPTY",
		[ELOOP] = "ELOOP", [ENOMSG] = "ENOMSG", [EIDRM] = "EIDRM",
		[ECHRNG] = "ECHRNG", [EL2NSYNC] = "EL2NSYNC", [EL3HLT] = "EL3HLT",
		[EL3RST] = "EL3RST", [ELNRNG] = "ELNRNG", [EUNATCH] = "EUNATCH",
		[ENOCSI] = "ENOCSI", [EL2HLT] = "EL2HLT", [EBADE] = "EBADE",
		[EBADR] = "EBADR", [EXFULL] = "EXFULL", [ENOANO] = "ENOANO",
		[EBADRQC] = "EBADRQC", [EBADSLT] = "EBADSLT", [EBFONT] = "EBFONT",
		[ENOSTR] = "ENOSTR", [ENODATA] = "ENODATA", [ETIME] = "ETIME",
		[ENOSR] = "ENOSR", [ENONET] = "ENONET", [ENOPKG] = "ENOPKG",
		[EREMOTE] = "EREMOTE", [ENOLINK] = "ENOLINK", [EADV] = "EADV",
		[ESRMNT] = "ESRMNT", [ECOMM] = "ECOMM", [EPROTO] = "EPROTO",
		[EMULTIHOP] = "EMULTIHOP", [EDOTDOT] = "EDOTDOT", [EBADMSG] = "EBADMSG",
		[EOVERFLOW] = "EOVERFLOW", [ENOTUNIQ] = "ENOTUNIQ", [EBADFD] = "EBADFD",
		[EREMCHG] = "EREMCHG", [ELIBACC] = "ELIBACC", [ELIBBAD] = "ELIBBAD",
		[ELIBSCN] = "ELIBSCN", [ELIBMAX] = "ELIBMAX", [ELIBEXEC] = "ELIBEXEC",
		[EILSEQ] = "EILSEQ", [ERESTART] = "ERESTART", [ESTRPIPE] = "ESTRPIPE",
		[EUSERS] = "EUSERS", [ENOTSOCK] = "ENOTSOCK", [EDESTADDRREQ] = "EDESTADDRREQ",
		[EMSGSIZE] = "EMSGSIZE", [EPROTOTYPE] = "EPROTOTYPE", [ENOPROTOOPT] = "ENOPROTOOPT",
		[EPROTONOSUPPORT] = "EPROTONOSUPPORT", [ESOCKTNOSUPPORT] = "ESOCKTNOSUPPORT",
		[EOPNOTSUPP] = "EOPNOTSUPP",
		[EPFNOSUPPORT] = "EPFNOSUPPORT", [EAFNOSUPPORT] = "EAFNOSUPPORT", [EADDRINUSE] = "EADDRINUSE",
		[EADDRNOTAVAIL] = "EADDRNOTAVAIL", [ENETDOWN] = "ENETDOWN", [ENETUNREACH] = "ENETUNREACH",
		[ENETRESET] = "ENETRESET", [ECONNABORTED] = "ECONNABORTED", [ECONNRESET] = "ECONNRESET",
		[ENOBUFS] = "ENOBUFS", [EISCONN] = "EISCONN", [ENOTCONN] = "ENOTCONN",
		[ESHUTDOWN] = "ESHUTDOWN", [ETOOMANYREFS] = "ETOOMANYREFS", [ETIMEDOUT] = "ETIMEDOUT",
		[ECONNREFUSED] = "ECONNREFUSED", [EHOSTDOWN] = "EHOSTDOWN", [EHOSTUNREACH] = "EHOSTUNREACH",
		[EALREADY] = "EALREADY", [EINPROGRESS] = "EINPROGRESS", [ESTALE] = "ESTALE",
		[EUCLEAN] = "EUCLEAN", [ENOTNAM] = "ENOTNAM", [ENAVAIL] = "ENAVAIL",
		[EISNAM] = "EISNAM", [EREMOTEIO] = "EREMOTEIO", [EDQUOT] = "EDQUOT",
		[ENOMEDIUM] = "ENOMEDIUM", [EMEDIUMTYPE] = "EMEDIUMTYPE", [ECANCELED] = "ECANCELED",
		[ENOKEY] = "ENOKEY", [EKEYEXPIRED] = "EKEYEXPIRED", [EKEYREVOKED] = "EKEYREVOKED",
		[EKEYREJECTED] = "EKEYREJECTED", [EOWNERDEAD] = "EOWNERDEAD", [ENOTRECOVERABLE] = "ENOTRECOVERABLE",
		[ERFKILL] = "ERFKILL", [EHWPOISON] = "EHWPOISON",
	};

	return error > 0 && (size_t)error < ARRAY_SIZE(names) ? names[error] : NULL;
}

/* As the host's strerror(3) says them. */
const char *errno_text(int error)
{
	static const char *const texts[] = {
		[EPERM] = "Operation not permitted",
		[ENOENT] = "No such file or directory",
		[ESRCH] = "No such process",
		[EINTR] = "Interrupted system call",
		[EIO] = "Input/output error",
		[ENXIO] = "No such device or address",
		[E2BIG] = "Argument list too long",
		[ENOEXEC] = "Exec format error",
		[EBADF] = "Bad file descriptor",
		[ECHILD] = "No child processes",
		[EAGAIN] = "Resource temporarily unavailable",
		[ENOMEM] = "Cannot allocate memory",
		[EACCES] = "Permission denied",
		[EFAULT] = "Bad address",
		[ENOTBLK] = "Block device required",
		[EBUSY] = "Device or resource busy",
		[EEXIST] = "File exists",
		[EXDEV] = "Invalid cross-device link",
		[ENODEV] = "No such device",
		[ENOTDIR] = "Not a directory",
		[EISDIR] = "Is a directory",
		[EINVAL] = "Invalid argument",
		[ENFILE] = "Too many open files in system",
		[EMFILE] = "Too many open files",
		[ENOTTY] = "Inappropriate ioctl for device",
		[ETXTBSY] = "Text file busy",
		[EFBIG] = "File too large",
		[ENOSPC] = "No space left on device",
		[ESPIPE] = "Illegal seek",
		[EROFS] = "Read-only file system",
		[EMLINK] = "Too many links",
		[EPIPE] = "Broken pipe",
		[EDOM] = "Numerical argument out of domain",
		[ERANGE] = "Numerical result out of range",
		[EDEADLK] = "Resource deadlock avoided",
		[ENAMETOOLONG] = "File name too long",
		[ENOLCK] = "No locks available",
		[ENOSYS] = "Function not implemented",
		[ENOTEMPTY] = "Directory not empty",
		[ELOOP] = "Too many levels of symbolic links",
		[ENOMSG] = "No message of desired type",
		[EIDRM] = "Identifier removed",
		[ECHRNG] = "Channel number out of range",
		[EL2NSYNC] = "Level 2 not synchronized",
		[EL3HLT] = "Level 3 halted",
		[EL3RST] = "Level 3 reset",
		[ELNRNG] = "Link number out of range",
		[EUNATCH] = "Protocol driver not attached",
		[ENOCSI] = "No CSI structure available",
		[EL2HLT] = "Level 2 halted",
		[EBADE] = "Invalid exchange",
		[EBADR] = "Invalid request descriptor",
		[EXFULL] = "Exchange full",
		[ENOANO] = "No anode",
		[EBADRQC] = "Invalid request code",
		[EBADSLT] = "Invalid slot",
		[EBFONT] = "Bad font file format",
		[ENOSTR] = "Device not a stream",
		[ENODATA] = "No data available",
		[ETIME] = "Timer expired",
		[ENOSR] = "Out of streams resources",
		[ENONET] = "Machine is not on the network",
		[ENOPKG] = "Package not installed",
		[EREMOTE] = "Object is remote",
		[ENOLINK] = "Link has been severed",
		[EADV] = "Advertise error",
		[ESRMNT] = "Srmount error",
		[ECOMM] = "Communication error on send",
		[EPROTO] = "Protocol error",
		[EMULTIHOP] = "Multihop attempted",
		[EDOTDOT] = "RFS specific error",
		[EBADMSG] = "Bad message",
		[EOVERFLOW] = "Value too large for defined data type",
		[ENOTUNIQ] = "Name not unique on network",
		[EBADFD] = "File descriptor in bad state",
		[EREMCHG] = "Remote address changed",
		[ELIBACC] = "Can not access a needed shared library",
		[ELIBBAD] = "Accessing a corrupted shared library",
		[ELIBSCN] = ".lib section in a.out corrupted",
		[ELIBMAX] = "Attempting to link in too many shared libraries",
		[ELIBEXEC] = "Cannot exec a shared library directly",
		[EILSEQ] = "Invalid or incomplete multibyte or wide character",
		[ERESTART] = "Interrupted system call should be restarted",
		[ESTRPIPE] = "Streams pipe error",
		[EUSERS] = "Too many users",
		[ENOTSOCK] = "Socket operation on non-socket",
		[EDESTADDRREQ] = "Destination address required",
		[EMSGSIZE] = "Message too long",
		[EPROTOTYPE] = "Protocol wrong type for socket",
		[ENOPROTOOPT] = "Protocol not available",
		[EPROTONOSUPPORT] = "Protocol not supported",
		[ESOCKTNOSUPPORT] = "Socket type not supported",
		[EOPNOTSUPP] = "Operation not supported",
		[EPFNOSUPPORT] = "Protocol family not supported",
		[EAFNOSUPPORT] = "Address family not supported by protocol",
		[EADDRINUSE] = "Address already in use",
		[EADDRNOTAVAIL] = "Cannot assign requested address",
		[ENETDOWN] = "Network is down",
		[ENETUNREACH] = "Network is unreachable",
		[ENETRESET] = "Network dropped connection on reset",
		[ECONNABORTED] = "Software caused connection abort",
		[ECONNRESET] = "Connection reset by peer",
		[ENOBUFS] = "No buffer space available",
		[EISCONN] = "Transport endpoint is already connected",
		[ENOTCONN] = "Transport endpoint is not connected",
		[ESHUTDOWN] = "Cannot send after transport endpoint shutdown",
		[ETOOMANYREFS] = "Too many references: cannot splice",
		[ETIMEDOUT] = "Connection timed out",
		[ECONNREFUSED] = "Connection refused",
		[EHOSTDOWN] = "Host is down",
		[EHOSTUNREACH] = "No route to host",
		[EALREADY] = "Operation already in progress",
		[EINPROGRESS] = "Operation now in progress",
		[ESTALE] = "Stale file handle",
		[EUCLEAN] = "Structure needs cleaning",
		[ENOTNAM] = "Not a XENIX named type file",
		[ENAVAIL] = "No XENIX semaphores available",
		[EISNAM] = "Is a named type file",
		[EREMOTEIO] = "Remote I/O error",
		[EDQUOT] = "Disk quota exceeded",
		[ENOMEDIUM] = "No medium found",
		[EMEDIUMTYPE] = "Wrong medium type",
		[ECANCELED] = "Operation canceled",
		[ENOKEY] = "Required key not available",
		[EKEYEXPIRED] = "Key has expired",
		[EKEYREVOKED] = "Key has been revoked",
		[EKEYREJECTED] = "Key was rejected by service",
		[EOWNERDEAD] = "Owner died",
		[ENOTRECOVERABLE] = "State not recoverable",
		[ERFKILL] = "Operation not possible due to RF-kill",
		[EHWPOISON] = "Memory page has hardware error",
	};

	return error > 0 && (size_t)error < ARRAY_SIZE(texts) ? texts[error] : NULL;
}
