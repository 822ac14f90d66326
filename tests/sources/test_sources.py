from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.errors import (
    BadAnswer,
    CredentialsRefused,
    ExporterError,
    NotFound,
    SourceGone,
    Temporary,
    UsageError,
)
from exporter.model import Gap, Link, Page, Position, ThreadRef
from exporter.sources import Answer, Event, load, names, source_of
from exporter.sources._answers import refusal
from exporter.sources.conversations import INCLUDE
from tests.sources.fake import ENDPOINT, THREAD, FakeApi, error, item, ok

CONVERSATION = ThreadRef("conversations", ENDPOINT, "conv_1")
RUNS = "/threads/thread_1/runs"


def visit(
    api: FakeApi, thread: ThreadRef = THREAD, after: Mapping[str, Position] | None = None, *, runs: bool = True
) -> list[Event]:
    async def story() -> list[Event]:
        source = load(thread.source)(api, runs)
        return [event async for event in source.pages(thread, after or {})]

    return asyncio.run(story())


def positions(events: list[Event]) -> dict[str, Position]:
    return {event.list: event.position for event in events if isinstance(event, Page)}


def lists(events: list[Event]) -> list[tuple[str, int]]:
    return [(e.list, len(e.items)) if isinstance(e, Page) else (e.list, -1) for e in events if not isinstance(e, Link)]


def a_thread(messages: int = 3, runs: int = 2) -> FakeApi:
    api = FakeApi([item(n, n + 1) for n in range(messages)])
    for n in range(runs):
        api.lists[RUNS].append(item(n, n + 1, prefix="run", status="completed"))
        api.lists[f"{RUNS}/run_{n:04d}/steps"] = [item(n, n + 1, prefix="step", status="completed")]
    return api


def test_sources_are_found_by_their_files_and_ids() -> None:
    assert set(names()) >= {"assistants", "conversations"}
    ids = ("thread_1", "conv_1", "cthr_1", "chatcmpl-1", "resp_1", "asess_1", "x")
    told = ["assistants", "conversations", "chatkit", "completions", "responses", "agents", None]
    assert [source_of(i) for i in ids] == told
    with pytest.raises(UsageError, match="agents, assistants, chatkit, completions, conversations, responses"):
        load("nothing")


@pytest.mark.parametrize("name", names())
def test_the_page_about_sources_knows_each(name: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "sources.md").read_text(encoding="utf-8")
    source = load(name)

    assert page.count(f"`{name}`") >= 3
    assert all(f"`{prefix}..." in page for prefix in source.prefixes)
    assert f"`{source.path}`" in page
    assert source.ids_from.startswith("Ids come from ")
    assert source.ids_from.endswith(".")


