/*
 * Numbers with units.
 *
 * A value is taken as a whole or refused. All is done in whole numbers: a fraction is digits and the power of
 * ten that they are to be divided by, so 0.1 is a tenth and no sum leaves 64 bits unseen.
 */
#include "fs/quantity.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "snapshot/base.h"

/* Nobody needs more digits behind a point, and a fraction of so many times the largest unit fits into 64
 * bits. */
#define FRACTION_DIGITS_MAX 6

struct decimal {
        uint64_t whole;
        uint64_t fraction; /* in 1/scale */
        uint64_t scale;    /* 10 to the number of digits behind the point; 1: there was no point */
        const char *rest;
};

struct unit {
        const char *name;
        uint64_t size;
};

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* Reads digits, perhaps with a point between two of them. 0 or -EINVAL. */
static int parse_decimal(const char *text, struct decimal *decimal) {
        const char *at = text;

        *decimal = (struct decimal){ .scale = 1 };
        for (; is_digit(*at); at++)
                if (__builtin_mul_overflow(decimal->whole, 10, &decimal->whole) ||
                    __builtin_add_overflow(decimal->whole, (uint64_t)(*at - '0'), &decimal->whole))
                        return -EINVAL;
        if (at == text)
                return -EINVAL;
        if (*at == '.') {
                const char *point = at++;

                for (; is_digit(*at) && at - point <= FRACTION_DIGITS_MAX; at++) {
                        decimal->fraction = 10 * decimal->fraction + (uint64_t)(*at - '0');
                        decimal->scale *= 10;
                }
                if (at - 1 == point)
                        return -EINVAL;
        }
        decimal->rest = at;
        return 0;
}

/* The decimal times the size of the unit; *left is what remains below one, in 1/scale. 0 or -EINVAL. */
static int multiply(const struct decimal *decimal, uint64_t size, uint64_t *out, uint64_t *left) {
        uint64_t part = decimal->fraction * size;

        *left = part % decimal->scale;
        return __builtin_mul_overflow(decimal->whole, size, out) ||
                               __builtin_add_overflow(*out, part / decimal->scale, out)
                       ? -EINVAL
                       : 0;
}

static const struct unit *find_unit(const struct unit *units, size_t count, const char *name, size_t length) {
        for (size_t i = 0; i < count; i++)
                if (strncasecmp(units[i].name, name, length) == 0 && units[i].name[length] == '\0')
                        return &units[i];
        return NULL;
}

int quantity_number(const char *text, uint64_t max, uint64_t *out) {
        struct decimal decimal;

        if (parse_decimal(text, &decimal) < 0 || decimal.scale > 1 || *decimal.rest || decimal.whole > max)
                return -EINVAL;
        *out = decimal.whole;
        return 0;
}

int quantity_size(const char *text, uint64_t max, uint64_t *out) {
        static const struct unit units[] = {
                { "B", 1 },          { "K", 1ull << 10 }, { "M", 1ull << 20 },
                { "G", 1ull << 30 }, { "T", 1ull << 40 },
        };
        const struct unit *unit;
        struct decimal decimal;
        uint64_t value, left;
        size_t length;

        if (quantity_number(text, max, out) == 0)
                return 0;
        if (parse_decimal(text, &decimal) < 0)
                return -EINVAL;
        /* KB and KiB are K. */
        length = strlen(decimal.rest);
        if (length == 3 && strcasecmp(decimal.rest + 1, "iB") == 0)
                length = 1;
        else if (length == 2 && strcasecmp(decimal.rest + 1, "B") == 0)
                length = 1;
        unit = length == 1 ? find_unit(units, ARRAY_SIZE(units), decimal.rest, length) : NULL;
        if (!unit || (unit->size == 1 && (decimal.scale > 1 || decimal.rest[1])))
                return -EINVAL;
        if (multiply(&decimal, unit->size, &value, &left) < 0 || value > max)
                return -EINVAL;
        *out = value;
        return 0;
}

int quantity_time(const char *text, enum quantity_unit own, uint64_t max, uint64_t *out) {
        static const struct unit units[] = {
                { "ms", 1 }, { "s", 1000 }, { "m", 60 * 1000 }, { "h", 3600 * 1000 }, { "d", 86400 * 1000 },
        };
        const struct unit *unit;
        struct decimal decimal;
        uint64_t value, left;

        if (quantity_number(text, max, out) == 0)
                return 0;
        if (parse_decimal(text, &decimal) < 0)
                return -EINVAL;
        unit = find_unit(units, ARRAY_SIZE(units), decimal.rest, strlen(decimal.rest));
        if (!unit || multiply(&decimal, unit->size, &value, &left) < 0)
                return -EINVAL;
        if (left != 0 || value % own != 0 || value / own > max)
                return -EINVAL;
        *out = value / own;
        return 0;
}
