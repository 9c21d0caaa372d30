/* What view_hold.c needs of view_proof.c. */
#pragma once

#include "snapshot/view.h"

/* Notes the main file as it is now: what view_verify() goes by. 0 or -errno. */
int view_note_main(struct view *view);
/* Whether the index of the pinned WAL shows that its version stands. 0, -ESTALE, -errno. */
int view_verify_index(const struct view *view);
/* Whether a journal is there that undoes something: of a crash, or of a transaction that does not show its
 * lock. 1, 0, -errno. */
int view_journal_is_hot(const struct view *view);
