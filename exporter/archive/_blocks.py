"""Lines of whole pages as blocks of bytes: where their pages are, and whether each is what its mark says.

A line is looked at by itself only where somebody wants to know what it says.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, NamedTuple

from exporter.archive._lines import MARK, sums
from exporter.errors import Damaged

NEXT_MARK = b"\n" + MARK


class Cut(NamedTuple):
    """Where a page stands in a text: its records, and behind them its mark."""

    begin: int
    mark: int
    end: int

    def lines(self, text: bytes) -> list[bytes]:
        """Return the lines of its records, without their line ends."""
        return text[self.begin : self.mark].split(b"\n")[:-1]


class Block(NamedTuple):
    """Lines that end with a whole page."""

    text: bytes
    pages: int
    records: int


def cuts(text: bytes, begin: int = 0) -> Iterator[Cut]:
    """Yield where the pages are, from a place on where a line begins; what follows the last mark is of no page."""
    while (mark := _mark(text, begin)) >= 0 and (end := text.find(b"\n", mark) + 1):
        yield Cut(begin, mark, end)
        begin = end


def _mark(text: bytes, begin: int) -> int:
    if text.startswith(MARK, begin):
        return begin
    found = text.find(NEXT_MARK, begin)
    return found + 1 if found >= 0 else -1


def joined(head: bytes, pages: Iterable[list[bytes]], size: int) -> Iterator[Block]:
    """Join a header and the lines of pages to blocks of at least so many bytes."""
    lines, length, count = [head], len(head), 0
    for page in pages:
        lines += page
        length += sum(map(len, page))
        count += 1
        if length >= size:
            yield _block(lines, count, headed=lines[0] is head)
            lines, length, count = [], 0, 0
    if lines:
        yield _block(lines, count, headed=lines[0] is head)


def _block(lines: list[bytes], pages: int, *, headed: bool) -> Block:
    return Block(b"".join(lines), pages, len(lines) - pages - headed)


def proven(file: BinaryIO, size: int, where: str) -> Iterator[Block]:
    """Cut what a journal holds, from its header on, into blocks of at least so many bytes.

    They end before what is no whole page. Raises `Damaged` at a page that is not what its mark says.
    """
    text = file.readline()
    begin, pages, records = len(text), 0, 0
    while more := file.read(max(size, len(text))):
        text += more
        start = 0
        for cut in cuts(text, begin):
            begin, pages, records = cut.end, pages + 1, records + _records(text, cut, where)
            if begin - start >= size:
                yield Block(text[start:begin], pages, records)
                start, pages, records = begin, 0, 0
        text, begin = text[start:], begin - start
    if begin:
        yield Block(text[:begin], pages, records)


def _records(text: bytes, cut: Cut, where: str) -> int:
    """Return how many records a page has; `Damaged` where it is not what its mark says."""
    records = text[cut.begin : cut.mark]
    try:
        said = sums(text[cut.mark : cut.end])
        whole = said.bytes == len(records) and said.crc32 == f"{zlib.crc32(records):08x}"
        if whole and _has_lines(records, said.count):
            return said.count
    except (ValueError, KeyError, TypeError):
        pass  # a mark that says no such thing
    raise Damaged(f"{where}: a page differs from its mark; run `exporter check`")


def _has_lines(records: bytes, count: int) -> bool:
    end = 0
    for _ in range(count):
        end = records.find(b"\n", end) + 1
        if not end:
            return False
    return end == len(records) and count >= 0
