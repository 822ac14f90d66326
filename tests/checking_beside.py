"""Checks beside a writer that is killed again and again: not one may find damage.

`python -m tests.torture_check` runs a thousand; the suite a few. Each archive is small, so that
there are many moments: pages, seals, publications, walks from the beginning, rebuilds, contents, kills at any point.
"""

from __future__ import annotations

import multiprocessing
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event, Thread

from exporter.archive import Archive
from exporter.archive._parts import Part
from exporter.check import check
from exporter.errors import Locked
from exporter.model import Finding, Item, Page
from exporter.rebuild import rebuild
from exporter.tables import publish  # noqa: F401 - loaded once, for all writers
from tests.archive.making import AT, THREAD, in_memory
from tests.archive.publishing import messages, publish_all, published, visit

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])
"So that a writer begins at once."
PARTS = 5
LIVES = (0.05, 1.5)
"Seconds after which the writer is killed."


@dataclass
class Score:
    """What many checks said."""

    checks: Counter[str] = field(default_factory=Counter)
    notes: Counter[str] = field(default_factory=Counter)
    alarms: list[Finding] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    kills: int = 0

    def __str__(self) -> str:
        made = ", ".join(f"{count:,} {way}" for way, count in sorted(self.checks.items()))
        return f"{self.checks.total():,} checks ({made}), {self.kills:,} kills, {len(self.alarms)} false alarms"


def write(path: Path, seed: int) -> None:
    """Write as long as somebody looks, one run after the other, as backups do."""
    chance, beside = random.Random(seed), multiprocessing.parent_process()
    while beside is None or beside.is_alive():
        try:
            _run(path, chance)
        except Locked:
            time.sleep(0.01)


def _run(path: Path, chance: random.Random) -> None:
    if chance.random() < 0.1:
        rebuild(path)
    with Archive.write(path) as archive:
        for number in chance.sample(range(1, 9), chance.randint(1, 3)):  # a run visits no thread twice
            thread = replace(THREAD, id=f"thread_{number}")
            known = archive.catalog.positions(thread).get("messages")
            fresh = known is None
            first = 0 if known is None else max(0, known.seq - chance.randint(0, 2))
            if chance.random() < 0.3:
                archive.append([_file(archive, thread.id, chance)])
            archive.append([messages(first, chance.randint(1, 4), thread, fresh=fresh)])
            archive.append([visit(thread)])
            if chance.random() < 0.5:
                archive.seal()
        archive.seal({"command": "backup"})
        if chance.random() < 0.9:
            publish_all(archive)


def _file(archive: Archive, thread: str, chance: random.Random) -> Page:
    with archive.blob() as blob:
        blob.write(b"%d" % chance.randint(0, 50))
        kept = blob.keep()
    body = b'{"type":"file","sha256":"%s","bytes":%d,"form":"bytes","object":null}' % (kept.sha256.encode(), kept.bytes)
    item = Item(f"file_{chance.randint(0, 9)}", body)
    return Page(replace(THREAD, id=thread), "file", (item,), None, False, AT, "files", fresh=False)


@contextmanager
def killed(path: Path, score: Score, seed: int) -> Iterator[None]:
    """Let a writer write beside, kill it again and again, and start it anew."""
    over = Event()

    def guard() -> None:
        chance = random.Random(seed)
        while not over.is_set():
            writer = FORKS.Process(target=write, args=(path, chance.random()), daemon=True)
            writer.start()
            over.wait(chance.uniform(*LIVES))
            os.kill(writer.pid or 0, signal.SIGKILL)
            writer.join()
            score.kills += 1

    thread = Thread(target=guard)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def look(path: Path, score: Score, chance: random.Random) -> None:
    """Check once, in one of the ways that there are."""
    way = chance.choices(["plain", "rebuild", "subset", "copy"], [4, 3, 2, 1])[0]
    part = Part(chance.randint(1, PARTS), PARTS) if way == "subset" else None
    with frozen(path) if way == "copy" else here(path) as at:
        try:
            found = list(check(at, rebuild=way in ("rebuild", "copy"), subset=part))
        except Exception as error:  # noqa: BLE001 - any is a failure, and the others go on
            score.errors.append(f"{way}: {error!r}")
            return
    score.checks[way] += 1
    score.notes.update(one.code for one in found if one.severity == "note")
    score.alarms += [one for one in found if one.severity == "damage"]


@contextmanager
def here(path: Path) -> Iterator[Path]:
    yield path


@contextmanager
def frozen(path: Path) -> Iterator[Path]:
    """A copy that was made while nobody wrote, without the lock, in a folder that cannot be written."""
    from exporter.archive._lock import Lock

    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        copy = Path(folder) / "copy"
        while True:
            try:
                with Lock(path):
                    shutil.copytree(path, copy, ignore=shutil.ignore_patterns(".exporter"))
                break
            except Locked:
                time.sleep(0.005)
        for one in (copy, *copy.rglob("*")):
            one.chmod(0o500 if one.is_dir() else 0o400)
        try:
            yield copy
        finally:
            for one in (copy, *copy.rglob("*")):
                if one.is_dir():
                    one.chmod(0o700)


def torture(checks: int, seconds: float, seed: int) -> Score:
    """Check so often, or for so long, beside a writer that dies."""
    score, chance = Score(), random.Random(seed)
    until = time.monotonic() + seconds
    with in_memory() as folder:
        while score.checks.total() < checks and time.monotonic() < until and not score.alarms:
            path = published(folder / f"archive-{chance.randrange(10**9)}")  # small ones have more moments
            with killed(path, score, seed):
                for _ in range(200):
                    if score.checks.total() >= checks or time.monotonic() > until or score.alarms or score.errors:
                        break
                    look(path, score, chance)
            with Archive.write(path) as archive:
                publish_all(archive)
            end = [one for one in check(path, rebuild=True) if one.severity == "damage"]
            score.alarms += end
            if score.errors:
                break
            shutil.rmtree(path)
    return score
