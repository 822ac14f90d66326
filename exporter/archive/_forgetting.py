"""What a manifest that erases changes in the catalog, in the transaction that indexes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from exporter.archive._news import News
from exporter.archive._schema import facts, frames, inbox, lists, segments, threads
from exporter.archive._segments import Frame
from exporter.archive._tombstones import Quotes, tombstone
from exporter.model import Segment, ThreadRef

BATCH = 500
"Rows per statement."
PREFIX = "hint "
"How the facts are named that are hints: see `_hints`, which knows this module."
PLACES = "discover:"
"How the facts are named that say where a list goes on: they quote ids, and without one the list is walked again."


@dataclass(frozen=True, slots=True)
class Erasing:
    """What is erased."""

    archive: str
    tombstones: frozenset[str]
    ids: frozenset[str]
    "The hashes of their ids alone."
    replaced: Sequence[tuple[Segment, Callable[[], Iterable[Frame]]]]
    "Segments as they are now, and what reads them."


def forget(db: Connection, what: Erasing) -> None:
    """Take threads out of all tables, and note where the pages of the others are now."""
    gone = list(_threads(db, what))
    for table, column in ((lists, lists.c.thread), (frames, frames.c.thread), (threads, threads.c.no)):
        _delete(db, table, column, [no for no, _ in gone])
    ids = {thread.id for _, thread in gone}
    for thread in list(_waiting(db, what)):
        ids.add(thread.id)
        same = zip(inbox.primary_key.columns, (thread.source, thread.endpoint, thread.id), strict=True)
        db.execute(sa.delete(inbox).where(*(column == value for column, value in same)))
    scrub(db, Quotes(ids))
    _move(db, what.replaced)


def scrub(db: Connection, quotes: Quotes) -> None:
    """Take out of the facts what names any of these threads; those of the archive itself quote nobody."""
    if not quotes:
        return
    quoting = sa.or_(facts.c.key.startswith(PREFIX), facts.c.key.startswith(PLACES))
    for key, value in db.execute(sa.select(facts).where(quoting)).all():
        if not quotes.any_in(f"{key} {value}"):
            continue
        db.execute(sa.delete(facts).where(facts.c.key == key))
        if (kept := _scrubbed(quotes, key, value)) is not None:
            db.execute(sa.insert(facts).values(key=key, value=kept))


def _scrubbed(quotes: Quotes, key: str, value: str) -> str | None:
    if key.startswith(PLACES) or quotes.any_in(key):
        return None
    try:
        return json.dumps(quotes.scrubbed(json.loads(value)))
    except ValueError:
        return None


def _threads(db: Connection, what: Erasing) -> Iterator[tuple[int, ThreadRef]]:
    for no, *named in db.execute(sa.select(*threads.c["no", "source", "endpoint", "id"])):
        if tombstone(what.archive, thread := ThreadRef(*named)) in what.tombstones:
            yield no, thread


def _waiting(db: Connection, what: Erasing) -> Iterator[ThreadRef]:
    for named in db.execute(sa.select(*inbox.c["source", "endpoint", "id"])):
        if tombstone(what.archive, thread := ThreadRef(*named)) in what.tombstones:
            yield thread


def _delete(db: Connection, table: sa.Table, column: sa.ColumnElement[Any], numbers: Sequence[int]) -> None:
    for begin in range(0, len(numbers), BATCH):
        db.execute(sa.delete(table).where(column.in_(numbers[begin : begin + BATCH])))


def _move(db: Connection, replaced: Sequence[tuple[Segment, Callable[[], Iterable[Frame]]]]) -> None:
    """Note where the pages of rewritten segments are, but of those that were read as they are now."""
    known = {int(no): str(name) for no, name in db.execute(sa.select(*segments.c["number", "name"]))}
    moved = [(segment, read) for segment, read in replaced if known.get(segment.number) != segment.name]
    _delete(db, frames, frames.c.segment, [segment.number for segment, _ in moved])
    for segment, read in moved:
        db.execute(sa.update(segments).where(segments.c.number == segment.number).values(name=segment.name))
        news = News()
        for part in read():
            news.take(part)
        news.write_frames(db, segment.number)
