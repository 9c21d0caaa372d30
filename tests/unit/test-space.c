/* space.c: files without a name, mode 0600, within a budget that is exact at every moment. */
#include "scratch.h"

#include "snapshot/space.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

static void test_budget(void) {
        SCRATCH(scratch);
        struct space space;
        struct space_file a, b, c;

        need(space_init(&space, scratch.path, 1000000) == 0);
        is(space.used, 0, "nothing is used at first");
        is(space_file_init(&a, &space, 600000), 0, "a file of 600000 of 1000000 bytes");
        is(space.used, 600000, "takes as much");
        is(space_file_init(&b, &space, 400001), -ENOSPC, "one byte too many is ENOSPC");
        is(space.used, 600000, "and takes nothing");
        is(space_file_init(&b, &space, 400000), 0, "what is left may be taken to the last byte");
        is(space.used, 1000000, "all of it");
        is(space_file_init(&c, &space, 0), 0, "an empty file takes nothing");
        is(space_file_reserve(&c, 1), -ENOSPC, "but may not grow");
        is(space_file_reserve(&b, 400000), 0, "what is reserved already is");
        is(space_file_reserve(&b, 5), 0, "so is less");
        is(space.used, 1000000, "and both take nothing");
        space_file_deinit(&a);
        is(space.used, 400000, "what is closed is given back");
        is(space_file_reserve(&c, UINT64_MAX), -ENOSPC, "no number wraps around");
        is(space_file_reserve(&c, 600000), 0, "and there is room again");
        space_file_deinit(&b);
        space_file_deinit(&c);
        space_file_deinit(&c);
        is(space.used, 0, "all is given back, once");
        space_deinit(&space);
}

static void test_nameless(void) {
        SCRATCH(scratch);
        struct space space;
        struct space_file file;
        struct statvfs before, after;
        struct stat st;
        uint64_t print;
        mode_t mask = umask(0);

        need(space_init(&space, scratch.path, 0) == 0);
        need(sql(scratch_path(&scratch, "other"), "CREATE TABLE t(a)") == SQLITE_OK);
        print = scratch_print(&scratch);
        need(fstatvfs(scratch.dirfd, &before) == 0);
        is(space_file_init(&file, &space, 64 << 20), 0, "a file");
        need(fstat(file.fd, &st) == 0 && fstatvfs(scratch.dirfd, &after) == 0);
        is(st.st_nlink, 0, "has no name");
        is(st.st_mode, S_IFREG | 0600, "is its owner's alone, whatever the umask");
        is(st.st_size, 0, "is empty");
        ok(st.st_blocks >= (64 << 20) / 512, "has its room");
        ok(fcntl(file.fd, F_GETFD) & FD_CLOEXEC, "is not inherited");
        is(base_pwrite(file.fd, "x", 1, 64 << 20), 0, "and may be written");
        is(scratch_print(&scratch), print, "nothing shows in its directory");
        space_file_deinit(&file);
        umask(mask);
        space_deinit(&space);
}

static void test_init(void) {
        SCRATCH(scratch);
        struct space space;

        is(space_init(&space, scratch_path(&scratch, "none"), 0), -ENOENT, "no directory: ENOENT");
        scratch_write(&scratch, "file", "", 0);
        is(space_init(&space, scratch_path(&scratch, "file"), 0), -ENOTDIR, "not a directory: ENOTDIR");
        need(setenv("TMPDIR", scratch.path, 1) == 0);
        is(space_init(&space, NULL, 0), 0, "none named: TMPDIR's");
        {
                struct stat st = scratch_stat(&scratch, "."), used;

                need(fstat(space.dirfd, &used) == 0);
                ok(st.st_dev == used.st_dev && st.st_ino == used.st_ino, "it is");
        }
        space_deinit(&space);
        need(unsetenv("TMPDIR") == 0);
        is(space_init(&space, NULL, 0), 0, "no TMPDIR: /var/tmp");
        ok(strcmp(space.dir, "/var/tmp") == 0 || access("/var/tmp", W_OK) < 0, "it is");
        space_deinit(&space);
}

/* A file system of 1 MiB. */
static void test_full(void) {
        SCRATCH(scratch);
        struct space space;
        struct space_file a, b;

        if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount("tmpfs", scratch.path, "tmpfs", 0, "size=1m") < 0) {
                tap_skip("mounting is for root", "a full file system");
                return;
        }
        need(space_init(&space, scratch.path, 0) == 0);
        is(space_file_init(&a, &space, 768 << 10), 0, "most of a small file system");
        is(space_file_init(&b, &space, 512 << 10), -ENOSPC,
           "more than is left of it is ENOSPC before a byte is written");
        is(space.used, 768 << 10, "and takes nothing of the budget");
        space_file_deinit(&a);
        is(space_file_init(&b, &space, 512 << 10), 0, "what was closed is room again");
        is(space_file_reserve(&b, (uint64_t)1 << 62), -ENOSPC, "what no file system holds is ENOSPC, too");
        is(space.used, 512 << 10, "and the budget is as before");
        space_file_deinit(&b);
        is(space.used, 0, "all is given back");
        space_deinit(&space);
        umount2(scratch.path, MNT_DETACH);
}

static void *take_and_give(void *userdata) {
        struct space *space = userdata;
        uintptr_t n_over = 0;

        for (unsigned i = 0; i < 200; i++) {
                struct space_file file;

                if (space_file_init(&file, space, 4096 * (1 + i % 5)) < 0)
                        continue;
                space_file_reserve(&file, 8 * 4096);
                mutex_lock(&space->lock);
                n_over += space->used > space->max;
                mutex_unlock(&space->lock);
                space_file_deinit(&file);
        }
        return (void *)n_over;
}

static void test_threads(void) {
        SCRATCH(scratch);
        pthread_t threads[6];
        uintptr_t n_over = 0;
        struct space space;

        need(space_init(&space, scratch.path, 16 * 4096) == 0);
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
                need(pthread_create(&threads[i], NULL, take_and_give, &space) == 0);
        for (size_t i = 0; i < ARRAY_SIZE(threads); i++) {
                void *result;

                pthread_join(threads[i], &result);
                n_over += (uintptr_t)result;
        }
        is(n_over, 0, "six threads are never above the budget");
        is(space.used, 0, "and give all of it back");
        space_deinit(&space);
}

int main(void) {
        base_log_to(tap_log, BASE_LOG_DEBUG);
        test_budget();
        test_nameless();
        test_init();
        test_full();
        test_threads();
        return tap_done();
}
