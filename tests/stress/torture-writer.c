/*
 * Writers that commit without pause to one database, and keep the record by which torture-reader judges copies of it.
 *
 * Each writer is a process with a connection of its own, as applications are. In the rollback modes they wait for each
 * other, and for a reader's SHARED lock, in SQLite's busy handler. In WAL mode they take turns by a lock that
 * SQLite knows nothing of and have no busy handler at all: whatever SQLITE_BUSY a WAL writer sees was caused by somebody
 * else, and that must not happen.
 */
#include "torture.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define BUSY_GIVE_UP_NS UINT64_C(60000000000)

struct writer_options {
        const char *db;
        const char *record;
        const char *ready;
        const char *journal;
        uint64_t page_size, size, writers, seed, transactions, auto_vacuum;
        uint64_t checkpoint, vacuum, reopen; /* how often, in a thousand transactions */
        bool keep_wal, linger, exclusive;
};

struct writer {
        const struct writer_options *options;
        struct torture_record *record;
        sqlite3 *db;
        uint64_t random;
        uint64_t waiting_since;
        unsigned number;
        int turn_fd;
        bool wal;
};

static struct torture_record *stop_record;

static void writer_on_signal(int signal) {
        atomic_store(&stop_record->stop, 1);
}

static int writer_on_busy(void *userdata, int count) {
        struct writer *writer = userdata;

        if (!count)
                writer->waiting_since = torture_now_ns();
        atomic_fetch_add(&writer->record->waits, 1);
        if (torture_now_ns() - writer->waiting_since > BUSY_GIVE_UP_NS)
                return 0;
        usleep(200 + (useconds_t)torture_below(&writer->random, 800));
        return 1;
}

