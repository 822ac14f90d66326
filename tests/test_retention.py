"""When a visit is due: laws over any history, and nights simulated with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import ThreadRef
from exporter.retention import DAY, EPOCH, RHYTHM, Policy, Rhythm, Schedule, Standing, deadline, night, policy, schedule
from tests.nights import POLICIES, ours, simulate

NOW = datetime(2026, 11, 21, tzinfo=UTC)
REF = ThreadRef("assistants", "http://server", "thread_1")
times = st.datetimes(datetime(2023, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - made aware
days = st.floats(0.2, 400).map(lambda number: timedelta(days=number))
inactivity = st.builds(lambda ttl: Policy("x", ttl=ttl, anchor="activity"), days)


@given(times, times, inactivity)
def test_a_visited_thread_is_due_before_what_is_written_after_the_visit_can_be_lost(
    visited: datetime, active: datetime, known: Policy
) -> None:
    assert known.ttl is not None
    got = schedule(Standing(REF, visited, active_at=active), known)

    assert got.due is not None
    assert got.deadline == visited + known.ttl
    assert visited < got.due < got.deadline
    assert got.due <= got.deadline - min(RHYTHM.margin, known.ttl / 2)


@given(times, times, times)
def test_an_end_of_the_api_is_met_with_ever_more_visits(visited: datetime, active: datetime, ends: datetime) -> None:
    known = Policy("x", ends=ends)
    got = schedule(Standing(REF, visited, active_at=active), known)

    assert got.due is not None
    if ends - visited > 2 * DAY:
        assert (got.due <= visited + (ends - visited) / 2, got.deadline) == (True, ends)
    if visited >= ends:
        assert got.deadline is None


@given(times, st.integers(1, 40), inactivity)
def test_a_failed_visit_is_tried_again_ever_later_but_before_the_deadline(
    failed: datetime, failures: int, known: Policy
) -> None:
    before = failed - 2 * DAY
    got = schedule(Standing(REF, before, failed_at=failed, failures=failures), known)
    last = deadline(Standing(REF, before), known)

    assert got.due is not None
    assert last is not None
    if failures == 1:
        assert got.due == failed, "whoever mends a key and runs again need not wait"
        return
    assert failed + DAY <= got.due <= failed + min(2 ** (failures - 1), 8) * DAY
    assert got.due <= max(last - RHYTHM.margin, failed + DAY)


def test_what_was_never_visited_is_due_since_ever_and_what_cannot_change_is_due_never() -> None:
    once = Policy("x", ttl=30 * DAY, anchor="created", final=True)

    assert schedule(Standing(REF), once).due == EPOCH
    assert schedule(Standing(REF, created_at=NOW), once).deadline == NOW + 30 * DAY
    assert schedule(Standing(REF, NOW, created_at=NOW), once) == Schedule(None, None, RHYTHM.most)


def test_a_thread_grows_cold_slowly_and_is_left_alone_no_longer_than_a_month() -> None:
    kept = Policy("x")
    waits = [
        schedule(Standing(REF, NOW, active_at=NOW - quiet * DAY), kept).interval / DAY for quiet in (0, 2, 12, 60, 900)
    ]

    assert waits == [1, 1, 3, 15, 30]
    assert schedule(Standing(REF, NOW, active_at=NOW), kept, Rhythm(least=DAY / 2)).interval == DAY / 2


def test_visits_of_threads_that_came_together_are_spread() -> None:
    kept = Policy("x")
    many = [
        schedule(Standing(ThreadRef("x", "y", f"t{n}"), NOW, active_at=NOW - 40 * DAY), kept).due for n in range(300)
    ]
    nights = {(due - NOW) // DAY for due in many if due}

    assert nights == {7, 8, 9} | nights
    assert len({*many}) == 300


@pytest.mark.parametrize(
    ("source", "endpoint", "ends", "days"),
    [
        ("responses", "https://api.openai.com/v1", None, 30),
        ("completions", "https://api.openai.com/v1", None, 30),
        ("assistants", "http://127.0.0.1:8000/v1", None, 60),
        ("chatkit", "https://api.openai.com/v1", datetime(2026, 11, 30, tzinfo=UTC), None),
        ("assistants", "https://x.services.ai.azure.com/api/projects/p", datetime(2027, 3, 31, tzinfo=UTC), None),
        ("responses", "https://x.services.ai.azure.com/api/projects/p/openai/v1", None, None),
        ("conversations", "https://api.openai.com/v1", None, None),
        ("another", "https://another.example", None, None),
    ],
)
def test_what_is_known_of_each_source(source: str, endpoint: str, ends: datetime | None, days: int | None) -> None:
    known = policy(source, endpoint)

    assert (known.ends, known.ttl and known.ttl.days) == (ends, days)
    assert known.why


def test_nights_lose_nothing_and_none_is_crowded() -> None:
    got = {name: simulate(choose) for name, choose in POLICIES.items()}
    mine = got["exporter"]

    assert (mine.lost, got["visit all"].lost) == (0, 0)
    assert got["back-off without a cap"].lost > 0
    assert mine.worst <= 1.5
    assert mine.mean < got["visit all"].mean / 8
    assert mine.fresh / mine.changed > 4 * got["deadline only"].fresh / got["deadline only"].changed


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_lost_in_other_nights_either(seed: int) -> None:
    got = simulate(ours, threads=1500, nights=200, share=0.005 * (seed + 1), seed=100 + seed)

    assert got.lost == 0
    assert min(got.visits) > 0


def test_a_night_without_a_budget_is_a_quarter_larger_than_the_usual_one() -> None:
    assert [night(0), night(4), night(1000.2)] == [0, 5, 1251]
