/*
 * The serial line: Arm's PL011 (DDI 0183). Output is polled; received bytes raise an interrupt
 * once machine_console_enable_input() was called. The line's speed is the firmware's.
 */
#include "boot.h"

#include "metal/metal.h"

enum { DR = 0x00, FR = 0x18, LCRH = 0x2c, CR = 0x30, IFLS = 0x34, IMSC = 0x38, ICR = 0x44 };
enum { FR_RX_EMPTY = 1 << 4, FR_TX_FULL = 1 << 5 };
enum { LCRH_FIFO = 1 << 4, LCRH_8_BITS = 3 << 5 };
enum { CR_ENABLE = 1, CR_TX = 1 << 8, CR_RX = 1 << 9 };
enum { INT_RX = 1 << 4, INT_RX_TIMEOUT = 1 << 6, INT_ALL = 0x7ff };

unsigned uart_intid;
static uint64_t base; /* 0: there is none */

void uart_init(uint64_t pa, unsigned intid)
{
	base = mmu_map_device(pa, PAGE_SIZE);
	uart_intid = intid;
	if (base == 0)
		return;
	mmio_write32(base + IMSC, 0);
	uart_interrupt(); /* what was typed already: turning the FIFO on clears it */
	mmio_write32(base + ICR, INT_ALL);
	mmio_write32(base + LCRH, LCRH_8_BITS | LCRH_FIFO);
	mmio_read32(base + DR); /* if it did clear something, QEMU waits for a read before it sends more */
	mmio_write32(base + IFLS, 0); /* receive interrupt at an eighth */
	mmio_write32(base + CR, CR_ENABLE | CR_TX | CR_RX);
}

void machine_console_write(const char *buf, size_t size_bytes)
{
	if (base == 0)
		return;
	for (size_t i = 0; i < size_bytes; i++) {
		while ((mmio_read32(base + FR) & FR_TX_FULL) != 0)
			;
		mmio_write32(base + DR, (unsigned char)buf[i]);
	}
}

void machine_console_enable_input(void)
{
	if (base == 0 || uart_intid == 0)
		return;
	mmio_write32(base + IMSC, INT_RX | INT_RX_TIMEOUT);
	irq_enable(uart_intid);
}

/* Empties the queue: what is left in it may raise no further interrupt. */
void uart_interrupt(void)
{
	char c;

	mmio_write32(base + ICR, INT_RX | INT_RX_TIMEOUT);
	while ((mmio_read32(base + FR) & FR_RX_EMPTY) == 0) {
		c = (char)mmio_read32(base + DR);
		metal_console_received(&c, 1);
	}
}
