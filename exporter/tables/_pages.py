"""Pages taken apart: the lines of many pages of messages in one go, everything else record by record."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from typing import cast

import msgspec

from exporter.archive import MarkLine, read_records
from exporter.model import Record, Registration, ThreadRef
from exporter.rows import Entry, entries
from exporter.tables._names import Whose, whose
from exporter.tables._reader import New

Owners = Callable[[Iterable[ThreadRef]], Mapping[ThreadRef, Registration]]


class _Told(msgspec.Struct, gc=False):
    """What is read of a line that is no object of a list."""

    observed_at: str
    body: msgspec.Raw


_TOLD = msgspec.json.Decoder(_Told)


class Page(msgspec.Struct, frozen=True, gc=False):
    """A page of manifest `number`."""

    number: int
    mark: MarkLine
    thread: ThreadRef
    whose: Whose
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
        return seen(self.objects[0]) if self.objects else datetime.fromisoformat(self.mark.fetched_at)


def seen(one: Record | Entry) -> datetime:
    """Return when an object was seen."""
    return one.observed_at if isinstance(one, Record) else datetime.fromisoformat(one.observed_at)


def taken_apart(some: Sequence[New], owners: Owners) -> Iterator[Page]:
    """Read the records of some pages, which are few enough to be held."""
    messages: Iterator[Record | Entry] = iter(_read(_lines(some, messages=True)))
    others: Iterator[Record | Entry] = iter(read_records(_lines(some, messages=False)))
    threads = [mark.ref for _, mark, _ in some]
    owned = owners(threads)
    for (number, mark, lines), thread in zip(some, threads, strict=True):
        source = messages if mark.of == "message" else others
        yield Page(number, mark, thread, whose(thread), owned[thread], list(islice(source, len(lines))), lines)


def told(lines: Sequence[bytes]) -> list[tuple[str, bytes]]:
    """Return of each line when its object was observed, and its body."""
    try:
        return [(one.observed_at, bytes(one.body)) for one in _TOLD.decode_lines(b"".join(lines))]
    except (msgspec.MsgspecError, RecursionError):
        return [(one.observed_at.isoformat(), one.body) for one in read_records(lines)]


def _lines(some: Sequence[New], *, messages: bool) -> list[bytes]:
    """Return the lines of all pages of messages, or of all others."""
    return [line for _, mark, lines in some if (mark.of == "message") is messages for line in lines]


def _read(lines: Sequence[bytes]) -> list[Record | Entry]:
    """Take lines apart; look at each half where any is odd, so that it does not make all others slow."""
    found = entries(lines)
    if found is not None:
        return list(found)
    if len(lines) == 1:
        return list(read_records(lines))
    middle = len(lines) // 2
    return _read(lines[:middle]) + _read(lines[middle:])
