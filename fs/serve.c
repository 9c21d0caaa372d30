/*
 * One mirror.
 *
 * The order of things: open the source, make the store (its threads start), mount, answer the kernel's first
 * question, serve; then everything back in reverse, with fs_close() and store_free() before the session
 * goes, since the opens that still wait are answered through it.
 */
#include "fs/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "fs/fs.h"
#include "fs/mountpoint.h"
#include "fs/place.h"

/* Threads only do short things; whatever waits is parked (fact F6). The source's disks profit from some at
 * once. */
#define THREADS_MAX 16
/* Directory descriptors to keep, and what part of the limit on descriptors they may take. */
#define DIRS_MAX    1024
#define DIRS_SHARE  4
/* How often a lack of memory may end libfuse's loop. */
#define LACKS_MAX   1000

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

int serve_open_source(const char *name, int *fd, char **path) {
        _cleanup_(base_closep) int opened = -1;
        char *resolved;
        int r;

        opened = open(name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        resolved = opened < 0 ? NULL : realpath(name, NULL);
        if (!resolved) {
                r = -errno;
                log_open_error("cannot use the source", name, errno);
                return r;
        }
        *path = resolved;
        *fd = base_steal_fd(&opened);
        return 0;
}

/* Looks at the mountpoint, and that it and the source are apart. 0 or -errno, logged. */
static int check_place(const struct options *options, const struct serve_place *place,
                       struct mountpoint *mountpoint) {
        _cleanup_(base_closep) int fd = -1;
        int r;

        r = mountpoint_init(mountpoint, place->mountpoint, &fd);
        if (r < 0 || fd < 0)
                return r;
        r = place_check(place->source_fd, fd, options->one_file_system);
        if (r < 0)
                base_log(BASE_LOG_ERROR, "cannot show '%s' at '%s': %s", place->source, place->mountpoint,
                         r == -ELOOP ? "one is the other or is inside it (-o one_file_system allows a "
                                       "mountpoint inside the source)"
                                     : strerror(-r));
        return r;
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

/*
 * The kernel's first question is INIT. What the answer makes of it is known before anybody is told that the
 * mount serves. 0 or -errno, logged.
 */
static int answer_first(struct fs *fs) {
        struct fuse_buf buffer = { .mem = NULL };
        int n;

        do
                n = fuse_session_receive_buf(fs->session, &buffer);
        while (n == -EINTR && !fuse_session_exited(fs->session));
        if (n > 0)
                fuse_session_process_buf(fs->session, &buffer);
        free(buffer.mem);
        /* Without memory for it libfuse answers with an error by itself, after which the kernel asks no more.
         */
        if (fs->asked && !fuse_session_exited(fs->session))
                return 0;
        base_log(BASE_LOG_ERROR, "the mount ended before it served%s%s", n < 0 ? ": " : "",
                 n < 0 ? strerror(-n) : "");
        return -EPROTO;
}

/*
 * The loop. A thread of libfuse's that has no memory for itself or for its buffer ends the whole of it, for
 * which there is no reason: no request is lost by that.
 */
static int loop_without_memory(struct fs *fs, struct fuse_loop_config *config) {
        for (unsigned i = 0;; i++) {
                int r = fuse_session_loop_mt(fs->session, config);

                /* -1: no thread could be started. */
                if ((r != -ENOMEM && r != -1) || i == LACKS_MAX)
                        return r;
                base_log(BASE_LOG_WARNING, "out of memory: going on with fewer threads");
                nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
                fuse_session_reset(fs->session);
        }
}

/* Until the end. 0, SERVE_SIGNALLED, or -errno, logged. */
static int loop(struct fs *fs, struct fuse_loop_config *config, const struct mountpoint *mountpoint) {
        int r;

        fuse_loop_cfg_set_clone_fd(config, 1);
        fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
        r = loop_without_memory(fs, config);
        if (r < 0)
                base_log(BASE_LOG_ERROR, "the session failed: %s", strerror(-r));
        /* A positive number is the signal that ended the session. Without one it is the kernel that did. */
        if (r == 0 && mountpoint_is_mounted(mountpoint)) {
                base_log(BASE_LOG_ERROR,
                         "the connection to the kernel was cut (umount -f, or abort in /sys/fs/fuse), "
                         "and the mount at '%s' is dead: taking it away",
                         mountpoint->path);
                return -ECONNABORTED;
        }
        return r > 0 ? SERVE_SIGNALLED : r;
}

/*
 * libfuse leaves an ignored signal ignored. For SIGHUP that is what nohup wants; but a shell script ignores
 * SIGINT for what it starts in the background, and who sends it to us by hand means it. Signals that mean
 * nothing to us must not end it all (SIGXFSZ comes of "ulimit -f", and is then an error of the write).
 */
static int catch_signals(struct fuse_session *session) {
        static const int meaningless[] = { SIGUSR1, SIGUSR2, SIGALRM,   SIGVTALRM, SIGPROF, SIGIO,
                                           SIGPWR,  SIGXFSZ, SIGSTKFLT, SIGTTIN,   SIGTTOU };

        for (size_t i = 0; i < ARRAY_SIZE(meaningless); i++)
                signal(meaningless[i], SIG_IGN);
        for (int i = SIGRTMIN; i <= SIGRTMAX; i++)
                signal(i, SIG_IGN);
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        return fuse_set_signal_handlers(session);
}

/* Mounted: to the end. 0 or -errno, logged. The store is freed on the way. */
static int serve_mounted(struct fs *fs, struct options *options, struct mountpoint *mountpoint,
                         void (*ready)(void)) {
        struct fuse_loop_config *config;
        int r;

        r = mountpoint_mounted(mountpoint, fuse_session_fd(fs->session), options->nosymfollow);
        if (r == 0)
                r = agreement_attach(&fs->agreement, fs->session, fs->passthrough.wanted);
        if (r < 0)
                return r;
        fs->own_dev = place_device(fuse_session_fd(fs->session), mountpoint->path);
        if (chdir("/") < 0)
                base_log(BASE_LOG_WARNING, "cannot leave the working directory: %s", strerror(errno));
        config = fuse_loop_cfg_create();
        r = config ? answer_first(fs) : -ENOMEM;
        if (r == 0) {
                ready();
                r = loop(fs, config, mountpoint);
                fs_close(fs, r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
                fs->store = store_free(fs->store);
        }
        if (config)
                fuse_loop_cfg_destroy(config);
        return r;
}

/* From the mount to the unmount. The store is freed on the way. */
static int run(struct fs *fs, struct options *options, struct mountpoint *mountpoint, void (*ready)(void)) {
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
        if (fuse_session_mount(fs->session, mountpoint->path) < 0) {
                base_log(BASE_LOG_ERROR, "cannot mount at '%s'", mountpoint->path);
                goto out_signals;
        }
        r = serve_mounted(fs, options, mountpoint, ready);
        fuse_session_unmount(fs->session);
out_signals:
        fuse_remove_signal_handlers(fs->session);
out_session:
        if (fs->store)
                fs->store = store_free(fs->store);
        fuse_session_destroy(fs->session);
        /* libfuse leaves a mount whose connection was cut, or that was not made by it. */
        mountpoint_leave(mountpoint);
out_store:
        if (fs->store)
                fs->store = store_free(fs->store);
        return r;
}

int serve(struct options *options, const struct serve_place *place) {
        struct mountpoint mountpoint = { .path = NULL };
        struct store *store = NULL;
        unsigned descriptors, dirs;
        struct fs fs;
        int r;

        umask(0077);
        descriptors = raise_descriptor_limit();
        dirs = descriptors / DIRS_SHARE < DIRS_MAX ? descriptors / DIRS_SHARE : DIRS_MAX;
        r = check_proc();
        if (r == 0)
                r = check_place(options, place, &mountpoint);
        if (r == 0)
                r = start_store(options, &store);
        if (r == 0)
                r = mountpoint.fd < 0 ? check_fuse() : 0;
        if (r < 0) {
                if (store)
                        store_free(store);
                mountpoint_deinit(&mountpoint);
                close(place->source_fd);
                return r;
        }
        r = fs_init(&fs, place->source, place->source_fd, store, dirs);
        if (r < 0) {
                base_log(BASE_LOG_ERROR, "cannot start: %s", strerror(-r));
                store_free(store);
                mountpoint_deinit(&mountpoint);
                return r;
        }
        fs.refusals = place->refusals;
        fs.own_rights = place->own_rights;
        fs.max_read = options->max_read;
        fs.one_file_system = options->one_file_system;
        passthrough_init(&fs.passthrough, &fs.agreement, place->source_fd, options->passthrough);
        r = run(&fs, options, &mountpoint, place->ready);
        fs_deinit(&fs);
        mountpoint_deinit(&mountpoint);
        return r;
}
