/* Which databases could not be served: the opens that failed, one place for all of them. */
#pragma once

#include "snapshot/base.h"

/* So many are remembered by name. */
#define REFUSALS_MAX 100

struct refusals {
        struct mutex mutex;
        struct refusal {
                char *path;
                int error; /* errno */
        } list[REFUSALS_MAX];
        unsigned count; /* of the list */
        bool more;      /* there was no room for others */
};

void refusals_init(struct refusals *refusals);
void refusals_deinit(struct refusals *refusals);
/* An open or a read of that database failed with -errno r. Any thread, no lock of rank leaf held. */
void refusals_add(struct refusals *refusals, const char *path, int r);
/* Whether there is something to forget: spares who has served a database the making of its path. */
bool refusals_any(struct refusals *refusals);
/* That database was served after all. */
void refusals_forget(struct refusals *refusals, const char *path);
/* Logs what there is. Returns whether there was anything. */
bool refusals_report(struct refusals *refusals);
