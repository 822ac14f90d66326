"""Read and change JSON bytes in place, token by token.

The sandbox keeps every object as the bytes it was given: numbers beyond 64 bits, 1e400, 1.10, duplicate keys,
escapes of lone surrogates. So nothing here decodes what it does not change; it finds where a value begins and ends,
and splices.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

Change = Callable[[bytes], bytes]
Given = bytes | dict[str, Any]

_SPACE = re.compile(rb"[ \t\r\n]*")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_MARK = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_PLAIN = re.compile(rb"[^\s,\]}]+")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)


class Field(NamedTuple):
    """Where one member of an object or array lies: its key (None in arrays) and its value's span."""

    key: str | None
    key_start: int
    start: int
    end: int


def text(value: Any) -> bytes:
    """Any JSON value as compact bytes; lone surrogates stay escapes."""
    return json.dumps(value, separators=(",", ":")).encode()


def given(body: Given) -> bytes:
    """Bytes as they are, a dict as JSON."""
    return text(body) if isinstance(body, dict) else body


def members(raw: bytes, at: int = 0) -> Iterator[Field]:
    """The members of the object or array that begins at `at`; nothing for any other value."""
    at = _space(raw, at)
    if raw[at : at + 1] not in (b"{", b"["):
        return
    keyed = raw[at : at + 1] == b"{"
    at = _space(raw, at + 1)
    while raw[at : at + 1] not in (b"}", b"]", b""):
        key, key_start = None, at
        if keyed:
            end = _end(raw, at)
            key = json.loads(raw[at:end])
            at = _space(raw, _space(raw, end) + 1)
        end = _end(raw, at)
        yield Field(key, key_start, at, end)
        at = _space(raw, end)
        if raw[at : at + 1] == b",":
            at = _space(raw, at + 1)


def field(raw: bytes, key: str) -> bytes | None:
    """The bytes of one top-level member; the last one wins, as parsers do it."""
    found = None
    for member in members(raw):
        if member.key == key:
            found = raw[member.start : member.end]
    return found


def value(raw: bytes, key: str) -> Any:
    """One top-level member decoded, or None when it is not there."""
    found = field(raw, key)
    return None if found is None else json.loads(found)


def changed(raw: bytes, path: tuple[str, ...], change: Change) -> bytes:
    """`raw` with `change` applied to every value at `path`; "*" stands for each element of an array."""
    if not path:
        return change(raw)
    pieces, last = [], 0
    for member in members(raw):
        if path[0] == (member.key if member.key is not None else "*"):
            pieces += [raw[last : member.start], changed(raw[member.start : member.end], path[1:], change)]
            last = member.end
    return b"".join([*pieces, raw[last:]])


def renamed(raw: bytes, key: str, new: str) -> bytes:
    """`raw` with a top-level key under another name."""
    pieces, last = [], 0
    for member in members(raw):
        if member.key == key:
            pieces += [raw[last : member.key_start], text(new)]
            last = _end(raw, member.key_start)
    return b"".join([*pieces, raw[last:]])


def without(raw: bytes, key: str) -> bytes:
    """`raw` without a top-level member."""
    kept = [raw[m.key_start : m.end] for m in members(raw) if m.key != key]
    return b"{" + b",".join(kept) + b"}" if any(m.key == key for m in members(raw)) else raw


def with_field(raw: bytes, key: str, new: bytes) -> bytes:
    """`raw` with a top-level member set: in place when it is there, else at the end."""
    if field(raw, key) is not None:
        return changed(raw, (key,), lambda _: new)
    body = raw.rstrip()
    comma = b"," if next(members(raw), None) else b""
    return body[:-1] + comma + text(key) + b":" + new + b"}"


def indented(raw: bytes) -> bytes:
    """The same tokens, two spaces a level, as the real API prints them."""
    pieces: list[bytes] = []
    depth, before = 0, b""
    for match in _TOKEN.finditer(raw):
        token = match[0]
        if token in (b"}", b"]"):
            depth -= 1
            if before not in (b"{", b"["):
                pieces.append(b"\n" + b"  " * depth)
        elif before in (b"{", b"[", b","):
            pieces.append(b"\n" + b"  " * depth)
        pieces.append(b": " if token == b":" else token)
        depth += token in (b"{", b"[")
        before = token
    return b"".join(pieces)


def _space(raw: bytes, at: int) -> int:
    match = _SPACE.match(raw, at)
    return match.end() if match else at


def _end(raw: bytes, at: int) -> int:
    """Where the value that begins at `at` ends."""
    first = raw[at : at + 1]
    if first == b'"':
        match = _STRING.match(raw, at)
    elif first in (b"{", b"["):
        depth = 0
        for mark in _MARK.finditer(raw, at):
            depth += {b"{": 1, b"[": 1, b"}": -1, b"]": -1}.get(mark[0], 0)
            if depth == 0:
                return mark.end()
        match = None
    else:
        match = _PLAIN.match(raw, at)
    if match is None:
        raise ValueError(f"not JSON at byte {at}")
    return match.end()
