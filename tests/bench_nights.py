"""`make bench-nights`: a night over a million registered threads of which one in a hundred is due, as a user runs it.

The threads are registered as `exporter register` does. Those that are due were visited: what one real visit wrote is
archived under the id of each, and published. Of the others the catalog says the same, with no segment behind it.
Then commands run as processes of their own, against a sandbox in this process that has all of these threads. CPU
seconds and memory are the system's account of the command alone; wall time is the machine's, which others may share.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from threading import Event
from threading import Thread as Watcher

from exporter.archive import Archive
from exporter.archive.catalog import stamp
from exporter.crawl import Options, backup
from exporter.crawl._timetable import Timetable
from exporter.endpoint import endpoint_of
from exporter.model import Item, Page, Profile, Registration, Secret, ThreadRef, now
from exporter.registry import register
from exporter.retention import Policies
from exporter.sandbox import Request, State, serve
from exporter.tables import publish

KEY = "sk-sandbox-one"
FIRST = "crowd00000000"
EVERY = 100
"One thread in so many is due."
POLL = 0.005
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cost:
    """What one command cost."""

    wall: float
    cpu: float
    peak: float
    "MiB of resident memory."
    first: float | None
    "Seconds until its first request, and CPU seconds."
    first_cpu: float | None
    requests: int
    visiting: float
    "CPU seconds from the first request to the last: what it verifies after them differs from run to run."


@dataclass
class Server:
    """A sandbox in this process."""

    url: str
    log: list[Request]


def main() -> int:
    """Build, measure, and print a row per figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="keep the archive here, and measure with it again")
    parser.add_argument(
        "--port", type=int, default=0, help="of the sandbox: the same again for an archive that is kept"
    )
    options = parser.parse_args()
    threads, due = options.threads, options.threads // EVERY
    with contextlib.ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        path, server = folder / "archive", serving(threads, options.port)
        if not path.exists():
            began = time.monotonic(), time.process_time()
            build(path, server, threads)
            took = time.monotonic() - began[0], time.process_time() - began[1]
            say(f"made an archive of {threads:,} threads", f"{took[0]:,.0f} s, {took[1]:,.0f} s CPU")
        say("catalog.sqlite", f"{(path / 'catalog.sqlite').stat().st_size / 1e6:,.0f} MB")
        tell("status", run(server, path, "status"))
        make_due(path, server, 1)
        tell("backup, 1 due", run(server, path, "backup"))
        make_due(path, server, due)
        many = tell(f"backup, {due:,} due", run(server, path, "backup"))
        say(
            "CPU of an idle visit, from the first request to the last", f"{many.visiting / many.requests * 1000:.2f} ms"
        )
        (path.parent / "exporter.toml").write_text("[rhythm]\nmargin_days = 6\n", encoding="utf-8")
        tell("backup of one, when the policies changed", run(server, path, "backup", ref(server.url, 0).id))
        (path.parent / "exporter.toml").unlink()
    return 0


def serving(threads: int, port: int) -> Server:
    """Run a sandbox until this process ends."""
    state, urls, ready = State(), list[str](), Event()
    state.add_crowd("threads", threads)

    def announce(url: str) -> None:
        urls.append(url)
        ready.set()

    Watcher(target=serve, args=(state, "127.0.0.1", port), kwargs={"ready": announce}, daemon=True).start()
    if not ready.wait(60):
        raise SystemExit("the sandbox did not start")
    return Server(urls[0], state.requests)


def say(what: str, figure: str) -> None:
    print(f"| {what} | {figure} |", flush=True)


def tell(what: str, cost: Cost) -> Cost:
    first = "" if cost.first is None else f"first request after {cost.first:.2f} s ({cost.first_cpu:.2f} s CPU), "
    figures = f"{first}{cost.requests:,} requests, {cost.wall:.1f} s, {cost.cpu:.1f} s CPU, peak {cost.peak:.0f} MiB"
    say(what, figures)
    return cost


def build(path: Path, server: Server, threads: int) -> None:
    """Make an archive of threads that were all visited."""
    Archive.create(path)
    told = visited(path, server)
    with Archive.write(path) as archive:
        register(archive, (Registration(ref(server.url, number)) for number in range(1, threads)))
        registered = archive.manifest()  # which brings no row to any table
        archive.append(again(page, number) for number in range(EVERY, threads, EVERY) for page in told)
        archive.seal()
        publish(archive, registered)
        archive.note_published(archive.manifest())
    with contextlib.closing(sqlite3.connect(path / "catalog.sqlite")) as db, db:
        db.executescript(REST)
    with Archive.write(path) as archive:
        archive.catalog.note_fact("policies", "none yet")
        Timetable(archive.catalog, Policies()).refresh()


