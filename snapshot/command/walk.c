/*
 * The walk over the databases of a tree. Directories are opened one in the other, so that nobody who may
 * write in the tree can lead the walk out of it; only regular files are opened, and nothing on the way
 * changes a time.
 *
 * Invariant: each level's path is how its directory is called in messages; access goes through descriptors
 * only.
 */
#include "snapshot/command/command.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

static void walk_failed(struct walk *walk, const char *path, const char *what, int r) {
        int status = command_failed(path, what, r);

        if (walk->status == STATUS_OK)
                walk->status = status;
}

void walk_deinit(struct walk *walk) {
        while (walk->depth > 0) {
                struct walk_level *level = &walk->levels[--walk->depth];

                closedir(level->dir);
                free(level->path);
        }
        free(walk->levels);
}

/* Goes down into a directory. Takes path, and fd, an open directory or -errno. */
static void walk_enter(struct walk *walk, int fd, char *path) {
        DIR *dir = NULL;

        if (walk->depth == walk->room) {
                size_t room = walk->room > 0 ? 2 * walk->room : 16;
                struct walk_level *levels = reallocarray(walk->levels, room, sizeof(*levels));

                if (levels) {
                        walk->levels = levels;
                        walk->room = room;
                }
        }
        if (fd >= 0 && path && walk->depth < walk->room)
                dir = fdopendir(fd);
        if (dir) {
                walk->levels[walk->depth++] = (struct walk_level){ .dir = dir, .path = path };
                return;
        }
        /* A directory that is gone by now has no databases. */
        if (fd != -ENOENT)
                walk_failed(walk, path ? path : "a directory", "cannot open", fd < 0 ? fd : -ENOMEM);
        base_closep(&fd);
        free(path);
}

/* Whether the file is a database; then *found is. Takes path, but not dirfd. */
static bool walk_file(struct walk *walk, int dirfd, const char *name, char *path, const struct stat *st,
                      struct found *found) {
        struct store_file file = { .dirfd = dirfd, .name = name, .path = path };
        int r = store_classify(walk->store, &file, st);

        if (r < 0 && r != -ENOENT && r != -ESTALE)
                walk_failed(walk, path, "cannot read", r);
        *found = (struct found){ .file = r == STORE_DATABASE ? file_copy(&file) : NULL, .st = *st };
        if (r == STORE_DATABASE && !found->file)
                walk_failed(walk, path, "cannot remember it", -errno);
        free(path);
        return found->file != NULL;
}

static bool walk_entry(struct walk *walk, const struct walk_level *level, const char *name,
                       struct found *found) {
        int fd = dirfd(level->dir);
        bool slash = level->path[strlen(level->path) - 1] != '/';
        char *path = NULL;
        struct stat st;

        if (fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
                return false;
        if ((!S_ISDIR(st.st_mode) && !S_ISREG(st.st_mode)) ||
            (walk->one_file_system && st.st_dev != walk->dev))
                return false;
        if (asprintf(&path, "%s%s%s", level->path, slash ? "/" : "", name) < 0) {
                walk_failed(walk, level->path, "cannot remember it", -ENOMEM);
                return false;
        }
        if (S_ISREG(st.st_mode))
                return walk_file(walk, fd, name, path, &st, found);
        walk_enter(walk, base_open_source(fd, name, O_DIRECTORY), path);
        return false;
}

/* What was named on the command line: a directory to walk, or one database. */
static bool walk_root(struct walk *walk, const char *root, struct found *found) {
        _cleanup_(base_closep) int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
        _cleanup_(place_deinit) struct place place = PLACE_NULL;
        char *path = strdup(root);
        struct stat st;
        int r;

        if (fd >= 0 && fstat(fd, &st) == 0) {
                walk->dev = st.st_dev;
                walk_enter(walk, base_open_source(fd, ".", O_DIRECTORY), path);
                return false;
        }
        r = path ? place_init(&place, root) : -ENOMEM;
        if (r == 0)
                r = place_stat(&place, &st);
        if (r < 0) {
                walk_failed(walk, root, "cannot open", r);
                free(path);
                return false;
        }
        if (walk_file(walk, place.file.dirfd, place.file.name, path, &st, found))
                return true;
        if (walk->status == STATUS_OK)
                walk_failed(walk, root, "is no SQLite database", -EINVAL);
        return false;
}

bool walk_next(struct walk *walk, struct found *found) {
        while (!command_interrupted()) {
                struct walk_level *level;
                struct dirent *entry;

                if (walk->depth == 0) {
                        if (!*walk->roots)
                                return false;
                        if (walk_root(walk, *walk->roots++, found))
                                return true;
                        continue;
                }
                level = &walk->levels[walk->depth - 1];
                errno = 0;
                entry = readdir(level->dir);
                if (!entry) {
                        if (errno != 0)
                                walk_failed(walk, level->path, "cannot list", -errno);
                        closedir(level->dir);
                        free(level->path);
                        walk->depth--;
                } else if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
                           walk_entry(walk, level, entry->d_name, found)) {
                        return true;
                }
        }
        return false;
}
