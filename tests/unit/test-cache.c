/* cache.c: what is remembered of a file is given back for that very state of it, and for no other. */
#include "tap.h"

#include "snapshot/cache.h"
#include "snapshot/clock.h"

#include <string.h>

static const struct stat old = {
        .st_dev = 3, .st_ino = 77, .st_size = 4096, .st_mtim = { 1000, 5 }, .st_ctim = { 1001, 6 }
};

static void test_hit_and_miss(void) {
        struct cache cache;
        uint64_t value = 99;
        struct stat st = old;

        need(cache_init(&cache) == 0);
        ok(!cache_get(&cache, &st, &value), "nothing is remembered at first");
        is(value, 99, "and nothing is said");
        cache_put(&cache, &st, 42);
        ok(cache_get(&cache, &st, &value) && value == 42, "what was put is found");
        st.st_atim.tv_sec = 5;
        st.st_nlink = 9;
        ok(cache_get(&cache, &st, &value), "access time and link count do not matter");
#define CHANGED(field)                                                                                       \
        do {                                                                                                 \
                st = old;                                                                                    \
                st.field++;                                                                                  \
                ok(!cache_get(&cache, &st, &value), "a change of " #field " is a miss");                     \
        } while (0)
        CHANGED(st_dev);
        CHANGED(st_ino);
        CHANGED(st_size);
        CHANGED(st_mtim.tv_sec);
        CHANGED(st_mtim.tv_nsec);
        CHANGED(st_ctim.tv_sec);
        CHANGED(st_ctim.tv_nsec);
#undef CHANGED
        st = old;
        st.st_size++;
        cache_put(&cache, &st, UINT64_MAX);
        ok(cache_get(&cache, &st, &value) && value == UINT64_MAX, "a file's later state, with any value");
        cache_deinit(&cache);
}

static bool unsettled(const struct stat *st) {
        return clock_unsettled(st, clock_grain_ns(-1, st));
}

/*
 * Sets one of the times of st to now, tries to remember it, and says whether it passed for young and was not
 * remembered. Again, if that took so long that it was not young any more.
 */
static bool is_young(struct cache *cache, struct stat *st, struct timespec *when) {
        struct timespec now;
        uint64_t value;
        bool young;

        do {
                clock_gettime(CLOCK_REALTIME, when);
                young = unsettled(st);
                cache_put(cache, st, 1);
                young = young && !cache_get(cache, st, &value);
                clock_gettime(CLOCK_REALTIME, &now);
        } while ((now.tv_sec - when->tv_sec) * 1000000000 + now.tv_nsec - when->tv_nsec > 10000000);
        return young;
}

static void test_racy(void) {
        struct cache cache;
        struct timespec now;
        struct stat st = old;
        uint64_t value;

        need(cache_init(&cache) == 0);
        clock_gettime(CLOCK_REALTIME, &now);
        ok(!unsettled(&old), "an old file's times prove something");
        ok(is_young(&cache, &st, &st.st_mtim), "those of one just written do not, and it is not remembered");
        st = old;
        ok(is_young(&cache, &st, &st.st_ctim), "the same with its ctime");
        st.st_ctim.tv_sec = now.tv_sec + 3600;
        ok(!unsettled(&st), "one in the future does: a write now would leave another");
        st.st_ctim.tv_sec = now.tv_sec + INT64_C(100000000000);
        ok(!unsettled(&st), "also one of the far future");
        st.st_mtim = st.st_ctim = (struct timespec){ now.tv_sec - 3, 0 };
        ok(!unsettled(&st) && clock_grain_ns(-1, &st) == 2000000000, "whole seconds prove something after two");
        st = old;
        st.st_ctim = (struct timespec){ now.tv_sec - 1, now.tv_nsec };
        ok(!unsettled(&st), "a second is enough");
        cache_put(&cache, &st, 1);
        ok(cache_get(&cache, &st, &value), "(remembered)");
        cache_deinit(&cache);
}

/* Far more files than entries: some are forgotten, none is mistaken for another. */
static void test_bounded(void) {
        struct cache cache;
        unsigned n_wrong = 0, n_found = 0;

        need(cache_init(&cache) == 0);
        for (unsigned i = 0; i < 400000; i++) {
                struct stat st = old;

                st.st_ino = i;
                cache_put(&cache, &st, i);
        }
        for (unsigned i = 0; i < 400000; i++) {
                struct stat st = old;
                uint64_t value;

                st.st_ino = i;
                if (!cache_get(&cache, &st, &value))
                        continue;
                n_found++;
                n_wrong += value != i;
        }
        is(n_wrong, 0, "no file of 400000 is taken for another");
        ok(n_found > 50000, "and many are remembered (%u)", n_found);
        cache_deinit(&cache);
}

static void *put_and_get(void *userdata) {
        struct cache *cache = userdata;
        uintptr_t n_wrong = 0;

        for (unsigned i = 0; i < 20000; i++) {
                struct stat st = old;
                uint64_t value;

                st.st_ino = i % 16;
                st.st_size = i % 7;
                cache_put(cache, &st, (uint64_t)st.st_ino * 100 + (uint64_t)st.st_size);
                if (cache_get(cache, &st, &value))
                        n_wrong += value != (uint64_t)st.st_ino * 100 + (uint64_t)st.st_size;
        }
        return (void *)n_wrong;
}

static void test_threads(void) {
        struct cache cache;
        pthread_t threads[8];
        uintptr_t n_wrong = 0;

        need(cache_init(&cache) == 0);
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
                need(pthread_create(&threads[i], NULL, put_and_get, &cache) == 0);
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
                void *result;

                pthread_join(threads[i], &result);
                n_wrong += (uintptr_t)result;
        }
        is(n_wrong, 0, "nor with eight threads at it");
        cache_deinit(&cache);
}

int main(void) {
        test_hit_and_miss();
        test_racy();
        test_bounded();
        test_threads();
        return tap_done();
}
