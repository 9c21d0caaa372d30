/* One mirror, from its source to its end. */
#pragma once

#include "fs/options.h"
#include "fs/refusals.h"

#define SERVE_SIGNALLED 1

struct serve_place {
        const char *source; /* absolute, for the log */
        int source_fd;      /* O_PATH; taken over */
        const char *mountpoint;
        bool own_rights;           /* nobody else reads there; see fs.h */
        void (*ready)(void);       /* called once, when the mount serves */
        struct refusals *refusals; /* where opens that fail are noted */
};

/*
 * Mounts and serves until the mount goes (0) or a signal says so (SERVE_SIGNALLED). Or -errno after a
 * message: also -ECONNABORTED when the kernel ended the connection though nobody had unmounted.
 */
int serve(struct options *options, const struct serve_place *place);
/* Opens a directory to be mirrored. 0 with *fd (O_PATH) and *path (absolute, to be freed) set, or -errno,
 * logged. */
int serve_open_source(const char *name, int *fd, char **path);
