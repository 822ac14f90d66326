"""What changed objects said before: their former revisions, oldest first.

The idea: hardly any thread has one, so nothing is read before somebody asks; then the bodies lie in a private temporary
database, which spills to the disk.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from exporter.formats._story import Story, Told
from exporter.model import Kind, Record
from exporter.rows import identity
from exporter.tables._content import state_of


class Former:
    """The former revisions of one kind of objects of a thread."""

    def __init__(self, story: Story, kind: Kind) -> None:
        self._story, self._kind = story, kind
        self._db: sqlite3.Connection | None = None

    def close(self) -> None:
        """Let go of the database."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def of(self, one: Told) -> list[Record]:
        """Return what an object was before it was what it is."""
        if not one.lasting.get("revision"):
            return []
        if self._db is None:
            self._db = self._gathered()
        query = "SELECT at, run, body FROM states WHERE key = ? ORDER BY n"
        rows = self._db.execute(query, (identity(one.record),)).fetchall()
        return [
            replace(one.record, observed_at=datetime.fromisoformat(at), run=run, body=body)
            for at, run, body in rows[:-1]
        ]

    def _gathered(self) -> sqlite3.Connection:
        changed = self._changed()
        db = sqlite3.connect("", check_same_thread=False)  # who asks takes turns
        db.execute("CREATE TABLE states (n INTEGER PRIMARY KEY, key BLOB, at TEXT, run TEXT, body BLOB)")
        db.execute("CREATE INDEX by_key ON states (key)")
        last: dict[bytes, bytes] = {}
        for key, record in self._history():
            if key in changed and last.get(key) != (state := state_of(record)):
                last[key] = state
                values = (key, record.observed_at.isoformat(), record.run, record.body)
                db.execute("INSERT INTO states (key, at, run, body) VALUES (?, ?, ?, ?)", values)
        return db

    def _changed(self) -> set[bytes]:
        first: dict[bytes, bytes] = {}
        return {key for key, record in self._history() if first.setdefault(key, state_of(record)) != state_of(record)}

    def _history(self) -> Iterator[tuple[bytes, Record]]:
        for _, _, page in self._story.pages.thread_pages(self._story.thread, self._kind):
            yield from ((identity(record), record) for record in page)
