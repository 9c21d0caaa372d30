/* A combination on disk: its files, their times, a super-journal. */
#include "differential.h"

#include "snapshot/format.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

/* Ends the journal with the name of a super-journal, as SQLite's writeSuperJournal() does. */
static void append_super(struct bytes *journal, const char *path) {
        static const uint8_t magic[8] = { 0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7 };
        size_t length = strlen(path);
        uint32_t page_size = format_be32(journal->data + 24), sum = 0;
        uint8_t *p;

        journal->data = realloc(journal->data, journal->size + length + 20);
        need(journal->data);
        p = journal->data + journal->size;
        for (size_t i = 0; i < length; i++)
                sum += (uint32_t)(signed char)path[i];
        /* The number of the page that holds the lock bytes, which is in no journal. */
        format_put_be32(p, page_size > 0 ? 0x40000000 / page_size + 1 : 1);
        memcpy(p + 4, path, length);
        format_put_be32(p + 4 + length, (uint32_t)length);
        format_put_be32(p + 8 + length, sum);
        memcpy(p + 12 + length, magic, 8);
        journal->size += length + 20;
}

static void write_file(const char *directory, const char *name, const void *data, size_t size) {
        char path[512];
        _cleanup_(base_closep) int fd = -1;

        snprintf(path, sizeof(path), "%s/%s", directory, name);
        fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        need(fd >= 0 && base_pwrite(fd, data, size, 0) == 0);
}

static void write_super(struct combination *combination, const char *directory) {
        bool elsewhere = combination->super >= SUPER_ELSEWHERE;
        char parent[300], super[400], child[400];

        snprintf(parent, sizeof(parent), "%s%s", directory, elsewhere ? ".other" : "");
        snprintf(super, sizeof(super), "%s/db-mj0123459AB", parent);
        snprintf(child, sizeof(child), "%s/db-journal", directory);
        if (elsewhere)
                need(mkdir(parent, 0755) == 0 || errno == EEXIST);
        append_super(&combination->files[ROLE_JOURNAL], super);
        if (combination->super == SUPER_HERE || combination->super == SUPER_ELSEWHERE)
                write_file(parent, "db-mj0123459AB", child, strlen(child) + 1);
}

void combination_write(struct combination *combination, const char *directory) {
        need(mkdir(directory, 0755) == 0);
        if (combination->super != SUPER_NONE)
                write_super(combination, directory);
        for (int role = 0; role < N_ROLES; role++)
                if (combination->files[role].data)
                        write_file(directory, role_names[role], combination->files[role].data,
                                   combination->files[role].size);
        if (combination->age != AGE_YOUNG)
                combination_touch(combination, directory);
}

void combination_touch(const struct combination *combination, const char *directory) {
        struct timespec times[2], now;
        char path[512];

        clock_gettime(CLOCK_REALTIME, &now);
        if (combination->age == AGE_OLD || combination->age == AGE_WHOLE_SECOND)
                now.tv_sec -= 10;
        if (combination->age == AGE_WHOLE_SECOND)
                now.tv_nsec = 0;
        if (combination->age == AGE_ANCIENT)
                now = (struct timespec){ .tv_sec = 1 };
        if (combination->age == AGE_FUTURE)
                now.tv_sec += 3600;
        times[0] = times[1] = now;
        for (int role = 0; role < N_ROLES; role++) {
                snprintf(path, sizeof(path), "%s/%s", directory, role_names[role]);
                need(utimensat(AT_FDCWD, path, times, 0) == 0 || errno == ENOENT);
        }
}

bool combination_untouched(const struct combination *combination, const char *directory) {
        struct scratch scratch = { .dirfd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
        int n = 0, wanted = combination->super == SUPER_HERE;
        bool same = scratch.dirfd >= 0;
        DIR *dir = opendir(directory);

        need(dir);
        while (readdir(dir))
                n++;
        closedir(dir);
        for (int role = 0; role < N_ROLES; role++) {
                const struct bytes *was = &combination->files[role];
                struct bytes is = scratch_read(&scratch, role_names[role]);

                wanted += was->data != NULL;
                same = same && !was->data == !is.data && was->size == is.size &&
                       (is.size == 0 || memcmp(was->data, is.data, is.size) == 0);
                bytes_deinit(&is);
        }
        close(scratch.dirfd);
        return same && n == wanted + 2;
}
