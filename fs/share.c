/*
 * Descriptors. A user who opens files without end would take them all, and then nobody could as much as look
 * at a file. So open files have a part of them, and of that a user may have as many as he leaves for others.
 *
 * Invariant: total is the sum of all users' counts, and max at the most.
 */
#include "fs/share.h"

struct share_user {
        uid_t uid;
        unsigned count; /* may be 0: then the place is free */
};

void share_init(struct share *share, unsigned max) {
        *share = (struct share){ .max = max };
}

void share_deinit(struct share *share) {
        free(share->users);
}

static struct share_user *find(struct share *share, uid_t uid) {
        struct share_user *free_place = NULL;

        for (size_t i = 0; i < share->n; i++) {
                if (share->users[i].count > 0 && share->users[i].uid == uid)
                        return &share->users[i];
                if (share->users[i].count == 0)
                        free_place = &share->users[i];
        }
        if (!free_place) {
                if (share->n == share->room) {
                        size_t room = share->room ? 2 * share->room : 16;
                        struct share_user *users = realloc(share->users, room * sizeof(*users));

                        if (!users)
                                return NULL;
                        share->users = users;
                        share->room = room;
                }
                free_place = &share->users[share->n++];
        }
        *free_place = (struct share_user){ .uid = uid };
        return free_place;
}

bool share_take_locked(struct share *share, uid_t uid) {
        struct share_user *user;

        if (share->total >= share->max)
                return false;
        user = find(share, uid);
        if (!user || (uid != 0 && user->count >= share->max - share->total))
                return false;
        user->count++;
        share->total++;
        return true;
}

void share_give_locked(struct share *share, uid_t uid) {
        for (size_t i = 0; i < share->n; i++) {
                if (share->users[i].count == 0 || share->users[i].uid != uid)
                        continue;
                share->users[i].count--;
                share->total--;
                return;
        }
}
