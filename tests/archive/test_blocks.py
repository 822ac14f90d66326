"""Blocks of whole pages, against the same pages read line by line."""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.archive._blocks import Block, cuts, joined, proven
from exporter.archive._journal import pages_until_torn
from exporter.archive._lines import MARK, dump, header_line, page_lines
from exporter.archive._segments import checked
from exporter.errors import ArchiveError, Damaged
from exporter.model import Item
from tests.archive.making import AT, page

HEAD = header_line("a" * 32, "w", AT)
LINES = st.lists(st.sampled_from([MARK + b"1}", MARK + b"2}", b'{"kind":"x"}', b"", b'x{"kind":"page",', b"y"]))
PAGES = st.lists(st.integers(0, 3), max_size=6).map(
    lambda counts: [page_lines(page(at, count, size=40 * count), "r") for at, count in enumerate(counts)]
)


def slowly(text: bytes, size: int) -> list[Block]:
    file = io.BytesIO(text)
    return list(joined(file.readline(), checked(pages_until_torn(file), "j"), size))


@given(LINES, st.booleans())
def test_pages_are_cut_where_their_lines_end(lines: list[bytes], torn: bool) -> None:
    text = b"".join(line + b"\n" for line in lines)[: -1 if torn else None]
    found = [[*one.lines(text), text[one.mark : one.end]] for one in cuts(text)]

    assert found == [[*(line[:-1] for line in some[:-1]), some[-1]] for some in pages_until_torn(io.BytesIO(text))]


@given(PAGES, st.integers(1, 2000), st.data())
def test_a_journal_is_cut_into_the_blocks_of_its_pages_unless_a_byte_is_another(
    pages: list[bytes], size: int, data: st.DataObject
) -> None:
    text = HEAD + b"".join(pages)
    assert list(proven(io.BytesIO(text), size, "j")) == slowly(text, size)

    if pages:
        at = data.draw(st.integers(len(HEAD), len(text) - 1))
        changed = text[:at] + data.draw(st.sampled_from([b"", b"\n", b"x"])) + text[at + 1 :]
        try:
            blocks = slowly(changed, size)
        except Damaged as error:
            with pytest.raises(Damaged, match=re.escape(str(error))):
                list(proven(io.BytesIO(changed), size, "j"))
        else:
            assert list(proven(io.BytesIO(changed), size, "j")) == blocks


def test_blocks_end_with_the_page_that_fills_them_and_no_more_is_read_at_a_time() -> None:
    class Counted(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            asked.append(size)
            return super().read(size)

    asked = list[int | None]()
    pages = [page_lines(page(at, size=40), "r") for at in range(6)]
    (size,) = set(map(len, pages))
    file = Counted(HEAD + b"".join(pages))

    blocks = list(proven(file, len(HEAD) + size, "j"))

    assert [len(block.text) for block in blocks] == [len(HEAD) + size, 2 * size, 2 * size, size]
    assert blocks == slowly(HEAD + b"".join(pages), len(HEAD) + size)
    assert all(one is not None and 0 < one <= 3 * size + len(HEAD) for one in asked)


@pytest.mark.parametrize("count", [-1, 0, 1, 3, 10**30, '"2"', "null"])
@pytest.mark.parametrize("lines", [0, 2])
def test_a_page_of_another_number_of_records_than_its_mark_says_is_damaged(count: object, lines: int) -> None:
    text = page_lines(page(0, lines), "r").replace(b'"count":%d,' % lines, f'"count":{count},'.encode())
    if count == lines:
        assert list(proven(io.BytesIO(HEAD + text), 1, "j"))
        return
    with pytest.raises(Damaged, match="j: a page differs from its mark"):
        list(proven(io.BytesIO(HEAD + text), 1, "j"))


IDS = st.lists(st.none() | st.text(max_size=3) | st.sampled_from(["null", '","', "\ud800", "\\", "é", "a"]), max_size=5)


@given(IDS, st.integers(0, 11))
def test_the_records_of_a_page_are_its_objects_each_with_its_name_and_place(ids: list[str | None], seq: int) -> None:
    items = tuple(Item(one, b'{"n":%d}' % n) for n, one in enumerate(ids))
    text = page_lines(replace(page(0), items=items, seq=seq), "r")
    *records, mark = text.splitlines(keepends=True)

    whose = b'{"kind":"message","source":"assistants","endpoint":"https://api.example/v1","thread":"thread_1","id":'
    said = b'"observed_at":"2026-11-21T05:00:00.000000Z","run":"r","body":'
    assert records == [
        b'%b%b,"seq":%d,%b%b}\n' % (whose, dump(one.id), n, said, one.body) for n, one in enumerate(items, seq)
    ]
    assert b'"crc32":"%08x"' % zlib.crc32(b"".join(records)) in mark


def test_an_object_that_would_be_two_lines_is_refused_by_its_place() -> None:
    items = (Item("a", b"{}"), Item("b", b'{"x":\n1}'), Item("c", b"\n"))
    with pytest.raises(ArchiveError, match="thread_1: object 5 of 'messages' holds a line break"):
        page_lines(replace(page(0), items=items, seq=4), "r")
