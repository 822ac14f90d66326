"""Read JSON that strict parsers refuse, and find the words in it that a person would read.

The idea: a value stays the tokens that were sent (`bytes`) until somebody needs it as a Python value,
so integers above 64 bits, `1e400` and repeated keys cannot be damaged on their way into a table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec
import orjson

_ESCAPE = re.compile(
    rb"\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"  # a pair: one character
    rb"|(u[dD][89a-fA-F][0-9a-fA-F]{2})"  # half of one
    rb"|.)",
    re.DOTALL,
)
_HALF = re.compile(rb"\\u[dD][89a-fA-F]")
_SHAPE = bytes.maketrans(b"0123456789.eE[:,\t\r\n", b"00000000000ee      ")
_INEXACT = re.compile(rb" 00*(?:0{15}|e000|00e)")
"In a shape: a number of 16 digits, and one with three digits before or after its `e`."
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+', re.DOTALL)
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])

DEEPEST = 12
"Levels of nesting that are searched for words; no API nests deeper."

_CALL = ("title", "name", "arguments", "input")
_TOP = (
    *("heading", "summary", "content", "widget", "code", "command", "queries", "action", "operation", "request"),
    *("tool_calls", "function_call", "audio", "tasks", "refusal"),
)
_AFTER = ("output", "outputs", "results", "error")
_PART = (
    *("text", "value", "label", "refusal", "transcript", "thinking", "query", "url", "command", "commands", "diff"),
    *("function", "custom", "name", "arguments", "input", "heading", "summary", "reason", "message", "content"),
    *("children", "logs", "stdout", "stderr", "output"),
)
WORDY = frozenset((*_TOP, "content_parts"))
"Where an object that has a role may have words."
_CALLED = {"arguments", "input"}
"What a call has beside its name."
_RANK = {key: rank for rank, key in enumerate(_PART)}


def plain(text: str) -> str:
    """Return the text as a table can hold it: half a surrogate pair becomes U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean(body: bytes) -> bytes:
    """Return the JSON with every half of a surrogate pair, and every byte that is not UTF-8, as U+FFFD."""
    if b"\\" in body and _HALF.search(body):
        body = _ESCAPE.sub(lambda m: b"\\ufffd" if m[1] else m[0], body)
    if not body.isascii():
        try:
            body.decode()
        except UnicodeDecodeError:
            return body.decode("utf-8", "replace").encode()
    return body


def inexact(raw: bytes) -> bool:
    """Tell whether a number may be in it that a fast parser would change or refuse; digits in ids are none."""
    return raw[:1] not in (b"{", b"[") or _INEXACT.search(raw.translate(_SHAPE, b"+-")) is not None


def loads(raw: bytes) -> Any:
    """Return the value of any JSON; integers above 64 bits may come as floats, `1e400` is infinite."""
    try:
        return orjson.loads(raw)
    except orjson.JSONDecodeError:
        return json.loads(raw)


def string(raw: bytes | None) -> str | None:
    """Return the string that these tokens are; None where they are anything else."""
    if raw is None or raw[:1] != b'"':
        return None
    return raw[1:-1].decode() if b"\\" not in raw else str(loads(raw))


def members(body: bytes) -> dict[str, bytes] | None:
    """Return the members of a JSON object by name, each as its tokens; None where it is not an object."""
    if body.lstrip()[:1] != b"{":
        return None
    try:
        return {key: bytes(raw) for key, raw in _MEMBERS.decode(body).items()}
    except (msgspec.DecodeError, RecursionError):
        return _split(body.decode())


def joined(fields: Mapping[str, bytes]) -> str:
    """Return the JSON object that has these members."""
    return (b"{" + b",".join([named(key) + raw for key, raw in fields.items()]) + b"}").decode()


@lru_cache(1024)
def named(key: str) -> bytes:
    """Return the name of a member as it stands before its value."""
    return orjson.dumps(key) + b":"


def _split(text: str) -> dict[str, bytes] | None:
    """Do what `members` does without recursion and without judging numbers."""
    found: dict[str, bytes] = {}
    depth, begin, name = 0, 0, ""
    key: str | None = None
    for token in _TOKEN.finditer(text):
        word = token[0]
        if depth == 1 and word == ":" and key is None:
            key, begin = json.loads(name), token.end()
        elif depth == 1 and word in ",}" and key is not None:
            found[key], key = text[begin : token.start()].strip().encode(), None
        depth += (word in "[{") - (word in "]}")
        name = word
    return found if depth == 0 and key is None else None


def readable(fields: Mapping[str, bytes]) -> str | None:
    """Return what a person would read in an entry, its parts one per line; None where it has no words."""
    found: list[str] = []
    if "role" not in fields:
        call: list[str] = []
        for key in _CALL:
            if key in fields:
                _words(key, fields[key], call)
        found += [" ".join(call)] if call else []
    for key in _TOP if "role" in fields else _TOP + _AFTER:
        if key in fields:
            _words(key, fields[key], found)
    if not any(found) and "content_parts" in fields:  # what a stored completion has instead of `content`
        _words("content_parts", fields["content_parts"], found)
    return "\n".join(found) if found else None


def _words(key: str, raw: bytes, found: list[str]) -> None:
    """Find the words of one member; what cannot be read has none."""
    if key in ("arguments", "input") and raw[:1] == b"{":
        found.append(raw.decode())
        return
    try:
        value = loads(raw)
    except (ValueError, RecursionError):  # nested deeper than any parser goes
        return
    _parts(_unpacked(value) if key == "widget" and isinstance(value, str) else value, DEEPEST, found)


def _unpacked(text: str) -> Any:
    """Return the value of JSON that is in a string; any other string as it is."""
    try:
        return loads(clean(text.encode()))
    except (ValueError, RecursionError):
        return text


def _parts(value: Any, deepest: int, found: list[str]) -> None:
    if isinstance(value, str):
        found.append(value)
    elif deepest and isinstance(value, list):
        for part in value:
            _parts(part, deepest - 1, found)
    elif deepest and isinstance(value, dict):
        keys = [key for key in value if key in _RANK]
        if len(keys) > 1:
            keys.sort(key=_RANK.__getitem__)
        words: list[str] = []
        for key in keys:
            _parts(value[key], deepest - 1, words)
        found += [" ".join(words)] if words and "name" in keys and not _CALLED.isdisjoint(keys) else words
