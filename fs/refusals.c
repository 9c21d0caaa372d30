/*
 * The databases that could not be served.
 *
 * Each was said in the log when it happened; here they are kept together, so that whoever reads nothing but
 * the end is told. A database that was served later is none: programs try again.
 */
#include "fs/refusals.h"

#include <errno.h>
#include <string.h>

void refusals_init(struct refusals *refusals) {
        refusals->count = 0;
        refusals->more = false;
        mutex_init(&refusals->mutex, MUTEX_RANK_LEAF);
}

void refusals_deinit(struct refusals *refusals) {
        for (unsigned i = 0; i < refusals->count; i++)
                free(refusals->list[i].path);
        mutex_deinit(&refusals->mutex);
}

/* The index of the path, or count. */
static unsigned find_locked(const struct refusals *refusals, const char *path) {
        unsigned i = 0;

        while (i < refusals->count && strcmp(refusals->list[i].path, path) != 0)
                i++;
        return i;
}

/* The reader left, or will look the name up again, or everything ends: nothing was refused. */
static bool is_refusal(int r) {
        return r != -EINTR && r != -ESTALE && r != -ECANCELED && r != -ENOTCONN;
}

void refusals_add(struct refusals *refusals, const char *path, int r) {
        unsigned i;

        if (!is_refusal(r))
                return;
        MUTEX_SCOPE(&refusals->mutex);
        i = find_locked(refusals, path);
        if (i == refusals->count) {
                char *copy = i < REFUSALS_MAX ? strdup(path) : NULL;

                if (!copy) {
                        refusals->more = true;
                        return;
                }
                refusals->list[i].path = copy;
                refusals->count++;
        }
        refusals->list[i].error = -r;
}

bool refusals_any(struct refusals *refusals) {
        MUTEX_SCOPE(&refusals->mutex);
        return refusals->count > 0;
}

void refusals_forget(struct refusals *refusals, const char *path) {
        MUTEX_SCOPE(&refusals->mutex);
        unsigned i = find_locked(refusals, path);

        if (i == refusals->count)
                return;
        free(refusals->list[i].path);
        refusals->count--;
        memmove(&refusals->list[i], &refusals->list[i + 1],
                (refusals->count - i) * sizeof(refusals->list[0]));
}

bool refusals_report(struct refusals *refusals) {
        mutex_assert_none_held();
        for (unsigned i = 0; i < refusals->count; i++)
                base_log(BASE_LOG_ERROR, "%s: could not be served: %s", refusals->list[i].path,
                         strerror(refusals->list[i].error));
        if (refusals->more)
                base_log(BASE_LOG_ERROR, "more databases could not be served: see above");
        return refusals->count > 0 || refusals->more;
}
