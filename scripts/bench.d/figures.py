"""The figures: what is measured, against what, and the limit that it has to keep."""
import contextlib
import os
import statistics
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field

from ground import Writer, make_big, make_small, make_tree, run, timed, wait_for, warm, warm_memory

MIB = 1 << 20
REFLINK = ("xfs", "btrfs")


@dataclass
class Row:
    figure: str
    ground: str
    what: str  # what is compared with what
    unit: str  # of samples: "ratio", "ms", "MiB", ...
    samples: list
    limit: float = None
    least: bool = False  # the limit is a lower one
    note: str = ""
    seconds: dict = field(default_factory=dict)  # medians of what was compared, for the chart

    @property
    def value(self):
        return statistics.median(self.samples) if self.samples else None

    @property
    def reached(self):
        if self.limit is None or self.value is None:
            return ""
        good = self.value >= self.limit if self.least else self.value <= self.limit
        return "yes" if good else "NO"


def ratios(a, b):
    return [x / y for x, y in zip(a, b)]


def medians(times):
    return {name: statistics.median(values) for name, values in times.items()}


def turns(ways, rounds, memory=0):
    """Runs all ways in turns, forwards and backwards, after one round that only warms; each finds that much memory at hand.
    {name: [what it returned]}"""
    results = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name in list(ways)[::-1 if number % 2 else 1]:
            if memory > 0:
                warm_memory(memory)
            result = ways[name]()
            if number > 0:
                results[name].append(result)
    return results


def big_of(ground, journal):
    """The large database of this ground, in WAL or rollback mode; made once."""
    path = ground.path("source", f"big-{journal}.db")
    if not os.path.exists(path):
        make_big(path, ground.options.size, journal)
    warm(path)
    return path


class Repeated:
    """Does something again and again in another thread while the with block lasts. spans: [begin, end] of each."""

    def __init__(self, what):
        self.what = what
        self.spans = []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.go)

    def go(self):
        while not self.over.is_set():
            begin = time.monotonic()
            self.what()
            self.spans.append([begin, time.monotonic()])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


# ---- one large database ------------------------------------------------------------------------------------------


def copy_to(ground, source):
    with ground.fresh("copy") as out:
        return timed("cp", "--reflink=never", source, out)


def backup_and_copy(ground, source):
    with ground.fresh("backup") as backup, ground.fresh("copy") as out:
        begin = time.perf_counter()
        run("sqlite3", source, f".backup {backup}")
        run("cp", "--reflink=never", backup, out)
        return time.perf_counter() - begin


def vacuum_into(ground, source):
    with ground.fresh("vacuum") as out:
        return timed("sqlite3", source, f"VACUUM INTO '{out}'")


def backup_beside_writer(ground, source):
    """Whether .backup ends at all while the writer commits; bounded."""
    with ground.fresh("backup") as out:
        try:
            run("sqlite3", source, f".backup {out}", timeout=20)
            return "ended"
        except subprocess.TimeoutExpired:
            return "had not ended after 20 s"


def copy(ground):
    """cp of a live database."""
    options, source = ground.options, big_of(ground, "wal")
    changed = options.size // 40

    def paused(way):
        def go():
            writer.halt()
            try:
                return way(ground, source)
            finally:
                writer.tell("go", 50)
        return go

    with Writer(source) as writer, ground.mount() as mount:
        writer.tell("spread", changed)
        writer.hold()
        writer.tell("go", 50)

        def ours():
            return copy_to(ground, os.path.join(mount.path, "big-wal.db"))

        # Apart from the others, whose syncs leave the disk something to do.
        raw = turns({"litesnapfs": ours, "cp": lambda: copy_to(ground, source)}, 2 * options.pairs, 2 * options.size)
        slow = turns({"litesnapfs": ours, "backup": paused(backup_and_copy), "vacuum": paused(vacuum_into)}, options.pairs,
                     3 * options.size)
        beside = backup_beside_writer(ground, source)
        wal = os.stat(source + "-wal").st_size / MIB
    seconds = medians(slow | raw)
    note = ", ".join(f"{name} {value:.2f} s" for name, value in seconds.items())
    fast = ground.kind in REFLINK
    yield Row("copy", ground.name, "cp MOUNT/big.db : .backup + cp", "ratio", ratios(slow["litesnapfs"], slow["backup"]),
              0.35 if fast else 0.45, note=f"beside the writer .backup {beside}", seconds=seconds)
    yield Row("copy", ground.name, "cp MOUNT/big.db : cp of the raw file", "ratio", ratios(raw["litesnapfs"], raw["cp"]),
              1.5 if fast else 2.5, note=f"{note}; WAL at the end {wal:.0f} MiB")
    yield Row("copy", ground.name, "cp MOUNT/big.db : VACUUM INTO", "ratio", ratios(slow["litesnapfs"], slow["vacuum"]))


