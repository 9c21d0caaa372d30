/*
 * Rollback journals and the super-journals they name.
 *
 * A transaction over several attached databases commits when its super-journal is deleted; the journals that
 * name it are deleted after that. So a journal whose super-journal exists undoes, one whose super-journal is
 * gone does not, and where we cannot see the directory that the application named (another root, another
 * host) nobody can tell the two apart.
 *
 * Invariant: a super-journal counts as gone only if it was deleted by the commit. In the directory of the
 * database itself that is so if it is not there. In another directory there must be the database whose name
 * the super-journal's begins with, and neither may have changed since: a commit writes that database before
 * this one, and deletes the super-journal soon after. Otherwise the tree may be a copy of one that has been
 * recovered, and moved on, since.
 */
#include "snapshot/journal.h"

#include "snapshot/base.h"
#include "snapshot/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
        SUPER_MOST = 512,
        SUPER_TAIL = 16,
        SECTOR_MIN = 512,
        SUPER_SUFFIX = 12 /* "-mjXXXXXX9XX" */,
        DELETED_WITHIN_S = 10
};

/* The super-journal's name from the end of a journal; "" if none. Length or -errno. */
static int read_super(int fd, uint64_t size, char name[SUPER_MOST + 1]) {
        static const uint8_t magic[8] = { 0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7 };
        uint8_t tail[SUPER_TAIL];
        uint32_t length, sum;
        ssize_t n;

        name[0] = 0;
        if (size < SUPER_TAIL)
                return 0;
        n = base_pread(fd, tail, sizeof(tail), size - SUPER_TAIL);
        if (n < (ssize_t)sizeof(tail))
                return n < 0 ? (int)n : 0;
        length = format_be32(&tail[0]);
        sum = format_be32(&tail[4]);
        if (memcmp(&tail[8], magic, sizeof(magic)) != 0 || length == 0 || length > SUPER_MOST ||
            length + 20 > size)
                return 0;
        n = base_pread(fd, name, length, size - SUPER_TAIL - length);
        if (n < (ssize_t)length)
                return n < 0 ? (int)n : 0;
        name[length] = 0;
        for (uint32_t i = 0; i < length; i++)
                sum -= (uint32_t)(signed char)name[i];
        if (sum != 0 || strlen(name) != length) {
                name[0] = 0;
                return 0;
        }
        return (int)length;
}

/* Whether name is in dirfd. */
static bool there(int dirfd, const char *name) {
        struct stat st;

        return fstatat(dirfd, name, &st, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT) == 0;
}

/* Whether nothing has happened there since the transaction of our journal, but the deletion of its
 * super-journal. */
static bool still_since(const struct store_file *file, int dirfd, const char *owner) {
        struct stat ours, theirs, dir;

        if (fstatat(file->dirfd, file->name, &ours, AT_SYMLINK_NOFOLLOW) < 0 ||
            fstatat(dirfd, owner, &theirs, AT_SYMLINK_NOFOLLOW) < 0 || fstat(dirfd, &dir) < 0)
                return false;
        /* Ours may be on a file system that keeps whole seconds (squashfs). */
        if (ours.st_mtim.tv_nsec == 0)
                ours.st_mtim.tv_sec++;
        if (base_timespec_compare(ours.st_mtim, theirs.st_mtim) < 0)
                return false;
        ours.st_mtim.tv_sec += DELETED_WITHIN_S;
        return base_timespec_compare(dir.st_mtim, ours.st_mtim) <= 0;
}

/*
 * Whether a file system can be asked without waiting for a server, or for something to be mounted: by what
 * /proc/self/mountinfo calls it.
 */
static bool is_local(dev_t dev) {
        static const char *const remote[] = { "fuse", "nfs",  "cifs",   "smb",     "9p",
                                              "afs",  "ceph", "autofs", "virtiofs" };
        char type[MOUNTS_TYPE_MAX];

        mounts_type(dev, type);
        for (size_t i = 0; i < ARRAY_SIZE(remote); i++)
                if (strncmp(type, remote[i], strlen(remote[i])) == 0)
                        return false;
        return type[0] != 0;
}

/*
 * Opens a directory by an absolute path that a stranger has written, for names in it to be looked up. Only
 * local file systems are entered, the database's own excepted: so no automount is triggered, no server that
 * hangs is asked, and nothing is looked up in a mount of ours. The descriptor or -1.
 */
