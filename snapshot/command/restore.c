/*
 * litesnap restore: a copy takes the place of a database.
 *
 * What SQLite reads at DEST is main with what its -wal or -journal adds. No rename replaces two files at
 * once, and neither order of two steps will do: the new main beside the old WAL is a mixture, the old main
 * without its WAL is less than the old state, or none at all. So there are more steps, and after each DEST is
 * the whole old state or the whole new one:
 *
 *   1. if a side file adds something: the old state, recovered, replaces main. The same WAL or journal laid
 * over it once more changes nothing;
 *   2. the side files go: main needs none of them;
 *   3. the new one replaces main.
 *
 * Each is on disk before the next begins. SQLite's EXCLUSIVE lock on what is replaced, and on what has just
 * replaced it, keeps applications out.
 */
#include "snapshot/command/command.h"

#include "snapshot/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static const char *const sides[] = { "-wal", "-shm", "-journal" };

struct restore {
        const struct command_options *options;
        struct store *store;
        struct place copy, dest;
        int fd;                      /* DEST as it is; -1: there is none */
        bool adds;                   /* a side file may add something to DEST */
        struct stat seen[3];         /* DEST, its -wal and its -journal, before anything was read */
        struct draft fresh, settled; /* the new DEST; the old state, if it has to be settled first */
};

/* Refused, unless by force. */
static int object(const struct restore *restore, int status, const char *path, const char *why) {
        bool force = restore->options->force;

        base_log(force ? BASE_LOG_WARNING : BASE_LOG_ERROR, "%s: %s%s", path, why,
                 force ? "" : " (--force: all the same)");
        return force ? STATUS_OK : status;
}

static void look(const struct restore *restore, struct stat seen[3]) {
        memset(seen, 0, 3 * sizeof(*seen));
        place_stat(&restore->dest, &seen[0]);
        file_side_stat(&restore->dest.file, "-wal", &seen[1]);
        file_side_stat(&restore->dest.file, "-journal", &seen[2]);
}

static bool unchanged(const struct restore *restore) {
        struct stat now[3];

        look(restore, now);
        for (size_t i = 0; i < ARRAY_SIZE(now); i++)
                if (now[i].st_ino != restore->seen[i].st_ino || now[i].st_size != restore->seen[i].st_size ||
                    base_timespec_compare(now[i].st_mtim, restore->seen[i].st_mtim) != 0)
                        return false;
        return true;
}

/* ---- may it be? --------------------------------------------------------------------------------- */

static int check_use(const struct restore *restore) {
        char who[128], why[192];
        int r = restore->fd < 0 ? 0 : use_check(restore->fd, who, sizeof(who));

        if (r < 0)
                return command_failed(restore->dest.file.path, "cannot tell whether it is in use", r);
        snprintf(why, sizeof(why), "in use by %s: stop the application first", who);
        return r > 0 ? object(restore, STATUS_IN_USE, restore->dest.file.path, why) : STATUS_OK;
}

