"""A segment is its journal, cut between pages: what is read from it, whole or in part, is what went in."""

from __future__ import annotations

import hashlib
import io
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.archive import Archive
from exporter.archive._cipher import Cipher
from exporter.archive._lines import header_line, page_lines
from exporter.archive._segments import FRAME, describe, frame_at, frames, read_at, read_header, rewrite, seal
from exporter.errors import Damaged
from exporter.files import make_folder
from exporter.model import Item, Segment
from tests.archive.making import AT, THREAD, filled, made, numbers, page, recover
from tests.fuzz.segments import sealed

NAME = "segments/2026/11/000000007-{}.jsonl.zst"
OTHER = replace(THREAD, id="thread_2")


def journal(folder: Path, *pages: bytes, end: bytes = b"") -> Path:
    path = folder / "w.jsonl"
    path.write_bytes(header_line("a" * 32, "w", AT) + b"".join(pages) + end)
    return path


def some(count: int, size: int = 3000) -> list[bytes]:
    """Pages of ten messages each, of two threads in turn."""
    return [page_lines(page(10 * n, 10, (THREAD, OTHER)[n % 2], size), "r") for n in range(count)]


def lines(pages: list[bytes]) -> list[list[bytes]]:
    return [list(io.BytesIO(one)) for one in pages]


@pytest.fixture
def tmp(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "tmp")


@pytest.mark.parametrize("count", [0, 1, 8, 9, 40])
def test_a_sealed_journal_is_described_as_it_was_sealed_and_read_as_it_was(
    tmp_path: Path, tmp: Path, count: int
) -> None:
    pages = some(count)
    raw = journal(tmp_path, *pages)
    one, path = seal(raw, 7, AT, tmp)
    data = path.read_bytes()
    seen: list[list[bytes]] = []
    found = list(frames(io.BytesIO(data), one.name))

    assert one == Segment(
        NAME.format(hashlib.sha256(data).hexdigest()[:12]), hashlib.sha256(data).hexdigest(),
        10 * count, count, len(data), raw.stat().st_size, "w",
    )  # fmt: skip
    assert (
        describe(one.name, one.sha256, io.BytesIO(data), seen.append)
        == describe(one.name, one.sha256, io.BytesIO(data))
        == one
    )
    assert seen == [lines for frame in found for lines in frame.pages] == lines(pages)
    assert [frame.offset for frame in found] == [sum(frame.length for frame in found[:n]) for n in range(len(found))]
    assert sum(frame.length for frame in found) == len(data)
    assert sum(frame.raw for frame in found) == raw.stat().st_size
    assert [frame.writer for frame in found] == ["w", *[""] * (len(found) - 1)]
    assert all(frame.raw >= FRAME for frame in found[:-1])
    assert all(frame.raw < 2 * FRAME for frame in found)
    assert read_header(io.BytesIO(data), one.name)["writer"] == "w"
    for frame in found:
        for thread in (THREAD, OTHER):
            begin = (
                b'{"kind":"page","source":"assistants","endpoint":"https://api.example/v1","thread":"%b",'
                % thread.id.encode()
            )
            own = [lines for lines in frame.pages if lines[-1].startswith(begin)]
            assert list(read_at(io.BytesIO(data), frame.offset, (begin,), one.name)) == own
        assert list(read_at(io.BytesIO(data), frame.offset, (b"x", b'{"kind":"page"'), one.name)) == list(frame.pages)
        assert list(read_at(io.BytesIO(data), frame.offset, (), one.name)) == []


def test_a_segment_is_read_a_bounded_piece_at_a_time(tmp_path: Path, tmp: Path) -> None:
    class Counted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size)
            return super().read(size)

    asked = list[int | None]()
    one, path = seal(journal(tmp_path, *some(40)), 7, AT, tmp)
    data = path.read_bytes()

    read_header(Counted(data), one.name)
    list(read_at(Counted(data), 0, (), one.name))
    list(frames(Counted(data), one.name))
    rewrite(one, Counted(data), lambda _: True, tmp)

    assert asked
    assert all(one is not None and 0 < one <= FRAME for one in asked)


@pytest.mark.parametrize(("missing", "first"), [(1, 2), (0, 1)])
def test_a_frame_ends_with_the_page_that_makes_it_long_enough(
    tmp_path: Path, tmp: Path, missing: int, first: int
) -> None:
    head, small = header_line("a" * 32, "w", AT), page_lines(page(0), "r")
    size = FRAME - 1000
    size += FRAME - missing - len(head) - len(page_lines(page(0, size=size), "r"))
    one, path = seal(journal(tmp_path, page_lines(page(0, size=size), "r"), small, small), 7, AT, tmp)

    assert [len(frame.pages) for frame in frames(io.BytesIO(path.read_bytes()), one.name)] == [first, 3 - first]


