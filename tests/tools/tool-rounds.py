#!/usr/bin/python3
"""Rounds of {an application commits, a backup tool runs}: does the tool miss a commit, does it read what did not change?

tool-rounds.py TOOL rounds SOURCE MOUNT WORK --rounds N [--seed S]
tool-rounds.py TOOL quiet SOURCE MOUNT WORK
TOOL: rsync, cp, tar, borg, restic. rounds: after each round in which the writer stood still until the second of its last
commit was over, what the tool restores must hold the tables of the source, and of databases that have not changed since
the last such run the tool must have read none. quiet: nothing has changed since, so a run must transfer nothing.
"""
import argparse
import concurrent.futures
import contextlib
import hashlib
import json
import os
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import time

# Until then what lstat says of a commit may be told coarsely (the rule of the current second).
SETTLED = 1.03
BLOB = 700


def digest(connection):
    """Table by table, what a database holds; the connection's own state, so only between its commits."""
    connection.text_factory = bytes
    tables = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").fetchall()
    answer = {}
    for (table,) in tables:
        name = table.decode()
        rows = connection.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall()
        answer[name] = f"{len(rows)} rows {hashlib.sha256(repr(rows).encode()).hexdigest()[:16]}"
    return answer


class Application:
    """One database and the program that writes to it."""

    def __init__(self, path, journal, dice):
        self.path, self.journal, self.dice = path, journal, dice
        self.connection = None
        self.moved = time.time()  # when its file or its WAL last changed
        self.start()
        if journal == "wal":
            self.connection.execute("PRAGMA wal_autocheckpoint=0")
        for table in ("small", "big"):
            self.connection.execute(f"CREATE TABLE {table}(id INTEGER PRIMARY KEY, x BLOB)")
        self.connection.execute("BEGIN")
        for i in range(60):
            self.connection.execute("INSERT INTO small VALUES(?, ?)", (i, self.blob(20)))
            self.connection.execute("INSERT INTO big VALUES(?, ?)", (i, self.blob(BLOB)))
        self.commit()

    def blob(self, size):
        return bytes(self.dice.getrandbits(8) for _ in range(size))

    def start(self):
        if self.connection is None:
            # The commits during a run are another thread's; the two take turns.
            self.connection = sqlite3.connect(self.path, isolation_level=None, timeout=60, check_same_thread=False)
            self.connection.execute(f"PRAGMA journal_mode={self.journal}")
            if self.journal == "wal":
                self.connection.execute("PRAGMA wal_autocheckpoint=0")

    def stop(self):
        if self.connection is not None:
            with self.watched():
                self.connection.close()
            self.connection = None

    @contextlib.contextmanager
    def watched(self):
        """A checkpoint, perhaps: if it writes to the main file, that counts as a change; else it must not."""
        before = os.stat(self.path).st_mtime_ns
        yield
        if os.stat(self.path).st_mtime_ns != before:
            self.moved = time.time()

    def commit(self):
        self.connection.execute("COMMIT")
        self.moved = time.time()
        self.holds = digest(self.connection)

    def change(self):
        """One commit: mostly in place, so that the size stays; some grow the file."""
        self.start()
        self.connection.execute("BEGIN IMMEDIATE")
        for _ in range(self.dice.randint(1, 3)):
            table, size = self.dice.choice((("small", 20), ("big", BLOB)))
            self.connection.execute(f"UPDATE {table} SET x = ? WHERE id = ?", (self.blob(size), self.dice.randrange(60)))
        if self.dice.random() < 0.1:
            for _ in range(20):
                self.connection.execute("INSERT INTO big(x) VALUES(?)", (self.blob(BLOB),))
        self.commit()

    def disturb(self):
        """What may follow a commit: nothing, so that a WAL keeps it; a checkpoint; the end of the program; its restart."""
        what = self.dice.choice(("nothing", "nothing", "PASSIVE", "TRUNCATE", "stop", "restart"))
        if what in ("PASSIVE", "TRUNCATE") and self.journal == "wal":
            with self.watched():
                self.connection.execute(f"PRAGMA wal_checkpoint({what})").fetchall()
        elif what in ("stop", "restart"):
            self.stop()
            if what == "restart":
                self.start()
        return what

    def visit(self):
        """Somebody reads it: no commit. Nothing of it may be read by the tool because of that."""
        visitor = sqlite3.connect(self.path, timeout=60)
        visitor.execute("SELECT count(*) FROM big").fetchall()
        visitor.close()


def run(*command, ok=(0,), **how):
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **how)
    if result.returncode not in ok:
        raise SystemExit(f"{' '.join(command)} ended with {result.returncode}:\n{result.stdout}")
    return result.stdout


class Rsync:
    def __init__(self, mount, work):
        self.mount, self.copy = mount, os.path.join(work, "copy")

    def backup(self):
        """Runs it; the names whose contents it read."""
        said = run("rsync", "-a", "--delete", "--itemize-changes", self.mount + "/", self.copy + "/")
        self.said = said
        return {line.split(" ", 1)[1] for line in said.splitlines() if line.startswith(">f")}

    def restore(self):
        return self.copy

    def nothing(self):
        return self.said == ""


