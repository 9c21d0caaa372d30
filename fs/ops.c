/*
 * The table of requests, what is agreed with the kernel at the start, and the refusal of everything that
 * writes.
 *
 * access is not here: the kernel checks permissions itself (default_permissions, and POSIX ACLs through
 * FUSE_CAP_POSIX_ACL, without which the mode's group bits of a file with an ACL would give away too much).
 * But in a user namespace, where the kernel knows only one user and one group of his, his rights are judged
 * when we open the file as him, and FUSE_CAP_POSIX_ACL would turn default_permissions on.
 */
#include <errno.h>

#include "fs/attr.h"
#include "fs/dir.h"
#include "fs/file.h"
#include "fs/fs.h"
#include "fs/ioctl.h"
#include "fs/xattr.h"

/* Read-ahead that waits for one slow file must leave room for the other files (fact F6). */
#define BACKGROUND_MAX        64
#define BACKGROUND_CONGESTION 48

static void ops_init(void *userdata, struct fuse_conn_info *conn) {
        struct fs *fs = userdata;

        /*
         * Whoever lists a tree here wants to know of each file, but often not in the order of the listing
         * (find and rsync sort), which the kernel's own guess whether READDIRPLUS pays takes for a lack of
         * interest.
         */
        conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
        conn->want |= conn->capable & (FUSE_CAP_SPLICE_WRITE | FUSE_CAP_POSIX_ACL | FUSE_CAP_CACHE_SYMLINKS);
        fs->asked = true;
        if (fs->own_rights)
                conn->want &= ~(unsigned)FUSE_CAP_POSIX_ACL;
        agreement_make(&fs->agreement, conn);
        conn->max_background = BACKGROUND_MAX;
        /* libfuse tells the kernel by this how much it may read at a time. */
        if (conn->max_write > BUFFER_SIZE)
                conn->max_write = BUFFER_SIZE;
        conn->congestion_threshold = BACKGROUND_CONGESTION;
        /* libfuse demands that this is what the mount option says. */
        conn->max_read = fs->max_read;
}

/* ---- everything that writes: the mount is read-only, so the kernel lets hardly any of these through ---- */

static void refuse_setattr(fuse_req_t req, fuse_ino_t ino, struct stat *st, int set,
                           struct fuse_file_info *fi) {
        fs_reply(req, -EROFS);
}

static void refuse_mknod(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode, dev_t dev) {
        fs_reply(req, -EROFS);
}

static void refuse_mkdir(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode) {
        fs_reply(req, -EROFS);
}

static void refuse_name(fuse_req_t req, fuse_ino_t parent, const char *name) {
        fs_reply(req, -EROFS);
}

static void refuse_symlink(fuse_req_t req, const char *link, fuse_ino_t parent, const char *name) {
        fs_reply(req, -EROFS);
}

static void refuse_rename(fuse_req_t req, fuse_ino_t parent, const char *name, fuse_ino_t new_parent,
                          const char *new_name, unsigned flags) {
        fs_reply(req, -EROFS);
}

static void refuse_link(fuse_req_t req, fuse_ino_t ino, fuse_ino_t parent, const char *name) {
        fs_reply(req, -EROFS);
}

static void refuse_create(fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
                          struct fuse_file_info *fi) {
        fs_reply(req, -EROFS);
}

static void refuse_write(fuse_req_t req, fuse_ino_t ino, const char *bytes, size_t size, off_t offset,
                         struct fuse_file_info *fi) {
        fs_reply(req, -EROFS);
}

static void refuse_fallocate(fuse_req_t req, fuse_ino_t ino, int mode, off_t offset, off_t size,
                             struct fuse_file_info *fi) {
        fs_reply(req, -EROFS);
}

static void refuse_setxattr(fuse_req_t req, fuse_ino_t ino, const char *name, const char *value, size_t size,
                            int flags) {
        fs_reply(req, -EROFS);
}

const struct fuse_lowlevel_ops fs_ops = {
        .init = ops_init,
        .lookup = attr_lookup,
        .forget = attr_forget,
        .forget_multi = attr_forget_multi,
        .getattr = attr_getattr,
        .readlink = attr_readlink,
        .statfs = attr_statfs,
        .open = file_open,
        .read = file_read,
        .release = file_release,
        .lseek = file_lseek,
        .ioctl = ioctl_serve,
        .opendir = dir_opendir,
        .readdir = dir_readdir,
        .readdirplus = dir_readdirplus,
        .releasedir = dir_releasedir,
        .getxattr = xattr_get,
        .listxattr = xattr_list,
        .setattr = refuse_setattr,
        .mknod = refuse_mknod,
        .mkdir = refuse_mkdir,
        .unlink = refuse_name,
        .rmdir = refuse_name,
        .symlink = refuse_symlink,
        .rename = refuse_rename,
        .link = refuse_link,
        .create = refuse_create,
        .write = refuse_write,
        .fallocate = refuse_fallocate,
        .setxattr = refuse_setxattr,
        .removexattr = refuse_name,
};
