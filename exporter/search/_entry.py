"""What the index keeps of an object beside its words: enough to show it, and to find its text in the archive."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from exporter.archive import _lines
from exporter.model import ThreadRef
from exporter.rows import EPOCH
from exporter.search._places import Place
from exporter.text import plain

Sort = Literal["message", "thread", "file"]
LONGEST = 500
"Bytes of a filter's word; of longer ones the hash stands there."


@dataclass(frozen=True, slots=True)
class Owned:
    """What is known of a thread as a whole: when any of it changes, all its entries are made anew."""

    title: str | None
    user: str | None
    customer: str | None
    gone: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One object of the index, without its words."""

    kind: Sort
    thread: ThreadRef
    owned: Owned
    place: Place | None
    "None for a thread: its title stands in `owned`."
    seq: int
    id: str | None
    parent: str | None
    message: str | None
    "Of a file, the id of the message that points to it."
    role: str | None
    type: str | None
    ts: datetime | None
    deleted: bool
    own_title: str | None = None
    "Of a thread, the title that the server has."

    def dump(self) -> bytes:
        """Return it as bytes."""
        thread, owned, place = self.thread, self.owned, self.place
        whose = (
            self.kind,
            thread.source,
            thread.endpoint,
            thread.id,
            owned.title,
            owned.user,
            owned.customer,
            owned.gone,
        )
        where = (place.segment, place.offset) if place else (None, 0)
        what = (self.seq, self.id, self.parent, self.message, self.role, self.type, microseconds(self.ts), self.deleted)
        return _lines.dump((*whose, *where, *what, self.own_title))


def load(text: bytes) -> Entry:
    """Read what `dump` wrote."""
    kind, source, endpoint, name, title, user, customer, gone, segment, offset, *what, time, deleted, own = json.loads(
        text
    )
    seq, id_, parent, message, role, type_ = what
    owned, place = Owned(title, user, customer, gone), Place(segment, offset) if segment else None
    when = None if time is None else EPOCH + timedelta(microseconds=time)
    thread = ThreadRef(source, endpoint, name)
    return Entry(kind, thread, owned, place, seq, id_, parent, message, role, type_, when, deleted, own)


def microseconds(time: datetime | None) -> int | None:
    """Return the microseconds since 1970."""
    return None if time is None else (time - EPOCH) // timedelta(microseconds=1)


def key_of(thread: ThreadRef) -> str:
    """Return what tells a thread apart in the index."""
    named = json.dumps([thread.source, thread.endpoint, thread.id])
    return hashlib.blake2b(named.encode(), digest_size=16).hexdigest()


def term(word: str) -> str:
    """Return a filter's word as the index has it: no term may be of any length."""
    data = plain(word).encode()
    return plain(word) if len(data) <= LONGEST else f"#{hashlib.blake2b(data, digest_size=16).hexdigest()}"
