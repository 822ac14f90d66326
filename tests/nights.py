"""Simulated nights of a backup job: how many requests, how fresh, how many lost; `make nights` prints the table.

Threads are written to by chance: mostly those that were active lately, now and then one that was quiet for long.
A source with a retention of R days deletes a thread that nobody wrote to for R days. One visit is one request.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from exporter.model import ThreadRef
from exporter.retention import DAY, EPOCH, RHYTHM, Policy, Schedule, Standing, night, schedule

RETENTION = 30
WARM_UP = 45
"Nights that are not counted: they begin with threads that were never visited."
START = EPOCH + 20_000 * DAY


@dataclass
class Thread:
    """One thread, as the server has it and as the archive knows it."""

    ref: ThreadRef
    active: float
    "The night of its last message, and the part of the day before it."
    known: float
    unsaved: float | None = None
    "Since when there is something that the archive lacks."
    visited: float | None = None
    plan: Schedule = field(default_factory=lambda: Schedule(EPOCH, None, DAY))
    dues: int = 0
    "Visits so far, for policies that count."


@dataclass
class Result:
    """What came of many nights."""

    visits: list[int]
    lost: int
    fresh: int
    changed: int

    @property
    def mean(self) -> float:
        return sum(self.visits) / len(self.visits)

    @property
    def worst(self) -> float:
        """The busiest night against the mean."""
        return max(self.visits) / self.mean


Chooser = Callable[[Sequence[Thread], int], list[Thread]]


def simulate(choose: Chooser, threads: int = 4000, nights: int = 150, share: float = 0.01, seed: int = 1) -> Result:
    """Let a policy choose whom to visit, night after night."""
    rng = random.Random(seed)
    all_ = [_thread(number, rng) for number in range(threads)]
    recent: list[Thread] = []
    result = Result([], 0, 0, 0)
    for now in range(nights):
        for thread in _writers(all_, recent, rng, round(threads * share)):
            at = now - rng.random()
            result.lost += _forgotten(thread, at)
            thread.active = max(at, thread.active)
            thread.unsaved = at if thread.unsaved is None else thread.unsaved
        chosen = choose(all_, now)
        for thread in chosen:
            result.lost += _forgotten(thread, now)
            if thread.unsaved is not None and now >= WARM_UP:
                result.changed += 1
                result.fresh += now - thread.unsaved <= 1
            thread.known, thread.unsaved, thread.visited = thread.active, None, now
        if now >= WARM_UP:
            result.visits.append(len(chosen))
    return result


def _thread(number: int, rng: random.Random) -> Thread:
    quiet = -rng.uniform(0, RETENTION - 1)
    return Thread(ThreadRef("simulated", "http://server", f"thread_{number}"), quiet, quiet)


def _writers(threads: Sequence[Thread], recent: list[Thread], rng: random.Random, count: int) -> Iterator[Thread]:
    for _ in range(count):
        warm = recent and rng.random() < 0.7
        thread = rng.choice(recent[-10 * count :]) if warm else rng.choice(threads)
        recent.append(thread)
        yield thread
    del recent[: -20 * count]


def _forgotten(thread: Thread, now: float) -> int:
    """Count a thread that the server has deleted with something unsaved in it; it begins anew."""
    if thread.unsaved is None or now - thread.active <= RETENTION:
        return 0
    thread.unsaved = None
    return 1


def everything(threads: Sequence[Thread], now: int) -> list[Thread]:
    """Visit all, every night."""
    return list(threads)


def uncapped(threads: Sequence[Thread], now: int) -> list[Thread]:
    """Double the wait after every visit without news, without an end."""
    chosen = [t for t in threads if t.visited is None or now - t.visited >= 2 ** min(t.dues, 9)]
    for thread in chosen:
        thread.dues = 0 if thread.unsaved is not None else thread.dues + 1
    return chosen


def deadline_only(threads: Sequence[Thread], now: int) -> list[Thread]:
    """Wait as long as nothing can be lost."""
    return [t for t in threads if t.visited is None or now - t.visited >= RETENTION - RHYTHM.margin.days]


def ours(threads: Sequence[Thread], now: int) -> list[Thread]:
    """Do what `exporter backup` does."""
    known = Policy("simulated", ttl=timedelta(days=RETENTION), anchor="activity")
    time = _time(now)
    for thread in threads:
        if thread.visited == now - 1 or now == 0:
            visited = None if thread.visited is None else _time(thread.visited)
            thread.plan = schedule(Standing(thread.ref, visited, active_at=_time(thread.known)), known)
    ready = [t for t in threads if t.plan.due is not None and t.plan.due <= time]
    urgent = [t for t in ready if t.visited is None or _urgent(t, time)]
    others = sorted((t for t in ready if t.visited is not None and not _urgent(t, time)), key=lambda t: t.plan.interval)
    usual = sum(DAY / t.plan.interval for t in threads)
    return [*urgent, *others[: max(0, night(usual) - len(urgent))]]


def _urgent(thread: Thread, now: datetime) -> bool:
    return thread.plan.deadline is not None and thread.plan.deadline - RHYTHM.margin <= now + DAY


def _time(night_: float) -> datetime:
    return START + night_ * DAY


POLICIES: dict[str, Chooser] = {
    "visit all": everything,
    "back-off without a cap": uncapped,
    "deadline only": deadline_only,
    "exporter": ours,
}


def main(threads: int) -> None:
    print(f"{threads:,} threads, 1 % change a night, retention {RETENTION} days, margin {RHYTHM.margin.days} days")
    print(f"{'policy':<26}{'visits a night':>16}{'worst / mean':>14}{'within 24 h':>13}{'lost':>8}")
    for name, choose in POLICIES.items():
        got = simulate(choose, threads)
        fresh = got.fresh / max(1, got.changed)
        print(f"{name:<26}{got.mean:>16,.0f}{got.worst:>14.2f}{fresh:>12.0%} {got.lost:>8,}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
