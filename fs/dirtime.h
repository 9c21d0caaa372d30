/* What is said of a directory's times, size and links, so that it does not move under the reader of it. */
#pragma once

#include "fs/node.h"

/*
 * Of a directory node; under nodes.mutex. The values are those that were last told; while handles of the
 * directory are open they stay.
 */
struct dirtime {
        struct timespec mtim, ctim;
        off_t size;
        blkcnt_t blocks;
        nlink_t links;
        uint64_t told_ns; /* on base_now_ns()'s clock; 0: never */
        unsigned opens;
};

/* *st is a directory's and about to be told: puts in what has to be repeated, remembers the rest. Takes the
 * table's mutex. */
void dirtime_show(struct node_table *table, struct node *dir, struct stat *st);
/* The directory, whose *st that is, is being opened or closed. */
void dirtime_open_locked(struct node_table *table, struct node *dir, const struct stat *st);
void dirtime_close_locked(struct node_table *table, struct node *dir);
