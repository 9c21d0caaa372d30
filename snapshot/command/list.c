/*
 * litesnap list: the databases of a tree, and what is known of each without reading it. Takes no lock and
 * writes nothing.
 */
#include "snapshot/command/command.h"

#include "snapshot/journal.h"
#include "snapshot/lock.h"
#include "snapshot/unsafe.h"

#include <string.h>

struct entry {
        char journal_mode[16];
        unsigned long page_size; /* 0: it could not be looked at */
        uint64_t size, wal_size; /* of what a copy would be; of the -wal as it lies there */
        bool in_use, locked, hot;
        const char *unsafe; /* the file system whose locks may not be seen from here, or NULL */
        const char *proof;  /* what would vouch for a copy */
};

struct totals {
        unsigned databases;
        uint64_t size, wal_size, largest;
};

/* ---- looking ------------------------------------------------------------------------------------ */

static void get_fact(struct store *store, const struct found *found, const char *name, char *text,
                     size_t size) {
        int n = store_fact(store, found->file, &found->st, name, text, size - 1);

        text[n > 0 ? n : 0] = 0;
}

/* What a copy that is taken now would be proven by, without a try: as snapshot/README.md has it. */
static const char *proof_of(const struct entry *entry, const struct journal *journal) {
        if (strcmp(entry->journal_mode, "wal") == 0)
                return entry->wal_size > 0 || entry->in_use ? "wal" : "stat";
        if (entry->hot)
                return journal->state == JOURNAL_UNKNOWN ? "none" : "journal";
        if (!entry->locked)
                return "lock";
        return journal->exists ? "stat" : "none";
}

static void look(struct store *store, const struct found *found, struct entry *entry) {
        _cleanup_(base_closep) int fd = base_open_source(found->file->dirfd, found->file->name, 0), side = -1;
        struct stat st = found->st, wal;
        struct journal journal = { .state = JOURNAL_NONE };
        char text[32];

        *entry = (struct entry){ .proof = "" };
        get_fact(store, found, "journal_mode", entry->journal_mode, sizeof(entry->journal_mode));
        get_fact(store, found, "page_size", text, sizeof(text));
        entry->page_size = strtoul(text, NULL, 10);
        store_attr(store, found->file, &st);
        entry->size = (uint64_t)st.st_size;
        if (file_side_stat(found->file, "-wal", &wal) == 0 && S_ISREG(wal.st_mode))
                entry->wal_size = (uint64_t)wal.st_size;
        if (fd < 0)
                return;
        entry->in_use = lock_in_use(fd) > 0;
        entry->locked = lock_excluded(fd) > 0;
        entry->unsafe = unsafe_name(fd);
        /* The journal first and RESERVED after it: beside a writer the other order finds a hot one. */
        if (journal_look(found->file, &found->st, &journal, &side) == 0 &&
            (journal.state == JOURNAL_VALID || journal.state == JOURNAL_UNKNOWN))
                entry->hot = lock_reserved_held(fd) == 0 && !entry->locked;
        entry->proof = proof_of(entry, &journal);
}

/* ---- for people and programs -------------------------------------------------------------------- */

static void print_json(const struct found *found, const struct entry *entry, bool first) {
        printf("%s\n    {\"path\": ", first ? "" : ",");
        json_string(stdout, found->file->path);
        printf(", \"journal_mode\": \"%s\", \"page_size\": %lu, \"size\": %llu, \"wal_size\": %llu, "
               "\"in_use\": %s, \"locked\": %s, \"hot_journal\": %s, \"unsafe_place\": ",
               entry->journal_mode, entry->page_size, (unsigned long long)entry->size,
               (unsigned long long)entry->wal_size, entry->in_use ? "true" : "false",
               entry->locked ? "true" : "false", entry->hot ? "true" : "false");
        if (entry->unsafe)
                json_string(stdout, entry->unsafe);
        else
                printf("null");
        printf(", \"proof\": \"%s\"}", entry->proof);
}

static void print_text(const struct found *found, const struct entry *entry, bool first) {
        char state[128], size[16], wal[16];

        if (first)
                printf("%-8s %6s %10s %10s  %-8s %-20s %s\n", "JOURNAL", "PAGE", "SIZE", "WAL", "PROOF",
                       "STATE", "DATABASE");
        snprintf(state, sizeof(state), "%s%s%s%s%s", entry->in_use ? "in use" : "idle",
                 entry->locked ? ", locked" : "", entry->hot ? ", hot journal" : "",
                 entry->unsafe ? ", on " : "", entry->unsafe ? entry->unsafe : "");
        printf("%-8s %6lu %10s %10s  %-8s %-20s ", entry->journal_mode, entry->page_size,
               human_size(size, entry->size), entry->wal_size ? human_size(wal, entry->wal_size) : "-",
               entry->proof, state);
        text_print(stdout, found->file->path);
        putchar('\n');
}

