/* What a process that runs by itself owes others: its descriptors, going to the background, where messages
 * go. */
#pragma once

#include "snapshot/base.h"

/* The first thing of all: opens what is missing of descriptors 0 to 2, so that nothing else takes their
 * numbers. 0 or -errno. */
int daemon_open_standard(void);
/* Sends messages to stderr, ours and libfuse's: the most talkative level that is said. */
void daemon_log_init(enum base_level most);
/*
 * Forks. The parent does not return: it waits for the child to say that it is ready, or to end, and exits
 * accordingly. The child returns 0; its stderr stays the caller's until daemon_ready(). -errno without a
 * child. No thread may exist yet.
 */
int daemon_start(void);
/* The mount serves, from any thread, once: tells the service manager, if there is one; in the background lets
 * the caller go, and sends messages to syslog from now on. */
void daemon_ready(void);
