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
        self._order = tuple(compiled.positiontup or ())
        self._ways = {name: _way(compiled.binds[name].type) for name in self._order}

    def write(self, db: Connection, rows: Iterable[Mapping[str, Any]]) -> None:
        """Execute it for each row: values by the names of the statement's parameters."""
        rows = list(rows)
        if not rows:
            return
        columns: dict[str, list[Any]] = {}
        for name, way in self._ways.items():
            same = self._said[name]
            values = [row.get(name, same) for row in rows]
            columns[name] = values if way is None else list(map(way, values))
        db.exec_driver_sql(self._sql, list(zip(*(columns[name] for name in self._order), strict=True)))


def _way(kind: sa.types.TypeEngine[Any]) -> Callable[[Any], Any] | None:
    return kind.dialect_impl(_DIALECT).bind_processor(_DIALECT)
