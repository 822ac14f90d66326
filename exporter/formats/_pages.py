"""The pages of one thread, for who asks for them more than once.

The idea: most threads are short, and looking them up costs more than reading them. What is short is read once; what is
long is read again from the archive, so that memory stays flat.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Protocol

from exporter.archive.catalog import Known
from exporter.model import Mark, Record, ThreadRef

KEEP_BYTES = 1 << 20
"Of one kind; a record counts 500 more than its body."

Page = tuple[int, Mark, list[Record]]


class Reader(Protocol):
    """Who has the pages of threads: an archive, or somebody who remembers them."""

    def thread_pages(self, thread: ThreadRef, kind: str) -> Iterator[Page]:
        """All committed pages of one thread and kind, in order, with their manifest's number."""


class Registry(Protocol):
    """Who knows which threads there are: a catalog, or somebody who calls them otherwise."""

    def find(self, thread: ThreadRef) -> Known | None:
        """The thread, if it is registered."""

    def named(self, thread_id: str) -> list[Known]:
        """All threads with this id, whatever their source and endpoint."""

    def known(self, **equal: str | None) -> Iterator[Known]:
        """Threads whose columns equal what is given (None: any), in the order they were registered."""

    def kinds_of(self, thread: ThreadRef) -> set[str]:
        """Of which kinds there are records of a thread."""


class Shelf(Reader, Protocol):
    """What formats need of an archive."""

    @property
    def path(self) -> Path:
        """Where it is."""

    @property
    def catalog(self) -> Registry:
        """Which threads there are."""


class Pages:
    """The pages of one thread as it is now; others are asked of the archive."""

    def __init__(self, archive: Shelf, thread: ThreadRef) -> None:
        self._archive, self._thread = archive, thread
        self._kept: dict[str, list[Page]] = {}

    @cached_property
    def _kinds(self) -> set[str]:
        return self._archive.catalog.kinds_of(self._thread)

    def thread_pages(self, thread: ThreadRef, kind: str) -> Iterator[Page]:
        """See `Reader.thread_pages`."""
        if thread != self._thread:
            return self._archive.thread_pages(thread, kind)
        if kind in self._kept or kind not in self._kinds:
            return iter(self._kept.get(kind, ()))
        return self._read(kind)

    def _read(self, kind: str) -> Iterator[Page]:
        kept: list[Page] | None = []
        size = 0
        for page in self._archive.thread_pages(self._thread, kind):
            size += sum(len(record.body) + 500 for record in page[2])
            if kept is not None:
                kept.append(page)
            if size > KEEP_BYTES:
                kept = None
            yield page
        if kept is not None:
            self._kept[kind] = kept
