"""Looks at the archive and its disk; and what the archive needs of a server: its threads."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from exporter.archive import Archive, hints, who_writes
from exporter.doctor._look import Look
from exporter.errors import ArchiveError, NoArchive
from exporter.model import ThreadRef, printable
from exporter.sources import names

FREE = 2**30
"Bytes of free disk below which a backup is at risk."
MONTH = 30 * 24 * 3600.0
FILES = 200_000
"Files whose sizes are added up at most."
LAST_CHECK = "last_check"
LOOKED = 50
"Threads of a source of which the longest is asked for."
LONG = 3
"Messages that are enough to tell in which order they come."
GIB = 2**30


@dataclass(slots=True)
class Needs:
    """What the archive has of each source, endpoint and profile."""

    needed: set[tuple[str, str, str]] = field(default_factory=set)
    "Whose threads are still to be visited."
    samples: dict[tuple[str, str, str], ThreadRef] = field(default_factory=dict)
    "A thread that was there at the last visit."


def needs(path: Path, profiles: Iterable[tuple[str, str]]) -> Needs:
    """Read what the archive has for these profiles at their endpoints; nothing where it cannot be read."""
    found = Needs()
    try:
        with Archive.open(path) as archive:
            for profile, endpoint in profiles:
                for source in names():
                    _need(archive, {"source": source, "endpoint": endpoint, "profile": profile}, found)
    except ArchiveError:
        return Needs()
    return found


def _need(archive: Archive, whose: dict[str, str], found: Needs) -> None:
    key = whose["source"], whose["endpoint"], whose["profile"]
    for state in ("complete", "partial", "new", "failed"):
        if next(archive.catalog.known(**whose, state=state), None):
            found.needed.add(key)
            break
    longest = -1
    for known in islice(archive.catalog.known(**whose, state="complete"), LOOKED):
        position = archive.catalog.positions(known.thread).get("messages")
        if position is not None and longest < position.seq:
            found.samples[key], longest = known.thread, position.seq
        if longest >= LONG:
            return


def look_at(path: Path) -> Iterator[Look]:
    """Look at the archive, its lock and its disk."""
    yield from _archive(path)
    home = _home(path)
    if home.is_dir():
        yield _disk(path, home)


def _archive(path: Path) -> Iterator[Look]:
    subject = f"archive {printable(str(path))}"
    if not path.exists():
        yield _none_yet(path, subject)
        return
    try:
        with Archive.open(path) as archive:
            yield _opened(archive, subject)
    except ArchiveError as error:
        yield Look("archive", subject, "bad", str(error), exit_code=error.exit_code, facts={"path": str(path)})
        return
    who = who_writes(path)
    yield Look("lock", "lock", "note" if who else "good", f"{who} is writing" if who else "nobody is writing")


def _none_yet(path: Path, subject: str) -> Look:
    home, facts = _home(path), {"path": str(path)}
    where = printable(str(home))
    if not home.is_dir():
        what, help_ = f"it cannot be made: {where} is a file", "name another folder with -a"
    elif not os.access(home, os.W_OK | os.X_OK):
        what, help_ = f"it cannot be made: nothing may be written into {where}", "change that, or name another with -a"
    else:
        return Look("archive", subject, "note", "there is none yet; the first backup makes it", facts=facts)
    return Look("archive", subject, "bad", what, help_, NoArchive.exit_code, facts=facts)


def _opened(archive: Archive, subject: str) -> Look:
    counts = archive.catalog.count()
    report, checked = archive.last_report(), _checked(archive)
    writable = os.access(archive.path, os.W_OK | os.X_OK)
    total = sum(counts.values())
    said = [
        f"can be read{'' if writable else ', not written'}: {total:,} threads",
        f"last backup {_when(report, 'finished_at')}" if report else "never backed up into",
        f"last check {_when(checked, 'at')}" if checked else "never checked",
    ]
    facts = {
        "path": str(archive.path),
        "writable": writable,
        "threads": total,
        "states": counts,
        "last_backup": report and {name: report.get(name) for name in ("run", "finished_at", "exit_code")},
        "last_check": checked,
    }
    help_ = "" if checked or not total else "`exporter check` reads every byte of it"
    return Look("archive", subject, "good", "; ".join(said), help_, facts=facts)


def _checked(archive: Archive) -> dict[str, Any] | None:
    """Return what the newest check that found all whole left."""
    try:
        found = json.loads(hints(archive.catalog, LAST_CHECK).get(LAST_CHECK, "null"))
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _when(told: dict[str, Any] | None, name: str) -> str:
    told = told or {}
    ended = told.get("exit_code")
    return f"{str(told.get(name) or '?')[:16].replace('T', ' ')} UTC" + (f", which ended with {ended}" if ended else "")


def _home(path: Path) -> Path:
    """Return the nearest of a path's parents, or itself, that exists."""
    return next(one for one in (path.absolute(), *path.absolute().parents) if one.exists())


def _disk(path: Path, home: Path) -> Look:
    free = shutil.disk_usage(home).free
    size, grown = _sizes(path)
    facts = {"free_bytes": free, "archive_bytes": size, "grown_bytes_30d": grown}
    said = f"{_size(free)} free"
    if size and grown is not None:
        said += f"; the archive has {_size(size)}, of which the last 30 days brought {_size(grown)}"
    # what is new stands in a segment and in a table
    if free >= max(FREE, 2 * (grown or 0)):
        return Look("disk", "disk", "good", said, facts=facts)
    return Look("disk", "disk", "note", said, "make room for what the next weeks bring", facts=facts)


def _size(count: int) -> str:
    return f"{count / GIB:,.1f} GiB" if count >= GIB / 10 else f"{count / 2**20:,.1f} MiB"


def _sizes(path: Path) -> tuple[int | None, int | None]:
    """Return the bytes of an archive, and of what is written once and new; None where it has too many files."""
    total = grown = files = 0
    since = time.time() - MONTH
    for folder, _, inside in os.walk(path):
        once = Path(folder).relative_to(path).parts[:1] in (("segments",), ("blobs",))
        for name in inside:
            files += 1
            if files > FILES:
                return None, None
            try:
                about = os.stat(os.path.join(folder, name), follow_symlinks=False)  # noqa: PTH116, PTH118 - many
            except OSError:  # replaced just now
                continue
            total += about.st_size
            grown += about.st_size if once and about.st_mtime >= since else 0
    return total, grown
