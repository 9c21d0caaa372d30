/*
 * litesnapfs: a read-only mirror of a directory tree in which live SQLite databases are consistent files.
 *
 * Which of the things that it can do is wanted. The fork to the background comes before there is any thread.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "fs/daemon.h"
#include "fs/fstab.h"
#include "fs/options.h"
#include "fs/run.h"
#include "fs/serve.h"

/* Mounts and serves. The exit status. */
static int mount_and_serve(struct options *options) {
        _cleanup_(base_freep) char *source = NULL;
        struct serve_place place = { .mountpoint = options->mountpoint, .ready = daemon_ready };
        struct refusals refusals;
        int r;

        if (!options->foreground) {
                r = daemon_start();
                if (r < 0) {
                        base_log(BASE_LOG_ERROR, "cannot go to the background: %s", strerror(-r));
                        return EXIT_FAILURE;
                }
        }
        if (serve_open_source(options->sources[0], &place.source_fd, &source) < 0)
                return EXIT_FAILURE;
        refusals_init(&refusals);
        place.source = source;
        place.refusals = &refusals;
        r = serve(options, &place);
        refusals_deinit(&refusals);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int act(struct options *options) {
        switch (options->action) {
        case OPTIONS_HELP:
                options_help();
                return EXIT_SUCCESS;
        case OPTIONS_VERSION:
                printf("litesnapfs %s\n", LITESNAPFS_VERSION);
                return EXIT_SUCCESS;
        case OPTIONS_MOUNT:
        default:
                break;
        }
        /* Beside a command's own messages only what went wrong is of interest. */
        daemon_log_init(options->debug     ? BASE_LOG_DEBUG
                        : options->command ? BASE_LOG_WARNING
                                           : BASE_LOG_INFO);
        return options->command ? run_command(options) : mount_and_serve(options);
}

int main(int argc, char **argv) {
        struct options options;
        int r;

        if (daemon_open_standard() < 0)
                return EXIT_FAILURE;
        if (argc > 0 && fstab_is_helper(argv[0])) {
                r = fstab_rewrite(&argc, &argv);
                if (r != 0)
                        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
        }
        r = options_init(&options, argc, argv) < 0 ? EXIT_FAILURE : act(&options);
        options_deinit(&options);
        return r;
}
