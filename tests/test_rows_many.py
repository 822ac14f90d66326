"""Messages taken together are the rows that each of them is alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.archive import MarkLine, mark_line_of, record_line
from exporter.model import Mark, Position, Record, Registration, ThreadRef
from exporter.rows import row, usual
from exporter.schemas import SCHEMAS
from exporter.tables._appending import Appending
from exporter.tables._changes import Changes
from exporter.tables._pages import taken_apart

REF = ThreadRef("conversations", "https://api.example/v1", "conv_1")
SEEN = datetime(2026, 11, 21, 5, 6, 7, 89, tzinfo=UTC)
OWNER = Registration(REF, "work", "ann\ud800", None, "T")

TEXTS = st.sampled_from(["", "hi", "é\n", "\\u0041", 'q"', "\U0001f600"])
PARTS = st.one_of(
    st.builds(lambda text: {"type": "text", "text": {"value": text, "annotations": []}}, TEXTS),
    st.builds(
        lambda text: {"type": "output_text", "text": text, "annotations": [{"title": "x"}], "logprobs": []}, TEXTS
    ),
    st.builds(lambda text: {"type": "input_text", "text": text}, TEXTS),
    TEXTS,
    st.sampled_from(
        [
            *({"type": "image_file", "image_file": {"file_id": "f"}}, {"type": "refusal", "refusal": "no"}, None, 7),
            *({"text": None}, {"text": {"value": None}}, {"text": {"value": 5}}, {"text": ["a", "b"]}, [["deep"]]),
            *({"text": "a", "label": "b"}, {"name": "n", "arguments": "{}"}, {}, {"type": {"text": "t"}}),
        ]
    ),
)
CONTENTS = st.lists(PARTS, max_size=3) | TEXTS | st.none() | st.sampled_from([5, True, {"text": "t"}, {}])
NULLED = st.sampled_from([None, "a_1", "b\\", 5, {"id": "x"}])
USUAL = {
    "id": st.sampled_from(["m1", "m1", "m1", "m2", None, 5]),
    "object": st.just("thread.message"),
    "type": st.sampled_from(["message", "message", "chatkit.user_message", "other", None, 3]),
    "created_at": st.sampled_from([1_760_000_000, 0, 999_999_999, None, 1.76e9, 1_760_000_000_123, "2026-01-01", 9**9]),
    "assistant_id": NULLED,
    "run_id": NULLED,
    "role": st.sampled_from(["user", "assistant", None, 7]),
    "content": CONTENTS,
    "attachments": st.sampled_from([[], None, [{"file_id": "f", "n": 1}]]),
    "metadata": st.sampled_from([{}, None, {"k": "v"}]),
    "model": NULLED,
    "status": NULLED,
    "weird": st.sampled_from([1, 2**80, None, [1.10, 1e5]]),
    "created": st.just(1_760_000_000),
    "agent_id": st.just("a"),
    "summary": st.just(["s"]),
    "content_parts": st.just([{"text": "p"}]),
}
USUALLY = {"id", "object", "created_at", "assistant_id", "role", "content", "metadata"}
BODIES = st.sets(st.sampled_from(list(USUAL)), max_size=5).flatmap(
    lambda some: st.fixed_dictionaries({name: kind for name, kind in USUAL.items() if name in some | USUALLY})
)
ODD = [
    *(
        b"5",
        b"null",
        b'"words"',
        b"[1]",
        b"{}",
        b'{"role":"user","content":"\\ud800"}',
        b'{"role":"user","content":1e400}',
    ),
    *(b'{"role":"user","role":"tool","content":"a","content":"b"}', b'{"content":[],"role":"user"}'),
    *(b'{"role":"user","content":' + b"[" * 3000 + b"]" * 3000 + b"}", b'{"role":"user","content":"\xff"}'),
    *(b'{"role":"us\\u0065r","content":"a","id":"m\\u0031"}', b'{"role":"user","content":"\\ud83d\\ude00"}'),
    *(b'{"role":"user","content":"a","created_at":123456789012345678901234567890}', b'{"role":"user","content":NaN}'),
]


def named(values: dict[str, Any], number: int) -> dict[str, Any]:
    return {name: values.get(name) for name in SCHEMAS["messages"].names} | {"_number": number}


class Taken(Changes):
    """Rows, as they would be sorted."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.rows: list[dict[str, Any]] = []

    def put(self, table: str, values: dict[str, Any], size: int, number: int = 0) -> None:
        assert size
        assert table == "messages"
        self.rows.append(named(values, number))

    def put_batch(self, table: str, rows: Any) -> None:
        assert table == "messages"
        for one in rows.to_pylist():
            month = one.pop("_month")
            assert month == one["ts"].year * 12 + one["ts"].month - 1
            self.rows.append(one)


