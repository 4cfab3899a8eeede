/* The one entry point of a fuzzer (libFuzzer's convention). */
#ifndef HW_TESTS_FUZZ_H
#define HW_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
