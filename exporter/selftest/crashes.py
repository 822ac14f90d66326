"""A process that dies, or a machine that loses its power, at any write: what was reported archived is there, once."""

from __future__ import annotations

import random
from collections.abc import Sequence

from exporter.selftest._bench import Bench, Broken, Kept, none, promise
from exporter.selftest._disk import Fault, How, Kind

POINTS, QUICK = 8, 2
"Crashes at each kind of write, in a whole and in a quick run."


@promise("Killed while a page is written to the journal: every page that was reported archived is there, once.")
def while_journaling(bench: Bench) -> None:
    """See the sentence."""
    _die(bench, ["journal"], "kill", "torn", points=QUICK if bench.quick else POINTS)


@promise("Killed while a journal is sealed as a segment: nothing is lost, nothing doubled.")
def while_sealing(bench: Bench) -> None:
    """See the sentence."""
    _die(bench, ["segment"], "kill", "torn", points=QUICK if bench.quick else POINTS)


@promise("Killed while a manifest is committed: the next run finishes the work.")
def while_committing(bench: Bench) -> None:
    """See the sentence."""
    _die(bench, ["manifest"], "kill", "torn", points=QUICK if bench.quick else POINTS)


@promise("Killed while the tables are published: one row per message, then and afterwards.")
def while_publishing(bench: Bench) -> None:
    """See the sentence."""
    _die(bench, ["table"], "kill", "torn", points=QUICK if bench.quick else POINTS)


@promise("Killed while the catalog is changed: it is brought up to date from what is archived.")
def while_indexing(bench: Bench) -> None:
    """See the sentence."""
    _die(bench, ["catalog"], "kill", points=QUICK if bench.quick else POINTS)


@promise("The power goes, and the disk has kept only what was flushed to it: every page that was reported is there.")
def without_power(bench: Bench) -> None:
    """See the sentence."""
    kinds: list[Kind] = ["journal", "segment", "manifest", "table", "catalog"]
    _die(bench, kinds, "power", points=1 if bench.quick else 3)


@promise("Killed while catalog and tables are made again: the next rebuild makes them whole.", quick=False)
def while_rebuilding(bench: Bench) -> None:
    """See the sentence."""
    with bench.threads(40) as kept:
        _complete(kept)
        total = sum(kept.backup(rebuild=True).steps.values())
        points = QUICK if bench.quick else POINTS
        for n in range(points):
            bench.case()
            fault = Fault("kill", _spread(n, points, total), seed=n)
            done = kept.backup(fault, rebuild=True)
            if not done.died:
                raise Broken(f"a rebuild that was to die at step {fault.at} ended with {done.exit_code} {done.error}")
            again = kept.backup(rebuild=True)
            if again.exit_code:
                raise Broken(f"a rebuild after one that died at step {fault.at} ended with {again.error}")
            none(kept.differences(rebuild=True), f"rebuilt after a rebuild that died at step {fault.at}")


def _die(bench: Bench, kinds: Sequence[Kind], *hows: How, points: int) -> None:
    """Have backups of growing threads die at writes of these kinds, one after the other, on the same archive."""
    chance = random.Random(f"{kinds} {hows}")  # noqa: S311 - repeatable, no secret
    with bench.threads(60) as kept:
        _complete(kept)
        kept.write(30)
        steps = kept.backup().steps
        for n in range(points):
            for kind in kinds:
                bench.case()
                _change(kept, chance)
                fault = Fault(hows[n % len(hows)], _spread(n, points, steps.get(kind, 0)), kind, seed=n)
                done = kept.backup(fault, full=n % 2 == 1)
                if done.struck and not done.died:
                    raise Broken(f"a backup outlived its death at {kind} {fault.at}: {done.exit_code} {done.error}")
                none(kept.problems(), f"{fault.how} at {kind} {fault.at}")
        done = kept.backup(full=True)
        if done.exit_code:
            raise Broken(f"the backup after all that ended with {done.exit_code} {done.error}")
        none(kept.differences(rebuild=True), f"after {'/'.join(hows)} at {', '.join(kinds)}")


def _change(kept: Kept, chance: random.Random) -> None:
    kept.write(chance.randint(1, 30))
    if chance.random() < 0.5:
        kept.edit(chance)
    if chance.random() < 0.3:
        kept.delete(chance)


def _complete(kept: Kept) -> None:
    done = kept.backup()
    if done.exit_code:
        raise Broken(f"a backup of an honest server ended with {done.exit_code} {done.error}")


def _spread(number: int, of: int, steps: int) -> int:
    """Return the n-th of some steps that lie evenly among all of them, the first and the last included."""
    return 1 + round((steps - 1) * number / max(1, of - 1)) if of > 1 else max(1, steps // 2)
