/*
 * Fuzzes what reads a source that nobody has open: wal_scan(), views and private_make(), over a
 * database, a WAL and a journal of any bytes. What comes out must be what SQLite itself makes of the same
 * files, and lstat must have said its size.
 *
 * An input: a byte of flags, the sizes of the database and of its WAL (four bytes each, big-endian), then the
 * database, the WAL and the journal. With FIX_WAL the checksums of the WAL are made right, so that what is
 * behind them is reached.
 *
 * To be linked with --wrap=clock_unsettled: files that were made just now count as old here.
 */
#include "fuzz.h"

#include "snapshot/private.h"
#include "snapshot/wal.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

enum { FIX_WAL = 1, HEADER = 9, MOST = 1 << 20 };

bool __wrap_clock_unsettled(const struct stat *st, uint64_t grain_ns);
bool __wrap_clock_unsettled(const struct stat *st, uint64_t grain_ns) {
        return false;
}

static void must(bool holds, const char *what) {
        if (!holds) {
                fprintf(stderr, "does not hold: %s\n", what);
                abort();
        }
}

static struct {
        char path[128];
        int dirfd;
        struct space space;
        struct cache wals;
} here;

static void leave(void) {
        static const char *const names[] = { "db", "db-wal", "db-journal", "db-shm" };

        for (size_t i = 0; i < ARRAY_SIZE(names); i++)
                unlinkat(here.dirfd, names[i], 0);
        rmdir(here.path);
}

