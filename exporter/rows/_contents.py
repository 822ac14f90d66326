"""What a person would read in the contents of many messages, read as one piece of JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from exporter.text import readable


class _Value(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    value: str | None = None
    annotations: msgspec.Raw = msgspec.Raw()


class _Part(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    type: msgspec.Raw = msgspec.Raw()
    text: str | _Value | None = None
    annotations: msgspec.Raw = msgspec.Raw()
    logprobs: msgspec.Raw = msgspec.Raw()


class _Said(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    value: str
    annotations: msgspec.Raw = msgspec.Raw()


class _Nested(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    text: _Said
    type: msgspec.Raw = msgspec.Raw()


_Content = str | list[str | _Part] | None
_CONTENT: msgspec.json.Decoder[Any] = msgspec.json.Decoder(_Content)
_CONTENTS: msgspec.json.Decoder[Any] = msgspec.json.Decoder(list[_Content])
_SINGLE = msgspec.json.Decoder(list[tuple[_Nested]])
"Contents of one part whose text has a value: what the Assistants API sends."


def texts(values: Sequence[msgspec.Raw]) -> list[str | None]:
    """Return what a person would read in each content."""
    joined = b"[%b]" % b",".join(values)
    try:
        return [part.text.value for (part,) in _SINGLE.decode(joined)]
    except (msgspec.MsgspecError, RecursionError):
        pass
    try:
        contents = _CONTENTS.decode(joined)
    except (msgspec.MsgspecError, RecursionError):
        return [_readable(bytes(raw)) for raw in values]
    return [_words(content) for content in contents]


def _readable(raw: bytes) -> str | None:
    try:
        return _words(_CONTENT.decode(raw))
    except (msgspec.MsgspecError, RecursionError):
        return readable({"role": b"", "content": raw})


def _words(content: Any) -> str | None:
    """Return the words of a content that is text alone, its parts one per line."""
    if content is None or isinstance(content, str):
        return content
    found: list[str] = []
    for part in content:
        text = part if isinstance(part, str) else part.text
        if isinstance(text, _Value):
            text = text.value
        if text is not None:
            found.append(text)
    return "\n".join(found) if found else None
