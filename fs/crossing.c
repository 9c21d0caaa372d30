/*
 * From one file system to another.
 *
 * Invariants: of the mount itself nothing is ever asked by us, and of another file system that may have to be
 * waited for nothing but in its lane. Hence nothing is said here beyond what look_at() knows.
 */
#include "fs/crossing.h"

#include <errno.h>

#include "fs/look.h"

/* The empty directory in the place of a mount. Its number is that of the place, and so the same after a
 * remount. */
static void show_hollow(struct fs *fs, struct node *parent, const char *name, struct attr_found *found) {
        char buffer[FS_PATH_MAX];
        const char *place = node_path(&fs->nodes, "", parent, name, buffer, sizeof(buffer));

        found->st.st_dev = FS_HOLLOW_DEV;
        found->st.st_ino = inode_of_place(place);
        found->st.st_nlink = 2;
        found->mount = 0;
}

int crossing_look(struct fs *fs, struct node *parent, int dirfd, const char *name, struct attr_found *found) {
        dev_t root_dev = fs->nodes.root->dev;
        struct look look;
        bool own;
        int r;

        *found = (struct attr_found){ .kind = NODE_SHARED };
        r = look_at(dirfd, name, &look);
        /* Names may be looked for that do not exist. */
        if (r < 0)
                return r == -ENOENT ? 0 : r;
        found->st = look.st;
        found->mount = look.mount;
        own = look.st.st_dev == fs->own_dev ||
              (look.st.st_dev != parent->dev && lanes_is_stacked(&fs->lanes, look.st.st_dev, look.mount));
        if (own && !S_ISDIR(look.st.st_mode))
                return -ELOOP;
        if (own || (fs->one_file_system && S_ISDIR(look.st.st_mode) && look.st.st_dev != root_dev)) {
                show_hollow(fs, parent, name, found);
                return 1;
        }
        if (look.st.st_dev == parent->dev || lanes_may_wait(&fs->lanes, look.st.st_dev) ||
            inode_is_local(&fs->inodes, look.st.st_dev, look.mount))
                return 0;
        /* A file system may have files of several devices (Btrfs, overlays). */
        if (look.mount != 0 && look.mount == parent->mount)
                return 0;
        found->elsewhere = true;
        return 1;
}

void crossing_leave_out(struct fs *fs, struct node *parent, const char *name, struct attr_found *found) {
        char buffer[FS_PATH_MAX];

        base_log(BASE_LOG_WARNING,
                 "%s: what is mounted there shows this mount, which would show it again: it is shown as an "
                 "empty "
                 "directory from now on",
                 node_path(&fs->nodes, fs->source, parent, name, buffer, sizeof(buffer)));
        lanes_set_stacked(&fs->lanes, found->st.st_dev, found->mount);
        show_hollow(fs, parent, name, found);
}
