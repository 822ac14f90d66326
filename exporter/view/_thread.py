"""A conversation as pages: which thread an address means, and the part of it that is shown."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlencode

from exporter.archive import Archive
from exporter.archive._blobs import NAME
from exporter.errors import UsageError
from exporter.formats._choosing import conversation
from exporter.formats._entries import Section
from exporter.formats._page import kind_of
from exporter.formats._story import Wanted
from exporter.formats._windows import Windows
from exporter.formats.html import facts_of, shown, title_of
from exporter.model import ThreadRef, printable
from exporter.view._names import doubled_in, mark_of, path_of

PART = 100
"Slots that are shown at a time."
BEFORE = 10
"Slots shown before the one that a link leads to."
SHELF = 8
"Conversations that are kept at hand."


def thread_of(archive: Archive, source: str, name: str, mark: str | None) -> ThreadRef:
    """Return the thread that an address means; `UsageError` where there is none, or it may be one of several."""
    found = [one.thread for one in archive.catalog.named(name) if one.thread.source == source]
    if mark is not None:
        found = [one for one in found if mark_of(one.endpoint) == mark]
    if len(found) == 1:
        return found[0]
    where = f"{printable(name[:80])}: "
    if found:
        raise UsageError(f"{where}several endpoints have a thread of this id; choose one in the list.")
    raise UsageError(f"{where}no thread of {printable(source[:40])} with this id is in the archive.")


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
    """One conversation, as it was when it was opened; who asks takes turns."""

    def __init__(self, path: Path, thread: ThreadRef) -> None:
        self.lock = Lock()
        self.closed = False
        self._thread = thread
        self._archive = Archive.open(path)
        try:
            self.manifest = self._archive.manifest()
            self._blobs = Blobs(path)
            self._story = conversation(self._archive, thread, Wanted())
            self._windows = Windows(self._archive, self._story)
            head = self._story.head()
            self._title, self._facts = title_of(self._story, head), facts_of(self._story, head)
            mark = doubled_in(self._archive, thread)
        except BaseException:
            self._archive.close()
            raise
        self._base = path_of(thread, endpoint=mark).removeprefix("/t")
        "Its address below /t and /part."

    def close(self) -> None:
        """Let go of files."""
        self.closed = True
        self._windows.close()
        self._archive.close()

    def shown(self, query: Mapping[str, str]) -> dict[str, Any]:
        """Return what the templates `thread.html` and `part.html` take; the address says which part.

        `from` and `before` say where it begins, or ends; `at` names a slot, and `seq` with `parent` and `thread` a
        message that is to be in it.
        """
        count = len(self._windows)
        begin, end = self._range(query, count)
        entries = [self._shown(slot, one) for slot, one in self._windows.part(begin, end)]
        return {
            "title": self._title,
            "facts": self._facts,
            "gone": self._story.gone,
            "entries": entries,
            "begin": begin,
            "end": end,
            "count": count,
            "base": self._base,
            "earlier": self._link(before=begin) if begin else None,
            "oldest": self._link(**{"from": 0}),
            "later": self._link(**{"from": end}) if end < count else None,
            "newest": self._link(before=count),
        }

    def _range(self, query: Mapping[str, str], count: int) -> tuple[int, int]:
        before, at = _number(query.get("before")), self._wanted(query)
        if before is not None:
            end = max(min(before, count), 1)
            return max(0, end - PART), end
        begin = max(0, at - BEFORE) if at is not None else _number(query.get("from")) or 0
        begin = max(0, min(begin, count - 1))
        return begin, min(begin + PART, count)

    def _wanted(self, query: Mapping[str, str]) -> int | None:
        seq = _number(query.get("seq"))
        if seq is None:
            return _number(query.get("at"))
        return self._windows.find(self._thread, seq, query.get("parent"))

    def _shown(self, slot: int, one: Any) -> dict[str, Any]:
        made = shown(one, self._blobs)
        if not isinstance(one, Section):
            made["href"] = f"/t{self._base}{self._link(at=slot)}#{made['anchor'] or ''}"
        return made

    def _link(self, **params: object) -> str:
        return f"{'&' if '?' in self._base else '?'}{urlencode(params)}"


class Shelf:
    """The conversations that were looked at last, so that the next part of one takes no second look at the whole."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept: OrderedDict[ThreadRef, Reading] = OrderedDict()
        self._lock = Lock()

    @contextmanager
    def reading(self, archive: Archive, thread: ThreadRef) -> Iterator[Reading]:
        """Lend a conversation as it is in the archive now."""
        while True:
            one = self._take(archive.manifest(), thread)
            with one.lock:
                if not one.closed:
                    yield one
                    return

    def close(self) -> None:
        """Let go of all."""
        self._leave(0)

    def _take(self, manifest: int, thread: ThreadRef) -> Reading:
        with self._lock:
            one = self._kept.get(thread)
            if one is not None and not one.closed and one.manifest >= manifest:
                self._kept.move_to_end(thread)
                return one
        fresh = Reading(self._path, thread)
        with self._lock:
            old, self._kept[thread] = self._kept.pop(thread, None), fresh
        for each in (old,) if old else ():
            with each.lock:
                each.close()
        self._leave(SHELF)
        return fresh

    def _leave(self, count: int) -> None:
        with self._lock:
            gone = [self._kept.popitem(last=False)[1] for _ in range(len(self._kept) - count)]
        for one in gone:
            with one.lock:
                one.close()


def _number(text: str | None) -> int | None:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 16 else None
