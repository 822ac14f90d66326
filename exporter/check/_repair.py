"""Mending what can be made again from the truth: catalog, tables, schedule, what crashes left. Never the truth."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import get_args

from exporter.archive import Archive
from exporter.archive._lock import Lock
from exporter.archive.catalog import ALWAYS, stamp
from exporter.check._catalog import CATALOG, TIMES, mistimed
from exporter.errors import ArchiveError, DiskFull, Locked
from exporter.files import translated
from exporter.model import Code, Finding, ThreadRef
from exporter.rebuild import rebuild
from exporter.retention import Policies

LOG: frozenset[Code] = frozenset(
    {"manifest_missing", "manifest_damaged", "chain_broken", "other_archive", "segment_missing", "segment_damaged"}
)
"Damage after which nothing can be made from the segments as a whole."
COPY: frozenset[Code] = LOG | {"records_lost", "content_missing", "content_damaged"}
"What only a copy mends, or the server."
CATALOGS: frozenset[Code] = frozenset({"catalog_damaged", "catalog_differs", "table_unnoted"})
TABLES: frozenset[Code] = frozenset(
    {"table_missing", "table_damaged", "table_differs", "rows_doubled", "table_version"}
)
SCHEDULE: frozenset[Code] = frozenset({"schedule_wrong"})
MENDS = CATALOGS | TABLES | SCHEDULE
"What `repair` mends."
LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)
"Of a thread that is to be walked from its beginning as soon as it can be, when it last was."
assert set(get_args(Code)) >= MENDS | COPY


@dataclass(frozen=True, slots=True)
class Mended:
    """Something that was made again, or could not be."""

    where: str
    what: str
    done: bool = True


def repair(path: Path, found: Iterable[Finding], policies: Policies | None = None) -> Iterator[Mended]:
    """Mend what was found, as far as it is derived; yield what was done, and what cannot be while a file is damaged.

    Takes the lock: `Locked` where somebody writes. `policies` is what the user knows of how long servers keep
    threads. Check again afterwards.
    """
    codes = {one.code for one in found}
    policies = policies or Policies()
    yield from _leftovers(path)
    if codes & (CATALOGS | TABLES) and codes & LOG:
        what = "catalog and tables stay as they are: they are made from all segments, and some are damaged"
        yield Mended("segments", what, done=False)
    elif codes & CATALOGS:
        rebuild(path, policies)
        yield Mended(CATALOG, "made again from the segments, with all tables; deadlines were worked out again")
    elif codes & TABLES:
        _tables(path)
        yield Mended("tables", "all made again from the segments")
    if codes & (SCHEDULE | CATALOGS):
        yield from _schedule(path, policies)


def _leftovers(path: Path) -> Iterator[Mended]:
    """Remove what processes left that died: nobody else is writing while we hold the lock."""
    with Lock(path):
        left = [*(path / ".exporter" / "tmp").glob("*"), *(path / ".exporter").glob("rebuild")]
        left += [file for folder in (path, path / ".exporter") for file in folder.glob(".*.tmp") if file.is_file()]
        for one in sorted(left):
            if one.is_dir() and not one.is_symlink():
                shutil.rmtree(one, ignore_errors=True)
            else:
                with translated(one):
                    one.unlink(missing_ok=True)
            yield Mended(one.relative_to(path).as_posix(), "removed: a program that died left it")


def _tables(path: Path) -> None:
    from exporter.tables import publish

    with Archive.write(path) as archive:
        newest = archive.manifest()
        publish(archive, 0, afresh=True)
        archive.note_published(newest)


def _schedule(path: Path, policies: Policies) -> Iterator[Mended]:
    """Let threads whose times cannot be true be visited by the next backup, from their beginning."""
    try:
        archive = Archive.write(path)
    except (Locked, DiskFull):
        raise
    except ArchiveError as error:  # a log that is damaged
        yield Mended(CATALOG, f"the schedule stays as it is: {error}", done=False)
        return
    with archive:
        wrong = look_again(archive, mistimed(archive), policies)
    if wrong:
        many = f"{wrong:,} threads are" if wrong > 1 else "a thread is"
        yield Mended(CATALOG, f"{many} due again at once, as the times they waited for could not be true")


def look_again(archive: Archive, threads: Iterable[ThreadRef], policies: Policies) -> int:
    """Have the next backup walk these threads from their beginning, but for those at rest; return how many."""
    from exporter.crawl import work_out

    there = list(threads)
    none: dict[str, object] = dict.fromkeys(TIMES)
    fresh = {**none, "failures": 0, "interval": 1.0, "due_at": ALWAYS, "swept_at": stamp(LONG_AGO)}
    archive.catalog.note_hints(dict.fromkeys(there, fresh))
    work_out(archive, policies)
    return len(there)
