/* A directory for one test, and what is done to the files in it. */
#include "scratch.h"

#include "snapshot/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>

struct scratch scratch_new(void) {
        const char *top = getenv("TMPDIR");
        struct scratch scratch;

        snprintf(scratch.path, sizeof(scratch.path), "%s/litesnapfs-unit-XXXXXX", top && *top ? top : "/tmp");
        need(mkdtemp(scratch.path));
        scratch.dirfd = open(scratch.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        need(scratch.dirfd >= 0);
        return scratch;
}

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *where) {
        return remove(path);
}

void scratch_deinit(struct scratch *scratch) {
        close(scratch->dirfd);
        nftw(scratch->path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

const char *scratch_path(const struct scratch *scratch, const char *name) {
        static __thread char buffers[4][512];
        static __thread unsigned next;
        char *buffer = buffers[next++ % ARRAY_SIZE(buffers)];

        snprintf(buffer, sizeof(buffers[0]), "%s/%s", scratch->path, name);
        return buffer;
}

struct store_file scratch_file(const struct scratch *scratch, const char *name) {
        return (struct store_file){ .dirfd = scratch->dirfd, .name = name, .path = name };
}

struct stat scratch_stat(const struct scratch *scratch, const char *name) {
        struct stat st;

        need(fstatat(scratch->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0);
        return st;
}

static uint64_t hash(uint64_t value, const void *data, size_t size) {
        for (const uint8_t *p = data; size > 0; p++, size--)
                value = (value ^ *p) * 0x100000001b3u;
        return value;
}

static uint64_t hash_stat(uint64_t value, const struct stat *st) {
        const uint64_t all[] = { st->st_dev,
                                 st->st_ino,
                                 st->st_mode,
                                 st->st_nlink,
                                 st->st_uid,
                                 st->st_gid,
                                 (uint64_t)st->st_size,
                                 (uint64_t)st->st_mtim.tv_sec,
                                 (uint64_t)st->st_mtim.tv_nsec,
                                 (uint64_t)st->st_ctim.tv_sec,
                                 (uint64_t)st->st_ctim.tv_nsec };

        return hash(value, all, sizeof(all));
}

uint64_t scratch_print(const struct scratch *scratch) {
        DIR *dir = opendir(scratch->path);
        struct dirent *entry;
        uint64_t print;
        struct stat st;

        need(dir && fstat(scratch->dirfd, &st) == 0);
        print = hash_stat(0xcbf29ce484222325u, &st);
        while ((entry = readdir(dir))) {
                uint64_t one = hash(0xcbf29ce484222325u, entry->d_name, strlen(entry->d_name));

                st = scratch_stat(scratch, entry->d_name);
                if (strcmp(entry->d_name, "..") == 0)
                        continue;
                one = hash_stat(one, &st);
                if (S_ISREG(st.st_mode)) {
                        BYTES(bytes) = scratch_read(scratch, entry->d_name);

                        one = hash(one, bytes.data, bytes.size);
                }
                print ^= one; /* in whatever order they are listed */
        }
        closedir(dir);
        return print;
}

void scratch_settle(const struct scratch *scratch, const char *name) {
        const struct timespec pause = { .tv_nsec = 1000000 };
        struct stat st = scratch_stat(scratch, name);

        while (clock_unsettled(&st, clock_grain_ns(-1, &st)))
                nanosleep(&pause, NULL);
}

/* ---- bytes
 * ------------------------------------------------------------------------------------------------------- */

void bytes_deinit(struct bytes *bytes) {
        free(bytes->data);
}

bool bytes_equal(const struct bytes *a, const struct bytes *b) {
        size_t least = a->size < b->size ? a->size : b->size;

        for (size_t i = 0; i < least; i++) {
                if (a->data[i] == b->data[i])
                        continue;
                tap_note("byte %zu: %02x and %02x", i, a->data[i], b->data[i]);
                return false;
        }
        if (a->size != b->size)
                tap_note("%zu and %zu bytes", a->size, b->size);
        return a->size == b->size;
}

bool scratch_has(const struct scratch *scratch, const char *name) {
        return faccessat(scratch->dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int scratch_open(const struct scratch *scratch, const char *name, int flags) {
        int fd = openat(scratch->dirfd, name, flags | O_CLOEXEC, 0644);

        need(fd >= 0);
        return fd;
}

struct bytes fd_read(int fd) {
        struct bytes bytes;
        struct stat st;

        need(fstat(fd, &st) == 0);
        bytes.data = malloc((size_t)st.st_size + 1);
        need(bytes.data);
        bytes.size = (size_t)base_pread(fd, bytes.data, (size_t)st.st_size, 0);
        need(bytes.size == (size_t)st.st_size);
        return bytes;
}

struct bytes scratch_read(const struct scratch *scratch, const char *name) {
        _cleanup_(base_closep) int fd = openat(scratch->dirfd, name, O_RDONLY | O_CLOEXEC);

        return fd < 0 ? (struct bytes){ .data = NULL } : fd_read(fd);
}

void scratch_write(const struct scratch *scratch, const char *name, const void *data, size_t size) {
        _cleanup_(base_closep) int fd = scratch_open(scratch, name, O_WRONLY | O_CREAT | O_TRUNC);

        need(base_pwrite(fd, data, size, 0) == 0);
}

void scratch_copy_database(const struct scratch *from, const char *name, const struct scratch *to,
                           const char *to_name) {
        static const char *const suffixes[] = { "", "-wal", "-journal" };

        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
                char source[256], target[256];

                snprintf(source, sizeof(source), "%s%s", name, suffixes[i]);
                snprintf(target, sizeof(target), "%s%s", to_name, suffixes[i]);
                if (scratch_has(from, source)) {
                        BYTES(bytes) = scratch_read(from, source);

                        scratch_write(to, target, bytes.data, bytes.size);
                }
        }
}

struct bytes scratch_reference(const struct scratch *scratch, const char *name) {
        SCRATCH(aside);

        scratch_copy_database(scratch, name, &aside, name);
        need(sql(scratch_path(&aside, name), "SELECT count(*) FROM sqlite_schema;"
                                             "PRAGMA wal_checkpoint(TRUNCATE)") == SQLITE_OK);
        return scratch_read(&aside, name);
}

/* ---- SQL
 * ---------------------------------------------------------------------------------------------------------
 */

int sql(const char *path, const char *statements) {
        sqlite3 *db = NULL;
        int code = sqlite3_open(path, &db);

        if (code == SQLITE_OK)
                code = sqlite3_exec(db, statements, NULL, NULL, NULL);
        if (code != SQLITE_OK)
                tap_note("%s: %s", path, sqlite3_errmsg(db));
        sqlite3_close(db);
        return code;
}

static int first_value(void *userdata, int n, char **values, char **names) {
        int64_t *out = userdata;

        if (*out == -1 && n > 0 && values[0])
                *out = atoll(values[0]);
        return 0;
}

int64_t db_int(sqlite3 *db, const char *query) {
        int64_t out = -1;

        if (sqlite3_exec(db, query, first_value, &out, NULL) != SQLITE_OK)
                tap_note("%s: %s", query, sqlite3_errmsg(db));
        return out;
}

int64_t sql_int(const char *path, const char *query) {
        sqlite3 *db = NULL;
        int64_t out = -1;

        if (sqlite3_open(path, &db) == SQLITE_OK)
                out = db_int(db, query);
        sqlite3_close(db);
        return out;
}

bool bytes_are_whole(const struct bytes *bytes, const char *query, int64_t want) {
        SCRATCH(aside);

        scratch_write(&aside, "whole", bytes->data, bytes->size);
        return sql_int(scratch_path(&aside, "whole"),
                       "SELECT integrity_check = 'ok' FROM pragma_integrity_check") == 1 &&
               sql_int(scratch_path(&aside, "whole"), query) == want;
}