static int open_named(char *path, const struct stat *here) {
        int at = open("/", O_PATH | O_CLOEXEC);
        char *rest = path, *part;
        struct stat st;
        dev_t known;

        if (at < 0 || fstat(at, &st) < 0)
                return at;
        known = st.st_dev;
        while (at >= 0 && (part = strsep(&rest, "/"))) {
                int up = at;

                if (!*part)
                        continue;
                at = openat(up, part, O_PATH | O_NOFOLLOW | O_CLOEXEC);
                close(up);
                if (at < 0)
                        break;
                if (fstat(at, &st) < 0 || !S_ISDIR(st.st_mode) ||
                    (st.st_dev != known && st.st_dev != here->st_dev && !is_local(st.st_dev)))
                        base_closep(&at);
                known = st.st_dev;
        }
        return at;
}

static enum journal_state judge_named(const struct store_file *file, char *path, const char *name) {
        _cleanup_(base_closep) int dirfd = -1;
        struct stat here, named;
        char owner[256];

        if (fstat(file->dirfd, &here) < 0)
                return JOURNAL_UNKNOWN;
        dirfd = open_named(path, &here);
        if (dirfd < 0 || fstat(dirfd, &named) < 0)
                return JOURNAL_UNKNOWN;
        if (here.st_dev == named.st_dev && here.st_ino == named.st_ino)
                return JOURNAL_STALE;
        if (there(dirfd, name))
                return JOURNAL_VALID;
        snprintf(owner, sizeof(owner), "%.*s", (int)(strlen(name) - SUPER_SUFFIX), name);
        return still_since(file, dirfd, owner) ? JOURNAL_STALE : JOURNAL_UNKNOWN;
}

/*
 * The calling thread's rights to files become those of main's owner, if they can be had, or its own again (0,
 * 0). Without a file's owner's groups: a thread with fewer rights sees less.
 */
static void act_as(uid_t uid, gid_t gid) {
        if (geteuid() != 0)
                return;
        syscall(SYS_setfsgid, gid);
        syscall(SYS_setfsuid, uid);
}

static enum journal_state judge_super(const struct store_file *file, const struct stat *main, char *path) {
        char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
        enum journal_state state;

        /* A name so random is enough to go by, wherever the tree is mounted now. */
        if (there(file->dirfd, name))
                return JOURNAL_VALID;
        if (!slash || *path != '/' || strlen(name) <= SUPER_SUFFIX || strlen(name) > 255)
                return JOURNAL_UNKNOWN;
        *slash = 0;
        act_as(main->st_uid, main->st_gid);
        state = judge_named(file, path, name);
        act_as(geteuid(), getegid());
        return state;
}

static int look_inside(const struct store_file *file, const struct stat *main, struct journal *journal,
                       int fd) {
        char super[SUPER_MOST + 1];
        ssize_t n;
        int r;

        n = base_pread(fd, journal->head, sizeof(journal->head), 0);
        if (n < 0)
                return (int)n;
        journal->starts = n > 0 && journal->head[0] != 0;
        journal->size_alone = journal->size;
        /* A journal shorter than a sector undoes nothing (readJournalHdr() in SQLite's pager.c). */
        if (n < (ssize_t)sizeof(journal->head) || journal->size < SECTOR_MIN ||
            format_journal_parse(&journal->header, journal->head) < 0)
                return 0;
        journal->state = JOURNAL_VALID;
        r = read_super(fd, journal->size, super);
        if (r <= 0)
                return r;
        journal->size_alone = journal->size - (uint64_t)r - 20;
        journal->state = judge_super(file, main, super);
        return 0;
}

int journal_look(const struct store_file *file, const struct stat *main, struct journal *journal, int *fd) {
        struct stat st;
        int r;

        *journal = (struct journal){ .state = JOURNAL_NONE };
        *fd = -1;
        r = file_side_open(file, "-journal", main, &st);
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        *fd = r;
        journal->exists = true;
        journal->ino = st.st_ino;
        journal->mtime = st.st_mtim;
        journal->size = (uint64_t)st.st_size;
        return look_inside(file, main, journal, *fd);
}

bool journal_equal(const struct journal *a, const struct journal *b) {
        return a->state == b->state && a->exists == b->exists && a->ino == b->ino && a->size == b->size &&
               memcmp(a->head, b->head, sizeof(a->head)) == 0;
}
