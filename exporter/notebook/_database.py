"""The DuckDB that a notebook asks: in memory, over the table files, closed to everything else.

The idea: a table is a view of its folder, so a question lists and opens files when it is asked. Each question has a
connection of its own: one that is still streaming is not disturbed by the next.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from exporter.errors import UsageError
from exporter.schemas import SCHEMAS

if TYPE_CHECKING:
    import duckdb

PLAIN = re.compile(r"[A-Za-z0-9_./=+,@ -]+")
"Paths that mean nothing else to DuckDB, which takes `[`, `*`, `?` and `\\` for patterns."
QUESTIONS = ("SELECT", "EXPLAIN", "MULTI")
"Kinds of statements that only read; `MULTI` is what a `PIVOT` becomes."
_TYPES = {pa.string(): "varchar", pa.int64(): "bigint", pa.timestamp("us", "UTC"): "timestamptz"}


class Database:
    """The tables of an archive, and views on them."""

    def __init__(self, path: Path, memory: str, threads: int | None) -> None:
        self._duckdb = _duckdb()
        scratch = Path(tempfile.mkdtemp(prefix="exporter-"))
        self._path = path if PLAIN.fullmatch(str(path)) else _linked(path, scratch)
        try:
            self._home = self._duckdb.connect(":memory:", config=_settings(scratch, memory, threads))
            self._close_to_all_else()
        except self._duckdb.Error as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise UsageError(f"DuckDB does not start: {error}") from error
        self.close = weakref.finalize(self, _close, self._home, scratch)
        self._there: dict[str, bool] = {}
        self._given: dict[str, Any] = {}
        self._ready: set[str] = set()
        self._look()

    def _close_to_all_else(self) -> None:
        self._home.execute("SET GLOBAL TimeZone = 'UTC'")
        self._home.execute(f"SET GLOBAL allowed_directories = [{_quoted(str(self._path))}]")
        self._home.execute("SET GLOBAL enable_external_access = false")
        self._home.execute("SET GLOBAL lock_configuration = true")

    @property
    def names(self) -> set[str]:
        """What SQL may name."""
        return {*SCHEMAS, *self._given, *self._ready}

    def give(self, name: str, data: Any) -> None:
        """Offer what Python holds, by a name; what has `__arrow_c_stream__` is read anew by each question."""
        self._given[name] = data
        self._home.register(name, data)

    def views(self, queries: Mapping[str, str]) -> None:
        """Make views, which may ask one another."""
        left = dict(queries)
        while left:
            for name, query in list(left.items()):
                with suppress(self._duckdb.CatalogException):
                    self._view(name, query)
                    del left[name]
                    break
            else:
                raise AssertionError(left.keys())
        self._ready |= queries.keys()

    def _view(self, name: str, query: str) -> None:
        self._home.execute(f'CREATE OR REPLACE VIEW "{name}" AS {query}')

    def ask(self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> duckdb.DuckDBPyRelation:
        """Return the answer to a question, read when somebody asks for its rows; `UsageError` where it is none."""
        self._look()
        asking = self._home.cursor()
        for name, data in self._given.items():
            asking.register(name, data)
        try:
            for statement in asking.extract_statements(query):
                if statement.type.name not in QUESTIONS:
                    raise UsageError(f"{statement.type.name}: only questions can be asked here, such as SELECT")
            found: duckdb.DuckDBPyRelation = asking.sql(query) if params is None else asking.sql(query, params=params)
        except self._duckdb.Error as error:
            raise UsageError(str(error)) from error
        return found

    def _look(self) -> None:
        """Make the views of tables; one that has no file yet has no rows."""
        for table, schema in SCHEMAS.items():
            there = any((self._path / table).glob("*.parquet"))
            if self._there.get(table) != there:
                self._view(table, self._files(table) if there else _nothing(schema))
                self._there[table] = there

    def _files(self, table: str) -> str:
        names = ", ".join(f'"{name}"' for name in SCHEMAS[table].names)
        pattern = _quoted(f"{self._path}/{table}/*.parquet")
        return f"SELECT {names} FROM read_parquet({pattern}, hive_partitioning = false)"  # noqa: S608 - our own names


def _duckdb() -> Any:
    try:
        import duckdb
    except ImportError:
        raise UsageError("duckdb is not installed; pip install 'conversation-exporter[notebook]'") from None
    return duckdb


def _settings(scratch: Path, memory: str, threads: int | None) -> dict[str, Any]:
    return {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "memory_limit": memory,
        "temp_directory": str(scratch / "spill"),
        "preserve_insertion_order": False,
        **({} if threads is None else {"threads": threads}),
    }


def _linked(path: Path, scratch: Path) -> Path:
    """Return a harmless name for a folder."""
    link = scratch / "archive"
    link.symlink_to(path, target_is_directory=True)
    return link


def _close(home: duckdb.DuckDBPyConnection, scratch: Path) -> None:
    home.close()
    shutil.rmtree(scratch, ignore_errors=True)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _nothing(schema: pa.Schema) -> str:
    columns = ", ".join(f'NULL::{_TYPES[field.type]} AS "{field.name}"' for field in schema)
    return f"SELECT {columns} WHERE false"
