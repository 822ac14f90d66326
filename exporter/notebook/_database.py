"""The DuckDB that a notebook asks: in memory, over the table files, without a network.

The idea: each question has a connection of its own, in which the tables that it names are views of files that are held
open (`Pinned`) as long as the answer or anything made of it is there. So a question sees what was there when it was
asked, and one that is still streaming is not disturbed by the next.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from exporter.errors import Damaged, ExporterError, UsageError
from exporter.notebook._pinned import Files, Pinned
from exporter.schemas import SCHEMAS

if TYPE_CHECKING:
    import duckdb

QUESTIONS = ("SELECT", "EXPLAIN", "MULTI")
"Kinds of statements that only read; `MULTI` is what a `PIVOT` becomes."
KEPT = "exporter_kept"
_TYPES = {pa.string(): "varchar", pa.int64(): "bigint", pa.timestamp("us", "UTC"): "timestamptz"}


class Database:
    """The tables of an archive, and views on them."""

    def __init__(self, path: Path, memory: str, threads: int | None) -> None:
        self._duckdb = _duckdb()
        self._files = Files(path)
        scratch = Path(tempfile.mkdtemp(prefix="exporter-"))
        try:
            self._home = self._duckdb.connect(":memory:", config=_settings(scratch, memory, threads))
        except self._duckdb.Error as error:
            shutil.rmtree(scratch, ignore_errors=True)
            raise UsageError(f"DuckDB does not start: {error}") from error
        self.close = weakref.finalize(self, _close, self._home, scratch)
        self._home.execute("SET GLOBAL TimeZone = 'UTC'")
        self._home.execute("SET GLOBAL lock_configuration = true")
        self._given: dict[str, Any] = {}
        self._needs: dict[str, set[str]] = {}
        for table, schema in SCHEMAS.items():
            self._view(table, _unnamed(table, schema))

    @property
    def names(self) -> set[str]:
        """What SQL may name."""
        return {*SCHEMAS, *self._given, *self._needs}

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
        self._needs |= {name: _words(query) for name, query in queries.items()}

    def _view(self, name: str, query: str) -> None:
        self._home.execute(f'CREATE OR REPLACE VIEW "{name}" AS {query}')

    def ask(self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None) -> duckdb.DuckDBPyRelation:
        """Return the answer to a question, read when somebody asks for its rows; `UsageError` where it is none."""
        with self.answer(query, params) as found:
            return found

    @contextmanager
    def answer(
        self, query: str, params: Sequence[Any] | Mapping[str, Any] | None = None
    ) -> Iterator[duckdb.DuckDBPyRelation]:
        """Give the answer to a question; what DuckDB complains of while it is read is one of our errors."""
        if not _is_text(query):
            raise UsageError(f"{query!r}: a question is a text of whole characters")
        pinned = {table: self._files.pinned(table) for table in self._tables(query)}
        try:
            yield self._ask(query, params, pinned)
        except self._duckdb.Error as error:
            raise _told(str(error), pinned.values()) from error

    def _ask(self, query: str, params: Any, pinned: Mapping[str, Pinned]) -> duckdb.DuckDBPyRelation:
        asking = self._home.cursor()
        asking.register(KEPT, _Kept(list(pinned.values())))
        for name, data in self._given.items():
            asking.register(name, data)
        for table, held in pinned.items():
            asking.execute(f'CREATE TEMP VIEW "{table}" AS {_files(table, held.paths)}')
        statements = asking.extract_statements(query)
        if not statements:
            raise UsageError("there is no question; say for example: select count(*) from messages")
        for statement in statements:
            if statement.type.name not in QUESTIONS:
                raise UsageError(f"{statement.type.name}: only questions can be asked here, such as SELECT")
        found: duckdb.DuckDBPyRelation = asking.sql(query) if params is None else asking.sql(query, params=params)
        return found

    def _tables(self, query: str) -> list[str]:
        """Return the tables that a question may read: those it names, and those of the views it names."""
        named, new = set[str](), _words(query)
        while new:
            named |= new
            new = {word for name in new for word in self._needs.get(name, ())} - named
        return [table for table in SCHEMAS if table in named]


class _Kept:
    """Keeps files open: DuckDB holds on to what was registered with a connection as long as an answer needs it."""

    def __init__(self, pinned: list[Pinned]) -> None:
        self.pinned = pinned

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        names = [name for held in self.pinned for name in held.names.values()]
        return pa.table({"file": pa.array(names, pa.string())}).__arrow_c_stream__(requested_schema)  # type: ignore[no-untyped-call]


def _duckdb() -> Any:
    try:
        import duckdb
        import pytz  # type: ignore[import-untyped]  # noqa: F401 - DuckDB needs it to give times to Python, and says so late
    except ImportError as error:
        raise UsageError(f"{error.name} is not installed; pip install 'conversation-exporter[notebook]'") from None
    return duckdb


def _settings(scratch: Path, memory: str, threads: int | None) -> dict[str, Any]:
    return {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "extension_directory": str(scratch / "extensions"),
        "python_enable_replacements": False,  # variables that are called like a table would take its place
        "enable_external_file_cache": False,  # it knows files by their paths
        "memory_limit": memory,
        "temp_directory": str(scratch / "spill"),
        **({} if threads is None else {"threads": threads}),
    }


def _close(home: duckdb.DuckDBPyConnection, scratch: Path) -> None:
    home.close()
    shutil.rmtree(scratch, ignore_errors=True)


def _is_text(query: object) -> bool:
    """Tell whether DuckDB can be given this: half a surrogate pair is in no text of its."""
    return isinstance(query, str) and not re.search("[\ud800-\udfff]", query)


def _words(query: str) -> set[str]:
    return {word.lower() for word in re.findall(r"\w+", query)}


def _told(said: str, pinned: Iterable[Pinned]) -> ExporterError:
    found = {path: name for held in pinned for path, name in held.names.items() if re.search(rf"{path}\b", said)}
    for path, name in found.items():
        said = said.replace(path, name)
    return Damaged(f"{said}; run `exporter check`") if found else UsageError(said)


def _files(table: str, paths: list[str]) -> str:
    if not paths:
        return f"{_nothing(SCHEMAS[table])} WHERE false"
    names = ", ".join(f'"{name}"' for name in SCHEMAS[table].names)
    listed = ", ".join(f"'{path}'" for path in paths)
    return f"SELECT {names} FROM read_parquet([{listed}], hive_partitioning = false)"  # noqa: S608 - our own names


def _unnamed(table: str, schema: pa.Schema) -> str:
    """Return what stands for a table in a question that reads it and does not name it: rather an error than no rows."""
    return f"{_nothing(schema)} WHERE error('name the table {table} as it is in the question')::BOOLEAN"


def _nothing(schema: pa.Schema) -> str:
    return "SELECT " + ", ".join(f'NULL::{_TYPES[field.type]} AS "{field.name}"' for field in schema)
