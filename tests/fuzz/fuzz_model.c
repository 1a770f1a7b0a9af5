/*
 * Fuzzer: any bytes are a sequence of operations on address spaces (tests/model). The first
 * ten choose codec, strategy and setup. LEVITATE_FUZZ_PLANT: the bug to find, for a test of the fuzzer.
 */
#include "model/model.h"

#define OPS_MAX 300

#ifndef LEVITATE_FUZZ_PLANT
#define LEVITATE_FUZZ_PLANT PLANT_NONE
#endif

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static struct op ops[OPS_MAX];
	struct model_setup setup;
	size_t nr = model_decode(bytes, size, &setup, ops, OPS_MAX);

	setup.plant = LEVITATE_FUZZ_PLANT;
	model_run(&setup, ops, nr);
	return 0;
}