def together(folder: Path, pages: list[list[Record]]) -> list[dict[str, Any]]:
    taken = Taken(folder)
    appending = Appending(taken)
    read = [(number, marked(records), list(map(record_line, records))) for number, records in enumerate(pages, 1)]
    for page in taken_apart(read, lambda threads: dict.fromkeys(threads, OWNER)):
        appending.take(page)
    appending.flush()
    return sorted(taken.rows, key=lambda one: one["seq"])


def marked(records: list[Record]) -> MarkLine:
    end = Position(None, 0, more=False)
    return mark_line_of(Mark(REF, "message", "messages", 0, len(records), end, True, SEEN, "run"))


def alone(pages: list[list[Record]]) -> list[dict[str, Any]]:
    found = []
    for number, records in enumerate(pages, 1):
        for record in records:
            values = row(record, OWNER)
            assert values is not None
            found.append(named(values, number))
    return found


def records_of(bodies: list[bytes], key: str | None = "m1", parent: str | None = None) -> list[Record]:
    return [
        Record(REF, "message", key, seq, SEEN + timedelta(days=40 * (seq % 3)), body, "run", parent)
        for seq, body in enumerate(bodies)
    ]


def dumps(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.lists(BODIES.map(dumps) | st.sampled_from(ODD), min_size=1, max_size=12), st.sampled_from(["m1", None, "\ud800"])
)
def test_messages_together_are_the_rows_they_are_alone(
    tmp_path_factory: pytest.TempPathFactory, bodies: list[bytes], key: str | None
) -> None:
    records = records_of(bodies, key)
    pages = [records[: len(records) // 2], records[len(records) // 2 :]]

    assert together(tmp_path_factory.mktemp("t"), pages) == alone(pages)


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_body_changes_nothing_for_the_others(tmp_path: Path, odd: bytes) -> None:
    plain = dumps({"id": "m1", "created_at": 1_760_000_000, "role": "user", "content": "a"})
    pages = [records_of([plain, plain, odd, plain])]

    assert together(tmp_path, pages) == alone(pages)
    _, left = usual(pages[0])
    assert set(left) <= {2}


@pytest.mark.parametrize(
    "sent",
    [
        *({"status": "a"}, {"run_id": None}, {"metadata": {"k": "%b"}}, {"attachments": None}, {"weird": [1.10, "%"]}),
        *({"type": "message"}, {"type": "other"}, {"assistant_id": 5}, {"created_at": 1.76e9}, {"created_at": None}),
    ],
)
@pytest.mark.parametrize("between", ["the same", "b", None, {"k": "v"}, 1_770_000_000])
def test_a_value_that_comes_again_and_again_is_what_each_message_says(tmp_path: Path, sent: Any, between: Any) -> None:
    (name,) = sent
    values = [sent[name], sent[name] if between == "the same" else between, sent[name]]
    pages = [records_of([dumps({"id": "m1", "role": "user", "content": "a", name: value}) for value in values])]

    assert together(tmp_path, pages) == alone(pages)


def test_what_is_usual_is_taken_together() -> None:
    bodies = [dumps({"id": "m1", "created_at": 1_760_000_000, "role": "user", "content": f"{n}"}) for n in range(5)]

    found, left = usual(records_of(bodies))

    assert not left
    assert [one.which for one in found] == [[0, 1, 2, 3, 4]]
    assert found[0].columns["text"] == ["0", "1", "2", "3", "4"]


def test_objects_that_hang_on_another_are_left_to_the_row(tmp_path: Path) -> None:
    body = dumps({"id": "m1", "assistant_id": "a", "role": "user", "content": "a"})
    pages = [records_of([body, body], parent="sub_1")]

    assert usual(pages[0]) == ([], [0, 1])
    assert together(tmp_path, pages) == alone(pages)
