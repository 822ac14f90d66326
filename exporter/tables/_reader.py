"""What publishing asks of an archive.

The idea: publishing sees the archive as of one manifest; what is committed meanwhile waits for the next time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, TypeVar

from exporter.archive import Erasures, MarkLine, TableFile
from exporter.groups import grouped
from exporter.model import Mark, Record, Registration, ThreadRef

AHEAD = 2000
AHEAD_BYTES = 2 << 20
"How much is read ahead, so that the owners of many threads are asked for at once."

T = TypeVar("T")
Pages = Iterator[tuple[int, Mark, list[Record]]]
New = tuple[int, MarkLine, list[bytes]]
"A page: its manifest, what its mark says, and the lines of its records."


class Reader(Protocol):
    """What publishing asks of an archive."""

    path: Path

    def lines(self, since: int) -> Iterator[New]:
        """Whole pages of the segments after manifest `since`, in order."""

    def thread_pages(self, thread: ThreadRef, kind: str) -> Pages:
        """All committed pages of one thread and kind, in order, with the number of their manifest."""

    def owners(self, threads: Iterable[ThreadRef]) -> Mapping[ThreadRef, Registration]:
        """What the registrations say together, of each of these threads."""

    def manifest(self) -> int:
        """Number of the newest manifest."""

    def erasures(self, since: int, until: int) -> Erasures | None:
        """What was erased after one manifest and up to another; None for nothing."""

    def tmp(self) -> Path:
        """A fresh folder on the archive's disk."""

    def table_files(self) -> dict[str, TableFile]:
        """What is noted of each table file."""

    def note_table_file(self, name: str, pending: str | None, final: TableFile | None) -> None:
        """Note the hash a file is about to get, then the file it has become."""


class View:
    """The archive as it was when publishing began."""

    def __init__(self, reader: Reader, since: int, newest: int) -> None:
        self.since, self.newest = since, newest
        self._reader = reader

    def new_pages(self) -> Iterator[New]:
        """Yield the pages after manifest `since`."""
        for page in self._reader.lines(self.since):
            if page[0] > self.newest:
                break
            yield page

    def history(self, thread: ThreadRef, kind: str) -> Iterator[tuple[int, Record]]:
        """Yield all records of one thread and kind, with the number of their manifest."""
        for number, _, records in self._reader.thread_pages(thread, kind):
            if number <= self.newest:
                yield from ((number, record) for record in records)

    def blocks(self) -> Iterator[list[New]]:
        """Yield the pages after manifest `since`, as many together as are read ahead."""
        return ahead(self.new_pages(), lambda page: sum(map(len, page[2])))

    def owners(self, threads: Iterable[ThreadRef]) -> Mapping[ThreadRef, Registration]:
        """Return the owners of these threads."""
        return self._reader.owners(set(threads))


def ahead(stream: Iterable[T], size: Callable[[T], int]) -> Iterator[list[T]]:
    """Yield as much of what comes as is read ahead."""
    return grouped(stream, size, AHEAD_BYTES, AHEAD)
