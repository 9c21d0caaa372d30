/* A tiny producer of the Test Anything Protocol. */
#include "tap.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static unsigned n_claims, n_failed;
static const char *todo;

static void report(bool pass, const char *format, va_list args) {
        printf("%s %u - ", pass ? "ok" : "not ok", ++n_claims);
        vprintf(format, args);
        if (todo)
                printf(" # TODO %s", todo);
        else if (!pass)
                n_failed++;
        printf("\n");
        todo = NULL;
        fflush(stdout);
}

bool tap_ok(bool pass, const char *file, int line, const char *format, ...) {
        va_list args;

        va_start(args, format);
        report(pass, format, args);
        va_end(args);
        if (!pass)
                printf("#   at %s:%d\n", file, line);
        return pass;
}

bool tap_is(long long got, long long want, const char *file, int line, const char *format, ...) {
        va_list args;

        va_start(args, format);
        report(got == want, format, args);
        va_end(args);
        if (got != want)
                printf("#   at %s:%d: got %lld, want %lld\n", file, line, got, want);
        return got == want;
}

void tap_skip(const char *why, const char *format, ...) {
        va_list args;

        printf("ok %u - ", ++n_claims);
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        printf(" # SKIP %s\n", why);
}

void tap_todo(const char *why) {
        todo = why;
}

void tap_note(const char *format, ...) {
        va_list args;

        printf("# ");
        va_start(args, format);
        vprintf(format, args);
        va_end(args);
        printf("\n");
        fflush(stdout);
}

void tap_bail(const char *file, int line, const char *what) {
        printf("Bail out! %s:%d: %s (%s)\n", file, line, what, strerror(errno));
        fflush(stdout);
        _exit(1);
}

void tap_log(enum base_level level, const char *message) {
        printf("# log %d: %s\n", (int)level, message);
        fflush(stdout);
}

int tap_done(void) {
        printf("1..%u\n", n_claims);
        return n_failed > 0;
}
