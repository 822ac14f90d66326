"""The threads of the catalog: what is known of each, and the questions that find them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from exporter.archive._cipher import SEALED
from exporter.archive._compact import ALWAYS
from exporter.archive._database import Database
from exporter.archive._lines import load
from exporter.archive._many import plain
from exporter.archive._news import News, is_named, name_of, named
from exporter.archive._schema import threads
from exporter.errors import Damaged
from exporter.model import Registration, State, ThreadRef

if TYPE_CHECKING:
    from exporter.archive._cipher import Cipher

MAY_QUOTE = ("title", "error")
"Columns of words that may quote what was said."
BATCH = 500
"Threads per statement: SQLite takes 32,766 values in one."


@dataclass(frozen=True, slots=True)
class Known:
    """A thread of the registry and what its last visit left."""

    thread: ThreadRef
    profile: str
    user: str | None
    customer: str | None
    title: str | None
    tags: tuple[str, ...]
    via: str | None
    "Of a thread that was found by a link, the one that points to it."
    state: State
    code: str | None
    error: str | None
    registered_at: str | None
    seen_at: str | None
    visited_at: str | None
    body: str | None
    "Digest of the newest thread object."
    midway: bool = False
    "Whether a visit brought something and did not come to its end."
    due_at: str = ALWAYS
    "From when on a visit is welcome: since ever where none was, `9999` for never again."
    deadline_at: str | None = None
    "When something may be lost unless a visit comes before."
    interval: float = 1.0
    "Days for which the thread is left alone."
    active_at: str | None = None
    "When something last happened in it, as far as is known."
    asked_at: str | None = None
    "When its own object was last asked for; None where something of it was left unfinished."
    swept_at: str | None = None
    "When it was last walked from its beginning."
    failed_at: str | None = None
    "When its newest visit failed; None: it did not."
    failures: int = 0
    "Nights on which it failed since the last visit that did not."
    touched_at: str | None = None
    "When somebody said that something happened in it; None once a visit has looked."
    gone_at: str | None = None
    "When it was first found gone."
    no: int = 0
    "Its number in the catalog; 0 where it is not there yet."


class Threads(Database):
    """The threads of an open catalog."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        super().__init__(path, create=create)
        self.cipher: Cipher | None = None
        "Of an encrypted archive: titles and errors are sealed, as they may quote what was said."

    def find(self, thread: ThreadRef) -> Known | None:
        """The thread, if it is registered."""
        return next(self._known(is_thread(thread)), None)

    def number_of(self, thread: ThreadRef) -> int | None:
        """The number by which `due` names a thread; None where it is not registered."""
        with self._db() as db:
            return db.execute(sa.select(threads.c.no).where(is_named()), named(thread)).scalar()

    def find_all(self, wanted: Sequence[ThreadRef]) -> dict[ThreadRef, Known]:
        """Those of these threads that are registered."""
        found = (one for place in _batches(wanted) for one in self._known(_is_among(*place)))
        return {one.thread: one for one in found}

    def owners(self, wanted: Sequence[ThreadRef]) -> dict[ThreadRef, Registration]:
        """What is known of the owners of those of these threads that are registered."""
        found: dict[ThreadRef, Registration] = {}
        for source, endpoint, ids in _batches(wanted):
            asked = {"source": source, "endpoint": endpoint, "ids": ids}
            with self._db() as db:
                rows = db.execute(_OWNERS, asked).all()
            for name, profile, user, customer, called, tags in rows:
                thread = ThreadRef(source, endpoint, name)
                title = _opened(called, self.cipher, thread, "title")
                found[thread] = Registration(thread, profile, user, customer, title, _tags(tags))
        return found

    def named(self, thread_id: str) -> list[Known]:
        """All threads with this id, whatever their source and endpoint."""
        return list(self._known(threads.c.id == plain(thread_id)))

    def known(self, **equal: str | None) -> Iterator[Known]:
        """Threads whose columns equal what is given (None: any), in the order they were registered."""
        return self._known(*(threads.c[column] == value for column, value in equal.items() if value is not None))

    def liveliest(self, source: str, profile: str, limit: int) -> list[Known]:
        """Whole threads of a source that a profile sees, those first in which something happened last."""
        whole = (threads.c.source == source, threads.c.profile == profile, threads.c.state == "complete")
        query = _KNOWN.where(*whole).order_by(threads.c.active_at.desc()).limit(limit)
        with self._db() as db:
            return [self._told(row) for row in db.execute(query)]

    def count(self) -> dict[str, int]:
        """How many threads are in each state."""
        query = sa.select(threads.c.state, sa.func.count()).group_by(threads.c.state)
        with self._db() as db:
            return {str(state): int(count) for state, count in db.execute(query)}

    def census(self) -> dict[tuple[str, str], int]:
        """How many threads of each source are in each state."""
        query = sa.select(threads.c.source, threads.c.state, sa.func.count()).group_by(*threads.c["source", "state"])
        with self._db() as db:
            return {(str(source), str(state)): int(count) for source, state, count in db.execute(query)}

    def numbered(self, numbers: Iterable[int]) -> Iterator[Known]:
        """Return threads by the numbers that `due` gave, in their order."""
        stream = iter(numbers)
        while batch := list(islice(stream, BATCH)):
            with self._db() as db:
                rows = {row[-1]: row for row in db.execute(_NUMBERED, {"numbers": batch}).all()}
            yield from (self._told(rows[number]) for number in batch if number in rows)

    def _told(self, row: Sequence[Any]) -> Known:
        known = _known(row)
        if not (_is_sealed(known.title) or _is_sealed(known.error)):
            return known
        opened = {name: _opened(getattr(known, name), self.cipher, known.thread, name) for name in MAY_QUOTE}
        return replace(known, **opened)  # type: ignore[arg-type]

    def _known(self, *where: sa.ColumnElement[bool]) -> Iterator[Known]:
        last = 0
        while True:
            query = _KNOWN.where(threads.c.no > last, *where).order_by(threads.c.no).limit(BATCH)
            with self._db() as db:
                rows = db.execute(query).all()
            yield from map(self._told, rows)
            if len(rows) < BATCH:
                return
            last = rows[-1].no


