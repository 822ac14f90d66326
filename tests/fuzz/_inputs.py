"""What may come from outside: anything, and what nearly is what is meant."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st

KEYS = (
    *("id", "object", "type", "role", "content", "text", "value", "data", "has_more", "last_id", "first_id", "error"),
    *("created_at", "created", "metadata", "status", "message", "code", "param", "thread_id", "attachments", "file_id"),
    *("output", "choices", "previous_response_id", "conversation", "usage", "annotations", "preview_url", "expires_at"),
    *("arguments", "name", "action", "widget", "queries", "summary", "agent", "version", "turn_id", "tools", "url"),
)
"Names that somebody reads; others are made up."
WORDS = (
    "",
    "list",
    "thread",
    "thread.message",
    "message",
    "user",
    "completed",
    "in_progress",
    "thread_1",
    "msg_1",
    "x",
)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([0, -1, 2**31, 2**63, 2**64, 10**30, 1_760_000_000, 1e308, -0.0, 253402300800, 1e18])
    | st.floats(allow_nan=True)
    | st.sampled_from(WORDS)
    | st.text(max_size=12)
    | st.text(st.sampled_from("\ud800\udc00\udfff\0\x1b\u202e\ufffd"), max_size=3)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), inner, max_size=6)
    ),
    max_leaves=20,
)
objects = st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=5), values, max_size=8)


def as_json(value: Any) -> bytes:
    """Return JSON; NaN, half pairs and all."""
    return json.dumps(value).encode()


def _odd(body: bytes, how: str) -> bytes:
    """Return a text that few parsers like."""
    return {
        "deep": b"[" * 3000 + body + b"]" * 3000,
        "deep object": b'{"a":' * 3000 + body + b"}" * 3000,
        "open": b"[" * 100_000,
        "twice": b'{"id":1,"id":' + body + b"}",
        "digits": b'{"created_at":' + b"9" * 5000 + b"}",
        "spaces": b" \n\t" * 20 + body + b"\r\n",
        "bom": b"\xef\xbb\xbf" + body,
        "surrogate": b'{"id":"\\ud800","text":' + body + b"}",
        "cut": body[: len(body) // 2],
        "latin": body + b"\xff",
        "huge": b'{"created_at":1e400,"data":' + body + b"}",
        "no text": b"",
    }[how]


ODD = (
    "deep",
    "deep object",
    "open",
    "twice",
    "digits",
    "spaces",
    "bom",
    "surrogate",
    "cut",
    "latin",
    "huge",
    "no text",
)
texts = values.map(as_json) | st.binary(max_size=60) | st.builds(_odd, values.map(as_json), st.sampled_from(ODD))
"Bodies of answers."


def listed(inner: st.SearchStrategy[Any] = objects) -> st.SearchStrategy[bytes]:
    """Answers that look like a page of a list."""
    page = st.fixed_dictionaries(
        {"object": st.just("list"), "data": st.lists(inner, max_size=4)},
        optional={"has_more": st.booleans() | values, "last_id": values, "first_id": values},
    )
    return page.map(as_json)


def mutated(sample: bytes | Callable[[], bytes]) -> st.SearchStrategy[bytes]:
    """Bytes that were what they should be, and are not quite any more."""
    made: list[bytes] = []

    def changed(edits: Sequence[tuple[str, float, float, bytes]]) -> bytes:
        if not made:
            made.append(sample if isinstance(sample, bytes) else sample())
        data = bytearray(made[0])
        for how, at, to, new in edits:
            begin, end = sorted((int(at * len(data)), int(to * len(data))))
            if how == "flip" and data:
                data[min(begin, len(data) - 1)] ^= 1 << (end % 8)
            elif how == "put":
                data[begin:begin] = new
            elif how == "over":
                data[begin : begin + len(new)] = new
            elif how == "cut":
                del data[begin:end]
            elif how == "end":
                del data[begin:]
            elif how == "copy":
                data[end:end] = data[begin : begin + 64]
        return bytes(data)

    place = st.floats(0, 1, exclude_max=True)
    edit = st.tuples(
        st.sampled_from(["flip", "put", "over", "cut", "end", "copy"]), place, place, st.binary(max_size=9)
    )
    return st.lists(edit, max_size=4).map(changed)
