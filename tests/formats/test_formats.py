"""What every format must do, whatever its name; and each object once, in its newest revision."""

from __future__ import annotations

import json
import weakref
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.archive import Archive, record_line
from exporter.errors import UsageError
from exporter.formats import found, load, names, records
from exporter.formats._choosing import chosen
from exporter.formats._job import Job
from exporter.formats._story import Story, Wanted
from exporter.formats._transcript import tame
from exporter.model import Item, Kind, Page, Record, Registration, ThreadRef, now
from exporter.registry import register
from exporter.sandbox import State
from tests.conftest import Bench
from tests.formats.conftest import Library, archived

THREAD = ThreadRef("assistants", "https://api.example/v1", "thread_1")
OTHER = ThreadRef("assistants", "https://api.example/v1", "thread_2")
NASTY = [
    rb'{"id":"a","n":123456789012345678901234567890,"f":1.10,"g":1e400,"s":"\ud800"}',
    b'{"id":"b","text":"' + "🙂\u202e\u2028".encode() + b'"}',
    b'{"a":1,"a":2,"body":"x,\\"body\\":y"}',
    b"null",
]


@pytest.mark.parametrize("name", names())
def test_a_format_counts_what_it_writes_the_same_each_time(name: str, library: Library, tmp_path: Path) -> None:
    first, second = (library.write(name, tmp_path / one) for one in ("first", "second"))
    form = load(name)

    chained = 2 * 2  # of two chains of three responses, one conversation each
    assert first.threads == (16 - chained if getattr(form, "CHAINS", False) else 16)
    assert first.messages > 0
    assert first == second
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


@pytest.mark.parametrize("name", names())
def test_a_format_of_nothing_is_whole(name: str, library: Library, tmp_path: Path) -> None:
    job = library.write(name, tmp_path / "none", Wanted(user="nobody"))

    assert (job.threads, job.messages, job.records) == (0, 0, 0)


@pytest.mark.parametrize("name", names())
def test_a_format_holds_one_thread_at_a_time(name: str, library: Library, tmp_path: Path) -> None:
    alive: list[weakref.ref[Story]] = []

    def watched(stories: Iterator[Story]) -> Iterator[Story]:
        while (story := next(stories, None)) is not None:
            alive.append(weakref.ref(story))
            yield story
            del story
            assert sum(one() is not None for one in alive) <= 3

    with Archive.open(library.path) as archive, (tmp_path / "out").open("wb") as file:
        load(name).write(watched(chosen(archive, Wanted(), Job())), file, Job(base=tmp_path))
    assert len(alive) == 16


