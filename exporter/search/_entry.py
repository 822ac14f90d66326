"""What the index keeps of an object beside its words: enough to show it, and to find its text in the archive."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

from exporter.archive import _lines
from exporter.model import ThreadRef
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


class Entry(NamedTuple):
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
    ts: int | None
    "Microseconds since 1970."
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
        what = (self.seq, self.id, self.parent, self.message, self.role, self.type, self.ts, self.deleted)
        return _lines.dump((*whose, *where, *what, self.own_title))


def load(text: bytes) -> Entry:
    """Read what `dump` wrote."""
    kind, source, endpoint, name, title, user, customer, gone, segment, offset, *what, time, deleted, own = json.loads(
        text
    )
    seq, id_, parent, message, role, type_ = what
    owned, place = Owned(title, user, customer, gone), Place(segment, offset) if segment else None
    thread = ThreadRef(source, endpoint, name)
    return Entry(kind, thread, owned, place, seq, id_, parent, message, role, type_, time, deleted, own)


def key_of(thread: ThreadRef) -> str:
    """Return what tells a thread apart in the index."""
    named = json.dumps([thread.source, thread.endpoint, thread.id])
    return hashlib.blake2b(named.encode(), digest_size=16).hexdigest()


@lru_cache(4096)
def term(word: str) -> str:
    """Return a filter's word as the index has it: no term may be of any length."""
    data = plain(word).encode()
    return plain(word) if len(data) <= LONGEST else f"#{hashlib.blake2b(data, digest_size=16).hexdigest()}"
