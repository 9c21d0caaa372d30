/*
 * A tiny producer of the Test Anything Protocol: one line for each claim, the plan at the end. A claim that
 * fails says where; everything is printed by the thread that calls.
 */
#pragma once

#include "snapshot/base.h"

/* Claims pass; the rest is the claim in words. Returns pass. */
bool tap_ok(bool pass, const char *file, int line, const char *format, ...) _printf_(4, 5);
bool tap_is(long long got, long long want, const char *file, int line, const char *format, ...)
        _printf_(5, 6);
/* A claim that cannot be tried here. */
void tap_skip(const char *why, const char *format, ...) _printf_(2, 3);
/* The next claim is known not to hold: it is reported as such, and does not fail the program. */
void tap_todo(const char *why);
void tap_note(const char *format, ...) _printf_(1, 2);
/* Ends the program at once: nothing after this could be judged. */
_Noreturn void tap_bail(const char *file, int line, const char *what);
/* For base_log_to(): messages become diagnostics. */
void tap_log(enum base_level level, const char *message);
/* Prints the plan; the exit status of the program. */
int tap_done(void);

#define ok(pass, ...)      tap_ok((pass), __FILE__, __LINE__, __VA_ARGS__)
#define is(got, want, ...) tap_is((long long)(got), (long long)(want), __FILE__, __LINE__, __VA_ARGS__)
/* What a test needs in order to go on, as opposed to what it claims. */
#define need(condition)    ((condition) ? (void)0 : tap_bail(__FILE__, __LINE__, #condition))