class Cp(Rsync):
    def backup(self):
        # Older than what it reads is what cp -u copies; its own clock does not count.
        os.makedirs(self.copy, exist_ok=True)
        self.said = run("cp", "-auv", self.mount + "/.", self.copy)
        return {os.path.relpath(line.split("' -> '")[1].rstrip("'"), self.copy)
                for line in self.said.splitlines() if "' -> '" in line and not line.endswith("/.'")}


class Tar:
    def __init__(self, mount, work):
        self.mount, self.work = mount, work
        self.copy = os.path.join(work, "copy")
        os.makedirs(self.copy, exist_ok=True)

    def backup(self):
        archive = os.path.join(self.work, "increment.tar")
        said = run("tar", "--create", "--file", archive, "--listed-incremental", os.path.join(self.work, "increments"),
                   "--no-check-device", "--directory", self.mount, ".")
        if said:
            raise SystemExit(f"tar said: {said}")
        self.said = {name[2:] for name in run("tar", "--list", "--file", archive).splitlines() if not name.endswith("/")}
        run("tar", "--extract", "--file", archive, "--listed-incremental", "/dev/null", "--directory", self.copy)
        return self.said

    def restore(self):
        return self.copy

    def nothing(self):
        return not self.said


class Borg:
    def __init__(self, mount, work):
        self.mount, self.work = mount, work
        self.repository = os.path.join(work, "borg")
        self.newest = "newest"
        self.env = dict(os.environ, HOME=work, BORG_BASE_DIR=work, BORG_UNKNOWN_UNENCRYPTED_REPO_ACCESS_IS_OK="yes",
                        BORG_RELOCATED_REPO_ACCESS_IS_OK="yes")
        if not os.path.exists(self.repository):
            run("borg", "init", "--encryption=none", self.repository, env=self.env)

    def backup(self):
        self.name = f"run-{time.time_ns()}"
        said = run("borg", "create", "--list", "--compression=none", f"{self.repository}::{self.name}", ".",
                   cwd=self.mount, env=self.env)
        self.said = [line.split(" ", 1) for line in said.splitlines()]
        for status, name in self.said:
            if status not in "AMUdsh":
                raise SystemExit(f"borg said: {status} {name}")
        return {name for status, name in self.said if status in "AM"} - {self.newest}

    def restore(self):
        copy = os.path.join(self.work, "copy")
        shutil.rmtree(copy, ignore_errors=True)
        os.mkdir(copy)
        run("borg", "extract", f"{self.repository}::{self.name}", cwd=copy, env=self.env)
        return copy

    def nothing(self):
        return all(status in "Uds" for status, name in self.said if name != self.newest)


class Restic:
    def __init__(self, mount, work):
        self.mount, self.work = mount, work
        self.env = dict(os.environ, HOME=work, RESTIC_PASSWORD="secret", RESTIC_REPOSITORY=os.path.join(work, "restic"),
                        RESTIC_CACHE_DIR=os.path.join(work, "cache"), RESTIC_PROGRESS_FPS="0")
        if not os.path.exists(self.env["RESTIC_REPOSITORY"]):
            run("restic", "init", env=self.env)

    def backup(self):
        said = run("restic", "backup", "--verbose=2", "--host=here", self.mount, env=self.env)
        self.said = said
        listed = re.findall(r"^(new|modified) +(\S.*?[^/]), saved in", said, re.MULTILINE)
        return {os.path.relpath(name, self.mount) for _, name in listed}

    def restore(self):
        copy = os.path.join(self.work, "copy")
        shutil.rmtree(copy, ignore_errors=True)
        run("restic", "restore", "latest", "--target", copy, env=self.env)
        return copy + self.mount

    def nothing(self):
        return re.search(r"^Files: +0 new, +0 changed, +[1-9]", self.said, re.MULTILINE)


TOOLS = {"rsync": Rsync, "cp": Cp, "tar": Tar, "borg": Borg, "restic": Restic}


def settle(applications, longer=0):
    """Waits until the second of the last change is over."""
    last = max(application.moved for application in applications)
    while time.time() < int(last) + SETTLED + longer:
        time.sleep(0.005)


def read_copy(path, work):
    private = os.path.join(work, "look.db")
    shutil.copyfile(path, private)
    connection = sqlite3.connect(private)
    try:
        sound = connection.execute("PRAGMA integrity_check").fetchone()[0]
        return digest(connection) if sound == "ok" else sound
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        connection.close()
        for side in ("-wal", "-shm"):
            if os.path.exists(private + side):
                os.unlink(private + side)


