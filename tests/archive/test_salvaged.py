"""What stays of a journal that was kept aside, when threads are erased: what is surely of others, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.archive._cipher import Cipher
from exporter.archive._journal import reading
from exporter.archive._lines import header_line, page_lines
from exporter.archive._salvaged import Salvaged
from exporter.model import Item, Page, ThreadRef
from tests.archive.making import AT, THREAD, in_memory

NAME = "20261121T000000-00000000.jsonl"
WRITER = "20261121T000000-00000000"
GONE, KEPT = replace(THREAD, id="thread_gone"), replace(THREAD, id="thread_kept")
SECRET = b"topsecretword"
CIPHER = Cipher("a" * 32, {1: bytes(range(32))}, 1)
HEAD = header_line("a" * 32, WRITER, AT)


def page(thread: ThreadRef, number: int, count: int = 2) -> bytes:
    word = SECRET.decode() if thread == GONE else "said"
    items = (Item(f"msg_{n}", json.dumps({"n": n, "text": word}).encode()) for n in range(number, number + count))
    return page_lines(Page(thread, "message", tuple(items), None, False, AT, "messages", number), "r")


PAGES = [page((KEPT, GONE)[n % 2], n) for n in range(6)]


def salvaged(path: Path, data: bytes, cipher: Cipher | None = None, *, known: bool = True) -> Salvaged:
    folder = path / ".exporter" / "salvaged"
    folder.mkdir(parents=True)
    (folder / (NAME + (".enc" if cipher else ""))).write_bytes(data)
    return Salvaged(path, cipher, lambda threads: [one for one in threads if known and one == KEPT])


def left(of: Salvaged) -> bytes | None:
    """What is there once what has to go is gone; None for nothing."""
    staging = of.folder.parent / "erasing"
    for name in of.holding(GONE.__eq__):
        of.stage(name, GONE.__eq__, staging)
        for _ in range(2):  # as after a crash
            of.settle(name, staging)
    return next((file.read_bytes() for file in of.folder.iterdir()), None)


@st.composite
def rotten(draw: st.DrawFn) -> bytes:
    """A journal in which some bytes are others."""
    data = bytearray(HEAD + b"".join(PAGES))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data) - 1))
        end = at + draw(st.sampled_from([1, 1, 40]))
        data[at:end] = bytes(len(data[at:end])) if draw(st.booleans()) else bytes(one ^ 1 for one in data[at:end])
    return bytes(data)


def _joined(first: bytes) -> bytes:
    """A bit of the line break before a page is another."""
    data = HEAD + b"".join(PAGES)
    at = data.index(first)
    return data[: at - 1] + b"\x0b" + data[at:]


@given(rotten())
@example(_joined(PAGES[1]))
@example(_joined(PAGES[0]))
@example((HEAD + PAGES[0] + PAGES[1]).replace(b"thread_gone", b"thread_gonf"))
@example((HEAD + PAGES[0] + PAGES[1]).replace(b'"thread":"thread_gone"', b'"thseae":"thread_kept"'))
def test_nothing_of_the_erased_stays_wherever_bytes_rotted(data: bytes) -> None:
    with in_memory() as root:
        found = left(salvaged(root, data))

    assert found is None or SECRET not in found
    assert found is None or set(found.splitlines()) <= set(data.splitlines())


def test_whole_pages_of_others_stay_and_lines_of_known_threads_and_nothing_else(tmp_path: Path) -> None:
    torn = page(KEPT, 9).replace(b'"said"', b'"sa\xefd"', 1)
    lines = torn.splitlines(keepends=True)
    of = salvaged(tmp_path, HEAD + PAGES[0] + PAGES[1] + torn + PAGES[2] + b"\0\0")

    assert of.holding(GONE.__eq__) == [NAME]
    assert left(of) == HEAD + PAGES[0] + lines[1] + lines[2] + PAGES[2]
    assert of.holding(GONE.__eq__) == []


def test_of_threads_that_nobody_knows_only_what_a_mark_proves_stays(tmp_path: Path) -> None:
    torn = page(KEPT, 9).replace(b'"said"', b'"saad"', 1)

    assert left(salvaged(tmp_path, HEAD + PAGES[0] + torn + PAGES[1], known=False)) == HEAD + PAGES[0]


def test_another_threads_of_the_same_name_stay(tmp_path: Path) -> None:
    namesake = page(replace(GONE, source="conversations"), 0)

    assert left(salvaged(tmp_path, HEAD + namesake + PAGES[1])) == HEAD + namesake


def test_one_that_has_only_others_is_not_touched_and_one_that_has_none_goes(tmp_path: Path) -> None:
    of = salvaged(tmp_path / "a", HEAD + PAGES[0] + PAGES[2])

    assert of.holding(GONE.__eq__) == []
    assert left(salvaged(tmp_path / "b", HEAD + PAGES[1])) is None


@pytest.mark.parametrize(("rotted", "kept"), [(0, ""), (1, "24"), (2, "024"), (3, "04"), (5, "02")])
def test_a_sealed_one_keeps_what_opens_and_is_of_others_sealed(tmp_path: Path, rotted: int, kept: str) -> None:
    head, frames = CIPHER.begin(WRITER)
    pieces = [head]
    for one in [HEAD + PAGES[0], *PAGES[1:]]:
        pieces.append(frames.seal(one, sum(map(len, pieces))))
    pieces[rotted] = (pieces[rotted][:-3] if rotted else b"") + b"xyz" + (b"" if rotted else pieces[0][3:])
    of = salvaged(tmp_path, b"".join(pieces), CIPHER)

    assert of.holding(GONE.__eq__) == [f"{NAME}.enc"]
    found = left(of)
    if not kept:
        assert found is None
        return
    assert found is not None
    assert b"thread_" not in found
    with reading(of.folder / f"{NAME}.enc", CIPHER) as file:
        lines = b"".join(file)
    assert lines == (HEAD if "0" in kept else b"") + b"".join(PAGES[int(n)] for n in kept)


def test_a_sealed_one_whose_frames_cannot_be_told_apart_keeps_what_is_before(tmp_path: Path) -> None:
    head, frames = CIPHER.begin(WRITER)
    first = head + frames.seal(HEAD + PAGES[0], len(head))
    of = salvaged(tmp_path, first + b"\0" * 50 + frames.seal(PAGES[2], len(first) + 50), CIPHER)

    left(of)

    with reading(of.folder / f"{NAME}.enc", CIPHER) as file:
        assert b"".join(file) == HEAD + PAGES[0]
    assert list(_pieces(b"short")) == [b""]


def _pieces(data: bytes) -> Iterator[bytes]:
    return CIPHER.pieces(BytesIO(data), WRITER, "j")
