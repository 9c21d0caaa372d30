#!/usr/bin/python3
"""many-openers.py OUT-DIRECTORY STATE-FILE FILE...: a thread for each FILE opens it and copies it to OUT-DIRECTORY.

STATE-FILE tells, whenever it changes, how many threads are about to open or in open(), and how many have been let in. Exit 1
when one could not copy.
"""
import os
import sys
import threading

out, state = sys.argv[1], sys.argv[2]
lock = threading.Lock()
asked = opened = 0
errors = []


def tell(a, o):
    global asked, opened
    with lock:
        asked += a
        opened += o
        with open(state + ".new", "w", encoding="ascii") as file:
            file.write(f"asked {asked} opened {opened}\n")
        os.rename(state + ".new", state)


def copy(path):
    try:
        tell(1, 0)
        fd = os.open(path, os.O_RDONLY)
        tell(0, 1)
        with open(fd, "rb", buffering=0) as source:
            with open(os.path.join(out, os.path.basename(path)), "wb") as file:
                while data := source.read(1 << 17):
                    file.write(data)
    except OSError as error:
        errors.append(f"{path}: {error}")


os.makedirs(out, exist_ok=True)
threads = [threading.Thread(target=copy, args=(path,)) for path in sys.argv[3:]]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("\n".join(errors))
sys.exit(bool(errors))
