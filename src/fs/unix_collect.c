/*
 * Local sockets: sockets that are only held by packets in each other's queues. A
 * socket may travel through a socket (SCM_RIGHTS), even through itself; when both
 * ends are closed no close(2) ever reaches it. Whenever a socket is closed while
 * others are in flight, what cannot be reached from an open descriptor is emptied.
 * Lock: none sleeps between marking and emptying, and nothing else runs meanwhile.
 */
#include "fs/unix_socket.h"

#include "lib/assert.h"

static unsigned nr_in_flight;
static bool is_collecting;

void unix_rights_account(const struct unix_rights *rights, bool is_in_flight)
{
	for (unsigned i = 0; i < rights->nr; i++) {
		struct unix_socket *s = unix_socket_of(rights->files[i]);

		if (s == NULL)
			continue;
		ASSERT(is_in_flight || (s->nr_in_flight > 0 && nr_in_flight > 0));
		s->nr_in_flight += is_in_flight ? 1 : -1u;
		nr_in_flight += is_in_flight ? 1 : -1u;
	}
}

static void reach(struct unix_socket *s, struct list *work)
{
	if (s->is_reachable)
		return;
	s->is_reachable = true;
	list_add_tail(work, &s->scan_link);
}

/* What a reader of s could get at. */
static void scan(struct unix_socket *s, struct list *work)
{
	struct unix_socket *embryo;
	struct unix_packet *p;

	LIST_FOR_EACH(p, &s->queue, link)
		for (unsigned i = 0; p->rights != NULL && i < p->rights->nr; i++) {
			struct unix_socket *passed = unix_socket_of(p->rights->files[i]);

			if (passed != NULL)
				reach(passed, work);
		}
	LIST_FOR_EACH(embryo, &s->backlog, backlog_link)
		reach(embryo, work);
}

/* Held by packets only? Files somebody uses at the moment have more references. */
static bool is_suspect(const struct unix_socket *s)
{
	return s->file == NULL || s->file->refs == s->nr_in_flight;
}

/* An unreachable socket with something in its queue, or NULL. Marks anew. */
static struct unix_socket *find_garbage(void)
{
	struct list work = LIST_INIT(work);
	struct unix_socket *s;

	LIST_FOR_EACH(s, &unix_all, all_link) {
		s->is_reachable = false;
		list_init(&s->scan_link);
	}
	LIST_FOR_EACH(s, &unix_all, all_link)
		if (!is_suspect(s))
			reach(s, &work);
	while (!list_is_empty(&work)) {
		s = LIST_FIRST(&work, struct unix_socket, scan_link);
		list_remove(&s->scan_link);
		scan(s, &work);
	}
	LIST_FOR_EACH(s, &unix_all, all_link)
		if (!s->is_reachable && s->file != NULL && !list_is_empty(&s->queue))
			return s;
	return NULL;
}

void unix_collect(void)
{
	struct unix_socket *s;

	/* Emptying a queue closes sockets, which comes here again. */
	if (nr_in_flight == 0 || is_collecting)
		return;
	is_collecting = true;
	while ((s = find_garbage()) != NULL) {
		unix_socket_get(s);
		unix_queue_purge(s);
		unix_socket_put(s);
	}
	is_collecting = false;
}