def test_asking_whose_id_it_is_imports_nothing_heavy() -> None:
    code = (
        "import sys; from exporter.sources import source_of; source_of('x'); "
        "print('openai' in sys.modules, 'httpx2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.split() == ["False", "False"]


def test_a_thread_is_its_object_messages_steps_and_runs() -> None:
    events = visit(a_thread())

    assert lists(events) == [("thread", 1), ("messages", 3), ("steps:run_0000", 1), ("steps:run_0001", 1), ("runs", 2)]
    assert {e.parent for e in events if isinstance(e, Page) and e.kind == "step"} == {"run_0000", "run_0001"}
    assert lists(visit(a_thread(), runs=False)) == [("thread", 1), ("messages", 3)]


def test_a_second_visit_asks_once_per_list_and_brings_only_the_thread() -> None:
    api = a_thread()
    after = positions(visit(api))
    api.calls.clear()
    events = visit(api, after=after)

    assert lists(events) == [("thread", 1)]
    assert [path.rpartition("/")[2] for path, _ in api.calls] == ["thread_1", "messages", "runs"]
    assert not any(event.fresh for event in events if isinstance(event, Page))


def test_an_unfinished_run_is_looked_at_again_with_its_steps() -> None:
    api = a_thread(runs=3)
    api.lists[RUNS][1].update(status="in_progress", created_at=4_000_000_000)
    api.lists[RUNS][2].update(created_at=4_000_000_001)
    after = positions(visit(api))
    api.lists[RUNS][1]["status"] = "completed"
    api.lists[f"{RUNS}/run_0001/steps"].append(item(9, 3, prefix="step"))
    events = visit(api, after=after)

    assert after["runs"] == Position("run_0000", 1, more=False)
    assert lists(events) == [("thread", 1), ("steps:run_0001", 1), ("runs", 2)]


def test_steps_that_cannot_be_had_hold_their_run_back() -> None:
    api = a_thread()
    api.canned[f"{RUNS}/run_0001/steps"] = [error(418, "no")]
    events = visit(api)
    again = visit(api, after=positions(events))

    assert lists(events) == [("thread", 1), ("messages", 3), ("steps:run_0000", 1), ("steps:run_0001", -1), ("runs", 2)]
    assert positions(events)["runs"] == Position("run_0000", 1, more=False)
    assert lists(again) == [("thread", 1), ("steps:run_0001", 1), ("runs", 1)]


def test_a_list_that_fails_is_a_gap_and_the_others_go_on() -> None:
    api = a_thread()
    api.canned["/threads/thread_1/messages"] = [error(503, "overloaded")]
    events = visit(api)
    gap = next(event for event in events if isinstance(event, Gap))

    assert (gap.list, gap.code, gap.after) == ("messages", "temporary", None)
    assert ("runs", 2) in lists(events)


class Items(FakeApi):
    """A conversation whose server refuses some values of include[]."""

    def __init__(self, refused: set[str], *, named: bool = True) -> None:
        super().__init__()
        self.refused, self.named = refused, named
        self.values: list[list[str]] = []

    async def get(self, path: str, params: Any = (), headers: Any = None) -> Answer:  # noqa: ARG002 - the protocol has them
        self.calls.append((path, dict(params)))
        if path == "/conversations/conv_1":
            return ok({"id": "conv_1"})
        values = [value for key, value in params if key == "include[]"]
        self.values.append(values)
        for value in values:
            if value in self.refused:
                return error(
                    400, f"Invalid value: '{value}'." if self.named else "include is not what I like", "include"
                )
        return ok({"data": [{"id": "item_1"}], "has_more": False})


@pytest.mark.parametrize("named", [True, False])
def test_values_of_include_that_are_refused_are_left_out_and_remembered(named: bool) -> None:
    every = [value for _, value in INCLUDE]
    api = Items(set(every[2:4]), named=named)

    async def story() -> list[list[Event]]:
        source = load("conversations")(api)
        return [[event async for event in source.pages(CONVERSATION, {})] for _ in range(2)]

    first, second = asyncio.run(story())

    assert lists(first) == lists(second) == [("thread", 1), ("messages", 1)]
    assert [e.notes for e in first if isinstance(e, Page)][1] == ("include_refused",)
    assert api.values[0] == every
    assert api.values[-1] == [value for value in every if value not in api.refused]


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a?b", "a#b", "a b", "é", "a\n", "%2e", "x" * 257])
def test_what_cannot_be_an_id_is_never_asked_for(name: str) -> None:
    api = FakeApi()
    with pytest.raises(UsageError):
        visit(api, ThreadRef("assistants", ENDPOINT, name))

    assert api.calls == []


QUOTA = error(429, "You exceeded your current quota", code="insufficient_quota")
NAMED = error(404, "No thread found with id 'thread_1'.")
PAGE = Answer(200, {"content-type": "text/html"}, b"<html>\x1b[31m")


@pytest.mark.parametrize(("answers", "kind", "says"), [
    ([NAMED, NAMED], NotFound, "doctor thread_1"),
    ([error(404, "Invalid URL (GET /v1/threads/thread_1)")] * 2, SourceGone, "removed"),
    ([error(404, "Not found")] * 2, SourceGone, "removed"),
    ([error(401, "Incorrect API key provided: sk-x***", code="invalid_api_key")], CredentialsRefused, "valid one"),
    ([error(401, "wrong", code="incorrect_hostname")], CredentialsRefused, "region"),
    ([error(401, "wrong", code="mismatched_project")], CredentialsRefused, "OPENAI_PROJECT_ID"),
    ([error(403, "Missing scopes: api.threads.read")], CredentialsRefused, "api.threads.read"),
    ([error(400, "must be made with a session key", code="missing_scope")], CredentialsRefused, "permission"),
    ([QUOTA], CredentialsRefused, "quota"),
    ([error(500, "oops")], Temporary, "later"),
    ([error(400, "bad \x1b[2J" + "x" * 9000)], BadAnswer, "HTTP 400"),
    ([Answer(302, {"location": "https://evil.example/"}, b"")], BadAnswer, "redirected"),
    ([PAGE] * 3, BadAnswer, "text/html"),
    ([Answer(200, {}, b"")] * 3, BadAnswer, "nothing"),
    ([Answer(200, {}, b'{"id":"thread_1"')] * 3, BadAnswer, "16 bytes"),
    ([ok({"id": "thread_2"})], BadAnswer, "another object"),
    ([ok(["thread_1"])], BadAnswer, "another object"),
])  # fmt: skip
def test_what_an_answer_means(answers: list[Answer], kind: type[ExporterError], says: str) -> None:
    api = FakeApi()
    api.canned["/threads/thread_1"] = list(answers)
    with pytest.raises(kind, match=says) as caught:
        visit(api)

    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < 700
    assert api.canned["/threads/thread_1"] == []


@pytest.mark.parametrize("first", [PAGE, Answer(200, {}, b'{"id":'), NAMED])
def test_what_may_be_better_the_second_time_is_asked_again(first: Answer) -> None:
    api = a_thread()
    api.canned["/threads/thread_1"] = [first]

    assert lists(visit(api))[0] == ("thread", 1)


def test_a_missing_list_of_a_thread_that_is_there_is_not_the_end_of_the_source() -> None:
    found = refusal(error(404, "Invalid URL"), THREAD, "/threads/thread_1/runs", identified=True)

    assert isinstance(found, BadAnswer)


def test_json_with_odd_numbers_is_archived_as_sent() -> None:
    api = FakeApi()
    body = b'{"data":[{"id":"m","x":1.10,"y":1E5,"z":"\\ud800","x":2}],"has_more":false}'
    api.canned["/threads/thread_1/messages"] = [Answer(200, {}, body)]
    page = visit(api)[1]

    assert isinstance(page, Page)
    assert page.items[0].body == b'{"id":"m","x":1.10,"y":1E5,"z":"\\ud800","x":2}'
    assert json.loads(page.items[0].body)["x"] == 2
