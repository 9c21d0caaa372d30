/*
 * Readers that open the database of torture-writer, copy it and judge the copy, while it is being written.
 *
 * Each copy is read in one of the ways that backup tools read: small reads, large ones, chunks in any order, mmap.
 * Attributes are looked at after the open, after the read and before the close, and part of the file is read
 * twice: what is open must not move.
 */
#include "torture.h"
#include "verdict.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct reader_options {
        const char *path;
        const char *record;
        uint64_t snapshots, readers, seconds, seed;
        bool expect_bad; /* a self-test: the path is the raw file, and the judge must say so */
        bool via_backup; /* a self-test: take the copy by sqlite3_backup, and the judge must be content */
        bool via_command; /* the path is a command that writes a copy to its standard output */
};

/* Shared by all readers. */
struct reader_tally {
        _Atomic uint64_t started, good, bad, errors;
        _Atomic uint64_t lowest, highest;
};

struct reader {
        const struct reader_options *options;
        struct torture_record *record;
        struct reader_tally *tally;
        uint64_t random;
        unsigned char *bytes; /* the copy; sqlite3_malloc'ed when taken by sqlite3_backup */
        size_t size, room;
};

static void reader_compare(struct verdict *verdict, const struct stat *a, const struct stat *b, const char *when) {
        if (a->st_size != b->st_size)
                verdict_say(verdict, "size %lld at open, %lld %s", (long long)a->st_size, (long long)b->st_size, when);
        if (a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec)
                verdict_say(verdict, "mtime moved %s", when);
        if (a->st_ctim.tv_sec != b->st_ctim.tv_sec || a->st_ctim.tv_nsec != b->st_ctim.tv_nsec)
                verdict_say(verdict, "ctime moved %s", when);
        if (a->st_ino != b->st_ino || a->st_dev != b->st_dev)
                verdict_say(verdict, "inode moved %s", when);
        if (a->st_mode != b->st_mode || a->st_nlink != b->st_nlink || a->st_blocks != b->st_blocks)
                verdict_say(verdict, "mode, links or blocks moved %s", when);
}

static void reader_attributes(struct verdict *verdict, const struct stat *st, size_t bytes) {
        if ((size_t)st->st_size != bytes)
                verdict_say(verdict, "fstat says %lld bytes, read gave %zu", (long long)st->st_size, bytes);
        if (st->st_nlink != 1)
                verdict_say(verdict, "%u links", (unsigned)st->st_nlink);
        if (st->st_blocks < (st->st_size + 511) / 512)
                verdict_say(verdict, "%lld blocks for %lld bytes", (long long)st->st_blocks, (long long)st->st_size);
}

static void reader_make_room(struct reader *reader, size_t room) {
        if (room <= reader->room)
                return;
        free(reader->bytes);
        reader->bytes = malloc(room);
        reader->room = room;
        if (!reader->bytes)
                torture_die("out of memory");
}

/* From front to back until end of file, which must come where fstat said, not before and not after. */
static int reader_read_along(struct reader *reader, int fd, size_t chunk) {
        reader->size = 0;
        for (;;) {
                size_t want = reader->room - reader->size < chunk ? reader->room - reader->size : chunk;
                ssize_t n = read(fd, reader->bytes + reader->size, want);

                if (n < 0)
                        return -errno;
                if (n == 0 || (reader->size += (size_t)n) == reader->room)
                        return 0;
        }
}

/* The chunks from back to front, each whole, then the end of file. */
static int reader_read_backwards(struct reader *reader, int fd, size_t size, size_t chunk) {
        size_t at = (size + chunk - 1) / chunk * chunk;
        char beyond;
        ssize_t n;

        while (at) {
                size_t want;

                at -= chunk;
                want = size - at < chunk ? size - at : chunk;
                n = pread(fd, reader->bytes + at, want, (off_t)at);
                if (n != (ssize_t)want)
                        return n < 0 ? -errno : -ENODATA;
        }
        reader->size = size;
        n = pread(fd, &beyond, 1, (off_t)size);
        return n < 0 ? -errno : n ? -EOVERFLOW : 0;
}

static int reader_read_mapped(struct reader *reader, int fd, size_t size) {
        void *map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);

        if (map == MAP_FAILED)
                return -errno;
        memcpy(reader->bytes, map, size);
        munmap(map, size);
        reader->size = size;
        return 0;
}

