#!/usr/bin/python3
"""The measuring half of scripts/bench: see there."""
import argparse
import csv
import os
import platform
import subprocess
import sys
import time

sys.dont_write_bytecode = True

from figures import FIGURES, ONLY_PLAIN  # noqa: E402
from ground import HERE, Ground  # noqa: E402

EXPLAINED = {
    "copy": "A WAL-mode database with a fortieth of it changed in the live WAL, while a writer commits 50 times a second, copied "
            "by cp from the mount. Against it: sqlite3's .backup and then cp of the result (to read it once is what a backup "
            "does with it); plain cp of the raw file, which is no consistent copy but the least that any copy costs; VACUUM "
            "INTO. For .backup and VACUUM INTO the writer pauses: beside a writer .backup starts again at every commit.",
    "first-byte": "How long the first byte of that database takes, the version being a new one each time.",
    "stall": "A rollback-journal writer cannot commit while a consistent copy is read, whoever makes it. Its longest commit "
             "during each of many copies through the mount, against the time that cp takes for the raw file.",
    "commits": "What a WAL writer that never pauses commits beside copies through the mount that never pause, against the same "
               "beside plain cp; and whether it ever got SQLITE_BUSY because of us.",
    "memory": "The daemon's peak resident memory. Limit: 64 MiB and 1 MiB for each copy.",
    "opens": "open, fstat and close, as borg does with every file on every run: once after mounting, when nothing is known yet, "
             "and again.",
    "cat": "An ordinary file: passed through by the kernel (root, Linux 6.9 or later), and without that.",
    "find": "A walk over a tree of ordinary files with databases among them, after mounting and again, against bindfs, which shows "
            "a tree and does nothing else.",
    "tar": "tar of many small databases, half of them in WAL mode, against a shell loop of sqlite3 .backup, which has not "
           "even begun to archive.",
}


def size(text):
    units = {"K": 10, "M": 20, "G": 30}
    return int(text[:-1]) << units[text[-1]] if text[-1] in units else int(text)


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--program", required=True)
    parser.add_argument("--size", type=size)
    parser.add_argument("--pairs", type=int)
    parser.add_argument("--only", action="append", choices=list(FIGURES))
    parser.add_argument("--on", action="append", choices=["plain", "xfs", "btrfs"])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--dir", default="/var/tmp")
    parser.add_argument("--results", default=None)
    options = parser.parse_args()
    options.program = os.path.abspath(options.program)
    options.size = options.size or (64 << 20 if options.quick else 1 << 30)
    options.pairs = options.pairs or (3 if options.quick else 5)
    options.files, options.count = (2000, 40) if options.quick else (100000, 2000)
    options.window = 1 if options.quick else 3
    options.only = options.only or list(FIGURES)
    options.on = options.on or (["plain", "xfs", "btrfs"] if os.geteuid() == 0 else ["plain"])
    return options


def measure(options):
    """(row, load) of everything asked for."""
    for kind in options.on:
        with Ground(kind, options) as ground:
            for name in FIGURES:
                if name not in options.only or (kind != "plain" and name in ONLY_PLAIN):
                    continue
                for row in FIGURES[name](ground):
                    load = os.getloadavg()[0]
                    print(line(row), flush=True)
                    yield row, load


def shown(row):
    return f"{row.value:.2f}" if row.unit != "times" else f"{row.value:.0f}"


def line(row):
    limit = "" if row.limit is None else f"{'>=' if row.least else '<='} {row.limit:g}"
    return f"{row.ground:6} {shown(row):>8} {row.unit:8} {limit:8} {row.reached:4} {row.what}" + (
        f"  ({row.note})" if row.note else "")


def explain(rows):
    print("\nratio: what is measured : its peer, the median of the pairs; below 1 is faster than the peer. yes/NO: within the limit or not.\n")
    for name, text in EXPLAINED.items():
        if any(row.figure == name for row, _ in rows):
            print(f"{name}: {text}\n")


def write_csv(path, rows, options):
    with open(path, "w", newline="", encoding="utf-8") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["figure", "file_system", "what", "unit", "median", "limit", "reached", "samples", "note", "load", "bytes",
                      "kernel"])
        for row, load in rows:
            limit = "" if row.limit is None else f"{'>=' if row.least else '<='}{row.limit:g}"
            out.writerow([row.figure, row.ground, row.what, row.unit, shown(row), limit, row.reached,
                          " ".join(f"{value:.4g}" for value in row.samples), row.note, f"{load:.1f}", options.size,
                          platform.release()])


def draw(path, rows, options):
    """Seconds to copy the large database, a group of bars for each file system."""
    groups = [(row.ground, row.seconds) for row, _ in rows if row.seconds]
    if not groups:
        return
    titles = {"cp": "cp of the raw file (no consistent copy)", "litesnapfs": "cp through litesnapfs",
              "backup": "sqlite3 .backup, then cp", "vacuum": "VACUUM INTO"}
    colours = {"cp": "#b0b0b0", "litesnapfs": "#2a7ab0", "backup": "#d98c3f", "vacuum": "#c8b560"}
    data = "\n".join(" ".join([name] + [f"{seconds[way]:.3f}" for way in titles]) for name, seconds in groups)
    plots = ", ".join(f"$data using {number + 2}:xtic(1) title '{titles[way]}' lc rgb '{colours[way]}'"
                      for number, way in enumerate(titles))
    script = f"""set terminal svg size 720,400 dynamic font 'sans-serif,13' background rgb 'white'
set output '{path}'
$data << EOD
{data}
EOD
set style data histograms
set style histogram clustered gap 1.5
set style fill solid border -1
set boxwidth 0.9
set yrange [0:*]
set ylabel 'seconds'
set grid ytics lc rgb '#dddddd'
set key bmargin center horizontal maxcols 2 Left reverse samplen 1
set xrange [-0.6:{len(groups) - 0.4}]
set xtics nomirror
set title 'A live SQLite database of {options.size >> 20} MiB, copied (less is better)'
plot {plots}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)


def main():
    options = parse()
    print(f"{options.size >> 20} MiB, {options.pairs} pairs, Linux {platform.release()}, {os.cpu_count()} processors,"
          f" load {os.getloadavg()[0]:.1f}", flush=True)
    begin = time.monotonic()
    rows = list(measure(options))
    explain(rows)
    print(f"{time.monotonic() - begin:.0f} s, load at the end {os.getloadavg()[0]:.1f}")
    if options.results:
        os.makedirs(options.results, exist_ok=True)
        write_csv(os.path.join(options.results, "results.csv"), rows, options)
        draw(os.path.join(options.results, "chart.svg"), rows, options)
        print(f"written to {options.results}: results.csv, chart.svg")


main()
