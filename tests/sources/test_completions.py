"""Stored chat completions: messages, then choices; a 404 is not believed at once."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from exporter.errors import NotFound
from exporter.model import Position
from exporter.sources import load
from tests.sources.lines import Line, bodies, gaps, ids, lists, own, positions, seqs

PATH = "/chat/completions"


class Clock:
    """Waits for nothing and remembers for how long."""

    def __init__(self) -> None:
        self.waited: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(load("completions"), "sleep", made.sleep)
    return made


def complete(line: Line, name: str, *texts: str, choices: int = 1, **fields: Any) -> str:
    told = [{"index": n, "message": {"role": "assistant", "content": f"{name} {n}"}} for n in range(choices)]
    line.state.put("completions", {"id": name, "created": 1_760_000_000, "choices": told, **fields})
    for text in texts:
        line.state.add("completions", name, "messages", {"content": text}, kind="completion_message")
    return name


def test_a_completion_is_what_was_sent_and_the_message_of_each_choice(line: Line, clock: Clock) -> None:
    events = line.visit(complete(line, "chatcmpl-a1", "one", "two", choices=2))

    assert lists(events) == [("thread", 1), ("messages", 2), ("choices", 2)]
    assert ids(events, "choices") == [None, None]
    assert seqs(events, "messages", "choices") == [0, 1, 2, 3]
    assert bodies(events, "choices")[0] == b'{"role":"assistant","content":"chatcmpl-a1 0"}'
    assert [json.loads(body)["content"] for body in bodies(events)] == ["one", "two"]
    assert own(events, "choices")[0].kind == "message"
    assert clock.waited == []


@pytest.mark.parametrize("choices", [[], None, "none", [{"index": 0, "message": None}], [7], {}])
def test_a_completion_without_an_answer_is_whole_too(line: Line, clock: Clock, choices: object) -> None:
    name = complete(line, "chatcmpl-empty1", "one")
    line.state.edit("completions", name, {"id": name, "choices": choices})
    events = line.visit(name)
    again = line.visit(name, positions(events))

    assert lists(events)[0] == ("thread", 1)
    assert lists(events)[-1] == ("choices", 0)
    assert lists(again) == [("thread", 1)]


def test_what_was_just_stored_is_asked_again_before_a_404_is_believed(line: Line, clock: Clock) -> None:
    name = complete(line, "chatcmpl-late1", "one")
    line.switch(lies=["retrieve_404_first"], denials=3)
    events = line.visit(name)
    line.switch()

    assert lists(events) == [("thread", 1), ("messages", 1), ("choices", 1)]
    assert clock.waited == [0.5, 1.0, 2.0] * 2


def test_what_is_listed_is_waited_for_as_well(line: Line, clock: Clock) -> None:
    name = complete(line, "chatcmpl-late2", "one")
    line.switch(lies=["retrieve_404_first"], denials=2)
    container = partial(line.state.body, "completions", name)
    events = line.visit(name, {"thread": Position()}, container=container)
    line.switch()

    assert lists(events) == [("messages", 1), ("choices", 1)]
    assert clock.waited == [0.5, 1.0]


def test_a_404_that_stays_is_believed_after_a_few_seconds(line: Line, clock: Clock) -> None:
    start = len(line.state.requests)
    with pytest.raises(NotFound, match="chatcmpl-never1"):
        line.visit("chatcmpl-never1")

    assert len(line.asked(start)) == 4
    assert sum(clock.waited) == 3.5


def test_messages_that_stay_unknown_do_not_make_a_completion_gone(line: Line, clock: Clock) -> None:
    name = complete(line, "chatcmpl-half1", "one")
    line.switch(lies=["retrieve_404_first"], lies_only="/messages", denials=4)
    events = line.visit(name)
    line.switch()
    again = line.visit(name, positions(events))

    assert lists(events) == [("thread", 1), ("thread", 1), ("messages", -1)]
    assert gaps(events) == ["not_found"]
    assert lists(again) == [("thread", 1), ("messages", 1), ("choices", 1)]


def test_what_was_had_whole_and_is_gone_is_not_waited_for(line: Line, clock: Clock) -> None:
    name = complete(line, "chatcmpl-had1", "one")
    after = positions(line.visit(name))
    line.state.delete("completions", name)
    start = len(line.state.requests)
    with pytest.raises(NotFound):
        line.visit(name, after)

    assert len(line.asked(start)) == 2
    assert clock.waited == [0.0]


def test_what_is_finished_is_asked_for_once_more_and_nothing_else(line: Line, clock: Clock) -> None:
    name = complete(line, "chatcmpl-done1", "one")
    after = positions(line.visit(name))
    start = len(line.state.requests)

    assert lists(line.visit(name, after)) == [("thread", 1)]
    assert line.asked(start) == [f"{PATH}/{name}"]


def test_a_list_that_leaves_the_choices_out_is_no_archive_of_them(line: Line, clock: Clock) -> None:
    name = complete(line, "chatcmpl-short1", "one")
    events = line.visit(name, {"thread": Position()}, container=lambda: b'{"id":"chatcmpl-short1"}')

    assert lists(events) == [("thread", 1), ("messages", 1), ("choices", 1)]


def test_positions_are_the_names_of_messages_without_ids(line: Line, clock: Clock) -> None:
    name = complete(line, "chatcmpl-noid1")
    for n in range(3):
        line.state.add("completions", name, "messages", b'{"id":null,"n":%d}' % n, kind="completion_message")
    events = line.visit(name)

    assert ids(events) == [None, None, None]
    assert seqs(events, "messages", "choices") == [0, 1, 2, 3]
