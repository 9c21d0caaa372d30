/*
 * What --help says.
 */
#include <stdio.h>

#include "fs/options.h"

void options_help(void) {
        puts("usage: litesnapfs [options] SOURCE MOUNTPOINT\n"
             "       litesnapfs [options] SOURCE [MOUNTPOINT] -- COMMAND [ARGUMENT...]\n"
             "       litesnapfs [options] -S SOURCE [-S SOURCE...] -- COMMAND [ARGUMENT...]\n"
             "\n"
             "Shows the directory SOURCE at MOUNTPOINT, read-only, with every SQLite database in it as one\n"
             "consistent file. Unmount with umount or fusermount3 -u.\n"
             "\n"
             "With a COMMAND only that sees the mirror: at MOUNTPOINT, an empty directory, or else\n"
             "in place of SOURCE itself. Ends with the command's status (128 + n when signal n ended\n"
             "it, 127 when it is not there, 126 when it cannot be run), but with 75 instead of 0\n"
             "when a database could not be served, which is told at the end. What the command\n"
             "leaves running is ended.\n"
             "\n"
             "    -f                     stay in the foreground, log to stderr\n"
             "    -d                     the same, with debugging messages\n"
             "    -S, --source=SOURCE    one of several sources for a command\n"
             "    -h, --help             print this\n"
             "    -V, --version          print the version\n"
             "    -o snapshot_dir=DIR    where snapshots take space, nameless ($TMPDIR, else /var/tmp)\n"
             "    -o busy_timeout=TIME   how long an open waits for a locked database (5s)\n"
             "    -o max_space=SIZE      how much all snapshots may take together (all but a twentieth of\n"
             "                           the file system, at most 1G, which is left to others)\n"
             "    -o engine=ENGINE       how snapshots are made: auto (read in place where that harms\n"
             "                           nobody; else reflink where the file system can, else copy), backup\n"
             "                           (a whole copy before an open is answered), reflink (the same, with "
             "a\n"
             "                           warning where it has to copy)\n"
             "    -o accept_quiet=TIME   accept a database that is locked and has no journal, when it was "
             "not\n"
             "                           written for so long and passes integrity_check (never)\n"
             "    -o racy=HOW            a commit may follow in the second that a database's times are in, "
             "and\n"
             "                           rsync would miss it: smudge (show the end of the second before "
             "until\n"
             "                           it is over), wait (opens wait for its end), off (smudge)\n"
             "    -o linger=TIME         how long an unchanged snapshot is kept for the next open (10s)\n"
             "    -o require_locks       refuse databases where locks may not reach other hosts (NFS, SMB, "
             "...)\n"
             "    -o passthrough=HOW     whether the kernel reads files by itself: auto (where it can: Linux "
             "6.9,\n"
             "                           root), off\n"
             "    -o strict=off          a command's status, although a database could not be served (on)\n"
             "    -o max_read=BYTES      how much the kernel may ask for at a time\n"
             "    -o nosymfollow         follow no symbolic link (root)\n"
             "    -o one_file_system     show what is mounted inside SOURCE as empty directories\n"
             "\n"
             "SIZE is a number of bytes, or one with K, M, G or T (powers of 1024): 10g, 10GB, 1.5G.\n"
             "TIME is a number with ms, s, m, h or d: 1s, 2m. Without a unit busy_timeout is in\n"
             "milliseconds, the others are in seconds.\n"
             "\n"
             "and of FUSE's own:");
        fflush(stdout);
        fuse_lowlevel_help();
        fflush(stdout);
}
