"""What one object is as a row of a table: pure, and lenient with everything a server may send.

The idea: a field is left out of `extra_json` only where its column alone tells what was sent. So the row determines
the object, except that halves of surrogate pairs are U+FFFD.
In `extra_json` are: fields without a column, explicit nulls, values of another type than the column's, and a field
whose column may have the same value without it (`thread_id`; `type` of what has a role; `role` of what says it by its
type; `run_id` of a step; `assistant_id` of what hangs on a subagent; the other names of a field, such as `created`, and
the field itself beside one of them).
A body that is no object is `extra_json` as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

from exporter.model import Kind, Record, Registration
from exporter.rows import _file
from exporter.rows._deletions import Deleted, Deletions, deleted_kind, identity
from exporter.rows._entries import Entry, entries
from exporter.rows._shapes import OTHER_NAMES, ROLES, SHAPES, TRACE, TRACE_SHAPE, Shape
from exporter.rows._times import EPOCH, WHOLE_SECONDS, microseconds, moment, time_of
from exporter.rows._usual import Columns, Usual, usual, usual_threads
from exporter.text import clean, joined, members, plain, readable, string

TABLE_OF: dict[Kind, str] = {
    "message": "messages",
    "thread": "threads",
    "run": "runs",
    "step": "steps",
    "file": "files",
}
"Which kinds of records are rows, and of which table."

LISTED: tuple[Kind, ...] = tuple(kind for kind in TABLE_OF if kind != "thread")
"Those of which a thread may have any number."

_FIRST_OF = {name: first for first, names in OTHER_NAMES.items() for name in names}


def row(record: Record, owner: Registration) -> dict[str, Any] | None:
    """Return the object as a row of its table; None for records that are our own and no file's."""
    if record.kind == "file":
        return _dated(frame(record, owner) | _file.columns(record))
    kind_shape = SHAPES.get(record.kind)
    if kind_shape is None:
        return None
    body = clean(record.body)
    fields = members(body)
    out = frame(record, owner)
    if fields is None:
        out["extra_json"] = body.decode()
        if record.kind == "message":
            out["text"] = string(body)
        return _finish(out, record, kind_shape, {})
    shape = TRACE_SHAPE if record.kind == "step" and fields.get("object") == TRACE else kind_shape
    rest = dict(fields)
    _move(out, rest, shape)
    if not _FIRST_OF.keys().isdisjoint(fields):
        _fill(out, rest, fields, shape)
    if record.id is not None and string(fields.get("id")) == plain(record.id):
        del rest["id"]
    if record.parent is not None and record.kind != "step" and "assistant_id" in fields:
        rest["assistant_id"] = fields["assistant_id"]
    _say(out, rest, fields, record, shape)
    out["extra_json"] = joined(rest) if rest else None
    return _finish(out, record, shape, fields)


def born(record: Record) -> datetime | None:
    """Return when the server says that it made the object: what the row's `created_at` is."""
    if record.kind == "file":
        return moment(_file.created(record.body))
    fields = members(clean(record.body)) or {}
    told = (moment(fields[name]) for name in ("created_at", *OTHER_NAMES["created_at"]) if name in fields)
    return next((time for time in told if time is not None), None)


def frame(record: Record, owner: Registration) -> dict[str, Any]:
    """Return what every row has, whatever the body."""
    thread = record.thread
    out = dict(_plain(source=thread.source, endpoint=thread.endpoint, profile=owner.profile, thread_id=thread.id))
    if record.kind in ("message", "thread"):
        out |= _plain(user=owner.user, customer=owner.customer, title=owner.title)
    out["seq"], out["revision"] = record.seq, 0
    out["first_seen_at"] = out["observed_at"] = record.observed_at
    return out


@lru_cache(64)
def _plain(**columns: str | None) -> Mapping[str, Any]:
    """Return columns that are the same for all objects of a thread."""
    return {key: None if value is None else plain(value) for key, value in columns.items()}


