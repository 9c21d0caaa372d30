/* Files that the kernel makes up as they are read: of proc, sysfs and their like. */
#pragma once

#include "snapshot/base.h"

#include <sys/stat.h>

#define PSEUDO_MAX 64

struct pseudo {
        struct mutex lock;      /* MUTEX_RANK_LEAF: the rest */
        dev_t real[PSEUDO_MAX]; /* devices that were seen to have real files */
        unsigned n, next;
};

void pseudo_init(struct pseudo *pseudo);
void pseudo_deinit(struct pseudo *pseudo);
/* Whether name in dirfd, or dirfd itself when name is "", a regular file with that stat, is made up as it is
 * read. Does I/O. */
bool pseudo_is(struct pseudo *pseudo, int dirfd, const char *name, const struct stat *st);
