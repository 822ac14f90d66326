"""Complete objects from a few fields, in one of two dialects.

`described` has every field that the public description requires; `live` has the fields that were recorded from the
service, which leaves some required ones out. Bytes that tests hand in are never completed: they are what they are.
"""

from __future__ import annotations

from typing import Any

from exporter.errors import UsageError
from exporter.sandbox.shapes import ITEM_PREFIXES, MERGED, OMITTED, PREFIXES, TEMPLATES, TYPED, Body

DIALECTS = ("described", "live")


def prefix_of(kind: str, body: Body) -> str:
    """How the id of a new object begins."""
    return ITEM_PREFIXES.get(kind, {}).get(str(body.get("type")), PREFIXES[kind])


def complete(kind: str, given: Body, dialect: str) -> Body:
    """Fill what is missing in `given`; its own fields stay as they are, unknown ones too."""
    if dialect not in DIALECTS:
        raise UsageError(f"the sandbox has no dialect {dialect!r}; it has {', '.join(DIALECTS)}")
    omitted = OMITTED[dialect].get(kind, frozenset())
    template = {key: value for key, value in TEMPLATES[kind].items() if key not in omitted}
    typed = TYPED.get(kind, {}).get(str(given.get("type", template.get("type"))), {})
    merged = {name: {**template[name], **given[name]} for name in MERGED.get(kind, ()) if name in given}
    return template | typed | given | merged


def text_content(value: str) -> list[Body]:
    """One text part of an Assistants message."""
    return [{"type": "text", "text": {"value": value, "annotations": []}}]


def input_content(value: str) -> list[Body]:
    """One text part of a user's conversation item."""
    return [{"type": "input_text", "text": value}]


def output_content(value: str) -> list[Body]:
    """One text part of an assistant's conversation item."""
    return [{"type": "output_text", "text": value, "annotations": [], "logprobs": []}]


def message_content(given: Any) -> list[Body]:
    """What POST /messages accepts, as GET /messages gives it back: text becomes an object with annotations."""
    if isinstance(given, str):
        return text_content(given)
    parts: list[Body] = []
    for part in given or []:
        plain = isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)
        parts += text_content(part["text"]) if plain else [part]
    return parts


def item_body(given: Body) -> Body:
    """What POST /items accepts, as GET /items gives it back."""
    body = {"type": "message", **given}
    if body["type"] == "message" and isinstance(body.get("content"), str):
        make = output_content if body.get("role") == "assistant" else input_content
        body["content"] = make(body["content"])
    return body
