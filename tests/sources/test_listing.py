"""The list of a source's threads: what a refusal means, and what it is called in messages."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from exporter.errors import BadAnswer, CannotList, CredentialsRefused, ExporterError
from exporter.model import Page, Position, ThreadRef
from exporter.sandbox.keys import Key
from exporter.sources import Answer, Listable, load, names
from exporter.sources._answers import refusal
from tests.sources.fake import ENDPOINT, FakeApi, error, ok
from tests.sources.lines import Events, Line, gaps, gathered, ids, notes, own, positions
from tests.sources.places import Place

SESSION = "Your request to GET /v1/threads must be made with a session key (that is, from the browser)."
SCOPE = "You have insufficient permissions for this operation. Missing scopes: api.agents.read. Check your role."


def listed(source: str, *answers: Answer, after: Position | None = None) -> Events:
    api = FakeApi()
    path = load(source).path
    api.canned[path] = list(answers)
    found = load(source)(api)
    assert isinstance(found, Listable)
    return asyncio.run(gathered(found.threads(after)))


@pytest.mark.parametrize("source", names())
@pytest.mark.parametrize(("answer", "kind", "says"), [
    (error(404, "Invalid URL (GET /v1/x)"), CannotList, "HTTP 404: Invalid URL"),
    (error(405, "Method Not Allowed"), CannotList, "HTTP 405: Method Not Allowed"),
    (Answer(404, {}, b'{"detail":"Not Found"}'), CannotList, "HTTP 404: Not Found"),
    (error(401, SESSION, code="missing_scope"), CannotList, "session key"),
    (error(403, SESSION), CannotList, "session key"),
    (error(403, SCOPE), CredentialsRefused, "lacks the scope api.agents.read: give it that"),
    (error(403, "No."), CredentialsRefused, "lacks a permission"),
    (error(401, "Incorrect API key provided", code="invalid_api_key"), CredentialsRefused, "valid one"),
])  # fmt: skip
def test_what_a_refused_list_means(source: str, answer: Answer, kind: type[ExporterError], says: str) -> None:
    with pytest.raises(kind) as caught:
        listed(source, answer, answer)
    text = str(caught.value)

    assert says in text
    assert text.startswith(f"{source}: ")
    assert "/ " not in text
    assert text.endswith(load(source).ids_from) is (kind is CannotList)
    assert caught.value.exit_code == (3 if kind is CannotList else 12)


def test_several_scopes_are_named_once(line: Line) -> None:
    thread = ThreadRef("agents", ENDPOINT, "asess_1")
    told = refusal(error(403, "Missing scopes: api.agents.read, api.traces.read."), thread, "/x", identified=False)

    assert str(told).startswith("agents: the key lacks the scopes api.agents.read, api.traces.read: ")


@pytest.mark.parametrize("source", names())
def test_a_key_without_a_scope_is_told_which_over_http(line: Line, source: str) -> None:
    line.state.keys["sk-sandbox-one"] = Key("proj_one", scopes=frozenset())
    try:
        with pytest.raises(CredentialsRefused, match=rf"{source}: the key lacks the scope api\.[a-z.]+: "):
            line.visit(f"{Place(source).prefix}1")
    finally:
        line.state.keys["sk-sandbox-one"] = Key("proj_one")


@pytest.mark.parametrize("source", names())
def test_threads_come_oldest_first_with_their_own_objects(line: Line, source: str) -> None:
    place = Place(source)
    line.switch(listable=True)
    for n in range(3):
        place.add_thread(line.state, f"{place.prefix}list{n}", **{place.stamp: 1_760_000_000 + n})
    events = line.threads(source)
    pages = [event for event in events if isinstance(event, Page)]

    assert ids(events, "threads")[-3:] == [f"{place.prefix}list{n}" for n in range(3)]
    assert {(page.thread, page.kind, page.list) for page in pages} == {
        (ThreadRef(source, line.transport.endpoint, ""), "thread", "threads")
    }
    assert pages[-1].items[-1].body == line.state.body(place.shelf, f"{place.prefix}list2")


def test_a_list_goes_on_after_a_thread_that_is_still_at_work() -> None:
    body = {"id": "asess_1", "status": "in_progress", "created_at": 4_000_000_000}
    events = listed("agents", ok({"data": [body], "has_more": False}))

    assert positions(events)["threads"] == Position("asess_1", 1, more=False)


def test_what_is_learned_of_a_list_of_threads_is_not_believed_of_other_lists() -> None:
    api = FakeApi()
    api.canned["/chatkit/threads"] = [
        error(400, "Expected a value <= 20", "limit"),
        ok({"data": [{"id": "cthr_1"}], "has_more": False}),
    ]
    api.canned["/chatkit/threads/cthr_1"] = [ok({"id": "cthr_1"})]
    api.lists["/chatkit/threads/cthr_1/items"] = []
    source = load("chatkit")(api)
    assert isinstance(source, Listable)
    events = asyncio.run(gathered(source.threads()))
    asyncio.run(gathered(source.pages(ThreadRef("chatkit", ENDPOINT, "cthr_1"), {})))

    assert notes(events) == {"smaller_limit"}
    assert [query.get("limit") for _, query in api.calls] == ["100", "20", None, "100"]


@pytest.mark.parametrize("times", [True, False])
def test_a_long_list_that_comes_newest_first_is_had_and_its_cursor_is_not_believed(times: bool) -> None:
    api = FakeApi(lie="descending", most=2)
    threads = [{"id": f"cthr_{n:03d}", "created_at": 1_700_000_000 + n} for n in range(210)]
    api.lists["/chatkit/threads"] = threads if times else [{"id": thread["id"]} for thread in threads]
    source = load("chatkit")(api)
    assert isinstance(source, Listable)
    events = asyncio.run(gathered(source.threads()))

    assert ids(events, "threads") == [thread["id"] for thread in reversed(threads)]
    assert gaps(events) == []
    assert own(events, "threads")[0].notes  # from then on the place is doubted
    assert notes(events) == {"descending" if times else "order_ignored"}


def test_objects_of_a_list_may_name_threads_of_their_own() -> None:
    told = [{"id": "cthr_1", "thread_id": "cthr_0"}, {"id": "cthr_2"}]

    assert ids(listed("chatkit", ok({"data": told, "has_more": False})), "threads") == ["cthr_1", "cthr_2"]


@pytest.mark.parametrize("body", [b"<html>", b'{"data":7}', b"[]"])
def test_a_list_that_is_none_is_a_gap_that_names_the_source(body: bytes) -> None:
    events = listed("chatkit", *[Answer(200, {}, body)] * 3)

    assert gaps(events) == ["bad_answer"]
    assert all("chatkit: GET /chatkit/threads answered" in str(getattr(event, "detail", "")) for event in events)


def test_a_stale_place_in_the_list_begins_again() -> None:
    found: Sequence[str | None] = ids(
        listed(
            "conversations",
            error(404, "Conversation with id 'conv_old' not found."),
            ok({"data": [{"id": "conv_1"}], "has_more": False}),
            after=Position("conv_old", 5, more=False),
        ),
        "threads",
    )

    assert found == ["conv_1"]


def test_an_error_of_one_thread_still_names_it() -> None:
    told = refusal(
        error(418, "tea"), ThreadRef("chatkit", ENDPOINT, "cthr_1"), "/chatkit/threads/cthr_1", identified=False
    )
    all_of_them = refusal(error(418, "tea"), ThreadRef("chatkit", ENDPOINT, ""), "/chatkit/threads", identified=False)

    assert isinstance(told, BadAnswer)
    assert "chatkit/cthr_1: GET" in str(told)
    assert "`exporter doctor cthr_1`" in str(told)
    assert str(all_of_them) == "chatkit: GET /chatkit/threads answered HTTP 418: tea; see `exporter doctor`"
