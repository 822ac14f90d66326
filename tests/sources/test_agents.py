"""Agent sessions: items, turns, traces, subagents; what may still change is looked at again."""

from __future__ import annotations

import json
import time
from typing import Any

from exporter.model import Page
from tests.sources.lines import Line, bodies, gaps, ids, lists, own, positions, seqs

HOUR, DAY = 3600, 86400


def session(line: Line, name: str, *, idle: float = 2 * HOUR, subagents: int = 0, **fields: Any) -> str:
    """Store a session of three items and a turn, and subagents with an item and a turn each."""
    at = int(time.time() - idle)
    state = line.state
    state.add_session({"id": name, "created_at": at - DAY, "last_active_at": at, **fields})
    state.add_turn(name, {"id": f"aturn_{name}", "created_at": at - DAY})
    for n in range(3):
        state.add_session_item(name, {"id": f"msg_{name}x{n}", "content": []})
    for n in range(subagents):
        sub = f"asub_{name}x{n}"
        state.add_subagent(name, {"id": sub, "status": "closed", "opened_at": at})
        state.add_turn(name, {"id": f"aturn_{sub}", "created_at": at}, sub)
        state.add_session_item(name, {"id": f"msg_{sub}"}, sub)
    return name


def published(line: Line, name: str, turn: str, age: float) -> None:
    line.state.add_trace(name, {"id": turn, "created_at": int(time.time() - age)})


def test_a_session_is_its_items_turns_traces_and_each_subagents_lists(line: Line) -> None:
    name = session(line, "asess_a1", subagents=2)
    published(line, name, f"aturn_{name}", 2 * DAY)
    events = line.visit(name)
    found = [(e.list, e.kind, e.parent, len(e.items)) for e in events if isinstance(e, Page) and e.list != "artifacts"]

    assert found == [
        ("thread", "thread", None, 1),
        ("messages", "message", None, 3),
        ("turns", "run", None, 1),
        ("items:asub_asess_a1x0", "message", "asub_asess_a1x0", 1),
        ("turns:asub_asess_a1x0", "run", "asub_asess_a1x0", 1),
        ("items:asub_asess_a1x1", "message", "asub_asess_a1x1", 1),
        ("turns:asub_asess_a1x1", "run", "asub_asess_a1x1", 1),
        ("subagents", "run", None, 2),
        ("traces", "step", f"aturn_{name}", 1),
    ]
    assert gaps(events) == []


def test_without_runs_there_are_no_turns_and_no_traces_but_all_that_was_said(line: Line) -> None:
    events = line.visit(session(line, "asess_noruns1", subagents=1), runs=False)
    found = [name for name, _ in lists(events) if name != "artifacts"]

    assert found == ["thread", "messages", "items:asub_asess_noruns1x0", "subagents"]


def test_items_without_ids_are_had_and_have_positions(line: Line) -> None:
    name = session(line, "asess_null1")
    line.state.add_session_item(name, {"id": None, "role": "user", "content": []})
    events = line.visit(name)

    assert ids(events) == ["msg_asess_null1x0", "msg_asess_null1x1", "msg_asess_null1x2", None]
    assert seqs(events, "messages") == [0, 1, 2, 3]
    assert gaps(events) == []


def test_a_subagent_that_is_resumed_after_it_was_closed_loses_nothing(line: Line) -> None:
    name = session(line, "asess_resume1", subagents=3)
    sub = f"asub_{name}x0"
    after = positions(line.visit(name))
    line.state.add_session_item(name, {"id": "msg_resumed"}, sub)
    events = line.visit(name, after)

    assert after["subagents"].cursor == f"asub_{name}x2"
    assert ids(events, f"items:{sub}") == ["msg_resumed"]
    assert not any(page.fresh for page in own(events, "subagents"))
    assert seqs(events, f"items:{sub}") == [1]


