"""How lists lie: bent ids, bent pages, bent objects.

Each lie of `switches.LIES` that concerns a list or an object is told here, around the honest `lists.cut`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Any

from exporter.sandbox import raw
from exporter.sandbox.lists import Query, Slice, UnknownCursor, View, cut
from exporter.sandbox.series import Entry

Keep = Callable[[Entry], bool]
SEVENTH = 7
OVERLAP = 3
CHANGED = "_changed"
ANSWERS = count(1)


@dataclass(frozen=True, slots=True)
class PositionIds:
    """The same list, but ids are item_0, item_1, ... in every thread."""

    view: View

    @property
    def span(self) -> int:
        """One past the last position."""
        return self.view.span

    def at(self, position: int) -> Entry | None:
        """Return the object at a position, under its new id."""
        return _named(self.view.at(position), f"item_{position}")

    def find(self, name: str) -> int | None:
        """Return the position of a new id."""
        number = name.removeprefix("item_")
        position = int(number) if number.isascii() and number.isdigit() else self.span
        return position if position < self.span and self.view.at(position) else None


@dataclass(frozen=True, slots=True)
class DuplicateIds:
    """The same list, but every seventh object has the id of the one before it."""

    view: View

    @property
    def span(self) -> int:
        """One past the last position."""
        return self.view.span

    def at(self, position: int) -> Entry | None:
        """Return the object at a position, perhaps under its neighbour's id."""
        entry = self.view.at(position)
        twin = self.view.at(position - 1) if position % SEVENTH == SEVENTH - 1 else None
        return _named(entry, twin.id) if twin and twin.id else entry

    def find(self, name: str) -> int | None:
        """Return the first position of an id."""
        return self.view.find(name)


@dataclass(frozen=True, slots=True)
class ChangingIds:
    """The same list, but every seventh object has another id in each answer; all of them are good as a cursor."""

    view: View
    number: int

    @property
    def span(self) -> int:
        """One past the last position."""
        return self.view.span

    def at(self, position: int) -> Entry | None:
        """Return the object at a position, perhaps under an id of this answer only."""
        entry = self.view.at(position)
        if entry is None or position % SEVENTH != SEVENTH - 1:
            return entry
        return _named(entry, f"{entry.id}{CHANGED}{self.number}")

    def find(self, name: str) -> int | None:
        """Return the position of any of an object's ids."""
        return self.view.find(name.partition(CHANGED)[0])


def bent_view(view: View, lies: frozenset[str]) -> View:
    """Return the list with the ids that the lies give it."""
    if "position_ids" in lies:
        view = PositionIds(view)
    if "duplicate_ids" in lies:
        view = DuplicateIds(view)
    if "changing_ids" in lies:
        view = ChangingIds(view, next(ANSWERS))
    return view


def page(view: View, query: Query, keep: Keep, lies: frozenset[str], order: str) -> Slice:
    """Return the page that the lies make of a query; `order` is the list's default."""
    if "ignores_parameters" in lies:
        query = Query(20, order)
    if "descending" in lies:
        query = replace(query, order="desc")
    try:
        found = _cut(view, query, keep, lies)
    except UnknownCursor:
        if "unknown_after_restarts" not in lies:
            raise
        found = cut(view, replace(query, after=None, before=None), keep)
    if "has_more_always_false" in lies:
        return replace(found, more=False)
    if "has_more_forever" in lies:
        return Slice(found.entries or _last(view, query, keep), more=True)
    return replace(found, more=found.more or "empty_page_has_more" in lies)


def _cut(view: View, query: Query, keep: Keep, lies: frozenset[str]) -> Slice:
    if query.after is not None and "overlapping_pages" in lies:
        query = replace(query, after=_before(view, query.after, query.order))
    if query.after is None or not lies & {"inclusive_cursor", "inclusive_cursor_forever", "cursor_by_second"}:
        return cut(view, query, keep)
    position = view.find(query.after)
    entry = None if position is None else view.at(position)
    if entry is None:
        raise UnknownCursor("after", query.after)
    if "cursor_by_second" in lies:
        second = int(entry.at)
        later = query.order == "asc"
        return cut(view, query, lambda e: keep(e) and (int(e.at) > second if later else int(e.at) < second))
    rest = cut(view, replace(query, limit=query.limit - 1), keep)
    return Slice((entry, *rest.entries), rest.more or "inclusive_cursor_forever" in lies)


def _before(view: View, after: str, order: str) -> str | None:
    """Return the id after which a page begins that overlaps the one before; None for the beginning."""
    position = view.find(after)
    if position is None:
        return after
    earlier = range(position, -1, -1) if order == "asc" else range(position, view.span)
    found = (entry.id for at in earlier if (entry := view.at(at)) is not None)
    return next(islice(found, OVERLAP, None), None)


def _last(view: View, query: Query, keep: Keep) -> tuple[Entry, ...]:
    other = "desc" if query.order == "asc" else "asc"
    return cut(view, Query(query.limit, other), keep).entries[::-1]


def _named(entry: Entry | None, name: str) -> Entry | None:
    if entry is None:
        return None
    return Entry(name, raw.with_field(entry.raw, "id", raw.text(name)), entry.at)


# objects

TIMES: dict[str, Callable[[bytes], bytes]] = {
    "created_at_milliseconds": lambda stamp: stamp + b"000",
    "created_at_float": lambda stamp: stamp + b".123456",
    "created_at_negative": lambda stamp: b"-" + stamp,
}
TEXTS: dict[str, Callable[[str], Any]] = {
    "text_as_string": lambda text: text,
    "text_as_object": lambda text: {"value": text},
    "text_as_list": lambda text: [text],
}


def bent(body: bytes, lies: frozenset[str]) -> bytes:
    """Return an object as the lies tell it; everything else in it stays byte for byte."""
    for lie in sorted(lies & TIMES.keys()):
        for name in ("created_at", "created"):
            body = raw.changed(body, (name,), lambda s, lie=lie: TIMES[lie](s) if s.isdigit() else s)  # type: ignore[misc]
    for lie in sorted(lies & TEXTS.keys()):
        body = raw.changed(
            body,
            ("content", "*", "text"),
            lambda t, lie=lie: raw.text(TEXTS[lie](_plain(t))),  # type: ignore[misc]
        )
    if "content_bare_string" in lies:
        body = raw.changed(body, ("content",), _bare)
    if "status_null" in lies:
        body = raw.with_field(body, "status", b"null")
    if "metadata_underscore" in lies:
        body = raw.renamed(body, "metadata", "metadata_")
    return body


def _plain(text: bytes) -> str:
    value = json.loads(text)
    return str(value.get("value", "") if isinstance(value, dict) else value)


def _bare(content: bytes) -> bytes:
    parts = (raw.field(content[m.start : m.end], "text") for m in raw.members(content))
    return raw.text("".join(_plain(part) for part in parts if part is not None))
