"""Every source against every lie of the sandbox, over real HTTP: exact, or a gap says so."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

import pytest
import stamina

from exporter.model import Gap, Page, Position, Profile, Secret, ThreadRef
from exporter.pacing import Pace
from exporter.sandbox.server import Running, running
from exporter.sandbox.state import State
from exporter.sandbox.switches import LIES, Switches
from exporter.sources import load, names
from exporter.transport import SdkTransport

COUNT = 125
SHELVES = {"assistants": ("threads", "messages", "message"), "conversations": ("conversations", "items", "item")}
LOUD = {
    "cursor_by_second": {"conversations": ["cursor_by_second"]},
    "descending": {"conversations": ["order_ignored"]},
    "empty_page_has_more": {name: ["empty_page_has_more"] for name in names()},
    "has_more_forever": {name: ["cursor_repeated"] for name in names()},
    "ignores_parameters": {"assistants": ["cursor_repeated"], "conversations": ["order_ignored", "cursor_repeated"]},
    "inclusive_cursor_forever": {name: ["cursor_repeated"] for name in names()},
    "null_ids_and_cursor": {name: ["no_cursor"] for name in names()},
}
"The lies that end in a gap; every other one is survived exactly, so that naming gaps everywhere does not pass."
Events = list[Page | Gap]


class Place(NamedTuple):
    sandbox: Running
    source: str
    thread: str
    path: str


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Running]:
    state = State.seed(threads=1, messages=COUNT, conversations=1, items=COUNT)
    with stamina.set_testing(True, attempts=3), running(state) as found:
        yield found


@pytest.fixture(params=names())
def place(request: pytest.FixtureRequest, sandbox: Running) -> Iterator[Place]:
    shelf, path, _ = SHELVES[request.param]
    sandbox.state.switches = Switches()
    yield Place(sandbox, request.param, next(iter(sandbox.state.shelves[shelf].holders)), path)
    sandbox.state.switches = Switches()


def visit(place: Place, after: Mapping[str, Position] | None = None, *, runs: bool = False) -> Events:
    async def story() -> Events:
        profile = Profile(base_url=place.sandbox.url, key=Secret("sk-sandbox-one"))
        async with SdkTransport(profile, Pace(4)) as transport:
            source = load(place.source)(transport, runs)
            thread = ThreadRef(place.source, transport.endpoint, place.thread)
            return [event async for event in source.pages(thread, after or {})]

    return asyncio.run(story())


def bodies(events: Events) -> list[bytes]:
    return [one.body for e in events if isinstance(e, Page) and e.list == "messages" for one in e.items]


def texts(events: Events) -> list[object]:
    """What no lie bends: the order of the objects' own words."""
    found: list[object] = []
    for body in bodies(events):
        told = json.loads(body)
        found.append([told.get("type"), told.get("role"), told.get("run_id"), told.get("call_id")])
    return found


def seqs(events: Events) -> list[int]:
    own = [e for e in events if isinstance(e, Page) and e.list == "messages"]
    return sorted(page.seq + n for page in own for n in range(len(page.items)))


@pytest.mark.parametrize("lie", sorted(LIES))
def test_exact_or_loudly_named(place: Place, lie: str) -> None:
    truth = visit(place)
    only = "" if lie == "retrieve_404_first" else f"/{place.path}"
    place.sandbox.state.switches = Switches(lies=frozenset({lie}), lies_only=only, max_limit=30)
    events = visit(place)
    gaps = [event.code for event in events if isinstance(event, Gap)]

    assert len(bodies(truth)) == COUNT
    assert gaps == LOUD.get(lie, {}).get(place.source, [])
    assert len(set(bodies(events))) == len(bodies(events))
    if not gaps:
        assert texts(events) == texts(truth)
        assert seqs(events) == list(range(COUNT))
        assert len(set(bodies(events))) == COUNT


def test_an_honest_server_is_asked_no_more_than_needed(place: Place) -> None:
    requests = place.sandbox.state.requests
    start = len(requests)
    events = visit(place)
    pages = [r for r in requests[start:] if r.path.endswith(place.path) and dict(r.params)["limit"] == "100"]
    probes = [r for r in requests[start:] if r.path.endswith(place.path) and dict(r.params)["limit"] == "1"]
    after = {e.list: e.position for e in events if isinstance(e, Page)}
    start = len(requests)
    again = visit(place, after)

    assert (len(pages), len(probes) <= 1) == (2, True)
    assert [e.list for e in again if isinstance(e, Page)] == ["thread"]
    assert len(requests) - start == 2


@pytest.mark.parametrize(
    "fault",
    ["error_500", "error_503", "reset", "truncated", "cut_json", "html", "html_502", "empty_body", "malformed_json"],
)
def test_a_fault_that_passes_is_survived_and_one_that_stays_is_named(place: Place, fault: str) -> None:
    honest = visit(place)
    place.sandbox.state.switches = Switches(fault=fault, times=1, only=place.path)
    once = visit(place)
    place.sandbox.state.switches = Switches(fault=fault, only=place.path)
    always = visit(place)

    assert bodies(once) == bodies(honest)
    assert [e.code for e in always if isinstance(e, Gap)] in (["temporary"], ["bad_answer"])


def test_every_field_comes_as_the_server_has_it(place: Place) -> None:
    place.sandbox.state.switches = replace(Switches(), pretty=True)
    pretty = bodies(visit(place))
    place.sandbox.state.switches = Switches()

    assert pretty == bodies(visit(place))