def test_a_frame_that_does_not_compress_is_read_to_its_end_and_named_where_that_is_missing(
    tmp_path: Path, tmp: Path
) -> None:
    body = random.Random(1).randbytes(3 * FRAME).replace(b"\n", b"")
    big = page_lines(replace(page(0), items=(Item("msg_0", body),)), "r")
    one, path = seal(journal(tmp_path, big, *some(1)), 7, AT, tmp)
    data = path.read_bytes()
    first, second = frames(io.BytesIO(data), one.name)
    again, rewritten = rewrite(one, io.BytesIO(data), lambda _: True, tmp)

    assert first.length > 2 * FRAME
    assert read_header(io.BytesIO(data), one.name)["writer"] == "w"
    assert list(read_at(io.BytesIO(data), 0, (b"{",), one.name)) == lines([big])
    assert [frame_at(data, frame.offset, one.name)[1] for frame in (first, second)] == [first.length, second.length]
    assert frame_at(data, second.offset, one.name)[0] == some(1)[0]
    assert (again, rewritten.read_bytes()) == (one, data)
    for cut in (data[:FRAME], data[:9], data[: first.length - 1]):
        for read in (
            lambda: read_header(io.BytesIO(cut), one.name),  # noqa: B023 - called here
            lambda: list(read_at(io.BytesIO(cut), 0, (b"{",), one.name)),  # noqa: B023
            lambda: frame_at(cut, 0, one.name),  # noqa: B023
            lambda: rewrite(one, io.BytesIO(cut), lambda _: True, tmp),  # noqa: B023
        ):
            with pytest.raises(Damaged, match=f"^{one.name}: it ends inside a frame"):
                read()


def test_a_segment_written_again_keeps_what_it_is_to_keep_byte_for_byte(tmp_path: Path, tmp: Path) -> None:
    pages = some(40)
    one, path = seal(journal(tmp_path, *pages), 7, AT, tmp)
    data = path.read_bytes()
    ours: dict[str, tuple[Callable[[list[bytes]], Any], list[list[bytes]]]] = {
        "all": (lambda _: True, lines(pages)),
        "one thread": (lambda page: b'"thread":"thread_2"' in page[-1], lines(pages[1::2])),
        "nothing": (lambda _: False, []),
    }
    for keeps, left in ours.values():
        new, again = rewrite(
            replace(one, name=one.name.replace("11/", "10/"), journal="v"), io.BytesIO(data), keeps, tmp
        )
        found = again.read_bytes()
        digest = hashlib.sha256(found).hexdigest()

        assert [lines for frame in frames(io.BytesIO(found), new.name) for lines in frame.pages] == left
        assert describe(new.name, digest, io.BytesIO(found)) == replace(new, journal="w")
        assert (new.name, new.journal, new.sha256) == (NAME.format(digest[:12]).replace("11/", "10/"), "v", digest)
        assert (new.records, new.pages, new.bytes) == (10 * len(left), len(left), len(found))
        assert read_header(io.BytesIO(found), new.name) == read_header(io.BytesIO(data), one.name)


def test_a_segment_is_not_written_again_without_the_pages_that_are_damaged(tmp_path: Path, tmp: Path) -> None:
    pages = some(40)
    one, path = seal(journal(tmp_path, *pages), 7, AT, tmp)
    data = path.read_bytes()
    changed = sealed(header_line("a" * 32, "w", AT) + pages[0].replace(b'"pad"', b'"pod"'))

    for bad, why in ((data[:-9], "it ends inside a frame"), (changed, "a page differs from its mark")):
        with pytest.raises(Damaged, match=f"^{one.name}: {why}"):
            rewrite(one, io.BytesIO(bad), lambda _: True, tmp)


def test_a_segment_of_an_encrypted_archive_is_written_again_under_its_key(tmp_path: Path, tmp: Path) -> None:
    pages, cipher = some(3), Cipher("a" * 32, {1: bytes(range(32))}, 1)
    one, path = seal(journal(tmp_path, *pages), 7, AT, tmp)
    new, again = rewrite(one, io.BytesIO(path.read_bytes()), lambda _: True, tmp, cipher)
    kept = again.read_bytes()
    clear = cipher.reader(io.BytesIO(kept), "segments", "000000007", new.name)

    assert b"msg_" not in kept
    assert (new.name, new.bytes) == (f"{NAME.format(hashlib.sha256(kept).hexdigest()[:12])}.enc", len(kept))
    assert [lines for frame in frames(clear, new.name) for lines in frame.pages] == lines(pages)


