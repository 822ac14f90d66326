"""Rows of threads that are new and of which nothing came twice, many at once.

The idea: in a first backup and in a rebuild that is nearly every thread. Their objects are taken column by column, and
their visits as one piece of JSON; a thread with anything unusual is left to be joined alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import msgspec
import pyarrow as pa

from exporter.model import Registration, ThreadRef
from exporter.rows import Columns, usual_threads
from exporter.tables._changes import Changes
from exporter.tables._columns import column, rows_of
from exporter.tables._events import Event, first_seen
from exporter.tables._known import Old
from exporter.tables._names import whose
from exporter.tables._seeking import WHOSE
from exporter.text import plain

_OWNED = ("user", "customer", "title")


@dataclass(frozen=True, slots=True)
class Came:
    """What happened to a thread, and what is known of it."""

    thread: ThreadRef
    events: list[Event]
    owner: Registration
    old: Old | None
    "The row that it has."
    lacks: bool
    "Whether a gap of it is open."


class _Visit(msgspec.Struct, gc=False):
    """What a visit says that is looked at here."""

    state: str | None = None
    gaps: list[msgspec.Raw] | None = None


_VISITS = msgspec.json.Decoder(list[_Visit])


def newcomers(came: Sequence[Came], changes: Changes) -> list[Came]:
    """Put the rows of new threads with at most one object of their own; return those that have to be joined alone."""
    states = _states(came)
    left = [one for one, state in zip(came, states, strict=True) if state is None]
    plainly = [(one, state) for one, state in zip(came, states, strict=True) if state is not None]
    if not plainly:
        return left
    objects = [_object(one) for one, _ in plainly]
    schema = changes.schema("threads")
    known = _known(plainly, objects, schema)
    found, unusual = usual_threads([one.thread.id for one, _ in plainly], [event.body or b"" for _, event in objects])
    for group in found:
        own = known if len(group.which) == len(plainly) else known.take(pa.array(group.which, pa.int64()))
        changes.put_batch("threads", rows_of(schema, own, _owned(own, group.columns)))
    return [*left, *(plainly[at][0] for at in unusual)]


def tags_json(owner: Registration) -> str | None:
    """Return the tags of a thread as its row has them."""
    return None if owner.tags is None else _tags(tuple(owner.tags))


@lru_cache(64)
def _tags(tags: tuple[str, ...]) -> str:
    return json.dumps([plain(tag) for tag in tags])


def _states(came: Sequence[Came]) -> list[tuple[str | None, int] | None]:
    """Return the state of each thread, and when its last visit was; None where that is not all that visits say."""
    bodies = [event.body or b"{}" for one in came for event in one.events if event.kind == "visit"]
    try:
        visits = iter(_VISITS.decode(b"[%b]" % b",".join(bodies)))
    except (msgspec.MsgspecError, RecursionError):
        return [None] * len(came)
    found: list[tuple[str | None, int] | None] = []
    for one in came:
        state, odd, last = None, False, 0
        for event in one.events:
            if event.kind == "visit":
                visit = next(visits)
                state, odd = visit.state, odd or bool(visit.gaps) or visit.state == "gone"
                last = max(last, event.at)
        found.append(None if odd else (state, last))
    return found


def _object(one: Came) -> tuple[int, Event]:
    """Return when a thread was seen first, and its object, empty where there is none."""
    seen = first_seen(one.events)
    none = Event("thread", 0, 0, True, False, seen, b"{}")
    return seen, next((event for event in one.events if event.kind == "thread"), none)


def _known(
    came: Sequence[tuple[Came, tuple[str | None, int]]], objects: Sequence[tuple[int, Event]], schema: pa.Schema
) -> pa.RecordBatch:
    """Return what is known of threads but for their objects."""
    owners = [one.owner for one, _ in came]
    named = zip(*(whose(one.thread) for one, _ in came), strict=True)
    out: Columns = dict(zip(WHOSE, map(list, named), strict=True))
    out["profile"] = [plain(owner.profile) for owner in owners]
    for name in _OWNED:
        out[name] = [None if (said := getattr(owner, name)) is None else plain(said) for owner in owners]
    out["tags_json"] = [tags_json(owner) for owner in owners]
    out["state"] = [state for _, (state, _) in came]
    out["messages"] = [sum(e.count for e in one.events if e.kind == "message") for one, _ in came]
    out["first_seen_at"] = [seen for seen, _ in objects]
    out["observed_at"] = [max(last, event.at) for (_, (_, last)), (_, event) in zip(came, objects, strict=True)]
    out["_number"] = [0] * len(came)
    return pa.RecordBatch.from_pydict({name: column(values, schema.field(name).type) for name, values in out.items()})


def _owned(known: pa.RecordBatch, columns: Columns) -> Columns:
    """Let what was registered stand before what the objects say of the same."""
    said = {name: columns[name] for name in _OWNED if name in columns}
    ours = {name: known.column(name).to_pylist() for name in said}
    return columns | {
        name: [one if mine is None else mine for mine, one in zip(ours[name], said[name], strict=True)] for name in said
    }
