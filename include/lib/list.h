/*
 * Intrusive doubly linked circular list. A `struct list` is a head or a link;
 * an initialised head points at itself. The caller's lock guards it.
 */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include "lib/types.h"

struct list {
	struct list *next, *prev;
};

#define LIST_INIT(name) {&(name), &(name)}
#define LIST_ENTRY(link, type, member) CONTAINER_OF(link, type, member)
#define LIST_FIRST(head, type, member) LIST_ENTRY((head)->next, type, member)

/* The body must not remove the current entry; LIST_FOR_EACH_SAFE allows it. */
#define LIST_FOR_EACH(pos, head, member)                                            \
	for (pos = LIST_ENTRY((head)->next, __typeof__(*pos), member); &pos->member != (head); \
	     pos = LIST_ENTRY(pos->member.next, __typeof__(*pos), member))
#define LIST_FOR_EACH_SAFE(pos, tmp, head, member)                                  \
	for (pos = LIST_ENTRY((head)->next, __typeof__(*pos), member),                   \
	    tmp = LIST_ENTRY(pos->member.next, __typeof__(*pos), member);                \
	     &pos->member != (head);                                                    \
	     pos = tmp, tmp = LIST_ENTRY(pos->member.next, __typeof__(*pos), member))

static inline void list_init(struct list *head) { head->next = head->prev = head; }
static inline bool list_is_empty(const struct list *head) { return head->next == head; }

static inline void list_insert_between(struct list *link, struct list *prev, struct list *next)
{
	link->prev = prev;
	link->next = next;
	prev->next = link;
	next->prev = link;
}
static inline void list_add_head(struct list *head, struct list *link) { list_insert_between(link, head, head->next); }
static inline void list_add_tail(struct list *head, struct list *link) { list_insert_between(link, head->prev, head); }

/* Removes link and leaves it an empty list of its own: removing twice is harmless. */
static inline void list_remove(struct list *link)
{
	link->prev->next = link->next;
	link->next->prev = link->prev;
	list_init(link);
}

#endif
