/*
 * Preloaded, makes one allocation fail: of those of FAIL_ALLOC_MIN bytes and more the one with the number FAIL_ALLOC_NTH,
 * from 1.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
void *malloc(size_t size);
void *calloc(size_t count, size_t size);

static atomic_ulong seen;

static bool fails(size_t size) {
        const char *min = getenv("FAIL_ALLOC_MIN"), *nth = getenv("FAIL_ALLOC_NTH");

        if (!min || !nth || size < strtoul(min, NULL, 10))
                return false;
        if (atomic_fetch_add(&seen, 1) + 1 != strtoul(nth, NULL, 10))
                return false;
        errno = ENOMEM;
        return true;
}

void *malloc(size_t size) {
        return fails(size) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size) {
        return fails(count * size) ? NULL : __libc_calloc(count, size);
}
