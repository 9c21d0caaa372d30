#!/usr/bin/python3
"""The clocks and the copying of litesnapfs-paced, which a case sets by the file $PACE (see cases/paced.c).

pace.py hold OFFSET | is_held | free
"""
import mmap
import os
import sys
import time

MONOTONIC, REALTIME, HOLD_AT, WAITING = range(4)
SECOND = 10 ** 9


class Pace:
    def __init__(self, path=None):
        with open(path or os.environ["PACE"], "r+b") as file:
            self.numbers = memoryview(mmap.mmap(file.fileno(), 32)).cast("q")

    def stand_still(self):
        """From now on time only passes by move()."""
        self.numbers[MONOTONIC] = time.monotonic_ns()

    def move(self, seconds):
        self.numbers[MONOTONIC] += int(seconds * SECOND)

    def set_time_of_day(self, ns):
        """It stands still there."""
        self.numbers[REALTIME] = ns

    def hold(self, offset):
        """No file is written from this offset on, until there is another or free() is called."""
        self.numbers[HOLD_AT] = offset

    def is_held(self):
        """Whether something is to be written there."""
        return self.numbers[WAITING] > 0

    def free(self):
        self.numbers[HOLD_AT] = 0

    def creep(self, over, step=1 << 20):
        """Goes on by small steps, and gives what stops the copying time to come, until it is over; at the end or before."""
        while self.numbers[HOLD_AT] < 1 << 40:
            end = time.monotonic() + 0.1
            while time.monotonic() < end:
                if over():
                    self.free()
                    return
                time.sleep(0.002)
            self.numbers[HOLD_AT] += step


def main():
    pace, verb = Pace(), sys.argv[1]
    if verb == "hold":
        pace.hold(int(sys.argv[2]))
    elif verb == "is_held":
        sys.exit(not pace.is_held())
    elif verb == "free":
        pace.free()
    else:
        raise SystemExit(__doc__)


if __name__ == "__main__":
    main()
