"""One table, some of its columns and rows, in the form that somebody likes.

The idea: it holds a question and no data. DuckDB reads of each file the columns that are asked for, and the row groups
that may have rows that are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Literal, cast, overload

import pyarrow as pa

from exporter.errors import UsageError
from exporter.notebook._database import Database
from exporter.schemas import SCHEMAS

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl

BATCH_ROWS = 10_000


class Table:
    """A table of the archive, read when one of its methods is called."""

    def __init__(
        self, database: Database, name: str, columns: Sequence[str] | None = None, where: str | None = None
    ) -> None:
        self._database, self.name, self.where = database, name, where
        unknown = [column for column in columns or () if column not in SCHEMAS[name].names]
        if unknown:
            has = ", ".join(SCHEMAS[name].names)
            raise UsageError(f"{name}: there is no column {', '.join(map(repr, unknown))}; there is {has}")
        if where is not None and not _says_something(where):
            raise UsageError(f"{name}: where={where!r} is no condition; say for example: where=\"role = 'user'\"")
        self.schema = SCHEMAS[name] if columns is None else pa.schema([SCHEMAS[name].field(c) for c in columns])
        "The columns and their types."
        self.duckdb()  # a condition that cannot be understood is told now

    def __repr__(self) -> str:
        condition = "" if self.where is None else f", where={self.where!r}"
        return f"<{self.name}: {', '.join(self.schema.names)}{condition}>"

    def duckdb(self) -> duckdb.DuckDBPyRelation:
        """Return a relation of DuckDB, to ask on."""
        return self._database.ask(self._query(self._columns))

    def count(self) -> int:
        """Count the rows."""
        with self._database.answer(self._query("count(*)")) as found:
            return int(found.fetchall()[0][0])

    def arrow(self) -> pa.Table:
        """Return all rows as a table of Arrow."""
        return pa.Table.from_batches(self.batches(), self.schema)

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches, in flat memory."""
        with self._database.answer(self._query(self._columns)) as found:
            for batch in found.to_arrow_reader(rows):
                yield batch.cast(self.schema)

    def pandas(self) -> pd.DataFrame:
        """Return all rows as a DataFrame of pandas."""
        return self.arrow().to_pandas(split_blocks=True, self_destruct=True)

    @overload
    def polars(self, *, lazy: Literal[False] = False) -> pl.DataFrame: ...

    @overload
    def polars(self, *, lazy: Literal[True]) -> pl.LazyFrame: ...

    def polars(self, *, lazy: bool = False) -> pl.DataFrame | pl.LazyFrame:
        """Return the rows as a frame of Polars; a lazy one reads what its own query needs, when it is collected."""
        try:
            import polars as pl
        except ImportError:
            raise UsageError("polars is not installed; pip install polars") from None
        if lazy:
            return cast("pl.LazyFrame", self.duckdb().pl(lazy=True))
        frame = pl.from_arrow(self.arrow())
        assert isinstance(frame, pl.DataFrame)
        return frame

    @property
    def _columns(self) -> str:
        return ", ".join(f'"{name}"' for name in self.schema.names)

    def _query(self, what: str) -> str:
        # the line end closes a comment in the condition
        condition = "" if self.where is None else f" WHERE ({self.where}\n)"
        return f'SELECT {what} FROM "{self.name}"{condition}'  # noqa: S608 - the user's own question


def _says_something(where: object) -> bool:
    """Tell whether a condition is a text with more than blanks and a comment in it."""
    return isinstance(where, str) and any(line.split("--")[0].strip() for line in where.splitlines())