REST = """
UPDATE threads SET state = (SELECT state FROM threads WHERE no = 1), body = (SELECT body FROM threads WHERE no = 1),
    seen_at = coalesce(seen_at, registered_at), visited_at = unixepoch() - abs(random() % 250000),
    active_at = unixepoch() - 86400 * (30 + abs(random() % 200));
UPDATE threads SET asked_at = visited_at, swept_at = visited_at;
INSERT OR IGNORE INTO lists SELECT no, list,
    CASE typeof(cursor) WHEN 'text' THEN replace(cursor, 'crowd00000000', substr(id, 8)) ELSE cursor END, seq, more
    FROM threads, (SELECT * FROM lists WHERE thread = 1);
INSERT OR IGNORE INTO frames SELECT no, kind, segment, offset
    FROM (SELECT no FROM threads WHERE no NOT IN (SELECT thread FROM frames)),
         (SELECT * FROM frames WHERE thread = 1);
"""
"What the catalog says of threads that were visited."


def visited(path: Path, server: Server) -> list[Page]:
    """Visit the first thread, and return what that wrote."""
    pages: list[Page] = []
    with Archive.write(path) as archive:
        register(archive, [Registration(ref(server.url, 0))])
        profiles = {"default": Profile(base_url=server.url, key=Secret(KEY))}
        report = backup(archive, profiles, Options(), on_page=pages.append)
    if report.exit_code:
        raise SystemExit(f"the first visit ended with {report.exit_code}: {report.errors}")
    return pages


def again(page: Page, number: int) -> Page:
    """Say of another thread what was said of the first."""
    name = f"crowd{number:08d}"
    items = tuple(
        Item(item.id and item.id.replace(FIRST, name), item.body.replace(FIRST.encode(), name.encode()))
        for item in page.items
    )
    cursor = page.cursor and page.cursor.replace(FIRST, name)
    thread = replace(page.thread, id=page.thread.id.replace(FIRST, name))
    return replace(page, thread=thread, items=items, cursor=cursor)


def ref(url: str, number: int) -> ThreadRef:
    return ThreadRef("assistants", endpoint(url), f"thread_crowd{number:08d}")


endpoint = cache(endpoint_of)


def make_due(path: Path, server: Server, count: int) -> None:
    """Let so many threads be due."""
    due_at = stamp(now() - timedelta(hours=1))
    with Archive.write(path) as archive:
        archive.catalog.note_hints({ref(server.url, number * EVERY): {"due_at": due_at} for number in range(count)})


def run(server: Server, path: Path, verb: str, *words: str) -> Cost:
    """Run a command to its end and account for it."""
    environment = {**os.environ, "OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": KEY, "PYTHONWARNINGS": "ignore"}
    before = len(server.log)
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        command = [sys.executable, "-m", "exporter", verb, "-a", str(path), *words]
        process = subprocess.Popen(command, cwd=path.parent, env=environment, stdout=said, stderr=said)
        with watching(process.pid, server) as seen:
            _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            raise SystemExit(f"{verb} ended with {process.returncode}:\n{said.read().decode()[-2000:]}")
    cpu = usage.ru_utime + usage.ru_stime
    first = seen.first - began if seen.first else None
    visiting = (seen.last_cpu or 0) - (seen.first_cpu or 0)
    return Cost(wall, cpu, seen.peak, first, seen.first_cpu, len(server.log) - before, visiting)


@dataclass
class Seen:
    """What was seen of a process while it ran."""

    peak: float = 0
    first: float | None = None
    first_cpu: float | None = None
    last_cpu: float | None = None


def used(pid: int) -> float:
    """Return the CPU seconds that a process has taken so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


@contextlib.contextmanager
def watching(pid: int, server: Server) -> Iterator[Seen]:
    """Look at a process again and again; `ru_maxrss` would count what this process had when it began that one."""
    seen, over, before = Seen(), Event(), len(server.log)

    def watch() -> None:
        count = before
        while not over.wait(POLL):
            with contextlib.suppress(OSError, IndexError, ValueError):
                if len(server.log) > count:
                    count = len(server.log)
                    seen.last_cpu = used(pid)
                    if seen.first is None:
                        seen.first, seen.first_cpu = time.monotonic(), seen.last_cpu
                status = Path(f"/proc/{pid}/status").read_text("utf-8")
                seen.peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024

    watcher = Watcher(target=watch)
    watcher.start()
    try:
        yield seen
    finally:
        over.set()
        watcher.join()


if __name__ == "__main__":
    sys.exit(main())
