"""What one object is as a row of a table: pure, and lenient with everything a server may send.

The idea: a field is left out of `extra_json` only where its column alone tells what was sent. So the row determines
the object, except that halves of surrogate pairs are U+FFFD.
In `extra_json` are: fields without a column, explicit nulls, values of another type than the column's, and a field
whose column may have the same value without it (`thread_id`; `type` of what has a role; `run_id` of a step;
`assistant_id` beside `agent_id`, `last_error` beside `error`).
A body that is no object is `extra_json` as a whole.
"""

from __future__ import annotations

import hashlib
import json
import re
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from exporter.model import Record, Registration
from exporter.text import clean, inexact, members, plain, readable, string

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
SANE = (631152000, 4102444800)
"1990 to 2100: a time outside is a mistake."
MILLISECONDS = 1e11
"No sane time in seconds is as large."
HUGE = 1e308
"Floats end here."

_SECONDS = re.compile(rb"[1-9][0-9]{8,9}")
_VOLATILE = re.compile(rb'expires_at|"preview_url"|[?&](?i:sig|signature|x-amz-signature|x-goog-signature)=')
_SIGNED = re.compile(r"[?&](sig|signature|x-amz-signature|x-goog-signature)=", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Shape:
    """Which fields of an object its columns hold: `{field: column}`."""

    table: str
    id: str
    "The column of the record's id."
    texts: Mapping[str, str]
    times: Mapping[str, str]
    jsons: Mapping[str, str]


_OTHER_NAMES = {"assistant_id": ("agent", "agent_id"), "last_error": ("error",)}
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
    out = _frame(record, owner)
    if fields is None:
        out |= {"extra_json": body.decode(), "text": string(body)}
        return _finish(out, record, shape, {})
    rest = dict(fields)
    _move(out, rest, shape)
    for first, seconds in _OTHER_NAMES.items():
        if first in fields and any(second in fields for second in seconds):
            rest[first] = fields[first]
    if record.id is not None and string(fields.get("id")) == plain(record.id):
        del rest["id"]
    _type(out, rest, fields, record.kind)
    if record.kind == "message":
        out["text"] = readable(fields)
    out["extra_json"] = _object(rest) if rest else None
    return _finish(out, record, shape, fields)


def _frame(record: Record, owner: Registration) -> dict[str, Any]:
    """Return what every row has, whatever the body."""
    out: dict[str, Any] = {
        "source": record.thread.source,
        "endpoint": plain(record.thread.endpoint),
        "profile": plain(owner.profile),
        "thread_id": plain(record.thread.id),
        "seq": record.seq,
        "revision": 0,
        "first_seen_at": record.observed_at,
        "observed_at": record.observed_at,
    }
    if record.kind in ("message", "thread"):
        for key in ("user", "customer", "title"):
            value = getattr(owner, key)
            out[key] = None if value is None else plain(value)
    return out


def _move(out: dict[str, Any], rest: dict[str, bytes], shape: _Shape) -> None:
    """Move the fields that a column holds exactly from `rest` to the row; set the others that can be set."""
    for key, column in shape.texts.items():
        if (text := string(rest.get(key))) is not None:
            out[column] = text
            del rest[key]
    for key, column in shape.times.items():
        raw = rest.get(key)
        if raw is not None and (time := moment(raw)) is not None:
            out[column] = time
            if _SECONDS.fullmatch(raw) and int(raw) < MILLISECONDS:
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
    return "{" + ",".join(f"{orjson.dumps(key).decode()}:{raw.decode()}" for key, raw in fields.items()) + "}"


def moment(raw: bytes) -> datetime | None:
    """Return the time these tokens say: seconds or milliseconds, whole or not, or ISO 8601; None if not sane."""
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


def signature(body: bytes) -> bytes:
    """Return 16 bytes that are equal for equal content: JSON without order, white space and volatile fields."""
    body = clean(body)
    try:
        text = _canonical(_lasting(_exact(body), look=bool(_VOLATILE.search(body))))
    except (ValueError, RecursionError):  # not JSON, or too deep to look into: then the bytes are the content
        text = body
    return hashlib.blake2b(text, digest_size=16).digest()


def _exact(body: bytes) -> Any:
    if not inexact(body):
        try:
            return orjson.loads(body)
        except orjson.JSONDecodeError:  # NaN, or deeper than orjson goes
            pass
    return _careful(body)


def _careful(body: bytes) -> Any:
    """Return the value, with numbers beyond a float as their tokens, told from strings by a control character."""

    def number(token: str) -> float | str:
        return float(token) if abs(float(token)) < HUGE else f"\0{token}"

    return json.loads(body, parse_float=number, parse_constant=lambda token: f"\0{token}")


def _canonical(value: Any) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer above 64 bits, or half of a surrogate pair
        return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _lasting(value: Any, look: bool) -> Any:
    """Return the value without signatures of URLs and the expiry of downloads."""
    if not look:
        return value
    if isinstance(value, list):
        return [_lasting(part, look) for part in value]
    if isinstance(value, dict):
        download = any(isinstance(v, str) and v.startswith(("http://", "https://")) for v in value.values())
        return {
            key: _address(part) if key == "preview_url" else _lasting(part, look)
            for key, part in value.items()
            if not (download and key == "expires_at")
        }
    return _address(value) if isinstance(value, str) and _SIGNED.search(value) else value


def _address(value: Any) -> Any:
    """Return a URL without its query; other values as they are."""
    is_url = isinstance(value, str) and value.startswith(("http://", "https://"))
    return value.split("?", 1)[0] if is_url else value


def birth(record: Record) -> tuple[datetime, bool]:
    """Return the time that says which month a row is in, and whether the server told it."""
    fields = members(clean(record.body)) or {}
    created = moment(fields["created_at"]) if "created_at" in fields else None
    return (record.observed_at, False) if created is None else (created, True)


def month(time: datetime) -> int:
    """Return the months since the year 0."""
    return time.year * 12 + time.month - 1


def microseconds(time: datetime) -> int:
    """Return the microseconds since 1970."""
    return (time - EPOCH) // timedelta(microseconds=1)


class Fold:
    """Many observations of a thread's objects as one row each: the place of the first, the content of the newest.

    Walk all records with `see`, then the same again with `rows`: between the two, an object is about 200 bytes.
    """

    def __init__(self, since: int) -> None:
        self.changed: set[int] = set()
        "Months of the objects that are new or have another content since manifest `since`."
        self.months: set[int] = set()
        self._since = since
        self._seen = 0
        self._number: dict[bytes, int] = {}
        self._state = bytearray()
        # Of each object: when first seen, its time, whether that is the server's, position, revision, newest state.
        self._first, self._time, self._told, self._seq, self._revision, self._newest = (array("q") for _ in range(6))

    def __len__(self) -> int:
        return len(self._seq)

    def see(self, number: int, record: Record) -> None:
        """Take one record of manifest `number` into account."""
        key, state = _identity(record), signature(record.body)
        at = self._number.setdefault(key, len(self))
        if at == len(self):
            self._add(record, state)
        elif self._state[16 * at : 16 * at + 16] == state:
            self._seen += 1
            return
        else:
            self._state[16 * at : 16 * at + 16] = state
            self._revision[at] += 1
            self._newest[at] = self._seen
        self._seen += 1
        if number > self._since:
            self.changed.add(month(_time(self._time[at])))

    def _add(self, record: Record, state: bytes) -> None:
        time, told = birth(record)
        self._state += state
        self._first.append(microseconds(record.observed_at))
        self._time.append(microseconds(time))
        self._told.append(told)
        self._seq.append(record.seq)
        self._revision.append(0)
        self._newest.append(self._seen)
        self.months.add(month(time))

    def rows(self, records: Iterator[Record], owner: Registration, months: set[int]) -> Iterator[tuple[str, Any, int]]:
        """Yield table, row and size of the objects in these months, and of their states where there are several."""
        states: dict[int, tuple[bytes, int]] = {}
        for count, record in enumerate(records):
            at = self._number[_identity(record)]
            time = _time(self._time[at])
            if month(time) not in months:
                continue
            if self._revision[at]:
                known = states.get(at, (b"", -1))
                state = signature(record.body)
                if state != known[0]:
                    states[at] = (state, known[1] + 1)
                    yield "revisions", self._revision_row(record, owner, at, known[1] + 1), len(record.body)
            if self._newest[at] == count and (out := row(record, owner)) is not None:
                yield SHAPES[record.kind].table, out | self._lasting(at), 2 * len(record.body)

    def _lasting(self, at: int) -> dict[str, Any]:
        """Return what every state of an object has in common."""
        return {
            "seq": self._seq[at],
            "first_seen_at": _time(self._first[at]),
            "ts": _time(self._time[at]),
            "ts_source": "created_at" if self._told[at] else "first_seen_at",
            "revision": self._revision[at],
        }

    def _revision_row(self, record: Record, owner: Registration, at: int, revision: int) -> dict[str, Any]:
        return _frame(record, owner) | {
            "kind": record.kind,
            "object_id": None if record.id is None else plain(record.id),
            "seq": self._seq[at],
            "revision": revision,
            "ts": _time(self._time[at]),
            "body_json": clean(record.body).decode(),
        }


def _time(count: int) -> datetime:
    return EPOCH + timedelta(microseconds=count)


def _identity(record: Record) -> bytes:
    """Return 16 bytes that tell the objects of one thread and kind apart."""
    name = f"#{record.seq}" if record.id is None else f"={record.id}"
    parent = "" if record.parent is None else f"{len(record.parent)}:{record.parent}"
    return hashlib.blake2b(f"{parent}{name}".encode("utf-8", "surrogatepass"), digest_size=16).digest()
