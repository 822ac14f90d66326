"""The catalog as a file: opened, read and closed; one transaction at a time, and the facts that it keeps by name."""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection

from exporter.archive._schema import SCHEMA, facts, frames, lists, metadata, names_in, segments, threads
from exporter.archive._sqlite import engine_for_reading, engine_for_writing, shrink
from exporter.archive._timing import make_indexes
from exporter.errors import ArchiveError, Damaged, DiskFull, Locked
from exporter.files import make_folder, writing


class Database:
    """An open file; every method is one short transaction."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        self.path = path
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
                _make(db)
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

    def rows(self, query: sa.Select[*tuple[Any, ...]]) -> Iterator[tuple[Any, ...]]:
        """What a question is answered, row by row."""
        with self._db() as db:
            yield from map(tuple, db.execute(query))

    def number(self, query: sa.Select[int]) -> int:
        """The one number that a question asks for."""
        return next((int(row[0] or 0) for row in self.rows(query)), 0)

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
            note_fact(db, key, value)

    def drop_fact(self, key: str) -> None:
        """Keep nothing under a name."""
        with self._db() as db:
            db.execute(sa.delete(facts).where(facts.c.key == key))

    @property
    def current(self) -> bool:
        """Whether this version of the program made it."""
        return self.fact("schema") == str(SCHEMA)

    def indexed(self) -> int:
        """The newest manifest whose segments are indexed here; 0 for none."""
        return int(self.fact("manifest") or 0)

    def verify(self) -> None:
        """Read the whole file; `Damaged` if it contradicts itself."""
        with self._db() as db:
            said = db.execute(sa.text("PRAGMA integrity_check(1)")).scalar()
        if said != "ok":
            raise Damaged(f"{self.path}: {said}; run `exporter rebuild`")

    def shrink(self) -> None:
        """Leave nothing in the file of what was deleted; `Locked` where another program keeps that from happening."""
        self._engine.dispose()
        shrink(self.path)


def _make(db: Connection) -> None:
    """Make the tables and indexes that are not there."""
    there = names_in(db)
    if facts.name not in there:
        facts.create(db)
    if db.execute(sa.select(facts.c.value).where(facts.c.key == "schema")).scalar() != str(SCHEMA):
        _begin_again(db, there)
    there = names_in(db)
    for table in metadata.sorted_tables:
        if table.name not in there:
            table.create(db)
    make_indexes(db)


def _begin_again(db: Connection, there: Container[str]) -> None:
    """Forget what an older version indexed; opening for writing indexes it anew."""
    for table in (threads, lists, frames, segments):
        if table.name in there:
            table.drop(db)
    note_fact(db, "manifest", "0")
    note_fact(db, "schema", str(SCHEMA))


def note_fact(db: Connection, key: str, value: str) -> None:
    """Keep a single value under a name, in a transaction."""
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
