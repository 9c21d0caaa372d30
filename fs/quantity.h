/* Numbers as people write them on a command line: 10g, 1.5GB, 500ms, 2m. */
#pragma once

#include <stdint.h>

enum quantity_unit {
        QUANTITY_MS = 1,
        QUANTITY_S = 1000,
};

/* Digits only, and no more than max. 0, or -EINVAL with *out left alone, as below. */
int quantity_number(const char *text, uint64_t max, uint64_t *out);
/*
 * A number of bytes, or one of powers of 1024: K, M, G or T, in either case, alone or before B or iB. With a
 * unit the number may have a fraction; less than a byte of it is dropped. At most max. 0 or -EINVAL.
 */
int quantity_size(const char *text, uint64_t max, uint64_t *out);
/*
 * A time in that unit, which is also what a bare number is in; or with ms, s, m, h or d behind it, and then
 * with a fraction if need be. What is no whole number of the unit is refused: to round it could make "never"
 * of it. At most max units. 0 or -EINVAL.
 */
int quantity_time(const char *text, enum quantity_unit unit, uint64_t max, uint64_t *out);
