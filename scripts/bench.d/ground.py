"""What the figures stand on: file systems, databases, mounts, writers."""
import contextlib
import json
import mmap
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
PAGE = 4096
ROW = 3600  # one row fills a page, so that a change of one row is a change of one page


def run(*command, **options):
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, **options)


def timed(*command, **options):
    begin = time.perf_counter()
    run(*command, stdout=subprocess.DEVNULL, **options)
    return time.perf_counter() - begin


def wait_for(condition, what):
    end = time.monotonic() + 60
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"bench: waited in vain for {what}")
        time.sleep(0.01)


def file_system_of(path):
    return subprocess.run(["stat", "-f", "-c", "%T", path], check=True, capture_output=True, text=True).stdout.strip()


# ---- databases ---------------------------------------------------------------------------------------------------


def make_big(path, size, journal):
    """A database of that size, one row to a page."""
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(f"PRAGMA page_size={PAGE}; PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN;"
                     "CREATE TABLE t(id INTEGER PRIMARY KEY, stamp INTEGER, body BLOB);"
                     "WITH RECURSIVE k(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM k"
                     f" WHERE i < {size // PAGE}) INSERT INTO t SELECT i, 0, randomblob({ROW}) FROM k; COMMIT;"
                     f"PRAGMA journal_mode={journal}")
    db.close()
    run("sync", path)


def make_small(path, journal, size=100 << 10):
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript("PRAGMA synchronous=OFF; BEGIN; CREATE TABLE t(id INTEGER PRIMARY KEY, stamp INTEGER, body BLOB);"
                     "WITH RECURSIVE k(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM k"
                     f" WHERE i < {size // PAGE - 2}) INSERT INTO t SELECT i, 0, randomblob({ROW}) FROM k; COMMIT;"
                     f"PRAGMA journal_mode={journal}")
    db.close()


def make_tree(directory, files, databases):
    """So many ordinary files in directories of a hundred, and the databases spread over them."""
    patterns = []
    for journal in ("delete", "wal"):
        patterns.append(os.path.join(os.path.dirname(directory), f"pattern-{journal}"))
        make_small(patterns[-1], journal)
    for number in range(0, files, 100):
        folder = os.path.join(directory, f"{number // 10000:02}", f"{number // 100 % 100:02}")
        os.makedirs(folder)
        for name in range(100):
            with open(os.path.join(folder, f"file-{name:02}"), "w", encoding="ascii") as file:
                file.write("an ordinary file\n")
        for name in range(databases * 100 // files):
            shutil.copyfile(patterns[name % 2], os.path.join(folder, f"data-{name:02}.db"))
    run("sync", "-f", directory)


def warm(path):
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 20):
            pass


def warm_memory(size):
    """Has so much free memory at hand. A virtual machine may give free pages back to its host (free page reporting), every two
    seconds; to get them again costs it a second or two for each GiB, whoever happens to be measured then."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE
    mmap.mmap(-1, size, flags=flags).close()


# ---- what runs -----------------------------------------------------------------------------------------------------


class Writer:
    """See writer.py."""

    def __init__(self, path):
        self.process = subprocess.Popen([sys.executable, os.path.join(HERE, "writer.py"), path], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.answer()

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise SystemExit("bench: a writer died")
        return line

    def tell(self, *words):
        print(*words, file=self.process.stdin, flush=True)

    def hold(self):
        self.tell("hold")
        self.answer()

    def halt(self):
        self.tell("halt")
        return json.loads(self.answer())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class Mount:
    """A litesnapfs, or any other file system that a program serves on a directory."""

    def __init__(self, command, directory, log):
        os.makedirs(directory, exist_ok=True)
        self.path = directory
        device = os.stat(directory).st_dev
        with open(log, "a", encoding="utf-8") as file:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file)
        wait_for(lambda: self.process.poll() is not None or os.stat(directory).st_dev != device, command[0])
        if self.process.poll() is not None:
            with open(log, encoding="utf-8") as file:
                raise SystemExit(f"bench: {' '.join(command)}: {file.read()}")

    def peak_mib(self):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if os.geteuid() == 0:
            run("umount", self.path)
        else:
            run("fusermount3", "-u", self.path)
        self.process.wait()


class Ground:
    """A file system to measure on: a fresh directory, on the disk or in a loop mount, gone afterwards."""

    def __init__(self, kind, options):
        self.kind = kind
        self.options = options
        self.base = os.path.join(options.dir, f"litesnapfs-bench.{os.getpid()}.{kind}")
        self.dir = os.path.join(self.base, "fs")

    def __enter__(self):
        os.makedirs(self.dir)
        self.name = file_system_of(self.dir) if self.kind == "plain" else self.kind
        self.name = "ext4" if self.name == "ext2/ext3" else self.name
        try:
            if self.kind != "plain":
                image = os.path.join(self.base, "image")
                run("truncate", "-s", str((4 << 30) + 10 * self.options.size), image)
                run(f"mkfs.{self.kind}", *(["-q", "-m", "reflink=1"] if self.kind == "xfs" else ["-q"]), image, stdout=subprocess.DEVNULL)
                run("mount", "-o", "loop", image, self.dir)
            for name in ("source", "mount", "snapshots", "out"):
                os.mkdir(os.path.join(self.dir, name))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        if os.path.ismount(self.dir):
            run("umount", self.dir)
        shutil.rmtree(self.base)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    @contextlib.contextmanager
    def fresh(self, name):
        """A path for one result, which is gone afterwards, before the disk has to take it."""
        path = self.path("out", f"{name}-{random.randrange(1 << 30)}")
        try:
            yield path
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)

    def mount(self, *options, source="source"):
        command = [self.options.program, "-f", "-o", f"snapshot_dir={self.path('snapshots')}"]
        for option in options:
            command += ["-o", option]
        return Mount([*command, self.path(source), self.path("mount")], self.path("mount"), self.path("log"))

    def bindfs(self, source):
        return Mount(["bindfs", "-f", "-r", self.path(source), self.path("bindfs")], self.path("bindfs"),
                     self.path("log"))