def test_a_journal_that_is_not_whole_pages_is_not_sealed(tmp_path: Path, tmp: Path) -> None:
    pages = some(3)
    changed = pages[1].replace(b'"msg_11"', b'"msg_99"', 1)
    for raw in (
        journal(tmp_path, *pages, end=b'{"kind":"message"'),
        journal(tmp_path, *pages, end=b"\n"),
        journal(tmp_path, *pages, end=pages[0][:-1]),
    ):
        with pytest.raises(Damaged, match=r"w\.jsonl: it does not end with a whole page"):
            seal(raw, 7, AT, tmp)
    with pytest.raises(Damaged, match=r"w\.jsonl: a page differs from its mark; run `exporter check`"):
        seal(journal(tmp_path, pages[0], changed, pages[2]), 7, AT, tmp)


def test_a_segment_cut_or_changed_anywhere_is_damaged_and_named(tmp_path: Path, tmp: Path) -> None:
    one, path = seal(journal(tmp_path, *some(20, size=2000)), 7, AT, tmp)
    data = path.read_bytes()
    ends = {0, *(frame.offset + frame.length for frame in frames(io.BytesIO(data), one.name))}
    assert len(ends) > 2
    for cut in (
        {*range(0, len(data), 97), *(end + near for end in ends for near in (-1, 1))} - ends - {-1, len(data) + 1}
    ):
        with pytest.raises(Damaged, match=f"^{one.name}: "):
            describe(one.name, one.sha256, io.BytesIO(data[:cut]))
    for at in range(0, len(data), 53):
        changed = data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]
        with pytest.raises(Damaged, match=f"^{one.name}: "):
            describe(one.name, one.sha256, io.BytesIO(changed))
    second = sorted(ends)[1]
    with pytest.raises(Damaged, match="does not begin with a header"):
        describe(one.name, one.sha256, io.BytesIO(data[second:]))


@pytest.mark.parametrize("text", [b"", b"{}\n", b'{"kind":"message"}\n'])
def test_a_frame_that_holds_lines_of_no_page_is_damaged(text: bytes) -> None:
    head, body = header_line("a" * 32, "w", AT), page_lines(page(0), "r")

    def packed(*blocks: bytes) -> io.BytesIO:
        return io.BytesIO(b"".join(sealed(block) for block in blocks))

    assert len(list(frames(packed(head + body, body), "x"))) == 2
    for file in (packed(head + body, body + text), packed(head + body + text, body), packed(head + body, text + body)):
        if text:
            with pytest.raises(Damaged, match="x: "):
                describe("x", "", file)
    with pytest.raises(Damaged, match=r"x: the frame at byte \d+ ends inside a page"):
        list(frames(packed(head + body, text), "x"))


def test_a_segment_without_its_manifest_is_taken_over_by_the_next_writer_if_its_name_is_that_of_its_bytes(
    tmp_path: Path,
) -> None:
    path = filled(tmp_path / "a", [page(0)], [page(1)])
    last = path / "manifests" / "000000002.json"
    (segment,) = (path / "segments").rglob("000000002-*")
    with Archive.open(path) as archive:
        named = [one for each in archive.manifests() for one in each.segments]
    last.unlink()
    (path / "catalog.sqlite").unlink()
    recover(path)

    assert numbers(path) == [0, 1]
    with Archive.open(path) as archive:
        assert [one for each in archive.manifests() for one in each.segments] == named
    last.unlink()
    (path / "catalog.sqlite").unlink()
    segment.write_bytes(segment.read_bytes() + b"x")
    with pytest.raises(Damaged, match=rf"{segment.name}: its hash is [0-9a-f]{{12}}\.\.\., not what its name.*move it"):
        recover(path)
    segment.unlink()
    recover(path)
    assert numbers(path) == [0]


def test_an_archive_whose_log_is_of_another_is_damaged(tmp_path: Path) -> None:
    path, other = made(tmp_path / "a"), filled(tmp_path / "b", [page(0)])
    for name in ("manifests", "segments"):
        shutil.copytree(other / name, path / name, dirs_exist_ok=True)

    with pytest.raises(Damaged, match=r"000000001\.json: it is of another archive than archive\.json says"):
        recover(path)
