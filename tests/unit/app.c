/* An application in another process: the parent sends a kind and a text, the child answers a code and a
 * value. */
#include "app.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

enum { APP_SQL, APP_CHUNK, APP_LOOP };

struct request {
        int kind;
        unsigned number;
        char text[2048];
};

struct answer {
        int code;
        bool any;
        char text[512];
};

/* ---- in the child
 * -------------------------------------------------------------------------------------------------- */

static int keep_first(void *userdata, int n, char **values, char **names) {
        struct answer *answer = userdata;
        size_t used = 0;

        for (int i = 0; !answer->any && i < n && used < sizeof(answer->text); i++)
                used += (size_t)snprintf(answer->text + used, sizeof(answer->text) - used, "%s%s",
                                         i > 0 ? "|" : "", values[i] ? values[i] : "");
        answer->any = true;
        return 0;
}

static void loop(sqlite3 *db, int fd, const char *text, atomic_ulong *commits) {
        struct pollfd asked = { .fd = fd, .events = POLLIN };

        while (poll(&asked, 1, 0) == 0)
                if (sqlite3_exec(db, text, NULL, NULL, NULL) == SQLITE_OK)
                        atomic_fetch_add(commits, 1);
}

static _Noreturn void serve(const char *path, int fd, atomic_ulong *commits) {
        static struct request request;
        sqlite3 *db = NULL;

        while (recv(fd, &request, sizeof(request), MSG_WAITALL) == (ssize_t)sizeof(request)) {
                struct answer answer = { .code = db ? SQLITE_OK : sqlite3_open(path, &db) };

                if (request.kind == APP_LOOP) {
                        loop(db, fd, request.text, commits);
                        continue;
                }
                if (request.kind == APP_CHUNK)
                        answer.code =
                                sqlite3_file_control(db, "main", SQLITE_FCNTL_CHUNK_SIZE, &request.number);
                else if (answer.code == SQLITE_OK)
                        answer.code = sqlite3_exec(db, request.text, keep_first, &answer, NULL);
                if (send(fd, &answer, sizeof(answer), 0) != (ssize_t)sizeof(answer))
                        break;
        }
        sqlite3_close(db);
        _exit(0);
}

/* ---- in the parent
 * ------------------------------------------------------------------------------------------------- */

struct app app_new(const char *path) {
        struct app app = { .commits = mmap(NULL, sizeof(*app.commits), PROT_READ | PROT_WRITE,
                                           MAP_SHARED | MAP_ANONYMOUS, -1, 0) };
        int ends[2];

        need(app.commits != MAP_FAILED && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
        fflush(stdout);
        app.pid = fork();
        need(app.pid >= 0);
        if (app.pid == 0) {
                close(ends[0]);
                serve(path, ends[1], app.commits);
        }
        close(ends[1]);
        app.fd = ends[0];
        return app;
}

static void ask(struct app *app, int kind, unsigned number, const char *text) {
        struct request request = { .kind = kind, .number = number };

        need(strlen(text) < sizeof(request.text));
        strcpy(request.text, text);
        need(send(app->fd, &request, sizeof(request), MSG_NOSIGNAL) == (ssize_t)sizeof(request));
}

static int hear(struct app *app) {
        struct answer answer;

        need(recv(app->fd, &answer, sizeof(answer), MSG_WAITALL) == (ssize_t)sizeof(answer));
        memcpy(app->text, answer.text, sizeof(answer.text));
        return answer.code;
}

int app_sql(struct app *app, const char *statements) {
        ask(app, APP_SQL, 0, statements);
        return hear(app);
}

int64_t app_int(struct app *app, const char *query) {
        need(app_sql(app, query) == SQLITE_OK);
        return atoll(app->text);
}

void app_chunk(struct app *app, unsigned bytes) {
        ask(app, APP_CHUNK, bytes, "");
        need(hear(app) == SQLITE_OK);
}

void app_loop(struct app *app, const char *statements) {
        ask(app, APP_LOOP, 0, statements);
}

void app_wait_rounds(struct app *app, unsigned long rounds) {
        const struct timespec pause = { .tv_nsec = 100000 };
        unsigned long until = atomic_load(app->commits) + rounds;

        while (atomic_load(app->commits) < until)
                nanosleep(&pause, NULL);
}

void app_kill(struct app *app) {
        kill(app->pid, SIGKILL);
        waitpid(app->pid, NULL, 0);
        app->pid = -1;
}

void app_deinit(struct app *app) {
        close(app->fd);
        if (app->pid > 0)
                waitpid(app->pid, NULL, 0);
        munmap(app->commits, sizeof(*app->commits));
}
