"""The catalog: an index of registry and segments in one SQLite file, derived and disposable.

Everything in it comes from `index`, which reads the pages of committed segments:
rebuilding it is indexing again from nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection

from exporter.archive import _touched
from exporter.archive._cipher import SEALED
from exporter.archive._compact import ALWAYS, NEVER
from exporter.archive._due import Due, due, stamp
from exporter.archive._forgetting import Erasing, forget, scrub
from exporter.archive._lines import load
from exporter.archive._many import plain
from exporter.archive._news import BY_SESSION, News, digest, is_named, name_of, named, note, update
from exporter.archive._schema import (
    HINTS,
    SCHEMA,
    facts,
    frames,
    inbox,
    lists,
    metadata,
    segments,
    table_files,
    threads,
)
from exporter.archive._segments import Frame
from exporter.archive._sqlite import engine_for_reading, engine_for_writing, shrink
from exporter.archive._timing import WorkOut, before_first, make_indexes, work_out_new, work_out_some
from exporter.archive._tombstones import FACT, NEWEST, UNFINISHED, Quotes, hashed, tombstone
from exporter.errors import ArchiveError, Damaged, DiskFull, Locked
from exporter.files import make_folder, writing
from exporter.model import Position, Registration, Segment, State, ThreadRef

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


class Catalog:
    """An open catalog; every method is one short transaction."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        self.cipher: Cipher | None = None
        "Of an encrypted archive: titles and errors are sealed, as they may quote what was said."
        if not create:
            self._engine = engine_for_reading(path)
            return
        if not path.exists():
            make_folder(path.parent)
            with writing(path):
                pass
        self._engine = engine_for_writing(path)
        try:
            with self._db() as db:
                metadata.create_all(db, [facts])
                if db.execute(sa.select(facts.c.value).where(facts.c.key == "schema")).scalar() != str(SCHEMA):
                    _begin_again(db)
                metadata.create_all(db)
                make_indexes(db)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    @contextmanager
    def _db(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as db:
                yield db
        except sa.exc.DatabaseError as error:
            raise _translated(error, self.path) from error

    def verify(self) -> None:
        """Read the whole file; `Damaged` if it contradicts itself."""
        with self._db() as db:
            said = db.execute(sa.text("PRAGMA integrity_check(1)")).scalar()
        if said != "ok":
            raise Damaged(f"{self.path}: {said}; run `exporter rebuild`")

    @property
    def current(self) -> bool:
        """Whether this version of the program made it."""
        return self.fact("schema") == str(SCHEMA)

    def indexed(self) -> int:
        """The newest manifest whose segments are indexed here; 0 for none."""
        return int(self.fact("manifest") or 0)

    def fact(self, key: str) -> str | None:
        """A single value kept under a name."""
        with self._db() as db:
            return db.execute(sa.select(facts.c.value).where(facts.c.key == key)).scalar()

    def facts(self, prefix: str) -> dict[str, str]:
        """The values kept under names that begin like this."""
        query = sa.select(facts).where(facts.c.key.startswith(prefix, autoescape=True)).order_by(facts.c.key)
        with self._db() as db:
            return {str(row.key): str(row.value) for row in db.execute(query)}

    def note_fact(self, key: str, value: str) -> None:
        """Keep a single value under a name."""
        with self._db() as db:
            _note_fact(db, key, value)

    def index(
        self, manifest: int, sealed: Iterable[tuple[Segment, Iterable[Frame]]], erasing: Erasing | None = None
    ) -> None:
        """Take over what the segments of a manifest say and what it erases, in one transaction."""
        with self._db() as db:
            for segment, parts in sealed:
                news = News()
                for part in parts:
                    news.take(part.pages, part.offset)
                db.execute(insert(segments).values(number=segment.number, name=segment.name).on_conflict_do_nothing())
                if self.cipher is not None:
                    _seal(news, self.cipher)
                news.write(db, segment.number)
            if erasing is not None:
                forget(db, erasing)
                for one in sorted(erasing.tombstones | erasing.ids):
                    _note_fact(db, FACT + one, str(manifest))
                _note_fact(db, NEWEST, str(manifest))
                _note_fact(db, UNFINISHED, str(manifest))
            _note_fact(db, "manifest", str(manifest))

    def find(self, thread: ThreadRef) -> Known | None:
        """The thread, if it is registered."""
        return next(self._known(_is(thread)), None)

    def number_of(self, thread: ThreadRef) -> int | None:
        """The number by which `due` names a thread; None where it is not registered."""
        with self._db() as db:
            return db.execute(sa.select(threads.c.no).where(is_named()), named(thread)).scalar()

    def find_all(self, wanted: Sequence[ThreadRef]) -> dict[ThreadRef, Known]:
        """Those of these threads that are registered."""
        places: dict[tuple[str, str], list[str]] = {}
        for thread in wanted:
            places.setdefault((thread.source, thread.endpoint), []).append(thread.id)
        found: dict[ThreadRef, Known] = {}
        for (source, endpoint), ids in places.items():
            for begin in range(0, len(ids), BATCH):
                one_of = threads.c.id.in_(ids[begin : begin + BATCH])
                known = self._known(threads.c.source == source, threads.c.endpoint == endpoint, one_of)
                found.update((one.thread, one) for one in known)
        return found

    def owners(self, wanted: Sequence[ThreadRef]) -> dict[ThreadRef, Registration]:
        """What is known of the owners of those of these threads that are registered."""
        places: dict[tuple[str, str], list[str]] = {}
        for thread in wanted:
            places.setdefault((thread.source, thread.endpoint), []).append(thread.id)
        found: dict[ThreadRef, Registration] = {}
        for (source, endpoint), ids in places.items():
            whose = sa.and_(threads.c.source == source, threads.c.endpoint == endpoint)
            for begin in range(0, len(ids), BATCH):
                for name, profile, user, customer, called, tags in self.rows(
                    _OWNER.where(whose, threads.c.id.in_(ids[begin : begin + BATCH]))
                ):
                    thread = ThreadRef(source, endpoint, name)
                    known = _tags(tags)
                    title = _opened(called, self.cipher, thread, "title")
                    found[thread] = Registration(thread, profile, user, customer, title, known)
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

    def positions(self, thread: ThreadRef) -> dict[str, Position]:
        """How far each list of a thread was walked."""
        with self._db() as db:
            rows = db.execute(_POSITIONS, named(thread)).all()
        return {_unquoted(name): Position(_unquoted(cursor), seq, more) for name, cursor, seq, more in rows}

    def positions_of(self, numbers: Sequence[int]) -> dict[int, dict[str, Position]]:
        """How far each list of the threads of these numbers was walked: no more than `BATCH` of them."""
        found: dict[int, dict[str, Position]] = {no: {} for no in numbers}
        with self._db() as db:
            rows = db.execute(_POSITIONS_OF, {"numbers": numbers}).all()
        for no, name, cursor, seq, more in rows:
            found[no][_unquoted(name)] = Position(_unquoted(cursor), seq, more)
        return found

    def frames_of(self, thread: ThreadRef, kind: str) -> Iterator[tuple[str, int]]:
        """Where the pages of a thread and kind are: segment names and offsets of frames, in order."""
        query = (
            sa.select(segments.c.name, frames.c.offset)
            .join(threads, threads.c.no == frames.c.thread)
            .join(segments, segments.c.number == frames.c.segment)
            .where(_is(thread), frames.c.kind == kind)
            .order_by(frames.c.segment, frames.c.offset)
        )
        with self._db() as db:
            yield from ((str(name), int(offset)) for name, offset in db.execute(query))

    def holds_pages(self) -> bool:
        """Whether there is any page but of registrations."""
        return next(self.rows(sa.select(frames.c.thread).limit(1)), None) is not None

    def kinds_of(self, thread: ThreadRef) -> set[str]:
        """Of which kinds there are records of a thread."""
        query = sa.select(frames.c.kind).distinct().join(threads, threads.c.no == frames.c.thread).where(_is(thread))
        return {str(kind) for (kind,) in self.rows(query)}

    def note_hints(self, said: Mapping[ThreadRef, Mapping[str, Any]]) -> None:
        """Note what is worked out about threads, by column of `HINTS`: no part of the truth."""
        assert all(HINTS.issuperset(columns) for columns in said.values())
        with self._db() as db:
            note(db, said)

    def note_numbered(self, said: Mapping[int, Mapping[str, Any]]) -> None:
        """Do what `note_hints` does, for threads that were read: by their numbers."""
        assert all(HINTS.issuperset(columns) for columns in said.values())
        with self._db() as db:
            update(db, said)

    def work_out(self, times: WorkOut) -> None:
        """Set when each thread is due, as `times` works it out anew: no part of the truth.

        Threads that were never visited, and of which nothing else is known, are asked for once for each server. A
        crash leaves a part of it, and perhaps no index of the times: the next opening for writing makes that.
        """
        with self._db() as db:
            work_out_new(db, times)
            after = before_first(db)
        while after is not None:
            with self._db() as db:
                after = work_out_some(db, times, after)
        with self._db() as db:
            make_indexes(db)

    def due(self, now: datetime, urgent_before: datetime) -> Due:
        """Return the numbers of the threads that are due; urgent are those with a deadline before that time."""
        with self._db() as db:
            return due(db, now, urgent_before)

    def touch(self, ids: Sequence[str], entries: Sequence[Registration], at: datetime) -> int:
        """Mark threads as changed: by id whatever their source, and by what they are; return how many are new.

        What is not registered waits for who holds the lock; an id alone has to be registered (`known_ids`).
        """
        time, known = stamp(at), self.find_all([one.thread for one in entries])
        unknown = [one for one in entries if one.thread not in known]
        with self._db() as db:
            _touched.mark_ids(db, ids, time)
            _touched.mark(db, dict.fromkeys(known, time))
            _touched.wait(db, unknown, time)
        return len(unknown)

    def known_ids(self, ids: Sequence[str]) -> set[str]:
        """Those of these ids that a registered thread has, whatever its source and endpoint."""
        with self._db() as db:
            return _touched.known_ids(db, ids)

    def answered(self, marks: Mapping[ThreadRef, str]) -> None:
        """Take away the marks that these threads had when their visits began; newer ones stay."""
        with self._db() as db:
            _touched.answer(db, marks)

    def waiting(self, limit: int) -> dict[Registration, str]:
        """Some of the touched threads that are not registered yet, with the times at which they were touched."""
        with self._db() as db:
            return dict(_touched.waiting(db, limit))

    def count_waiting(self) -> int:
        """How many touched threads are not registered yet."""
        return self.number(sa.select(sa.func.count()).select_from(inbox))

    def admit(self, marks: Mapping[ThreadRef, str]) -> None:
        """Mark threads that waited and are registered now."""
        with self._db() as db:
            _touched.admit(db, marks)

    def number(self, query: sa.Select[int]) -> int:
        """The one number that a question asks for."""
        return next((int(row[0] or 0) for row in self.rows(query)), 0)

    def numbered(self, numbers: Iterable[int]) -> Iterator[Known]:
        """Return threads by the numbers that `due` gave, in their order."""
        stream = iter(numbers)
        while batch := list(islice(stream, BATCH)):
            with self._db() as db:
                rows = {row[-1]: row for row in db.execute(_NUMBERED, {"numbers": batch}).all()}
            yield from (self._told(rows[number]) for number in batch if number in rows)

    def table_rows(self, beginning: str = "") -> Iterator[Mapping[str, Any]]:
        """What is noted of each table file whose name begins like this."""
        named = table_files.c.name.startswith(beginning, autoescape=True)
        with self._db() as db:
            query = sa.select(table_files).where(named).order_by(table_files.c.name)
            yield from map(dict, db.execute(query).mappings())

    def note_table(self, name: str, **values: Any) -> None:
        """Note something of a table file."""
        with self._db() as db:
            row = insert(table_files).values(name=name, **values)
            db.execute(row.on_conflict_do_update(index_elements=["name"], set_=values))

    def segment_names(self) -> Iterator[str]:
        """Names of all committed segments, in order."""
        yield from (str(row[0]) for row in self.rows(sa.select(segments.c.name).order_by(segments.c.number)))

    def content(self) -> Iterator[tuple[Any, ...]]:
        """Every derived row, in an order that does not depend on history: equal catalogs give equal content."""
        named = [threads.c.source, threads.c.endpoint, threads.c.id]
        told = (c for c in threads.c if c.name not in HINTS and c.name != "no")
        yield from self.rows(sa.select(*told).order_by(*named))
        for table in (lists, frames):
            rest = [c for c in table.c if c.name != "thread"]
            joined = sa.join(table, threads, threads.c.no == table.c.thread)
            yield from self.rows(sa.select(*named, *rest).select_from(joined).order_by(*named, *rest))
        yield from self.rows(sa.select(segments).order_by(segments.c.number))
        yield from sorted(self.facts(FACT).items())

    def erased(self, archive: str, wanted: Iterable[ThreadRef]) -> set[ThreadRef]:
        """Those of these threads that were erased from the archive of this id, whatever was registered since."""
        if self.fact(NEWEST) is None:
            return set()
        stones = {FACT + tombstone(archive, thread): thread for thread in wanted}
        found: set[ThreadRef] = set()
        keys = list(stones)
        for begin in range(0, len(keys), BATCH):
            query = sa.select(facts.c.key).where(facts.c.key.in_(keys[begin : begin + BATCH]))
            found.update(stones[key] for (key,) in self.rows(query))
        return found

    def erased_id(self, archive: str, name: str) -> bool:
        """Whether a thread with this id was erased from the archive of that id, whatever its source and endpoint."""
        return self.fact(FACT + hashed(archive, "thread", name)) is not None

    def scrub(self, quotes: Quotes) -> None:
        """Take out of the facts what names any of these threads."""
        with self._db() as db:
            scrub(db, quotes)

    def shrink(self) -> None:
        """Leave nothing in the file of what was deleted; `Locked` where another program keeps that from happening."""
        self._engine.dispose()
        shrink(self.path)

    def drop_fact(self, key: str) -> None:
        """Keep nothing under a name."""
        with self._db() as db:
            db.execute(sa.delete(facts).where(facts.c.key == key))

    def rows(self, query: sa.Select[*tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """What a question is answered, row by row."""
        with self._db() as db:
            yield from map(tuple, db.execute(query))

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


def _seal(news: News, cipher: Cipher) -> None:
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


def _is(thread: ThreadRef) -> sa.ColumnElement[bool]:
    same = {"source": thread.source, "endpoint": plain(thread.endpoint), "id": plain(thread.id)}
    return sa.and_(*(threads.c[name] == value for name, value in same.items()))


_KNOWN = sa.select(*threads.c["source", "endpoint", "id"], *(threads.c[name] for name in Known.__slots__[1:]))
_NUMBERED = _KNOWN.where(threads.c.no.in_(sa.bindparam("numbers", expanding=True)))
_OWNER = sa.select(*threads.c["id", "profile", "user", "customer", "title", "tags"])
_TAGS = Known.__slots__.index("tags") - 1
_POSITIONS = (
    sa.select(*lists.c["list", "cursor", "seq", "more"]).join(threads, threads.c.no == lists.c.thread).where(is_named())
)
_POSITIONS_OF = sa.select(*lists.c["thread", "list", "cursor", "seq", "more"]).where(
    lists.c.thread.in_(sa.bindparam("numbers", expanding=True))
)
"Asked at every visit, so they are made once."


def _known(row: Sequence[Any]) -> Known:
    source, endpoint, name, *rest = row
    rest[_TAGS] = _tags(rest[_TAGS])
    return Known(ThreadRef(source, endpoint, name), *rest)


@lru_cache(1024)
def _unquoted(text: str) -> Any:
    """Read a list's name or a cursor; most lists of all threads have one of few names."""
    return load(text.encode())


def _tags(text: Any) -> tuple[str, ...]:
    """Read what a catalog has of a thread's tags; `Damaged` where a disk or a hand changed it."""
    try:
        return tuple(map(str, load(text.encode()))) if text else ()
    except (AttributeError, TypeError, ValueError):
        raise Damaged("catalog.sqlite: the tags of a thread are none; run `exporter rebuild`") from None


def _begin_again(db: Connection) -> None:
    """Forget what an older version indexed; opening for writing indexes it anew."""
    metadata.drop_all(db, [threads, lists, frames, segments])
    _note_fact(db, "manifest", "0")
    _note_fact(db, "schema", str(SCHEMA))


def _note_fact(db: Connection, key: str, value: str) -> None:
    row = insert(facts).values(key=key, value=value)
    db.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": value}))


def _translated(error: sa.exc.DatabaseError, path: Path) -> ArchiveError:
    said = str(error.orig)
    if "full" in said:
        return DiskFull(f"{path}: the disk is full; free space and run again")
    if "locked" in said:
        return Locked(f"{path}: another program keeps it locked; close that and run again")
    if "unable to open" in said or "readonly" in said:
        return ArchiveError(f"{path}: {said}; check the disk and the folder's permissions")
    if "no such column" in said or "no such table" in said:
        return Damaged(f"{path}: another version of exporter made it; run `exporter rebuild`")
    if "disk I/O" in said:
        return ArchiveError(f"{path}: {said}; check the disk, which may be full, and run again")
    return Damaged(f"{path}: {said}; run `exporter rebuild`")


__all__ = ["ALWAYS", "BATCH", "BY_SESSION", "NEVER", "Catalog", "Due", "Known", "digest", "owner_of", "plain", "stamp"]
