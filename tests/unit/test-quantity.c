/* quantity.c: which sizes and times are understood, and that nothing else is. */
#include "tap.h"

#include "fs/quantity.h"

#define UNTOUCHED 77

static uint64_t size_of(const char *text) {
        uint64_t value = UNTOUCHED;
        int r = quantity_size(text, INT64_MAX, &value);

        return r == 0 ? value : UINT64_MAX - (value != UNTOUCHED);
}

static uint64_t time_of(const char *text, enum quantity_unit unit) {
        uint64_t value = UNTOUCHED;
        int r = quantity_time(text, unit, 86400, &value);

        return r == 0 ? value : UINT64_MAX - (value != UNTOUCHED);
}

static void test_sizes(void) {
        static const struct {
                const char *text;
                uint64_t size;
        } good[] = {
                { "0", 0 },
                { "512", 512 },
                { "512B", 512 },
                { "4k", 4096 },
                { "10g", 10ull << 30 },
                { "10G", 10ull << 30 },
                { "10GB", 10ull << 30 },
                { "10gib", 10ull << 30 },
                { "10GiB", 10ull << 30 },
                { "1.5G", 3ull << 29 },
                { "0.1K", 102 },
                { "2.25m", 9ull << 18 },
                { "1T", 1ull << 40 },
                { "9223372036854775807", INT64_MAX },
                { "8388607T", 8388607ull << 40 },
        };
        static const char *const bad[] = { "",
                                           "G",
                                           "lots",
                                           "-1",
                                           "+1",
                                           " 1",
                                           "1 ",
                                           "1.",
                                           ".5G",
                                           "1.5",
                                           "1.5B",
                                           "1..5G",
                                           "1,5G",
                                           "1GG",
                                           "1Gi",
                                           "1BB",
                                           "1BiB",
                                           "1P",
                                           "1GBB",
                                           "0x10",
                                           "1e3",
                                           "10 G",
                                           "8388608T",
                                           "9223372036854775808",
                                           "99999999999999999999",
                                           "1.0000000G" };

        for (size_t i = 0; i < ARRAY_SIZE(good); i++)
                is(size_of(good[i].text), good[i].size, "a size of %s", good[i].text);
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                ok(size_of(bad[i]) == UINT64_MAX, "no size: '%s'", bad[i]);
}

static void test_times(void) {
        static const char *const bad[] = { "",       "s",      "soon", "-1",      "1.5", "0.5s",
                                           "500ms",  "1500ms", "1S s", "1y",      "1ss", "2 m",
                                           "1.0.0s", "86401",  "25h",  "0.0001d", "1sec" };

        is(time_of("0", QUANTITY_S), 0, "a bare number is in the option's unit: seconds");
        is(time_of("300", QUANTITY_S), 300, "a bare number is in the option's unit: seconds");
        is(time_of("300", QUANTITY_MS), 300, "a bare number is in the option's unit: milliseconds");
        is(time_of("1s", QUANTITY_S), 1, "1s in seconds");
        is(time_of("1s", QUANTITY_MS), 1000, "1s in milliseconds");
        is(time_of("2m", QUANTITY_S), 120, "2m in seconds");
        is(time_of("1M", QUANTITY_MS), 60000, "1M in milliseconds");
        is(time_of("1.5m", QUANTITY_S), 90, "1.5m in seconds");
        is(time_of("24h", QUANTITY_S), 86400, "24h in seconds");
        is(time_of("1d", QUANTITY_S), 86400, "1d in seconds");
        is(time_of("0.25s", QUANTITY_MS), 250, "0.25s in milliseconds");
        is(time_of("2000ms", QUANTITY_S), 2, "2000ms in seconds");
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                ok(time_of(bad[i], QUANTITY_S) == UINT64_MAX, "no whole seconds up to a day: '%s'", bad[i]);
}

static void test_numbers(void) {
        static const char *const bad[] = { "", "11", "1.0", "1.", "1k", "-1", "1 " };
        uint64_t value = UNTOUCHED;

        ok(quantity_number("10", 10, &value) == 0 && value == 10, "a number up to the limit");
        for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
                ok(quantity_number(bad[i], 10, &value) < 0 && value == 10, "no number up to 10: '%s'",
                   bad[i]);
}

int main(void) {
        test_sizes();
        test_times();
        test_numbers();
        return tap_done();
}
