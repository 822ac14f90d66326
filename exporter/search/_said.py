"""What is searched in an object, and what it is filtered by: a few of the columns that the tables have.

The idea: `row` and `usual` are the one mapping from objects to columns; messages are taken many at a time, by its fast
lane, as nearly all of them are usual.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, repeat
from typing import Any, cast

from exporter.model import Kind, Record, Registration
from exporter.rows import Columns, microseconds, row, usual
from exporter.search._places import Page

SEARCHED: tuple[Kind, ...] = ("message", "file")

_FIELDS = frozenset(("type", "role", "content", "created_at"))
"Where a usual message has what a `Said` needs."


@dataclass(slots=True)
class Said:
    """An object as far as it is searched."""

    text: str | None
    "Its words; of a file, its name."
    seq: int
    ts: int
    "Microseconds since 1970."
    role: str | None = None
    type: str | None = None
    message: str | None = None
    "Of a file, the id of the message that points to it."
    deleted: bool = False


def said_by(kind: Kind, values: Mapping[str, Any]) -> Said:
    """Return what a row says."""
    return Said(
        values.get("name" if kind == "file" else "text"),
        values["seq"],
        microseconds(values["ts"]),
        values.get("role"),
        values.get("type"),
        values.get("message_id") if kind == "file" else None,
        values.get("deleted_at") is not None,
    )


def said_on(pages: Sequence[Page]) -> Iterator[list[Said]]:
    """Yield what the records of each page say; those of other kinds say nothing here."""
    searched = [records if mark.kind in SEARCHED else [] for _, mark, records in pages]
    said = iter(_said([*chain.from_iterable(searched)]))
    return (list(islice(said, len(records))) for records in searched)


def _said(records: Sequence[Record]) -> list[Said]:
    messages = [at for at, record in enumerate(records) if record.kind == "message"]
    found: list[Said | None] = [None] * len(records)
    for some in usual([records[at] for at in messages], _FIELDS)[0]:
        which = [messages[at] for at in some.which]
        for at, said in zip(which, _said_in(some.columns, [records[at] for at in which]), strict=True):
            found[at] = said
    return [
        said_by(record.kind, row(record, Registration(record.thread)) or {}) if said is None else said
        for record, said in zip(records, found, strict=True)
    ]


def _said_in(columns: Columns, records: Sequence[Record]) -> Iterator[Said]:
    nothing = repeat(None, len(records))
    places = (record.seq for record in records)
    created = columns.get("created_at", nothing)
    times = (
        microseconds(record.observed_at) if time is None else cast("int", time)
        for time, record in zip(created, records, strict=True)
    )
    return map(Said, columns["text"], places, times, columns.get("role", nothing), columns.get("type", nothing))
