"""The catalog as a check finds it: whether it can be read, how far it goes, and whether its times can be true."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from exporter.archive import Archive
from exporter.archive._compact import Moment
from exporter.archive._schema import HINTS, threads
from exporter.archive._verify import REBUILD, committed, damage
from exporter.archive.catalog import NEVER, stamp
from exporter.errors import ArchiveError, Damaged
from exporter.files import sha256_of
from exporter.model import Finding, ThreadRef, now

CATALOG = "catalog.sqlite"
REPAIR = "run `exporter check --repair`"
WRONG = (Damaged, ValueError, LookupError, TypeError, ArithmeticError)
"What reading a catalog raises in which something is not what this program wrote."
PAST = ("visited_at", "asked_at", "swept_at", "failed_at")
"Times of the schedule that can only lie behind us."
TIMES = tuple(c.name for c in threads.c if isinstance(c.type, Moment) and c.name in HINTS)
"Times of the schedule: what cannot be one in any of them is found here, and all of them are set anew by a repair."
SLACK = timedelta(days=1)
"How far in the future such a time may lie: the clocks of two machines that write by turns."
FARTHEST = timedelta(days=3 * 365)
"No thread is left alone for so long."
LOST = (errno.EIO, errno.EISDIR)
"A bad sector; or a folder lies where the file belongs."
NAMED = 3
"Threads that a sentence names."


class CatalogView:
    """The catalog as it was when the check began; what comes later is later."""

    def __init__(self, path: Path, *, whole: bool) -> None:
        self.archive: Archive | None = None
        self.indexed = self.published = 0
        self.committed: dict[int, str] = {}
        "The segments that it names, by their numbers."
        self._error: Exception | None = None
        try:
            self.archive = Archive.open(path)
            self.indexed = self.archive.manifest()
            self.published = int(self.archive.catalog.fact("published") or 0)
            self.committed = committed(self.archive.catalog.segment_names())
            if whole:
                self.archive.catalog.verify()
        except (ArchiveError, *WRONG) as error:
            self.close()
            if isinstance(error, ArchiveError) and not isinstance(error, Damaged) and not _is_lost(path / CATALOG):
                raise
            self._error = error

    def close(self) -> None:
        """Close the file."""
        if self.archive is not None:
            self.archive.close()
            self.archive = None

    def findings(self) -> Iterator[Finding]:
        """Say why it cannot be used, if it cannot."""
        if self._error is not None:
            yield unreadable(self._error)


def _is_lost(file: Path) -> bool:
    """Tell whether the file's own bytes are not to be had, other than for want of space, rights or a lock."""
    try:
        sha256_of(file.open("rb"))
    except OSError as error:
        return error.errno in LOST
    return False


def unreadable(error: Exception) -> Finding:
    """Say that the catalog is not what this program wrote."""
    said = str(error).split(f"{CATALOG}: ", 1)[-1]
    if isinstance(error, ArchiveError):
        said = said.rsplit("; ", 1)[0]
    return damage("catalog_damaged", CATALOG, said or type(error).__name__, REBUILD)


def schedule(archive: Archive) -> Iterator[Finding]:
    """Find threads that would wait for a time that cannot be true, as after a clock that was wrong."""
    wrong = mistimed(archive)
    if not wrong:
        return
    named = ", ".join(map(str, wrong[:NAMED])) + (", ..." if len(wrong) > NAMED else "")
    many = f"{len(wrong):,} threads are" if len(wrong) > 1 else "a thread is"
    what = f"{many} scheduled by a time in the future or by none at all, as after a clock that was wrong: {named}"
    yield damage("schedule_wrong", CATALOG, what, f"{REPAIR}: the next backup visits them")


def mistimed(archive: Archive) -> list[ThreadRef]:
    """Return the threads whose times cannot be true."""
    at = now()
    late = [threads.c[name] > stamp(at + SLACK) for name in PAST]
    late.append(sa.and_(threads.c.due_at > stamp(at + FARTHEST), threads.c.due_at != NEVER))
    late += [sa.func.typeof(threads.c[name]).not_in(("integer", "null")) for name in TIMES]
    query = sa.select(*threads.c["source", "endpoint", "id"]).where(sa.or_(*late)).order_by(threads.c.no)
    return [ThreadRef(*row) for row in archive.catalog.rows(query)]
