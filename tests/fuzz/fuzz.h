/* What libFuzzer calls, and replay.c: one input. Aborts when something does not hold. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
