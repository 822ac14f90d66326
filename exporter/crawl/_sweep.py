"""A walk of a thread from its beginning: what the archive holds already is no news, and what is missing was deleted.

The objects of the thread are read from the archive once, and remembered as hashes: 200,000 of them fit into 40 MB.
What a damaged segment held is no longer in the archive, so a walk from the beginning brings it again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

import orjson

from exporter.archive import Archive
from exporter.model import Item, Kind, Page, Position, Positions, ThreadRef, now

OBJECTS: tuple[Kind, ...] = ("message", "run", "step")
"Kinds of which a thread has lists."
LIST = "deletions"
MANY = 10
"Objects of a list; where so many are not there, and most of it, the server may just have answered badly."

Key = bytes


class Sweep:
    """What the archive holds of one thread, against what the server gives."""

    def __init__(self, archive: Archive, thread: ThreadRef, positions: Positions) -> None:
        self._thread = thread
        self._bodies: dict[Key, bytes] = {}
        self._objects: dict[str, dict[Key, tuple[Kind, str | None, str | None, int]]] = {}
        "Of each list, its objects by key: kind, id, parent, position."
        self._safe = dict(positions)
        "How far each list is archived without a gap: from here a walk that is cut short is gone on with."
        self._next: dict[str, int] = {}
        "Of each list, the position that comes after all that were passed."
        self._places: dict[str, set[int]] = {}
        "Of each list that has new objects, the positions of the old ones."
        self._nameless: set[str] = set()
        "Lists with objects that have no id: which one is missing, nobody can tell."
        self._deleted: dict[Key, tuple[int, datetime]] = {}
        """Where it was written that an object is not there, and when; one that came back later is none of these. Of
        two segments the number tells which is later, whatever the clock said."""
        self._seen: set[Key] = set()
        self._walked: set[str] = set()
        self._count = 0
        for segment, _, records in archive.thread_pages(thread, "deletion", what_is_left=True):
            for record in records:
                self._count += 1
                key = _key(orjson.loads(record.body)["kind"], record.parent, record.id, 0)
                self._deleted[key] = (segment, record.observed_at)
        for kind in OBJECTS:
            self._read(archive, kind)

    def news(self, page: Page) -> Iterator[Page]:
        """Yield what of a page the archive lacks; the cursor moves with the last part, as all before it is archived.

        An object keeps the position that it was archived with. A new one comes behind those it follows, although the
        server, which has forgotten what was deleted before them, counts fewer.
        """
        parts, open_ = list(self._parts(page)), page.list in self._safe and self._safe[page.list].more
        before = self._safe.get(page.list, Position())
        after = self._safe[page.list] = self._end(page, before)
        if open_ and not (parts or after.more):
            yield replace(page, items=(), seq=after.seq, cursor=after.cursor, next_seq=None, fresh=False)
        for number, (seq, item) in enumerate(parts, 1):
            at = after if number == len(parts) else before
            yield replace(page, items=(item,), seq=seq, cursor=at.cursor, more=at.more, next_seq=at.seq, fresh=False)

    def _parts(self, page: Page) -> Iterator[tuple[int, Item]]:
        """Yield the objects that the archive lacks, with their positions."""
        self._walked.add(page.list)
        known = self._objects.get(page.list, {})
        keys = [_key(page.kind, page.parent, item.id, seq) for seq, item in enumerate(page.items, page.seq)]
        tail = max((n for n, key in enumerate(keys, 1) if key in known), default=0)
        for n, (key, item) in enumerate(zip(keys, page.items, strict=True)):
            self._seen.add(key)
            place = known[key][-1] if key in known else self._place(page, n, item, free=n >= tail)
            self._next[page.list] = max(self._next.get(page.list, 0), place + 1)
            if self._bodies.get(key) != body_hash(item.body) or key in self._deleted:
                yield place, item

    def _place(self, page: Page, n: int, item: Item, *, free: bool) -> int:
        """Return where a new object stands: behind what precedes it; where nothing old follows, in a place of its own.

        The places of objects that were deleted at the end of a list are not given again.
        """
        if item.id is None:
            return page.seq + n
        place = max(page.seq + n, self._next.get(page.list, 0))
        if free and page.list not in self._places:
            self._places[page.list] = {seq for *_, seq in self._objects.get(page.list, {}).values()}
        while free and place in self._places[page.list]:
            place += 1
        return place

    def _end(self, page: Page, before: Position) -> Position:
        """Return how far the list is archived once this page is: never less far than before, but at its end."""
        end, held = page.position, page.position.seq < page.seq + len(page.items)
        if end.cursor is not None:
            beyond = self._next.get(page.list, 0) - (page.seq + len(page.items))
            end = Position(end.cursor, end.seq + max(0, beyond), end.more)
        if page.more:
            return end if end.seq > before.seq else before
        # no place is given again, though what stood there was deleted
        return end if end.cursor is None or held else replace(end, seq=max(end.seq, before.seq))

    def emptied(self) -> Iterator[tuple[str, int, int]]:
        """Yield the lists of which all or most is not there any more: how many objects, and of how many."""
        for name in sorted(self._walked & self._objects.keys()):
            there = [key for key in self._objects[name] if key not in self._deleted]
            missing = sum(key not in self._seen for key in there)
            if missing > 1 and (missing == len(there) or (missing >= MANY and 2 * missing > len(there))):
                yield name, missing, len(there)

    def deletions(self, doubtful: set[str]) -> Iterator[Page]:
        """Yield our record of each object that is not there any more, of the lists that were walked without doubt."""
        for name in sorted(self._objects):
            if name in doubtful or name in self._nameless or name not in self._walked:
                continue
            for key, (kind, id_, parent, _) in self._objects[name].items():
                if key in self._seen or key in self._deleted:
                    continue
                body = orjson.dumps({"kind": kind, "list": name, "reason": "deleted"})
                items = (Item(id_, body),)
                yield Page(
                    self._thread, "deletion", items, None, False, now(), LIST, self._count, fresh=False, parent=parent
                )
                self._count += 1

    def _read(self, archive: Archive, kind: Kind) -> None:
        for segment, mark, records in archive.thread_pages(self._thread, kind, what_is_left=True):
            objects = self._objects.setdefault(mark.list, {})
            for record in records:
                key = _key(kind, record.parent, record.id, record.seq)
                self._bodies[key] = body_hash(record.body)
                objects[key] = (kind, record.id, record.parent, record.seq)
                if key in self._deleted and (segment, record.observed_at) > self._deleted[key]:
                    del self._deleted[key]
                if record.id is None:
                    self._nameless.add(mark.list)


def _key(kind: str, parent: str | None, name: str | None, seq: int) -> Key:
    """Return 16 bytes that tell the objects of a thread apart: by id, or by position where there is none."""
    said = orjson.dumps([kind, parent, name, None if name is not None else seq])
    return hashlib.blake2b(said, digest_size=16).digest()


def body_hash(body: bytes) -> bytes:
    """Tell what an object says in 16 bytes, as of many all are remembered."""
    return hashlib.blake2b(body, digest_size=16).digest()
