/*
 * Character devices: which operations a device number has. Drivers register at
 * boot; the table never shrinks and is read without a lock.
 */
#include "internal.h"

#define RANGES_MAX 32

static struct chrdev_range {
	unsigned major, first, nr;
	const struct file_ops *ops;
} ranges[RANGES_MAX];
static unsigned nr_ranges;

void chrdev_register(unsigned major, unsigned first, unsigned nr, const struct file_ops *ops)
{
	if (nr_ranges == RANGES_MAX)
		panic("too many character devices");
	ranges[nr_ranges++] = (struct chrdev_range){major, first, nr, ops};
}

const struct file_ops *chrdev_find(uint64_t rdev)
{
	unsigned major = dev_major(rdev), minor = dev_minor(rdev);

	for (unsigned i = 0; i < nr_ranges; i++)
		if (ranges[i].major == major && minor >= ranges[i].first &&
		    minor - ranges[i].first < ranges[i].nr)
			return ranges[i].ops;
	return NULL;
}
