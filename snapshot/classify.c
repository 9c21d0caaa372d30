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
        SNIFF_TORN, /* the magic before a header that SQLite does not accept */
};

static const char *const side_suffixes[] = { "-wal", "-shm", "-journal" };

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
        uint8_t bytes[FORMAT_HEADER_SIZE] = { 0 };
        struct format_header header;
        _cleanup_(base_closep) int fd = base_open_source(file->dirfd, file->name, 0);
        struct stat now;
        ssize_t n;

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
                return SNIFF_ORDINARY;
        if (format_header_parse(&header, bytes) < 0)
                return SNIFF_TORN;
        return header.wal ? SNIFF_WAL : SNIFF_ROLLBACK;
}

static int sniff_file(struct store *store, const struct store_file *file, const struct stat *st) {
        uint64_t value;
        int r;

        if (!S_ISREG(st->st_mode) || st->st_size < FORMAT_MAGIC_SIZE)
                return SNIFF_ORDINARY;
        if (cache_get(&store->sniffs, st, &value)) {
                r = (int)value;
        } else {
                r = sniff_read(file, st);
                if (r >= 0)
                        cache_put(&store->sniffs, st, (uint64_t)r);
        }
        /* NOTADB to SQLite, an ordinary file (S9); unless a side file may have what is missing: then it is
         * not to be shown raw (P5). */
        return r == SNIFF_TORN && !visible_side(file) ? SNIFF_ORDINARY : r;
}

/* What the name says, given that it is side's: looks at the database it would belong to. */
static int classify_side(struct store *store, const struct store_file *file, size_t length,
                         const char *suffix) {
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
        r = sniff_file(store, &base, &st);
        if (r == SNIFF_WAL && strcmp(suffix, "-journal") != 0)
                return STORE_SIDE_EMPTY;
        if (r > 0)
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
