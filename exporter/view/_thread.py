"""A conversation as pages: which thread an address means, and the part of it that is shown."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlencode

from exporter.archive import Archive
from exporter.archive._blobs import NAME
from exporter.errors import UsageError
from exporter.formats._choosing import conversation
from exporter.formats._page import kind_of
from exporter.formats._story import Wanted
from exporter.formats._windows import Windows
from exporter.formats.html import facts_of, shown, title_of
from exporter.model import ThreadRef, printable
from exporter.view._names import mark_of, path_of

PART = 100
"Entries that are shown at a time."
BEFORE = 10
"Entries shown before the one that a link leads to."
SHELF = 8
"Conversations that are kept at hand."


def thread_of(archive: Archive, source: str, name: str, mark: str | None) -> ThreadRef:
    """Return the thread that an address means; `UsageError` where there is none, or several."""
    found = [one.thread for one in archive.catalog.named(name) if one.thread.source == source]
    if mark is not None:
        found = [one for one in found if mark_of(one.endpoint) == mark]
    if not found:
        raise UsageError(
            f"{printable(name[:80])}: no thread of {printable(source[:40])} with this id is in the archive."
        )
    return found[0]


@dataclass(frozen=True, slots=True)
class Blobs:
    """Contents of files have addresses of their own."""

    archive: Path

    def picture(self, blob: str) -> str | None:
        """See `Contents.picture`."""
        try:
            with (self.archive / blob).open("rb") as file:
                return self.link(blob) if kind_of(file.read(16)) else None
        except OSError:
            return None

    def link(self, blob: str) -> str | None:
        """See `Contents.link`."""
        found = NAME.fullmatch(blob)
        return f"/blob/{found[2]}" if found else None


class Reading:
    """One conversation."""

    def __init__(self, archive: Archive, thread: ThreadRef, *, doubled: bool) -> None:
        self._thread = thread
        self._blobs = Blobs(archive.path)
        self._story = conversation(archive, thread, Wanted())
        self._windows = Windows(self._story)
        self._head = self._story.head()
        self._lock = Lock()
        self._base = path_of(thread, endpoint=doubled).removeprefix("/t")
        "Its address below /t and /part."

    def shown(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return what the templates `thread.html` and `part.html` take."""
        count = self._windows.count
        at = _number(query.get("at"))
        begin = max(0, at - BEFORE) if at is not None else _number(query.get("from")) or 0
        before = _number(query.get("before"))
        if before is not None:
            begin, end = max(0, min(before, count) - PART), min(before, count)
        else:
            begin = min(begin, count)
            end = min(begin + PART, count)
        with self._lock:
            entries = [self._shown(slot, one) for slot, one in self._windows.part(begin, end)]
        return {
            "title": title_of(self._story, self._head),
            "facts": facts_of(self._story, self._head),
            "gone": self._story.gone,
            "entries": entries,
            "begin": begin,
            "end": end,
            "count": count,
            "base": self._base,
            "earlier": self._link(before=begin) if begin else None,
            "oldest": self._link(**{"from": 0}),
            "later": self._link(**{"from": end}) if end < count else None,
            "newest": self._link(before=count) if end < count else None,
        }

    def _shown(self, slot: int, one: Any) -> dict[str, Any]:
        made = shown(one, self._blobs)
        if made.get("anchor"):
            made["href"] = f"/t{self._base}{self._link(at=slot)}#{made['anchor']}"
        return made

    def _link(self, **params: object) -> str:
        return f"{'&' if '?' in self._base else '?'}{urlencode(params)}"


class Shelf:
    """The conversations that were looked at last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[ThreadRef, tuple[int, Reading]] = OrderedDict()
        self._lock = Lock()

    def read(self, archive: Archive, thread: ThreadRef) -> Reading:
        """Return a conversation as it is in the archive now."""
        doubled = sum(one.thread.source == thread.source for one in archive.catalog.named(thread.id)) > 1
        return Reading(archive, thread, doubled=doubled)


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None
