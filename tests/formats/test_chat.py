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


CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
ADDRESS = "https://pictures.example/1"
PICTURE = {"type": "image_url", "image_url": {"url": ADDRESS}}
WORDS = {"type": "text", "text": "look"}


def told(path: Path, *bodies: Any, source: str = "completions") -> tuple[list[dict[str, Any]], dict[str, int]]:
    """Say what a conversation of these objects is in the form's words, and what was dropped."""
    one = ThreadRef(source, "https://api.example/v1", "it")
    items = [
        Item(f"m{at}", body if isinstance(body, bytes) else json.dumps(body).encode()) for at, body in enumerate(bodies)
    ]
    Archive.create(path / "archive")
    with Archive.write(path / "archive") as archive:
        register(archive, [Registration(one)])
        archive.append([Page(one, "message", tuple(items), None, False, now(), "messages")])
        archive.seal()
    job = Library(path / "archive").write("chat", path / "out.jsonl")
    return [message for line in lines(path / "out.jsonl") for message in line], dict(job.dropped)


@pytest.mark.parametrize(
    ("given", "said", "dropped"),
    [
        ({"role": "user", "content": "hi", "name": "ann"}, {"role": "user", "content": "hi", "name": "ann"}, {}),
        ({"role": "user", "content": None, "content_parts": [WORDS]}, {"role": "user", "content": "look"}, {}),
        ({"role": "user", "content": ["a", "b"]}, {"role": "user", "content": "a\nb"}, {}),
        ({"role": "user", "content": WORDS}, {"role": "user", "content": "look"}, {}),
        (
            {"role": "user", "content": [WORDS, {"type": "input_image", "image_url": ADDRESS}]},
            {"role": "user", "content": [WORDS, PICTURE]},
            {},
        ),
        ({"role": "user", "content": [PICTURE]}, {"role": "user", "content": [PICTURE]}, {}),
        ({"role": "user", "content": [WORDS, {"type": "film"}]}, {"role": "user", "content": "look"}, {"film": 1}),
        (
            {"role": "user", "content": [WORDS, 7]},
            {"role": "user", "content": "look"},
            {"content of an unknown form": 1},
        ),
        ({"role": "user", "content": [{"type": "film"}]}, None, {"film": 1, "message without content": 1}),
        ({"role": "user", "content": [{"type": "text", "text": 7}]}, None, {"text": 1, "message without content": 1}),
        ({"role": "user", "content": None}, None, {"message without content": 1}),
        (
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            {"role": "assistant", "content": None, "refusal": "no"},
            {},
        ),
        (
            {"role": "assistant", "content": None, "refusal": "no"},
            {"role": "assistant", "content": None, "refusal": "no"},
            {},
        ),
        ({"role": "user", "content": "hi", "refusal": "no"}, {"role": "user", "content": "hi"}, {}),
        (
            {"role": "assistant", "content": "hi", "tool_calls": ["odd", {"id": 7}, {"id": "b", "function": "f"}]},
            {"role": "assistant", "content": "hi"},
            {"call of an unknown form": 3},
        ),
        (
            {"role": "assistant", "content": "hi", "tool_calls": [CALL]},
            {"role": "assistant", "content": "hi"},
            {"call without an answer": 1},
        ),
        ({"role": "assistant", "content": None, "tool_calls": [CALL]}, None, {"call without an answer": 1}),
        (
            {"role": "assistant", "content": "hi", "function_call": {"name": "f"}},
            {"role": "assistant", "content": "hi"},
            {"function_call": 1},
        ),
        (
            {"role": "user", "content": "hi", "tool_calls": [CALL]},
            {"role": "user", "content": "hi"},
            {"call of an unknown form": 1},
        ),
        ({"role": "tool", "content": "7"}, None, {"answer without a call": 1}),
        ({"role": "critic", "content": "hi"}, None, {"role critic": 1}),
        ({"role": "user", "content": "half \ud83d"}, {"role": "user", "content": "half \ufffd"}, {}),
        (b"[" * 5000 + b"]" * 5000, None, {"?": 1}),
        ([], None, {"?": 1}),
    ],
)
def test_a_message_of_any_shape_is_told_or_counted(
    given: Any, said: dict[str, Any] | None, dropped: dict[str, int], tmp_path: Path
) -> None:
    assert told(tmp_path, {"role": "user", "content": "?"}, given) == (
        [{"role": "user", "content": "?"}, *([said] if said else [])],
        dropped,
    )