def owner_of(known: Known) -> Registration:
    """What is known about a thread's owner."""
    return Registration(known.thread, known.profile, known.user, known.customer, known.title, known.tags)


def seal(news: News, cipher: Cipher) -> None:
    """Seal what may quote a text; an empty one says nothing, and stays what it is."""
    for thread, told in news.threads.items():
        for name in MAY_QUOTE:
            if text := told.columns.get(name):
                told.columns[name] = cipher.seal_text(text, (name, *thread))


def _is_sealed(text: str | None) -> bool:
    return text is not None and text.startswith(SEALED)


def _opened(text: str | None, cipher: Cipher | None, thread: ThreadRef, name: str) -> str | None:
    """Return a text as it was before it was sealed; None where that cannot be had without the key."""
    if text is None or not _is_sealed(text):
        return text
    return cipher.open_text(text, (name, *name_of(thread))) if cipher else None


def is_thread(thread: ThreadRef) -> sa.ColumnElement[bool]:
    """Whether a row is that of this thread."""
    same = {"source": thread.source, "endpoint": plain(thread.endpoint), "id": plain(thread.id)}
    return sa.and_(*(threads.c[name] == value for name, value in same.items()))


def _batches(wanted: Iterable[ThreadRef]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield source, endpoint and ids of some of these threads each."""
    places: dict[tuple[str, str], list[str]] = {}
    for thread in wanted:
        places.setdefault((thread.source, thread.endpoint), []).append(thread.id)
    for (source, endpoint), ids in places.items():
        for begin in range(0, len(ids), BATCH):
            yield source, endpoint, ids[begin : begin + BATCH]


def _is_among(source: Any, endpoint: Any, ids: Any) -> sa.ColumnElement[bool]:
    """Whether a row is that of one of these threads."""
    return sa.and_(threads.c.source == source, threads.c.endpoint == endpoint, threads.c.id.in_(ids))


_KNOWN = sa.select(*threads.c["source", "endpoint", "id"], *(threads.c[name] for name in Known.__slots__[1:]))
_NUMBERED = _KNOWN.where(threads.c.no.in_(sa.bindparam("numbers", expanding=True)))
_OWNERS = sa.select(*threads.c["id", "profile", "user", "customer", "title", "tags"]).where(
    _is_among(sa.bindparam("source"), sa.bindparam("endpoint"), sa.bindparam("ids", expanding=True))
)
_TAGS = Known.__slots__.index("tags") - 1


def _known(row: Sequence[Any]) -> Known:
    source, endpoint, name, *rest = row
    rest[_TAGS] = _tags(rest[_TAGS])
    return Known(ThreadRef(source, endpoint, name), *rest)


def _tags(text: Any) -> tuple[str, ...]:
    """Read what a catalog has of a thread's tags; `Damaged` where a disk or a hand changed it."""
    try:
        return tuple(map(str, load(text.encode()))) if text else ()
    except (AttributeError, TypeError, ValueError):
        raise Damaged("catalog.sqlite: the tags of a thread are none; run `exporter rebuild`") from None
