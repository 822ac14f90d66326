"""One statement for many rows, without SQLAlchemy's work for each: that is more than SQLite's own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection

_DIALECT = sqlite.dialect(paramstyle="qmark")


class Many:
    """A statement as the driver takes it, and what makes of each row's values what is stored."""

    def __init__(self, statement: sa.ClauseElement) -> None:
        compiled = statement.compile(dialect=_DIALECT)
        assert isinstance(compiled, sa.sql.compiler.SQLCompiler)
        self._sql = str(compiled)
        self._said = compiled.params
        "Values that are the same in each row."
        self._ways = [(name, _way(compiled.binds[name].type)) for name in compiled.positiontup or ()]

    def write(self, db: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Execute it for each row: values by the names of the statement's parameters."""
        said, ways = self._said, self._ways
        tuples = [
            tuple(
                [
                    way(value) if way else value
                    for value, way in ((row.get(name, said[name]), way) for name, way in ways)
                ]
            )
            for row in rows
        ]
        if tuples:
            db.exec_driver_sql(self._sql, tuples)


def _way(kind: sa.types.TypeEngine[Any]) -> Callable[[Any], Any] | None:
    return kind.dialect_impl(_DIALECT).bind_processor(_DIALECT)
