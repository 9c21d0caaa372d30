/*
 * Going to the background: the caller gets its prompt back when the mount serves, and a message and a failure
 * when it does not come to that. In the foreground a service manager may ask to be told instead
 * (sd_notify(3)).
 *
 * The fork is the first thing that happens, so no thread is lost in it; a pipe tells the parent how it went.
 * Until then messages go to the caller's stderr, after that to syslog.
 */
#include "fs/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>

#include "fs/fuse.h"

static int ready_fd = -1;
static atomic_bool to_syslog;

static void log_message(enum base_level level, const char *message) {
        static const int priorities[] = {
                [BASE_LOG_ERROR] = LOG_ERR,
                [BASE_LOG_WARNING] = LOG_WARNING,
                [BASE_LOG_INFO] = LOG_INFO,
                [BASE_LOG_DEBUG] = LOG_DEBUG,
        };

        /* The caller of what goes to the background is told only of what is wrong. */
        if (atomic_load(&to_syslog) || (ready_fd >= 0 && level >= BASE_LOG_INFO))
                syslog(priorities[level], "%s", message);
        else
                fprintf(stderr, "litesnapfs: %s\n", message);
}

/* libfuse ends a message with a newline, and sometimes says it in several pieces. */
static void log_fuse(enum fuse_log_level level, const char *format, va_list args) {
        static __thread char message[1024];
        static __thread size_t length;
        enum base_level to = BASE_LOG_DEBUG;
        int n;

        n = vsnprintf(message + length, sizeof(message) - length, format, args);
        if (n <= 0)
                return;
        length += (size_t)n;
        if (length >= sizeof(message))
                length = sizeof(message) - 1;
        else if (message[length - 1] != '\n')
                return;
        while (length > 0 && message[length - 1] == '\n')
                length--;
        message[length] = '\0';
        length = 0;
        if (level <= FUSE_LOG_ERR)
                to = BASE_LOG_ERROR;
        else if (level == FUSE_LOG_WARNING)
                to = BASE_LOG_WARNING;
        base_log(to, "%s", message);
}

int daemon_open_standard(void) {
        for (int fd = 0; fd <= 2; fd++)
                /* The lowest number that is free is what open() takes. */
                if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) != fd)
                        return -EBADF;
        return 0;
}

void daemon_log_init(enum base_level most) {
        openlog("litesnapfs", LOG_PID, LOG_DAEMON);
        base_log_to(log_message, most);
        fuse_set_log_func(log_fuse);
}

/* The parent's end: success is one byte from the child, failure is that it never came. */
static _Noreturn void wait_for_child(pid_t child, int fd) {
        int status;
        ssize_t n;
        char byte;

        do
                n = read(fd, &byte, 1);
        while (n < 0 && errno == EINTR);
        if (n == 1)
                _exit(EXIT_SUCCESS);
        if (waitpid(child, &status, 0) == child && WIFSIGNALED(status))
                fprintf(stderr, "litesnapfs: ended by signal %d before the mount served\n", WTERMSIG(status));
        _exit(EXIT_FAILURE);
}

int daemon_start(void) {
        int fds[2];
        pid_t child;
        int r;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        child = fork();
        if (child < 0) {
                r = -errno;
                close(fds[0]);
                close(fds[1]);
                return r;
        }
        if (child > 0) {
                close(fds[1]);
                wait_for_child(child, fds[0]);
        }
        close(fds[0]);
        ready_fd = fds[1];
        setsid();
        return 0;
}

/*
 * sd_notify(3)'s protocol: a datagram to the socket that the environment names. A name that begins with @ is
 * abstract. Who cannot be told is not waiting.
 */
static void tell_manager(const char *state) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        const char *name = getenv("NOTIFY_SOCKET");
        _cleanup_(base_closep) int fd = -1;
        size_t length = name ? strlen(name) : 0;

        if (length < 2 || length > sizeof(address.sun_path) || (name[0] != '/' && name[0] != '@'))
                return;
        memcpy(address.sun_path, name, length);
        if (name[0] == '@')
                address.sun_path[0] = '\0';
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || sendto(fd, state, strlen(state), MSG_NOSIGNAL, (struct sockaddr *)&address,
                             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length)) < 0)
                base_log(BASE_LOG_WARNING, "cannot tell the service manager at '%s': %s", name,
                         strerror(errno));
}

void daemon_ready(void) {
        char state[64];
        int null;

        /* In the background another process is the one that the manager started. */
        snprintf(state, sizeof(state), "READY=1\nMAINPID=%ld", (long)getpid());
        tell_manager(state);
        if (ready_fd < 0)
                return;
        atomic_store(&to_syslog, true);
        null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null >= 0) {
                /* dup2 leaves the copies open across exec, as 0, 1 and 2 should be. */
                for (int fd = 0; fd <= 2; fd++)
                        dup2(null, fd);
                if (null > 2)
                        close(null);
        }
        if (write(ready_fd, "", 1) != 1)
                base_log(BASE_LOG_WARNING, "the caller did not wait for the mount");
        close(ready_fd);
        ready_fd = -1;
}
