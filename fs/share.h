/* How many files each user may have open, so that there are descriptors left for all others. */
#pragma once

#include "snapshot/base.h"

#include <sys/types.h>

struct share_user;

/* Under nodes.mutex. */
struct share {
        struct share_user *users;
        size_t n, room;
        unsigned total, max;
};

/* max: for all users together. */
void share_init(struct share *share, unsigned max);
void share_deinit(struct share *share);
/*
 * Counts one more open file for the user: true, to be given back. False when it would be more than is left
 * for others, or for root, whose backup may have it all, when none is left; or without memory.
 */
bool share_take_locked(struct share *share, uid_t uid);
void share_give_locked(struct share *share, uid_t uid);