static int reader_read(struct reader *reader, int fd, size_t size) {
        static const size_t chunks[] = { 10 << 10, 128 << 10, 256 << 10, 8 << 20 };
        size_t chunk = chunks[torture_below(&reader->random, 4)];
        /* The raw file may shrink below a mapping, which would be SIGBUS. */
        unsigned ways = reader->options->expect_bad ? 2 : 4;

        reader_make_room(reader, size + (1 << 20));
        switch (torture_below(&reader->random, ways)) {
        case 2:
                return reader_read_backwards(reader, fd, size, chunk);
        case 3:
                if (size)
                        return reader_read_mapped(reader, fd, size);
                /* fallthrough */
        default:
                return reader_read_along(reader, fd, chunk);
        }
}

/* Once more, a random stretch, past the page cache: the same bytes as before. */
static void reader_read_again(struct reader *reader, struct verdict *verdict, int fd) {
        size_t at = torture_below(&reader->random, reader->size);
        char again[65536];
        ssize_t n;

        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
        n = pread(fd, again, sizeof(again), (off_t)at);
        if (n < 0)
                verdict_say(verdict, "second read: %s", strerror(errno));
        else if ((size_t)n > reader->size - at || memcmp(again, reader->bytes + at, (size_t)n))
                verdict_say(verdict, "second read at %zu differs", at);
}

static int reader_copy(struct reader *reader, struct verdict *verdict, uint64_t *begun) {
        struct stat opened, now;
        int fd = open(reader->options->path, O_RDONLY | O_CLOEXEC), r;

        if (fd < 0)
                return -errno;
        *begun = atomic_load(&reader->record->begun);
        if (fstat(fd, &opened) < 0)
                torture_die("fstat: %s", strerror(errno));
        r = reader_read(reader, fd, (size_t)opened.st_size);
        /* The self-test is to convict the bytes alone, not the attributes, which move anyway. */
        if (r == 0 && !reader->options->expect_bad) {
                fstat(fd, &now);
                reader_compare(verdict, &opened, &now, "after the read");
                reader_attributes(verdict, &opened, reader->size);
                if (reader->size)
                        reader_read_again(reader, verdict, fd);
                fstat(fd, &now);
                reader_compare(verdict, &opened, &now, "before the close");
        }
        close(fd);
        return r;
}

