"""The catalog: an index of registry and segments in one SQLite file, derived and disposable.

Everything in it comes from `index`, which reads the pages of committed segments:
rebuilding it is indexing again from nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection, Engine

from exporter.archive._lines import dump, load, read_mark, read_record
from exporter.archive._segments import Frame
from exporter.errors import Damaged, DiskFull, Locked
from exporter.files import make_folder, translated, writing
from exporter.model import Mark, Position, Record, Registration, Segment, State, ThreadRef

BATCH = 500
"Threads per statement: SQLite takes 32,766 values in one."

metadata = sa.MetaData()
facts = sa.Table("facts", metadata, sa.Column("key", sa.Text, primary_key=True), sa.Column("value", sa.Text))
threads = sa.Table(
    "threads",
    metadata,
    sa.Column("no", sa.Integer, primary_key=True),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("profile", sa.Text, nullable=False, server_default="default"),
    sa.Column("user", sa.Text),
    sa.Column("customer", sa.Text),
    sa.Column("title", sa.Text),
    sa.Column("tags", sa.Text),
    sa.Column("state", sa.Text, nullable=False, server_default="new"),
    sa.Column("code", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("registered_at", sa.Text),
    sa.Column("seen_at", sa.Text),
    sa.Column("visited_at", sa.Text),
    sa.Column("body", sa.Text),
    sa.UniqueConstraint("source", "endpoint", "id"),
    sa.Index("threads_state", "state"),
    sa.Index("threads_id", "id"),
)
lists = sa.Table(
    "lists",
    metadata,
    sa.Column("thread", sa.Integer, primary_key=True),
    sa.Column("list", sa.Text, primary_key=True),
    sa.Column("cursor", sa.Text),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("more", sa.Boolean, nullable=False),
    sqlite_with_rowid=False,
)
frames = sa.Table(
    "frames",
    metadata,
    sa.Column("thread", sa.Integer, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("segment", sa.Integer, primary_key=True),
    sa.Column("offset", sa.Integer, primary_key=True),
    sqlite_with_rowid=False,
)
segments = sa.Table(
    "segments",
    metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
)
table_files = sa.Table(
    "table_files",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("sha256", sa.Text),
    sa.Column("pending", sa.Text),
    sa.Column("rows", sa.Integer),
    sa.Column("manifest", sa.Integer),
)

OWNED = ("profile", "user", "customer", "title", "tags")


@dataclass(frozen=True, slots=True)
class Known:
    """A thread of the registry and what its last visit left."""

    thread: ThreadRef
    profile: str
    user: str | None
    customer: str | None
    title: str | None
    tags: tuple[str, ...]
    state: State
    code: str | None
    error: str | None
    registered_at: str | None
    seen_at: str | None
    visited_at: str | None
    body: str | None
    "Digest of the newest thread object."


@dataclass
class _News:
    """What the pages of one segment change, gathered before it is written."""

    threads: dict[ThreadRef, dict[str, Any]] = field(default_factory=dict)
    lists: dict[tuple[ThreadRef, str], Position] = field(default_factory=dict)
    frames: set[tuple[ThreadRef, str, int]] = field(default_factory=set)

    def add(self, lines: list[bytes], offset: int) -> None:
        mark = read_mark(lines[-1])
        if mark.list == "registry":
            for line in lines[:-1]:
                self._register(read_record(line))
            return
        known = self.threads.setdefault(mark.thread, {})
        self.frames.add((mark.thread, mark.kind, offset))
        if mark.kind == "visit":
            self._visit(known, read_record(lines[-2]))
            return
        self.lists[mark.thread, mark.list] = mark.position
        if mark.kind == "thread" and mark.count:
            self._see(known, mark, read_record(lines[-2]))

    def _register(self, record: Record) -> None:
        said = {key: value for key, value in load(record.body).items() if value is not None}
        if "tags" in said:
            said["tags"] = dump(said["tags"]).decode()
        known = self.threads.setdefault(record.thread, {})
        known.setdefault("registered_at", record.observed_at.isoformat())
        known.update(said)

    @staticmethod
    def _visit(known: dict[str, Any], record: Record) -> None:
        body = load(record.body)
        known.update(
            state=body["state"], code=body["code"], error=body["error"], visited_at=record.observed_at.isoformat()
        )

    @staticmethod
    def _see(known: dict[str, Any], mark: Mark, record: Record) -> None:
        known.setdefault("seen_at", mark.fetched_at.isoformat())
        known["body"] = digest(record.body)


class Catalog:
    """An open catalog; every method is one short transaction."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
        if create and not path.exists():
            make_folder(path.parent)
            with writing(path):
                pass
        self._engine = _engine(path)
        if create:
            with translated(path), self._db() as db:
                metadata.create_all(db)

    def close(self) -> None:
        """Close the file."""
        self._engine.dispose()

    @contextmanager
    def _db(self) -> Iterator[Connection]:
        try:
            with self._engine.begin() as db:
                yield db
        except sa.exc.DatabaseError as error:
            if "full" in str(error.orig):
                raise DiskFull(f"{self.path}: the disk is full; free space and run again") from error
            if "locked" in str(error.orig):
                raise Locked(f"{self.path}: another program keeps it locked; close that and run again") from error
            raise Damaged(f"{self.path}: {error.orig}; run `exporter rebuild`") from error

    def indexed(self) -> int:
        """The newest manifest whose segments are indexed here; 0 for none."""
        return int(self.fact("manifest") or 0)

    def fact(self, key: str) -> str | None:
        """A single value kept under a name."""
        with self._db() as db:
            return db.execute(sa.select(facts.c.value).where(facts.c.key == key)).scalar()

    def note_fact(self, key: str, value: str) -> None:
        """Keep a single value under a name."""
        with self._db() as db:
            _note_fact(db, key, value)

    def index(self, manifest: int, sealed: Iterable[tuple[Segment, Iterable[Frame]]]) -> None:
        """Take over what the segments of a manifest say, in one transaction."""
        with self._db() as db:
            for segment, parts in sealed:
                news = _News()
                for part in parts:
                    for lines in part.pages:
                        news.add(lines, part.offset)
                db.execute(insert(segments).values(number=segment.number, name=segment.name).on_conflict_do_nothing())
                _write(db, news, segment.number)
            _note_fact(db, "manifest", str(manifest))

    def find(self, thread: ThreadRef) -> Known | None:
        """The thread, if it is registered."""
        return next(self._known(_is(thread)), None)

    def named(self, thread_id: str) -> list[Known]:
        """All threads with this id, whatever their source and endpoint."""
        return list(self._known(threads.c.id == thread_id))

    def known(self, **equal: str | None) -> Iterator[Known]:
        """Threads whose columns equal what is given (None: any), in the order they were registered."""
        return self._known(*(threads.c[column] == value for column, value in equal.items() if value is not None))

    def count(self) -> dict[str, int]:
        """How many threads are in each state."""
        query = sa.select(threads.c.state, sa.func.count()).group_by(threads.c.state)
        with self._db() as db:
            return {str(state): int(count) for state, count in db.execute(query)}

    def positions(self, thread: ThreadRef) -> dict[str, Position]:
        """How far each list of a thread was walked."""
        query = sa.select(lists).join(threads, threads.c.no == lists.c.thread).where(_is(thread))
        with self._db() as db:
            return {load(r.list.encode()): Position(load(r.cursor.encode()), r.seq, r.more) for r in db.execute(query)}

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

    def note_visited(self, visited: Mapping[ThreadRef, datetime]) -> None:
        """Note visits that brought nothing: a hint for scheduling, not part of the truth."""
        with self._db() as db:
            for thread, at in visited.items():
                db.execute(sa.update(threads).where(_is(thread)).values(visited_at=at.isoformat()))

    def table_rows(self) -> Iterator[Mapping[str, Any]]:
        """What is noted of each table file."""
        with self._db() as db:
            yield from map(dict, db.execute(sa.select(table_files).order_by(table_files.c.name)).mappings())

    def note_table(self, name: str, **values: Any) -> None:
        """Note something of a table file."""
        with self._db() as db:
            row = insert(table_files).values(name=name, **values)
            db.execute(row.on_conflict_do_update(index_elements=["name"], set_=values))

    def content(self) -> Iterator[tuple[Any, ...]]:
        """Every derived row, in an order that does not depend on history: equal catalogs give equal content."""
        named = [threads.c.source, threads.c.endpoint, threads.c.id]
        hints = {"no", "visited_at"}
        yield from self._rows(sa.select(*(c for c in threads.c if c.name not in hints)).order_by(*named))
        for table in (lists, frames):
            rest = [c for c in table.c if c.name != "thread"]
            joined = sa.join(table, threads, threads.c.no == table.c.thread)
            yield from self._rows(sa.select(*named, *rest).select_from(joined).order_by(*named, *rest))
        yield from self._rows(sa.select(segments).order_by(segments.c.number))

    def _rows(self, query: sa.Select[Any]) -> Iterator[tuple[Any, ...]]:
        with self._db() as db:
            yield from map(tuple, db.execute(query))

    def _known(self, *where: sa.ColumnElement[bool]) -> Iterator[Known]:
        last = 0
        while True:
            query = sa.select(threads).where(threads.c.no > last, *where).order_by(threads.c.no).limit(BATCH)
            with self._db() as db:
                rows = db.execute(query).all()
            yield from map(_known, rows)
            if len(rows) < BATCH:
                return
            last = rows[-1].no