def first_byte(ground):
    """open() and the first 4 KiB, each time of a new version."""
    source = big_of(ground, "wal")
    samples = []
    with Writer(source) as writer, ground.mount() as mount:
        writer.tell("spread", ground.options.size // 40)
        writer.hold()
        writer.tell("go", 50)
        for number in range(4 * ground.options.pairs + 1):
            writer.tell("commit")
            writer.hold()
            begin = time.perf_counter()
            fd = os.open(os.path.join(mount.path, "big-wal.db"), os.O_RDONLY)
            os.pread(fd, 4096, 0)
            taken = 1000 * (time.perf_counter() - begin)
            os.close(fd)
            if number > 0:
                samples.append(taken)
    yield Row("first-byte", ground.name, "open + read of 4 KiB", "ms", samples, 50 if ground.kind in REFLINK else 20,
              note=f"slowest {max(samples):.1f} ms")


def quantile(values, q):
    values = sorted(values)
    return values[min(len(values) - 1, int(q * len(values)))]


def stall(ground):
    """How long a rollback-mode writer has to wait for our SHARED lock: the longest commit during each copy."""
    options, source = ground.options, big_of(ground, "delete")
    with Writer(source) as writer, ground.mount("busy_timeout=60000") as mount:

        def beside_writer():
            writer.tell("go", 0)
            copy_to(ground, os.path.join(mount.path, "big-delete.db"))
            return max((end - begin for begin, end in writer.halt()["stalls"]), default=0)

        times = turns({"waits": beside_writer, "cp": lambda: copy_to(ground, source)}, 3 * options.pairs, 2 * options.size)
    waits, base = times["waits"], statistics.median(times["cp"])
    for name, wait in (("p50", quantile(waits, 0.5)), ("p90", quantile(waits, 0.9)), ("max", max(waits))):
        yield Row("stall", ground.name, f"rollback writer's longest commit per copy, {name} : cp of the raw file", "ratio",
                  [wait / base], note=f"{1000 * wait:.0f} ms : {1000 * base:.0f} ms, {len(waits)} copies")


def commits(ground):
    """What a WAL writer that never pauses gets done beside copies that never pause."""
    options, source = ground.options, big_of(ground, "wal")
    with Writer(source) as writer, ground.mount() as mount:

        def beside(path):
            with Repeated(lambda: copy_to(ground, path)) as copies:
                wait_for(lambda: copies.spans, "a copy")
                writer.tell("go", 0)
                time.sleep(options.window)
                return writer.halt()

        told = turns({"litesnapfs": lambda: beside(os.path.join(mount.path, "big-wal.db")), "cp": lambda: beside(source)},
                     2 * options.pairs, 2 * options.size)
    rates = {name: [each["commits"] / each["seconds"] for each in values] for name, values in told.items()}
    busy = sum(each["busy"] for each in told["litesnapfs"])
    values = medians(rates)
    note = ", ".join(f"beside {name} {value:.0f}/s" for name, value in values.items())
    yield Row("commits", ground.name, "WAL commits/s beside cp MOUNT/big.db : beside cp of the raw file", "ratio",
              ratios(rates["litesnapfs"], rates["cp"]), 0.9, least=True, note=note)
    yield Row("commits", ground.name, "SQLITE_BUSY seen by the WAL writer", "times", [busy], 0)


def memory(ground):
    """The daemon's peak while several copies of different versions run at once."""
    source, count = big_of(ground, "wal"), 4
    with Writer(source) as writer, ground.mount("linger=0") as mount, contextlib.ExitStack() as stack:
        writer.tell("spread", ground.options.size // 40)
        mirrored = os.path.join(mount.path, "big-wal.db")
        files = []
        for _ in range(count):
            writer.tell("commit")
            writer.hold()
            files.append(stack.enter_context(open(mirrored, "rb", buffering=0)))
        threads = [threading.Thread(target=lambda file=file: [None for _ in iter(lambda: file.read(MIB), b"")])
                   for file in files]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        yield Row("memory", ground.name, f"peak RSS, {count} copies at once", "MiB", [mount.peak_mib()], 64 + count)


# ---- many small ones ------------------------------------------------------------------------------------------------


def open_all(paths):
    begin = time.perf_counter()
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        os.fstat(fd)
        os.close(fd)
    return 1000 * (time.perf_counter() - begin) / len(paths)


def opens(ground):
    """What borg does with each file on each run."""
    count = ground.options.count // 2
    for kind in ("rollback", "WAL, closed", "WAL, in use"):
        directory = ground.path(f"opens-{kind.split()[-1]}")
        os.mkdir(directory)
        for number in range(count):
            make_small(os.path.join(directory, f"{number}.db"), "delete" if kind == "rollback" else "wal")
        first, again = [], []
        with contextlib.ExitStack() as stack:
            names = sorted(os.listdir(directory))
            if kind == "WAL, in use":
                keeper = os.path.join(os.path.dirname(os.path.abspath(__file__)), "keep-open.py")
                process = stack.enter_context(subprocess.Popen(
                    ["/usr/bin/python3", keeper, directory], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True))
                process.stdout.readline()
            for number in range(ground.options.pairs + 1):
                with ground.mount(source=os.path.basename(directory)) as mount:
                    paths = [os.path.join(mount.path, name) for name in names]
                    times = [open_all(paths), open_all(paths)]
                if number > 0:
                    first.append(times[0])
                    again.append(times[1])
        yield Row("opens", ground.name, f"open + fstat + close, {count} databases ({kind}), first time", "ms each", first, 1)
        yield Row("opens", ground.name, f"open + fstat + close, {count} databases ({kind}), again", "ms each", again, 1)
        run("rm", "-rf", directory)


def tree_of(ground):
    path = ground.path("tree")
    if not os.path.exists(path):
        os.mkdir(path)
        make_tree(path, ground.options.files, ground.options.count)
    return path


def find(ground):
    """A walk that looks at every file."""
    tree = tree_of(ground)

    def walk(path):
        return timed("find", path, "-printf", "%s %T@\n")

    def mounted(name, make):
        def go():
            with make() as mount:
                times = walk(mount.path), walk(mount.path)
            again[name].append(times[1])
            return times[0]
        return go

    again = {"litesnapfs": [], "bindfs": []}
    times = turns({"litesnapfs": mounted("litesnapfs", lambda: ground.mount(source="tree")),
                   "bindfs": mounted("bindfs", lambda: ground.bindfs("tree")), "plain": lambda: walk(tree)}, ground.options.pairs)
    second = {name: values[1:] for name, values in again.items()}
    what = f"find -printf '%s %T@', {ground.options.files} files"
    yield Row("find", ground.name, f"{what}, first walk : bindfs", "ratio", ratios(times["litesnapfs"], times["bindfs"]), 1.0,
              note=", ".join(f"{name} {value:.2f} s" for name, value in medians(times).items()))
    yield Row("find", ground.name, f"{what}, second walk : bindfs", "ratio",
              ratios(second["litesnapfs"], second["bindfs"]), 1.0,
              note=", ".join(f"{name} {value:.2f} s" for name, value in medians(second).items()))


def tar(ground):
    """A backup of many small databases."""
    count, directory = ground.options.count, ground.path("many")
    os.mkdir(directory)
    for number in range(count):
        make_small(os.path.join(directory, f"{number}.db"), "wal" if number % 2 else "delete")

    def archive():
        with ground.mount(source="many") as mount:
            return timed("sh", "-c", 'tar cf - -C "$1" . | cat', "sh", mount.path)

    def loop():
        with tempfile.TemporaryDirectory(dir=ground.path("out")) as out:
            return timed("sh", "-c", 'cd "$1" && for f in *.db; do sqlite3 "$f" ".backup $2/$f"; done', "sh", directory, out)

    times = turns({"litesnapfs": archive, "backup": loop}, ground.options.pairs)
    yield Row("tar", ground.name, f"tar cf - of {count} databases of 100 KiB : loop of sqlite3 .backup", "ratio",
              ratios(times["litesnapfs"], times["backup"]), 0.35,
              note=", ".join(f"{name} {value:.2f} s" for name, value in medians(times).items()))
    run("rm", "-rf", directory)


# ---- an ordinary file -------------------------------------------------------------------------------------------------


def cat(ground):
    """An ordinary file, with and without the kernel's passthrough."""
    os.mkdir(ground.path("plain"))
    path = ground.path("plain", "file")
    run("head", "-c", str(ground.options.size), "/dev/zero", stdout=open(path, "wb"))
    run("sync", path)
    told = subprocess.run([ground.options.program, "-h"], capture_output=True, text=True, check=True).stdout

    def through(*options):
        def go():
            with ground.mount(*options, source="plain") as mount:
                os.stat(os.path.join(mount.path, "file"))
                return read(os.path.join(mount.path, "file"))
        return go

    def read(path):
        return timed("cat", path)

    ways = {"raw": lambda: read(path)}
    if "passthrough" in told:
        ways |= {"auto": through("passthrough=auto"), "off": through("passthrough=off")}
    else:
        ways["off"] = through()
    warm(path)
    times = turns(ways, ground.options.pairs, ground.options.size)
    note = ", ".join(f"{name} {value:.2f} s" for name, value in medians(times).items())
    if "auto" in times and os.geteuid() == 0:
        yield Row("cat", ground.name, "cat of an ordinary file, passthrough=auto : raw", "ratio",
                  ratios(times["auto"], times["raw"]), 1.1, note=note)
    yield Row("cat", ground.name, "cat of an ordinary file without passthrough : raw", "ratio",
              ratios(times["off"], times["raw"]), 3, note=note)
    os.unlink(path)


FIGURES = {"copy": copy, "first-byte": first_byte, "stall": stall, "commits": commits, "memory": memory, "opens": opens,
           "cat": cat, "find": find, "tar": tar}
ONLY_PLAIN = ("opens", "cat", "find", "tar")  # the file system below makes no difference worth the time
