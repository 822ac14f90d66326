"""Opening a SQLite file: for the one writer, or for readers, who never change a byte and need no write access."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from exporter.errors import ArchiveError, Locked
from exporter.files import sync_folder, translated

PATIENCE = 30
"Seconds to wait for another program that has the file locked."
NO_INDEX = (sqlite3.SQLITE_IOERR_SHMOPEN, sqlite3.SQLITE_IOERR_SHMSIZE, sqlite3.SQLITE_IOERR_SHMMAP)
"What SQLite says where it cannot make its index of the log beside the file, as on a full disk."


def engine_for_writing(path: Path) -> Engine:
    """Open for writing; readers beside see the last whole transaction."""

    def connect() -> sqlite3.Connection:
        db = _connect(path, "mode=rw")
        db.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
        return db

    return _engine(connect)


def engine_for_reading(path: Path) -> Engine:
    """Open for reading, also in a folder that cannot be written, such as a snapshot, a disc, or on a full disk."""

    def connect() -> sqlite3.Connection:
        db = _connect(path, "mode=ro")
        try:
            db.execute("SELECT name FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            db.close()
            cannot_write = "readonly" in str(error) or "unable to open" in str(error)
            if not cannot_write and error.sqlite_errorcode not in NO_INDEX:
                raise
            return _frozen(path)
        return db

    return _engine(connect)


def put_in_place(fresh: Path, path: Path) -> None:
    """Make the database at `path` what `fresh` is, at once; who reads it sees the old or the new.

    Raises `Locked` where another program has it locked for longer than it is waited for.
    """

    def stepped(status: int, _left: int, _pages: int) -> None:
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):  # Python would try again for ever
            raise Locked(f"{path}: another program has it locked; close that and run again")

    try:
        with closing(_connect(fresh, "mode=ro")) as source, closing(_connect(path, "mode=rw")) as target:
            source.backup(target, progress=stepped)
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF not in (
            sqlite3.SQLITE_NOTADB,
            sqlite3.SQLITE_CORRUPT,
            sqlite3.SQLITE_CANTOPEN,
        ):
            raise ArchiveError(f"{path}: {error}; check the disk, close other programs, and run again") from error
        with translated(path):  # missing, or no database any more, so nobody reads it
            for rest in ("-wal", "-shm"):
                path.with_name(path.name + rest).unlink(missing_ok=True)
            fresh.replace(path)
            sync_folder(path.parent)


def shrink(path: Path) -> None:
    """Write a database again without what was deleted from it, and empty its write-ahead log.

    Raises `Locked` where another program reads it for longer than it is waited for.
    """
    try:
        with closing(_connect(path, "mode=rw")) as db:
            db.isolation_level = None
            db.execute("PRAGMA secure_delete=ON")
            db.execute("VACUUM")
            busy, _, _ = db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        if "locked" not in str(error):
            raise ArchiveError(f"{path}: {error}; check the disk, and run again") from error
        busy = True
    if busy:
        raise Locked(f"{path}: another program keeps it open, and with it what was erased; close that and run again")


def _frozen(path: Path) -> sqlite3.Connection:
    """Open a file of a folder that cannot be written; what a writer left in the write-ahead log is honoured."""
    log = path.with_name(path.name + "-wal")
    if not log.exists() or not log.stat().st_size:
        return _connect(path, "immutable=1")
    # SQLite would need to write its index of the log beside it: read a copy, kept only as long as it is open.
    with translated(path), tempfile.TemporaryDirectory(prefix="exporter-") as folder:
        for file in (path, log):
            shutil.copyfile(file, Path(folder) / file.name)
        db = _connect(Path(folder) / path.name, "mode=rw")
        db.execute("SELECT name FROM sqlite_master").fetchone()
        copy = sqlite3.connect("", check_same_thread=False)  # a private temporary file, gone when closed
        db.backup(copy)
        db.close()
    return copy


def _connect(path: Path, how: str) -> sqlite3.Connection:
    name = f"file:{quote(str(path.absolute()))}?{how}"
    return sqlite3.connect(name, uri=True, timeout=PATIENCE, check_same_thread=False)


def _engine(connect: Callable[[], sqlite3.Connection]) -> Engine:
    return sa.create_engine("sqlite://", creator=connect, poolclass=sa.QueuePool)