def digest(body: bytes) -> str:
    """Tell whether a thread object changed since it was last written."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def owner_of(known: Known) -> Registration:
    """What is known about a thread's owner."""
    return Registration(known.thread, known.profile, known.user, known.customer, known.title, known.tags)


def _engine(path: Path) -> Engine:
    engine = sa.create_engine(f"sqlite:///{path}", connect_args={"timeout": 30})

    @sa.event.listens_for(engine, "connect")
    def _prepare(connection: Any, _: object) -> None:
        # Derived data: a crash may cost the newest transactions, never their order; indexing again brings them back.
        connection.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")

    return engine


def _is(thread: ThreadRef) -> sa.ColumnElement[bool]:
    return sa.and_(threads.c.source == thread.source, threads.c.endpoint == thread.endpoint, threads.c.id == thread.id)


def _known(row: Any) -> Known:
    return Known(
        thread=ThreadRef(row.source, row.endpoint, row.id),
        tags=tuple(load(row.tags.encode())) if row.tags else (),
        **{name: getattr(row, name) for name in Known.__slots__ if name not in {"thread", "tags"}},
    )


def _note_fact(db: Connection, key: str, value: str) -> None:
    row = insert(facts).values(key=key, value=value)
    db.execute(row.on_conflict_do_update(index_elements=["key"], set_={"value": value}))


