"""Which objects belong on a page: limit, order, after and before over a view of positions.

Pure: no HTTP here. A view is anything that knows `span`, `at(position)` and `find(id)`, so a lie about ids or
cursors is one more view around the honest one (`lies.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from exporter.sandbox.series import Entry


class View(Protocol):
    """What paging needs to know of a list."""

    @property
    def span(self) -> int:
        """One past the last position."""

    def at(self, position: int) -> Entry | None:
        """Return the object at a position; None when it was deleted."""

    def find(self, name: str) -> int | None:
        """Return the position of an id."""


@dataclass(frozen=True, slots=True)
class Query:
    """One question to a list."""

    limit: int = 20
    order: str = "desc"
    after: str | None = None
    before: str | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """One page's objects, and whether more follow."""

    entries: tuple[Entry, ...]
    more: bool


class UnknownCursor(Exception):
    """`after` or `before` names nothing in this list."""

    def __init__(self, param: str, name: str) -> None:
        super().__init__(name)
        self.param, self.name = param, name


def everything(_: Entry) -> bool:
    """Keep every object."""
    return True


def cut(view: View, query: Query, keep: Callable[[Entry], bool] = everything) -> Slice:
    """Take the page that `query` asks for; it looks at no more objects than it must.

    `before` gives the page that ends right before that object, in the same order.
    """
    step = 1 if query.order == "asc" else -1
    start, stop = (0, view.span) if step == 1 else (view.span - 1, -1)
    if query.after is not None:
        start = _position(view, "after", query.after) + step
    if query.before is not None:
        stop = _position(view, "before", query.before)
    if query.before is not None and query.after is None:
        found = _take(view, range(stop - step, start - step, -step), query.limit, keep)
        return Slice(found.entries[::-1], found.more)
    return _take(view, range(start, stop, step), query.limit, keep)


def _position(view: View, param: str, name: str) -> int:
    position = view.find(name)
    if position is None:
        raise UnknownCursor(param, name)
    return position


def _take(view: View, positions: range, limit: int, keep: Callable[[Entry], bool]) -> Slice:
    entries: list[Entry] = []
    for position in positions:
        entry = view.at(position)
        if entry is None or not keep(entry):
            continue
        if len(entries) == limit:
            return Slice(tuple(entries), more=True)
        entries.append(entry)
    return Slice(tuple(entries), more=False)
