"""Responses: one turn each, chains by links, nothing twice where a server repeats earlier turns."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

import pytest

from exporter.errors import NotFound
from exporter.model import Gap, Link, Page, Position
from exporter.sources import Answer, load
from tests.sources.fake import FakeApi, error, ok
from tests.sources.lines import Events, Line, bodies, gaps, gathered, ids, links, lists, notes, own, positions, seqs

PATHS = "/responses/"
NOW = int(time.time())
DAY = 86_400


def item(name: str, **fields: Any) -> dict[str, Any]:
    return {"id": name, "type": "message", "role": "user", "content": name, **fields}


def respond(line: Line, name: str, *said: str, answers: int = 1, **fields: Any) -> str:
    """Store a response; what was said are the ids of its input items."""
    output = [item(f"msg_{name}out{n}", role="assistant") for n in range(answers)]
    line.state.put("responses", {"id": name, "created_at": NOW - 3600, "output": output, **fields})
    for one in said:
        line.state.add("responses", name, "input_items", item(one), kind="item")
    return name


def chain(line: Line, name: str, *, repeats: bool, length: int = 3) -> list[str]:
    """Store a chain; on a server that repeats, the input items hold all that was said and answered before."""
    names: list[str] = []
    before: list[str] = []
    for n in range(length):
        said = [*(before if repeats else ()), f"msg_{name}in{n}a", f"msg_{name}in{n}b"]
        before = [*said, f"msg_resp_{name}{n}out0"]
        names.append(respond(line, f"resp_{name}{n}", *said, previous_response_id=names[-1] if names else None))
    return names


def test_a_response_is_what_was_said_and_what_was_answered(line: Line) -> None:
    name = respond(line, "resp_a1", "msg_a", "msg_b", answers=2, conversation={"id": "conv_a1"})
    events = line.visit(name)

    assert lists(events) == [("thread", 1), ("messages", 2), ("output", 2)]
    assert links(events) == ["conversations/conv_a1"]
    assert seqs(events, "messages", "output") == [0, 1, 2, 3]
    assert ids(events, "output") == ["msg_resp_a1out0", "msg_resp_a1out1"]
    assert [page.kind for page in own(events, "output")] == ["message"]
    assert json.loads(bodies(events, "output")[0]) == json.loads(bodies(events, "thread")[0])["output"][0]


def test_a_chain_is_walked_back_by_links_each_turn_once(line: Line) -> None:
    first, second, third = chain(line, "once", repeats=False)
    turns = [line.visit(name) for name in (third, second, first)]

    assert [links(turn) for turn in turns] == [[f"responses/{second}"], [f"responses/{first}"], []]
    assert [ids(turn) + ids(turn, "output") for turn in reversed(turns)] == [
        [f"msg_oncein{n}a", f"msg_oncein{n}b", f"msg_resp_once{n}out0"] for n in range(3)
    ]


def test_what_a_server_repeats_of_earlier_turns_stays_with_them(line: Line) -> None:
    names = chain(line, "repeat", repeats=True)
    source = line.source("responses")
    turns = [line.visit(name, source=source) for name in reversed(names)]

    assert [ids(turn) for turn in reversed(turns)] == [[f"msg_repeatin{n}a", f"msg_repeatin{n}b"] for n in range(3)]
    assert [seqs(turn, "messages", "output") for turn in turns] == [[0, 1, 2]] * 3
    assert [notes(turn) for turn in turns] == [{"earlier_turns"}, {"earlier_turns"}, set()]
    assert [gaps(turn) for turn in turns] == [[], [], []]


def test_two_hundred_repeated_items_are_told_apart_page_by_page(line: Line) -> None:
    said = [f"msg_long{n}x" for n in range(201)]
    respond(line, "resp_long1", *said)
    respond(line, "resp_long2", *said, "msg_resp_long1out0", "msg_new1x", previous_response_id="resp_long1")
    events = line.visit("resp_long2")

    assert (ids(events), seqs(events, "messages", "output")) == (["msg_new1x"], [0, 1])
    assert positions(events)["messages"] == Position("msg_new1x", 1, more=False)


def test_a_server_that_repeats_nothing_is_asked_about_it_once(line: Line) -> None:
    names = chain(line, "ask", repeats=False, length=4)
    source, start = line.source("responses"), len(line.state.requests)
    for name in reversed(names):
        line.visit(name, source=source)
    asked = line.asked(start)

    assert asked.count(f"{PATHS}{names[2]}") == 2  # once for what it holds, once for itself
    assert [asked.count(f"{PATHS}{name}") for name in names] == [1, 1, 2, 1]
    assert len(asked) == 2 * 4 + 2


def test_without_the_response_before_everything_is_kept(line: Line) -> None:
    names = chain(line, "gone", repeats=True)
    line.state.delete("responses", names[1])
    events = line.visit(names[2])

    assert len(ids(events)) == 8
    assert (gaps(events), links(events)) == ([], [f"responses/{names[1]}"])
    with pytest.raises(NotFound, match=names[1]):
        line.visit(names[1])


@pytest.mark.parametrize("days", [24, 26])
def test_what_may_be_gone_before_it_is_visited_is_kept(line: Line, days: int) -> None:
    first, second = f"resp_old{days}a", f"resp_old{days}b"
    respond(line, first, "msg_oldx", created_at=NOW - days * DAY)
    respond(line, second, "msg_oldx", "msg_newx", previous_response_id=first)

    assert ids(line.visit(second)) == (["msg_newx"] if days < 25 else ["msg_oldx", "msg_newx"])


def test_a_chain_that_bites_its_tail_loses_nothing(line: Line) -> None:
    respond(line, "resp_self1", "msg_selfx", previous_response_id="resp_self1")
    respond(line, "resp_tail1", "msg_tailx", previous_response_id="resp_tail2")
    respond(line, "resp_tail2", "msg_tailx", previous_response_id="resp_tail1")
    respond(line, "resp_time1", "msg_timex", previous_response_id="resp_time2", created_at=NOW - 100)
    respond(line, "resp_time2", "msg_timex", created_at=NOW - 50)

    assert ids(line.visit("resp_self1")) == ["msg_selfx"]
    assert [ids(line.visit(f"resp_tail{n}")) for n in (1, 2)] == [["msg_tailx"], ["msg_tailx"]]
    assert ids(line.visit("resp_time1")) == ["msg_timex"]
    assert links(line.visit("resp_self1")) == []
    assert links(line.visit("resp_tail1")) == ["responses/resp_tail2"]


def test_a_response_that_is_still_at_work_on_a_server_that_repeats(line: Line) -> None:
    names = chain(line, "busy", repeats=True, length=2)
    body = {**json.loads(line.state.body("responses", names[1])), "status": "in_progress"}
    line.state.edit("responses", names[1], body)
    first = line.visit(names[1])
    again = line.visit(names[1], positions(first))
    line.state.edit("responses", names[1], {**body, "status": "completed"})
    last = line.visit(names[1], positions(first) | positions(again))

    assert ids(first) == ["msg_busyin1a", "msg_busyin1b"]
    assert {item for events in (again, last) for item in ids(events)} <= set(ids(first))
    assert (seqs(last, "output"), gaps(last)) == ([2], [])


def test_ids_that_only_count_tell_no_turns_apart(line: Line) -> None:
    respond(line, "resp_count1", "item_0", "item_1")
    respond(line, "resp_count2", "item_0", "item_1", previous_response_id="resp_count1")

    assert ids(line.visit("resp_count2")) == ["item_0", "item_1"]


def test_a_response_before_that_cannot_be_read_now_is_waited_for(line: Line) -> None:
    names = chain(line, "later", repeats=True, length=2)
    line.switch(fault="error_500", only=f"{PATHS}{names[0]}")
    events = line.visit(names[1])
    line.switch()
    again = line.visit(names[1], positions(events))

    assert lists(events) == [("thread", 1), ("messages", -1)]
    assert gaps(events) == ["temporary"]
    assert ids(again) == ["msg_laterin1a", "msg_laterin1b"]


def test_what_is_finished_is_asked_for_once_more_and_nothing_else(line: Line) -> None:
    names = chain(line, "done", repeats=False, length=2)
    events = line.visit(names[1])
    start = len(line.state.requests)
    again = line.visit(names[1], positions(events))

    assert lists(again) == [("thread", 1)]
    assert links(again) == [f"responses/{names[0]}"]
    assert line.asked(start) == [f"{PATHS}{names[1]}"]


def test_answers_wait_until_the_response_is_finished(line: Line) -> None:
    name = respond(line, "resp_wait1", "msg_wait", status="in_progress", created_at=4_000_000_000)
    events = line.visit(name)
    line.state.edit("responses", name, {**json.loads(line.state.body("responses", name)), "status": "completed"})
    again = line.visit(name, positions(events))

    assert lists(events) == [("thread", 1), ("messages", 1)]
    assert lists(again) == [("thread", 1), ("output", 1)]
    assert seqs(again, "output") == [1]


def test_answers_wait_until_all_that_was_said_is_had(line: Line) -> None:
    name = respond(line, "resp_gap1", *(f"msg_gap{n}" for n in range(120)))
    line.switch(lies=["null_ids_and_cursor"], lies_only="input_items")
    events = line.visit(name)
    line.switch()
    again = line.visit(name, positions(events))

    assert ("output", 1) not in lists(events)
    assert gaps(events) == ["no_cursor"]
    assert ("output", 1) in lists(again)
    assert seqs(again, "output") == [120]


@pytest.mark.parametrize("type_", ["reasoning", "file_search_call", "code_interpreter_call"])
def test_what_only_include_opens_is_asked_for_although_it_was_listed(line: Line, type_: str) -> None:
    plain = respond(line, f"resp_plain{type_}", "msg_plain")
    closed = respond(line, f"resp_closed{type_}", "msg_closed", output=[item("rs_1", type=type_)])
    asked = []
    for name in (plain, closed):
        start = len(line.state.requests)
        events = line.visit(name, {"thread": Position()}, container=partial(line.state.body, "responses", name))
        asked.append(line.asked(start))
        assert ("output", 1) in lists(events)

    assert asked == [
        [f"{PATHS}{plain}/input_items"],
        [f"{PATHS}{closed}", f"{PATHS}{closed}/input_items"],
    ]


def test_what_a_response_points_to_is_data_and_no_path(line: Line) -> None:
    name = respond(line, "resp_evil1", "msg_evil", previous_response_id="../../x", conversation="\x1b[2J")
    events = line.visit(name)

    assert links(events) == []
    assert gaps(events) == ["bad_link", "bad_link"]
    assert all(event.detail.isprintable() for event in events if isinstance(event, Gap))
    assert not any(isinstance(event, Link) for event in events)


def test_a_conversation_may_be_named_by_its_id_alone(line: Line) -> None:
    assert links(line.visit(respond(line, "resp_named1", "msg_n", conversation="conv_n1"))) == ["conversations/conv_n1"]


@pytest.mark.parametrize("status", [404, 405])
def test_a_server_without_input_items_gives_its_answers_all_the_same(line: Line, status: int) -> None:
    body = {"id": "resp_1", "status": "completed", "output": [item("msg_out")]}

    def visit(after: Mapping[str, Position]) -> Events:
        api = FakeApi()
        api.canned["/responses/resp_1"] = [ok(body)]
        api.canned["/responses/resp_1/input_items"] = [error(status, "Not Found")] * 2
        return line.runner.run(gathered(load("responses")(api).pages(line.ref("resp_1"), after)))

    first = visit({})
    again = visit(positions(first))

    assert lists(first) == [("thread", 1), ("messages", -1), ("output", 1)]
    assert lists(again) == [("thread", 1), ("messages", -1)]
    assert gaps(again) == ["no_list"]


class Shy(FakeApi):
    """A list of responses that is empty for who says how much he wants, as a browser's session sees OpenAI's."""

    async def get(self, path: str, params: Any = (), headers: Any = None) -> Answer:  # noqa: ARG002 - the protocol
        asked = dict(params)
        self.calls.append((path, asked))
        if "limit" in asked or "order" in asked:
            return ok({"data": [], "has_more": False})
        names = [f"resp_{n:03d}" for n in range(45, 0, -1)]
        start = names.index(asked["after"]) + 1 if "after" in asked else 0
        found = [{"id": name, "created_at": 1_700_000_000 + int(name[-3:])} for name in names[start : start + 20]]
        return ok({"data": found, "has_more": start + 20 < 45, "last_id": found[-1]["id"]})


def test_a_list_that_is_shy_of_limits_is_had_all_the_same(line: Line) -> None:
    source = load("responses")(Shy())
    events = line.threads(source)

    assert sorted(ids(events, "threads"), key=str) == [f"resp_{n:03d}" for n in range(1, 46)]
    assert gaps(events) == []


def test_a_list_that_is_empty_is_empty(line: Line) -> None:
    api = FakeApi()
    api.lists["/responses"] = []
    source = load("responses")(api)
    events = line.threads(source)
    line.threads(source)

    assert [(page.items, page.more) for page in own(events, "threads")] == [((), False)]
    assert [query.get("limit") for _, query in api.calls] == ["100", None, "100"]


def test_include_that_is_refused_of_a_list_is_still_asked_of_each_response(line: Line) -> None:
    class Partly(FakeApi):
        async def get(self, path: str, params: Any = (), headers: Any = None) -> Answer:  # noqa: ARG002
            self.calls.append((path, dict(params)))
            if path == "/responses" and "include[]" in dict(params):
                return error(400, "Unknown parameter: 'include'.", "include")
            if path == "/responses":
                return ok({"data": [{"id": "resp_1"}], "has_more": False})
            return ok(
                {"id": "resp_1", "output": []} if path == "/responses/resp_1" else {"data": [], "has_more": False}
            )

    api = Partly()
    source = load("responses")(api)
    listed = line.threads(source)
    events = line.runner.run(gathered(source.pages(line.ref("resp_1"), {})))

    assert notes(listed) == {"include_refused"}
    assert notes(events) == set()
    assert "include[]" in dict(api.calls[-2][1])
    assert [event.list for event in events if isinstance(event, Page)] == ["thread", "messages", "output"]
