"""Erasing: everything of these threads is gone, everything of all others is as it was, and a crash changes neither."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from exporter.archive import Archive
from exporter.erase import Asked, choose, erase
from exporter.model import ThreadRef
from exporter.rebuild import rebuild
from tests.archive.making import in_memory
from tests.archive.publishing import publish_all
from tests.erasing import THREADS, Maker, known, left, noticed, records, rows, with_traces

GONE = THREADS[:2]


def archived(path: Path, seed: int, nights: int = 4) -> Path:
    Maker(path, seed).make(nights)
    with Archive.write(path) as archive:
        publish_all(archive)
    return path


def others(found: dict[ThreadRef, object], gone: Sequence[ThreadRef]) -> dict[ThreadRef, object]:
    return {thread: said for thread, said in found.items() if thread not in gone}


def erased(path: Path, threads: Sequence[ThreadRef] = GONE) -> dict[str, object]:
    with Archive.write(path) as archive:
        asked = [Asked("thread", one.id) for one in threads]
        return erase(archive, choose(archive, asked).threads, asked)


@settings(
    max_examples=4, deadline=None, phases=(Phase.explicit, Phase.generate), suppress_health_check=list(HealthCheck)
)
@given(st.integers(0, 10_000), st.sets(st.sampled_from(THREADS), min_size=1, max_size=4))
def test_nothing_of_them_is_left_and_everything_of_others_is_as_it_was(seed: int, chosen: set[ThreadRef]) -> None:
    gone = sorted(chosen)
    with in_memory() as root:
        path = root / "a"
        Maker(path, seed).make(3)
        with_traces(path, gone[0])
        with Archive.write(path) as archive:  # seals what a crash left, so that before and after can be compared
            publish_all(archive)
        before = records(path), rows(path), known(path)
        ids = {one.id for one in gone}

        receipt = erased(path, gone)

        assert left(path, gone) == []
        assert records(path) == {one: said for one, said in before[0].items() if one not in chosen}
        assert rows(path) == {name: said for name, said in before[1].items() if name not in ids}
        assert known(path) == {name: said for name, said in before[2].items() if name not in ids}
        assert {found.code for found in noticed(path)} <= {"salvaged"}
        assert receipt["finished_at"]
        assert not any(one.id in json.dumps(receipt) for one in gone)
        after = rows(path), known(path)
        rebuild(path)
        assert rows(path) == after[0]
        assert left(path, gone) == []
