"""What people read of a thread, whatever its API, by objects as the sandbox makes them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from exporter.archive import Archive
from exporter.formats import records
from exporter.formats._chain import chain
from exporter.formats._choosing import conversation
from exporter.formats._story import Wanted
from exporter.formats._transcript import Showing, Transcript
from exporter.model import Item, Kind, Page, Registration, ThreadRef
from exporter.registry import register
from exporter.sandbox.objects import complete
from tests.archive.making import AT, made
from tests.formats.conftest import Library

ENDPOINT = "https://api.example/v1"


class Desk:
    """An archive that takes objects in a few words."""

    def __init__(self, path: Path) -> None:
        self.path = made(path)

    def put(
        self,
        ref: ThreadRef,
        kind: Kind,
        bodies: list[dict[str, Any]],
        *,
        name: str = "messages",
        parent: str | None = None,
        seq: int = 0,
        fresh: bool = True,
    ) -> None:
        items = tuple(Item(body.get("id"), json.dumps(body).encode()) for body in bodies)
        page = Page(ref, kind, items, None, False, AT, name, seq=seq, parent=parent, fresh=fresh)
        with Archive.write(self.path) as archive:
            register(archive, [Registration(ref)])
            archive.append([page])
            archive.seal()

    def text(self, ref: ThreadRef) -> str:
        """What people read of a thread, without what is known of the thread itself."""
        with Archive.open(self.path) as archive:
            _, *told = Transcript(conversation(archive, ref, Wanted())).paragraphs()
        return "\n".join(told)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path / "archive")


def ref(source: str, name: str) -> ThreadRef:
    return ThreadRef(source, ENDPOINT, name)


def described(kind: str, key: str, **fields: Any) -> dict[str, Any]:
    return complete(kind, {"id": key, "created_at": 1_760_000_000, **fields}, "described")


def said(name: str, text: str, role: str = "user", **more: Any) -> dict[str, Any]:
    return {"type": "message", "id": name, "role": role, "content": [{"type": "input_text", "text": text}], **more}


def response(desk: Desk, name: str, previous: str | None, *texts: str) -> ThreadRef:
    one = ref("responses", name)
    desk.put(one, "thread", [described("response", name, previous_response_id=previous)], name="thread")
    desk.put(one, "message", [said(f"{name}-{i}", text) for i, text in enumerate(texts)])
    return one


def test_a_chain_of_responses_reads_from_its_first_turn(desk: Desk) -> None:
    response(desk, "resp_2", "resp_1", "second")
    last = response(desk, "resp_3", "resp_2", "third")
    response(desk, "resp_1", None, "first")

    text = desk.text(last)
    told = ["━━ resp_1", "first", "━━ resp_2", "second", "━━ resp_3", "third"]
    assert [text.index(word) for word in told] == sorted(text.index(word) for word in told)
    assert "━━" not in desk.text(ref("responses", "resp_1"))


def test_a_chain_whose_beginning_is_not_there_says_so(desk: Desk) -> None:
    last = response(desk, "resp_3", "resp_\x1b2", "third")

    assert desk.text(last).splitlines()[0].startswith("━━ Goes on from resp_\\x1b2: it is not in the archive")


def test_what_became_of_the_beginning_is_told_in_the_words_of_its_visit(desk: Desk) -> None:
    last = response(desk, "resp_3", "resp_2", "third")
    gone = {"state": "failed", "code": "not_found", "error": "responses/resp_2: not found", "records": 0, "gaps": []}
    desk.put(ref("responses", "resp_2"), "visit", [gone], name="visit")

    assert desk.text(last).splitlines()[0] == "━━ Goes on from resp_2: responses/resp_2: not found"


@pytest.mark.parametrize("first", ["resp_3", "resp_2", "resp_1"])
def test_a_circle_ends(desk: Desk, first: str) -> None:
    response(desk, "resp_1", first, "first")
    response(desk, "resp_2", "resp_1", "second")
    last = response(desk, "resp_3", "resp_2", "third")

    assert desk.text(last).count("third") == 1
    assert "a circle" in desk.text(last)
    with Archive.open(desk.path) as archive:
        assert chain(archive, last).threads[-1] == last


def test_calls_and_several_choices_of_a_completion_are_marked(desk: Desk) -> None:
    one = ref("completions", "chatcmpl-1")
    call = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": '{"at":"Oslo"}'}}
    desk.put(one, "thread", [{"id": one.id, "created": 1_760_000_000, "choices": []}], name="thread")
    inputs: list[dict[str, Any]] = [
        described("completion_message", "m-0", role="user", content="Is it cold?"),
        {"id": "m-1", "role": "assistant", "content": None, "tool_calls": [call]},
        {"id": "m-2", "role": "tool", "name": "weather", "content": "-7"},
    ]
    desk.put(one, "message", inputs)
    answers: list[dict[str, Any]] = [
        {"role": "assistant", "content": "Yes."},
        {"role": "assistant", "content": None, "refusal": "No."},
    ]
    desk.put(one, "message", answers, name="choices", seq=3)

    text = desk.text(one)
    assert '── assistant · calls weather · #1\n  ▸ function · weather {"at":"Oslo"}\n' in text
    assert "── tool · weather · #2\n  -7" in text
    assert "── assistant · choice 1 of 2 · #3\n  Yes." in text
    assert "── assistant · choice 2 of 2 · #4\n  No." in text


def test_items_of_chatkit_have_speakers_and_words(desk: Desk) -> None:
    one = ref("chatkit", "cthr_1")
    call = {"type": "chatkit.client_tool_call", "name": "look", "arguments": "{}", "status": "in_progress"}
    tasks = {"type": "chatkit.task_group", "tasks": [{"heading": "Searches", "summary": "for ducks"}]}
    items: list[dict[str, Any]] = [
        {"type": "chatkit.user_message", "content": [{"type": "input_text", "text": "Hi"}]},
        {"type": "chatkit.assistant_message", "content": [{"type": "output_text", "text": "Hello"}]},
        {"type": "chatkit.widget", "widget": '{"type":"Card","children":[{"type":"Title","value":"Ducks"}]}'},
        call | {"output": None},
        tasks,
    ]
    desk.put(one, "message", [described("chatkit_item", f"i-{i}", **item) for i, item in enumerate(items)])

    heads = [line for line in desk.text(one).splitlines() if line and "2025-10-09" not in line]
    assert heads == ["  Hi", "  Hello", "  ▸ Ducks", "  ▸ look {}", "  ▸ Searches for ducks"]
    told = [line.split(" · ")[0] for line in desk.text(one).splitlines() if line.startswith("──")]
    assert told == ["── user", "── assistant", "── widget", "── client_tool_call", "── task_group"]
    assert "── client_tool_call · look · in_progress ·" in desk.text(one)


def test_each_subagent_is_read_by_itself_after_the_session(desk: Desk) -> None:
    one = ref("agents", "asess_1")
    sent = '  ▸ {"id": "m-3", "type": "send_subagent_input_call", "content":…'
    task = {"type": "create_subagent_call", "content": [{"type": "output_text", "text": "look"}]}
    send = {"type": "send_subagent_input_call", "content": [], "recipient_agent_id": "sub_1"}
    desk.put(one, "message", [said("m-1", "go"), {"id": "m-2", **task}, {"id": "m-3", **send}])
    desk.put(one, "run", [described("subagent", "sub_1", name="Scout")], name="subagents")
    desk.put(one, "message", [said("m-1", "inside", role="assistant")], name="items:sub_1", parent="sub_1")
    desk.put(one, "message", [said("m-9", "nameless")], name="items:sub_2", parent="sub_2")
    desk.put(one, "message", [said("m-4", "back")], seq=3)  # a later visit

    told = [line for line in desk.text(one).splitlines() if line]
    assert told == [
        *("── user · #0", "  go", "── create_subagent_call · #1", "  ▸ look"),
        *("── send_subagent_input_call · to Scout (sub_1) · #2", sent),
        *("── user · #3", "  back", "━━ Subagent Scout (sub_1)", "── assistant · #0", "  inside"),
        *("━━ Subagent sub_2", "── user · #0", "  nameless"),
    ]


@pytest.mark.parametrize("fresh", [True, False])
def test_lists_come_one_after_the_other_however_they_were_walked(desk: Desk, fresh: bool) -> None:
    one = ref("agents", "asess_1")
    desk.put(one, "message", [said("a", "1"), said("b", "1")])
    desk.put(one, "message", [said("a", "1")], name="items:sub_1", parent="sub_1", fresh=fresh)
    desk.put(one, "message", [said("c", "1")], seq=2, fresh=fresh)
    desk.put(one, "message", [said("b", "1")], name="items:sub_1", parent="sub_1", seq=1, fresh=fresh)

    with Archive.open(desk.path) as archive:
        got = [(record.parent, record.id) for record in records(archive, one, ("message",))]
    assert got == [(None, "a"), (None, "b"), (None, "c"), ("sub_1", "a"), ("sub_1", "b")]


def test_files_are_told_with_their_names_and_whether_they_are_kept(desk: Desk) -> None:
    one = ref("conversations", "conv_1")
    sha = "ab" * 32
    kept = {"type": "file", "name": "re\x1bport.pdf", "sha256": sha, "bytes": 1234, "form": "bytes"}
    text = {"type": "file", "name": "notes.md", "sha256": sha, "bytes": 9, "form": "text", "reason": "purpose_refused"}
    lost = {"type": "container_file", "name": None, "reason": "expired", "detail": "the container is gone"}
    desk.put(one, "message", [said("m-1", "see there")])
    for name, body in (("f1", kept), ("f2", text), ("f3", lost)):
        items = (Item(name, json.dumps(body).encode()),)
        with Archive.write(desk.path) as archive:
            archive.append([Page(one, "file", items, None, False, AT, "files")])
            archive.seal()

    blob = desk.path / "blobs" / "sha256" / "ab" / sha
    assert desk.text(one).splitlines()[-5:] == [
        *("━━ Files", ""),
        f"  ▪ re\\x1bport.pdf (file f1, 1,234 bytes): {blob}",
        f"  ▪ notes.md (file f2, 9 bytes, its text (purpose_refused)): {blob}",
        "  ▪ f3 (container_file f3, not kept (expired: the container is gone))",
    ]


def test_the_last_messages_stand_below_their_headings(desk: Desk) -> None:
    one = ref("agents", "asess_1")
    desk.put(one, "message", [said("m-1", "go"), said("m-2", "on")])
    desk.put(one, "message", [said("m-1", "inside")], name="items:sub_1", parent="sub_1")

    def text(**showing: Any) -> list[str]:
        with Archive.open(desk.path) as archive:
            _, *told = Transcript(conversation(archive, one, Wanted()), Showing(**showing)).paragraphs()
        return [line.strip() for line in "\n".join(told).splitlines() if line]

    below = ["━━ Subagent sub_1", "── user · #0", "inside"]
    assert text(last=1) == ["━━ 2 earlier messages are not shown", *below]
    assert text(last=2) == ["━━ 1 earlier messages are not shown", "── user · #1", "on", *below]
    assert text(last=3) == text(role="user") == ["── user · #0", "go", "── user · #1", "on", *below]
    assert text(role="nobody") == text(role="nobody", last=1) == []


@pytest.mark.parametrize("body", [b"[]", b"7", b"[" * 5000 + b"]" * 5000])
def test_what_is_no_object_is_an_entry_all_the_same(body: bytes, desk: Desk) -> None:
    one = ref("conversations", "conv_1")
    desk.put(one, "message", [said("m-1", "before")])
    with Archive.write(desk.path) as archive:
        archive.append([Page(one, "message", (Item("m-2", body),), None, False, AT, "messages", seq=1)])
        archive.seal()

    told = desk.text(one).splitlines()
    assert told[:2] == ["── user · #0", "  before"]
    assert sum(line.startswith("── ") for line in told) == 2


def test_a_file_that_is_cited_is_a_link_into_the_archive_and_odd_notes_are_none(desk: Desk, tmp_path: Path) -> None:
    one = ref("assistants", "thread_1")
    sha = "ab" * 32
    cites = {"type": "file_citation", "text": "【4:0†a】", "file_citation": {"file_id": "f1"}}
    words = {"value": "It fell【4:0†a】.", "annotations": [7, None, "odd", cites]}
    body = {"type": "file", "message": "m-1", "name": "prices.csv", "sha256": sha, "bytes": 9, "form": "bytes"}
    desk.put(one, "message", [{"id": "m-1", "role": "assistant", "content": [{"type": "text", "text": words}]}])
    desk.put(one, "file", [{"id": "f1", **body}], name="files")
    Library(desk.path).write("markdown", tmp_path / "out.md")

    made = (tmp_path / "out.md").read_text("utf-8")
    assert "It fell[1]." in made
    assert f"- \\[1\\] [prices.csv](<archive/blobs/sha256/ab/{sha}>) (file f1, 9 bytes)\n" in made
