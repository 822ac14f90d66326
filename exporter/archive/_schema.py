"""The catalog's tables, all derived from the segments but `facts` and `table_files`, which note what was published.

The columns in `HINTS` are worked out from visits, and are no part of what a rebuild has to bring back: without them
every thread is due.
"""

from __future__ import annotations

import sqlalchemy as sa

SCHEMA = 3
"Of a catalog with another number nothing is taken over: it is made again."

ALWAYS, NEVER = "", "9999"
"Due since ever, and due never: what stands before and behind every time."

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
    sa.Column("via", sa.Text),
    sa.Column("state", sa.Text, nullable=False, server_default="new"),
    sa.Column("code", sa.Text),
    sa.Column("error", sa.Text),
    sa.Column("registered_at", sa.Text),
    sa.Column("seen_at", sa.Text),
    sa.Column("visited_at", sa.Text),
    sa.Column("body", sa.Text),
    sa.Column("midway", sa.Boolean, nullable=False, server_default="0"),
    sa.Column("due_at", sa.Text, nullable=False, server_default=ALWAYS),
    sa.Column("deadline_at", sa.Text),
    sa.Column("interval", sa.Float, nullable=False, server_default="1"),
    sa.Column("active_at", sa.Text),
    sa.Column("asked_at", sa.Text),
    sa.Column("swept_at", sa.Text),
    sa.Column("failed_at", sa.Text),
    sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
    sa.Column("touched_at", sa.Text),
    sa.UniqueConstraint("source", "endpoint", "id"),
    sa.Index("threads_state", "state"),
    sa.Index("threads_id", "id"),
    sa.Index("threads_due", "due_at"),
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

HINTS = frozenset({
    "visited_at", "due_at", "deadline_at", "interval", "active_at", "asked_at", "swept_at", "failed_at", "failures",
    "touched_at",
})  # fmt: skip
"Columns of `threads` that a rebuild need not bring back."