static void writer_connect(struct writer *writer) {
        const struct writer_options *options = writer->options;
        int rc = sqlite3_open_v2(options->db, &writer->db, SQLITE_OPEN_READWRITE, NULL);

        if (rc != SQLITE_OK)
                torture_die("%s: %s", options->db, sqlite3_errstr(rc));
        sqlite3_busy_handler(writer->db, writer_on_busy, writer);
        if (options->exclusive)
                torture_exec(writer->db, "PRAGMA locking_mode=EXCLUSIVE");
        if (!writer->wal)
                torture_exec(writer->db, "PRAGMA journal_mode=%s", options->journal);
        /* Both ways of syncing: they write different journals. */
        torture_exec(writer->db, "PRAGMA synchronous=%s", writer->number % 2 ? "NORMAL" : "OFF");
        torture_exec(writer->db, "SELECT seq FROM first");
        if (options->keep_wal)
                sqlite3_db_config(writer->db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
        if (writer->wal)
                sqlite3_busy_handler(writer->db, NULL, NULL);
}

static void writer_fill(sqlite3 *db, uint64_t size, uint64_t row) {
        torture_exec(db,
                     "WITH RECURSIVE k(i) AS (VALUES(0) UNION ALL SELECT i + 1 FROM k WHERE i + 1 < %llu) "
                     "INSERT INTO bulk(seq, body) SELECT 1, randomblob(%llu) FROM k",
                     (unsigned long long)(size / row + 1), (unsigned long long)row);
}

/* The three stamps lie apart, with a third of the bulk and of the accounts between them. */
static void writer_create(const struct writer_options *options) {
        static const char *const stamps[] = { "first", "second", "third" };
        uint64_t row = options->page_size * 2 / 3;
        sqlite3 *db;

        if (sqlite3_open(options->db, &db) != SQLITE_OK)
                torture_die("%s: %s", options->db, sqlite3_errmsg(db));
        torture_exec(db, "PRAGMA page_size=%llu", (unsigned long long)options->page_size);
        torture_exec(db, "PRAGMA auto_vacuum=%llu", (unsigned long long)options->auto_vacuum);
        torture_exec(db, "PRAGMA journal_mode=%s", options->journal);
        torture_exec(db, "PRAGMA synchronous=OFF; BEGIN; CREATE TABLE log(seq INTEGER PRIMARY KEY, what TEXT);"
                         "INSERT INTO log VALUES(1, 'made');"
                         "CREATE TABLE bulk(id INTEGER PRIMARY KEY, seq INTEGER, body BLOB);"
                         "CREATE TABLE accounts(id INTEGER PRIMARY KEY, balance INTEGER, pad BLOB)");
        for (size_t i = 0; i < 3; ++i) {
                torture_exec(db, "CREATE TABLE %s(seq INTEGER); INSERT INTO %s VALUES(1)", stamps[i], stamps[i]);
                writer_fill(db, options->size / 3, row);
                for (unsigned n = 0; n < TORTURE_ACCOUNTS; ++n)
                        if (n % 3 == i)
                                torture_exec(db, "INSERT INTO accounts VALUES(%u, %d, randomblob(%u))", n,
                                             TORTURE_BALANCE, (unsigned)row / 4);
        }
        torture_exec(db, "COMMIT");
        sqlite3_close(db);
}

static uint64_t writer_number(sqlite3 *db, const char *sql, int *rc) {
        sqlite3_stmt *stmt = NULL;
        uint64_t n = 0;

        *rc = sqlite3_prepare_v2(db, sql, -1, &stmt, NULL);
        if (*rc == SQLITE_OK) {
                *rc = sqlite3_step(stmt);
                if (*rc == SQLITE_ROW) {
                        n = (uint64_t)sqlite3_column_int64(stmt, 0);
                        *rc = SQLITE_OK;
                }
        }
        sqlite3_finalize(stmt);
        return n;
}

/* Everything between BEGIN and COMMIT. */
static int writer_change(struct writer *writer, uint64_t n) {
        uint64_t *random = &writer->random;
        int from = (int)torture_below(random, TORTURE_ACCOUNTS), to = (int)torture_below(random, TORTURE_ACCOUNTS);
        int amount = (int)torture_below(random, 50);
        unsigned row = (unsigned)writer->options->page_size * 2 / 3;
        unsigned rows = (unsigned)(writer->options->size / row) + 3;
        char *sql, body[96] = "";
        int rc;

        /* Mostly the same size; sometimes a row goes, grows or comes, so that the file's free list and end move. */
        if (!torture_below(random, 4))
                snprintf(body, sizeof(body), "DELETE FROM bulk WHERE id = %u;",
                         1 + (unsigned)torture_below(random, rows));
        sql = sqlite3_mprintf("UPDATE first SET seq = %llu; UPDATE second SET seq = %llu; "
                              "UPDATE accounts SET balance = balance - %d WHERE id = %d;"
                              "UPDATE accounts SET balance = balance + %d WHERE id = %d;%s"
                              "INSERT OR REPLACE INTO bulk VALUES(%u, %llu, randomblob(%u));"
                              "DELETE FROM log WHERE seq <= %lld; INSERT INTO log VALUES(%llu, hex(randomblob(8)));"
                              "UPDATE third SET seq = %llu;",
                              n, n, amount, from, amount, to, body, 1 + (unsigned)torture_below(random, rows), n,
                              (unsigned)torture_below(random, 2 * row), (long long)n - TORTURE_LOG_KEPT, n, n);
        rc = sqlite3_exec(writer->db, sql, NULL, NULL, NULL);
        sqlite3_free(sql);
        return rc;
}

static int writer_transact(struct writer *writer) {
        uint64_t n = 0, started = torture_now_ns();
        int rc = sqlite3_exec(writer->db, "BEGIN IMMEDIATE", NULL, NULL, NULL);

        if (rc == SQLITE_OK)
                n = writer_number(writer->db, "SELECT seq + 1 FROM first", &rc);
        if (rc == SQLITE_OK)
                rc = writer_change(writer, n);
        if (rc == SQLITE_OK) {
                torture_raise(&writer->record->begun, n);
                rc = sqlite3_exec(writer->db, "COMMIT", NULL, NULL, NULL);
        }
        if (rc != SQLITE_OK)
                return rc;
        torture_raise(&writer->record->acked, n);
        torture_raise(&writer->record->longest_wait_ns, torture_now_ns() - started);
        atomic_fetch_add(&writer->record->commits, 1);
        return SQLITE_OK;
}

static void writer_turn(const struct writer *writer, int operation) {
        if (!writer->wal)
                return;
        while (flock(writer->turn_fd, operation) < 0)
                if (errno != EINTR)
                        torture_die("flock: %s", strerror(errno));
}

/* Passive checkpoints run beside the other writers; the others wait for them, so they need the turn. */
static void writer_checkpoint(struct writer *writer) {
        int kind = (int)torture_below(&writer->random, 4), rc;

        if (kind != SQLITE_CHECKPOINT_PASSIVE)
                writer_turn(writer, LOCK_EX);
        rc = sqlite3_wal_checkpoint_v2(writer->db, NULL, kind, NULL, NULL);
        if (kind != SQLITE_CHECKPOINT_PASSIVE)
                writer_turn(writer, LOCK_UN);
        atomic_fetch_add(&writer->record->checkpoints, 1);
        if (rc == SQLITE_BUSY)
                atomic_fetch_add(&writer->record->checkpoint_busy, 1);
        else if (rc != SQLITE_OK)
                torture_die("checkpoint: %s", sqlite3_errmsg(writer->db));
}

static bool writer_one_in(struct writer *writer, uint64_t permille) {
        return permille && torture_below(&writer->random, 1000) < permille;
}

static bool writer_step(struct writer *writer) {
        struct torture_record *record = writer->record;
        const struct writer_options *options = writer->options;
        int rc;

        writer_turn(writer, LOCK_EX);
        rc = writer_transact(writer);
        if (rc == SQLITE_OK && writer_one_in(writer, options->vacuum)) {
                rc = sqlite3_exec(writer->db, "VACUUM", NULL, NULL, NULL);
                if (rc == SQLITE_BUSY)
                        rc = SQLITE_OK; /* another writer was quicker: VACUUM may be refused */
        }
        if (rc != SQLITE_OK) {
                fprintf(stderr, "torture-writer: %s (%d)\n", sqlite3_errmsg(writer->db),
                        sqlite3_extended_errcode(writer->db));
                atomic_fetch_add((rc & 0xff) == SQLITE_BUSY ? &record->busy : &record->failures, 1);
                if (!sqlite3_get_autocommit(writer->db))
                        sqlite3_exec(writer->db, "ROLLBACK", NULL, NULL, NULL);
        }
        if (writer_one_in(writer, options->reopen)) {
                sqlite3_close(writer->db);
                writer_connect(writer);
        }
        writer_turn(writer, LOCK_UN);
        if (writer->wal && writer_one_in(writer, options->checkpoint))
                writer_checkpoint(writer);
        return rc == SQLITE_OK;
}

static _Noreturn void writer_run(struct torture_record *record, const struct writer_options *options,
                                 unsigned number) {
        struct writer writer = { .options = options, .record = record, .number = number };
        bool counted = false, done = false;

        prctl(PR_SET_PDEATHSIG, SIGKILL);
        writer.wal = !strcasecmp(options->journal, "wal");
        writer.random = options->seed * 1000 + number;
        writer.turn_fd = open(options->record, O_RDWR | O_CLOEXEC);
        writer_turn(&writer, LOCK_EX);
        writer_connect(&writer);
        writer_turn(&writer, LOCK_UN);
        while (!done && !atomic_load(&record->stop)) {
                if (writer_step(&writer) && !counted) {
                        atomic_fetch_add(&record->running, 1);
                        counted = true;
                }
                done = options->transactions && atomic_load(&record->commits) >= options->transactions;
        }
        atomic_fetch_add(&record->finished, 1);
        while (options->linger && !atomic_load(&record->stop))
                pause();
        sqlite3_close(writer.db);
        _exit(0);
}

static void writer_say_ready(const char *path) {
        int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

        if (fd < 0)
                torture_die("%s: %s", path, strerror(errno));
        close(fd);
}

/* The parent: says when all write, or when all have written what was asked for, and reaps them. */
static int writer_watch(struct torture_record *record, const struct writer_options *options, pid_t *pids) {
        uint64_t left = options->writers;
        bool said = !options->ready;
        int status, result = 0;

        while (left) {
                bool stop = atomic_load(&record->stop);
                uint64_t have = atomic_load(options->transactions ? &record->finished : &record->running);

                if (!said && have >= options->writers) {
                        writer_say_ready(options->ready);
                        said = true;
                }
                for (uint64_t i = 0; i < options->writers; ++i) {
                        if (!pids[i])
                                continue;
                        if (stop)
                                kill(pids[i], SIGTERM);
                        if (waitpid(pids[i], &status, WNOHANG) == pids[i]) {
                                pids[i] = 0;
                                --left;
                                if (!WIFEXITED(status) || WEXITSTATUS(status))
                                        result = 1;
                        }
                }
                usleep(5000);
        }
        if (!said)
                writer_say_ready(options->ready);
        return result;
}

static void writer_report(const struct torture_record *record) {
        printf("torture-writer: commits %llu busy %llu failures %llu waits %llu checkpoints %llu (%llu cut short) "
               "slowest transaction %.0f ms\n",
               (unsigned long long)atomic_load(&record->commits), (unsigned long long)atomic_load(&record->busy),
               (unsigned long long)atomic_load(&record->failures), (unsigned long long)atomic_load(&record->waits),
               (unsigned long long)atomic_load(&record->checkpoints),
               (unsigned long long)atomic_load(&record->checkpoint_busy),
               (double)atomic_load(&record->longest_wait_ns) / 1e6);
}

static const char usage[] =
        "torture-writer --db FILE --record FILE [--journal wal|delete|truncate|persist|memory|off] [--page-size N]\n"
        "    [--size N] [--writers N] [--seed N] [--ready FILE] [--transactions N] [--linger] [--keep-wal]\n"
        "    [--checkpoint PERMILLE] [--vacuum PERMILLE] [--reopen PERMILLE] [--auto-vacuum 0|1|2] [--exclusive]\n"
        "Makes FILE and commits to it until SIGTERM, or N transactions; --ready is made once every writer has\n"
        "committed (or all is written), --linger then keeps the connections open. Exits with 1 when a transaction failed\n"
        "or met SQLITE_BUSY.\n";

static void writer_parse(struct writer_options *options, int argc, char **argv) {
        enum { DB, RECORD, READY, JOURNAL, PAGE_SIZE, SIZE, WRITERS, SEED, TRANSACTIONS, CHECKPOINT, VACUUM, REOPEN,
               AUTO_VACUUM, KEEP_WAL, LINGER, EXCLUSIVE, OPTIONS };
        static const char *const names[OPTIONS] = {
                "db", "record", "ready", "journal", "page-size", "size", "writers", "seed", "transactions",
                "checkpoint", "vacuum", "reopen", "auto-vacuum", "keep-wal", "linger", "exclusive",
        };
        const char **texts[] = { &options->db, &options->record, &options->ready, &options->journal };
        uint64_t *numbers[] = { &options->page_size, &options->size, &options->writers, &options->seed,
                                &options->transactions, &options->checkpoint, &options->vacuum, &options->reopen,
                                &options->auto_vacuum };
        bool *flags[] = { &options->keep_wal, &options->linger, &options->exclusive };
        struct option table[OPTIONS + 1] = { 0 };
        int c;

        for (int i = 0; i < OPTIONS; ++i)
                table[i] = (struct option){ names[i], i < KEEP_WAL ? required_argument : no_argument, NULL, i };
        while ((c = getopt_long(argc, argv, "", table, NULL)) >= 0) {
                if (c >= OPTIONS) {
                        fputs(usage, stderr);
                        exit(2);
                }
                if (c < PAGE_SIZE)
                        *texts[c] = optarg;
                else if (c < KEEP_WAL)
                        *numbers[c - PAGE_SIZE] = torture_number(optarg);
                else
                        *flags[c - KEEP_WAL] = true;
        }
        if (!options->db || !options->record || optind != argc) {
                fputs(usage, stderr);
                exit(2);
        }
}

int main(int argc, char **argv) {
        struct writer_options options = { .journal = "wal", .page_size = 4096, .size = 1 << 20, .writers = 3,
                                          .seed = 1, .checkpoint = 20 };
        struct torture_record *record;
        pid_t *pids;
        int result;

        writer_parse(&options, argc, argv);
        record = stop_record = torture_record_map(options.record, true);
        atomic_store(&record->begun, 1);
        atomic_store(&record->acked, 1);
        atomic_store(&record->wal, !strcasecmp(options.journal, "wal"));
        writer_create(&options);
        signal(SIGTERM, writer_on_signal);
        signal(SIGINT, writer_on_signal);
        pids = calloc(options.writers, sizeof(*pids));
        for (unsigned i = 0; pids && i < options.writers; ++i) {
                pids[i] = fork();
                if (!pids[i])
                        writer_run(record, &options, i);
                if (pids[i] < 0)
                        torture_die("fork: %s", strerror(errno));
        }
        if (!pids)
                torture_die("out of memory");
        result = writer_watch(record, &options, pids);
        free(pids);
        writer_report(record);
        if (atomic_load(&record->failures) || atomic_load(&record->busy))
                result = 1;
        return result;
}
