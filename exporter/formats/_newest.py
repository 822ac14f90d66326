"""Each object of a thread once, in its newest revision, at its position.

A thread that was walked once is read straight through. One that was walked again (`fresh` is false) is sorted in a
temporary database that spills to the disk, so memory stays flat whatever its size.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime
from itertools import count

from exporter.archive import Archive
from exporter.model import Kind, Record, ThreadRef


def newest(archive: Archive, thread: ThreadRef, kind: Kind) -> Iterator[Record]:
    """Yield the newest revision of each object, in the order of positions."""
    if all(mark.fresh for _, mark, _ in archive.thread_pages(thread, kind)) and kind != "thread":
        for _, _, records in archive.thread_pages(thread, kind):
            yield from records
    else:
        yield from _sorted(archive, thread, kind)


def _sorted(archive: Archive, thread: ThreadRef, kind: Kind) -> Iterator[Record]:
    number = count()
    with closing(sqlite3.connect("")) as db:  # a private temporary file, gone when closed
        db.execute(
            "CREATE TABLE objects (parent TEXT, id TEXT, place INTEGER, seq INTEGER, n INTEGER, run TEXT, at TEXT,"
            " body BLOB, PRIMARY KEY (parent, id))"
        )
        places: dict[str | None, int] = {}
        for record in (record for _, _, page in archive.thread_pages(thread, kind) for record in page):
            place = places.setdefault(record.parent, len(places))
            # "#" begins no id: a position stands for what has none
            name = f"#{record.seq}" if record.id is None else json.dumps(record.id)
            values = (json.dumps(record.parent), name, place, record.seq, next(number))
            when = record.observed_at.isoformat()
            db.execute(
                "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, record.run, when, record.body),
            )
        for parent, name, seq, run, when, body in db.execute(
            "SELECT parent, id, seq, run, at, body FROM objects ORDER BY place, seq, n"
        ):
            own = None if name.startswith("#") else json.loads(name)
            yield Record(thread, kind, own, seq, datetime.fromisoformat(when), body, run, json.loads(parent))
