/*
 * mount(8) and /etc/fstab.
 *
 * mount(8) runs mount.litesnapfs for the type litesnapfs and mount.fuse.litesnapfs for fuse.litesnapfs; both
 * are this program under another name. Some options of a line are for the boot and for other programs, some
 * for file systems that are written to: those are taken without a word.
 */
#include "fs/fstab.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/base.h"

bool fstab_ignores(const char *option) {
        static const char *const words[] = {
                /* for those who decide when to mount, and who may */
                "defaults", "auto", "noauto", "user", "nouser", "users", "nousers", "owner", "noowner",
                "group", "nogroup", "nofail", "fail", "_netdev",
                /* access times, which no one keeps here, and what else is only for who writes */
                "relatime", "norelatime", "strictatime", "nostrictatime", "diratime", "nodiratime",
                "lazytime", "nolazytime", "iversion", "noiversion", "mand", "nomand", "quota", "noquota",
                "usrquota", "grpquota",
                /* the kernel's talk, and what is so in any case */
                "silent", "loud", "symfollow", "nonempty", "big_writes", "kernel_cache", "auto_cache"
        };
        static const char *const beginnings[] = { "x-", "X-", "comment=", "user=", "helper=", "uhelper=" };

        for (size_t i = 0; i < ARRAY_SIZE(words); i++)
                if (strcmp(option, words[i]) == 0)
                        return true;
        for (size_t i = 0; i < ARRAY_SIZE(beginnings); i++)
                if (strncmp(option, beginnings[i], strlen(beginnings[i])) == 0)
                        return true;
        return false;
}

static const char *name_of(const char *program) {
        const char *slash = strrchr(program, '/');

        return slash ? slash + 1 : program;
}

bool fstab_is_helper(const char *program) {
        return strncmp(name_of(program), "mount.", strlen("mount.")) == 0;
}

/* Whether one of the options, separated by commas, begins with that. */
static bool has_option(const char *options, const char *wanted) {
        for (const char *at = options; at; at = strchr(at, ',')) {
                at += *at == ',';
                if (strncmp(at, wanted, strlen(wanted)) == 0)
                        return true;
        }
        return false;
}

/* Another user, or no rights at all, are arranged by libfuse's helper, which then runs us. Returns only when
 * it cannot be run: -1. */
static int hand_on(const char *source, const char *mountpoint, const char *options) {
        execl("/sbin/mount.fuse3", "mount.fuse3", source, mountpoint, "-t", "fuse.litesnapfs", "-o", options,
              NULL);
        fprintf(stderr, "litesnapfs: setuid= and drop_privileges need /sbin/mount.fuse3: %s\n",
                strerror(errno));
        return -1;
}

/* The rest of the command line, once mount(8)'s flags are understood. */
static int call(char *program, char *source, char *mountpoint, char *options, bool fake, int *argc,
                char ***argv) {
        static char dash_o[] = "-o";
        char **made;

        if (fake)
                return 1;
        if (has_option(options, "setuid=") || has_option(options, "drop_privileges"))
                return hand_on(source, mountpoint, options);
        made = calloc(6, sizeof(*made));
        if (!made)
                return -1;
        *argc = 0;
        made[(*argc)++] = program;
        made[(*argc)++] = source;
        made[(*argc)++] = mountpoint;
        if (*options) {
                made[(*argc)++] = dash_o;
                made[(*argc)++] = options;
        }
        *argv = made;
        return 0;
}

int fstab_rewrite(int *argc, char ***argv) {
        static char none[] = "";
        char *options = none, **at = *argv;
        bool fake = false;
        int option;

        /* -s, -n, -v, -r, -w, -t and -N change nothing here: -o says ro or rw as well. */
        while ((option = getopt(*argc, *argv, "fsnvrwN:t:o:")) != -1) {
                if (option == '?')
                        return -1;
                if (option == 'f')
                        fake = true;
                if (option == 'o')
                        options = optarg;
        }
        if (*argc - optind != 2) {
                fprintf(stderr, "usage: %s SOURCE MOUNTPOINT [-o OPTIONS]\n", name_of(at[0]));
                return -1;
        }
        return call(at[0], at[optind], at[optind + 1], options, fake, argc, argv);
}
