"""What the pages of one segment change in the catalog: gathered in memory, then written in a few statements."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from exporter.archive._lines import dump, load, read_mark, read_record
from exporter.archive._many import Many
from exporter.archive._schema import frames, lists, threads
from exporter.model import Mark, Position, Record, ThreadRef

IDENTITY = ("source", "endpoint", "id")
FIRST = ("registered_at", "seen_at")
"The first thing said of these stays; of all else the newest counts."
BY_SESSION = "listed_by_session"
"The note on an object that a browser's session saw: no proof that a key sees the thread, so its 404 is not `gone`."


@dataclass
class News:
    """What the pages of one segment say."""

    threads: dict[ThreadRef, dict[str, Any]] = field(default_factory=dict)
    lists: dict[tuple[ThreadRef, str], Position] = field(default_factory=dict)
    frames: set[tuple[ThreadRef, str, int]] = field(default_factory=set)

    def add(self, lines: list[bytes], offset: int) -> None:
        """Take a page that stands in the frame at `offset`."""
        mark = read_mark(lines[-1])
        if mark.list == "registry":
            for line in lines[:-1]:
                self._register(read_record(line))
            return
        known = self.threads.setdefault(mark.thread, {})
        if mark.count:
            self.frames.add((mark.thread, mark.kind, offset))
        if mark.kind == "visit":
            for line in lines[:-1]:
                self._visit(known, read_record(line))
            return
        self.lists[mark.thread, mark.list] = mark.position
        if mark.kind == "thread" and mark.count:
            self._see(known, mark, read_record(lines[-2]))
        elif mark.count:
            known["midway"] = True

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
        known.update({name: body[name] for name in ("state", "code", "error")})
        if body["state"] in ("complete", "partial"):
            known.update(gone_at=None, gone_alive=None, gone_active=None)
        elif "active" in body:
            known.update(gone_at=record.observed_at.isoformat(), gone_alive=body["alive"], gone_active=body["active"])
        if body["state"] != "failed":
            known["visited_at"], known["midway"] = record.observed_at.isoformat(), False
        if body["state"] == "complete":
            known.setdefault("seen_at", record.observed_at.isoformat())

    @staticmethod
    def _see(known: dict[str, Any], mark: Mark, record: Record) -> None:
        if BY_SESSION not in mark.notes:
            known.setdefault("seen_at", mark.fetched_at.isoformat())
        known["body"] = digest(record.body)

    def write(self, db: Connection, segment: int) -> None:
        """Write it all down."""
        _INSERT.write(db, map(named, self.threads))
        self.update(db)
        positions = [
            {**named(thread), "_list": dump(name).decode(), "_cursor": dump(at.cursor).decode(), "_seq": at.seq}
            | {"_more": at.more}
            for (thread, name), at in self.lists.items()
        ]
        _REPLACE_LISTS.write(db, positions)
        self.write_frames(db, segment)

    def write_frames(self, db: Connection, segment: int) -> None:
        """Write down where the pages are, and nothing else."""
        places = [
            {**named(thread), "_kind": kind, "_segment": segment, "_offset": offset}
            for thread, kind, offset in sorted(self.frames, key=_place)
        ]
        _REPLACE_FRAMES.write(db, places)

    def update(self, db: Connection) -> None:
        """Write what is said of threads that are known."""
        for columns, rows in _alike(self.threads):
            _update(columns).write(db, rows)


def _place(frame: tuple[ThreadRef, str, int]) -> tuple[str, str, int]:
    thread, kind, offset = frame
    return thread.id, kind, offset


def digest(body: bytes) -> str:
    """Tell whether a thread object changed since it was last written."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def plain(text: str) -> str:
    """Text that a database takes: lone surrogates are U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _alike(said: dict[ThreadRef, dict[str, Any]]) -> Iterator[tuple[tuple[str, ...], list[dict[str, Any]]]]:
    """What is said of threads, those of the same columns together."""
    columns = {thread: tuple(sorted(fields)) for thread, fields in said.items() if fields}
    for names, group in groupby(sorted(columns, key=columns.__getitem__), key=columns.__getitem__):
        yield names, [named(thread) | {name: _plain(said[thread][name]) for name in names} for thread in group]


def _plain(value: Any) -> Any:
    return plain(value) if isinstance(value, str) else value


def named(thread: ThreadRef) -> dict[str, Any]:
    """Return what `is_named` asks for."""
    return {"_source": plain(thread.source), "_endpoint": plain(thread.endpoint), "_id": plain(thread.id)}


def _bound(table: sa.Table, column: str, prefix: str = "_") -> sa.BindParameter[Any]:
    return sa.bindparam(prefix + column, type_=table.c[column].type)


def is_named() -> sa.ColumnElement[bool]:
    """Whether a row is that of the thread that `named` names."""
    return sa.and_(*(threads.c[name] == _bound(threads, name) for name in IDENTITY))


@lru_cache(64)
def _update(columns: tuple[str, ...]) -> Many:
    said: dict[str, Any] = {name: _bound(threads, name, "") for name in columns}
    said |= {name: sa.func.coalesce(threads.c[name], said[name]) for name in columns if name in FIRST}
    return Many(sa.update(threads).where(is_named()).values(said))


def _replace(table: sa.Table, *columns: str) -> Many:
    """Insert rows of a thread that is named by what it is, not by its number."""
    values = [_bound(table, name) for name in columns]
    rows = sa.select(threads.c.no, *values).where(is_named())
    return Many(sa.insert(table).prefix_with("OR REPLACE").from_select(["thread", *columns], rows))


def _insert() -> Many:
    """Insert a thread that is not there yet, as one of the default profile that was never visited."""
    first = {"profile": "default", "state": "new"}
    values = [_bound(threads, name) for name in IDENTITY]
    given = [sa.literal(value, threads.c[name].type) for name, value in first.items()]
    row = sa.select(*values, *given).where(sa.not_(sa.exists(sa.select(threads.c.no).where(is_named()))))
    return Many(sa.insert(threads).from_select([*IDENTITY, *first], row))


_INSERT = _insert()
_REPLACE_LISTS = _replace(lists, "list", "cursor", "seq", "more")
_REPLACE_FRAMES = _replace(frames, "kind", "segment", "offset")
