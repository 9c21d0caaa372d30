/* The command line. */
#pragma once

#include "fs/fuse.h"
#include "snapshot/store.h"

#define OPTIONS_SOURCES_MAX 64

enum options_action {
        OPTIONS_MOUNT,
        OPTIONS_HELP,
        OPTIONS_VERSION,
};

struct options {
        enum options_action action;
        char *sources[OPTIONS_SOURCES_MAX];
        unsigned source_count;     /* one, when there is no command */
        const char *mountpoint;    /* NULL: each source at its own place */
        char **command;            /* to be run with the mirrors in sight, NULL-terminated; or NULL */
        bool strict;               /* a database that could not be served makes it fail */
        char *snapshot_dir;        /* NULL: the store's own choice */
        struct store_config store; /* but for snapshot_dir */
        bool one_file_system;
        bool nosymfollow;
        unsigned max_read; /* in bytes; 0: the kernel's own limit */
        bool passthrough;  /* where it can be had */
        bool foreground;
        bool debug;
        bool allow_root;       /* given; excludes allow_other */
        struct fuse_args fuse; /* what is left for libfuse */
        char *places[2];       /* directories as they stand on the command line */
        unsigned place_count;
};

/* Parses the command line. 0, or -EINVAL after one message on stderr. To be given back in any case. */
int options_init(struct options *options, int argc, char **argv);
void options_deinit(struct options *options);
/* Adds what every mount has to libfuse's arguments: read-only, its name, who may see it. 0 or -ENOMEM. */
int options_finish(struct options *options, const char *source_path);
/* Writes the help to stdout. */
void options_help(void);
