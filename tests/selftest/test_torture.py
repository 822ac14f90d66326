"""A slice of `make torture`: random crash points for some seconds, the same ones every time."""

from __future__ import annotations

from pathlib import Path

from tests.torture import Tally, torture

SECONDS = 20.0


def test_crashes_at_random_writes_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    tally = torture(seed=7, points=200, seconds=SECONDS, folder=tmp_path)

    assert not tally.failures, tally.told()
    assert sum(tally.points.values()) > 0
    assert tally.acknowledged > 0


def test_what_was_lost_or_doubled_is_counted() -> None:
    tally = Tally(rounds=1, acknowledged=5, failures=["round 0: lost: message m of t", "round 0: doubled: message m"])
    tally.points["kill", "journal"] = 2

    assert "2 crash points in 1 archives" in tally.told()
    assert "5 messages reported archived: 1 lost, 1 doubled" in tally.told()
