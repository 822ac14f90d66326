"""A row tells the object, whatever a server sends."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.model import Kind, Record, Registration, ThreadRef
from exporter.rows import EPOCH, SHAPES, moment, row
from exporter.schemas import SCHEMAS
from exporter.tables._content import signature
from exporter.text import clean, inexact, members

REF = ThreadRef("conversations", "https://api.example/v1", "conv_1")
OWNER = Registration(REF, "work", "ann", "acme", "T")
SEEN = datetime(2026, 11, 21, tzinfo=UTC)
PAYLOADS = Path(__file__).parents[2] / "shared/payloads"


def made(body: bytes, kind: Kind = "message", key: str | None = "m1") -> dict[str, Any]:
    out = row(Record(REF, kind, key, 3, SEEN, body, parent="run_1" if kind == "step" else None), OWNER)
    assert out is not None
    assert set(out) - {"seq"} <= set(SCHEMAS[SHAPES[kind].table].names)
    for value in out.values():
        if isinstance(value, str):
            value.encode()
    return out


def dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def object_of(found: dict[str, Any], kind: Kind) -> Any:
    """Make the object from its row: `extra_json` and, where it says nothing, the columns."""
    rest = json.loads(found["extra_json"] or "{}")
    if not isinstance(rest, dict):
        return rest
    shape = SHAPES[kind]
    said = {key: found[column] for key, column in shape.texts.items() if found.get(column) is not None}
    said |= {key: json.loads(found[column]) for key, column in shape.jsons.items() if found.get(column) is not None}
    said |= {k: (found[c] - EPOCH) // timedelta(seconds=1) for k, c in shape.times.items() if found.get(c)}
    if (key := found["thread_id" if kind == "thread" else shape.id]) is not None:
        said["id"] = key
    speaks = "role" in (said | rest) or rest.get("object") == "thread.message"
    if found.get("type") is not None and not (kind == "message" and speaks and found["type"] == "message"):
        said["type"] = found["type"]
    # a column that two names share tells the first, where `extra_json` has none of the others
    for second, first in (("agent_id", "assistant_id"), ("agent", "assistant_id"), ("error", "last_error")):
        if second in rest:
            said.pop(first, None)
    return said | rest


NUMBERS = st.one_of(st.integers(-(2**80), 2**80), st.integers(600_000_000, 4_200_000_000), st.floats(allow_nan=False))
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        *("type", "role", "status", "content", "created_at", "metadata", "attachments", "model", "assistant_id"),
        *("run_id", "agent", "agent_id", "error", "thread_id", "object", "name", "arguments", "summary", "output"),
        *("usage", "last_error", "step_details", "started_at", "completed_at", "title", "user", "deleted", "text"),
    ]
)
SHAPED = st.sampled_from(["message", "function_call", "thread.message", "user", "conv_1", "", 1_760_000_000, None])


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.dictionaries(FIELDS, SHAPED | JSON), st.sampled_from(["message", "thread", "run", "step"]))
def test_the_row_determines_the_object(fields: dict[str, Any], kind: Kind) -> None:
    key = REF.id if kind == "thread" else "m1"
    body = dumps(fields | {"id": key})
    sent = json.loads(clean(body))

    assert object_of(made(body, kind, key), kind) == sent


@settings(max_examples=100, deadline=None)
@given(JSON)
def test_any_json_is_one_row(value: Any) -> None:
    body = dumps(value)

    found = made(body, key=None)
    if not isinstance(value, dict):
        assert json.loads(found["extra_json"]) == json.loads(clean(body))


def test_every_recorded_object_comes_back() -> None:
    if not PAYLOADS.exists():
        pytest.skip("no recorded payloads here")
    found: list[dict[str, Any]] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            found.append(value)
        for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            walk(part)

    for file in PAYLOADS.glob("*.json"):
        walk(json.loads(file.read_bytes()))
    assert len(found) > 1000
    for body in found:
        kind: Kind = {"thread.run": "run", "thread.run.step": "step"}.get(str(body.get("object")), "message")  # type: ignore[assignment]
        key = body["id"] if isinstance(body.get("id"), str) else None
        assert object_of(made(dumps(body), kind, key), kind) == body


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("words", "words"),
        ("", ""),
        ([], None),
        (None, None),
        ([{"type": "text", "text": {"value": "a", "annotations": []}}, {"type": "text", "text": "b"}], "a\nb"),
        ([{"type": "input_text", "text": ["a", {"value": "b"}]}, "c", 7, None], "a\nb\nc"),
        ([{"type": "refusal", "refusal": "no"}, {"type": "image_file", "image_file": {"file_id": "f"}}], "no"),
        ({"text": {"value": ""}}, ""),
    ],
)
def test_text_is_what_a_person_reads(content: Any, text: str | None) -> None:
    assert made(dumps({"role": "user", "content": content}))["text"] == text


@pytest.mark.parametrize(
    ("item", "text"),
    [
        ({"type": "function_call", "name": "f", "arguments": '{"a":1}'}, 'f {"a":1}'),
        ({"type": "function_call_output", "output": "42"}, "42"),
        ({"type": "function_call_output", "output": [{"type": "input_text", "text": "42"}]}, "42"),
        ({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "g"}, "hm"),
        ({"type": "code_interpreter_call", "code": "1+1", "outputs": [{"type": "logs", "logs": "2"}]}, "1+1\n2"),
        ({"type": "web_search_call", "action": {"type": "search", "query": "q"}}, "q"),
        ({"type": "file_search_call", "queries": ["a", "b"], "results": None}, "a\nb"),
        ({"type": "tool_search_call", "arguments": {"a": 1}}, '{"a":1}'),
        ({"type": "compaction", "encrypted_content": "g"}, None),
    ],
)
def test_other_entries_have_words_too(item: dict[str, Any], text: str | None) -> None:
    found = made(dumps(item))

    assert (found["text"], found["type"]) == (text, item["type"])


@pytest.mark.parametrize(
    ("raw", "time"),
    [
        (b"1700000000", 1_700_000_000.0),
        (b"1700000000.25", 1_700_000_000.25),
        (b"1700000000123", 1_700_000_000.123),
        (b'"2023-11-14T22:13:20Z"', 1_700_000_000.0),
        *((raw, None) for raw in (b"-5", b"0", b"1e400", b"null", b"true", b'"soon"', b"[1]", b"9999999999")),
        (b"1180591620717411303424", None),
    ],
)
def test_a_time_is_sane_or_none(raw: bytes, time: float | None) -> None:
    found = moment(raw)

    assert (None if found is None else found.timestamp()) == time


def test_what_a_table_cannot_hold_stays_as_it_was_sent() -> None:
    body = b'{"id":"m1","big":1180591620717411303424,"e":1e400,"f":1.10,"dup":1,"dup":2,"status":null,"created_at":-1}'

    found = made(body)
    assert found["extra_json"] == body.decode().replace('"id":"m1",', "").replace('"dup":1,', "")
    assert (found["ts"], found["ts_source"], found.get("created_at")) == (
        SEEN,
        "first_seen_at",
        None,
    )


def test_half_a_surrogate_pair_is_replaced_everywhere_and_a_whole_one_stays() -> None:
    found = made(b'{"role":"\\ud800","content":"a\\udc00\\\\ud800 \\ud83d\\ude00","\\udfff":1}')

    assert (found["role"], found["text"]) == ("\ufffd", "a\ufffd\\ud800 😀")
    assert json.loads(found["extra_json"]) == {"\ufffd": 1}


def test_absurd_depth_is_kept() -> None:
    deep = b"[" * 100_000 + b"]" * 100_000
    found = made(b'{"id":"m1","content":' + deep + b',"x":{"y":"},\\""}}')

    assert found["content_json"] == deep.decode()
    assert (found["text"], found["extra_json"]) == (None, '{"x":{"y":"},\\""}}')
    assert members(b'{"a":NaN}') == {"a": b"NaN"}


def test_our_own_records_are_no_rows() -> None:
    assert row(Record(REF, "visit", None, 0, SEEN, b"{}"), OWNER) is None


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=5), JSON, min_size=2))
def test_order_and_white_space_are_no_content(fields: dict[str, Any]) -> None:
    turned = dict(reversed(fields.items()))

    assert signature(dumps(fields)) == signature(
        json.dumps(turned, indent=3, ensure_ascii=False).encode("utf-8", "surrogatepass")
    )


SIGNED = "https://x/f?sv=1&sig={}&se={}"


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ({"url": SIGNED.format(1, 2)}, {"url": SIGNED.format(3, 4)}, True),
        ({"url": "https://x/f?id=1"}, {"url": "https://x/f?id=2"}, False),
        ({"preview_url": "https://x/f?t=1"}, {"preview_url": "https://x/f?t=2"}, True),
        ({"url": "https://x/f", "expires_at": 1}, {"url": "https://x/f", "expires_at": 2}, True),
        ({"object": "thread.run", "expires_at": 1}, {"object": "thread.run", "expires_at": None}, False),
        ({"a": None}, {}, False),
        ({"a": ""}, {"a": None}, False),
        ({"a": 2**70}, {"a": 2**70 + 1}, False),
        ({"a": 9007199254740993}, {"a": 9007199254740992}, False),
        ({"a": [1, 2]}, {"a": [2, 1]}, False),
    ],
)
def test_only_lasting_content_counts(one: Any, two: Any, same: bool) -> None:
    assert (signature(dumps(one)) == signature(dumps(two))) is same
    assert len(signature(dumps(one))) == 16


def test_an_escaped_signature_is_none_of_the_content_either() -> None:
    one, two = (dumps({"url": SIGNED.format(n, 0)}).replace(b"&", b"\\u0026") for n in (1, 2))

    assert signature(one) == signature(two)


def test_digits_in_ids_and_words_make_no_body_inexact() -> None:
    assert not inexact(dumps({"id": "msg_68a1e1234567890123456", "text": "of 2025-11-21, 1e10", "n": [-1.25, 10**14]}))
    for number in (b"1234567890123456", b"-1e400", b"1.5E-100", b"1000e9", b"[0,1e+309]"):
        assert inexact(b'{"a":%s}' % number)
        assert inexact(number)


def test_numbers_out_of_range_and_depth_still_tell_states_apart() -> None:
    deep = b"[" * 50_000
    for one, two in ((b"[1e400]", b"[1e401]"), (b"[NaN]", b"[null]"), (deep + b"1", deep + b"2"), (b"{", b"}")):
        assert signature(one) == signature(one) != signature(two)
