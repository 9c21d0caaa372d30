/*
 * wide-inodes DIRECTORIES FILES MOUNTPOINT: a file system whose inode numbers fill 64 bits, as hashes of
 * paths do (mergerfs), or references with a sequence number (NTFS). So many directories of so many empty
 * files each. Stays in the foreground.
 */
#define FUSE_USE_VERSION 31

#include <errno.h>
#include <fuse.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned directories, files;

static uint64_t number_of(const char *path) {
        uint64_t sum = 7;

        while (*path)
                sum = (sum + (unsigned char)*path++) * UINT64_C(0xd1342543de82ef95) + 1;
        return sum ^ sum >> 32;
}

static int say_attributes(const char *path, struct stat *st, struct fuse_file_info *info) {
        unsigned directory, file;
        int end = 0;

        memset(st, 0, sizeof(*st));
        st->st_ino = number_of(path);
        st->st_nlink = 1;
        if (strcmp(path, "/") == 0 || (sscanf(path, "/%u%n", &directory, &end) == 1 && path[end] == '\0')) {
                st->st_mode = S_IFDIR | 0755;
                st->st_nlink = 2;
                return end > 0 && directory >= directories ? -ENOENT : 0;
        }
        st->st_mode = S_IFREG | 0644;
        if (sscanf(path, "/%u/%u%n", &directory, &file, &end) != 2 || path[end] != '\0')
                return -ENOENT;
        return directory < directories && file < files ? 0 : -ENOENT;
}

static int list(const char *path, void *buffer, fuse_fill_dir_t fill, off_t offset,
                struct fuse_file_info *info, enum fuse_readdir_flags flags) {
        bool root = strcmp(path, "/") == 0;
        char name[16], whole[64];
        struct stat st;

        fill(buffer, ".", NULL, 0, 0);
        fill(buffer, "..", NULL, 0, 0);
        for (unsigned i = 0; i < (root ? directories : files); i++) {
                snprintf(name, sizeof(name), "%u", i);
                snprintf(whole, sizeof(whole), "%s/%s", root ? "" : path, name);
                say_attributes(whole, &st, NULL);
                fill(buffer, name, &st, 0, 0);
        }
        return 0;
}

static void *start(struct fuse_conn_info *connection, struct fuse_config *config) {
        config->use_ino = 1;
        return NULL;
}

int main(int argc, char **argv) {
        static const struct fuse_operations operations = { .getattr = say_attributes,
                                                           .readdir = list,
                                                           .init = start };
        char *args[] = { argv[0], argc == 4 ? argv[3] : NULL, (char *)"-f", NULL };

        if (argc != 4)
                return EXIT_FAILURE;
        directories = (unsigned)atoi(argv[1]);
        files = (unsigned)atoi(argv[2]);
        return fuse_main(3, args, &operations, NULL);
}
