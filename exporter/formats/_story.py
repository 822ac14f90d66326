"""One thread as the formats take it: what is known of it, and its objects, each once, with what became of them.

The idea: a format asks for records or for rows, kind by kind, and nothing is read before; what was not asked for
(times, deleted objects) is left out here, so that no format has to know of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from exporter.archive.catalog import Known, owner_of
from exporter.formats._lasting import Lasting
from exporter.formats._newest import newest
from exporter.formats._pages import Pages, Shelf
from exporter.model import Kind, Record, ThreadRef
from exporter.rows import born, row
from exporter.tables._visits import visited

GONE = "gone"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which threads, and what of them; None and nothing stand for all."""

    ids: tuple[str, ...] = ()
    source: str | None = None
    user: str | None = None
    customer: str | None = None
    tag: str | None = None
    since: datetime | None = None
    "Objects from this time on."
    until: datetime | None = None
    "Objects before this time."
    deleted: bool = True
    "Whether what the server has deleted is wanted too."

    @property
    def timed(self) -> bool:
        """Whether not all times are wanted."""
        return self.since is not None or self.until is not None

    def takes(self, known: Known) -> bool:
        """Tell whether anything of a thread is wanted, by what its owner and its visits say."""
        told = (known.thread.source, known.user, known.customer)
        asked = (self.source, self.user, self.customer)
        if any(one is not None and one != has for one, has in zip(asked, told, strict=True)):
            return False
        return (self.tag is None or self.tag in known.tags) and (self.deleted or known.state != GONE)

    def holds(self, time: datetime) -> bool:
        """Tell whether an object of this time is wanted."""
        return (self.since is None or time >= self.since) and (self.until is None or time < self.until)


@dataclass(frozen=True, slots=True)
class Told:
    """An object, and what its record alone does not say."""

    record: Record
    lasting: dict[str, Any]

    @property
    def deleted(self) -> tuple[datetime, str] | None:
        """Since when it is not there any more, and why."""
        since = self.lasting.get("deleted_at")
        return (since, self.lasting["deleted_reason"]) if since else None


class Story:
    """One thread, and for a conversation that is spread over several, those before it."""

    def __init__(self, archive: Shelf, known: Known, wanted: Wanted = Wanted()) -> None:
        self.archive, self.known, self.wanted = archive, known, wanted
        self.pages = Pages(archive, known.thread)
        self.before: tuple[Story, ...] = ()
        "Of a stored response, what it goes on from, the oldest first."
        self.missing: ThreadRef | None = None
        "What the oldest goes on from, where that is not in the archive."
        self.circular = False
        "Whether the oldest goes on from a later one: a server may say anything."

    @property
    def thread(self) -> ThreadRef:
        """Which thread it is."""
        return self.known.thread

    @property
    def gone(self) -> bool:
        """Whether the server has deleted the thread as a whole."""
        return self.known.state == GONE

    @cached_property
    def owner(self) -> Any:
        """Whose it is."""
        return owner_of(self.known)

    def told(self, kind: Kind) -> Iterator[Told]:
        """Yield the wanted objects of a kind in the order of positions; the thread's own is always wanted."""
        lasting = Lasting(self.pages, self.thread, kind) if kind != "thread" else None
        for record in newest(self.pages, self.thread, kind):
            one = Told(record, lasting.of(record) if lasting else {})
            if kind == "thread" or self._wants(one):
                yield one

    def _wants(self, one: Told) -> bool:
        if one.deleted and not self.wanted.deleted:
            return False
        if not self.wanted.timed:
            return True
        return self.wanted.holds(one.lasting.get("ts") or born(one.record) or one.record.observed_at)

    def row(self, one: Told) -> dict[str, Any]:
        """Return an object as its table has it."""
        return {"deleted_at": None, "deleted_reason": None} | (row(one.record, self.owner) or {}) | one.lasting

    def rows(self, kind: Kind) -> Iterator[dict[str, Any]]:
        """Yield the wanted objects of a kind as their table has them."""
        return map(self.row, self.told(kind))

    def head(self) -> dict[str, Any]:
        """Return the thread's own row; of one whose object could not be had, what else is known."""
        found = None
        for found in self.told("thread"):  # noqa: B007 - the newest is the last
            pass
        record = found.record if found else Record(self.thread, "thread", self.thread.id, 0, self._seen(), b"{}")
        told = row(record, self.owner) or {}
        visits = [(n, r) for n, _, page in self.pages.thread_pages(self.thread, "visit") for r in page]
        return told | visited(visits, told["observed_at"]) | {"state": self.known.state}

    def _seen(self) -> datetime:
        """Return when the thread was seen first, or heard of."""
        said = self.known.seen_at or self.known.visited_at or self.known.registered_at
        return datetime.fromisoformat(said) if said else datetime.now().astimezone()

    def is_empty(self) -> bool:
        """Tell whether nothing of the thread that is wanted is in the archive."""
        if self.known.seen_at is None:
            return not any(True for _ in self.told("message"))
        return self.wanted.timed and not any(True for kind in ("message", "run") for _ in self.told(kind))
