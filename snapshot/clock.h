/*
 * What a file's times prove. Two equal stats prove that the file was not written in between only if a write
 * after the first would have left another time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/*
 * How far apart two writes of a file must be to leave different times, in nanoseconds. fd: a descriptor of
 * the file, or -1 where only the stat is known. 0: any write after a stat shows (Linux 6.13 and later on file
 * systems with multigrain timestamps: Documentation/filesystems/multigrain-ts.rst). Otherwise a timer tick,
 * at most 10 ms, doubled; or 2 s where the times have no nanoseconds (ext3, ext4 with inodes of 128 bytes,
 * HFS+, FAT).
 */
uint64_t clock_grain_ns(int fd, const struct stat *st);

/*
 * Whether the newest of the file's times is so near to now that a write could follow which leaves the same. A
 * time in the future is not near: a write now would leave another.
 */
bool clock_unsettled(const struct stat *st, uint64_t grain_ns);

/* How long ago the file was last written, in nanoseconds; 0 for a time in the future. */
uint64_t clock_age_ns(const struct stat *st);
