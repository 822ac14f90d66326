"""What one object is as a row of a table: pure, and lenient with everything a server may send.

The idea: a field is left out of `extra_json` only where its column alone tells what was sent. So the row determines
the object, except that halves of surrogate pairs are U+FFFD.
In `extra_json` are: fields without a column, explicit nulls, values of another type than the column's, and a field
whose column may have the same value without it (`thread_id`; `type` of what has a role; `run_id` of a step;
`assistant_id` beside `agent_id`, `last_error` beside `error`).
A body that is no object is `extra_json` as a whole.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson

from exporter.model import Record, Registration
from exporter.text import clean, members, plain, readable, string

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SANE = (631152000, 4102444800)
"1990 to 2100: a time outside is a mistake."
MILLISECONDS = 1e11
"No sane time in seconds is as large."

_SECONDS = re.compile(rb"[1-9][0-9]{8,9}")


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which fields of an object its columns hold: `{field: column}`."""

    table: str
    id: str
    "The column of the record's id."
    texts: Mapping[str, str]
    times: Mapping[str, str]
    jsons: Mapping[str, str]


_OTHER_NAMES = {"assistant_id": {"agent", "agent_id"}, "last_error": {"error"}}
"Other names of a field; where one is there too, the column alone does not tell which was sent."
_TIMES = {"created_at": "created_at"}
_METADATA = {"metadata": "metadata_json"}
_FAILURE = {"usage": "usage_json", "last_error": "error_json"} | _METADATA
SHAPES = {
    "message": _Shape(
        "messages",
        "message_id",
        {"role": "role", "status": "status", "model": "model", "assistant_id": "agent_id", "run_id": "run_id"},
        _TIMES,
        {"content": "content_json", "attachments": "attachments_json"} | _METADATA,
    ),
    "thread": _Shape("threads", "thread_id", {}, _TIMES, _METADATA),
    "run": _Shape(
        "runs",
        "run_id",
        {"status": "status", "model": "model", "assistant_id": "agent_id"},
        _TIMES | {"started_at": "started_at", "completed_at": "completed_at"},
        _FAILURE,
    ),
    "step": _Shape(
        "steps",
        "step_id",
        {"status": "status", "assistant_id": "agent_id"},
        _TIMES | {"completed_at": "completed_at"},
        {"step_details": "details_json"} | _FAILURE,
    ),
}


def row(record: Record, owner: Registration) -> dict[str, Any] | None:
    """Return the object as a row of its table; None for records that are our own."""
    shape = SHAPES.get(record.kind)
    if shape is None:
        return None
    body = clean(record.body)
    fields = members(body)
    out = frame(record, owner)
    if fields is None:
        out |= {"extra_json": body.decode(), "text": string(body)}
        return _finish(out, record, shape, {})
    rest = dict(fields)
    _move(out, rest, shape)
    for first, seconds in _OTHER_NAMES.items():
        if first in fields and not seconds.isdisjoint(fields):
            rest[first] = fields[first]
    if record.id is not None and string(fields.get("id")) == plain(record.id):
        del rest["id"]
    _type(out, rest, fields, record.kind)
    if record.kind == "message":
        out["text"] = readable(fields)
    out["extra_json"] = _object(rest) if rest else None
    return _finish(out, record, shape, fields)


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


def _move(out: dict[str, Any], rest: dict[str, bytes], shape: _Shape) -> None:
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
            if _SECONDS.fullmatch(raw):
                del rest[key]
    for key, column in shape.jsons.items():
        raw = rest.get(key)
        if raw is not None and raw != b"null":
            out[column] = rest.pop(key).decode()


def _type(out: dict[str, Any], rest: dict[str, bytes], fields: Mapping[str, bytes], kind: str) -> None:
    """Set the type: what was sent, else `message` for what has a role or says so."""
    if kind not in ("message", "step"):
        return
    sent = string(fields.get("type"))
    speaks = "role" in fields or fields.get("object") == b'"thread.message"'
    known = "message" if kind == "message" and speaks and (sent is None or sent == "message") else None
    out["type"] = known if sent is None else sent
    if sent is not None and sent != known:
        del rest["type"]


def _finish(out: dict[str, Any], record: Record, shape: _Shape, fields: Mapping[str, bytes]) -> dict[str, Any]:
    """Set ids, the second names of columns, and the time that says which file the row is in."""
    if record.kind == "step":
        out["run_id"] = string(fields.get("run_id")) if record.parent is None else plain(record.parent)
    if record.kind != "thread":
        out[shape.id] = None if record.id is None else plain(record.id)
        if out.get("agent_id") is None:
            out["agent_id"] = _agent(fields)
    if "last_error" in shape.jsons and out.get("error_json") is None and fields.get("error", b"null") != b"null":
        out["error_json"] = fields["error"].decode()
    if record.kind == "thread" and out["title"] is None:
        out["title"] = string(fields.get("title"))
    out["ts"] = out.get("created_at") or record.observed_at
    out["ts_source"] = "created_at" if out.get("created_at") else "first_seen_at"
    return out


def _agent(fields: Mapping[str, bytes]) -> str | None:
    """Return the id of an agent, by its other names."""
    if (raw := fields.get("agent", b"")[:1]) and raw == b"{":
        return string((members(fields["agent"]) or {}).get("id"))
    return string(fields.get("agent_id"))


def _object(fields: Mapping[str, bytes]) -> str:
    return (b"{" + b",".join([_name(key) + raw for key, raw in fields.items()]) + b"}").decode()


@lru_cache(1024)
def _name(key: str) -> bytes:
    return orjson.dumps(key) + b":"


def moment(raw: bytes) -> datetime | None:
    """Return the time these tokens say: seconds or milliseconds, whole or not, or ISO 8601; None if not sane."""
    if _SECONDS.fullmatch(raw):  # nearly all
        return datetime.fromtimestamp(whole, UTC) if SANE[0] <= (whole := int(raw)) < SANE[1] else None
    try:
        if raw[:1] == b'"':
            time = datetime.fromisoformat(string(raw) or "")
            time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
            return time if SANE[0] <= time.timestamp() < SANE[1] else None
        seconds = float(raw)
    except (ValueError, OverflowError):  # true, null, an object, any words, the year 1
        return None
    if seconds > MILLISECONDS:
        seconds /= 1000
    if not SANE[0] <= seconds < SANE[1]:
        return None
    return EPOCH + timedelta(microseconds=round(seconds * 1_000_000))
