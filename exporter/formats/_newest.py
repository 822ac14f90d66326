"""Each object of a thread once, in its newest revision, list by list, at its position.

A thread whose lists were walked once, one after the other, is read straight through. One where a list was walked
again (`fresh` is false), or went on after another one, is sorted in a temporary database that spills to the disk, so
memory stays flat whatever its size.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from datetime import datetime

from exporter.formats._pages import Reader
from exporter.model import Kind, Mark, Record, ThreadRef


def newest(archive: Reader, thread: ThreadRef, kind: Kind) -> Iterator[Record]:
    """Yield the newest revision of each object, in the order in which the lists came first and of their positions."""
    if kind == "thread":  # a thread has one object
        yield from deque((one for _, _, page in archive.thread_pages(thread, kind) for one in page), 1)
    elif is_straight(mark for _, mark, _ in archive.thread_pages(thread, kind)):
        for _, _, records in archive.thread_pages(thread, kind):
            yield from records
    else:
        yield from _sorted(archive, thread, kind)


def is_straight(marks: Iterator[Mark]) -> bool:
    """Tell whether the pages are in the order of the objects already."""
    walked: set[str] = set()
    for name, pages in itertools.groupby(marks, lambda mark: mark.list):
        if name in walked or not all(mark.fresh for mark in pages):
            return False
        walked.add(name)
    return True


def _sorted(archive: Reader, thread: ThreadRef, kind: Kind) -> Iterator[Record]:
    number = itertools.count()
    with closing(sqlite3.connect("")) as db:  # a private temporary file, gone when closed
        db.execute(
            "CREATE TABLE objects (parent TEXT, id TEXT, place INTEGER, seq INTEGER, n INTEGER, run TEXT, at TEXT,"
            " body BLOB, PRIMARY KEY (parent, id))"
        )
        places: dict[str, int] = {}
        # a list has its place by its first page, though that be empty
        pages = (
            (places.setdefault(mark.list, len(places)), page) for _, mark, page in archive.thread_pages(thread, kind)
        )
        for place, record in ((place, record) for place, page in pages for record in page):
            # "#" begins no id: a position stands for what has none
            key = f"#{record.seq}" if record.id is None else json.dumps(record.id)
            values = (json.dumps(record.parent), key, place, record.seq, next(number))
            when = record.observed_at.isoformat()
            db.execute(
                "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*values, record.run, when, record.body),
            )
        for parent, key, seq, run, when, body in db.execute(
            "SELECT parent, id, seq, run, at, body FROM objects ORDER BY place, seq, n"
        ):
            own = None if key.startswith("#") else json.loads(key)
            yield Record(thread, kind, own, seq, datetime.fromisoformat(when), body, run, json.loads(parent))
