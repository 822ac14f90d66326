"""What the pages of one segment change in the catalog: gathered in memory, then written in a few statements."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from exporter.archive._blocks import cuts
from exporter.archive._lines import MarkLine, body_of, dump, read_marks, read_own
from exporter.archive._many import Many, plain
from exporter.archive._schema import frames, lists, threads
from exporter.archive._segments import Frame
from exporter.errors import Damaged
from exporter.model import ThreadRef

FIRST = ("registered_at", "seen_at")
"The first thing said of these stays; of all else the newest counts."
BY_SESSION = "listed_by_session"
"The note on an object that a browser's session saw: no proof that a key sees the thread, so its 404 is not `gone`."
ENDED = ("state", "code", "error")
"What the record of each visit says of its end."
NEW = {"profile": "default", "state": "new"}
"What a thread is of which nothing is said yet."
_WHOSE = ("source", "endpoint", "id")
BATCH = 500
"Threads per question."

Name = tuple[str, str, str]
"Source, endpoint and id of a thread, as a database takes them."
Who = TypeVar("Who")


@dataclass(slots=True)
class Told:
    """What the pages of one segment say of one thread."""

    columns: dict[str, Any] = field(default_factory=dict)
    lists: dict[str, MarkLine] = field(default_factory=dict)
    "The newest mark of each list."
    frames: set[tuple[str, int]] = field(default_factory=set)
    "Kinds of pages and the offsets of the frames that hold some."

    def register(self, line: bytes) -> None:
        """Take what its owner says of it."""
        own = read_own(line)
        said = {key: value for key, value in own.body.items() if value is not None}
        if "tags" in said:
            said["tags"] = dump(said["tags"]).decode()
        self.columns.setdefault("registered_at", own.observed_at)
        self.columns.update(said)

    def visit(self, line: bytes) -> None:
        """Take how a visit of it ended."""
        own, columns = read_own(line), self.columns
        at, body = own.observed_at, own.body
        if not (isinstance(body.get("state"), str) and body.keys() >= {*ENDED}):
            raise Damaged(f"a visit of {at} says not how it ended: another program wrote it; restore its segment")
        columns.update({name: body[name] for name in ENDED})
        if body["state"] in ("complete", "partial"):
            columns.update(gone_at=None, gone_alive=None, gone_active=None)
        elif "active" in body:
            columns.update(
                gone_at=datetime.fromisoformat(at).isoformat(), gone_alive=body.get("alive"), gone_active=body["active"]
            )
        if body["state"] != "failed":
            columns["visited_at"], columns["midway"] = at, False
        if body["state"] == "complete":
            columns.setdefault("seen_at", at)

    def see(self, mark: MarkLine, line: bytes) -> None:
        """Take its own object."""
        if BY_SESSION not in mark.notes:
            self.columns.setdefault("seen_at", mark.fetched_at)
        self.columns["body"] = digest(body_of(line))


class News:
    """What the pages of one segment say."""

    def __init__(self) -> None:
        self.threads: dict[Name, Told] = {}

    def take(self, frame: Frame) -> None:
        """Take the pages of a frame; of most of them nothing but their marks is read."""
        text, offset = frame.text, frame.offset
        pages = list(cuts(text))
        for mark, page in zip(read_marks([text[one.mark : one.end] for one in pages]), pages, strict=True):
            name = plain(mark.source), plain(mark.endpoint), plain(mark.thread)
            told = self.threads.get(name)
            if told is None:
                told = self.threads[name] = Told()
            if mark.list == "registry":
                for line in page.lines(text):
                    told.register(line)
                continue
            if mark.count:
                told.frames.add((mark.of, offset))
            if mark.of == "visit":
                for line in page.lines(text):
                    told.visit(line)
                continue
            told.lists[mark.list] = mark
            if mark.of == "thread" and mark.count:
                told.see(mark, page.lines(text)[-1])
            elif mark.count:
                told.columns["midway"] = True

    def write(self, db: Connection, segment: int) -> None:
        """Write it all down."""
        known = _numbers(db, self.threads)
        update(db, {no: self.threads[name].columns for name, no in known.items()})
        known |= self._insert(db, [name for name in self.threads if name not in known])
        self._write_lists(db, known)
        self._write_frames(db, known, segment)

    def write_frames(self, db: Connection, segment: int) -> None:
        """Write down where the pages are, and nothing else."""
        self._write_frames(db, _numbers(db, self.threads), segment)

    def _insert(self, db: Connection, new: Sequence[Name]) -> dict[Name, int]:
        """Add threads in the order in which they came; return their numbers."""
        last = db.execute(_LAST).scalar() or 0
        numbers = {name: no for no, name in enumerate(new, last + 1)}
        said = {name: NEW | self.threads[name].columns for name in new}
        for columns, names in _alike(said):
            whose = dict(zip(_WHOSE, zip(*names, strict=True), strict=True))
            told = {column: [said[name][column] for name in names] for column in columns}
            _inserting((*_WHOSE, "no", *columns)).write(db, {**whose, "no": [numbers[n] for n in names], **told})
        return numbers

    def _write_lists(self, db: Connection, known: Mapping[Name, int]) -> None:
        found = [(no, *place) for name, no in known.items() for place in self.threads[name].lists.items()]
        marks = [mark for _, _, mark in found]
        rows: dict[str, Sequence[Any]] = {
            "thread": [no for no, _, _ in found],
            "list": [_quoted(name) for _, name, _ in found],
            "cursor": [_quoted(mark.cursor) for mark in marks],
            "seq": [mark.next for mark in marks],
            "more": [mark.more for mark in marks],
        }
        said = zip(rows["list"], rows["cursor"], rows["seq"], rows["more"], strict=True)
        rows["crc"] = [row_crc(*row) for row in said]
        _REPLACE_LISTS.write(db, rows)

    def _write_frames(self, db: Connection, known: Mapping[Name, int], segment: int) -> None:
        found = [(no, *place) for name, no in known.items() for place in self.threads[name].frames]
        rows: dict[str, Sequence[Any]] = {
            "thread": [no for no, _, _ in found],
            "kind": [kind for _, kind, _ in found],
            "segment": [segment] * len(found),
            "offset": [offset for _, _, offset in found],
        }
        _REPLACE_FRAMES.write(db, rows)


def note(db: Connection, said: Mapping[ThreadRef, Mapping[str, Any]]) -> None:
    """Write what is said of threads, by column, of those that are known."""
    named_so = {name_of(thread): columns for thread, columns in said.items()}
    update(db, {no: named_so[name] for name, no in _numbers(db, named_so).items()})


def update(db: Connection, said: Mapping[int, Mapping[str, Any]]) -> None:
    """Write what is said of the threads of these numbers, by column."""
    for columns, numbers in _alike(said):
        told = {column: [said[no][column] for no in numbers] for column in columns}
        _updating(columns).write(db, {"_no": numbers, **told})


def _numbers(db: Connection, wanted: Iterable[Name]) -> dict[Name, int]:
    """Return the numbers of those of these threads that are known."""
    places: dict[tuple[str, str], list[str]] = {}
    for source, endpoint, one in wanted:
        places.setdefault((source, endpoint), []).append(one)
    found: dict[Name, int] = {}
    for (source, endpoint), ids in places.items():
        for begin in range(0, len(ids), BATCH):
            asked = {"_source": source, "_endpoint": endpoint, "ids": ids[begin : begin + BATCH]}
            found.update(((source, endpoint, one), no) for no, one in db.execute(_NUMBERS, asked).all())
    return found


def _alike(said: Mapping[Who, Mapping[str, Any]]) -> Iterator[tuple[tuple[str, ...], list[Who]]]:
    """Whom something is said of, those of the same columns together."""
    alike: dict[tuple[str, ...], list[Who]] = {}
    for who, columns in said.items():
        if columns:
            alike.setdefault(tuple(sorted(columns)), []).append(who)
    yield from alike.items()


def digest(body: bytes) -> str:
    """Tell whether a thread object changed since it was last written."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def row_crc(name: str, cursor: str, seq: int, more: bool) -> int:
    """Return the checksum of how far a list was walked: three bytes, which SQLite stores in as many."""
    return zlib.crc32(f"{name}\n{cursor}\n{seq}\n{more:d}".encode()) & 0x7FFFFF


