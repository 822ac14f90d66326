"""Fields that come only when include[] asks for them.

One table says which value opens which field of which type of item, and what stands there when it is closed.
"""

from __future__ import annotations

from typing import NamedTuple

from exporter.sandbox import raw
from exporter.sandbox.answers import Ask, Refusal, bad_include

ABSENT = b""


class Lock(NamedTuple):
    """A field that include[] opens: in items of `type`, in parts of type `part`, at `path`; else it reads `closed`."""

    type: str
    path: tuple[str, ...]
    closed: bytes = b"null"
    part: str = ""


ITEM_LOCKS: dict[str, Lock] = {
    "file_search_call.results": Lock("file_search_call", ("results",)),
    "web_search_call.results": Lock("web_search_call", ("results",), ABSENT),
    "web_search_call.action.sources": Lock("web_search_call", ("action", "sources"), ABSENT),
    "message.input_image.image_url": Lock("message", ("content", "*", "image_url"), part="input_image"),
    "computer_call_output.output.image_url": Lock("computer_call_output", ("output", "image_url"), ABSENT),
    "code_interpreter_call.outputs": Lock("code_interpreter_call", ("outputs",)),
    "reasoning.encrypted_content": Lock("reasoning", ("encrypted_content",), ABSENT),
    "message.output_text.logprobs": Lock("message", ("content", "*", "logprobs"), b"[]", part="output_text"),
}
"""The eight values of conversation items and responses' input items."""

STEP_LOCKS: dict[str, Lock] = {
    "step_details.tool_calls[*].file_search.results[*].content": Lock(
        "tool_calls", ("step_details", "tool_calls", "*", "file_search", "results", "*", "content"), ABSENT
    ),
}
"""The one value of run steps."""


def opened(ask: Ask, locks: dict[str, Lock]) -> frozenset[str]:
    """Return the include[] values of a request, or refuse the first one that is unknown or switched to be refused."""
    asked = ask.values("include")
    refused = set(ask.switches.refuse)
    if "include_refused" in ask.lies:
        refused |= set(locks)
    if "include_refused_one" in ask.lies and not refused:
        refused = set(list(locks)[:1])
    for value in asked:
        if value not in locks or value in refused:
            raise Refusal(bad_include(value, [name for name in locks if name not in refused]))
    return frozenset(asked)


def lock(body: bytes, locks: dict[str, Lock], opened: frozenset[str]) -> bytes:
    """Return an object with only those lockable fields that are open; untouched bytes where nothing is locked."""
    for name, rule in locks.items():
        if name in opened or rule.path[-1].encode() not in body or raw.value(body, "type") != rule.type:
            continue
        body = _closed(body, rule.path, rule)
    return body


def _closed(body: bytes, path: tuple[str, ...], rule: Lock) -> bytes:
    """Close the field at `path`, in parts of the right type only."""
    if len(path) > 1:
        return raw.changed(body, path[:1], lambda inner: _closed(inner, path[1:], rule))
    if rule.part and raw.value(body, "type") != rule.part:
        return body
    return raw.without(body, path[0]) if rule.closed == ABSENT else raw.changed(body, path, lambda _: rule.closed)
