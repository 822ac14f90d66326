"""When a visit is due: laws over any history, and nights simulated with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.model import ThreadRef
from exporter.retention import (
    DAY,
    EPOCH,
    RHYTHM,
    SPREAD,
    Policies,
    Policy,
    Rhythm,
    Schedule,
    Standing,
    deadline,
    jitter,
    night,
    policy,
    schedule,
)
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


@pytest.mark.parametrize(
    ("known", "alone"),
    [
        (Policy("for ever"), 30),
        (Policy("60 days without activity", ttl=60 * DAY, anchor="activity"), 30),
        (Policy("20 days without activity: a margin before that", ttl=20 * DAY, anchor="activity"), 15),
        (Policy("8 days without activity: of a short life half", ttl=8 * DAY, anchor="activity"), 4),
        (Policy("a day without activity: more often than every night", ttl=DAY, anchor="activity"), 0.5),
        (Policy("20 days after it was made, whatever happens", ttl=20 * DAY, anchor="created"), 30),
        (Policy("the API ends in 20 days", ends=NOW + 20 * DAY), 10),
        (Policy("the API ended today", ends=NOW), 30),
        (Policy("the API ends in 20 days", ends=NOW + 20 * DAY, ttl=8 * DAY, anchor="activity"), 4),
    ],
    ids=lambda one: getattr(one, "why", None),
)
def test_how_long_a_quiet_thread_is_left_alone(known: Policy, alone: float) -> None:
    for standing in (
        Standing(REF, NOW, active_at=NOW - 900 * DAY),
        Standing(REF, NOW, created_at=NOW - 900 * DAY),
        Standing(REF, NOW, active_at=NOW - 900 * DAY, created_at=NOW),
    ):
        assert schedule(standing, known).interval == alone * DAY
    assert schedule(Standing(REF, NOW), known).interval == min(alone, 1) * DAY, "as if something had just happened"


@pytest.mark.parametrize(
    ("standing", "known", "last"),
    [
        (Standing(REF, created_at=NOW), Policy("x", ttl=9 * DAY), None),
        (Standing(REF, created_at=NOW), Policy("x", ttl=9 * DAY, anchor="created"), NOW + 9 * DAY),
        (Standing(REF, NOW, created_at=NOW - DAY), Policy("x", ttl=9 * DAY, anchor="created"), NOW + 8 * DAY),
        (Standing(REF), Policy("x", ttl=9 * DAY, anchor="created"), None),
        (Standing(REF), Policy("x", anchor="created", ends=NOW), NOW),
        (Standing(REF, created_at=NOW), Policy("x", ttl=9 * DAY, anchor="activity"), NOW + 9 * DAY),
        (Standing(REF, active_at=NOW + DAY, created_at=NOW), Policy("x", ttl=DAY, anchor="activity"), NOW + 2 * DAY),
        (Standing(REF, NOW, active_at=NOW - DAY), Policy("x", ttl=9 * DAY, anchor="activity"), NOW + 9 * DAY),
        (Standing(REF, NOW), Policy("x", ttl=9 * DAY, anchor="activity", ends=NOW + DAY), NOW + DAY),
        (Standing(REF, NOW), Policy("x", ttl=9 * DAY, anchor="activity", ends=NOW), NOW + 9 * DAY),
        (Standing(REF, NOW), Policy("x", ttl=9 * DAY, anchor="activity", final=True, ends=NOW + DAY), None),
    ],
)
def test_when_something_may_be_lost(standing: Standing, known: Policy, last: datetime | None) -> None:
    assert deadline(standing, known) == last
    if standing.visited_at is None or not known.final:
        assert schedule(standing, known).deadline == last


@pytest.mark.parametrize(("failures", "wait"), [(0, 1), (1, 1), (2, 2), (3, 4), (4, 8), (5, 8), (50, 8)])
def test_the_wait_after_a_failure_doubles_three_times(failures: int, wait: int) -> None:
    rhythm = Rhythm(least=DAY / 2)
    for known in (Policy("for ever"), Policy("x", ttl=90 * DAY, anchor="activity")):
        got = schedule(Standing(REF, NOW, failed_at=NOW, failures=failures), known, rhythm)

        assert got == Schedule(
            NOW + (wait / 2 if failures > 1 else 0) * DAY, deadline(Standing(REF, NOW), known), wait / 2 * DAY
        )


@given(times, times, inactivity)
def test_the_jitter_takes_off_less_than_a_third_of_the_wait(visited: datetime, active: datetime, known: Policy) -> None:
    got = schedule(Standing(REF, visited, active_at=active), known)

    assert got.due is not None
    assert 0 <= (visited + got.interval - got.due) / got.interval <= SPREAD + 1e-6
    assert schedule(Standing(REF, visited, active_at=active), known) == got


def test_the_jitter_is_another_for_each_thread_and_day_and_anything_from_0_to_1() -> None:
    refs = [ThreadRef(source, endpoint, f"t{n}\ud800") for source in "ab" for endpoint in "xy" for n in range(50)]
    found = [jitter(ref, NOW + day * DAY) for ref in refs for day in range(5)]

    assert len(set(found)) == len(found)
    assert 0 <= min(found) < 0.01
    assert 0.99 < max(found) < 1
    assert abs(sum(found) / len(found) - 0.5) < 0.03
    assert jitter(refs[0], NOW) == jitter(refs[0], NOW + 0.99 * DAY)


def test_what_the_user_knows_better_counts_for_that_profile_and_source_alone() -> None:
    mine = Policy("mine", ttl=DAY)
    known = Policies({("work", "assistants"): mine})

    assert known.of("work", "assistants", "https://x.openai.azure.com") is mine
    assert known.of("home", "assistants", "http://server") == policy("assistants", "http://server")
    assert known.of("work", "responses", "http://server") == policy("responses", "http://server")


def test_whatever_is_said_otherwise_gives_another_digest() -> None:
    told = [
        Policies(),
        Policies(rhythm=Rhythm(margin=6 * DAY)),
        Policies(rhythm=Rhythm(sweep=29 * DAY)),
        Policies({("work", "assistants"): Policy("mine")}),
        Policies({("work", "assistants"): Policy("mine", ttl=DAY)}),
        Policies({("home", "assistants"): Policy("mine", ttl=DAY)}),
    ]

    assert len({one.digest() for one in told}) == len(told)
    assert Policies().digest() == Policies().digest()
    first, second = (("work", "assistants"), Policy("a")), (("home", "assistants"), Policy("b"))
    assert Policies(dict([first, second])).digest() == Policies(dict([second, first])).digest()


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
        ("assistants", "https://x.openai.azure.us/openai/v1", datetime(2027, 3, 31, tzinfo=UTC), None),
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