def _write(db: Connection, news: _News, segment: int) -> None:
    numbers: dict[ThreadRef, int] = {}
    for thread, said in news.threads.items():
        fields = {"source": thread.source, "endpoint": thread.endpoint, "id": thread.id, **said}
        row = insert(threads).values(fields)
        first = {c: sa.func.coalesce(threads.c[c], row.excluded[c]) for c in ("seen_at", "registered_at") if c in said}
        newest = {c: row.excluded[c] for c in said if c not in first}
        update: dict[str, Any] = {"source": thread.source} | dict(first) | dict(newest)
        row = row.on_conflict_do_update(index_elements=["source", "endpoint", "id"], set_=update)
        numbers[thread] = db.execute(row.returning(threads.c.no)).scalar_one()
    positions = [
        {
            "thread": numbers[thread],
            "list": dump(name).decode(),
            "cursor": dump(at.cursor).decode(),
            "seq": at.seq,
            "more": at.more,
        }
        for (thread, name), at in news.lists.items()
    ]
    if positions:
        db.execute(sa.insert(lists).prefix_with("OR REPLACE"), positions)
    places = [
        {"thread": numbers[thread], "kind": kind, "segment": segment, "offset": offset}
        for thread, kind, offset in sorted(news.frames)
    ]
    if places:
        db.execute(sa.insert(frames).prefix_with("OR REPLACE"), places)
