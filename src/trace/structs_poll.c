/* Structures of poll, select, epoll, sockets and terminals, and what is said behind some results: see structs.c. */
#include "abi/epoll.h"
#include "abi/fcntl.h"
#include "abi/ioctl.h"
#include "abi/poll.h"
#include "abi/socket.h"
#include "lib/string.h"
#include "mm/usercopy.h"
#include "structs.h"
#include "user_abi.h"

/* ---- waiting for descriptors ------------------------------------------------ */

static const struct flag_name poll_events[] = {
	FLAG(POLLIN), FLAG(POLLPRI), FLAG(POLLOUT), FLAG(POLLERR), FLAG(POLLHUP), FLAG(POLLNVAL), FLAG(POLLRDNORM),
	FLAG(POLLRDBAND), FLAG(POLLWRNORM), FLAG(POLLWRBAND), FLAG(POLLMSG), FLAG(POLLRDHUP), END,
};
#define POLL_SHOWN 32

static void add_pollfds(struct line *line, uint64_t addr, uint64_t count, bool are_results)
{
	const char *separator = "";
	struct linux_pollfd p;

	add(line, "[");
	for (uint64_t i = 0; i < count; i++) {
		if (i == POLL_SHOWN || copy_from_user(&p, uaddr(addr + i * sizeof(p)), sizeof(p)) != 0) {
			add(line, "%s...", separator);
			break;
		}
		if (are_results && p.revents == 0)
			continue;
		add(line, are_results ? "%s{fd=%d, revents=" : "%s{fd=%d, events=", separator, p.fd);
		add_flags(line, (uint16_t)(are_results ? p.revents : p.events), poll_events);
		add(line, "}");
		separator = ", ";
	}
	add(line, "]");
}

SHOW(show_pollfds)
{
	if (value == 0)
		add(a->line, "NULL");
	else
		add_pollfds(a->line, value, a->args[1], false);
}

static void add_fd_set(struct line *line, uint64_t addr, unsigned nr)
{
	const char *separator = "";
	uint64_t word = 0;

	add(line, "[");
	for (unsigned fd = 0; fd < nr && fd < 1024; fd++) {
		if (fd % 64 == 0 && copy_from_user(&word, uaddr(addr + fd / 8), sizeof(word)) != 0)
			break;
		if ((word >> (fd % 64) & 1) == 0)
			continue;
		add(line, "%s%u", separator, fd);
		separator = " ";
	}
	add(line, "]");
}

SHOW(show_fd_set)
{
	if (value == 0)
		add(a->line, "NULL");
	else
		add_fd_set(a->line, value, (unsigned)a->args[0]);
}

static void add_select_comment(struct line *line, const uint64_t *args, int64_t result)
{
	static const char *const names[] = {"in ", "out ", "except "};
	const char *separator = " (";

	if (result == 0) {
		add(line, " (Timeout)");
		return;
	}
	for (unsigned i = 0; i < 3; i++) {
		if (args[i + 1] == 0)
			continue;
		add(line, "%s%s", separator, names[i]);
		add_fd_set(line, args[i + 1], (unsigned)args[0]);
		separator = ", ";
	}
	add(line, ")");
}

void add_result_comment(struct line *line, const char *call, const uint64_t *args, int64_t result)
{
	if (result < 0)
		return;
	if (strcmp(call, "poll") == 0 || strcmp(call, "ppoll") == 0) {
		add(line, result == 0 ? " (Timeout)" : " (");
		if (result > 0) {
			add_pollfds(line, args[0], args[1], true);
			add(line, ")");
		}
	} else if (strcmp(call, "select") == 0 || strcmp(call, "pselect6") == 0) {
		add_select_comment(line, args, result);
	} else if (strcmp(call, "fcntl") == 0 && (int)args[1] == F_GETFL) {
		add(line, " (flags ");
		add_flags(line, (uint64_t)result, open_flag_names);
		add(line, ")");
	} else if (strcmp(call, "fcntl") == 0 && (int)args[1] == F_GETFD && (result & FD_CLOEXEC) != 0) {
		add(line, " (flags FD_CLOEXEC)");
	}
}

