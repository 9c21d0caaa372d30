/*
 * In the source an open waits until a file server has given back its lease. Here it is parked and tried
 * again, since a thread that waits would be missing to everybody else.
 *
 * Invariant: the request is replied to by later.c's thread alone; an interrupt only notes that it is not
 * wanted any more (see database.c on what an interrupt function may not do).
 */
#include "fs/patient.h"

#include <errno.h>

#include "fs/file.h"

struct patient {
        struct later later;
        struct fs *fs;
        fuse_req_t req;
        struct node *node; /* a reference */
        struct fuse_file_info fi;
        atomic_bool interrupted;
};

static void on_interrupt(fuse_req_t req, void *userdata) {
        struct patient *patient = userdata;

        atomic_store(&patient->interrupted, true);
}

static void again(struct later *later) {
        struct patient *patient = container_of(later, struct patient, later);
        struct fs *fs = patient->fs;
        struct handle *handle = NULL;
        int r;

        if (fs_is_closing(fs))
                r = -ENOTCONN;
        else if (atomic_load(&patient->interrupted))
                r = -EINTR;
        else
                r = file_open_ordinary(fs, patient->node, &handle);
        if (r == -EAGAIN) {
                later_do(&fs->laters, later, again);
                return;
        }
        mutex_assert_none_held();
        fuse_req_interrupt_func(patient->req, NULL, NULL);
        if (r < 0)
                fs_reply(patient->req, r);
        else
                file_reply_open(fs, patient->req, &patient->fi, handle);
        node_unref(&fs->nodes, patient->node);
        free(patient);
}

void patient_open(struct fs *fs, fuse_req_t req, struct node *node, const struct fuse_file_info *fi) {
        struct patient *patient = malloc(sizeof(*patient));

        mutex_assert_none_held();
        if (!patient) {
                fs_reply(req, -ENOMEM);
                return;
        }
        *patient = (struct patient){ .fs = fs, .req = req, .node = node_ref(&fs->nodes, node), .fi = *fi };
        fuse_req_interrupt_func(req, on_interrupt, patient);
        later_do(&fs->laters, &patient->later, again);
}