class Rounds:
    def __init__(self, tool, source, work, seed):
        self.dice = random.Random(seed)
        self.tool, self.source, self.work = tool, source, work
        kinds = {"wal.db": "wal", "deep/wal-too.db": "wal", "deep/delete.db": "delete", "persist.db": "persist"}
        os.makedirs(os.path.join(source, "deep"), exist_ok=True)
        self.applications = {name: Application(os.path.join(source, name), journal, self.dice)
                             for name, journal in kinds.items()}
        self.still_ns = 0
        self.missed = self.needless = self.runs = 0
        self.log = []

    def say(self, what):
        self.log.append(f"{time.time():.3f} {what}")

    def touch_newest(self):
        # borg forgets the newest file of each run, to be safe; let that be this one.
        with open(os.path.join(self.source, "newest"), "w", encoding="ascii") as file:
            file.write(str(time.time_ns()))

    def commit_some(self, names):
        for name in names:
            application = self.applications[name]
            application.change()
            self.say(f"committed {name}")
            if self.dice.random() < 0.5:
                self.say(f"{name}: {application.disturb()}")

    def backup(self):
        self.touch_newest()
        self.say("run")
        read = self.tool.backup() - {"newest"}
        self.say(f"run has read {sorted(read)}")
        self.runs += 1
        return read

    def commit_during(self, names):
        """Commits at a random moment of a run."""
        with concurrent.futures.ThreadPoolExecutor() as pool:
            delay = self.dice.uniform(0, 0.3)
            job = pool.submit(lambda: (time.sleep(delay), self.commit_some(names)))
            self.backup()
            job.result()

    def one(self):
        names = sorted(self.applications)
        time.sleep(self.dice.uniform(0, 0.3))
        changed_since = self.still_ns
        for _ in range(self.dice.randint(0, 2)):
            self.commit_some(self.dice.sample(names, self.dice.randint(1, 2)))
            if self.dice.random() < 0.6:
                self.backup()
            elif self.dice.random() < 0.5:
                self.commit_during(self.dice.sample(names, 1))
        self.commit_some(self.dice.sample(names, self.dice.randint(1, 2)))
        self.applications[self.dice.choice(names)].visit()
        settle(self.applications.values())
        self.still_ns = time.time()
        read = self.backup()
        for name in names:
            if name in read and self.applications[name].moved < changed_since:
                self.needless += 1
                print(f"NEEDLESS: {name} was read, and had not changed")
        self.compare()

    def compare(self):
        copy = self.tool.restore()
        found = sorted(os.path.relpath(os.path.join(at, file), copy) for at, _, files in os.walk(copy) for file in files)
        wanted = sorted([*self.applications, "newest", "ordinary"])
        if found != wanted:
            raise SystemExit(f"the copy has {found}, not {wanted}")
        for name, application in self.applications.items():
            is_now = read_copy(os.path.join(copy, name), self.work)
            if is_now != application.holds:
                self.missed += 1
                print(f"MISSED: {name} is restored as {is_now}, the source holds {application.holds}")


def rounds(tool, arguments):
    work = Rounds(tool, arguments.source, arguments.work, arguments.seed)
    with open(os.path.join(arguments.source, "ordinary"), "w", encoding="ascii") as file:
        file.write("text\n")
    work.backup()
    for number in range(arguments.rounds):
        start = len(work.log)
        bad = work.missed + work.needless
        work.one()
        if work.missed + work.needless > bad:
            print(f"round {number}:", *work.log[start:], sep="\n  ")
    # What the applications leave to the quiet runs: one is stopped, the others hold their databases open and their WAL full.
    work.applications["deep/wal-too.db"].stop()
    # What a directory shows may be two seconds old.
    settle(work.applications.values(), 2)
    work.backup()
    work.compare()
    print(f"seed {arguments.seed}: {arguments.rounds} rounds, {work.runs} runs, {work.missed} missed commits, "
          f"{work.needless} needless re-reads")
    with open(os.path.join(arguments.work, "holds.json"), "w", encoding="ascii") as file:
        json.dump({name: application.holds for name, application in work.applications.items()}, file)
    print("quiet", flush=True)
    # Until the quiet runs are done, the databases stay as they are, live.
    while not os.path.exists(os.path.join(arguments.work, "done")):
        time.sleep(0.02)
    return work.missed + work.needless > 0


def quiet(tool, arguments):
    read = tool.backup()
    if read or not tool.nothing():
        raise SystemExit(f"on a quiet tree it read {sorted(read)} and said: {tool.said}")
    with open(os.path.join(arguments.work, "holds.json"), encoding="ascii") as file:
        holds = json.load(file)
    copy = tool.restore()
    for name, held in holds.items():
        if read_copy(os.path.join(copy, name), arguments.work) != held:
            raise SystemExit(f"{name} is restored as something else")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("tool", choices=sorted(TOOLS))
    parser.add_argument("what", choices=("rounds", "quiet"))
    parser.add_argument("source")
    parser.add_argument("mount")
    parser.add_argument("work")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    tool = TOOLS[arguments.tool](arguments.mount, arguments.work)
    return (rounds if arguments.what == "rounds" else quiet)(tool, arguments)


sys.exit(main())
