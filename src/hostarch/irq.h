/* Interrupts of the hosted machine: what the host's signals turn into. */
#ifndef HOSTARCH_IRQ_H
#define HOSTARCH_IRQ_H

#include "lib/types.h"

/* Something may be pending. */
bool irq_is_pending(void);
/* Handles what is pending; bits of enum trap_interrupt for the upcall, 0: nothing for the core. */
unsigned irq_take(void);

/* Someone waits for a stream: it is polled when the CPU is idle, and now and then when it is not. */
struct irq_source {
	int fd;
	short events;          /* POLLIN 1, POLLOUT 4; 0: nothing is waited for */
	void (*ready)(struct irq_source *source, short events);
	struct irq_source *next;
	bool is_registered;
};
void irq_source_wait(struct irq_source *source, short events);

#endif
