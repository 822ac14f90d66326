"""Long lists of every source against every lie of the sandbox, over real HTTP, where both ends may be walked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from exporter.sandbox.switches import LIES
from exporter.sources import load, names
from exporter.sources._both_ends import AFTER
from tests.sources.lines import Events, Line, bodies, gaps, notes, positions, seqs
from tests.sources.places import Place

COUNT = 2 * AFTER + 125


@dataclass(frozen=True)
class Long:
    """A sandbox with one long thread of one source."""

    line: Line
    place: Place
    thread: str

    @property
    def list(self) -> str:
        """The end of the URLs of the first list."""
        return f"/{self.thread}{self.place.tail}"

    def visit(self) -> Events:
        return self.line.visit(self.thread, source=self.place.source, runs=False)

    def asked(self, start: int, order: str) -> int:
        """Pages of its first list that were asked for in this order since then."""
        since = [dict(r.params) for r in self.line.state.requests[start:] if r.path.endswith(self.list)]
        return sum(query.get("order") == order and query["limit"] not in ("1", "3") for query in since)


@pytest.fixture(params=names())
def long(request: pytest.FixtureRequest, line: Line, monkeypatch: pytest.MonkeyPatch) -> Iterator[Long]:
    place = Place(request.param)
    monkeypatch.setattr(load(place.source), "sleep", at_once)
    thread = f"{place.prefix}bothends1"
    if thread not in line.state.shelves[place.shelf].holders:
        place.add_thread(line.state, thread)
        place.add(line.state, thread, COUNT)
    line.switch()
    yield Long(line, place, thread)
    line.switch()


async def at_once(_: float) -> None:
    """Wait for nothing."""


@pytest.mark.parametrize("lie", sorted(LIES))
def test_exact_or_loudly_named(long: Long, lie: str) -> None:
    answers, start = long.place.answers, len(long.line.state.requests)
    only = "" if lie == "retrieve_404_first" else long.list
    long.line.switch(lies=[lie], lies_only=only, max_limit=30)
    events = long.visit()
    forth, back = long.asked(start, "asc"), long.asked(start, "desc")

    assert gaps(events) == long.place.loud(lie)
    assert len(set(bodies(events))) == len(bodies(events))
    if not gaps(events):
        assert [json.loads(body)["n"] for body in bodies(events)] == list(range(COUNT))
        assert seqs(events, "messages", answers) == list(range(COUNT + (2 if answers else 0)))
    assert back <= forth


def test_an_honest_list_is_walked_from_both_ends(long: Long) -> None:
    start = len(long.line.state.requests)
    events = long.visit()
    forth, back = long.asked(start, "asc"), long.asked(start, "desc")

    assert (gaps(events), notes(events)) == ([], set())
    assert [json.loads(body)["n"] for body in bodies(events)] == list(range(COUNT))
    assert back >= 2
    assert forth + back <= -(-COUNT // 100) + 4

    start = len(long.line.state.requests)
    again = long.line.visit(long.thread, positions(events), source=long.place.source, runs=False)
    assert bodies(again) == []
    assert long.asked(start, "desc") == 0
