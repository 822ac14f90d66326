from __future__ import annotations

import asyncio
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.pacing import PAUSE_MAX, Allowance, Metronome, Pace

events = st.lists(st.tuples(st.floats(0, 5), st.sampled_from(["ok", "slow", "wait"])), max_size=80)


class Time:
    """A clock that moves when somebody sleeps."""

    def __init__(self) -> None:
        self.now, self.slept = 0.0, 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.now += seconds
        self.slept += seconds


@given(st.integers(1, 64), events)
def test_an_allowance_stays_between_one_and_jobs_and_never_shortens_a_pause(
    jobs: int, story: list[tuple[float, str]]
) -> None:
    allowance, now = Allowance(jobs), 0.0
    for passed, event in story:
        now += passed
        until, width = allowance.paused_until, allowance.width
        if event == "ok":
            allowance.succeeded()
        else:
            allowance.slowed(now, 7.0 if event == "wait" else None)
            assert max(1.0, width / 2) <= allowance.width <= width

        assert 1 <= allowance.slots <= jobs
        assert allowance.paused_until >= until
        assert 0 <= allowance.pause(now) <= PAUSE_MAX


def test_complaints_of_one_moment_count_once() -> None:
    allowance = Allowance(64)
    for _ in range(60):
        allowance.succeeded()
    for _ in range(10):
        allowance.slowed(5.0, None)

    assert allowance.slots == 32
    allowance.slowed(6.5, None)
    assert allowance.slots == 16


def test_after_a_complaint_growth_is_one_per_round() -> None:
    allowance = Allowance(64)
    allowance.slowed(0.0, None)
    for _ in range(2):
        allowance.succeeded()

    assert 2.8 < allowance.width < 3.0


@given(st.floats(0.1, 1000), st.lists(st.floats(0, 3), min_size=2, max_size=30))
def test_a_rate_keeps_its_distance(rate: float, gaps: list[float]) -> None:
    metronome, now, beats = Metronome(rate), 0.0, []
    for gap in gaps:
        now += gap
        beats.append(now + metronome.reserve(now))

    assert all(b - a >= 1 / rate - 1e-6 for a, b in pairwise(beats))


@pytest.mark.parametrize("wrong", [lambda: Allowance(0), lambda: Metronome(0), lambda: Metronome(-1)])
def test_nonsense_is_refused(wrong: object) -> None:
    with pytest.raises(ValueError, match="must be"):
        wrong()  # type: ignore[operator]


def test_a_pace_never_lets_more_in_than_allowed_and_everybody_gets_through() -> None:
    clock, most, done = Time(), 0, 0

    async def story() -> None:
        pace = Pace(8, clock=clock, sleep=clock.sleep)

        async def one(number: int) -> None:
            nonlocal most, done
            async with pace.slot():
                assert pace.in_flight <= 8
                most = max(most, pace.in_flight)
                await asyncio.sleep(0)
                if number == 40:
                    pace.slowed(30.0)
            done += 1

        await asyncio.gather(*(one(number) for number in range(100)))
        assert pace.in_flight == 0

    asyncio.run(story())

    assert (most, done) == (8, 100)
    assert clock.slept >= 30


def test_a_pace_holds_its_rate() -> None:
    clock = Time()

    async def story() -> None:
        pace = Pace(1, 10.0, clock=clock, sleep=clock.sleep)
        for _ in range(21):
            async with pace.slot():
                pass

    asyncio.run(story())

    assert clock.now == pytest.approx(2.0)


def test_a_cancelled_waiter_leaves_its_slot() -> None:
    async def story() -> int:
        pace = Pace(1)
        async with pace.slot():
            waiter = asyncio.create_task(pace.slot().__aenter__())
            await asyncio.sleep(0.01)
            waiter.cancel()
            await asyncio.gather(waiter, return_exceptions=True)
        async with asyncio.timeout(1), pace.slot():
            return pace.in_flight

    assert asyncio.run(story()) == 1
