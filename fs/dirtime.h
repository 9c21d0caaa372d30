/* What is said of a directory's times, size and links, so that it does not move under the reader of it. */
#pragma once

#include "fs/list.h"
#include "fs/node.h"

struct dirtime_values {
        struct timespec mtim, ctim;
        off_t size;
        blkcnt_t blocks;
        nlink_t links;
};

/* Of a directory node; under nodes.mutex. */
struct dirtime {
        struct dirtime_values told; /* last, to who does not have it open */
        uint64_t told_ns;           /* on base_now_ns()'s clock; 0: never */
        struct list opens;          /* of struct dirtime_open */
};

/* One open handle of a directory; under nodes.mutex. */
struct dirtime_open {
        struct list link;
        pid_t pid; /* of the thread that opened it; what its process is told stays as it is here */
        struct dirtime_values values;
};

void dirtime_init(struct dirtime *times);
/*
 * *st is a directory's and about to be told to the process of the thread pid: puts in what has to be
 * repeated, remembers the rest. Whether the kernel may remember it: it does so for all processes. Takes the
 * table's mutex, may do I/O.
 */
bool dirtime_show(struct node_table *table, struct node *dir, struct stat *st, pid_t pid);
/* The directory, whose *st that is, is being opened by the thread pid. */
void dirtime_open_locked(struct node_table *table, struct node *dir, const struct stat *st, pid_t pid,
                         struct dirtime_open *open);
/* The same handle is being closed; if it was never opened, that does nothing. */
void dirtime_close_locked(struct node_table *table, struct dirtime_open *open);
