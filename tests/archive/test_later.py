"""What erasing manifests say of the files before them: what has become of each, however often it was written again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from exporter.archive._manifests import (
    Amended,
    Erasure,
    Later,
    Manifest,
    Replaced,
    decode,
    draft,
    encode,
    erasing,
    log,
    manifest_name,
    numbers,
)
from exporter.model import Segment
from exporter.storage.local import LocalStorage

A, B, C, OTHER = (
    Segment(f"segments/2026/11/000000001-{name * 12}.jsonl.zst", name * 64, 4, 2, 900, 1700, "w") for name in "abcd"
)
BARE = Manifest("a" * 32, 3, None, "2026-11-21T05:00:00.000000Z", "r", (A, OTHER), None, file_sha256="newest")


def erased(*replaced: Replaced, amended: tuple[Amended, ...] = (), contents: tuple[str, ...] = ()) -> Manifest:
    about = {"contents": list(contents)} if contents else {}
    return replace(BARE, segments=(), erased=Erasure((), (), replaced, amended, about))


LATER = Later([
    erased(Replaced(A, B), amended=(Amended(3, "old", "newer"),), contents=("blobs/x",)),
    erased(Replaced(B, C), amended=(Amended(3, "newer", "newest"), Amended(4, "old", "newest"))),
])  # fmt: skip


def test_a_segment_is_what_it_was_written_again_as_last() -> None:
    assert [LATER.segment(one) for one in (A, B, C, OTHER)] == [C, C, C, OTHER]
    assert [LATER.named(one.name) for one in (A, B, C, OTHER)] == [C, C, None, None]
    assert LATER.resolved(BARE) == replace(BARE, segments=(C, OTHER))
    first = erased(Replaced(A, B), Replaced(OTHER, OTHER), contents=("blobs/x",))
    found = LATER.resolved(replace(first, segments=(B,)))
    assert found == replace(erased(Replaced(A, C), Replaced(OTHER, OTHER), contents=("blobs/x",)), segments=(C,))


def test_contents_without_which_the_archive_goes_on_are_named() -> None:
    assert (LATER.given_up, Later().given_up) == ({"blobs/x"}, set())


@pytest.mark.parametrize(
    ("previous", "number", "follows"),
    [
        ("newest", 3, True), ("newer", 3, True), ("old", 3, True), ("another", 3, False), (None, 3, False),
        ("old", 4, True), ("newer", 4, False), ("old", 5, False),
    ],
)  # fmt: skip
def test_a_manifest_follows_one_whose_report_was_written_again(
    previous: str | None, number: int, follows: bool
) -> None:
    assert LATER.follows(replace(BARE, previous=previous), replace(BARE, number=number)) is follows


def test_erasing_manifests_are_read_in_order_and_those_that_cannot_be_say_nothing(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    quoted = replace(BARE, report={"said": '"erased":{ is no word of ours'})
    kept = {2: erased(Replaced(A, B)), 5: erased(Replaced(B, C)), 10: erased(contents=("blobs/x",))}
    for number in range(1, 12):
        one = replace(kept.get(number, quoted), number=number)
        (tmp_path / manifest_name(number)).write_bytes(encode(one))
    storage = LocalStorage(tmp_path)

    assert [one.number for one in erasing(storage)] == [2, 5, 10]
    assert [one.number for one in erasing(storage, since=2)] == [5, 10]
    assert Later.read(storage).segment(A) == C
    assert Later.read(storage, since=2).segment(A) == A
    (tmp_path / manifest_name(5)).write_bytes(encode(replace(kept[5], number=5))[:-9])
    assert [one.number for one in erasing(storage)] == [2, 10]
    (tmp_path / manifest_name(2)).unlink()
    (tmp_path / manifest_name(2)).symlink_to(tmp_path / "nowhere")
    assert [one.number for one in erasing(storage)] == [10]


def test_other_files_beside_the_manifests_do_not_count(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    for name in ("1.json", "000000002.json.part", "notes.txt", "٠٠٠٠٠٠٠٠٣.json", "000000004.json"):
        (tmp_path / "manifests" / name).touch()

    assert list(numbers(LocalStorage(tmp_path))) == [4]


def test_a_manifest_is_drafted_behind_the_last() -> None:
    first = draft("a", None, "r", (A,), {"said": 1})

    assert replace(first, created_at="") == Manifest("a", 1, None, "", "r", (A,), {"said": 1})
    assert replace(draft("a", BARE, "r", (), None), created_at="") == Manifest("a", 4, "newest", "", "r", (), None)


def test_what_is_erased_while_the_log_is_read_breaks_no_chain(tmp_path: Path) -> None:
    (tmp_path / "manifests").mkdir()
    storage, last = LocalStorage(tmp_path), None

    def put(one: Manifest) -> Manifest:
        (tmp_path / one.name).write_bytes(encode(one))
        return decode(encode(one), one.name)

    written: list[Manifest] = []
    for number in (1, 2, 3):
        last = put(draft("a", last, "r", (), {"said": number}))
        written.append(last)
    reading = log(storage)
    assert next(reading) == written[0]
    amended = put(replace(written[1], report=None))
    told = Erasure((), (), (), (Amended(2, written[1].file_sha256, amended.file_sha256),), {})
    end = put(replace(draft("a", last, "r", (), None), erased=told))

    assert list(reading) == [amended, written[2], end]
    assert list(log(storage)) == [written[0], amended, written[2], end]