static int check_dest(struct restore *restore) {
        const struct place *dest = &restore->dest;
        int r;

        look(restore, restore->seen);
        if (restore->seen[0].st_ino == 0)
                return STATUS_OK;
        if (!S_ISREG(restore->seen[0].st_mode)) {
                base_log(BASE_LOG_ERROR, "%s: is no regular file", dest->file.path);
                return STATUS_FAILED;
        }
        r = store_classify(restore->store, &dest->file, &restore->seen[0]);
        restore->adds = r == STORE_DATABASE && restore->seen[1].st_size + restore->seen[2].st_size > 0;
        restore->fd = openat(dest->file.dirfd, dest->file.name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (r < 0 || restore->fd < 0)
                return command_failed(dest->file.path, "cannot open", r < 0 ? r : -errno);
        if (r != STORE_DATABASE && restore->seen[0].st_size > 0)
                r = object(restore, STATUS_FAILED, dest->file.path, "is no SQLite database");
        else
                r = STATUS_OK;
        if (r == STATUS_OK && restore->seen[0].st_nlink > 1)
                r = object(restore, STATUS_FAILED, dest->file.path,
                           "has other names (hard links), which would keep the old content");
        if (r == STATUS_OK)
                r = check_use(restore);
        /* Until all lies ready its readers may go on, and so may we. */
        lock_unshare(restore->fd);
        return r;
}

static int check_copy(const struct restore *restore, struct snapshot *snapshot) {
        const char *path = restore->copy.file.path;
        char *why = NULL, text[4096];
        int r = judge_snapshot(snapshot, restore->options->quick, &why);

        snprintf(text, sizeof(text), "does not pass its check: %s", why ? why : "");
        free(why);
        if (r < 0)
                return command_failed(path, "cannot be checked", r);
        return r > 0 ? object(restore, STATUS_BAD, path, text) : STATUS_OK;
}

/* ---- making ready ------------------------------------------------------------------------------- */

/* Writes a snapshot beside DEST, with DEST's attributes. */
static int prepare(const struct restore *restore, struct draft *draft, struct snapshot *snapshot) {
        int r = draft_init(draft, restore->dest.file.dirfd);
        struct stat copy;

        if (r == 0 && restore->fd >= 0)
                r = draft_dress(draft, restore->fd);
        else if (r == 0)
                r = place_stat(&restore->copy, &copy) < 0 ? -ESTALE : draft_set_mode(draft, copy.st_mode);
        if (r == 0)
                r = draft_fill(draft, snapshot, true);
        return r < 0 ? command_failed(restore->dest.file.path, "cannot write its successor", r) : STATUS_OK;
}

/* Step 1 made ready. */
static int prepare_settled(struct restore *restore) {
        struct snapshot *old = NULL;
        int r = source_open(restore->store, &restore->dest.file, &old);

        if (r == -EINTR)
                return STATUS_FAILED;
        if (r < 0) {
                r = object(restore, command_status(r), restore->dest.file.path,
                           "has side files, and its own state cannot be recovered: if this is cut short, its "
                           "side files are lost");
        } else {
                r = prepare(restore, &restore->settled, old);
        }
        snapshot_unref(old);
        return r;
}

/* COPY is read and checked, DEST looked at, and what is to take its place lies ready. Changes nothing. */
static int make_ready(struct restore *restore) {
        struct snapshot *snapshot = NULL;
        char size[16];
        int r;

        r = check_dest(restore);
        if (r != STATUS_OK)
                return r;
        r = source_open(restore->store, &restore->copy.file, &snapshot);
        if (r < 0)
                return command_status(r);
        r = check_copy(restore, snapshot);
        if (r == STATUS_OK && restore->options->dry_run) {
                printf("%s: would be replaced by %s, %s%s\n", restore->dest.file.path,
                       restore->copy.file.path, human_size(size, snapshot_size(snapshot)),
                       restore->adds ? ", after what its side files hold was taken into it" : "");
        } else if (r == STATUS_OK) {
                r = prepare(restore, &restore->fresh, snapshot);
                if (r == STATUS_OK && restore->adds)
                        r = prepare_settled(restore);
        }
        snapshot_unref(snapshot);
        return r;
}

/* ---- the steps ---------------------------------------------------------------------------------- */

static int remove_sides(const struct restore *restore) {
        int dirfd = restore->fresh.dirfd, removed = 0;

        for (size_t i = 0; i < ARRAY_SIZE(sides); i++) {
                char name[512];

                snprintf(name, sizeof(name), "%s%s", restore->dest.file.name, sides[i]);
                if (unlinkat(dirfd, name, 0) == 0)
                        removed++;
                else if (errno != ENOENT)
                        return -errno;
        }
        return removed > 0 ? draft_sync_dir(dirfd) : 0;
}

static int replace(struct restore *restore) {
        const char *name = restore->dest.file.name;
        int r = 0;

        if (restore->settled.fd >= 0)
                r = draft_commit(&restore->settled, name);
        if (r == 0)
                r = remove_sides(restore);
        if (r == 0)
                r = draft_commit(&restore->fresh, name);
        return r < 0 ? command_failed(restore->dest.file.path, "cannot be replaced", r) : STATUS_OK;
}

static int restore_open(struct restore *restore, char **arguments) {
        struct stat copy, dest;
        int r = place_init(&restore->copy, arguments[0]);

        if (r == 0)
                r = place_stat(&restore->copy, &copy);
        if (r < 0)
                return command_failed(arguments[0], "cannot open", r);
        r = place_init(&restore->dest, arguments[1]);
        if (r < 0)
                return command_failed(arguments[1], "cannot open", r);
        if (place_stat(&restore->dest, &dest) == 0 && copy.st_dev == dest.st_dev &&
            copy.st_ino == dest.st_ino) {
                base_log(BASE_LOG_ERROR, "%s: is %s itself", arguments[0], arguments[1]);
                return STATUS_FAILED;
        }
        judge_limit(1);
        r = store_new(&restore->store, &restore->options->store);
        return r < 0 ? command_status(r) : STATUS_OK;
}

int run_restore(const struct command_options *options, char **arguments) {
        struct restore restore = {
                .options = options,
                .copy = PLACE_NULL,
                .dest = PLACE_NULL,
                .fd = -1,
                .fresh = DRAFT_NULL,
                .settled = DRAFT_NULL,
        };
        int r = restore_open(&restore, arguments);

        if (r == STATUS_OK)
                r = make_ready(&restore);
        /* The store has DEST open: without it, whoever has is somebody else. */
        store_free(restore.store);
        if (r == STATUS_OK && !options->dry_run && !options->force)
                r = check_use(&restore);
        if (r == STATUS_OK && !options->dry_run && !unchanged(&restore))
                r = object(&restore, STATUS_IN_USE, arguments[1], "was written to meanwhile");
        if (r == STATUS_OK && command_interrupted())
                r = STATUS_FAILED;
        if (r == STATUS_OK && !options->dry_run)
                r = replace(&restore);
        draft_deinit(&restore.settled);
        draft_deinit(&restore.fresh);
        base_closep(&restore.fd);
        place_deinit(&restore.dest);
        place_deinit(&restore.copy);
        return r;
}