static void print_totals(const struct totals *totals, bool json) {
        char size[16], wal[16], largest[16];

        if (json)
                printf("\n  ],\n  \"totals\": {\"databases\": %u, \"size\": %llu, \"wal_size\": %llu, "
                       "\"room_for_largest\": %llu, \"room_for_all\": %llu}\n}\n",
                       totals->databases, (unsigned long long)totals->size,
                       (unsigned long long)totals->wal_size, (unsigned long long)totals->largest,
                       (unsigned long long)totals->size);
        else if (totals->databases > 0)
                printf("%u database%s of %s, and %s in WALs. Room that snapshots need: %s one at a time, %s "
                       "all at "
                       "once.\n",
                       totals->databases, totals->databases == 1 ? "" : "s", human_size(size, totals->size),
                       human_size(wal, totals->wal_size), human_size(largest, totals->largest), size);
}

/* ---- patterns ----------------------------------------------------------------------------------- */

enum tool { TOOL_NONE, TOOL_RSYNC, TOOL_BORG, TOOL_RESTIC };

static int tool_of(const char *name) {
        static const char *const tools[] = { "", "rsync", "borg", "restic" };

        for (int i = TOOL_RSYNC; i <= TOOL_RESTIC; i++)
                if (strcmp(name, tools[i]) == 0)
                        return i;
        return -1;
}

/*
 * A path as a pattern of the tool that matches it alone. A line cannot hold a newline, nor with borg and
 * restic a blank at its end: then any character will do. rsync takes a backslash for itself in a pattern
 * without wildcards.
 */
static void print_pattern(enum tool tool, const char *path, const char *suffix) {
        bool wild = tool != TOOL_RSYNC || strpbrk(path, "*?[\n");

        fputs(tool == TOOL_BORG ? "sh:" : "", stdout);
        for (const char *c = path; *c; c++) {
                if (*c == '\n' || *c == '\r' ||
                    (tool != TOOL_RSYNC && (*c == ' ' || *c == '\t') && c[1] == 0))
                        putchar('?');
                else if (tool == TOOL_BORG && strchr("*?[", *c))
                        printf("[%c]", *c);
                else if (tool == TOOL_RESTIC && *c == '$')
                        printf("$$");
                else if (tool != TOOL_BORG && wild && strchr("*?[\\", *c))
                        printf("\\%c", *c);
                else
                        putchar(*c);
        }
        printf("%s\n", suffix);
}

/* borg and restic know files by their absolute paths, rsync by those below the directory it is given. */
static int print_patterns(const struct command_options *options, const char *root,
                          const struct found *found) {
        static const char *const suffixes[] = { "", "-wal", "-shm", "-journal" };
        _cleanup_(place_deinit) struct place place = PLACE_NULL;
        int tool = tool_of(options->exclude_from), r;
        const char *path = found->file->path + strlen(root);

        while (*path == '/')
                path++;
        if (tool == TOOL_RSYNC)
                putchar('/');
        else {
                r = place_init(&place, found->file->path);
                if (r < 0)
                        return command_failed(found->file->path, "cannot find its absolute path", r);
                path = place.real;
        }
        for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
                if (i > 0 && tool == TOOL_RSYNC)
                        putchar('/');
                print_pattern((enum tool)tool, path, suffixes[i]);
        }
        return STATUS_OK;
}

/* ---- all of it ---------------------------------------------------------------------------------- */

int run_list(const struct command_options *options, char **arguments) {
        struct walk walk = { .one_file_system = options->one_file_system, .roots = arguments };
        struct totals totals = { 0 };
        struct found found;
        int r;

        if (options->exclude_from && tool_of(options->exclude_from) < 0) {
                base_log(BASE_LOG_ERROR, "--exclude-from is rsync, borg or restic, not '%s'",
                         options->exclude_from);
                return STATUS_USAGE;
        }
        r = store_new(&walk.store, &options->store);
        if (r < 0)
                return command_status(r);
        if (options->json)
                printf("{\n  \"databases\": [");
        while (walk_next(&walk, &found)) {
                struct entry entry;

                if (options->exclude_from) {
                        r = print_patterns(options, walk.roots[-1], &found);
                        walk.status = walk.status == STATUS_OK ? r : walk.status;
                } else {
                        look(walk.store, &found, &entry);
                        (options->json ? print_json : print_text)(&found, &entry, totals.databases == 0);
                        totals.size += entry.size;
                        totals.wal_size += entry.wal_size;
                        totals.largest = entry.size > totals.largest ? entry.size : totals.largest;
                }
                totals.databases++;
                file_free(found.file);
        }
        if (!options->exclude_from)
                print_totals(&totals, options->json);
        walk_deinit(&walk);
        store_free(walk.store);
        if (walk.status == STATUS_OK && totals.databases == 0 && !command_interrupted()) {
                base_log(BASE_LOG_ERROR, "%s: no database there", arguments[0]);
                return STATUS_NOTHING;
        }
        return walk.status;
}
