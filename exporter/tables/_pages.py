"""Pages taken apart: the lines of many pages of messages in one go, everything else record by record."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import cast

from exporter.archive import read_records
from exporter.model import Mark, Record, Registration
from exporter.rows import Entry, entries


@dataclass(frozen=True, slots=True)
class Page:
    """A page of manifest `number`."""

    number: int
    mark: Mark
    owner: Registration
    objects: Sequence[Record | Entry]
    "Of messages, entries where they are usual; of all else, records."
    lines: Sequence[bytes]

    @property
    def records(self) -> Sequence[Record]:
        """What a page has that is not of messages."""
        return cast("Sequence[Record]", self.objects)

    @property
    def observed_at(self) -> datetime:
        """When the first of its objects was seen."""
        return seen(self.objects[0]) if self.objects else self.mark.fetched_at


def seen(one: Record | Entry) -> datetime:
    """Return when an object was seen."""
    return one.observed_at if isinstance(one, Record) else datetime.fromisoformat(one.observed_at)


def taken_apart(some: Sequence[tuple[tuple[int, Mark, list[bytes]], Registration]]) -> Iterator[Page]:
    """Read the records of some pages, which are few enough to be held."""
    messages: Iterator[Record | Entry] = iter(_read(_lines(some, messages=True)))
    others: Iterator[Record | Entry] = iter(read_records(_lines(some, messages=False)))
    for (number, mark, lines), owner in some:
        source = messages if mark.kind == "message" else others
        yield Page(number, mark, owner, list(islice(source, len(lines))), lines)


def _lines(some: Sequence[tuple[tuple[int, Mark, list[bytes]], Registration]], *, messages: bool) -> list[bytes]:
    """Return the lines of all pages of messages, or of all others."""
    return [line for (_, mark, lines), _ in some if (mark.kind == "message") is messages for line in lines]


def _read(lines: Sequence[bytes]) -> list[Record | Entry]:
    """Take lines apart; look at each half where any is odd, so that it does not make all others slow."""
    found = entries(lines)
    if found is not None:
        return list(found)
    if len(lines) == 1:
        return list(read_records(lines))
    middle = len(lines) // 2
    return _read(lines[:middle]) + _read(lines[middle:])
