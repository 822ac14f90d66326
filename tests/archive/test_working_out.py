"""Schedules that are worked out anew for all threads are what `retention` says of each, and nothing else changes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from exporter.archive import Archive
from exporter.archive._timing import Timed, Times
from exporter.archive.catalog import ALWAYS, NEVER, Known, stamp
from exporter.crawl import work_out
from exporter.model import Registration, ThreadRef
from exporter.registry import register
from exporter.retention import DAY, Policies, Policy, Rhythm, Standing, schedule

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)
QUIET, VISITED = stamp(NOW - 40 * DAY), stamp(NOW - 2 * DAY)
THREADS: dict[tuple[str, str], dict[str, Any]] = {
    ("assistants", "new"): {},
    ("chatkit", "new_and_ends"): {},
    ("completions", "listed"): {"active_at": QUIET},
    ("assistants", "visited"): {"visited_at": VISITED, "active_at": QUIET, "asked_at": VISITED},
    ("responses", "final"): {"visited_at": VISITED, "active_at": QUIET, "asked_at": VISITED},
    ("responses", "open"): {"visited_at": VISITED, "active_at": QUIET, "asked_at": None},
    ("assistants", "failed"): {"failed_at": VISITED, "failures": 3},
    ("conversations", "visited_and_failed"): {"visited_at": QUIET, "failed_at": VISITED, "failures": 1},
}
OTHERS = Policies(
    {("default", "assistants"): Policy("mine", ttl=20 * DAY, anchor="activity", confidence="configured")},
    Rhythm(margin=3 * DAY),
)


def ref(source: str, name: str) -> ThreadRef:
    return ThreadRef(source, "http://server", name)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "archive"
    Archive.create(path)
    with Archive.write(path) as archive:
        register(archive, [Registration(ref(*thread)) for thread in THREADS])
        archive.catalog.note_hints({ref(*thread): said for thread, said in THREADS.items() if said})
    return path


def expected(known: Known, policies: Policies) -> tuple[str, str | None, float]:
    visited, active, failed = (
        datetime.fromisoformat(time) if time else None for time in (known.visited_at, known.active_at, known.failed_at)
    )
    policy = policies.of(known.profile, known.thread.source, known.thread.endpoint)
    if known.asked_at is None:
        policy = Policy(policy.why, policy.ttl, policy.anchor, policy.ends, final=False)
    made = schedule(Standing(known.thread, visited, active, active, failed, known.failures), policy, policies.rhythm)
    due = NEVER if made.due is None else stamp(made.due.replace(microsecond=0))
    new = known.visited_at is None and known.failed_at is None
    deadline = None if made.deadline is None else stamp(made.deadline)
    return ALWAYS if new else due, deadline, made.interval / DAY


@pytest.mark.parametrize("policies", [Policies(), OTHERS])
def test_each_thread_has_the_times_that_its_policy_gives(path: Path, policies: Policies) -> None:
    with Archive.write(path) as archive:
        work_out(archive, Policies(rhythm=Rhythm(margin=DAY)))
        before = list(archive.catalog.content())
        work_out(archive, policies)
        found = {known: (known.due_at, known.deadline_at, known.interval) for known in archive.catalog.known()}

        assert len(found) == len(THREADS)
        for known, times in found.items():
            assert times == expected(known, policies), known.thread
        assert {known.thread.id for known in found if known.due_at == NEVER} == {"final"}
        assert list(archive.catalog.content()) == before


def test_the_same_policies_are_worked_out_once(path: Path) -> None:
    many: list[int] = []
    for policies in (Policies(), Policies(), OTHERS):
        with Archive.write(path) as archive:
            work_out(archive, policies, many.append)

    assert many == [len(THREADS)] * 2


def test_a_crash_in_the_middle_is_made_good_by_the_next_opening(path: Path) -> None:
    def crash(timed: Timed) -> Times:
        if timed.id:
            raise KeyboardInterrupt
        return Times(0, None, 1.0)

    def indexes() -> set[str]:
        with closing(sqlite3.connect(path / "catalog.sqlite")) as db:
            return {str(name) for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}

    with Archive.write(path) as archive:
        work_out(archive, Policies())
    whole = indexes()
    with Archive.write(path) as archive, pytest.raises(KeyboardInterrupt):
        archive.catalog.work_out(crash)
    with Archive.write(path) as archive:
        work_out(archive, OTHERS)
        for known in archive.catalog.known():
            assert (known.due_at, known.deadline_at, known.interval) == expected(known, OTHERS)

    assert indexes() == whole
