/* Runs a fuzz target over the files of directories, built by any compiler: what a fuzzer once found stays
 * found. */
#include "fuzz.h"

#include "snapshot/base.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

static int replay(int dirfd, const char *name) {
        _cleanup_(base_closep) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC);
        _cleanup_(base_freep) uint8_t *bytes = NULL;
        struct stat st;

        if (fd < 0 || fstat(fd, &st) < 0)
                return -1;
        if (!S_ISREG(st.st_mode))
                return 0;
        /* Exactly as large as the input, so that a read past its end is seen. */
        bytes = malloc((size_t)st.st_size);
        if (base_pread(fd, bytes, (size_t)st.st_size, 0) != (ssize_t)st.st_size)
                return -1;
        fprintf(stderr, "%s\n", name);
        LLVMFuzzerTestOneInput(bytes, (size_t)st.st_size);
        return 1;
}

int main(int argc, char **argv) {
        unsigned n = 0;

        for (int i = 1; i < argc; i++) {
                DIR *dir = opendir(argv[i]);
                struct dirent *entry;

                while (dir && (entry = readdir(dir))) {
                        int r = replay(dirfd(dir), entry->d_name);

                        if (r < 0) {
                                perror(entry->d_name);
                                return 1;
                        }
                        n += (unsigned)r;
                }
                if (dir)
                        closedir(dir);
        }
        fprintf(stderr, "%u inputs\n", n);
        return n == 0;
}
