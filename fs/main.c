/*
 * litesnapfs: a read-only mirror of a directory tree in which live SQLite databases are consistent files.
 *
 * The order of things: parse, fork (before there is any thread), open the source, make the store (its threads
 * start), mount, serve; then everything back in reverse, with fs_close() and store_free() before the session
 * goes, since the opens that still wait are answered through it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "fs/daemon.h"
#include "fs/fs.h"
#include "fs/options.h"
#include "fs/place.h"

/* Threads only do short things; whatever waits is parked (fact F6). The source's disks profit from some at
 * once. */
#define THREADS_MAX 16
/* Directory descriptors to keep, and what part of the limit on descriptors they may take. */
#define DIRS_MAX    1024
#define DIRS_SHARE  4

static void log_open_error(const char *what, const char *path, int error) {
        base_log(BASE_LOG_ERROR, "%s '%s': %s", what, path, strerror(error));
}

/* Raises the limit on descriptors as far as it goes and returns it. */
static unsigned raise_descriptor_limit(void) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return 0;
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
        return limit.rlim_cur < UINT32_MAX ? (unsigned)limit.rlim_cur : UINT32_MAX;
}

/* Files are reached through /proc/self/fd. 0 or -errno, logged. */
static int check_proc(void) {
        int r;

        if (access("/proc/self/fd", X_OK) == 0)
                return 0;
        r = -errno;
        base_log(BASE_LOG_ERROR, "/proc is not mounted: %s", strerror(errno));
        return r;
}

/* libfuse and fusermount3 each say something else about a missing device; this says it once. 0 or -errno,
 * logged. */
static int check_fuse(void) {
        _cleanup_(base_closep) int fd = -1;
        int r;

        fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
        if (fd >= 0)
                return 0;
        r = -errno;
        base_log(BASE_LOG_ERROR, "cannot use /dev/fuse: %s%s", strerror(errno),
                 errno == ENOENT || errno == ENODEV || errno == ENXIO ? " (is the fuse module loaded?)" : "");
        return r;
}

/* Opens both directories and checks that they are apart. 0 with *source_fd and the paths set, or -errno,
 * logged. */
