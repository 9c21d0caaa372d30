/*
 * /proc/self/mountinfo.
 *
 * Invariant: no file system is asked anything, so one whose server hangs is no matter.
 */
#include "snapshot/mounts.h"

#include "snapshot/base.h"

#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

void mounts_type(dev_t dev, char type[MOUNTS_TYPE_MAX]) {
        FILE *mounts = fopen("/proc/self/mountinfo", "re");
        _cleanup_(base_freep) char *line = NULL;
        unsigned major_number, minor_number;
        size_t size = 0;

        type[0] = 0;
        while (mounts && !type[0] && getline(&line, &size, mounts) > 0) {
                const char *dash = strstr(line, " - ");

                if (dash && sscanf(line, "%*s %*s %u:%u", &major_number, &minor_number) == 2 &&
                    makedev(major_number, minor_number) == dev)
                        sscanf(dash + 3, "%63s", type);
        }
        if (mounts)
                fclose(mounts);
}
