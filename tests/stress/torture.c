/* What the torture programs share; see torture.h. */
#include "torture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

struct torture_record *torture_record_map(const char *path, bool create) {
        struct torture_record *record;
        int fd = open(path, O_RDWR | O_CLOEXEC | (create ? O_CREAT | O_TRUNC : 0), 0666);

        if (fd < 0)
                torture_die("%s: %s", path, strerror(errno));
        if (create && ftruncate(fd, sizeof(*record)) < 0)
                torture_die("%s: %s", path, strerror(errno));
        record = mmap(NULL, sizeof(*record), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        if (record == MAP_FAILED)
                torture_die("%s: %s", path, strerror(errno));
        close(fd);
        if (create)
                record->magic = TORTURE_MAGIC;
        if (record->magic != TORTURE_MAGIC)
                torture_die("%s: not a record of torture-writer", path);
        return record;
}

uint64_t torture_random(uint64_t *state) {
        uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));

        z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
        return z ^ (z >> 31);
}

uint64_t torture_now_ns(void) {
        struct timespec now;

        clock_gettime(CLOCK_MONOTONIC, &now);
        return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void torture_raise(_Atomic uint64_t *value, uint64_t n) {
        uint64_t old = atomic_load(value);

        while (old < n && !atomic_compare_exchange_weak(value, &old, n))
                ;
}

uint64_t torture_number(const char *text) {
        char *end;
        uint64_t n;

        errno = 0;
        n = strtoull(text, &end, 0);
        if (*end == 'K')
                n <<= 10, end++;
        else if (*end == 'M')
                n <<= 20, end++;
        else if (*end == 'G')
                n <<= 30, end++;
        if (errno || end == text || *end)
                torture_die("not a number: %s", text);
        return n;
}

_Noreturn void torture_die(const char *format, ...) {
        va_list args;

        fprintf(stderr, "%s: ", program_invocation_short_name);
        va_start(args, format);
        vfprintf(stderr, format, args);
        va_end(args);
        fputc('\n', stderr);
        _exit(2);
}

void torture_exec(sqlite3 *db, const char *format, ...) {
        va_list args;
        char *sql;

        va_start(args, format);
        sql = sqlite3_vmprintf(format, args);
        va_end(args);
        if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
                torture_die("%s: %s", sql, sqlite3_errmsg(db));
        sqlite3_free(sql);
}
