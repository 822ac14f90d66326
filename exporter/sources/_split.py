"""Splits a body into its objects, token by token as sent.

Only white space between tokens goes; numbers, escapes, key order and duplicate keys stay. msgspec does it fast; what
it refuses (lone surrogates, a number beyond a double, NaN) goes through a scanner that copies the same tokens.
Both refuse what is no JSON, with a ValueError.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Annotated, Any, NamedTuple

import msgspec

STRING = rb'"(?:[^"\\]++|\\.)*+"'
BETWEEN = re.compile(rb"(" + STRING + rb")|[ \t\r\n]++", re.DOTALL)
TOKEN = re.compile(STRING + rb'|[\[\]{}:,]|[^\[\]{}:,"]++', re.DOTALL)
HALVES = re.compile("[\ud800-\udfff]")
"Half of a surrogate pair, which no URL holds."
BOM = b"\xef\xbb\xbf"
RAWS = msgspec.json.Decoder(list[msgspec.Raw])


class Piece(msgspec.Struct, frozen=True, gc=False):
    """One object of a list, and the little that the walk wants to know of it."""

    body: bytes
    id: str | None
    time: float | None
    "`created_at` in seconds, where it is a positive number."
    status: str | None
    thread: str | None
    "The thread it says it belongs to."


class Body(NamedTuple):
    """A list's answer: `has_more` and `last_id`, and the objects of `data`; None where `data` is no list."""

    envelope: dict[str, Any]
    pieces: tuple[Piece, ...] | None


class _Envelope(msgspec.Struct, gc=False):
    data: list[msgspec.Raw] | None = None
    has_more: Any = None
    last_id: Any = None


ENVELOPES = msgspec.json.Decoder(_Envelope)


class _Head(msgspec.Struct, gc=False):
    id: Any = None
    created_at: Any = None
    created: Any = None
    status: Any = None
    thread_id: Any = None


HEADS = msgspec.json.Decoder(_Head)

Name = Annotated[str, msgspec.Meta(min_length=1)]
Time = Annotated[float, msgspec.Meta(gt=0, lt=1e11)]


class _Usual(msgspec.Struct, gc=False):
    """What almost every object says of itself: nothing that has to be looked at by itself."""

    id: Name | None = None
    created_at: Time | None = None
    created: Time | None = None
    status: str | None = None
    thread_id: str | None = None


class _Usuals(msgspec.Struct, gc=False):
    data: list[_Usual]


USUALS = msgspec.json.Decoder(_Usuals)


def compact(body: bytes) -> bytes:
    """Return a JSON text without the white space between its tokens; ValueError when it is none."""
    body = body.removeprefix(BOM)
    body.decode("utf-8")  # a UnicodeDecodeError is a ValueError that says where
    try:
        return msgspec.json.format(body, indent=-1)
    except (msgspec.DecodeError, RecursionError):
        _loads(body)
        return BETWEEN.sub(lambda found: found[1] or b"", body)


def split(body: bytes) -> Body:
    """Return envelope and objects of a list's answer; ValueError when it is no JSON object."""
    return parted(compact(body))


def parted(small: bytes) -> Body:
    """Return envelope and objects of a list's answer that is compact already; ValueError when it is no JSON object."""
    try:
        found = ENVELOPES.decode(small)
    except (msgspec.MsgspecError, RecursionError):
        return _parted(small)
    pieces = None if found.data is None else _pieces(small, found.data)
    return Body({"has_more": found.has_more, "last_id": found.last_id}, pieces)


def _pieces(small: bytes, parts: list[msgspec.Raw]) -> tuple[Piece, ...]:
    """Return the objects of a list, with what they say of themselves: read in one go, where all of it is usual."""
    try:
        heads = USUALS.decode(small).data
    except (msgspec.MsgspecError, RecursionError):
        return tuple([piece(bytes(part)) for part in parts])
    return tuple(
        [
            Piece(bytes(part), head.id, head.created_at or head.created, head.status, head.thread_id)
            for part, head in zip(parts, heads, strict=True)
        ]
    )


def _parted(small: bytes) -> Body:
    """Return the same where msgspec refuses it, or where `data` is no list."""
    fields = dict(_members(small))
    if small[:1] != b"{":
        raise ValueError("not a JSON object")
    data = fields.get("data")
    envelope = {name: _loads(fields[name]) if name in fields else None for name in ("has_more", "last_id")}
    if data is None or data[:1] != b"[":
        return Body(envelope, None)
    return Body(envelope, tuple(piece(part) for part in _elements(data)))


def piece(body: bytes) -> Piece:
    """Return a compact object with what it says of itself."""
    try:
        head = HEADS.decode(body)
    except (msgspec.MsgspecError, RecursionError):
        head = _head(_loads(body))
    time = head.created_at if head.created_at is not None else head.created
    thread = head.thread_id if isinstance(head.thread_id, str) else None
    status = head.status if isinstance(head.status, str) else None
    return Piece(body, name(head.id), _seconds(time), status, thread)


def member(body: bytes, key: str) -> bytes:
    """Return the tokens that a compact object has under a key; nothing where it has no such member."""
    return dict(_members(body)).get(key, b"")


def elements(body: bytes, key: str) -> tuple[bytes, ...]:
    """Return the elements of the list that a compact object has under a key; none where that is no list."""
    value = member(body, key)
    return tuple(_elements(value)) if value[:1] == b"[" else ()


def name(value: Any) -> str | None:
    """Return an id or a cursor that can be asked for: text as it is, an integer as digits, else None."""
    if isinstance(value, str):
        return value if value and (value.isascii() or not HALVES.search(value)) else None
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return None


def _seconds(value: Any) -> float | None:
    if type(value) is int and 0 < value < 1e11:
        return float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e300:
        return None
    return value / 1000 if value > 1e11 else float(value)


def _head(value: Any) -> _Head:
    value = value if isinstance(value, dict) else {}
    return _Head(**{field: value.get(field) for field in _Head.__struct_fields__})


def _loads(text: bytes) -> Any:
    """Parse with the standard library, which reads everything; too deep is a ValueError like the rest."""
    try:
        # digits stay text where they are many: int() of 5,000 digits raises
        return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < 400 else digits)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _members(small: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the members of a compact object; the last of equal names wins, as in every parser."""
    try:
        parts = msgspec.json.decode(small, type=dict[str, msgspec.Raw])
    except msgspec.MsgspecError:
        if small[:1] != b"{":
            return
        for part in _parts(small):
            key = TOKEN.match(part)
            assert key is not None
            yield json.loads(key[0]), part[key.end() + 1 :]
    else:
        yield from ((key, bytes(raw)) for key, raw in parts.items())


def _elements(small: bytes) -> Iterator[bytes]:
    try:
        yield from map(bytes, RAWS.decode(small))
    except msgspec.MsgspecError:
        yield from _parts(small)


def _parts(small: bytes) -> Iterator[bytes]:
    """Yield what stands between the commas of a compact object or array."""
    depth, start = 0, 1
    for token in TOKEN.finditer(small):
        mark = token[0]
        if mark in (b"[", b"{"):
            depth += 1
        elif mark in (b"]", b"}"):
            depth -= 1
        if start < token.end() and ((depth == 1 and mark == b",") or depth == 0):
            if token.start() > start:
                yield small[start : token.start()]
            start = token.end()
