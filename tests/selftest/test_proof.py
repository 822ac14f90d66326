"""What the selftest would say if something were lost, doubled or in another order; what a cut of power may leave."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exporter.archive import Archive
from exporter.selftest._power import SECTOR, _left
from exporter.selftest._proof import acknowledged_once, equal, whole
from tests.archive.making import THREAD, filled, in_memory, page
from tests.archive.publishing import messages, publish_all

REGISTERED = {"thread": THREAD.id, "kind": "registration"}


@pytest.fixture
def tmp_path() -> Iterator[Path]:
    with in_memory() as folder:
        yield folder


def told(*names: str, body: bytes | None = None, kind: str = "message") -> dict[str, Any]:
    """What a process reported archived."""
    found = {name: b'{"id":"%s","pad":""}' % name.encode() if body is None else body for name in names}
    return {
        "thread": THREAD.id,
        "kind": kind,
        "items": [[name, hashlib.sha256(data).hexdigest()] for name, data in found.items()],
    }


@pytest.mark.parametrize(
    ("acknowledged", "said"),
    [
        ([told("msg_0", "msg_1")], []),
        ([told("msg_1", "msg_9")], ["lost: message msg_9 of thread_1, which was reported archived"]),
        ([told("msg_1", body=b"{}")], ["lost: message msg_1 of thread_1, which was reported archived"]),
        ([REGISTERED], ["lost: registration  of thread_1, which was reported archived"]),
    ],
)  # fmt: skip
def test_what_was_reported_archived_and_is_not_there_is_lost(
    tmp_path: Path, acknowledged: list[dict[str, Any]], said: list[str]
) -> None:
    path = filled(tmp_path / "a", [page(0, 2)])

    assert list(acknowledged_once(path, acknowledged)) == said


def test_what_is_said_to_be_new_and_was_there_is_doubled(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", [page(0, 2)], [page(1, 1)])

    assert list(acknowledged_once(path, [])) == ["doubled: message msg_1 of thread_1 came again, and is said to be new"]


def test_a_damaged_archive_is_told_file_by_file(tmp_path: Path) -> None:
    path = filled(tmp_path / "a", [page(0, 2)])
    assert list(whole(path)) == []
    (segment,) = path.glob("segments/*/*/*")
    segment.write_bytes(segment.read_bytes()[:-1])

    assert [line.startswith(f"check: {segment.relative_to(path)}: ") for line in whole(path)][:1] == [True]


def test_an_archive_that_is_not_what_the_server_has_is_told_by_what_differs(tmp_path: Path) -> None:
    one = messages(0, 3)
    path = filled(tmp_path / "a", [one])
    with Archive.write(path) as archive:
        publish_all(archive)
    has = [item.body for item in one.items]
    changed = json.dumps({**json.loads(has[0]), "more": 1}).encode()

    assert list(equal(path, {"thread_1": has})) == []
    assert list(equal(path, {"thread_1": [changed, *has[1:]]})) == [
        "thread_1: the newest records differ from what the server has"
    ]
    (order,) = equal(path, {"thread_1": [has[1], has[0], has[2]]})
    assert order.startswith("thread_1: the table has the right messages in another order, from 0 on: ['msg_0', 'msg_1'")
    assert list(equal(path, {"thread_1": has[:2]})) == [
        "thread_1: the table has 3 for 2; missing [], too many ['msg_2']",
        "thread_1: marked deleted are 0 for 1; missing ['msg_2'], too many []",
    ]


def test_a_cut_of_power_leaves_what_was_what_is_a_part_or_sectors_of_both() -> None:
    before, after = b"a" * 3 * SECTOR, b"b" * (5 * SECTOR + 7)
    seen: set[str] = set()
    for seed in range(200):
        left = _left(before, after, random.Random(seed))
        if left in (before, after):
            seen.add("lost" if left == before else "kept")
        elif len(left) < len(after):
            seen.add("short")
            assert after.startswith(left)
            assert len(left) >= len(before)
        else:
            seen.add("holes")
            for at in range(0, len(left), SECTOR):
                assert left[at : at + SECTOR] in {
                    after[at : at + SECTOR],
                    before[at : at + SECTOR],
                    b"\0" * len(after[at : at + SECTOR]),
                }
    assert seen == {"lost", "kept", "short", "holes"}
