/*
 * The few words of the ACPI tables (ACPI 6.4, chapter 5) the machine needs: where the I/O APIC is and how the
 * serial port's interrupt reaches it, the power management registers, and the name of the "off" state, looked
 * up in the DSDT without an interpreter. Runs once, while the first 4 GiB are mapped; what is above is not seen.
 */
#include "boot.h"
#include "lib/string.h"
#include "mm/frame.h"

#define MAPPED_END (UINT64_C(4) << 30)
#define BIOS_AREA 0xe0000u
#define BIOS_AREA_END 0x100000u
#define EBDA_SEGMENT 0x40eu /* where the BIOS says its data area is */
#define TABLE_BYTES_MAX (16u << 20)

struct table {
	char signature[4];
	uint32_t size_bytes;
	uint8_t revision, checksum;
	char ids[26];
} __attribute__((packed));

struct rsdp {
	char signature[8];
	uint8_t checksum;
	char oem[6];
	uint8_t revision;
	uint32_t rsdt, size_bytes;
	uint64_t xsdt;
} __attribute__((packed));

/* Offsets in the FADT. */
enum { FADT_DSDT = 40, FADT_SMI_COMMAND = 48, FADT_ACPI_ENABLE = 52, FADT_PM1A_CONTROL = 64, FADT_PM1B_CONTROL = 68,
       FADT_PM_TIMER = 76, FADT_FLAGS = 112, FADT_RESET_SPACE = 116, FADT_RESET_ADDRESS = 120, FADT_RESET_VALUE = 128 };
#define FADT_HAS_RESET (1u << 10)
#define SPACE_IO 1

/* Entries of the MADT: type, length, and then */
enum { MADT_ENTRIES = 44, MADT_IOAPIC = 1, MADT_OVERRIDE = 2 };
#define OVERRIDE_LOW 3u   /* of bits 0 and 1 */
#define OVERRIDE_LEVEL 3u /* of bits 2 and 3 */
#define SERIAL_ISA_IRQ 4

struct acpi_info acpi_info;

static uint64_t word_at(const struct table *t, unsigned offset, unsigned size_bytes)
{
	uint64_t v = 0;

	if (offset + size_bytes <= t->size_bytes)
		memcpy(&v, (const char *)t + offset, size_bytes);
	return v;
}

/* The table at pa, or NULL when it is no such table or out of reach. */
static const struct table *table_at(uint64_t pa, const char *signature)
{
	const struct table *t = phys_to_ptr((paddr_t){pa});

	if (pa == 0 || pa > MAPPED_END - sizeof(*t) || memcmp(t->signature, signature, 4) != 0)
		return NULL;
	if (t->size_bytes < sizeof(*t) || t->size_bytes > TABLE_BYTES_MAX || pa + t->size_bytes > MAPPED_END)
		return NULL;
	return t;
}

/* ---- finding tables ------------------------------------------------------ */

static uint64_t search(uint64_t start, uint64_t end)
{
	for (uint64_t pa = start; pa < end; pa += 16)
		if (memcmp(phys_to_ptr((paddr_t){pa}), "RSD PTR ", 8) == 0)
			return pa;
	return 0;
}

static uint64_t search_rsdp(void)
{
	uint64_t ebda = (uint64_t)*(const uint16_t *)phys_to_ptr((paddr_t){EBDA_SEGMENT}) << 4, pa = 0;

	if (ebda >= 0x80000 && ebda < 0xa0000)
		pa = search(ebda, ebda + 1024);
	return pa != 0 ? pa : search(BIOS_AREA, BIOS_AREA_END);
}

/* The root table's pointers are of 8 bytes (XSDT) or 4. */
static const struct table *find(const struct table *root, const char *signature)
{
	unsigned bytes = memcmp(root->signature, "XSDT", 4) == 0 ? 8 : 4;

	for (unsigned offset = sizeof(*root); offset + bytes <= root->size_bytes; offset += bytes) {
		const struct table *t = table_at(word_at(root, offset, bytes), signature);

		if (t != NULL)
			return t;
	}
	return NULL;
}

/* ---- reading them -------------------------------------------------------- */

/* One element of a package of small integers; moves *p past it. False: it is no integer. */
static bool aml_byte(const uint8_t **p, uint8_t *out)
{
	if (**p == 0x0a) { /* BytePrefix */
		*out = (*p)[1];
		*p += 2;
		return true;
	}
	*out = **p; /* ZeroOp, OneOp */
	return *(*p)++ <= 1;
}

