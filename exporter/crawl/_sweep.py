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
from exporter.model import Item, Kind, Page, ThreadRef, now

OBJECTS: tuple[Kind, ...] = ("message", "run", "step")
"Kinds of which a thread has lists."
LIST = "deletions"

Key = bytes


class Sweep:
    """What the archive holds of one thread, against what the server gives."""

    def __init__(self, archive: Archive, thread: ThreadRef) -> None:
        self._thread = thread
        self._bodies: dict[Key, bytes] = {}
        self._objects: dict[str, dict[Key, tuple[Kind, str | None, str | None]]] = {}
        "Of each list, its objects by key: kind, id, parent."
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
        """Yield what of a page the archive lacks; the cursor moves with each part, as all before it is archived."""
        self._walked.add(page.list)
        for seq, item in enumerate(page.items, page.seq):
            key = _key(page.kind, page.parent, item.id, seq)
            self._seen.add(key)
            if self._bodies.get(key) != _hash(item.body) or key in self._deleted:
                yield replace(page, items=(item,), seq=seq, next_seq=page.position.seq, fresh=False)

    def deletions(self, doubtful: set[str]) -> Iterator[Page]:
        """Yield our record of each object that is not there any more, of the lists that were walked without doubt."""
        for name in sorted(self._objects):
            if name in doubtful or name in self._nameless or name not in self._walked:
                continue
            for key, (kind, id_, parent) in self._objects[name].items():
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
                self._bodies[key] = _hash(record.body)
                objects[key] = (kind, record.id, record.parent)
                if key in self._deleted and (segment, record.observed_at) > self._deleted[key]:
                    del self._deleted[key]
                if record.id is None:
                    self._nameless.add(mark.list)


def _key(kind: str, parent: str | None, name: str | None, seq: int) -> Key:
    """Return 16 bytes that tell the objects of a thread apart: by id, or by position where there is none."""
    said = orjson.dumps([kind, parent, name, None if name is not None else seq])
    return hashlib.blake2b(said, digest_size=16).digest()


def _hash(body: bytes) -> bytes:
    return hashlib.blake2b(body, digest_size=16).digest()