def test_subagents_of_a_session_at_rest_are_left_alone(line: Line) -> None:
    name = session(line, "asess_rest1", idle=8 * DAY, subagents=3)
    after, start = positions(line.visit(name)), len(line.state.requests)
    again = line.visit(name, after)

    assert lists(again) == [("thread", 1)]
    assert not any("asub_" in path for path in line.asked(start))


def test_a_turn_that_waits_for_days_is_looked_at_until_the_session_rests(line: Line) -> None:
    name = session(line, "asess_wait1", idle=3 * DAY)
    waiting = {"id": "aturn_waits", "status": "waiting", "created_at": int(time.time()) - 3 * DAY}
    line.state.add_turn(name, waiting)
    first = line.visit(name)
    line.state.edit_turn(name, "aturn_waits", {**waiting, "status": "completed"})
    second = line.visit(name, positions(first))
    third = line.visit(name, positions(first) | positions(second))

    assert positions(first)["turns"].cursor == f"aturn_{name}"
    assert [json.loads(body)["status"] for body in bodies(second, "turns")] == ["completed"]
    assert own(third, "turns") == []


def test_what_was_never_finished_is_given_up_when_the_session_rests(line: Line) -> None:
    name = session(line, "asess_dead1", idle=8 * DAY, status="requires_action")
    line.state.add_turn(name, {"id": "aturn_dead", "status": "waiting"})
    line.state.add_session_item(name, {"id": "fc_dead", "type": "function_call", "status": "in_progress"})
    after = positions(line.visit(name))

    assert (after["turns"].cursor, after["messages"].cursor) == ("aturn_dead", "fc_dead")
    assert lists(line.visit(name, after)) == [("thread", 1)]


def test_a_trace_that_is_published_late_is_had(line: Line) -> None:
    name = session(line, "asess_trace1")
    published(line, name, "aturn_old", 2 * DAY)
    published(line, name, "aturn_third", HOUR)
    first = line.visit(name)
    line.state.drop_under("sessions", name, "traces", "aturn_third")
    published(line, name, "aturn_second", 2 * HOUR)
    published(line, name, "aturn_third", HOUR)
    second = line.visit(name, positions(first))

    assert positions(first)["traces"].cursor == "aturn_old"
    assert ids(first, "traces") == ["aturn_old", "aturn_third"]
    assert ids(second, "traces") == ["aturn_second", "aturn_third"]
    assert seqs(second, "traces") == [1, 2]


def test_each_trace_hangs_on_its_own_turn_and_the_cursor_moves_once_all_are_had(line: Line) -> None:
    name = session(line, "asess_traces1")
    turns = [f"aturn_t{n}" for n in range(4)]
    for turn in turns:
        published(line, name, turn, 2 * DAY)
    events = line.visit(name)
    pages = own(events, "traces")

    assert [page.parent for page in pages] == turns
    assert [page.position.cursor for page in pages] == [None, None, None, "aturn_t3"]
    assert [page.position.seq for page in pages] == [0, 0, 0, 4]
    assert [page.position.more for page in pages] == [True, True, True, False]
    assert own(line.visit(name, positions(events)), "traces") == []


def test_a_subagent_whose_id_is_a_path_costs_its_own_lists_only(line: Line) -> None:
    name = session(line, "asess_evil1", subagents=1)
    line.state.add_subagent(name, {"id": "../../x", "status": "closed"})
    events = line.visit(name)

    assert gaps(events) == ["no_id", "no_id"]
    assert ids(events, "subagents") == ["asub_asess_evil1x0", "../../x"]
    assert ids(events, "items:asub_asess_evil1x0") == ["msg_asub_asess_evil1x0"]
    assert not any(".." in path for path in line.asked())


def test_a_server_that_says_nothing_of_activity_is_looked_at_each_time(line: Line) -> None:
    name = session(line, "asess_silent1", idle=30 * DAY, subagents=1, last_active_at=None)
    after, start = positions(line.visit(name)), len(line.state.requests)
    line.visit(name, after)

    assert sum("asub_" in path for path in line.asked(start)) == 2
