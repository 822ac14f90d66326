"""What the catalog tells of the coming nights, of what is at risk, and of how long servers keep what they hold."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.archive import Archive
from exporter.archive.catalog import NEVER, stamp
from exporter.check import check
from exporter.crawl import Options, backup
from exporter.crawl._timetable import Timetable
from exporter.model import Outcome, Profile, Registration, Secret, ThreadRef, now
from exporter.outlook import (
    Budget,
    Learned,
    Night,
    Speed,
    TooLate,
    at_risk,
    count_at_risk,
    learned,
    longest_unvisited,
    nights,
    observed,
    quarantined,
    tonight,
    why,
)
from exporter.rebuild import rebuild
from exporter.registry import register
from exporter.retention import DAY, POLICIES, QUARANTINE, Policies
from tests.conftest import Bench

NOW = datetime(2026, 11, 21, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ref(name: str) -> ThreadRef:
    return ThreadRef("responses", "http://server", name)


def made(path: Path, **threads: dict[str, Any]) -> Archive:
    """An archive with these threads, and what is worked out about them."""
    Archive.create(path)
    archive = Archive.write(path)
    register(archive, [Registration(ref(name)) for name in threads])
    archive.catalog.note_hints({ref(name): said for name, said in threads.items() if said})
    return archive


def names(found: Any) -> list[str]:
    return [known.thread.id for known in found]


def test_a_deadline_is_a_risk_only_where_the_visit_before_it_did_not_come(tmp_path: Path) -> None:
    soon, past = stamp(NOW + 3 * DAY), stamp(NOW - 2 * DAY)
    threads: dict[str, dict[str, Any]] = {
        "new": {"deadline_at": soon},
        "late": {"deadline_at": stamp(NOW + 2 * DAY), "due_at": past, "visited_at": past},
        "failing": {"deadline_at": stamp(NOW + 4 * DAY), "due_at": stamp(NOW + DAY), "failures": 2},
        "passed": {"deadline_at": stamp(NOW - DAY), "due_at": past},
        "tonight": {"deadline_at": soon, "due_at": stamp(NOW - HOUR), "visited_at": past},
        "well": {"deadline_at": soon, "due_at": stamp(NOW + DAY), "visited_at": past},
        "last_call": {"deadline_at": stamp(NOW + 20 * HOUR), "due_at": stamp(NOW + HOUR), "visited_at": past},
        "far": {"deadline_at": stamp(NOW + 30 * DAY), "due_at": past},
        "final": {"due_at": NEVER},
    }
    with made(tmp_path / "a", **threads) as archive:
        found = list(at_risk(archive.catalog, NOW, 7))
        told = {known.thread.id: why(known, Policies(), NOW) for known in found}

        assert names(found) == ["passed", "last_call", "late", "new", "failing"]
        assert [count_at_risk(archive.catalog, NOW, days) for days in (0, 1, 7, 60)] == [1, 2, 5, 6]
    assert told["new"] == f"it was never visited; {POLICIES['responses'].why}"
    assert told["passed"].startswith("what was not fetched may be lost already; ")
    assert told["late"].startswith("it was last visited on 2026-11-19; ")
    assert told["failing"].startswith("its visits fail: ")


def test_who_cannot_make_it_is_reckoned_in_the_order_of_the_deadlines(tmp_path: Path) -> None:
    threads = {f"t{number}": {"deadline_at": stamp(NOW + (1.5 + number // 4) * DAY)} for number in range(12)}
    with made(tmp_path / "a", **threads) as archive:

        def late(days: float = 7, ahead: int = 0, **budget: Any) -> list[str]:
            able = Budget(**budget).capacity(Speed(each=2, rate=1), ahead)
            found = TooLate(archive.catalog, NOW, days, able)
            assert found.count() == len(names(found))
            return names(found)

        # four deadlines a day from tomorrow on; two nights before the first four, then one more for each four
        assert late() == []
        assert late(max_requests=8) == []
        assert late(max_requests=4) == [f"t{number}" for number in range(6, 12)]
        assert late(max_requests=4, days=1) == []
        assert late(max_requests=4, ahead=3) == [f"t{number}" for number in range(1, 12)]
        assert len(late(max_duration=4)) == len(late(max_requests=4)) == 6
        assert len(late(rate=1e-4)) == 0
        assert len(late(rate=1e-5)) == 12


def test_a_deadline_that_has_passed_cannot_be_kept(tmp_path: Path) -> None:
    with made(tmp_path / "a", old={"deadline_at": stamp(NOW - HOUR)}) as archive:
        assert names(TooLate(archive.catalog, NOW, 7, Budget().capacity(Speed()))) == ["old"]


def test_nights_count_what_falls_due_and_which_deadlines_end(tmp_path: Path) -> None:
    threads: dict[str, dict[str, Any]] = {
        "new": {},
        "overdue": {"due_at": stamp(NOW - 9 * DAY), "deadline_at": stamp(NOW - DAY)},
        "first": {"due_at": stamp(NOW + 23 * HOUR), "deadline_at": stamp(NOW + 2.5 * DAY)},
        "second": {"due_at": stamp(NOW + 25 * HOUR)},
        "beyond": {"due_at": stamp(NOW + 3 * DAY + HOUR), "deadline_at": stamp(NOW + 40 * DAY)},
        "never": {"due_at": NEVER},
    }
    with made(tmp_path / "a", **threads) as archive:
        found = nights(archive.catalog, NOW, 3)

    assert found == [Night(NOW, 3, 1), Night(NOW + DAY, 1, 0), Night(NOW + 2 * DAY, 0, 1)]


def test_what_a_visit_costs_and_how_fast_they_are_is_learned_from_the_last_runs(tmp_path: Path) -> None:
    with made(tmp_path / "a", new={}, old={"due_at": stamp(NOW - DAY), "visited_at": stamp(NOW)}) as archive:
        guess, chosen = observed(archive), tonight(archive.catalog, NOW)
        for requests, visited, minutes in ((300, 100, 1), (110, 100, 1), (100, 100, 0), (0, 0, 5)):
            began = {"started_at": stamp(NOW), "finished_at": stamp(NOW + timedelta(minutes=minutes))}
            archive.seal({"command": "backup", "requests": requests, "visited": visited, **began})
        archive.seal({"command": "another", "requests": 9000, "visited": 1})
        speed = observed(archive)

    assert (guess.runs, guess.requests(chosen), chosen.visits) == (0, 4, 2)
    assert speed == Speed(each=1.1, rate=510 / 120, runs=3)
    assert speed.requests(chosen, 2) == 11


def quiet(bench: Bench, thread: str, days: int) -> str:
    """Make a thread in which nothing happened for these days."""
    at = int((now() - days * DAY).timestamp())
    bench.state.add_thread({"id": thread, "created_at": at})
    bench.state.add_message(thread, {"content": "x", "created_at": at})
    return thread


def lives(bench: Bench) -> list[Learned]:
    with Archive.open(bench.path) as archive:
        return learned(archive.catalog)


def test_how_long_threads_are_kept_is_learned_from_those_that_vanish_and_survives_a_rebuild(bench: Bench) -> None:
    threads = [quiet(bench, f"thread_{number}", days=10 + 10 * number) for number in range(4)]
    bench.backup(*threads)
    assert lives(bench) == []
    for thread in threads[:3]:
        bench.state.delete_thread(thread)
    assert bench.backup().gone == 3

    (found,) = lives(bench)
    assert (found.source, found.endpoint, found.count) == ("assistants", bench.ref("x").endpoint, 3)
    assert [round(day) for day in (found.gone.p10, found.gone.median, found.gone.p90)] == [10, 20, 30]
    assert found.alive is not None
    assert [round(day) for day in (found.alive.p10, found.alive.median, found.alive.p90)] == [10, 20, 30]
    assert [one for one in check(bench.path, rebuild=True) if one.severity == "damage"] == []
    rebuild(bench.path)
    assert lives(bench) == [found]


def test_a_catalog_that_lost_its_hints_learns_from_the_archived_messages(bench: Bench) -> None:
    bench.backup(quiet(bench, "thread_0", days=40), quiet(bench, "thread_1", days=9))
    with Archive.write(bench.path) as archive:
        archive.catalog.note_hints({bench.ref("thread_0"): {"active_at": None}})
    bench.state.delete_thread("thread_0")
    bench.backup()

    assert [(one.count, round(one.gone.median)) for one in lives(bench)] == [(1, 40)]


def test_the_first_disappearance_counts_and_a_thread_that_came_back_does_not(bench: Bench) -> None:
    for number in range(2):
        bench.state.add_message(bench.state.add_thread(f"thread_{number}"), {"content": "x"})
    bench.backup("thread_0", "thread_1")
    bench.state.delete_thread("thread_0")
    bench.backup()
    first = lives(bench)
    bench.backup(full=True)
    assert lives(bench) == first != []

    bench.state.add_message(bench.state.add_thread("thread_0"), {"content": "back"})
    bench.backup(full=True)
    assert lives(bench) == []


def test_failures_count_once_a_night_and_after_a_week_of_them_a_thread_is_quarantined(tmp_path: Path) -> None:
    with made(tmp_path / "a", bad={}, good={}) as archive:
        catalog = archive.catalog
        timetable, failed = Timetable(catalog, Policies()), Outcome(ref("bad"), 0, "failed", "no", "bad_answer")

        def night(at: datetime, outcome: Outcome = failed) -> tuple[int, float]:
            known = catalog.find(outcome.thread)
            assert known is not None
            timetable.visited(known, None, outcome, at)
            timetable.flush()
            after = catalog.find(outcome.thread)
            assert after is not None
            return after.failures, max(0, (datetime.fromisoformat(after.due_at or stamp(at)) - at) / DAY)

        assert night(NOW) == (1, 0)
        assert night(NOW + HOUR) == (1, 0), "whoever mends a key runs again and again"
        assert night(NOW, Outcome(ref("good"), 0, "failed", "no", "no_profile"))[0] == 0, "nobody asked for it"
        assert [night(NOW + days * DAY) for days in (1, 3)] == [(2, 2), (3, 4)]
        assert list(quarantined(catalog)) == []
        assert night(NOW + 7 * DAY) == (QUARANTINE, 8)
        assert night(NOW + 15 * DAY) == (QUARANTINE + 1, 8)
        assert names(quarantined(catalog)) == ["bad"]
        assert night(NOW + 16 * DAY, Outcome(ref("bad"), 0, "complete"))[0] == 0
        assert list(quarantined(catalog)) == []


def test_whom_nobody_visited_for_longest_is_named(tmp_path: Path) -> None:
    threads: dict[str, dict[str, Any]] = {
        "final": {"visited_at": stamp(NOW - 90 * DAY), "due_at": NEVER},
        "old": {"visited_at": stamp(NOW - 20 * DAY), "due_at": stamp(NOW)},
        "young": {"visited_at": stamp(NOW), "due_at": stamp(NOW)},
        "new": {},
    }
    with made(tmp_path / "a", **threads) as archive:
        oldest = longest_unvisited(archive.catalog)

    assert oldest is not None
    assert oldest.thread == ref("old")


def test_a_rerun_after_the_key_was_mended_visits_what_failed_at_once(bench: Bench) -> None:
    bench.state.add_message(bench.state.add_thread("thread_1"), {"content": "x"})
    bench.state.add_message(bench.state.add_thread("thread_2", project="proj_two"), {"content": "x"})
    profiles = {"default": Profile(base_url=bench.url, key=Secret(bench.key))}
    first = bench.backup("thread_1", "thread_2", everything=False)
    profiles["default"] = Profile(base_url=bench.url, key=Secret("sk-sandbox-two"))
    with Archive.write(bench.path) as archive:
        again = backup(archive, profiles, Options())

    assert (first.complete, first.failed) == (1, 1)
    assert (again.complete, again.failed, again.visited) == (2, 0, 1)


@pytest.mark.parametrize("source", sorted(POLICIES))
def test_the_guide_tells_each_policy(source: str) -> None:
    guide = (Path(__file__).parents[1] / "docs" / "guide.md").read_text("utf-8")
    known = POLICIES[source]
    since = {"activity": "its last activity", "created": "it was created"}.get(known.anchor)
    kept = f"{known.ttl.days} days after {since}" if known.ttl else "until it is deleted"
    ends = f"{known.ends:%Y-%m-%d}" if known.ends else ""
    often = "once" if known.final else "again and again"

    assert f"| `{source}` | {kept} | {ends} | {often} | {known.confidence}: {known.why} |\n" in guide
