/*
 * What the sub-commands of litesnap share: options, exit statuses, places on the command line, a walk over
 * the databases of a tree, snapshots that are waited for, a check of their bytes, and drafts: files that are
 * written under a temporary name and appear whole or not at all.
 *
 * litesnap stands above snapshot/ as fs/ does, and knows no FUSE. Results go to stdout, errors to stderr,
 * each once and with its path.
 */
#pragma once

#include "snapshot/base.h"
#include "snapshot/store.h"

#include <dirent.h>
#include <stdio.h>

/* In --help and in the manual page, too. */
enum command_status {
        STATUS_OK = 0,
        STATUS_BAD = 1,     /* a database does not pass its check */
        STATUS_USAGE = 2,   /* the command line is wrong */
        STATUS_FAILED = 3,  /* it could not be done */
        STATUS_IN_USE = 4,  /* something is in use or locked: try again later */
        STATUS_NO_ROOM = 5, /* no room for a copy or a snapshot */
        STATUS_NOTHING = 6, /* there is no database, or no mount */
};

struct command_options {
        bool json, quick, verify, force, dry_run, one_file_system;
        const char *exclude_from; /* the program whose patterns are wanted */
        const char *prometheus;   /* a file to write */
        unsigned jobs;
        struct store_config store;
};

/* Each returns an enum command_status. arguments end with NULL. */
int run_list(const struct command_options *options, char **arguments);
int run_copy(const struct command_options *options, char **arguments);
int run_check(const struct command_options *options, char **arguments);
int run_restore(const struct command_options *options, char **arguments);
int run_status(const struct command_options *options, char **arguments);

/* ---- common.c ----------------------------------------------------------------------------------- */

/* Whether a signal has asked for the end. Loops look at it, give back what they hold and return -EINTR. */
bool command_interrupted(void);
/* Has SIGINT, SIGTERM and SIGHUP heard by command_interrupted(), and who has gone by EPIPE. */
void command_catch_signals(void);
/* Ends by the signal that was caught, as a shell expects it; returns when there was none. */
void command_end_by_signal(void);

/* The exit status for -errno. */
int command_status(int r);
/* Says "PATH: WHAT: strerror" and returns the exit status for r, an -errno. Says nothing of -EINTR. */
int command_failed(const char *path, const char *what, int r);

/* Text as a JSON string. Bytes that are not UTF-8 become \udc80 to \udcff, as Python's os.fsdecode() has it.
 */
void json_string(FILE *out, const char *text);
/* Text for people: what would drive a terminal is a question mark. */
void text_print(FILE *out, const char *text);
/* "1.2 GiB" */
const char *human_size(char text[16], uint64_t size);

/* A file that was named on the command line; symlinks are followed, as everywhere on command lines. */
struct place {
        struct store_file file; /* file.path: as it was named */
        char *real;             /* its absolute path */
};
#define PLACE_NULL                                                                                           \
        { .file.dirfd = -1 }
/* The file need not exist, its directory must. 0 or -errno. To be given back in any case. */
int place_init(struct place *place, const char *path);
void place_deinit(struct place *place);
/* Its lstat: 0, -ENOENT, -errno. */
int place_stat(const struct place *place, struct stat *st);

/* store_open(), waited for. 0 with a reference to *snapshot; -errno, which has been logged but for -EINTR. */
int source_open(struct store *store, const struct store_file *file, struct snapshot **snapshot);
/* snapshot_fact() as a string. False when there is no such fact. */
bool source_fact(const struct snapshot *snapshot, const char *name, char text[256]);

/* ---- walk.c ------------------------------------------------------------------------------------- */

struct walk_level {
        DIR *dir;
        char *path;
};

/* One walk over the databases below directories, or named by themselves. Symlinks are not followed, but those
 * that are named. Not for two threads at a time. */
struct walk {
        struct store *store;
        bool one_file_system;
        char **roots;
        dev_t dev; /* of the root that is walked */
        struct walk_level *levels;
        size_t depth, room;
        int status; /* the worst that was met, as an enum command_status */
};

/* A database. file->path begins as the root was named. */
struct found {
        struct store_file *file; /* for file_free() */
        struct stat st;
};

/* The next database. False at the end; walk->status then tells whether all could be looked at (errors have
 * been said). */
bool walk_next(struct walk *walk, struct found *found);
void walk_deinit(struct walk *walk);

/* ---- judge.c ------------------------------------------------------------------------------------ */

/*
 * integrity_check (quick: quick_check) of the bytes of a database, with no more trust in them than in any
 * stranger's. 0: they pass; 1: they do not; -errno: that could not be found out. *why: text for both, up to
 * ten lines, to be freed, or NULL. Reentrant.
 */
int judge_snapshot(struct snapshot *snapshot, bool quick, char **why);
int judge_file(int fd, uint64_t size, bool quick, char **why);
/* Bounds the memory of that many checks at a time. Before any. */
void judge_limit(unsigned jobs);

/* ---- draft.c ------------------------------------------------------------------------------------ */

/* A file under a temporary name, beside the one that it is to replace or become. */
struct draft {
        int dirfd; /* open for reading */
        int fd;
        char name[32]; /* empty: it has none any more */
};
#define DRAFT_NULL                                                                                           \
        { .dirfd = -1, .fd = -1 }

/* 0 or -errno. To be given back in any case. */
int draft_init(struct draft *draft, int dirfd);
/* Removes it, if it has not been moved into place. */
void draft_deinit(struct draft *draft);
/* Gives it the owner, mode, ACL and other extended attributes of fd's file. 0 or -errno. */
int draft_dress(struct draft *draft, int fd);
/* Gives it a mode, less the umask, as cp does. 0 or -errno. */
int draft_set_mode(struct draft *draft, mode_t mode);
/* Writes a snapshot's bytes and syncs them. progress: on stderr, if that is a terminal. 0 or -errno. */
int draft_fill(struct draft *draft, struct snapshot *snapshot, bool progress);
/* Moves it to name, which it replaces atomically and durably; SQLite gets no lock on it until fd is closed. 0
 * or -errno. */
int draft_commit(struct draft *draft, const char *name);
/* Syncs a directory. 0 or -errno. */
int draft_sync_dir(int dirfd);

/* A snapshot's bytes, written one after the other to fd, at their offsets or to a pipe. */
int write_snapshot(int fd, bool pipe, struct snapshot *snapshot, bool progress);

/* ---- use.c -------------------------------------------------------------------------------------- */

/*
 * Whether any process but this one has the file open, or holds a lock of SQLite's on it. fd: open for
 * writing, and the only one of this process. 1 with the name of a process in who, if it can be had; 0, and
 * then fd holds SQLite's EXCLUSIVE; -errno.
 */
int use_check(int fd, char *who, size_t size);
