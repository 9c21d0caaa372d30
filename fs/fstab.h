/* What mount(8) and lines of /etc/fstab bring along. */
#pragma once

#include <stdbool.h>

/* Whether an option says nothing to a mount that is read-only and has no access times, or is for others to
 * read. */
bool fstab_ignores(const char *option);
/* Whether mount(8) calls: the program's name is mount.SOMETHING. */
bool fstab_is_helper(const char *program);
/*
 * Rewrites how mount(8) calls (SOURCE MOUNTPOINT -o OPTIONS and flags of its own) to how people do; the
 * strings are borrowed. 0 with *argc and *argv to be freed, 1 when there is nothing to do, or -1 after a
 * message.
 */
int fstab_rewrite(int *argc, char ***argv);
