"""What damage of the truth costs: which threads, how many of their objects, and who may still have them.

The idea: the catalog knows which threads have pages in a segment, and the tables hold a row for each object. What no
page that can be read holds any more is lost to the truth, until a copy brings it back or the server gives it again.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime

import sqlalchemy as sa

from exporter.archive import Archive
from exporter.archive import _segments as segment_files
from exporter.archive._lines import read_records
from exporter.archive._schema import frames, segments, threads
from exporter.archive._verify import UNREADABLE, damage
from exporter.archive.catalog import Known
from exporter.errors import Damaged
from exporter.model import Finding, Kind, ThreadRef, now, printable
from exporter.retention import Standing, deadline, policy

TABLES: dict[Kind, tuple[str, str, str | None]] = {
    "message": ("messages", "message_id", "parent_id"),
    "run": ("runs", "run_id", "parent_id"),
    "step": ("steps", "step_id", None),
    "file": ("files", "file_id", "container_id"),
}
"Of each kind of object: its table, the column of its id, and that of what it hangs on."

OWN = "the thread itself"
Place = tuple[str, int]
"A frame: the segment's name and the offset."
Object = tuple[str | None, str | int]
"What it hangs on, and its id or position."


def threads_of(archive: Archive, names: Iterable[str]) -> set[ThreadRef]:
    """Return the threads that have pages in these segments which cannot be read any more."""
    broken = {place for name in names for place in _broken(archive, name)}
    return {thread for thread, _, place in _frames(archive, {name for name, _ in broken}) if place in broken}


def losses(archive: Archive, damaged: Iterable[Finding]) -> Iterator[Finding]:
    """Say of each thread what the damaged files of the log held of it, and nothing else holds."""
    broken = {place for name in _segments(archive, damaged) for place in _broken(archive, name)}
    by_thread: defaultdict[ThreadRef, set[Kind]] = defaultdict(set)
    for thread, kind, place in _frames(archive, {name for name, _ in broken}):
        if place in broken:
            by_thread[thread].add(kind)
    rows = _rows(archive, by_thread) if by_thread else {}
    for thread, kinds in by_thread.items():
        lost = Counter[str]()
        for kind in sorted(TABLES.keys() & kinds):
            lost[TABLES[kind][0]] = len(rows[thread, kind] - _readable(archive, thread, kind))
        if "thread" in kinds:
            lost[OWN] = not any(archive.thread_pages(thread, "thread", what_is_left=True))
        known = archive.catalog.find(thread)
        if known is not None and lost.total():
            yield damage("records_lost", str(thread), _what(lost), _help(known))


def _segments(archive: Archive, damaged: Iterable[Finding]) -> Iterator[str]:
    """Name the segments that damaged files of the log are, or name."""
    numbers = set()
    for found in damaged:
        with suppress(ValueError):
            numbers.add(int(found.where.rsplit("/", 1)[-1].split("-")[0].split(".")[0]))
    query = sa.select(segments.c.name).where(segments.c.number.in_(sorted(numbers)))
    yield from (str(name) for (name,) in archive.catalog.rows(query))


def _broken(archive: Archive, name: str) -> Iterator[Place]:
    """Yield the frames of a segment that cannot be read any more."""
    query = sa.select(frames.c.offset).distinct().join(segments, segments.c.number == frames.c.segment)
    for (offset,) in archive.catalog.rows(query.where(segments.c.name == name)):
        try:
            with archive.storage.open(name) as file:
                for _ in segment_files.checked(segment_files.read_at(file, offset, (b"",), name), name):
                    pass
        except UNREADABLE:
            yield name, offset


def _frames(archive: Archive, names: set[str]) -> Iterator[tuple[ThreadRef, Kind, Place]]:
    query = (
        sa.select(*threads.c["source", "endpoint", "id"], frames.c.kind, segments.c.name, frames.c.offset)
        .join(threads, threads.c.no == frames.c.thread)
        .join(segments, segments.c.number == frames.c.segment)
        .where(segments.c.name.in_(sorted(names)))
        .order_by(threads.c.no)
    )
    for source, endpoint, id_, kind, name, offset in archive.catalog.rows(query):
        yield ThreadRef(source, endpoint, id_), kind, (name, offset)


def _readable(archive: Archive, thread: ThreadRef, kind: Kind) -> set[Object]:
    """Return the objects of a thread that some page holds that can be read."""
    hangs = TABLES[kind][2] is not None
    found: set[Object] = set()
    for name, offset in archive.catalog.frames_of(thread, kind):
        with suppress(*UNREADABLE):
            for _, lines in archive.lines_at(thread, kind, name, offset):
                for record in read_records(lines):
                    place = record.seq if record.id is None else record.id
                    found.add((record.parent if hangs else None, place))
    return found


def _rows(archive: Archive, by_thread: dict[ThreadRef, set[Kind]]) -> dict[tuple[ThreadRef, Kind], set[Object]]:
    """Return the objects of these threads that have a row."""
    from exporter.tables._parquet import rows_among

    found: defaultdict[tuple[ThreadRef, Kind], set[Object]] = defaultdict(set)
    ids = sorted({thread.id for thread in by_thread})
    for kind, (table, name, parent) in TABLES.items():
        columns = ["source", "endpoint", "thread_id", "seq", name, *([parent] if parent else [])]
        for path in sorted((archive.path / table).glob("*.parquet")):
            with suppress(Damaged):  # then it is not known, and that file is a finding of its own
                for batch in rows_among(path, ids, columns):
                    for row in batch.to_pylist():
                        thread = ThreadRef(row["source"], row["endpoint"], row["thread_id"])
                        place = row["seq"] if row[name] is None else row[name]
                        found[thread, kind].add((row[parent] if parent else None, place))
    return found


def _what(lost: Counter[str]) -> str:
    told = [
        OWN if table == OWN else f"{count:,} {table if count > 1 else table[:-1]}"
        for table, count in sorted(lost.items())
        if count
    ]
    return f"no file that can be read holds {', '.join(told)} of it any more; the tables still do"


def _help(known: Known) -> str:
    copy = "restore the damaged file from a copy"
    if known.state == "gone":
        return f"{copy}: the server has this thread no more"
    ask = f"`exporter backup --full {printable(known.thread.id)}` asks the server for them again"
    return f"{copy}; else {ask}" + (", which may have forgotten them by now" if forgotten(known) else "")


def forgotten(known: Known) -> bool:
    """Tell whether the source may have deleted the thread, or parts of it, since."""
    active = datetime.fromisoformat(known.active_at) if known.active_at else None
    last = deadline(Standing(known.thread, None, active, active), policy(known.thread.source, known.thread.endpoint))
    return last is not None and last < now()
