"""Chat: lines that fine-tuning takes, calls with their answers, and every drop counted."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import Any, cast

import pytest

from exporter.archive import Archive
from exporter.formats._job import Job
from exporter.formats.chat import _line
from exporter.model import Item, Kind, Page, Registration, ThreadRef, now
from exporter.registry import register
from exporter.sandbox import State
from tests.conftest import rows
from tests.formats.conftest import Library, archived

ROLES = {"system", "developer", "user", "assistant", "tool"}


def lines(path: Path) -> list[list[dict[str, Any]]]:
    found = [json.loads(line) for line in path.read_bytes().splitlines()]
    assert all(list(one) == ["messages"] for one in found)
    return [one["messages"] for one in found]


def pairs_up(messages: list[dict[str, Any]]) -> None:
    waiting: Counter[str] = Counter()
    for message in messages:
        assert message["role"] in ROLES
        if message["role"] == "tool":
            assert isinstance(message["content"], str)
            assert waiting[message["tool_call_id"]] > 0
            waiting[message["tool_call_id"]] -= 1
        for call in message.get("tool_calls", ()):
            own = call[call["type"]]
            assert isinstance(own["name"], str)
            assert isinstance(own.get("arguments", own.get("input")), str)
            waiting[call["id"]] += 1
        assert message["content"] is not None or message.get("tool_calls") or message.get("refusal")
    assert not +waiting
    for number, message in enumerate(messages):
        if calls := message.get("tool_calls"):
            behind = messages[number + 1 : number + 1 + len(calls)]
            assert sorted(one.get("tool_call_id", "") for one in behind) == sorted(call["id"] for call in calls)


@pytest.mark.parametrize("which", ["library", "nasty"])
def test_lines_parse_and_calls_pair_up(which: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    library: Library = request.getfixturevalue(which)
    job = library.write("chat", tmp_path / "out.jsonl")
    found = lines(tmp_path / "out.jsonl")

    for messages in found:
        pairs_up(messages)
    assert job.records == len(found)
    assert job.messages == sum(map(len, found))


def test_every_entry_is_told_or_counted(library: Library, tmp_path: Path) -> None:
    job = library.write("chat", tmp_path / "out.jsonl")
    told = [message for messages in lines(tmp_path / "out.jsonl") for message in messages]
    entries = [row for row in rows(library.path) if row["source"] != "assistants"]
    answers = sum(row["type"] == "chatkit.client_tool_call" for row in entries)  # these hold their answer
    of_assistants = sum(row["source"] == "assistants" for row in rows(library.path))
    in_steps = job.dropped["file_search"]

    assert len(told) == len(entries) + answers + of_assistants - (sum(job.dropped.values()) - in_steps)
    assert {"reasoning", "web_search_call", "command_execution", "chatkit.widget"} <= set(job.dropped)


def chat(state: State, tmp_path: Path) -> tuple[list[list[dict[str, Any]]], dict[str, int]]:
    job = archived(state, tmp_path / "archive").write("chat", tmp_path / "out.jsonl")
    return lines(tmp_path / "out.jsonl"), dict(job.dropped)


def text(words: str) -> list[dict[str, Any]]:
    return [{"type": "text", "text": {"value": words, "annotations": []}}]


def test_calls_of_runs_come_before_what_the_run_said(tmp_path: Path) -> None:
    state = State()
    thread = state.add_thread("thread_1")
    state.add_message(thread, {"role": "user", "content": text("cold?")})
    run = state.add_run(thread, {}) or ""
    own = {"name": "weather", "arguments": '{"at":"Oslo"}', "output": "-7"}
    calls = [{"id": "call_1", "type": "function", "function": own}, {"id": "call_2", "type": "code_interpreter"}]
    state.add_step(thread, run, {"type": "tool_calls", "step_details": {"type": "tool_calls", "tool_calls": calls}})
    state.add_message(thread, {"role": "assistant", "content": text("yes"), "run_id": run})

    found, dropped = chat(state, tmp_path)
    call = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"at":"Oslo"}'}}
    assert found == [
        [
            {"role": "user", "content": "cold?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "call_1", "content": "-7"},
            {"role": "assistant", "content": "yes"},
        ]
    ]
    assert dropped == {"code_interpreter": 1}


def test_a_call_without_an_answer_and_an_answer_without_a_call_are_counted(tmp_path: Path) -> None:
    state = State()
    one = state.add_conversation("conv_1")
    for call in ("a", "b", "c"):
        state.add_item(one, {"type": "function_call", "call_id": call, "name": "f", "arguments": "{}"})
    for call in ("b", "a", "a", "x"):
        state.add_item(one, {"type": "function_call_output", "call_id": call, "output": f"to {call}"})

    found, dropped = chat(state, tmp_path)
    assert [[call["id"] for call in message.get("tool_calls", ())] for message in found[0]] == [["a", "b"], [], []]
    assert [message.get("tool_call_id") for message in found[0]] == [None, "b", "a"]
    assert dropped == {"call without an answer": 1, "answer without a call": 2}


def test_what_is_said_between_a_call_and_its_answer_comes_before_both(tmp_path: Path) -> None:
    state = State()
    one = state.add_conversation("conv_1")

    def calls(name: str) -> None:
        state.add_item(one, {"type": "function_call", "call_id": name, "name": "f", "arguments": "{}"})

    def says(words: str) -> None:
        state.add_item(one, {"type": "message", "role": "assistant", "content": text(words)})

    def answers(name: str) -> None:
        state.add_item(one, {"type": "function_call_output", "call_id": name, "output": f"to {name}"})

    calls("a")
    says("one moment")
    for name in ("b", "c", "again"):
        calls(name)
    for name in ("b", "a", "again"):
        answers(name)
    says("still looking")
    calls("again")
    answers("c")
    says("done")
    answers("again")

    found, dropped = chat(state, tmp_path)
    pairs_up(found[0])
    assert [
        [call["id"] for call in message.get("tool_calls", ())] or message.get("tool_call_id") or message["content"]
        for message in found[0]
    ] == [
        "one moment", ["a", "b", "again"], "b", "a", "again", "still looking", ["c"], "c", "done", ["again"], "again"
    ]  # fmt: skip
    assert not dropped


def test_what_an_assistant_says_with_a_call_stays_with_it(tmp_path: Path) -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    asks = {"role": "assistant", "content": "let me see", "name": "bot", "tool_calls": [call]}
    answer = {"role": "tool", "tool_call_id": "a", "content": "7"}
    said = [{"role": "user", "content": "?"}, asks, answer, {**asks, "content": None}, answer]
    later = [asks, {"role": "user", "content": "well?"}, answer]
    out, job = io.BytesIO(), Job(base=tmp_path)

    _line(iter(json.loads(json.dumps([*said, *later]))), out, job)
    told = json.loads(out.getvalue())["messages"]
    pairs_up(told)
    assert told[:5] == said
    assert told[5:] == [
        {"role": "assistant", "content": "let me see", "name": "bot"},
        {"role": "user", "content": "well?"},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        answer,
    ]


def test_a_chain_of_responses_is_one_conversation(tmp_path: Path) -> None:
    state = State()
    before = None
    for number in range(3):
        asked: list[Any] = [{"role": "user", "content": f"q{number}"}]
        said = [{"role": "assistant", "content": f"a{number}"}]
        body = {"id": f"resp_{number}", "previous_response_id": before, "output": said, "instructions": f"be {number}"}
        before = state.add_response(body, asked)

    found, _ = chat(state, tmp_path)
    assert [[message["content"] for message in one] for one in found] == [["be 2", "q0", "a0", "q1", "a1", "q2", "a2"]]


def test_responses_that_go_round_in_a_circle_are_told_once(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    Archive.create(path)
    refs = [ThreadRef("responses", "https://api.example/v1", f"resp_{number}") for number in range(3)]
    with Archive.write(path) as archive:
        register(archive, map(Registration, refs))
        for number, one in enumerate(refs):
            thread = {"id": one.id, "previous_response_id": refs[number - 1].id}
            said = {"id": f"msg_{number}", "role": "user", "content": f"q{number}"}
            for kind, body in (("thread", thread), ("message", said)):
                item = Item(body["id"], json.dumps(body).encode())
                archive.append([Page(one, cast("Kind", kind), (item,), None, False, now(), f"{kind}s")])
        archive.seal()
    Library(path).write("chat", tmp_path / "out.jsonl")

    (only,) = lines(tmp_path / "out.jsonl")
    assert sorted(message["content"] for message in only) == ["q0", "q1", "q2"]


def test_only_the_first_choice_of_a_completion_is_told(tmp_path: Path) -> None:
    state = State()
    choices = [
        {"index": n, "message": {"role": "assistant", "content": f"a{n}"}, "finish_reason": "stop"} for n in (0, 1)
    ]
    state.add_completion({"id": "chatcmpl-1", "choices": choices}, [{"role": "user", "content": "q"}])

    found, dropped = chat(state, tmp_path)
    assert [[message["content"] for message in one] for one in found] == [["q", "a0"]]
    assert dropped == {"other choice": 1}
