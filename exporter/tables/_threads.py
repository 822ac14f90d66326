"""Join what happened to a thread with what is known of it.

The idea: a thread is read again only where its new pages may hold something old, or where its owner's words change;
else its row is counted on. Its own row is always made again, from all that its visits said.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from exporter.model import Kind, Record, Registration, ThreadRef
from exporter.rows import SHAPES, row
from exporter.tables._changes import Changes
from exporter.tables._events import Event
from exporter.tables._folding import Fold
from exporter.tables._known import Known
from exporter.tables._names import month, whose
from exporter.tables._reader import View
from exporter.tables._visits import Visits, gaps, visited
from exporter.text import plain

KEEP_BYTES = 4 << 20
"A thread whose pages are not larger is read once to be folded, else twice."

Made = Iterator[tuple[str, dict[str, Any], int]]
"Rows with their table and size."


class Threads:
    """The threads that something happened to."""

    def __init__(self, view: View, changes: Changes, known: Known, *, torn: bool) -> None:
        self._view, self._changes, self._known = view, changes, known
        self._torn = torn
        "Whether an earlier try ended between two files."

    def join(self, thread: ThreadRef, events: list[Event]) -> None:
        """Fold what has to be folded, and make the row of the thread and those of its gaps."""
        old, kinds = self._known.old(whose(thread)), {event.kind for event in events}
        renewed = "registration" in kinds and (old is not None or self._torn)
        if kinds == {"registration"} and not renewed:
            return
        owner = self._view.owner(thread)
        counts = {}
        for kind in ("message", "run", "step"):
            table = SHAPES[kind].table
            if renewed or self._changes.folds(table, whose(thread)):
                self._changes.fold(table, whose(thread))
                counts[kind] = self._fold(thread, kind, owner, everything=renewed)
        if old is not None or kinds != {"registration"}:
            visits = self._told(thread, "visit", events)
            messages = counts["message"] if "message" in counts else self._messages(thread, events)
            self._objects(thread, owner, events, visits, messages, renewed=renewed)
            self._gaps(thread, owner, visits, everything=renewed)

    def _messages(self, thread: ThreadRef, events: list[Event]) -> int:
        """Count on: the messages of the row, and those of the pages that it does not contain."""
        old = self._known.old(whose(thread))
        count, contains = (old.messages, old.manifest) if old else (0, 0)
        return count + sum(event.count for event in events if event.kind == "message" and event.number > contains)

    def _fold(self, thread: ThreadRef, kind: str, owner: Registration, *, everything: bool) -> int:
        """Make the rows of one thread and kind again, in the months that changed; return how many objects it has."""
        fold = Fold(self._view.since)
        kept: list[Record] | None = []
        size = 0
        for number, record in self._view.history(thread, kind):
            fold.see(number, record)
            size += len(record.body) + 500
            if kept is not None:
                kept.append(record)
            if size > KEEP_BYTES:
                kept = None
        months = fold.months if everything else fold.changed
        records = (record for _, record in self._view.history(thread, kind)) if kept is None else iter(kept)
        self._put(fold.rows(records, owner, months), thread, kind, months)
        return len(fold)

    def _put(self, rows: Made, thread: ThreadRef, kind: str, months: set[int]) -> None:
        """Put rows, and their revisions, in the place of those in these months."""
        self._changes.drop(SHAPES[kind].table, months, whose(thread))
        self._changes.drop("revisions", months, (*whose(thread), kind))
        for table, values, size in rows:
            self._changes.put(table, values, size)

    def _told(self, thread: ThreadRef, kind: Kind, events: list[Event]) -> Visits:
        """Return a thread's records of a kind: those of the events, if the thread has no row yet."""
        if self._known.old(whose(thread)) is not None:
            return list(self._view.history(thread, kind))
        mine = (event for event in events if event.kind == kind and event.body is not None)
        return [(e.number, Record(thread, kind, thread.id, 0, e.observed_at, e.body or b"")) for e in mine]

    def _objects(
        self,
        thread: ThreadRef,
        owner: Registration,
        events: list[Event],
        visits: Visits,
        messages: int,
        *,
        renewed: bool,
    ) -> None:
        """Make the row of a thread again, and the states of its object."""
        objects = [(n, replace(r, id=thread.id, seq=0)) for n, r in self._told(thread, "thread", events)]
        fold = Fold(self._view.since)
        for number, record in objects:
            fold.see(number, record)
        made = list(fold.rows((record for _, record in objects), owner, fold.months))
        old, where = self._known.old(whose(thread)), self._known.months(whose(thread))
        seen = old.first_seen_at if old else next(e.observed_at for e in events if e.kind != "registration")
        values = next((values for table, values, _ in made if table == "threads"), None)
        if values is None:
            values = row(Record(thread, "thread", thread.id, 0, seen, b"{}"), owner) or {}
        if values["ts_source"] == "first_seen_at":
            values["ts"] = seen
        values |= {"first_seen_at": seen, "messages": messages} | visited(visits, values["observed_at"])
        values["tags_json"] = None if owner.tags is None else json.dumps([plain(tag) for tag in owner.tags])
        self._changes.drop("threads", where, whose(thread))
        self._changes.put("threads", values, 1000 + len(str(values.get("extra_json"))))
        if renewed or fold.changed:
            states = (each for each in made if each[0] == "revisions")
            self._put(states, thread, "thread", fold.months | {month(values["ts"])} | where)

    def _gaps(self, thread: ThreadRef, owner: Registration, visits: Visits, *, everything: bool) -> None:
        found, changed = gaps(visits, self._view.since)
        months = {month(gap["ts"]) for key, gap in found.items() if everything or key in changed}
        base = dict(zip(("source", "endpoint", "thread_id"), whose(thread), strict=True))
        base["profile"] = plain(owner.profile)
        self._changes.drop("gaps", months, whose(thread))
        for gap in found.values():
            if month(gap["ts"]) in months:
                self._changes.put("gaps", base | gap, 500)
