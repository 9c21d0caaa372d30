/* Hashes of numbers and of short texts: of good spread, the same on every machine, no guard against malice.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* A permutation of all 64-bit numbers (the finalizer of splitmix64): different numbers stay different. */
static inline uint64_t mix_number(uint64_t x) {
        x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
        return x ^ x >> 31;
}

/* FNV-1a. */
static inline uint64_t mix_bytes(const void *bytes, size_t size) {
        const uint8_t *at = bytes;
        uint64_t sum = UINT64_C(0xcbf29ce484222325);

        for (size_t i = 0; i < size; i++)
                sum = (sum ^ at[i]) * UINT64_C(0x100000001b3);
        return sum;
}
