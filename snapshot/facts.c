/*
 * What can be said of a version in words: the values of the extended attributes user.litesnapfs.*.
 *
 * Invariant: two versions with the same "source_state" are the same committed state of the same file.
 */
#include "snapshot/registry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const engines[] = {
        [ENGINE_VIEW] = "view",
        [ENGINE_COPY] = "copy",
        [ENGINE_REFLINK] = "reflink",
        [ENGINE_PRIVATE] = "private",
};

static const char *const proofs[] = {
        [PROOF_LOCK] = "lock",       [PROOF_STAT] = "stat",   [PROOF_WAL] = "wal",
        [PROOF_JOURNAL] = "journal", [PROOF_QUIET] = "quiet",
};

/* A digest would be shorter and say less: this can be read. */
static void print_state(const struct version *version, char *text, size_t size) {
        char frame[2 * FORMAT_INDEX_HEADER_SIZE + 1] = "-";
        struct timespec mtime = version->main.st_mtim, wal = version->wal.st_mtim;
        static const uint8_t none[FORMAT_INDEX_HEADER_SIZE];

        if (memcmp(version->index, none, sizeof(none)) != 0)
                for (size_t i = 0; i < sizeof(none); i++)
                        snprintf(&frame[2 * i], 3, "%02x", version->index[i]);
        snprintf(text, size, "%u:%lld.%09ld:%lld:%lld.%09ld:%lld:%s", version->header.change_counter,
                 (long long)mtime.tv_sec, mtime.tv_nsec, (long long)version->main.st_size,
                 (long long)wal.tv_sec, wal.tv_nsec, (long long)version->wal.st_size, frame);
}

static void print_time(struct timespec when, char *text, size_t size) {
        char date[32];
        struct tm tm;

        gmtime_r(&when.tv_sec, &tm);
        strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
        snprintf(text, size, "%s.%09ldZ", date, when.tv_nsec);
}

static int fact(const struct version *version, const char *engine, const char *proof, const char *name,
                char *text, size_t size) {
        char value[256];
        size_t length;

        if (strcmp(name, "taken") == 0)
                print_time(version->looked, value, sizeof(value));
        else if (strcmp(name, "engine") == 0)
                snprintf(value, sizeof(value), "%s", engine);
        else if (strcmp(name, "proof") == 0)
                snprintf(value, sizeof(value), "%s", proof);
        else if (strcmp(name, "pages") == 0)
                snprintf(value, sizeof(value), "%lld",
                         version->header.page_size > 0
                                 ? (long long)version->attr.st_size / version->header.page_size
                                 : 0);
        else if (strcmp(name, "page_size") == 0)
                snprintf(value, sizeof(value), "%u", version->header.page_size);
        else if (strcmp(name, "journal_mode") == 0)
                snprintf(value, sizeof(value), "%s", version_through_wal(version) ? "wal" : "rollback");
        else if (strcmp(name, "source_state") == 0)
                print_state(version, value, sizeof(value));
        else
                return -ENODATA;
        length = strlen(value);
        if (size == 0)
                return (int)length;
        if (length > size)
                return -ERANGE;
        memcpy(text, value, length);
        return (int)length;
}

int snapshot_fact(const struct snapshot *snapshot, const char *name, char *text, size_t size) {
        enum engine engine;

        mutex_lock(&snapshot->store->lock);
        engine = snapshot->engine;
        mutex_unlock(&snapshot->store->lock);
        return fact(&snapshot->version, engines[engine], proofs[snapshot->proof], name, text, size);
}

int store_fact(struct store *store, const struct store_file *file, const struct stat *st, const char *name,
               char *text, size_t size) {
        struct version version;
        int r;

        mutex_assert_none_held();
        r = version_look(&version, file, -1, st, &store->wals);
        if (r < 0)
                return r == -ESTALE ? -ENODATA : r;
        /* Which engine will do it, and what vouches for it, shows when it does. */
        return fact(&version, "none", "none", name, text, size);
}
