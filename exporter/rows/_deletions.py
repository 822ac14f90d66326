"""Which objects of a thread are not there any more: our word on it holds until the object is archived again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime

from exporter.model import Kind, Record
from exporter.text import clean, members, string

Deleted = tuple[datetime, str]
"Since when, and why."

_When = tuple[int, datetime]
"The number of the manifest, and the time: clocks are set back, and one manifest holds many visits."


def identity(record: Record) -> bytes:
    """Return 16 bytes that tell the objects of one thread and kind apart."""
    name = f"#{record.seq}" if record.id is None else f"={record.id}"
    parent = "" if record.parent is None else f"{len(record.parent)}:{record.parent}"
    return hashlib.blake2b(f"{parent}{name}".encode("utf-8", "surrogatepass"), digest_size=16).digest()


def deleted_kind(record: Record) -> str | None:
    """Return of which kind the object is that a record of kind `deletion` speaks of."""
    return _told(record, "kind")


class Deletions:
    """The deletions of one thread's objects of one kind; `see` takes the records of the objects, in any order."""

    def __init__(self, records: Iterable[tuple[int, Record]], kind: Kind) -> None:
        self._told: dict[bytes, list[tuple[_When, str]]] = {}
        self._seen: dict[bytes, _When] = {}
        "When an object that was deleted was archived last."
        for number, record in records:
            if deleted_kind(record) == kind:
                found = self._told.setdefault(identity(record), [])
                found.append(((number, record.observed_at), _told(record, "reason") or "deleted"))

    def __bool__(self) -> bool:
        return bool(self._told)

    def see(self, key: bytes, number: int, record: Record) -> int:
        """Take an object's record; return the manifest of the newest word on its deletion, 0 where there is none."""
        told = self._told.get(key)
        if told is None:
            return 0
        when = (number, record.observed_at)
        self._seen[key] = max(when, self._seen.get(key, when))
        return told[-1][0][0]

    def of(self, key: bytes) -> Deleted | None:
        """Return since when an object is not there: the first word on it after it was archived last."""
        told, seen = self._told.get(key, ()), self._seen.get(key)
        return next(((when[1], reason) for when, reason in told if seen is not None and when >= seen), None)


def _told(record: Record, name: str) -> str | None:
    return string((members(clean(record.body)) or {}).get(name))