static const struct flag_name epoll_events[] = {
	FLAG(EPOLLIN),
	FLAG(EPOLLPRI),
	FLAG(EPOLLOUT),
	FLAG(EPOLLERR),
	FLAG(EPOLLHUP),
	FLAG(EPOLLRDHUP),
	FLAG(EPOLLEXCLUSIVE),
	FLAG(EPOLLWAKEUP),
	FLAG(EPOLLONESHOT),
	FLAG(EPOLLET),
	END,
};

static void add_epoll_event(struct line *line, const struct linux_epoll_event *e)
{
	add(line, "{events=");
	add_flags(line, e->events, epoll_events);
	add(line, ", data={u32=%u, u64=%llu}}", (uint32_t)e->data, (ull)e->data);
}

SHOW(show_epoll_event)
{
	struct linux_epoll_event e;

	if (fetch(a, value, &e, sizeof(e)))
		add_epoll_event(a->line, &e);
}

SHOW(show_epoll_events)
{
	struct linux_epoll_event e;

	if (a->result < 0) {
		add_pointer(a->line, value);
		return;
	}
	add(a->line, "[");
	for (int64_t i = 0; i < MIN(a->result, POLL_SHOWN); i++) {
		if (copy_from_user(&e, uaddr(value + (uint64_t)i * sizeof(e)), sizeof(e)) != 0)
			break;
		add(a->line, i != 0 ? ", " : "");
		add_epoll_event(a->line, &e);
	}
	add(a->line, "]");
}

/* ---- sockets, terminals ------------------------------------------------------ */

SHOW(show_socket_address)
{
	struct linux_sockaddr_un s = {0};
	uint64_t len = MIN(a->args[a->i + 1] & UINT32_MAX, sizeof(s));

	if (len < sizeof(s.sun_family) || !fetch(a, value, &s, len)) {
		if (len < sizeof(s.sun_family))
			add_pointer(a->line, value);
		return;
	}
	if (s.sun_family != AF_UNIX) {
		add(a->line, "{sa_family=%u, ...}", s.sun_family);
		return;
	}
	add(a->line, "{sa_family=AF_UNIX");
	if (len > sizeof(s.sun_family)) {
		size_t n = len - sizeof(s.sun_family);

		add(a->line, s.sun_path[0] == '\0' ? ", sun_path=@" : ", sun_path=");
		if (s.sun_path[0] == '\0')
			add_quoted(a->line, s.sun_path + 1, n - 1, false);
		else
			add_quoted(a->line, s.sun_path, strnlen(s.sun_path, n), false);
	}
	add(a->line, "}");
}

SHOW(show_ioctl_argument)
{
	uint16_t size[4];
	int32_t number;

	switch (a->result < 0 ? 0 : (uint32_t)a->args[1]) {
	case TIOCGWINSZ: case TIOCSWINSZ:
		if (fetch(a, value, size, sizeof(size)))
			add(a->line, "{ws_row=%u, ws_col=%u, ws_xpixel=%u, ws_ypixel=%u}", size[0], size[1], size[2],
			    size[3]);
		break;
	case TIOCGPGRP: case TIOCSPGRP: case TIOCGSID: case FIONREAD: case FIONBIO:
		if (fetch(a, value, &number, sizeof(number)))
			add(a->line, "[%d]", number);
		break;
	default: add_pointer(a->line, value);
	}
}

/* ---- the words ------------------------------------------------------------ */

const struct arg_kind poll_kinds[] = {
	INPUT("pollfds", show_pollfds), INPUT("fdset", show_fd_set), INPUT("epollevent", show_epoll_event),
	OUTPUT("epollevents", show_epoll_events), INPUT("sockaddr", show_socket_address),
	OUTPUT("ioctlarg", show_ioctl_argument), LAST_KIND,
};
