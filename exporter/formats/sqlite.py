"""SQLite: one database with threads, runs, messages, steps and files, for SQL and for Datasette.

The columns are those of the tables in `docs/format.md`, with times as text (`2026-11-21T05:00:00Z`), and numbers of
the rows they belong to as foreign keys. `messages_fts` is a full-text index over the texts of messages.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from exporter.errors import ArchiveError, DiskFull
from exporter.formats._job import Job
from exporter.formats._story import Story
from exporter.model import Kind
from exporter.rows import TABLE_OF
from exporter.schemas import SCHEMAS

SUFFIX = ".sqlite"

ORDER: tuple[Kind, ...] = ("run", "message", "step", "file")
"Whom others point to comes first."
OF_THREAD = ("source", "endpoint", "profile", "thread_id", "user", "customer", "title")
"Columns that all rows of a thread share: they are in `threads` only."
POINTS: dict[str, tuple[str, str, str]] = {
    "messages": ("run", "runs", "run_id"),
    "steps": ("run", "runs", "run_id"),
    "files": ("message", "messages", "message_id"),
}
"Of a table, the column that points to a row of another, and by which id."
INDEXES = """
    CREATE INDEX threads_user ON threads (user);
    CREATE INDEX threads_customer ON threads (customer);
    CREATE INDEX threads_created_at ON threads (created_at);
    CREATE INDEX messages_thread_seq ON messages (thread, seq);
    CREATE INDEX messages_ts ON messages (ts);
    CREATE INDEX messages_role ON messages (role);
    CREATE INDEX messages_run ON messages (run);
    CREATE INDEX steps_run ON steps (run);
    CREATE INDEX steps_thread ON steps (thread);
    CREATE INDEX files_message ON files (message);
    CREATE INDEX files_thread ON files (thread);
    CREATE VIRTUAL TABLE messages_fts USING fts5 (text, content="messages", content_rowid="id");
    INSERT INTO messages_fts (messages_fts) VALUES ('rebuild');
    ANALYZE;
"""
IDS = """
    CREATE INDEX messages_by_id ON messages (thread, message_id);
    CREATE INDEX runs_by_id ON runs (thread, run_id);
"""
"Wanted while rows are put in, and afterwards too."
PRAGMAS = ("journal_mode = OFF", "synchronous = OFF", "cache_size = -32000", "temp_store = FILE", "foreign_keys = OFF")
"Nobody else sees the file before it is whole."


def write(stories: Iterable[Story], out: BinaryIO, job: Job) -> None:
    """Write a database; it is made beside the result, and copied into it when it is whole."""
    with tempfile.TemporaryDirectory(dir=job.scratch, prefix=".exporter-") as folder:
        path = Path(folder) / "made.sqlite"
        with _translated(path), closing(sqlite3.connect(path, isolation_level=None)) as db:
            _fill(db, stories, job)
        with path.open("rb") as made:
            shutil.copyfileobj(made, out, 1 << 20)


@contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if "full" in str(error):
            raise DiskFull(f"{path}: the disk is full; free space and run again") from error
        raise ArchiveError(f"{path}: {error}; check the disk and run again") from error


def _fill(db: sqlite3.Connection, stories: Iterable[Story], job: Job) -> None:
    for pragma in PRAGMAS:
        db.execute(f"PRAGMA {pragma}")
    db.execute("BEGIN")
    for table in ("threads", *(TABLE_OF[kind] for kind in ORDER)):
        db.execute(_made(table))
    for statement in IDS.split(";")[:-1]:
        db.execute(statement)
    for story in stories:
        job.threads += 1
        number = _put(db, "threads", _thread(story))
        for kind in ORDER:
            for row in story.rows(kind):
                _put(db, TABLE_OF[kind], row | {"thread": number})
                job.records += 1
                job.messages += kind == "message"
    for statement in INDEXES.split(";")[:-1]:
        db.execute(statement)
    db.execute("COMMIT")


def _columns(table: str) -> list[tuple[str, str]]:
    """Name the columns of a table with their types."""
    schema = SCHEMAS[table]
    types = {"int64": "INTEGER"}
    columns = [(field.name, types.get(str(field.type), "TEXT")) for field in schema]
    if table == "threads":
        return columns
    point = [(POINTS[table][0], f"INTEGER REFERENCES {POINTS[table][1]} (id)")] if table in POINTS else []
    own = [column for column in columns if column[0] not in OF_THREAD]
    return [("thread", "INTEGER NOT NULL REFERENCES threads (id)"), *point, *own]


def _made(table: str) -> str:
    columns = ", ".join(f'"{name}" {kind}' for name, kind in _columns(table))
    unique = ", UNIQUE (source, endpoint, thread_id)" if table == "threads" else ""
    return f"CREATE TABLE {table} (id INTEGER PRIMARY KEY, {columns}{unique})"


def _put(db: sqlite3.Connection, table: str, row: Mapping[str, Any]) -> int | None:
    names = [name for name, _ in _columns(table)]
    point = POINTS.get(table)
    marks = ", ".join("?" if point is None or name != point[0] else _found(*point[1:]) for name in names)
    values: list[Any] = []
    for name in names:
        if point is not None and name == point[0]:
            values += [row["thread"], row.get(point[2])]
        else:
            values.append(_shown(row.get(name)))
    listed = ", ".join(f'"{name}"' for name in names)
    return db.execute(f"INSERT INTO {table} ({listed}) VALUES ({marks})", values).lastrowid  # noqa: S608 - our own names


def _found(table: str, key: str) -> str:
    return f"(SELECT id FROM {table} WHERE thread = ? AND {key} = ? LIMIT 1)"  # noqa: S608 - our own names


def _thread(story: Story) -> dict[str, Any]:
    """Return the row of a thread; its messages are those that are here."""
    head = story.head()
    tags = story.known.tags
    count = sum(1 for _ in story.told("message"))
    return head | {"messages": count, "tags_json": _json(tags) if tags else None}


def _json(tags: tuple[str, ...]) -> str:
    import json

    return json.dumps(tags, ensure_ascii=False)


def _shown(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return value