def _quoted(text: str | None) -> str:
    """Return a list's name or a cursor as JSON: any text can be kept then, and none is told from one."""
    return dump(text).decode()


def name_of(thread: ThreadRef) -> Name:
    """Return how a thread is named in the catalog."""
    return plain(thread.source), plain(thread.endpoint), plain(thread.id)


def named(thread: ThreadRef) -> dict[str, Any]:
    """Return what `is_named` asks for."""
    return dict(zip(("_source", "_endpoint", "_id"), name_of(thread), strict=True))


def _bound(table: sa.Table, column: str, prefix: str = "") -> sa.BindParameter[Any]:
    return sa.bindparam(prefix + column, type_=table.c[column].type)


def is_named() -> sa.ColumnElement[bool]:
    """Whether a row is that of the thread that `named` names."""
    return sa.and_(*(threads.c[name] == _bound(threads, name, "_") for name in _WHOSE))


@lru_cache(64)
def _inserting(columns: tuple[str, ...]) -> Many:
    return Many(sa.insert(threads).values({name: _bound(threads, name) for name in columns}))


@lru_cache(64)
def _updating(columns: tuple[str, ...]) -> Many:
    said: dict[str, Any] = {name: _bound(threads, name) for name in columns}
    said |= {name: sa.func.coalesce(threads.c[name], said[name]) for name in columns if name in FIRST}
    return Many(sa.update(threads).where(threads.c.no == sa.bindparam("_no")).values(said))


def _replacing(table: sa.Table) -> Many:
    row = {column.name: _bound(table, column.name) for column in table.columns}
    return Many(sa.insert(table).prefix_with("OR REPLACE").values(row))


_REPLACE_LISTS, _REPLACE_FRAMES = _replacing(lists), _replacing(frames)
_LAST = sa.select(sa.func.max(threads.c.no))
_NUMBERS = sa.select(threads.c.no, threads.c.id).where(
    threads.c.source == _bound(threads, "source", "_"),
    threads.c.endpoint == _bound(threads, "endpoint", "_"),
    threads.c.id.in_(sa.bindparam("ids", expanding=True)),
)