/* In memory, where there is some: a few thousand inputs a second make many files. */
static void arrive(void) {
        const char *top = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";

        if (*here.path)
                return;
        snprintf(here.path, sizeof(here.path), "%s/litesnapfs-fuzz-XXXXXX", top);
        must(mkdtemp(here.path), "mkdtemp");
        here.dirfd = open(here.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        must(here.dirfd >= 0 && space_init(&here.space, here.path, 64 << 20) == 0, "space");
        must(cache_init(&here.wals) == 0, "cache");
        atexit(leave);
}

static void put(const char *name, const uint8_t *bytes, size_t size) {
        _cleanup_(base_closep) int fd = -1;

        unlinkat(here.dirfd, name, 0);
        if (size == 0)
                return;
        fd = openat(here.dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        must(fd >= 0 && base_pwrite(fd, bytes, size, 0) == 0, "write");
}

static void fix_wal(uint8_t *bytes, size_t size) {
        uint32_t sum[2] = { 0, 0 }, page_size;
        bool big_endian;

        if (size < FORMAT_WAL_HEADER_SIZE)
                return;
        big_endian = bytes[3] & 1;
        page_size = format_be32(&bytes[8]);
        format_put_be32(&bytes[0], 0x377f0682 | big_endian);
        format_put_be32(&bytes[4], 3007000);
        format_wal_checksum(big_endian, bytes, 24, sum);
        format_put_be32(&bytes[24], sum[0]);
        format_put_be32(&bytes[28], sum[1]);
        if (page_size < 512 || page_size > 65536)
                return;
        for (size_t at = FORMAT_WAL_HEADER_SIZE; at + FORMAT_WAL_FRAME_HEADER_SIZE + page_size <= size;
             at += FORMAT_WAL_FRAME_HEADER_SIZE + page_size) {
                memcpy(&bytes[at + 8], &bytes[16], 8);
                format_wal_checksum(big_endian, &bytes[at], 8, sum);
                format_wal_checksum(big_endian, &bytes[at + FORMAT_WAL_FRAME_HEADER_SIZE], page_size, sum);
                format_put_be32(&bytes[at + 16], sum[0]);
                format_put_be32(&bytes[at + 20], sum[1]);
        }
}

static bool wanted(void *userdata) {
        return false;
}

/* SQLite's own reading of the files, which it recovers and checkpoints; they are as it leaves them after
 * this. */
static int recover_in_place(void) {
        sqlite3 *db = NULL;
        char path[160];
        int code;

        snprintf(path, sizeof(path), "%s/db", here.path);
        code = sqlite3_open(path, &db);
        if (code == SQLITE_OK)
                code = sqlite3_exec(db,
                                    "PRAGMA locking_mode=EXCLUSIVE; PRAGMA schema_version", NULL, NULL, NULL);
        if (code == SQLITE_OK)
                code = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
        sqlite3_close(db);
        return code;
}

/* The bytes that were served, size of them, of a version that lstat showed. */
static void compare(const uint8_t *ours, uint64_t size, const struct version *version) {
        _cleanup_(base_freep) uint8_t *theirs = calloc(1, size + 1);
        _cleanup_(base_closep) int fd = -1;

        must(theirs, "memory");
        if ((uint64_t)version->attr.st_size != size)
                fprintf(stderr, "lstat said %lld, it is %llu\n", (long long)version->attr.st_size,
                        (unsigned long long)size);
        must((uint64_t)version->attr.st_size == size, "lstat said its size");
        if (recover_in_place() != SQLITE_OK)
                return;
        fd = openat(here.dirfd, "db", O_RDONLY | O_CLOEXEC);
        /* What a database ends with within its last page is zeros to SQLite. */
        must(base_pread(fd, theirs, size, 0) >= 0, "SQLite's can be read");
        must(memcmp(ours, theirs, size) == 0, "SQLite's is the same");
}

static void fuzz_view(struct view *view, const struct version *version) {
        _cleanup_(base_freep) uint8_t *bytes = calloc(1, view->size + 1);
        uint64_t size = view->size;

        must(bytes, "memory");
        must(view_read(view, bytes, size, 0) == (ssize_t)size, "it can be read");
        view_free(view);
        compare(bytes, size, version);
}

static void fuzz_private(struct view *view, const struct version *version) {
        struct copy_wish wish = { .unwanted = wanted };
        struct private_job job = { .view = view, .space = &here.space, .wish = &wish };
        _cleanup_(base_freep) uint8_t *bytes = NULL;
        struct stat st;
        int r = private_make(&job);

        view_free(view);
        if (r < 0)
                return;
        bytes = calloc(1, job.size + 1);
        must(bytes && fstat(job.out.fd, &st) == 0, "memory");
        must((uint64_t)st.st_size == job.size, "the file has the size that is said");
        must(base_pread(job.out.fd, bytes, job.size, 0) == (ssize_t)job.size, "it can be read");
        space_file_deinit(&job.out);
        compare(bytes, job.size, version);
}

static void fuzz_files(void) {
        struct store_file file = { .dirfd = here.dirfd, .name = "db", .path = "db" };
        _cleanup_(base_closep) int wal_fd = openat(here.dirfd, "db-wal", O_RDONLY | O_CLOEXEC);
        struct wal_summary summary;
        struct version version;
        struct view *view;
        const char *why;
        struct stat st;

        if (wal_fd >= 0)
                must(wal_scan(wal_fd, &summary, NULL, NULL) == 0, "wal_scan");
        if (fstatat(here.dirfd, "db", &st, 0) < 0 ||
            view_new(&view, &file, st.st_dev, st.st_ino, &here.wals) < 0)
                return;
        version = view->version;
        if (version.foreign || version.unborn)
                view_free(view);
        else if (view_hold(view, 0, &here.wals, &why) == 0)
                fuzz_view(view, &version);
        else
                fuzz_private(view, &version);
        must(here.space.used == 0, "all space is given back");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
        size_t main_size, wal_size;
        uint8_t *wal;

        if (size < HEADER || size > MOST)
                return 0;
        arrive();
        main_size = format_be32(&bytes[1]);
        wal_size = format_be32(&bytes[5]);
        if (main_size > size - HEADER)
                main_size = size - HEADER;
        if (wal_size > size - HEADER - main_size)
                wal_size = size - HEADER - main_size;
        wal = malloc(wal_size + 1);
        must(wal, "memory");
        memcpy(wal, bytes + HEADER + main_size, wal_size);
        if (bytes[0] & FIX_WAL)
                fix_wal(wal, wal_size);
        put("db-shm", NULL, 0);
        put("db", bytes + HEADER, main_size);
        put("db-wal", wal, wal_size);
        put("db-journal", bytes + HEADER + main_size + wal_size, size - HEADER - main_size - wal_size);
        free(wal);
        fuzz_files();
        return 0;
}
