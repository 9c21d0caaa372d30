/* Going to the background, and where messages go. */
#pragma once

#include "snapshot/base.h"

/* Sends messages to stderr, ours and libfuse's; debugging ones too when debug is set. */
void daemon_log_init(bool debug);
/*
 * Forks. The parent does not return: it waits for the child to say that it is ready, or to end, and exits
 * accordingly. The child returns 0; its stderr stays the caller's until daemon_ready(). -errno without a
 * child. No thread may exist yet.
 */
int daemon_start(void);
/* The child, from any thread, once: lets the caller go, and sends messages to syslog from now on. */
void daemon_ready(void);