@pytest.mark.parametrize("content", [None, "7"])
def test_an_answer_has_a_text_though_it_be_empty(content: str | None, tmp_path: Path) -> None:
    asks = {"role": "assistant", "content": None, "tool_calls": [CALL]}
    answer = {"role": "tool", "tool_call_id": "a", "content": content}

    assert told(tmp_path, asks, answer) == ([asks, {**answer, "content": content or ""}], {})


def test_half_a_character_deep_in_a_picture_is_no_reason_to_lose_the_conversation(tmp_path: Path) -> None:
    odd = {"type": "image_url", "image_url": {"url": "x\udc00", "tries": 2, "of": ["\ud800"]}}
    found, _ = told(tmp_path, {"role": "user", "content": [odd]})

    assert found[0]["content"] == [{"type": "image_url", "image_url": {"url": "x\ufffd", "tries": 2, "of": ["\ufffd"]}}]


def call(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "call_id": "a", "name": "f", **more}


@pytest.mark.parametrize(
    ("output", "text"),
    [
        ([{"type": "input_text", "text": "a"}, "b"], "a\nb"),
        ([{"type": "input_text", "text": "a"}, PICTURE], json.dumps([{"type": "input_text", "text": "a"}, PICTURE])),
        ({"degrees": -7}, '{"degrees": -7}'),
        ([], "[]"),
        (None, "null"),
    ],
)
@pytest.mark.parametrize("kind", ["function_call", "custom_tool_call"])
def test_what_a_tool_answers_is_a_text(kind: str, output: Any, text: str, tmp_path: Path) -> None:
    own = {"input": "{}"} if kind == "custom_tool_call" else {"arguments": "{}"}
    asked = call(kind, **own)
    answered = {"type": f"{kind}_output", "call_id": "a", "output": output}
    (asks, answers), dropped = told(tmp_path, asked, answered, source="conversations")

    form = "custom" if kind == "custom_tool_call" else "function"
    assert asks["tool_calls"] == [{"id": "a", "type": form, form: {"name": "f", **own}}]
    assert answers == {"role": "tool", "tool_call_id": "a", "content": text}
    assert not dropped


@pytest.mark.parametrize("kind", ["function_call", "custom_tool_call", "mcp_call"])
@pytest.mark.parametrize("odd", [{"name": None}, {"call_id": None}])
def test_a_call_without_a_name_or_an_id_is_counted(kind: str, odd: dict[str, None], tmp_path: Path) -> None:
    assert told(tmp_path, {**call(kind), **odd, "output": "7"}, source="conversations") == ([], {kind: 1})


def test_a_step_without_a_name_or_an_answer_is_counted(tmp_path: Path) -> None:
    state = State()
    thread = state.add_thread("thread_1")
    run = state.add_run(thread, {}) or ""
    calls = [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}", "output": None}},
        {"id": "call_2", "type": "function", "function": {"arguments": "{}", "output": "7"}},
        {"id": "call_3", "type": "function", "function": {"name": "f", "arguments": "{}", "output": "7"}},
    ]
    state.add_step(thread, run, {"type": "tool_calls", "step_details": {"type": "tool_calls", "tool_calls": calls}})
    state.add_message(thread, {"role": "assistant", "content": text("done"), "run_id": run})

    found, dropped = chat(state, tmp_path)
    assert [[one["id"] for one in message.get("tool_calls", ())] for message in found[0]] == [["call_3"], [], []]
    assert dropped == {"function": 1, "call without an answer": 1}


def test_a_conversation_that_says_nothing_is_no_line(tmp_path: Path) -> None:
    assert told(tmp_path, {"type": "reasoning", "summary": []}, source="conversations") == ([], {"reasoning": 1})
    assert (tmp_path / "out.jsonl").read_bytes() == b""