static int open_places(const struct options *options, int *source_fd, char **source, char **mountpoint) {
        _cleanup_(base_closep) int mountpoint_fd = -1, fd = -1;
        int r;

        fd = open(options->source, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (fd < 0) {
                r = -errno;
                log_open_error("cannot use the source", options->source, errno);
                return r;
        }
        mountpoint_fd = open(options->mountpoint, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (mountpoint_fd < 0) {
                r = -errno;
                log_open_error("cannot use the mountpoint", options->mountpoint, errno);
                return r;
        }
        r = place_check(fd, mountpoint_fd, options->one_file_system);
        if (r < 0) {
                base_log(BASE_LOG_ERROR, "cannot show '%s' at '%s': %s", options->source, options->mountpoint,
                         r == -ELOOP ? "one is the other or is inside it (-o one_file_system allows a "
                                       "mountpoint inside "
                                       "the source)"
                                     : strerror(-r));
                return r;
        }
        *source = realpath(options->source, NULL);
        *mountpoint = realpath(options->mountpoint, NULL);
        if (!*source || !*mountpoint) {
                r = -errno;
                log_open_error("cannot resolve", *source ? options->mountpoint : options->source, errno);
                return r;
        }
        *source_fd = base_steal_fd(&fd);
        return 0;
}

/* Makes the store with all signals blocked in its threads: they are for this thread, which waits for the
 * session. */
static int start_store(const struct options *options, struct store **out) {
        _cleanup_(base_freep) char *snapshot_dir = NULL;
        struct store_config config = options->store;
        sigset_t all, old;
        int r;

        if (options->snapshot_dir) {
                /* Absolute, since the working directory becomes the root. */
                snapshot_dir = realpath(options->snapshot_dir, NULL);
                if (!snapshot_dir) {
                        r = -errno;
                        log_open_error("cannot use snapshot_dir", options->snapshot_dir, errno);
                        return r;
                }
                config.snapshot_dir = snapshot_dir;
        }
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &old);
        r = store_new(out, &config);
        pthread_sigmask(SIG_SETMASK, &old, NULL);
        return r;
}

static int serve(struct fs *fs) {
        struct fuse_loop_config *config = fuse_loop_cfg_create();
        int r;

        if (!config)
                return -ENOMEM;
        fuse_loop_cfg_set_clone_fd(config, 1);
        fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
        r = fuse_session_loop_mt(fs->session, config);
        fuse_loop_cfg_destroy(config);
        /* A positive number is the signal that ended the session: that is how it should end. */
        if (r < 0)
                base_log(BASE_LOG_ERROR, "the session failed: %s", strerror(-r));
        return r < 0 ? r : 0;
}

/*
 * libfuse leaves an ignored signal ignored. For SIGHUP that is what nohup wants; but a shell script ignores
 * SIGINT for what it starts in the background, and who sends it to us by hand means it.
 */
static int catch_signals(struct fuse_session *session) {
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        return fuse_set_signal_handlers(session);
}

/* From the mount to the unmount. The store is freed on the way. */
static int run(struct fs *fs, struct options *options, const char *mountpoint) {
        int r = -EINVAL;

        if (options_finish(options, fs->source) < 0) {
                r = -ENOMEM;
                goto out_store;
        }
        fs->session = fuse_session_new(&options->fuse, &fs_ops, sizeof(fs_ops), fs);
        if (!fs->session)
                goto out_store;
        if (catch_signals(fs->session) < 0)
                goto out_session;
        if (fuse_session_mount(fs->session, mountpoint) < 0) {
                base_log(BASE_LOG_ERROR, "cannot mount at '%s'", mountpoint);
                goto out_signals;
        }
        if (agreement_attach(&fs->agreement, fs->session, fs->passthrough.wanted) < 0)
                goto out_mount;
        fs->own_dev = place_device(fuse_session_fd(fs->session), mountpoint);
        if (chdir("/") < 0)
                base_log(BASE_LOG_WARNING, "cannot leave the working directory: %s", strerror(errno));
        r = serve(fs);
        fs_close(fs);
        fs->store = store_free(fs->store);
out_mount:
        fuse_session_unmount(fs->session);
out_signals:
        fuse_remove_signal_handlers(fs->session);
out_session:
        if (fs->store)
                fs->store = store_free(fs->store);
        fuse_session_destroy(fs->session);
out_store:
        if (fs->store)
                fs->store = store_free(fs->store);
        return r;
}

static int mount_and_serve(struct options *options) {
        _cleanup_(base_freep) char *source = NULL, *mountpoint = NULL;
        struct store *store = NULL;
        unsigned descriptors, dirs;
        int source_fd = -1, r;
        struct fs fs;

        umask(0077);
        descriptors = raise_descriptor_limit();
        dirs = descriptors / DIRS_SHARE < DIRS_MAX ? descriptors / DIRS_SHARE : DIRS_MAX;
        r = check_proc();
        if (r == 0)
                r = open_places(options, &source_fd, &source, &mountpoint);
        if (r == 0)
                r = start_store(options, &store);
        if (r == 0)
                r = check_fuse();
        if (r < 0) {
                if (store)
                        store_free(store);
                base_closep(&source_fd);
                return r;
        }
        r = fs_init(&fs, source, source_fd, store, dirs);
        if (r < 0) {
                base_log(BASE_LOG_ERROR, "cannot start: %s", strerror(-r));
                store_free(store);
                return r;
        }
        fs.ready = daemon_ready;
        fs.one_file_system = options->one_file_system;
        passthrough_init(&fs.passthrough, &fs.agreement, source_fd, options->passthrough);
        r = run(&fs, options, mountpoint);
        fs_deinit(&fs);
        return r;
}

int main(int argc, char **argv) {
        struct options options;
        int r;

        r = options_init(&options, argc, argv);
        if (r == 0 && options.action == OPTIONS_HELP) {
                options_help();
        } else if (r == 0 && options.action == OPTIONS_VERSION) {
                printf("litesnapfs %s\n", LITESNAPFS_VERSION);
        } else if (r == 0) {
                daemon_log_init(options.debug);
                r = options.foreground ? 0 : daemon_start();
                if (r < 0)
                        base_log(BASE_LOG_ERROR, "cannot go to the background: %s", strerror(-r));
                else
                        r = mount_and_serve(&options);
        }
        options_deinit(&options);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
