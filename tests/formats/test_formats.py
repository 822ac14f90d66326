"""What every format must do, whatever its name; and each object once, in its newest revision."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.archive import Archive, record_line
from exporter.errors import UsageError
from exporter.formats import found, load, names, records
from exporter.formats._transcript import tame
from exporter.model import Item, Page, Record, Registration, ThreadRef, now
from exporter.registry import register
from tests.conftest import Bench

THREAD = ThreadRef("assistants", "https://api.example/v1", "thread_1")
NASTY = [
    rb'{"id":"a","n":123456789012345678901234567890,"f":1.10,"g":1e400,"s":"\ud800"}',
    b'{"id":"b","text":"' + "🙂\u202e\u2028".encode() + b'"}',
    b'{"a":1,"a":2,"body":"x,\\"body\\":y"}',
    b"null",
]


def some(bodies: list[bytes]) -> list[Record]:
    return [Record(THREAD, "message", f"m{seq}", seq, now(), body, "run") for seq, body in enumerate(bodies)]


@pytest.mark.parametrize("name", names())
def test_a_format_writes_as_many_as_it_says_and_streams(name: str) -> None:
    assert load(name).write(iter(some(NASTY)), io.BytesIO()) == len(NASTY)
    assert load(name).write(iter(()), io.BytesIO()) == 0


@pytest.mark.parametrize("name", names())
def test_a_format_has_a_docstring(name: str) -> None:
    assert load(name).__doc__


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(UsageError, match="there is no format 'pdf'; there is jsonl"):
        load("pdf")


def test_jsonl_holds_bodies_as_they_are() -> None:
    out = io.BytesIO()
    load("jsonl").write(some(NASTY), out)

    lines = out.getvalue().splitlines()
    assert [one.split(b',"body":', 1)[1][:-1] for one in lines] == NASTY
    assert [json.loads(one)["seq"] for one in lines] == [0, 1, 2, 3]


@given(st.text(), st.text())
def test_a_line_is_what_the_segment_has(thread: str, name: str) -> None:
    record = Record(ThreadRef("assistants", "https://x", thread), "step", name, 7, now(), b"{}", "r", parent=name)

    told = json.loads(record_line(record))
    assert (told["thread"], told["id"], told["parent"], told["body"]) == (thread, name, name, {})
    assert record_line(record).find(b"\n") == len(record_line(record)) - 1


def walk(archive: Archive, bodies: dict[str | None, str], *, fresh: bool, seq: int = 0) -> None:
    items = tuple(Item(name, json.dumps({"id": name, "v": value}).encode()) for name, value in bodies.items())
    archive.append([Page(THREAD, "message", items, None, False, now(), "messages", seq=seq, fresh=fresh)])
    archive.seal()


def test_a_thread_walked_again_gives_each_object_once_in_order(bench: Bench) -> None:
    Archive.create(bench.path)
    with Archive.write(bench.path) as archive:
        register(archive, [Registration(THREAD)])
        walk(archive, {"a": "1", "b": "1", None: "1", "c": "1"}, fresh=True)
        walk(archive, {"a": "1", "b": "2", None: "2", "c": "1"}, fresh=False)
        walk(archive, {"d": "1"}, fresh=True, seq=4)

        got = [json.loads(record.body) for record in records(archive, THREAD)]
        assert [(one["id"], one["v"]) for one in got] == [("a", "1"), ("b", "2"), (None, "2"), ("c", "1"), ("d", "1")]


def test_an_id_that_two_threads_use_needs_the_source(bench: Bench) -> None:
    Archive.create(bench.path)
    with Archive.write(bench.path) as archive:
        other = ThreadRef("conversations", THREAD.endpoint, THREAD.id)
        register(archive, [Registration(THREAD), Registration(other)])

        assert found(archive, "thread_1", "conversations") == other
        with pytest.raises(UsageError, match="say --source"):
            found(archive, "thread_1")
        with pytest.raises(UsageError, match="it is not in"):
            found(archive, "thread_2")


@given(st.text())
def test_no_text_can_steer_a_terminal(text: str) -> None:
    assert all(c.isprintable() or c in "\n\t" for c in tame(text))
