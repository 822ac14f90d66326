"""A backup visits what is due, in the order in which it matters; a walk from the beginning finds what changed."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from exporter.archive import Archive
from exporter.archive.catalog import stamp
from exporter.check import check
from exporter.crawl import plan
from exporter.model import Finding, now
from exporter.retention import Rhythm
from exporter.sandbox import Clock
from exporter.sandbox.keys import Key
from tests.conftest import Bench, rows


@pytest.fixture
def threads(bench: Bench) -> list[str]:
    names = [bench.state.add_thread(f"thread_{number}") for number in range(5)]
    for name in names:
        for number in range(3):
            bench.state.add_message(name, {"content": f"{number}"})
    return names


def damage(bench: Bench) -> list[Finding]:
    return [found for found in check(bench.path, rebuild=True) if found.severity == "damage"]


def hint(bench: Bench, thread: str, **said: object) -> None:
    with Archive.write(bench.path) as archive:
        archive.catalog.note_hints({bench.ref(thread): said})


def due(bench: Bench, at: datetime | None = None) -> list[str]:
    with Archive.open(bench.path) as archive:
        return [known.thread.id for known in plan(archive, at=at)]


def test_a_second_backup_the_same_day_asks_nothing_and_the_next_days_asks_all_that_are_warm(
    bench: Bench, threads: list[str]
) -> None:
    bench.backup(*threads)
    start = len(bench.state.requests)
    report = bench.backup(everything=False)

    assert (report.visited, report.exit_code, len(bench.state.requests) - start) == (0, 0, 0)
    assert due(bench) == []
    assert sorted(due(bench, now() + timedelta(days=1))) == threads


def test_deadlines_come_first_when_the_budget_is_small(bench: Bench, threads: list[str]) -> None:
    bench.backup(*threads)
    soon, past = now() + timedelta(days=1), stamp(now() - timedelta(hours=1))
    for number, thread in enumerate(threads):
        hint(bench, thread, due_at=past, interval=1.0 + number)
    hint(bench, "thread_3", deadline_at=stamp(soon + timedelta(days=2)))
    hint(bench, "thread_4", deadline_at=stamp(soon))
    hint(bench, "thread_2", touched_at=stamp(now()))
    report = bench.backup(everything=False, max_requests=5, jobs=1)

    assert due(bench) != []
    assert report.exit_code == 14
    order = [outcome.thread.id for outcome in bench.outcomes]
    assert 2 <= len(order) < len(threads)
    assert order == ["thread_2", "thread_4", "thread_3", "thread_0"][: len(order)]


def test_a_night_without_a_budget_is_even(bench: Bench, threads: list[str]) -> None:
    bench.backup(*threads)
    for thread in threads:
        hint(bench, thread, due_at=stamp(now() - timedelta(hours=1)), interval=5.0)
    with Archive.open(bench.path) as archive:
        planned = plan(archive)
        found = [known.thread.id for known in planned]

    # five threads, each once in five days: one visit is usual, a quarter more is two
    assert (planned.count, planned.waiting, len(found)) == (2, 3, 2)


def test_a_thread_that_is_named_counts_once_whether_it_is_due_or_not(bench: Bench, threads: list[str]) -> None:
    bench.backup(*threads)
    for thread in threads[:3]:
        hint(bench, thread, due_at=stamp(now() - timedelta(hours=1)))
    named = [bench.ref(name) for name in (threads[0], threads[0], threads[4], "thread_nobody_registered")]
    with Archive.open(bench.path) as archive:
        planned = plan(archive, named)
        found = [known.thread.id for known in planned]

    assert found == [threads[0], threads[4], threads[1], threads[2]]
    assert planned.count == len(found)


def test_a_thread_that_failed_is_due_and_one_that_is_whole_is_not(bench: Bench, threads: list[str]) -> None:
    bench.backup(*threads)
    bench.state.keys.pop(bench.key)
    assert bench.backup().exit_code == 12
    with Archive.open(bench.path) as archive:
        assert {known.state for known in archive.catalog.known()} == {"complete"}


def test_a_walk_from_the_beginning_writes_what_changed_and_says_what_is_missing(
    bench: Bench, threads: list[str]
) -> None:
    bench.backup(*threads)
    first, second, third = (json.loads(body) for body in bench.state.messages("thread_1"))
    bench.state.edit_message("thread_1", second["id"], {**second, "metadata": {"edited": "yes"}})
    bench.state.delete_message("thread_1", third["id"])
    before = len(bench.lines("thread_1"))
    report = bench.backup(full=True)
    again = bench.backup(full=True)
    lines = bench.lines("thread_1")
    with Archive.open(bench.path) as archive:
        gone = [record.id for record in archive.records(bench.ref("thread_1"), "deletion")]

    assert (before, len(lines), json.loads(lines[-1])["metadata"]) == (3, 4, {"edited": "yes"})
    assert gone == [third["id"]]
    assert (report.records, again.records) == (2, 0)
    assert sorted(row["message_id"] for row in rows(bench.path) if row["thread_id"] == "thread_1") == sorted(
        one["id"] for one in (first, second, third)
    )
    assert damage(bench) == []


def test_what_was_deleted_and_is_there_again_is_written_again_once(bench: Bench, threads: list[str]) -> None:
    bench.backup(*threads)
    body = bench.state.messages("thread_0")[2]
    name = json.loads(body)["id"]
    bench.state.delete_message("thread_0", name)
    bench.backup(full=True)
    bench.state.add_message("thread_0", body)
    back = bench.backup(full=True)
    again = bench.backup(full=True)

    assert (back.records, again.records) == (1, 0)
    assert len([row for row in rows(bench.path) if row["message_id"] == name]) == 1


def test_every_thread_is_swept_in_its_time(bench: Bench, threads: list[str]) -> None:
    bench.backup(*threads)
    old = json.loads(bench.state.messages("thread_1")[0])
    bench.state.edit_message("thread_1", old["id"], {**old, "metadata": {"edited": "late"}})
    bench.backup()
    unseen = len(bench.lines("thread_1"))
    hint(bench, "thread_1", swept_at=stamp(now() - Rhythm().sweep))
    bench.backup()

    assert (unseen, len(bench.lines("thread_1"))) == (3, 4)


def test_what_came_back_after_the_clock_was_set_back_is_written_once(
    bench: Bench, threads: list[str], clock: Clock
) -> None:
    bench.backup(*threads)
    body = bench.state.messages("thread_0")[2]
    bench.state.delete_message("thread_0", json.loads(body)["id"])
    bench.backup(full=True)
    clock.advance(-86400)
    bench.state.add_message("thread_0", body)
    back = bench.backup(full=True)
    again = bench.backup(full=True)

    assert (back.records, again.records) == (1, 0)


def test_a_thread_that_is_partial_is_looked_at_again_within_a_week(bench: Bench) -> None:
    thread = bench.state.add_thread("thread_old")
    long_ago = int((now() - timedelta(days=300)).timestamp())
    for number in range(3):
        bench.state.add_message(thread, {"content": f"{number}", "created_at": long_ago + number})
    bench.state.add_message(
        thread, {"content": [{"type": "image_file", "image_file": {"file_id": "file-1"}}], "created_at": long_ago + 3}
    )
    bench.state.keys["sk-narrow"] = Key("proj_one", scopes=frozenset({"api.threads.read"}))
    report = replace(bench, key="sk-narrow").backup(thread)

    assert report.exit_code == 3
    assert due(bench, now() + timedelta(days=8)) == [thread]
