"""Links: what a thread points to is registered, visited in the same run, and no surprise when it is gone."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
import tracemalloc
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from exporter.archive import Archive
from exporter.archive.catalog import Known
from exporter.check import check
from exporter.crawl import Options, Report, backup
from exporter.crawl._agenda import Agenda
from exporter.crawl._links import Links
from exporter.model import Item, Link, Page, Registration, ThreadRef, now
from exporter.registry import register
from exporter.sources import load
from tests.conftest import KEY, Bench, rows


def chain(bench: Bench, count: int, *, since: int = 1) -> list[str]:
    """Add responses that each point to the one before; returns their ids, the oldest first."""
    names = [f"resp_{number}" for number in range(since, since + count)]
    for number, name in enumerate(names, since):
        body = {
            "id": name,
            "previous_response_id": f"resp_{number - 1}" if number > 1 else None,
            "output": [said(f"msg_out_{number}", "assistant")],
        }
        bench.state.put("responses", body)
        bench.state.add("responses", name, "input_items", said(f"msg_in_{number}", "user"), kind="item")
    return names


def said(name: str, role: str) -> dict[str, Any]:
    return {"id": name, "type": "message", "role": role, "status": "completed", "content": []}


def whose(bench: Bench, table: str = "messages") -> dict[str, list[str]]:
    """The ids of the messages of each thread, as the table has them."""
    found: dict[str, list[str]] = {}
    for row in sorted(rows(bench.path, table), key=lambda row: (row["thread_id"], row["seq"])):
        found.setdefault(row["thread_id"], []).append(row["message_id"])
    return found


def asked_for(bench: Bench, *names: str) -> list[str]:
    return [r.path for r in bench.state.requests if any(name in r.path for name in names)]


def run(bench: Bench, *, only: list[ThreadRef] | None = None, **options: Any) -> Report:
    with Archive.write(bench.path) as archive:
        return backup(archive, {"default": bench.profile}, Options(**options), only=only or (), everything=only is None)


def known(bench: Bench, thread: str) -> Known:
    with Archive.open(bench.path) as archive:
        found = archive.catalog.find(bench.ref(thread))
    assert found is not None
    return found


@pytest.mark.parametrize("only", [False, True])
def test_a_chain_is_walked_back_in_one_run_and_each_response_fetched_once(bench: Bench, *, only: bool) -> None:
    names = chain(bench, 30)
    bench.register([])
    with Archive.write(bench.path) as archive:
        register(archive, [Registration(bench.ref("resp_30"), user="ann", customer="acme", title="t", tags=("x",))])

    report = run(bench, only=[bench.ref("resp_30")] if only else None)

    assert (report.exit_code, report.registered, report.complete, report.visited) == (0, 30, 30, 30)
    assert report.linked == 29
    assert whose(bench) == {name: [f"msg_in_{name[5:]}", f"msg_out_{name[5:]}"] for name in names}
    assert len([p for p in asked_for(bench, "resp_") if p.endswith("/input_items")]) < 2 * 30
    first = known(bench, "resp_1")
    assert (first.user, first.customer, first.title, first.tags) == ("ann", "acme", None, ("x",))
    assert first.via == "responses/resp_2"
    assert known(bench, "resp_30").via is None
    assert {row["user"] for row in rows(bench.path)} == {"ann"}
    assert list(check(bench.path, rebuild=True)) == []


def test_a_second_backup_brings_nothing_and_registers_nothing(bench: Bench) -> None:
    chain(bench, 5)
    bench.backup("resp_5")

    report = bench.backup()

    assert (report.exit_code, report.records, report.linked, report.visited) == (0, 0, 0, 5)


def test_a_conversation_that_a_response_belongs_to_is_visited_too(bench: Bench) -> None:
    bench.state.add_conversation("conv_a")
    bench.state.add_item("conv_a", said("msg_1", "user"))
    bench.state.put("responses", {"id": "resp_1", "conversation": {"id": "conv_a"}})

    report = bench.backup("resp_1")

    assert (report.exit_code, report.complete) == (0, 2)
    assert whose(bench) == {"conv_a": ["msg_1"]}
    assert {name: counts["visited"] for name, counts in report.sources.items()} == {"conversations": 1, "responses": 1}


def test_responses_that_point_at_each_other_and_at_themselves_end(bench: Bench) -> None:
    for name, previous in (("resp_1", "resp_2"), ("resp_2", "resp_1"), ("resp_3", "resp_3")):
        bench.state.put("responses", {"id": name, "previous_response_id": previous})

    report = bench.backup("resp_1", "resp_3")

    assert (report.exit_code, report.registered, report.visited, report.linked) == (0, 3, 3, 1)


@pytest.mark.parametrize("only", [False, True])
def test_what_is_registered_and_linked_is_visited_once_and_stays_its_owners(bench: Bench, *, only: bool) -> None:
    chain(bench, 4)
    bench.register(["resp_4", "resp_1"])
    with Archive.write(bench.path) as archive:
        register(archive, [Registration(bench.ref("resp_1"), user="ben")])

    report = run(bench, only=[bench.ref("resp_4"), bench.ref("resp_1")] if only else None)

    assert (report.exit_code, report.visited, report.linked) == (0, 4, 2)
    assert known(bench, "resp_1").user == "ben"


def test_named_threads_bring_what_they_point_to_even_if_that_is_known(bench: Bench) -> None:
    chain(bench, 3)
    bench.backup("resp_3")
    bench.state.requests.clear()

    report = run(bench, only=[bench.ref("resp_3")])

    assert (report.exit_code, report.visited, report.records, report.linked) == (0, 3, 0, 0)


def test_a_budget_ends_a_chain_and_the_next_run_goes_on(bench: Bench) -> None:
    names = chain(bench, 12)

    first = bench.backup("resp_12", max_requests=20, jobs=2)
    last = bench.backup()

    assert (first.exit_code, first.requests) == (14, 20)
    assert 0 < first.complete < 12
    assert (last.exit_code, last.complete) == (0, 12)
    assert sorted(whose(bench)) == sorted(names)


def test_killed_on_its_way_back_a_chain_is_found_whole_by_the_next_run(bench: Bench) -> None:
    names = chain(bench, 25)
    environ = {**os.environ, "OPENAI_BASE_URL": bench.url, "OPENAI_API_KEY": KEY}
    command = [sys.executable, "-m", "exporter", "backup", "-a", str(bench.path)]
    bench.state.switches = bench.state.switches.with_changes({"latency": 0.02})
    for before in (5, 30):
        with subprocess.Popen([*command, "resp_25"], env=environ, stderr=subprocess.DEVNULL) as process:
            until, deadline = len(bench.state.requests) + before, time.monotonic() + 20
            while len(bench.state.requests) < until and time.monotonic() < deadline:
                time.sleep(0.01)
            process.kill()
            process.wait(10)
    bench.state.switches = bench.state.switches.with_changes({"latency": 0.0})

    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert whose(bench) == {name: [f"msg_in_{name[5:]}", f"msg_out_{name[5:]}"] for name in names}
    assert list(check(bench.path, rebuild=True)) == []


def test_an_expired_link_is_gone_once_for_all_and_no_failure(bench: Bench) -> None:
    chain(bench, 3, since=2)  # resp_1 is gone

    first = bench.backup("resp_4")
    outcomes = {outcome.thread.id: outcome for outcome in bench.outcomes}
    bench.state.requests.clear()
    second = bench.backup()

    assert (first.exit_code, first.complete, first.gone, first.failed) == (0, 3, 1, 0)
    assert (outcomes["resp_1"].state, outcomes["resp_1"].code) == ("gone", "expired_link")
    assert "responses/resp_2 points to it" in str(outcomes["resp_1"].error)
    assert (second.exit_code, second.visited, second.gone) == (0, 3, 1)
    assert not [p for p in asked_for(bench, "resp_1/", "resp_1") if p.endswith("resp_1")]
    states = {row["thread_id"]: (row["state"], row["deleted_reason"]) for row in rows(bench.path, "threads")}
    assert states["resp_1"] == ("gone", "gone")


def test_a_registered_response_that_another_points_to_may_be_expired_too(bench: Bench) -> None:
    chain(bench, 1, since=2)

    report = bench.backup("resp_1", "resp_2")

    assert (report.exit_code, report.complete, report.gone) == (0, 1, 1)


def test_a_link_is_remembered_when_all_that_pointed_to_it_is_gone(bench: Bench) -> None:
    chain(bench, 1, since=2)
    bench.state.put("responses", {"id": "resp_other"})
    bench.backup("resp_other")
    bench.backup("resp_2", everything=False, max_requests=1, jobs=1)  # it is read no further than its object
    with Archive.write(bench.path) as archive:
        register(archive, [Registration(bench.ref("resp_1"))])
    assert known(bench, "resp_1").state == "new"
    bench.state.delete("responses", "resp_2")

    report = bench.backup()

    assert known(bench, "resp_1").via == "responses/resp_2"
    assert (report.exit_code, report.complete, report.gone) == (0, 1, 2)


def test_without_a_witness_a_link_that_is_not_found_is_no_expiry(bench: Bench) -> None:
    chain(bench, 1, since=2)
    bench.backup("resp_2", max_requests=1, jobs=1)
    bench.key = "sk-sandbox-two"  # another project's

    report = bench.backup()

    assert (report.exit_code, report.gone) == (3, 0)
    assert {error.code for error in report.errors} == {"unwitnessed"}


def test_a_full_walk_asks_for_an_expired_link_again(bench: Bench) -> None:
    chain(bench, 1, since=2)
    bench.backup("resp_2")

    again = bench.backup(full=True)
    bench.state.put("responses", {"id": "resp_1"})
    back = bench.backup(full=True)

    assert (again.exit_code, again.gone, again.complete) == (0, 1, 1)
    assert (back.exit_code, back.gone, back.complete) == (0, 0, 2)


# Links that no real source has


class Linking:
    """A source whose threads point to what a table says, and hold nothing else."""

    prefixes: tuple[str, ...] = ()
    links: dict[str, list[ThreadRef]] = {}  # noqa: RUF012 - set by each test

    def __init__(self, name: str) -> None:
        self.name = name

    async def pages(self, thread: ThreadRef, *_: object, **__: object) -> AsyncIterator[Page | Link]:
        body = b'{"id":"%s"}' % thread.id.encode()
        yield Page(thread, "thread", (Item(thread.id, body),), None, False, now(), "thread")
        for to in self.links.get(thread.id, ()):
            yield Link(thread, to)


@pytest.fixture
def linking(monkeypatch: pytest.MonkeyPatch, bench: Bench) -> Callable[..., None]:
    def given(**links: list[ThreadRef]) -> None:
        monkeypatch.setattr(Linking, "links", links)
        made = lambda name: load(name) and (lambda *_, **__: Linking(name))  # noqa: E731
        monkeypatch.setattr("exporter.crawl._sources.load", made)

    return given


def test_a_link_that_no_profile_reaches_is_a_thread_with_its_own_outcome(bench: Bench, linking: Any) -> None:
    elsewhere = replace(bench.ref("thread_b"), endpoint="https://elsewhere.example/v1")
    linking(thread_a=[elsewhere, replace(bench.ref("x1"), source="smoke_signals")])

    report = bench.backup("thread_a")

    assert (report.exit_code, report.complete, report.failed, report.registered) == (3, 1, 2, 3)
    assert {error.thread.id: error.code for error in report.errors} == {"thread_b": "no_profile", "x1": "no_source"}


@pytest.mark.parametrize("name", ["", "../../secrets", "a b", "x" * 300, "\ud800", "a/b?c"])
def test_a_link_to_no_id_is_a_gap_of_the_thread_that_has_it(bench: Bench, linking: Any, name: str) -> None:
    linking(thread_a=[bench.ref(name), bench.ref("thread_b")])

    report = bench.backup("thread_a")

    assert (report.exit_code, report.registered, report.complete, report.partial) == (3, 2, 1, 1)
    assert [(gap["list"], gap["code"]) for gap in rows(bench.path, "gaps")] == [("links", "bad_link")]


def test_forty_threads_that_all_point_to_each_other_are_visited_once_each(bench: Bench, linking: Any) -> None:
    names = [f"thread_{i}" for i in range(40)]
    everybody = [bench.ref(name) for name in names]
    linking(**dict.fromkeys(names, everybody))

    report = bench.backup("thread_0", jobs=8)

    assert (report.exit_code, report.visited, report.registered, report.linked) == (0, 40, 40, 39)
    assert len(rows(bench.path, "threads")) == 40


class NoCatalog:
    """A catalog that knows nobody."""

    @staticmethod
    def find(thread: ThreadRef) -> Known | None:  # noqa: ARG004 - a catalog's signature
        return None


def a_thread(number: int) -> ThreadRef:
    return ThreadRef("responses", "https://api.example/v1", f"resp_{number}")


def test_a_chain_of_ten_thousand_links_ends_and_waits_one_by_one() -> None:
    first = Known(a_thread(0), "default", "ann", None, None, (), None, "new", None, None, None, None, None, None)
    agenda = Agenda(iter([first]), everything=False)
    registered: list[Registration] = []
    links = Links(NoCatalog(), agenda, registered.append)  # type: ignore[arg-type]
    visited: list[ThreadRef] = []

    async def work() -> None:
        while (one := await agenda.take()) is not None:
            visited.append(one.thread)
            number = int(one.thread.id[5:])
            await asyncio.sleep(0)
            if number < 10_000:
                list(links.follow(Link(one.thread, a_thread(number + 1)), one, "default", []))
            list(links.follow(Link(one.thread, a_thread(number // 2)), one, "default", []))
            agenda.done()

    async def story() -> None:
        async with asyncio.timeout(60):
            await asyncio.gather(*(work() for _ in range(16)))

    asyncio.run(story())

    assert [thread.id for thread in visited[:3]] == ["resp_0", "resp_1", "resp_2"]
    assert len(visited) == len(set(visited)) == 10_001
    assert all(entry.user == "ann" for entry in registered)
    assert len(registered) == 10_000


def test_the_progress_counts_what_is_found_and_says_what_expired(bench: Bench) -> None:
    chain(bench, 2, since=2)
    command = [sys.executable, "-m", "exporter", "-vv", "backup", "-a", str(bench.path), "resp_3"]
    environ = {**os.environ, "OPENAI_BASE_URL": bench.url, "OPENAI_API_KEY": KEY}

    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stderr
    assert "responses/resp_2: found, responses/resp_3 points to it" in done.stderr
    assert "gone: responses/resp_1: responses/resp_2 points to it, but it expired or was deleted" in done.stderr
    assert "of 3 threads (2 of them found through others)" in done.stderr.splitlines()[-1]


def known_as(number: int, no: int) -> Known:
    thread = a_thread(number)
    return Known(thread, "default", None, None, None, (), None, "new", None, None, None, None, None, None, no=no)


async def taken(agenda: Agenda) -> list[str]:
    found = []
    while (one := await agenda.take()) is not None:
        found.append(one.thread.id)
        agenda.done()
    return found


def test_a_thread_that_was_linked_before_it_had_a_number_comes_once() -> None:
    agenda = Agenda(iter([known_as(1, no=7), known_as(2, no=8)]), everything=False)

    assert [agenda.claim(one) for one in (known_as(1, no=0), known_as(1, no=7), known_as(3, no=9))] == [
        True,
        False,
        True,
    ]
    agenda.add(known_as(1, no=0))
    assert asyncio.run(taken(agenda)) == ["resp_1", "resp_2"]
    assert not any(map(agenda.claim, (known_as(1, no=7), known_as(2, no=8), known_as(3, no=9))))


def test_a_plan_of_many_threads_is_held_in_bytes() -> None:
    count = 20_000
    agenda = Agenda((known_as(number, no=number) for number in range(1, count + 1)), everything=False)
    tracemalloc.start()
    try:
        assert len(set(asyncio.run(taken(agenda)))) == count
        assert tracemalloc.get_traced_memory()[0] < 5 * count  # 230 for each, where their names are held
    finally:
        tracemalloc.stop()


def test_workers_wait_for_who_may_still_find_something() -> None:
    threads = [a_thread(number) for number in range(3)]
    first = Known(threads[0], "default", None, None, None, (), None, "new", None, None, None, None, None, None)
    agenda = Agenda(iter([first]), everything=False)
    order: list[str] = []

    async def finder() -> None:
        one = await agenda.take()
        assert one is not None
        for thread in threads:
            await asyncio.sleep(0.01)
            known = replace(one, thread=thread)
            if agenda.claim(known):
                agenda.add(known)
        order.append("found")
        agenda.done()

    async def waiter() -> None:
        while (one := await agenda.take()) is not None:
            order.append(one.thread.id)
            agenda.done()

    async def story() -> None:
        async with asyncio.timeout(10):
            await asyncio.gather(finder(), waiter(), waiter())

    asyncio.run(story())

    assert sorted(order) == ["found", "resp_1", "resp_2"]
    assert all(a != b for a, b in pairwise(order))
