"""The catalog's tables, derived from the segments: all but `inbox`, and `facts` and `table_files`, which are notes.

The columns in `HINTS` are worked out from visits, and are no part of what a rebuild has to bring back: without them
every thread is due.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from exporter.archive._compact import Digest, Moment, Word

SCHEMA = 6
"Of a catalog with another number nothing is taken over: it is made again."

metadata = sa.MetaData()
facts = sa.Table("facts", metadata, sa.Column("key", sa.Text, primary_key=True), sa.Column("value", sa.Text))
threads = sa.Table(
    "threads",
    metadata,
    sa.Column("no", sa.Integer, primary_key=True),
    sa.Column("source", Word, nullable=False),
    sa.Column("endpoint", sa.Text, nullable=False),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("profile", Word, nullable=False),
    sa.Column("user", sa.Text),
    sa.Column("customer", sa.Text),
    sa.Column("title", sa.Text),
    sa.Column("tags", sa.Text),
    sa.Column("via", sa.Text),
    sa.Column("state", Word, nullable=False),
    sa.Column("code", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("registered_at", Moment),
    sa.Column("seen_at", Moment),
    sa.Column("visited_at", Moment),
    sa.Column("body", Digest),
    sa.Column("midway", sa.Boolean, nullable=False, server_default="0"),
    sa.Column("due_at", Moment, nullable=False, server_default="0"),
    sa.Column("deadline_at", Moment),
    sa.Column("interval", sa.Float, nullable=False, server_default="1"),
    sa.Column("active_at", Moment),
    sa.Column("asked_at", Moment),
    sa.Column("swept_at", Moment),
    sa.Column("failed_at", Moment),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("touched_at", sa.Text),
    sa.Column("gone_at", sa.Text),
    sa.Column("gone_alive", sa.Text),
    sa.Column("gone_active", sa.Text),
    sa.Index("threads_state", "state"),
    sa.Index("threads_id", "id"),
    sa.Index("threads_due", "due_at", "state", "interval"),
)
"""No constraint says that source, endpoint and id are unique, as its index would be as large as a third of the table:
`News.write` looks before it inserts, and only one program does."""
sa.Index("threads_deadline", threads.c.deadline_at, sqlite_where=threads.c.deadline_at.is_not(None))
sa.Index("threads_touched", threads.c.touched_at, sqlite_where=threads.c.touched_at.is_not(None))
sa.Index("threads_failing", threads.c.failures, sqlite_where=threads.c.failures > 0)
sa.Index("threads_gone", threads.c.gone_at, sqlite_where=threads.c.gone_at.is_not(None))
sa.Index("threads_active", threads.c.active_at)
sa.Index("threads_user", threads.c.user, threads.c.active_at, sqlite_where=threads.c.user.is_not(None))
lists = sa.Table(
    "lists",
    metadata,
    sa.Column("thread", sa.Integer, primary_key=True),
    sa.Column("list", Word, primary_key=True),
    sa.Column("cursor", Word),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("more", sa.Boolean, nullable=False),
    sa.Column("crc", sa.Integer, nullable=False),
    sqlite_with_rowid=False,
)
"""Where a walk goes on. SQLite notices no bit that rots in a value, and a cursor that is another one passes what was
never fetched: so each row tells its checksum."""
frames = sa.Table(
    "frames",
    metadata,
    sa.Column("thread", sa.Integer, primary_key=True),
    sa.Column("kind", Word, primary_key=True),
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
inbox = sa.Table(
    "inbox",
    metadata,
    sa.Column("source", sa.Text, primary_key=True),
    sa.Column("endpoint", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, primary_key=True),
    sa.Column("profile", sa.Text, nullable=False),
    sa.Column("touched_at", sa.Text, nullable=False),
    sqlite_with_rowid=False,
)
"Threads that were touched and are not registered: whoever holds the lock next registers them."

HINTS = frozenset({
    "visited_at", "due_at", "deadline_at", "interval", "active_at", "asked_at", "swept_at", "failed_at", "failures",
    "touched_at",
})  # fmt: skip
"Columns of `threads` that a rebuild need not bring back."


def names_in(db: Connection) -> set[str]:
    """Name the tables and indexes that a file has; asked one by one, as `checkfirst` does, they are 200 questions."""
    return set(db.execute(sa.text("SELECT name FROM sqlite_master")).scalars())
