/* Openings: made, queued, run until their tickets are answered. */
#pragma once

#include "snapshot/ticket.h"

/* Makes an opening of file, with nobody waiting yet; not in any list. 0 or -errno. */
int opening_new(struct opening **out, struct store *store, const struct store_file *file);
/* Queues it. No lock held. */
void opening_start(struct opening *opening);
