"""One archive of every source, from the sandbox to what people read and what tables say."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cli.conftest import Shell
from tests.conftest import rows


def said(text: str, role: str = "user") -> dict[str, Any]:
    return {"type": "message", "role": role, "content": [{"type": "output_text", "text": text}]}


@pytest.fixture
def every(shell: Shell) -> Shell:
    """A conversation of each source, a chain of responses and a session with a subagent among them."""
    state = shell.state
    state.add_thread("thread_every1")
    state.add_message("thread_every1", {"role": "user", "content": "to a thread"})
    state.add_conversation("conv_every1")
    state.add_item("conv_every1", said("to a conversation"))
    state.add_response({"id": "resp_every1", "output": [said("first answer", "assistant")]}, ["first question"])
    state.add_response(
        {"id": "resp_every2", "previous_response_id": "resp_every1", "output": [said("second answer", "assistant")]},
        ["second question"],
    )
    answers = [{"index": i, "message": {"role": "assistant", "content": f"answer {i}"}} for i in range(2)]
    state.add_completion({"id": "chatcmpl-every1", "created": 1_760_000_000, "choices": answers})
    state.add_completion_message("chatcmpl-every1", {"role": "user", "content": "to a completion"})
    state.add_chatkit_thread("cthr_every1")
    state.add_chatkit_item("cthr_every1", {"content": [{"type": "input_text", "text": "to ChatKit"}]})
    state.add_session("asess_every1")
    state.add_turn("asess_every1", {"id": "aturn_1"})
    state.add_session_item("asess_every1", said("to an agent"))
    state.add_subagent("asess_every1", {"id": "asub_1", "name": "Scout", "opened_at": 1_760_000_000})
    state.add_turn("asess_every1", {"id": "aturn_2"}, subagent="asub_1")
    state.add_session_item("asess_every1", said("between agents", "assistant"), subagent="asub_1")
    state.add_trace("asess_every1", {"id": "aturn_1", "otlp": {"resourceSpans": []}})
    ids = ("thread_every1", "conv_every1", "resp_every2", "chatcmpl-every1", "cthr_every1", "asess_every1")
    shell.ok("backup", *ids)
    return shell


def test_the_tables_speak_of_every_source_in_the_same_words(every: Shell) -> None:
    messages = rows(every.archive)

    dialogue = {(row["source"], row["role"], row["text"]) for row in messages if row["role"] in ("user", "assistant")}
    assert dialogue == {
        ("assistants", "user", "to a thread"),
        ("conversations", "user", "to a conversation"),
        ("responses", "user", "first question"),
        ("responses", "assistant", "first answer"),
        ("responses", "user", "second question"),
        ("responses", "assistant", "second answer"),
        ("completions", "user", "to a completion"),
        ("completions", "assistant", "answer 0"),
        ("completions", "assistant", "answer 1"),
        ("chatkit", "user", "to ChatKit"),
        ("agents", "user", "to an agent"),
        ("agents", "assistant", "between agents"),
    }
    agents = {(row["parent_id"], row["run_id"], row["seq"]) for row in messages if row["source"] == "agents"}
    assert agents == {(None, "aturn_1", 0), ("asub_1", "aturn_2", 0)}
    (completion,) = [row for row in rows(every.archive, "threads") if row["source"] == "completions"]
    assert (completion["created_at"].year, completion["messages"]) == (2025, 3)
    runs = {(row["run_id"], row["type"], row["parent_id"]) for row in rows(every.archive, "runs")}
    assert runs == {
        ("aturn_1", "agent.session.turn", None),
        ("aturn_2", "agent.session.turn", "asub_1"),
        ("asub_1", "agent.session.subagent", None),
    }
    (trace,) = rows(every.archive, "steps")
    assert (trace["type"], trace["run_id"], trace["details_json"]) == ("trace", "aturn_1", '{"resourceSpans":[]}')
    every.ok("check", "--rebuild")


def test_show_tells_a_chain_from_its_first_turn(every: Shell) -> None:
    text = every.ok("show", "resp_every2").stdout

    told = ["━━ resp_every1", "first question", "first answer", "━━ resp_every2", "second question", "second answer"]
    assert [text.index(words) for words in told] == sorted(text.index(words) for words in told)
    *records, summary = every.json("show", "resp_every2")
    assert [one["thread"] for one in records] == ["resp_every1"] * 3 + ["resp_every2"] * 3
    assert summary["records"] == 6


@pytest.mark.parametrize(
    ("thread", "heads"),
    [
        ("chatcmpl-every1", ["── user", "── assistant · choice 1 of 2", "── assistant · choice 2 of 2"]),
        ("cthr_every1", ["── user"]),
        ("asess_every1", ["── user", "━━ Subagent Scout (asub_1)", "── assistant"]),
    ],
)
def test_show_marks_who_speaks(every: Shell, thread: str, heads: list[str]) -> None:
    lines = [line for line in every.ok("show", thread).stdout.splitlines() if line.startswith(("──", "━━"))]

    assert len(lines) == len(heads)
    assert all(line.startswith(head) for line, head in zip(lines, heads, strict=True))
