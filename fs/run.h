/* Running a command that sees consistent mirrors in place of directories. */
#pragma once

#include "fs/options.h"

/*
 * Runs options->command, and returns the exit status: the command's own (128 + n when signal n ended it, 126
 * and 127 when it could not be run); RUN_INCOMPLETE instead of 0 when a database could not be served and
 * options->strict; 1 after a message when it did not come to that.
 */
int run_command(struct options *options);

/* EX_TEMPFAIL of <sysexits.h>: try again. */
#define RUN_INCOMPLETE 75
