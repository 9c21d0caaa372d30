/*
 * An application: another process that uses a database as any would, with POSIX locks of its own, and may be
 * killed in the middle of a transaction. To be started before this process has threads.
 */
#pragma once

#include "scratch.h"

#include <stdatomic.h>

struct app {
        pid_t pid;
        int fd;
        atomic_ulong *commits; /* shared with it: how many rounds of app_loop() are done */
        char text[512];        /* the first row of the last app_sql(), with | between values */
};

/* Starts one; it opens path when it is first asked for something. */
struct app app_new(const char *path);
/* Has it run statements. A SQLite code. */
int app_sql(struct app *app, const char *statements);
int64_t app_int(struct app *app, const char *query);
/* Has it grow the file by so many bytes at a time (SQLITE_FCNTL_CHUNK_SIZE). */
void app_chunk(struct app *app, unsigned bytes);
/* Has it run statements over and over until it is asked for anything else. */
void app_loop(struct app *app, const char *statements);
/* Returns when app_loop() has done that many rounds since this call. */
void app_wait_rounds(struct app *app, unsigned long rounds);
/* kill -9: what it left is what a crash leaves. */
void app_kill(struct app *app);
/* Closes the database as an application should, if it was not killed. */
void app_deinit(struct app *app);
#define APP(name, path) _cleanup_(app_deinit) struct app name = app_new(path)
