/*
 * What a file of the source tree is: ordinary, a database, or a database's side file. By content (the magic),
 * never by name; a name only says where to look for the database of a side file.
 *
 * Invariant: what is remembered of a file was read after the stat it is remembered under.
 */
#include "snapshot/registry.h"

#include "snapshot/visible.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* What a file turned out to be; the values are kept in store->sniffs. */
enum sniff {
        SNIFF_ORDINARY,
        SNIFF_ROLLBACK,
        SNIFF_WAL,
        SNIFF_FOREIGN, /* of a later format than SQLite's own two */
        SNIFF_TORN,    /* the magic before a header that SQLite does not accept */
        SNIFF_ZEROS,   /* zeros where the magic would be: page 1 of a new database is written last */
};

/* The last two are those of databases of a foreign format (wal2, MVCC). */
static const char *const side_suffixes[] = { "-wal", "-shm", "-journal", "-wal2", "-log" };
enum { SUFFIXES_OF_SQLITE = 3 };

/* The length of name without a side file's suffix, which *suffix then is; 0 if it has none. */
static size_t base_length(const char *name, const char **suffix) {
        size_t length = strlen(name);

        for (size_t i = 0; i < ARRAY_SIZE(side_suffixes); i++) {
                size_t n = strlen(side_suffixes[i]);

                if (length > n && strcmp(name + length - n, side_suffixes[i]) == 0) {
                        *suffix = side_suffixes[i];
                        return length - n;
                }
        }
        return 0;
}

bool store_name_is_side(const char *name) {
        const char *suffix;

        return base_length(name, &suffix) > 0;
}

/* Reads the head of a regular file. enum sniff or -errno. */
static int sniff_read(const struct store_file *file, const struct stat *st) {
        static const uint8_t zeros[FORMAT_MAGIC_SIZE];
        uint8_t bytes[FORMAT_HEADER_SIZE] = { 0 };
        struct format_header header;
        _cleanup_(base_closep) int fd = base_open_source(file->dirfd, file->name, 0);
        struct stat now;
        ssize_t n;
        int r;

        if (fd < 0)
                return fd;
        if (fstat(fd, &now) < 0)
                return -errno;
        if (now.st_dev != st->st_dev || now.st_ino != st->st_ino)
                return -ESTALE;
        n = base_pread(fd, bytes, sizeof(bytes), 0);
        if (n < 0)
                return (int)n;
        if (!format_has_magic(bytes, (size_t)n))
                return memcmp(bytes, zeros, sizeof(zeros)) == 0 ? SNIFF_ZEROS : SNIFF_ORDINARY;
        r = format_header_parse(&header, bytes);
        if (r < 0)
                return r == -EPROTONOSUPPORT ? SNIFF_FOREIGN : SNIFF_TORN;
        return header.wal ? SNIFF_WAL : SNIFF_ROLLBACK;
}

/* Whether a file that does not show a first page is a database all the same: a side file has it, or it is
 * still to be written. */
static bool is_incomplete(struct store *store, const struct store_file *file, const struct stat *st,
                          bool zeros) {
        struct version version;

        return (zeros || visible_side(file, st)) &&
               version_look(&version, file, -1, st, &store->wals) != -ESTALE;
}

static int sniff_file(struct store *store, const struct store_file *file, const struct stat *st) {
        uint64_t value;
        int r;

        /* A single byte counts as none to SQLite (unixFileSize() in os_unix.c). */
        if (!S_ISREG(st->st_mode) || st->st_size <= 1)
                return SNIFF_ORDINARY;
        if (st->st_size < FORMAT_MAGIC_SIZE) {
                r = SNIFF_ORDINARY;
        } else if (cache_get(&store->sniffs, st, &value)) {
                r = (int)value;
        } else {
                r = sniff_read(file, st);
                if (r >= 0)
                        cache_put(&store->sniffs, st, (uint64_t)r);
        }
        /* What begins as no database is an ordinary file, to SQLite too; unless a side file has what is
         * missing: then it is not to be shown raw. */
        if ((r == SNIFF_ORDINARY || r == SNIFF_TORN || r == SNIFF_ZEROS) &&
            !is_incomplete(store, file, st, r == SNIFF_ZEROS))
                return SNIFF_ORDINARY;
        return r == SNIFF_ORDINARY ? SNIFF_TORN : r;
}

/* What the name says, given that it is side's: looks at the database it would belong to. */
static int classify_side(struct store *store, const struct store_file *file, size_t length,
                         const char *suffix) {
        bool foreign = true;
        char name[256];
        struct store_file base = { .dirfd = file->dirfd, .name = name, .path = file->path };
        struct stat st;
        int r;

        if (length >= sizeof(name))
                return STORE_ORDINARY;
        memcpy(name, file->name, length);
        name[length] = 0;
        if (fstatat(base.dirfd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return errno == ENOENT ? STORE_ORDINARY : -errno;
        for (int i = 0; i < SUFFIXES_OF_SQLITE; i++)
                foreign = foreign && strcmp(suffix, side_suffixes[i]) != 0;
        r = sniff_file(store, &base, &st);
        if (r == SNIFF_WAL && !foreign && strcmp(suffix, "-journal") != 0)
                return STORE_SIDE_EMPTY;
        if (r == SNIFF_FOREIGN || (r > 0 && !foreign))
                return STORE_SIDE_GONE;
        return r < 0 ? r : STORE_ORDINARY;
}

int store_classify(struct store *store, const struct store_file *file, const struct stat *st) {
        const char *suffix;
        size_t length = base_length(file->name, &suffix);
        int r;

        mutex_assert_none_held();
        r = st ? sniff_file(store, file, st) : SNIFF_ORDINARY;
        if (r > 0)
                return STORE_DATABASE;
        if (length > 0 && (!st || S_ISREG(st->st_mode)))
                return classify_side(store, file, length, suffix);
        return r < 0 ? r : STORE_ORDINARY;
}

int store_attr(struct store *store, const struct store_file *file, struct stat *st) {
        struct version version;
        int r;

        mutex_assert_none_held();
        r = version_look(&version, file, -1, st, &store->wals);
        version_show(&version, store->config.racy, st);
        return r;
}
