"""Every source against every lie of the sandbox, over real HTTP: exact, or a gap says so."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import pytest

from exporter.errors import CannotList, NotFound
from exporter.model import Page, Position
from exporter.sandbox import State
from exporter.sandbox.switches import LIES
from exporter.sources import Container, load, names
from tests.sources.lines import Events, Line, bodies, gaps, positions, seqs
from tests.sources.places import Place

COUNT = 125
PINNED = {
    "assistants": {
        "empty_page_has_more": ["empty_page_has_more"],
        "has_more_forever": ["cursor_repeated"],
        "ignores_parameters": ["cursor_repeated"],
        "inclusive_cursor_forever": ["cursor_repeated"],
        "null_ids_and_cursor": ["no_cursor"],
    },
    "conversations": {
        "cursor_by_second": ["cursor_by_second"],
        "descending": ["order_ignored"],
        "empty_page_has_more": ["empty_page_has_more"],
        "has_more_forever": ["cursor_repeated"],
        "ignores_parameters": ["order_ignored", "cursor_repeated"],
        "inclusive_cursor_forever": ["cursor_repeated"],
        "null_ids_and_cursor": ["no_cursor"],
    },
}
"The lies that end in a gap; every other one is survived exactly, so that naming gaps everywhere does not pass."


@dataclass(frozen=True)
class Bench:
    """A source, and a sandbox that has one thread of it with `COUNT` objects."""

    line: Line
    place: Place
    thread: str

    @property
    def state(self) -> State:
        return self.line.state

    @property
    def list(self) -> str:
        """The end of the URLs of the first list."""
        return f"/{self.thread}{self.place.tail}"

    def switch(self, **switches: object) -> None:
        self.line.switch(**switches)

    def visit(
        self,
        after: Mapping[str, Position] | None = None,
        *,
        container: Container | None = None,
        thread: str | None = None,
    ) -> Events:
        place = self.place.source
        return self.line.visit(thread or self.thread, after, source=place, container=container, runs=False)

    def threads(self, after: Position | None = None) -> Events:
        return self.line.threads(self.place.source, after)


@pytest.fixture(params=names())
def bench(request: pytest.FixtureRequest, line: Line, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    place = Place(request.param)
    monkeypatch.setattr(load(place.source), "sleep", at_once)
    thread = f"{place.prefix}conformance1"
    if thread not in line.state.shelves[place.shelf].holders:
        place.add_thread(line.state, thread)
        place.add(line.state, thread, COUNT)
    line.switch()
    line.state.denied.clear()
    yield Bench(line, place, thread)
    line.switch()


async def at_once(_: float) -> None:
    """Wait for nothing."""


def counted(events: Events) -> list[object]:
    """What no lie bends: the number in each object."""
    return [json.loads(body)["n"] for body in bodies(events)]


@pytest.mark.parametrize("lie", sorted(LIES))
def test_exact_or_loudly_named(bench: Bench, lie: str) -> None:
    answers = bench.place.answers
    only = "" if lie == "retrieve_404_first" else bench.list
    bench.switch(lies=[lie], lies_only=only, max_limit=30)
    events = bench.visit()

    assert gaps(events) == bench.place.loud(lie)
    assert len(set(bodies(events))) == len(bodies(events))
    if not gaps(events):
        assert counted(events) == list(range(COUNT))
        assert seqs(events, "messages", answers) == list(range(COUNT + (2 if answers else 0)))
        assert len(set(bodies(events))) == COUNT
    if answers:
        assert len(bodies(events, answers)) == (0 if gaps(events) else 2)


@pytest.mark.parametrize("source", PINNED)
def test_what_ends_in_a_gap_is_pinned(source: str) -> None:
    assert {lie: Place(source).loud(lie) for lie in LIES if Place(source).loud(lie)} == PINNED[source]


def test_an_honest_server_is_asked_no_more_than_needed(bench: Bench) -> None:
    requests = bench.state.requests
    start = len(requests)
    events = bench.visit()
    limits = [dict(r.params)["limit"] for r in requests[start:] if r.path.endswith(bench.list)]
    lists, start = len(positions(events)) - 1 - bool(bench.place.answers), len(requests)
    again = bench.visit(positions(events))

    assert limits.count("100") == 2
    assert len(limits) <= (3 if bench.place.timed else 4)  # each trait of a server is looked for once
    assert [event.list for event in again if isinstance(event, Page)] == ["thread"]
    assert len(requests) - start == (1 if bench.place.answers else 1 + lists)


@pytest.mark.parametrize(
    "fault",
    ["error_500", "error_503", "reset", "truncated", "cut_json", "html", "html_502", "empty_body", "malformed_json"],
)
def test_a_fault_that_passes_is_survived_and_one_that_stays_is_named(bench: Bench, fault: str) -> None:
    honest = bench.visit()
    bench.switch(fault=fault, times=1, only=bench.list)
    once = bench.visit()
    bench.switch(fault=fault, only=bench.list)
    always = bench.visit()

    assert bodies(once) == bodies(honest)
    assert gaps(always) in (["temporary"], ["bad_answer"])


def test_every_field_comes_as_the_server_has_it(bench: Bench) -> None:
    bench.switch(pretty=True)
    pretty = bench.visit()
    bench.switch()
    plain = bench.visit()

    assert bodies(pretty) == bodies(plain)
    assert bodies(pretty, "thread") == bodies(plain, "thread")
    assert bodies(pretty, bench.place.answers or "") == bodies(plain, bench.place.answers or "")


NASTY = (
    rb'"surrogate":"\ud800 \\ud800 \udfff","pair":"\ud83d\ude00","big":1208925819614629174706176,"huge":1e400,'
    rb'"money":1.10,"exponent":1E5,"twice":1,"twice":2,"html":"<script>&amp;</script>","zero":-0.0,"empty":"","":null,'
    rb'"deep":' + b"[" * 300 + b"]" * 300 + rb',"unknown":{"\u0000":"\"]}"}'
)


def test_nasty_data_comes_byte_for_byte(bench: Bench) -> None:
    place, state = bench.place, bench.state
    name = f"{place.prefix}nasty1"
    sent = [b'{"id":%s,"type":"odd",%s,"n":%d}' % (i, NASTY, n) for n, i in enumerate((b'"nasty_a"', b"null", b"null"))]
    sent += [b'{"id":"nasty_b","n":3}']
    thread = b'{"id":"%s","created_at":1,"created":1,%s}' % (name.encode(), NASTY)
    if place.answers:
        told = b",".join([b'{"message":{"x":%d,%s},"y":1}' % (n, NASTY) for n in range(2)])
        thread = thread[:-1] + b',"%s":[%s]}' % (place.answers.encode(), told)
    state.put(place.shelf, thread)
    for body in sent:
        place.add_one(state, name, body)
    bench.switch(listable=True)
    events = bench.visit(thread=name)

    assert thread in bodies(bench.threads(), "threads")
    assert bodies(events, "thread") == [thread]
    assert bodies(events) == sent
    assert gaps(events) == []
    if place.answers:
        found = bodies(events, place.answers)
        assert len(found) == 2
        assert all(body in thread and NASTY in body for body in found)
        assert seqs(events, place.answers) == [4, 5]


def test_a_thread_that_a_list_brought_is_not_asked_for_again(bench: Bench) -> None:
    place, state = bench.place, bench.state
    for name, count in ((f"{place.prefix}brought1", 3), (f"{place.prefix}empty1", 0)):
        place.add_thread(state, name)
        place.add(state, name, count)
        start = len(state.requests)
        stored = partial(state.body, place.shelf, name)
        events = bench.visit({"thread": Position(None, 1, more=False)}, container=stored, thread=name)
        asked = [r.path.removeprefix("/v1") for r in state.requests[start:] if dict(r.params).get("limit") != "1"]

        assert (f"{place.path}/{name}" in asked) is (count == 0)
        assert asked.count(f"{place.path}/{name}{place.tail}") == 1
        assert (counted(events), gaps(events)) == (list(range(count)), [])
        assert seqs(events, "messages", place.answers) == list(range(count + (2 if place.answers else 0)))


def test_a_thread_that_a_list_brought_and_that_is_gone_is_not_taken_for_empty(bench: Bench) -> None:
    name = f"{bench.place.prefix}never1"
    for lie in ("", "unknown_thread_empty"):
        bench.switch(lies=lie)
        with pytest.raises(NotFound, match=name):
            bench.visit(container=lambda: b'{"id":"%s","status":"completed"}' % name.encode(), thread=name)


# the list of threads


@pytest.fixture
def many(bench: Bench) -> Bench:
    """The same with 125 threads and more."""
    place, state = bench.place, bench.state
    for n in range(COUNT):
        name = f"{place.prefix}listed{n:05d}"
        if name not in state.shelves[place.shelf].holders:
            place.add_thread(state, name, **{place.stamp: 1_760_000_000 + n // 3})
    return bench


@pytest.mark.parametrize(
    "lie", sorted(LIES.keys() - {"position_ids", "duplicate_ids", "changing_ids"})
)  # ids of threads name them
def test_all_threads_are_listed_or_a_gap_says_so(many: Bench, lie: str) -> None:
    shelf = many.state.shelves[many.place.shelf].series
    ids = [entry.id for entry in shelf]
    many.switch(listable=True, lies=[lie], max_limit=30)
    events = many.threads()
    found = [json.loads(body).get("id") for body in bodies(events, "threads")]

    assert gaps(events) == many.place.loud_about_threads(lie)
    if not gaps(events):
        assert len(found) == len(ids)
        assert found == ids or lie == "null_ids"
        assert seqs(events, "threads") == list(range(len(ids)))
    assert {(e.kind, e.thread.id) for e in events if isinstance(e, Page)} <= {("thread", "")}


def test_a_list_of_threads_goes_on_where_it_ended(many: Bench) -> None:
    many.switch(listable=True)
    position = positions(many.threads())["threads"]
    start = len(many.state.requests)

    assert many.threads(position) == []
    assert len(many.state.requests) - start == 1


def test_who_may_not_list_is_told_where_ids_come_from(bench: Bench) -> None:
    bench.switch(listable=False)
    try:
        assert bodies(bench.threads(), "threads")
    except CannotList as error:
        text = str(error)
        assert text.startswith(f"{bench.place.source}: GET {bench.place.path} answered HTTP 4")
        assert "session key" in text
        assert text.endswith(load(bench.place.source).ids_from)


def test_a_server_without_a_list_is_no_failure_of_its_threads(bench: Bench) -> None:
    bench.switch(fault="api_removed", only=bench.place.path, times=1)
    with pytest.raises(CannotList, match=f"^{bench.place.source}: GET {bench.place.path} answered HTTP 404"):
        bench.threads()
    assert bench.visit()
