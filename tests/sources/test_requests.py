"""How many requests a project costs: its list, page by page, and then each thread's lists and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from exporter.model import Item, Page, Position
from exporter.sandbox import State
from exporter.sources import Listable, Source, names
from tests.sources.lines import Line, connected
from tests.sources.places import Place

AT_ONCE = 8


async def project(source: Source) -> tuple[int, int]:
    """List all threads, then visit each; returns how many threads and objects there are."""
    assert isinstance(source, Listable)
    listed = [(page, item) async for page in source.threads() if isinstance(page, Page) for item in page.items]
    gate, objects = asyncio.Semaphore(AT_ONCE), 0

    async def visit(page: Page, item: Item) -> None:
        nonlocal objects
        thread, after = replace(page.thread, id=str(item.id)), {"thread": Position(None, 1, more=False)}
        async with gate:
            async for event in source.pages(thread, after, lambda: item.body):
                assert isinstance(event, Page)
                objects += len(event.items)

    await visit(*listed[0])  # what is to be learned of the server is learned once
    await asyncio.gather(*(visit(page, item) for page, item in listed[1:]))
    return len(listed), objects


def fill(line: Line, place: Place, count: int) -> list[str]:
    line.switch(listable=True)
    threads = [f"{place.prefix}cost{n:05d}" for n in range(count)]
    for thread in threads:
        place.add_thread(line.state, thread)
        place.add(line.state, thread, 3)
    return threads


@pytest.fixture
def fresh() -> Iterator[Line]:
    with connected() as line:
        yield line


def counted(line: Line, source: str, count: int) -> int:
    """Fill a project, list and visit it; returns how many requests that took, without those that probe the server."""
    place = Place(source)
    fill(line, place, count)
    threads, objects = line.runner.run(project(line.source(source)))
    requests = line.state.requests
    probes = [r for r in requests if dict(r.params).get("limit") != "100"]

    assert (threads, objects) == (count, count * (5 if place.answers else 3))
    assert len(probes) <= 3
    assert {r.status for r in requests} == {200}
    return len(requests) - len(probes)


@pytest.mark.parametrize("source", ["chatkit", "completions"])
def test_a_thousand_threads_cost_a_thousand_and_ten_requests(fresh: Line, source: str) -> None:
    """And one that proves where their list ends, as its last page is full."""
    assert counted(fresh, source, 1_000) == 1_010 + 1


@pytest.mark.parametrize("source", names())
def test_every_thread_costs_one_request_for_each_of_its_lists(fresh: Line, source: str) -> None:
    assert counted(fresh, source, 199) == 2 + 199 * Place(source).lists


@pytest.mark.parametrize(
    ("source", "runs", "each"),
    [("assistants", True, 3), ("assistants", False, 1), ("agents", True, 7), ("agents", False, 4)],
)
def test_a_run_costs_one_more_and_a_subagent_two(fresh: Line, source: str, runs: bool, each: int) -> None:
    for thread in fill(fresh, Place(source), 10):
        hang_one(fresh.state, source, thread)
    fresh.runner.run(project(fresh.source(source, runs=runs)))
    limits = [dict(r.params).get("limit") for r in fresh.state.requests]

    assert limits.count("100") == 1 + 10 * each


def hang_one(state: State, source: str, thread: str) -> None:
    """Add a run with a step, or a subagent with an item."""
    if source == "assistants":
        run = state.add_run(thread, {"id": f"run_{thread}"})
        state.add_step(thread, str(run), {})
    else:
        subagent = state.add_subagent(thread, {"id": f"asub_{thread}", "status": "closed"})
        state.add_session_item(thread, {"content": []}, subagent)