def _move(out: dict[str, Any], rest: dict[str, bytes], shape: Shape) -> None:
    """Move the fields that a column holds exactly from `rest` to the row; set the others that can be set."""
    for key, column in shape.texts.items():
        raw = rest.get(key)
        if raw is not None and raw != b"null" and (text := string(raw)) is not None:
            out[column] = text
            del rest[key]
    for key, column in shape.times.items():
        raw = rest.get(key)
        if raw is not None and (time := moment(raw)) is not None:
            out[column] = time
            if WHOLE_SECONDS.fullmatch(raw):
                del rest[key]
    for key, column in shape.jsons.items():
        raw = rest.get(key)
        if raw is not None and raw != b"null":
            out[column] = rest.pop(key).decode()


def _fill(out: dict[str, Any], rest: dict[str, bytes], fields: Mapping[str, bytes], shape: Shape) -> None:
    """Set the columns that are still empty from the other names of their fields; those stay in `rest`."""
    for first in dict.fromkeys(_FIRST_OF[name] for name in fields if name in _FIRST_OF):
        if first in fields:
            rest[first] = fields[first]  # else nobody could tell which name the column is of
        others = [fields[name] for name in OTHER_NAMES[first] if name in fields]
        for column, read in _readers(first, shape):
            if out.get(column) is None:
                out[column] = _first(read, others)


def _readers(first: str, shape: Shape) -> Iterable[tuple[str, Callable[[bytes], Any]]]:
    """Return the column of a field, if the shape has one, and how tokens are read for it."""
    kinds = ((shape.texts, _called), (shape.times, moment), (shape.jsons, _sent))
    return ((columns[first], read) for columns, read in kinds if first in columns)


def _first(read: Callable[[bytes], Any], found: Iterable[bytes]) -> Any:
    """Return the first value that can be read."""
    return next((value for raw in found if (value := read(raw)) is not None), None)


def _called(raw: bytes) -> str | None:
    """Return an id: a text, or that of an object, which some servers know by name and version."""
    if raw[:1] != b"{":
        return string(raw)
    inner = members(raw) or {}
    name, version = string(inner.get("name")), string(inner.get("version"))
    named = f"{name}:{version}" if name is not None and version is not None else name
    return string(inner.get("id")) or named


def _sent(raw: bytes) -> str | None:
    return None if raw == b"null" else raw.decode()


def _say(
    out: dict[str, Any], rest: dict[str, bytes], fields: Mapping[str, bytes], record: Record, shape: Shape
) -> None:
    """Set type, role and text: what was sent, else what the object shows by other words."""
    if record.kind not in ("message", "step"):
        return
    sent = string(fields.get("type"))
    speaks = record.kind == "message" and ("role" in fields or fields.get("object") == b'"thread.message"')
    usual = "message" if speaks else "trace" if shape is TRACE_SHAPE else None
    if sent is None:
        out["type"] = usual
    else:
        out["type"] = sent
        if sent != usual:
            del rest["type"]
    if record.kind == "message":
        role = ROLES.get(sent or "")
        if role is not None and out.get("role") in (None, role):
            out["role"] = role
            rest |= {name: raw for name, raw in fields.items() if name == "role"}
        out["text"] = readable(fields)


def _finish(out: dict[str, Any], record: Record, shape: Shape, fields: Mapping[str, bytes]) -> dict[str, Any]:
    """Set ids and owner, and what the record knows of the place of the object."""
    if record.kind != "thread":
        out[shape.id] = None if record.id is None else plain(record.id)
    for name in ("title", "user") if record.kind == "thread" else ():
        if out[name] is None:
            out[name] = string(fields.get(name))
    if shape.parent is not None:
        parent = None if record.parent is None else plain(record.parent)
        out[shape.parent] = string(fields.get("run_id")) if parent is None and record.kind == "step" else parent
        if record.kind != "step" and out.get("agent_id") is None:
            out["agent_id"] = parent
    return _dated(out)


def _dated(out: dict[str, Any]) -> dict[str, Any]:
    """Set the time that says which file the row is in."""
    out["ts"] = out.get("created_at") or out["observed_at"]
    out["ts_source"] = "created_at" if out.get("created_at") else "first_seen_at"
    return out


__all__ = [
    "EPOCH",
    "LISTED",
    "TABLE_OF",
    "Columns",
    "Deleted",
    "Deletions",
    "Entry",
    "Usual",
    "born",
    "deleted_kind",
    "entries",
    "frame",
    "identity",
    "microseconds",
    "moment",
    "row",
    "time_of",
    "usual",
    "usual_threads",
]
