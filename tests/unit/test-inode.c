/* inode.c: numbers that do not meet, and that depend on nothing but the file. */
#include "tap.h"

#include "fs/inode.h"
#include "fs/system.h"

#include <errno.h>
#include <inttypes.h>

#define ROOT  5
#define ONE   17
#define TWO   18
#define FILES 200000

static const struct system_identity one = { .fsid = 1, .place = 101, .key = 1001 };
static const struct system_identity two = { .fsid = 2, .place = 102, .key = 1002 };

static int compare(const void *left, const void *right) {
        uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

        return a < b ? -1 : a > b;
}

static size_t twice(uint64_t *numbers, size_t count) {
        size_t same = 0;

        qsort(numbers, count, sizeof(*numbers), compare);
        for (size_t i = 1; i < count; i++)
                same += numbers[i] == numbers[i - 1];
        return same;
}

/* What file systems do that fill 64 bits. */
static uint64_t wild(uint64_t i) {
        uint64_t x = (i + 1) * UINT64_C(0x9e3779b97f4a7c15);

        x ^= x >> 29;
        return x * UINT64_C(0xd6e8feb86659fd93);
}

static void test_ordinary(void) {
        struct inode_map map;

        inode_map_init(&map, ROOT, 0);
        need(inode_add(&map, ONE, &one) == 0 && inode_add(&map, TWO, &two) == 0);
        is(inode_number(&map, ROOT, 2), 2, "the source's own numbers stay as they are");
        is(inode_number(&map, ROOT, INT64_MAX), INT64_MAX, "up to 63 bits");
        ok(inode_number(&map, ONE, 2) != inode_number(&map, TWO, 2),
           "equal numbers of two file systems differ");
        ok(inode_number(&map, ONE, 2) >> 62 == 2, "the lower ones have a range of their own");
        ok((uint32_t)inode_number(&map, ONE, 77) == 77, "in which they are recognised");
        ok(inode_number(&map, ONE, UINT64_C(1) << 32) >> 62 == 3, "higher ones are hashed");
        ok(inode_number(&map, ROOT, UINT64_C(1) << 63) >> 62 == 3,
           "and so are the source's own beyond 63 bits");
        is(inode_number(&map, 0, 12345), 12345, "what is a number already stays so");
        ok(inode_of_place("/a") != inode_of_place("/b") && inode_of_place("/a") >> 62 == 3,
           "the place of a mount has a number");
        ok(inode_companion(12, 'w') != inode_companion(12, 's') && inode_companion(12, 'w') >> 62 == 3,
           "so have companions");
        inode_map_deinit(&map);
}

static void test_collisions(void) {
        static uint64_t numbers[4 * FILES];
        struct inode_map map;

        inode_map_init(&map, ROOT, 0);
        need(inode_add(&map, ONE, &one) == 0 && inode_add(&map, TWO, &two) == 0);
        for (size_t i = 0; i < FILES; i++) {
                numbers[4 * i] = inode_number(&map, ROOT, wild(i));
                numbers[4 * i + 1] = inode_number(&map, ONE, wild(i));
                numbers[4 * i + 2] = inode_number(&map, TWO, wild(i));
                numbers[4 * i + 3] = inode_number(&map, TWO, i);
        }
        is(twice(numbers, 4 * FILES), 0, "of %d files on three file systems no two have one number",
           4 * FILES);
        /* Numbers that differ in their upper bits alone: a fold that drops these would give the same. */
        for (uint64_t i = 0; i < FILES; i++)
                numbers[i] = inode_number(&map, ONE, i << 44 | 7 | UINT64_C(1) << 40);
        is(twice(numbers, FILES), 0, "nor when only the upper bits differ");
        inode_map_deinit(&map);
}

static void test_stable(void) {
        struct inode_map first, second;
        size_t differ = 0;

        /* Another order of sight, other device numbers, as after a reboot. */
        inode_map_init(&first, ROOT, 0);
        inode_map_init(&second, ROOT + 100, 0);
        need(inode_add(&first, ONE, &one) == 0 && inode_add(&first, TWO, &two) == 0);
        need(inode_add(&second, ONE, &two) == 0 && inode_add(&second, TWO, &one) == 0);
        for (size_t i = FILES; i-- > 0;) {
                differ += inode_number(&first, ROOT, wild(FILES - i)) !=
                          inode_number(&second, ROOT + 100, wild(FILES - i));
                differ += inode_number(&first, ONE, wild(i)) != inode_number(&second, TWO, wild(i));
                differ += inode_number(&first, TWO, i) != inode_number(&second, ONE, i);
        }
        is(differ, 0, "numbers depend on neither the order of sight nor device numbers");
        inode_map_deinit(&first);
        inode_map_deinit(&second);
}

static void test_systems(void) {
        struct system_identity clone = one, local = two;
        struct inode_map map;
        uint64_t number;

        clone.fsid = 9;
        clone.place = 900;
        inode_map_init(&map, ROOT, 0);
        ok(!inode_is_known(&map, ONE), "nothing is known at first");
        need(inode_add(&map, ONE, &one) == 0);
        ok(inode_is_known(&map, ONE) && !inode_is_local(&map, ONE, 0),
           "what may have to be waited for is not local");
        number = inode_number(&map, ONE, 3);
        need(inode_add(&map, TWO, &clone) == 0);
        ok(inode_number(&map, TWO, 3) != number, "a clone that is mounted, too, has other numbers");
        local.local = true;
        need(inode_add(&map, ONE, &local) == 0);
        ok(inode_is_local(&map, ONE, 0), "a device number may pass to a local file system");
        ok(!inode_is_local(&map, ONE, 44), "which was not entered by that mount");
        ok(inode_number(&map, ONE, 3) != number, "that has numbers of its own");
        need(inode_add(&map, ONE + 50, &one) == 0);
        is(inode_number(&map, ONE + 50, 3), number, "the first one, mounted again, has those that it had");
        inode_map_deinit(&map);
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_WARNING);
        test_ordinary();
        test_collisions();
        test_stable();
        test_systems();
        return tap_done();
}
