"""A clock that jumps: nothing is lost or doubled, and no night is left out for it."""

from __future__ import annotations

from exporter.selftest._bench import Bench, Broken, none, promise

DECADE = 3650.0


@promise("The clock is ten years ahead, or behind, for a night: nothing is lost or doubled, then or afterwards.")
def a_clock_that_jumps(bench: Bench) -> None:
    """See the sentence."""
    for days in (DECADE, -DECADE):
        with bench.threads(20) as kept:
            for shifted in (0.0, days, 0.0):
                kept.write(20)
                done = kept.backup(days=shifted)
                if done.exit_code:
                    raise Broken(f"a clock {shifted:+g} days off ended a backup with {done.exit_code} {done.error}")
                none(kept.problems(check=False), f"with a clock {shifted:+g} days off")
            none(kept.differences(rebuild=True), f"after a clock {days:+g} days off")


@promise("After a night with a wrong clock, threads are visited again when the clock is right.")
def due_after_a_wrong_clock(bench: Bench) -> None:
    """See the sentence."""
    for days in (DECADE, -DECADE):
        with bench.threads(20) as kept:
            for shifted, everything in ((0.0, True), (days, True), (31.0, False)):
                kept.write(20)
                done = kept.backup(days=shifted, everything=everything)
                if done.exit_code:
                    raise Broken(f"a clock {shifted:+g} days off ended a backup with {done.exit_code} {done.error}")
            none(kept.differences(check=False), f"31 days after a clock {days:+g} days off")
