"""A folder's names that a process made sure of nowhere, as it died before, are not trusted by the next one."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest

from exporter.selftest._bench import Bench, Kept, bench
from exporter.selftest._disk import Fault, Kind

AFTER_PAGES = 6
"The step of a journal that was begun, written and flushed with its first pages."


class Worst(random.Random):
    """The chance of a disk that keeps nothing but what was flushed to it."""

    def choice(self, seq: Any) -> Any:
        return "lost" if "lost" in seq else max(seq)

    def random(self) -> float:
        return 0.0


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with bench(tmp_path_factory.mktemp("names")) as found:
        yield found


def dead(kept: Kept, kind: Kind, at: int) -> bool:
    """Have the first backup die right after a step; tell whether there was such a step."""
    after = next(seed for seed in count() if random.Random(f"{seed} {at}").random() < 0.5)
    return kept.backup(Fault("kill", at, kind, seed=after)).died


def nothing_is_lost(place: Bench, kind: Kind, then: Callable[[Kept], object]) -> None:
    """Have a first backup die right after each of its steps; what is done then is to make sure of all it left."""
    for at in count(1):
        with place.threads(3) as kept:
            if not dead(kept, kind, at):
                assert at > 5
                return
            then(kept)
            kept.cut_power(Worst())
            assert list(kept.problems()) == [], at


def opened(kept: Kept) -> None:
    kept.backup(opens=True)


def gone_on_with(kept: Kept) -> None:
    kept.write(3)
    assert kept.backup(Fault("kill", AFTER_PAGES, "journal", seed=0)).died


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["segment", "manifest"])
def test_what_a_dying_process_left_unsure_is_sure_once_the_next_has_opened(place: Bench, kind: Kind) -> None:
    nothing_is_lost(place, kind, opened)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ["journal", "segment"])
def test_what_a_dying_process_left_unsure_is_sure_before_more_is_archived(place: Bench, kind: Kind) -> None:
    nothing_is_lost(place, kind, gone_on_with)
