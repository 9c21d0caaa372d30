/*
 * A command that sees consistent mirrors in place of directories.
 *
 * Three kinds of processes. The first waits for the others; each mirror is served by one of its own, which
 * stays in the mount namespace of the caller, where the source is not covered by its mirror, and in a session
 * of its own, so that ctrl-C ends the command and not what it reads; the command is in the mount namespace
 * with the first.
 *
 * Whatever is killed, nothing is left. The command goes with the first process (PDEATHSIG); what that has
 * started by itself is ended by whoever serves, who is told of the first one's death by SIGTERM. Without its
 * server a mirror is dead: it answers nothing, and never uncovers the raw files.
 */
#include "fs/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "fs/mountpoint.h"
#include "fs/namespace.h"
#include "fs/serve.h"

struct mirror {
        char *source; /* absolute */
        int source_fd;
        const char *where;
        struct mountpoint mounted;
        int socket; /* to the process that serves it, or from there to the first */
        pid_t server;
};

struct run {
        struct options *options;
        struct mirror mirrors[OPTIONS_SOURCES_MAX];
        char *mountpoint;
        char *directory; /* where the command runs */
        bool as_user;
        struct namespace namespace;
        pid_t first, command;
};

/* ---- serving, in a process of its own ------------------------------------------------------------------ */

/* What the server is told once the mirror is mounted. */
struct order {
        struct namespace namespace;
};

static int socket_to_first = -1;

static void tell_ready(void) {
        if (send(socket_to_first, "", 1, MSG_NOSIGNAL) != 1)
                base_log(BASE_LOG_WARNING, "nobody waited for the mirror");
}

/* Sends the connection to the server. 0 or -errno. */
static int order_send(int socket, int fd, const struct order *order) {
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } control = { .header = { .cmsg_len = CMSG_LEN(sizeof(int)),
                                  .cmsg_level = SOL_SOCKET,
                                  .cmsg_type = SCM_RIGHTS } };
        struct iovec iov = { .iov_base = (void *)order, .iov_len = sizeof(*order) };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };

        memcpy(CMSG_DATA(&control.header), &fd, sizeof(fd));
        return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Waits for it. The descriptor, or -errno: -ECANCELED when it will not come. */
static int order_receive(int socket, struct order *order) {
        union {
                struct cmsghdr header;
                char room[CMSG_SPACE(sizeof(int))];
        } control;
        struct iovec iov = { .iov_base = order, .iov_len = sizeof(*order) };
        struct msghdr message = {
                .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)
        };
        struct cmsghdr *header;
        ssize_t n;
        int fd;

        do
                n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        while (n < 0 && errno == EINTR);
        header = n == sizeof(*order) ? CMSG_FIRSTHDR(&message) : NULL;
        if (!header || header->cmsg_type != SCM_RIGHTS)
                return -ECANCELED;
        memcpy(&fd, CMSG_DATA(header), sizeof(fd));
        return fd;
}

/* Makes the process a server's. 0 or -errno. */
static int settle_server(const struct run *run) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);

        setsid();
        /* Whoever reads what the command writes waits for the end of the command, not for ours. */
        if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0)
                return -errno;
        close(null);
        if (run->as_user && namespace_renounce() < 0)
                return -EPERM;
        if (prctl(PR_SET_PDEATHSIG, SIGTERM) < 0)
                return -errno;
        return getppid() == run->first ? 0 : -ESRCH;
}

/* Serves to the end. The exit status: 0, RUN_INCOMPLETE, or 1 after a message. */
static int serve_mirror(const struct run *run, const struct mirror *mirror) {
        struct refusals refusals;
        struct order order;
        char mountpoint[32];
        struct serve_place place = { .source = mirror->source,
                                     .source_fd = mirror->source_fd,
                                     .mountpoint = mountpoint,
                                     .own_rights = run->as_user,
                                     .ready = tell_ready,
                                     .refusals = &refusals };
        bool refused;
        int fd, r;

        if (settle_server(run) < 0)
                return EXIT_FAILURE;
        socket_to_first = mirror->socket;
        fd = order_receive(mirror->socket, &order);
        if (fd < 0)
                return EXIT_FAILURE;
        snprintf(mountpoint, sizeof(mountpoint), "/dev/fd/%d", fd);
        refusals_init(&refusals);
        r = serve(run->options, &place);
        refused = refusals_report(&refusals);
        refusals_deinit(&refusals);
        if (getppid() != run->first)
                namespace_kill(&order.namespace);
        if (r != SERVE_SIGNALLED)
                return EXIT_FAILURE;
        return refused ? RUN_INCOMPLETE : EXIT_SUCCESS;
}