/* The peer: what sqlite3_backup makes of the raw file is right by definition. */
static int reader_backup(struct reader *reader, uint64_t *begun) {
        sqlite3 *source, *copy;
        sqlite3_backup *backup;
        sqlite3_int64 size;
        int rc;

        if (sqlite3_open_v2(reader->options->path, &source, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK ||
            sqlite3_open(":memory:", &copy) != SQLITE_OK)
                torture_die("%s: cannot open", reader->options->path);
        sqlite3_busy_timeout(source, 60000);
        backup = sqlite3_backup_init(copy, "main", source, "main");
        while ((rc = sqlite3_backup_step(backup, -1)) == SQLITE_BUSY || rc == SQLITE_LOCKED)
                ;
        sqlite3_backup_finish(backup);
        *begun = atomic_load(&reader->record->begun);
        free(reader->bytes);
        reader->bytes = NULL;
        if (rc == SQLITE_DONE) {
                unsigned char *bytes = sqlite3_serialize(copy, "main", &size, 0);

                reader->room = reader->size = (size_t)size;
                reader->bytes = malloc(reader->room);
                memcpy(reader->bytes, bytes, reader->size);
                sqlite3_free(bytes);
        }
        sqlite3_close(copy);
        sqlite3_close(source);
        return rc == SQLITE_DONE ? 0 : -EIO;
}

/* The state is chosen before the first byte comes, and after the command was started. */
static int reader_command(struct reader *reader, uint64_t *begun) {
        FILE *pipe = popen(reader->options->path, "re");
        size_t n;

        if (!pipe)
                torture_die("%s: %s", reader->options->path, strerror(errno));
        reader->size = 0;
        do {
                if (reader->room - reader->size < 1 << 20) {
                        reader->room = 2 * reader->room + (2 << 20);
                        reader->bytes = realloc(reader->bytes, reader->room);
                        if (!reader->bytes)
                                torture_die("out of memory");
                }
                n = fread(reader->bytes + reader->size, 1, reader->size ? 1 << 20 : 1, pipe);
                if (reader->size == 0)
                        *begun = atomic_load(&reader->record->begun);
                reader->size += n;
        } while (n > 0);
        return pclose(pipe) == 0 ? 0 : -EIO;
}

static void reader_round(struct reader *reader) {
        struct reader_tally *tally = reader->tally;
        struct verdict verdict = { 0 };
        uint64_t acked = atomic_load(&reader->record->acked), begun = 0;
        int wal = reader->options->via_backup ? -1 : (int)atomic_load(&reader->record->wal);
        int r = reader->options->via_backup    ? reader_backup(reader, &begun)
                : reader->options->via_command ? reader_command(reader, &begun)
                                               : reader_copy(reader, &verdict, &begun);

        if (r < 0) {
                if (atomic_fetch_add(&tally->errors, 1) < 5)
                        fprintf(stderr, "torture-reader: %s: %s\n", reader->options->path, strerror(-r));
                return;
        }
        verdict_reach(&verdict, reader->bytes, reader->size, wal, acked, begun);
        if (!*verdict.reason) {
                atomic_fetch_add(&tally->good, 1);
                torture_raise(&tally->highest, verdict.sequence);
                if (!atomic_load(&tally->lowest))
                        atomic_store(&tally->lowest, verdict.sequence);
        } else if (atomic_fetch_add(&tally->bad, 1) < 5) {
                fprintf(stderr, "torture-reader: %s: bad: %s\n", reader->options->path, verdict.reason);
        }
}

static _Noreturn void reader_run(const struct reader_options *options, struct torture_record *record,
                                 struct reader_tally *tally, unsigned number) {
        struct reader reader = { .options = options, .record = record, .tally = tally,
                                 .random = options->seed * 1000 + 500 + number };
        uint64_t end = torture_now_ns() + options->seconds * 1000000000;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        while (atomic_fetch_add(&tally->started, 1) < options->snapshots) {
                reader_round(&reader);
                if (options->seconds && torture_now_ns() > end)
                        break;
        }
        free(reader.bytes);
        _exit(0);
}

static const char usage[] =
        "torture-reader --path FILE --record FILE [--snapshots N] [--readers N] [--seconds N] [--seed N]\n"
        "    [--expect-bad] [--via-backup] [--via-command]\n"
        "Copies FILE N times (or for so many seconds at most) and judges each copy. Exits with 1 when one was bad or\n"
        "could not be had, or when N was not reached; with --expect-bad when none was bad. With --via-command FILE is a\n"
        "command that writes a copy to its standard output.\n";

static void reader_parse(struct reader_options *options, int argc, char **argv) {
        static const struct option table[] = {
                { "path", required_argument, NULL, 0 },      { "record", required_argument, NULL, 1 },
                { "snapshots", required_argument, NULL, 2 }, { "readers", required_argument, NULL, 3 },
                { "seconds", required_argument, NULL, 4 },   { "seed", required_argument, NULL, 5 },
                { "expect-bad", no_argument, NULL, 6 },      { "via-backup", no_argument, NULL, 7 },
                { "via-command", no_argument, NULL, 8 },
                { 0 },
        };
        const char **texts[] = { &options->path, &options->record };
        uint64_t *numbers[] = { &options->snapshots, &options->readers, &options->seconds, &options->seed };
        bool *flags[] = { &options->expect_bad, &options->via_backup, &options->via_command };
        int c;

        while ((c = getopt_long(argc, argv, "", table, NULL)) >= 0) {
                if (c > 8)
                        break;
                if (c < 2)
                        *texts[c] = optarg;
                else if (c < 6)
                        *numbers[c - 2] = torture_number(optarg);
                else
                        *flags[c - 6] = true;
        }
        if (c >= 0 || !options->path || !options->record || optind != argc) {
                fputs(usage, stderr);
                exit(2);
        }
}

static int reader_judge(const struct reader_options *options, const struct reader_tally *tally, bool crashed) {
        uint64_t good = atomic_load(&tally->good), bad = atomic_load(&tally->bad);
        uint64_t errors = atomic_load(&tally->errors);

        printf("torture-reader: snapshots %llu good %llu bad %llu errors %llu, sequences %llu to %llu\n",
               (unsigned long long)(good + bad + errors), (unsigned long long)good, (unsigned long long)bad,
               (unsigned long long)errors, (unsigned long long)atomic_load(&tally->lowest),
               (unsigned long long)atomic_load(&tally->highest));
        if (crashed)
                return 1;
        if (options->expect_bad)
                return bad == 0;
        return bad || errors || good == 0 || (!options->seconds && good < options->snapshots);
}

int main(int argc, char **argv) {
        struct reader_options options = { .snapshots = 100, .readers = 2, .seed = 1 };
        struct torture_record *record;
        struct reader_tally *tally;
        bool crashed = false;
        int status;

        reader_parse(&options, argc, argv);
        record = torture_record_map(options.record, false);
        tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (tally == MAP_FAILED)
                torture_die("mmap: %s", strerror(errno));
        for (unsigned i = 0; i < options.readers; ++i) {
                pid_t pid = fork();

                if (pid < 0)
                        torture_die("fork: %s", strerror(errno));
                if (!pid)
                        reader_run(&options, record, tally, i);
        }
        for (uint64_t i = 0; i < options.readers; ++i) {
                if (wait(&status) < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) {
                        fprintf(stderr, "torture-reader: a reader died, status %d\n", status);
                        crashed = true;
                }
        }
        return reader_judge(&options, tally, crashed);
}
