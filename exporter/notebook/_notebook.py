"""An archive, opened for a notebook."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from exporter.archive import is_encrypted
from exporter.errors import UsageError
from exporter.notebook import _prices
from exporter.notebook._catalog import streams
from exporter.notebook._database import Database
from exporter.notebook._table import Table
from exporter.notebook._transcript import Transcript

if TYPE_CHECKING:
    import duckdb

COMMENT = "-- "


class Notebook:
    """An archive to ask: its tables, SQL over them, and its conversations."""

    def __init__(self, path: Path, *, memory: str, threads: int | None) -> None:
        self.path = path
        self._memory, self._threads = memory, threads
        self._prices = _prices.SCHEMA.empty_table()

    def __repr__(self) -> str:
        return f"exporter.open({str(self.path)!r})"

    # Tables

    def messages(self, columns: Sequence[str] | None = None, where: str | None = None) -> Table:
        """Every entry of every thread's history."""
        return Table(self._database, "messages", columns, where)

    def threads(self, columns: Sequence[str] | None = None, where: str | None = None) -> Table:
        """The threads themselves."""
        return Table(self._database, "threads", columns, where)

    def runs(self, columns: Sequence[str] | None = None, where: str | None = None) -> Table:
        """Runs of assistants, turns and subagents of agents' sessions."""
        return Table(self._database, "runs", columns, where)

    def steps(self, columns: Sequence[str] | None = None, where: str | None = None) -> Table:
        """Steps of runs, traces of turns."""
        return Table(self._database, "steps", columns, where)

    def files(self, columns: Sequence[str] | None = None, where: str | None = None) -> Table:
        """What messages point to, and where its content is kept."""
        return Table(self._database, "files", columns, where)

    def revisions(self, columns: Sequence[str] | None = None, where: str | None = None) -> Table:
        """Every state of what was seen to change."""
        return Table(self._database, "revisions", columns, where)

    def gaps(self, columns: Sequence[str] | None = None, where: str | None = None) -> Table:
        """What is known to be missing."""
        return Table(self._database, "gaps", columns, where)

    # SQL

    def sql(self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> duckdb.DuckDBPyRelation:
        """Return the answer to a question in SQL, which may name every table and every view of `views()`.

        A relation of DuckDB: `.df()`, `.pl()`, `.to_arrow_table()`, `.fetchall()`, `.show()`. Values go into `params`:
        `sql("select * from messages where thread_id = ?", [name])`. `UsageError` for what cannot be asked.
        """
        return self._database.ask(query, params)

    def views(self) -> dict[str, str]:
        """Name the ready views, each with a sentence."""
        return {name: _sentence(text) for name, text in _ready().items()}

    def register(self, name: str, data: Any) -> None:
        """Offer a DataFrame or a table of Arrow to SQL, by a name that no table or view of the archive has."""
        if not name.isidentifier() or name.lower() in self._database.names:
            raise UsageError(f"{name!r}: choose another name, of letters, digits and _")
        self._database.give(name, data)

    @property
    def prices(self) -> pa.Table:
        """What a million tokens of each model cost: `model`, `input`, `output`; empty until somebody says it.

        Set it to a CSV file, a DataFrame or a dict `{model: (input, output)}`.
        """
        return self._prices

    @prices.setter
    def prices(self, said: Any) -> None:
        self._prices = _prices.prices(said)
        self._database.give("prices", self._prices)

    @cached_property
    def _database(self) -> Database:
        if is_encrypted(self.path):
            raise UsageError(
                f"{self.path}: it is encrypted, so it has no tables; `thread` reads a conversation, and "
                "`exporter export --format sqlite` writes what can be asked"
            )
        database = Database(self.path, self._memory, self._threads)
        for name, stream in streams(self.path).items():
            database.give(name, stream)
        database.give("prices", self._prices)
        database.views(_ready())
        return database

    # Conversations

    def thread(self, thread_id: str, source: str | None = None) -> Transcript:
        """Return a conversation to read; `UsageError` where none has this id, or several without a `source`."""
        return Transcript(self.path, thread_id, source)


def _ready() -> dict[str, str]:
    """Return the text of the ready views, by name."""
    found = (file for file in (files(__package__) / "views").iterdir() if file.name.endswith(".sql"))
    return {file.name.removesuffix(".sql"): file.read_text("utf-8") for file in sorted(found, key=lambda f: f.name)}


def _sentence(text: str) -> str:
    """Return the comment that a view begins with."""
    lines = text.splitlines()
    count = next((number for number, line in enumerate(lines) if not line.startswith(COMMENT)), len(lines))
    return " ".join(line.removeprefix(COMMENT).strip() for line in lines[:count])