@pytest.mark.parametrize("name", names())
def test_a_long_thread_is_read_again_and_told_the_same(
    name: str, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library.write(name, tmp_path / "short")
    monkeypatch.setattr("exporter.formats._pages.KEEP_BYTES", 0)
    library.write(name, tmp_path / "long")

    assert (tmp_path / "short").read_bytes() == (tmp_path / "long").read_bytes()


@pytest.mark.parametrize("name", names())
def test_a_format_takes_whatever_a_server_sends(name: str, nasty: Library, tmp_path: Path) -> None:
    job = nasty.write(name, tmp_path / "out")

    assert job.threads == 3
    assert (tmp_path / "out").stat().st_size > 1_000_000


@pytest.mark.parametrize("depth", [300, 1000, 1010, 5000])
@pytest.mark.parametrize("name", names())
def test_a_format_takes_nesting_of_any_depth(name: str, depth: int, tmp_path: Path) -> None:
    deep = b"[" * depth + b"]" * depth
    calls = b'{"type":"tool_calls","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":%b}}]}'
    bodies: dict[Kind, list[bytes]] = {
        "message": [
            b'{"id":"m","role":"user","content":"before"}',
            b'{"id":"n","role":"user","content":[{"type":"image_url","image_url":{"of":%b}}]}' % deep,
            b'{"id":"o","role":"assistant","run_id":"r","content":"behind"}',
        ],
        "run": [b'{"id":"r"}'],
        "step": [b'{"id":"s","run_id":"r","type":"tool_calls","step_details":%b}' % (calls % deep)],
    }
    Archive.create(tmp_path / "archive")
    with Archive.write(tmp_path / "archive") as archive:
        register(archive, [Registration(THREAD)])
        for kind, some in bodies.items():
            items = tuple(Item(body[7:8].decode(), body) for body in some)
            archive.append([Page(THREAD, kind, items, None, False, now(), f"{kind}s")])
        archive.seal()
    Library(tmp_path / "archive").write(name, tmp_path / "out")

    made = (tmp_path / "out").read_bytes()
    assert b"before" in made
    assert b"behind" in made


@pytest.mark.parametrize("name", names())
def test_what_was_not_asked_for_is_left_out(name: str, tmp_path: Path) -> None:
    state = State()
    thread = state.add_thread("thread_1")
    for day in range(4):
        text = {"value": f"day{day}", "annotations": []}
        message = {
            "role": "user",
            "content": [{"type": "text", "text": text}],
            "created_at": 1_760_000_000 + day * 86400,
        }
        state.add_message(thread, message)
    library = archived(state, tmp_path / "archive")
    start = datetime.fromtimestamp(1_760_000_000, UTC)
    one = timedelta(days=1)
    job = library.write(name, tmp_path / "out", Wanted(since=start + one, until=start + 3 * one))

    content = (tmp_path / "out").read_bytes()
    assert [b"day%d" % number in content for number in range(4)] == [False, True, True, False]
    assert (job.threads, job.messages) == (1, 2)
    assert library.write(name, tmp_path / "late", Wanted(since=start + 9 * one)).empty == 1
    assert library.write(name, tmp_path / "other", Wanted(tag="else")).threads == 0
    assert library.write(name, tmp_path / "same", Wanted(tag="vip", user="ann", customer="acme")).threads == 1


@pytest.mark.parametrize("name", [name for name in names() if name != "chat"])
def test_what_was_deleted_is_marked_or_left_out(name: str, bench: Bench, tmp_path: Path) -> None:
    Archive.create(bench.path)
    items = tuple(Item(key, b'{"id":"%s","role":"user","content":"said-%s"}' % (2 * (key.encode(),))) for key in "abc")
    gone = b'{"state":"gone","code":null,"error":null,"records":0,"gaps":[]}'
    with Archive.write(bench.path) as archive:
        register(archive, [Registration(THREAD), Registration(OTHER)])
        word = Item("b", b'{"kind":"message","reason":"deleted"}')
        archive.append([Page(THREAD, "message", items, None, False, now(), "messages")])
        archive.append([Page(OTHER, "message", items[:1], None, False, now(), "messages")])
        archive.append([Page(THREAD, "deletion", (word,), None, False, now(), "deletions")])
        archive.append([Page(OTHER, "visit", (Item(None, gone),), None, False, now(), "visit")])
        archive.seal()
    library = Library(bench.path)
    everything = library.write(name, tmp_path / "all")
    rest = library.write(name, tmp_path / "rest", Wanted(deleted=False))

    assert (everything.threads, everything.messages) == (2, 4)
    assert (rest.threads, rest.messages) == (1, 2)
    content = (tmp_path / "all").read_bytes()
    assert b"said-b" in content
    assert b"deletion" in content or b"deleted" in content
    assert b"gone" in content
    assert b"said-b" not in (tmp_path / "rest").read_bytes()


@pytest.mark.parametrize("name", names())
def test_a_format_has_a_docstring(name: str) -> None:
    assert load(name).__doc__


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(UsageError, match=r"there is no format 'pdf'; there is chat, csv, .*, sqlite"):
        load("pdf")


def test_jsonl_holds_bodies_as_they_are(bench: Bench, tmp_path: Path) -> None:
    Archive.create(bench.path)
    items = tuple(Item(f"m{seq}", body) for seq, body in enumerate(NASTY))
    with Archive.write(bench.path) as archive:
        register(archive, [Registration(THREAD)])
        archive.append([Page(THREAD, "message", items, None, False, now(), "messages")])
        archive.seal()
    Library(bench.path).write("jsonl", tmp_path / "out")

    lines = (tmp_path / "out").read_bytes().splitlines()
    assert [one.split(b',"body":', 1)[1][:-1] for one in lines] == NASTY
    assert [json.loads(one)["seq"] for one in lines] == [0, 1, 2, 3]


def test_an_id_that_two_endpoints_use_names_both(tmp_path: Path) -> None:
    twin = ThreadRef(THREAD.source, "https://other.example/v1", THREAD.id)
    Archive.create(tmp_path / "archive")
    with Archive.write(tmp_path / "archive") as archive:
        register(archive, map(Registration, (THREAD, twin)))
        archive.seal()
        with pytest.raises(UsageError, match=r"several endpoints use this id: https://api\..*, https://other") as told:
            found(archive, THREAD.id)
        assert str(told.value).startswith("thread_1: ")


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
    assert all(c.isprintable() or c in "\n\t\u200c\u200d" or category(c) == "Zs" for c in tame(text))


@pytest.mark.parametrize("text", ["👩‍👩‍👧 é", "می‌خواهم", "東京\u3000都", "שלום مرحبا"])
def test_words_of_every_language_stay(text: str) -> None:
    assert tame(text) == text


@pytest.mark.parametrize(
    "code", ["200b", "200c", "200d", "200e", "200f", "061c", "2060", "2066", "00ad", "202e", "009b", "001b", "feff"]
)
def test_what_hides_or_turns_is_written_as_an_escape(code: str) -> None:
    assert chr(int(code, 16)) not in tame(f"pay{chr(int(code, 16))}pal")
    assert tame(f"pay{chr(int(code, 16))}pal").endswith("pal")
