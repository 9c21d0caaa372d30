/* Where a name leads to another file system: may it be entered, and may this thread wait for it? */
#pragma once

#include "fs/attr.h"

/*
 * Looks at name in the directory that parent is and dirfd refers to without waiting for what may be mounted
 * there. 1: what *found says is all that is to be known: it is an empty directory in the place of the mount,
 * or elsewhere is set. 0: go on, *found says no more than that there is a mount or not. Or -errno. Takes
 * mutexes.
 */
int crossing_look(struct fs *fs, struct node *parent, int dirfd, const char *name, struct attr_found *found);
/*
 * What is mounted there is stacked on the mount (an overlay, say) and contains itself: its own LOOKUP has
 * come to this place again. From now on it is left out, and *found is what is shown instead.
 */
void crossing_leave_out(struct fs *fs, struct node *parent, const char *name, struct attr_found *found);