/* Forks the server, before there is a mount namespace. 0 or -errno, logged. */
static int start_server(struct run *run, unsigned index) {
        struct mirror *mirror = &run->mirrors[index];
        int pair[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                goto failed;
        mirror->server = fork();
        if (mirror->server < 0) {
                close(pair[0]);
                close(pair[1]);
                goto failed;
        }
        if (mirror->server == 0) {
                /* An end of file must mean the first's end. */
                for (unsigned i = 0; i < index; i++)
                        close(run->mirrors[i].socket);
                close(pair[0]);
                mirror->socket = pair[1];
                exit(serve_mirror(run, mirror));
        }
        close(pair[1]);
        mirror->socket = pair[0];
        return 0;
failed:
        r = -errno;
        mirror->server = 0;
        base_log(BASE_LOG_ERROR, "cannot start a mirror of '%s': %s", mirror->source, strerror(-r));
        return r;
}

/* ---- the mirrors, seen from the first ------------------------------------------------------------------ */

/* Mounts the mirror and waits until it serves. 0 or -errno, logged. */
static int put_up(struct run *run, struct mirror *mirror) {
        const struct order order = { .namespace = run->namespace };
        int fd = namespace_mount(mirror->source, mirror->where, run->options->max_read, run->as_user);
        ssize_t n;
        char byte;
        int r;

        if (fd < 0)
                return fd;
        r = order_send(mirror->socket, fd, &order);
        /* With this one gone, the end of the server is the end of the mirror, and nobody waits for it. */
        close(fd);
        do
                n = r < 0 ? 0 : recv(mirror->socket, &byte, 1, 0);
        while (n < 0 && errno == EINTR);
        if (n == 1) {
                mirror->mounted = (struct mountpoint){ .path = (char *)mirror->where, .fd = -1 };
                return mountpoint_mounted(&mirror->mounted, -1, run->options->nosymfollow);
        }
        base_log(BASE_LOG_ERROR, "there is no mirror of '%s'", mirror->source);
        return -EIO;
}

/* Ends the server and waits for it. Whether all was well. */
static bool end_server(const struct run *run, struct mirror *mirror) {
        bool lasted = mountpoint_is_mounted(&mirror->mounted);
        int status = 0;

        if (mirror->server == 0)
                return true;
        kill(mirror->server, SIGTERM);
        while (waitpid(mirror->server, &status, 0) < 0)
                if (errno != EINTR)
                        return false;
        if (run->command > 0 && (!lasted || !WIFEXITED(status) || WEXITSTATUS(status) == EXIT_FAILURE))
                base_log(BASE_LOG_ERROR, "%s: the mirror ended before the command did", mirror->source);
        return lasted && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

/* ---- the command --------------------------------------------------------------------------------------- */

static _Noreturn void become_command(const struct run *run, const sigset_t *mask) {
        char **command = run->options->command;
        int error;

        if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != run->first)
                _exit(126);
        pthread_sigmask(SIG_SETMASK, mask, NULL);
        execvp(command[0], command);
        error = errno;
        base_log(BASE_LOG_ERROR, "cannot run '%s': %s", command[0], strerror(error));
        _exit(error == ENOENT ? 127 : 126);
}

/*
 * Passes on what another process sends, until the command ends. What comes from the terminal, or from the
 * kernel, the command has got by itself. The command's status as a shell would tell it.
 */
static int await_command(const struct run *run, const sigset_t *signals) {
        siginfo_t info;
        int status;

        for (;;) {
                if (sigwaitinfo(signals, &info) < 0)
                        continue;
                if (info.si_signo != SIGCHLD) {
                        if (info.si_code <= 0)
                                kill(run->command, info.si_signo);
                        continue;
                }
                /* SIGCHLD is one for several, and also tells of a mirror. */
                if (waitpid(run->command, &status, WNOHANG) != run->command)
                        continue;
                return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
}

static int run_it(struct run *run) {
        static const int passed_on[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2 };
        sigset_t signals, mask;

        sigemptyset(&signals);
        sigaddset(&signals, SIGCHLD);
        for (size_t i = 0; i < ARRAY_SIZE(passed_on); i++)
                sigaddset(&signals, passed_on[i]);
        signal(SIGCHLD, SIG_DFL);
        pthread_sigmask(SIG_BLOCK, &signals, &mask);
        run->command = fork();
        if (run->command < 0) {
                base_log(BASE_LOG_ERROR, "cannot run '%s': %s", run->options->command[0], strerror(errno));
                return EXIT_FAILURE;
        }
        if (run->command == 0)
                become_command(run, &mask);
        return await_command(run, &signals);
}

/* ---- from the beginning to the end --------------------------------------------------------------------- */

/* What lies at the mountpoint would be hidden, and is rather a second source. 0 or -errno, logged. */
static int check_mountpoint(struct run *run, const char *name) {
        struct dirent *entry = NULL;
        DIR *directory = opendir(name);
        int r = 0;

        if (directory) {
                do
                        entry = readdir(directory);
                while (entry && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0));
                closedir(directory);
        }
        if (entry) {
                base_log(BASE_LOG_ERROR,
                         "the mountpoint '%s' is not empty: give each further source as -S SOURCE, or an "
                         "empty directory",
                         name);
                return -ENOTEMPTY;
        }
        run->mountpoint = directory ? realpath(name, NULL) : NULL;
        if (!run->mountpoint) {
                r = -errno;
                base_log(BASE_LOG_ERROR, "cannot use the mountpoint '%s': %s", name, strerror(errno));
        }
        return r;
}

/* Opens all that the names on the command line mean now. 0 or -errno, logged. */
static int open_places(struct run *run) {
        struct options *options = run->options;
        int r = 0;

        run->directory = getcwd(NULL, 0);
        if (!run->directory) {
                r = -errno;
                base_log(BASE_LOG_ERROR, "cannot tell the working directory: %s", strerror(errno));
                return r;
        }
        if (options->mountpoint)
                r = check_mountpoint(run, options->mountpoint);
        for (unsigned i = 0; i < options->source_count && r == 0; i++) {
                struct mirror *mirror = &run->mirrors[i];

                r = serve_open_source(options->sources[i], &mirror->source_fd, &mirror->source);
                mirror->where = run->mountpoint ? run->mountpoint : mirror->source;
                if (r == 0 && strcmp(mirror->where, "/") == 0) {
                        base_log(BASE_LOG_ERROR, "a command needs more than a mirror of '/' in place of '/': "
                                                 "give an empty directory as MOUNTPOINT");
                        r = -EINVAL;
                }
        }
        return r;
}

/* Until all mirrors are there. 0 or -errno, logged. */
static int prepare(struct run *run) {
        unsigned count = run->options->source_count;
        int r;

        r = open_places(run);
        if (r == 0)
                r = namespace_acquire(&run->as_user);
        for (unsigned i = 0; i < count && r == 0; i++)
                r = start_server(run, i);
        if (r == 0)
                r = namespace_enter(&run->namespace);
        for (unsigned i = 0; i < count && r == 0; i++)
                r = put_up(run, &run->mirrors[i]);
        /* The working directory is still what the mirror covers. */
        if (r == 0 && chdir(run->directory) < 0) {
                r = -errno;
                base_log(BASE_LOG_ERROR, "cannot go to '%s': %s", run->directory, strerror(errno));
        }
        return r;
}

int run_command(struct options *options) {
        struct run run = { .options = options, .first = getpid() };
        bool complete = true;
        int status;

        status = prepare(&run) < 0 ? EXIT_FAILURE : run_it(&run);
        if (run.namespace.ino != 0)
                namespace_kill(&run.namespace);
        for (unsigned i = 0; i < options->source_count; i++) {
                struct mirror *mirror = &run.mirrors[i];

                if (!end_server(&run, mirror))
                        complete = false;
                if (mirror->source && mirror->server != 0)
                        close(mirror->socket);
                free(mirror->source);
        }
        free(run.mountpoint);
        free(run.directory);
        return status == EXIT_SUCCESS && !complete && options->strict ? RUN_INCOMPLETE : status;
}
