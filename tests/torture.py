"""`make torture`: a thousand crashes at random writes, one after the other, of archives that grow meanwhile.

Each point is a backup in a process of its own that dies, or whose disk fails, at a step drawn by the seed. Afterwards
the archive has to open, hold every page that was reported archived, and be whole; at the end of a round the next
backup has to make it equal to the server, and to a rebuild. The same seed draws the same points.
"""

from __future__ import annotations

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from exporter.selftest._bench import Bench, Kept, bench
from exporter.selftest._disk import Fault, How, Kind

ROUND = 12
"Points that one archive goes through."
HOWS: tuple[How, ...] = ("kill", "kill", "torn", "torn", "power", "power", "full", "io")
KINDS: tuple[Kind, ...] = ("journal", "segment", "manifest", "table", "catalog", "other")
STEPS = {"journal": 12, "segment": 24, "manifest": 24, "table": 80, "catalog": 60, "other": 20}
"How many steps of each kind a backup has, about."


@dataclass
class Tally:
    """What was tried and what came of it."""

    points: Counter[tuple[str, str]] = field(default_factory=Counter)
    rounds: int = 0
    acknowledged: int = 0
    "Messages that were reported archived."
    failures: list[str] = field(default_factory=list)

    def told(self) -> str:
        """Say it in a few lines."""
        hows = sorted({how for how, _ in self.points})
        lines = [f"{'':10}" + "".join(f"{how:>9}" for how in hows) + f"{'all':>9}"]
        for kind in KINDS:
            counts = [self.points[how, kind] for how in hows]
            lines.append(f"{kind:10}" + "".join(f"{count:9,}" for count in [*counts, sum(counts)]))
        lost, doubled = (sum(word in one for one in self.failures) for word in ("lost:", "doubled:"))
        lines.append(f"{sum(self.points.values()):,} crash points in {self.rounds:,} archives")
        lines.append(f"{self.acknowledged:,} messages reported archived: {lost} lost, {doubled} doubled")
        return "\n".join([*lines, *(f"FAILED {one}" for one in self.failures)])


def torture(seed: int, points: int, seconds: float, folder: Path) -> Tally:
    """Go through so many crash points, or as many as the time allows; rounds are finished that were begun."""
    tally, until = Tally(), time.monotonic() + seconds
    with bench(folder) as place:
        while sum(tally.points.values()) < points and time.monotonic() < until and not tally.failures:
            _round(place, random.Random(f"{seed} {tally.rounds}"), tally, min(until, time.monotonic() + seconds / 2))
            tally.rounds += 1
            if sys.stderr.isatty():
                print(f"\r{sum(tally.points.values()):,} points", end="", file=sys.stderr)
    return tally


def _round(place: Bench, chance: random.Random, tally: Tally, until: float) -> None:
    with place.threads(chance.randint(1, 110)) as kept:
        for _ in range(ROUND):
            fault, full = _fault(chance), chance.random() < 0.3
            done = kept.backup(fault, full=full)
            if done.struck:
                tally.points[fault.how, done.struck] += 1
            when = f"round {tally.rounds}: {fault} full={full}"
            tally.failures += [f"{when}: {one}" for one in kept.problems()]
            if done.struck and not done.died and done.exit_code not in (0, 1, 5):
                tally.failures.append(f"{when} ended with {done.exit_code} {done.error}")
            if tally.failures or time.monotonic() > until:
                break
            _change(kept, chance)
        done = kept.backup(full=True)
        if done.exit_code:
            tally.failures.append(f"round {tally.rounds}: the last backup ended with {done.exit_code} {done.error}")
        tally.failures += [f"round {tally.rounds}: {one}" for one in kept.differences(rebuild=True)]
        pages = kept.acknowledged()
        tally.acknowledged += sum(len(page["items"]) for page in pages if page["kind"] == "message")


def _fault(chance: random.Random) -> Fault:
    kind = chance.choice(KINDS)
    at = chance.randint(1, STEPS[kind])
    return Fault(chance.choice(HOWS), at, kind, seed=chance.randrange(2**31), lasts=chance.random() < 0.5)


def _change(kept: Kept, chance: random.Random) -> None:
    kept.write(chance.choice((0, 1, 5, 30, 120)))
    if chance.random() < 0.4:
        kept.edit(chance)
    if chance.random() < 0.3 and len(kept.served()[kept.thread]) > 2:
        kept.delete(chance)


def main() -> int:
    """Torture, and print the figures; 1 if anything was lost, doubled or damaged."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seed", type=int, default=20261121)
    options.add_argument("--points", type=int, default=1000)
    options.add_argument("--seconds", type=float, default=3600)
    options.add_argument("--folder", type=Path, help="where archives are made; default: in memory, if that can be had")
    given = options.parse_args()
    memory = Path("/dev/shm")
    folder = given.folder or (memory if memory.is_dir() else None)
    print(f"seed {given.seed}", flush=True)
    began = time.monotonic()
    place = Path(tempfile.mkdtemp(prefix="exporter-torture-", dir=folder))
    try:
        tally = torture(given.seed, given.points, given.seconds, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)
    print(tally.told(), f"{time.monotonic() - began:,.0f} s", sep="\n")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
