/*
 * Local sockets, unix(7): streams, datagrams and sequenced packets inside one machine,
 * with passing of descriptors and credentials. src/fs/unix_*.c implements it,
 * src/syscall/socket*.c has the system calls.
 *
 * Lock: unix_lock (spin) guards everything in struct unix_socket and the packets
 * in its queue; read_lock (sleeping, taken first) is held while bytes of a stream are copied out.
 */
#ifndef FS_UNIX_SOCKET_H
#define FS_UNIX_SOCKET_H

#include "abi/socket.h"
#include "fs/vfs.h"

#define SUN_FAMILY_BYTES offsetof(struct linux_sockaddr_un, sun_path)

/* sockaddr_un as it was given; len counts the family too. len <= 2: no name. */
struct unix_address {
	uint32_t len;
	struct linux_sockaddr_un un;
	char nul;                  /* a path of full length is terminated here */
};

/* Files under way. */
struct unix_rights {
	unsigned nr;
	struct file *files[];
};

struct unix_packet {
	struct list link;
	struct unix_socket *sender; /* a reference: its buffer space, its name */
	struct unix_rights *rights;
	struct linux_ucred cred;
	size_t capacity, len, offset; /* data[offset, len) is to be read */
	char data[];
};

enum unix_state { UNIX_UNCONNECTED, UNIX_LISTENING, UNIX_CONNECTED };

#define SHUT_RECEIVE 1u
#define SHUT_SEND 2u

struct unix_socket {
	uint32_t refs;             /* its file, its peer, packets of its own under way */
	int type;                  /* SOCK_* */
	enum unix_state state;
	struct file *file;         /* no reference; NULL: not accepted yet, or closed */
	struct unix_socket *peer;  /* a reference */
	unsigned shutdown;         /* SHUT_*; of a connection: both sides' view */
	int error;                 /* pending, positive */
	bool is_dead;              /* its file is gone */
	bool passes_cred;          /* SO_PASSCRED */
	struct linux_ucred cred, peer_cred;
	/* receiving */
	struct list queue;         /* of packets */
	struct mutex read_lock;
	struct waitq waitq;        /* everything: data, space, connections */
	/* sending */
	size_t nr_sent_bytes;      /* packets of ours that nobody has read */
	uint32_t send_limit, receive_limit; /* SO_SNDBUF, SO_RCVBUF */
	uint64_t receive_timeout_ns, send_timeout_ns; /* 0: none */
	/* listening */
	struct list backlog;       /* of embryos: sockets that connect(2) made for accept(2) */
	unsigned nr_backlog, backlog_max;
	struct list backlog_link;
	/* name */
	struct unix_address address;
	struct inode *inode;       /* of a name in the file system; a reference */
	struct list bound_link, all_link;
	/* collection of cycles */
	unsigned nr_in_flight;     /* references to file inside packets */
	bool is_reachable;
	struct list scan_link;
};

extern struct spinlock unix_lock;

/* The socket of a file, or NULL: it is none (-ENOTSOCK). */
struct unix_socket *unix_socket_of(struct file *file);

/* type: SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET; flags: O_NONBLOCK. -ENOMEM. */
MUST_CHECK int unix_socket_create(int type, unsigned flags, struct file **out);
MUST_CHECK int unix_socket_pair(int type, unsigned flags, struct file *out[2]);
MUST_CHECK int unix_bind(struct unix_socket *s, const struct unix_address *address);
MUST_CHECK int unix_listen(struct unix_socket *s, int backlog);
/* May sleep, as file's O_NONBLOCK says. */
MUST_CHECK int unix_accept(struct file *file, unsigned flags, struct file **out);
/* address->un.sun_family AF_UNSPEC: forgets the peer (datagrams). */
MUST_CHECK int unix_connect(struct file *file, const struct unix_address *address);
MUST_CHECK int unix_shutdown(struct unix_socket *s, int how);
/* -ENOTCONN. */
MUST_CHECK int unix_peer_address(struct unix_socket *s, struct unix_address *out);

struct unix_message {
	struct uio *uio;
	unsigned flags;            /* MSG_* */
	const struct unix_address *to; /* send: NULL: the peer */
	struct unix_rights *rights; /* send: taken over on success; receive: the caller's to use and free */
	struct linux_ucred cred;
	bool has_cred;             /* receive: cred is to be reported */
	struct unix_address from;  /* receive */
	unsigned out_flags;        /* receive: MSG_TRUNC */
};
/* Bytes moved or a negative errno; sends SIGPIPE where due. May sleep. */
int64_t unix_send(struct file *file, struct unix_message *m);
int64_t unix_receive(struct file *file, struct unix_message *m);
/* Drops the references and the array. NULL: nothing. */
void unix_rights_free(struct unix_rights *rights);

/* ---- between unix_socket.c, unix_transfer.c and unix_collect.c ------------- */

void unix_socket_put(struct unix_socket *s);
static inline void unix_socket_get(struct unix_socket *s) { s->refs++; }
/* The bound socket of a name, of this type, with a reference. -ECONNREFUSED -EPROTOTYPE, or of the path. */
MUST_CHECK int unix_find(const struct unix_address *address, int type, struct unix_socket **out);
struct linux_ucred unix_current_cred(void);
void unix_packet_free(struct unix_packet *p);
/* Frees what stands in the queue. */
void unix_queue_purge(struct unix_socket *s);
/* Is there room for another message of s? */
bool unix_has_space(const struct unix_socket *s);
/* deadline of a timeout (0: none). */
uint64_t unix_deadline(uint64_t timeout_ns);
/* Sockets whose only references are inside packets that nobody can reach: empties their queues. */
void unix_collect(void);
extern struct list unix_all;
/* Notes rights put into (or taken out of) a queue. */
void unix_rights_account(const struct unix_rights *rights, bool is_in_flight);

#endif
