/*
 * The first serial port, a 16550 at its traditional place, 115200 baud 8N1. Output is busy; input comes by
 * interrupt. Where nothing answers, output goes nowhere.
 */
#include "boot.h"

#define COM1 0x3f8u
enum { DATA = COM1, INTERRUPT_ENABLE, FIFO_CONTROL, LINE_CONTROL, MODEM_CONTROL, LINE_STATUS, MODEM_STATUS, SCRATCH };
#define INTERRUPT_ID FIFO_CONTROL /* when read */

#define LINE_8N1 0x03
#define LINE_DIVISOR 0x80
#define FIFO_ON 0x07 /* and cleared; an interrupt for each byte */
#define MODEM_ON 0x0b /* DTR RTS, and OUT2 lets interrupts through */
#define STATUS_RECEIVED 0x01
#define STATUS_SENT 0x20  /* room in the FIFO: all of it */
#define STATUS_IDLE 0x40  /* the last bit is on the line */
#define STATUS_ABSENT 0xff
#define FIFO_BYTES 16u
#define SPINS_MAX 100000u

static bool is_present;

void uart_init(void)
{
	outb(INTERRUPT_ENABLE, 0);
	outb(LINE_CONTROL, LINE_DIVISOR);
	outb(DATA, 1);
	outb(INTERRUPT_ENABLE, 0);
	outb(LINE_CONTROL, LINE_8N1);
	outb(SCRATCH, 0x5a);
	is_present = inb(SCRATCH) == 0x5a;
	if (is_present)
		uart_interrupt(); /* what was typed already: turning the FIFO on clears it */
	outb(FIFO_CONTROL, FIFO_ON);
	outb(MODEM_CONTROL, MODEM_ON);
}

static void wait_for(uint8_t status)
{
	for (unsigned i = 0; i < SPINS_MAX && (inb(LINE_STATUS) & status) == 0; i++)
		;
}

void uart_drain(void)
{
	if (is_present)
		wait_for(STATUS_IDLE);
}

void machine_console_write(const char *buf, size_t size_bytes)
{
	while (is_present && size_bytes > 0) {
		wait_for(STATUS_SENT);
		for (unsigned i = 0; i < FIFO_BYTES && size_bytes > 0; i++, size_bytes--)
			outb(DATA, (uint8_t)*buf++);
	}
}

void machine_console_enable_input(void)
{
	if (!is_present)
		return;
	irq_enable_serial();
	outb(INTERRUPT_ENABLE, 1);
	uart_interrupt(); /* what came before */
}

void uart_interrupt(void)
{
	char buf[FIFO_BYTES];
	unsigned n;

	/* An edge is lost when bytes are left behind. */
	do {
		inb(INTERRUPT_ID);
		for (n = 0; n < sizeof(buf) && (inb(LINE_STATUS) & STATUS_RECEIVED) != 0; n++)
			buf[n] = (char)inb(DATA);
		metal_console_received(buf, n);
	} while (n == sizeof(buf));
}
