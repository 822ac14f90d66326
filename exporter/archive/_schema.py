"""The catalog's tables, all derived from the segments but `facts` and `table_files`, which note what was published."""

from __future__ import annotations

import sqlalchemy as sa

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
