from __future__ import annotations

import asyncio
import random
import selectors
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.pacing import PAUSE_MAX, Allowance, Metronome, Pace

LATENCY = 0.05
Server = Callable[[float], float | None]
"Says of a request that comes now whether it is taken (None), or how long it has to wait (0.0: no word of that)."


class Hurrying(selectors.SelectSelector):
    """Waits for nothing: time passes by itself."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += timeout or 0.0
        return super().select(0)


class Simulated(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.hurrying = Hurrying()
        super().__init__(self.hurrying)

    def time(self) -> float:
        return self.hurrying.now


def bucket(rate: Callable[[float], float], burst: float, wait: float) -> Server:
    """A server that fills a bucket at a rate, which holds so many seconds of it."""
    left, at = burst * rate(0.0), 0.0

    def takes(now: float) -> float | None:
        nonlocal left, at
        left, at = min(max(1.0, burst * rate(now)), left + (now - at) * rate(now)), now
        if left < 1:
            return wait
        left -= 1
        return None

    return takes


def window(rate: float, seconds: float) -> Server:
    """A server that counts from each full minute, or so, and says how long it lasts still."""
    counts: dict[int, int] = {}

    def takes(now: float) -> float | None:
        turn = int(now // seconds)
        counts[turn] = counts.get(turn, 0) + 1
        return None if counts[turn] <= rate * seconds else (turn + 1) * seconds - now

    return takes


@dataclass
class Told:
    """What a server answered, and when."""

    taken: list[float]
    refused: list[float]

    def rate(self, since: float, until: float) -> float:
        return sum(since <= at < until for at in self.taken) / (until - since)

    def share(self, since: float, until: float) -> float:
        """How many were refused, of all."""
        no = sum(since <= at < until for at in self.refused)
        return no / (no + sum(since <= at < until for at in self.taken))


def simulated(takes: Server, seconds: float, jobs: int = 64, rate: float | None = None) -> Told:
    """Ask a server for so long, with as many in flight as the pace allows; in no time."""
    dice, told = random.Random(1), Told([], [])

    async def story() -> None:
        loop = asyncio.get_running_loop()
        pace = Pace(jobs, rate, clock=loop.time)

        async def ask() -> float | None:
            async with pace.slot() as slot:
                await asyncio.sleep(LATENCY / 2 * dice.uniform(0.8, 1.2))
                wait = takes(loop.time())
                (told.taken if wait is None else told.refused).append(loop.time())
                await asyncio.sleep(LATENCY / 2 * dice.uniform(0.8, 1.2))
                if wait is not None:
                    slot.slowed(wait or None)
            return wait

        async def work() -> None:
            while loop.time() < seconds:
                if (wait := await ask()) is not None:
                    await asyncio.sleep(wait or dice.uniform(0, 1))

        await asyncio.gather(*(work() for _ in range(jobs)))

    with asyncio.Runner(loop_factory=Simulated) as runner:
        runner.run(story())
    return told


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


@pytest.mark.parametrize(
    ("rate", "burst", "wait", "seconds"),
    [
        (10, 1.0, 1.0, 400),
        (10, 1.0, 0.0, 400),
        (100, 1.0, 1.0, 100),
        (100, 1.0, 0.0, 100),
        (100, 0.05, 0.0, 100),
        (100, 5.0, 0.1, 100),
        (600, 0.2, 0.1, 40),
    ],
)
def test_a_limit_is_found_without_being_told_and_kept_to(
    rate: float, burst: float, wait: float, seconds: float
) -> None:
    told = simulated(bucket(lambda _: rate, burst, wait), seconds)

    assert told.rate(seconds / 4, seconds) >= 0.95 * rate
    assert told.share(seconds / 4, seconds) <= 0.01


def test_a_limit_that_is_counted_by_the_minute_is_kept_to() -> None:
    told = simulated(window(10, 10.0), 600, jobs=16)

    assert told.rate(100, 600) >= 0.95 * 10
    assert told.share(100, 600) <= 0.01


def test_a_limit_that_falls_is_found_again_and_one_that_rises_is_tried() -> None:
    told = simulated(bucket(lambda now: 100 if now < 50 else 30 if now < 200 else 100, 1.0, 1.0), 600)

    assert told.rate(100, 200) >= 0.95 * 30
    assert told.share(100, 200) <= 0.02
    assert told.rate(500, 600) >= 0.9 * 100


def test_a_rate_that_is_given_is_never_passed_whatever_is_found() -> None:
    told = simulated(bucket(lambda now: 5 if now < 20 else 1000, 1.0, 1.0), 300, rate=20.0)

    assert told.rate(200, 300) == pytest.approx(20, rel=0.05)
    assert all(b - a > 0.02 for a, b in pairwise(sorted(told.taken)[::2]))


def test_who_is_never_refused_is_never_held_back() -> None:
    told = simulated(lambda _: None, 20)

    assert told.rate(5, 20) >= 0.97 * 64 / LATENCY


def test_a_server_that_says_how_much_is_left_is_asked_for_no_more() -> None:
    async def story() -> float:
        loop = asyncio.get_running_loop()
        pace = Pace(8, clock=loop.time)
        pace.told(10.0)
        for _ in range(100):
            async with pace.slot():
                pass
        return loop.time()

    with asyncio.Runner(loop_factory=Simulated) as runner:
        assert runner.run(story()) == pytest.approx(10, rel=0.05)
