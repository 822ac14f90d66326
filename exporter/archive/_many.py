"""One statement for many rows, column by column: SQLAlchemy's work for each row is more than SQLite's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection

_DIALECT = sqlite.dialect(paramstyle="qmark")


class Many:
    """A statement as the driver takes it, and what makes of each column's values what is stored."""

    def __init__(self, statement: sa.ClauseElement) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        assert isinstance(compiled, sa.sql.compiler.SQLCompiler)
        self._sql = str(compiled)
        self._order = tuple(compiled.positiontup or ())
        self._ways = {name: _way(compiled.binds[name].type) for name in self._order}

    def write(self, db: Connection, columns: Mapping[str, Sequence[Any]]) -> None:
        """Execute it for each row: the statement's parameters by their names, with the values of all rows."""
        stored = {name: self._stored(name, columns[name]) for name in self._ways}
        if rows := list(zip(*(stored[name] for name in self._order), strict=True)):
            db.exec_driver_sql(self._sql, rows)

    def _stored(self, name: str, values: Sequence[Any]) -> Iterable[Any]:
        way = self._ways[name]
        return values if way is None else list(map(way, values))


def plain(text: str) -> str:
    """Text that a database takes: lone surrogates are U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _way(kind: sa.types.TypeEngine[Any]) -> Callable[[Any], Any] | None:
    if isinstance(kind, sa.Text):
        return _plain
    return kind.dialect_impl(_DIALECT).bind_processor(_DIALECT)


def _plain(text: Any) -> Any:
    return plain(text) if isinstance(text, str) else text
