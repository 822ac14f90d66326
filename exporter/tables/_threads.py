"""Join what happened to a thread with what is known of it.

The idea: most threads are new with one object of their own, or only grew. The row of a new one is made of what just
came; in the row of one that grew, a few columns change. Only where something old came again or was deleted, where the
thread's object came again or its owner's words change, is the thread read again.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from exporter.model import Kind, Record, Registration, ThreadRef
from exporter.rows import LISTED, TABLE_OF, Deletions, row, time_of
from exporter.tables._changes import PATCHED, Changes
from exporter.tables._events import Event, first_seen
from exporter.tables._folding import Fold
from exporter.tables._known import Known, Old
from exporter.tables._names import month, whose
from exporter.tables._newcomers import Came, newcomers, tags_json
from exporter.tables._reader import View
from exporter.tables._visits import Visits, gaps, names_gaps, visited
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

    def take(self, some: Sequence[tuple[ThreadRef, list[Event]]]) -> None:
        """Fold what has to be folded, and make the rows of threads and those of their gaps: of ever later names."""
        owners = self._view.owners(thread for thread, _ in some)
        came = [self._came(thread, events, owners[thread]) for thread, events in some]
        simple: list[Came] = []
        others: list[Came] = []
        for one in came:
            (simple if self._is_simple(one) else others).append(one)
        for one in (*newcomers(simple, self._changes), *others):
            self._join(one)

    def _came(self, thread: ThreadRef, events: list[Event], owner: Registration) -> Came:
        old = self._known.old(whose(thread))
        return Came(thread, events, owner, old, old is not None and self._known.lacks(whose(thread)))

    def _is_simple(self, one: Came) -> bool:
        """Tell whether a thread is new, with one object of its own, and nothing came twice."""
        if one.old is not None or self._torn:
            return False
        kinds = [event.kind for event in one.events]
        if kinds.count("thread") > 1 or kinds.count("registration") == len(kinds) or "deletion" in kinds:
            return False
        return not any(_repeats(kind, one.events) for kind in LISTED if kind in kinds)

    def _join(self, one: Came) -> None:
        thread, events, owner, old = one.thread, one.events, one.owner, one.old
        kinds = {event.kind for event in events}
        renewed = "registration" in kinds and (old is not None or self._torn)
        if kinds == {"registration"} and not renewed:
            return
        deleted = {(event.body or b"").decode() for event in events if event.kind == "deletion"}
        counts = {}
        for kind in LISTED:
            if renewed or kind in deleted or _repeats(kind, events):
                counts[kind] = self._fold(thread, kind, owner, everything=renewed)
        if old is None and kinds == {"registration"}:
            return
        messages = counts["message"] if "message" in counts else _messages(old, events)
        new = _told(thread, "visit", events)
        if old is not None and not renewed and not self._torn and "thread" not in kinds:
            self._grow(thread, old, new, messages)
        else:
            self._make(one, messages, renewed=renewed)
        if old is None or renewed or self._torn or one.lacks or names_gaps(new):
            self._gaps(thread, owner, self._all(one, "visit"), everything=renewed)

    def _fold(self, thread: ThreadRef, kind: Kind, owner: Registration, *, everything: bool) -> int:
        """Make the rows of one thread and kind again, in the months that changed; return how many objects it has."""
        fold = Fold(self._view.since, Deletions(self._view.history(thread, "deletion"), kind))
        kept: list[Record] | None = []
        size = 0
        for number, record in self._view.history(thread, kind):
            fold.see(number, record)
            size += len(record.body) + 500
            if kept is not None:
                kept.append(record)
            if size > KEEP_BYTES:
                kept = None
        self._changes.fold(TABLE_OF[kind], fold.appended, whose(thread))
        months = fold.months if everything else fold.changed
        records = (record for _, record in self._view.history(thread, kind)) if kept is None else iter(kept)
        self._put(fold.rows(records, owner, months), thread, kind, months)
        return len(fold)

    def _put(self, rows: Made, thread: ThreadRef, kind: Kind, months: set[int]) -> None:
        """Put rows, and their revisions, in the place of those in these months."""
        self._changes.drop(TABLE_OF[kind], months, whose(thread))
        self._changes.drop("revisions", months, (*whose(thread), kind))
        for table, values, size in rows:
            self._changes.put(table, values, size)

    def _all(self, one: Came, kind: Kind) -> Visits:
        """Return all records of a kind: those of the events, if the thread has no row yet."""
        if one.old is None:
            return _told(one.thread, kind, one.events)
        return list(self._view.history(one.thread, kind))

    def _grow(self, thread: ThreadRef, old: Old, visits: Visits, messages: int) -> None:
        """Change what visits change in a thread's row."""
        told = visited(visits, old.observed_at, old.state, old.deleted_at, old.deleted_reason)
        values = told | {"messages": messages}
        for of in old.months:
            self._changes.patch(of, whose(thread), tuple(values[name] for name in PATCHED))

    def _make(self, one: Came, messages: int, *, renewed: bool) -> None:
        """Make the row of a thread, and the states of its object."""
        thread, owner, old = one.thread, one.owner, one.old
        objects = [(n, replace(r, id=thread.id, seq=0)) for n, r in self._all(one, "thread")]
        seen = old.first_seen_at if old else time_of(first_seen(one.events))
        if old is None and len(objects) == 1:
            fold, made = None, [("threads", row(objects[0][1], owner) or {}, 0)]
        else:
            fold = Fold(self._view.since, Deletions((), "thread"))
            for number, record in objects:
                fold.see(number, record)
            made = list(fold.rows((record for _, record in objects), owner, fold.months))
        values = next((values for table, values, _ in made if table == "threads"), None)
        if values is None:
            values = row(Record(thread, "thread", thread.id, 0, seen, b"{}"), owner) or {}
        if values["ts_source"] == "first_seen_at":
            values["ts"] = seen
        visits = self._all(one, "visit")
        values |= {"first_seen_at": seen, "messages": messages} | visited(visits, values["observed_at"])
        values["tags_json"] = tags_json(owner)
        where = set(old.months) if old else set()
        self._changes.drop("threads", where, whose(thread))
        self._changes.put("threads", values, 1000 + len(str(values.get("extra_json"))))
        if fold is not None and (renewed or fold.changed):
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


def _repeats(kind: Kind, events: list[Event]) -> bool:
    """Tell whether any object of a kind came twice, where that may be, or whether that is not known."""
    pages = [event for event in events if event.kind == kind]
    if all(page.fresh for page in pages):
        return False
    if any(page.again for page in pages):
        return True
    keys = array("q")
    for page in pages:
        keys += page.keys()
    told = pa.Array.from_buffers(pa.int64(), len(keys), [None, pa.py_buffer(keys)])
    return pc.count_distinct(told).as_py() < sum(page.count for page in pages)


def _messages(old: Old | None, events: list[Event]) -> int:
    """Count on: the messages of the row, and those of the pages that it does not contain."""
    count, contains = (old.messages, old.manifest) if old else (0, 0)
    return count + sum(event.count for event in events if event.kind == "message" and event.number > contains)


def _told(thread: ThreadRef, kind: Kind, events: list[Event]) -> Visits:
    """Return the records of a kind that just came."""
    mine = [event for event in events if event.kind == kind and event.body is not None]
    return [(e.number, Record(thread, kind, thread.id, 0, e.observed_at, e.body or b"")) for e in mine]
