"""One table, some of its columns and rows, in the form that somebody likes.

The idea: it holds a question and no data. DuckDB reads of each file the columns that are asked for, and the row groups
that may have rows that are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar, cast

import pyarrow as pa

from exporter.errors import ArchiveError, UsageError
from exporter.notebook._database import Database
from exporter.schemas import SCHEMAS

if TYPE_CHECKING:
    import duckdb
    import pandas as pd
    import polars as pl

Found = TypeVar("Found")

BATCH_ROWS = 10_000
TRIES = 5
"Looks at files of which one vanishes again and again."


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
        self.schema = SCHEMAS[name] if columns is None else pa.schema([SCHEMAS[name].field(c) for c in columns])
        "The columns and their types."
        self.duckdb()  # a condition that cannot be understood is told now

    def __repr__(self) -> str:
        condition = "" if self.where is None else f", where={self.where!r}"
        return f"<{self.name}: {', '.join(self.schema.names)}{condition}>"

    def duckdb(self) -> duckdb.DuckDBPyRelation:
        """Return a relation of DuckDB, to ask on."""
        return self._database.ask(self._query(", ".join(f'"{name}"' for name in self.schema.names)))

    def count(self) -> int:
        """Count the rows."""
        return int(self._read(lambda: self._database.ask(self._query("count(*)")).fetchall())[0][0])

    def arrow(self) -> pa.Table:
        """Return all rows as a table of Arrow."""
        return self._read(lambda: pa.Table.from_batches(self.batches(), self.schema))

    def batches(self, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """Yield the rows in batches, in flat memory."""
        for batch in self.duckdb().to_arrow_reader(rows):
            yield batch.cast(self.schema)

    def pandas(self) -> pd.DataFrame:
        """Return all rows as a DataFrame of pandas."""
        return self.arrow().to_pandas(split_blocks=True, self_destruct=True)

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

    def _query(self, what: str) -> str:
        # the line end closes a comment in the condition
        condition = "" if self.where is None else f" WHERE ({self.where}\n)"
        return f'SELECT {what} FROM "{self.name}"{condition}'  # noqa: S608 - the user's own question

    def _read(self, read: Callable[[], Found]) -> Found:
        """Read; once more where a file was there when the folder was listed, and is not any more."""
        import duckdb

        for attempt in range(1, TRIES + 1):
            try:
                return read()
            except duckdb.IOException as error:
                if attempt == TRIES:
                    raise ArchiveError(f"{self.name}: {error}; run `exporter check`") from error
            except duckdb.Error as error:
                raise UsageError(str(error)) from error
        raise AssertionError