/* Name(_S5_, Package() {a, b, ...}) */
static void read_s5(const struct table *dsdt)
{
	const uint8_t *p = (const uint8_t *)dsdt, *end = p + dsdt->size_bytes - 16;

	for (p += sizeof(*dsdt); p < end; p++) {
		const uint8_t *q = p + 4;

		if (memcmp(p, "_S5_", 4) != 0 || *q != 0x12) /* PackageOp */
			continue;
		q += 1 + (q[1] >> 6) + 1; /* and its length */
		q++;                      /* number of elements */
		acpi_info.has_s5 = aml_byte(&q, &acpi_info.s5_type_a) && aml_byte(&q, &acpi_info.s5_type_b);
		return;
	}
}

static void read_fadt(const struct table *t)
{
	const struct table *dsdt = table_at(word_at(t, FADT_DSDT, 4), "DSDT");

	acpi_info.pm1a_control = (uint16_t)word_at(t, FADT_PM1A_CONTROL, 4);
	acpi_info.pm1b_control = (uint16_t)word_at(t, FADT_PM1B_CONTROL, 4);
	acpi_info.pm_timer = (uint16_t)word_at(t, FADT_PM_TIMER, 4);
	acpi_info.smi_command = (uint16_t)word_at(t, FADT_SMI_COMMAND, 4);
	acpi_info.acpi_enable = (uint8_t)word_at(t, FADT_ACPI_ENABLE, 1);
	if ((word_at(t, FADT_FLAGS, 4) & FADT_HAS_RESET) != 0 && word_at(t, FADT_RESET_SPACE, 1) == SPACE_IO) {
		acpi_info.reset_port = (uint16_t)word_at(t, FADT_RESET_ADDRESS, 8);
		acpi_info.reset_value = (uint8_t)word_at(t, FADT_RESET_VALUE, 1);
	}
	if (dsdt != NULL)
		read_s5(dsdt);
}

static void read_madt(const struct table *t)
{
	unsigned type, length;

	for (unsigned at = MADT_ENTRIES; at + 2 <= t->size_bytes; at += length) {
		type = (unsigned)word_at(t, at, 1);
		length = (unsigned)word_at(t, at + 1, 1);
		if (length < 2)
			return;
		if (type == MADT_OVERRIDE && word_at(t, at + 3, 1) == SERIAL_ISA_IRQ) {
			unsigned flags = (unsigned)word_at(t, at + 8, 2);

			acpi_info.serial_gsi = (uint32_t)word_at(t, at + 4, 4);
			acpi_info.serial_is_low = (flags & 3) == OVERRIDE_LOW;
			acpi_info.serial_is_level = (flags >> 2 & 3) == OVERRIDE_LEVEL;
		}
	}
	for (unsigned at = MADT_ENTRIES; at + 2 <= t->size_bytes; at += length) {
		type = (unsigned)word_at(t, at, 1);
		length = (unsigned)word_at(t, at + 1, 1);
		/* The one with the highest first interrupt that is not above ours. */
		if (type == MADT_IOAPIC && word_at(t, at + 8, 4) <= acpi_info.serial_gsi &&
		    (acpi_info.ioapic == 0 || word_at(t, at + 8, 4) >= acpi_info.ioapic_first_gsi)) {
			acpi_info.ioapic = word_at(t, at + 4, 4);
			acpi_info.ioapic_first_gsi = (uint32_t)word_at(t, at + 8, 4);
		}
	}
}

void acpi_init(uint64_t rsdp_pa)
{
	const struct rsdp *rsdp;
	const struct table *root = NULL, *t;

	acpi_info.serial_gsi = SERIAL_ISA_IRQ;
	if (rsdp_pa == 0)
		rsdp_pa = search_rsdp();
	if (rsdp_pa == 0 || rsdp_pa > MAPPED_END - sizeof(*rsdp))
		return;
	rsdp = phys_to_ptr((paddr_t){rsdp_pa});
	if (rsdp->revision >= 2)
		root = table_at(rsdp->xsdt, "XSDT");
	if (root == NULL)
		root = table_at(rsdp->rsdt, "RSDT");
	if (root == NULL)
		return;
	t = find(root, "FACP");
	if (t != NULL)
		read_fadt(t);
	t = find(root, "APIC");
	if (t != NULL)
		read_madt(t);
}
